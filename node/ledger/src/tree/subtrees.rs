//! The tree's algorithms over stored hashes of complete subtrees (RFC 6962 section 2.1, RFC 9162 sections 2.1.3 and 2.1.4).
//!
//! A subtree is complete when it has 2^level leaves, starting at a multiple of 2^level. Every range that a proof needs is a
//! row of complete subtrees of falling size, so its root is at most 63 reads away.

use sudare_crypto::Hash;

use super::{
    ConsistencyProof, InclusionProof, LEAVES_MAX, TreeError, empty_root, hashing::node_hash,
};

/// Where a complete subtree stands: subtree number `index` of those with 2^`level` leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Position {
    pub(super) level: u8,
    pub(super) index: u64,
}

/// Reads stored hashes.
pub(super) trait Hashes {
    type Error: From<TreeError>;

    /// The number of leaves appended.
    fn size(&self) -> Result<u64, Self::Error>;

    /// The hash of a complete subtree.
    fn hash(&self, at: Position) -> Result<Option<Hash>, Self::Error>;
}

/// Stores hashes; nothing stored is ever changed, but the size.
pub(super) trait HashesMut: Hashes {
    fn put_size(&mut self, size: u64);

    fn put_hash(&mut self, at: Position, hash: Hash);
}

/// Adds a leaf and every subtree that it completes; the leaf's index.
pub(super) fn append<S: HashesMut>(store: &mut S, leaf: Hash) -> Result<u64, S::Error> {
    let index = store.size()?;
    if index >= LEAVES_MAX {
        return Err(TreeError::Full.into());
    }
    let (mut at, mut hash) = (Position { level: 0, index }, leaf);
    store.put_hash(at, hash);
    while at.index & 1 == 1 {
        let left = Position { index: at.index ^ 1, ..at };
        hash = node_hash(&stored(store, left)?, &hash);
        at = Position { level: at.level.saturating_add(1), index: at.index >> 1 };
        store.put_hash(at, hash);
    }
    store.put_size(index.saturating_add(1));
    Ok(index)
}

/// The root at `size` leaves, the present size or any former one.
pub(super) fn root<S: Hashes>(store: &S, size: u64) -> Result<Hash, S::Error> {
    check_size(store, size)?;
    range_root(store, 0, size)
}

/// The proof that leaf `index` is in the tree of `size` leaves.
pub(super) fn inclusion<S: Hashes>(
    store: &S,
    index: u64,
    size: u64,
) -> Result<InclusionProof, S::Error> {
    check_size(store, size)?;
    if index >= size {
        return Err(TreeError::NoSuchLeaf { index, size }.into());
    }
    let (mut start, mut length, mut path) = (0, size, Vec::new());
    while length > 1 {
        let (left, right) = split(length);
        let middle = left.saturating_add(start);
        if index < middle {
            path.push(range_root(store, middle, right)?);
            length = left;
        } else {
            path.push(range_root(store, start, left)?);
            (start, length) = (middle, right);
        }
    }
    path.reverse();
    Ok(InclusionProof::new(path)?)
}

/// The proof that the tree of `new` leaves begins with the tree of `old` leaves; empty if `old` is 0 or `new`.
pub(super) fn consistency<S: Hashes>(
    store: &S,
    old: u64,
    new: u64,
) -> Result<ConsistencyProof, S::Error> {
    check_size(store, new)?;
    if old > new {
        return Err(TreeError::NoSuchSize { size: old, largest: new }.into());
    }
    let (mut start, mut length, mut path) = (0, new, Vec::new());
    // `old` counts from `start` on; it ends where a subtree of the new tree is one of the old tree.
    let mut rest = old;
    while rest > 0 && rest < length {
        let (left, right) = split(length);
        let middle = left.saturating_add(start);
        if rest <= left {
            path.push(range_root(store, middle, right)?);
            length = left;
        } else {
            path.push(range_root(store, start, left)?);
            (start, length, rest) = (middle, right, rest.saturating_sub(left));
        }
    }
    // At start 0 it is the whole old tree, whose root the verifier has.
    if start > 0 {
        path.push(range_root(store, start, length)?);
    }
    path.reverse();
    Ok(ConsistencyProof::new(path)?)
}

/// The root over `length` leaves from `start`, a multiple of a power of two that is at least `length`.
fn range_root<S: Hashes>(store: &S, start: u64, length: u64) -> Result<Hash, S::Error> {
    let (mut start, mut rest, mut row) = (start, length, Vec::new());
    while let Some(level) = rest.checked_ilog2() {
        let level = u8::try_from(level).map_err(|_| TreeError::Full)?;
        row.push(stored(store, Position { level, index: start >> level })?);
        let width = 1 << level;
        (start, rest) = (start.saturating_add(width), rest.saturating_sub(width));
    }
    Ok(row
        .into_iter()
        .rev()
        .reduce(|right, left| node_hash(&left, &right))
        .unwrap_or_else(empty_root))
}

fn stored<S: Hashes>(store: &S, at: Position) -> Result<Hash, S::Error> {
    let Position { level, index } = at;
    store.hash(at)?.ok_or_else(|| TreeError::MissingHash { level, index }.into())
}

fn check_size<S: Hashes>(store: &S, size: u64) -> Result<(), S::Error> {
    let largest = store.size()?;
    if size > largest.min(LEAVES_MAX) {
        return Err(TreeError::NoSuchSize { size, largest }.into());
    }
    Ok(())
}

/// The sizes of the left and right subtree of a tree of 2 to [`LEAVES_MAX`] leaves: left is the largest power of two below.
const fn split(length: u64) -> (u64, u64) {
    let left = length.next_power_of_two() >> 1;
    (left, length.saturating_sub(left))
}
