//! Node keys: Ed25519 keys that sign for an institution's node. The key of the node's certificate is its node key.

use borsh::{BorshDeserialize, BorshSerialize};
use ed25519_dalek::pkcs8::EncodePrivateKey;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

/// A node's signing key (NK). Its bytes are wiped on drop and never printed.
#[derive(Clone)]
pub struct NodeKey(SigningKey);

impl NodeKey {
    /// The key with this 32-byte seed.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The 32-byte seed.
    #[must_use]
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public key, which is the node's identity.
    #[must_use]
    pub fn id(&self) -> NodeId {
        NodeId(self.0.verifying_key().to_bytes())
    }

    /// Signs `len(domain) u8 | domain | message` (RFC 8032 Ed25519; the domain is in the bytes since HSMs ignore contexts).
    #[must_use]
    pub fn sign(&self, domain: &'static [u8], message: &[u8]) -> NodeSignature {
        NodeSignature(self.0.sign(&signed_bytes(domain, message)).to_bytes())
    }

    /// Signs exactly `message`, which must carry its own domain (a checkpoint's text does).
    #[must_use]
    pub fn sign_raw(&self, message: &[u8]) -> NodeSignature {
        NodeSignature(self.0.sign(message).to_bytes())
    }

    /// The key as PKCS#8 DER, for the TLS stack.
    ///
    /// # Panics
    ///
    /// Never: an Ed25519 key always has a PKCS#8 form.
    #[must_use]
    #[expect(clippy::expect_used, reason = "an Ed25519 key always has a PKCS#8 form")]
    pub fn pkcs8_der(&self) -> Zeroizing<Vec<u8>> {
        self.0.to_pkcs8_der().expect("an Ed25519 key has a PKCS#8 form").to_bytes()
    }
}

impl std::fmt::Debug for NodeKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeKey(of {:?})", self.id())
    }
}

/// A node's identity: its Ed25519 public key, 32 bytes.
#[derive(Clone, Copy, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct NodeId(pub [u8; 32]);

impl NodeId {
    /// Checks a signature made by [`NodeKey::sign`] with the same domain, strictly (no malleable or small-order keys).
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it does not verify.
    pub fn verify(
        &self,
        domain: &'static [u8],
        message: &[u8],
        signature: &NodeSignature,
    ) -> Result<(), BadSignature> {
        self.verify_raw(&signed_bytes(domain, message), signature)
    }

    /// Checks a signature made by [`NodeKey::sign_raw`].
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it does not verify.
    pub fn verify_raw(
        &self,
        message: &[u8],
        signature: &NodeSignature,
    ) -> Result<(), BadSignature> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| BadSignature)?;
        key.verify_strict(message, &Signature::from_bytes(&signature.0)).map_err(|_| BadSignature)
    }
}

impl std::fmt::Display for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for NodeId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head: String = self.0.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        write!(f, "{head}..")
    }
}

/// An Ed25519 signature, 64 bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct NodeSignature(pub [u8; 64]);

/// A signature does not verify under the key it is said to be by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the signature does not verify under this node key")]
pub struct BadSignature;

fn signed_bytes(domain: &'static [u8], message: &[u8]) -> Vec<u8> {
    let length = u8::try_from(domain.len()).unwrap_or(u8::MAX);
    [&[length], domain, message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_bound_to_key_domain_and_message() {
        let key = NodeKey::from_seed(&[7; 32]);
        let signature = key.sign(b"slot", b"message");
        assert_eq!(key.id().verify(b"slot", b"message", &signature), Ok(()));
        assert_eq!(key.id().verify(b"receipt", b"message", &signature), Err(BadSignature));
        assert_eq!(key.id().verify(b"slot", b"massage", &signature), Err(BadSignature));
        let other = NodeKey::from_seed(&[8; 32]).id();
        assert_eq!(other.verify(b"slot", b"message", &signature), Err(BadSignature));
        for bit in 0..512 {
            let mut bad = signature;
            bad.0[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(key.id().verify(b"slot", b"message", &bad), Err(BadSignature), "bit {bit}");
        }
    }
}
