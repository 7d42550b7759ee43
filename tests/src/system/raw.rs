//! A peer that speaks QUIC and TLS as it must, and then writes what it likes.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore};
use sudare::membership::Member;
use sudare::net::Refusal;
use sudare::net::certificate::dns_name;
use sudare_crypto::NodeKey;
use sudare_crypto::encoding::decode;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

/// What a peer proves itself with.
#[derive(Debug)]
pub struct Proof {
    /// Its certificate.
    pub certificate: CertificateDer<'static>,
    /// The key of its certificate.
    pub key: NodeKey,
}

/// What came back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Said {
    /// Taken.
    Accepted,
    /// An answer.
    Answer(Vec<u8>),
    /// Refused with this code.
    Refused(u16),
}

/// A client with a socket of its own.
#[derive(Debug)]
pub struct Client {
    endpoint: quinn::Endpoint,
    config: quinn::ClientConfig,
}

impl Client {
    /// A client that trusts `root` and shows `proof`, if it has one.
    pub fn new(root: CertificateDer<'static>, proof: Option<Proof>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut tls = match proof {
            None => config.with_no_client_auth(),
            Some(Proof { certificate, key }) => {
                let key = PrivatePkcs8KeyDer::from(key.pkcs8_der().to_vec());
                config.with_client_auth_cert(vec![certificate], PrivateKeyDer::Pkcs8(key)).unwrap()
            }
        };
        tls.alpn_protocols = vec![b"sudare/1".to_vec()];
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { endpoint: quinn::Endpoint::client(any).unwrap(), config }
    }

    /// Connects to a member.
    ///
    /// # Errors
    ///
    /// What QUIC says.
    pub async fn connect(&self, to: &Member) -> Result<Connection, ConnectionError> {
        let name = dns_name(&to.name);
        let connecting =
            self.endpoint.connect_with(self.config.clone(), to.address, &name).unwrap();
        timeout(PATIENCE, connecting).await.unwrap()
    }

    /// The error with which a connection ends that must not be.
    pub async fn turned_away(&self, by: &Member) -> ConnectionError {
        match self.connect(by).await {
            Ok(connection) => timeout(PATIENCE, connection.closed()).await.unwrap(),
            Err(error) => error,
        }
    }
}

/// Writes bytes as a request, says that this was all if `whole`, and reads what comes back.
pub async fn exchange(connection: &Connection, bytes: &[u8], whole: bool) -> Said {
    let exchange = async {
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        // A server that has refused already reads no more.
        let _ = send.write_all(bytes).await;
        if whole {
            let _ = send.finish();
        }
        let response = receive.read_to_end(32 * 1024 * 1024).await.unwrap();
        let (status, rest) = response.split_first().unwrap();
        let (length, payload) = rest.split_first_chunk::<4>().unwrap();
        assert_eq!(u32::from_le_bytes(*length), u32::try_from(payload.len()).unwrap());
        match status {
            0 => Said::Accepted,
            1 => Said::Answer(payload.to_vec()),
            2 => Said::Refused(decode::<Refusal>(payload, "refusal").unwrap().code),
            other => panic!("status {other}"),
        }
    };
    timeout(PATIENCE, exchange).await.unwrap()
}

/// A request's bytes, by the specification.
pub fn request(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_le_bytes();
    [&[1, kind], length.as_slice(), payload].concat()
}
