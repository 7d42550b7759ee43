//! Files of rows: what a file is for, and its text as rows.

mod sheet;

use std::fmt;

pub use self::sheet::{Line, Sheet, SheetError};
use crate::iso20022::{Fault, Message, Parsed};
use crate::masters::{Field, FieldError, Form, Kind};
use crate::personal::By;

/// The longest file, in bytes.
pub const FILE_BYTES_MAX: i64 = 8 * 1024 * 1024;
/// The longest part of a file that one request brings, in bytes.
pub const PART_BYTES_MAX: usize = 1024 * 1024;
/// The most rows of a file.
pub const ROWS_MAX: usize = 20_000;

/// What the rows of a file become.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Target {
    /// Rows of a kind of masters, from CSV.
    Masters(Kind),
    /// Instructions, from messages of ISO 20022.
    Instructions,
}

impl Target {
    /// All of them.
    pub const ALL: [Self; 10] = {
        let [a, b, c, d, e, f, g, h, i] = Kind::ALL;
        [
            Self::Masters(a),
            Self::Masters(b),
            Self::Masters(c),
            Self::Masters(d),
            Self::Masters(e),
            Self::Masters(f),
            Self::Masters(g),
            Self::Masters(h),
            Self::Masters(i),
            Self::Instructions,
        ]
    };

    /// Its name: the last segment of the path of what is made.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Masters(kind) => kind.path(),
            Self::Instructions => "instructions",
        }
    }

    /// Whether a file of it holds personal data, which is sealed.
    #[must_use]
    pub const fn is_sealed(self) -> bool {
        match self {
            Self::Masters(kind) => kind.is_sealed(),
            Self::Instructions => false,
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.path() == name)
    }

    /// The media type of its files.
    #[must_use]
    pub const fn media(self) -> &'static str {
        match self {
            Self::Masters(_) => "text/csv",
            Self::Instructions => "application/xml",
        }
    }
}

/// A message of a file, or what is wrong with it.
pub type Read = Result<Parsed, Vec<FieldError>>;

/// The rows of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Rows {
    /// Of masters.
    Sheet(Sheet),
    /// Messages in the file's order, each by itself.
    Messages(Vec<Read>),
}

impl Rows {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`SheetError`].
    pub fn parse(target: Target, bytes: &[u8]) -> Result<Self, SheetError> {
        if let Target::Masters(kind) = target {
            return Ok(Self::Sheet(Sheet::parse(kind, bytes)?));
        }
        let messages = Message::parse_file(bytes).map_err(|_| SheetError::Text)?;
        if messages.is_empty() || messages.len() > ROWS_MAX {
            return Err(SheetError::Count);
        }
        let said = |fault: Fault| {
            vec![FieldError { pointer: fault.path(), detail: fault.kind.to_string() }]
        };
        Ok(Self::Messages(messages.into_iter().map(|read| read.map_err(said)).collect()))
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Sheet(sheet) => sheet.lines.len(),
            Self::Messages(messages) => messages.len(),
        }
    }
}

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
    /// It isn't CSV in UTF-8 with a heading of the target's fields, or no file of messages.
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
        "what is made: a kind of masters (CSV), or instructions (ISO 20022)",
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

const TARGETS: [&str; Target::ALL.len()] = {
    let [a, b, c, d, e, f, g, h, i, j] = Target::ALL;
    [
        a.path(),
        b.path(),
        c.path(),
        d.path(),
        e.path(),
        f.path(),
        g.path(),
        h.path(),
        i.path(),
        j.path(),
    ]
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
    /// What is made of its rows.
    pub target: Target,
    /// What becomes of it if rows are wrong.
    pub class: Class,
    /// How long it is, in bytes.
    pub size: i64,
    /// Its SHA-256, in hexadecimal digits; of a file with personal data nobody is shown it.
    pub hash: Option<String>,
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
    /// Why its rows are made, if they are personal data: a code that the client gave; empty if none.
    pub reason: String,
}

impl Import {
    /// Who makes its rows.
    #[must_use]
    pub fn by(&self) -> By<'_> {
        By { client: &self.created_by, institution: &self.owner, reason: &self.reason }
    }
}
