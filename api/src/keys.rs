//! Public keys of issuers and clients (RFC 7517), and signatures checked with them.

use std::collections::BTreeMap;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind, EncodingKey};
use ring::signature::{
    self as ring_signature, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey,
    VerificationAlgorithm,
};

/// The longest set of keys, in bytes.
pub const KEYS_BYTES_MAX: usize = 64 * 1024;
/// The most keys of a set.
const KEYS_MAX: usize = 32;

/// Why a set of keys can't be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum KeysError {
    /// It is too long, or no JWK set.
    #[error("no JWK set (RFC 7517) of up to {KEYS_MAX} keys and {KEYS_BYTES_MAX} bytes")]
    Form,
    /// It has no key that can be used.
    #[error("no signing key with a `kid` for PS256, PS384, PS512, RS256, ES256, ES384 or EdDSA")]
    None,
    /// It has a secret key: it would be known to all who may read it.
    #[error(
        "a symmetric or private key where only public keys belong: make a new one, that one isn't secret any more"
    )]
    Secret,
}

/// Public keys by their `kid`.
#[derive(Clone, Debug, Default)]
pub struct Keys(BTreeMap<String, Key>);

#[derive(Clone, Debug)]
struct Key {
    algorithm: Option<Algorithm>,
    key: DecodingKey,
}

impl Keys {
    /// Reads a JWK set. Keys that aren't for signatures or have no `kid` are passed over.
    ///
    /// # Errors
    ///
    /// [`KeysError`].
    pub fn read(json: &[u8]) -> Result<Self, KeysError> {
        if json.len() > KEYS_BYTES_MAX {
            return Err(KeysError::Form);
        }
        let value: serde_json::Value = serde_json::from_slice(json).map_err(|_| KeysError::Form)?;
        let list = value.get("keys").and_then(|keys| keys.as_array()).ok_or(KeysError::Form)?;
        if list.len() > KEYS_MAX {
            return Err(KeysError::Form);
        }
        if list.iter().any(|key| key.get("d").is_some() || key.get("k").is_some()) {
            return Err(KeysError::Secret);
        }
        let set: JwkSet = serde_json::from_value(value).map_err(|_| KeysError::Form)?;
        let keys: BTreeMap<String, Key> = set.keys.iter().filter_map(usable).collect();
        if keys.is_empty() { Err(KeysError::None) } else { Ok(Self(keys)) }
    }

    /// The key with this id, for this algorithm.
    #[must_use]
    pub fn find(&self, id: &str, algorithm: Algorithm) -> Option<&DecodingKey> {
        let found = self.0.get(id)?;
        let fits = found.algorithm.is_none_or(|of| of == algorithm);
        (fits && found.key.family() == family(algorithm)).then_some(&found.key)
    }

    /// Whether there is a key with this id.
    #[must_use]
    pub fn has(&self, id: &str) -> bool {
        self.0.contains_key(id)
    }
}

fn usable(jwk: &Jwk) -> Option<(String, Key)> {
    if jwk.common.public_key_use.as_ref().is_some_and(|of| *of != PublicKeyUse::Signature) {
        return None;
    }
    let algorithm = match &jwk.common.key_algorithm {
        None => None,
        // An algorithm that isn't known here makes the key useless, not free for others.
        Some(name) => Some(name.to_string().parse().ok()?),
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some((jwk.common.key_id.clone()?, Key { algorithm, key }))
}

/// Whether a signature is the key's over the message. Symmetric algorithms are none.
#[must_use]
pub fn verify(algorithm: Algorithm, key: &DecodingKey, message: &[u8], signature: &[u8]) -> bool {
    let rsa = |parameters: &RsaParameters| match key.kind() {
        DecodingKeyKind::RsaModulusExponent { n, e } => {
            RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
        }
        DecodingKeyKind::SecretOrDer(_) => false,
    };
    let point = |with: &'static dyn VerificationAlgorithm| match key.kind() {
        DecodingKeyKind::SecretOrDer(bytes) => {
            UnparsedPublicKey::new(with, bytes).verify(message, signature).is_ok()
        }
        DecodingKeyKind::RsaModulusExponent { .. } => false,
    };
    key.family() == family(algorithm)
        && match algorithm {
            Algorithm::PS256 => rsa(&ring_signature::RSA_PSS_2048_8192_SHA256),
            Algorithm::PS384 => rsa(&ring_signature::RSA_PSS_2048_8192_SHA384),
            Algorithm::PS512 => rsa(&ring_signature::RSA_PSS_2048_8192_SHA512),
            Algorithm::RS256 => rsa(&ring_signature::RSA_PKCS1_2048_8192_SHA256),
            Algorithm::ES256 => point(&ring_signature::ECDSA_P256_SHA256_FIXED),
            Algorithm::ES384 => point(&ring_signature::ECDSA_P384_SHA384_FIXED),
            Algorithm::EdDSA => point(&ring_signature::ED25519),
            _ => false,
        }
}

fn family(algorithm: Algorithm) -> jsonwebtoken::AlgorithmFamily {
    algorithm.family()
}

/// Has `jsonwebtoken` check signatures with the library that TLS uses, once for the process.
pub(crate) fn install() {
    // Somebody else's provider would have come first in a program that isn't ours; ours is the only one.
    let _ = PROVIDER.install_default();
}

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: no_signer,
    verifier_factory: verifier,
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(unsupported()),
        rsa_pub_components_from_public_key: |_| Err(unsupported()),
        ec_pub_components_from_private_key: |_, _| Err(unsupported()),
        ed_pub_components_from_private_key: |_, _| Err(unsupported()),
        compute_digest: |_, _| Err(unsupported()),
    },
};

fn unsupported() -> Error {
    ErrorKind::UnsupportedAlgorithm.into()
}

/// Tokens are checked here, never made.
fn no_signer(_: &Algorithm, _: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    Err(unsupported())
}

fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    Ok(Box::new(Verifier { algorithm: *algorithm, key: key.clone() }))
}

struct Verifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl signature::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        let good = verify(self.algorithm, &self.key, message, signature);
        if good { Ok(()) } else { Err(signature::Error::new()) }
    }
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
