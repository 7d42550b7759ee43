//! Append-only logs: RFC 6962 trees over stored hashes, and signed checkpoints.
//!
//! [`LogTree`] keeps a log's hashes in the key-value store, [`MemoryTree`] in memory (a leg's components, a log that is
//! rebuilt); both hold the hash of every complete subtree once, which never changes, so every former size can still be
//! proven. Appending and proving touch O(log n) hashes. [`InclusionProof`] and [`ConsistencyProof`] are checked without a
//! tree. [`SignedCheckpoint`] is a log's size and root in the text format of C2SP.
//!
//! Crates looked at in November 2026, and why not. Trees: `ct-merkle` 0.3 wants digest 0.11 beside the ledger's sha2 0.10,
//! stores the unfinished right edge too, so that only the newest size can be proven, and panics on bad indices; `tlog_tiles`
//! 0.2 has had no release since spring 2025, brings `url` and `serde_json` and asserts on what storage answers; `merkle-log`
//! 0.0.9 is an old alpha; `sigstore-merkle` 0.15 only verifies; `rs_merkle` builds other trees. Signed texts: `signed_note`
//! 0.2 is as old as `tlog_tiles`, verifies Ed25519 non-strictly and accepts other spellings of a checkpoint's text.

mod checkpoint;
mod hashing;
mod log;
mod memory;
mod proof;
mod signed_text;
mod subtrees;
#[cfg(test)]
mod tests;

pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
pub use hashing::{empty_root, leaf_hash, list_root, node_hash};
pub use log::{LogError, LogTree};
pub use memory::MemoryTree;
pub use proof::{ConsistencyProof, InclusionProof, PROOF_HASHES_MAX};
pub use signed_text::{
    CHECKPOINT_BYTES_MAX, CHECKPOINT_SIGNATURES_MAX, LogKind, SignedTextError, SignerName,
};

/// The most leaves a tree can have, so that no proof has more than [`PROOF_HASHES_MAX`] hashes.
pub const LEAVES_MAX: u64 = 1 << 63;

/// A tree can't answer, or a proof doesn't prove what it is said to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TreeError {
    /// The leaf is not in a tree of this size.
    #[error(
        "leaf {index} is not in a tree of {size} leaves: ask for a lower index or a later size"
    )]
    NoSuchLeaf {
        /// Number of the leaf, from 0.
        index: u64,
        /// Leaves in the tree asked about.
        size: u64,
    },
    /// The log hasn't grown to this size, or no tree can.
    #[error("no tree of {size} leaves here, the largest has {largest}: ask for a smaller size")]
    NoSuchSize {
        /// Leaves in the tree asked for.
        size: u64,
        /// Leaves in the largest tree there is.
        largest: u64,
    },
    /// The tree holds [`LEAVES_MAX`] leaves.
    #[error("the tree is full")]
    Full,
    /// A hash that must be stored is not: the store is damaged.
    #[error(
        "the hash of subtree {index} at level {level} is missing: rebuild the store from its log"
    )]
    MissingHash {
        /// Height of the subtree; it has 2^level leaves.
        level: u8,
        /// Number of the subtree at its level, from 0.
        index: u64,
    },
    /// Too few or too many hashes for the index and sizes it is said to be about.
    #[error("a proof of {hashes} hashes has the wrong length for these sizes: refuse it")]
    ProofLength {
        /// Hashes in the proof.
        hashes: usize,
    },
    /// The proof leads to another root.
    #[error("the proof does not lead to the root of the tree of {size} leaves: refuse it")]
    OtherRoot {
        /// Leaves in the tree with the root that wasn't met.
        size: u64,
    },
}
