//! Two checkpoints that convict the registrar which signed both.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::Hash;
use sudare_disclosure::AssetCore;

use crate::tree::{CheckpointError, SignedCheckpoint};

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

/// Why two checkpoints convict nobody.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ForkError {
    /// One of them is not the registrar's checkpoint of this asset's log.
    #[error("[LOG-5] {0}: it proves nothing against this registrar")]
    Checkpoint(#[from] CheckpointError),
    /// They are of two sizes.
    #[error(
        "[LOG-5] checkpoints of {one} and {other} entries contradict each other only if the registrar can't join them: ask it for a consistency proof"
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
        let one = self.one.open(&origin, &self.core.registrar)?;
        let other = self.other.open(&origin, &self.core.registrar)?;
        self.one.witnesses()?;
        self.other.witnesses()?;
        if one.size != other.size {
            return Err(ForkError::Sizes { one: one.size, other: other.size });
        }
        if one.root == other.root {
            return Err(ForkError::Same);
        }
        Ok((one.size, [one.root, other.root]))
    }
}
