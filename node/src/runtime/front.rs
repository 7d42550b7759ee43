//! What the node does with requests from the network: messages and instructions go to the desk, queries to a snapshot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding;
use sudare_ledger::messages::{Message, Reason};
use sudare_ledger::role::Event;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::spawn_blocking;

use super::query::{Queries, QueryError, Question, Views};
use super::refusal::{MALFORMED, NOT_ADMITTED, STOPPING, refuse};
use super::status::Gauges;
use super::{INSTRUCTION, INSTRUCTION_BYTES_MAX, Input, STATUS};
use crate::net::{Handler, Origin, Peer, Refusal, Response, Traffic};

const MESSAGES_LAST: u8 = 63;
const QUERIES_FIRST: u8 = 64;
const PEER_QUERIES_LAST: u8 = 127;

pub(super) struct Front<I, O, Q> {
    pub(super) queries: Arc<Q>,
    pub(super) inbox: mpsc::Sender<Input<I, O>>,
    pub(super) views: Views,
    pub(super) traffic: Traffic,
    pub(super) gauges: Arc<Gauges>,
    pub(super) halted: Arc<AtomicBool>,
    pub(super) readers: Arc<Semaphore>,
}

impl<I, O, Q> Handler for Front<I, O, Q>
where
    I: BorshSerialize + BorshDeserialize + Send + 'static,
    O: Send + 'static,
    Q: Queries,
{
    fn admits(&self, peer: &Peer, kind: u8) -> Result<usize, Refusal> {
        if self.halted.load(Ordering::Acquire) {
            return Err(stopping());
        }
        let (from, own) = (peer.member.role, self.gauges.role());
        let limit = match (kind, peer.origin) {
            // What a node writes to itself never comes this way: its courier hands it over.
            (0..=MESSAGES_LAST, Origin::Network) => Message::admitted(kind, from, own),
            (INSTRUCTION, Origin::Operator) => Some(INSTRUCTION_BYTES_MAX),
            (STATUS, Origin::Operator) => Some(0),
            (QUERIES_FIRST..=PEER_QUERIES_LAST, _) | (QUERIES_FIRST.., Origin::Operator) => {
                self.queries.admits(&peer.member, peer.origin, kind)
            }
            _ => None,
        };
        limit.ok_or_else(|| {
            let text = format!("this {own} takes no request of kind {kind} from a {from}");
            Refusal::new(NOT_ADMITTED, &text)
        })
    }

    async fn handle(&self, peer: Peer, kind: u8, payload: Vec<u8>) -> Response {
        let taken = match kind {
            0..=MESSAGES_LAST => self.message(&peer, kind, &payload).await,
            INSTRUCTION => self.instruction(&payload).await,
            STATUS => Ok(Response::Answer(encoding::encode(&self.gauges.status(&self.traffic)))),
            _ => self.query(peer, kind, payload).await,
        };
        taken.unwrap_or_else(Response::Refused)
    }
}

impl<I, O, Q> Front<I, O, Q>
where
    I: BorshSerialize + BorshDeserialize + Send + 'static,
    O: Send + 'static,
    Q: Queries,
{
    /// Takes a message; accepted once it is durable.
    async fn message(&self, peer: &Peer, kind: u8, payload: &[u8]) -> Result<Response, Refusal> {
        let message: Message = encoding::decode(payload, "message").map_err(malformed)?;
        if message.kind() != kind {
            return Err(Refusal::new(MALFORMED, "the message is of another kind than its frame"));
        }
        let event = Event::Message { from: peer.member.id, message };
        self.ask(event).await.map(|_| Response::Accepted)
    }

    async fn instruction(&self, payload: &[u8]) -> Result<Response, Refusal> {
        let instruction = encoding::decode(payload, "instruction").map_err(malformed)?;
        let text = self.ask(Event::Instruct(instruction)).await?;
        Ok(Response::Answer(text.into_bytes()))
    }

    /// Has an event handled and waits for the answer.
    async fn ask(&self, event: Event<I, O>) -> Result<String, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.inbox
            .send(Input::Event(Box::new(event), Some(reply)))
            .await
            .map_err(|_| stopping())?;
        // Without an answer nobody knows whether it was taken: the sender tries again.
        let answer = answer.await.map_err(|_| stopping())?;
        answer.map(|text| text.to_string()).map_err(refuse)
    }

    async fn query(&self, peer: Peer, kind: u8, request: Vec<u8>) -> Result<Response, Refusal> {
        let permit = Arc::clone(&self.readers).acquire_owned().await.map_err(|_| stopping())?;
        let view = self.views.snapshot().ok_or_else(stopping)?;
        let (queries, now) = (Arc::clone(&self.queries), self.gauges.now());
        let answer = spawn_blocking(move || {
            let (from, origin) = (&peer.member, peer.origin);
            let question = Question { from, origin, kind, now, request: &request };
            let answer = queries.answer(&view, &question);
            drop((view, permit));
            answer
        });
        match answer.await {
            Ok(Ok(answer)) => Ok(Response::Answer(answer)),
            Ok(Err(QueryError::Refused(reason))) => Err(refuse(reason)),
            Ok(Err(QueryError::Storage(error))) => {
                // If nobody hears it, the node stops already.
                let _ = self.inbox.send(Input::Failed(error)).await;
                Err(stopping())
            }
            Err(_) => {
                tracing::error!(kind, "a query met a fault of this program: report it");
                Err(refuse(Reason::Internal))
            }
        }
    }
}

fn stopping() -> Refusal {
    Refusal::new(STOPPING, "the node stops: try again later")
}

fn malformed(error: encoding::Malformed) -> Refusal {
    Refusal::new(MALFORMED, &error.to_string())
}
