//! Statements by two custodians, in words.

use serde::Serialize;
use sudare_ledger::statement::{Joint, Part};

/// What a statement by two custodians is of.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct JointView {
    snapshot: u32,
    at_ms: u64,
    by: String,
    left: Vec<AccountView>,
    right: Vec<AccountView>,
}

#[derive(Debug, Serialize)]
struct AccountView {
    account: String,
    has_leaf: bool,
}

impl JointView {
    pub(super) fn of(joint: &Joint) -> Self {
        let heading = &joint.agreed.snapshot.heading;
        let views = |part: &Part| {
            let view = part.accounts.iter().map(|located| AccountView {
                account: format!("{:?}", located.account),
                has_leaf: located.is_there(),
            });
            view.collect()
        };
        Self {
            snapshot: heading.number,
            at_ms: heading.at,
            by: joint.agreed.by.to_string(),
            left: views(&joint.left),
            right: views(&joint.right),
        }
    }

    pub(super) fn text(&self) -> String {
        let mut lines =
            vec![format!("register snapshot {}, taken at {} ms", self.snapshot, self.at_ms)];
        for (side, accounts) in [("counted", &self.left), ("against", &self.right)] {
            for AccountView { account, has_leaf } in accounts {
                let there = if *has_leaf { "there" } else { "not there, so it holds nothing" };
                lines.push(format!("{side}: account {account}, {there}"));
            }
        }
        lines.push("made by two, each with the keys of the accounts on its side".to_owned());
        lines.join("\n")
    }
}

/// The statement as a sentence.
pub(super) fn said(joint: &Joint) -> String {
    let (left, right) = (joint.left.accounts.len(), joint.right.accounts.len());
    let (number, by) = (joint.agreed.snapshot.heading.number, joint.agreed.by);
    format!(
        "what {left} account(s) held in snapshot {number}, less what {right} account(s) of somebody else held, is exactly {by}"
    )
}
