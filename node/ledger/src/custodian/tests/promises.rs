//! What a custodian promises, keeps and gives up, as its peers see it.

use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::Version;
use sudare_crypto::{NodeId, NodeKey};
use sudare_disclosure::AssetTerms;

use super::super::{
    Custodian, Instruction, Movement, Side, TradeInstruction, TradeKey, TradeState, TradeView,
};
use crate::kv::Tx;
use crate::leg::TradeInfo;
use crate::messages::{Acceptance, Message, Proposal, ProposedLeg, Reason};
use crate::role::{Event, Machine, Moment};
use crate::testing::{Driver, NOW, Network, rng, text};

const PEER: NodeId = NodeId([7; 32]);
const OTHER: NodeId = NodeId([8; 32]);

/// A custodian with a registered account of ichi's.
struct Desk {
    network: Network,
    terms: AssetTerms,
    custodian: Driver<Custodian>,
}

impl Desk {
    fn new() -> Self {
        let network = Network::new();
        let terms = network.terms("BOND", &[NOW - 1], &mut rng(1));
        let (key, master) = (NodeKey::from_seed(&[1; 32]), Seed([1; 32]));
        let machine = Custodian { network: network.id, key, master };
        let custodian = Driver::new(machine, NOW);
        let mut desk = Self { network, terms, custodian };
        let (asset, registrar) = (desk.terms.asset(), desk.terms.core.registrar);
        let terms = desk.network.signed(desk.terms.clone());
        desk.custodian.instruct(Instruction::AddAsset { asset, registrar }).unwrap();
        desk.custodian.message(registrar, Message::Terms(terms)).unwrap();
        let investor = text("ichi");
        desk.custodian.instruct(Instruction::AddAccount { asset, investor }).unwrap();
        for (_, message) in desk.custodian.sent() {
            if let Message::RegisterAccount(request) = message {
                let account = request.account;
                let done = Message::AccountRegistered { asset, account, refused: None };
                desk.custodian.message(registrar, done).unwrap();
            }
        }
        desk
    }

    fn id(&self) -> NodeId {
        self.custodian.machine.key.id()
    }

    /// That a counterparty delivers this much to ichi.
    fn proposal(&self, from: NodeId, id: &str, quantity: u64, salt: u8) -> Proposal {
        let leg =
            ProposedLeg { asset: self.terms.asset(), terms: self.terms.hash(), epoch: 0, quantity };
        Proposal {
            version: Version,
            network: self.network.id,
            salt: [salt; 32],
            trade_id: text(id),
            delivery_date: text("2027-01-15"),
            initiator: from,
            counterparty: self.id(),
            expires_at: self.custodian.now + 60_000,
            legs: vec![leg].try_into().unwrap(),
        }
    }

    fn receipt_of(&self, from: NodeId, id: &str, quantity: u64) -> TradeInstruction {
        let (asset, investor) = (self.terms.asset(), text("ichi"));
        TradeInstruction {
            counterparty: from,
            side: Side::Counterparty,
            deliver: None,
            receive: Some(Movement { asset, investor, quantity }),
            trade: TradeInfo {
                trade_id: text(id),
                delivery_date: text("2027-01-15"),
                ..TradeInfo::default()
            },
            reference: text(""),
            expires_at: self.custodian.now + 60_000,
            slot_ms: 60_000,
            window_ms: 30_000,
        }
    }

    fn instruct(&mut self, instruction: TradeInstruction) -> Result<(), Reason> {
        self.custodian.instruct(Instruction::Trade(Box::new(instruction))).map(drop)
    }

    fn propose(&mut self, proposal: &Proposal) -> Result<(), Reason> {
        let message = Message::Propose(proposal.clone(), None);
        self.custodian.message(proposal.initiator, message).map(drop)
    }

    /// The acceptances among what it sent.
    fn accepted(&mut self) -> Vec<Acceptance> {
        let sent = self.custodian.sent().into_iter();
        sent.filter_map(|(_, message)| match message {
            Message::Accept(acceptance) => Some(acceptance),
            _ => None,
        })
        .collect()
    }

    fn trade(&self, id: &str) -> TradeView {
        Custodian::trade(&self.custodian.kv, &text(id)).unwrap().remove(0)
    }
}

#[test]
fn a_proposal_is_answered_with_one_slot_however_often_it_comes() {
    // Enforces [FLOW-3] for slots.
    let mut desk = Desk::new();
    let proposal = desk.proposal(PEER, "T-1", 5, 1);
    desk.instruct(desk.receipt_of(PEER, "T-1", 5)).unwrap();
    for _ in 0..3 {
        desk.propose(&proposal).unwrap();
    }
    let again = desk.proposal(PEER, "T-1", 5, 2);
    desk.propose(&again).unwrap();
    let accepted = desk.accepted();
    assert_eq!(accepted.len(), 1);
    assert_eq!(accepted[0].proposal, proposal.hash());
    assert_eq!(desk.trade("T-1").state, TradeState::Accepted);
    desk.custodian.assert_deterministic();
}

#[test]
fn a_generator_that_repeats_itself_makes_no_slot_twice() {
    // Enforces [NOTE-3]: two slots of one nonce are two notes with one tag, of which only one can be spent.
    let mut desk = Desk::new();
    let stuck = Moment { now: NOW, entropy: [3; 32] };
    let mut slots = Vec::new();
    for (id, salt) in [("T-1", 1), ("T-2", 2)] {
        desk.instruct(desk.receipt_of(PEER, id, 5)).unwrap();
        let message = Message::Propose(desk.proposal(PEER, id, 5, salt), None);
        let tx = Tx::new(&desk.custodian.kv);
        let event = Event::Message { from: PEER, message };
        desk.custodian.machine.handle(&tx, &stuck, event).unwrap().unwrap();
        let writes = tx.into_writes();
        desk.custodian.kv.apply(writes);
        slots.push(desk.accepted().remove(0).slot.slot);
    }
    assert_ne!(slots[0].context.nonce, slots[1].context.nonce);
    assert_ne!(slots[0].owner, slots[1].owner);
    // The generator does repeat itself: the first nonce is the one that it begins with.
    let mut first = [0; 32];
    rand_core::RngCore::fill_bytes(&mut stuck.rng(), &mut first);
    assert_eq!(slots[0].context.nonce, first);
}

#[test]
fn one_party_can_not_use_up_the_room_for_proposals_of_others() {
    let mut desk = Desk::new();
    let mut taken = 0u64;
    let refused = loop {
        let mut proposal = desk.proposal(PEER, &format!("T-{taken}"), 5, 1);
        proposal.expires_at = NOW + 60_000;
        match desk.propose(&proposal) {
            Ok(()) => taken += 1,
            Err(reason) => break reason,
        }
        assert!(taken < 10_000, "no bound");
    };
    assert_eq!(refused, Reason::TooLarge);
    // Another version of a known one takes no room; nor is there less for others.
    desk.propose(&desk.proposal(PEER, "T-0", 6, 2)).unwrap();
    desk.propose(&desk.proposal(OTHER, "T-0", 5, 1)).unwrap();
    // What is instructed makes room, and so does what lapses.
    desk.instruct(desk.receipt_of(PEER, "T-1", 5)).unwrap();
    desk.propose(&desk.proposal(PEER, "next", 5, 1)).unwrap();
    assert_eq!(desk.propose(&desk.proposal(PEER, "one more", 5, 1)), Err(Reason::TooLarge));
    for _ in 0..8 {
        desk.custodian.advance(10_000);
    }
    desk.propose(&desk.proposal(PEER, "one more", 5, 1)).unwrap();
}

#[test]
fn a_refused_trade_does_not_use_up_its_id() {
    let mut desk = Desk::new();
    // Refused, since the proposal says another quantity.
    desk.instruct(desk.receipt_of(PEER, "T-1", 5)).unwrap();
    desk.propose(&desk.proposal(PEER, "T-1", 6, 1)).unwrap();
    let view = desk.trade("T-1");
    assert_eq!((view.state, view.reason), (TradeState::Refused, Some(Reason::NoMatch)));
    // Both sides are instructed again; the proposal may come first, the one before may come again.
    let first = desk.proposal(PEER, "T-1", 6, 1);
    desk.custodian.advance(1_000);
    let second = desk.proposal(PEER, "T-1", 6, 2);
    desk.propose(&second).unwrap();
    desk.propose(&first).unwrap();
    desk.instruct(desk.receipt_of(PEER, "T-1", 6)).unwrap();
    assert_eq!(desk.trade("T-1").state, TradeState::Accepted);
    assert_eq!(desk.accepted().pop().unwrap().proposal, second.hash());
    // A trade under way keeps its id, for the same terms and no others.
    desk.custodian.advance(1_000);
    desk.instruct(desk.receipt_of(PEER, "T-1", 6)).unwrap();
    assert_eq!(desk.accepted(), []);
    let other = desk.instruct(desk.receipt_of(PEER, "T-1", 7));
    assert_eq!(other, Err(Reason::DuplicateTrade));
    desk.custodian.assert_deterministic();
}

#[test]
fn ids_that_custodians_give_themselves_are_not_for_instructions() {
    let mut desk = Desk::new();
    for id in ["consolidation-0", "consolidation-", "recovered"] {
        assert_eq!(desk.instruct(desk.receipt_of(PEER, id, 5)), Err(Reason::Malformed), "{id}");
    }
    desk.instruct(desk.receipt_of(PEER, "consolidation", 5)).unwrap();
}

#[test]
fn only_who_has_a_part_in_a_trade_is_in_its_record() {
    let mut desk = Desk::new();
    desk.instruct(desk.receipt_of(PEER, "T-1", 5)).unwrap();
    desk.propose(&desk.proposal(PEER, "T-1", 5, 1)).unwrap();
    let hash = desk.accepted().remove(0).proposal;
    let abandon = Message::Abandon { proposal: hash, reason: Reason::Abandoned };
    desk.custodian.message(OTHER, abandon.clone()).unwrap();
    assert_eq!(desk.trade("T-1").state, TradeState::Accepted);
    desk.custodian.message(PEER, abandon).unwrap();
    assert_eq!(desk.trade("T-1").state, TradeState::Refused);
    let key = TradeKey { trade_id: text("T-1"), counterparty: PEER, initiates: false };
    let peers = Custodian::records(&desk.custodian.kv, &key).unwrap();
    assert!(peers.iter().all(|record| record.peer == PEER), "{peers:?}");
    assert!(peers.iter().any(|record| record.kind == 4 && !record.sent));
}

#[test]
fn two_assets_see_unrelated_accounts_of_one_investor() {
    // Enforces [NOTE-2]: with one account for all, registrars could tell that two customers are one.
    let desk = Desk::new();
    let assets =
        ["BOND", "CASH", "FUND"].map(|code| desk.network.terms(code, &[0], &mut rng(1)).asset());
    let custodian = &desk.custodian.machine;
    let seeds = ["ichi", "ni"].map(|name| custodian.investor_seed(&text(name)));
    let mut seen = std::collections::BTreeSet::new();
    for seed in &seeds {
        for asset in assets {
            assert!(seen.insert(seed.account(asset).public()));
            // Nor does a nonce that is used for two assets join them.
            assert!(seen.insert(seed.slot(asset, &[0; 32]).owner()));
        }
    }
}
