use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_767_225_600 * SECOND_US;
const CARD: [u8; 32] = [7; 32];

struct Signer(Ed25519KeyPair);

impl Signer {
    fn new() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    fn jwk(&self, kid: &str) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.0.public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig" })
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = URL_SAFE_NO_PAD.encode(self.0.sign(message.as_bytes()).as_ref());
        format!("{message}.{signature}")
    }
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": "one" })
}

fn claims() -> Value {
    let now = NOW / SECOND_US;
    json!({
        "iss": "https://issuer.example", "aud": "https://node.example", "sub": "desk", "client_id": "desk", "jti": "1",
        "iat": now, "exp": now + 300, "scope": "openid desk", "cnf": { "x5t#S256": URL_SAFE_NO_PAD.encode(CARD) },
    })
}

fn tokens(signer: &Signer) -> Tokens {
    let client = TokenClient {
        id: "desk".into(),
        institution: "broker".into(),
        roles: [("desk".to_owned(), Role::EntrustingBroker), ("all".to_owned(), Role::Registrar)]
            .into(),
        assets: BTreeSet::new(),
        keys: Vec::new(),
        must_sign: false,
    };
    let tokens = Tokens::new(TokensConfig {
        issuer: "https://issuer.example".into(),
        audience: "https://node.example".into(),
        algorithms: algorithms(),
        skew_seconds: 30,
        keys: Some("keys.json".into()),
        keys_url: None,
        keys_roots: None,
        refresh_seconds: 600,
        clients: vec![client],
    })
    .unwrap();
    tokens.keys(json!({ "keys": [signer.jwk("one")] }).to_string().as_bytes(), NOW).unwrap();
    tokens
}

#[test]
fn a_token_of_the_issuer_stands_for_its_client_over_the_certificate_it_is_bound_to() {
    let signer = Signer::new();
    let client =
        tokens(&signer).client(&signer.token(&header(), &claims()), Some(CARD), NOW).unwrap();
    assert_eq!((client.name.as_str(), client.role), ("token/desk", Role::EntrustingBroker));
    assert_eq!((client.institution.as_str(), client.certificate), ("broker", "07".repeat(32)));
}

#[test]
fn a_token_that_differs_in_anything_is_refused() {
    use TokenRefused::{Algorithm, Binding, Form, Invalid, Key, Scope, Time};
    let signer = Signer::new();
    let tokens = tokens(&signer);
    let now = NOW / SECOND_US;
    let cases: &[(&str, Value, TokenRefused)] = &[
        ("iss", json!("https://other.example"), Invalid),
        ("iss", Value::Null, Invalid),
        ("aud", json!("https://other.example"), Invalid),
        ("aud", json!(["https://other.example"]), Invalid),
        ("aud", Value::Null, Invalid),
        ("exp", json!(now - 30), Time),
        ("exp", json!("never"), Invalid),
        ("exp", Value::Null, Invalid),
        ("iat", json!(now + 31), Time),
        ("nbf", json!(now + 31), Time),
        ("nbf", json!("soon"), Invalid),
        ("cnf", Value::Null, Binding),
        ("cnf", json!({}), Binding),
        ("cnf", json!({ "jkt": "x" }), Binding),
        ("cnf", json!({ "x5t#S256": URL_SAFE_NO_PAD.encode([8; 32]) }), Binding),
        ("client_id", json!("other"), Scope),
        ("client_id", Value::Null, Invalid),
        ("scope", json!("openid"), Scope),
        ("scope", json!("desk all"), Scope),
        ("scope", Value::Null, Scope),
        ("sub", json!(""), Form),
        ("jti", Value::Null, Invalid),
    ];
    for (name, value, why) in cases {
        let mut changed = claims();
        changed[*name] = value.clone();
        if value.is_null() {
            changed.as_object_mut().unwrap().remove(*name);
        }
        let token = signer.token(&header(), &changed);
        assert_eq!(tokens.client(&token, Some(CARD), NOW), Err(*why), "{name} {value}");
    }
    let good = signer.token(&header(), &claims());
    for card in [None, Some([8; 32])] {
        assert_eq!(tokens.client(&good, card, NOW), Err(Binding));
    }
    for (name, value, why) in [
        ("typ", json!("JWT"), Form),
        ("typ", Value::Null, Form),
        ("alg", json!("none"), Form),
        ("alg", json!("HS256"), Algorithm),
        ("alg", json!("RS256"), Algorithm),
        ("alg", json!("PS256"), Key),
        ("kid", json!("two"), Key),
        ("kid", Value::Null, Key),
        ("crit", json!(["b64"]), Invalid),
    ] {
        let mut changed = header();
        changed[name] = value.clone();
        if value.is_null() {
            changed.as_object_mut().unwrap().remove(name);
        }
        let token = signer.token(&changed, &claims());
        assert_eq!(tokens.client(&token, Some(CARD), NOW), Err(why), "{name} {value}");
    }
    let forged = Signer::new().token(&header(), &claims());
    assert_eq!(tokens.client(&forged, Some(CARD), NOW), Err(Invalid));
    for text in ["", "a", "a.b", "a.b.c", "a.b.c.d", &good[..good.len() - 1], &"x".repeat(9000)] {
        assert!(tokens.client(text, Some(CARD), NOW).is_err(), "{text}");
    }
}

#[test]
fn a_signature_with_a_key_of_the_set_counts_by_its_own_algorithm_alone() {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
        .unwrap();
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let jwk = json!({
        "kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256",
        "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
    });
    let keys = Keys::read(json!({ "keys": [jwk] }).to_string().as_bytes()).unwrap();
    let signature = pair.sign(&random, b"message").unwrap();
    let key = keys.find("ec", Algorithm::ES256).unwrap();
    assert!(crate::keys::verify(Algorithm::ES256, key, b"message", signature.as_ref()));
    assert!(!crate::keys::verify(Algorithm::ES256, key, b"massage", signature.as_ref()));
    for other in [Algorithm::ES384, Algorithm::EdDSA, Algorithm::PS256, Algorithm::HS256] {
        assert!(keys.find("ec", other).is_none());
        assert!(!crate::keys::verify(other, key, b"message", signature.as_ref()));
    }
}

#[test]
fn sets_with_secrets_or_without_usable_keys_are_refused() {
    let signer = Signer::new();
    let read = |value: Value| Keys::read(value.to_string().as_bytes()).map(|_| ());
    let mut private = signer.jwk("one");
    private["d"] = json!("AAAA");
    assert_eq!(read(json!({ "keys": [private] })), Err(KeysError::Secret));
    let secret = json!({ "kty": "oct", "k": "AAAA", "kid": "one" });
    assert_eq!(read(json!({ "keys": [secret] })), Err(KeysError::Secret));
    let mut encryption = signer.jwk("one");
    encryption["use"] = json!("enc");
    assert_eq!(read(json!({ "keys": [encryption] })), Err(KeysError::None));
    assert_eq!(read(json!({ "keys": vec![signer.jwk("one"); 33] })), Err(KeysError::Form));
    assert_eq!(read(json!([])), Err(KeysError::Form));
    assert_eq!(Keys::read(&vec![b' '; KEYS_BYTES]).map(|_| ()), Err(KeysError::Form));
}

const KEYS_BYTES: usize = crate::keys::KEYS_BYTES_MAX + 1;

#[test]
fn keys_that_can_not_be_fetched_any_more_end_after_a_day_and_an_unknown_one_is_asked_for_seldom() {
    let signer = Signer::new();
    let mut tokens = tokens(&signer);
    tokens.config.keys_url = Some("https://issuer.example/jwks".into());
    let day = 24 * 3600 * SECOND_US;
    let mut late = claims();
    late["exp"] = json!((NOW + 2 * day) / SECOND_US);
    let token = signer.token(&header(), &late);
    assert!(tokens.client(&token, Some(CARD), NOW + day).is_ok());
    assert_eq!(tokens.client(&token, Some(CARD), NOW + day + 1), Err(TokenRefused::Key));
    tokens.ask_for_keys(NOW);
    assert_eq!(*tokens.asked.read().unwrap(), NOW);
    tokens.ask_for_keys(NOW + LOOK_AGAIN_US - 1);
    assert_eq!(*tokens.asked.read().unwrap(), NOW);
}

#[test]
fn configurations_that_can_not_be_meant_are_refused() {
    let config = tokens(&Signer::new()).config;
    for algorithm in ["none", "HS256", "es256", "RS512", ""] {
        let algorithms = vec![algorithm.to_owned()];
        let new = Tokens::new(TokensConfig { algorithms, ..config.clone() }).map(|_| ());
        assert_eq!(new, Err(TokensError::Algorithm(algorithm.into())));
    }
    let clients = vec![config.clients[0].clone(), config.clients[0].clone()];
    let twice = Tokens::new(TokensConfig { clients, ..config.clone() }).map(|_| ());
    assert_eq!(twice, Err(TokensError::Twice("desk".into())));
    let both = Tokens::new(TokensConfig { keys_url: Some("https://x/y".into()), ..config.clone() });
    assert_eq!(both.map(|_| ()), Err(TokensError::Source));
    let none = Tokens::new(TokensConfig { keys: None, ..config });
    assert_eq!(none.map(|_| ()), Err(TokensError::Source));
}
