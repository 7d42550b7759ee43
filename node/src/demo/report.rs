//! What the demo tells in the end: as a table for a terminal and as JSON.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use serde::Serialize;

use super::expected::Outcome;
use super::input::{Account, Amount, TradeId};

/// The width of the tables, in characters.
const WIDTH: u16 = 118;

/// What came out of the demo, and whether it is what must come out.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct DemoReport {
    /// How many trades ended in each way, and how many must.
    pub outcomes: Vec<OutcomeRow>,
    /// Trades that ended in another way than they must; should be none.
    pub deviations: Vec<Deviation>,
    /// How fast the day went.
    pub pace: Pace,
    /// How long settled trades took; none if none settled.
    pub latency: Option<Latency>,
    /// What each party did and saw.
    pub parties: Vec<PartySaw>,
    /// What was checked.
    pub checks: Vec<Check>,
    /// How many positions were compared with the recomputed ones.
    pub positions_compared: u64,
    /// Positions that differ from the recomputed ones; should be none.
    pub mismatches: Vec<Mismatch>,
}

/// How fast the trades went, and what that cost.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Pace {
    /// How many trades settled.
    pub settled: u64,
    /// From the first instruction to the last settlement or refusal, ms.
    pub took_ms: u64,
    /// Processor time of each role's nodes since they were started, ms.
    pub cpu_ms: BTreeMap<String, u64>,
    /// How many times a node was killed on purpose.
    pub kills: u64,
}

/// Trades that ended in one way.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct OutcomeRow {
    /// `settled`, or the code of the refusal.
    pub outcome: String,
    /// How many did.
    pub count: u64,
    /// How many must.
    pub expected: u64,
}

/// A trade that ended in another way than it must.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Deviation {
    /// 取引ID.
    pub trade_id: String,
    /// How it ended; none if it did not.
    pub outcome: Option<String>,
    /// How it must.
    pub expected: String,
}

/// How long settled trades took from instruction to settlement, in ms.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Latency {
    /// Half of the trades took no longer.
    pub p50_ms: u64,
    /// 99 of 100 trades took no longer.
    pub p99_ms: u64,
    /// No trade took longer.
    pub max_ms: u64,
}

/// What one party exchanged and could read.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct PartySaw {
    /// Its name in the membership list.
    pub name: String,
    /// Its role.
    pub role: String,
    /// Messages that it received.
    pub messages_in: u64,
    /// Bytes that it received.
    pub bytes_in: u64,
    /// Messages that it sent.
    pub messages_out: u64,
    /// Bytes that it sent.
    pub bytes_out: u64,
    /// Fields that it could read.
    pub saw: Vec<String>,
    /// Fields that it never could.
    pub never: Vec<String>,
}

/// One check of the whole.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Check {
    /// What must hold.
    pub name: String,
    /// Whether it does.
    pub held: bool,
    /// What was found.
    pub detail: String,
}

/// A position that differs from the recomputed one.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Mismatch {
    /// Whose books.
    pub source: String,
    /// Whose position.
    pub investor: String,
    /// Of what.
    pub asset: String,
    /// Atomic units by recomputation, as text; none if there must be no such account.
    pub expected: Option<String>,
    /// Atomic units in the books, as text; none if they have no such account.
    pub found: Option<String>,
}

impl DemoReport {
    /// Counts how the trades ended and lists those that must have ended in another way: one id, the outcome (none if
    /// it did not end) and the expected outcome for each trade.
    pub fn tally<'a>(
        &mut self,
        trades: impl IntoIterator<Item = (&'a TradeId, Option<&'a str>, Outcome)>,
    ) {
        const UNFINISHED: &str = "unfinished";
        let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (trade_id, outcome, expected) in trades {
            let (count, _) = counts.entry(outcome.unwrap_or(UNFINISHED)).or_default();
            *count = count.saturating_add(1);
            let (_, count) = counts.entry(expected.code()).or_default();
            *count = count.saturating_add(1);
            if outcome != Some(expected.code()) {
                self.deviations.push(Deviation {
                    trade_id: trade_id.to_string(),
                    outcome: outcome.map(str::to_owned),
                    expected: expected.to_string(),
                });
            }
        }
        let row = |(outcome, (count, expected)): (&str, _)| OutcomeRow {
            outcome: outcome.to_owned(),
            count,
            expected,
        };
        self.outcomes = counts.into_iter().map(row).collect();
        self.outcomes.sort_by_key(|row| row.outcome != Outcome::Settled.code());
    }

    /// Compares the positions that some party's books show with the recomputed ones that they must show.
    pub fn compare(
        &mut self,
        source: &str,
        expected: &BTreeMap<Account, Amount>,
        found: &BTreeMap<Account, Amount>,
    ) {
        let accounts: BTreeSet<&Account> = expected.keys().chain(found.keys()).collect();
        for account in accounts {
            self.positions_compared = self.positions_compared.saturating_add(1);
            let (expected, found) = (expected.get(account), found.get(account));
            if expected != found {
                self.mismatches.push(Mismatch {
                    source: source.to_owned(),
                    investor: account.investor.to_string(),
                    asset: account.asset.to_string(),
                    expected: expected.map(Amount::to_string),
                    found: found.map(Amount::to_string),
                });
            }
        }
    }

    /// Adds a check.
    pub fn check(&mut self, name: impl Into<String>, held: bool, detail: impl Into<String>) {
        self.checks.push(Check { name: name.into(), held, detail: detail.into() });
    }

    /// Whether the demo did all that it must. Trades not counted, positions not compared and nothing checked is not
    /// success.
    #[must_use]
    pub fn all_held(&self) -> bool {
        let done =
            !self.outcomes.is_empty() && self.positions_compared > 0 && !self.checks.is_empty();
        done && self.deviations.is_empty()
            && self.outcomes.iter().all(|row| row.count == row.expected)
            && self.checks.iter().all(|check| check.held)
            && self.mismatches.is_empty()
    }

    /// The report as text for a terminal, ended by a line that says whether all held.
    #[must_use]
    pub fn table(&self) -> String {
        let mut parts = vec![self.outcome_table()];
        if let Some(Latency { p50_ms, p99_ms, max_ms }) = self.latency {
            parts.push(format!(
                "Settled trades took {p50_ms} ms at the median, {p99_ms} ms at the 99th percentile, {max_ms} ms at most."
            ));
        }
        if self.pace.took_ms > 0 {
            parts.push(self.pace.text());
        }
        if !self.deviations.is_empty() {
            parts.push(self.deviation_table());
        }
        if !self.parties.is_empty() {
            parts.push(self.party_table());
        }
        if !self.checks.is_empty() {
            parts.push(self.check_table());
        }
        parts.push(match self.mismatches.len() {
            0 => format!("{} positions are as recomputed.", self.positions_compared),
            _ => self.mismatch_table(),
        });
        let end =
            if self.all_held() { "All held." } else { "NOT all held: see the lines marked NO." };
        parts.push(end.to_owned());
        parts.join("\n\n") + "\n"
    }

    /// The report as indented JSON.
    ///
    /// # Errors
    ///
    /// [`serde_json::Error`], never in practice: all keys are text and all numbers integers.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    fn outcome_table(&self) -> String {
        let mut table = headed(["Trades", "Count", "Expected", "As expected"]);
        for row in &self.outcomes {
            let as_expected = yes(row.count == row.expected);
            let outcome = Cell::new(match row.outcome.as_str() {
                "settled" | "unfinished" => row.outcome.clone(),
                code => format!("refused: {code}"),
            });
            table.add_row([outcome, number(row.count), number(row.expected), as_expected]);
        }
        table.to_string()
    }

    fn deviation_table(&self) -> String {
        let mut table = headed(["Trade", "Ended", "Expected", "As expected"]);
        for row in &self.deviations {
            let outcome = row.outcome.as_deref().unwrap_or("unfinished");
            table.add_row([
                Cell::new(&row.trade_id),
                Cell::new(outcome),
                Cell::new(&row.expected),
                yes(false),
            ]);
        }
        table.to_string()
    }

    fn party_table(&self) -> String {
        let header =
            ["Party", "Role", "Msgs in", "Bytes in", "Msgs out", "Bytes out", "Saw", "Never saw"];
        let mut table = headed(header);
        for party in &self.parties {
            table.add_row([
                Cell::new(&party.name),
                Cell::new(&party.role),
                number(party.messages_in),
                number(party.bytes_in),
                number(party.messages_out),
                number(party.bytes_out),
                Cell::new(party.saw.join(", ")),
                Cell::new(party.never.join(", ")),
            ]);
        }
        table.to_string()
    }

    fn check_table(&self) -> String {
        let mut table = headed(["Check", "Held", "Found"]);
        for check in &self.checks {
            table.add_row([Cell::new(&check.name), yes(check.held), Cell::new(&check.detail)]);
        }
        table.to_string()
    }

    fn mismatch_table(&self) -> String {
        let mut table = headed(["Books", "Investor", "Asset", "Recomputed", "Found", "Equal"]);
        for row in &self.mismatches {
            let units = |units: &Option<String>| {
                let text = units.as_deref().unwrap_or("no account");
                Cell::new(text).set_alignment(CellAlignment::Right)
            };
            table.add_row([
                Cell::new(&row.source),
                Cell::new(&row.investor),
                Cell::new(&row.asset),
                units(&row.expected),
                units(&row.found),
                yes(false),
            ]);
        }
        table.to_string()
    }
}

impl Pace {
    /// Settled trades per second with one decimal, as text; `-` if no time has passed.
    #[must_use]
    pub fn rate(&self) -> String {
        let tenths = self.settled.saturating_mul(10_000).checked_div(self.took_ms);
        tenths.map_or_else(|| "-".to_owned(), |tenths| format!("{}.{}", tenths / 10, tenths % 10))
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{} trades settled in {} s, {} a second",
            self.settled,
            self.took_ms / 1000,
            self.rate()
        );
        if self.kills > 0 {
            text += &format!("; {} times a node was killed meanwhile", self.kills);
        }
        let cpu = self.cpu_ms.iter().map(|(role, ms)| format!("{role} {} s", ms / 1000));
        let cpu: Vec<String> = cpu.collect();
        format!("{text}. Processor time: {}.", cpu.join(", "))
    }
}

impl Latency {
    /// The latency of settled trades, given in ms in any order; none if there are none. A percentile is the least
    /// value that so many of a hundred don't exceed (nearest rank).
    #[must_use]
    pub fn of(mut took_ms: Vec<u64>) -> Option<Self> {
        took_ms.sort_unstable();
        let max_ms = *took_ms.last()?;
        let rank = |percent: usize| {
            let place = took_ms.len().saturating_mul(percent).div_ceil(100);
            took_ms.get(place.saturating_sub(1)).copied().unwrap_or(max_ms)
        };
        Some(Self { p50_ms: rank(50), p99_ms: rank(99), max_ms })
    }
}

fn headed<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header);
    table
}

fn number(value: u64) -> Cell {
    Cell::new(value).set_alignment(CellAlignment::Right)
}

fn yes(held: bool) -> Cell {
    Cell::new(if held { "yes" } else { "NO" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trade_id(id: &str) -> TradeId {
        id.parse().unwrap()
    }

    fn books(rows: &[(&str, u64)]) -> BTreeMap<Account, Amount> {
        let account = |name: &str| Account {
            investor: name.parse().unwrap(),
            asset: "DJPY".parse().unwrap(),
        };
        rows.iter().map(|(name, units)| (account(name), Amount::new(*units))).collect()
    }

    fn good() -> DemoReport {
        let mut report = DemoReport::default();
        let (first, second) = (trade_id("T-1"), trade_id("T-2"));
        report.tally([
            (&first, Some("overspend"), Outcome::Overspend),
            (&second, Some("settled"), Outcome::Settled),
        ]);
        report.latency = Latency::of(vec![30, 10, 20]);
        report.pace = Pace {
            settled: 1,
            took_ms: 4_000,
            cpu_ms: BTreeMap::from([("notary".to_owned(), 1_500)]),
            kills: 2,
        };
        report.parties.push(PartySaw {
            name: "notary".to_owned(),
            role: "notary".to_owned(),
            messages_in: 4,
            bytes_in: 1234,
            messages_out: 5,
            bytes_out: 567,
            saw: vec!["commit hash".to_owned(), "spend tags".to_owned()],
            never: vec!["amounts".to_owned()],
        });
        report.check("supply is what was opened less what was redeemed", true, "2 assets");
        report.compare("custodian-a", &books(&[("A", 5)]), &books(&[("A", 5)]));
        report
    }

    #[test]
    fn all_hold_only_if_everything_was_done_and_is_as_expected() {
        assert!(good().all_held());
        assert!(!DemoReport::default().all_held());
        let broken: [fn(&mut DemoReport); 8] = [
            |report| report.check("another", false, "no"),
            |report| report.checks.clear(),
            |report| report.outcomes.clear(),
            |report| report.positions_compared = 0,
            |report| report.outcomes[0].count += 1,
            |report| report.compare("b", &books(&[("A", 5)]), &books(&[("A", 6)])),
            |report| report.compare("b", &books(&[("A", 5)]), &books(&[])),
            |report| report.compare("b", &books(&[]), &books(&[("A", 5)])),
        ];
        for (number, breaks) in broken.iter().enumerate() {
            let mut report = good();
            breaks(&mut report);
            assert!(!report.all_held(), "case {number}");
            assert!(report.table().ends_with("NOT all held: see the lines marked NO.\n"));
        }
    }

    #[test]
    fn two_trades_that_swap_their_outcomes_are_found_although_the_counts_agree() {
        let mut report = good();
        let (first, second) = (trade_id("T-1"), trade_id("T-2"));
        report.tally([
            (&first, Some("settled"), Outcome::Overspend),
            (&second, Some("overspend"), Outcome::Settled),
        ]);
        assert!(report.outcomes.iter().all(|row| row.count == row.expected));
        assert!(!report.all_held());
        assert_eq!(report.deviations.len(), 2);
    }

    #[test]
    fn a_trade_that_did_not_end_is_shown_as_unfinished() {
        let mut report = good();
        report.tally([(&trade_id("T-9"), None, Outcome::Settled)]);
        assert!(!report.all_held());
        assert!(report.table().contains("unfinished"));
    }

    #[test]
    fn percentiles_are_nearest_ranks() {
        assert_eq!(Latency::of(Vec::new()), None);
        assert_eq!(Latency::of(vec![7]), Some(Latency { p50_ms: 7, p99_ms: 7, max_ms: 7 }));
        let hundred = (1..=100).rev().collect();
        assert_eq!(Latency::of(hundred), Some(Latency { p50_ms: 50, p99_ms: 99, max_ms: 100 }));
    }

    #[test]
    fn the_table_says_what_happened_who_saw_what_and_what_held() {
        let table = good().table();
        let squeezed = table.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            "│ settled ┆ 1 ┆ 1 ┆ yes │",
            "│ refused: overspend ┆ 1 ┆ 1 ┆ yes │",
            "took 20 ms at the median, 30 ms at the 99th percentile, 30 ms at most.",
            "1 trades settled in 4 s, 0.2 a second; 2 times a node was killed meanwhile. Processor time: notary 1 s.",
            "│ notary ┆ notary ┆ 4 ┆ 1234 ┆ 5 ┆ 567 ┆ commit hash, spend tags ┆ amounts │",
            "│ supply is what was opened less what was redeemed ┆ yes ┆ 2 assets │",
            "1 positions are as recomputed.",
            "All held.",
        ] {
            assert!(squeezed.contains(part), "{part} in\n{table}");
        }
        let widest = table.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(WIDTH.into()), "{widest:?}");
    }

    #[test]
    fn json_carries_everything_with_quantities_as_text() {
        let mut report = good();
        report.compare("b", &books(&[("A", u64::MAX)]), &books(&[]));
        let json: serde_json::Value = serde_json::from_str(&report.json().unwrap()).unwrap();
        assert_eq!(json["outcomes"][0]["outcome"], "settled");
        assert_eq!(json["latency"]["p99_ms"], 30);
        assert_eq!(json["parties"][0]["saw"][1], "spend tags");
        assert_eq!(json["checks"][0]["held"], true);
        assert_eq!(json["mismatches"][0]["expected"], "18446744073709551615");
        assert_eq!(json["mismatches"][0]["found"], serde_json::Value::Null);
    }
}
