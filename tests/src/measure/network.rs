//! Settled transfers a second on a network of processes on this machine, beside the limit that proving and checking set.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sudare::cli::Failure;
use sudare::clock::now_ms;
use sudare::demo::input::{AssetKind, AssetSpec};
use sudare::demo::processes::{self, Processes};
use sudare::demo::report::Latency;
use sudare::demo::setup::{Desk, Opening, text, trade};
use sudare::membership::MemberName;
use sudare::network::{self, Made, Planned};
use sudare::operator::{OperatorAnswer, OperatorQuery};
use sudare_crypto::Text;
use sudare_disclosure::AssetId;
use sudare_ledger::custodian::{Instruction, Movement, Side, TradeState};
use sudare_ledger::role::Role;
use tokio::task::JoinSet;

use super::clock::float;
use super::cpu::{self, Usage};
use super::leg::Cost;
use super::report::cores;
use super::{Failed, Report, Topic};

const ASSET: &str = "MEASURED";
const REGISTRAR: &str = "registrar";
const REGULATOR: &str = "regulator";
const CUSTODIANS: u64 = 3;
/// Accounts a custodian that receive.
const RECEIVERS: u64 = 16;
/// Transfers before the measured ones.
const WARM_UP: u64 = 12;
/// Transfers under way at a time, at full load.
const IN_FLIGHT: u64 = 24;
/// Every sender has two notes of this value...
const POSITION: u64 = 1_000_000;
/// ...and pays this: both notes go in, payment and change come out, as in the leg that the limit is computed from.
const QUANTITY: u64 = 1_500_000;
/// How long no transfer may settle.
const STALL: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(10);
const VALID_MS: u64 = 600_000;

/// Measures the topic.
pub(super) fn run(quick: bool) -> Result<Report, Failed> {
    let program = program()?;
    let transfers = if quick { 60 } else { 400 };
    // At half load.
    let paced = transfers / 2;
    let cost = Cost::measure(if quick { 7 } else { 41 })?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build();
    let runtime = runtime.map_err(|error| Failed::Wrong(error.to_string()))?;
    let load = runtime.block_on(on_a_network(&program, transfers, paced))?;

    let leg_us = cost.prove_us + cost.verify_us;
    let bound = float(cores()) * 1e6 / leg_us;
    let settled = float(transfers) * 1_000.0 / float(load.took_ms.max(1));
    let title = format!(
        "{transfers} transfers, one leg of two inputs and two outputs each, between {CUSTODIANS} custodians; {} processes on this machine",
        load.processes
    );
    let mut report = Report::new(Topic::Network, title);
    report.value("settled_per_s", settled, "1/s", "settled in all books");
    report.value(
        "bound_per_s",
        bound,
        "1/s",
        "cores / leg_us: the cores prove and check, and nothing else",
    );
    report.value("share_of_bound", settled / bound, "", "settled_per_s / bound_per_s");
    report.value(
        "leg_us",
        leg_us,
        "us",
        "CPU time to build a leg and to check it once more, same run",
    );
    report.value(
        "p50_ms",
        float(load.latency.p50_ms),
        "ms",
        "instruction to settled on both sides",
    );
    report.value("p99_ms", float(load.latency.p99_ms), "ms", "the same");
    let bytes = float(load.bytes) / float(transfers);
    report.value(
        "bytes_per_transfer",
        bytes,
        "B",
        "all frames between all nodes, responses included",
    );
    add_costs(&mut report, &load, transfers, leg_us);
    let half = "the same, with transfers begun at half of settled_per_s";
    report.value("half_p50_ms", float(load.half.p50_ms), "ms", half);
    report.value("half_p99_ms", float(load.half.p99_ms), "ms", half);
    report.value(
        "cpu_elsewhere",
        load.elsewhere,
        "",
        "part of the cores that other programs took meanwhile",
    );
    report.value("in_flight", float(IN_FLIGHT), "", "transfers under way at a time");
    report.value("transfers", float(transfers), "", "measured, after a few to warm up");
    Ok(report)
}

/// CPU time and memory of the nodes, all and by role.
fn add_costs(report: &mut Report, load: &Load, transfers: u64, leg_us: f64) {
    let cpu_ms = |role: Role| {
        let zero = cpu::Processes::default();
        let after = load.after.get(&role).unwrap_or(&zero);
        after.cpu_ms(load.before.get(&role).unwrap_or(&zero)) / float(transfers)
    };
    let all: f64 = ROLES.iter().map(|(role, ..)| cpu_ms(*role)).sum();
    report.value("cpu_ms_per_transfer", all, "ms", "CPU time of all nodes, a transfer");
    for (role, key, _) in ROLES {
        report.value(key, cpu_ms(role), "ms", format!("of every {role}"));
    }
    let share = leg_us / 1e3 / all;
    report.value("leg_share", share, "", "leg_us / cpu_ms_per_transfer: proofs in that CPU time");
    for (role, _, key) in ROLES {
        let memory = |usage: &ByRole| usage.get(&role).map_or(0, |one| one.memory);
        let (before, after) = (memory(&load.before) >> 20, memory(&load.after) >> 20);
        let what = format!("memory of every {role} at the end; {before} before the transfers");
        report.value(key, float(after), "MiB", what);
    }
}

/// Processes by role.
type ByRole = BTreeMap<Role, cpu::Processes>;

/// Roles, with the keys of their CPU time and memory.
const ROLES: [(Role, &str, &str); 4] = [
    (Role::Custodian, "cpu_ms_custodians", "rss_mb_custodians"),
    (Role::Registrar, "cpu_ms_registrar", "rss_mb_registrar"),
    (Role::Notary, "cpu_ms_notary", "rss_mb_notary"),
    (Role::Regulator, "cpu_ms_regulator", "rss_mb_regulator"),
];

/// What the network did.
struct Load {
    took_ms: u64,
    latency: Latency,
    /// At half load.
    half: Latency,
    bytes: u64,
    before: ByRole,
    after: ByRole,
    /// The part of all cores that other programs took.
    elsewhere: f64,
    processes: usize,
}

/// The release program beside this one.
fn program() -> Result<PathBuf, Failed> {
    let own = std::env::current_exe().map_err(|error| Failed::Wrong(error.to_string()))?;
    let program = own.with_file_name("sudare");
    let release = "cargo build --release -p sudare";
    let command = if cfg!(debug_assertions) { "cargo build -p sudare" } else { release };
    if program.is_file() { Ok(program) } else { Err(Failed::NotBuilt { program, command }) }
}

/// Makes a network, runs it, and stops it whatever happens.
async fn on_a_network(program: &Path, transfers: u64, paced: u64) -> Result<Load, Failed> {
    let folder = tempfile::tempdir().map_err(|error| Failed::Wrong(error.to_string()))?;
    let made = made(&folder.path().join("network"))?;
    let mut processes = Processes::of(&made).with_program(program);
    let result = tokio::select! {
        result = measured(&made, &mut processes, transfers, paced) => result,
        _ = tokio::signal::ctrl_c() => Err(Failed::Wrong("stopped; nothing is left running".into())),
    };
    processes.stop().await;
    result
}

fn made(folder: &Path) -> Result<Made, Failed> {
    let mut plan = Vec::new();
    let custodians = (0..CUSTODIANS).map(|number| (custodian(number), Role::Custodian));
    let others =
        [("notary", Role::Notary), (REGISTRAR, Role::Registrar), (REGULATOR, Role::Regulator)];
    let others = others.into_iter().map(|(name, role)| (name.to_owned(), role));
    for (name, role) in others.chain(custodians) {
        let name = MemberName::new(&name).map_err(|error| Failed::Wrong(error.to_string()))?;
        plan.push(Planned { name, role, address: None });
    }
    Ok(network::init(folder, &plan, now_ms()).map_err(Failure::from)?)
}

async fn measured(
    made: &Made,
    processes: &mut Processes,
    transfers: u64,
    paced: u64,
) -> Result<Load, Failed> {
    processes.start()?;
    processes.ready().await?;
    let mut desk = Desk::open(made)?;
    let spec = AssetSpec {
        code: ASSET.into(),
        name: "a security that is measured".into(),
        unit: "unit".into(),
        decimals: 0,
        kind: AssetKind::Security,
    };
    desk.open_asset(&spec, REGISTRAR, REGULATOR).await?;
    let (accounts, openings) = holders(transfers.saturating_add(paced).saturating_add(WARM_UP));
    desk.add_accounts(&accounts).await?;
    desk.issue(&openings, |_| ()).await?;

    let desk = Arc::new(desk);
    drive(&desk, 0..WARM_UP, Duration::ZERO).await?;
    ended(&desk, 0..WARM_UP).await?;
    let bytes_before = traffic(processes).await?;
    let (cpu_before, before) = (usage(made)?, by_role(made)?);
    let numbers = WARM_UP..WARM_UP.saturating_add(transfers);
    drive(&desk, numbers.clone(), Duration::ZERO).await?;
    let (cpu, after) = (usage(made)?, by_role(made)?);
    let (took_ms, latency) = ended(&desk, numbers.clone()).await?;
    let bytes = traffic(processes).await?.saturating_sub(bytes_before);
    let pace = Duration::from_millis(took_ms.saturating_mul(2) / transfers.max(1));
    let numbers = numbers.end..numbers.end.saturating_add(paced);
    drive(&desk, numbers.clone(), pace).await?;
    let (_, half) = ended(&desk, numbers).await?;
    processes.watch()?;
    Ok(Load {
        took_ms,
        latency,
        half,
        bytes,
        before,
        after,
        elsewhere: cpu.elsewhere(&cpu_before),
        processes: processes.nodes().len(),
    })
}

/// A sender of its own for every transfer, with two notes, and some receivers a custodian.
fn holders(transfers: u64) -> (Vec<(String, String, String)>, Vec<Opening>) {
    let account = |home: u64, investor: String| (custodian(home), ASSET.to_owned(), investor);
    let receivers = (0..CUSTODIANS * RECEIVERS).map(|number| account(number, receiver(number)));
    let mut accounts: Vec<_> = receivers.collect();
    let mut openings = Vec::new();
    for number in 0..transfers {
        accounts.push(account(number, sender(number)));
        let opening = Opening {
            asset: ASSET.into(),
            investor: sender(number),
            custodian: custodian(number),
            quantity: POSITION,
        };
        openings.extend([opening.clone(), opening]);
    }
    (accounts, openings)
}

/// Instructs transfers, [`IN_FLIGHT`] at a time and one each `pace` at most, until all are in the asset log. The log's length
/// is all that is asked meanwhile.
async fn drive(desk: &Arc<Desk>, numbers: Range<u64>, pace: Duration) -> Result<(), Failed> {
    let asset = desk.terms(ASSET)?.terms.asset();
    let (begin, count) = (entries(desk, asset).await?, numbers.end.saturating_sub(numbers.start));
    let (mut begun, mut settled) = (0u64, 0u64);
    let mut instructing: JoinSet<Result<(), Failure>> = JoinSet::new();
    let start = tokio::time::Instant::now();
    let (mut deadline, mut next) = (start + STALL, start);
    while settled < count {
        while begun < count
            && begun.saturating_sub(settled) < IN_FLIGHT
            && next <= tokio::time::Instant::now()
        {
            next += pace;
            let (desk, number) = (Arc::clone(desk), numbers.start.saturating_add(begun));
            instructing.spawn(async move { instruct(&desk, asset, number).await });
            begun = begun.saturating_add(1);
        }
        while let Some(joined) = instructing.try_join_next() {
            joined.map_err(|error| Failed::Wrong(error.to_string()))??;
        }
        tokio::time::sleep(POLL).await;
        let now = entries(desk, asset).await?.saturating_sub(begin);
        if now > settled {
            deadline = tokio::time::Instant::now() + STALL;
        } else if tokio::time::Instant::now() > deadline {
            return Err(Failed::Wrong(format!("only {now} of {count} transfers settle")));
        }
        settled = now;
    }
    Ok(())
}

/// Both sides of a transfer, the receiver's first.
async fn instruct(desk: &Desk, asset: AssetId, number: u64) -> Result<(), Failure> {
    let (from, to) = (custodian(number), custodian(number.saturating_add(1)));
    let id = trade_id(number)?;
    let movement = |investor: &str| -> Result<Movement, Failure> {
        Ok(Movement { asset, investor: text(investor)?, quantity: QUANTITY })
    };
    let mut receive = trade(desk.id(&from)?, Side::Counterparty, &id, VALID_MS)?;
    receive.receive = Some(movement(&receiver(number.saturating_add(1)))?);
    desk.node(&to)?.instruct(&Instruction::Trade(Box::new(receive))).await?;
    let mut deliver = trade(desk.id(&to)?, Side::Initiator, &id, VALID_MS)?;
    deliver.deliver = Some(movement(&sender(number))?);
    desk.node(&from)?.instruct(&Instruction::Trade(Box::new(deliver))).await?;
    Ok(())
}

/// How many entries the asset's log has.
async fn entries(desk: &Desk, asset: AssetId) -> Result<u64, Failed> {
    let answer = desk.node(REGISTRAR)?.query(&OperatorQuery::Assets).await?;
    let OperatorAnswer::Assets(lines) = answer else {
        return Err(Failed::Wrong("the registrar answered something else".into()));
    };
    let line = lines.into_iter().find(|line| line.terms.terms.asset() == asset);
    let totals = line.and_then(|line| line.register);
    totals.map(|totals| totals.entries).ok_or_else(|| Failed::Wrong("the asset is gone".into()))
}

/// Waits until both sides of all transfers have settled; gives the time from the first instruction to the last settlement, by
/// the nodes' clocks, and how long each took.
async fn ended(desk: &Desk, numbers: Range<u64>) -> Result<(u64, Latency), Failed> {
    let (mut first, mut last, mut took) = (u64::MAX, 0u64, BTreeMap::new());
    let deadline = tokio::time::Instant::now() + STALL;
    for number in numbers {
        let id = trade_id(number)?;
        for home in [number, number.saturating_add(1)] {
            let view = loop {
                let views = desk.trade(&custodian(home), &id).await?;
                let view = views.into_iter().next();
                match view {
                    Some(view) if view.state == TradeState::Settled => break view,
                    Some(view) if view.state.is_ended() => {
                        return Err(Failed::Wrong(format!("transfer {number}: {:?}", view.reason)));
                    }
                    _ if tokio::time::Instant::now() > deadline => {
                        return Err(Failed::Wrong(format!("transfer {number} does not settle")));
                    }
                    _ => tokio::time::sleep(POLL).await,
                }
            };
            (first, last) = (first.min(view.begun), last.max(view.since));
            let longest = took.entry(number).or_insert(0u64);
            *longest = (*longest).max(view.since.saturating_sub(view.begun));
        }
    }
    let latency = Latency::of(took.into_values().collect());
    let latency = latency.ok_or_else(|| Failed::Wrong("nothing was settled".into()))?;
    Ok((last.saturating_sub(first), latency))
}

/// Bytes that all nodes have sent to each other, frames of operators left out.
async fn traffic(processes: &Processes) -> Result<u64, Failed> {
    let mut bytes = 0u64;
    for node in processes.nodes() {
        let status = node.status().await?;
        let peers = status.traffic.iter().filter(|line| line.peer.as_str() != node.name);
        bytes = peers.fold(bytes, |sum, line| sum.saturating_add(line.bytes_out));
    }
    Ok(bytes)
}

/// CPU time and memory of the nodes of each role.
fn by_role(made: &Made) -> Result<ByRole, Failed> {
    let mut roles = ByRole::new();
    for (name, pid) in running(made) {
        let role = match name.as_str() {
            "notary" => Role::Notary,
            REGISTRAR => Role::Registrar,
            REGULATOR => Role::Regulator,
            _ => Role::Custodian,
        };
        roles.entry(role).or_default().add(pid)?;
    }
    Ok(roles)
}

/// CPU time of all nodes so far.
fn usage(made: &Made) -> Result<Usage, Failed> {
    Usage::now(running(made).into_values())
}

/// The nodes' processes, by name.
fn running(made: &Made) -> BTreeMap<String, u32> {
    let mut folders = made.members.iter().filter_map(|(_, config)| config.parent()?.parent());
    let folder = folders.next().unwrap_or(Path::new("."));
    processes::running(folder)
}

fn custodian(number: u64) -> String {
    format!("custodian-{}", number % CUSTODIANS)
}

fn sender(number: u64) -> String {
    format!("sender-{number:05}")
}

/// A receiver at the custodian with this number.
fn receiver(number: u64) -> String {
    format!("receiver-{:02}", number % (CUSTODIANS * RECEIVERS))
}

fn trade_id(number: u64) -> Result<Text<35>, Failure> {
    text(&format!("T-{number:06}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_transfer_has_a_sender_with_two_notes_and_a_receiver_at_another_custodian() {
        let (accounts, openings) = holders(100);
        for number in 0..100 {
            let own = |name: String, home: u64| {
                accounts.contains(&(custodian(home), ASSET.to_owned(), name))
            };
            assert!(own(sender(number), number));
            assert!(own(receiver(number + 1), number + 1));
            assert_ne!(custodian(number), custodian(number + 1));
            let notes = openings.iter().filter(|one| one.investor == sender(number));
            let values: Vec<u64> = notes.map(|one| one.quantity).collect();
            assert_eq!(values.len(), 2);
            assert!(values[0] < QUANTITY && QUANTITY < values.iter().sum());
        }
    }
}
