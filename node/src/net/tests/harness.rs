//! A network of a few nodes on the loopback interface, and peers that don't keep to the protocol.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use quinn::{Connection, ConnectionError};
use sudare_crypto::{Hash, NodeKey};
use sudare_ledger::role::Role;
use tokio::time::timeout;

use crate::membership::{Member, MemberName, Membership, MembershipList, SignedMembership};
use crate::net::certificate::{self, Validity};
use crate::net::{
    Endpoint, Handler, Identity, NetError, Options, Origin, Peer, Refusal, Response, frame, tls,
};

pub(super) const NETWORK: Hash = Hash([9; 32]);
pub(super) const ALWAYS: Validity = Validity { from: 0, until: 4_000_000_000_000 };
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
pub(super) const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Any member may send it; the answer is its payload.
pub(super) const ECHO: u8 = 1;
/// Only registrars may send it.
pub(super) const FOR_REGISTRARS: u8 = 2;
/// Only the operator may send it.
pub(super) const CONTROL: u8 = 3;
/// Asks for an answer of 4 MiB.
pub(super) const LONG_ANSWER: u8 = 4;
pub(super) const ECHO_MAX: usize = 64 * 1024;
pub(super) const NOT_FOR_YOU: u16 = 17;

pub(super) fn root_key() -> NodeKey {
    NodeKey::from_seed(&[1; 32])
}

pub(super) fn key(seed: u8) -> NodeKey {
    NodeKey::from_seed(&[seed; 32])
}

/// The identity of `name` with the key of `seed`, certified by `root`.
pub(super) fn identity_by(root: &NodeKey, name: &str, seed: u8, validity: Validity) -> Identity {
    let name = MemberName::new(name).unwrap();
    let issuer = certificate::create_root(root, &NETWORK, ALWAYS).unwrap();
    let leaf = certificate::issue(root, &NETWORK, &name, &key(seed).id(), validity).unwrap();
    Identity::new(key(seed), leaf, issuer).unwrap()
}

pub(super) fn identity(name: &str, seed: u8) -> Identity {
    identity_by(&root_key(), name, seed, ALWAYS)
}

pub(super) fn member(name: &str, role: Role, seed: u8, address: SocketAddr) -> Member {
    Member { name: MemberName::new(name).unwrap(), role, id: key(seed).id(), address }
}

pub(super) fn list(number: u64, members: &[Member]) -> Vec<u8> {
    let list = MembershipList::new(NETWORK, number, members.to_vec()).unwrap();
    SignedMembership::sign(list, &root_key()).to_bytes()
}

/// Remembers which requests reached it.
#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) asked: Mutex<Vec<(String, u8)>>,
    pub(super) handled: Mutex<Vec<(String, u8, Vec<u8>)>>,
}

impl Desk {
    pub(super) fn asked(&self) -> Vec<(String, u8)> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) fn handled(&self) -> Vec<(String, u8, Vec<u8>)> {
        self.handled.lock().unwrap().clone()
    }
}

impl Handler for Desk {
    fn admits(&self, peer: &Peer, kind: u8) -> Result<usize, Refusal> {
        self.asked.lock().unwrap().push((peer.member.name.to_string(), kind));
        match kind {
            ECHO => Ok(ECHO_MAX),
            FOR_REGISTRARS if peer.member.role == Role::Registrar => Ok(1024),
            CONTROL if peer.origin == Origin::Operator => Ok(0),
            LONG_ANSWER => Ok(0),
            _ => Err(Refusal::new(NOT_FOR_YOU, "not for you")),
        }
    }

    async fn handle(&self, peer: Peer, kind: u8, payload: Vec<u8>) -> Response {
        tokio::task::yield_now().await;
        let name = peer.member.name.to_string();
        self.handled.lock().unwrap().push((name, kind, payload.clone()));
        match kind {
            ECHO => Response::Answer(payload),
            LONG_ANSWER => Response::Answer(vec![7; 4 * 1024 * 1024]),
            _ => Response::Accepted,
        }
    }
}

/// A running node.
pub(super) struct Node {
    pub(super) endpoint: Endpoint,
    pub(super) desk: Arc<Desk>,
    pub(super) membership: Membership,
    pub(super) own: Member,
}

impl Node {
    /// A node that so far knows only itself.
    pub(super) fn start(name: &str, role: Role, seed: u8, options: Options) -> Self {
        Self::with(&identity(name, seed), role, LOOPBACK, options)
    }

    pub(super) fn with(
        identity: &Identity,
        role: Role,
        address: SocketAddr,
        options: Options,
    ) -> Self {
        let own = Member {
            name: identity.name().clone(),
            role,
            id: identity.key().id(),
            address: SocketAddr::from(([127, 0, 0, 1], 1)),
        };
        let membership =
            Membership::open(&list(1, std::slice::from_ref(&own)), root_key().id(), NETWORK)
                .unwrap();
        let endpoint = Endpoint::bind(identity, &membership, address, options).unwrap();
        let own = Member { address: endpoint.local_address().unwrap(), ..own };
        let desk = Arc::new(Desk::default());
        endpoint.serve(Arc::clone(&desk));
        Self { endpoint, desk, membership, own }
    }

    pub(super) async fn ask(
        &self,
        to: &Member,
        kind: u8,
        payload: &[u8],
    ) -> Result<Response, NetError> {
        self.endpoint.peers().request(&to.id, kind, payload, PATIENCE).await
    }

    /// That a well-behaved member is still served.
    pub(super) async fn assert_serves(&self, to: &Self) {
        let answer = self.ask(&to.own, ECHO, b"still there?").await;
        assert_eq!(answer, Ok(Response::Answer(b"still there?".to_vec())));
    }
}

/// Tells all `nodes` the list of `members`.
pub(super) fn announce(number: u64, nodes: &[&Node], members: &[Member]) {
    let bytes = list(number, members);
    for node in nodes {
        assert_eq!(node.membership.replace(&bytes), Ok(true));
    }
}

/// A custodian `a` and a registrar `b` that know each other.
pub(super) fn pair(options: Options) -> (Node, Node) {
    let a = Node::start("a", Role::Custodian, 2, Options::default());
    let b = Node::start("b", Role::Registrar, 3, options);
    announce(2, &[&a, &b], &[a.own.clone(), b.own.clone()]);
    (a, b)
}

/// A client that writes what it likes.
pub(super) struct Raw {
    endpoint: quinn::Endpoint,
    config: quinn::ClientConfig,
}

impl Raw {
    pub(super) fn new(identity: &Identity) -> Self {
        Self::with(tls::client_tls(identity).unwrap())
    }

    pub(super) fn with(tls: rustls::ClientConfig) -> Self {
        let config = tls::client_config(tls).unwrap();
        Self { endpoint: quinn::Endpoint::client(LOOPBACK).unwrap(), config }
    }

    pub(super) fn connecting(&self, to: &Member) -> quinn::Connecting {
        let name = certificate::dns_name(&to.name);
        self.endpoint.connect_with(self.config.clone(), to.address, &name).unwrap()
    }

    pub(super) async fn connect(&self, to: &Member) -> Result<Connection, ConnectionError> {
        self.connecting(to).await
    }

    /// The error with which a connection or a first request on it ends.
    pub(super) async fn refusal(&self, to: &Member) -> ConnectionError {
        match self.connect(to).await {
            Ok(connection) => closed(&connection).await,
            Err(error) => error,
        }
    }
}

/// Waits until `holds`.
pub(super) async fn settles(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
}

/// Writes `bytes` as a request, ends it if `finish`, and reads the response.
pub(super) async fn exchange(connection: &Connection, bytes: &[u8], finish: bool) -> Response {
    let exchange = async {
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        // The server may have refused before all is written.
        let _ = send.write_all(bytes).await;
        if finish {
            let _ = send.finish();
        }
        let (status, payload) = frame::read_response(&mut receive).await.unwrap();
        Response::decode(status, payload).unwrap()
    };
    timeout(PATIENCE, exchange).await.unwrap()
}

/// The error with which the peer ends a connection.
pub(super) async fn closed(connection: &Connection) -> ConnectionError {
    timeout(PATIENCE, connection.closed()).await.unwrap()
}

pub(super) fn header(version: u8, kind: u8, length: u32) -> Vec<u8> {
    [&[version, kind], length.to_le_bytes().as_slice()].concat()
}

pub(super) fn code(response: &Response) -> u16 {
    match response {
        Response::Refused(refusal) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

/// The names that appear in `asked`.
pub(super) fn names(asked: &[(String, u8)]) -> BTreeSet<&str> {
    asked.iter().map(|(name, _)| name.as_str()).collect()
}
