//! The node as its own API sees it: its operator's instructions and queries, from within.

use borsh::BorshDeserialize;
use sudare_api::flows::{Asking, Erasing, Holding, Node, Unanswered};
use sudare_api::personal::AccessLog;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Hash, NodeId, NodeKey, Text};
use sudare_disclosure::{AssetId, SignedTerms};
use sudare_ledger::access::Handling;
use sudare_ledger::bundle::Bundle;
use sudare_ledger::custodian::{AccountState, Investor, Record, TradeKey, TradeView};
use sudare_ledger::messages::{Reason, TradeId};
use sudare_ledger::registrar::{HeldBy, Lines, LinesOf, RegisterHead, SnapshotView, When};
use sudare_ledger::registrar::{OrderView, RedemptionKey};
use sudare_ledger::role::Role;
use sudare_ledger::{audit, custodian, registrar};
use tokio::sync::watch;

use crate::membership::Membership;
use crate::net::Refusal;
use crate::operator::{OperatorAnswer, OperatorQuery, ProofOf, kind};
use crate::runtime::{Operator, reason_of};

/// A running node with the names of its network.
#[derive(Debug)]
pub(super) struct Inside {
    pub(super) operator: Operator,
    pub(super) membership: Membership,
    pub(super) network: Hash,
    pub(super) key: NodeKey,
}

impl Inside {
    async fn query(&self, query: OperatorQuery) -> Result<OperatorAnswer, Unanswered> {
        self.ask(kind::OPERATOR_QUERY, encode(&query)).await
    }

    async fn ask<T: BorshDeserialize>(&self, kind: u8, payload: Vec<u8>) -> Result<T, Unanswered> {
        let answer = self.operator.ask(kind, payload).await.map_err(unanswered)?;
        decode(&answer, "an answer").map_err(|error| Unanswered::Later(error.to_string()))
    }

    fn order(&self, query: OperatorQuery) -> Asking<'_, Option<OrderView>> {
        Box::pin(async move {
            match self.query(query).await? {
                OperatorAnswer::Order(found) => Ok(found),
                _ => Err(other()),
            }
        })
    }
}

impl Node for Inside {
    fn role(&self) -> Role {
        self.operator.own().role
    }

    fn member(&self, name: &str) -> Option<(NodeId, Role)> {
        self.membership.named(name).map(|member| (member.id, member.role))
    }

    fn name_of(&self, id: &NodeId) -> String {
        self.membership.find(id).map_or_else(|| id.to_string(), |member| member.name.to_string())
    }

    fn heights(&self) -> watch::Receiver<u64> {
        self.operator.heights()
    }

    fn instruct(&self, instruction: Vec<u8>) -> Asking<'_, ()> {
        Box::pin(async move {
            let answer = self.operator.ask(kind::INSTRUCT, instruction).await;
            answer.map(|_| ()).map_err(unanswered)
        })
    }

    fn assets(&self) -> Asking<'_, Vec<SignedTerms>> {
        Box::pin(async {
            match self.query(OperatorQuery::Assets).await? {
                OperatorAnswer::Assets(lines) => {
                    Ok(lines.into_iter().map(|line| line.terms).collect())
                }
                _ => Err(other()),
            }
        })
    }

    fn trade(&self, id: TradeId) -> Asking<'_, Vec<TradeView>> {
        Box::pin(async {
            match self.query(OperatorQuery::Trade(id)).await? {
                OperatorAnswer::Trades(trades) => Ok(trades),
                _ => Err(other()),
            }
        })
    }

    fn records(&self, key: TradeKey) -> Asking<'_, Vec<Record>> {
        Box::pin(async {
            match self.query(OperatorQuery::Records(key)).await? {
                OperatorAnswer::Records(records) => Ok(records),
                _ => Err(other()),
            }
        })
    }

    fn account(&self, asset: AssetId, investor: Investor) -> Asking<'_, Option<AccountState>> {
        Box::pin(async move {
            match self.query(OperatorQuery::Account(asset, investor)).await? {
                OperatorAnswer::Accounts(found) => Ok(found.first().map(|account| account.state)),
                _ => Err(other()),
            }
        })
    }

    fn issue(&self, reference: Text<35>) -> Asking<'_, Option<OrderView>> {
        self.order(OperatorQuery::Issue(reference))
    }

    fn redemption(&self, key: RedemptionKey) -> Asking<'_, Option<OrderView>> {
        self.order(OperatorQuery::Redemption(key))
    }

    fn register(&self, asset: AssetId, when: When) -> Asking<'_, Option<RegisterHead>> {
        Box::pin(async move {
            match self.query(OperatorQuery::RegisterHead(asset, when)).await? {
                OperatorAnswer::RegisterHead(head) => Ok(head.map(|head| *head)),
                _ => Err(other()),
            }
        })
    }

    fn lines(&self, asset: AssetId, of: LinesOf) -> Asking<'_, Lines> {
        Box::pin(async move {
            match self.query(OperatorQuery::RegisterLines(asset, of)).await? {
                OperatorAnswer::RegisterLines(lines) => Ok(lines),
                _ => Err(other()),
            }
        })
    }

    fn register_proof(
        &self,
        asset: AssetId,
        (snapshot, by): (u32, HeldBy),
        (recipient, nonce): (Text<140>, [u8; 32]),
    ) -> Asking<'_, Option<Vec<u8>>> {
        Box::pin(async move {
            let of = ProofOf { asset, snapshot, by, recipient, nonce };
            match self.query(OperatorQuery::RegisterProof(of)).await? {
                OperatorAnswer::RegisterProof(file) => Ok(file),
                _ => Err(other()),
            }
        })
    }

    fn snapshots(&self, asset: AssetId) -> Asking<'_, Vec<SnapshotView>> {
        Box::pin(async move {
            match self.query(OperatorQuery::Snapshots(asset)).await? {
                OperatorAnswer::Snapshots(snapshots) => Ok(snapshots),
                _ => Err(other()),
            }
        })
    }

    fn holdings(&self, investor: Investor) -> Asking<'_, Vec<Holding>> {
        Box::pin(async move {
            let mut holdings = Vec::new();
            if self.role() != Role::Custodian {
                return Ok(holdings);
            }
            for terms in self.assets().await? {
                let (asset, code) = (terms.terms.asset(), &terms.terms.core.code);
                let query = OperatorQuery::Account(asset, investor.clone());
                let OperatorAnswer::Accounts(found) = self.query(query).await? else {
                    return Err(other());
                };
                for account in found {
                    let units = account.balance.live.saturating_add(account.balance.locked);
                    holdings.push(Holding { asset: code.to_string(), units });
                }
            }
            Ok(holdings)
        })
    }

    fn certify(&self, erasing: Erasing) -> Asking<'_, Vec<u8>> {
        Box::pin(async move {
            let erasure = erasing.certificate(self.network, self.key.id()).ok_or_else(other)?;
            Ok(Bundle::Erasure(Box::new(erasure.sign(&self.key))).to_bytes())
        })
    }
}

impl AccessLog for Inside {
    fn record(&self, handling: Handling) -> Asking<'_, ()> {
        let handling = Box::new(handling);
        match self.role() {
            Role::Custodian => self.instruct(encode(&custodian::Instruction::Handle(handling))),
            Role::Registrar => self.instruct(encode(&registrar::Instruction::Handle(handling))),
            Role::Regulator => self.instruct(encode(&audit::Instruction::Handle(handling))),
            Role::Notary => Box::pin(async { Err(Unanswered::Refused(Reason::WrongRole)) }),
        }
    }
}

fn unanswered(refusal: Refusal) -> Unanswered {
    match reason_of(&refusal) {
        Some(reason) => Unanswered::Refused(reason),
        None => Unanswered::Later(refusal.to_string()),
    }
}

fn other() -> Unanswered {
    Unanswered::Later("it answered something else".into())
}
