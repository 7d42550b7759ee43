//! Transactions, final legs and asset logs.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "fixtures of tests"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::tag;
use sudare_crypto::{Encoded, Hash, NodeKey};
use sudare_ledger::audit::{
    AssetLog, AuditError, Excepted, Exception, Holding, ReadLeg, Replay, ReplayState, Report,
};
use sudare_ledger::kv::{Kv, MemoryKv, Pair, StorageError, Writes};
use sudare_ledger::leg::{Leg, LegSalt};
use sudare_ledger::log::{Entry, FinalLeg, NotaryEntry, Receipt};
use sudare_ledger::transaction::{
    Commit, LegRef, Transaction, Window, join_tags, tag_hash, tags_root,
};
use sudare_ledger::tree::{Checkpoint, MemoryTree, SignedCheckpoint};

use super::{Asset, Held, NOW, network, notary, registrar};

/// The window of a test's transactions.
pub const WINDOW: Window = Window { from: NOW, until: NOW + 30_000 };

pub fn random(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// A transaction of these legs' roots, all of one registrar, with these tags.
pub fn transaction(roots: &[Hash], tags: Vec<Hash>, rng: &mut ChaCha20Rng) -> Transaction {
    let legs = roots.iter().map(|root| LegRef { registrar: registrar().id(), root: *root });
    Transaction {
        version: Version,
        network: network(),
        notary: notary().id(),
        window: WINDOW,
        salt: random(rng),
        legs: legs.collect::<Vec<_>>().try_into().unwrap(),
        tags: join_tags(&[tags]).unwrap().try_into().unwrap(),
    }
}

/// The commit of a transaction, each leg approved with the key of its place.
pub fn commit(transaction: &Transaction, keys: &[NodeKey], rng: &mut ChaCha20Rng) -> Commit {
    let approvals = (0u8..).zip(keys).map(|(index, key)| transaction.approve(index, key).unwrap());
    let approvals: Vec<_> = approvals.collect();
    Commit {
        transaction: transaction.clone(),
        salt: random(rng),
        approvals: approvals.try_into().unwrap(),
    }
}

/// The notary's receipt.
pub fn receipt(commit: &Commit, time: u64) -> Receipt {
    let tags_root = tags_root(&commit.transaction.tags).unwrap();
    let entry = NotaryEntry { version: Version, commit: commit.id().unwrap(), tags_root, time };
    Receipt::sign(network(), commit.transaction.id().unwrap(), entry, 7, &notary())
}

/// A leg that spends these notes, final in a transaction of its own.
pub fn finalise(leg: Leg, spends: &[Held], window: Window, rng: &mut ChaCha20Rng) -> FinalLeg {
    let salt = LegSalt(random(rng));
    let tag_salts: Vec<[u8; 32]> = leg.inputs.iter().map(|_| random(rng)).collect();
    let mut tags: Vec<Hash> =
        leg.inputs.iter().zip(&tag_salts).map(|(input, salt)| tag_hash(salt, &input.tag)).collect();
    if tags.is_empty() {
        tags.push(Hash(random(rng)));
    }
    let transaction = Transaction { window, ..transaction(&[leg.root(0, &salt)], tags, rng) };
    let commit = commit(&transaction, &[registrar()], rng);
    let mut entry = FinalLeg {
        leg,
        salt,
        index: 0,
        receipt: receipt(&commit, window.from),
        commit,
        tag_salts: tag_salts.try_into().unwrap(),
        signatures: Vec::new().try_into().unwrap(),
    };
    sign(&mut entry, spends, rng);
    entry
}

/// Signs the commit anew under the tags of these notes.
pub fn sign(entry: &mut FinalLeg, spends: &[Held], rng: &mut ChaCha20Rng) {
    let m = entry.commit.id().unwrap().0;
    let signatures: Vec<LinearProof> =
        spends.iter().map(|held| tag::sign(&held.secrets.spend_key(), m, rng).unwrap()).collect();
    entry.signatures = signatures.try_into().unwrap();
}

/// Commits, notarises and signs anew what was changed in an entry's transaction.
pub fn recommit(entry: &mut FinalLeg, spends: &[Held], rng: &mut ChaCha20Rng) {
    entry.commit = commit(&entry.commit.transaction, &[registrar()], rng);
    entry.receipt = receipt(&entry.commit, entry.commit.transaction.window.from);
    sign(entry, spends, rng);
}

pub fn asset_log(asset: &Asset) -> AssetLog {
    AssetLog { network: network(), asset: asset.terms.asset(), registrar: registrar().id() }
}

/// The entries' bytes and the registrar's checkpoint over them.
pub fn published(asset: &Asset, entries: &[Entry]) -> (Vec<Vec<u8>>, SignedCheckpoint) {
    let mut tree = MemoryTree::default();
    for entry in entries {
        // What has no leaf stands for itself: a replay fails before it comes to the root.
        let leaf = entry.leaf().map_or(Hash::default(), |leaf| leaf.hash());
        tree.append(leaf).unwrap();
    }
    let checkpoint = checkpoint(asset, tree.size(), tree.root(tree.size()).unwrap());
    (entries.iter().map(encode).collect(), checkpoint)
}

pub fn checkpoint(asset: &Asset, size: u64, root: Hash) -> SignedCheckpoint {
    let origin = asset_log(asset).origin().unwrap();
    let checkpoint = Checkpoint { origin, size, root };
    checkpoint.sign(&registrar().id(), |text| registrar().sign_raw(text)).unwrap()
}

/// What a replay states, with all that it read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    pub report: Report,
    pub read: Vec<ReadLeg>,
    pub holdings: Option<BTreeMap<Encoded, u64>>,
    pub false_memos: Vec<(u64, u8)>,
    pub exceptions: Vec<(u64, Exception)>,
}

impl std::ops::Deref for Seen {
    type Target = Report;

    fn deref(&self) -> &Report {
        &self.report
    }
}

/// Ends a replay and reads all that it found.
pub fn finish<S: ReplayState>(
    mut replay: Replay<ChaCha20Rng, S>,
    checkpoint: &SignedCheckpoint,
    solve: &mut dyn FnMut(&Encoded, u64) -> Option<u64>,
) -> Result<Seen, AuditError> {
    let report = replay.finish(checkpoint, solve)?;
    let (mut read, mut held): (Vec<ReadLeg>, Vec<Holding>) = (Vec::new(), Vec::new());
    // Pages of odd sizes: what is read does not depend on them.
    loop {
        let page = replay.legs(read.last().map(|last| last.entry), 3)?;
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    loop {
        let page = replay.holdings(held.last().map(|last| &last.account), 2)?;
        if page.is_empty() {
            break;
        }
        held.extend(page);
    }
    let exceptions: Vec<Excepted> = replay.exceptions(None, 1000)?;
    assert_eq!(exceptions.len() as u64, report.exceptions);
    let lie = |one: &Excepted| match one.what {
        Exception::FalseMemo { output } => Some((one.entry, output)),
        _ => None,
    };
    let false_memos: Vec<(u64, u8)> = exceptions.iter().filter_map(lie).collect();
    assert_eq!((false_memos.len() as u64, &false_memos), (report.false_memos, &report.findings));
    let exceptions = exceptions.into_iter().map(|one| (one.entry, one.what)).collect();
    let holdings = report.holders.map(|holders| {
        assert_eq!(held.len() as u64, holders);
        held.iter().map(|one| (one.account, one.quantity)).collect()
    });
    Ok(Seen { report, read, holdings, false_memos, exceptions })
}

/// Tables that outlast the replay that is kept in them.
#[derive(Clone, Debug, Default)]
pub struct Kept(pub Rc<RefCell<MemoryKv>>);

impl Kept {
    /// The tables as they are now.
    pub fn copy(&self) -> Self {
        Self(Rc::new(RefCell::new(self.0.borrow().clone())))
    }
}

impl Kv for Kept {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.0.borrow().get(key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, StorageError> {
        self.0.borrow().scan(prefix, after, limit)
    }
}

impl ReplayState for Kept {
    fn apply(&mut self, writes: Writes) -> Result<(), StorageError> {
        self.0.borrow_mut().apply(writes);
        Ok(())
    }
}
