//! Why a grant, or something under one, is refused.

use sudare_disclosure::Field;

use crate::messages::Reason;
use crate::tree::{CheckpointError, TreeError};

/// Why a grant, or something under it, was refused; says what to do next.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AccessError {
    /// Nobody may give grants at this node yet.
    #[error(
        "nobody may give grants at this node: set its officers with `sudare grant desk` and `sudare grant add`"
    )]
    NoDesk,
    /// A desk that doesn't follow the one in force, or whose officers or number is not possible.
    #[error(
        "the desk does not follow the one in force, names somebody twice, or asks for more signatures than it has officers: make it again with `sudare grant desk`"
    )]
    Desk,
    /// Of another network or for another node.
    #[error("the grant is of another network or for another node: have it made for this one")]
    OtherReader,
    /// It grants nothing.
    #[error(
        "the grant holds at no time or covers no epoch or period: make it again and have it signed"
    )]
    Empty,
    /// A signature that isn't an officer's, doesn't verify, or stands twice.
    #[error(
        "signature {0} (from 0) is not that of another officer of this node: have it signed again"
    )]
    Signature(u8),
    /// Too few signatures.
    #[error(
        "{given} officer(s) signed, {needed} must: have it signed by more with `sudare grant sign`"
    )]
    TooFew {
        /// How many signed.
        given: usize,
        /// How many must.
        needed: usize,
    },
    /// No such grant.
    #[error("no such grant is recorded here: see `sudare grant list`")]
    Unknown,
    /// It doesn't hold yet.
    #[error("the grant holds from {0} ms since 1970 on: wait")]
    NotYet(u64),
    /// It holds no more.
    #[error("the grant expired at {0} ms since 1970: ask for a new one")]
    Expired(u64),
    /// It was ended.
    #[error("the grant was revoked: ask for a new one")]
    Revoked,
    /// More is asked for than was granted.
    #[error("the {0} asked for are not within the grant: ask for less, or for a wider grant")]
    WiderThanGrant(&'static str),
    /// More is granted than the keys read.
    #[error("no key here reads {field} in epoch {epoch}: ask for what the keys read")]
    WiderThanKey {
        /// The field.
        field: Field,
        /// The epoch.
        epoch: u32,
    },
    /// The entry is not in the reader's access log.
    #[error(
        "the entry is not shown to be in the reader's access log ({0}): have it made again with `sudare access prove`"
    )]
    NotLogged(#[from] TreeError),
    /// The checkpoint is not the reader's.
    #[error(
        "the checkpoint is not one of the reader's access log ({0}): have it made again with `sudare access prove`"
    )]
    Checkpoint(#[from] CheckpointError),
    /// The entry is about something else than what is to be done.
    #[error("the entry is about another grant or another use: have this one recorded")]
    OtherUse,
}

impl AccessError {
    /// The reason with which a node refuses.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NoDesk => Reason::NoDesk,
            Self::Desk => Reason::BadDesk,
            Self::OtherReader => Reason::OtherReader,
            Self::Empty => Reason::EmptyGrant,
            Self::Signature(_) => Reason::GrantSignature,
            Self::TooFew { .. } => Reason::TooFewOfficers,
            Self::Unknown => Reason::UnknownGrant,
            Self::NotYet(_) => Reason::GrantNotYet,
            Self::Expired(_) => Reason::GrantExpired,
            Self::Revoked => Reason::GrantRevoked,
            Self::WiderThanGrant(_) | Self::WiderThanKey { .. } => Reason::WiderThanGrant,
            Self::NotLogged(_) | Self::Checkpoint(_) | Self::OtherUse => Reason::Malformed,
        }
    }
}
