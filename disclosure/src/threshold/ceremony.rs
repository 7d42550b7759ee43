//! One officer's steps in a ceremony, and what follows from all of them together.
//!
//! Everything that a step says is a function of the plan, the officer's state and the messages before it, so that a step done again
//! says the same again.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{Encoded, Hash, NodeId, Secret, Text};

use super::commits::Commits;
use super::library::{Culprit, Dealing};
use super::message::{Body, Commit, Confirm, Deal, Fresh, Message, Polynomial, collect};
use super::possess::{Nonces, Signed};
use super::sealed::{self, SubShares};
use super::{
    CeremonyError, CeremonyId, Group, Kind, Officer, OfficerKey, Plan, Shares, SignedGroup, feldman,
};
use crate::DisclosureKey;

/// What an officer keeps between the steps of one ceremony. Secret: kept in a [`super::SealedFile`] only, deleted afterwards. Wiped on
/// drop, never printed.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct State {
    version: Version<1>,
    ceremony: CeremonyId,
    seed: Seed,
    /// The commitments that the officer dealt for.
    accepted: Option<Hash>,
}

impl State {
    /// A new officer's state, once in each ceremony.
    #[must_use]
    pub fn new(plan: &Plan, rng: &mut impl CryptoRngCore) -> Self {
        let mut seed = Seed([0; 32]);
        rng.fill_bytes(&mut seed.0);
        Self { version: Version, ceremony: plan.id(), seed, accepted: None }
    }
}

/// An officer in a ceremony.
#[derive(Debug)]
pub struct Party<'a> {
    plan: &'a Plan,
    key: &'a OfficerKey,
    old: Option<&'a Shares>,
    state: State,
}

/// What a receiver has in the end.
#[derive(Debug)]
pub struct Finished {
    /// Its shares. Worth something once the ceremony is [`conclude`]d.
    pub shares: Shares,
    /// Its message of the third step, for everybody.
    pub confirm: Message,
}

/// What a ceremony comes to.
#[derive(Clone, Debug)]
pub struct Concluded {
    /// The new group.
    pub group: SignedGroup,
    /// Of new keys: each with its proof of possession, as a policy has it.
    pub keys: Vec<DisclosureKey>,
}

impl<'a> Party<'a> {
    /// The officer of `key`, with its `old` shares if it deals out existing keys.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`] if the plan can't be carried out, or key, shares or state do not belong to it.
    pub fn new(
        plan: &'a Plan,
        key: &'a OfficerKey,
        old: Option<&'a Shares>,
        state: State,
    ) -> Result<Self, CeremonyError> {
        plan.check()?;
        if state.ceremony != plan.id() {
            return Err(CeremonyError::OtherState);
        }
        let id = key.id();
        let dealer = plan.dealer(&id);
        if dealer.is_none() && plan.receiver(&id).is_none() {
            return Err(CeremonyError::NotInvited);
        }
        let old = match (plan.from(), dealer) {
            (Some(group), Some(index)) => {
                let shares = old.ok_or(CeremonyError::SharesNeeded)?;
                shares.check(group)?;
                if shares.index != index {
                    return Err(CeremonyError::OtherGroup);
                }
                Some(shares)
            }
            _ => None,
        };
        Ok(Self { plan, key, old, state })
    }

    /// The state, to be kept before anything that a step said is handed out.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The first step: the message for everybody.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`].
    pub fn commit(&self) -> Result<Message, CeremonyError> {
        Ok(Message::new(self.plan, self.key, None, Body::Commit(self.own_commit()?)))
    }

    /// The second step of those who deal: a message for each receiver but this officer. Keep [`Self::state`] before you hand them
    /// out.
    ///
    /// Enforces [THR-5]: an officer deals for one set of commitments only.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`].
    pub fn deal(&mut self, commits: &[Message]) -> Result<Vec<Message>, CeremonyError> {
        let own = self.key.id();
        self.dealer().ok_or(CeremonyError::Stranger(own))?;
        let commits = self.collect(commits)?;
        let accepted = commits.accepted();
        if self.state.accepted.is_some_and(|before| before != accepted) {
            return Err(CeremonyError::AlreadyDealt);
        }
        let mut dealt: BTreeMap<u8, Vec<Secret>> = BTreeMap::new();
        for epoch in 0..self.plan.epochs() {
            for (index, share) in self.sub_shares(&commits, epoch)? {
                dealt.entry(index).or_default().push(share);
            }
        }
        let mut messages = Vec::new();
        for (index, officer) in self.plan.receivers() {
            if officer.id == own {
                continue;
            }
            let shares: SubShares = dealt.remove(&index).unwrap_or_default().try_into()?;
            let sealing = commits.sealing(&officer.id).ok_or(CeremonyError::Group)?;
            let context = context(self.plan, &own, &officer.id, &accepted);
            let r = self.state.seed.scalar(b"ceremony seal", &context);
            let shares = sealed::seal(&shares, &sealing, &r, &context)?;
            let body = Body::Deal(Deal { accepted, shares });
            messages.push(Message::new(self.plan, self.key, Some(officer.id), body));
        }
        self.state.accepted = Some(accepted);
        Ok(messages)
    }

    /// The third step of those who receive: checks every dealer's sub-shares, makes the shares of them.
    ///
    /// Enforces [THR-3], [THR-5].
    ///
    /// # Errors
    ///
    /// [`CeremonyError`], naming the officer at fault.
    pub fn finish(
        &self,
        commits: &[Message],
        deals: &[Message],
    ) -> Result<Finished, CeremonyError> {
        let own = self.key.id();
        let index = self.plan.receiver(&own).ok_or(CeremonyError::Stranger(own))?;
        let commits = self.collect(commits)?;
        if self.dealer().is_some() && self.state.accepted != Some(commits.accepted()) {
            let dealt = self.state.accepted.is_some();
            return Err(if dealt { CeremonyError::AlreadyDealt } else { CeremonyError::NotDealt });
        }
        let dealt = self.open(&commits, deals)?;
        let group = commits.group()?;
        let mut values = Vec::new();
        for epoch in 0..self.plan.epochs() {
            values.push(self.share(&commits, &dealt, epoch, index)?);
        }
        let values = values.try_into()?;
        let shares = Shares { version: Version, group: group.id(), index, values };
        shares.check(&group)?;
        let responses = self.responses(&commits, &group, &shares)?.try_into()?;
        let body = Body::Confirm(Confirm { group: group.sign(self.key.signing()), responses });
        Ok(Finished { shares, confirm: Message::new(self.plan, self.key, None, body) })
    }

    fn own_commit(&self) -> Result<Commit, CeremonyError> {
        let mut polynomials = Vec::new();
        if self.dealer().is_some() {
            for epoch in 0..self.plan.epochs() {
                polynomials.push(self.polynomial(epoch)?);
            }
        }
        let receives = self.plan.receiver(&self.key.id()).is_some();
        let sealing = receives.then(|| self.sealing().public());
        Ok(Commit { sealing, polynomials: polynomials.try_into()? })
    }

    /// Everybody's commitments, with this officer's own as this state says them: those of another state would make it look as if
    /// others, or this officer, had cheated.
    fn collect(&self, messages: &[Message]) -> Result<Commits<'a>, CeremonyError> {
        let commits = Commits::collect(self.plan, messages)?;
        if commits.of(&self.key.id()).map(encode) != Some(encode(&self.own_commit()?)) {
            return Err(CeremonyError::NotOwnCommit);
        }
        Ok(commits)
    }

    fn dealer(&self) -> Option<u8> {
        self.plan.dealer(&self.key.id())
    }

    /// The officer's draws for one use.
    fn seed(&self, purpose: &'static [u8], epoch: u8) -> Seed {
        self.state.seed.child(purpose, &encode(&(self.state.ceremony, epoch)))
    }

    /// The one-time key that sub-shares are sealed to.
    fn sealing(&self) -> Secret {
        self.state.seed.scalar(b"ceremony sealing key", &encode(&self.state.ceremony))
    }

    fn nonces(&self, epoch: u8) -> Nonces {
        let seed = self.seed(b"ceremony nonces", epoch);
        Nonces { hiding: seed.scalar(b"hiding", &[]), binding: seed.scalar(b"binding", &[]) }
    }

    fn polynomial(&self, epoch: u8) -> Result<Polynomial, CeremonyError> {
        if matches!(self.plan.kind, Kind::Move { .. }) {
            let commitments = feldman::commit(&self.coefficients(epoch)?).try_into()?;
            return Ok(Polynomial { commitments, fresh: None });
        }
        let (commitments, proof) = self.dealing(epoch)?.commit()?;
        let fresh = matches!(self.plan.kind, Kind::Generate { .. }).then(|| {
            let nonces = self.nonces(epoch);
            Fresh { proof, hiding: nonces.hiding.public(), binding: nonces.binding.public() }
        });
        Ok(Polynomial { commitments: commitments.try_into()?, fresh })
    }

    /// The officer's part in making or refreshing the key of `epoch`, which the library plays.
    fn dealing(&self, epoch: u8) -> Result<Dealing<'_>, CeremonyError> {
        let index = self.dealer().ok_or(CeremonyError::NotInvited)?;
        let old = match (self.plan.from(), self.old) {
            (Some(group), Some(shares)) => {
                let share = shares.share(epoch).ok_or(CeremonyError::OtherGroup)?;
                Some((group, epoch, share))
            }
            _ => None,
        };
        let officers = u8::try_from(self.plan.officers.len()).unwrap_or(u8::MAX);
        let seed = self.seed(b"ceremony polynomial", epoch);
        Ok(Dealing { seed, index, officers, threshold: self.plan.threshold, old })
    }

    /// The polynomial by which a dealer moves its share `s`: `f(0) = s`, all else random (Desmedt and Jajodia 1997).
    fn coefficients(&self, epoch: u8) -> Result<Vec<Secret>, CeremonyError> {
        let share = self.old.and_then(|shares| shares.share(epoch));
        let mut coefficients = vec![share.ok_or(CeremonyError::SharesNeeded)?.clone()];
        let seed = self.seed(b"ceremony polynomial", epoch);
        for power in 1..self.plan.threshold {
            coefficients.push(seed.scalar(b"coefficient", &[power]));
        }
        Ok(coefficients)
    }

    /// This dealer's sub-shares of the key of `epoch`, by the receivers' indices.
    fn sub_shares(
        &self,
        commits: &Commits<'_>,
        epoch: u8,
    ) -> Result<BTreeMap<u8, Secret>, CeremonyError> {
        if matches!(self.plan.kind, Kind::Move { .. }) {
            let coefficients = self.coefficients(epoch)?;
            let receivers = self.plan.receivers().into_iter();
            return Ok(receivers
                .map(|(index, _)| (index, feldman::evaluate(&coefficients, index)))
                .collect());
        }
        let dealing = self.dealing(epoch)?;
        let mut others = commits.polynomials(epoch);
        others.remove(&dealing.index);
        dealing.deal(&others).map_err(|culprit| blame(self.plan, culprit, epoch))
    }

    /// Opens what the other dealers sent, and checks it against what they committed to.
    fn open(
        &self,
        commits: &Commits<'_>,
        deals: &[Message],
    ) -> Result<BTreeMap<u8, SubShares>, CeremonyError> {
        let own = self.key.id();
        let dealers: Vec<(u8, &Officer)> =
            self.plan.dealers().into_iter().filter(|(_, officer)| officer.id != own).collect();
        let senders: Vec<&Officer> = dealers.iter().map(|(_, officer)| *officer).collect();
        let bodies = collect(self.plan, deals, "deal", &senders, Some(own))?;
        let accepted = commits.accepted();
        let mut opened = BTreeMap::new();
        for (index, officer) in dealers {
            let Some(Body::Deal(deal)) = bodies.get(&officer.id) else { continue };
            if deal.accepted != accepted {
                return Err(CeremonyError::Different(officer.name.clone()));
            }
            let context = context(self.plan, &officer.id, &own, &accepted);
            let false_share =
                |epoch| CeremonyError::FalseShare { from: officer.name.clone(), epoch };
            let shares = sealed::open(&deal.shares, &self.sealing(), &context)
                .map_err(|_| false_share(0))?;
            if shares.len() != usize::from(self.plan.epochs()) {
                return Err(false_share(0));
            }
            let receiver = self.plan.receiver(&own).ok_or(CeremonyError::NotInvited)?;
            for (epoch, share) in sudare_crypto::numbered(shares.iter()) {
                let polynomials = commits.polynomials(epoch);
                let polynomial = polynomials.get(&index).ok_or(CeremonyError::Group)?;
                if !feldman::holds(&commits.points(polynomial)?, receiver, share) {
                    return Err(false_share(epoch));
                }
            }
            opened.insert(index, shares);
        }
        Ok(opened)
    }

    /// This officer's share of the key of `epoch`.
    fn share(
        &self,
        commits: &Commits<'_>,
        dealt: &BTreeMap<u8, SubShares>,
        epoch: u8,
        index: u8,
    ) -> Result<Secret, CeremonyError> {
        let mut shares: BTreeMap<u8, Secret> = BTreeMap::new();
        for (dealer, values) in dealt {
            let value = values.get(usize::from(epoch)).ok_or(CeremonyError::Group)?;
            shares.insert(*dealer, value.clone());
        }
        if !matches!(self.plan.kind, Kind::Move { .. }) {
            let dealing = self.dealing(epoch)?;
            let mut others = commits.polynomials(epoch);
            others.remove(&dealing.index);
            let finished = dealing.finish(&others, &shares);
            return finished.map_err(|culprit| blame(self.plan, culprit, epoch));
        }
        if let Some(dealer) = self.dealer() {
            shares.insert(dealer, feldman::evaluate(&self.coefficients(epoch)?, index));
        }
        let indices: Vec<u8> = shares.keys().copied().collect();
        let mut sum = Secret(sudare_crypto::Scalar::ZERO);
        for (dealer, share) in &shares {
            sum.0 += feldman::weight(&indices, *dealer).ok_or(CeremonyError::Group)? * share.0;
        }
        Ok(sum)
    }

    /// This officer's parts of the proofs of possession; none of keys that were there before.
    fn responses(
        &self,
        commits: &Commits<'_>,
        group: &Group,
        shares: &Shares,
    ) -> Result<Vec<Secret>, CeremonyError> {
        let mut responses = Vec::new();
        if matches!(self.plan.kind, Kind::Generate { .. }) {
            for (epoch, share) in sudare_crypto::numbered(shares.values.iter()) {
                let (all, own) = (commits.nonces(epoch), (shares.index, share));
                let signed = Signed { group, epoch, how: None };
                let response = signed.respond(own, &self.nonces(epoch), &all);
                responses.push(
                    response.map_err(|_| CeremonyError::Library("a proof of possession".into()))?,
                );
            }
        }
        Ok(responses)
    }
}

/// What a ceremony comes to, from everybody's first and third messages. Anybody can find out; old shares are deleted after it and not
/// before.
///
/// Enforces [THR-2], [THR-8].
///
/// # Errors
///
/// [`CeremonyError`], naming the officer at fault.
pub fn conclude(
    plan: &Plan,
    commits: &[Message],
    confirms: &[Message],
) -> Result<Concluded, CeremonyError> {
    plan.check()?;
    let commits = Commits::collect(plan, commits)?;
    let group = commits.group()?;
    let receivers = plan.receivers();
    let senders: Vec<&Officer> = receivers.iter().map(|(_, officer)| *officer).collect();
    let bodies = collect(plan, confirms, "confirm", &senders, None)?;
    let fresh = matches!(plan.kind, Kind::Generate { .. });
    let expected = if fresh { usize::from(plan.epochs()) } else { 0 };
    let mut signatures = Vec::new();
    let mut responses: BTreeMap<u8, Confirm> = BTreeMap::new();
    for (index, officer) in receivers {
        let Some(Body::Confirm(confirm)) = bodies.get(&officer.id) else { continue };
        if confirm.responses.len() != expected {
            return Err(CeremonyError::FalseResponse { from: officer.name.clone(), epoch: 0 });
        }
        signatures.push(confirm.group);
        responses.insert(index, confirm.clone());
    }
    let group = SignedGroup::new(group, signatures.try_into()?);
    group.check().map_err(|error| match error {
        CeremonyError::Signature(name) => CeremonyError::OtherConfirmation(name),
        other => other,
    })?;
    let mut keys = Vec::new();
    if fresh {
        for epoch in 0..plan.epochs() {
            keys.push(publish(plan, &commits, group.unchecked(), &responses, epoch)?);
        }
    }
    Ok(Concluded { group, keys })
}

/// The public key of `epoch` with its proof of possession.
fn publish(
    plan: &Plan,
    commits: &Commits<'_>,
    group: &Group,
    confirms: &BTreeMap<u8, Confirm>,
    epoch: u8,
) -> Result<DisclosureKey, CeremonyError> {
    let mut responses = BTreeMap::new();
    for (index, confirm) in confirms {
        let response = confirm.responses.get(usize::from(epoch)).ok_or(CeremonyError::Group)?;
        responses.insert(*index, response.clone());
    }
    let signed = Signed { group, epoch, how: None };
    let possession = signed.assemble(&commits.nonces(epoch), &responses);
    let possession = possession.map_err(|failed| match failed.0 {
        Some(index) => CeremonyError::FalseResponse { from: name(plan, index), epoch },
        None => CeremonyError::Library("a proof of possession".into()),
    })?;
    let point: Encoded = group.key(epoch).ok_or(CeremonyError::Group)?;
    let subject = &group.subject;
    Ok(DisclosureKey { label: subject.label.clone(), fields: subject.fields, point, possession })
}

/// What sub-shares are sealed for.
fn context(plan: &Plan, from: &NodeId, to: &NodeId, accepted: &Hash) -> Vec<u8> {
    encode(&(plan.id(), from, to, accepted))
}

/// Names the dealer whom the library found out.
fn blame(plan: &Plan, culprit: Culprit, epoch: u8) -> CeremonyError {
    match culprit {
        Culprit::Dealer(index) => CeremonyError::FalseCommitment { from: name(plan, index), epoch },
        Culprit::Unknown(error) => error,
    }
}

fn name(plan: &Plan, index: u8) -> Text<32> {
    let mut dealers = plan.dealers().into_iter();
    dealers
        .find(|(one, _)| *one == index)
        .map(|(_, officer)| officer.name.clone())
        .unwrap_or_default()
}
