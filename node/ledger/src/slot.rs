//! Receive slots: the owner part of a note, made and signed by the receiver's custodian (specs/slot.md).

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::linear::LinearProof;
use sudare_crypto::point::times_b;
use sudare_crypto::proof::owner;
use sudare_crypto::{
    Bounded, Claims, Encoded, Hash, LedgerTranscript, Malformed, NodeId, NodeKey, NodeSignature,
    Rejected,
};
use sudare_disclosure::policy::KEYS_MAX;
use sudare_disclosure::{AssetId, Epoch, Field};

use crate::note::SlotSecrets;

const SIGNING: &[u8] = b"sudare/slot-signature/v1";

/// What a slot is for.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SlotContext {
    /// Format version.
    pub version: Version<1>,
    /// The network.
    pub network: Hash,
    /// The asset.
    pub asset: AssetId,
    /// The hash of the asset's terms.
    pub terms: Hash,
    /// The epoch whose keys the slot is encrypted to.
    pub epoch: u32,
    /// The receiver's custodian, who signs the slot.
    pub receiver: NodeId,
    /// Fresh random bytes, from which the secrets behind the slot are derived.
    pub nonce: [u8; 32],
    /// The registrar approves no leg with this slot from then on, in ms since the Unix epoch.
    pub expires_at: u64,
    /// The hash of the proposal that the slot answers.
    pub proposal: Hash,
}

/// A receive slot.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Slot {
    /// What it is for.
    pub context: SlotContext,
    /// `O`.
    pub owner: Encoded,
    /// `U`.
    pub ephemeral: Encoded,
    /// `F_j`, one a key with `parties`.
    pub identities: Bounded<Encoded, KEYS_MAX>,
    /// The one-time key to which the receiver's memo sections are wrapped.
    pub memo_key: Encoded,
    /// [`owner`] proof.
    pub proof: LinearProof,
}

/// A slot with its custodian's signature.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SignedSlot {
    /// The slot.
    pub slot: Slot,
    /// By [`SlotContext::receiver`].
    pub signature: NodeSignature,
}

impl Slot {
    /// Makes the slot of these secrets for the keys of its epoch.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a key of the epoch does not decode.
    pub fn make(
        context: SlotContext,
        secrets: &SlotSecrets,
        epoch: &Epoch,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, Malformed> {
        let account = times_b(&secrets.account.0);
        let keys = epoch.keys_with(Field::Parties);
        let mut identities = Vec::with_capacity(keys.len());
        for key in &keys {
            identities.push(Encoded::of(&(account + key.decompress()? * secrets.ephemeral.0)));
        }
        let (owner, ephemeral) = (secrets.owner(), secrets.ephemeral.public());
        let memo_key = secrets.memo.public();
        let statement = owner::Statement { owner, ephemeral, identities: identities.clone(), keys };
        let witness = owner::Witness {
            tag: secrets.tag.0,
            blinding: secrets.blinding.0,
            ephemeral: secrets.ephemeral.0,
        };
        let proof = owner::prove(&statement, &witness, &mut transcript(&context, &memo_key), rng)?;
        Ok(Self { context, owner, ephemeral, identities: identities.try_into()?, memo_key, proof })
    }

    /// Signs the slot.
    #[must_use]
    pub fn sign(self, key: &NodeKey) -> SignedSlot {
        let signature = key.sign(SIGNING, &encode(&self));
        SignedSlot { slot: self, signature }
    }
}

impl SignedSlot {
    /// The hash that a leg absorbs.
    #[must_use]
    pub fn hash(&self) -> Hash {
        Hash::of(b"sudare/slot/v1", &[&encode(self)])
    }

    /// Whether the custodian that the slot names has signed it.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let receiver = &self.slot.context.receiver;
        receiver.verify(SIGNING, &encode(&self.slot), &self.signature).is_ok()
    }

    /// Checks the signature; the proof's equations go to `claims`.
    ///
    /// # Errors
    ///
    /// [`SlotError`].
    pub fn check(&self, epoch: &Epoch, claims: &mut Claims) -> Result<(), SlotError> {
        let slot = &self.slot;
        if !self.is_signed() {
            return Err(SlotError::Signature);
        }
        if slot.context.epoch != epoch.number {
            return Err(SlotError::Epoch);
        }
        let statement = owner::Statement {
            owner: slot.owner,
            ephemeral: slot.ephemeral,
            identities: slot.identities.to_vec(),
            keys: epoch.keys_with(Field::Parties),
        };
        let transcript = &mut transcript(&slot.context, &slot.memo_key);
        Ok(owner::verify(&statement, &slot.proof, transcript, claims)?)
    }
}

/// Why a slot was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SlotError {
    /// Not signed by the custodian it names.
    #[error("the slot is not signed by the custodian it names")]
    Signature,
    /// Made for the keys of another epoch.
    #[error("the slot is for another epoch: ask for a new one")]
    Epoch,
    /// The owner proof is not valid.
    #[error("the slot is not valid: {0}")]
    Proof(#[from] Rejected),
}

fn transcript(context: &SlotContext, memo_key: &Encoded) -> LedgerTranscript {
    LedgerTranscript::new(b"sudare/slot/v1", &encode(&(context, memo_key)))
}
