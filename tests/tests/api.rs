//! The HTTP API of a running node: TLS, clients, where personal data goes, and how it stops.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sudare_ledger::role::Role;
use sudare_tests::system::eventually;
use sudare_tests::system::haystack::Needles;
use sudare_tests::system::network::Network;

/// A certificate with its key.
struct Card {
    certificate: CertificateDer<'static>,
    pem: String,
    key: String,
}

/// A root of certificates.
struct Root {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A node that serves the API, and what its clients need.
struct Served {
    network: Network,
    address: SocketAddr,
    root: Root,
    clerk: Card,
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_client_with_a_named_certificate_of_the_root_is_served() {
    let served = serve().await;
    let person = json!({
        "name": "Planted Person 7391", "address": "Planted Street 5577", "safekeeping_class": "own_custody",
        "status": "active", "aml_class": "low", "phone": "+81-3-7391-5577", "account_number": "7391557",
    });
    let made = served.ask(&served.clerk, "POST", "/v1/investors", Some(&person)).unwrap();
    assert_eq!(made.0, 201, "{made:?}");
    let id = made.1["id"].as_str().unwrap();
    let read = served.ask(&served.clerk, "GET", &format!("/v1/investors/{id}"), None).unwrap();
    assert_eq!((read.0, &read.1["name"]), (200, &person["name"]));
    // Of the root, but of no client.
    let stranger = served.root.card("stranger");
    let refused = served.ask(&stranger, "GET", "/v1/investors", None).unwrap();
    assert_eq!((refused.0, &refused.1["type"]), (401, &json!("/problems/unknown-client")));
    // Of another root: no answer at all.
    assert!(served.ask(&Root::new().card("clerk"), "GET", "/v1/investors", None).is_none());
    let mut plain = TcpStream::connect(served.address).unwrap();
    plain.write_all(b"GET /openapi.json HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "served without TLS");

    // The person is in the masters' database, and in nothing else that the node writes.
    let mut needles = Needles::default();
    for name in ["name", "address", "phone", "account_number"] {
        needles.text(name, person[name].as_str().unwrap());
    }
    let data = served.network.data("custodian");
    let database = data.join("masters.sqlite");
    assert_eq!(fs::metadata(&database).unwrap().permissions().mode() & 0o077, 0);
    let log = served.network.said("custodian");
    assert!(log.contains("/v1/investors/{id}"), "{log}");
    assert_eq!(needles.found_in(log.as_bytes()).len(), 0, "{log}");
    let (mut found, mut others) = (0, 0);
    for entry in fs::read_dir(&data).unwrap() {
        let path = entry.unwrap().path();
        if path.file_name().unwrap().to_string_lossy().starts_with("masters.sqlite") {
            found += needles.found_in(&fs::read(&path).unwrap()).len();
        } else if path.is_dir() {
            others += needles.found_under(&path).len();
        } else {
            others += needles.found_in(&fs::read(&path).unwrap()).len();
        }
    }
    assert!(found >= needles.count(), "the search finds nothing even where it is");
    assert_eq!(others, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_or_killed_node_has_every_row_that_it_acknowledged() {
    let mut served = serve().await;
    for number in 0..2 {
        let body = json!({ "name": format!("Institution {number}"), "address": "1 Demo Street" });
        let made = served.ask(&served.clerk, "POST", "/v1/custodians", Some(&body)).unwrap();
        assert_eq!(made.0, 201);
        if number == 0 {
            served.network.stop("custodian");
        } else {
            served.network.kill("custodian");
        }
        served.network.run(&["custodian"]).await;
        let path = format!("/v1/custodians/{}", made.1["id"].as_str().unwrap());
        let read = served.await_answer(&path);
        assert_eq!((read.0, &read.1["name"]), (200, &body["name"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_would_expose_something_is_refused() {
    let served = serve().await;
    let key = served.network.config("custodian").with_file_name("api.key");
    let mut network = served.network;
    network.stop("custodian");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let config = network.config("custodian");
    let ran = network.place.sudare(["node", "run", "--config", config.to_str().unwrap()]);
    let _ = ran.badly(4, &["api.key", "chmod 600"]);
}

async fn serve() -> Served {
    let mut network = Network::make(&[("notary", Role::Notary), ("custodian", Role::Custodian)]);
    let root = Root::new();
    let (server, clerk) = (root.card("localhost"), root.card("clerk"));
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = network.config("custodian");
    let folder = config.parent().unwrap();
    fs::write(folder.join("roots.pem"), &root.pem).unwrap();
    fs::write(folder.join("api.crt"), &server.pem).unwrap();
    fs::write(folder.join("api.key"), &server.key).unwrap();
    fs::set_permissions(folder.join("api.key"), fs::Permissions::from_mode(0o600)).unwrap();
    let hash = sha256(&clerk.certificate);
    let api = format!(
        "\n[api]\nlisten = \"{address}\"\ncertificate = \"api.crt\"\nkey = \"api.key\"\nclient_roots = \"roots.pem\"\n\
         [[api.clients]]\nname = \"clerk\"\nrole = \"custodian\"\ninstitution = \"custodian\"\ncertificate = \"{hash}\"\n"
    );
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text + &api).unwrap();
    network.run(&["custodian"]).await;
    let served = Served { network, address, root, clerk };
    let _ = served.await_answer("/openapi.json");
    served
}

impl Served {
    /// Asks until the listener is there.
    fn await_answer(&self, path: &str) -> (u16, Value) {
        eventually("the API answers", || self.ask(&self.clerk, "GET", path, None))
    }

    /// A request on a connection of its own; nothing if there is no answer.
    fn ask(
        &self,
        card: &Card,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Option<(u16, Value)> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        let mut stream = StreamOwned::new(self.tls(card), stream);
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             idempotency-key: {}\r\ncontent-length: {}\r\n\r\n{body}",
            sha256(body.as_bytes()),
            body.len()
        );
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        // The end may come without a notice.
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Some((status, serde_json::from_str(body).unwrap()))
    }

    fn tls(&self, card: &Card) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(self.root.pem.as_bytes()).unwrap();
        roots.add(root).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivateKeyDer::from_pem_slice(card.key.as_bytes()).unwrap();
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![card.certificate.clone()], key)
            .unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        ClientConnection::new(Arc::new(config), name).unwrap()
    }
}

impl Root {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    fn card(&self, name: &str) -> Card {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (der, pem) = (certificate.der().clone(), certificate.pem());
        Card { certificate: der, pem, key: key.serialize_pem() }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
