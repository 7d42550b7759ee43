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
            if epoch.keys.first().is_none_or(|key| key.fields != Fields::ALL || key.is_retired()) {
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

    /// The first epoch of `old` that doesn't stand here with its opening and its keys in their places; epochs and keys may be
    /// added, and a key may be retired by its holder, whose countersignature is the key's new proof of possession.
    ///
    /// Enforces [REG-3].
    #[must_use]
    pub fn changes(&self, old: &Self) -> Option<u32> {
        let kept = |before: &&Epoch| self.epoch(before.number).is_some_and(|one| one.keeps(before));
        old.epochs.iter().find(|before| !kept(before)).map(|before| before.number)
    }

    /// Whether every epoch and key of `old` stands here too, as [`Policy::changes`] asks.
    #[must_use]
    pub fn extends(&self, old: &Self) -> bool {
        self.changes(old).is_none()
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
    /// The points of the keys that read `field` and are not retired, the registrar's first.
    #[must_use]
    pub fn keys_with(&self, field: Field) -> Vec<Encoded> {
        self.points(|fields| fields.has(field))
    }

    /// The points of the keys whose fields are as `wanted` says and that are not retired, the registrar's first.
    pub fn points(&self, wanted: impl Fn(Fields) -> bool) -> Vec<Encoded> {
        let keys = self.keys.iter().filter(|key| wanted(key.fields) && !key.is_retired());
        keys.map(|key| key.point).collect()
    }

    /// Whether `before` stands here with its opening and its keys in their places, the same or retired.
    fn keeps(&self, before: &Self) -> bool {
        let own = self.keys.get(..before.keys.len());
        let pairs = own.and_then(|own| sudare_crypto::pairs(own, &before.keys));
        self.opens_at == before.opens_at
            && pairs.is_some_and(|mut pairs| {
                pairs.all(|(after, before)| after == before || after.retires(before))
            })
    }

    /// The place of `point` among the keys that read `field`.
    #[must_use]
    pub fn position(&self, field: Field, point: &Encoded) -> Option<usize> {
        self.keys_with(field).iter().position(|key| key == point)
    }
}
