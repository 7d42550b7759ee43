//! What the demo checks in the end: books against recomputation, the regulator's replay, who saw what.

use std::collections::BTreeMap;

use sudare_crypto::pairs;
use sudare_ledger::custodian::AccountView;
use sudare_ledger::role::Role;

use super::expected::Expected;
use super::input::{Account, Scenario};
use super::meter::{Exchanged, Meter};
use super::report::{Check, DemoReport, Latency, Mismatch, PartySaw};
use super::setup::Desk;
use super::trading::Ended;
use crate::cli::Failure;
use crate::membership::Member;
use crate::network::Made;
use crate::operator::RegisterLine;
use crate::replay::{self, Known, Reading, ReplayReport, Task};

/// The most memory that all nodes may use together, in bytes.
const MEMORY_MAX: u64 = 1024 * 1024 * 1024;
/// How long the network may take until it is ready, ms.
const READY_MAX_MS: u64 = 20_000;

/// A finished run of the demo.
pub(super) struct Run<'a> {
    pub(super) made: &'a Made,
    pub(super) desk: &'a Desk,
    pub(super) scenario: &'a Scenario,
    pub(super) expected: &'a Expected,
    pub(super) meter: &'a Meter,
}

impl Run<'_> {
    /// Compares, replays, and counts.
    pub(super) async fn report(&self, ended: &[Ended]) -> Result<DemoReport, Failure> {
        let mut report = DemoReport::default();
        let outcomes = pairs(ended, &self.expected.outcomes);
        let outcomes: Vec<_> = outcomes.into_iter().flatten().collect();
        let trades = pairs(&self.scenario.trades, &outcomes).into_iter().flatten();
        report.tally(trades.map(|(trade, (ended, expected))| {
            let outcome = match ended {
                Ended::Settled { .. } => "settled",
                Ended::Refused(code) => code,
            };
            (&trade.trade_id, Some(outcome), **expected)
        }));
        report.latency = latency(ended);
        self.compare_custodians(&mut report).await?;
        let registers = self.compare_registers(&mut report).await?;
        let (logs, fetched) = self.replay(&mut report, &registers).await?;
        for (member, _) in &self.made.members {
            let mut party = self.saw(member).await?;
            if member.role == Role::Regulator {
                // Its replays ran in this process, with its key.
                party.messages_in = party.messages_in.saturating_add(logs);
                party.bytes_in = party.bytes_in.saturating_add(fetched);
            }
            report.parties.push(party);
        }
        Ok(report)
    }

    async fn compare_custodians(&self, report: &mut DemoReport) -> Result<(), Failure> {
        for (member, _) in self.made.members.iter().filter(|(one, _)| one.role == Role::Custodian) {
            let name = member.name.to_string();
            let views = self.desk.node(&name)?.accounts().await?;
            let code =
                |view: &AccountView| self.desk.code_of(&view.asset).unwrap_or_default().to_owned();
            let found: BTreeMap<(String, String), u128> = views
                .iter()
                .map(|view| {
                    let units = view.balance.live.saturating_add(view.balance.locked);
                    ((view.investor.to_string(), code(view)), u128::from(units))
                })
                .collect();
            let own = |account: &Account| {
                self.scenario
                    .custodian_of(&account.investor)
                    .is_some_and(|one| one.as_str() == name)
            };
            self.compare(report, &name, &found, own);
        }
        Ok(())
    }

    async fn compare_registers(
        &self,
        report: &mut DemoReport,
    ) -> Result<BTreeMap<String, Vec<RegisterLine>>, Failure> {
        let mut registers = BTreeMap::new();
        for (code, signed) in self.desk.assets() {
            let registrar = self.desk.name_of(&signed.terms.core.registrar)?;
            let lines = self.desk.node(&registrar)?.register(signed.terms.asset()).await?;
            let found = lines
                .iter()
                .map(|line| ((line.investor.to_string(), code.clone()), line.quantity))
                .collect();
            self.compare(report, &registrar, &found, |account| account.asset.as_str() == code);
            registers.insert(code.clone(), lines);
        }
        Ok(registers)
    }

    /// Compares one party's books with the recomputed positions of the accounts that must stand there.
    fn compare(
        &self,
        report: &mut DemoReport,
        source: &str,
        found: &BTreeMap<(String, String), u128>,
        belongs: impl Fn(&Account) -> bool,
    ) {
        let before = report.mismatches.len();
        let mut compared = 0u64;
        for account in self.scenario.accounts.iter().filter(|account| belongs(account)) {
            let expected = self.expected.positions.get(account).map_or(0, |one| one.atomic_units());
            let key = (account.investor.as_str().to_owned(), account.asset.as_str().to_owned());
            let units = found.get(&key).copied();
            compared = compared.saturating_add(1);
            if units != Some(u128::from(expected)) {
                report.mismatches.push(Mismatch {
                    source: source.to_owned(),
                    investor: key.0,
                    asset: key.1,
                    expected: Some(expected.to_string()),
                    found: units.map(|units| units.to_string()),
                });
            }
        }
        report.positions_compared = report.positions_compared.saturating_add(compared);
        let wrong = report.mismatches.len().saturating_sub(before);
        report.checks.push(Check {
            name: format!("positions at {source}"),
            // A custodian of a network may have no customers.
            held: wrong == 0 && (compared > 0 || found.is_empty()),
            detail: format!("{compared} accounts compared with the recomputation, {wrong} differ"),
        });
    }

    /// The regulator replays every asset's log; what it reads must be the register. Gives logs and bytes fetched.
    async fn replay(
        &self,
        report: &mut DemoReport,
        registers: &BTreeMap<String, Vec<RegisterLine>>,
    ) -> Result<(u64, u64), Failure> {
        let (mut logs, mut fetched) = (0u64, 0u64);
        let regulator = self.made.members.iter().find(|(member, _)| member.role == Role::Regulator);
        let Some((regulator, _)) = regulator else { return Ok((0, 0)) };
        for (code, signed) in self.desk.assets() {
            let connection = self.desk.node(regulator.name.as_str())?;
            let known = Known::default();
            let reading = Reading::Keys;
            let task =
                Task { terms: signed, reading, known, folder: None, at_once: None, out: None };
            let (held, detail) = match replay::run(connection, task, |_| ()).await {
                Ok(replayed) => {
                    logs = logs.saturating_add(1);
                    fetched = fetched.saturating_add(replayed.bytes);
                    self.judge(code, &replayed, registers)
                }
                Err(failure) => (false, failure.to_string()),
            };
            let name = format!("regulator's replay of {code}");
            report.checks.push(Check { name, held, detail });
        }
        Ok((logs, fetched))
    }

    fn judge(
        &self,
        code: &str,
        replayed: &ReplayReport,
        registers: &BTreeMap<String, Vec<RegisterLine>>,
    ) -> (bool, String) {
        let supply = self.expected.supply.iter().find(|(asset, _)| asset.as_str() == code);
        let supply = supply.map_or(0, |(_, amount)| amount.atomic_units());
        let empty = BTreeMap::new();
        let holdings = replayed.holdings.as_ref().unwrap_or(&empty);
        let lines = registers.get(code).map(Vec::as_slice).unwrap_or_default();
        let same = lines.iter().all(|line| {
            let read = holdings.get(&format!("{:?}", line.account)).map(String::as_str);
            read.unwrap_or("0") == line.quantity.to_string()
        });
        let held = replayed.supply == supply.to_string() && replayed.holdings.is_some() && same;
        let detail = format!(
            "legs 0..{} of {}, none missing, none unreadable; supply = {} - {} = {}; register {}",
            replayed.legs,
            replayed.legs,
            replayed.minted,
            replayed.burned,
            replayed.supply,
            if same { "equal" } else { "differs" },
        );
        (held, detail)
    }

    async fn saw(&self, member: &Member) -> Result<PartySaw, Failure> {
        let party = PartySaw {
            name: member.name.to_string(),
            role: member.role.to_string(),
            ..PartySaw::default()
        };
        self.meter.note(&self.desk.status(&party.name).await?);
        let Exchanged { messages_in, bytes_in, messages_out, bytes_out } =
            self.meter.of(&party.name);
        let mut party = PartySaw { messages_in, bytes_in, messages_out, bytes_out, ..party };
        let (saw, never) = fields(member.role);
        party.saw = saw.iter().map(|field| (*field).to_owned()).collect();
        party.never = never.iter().map(|field| (*field).to_owned()).collect();
        Ok(party)
    }
}

/// Checks what the whole network has used: bytes of memory at most, and ms until all nodes answered.
pub(super) fn resources(report: &mut DemoReport, memory: u64, ready_ms: u64) {
    report.check(
        "memory",
        memory > 0 && memory <= MEMORY_MAX,
        format!("{} MiB at most in all nodes together", memory / (1024 * 1024)),
    );
    report.check(
        "ready",
        ready_ms <= READY_MAX_MS,
        format!("all nodes answered within {ready_ms} ms"),
    );
}

/// What the messages to a role carry that it can read, and what none of them carries (protocol section 1; the tests record
/// every frame and search it).
const fn fields(role: Role) -> (&'static [&'static str], &'static [&'static str]) {
    match role {
        Role::Notary => (
            &["commit hashes", "opaque tags", "windows"],
            &["amounts", "assets", "parties", "notes", "legs", "trade data"],
        ),
        Role::Registrar => {
            (&["every leg of its own assets"], &["legs of other assets", "names of persons"])
        }
        Role::Custodian => (
            &["its own customers' notes and trades"],
            &["other customers' trades", "who stands behind a slot", "any earlier transaction"],
        ),
        Role::Regulator => (&["what its keys allow: all fields here"], &["assets without its key"]),
    }
}

fn latency(ended: &[Ended]) -> Option<Latency> {
    let took = ended.iter().filter_map(|one| match one {
        Ended::Settled { latency_ms, .. } => Some(*latency_ms),
        Ended::Refused(_) => None,
    });
    Latency::of(took.collect())
}
