//! Files that are compared: CSV tables, and statements as semt.002.

use std::collections::BTreeMap;

use thiserror::Error;

use super::{Holding, Pending, Registered};
use crate::calendar::BusinessDate;

/// The longest table in bytes.
pub const TABLE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most rows of a table or statement.
pub const ROWS_MAX: usize = 1_000_000;
/// The longest code, pseudonym, name or 取引ID in characters.
const NAME_CHARS_MAX: usize = 35;

/// Columns of the register.
const REGISTER: &str = "asset,account,custodian,partner,quantity";
/// Columns of a view.
const VIEW: &str = "asset,account,quantity";
/// Columns of trades under way.
const PENDING: &str = "trade_id,asset,account,direction,quantity,delivery_date";

/// Why a file can't be compared.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum InputError {
    /// More than a file may have.
    #[error("more than {ROWS_MAX} rows or {TABLE_BYTES_MAX} bytes: split it by asset")]
    TooLong,
    /// Another header.
    #[error("the first line must be `{0}`, in UTF-8")]
    Header(&'static str),
    /// A row.
    #[error("row {row}, {column}: {what}")]
    Row {
        /// From 1, without the header.
        row: usize,
        /// Its name.
        column: &'static str,
        /// What it should be.
        what: &'static str,
    },
    /// A statement's page.
    #[error("page {page} of the statement: {what}")]
    Page {
        /// From 1, in the order given.
        page: usize,
        /// What is wrong.
        what: &'static str,
    },
}

/// The register: `asset,account,custodian,partner,quantity`, one row for each account and asset, also those that hold nothing.
///
/// # Errors
///
/// The first row that isn't of this form.
pub fn register(bytes: &[u8]) -> Result<Vec<Registered>, InputError> {
    table(bytes, REGISTER, |row| {
        Ok(Registered {
            holding: Holding {
                asset: row.name(0, "asset")?,
                account: row.name(1, "account")?,
                quantity: row.units(4, "quantity")?,
            },
            custodian: row.name(2, "custodian")?,
            partner: row
                .cell(3)
                .is_some_and(|cell| !cell.is_empty())
                .then(|| row.name(3, "partner"))
                .transpose()?,
        })
    })
}

/// A view: `asset,account,quantity`.
///
/// # Errors
///
/// The first row that isn't of this form.
pub fn view(bytes: &[u8]) -> Result<Vec<Holding>, InputError> {
    table(bytes, VIEW, |row| {
        Ok(Holding {
            asset: row.name(0, "asset")?,
            account: row.name(1, "account")?,
            quantity: row.units(2, "quantity")?,
        })
    })
}

/// Trades under way: `trade_id,asset,account,direction,quantity,delivery_date`, `direction` being `in` or `out`.
///
/// # Errors
///
/// The first row that isn't of this form.
pub fn pending(bytes: &[u8]) -> Result<Vec<Pending>, InputError> {
    table(bytes, PENDING, |row| {
        let receives = match row.cell(3) {
            Some("in") => true,
            Some("out") => false,
            _ => return Err(row.wrong("direction", "must be `in` or `out`")),
        };
        let delivery: Option<BusinessDate> = row.cell(5).and_then(|cell| cell.parse().ok());
        Ok(Pending {
            trade: row.name(0, "trade_id")?,
            asset: row.name(1, "asset")?,
            account: row.name(2, "account")?,
            receives,
            quantity: row.units(4, "quantity")?,
            delivery: delivery.ok_or_else(|| row.wrong("delivery_date", "must be YYYY-MM-DD"))?,
        })
    })
}

/// The register as [`register`] reads it.
#[must_use]
pub fn register_csv(rows: &[Registered]) -> String {
    let cells = rows.iter().map(|Registered { holding, custodian, partner }| {
        let partner = partner.clone().unwrap_or_default();
        let Holding { asset, account, quantity } = holding.clone();
        [asset, account, custodian.clone(), partner, quantity.to_string()]
    });
    lines(REGISTER, cells)
}

/// A view as [`view`] reads it.
#[must_use]
pub fn view_csv(rows: &[Holding]) -> String {
    let cells = rows.iter().map(|Holding { asset, account, quantity }| {
        [asset.clone(), account.clone(), quantity.to_string()]
    });
    lines(VIEW, cells)
}

/// Trades under way as [`pending`] reads them.
#[must_use]
pub fn pending_csv(rows: &[Pending]) -> String {
    let cells = rows.iter().map(|one| {
        let direction = if one.receives { "in" } else { "out" }.to_owned();
        let (quantity, delivery) = (one.quantity.to_string(), one.delivery.to_string());
        let (trade, asset, account) = (one.trade.clone(), one.asset.clone(), one.account.clone());
        [trade, asset, account, direction, quantity, delivery]
    });
    lines(PENDING, cells)
}

/// Rows under their columns. Names hold no line breaks, so quotes are needed only for commas and quotes.
fn lines<const COLUMNS: usize>(
    columns: &str,
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> String {
    let mut text = format!("{columns}\n");
    for row in rows {
        let cells = row.map(|cell| {
            let quoted = cell.contains([',', '"']);
            if quoted { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
        });
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text
}

/// A row under its number.
struct Row<'a> {
    number: usize,
    record: &'a csv::StringRecord,
}

impl Row<'_> {
    fn cell(&self, column: usize) -> Option<&str> {
        self.record.get(column)
    }

    fn wrong(&self, column: &'static str, what: &'static str) -> InputError {
        InputError::Row { row: self.number, column, what }
    }

    fn name(&self, column: usize, name: &'static str) -> Result<String, InputError> {
        let cell = self.cell(column).filter(|cell| is_name(cell));
        let wrong = || {
            self.wrong(
                name,
                "must be 1 to 35 characters, none of them a blank or control character",
            )
        };
        cell.map(str::to_owned).ok_or_else(wrong)
    }

    fn units(&self, column: usize, name: &'static str) -> Result<u64, InputError> {
        let digits = |cell: &&str| {
            let digits = !cell.is_empty() && cell.bytes().all(|byte| byte.is_ascii_digit());
            digits && (*cell == "0" || !cell.starts_with('0'))
        };
        let cell = self.cell(column).filter(digits).and_then(|cell| cell.parse().ok());
        cell.ok_or_else(|| {
            self.wrong(name, "must be atomic units: digits without leading zeros, below 2^64")
        })
    }
}

pub(super) fn is_name(text: &str) -> bool {
    let count = text.chars().count();
    let good = |char: char| !char.is_control() && !char.is_whitespace();
    (1..=NAME_CHARS_MAX).contains(&count) && text.chars().all(good)
}

fn table<T>(
    bytes: &[u8],
    header: &'static str,
    read: impl Fn(&Row<'_>) -> Result<T, InputError>,
) -> Result<Vec<T>, InputError> {
    if bytes.len() > TABLE_BYTES_MAX {
        return Err(InputError::TooLong);
    }
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let found = reader.headers().map_err(|_| InputError::Header(header))?;
    if !found.iter().eq(header.split(',')) {
        return Err(InputError::Header(header));
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let number = rows.len().saturating_add(1);
        if number > ROWS_MAX {
            return Err(InputError::TooLong);
        }
        let torn = InputError::Row {
            row: number,
            column: "all",
            what: "must have as many cells as the header, in UTF-8",
        };
        let record = record.map_err(|_| torn)?;
        rows.push(read(&Row { number, record: &record })?);
    }
    Ok(rows)
}

/// Sums by asset that a statement declares.
pub type Declared = BTreeMap<String, u128>;
