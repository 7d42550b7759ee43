//! A log's tree in tables of the key-value store.

use sudare_crypto::Hash;

use super::subtrees::{self, Hashes, HashesMut, Position};
use super::{ConsistencyProof, InclusionProof, LEAVES_MAX, TreeError};
use crate::kv::{Kv, StorageError, Tx};

/// Stands where a level would, which goes up to 63: the key of the size.
const SIZE: u8 = 0xff;
const SIZE_NAME: &str = "size of a log";

/// A log's tree can't be read, or can't answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LogError {
    /// The store failed or is damaged.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The log has no such leaf or size: the asker's fault.
    #[error(transparent)]
    Tree(TreeError),
}

impl From<TreeError> for LogError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::MissingHash { .. } => {
                Self::Storage(StorageError::Damaged("hash of a log's tree"))
            }
            asked => Self::Tree(asked),
        }
    }
}

/// Where the RFC 6962 tree of one log is stored; it holds no hashes itself.
///
/// Keys are `prefix | level u8 | index u64 big endian` with the 32-byte hash of that complete subtree, and `prefix | 0xff`
/// with the size as u64 big endian. An append writes two hashes on average, log2(n) at most.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LogTree {
    prefix: Vec<u8>,
}

impl LogTree {
    /// The log under this prefix: a table's byte, or that and the log's identifier. No prefix in use may begin with another.
    #[must_use]
    pub fn new(prefix: impl Into<Vec<u8>>) -> Self {
        Self { prefix: prefix.into() }
    }

    /// Adds a leaf; its index. A leaf hash must be made with [`leaf_hash`](super::leaf_hash), or another hash that can't
    /// have an inner node's input.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails, or what it holds can't be.
    pub fn append(&self, tx: &Tx<'_>, leaf_hash: Hash) -> Result<u64, StorageError> {
        let mut stored = Stored { tree: self, kv: tx };
        subtrees::append(&mut stored, leaf_hash).map_err(|error| match error {
            LogError::Storage(error) => error,
            // No log gets to 2^63 leaves.
            LogError::Tree(_) => StorageError::Damaged(SIZE_NAME),
        })
    }

    /// The number of leaves.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails, or what it holds can't be.
    pub fn size(&self, kv: &(impl Kv + ?Sized)) -> Result<u64, StorageError> {
        let Some(bytes) = kv.get(&self.size_key())? else {
            return Ok(0);
        };
        let size = bytes.try_into().map(u64::from_be_bytes).ok().filter(|size| *size <= LEAVES_MAX);
        size.ok_or(StorageError::Damaged(SIZE_NAME))
    }

    /// The root at `size` leaves, the present size or any former one.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoSuchSize`] if the log is shorter; [`LogError::Storage`].
    pub fn root(&self, kv: &(impl Kv + ?Sized), size: u64) -> Result<Hash, LogError> {
        subtrees::root(&Stored { tree: self, kv }, size)
    }

    /// The proof that leaf `index` is in the log of `size` leaves.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoSuchSize`] if the log is shorter, [`TreeError::NoSuchLeaf`] unless `index < size`;
    /// [`LogError::Storage`].
    pub fn inclusion(
        &self,
        kv: &(impl Kv + ?Sized),
        index: u64,
        size: u64,
    ) -> Result<InclusionProof, LogError> {
        subtrees::inclusion(&Stored { tree: self, kv }, index, size)
    }

    /// The proof that the log of `new` leaves begins with the log of `old` leaves.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoSuchSize`] unless `old <= new` and the log has `new` leaves; [`LogError::Storage`].
    pub fn consistency(
        &self,
        kv: &(impl Kv + ?Sized),
        old: u64,
        new: u64,
    ) -> Result<ConsistencyProof, LogError> {
        subtrees::consistency(&Stored { tree: self, kv }, old, new)
    }

    fn size_key(&self) -> Vec<u8> {
        [self.prefix.as_slice(), &[SIZE]].concat()
    }

    fn hash_key(&self, at: Position) -> Vec<u8> {
        [self.prefix.as_slice(), &[at.level], &at.index.to_be_bytes()].concat()
    }
}

struct Stored<'a, K: ?Sized> {
    tree: &'a LogTree,
    kv: &'a K,
}

impl<K: Kv + ?Sized> Hashes for Stored<'_, K> {
    type Error = LogError;

    fn size(&self) -> Result<u64, LogError> {
        Ok(self.tree.size(self.kv)?)
    }

    fn hash(&self, at: Position) -> Result<Option<Hash>, LogError> {
        let bytes = self.kv.get(&self.tree.hash_key(at))?;
        Ok(bytes.and_then(|bytes| bytes.try_into().ok()).map(Hash))
    }
}

impl HashesMut for Stored<'_, Tx<'_>> {
    fn put_size(&mut self, size: u64) {
        self.kv.put(self.tree.size_key(), size.to_be_bytes().to_vec());
    }

    fn put_hash(&mut self, at: Position, hash: Hash) {
        self.kv.put(self.tree.hash_key(at), hash.0.to_vec());
    }
}
