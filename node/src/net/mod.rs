//! The nodes' network: requests and responses over QUIC between the members of the membership list.
//!
//! Each node has one [`Endpoint`]: it serves requests through a [`Handler`] and sends them through [`Peers`]. Both ends prove
//! their node key by a certificate of the network root; who may talk is decided by the [membership list](crate::membership)
//! in force, at the handshake and again at every request. What arrives is bounded before it is read ([`Limits`]).

pub mod certificate;
mod endpoint;
mod error;
mod frame;
mod peers;
mod server;
mod tls;
mod traffic;

#[cfg(test)]
mod tests;

use std::time::Duration;

pub use endpoint::{Endpoint, Options, StartError};
pub use error::{Fault, NetError};
pub use frame::{Refusal, Response};
pub use peers::Peers;
pub use server::{Handler, Origin, Peer};
pub use tls::{Identity, TlsError};
pub use traffic::{Counts, Direction, Observer, Part, Seen, Traffic};

/// The longest answer, in bytes.
pub const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest text of a refusal, in bytes.
pub const REFUSAL_TEXT_BYTES_MAX: usize = 512;

/// How much of a node its peers can occupy. The defaults are for production.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From the start of a request to the last byte of its payload; also the longest handshake.
    pub read: Duration,
    /// From the start of a response until the peer has acknowledged all of it.
    pub write: Duration,
    /// The longest attempt to reach a peer.
    pub connect: Duration,
    /// Requests of one peer that are worked on at a time, over all its connections; more wait unread.
    pub requests_per_peer: u16,
    /// Connections of one peer; the oldest is closed for one more.
    pub connections_per_peer: u16,
    /// Handshakes under way at a time; more are refused.
    pub handshakes: u16,
    /// With more handshakes under way than this, a client must first show that it owns its address (QUIC Retry).
    pub handshakes_before_retry: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            read: Duration::from_secs(10),
            write: Duration::from_secs(10),
            connect: Duration::from_secs(5),
            requests_per_peer: 64,
            connections_per_peer: 16,
            handshakes: 256,
            handshakes_before_retry: 32,
        }
    }
}

/// Codes of refusals that the network layer itself makes; a [`Handler`] uses lower ones.
pub mod refusal_code {
    /// The frame's version is unknown.
    pub const VERSION: u16 = 0xff01;
    /// The payload is longer than its kind allows this peer.
    pub const TOO_LONG: u16 = 0xff02;
    /// The stream ended before or went on after the announced length.
    pub const LENGTH: u16 = 0xff03;
    /// The request did not arrive in time.
    pub const SLOW: u16 = 0xff04;
    /// The answer is longer than [`ANSWER_BYTES_MAX`](super::ANSWER_BYTES_MAX).
    pub const ANSWER_TOO_LONG: u16 = 0xff05;
}

/// Codes with which a node closes a connection.
pub mod close_code {
    /// The node stops.
    pub const STOPPING: u32 = 0;
    /// The peer's key and name are not in the membership list in force.
    pub const NOT_A_MEMBER: u32 = 1;
    /// The server is not the member that was dialled.
    pub const WRONG_PEER: u32 = 2;
    /// The peer opened more connections than it may have.
    pub const SUPERSEDED: u32 = 3;
}
