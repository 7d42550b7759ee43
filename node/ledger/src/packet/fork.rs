//! Two checkpoints that convict the registrar, notary or reader which signed both.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::Version;
use sudare_crypto::{Hash, NodeId};
use sudare_disclosure::AssetCore;

use crate::tree::{CheckpointError, LogKind, SignedCheckpoint, SignerName};

/// Two checkpoints of one asset log, of one size and with two roots. Whoever has them needs nobody's word: the asset's identity
/// fixes the key that signed both.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Fork {
    /// The asset.
    pub core: AssetCore,
    /// One history.
    pub one: SignedCheckpoint,
    /// The other.
    pub other: SignedCheckpoint,
}

/// Two checkpoints of a log that is named after the node that keeps it, of one size and with two roots: of a notary's log, or of
/// a node's access log. Whoever knows the node needs nobody's word.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct NodeFork {
    /// Format version.
    pub version: Version<1>,
    /// The node.
    pub node: NodeId,
    /// One history.
    pub one: SignedCheckpoint,
    /// The other.
    pub other: SignedCheckpoint,
}

/// Why two checkpoints convict nobody.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ForkError {
    /// One of them is not a checkpoint of this log.
    #[error("[LOG-5] {0}: it proves nothing against whoever keeps this log")]
    Checkpoint(#[from] CheckpointError),
    /// They are of two sizes.
    #[error(
        "[LOG-5] checkpoints of {one} and {other} entries contradict each other only if whoever keeps the log can't join them: ask it for a consistency proof"
    )]
    Sizes {
        /// Entries under the one.
        one: u64,
        /// Entries under the other.
        other: u64,
    },
    /// They agree.
    #[error("[LOG-5] the checkpoints agree: there is no fork")]
    Same,
}

impl Fork {
    /// The size at which the registrar signed two roots, and both.
    ///
    /// Enforces [LOG-5].
    ///
    /// # Errors
    ///
    /// [`ForkError`] unless both are by the asset's registrar, of one size, with two roots, and every other signature on them is
    /// that of the node that it names.
    pub fn verify(&self) -> Result<(u64, [Hash; 2]), ForkError> {
        let origin = crate::registrar::origin(self.core.network, self.core.id())?;
        contradict(&self.one, &self.other, &origin, &self.core.registrar)
    }
}

impl NodeFork {
    /// The size at which the node signed two roots, and both.
    ///
    /// Enforces [LOG-5].
    ///
    /// # Errors
    ///
    /// [`ForkError`] unless both are by the node, of one log of its, of one size, with two roots.
    pub fn verify(&self) -> Result<(u64, [Hash; 2]), ForkError> {
        let origin = node_log(&self.one, self.node)?;
        contradict(&self.one, &self.other, &origin, &self.node)
    }
}

/// The name of the notary's or access log of `node` that a checkpoint says it is of, in whatever network it says; nothing of it
/// is verified, and of another node's log it is the access log's.
///
/// # Errors
///
/// [`CheckpointError`] if no network is called so.
pub fn node_log(
    checkpoint: &SignedCheckpoint,
    node: NodeId,
) -> Result<SignerName, CheckpointError> {
    let found = &checkpoint.unverified().origin;
    let network = found.as_str().split('/').nth(1).unwrap_or_default();
    let notary = SignerName::of_log(network, LogKind::Notary, &node.0)?;
    if notary == *found {
        return Ok(notary);
    }
    Ok(SignerName::of_log(network, LogKind::Access, &node.0)?)
}

/// Checks that both are of this log by this key, whole, of one size and with two roots.
fn contradict(
    one: &SignedCheckpoint,
    other: &SignedCheckpoint,
    origin: &SignerName,
    key: &NodeId,
) -> Result<(u64, [Hash; 2]), ForkError> {
    let (first, second) = (one.open(origin, key)?, other.open(origin, key)?);
    one.witnesses()?;
    other.witnesses()?;
    if first.size != second.size {
        return Err(ForkError::Sizes { one: first.size, other: second.size });
    }
    if first.root == second.root {
        return Err(ForkError::Same);
    }
    Ok((first.size, [first.root, second.root]))
}
