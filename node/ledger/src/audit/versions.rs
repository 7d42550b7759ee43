//! The versions of an asset's terms, as the log holds them.

use std::collections::{BTreeMap, BTreeSet};

use rand_core::CryptoRngCore;
use sudare_crypto::{Encoded, Hash};
use sudare_disclosure::{AssetTerms, DisclosureKey, SignedTerms};

use super::state::{VERSIONS, VersionRow};
use super::{AssetLog, Exception, Fault, TermsUse, count};
use crate::kv::{Be, Kv, StorageError, Tx};
use crate::log::FinalLeg;
use crate::transaction::WINDOW_STEP_MS;

/// All versions so far.
#[derive(Default)]
pub(super) struct Versions {
    list: Vec<VersionRow>,
    by_hash: BTreeMap<Hash, usize>,
    /// Places of those that are not saved as they are.
    changed: BTreeSet<usize>,
}

impl Versions {
    /// Those that a replay saved.
    pub(super) fn load(kv: &dyn Kv) -> Result<Self, StorageError> {
        let mut versions = Self::default();
        loop {
            let next = count(versions.list.len());
            let Some(row) = VERSIONS.get(kv, &Be(next))? else { return Ok(versions) };
            versions.by_hash.insert(row.terms.hash(), versions.list.len());
            versions.list.push(row);
        }
    }

    /// Writes what changed.
    pub(super) fn save(&mut self, tx: &Tx<'_>) {
        for place in std::mem::take(&mut self.changed) {
            if let Some(row) = self.list.get(place) {
                VERSIONS.put(tx, &Be(count(place)), row);
            }
        }
    }

    /// Takes the next version, which stands in `entry`, and of which the replay has these `keys`.
    ///
    /// Enforces [POL-1] to [POL-4] on every version and [REG-3] from one to the next.
    pub(super) fn admit(
        &mut self,
        log: &AssetLog,
        (entry, signed): (u64, SignedTerms),
        keys: Vec<Encoded>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), Fault> {
        let terms = &signed.terms;
        if terms.asset() != log.asset || terms.core.registrar != log.registrar {
            return Err(Fault::OtherAsset);
        }
        signed.check(log.network, rng)?;
        let expected = u32::try_from(self.list.len()).unwrap_or(u32::MAX);
        if terms.number != expected {
            return Err(Fault::TermsNumber { found: terms.number, expected });
        }
        if let Some(before) = self.list.last()
            && let Some(epoch) = terms.policy.changes(&before.terms.policy)
        {
            return Err(Fault::TermsChanged { epoch });
        }
        self.by_hash.insert(terms.hash(), self.list.len());
        self.changed.insert(self.list.len());
        let terms = signed.terms;
        self.list.push(VersionRow { terms, entry, legs: 0, in_force_before: None, keys });
        Ok(())
    }

    /// The version with this hash, and its place.
    pub(super) fn cited(&self, hash: &Hash) -> Result<(usize, &AssetTerms), Fault> {
        if self.list.is_empty() {
            return Err(Fault::NotTerms);
        }
        let place = *self.by_hash.get(hash).ok_or(Fault::UnknownTerms)?;
        Ok((place, self.get(place)?))
    }

    /// The version in force.
    pub(super) fn newest(&self) -> Result<&AssetTerms, Fault> {
        self.list.last().map(|version| &version.terms).ok_or(Fault::NotTerms)
    }

    /// The version at a place.
    pub(super) fn get(&self, place: usize) -> Result<&AssetTerms, Fault> {
        self.list.get(place).map(|version| &version.terms).ok_or(Fault::UnknownTerms)
    }

    /// Checks the leg's window against its terms and epoch. Uses no clock but the notary's and no allowance but rounding:
    /// a registrar approves before the window ends, so what was in force at approval was in force before the window's end.
    ///
    /// Enforces [APR-3] and [POL-7]; and that a version which was replaced is not used after its grace, or an authority whose
    /// key was added could be kept from reading. Gives whether the epoch was over at the window's end.
    pub(super) fn check_timing(&mut self, place: usize, leg: &FinalLeg) -> Result<bool, Fault> {
        let window = leg.commit.transaction.window;
        let terms = self.get(place)?;
        let longest = terms.core.window_max_ms.saturating_add(3 * WINDOW_STEP_MS);
        if window.length() > longest {
            return Err(Fault::Window);
        }
        let (policy, number) = (&terms.policy, leg.leg.header.epoch);
        let opens = policy.epoch(number).map(|epoch| epoch.opens_at);
        let end = policy.ends_at(number);
        let grace = end.is_some_and(|end| window.until > end);
        let ends = end.map(|end| end.saturating_add(policy.grace_ms));
        if opens.is_none_or(|opens| opens >= window.until)
            || ends.is_some_and(|ends| window.until > ends)
        {
            return Err(Fault::Epoch);
        }
        let replaced = self.list.iter().skip(place.saturating_add(1));
        let replaced = replaced.filter_map(|newer| newer.in_force_before).min();
        if replaced.is_some_and(|at| window.until > at.saturating_add(policy.grace_ms)) {
            return Err(Fault::StaleTerms { number: terms.number });
        }
        if let Some(version) = self.list.get_mut(place) {
            version.legs = version.legs.saturating_add(1);
            let before = version.in_force_before.unwrap_or(u64::MAX);
            version.in_force_before = Some(before.min(window.until));
            self.changed.insert(place);
        }
        Ok(grace)
    }

    /// What the newest version changes in the one before it; none of the first.
    pub(super) fn change(&self) -> Option<Exception> {
        let [.., before, newest] = self.list.as_slice() else { return None };
        let (old, new) = (&before.terms.policy, &newest.terms.policy);
        let mut keys = 0_u32;
        for (before, now) in old.epochs.iter().map(|epoch| (epoch, new.epoch(epoch.number))) {
            let kept = |key: &DisclosureKey| before.keys.iter().any(|one| one == key);
            let changed = now.map_or(0, |now| now.keys.iter().filter(|key| !kept(key)).count());
            keys = keys.saturating_add(u32::try_from(changed).unwrap_or(u32::MAX));
        }
        let epochs = new.epochs.len().saturating_sub(old.epochs.len());
        let epochs = u32::try_from(epochs).unwrap_or(u32::MAX);
        Some(Exception::Terms { number: newest.terms.number, epochs, keys })
    }

    /// All versions.
    pub(super) fn all(&self) -> &[VersionRow] {
        &self.list
    }

    /// How many legs are under each version.
    pub(super) fn uses(&self) -> Vec<TermsUse> {
        let one = |version: &VersionRow| TermsUse {
            number: version.terms.number,
            hash: version.terms.hash(),
            epochs: count(version.terms.policy.epochs.len()),
            legs: version.legs,
        };
        self.list.iter().map(one).collect()
    }
}
