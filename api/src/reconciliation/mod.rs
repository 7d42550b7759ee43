#![doc = include_str!("../../../specs/reconciliation.md")]

mod engine;
mod html;
pub mod input;
pub mod pdf;
mod report;
pub mod statement;
#[cfg(test)]
mod tests;
pub mod xlsx;

use std::collections::BTreeMap;

use crate::calendar::{BusinessDate, Calendar};

pub use engine::reconcile;
pub use html::page;
pub use input::InputError;
pub use report::{
    Accepted, Break, BreakKind, Bucket, Counts, EarlierBreak, EarlierReport, Report, ReportError,
    ReportSummary, State, Totals, ViewSummary, to_csv,
};

/// A row of a register, statement or book: what an account holds of an asset.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Holding {
    /// The asset's code.
    pub asset: String,
    /// The investor's pseudonym.
    pub account: String,
    /// Atomic units.
    pub quantity: u64,
}

/// A row of the register, with whom it is held through.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Registered {
    /// What is held.
    pub holding: Holding,
    /// The custodian that keeps the account.
    pub custodian: String,
    /// The partner whose customer the holder is, if not the custodian's own.
    pub partner: Option<String>,
}

/// Which rows of the register somebody's view should have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Covers {
    /// All.
    Register,
    /// Those of a custodian.
    Custodian(String),
    /// Those of a partner's customers.
    Partner(String),
}

/// What somebody else says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct View {
    /// Who says it, for the report.
    pub name: String,
    /// What of the register it should have.
    pub covers: Covers,
    /// Its rows, in its order.
    pub rows: Vec<Holding>,
    /// What it says itself that its rows sum to, by asset.
    pub declared: BTreeMap<String, u128>,
}

/// What the ledger proves of an asset: what was minted less what was burned.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Proven {
    /// The asset's code.
    pub asset: String,
    /// Atomic units.
    pub units: u64,
    /// What proves it, such as a snapshot's entry and root.
    pub by: String,
}

/// A trade that one side may have booked and the other not yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pending {
    /// 取引ID.
    pub trade: String,
    /// The asset's code.
    pub asset: String,
    /// Who delivers or receives.
    pub account: String,
    /// Whether it receives.
    pub receives: bool,
    /// Atomic units.
    pub quantity: u64,
    /// 受渡日.
    pub delivery: BusinessDate,
}

/// What isn't a break, or isn't yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// By asset, how many atomic units a row may differ: none unless it is said. For cash; positions have none.
    pub tolerance: BTreeMap<String, u64>,
    /// For how many business days after its delivery date a trade explains a difference.
    pub timing_days: u32,
}

/// All that is compared.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// As of which day.
    pub as_of: BusinessDate,
    /// By which calendar ages count.
    pub calendar: &'a Calendar,
    /// The register, one row for each account and asset; also those that hold nothing.
    pub register: &'a [Registered],
    /// What others say.
    pub views: &'a [View],
    /// What the ledger proves.
    pub proven: &'a [Proven],
    /// Trades under way.
    pub pending: &'a [Pending],
    /// What isn't a break.
    pub rules: &'a Rules,
    /// The report before, by which breaks have an age.
    pub earlier: &'a EarlierReport,
    /// Differences that two people have accepted.
    pub accepted: &'a [Accepted],
}
