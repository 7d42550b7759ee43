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
use sudare_ledger::leg::{Leg, OpenError, TradeInfo};
use sudare_ledger::log::Entry;
use sudare_ledger::note::NoteId;
use sudare_ledger::transaction::Window;

const STEP_MS: u64 = 1_000;

fn fields_of(bits: u8) -> Fields {
    decode(&[bits], "fields").unwrap()
}

/// A window of half a minute that ends at `until`.
const fn ending(until: u64) -> Window {
    Window { from: until - 30_000, until }
}

/// A log of issues of known amounts and of transfers of what they made.
struct Log {
    asset: Asset,
    entries: Vec<Entry>,
    made: Vec<Made>,
    /// Notes that live, with whose they are.
    held: Vec<(u8, Held)>,
    rng: ChaCha20Rng,
}

/// What was made of a leg.
struct Made {
    epoch: u32,
    amount: u64,
    /// Whether its memo says another amount.
    lie: bool,
    senders: Vec<Encoded>,
    receiver: Encoded,
    spends: Vec<NoteId>,
    trade: TradeInfo,
}

impl Log {
    fn new(epochs: &[&[Fields]], seed: u64) -> Self {
        let mut rng = rng(seed);
        let asset = Asset::new("JP0000000001", epochs, &mut rng);
        let entries = vec![Entry::Terms(asset.signed())];
        Self { asset, entries, made: Vec::new(), held: Vec::new(), rng }
    }

    /// Appends an issue to account 1 under an epoch's keys; with `lie` its memo says another amount.
    fn issue(&mut self, epoch: u32, window: Window, amount: u64, lie: bool) {
        let to = Holder::new(1).slot(&self.asset, epoch, &mut self.rng);
        self.append(1, Plan::issue(vec![(to, amount)]), window, lie);
    }

    /// Appends a transfer of the last two notes, at most, to account 2 under an epoch's keys.
    fn transfer(&mut self, epoch: u32, window: Window, lie: bool) {
        let to = Holder::new(2).slot(&self.asset, epoch, &mut self.rng);
        let from = self.held.len().saturating_sub(2);
        let spends: Vec<Held> = self.held[from..].iter().map(|(_, held)| held.clone()).collect();
        let amount = spends.iter().map(|held| held.opening.value).sum();
        self.append(2, Plan::transfer(spends, vec![(to, amount)]), window, lie);
    }

    fn append(&mut self, who: u8, mut plan: Plan, window: Window, lie: bool) {
        plan.trade.trade_id = text(&format!("T-{}", self.made.len()));
        let (to, amount) = plan.pays[0].clone();
        let mut contents = BTreeMap::new();
        if lie {
            let other = encode(&(amount + 1, Secret(Scalar::ONE)));
            contents.insert(SectionKind::Opening(0), other);
        }
        let draft = plan.draft_with(&self.asset, &contents, &mut self.rng);
        let leg = draft.prove(&mut self.rng);
        let entry = finalise(leg, &plan.spends, window, &mut self.rng);
        self.entries.push(Entry::Leg(Box::new(entry)));
        let spent = self.held.split_off(self.held.len() - plan.spends.len());
        let account = |who: u8| Holder::new(who).account(&self.asset);
        self.made.push(Made {
            epoch: plan.epoch,
            amount,
            lie,
            senders: spent.iter().map(|(who, _)| account(*who)).collect(),
            receiver: account(who),
            spends: spent.iter().map(|(_, held)| held.note.id()).collect(),
            trade: plan.trade,
        });
        let opening = draft.openings[0].clone();
        self.held.push((who, held(&self.asset, &to.slot, opening, to.secrets)));
    }

    /// Reads the log with these keys; amounts behind memos that lie are found among those that there are.
    fn replay(&self, keys: Vec<DisclosureSecret>) -> Result<Seen, AuditError> {
        let (bytes, checkpoint) = published(&self.asset, &self.entries);
        let mut replay = Replay::new(asset_log(&self.asset), keys, rng(7));
        for (index, bytes) in bytes.iter().enumerate() {
            replay.push(index as u64, bytes)?;
        }
        finish(replay, &checkpoint, &mut |point, bound| {
            let is = |value: &u64| Encoded::of(&(B * Scalar::from(*value))) == *point;
            self.made.iter().map(|made| made.amount).find(is).filter(|value| *value <= bound)
        })
    }
}

/// Of a leg was read what was made of it, as far as `has` says, and nothing else.
fn assert_read(leg: &ReadLeg, made: &Made, has: impl Fn(Field) -> bool) {
    assert_eq!(leg.amounts, has(Field::Amounts).then(|| vec![made.amount]));
    let parties = has(Field::Parties);
    assert_eq!(leg.senders, parties.then(|| made.senders.clone()));
    assert_eq!(leg.receivers, parties.then(|| vec![made.receiver]));
    assert_eq!(leg.sender, parties.then(|| text("sender")));
    assert_eq!(leg.trade, has(Field::Trade).then(|| made.trade.clone()));
    // That nothing is spent is in clear.
    let links = has(Field::Links) || made.spends.is_empty();
    assert_eq!(leg.spends, links.then(|| made.spends.clone()));
}

/// Whoever ignores the policy and tries the key at every place of a leg opens what it has there and nothing else: memos by their
/// content keys, amounts and accounts by their points, whatever candidates he has.
fn assert_opens(leg: &Leg, made: &Made, key: &DisclosureSecret, has: impl Fn(Field) -> bool) {
    let context = encode(&leg.header);
    let opened = |ephemeral: &Encoded, one: &Encoded| key.decrypt(ephemeral, one).unwrap();
    for section in leg.sections.iter() {
        let field = match section.kind {
            SectionKind::Opening(_) => Field::Amounts,
            SectionKind::Parties => Field::Parties,
            SectionKind::Trade => Field::Trade,
            SectionKind::Links => Field::Links,
            SectionKind::Snapshot => unreachable!("no leg has one"),
        };
        let messages = section.wraps.iter().map(|wrap| opened(&section.ephemeral, wrap));
        let opens = messages.filter(|message| section.open(message, &context).is_ok()).count();
        assert_eq!(opens, usize::from(has(field)), "{:?}", section.kind);
    }
    let count = |ephemeral: &Encoded, all: &[Encoded], expected: &Encoded| {
        all.iter().filter(|one| Encoded::of(&opened(ephemeral, one)) == *expected).count()
    };
    let output = &leg.outputs[0];
    let value = Encoded::of(&(B * Scalar::from(made.amount)));
    let amounts = count(&output.ephemeral, &output.amounts, &value);
    assert_eq!(amounts, usize::from(has(Field::Amounts)));
    let slot = &output.slot.slot;
    let mut parties = vec![count(&slot.ephemeral, &slot.identities, &made.receiver)];
    for (input, sender) in leg.inputs.iter().zip(&made.senders) {
        parties.push(count(&input.ephemeral, &input.identities, sender));
    }
    assert!(parties.iter().all(|found| *found == usize::from(has(Field::Parties))), "{parties:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the policy, the log and the truth of its memos.
    #[test]
    fn a_key_opens_exactly_its_fields_in_its_epoch_whether_memos_lie_or_not(
        policy in prop::collection::vec(prop::collection::vec(1u8..16, 1..3), 1..4),
        legs in prop::collection::vec((0usize..4, any::<bool>(), 1u64..1_000, any::<bool>()), 2..5),
        seed: u64,
    ) {
        let policy: Vec<Vec<Fields>> =
            policy.iter().map(|keys| keys.iter().map(|bits| fields_of(*bits)).collect()).collect();
        let epochs: Vec<&[Fields]> = policy.iter().map(Vec::as_slice).collect();
        let mut log = Log::new(&epochs, seed);
        // In order of time, so that every leg is within its epoch. The last is a transfer.
        let mut legs: Vec<_> = legs.iter().map(|leg| (leg.0 % policy.len(), leg)).collect();
        legs.sort_unstable();
        let last = legs.len() - 1;
        for (number, (epoch, (_, moves, amount, lie))) in legs.into_iter().enumerate() {
            let (epoch, until) = (epoch as u32, NOW + epoch as u64 * EPOCH_MS + 60_000);
            if (*moves || number == last) && number > 0 {
                log.transfer(epoch, ending(until), *lie);
            } else {
                log.issue(epoch, ending(until), *amount, *lie);
            }
        }
        for (epoch, keys) in policy.iter().enumerate() {
            for (place, fields) in keys.iter().enumerate() {
                let key = log.asset.key(epoch as u32, place + 1).clone();
                let report = log.replay(vec![key.clone()]).unwrap();
                prop_assert_eq!(report.read.len(), log.made.len());
                for (leg, made) in report.read.iter().zip(&log.made) {
                    let own = made.epoch as usize == epoch;
                    let has = |field| own && fields.has(field);
                    assert_read(leg, made, has);
                    if has(Field::Amounts) {
                        let found = report.false_memos.contains(&(leg.entry, 0));
                        prop_assert_eq!(found, made.lie, "a memo that lies is named by whoever reads amounts");
                    }
                    let Entry::Leg(entry) = &log.entries[leg.entry as usize] else { unreachable!() };
                    assert_opens(&entry.leg, made, &key, has);
                    // The library refuses the key where it is not in force.
                    if !own {
                        let refused = entry.leg.disclose(log.asset.epoch(made.epoch), &key);
                        prop_assert_eq!(refused, Err(OpenError::Scope));
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
        let log =
            Log { entries, asset: next.clone(), made: Vec::new(), held: Vec::new(), rng: rng(1) };
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
