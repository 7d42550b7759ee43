//! What accounts hold in a register snapshot, in words.

use serde::Serialize;
use sudare_ledger::statement::Holdings;

/// How many lines are shown to people; programs get all.
const LINES_SHOWN: usize = 20;

/// What accounts hold in a snapshot.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct HoldingsView {
    snapshot: u32,
    entry: u64,
    at_ms: u64,
    snapshot_root: String,
    supply: String,
    /// What the accounts shown hold together.
    total: String,
    /// Whether no other account holds anything.
    whole: bool,
    lines: Vec<LineView>,
}

#[derive(Debug, Serialize)]
struct LineView {
    account: String,
    quantity: String,
}

impl HoldingsView {
    pub(super) fn of(holdings: &Holdings) -> Self {
        let heading = &holdings.shown.heading;
        let line = |line: &sudare_ledger::statement::HeldLine| LineView {
            account: format!("{:?}", line.account),
            quantity: line.quantity.to_string(),
        };
        Self {
            snapshot: heading.number,
            entry: holdings.shown.place.entry,
            at_ms: heading.at,
            snapshot_root: heading.root.hash.to_string(),
            supply: heading.supply.to_string(),
            total: holdings.total().to_string(),
            whole: holdings.is_whole(),
            lines: holdings.lines.iter().map(line).collect(),
        }
    }

    pub(super) fn text(&self) -> String {
        let Self { snapshot, entry, at_ms, snapshot_root, supply, lines, .. } = self;
        let mut text = vec![format!(
            "register snapshot {snapshot} in entry {entry}, taken at {at_ms} ms, root {snapshot_root}: supply {supply}"
        )];
        for LineView { account, quantity } in lines.iter().take(LINES_SHOWN) {
            text.push(format!("account {account} holds {quantity}"));
        }
        if lines.len() > LINES_SHOWN {
            let more = lines.len().saturating_sub(LINES_SHOWN);
            text.push(format!("and {more} more: `-o json` shows all"));
        }
        text.join("\n")
    }

    /// The statement as a sentence.
    pub(super) fn said(&self) -> String {
        let (count, Self { snapshot, supply, total, .. }) = (self.lines.len(), self);
        let said = format!(
            "{count} account(s) held {total} of the supply of {supply} in snapshot {snapshot}"
        );
        if self.whole { format!("{said}: the whole register") } else { said }
    }
}
