//! That a house has erased a person's data, signed by its node (specs/erasure.md).

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{BadSignature, Hash, NodeId, NodeKey, NodeSignature, Text};

const ERASURE: &[u8] = b"sudare/erasure/v1";

/// What was erased. Nothing in it is personal: the row that it names says nothing of anybody any more.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Erasure {
    /// Format version.
    pub version: Version<1>,
    /// The network.
    pub network: Hash,
    /// The node of the house.
    pub house: NodeId,
    /// The id of the row: 32 hexadecimal digits.
    pub row: Text<32>,
    /// The institution whose row it was.
    pub institution: Text<64>,
    /// Why, as two people approved it.
    pub reason: Text<200>,
    /// The approval, which has their names: 32 hexadecimal digits.
    pub approval: Text<32>,
    /// When it was approved, by the house's clock, ms since the Unix epoch.
    pub approved_at: u64,
    /// When the key was destroyed.
    pub destroyed_at: u64,
    /// `H("sudare/erased-key/v1", key)`: the key that all of it was sealed under.
    pub key: Hash,
    /// The number of the root key that was destroyed with it.
    pub root: u64,
    /// How many sealed items were deleted besides: versions of the row, signed requests, answers that were remembered.
    pub items: u32,
    /// In how many assets the investor had an account, each without units.
    pub accounts: u32,
}

/// An erasure with the signature of the house's node.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SignedErasure {
    /// What it says.
    pub erasure: Erasure,
    /// By the house's node.
    pub signature: NodeSignature,
}

/// Why a certificate of an erasure was refused, each with the next step.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ErasureError {
    /// By another node than expected.
    #[error(
        "[ERA-5] the certificate is by node {0}, not by the one expected: ask its sender for the node's identity"
    )]
    OtherHouse(NodeId),
    /// The house did not sign this.
    #[error(
        "[ERA-5] the node did not sign this certificate: refuse it, ask the institution for its own"
    )]
    Signature,
    /// It says that the key went before anybody approved it.
    #[error("[ERA-5] the certificate contradicts itself: {0}; refuse it")]
    Contradiction(&'static str),
}

impl Erasure {
    /// Signs it with the key of the house's node.
    #[must_use]
    pub fn sign(self, key: &NodeKey) -> SignedErasure {
        let signature = key.sign(ERASURE, &encode(&self));
        SignedErasure { erasure: self, signature }
    }
}

impl SignedErasure {
    /// Checks that `house` signed it, and that it does not contradict itself.
    ///
    /// Enforces [ERA-5].
    ///
    /// # Errors
    ///
    /// [`ErasureError`], the first that applies.
    pub fn verify(&self, house: NodeId) -> Result<(), ErasureError> {
        let erasure = &self.erasure;
        if erasure.house != house {
            return Err(ErasureError::OtherHouse(erasure.house));
        }
        let signed = house.verify(ERASURE, &encode(erasure), &self.signature);
        signed.map_err(|BadSignature| ErasureError::Signature)?;
        if erasure.destroyed_at < erasure.approved_at {
            return Err(ErasureError::Contradiction("the key went before that was approved"));
        }
        let is_id = |id: &str| {
            id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        };
        if !is_id(erasure.row.as_str()) || !is_id(erasure.approval.as_str()) {
            return Err(ErasureError::Contradiction("it names no row or no approval"));
        }
        Ok(())
    }
}
