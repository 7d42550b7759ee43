//! Who handles personal data of an institution's: entries that name rows by hashes, and no person.

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::{Bounded, Hash, Text};

const ROW: &[u8] = b"sudare/row/v1";
/// The most rows that one entry names: those of a page.
pub const ROWS_MAX: usize = 200;

/// What somebody is about to do with personal data.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Handling {
    /// Who: the name of a client of the institution's API; of a user `user/` and his id.
    pub client: Text<128>,
    /// Whose client it is.
    pub institution: Text<64>,
    /// What is about to be done.
    pub what: Handled,
    /// Why, by a code that the client gave; empty if none.
    pub reason: Text<64>,
    /// [`row_hash`] of each row.
    pub rows: Bounded<Hash, ROWS_MAX>,
}

/// What is done with personal data.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Handled {
    /// Rows are made.
    Made,
    /// A row is changed.
    Changed,
    /// A row is read.
    Read,
    /// A page of rows is read.
    Listed,
    /// Former versions of a row are read.
    Past,
    /// Signed requests that made or changed a row are read.
    Requests,
    /// Names and addresses are read beside lines of a register.
    Named,
    /// What a row says is erased.
    Erased,
}

/// What names a row: whoever knows its id finds it, and nobody finds the id, which has 74 random bits.
#[must_use]
pub fn row_hash(id: &str) -> Hash {
    Hash::of(ROW, &[id.as_bytes()])
}

impl fmt::Display for Handled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Made => "made",
            Self::Changed => "changed",
            Self::Read => "read",
            Self::Listed => "listed",
            Self::Past => "history read",
            Self::Requests => "signed requests read",
            Self::Named => "names read beside a register",
            Self::Erased => "erased",
        })
    }
}
