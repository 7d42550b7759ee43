//! Messages between officers, carried by hand: signed, of one ceremony, one step and one sender.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{Bounded, Encoded, Hash, NodeId, NodeSignature, Secret};

use super::group::Commitments;
use super::sealed::Sealed;
use super::{CeremonyError, CeremonyId, Officer, OfficerKey, Plan};
use crate::policy::EPOCHS_MAX;

const SIGNING: &[u8] = b"sudare/ceremony-message/v1";

/// What one officer tells all others, or one of them.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Message {
    version: Version<1>,
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// Who sends it.
    pub from: NodeId,
    /// Who alone it is for; all if none.
    pub to: Option<NodeId>,
    /// What it says.
    pub body: Body,
    signature: NodeSignature,
}

/// What a message says; each kind is one step.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub enum Body {
    /// The first step: commitments of those who deal, one-time keys of those who receive.
    Commit(Commit),
    /// The second step: sub-shares for one receiver.
    Deal(Deal),
    /// The third step: the receiver has its shares.
    Confirm(Confirm),
}

impl Body {
    /// The step that the body is of.
    #[must_use]
    pub const fn step(&self) -> &'static str {
        match self {
            Self::Commit(_) => "commit",
            Self::Deal(_) => "deal",
            Self::Confirm(_) => "confirm",
        }
    }
}

/// The first step of one officer.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Commit {
    /// The receiver's one-time key for sub-shares; none of those who only deal.
    pub(super) sealing: Option<Encoded>,
    /// The dealer's polynomials, one a key; empty of those who only receive.
    pub(super) polynomials: Bounded<Polynomial, EPOCHS_MAX>,
}

/// What a dealer commits to for one key.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(super) struct Polynomial {
    /// Commitments to the coefficients; of a refresh without the constant one, which is zero.
    pub(super) commitments: Commitments,
    /// For a new key.
    pub(super) fresh: Option<Fresh>,
}

/// What a dealer of a new key adds.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(super) struct Fresh {
    /// The library's proof that the dealer knows its constant coefficient.
    pub(super) proof: [u8; 64],
    /// The nonces for the proof of possession: `D`, `E` of FROST.
    pub(super) hiding: Encoded,
    /// See `hiding`.
    pub(super) binding: Encoded,
}

/// The second step of one dealer, for one receiver.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Deal {
    /// The hash of all messages of the first step that the dealer accepted.
    pub(super) accepted: Hash,
    /// The sub-shares.
    pub(super) shares: Sealed,
}

/// The third step of one receiver.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Confirm {
    /// Its signature on the group.
    pub(super) group: NodeSignature,
    /// Of new keys: its parts of the proofs of possession, public scalars.
    pub(super) responses: Bounded<Secret, EPOCHS_MAX>,
}

impl Message {
    pub(super) fn new(plan: &Plan, from: &OfficerKey, to: Option<NodeId>, body: Body) -> Self {
        let ceremony = plan.id();
        let signed = encode(&(Version::<1>, ceremony, from.id(), to, &body));
        let signature = from.signing().sign(SIGNING, &signed);
        Self { version: Version, ceremony, from: from.id(), to, body, signature }
    }

    fn verify(&self, officer: &Officer) -> Result<(), CeremonyError> {
        officer
            .id
            .verify(SIGNING, &self.signed(), &self.signature)
            .map_err(|_| CeremonyError::Signature(officer.name.clone()))
    }

    /// All but the signature.
    fn signed(&self) -> Vec<u8> {
        encode(&(self.version, self.ceremony, self.from, self.to, &self.body))
    }
}

/// One step's messages, one of each of `senders`, for `to` or for all.
///
/// Enforces [THR-4].
pub(super) fn collect(
    plan: &Plan,
    messages: &[Message],
    step: &'static str,
    senders: &[&Officer],
    to: Option<NodeId>,
) -> Result<BTreeMap<NodeId, Body>, CeremonyError> {
    let mut taken: BTreeMap<NodeId, &Message> = BTreeMap::new();
    let ceremony = plan.id();
    for message in messages {
        let from = message.from;
        if message.ceremony != ceremony {
            return Err(CeremonyError::OtherCeremony { from, given: message.ceremony.0 });
        }
        let everybody = plan.everybody();
        let known = everybody.iter().find(|officer| officer.id == from);
        let officer = known.ok_or(CeremonyError::Stranger(from))?;
        message.verify(officer)?;
        let (name, given) = (officer.name.clone(), message.body.step());
        if given != step {
            return Err(CeremonyError::WrongStep { from: name, given, wanted: step });
        }
        if message.to != to {
            return Err(CeremonyError::NotForYou(name));
        }
        if senders.iter().all(|sender| sender.id != from) {
            return Err(CeremonyError::Stranger(from));
        }
        if let Some(before) = taken.insert(from, message) {
            return Err(if before.signed() == message.signed() {
                CeremonyError::Twice(name)
            } else {
                CeremonyError::Contradiction(name)
            });
        }
    }
    let missing: Vec<&str> = senders
        .iter()
        .filter(|sender| !taken.contains_key(&sender.id))
        .map(|sender| sender.name.as_str())
        .collect();
    if !missing.is_empty() {
        return Err(CeremonyError::Missing { step, names: missing.join(", ") });
    }
    Ok(taken.into_iter().map(|(from, message)| (from, message.body.clone())).collect())
}

/// The hash of all that the first step said, in order of the senders' ids.
pub(super) fn accepted(plan: &Plan, commits: &BTreeMap<NodeId, Commit>) -> Hash {
    let said: Vec<(NodeId, &Commit)> = commits.iter().map(|(from, body)| (*from, body)).collect();
    Hash::of(b"sudare/ceremony-accepted/v1", &[&encode(&plan.id()), &encode(&said)])
}
