//! What a reconciliation found, as it is kept, signed and read again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::calendar::BusinessDate;

/// The first member of a report's JSON.
const FORMAT: &str = "sudare reconciliation 1";
/// How many reports' counts the trend keeps.
const TREND_MAX: usize = 60;

/// What is wrong between the register and what somebody else says.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum BreakKind {
    /// The view has a row, the register knows the account but not this holding.
    MissingInRegister,
    /// The register has a holding, the view has no row.
    MissingInView,
    /// Both have it and differ.
    Quantity,
    /// The view has an account that the register doesn't know.
    UnknownAccount,
    /// The view has the account and asset more than once, or the register does.
    DuplicateRow,
    /// A sum isn't the one that the ledger proves, or that a view itself declares.
    Total,
    /// A difference that a trade under way explains.
    Timing,
}

impl BreakKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::MissingInRegister,
        Self::MissingInView,
        Self::Quantity,
        Self::UnknownAccount,
        Self::DuplicateRow,
        Self::Total,
        Self::Timing,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MissingInRegister => "missing-in-register",
            Self::MissingInView => "missing-in-view",
            Self::Quantity => "quantity",
            Self::UnknownAccount => "unknown-account",
            Self::DuplicateRow => "duplicate-row",
            Self::Total => "total",
            Self::Timing => "timing",
        }
    }
}

/// How old a break is, in business days.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Bucket {
    /// Of today.
    #[serde(rename = "0")]
    Today,
    /// One day.
    #[serde(rename = "1")]
    One,
    /// Two or three.
    #[serde(rename = "2-3")]
    UpToThree,
    /// Four or five.
    #[serde(rename = "4-5")]
    UpToFive,
    /// Six to ten.
    #[serde(rename = "6-10")]
    UpToTen,
    /// More.
    #[serde(rename = ">10")]
    Older,
}

impl Bucket {
    /// All, youngest first.
    pub const ALL: [Self; 6] =
        [Self::Today, Self::One, Self::UpToThree, Self::UpToFive, Self::UpToTen, Self::Older];

    /// Where an age belongs.
    #[must_use]
    pub const fn of(age: u32) -> Self {
        match age {
            0 => Self::Today,
            1 => Self::One,
            2..=3 => Self::UpToThree,
            4..=5 => Self::UpToFive,
            6..=10 => Self::UpToTen,
            _ => Self::Older,
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Today => "0",
            Self::One => "1",
            Self::UpToThree => "2-3",
            Self::UpToFive => "4-5",
            Self::UpToTen => "6-10",
            Self::Older => ">10",
        }
    }
}

/// What became of a break.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// Somebody must settle it.
    Open,
    /// A trade under way explains it.
    Explained {
        /// Its 取引ID.
        trades: Vec<String>,
    },
    /// Two people have accepted it.
    Accepted(Accepted),
}

/// A difference that two people have accepted: this one and no other.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Accepted {
    /// The break's id; in a report the break itself says it.
    #[serde(skip_serializing)]
    pub id: String,
    /// Its difference, as it was accepted; in a report the break itself says it.
    #[serde(skip_serializing)]
    pub difference: String,
    /// Why.
    pub reason: String,
    /// Who proposed it.
    pub by: String,
    /// Who else approved it.
    pub approved_by: String,
}

/// A break.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Break {
    /// [`Self::id_of`]: the same from report to report.
    pub id: String,
    /// What is wrong.
    pub kind: BreakKind,
    /// Whose view; of the register's own sums, `ledger`.
    pub view: String,
    /// The asset's code.
    pub asset: String,
    /// The account, but of sums.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// What the register says, in atomic units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub register: Option<String>,
    /// What the view says; of sums, what is proved or declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
    /// What the view says less what the register says.
    pub difference: String,
    /// The row of the view, from 1, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub row: Option<usize>,
    /// Since when it is in reports.
    pub first_seen: BusinessDate,
    /// Business days since then.
    pub age: u32,
    /// Where that belongs.
    pub bucket: Bucket,
    /// What became of it.
    #[serde(flatten)]
    pub state: State,
}

impl Break {
    /// The id of a break: 32 hexadecimal digits of SHA-256 over `row`, `duplicate-row` or `total`, view, asset and account,
    /// each ended by a zero byte. A difference keeps it, and with it its age, whatever kind it turns into.
    #[must_use]
    pub fn id_of(kind: BreakKind, view: &str, asset: &str, account: &str) -> String {
        let kind = match kind {
            BreakKind::DuplicateRow | BreakKind::Total => kind.name(),
            _ => "row",
        };
        let mut hash = Sha256::new();
        for part in [kind, view, asset, account] {
            hash = hash.chain_update(part).chain_update([0]);
        }
        hex(&hash.finalize()).chars().take(32).collect()
    }
}

/// How many rows came out how.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Counts {
    /// Rows compared.
    pub compared: usize,
    /// The same on both sides.
    pub matched: usize,
    /// The same within the tolerance.
    pub within_tolerance: usize,
    /// Breaks that are open.
    pub open: usize,
    /// Breaks that trades under way explain.
    pub explained: usize,
    /// Breaks that were accepted.
    pub accepted: usize,
}

/// What one view came to.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ViewSummary {
    /// Whose.
    pub name: String,
    /// Its rows.
    pub rows: usize,
    /// How they came out.
    pub counts: Counts,
}

/// Sums of one asset.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Totals {
    /// The asset's code.
    pub asset: String,
    /// Of the register.
    pub register: String,
    /// What the ledger proves, if it was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven: Option<String>,
    /// By what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven_by: Option<String>,
    /// Of all differences, without their sign.
    pub gross_difference: String,
    /// Of all differences.
    pub net_difference: String,
}

/// Counts of a day, for the trend.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Day {
    /// Which.
    pub as_of: String,
    /// Its counts.
    pub counts: Counts,
}

/// A report.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: &'static str,
    /// As of which day.
    pub as_of: BusinessDate,
    /// The calendar that ages count by.
    pub calendar: String,
    /// The register's rows.
    pub register_rows: usize,
    /// All rows together.
    pub counts: Counts,
    /// Each view.
    pub views: Vec<ViewSummary>,
    /// Each asset.
    pub totals: Vec<Totals>,
    /// All breaks: by asset, view, account, kind.
    pub breaks: Vec<Break>,
    /// Reports before, oldest first, and this one.
    pub trend: Vec<Day>,
    /// SHA-256 of each file that was read, by what it was read as.
    pub sources: BTreeMap<String, String>,
}

impl Report {
    pub(super) const FORMAT: &str = FORMAT;

    /// The report's JSON: what is hashed and signed.
    ///
    /// # Errors
    ///
    /// If it can't be written as JSON.
    pub fn to_json(&self) -> Result<String, ReportError> {
        let text = serde_json::to_string_pretty(self).map_err(|_| ReportError::NotReport)?;
        Ok(text + "\n")
    }

    /// The oldest open break's age in business days.
    #[must_use]
    pub fn oldest(&self) -> u32 {
        let open = self.breaks.iter().filter(|one| one.state == State::Open);
        open.map(|one| one.age).max().unwrap_or(0)
    }

    /// Breaks of a kind that are open.
    #[must_use]
    pub fn open(&self, kind: BreakKind) -> usize {
        self.breaks.iter().filter(|one| one.kind == kind && one.state == State::Open).count()
    }
}

/// Of a report before: which breaks it had since when.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EarlierReport {
    /// Since when, by id.
    pub first_seen: BTreeMap<String, BusinessDate>,
    /// Counts of the days before.
    pub trend: Vec<Day>,
}

/// A break of a report before.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct EarlierBreak {
    /// Its id.
    pub id: String,
    /// Since when.
    pub first_seen: String,
}

impl EarlierReport {
    /// Reads a report's JSON.
    ///
    /// # Errors
    ///
    /// If it isn't one of this version.
    pub fn parse(json: &[u8]) -> Result<Self, ReportError> {
        #[derive(Deserialize)]
        struct Kept {
            format: String,
            breaks: Vec<EarlierBreak>,
            trend: Vec<Day>,
        }
        let kept: Kept = serde_json::from_slice(json).map_err(|_| ReportError::NotReport)?;
        if kept.format != FORMAT {
            return Err(ReportError::NotReport);
        }
        let mut first_seen = BTreeMap::new();
        for one in kept.breaks {
            let date = one.first_seen.parse().map_err(|_| ReportError::NotReport)?;
            first_seen.insert(one.id, date);
        }
        Ok(Self { first_seen, trend: kept.trend })
    }

    /// The trend with a day more.
    pub(super) fn with(&self, as_of: BusinessDate, counts: Counts) -> Vec<Day> {
        let as_of = as_of.to_string();
        let mut trend: Vec<Day> =
            self.trend.iter().filter(|day| day.as_of < as_of).cloned().collect();
        trend.push(Day { as_of, counts });
        trend.drain(..trend.len().saturating_sub(TREND_MAX));
        trend
    }
}

/// A report in short, read from its JSON.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ReportSummary {
    /// As of which day.
    pub as_of: String,
    /// The register's rows.
    pub register_rows: usize,
    /// All rows together.
    pub counts: Counts,
    /// Each asset.
    pub totals: Vec<Totals>,
}

impl ReportSummary {
    /// Reads a report's JSON.
    ///
    /// # Errors
    ///
    /// If it isn't one of this version.
    pub fn parse(json: &[u8]) -> Result<Self, ReportError> {
        #[derive(Deserialize)]
        struct Kept {
            format: String,
            #[serde(flatten)]
            summary: ReportSummary,
        }
        let kept: Kept = serde_json::from_slice(json).map_err(|_| ReportError::NotReport)?;
        if kept.format == FORMAT { Ok(kept.summary) } else { Err(ReportError::NotReport) }
    }
}

/// Why there is no report.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ReportError {
    /// Another file.
    #[error(
        "not a reconciliation's report.json of this version: give the file that `sudare reconcile run` wrote"
    )]
    NotReport,
}

/// Heads of the columns of breaks.
pub(super) const COLUMNS: [&str; 14] = [
    "id",
    "kind",
    "view",
    "asset",
    "account",
    "register",
    "said",
    "difference",
    "row",
    "first_seen",
    "age",
    "bucket",
    "state",
    "note",
];

/// A break's cells below [`COLUMNS`].
pub(super) fn cells(one: &Break) -> [String; 14] {
    let (state, note) = match &one.state {
        State::Open => ("open", String::new()),
        State::Explained { trades } => ("explained", trades.join(" ")),
        State::Accepted(accepted) => {
            ("accepted", format!("{} ({}, {})", accepted.reason, accepted.by, accepted.approved_by))
        }
    };
    [
        one.id.clone(),
        one.kind.name().into(),
        one.view.clone(),
        one.asset.clone(),
        one.account.clone().unwrap_or_default(),
        one.register.clone().unwrap_or_default(),
        one.said.clone().unwrap_or_default(),
        one.difference.clone(),
        one.row.map(|row| row.to_string()).unwrap_or_default(),
        one.first_seen.to_string(),
        one.age.to_string(),
        one.bucket.name().into(),
        state.into(),
        note,
    ]
}

/// All breaks as CSV (RFC 4180), in UTF-8 with a byte-order mark, so that spreadsheets show Japanese. A cell that a spreadsheet
/// would take for a formula gets an apostrophe.
#[must_use]
pub fn to_csv(report: &Report) -> String {
    let quote = |cell: &str| {
        let number = cell
            .strip_prefix('-')
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
        let formula = !number && cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
        let cell = if formula { format!("'{cell}") } else { cell.to_owned() };
        if cell.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", cell.replace('"', "\"\""))
        } else {
            cell
        }
    };
    let line =
        |cells: &[String]| cells.iter().map(|cell| quote(cell)).collect::<Vec<_>>().join(",");
    let mut text = format!("\u{feff}{}\r\n", COLUMNS.join(","));
    for one in &report.breaks {
        text.push_str(&line(&cells(one)));
        text.push_str("\r\n");
    }
    text
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
