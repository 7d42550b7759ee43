//! The first step of a ceremony, taken together: what was committed to, and the group that follows from it.

use std::collections::BTreeMap;

use sudare_crypto::encoding::Version;
use sudare_crypto::{Encoded, Hash, NodeId, RistrettoPoint, Text};

use super::group::Commitments;
use super::message::{Body, Commit, Message, Polynomial, accepted, collect};
use super::possess::NonceCommitments;
use super::{CeremonyError, Group, Kind, Officer, Plan, feldman};

/// Every officer's first message, checked.
pub(super) struct Commits<'a> {
    plan: &'a Plan,
    all: BTreeMap<NodeId, Commit>,
}

impl<'a> Commits<'a> {
    /// Takes one message of every officer of the plan.
    ///
    /// Enforces [THR-4] for the first step, and of [THR-6] and [THR-7] what commitments alone show.
    pub(super) fn collect(plan: &'a Plan, messages: &[Message]) -> Result<Self, CeremonyError> {
        let bodies = collect(plan, messages, "commit", &plan.everybody(), None)?;
        let mut all = BTreeMap::new();
        for (from, body) in bodies {
            if let Body::Commit(commit) = body {
                all.insert(from, commit);
            }
        }
        let commits = Self { plan, all };
        for officer in plan.everybody() {
            commits.check(officer)?;
        }
        Ok(commits)
    }

    /// The hash of all of it.
    pub(super) fn accepted(&self) -> Hash {
        accepted(self.plan, &self.all)
    }

    /// What one officer said.
    pub(super) fn of(&self, id: &NodeId) -> Option<&Commit> {
        self.all.get(id)
    }

    /// The receiver's one-time key for sub-shares.
    pub(super) fn sealing(&self, id: &NodeId) -> Option<Encoded> {
        self.all.get(id)?.sealing
    }

    /// What every dealer committed to for the key of `epoch`, by index.
    pub(super) fn polynomials(&self, epoch: u8) -> BTreeMap<u8, &Polynomial> {
        let dealers = self.plan.dealers().into_iter();
        dealers
            .filter_map(|(index, officer)| {
                let polynomials = &self.all.get(&officer.id)?.polynomials;
                Some((index, polynomials.get(usize::from(epoch))?))
            })
            .collect()
    }

    /// Every officer's nonces for the proof of possession of the key of `epoch`.
    pub(super) fn nonces(&self, epoch: u8) -> NonceCommitments {
        let polynomials = self.polynomials(epoch).into_iter();
        polynomials
            .filter_map(|(index, one)| {
                let fresh = one.fresh.as_ref()?;
                Some((index, (fresh.hiding, fresh.binding)))
            })
            .collect()
    }

    /// The commitments to the polynomial of one dealer, all coefficients.
    pub(super) fn points(
        &self,
        polynomial: &Polynomial,
    ) -> Result<Vec<RistrettoPoint>, CeremonyError> {
        let mut points = feldman::points(&polynomial.commitments)?;
        if matches!(self.plan.kind, Kind::Refresh { .. }) {
            points.insert(0, RistrettoPoint::default());
        }
        Ok(points)
    }

    /// The group that comes of these commitments.
    ///
    /// Enforces [THR-6], [THR-7]: a key that was there stays.
    pub(super) fn group(&self) -> Result<Group, CeremonyError> {
        let mut keys = Vec::new();
        for epoch in 0..self.plan.epochs() {
            keys.push(self.key(epoch)?);
        }
        let group = Group {
            version: Version,
            ceremony: self.plan.id(),
            generation: self.plan.generation().ok_or(CeremonyError::Group)?,
            subject: self.plan.subject().clone(),
            threshold: self.plan.threshold,
            officers: self.plan.officers.clone(),
            keys: keys.try_into()?,
        };
        group.check()?;
        for epoch in 0..group.epochs() {
            let before = self.plan.from().map(|before| before.key(epoch));
            if before.is_some_and(|before| before != group.key(epoch)) {
                return Err(CeremonyError::KeyChanged);
            }
        }
        Ok(group)
    }

    /// The commitments to the sum of the dealers' polynomials, each with its weight.
    fn key(&self, epoch: u8) -> Result<Commitments, CeremonyError> {
        let mut sum = vec![RistrettoPoint::default(); usize::from(self.plan.threshold)];
        let polynomials = self.polynomials(epoch);
        let indices: Vec<u8> = polynomials.keys().copied().collect();
        for (index, polynomial) in &polynomials {
            let weight = match self.plan.kind {
                Kind::Generate { .. } | Kind::Refresh { .. } => sudare_crypto::Scalar::ONE,
                Kind::Move { .. } => {
                    feldman::weight(&indices, *index).ok_or(CeremonyError::Group)?
                }
            };
            for (place, point) in self.points(polynomial)?.into_iter().enumerate() {
                *sum.get_mut(place).ok_or(CeremonyError::Group)? += point * weight;
            }
        }
        if let (Kind::Refresh { .. }, Some(before)) = (&self.plan.kind, self.plan.from()) {
            let before = before.keys.get(usize::from(epoch)).ok_or(CeremonyError::Group)?;
            for (place, point) in feldman::points(before)?.into_iter().enumerate() {
                *sum.get_mut(place).ok_or(CeremonyError::Group)? += point;
            }
        }
        let mut commitments = Vec::with_capacity(sum.len());
        for point in sum {
            // The identity, which would lower the threshold, does not come of honest messages.
            commitments.push(Encoded::from_bytes(point.compress().to_bytes())?);
        }
        Ok(commitments.try_into()?)
    }

    /// One officer's message has the form that its part in the plan asks for, and a mover commits to its own share.
    fn check(&self, officer: &Officer) -> Result<(), CeremonyError> {
        let plan = self.plan;
        let from = || officer.name.clone();
        let commit = self.all.get(&officer.id).ok_or(CeremonyError::Stranger(officer.id))?;
        let dealer = plan.dealer(&officer.id);
        let keys = if dealer.is_some() { usize::from(plan.epochs()) } else { 0 };
        if commit.polynomials.len() != keys
            || commit.sealing.is_some() != plan.receiver(&officer.id).is_some()
            || commit.sealing.is_some_and(|key| key.decompress().is_err())
        {
            return Err(CeremonyError::FalseCommitment { from: from(), epoch: 0 });
        }
        for (epoch, polynomial) in sudare_crypto::numbered(commit.polynomials.iter()) {
            self.check_one(dealer, epoch, polynomial, from())?;
        }
        Ok(())
    }

    fn check_one(
        &self,
        dealer: Option<u8>,
        epoch: u8,
        polynomial: &Polynomial,
        from: Text<32>,
    ) -> Result<(), CeremonyError> {
        let fault = CeremonyError::FalseCommitment { from, epoch };
        let Ok(points) = self.points(polynomial) else { return Err(fault) };
        let is_fresh = matches!(self.plan.kind, Kind::Generate { .. });
        if points.len() != usize::from(self.plan.threshold)
            || polynomial.fresh.is_some() != is_fresh
        {
            return Err(fault);
        }
        if let Some(fresh) = &polynomial.fresh
            && (fresh.hiding.decompress().is_err() || fresh.binding.decompress().is_err())
        {
            return Err(fault);
        }
        if let (Kind::Move { from: before, .. }, Some(index)) = (&self.plan.kind, dealer) {
            let share = before.unchecked().public_share(epoch, index)?;
            if points.first() != Some(&share) {
                return Err(fault);
            }
        }
        Ok(())
    }
}
