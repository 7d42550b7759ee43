//! The regulator's replay of an asset log: verifies every entry from its bytes alone, trusting nobody, rebuilds the log's root,
//! and reads what its disclosure keys allow (specs/logs.md).
//!
//! [`Replay`] takes the entries in order. Legs are verified a batch a core, and no key is applied to a leg before all its proofs
//! are ([SEC-5]). What follows from them is in tables ([`ReplayState`]) that are written with the place they belong to, so a replay
//! needs the memory of a batch a core and goes on wherever it was stopped. At a registrar's signed checkpoint, which decides that no
//! entry is missing, the [`Report`] says what was shown, what was read, and what the keys leave open; then it may go on. A replay that
//! failed stays failed.

mod day;
mod error;
mod keys;
mod legs;
mod register;
mod regulator;
mod report;
mod rules;
mod state;
mod versions;

use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::{Version, decode};
use sudare_crypto::{Claims, Encoded, Hash, NodeId};
use sudare_disclosure::{AssetId, Fields, SignedTerms};

use crate::access::{AccessError, Permit, Scope};
use crate::bundle::ReadUnder;
use crate::kv::{Be, Kv, MemoryKv, Tx};
use crate::log::{ENTRY_BYTES_MAX, Entry, EntryLeaf};
use crate::note::NoteId;
use crate::snapshot::{Heading, Snapshot, SnapshotSeed};
use crate::tree::{CheckpointError, SignedCheckpoint, SignerName};

pub use error::{AuditError, Fault};
pub use keys::Keyring;
pub use regulator::{Evidence, Instruction, RecordReplay, Recorded, Regulator};
pub use report::{Coverage, Excepted, Exception, Holding, ReadLeg, Report, SnapshotSeen, TermsUse};
pub use state::ReplayState;

use error::Stop;
use keys::Keys;
use legs::{Bench, Window};
use state::{EXCEPTIONS, HEADING, LEGS, NOTES, PROGRESS, Progress, SNAPSHOTS, Value, tree};
use versions::Versions;

/// An asset's log: what a regulator must know beforehand, from the membership list and the asset's prospectus.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
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

/// How many snapshots are read at once.
const ROWS: usize = 1024;

/// A replay under way.
#[allow(missing_debug_implementations, reason = "holds disclosure keys")]
pub struct Replay<R, S = MemoryKv> {
    core: Core<R>,
    /// Legs that wait for a full window; nothing of them is in the state.
    window: Window,
    state: S,
    failed: Option<AuditError>,
}

/// All of a replay but where it is kept.
struct Core<R> {
    log: AssetLog,
    keys: Keys,
    rng: R,
    versions: Versions,
    progress: Progress,
    /// Seeds of snapshots that no key here has to open.
    seeds: BTreeMap<u64, SnapshotSeed>,
    cores: usize,
    at_once: usize,
}

impl<R: CryptoRngCore> Replay<R> {
    /// A replay of `log` from its first entry, in memory, read with keys of any epochs and fields. Draw `rng` from entropy that
    /// neither registrar nor custodians knew.
    #[must_use]
    pub fn new(log: AssetLog, keys: impl Keyring + 'static, rng: R) -> Self {
        let core = Core {
            log,
            keys: Keys::new(Box::new(keys)),
            rng,
            versions: Versions::default(),
            progress: Progress::default(),
            seeds: BTreeMap::new(),
            cores: 1,
            at_once: legs::LEGS_A_CORE,
        };
        let (window, state) = (Window::default(), MemoryKv::default());
        Self { core, window, state, failed: None }
    }

    /// Reads nothing but what the permit's scope has: all of the log is verified, keys are applied to that alone.
    ///
    /// Enforces [ACC-3].
    ///
    /// # Errors
    ///
    /// [`AccessError::OtherUse`] if the permit is not for reading this asset's log.
    pub fn under(mut self, permit: &Permit) -> Result<Self, AccessError> {
        let scope = permit.scope().filter(|scope| scope.asset == self.core.log.asset);
        self.core.keys.scope = Some(scope.ok_or(AccessError::OtherUse)?.clone());
        let read = ReadUnder { grant: permit.grant().id(), entry: permit.index() };
        self.core.progress.reads.push(read);
        Ok(self)
    }

    /// Recomputes snapshots, by entry, also with seeds that somebody else opened, such as officers who hold a key together.
    #[must_use]
    pub fn knowing(mut self, seeds: BTreeMap<u64, SnapshotSeed>) -> Self {
        self.core.seeds = seeds;
        self
    }

    /// Verifies and reads on so many threads.
    #[must_use]
    pub fn on(mut self, cores: usize) -> Self {
        self.core.cores = cores.max(1);
        self
    }

    /// Decides at most so many legs a core at once: fewer than a batch has take less memory and more time.
    #[must_use]
    pub fn at_once(mut self, legs: usize) -> Self {
        self.core.at_once = legs;
        self
    }

    /// Keeps what it finds in `state`, and goes on from what is there.
    ///
    /// # Errors
    ///
    /// [`AuditError::OtherReplay`] if what is there was found in another log, under another scope or with other keys;
    /// [`AuditError::SeedTooLate`] if a snapshot whose seed is given was passed before; [`AuditError::State`].
    pub fn kept_in<S: ReplayState>(self, mut state: S) -> Result<Replay<R, S>, AuditError> {
        let Self { mut core, window, failed, .. } = self;
        let scope = core.keys.scope.clone();
        let own = state::Heading { version: Version, log: core.log, scope };
        match HEADING.get(&state, &())? {
            None => {
                let tx = Tx::new(&state);
                HEADING.put(&tx, &(), &own);
                let writes = tx.into_writes();
                state.apply(writes)?;
            }
            Some(found) if found.log != own.log => {
                return Err(AuditError::OtherReplay("of another log"));
            }
            Some(found) if found.scope != own.scope => {
                return Err(AuditError::OtherReplay("under another scope"));
            }
            Some(_) => core.go_on(&state)?,
        }
        Ok(Replay { core, window, state, failed })
    }
}

impl<R: CryptoRngCore, S: ReplayState> Replay<R, S> {
    /// The entry that comes next.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.core.progress.entries.saturating_add(self.window.len())
    }

    /// How many entries are decided and kept: where it would go on if it were stopped now.
    #[must_use]
    pub const fn kept(&self) -> u64 {
        self.core.progress.entries
    }

    /// Takes the entry at `index`, the next one, as canonical bytes. Legs are decided some entries later.
    ///
    /// # Errors
    ///
    /// [`AuditError`], naming the entry at fault, which may be an earlier one; the same again for every call after.
    pub fn push(&mut self, index: u64, bytes: &[u8]) -> Result<(), AuditError> {
        self.unless_failed(|replay| replay.take(index, bytes))
    }

    /// Decides all that waits, so that it is kept.
    ///
    /// # Errors
    ///
    /// As [`Replay::push`].
    pub fn pause(&mut self) -> Result<(), AuditError> {
        self.unless_failed(Self::flush)
    }

    /// What is shown at the registrar's checkpoint: nothing below it is missing, and the register adds up. Calls `solve` for every
    /// amount that the memo hides and that wasn't found before. The replay can go on after it.
    ///
    /// Enforces [LOG-4].
    ///
    /// # Errors
    ///
    /// [`AuditError`].
    pub fn finish(
        &mut self,
        checkpoint: &SignedCheckpoint,
        solve: Solve<'_>,
    ) -> Result<Report, AuditError> {
        self.unless_failed(|replay| replay.conclude(checkpoint, solve))
    }

    /// At most `limit` accounts after `after` with what they hold, in order; as far as parties, amounts and links were read.
    ///
    /// # Errors
    ///
    /// [`AuditError::State`].
    pub fn holdings(
        &self,
        after: Option<&Encoded>,
        limit: usize,
    ) -> Result<Vec<Holding>, AuditError> {
        register::holdings(&self.state, after, limit)
    }

    /// At most `limit` legs after entry `after` as they were read, in order.
    ///
    /// # Errors
    ///
    /// [`AuditError::State`].
    pub fn legs(&self, after: Option<u64>, limit: usize) -> Result<Vec<ReadLeg>, AuditError> {
        let rows = LEGS.rows(&self.state, after.map(Be).as_ref(), limit)?;
        Ok(rows.into_iter().map(|(_, leg)| leg).collect())
    }

    /// At most `limit` exceptions after `after`, an entry and a number there, in order.
    ///
    /// # Errors
    ///
    /// [`AuditError::State`].
    pub fn exceptions(
        &self,
        after: Option<(u64, u8)>,
        limit: usize,
    ) -> Result<Vec<Excepted>, AuditError> {
        let after = after.map(|(entry, number)| (Be(entry), number));
        let rows = EXCEPTIONS.rows(&self.state, after.as_ref(), limit)?;
        let one = |((Be(entry), number), what)| Excepted { entry, number, what };
        Ok(rows.into_iter().map(one).collect())
    }

    /// The amount of a note that the log made, and whose it is, as far as they were read.
    ///
    /// # Errors
    ///
    /// [`AuditError::State`].
    pub fn note(&self, id: &NoteId) -> Result<(Option<u64>, Option<Encoded>), AuditError> {
        let row = NOTES.get(&self.state, id)?.ok_or_else(|| AuditError::damaged("note"))?;
        let value = if let Value::Known(value) = row.value { Some(value) } else { None };
        Ok((value, row.account))
    }

    /// All that is read, if it is under a grant.
    #[must_use]
    pub const fn scope(&self) -> Option<&Scope> {
        self.core.keys.scope.as_ref()
    }

    /// The entries of the access log that its reads stand in, one each time that it went on.
    #[must_use]
    pub fn reads(&self) -> Vec<ReadUnder> {
        self.core.progress.reads.clone()
    }

    /// The keys that it read with so far, by their points, with epoch and fields.
    pub fn keys(&self) -> impl Iterator<Item = (Encoded, u32, Fields)> + '_ {
        self.core.used_keys().into_iter().map(|(point, (epoch, fields))| (point, epoch, fields))
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
        let expected = self.next();
        if index != expected {
            return Err(AuditError::Order { given: index, expected });
        }
        if is_leg(bytes) {
            self.window.add(index, bytes);
            let full = self.window.is_full(self.core.at_once, self.core.cores);
            return if full { self.flush() } else { Ok(()) };
        }
        // New terms hold for what comes after them, and a snapshot is of the legs before it, which have to be read first.
        self.flush()?;
        self.write(|core, tx| core.take_other(tx, index, bytes))
    }

    fn flush(&mut self) -> Result<(), AuditError> {
        let window = std::mem::take(&mut self.window);
        if window.is_empty() {
            return Ok(());
        }
        self.write(|core, tx| {
            let Core { log, keys, rng, versions, progress, cores, .. } = core;
            Bench { log, keys, versions, progress, cores: *cores, rng }.decide(tx, &window)
        })
    }

    /// Takes a step and keeps all of it, with how far the replay is then.
    fn write<T>(
        &mut self,
        step: impl FnOnce(&mut Core<R>, &Tx<'_>) -> Result<T, AuditError>,
    ) -> Result<T, AuditError> {
        let tx = Tx::new(&self.state);
        let done = step(&mut self.core, &tx)?;
        self.core.versions.save(&tx);
        PROGRESS.put(&tx, &(), &self.core.progress);
        let writes = tx.into_writes();
        self.state.apply(writes)?;
        Ok(done)
    }

    fn conclude(
        &mut self,
        checkpoint: &SignedCheckpoint,
        solve: Solve<'_>,
    ) -> Result<Report, AuditError> {
        self.flush()?;
        let log = self.core.log;
        let (size, root) = {
            let signed = checkpoint.open(&log.origin()?, &log.registrar)?;
            (signed.size, signed.root)
        };
        let entries = self.core.progress.entries;
        if size != entries {
            return Err(AuditError::Size { entries, size });
        }
        if tree().root(&self.state, size)? != root {
            return Err(AuditError::Root { size });
        }
        if size == 0 {
            return Err(AuditError::Entry { entry: 0, fault: Fault::NotTerms });
        }
        // Each is kept by itself: a search may take long.
        while self.write(|core, tx| register::find(tx, &mut core.progress, solve))? {}
        self.core.report(&self.state, root)
    }
}

impl<R: CryptoRngCore> Core<R> {
    /// Goes on from what another run kept.
    fn go_on(&mut self, kv: &dyn Kv) -> Result<(), AuditError> {
        self.versions = Versions::load(kv)?;
        let own = std::mem::take(&mut self.progress.reads);
        self.progress = PROGRESS.get(kv, &())?.unwrap_or_default();
        self.progress.reads.extend(own);
        if tree().size(kv)? != self.progress.entries {
            return Err(AuditError::damaged("replay's progress"));
        }
        for version in self.versions.all() {
            if self.keys.learn(&version.terms) != version.keys {
                return Err(AuditError::OtherReplay("with other keys"));
            }
        }
        for seen in snapshots(kv)? {
            if !seen.checked && self.seeds.contains_key(&seen.entry) {
                return Err(AuditError::SeedTooLate { entry: seen.entry });
            }
        }
        Ok(())
    }

    /// Takes an entry that is no leg.
    fn take_other(&mut self, tx: &Tx<'_>, index: u64, bytes: &[u8]) -> Result<(), AuditError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(at(index, Fault::TooLong));
        }
        let entry: Entry = decode(bytes, "a log entry").map_err(|error| at(index, error.into()))?;
        let leaf = match entry {
            Entry::Terms(signed) => {
                let leaf = EntryLeaf::Terms { number: signed.terms.number, body: body(bytes) };
                self.take_terms(index, signed).map_err(|fault| at(index, fault))?;
                if let Some(change) = self.versions.change() {
                    self.progress.except(tx, index, &[change]);
                }
                leaf
            }
            Entry::Snapshot(snapshot) => {
                self.take_snapshot(tx, index, &snapshot).map_err(|stop| stop.at(index))?;
                snapshot.heading.leaf(body(bytes))
            }
            Entry::Leg(_) => return Err(at(index, Fault::Misplaced)),
        };
        tree().append(tx, leaf.hash())?;
        self.progress.entries = index.saturating_add(1);
        Ok(())
    }

    fn take_terms(&mut self, index: u64, signed: SignedTerms) -> Result<(), Fault> {
        let keys = self.keys.learn(&signed.terms);
        self.versions.admit(&self.log, (index, signed), keys, &mut self.rng)
    }

    /// Enforces [SNP-1], [SNP-4] and, as far as the keys allow, [SNP-3].
    fn take_snapshot(&mut self, tx: &Tx<'_>, entry: u64, snapshot: &Snapshot) -> Result<(), Stop> {
        let Heading { number, at, minted, supply, .. } = snapshot.heading;
        let expected = self.progress.snapshots;
        let before = expected.checked_sub(1).map(|last| SNAPSHOTS.get(tx, &Be(last.into())));
        let latest = before.transpose()?.flatten().map_or(0, |before| before.at);
        if number != expected || at < latest {
            return Err(Fault::SnapshotOrder { found: number, expected }.into());
        }
        let outstanding = self.progress.supply.outstanding().ok_or(Fault::Supply)?;
        let (stated, found) = ((minted, supply), (self.progress.supply.minted, outstanding));
        if stated != found {
            return Err(Fault::SnapshotSupply { stated, found }.into());
        }
        let terms = self.versions.newest()?;
        let mut claims = Claims::new();
        snapshot.check(terms, &mut claims).map_err(Fault::from)?;
        claims.accept(&mut self.rng).map_err(Fault::from)?;
        let epoch = terms.policy.epoch(snapshot.heading.epoch).ok_or(Fault::Epoch)?;
        let mut checked = false;
        if self.keys.may_recompute(&snapshot.heading) {
            let opened = self.keys.seed(snapshot, epoch)?;
            let seed = self.seeds.remove(&entry).or(opened);
            if let Some(seed) = seed.filter(|_| !self.progress.blind) {
                register::recompute(tx, &snapshot.heading, &seed)?;
                checked = true;
            }
        }
        let seen = SnapshotSeen { number, entry, at, checked };
        SNAPSHOTS.put(tx, &Be(number.into()), &seen);
        self.progress.snapshots = expected.saturating_add(1);
        Ok(())
    }

    fn used_keys(&self) -> BTreeMap<Encoded, (u32, Fields)> {
        let mut used = BTreeMap::new();
        for version in self.versions.all() {
            for epoch in &version.terms.policy.epochs {
                let own = epoch.keys.iter().filter(|key| version.keys.contains(&key.point));
                used.extend(own.map(|key| (key.point, (epoch.number, key.fields))));
            }
        }
        used
    }

    fn report(&self, kv: &dyn Kv, root: Hash) -> Result<Report, AuditError> {
        let Progress { entries, legs, tags, notes, supply, scope, .. } = self.progress;
        let outstanding = supply.outstanding().ok_or(AuditError::Overflow)?;
        let mut report = Report {
            log: self.log,
            root,
            entries,
            legs,
            terms: self.versions.uses(),
            minted: supply.minted,
            burned: supply.burned,
            supply: outstanding,
            tags,
            notes,
            snapshots: snapshots(kv)?,
            scope,
            live: None,
            sums: false,
            holders: None,
            false_memos: self.progress.false_memos,
            exceptions: self.progress.exceptions,
            findings: findings(kv, self.progress.false_memos)?,
        };
        // Without a key to all links nobody can tell which notes live.
        if scope.spends < legs {
            return Ok(report);
        }
        report.live = Some(notes.saturating_sub(self.progress.spent));
        if scope.amounts < legs {
            return Ok(report);
        }
        let held = self.progress.held;
        if held != u128::from(outstanding) {
            return Err(AuditError::Register { held, supply: outstanding });
        }
        report.sums = true;
        report.holders = (scope.parties == legs).then_some(self.progress.holders);
        Ok(report)
    }
}

/// Entry and output of the first false memos, of so many.
fn findings(kv: &dyn Kv, of: u64) -> Result<Vec<(u64, u8)>, AuditError> {
    let wanted = report::FINDINGS_SHOWN.min(usize::try_from(of).unwrap_or(usize::MAX));
    let (mut found, mut after) = (Vec::new(), None);
    while found.len() < wanted {
        let page = EXCEPTIONS.rows(kv, after.as_ref(), ROWS)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        let lie = |((Be(entry), _), one): ((Be, u8), Exception)| match one {
            Exception::FalseMemo { output } => Some((entry, output)),
            _ => None,
        };
        let room = wanted.saturating_sub(found.len());
        found.extend(page.into_iter().filter_map(lie).take(room));
    }
    Ok(found)
}

fn snapshots(kv: &dyn Kv) -> Result<Vec<SnapshotSeen>, AuditError> {
    let mut all: Vec<SnapshotSeen> = Vec::new();
    loop {
        let after = all.last().map(|last| Be(last.number.into()));
        let page = SNAPSHOTS.rows(kv, after.as_ref(), ROWS)?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page.into_iter().map(|(_, seen)| seen));
    }
}

/// Whether this is to be decoded as a leg.
fn is_leg(bytes: &[u8]) -> bool {
    bytes.first() == Some(&1) && bytes.len() <= ENTRY_BYTES_MAX
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
