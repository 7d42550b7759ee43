//! Tests of the registrar with real proofs; each file asks one question.

mod account;
mod approve;
mod assets;
mod cancel;
mod finalise;
mod gather;
mod holdings;
mod issue;
mod joint;
mod past;
mod snapshot;
mod statement;

use rand_chacha::ChaCha20Rng;
use sudare_crypto::{Bounded, Hash, NodeId, NodeSignature};
use sudare_disclosure::{AssetId, AssetTerms};

use super::{Allotment, Instruction, IssueOrder, Registrar, audit_state};
use crate::messages::{Acceptance, ApprovalRequest, Finalisation, Message, Reason, Settlement};
use crate::slot::SignedSlot;
use crate::testing::{
    Assembled, Driver, Held, NOW, Network, TestCustodian, assemble, leg, rng, text, trade,
};
use crate::transaction::{TxId, Window, commit_id, tags_root, tx_id};

/// A registrar with one asset, and two custodians: `a` acts for alice and anna, `b` for bob.
pub(super) struct World {
    pub(super) net: Network,
    pub(super) terms: AssetTerms,
    pub(super) registrar: Driver<Registrar>,
    pub(super) a: TestCustodian,
    pub(super) b: TestCustodian,
    pub(super) rng: ChaCha20Rng,
}

impl World {
    /// The asset is open, accounts are registered, nothing is issued.
    pub(super) fn empty() -> Self {
        let (net, mut rng) = (Network::new(), rng(1));
        let terms = net.terms("JP3000000001", &[NOW - 1_000, NOW + 3_600_000], &mut rng);
        let machine = Registrar::new(net.id, net.registrar.clone(), net.master.clone());
        let registrar = Driver::new(machine, NOW);
        let (a, b) = (TestCustodian::new(1), TestCustodian::new(2));
        let mut world = Self { net, terms, registrar, a, b, rng };
        let signed = world.net.signed(world.terms.clone());
        world.registrar.instruct(Instruction::OpenAsset(Box::new(signed))).unwrap();
        world.register(1, "alice");
        world.register(1, "anna");
        world.register(2, "bob");
        world
    }

    /// Alice holds notes of 100 and 50.
    pub(super) fn new() -> Self {
        let mut world = Self::empty();
        world.issue("issue-1", &[("alice", 100), ("alice", 50)]);
        world
    }

    pub(super) fn asset(&self) -> AssetId {
        self.terms.asset()
    }

    pub(super) fn custodian(&mut self, number: u8) -> &mut TestCustodian {
        if number == 1 { &mut self.a } else { &mut self.b }
    }

    pub(super) fn register(&mut self, number: u8, name: &str) {
        let (network, asset, mut rng) = (self.net.id, self.asset(), self.rng.clone());
        let custodian = self.custodian(number);
        let request = custodian.registration(network, asset, name, &mut rng);
        let from = custodian.id();
        self.registrar.message(from, Message::RegisterAccount(request)).unwrap();
        let sent = self.registrar.sent();
        assert!(matches!(sent[..], [(_, Message::AccountRegistered { refused: None, .. })]));
    }

    /// Orders an issue; everybody is a customer of `a` but bob.
    pub(super) fn order(&self, reference: &str, allotments: &[(&str, u64)]) -> IssueOrder {
        let numbered = allotments.iter().enumerate();
        let allotments = numbered.map(|(place, (name, quantity))| Allotment {
            trade_id: text(&format!("{reference}-{place}")),
            custodian: if *name == "bob" { self.b.id() } else { self.a.id() },
            quantity: *quantity,
        });
        IssueOrder {
            reference: text(reference),
            asset: self.asset(),
            allotments: allotments.collect::<Vec<_>>().try_into().unwrap(),
            trade: trade(reference),
        }
    }

    /// Issues, through all steps.
    pub(super) fn issue(&mut self, reference: &str, allotments: &[(&str, u64)]) {
        let order = self.order(reference, allotments);
        self.registrar.instruct(Instruction::Issue(Box::new(order))).unwrap();
        for (place, (to, message)) in self.registrar.sent().into_iter().enumerate() {
            let Message::Propose(proposal, None) = message else { panic!("{message:?}") };
            assert_eq!((proposal.initiator, proposal.counterparty), (self.net.registrar.id(), to));
            let slot = self.slot(allotments[place].0, proposal.hash());
            let acceptance = Acceptance { proposal: proposal.hash(), slot, payment: None };
            self.registrar.message(to, Message::Accept(acceptance)).unwrap();
        }
        self.registrar.work();
        self.notarise_issue();
        self.take_settlements();
        self.assert_sound();
    }

    /// Plays the notary for an issue that waits for it.
    pub(super) fn notarise_issue(&mut self) {
        let mut sent = self.registrar.sent();
        assert_eq!(sent.len(), 1);
        let (to, Message::Notarise(part)) = sent.remove(0) else { panic!("not notarised") };
        assert_eq!((to, part.tags.len(), part.openings.len()), (self.net.notary.id(), 1, 1));
        let root = tags_root(&part.tags).unwrap();
        let tx = tx_id(part.legs_root, root, self.net.id, to, part.window);
        let time = self.registrar.now;
        let entry = crate::log::NotaryEntry {
            version: sudare_crypto::encoding::Version,
            commit: commit_id(tx, part.approvals_root),
            tags_root: root,
            time,
        };
        let receipt = crate::log::Receipt::sign(self.net.id, tx, entry, 0, &self.net.notary);
        self.registrar.message(to, Message::Notarised(receipt)).unwrap();
        self.registrar.work();
    }

    /// A slot of this investor for its custodian.
    pub(super) fn slot(&mut self, name: &str, proposal: Hash) -> SignedSlot {
        let (terms, now, mut rng) = (self.terms.clone(), self.registrar.now, self.rng.clone());
        let custodian = if name == "bob" { &mut self.b } else { &mut self.a };
        let slot = custodian.slot(&terms, now, name, proposal, &mut rng);
        self.rng = rng;
        slot
    }

    pub(super) fn window(&self) -> Window {
        Window::around(self.registrar.now, 30_000)
    }

    /// A transaction of one leg: these notes, to these investors.
    pub(super) fn transfer(&mut self, inputs: &[Held], outputs: &[(&str, u64)]) -> Assembled {
        let mut slots = Vec::new();
        for (name, quantity) in outputs {
            slots.push((self.slot(name, Hash::default()), *quantity));
        }
        self.transfer_into(inputs, slots)
    }

    pub(super) fn transfer_into(
        &mut self,
        inputs: &[Held],
        slots: Vec<(SignedSlot, u64)>,
    ) -> Assembled {
        let (now, window) = (self.registrar.now, self.window());
        let draft = leg(&self.terms, now, inputs, slots, trade("trade-1"), &mut self.rng).unwrap();
        assemble(&self.net, window, vec![draft], &mut self.rng)
    }

    /// Alice's first note goes to bob, with 60 of its 100 for him.
    pub(super) fn usual(&mut self) -> Assembled {
        let note = self.a.notes[0].clone();
        self.transfer(&[note], &[("bob", 60), ("alice", 40)])
    }

    /// Asks for an approval, and gives the answers.
    pub(super) fn ask(
        &mut self,
        from: NodeId,
        request: ApprovalRequest,
    ) -> Result<NodeSignature, Reason> {
        let about = request.transaction.id();
        self.registrar.message(from, Message::Approve(request))?;
        self.registrar.work();
        let mut sent = self.registrar.sent();
        assert_eq!(sent.len(), 1, "one answer");
        match sent.remove(0) {
            (to, Message::Approved { tx, outcome, .. }) => {
                assert_eq!((to, Some(tx)), (from, about));
                outcome
            }
            other => panic!("{other:?}"),
        }
    }

    /// Asks for the approval of a transaction's first leg as `a`.
    pub(super) fn approve(&mut self, assembled: &Assembled) -> Result<NodeSignature, Reason> {
        self.ask(self.a.id(), assembled.request(0))
    }

    /// Approves, notarises and finalises a transaction of one leg by `a`.
    pub(super) fn settle(&mut self, assembled: &Assembled) {
        let approval = self.approve(assembled).unwrap();
        let finalisation = self.finalisation(assembled, &[approval]);
        assert_eq!(self.finalise(finalisation), Vec::new());
    }

    pub(super) fn finalisation(
        &mut self,
        assembled: &Assembled,
        approvals: &[NodeSignature],
    ) -> Finalisation {
        let commit = assembled.commit(approvals);
        let receipt = self.net.receipt(&commit, self.registrar.now);
        assembled.finalisation(0, &commit, receipt, &mut self.rng)
    }

    /// Brings a finalisation as `a`: hands out what is settled, and gives the refusals.
    pub(super) fn finalise(&mut self, finalisation: Finalisation) -> Vec<(TxId, Reason)> {
        self.registrar.message(self.a.id(), Message::Finalise(finalisation)).unwrap();
        self.registrar.work();
        let refused = self.take_settlements();
        self.assert_sound();
        refused
    }

    /// Hands out what the registrar sent, and gives the refusals.
    pub(super) fn take_settlements(&mut self) -> Vec<(TxId, Reason)> {
        let mut refused = Vec::new();
        for (to, message) in self.registrar.sent() {
            match message {
                Message::Settled(settlement) => {
                    self.check_settlement(&settlement);
                    let terms = self.terms.clone();
                    let custodian = if to == self.a.id() { &mut self.a } else { &mut self.b };
                    assert_eq!(to, custodian.id());
                    custodian.receive(&terms, &settlement);
                }
                Message::NotFinal { tx, reason, .. } => refused.push((tx, reason)),
                other => panic!("{other:?}"),
            }
        }
        refused
    }

    /// A receiver's certificate: approvals under `m`, the receipt, and the place in the log under a signed checkpoint.
    fn check_settlement(&self, settlement: &Settlement) {
        settlement.commit.check().unwrap();
        assert!(settlement.receipt.is_of(&settlement.commit));
        let transaction = &settlement.commit.transaction;
        let leaf = crate::log::EntryLeaf::Leg {
            tx: transaction.id().unwrap(),
            index: settlement.index,
            root: transaction.legs[usize::from(settlement.index)].root,
            body: settlement.entry.body,
        };
        let signed = crate::tree::SignedCheckpoint::parse(&settlement.entry.checkpoint).unwrap();
        let origin = super::origin(self.net.id, self.asset()).unwrap();
        let checkpoint = signed.open(&origin, &self.net.registrar.id()).unwrap();
        let (index, size) = (settlement.entry.index, checkpoint.size);
        settlement.entry.path.verify(&leaf.hash(), index, size, &checkpoint.root).unwrap();
    }

    pub(super) fn assert_sound(&self) {
        assert_eq!(audit_state(&self.registrar.kv).unwrap(), Vec::new());
    }

    /// Whether nothing is locked or reserved.
    pub(super) fn assert_free(&self) {
        let kv = &self.registrar.kv;
        assert_eq!(super::state::LOCKS.rows(kv, None, 10).unwrap(), Vec::new());
        let owners = super::state::OWNERS.rows(kv, None, 1000).unwrap();
        let reserved =
            |owner: &super::state::Owner| matches!(owner, super::state::Owner::Reserved(_));
        assert!(!owners.iter().any(|(_, owner)| reserved(owner)));
        assert_eq!(Registrar::asset(kv, self.asset()).unwrap().unwrap().asset.pending, 0);
    }

    /// What an investor holds according to the register.
    pub(super) fn holds(&self, name: &str) -> u128 {
        let custodian = if name == "bob" { &self.b } else { &self.a };
        let account = custodian.account(self.asset(), name);
        let holding = Registrar::holding(&self.registrar.kv, self.asset(), account);
        holding.unwrap().unwrap().quantity
    }
}

pub(super) fn list<T, const MAX: usize>(items: Vec<T>) -> Bounded<T, MAX> {
    Bounded::new(items).unwrap()
}
