//! Plans: what a ceremony is for and who takes part.

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{Bounded, Hash, NodeId};

use super::group::check_officers;
use super::{CeremonyError, Group, OFFICERS_MAX, Officer, SignedGroup, Subject};
use crate::policy::EPOCHS_MAX;

/// The hash of a plan; every message and every share is bound to it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct CeremonyId(pub Hash);

/// What a ceremony does.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Kind {
    /// Makes new keys, one an epoch.
    Generate {
        /// What they are for.
        subject: Subject,
        /// How many.
        epochs: u8,
    },
    /// Gives the same officers new shares of the same keys.
    Refresh {
        /// The group as it is.
        from: Box<SignedGroup>,
    },
    /// Moves the same keys to the plan's officers, under the plan's threshold.
    Move {
        /// The group as it is.
        from: Box<SignedGroup>,
        /// Indices of its officers who deal: at least its threshold.
        dealers: Bounded<u8, OFFICERS_MAX>,
    },
}

/// A plan. All officers compare its id before they take part.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Plan {
    version: Version<1>,
    nonce: [u8; 32],
    /// What is to happen.
    pub kind: Kind,
    /// How many officers are to open together.
    pub threshold: u8,
    /// Who is to hold shares; places give indices from 1.
    pub officers: Bounded<Officer, OFFICERS_MAX>,
}

impl Plan {
    /// A plan with a fresh nonce, so that no two ceremonies are the same.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`] if it can't be carried out.
    pub fn new(
        kind: Kind,
        threshold: u8,
        officers: Vec<Officer>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, CeremonyError> {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let plan =
            Self { version: Version, nonce, kind, threshold, officers: officers.try_into()? };
        plan.check()?;
        Ok(plan)
    }

    /// The ceremony's identity.
    #[must_use]
    pub fn id(&self) -> CeremonyId {
        CeremonyId(Hash::of(b"sudare/ceremony/v1", &[&encode(self)]))
    }

    /// Checks what every officer checks before it takes part.
    ///
    /// Enforces [THR-1], [THR-2], and of [THR-7] that enough officers deal.
    ///
    /// # Errors
    ///
    /// [`CeremonyError`].
    pub fn check(&self) -> Result<(), CeremonyError> {
        check_officers(&self.officers, self.threshold)?;
        match &self.kind {
            Kind::Generate { epochs, .. } => {
                if *epochs == 0 || usize::from(*epochs) > EPOCHS_MAX {
                    return Err(CeremonyError::Epochs);
                }
            }
            Kind::Refresh { from } => {
                let group = from.check()?;
                if group.officers != self.officers || group.threshold != self.threshold {
                    return Err(CeremonyError::NotARefresh);
                }
            }
            Kind::Move { from, dealers } => {
                let group = from.check()?;
                let ascending = dealers.is_sorted_by(|one, next| one < next);
                let known = dealers.iter().all(|index| group.officer(*index).is_some());
                if !ascending || !known || dealers.len() < usize::from(group.threshold) {
                    return Err(CeremonyError::Dealers { needed: group.threshold });
                }
            }
        }
        match self.generation() {
            Some(_) => Ok(()),
            None => Err(CeremonyError::Group),
        }
    }

    /// What the keys are for.
    #[must_use]
    pub fn subject(&self) -> &Subject {
        match &self.kind {
            Kind::Generate { subject, .. } => subject,
            Kind::Refresh { from } | Kind::Move { from, .. } => &from.unchecked().subject,
        }
    }

    /// How many keys the ceremony is about.
    #[must_use]
    pub fn epochs(&self) -> u8 {
        match &self.kind {
            Kind::Generate { epochs, .. } => *epochs,
            Kind::Refresh { from } | Kind::Move { from, .. } => from.unchecked().epochs(),
        }
    }

    /// The group as it is; none if there is none yet.
    #[must_use]
    pub fn from(&self) -> Option<&Group> {
        match &self.kind {
            Kind::Generate { .. } => None,
            Kind::Refresh { from } | Kind::Move { from, .. } => Some(from.unchecked()),
        }
    }

    /// The number of the generation of shares that the ceremony makes; none if numbers are used up.
    pub(super) fn generation(&self) -> Option<u32> {
        self.from().map_or(Some(0), |group| group.generation.checked_add(1))
    }

    /// Who deals, with indices: of the new shares, or of the old ones if keys are moved.
    #[must_use]
    pub fn dealers(&self) -> Vec<(u8, &Officer)> {
        match &self.kind {
            Kind::Generate { .. } | Kind::Refresh { .. } => self.receivers(),
            Kind::Move { from, dealers } => dealers
                .iter()
                .filter_map(|index| Some((*index, from.unchecked().officer(*index)?)))
                .collect(),
        }
    }

    /// Who gets shares, with their indices.
    #[must_use]
    pub fn receivers(&self) -> Vec<(u8, &Officer)> {
        sudare_crypto::numbered(self.officers.iter())
            .map(|(place, officer)| (place.saturating_add(1), officer))
            .collect()
    }

    /// Everybody who takes part, each once: first those who deal.
    #[must_use]
    pub fn everybody(&self) -> Vec<&Officer> {
        let mut all: Vec<&Officer> = Vec::new();
        for (_, officer) in self.dealers().into_iter().chain(self.receivers()) {
            if all.iter().all(|one| one.id != officer.id) {
                all.push(officer);
            }
        }
        all
    }

    /// The index under which somebody deals.
    pub(super) fn dealer(&self, id: &NodeId) -> Option<u8> {
        let mut dealers = self.dealers().into_iter();
        dealers.find(|(_, officer)| officer.id == *id).map(|(index, _)| index)
    }

    /// The index of the shares that somebody gets.
    pub(super) fn receiver(&self, id: &NodeId) -> Option<u8> {
        let mut receivers = self.receivers().into_iter();
        receivers.find(|(_, officer)| officer.id == *id).map(|(index, _)| index)
    }
}
