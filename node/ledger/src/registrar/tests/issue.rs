//! How does an issue begin, end, or lapse?

use super::super::state::ASSETS;
use super::{World, list};
use crate::messages::{Acceptance, Message, Proposal, Reason};
use crate::registrar::{Instruction, IssueState, Registrar};
use crate::testing::text;
use crate::transaction::WINDOW_STEP_MS;

impl World {
    /// Begins an issue and gives its proposals.
    fn propose(&mut self, reference: &str, allotments: &[(&str, u64)]) -> Vec<Proposal> {
        let order = self.order(reference, allotments);
        self.registrar.instruct(Instruction::Issue(Box::new(order))).unwrap();
        let sent = self.registrar.sent().into_iter().map(|(_, message)| match message {
            Message::Propose(proposal, None) => proposal,
            other => panic!("{other:?}"),
        });
        sent.collect()
    }

    fn acceptance(&mut self, name: &str, proposal: &Proposal) -> Acceptance {
        let proposal = proposal.hash();
        Acceptance { proposal, slot: self.slot(name, proposal), payment: None }
    }

    fn accept(&mut self, name: &str, proposal: &Proposal) -> crate::role::Answer {
        let acceptance = self.acceptance(name, proposal);
        self.registrar.message(proposal.counterparty, Message::Accept(acceptance))
    }

    fn issue_state(&self, reference: &str) -> IssueState {
        let issue = Registrar::issue_view(&self.registrar.kv, &text(reference));
        issue.unwrap().unwrap().state
    }

    fn failure(&self, reference: &str) -> Reason {
        match self.issue_state(reference) {
            IssueState::Failed { reason, .. } => reason,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn an_issue_to_two_custodians_is_one_leg_that_ends_in_the_log() {
    let mut world = World::empty();
    world.issue("issue-1", &[("alice", 100), ("bob", 200), ("anna", 300)]);
    assert_eq!((world.holds("alice"), world.holds("bob"), world.holds("anna")), (100, 200, 300));
    assert_eq!((world.a.total(), world.b.total()), (400, 200));
    assert_eq!(world.issue_state("issue-1"), IssueState::Final { entry: 1 });
    let view = Registrar::asset(&world.registrar.kv, world.asset()).unwrap().unwrap();
    assert_eq!((view.asset.minted, view.asset.notes, view.entries), (600, 3, 2));
    world.assert_free();
    world.registrar.assert_deterministic();
}

#[test]
fn the_same_order_again_is_the_same_issue() {
    let mut world = World::empty();
    let order = Instruction::Issue(Box::new(world.order("issue-1", &[("alice", 100)])));
    world.registrar.instruct(order.clone()).unwrap();
    assert_eq!(world.registrar.sent().len(), 1);
    world.registrar.instruct(order).unwrap();
    assert_eq!(world.registrar.sent(), []);
    let other = Instruction::Issue(Box::new(world.order("issue-1", &[("alice", 101)])));
    assert_eq!(world.registrar.instruct(other), Err(Reason::DuplicateTrade));
}

#[test]
fn an_order_that_makes_no_sense_is_refused() {
    let mut world = World::empty();
    let mut refused = |order, reason| {
        let instruction = Instruction::Issue(Box::new(order));
        assert_eq!(world.registrar.instruct(instruction), Err(reason));
        assert_eq!(world.registrar.sent(), []);
    };
    let world = World::empty();
    refused(world.order("x", &[]), Reason::Malformed);
    refused(world.order("x", &[("alice", 1), ("bob", 0)]), Reason::Malformed);
    refused(world.order("x", &[("alice", u64::MAX), ("bob", 1)]), Reason::SupplyLimit);
    let mut twice = world.order("x", &[("alice", 1), ("anna", 1)]);
    let first = twice.allotments[0].clone();
    twice.allotments = list(vec![first.clone(), first]);
    refused(twice, Reason::DuplicateTrade);
    let mut unknown = world.order("x", &[("alice", 1)]);
    unknown.asset = sudare_disclosure::AssetId::default();
    refused(unknown, Reason::UnknownAsset);
    let mut own = world.order("x", &[("alice", 1)]);
    let mut allotment = own.allotments[0].clone();
    allotment.custodian = world.net.registrar.id();
    own.allotments = list(vec![allotment]);
    refused(own, Reason::Malformed);
}

#[test]
fn a_bad_slot_is_its_senders_failure_and_the_issue_goes_on() {
    let mut world = World::empty();
    let proposals = world.propose("issue-1", &[("alice", 100), ("bob", 200)]);
    let (a, b) = (world.a.id(), world.b.id());
    let good = world.acceptance("alice", &proposals[0]);
    let refused = |world: &mut World, from, acceptance: &Acceptance, reason| {
        let answer = world.registrar.message(from, Message::Accept(acceptance.clone()));
        assert_eq!(answer, Err(reason));
    };
    refused(&mut world, b, &good, Reason::NoMatch);
    let mut bad = good.clone();
    bad.proposal = proposals[1].hash();
    refused(&mut world, a, &bad, Reason::NoMatch);
    let mut bad = good.clone();
    bad.slot.slot.context.nonce[0] ^= 1;
    refused(&mut world, a, &bad, Reason::Proof);
    let mut bad = good.clone();
    bad.slot.slot.proof = sudare_crypto::linear::LinearProof::default();
    bad.slot = bad.slot.slot.sign(&world.a.key);
    refused(&mut world, a, &bad, Reason::Proof);
    let mut bad = good.clone();
    bad.slot = world.slot("alice", proposals[1].hash());
    refused(&mut world, a, &bad, Reason::Malformed);
    let mut bad = good.clone();
    bad.slot = world.slot("bob", proposals[0].hash());
    refused(&mut world, a, &bad, Reason::Malformed);
    let mut bad = good.clone();
    bad.slot.slot.context.expires_at = world.registrar.now;
    bad.slot = bad.slot.slot.sign(&world.a.key);
    refused(&mut world, a, &bad, Reason::SlotExpired);
    // The good one counts, the second from the same custodian doesn't.
    world.registrar.message(a, Message::Accept(good)).unwrap();
    world.accept("anna", &proposals[0]).unwrap();
    world.accept("bob", &proposals[1]).unwrap();
    world.registrar.work();
    world.notarise_issue();
    world.take_settlements();
    assert_eq!((world.holds("alice"), world.holds("anna"), world.holds("bob")), (100, 0, 200));
}

#[test]
fn an_issue_lapses_when_a_custodian_does_not_answer() {
    let mut world = World::empty();
    let proposals = world.propose("issue-1", &[("alice", 100), ("bob", 200)]);
    world.accept("alice", &proposals[0]).unwrap();
    world.registrar.advance(599_000);
    assert_eq!(world.registrar.sent(), []);
    world.registrar.advance(1_000);
    assert_eq!(world.failure("issue-1"), Reason::Lapsed);
    let abandoned = |to, proposal: &Proposal| {
        (to, Message::Abandon { proposal: proposal.hash(), reason: Reason::Lapsed })
    };
    let (a, b) = (world.a.id(), world.b.id());
    let both = [abandoned(a, &proposals[0]), abandoned(b, &proposals[1])];
    assert_eq!(world.registrar.sent(), both);
    // Who answers too late is told.
    world.accept("bob", &proposals[1]).unwrap();
    assert_eq!(world.registrar.sent(), [abandoned(b, &proposals[1])]);
    world.assert_free();
    world.issue("issue-2", &[("bob", 5)]);
}

#[test]
fn an_issue_ends_when_a_custodian_gives_up_or_refuses_the_proposal() {
    let mut world = World::empty();
    let proposals = world.propose("issue-1", &[("alice", 100), ("bob", 200)]);
    let abandon = Message::Abandon { proposal: proposals[1].hash(), reason: Reason::NoMatch };
    assert_eq!(world.registrar.message(world.a.id(), abandon.clone()), Err(Reason::NoMatch));
    world.registrar.message(world.b.id(), abandon).unwrap();
    assert_eq!(world.failure("issue-1"), Reason::NoMatch);
    world.registrar.sent();

    let order = world.order("issue-2", &[("alice", 100)]);
    world.registrar.instruct(Instruction::Issue(Box::new(order))).unwrap();
    let rows = crate::role::OUTBOX.rows(&world.registrar.kv, None, 10).unwrap();
    let (number, refused) = (rows[0].0.0, Some(Reason::Malformed));
    world.registrar.handle(crate::role::Event::Delivered { number, refused }).unwrap();
    assert_eq!(world.failure("issue-2"), Reason::Malformed);
    world.registrar.assert_deterministic();
}

#[test]
fn an_issue_into_an_account_that_is_not_registered_fails_and_leaves_nothing_behind() {
    let mut world = World::empty();
    let proposals = world.propose("issue-1", &[("alice", 100)]);
    world.accept("nobody", &proposals[0]).unwrap();
    world.registrar.work();
    assert_eq!(world.failure("issue-1"), Reason::UnknownAccount);
    world.registrar.sent();
    world.assert_free();
    world.issue("issue-2", &[("alice", 100)]);
}

#[test]
fn the_supply_limit_is_checked_at_approval_too() {
    let mut world = World::empty();
    let proposals = world.propose("issue-1", &[("alice", 100)]);
    world.accept("alice", &proposals[0]).unwrap();
    let asset = world.asset();
    crate::testing::tamper(&mut world.registrar.kv, |tx| {
        let mut row = ASSETS.get(tx, &asset).unwrap().unwrap();
        row.pending = u64::MAX - 99;
        ASSETS.put(tx, &asset, &row);
    });
    world.registrar.work();
    assert_eq!(world.failure("issue-1"), Reason::SupplyLimit);
}

#[test]
fn an_issue_that_the_notary_does_not_record_ends_with_its_signed_absence() {
    let mut world = World::empty();
    let proposals = world.propose("issue-1", &[("alice", 100)]);
    world.accept("alice", &proposals[0]).unwrap();
    world.registrar.work();
    let IssueState::Notarising { commit, .. } = world.issue_state("issue-1") else { panic!() };
    let (about, window) = (commit.transaction.id().unwrap(), commit.transaction.window);
    let notary = world.net.notary.id();
    world.registrar.sent();
    let pending = |world: &World| {
        Registrar::asset(&world.registrar.kv, world.asset()).unwrap().unwrap().asset.pending
    };
    assert_eq!(pending(&world), 100);
    let word = Message::NotRecorded { tx: about, reason: Reason::Window };
    world.registrar.message(notary, word).unwrap();
    assert_eq!(pending(&world), 100, "its word is no proof");
    world.registrar.advance(window.until - world.registrar.now);
    assert_eq!(world.registrar.sent(), [(notary, Message::AskAbsence { tx: about, window })]);
    world.registrar.advance(60_000);
    assert_eq!(world.registrar.sent().len(), 1, "asked again");
    let absence = world.net.absence(&commit.transaction, window.until);
    world.registrar.message(notary, Message::Absent(absence)).unwrap();
    assert_eq!(world.failure("issue-1"), Reason::Window);
    assert!(matches!(world.registrar.sent()[..], [(_, Message::Abandon { .. })]));
    world.assert_free();
    world.registrar.advance(WINDOW_STEP_MS * 100);
    assert_eq!(world.registrar.sent(), []);
    // A receipt after that is evidence.
    let receipt = world.net.receipt(&commit, window.until - 1);
    world.registrar.message(notary, Message::Notarised(receipt)).unwrap();
    world.registrar.work();
    assert_eq!(Registrar::evidence(&world.registrar.kv).unwrap().len(), 1);
    assert_eq!(world.holds("alice"), 0);
    world.registrar.assert_deterministic();
}

#[test]
fn an_issue_is_final_only_with_its_notarys_receipt() {
    let mut world = World::empty();
    let proposals = world.propose("issue-1", &[("alice", 100)]);
    world.accept("alice", &proposals[0]).unwrap();
    world.registrar.work();
    world.registrar.sent();
    let IssueState::Notarising { commit, .. } = world.issue_state("issue-1") else { panic!() };
    let receipt = world.net.receipt(&commit, world.registrar.now);
    let (notary, stranger) = (world.net.notary.id(), world.b.id());
    let answer = world.registrar.message(stranger, Message::Notarised(receipt));
    assert_eq!(answer, Err(Reason::Receipt));
    let late = world.net.receipt(&commit, commit.transaction.window.until);
    assert_eq!(world.registrar.message(notary, Message::Notarised(late)), Err(Reason::Receipt));
    world.registrar.message(notary, Message::Notarised(receipt)).unwrap();
    world.registrar.message(notary, Message::Notarised(receipt)).unwrap();
    world.registrar.work();
    world.registrar.message(notary, Message::Notarised(receipt)).unwrap();
    world.registrar.work();
    assert_eq!(world.registrar.sent().len(), 1, "settled once");
    assert_eq!(world.holds("alice"), 100);
    world.assert_sound();
}

#[test]
fn issues_get_their_epoch_at_approval_and_lapse_with_it() {
    let mut world = World::empty();
    let proposals = world.propose("issue-1", &[("alice", 100)]);
    let opens = world.terms.policy.epochs[1].opens_at;
    // Its last slot comes just before the next epoch opens, its leg is built just after.
    world.registrar.now = opens - 1_000;
    world.accept("alice", &proposals[0]).unwrap();
    world.registrar.now = opens;
    world.registrar.work();
    assert_eq!(world.failure("issue-1"), Reason::StaleTerms);
    world.assert_free();
}
