//! Signed requests: what holds is kept with what it did, and anybody can check it again; what doesn't hold does nothing.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test: a panic is its report")]

mod support;

use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair, UnparsedPublicKey, VerificationAlgorithm,
};
use serde_json::{Value, json};
use sudare_api::access::Role;
use sudare_api::masters::Kind;
use sudare_api::signed::SigningKey;
use sudare_ledger::access::{Handled, row_hash};
use support::{Answer, HOUSE, World, client, databases, smallest, sqlite, world_of_clients};

const CUSTODIAN: (Role, &str) = (Role::Custodian, HOUSE);
const CREATED: i64 = 1_767_225_600;

/// A client's key.
enum Key {
    Ed25519(Box<Ed25519KeyPair>),
    P256(Box<EcdsaKeyPair>),
}

impl Key {
    fn ed25519(seed: u8) -> Self {
        Self::Ed25519(Box::new(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()))
    }

    fn p256() -> Self {
        let (kind, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let made = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self::P256(Box::new(EcdsaKeyPair::from_pkcs8(kind, made.as_ref(), &random).unwrap()))
    }

    /// As a configuration has it.
    fn public(&self, id: &str) -> SigningKey {
        let der = match self {
            Self::Ed25519(key) => [
                b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00",
                key.public_key().as_ref(),
            ]
            .concat(),
            Self::P256(key) => [
                b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00",
                key.public_key().as_ref(),
            ]
            .concat(),
        };
        SigningKey { id: id.into(), public: STANDARD.encode(der).try_into().unwrap() }
    }

    fn sign(&self, text: &str) -> String {
        STANDARD.encode(match self {
            Self::Ed25519(key) => key.sign(text.as_bytes()).as_ref().to_vec(),
            Self::P256(key) => {
                key.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec()
            }
        })
    }
}

/// What is signed of a request.
struct Draft {
    method: Method,
    path: String,
    own: (&'static str, String),
    body: String,
    covered: Vec<&'static str>,
    parameters: String,
}

impl Draft {
    fn post(path: &str, key: &str, body: &Value) -> Self {
        Self {
            method: Method::POST,
            path: path.into(),
            own: ("idempotency-key", key.into()),
            body: body.to_string(),
            covered: vec!["@method", "@target-uri", "content-digest", "idempotency-key"],
            parameters: format!(";created={CREATED};keyid=\"desk\";nonce=\"7\""),
        }
    }

    /// The headers of the request, signed.
    fn headers(&self, key: &Key) -> Vec<(&'static str, String)> {
        let body = STANDARD.encode(digest(&SHA256, self.body.as_bytes()));
        let content = format!("sha-256=:{body}:");
        let mut base = String::new();
        for name in &self.covered {
            let value = match *name {
                "@method" => self.method.to_string(),
                "@target-uri" => format!("https://node.example{}", self.path),
                "content-digest" => content.clone(),
                _ => self.own.1.clone(),
            };
            base += &format!("\"{name}\": {value}\n");
        }
        let names: Vec<String> = self.covered.iter().map(|name| format!("\"{name}\"")).collect();
        let input = format!("({}){}", names.join(" "), self.parameters);
        base += &format!("\"@signature-params\": {input}");
        vec![
            ("host", "node.example".into()),
            ("content-type", "application/json".into()),
            (self.own.0, self.own.1.clone()),
            ("content-digest", content),
            ("signature-input", format!("desk={input}")),
            ("signature", format!("desk=:{}:", key.sign(&base))),
        ]
    }

    async fn send(&self, world: &World, headers: &[(&'static str, String)]) -> Answer {
        let headers: Vec<(&str, &str)> =
            headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        world.text(CUSTODIAN, self.method.clone(), &self.path, &headers, &self.body).await
    }
}

/// A world whose custodians of the house sign with these keys.
async fn world(database: &support::Database, keys: &[&Key], must_sign: bool) -> World {
    let mut signer = client(Role::Custodian, HOUSE);
    signer.keys = [("desk", keys[0])].iter().map(|(id, key)| key.public(id)).collect();
    signer.must_sign = must_sign;
    let others = [client(Role::Custodian, "other"), client(Role::Registrar, HOUSE)];
    world_of_clients(database, others.into_iter().chain([signer]).collect()).await
}

/// The signed requests behind something.
async fn evidence(world: &World, path: &str) -> Vec<Value> {
    let page = world.get(CUSTODIAN, &format!("{path}/signatures")).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    page.body["items"].as_array().unwrap().clone()
}

/// What anybody does who checks evidence: from the evidence alone.
fn holds(evidence: &Value, method: &str, target: &str, body: &str) {
    let text = |name: &str| evidence[name].as_str().unwrap();
    let bytes = |name: &str| STANDARD.decode(text(name)).unwrap();
    let key = bytes("public_key");
    let (algorithm, start): (&dyn VerificationAlgorithm, usize) = if text("algorithm") == "ed25519"
    {
        (&ED25519, 12)
    } else {
        (&ECDSA_P256_SHA256_FIXED, 26)
    };
    UnparsedPublicKey::new(algorithm, &key[start..])
        .verify(text("base").as_bytes(), &bytes("signature"))
        .unwrap();
    assert_eq!(bytes("body"), body.as_bytes());
    let digest = STANDARD.encode(digest(&SHA256, body.as_bytes()));
    for line in [
        format!("\"@method\": {method}"),
        format!("\"@target-uri\": https://node.example{target}"),
        format!("\"content-digest\": sha-256=:{digest}:"),
    ] {
        assert!(text("base").lines().any(|one| one == line), "{line} is not in {}", text("base"));
    }
}

#[tokio::test]
async fn a_signed_request_is_kept_with_what_it_did_and_verifies_from_that_alone() {
    let mut keys = vec![Key::ed25519(1), Key::p256()];
    for database in databases() {
        let key = keys.pop().unwrap();
        let world = world(&database, &[&key], true).await;
        let draft = Draft::post("/v1/custodians", "k1", &smallest(Kind::Custodian));
        let headers = draft.headers(&key);
        let made = draft.send(&world, &headers).await;
        assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
        // Sent again it is the same request, and no second evidence.
        assert_eq!(draft.send(&world, &headers).await.id(), made.id());
        let path = format!("/v1/custodians/{}", made.id());
        let kept = evidence(&world, &path).await;
        assert_eq!((kept.len(), &kept[0]["by"]), (1, &json!("custodian at house")));
        holds(&kept[0], "POST", "/v1/custodians", &draft.body);

        let change = Draft {
            method: Method::PUT,
            path: path.clone(),
            own: ("if-match", "\"v1\"".into()),
            body: json!({ "name": "Renamed", "address": "1 Demo Street" }).to_string(),
            covered: vec!["if-match", "@target-uri", "@method", "content-digest"],
            parameters: format!(";keyid=\"desk\";created={CREATED}"),
        };
        let changed = change.send(&world, &change.headers(&key)).await;
        assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
        let kept = evidence(&world, &path).await;
        assert_eq!(kept.len(), 2);
        holds(&kept[1], "PUT", &path, &change.body);
        // Whoever doesn't see the row doesn't see who signed it.
        let other = world.get((Role::Custodian, "other"), &format!("{path}/signatures")).await;
        assert_eq!(other.problem(), "not-found");
    }
}

#[tokio::test]
async fn a_client_that_must_sign_does_nothing_without_and_reads_as_before() {
    let (database, key) = (sqlite(), Key::ed25519(1));
    let world = world(&database, &[&key], true).await;
    let bare = world.post(CUSTODIAN, "/v1/custodians", "k1", &smallest(Kind::Custodian)).await;
    assert_eq!((bare.status, bare.problem()), (StatusCode::UNAUTHORIZED, "signature-required"));
    let list = world.get(CUSTODIAN, "/v1/custodians").await;
    assert_eq!(list.body["items"], json!([]));
    // A client that needn't sign, but does, with a key that isn't its own, is told.
    let draft = Draft::post("/v1/settlors", "k1", &smallest(Kind::Settlor));
    let headers = draft.headers(&key);
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let asked = (Role::Registrar, HOUSE);
    let made = world.text(asked, Method::POST, &draft.path, &headers, &draft.body).await;
    assert_eq!(made.problem(), "signature-refused");
}

#[tokio::test]
async fn whatever_is_changed_after_signing_is_found_and_nothing_is_done() {
    let (database, key) = (sqlite(), Key::ed25519(1));
    let world = world(&database, &[&key], false).await;
    let draft = || Draft::post("/v1/custodians", "k1", &smallest(Kind::Custodian));
    let good = draft().headers(&key);
    let with = |name: &str, value: &str| {
        let mut headers = good.clone();
        headers.iter_mut().find(|(one, _)| *one == name).unwrap().1 = value.to_owned();
        headers
    };
    let mut other = draft();
    other.body = other.body.replace("Demo", "Other");
    let digest_of_other = STANDARD.encode(digest(&SHA256, other.body.as_bytes()));
    let digest_of_other = format!("sha-256=:{digest_of_other}:");
    let mut elsewhere = draft();
    elsewhere.path = "/v1/safekeeping-places".into();
    let signed_by = |other: &Key| draft().headers(other);
    let late = |created: i64, more: &str| {
        let mut late = draft();
        late.parameters = format!(";created={created};keyid=\"desk\"{more}");
        late.headers(&key)
    };
    let without = |name: &str| {
        let mut less = draft();
        less.covered.retain(|one| *one != name);
        less.headers(&key)
    };
    for (sent, headers, problem) in [
        (other, good.clone(), "digest-mismatch"),
        (draft(), with("content-digest", "sha-256=:AAAA:"), "digest-mismatch"),
        (
            Draft {
                body: smallest(Kind::Custodian).to_string().replace("Demo", "Other"),
                ..draft()
            },
            with("content-digest", &digest_of_other),
            "signature-refused",
        ),
        (elsewhere, good.clone(), "signature-refused"),
        (draft(), with("idempotency-key", "k2"), "signature-refused"),
        (draft(), with("host", "elsewhere.example"), "signature-refused"),
        (draft(), with("signature", "desk=:AAAA:"), "signature-refused"),
        (draft(), with("signature", "other=:AAAA:"), "signature-refused"),
        (draft(), signed_by(&Key::ed25519(2)), "signature-refused"),
        (draft(), late(CREATED - 1000, ""), "signature-refused"),
        (draft(), late(CREATED + 1000, ""), "signature-refused"),
        (draft(), late(CREATED, &format!(";expires={}", CREATED - 1)), "signature-refused"),
        (draft(), late(CREATED, ";alg=\"ecdsa-p256-sha256\""), "signature-refused"),
        (draft(), late(CREATED, ";unknown=\"x\""), "signature-refused"),
        (draft(), without("@method"), "signature-refused"),
        (draft(), without("@target-uri"), "signature-refused"),
        (draft(), without("content-digest"), "signature-refused"),
        (draft(), without("idempotency-key"), "signature-refused"),
        (
            draft(),
            good.iter().filter(|(name, _)| *name != "signature").cloned().collect(),
            "signature-refused",
        ),
        (
            draft(),
            good.iter().filter(|(name, _)| *name != "signature-input").cloned().collect(),
            "signature-refused",
        ),
    ] {
        let answer = sent.send(&world, &headers).await;
        assert_eq!(answer.problem(), problem, "{headers:?}");
    }
    let list = world.get(CUSTODIAN, "/v1/custodians").await;
    assert_eq!(list.body["items"], json!([]));
    assert_eq!(draft().send(&world, &good).await.status, StatusCode::CREATED);
}

#[tokio::test]
async fn an_erasure_takes_the_signed_requests_that_hold_the_data() {
    for database in databases() {
        let key = Key::ed25519(1);
        let world = world(&database, &[&key], false).await;
        let mut person = smallest(Kind::Investor);
        person["status"] = json!("closed");
        let draft = Draft::post("/v1/investors", "k1", &person);
        let made = draft.send(&world, &draft.headers(&key)).await;
        let path = format!("/v1/investors/{}", made.id());
        // [ACC-6]: what was signed says all of him, so that reading it is recorded.
        let _ = world.trail.take();
        assert_eq!(evidence(&world, &path).await.len(), 1);
        let [read] = <[_; 1]>::try_from(world.trail.take()).unwrap();
        assert_eq!(
            (read.what, read.rows.to_vec()),
            (Handled::Requests, vec![row_hash(&made.id())])
        );
        let body = json!({ "deed": "erase-investor", "request": { "investor_id": made.id(), "reason": "asked for" } });
        let draft = Draft::post("/v1/approvals", "k2", &body);
        let proposed = draft.send(&world, &draft.headers(&key)).await;
        let decision = json!({ "decision": "approve", "hash": proposed.body["hash"] });
        let approval = format!("/v1/approvals/{}", proposed.id());
        let registrar = (Role::Registrar, HOUSE);
        let done = world.post(registrar, &format!("{approval}/decision"), "k", &decision).await;
        assert_eq!(done.status, StatusCode::OK, "{done:?}");
        assert_eq!(evidence(&world, &path).await, Vec::<Value>::new());
        // Who proposed it stays provable.
        let kept = evidence(&world, &approval).await;
        holds(&kept[0], "POST", "/v1/approvals", &draft.body);
    }
}
