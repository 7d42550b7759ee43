//! The versions of an asset's terms, as the log holds them.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use sudare_crypto::Hash;
use sudare_disclosure::{AssetTerms, SignedTerms};

use super::{AssetLog, Fault, TermsUse, count};
use crate::log::FinalLeg;
use crate::transaction::WINDOW_STEP_MS;

/// All versions so far.
#[derive(Default)]
pub(super) struct Versions {
    list: Vec<Version>,
    by_hash: BTreeMap<Hash, usize>,
}

struct Version {
    terms: AssetTerms,
    legs: u64,
    /// The earliest end of a window of a leg under this version: it was in force before then.
    in_force_before: Option<u64>,
}

impl Versions {
    /// Takes the next version.
    ///
    /// Enforces [POL-1] to [POL-4] on every version and [REG-3] from one to the next.
    pub(super) fn admit(
        &mut self,
        log: &AssetLog,
        signed: SignedTerms,
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
        self.list.push(Version { terms: signed.terms, legs: 0, in_force_before: None });
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
    /// key was added could be kept from reading.
    pub(super) fn check_timing(&mut self, place: usize, leg: &FinalLeg) -> Result<(), Fault> {
        let window = leg.commit.transaction.window;
        let terms = self.get(place)?;
        let longest = terms.core.window_max_ms.saturating_add(3 * WINDOW_STEP_MS);
        if window.length() > longest {
            return Err(Fault::Window);
        }
        let (policy, number) = (&terms.policy, leg.leg.header.epoch);
        let opens = policy.epoch(number).map(|epoch| epoch.opens_at);
        let ends = policy.ends_at(number).map(|end| end.saturating_add(policy.grace_ms));
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
        }
        Ok(())
    }

    /// How many legs are under each version.
    pub(super) fn uses(&self) -> Vec<TermsUse> {
        let one = |version: &Version| TermsUse {
            number: version.terms.number,
            hash: version.terms.hash(),
            epochs: count(version.terms.policy.epochs.len()),
            legs: version.legs,
        };
        self.list.iter().map(one).collect()
    }
}
