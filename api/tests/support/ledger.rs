//! A custodian's node for the API: the real state machine in memory, whose registrar answers at once.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;

use sudare_api::flows::{Asking, Erasing, Holding, Node, Unanswered};
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{Version, decode};
use sudare_crypto::{NodeId, NodeKey, Text};
use sudare_disclosure::{AssetId, SignedTerms};
use sudare_ledger::bundle::Bundle;
use sudare_ledger::custodian::{
    AccountState, Custodian, Instruction, Investor, Record, TradeKey, TradeState, TradeView,
};
use sudare_ledger::messages::{Message, Proposal, ProposedLeg, Reason, TradeId};
use sudare_ledger::registrar::{OrderView, RedemptionKey};
use sudare_ledger::role::Role;
use sudare_ledger::testing::{Driver, Network, rng};
use tokio::sync::watch;

/// A security that the node knows.
pub const SECURITY: &str = "ZZ0000000008";
/// Cash that it knows.
pub const CASH: &str = "JPY";

/// A custodian with a registrar's two assets, and another custodian that never answers.
pub struct InMemory {
    custodian: Mutex<Driver<Custodian>>,
    /// The node's key.
    pub key: NodeKey,
    network: Network,
    terms: Vec<SignedTerms>,
    other: NodeId,
    /// Ids of refused trades that were paid after all.
    paid: Mutex<BTreeSet<String>>,
    height: watch::Sender<u64>,
    away: watch::Sender<bool>,
    holdings: Mutex<Vec<Holding>>,
}

impl InMemory {
    pub fn new() -> Self {
        let (network, key) = (Network::new(), NodeKey::from_seed(&[1; 32]));
        let random = &mut rng(1);
        let terms = [SECURITY, CASH].map(|code| network.signed(network.terms(code, &[0], random)));
        let machine = Custodian { network: network.id, key: key.clone(), master: Seed([7; 32]) };
        let mut custodian = Driver::new(machine, super::NOW_MS);
        for signed in &terms {
            let registrar = network.registrar.id();
            let asset = signed.terms.asset();
            custodian.instruct(Instruction::AddAsset { asset, registrar }).unwrap();
            custodian.message(registrar, Message::Terms(signed.clone())).unwrap();
        }
        let _ = custodian.sent();
        Self {
            custodian: Mutex::new(custodian),
            key,
            network,
            terms: terms.into(),
            other: NodeKey::from_seed(&[2; 32]).id(),
            paid: Mutex::default(),
            height: watch::Sender::new(1),
            away: watch::Sender::new(false),
            holdings: Mutex::default(),
        }
    }

    /// Every investor holds this besides.
    pub fn holds(&self, holdings: Vec<Holding>) {
        *self.holdings.lock().unwrap() = holdings;
    }

    /// Whether it answers nothing, as if it was stopping.
    pub fn is_away(&self, away: bool) {
        self.away.send_replace(away);
        self.height.send_modify(|height| *height += 1);
    }

    /// What the node was asked to do with the trades of an id.
    pub fn trades(&self, id: &str) -> Vec<TradeView> {
        let id = TradeId::new(id).unwrap();
        Custodian::trade(&self.custodian.lock().unwrap().kv, &id).unwrap()
    }

    /// A leg pays into the slot of a trade that was refused here: it is settled, as the custodian's rules have it.
    pub fn is_paid(&self, id: &str) {
        self.paid.lock().unwrap().insert(id.to_owned());
        self.height.send_modify(|height| *height += 1);
    }

    /// The other custodian proposes to deliver ten units.
    pub fn proposed(&self, id: &str) {
        let (terms, mut custodian) = (&self.terms[0].terms, self.custodian.lock().unwrap());
        let epoch = terms.policy.epoch_at(custodian.now).unwrap().number;
        let leg = ProposedLeg { asset: terms.asset(), terms: terms.hash(), epoch, quantity: 10 };
        let proposal = Proposal {
            version: Version,
            network: self.network.id,
            salt: [7; 32],
            trade_id: TradeId::new(id).unwrap(),
            delivery_date: Text::new("2031-07-18").unwrap(),
            initiator: self.other,
            counterparty: self.key.id(),
            expires_at: custodian.now + 60_000,
            legs: vec![leg].try_into().unwrap(),
        };
        custodian.message(self.other, Message::Propose(proposal, None)).unwrap();
        let _ = custodian.sent();
        self.height.send_modify(|height| *height += 1);
    }

    /// Its time passes.
    pub fn advance(&self, ms: u64) {
        self.custodian.lock().unwrap().advance(ms);
        self.height.send_modify(|height| *height += 1);
    }

    fn take(&self, bytes: &[u8]) -> Result<(), Unanswered> {
        let instruction = decode(bytes, "an instruction").unwrap();
        let mut custodian = self.custodian.lock().unwrap();
        let answer = custodian.instruct(instruction).map(|_| ());
        for (to, message) in custodian.sent() {
            if let Message::RegisterAccount(request) = message {
                let (asset, account) = (request.asset, request.account);
                let done = Message::AccountRegistered { asset, account, refused: None };
                custodian.message(to, done).unwrap();
            }
        }
        self.height.send_modify(|height| *height += 1);
        answer.map_err(Unanswered::Refused)
    }

    fn here<T>(&self, answer: impl FnOnce() -> Result<T, Unanswered>) -> Result<T, Unanswered> {
        if *self.away.borrow() { Err(Unanswered::Later("away".into())) } else { answer() }
    }
}

impl fmt::Debug for InMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InMemory").finish_non_exhaustive()
    }
}

impl Node for InMemory {
    fn role(&self) -> Role {
        Role::Custodian
    }

    fn member(&self, name: &str) -> Option<(NodeId, Role)> {
        match name {
            "house" => Some((self.key.id(), Role::Custodian)),
            "custodian-b" => Some((self.other, Role::Custodian)),
            "registrar" => Some((self.network.registrar.id(), Role::Registrar)),
            "notary" => Some((self.network.notary.id(), Role::Notary)),
            _ => None,
        }
    }

    fn name_of(&self, id: &NodeId) -> String {
        let known = ["house", "custodian-b", "registrar", "notary"].into_iter();
        let mut named = known.filter(|name| self.member(name).is_some_and(|(one, _)| one == *id));
        named.next().unwrap_or("nobody").to_owned()
    }

    fn heights(&self) -> watch::Receiver<u64> {
        self.height.subscribe()
    }

    fn instruct(&self, instruction: Vec<u8>) -> Asking<'_, ()> {
        Box::pin(async move { self.here(|| self.take(&instruction)) })
    }

    fn assets(&self) -> Asking<'_, Vec<SignedTerms>> {
        Box::pin(async { self.here(|| Ok(self.terms.clone())) })
    }

    fn trade(&self, id: TradeId) -> Asking<'_, Vec<TradeView>> {
        Box::pin(async move {
            self.here(|| {
                let mut trades = Custodian::trade(&self.custodian.lock().unwrap().kv, &id).unwrap();
                if self.paid.lock().unwrap().contains(id.as_str()) {
                    for trade in &mut trades {
                        (trade.state, trade.reason) = (TradeState::Settled, None);
                    }
                }
                Ok(trades)
            })
        })
    }

    fn records(&self, key: TradeKey) -> Asking<'_, Vec<Record>> {
        Box::pin(async move {
            self.here(|| {
                let kv = &self.custodian.lock().unwrap().kv;
                Ok(Custodian::records(kv, &key).unwrap())
            })
        })
    }

    fn issue(&self, _: Text<35>) -> Asking<'_, Option<OrderView>> {
        Box::pin(async { Err(Unanswered::Refused(Reason::WrongRole)) })
    }

    fn redemption(&self, _: RedemptionKey) -> Asking<'_, Option<OrderView>> {
        Box::pin(async { Err(Unanswered::Refused(Reason::WrongRole)) })
    }

    fn account(&self, asset: AssetId, investor: Investor) -> Asking<'_, Option<AccountState>> {
        Box::pin(async move {
            let custodian = self.custodian.lock().unwrap();
            let found = Custodian::account(&custodian.kv, asset, investor).unwrap();
            Ok(found.map(|account| account.state))
        })
    }

    fn holdings(&self, investor: Investor) -> Asking<'_, Vec<Holding>> {
        Box::pin(async move {
            let kv = &self.custodian.lock().unwrap().kv;
            let found = self.terms.iter().filter_map(|signed| {
                let (asset, core) = (signed.terms.asset(), &signed.terms.core);
                let account = Custodian::account(kv, asset, investor.clone()).unwrap()?;
                let units = account.balance.live + account.balance.locked;
                Some(Holding { asset: core.code.to_string(), units })
            });
            let mut found: Vec<Holding> = found.collect();
            found.extend(self.holdings.lock().unwrap().iter().cloned());
            self.here(|| Ok(found))
        })
    }

    fn certify(&self, erasing: Erasing) -> Asking<'_, Vec<u8>> {
        Box::pin(async move {
            let key = &self.key;
            let erasure = erasing.certificate(self.network.id, key.id()).unwrap();
            self.here(|| Ok(Bundle::Erasure(Box::new(erasure.sign(key))).to_bytes()))
        })
    }
}
