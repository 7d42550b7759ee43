//! TLS 1.3 and QUIC settings: who proves which key, and how much a connection can take up.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::{NoInitialCipherSuite, QuicClientConfig, QuicServerConfig};
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig, TransportConfig, VarInt, crypto};
use rand_core::RngCore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use rustls::sign::{CertifiedKey, Signer, SigningKey, SingleCertAndKey};
use rustls::{RootCertStore, SignatureAlgorithm, SignatureScheme};
use sudare_crypto::{Hash, NodeId, NodeKey};
use zeroize::Zeroizing;

use super::Limits;
use super::certificate::{self, CertificateError};
use crate::membership::MemberName;

const PROTOCOL: &[u8] = b"sudare/1";
const QUIC_VERSION_1: u32 = 1;
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
const CONCURRENT_REQUESTS: u32 = 64;
const IDLE_TIMEOUT_MS: u32 = 30_000;
const KEEP_ALIVE: Duration = Duration::from_secs(5);
// The nodes are near each other; with the default a lost first packet is missed for a second.
const INITIAL_RTT: Duration = Duration::from_millis(50);
const INCOMING_MAX: usize = 256;
const INCOMING_BYTES: u64 = 64 * 1024;
const INCOMING_BYTES_TOTAL: u64 = 4 * 1024 * 1024;

/// A node's key with its certificate, and the certificate of the network root.
#[derive(Clone, Debug)]
pub struct Identity {
    key: NodeKey,
    name: MemberName,
    certificate: CertificateDer<'static>,
    root: CertificateDer<'static>,
    root_id: NodeId,
}

impl Identity {
    /// The identity of the node that holds `key`. Whether `root` signed `certificate` is for its peers to check.
    ///
    /// # Errors
    ///
    /// [`CertificateError::NotANode`], or [`CertificateError::OtherKey`] if the certificate is not for `key`.
    pub fn new(
        key: NodeKey,
        certificate: CertificateDer<'static>,
        root: CertificateDer<'static>,
    ) -> Result<Self, CertificateError> {
        let (name, id) = certificate::subject(&certificate)?;
        if id != key.id() {
            return Err(CertificateError::OtherKey { name, certificate: id, key: key.id() });
        }
        let root_id = certificate::public_key(&root)?;
        Ok(Self { key, name, certificate, root, root_id })
    }

    /// Reads the identity from three files: key, certificate, root's certificate.
    ///
    /// # Errors
    ///
    /// Those of [`certificate::read_key`], [`certificate::read_certificate`] and [`Identity::new`].
    pub fn load(key: &Path, certificate: &Path, root: &Path) -> Result<Self, CertificateError> {
        let key = certificate::read_key(key)?;
        let (leaf, root) =
            (certificate::read_certificate(certificate)?, certificate::read_certificate(root)?);
        Self::new(key, leaf, root)
    }

    /// The node key.
    #[must_use]
    pub const fn key(&self) -> &NodeKey {
        &self.key
    }

    /// The name in the node's certificate.
    #[must_use]
    pub const fn name(&self) -> &MemberName {
        &self.name
    }

    /// The network root's key, which signs the membership list.
    #[must_use]
    pub const fn root_id(&self) -> &NodeId {
        &self.root_id
    }

    fn certified(&self) -> Arc<SingleCertAndKey> {
        let key = TlsKey { key: self.key.clone() };
        let certified = CertifiedKey::new(vec![self.certificate.clone()], Arc::new(key));
        Arc::new(SingleCertAndKey::from(certified))
    }

    fn roots(&self) -> Result<Arc<RootCertStore>, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone())?;
        Ok(Arc::new(roots))
    }
}

/// The TLS settings of a server: TLS 1.3 only, a certificate of the root demanded, no tickets and so neither resumption nor
/// 0-RTT.
pub(super) fn server_tls(identity: &Identity) -> Result<rustls::ServerConfig, TlsError> {
    let verifier =
        rustls::server::WebPkiClientVerifier::builder_with_provider(identity.roots()?, provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier.build()?)
        .with_cert_resolver(identity.certified());
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(config)
}

/// The TLS settings of a client, as strict as the server's.
pub(super) fn client_tls(identity: &Identity) -> Result<rustls::ClientConfig, TlsError> {
    let mut config = rustls::ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(identity.roots()?)
        .with_client_cert_resolver(identity.certified());
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_early_data = false;
    Ok(config)
}

pub(super) fn server_config(
    tls: rustls::ServerConfig,
    limits: &Limits,
) -> Result<quinn::ServerConfig, TlsError> {
    let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
    let streams = CONCURRENT_REQUESTS.min(limits.requests_per_peer.into());
    config
        .transport_config(Arc::new(transport(streams)))
        .migration(false)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BYTES)
        .incoming_buffer_size_total(INCOMING_BYTES_TOTAL);
    Ok(config)
}

pub(super) fn client_config(tls: rustls::ClientConfig) -> Result<quinn::ClientConfig, TlsError> {
    let mut config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls)?));
    // A server only answers: it opens no stream.
    config.transport_config(Arc::new(transport(0)));
    Ok(config)
}

/// The settings of a socket. The reset key follows from the node key, so that after a restart a peer learns with its next
/// packet, not after the idle timeout, that its connection is gone.
pub(super) fn endpoint_config(identity: &Identity, seed: Option<[u8; 32]>) -> EndpointConfig {
    let secret = Hash::of(b"sudare/stateless-reset/v1", &[&identity.key.pkcs8_der()]);
    let mut config = EndpointConfig::new(Arc::new(ResetKey(Zeroizing::new(secret.0))));
    config
        .cid_generator(|| Box::new(RandomId))
        .supported_versions(vec![QUIC_VERSION_1])
        .rng_seed(seed);
    config
}

fn transport(streams: u32) -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(streams.into())
        .max_concurrent_uni_streams(0u32.into())
        .stream_receive_window(STREAM_WINDOW.into())
        .receive_window(CONNECTION_WINDOW.into())
        .send_window(CONNECTION_WINDOW.into())
        .max_idle_timeout(Some(VarInt::from_u32(IDLE_TIMEOUT_MS).into()))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(INITIAL_RTT)
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0)
        .allow_spin(false);
    config
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The node key as rustls wants it.
#[derive(Clone, Debug)]
struct TlsKey {
    key: NodeKey,
}

impl SigningKey for TlsKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        if !offered.contains(&SignatureScheme::ED25519) {
            return None;
        }
        Some(Box::new(self.clone()))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(certificate::subject_public_key_info(&self.key.id()).into())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ED25519
    }
}

impl Signer for TlsKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        // What TLS 1.3 signs starts with 64 spaces and its own context, which no message of ours does.
        Ok(self.key.sign_raw(message).0.to_vec())
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

/// Authenticates stateless resets. The hash of a secret and then one part with its length in front is a MAC.
struct ResetKey(Zeroizing<[u8; 32]>);

impl crypto::HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature_out: &mut [u8]) {
        signature_out
            .copy_from_slice(Hash::of(b"sudare/reset-mac/v1", &[&*self.0, data]).as_bytes());
    }

    fn signature_len(&self) -> usize {
        32
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), crypto::CryptoError> {
        let expected = Hash::of(b"sudare/reset-mac/v1", &[&*self.0, data]);
        if expected.as_bytes() == signature { Ok(()) } else { Err(crypto::CryptoError) }
    }
}

/// Random connection ids. Unlike quinn's default they carry no mark of this run, which would keep a restarted node from
/// answering packets for its old connections with a reset.
struct RandomId;

impl ConnectionIdGenerator for RandomId {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut bytes = [0; 8];
        rand_core::OsRng.fill_bytes(&mut bytes);
        ConnectionId::new(&bytes)
    }

    fn cid_len(&self) -> usize {
        8
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// The certificates can't be used for TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// rustls refuses key or certificate.
    #[error("the certificates cannot be used: {0}")]
    Rustls(#[from] rustls::Error),
    /// The root's certificate is no trust anchor.
    #[error("the root's certificate cannot be used: {0}")]
    Verifier(#[from] rustls::client::VerifierBuilderError),
    /// The provider lacks QUIC's initial cipher suite.
    #[error("no cipher suite for QUIC: {0}")]
    CipherSuite(#[from] NoInitialCipherSuite),
}
