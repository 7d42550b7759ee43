//! A co-signer that stops, lies, is late or equivocates can neither take without giving nor keep the other's notes
//! (specs/flows.md): both legs settle or neither, and the honest side learns a named reason.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test: a panic is its report"
)]

use sudare_crypto::{Hash, NodeId, NodeSignature};
use sudare_ledger::custodian::TradeState;
use sudare_ledger::messages::{
    Acceptance, CounterPart, Finalisation, Message, Proposal, Reason, Settlement,
};
use sudare_ledger::notary::Notary;
use sudare_ledger::registrar::{Instruction as RegistrarInstruction, LegState, Registrar};
use sudare_ledger::slot::SignedSlot;
use sudare_ledger::testing::{Held, text};
use sudare_ledger::transaction::{Commit, LegRef, Transaction, Window};
use sudare_tests::sim::{Deal, Party, Rogue, RoguePart, Tapped, World};

/// What a co-signer may keep to itself: kinds of messages, and whether the trade settles all the same.
const SELLER_STEPS: [(u8, &str, bool); 11] = [
    (2, "propose", false),
    (4, "abandon", true),
    (5, "assemble", false),
    (6, "approve", false),
    (8, "share", false),
    (9, "commit", false),
    (10, "notarise", false),
    (13, "ask-absence", true),
    (14, "absent", true),
    (15, "finalise", true),
    (3, "accept", true),
];
const BUYER_STEPS: [(u8, &str, bool); 5] = [
    (3, "accept", false),
    (6, "approve", false),
    (8, "share", false),
    (10, "notarise", false),
    (15, "finalise", true),
];

#[test]
fn a_cosigner_that_stops_at_any_step_leaves_both_legs_or_neither() {
    let sides = [(true, SELLER_STEPS.as_slice()), (false, BUYER_STEPS.as_slice())];
    for (by_seller, steps) in sides {
        for (kind, name, settles) in steps {
            let mut world = World::new(100 + u64::from(*kind));
            let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
            let deal = world.dvp(name, &seller, &buyer, 100, 5_000);
            let (kind, silent) = (*kind, if by_seller { &seller } else { &buyer }.custodian);
            world.sim.tap(move |from, _, message| {
                if from == silent && message.kind() == kind { Tapped::Drop } else { Tapped::Pass }
            });
            world.begin(&deal);
            world.sim.rest();
            if *settles {
                world.assert_settled(&deal);
            } else {
                world.assert_refused(&deal, Reason::Lapsed, Reason::Lapsed);
            }
            world.assert_free();
            world.check();
            world.still_works();
        }
    }
}

#[test]
fn a_cosigner_that_falls_silent_for_good_locks_only_itself() {
    for (by_seller, kind) in [(true, 9), (true, 10), (false, 8), (false, 10)] {
        let mut world = World::new(130);
        let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
        let deal = world.dvp("silent", &seller, &buyer, 100, 5_000);
        let silent = if by_seller { &seller } else { &buyer }.custodian;
        let mut stopped = false;
        world.sim.tap(move |from, _, message| {
            stopped |= from == silent && message.kind() == kind;
            if from == silent && stopped { Tapped::Drop } else { Tapped::Pass }
        });
        world.begin(&deal);
        world.sim.run_for(600_000);
        let honest = if by_seller { world.buyer(&deal) } else { world.seller(&deal) };
        assert_eq!((honest.state, honest.reason), (TradeState::Refused, Some(Reason::Lapsed)));
        let held = |leg: &sudare_ledger::registrar::LegView| {
            matches!(leg.standing.state, LegState::Approved { .. })
        };
        let locked: Vec<_> = world.legs(&deal).into_iter().filter(held).collect();
        assert_eq!(locked.iter().map(|leg| leg.key.from).collect::<Vec<_>>(), [silent]);
        // Its registrar can ask the notary in its place.
        chase(&mut world);
        assert!(!world.legs(&deal).iter().any(held));
        world.sim.untap();
        world.sim.rest();
        world.still_works();
    }
}

#[test]
fn a_cosigner_that_is_silent_once_it_is_paid_is_finalised_by_whom_it_owes() {
    for by_seller in [true, false] {
        let mut world = World::new(131);
        let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
        let deal = world.dvp("paid", &seller, &buyer, 100, 5_000);
        let silent = if by_seller { &seller } else { &buyer }.custodian;
        let mut stopped = false;
        world.sim.tap(move |from, _, message| {
            stopped |= from == silent && message.kind() == 15;
            if from == silent && stopped { Tapped::Drop } else { Tapped::Pass }
        });
        world.begin(&deal);
        world.sim.run_for(600_000);
        let honest = if by_seller { world.buyer(&deal) } else { world.seller(&deal) };
        assert_eq!((honest.state, honest.reason), (TradeState::Settled, None));
        world.sim.untap();
        world.sim.rest();
        world.assert_settled(&deal);
        world.check();
        world.still_works();
    }
}

/// A victim sells bonds; the rogue is to pay.
struct Sale {
    world: World,
    rogue: Rogue,
    deal: Deal,
    proposal: Proposal,
    /// Where the rogue is to pay.
    slot: SignedSlot,
    notes: Vec<Held>,
}

impl Sale {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let mut rogue = Rogue::join(&mut world, 1_000, 50_000);
        let (seller, buyer) = (world.party(0, 0), rogue.party());
        let deal = world.dvp("sale", &seller, &buyer, 100, 5_000);
        world.sell(&deal).unwrap();
        let (proposal, slot) = rogue.wait(&mut world, "the proposal", |message| match message {
            Message::Propose(proposal, Some(slot)) => Some((proposal.clone(), slot.clone())),
            _ => None,
        });
        let notes = rogue.notes(world.cash);
        Self { world, rogue, deal, proposal, slot, notes }
    }

    fn part(&mut self, quantity: u64) -> RoguePart {
        self.rogue.build(&self.world, 1, &self.notes, &self.slot, quantity)
    }

    fn accept(&mut self, payment: CounterPart) {
        let proposal = self.proposal.hash();
        let slot = self.rogue.slot(&self.world, self.world.bond, proposal);
        let acceptance = Acceptance { proposal, slot, payment: Some(payment) };
        self.say(Message::Accept(acceptance));
    }

    fn say(&mut self, message: Message) {
        let victim = self.deal.seller.custodian;
        self.rogue.say(&mut self.world, victim, message).unwrap();
    }

    fn transaction(&mut self) -> Transaction {
        self.rogue.wait(&mut self.world, "the transaction", |message| match message {
            Message::Assemble(_, transaction) => Some(transaction.clone()),
            _ => None,
        })
    }

    fn commit(&mut self) -> Commit {
        self.rogue.wait(&mut self.world, "the commit", |message| match message {
            Message::Commit(commit) => Some(commit.clone()),
            _ => None,
        })
    }

    /// The victim's trade is refused for this, its notes are its own, and the market goes on.
    fn ends(mut self, reason: Reason) {
        self.world.sim.rest();
        let view = self.world.seller(&self.deal);
        assert_eq!((view.state, view.reason), (TradeState::Refused, Some(reason)));
        ends(&mut self.world, &self.deal.seller);
    }
}

#[test]
fn tags_left_out_are_missed_by_the_registrar() {
    let mut sale = Sale::new(140);
    let part = sale.part(5_000);
    sale.accept(CounterPart { tags: Vec::new().try_into().unwrap(), ..part.counter_part() });
    let transaction = sale.transaction();
    let refused = sale.rogue.approve(&mut sale.world, &part, &transaction);
    assert_eq!(refused, Err(Reason::TagMissing));
    sale.ends(Reason::Lapsed);
}

#[test]
fn tags_named_twice_end_the_trade_at_once() {
    let mut sale = Sale::new(141);
    let part = sale.part(5_000);
    let tags = part.hashes().repeat(2).try_into().unwrap();
    sale.accept(CounterPart { tags, ..part.counter_part() });
    sale.ends(Reason::Malformed);
}

#[test]
fn tags_of_nobody_keep_the_notary_from_recording() {
    let mut sale = Sale::new(142);
    let part = sale.part(5_000);
    let foreign = Hash(sale.rogue.random());
    let mut tags = part.hashes();
    tags.push(foreign);
    tags.sort_unstable();
    sale.accept(CounterPart { tags: tags.try_into().unwrap(), ..part.counter_part() });
    let transaction = sale.transaction();
    let approval = sale.rogue.approve(&mut sale.world, &part, &transaction).unwrap();
    let output = part.output_into(&sale.slot);
    sale.say(Message::Share(part.share(&transaction, approval, output)));
    let commit = sale.commit();
    let message = part.notarise(&commit, &mut sale.rogue.rng);
    let notary = sale.world.notary;
    sale.rogue.say(&mut sale.world, notary, Message::Notarise(message)).unwrap();
    sale.ends(Reason::Lapsed);
}

#[test]
fn a_wrong_output_or_approval_is_seen_before_anything_is_signed() {
    // What the rogue pays, what it shows, and what the victim says.
    type Show = fn(&mut Sale, &RoguePart, &Transaction, NodeSignature) -> Message;
    let true_share: Show = |sale, part, transaction, approval| {
        Message::Share(part.share(transaction, approval, part.output_into(&sale.slot)))
    };
    let other_output: Show = |sale, part, transaction, approval| {
        let other = 1 - part.output_into(&sale.slot);
        Message::Share(part.share(transaction, approval, other))
    };
    let no_approval: Show = |sale, part, transaction, _| {
        let (forged, output) = (NodeSignature([0; 64]), part.output_into(&sale.slot));
        Message::Share(part.share(transaction, forged, output))
    };
    let other_leg: Show = |sale, part, transaction, approval| {
        let other = sale.part(5_000);
        let components = other.share(transaction, approval, other.output_into(&sale.slot));
        let share = part.share(transaction, approval, 0);
        Message::Share(sudare_ledger::messages::Share {
            components: components.components,
            ..share
        })
    };
    let own_leg: Show = |sale, part, transaction, approval| {
        let share = part.share(transaction, approval, part.output_into(&sale.slot));
        Message::Share(sudare_ledger::messages::Share { index: 0, ..share })
    };
    let cases: [(u64, Show, Reason); 6] = [
        (4_999, true_share, Reason::NoMatch),
        (5_001, true_share, Reason::NoMatch),
        (5_000, other_output, Reason::Memo),
        (5_000, no_approval, Reason::Approval),
        (5_000, other_leg, Reason::LegMismatch),
        // A share of the victim's own leg is nobody's: it changes nothing.
        (5_000, own_leg, Reason::Lapsed),
    ];
    for (number, (quantity, show, reason)) in cases.into_iter().enumerate() {
        let mut sale = Sale::new(150 + u64::try_from(number).unwrap());
        let part = sale.part(quantity);
        sale.accept(part.counter_part());
        let transaction = sale.transaction();
        let approval = sale.rogue.approve(&mut sale.world, &part, &transaction).unwrap();
        let message = show(&mut sale, &part, &transaction, approval);
        sale.say(message);
        sale.world.sim.run_for(1_000);
        let parts = Notary::pending_of(sale.world.sim.kv(sale.world.notary), victim(&sale.deal));
        assert_eq!(parts.unwrap(), 0, "the victim has signed");
        sale.ends(reason);
    }
}

#[test]
fn a_share_that_comes_after_the_window_settles_nothing() {
    let mut sale = Sale::new(160);
    let part = sale.part(5_000);
    sale.accept(part.counter_part());
    let transaction = sale.transaction();
    let approval = sale.rogue.approve(&mut sale.world, &part, &transaction).unwrap();
    sale.world.sim.run_for(40_000);
    let output = part.output_into(&sale.slot);
    sale.say(Message::Share(part.share(&transaction, approval, output)));
    sale.ends(Reason::Lapsed);
}

#[test]
fn a_part_that_comes_after_the_window_is_not_recorded() {
    let mut sale = Sale::new(161);
    let part = sale.part(5_000);
    sale.accept(part.counter_part());
    let transaction = sale.transaction();
    let approval = sale.rogue.approve(&mut sale.world, &part, &transaction).unwrap();
    let output = part.output_into(&sale.slot);
    sale.say(Message::Share(part.share(&transaction, approval, output)));
    let commit = sale.commit();
    sale.world.sim.run_for(40_000);
    let message = part.notarise(&commit, &mut sale.rogue.rng);
    let notary = sale.world.notary;
    sale.rogue.say(&mut sale.world, notary, Message::Notarise(message)).unwrap();
    let reason = sale.rogue.wait(&mut sale.world, "a refusal", |message| match message {
        Message::NotRecorded { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(reason, Reason::Window);
    sale.ends(Reason::Lapsed);
}

#[test]
fn one_unit_paid_in_another_transaction_is_taken_and_settles_nothing() {
    let mut sale = Sale::new(162);
    let part = sale.part(5_000);
    sale.accept(part.counter_part());
    let transaction = sale.transaction();
    // The same notes and the same slot, for one unit, outside of the trade.
    let (slot, notes) = (sale.slot.clone(), sale.notes.clone());
    sale.rogue.pay(&mut sale.world, &notes, &slot, 1).unwrap();
    let (seller, cash) = (sale.deal.seller.clone(), sale.world.cash);
    sale.world.sim.run_for(1_000);
    assert_eq!(sale.world.balance(&seller, cash).live, 1_000_001);
    let view = sale.world.seller(&sale.deal);
    assert!(!view.state.is_ended(), "{view:?}");
    let bond = sale.world.balance(&seller, sale.world.bond);
    assert_eq!((bond.live, bond.locked), (0, 1_000), "no note of the victim's is spent");
    let refused = sale.rogue.approve(&mut sale.world, &part, &transaction);
    assert_eq!(refused, Err(Reason::SlotUsed));
    sale.ends(Reason::Lapsed);
}

#[test]
fn a_slot_takes_one_leg_at_the_registrar() {
    let mut sale = Sale::new(163);
    let part = sale.part(5_000);
    sale.accept(part.counter_part());
    let transaction = sale.transaction();
    sale.rogue.approve(&mut sale.world, &part, &transaction).unwrap();
    let (slot, notes) = (sale.slot.clone(), sale.notes.clone());
    // Reserved by an approval, and its notes locked: neither is there for another transaction.
    let refused = sale.rogue.pay(&mut sale.world, &notes, &slot, 5_000);
    assert_eq!(refused, Err(Reason::SlotUsed));
    let own = sale.rogue.slot(&sale.world, sale.world.cash, Hash::default());
    let refused = sale.rogue.pay(&mut sale.world, &notes, &own, 1);
    assert_eq!(refused, Err(Reason::InputLocked));
    sale.ends(Reason::Lapsed);
}

#[test]
fn a_slot_takes_one_note_at_its_custodian_whatever_a_registrar_signs() {
    // Two runs of one market with the same keys and terms: a registrar that shows different logs to different parties.
    let mut sale = Sale::new(164);
    let mut fork = Sale::new(164);
    let slot = sale.slot.clone();
    let settle = |sale: &mut Sale, quantity: u64| -> Settlement {
        let (victim, notes) = (victim(&sale.deal), sale.notes.clone());
        sale.world.sim.watch(victim);
        sale.rogue.pay(&mut sale.world, &notes, &slot, quantity).unwrap();
        sale.world.sim.run_for(1_000);
        let seen =
            sale.world.sim.seen(victim).iter().rev().find_map(|(_, message)| match message {
                Message::Settled(settlement) => Some(settlement.clone()),
                _ => None,
            });
        seen.unwrap()
    };
    settle(&mut sale, 2);
    fork.rogue.random();
    let second = settle(&mut fork, 3);
    let (registrar, seller) = (sale.world.registrar(sale.world.cash), sale.deal.seller.clone());
    let victim = seller.custodian;
    let refused = sale.world.sim.say(registrar, victim, Message::Settled(second));
    assert_eq!(refused, Err(Reason::SlotUsed));
    assert_eq!(sale.world.balance(&seller, sale.world.cash).live, 1_000_002);
    sale.ends(Reason::Lapsed);
}

/// A victim buys bonds; the rogue initiates.
struct Purchase {
    world: World,
    rogue: Rogue,
    deal: Deal,
    proposal: Proposal,
    /// Where the rogue is to deliver.
    slot: SignedSlot,
    payment: CounterPart,
    notes: Vec<Held>,
}

impl Purchase {
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let mut rogue = Rogue::join(&mut world, 1_000, 50_000);
        let (seller, buyer) = (rogue.party(), world.party(0, 0));
        let deal = world.dvp("purchase", &seller, &buyer, 100, 5_000);
        world.buy(&deal).unwrap();
        let (proposal, slot) = rogue.proposal(&world, &deal);
        let message = Message::Propose(proposal.clone(), slot);
        rogue.say(&mut world, buyer.custodian, message).unwrap();
        let hash = proposal.hash();
        let acceptance = rogue.wait(&mut world, "the acceptance", |message| match message {
            Message::Accept(acceptance) if acceptance.proposal == hash => Some(acceptance.clone()),
            _ => None,
        });
        let notes = rogue.notes(world.bond);
        let (slot, payment) = (acceptance.slot, acceptance.payment.unwrap());
        Self { world, rogue, deal, proposal, slot, payment, notes }
    }

    fn part(&mut self, quantity: u64) -> RoguePart {
        self.rogue.build(&self.world, 0, &self.notes, &self.slot, quantity)
    }

    fn transaction(&mut self, part: &RoguePart) -> Transaction {
        let registrar = self.world.registrar(self.world.cash);
        let legs = vec![part.leg_ref(), LegRef { registrar, root: self.payment.root }];
        let tags = [part.hashes(), self.payment.tags.to_vec()];
        self.rogue.transaction(&self.world, legs, &tags)
    }

    fn say(&mut self, message: Message) {
        let victim = self.deal.buyer.custodian;
        self.rogue.say(&mut self.world, victim, message).unwrap();
    }

    fn assemble(&mut self, transaction: &Transaction) {
        self.say(Message::Assemble(self.proposal.hash(), transaction.clone()));
    }

    /// Both legs approved, both outputs shown but for the rogue's: its approval and the victim's.
    fn approved(&mut self, part: &RoguePart, transaction: &Transaction) -> [NodeSignature; 2] {
        self.assemble(transaction);
        let own = self.rogue.approve(&mut self.world, part, transaction).unwrap();
        let tx = transaction.id().unwrap();
        let share =
            self.rogue.wait(&mut self.world, "the victim's share", |message| match message {
                Message::Share(share) if share.tx == tx => Some(share.approval),
                _ => None,
            });
        [own, share]
    }

    fn share(&mut self, part: &RoguePart, transaction: &Transaction, approval: NodeSignature) {
        let output = part.output_into(&self.slot);
        self.say(Message::Share(part.share(transaction, approval, output)));
    }

    fn commit(&mut self, transaction: &Transaction, approvals: &[NodeSignature]) -> Commit {
        let (transaction, approvals) = (transaction.clone(), approvals.to_vec());
        let approvals = approvals.try_into().unwrap();
        Commit { transaction, salt: self.rogue.random(), approvals }
    }

    fn victim_has_signed(&self) -> bool {
        let kv = self.world.sim.kv(self.world.notary);
        Notary::pending_of(kv, self.deal.buyer.custodian).unwrap() > 0
    }

    fn ends(mut self, reason: Reason) {
        self.world.sim.rest();
        let view = self.world.buyer(&self.deal);
        assert_eq!((view.state, view.reason), (TradeState::Refused, Some(reason)));
        ends(&mut self.world, &self.deal.buyer);
    }
}

#[test]
fn a_transaction_that_is_not_the_agreed_one_is_refused_before_approval() {
    type Change = fn(&mut Transaction, &Purchase);
    let changes: [Change; 8] = [
        |transaction, purchase| {
            let own = |tag: &Hash| !purchase.payment.tags.contains(tag);
            let tags: Vec<_> = transaction.tags.iter().copied().filter(own).collect();
            transaction.tags = tags.try_into().unwrap();
        },
        |transaction, _| {
            let tags: Vec<_> = transaction.tags.iter().rev().copied().collect();
            transaction.tags = tags.try_into().unwrap();
        },
        |transaction, _| {
            let legs: Vec<_> = transaction.legs.iter().rev().copied().collect();
            transaction.legs = legs.try_into().unwrap();
        },
        |transaction, _| {
            let mut legs = transaction.legs.to_vec();
            legs.push(legs[0]);
            transaction.legs = legs.try_into().unwrap();
        },
        |transaction, purchase| {
            let mut legs = transaction.legs.to_vec();
            legs[0].registrar = purchase.world.registrar(purchase.world.cash);
            transaction.legs = legs.try_into().unwrap();
        },
        |transaction, purchase| transaction.notary = purchase.rogue.id(),
        |transaction, _| transaction.network = Hash([9; 32]),
        |transaction, purchase| {
            transaction.window = Window::around(purchase.world.sim.now, 600_000);
        },
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut purchase = Purchase::new(170 + u64::try_from(number).unwrap());
        let part = purchase.part(100);
        let mut transaction = purchase.transaction(&part);
        change(&mut transaction, &purchase);
        purchase.assemble(&transaction);
        purchase.ends(Reason::Malformed);
    }
}

#[test]
fn a_foreign_tag_in_the_transaction_keeps_the_notary_from_recording() {
    let mut purchase = Purchase::new(180);
    let part = purchase.part(100);
    let mut transaction = purchase.transaction(&part);
    let mut tags = transaction.tags.to_vec();
    tags.push(Hash(purchase.rogue.random()));
    tags.sort_unstable();
    transaction.tags = tags.try_into().unwrap();
    let approvals = purchase.approved(&part, &transaction);
    purchase.share(&part, &transaction, approvals[0]);
    let commit = purchase.commit(&transaction, &approvals);
    purchase.say(Message::Commit(commit.clone()));
    let message = part.notarise(&commit, &mut purchase.rogue.rng);
    let notary = purchase.world.notary;
    purchase.rogue.say(&mut purchase.world, notary, Message::Notarise(message)).unwrap();
    purchase.ends(Reason::Lapsed);
}

#[test]
fn a_commit_without_every_valid_approval_is_never_signed() {
    let forged = NodeSignature([7; 64]);
    for number in 0..5u64 {
        let mut purchase = Purchase::new(181 + number);
        let part = purchase.part(100);
        let transaction = purchase.transaction(&part);
        let [own, other] = purchase.approved(&part, &transaction);
        purchase.share(&part, &transaction, own);
        let commit = match number {
            0 => purchase.commit(&transaction, &[forged, other]),
            1 => purchase.commit(&transaction, &[own, forged]),
            2 => purchase.commit(&transaction, &[own]),
            3 => purchase.commit(&transaction, &[other, own]),
            _ => {
                // Of another transaction of the same legs.
                let again = purchase.transaction(&part);
                purchase.commit(&again, &[own, other])
            }
        };
        purchase.say(Message::Commit(commit));
        purchase.world.sim.run_for(1_000);
        assert!(!purchase.victim_has_signed(), "case {number}");
        purchase.ends(Reason::Lapsed);
    }
}

#[test]
fn a_commit_is_not_signed_before_the_output_is_shown() {
    let mut purchase = Purchase::new(190);
    let part = purchase.part(100);
    let transaction = purchase.transaction(&part);
    let approvals = purchase.approved(&part, &transaction);
    let commit = purchase.commit(&transaction, &approvals);
    purchase.say(Message::Commit(commit.clone()));
    purchase.world.sim.run_for(1_000);
    assert!(!purchase.victim_has_signed());
    purchase.share(&part, &transaction, approvals[0]);
    purchase.world.sim.run_for(1_000);
    assert!(purchase.victim_has_signed());
    let message = part.notarise(&commit, &mut purchase.rogue.rng);
    let notary = purchase.world.notary;
    purchase.rogue.say(&mut purchase.world, notary, Message::Notarise(message)).unwrap();
    let receipt = purchase.rogue.receipt(&mut purchase.world, &commit);
    let message = part.finalise(&commit, receipt, &mut purchase.rogue.rng);
    let registrar = purchase.world.registrar(purchase.world.bond);
    purchase.rogue.say(&mut purchase.world, registrar, Message::Finalise(message)).unwrap();
    purchase.world.sim.rest();
    assert_eq!(purchase.world.buyer(&purchase.deal).state, TradeState::Settled);
    purchase.world.check();
    purchase.world.still_works();
}

#[test]
fn a_wrong_output_of_the_initiator_is_seen_before_anything_is_signed() {
    for (quantity, wrong, reason) in
        [(99, false, Reason::NoMatch), (101, false, Reason::NoMatch), (100, true, Reason::Memo)]
    {
        let mut purchase = Purchase::new(191 + quantity);
        let part = purchase.part(quantity);
        let transaction = purchase.transaction(&part);
        let approvals = purchase.approved(&part, &transaction);
        let output = part.output_into(&purchase.slot);
        let output = if wrong { 1 - output } else { output };
        purchase.say(Message::Share(part.share(&transaction, approvals[0], output)));
        let commit = purchase.commit(&transaction, &approvals);
        purchase.say(Message::Commit(commit));
        purchase.world.sim.run_for(1_000);
        assert!(!purchase.victim_has_signed());
        purchase.ends(reason);
    }
}

#[test]
fn an_approval_of_another_transaction_is_refused() {
    let mut purchase = Purchase::new(195);
    let part = purchase.part(100);
    let shown = purchase.transaction(&part);
    let approved = purchase.transaction(&part);
    purchase.assemble(&shown);
    let own = purchase.rogue.approve(&mut purchase.world, &part, &approved).unwrap();
    purchase.world.sim.run_for(1_000);
    purchase.share(&part, &shown, own);
    purchase.ends(Reason::Approval);
}

#[test]
fn two_commits_of_one_transaction_never_complete() {
    let mut purchase = Purchase::new(196);
    let part = purchase.part(100);
    let transaction = purchase.transaction(&part);
    let approvals = purchase.approved(&part, &transaction);
    purchase.share(&part, &transaction, approvals[0]);
    let shown = purchase.commit(&transaction, &approvals);
    let signed = purchase.commit(&transaction, &approvals);
    assert_ne!(shown.id(), signed.id());
    purchase.say(Message::Commit(shown));
    purchase.say(Message::Commit(signed.clone()));
    let message = part.notarise(&signed, &mut purchase.rogue.rng);
    let notary = purchase.world.notary;
    purchase.rogue.say(&mut purchase.world, notary, Message::Notarise(message)).unwrap();
    purchase.world.sim.run_for(1_000);
    assert!(purchase.victim_has_signed());
    assert_eq!(Notary::pending(purchase.world.sim.kv(notary), None, 9).unwrap().len(), 2);
    purchase.ends(Reason::Lapsed);
}

#[test]
fn a_rogue_that_finalises_only_what_it_is_owed_gets_nothing_more() {
    let mut purchase = Purchase::new(197);
    let part = purchase.part(100);
    let transaction = purchase.transaction(&part);
    let approvals = purchase.approved(&part, &transaction);
    purchase.share(&part, &transaction, approvals[0]);
    let commit = purchase.commit(&transaction, &approvals);
    purchase.say(Message::Commit(commit.clone()));
    let message = part.notarise(&commit, &mut purchase.rogue.rng);
    let notary = purchase.world.notary;
    purchase.rogue.say(&mut purchase.world, notary, Message::Notarise(message)).unwrap();
    // It never finalises: the victim's leg is final, and so is the rogue's, at the victim's request.
    purchase.world.sim.rest();
    let view = purchase.world.buyer(&purchase.deal);
    assert_eq!((view.state, view.reason), (TradeState::Settled, None));
    let buyer = purchase.deal.buyer.clone();
    assert_eq!(purchase.world.balance(&buyer, purchase.world.bond).live, 1_100);
    assert_eq!(purchase.world.balance(&buyer, purchase.world.cash).live, 995_000);
    purchase.world.check();
    purchase.world.still_works();
}

#[test]
fn only_the_receiver_of_a_final_leg_can_have_it_appended_without_signatures() {
    let mut purchase = Purchase::new(198);
    let part = purchase.part(100);
    let transaction = purchase.transaction(&part);
    let approvals = purchase.approved(&part, &transaction);
    purchase.share(&part, &transaction, approvals[0]);
    let commit = purchase.commit(&transaction, &approvals);
    purchase.say(Message::Commit(commit.clone()));
    let message = part.notarise(&commit, &mut purchase.rogue.rng);
    let (world, rogue) = (&mut purchase.world, &mut purchase.rogue);
    rogue.say(world, world.notary, Message::Notarise(message)).unwrap();
    let receipt = rogue.receipt(world, &commit);
    let registrar = world.registrar(world.bond);
    let (stranger, buyer) = (world.party(2, 0).custodian, purchase.deal.buyer.custodian);
    let honest = part.finalise(&commit, receipt, &mut rogue.rng);
    let bare = Finalisation { signatures: Vec::new().try_into().unwrap(), ..honest };
    let other = Commit { salt: [3; 32], ..commit.clone() };
    let short = Commit { approvals: vec![approvals[0]].try_into().unwrap(), ..commit };
    let cases = [
        (stranger, bare.clone(), Reason::Approval),
        (buyer, Finalisation { commit: other, ..bare.clone() }, Reason::Receipt),
        (buyer, Finalisation { commit: short, ..bare.clone() }, Reason::Approval),
        // Its own sender brings the signatures itself.
        (rogue.id(), bare, Reason::Signature),
    ];
    for (from, finalisation, reason) in cases {
        world.sim.watch(from);
        world.sim.say(from, registrar, Message::Finalise(finalisation)).unwrap();
        world.sim.run_until("it is refused", |sim| {
            sim.seen(from).iter().any(|(by, message)| {
                *by == registrar
                    && matches!(message, Message::NotFinal { reason: why, .. } if *why == reason)
            })
        });
    }
    purchase.world.sim.rest();
    assert_eq!(purchase.world.buyer(&purchase.deal).state, TradeState::Settled);
    purchase.world.still_works();
}

#[test]
fn the_notary_gives_no_signature_of_a_tag_that_the_transaction_did_not_spend() {
    let mut world = World::new(199);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    let deals = ["one", "two"].map(|id| world.dvp(id, &seller, &buyer, 10, 100));
    for deal in &deals {
        world.settle(deal);
    }
    let (registrar, notary) = (world.registrar(world.bond), world.notary);
    let tags = world.tags(world.bond);
    let [first, second] = [tags[0], tags[1]];
    let about = world.seller(&deals[0]).tx.unwrap();
    let unknown = sudare_ledger::transaction::TxId(Hash([5; 32]));
    world.sim.watch(registrar);
    let mut ask = |about, tags: Vec<_>| {
        let message = Message::AskSignatures { tx: about, tags: tags.try_into().unwrap() };
        world.sim.say(registrar, notary, message).map(|_| ())
    };
    assert_eq!(ask(about, vec![second]), Err(Reason::NoMatch));
    assert_eq!(ask(about, vec![first, second]), Err(Reason::NoMatch));
    assert_eq!(ask(unknown, vec![first]), Err(Reason::NoMatch));
    assert_eq!(ask(about, vec![first]), Ok(()));
    // No custodian may ask.
    let message = Message::AskSignatures { tx: about, tags: vec![first].try_into().unwrap() };
    let refused = world.sim.say(seller.custodian, notary, message);
    assert_eq!(refused, Err(Reason::WrongRole));
    world.still_works();
}

#[test]
fn a_settlement_without_the_receiver_s_output_settles_nothing() {
    for dvp in [false, true] {
        let mut world = World::new(210);
        let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
        let deal = match dvp {
            true => world.dvp("empty", &seller, &buyer, 100, 5_000),
            false => world.transfer("empty", &seller, &buyer, 100),
        };
        let to_buyer = buyer.custodian;
        world.sim.tap(move |_, to, message| match message {
            Message::Settled(settlement) if to == to_buyer && settlement.index == 0 => {
                let components = Vec::new().try_into().unwrap();
                let empty = Settlement { components, ..settlement.clone() };
                Tapped::Replace(vec![Message::Settled(empty)])
            }
            _ => Tapped::Pass,
        });
        world.begin(&deal);
        world.sim.run_for(60_000);
        let view = world.buyer(&deal);
        assert!(!view.state.is_ended(), "{view:?}");
        if dvp {
            // It asks again; the answer counts once it is whole.
            world.sim.untap();
            world.sim.rest();
            world.assert_settled(&deal);
            world.still_works();
        }
    }
}

#[test]
fn a_settlement_that_is_not_in_the_log_frees_no_note_of_the_sender_s() {
    let mut world = World::new(211);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    // All of it: nothing comes back as change, so the settlement shows the sender no output.
    let deal = world.transfer("all", &seller, &buyer, 1_000);
    let to_seller = seller.custodian;
    world.sim.watch(to_seller);
    let honest = std::rc::Rc::new(std::cell::RefCell::new(None));
    let kept = std::rc::Rc::clone(&honest);
    world.sim.tap(move |_, to, message| match message {
        Message::Settled(settlement) if to == to_seller => {
            *kept.borrow_mut() = Some(settlement.clone());
            Tapped::Drop
        }
        _ => Tapped::Pass,
    });
    world.begin(&deal);
    world.sim.rest();
    let honest: Settlement = honest.borrow().clone().unwrap();
    let registrar = world.registrar(world.bond);
    let mut entry = honest.entry.clone();
    entry.body = Hash([9; 32]);
    let forged = Settlement { entry, ..honest.clone() };
    let refused = world.sim.say(registrar, to_seller, Message::Settled(forged));
    assert_eq!(refused, Err(Reason::Receipt));
    assert_eq!(world.seller(&deal).state, TradeState::Finalising);
    assert_eq!(world.balance(&seller, world.bond).locked, 1_000);
    world.sim.say(registrar, to_seller, Message::Settled(honest)).unwrap();
    world.assert_settled(&deal);
    world.check();
    world.still_works();
}

#[test]
fn a_refused_proposal_leaves_nothing_behind() {
    let mut world = World::new(212);
    let rogue = &mut Rogue::join(&mut world, 1_000, 50_000);
    let buyer = world.party(0, 0);
    let deal = world.dvp("refused", &rogue.party(), &buyer, 100, 5_000);
    let before = world.sim.state_hash();
    let (good, slot) = rogue.proposal(&world, &deal);
    let late = Proposal { expires_at: world.sim.now, ..good.clone() };
    let long = Proposal { expires_at: u64::MAX, ..good.clone() };
    let foreign = Proposal { network: Hash([4; 32]), ..good.clone() };
    let misdirected = Proposal { counterparty: rogue.id(), ..good.clone() };
    let cases = [
        (late, slot.clone(), Reason::Lapsed),
        (long, slot.clone(), Reason::TooLarge),
        (foreign, slot.clone(), Reason::Malformed),
        (misdirected, slot.clone(), Reason::Malformed),
        (good.clone(), None, Reason::Malformed),
    ];
    for (proposal, slot, reason) in cases {
        let refused = rogue.say(&mut world, buyer.custodian, Message::Propose(proposal, slot));
        assert_eq!(refused, Err(reason));
        assert_eq!(world.sim.state_hash(), before, "{reason}");
    }
    // What nobody is instructed of is kept until it lapses, and then leaves nothing but a counter.
    rogue.say(&mut world, buyer.custodian, Message::Propose(good, slot)).unwrap();
    let pairs = |world: &World| world.sim.kv(buyer.custodian).pairs().count();
    world.sim.rest();
    let after = pairs(&world);
    let (again, slot) = rogue.proposal(&world, &Deal { id: text("other"), ..deal });
    rogue.say(&mut world, buyer.custodian, Message::Propose(again, slot)).unwrap();
    world.sim.rest();
    assert_eq!(pairs(&world), after);
    world.still_works();
}

#[test]
fn a_message_that_comes_again_changes_nothing() {
    let mut world = World::new(213);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    for custodian in [seller.custodian, buyer.custodian] {
        world.sim.watch(custodian);
    }
    world.settle(&world.dvp("again", &seller, &buyer, 100, 5_000));
    let before = world.sim.state_hash();
    for custodian in [seller.custodian, buyer.custodian] {
        for (from, message) in world.sim.seen(custodian).to_vec() {
            let kind = message.kind();
            let answer = world.sim.say(from, custodian, message);
            // A proposal is too late by now.
            assert!(matches!(answer, Ok(_) | Err(Reason::Lapsed)), "message of kind {kind}");
            world.sim.rest();
            assert_eq!(world.sim.state_hash(), before, "message of kind {kind}");
        }
    }
    world.still_works();
}

fn victim(deal: &Deal) -> NodeId {
    deal.seller.custodian
}

/// The victim's notes are its own again; what the rogue holds at registrars ends on the notary's word; the market goes on.
fn ends(world: &mut World, party: &Party) {
    for asset in [world.bond, world.cash] {
        let balance = world.balance(party, asset);
        assert_eq!((balance.locked, balance.outgoing), (0, 0));
    }
    assert!(world.balance(party, world.bond).live >= 1_000);
    assert!(world.balance(party, world.cash).live >= 1_000_000);
    chase(world);
    world.assert_free();
    world.check();
    world.still_works();
}

/// The registrars ask the notary about every leg whose custodian fell silent.
fn chase(world: &mut World) {
    world.sim.run_for(120_000);
    for asset in [world.bond, world.cash] {
        let registrar = world.registrar(asset);
        let kv = world.sim.kv(registrar);
        for leg in Registrar::legs(kv, None, usize::MAX, world.sim.now).unwrap() {
            if matches!(leg.standing.state, LegState::Approved { .. }) {
                let chase = RegistrarInstruction::Chase(leg.key.leg.tx);
                world.sim.instruct(registrar, &chase).unwrap();
            }
        }
    }
    world.sim.run_for(10_000);
}
