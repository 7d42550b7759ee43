//! The command line's connection to nodes, with the identity of the node that a configuration file names.

use std::path::Path;
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Malformed, NodeId};
use sudare_disclosure::AssetId;
use sudare_ledger::custodian::{AccountView, TradeView};
use sudare_ledger::messages::Message;

use super::Failure;
use super::trade::key_of;
use crate::config::Loaded;
use crate::membership::Member;
use crate::net::{Endpoint, NetError, Options, Response};
use crate::operator::{OperatorAnswer, OperatorQuery, PeerAnswer, PeerQuery, RegisterLine, kind};
use crate::runtime::reason_of;

/// How long the command line waits for an answer.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long it waits before it asks a node that could not be reached again.
const PAUSE: Duration = Duration::from_millis(50);

/// A connection with one node's identity.
#[derive(Debug)]
pub struct Connection {
    /// The node whose identity it is.
    pub node: Loaded,
    endpoint: Endpoint,
    patience: Duration,
}

impl Connection {
    /// Loads the configuration and opens an endpoint; connects when something is asked.
    ///
    /// # Errors
    ///
    /// [`Failure`] if the configuration can't be used.
    pub fn open(config: &Path) -> Result<Self, Failure> {
        let node = Loaded::open(config)?;
        let endpoint = Endpoint::dial_only(&node.identity, &node.membership, Options::default())?;
        Ok(Self { node, endpoint, patience: Duration::ZERO })
    }

    /// Asks again for so long while a node can't be reached, as after a crash. All that can be asked is safe to repeat.
    #[must_use]
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The member with this name.
    ///
    /// # Errors
    ///
    /// [`Failure::UnknownMember`].
    pub fn member(&self, name: &str) -> Result<Member, Failure> {
        self.node.membership.named(name).ok_or_else(|| Failure::UnknownMember(name.to_owned()))
    }

    /// The name of a member, or the start of its key if it is none.
    #[must_use]
    pub fn name_of(&self, id: &NodeId) -> String {
        let member = self.node.membership.find(id);
        member.map_or_else(|| format!("{id:?}"), |member| member.name.to_string())
    }

    /// Gives the node an instruction of its operator, and returns its answer.
    ///
    /// # Errors
    ///
    /// [`Failure::Refused`] with the reason; [`Failure::Net`] if the node can't be reached.
    pub async fn instruct<I: BorshSerialize>(&self, instruction: &I) -> Result<String, Failure> {
        let answer = self.request(&self.own(), kind::INSTRUCT, &encode(instruction)).await?;
        String::from_utf8(answer).map_err(|_| Failure::Malformed(Malformed::Encoding("an answer")))
    }

    /// Asks the node something that only its operator may.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub async fn query(&self, query: &OperatorQuery) -> Result<OperatorAnswer, Failure> {
        self.ask(&self.own(), kind::OPERATOR_QUERY, &encode(query)).await
    }

    /// All accounts of the custodian, page by page: what changes meanwhile may be seen in either state.
    ///
    /// # Errors
    ///
    /// [`Failure`]; [`Failure::Node`] if the node is not a custodian.
    pub async fn accounts(&self) -> Result<Vec<AccountView>, Failure> {
        let mut accounts: Vec<AccountView> = Vec::new();
        loop {
            let after = accounts.last().map(|last| (last.asset, last.investor.clone()));
            let OperatorAnswer::Accounts(page) =
                self.query(&OperatorQuery::Accounts(after)).await?
            else {
                return Err(Failure::Node("the node is not a custodian".into()));
            };
            if page.is_empty() {
                return Ok(accounts);
            }
            accounts.extend(page);
        }
    }

    /// All trades of the custodian, page by page: what changes meanwhile may be seen in either state.
    ///
    /// # Errors
    ///
    /// [`Failure`]; [`Failure::Node`] if the node is not a custodian.
    pub async fn trades(&self) -> Result<Vec<TradeView>, Failure> {
        let mut trades: Vec<TradeView> = Vec::new();
        loop {
            let after = trades.last().map(key_of);
            let OperatorAnswer::Trades(page) = self.query(&OperatorQuery::Trades(after)).await?
            else {
                return Err(Failure::Node("the node is not a custodian".into()));
            };
            if page.is_empty() {
                return Ok(trades);
            }
            trades.extend(page);
        }
    }

    /// The register of an asset, page by page: what changes meanwhile may be seen in either state.
    ///
    /// # Errors
    ///
    /// [`Failure`]; [`Failure::Node`] if the node is not a registrar.
    pub async fn register(&self, asset: AssetId) -> Result<Vec<RegisterLine>, Failure> {
        let mut lines: Vec<RegisterLine> = Vec::new();
        loop {
            let query = OperatorQuery::Register(asset, lines.last().map(|line| line.account));
            let OperatorAnswer::Register(page) = self.query(&query).await? else {
                return Err(Failure::Node("the node is not a registrar".into()));
            };
            if page.is_empty() {
                return Ok(lines);
            }
            lines.extend(page);
        }
    }

    /// Asks another node something that peers may.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub async fn peer_query(&self, to: &NodeId, query: &PeerQuery) -> Result<PeerAnswer, Failure> {
        self.ask(to, kind::PEER_QUERY, &encode(query)).await
    }

    /// Sends a message as the node would.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub async fn tell(&self, to: &NodeId, message: &Message) -> Result<(), Failure> {
        let bytes = encode(message);
        self.request(to, message.kind(), &bytes).await.map(|_| ())
    }

    /// Sends raw bytes of a kind and decodes the answer.
    ///
    /// # Errors
    ///
    /// [`Failure`].
    pub async fn ask<T: BorshDeserialize>(
        &self,
        to: &NodeId,
        kind: u8,
        payload: &[u8],
    ) -> Result<T, Failure> {
        Ok(decode(&self.request(to, kind, payload).await?, "an answer")?)
    }

    async fn request(&self, to: &NodeId, kind: u8, payload: &[u8]) -> Result<Vec<u8>, Failure> {
        match self.response(to, kind, payload).await? {
            Response::Answer(bytes) => Ok(bytes),
            Response::Accepted => Ok(Vec::new()),
            Response::Refused(refusal) => Err(match reason_of(&refusal) {
                Some(reason) => Failure::Refused(reason),
                None => Failure::Node(refusal.to_string()),
            }),
        }
    }

    async fn response(&self, to: &NodeId, kind: u8, payload: &[u8]) -> Result<Response, NetError> {
        let until = tokio::time::Instant::now() + self.patience;
        loop {
            let response = self.endpoint.peers().request(to, kind, payload, DEADLINE).await;
            match response {
                Err(error) if error.retry() && tokio::time::Instant::now() < until => {
                    tokio::time::sleep(PAUSE).await;
                }
                response => return response,
            }
        }
    }

    /// This node's own key: requests to it come from its operator.
    #[must_use]
    pub const fn own(&self) -> NodeId {
        self.node.member.id
    }
}
