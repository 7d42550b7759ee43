//! A window of legs: verified together on all cores, read on all cores, then booked one after the other.

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRngCore, SeedableRng};
use sudare_crypto::encoding::decode;
use sudare_crypto::{Claims, Rejected, Stream, numbered, together};

use super::keys::Keys;
use super::register::{self, Booked};
use super::state::{OWNERS, Progress, TAGS, tree};
use super::versions::Versions;
use super::{AssetLog, AuditError, Fault, Stop, at, body, count, rules};
use crate::kv::Tx;
use crate::leg::{Disclosed, Leg};
use crate::log::{Entry, EntryLeaf, FinalLeg};
use crate::transaction::TxId;

/// So many legs a core fill a batch, about, unless they are large.
pub(super) const LEGS_A_CORE: usize = 250;
/// So many bytes of legs do, if they are.
const BYTES_A_CORE: usize = 5 << 19;

/// The bytes of legs that wait to be decided together, from an entry on.
#[derive(Debug, Default)]
pub(super) struct Window {
    legs: Vec<(u64, Vec<u8>)>,
    bytes: usize,
}

impl Window {
    pub(super) fn add(&mut self, entry: u64, bytes: &[u8]) {
        self.bytes = self.bytes.saturating_add(bytes.len());
        self.legs.push((entry, bytes.to_vec()));
    }

    pub(super) fn len(&self) -> u64 {
        count(self.legs.len())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.legs.is_empty()
    }

    /// Whether there are so many legs for every core, or a batch. More would take memory and gain nothing.
    pub(super) fn is_full(&self, legs: usize, cores: usize) -> bool {
        self.legs.len() >= legs.clamp(1, LEGS_A_CORE).saturating_mul(cores)
            || self.bytes >= BYTES_A_CORE.saturating_mul(cores)
    }
}

/// A leg that passed every check of its own.
pub(super) struct Verified {
    pub(super) entry: u64,
    pub(super) tx: TxId,
    pub(super) leg: Box<FinalLeg>,
    /// Which version of the terms it cites.
    version: usize,
    /// What no amount of it exceeds: the supply before it, and what it mints.
    pub(super) bound: u64,
    /// Whether its epoch was over at the end of its window.
    pub(super) grace: bool,
}

/// What a window is decided with.
pub(super) struct Bench<'a, R> {
    pub(super) log: &'a AssetLog,
    pub(super) keys: &'a Keys,
    pub(super) versions: &'a mut Versions,
    pub(super) progress: &'a mut Progress,
    pub(super) cores: usize,
    pub(super) rng: &'a mut R,
}

impl<R: CryptoRngCore> Bench<'_, R> {
    /// Decides all legs of a window, reads them and books them, or names the first culprit: what is wrong with an entry is said
    /// only if every entry before it holds.
    ///
    /// Enforces [SEC-5]: keys are applied only to verified legs.
    pub(super) fn decide(&mut self, tx: &Tx<'_>, window: &Window) -> Result<(), AuditError> {
        let mut legs = Vec::with_capacity(window.legs.len());
        let mut stopped = None;
        for (entry, one) in self.verify(window) {
            match one.map_err(Stop::from).and_then(|one| self.admit(tx, entry, one)) {
                Ok(leg) => legs.push(leg),
                Err(stop) => {
                    stopped = Some(stop.at(entry));
                    break;
                }
            }
        }
        let (keys, versions) = (self.keys, &*self.versions);
        let seen = together(self.cores, &legs, |leg| read(versions, keys, leg));
        let mut booked = Vec::with_capacity(legs.len());
        let mut legs = legs.iter();
        for seen in seen {
            let Some(leg) = legs.next() else { break };
            let done = seen.map_err(Stop::from);
            match done.and_then(|seen| register::book(tx, self.progress, leg, seen)) {
                Ok(done) => booked.push((leg, done)),
                Err(stop) => {
                    stopped = Some(stop.at(leg.entry));
                    break;
                }
            }
        }
        self.add_up(&booked)?;
        stopped.map_or(Ok(()), Err)
    }

    /// The legs' own checks and proofs, a share for each core.
    fn verify(&mut self, window: &Window) -> Vec<(u64, Result<Checked, Fault>)> {
        let shares = self.shares(&window.legs);
        let (log, versions) = (self.log, &*self.versions);
        let all = together(self.cores, &shares, |(seed, legs)| {
            let mut rng = ChaCha20Rng::from_seed(*seed);
            let mut checked = Vec::with_capacity(legs.len());
            let mut stream = Stream::new();
            for (entry, bytes) in *legs {
                match check(log, versions, bytes) {
                    Ok((one, claims)) => stream.add((*entry, one), claims),
                    Err(fault) => {
                        // What comes after it nobody will ask for.
                        checked.extend(decided(&mut stream, &mut rng));
                        checked.push((*entry, Err(fault)));
                        break;
                    }
                }
                if stream.is_full() {
                    checked.extend(decided(&mut stream, &mut rng));
                }
            }
            checked.extend(decided(&mut stream, &mut rng));
            checked
        });
        all.into_iter().flatten().collect()
    }

    /// What can be said of a leg only with those before it.
    fn admit(&mut self, tx: &Tx<'_>, entry: u64, checked: Checked) -> Result<Verified, Stop> {
        let Checked { version, tx: transaction, leg, leaf, proofs } = checked;
        let grace = self.versions.check_timing(version, &leg)?;
        first_of_their_kind(tx, self.progress, entry, &leg.leg)?;
        let (mint, burn) = (leg.leg.header.mint, leg.leg.header.burn);
        let bound = self.progress.supply.apply(mint, burn).ok_or(Fault::Supply)?;
        proofs.map_err(Fault::from)?;
        tree().append(tx, leaf.hash())?;
        self.progress.entries = entry.saturating_add(1);
        Ok(Verified { entry, tx: transaction, leg, version, bound, grace })
    }

    /// Decides the links that were read, and holds the legs to their plain numbers.
    fn add_up(&mut self, booked: &[(&Verified, Booked)]) -> Result<(), AuditError> {
        let shares = self.shares(booked);
        let all = together(self.cores, &shares, |(seed, booked)| {
            let mut rng = ChaCha20Rng::from_seed(*seed);
            let mut stream = Stream::new();
            for (leg, done) in *booked {
                let Some((links, notes)) = &done.links else { continue };
                let mut claims = Claims::new();
                let checked = leg.leg.leg.check_links(notes, &links.proof, &mut claims);
                if let Err(error) = checked {
                    first_false(&mut stream, &mut rng)?;
                    return Err(at(leg.entry, error.into()));
                }
                stream.add(leg.entry, claims);
                if stream.is_full() {
                    first_false(&mut stream, &mut rng)?;
                }
            }
            first_false(&mut stream, &mut rng)
        });
        let links = all.into_iter().find_map(Result::err);
        let unbalanced = booked.iter().find(|(_, done)| done.adds_up == Some(false));
        match (links, unbalanced) {
            (Some(AuditError::Entry { entry, .. }), Some((leg, _))) if leg.entry < entry => {
                Err(at(leg.entry, Fault::Unbalanced))
            }
            (Some(error), _) => Err(error),
            (None, Some((leg, _))) => Err(at(leg.entry, Fault::Unbalanced)),
            (None, None) => Ok(()),
        }
    }

    /// The things in one share for each core, each with randomness of its own.
    fn shares<'t, T>(&mut self, things: &'t [T]) -> Vec<([u8; 32], &'t [T])> {
        let size = things.len().div_ceil(self.cores.max(1)).max(1);
        let mut share = |things| {
            let mut seed = [0; 32];
            self.rng.fill_bytes(&mut seed);
            (seed, things)
        };
        things.chunks(size).map(&mut share).collect()
    }
}

/// A leg with what can be said of it without any other.
struct Checked {
    version: usize,
    tx: TxId,
    leg: Box<FinalLeg>,
    leaf: EntryLeaf,
    proofs: Result<(), Rejected>,
}

/// Everything of a leg but its equations, which it gives.
fn check(log: &AssetLog, versions: &Versions, bytes: &[u8]) -> Result<(Checked, Claims), Fault> {
    let entry: Entry = decode(bytes, "a log entry")?;
    let Entry::Leg(leg) = entry else { return Err(Fault::Misplaced) };
    let (version, terms) = versions.cited(&leg.leg.header.terms)?;
    let (tx, m) = rules::check_final(log, terms, &leg)?;
    let claims = rules::claims(terms, &leg, m)?;
    let root = rules::leg_root(&leg);
    let leaf = EntryLeaf::Leg { tx, index: leg.index, root, body: body(bytes) };
    Ok((Checked { version, tx, leg, leaf, proofs: Ok(()) }, claims))
}

fn decided(
    stream: &mut Stream<(u64, Checked)>,
    rng: &mut ChaCha20Rng,
) -> impl Iterator<Item = (u64, Result<Checked, Fault>)> + use<> {
    let verdicts = stream.decide(rng).into_iter();
    verdicts.map(|((entry, one), proofs)| (entry, Ok(Checked { proofs, ..one })))
}

fn first_false(stream: &mut Stream<u64>, rng: &mut ChaCha20Rng) -> Result<(), AuditError> {
    let verdicts = stream.decide(rng);
    verdicts
        .into_iter()
        .try_for_each(|(entry, verdict)| verdict.map_err(|rejected| at(entry, rejected.into())))
}

fn read(versions: &Versions, keys: &Keys, verified: &Verified) -> Result<Disclosed, Fault> {
    let leg = &verified.leg.leg;
    let terms = versions.get(verified.version)?;
    let epoch = terms.policy.epoch(leg.header.epoch).ok_or(Fault::Epoch)?;
    keys.disclose(leg, epoch, verified.leg.receipt.entry.time)
}

/// Enforces [NOT-5], [NOTE-1], [SLOT-3]: a tag is spent once and an owner commitment used once in the whole log.
fn first_of_their_kind(
    tx: &Tx<'_>,
    progress: &mut Progress,
    entry: u64,
    leg: &Leg,
) -> Result<(), Stop> {
    for (input, one) in numbered(leg.inputs.iter()) {
        if let Some(before) = TAGS.get(tx, &one.tag)? {
            return Err(Fault::TagSpent { input, before }.into());
        }
        TAGS.put(tx, &one.tag, &entry);
        progress.tags = progress.tags.saturating_add(1);
    }
    for (output, one) in numbered(leg.outputs.iter()) {
        let owner = one.slot.slot.owner;
        if let Some(before) = OWNERS.get(tx, &owner)? {
            return Err(Fault::OwnerUsed { output, before }.into());
        }
        OWNERS.put(tx, &owner, &entry);
        progress.notes = progress.notes.saturating_add(1);
    }
    Ok(())
}
