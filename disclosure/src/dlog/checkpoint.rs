//! The bytes of a search that was put aside.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Longer input is refused unread: all marks, all kangaroos, and some room.
pub const CHECKPOINT_BYTES_MAX: usize = 32 << 20;

const VERSION: u8 = 1;
const DOMAIN: &[u8] = b"sudare dlog checkpoint";
const HASH_BYTES: usize = 32;

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
    #[error("checkpoint has version {found}, this program reads version {VERSION}")]
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
    /// Version byte, content, SHA-256 of both.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        // Writing to a vector does not fail; if it did, the hash would cover a prefix and reading would refuse it.
        let _ = self.serialize(&mut bytes);
        let hash = hash(&bytes);
        bytes.extend_from_slice(&hash);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        if bytes.len() > CHECKPOINT_BYTES_MAX {
            return Err(CheckpointError::TooLong(bytes.len()));
        }
        let split = bytes.split_last_chunk::<HASH_BYTES>().ok_or(CheckpointError::Damaged)?;
        let (content, found) = split;
        if hash(content) != *found {
            return Err(CheckpointError::Damaged);
        }
        match content.split_first() {
            Some((&VERSION, body)) => {
                Self::try_from_slice(body).map_err(|_| CheckpointError::Malformed("structure"))
            }
            Some((&found, _)) => Err(CheckpointError::Version { found }),
            None => Err(CheckpointError::Damaged),
        }
    }
}

fn hash(content: &[u8]) -> [u8; HASH_BYTES] {
    Sha256::new().chain_update(DOMAIN).chain_update(content).finalize().into()
}
