//! A node that serves the HTTP API over TLS, the certificates of its clients, and requests to it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sudare_ledger::role::Role;

use super::eventually;
use super::network::Network;

/// The ports that are given out: below those of connections on any usual system.
const FIRST_PORT: u16 = 16_384;
const PORTS: u16 = 16_384;

/// A certificate with its key.
#[derive(Debug)]
pub struct Card {
    /// The certificate (DER).
    pub certificate: CertificateDer<'static>,
    /// The certificate (PEM).
    pub pem: String,
    /// Its key (PEM).
    pub key: String,
}

/// A root of certificates.
#[derive(Debug)]
pub struct Root {
    issuer: Issuer<'static, KeyPair>,
    /// The root's certificate (PEM).
    pub pem: String,
}

/// A node that serves the API, and what its clients need.
#[derive(Debug)]
pub struct Served {
    /// The network of the node.
    pub network: Network,
    /// The node's name.
    node: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// Who signed the certificates of server and clients.
    pub root: Root,
    /// A client of the node's institution with the node's role.
    pub clerk: Card,
}

impl Served {
    /// Starts a custodian's node with the API. `more` is added to its `[api]` table, by the folder with the certificates and their
    /// root.
    pub async fn start(more: impl FnOnce(&Path, &Root) -> String) -> Self {
        let network = Network::make(&[("notary", Role::Notary), ("custodian", Role::Custodian)]);
        Self::on(network, "custodian", "custodian", more).await
    }

    /// Starts a node of a network with the API, whose clerk has a role.
    pub async fn on(
        mut network: Network,
        node: &str,
        role: &str,
        more: impl FnOnce(&Path, &Root) -> String,
    ) -> Self {
        let (root, address) = (Root::default(), free_address());
        let clerk = root.card("clerk");
        let config = network.config(node);
        serve_api(&config, address, &root, more, &clerk, (node, role));
        network.run(&[node]).await;
        let served = Self { network, node: node.to_owned(), address, root, clerk };
        let _ = served.await_answer("/openapi.json");
        served
    }

    /// The folder with `roots.pem`, `api.crt`, `api.key`, `clerk.crt` and `clerk.key`.
    pub fn folder(&self) -> PathBuf {
        self.network.config(&self.node).parent().unwrap().to_owned()
    }

    /// Asks until the listener is there.
    pub fn await_answer(&self, path: &str) -> (u16, Value) {
        eventually("the API answers", || self.ask(&self.clerk, "GET", path, None))
    }

    /// A request on a connection of its own; nothing if there is no answer.
    pub fn ask(
        &self,
        card: &Card,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        self.ask_with(Some(card), method, path, "", body)
    }

    /// Gets a file.
    pub fn fetch(&self, card: &Card, path: &str) -> Option<(u16, Vec<u8>)> {
        exchange(&self.root, Some(card), self.address, "GET", path, "", "")
    }

    /// The same with more headers, each ended by a line break, and perhaps without a certificate.
    pub fn ask_with(
        &self,
        card: Option<&Card>,
        method: &str,
        path: &str,
        headers: &str,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let headers = format!(
            "content-type: application/json\r\nidempotency-key: {}\r\n{headers}",
            sha256(format!("{path} {body}").as_bytes())
        );
        let (status, text) =
            request(&self.root, card, self.address, method, path, &headers, &body)?;
        Some((status, serde_json::from_str(&text).unwrap_or(Value::Null)))
    }
}

/// An address of this machine that nobody listens on yet, another one each time. Its port is none that connections are given, so that
/// none takes it before the node does.
pub fn free_address() -> SocketAddr {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % u32::from(PORTS)).unwrap();
    let mut tried = (0..PORTS).map(|_| {
        let place = first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % PORTS;
        SocketAddr::from(([127, 0, 0, 1], FIRST_PORT + place))
    });
    tried.find(|address| TcpListener::bind(address).is_ok()).unwrap()
}

/// Puts certificates beside a node's configuration file, and an `[api]` table into it, with `more`, by the folder with the certificates
/// and their root, and a client of an institution with a role, who has the card `clerk`.
pub fn serve_api(
    config: &Path,
    address: SocketAddr,
    root: &Root,
    more: impl FnOnce(&Path, &Root) -> String,
    clerk: &Card,
    (institution, role): (&str, &str),
) {
    let (folder, server) = (config.parent().unwrap(), root.card("localhost"));
    for (name, text) in [
        ("roots.pem", &root.pem),
        ("api.crt", &server.pem),
        ("api.key", &server.key),
        ("clerk.crt", &clerk.pem),
        ("clerk.key", &clerk.key),
    ] {
        fs::write(folder.join(name), text).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    let (more, hash) = (more(folder, root), sha256(&clerk.certificate));
    let api = format!(
        "\n[api]\nlisten = \"{address}\"\ncertificate = \"api.crt\"\nkey = \"api.key\"\nclient_roots = \"roots.pem\"\n{more}\n\
         [[api.clients]]\nname = \"clerk\"\nrole = \"{role}\"\ninstitution = \"{institution}\"\ncertificate = \"{hash}\"\n"
    );
    let text = fs::read_to_string(config).unwrap();
    fs::write(config, text + &api).unwrap();
}

/// A connection that is kept for one request after the other.
#[derive(Debug)]
pub struct Kept {
    stream: BufReader<StreamOwned<ClientConnection, TcpStream>>,
    port: u16,
}

impl Kept {
    /// Connects with a client certificate.
    pub fn open(root: &Root, card: &Card, address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(120)))?;
        let stream = BufReader::new(StreamOwned::new(root.tls(Some(card)), stream));
        Ok(Self { stream, port: address.port() })
    }

    /// A request with a JSON body, or none, under an idempotency key; the status and the JSON that come back.
    pub fn ask(
        &mut self,
        method: &str,
        path: &str,
        key: &str,
        body: Option<&Value>,
    ) -> std::io::Result<(u16, Value)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let kind = format!("application/json\r\nidempotency-key: {key}");
        let (status, answer) = self.send(method, path, &kind, body.as_bytes())?;
        let answer = serde_json::from_slice(&answer);
        Ok((status, answer.map_err(|_| std::io::Error::other("no JSON answer"))?))
    }

    /// A request with a body of a media type; the status and the bytes that come back.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> std::io::Result<(u16, Vec<u8>)> {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost:{}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n\r\n",
            self.port,
            body.len()
        );
        self.stream.get_mut().write_all(&[head.as_bytes(), body].concat())?;
        let wrong = || std::io::Error::other("no HTTP answer with a length");
        let mut line = || {
            let mut line = String::new();
            self.stream.read_line(&mut line).map(|_| line)
        };
        let status = line()?.split(' ').nth(1).and_then(|word| word.parse().ok());
        let mut length = None;
        loop {
            let header = line()?.to_ascii_lowercase();
            match header.trim_end().split_once(": ") {
                Some(("content-length", bytes)) => length = bytes.parse().ok(),
                None => break,
                _ => (),
            }
        }
        let (Some(status), Some(length)) = (status, length) else { return Err(wrong()) };
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        Ok((status, answer))
    }
}

/// A request over TLS to `localhost` at an address, by hand; nothing if there is no answer.
pub fn request(
    root: &Root,
    card: Option<&Card>,
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Option<(u16, String)> {
    let (status, body) = exchange(root, card, address, method, path, headers, body)?;
    Some((status, String::from_utf8(body).unwrap()))
}

/// The same, for an answer of any bytes.
fn exchange(
    root: &Root,
    card: Option<&Card>,
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Option<(u16, Vec<u8>)> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let mut stream = StreamOwned::new(root.tls(card), stream);
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost:{}\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n{body}",
        address.port(),
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    // The end may come without a notice.
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).unwrap();
    Some((head.split(' ').nth(1)?.parse().ok()?, body))
}

impl Default for Root {
    fn default() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        params.distinguished_name.push(DnType::CommonName, "root of a test");
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }
}

impl Root {
    /// A certificate for a name, of server and client.
    pub fn card(&self, name: &str) -> Card {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (der, pem) = (certificate.der().clone(), certificate.pem());
        Card { certificate: der, pem, key: key.serialize_pem() }
    }

    /// The client's side of a connection to `localhost`.
    pub fn tls(&self, card: Option<&Card>) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match card {
            None => config.with_no_client_auth(),
            Some(card) => {
                let key = PrivateKeyDer::from_pem_slice(card.key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![card.certificate.clone()], key).unwrap()
            }
        };
        let name = ServerName::try_from("localhost").unwrap();
        ClientConnection::new(Arc::new(config), name).unwrap()
    }
}

/// 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
