//! Files of rows: what a file is for, and its text as rows.

mod sheet;

use std::fmt;

pub use self::sheet::{Line, Sheet, SheetError};
use crate::masters::{Field, Form, Kind};

/// The longest file, in bytes.
pub const FILE_BYTES_MAX: i64 = 8 * 1024 * 1024;
/// The longest part of a file that one request brings, in bytes.
pub const PART_BYTES_MAX: usize = 1024 * 1024;
/// The most rows of a file.
pub const ROWS_MAX: usize = 20_000;

/// What becomes of a file in which some rows are wrong: table 15's processing class.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// No row is made.
    All,
    /// The others are made.
    Rows,
}

/// Where a file stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Status {
    /// Parts are still to come.
    Receiving,
    /// It is whole, and its rows are being made.
    Working,
    /// Every row was made, or the class lets others be refused.
    Done,
    /// Nothing was made.
    Refused,
}

/// Why nothing was made of a file, or not all.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// All rows were made.
    Complete,
    /// Some rows were made, others refused.
    Partial,
    /// Rows are wrong; each says why.
    Rows,
    /// The bytes aren't those that were announced.
    OtherHash,
    /// It isn't CSV in UTF-8 with a heading of the target's fields.
    Form,
    /// It has no rows, or too many.
    Count,
    /// Parts stopped coming.
    Abandoned,
}

/// What a client says of a file before it brings it.
pub(crate) const ANNOUNCE: &[Field] = &[
    Field::needs(
        "target",
        Form::Choice(&TARGETS),
        "the kind of rows, by the last segment of their path",
    ),
    Field::needs(
        "class",
        Form::Choice(&["all", "rows"]),
        "`all`: all rows or none; `rows`: each row that is right",
    ),
    Field::needs("size", Form::Quantity, "bytes of the file, up to 8388608"),
    Field::needs("sha256", Form::Sha256, "SHA-256 of the file"),
    Field::needs("file_at", Form::Instant, "when the file was made"),
];

const TARGETS: [&str; Kind::ALL.len()] = {
    let [a, b, c, d, e, f, g, h, i] = Kind::ALL;
    [a.path(), b.path(), c.path(), d.path(), e.path(), f.path(), g.path(), h.path(), i.path()]
};

impl Class {
    /// Both.
    pub const ALL: [Self; 2] = [Self::All, Self::Rows];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Rows => "rows",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Receiving, Self::Working, Self::Done, Self::Refused];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receiving => "receiving",
            Self::Working => "working",
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Complete,
        Self::Partial,
        Self::Rows,
        Self::OtherHash,
        Self::Form,
        Self::Count,
        Self::Abandoned,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Rows => "rows",
            Self::OtherHash => "other-hash",
            Self::Form => "form",
            Self::Count => "count",
            Self::Abandoned => "abandoned",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A file as its row says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Import {
    /// Its id.
    pub id: String,
    /// The institution whose client brought it.
    pub owner: String,
    /// The kind of its rows.
    pub target: Kind,
    /// What becomes of it if rows are wrong.
    pub class: Class,
    /// How long it is, in bytes.
    pub size: i64,
    /// Its SHA-256, in hexadecimal digits.
    pub hash: String,
    /// When it was made, in microseconds since the Unix epoch.
    pub file_at: i64,
    /// Where it stands.
    pub status: Status,
    /// What became of it.
    pub result: Option<Outcome>,
    /// How many bytes have come.
    pub received: i64,
    /// How many rows were made.
    pub rows_done: i64,
    /// How many rows were refused.
    pub rows_refused: i64,
    /// When it was announced, in microseconds since the Unix epoch.
    pub created_at: i64,
    /// By which client.
    pub created_by: String,
    /// When it last changed, in microseconds since the Unix epoch.
    pub updated_at: i64,
}
