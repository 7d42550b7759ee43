//! Disclosure packets: what a custodian shows of its customers' entries to somebody who holds no key, verified offline against a
//! checkpoint of the asset's log alone (specs/packet.md).
//!
//! A packet is bound to its recipient and to a nonce of the recipient's choice. It carries content keys of sections, never
//! amounts: the verifier reads those from the ledger's own ciphertexts.

mod account;
mod error;
mod fork;
mod leg;
mod output;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{Malformed, NodeId, NodeKey, NodeSignature, Secret, Text};
use sudare_disclosure::{AssetCore, AssetId};

use crate::tree::{Checkpoint, ConsistencyProof, SignedCheckpoint};

pub use account::{
    ACCOUNT_EVENTS_MAX, OwnLeaf, ReadAccount, ReadEvent, ShownAccount, ShownEvent, ShownSnapshot,
    still_held,
};
pub use error::PacketError;
pub use fork::{Fork, ForkError, NodeFork, node_log};
pub use leg::{Place, ShownLeg};
pub use output::{ReadOutput, ShownOutput};

const SIGNING: &[u8] = b"sudare/packet/v1";

/// A disclosure packet with its custodian's signature.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Packet {
    /// What is signed.
    pub body: Body,
    /// By [`Body::custodian`].
    pub signature: NodeSignature,
}

/// What a custodian signs.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Body {
    /// Format version.
    pub version: Version<1>,
    /// Who discloses.
    pub custodian: NodeId,
    /// To whom, as the recipient calls itself.
    pub recipient: Text<140>,
    /// Chosen by the recipient for this packet, so that an old one is not taken for fresh.
    pub nonce: Text<64>,
    /// What for: the legal basis, the case.
    pub purpose: Text<140>,
    /// The custodian's clock when it was made, ms since the Unix epoch.
    pub made_at: u64,
    /// The asset; its hash is the asset's identity, so it fixes registrar and notary.
    pub core: AssetCore,
    /// The checkpoint of the asset log under which everything is shown.
    pub checkpoint: SignedCheckpoint,
    /// That it extends the shorter checkpoint which the recipient holds; without hashes if it holds none or this one.
    pub extends: ConsistencyProof,
    /// What is shown.
    pub content: Content,
}

/// What a packet shows.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub enum Content {
    /// One output of one final leg.
    Transfer(Box<ShownOutput>),
    /// One account between two register snapshots.
    Account(Box<ShownAccount>),
}

/// What the recipient knows beforehand.
#[derive(Clone, Debug)]
pub struct Expected {
    /// What it calls itself.
    pub recipient: String,
    /// The nonce it chose.
    pub nonce: String,
    /// What it trusts of the ledger.
    pub anchor: Anchor,
}

/// What a verifier trusts of the ledger.
#[derive(Clone, Debug)]
pub enum Anchor {
    /// The asset's identity alone, which fixes its registrar: a registrar that shows two histories is not caught.
    Asset(AssetId),
    /// A checkpoint of the asset's log, from the registrar, a witness or a replay.
    Checkpoint(Box<SignedCheckpoint>),
}

/// What a packet has shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verified {
    /// The asset.
    pub asset: AssetId,
    /// The checkpoint that everything is shown under.
    pub checkpoint: Checkpoint,
    /// What it has shown.
    pub shown: Shown,
}

/// What a packet says, as read from the ledger.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Shown {
    /// One output.
    Output(Box<ReadOutput>),
    /// One account between two register snapshots.
    Account(Box<ReadAccount>),
}

impl Body {
    /// Shows with the account's key that the leaves of an account packet are the account's own; last before it is signed. Of
    /// other packets there is nothing to show.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a point does not decode.
    pub fn locate(&mut self, key: &Secret, rng: &mut impl CryptoRngCore) -> Result<(), Malformed> {
        let address = self.address();
        match &mut self.content {
            Content::Account(shown) => shown.locate(&address, key, rng),
            Content::Transfer(_) => Ok(()),
        }
    }

    /// What it says of itself, encoded: everything before [`Body::extends`].
    fn address(&self) -> Vec<u8> {
        let Self {
            version, custodian, recipient, nonce, purpose, made_at, core, checkpoint, ..
        } = self;
        encode(&((version, custodian, recipient, nonce), (purpose, made_at, core, checkpoint)))
    }

    /// Signs the packet.
    #[must_use]
    pub fn sign(self, key: &NodeKey) -> Packet {
        let signature = key.sign(SIGNING, &encode(&self));
        Packet { body: self, signature }
    }
}

impl Packet {
    /// Verifies everything from the packet's bytes and what the recipient knows.
    ///
    /// Enforces [PKT-1]: it is signed by its custodian, for this recipient and this nonce. Draw `rng` from entropy that its maker
    /// did not know.
    ///
    /// # Errors
    ///
    /// [`PacketError`], the first that applies.
    pub fn verify(
        &self,
        expected: &Expected,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Verified, PacketError> {
        let body = &self.body;
        body.custodian
            .verify(SIGNING, &encode(body), &self.signature)
            .map_err(|_| PacketError::Signature)?;
        if body.recipient.as_str() != expected.recipient {
            return Err(PacketError::Recipient { found: body.recipient.to_string() });
        }
        if body.nonce.as_str() != expected.nonce {
            return Err(PacketError::Nonce);
        }
        let checkpoint = body.anchored(&expected.anchor)?;
        let shown = match &body.content {
            Content::Transfer(shown) => {
                let output = shown.read(&body.core, &checkpoint)?;
                if output.custodian != body.custodian {
                    return Err(PacketError::OtherCustodian);
                }
                Shown::Output(Box::new(output))
            }
            Content::Account(shown) => {
                let (core, under, custodian) = (&body.core, &checkpoint, body.custodian);
                let reader = account::Reader { core, under, custodian, address: &body.address() };
                Shown::Account(Box::new(shown.read(&reader, rng)?))
            }
        };
        Ok(Verified { asset: body.core.id(), checkpoint, shown })
    }
}

impl Body {
    /// The packet's checkpoint, if it is the registrar's and extends what the verifier trusts.
    ///
    /// Enforces [PKT-2].
    fn anchored(&self, anchor: &Anchor) -> Result<Checkpoint, PacketError> {
        let (asset, registrar) = (self.core.id(), self.core.registrar);
        let origin = crate::registrar::origin(self.core.network, asset)?;
        let held = match anchor {
            Anchor::Asset(id) if *id != asset => return Err(PacketError::OtherAsset),
            Anchor::Asset(_) => None,
            Anchor::Checkpoint(held) => Some(held.open(&origin, &registrar)?),
        };
        let shown = self.checkpoint.open(&origin, &registrar)?;
        let Some(held) = held else { return Ok(shown.clone()) };
        if shown.size < held.size {
            return Err(PacketError::Stale { shown: shown.size, held: held.size });
        }
        if shown.size == held.size && shown.root != held.root {
            return Err(PacketError::Forked { size: held.size });
        }
        let joined = self.extends.verify(held.size, &held.root, shown.size, &shown.root);
        if shown.size > held.size && joined.is_err() {
            return Err(PacketError::NotJoined { shown: shown.size, held: held.size });
        }
        Ok(shown.clone())
    }
}
