//! Access tokens of an outside issuer (RFC 9068), good only over a connection with the certificate they are bound to (RFC 8705).

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::access::{Client, Role};
use crate::keys::{Keys, KeysError, install};
use crate::signed::SigningKey;

/// The longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// For how long keys are good that could not be fetched again, in microseconds.
const KEYS_KEPT_US: i64 = 24 * 3600 * SECOND_US;
/// How often an unknown key makes the node look for new ones, in microseconds.
const LOOK_AGAIN_US: i64 = 60 * SECOND_US;
const SECOND_US: i64 = 1_000_000;

/// The `[api.tokens]` table of a node's configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokensConfig {
    /// The issuer: its `iss`.
    pub issuer: String,
    /// This API: what must be in `aud`.
    pub audience: String,
    /// Algorithms that tokens may be signed with.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<String>,
    /// How far clocks may be apart, in seconds.
    #[serde(default = "skew_seconds")]
    pub skew_seconds: u8,
    /// A file with the issuer's public keys, a JWK set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<PathBuf>,
    /// Or where to fetch them: an `https` URL. Nothing is fetched without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_url: Option<String>,
    /// The roots that sign the certificate of that URL's server (PEM).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys_roots: Option<PathBuf>,
    /// How often to fetch them, in seconds.
    #[serde(default = "refresh_seconds")]
    pub refresh_seconds: u16,
    /// Whose tokens are taken.
    #[serde(default)]
    pub clients: Vec<TokenClient>,
}

/// A client of the issuer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenClient {
    /// Its `client_id`.
    pub id: String,
    /// Its institution.
    pub institution: String,
    /// The role that each scope gives it. A token has exactly one of these scopes.
    pub roles: BTreeMap<String, Role>,
    /// ISINs of the assets that it may read, where the matrix says `assets`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub assets: BTreeSet<String>,
    /// Keys that it signs requests with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<SigningKey>,
    /// Whether requests that change something must be signed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub must_sign: bool,
}

fn algorithms() -> Vec<String> {
    ["PS256", "ES256", "EdDSA"].map(str::to_owned).to_vec()
}

const fn skew_seconds() -> u8 {
    30
}

const fn refresh_seconds() -> u16 {
    600
}

/// A configuration of tokens that can't be meant.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokensError {
    /// An algorithm.
    #[error(
        "tokens can't be signed with {0}: use PS256, PS384, PS512, RS256, ES256, ES384 or EdDSA"
    )]
    Algorithm(String),
    /// Two clients with one id.
    #[error("the token client {0} is there twice")]
    Twice(String),
    /// Keys from both places or none.
    #[error("tokens need either `keys` or `keys_url` with `keys_roots`")]
    Source,
    /// The keys.
    #[error("the issuer's keys: {0}")]
    Keys(#[from] KeysError),
}

/// Why a token isn't taken; for the log, not for clients.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TokenRefused {
    /// It has another form.
    #[error("no token of this kind")]
    Form,
    /// `alg` is not in the list.
    #[error("signed with an algorithm that isn't allowed")]
    Algorithm,
    /// `kid` is unknown, or for another algorithm, or all keys are too old.
    #[error("signed with an unknown key")]
    Key,
    /// Signature, issuer or audience.
    #[error("signature, issuer or audience is wrong")]
    Invalid,
    /// It is too early or too late.
    #[error("it is not valid now")]
    Time,
    /// It is bound to no certificate, or to another one.
    #[error("it is not bound to the connection's certificate")]
    Binding,
    /// Its client or its scopes have no role.
    #[error("its client or scopes have no role here")]
    Scope,
}

/// What checks tokens.
#[derive(Debug)]
pub struct Tokens {
    config: TokensConfig,
    algorithms: Vec<Algorithm>,
    keys: RwLock<(Keys, i64)>,
    asked: RwLock<i64>,
    unknown: Notify,
}

#[derive(Debug, Deserialize)]
struct Claims {
    sub: String,
    client_id: String,
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    jti: String,
    scope: Option<String>,
    cnf: Option<Confirmation>,
}

#[derive(Debug, Deserialize)]
struct Confirmation {
    #[serde(rename = "x5t#S256")]
    certificate: Option<String>,
}

impl Tokens {
    /// Checks tokens by a configuration, once it has keys.
    ///
    /// # Errors
    ///
    /// [`TokensError`].
    pub fn new(config: TokensConfig) -> Result<Self, TokensError> {
        install();
        let of = |name: &String| match name.as_str() {
            "PS256" => Ok(Algorithm::PS256),
            "PS384" => Ok(Algorithm::PS384),
            "PS512" => Ok(Algorithm::PS512),
            "RS256" => Ok(Algorithm::RS256),
            "ES256" => Ok(Algorithm::ES256),
            "ES384" => Ok(Algorithm::ES384),
            "EdDSA" => Ok(Algorithm::EdDSA),
            _ => Err(TokensError::Algorithm(name.clone())),
        };
        let algorithms = config.algorithms.iter().map(of).collect::<Result<_, _>>()?;
        let mut ids = BTreeSet::new();
        if let Some(twice) = config.clients.iter().find(|client| !ids.insert(client.id.clone())) {
            return Err(TokensError::Twice(twice.id.clone()));
        }
        if config.keys.is_some() == config.keys_url.is_some()
            || config.keys_url.is_some() != config.keys_roots.is_some()
        {
            return Err(TokensError::Source);
        }
        let keys = RwLock::new((Keys::default(), 0));
        Ok(Self { config, algorithms, keys, asked: RwLock::new(0), unknown: Notify::new() })
    }

    /// Takes the issuer's keys as they are now.
    ///
    /// # Errors
    ///
    /// [`KeysError`]: the keys before stay.
    pub fn keys(&self, json: &[u8], now: i64) -> Result<(), KeysError> {
        let keys = Keys::read(json)?;
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = (keys, now);
        Ok(())
    }

    /// Waits until a token names a key that isn't known; seldom enough to fetch keys each time.
    pub async fn unknown_key(&self) {
        self.unknown.notified().await;
    }

    /// [AUT-4]: the client that a token stands for over a connection whose peer has shown the certificate with this hash.
    ///
    /// # Errors
    ///
    /// [`TokenRefused`].
    pub fn client(
        &self,
        token: &str,
        certificate: Option<[u8; 32]>,
        now: i64,
    ) -> Result<Client, TokenRefused> {
        let claims = self.claims(token, now)?;
        let skew = i64::from(self.config.skew_seconds);
        let seconds = now.div_euclid(SECOND_US);
        let early = seconds.saturating_add(skew);
        if seconds.saturating_sub(skew) >= claims.exp
            || claims.iat > early
            || claims.nbf.is_some_and(|from| from > early)
        {
            return Err(TokenRefused::Time);
        }
        let bound = claims.cnf.and_then(|cnf| cnf.certificate);
        let shown = certificate.map(|hash| (hash, URL_SAFE_NO_PAD.encode(hash)));
        let Some((hash, _)) = shown.filter(|(_, shown)| bound.as_ref() == Some(shown)) else {
            return Err(TokenRefused::Binding);
        };
        let of = self.config.clients.iter().find(|one| one.id == claims.client_id);
        let of = of.ok_or(TokenRefused::Scope)?;
        let scopes = claims.scope.unwrap_or_default();
        let mut roles = scopes.split(' ').filter_map(|scope| of.roles.get(scope));
        let (Some(role), None) = (roles.next(), roles.next()) else {
            return Err(TokenRefused::Scope);
        };
        Ok(Client {
            name: format!("token/{}", of.id),
            role: *role,
            institution: of.institution.clone(),
            certificate: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
            assets: of.assets.clone(),
            keys: of.keys.clone(),
            must_sign: of.must_sign,
        })
    }

    /// The claims of a token that the issuer has signed for this API.
    fn claims(&self, token: &str, now: i64) -> Result<Claims, TokenRefused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenRefused::Form);
        }
        let header = decode_header(token).map_err(|_| TokenRefused::Form)?;
        let kind = header.typ.as_deref().map(str::to_ascii_lowercase);
        if !matches!(kind.as_deref(), Some("at+jwt" | "application/at+jwt")) {
            return Err(TokenRefused::Form);
        }
        if !self.algorithms.contains(&header.alg) {
            return Err(TokenRefused::Algorithm);
        }
        let id = header.kid.as_deref().ok_or(TokenRefused::Key)?;
        let mut validation = Validation::new(header.alg);
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_required_spec_claims(&["iss", "aud"]);
        validation.set_issuer(&[&self.config.issuer]);
        validation.set_audience(&[&self.config.audience]);
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let (keys, at) = &*keys;
        // Keys of a file stay; those that are fetched end when they can't be fetched any more.
        let old = self.config.keys_url.is_some() && now.saturating_sub(*at) > KEYS_KEPT_US;
        let Some(key) = keys.find(id, header.alg).filter(|_| !old) else {
            if !keys.has(id) {
                self.ask_for_keys(now);
            }
            return Err(TokenRefused::Key);
        };
        let claims =
            decode::<Claims>(token, key, &validation).map_err(|_| TokenRefused::Invalid)?.claims;
        let named = [&claims.sub, &claims.jti].iter().all(|text| !text.is_empty());
        if named { Ok(claims) } else { Err(TokenRefused::Form) }
    }

    fn ask_for_keys(&self, now: i64) {
        let mut asked = self.asked.write().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_sub(*asked) >= LOOK_AGAIN_US {
            *asked = now;
            self.unknown.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
