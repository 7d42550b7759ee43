//! Which notes a trade spends, and what an account has meanwhile.

use proptest::prelude::*;
use sudare_crypto::derive::Seed;
use sudare_crypto::point::B;
use sudare_crypto::{Encoded, Hash, NodeId, NodeKey, Scalar, Secret};
use sudare_disclosure::AssetId;

use super::super::notes::Chosen;
use super::super::{Balance, Custodian, Investor, NOTES, NoteRow, NoteState, Step, TradeKey};
use crate::kv::{MemoryKv, Tx};
use crate::leg::INPUTS_MAX;
use crate::note::Note;
use crate::role::Moment;
use crate::testing::text;
use crate::transaction::TxId;

const ASSET: AssetId = AssetId(Hash([1; 32]));

#[test]
fn one_note_is_spent_if_one_suffices_and_the_smallest_of_those() {
    assert_eq!(chosen(&[5, 100, 7, 60], 6), Ok(vec![7]));
    assert_eq!(chosen(&[5, 100, 7, 60], 60), Ok(vec![60]));
    assert_eq!(chosen(&[5, 100, 7, 60], 61), Ok(vec![100]));
}

#[test]
fn several_notes_are_the_most_valuable_and_the_smallest_that_completes_them() {
    assert_eq!(chosen(&[5, 100, 7, 60], 101), Ok(vec![100, 5]));
    assert_eq!(chosen(&[5, 100, 7, 60], 107), Ok(vec![100, 7]));
    assert_eq!(chosen(&[5, 100, 7, 60], 172), Ok(vec![100, 60, 7, 5]));
}

#[test]
fn more_notes_than_a_leg_can_spend_must_be_merged_first() {
    let ones = [1; INPUTS_MAX + 1];
    let most = u64::try_from(INPUTS_MAX).unwrap();
    assert_eq!(chosen(&ones, most).map(|notes| notes.len()), Ok(INPUTS_MAX));
    assert_eq!(chosen(&ones, most + 1), Err("fragmented"));
}

#[test]
fn an_account_waits_for_change_but_never_promises_more_than_it_has() {
    let desk = Desk::new();
    desk.run(|step| {
        let rows = desk.receive(step, &[100, 50]);
        desk.custodian.lock(step, &rows[..1], 30, &trade("first")).unwrap();
        let balance = Balance { live: 50, locked: 100, outgoing: 30, notes: 1 };
        assert_eq!(desk.balance(step), balance);
        assert_eq!(balance.available(), 120);
        assert_eq!(desk.choose(step, 50), Ok(vec![50]));
        assert_eq!(desk.choose(step, 51), Err("wait"));
        assert_eq!(desk.choose(step, 120), Err("wait"));
        assert_eq!(desk.choose(step, 121), Err("too little"));
    });
}

#[test]
fn a_lock_ends_once_and_only_for_the_trade_that_has_it() {
    let desk = Desk::new();
    desk.run(|step| {
        let rows = desk.receive(step, &[100, 50]);
        let ids: Vec<_> = rows.iter().map(|row| row.note.id()).collect();
        let (own, other) = (trade("own"), trade("other"));
        let whole = desk.balance(step);
        desk.custodian.lock(step, &rows, 120, &own).unwrap();
        let locked = desk.balance(step);
        desk.custodian.release(step, &ids, 120, &other, None).unwrap();
        assert_eq!(desk.balance(step), locked);
        desk.custodian.release(step, &ids, 120, &own, None).unwrap();
        assert_eq!(desk.balance(step), whole);
        desk.custodian.release(step, &ids, 120, &own, None).unwrap();
        assert_eq!(desk.balance(step), whole);
        desk.custodian.lock(step, &rows[..1], 100, &own).unwrap();
        let tx = TxId(Hash([2; 32]));
        desk.custodian.release(step, &ids[..1], 100, &own, Some(tx)).unwrap();
        desk.custodian.release(step, &ids[..1], 100, &own, None).unwrap();
        assert_eq!(desk.balance(step), Balance { live: 50, notes: 1, ..Balance::default() });
        let spent = NOTES.get(step.tx, &ids[0]).unwrap().unwrap();
        assert_eq!(spent.state, NoteState::Spent(tx));
    });
}

#[test]
fn a_note_that_comes_twice_counts_once_even_when_it_is_spent() {
    let desk = Desk::new();
    desk.run(|step| {
        let rows = desk.receive(step, &[100]);
        desk.custodian.receive_note(step, &rows[0]).unwrap();
        assert_eq!(desk.balance(step), Balance { live: 100, notes: 1, ..Balance::default() });
        let (own, tx) = (trade("own"), TxId(Hash([2; 32])));
        desk.custodian.lock(step, &rows, 100, &own).unwrap();
        desk.custodian.release(step, &[rows[0].note.id()], 100, &own, Some(tx)).unwrap();
        desk.custodian.receive_note(step, &rows[0]).unwrap();
        assert_eq!(desk.balance(step), Balance::default());
    });
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_choice_suffices_with_as_few_notes_as_possible(
        mut values in prop::collection::vec(1u64..50, 1..60),
        part in 1u64..=100,
    ) {
        let total: u64 = values.iter().sum();
        let quantity = (total * part / 100).max(1);
        let notes = chosen(&values, quantity);
        values.sort_unstable_by(|a, b| b.cmp(a));
        let best = |count: usize| values.iter().take(count).sum::<u64>();
        match notes {
            Ok(notes) => {
                prop_assert!(notes.iter().sum::<u64>() >= quantity);
                prop_assert!(notes.len() <= INPUTS_MAX);
                prop_assert!(best(notes.len() - 1) < quantity, "fewer notes would do");
                // None of them is superfluous.
                let sum: u64 = notes.iter().sum();
                prop_assert!(notes.iter().all(|note| sum - note < quantity));
            }
            Err(why) => {
                prop_assert_eq!(why, "fragmented");
                prop_assert!(best(INPUTS_MAX) < quantity);
            }
        }
    }
}

struct Desk {
    custodian: Custodian,
    investor: Investor,
}

impl Desk {
    fn new() -> Self {
        let (key, master) = (NodeKey::from_seed(&[7; 32]), Seed([7; 32]));
        let custodian = Custodian { network: Hash::default(), key, master };
        Self { custodian, investor: text("ichi") }
    }

    fn run(&self, act: impl FnOnce(&mut Step<'_, '_>)) {
        let (kv, moment) = (MemoryKv::default(), Moment { now: 1, entropy: [0; 32] });
        let tx = Tx::new(&kv);
        act(&mut Step { tx: &tx, now: moment.now, rng: moment.rng() });
    }

    fn receive(&self, step: &Step<'_, '_>, values: &[u64]) -> Vec<NoteRow> {
        let rows = values.iter().enumerate().map(|(place, value)| {
            let point = Encoded::of(&(B * Scalar::from(u64::try_from(place).unwrap() + 1)));
            NoteRow {
                note: Note { asset: ASSET, owner: point, commitment: point },
                investor: self.investor.clone(),
                value: *value,
                blinding: Secret(Scalar::ONE),
                nonce: [0; 32],
                made_by: TxId(Hash::default()),
                state: NoteState::Live,
            }
        });
        let rows: Vec<_> = rows.collect();
        for row in &rows {
            self.custodian.receive_note(step, row).unwrap();
        }
        rows
    }

    fn balance(&self, step: &Step<'_, '_>) -> Balance {
        self.custodian.balance(step, ASSET, &self.investor).unwrap()
    }

    fn choose(&self, step: &Step<'_, '_>, quantity: u64) -> Result<Vec<u64>, &'static str> {
        match self.custodian.choose(step, ASSET, &self.investor, quantity).unwrap() {
            Chosen::Notes(notes, worth) => {
                let values: Vec<u64> = notes.iter().map(|row| row.value).collect();
                assert_eq!(values.iter().sum::<u64>(), worth);
                Ok(values)
            }
            Chosen::Wait => Err("wait"),
            Chosen::Fragmented => Err("fragmented"),
            Chosen::TooLittle => Err("too little"),
        }
    }
}

/// The values of the notes that a payment of `quantity` spends, of an account with notes of these values.
fn chosen(values: &[u64], quantity: u64) -> Result<Vec<u64>, &'static str> {
    let desk = Desk::new();
    let mut result = Err("not run");
    desk.run(|step| {
        desk.receive(step, values);
        result = desk.choose(step, quantity);
    });
    result
}

fn trade(id: &str) -> TradeKey {
    TradeKey { trade_id: text(id), counterparty: NodeId([3; 32]), initiates: true }
}
