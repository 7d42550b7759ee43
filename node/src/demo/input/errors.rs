//! What is wrong with the input: every error with its file, line and column.

use std::fmt;

use super::fields::{Field, KindName, field};
use super::files::Register;
use super::rows::Row;
use super::{AssetCode, CustodianName, FILE_BYTES_MAX, ROWS_MAX};

/// The most errors that are reported one by one; the rest are counted.
pub const ERRORS_MAX: usize = 1_000;
/// How much of a refused value an error shows, in characters.
const VALUE_CHARS_MAX: usize = 32;

/// Why a set of files is not accepted: every error, file by file in the order of lines.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InputErrors {
    /// The errors, at most [`ERRORS_MAX`].
    pub list: Vec<InputError>,
    /// How many more there are.
    pub unlisted: u64,
}

impl std::error::Error for InputErrors {}

impl fmt::Display for InputErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the input is not accepted; correct every line named here and start again:")?;
        for error in &self.list {
            write!(f, "\n  {error}")?;
        }
        if self.unlisted > 0 {
            write!(f, "\n  and {} more errors", self.unlisted)?;
        }
        Ok(())
    }
}

/// One error of a file.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{file} line {line}{}: {value:?} {reason}; expected {expected}", place(*.column))]
pub struct InputError {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column's name; none for the whole line.
    pub column: Option<&'static str>,
    /// The refused value, shortened.
    pub value: String,
    /// What is wrong with it.
    pub reason: Reason,
    /// What would be right.
    pub expected: &'static str,
}

fn place(column: Option<&str>) -> String {
    column.map(|name| format!(", column {name}")).unwrap_or_default()
}

/// What is wrong with a value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Reason {
    /// Nothing is there.
    #[error("is empty")]
    Empty,
    /// Digits as East Asian keyboards may type them.
    #[error("has full-width digits")]
    FullWidthDigits,
    /// Other full-width letters and signs.
    #[error("has full-width characters")]
    FullWidth,
    /// White space around the value.
    #[error("starts or ends with a space")]
    Space,
    /// Too long.
    #[error("is longer than {0} characters")]
    TooLong(usize),
    /// Characters outside the permitted ones, or too few of them.
    #[error("is not of the permitted form")]
    Form,
    /// Not digits only.
    #[error("is not a whole number")]
    NotANumber,
    /// `007`.
    #[error("has a leading zero")]
    LeadingZero,
    /// Nothing would move.
    #[error("is zero")]
    Zero,
    /// More than a u64.
    #[error("is more than {}", u64::MAX)]
    TooMuch,
    /// Not `YYYY-MM-DD`.
    #[error("is not a date")]
    NotADate,
    /// As in 30 February.
    #[error("is a day that does not exist")]
    NoSuchDay,
    /// A mistyped ISIN.
    #[error("has a wrong check digit, {0} would be right")]
    CheckDigit(u32),
    /// The same row again.
    #[error("is already on line {0}")]
    Duplicate(u64),
    /// The investor is at another custodian on an earlier line.
    #[error("is not the investor's custodian, which is {0}")]
    OtherCustodian(CustodianName),
    /// Too many different ones.
    #[error("is one more than the {0} that are permitted")]
    TooMany(usize),
    /// No account holds this asset.
    #[error("is no asset of the investors file")]
    UnknownAsset,
    /// No such investor.
    #[error("is no investor of the investors file")]
    UnknownInvestor,
    /// The investor has no account in the asset.
    #[error("has no account in this asset in the investors file")]
    NoAccount,
    /// The asset's positions don't fit a u64.
    #[error("makes the sum of the asset's positions more than {}", u64::MAX)]
    Sum,
    /// Security for cash or cash for security.
    #[error("is not of the right kind of asset")]
    Kind,
    /// Both sides are one.
    #[error("is the same investor as from")]
    SameInvestor,
    /// A value where none belongs.
    #[error("is not permitted in a {0}")]
    NotInKind(&'static str),
    /// The header is another.
    #[error("is not the name of this column")]
    Header,
    /// A row has too few or too many fields.
    #[error("has {0} fields")]
    Fields(usize),
    /// The file has a header only.
    #[error("has no rows")]
    NoRows,
    /// The file has too many rows.
    #[error("has more than {ROWS_MAX} rows")]
    Rows,
    /// The file is too long.
    #[error("is longer than {FILE_BYTES_MAX} bytes")]
    Bytes,
    /// The file is not UTF-8 from this line on.
    #[error("is not UTF-8")]
    Encoding,
}

#[derive(Default)]
pub(super) struct Findings {
    pub(super) list: Vec<InputError>,
    pub(super) unlisted: u64,
}

impl Findings {
    pub(super) fn add(
        &mut self,
        file: &str,
        line: u64,
        column: Option<&'static str>,
        value: &str,
        reason: Reason,
        expected: &'static str,
    ) {
        if self.list.len() >= ERRORS_MAX {
            self.unlisted = self.unlisted.saturating_add(1);
            return;
        }
        let (file, value) = (file.to_owned(), shortened(value));
        self.list.push(InputError { file, line, column, value, reason, expected });
    }

    pub(super) fn refuse(
        &mut self,
        row: &Row,
        column: &'static str,
        reason: Reason,
        expected: &'static str,
    ) {
        self.add(&row.file, row.line, Some(column), row.value(column), reason, expected);
    }

    pub(super) fn field<T: Field>(&mut self, row: &Row, column: &'static str) -> Option<T> {
        match field(row.value(column)) {
            Ok(value) => Some(value),
            Err(reason) => {
                self.refuse(row, column, reason, T::EXPECTED);
                None
            }
        }
    }

    pub(super) fn optional<T: Field>(&mut self, row: &Row, column: &'static str) -> Option<T> {
        if row.value(column).is_empty() { None } else { self.field(row, column) }
    }

    pub(super) fn nothing(&mut self, row: &Row, column: &'static str, kind: KindName) {
        if !row.value(column).is_empty() {
            self.refuse(row, column, Reason::NotInKind(kind.text()), "an empty field");
        }
    }

    pub(super) fn check_asset(
        &mut self,
        row: &Row,
        column: &'static str,
        asset: &AssetCode,
        register: Option<&Register>,
    ) {
        if register.is_some_and(|register| !register.assets.contains(asset)) {
            self.refuse(row, column, Reason::UnknownAsset, "an asset that some investor may hold");
        }
    }
}

/// A value as an error may show it: short, and without characters that a terminal would act on.
fn shortened(value: &str) -> String {
    let mut shown = String::new();
    for (index, letter) in value.chars().enumerate() {
        if index == VALUE_CHARS_MAX {
            shown.push('…');
            break;
        }
        let harmless = letter.is_ascii_graphic() || letter == ' ' || letter.is_alphanumeric();
        shown.push(if harmless { letter } else { '\u{fffd}' });
    }
    shown
}
