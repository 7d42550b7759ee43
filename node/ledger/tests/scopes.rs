//! What disclosure keys open, through whole replays: exactly their fields in their epochs, whether memos are true or lie, and before
//! and after keys rotate.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod common;

use std::collections::BTreeMap;

use common::chain::*;
use common::*;
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::point::B;
use sudare_crypto::{Encoded, Scalar, Secret};
use sudare_disclosure::{
    DisclosureKey, DisclosureSecret, Field, Fields, KeyPurpose, Retirement, SectionKind,
};
use sudare_ledger::audit::{AuditError, Fault, ReadLeg, Replay};
use sudare_ledger::leg::OpenError;
use sudare_ledger::log::Entry;
use sudare_ledger::transaction::Window;

const STEP_MS: u64 = 1_000;

fn fields_of(bits: u8) -> Fields {
    decode(&[bits], "fields").unwrap()
}

/// A window of half a minute that ends at `until`.
const fn ending(until: u64) -> Window {
    Window { from: until - 30_000, until }
}

/// A log with one issue of known amounts after the other.
struct Log {
    asset: Asset,
    entries: Vec<Entry>,
    amounts: Vec<u64>,
    rng: ChaCha20Rng,
}

impl Log {
    fn new(epochs: &[&[Fields]], seed: u64) -> Self {
        let mut rng = rng(seed);
        let asset = Asset::new("JP0000000001", epochs, &mut rng);
        let entries = vec![Entry::Terms(asset.signed())];
        Self { asset, entries, amounts: Vec::new(), rng }
    }

    /// Appends an issue under an epoch's keys; with `lie` its memo says another amount.
    fn issue(&mut self, epoch: u32, window: Window, amount: u64, lie: bool) {
        let rng = &mut self.rng;
        let to = Holder::new(1).slot(&self.asset, epoch, rng);
        let mut contents = BTreeMap::new();
        if lie {
            let other = encode(&(amount + 1, Secret(Scalar::ONE)));
            contents.insert(SectionKind::Opening(0), other);
        }
        let draft = Plan::issue(vec![(to, amount)]).draft_with(&self.asset, &contents, rng);
        let leg = finalise(draft.prove(rng), &[], window, rng);
        self.entries.push(Entry::Leg(Box::new(leg)));
        self.amounts.push(amount);
    }

    /// Reads the log with these keys; amounts behind memos that lie are found among those that there are.
    fn replay(&self, keys: Vec<DisclosureSecret>) -> Result<Seen, AuditError> {
        let (bytes, checkpoint) = published(&self.asset, &self.entries);
        let mut replay = Replay::new(asset_log(&self.asset), keys, rng(7));
        for (index, bytes) in bytes.iter().enumerate() {
            replay.push(index as u64, bytes)?;
        }
        finish(replay, &checkpoint, &mut |point, bound| {
            let is = |value: &&u64| Encoded::of(&(B * Scalar::from(**value))) == *point;
            self.amounts.iter().find(is).copied().filter(|value| *value <= bound)
        })
    }
}

/// What a replay read of a leg, by field.
fn read(leg: &ReadLeg) -> [bool; 3] {
    assert_eq!(leg.sender.is_some(), leg.receivers.is_some());
    [leg.amounts.is_some(), leg.receivers.is_some(), leg.trade.is_some()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_key_opens_exactly_its_fields_in_its_epoch_whether_memos_lie_or_not(
        policy in prop::collection::vec(prop::collection::vec(1u8..16, 1..3), 1..4),
        legs in prop::collection::vec((0usize..4, 1u64..1_000, any::<bool>()), 1..4),
        seed: u64,
    ) {
        let policy: Vec<Vec<Fields>> =
            policy.iter().map(|keys| keys.iter().map(|bits| fields_of(*bits)).collect()).collect();
        let epochs: Vec<&[Fields]> = policy.iter().map(Vec::as_slice).collect();
        let mut log = Log::new(&epochs, seed);
        // In order of time, so that every leg is within its epoch.
        let mut legs: Vec<(u32, u64, bool)> =
            legs.into_iter().map(|(epoch, amount, lie)| ((epoch % policy.len()) as u32, amount, lie)).collect();
        legs.sort_unstable();
        for (epoch, amount, lie) in &legs {
            let until = NOW + u64::from(*epoch) * EPOCH_MS + 60_000;
            log.issue(*epoch, ending(until), *amount, *lie);
        }
        for (epoch, keys) in policy.iter().enumerate() {
            for (place, fields) in keys.iter().enumerate() {
                let key = log.asset.key(epoch as u32, place + 1).clone();
                let report = log.replay(vec![key.clone()]).unwrap();
                for (leg, (of, amount, lie)) in report.read.iter().zip(&legs) {
                    let own = *of as usize == epoch;
                    let has = |field| own && fields.has(field);
                    let expected = [Field::Amounts, Field::Parties, Field::Trade].map(has);
                    prop_assert_eq!(read(leg), expected, "epoch {} key {}", epoch, place);
                    if has(Field::Amounts) {
                        prop_assert_eq!(leg.amounts.as_deref(), Some(&[*amount][..]));
                        let found = report.false_memos.contains(&(leg.entry, 0));
                        prop_assert_eq!(found, *lie, "a memo that lies is named by whoever reads amounts");
                    }
                    // The library refuses the key where it is not in force, and its points open nothing.
                    let Entry::Leg(entry) = &log.entries[leg.entry as usize] else { unreachable!() };
                    if !own {
                        let refused = entry.leg.disclose(log.asset.epoch(*of), &key);
                        prop_assert_eq!(refused, Err(OpenError::Scope));
                    }
                    if !has(Field::Amounts) {
                        let output = &entry.leg.outputs[0];
                        for one in &output.amounts {
                            prop_assert_eq!(key.amount_is(&output.ephemeral, one, *amount), Ok(false));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn legs_near_a_boundary_settle_within_the_grace_and_old_proofs_hold_after_keys_rotate() {
    let mut log = Log::new(&[&[Fields::ALL], &[Fields::ALL]], 3);
    let boundary = NOW + EPOCH_MS;
    log.issue(0, ending(NOW + 60_000), 10, false);
    log.issue(0, ending(boundary), 20, false);
    // Built before the boundary, recorded after it, to the last step of the grace.
    log.issue(0, ending(boundary + GRACE_MS), 30, false);
    log.issue(1, ending(boundary + GRACE_MS), 40, true);
    let [old, new] = [0, 1].map(|epoch| log.asset.key(epoch, 1).clone());
    let amounts = |report: &Seen| -> Vec<Option<u64>> {
        report.read.iter().map(|leg| leg.amounts.as_ref().map(|all| all[0])).collect()
    };
    let all = log.replay(vec![old.clone(), new.clone()]).unwrap();
    assert_eq!(amounts(&all), [Some(10), Some(20), Some(30), Some(40)]);
    // Whoever has the key that was rotated out reads what was encrypted to it and nothing newer, though it verifies all.
    let out = log.replay(vec![old]).unwrap();
    assert_eq!(amounts(&out), [Some(10), Some(20), Some(30), None]);
    assert_eq!((out.legs, out.supply, out.root), (4, 100, all.root));
    assert!(out.false_memos.is_empty(), "the memo that lies is of the other epoch");
    let next = log.replay(vec![new]).unwrap();
    assert_eq!(amounts(&next), [None, None, None, Some(40)]);
    assert_eq!(next.false_memos, [(4, 0)]);
    // A step beyond the grace is refused by every replay, with any keys or none.
    log.issue(0, ending(boundary + GRACE_MS + STEP_MS), 50, false);
    let late = AuditError::Entry { entry: 5, fault: Fault::Epoch };
    assert_eq!(log.replay(Vec::new()).unwrap_err(), late);
}

#[test]
fn a_key_added_to_an_epoch_reads_from_its_version_of_the_terms_on() {
    // A lost key: its authority gets another for the epochs to come, without anybody's consent but the registrar's.
    let mut log = Log::new(&[&[Fields::ALL], &[Fields::ALL]], 4);
    log.issue(0, ending(NOW + 60_000), 10, false);
    let next = log.asset.join(0, Fields::ALL, &mut log.rng);
    let next = next.join(1, Fields::ALL, &mut log.rng);
    log.asset = next;
    log.asset.terms.number = 1;
    log.entries.push(Entry::Terms(log.asset.signed()));
    log.issue(0, ending(NOW + 120_000), 20, false);
    log.issue(1, ending(NOW + EPOCH_MS + 60_000), 30, false);
    let keys = vec![log.asset.key(0, 2).clone(), log.asset.key(1, 2).clone()];
    let report = log.replay(keys).unwrap();
    let amounts: Vec<_> = report.read.iter().map(|leg| leg.amounts.clone()).collect();
    assert_eq!(amounts, [None, Some(vec![20]), Some(vec![30])]);
    // What the lost key would have read stays readable to the registrar.
    let registrar = vec![log.asset.key(0, 0).clone(), log.asset.key(1, 0).clone()];
    let report = log.replay(registrar).unwrap();
    assert!(report.read.iter().all(|leg| leg.amounts.is_some()));
}

/// The terms with a key retired under its own secret, or under another.
fn retired(asset: &Asset, epoch: u32, place: usize, by: &DisclosureSecret) -> Asset {
    let mut next = asset.clone();
    next.terms.number += 1;
    let mut epochs = next.terms.policy.epochs.to_vec();
    let mut keys = epochs[epoch as usize].keys.to_vec();
    let purpose = KeyPurpose {
        network: network(),
        asset: asset.terms.asset(),
        epoch,
        fields: keys[place].fields,
        label: keys[place].label.clone(),
    };
    let signed = by.publish(&purpose.retired(Retirement::Compromised).unwrap(), &mut rng(8));
    keys[place] = DisclosureKey { point: keys[place].point, ..signed.unwrap() };
    epochs[epoch as usize].keys = keys.try_into().unwrap();
    next.terms.policy.epochs = epochs.try_into().unwrap();
    next
}

#[test]
fn a_stolen_key_is_retired_by_itself_and_opens_nothing_that_comes_after() {
    let mut log = Log::new(&[&[Fields::ALL, Fields::ALL]], 5);
    log.issue(0, ending(NOW + 60_000), 10, false);
    let stolen = log.asset.key(0, 1).clone();
    // Nobody else retires it, nor is it left out.
    let refused = |next: &Asset, fault: &dyn Fn(&Fault) -> bool| {
        let entries = [log.entries.clone(), vec![Entry::Terms(next.signed())]].concat();
        let log = Log { entries, asset: next.clone(), amounts: Vec::new(), rng: rng(1) };
        let AuditError::Entry { entry: 2, fault: found } = log.replay(Vec::new()).unwrap_err()
        else {
            unreachable!("the version alone is wrong")
        };
        assert!(fault(&found), "{found:?}");
    };
    let by_another = retired(&log.asset, 0, 1, log.asset.key(0, 2));
    refused(&by_another, &|fault| matches!(fault, Fault::Terms(_)));
    let of_the_registrar = retired(&log.asset, 0, 0, log.asset.key(0, 0));
    refused(&of_the_registrar, &|fault| matches!(fault, Fault::Terms(_)));
    let mut without = log.asset.clone();
    without.terms.number = 1;
    let mut epochs = without.terms.policy.epochs.to_vec();
    epochs[0].keys = vec![epochs[0].keys[0].clone(), epochs[0].keys[2].clone()].try_into().unwrap();
    without.terms.policy.epochs = epochs.try_into().unwrap();
    refused(&without, &|fault| *fault == Fault::TermsChanged { epoch: 0 });

    log.asset = retired(&log.asset, 0, 1, &stolen);
    log.entries.push(Entry::Terms(log.asset.signed()));
    log.issue(0, ending(NOW + 120_000), 20, false);
    let amounts = |key: DisclosureSecret| -> Vec<Option<Vec<u64>>> {
        log.replay(vec![key]).unwrap().read.into_iter().map(|leg| leg.amounts).collect()
    };
    assert_eq!(amounts(stolen.clone()), [Some(vec![10]), None]);
    assert_eq!(amounts(log.asset.key(0, 2).clone()), [Some(vec![10]), Some(vec![20])]);
    let Entry::Leg(last) = log.entries.last().unwrap() else { unreachable!() };
    let output = &last.leg.outputs[0];
    assert_eq!(output.amounts.len(), 2, "no ciphertext is made for it");
    for one in &output.amounts {
        assert_eq!(stolen.amount_is(&output.ephemeral, one, 20), Ok(false));
    }
    // What is retired stays so, and is not retired twice.
    let mut again = log.asset.clone();
    again.terms.number = 2;
    let mut epochs = again.terms.policy.epochs.to_vec();
    let mut keys = epochs[0].keys.to_vec();
    let Entry::Terms(first) = &log.entries[0] else { unreachable!() };
    keys[1] = first.terms.policy.epoch(0).unwrap().keys[1].clone();
    epochs[0].keys = keys.try_into().unwrap();
    again.terms.policy.epochs = epochs.try_into().unwrap();
    assert_eq!(again.terms.policy.changes(&log.asset.terms.policy), Some(0));
}
