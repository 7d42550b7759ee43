//! Who is at the other end of a connection, and who asks over it.

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};

use super::Api;
use super::manners::hex;
use super::problem::Problem;
use crate::access::Client;
use crate::users::token_hash;

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
    /// [AUT-1]: who asks. A token says so if there is one, whatever the certificate; else the certificate does.
    pub(super) async fn caller(
        &self,
        peer: &Peer,
        headers: &HeaderMap,
    ) -> Result<Option<Client>, Problem> {
        let Some(token) = bearer(headers)? else {
            let hash = peer.certificate();
            return Ok(hash.and_then(|hash| self.0.clients.get(&hash).cloned()));
        };
        if let (Some(hash), Some(config)) = (token_hash(token), &self.0.users) {
            let certificate = peer.certificate();
            let shown = certificate.clone().unwrap_or_default();
            let user = self.0.store.session(&hash, &shown, self.now()).await?;
            let user = user.ok_or(Problem::TokenRefused)?;
            // What the configuration takes from an institution, its sessions lose at once.
            let of = config
                .of(&user.owner)
                .filter(|of| of.roles.contains(&user.role) && of.takes(certificate.as_deref()));
            let of = of.ok_or(Problem::TokenRefused)?;
            return Ok(Some(Client {
                name: format!("user/{}", user.id),
                role: user.role,
                institution: user.owner,
                certificate: shown,
                assets: of.assets.clone(),
                keys: Vec::new(),
                must_sign: false,
            }));
        }
        let tokens = self.0.tokens.as_ref().ok_or(Problem::TokenRefused)?;
        match tokens.client(token, peer.certificate, self.now()) {
            Ok(client) => Ok(Some(client)),
            Err(why) => {
                tracing::info!(%why, "a token was refused");
                Err(Problem::TokenRefused)
            }
        }
    }

    /// Whether those who aren't known may ask for this path: those who log on may try, and what every copy of the program says
    /// is no secret from those without a certificate, if the configuration serves them at all.
    pub(super) fn is_open(&self, peer: &Peer, path: Option<&str>) -> bool {
        match path {
            Some("/v1/sessions" | "/v1/passwords" | "/v1/activations") => self.0.users.is_some(),
            Some("/openapi.json" | "/docs" | "/problems/{code}" | "/deprecations") => {
                peer.certificate.is_none()
            }
            _ => false,
        }
    }
}

/// The token of a request, if it has one.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let (kind, token) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(Problem::TokenRefused)?;
    if !kind.eq_ignore_ascii_case("bearer") || values.next().is_some() {
        return Err(Problem::TokenRefused);
    }
    Ok(Some(token))
}
