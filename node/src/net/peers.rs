//! Sending requests: one connection a peer, made when it is first needed, shared by all requests to it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quinn::{Connection, ReadError, RecvStream, SendStream, WriteError};
use sudare_crypto::NodeId;
use tokio::time::timeout;

use super::error::{Fault, NetError};
use super::frame::{self, FrameError, RESPONSE_HEADER, Response};
use super::server::identify;
use super::traffic::{Direction, Part, Seen, Traffic};
use super::{Limits, certificate, close_code};
use crate::membership::{Member, Membership};

type Link = Arc<tokio::sync::Mutex<Option<(Member, Connection)>>>;

/// The client side of an endpoint; clones share its connections. Of no use after the endpoint is closed or dropped.
#[derive(Clone, Debug)]
pub struct Peers(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    quinn: quinn::Endpoint,
    config: quinn::ClientConfig,
    membership: Membership,
    traffic: Traffic,
    limits: Limits,
    links: Mutex<BTreeMap<NodeId, Link>>,
}

impl Peers {
    pub(super) fn new(
        quinn: quinn::Endpoint,
        config: quinn::ClientConfig,
        membership: Membership,
        traffic: Traffic,
        limits: Limits,
    ) -> Self {
        let links = Mutex::default();
        Self(Arc::new(Inner { quinn, config, membership, traffic, limits, links }))
    }

    /// Sends one request to the member with node key `to` and waits for its response, `deadline` in all.
    ///
    /// The payload leaves this node only after the server has proved that member's key and name. Requests to one peer run
    /// side by side. Nothing is sent twice: whether to try again is the caller's to say.
    ///
    /// # Errors
    ///
    /// [`NetError`] if there is no response. A refusal is a response.
    pub async fn request(
        &self,
        to: &NodeId,
        kind: u8,
        payload: &[u8],
        deadline: Duration,
    ) -> Result<Response, NetError> {
        let Some(member) = self.0.membership.find(to) else {
            return Err(NetError { peer: to.to_string(), fault: Fault::NotAMember });
        };
        let exchange = Box::pin(self.0.exchange(&member, kind, payload));
        let done = timeout(deadline, exchange).await;
        done.unwrap_or(Err(Fault::Deadline(deadline)))
            .map_err(|fault| NetError { peer: member.name.to_string(), fault })
    }
}

impl Inner {
    async fn exchange(&self, to: &Member, kind: u8, payload: &[u8]) -> Result<Response, Fault> {
        let header = frame::request_header(kind, payload).ok_or(Fault::TooLong(payload.len()))?;
        let connection = self.connection(to).await?;
        let (mut send, mut receive) =
            connection.open_bi().await.map_err(|error| Fault::of(&error))?;
        let seen = Seen {
            direction: Direction::Out,
            part: Part::Request,
            peer: to,
            kind,
            payload,
            wire: header.len() + payload.len(),
        };
        self.traffic.record(&seen);
        write(&mut send, &header, payload).await?;
        let (status, payload) = read(&mut receive).await?;
        self.traffic.record(&Seen {
            direction: Direction::In,
            part: Part::Response,
            payload: &payload,
            wire: RESPONSE_HEADER + payload.len(),
            ..seen
        });
        Response::decode(status, payload).map_err(|error| Fault::Malformed(error.to_string()))
    }

    /// The open connection to `member`, made now if there is none; one attempt at a time.
    async fn connection(&self, member: &Member) -> Result<Connection, Fault> {
        let link = {
            let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(links.entry(member.id).or_default())
        };
        let mut link = link.lock().await;
        if let Some((known, connection)) = &*link
            && known == member
            && connection.close_reason().is_none()
        {
            return Ok(connection.clone());
        }
        let connection = self.connect(member).await?;
        *link = Some((member.clone(), connection.clone()));
        Ok(connection)
    }

    async fn connect(&self, member: &Member) -> Result<Connection, Fault> {
        let address = member.address;
        let unreachable = |reason: String| Fault::Unreachable { address, reason };
        let server_name = certificate::dns_name(&member.name);
        let connecting = self
            .quinn
            .connect_with(self.config.clone(), address, &server_name)
            .map_err(|error| unreachable(error.to_string()))?;
        let connection = timeout(self.limits.connect, connecting)
            .await
            .map_err(|_| unreachable(format!("within {:?}", self.limits.connect)))?
            .map_err(|error| match Fault::of(&error) {
                Fault::Lost(reason) => unreachable(reason),
                fault => fault,
            })?;
        let found = identify(&connection);
        if found.as_ref() != Some(&(member.name.clone(), member.id)) {
            connection.close(close_code::WRONG_PEER.into(), b"not the member that was dialled");
            let found = found.map_or_else(|| "none".into(), |(name, id)| format!("{name}, {id}"));
            return Err(Fault::WrongPeer { address, found });
        }
        tokio::spawn(close_when_changed(
            self.membership.clone(),
            member.clone(),
            connection.clone(),
        ));
        Ok(connection)
    }
}

/// Closes a connection as soon as the list no longer has the member it was made to.
async fn close_when_changed(membership: Membership, member: Member, connection: Connection) {
    tokio::select! {
        _ = connection.closed() => {}
        () = membership.until(|list| list.find(&member.id) != Some(&member)) => {
            connection.close(close_code::NOT_A_MEMBER.into(), b"the membership list has changed");
        }
    }
}

async fn write(send: &mut SendStream, header: &[u8], payload: &[u8]) -> Result<(), Fault> {
    let written = async {
        send.write_all(header).await?;
        send.write_all(payload).await
    };
    match written.await {
        // A peer that refuses stops the stream unread; its response says why.
        Err(WriteError::Stopped(_)) => Ok(()),
        Err(WriteError::ConnectionLost(error)) => Err(Fault::of(&error)),
        Err(other) => Err(Fault::Lost(other.to_string())),
        Ok(()) => {
            // An error says that the peer has stopped the stream: see above.
            let _ = send.finish();
            Ok(())
        }
    }
}

async fn read(receive: &mut RecvStream) -> Result<(u8, Vec<u8>), Fault> {
    frame::read_response(receive).await.map_err(|error| match error {
        FrameError::Stream(ReadError::ConnectionLost(error)) => Fault::of(&error),
        FrameError::Stream(error) => Fault::Lost(error.to_string()),
        malformed => Fault::Malformed(malformed.to_string()),
    })
}
