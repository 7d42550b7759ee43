//! The regulator's replay of an asset log: verifies every entry from its bytes alone, trusting nobody, rebuilds the log's root,
//! and reads what its disclosure keys allow (specs/logs.md).
//!
//! [`Replay`] takes the entries in order. Legs are verified in batches, and no key is applied to a leg before all its proofs
//! are ([SEC-5]). At the end the registrar's signed checkpoint decides that no entry is missing, and the [`Report`] says what
//! was shown, what was read, and what the keys leave open. A replay that failed stays failed.

mod error;
mod read;
mod regulator;
mod report;
mod rules;
mod versions;

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use sudare_crypto::encoding::decode;
use sudare_crypto::{Claims, Encoded, Hash, NodeId, Stream};
use sudare_disclosure::{AssetId, DisclosureSecret};

use crate::access::{AccessError, Permit, Scope};
use crate::leg::Leg;
use crate::log::{ENTRY_BYTES_MAX, Entry, EntryLeaf, FinalLeg};
use crate::snapshot::{Heading, Snapshot, SnapshotSeed};
use crate::transaction::TxId;
use crate::tree::{CheckpointError, MemoryTree, SignedCheckpoint, SignerName};

pub use error::{AuditError, Fault};
pub use regulator::{Evidence, Instruction, RecordReplay, Recorded, Regulator};
pub use report::{Coverage, ReadLeg, Report, SnapshotSeen, TermsUse};

use read::{Keys, Register};
use versions::Versions;

/// An asset's log: what a regulator must know beforehand, from the membership list and the asset's prospectus.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AssetLog {
    /// The network.
    pub network: Hash,
    /// The asset.
    pub asset: AssetId,
    /// The registrar, who signs the log's checkpoints.
    pub registrar: NodeId,
}

impl AssetLog {
    /// The first line of the log's checkpoints.
    ///
    /// # Errors
    ///
    /// [`CheckpointError`] never in practice: two hashes always make a name.
    pub fn origin(&self) -> Result<SignerName, CheckpointError> {
        crate::registrar::origin(self.network, self.asset)
    }
}

/// Finds `v` from 0 to the bound with `v*B` = the point: [`sudare_disclosure::dlog`], within the caller's limits of time. None
/// if it gave up.
pub type Solve<'a> = &'a mut dyn FnMut(&Encoded, u64) -> Option<u64>;

/// A replay under way.
#[allow(missing_debug_implementations, reason = "holds disclosure keys")]
pub struct Replay<R> {
    log: AssetLog,
    keys: Vec<(Encoded, DisclosureSecret)>,
    rng: R,
    tree: MemoryTree,
    versions: Versions,
    /// Every tag and every owner commitment so far, with its entry.
    tags: BTreeMap<Encoded, u64>,
    owners: BTreeMap<Encoded, u64>,
    supply: Supply,
    snapshots: Vec<SnapshotSeen>,
    /// Legs whose equations wait to be decided together.
    pending: Stream<Pending>,
    register: Register,
    /// All that is read, if the replay is under a grant.
    scope: Option<Scope>,
    /// Seeds of snapshots that no key here has to open.
    seeds: BTreeMap<u64, SnapshotSeed>,
    failed: Option<AuditError>,
}

/// Atomic units made and ended so far.
#[derive(Clone, Copy, Debug, Default)]
struct Supply {
    minted: u128,
    burned: u128,
}

/// A leg that passed every check but its equations.
struct Pending {
    entry: u64,
    tx: TxId,
    leg: Box<FinalLeg>,
    /// Which version of the terms it cites.
    version: usize,
    /// What no amount of it exceeds: the supply before it, and what it mints.
    bound: u64,
}

impl<R: CryptoRngCore> Replay<R> {
    /// A replay of `log` from its first entry, read with `keys` of any epochs and fields. Draw `rng` from entropy that neither
    /// registrar nor custodians knew.
    #[must_use]
    pub fn new(log: AssetLog, keys: Vec<DisclosureSecret>, rng: R) -> Self {
        Self {
            log,
            keys: keys.into_iter().map(|key| (key.point(), key)).collect(),
            rng,
            tree: MemoryTree::default(),
            versions: Versions::default(),
            tags: BTreeMap::new(),
            owners: BTreeMap::new(),
            supply: Supply::default(),
            snapshots: Vec::new(),
            pending: Stream::new(),
            register: Register::default(),
            scope: None,
            seeds: BTreeMap::new(),
            failed: None,
        }
    }

    /// Reads nothing but what the permit's scope has: all of the log is verified, keys are applied to that alone.
    ///
    /// Enforces [ACC-3].
    ///
    /// # Errors
    ///
    /// [`AccessError::OtherUse`] if the permit is not for reading this asset's log.
    pub fn under(mut self, permit: &Permit) -> Result<Self, AccessError> {
        let scope = permit.scope().filter(|scope| scope.asset == self.log.asset);
        self.scope = Some(scope.ok_or(AccessError::OtherUse)?.clone());
        Ok(self)
    }

    /// Recomputes snapshots, by entry, also with seeds that somebody else opened, such as officers who hold a key together.
    #[must_use]
    pub fn knowing(mut self, seeds: BTreeMap<u64, SnapshotSeed>) -> Self {
        self.seeds = seeds;
        self
    }

    /// Takes the entry at `index`, the next one, as canonical bytes. Proofs are decided some entries later.
    ///
    /// # Errors
    ///
    /// [`AuditError`], naming the entry at fault, which may be an earlier one; the same again for every call after.
    pub fn push(&mut self, index: u64, bytes: &[u8]) -> Result<(), AuditError> {
        self.unless_failed(|replay| replay.take(index, bytes))
    }

    /// Ends the replay: nothing is missing below the registrar's checkpoint, and the register adds up. Calls `solve` for every
    /// amount that the memo hides.
    ///
    /// Enforces [LOG-4].
    ///
    /// # Errors
    ///
    /// [`AuditError`].
    pub fn finish(
        mut self,
        checkpoint: &SignedCheckpoint,
        solve: Solve<'_>,
    ) -> Result<Report, AuditError> {
        self.unless_failed(Self::flush)?;
        let (size, root) = {
            let signed = checkpoint.open(&self.log.origin()?, &self.log.registrar)?;
            (signed.size, signed.root)
        };
        let entries = self.tree.size();
        if size != entries {
            return Err(AuditError::Size { entries, size });
        }
        if self.tree.root(size)? != root {
            return Err(AuditError::Root { size });
        }
        if size == 0 {
            return Err(AuditError::Entry { entry: 0, fault: Fault::NotTerms });
        }
        let mut report = Report {
            log: self.log,
            root,
            entries,
            legs: self.register.legs(),
            terms: self.versions.uses(),
            minted: self.supply.minted,
            burned: self.supply.burned,
            supply: self.supply.outstanding().ok_or(AuditError::Overflow)?,
            tags: count(self.tags.len()),
            notes: count(self.owners.len()),
            snapshots: std::mem::take(&mut self.snapshots),
            scope: Coverage::default(),
            live: None,
            sums: false,
            holdings: None,
            false_memos: Vec::new(),
            read: Vec::new(),
        };
        self.register.finish(&mut report, solve)?;
        Ok(report)
    }

    fn unless_failed<T>(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<T, AuditError>,
    ) -> Result<T, AuditError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        step(self).inspect_err(|error| self.failed = Some(error.clone()))
    }

    fn take(&mut self, index: u64, bytes: &[u8]) -> Result<(), AuditError> {
        let expected = self.tree.size();
        if index != expected {
            return Err(AuditError::Order { given: index, expected });
        }
        let at = |fault| at(index, fault);
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(at(Fault::TooLong));
        }
        let entry: Entry = decode(bytes, "a log entry").map_err(|error| at(error.into()))?;
        let leaf = match entry {
            Entry::Terms(signed) => {
                let leaf = EntryLeaf::Terms { number: signed.terms.number, body: body(bytes) };
                // What comes before new terms is decided first, so that the first culprit is named.
                self.flush()?;
                self.versions.admit(&self.log, signed, &mut self.rng).map_err(at)?;
                leaf
            }
            Entry::Snapshot(snapshot) => {
                // Chains and holdings are those of the legs before, which have to be read first.
                self.flush()?;
                self.take_snapshot(index, &snapshot).map_err(at)?;
                snapshot.heading.leaf(body(bytes))
            }
            Entry::Leg(leg) => match self.take_leg(index, leg, body(bytes)) {
                Ok(leaf) => leaf,
                Err(fault) => {
                    // A leg that waits may be the true culprit, say with another's tag under a false proof.
                    self.flush()?;
                    return Err(at(fault));
                }
            },
        };
        self.tree.append(leaf.hash())?;
        if self.pending.is_full() { self.flush() } else { Ok(()) }
    }

    /// Everything that can be decided of a leg without its equations; these wait for the batch.
    fn take_leg(&mut self, entry: u64, leg: Box<FinalLeg>, body: Hash) -> Result<EntryLeaf, Fault> {
        let terms = leg.leg.header.terms;
        let (number, version) = self.versions.cited(&terms)?;
        let (tx, m) = rules::check_final(&self.log, version, &leg)?;
        let claims = rules::claims(version, &leg, m)?;
        self.versions.check_timing(number, &leg)?;
        self.first_of_their_kind(entry, &leg.leg)?;
        let bound = self.supply.apply(leg.leg.header.mint, leg.leg.header.burn)?;
        let root = rules::leg_root(&leg);
        let leaf = EntryLeaf::Leg { tx, index: leg.index, root, body };
        self.pending.add(Pending { entry, tx, leg, version: number, bound }, claims);
        Ok(leaf)
    }

    /// Enforces [SNP-1], [SNP-4] and, as far as the keys allow, [SNP-3].
    fn take_snapshot(&mut self, entry: u64, snapshot: &Snapshot) -> Result<(), Fault> {
        let expected = u32::try_from(self.snapshots.len()).unwrap_or(u32::MAX);
        let Heading { number, at, supply, .. } = snapshot.heading;
        let latest = self.snapshots.last().map_or(0, |before| before.at);
        if number != expected || at < latest {
            return Err(Fault::SnapshotOrder { found: number, expected });
        }
        let found = self.supply.outstanding().ok_or(Fault::Supply)?;
        if supply != found {
            return Err(Fault::SnapshotSupply { stated: supply, found });
        }
        let terms = self.versions.newest()?;
        let mut claims = Claims::new();
        snapshot.check(terms, &mut claims)?;
        claims.accept(&mut self.rng)?;
        let epoch = terms.policy.epoch(snapshot.heading.epoch).ok_or(Fault::Epoch)?;
        let keys = Keys { all: &self.keys, scope: self.scope.as_ref() };
        let known = self.seeds.remove(&entry);
        let checked = self.register.check_snapshot(snapshot, epoch, &keys, known)?;
        self.snapshots.push(SnapshotSeen { number, entry, at, checked });
        Ok(())
    }

    /// Enforces [NOT-5], [NOTE-1], [SLOT-3]: a tag is spent once and an owner commitment used once in the whole log.
    fn first_of_their_kind(&mut self, entry: u64, leg: &Leg) -> Result<(), Fault> {
        for (input, one) in sudare_crypto::numbered(leg.inputs.iter()) {
            if let Some(before) = self.tags.insert(one.tag, entry) {
                return Err(Fault::TagSpent { input, before });
            }
        }
        for (output, one) in sudare_crypto::numbered(leg.outputs.iter()) {
            if let Some(before) = self.owners.insert(one.slot.slot.owner, entry) {
                return Err(Fault::OwnerUsed { output, before });
            }
        }
        Ok(())
    }

    /// Decides the equations of all waiting legs, then reads them, then decides the links that were read.
    ///
    /// Enforces [SEC-5]: keys are applied only to verified legs.
    fn flush(&mut self) -> Result<(), AuditError> {
        let mut legs = Vec::new();
        for (pending, verdict) in self.pending.decide(&mut self.rng) {
            verdict.map_err(|error| at(pending.entry, error.into()))?;
            legs.push(pending);
        }
        let mut links = Stream::new();
        let read = legs.iter().try_for_each(|pending| {
            let terms = self.versions.get(pending.version);
            let keys = Keys { all: &self.keys, scope: self.scope.as_ref() };
            let claims = terms.and_then(|terms| self.register.read(pending, terms, &keys));
            let claims = claims.map_err(|fault| at(pending.entry, fault))?;
            // An issue spends nothing, and without the links of a leg nobody can decide them.
            if !claims.is_empty() {
                links.add(pending.entry, claims);
            }
            Ok(())
        });
        // What is wrong with the links comes before the leg that could not be read.
        for (entry, verdict) in links.decide(&mut self.rng) {
            verdict.map_err(|error| at(entry, error.into()))?;
        }
        read
    }
}

impl Supply {
    /// Counts a leg's mint and burn; gives what no amount of the leg exceeds.
    ///
    /// Enforces [LOG-4]: the supply is what was minted and not burned, never negative, and fits 64 bits.
    fn apply(&mut self, mint: u64, burn: u64) -> Result<u64, Fault> {
        let minted = self.minted.checked_add(mint.into()).ok_or(Fault::Supply)?;
        let bound = Self { minted, ..*self }.outstanding().ok_or(Fault::Supply)?;
        let burned = self.burned.checked_add(burn.into()).ok_or(Fault::Supply)?;
        *self = Self { minted, burned };
        self.outstanding().ok_or(Fault::Supply)?;
        Ok(bound)
    }

    fn outstanding(&self) -> Option<u64> {
        u64::try_from(self.minted.checked_sub(self.burned)?).ok()
    }
}

const fn at(entry: u64, fault: Fault) -> AuditError {
    AuditError::Entry { entry, fault }
}

/// Decoding is strict, so the bytes are those that [`Entry::body_hash`] would encode again.
fn body(bytes: &[u8]) -> Hash {
    Hash::of(b"sudare/entry/v1", &[bytes])
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
