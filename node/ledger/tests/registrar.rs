//! What a registrar makes of legs whose proofs are true and whose memos are false.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test: a panic is its report"
)]

mod common;

use std::collections::BTreeMap;

use borsh::BorshDeserialize;
use common::*;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::encode;
use sudare_crypto::{NodeId, Scalar, Secret};
use sudare_disclosure::{Epoch, SectionKind};
use sudare_ledger::kv::{MemoryKv, Tx};
use sudare_ledger::leg::{Leg, LegSalt};
use sudare_ledger::messages::{ApprovalRequest, Message, Reason};
use sudare_ledger::registrar::{Instruction, Job, Outcome, Registrar};
use sudare_ledger::role::{Event, JOBS, Machine, Moment, OUTBOX};
use sudare_ledger::transaction::{LegRef, Transaction, Window, tag_hash};

/// A registrar with one open asset, of which nothing is issued.
struct Desk {
    registrar: Registrar,
    asset: Asset,
    kv: MemoryKv,
}

impl Desk {
    fn new() -> Self {
        let (mut asset, rng) = (Asset::new("JP0000000001", &[], &mut rng(1)), &mut rng(2));
        let desk = Registrar::new(network(), registrar(), Seed([102; 32]));
        let (id, opens_at) = (asset.terms.asset(), NOW - 1);
        let key = desk.disclosure(id, 0).publish(&desk.key_purpose(id, 0), rng).unwrap();
        let epoch = Epoch { number: 0, opens_at, keys: vec![key].try_into().unwrap() };
        asset.terms.policy.epochs = vec![epoch].try_into().unwrap();
        let signed = Box::new(asset.signed());
        let mut desk = Self { registrar: desk, asset, kv: MemoryKv::default() };
        desk.handle(Event::Instruct(Instruction::OpenAsset(signed)));
        desk
    }

    fn handle(&mut self, event: Event<Instruction, Outcome>) {
        let tx = Tx::new(&self.kv);
        let moment = Moment { now: NOW, entropy: [3; 32] };
        self.registrar.handle(&tx, &moment, event).unwrap().unwrap();
        let writes = tx.into_writes();
        self.kv.apply(writes);
    }

    /// Why it refuses to approve a leg.
    fn refuses(&mut self, from: NodeId, request: ApprovalRequest) -> Reason {
        self.handle(Event::Message { from, message: Message::Approve(request) });
        let (number, job) = JOBS.rows(&self.kv, None, 1).unwrap().remove(0);
        let job = Job::try_from_slice(&job).unwrap();
        let outcome = self.registrar.perform(&self.kv, &job, [4; 32]).unwrap();
        self.handle(Event::Done { job: number.0, outcome });
        let (_, sent) = OUTBOX.rows(&self.kv, None, usize::MAX).unwrap().pop().unwrap();
        match sent.message {
            Message::Approved { outcome: Err(reason), .. } => reason,
            other => panic!("{other:?}"),
        }
    }
}

/// Asks for the approval of a leg in a transaction of its own.
fn request(leg: Leg, number: u8) -> ApprovalRequest {
    let (salt, tag_salt) = (LegSalt([number; 32]), [8; 32]);
    let tag = tag_hash(&tag_salt, &leg.inputs[0].tag);
    let root = leg.root(0, &salt);
    let transaction = Transaction {
        version: sudare_crypto::encoding::Version,
        network: network(),
        notary: notary().id(),
        window: Window::around(NOW, 30_000),
        salt: [number; 32],
        legs: vec![LegRef { registrar: registrar().id(), root }].try_into().unwrap(),
        tags: vec![tag].try_into().unwrap(),
    };
    let tag_salts = vec![tag_salt].try_into().unwrap();
    ApprovalRequest { transaction, index: 0, leg, salt, tag_salts }
}

#[test]
fn a_memo_that_does_not_say_what_the_leg_commits_to_is_refused_whatever_its_section() {
    // Enforces [SEC-4] (!) and the second half of [APR-8] at the registrar: every equation of these legs holds.
    let (mut desk, rng) = (Desk::new(), &mut rng(1));
    let asset = desk.asset.clone();
    let (alice, bob) = (Holder::new(1), Holder::new(2));
    let spends = vec![alice.note(&asset, 100, rng)];
    let pays = vec![(bob.slot(&asset, 0, rng), 70), (alice.slot(&asset, 0, rng), 30)];
    let plan = Plan::transfer(spends, pays);
    let blinding = Secret(Scalar::from(5_u64));
    let lies = [
        (SectionKind::Opening(0), encode(&(71_u64, blinding.clone()))),
        (SectionKind::Opening(1), encode(&(30_u64, blinding))),
        (SectionKind::Opening(1), b"rubbish".to_vec()),
        (SectionKind::Parties, vec![0xff; 9]),
        (SectionKind::Trade, vec![0xff; 9]),
        (SectionKind::Links, vec![0xff; 9]),
    ];
    for (number, (kind, content)) in (1u8..).zip(lies) {
        let lie = BTreeMap::from([(kind, content)]);
        let leg = plan.draft_with(&asset, &lie, rng).prove(rng);
        let refused = desk.refuses(alice.id(), request(leg, number));
        assert_eq!(refused, Reason::Memo, "{kind:?}");
    }
    // With true memos it is only that nobody ever issued the note.
    let leg = plan.draft(&asset, rng).prove(rng);
    let refused = desk.refuses(alice.id(), request(leg, 0));
    assert_eq!(refused, Reason::UnknownNote);
}
