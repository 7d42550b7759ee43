//! What is approved, and what is not?

use sudare_crypto::{Hash, NodeKey, Scalar, Secret};

use super::super::approve::UNAPPROVED_MAX;
use super::super::state::{ASSETS, NOTES, SPENT, STATES, TERMS, UNAPPROVED, Version};
use super::{World, list};
use crate::kv::Be;
use crate::messages::{ApprovalRequest, Message, Reason};
use crate::registrar::{Instruction, Registrar, Waiting, audit_state};
use crate::testing::{Assembled, Draft, Held, SLOT_MS, assemble, leg, tamper, trade};
use crate::transaction::Window;

#[test]
fn a_transfer_is_approved_and_moves_the_register_once_it_is_final() {
    let mut world = World::new();
    let assembled = world.usual();
    let approval = world.approve(&assembled).unwrap();
    assert!(assembled.transaction.is_approved(0, &approval));
    assert_eq!((world.holds("alice"), world.holds("bob")), (150, 0));
    let finalisation = world.finalisation(&assembled, &[approval]);
    assert_eq!(world.finalise(finalisation), []);
    assert_eq!((world.holds("alice"), world.holds("bob")), (90, 60));
    assert_eq!(world.b.total(), 60);
    // Bob's custodian can spend what it got.
    let note = world.b.notes[0].clone();
    let back = world.transfer(&[note], &[("anna", 60)]);
    let approval = world.ask(world.b.id(), back.request(0)).unwrap();
    assert!(back.transaction.is_approved(0, &approval));
    world.registrar.assert_deterministic();
}

/// Changes a request, sees it refused for this reason with nothing locked, then sees the honest one approved.
fn refused_and_then_approved(
    reason: Reason,
    change: impl FnOnce(&mut World, &mut ApprovalRequest),
) {
    let mut world = World::new();
    let honest = world.usual();
    let mut request = honest.request(0);
    change(&mut world, &mut request);
    assert_eq!(world.ask(world.a.id(), request), Err(reason));
    world.assert_free();
    assert!(world.approve(&honest).is_ok(), "the honest request after {reason:?}");
}

#[test]
fn a_request_must_be_for_the_leg_that_a_sound_transaction_names() {
    refused_and_then_approved(Reason::Malformed, |_, request| {
        let mut tags = request.transaction.tags.to_vec();
        tags.push(tags[0]);
        request.transaction.tags = list(tags);
    });
    refused_and_then_approved(Reason::Malformed, |_, request| {
        request.transaction.network = Hash::of(b"another", &[]);
    });
    refused_and_then_approved(Reason::LegMismatch, |_, request| request.index = 1);
    refused_and_then_approved(Reason::LegMismatch, |_, request| request.salt.0[0] ^= 1);
    refused_and_then_approved(Reason::LegMismatch, |_, request| request.leg.header.nonce[0] ^= 1);
    refused_and_then_approved(Reason::LegMismatch, |_, request| {
        let mut legs = request.transaction.legs.to_vec();
        legs[0].registrar = NodeKey::from_seed(&[200; 32]).id();
        request.transaction.legs = list(legs);
    });
}

#[test]
fn every_tag_must_stand_in_the_transaction_with_its_salt() {
    refused_and_then_approved(Reason::TagMissing, |_, request| {
        request.tag_salts = list(vec![[7; 32]]);
    });
    refused_and_then_approved(Reason::TagMissing, |_, request| {
        request.tag_salts = list(Vec::new());
    });
    refused_and_then_approved(Reason::TagMissing, |_, request| {
        request.transaction.tags = list(vec![Hash::of(b"another tag", &[])]);
    });
}

#[test]
fn the_notary_is_the_assets() {
    refused_and_then_approved(Reason::WrongNotary, |_, request| {
        request.transaction.notary = NodeKey::from_seed(&[200; 32]).id();
    });
}

#[test]
fn the_window_is_open_and_no_longer_than_the_terms_allow() {
    let windows: [fn(u64) -> Window; 4] = [
        |now| Window { from: now - 2_000, until: now },
        |now| Window { from: now - 30_000, until: now + 40_000 },
        |now| Window { from: now + 30_000, until: now + 80_000 },
        |now| Window { from: now, until: now + 1_000_000 },
    ];
    for window in windows {
        refused_and_then_approved(Reason::Window, |world, request| {
            request.transaction.window = window(world.registrar.now);
        });
    }
    // The longest that the terms allow, rounded to steps, is approved.
    let mut world = World::new();
    let mut assembled = world.usual();
    assembled.transaction.window = Window::around(world.registrar.now, 60_000);
    assert!(world.approve(&assembled).is_ok());
}

#[test]
fn an_unknown_asset_is_refused() {
    refused_and_then_approved(Reason::UnknownAsset, |world, request| {
        let now = world.registrar.now;
        let other = world.net.terms("JP3000000009", &[now - 1], &mut world.rng);
        let slot = world.b.slot(&other, now, "bob", Hash::default(), &mut world.rng);
        let seed = world.a.investor("alice");
        let held = Held::forged(other.asset(), &seed, 5, &mut world.rng);
        let draft = leg(&other, now, &[held], vec![(slot, 5)], trade("x"), &mut world.rng).unwrap();
        *request = alone(world, draft).request(0);
    });
}

#[test]
fn an_epoch_that_has_ended_is_stale_and_its_windows_end_within_the_grace() {
    let mut world = World::new();
    let old = world.usual();
    let opens = world.terms.policy.epochs[1].opens_at;
    world.registrar.advance(opens - world.registrar.now - 10_000);
    // Ten seconds before the next epoch: a window may end up to a minute after it opens, and not later.
    let stale = world.approve(&old);
    assert_eq!(stale, Err(Reason::Window), "its window is over");
    let mut late = world.usual();
    late.transaction.window = Window::around(world.registrar.now, 60_000);
    assert!(world.approve(&late).is_ok());
    let note = world.a.notes[1].clone();
    let crossing = world.transfer(std::slice::from_ref(&note), &[("bob", 50)]);
    world.registrar.advance(10_000);
    assert_eq!(world.approve(&crossing), Err(Reason::StaleTerms));
    let fresh = world.transfer(&[note], &[("bob", 50)]);
    assert_eq!(fresh.legs[0].built.leg.header.epoch, 1);
    assert!(world.approve(&fresh).is_ok());
}

#[test]
fn a_window_must_not_outlive_the_grace_of_its_epoch() {
    let mut world = World::new();
    let opens = world.terms.policy.epochs[1].opens_at;
    tamper(&mut world.registrar.kv, |tx| {
        // A shorter grace than the longest window, signed as such.
        let mut terms = world.terms.clone();
        terms.policy.grace_ms = 5_000;
        world.terms = terms.clone();
        let signed = world.net.signed(terms);
        TERMS.put(tx, &(world.terms.asset(), Be(0)), &Version { signed, since: 0 });
    });
    world.registrar.advance(opens - world.registrar.now - 10_000);
    let too_long = world.usual();
    assert_eq!(world.approve(&too_long), Err(Reason::Window));
    let mut short = world.usual();
    short.transaction.window = Window::around(world.registrar.now, 14_000);
    assert!(world.approve(&short).is_ok());
}

#[test]
fn only_the_registrar_issues() {
    refused_and_then_approved(Reason::NotInstructed, |world, request| {
        let assembled = world.transfer(&[], &[("alice", 1_000)]);
        *request = assembled.request(0);
    });
}

#[test]
fn a_closed_asset_approves_nothing() {
    let mut world = World::new();
    let asset = world.asset();
    world.registrar.instruct(Instruction::SetOpen { asset, open: false }).unwrap();
    let assembled = world.usual();
    assert_eq!(world.approve(&assembled), Err(Reason::Closed));
    world.registrar.instruct(Instruction::SetOpen { asset, open: true }).unwrap();
    assert_eq!(world.approve(&assembled), Err(Reason::Closed), "the answer stays");
    let again = world.usual();
    assert!(world.approve(&again).is_ok());
}

#[test]
fn a_slot_counts_once_and_not_for_ever() {
    let mut world = World::new();
    let (first, second) = (world.a.notes[0].clone(), world.a.notes[1].clone());
    let slot = world.slot("bob", Hash::default());
    let one = world.transfer_into(&[first], vec![(slot.clone(), 100)]);
    let two = world.transfer_into(std::slice::from_ref(&second), vec![(slot, 50)]);
    let approval = world.approve(&one).unwrap();
    assert_eq!(world.approve(&two), Err(Reason::SlotUsed), "reserved");
    let finalisation = world.finalisation(&one, &[approval]);
    world.finalise(finalisation);
    let slot = two.legs[0].built.leg.outputs[0].slot.clone();
    let three = world.transfer_into(std::slice::from_ref(&second), vec![(slot, 50)]);
    assert_eq!(world.approve(&three), Err(Reason::SlotUsed), "used");
    let slot = world.slot("bob", Hash::default());
    world.registrar.advance(SLOT_MS);
    let expired = world.transfer_into(std::slice::from_ref(&second), vec![(slot, 50)]);
    assert_eq!(world.approve(&expired), Err(Reason::SlotExpired));
    let fresh = world.transfer(&[second], &[("bob", 50)]);
    assert!(world.approve(&fresh).is_ok());
}

#[test]
fn a_leg_with_a_wrong_proof_is_refused() {
    refused_and_then_approved(Reason::Proof, |world, request| {
        let mut other = world.usual();
        let proofs = &mut other.legs[0].built.leg.proofs;
        proofs.balance = proofs.wrap.clone();
        *request = renamed(world, other).request(0);
    });
    refused_and_then_approved(Reason::Proof, |world, request| {
        let mut other = world.usual();
        let leg = &mut other.legs[0].built.leg;
        let mut sections = leg.sections.to_vec();
        let mut body = sections[0].body.to_vec();
        body[0] ^= 1;
        sections[0].body = list(body);
        leg.sections = list(sections);
        *request = renamed(world, other).request(0);
    });
}

#[test]
fn an_input_must_be_a_live_note_of_this_register() {
    refused_and_then_approved(Reason::UnknownNote, |world, request| {
        let seed = world.a.investor("alice");
        let held = Held::forged(world.asset(), &seed, 70, &mut world.rng);
        *request = world.transfer(&[held], &[("bob", 70)]).request(0);
    });
}

#[test]
fn a_locked_or_spent_note_is_not_spent_again() {
    let mut world = World::new();
    let (one, two) = (world.usual(), world.usual());
    let approval = world.approve(&one).unwrap();
    assert_eq!(world.approve(&two), Err(Reason::InputLocked));
    let finalisation = world.finalisation(&one, &[approval]);
    world.finalise(finalisation);
    let note = world.a.notes[0].clone();
    let three = world.transfer(&[note], &[("bob", 100)]);
    assert_eq!(world.approve(&three), Err(Reason::Spent));
    let other = world.a.notes[1].clone();
    let four = world.transfer(&[other], &[("bob", 50)]);
    assert!(world.approve(&four).is_ok());
}

#[test]
fn the_links_must_be_proved_on_the_notes_of_this_register() {
    let mut world = World::new();
    let (one, two) = (world.a.notes[0].note.id(), world.a.notes[1].note.id());
    let (asset, kv) = (world.asset(), &world.registrar.kv);
    let honest = NOTES.get(kv, &(asset, one)).unwrap().unwrap();
    let mut other = honest.clone();
    other.note = NOTES.get(kv, &(asset, two)).unwrap().unwrap().note;
    let assembled = world.usual();
    tamper(&mut world.registrar.kv, |tx| NOTES.put(tx, &(asset, one), &other));
    assert_eq!(world.approve(&assembled), Err(Reason::Proof));
    tamper(&mut world.registrar.kv, |tx| NOTES.put(tx, &(asset, one), &honest));
    let again = world.usual();
    assert!(world.approve(&again).is_ok());
}

#[test]
fn a_note_that_is_spent_is_locked_whatever_its_tag() {
    let mut world = World::new();
    let (asset, one) = (world.asset(), world.a.notes[0].note.id());
    let assembled = world.usual();
    assert!(Registrar::is_live(&world.registrar.kv, asset, one).unwrap());
    tamper(&mut world.registrar.kv, |tx| SPENT.put(tx, &(asset, one), &7));
    assert_eq!(world.approve(&assembled), Err(Reason::InputLocked));
    tamper(&mut world.registrar.kv, |tx| SPENT.delete(tx, &(asset, one)));
    let two = world.a.notes[1].clone();
    let other = world.transfer(std::slice::from_ref(&two), &[("bob", 50)]);
    world.settle(&other);
    assert!(!Registrar::is_live(&world.registrar.kv, asset, two.note.id()).unwrap());
}

#[test]
fn a_spend_is_booked_on_the_account_that_owned_the_note() {
    let mut world = World::new();
    let assembled = world.usual();
    let id = world.a.notes[0].note.id();
    let (asset, anna) = (world.asset(), world.a.account(world.asset(), "anna"));
    let honest = NOTES.get(&world.registrar.kv, &(asset, id)).unwrap().unwrap();
    let mut other = honest.clone();
    other.account = anna;
    tamper(&mut world.registrar.kv, |tx| NOTES.put(tx, &(asset, id), &other));
    assert_eq!(world.approve(&assembled), Err(Reason::WrongOwner));
    tamper(&mut world.registrar.kv, |tx| NOTES.put(tx, &(asset, id), &honest));
    let again = world.usual();
    assert!(world.approve(&again).is_ok());
}

#[test]
fn a_custodian_spends_only_for_its_own_accounts_and_spoils_no_request_of_others() {
    let mut world = World::new();
    let assembled = world.usual();
    let stolen = world.ask(world.b.id(), assembled.request(0));
    assert_eq!(stolen, Err(Reason::WrongCustodian));
    world.assert_free();
    assert!(world.approve(&assembled).is_ok());
}

#[test]
fn a_receiver_is_registered_by_exactly_the_custodian_that_signed_the_slot() {
    refused_and_then_approved(Reason::UnknownAccount, |world, request| {
        let note = world.a.notes[0].clone();
        *request = world.transfer(&[note], &[("nobody", 100)]).request(0);
    });
    refused_and_then_approved(Reason::WrongCustodian, |world, request| {
        let (now, note) = (world.registrar.now, world.a.notes[0].clone());
        let anna = world.a.investor("anna");
        let slot = world.b.slot_of(&anna, &world.terms, now, Hash::default(), &mut world.rng);
        *request = world.transfer_into(&[note], vec![(slot, 100)]).request(0);
    });
}

#[test]
fn a_frozen_account_neither_sends_nor_receives_but_what_is_approved_settles() {
    let mut world = World::new();
    let asset = world.asset();
    let (alice, bob) = (world.a.account(asset, "alice"), world.b.account(asset, "bob"));
    let freeze = |world: &mut World, account, frozen| {
        let instruction = Instruction::Freeze { asset, account, frozen };
        world.registrar.instruct(instruction).unwrap();
    };
    for account in [alice, bob] {
        freeze(&mut world, account, true);
        let assembled = world.usual();
        assert_eq!(world.approve(&assembled), Err(Reason::Frozen));
        freeze(&mut world, account, false);
    }
    let assembled = world.usual();
    let approval = world.approve(&assembled).unwrap();
    freeze(&mut world, alice, true);
    let finalisation = world.finalisation(&assembled, &[approval]);
    assert_eq!(world.finalise(finalisation), []);
    assert_eq!(world.holds("bob"), 60);
}

#[test]
fn a_redemption_is_approved_once_and_only_as_instructed() {
    let mut world = World::new();
    let (asset, custodian) = (world.asset(), world.a.id());
    let note = world.a.notes[0].clone();
    // 30 of 100 are redeemed.
    let redeem = |world: &mut World| world.transfer(std::slice::from_ref(&note), &[("alice", 70)]);
    let allow = |world: &mut World, id: &str, custodian, quantity| {
        let trade_id = crate::testing::text(id);
        let order = Instruction::AllowRedemption { trade_id, asset, custodian, quantity };
        world.registrar.instruct(order)
    };
    let uninstructed = redeem(&mut world);
    assert_eq!(world.approve(&uninstructed), Err(Reason::NotInstructed));
    allow(&mut world, "trade-2", custodian, 30).unwrap();
    let other_trade = redeem(&mut world);
    assert_eq!(world.approve(&other_trade), Err(Reason::NotInstructed));
    let other_custodian = world.b.id();
    allow(&mut world, "trade-1", other_custodian, 30).unwrap();
    let not_theirs = redeem(&mut world);
    assert_eq!(world.approve(&not_theirs), Err(Reason::NotInstructed));
    allow(&mut world, "trade-1", custodian, 30).unwrap();
    assert_eq!(allow(&mut world, "trade-1", custodian, 31), Err(Reason::DuplicateTrade));
    assert!(allow(&mut world, "trade-1", custodian, 30).is_ok());
    let other_quantity = world.transfer(std::slice::from_ref(&note), &[("alice", 69)]);
    assert_eq!(world.approve(&other_quantity), Err(Reason::NotInstructed));
    let redemption = redeem(&mut world);
    world.settle(&redemption);
    assert_eq!(world.holds("alice"), 120);
    let view = Registrar::asset(&world.registrar.kv, asset).unwrap().unwrap();
    assert_eq!((view.asset.minted, view.asset.burned), (150, 30));
    let last = world.a.notes[2].clone();
    let again = world.transfer(&[last], &[("alice", 40)]);
    assert_eq!(world.approve(&again), Err(Reason::NotInstructed));
}

#[test]
fn the_whole_holding_can_be_redeemed_without_change() {
    let mut world = World::new();
    let (asset, custodian) = (world.asset(), world.a.id());
    let trade_id = crate::testing::text("trade-1");
    let order = Instruction::AllowRedemption { trade_id, asset, custodian, quantity: 150 };
    world.registrar.instruct(order).unwrap();
    let notes = world.a.notes.clone();
    let redemption = world.transfer(&notes, &[]);
    world.settle(&redemption);
    assert_eq!(world.holds("alice"), 0);
    let asset = Registrar::asset(&world.registrar.kv, asset).unwrap().unwrap().asset;
    assert_eq!((asset.outstanding(), asset.notes), (0, 0));
}

#[test]
fn a_register_that_does_not_add_up_approves_nothing_more() {
    let mut world = World::new();
    let assembled = world.usual();
    let (asset, id) = (world.asset(), world.a.notes[0].note.id());
    let mut row = NOTES.get(&world.registrar.kv, &(asset, id)).unwrap().unwrap();
    row.quantity = 101;
    tamper(&mut world.registrar.kv, |tx| NOTES.put(tx, &(asset, id), &row));
    assert_eq!(world.approve(&assembled), Err(Reason::Internal));
    let view = Registrar::asset(&world.registrar.kv, asset).unwrap().unwrap().asset;
    assert_eq!(view.halted.unwrap().tx, assembled.transaction.id());
    assert_eq!(audit_state(&world.registrar.kv).unwrap().len(), 1);
    let note = world.a.notes[1].clone();
    let other = world.transfer(&[note], &[("bob", 50)]);
    assert_eq!(world.approve(&other), Err(Reason::Internal));
}

#[test]
fn an_audit_finds_a_counterfeit_note_and_halts_the_asset() {
    let mut world = World::new();
    let asset = world.asset();
    assert!(world.registrar.instruct(Instruction::Audit(asset)).is_ok());
    let seed = world.a.investor("alice");
    let held = Held::forged(asset, &seed, 7, &mut world.rng);
    let (id, account) = (held.note.id(), held.account());
    let row = crate::registrar::NoteRow {
        note: held.note,
        account,
        quantity: 7,
        blinding: Secret(Scalar::ZERO),
        entry: 0,
    };
    tamper(&mut world.registrar.kv, |tx| {
        NOTES.put(tx, &(asset, id), &row);
        super::super::state::LIVE.put(tx, &(asset, account, id), &7);
    });
    let found = world.registrar.instruct(Instruction::Audit(asset));
    assert_eq!(found, Err(Reason::Internal));
    let counterfeit = world.transfer(&[held], &[("bob", 7)]);
    assert_eq!(world.approve(&counterfeit), Err(Reason::Internal));
}

#[test]
fn the_same_request_again_gets_the_same_answer() {
    let mut world = World::new();
    let assembled = world.usual();
    let request = Message::Approve(assembled.request(0));
    let from = world.a.id();
    // Twice before the proofs are verified: one check, one answer.
    world.registrar.message(from, request.clone()).unwrap();
    world.registrar.message(from, request.clone()).unwrap();
    world.registrar.work();
    let first = world.registrar.sent();
    assert_eq!(first.len(), 1);
    world.registrar.message(from, request.clone()).unwrap();
    assert_eq!(world.registrar.sent(), first);
    let [(_, Message::Approved { outcome: Ok(approval), .. })] = first[..] else { panic!() };
    let finalisation = world.finalisation(&assembled, &[approval]);
    world.finalise(finalisation);
    world.registrar.message(from, request).unwrap();
    assert_eq!(world.registrar.sent(), first, "after it is final too");
    world.registrar.assert_deterministic();
}

#[test]
fn state_is_checked_at_the_moment_of_approval_and_not_only_when_asked() {
    let mut world = World::new();
    let (one, two) = (world.usual(), world.usual());
    let from = world.a.id();
    // Both are asked for before either is checked: the second finds the note locked.
    world.registrar.message(from, Message::Approve(one.request(0))).unwrap();
    world.registrar.message(from, Message::Approve(two.request(0))).unwrap();
    let asset = world.asset();
    world.registrar.work();
    let outcomes: Vec<_> = world
        .registrar
        .sent()
        .into_iter()
        .map(|(_, message)| match message {
            Message::Approved { outcome, .. } => outcome.map(|_| ()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(outcomes, [Ok(()), Err(Reason::InputLocked)]);
    let note = world.a.notes[1].clone();
    let three = world.transfer(&[note], &[("bob", 50)]);
    world.registrar.message(from, Message::Approve(three.request(0))).unwrap();
    let waiting = Registrar::transaction(&world.registrar.kv, three.transaction.id().unwrap(), 0);
    assert_eq!(waiting.unwrap()[0].waiting, Waiting::Registrar);
    world.registrar.instruct(Instruction::SetOpen { asset, open: false }).unwrap();
    world.registrar.work();
    let sent = world.registrar.sent();
    let [(_, Message::Approved { outcome, .. })] = &sent[..] else { panic!() };
    assert_eq!(*outcome, Err(Reason::Closed));
}

#[test]
fn the_supply_never_exceeds_what_can_be_counted() {
    let mut world = World::new();
    let asset = world.asset();
    tamper(&mut world.registrar.kv, |tx| {
        let mut row = ASSETS.get(tx, &asset).unwrap().unwrap();
        row.pending = u64::MAX - 160;
        ASSETS.put(tx, &asset, &row);
    });
    let order = world.order("issue-2", &[("bob", 11)]);
    let refused = world.registrar.instruct(Instruction::Issue(Box::new(order)));
    assert_eq!(refused, Err(Reason::SupplyLimit));
    let order = world.order("issue-3", &[("bob", 10)]);
    assert!(world.registrar.instruct(Instruction::Issue(Box::new(order))).is_ok());
}

#[test]
fn a_leg_of_the_version_before_is_approved_within_its_grace() {
    let mut world = World::new();
    let (old, late) = (world.usual(), world.usual());
    let mut next = world.terms.clone();
    next.number = 1;
    let signed = world.net.signed(next.clone());
    world.registrar.instruct(Instruction::UpdateTerms(Box::new(signed))).unwrap();
    world.registrar.sent();
    assert!(world.approve(&old).is_ok());
    world.registrar.advance(40_000);
    let note = world.a.notes[1].clone();
    let outliving = world.transfer(std::slice::from_ref(&note), &[("bob", 50)]);
    assert_eq!(world.approve(&outliving), Err(Reason::Window), "its window ends after the grace");
    let mut within = world.transfer(std::slice::from_ref(&note), &[("bob", 50)]);
    within.transaction.window = Window::around(world.registrar.now, 20_000);
    let approval = world.approve(&within).unwrap();
    let finalisation = world.finalisation(&within, &[approval]);
    assert_eq!(world.finalise(finalisation), []);
    world.registrar.advance(20_000);
    assert_eq!(world.approve(&late), Err(Reason::StaleTerms));
    world.terms = next;
    let note = world.b.notes[0].clone();
    let new = world.transfer(&[note], &[("alice", 50)]);
    assert!(world.ask(world.b.id(), new.request(0)).is_ok());
}

/// A transaction of this leg alone.
#[test]
fn requests_of_one_custodian_are_bounded_and_refusals_forgotten_with_their_windows() {
    let mut world = World::new();
    let asset = world.asset();
    world.registrar.instruct(Instruction::SetOpen { asset, open: false }).unwrap();
    let good = world.usual();
    let mut request = good.request(0);
    let mut numbered = |number: u64| {
        request.transaction.salt[..8].copy_from_slice(&number.to_le_bytes());
        request.clone()
    };
    let (a, b) = (world.a.id(), world.b.id());
    for number in 0..UNAPPROVED_MAX {
        assert_eq!(world.ask(a, numbered(number)), Err(Reason::Closed));
    }
    let one_more = Message::Approve(numbered(UNAPPROVED_MAX));
    assert_eq!(world.registrar.message(a, one_more.clone()), Err(Reason::TooLarge));
    // What is remembered still gets its answer, and others have their own room.
    assert_eq!(world.ask(a, numbered(0)), Err(Reason::Closed));
    assert_eq!(world.ask(b, numbered(UNAPPROVED_MAX)), Err(Reason::Closed));
    // With the windows the refusals end: the same request is refused again, whatever the state is now.
    world.registrar.instruct(Instruction::SetOpen { asset, open: true }).unwrap();
    assert_eq!(world.ask(a, numbered(0)), Err(Reason::Closed));
    for _ in 0..10 {
        world.registrar.advance(10_000);
    }
    assert_eq!(UNAPPROVED.rows(&world.registrar.kv, None, 9), Ok(Vec::new()));
    let standing = STATES.rows(&world.registrar.kv, None, 9).unwrap();
    assert_eq!(standing.len(), 1, "the issue alone: {standing:?}");
    assert_eq!(world.ask(a, numbered(0)), Err(Reason::Window));
    let next = world.usual();
    world.settle(&next);
    world.registrar.assert_deterministic();
}

fn alone(world: &mut World, draft: Draft) -> Assembled {
    let window = world.window();
    assemble(&world.net, window, vec![draft], &mut world.rng)
}

/// The transaction of legs that were changed after they were built.
pub(super) fn renamed(world: &mut World, mut assembled: Assembled) -> Assembled {
    let window = world.window();
    assemble(&world.net, window, std::mem::take(&mut assembled.legs), &mut world.rng)
}
