//! A Merkle tree whose nodes carry the sum of the commitments below them and the least locator, by which leaves are found.

use std::iter::Peekable;
use std::slice;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::encode;
use sudare_crypto::{Bounded, Encoded, Hash, Malformed, RistrettoPoint};

/// The most levels above the leaves.
const LEVELS_MAX: usize = 24;

/// A node: a hash, and the sum of the commitments of all leaves below it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SumNode {
    /// Of a leaf that of its content; of an inner node that of both nodes below it.
    pub hash: Hash,
    /// The sum of the commitments.
    pub sum: Encoded,
    /// The first leaf's locator: whoever searches for one goes right where it is not below the right node's.
    pub first: Hash,
}

/// The nodes beside the way from a leaf to the root, from the leaf up.
pub type SumPath = Bounded<SumNode, LEVELS_MAX>;

/// A tree over a power of two of leaves, with all its nodes.
#[derive(Clone, Debug)]
pub(super) struct SumTree {
    /// From the leaves up to the root.
    levels: Vec<Vec<SumNode>>,
}

impl SumNode {
    /// The node above two.
    fn above(left: &Self, right: &Self, sum: &RistrettoPoint) -> Self {
        let hash = Hash::of(b"sudare/snapshot-node/v1", &[&encode(left), &encode(right)]);
        Self { hash, sum: Encoded::of(sum), first: left.first }
    }
}

impl SumTree {
    /// The tree over these leaves, whose sums are given beside them; their number is a power of two.
    pub(super) fn new(leaves: &[(SumNode, RistrettoPoint)]) -> Self {
        let mut levels = vec![leaves.iter().map(|(node, _)| *node).collect()];
        let mut level = leaves.to_vec();
        while level.len() > 1 {
            let pairs = level.chunks_exact(2).filter_map(|pair| match pair {
                [(left, l), (right, r)] => {
                    let sum = l + r;
                    Some((SumNode::above(left, right, &sum), sum))
                }
                _ => None,
            });
            level = pairs.collect();
            levels.push(level.iter().map(|(node, _)| *node).collect());
        }
        Self { levels }
    }

    pub(super) fn leaves(&self) -> &[SumNode] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    pub(super) fn levels(&self) -> impl Iterator<Item = &[SumNode]> {
        self.levels.iter().map(Vec::as_slice)
    }

    /// None of a tree without leaves.
    pub(super) fn root(&self) -> Option<SumNode> {
        self.levels.last()?.first().copied()
    }

    /// The path of the leaf at `place`.
    pub(super) fn path(&self, place: usize) -> Option<SumPath> {
        let (_, below) = self.levels.split_last()?;
        let mut at = place;
        let mut path = Vec::with_capacity(below.len());
        for level in below {
            path.push(*level.get(at ^ 1)?);
            at /= 2;
        }
        path.try_into().ok()
    }
}

/// Whether the search for `locator` in the tree of `leaves` leaves ends at this leaf, at `place`, and its commitment is part of the
/// root's sum. The leaf is the locator's own if [`SumNode::first`] is; otherwise no leaf is.
///
/// Enforces [SNP-5]: a search turns the same way for everybody, so that a root has one answer to each locator.
///
/// # Errors
///
/// [`Malformed`] if a sum does not decode.
pub fn search_ends_at(
    leaf: &SumNode,
    locator: &Hash,
    (place, path): (u32, &SumPath),
    (leaves, root): (u32, &SumNode),
) -> Result<bool, Malformed> {
    let levels = usize::try_from(leaves.trailing_zeros()).unwrap_or(usize::MAX);
    if !leaves.is_power_of_two() || path.len() != levels || place >= leaves {
        return Ok(false);
    }
    let (mut node, mut sum, mut at) = (*leaf, leaf.sum.decompress()?, place);
    for beside in path.iter() {
        sum += beside.sum.decompress()?;
        let is_left = at.is_multiple_of(2);
        let (left, right) = if is_left { (&node, beside) } else { (beside, &node) };
        if is_left != (*locator < right.first) {
            return Ok(false);
        }
        node = SumNode::above(left, right, &sum);
        at /= 2;
    }
    Ok(node == *root)
}

/// The root that leaves and the nodes beside them give, if the search for each leaf's own locator ends there; none if leaves are not in
/// ascending order of their places, or a node is missing or left over.
///
/// `beside` are the highest nodes without a leaf shown below them, from left to right.
///
/// Enforces [SNP-5] for all leaves shown.
///
/// # Errors
///
/// [`Malformed`] if a sum does not decode.
pub fn root_over(
    leaves: u32,
    shown: &[(u32, SumNode)],
    beside: &[SumNode],
) -> Result<Option<SumNode>, Malformed> {
    let levels = leaves.trailing_zeros();
    if !leaves.is_power_of_two() || usize::try_from(levels).is_ok_and(|levels| levels > LEVELS_MAX)
    {
        return Ok(None);
    }
    let mut walk = Walk { shown: shown.iter().peekable(), beside: beside.iter() };
    let found = walk.node(levels, 0)?;
    let whole = walk.shown.next().is_none() && walk.beside.next().is_none();
    Ok(found.filter(|_| whole).map(|found| found.node))
}

/// What is left of leaves and nodes on a walk from left to right.
struct Walk<'a> {
    shown: Peekable<slice::Iter<'a, (u32, SumNode)>>,
    beside: slice::Iter<'a, SumNode>,
}

/// A node that was come to, with the least and greatest of the locators shown below it.
struct Reached {
    node: SumNode,
    sum: RistrettoPoint,
    shown: Option<(Hash, Hash)>,
}

impl Walk<'_> {
    fn node(&mut self, level: u32, place: u64) -> Result<Option<Reached>, Malformed> {
        let end = place.saturating_add(1) << level;
        let below = self.shown.peek().filter(|(leaf, _)| u64::from(*leaf) < end).copied();
        let Some((leaf, node)) = below else {
            let Some(node) = self.beside.next().copied() else { return Ok(None) };
            let sum = node.sum.decompress()?;
            return Ok(Some(Reached { node, sum, shown: None }));
        };
        let Some(level) = level.checked_sub(1) else {
            let _ = self.shown.next();
            let (node, sum) = (*node, node.sum.decompress()?);
            let shown = Some((node.first, node.first));
            let reached = Reached { node, sum, shown };
            return Ok(Some(reached).filter(|_| u64::from(*leaf) == place));
        };
        let Some(left) = self.node(level, place << 1)? else { return Ok(None) };
        let Some(right) = self.node(level, place << 1 | 1)? else { return Ok(None) };
        let first = right.node.first;
        let turns_left = left.shown.is_none_or(|(_, greatest)| greatest < first);
        let turns_right = right.shown.is_none_or(|(least, _)| least >= first);
        if !turns_left || !turns_right {
            return Ok(None);
        }
        let sum = left.sum + right.sum;
        let node = SumNode::above(&left.node, &right.node, &sum);
        let ends = |(least, _): (Hash, Hash), (_, greatest): (Hash, Hash)| (least, greatest);
        let shown = match (left.shown, right.shown) {
            (Some(left), Some(right)) => Some(ends(left, right)),
            (one, other) => one.or(other),
        };
        Ok(Some(Reached { node, sum, shown }))
    }
}
