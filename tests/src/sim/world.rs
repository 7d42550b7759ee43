//! A small market in the simulator: a notary, two registrars with an asset each, custodians with investors.

use std::collections::{BTreeMap, BTreeSet};

use sudare_crypto::encoding::decode;
use sudare_crypto::{Encoded, Hash, NodeId, NodeKey, Text};
use sudare_disclosure::{AssetId, AssetTerms};
use sudare_ledger::custodian::{
    Balance, Custodian, Instruction, Movement, Side, TradeInstruction, TradeState, TradeView,
};
use sudare_ledger::leg::TradeInfo;
use sudare_ledger::log::{Entry, FinalLeg};
use sudare_ledger::messages::Reason;
use sudare_ledger::notary::Notary;
use sudare_ledger::registrar::{
    Allotment, AssetView, Instruction as RegistrarInstruction, IssueOrder, IssueState, LegState,
    LegView, Registrar, audit_state,
};
use sudare_ledger::role::{Answer, Role};
use sudare_ledger::testing::{NOW, Network, rng, text};

use super::{Host, Sim, Station};

/// The investors of every custodian.
const INVESTORS: [&str; 2] = ["ichi", "ni"];

/// An investor of a custodian.
#[derive(Clone, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub struct Party {
    /// The custodian's node.
    pub custodian: NodeId,
    /// The investor.
    pub investor: Text<35>,
}

/// A trade as its two sides agreed on it: a transfer, or delivery versus payment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deal {
    /// 取引ID.
    pub id: Text<35>,
    /// Who initiates and delivers.
    pub seller: Party,
    /// Who receives.
    pub buyer: Party,
    /// What is delivered, atomic units.
    pub delivers: (AssetId, u64),
    /// What is paid, atomic units.
    pub pays: Option<(AssetId, u64)>,
    /// How long the instructions are valid, ms.
    pub valid_ms: u64,
    /// How long slots are valid, ms.
    pub slot_ms: u64,
    /// The length of the window, ms.
    pub window_ms: u64,
}

impl Deal {
    /// The seller's instruction at `now`.
    pub fn sell(&self, now: u64) -> TradeInstruction {
        let deliver = Some(movement(self.delivers, &self.seller));
        let receive = self.pays.map(|pays| movement(pays, &self.seller));
        self.instruction(now, self.buyer.custodian, Side::Initiator, deliver, receive)
    }

    /// The buyer's instruction at `now`.
    pub fn buy(&self, now: u64) -> TradeInstruction {
        let deliver = self.pays.map(|pays| movement(pays, &self.buyer));
        let receive = Some(movement(self.delivers, &self.buyer));
        self.instruction(now, self.seller.custodian, Side::Counterparty, deliver, receive)
    }

    fn instruction(
        &self,
        now: u64,
        counterparty: NodeId,
        side: Side,
        deliver: Option<Movement>,
        receive: Option<Movement>,
    ) -> TradeInstruction {
        TradeInstruction {
            counterparty,
            side,
            deliver,
            receive,
            trade: TradeInfo {
                trade_id: self.id.clone(),
                delivery_date: text("2027-01-15"),
                kind: text("transfer"),
                ..TradeInfo::default()
            },
            reference: text("a reference"),
            expires_at: now.saturating_add(self.valid_ms),
            slot_ms: self.slot_ms,
            window_ms: self.window_ms,
        }
    }
}

/// The market.
#[allow(missing_debug_implementations, reason = "machines hold keys")]
pub struct World {
    /// Its nodes.
    pub sim: Sim,
    /// The notary of all assets.
    pub notary: NodeId,
    /// A security; its registrar is [`AssetTerms::core`]'s.
    pub bond: AssetId,
    /// Money, at another registrar.
    pub cash: AssetId,
    /// The networks as each registrar sees them, for tests that need keys.
    pub networks: [Network; 2],
    /// The terms of all assets.
    pub terms: BTreeMap<AssetId, AssetTerms>,
    /// The custodians, in order.
    pub custodians: Vec<Custodian>,
    issues: u32,
}

impl World {
    /// Three custodians with two investors each, all with accounts for both assets; the first investor of each has 1,000 bonds
    /// and 1,000,000 of money.
    pub fn new(seed: u64) -> Self {
        let mut world = Self::empty(seed, 3);
        let parties: Vec<Party> = (0..3).map(|number| world.party(number, 0)).collect();
        let (bond, cash) = (world.bond, world.cash);
        let each = |quantity: u64| {
            parties.iter().map(|party| (party.clone(), quantity)).collect::<Vec<_>>()
        };
        let (bonds, money) = (each(1_000), each(1_000_000));
        world.issue(bond, &bonds);
        world.issue(cash, &money);
        world
    }

    /// As [`World::new`] with this many custodians, and nothing issued.
    pub fn empty(seed: u64, custodians: u8) -> Self {
        let first = Network::new();
        let second = Network { registrar: NodeKey::from_seed(&[111; 32]), ..Network::new() };
        let random = &mut rng(seed);
        let mut sim = Sim::new(seed, NOW);
        let entropy = |id: NodeId| Hash::of(b"sudare/sim/node", &[&seed.to_le_bytes(), &id.0]);
        let notary = Notary::new(first.id, first.notary.clone());
        let notary_id = first.notary.id();
        let station = Host::new(notary, Role::Notary, entropy(notary_id));
        sim.add(notary_id, Box::new(station));
        let (mut terms, mut ids) = (BTreeMap::new(), Vec::new());
        for (network, code) in [(&first, "BOND"), (&second, "CASH")] {
            let id = network.registrar.id();
            let master = network.master.clone();
            let registrar = Registrar::new(network.id, network.registrar.clone(), master);
            sim.add(id, Box::new(Host::new(registrar, Role::Registrar, entropy(id))));
            let asset = network.terms(code, &[0], random);
            let open = RegistrarInstruction::OpenAsset(Box::new(network.signed(asset.clone())));
            sim.instruct(id, &open).unwrap();
            ids.push(asset.asset());
            terms.insert(asset.asset(), asset);
        }
        let mut made = Vec::new();
        for number in 1..=custodians {
            let key = NodeKey::from_seed(&[number; 32]);
            let (id, master) = (key.id(), sudare_crypto::derive::Seed([number; 32]));
            let custodian = Custodian { network: first.id, key, master };
            made.push(custodian.clone());
            sim.add(id, Box::new(Host::new(custodian, Role::Custodian, entropy(id))));
            for terms in terms.values() {
                let (asset, registrar) = (terms.asset(), terms.core.registrar);
                sim.instruct(id, &Instruction::AddAsset { asset, registrar }).unwrap();
                for investor in INVESTORS {
                    let investor = text(investor);
                    sim.instruct(id, &Instruction::AddAccount { asset, investor }).unwrap();
                }
            }
        }
        sim.rest();
        Self {
            sim,
            notary: notary_id,
            bond: ids[0],
            cash: ids[1],
            networks: [first, second],
            terms,
            custodians: made,
            issues: 0,
        }
    }

    /// Adds a node for which the test acts.
    pub fn add(&mut self, id: NodeId, station: impl Station + 'static) {
        self.sim.add(id, Box::new(station));
    }

    /// An investor of a custodian, by their numbers.
    pub fn party(&self, custodian: usize, investor: usize) -> Party {
        let custodian = self.custodians[custodian].key.id();
        Party { custodian, investor: text(INVESTORS[investor]) }
    }

    /// The registrar of an asset.
    pub fn registrar(&self, asset: AssetId) -> NodeId {
        self.terms[&asset].core.registrar
    }

    /// The account of an investor.
    pub fn account(&self, party: &Party, asset: AssetId) -> Encoded {
        let custodian = self.custodians.iter().find(|one| one.key.id() == party.custodian);
        custodian.unwrap().investor_seed(&party.investor).account(asset).public()
    }

    /// A transfer of bonds.
    pub fn transfer(&self, id: &str, seller: &Party, buyer: &Party, quantity: u64) -> Deal {
        Deal {
            id: text(id),
            seller: seller.clone(),
            buyer: buyer.clone(),
            delivers: (self.bond, quantity),
            pays: None,
            valid_ms: 300_000,
            slot_ms: 300_000,
            window_ms: 30_000,
        }
    }

    /// Bonds against money.
    pub fn dvp(&self, id: &str, seller: &Party, buyer: &Party, bonds: u64, money: u64) -> Deal {
        Deal { pays: Some((self.cash, money)), ..self.transfer(id, seller, buyer, bonds) }
    }

    /// Instructs the seller.
    pub fn sell(&mut self, deal: &Deal) -> Answer {
        let instruction = Instruction::Trade(Box::new(deal.sell(self.sim.now)));
        self.sim.instruct(deal.seller.custodian, &instruction)
    }

    /// Instructs the buyer.
    pub fn buy(&mut self, deal: &Deal) -> Answer {
        let instruction = Instruction::Trade(Box::new(deal.buy(self.sim.now)));
        self.sim.instruct(deal.buyer.custodian, &instruction)
    }

    /// Instructs both sides, who both accept.
    pub fn begin(&mut self, deal: &Deal) {
        self.buy(deal).unwrap();
        self.sell(deal).unwrap();
    }

    /// Begins a deal and lets everything come to rest: it is settled, and the books are in order.
    pub fn settle(&mut self, deal: &Deal) {
        self.begin(deal);
        self.sim.rest();
        self.assert_settled(deal);
        self.check();
    }

    /// Orders an issue to these parties, each of whom expects it; gives their trades' ids.
    pub fn order_issue(&mut self, asset: AssetId, to: &[(Party, u64)]) -> Vec<Text<35>> {
        let number = self.issues;
        self.issues += 1;
        let registrar = self.registrar(asset);
        let (mut allotments, mut ids) = (Vec::new(), Vec::new());
        for (place, (party, quantity)) in to.iter().enumerate() {
            let id: Text<35> = text(&format!("issue-{number}-{place}"));
            let deal = Deal {
                delivers: (asset, *quantity),
                id: id.clone(),
                ..self.transfer("", &Party { custodian: registrar, ..party.clone() }, party, 0)
            };
            self.buy(&deal).unwrap();
            let (trade_id, custodian, quantity) = (id.clone(), party.custodian, *quantity);
            allotments.push(Allotment { trade_id, custodian, quantity });
            ids.push(id);
        }
        let order = IssueOrder {
            reference: text(&format!("issue-{number}")),
            asset,
            allotments: allotments.try_into().unwrap(),
            trade: TradeInfo { delivery_date: text("2027-01-15"), ..TradeInfo::default() },
        };
        let instruction = RegistrarInstruction::Issue(Box::new(order));
        self.sim.instruct(registrar, &instruction).unwrap();
        ids
    }

    /// Issues to these parties.
    pub fn issue(&mut self, asset: AssetId, to: &[(Party, u64)]) {
        let ids = self.order_issue(asset, to);
        self.sim.rest();
        for (id, (party, _)) in ids.iter().zip(to) {
            let views = self.trades(party.custodian, id);
            assert!(views.iter().all(|view| view.state == TradeState::Settled), "{views:?}");
        }
        let reference = text(&format!("issue-{}", self.issues - 1));
        let kv = self.sim.kv(self.registrar(asset));
        let issue = Registrar::issue_view(kv, &reference).unwrap().unwrap();
        assert!(matches!(issue.state, IssueState::Final { .. }), "{issue:?}");
        self.check();
    }

    /// All sides of a trade at a custodian.
    pub fn trades(&self, custodian: NodeId, id: &Text<35>) -> Vec<TradeView> {
        Custodian::trade(self.sim.kv(custodian), id).unwrap()
    }

    /// The seller's side of a deal.
    pub fn seller(&self, deal: &Deal) -> TradeView {
        side(&self.sim, deal.seller.custodian, &deal.id, Side::Initiator).expect("the seller's")
    }

    /// The buyer's side of a deal.
    pub fn buyer(&self, deal: &Deal) -> TradeView {
        side(&self.sim, deal.buyer.custodian, &deal.id, Side::Counterparty).expect("the buyer's")
    }

    /// Handles events until the seller's side is in a state.
    pub fn until_seller(&mut self, deal: &Deal, state: TradeState) {
        let what = format!("{} at the seller's", state);
        self.sim.run_until(&what, |sim| {
            side(sim, deal.seller.custodian, &deal.id, Side::Initiator)
                .is_some_and(|view| view.state == state)
        });
    }

    /// Handles events until the buyer's side is in a state.
    pub fn until_buyer(&mut self, deal: &Deal, state: TradeState) {
        let what = format!("{} at the buyer's", state);
        self.sim.run_until(&what, |sim| {
            side(sim, deal.buyer.custodian, &deal.id, Side::Counterparty)
                .is_some_and(|view| view.state == state)
        });
    }

    /// The deal is settled on both sides.
    pub fn assert_settled(&self, deal: &Deal) {
        let (seller, buyer) = (self.seller(deal), self.buyer(deal));
        let states = (seller.state, buyer.state);
        assert_eq!(states, (TradeState::Settled, TradeState::Settled), "{seller:?}\n{buyer:?}");
        assert_eq!((seller.reason, buyer.reason), (None, None), "a settled trade has no reason");
    }

    /// The deal is refused on both sides, with these reasons at seller and buyer.
    pub fn assert_refused(&self, deal: &Deal, seller: Reason, buyer: Reason) {
        let views = (self.seller(deal), self.buyer(deal));
        let states = (views.0.state, views.1.state);
        assert_eq!(states, (TradeState::Refused, TradeState::Refused), "{views:?}");
        assert_eq!((views.0.reason, views.1.reason), (Some(seller), Some(buyer)));
    }

    /// What a party has.
    pub fn balance(&self, party: &Party, asset: AssetId) -> Balance {
        let accounts = Custodian::accounts(self.sim.kv(party.custodian), None, usize::MAX).unwrap();
        let mut own = accounts
            .into_iter()
            .filter(|view| view.asset == asset && view.investor == party.investor);
        own.next().expect("an account").balance
    }

    /// An asset at its registrar.
    pub fn asset(&self, asset: AssetId) -> AssetView {
        Registrar::asset(self.sim.kv(self.registrar(asset)), asset).unwrap().unwrap()
    }

    /// The legs of a deal's transaction that its registrars know, bond first.
    pub fn legs(&self, deal: &Deal) -> Vec<LegView> {
        let Some(tx) = self.seller(deal).tx.or(self.buyer(deal).tx) else { return Vec::new() };
        let registrars: BTreeSet<NodeId> =
            self.terms.values().map(|terms| terms.core.registrar).collect();
        let legs = registrars.into_iter().flat_map(|registrar| {
            Registrar::transaction(self.sim.kv(registrar), tx, self.sim.now).unwrap()
        });
        let mut legs: Vec<_> = legs.collect();
        legs.sort_by_key(|leg| leg.key);
        legs
    }

    /// No leg holds a lock at a registrar, and no trade holds one at a custodian.
    pub fn assert_free(&self) {
        for terms in self.terms.values() {
            let kv = self.sim.kv(terms.core.registrar);
            for leg in Registrar::legs(kv, None, usize::MAX, self.sim.now).unwrap() {
                let held = matches!(leg.standing.state, LegState::Approved { .. });
                assert!(!held, "a leg still holds its locks: {leg:?}");
            }
        }
        for custodian in &self.custodians {
            let kv = self.sim.kv(custodian.key.id());
            for view in Custodian::accounts(kv, None, usize::MAX).unwrap() {
                assert_eq!(view.balance.locked, 0, "{view:?}");
                assert_eq!(view.balance.outgoing, 0, "{view:?}");
            }
        }
    }

    /// The books at rest: every register adds up to its supply, every account has at its custodian what it has in the register,
    /// no tag stands in a log twice.
    pub fn check(&self) {
        self.check_registers();
        for (id, terms) in &self.terms {
            let kv = self.sim.kv(terms.core.registrar);
            for holding in Registrar::holdings(kv, *id, None, usize::MAX).unwrap() {
                let party = Party {
                    custodian: holding.account.custodian,
                    investor: holding.account.investor.clone(),
                };
                if self.custodians.iter().any(|one| one.key.id() == party.custodian) {
                    let balance = self.balance(&party, *id);
                    let own = u128::from(balance.live) + u128::from(balance.locked);
                    assert_eq!(own, holding.quantity, "{party:?}: custodian and register differ");
                }
            }
        }
    }

    /// The registers at any time: each adds up to its supply, and no tag stands in a log twice.
    pub fn check_registers(&self) {
        for (id, terms) in &self.terms {
            let kv = self.sim.kv(terms.core.registrar);
            assert_eq!(audit_state(kv).unwrap(), [], "a register does not add up");
            let asset = self.asset(*id).asset;
            assert_eq!(asset.halted, None);
            let holdings = Registrar::holdings(kv, *id, None, usize::MAX).unwrap();
            let sum: u128 = holdings.iter().map(|holding| holding.quantity).sum();
            assert_eq!(sum, asset.minted - asset.burned, "register and supply differ");
            self.assert_spent_once(*id);
        }
    }

    /// The final legs of an asset's log, in order.
    pub fn final_legs(&self, asset: AssetId) -> Vec<FinalLeg> {
        let kv = self.sim.kv(self.registrar(asset));
        let entries = Registrar::entries(kv, asset, 0, usize::MAX).unwrap();
        let legs = entries.iter().filter_map(|entry| {
            match decode::<Entry>(&entry.bytes, "an entry").unwrap() {
                Entry::Leg(leg) => Some(*leg),
                Entry::Terms(_) | Entry::Snapshot(_) => None,
            }
        });
        legs.collect()
    }

    /// The tags in an asset's log, in order.
    pub fn tags(&self, asset: AssetId) -> Vec<Encoded> {
        let legs = self.final_legs(asset);
        legs.iter().flat_map(|leg| leg.leg.inputs.iter().map(|input| input.tag)).collect()
    }

    /// No tag stands in an asset's log twice.
    pub fn assert_spent_once(&self, asset: AssetId) {
        let tags = self.tags(asset);
        let distinct: BTreeSet<&Encoded> = tags.iter().collect();
        assert_eq!(distinct.len(), tags.len(), "a note was spent twice");
    }

    /// A new delivery versus payment and a new transfer settle, and the books are in order.
    pub fn still_works(&mut self) {
        self.sim.untap();
        let number = self.sim.counts.events;
        let parties: Vec<Party> = (0..self.custodians.len())
            .flat_map(|custodian| [self.party(custodian, 0), self.party(custodian, 1)])
            .collect();
        let has = |asset| {
            let found = parties.iter().filter(|party| self.balance(party, asset).live > 0);
            found.cloned().collect::<Vec<Party>>()
        };
        let (sellers, buyers) = (has(self.bond), has(self.cash));
        let mut pairs = sellers.iter().flat_map(|one| buyers.iter().map(move |other| (one, other)));
        let apart = pairs.find(|(one, other)| one.custodian != other.custodian);
        let (one, other) = apart.map(|(one, other)| (one.clone(), other.clone())).unwrap();
        self.settle(&self.dvp(&format!("probe-dvp-{number}"), &one, &other, 1, 1));
        self.settle(&self.transfer(&format!("probe-{number}"), &other, &one, 1));
        self.assert_free();
    }
}

fn movement((asset, quantity): (AssetId, u64), party: &Party) -> Movement {
    Movement { asset, investor: party.investor.clone(), quantity }
}

fn side(sim: &Sim, custodian: NodeId, id: &Text<35>, side: Side) -> Option<TradeView> {
    let views = Custodian::trade(sim.kv(custodian), id).unwrap();
    views.into_iter().find(|view| view.side == side)
}
