//! Asset terms: what an asset is, who keeps its register, who notarises it, and who may read what.

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{BadSignature, Claims, Hash, NodeId, NodeKey, NodeSignature, Rejected, Text};

use crate::policy::{Policy, PolicyError};

const SIGNING: &[u8] = b"sudare/terms/v1";

/// An asset's identity: the hash of its unchanging core.
#[derive(
    Clone, Copy, Debug, Default, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize,
)]
pub struct AssetId(pub Hash);

impl std::fmt::Display for AssetId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What never changes of an asset. Keys prove possession over its hash, so the policy can't be part of it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct AssetCore {
    /// Format version.
    pub version: Version<1>,
    /// The network.
    pub network: Hash,
    /// ISIN, or a ticker for cash.
    pub code: Text<12>,
    /// Name for people.
    pub name: Text<64>,
    /// The unit's name.
    pub unit: Text<16>,
    /// How many decimals an atomic unit has.
    pub decimals: u8,
    /// The registrar's node.
    pub registrar: NodeId,
    /// The notary's node.
    pub notary: NodeId,
    /// The longest window of a transaction, in ms.
    pub window_max_ms: u64,
    /// 32 random bytes.
    pub nonce: [u8; 32],
}

impl AssetCore {
    /// The asset's identity.
    #[must_use]
    pub fn id(&self) -> AssetId {
        AssetId(Hash::of(b"sudare/asset/v1", &[&encode(self)]))
    }
}

/// One version of an asset's terms.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct AssetTerms {
    /// What never changes.
    pub core: AssetCore,
    /// The version's number, from 0.
    pub number: u32,
    /// Who may read what.
    pub policy: Policy,
}

impl AssetTerms {
    /// The hash that legs and slots cite, so that they are bound to this policy.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(b"sudare/terms-hash/v1", &[&encode(self)])
    }

    /// The asset.
    #[must_use]
    pub fn asset(&self) -> AssetId {
        self.core.id()
    }

    /// Signs the terms as the asset's registrar.
    #[must_use]
    pub fn sign(self, key: &NodeKey) -> SignedTerms {
        let signature = key.sign(SIGNING, &encode(&self));
        SignedTerms { terms: self, signature }
    }
}

/// Terms with the registrar's signature.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SignedTerms {
    /// The terms.
    pub terms: AssetTerms,
    /// By the registrar that they name.
    pub signature: NodeSignature,
}

/// Why terms were refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TermsError {
    /// Not the registrar's signature.
    #[error("the terms are not signed by the registrar they name")]
    Signature(#[from] BadSignature),
    /// The policy is not valid.
    #[error("the disclosure policy is not valid: {0}")]
    Policy(#[from] PolicyError),
    /// A proof of possession does not verify.
    #[error("a disclosure key is not proved: {0}")]
    Possession(#[from] Rejected),
    /// Of another network.
    #[error("the terms are of another network")]
    Network,
}

impl SignedTerms {
    /// Checks signature, policy and every proof of possession.
    ///
    /// # Errors
    ///
    /// [`TermsError`].
    pub fn check(&self, network: Hash, rng: &mut impl CryptoRngCore) -> Result<(), TermsError> {
        let core = &self.terms.core;
        if core.network != network {
            return Err(TermsError::Network);
        }
        core.registrar.verify(SIGNING, &encode(&self.terms), &self.signature)?;
        let mut claims = Claims::new();
        self.terms.policy.check(network, self.terms.asset(), &mut claims)?;
        Ok(claims.accept(rng)?)
    }
}
