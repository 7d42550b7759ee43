//! What the tests of the API share: databases of both engines, clients, requests.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    reason = "a test: a panic is its report"
)]

pub mod desk;
pub mod files;
pub mod ledger;
pub mod registry;
// A server for tests of the API and of the whole alike.
#[path = "../../../tests/src/system/postgres.rs"]
mod postgres;
pub mod register;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sudare_api::access::{Client, Role};
use sudare_api::approvals::Deed;
use sudare_api::flows::{Asking, Unanswered};
use sudare_api::http::{Api, Peer, Setup};
use sudare_api::masters::Kind;
use sudare_api::personal::{AccessLog, KeyBook, Trail};
use sudare_api::store::Store;
use sudare_api::users::{UsersConfig, UsersOf};
use sudare_crypto::derive::Seed;
use sudare_ledger::access::Handling;
use tower::ServiceExt;

pub use postgres::Server;

/// The institution whose node it is.
pub const HOUSE: &str = "house";
/// When the clocks of tests begin, ms.
pub const NOW_MS: u64 = 1_767_225_600_000;
/// An ISIN that a client with the scope `assets` may read.
pub const ISIN: &str = "ZZ0000000008";
/// Another one.
pub const OTHER_ISIN: &str = "ZZ0000000016";

/// A database and what must outlive it.
pub struct Database {
    pub url: String,
    /// The folder of the book of keys.
    pub keys: PathBuf,
    pub folder: tempfile::TempDir,
    _server: Option<Server>,
}

impl Database {
    /// The book of its keys.
    pub async fn book(&self) -> KeyBook {
        KeyBook::open(&self.keys, &Seed([9; 32])).await.unwrap()
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.url, self.book().await).await.unwrap()
    }
}

/// One database of each engine, empty.
pub fn databases() -> Vec<Database> {
    vec![sqlite(), postgres()]
}

pub fn sqlite() -> Database {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("masters.sqlite").display());
    Database { url, keys: folder.path().join("keys"), folder, _server: None }
}

pub fn postgres() -> Database {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    Database { url: server.url(), keys: folder.path().join("keys"), folder, _server: Some(server) }
}

/// An API with one client of each role, of the house and of another institution.
/// An access log in memory.
#[derive(Debug, Default)]
pub struct Entries {
    entries: Mutex<Vec<Handling>>,
    /// Whether it takes no more, as if its disk was full.
    pub full: AtomicBool,
}

impl AccessLog for Entries {
    fn record(&self, handling: Handling) -> Asking<'_, ()> {
        let full = self.full.load(Ordering::Relaxed);
        if !full {
            self.entries.lock().unwrap().push(handling);
        }
        Box::pin(async move {
            if full { Err(Unanswered::Later("the disk is full".into())) } else { Ok(()) }
        })
    }
}

impl Entries {
    /// What was recorded since this was asked last.
    pub fn take(&self) -> Vec<Handling> {
        std::mem::take(&mut *self.entries.lock().unwrap())
    }
}

pub struct World {
    pub api: Api,
    pub store: Store,
    pub now: Arc<AtomicI64>,
    pub trail: Arc<Entries>,
}

pub async fn world(database: &Database) -> World {
    world_with(database, Vec::new()).await
}

/// The same, where two people also do these.
pub async fn world_with(database: &Database, deeds: Vec<Arc<dyn Deed>>) -> World {
    world_as(database, |setup| setup.deeds = deeds).await
}

/// A world with other clients.
pub async fn world_of_clients(database: &Database, clients: Vec<Client>) -> World {
    world_as(database, |setup| setup.clients = clients).await
}

/// The same with another setup.
pub async fn world_as(database: &Database, change: impl FnOnce(&mut Setup)) -> World {
    let trail = Arc::new(Entries::default());
    world_at(database, change, trail.clone(), Trail::of(trail)).await
}

/// A world that keeps no access log.
pub async fn world_without_trail(database: &Database) -> World {
    world_at(database, |_| (), Arc::default(), Trail::default()).await
}

async fn world_at(
    database: &Database,
    change: impl FnOnce(&mut Setup),
    trail: Arc<Entries>,
    log: Trail,
) -> World {
    let store = database.open().await;
    let now = Arc::new(AtomicI64::new(1_767_225_600_000_000));
    let clock = Arc::clone(&now);
    // Each look at the clock is a second later, so that no test meets the rate.
    let clock = Arc::new(move || clock.fetch_add(1_000_000, Ordering::Relaxed));
    let clients =
        Role::ALL.into_iter().flat_map(|role| [HOUSE, "other"].map(|at| client(role, at)));
    let clients = clients.chain([HOUSE, "other"].map(second_administrator));
    let mut setup = Setup {
        house: HOUSE.into(),
        clients: clients.collect(),
        users: Some(users()),
        ..Setup::default()
    };
    change(&mut setup);
    setup.trail = log;
    let store = store.with_trail(setup.trail.clone());
    let api = Api::new(store.clone(), setup, clock).unwrap();
    World { api, store, now, trail }
}

/// The client of a role at an institution. Its certificate is any bytes: TLS has checked it before.
pub fn client(role: Role, institution: &str) -> Client {
    let hash = Sha256::digest(certificate(role, institution));
    Client {
        name: format!("{role} at {institution}"),
        role,
        institution: institution.into(),
        certificate: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        assets: [ISIN.to_owned()].into(),
        keys: Vec::new(),
        must_sign: false,
    }
}

/// Another administrator at an institution.
pub fn second_administrator(institution: &str) -> Client {
    let mut client = client(Role::Administrator, institution);
    client.name = format!("second administrator at {institution}");
    client.certificate = hash_of(&second_certificate(institution));
    client
}

pub fn second_certificate(institution: &str) -> Vec<u8> {
    format!("second administrator@{institution}").into_bytes()
}

pub fn hash_of(certificate: &[u8]) -> String {
    Sha256::digest(certificate).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Users of the house log on over the custodian's certificate or none, those of the other institution over its broker's.
pub fn users() -> UsersConfig {
    let of = |institution: &str, roles: &[Role], certificate: Vec<u8>, open| UsersOf {
        institution: institution.into(),
        roles: roles.iter().copied().collect(),
        assets: [ISIN.to_owned()].into(),
        certificates: [hash_of(&certificate)].into(),
        without_certificate: open,
    };
    UsersConfig {
        password_days: 90,
        attempts: 3,
        lock_minutes: 30,
        session_minutes: 60,
        institutions: vec![
            of(
                HOUSE,
                &[Role::Custodian, Role::Administrator],
                certificate(Role::Custodian, HOUSE),
                true,
            ),
            of(
                "other",
                &[Role::EntrustingBroker],
                certificate(Role::EntrustingBroker, "other"),
                false,
            ),
        ],
    }
}

pub fn certificate(role: Role, institution: &str) -> Vec<u8> {
    format!("{role}@{institution}").into_bytes()
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The code of its problem.
    pub fn problem(&self) -> &str {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.body["status"], self.status.as_u16());
        self.body["type"].as_str().unwrap().strip_prefix("/problems/").unwrap()
    }

    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }
}

impl World {
    /// Sends a request as the client of a role at an institution.
    pub async fn ask(
        &self,
        (role, institution): (Role, &str),
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            None => Body::empty(),
            Some(value) => {
                if !headers.iter().any(|(name, _)| *name == "content-type") {
                    request = request.header("content-type", "application/json");
                }
                Body::from(value.to_string())
            }
        };
        self.send(&certificate(role, institution), request.body(body).unwrap()).await
    }

    /// The same with a body that may be any text.
    pub async fn text(
        &self,
        (role, institution): (Role, &str),
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        self.send(&certificate(role, institution), request).await
    }

    pub async fn send(&self, certificate: &[u8], request: Request<Body>) -> Answer {
        let anonymous = certificate.is_empty();
        let peer = if anonymous { Peer::default() } else { Peer::with(certificate) };
        let router = self.api.router(peer);
        let answer = router.oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = || String::from_utf8(bytes.to_vec()).ok().filter(|text| !text.is_empty());
        let body = serde_json::from_slice(&bytes).unwrap_or_else(|_| text().into());
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub async fn get(&self, who: (Role, &str), path: &str) -> Answer {
        self.ask(who, Method::GET, path, &[], None).await
    }

    pub async fn post(&self, who: (Role, &str), path: &str, key: &str, body: &Value) -> Answer {
        self.ask(who, Method::POST, path, &[("idempotency-key", key)], Some(body)).await
    }

    pub async fn put(&self, who: (Role, &str), path: &str, etag: &str, body: &Value) -> Answer {
        self.ask(who, Method::PUT, path, &[("if-match", etag)], Some(body)).await
    }
}

/// A row of a kind with its required fields alone.
pub fn smallest(kind: Kind) -> Value {
    match kind {
        Kind::BeneficialInterest => json!({
            "name": "Tower One", "kind": "real estate", "isin": ISIN, "status": "preparing",
            "holiday_adjustment": "following",
        }),
        Kind::TrustContract => json!({ "number": "T-1", "name": "Tower One Trust" }),
        Kind::Investor => json!({
            "name": "Planted Person", "address": "1 Planted Street", "safekeeping_class": "safekeeping",
            "status": "applied", "aml_class": "low",
        }),
        _ => json!({ "name": "Demo Institution", "address": "1 Demo Street" }),
    }
}

/// A row of a kind with every field; references come from the caller.
pub fn fullest(kind: Kind, id_of: impl Fn(Kind) -> String) -> Value {
    use sudare_api::masters::Form;
    let mut row = smallest(kind);
    for field in kind.fields().filter(|field| !field.guarded) {
        let value = match field.form {
            Form::Text(_) => "何か some text".to_owned(),
            Form::Code(_) => "CODE-1".to_owned(),
            Form::Choice(choices) => choices[choices.len() - 1].to_owned(),
            Form::Digits(count) => "0".repeat(count),
            Form::Quantity => u64::MAX.to_string(),
            Form::Date => "2026-02-28".to_owned(),
            Form::Kana(_) => "ﾔﾏﾀﾞ(ｶ".to_owned(),
            Form::Email => "somebody@example.com".to_owned(),
            Form::Phone => "+81-3-0000-0000".to_owned(),
            Form::PostalCode => "100-0001".to_owned(),
            Form::Isin => ISIN.to_owned(),
            Form::Lei => "353800V2V8PUY9TK3E06".to_owned(),
            Form::Bic => "DEMOJPJT".to_owned(),
            Form::CorporateNumber => "7123456789012".to_owned(),
            Form::Login => "somebody".to_owned(),
            Form::Id => "0".repeat(32),
            Form::Sha256 => "0".repeat(64),
            Form::Instant => "2026-02-28T09:00:00Z".to_owned(),
            Form::Reference(of) => id_of(of),
        };
        row[field.name] = value.into();
    }
    row
}
