//! Groups: the public side of threshold keys, and the shares that officers hold of them.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{
    Bounded, Encoded, Hash, Malformed, NodeId, NodeSignature, RistrettoPoint, Secret, Text, pairs,
};

use super::{CeremonyError, CeremonyId, OFFICERS_MAX, Officer, THRESHOLD_MIN, feldman};
use crate::policy::EPOCHS_MAX;
use crate::{AssetId, Fields, KeyPurpose};

const SIGNING: &[u8] = b"sudare/group-signature/v1";

/// What the keys of a group are for, but for the epoch.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Subject {
    /// The network.
    pub network: Hash,
    /// The asset.
    pub asset: AssetId,
    /// What the keys read.
    pub fields: Fields,
    /// Whose keys they are.
    pub label: Text<32>,
}

impl Subject {
    /// The purpose that the key of `epoch` proves possession for.
    #[must_use]
    pub fn purpose(&self, epoch: u8) -> KeyPurpose {
        KeyPurpose {
            network: self.network,
            asset: self.asset,
            epoch: u32::from(epoch),
            fields: self.fields,
            label: self.label.clone(),
        }
    }
}

/// The hash of a group.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct GroupId(pub Hash);

/// The commitments `A_0 = K, A_1, .., A_(t-1)` to the polynomial whose values are a key's shares.
pub(super) type Commitments = Bounded<Encoded, OFFICERS_MAX>;

/// Officers and their keys, one an epoch from 0. The public side of one generation of shares.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Group {
    /// Format version.
    pub version: Version<1>,
    /// The ceremony that made this generation of shares.
    pub ceremony: CeremonyId,
    /// 0 for new keys; one more each time that the shares were refreshed or moved.
    pub generation: u32,
    /// What the keys are for.
    pub subject: Subject,
    /// How many officers open together.
    pub threshold: u8,
    /// Who holds shares: the officer in place `i` (from 0) has the shares with index `i + 1`.
    pub officers: Bounded<Officer, OFFICERS_MAX>,
    /// The keys with what their shares are checked against.
    pub(super) keys: Bounded<Commitments, EPOCHS_MAX>,
}

impl Group {
    /// The group's identity, which partials, shares and signatures are bound to.
    #[must_use]
    pub fn id(&self) -> GroupId {
        GroupId(Hash::of(b"sudare/group/v1", &[&encode(self)]))
    }

    /// How many keys it has, one an epoch.
    #[must_use]
    pub fn epochs(&self) -> u8 {
        u8::try_from(self.keys.len()).unwrap_or(u8::MAX)
    }

    /// The key of an epoch, `K`.
    #[must_use]
    pub fn key(&self, epoch: u8) -> Option<Encoded> {
        self.keys.get(usize::from(epoch))?.first().copied()
    }

    /// The index of an officer's shares, from 1.
    #[must_use]
    pub fn index_of(&self, id: &NodeId) -> Option<u8> {
        let place = self.officers.iter().position(|officer| officer.id == *id)?;
        u8::try_from(place).ok()?.checked_add(1)
    }

    /// The officer whose shares have this index.
    #[must_use]
    pub fn officer(&self, index: u8) -> Option<&Officer> {
        self.officers.get(usize::from(index).checked_sub(1)?)
    }

    /// `Y = s*B` of the share with this index: what its holder's partials are checked against.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if there is no such key or officer, or a commitment does not decode.
    pub fn public_share(&self, epoch: u8, index: u8) -> Result<RistrettoPoint, Malformed> {
        const UNKNOWN: Malformed = Malformed::Encoding("a group with this epoch and officer");
        let commitments = self.keys.get(usize::from(epoch)).ok_or(UNKNOWN)?;
        self.officer(index).ok_or(UNKNOWN)?;
        Ok(feldman::public_value(&feldman::points(commitments)?, index))
    }

    /// Enforces [THR-1]: officers are distinct, the threshold is possible, every key has as many commitments as the threshold.
    pub(super) fn check(&self) -> Result<(), CeremonyError> {
        check_officers(&self.officers, self.threshold)?;
        let length = usize::from(self.threshold);
        if self.keys.is_empty() || self.keys.iter().any(|key| key.len() != length) {
            return Err(CeremonyError::Group);
        }
        for key in &self.keys {
            feldman::points(key)?;
        }
        Ok(())
    }

    /// An officer's word that this is the group it has shares of.
    pub(super) fn sign(&self, key: &sudare_crypto::NodeKey) -> NodeSignature {
        key.sign(SIGNING, &encode(&self.id()))
    }
}

/// Enforces [THR-1] for a list of officers.
pub(super) fn check_officers(officers: &[Officer], threshold: u8) -> Result<(), CeremonyError> {
    let ids: BTreeSet<&NodeId> = officers.iter().map(|officer| &officer.id).collect();
    let names: BTreeSet<&str> = officers.iter().map(|officer| officer.name.as_str()).collect();
    if ids.len() != officers.len() || names.len() != officers.len() {
        return Err(CeremonyError::OfficerTwice);
    }
    if threshold < THRESHOLD_MIN || usize::from(threshold) > officers.len() {
        return Err(CeremonyError::Threshold { threshold, officers: officers.len() });
    }
    Ok(())
}

/// A group with the signatures of all its officers: each says that it holds shares of exactly this group.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SignedGroup {
    group: Group,
    signatures: Bounded<NodeSignature, OFFICERS_MAX>,
}

impl SignedGroup {
    /// The group with its officers' signatures, in their order.
    pub(super) const fn new(
        group: Group,
        signatures: Bounded<NodeSignature, OFFICERS_MAX>,
    ) -> Self {
        Self { group, signatures }
    }

    /// The group as it is written. Whoever relies on it has checked the plan that it stands in.
    pub(super) const fn unchecked(&self) -> &Group {
        &self.group
    }

    /// The group, once it is well formed and every officer's signature is checked.
    ///
    /// Enforces [THR-2].
    ///
    /// # Errors
    ///
    /// [`CeremonyError`], naming the officer whose signature does not hold.
    pub fn check(&self) -> Result<&Group, CeremonyError> {
        self.group.check()?;
        let message = encode(&self.group.id());
        for (officer, signature) in
            pairs(&self.group.officers, &self.signatures).ok_or(CeremonyError::Group)?
        {
            officer
                .id
                .verify(SIGNING, &message, signature)
                .map_err(|_| CeremonyError::Signature(officer.name.clone()))?;
        }
        Ok(&self.group)
    }
}

/// An officer's shares of a group's keys. Secret: kept in a [`super::SealedFile`] only. Wiped on drop, never printed.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct Shares {
    pub(super) version: Version<1>,
    /// The group they are of.
    pub group: GroupId,
    /// Their index, from 1.
    pub index: u8,
    /// `s`, one a key.
    pub(super) values: Bounded<Secret, EPOCHS_MAX>,
}

impl Shares {
    /// The share of the key of `epoch`.
    pub(super) fn share(&self, epoch: u8) -> Option<&Secret> {
        self.values.get(usize::from(epoch))
    }

    /// Checks that these are this group's shares: every `s*B` is what the group's commitments say.
    ///
    /// Enforces [THR-3].
    ///
    /// # Errors
    ///
    /// [`CeremonyError::OtherGroup`] if they are of another group or generation, or were changed.
    pub fn check(&self, group: &Group) -> Result<(), CeremonyError> {
        if self.group != group.id()
            || group.officer(self.index).is_none()
            || self.values.len() != group.keys.len()
        {
            return Err(CeremonyError::OtherGroup);
        }
        for (key, share) in pairs(&group.keys, &self.values).ok_or(CeremonyError::OtherGroup)? {
            if !feldman::holds(&feldman::points(key)?, self.index, share) {
                return Err(CeremonyError::OtherGroup);
            }
        }
        Ok(())
    }
}
