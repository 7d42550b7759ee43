//! What becomes final, and when do locks end?

use sudare_crypto::{NodeKey, NodeSignature};

use super::super::state::SILENT;
use super::{World, list};
use crate::log::Entry;
use crate::messages::{Finalisation, Message, Reason};
use crate::registrar::{Evidence, Instruction, LegState, Registrar, Waiting};
use crate::testing::{Assembled, assemble, leg, trade};
use crate::transaction::{LegRef, WINDOW_STEP_MS};

/// Changes a finalisation, sees it refused for this reason with nothing appended, then sees the honest one settled.
fn refused_and_then_final(
    reason: Reason,
    change: impl FnOnce(&mut World, &Assembled, &mut Finalisation),
) {
    let mut world = World::new();
    let assembled = world.usual();
    let approval = world.approve(&assembled).unwrap();
    let honest = world.finalisation(&assembled, &[approval]);
    let mut changed = honest.clone();
    change(&mut world, &assembled, &mut changed);
    let about = changed.commit.transaction.id().unwrap();
    assert_eq!(world.finalise(changed), [(about, reason)]);
    let entries = Registrar::asset(&world.registrar.kv, world.asset()).unwrap().unwrap().entries;
    assert_eq!((entries, world.holds("bob")), (2, 0));
    assert_eq!(world.finalise(honest), [], "the honest finalisation after {reason:?}");
    assert_eq!(world.holds("bob"), 60);
    world.assert_free();
}

#[test]
fn every_approval_under_the_commit_must_be_there_and_valid() {
    refused_and_then_final(Reason::Approval, |world, assembled, finalisation| {
        finalisation.commit = assembled.commit(&[]);
        finalisation.receipt = world.net.receipt(&finalisation.commit, world.registrar.now);
    });
    refused_and_then_final(Reason::Approval, |world, assembled, finalisation| {
        finalisation.commit = assembled.commit(&[NodeSignature([1; 64])]);
        finalisation.receipt = world.net.receipt(&finalisation.commit, world.registrar.now);
    });
}

#[test]
fn the_receipt_must_be_the_notarys_for_this_commit_within_the_window() {
    refused_and_then_final(Reason::Receipt, |world, _, finalisation| {
        let mut other = world.net.clone();
        other.notary = NodeKey::from_seed(&[200; 32]);
        finalisation.receipt = other.receipt(&finalisation.commit, world.registrar.now);
    });
    refused_and_then_final(Reason::Receipt, |world, assembled, finalisation| {
        let late = assembled.transaction.window.until;
        finalisation.receipt = world.net.receipt(&finalisation.commit, late);
    });
    refused_and_then_final(Reason::Receipt, |world, _, finalisation| {
        let mut other = finalisation.commit.clone();
        other.salt[0] ^= 1;
        finalisation.receipt = world.net.receipt(&other, world.registrar.now);
    });
    refused_and_then_final(Reason::Receipt, |_, _, finalisation| {
        finalisation.receipt.index += 1;
    });
}

#[test]
fn every_input_is_signed_under_its_tag_over_the_commit() {
    refused_and_then_final(Reason::Signature, |_, _, finalisation| {
        finalisation.signatures = list(Vec::new());
    });
    refused_and_then_final(Reason::Signature, |world, assembled, finalisation| {
        let mut other = finalisation.commit.clone();
        other.salt[0] ^= 1;
        finalisation.signatures = assembled.signatures(0, &other, &mut world.rng);
    });
    refused_and_then_final(Reason::Signature, |world, _, finalisation| {
        let note = world.a.notes[1].clone();
        let other = world.transfer(&[note], &[("bob", 50)]);
        finalisation.signatures = other.signatures(0, &finalisation.commit, &mut world.rng);
    });
}

#[test]
fn what_was_not_approved_is_not_final() {
    let mut world = World::new();
    let assembled = world.usual();
    let unasked = world.finalisation(&assembled, &[NodeSignature([0; 64])]);
    let about = assembled.transaction.id().unwrap();
    assert_eq!(world.finalise(unasked.clone()), [(about, Reason::Approval)]);
    // Asked for, but not checked yet.
    world.registrar.message(world.a.id(), Message::Approve(assembled.request(0))).unwrap();
    world.registrar.message(world.a.id(), Message::Finalise(unasked)).unwrap();
    let sent = world.registrar.sent();
    assert!(matches!(sent[..], [(_, Message::NotFinal { reason: Reason::Approval, .. })]));
    world.registrar.work();
    let approved = world.registrar.sent();
    let [(_, Message::Approved { outcome: Ok(approval), .. })] = approved[..] else { panic!() };
    // Approved for `a`: nobody else finalises it, but for the receiver, whose signatures come from the notary.
    let honest = world.finalisation(&assembled, &[approval]);
    let stranger = NodeKey::from_seed(&[201; 32]).id();
    world.registrar.message(stranger, Message::Finalise(honest.clone())).unwrap();
    world.registrar.work();
    let sent = world.registrar.sent();
    assert!(matches!(sent[..], [(_, Message::NotFinal { reason: Reason::Approval, .. })]));
    world.registrar.message(world.b.id(), Message::Finalise(honest.clone())).unwrap();
    world.registrar.work();
    let sent = world.registrar.sent();
    assert!(matches!(sent[..], [(_, Message::AskSignatures { .. })]));
    assert_eq!(world.finalise(honest), []);
}

#[test]
fn a_leg_of_a_transaction_with_two_registrars_needs_the_approval_of_both() {
    let mut world = World::new();
    let (now, note) = (world.registrar.now, world.a.notes[0].clone());
    let slot = world.slot("bob", sudare_crypto::Hash::default());
    let own = leg(&world.terms, now, &[note], vec![(slot, 100)], trade("dvp"), &mut world.rng);
    let window = world.window();
    let mut assembled = assemble(&world.net, window, vec![own.unwrap()], &mut world.rng);
    let other = NodeKey::from_seed(&[200; 32]);
    let mut legs = assembled.transaction.legs.to_vec();
    legs.push(LegRef { registrar: other.id(), root: sudare_crypto::Hash::of(b"cash", &[]) });
    assembled.transaction.legs = list(legs);
    let approval = world.approve(&assembled).unwrap();
    let about = assembled.transaction.id().unwrap();
    let alone = world.finalisation(&assembled, &[approval]);
    assert_eq!(world.finalise(alone), [(about, Reason::Approval)]);
    let forged = world.finalisation(&assembled, &[approval, approval]);
    assert_eq!(world.finalise(forged), [(about, Reason::Approval)]);
    let theirs = assembled.transaction.approve(1, &other).unwrap();
    let both = world.finalisation(&assembled, &[approval, theirs]);
    assert_eq!(world.finalise(both), []);
    assert_eq!(world.holds("bob"), 100);
}

#[test]
fn the_same_finalisation_again_gets_the_same_settlement_and_appends_nothing() {
    let mut world = World::new();
    let assembled = world.usual();
    let approval = world.approve(&assembled).unwrap();
    let finalisation = Message::Finalise(world.finalisation(&assembled, &[approval]));
    let from = world.a.id();
    world.registrar.message(from, finalisation.clone()).unwrap();
    world.registrar.message(from, finalisation.clone()).unwrap();
    world.registrar.work();
    let first = world.registrar.sent();
    assert_eq!(first.len(), 2, "one message a custodian");
    let to_sender: Vec<_> = first.iter().filter(|(to, _)| *to == from).cloned().collect();
    let before = Registrar::asset(&world.registrar.kv, world.asset()).unwrap();
    world.registrar.message(from, finalisation).unwrap();
    world.registrar.work();
    assert_eq!(world.registrar.sent(), to_sender);
    assert_eq!(Registrar::asset(&world.registrar.kv, world.asset()).unwrap(), before);
    world.registrar.assert_deterministic();
}

#[test]
fn each_party_gets_its_own_outputs_and_nothing_else() {
    let mut world = World::new();
    let note = world.a.notes[0].clone();
    let outputs = [("bob", 10), ("bob", 20), ("anna", 30), ("alice", 40)];
    let assembled = world.transfer(&[note], &outputs);
    let approval = world.approve(&assembled).unwrap();
    let finalisation = world.finalisation(&assembled, &[approval]);
    world.registrar.message(world.a.id(), Message::Finalise(finalisation)).unwrap();
    world.registrar.work();
    let mut counts = Vec::new();
    for (to, message) in world.registrar.sent() {
        let Message::Settled(settlement) = message else { panic!() };
        for part in &settlement.components {
            assert_eq!(part.output().unwrap().1.slot.slot.context.receiver, to);
            // Header, output, its opening, the trade.
            assert_eq!(part.components.len(), 4);
        }
        counts.push((to, settlement.components.len()));
    }
    assert_eq!(counts, [(world.a.id(), 2), (world.b.id(), 2)]);
}

#[test]
fn a_lock_ends_only_with_the_notarys_signed_absence_after_the_window() {
    let mut world = World::new();
    let assembled = world.usual();
    world.approve(&assembled).unwrap();
    let window = assembled.transaction.window;
    let about = assembled.transaction.id().unwrap();
    let from = world.a.id();
    world.registrar.advance(60_000);
    let kv = &world.registrar.kv;
    let view = Registrar::transaction(kv, about, world.registrar.now).unwrap();
    assert_eq!(view[0].waiting, Waiting::Overdue(from));
    let second = world.usual();
    assert_eq!(world.approve(&second), Err(Reason::InputLocked), "time alone ends no lock");
    let early = world.net.absence(&assembled.transaction, window.until - 1);
    let mut by_another = world.net.clone();
    by_another.notary = NodeKey::from_seed(&[200; 32]);
    let forged = by_another.absence(&assembled.transaction, window.until);
    let other = world.usual();
    let mut of_another = world.net.absence(&other.transaction, other.transaction.window.until);
    of_another.tx = about;
    for absence in [early, forged, of_another] {
        let answer = world.registrar.message(from, Message::Absent(absence));
        assert_eq!(answer, Err(Reason::Receipt));
    }
    let third = world.usual();
    assert_eq!(world.approve(&third), Err(Reason::InputLocked));
    let absence = world.net.absence(&assembled.transaction, window.until);
    world.registrar.message(from, Message::Absent(absence)).unwrap();
    world.registrar.message(from, Message::Absent(absence)).unwrap();
    world.assert_free();
    // The slot is free again too, if it has not expired.
    let slots = assembled.legs[0].built.leg.outputs.iter().map(|output| output.slot.clone());
    let slots: Vec<_> = slots.collect();
    let note = world.a.notes[0].clone();
    let retry = world.transfer_into(&[note], vec![(slots[0].clone(), 60), (slots[1].clone(), 40)]);
    world.settle(&retry);
    assert_eq!(world.holds("bob"), 60);
    assert_eq!(world.approve(&assembled), Err(Reason::Lapsed));
    world.registrar.assert_deterministic();
}

#[test]
fn an_inclusion_beside_a_signed_absence_is_refused_and_kept_as_evidence() {
    let mut world = World::new();
    let assembled = world.usual();
    let approval = world.approve(&assembled).unwrap();
    let finalisation = world.finalisation(&assembled, &[approval]);
    let absence = world.net.absence(&assembled.transaction, assembled.transaction.window.until);
    world.registrar.message(world.a.id(), Message::Absent(absence)).unwrap();
    let about = assembled.transaction.id().unwrap();
    let receipt = finalisation.receipt;
    assert_eq!(world.finalise(finalisation), [(about, Reason::Lapsed)]);
    let evidence = Registrar::evidence(&world.registrar.kv).unwrap();
    assert_eq!(evidence, [(about, Evidence::AbsentYetRecorded { absence, receipt })]);
    assert_eq!(world.holds("bob"), 0);
}

#[test]
fn an_absence_after_finality_changes_nothing_and_is_kept_as_evidence() {
    let mut world = World::new();
    let assembled = world.usual();
    world.settle(&assembled);
    let absence = world.net.absence(&assembled.transaction, assembled.transaction.window.until);
    world.registrar.message(world.b.id(), Message::Absent(absence)).unwrap();
    assert_eq!(world.holds("bob"), 60);
    assert_eq!(Registrar::evidence(&world.registrar.kv).unwrap().len(), 1);
}

#[test]
fn an_absence_that_comes_while_signatures_are_verified_counts() {
    let mut world = World::new();
    let assembled = world.usual();
    let approval = world.approve(&assembled).unwrap();
    let finalisation = world.finalisation(&assembled, &[approval]);
    world.registrar.message(world.a.id(), Message::Finalise(finalisation)).unwrap();
    let absence = world.net.absence(&assembled.transaction, assembled.transaction.window.until);
    world.registrar.message(world.a.id(), Message::Absent(absence)).unwrap();
    world.registrar.work();
    let sent = world.registrar.sent();
    assert!(matches!(sent[..], [(_, Message::NotFinal { reason: Reason::Lapsed, .. })]));
    assert_eq!(Registrar::evidence(&world.registrar.kv).unwrap().len(), 1);
    world.assert_free();
}

#[test]
fn an_absence_that_comes_while_proofs_are_verified_ends_the_request() {
    let mut world = World::new();
    let assembled = world.usual();
    let from = world.a.id();
    world.registrar.message(from, Message::Approve(assembled.request(0))).unwrap();
    let absence = world.net.absence(&assembled.transaction, assembled.transaction.window.until);
    world.registrar.message(from, Message::Absent(absence)).unwrap();
    world.registrar.work();
    assert_eq!(world.registrar.sent(), []);
    assert_eq!(world.approve(&assembled), Err(Reason::Lapsed));
    world.assert_free();
}

#[test]
fn two_receipts_for_one_transaction_are_evidence() {
    let mut world = World::new();
    let assembled = world.usual();
    let approval = world.approve(&assembled).unwrap();
    let first = world.finalisation(&assembled, &[approval]);
    let mut second = first.clone();
    second.commit.salt[0] ^= 1;
    second.receipt = world.net.receipt(&second.commit, world.registrar.now);
    assert_eq!(world.finalise(first), []);
    let about = assembled.transaction.id().unwrap();
    assert_eq!(world.finalise(second), [(about, Reason::Spent)]);
    let evidence = Registrar::evidence(&world.registrar.kv).unwrap();
    assert!(matches!(evidence[..], [(_, Evidence::RecordedTwice { .. })]));
    assert_eq!(world.holds("bob"), 60);
}

#[test]
fn the_operator_can_have_a_silent_custodians_transaction_looked_up() {
    let mut world = World::new();
    let assembled = world.usual();
    let about = assembled.transaction.id().unwrap();
    assert_eq!(world.registrar.instruct(Instruction::Chase(about)), Err(Reason::NoMatch));
    world.approve(&assembled).unwrap();
    world.registrar.instruct(Instruction::Chase(about)).unwrap();
    let (notary, window) = (world.net.notary.id(), assembled.transaction.window);
    assert_eq!(world.registrar.sent(), [(notary, Message::AskAbsence { tx: about, window })]);
    let absence = world.net.absence(&assembled.transaction, window.until);
    world.registrar.message(notary, Message::Absent(absence)).unwrap();
    world.assert_free();
}

#[test]
fn the_log_holds_every_leg_in_order_and_every_checkpoint_extends_the_one_before() {
    let mut world = World::new();
    let mut reserve = 100;
    for _ in 0..4 {
        let note = world.a.notes.iter().find(|held| held.opening.value == reserve).unwrap().clone();
        let assembled = world.transfer(&[note], &[("bob", 7), ("alice", reserve - 7)]);
        world.settle(&assembled);
        reserve -= 7;
        world.registrar.advance(WINDOW_STEP_MS);
    }
    let (kv, asset) = (&world.registrar.kv, world.asset());
    let entries = Registrar::entries(kv, asset, 0, 100).unwrap();
    assert_eq!(entries.len(), 6);
    let origin = crate::registrar::origin(world.net.id, asset).unwrap();
    let open = |size: u64| {
        let text = Registrar::checkpoint_at(kv, asset, size).unwrap().unwrap();
        let signed = crate::tree::SignedCheckpoint::parse(text.as_bytes()).unwrap();
        signed.open(&origin, &world.net.registrar.id()).unwrap().clone()
    };
    for (place, entry) in entries.iter().enumerate() {
        let index = entry.index;
        assert_eq!(usize::try_from(index), Ok(place));
        let decoded: Entry = sudare_crypto::encoding::decode(&entry.bytes, "entry").unwrap();
        assert_eq!(matches!(decoded, Entry::Terms(_)), index == 0);
        for size in index + 1..=6 {
            let (proof, checkpoint) =
                (Registrar::entry_proof(kv, asset, index, size).unwrap(), open(size));
            let leaf = decoded.leaf().unwrap().hash();
            proof.path.verify(&leaf, index, size, &checkpoint.root).unwrap();
            let consistency = Registrar::consistency(kv, asset, index + 1, size).unwrap();
            let old = open(index + 1).root;
            consistency.verify(index + 1, &old, size, &checkpoint.root).unwrap();
        }
    }
    assert!(Registrar::entry_proof(kv, asset, 6, 6).is_err());
    assert_eq!(Registrar::entries(kv, asset, 4, 1).unwrap()[0].index, 4);
    assert_eq!((world.holds("alice"), world.holds("bob")), (122, 28));
    let view = Registrar::leg_at(kv, asset, 5, 0).unwrap().unwrap();
    assert_eq!(view.standing.state, LegState::Final { entry: 5 });
    assert_eq!(view.reading.unwrap().amounts, [7, 72]);
    world.registrar.assert_deterministic();
}

#[test]
fn a_leg_that_lapsed_leaves_nothing_waiting_for_signatures() {
    let mut world = World::new();
    let transfer = world.usual();
    let approval = world.approve(&transfer).unwrap();
    let finalisation = world.finalisation(&transfer, &[approval]);
    let bare = Finalisation { signatures: list(Vec::new()), ..finalisation };
    world.registrar.message(world.b.id(), Message::Finalise(bare)).unwrap();
    let asked = world.registrar.sent();
    assert!(matches!(asked[..], [(_, Message::AskSignatures { .. })]), "{asked:?}");
    let kv = |world: &World| SILENT.rows(&world.registrar.kv, None, 9).unwrap().len();
    assert_eq!(kv(&world), 1);
    let until = transfer.transaction.window.until;
    let absence = world.net.absence(&transfer.transaction, until);
    world.registrar.message(world.a.id(), Message::Absent(absence)).unwrap();
    assert_eq!(kv(&world), 0);
    world.assert_free();
}
