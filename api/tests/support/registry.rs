//! A registrar's node for the API: the real state machine in memory, whose custodians never answer.

use std::fmt;
use std::sync::Mutex;

use sudare_api::flows::{Asking, Node, Unanswered};
use sudare_crypto::encoding::decode;
use sudare_crypto::{NodeId, NodeKey, Text};
use sudare_disclosure::{AssetId, SignedTerms};
use sudare_ledger::custodian::{AccountState, Investor, TradeView};
use sudare_ledger::messages::{Message, Reason, TradeId};
use sudare_ledger::registrar::{Instruction, OrderView, RedemptionKey, Registrar};
use sudare_ledger::role::Role;
use sudare_ledger::testing::{Driver, Network, rng};
use tokio::sync::watch;

use super::ledger::SECURITY;

/// A registrar with one asset, and a custodian.
pub struct Registry {
    registrar: Mutex<Driver<Registrar>>,
    terms: SignedTerms,
    custodian: NodeId,
    height: watch::Sender<u64>,
}

impl Registry {
    pub fn new() -> Self {
        let network = Network::new();
        let terms = network.signed(network.terms(SECURITY, &[0], &mut rng(1)));
        let key = network.registrar.clone();
        let machine = Registrar::new(network.id, key, network.master.clone());
        let mut registrar = Driver::new(machine, super::NOW_MS);
        registrar.instruct(Instruction::OpenAsset(Box::new(terms.clone()))).unwrap();
        let _ = registrar.sent();
        Self {
            registrar: Mutex::new(registrar),
            terms,
            custodian: NodeKey::from_seed(&[2; 32]).id(),
            height: watch::Sender::new(1),
        }
    }

    /// What the custodian has been proposed: trade and quantity.
    pub fn proposed(&self) -> Vec<(String, u64)> {
        let sent = self.registrar.lock().unwrap().sent();
        let proposed = sent.into_iter().filter_map(|(to, message)| match message {
            Message::Propose(proposal, None) if to == self.custodian => {
                Some((proposal.trade_id.to_string(), proposal.legs[0].quantity))
            }
            _ => None,
        });
        proposed.collect()
    }

    /// Its time passes.
    pub fn advance(&self, ms: u64) {
        self.registrar.lock().unwrap().advance(ms);
        self.height.send_modify(|height| *height += 1);
    }

    fn refused<T>() -> Asking<'static, T>
    where
        T: Send + 'static,
    {
        Box::pin(async { Err(Unanswered::Refused(Reason::WrongRole)) })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Node for Registry {
    fn role(&self) -> Role {
        Role::Registrar
    }

    fn member(&self, name: &str) -> Option<(NodeId, Role)> {
        match name {
            "custodian-b" => Some((self.custodian, Role::Custodian)),
            "registrar" => Some((self.terms.terms.core.registrar, Role::Registrar)),
            _ => None,
        }
    }

    fn name_of(&self, id: &NodeId) -> String {
        if *id == self.custodian { "custodian-b".to_owned() } else { id.to_string() }
    }

    fn heights(&self) -> watch::Receiver<u64> {
        self.height.subscribe()
    }

    fn instruct(&self, instruction: Vec<u8>) -> Asking<'_, ()> {
        Box::pin(async move {
            let instruction = decode(&instruction, "an instruction").unwrap();
            let answer = self.registrar.lock().unwrap().instruct(instruction).map(|_| ());
            self.height.send_modify(|height| *height += 1);
            answer.map_err(Unanswered::Refused)
        })
    }

    fn assets(&self) -> Asking<'_, Vec<SignedTerms>> {
        Box::pin(async { Ok(vec![self.terms.clone()]) })
    }

    fn trade(&self, _: TradeId) -> Asking<'_, Vec<TradeView>> {
        Self::refused()
    }

    fn account(&self, _: AssetId, _: Investor) -> Asking<'_, Option<AccountState>> {
        Self::refused()
    }

    fn issue(&self, reference: Text<35>) -> Asking<'_, Option<OrderView>> {
        Box::pin(async move {
            Ok(Registrar::issue_order(&self.registrar.lock().unwrap().kv, &reference).unwrap())
        })
    }

    fn redemption(&self, key: RedemptionKey) -> Asking<'_, Option<OrderView>> {
        Box::pin(async move {
            Ok(Registrar::redemption_order(&self.registrar.lock().unwrap().kv, &key).unwrap())
        })
    }
}
