//! Who can have an order given up, and until when?

use super::World;
use crate::messages::{Acceptance, Message, Proposal, Reason};
use crate::registrar::{Instruction, OrderStage, OrderView, RedemptionKey, Registrar};
use crate::testing::text;

impl World {
    fn ordered(&mut self, reference: &str, allotments: &[(&str, u64)]) -> Vec<Proposal> {
        let order = self.order(reference, allotments);
        self.registrar.instruct(Instruction::Issue(Box::new(order))).unwrap();
        let sent = self.registrar.sent().into_iter();
        let proposals = sent.filter_map(|(_, message)| match message {
            Message::Propose(proposal, None) => Some(proposal),
            _ => None,
        });
        proposals.collect()
    }

    fn agree(&mut self, name: &str, proposal: &Proposal) {
        let slot = self.slot(name, proposal.hash());
        let acceptance = Acceptance { proposal: proposal.hash(), slot, payment: None };
        self.registrar.message(proposal.counterparty, Message::Accept(acceptance)).unwrap();
    }

    fn cancel(&mut self, reference: &str) -> crate::role::Answer {
        self.registrar.instruct(Instruction::CancelIssue(text(reference)))
    }

    /// The custodian of a proposal wants its part cancelled.
    fn consent(&mut self, proposal: &Proposal) {
        let trade_id = proposal.trade_id.clone();
        let message = Message::Cancel { trade_id, initiates: false };
        self.registrar.message(proposal.counterparty, message).unwrap();
    }

    fn order_view(&self, reference: &str) -> OrderView {
        Registrar::issue_order(&self.registrar.kv, &text(reference)).unwrap().unwrap()
    }

    fn stage(&self, reference: &str) -> OrderStage {
        self.order_view(reference).stage
    }
}

const CANCELLED: OrderStage = OrderStage::Failed(Reason::Cancelled);

fn abandoned(proposal: &Proposal) -> (sudare_crypto::NodeId, Message) {
    let (hash, reason) = (proposal.hash(), Reason::Cancelled);
    (proposal.counterparty, Message::Abandon { proposal: hash, reason })
}

fn asked(proposal: &Proposal) -> (sudare_crypto::NodeId, Message) {
    let trade_id = proposal.trade_id.clone();
    (proposal.counterparty, Message::Cancel { trade_id, initiates: true })
}

/// [FLOW-8]
#[test]
fn an_issue_is_cancelled_once_every_custodian_that_accepted_wants_it_too() {
    let mut world = World::empty();
    // Nobody has accepted: it is the registrar's alone.
    let alone = world.ordered("issue-1", &[("alice", 100), ("bob", 200)]);
    world.cancel("issue-1").unwrap();
    assert_eq!(world.registrar.sent(), [abandoned(&alone[0]), abandoned(&alone[1])]);
    assert_eq!(world.stage("issue-1"), CANCELLED);
    // Asking again changes nothing; who answers too late is told.
    world.cancel("issue-1").unwrap();
    assert_eq!(world.registrar.sent(), []);
    world.agree("bob", &alone[1]);
    world.consent(&alone[0]);
    assert_eq!(world.registrar.sent(), [abandoned(&alone[1]), abandoned(&alone[0])]);
    // Two of three have accepted, one of them after the registrar asked.
    let three = world.ordered("issue-2", &[("alice", 1), ("anna", 2), ("bob", 3)]);
    world.agree("alice", &three[0]);
    world.cancel("issue-2").unwrap();
    world.cancel("issue-2").unwrap();
    assert_eq!(world.registrar.sent(), [asked(&three[0])]);
    world.agree("anna", &three[1]);
    assert_eq!(world.registrar.sent(), [asked(&three[1])]);
    world.consent(&three[1]);
    let view = world.order_view("issue-2");
    assert_eq!((view.stage, world.registrar.sent().len()), (OrderStage::Waiting, 0));
    assert!(view.cancel_requested.is_some() && view.custodian_cancel_requested.is_some());
    // Somebody else's word counts for nothing.
    let trade_id = three[0].trade_id.clone();
    let stranger = Message::Cancel { trade_id, initiates: false };
    world.registrar.message(world.b.id(), stranger).unwrap();
    assert_eq!(world.stage("issue-2"), OrderStage::Waiting);
    world.consent(&three[0]);
    assert_eq!(world.stage("issue-2"), CANCELLED);
    assert_eq!(world.registrar.sent(), [0, 1, 2].map(|place| abandoned(&three[place])));
    world.assert_free();
    // The custodians' word may come first, and while the leg is being built.
    let built = world.ordered("issue-3", &[("alice", 1), ("bob", 3)]);
    world.consent(&built[0]);
    assert_eq!(world.order_view("issue-3").cancel_requested, None);
    world.agree("alice", &built[0]);
    world.agree("bob", &built[1]);
    assert_eq!(world.stage("issue-3"), OrderStage::Building);
    world.cancel("issue-3").unwrap();
    assert_eq!(world.stage("issue-3"), OrderStage::Building);
    world.consent(&built[1]);
    assert_eq!(world.stage("issue-3"), CANCELLED);
    world.registrar.work();
    assert_eq!(world.stage("issue-3"), CANCELLED, "what was built is of no use");
    let _ = world.registrar.sent();
    world.assert_free();
    world.registrar.assert_deterministic();
    world.issue("issue-4", &[("alice", 100)]);
}

/// [FLOW-8]
#[test]
fn an_issue_that_is_committed_or_ended_is_not_cancelled() {
    let mut world = World::empty();
    assert_eq!(world.cancel("issue-1"), Err(Reason::NoMatch));
    // It goes on while somebody's consent is missing.
    let proposals = world.ordered("issue-1", &[("alice", 100)]);
    world.agree("alice", &proposals[0]);
    world.cancel("issue-1").unwrap();
    assert_eq!(world.registrar.sent(), [asked(&proposals[0])]);
    world.registrar.work();
    assert_eq!(world.stage("issue-1"), OrderStage::Notarising);
    assert_eq!(world.cancel("issue-1"), Err(Reason::TooLate));
    world.consent(&proposals[0]);
    assert_eq!(world.stage("issue-1"), OrderStage::Notarising);
    world.notarise_issue();
    world.take_settlements();
    assert_eq!(world.holds("alice"), 100);
    assert_eq!(world.cancel("issue-1"), Err(Reason::TooLate));
    world.consent(&proposals[0]);
    assert_eq!(world.registrar.sent(), []);
    world.assert_sound();
    // What has lapsed has ended already.
    let late = world.ordered("issue-2", &[("alice", 1)]);
    world.registrar.advance(600_000);
    let _ = world.registrar.sent();
    world.cancel("issue-2").unwrap();
    world.consent(&late[0]);
    assert_eq!(world.stage("issue-2"), OrderStage::Failed(Reason::Lapsed));
}

/// [FLOW-8]
#[test]
fn a_permission_to_redeem_is_withdrawn_until_a_leg_has_taken_it() {
    let mut world = World::new();
    let (asset, custodian) = (world.asset(), world.a.id());
    let key = RedemptionKey { asset, custodian, trade_id: text("trade-1") };
    let withdraw =
        |world: &mut World| world.registrar.instruct(Instruction::WithdrawRedemption(key.clone()));
    let allow = |world: &mut World, quantity| {
        let trade_id = text("trade-1");
        let order = Instruction::AllowRedemption { trade_id, asset, custodian, quantity };
        world.registrar.instruct(order).unwrap();
    };
    let stage = |world: &World| {
        Registrar::redemption_order(&world.registrar.kv, &key).unwrap().unwrap().stage
    };
    let note = world.a.notes[0].clone();
    let redeem = |world: &mut World| world.transfer(std::slice::from_ref(&note), &[("alice", 70)]);
    assert_eq!(withdraw(&mut world), Err(Reason::NoMatch));
    allow(&mut world, 30);
    withdraw(&mut world).unwrap();
    withdraw(&mut world).unwrap();
    assert_eq!(stage(&world), CANCELLED);
    let early = redeem(&mut world);
    assert_eq!(world.approve(&early), Err(Reason::NotInstructed));
    // It can be permitted anew, also for another quantity; a leg that is approved holds it.
    allow(&mut world, 31);
    withdraw(&mut world).unwrap();
    allow(&mut world, 30);
    assert_eq!(stage(&world), OrderStage::Waiting);
    let redemption = redeem(&mut world);
    let approval = world.approve(&redemption).unwrap();
    assert_eq!(withdraw(&mut world), Err(Reason::TooLate));
    let finalisation = world.finalisation(&redemption, &[approval]);
    assert_eq!(world.finalise(finalisation), Vec::new());
    assert_eq!(withdraw(&mut world), Err(Reason::TooLate));
    assert_eq!((stage(&world), world.holds("alice")), (OrderStage::Final, 120));
}
