//! The notary's tables. They hold hashes, tags with the signature under each, windows, asking nodes and receipts, and nothing
//! else.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::linear::LinearProof;
use sudare_crypto::{Bounded, Encoded, Hash, NodeId};

use crate::kv::{Be, Kv, StorageError, Table, Tx};
use crate::log::Receipt;
use crate::role::{self, ALARMS};
use crate::transaction::{CommitId, LEGS_MAX, TAGS_MAX, TxId, Window};
use crate::tree::LogTree;

/// The most commits of one node that wait for more parts.
pub const PENDING_PER_NODE_MAX: u64 = 1_024;
/// The most commits that wait for more parts. Far more than any one node may have, so that no one node can use them up.
pub const PENDING_MAX: u64 = 65_536;
/// The most parts of one node that are being checked.
pub const CHECKING_PER_NODE_MAX: u64 = 1_024;
/// The most questions of one node that wait for a window to end.
pub const QUESTIONS_PER_NODE_MAX: u64 = 1_024;
/// The most nodes that are told the outcome of one commit unasked.
pub(super) const ASKERS_MAX: usize = 2 * LEGS_MAX;

/// The index of the entry that spent each tag. Rows are never changed nor deleted.
pub(super) const SPENT: Table<Encoded, u64> = Table::new(b's', "spent tag");
/// The signature under which each tag was spent. Rows are never changed nor deleted.
pub(super) const SIGNATURES: Table<Encoded, LinearProof> = Table::new(b'g', "spend signature");
/// The receipt of every recorded commit. Rows are never changed nor deleted.
pub(super) const RECEIPTS: Table<CommitId, Receipt> = Table::new(b'r', "receipt");
/// The recorded commit of each transaction.
pub(super) const RECORDED: Table<TxId, CommitId> = Table::new(b't', "recorded transaction");
/// The recorded commits in order.
pub(super) const ENTRIES: Table<Be, CommitId> = Table::new(b'e', "notary entry");
/// Commits of which parts have come, but not all.
pub(super) const PENDING: Table<CommitId, Pending> = Table::new(b'p', "pending commit");
/// Until when those wait who asked whether a transaction is recorded.
pub(super) const QUESTIONS: Table<(TxId, NodeId), u64> = Table::new(b'q', "question");
const PENDING_OF: Table<NodeId, u64> = Table::new(b'n', "count of pending commits");
const PENDING_IN_ALL: Table<(), u64> = Table::new(b'a', "count of all pending commits");
const CHECKING_OF: Table<NodeId, u64> = Table::new(b'k', "count of parts being checked");
const QUESTIONS_OF: Table<NodeId, u64> = Table::new(b'c', "count of questions");

/// The tree over the entries.
pub(super) fn tree() -> LogTree {
    LogTree::new([b'l'])
}

/// An opened tag.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub(super) struct OpenTag {
    /// The place of its hash in the list.
    pub(super) place: u16,
    /// `T`.
    pub(super) tag: Encoded,
    /// Its signature over `m`.
    pub(super) signature: LinearProof,
}

/// A commit of which parts have come, but not all. It spends nothing and keeps nobody from spending its tags.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub(super) struct Pending {
    pub(super) tx: TxId,
    pub(super) window: Window,
    /// In order of place.
    pub(super) opened: Bounded<OpenTag, TAGS_MAX>,
    /// Who sent parts; the first one's quota it takes.
    pub(super) askers: Bounded<NodeId, ASKERS_MAX>,
}

/// The counts of waiting things, each kept in step with its table.
#[derive(Clone, Copy)]
pub(super) enum Count {
    /// Pending commits that a node was the first to send a part of.
    Pending(NodeId),
    /// Parts of a node whose signatures are being decided.
    Checking(NodeId),
    /// Questions of a node.
    Questions(NodeId),
}

impl Count {
    /// Whether one more may wait.
    ///
    /// Enforces [NOT-8]: what waits is bounded for each asking node and in all.
    pub(super) fn has_room(self, tx: &Tx<'_>) -> Result<bool, StorageError> {
        Ok(match self {
            Self::Pending(node) => {
                PENDING_OF.get(tx, &node)?.unwrap_or(0) < PENDING_PER_NODE_MAX
                    && PENDING_IN_ALL.get(tx, &())?.unwrap_or(0) < PENDING_MAX
            }
            Self::Checking(node) => {
                CHECKING_OF.get(tx, &node)?.unwrap_or(0) < CHECKING_PER_NODE_MAX
            }
            Self::Questions(node) => {
                QUESTIONS_OF.get(tx, &node)?.unwrap_or(0) < QUESTIONS_PER_NODE_MAX
            }
        })
    }

    /// One more waits.
    pub(super) fn up(self, tx: &Tx<'_>) -> Result<(), StorageError> {
        self.change(tx, |count| count.saturating_add(1))
    }

    /// One less waits.
    pub(super) fn down(self, tx: &Tx<'_>) -> Result<(), StorageError> {
        self.change(tx, |count| count.saturating_sub(1))
    }

    fn change(self, tx: &Tx<'_>, to: fn(u64) -> u64) -> Result<(), StorageError> {
        match self {
            Self::Pending(node) => {
                change(tx, &PENDING_OF, &node, to)?;
                change(tx, &PENDING_IN_ALL, &(), to)
            }
            Self::Checking(node) => change(tx, &CHECKING_OF, &node, to),
            Self::Questions(node) => change(tx, &QUESTIONS_OF, &node, to),
        }
    }
}

/// How many pending commits take up this node's quota.
pub(super) fn pending_of(kv: &(impl Kv + ?Sized), node: NodeId) -> Result<u64, StorageError> {
    Ok(PENDING_OF.get(kv, &node)?.unwrap_or(0))
}

/// Stores a pending commit; a new one takes a place of its first asker's quota and has an alarm at the end of its window.
pub(super) fn put_pending(
    tx: &Tx<'_>,
    commit: CommitId,
    pending: &Pending,
) -> Result<(), StorageError> {
    if !PENDING.contains(tx, &commit)? {
        if let Some(first) = pending.askers.first() {
            Count::Pending(*first).up(tx)?;
        }
        role::wake(tx, pending.window.until, commit.0)?;
    }
    PENDING.put(tx, &commit, pending);
    Ok(())
}

/// Forgets a pending commit, its alarm and its place in the quota.
pub(super) fn drop_pending(
    tx: &Tx<'_>,
    commit: CommitId,
    pending: &Pending,
) -> Result<(), StorageError> {
    if let Some(first) = pending.askers.first() {
        Count::Pending(*first).down(tx)?;
    }
    ALARMS.delete(tx, &(Be(pending.window.until), commit.0));
    PENDING.delete(tx, &commit);
    Ok(())
}

/// The waiting questions about a transaction: who asks, and until when.
pub(super) fn questions(tx: &Tx<'_>, about: TxId) -> Result<Vec<(NodeId, u64)>, StorageError> {
    let rows = QUESTIONS.rows_under(tx, about.0.as_bytes(), None, usize::MAX)?;
    Ok(rows.into_iter().map(|((_, node), until)| (node, until)).collect())
}

/// Forgets a question.
pub(super) fn drop_question(tx: &Tx<'_>, about: TxId, from: NodeId) -> Result<(), StorageError> {
    QUESTIONS.delete(tx, &(about, from));
    Count::Questions(from).down(tx)
}

fn change<K>(
    tx: &Tx<'_>,
    table: &Table<K, u64>,
    key: &K,
    to: fn(u64) -> u64,
) -> Result<(), StorageError>
where
    K: BorshSerialize + BorshDeserialize,
{
    match to(table.get(tx, key)?.unwrap_or(0)) {
        0 => table.delete(tx, key),
        count => table.put(tx, key, &count),
    }
    Ok(())
}

/// The commit or transaction that an alarm is about.
pub(super) const fn named(alarm: Hash) -> (CommitId, TxId) {
    (CommitId(alarm), TxId(alarm))
}
