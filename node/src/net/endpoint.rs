//! One UDP socket that serves requests and sends them.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn::{AsyncUdpSocket, Runtime, TokioRuntime};
use tokio::task::JoinHandle;

use super::server::{Handler, Server};
use super::tls::{self, Identity, TlsError};
use super::traffic::{Observer, Traffic};
use super::{Limits, Peers, close_code};
use crate::membership::{Member, MemberName, Membership};

/// How an endpoint is to run.
#[derive(Clone, Default)]
pub struct Options {
    /// What peers can occupy.
    pub limits: Limits,
    /// Sees every frame.
    pub observer: Option<Observer>,
    /// Makes packet numbers and the like repeatable; for simulations only.
    pub seed: Option<[u8; 32]>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// A node's place in the network. Dropping it closes all its connections.
#[derive(Debug)]
pub struct Endpoint {
    quinn: quinn::Endpoint,
    own: Member,
    membership: Membership,
    peers: Peers,
    traffic: Traffic,
    limits: Limits,
}

impl Endpoint {
    /// An endpoint on the UDP `address`, which serves as soon as [`serve`](Self::serve) is called. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn bind(
        identity: &Identity,
        membership: &Membership,
        address: SocketAddr,
        options: Options,
    ) -> Result<Self, StartError> {
        let socket = open(address)?;
        Self::start(identity, membership, socket, true, options)
    }

    /// An endpoint that only sends requests, from a free port: for command-line programs that use the node's identity.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn dial_only(
        identity: &Identity,
        membership: &Membership,
        options: Options,
    ) -> Result<Self, StartError> {
        let own = own_member(identity, membership)?;
        let any = if own.address.is_ipv4() {
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
        } else {
            SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
        };
        Self::start(identity, membership, open(any)?, false, options)
    }

    /// An endpoint on a socket of the caller's own making, such as a simulated network's.
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub fn on_socket(
        identity: &Identity,
        membership: &Membership,
        socket: Arc<dyn AsyncUdpSocket>,
        options: Options,
    ) -> Result<Self, StartError> {
        Self::start(identity, membership, socket, true, options)
    }

    fn start(
        identity: &Identity,
        membership: &Membership,
        socket: Arc<dyn AsyncUdpSocket>,
        serves: bool,
        options: Options,
    ) -> Result<Self, StartError> {
        let own = own_member(identity, membership)?;
        let Options { limits, observer, seed } = options;
        let server = if serves {
            Some(tls::server_config(tls::server_tls(identity)?, &limits)?)
        } else {
            None
        };
        let client = tls::client_config(tls::client_tls(identity)?)?;
        let quinn = quinn::Endpoint::new_with_abstract_socket(
            tls::endpoint_config(identity, seed),
            server,
            socket,
            Arc::new(TokioRuntime),
        )
        .map_err(StartError::Endpoint)?;
        let (traffic, membership) = (Traffic::new(observer), membership.clone());
        let peers =
            Peers::new(quinn.clone(), client, membership.clone(), traffic.clone(), limits.clone());
        Ok(Self { quinn, own, membership, peers, traffic, limits })
    }

    /// Serves requests with `handler` until the endpoint is closed. To be called once.
    pub fn serve<H: Handler>(&self, handler: Arc<H>) -> JoinHandle<()> {
        let server = Server::new(
            handler,
            self.own.clone(),
            self.membership.clone(),
            self.traffic.clone(),
            self.limits.clone(),
        );
        tokio::spawn(Arc::new(server).run(self.quinn.clone()))
    }

    /// The address it is bound to.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.quinn.local_addr()
    }

    /// How many connections are open, both those accepted and those made.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.quinn.open_connections()
    }

    /// The client side.
    #[must_use]
    pub const fn peers(&self) -> &Peers {
        &self.peers
    }

    /// The counters of both sides.
    #[must_use]
    pub const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Closes all connections and waits until the peers know. Requests being handled are handled to their end.
    pub async fn close(&self) {
        self.stop();
        self.quinn.wait_idle().await;
    }

    fn stop(&self) {
        self.quinn.close(close_code::STOPPING.into(), b"the node stops");
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.stop();
    }
}

fn own_member(identity: &Identity, membership: &Membership) -> Result<Member, StartError> {
    let id = identity.key().id();
    let listed = membership.find(&id).filter(|member| member.name == *identity.name());
    listed.ok_or_else(|| StartError::NotAMember(identity.name().clone()))
}

fn open(address: SocketAddr) -> Result<Arc<dyn AsyncUdpSocket>, StartError> {
    UdpSocket::bind(address)
        .and_then(|socket| TokioRuntime.wrap_udp_socket(socket))
        .map_err(|source| StartError::Socket { address, source })
}

/// An endpoint can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The node's own name and key are not in the list.
    #[error(
        "{0} with this node's key is not in the membership list: ask the network root to add it"
    )]
    NotAMember(MemberName),
    /// The socket can't be opened.
    #[error("UDP {address}: {source}")]
    Socket {
        /// The address asked for.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The QUIC endpoint can't start.
    #[error("the QUIC endpoint cannot start: {0}")]
    Endpoint(io::Error),
    /// The identity can't be used for TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
}
