//! The log of an asset: every version of its terms and every final leg, in order, under signed checkpoints (specs/logs.md).

use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Bounded, Hash};
use sudare_disclosure::AssetId;

use super::Registrar;
use super::state::{CHECKPOINTS, ENTRIES, TREES};
use crate::kv::{Be, Kv, StorageError, Tx};
use crate::log::{Entry, EntryProof};
use crate::tree::{
    Checkpoint, CheckpointError, LogKind, LogTree, SignedCheckpoint, SignerName, TreeError,
};

pub use crate::tree::LogError;

/// The name of an asset's log, the first line of its checkpoints; the network stands there as its hash.
///
/// # Errors
///
/// [`CheckpointError`] never in practice: two hashes always make a name.
pub fn origin(network: Hash, asset: AssetId) -> Result<SignerName, CheckpointError> {
    Ok(SignerName::of_log(&network.to_string(), LogKind::Asset, asset.0.as_bytes())?)
}

/// The tree of an asset's log.
pub(super) fn tree(asset: AssetId) -> LogTree {
    LogTree::new([&[TREES], asset.0.as_bytes().as_slice()].concat())
}

/// What stands at an index of an asset's log.
pub(super) fn entry(
    kv: &(impl Kv + ?Sized),
    asset: AssetId,
    index: u64,
) -> Result<Option<Entry>, StorageError> {
    let Some(bytes) = ENTRIES.get(kv, &(asset, Be(index)))? else { return Ok(None) };
    Ok(Some(decode(&bytes, "an entry").map_err(|_| StorageError::Damaged("log entry"))?))
}

/// The proof that the entry at `index` is in the log, under the checkpoint at `size`.
pub(super) fn prove(
    kv: &(impl Kv + ?Sized),
    asset: AssetId,
    index: u64,
    size: u64,
) -> Result<EntryProof, LogError> {
    let missing = || LogError::Tree(TreeError::NoSuchLeaf { index, size });
    let body = entry(kv, asset, index)?.ok_or_else(missing)?.body_hash();
    let checkpoint = CHECKPOINTS.get(kv, &(asset, Be(size)))?.ok_or_else(missing)?;
    let path = tree(asset).inclusion(kv, index, size)?;
    Ok(EntryProof { index, body, checkpoint, path })
}

impl Registrar {
    /// Appends an entry, signs the log's new checkpoint, and gives the entry's index.
    pub(super) fn append(
        &self,
        tx: &Tx<'_>,
        asset: AssetId,
        entry: &Entry,
    ) -> Result<u64, StorageError> {
        let tree = tree(asset);
        let leaf = entry.leaf().ok_or(StorageError::Damaged("log entry"))?;
        let index = tree.append(tx, leaf.hash())?;
        ENTRIES.put(tx, &(asset, Be(index)), &encode(entry));
        let size = index.saturating_add(1);
        let root = tree.root(tx, size).map_err(|error| match error {
            LogError::Storage(error) => error,
            LogError::Tree(_) => StorageError::Damaged("log"),
        })?;
        let checkpoint = self.checkpoint(asset, size, root);
        let checkpoint = checkpoint.map_err(|_| StorageError::Damaged("checkpoint"))?;
        let text = Bounded::new(checkpoint.to_text().into_bytes());
        let text = text.map_err(|_| StorageError::Damaged("checkpoint"))?;
        CHECKPOINTS.put(tx, &(asset, Be(size)), &text);
        Ok(index)
    }

    fn checkpoint(
        &self,
        asset: AssetId,
        size: u64,
        root: Hash,
    ) -> Result<SignedCheckpoint, CheckpointError> {
        let checkpoint = Checkpoint { origin: origin(self.network, asset)?, size, root };
        checkpoint.sign(&self.id(), |text| self.key.sign_raw(text))
    }
}
