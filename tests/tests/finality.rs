//! What counts as final, what a promise is worth, and what a custodian believes (specs/transaction.md, specs/wire.md).

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test: a panic is its report"
)]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use sudare_crypto::encoding::encode;
use sudare_crypto::{Hash, NodeId, NodeKey, NodeSignature};
use sudare_ledger::custodian::{Custodian, TradeState, TradeView};
use sudare_ledger::kv::MemoryKv;
use sudare_ledger::leg::TearOff;
use sudare_ledger::log::{Absence, EntryProof, Receipt};
use sudare_ledger::messages::{Message, Reason, Settlement};
use sudare_ledger::registrar::{Evidence, LegState, Registrar};
use sudare_ledger::role::Role;
use sudare_ledger::transaction::Commit;
use sudare_tests::sim::{Deal, Faults, Puppet, Rogue, Tapped, World};

/// What nodes promised: who, what of what, and its contents.
type Promises = BTreeMap<(NodeId, &'static str, Vec<u8>), Vec<u8>>;
/// What a tap keeps.
type Kept<T> = Rc<RefCell<Vec<T>>>;

/// Keeps every message of this kind from its addressee.
fn withhold(world: &mut World, to: NodeId, kind: u8) -> Kept<Message> {
    let kept: Kept<Message> = Rc::default();
    let tap = Rc::clone(&kept);
    world.sim.tap(move |_, addressee, message| {
        if addressee != to || message.kind() != kind {
            return Tapped::Pass;
        }
        tap.borrow_mut().push(message.clone());
        Tapped::Drop
    });
    kept
}

#[test]
fn a_note_is_taken_only_with_all_that_shows_it_is_final() {
    // Enforces [FIN-3]: each of these lacks one thing.
    let mut world = World::new(300);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    let kept = withhold(&mut world, buyer.custodian, 16);
    let deal = world.dvp("final", &seller, &buyer, 100, 5_000);
    world.begin(&deal);
    world.sim.run_for(5_000);
    let (bond, cash) = (world.registrar(world.bond), world.registrar(world.cash));
    let of_leg = |index: u8| {
        let found = kept.borrow().iter().rev().find_map(|message| match message {
            Message::Settled(one) if one.index == index => Some(one.clone()),
            _ => None,
        });
        found.unwrap()
    };
    // Leg 0 pays the buyer, leg 1 is its own with change.
    let (honest, own) = (of_leg(0), of_leg(1));
    let cases = lacking(&world, &honest, &own);
    let before = world.balance(&buyer, world.bond);
    for (number, (from, settlement, reason)) in cases.into_iter().enumerate() {
        let refused = world.sim.say(from, buyer.custodian, Message::Settled(settlement));
        assert_eq!(refused, Err(reason), "case {number}");
        assert_eq!(world.balance(&buyer, world.bond), before, "case {number}");
    }
    for (from, settlement) in [(bond, honest), (cash, own)] {
        world.sim.say(from, buyer.custodian, Message::Settled(settlement)).unwrap();
    }
    assert_eq!(world.balance(&buyer, world.bond).live, before.live + 100);
    world.sim.untap();
    world.sim.rest();
    world.assert_settled(&deal);
    world.check();
    world.still_works();
}

/// A settlement with one thing wrong in each, by whom it comes, and why it is refused; `own` is of another leg.
fn lacking(
    world: &World,
    honest: &Settlement,
    own: &Settlement,
) -> Vec<(NodeId, Settlement, Reason)> {
    let (bond, cash) = (world.registrar(world.bond), world.registrar(world.cash));
    let notary = world.networks[0].notary.clone();
    let resigned = |receipt: &Receipt, time: u64, key: &NodeKey| {
        let entry = sudare_ledger::log::NotaryEntry { time, ..receipt.entry };
        Receipt::sign(world.networks[0].id, receipt.tx, entry, receipt.index, key)
    };
    let (time, until) = (honest.receipt.entry.time, honest.commit.transaction.window.until);
    let approvals = |list: Vec<NodeSignature>| {
        let approvals = list.try_into().unwrap();
        Settlement { commit: Commit { approvals, ..honest.commit.clone() }, ..honest.clone() }
    };
    let [first, second] = [honest.commit.approvals[0], honest.commit.approvals[1]];
    let with_entry = |entry: EntryProof| Settlement { entry, ..honest.clone() };
    let with_receipt = |receipt: Receipt| Settlement { receipt, ..honest.clone() };
    let with_components = |parts: &[TearOff]| {
        let components = parts.to_vec().try_into().unwrap();
        Settlement { components, ..honest.clone() }
    };
    let mut changed = honest.components[0].clone();
    let mut parts = changed.components.to_vec();
    parts[1].salt[0] ^= 1;
    changed.components = parts.try_into().unwrap();
    let index = honest.entry.index;
    vec![
        (bond, approvals(vec![first, NodeSignature([7; 64])]), Reason::Approval),
        (bond, approvals(vec![first]), Reason::Approval),
        (bond, approvals(vec![second, first]), Reason::Approval),
        (bond, with_receipt(resigned(&honest.receipt, until, &notary)), Reason::Receipt),
        (
            bond,
            with_receipt(resigned(&honest.receipt, time, &NodeKey::from_seed(&[66; 32]))),
            Reason::Receipt,
        ),
        (bond, with_components(&[changed]), Reason::LegMismatch),
        (bond, with_components(&own.components), Reason::LegMismatch),
        (
            bond,
            with_entry(EntryProof { body: Hash([9; 32]), ..honest.entry.clone() }),
            Reason::Receipt,
        ),
        (
            bond,
            with_entry(EntryProof { index: index + 1, ..honest.entry.clone() }),
            Reason::Receipt,
        ),
        (bond, with_entry(own.entry.clone()), Reason::Receipt),
        (cash, honest.clone(), Reason::WrongRole),
        (bond, Settlement { index: 2, ..honest.clone() }, Reason::Malformed),
    ]
}

#[test]
fn a_signature_counts_whoever_brings_it_and_nothing_else_does() {
    // Enforces [WIRE-5].
    let mut world = World::new(301);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    let other_notary = NodeKey::from_seed(&[77; 32]);
    world.add(other_notary.id(), Puppet(Role::Notary, MemoryKv::default()));
    let kept = withhold(&mut world, seller.custodian, 11);
    let deal = world.transfer("brought", &seller, &buyer, 100);
    world.begin(&deal);
    world.sim.run_for(1_000);
    let Some(Message::Notarised(receipt)) = kept.borrow().first().cloned() else { panic!() };
    // A receipt of its own making, brought by a notary; then the true one, brought by the same.
    let (id, network) = (other_notary.id(), world.networks[0].id);
    let forged = Receipt::sign(network, receipt.tx, receipt.entry, receipt.index, &other_notary);
    world.sim.say(id, seller.custodian, Message::Notarised(forged)).unwrap();
    assert_eq!(world.seller(&deal).state, TradeState::Notarising);
    world.sim.say(id, seller.custodian, Message::Notarised(receipt)).unwrap();
    assert_eq!(world.seller(&deal).state, TradeState::Finalising);
    world.sim.untap();
    world.sim.rest();
    world.assert_settled(&deal);

    // An absence that a stranger brings to the registrar ends a lock if the notary signed it, and only then.
    let (notary, registrar) = (world.notary, world.registrar(world.bond));
    world.sim.tap(move |_, to, _| if to == notary { Tapped::Drop } else { Tapped::Pass });
    let deal = world.transfer("absent", &seller, &buyer, 100);
    world.begin(&deal);
    world.sim.run_for(40_000);
    let (stranger, leg) = (world.party(2, 0).custodian, world.legs(&deal).remove(0));
    let (about, until) = (leg.key.leg.tx, leg.standing.until);
    let signed = |key: &NodeKey, time| Absence::sign(network, about, 9, time, key);
    let true_key = world.networks[0].notary.clone();
    for forged in [signed(&other_notary, until), signed(&true_key, until - 1)] {
        let refused = world.sim.say(stranger, registrar, Message::Absent(forged));
        assert_eq!(refused, Err(Reason::Receipt));
        let leg = world.legs(&deal).remove(0);
        assert!(matches!(leg.standing.state, LegState::Approved { .. }));
    }
    let absence = signed(&true_key, until);
    world.sim.say(stranger, registrar, Message::Absent(absence)).unwrap();
    let leg = world.legs(&deal).remove(0);
    assert!(matches!(leg.standing.state, LegState::Lapsed(_)), "{leg:?}");
    world.sim.untap();
    world.sim.rest();
    world.assert_refused(&deal, Reason::Lapsed, Reason::Lapsed);
    world.still_works();
}

#[test]
fn a_note_given_up_under_a_commit_that_can_not_be_final_is_never_restored() {
    // (!) Enforces [RST-1].
    let mut world = World::new(302);
    let rogue = &mut Rogue::join(&mut world, 100, 1_000);
    let (notary, registrar, bond) = (world.notary, world.registrar(world.bond), world.bond);
    let notes = rogue.notes(bond);
    let own = rogue.slot(&world, bond, Hash::default());
    let part = rogue.build(&world, 0, &notes, &own, 60);
    let transaction = rogue.transaction(&world, vec![part.leg_ref()], &[part.hashes()]);
    let forged = vec![NodeSignature([7; 64])].try_into().unwrap();
    let commit = Commit { transaction, salt: [1; 32], approvals: forged };
    // Its tag is recorded: the notary can't tell what is behind the roots.
    let message = part.notarise(&commit, &mut rogue.rng);
    rogue.say(&mut world, notary, Message::Notarise(message)).unwrap();
    let receipt = rogue.receipt(&mut world, &commit);
    let message = part.finalise(&commit, receipt, &mut rogue.rng);
    rogue.say(&mut world, registrar, Message::Finalise(message)).unwrap();
    let refused = rogue.wait(&mut world, "a refusal", |message| match message {
        Message::NotFinal { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(refused, Reason::Approval);
    // The register still has the note, and an honest transaction of it is approved; but nobody can have it recorded.
    let slot = rogue.slot(&world, bond, Hash::default());
    let part = rogue.build(&world, 0, &notes, &slot, 60);
    let transaction = rogue.transaction(&world, vec![part.leg_ref()], &[part.hashes()]);
    let approval = rogue.approve(&mut world, &part, &transaction).unwrap();
    let approvals = vec![approval].try_into().unwrap();
    let commit = Commit { transaction, salt: [2; 32], approvals };
    let message = part.notarise(&commit, &mut rogue.rng);
    rogue.say(&mut world, notary, Message::Notarise(message)).unwrap();
    let refused = rogue.wait(&mut world, "a refusal", |message| match message {
        Message::NotRecorded { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(refused, Reason::Spent);
    assert_eq!(world.asset(bond).asset.outstanding(), 3_100);
    world.check_registers();
}

#[test]
fn a_restored_note_would_be_worth_twice_when_its_commit_is_shown() {
    // (!) Enforces [RST-1] by showing what happens without it: the rogue's commit is final and only it knows; a registrar that
    // gives a note back on the word that its commit can't be final makes it anew.
    let mut world = World::new(303);
    let rogue = &mut Rogue::join(&mut world, 100, 1_000);
    let (notary, registrar, bond) = (world.notary, world.registrar(world.bond), world.bond);
    let notes = rogue.notes(bond);
    let other = rogue.slot(&world, bond, Hash::default());
    let part = rogue.build(&world, 0, &notes, &other, 60);
    let transaction = rogue.transaction(&world, vec![part.leg_ref()], &[part.hashes()]);
    let approval = rogue.approve(&mut world, &part, &transaction).unwrap();
    let approvals = vec![approval].try_into().unwrap();
    let commit = Commit { transaction, salt: [1; 32], approvals };
    let message = part.notarise(&commit, &mut rogue.rng);
    rogue.say(&mut world, notary, Message::Notarise(message)).unwrap();
    let receipt = rogue.receipt(&mut world, &commit);
    world.sim.run_for(60_000);
    // The weakened registrar: what it restores, here to an accomplice, is new value.
    let accomplice = world.party(2, 1);
    world.issue(bond, &[(accomplice, 100)]);
    // And then the commit is shown.
    let message = part.finalise(&commit, receipt, &mut rogue.rng);
    rogue.say(&mut world, registrar, Message::Finalise(message)).unwrap();
    world.sim.rest();
    let live = world.asset(bond).asset.live;
    assert_eq!(live, 3_200, "there are 200 for 100");
    // Ours has no such door: a lock ends with finality or with an absence, which a notary that recorded the tag never signs.
    let leg = Registrar::transaction(world.sim.kv(registrar), receipt.tx, world.sim.now);
    assert!(matches!(leg.unwrap()[0].standing.state, LegState::Final { .. }));
}

#[test]
fn no_promise_is_given_twice_with_different_contents() {
    // Enforces [FLOW-3], with crashes between any two steps.
    let promises: Rc<RefCell<Promises>> = Rc::default();
    for seed in 0..3 {
        let mut world = World::new(310 + seed);
        let kept = Rc::clone(&promises);
        kept.borrow_mut().clear();
        world.sim.tap(move |from, _, message| {
            let promise = match message {
                Message::Accept(one) => ("slot", encode(&one.proposal), encode(&one.slot)),
                Message::Propose(one, slot) => ("proposal", encode(&one.trade_id), encode(slot)),
                Message::Approved { tx, index, outcome: Ok(signature) } => {
                    ("approval", encode(&(tx, index)), encode(signature))
                }
                // Of which commit a transaction's tags were signed.
                Message::Notarise(part) => {
                    ("spend", encode(&(part.legs_root, &part.tags)), encode(&part.approvals_root))
                }
                Message::Notarised(receipt) => ("record", encode(&receipt.tx), encode(receipt)),
                Message::Absent(absence) => ("record", encode(&absence.tx), b"absent".to_vec()),
                _ => return Tapped::Pass,
            };
            let (what, of, content) = promise;
            let before = kept.borrow_mut().insert((from, what, of), content.clone());
            assert!(before.is_none_or(|before| before == content), "another {what}");
            Tapped::Pass
        });
        let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
        let faults = Faults { loss: 1_000, twice: 3_000, crash: 300, ..Faults::none() };
        world.sim.faults = faults;
        for number in 0..3 {
            let deals = [
                world.dvp(&format!("dvp-{number}"), &seller, &buyer, 10, 100),
                world.transfer(&format!("transfer-{number}"), &buyer, &seller, 5),
            ];
            for deal in deals {
                let both = [deal.seller.custodian, deal.buyer.custodian];
                world
                    .sim
                    .run_until("both nodes are up", |sim| both.iter().all(|id| sim.is_up(*id)));
                world.begin(&deal);
                world.sim.run_for(20_000);
            }
        }
        world.sim.faults = Faults::none();
        world.sim.rest();
        assert!(world.sim.counts.crashes > 3, "{:?}", world.sim.counts);
        assert!(promises.borrow().keys().any(|(_, what, _)| *what == "spend"));
    }
}

/// A trade's state says all that its operator must know.
fn says_enough(view: &TradeView) {
    let other =
        !matches!(view.state, TradeState::Building | TradeState::Settled | TradeState::Refused);
    assert_eq!(view.waiting.is_some(), other, "{view:?}");
    match view.state {
        TradeState::Refused | TradeState::Releasing => assert!(view.reason.is_some(), "{view:?}"),
        TradeState::Settled => assert_eq!(view.reason, None),
        _ => (),
    }
}

#[test]
fn a_trade_says_at_any_time_for_whom_it_waits_and_in_the_end_why() {
    // Enforces [FLOW-5]: whatever kind of message never comes.
    for kind in [2u8, 3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 15, 16] {
        let mut world = World::new(320 + u64::from(kind));
        let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
        world.sim.tap(
            move |_, _, message| {
                if message.kind() == kind { Tapped::Drop } else { Tapped::Pass }
            },
        );
        let deal = world.dvp("silence", &seller, &buyer, 100, 5_000);
        world.begin(&deal);
        let views = |world: &World| {
            let custodians = world.custodians.iter().map(|one| one.key.id());
            let trades =
                custodians.map(|id| Custodian::trades(world.sim.kv(id), None, 99).unwrap());
            trades.flatten().collect::<Vec<_>>()
        };
        for _ in 0..500 {
            world.sim.run_for(200);
            views(&world).iter().for_each(says_enough);
        }
        world.sim.untap();
        world.sim.run_for(400_000);
        for view in views(&world) {
            says_enough(&view);
            // Without a settlement that is never sent again there is nobody else to wait for than who has it.
            assert!(view.state.is_ended() || kind == 15 || kind == 16, "{kind}: {view:?}");
        }
    }
}

/// A transfer that the notary recorded, of which its sender was told that it is absent.
fn denied(seed: u64, registrar_hears: bool) -> (World, Deal, Receipt) {
    let mut world = World::new(seed);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    let (custodian, notary) = (seller.custodian, world.notary);
    let kept: Kept<Message> = Rc::default();
    let tap = Rc::clone(&kept);
    world.sim.tap(move |from, to, message| {
        if from == notary && to == custodian {
            tap.borrow_mut().push(message.clone());
            return Tapped::Drop;
        }
        if message.kind() == 14 && !registrar_hears { Tapped::Drop } else { Tapped::Pass }
    });
    // All of it: nothing comes back as change.
    let deal = world.transfer("denied", &seller, &buyer, 1_000);
    world.begin(&deal);
    world.sim.run_for(40_000);
    let Some(Message::Notarised(receipt)) = kept.borrow().first().cloned() else { panic!() };
    let key = world.networks[0].notary.clone();
    let absence = Absence::sign(world.networks[0].id, receipt.tx, 9, world.sim.now, &key);
    world.sim.say(notary, custodian, Message::Absent(absence)).unwrap();
    world.sim.run_for(1_000);
    let view = world.seller(&deal);
    assert_eq!((view.state, view.reason), (TradeState::Refused, Some(Reason::Lapsed)));
    assert_eq!(world.balance(&seller, world.bond).live, 1_000);
    (world, deal, receipt)
}

#[test]
fn a_receipt_after_a_signed_absence_takes_the_notes_back() {
    for registrar_hears in [false, true] {
        let (mut world, deal, receipt) = denied(340, registrar_hears);
        let (notary, seller) = (world.notary, deal.seller.clone());
        world.sim.say(notary, seller.custodian, Message::Notarised(receipt)).unwrap();
        let balance = world.balance(&seller, world.bond);
        assert_eq!((balance.live, balance.locked, balance.outgoing), (0, 1_000, 1_000));
        world.sim.run_for(5_000);
        let balance = world.balance(&seller, world.bond);
        let view = world.seller(&deal);
        let evidence = Registrar::evidence(world.sim.kv(world.registrar(world.bond))).unwrap();
        if registrar_hears {
            // The registrar goes by what it was shown first, and keeps both.
            assert_eq!((view.state, view.reason), (TradeState::Finalising, Some(Reason::Lapsed)));
            assert_eq!((balance.live, balance.locked), (0, 1_000));
            let kinds: Vec<_> = evidence.into_iter().map(|(_, one)| one).collect();
            assert!(matches!(kinds[..], [Evidence::AbsentYetRecorded { .. }]), "{kinds:?}");
        } else {
            assert_eq!((view.state, view.reason), (TradeState::Settled, None));
            assert_eq!((balance.live, balance.locked, balance.outgoing), (0, 0, 0));
            assert_eq!(evidence, Vec::new());
            world.check();
        }
        world.check_registers();
    }
}

#[test]
fn a_share_of_another_slot_with_the_same_owner_is_seen_before_anything_is_signed() {
    // Only with its registrar's help can a rogue have such a leg approved.
    let mut world = World::new(350);
    let rogue = &mut Rogue::join(&mut world, 1_000, 50_000);
    let (victim, cash) = (world.party(0, 0), world.cash);
    let deal = world.dvp("altered", &victim, &rogue.party(), 100, 5_000);
    world.sell(&deal).unwrap();
    let (proposal, slot) = rogue.wait(&mut world, "the proposal", |message| match message {
        Message::Propose(proposal, Some(slot)) => Some((proposal.hash(), slot.clone())),
        _ => None,
    });
    let notes = rogue.notes(cash);
    let mut part = rogue.build(&world, 1, &notes, &slot, 5_000);
    let output = part.output_into(&slot);
    let mut outputs = part.draft.built.leg.outputs.to_vec();
    outputs[usize::from(output)].slot.slot.context.expires_at += 1;
    part.draft.built.leg.outputs = outputs.try_into().unwrap();
    let own = rogue.slot(&world, world.bond, proposal);
    let payment = Some(part.counter_part());
    let acceptance = sudare_ledger::messages::Acceptance { proposal, slot: own, payment };
    rogue.say(&mut world, victim.custodian, Message::Accept(acceptance)).unwrap();
    let transaction = rogue.wait(&mut world, "the transaction", |message| match message {
        Message::Assemble(_, transaction) => Some(transaction.clone()),
        _ => None,
    });
    let refused = rogue.approve(&mut world, &part, &transaction);
    assert_eq!(refused, Err(Reason::Proof));
    let approval = transaction.approve(1, &world.networks[1].registrar).unwrap();
    let share = Message::Share(part.share(&transaction, approval, output));
    rogue.say(&mut world, victim.custodian, share).unwrap();
    let view = world.seller(&deal);
    assert_eq!((view.state, view.reason), (TradeState::Releasing, Some(Reason::NoMatch)));
}
