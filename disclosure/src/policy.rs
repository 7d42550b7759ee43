//! The disclosure policy of an asset: which keys read what, epoch by epoch. There is no opt-out and no null key.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::{Bounded, Claims, Encoded, Hash, Rejected};

use crate::{AssetId, DisclosureKey, Field, Fields};

/// The most keys of an epoch, the registrar's included.
pub const KEYS_MAX: usize = 8;
/// The most epochs that terms publish.
pub const EPOCHS_MAX: usize = 64;

/// A schedule of epochs.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Policy {
    /// How long after its epoch's end a leg's window may end, in ms.
    pub grace_ms: u64,
    /// The epochs, numbered from 0 without gaps, each opening after the one before.
    pub epochs: Bounded<Epoch, EPOCHS_MAX>,
}

/// The keys in force from a point in time until the next epoch opens.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Epoch {
    /// Its number.
    pub number: u32,
    /// When it opens, in ms since the Unix epoch.
    pub opens_at: u64,
    /// The keys; the first is the registrar's and reads all fields.
    pub keys: Bounded<DisclosureKey, KEYS_MAX>,
}

/// Why a policy was refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PolicyError {
    /// No epoch, or epochs out of order.
    #[error("epochs must be numbered from 0 and open one after the other")]
    Schedule,
    /// Epoch without a registrar's key for all fields in the first place.
    #[error("epoch {0}: the first key must be the registrar's and read all fields")]
    RegistrarKey(u32),
    /// The same point twice.
    #[error(
        "epoch {0}: key {1} is used twice; every epoch, field set and authority needs a key of its own"
    )]
    Reused(u32, u8),
    /// A key without possession.
    #[error("epoch {0}: key {1} has no valid proof of possession")]
    Possession(u32, u8),
}

impl Policy {
    /// Checks everything but the proofs of possession, whose equations go to `claims`.
    ///
    /// # Errors
    ///
    /// [`PolicyError`], naming epoch and key.
    pub fn check(
        &self,
        network: Hash,
        asset: AssetId,
        claims: &mut Claims,
    ) -> Result<(), PolicyError> {
        let mut seen: BTreeSet<Encoded> = BTreeSet::new();
        let mut opened = None;
        if self.epochs.is_empty() {
            return Err(PolicyError::Schedule);
        }
        for (number, epoch) in sudare_crypto::numbered(self.epochs.iter()) {
            let number = u32::from(number);
            if epoch.number != number || opened.is_some_and(|before| epoch.opens_at <= before) {
                return Err(PolicyError::Schedule);
            }
            opened = Some(epoch.opens_at);
            if epoch.keys.first().is_none_or(|key| key.fields != Fields::ALL) {
                return Err(PolicyError::RegistrarKey(number));
            }
            for (index, key) in sudare_crypto::numbered(epoch.keys.iter()) {
                if !seen.insert(key.point) {
                    return Err(PolicyError::Reused(number, index));
                }
                key.claim(network, asset, number, claims)
                    .map_err(|_: Rejected| PolicyError::Possession(number, index))?;
            }
        }
        Ok(())
    }

    /// Whether every epoch and key of `old` stands here too: epochs and keys may be added. Changing or removing one would need
    /// the countersignature of the authority that it concerns, which terms do not carry.
    #[must_use]
    pub fn extends(&self, old: &Self) -> bool {
        old.epochs.iter().all(|before| {
            self.epoch(before.number).is_some_and(|after| {
                after.opens_at == before.opens_at && after.keys.starts_with(&before.keys)
            })
        })
    }

    /// The epoch in force at `now`; none before the first opens.
    #[must_use]
    pub fn epoch_at(&self, now: u64) -> Option<&Epoch> {
        self.epochs.iter().rev().find(|epoch| epoch.opens_at <= now)
    }

    /// The epoch with this number.
    #[must_use]
    pub fn epoch(&self, number: u32) -> Option<&Epoch> {
        self.epochs.get(usize::try_from(number).ok()?)
    }

    /// When the epoch with this number ends: the next one's opening, or never.
    #[must_use]
    pub fn ends_at(&self, number: u32) -> Option<u64> {
        self.epoch(number.checked_add(1)?).map(|next| next.opens_at)
    }
}

impl Epoch {
    /// The points of the keys that read `field`, the registrar's first.
    #[must_use]
    pub fn keys_with(&self, field: Field) -> Vec<Encoded> {
        self.keys.iter().filter(|key| key.fields.has(field)).map(|key| key.point).collect()
    }

    /// The place of `point` among the keys that read `field`.
    #[must_use]
    pub fn position(&self, field: Field, point: &Encoded) -> Option<usize> {
        self.keys_with(field).iter().position(|key| key == point)
    }
}
