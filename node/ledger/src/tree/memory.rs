//! A tree in memory: for a reader who rebuilds a log, and for the components of a leg.

use sudare_crypto::Hash;

use super::subtrees::{self, Hashes, HashesMut, Position};
use super::{ConsistencyProof, InclusionProof, TreeError};

/// An RFC 6962 tree in memory, about 64 bytes a leaf.
#[derive(Clone, Debug, Default)]
pub struct MemoryTree {
    size: u64,
    /// Hashes of complete subtrees by level; a level only ever grows at its end.
    levels: Vec<Vec<Hash>>,
}

impl MemoryTree {
    /// The tree over these leaf hashes.
    ///
    /// # Errors
    ///
    /// [`TreeError::Full`] beyond [`LEAVES_MAX`](super::LEAVES_MAX) leaves.
    pub fn from_leaves(leaf_hashes: &[Hash]) -> Result<Self, TreeError> {
        let mut tree = Self::default();
        leaf_hashes.iter().try_for_each(|leaf| tree.append(*leaf).map(drop))?;
        Ok(tree)
    }

    /// Adds a leaf; its index. A leaf hash must be made with [`leaf_hash`](super::leaf_hash), or another hash that can't
    /// have an inner node's input.
    ///
    /// # Errors
    ///
    /// [`TreeError::Full`] beyond [`LEAVES_MAX`](super::LEAVES_MAX) leaves.
    pub fn append(&mut self, leaf_hash: Hash) -> Result<u64, TreeError> {
        subtrees::append(self, leaf_hash)
    }

    /// The number of leaves.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root at `size` leaves, the present size or any former one.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoSuchSize`] if the tree is smaller.
    pub fn root(&self, size: u64) -> Result<Hash, TreeError> {
        subtrees::root(self, size)
    }

    /// The proof that leaf `index` is in the tree of `size` leaves.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoSuchSize`] if the tree is smaller, [`TreeError::NoSuchLeaf`] unless `index < size`.
    pub fn inclusion(&self, index: u64, size: u64) -> Result<InclusionProof, TreeError> {
        subtrees::inclusion(self, index, size)
    }

    /// The proof that the tree of `new` leaves begins with the tree of `old` leaves.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoSuchSize`] unless `old <= new` and the tree has `new` leaves.
    pub fn consistency(&self, old: u64, new: u64) -> Result<ConsistencyProof, TreeError> {
        subtrees::consistency(self, old, new)
    }
}

impl Hashes for MemoryTree {
    type Error = TreeError;

    fn size(&self) -> Result<u64, TreeError> {
        Ok(self.size)
    }

    fn hash(&self, at: Position) -> Result<Option<Hash>, TreeError> {
        let level = self.levels.get(usize::from(at.level));
        let index = usize::try_from(at.index).unwrap_or(usize::MAX);
        Ok(level.and_then(|level| level.get(index)).copied())
    }
}

impl HashesMut for MemoryTree {
    fn put_size(&mut self, size: u64) {
        self.size = size;
    }

    fn put_hash(&mut self, at: Position, hash: Hash) {
        match self.levels.get_mut(usize::from(at.level)) {
            Some(level) => level.push(hash),
            // A level begins right after the one below it has its second hash.
            None => self.levels.push(vec![hash]),
        }
    }
}
