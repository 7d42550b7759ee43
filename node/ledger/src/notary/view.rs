//! What can be read of a notary.

use sudare_crypto::{Hash, NodeId};

use super::Notary;
use super::state::{ENTRIES, PENDING, RECEIPTS, RECORDED, pending_of, tree};
use crate::kv::{Be, Kv, StorageError};
use crate::log::{NotaryEntry, Receipt};
use crate::transaction::{CommitId, TxId};
use crate::tree::{
    Checkpoint, CheckpointError, ConsistencyProof, InclusionProof, LogError, LogKind,
    SignedCheckpoint, SignerName, TreeError,
};

/// The notary can't sign a checkpoint.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ViewError {
    /// The log has no such size, or the store fails.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The checkpoint can't be signed.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

impl Notary {
    /// How many entries the log has.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn size(kv: &(impl Kv + ?Sized)) -> Result<u64, StorageError> {
        tree().size(kv)
    }

    /// The name of this notary's log, which is the first line of its checkpoints.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] never in practice: a hash and a node id always make a name.
    pub fn log_name(network: Hash, notary: NodeId) -> Result<SignerName, CheckpointError> {
        Ok(SignerName::of_log(&network.to_string(), LogKind::Notary, &notary.0)?)
    }

    /// The signed checkpoint at `size` entries. The same bytes whenever it is asked for: none is kept.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoSuchSize`] if the log is shorter; [`StorageError`] if the store fails.
    pub fn checkpoint(
        &self,
        kv: &(impl Kv + ?Sized),
        size: u64,
    ) -> Result<SignedCheckpoint, ViewError> {
        let root = tree().root(kv, size)?;
        let origin = Self::log_name(self.network, self.key.id())?;
        let checkpoint = Checkpoint { origin, size, root };
        Ok(checkpoint.sign(&self.key.id(), |text| self.key.sign_raw(text))?)
    }

    /// At most `limit` entries from `index` on, each with its transaction and the notary's signature.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn receipts(
        kv: &(impl Kv + ?Sized),
        index: u64,
        limit: usize,
    ) -> Result<Vec<Receipt>, StorageError> {
        let after = index.checked_sub(1).map(Be);
        let rows = ENTRIES.rows(kv, after.as_ref(), limit)?;
        rows.into_iter().map(|(_, commit)| recorded(kv, commit)).collect()
    }

    /// The receipt of a transaction, if it is recorded.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn receipt(
        kv: &(impl Kv + ?Sized),
        transaction: TxId,
    ) -> Result<Option<Receipt>, StorageError> {
        let commit = RECORDED.get(kv, &transaction)?;
        commit.map(|commit| recorded(kv, commit)).transpose()
    }

    /// The entry of a commit with the proof that it is in the log of `size` entries; none if it is not in there.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoSuchSize`] if the log is shorter; [`StorageError`] if the store fails.
    pub fn inclusion(
        kv: &(impl Kv + ?Sized),
        commit: CommitId,
        size: u64,
    ) -> Result<Option<(NotaryEntry, u64, InclusionProof)>, LogError> {
        let Some(receipt) = RECEIPTS.get(kv, &commit)? else { return Ok(None) };
        match tree().inclusion(kv, receipt.index, size) {
            Ok(proof) => Ok(Some((receipt.entry, receipt.index, proof))),
            Err(LogError::Tree(TreeError::NoSuchLeaf { .. })) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The proof that the log of `new` entries begins with the log of `old` entries.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoSuchSize`] unless `old <= new` and the log has `new` entries; [`StorageError`] if the store fails.
    pub fn consistency(
        kv: &(impl Kv + ?Sized),
        old: u64,
        new: u64,
    ) -> Result<ConsistencyProof, LogError> {
        tree().consistency(kv, old, new)
    }

    /// How many commits that wait for more parts take up this node's quota.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn pending_of(kv: &(impl Kv + ?Sized), node: NodeId) -> Result<u64, StorageError> {
        pending_of(kv, node)
    }

    /// At most `limit` commits after `after` that wait for more parts, with how many of their tags are open.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn pending(
        kv: &(impl Kv + ?Sized),
        after: Option<CommitId>,
        limit: usize,
    ) -> Result<Vec<(CommitId, usize)>, StorageError> {
        let rows = PENDING.rows(kv, after.as_ref(), limit)?;
        Ok(rows.into_iter().map(|(commit, pending)| (commit, pending.opened.len())).collect())
    }
}

fn recorded(kv: &(impl Kv + ?Sized), commit: CommitId) -> Result<Receipt, StorageError> {
    RECEIPTS.get(kv, &commit)?.ok_or(StorageError::Damaged("receipt"))
}
