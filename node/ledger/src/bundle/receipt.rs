//! That a transaction is final, for whoever knows its notary and nothing else of it.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::NodeId;
use sudare_crypto::encoding::Version;
use sudare_disclosure::AssetCore;

use crate::log::Receipt;
use crate::transaction::{Commit, CommitError};

/// A notary's receipt with the commit that it records: every approval, and that all legs are final or none.
///
/// Neither says what was moved: legs are roots over salted components.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct ReceiptFile {
    /// Format version.
    pub version: Version<1>,
    /// What was recorded.
    pub commit: Commit,
    /// The notary's word.
    pub receipt: Receipt,
}

/// Why a receipt's file was refused, each with the next step.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ReceiptError {
    /// The transaction can't be final.
    #[error("[FIN-1] the transaction is not final: {0}; refuse the file")]
    Commit(#[from] CommitError),
    /// The receipt is of something else.
    #[error("[FIN-2] the notary's receipt is not for this transaction: refuse the file")]
    Receipt,
    /// By another notary than expected.
    #[error("[FIN-2] the receipt is by notary {0}, which is not the one expected: refuse the file")]
    OtherNotary(NodeId),
    /// None of the asset's legs is in it.
    #[error(
        "[FIN-1] the transaction is of another network, or none of its legs has the asset's registrar: ask for the right receipt"
    )]
    OtherAsset,
}

impl ReceiptFile {
    /// Checks every approval, and that `notary` recorded the commit within its window.
    ///
    /// Enforces [FIN-1] and [FIN-2] for whoever took no part in the transaction.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`], the first that applies.
    pub fn verify(&self, notary: NodeId) -> Result<(), ReceiptError> {
        let Self { commit, receipt, .. } = self;
        commit.check()?;
        if !receipt.is_of(commit) {
            return Err(ReceiptError::Receipt);
        }
        let found = commit.transaction.notary;
        if found == notary { Ok(()) } else { Err(ReceiptError::OtherNotary(found)) }
    }

    /// The same for an asset: its notary recorded a transaction in which its registrar approved a leg.
    ///
    /// # Errors
    ///
    /// [`ReceiptError`], the first that applies.
    pub fn verify_of(&self, core: &AssetCore) -> Result<(), ReceiptError> {
        self.verify(core.notary)?;
        let transaction = &self.commit.transaction;
        let approved = transaction.legs.iter().any(|leg| leg.registrar == core.registrar);
        let fits = approved && transaction.network == core.network;
        if fits { Ok(()) } else { Err(ReceiptError::OtherAsset) }
    }
}
