//! Files that `sudare verify` takes on a machine without network, node or configuration (specs/packet.md).
//!
//! The first line says format and version, the byte after it what kind of file it is. A checkpoint stays the text that it is.

mod audit;
mod erasure;
mod receipt;
pub mod sign_off;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{decode, encode};

use crate::access::LoggedEntry;
use crate::packet::{Fork, NodeFork, Packet};
use crate::statement::Statement;

pub use audit::{
    AUDIT_FILES_MAX, AUDIT_KEYS_MAX, AUDIT_READS_MAX, Audit, AuditFileError, Figures, FileHash,
    KeyRead, ReadUnder, SignedAudit,
};
pub use erasure::{Erasure, ErasureError, SignedErasure};
pub use receipt::{ReceiptError, ReceiptFile};
pub use sign_off::{SignOff, SignOffError};

/// What every bundle's file begins with, before its version.
const FORMAT: &[u8] = b"sudare bundle ";
/// The version, and the end of the line; the file ends where its content does.
const VERSION: &[u8] = b"1\n";
/// The longest bundle in bytes.
pub const BUNDLE_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a bundle's file can hold.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub enum Bundle {
    /// A disclosure packet.
    Packet(Box<Packet>),
    /// Two checkpoints of one log that contradict each other.
    Fork(Box<Fork>),
    /// A statement about hidden amounts.
    Statement(Box<Statement>),
    /// That a transaction is final.
    Receipt(Box<ReceiptFile>),
    /// An entry of an access log.
    Access(Box<LoggedEntry>),
    /// Two checkpoints of a notary's or access log that contradict each other.
    NodeFork(Box<NodeFork>),
    /// What a regulator's replay showed.
    Audit(Box<SignedAudit>),
    /// That a house has erased a person's data.
    Erasure(Box<SignedErasure>),
    /// What two officers signed of a reconciliation.
    SignOff(Box<SignOff>),
}

/// How many kinds of bundle there are.
const KINDS: u8 = 9;

/// Why bytes are no bundle; says what to do next.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BundleError {
    /// It begins with something else.
    #[error(
        "[ENC-1] not a file that `sudare verify` knows: neither a bundle (its first line is \"sudare bundle 1\") nor a checkpoint's text"
    )]
    Unknown,
    /// Of another version of the format.
    #[error(
        "[ENC-1] a bundle of another version of the format: verify it with the program that its sender uses"
    )]
    Version,
    /// A kind that this program doesn't know.
    #[error(
        "[ENC-1] a bundle of kind {0}, which this program does not know: verify it with the program that its sender uses"
    )]
    Kind(u8),
    /// Longer than any bundle.
    #[error(
        "[ENC-1] longer than any bundle, which has {BUNDLE_BYTES_MAX} bytes at most: refuse it"
    )]
    TooLong,
    /// It ends too early, has bytes after its end, or is changed.
    #[error(
        "[ENC-1] the bundle is cut short, has bytes after its end, or was changed: ask for the file again"
    )]
    Damaged,
}

impl Bundle {
    /// The file's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        [FORMAT, VERSION, &encode(self)].concat()
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`BundleError`] unless the bytes are exactly a bundle of this version, at most [`BUNDLE_BYTES_MAX`] long.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLong);
        }
        let rest = bytes.strip_prefix(FORMAT).ok_or(BundleError::Unknown)?;
        let body = match rest.strip_prefix(VERSION) {
            Some(body) => body,
            None if VERSION.starts_with(rest) => return Err(BundleError::Damaged),
            None => return Err(BundleError::Version),
        };
        match body.first() {
            Some(kind) if *kind >= KINDS => Err(BundleError::Kind(*kind)),
            _ => decode(body, "a bundle").map_err(|_| BundleError::Damaged),
        }
    }

    /// What the file is called.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Packet(_) => "disclosure packet",
            Self::Fork(_) | Self::NodeFork(_) => "evidence of a fork",
            Self::Statement(_) => "statement",
            Self::Receipt(_) => "receipt",
            Self::Access(_) => "entry of an access log",
            Self::Audit(_) => "audit",
            Self::Erasure(_) => "certificate of an erasure",
            Self::SignOff(_) => "sign-off",
        }
    }
}
