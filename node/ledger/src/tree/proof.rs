//! Proofs that a leaf is in a tree, and that a tree begins with an older one (RFC 9162 sections 2.1.3.2 and 2.1.4.2).

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::{Bounded, Hash};

use super::{LEAVES_MAX, TreeError, empty_root, node_hash};

/// The most hashes a proof about a tree of up to [`LEAVES_MAX`] leaves can have.
pub const PROOF_HASHES_MAX: usize = 64;

/// The sibling hashes from a leaf up to the root.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct InclusionProof {
    path: Bounded<Hash, PROOF_HASHES_MAX>,
}

impl InclusionProof {
    pub(super) fn new(path: Vec<Hash>) -> Result<Self, TreeError> {
        Ok(Self { path: bounded(path)? })
    }

    /// Checks that the leaf is number `index` of the tree of `size` leaves with this root.
    ///
    /// A root alone doesn't fix how many leaves are under it: `size` must come from where the root comes from (a verified
    /// checkpoint, a hash over both), else the same leaf can be shown under another index.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoSuchSize`], [`TreeError::NoSuchLeaf`], [`TreeError::ProofLength`] or [`TreeError::OtherRoot`], in
    /// this order.
    pub fn verify(
        &self,
        leaf_hash: &Hash,
        index: u64,
        size: u64,
        root: &Hash,
    ) -> Result<(), TreeError> {
        if self.root(leaf_hash, index, size)? == *root {
            Ok(())
        } else {
            Err(TreeError::OtherRoot { size })
        }
    }

    /// The root that the proof leads to from this leaf.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoSuchSize`], [`TreeError::NoSuchLeaf`] or [`TreeError::ProofLength`], in this order.
    pub fn root(&self, leaf_hash: &Hash, index: u64, size: u64) -> Result<Hash, TreeError> {
        check_size(size)?;
        if index >= size {
            return Err(TreeError::NoSuchLeaf { index, size });
        }
        let mut climb = Climb::new(index, size);
        let mut hash = *leaf_hash;
        for sibling in &self.path {
            hash = match climb.step().ok_or_else(|| length_error(&self.path))? {
                Side::Left => node_hash(sibling, &hash),
                Side::Right => node_hash(&hash, sibling),
            };
        }
        if climb.at_root() { Ok(hash) } else { Err(length_error(&self.path)) }
    }

    /// The sibling hashes, the leaf's own first.
    #[must_use]
    pub fn path(&self) -> &[Hash] {
        &self.path
    }
}

/// The hashes of subtrees from which the roots of an older and a newer size of one log can both be computed.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct ConsistencyProof {
    path: Bounded<Hash, PROOF_HASHES_MAX>,
}

impl ConsistencyProof {
    pub(super) fn new(path: Vec<Hash>) -> Result<Self, TreeError> {
        Ok(Self { path: bounded(path)? })
    }

    /// Checks that the tree of `new_size` leaves with `new_root` begins with the tree of `old_size` leaves with `old_root`.
    ///
    /// Every tree begins with the empty one and with itself; then the proof has no hashes.
    ///
    /// # Errors
    ///
    /// [`TreeError::NoSuchSize`] for sizes in the wrong order, [`TreeError::ProofLength`], or [`TreeError::OtherRoot`] with
    /// the size of the root that isn't met; that is the new one where the proof takes the old root as given.
    pub fn verify(
        &self,
        old_size: u64,
        old_root: &Hash,
        new_size: u64,
        new_root: &Hash,
    ) -> Result<(), TreeError> {
        check_size(new_size)?;
        if old_size > new_size {
            return Err(TreeError::NoSuchSize { size: old_size, largest: new_size });
        }
        if old_size == 0 || old_size == new_size {
            return self.verify_trivial(old_size, old_root, new_size, new_root);
        }
        let (old, new) = self.roots(old_size, old_root, new_size)?;
        if old != *old_root {
            return Err(TreeError::OtherRoot { size: old_size });
        }
        if new != *new_root {
            return Err(TreeError::OtherRoot { size: new_size });
        }
        Ok(())
    }

    /// The hashes, the lowest subtree first.
    #[must_use]
    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    fn verify_trivial(
        &self,
        old_size: u64,
        old_root: &Hash,
        new_size: u64,
        new_root: &Hash,
    ) -> Result<(), TreeError> {
        if !self.path.is_empty() {
            return Err(length_error(&self.path));
        }
        if old_size == 0 && *old_root != empty_root() {
            return Err(TreeError::OtherRoot { size: old_size });
        }
        if old_size == new_size && old_root != new_root {
            return Err(TreeError::OtherRoot { size: new_size });
        }
        Ok(())
    }

    /// The old and new root that the proof leads to, for `0 < old_size < new_size`.
    fn roots(
        &self,
        old_size: u64,
        old_root: &Hash,
        new_size: u64,
    ) -> Result<(Hash, Hash), TreeError> {
        // The climb starts at the largest subtree that ends with the old tree's last leaf; it is the whole old tree
        // if that is complete, and then left out of the proof.
        let mut climb = Climb::new(old_size.saturating_sub(1), new_size);
        climb.skip_right_children();
        let (start, rest) = if old_size.is_power_of_two() {
            (old_root, &*self.path)
        } else {
            self.path.split_first().ok_or_else(|| length_error(&self.path))?
        };
        let (mut old, mut new) = (*start, *start);
        for sibling in rest {
            match climb.step().ok_or_else(|| length_error(&self.path))? {
                Side::Left => {
                    old = node_hash(sibling, &old);
                    new = node_hash(sibling, &new);
                }
                Side::Right => new = node_hash(&new, sibling),
            }
        }
        if climb.at_root() { Ok((old, new)) } else { Err(length_error(&self.path)) }
    }
}

/// On which side of the climber its sibling is.
enum Side {
    Left,
    Right,
}

/// A way up the tree: the number of the node it stands at on its level, and of the level's last node.
struct Climb {
    node: u64,
    last: u64,
}

impl Climb {
    /// At leaf `index` of a tree of `size > index` leaves.
    const fn new(index: u64, size: u64) -> Self {
        Self { node: index, last: size.saturating_sub(1) }
    }

    const fn at_root(&self) -> bool {
        self.last == 0
    }

    /// Goes up past the next sibling; none at the root.
    fn step(&mut self) -> Option<Side> {
        if self.at_root() {
            return None;
        }
        let right_child = self.node & 1 == 1;
        if !right_child && self.node == self.last {
            // A last node without a sibling is its own parent.
            while self.node & 1 == 0 {
                self.up();
            }
            self.up();
            return Some(Side::Left);
        }
        self.up();
        Some(if right_child { Side::Left } else { Side::Right })
    }

    /// Goes up to the first ancestor that is a left child or the root.
    fn skip_right_children(&mut self) {
        while self.node & 1 == 1 {
            self.up();
        }
    }

    const fn up(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }
}

fn check_size(size: u64) -> Result<(), TreeError> {
    if size > LEAVES_MAX {
        return Err(TreeError::NoSuchSize { size, largest: LEAVES_MAX });
    }
    Ok(())
}

fn bounded(path: Vec<Hash>) -> Result<Bounded<Hash, PROOF_HASHES_MAX>, TreeError> {
    let hashes = path.len();
    Bounded::new(path).map_err(|_| TreeError::ProofLength { hashes })
}

fn length_error(path: &[Hash]) -> TreeError {
    TreeError::ProofLength { hashes: path.len() }
}
