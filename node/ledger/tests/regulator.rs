//! The regulator's node: its history of replays, and forks of a log kept as evidence.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::as_conversions, reason = "tests")]

mod common;

use common::chain::*;
use common::*;
use sudare_crypto::derive::Seed;
use sudare_crypto::{Hash, NodeId, NodeKey};
use sudare_disclosure::AssetId;
use sudare_ledger::audit::{Instruction, RecordReplay, Regulator};
use sudare_ledger::kv::{MemoryKv, Tx};
use sudare_ledger::messages::{Message, Reason};
use sudare_ledger::role::{Event, Machine, Moment};
use sudare_ledger::tree::{Checkpoint, MemoryTree, SignedCheckpoint};

struct Desk {
    regulator: Regulator,
    kv: MemoryKv,
    asset: Asset,
    tree: MemoryTree,
    handled: Vec<(Moment, Event<Instruction, ()>)>,
}

impl Desk {
    /// A log of ten entries.
    fn new() -> Self {
        let leaves: Vec<Hash> = (0..10).map(|number| Hash([number; 32])).collect();
        Self {
            regulator: Regulator::new(network(), NodeKey::from_seed(&[50; 32]).id(), Seed([5; 32])),
            kv: MemoryKv::default(),
            asset: Asset::with(&[sudare_disclosure::Field::Amounts], &mut rng(1)),
            tree: MemoryTree::from_leaves(&leaves).unwrap(),
            handled: Vec::new(),
        }
    }

    fn id(&self) -> AssetId {
        self.asset.terms.asset()
    }

    fn checkpoint(&self, size: u64) -> SignedCheckpoint {
        checkpoint(&self.asset, size, self.tree.root(size).unwrap())
    }

    /// The instruction to record the log at `size`, with the proof from `old`.
    fn replay(&self, size: u64, old: u64) -> RecordReplay {
        RecordReplay {
            asset: self.id(),
            registrar: registrar().id(),
            checkpoint: self.checkpoint(size),
            consistency: self.tree.consistency(old.min(size), old.max(size)).unwrap(),
            summary: text("legs 0..3 of 3, none missing"),
        }
    }

    fn record(&mut self, replay: RecordReplay) -> Result<(), Reason> {
        let now = NOW + self.handled.len() as u64;
        self.handle(now, Event::Instruct(Instruction::RecordReplay(Box::new(replay))))
    }

    fn handle(&mut self, now: u64, event: Event<Instruction, ()>) -> Result<(), Reason> {
        let moment = Moment { now, entropy: [1; 32] };
        self.handled.push((moment.clone(), copy(&event)));
        let tx = Tx::new(&self.kv);
        let answer = self.regulator.handle(&tx, &moment, event).unwrap();
        let writes = tx.into_writes();
        self.kv.apply(writes);
        answer.map(drop)
    }

    fn sizes(&self) -> Vec<u64> {
        let rows = Regulator::replays(&self.kv, self.id(), None, 100).unwrap();
        rows.iter().map(|row| row.size).collect()
    }

    fn evidence(&self) -> Vec<(SignedCheckpoint, bool)> {
        let rows = Regulator::evidence(&self.kv, self.id(), 100).unwrap();
        rows.into_iter().map(|row| (row.refused, row.proven)).collect()
    }
}

fn copy(event: &Event<Instruction, ()>) -> Event<Instruction, ()> {
    borsh::from_slice(&borsh::to_vec(event).unwrap()).unwrap()
}

#[test]
fn replays_of_a_growing_log_are_kept_in_order_of_size() {
    let mut desk = Desk::new();
    assert_eq!(desk.record(desk.replay(4, 4)), Ok(()));
    assert_eq!(desk.record(desk.replay(9, 4)), Ok(()));
    // A replay of an older checkpoint is as good, if the newest extends it.
    assert_eq!(desk.record(desk.replay(6, 9)), Ok(()));
    assert_eq!(desk.sizes(), [4, 6, 9]);
    assert_eq!(Regulator::head(&desk.kv, desk.id()).unwrap(), Some(desk.checkpoint(9)));
    let later = Regulator::replays(&desk.kv, desk.id(), Some(4), 1).unwrap();
    assert_eq!((later.len(), later[0].size, later[0].root), (1, 6, desk.tree.root(6).unwrap()));
    assert_eq!(Regulator::replays(&desk.kv, AssetId::default(), None, 9).unwrap(), []);
}

#[test]
fn the_same_replay_again_changes_nothing() {
    let mut desk = Desk::new();
    let first = desk.replay(4, 4);
    assert_eq!(desk.record(first.clone()), Ok(()));
    let before: Vec<_> = desk.kv.pairs().map(|(k, v)| (k.clone(), v.clone())).collect();
    assert_eq!(desk.record(first.clone()), Ok(()));
    let after: Vec<_> = desk.kv.pairs().map(|(k, v)| (k.clone(), v.clone())).collect();
    assert_eq!(before, after);
    // With other keys the same checkpoint is another replay.
    assert_eq!(desk.record(RecordReplay { summary: text("with all fields"), ..first }), Ok(()));
    assert_eq!(desk.sizes(), [4, 4]);
}

#[test]
fn two_roots_of_one_size_are_proof_against_the_registrar() {
    let mut desk = Desk::new();
    desk.record(desk.replay(4, 4)).unwrap();
    let forked = checkpoint(&desk.asset, 4, Hash([77; 32]));
    let replay = RecordReplay { checkpoint: forked.clone(), ..desk.replay(4, 4) };
    for _ in 0..2 {
        assert_eq!(desk.record(replay.clone()), Err(Reason::Proof));
    }
    assert_eq!(desk.evidence(), [(forked, true)], "once, however often it comes");
    assert_eq!(desk.sizes(), [4]);
    assert_eq!(desk.record(desk.replay(5, 4)), Ok(()), "the log that was seen first goes on");
}

#[test]
fn a_checkpoint_not_shown_to_extend_the_longest_is_refused_and_kept() {
    let mut desk = Desk::new();
    desk.record(desk.replay(4, 4)).unwrap();
    let forked = checkpoint(&desk.asset, 9, Hash([77; 32]));
    let replay = RecordReplay { checkpoint: forked.clone(), ..desk.replay(9, 4) };
    assert_eq!(desk.record(replay), Err(Reason::Proof));
    // An honest checkpoint with a proof of other sizes: kept too, but convicting nobody.
    assert_eq!(desk.record(desk.replay(9, 5)), Err(Reason::Proof));
    let mut kept = desk.evidence();
    kept.sort_by_key(|(checkpoint, _)| checkpoint.unverified().root == Hash([77; 32]));
    assert_eq!(kept, [(desk.checkpoint(9), false), (forked, false)]);
    assert_eq!(desk.record(desk.replay(9, 4)), Ok(()));
    // Shorter than the longest, and not its beginning.
    let forked = checkpoint(&desk.asset, 6, Hash([78; 32]));
    let replay = RecordReplay { checkpoint: forked, ..desk.replay(6, 9) };
    assert_eq!(desk.record(replay), Err(Reason::Proof));
    assert_eq!((desk.evidence().len(), desk.sizes()), (3, vec![4, 9]));
}

#[test]
fn what_the_registrar_did_not_sign_is_no_evidence() {
    let mut desk = Desk::new();
    desk.record(desk.replay(4, 4)).unwrap();
    let good = desk.replay(5, 4);
    let other = NodeKey::from_seed(&[9; 32]);
    let text = good.checkpoint.unverified().clone();
    let checkpoint = text.clone().sign(&other.id(), |text| other.sign_raw(text)).unwrap();
    let forged = RecordReplay { checkpoint: checkpoint.clone(), ..good.clone() };
    assert_eq!(desk.record(forged.clone()), Err(Reason::Signature));
    // Nor does a second registrar of one asset come along.
    let forged = RecordReplay { registrar: other.id(), ..forged };
    assert_eq!(desk.record(forged), Err(Reason::Malformed));
    let stranger = Asset::new("JP0000000002", &[&[]], &mut rng(1));
    let elsewhere = Checkpoint { origin: asset_log(&stranger).origin().unwrap(), ..text };
    let elsewhere = elsewhere.sign(&registrar().id(), |text| registrar().sign_raw(text)).unwrap();
    let forged = RecordReplay { checkpoint: elsewhere, ..good.clone() };
    assert_eq!(desk.record(forged), Err(Reason::Signature));
    assert_eq!((desk.evidence(), desk.sizes()), (vec![], vec![4]));
    assert_eq!(desk.record(good), Ok(()));
}

#[test]
fn it_takes_no_messages_and_events_without_meaning_change_nothing() {
    let mut desk = Desk::new();
    let (from, message) = (NodeId([1; 32]), Message::AskTerms(desk.id()));
    assert_eq!(desk.handle(NOW, Event::Message { from, message }), Err(Reason::WrongRole));
    assert_eq!(desk.handle(NOW, Event::Tick), Ok(()));
    assert_eq!(desk.handle(NOW, Event::Done { job: 1, outcome: () }), Ok(()));
    assert_eq!(desk.handle(NOW, Event::Delivered { number: 1, refused: None }), Ok(()));
    assert_eq!(desk.kv.pairs().count(), 0);
}

#[test]
fn the_same_events_again_give_the_same_state() {
    let mut desk = Desk::new();
    desk.record(desk.replay(4, 4)).unwrap();
    desk.record(desk.replay(9, 5)).unwrap_err();
    desk.record(desk.replay(9, 4)).unwrap();
    let mut again = Desk::new();
    for (moment, event) in &desk.handled {
        let _ = again.handle(moment.now, copy(event));
    }
    assert!(desk.kv.pairs().eq(again.kv.pairs()) && desk.kv.pairs().count() > 0);
}

#[test]
fn its_disclosure_keys_are_of_their_purpose_alone() {
    let desk = Desk::new();
    let purpose = |asset, epoch| sudare_disclosure::KeyPurpose {
        network: network(),
        asset,
        epoch,
        fields: sudare_disclosure::Fields::ALL,
        label: text("authority"),
    };
    let point = |asset, epoch| desk.regulator.disclosure(&purpose(asset, epoch)).point();
    assert_eq!(point(desk.id(), 0), point(desk.id(), 0));
    assert_ne!(point(desk.id(), 0), point(desk.id(), 1));
    assert_ne!(point(desk.id(), 0), point(AssetId::default(), 0));
}
