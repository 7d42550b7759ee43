//! The keys that a replay reads with, and what they may be applied to.

use std::collections::BTreeMap;

use sudare_crypto::Encoded;
use sudare_disclosure::{AssetTerms, DisclosureSecret, Epoch, Field, Fields, SectionKind};

use super::Fault;
use crate::access::Scope;
use crate::leg::{Disclosed, Leg};
use crate::snapshot::{Heading, Snapshot, SnapshotSeed};

const NOTHING: Disclosed =
    Disclosed { amounts: None, parties: None, sender: None, trade: None, links: None };

/// Where disclosure keys come from.
pub trait Keyring: Send + Sync {
    /// The keys that stand in the policy of these terms, as far as one has them.
    fn keys(&self, terms: &AssetTerms) -> Vec<DisclosureSecret>;
}

impl Keyring for Vec<DisclosureSecret> {
    fn keys(&self, terms: &AssetTerms) -> Vec<DisclosureSecret> {
        let stands = |key: &&DisclosureSecret| {
            let point = key.point();
            terms.policy.epochs.iter().any(|epoch| epoch.keys.iter().any(|one| one.point == point))
        };
        self.iter().filter(stands).cloned().collect()
    }
}

/// The keys of all versions of the terms so far, and what may be read.
pub(super) struct Keys {
    ring: Box<dyn Keyring>,
    all: BTreeMap<Encoded, DisclosureSecret>,
    /// All that may be read; without a grant, what the keys can.
    pub(super) scope: Option<Scope>,
}

impl Keys {
    pub(super) fn new(ring: Box<dyn Keyring>) -> Self {
        Self { ring, all: BTreeMap::new(), scope: None }
    }

    /// Takes the keys of a version of the terms; gives their points.
    pub(super) fn learn(&mut self, terms: &AssetTerms) -> Vec<Encoded> {
        let keys = self.ring.keys(terms);
        let own: BTreeMap<Encoded, DisclosureSecret> =
            keys.into_iter().map(|key| (key.point(), key)).collect();
        let points = own.keys().copied().collect();
        self.all.extend(own);
        points
    }

    /// Whether a snapshot is within what may be read: it says something of all accounts, their events and links.
    pub(super) fn may_recompute(&self, heading: &Heading) -> bool {
        self.scope.as_ref().is_none_or(|scope| {
            scope.accounts.is_empty()
                && scope.has_leg(heading.epoch, heading.at)
                && scope.fields.has(Field::Parties)
                && scope.fields.has(Field::Links)
        })
    }

    /// The seed of a verified snapshot, if one of the keys opens it.
    pub(super) fn seed(
        &self,
        snapshot: &Snapshot,
        epoch: &Epoch,
    ) -> Result<Option<SnapshotSeed>, Fault> {
        let mut seed = None;
        for key in self.all.values() {
            let opened = snapshot.open(epoch, key);
            seed = seed.or(opened.map_err(|_| Fault::Unreadable(SectionKind::Snapshot))?);
        }
        Ok(seed)
    }

    /// What the keys read together of a verified leg that was notarised at `time`, ms since the Unix epoch.
    ///
    /// Enforces [ACC-3]: of a leg outside the scope nothing is read; to find the legs of the scope's accounts, the parties of
    /// those of its epochs and period.
    pub(super) fn disclose(&self, leg: &Leg, epoch: &Epoch, time: u64) -> Result<Disclosed, Fault> {
        let Some(scope) = &self.scope else { return self.read(leg, epoch, Fields::ALL) };
        if !scope.has_leg(epoch.number, time) {
            return Ok(NOTHING);
        }
        if let Some(parties) = Fields::of(&[Field::Parties])
            && !scope.accounts.is_empty()
        {
            let found = self.read(leg, epoch, parties)?.parties;
            if !found.is_some_and(|(senders, receivers)| scope.has_accounts(&senders, &receivers)) {
                return Ok(NOTHING);
            }
        }
        self.read(leg, epoch, scope.fields)
    }

    fn read(&self, leg: &Leg, epoch: &Epoch, fields: Fields) -> Result<Disclosed, Fault> {
        let mut all = NOTHING;
        for key in epoch.keys.iter().filter_map(|one| self.all.get(&one.point)) {
            let one = leg.disclose_only(epoch, key, fields)?;
            all = Disclosed {
                amounts: all.amounts.or(one.amounts),
                parties: all.parties.or(one.parties),
                sender: all.sender.or(one.sender),
                trade: all.trade.or(one.trade),
                links: all.links.or(one.links),
            };
        }
        Ok(all)
    }
}
