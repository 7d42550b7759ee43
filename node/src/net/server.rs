//! Serving requests: who is asked in, what is read of a request, and in which order it is judged.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use quinn::{Connection, ConnectionError, Incoming, RecvStream, SendStream};
use rustls::pki_types::CertificateDer;
use sudare_crypto::NodeId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::frame::{self, FrameError, REQUEST_HEADER, Refusal, Response};
use super::traffic::{Direction, Part, Seen, Traffic};
use super::{Limits, certificate, close_code, refusal_code};
use crate::membership::{Member, MemberName, Membership};

/// The peer that sends a request, by the membership list in force.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// The member.
    pub member: Member,
    /// Another node, or this node's own operator.
    pub origin: Origin,
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// Another member's node.
    Network,
    /// A program that holds this node's own key: its operator's command line.
    Operator,
}

/// What a node does with requests.
pub trait Handler: Send + Sync + 'static {
    /// Decides, before any of the payload is read, whether `peer` may send this kind of request, and with how many payload
    /// bytes at most.
    ///
    /// # Errors
    ///
    /// The refusal to send back; the payload stays unread.
    fn admits(&self, peer: &Peer, kind: u8) -> Result<usize, Refusal>;

    /// Handles an admitted request. Its payload is not yet parsed. Runs to its end even if the peer goes away.
    fn handle(
        &self,
        peer: Peer,
        kind: u8,
        payload: Vec<u8>,
    ) -> impl Future<Output = Response> + Send;
}

/// The server side of an endpoint.
pub(super) struct Server<H> {
    handler: Arc<H>,
    own: Member,
    membership: Membership,
    traffic: Traffic,
    limits: Limits,
    handshakes: Arc<Semaphore>,
    admitted: Mutex<BTreeMap<NodeId, Admitted>>,
}

/// What one peer occupies.
struct Admitted {
    slots: Arc<Semaphore>,
    connections: VecDeque<Connection>,
}

impl<H: Handler> Server<H> {
    pub(super) fn new(
        handler: Arc<H>,
        own: Member,
        membership: Membership,
        traffic: Traffic,
        limits: Limits,
    ) -> Self {
        let handshakes = Arc::new(Semaphore::new(limits.handshakes.into()));
        Self { handler, own, membership, traffic, limits, handshakes, admitted: Mutex::default() }
    }

    /// Accepts connections until the endpoint is closed.
    pub(super) async fn run(self: Arc<Self>, endpoint: quinn::Endpoint) {
        while let Some(incoming) = endpoint.accept().await {
            let Ok(permit) = Arc::clone(&self.handshakes).try_acquire_owned() else {
                incoming.refuse();
                continue;
            };
            let free = self.handshakes.available_permits();
            let under_way = usize::from(self.limits.handshakes).saturating_sub(free);
            if under_way > self.limits.handshakes_before_retry.into() && incoming.may_retry() {
                // Fails only where `may_retry` is false.
                let _ = incoming.retry();
                continue;
            }
            tokio::spawn(Arc::clone(&self).welcome(incoming, permit));
        }
    }

    /// Completes a handshake and serves the connection if the peer is a member.
    async fn welcome(self: Arc<Self>, incoming: Incoming, permit: OwnedSemaphorePermit) {
        let address = incoming.remote_address();
        let Ok(connecting) = incoming.accept() else { return };
        let connection = match timeout(self.limits.read, connecting).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(error)) => {
                tracing::debug!(%address, %error, "handshake failed");
                return;
            }
            Err(_) => {
                tracing::debug!(%address, "handshake took too long");
                return;
            }
        };
        let peer = identify(&connection);
        match peer {
            Some((name, id)) if self.peer(&name, &id).is_some() => {
                drop(permit);
                self.serve(&connection, &name, &id).await;
            }
            _ => {
                tracing::debug!(%address, ?peer, "refused: not a member");
                connection.close(close_code::NOT_A_MEMBER.into(), NOT_A_MEMBER);
            }
        }
    }

    /// Serves a member's connection, each request in a task of its own, until it closes or the peer is no member any more.
    async fn serve(self: Arc<Self>, connection: &Connection, name: &MemberName, id: &NodeId) {
        let slots = self.register(id, connection);
        loop {
            let removed = self.membership.until(|list| {
                *id != self.own.id && list.find(id).is_none_or(|member| member.name != *name)
            });
            let next = tokio::select! {
                biased;
                () = removed => {
                    connection.close(close_code::NOT_A_MEMBER.into(), NOT_A_MEMBER);
                    return;
                }
                next = next_request(connection, &slots) => next,
            };
            let Ok((permit, send, receive)) = next else { return };
            // The list can change at any time: each request is judged by the one in force.
            let Some(peer) = self.peer(name, id) else { continue };
            let server = Arc::clone(&self);
            tokio::spawn(async move {
                Box::pin(server.answer(peer, send, receive)).await;
                drop(permit);
            });
        }
    }

    /// The member with this name and key in the list in force. The own key is always good: its holder is the operator.
    fn peer(&self, name: &MemberName, id: &NodeId) -> Option<Peer> {
        let listed = self.membership.find(id).filter(|member| member.name == *name);
        if *id == self.own.id {
            let member = listed.unwrap_or_else(|| self.own.clone());
            return Some(Peer { member, origin: Origin::Operator });
        }
        listed.map(|member| Peer { member, origin: Origin::Network })
    }

    /// Notes a connection of a peer and closes its oldest if there are too many. Gives the peer's request slots.
    fn register(&self, id: &NodeId, connection: &Connection) -> Arc<Semaphore> {
        let mut admitted = self.admitted.lock().unwrap_or_else(PoisonError::into_inner);
        let peer = admitted.entry(*id).or_insert_with(|| {
            // Each connection holds a slot while it waits for its next request.
            let slots =
                self.limits.requests_per_peer.saturating_add(self.limits.connections_per_peer);
            Admitted { slots: Arc::new(Semaphore::new(slots.into())), connections: VecDeque::new() }
        });
        peer.connections.retain(|known| known.close_reason().is_none());
        peer.connections.push_back(connection.clone());
        if peer.connections.len() > self.limits.connections_per_peer.into()
            && let Some(oldest) = peer.connections.pop_front()
        {
            oldest.close(close_code::SUPERSEDED.into(), b"too many connections of one member");
        }
        Arc::clone(&peer.slots)
    }

    /// Reads, judges, handles and answers one request.
    async fn answer(&self, peer: Peer, mut send: SendStream, mut receive: RecvStream) {
        let deadline = Instant::now() + self.limits.read;
        let mut kind = 0;
        let read = timeout_at(deadline, self.read(&peer, &mut receive, &mut kind)).await;
        let member = peer.member.clone();
        let response = match read {
            Ok(Ok(payload)) => {
                self.record(Direction::In, &member, kind, &payload);
                self.handler.handle(peer, kind, payload).await
            }
            Ok(Err(Unread::Gone)) => return,
            Ok(Err(Unread::Refused(refusal))) => Response::Refused(refusal),
            Err(_) => Response::Refused(Refusal::new(
                refusal_code::SLOW,
                &format!("the request did not arrive within {:?}", self.limits.read),
            )),
        };
        // What was not read, the peer need not send. An error says that all of it has arrived.
        let _ = receive.stop(0u32.into());
        let (status, payload) = response.encode();
        self.record(Direction::Out, &member, kind, &payload);
        let written = timeout(self.limits.write, write(&mut send, status, &payload)).await;
        if written.is_err() {
            tracing::debug!(peer = %member.name, kind, "the response was not taken in time");
            // An error says that the stream is closed already.
            let _ = send.reset(0u32.into());
        }
    }

    /// Reads a request as far as the handler admits it.
    async fn read(
        &self,
        peer: &Peer,
        receive: &mut RecvStream,
        kind: &mut u8,
    ) -> Result<Vec<u8>, Unread> {
        let (version, asked) = frame::read_kind(receive).await?;
        *kind = asked;
        if version != frame::VERSION {
            let text =
                format!("frame version {version} is unknown, this node speaks {}", frame::VERSION);
            return Err(Unread::Refused(Refusal::new(refusal_code::VERSION, &text)));
        }
        let max = self.handler.admits(peer, asked).map_err(Unread::Refused)?;
        Ok(frame::read_payload(receive, max).await?)
    }

    fn record(&self, direction: Direction, peer: &Member, kind: u8, payload: &[u8]) {
        let (part, header) = match direction {
            Direction::In => (Part::Request, REQUEST_HEADER),
            Direction::Out => (Part::Response, frame::RESPONSE_HEADER),
        };
        let wire = header + payload.len();
        self.traffic.record(&Seen { direction, part, peer, kind, payload, wire });
    }
}

const NOT_A_MEMBER: &[u8] = b"your key and name are not in the membership list in force";

/// The name and node key in the certificate that the other end has proved.
pub(super) fn identify(connection: &Connection) -> Option<(MemberName, NodeId)> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    certificate::subject(chain.first()?).ok()
}

/// Waits for a free slot, then for a request: no request is taken that can't be worked on.
async fn next_request(
    connection: &Connection,
    slots: &Arc<Semaphore>,
) -> Result<(Option<OwnedSemaphorePermit>, SendStream, RecvStream), ConnectionError> {
    // An error would mean a closed semaphore, which none of ours ever is.
    let permit = Arc::clone(slots).acquire_owned().await.ok();
    let (send, receive) = connection.accept_bi().await?;
    Ok((permit, send, receive))
}

/// Why there is no payload.
enum Unread {
    /// The peer took the request back, or its connection is gone: nobody waits for a response.
    Gone,
    /// To be answered with this.
    Refused(Refusal),
}

impl From<FrameError> for Unread {
    fn from(error: FrameError) -> Self {
        let code = match error {
            FrameError::Stream(_) => return Self::Gone,
            FrameError::TooLong { .. } => refusal_code::TOO_LONG,
            FrameError::Short | FrameError::Trailing | FrameError::Malformed => {
                refusal_code::LENGTH
            }
        };
        Self::Refused(Refusal::new(code, &error.to_string()))
    }
}

/// Writes a response and waits until the peer has it, so that a peer that reads nothing occupies its own slot.
async fn write(send: &mut SendStream, status: u8, payload: &[u8]) -> Result<(), quinn::WriteError> {
    send.write_all(&frame::response_header(status, payload)).await?;
    send.write_all(payload).await?;
    // Both fail only if the peer has stopped the stream or the connection is gone: nobody waits for more.
    let _ = send.finish();
    let _ = send.stopped().await;
    Ok(())
}
