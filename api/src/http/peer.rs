//! Who is at the other end of a connection, and who asks over it.

use sha2::{Digest, Sha256};

use super::Api;
use super::manners::hex;
use crate::access::Client;

/// What TLS has shown of a connection's other end.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Peer {
    /// SHA-256 of the certificate (DER) whose key it has shown, if any.
    certificate: Option<[u8; 32]>,
}

impl Peer {
    /// One with this certificate (DER).
    #[must_use]
    pub fn with(certificate: &[u8]) -> Self {
        Self { certificate: Some(Sha256::digest(certificate).into()) }
    }

    /// The certificate's hash: 64 hexadecimal digits, or nothing.
    #[must_use]
    pub fn certificate(&self) -> Option<String> {
        self.certificate.map(|hash| hex(&hash))
    }
}

impl Api {
    /// [AUT-1]: the client that the configuration names by the peer's certificate.
    pub(super) fn known(&self, peer: &Peer) -> Option<Client> {
        self.0.clients.get(&peer.certificate()?).cloned()
    }
}
