//! Requests that clients sign (RFC 9421) with the digest of their body (RFC 9530): evidence of who asked for what.

mod fields;

use axum::http::{HeaderMap, Method, Uri, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, SHA512, digest};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use serde::{Deserialize, Serialize};

pub use self::fields::{Input, Parameter, byte_sequences};

/// How long ago a signature may have been made, in seconds.
const AGE_MAX: i64 = 300;
/// How far clocks may be apart, in seconds.
const SKEW: i64 = 60;
const SECOND_US: i64 = 1_000_000;

/// What stands before the key in the DER form of public keys (RFC 8410, RFC 5480), and how long the key is.
const ED25519_FORM: (&[u8], usize) =
    (&[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00], 32);
const P256_FORM: (&[u8], usize) = (
    &[
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
        0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ],
    65,
);

/// A key that a client signs requests with, as the node's configuration names it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKey {
    /// Its `keyid`.
    pub id: String,
    /// The key.
    pub public: PublicKey,
}

/// A public key, Ed25519 or P-256: what is between the lines of its PEM form, in one line.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    text: String,
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Algorithm {
    Ed25519,
    P256,
}

/// A text that is no public key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "a client's `public` key must be Ed25519 or P-256: the base64 between the lines of its PEM form, in one line"
)]
pub struct KeyError;

impl TryFrom<String> for PublicKey {
    type Error = KeyError;

    fn try_from(text: String) -> Result<Self, KeyError> {
        let der = STANDARD.decode(&text).map_err(|_| KeyError)?;
        let forms = [(Algorithm::Ed25519, ED25519_FORM), (Algorithm::P256, P256_FORM)];
        let found = forms.into_iter().find_map(|(algorithm, (start, length))| {
            let key = der.strip_prefix(start)?;
            (key.len() == length).then(|| (algorithm, key.to_owned()))
        });
        let (algorithm, bytes) = found.ok_or(KeyError)?;
        Ok(Self { text, algorithm, bytes })
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.text
    }
}

impl Algorithm {
    /// Its name in RFC 9421's registry.
    const fn name(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::P256 => "ecdsa-p256-sha256",
        }
    }

    fn verification(self) -> &'static dyn VerificationAlgorithm {
        match self {
            Self::Ed25519 => &ED25519,
            Self::P256 => &ECDSA_P256_SHA256_FIXED,
        }
    }
}

/// A request that was signed: everything that is needed to check it again, anywhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signed {
    /// The key's id.
    pub key_id: String,
    /// The key, as the configuration had it.
    pub public_key: String,
    /// The algorithm's name.
    pub algorithm: String,
    /// What was signed: RFC 9421's signature base.
    pub base: String,
    /// The signature, in base64.
    pub signature: String,
    /// The request's body, in base64.
    pub body: String,
}

/// Why a signature or digest isn't taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// The headers can't be read, or hold more than one signature.
    #[error(
        "`Signature-Input` and `Signature` must hold one signature, the same, in RFC 9421's form"
    )]
    Form,
    /// A component that doesn't exist, or exists twice.
    #[error("the signature covers something that the request doesn't have once")]
    Component,
    /// Something that it must cover.
    #[error(
        "the signature must cover `@method`, `@target-uri`, `content-digest` if there is a body, and `idempotency-key` and `if-match` if they are there"
    )]
    Coverage,
    /// Another parameter, or one that is missing.
    #[error(
        "the signature must have `created` and `keyid`, and may have `alg`, `expires`, `nonce` and `tag`"
    )]
    Parameters,
    /// Too old, or from the future.
    #[error("the signature is too old, or from the future: see `created` and `expires`")]
    Time,
    /// The key isn't one of the client's, or for another algorithm.
    #[error("the client has no key with this `keyid` and `alg`")]
    Key,
    /// It doesn't verify.
    #[error("the signature is not one of this request with this key")]
    Signature,
}

/// A digest that isn't the body's, or none that can be checked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`Content-Digest` must be the body's `sha-256` or `sha-512`")]
pub struct OtherDigest;

/// Whether the digests of a request are those of its body: [SIG-1]. Algorithms that aren't known don't count.
///
/// # Errors
///
/// [`OtherDigest`].
pub fn check_digest(headers: &HeaderMap, body: &[u8]) -> Result<(), OtherDigest> {
    let Some(text) = joined(headers, "content-digest") else { return Ok(()) };
    let members = byte_sequences(&text).ok_or(OtherDigest)?;
    let mut known = members.iter().filter_map(|(name, hash)| match name.as_str() {
        "sha-256" => Some((&SHA256, hash)),
        "sha-512" => Some((&SHA512, hash)),
        _ => None,
    });
    let first = known.next().ok_or(OtherDigest)?;
    let good = std::iter::once(first)
        .chain(known)
        .all(|(algorithm, hash)| digest(algorithm, body).as_ref() == hash.as_slice());
    if good { Ok(()) } else { Err(OtherDigest) }
}

/// Checks the signature of a request whose digest was checked: [SIG-1].
///
/// # Errors
///
/// [`Refused`].
pub fn verify(
    keys: &[SigningKey],
    (method, uri, headers): (&Method, &Uri, &HeaderMap),
    body: &[u8],
    now: i64,
) -> Result<Signed, Refused> {
    let text = joined(headers, "signature-input").ok_or(Refused::Form)?;
    let input = Input::parse(&text).ok_or(Refused::Form)?;
    let text = joined(headers, "signature").ok_or(Refused::Form)?;
    let mut signatures = byte_sequences(&text).ok_or(Refused::Form)?;
    let (Some((label, signature)), true) = (signatures.pop(), signatures.is_empty()) else {
        return Err(Refused::Form);
    };
    if label != input.label {
        return Err(Refused::Form);
    }
    let covers = |name: &str| input.covered.iter().any(|one| one == name);
    let needs = |name: &str| !headers.contains_key(name) || covers(name);
    let body_covered = body.is_empty() || covers("content-digest");
    let named = covers("@method") && covers("@target-uri");
    if !(named && body_covered && needs("idempotency-key") && needs("if-match")) {
        return Err(Refused::Coverage);
    }
    let key = key_of(keys, &input)?;
    in_time(&input, now)?;
    let base = base(&input, method, uri, headers).ok_or(Refused::Component)?;
    UnparsedPublicKey::new(key.public.algorithm.verification(), &key.public.bytes)
        .verify(base.as_bytes(), &signature)
        .map_err(|_| Refused::Signature)?;
    Ok(Signed {
        key_id: key.id.clone(),
        public_key: key.public.text.clone(),
        algorithm: key.public.algorithm.name().to_owned(),
        base,
        signature: STANDARD.encode(signature),
        body: STANDARD.encode(body),
    })
}

/// The key that the signature names.
fn key_of<'a>(keys: &'a [SigningKey], input: &Input) -> Result<&'a SigningKey, Refused> {
    let texts = ["alg", "keyid", "nonce", "tag"];
    let good = input.parameters.iter().all(|(name, value)| match value {
        Parameter::Integer(_) => matches!(name.as_str(), "created" | "expires"),
        Parameter::Text(_) => texts.contains(&name.as_str()),
    });
    let id = input.text("keyid").filter(|_| good).ok_or(Refused::Parameters)?;
    let key = keys.iter().find(|key| key.id == id).ok_or(Refused::Key)?;
    let same = input.text("alg").is_none_or(|name| name == key.public.algorithm.name());
    if same { Ok(key) } else { Err(Refused::Key) }
}

fn in_time(input: &Input, now: i64) -> Result<(), Refused> {
    let created = input.integer("created").ok_or(Refused::Parameters)?;
    let now = now.div_euclid(SECOND_US);
    let age = now.checked_sub(created).ok_or(Refused::Time)?;
    let expired = input.integer("expires").is_some_and(|at| at <= now);
    if expired || !(-SKEW..=AGE_MAX).contains(&age) { Err(Refused::Time) } else { Ok(()) }
}

/// RFC 9421's signature base, section 2.5; none if a component isn't there.
fn base(input: &Input, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<String> {
    let mut text = String::new();
    for name in &input.covered {
        let value = match name.strip_prefix('@') {
            Some(derived) => derived_component(derived, method, uri, headers)?,
            // Fields are named in lower case; a field of another spelling isn't there.
            None if name.bytes().any(|byte| byte.is_ascii_uppercase()) => return None,
            None => joined(headers, name)?,
        };
        text.push_str(&format!("\"{name}\": {value}\n"));
    }
    text.push_str(&format!("\"@signature-params\": {}", input.canonical()));
    Some(text)
}

fn derived_component(
    name: &str,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Option<String> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?.to_ascii_lowercase();
    if hosts.next().is_some() {
        return None;
    }
    // TLS alone is served; its own port goes without saying.
    let authority = host.strip_suffix(":443").unwrap_or(&host);
    let target = uri.path_and_query()?.as_str();
    Some(match name {
        "method" => method.as_str().to_owned(),
        "target-uri" => format!("https://{authority}{target}"),
        "authority" => authority.to_owned(),
        "scheme" => "https".to_owned(),
        "request-target" => target.to_owned(),
        "path" => uri.path().to_owned(),
        "query" => format!("?{}", uri.query().unwrap_or_default()),
        _ => return None,
    })
}

/// The values of a field's lines, joined.
fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = Vec::new();
    for value in headers.get_all(name) {
        values.push(value.to_str().ok()?.trim_matches([' ', '\t']));
    }
    (!values.is_empty()).then(|| values.join(", "))
}

#[cfg(test)]
mod tests;
