//! Retiring keys that officers hold together: enough of them sign that nothing is to be encrypted to the keys any more, in two rounds
//! over files carried by hand. No share is shown, and the signature is one like that of a key held by one person.

use std::collections::BTreeMap;
use std::ops::Range;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{Bounded, Encoded, Hash, NodeId, NodeSignature, Secret, Text};

use super::possess::{NonceCommitments, Nonces, Signed};
use super::{CeremonyError, Group, GroupId, OfficerKey, Shares};
use crate::policy::EPOCHS_MAX;
use crate::{DisclosureKey, Retirement};

const SIGNING: &[u8] = b"sudare/retire-message/v1";

/// Which keys are retired, and how they came to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Retiring {
    /// The group.
    pub group: GroupId,
    /// How.
    pub how: Retirement,
    /// The first epoch whose key is retired; all later ones are too.
    pub from_epoch: u8,
}

impl Retiring {
    /// The group's keys from an epoch on.
    ///
    /// # Errors
    ///
    /// [`CeremonyError::NothingToRetire`] if the group has no such key, or its label no room for the mark.
    pub fn new(group: &Group, how: Retirement, from_epoch: u8) -> Result<Self, CeremonyError> {
        let last = group.epochs().saturating_sub(1);
        if from_epoch > last || group.subject.purpose(from_epoch).retired(how).is_none() {
            return Err(CeremonyError::NothingToRetire { last });
        }
        Ok(Self { group: group.id(), how, from_epoch })
    }

    fn epochs(&self, group: &Group) -> Range<u8> {
        self.from_epoch..group.epochs()
    }

    fn signed<'a>(&self, group: &'a Group, epoch: u8) -> Signed<'a> {
        Signed { group, epoch, how: Some(self.how) }
    }
}

/// What an officer keeps between the two rounds. Secret: kept in a [`super::SealedFile`] only, deleted afterwards. Wiped on drop, never
/// printed.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct RetireState {
    version: Version<1>,
    retiring: Retiring,
    seed: Seed,
    /// The commitments that the officer signed for.
    accepted: Option<Hash>,
}

impl RetireState {
    /// A new state, once for each time that the officers set out to sign.
    #[must_use]
    pub fn new(retiring: Retiring, rng: &mut impl CryptoRngCore) -> Self {
        let mut seed = Seed([0; 32]);
        rng.fill_bytes(&mut seed.0);
        Self { version: Version, retiring, seed, accepted: None }
    }

    fn nonces(&self, epoch: u8) -> Nonces {
        let seed = self.seed.child(b"retire nonces", &encode(&(self.retiring, epoch)));
        Nonces { hiding: seed.scalar(b"hiding", &[]), binding: seed.scalar(b"binding", &[]) }
    }
}

/// What one officer tells whoever signs with it.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct RetireMessage {
    version: Version<1>,
    /// What is signed.
    pub retiring: Retiring,
    /// Who sends it.
    pub from: NodeId,
    body: RetireBody,
    signature: NodeSignature,
}

#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
enum RetireBody {
    /// The first round: FROST's `D`, `E`, one pair a key.
    Commit(Bounded<(Encoded, Encoded), EPOCHS_MAX>),
    /// The second round.
    Part(Part),
}

#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
struct Part {
    /// The hash of all messages of the first round that the officer signed for.
    accepted: Hash,
    /// FROST's `z_i`, one a key: public scalars.
    responses: Bounded<Secret, EPOCHS_MAX>,
}

impl RetireMessage {
    fn new(retiring: Retiring, from: &OfficerKey, body: RetireBody) -> Self {
        let signed = encode(&(Version::<1>, retiring, from.id(), &body));
        let signature = from.signing().sign(SIGNING, &signed);
        Self { version: Version, retiring, from: from.id(), body, signature }
    }

    fn signed(&self) -> Vec<u8> {
        encode(&(self.version, self.retiring, self.from, &self.body))
    }

    /// The command that made it.
    #[must_use]
    pub const fn step(&self) -> &'static str {
        match self.body {
            RetireBody::Commit(_) => "retire-commit",
            RetireBody::Part(_) => "retire-sign",
        }
    }
}

/// An officer who signs that keys are retired.
#[derive(Debug)]
pub struct Retirer<'a> {
    group: &'a Group,
    key: &'a OfficerKey,
    shares: &'a Shares,
    state: RetireState,
}

impl<'a> Retirer<'a> {
    /// The officer of `key` with its `shares`.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`] if key, shares or state are not of this group.
    pub fn new(
        group: &'a Group,
        key: &'a OfficerKey,
        shares: &'a Shares,
        state: RetireState,
    ) -> Result<Self, CeremonyError> {
        if state.retiring.group != group.id() {
            return Err(CeremonyError::OtherState);
        }
        shares.check(group)?;
        if group.index_of(&key.id()).ok_or(CeremonyError::NotInvited)? != shares.index {
            return Err(CeremonyError::OtherGroup);
        }
        Ok(Self { group, key, shares, state })
    }

    /// The state, to be kept before anything that a round said is handed out.
    #[must_use]
    pub const fn state(&self) -> &RetireState {
        &self.state
    }

    /// The first round.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`].
    pub fn commit(&self) -> Result<RetireMessage, CeremonyError> {
        let mut pairs = Vec::new();
        for epoch in self.state.retiring.epochs(self.group) {
            let nonces = self.state.nonces(epoch);
            pairs.push((nonces.hiding.public(), nonces.binding.public()));
        }
        let body = RetireBody::Commit(pairs.try_into()?);
        Ok(RetireMessage::new(self.state.retiring, self.key, body))
    }

    /// The second round, with the first messages of all who sign `retiring`. Keep [`Self::state`] before you hand it out.
    ///
    /// Enforces [THR-10]: an officer signs for one set of commitments only.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`].
    pub fn sign(
        &mut self,
        retiring: Retiring,
        commits: &[RetireMessage],
    ) -> Result<RetireMessage, CeremonyError> {
        if self.state.retiring != retiring {
            return Err(CeremonyError::OtherState);
        }
        let committed = Committed::collect(self.group, retiring, commits)?;
        let own = self.commit()?.signed();
        if commits.iter().all(|message| message.signed() != own) {
            return Err(CeremonyError::NotOwnCommit);
        }
        let accepted = committed.accepted(retiring);
        if self.state.accepted.is_some_and(|before| before != accepted) {
            return Err(CeremonyError::AlreadySigned);
        }
        let mut responses = Vec::new();
        for (place, epoch) in retiring.epochs(self.group).enumerate() {
            let share = self.shares.share(epoch).ok_or(CeremonyError::OtherGroup)?;
            let (nonces, all) = (self.state.nonces(epoch), committed.nonces(place));
            let signed = retiring.signed(self.group, epoch);
            let response = signed.respond((self.shares.index, share), &nonces, &all);
            responses.push(response.map_err(|_| library())?);
        }
        self.state.accepted = Some(accepted);
        let body = RetireBody::Part(Part { accepted, responses: responses.try_into()? });
        Ok(RetireMessage::new(retiring, self.key, body))
    }
}

/// The retired keys with their epochs, from the messages of both rounds of the same officers. Anybody can put them together.
///
/// # Errors
///
/// [`CeremonyError`], naming the officer at fault.
pub fn retire(
    group: &Group,
    retiring: Retiring,
    commits: &[RetireMessage],
    parts: &[RetireMessage],
) -> Result<Vec<(u32, DisclosureKey)>, CeremonyError> {
    let committed = Committed::collect(group, retiring, commits)?;
    let accepted = committed.accepted(retiring);
    let bodies = collect(group, retiring, "retire-sign", parts)?;
    let mut given = BTreeMap::new();
    for (index, (_, body)) in bodies {
        let RetireBody::Part(part) = body else { continue };
        if part.accepted != accepted {
            return Err(CeremonyError::Different(name(group, index)));
        }
        if part.responses.len() != retiring.epochs(group).len() {
            return Err(CeremonyError::FalseResponse {
                from: name(group, index),
                epoch: retiring.from_epoch,
            });
        }
        given.insert(index, part.responses);
    }
    let late = committed.0.keys().filter(|index| !given.contains_key(index));
    let late: Vec<String> = late.map(|index| name(group, *index).as_str().to_owned()).collect();
    if !late.is_empty() {
        return Err(CeremonyError::Missing { step: "retire-sign", names: late.join(", ") });
    }
    let mut keys = Vec::new();
    for (place, epoch) in retiring.epochs(group).enumerate() {
        let mut responses = BTreeMap::new();
        for (index, all) in &given {
            responses.insert(*index, all.get(place).ok_or(CeremonyError::Group)?.clone());
        }
        let possession =
            retiring.signed(group, epoch).assemble(&committed.nonces(place), &responses);
        let possession = possession.map_err(|failed| match failed.0 {
            Some(index) => CeremonyError::FalseResponse { from: name(group, index), epoch },
            None => library(),
        })?;
        let nothing = CeremonyError::NothingToRetire { last: group.epochs().saturating_sub(1) };
        let purpose = group.subject.purpose(epoch).retired(retiring.how).ok_or(nothing)?;
        let point = group.key(epoch).ok_or(CeremonyError::Group)?;
        let (label, fields) = (purpose.label, purpose.fields);
        keys.push((purpose.epoch, DisclosureKey { label, fields, point, possession }));
    }
    Ok(keys)
}

/// The first messages of all who sign, by index.
struct Committed(BTreeMap<u8, (NodeId, Bounded<(Encoded, Encoded), EPOCHS_MAX>)>);

impl Committed {
    fn collect(
        group: &Group,
        retiring: Retiring,
        commits: &[RetireMessage],
    ) -> Result<Self, CeremonyError> {
        let mut all = BTreeMap::new();
        for (index, (from, body)) in collect(group, retiring, "retire-commit", commits)? {
            let RetireBody::Commit(pairs) = body else { continue };
            let decodes = |pair: &(Encoded, Encoded)| {
                pair.0.decompress().is_ok() && pair.1.decompress().is_ok()
            };
            if pairs.len() != retiring.epochs(group).len() || !pairs.iter().all(decodes) {
                let epoch = retiring.from_epoch;
                return Err(CeremonyError::FalseCommitment { from: name(group, index), epoch });
            }
            all.insert(index, (from, pairs));
        }
        if all.len() < usize::from(group.threshold) {
            let (given, needed) = (all.len(), group.threshold);
            return Err(CeremonyError::TooFewSigners { given, needed });
        }
        Ok(Self(all))
    }

    /// The hash of all of it.
    fn accepted(&self, retiring: Retiring) -> Hash {
        let said: Vec<_> = self.0.values().collect();
        Hash::of(b"sudare/retire-accepted/v1", &[&encode(&retiring), &encode(&said)])
    }

    /// Everybody's nonces for the key in this place.
    fn nonces(&self, place: usize) -> NonceCommitments {
        let all = self.0.iter();
        all.filter_map(|(index, (_, pairs))| Some((*index, *pairs.get(place)?))).collect()
    }
}

/// One round's messages by the officers' indices, each of an officer, about this, and with its signature.
fn collect(
    group: &Group,
    retiring: Retiring,
    step: &'static str,
    messages: &[RetireMessage],
) -> Result<BTreeMap<u8, (NodeId, RetireBody)>, CeremonyError> {
    let mut taken: BTreeMap<u8, &RetireMessage> = BTreeMap::new();
    for message in messages {
        let from = message.from;
        let index = group.index_of(&from).ok_or(CeremonyError::Stranger(from))?;
        let officer = name(group, index);
        from.verify(SIGNING, &message.signed(), &message.signature)
            .map_err(|_| CeremonyError::Signature(officer.clone()))?;
        if message.retiring != retiring {
            return Err(CeremonyError::OtherRetirement(from));
        }
        if message.step() != step {
            let given = message.step();
            return Err(CeremonyError::WrongStep { from: officer, given, wanted: step });
        }
        if let Some(before) = taken.insert(index, message) {
            return Err(if before.signed() == message.signed() {
                CeremonyError::Twice(officer)
            } else {
                CeremonyError::Contradiction(officer)
            });
        }
    }
    let taken = taken.into_iter();
    Ok(taken.map(|(index, message)| (index, (message.from, message.body.clone()))).collect())
}

fn name(group: &Group, index: u8) -> Text<32> {
    group.officer(index).map(|officer| officer.name.clone()).unwrap_or_default()
}

fn library() -> CeremonyError {
    CeremonyError::Library("the signature that retires a key".into())
}

#[cfg(test)]
impl RetireMessage {
    pub(super) fn signed_bytes(&self) -> Vec<u8> {
        self.signed()
    }

    /// The same, signed by a cheating officer, with one response changed.
    pub(super) fn with_false_response(&self, key: &OfficerKey) -> Self {
        let RetireBody::Part(part) = &self.body else { return self.clone() };
        let mut responses = part.responses.to_vec();
        for response in &mut responses {
            response.0 += sudare_crypto::Scalar::ONE;
        }
        let responses = responses.try_into().unwrap_or_default();
        let body = RetireBody::Part(Part { responses, ..part.clone() });
        Self::new(self.retiring, key, body)
    }
}
