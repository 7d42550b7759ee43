//! Why a request got no response.

use std::net::SocketAddr;
use std::time::Duration;

use quinn::ConnectionError;

use super::close_code::{STOPPING, SUPERSEDED};

// QUIC carries TLS alert n as the error code 0x100 + n.
const TLS_ALERTS: std::ops::Range<u64> = 0x100..0x200;

/// A request got no response.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("request to {peer}: {fault}")]
pub struct NetError {
    /// The peer's name, or its node key if it is no member.
    pub peer: String,
    /// What went wrong.
    pub fault: Fault,
}

impl NetError {
    /// Whether the same request may succeed later although nobody changes anything. (After a loss or a deadline the peer
    /// may have handled it all the same.)
    #[must_use]
    pub fn retry(&self) -> bool {
        match &self.fault {
            Fault::Unreachable { .. } | Fault::Lost(_) | Fault::Deadline(_) => true,
            Fault::Closed { code, .. } => [STOPPING, SUPERSEDED].map(u64::from).contains(code),
            Fault::NotAMember
            | Fault::Handshake(_)
            | Fault::WrongPeer { .. }
            | Fault::Malformed(_)
            | Fault::TooLong(_) => false,
        }
    }
}

/// What went wrong with a request.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// The peer is not in the membership list in force.
    #[error("not in the membership list in force")]
    NotAMember,
    /// No connection came about.
    #[error("{address} does not answer ({reason}): is the node running and its UDP port open?")]
    Unreachable {
        /// The address by the membership list.
        address: SocketAddr,
        /// What the connection said.
        reason: String,
    },
    /// One side did not accept the other's certificate or protocol.
    #[error(
        "TLS handshake failed ({0}): are both certificates by this network's root and in date?"
    )]
    Handshake(String),
    /// The server has a certificate of the root, but of another node key.
    #[error("{address} presents the certificate of another node: {found}")]
    WrongPeer {
        /// The address by the membership list.
        address: SocketAddr,
        /// The name and key found there.
        found: String,
    },
    /// The peer closed the connection on purpose.
    #[error("it closed the connection (code {code}): {reason}")]
    Closed {
        /// One of [`close_code`](super::close_code).
        code: u64,
        /// Its words.
        reason: String,
    },
    /// The connection or stream was lost on the way.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// No response in time.
    #[error("no response within {0:?}")]
    Deadline(Duration),
    /// What came back is no response frame.
    #[error("its response is malformed: {0}")]
    Malformed(String),
    /// The payload does not fit a frame.
    #[error("a payload of {0} bytes does not fit a frame")]
    TooLong(usize),
}

impl Fault {
    /// The fault of a connection that ended with `error` while it was made or used.
    pub(super) fn of(error: &ConnectionError) -> Self {
        let tls = |code: quinn::TransportErrorCode| TLS_ALERTS.contains(&u64::from(code));
        match error {
            ConnectionError::ApplicationClosed(close) => Self::Closed {
                code: close.error_code.into_inner(),
                reason: String::from_utf8_lossy(&close.reason).into_owned(),
            },
            ConnectionError::TransportError(error) if tls(error.code) => {
                Self::Handshake(error.to_string())
            }
            ConnectionError::ConnectionClosed(close) if tls(close.error_code) => {
                Self::Handshake(close.to_string())
            }
            other => Self::Lost(other.to_string()),
        }
    }
}
