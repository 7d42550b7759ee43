//! Statements about register snapshots, in words.

use serde::Serialize;
use sudare_crypto::proof::statement::Kind;
use sudare_ledger::statement::{Located, Maker, Register, Says, ShownHeading, Sum, Term};

/// What a statement about a register is of.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct RegisterView {
    /// Who made it.
    made_by: &'static str,
    snapshots: Vec<SnapshotView>,
    /// What counts; of a statement of absence the accounts.
    left: Vec<TermView>,
    /// What is taken from it, or what it is a share of.
    right: Vec<TermView>,
}

#[derive(Debug, Serialize)]
struct SnapshotView {
    number: u32,
    at_ms: u64,
    minted: String,
    burned: String,
    supply: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum TermView {
    Account { account: String, snapshot: u32, has_leaf: bool },
    Register { snapshot: u32 },
    Supply { snapshot: u32 },
}

impl RegisterView {
    pub(super) fn of(register: &Register) -> Self {
        let made_by = match register.maker {
            Maker::Custodian => "who holds the accounts' keys",
            Maker::Registrar => "the registrar, or who opened its snapshots",
        };
        let snapshots = &register.snapshots;
        let views =
            |sum: &Sum| sum.terms.iter().map(|term| TermView::of(term, snapshots)).collect();
        let (left, right) = match &register.says {
            Says::Totals { left, right, .. } => (views(left), views(right)),
            Says::Absent(accounts) => {
                let account = |one: &Located| TermView::located(one, snapshots);
                (accounts.iter().map(account).collect(), Vec::new())
            }
        };
        Self { made_by, snapshots: snapshots.iter().map(SnapshotView::of).collect(), left, right }
    }

    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        for SnapshotView { number, at_ms, minted, burned, supply } in &self.snapshots {
            lines.push(format!(
                "register snapshot {number}, taken at {at_ms} ms: minted {minted}, burned {burned}, supply {supply}"
            ));
        }
        for (side, terms) in [("counted", &self.left), ("against", &self.right)] {
            for term in terms {
                if let TermView::Account { account, snapshot, has_leaf } = term {
                    let there = if *has_leaf { "there" } else { "not there, so it holds nothing" };
                    lines
                        .push(format!("{side}: account {account} in snapshot {snapshot}, {there}"));
                }
            }
        }
        lines.push(format!("made by {}", self.made_by));
        lines.join("\n")
    }
}

impl SnapshotView {
    fn of(ShownHeading { heading, .. }: &ShownHeading) -> Self {
        let burned = heading.minted.saturating_sub(heading.supply.into());
        Self {
            number: heading.number,
            at_ms: heading.at,
            minted: heading.minted.to_string(),
            burned: burned.to_string(),
            supply: heading.supply.to_string(),
        }
    }
}

impl TermView {
    fn of(term: &Term, snapshots: &[ShownHeading]) -> Self {
        match term {
            Term::Account(located) => Self::located(located, snapshots),
            Term::Register(here) => Self::Register { snapshot: number(snapshots, *here) },
            Term::Supply(here) => Self::Supply { snapshot: number(snapshots, *here) },
        }
    }

    fn located(located: &Located, snapshots: &[ShownHeading]) -> Self {
        let account = format!("{:?}", located.account);
        let snapshot = number(snapshots, located.snapshot);
        Self::Account { account, snapshot, has_leaf: located.is_there() }
    }
}

/// The statement as a sentence.
pub(super) fn said(register: &Register) -> String {
    let snapshots = &register.snapshots;
    match &register.says {
        Says::Absent(accounts) => {
            let snapshot = accounts.first().map_or(0, |one| number(snapshots, one.snapshot));
            format!(
                "none of {} account(s) is among the holders in snapshot {snapshot}",
                accounts.len()
            )
        }
        Says::Totals { kind, left, right, .. } => {
            let (counted, against) = (total(left, snapshots), total(right, snapshots));
            let clear = i128::from(right.clear).saturating_sub(left.clear.into());
            let bound = |bound: u64| i128::from(bound).saturating_add(clear);
            let less =
                if right.terms.is_empty() { String::new() } else { format!(", less {against},") };
            match kind {
                Kind::AtLeast { bound: least } => {
                    format!("{counted}{less} is at least {}", bound(*least))
                }
                Kind::AtMost { bound: most } => {
                    format!("{counted}{less} is at most {}", bound(*most))
                }
                Kind::Between { low, high } => {
                    format!("{counted}{less} is from {} to {}", bound(*low), bound(*high))
                }
                Kind::Differ { by } => format!("{counted}{less} is exactly {}", bound(*by)),
                Kind::Share { numerator, denominator } => {
                    let with = |sum: &Sum, said: String| match sum.clear {
                        0 => said,
                        clear if sum.terms.is_empty() => format!("{clear} in clear"),
                        clear => format!("{said} and {clear} in clear"),
                    };
                    let (counted, of) = (with(left, counted), with(right, against));
                    format!("{counted} is at least {numerator}/{denominator} of {of}")
                }
            }
        }
    }
}

/// A total in words, without its number in clear.
fn total(sum: &Sum, snapshots: &[ShownHeading]) -> String {
    let mut parts = Vec::new();
    for shown in snapshots {
        let of = shown.heading.number;
        let here = |term: &&Term| match term {
            Term::Account(located) => number(snapshots, located.snapshot) == of,
            Term::Register(_) | Term::Supply(_) => false,
        };
        let accounts = sum.terms.iter().filter(here).count();
        if accounts > 0 {
            parts.push(format!("what {accounts} account(s) held in snapshot {of}"));
        }
    }
    for term in sum.terms.iter() {
        match term {
            Term::Register(here) => {
                parts.push(format!("what all held in snapshot {}", number(snapshots, *here)));
            }
            Term::Supply(here) => {
                parts.push(format!("the supply of snapshot {}", number(snapshots, *here)));
            }
            Term::Account(_) => (),
        }
    }
    parts.join(" and ")
}

/// The number of a statement's snapshot in the log.
fn number(snapshots: &[ShownHeading], here: u8) -> u32 {
    snapshots.get(usize::from(here)).map_or(u32::MAX, |shown| shown.heading.number)
}
