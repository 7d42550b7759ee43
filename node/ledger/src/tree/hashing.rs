//! The two hashes of RFC 6962 section 2.1; their first byte keeps leaves and inner nodes apart.

use sha2::{Digest, Sha256};
use sudare_crypto::Hash;

const LEAF: [u8; 1] = [0];
const NODE: [u8; 1] = [1];

/// The hash of a leaf, `SHA-256(0x00 | entry)`.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(Sha256::new().chain_update(LEAF).chain_update(entry).finalize().into())
}

/// The hash of an inner node, `SHA-256(0x01 | left | right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let state = Sha256::new().chain_update(NODE);
    Hash(state.chain_update(left.as_bytes()).chain_update(right.as_bytes()).finalize().into())
}

/// The root of the tree without leaves, the SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::new().finalize().into())
}

/// The root of the tree over a whole list of leaf hashes.
///
/// A leaf hash must be made with [`leaf_hash`], or another hash that can't have an inner node's input.
#[must_use]
pub fn list_root(leaf_hashes: &[Hash]) -> Hash {
    let mut level = leaf_hashes.to_vec();
    while level.len() > 1 {
        // A last node without a sibling moves up as it is.
        level = level
            .chunks(2)
            .filter_map(|pair| match pair {
                [left, right] => Some(node_hash(left, right)),
                other => other.first().copied(),
            })
            .collect();
    }
    level.first().copied().unwrap_or_else(empty_root)
}
