//! Why a packet was refused, each with the next step.

use crate::leg::TearOffError;
use crate::transaction::CommitError;
use crate::tree::{CheckpointError, TreeError};

/// Why a packet was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PacketError {
    /// The custodian's signature does not verify.
    #[error("[PKT-1] the packet is not as its custodian signed it: ask the custodian for it again")]
    Signature,
    /// Made for somebody else.
    #[error(
        "[PKT-1] the packet was made for {found:?}, not for you: ask its custodian for one of your own"
    )]
    Recipient {
        /// For whom.
        found: String,
    },
    /// Made for another nonce.
    #[error(
        "[PKT-1] the packet was not made for your nonce, it may be an old one: send the custodian a new nonce"
    )]
    Nonce,
    /// About another asset than asked for.
    #[error("[PKT-2] the packet is about another asset: ask its custodian for the right one")]
    OtherAsset,
    /// A checkpoint does not open: yours or the packet's.
    #[error("[PKT-2] a checkpoint is not one of this asset's log: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The packet's checkpoint is older than the one held.
    #[error(
        "[PKT-2] the packet is under a checkpoint of {shown} entries, you hold one of {held}: ask for a packet made since then"
    )]
    Stale {
        /// The packet's size.
        shown: u64,
        /// The held size.
        held: u64,
    },
    /// One size, two roots.
    #[error(
        "[LOG-5] the registrar signed two histories of {size} entries, the packet's and yours: keep both, `sudare checkpoint evidence` makes a file of them that convicts it"
    )]
    Forked {
        /// The size of both.
        size: u64,
    },
    /// Nothing shows that the packet's checkpoint extends the one held.
    #[error(
        "[PKT-2] nothing shows that the packet's checkpoint of {shown} entries extends yours of {held}: send the custodian your checkpoint and ask for a packet that extends it"
    )]
    NotJoined {
        /// The packet's size.
        shown: u64,
        /// The held size.
        held: u64,
    },
    /// The transaction is not final.
    #[error("[FIN-1] the transaction is not final: {0}; refuse the packet")]
    Commit(#[from] CommitError),
    /// The notary's receipt is not of the commit.
    #[error("[FIN-2] the notary's receipt is not for this transaction: refuse the packet")]
    Receipt,
    /// The transaction names another leg, registrar, notary or network than the asset's.
    #[error("[PKT-3] the leg is not one of this asset: refuse the packet")]
    OtherLeg,
    /// A component is not in the leg.
    #[error("[LEG-4] {0}: refuse the packet")]
    Components(#[from] TearOffError),
    /// The entry is not in the log.
    #[error("[LOG-3] the entry is not in the asset's log: {0}")]
    NotInLog(#[from] TreeError),
    /// The opening does not open, or not to what the output commits to.
    #[error(
        "[PKT-4] the memo does not open to what the output commits to: its amount is not shown; refuse the packet"
    )]
    Opening,
    /// The trade section does not open.
    #[error("[PKT-4] the trade section does not open with the key given: refuse the packet")]
    Trade,
    /// The output is in another custodian's slot.
    #[error(
        "[PKT-5] the packet is by another custodian than the one that the output belongs to: it has no right to show it"
    )]
    OtherCustodian,
    /// A snapshot is of another asset.
    #[error("[SNP-1] a snapshot of the packet is of another asset or network: refuse the packet")]
    OtherSnapshot,
    /// The account's leaf is not in the snapshot.
    #[error("[SNP-4] the account is not in the snapshot as the packet has it: refuse the packet")]
    Leaf,
    /// Nothing shows that a leaf is where the account belongs.
    #[error(
        "[PKT-9] nothing shows that a snapshot's leaf in the packet is the account's own, and that it has no other there: refuse the packet"
    )]
    OtherLeaf,
    /// The snapshots are of two accounts.
    #[error("[PKT-6] the period begins with one account and ends with another: refuse the packet")]
    OtherAccount,
    /// The period ends before it begins.
    #[error("[PKT-6] the period ends before it begins: refuse the packet")]
    Period,
    /// Events are missing, added, changed, or in another order.
    #[error(
        "[PKT-6] the events shown do not lead to the account's chain in the last snapshot, which has {there} events, {shown} with the packet's: something is missing, added, changed or out of order; refuse the packet"
    )]
    Incomplete {
        /// Events up to the end as shown.
        shown: u64,
        /// Events up to the end in the snapshot.
        there: u64,
    },
    /// The notes shown are not what a snapshot commits to.
    #[error(
        "[PKT-7] what the account is shown to hold is not what the snapshot commits to: refuse the packet"
    )]
    Holding,
    /// A shorter period than asked for.
    #[error(
        "[PKT-8] the packet is of a shorter period than you asked for: ask its custodian for the whole one"
    )]
    Shorter,
}
