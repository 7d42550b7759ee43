//! The bytes of a search that was put aside.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use super::frame::{Frame, FrameError};

/// Longer input is refused unread: all marks, all kangaroos, and some room.
pub const CHECKPOINT_BYTES_MAX: usize = 32 << 20;

/// 2: marks by the reduced x coordinate.
const FRAME: Frame =
    Frame { domain: b"sudare dlog checkpoint", version: 2, bytes_max: CHECKPOINT_BYTES_MAX };

/// Why a checkpoint is refused. Start the search anew, or go back to an older copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// More than [`CHECKPOINT_BYTES_MAX`].
    #[error("checkpoint of {0} bytes is longer than any search writes: not a checkpoint")]
    TooLong(usize),
    /// Cut off or changed since it was written.
    #[error(
        "checkpoint is damaged: its hash does not match; use an older copy or start the search anew"
    )]
    Damaged,
    /// Written by another version of this program.
    #[error("checkpoint has version {found}, this program reads version {}; start the search anew", FRAME.version)]
    Version {
        /// The version that the bytes name.
        found: u8,
    },
    /// The hash matches but the content is not that of a search.
    #[error("checkpoint is malformed at its {0}: it was not written by this program")]
    Malformed(&'static str),
}

/// All that is needed to go on. Points are not stored, they follow from the logarithms.
#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct Snapshot {
    pub(super) target: [u8; 32],
    pub(super) bound: u64,
    pub(super) seed: [u8; 32],
    pub(super) ended: Ended,
    pub(super) progress: Progress,
}

/// The outcome so far.
#[derive(Clone, Copy, BorshSerialize, BorshDeserialize)]
pub(super) enum Ended {
    Not,
    Found(u64),
    Absent,
    Exhausted,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) enum Progress {
    Giant { rounds_done: u64 },
    Kangaroo { herds: Vec<HerdSnapshot>, marks: BTreeMap<u64, u128>, hops: u64 },
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(super) struct HerdSnapshot {
    pub(super) steps_done: u64,
    pub(super) logs: Vec<u128>,
}

impl Snapshot {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        FRAME.seal(self)
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        FRAME.open(bytes).map_err(|error| match error {
            FrameError::TooLong(length) => CheckpointError::TooLong(length),
            FrameError::Damaged => CheckpointError::Damaged,
            FrameError::Version(found) => CheckpointError::Version { found },
            FrameError::Structure => CheckpointError::Malformed("structure"),
        })
    }
}
