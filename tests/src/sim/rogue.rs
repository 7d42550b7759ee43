//! A custodian for which a test acts: it holds keys and notes and says whatever the test wants.

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use sudare_crypto::encoding::Version;
use sudare_crypto::proof::tag::{self, SpendKey};
use sudare_crypto::{Hash, NodeId, NodeSignature};
use sudare_disclosure::AssetId;
use sudare_ledger::kv::MemoryKv;
use sudare_ledger::log::Receipt;
use sudare_ledger::messages::{
    Acceptance, ApprovalRequest, CounterPart, Finalisation, Message, NotaryPart, Proposal,
    ProposedLeg, Reason, Share, TagOpening,
};
use sudare_ledger::registrar::{Allotment, Instruction, IssueOrder};
use sudare_ledger::role::{Answer, Role};
use sudare_ledger::slot::SignedSlot;
use sudare_ledger::testing::{Draft, Held, TestCustodian, leg, rng, text, trade};
use sudare_ledger::transaction::{
    Commit, LegRef, Transaction, Window, join_tags, padded, tag_hash,
};

use super::{Deal, Party, Puppet, World};

const INVESTOR: &str = "mal";

/// The rogue.
#[allow(missing_debug_implementations, reason = "holds keys")]
pub struct Rogue {
    /// Its keys, slots and notes.
    pub own: TestCustodian,
    /// Its randomness.
    pub rng: ChaCha20Rng,
}

/// A leg of the rogue's with its part's tags.
#[allow(missing_debug_implementations, reason = "holds keys")]
pub struct RoguePart {
    /// The leg.
    pub draft: Draft,
    /// Which leg of its transaction.
    pub index: u8,
    /// Salt and key of every tag, inputs first.
    pub tags: Vec<([u8; 32], SpendKey)>,
}

impl RoguePart {
    /// The leg as a transaction names it.
    pub fn leg_ref(&self) -> LegRef {
        let root = self.draft.built.leg.root(self.index, &self.draft.built.salt);
        LegRef { registrar: self.draft.registrar, root }
    }

    /// The hashes of its tags.
    pub fn hashes(&self) -> Vec<Hash> {
        let mut hashes: Vec<_> =
            self.tags.iter().map(|(salt, key)| tag_hash(salt, &key.tag())).collect();
        hashes.sort_unstable();
        hashes
    }

    /// What the initiator must know of it.
    pub fn counter_part(&self) -> CounterPart {
        CounterPart { root: self.leg_ref().root, tags: self.hashes().try_into().unwrap() }
    }

    /// What its registrar is asked.
    pub fn request(&self, transaction: &Transaction) -> ApprovalRequest {
        let inputs = self.draft.built.leg.inputs.len();
        let salts: Vec<_> = self.tags.iter().take(inputs).map(|(salt, _)| *salt).collect();
        ApprovalRequest {
            transaction: transaction.clone(),
            index: self.index,
            leg: self.draft.built.leg.clone(),
            salt: self.draft.built.salt,
            tag_salts: salts.try_into().unwrap(),
        }
    }

    /// What it shows of the output with this number.
    pub fn share(&self, transaction: &Transaction, approval: NodeSignature, output: u8) -> Share {
        let built = &self.draft.built;
        let components = built.leg.tear_off(self.index, &built.salt, output).unwrap();
        Share { tx: transaction.id().unwrap(), index: self.index, approval, components }
    }

    /// The number of its output into this slot.
    pub fn output_into(&self, slot: &SignedSlot) -> u8 {
        let outputs = &self.draft.built.leg.outputs;
        let place = outputs.iter().position(|output| output.slot == *slot).unwrap();
        u8::try_from(place).unwrap()
    }

    /// Its part for the notary, every tag signed.
    pub fn notarise(&self, commit: &Commit, rng: &mut ChaCha20Rng) -> NotaryPart {
        let (transaction, m) = (&commit.transaction, commit.id().unwrap().0);
        let openings = self.tags.iter().map(|(salt, key)| TagOpening {
            salt: *salt,
            tag: key.tag(),
            signature: tag::sign(key, m, rng).unwrap(),
        });
        NotaryPart {
            window: transaction.window,
            legs_root: transaction.legs_root(),
            approvals_root: commit.approvals_root(),
            tags: transaction.tags.clone(),
            openings: openings.collect::<Vec<_>>().try_into().unwrap(),
        }
    }

    /// What its registrar is asked in the end.
    pub fn finalise(
        &self,
        commit: &Commit,
        receipt: Receipt,
        rng: &mut ChaCha20Rng,
    ) -> Finalisation {
        let (keys, m) = (&self.draft.keys, commit.id().unwrap().0);
        let signatures: Vec<_> = keys.iter().map(|key| tag::sign(key, m, rng).unwrap()).collect();
        let signatures = signatures.try_into().unwrap();
        Finalisation { commit: commit.clone(), index: self.index, receipt, signatures }
    }
}

impl Rogue {
    /// Joins the market, with an account and this much of each asset.
    pub fn join(world: &mut World, bonds: u64, money: u64) -> Self {
        let own = TestCustodian::new(66);
        let mut rogue = Self { own, rng: rng(66) };
        world.add(rogue.id(), Puppet(Role::Custodian, MemoryKv::default()));
        world.sim.watch(rogue.id());
        for (asset, quantity) in [(world.bond, bonds), (world.cash, money)] {
            let network = world.networks[0].id;
            let request = rogue.own.registration(network, asset, INVESTOR, &mut rogue.rng);
            let registrar = world.registrar(asset);
            rogue.say(world, registrar, Message::RegisterAccount(request)).unwrap();
            rogue.fund(world, asset, quantity);
        }
        rogue
    }

    /// Its node.
    pub fn id(&self) -> NodeId {
        self.own.id()
    }

    /// Its investor.
    pub fn party(&self) -> Party {
        Party { custodian: self.id(), investor: text(INVESTOR) }
    }

    /// Sends a message; what the addressee answers.
    pub fn say(&self, world: &mut World, to: NodeId, message: Message) -> Answer {
        world.sim.say(self.id(), to, message)
    }

    /// The last message that it got of those that `find` picks.
    pub fn last<T>(&self, world: &World, find: impl Fn(&Message) -> Option<T>) -> Option<T> {
        world.sim.seen(self.id()).iter().rev().find_map(|(_, message)| find(message))
    }

    /// Handles events until it has got a message that `find` picks.
    pub fn wait<T>(
        &self,
        world: &mut World,
        what: &str,
        find: impl Fn(&Message) -> Option<T>,
    ) -> T {
        let id = self.id();
        world
            .sim
            .run_until(what, |sim| sim.seen(id).iter().any(|(_, message)| find(message).is_some()));
        self.last(world, find).unwrap()
    }

    /// A slot of its own.
    pub fn slot(&mut self, world: &World, asset: AssetId, proposal: Hash) -> SignedSlot {
        let terms = &world.terms[&asset];
        self.own.slot(terms, world.sim.now, INVESTOR, proposal, &mut self.rng)
    }

    /// Takes the notes that it has of an asset.
    pub fn notes(&mut self, asset: AssetId) -> Vec<Held> {
        let (taken, kept) = std::mem::take(&mut self.own.notes)
            .into_iter()
            .partition(|held| held.note.asset == asset);
        self.own.notes = kept;
        taken
    }

    /// Builds a leg that pays `quantity` into `slot` and the rest into a slot of its own.
    pub fn build(
        &mut self,
        world: &World,
        index: u8,
        notes: &[Held],
        slot: &SignedSlot,
        quantity: u64,
    ) -> RoguePart {
        let asset = slot.slot.context.asset;
        let worth: u64 = notes.iter().map(|held| held.opening.value).sum();
        let change = self.slot(world, asset, Hash::default());
        let outputs =
            vec![(slot.clone(), quantity), (change, worth.checked_sub(quantity).unwrap())];
        let terms = &world.terms[&asset];
        let draft = leg(terms, world.sim.now, notes, outputs, trade("rogue"), &mut self.rng);
        let draft = draft.unwrap();
        let mut keys = draft.keys.clone();
        keys.resize_with(padded(keys.len()).unwrap(), || SpendKey::random(&mut self.rng));
        let tags = keys.into_iter().map(|key| (self.random(), key)).collect();
        RoguePart { draft, index, tags }
    }

    /// The proposal of a deal in which it is the seller, with a slot for what is paid.
    pub fn proposal(&mut self, world: &World, deal: &Deal) -> (Proposal, Option<SignedSlot>) {
        let legs: Vec<_> = [Some(deal.delivers), deal.pays]
            .into_iter()
            .flatten()
            .map(|(asset, quantity)| ProposedLeg {
                asset,
                terms: world.terms[&asset].hash(),
                epoch: 0,
                quantity,
            })
            .collect();
        let proposal = Proposal {
            version: Version,
            network: world.networks[0].id,
            salt: self.random(),
            trade_id: deal.id.clone(),
            delivery_date: text("2027-01-15"),
            initiator: self.id(),
            counterparty: deal.buyer.custodian,
            expires_at: world.sim.now.saturating_add(deal.valid_ms),
            legs: legs.try_into().unwrap(),
        };
        let slot = deal.pays.map(|(asset, _)| self.slot(world, asset, proposal.hash()));
        (proposal, slot)
    }

    /// A transaction of these legs and tags.
    pub fn transaction(
        &mut self,
        world: &World,
        legs: Vec<LegRef>,
        tags: &[Vec<Hash>],
    ) -> Transaction {
        Transaction {
            version: Version,
            network: world.networks[0].id,
            notary: world.notary,
            window: Window::around(world.sim.now, 30_000),
            salt: self.random(),
            legs: legs.try_into().unwrap(),
            tags: join_tags(tags).unwrap().try_into().unwrap(),
        }
    }

    /// Has a leg of its own approved.
    pub fn approve(
        &mut self,
        world: &mut World,
        part: &RoguePart,
        transaction: &Transaction,
    ) -> Result<NodeSignature, Reason> {
        let (registrar, tx) = (part.draft.registrar, transaction.id().unwrap());
        self.say(world, registrar, Message::Approve(part.request(transaction)))?;
        self.wait(world, "an approval", |message| match message {
            Message::Approved { tx: about, index, outcome }
                if *about == tx && *index == part.index =>
            {
                Some(*outcome)
            }
            _ => None,
        })
    }

    /// Settles a one-leg transaction of its own that pays into a slot.
    pub fn pay(
        &mut self,
        world: &mut World,
        notes: &[Held],
        slot: &SignedSlot,
        quantity: u64,
    ) -> Result<(), Reason> {
        let part = self.build(world, 0, notes, slot, quantity);
        let transaction = self.transaction(world, vec![part.leg_ref()], &[part.hashes()]);
        let approval = self.approve(world, &part, &transaction)?;
        let commit = Commit {
            transaction,
            salt: self.random(),
            approvals: vec![approval].try_into().unwrap(),
        };
        let notary = world.notary;
        let message = part.notarise(&commit, &mut self.rng);
        self.say(world, notary, Message::Notarise(message))?;
        let receipt = self.receipt(world, &commit);
        let message = part.finalise(&commit, receipt, &mut self.rng);
        self.say(world, part.draft.registrar, Message::Finalise(message))?;
        Ok(())
    }

    /// Waits for the receipt of a commit.
    pub fn receipt(&self, world: &mut World, commit: &Commit) -> Receipt {
        self.wait(world, "a receipt", |message| match message {
            Message::Notarised(receipt) if receipt.is_of(commit) => Some(*receipt),
            _ => None,
        })
    }

    /// 32 random bytes.
    pub fn random(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn fund(&mut self, world: &mut World, asset: AssetId, quantity: u64) {
        let (registrar, custodian) = (world.registrar(asset), self.id());
        let reference = format!("rogue-{}", world.sim.counts.events);
        let allotment = Allotment { trade_id: text(&reference), custodian, quantity };
        let order = IssueOrder {
            reference: text(&reference),
            asset,
            allotments: vec![allotment].try_into().unwrap(),
            trade: trade(&reference),
        };
        world.sim.instruct(registrar, &Instruction::Issue(Box::new(order))).unwrap();
        let proposal = self.wait(world, "a proposal", |message| match message {
            Message::Propose(proposal, None) if proposal.initiator == registrar => {
                Some(proposal.hash())
            }
            _ => None,
        });
        let slot = self.slot(world, asset, proposal);
        let acceptance = Acceptance { proposal, slot, payment: None };
        self.say(world, registrar, Message::Accept(acceptance)).unwrap();
        world.sim.rest();
        let settlement = self.last(world, |message| match message {
            Message::Settled(settlement) => Some(settlement.clone()),
            _ => None,
        });
        assert_eq!(self.own.receive(&world.terms[&asset], &settlement.unwrap()), 1);
    }
}
