//! Opening legs and register snapshots with a threshold key: an officer verifies the asset's whole log by itself, from a file, before its share touches a point.

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::OsRng;
use sudare_crypto::encoding::{Version, decode};
use sudare_crypto::{Bounded, Encoded, Hash};
use sudare_disclosure::threshold::{Group, Request};
use sudare_disclosure::{AssetId, DisclosureKey, Epoch, Field, Fields, SectionKind, SignedTerms};
use sudare_ledger::access::{AccessError, Permit, Scope, Use};
use sudare_ledger::audit::{AssetLog, Replay};
use sudare_ledger::leg::Leg;
use sudare_ledger::log::Entry;
use sudare_ledger::snapshot::{Snapshot, SnapshotSeed};
use sudare_ledger::tree::SignedCheckpoint;

use crate::cli::Failure;

/// The longest log file, in bytes.
pub const LOG_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// An asset's whole log below a checkpoint, as a file for machines without a network.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct LogFile {
    /// Format version.
    pub version: Version<1>,
    /// The registrar's checkpoint.
    pub checkpoint: SignedCheckpoint,
    /// Canonical bytes of the entries.
    pub entries: Vec<Vec<u8>>,
}

/// The seed of a register snapshot that officers opened, as a file for a replay that recomputes the snapshot with it. It is as
/// confidential as the parties and links of all accounts.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct OpenedSeed {
    /// Format version.
    pub version: Version<1>,
    /// The asset.
    pub asset: AssetId,
    /// The snapshot's entry in the log.
    pub entry: u64,
    /// Its seed.
    pub seed: SnapshotSeed,
}

/// A final leg or a register snapshot of a verified log, in the scope of a group's key.
#[derive(Debug)]
pub struct VerifiedEntry {
    /// What it is.
    pub content: Content,
    /// The epoch that it is encrypted to.
    pub epoch: Epoch,
    /// The epoch's number, as the group counts its keys.
    pub key: u8,
    /// When the leg was notarised, or the snapshot taken, ms since the Unix epoch.
    pub time: u64,
}

/// What officers open together.
#[derive(Debug)]
pub enum Content {
    /// A leg.
    Leg(Box<Leg>),
    /// A register snapshot, with the hash of its entry's leaf.
    Snapshot(Box<Snapshot>, Hash),
}

impl VerifiedEntry {
    /// Replays the whole log, then takes the leg or snapshot at `entry`.
    ///
    /// Enforces [THR-9], [SEC-5]: final, verified, and encrypted to the group's own key.
    ///
    /// # Errors
    ///
    /// [`Failure::CheckFailed`] if anything of the log does not hold; [`Failure::Usage`] if the entry is neither, or not in the
    /// key's scope.
    pub fn find(log: &LogFile, group: &Group, entry: u64) -> Result<Self, Failure> {
        let terms = replay(log, group)?;
        let place = usize::try_from(entry).unwrap_or(usize::MAX);
        let nothing =
            || Failure::Usage(format!("entry {entry} of the log is not a leg or a snapshot"));
        let bytes = log.entries.get(place).ok_or_else(nothing)?;
        let found: Entry = decode(bytes, "a log entry")?;
        let leaf = found.leaf().map(|leaf| leaf.hash());
        let (cited, number, time, content) = match found {
            Entry::Leg(found) => {
                let (cited, number) = (found.leg.header.terms, found.leg.header.epoch);
                let time = found.receipt.entry.time;
                (cited, number, time, Content::Leg(Box::new(found.leg)))
            }
            Entry::Snapshot(snapshot) => {
                let heading = &snapshot.heading;
                let (cited, number, at) = (heading.terms, heading.epoch, heading.at);
                (cited, number, at, Content::Snapshot(snapshot, leaf.ok_or_else(nothing)?))
            }
            Entry::Terms(_) => return Err(nothing()),
        };
        let scope =
            || Failure::Usage(format!("entry {entry} is not in the scope of this group's keys"));
        let epoch = terms.get(&cited).and_then(|signed| signed.terms.policy.epoch(number));
        let (epoch, key) = (epoch.ok_or_else(scope)?, u8::try_from(number).map_err(|_| scope())?);
        let (point, fields) = (group.key(key).ok_or_else(scope)?, group.subject.fields);
        let own = |one: &DisclosureKey| one.point == point && one.fields == fields;
        let entitled = match &content {
            Content::Leg(_) => true,
            Content::Snapshot(..) => fields.has(Field::Parties) && fields.has(Field::Links),
        };
        if !entitled || !epoch.keys.iter().any(|one| own(one) && !one.is_retired()) {
            return Err(scope());
        }
        Ok(Self { content, epoch: epoch.clone(), key, time })
    }

    /// Whether opening the entry with this group's key reads nothing beyond the scope. A scope that names accounts has no such
    /// entry: whose a leg is nobody knows before it is open, and a snapshot is of all.
    ///
    /// Enforces [ACC-3].
    ///
    /// # Errors
    ///
    /// [`AccessError::WiderThanGrant`], naming what is not within it.
    pub fn within(&self, group: &Group, scope: &Scope) -> Result<(), AccessError> {
        let of_snapshots = Fields::of(&[Field::Parties, Field::Links]);
        let fields = match &self.content {
            Content::Leg(_) => group.subject.fields,
            Content::Snapshot(..) => of_snapshots.unwrap_or(Fields::ALL),
        };
        let opened = Scope {
            asset: group.subject.asset,
            fields,
            accounts: Bounded::default(),
            first_epoch: self.epoch.number,
            last_epoch: self.epoch.number,
            from: self.time,
            until: self.time.saturating_add(1),
        };
        scope.covers(&opened)
    }

    /// Whether a permit is for the opening of this entry, which is `entry` of its log.
    ///
    /// Enforces [ACC-2]: an officer's share touches an entry under a permit alone.
    ///
    /// # Errors
    ///
    /// [`Failure::Access`] if it is for something else.
    pub fn permitted(&self, group: &Group, entry: u64, permit: &Permit) -> Result<(), Failure> {
        let request = self.request(group)?.hash();
        if *permit.what() != (Use::Opening { entry, request }) {
            return Err(AccessError::OtherUse.into());
        }
        Ok(self.within(group, &permit.grant().scope)?)
    }

    /// The request for all points that the group's key opens of the leg, or for the one of a snapshot's seed.
    ///
    /// # Errors
    ///
    /// [`Failure::Malformed`] never in practice: a leg's points are within a request's limit.
    pub fn request(&self, group: &Group) -> Result<Request, Failure> {
        let fields = group.subject.fields;
        let leg = match &self.content {
            Content::Leg(leg) => leg,
            Content::Snapshot(snapshot, leaf) => {
                return Ok(Request::new(group, self.key, *leaf, vec![snapshot.sealed.ephemeral])?);
            }
        };
        let mut points = Vec::<Encoded>::new();
        if fields.has(Field::Amounts) {
            points.extend(leg.outputs.iter().map(|output| output.ephemeral));
        }
        if fields.has(Field::Parties) {
            points.extend(leg.inputs.iter().map(|input| input.ephemeral));
            points.extend(leg.outputs.iter().map(|output| output.slot.slot.ephemeral));
        }
        let read = leg.sections.iter().filter(|section| fields.has(field_of(section.kind)));
        points.extend(read.map(|section| section.ephemeral));
        Ok(Request::new(group, self.key, leg.hash(), points)?)
    }
}

const fn field_of(kind: SectionKind) -> Field {
    match kind {
        SectionKind::Opening(_) => Field::Amounts,
        SectionKind::Parties => Field::Parties,
        SectionKind::Trade => Field::Trade,
        // No leg has a snapshot's section.
        SectionKind::Links | SectionKind::Snapshot => Field::Links,
    }
}

/// Verifies every entry and the checkpoint; gives the terms by their hashes.
fn replay(log: &LogFile, group: &Group) -> Result<BTreeMap<Hash, SignedTerms>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::CheckFailed(error.to_string());
    let mut terms: BTreeMap<Hash, SignedTerms> = BTreeMap::new();
    let mut registrar = None;
    for bytes in &log.entries {
        if let Entry::Terms(signed) = decode(bytes, "a log entry")? {
            registrar.get_or_insert(signed.terms.core.registrar);
            terms.insert(signed.terms.hash(), signed);
        }
    }
    let (network, asset) = (group.subject.network, group.subject.asset);
    let registrar = registrar.ok_or_else(|| failed(&"the log has no terms"))?;
    // The asset's id is the hash of what names the registrar, and the replay holds terms to the asset.
    let mut replay = Replay::new(AssetLog { network, asset, registrar }, Vec::new(), OsRng);
    let mut index: u64 = 0;
    for bytes in &log.entries {
        replay.push(index, bytes).map_err(|error| failed(&error))?;
        index = index.saturating_add(1);
    }
    replay.finish(&log.checkpoint, &mut |_, _| None).map_err(|error| failed(&error))?;
    Ok(terms)
}
