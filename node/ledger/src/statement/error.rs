//! Why a statement was not made or not accepted.

use sudare_crypto::proof::statement::Unproved;
use sudare_crypto::{Encoded, Malformed, Rejected};
use sudare_disclosure::AssetId;

use crate::leg::TearOffError;
use crate::tree::{CheckpointError, TreeError};

/// Why a statement was not made or not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StatementError {
    /// Of another asset or network than asked about.
    #[error("the statement is about asset {found}, not {expected}: ask for the right one")]
    OtherAsset {
        /// The asset asked about.
        expected: AssetId,
        /// The one it is about.
        found: AssetId,
    },
    /// The checkpoint is of another log or not the registrar's.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Made of an earlier state than the reader knows.
    #[error(
        "the statement is of {size} entries, the log has {known}: ask for one of now, or accept the earlier state"
    )]
    Stale {
        /// Entries at the statement's checkpoint.
        size: u64,
        /// Entries at the reader's checkpoint.
        known: u64,
    },
    /// Two checkpoints of one size with two roots.
    #[error(
        "two checkpoints of {0} entries with two roots: the registrar forked its log; keep both, they are evidence"
    )]
    Forked(u64),
    /// Nothing shows that one checkpoint extends the other.
    #[error(
        "the checkpoints of {0} and {1} entries are not shown to be of one log: ask the registrar for the consistency proof; if it has none, it forked its log"
    )]
    NotJoined(u64, u64),
    /// An output's place.
    #[error(
        "output {0} is not in the log at this checkpoint: {1}; take the output again from its settlement"
    )]
    NotInLog(usize, TreeError),
    /// An output that is not in its leg.
    #[error("output {0}: {1}; take the output again from its settlement")]
    NotInLeg(usize, TearOffError),
    /// One output counted twice.
    #[error("output {0} stands twice: count each once")]
    Twice(usize),
    /// An account without proof, or a proof without account.
    #[error("the proof of who holds the notes and the account it is of must come together")]
    Holder,
    /// A snapshot that is not one of this asset.
    #[error("register snapshot {0} is of another asset: ask for a statement of this one's")]
    OtherSnapshot(u32),
    /// A snapshot's place.
    #[error(
        "register snapshot {0} is not in the log at this checkpoint: {1}; refuse the statement"
    )]
    SnapshotNotInLog(u32, TreeError),
    /// A term that names no snapshot, or no snapshot at all.
    #[error(
        "the statement names a register snapshot that it does not show, or shows none or two out of order: refuse it"
    )]
    Snapshots,
    /// A search that ends elsewhere.
    #[error(
        "[SNP-5] the search for account {0:?} in the register snapshot does not end at the leaf shown: refuse the statement"
    )]
    NotThere(Encoded),
    /// An account that is said to be absent and is not.
    #[error("account {0:?} has a leaf in the register snapshot: state what it holds instead")]
    Present(Encoded),
    /// Leaves that are not those of the snapshot.
    #[error(
        "[HDG-2] the accounts shown are not where they stand in register snapshot {0}, or not all nodes beside them are there: refuse the statement"
    )]
    OtherRoot(u32),
    /// Accounts that hold more than there is.
    #[error(
        "[HDG-3] the accounts shown hold more than the supply of register snapshot {0}: its registrar's snapshot is false; keep the file as evidence"
    )]
    MoreThanAll(u32),
    /// Not one proof of a locator for each account shown.
    #[error("the statement does not have a proof of its place for each account shown: refuse it")]
    Locators,
    /// Two totals that are not as was offered.
    #[error(
        "the totals do not differ by {0}: nothing else is known of the other's, and nothing of yours was shown; agree on another statement"
    )]
    Differ(u64),
    /// An offer that was closed with another answer.
    #[error(
        "[JNT-3] the offer was closed with another answer before: a nonce that answers twice would show what you hold; make a new offer"
    )]
    Closed,
    /// A file that answers another.
    #[error("the file does not belong to this offer and answer: ask for the one that does")]
    OtherFile,
    /// A nonce other than the offer's.
    #[error("[JNT-3] the closing shows another nonce than the offer is bound to: refuse it")]
    Nonce,
    /// A share of the proof that is not right.
    #[error("the closing's share of the proof is not right: refuse it, ask for it again")]
    Share,
    /// Numbers in clear that are too large.
    #[error("the numbers in clear come to more than 64 bits: no such statement")]
    Clear,
    /// Not provable.
    #[error(transparent)]
    Unproved(#[from] Unproved),
    /// The proofs do not verify.
    #[error("the statement is not proved: {0}; refuse it")]
    Rejected(#[from] Rejected),
    /// Bytes.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}
