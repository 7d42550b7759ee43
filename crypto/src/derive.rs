//! Deterministic derivation of secrets (HKDF-SHA256, RFC 5869), so that a backup of seeds recovers what was made from them.

use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::scalar::Scalar;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::Secret;

/// 32 bytes from which keys are derived: wiped on drop, never printed.
#[derive(Clone, Zeroize, ZeroizeOnDrop, BorshSerialize, BorshDeserialize)]
pub struct Seed(pub [u8; 32]);

impl Seed {
    /// The scalar of this seed for a purpose and a context that is unique to its use: 64 bytes of
    /// `HKDF(salt = "sudare/derive/v1", ikm = seed, info = len(purpose) u8 | purpose | context)`, reduced.
    #[must_use]
    pub fn scalar(&self, purpose: &'static [u8], context: &[u8]) -> Secret {
        let mut wide = Zeroizing::new([0; 64]);
        self.fill(purpose, context, wide.as_mut());
        Secret(Scalar::from_bytes_mod_order_wide(&wide))
    }

    /// The child seed for a purpose and a context.
    #[must_use]
    pub fn child(&self, purpose: &'static [u8], context: &[u8]) -> Self {
        let mut seed = Self([0; 32]);
        self.fill(purpose, context, &mut seed.0);
        seed
    }

    #[expect(clippy::expect_used, reason = "64 bytes are within HKDF's limit")]
    fn fill(&self, purpose: &'static [u8], context: &[u8], out: &mut [u8]) {
        let length = u8::try_from(purpose.len()).unwrap_or(u8::MAX);
        Hkdf::<Sha256>::new(Some(b"sudare/derive/v1"), &self.0)
            .expand_multi_info(&[&[length], purpose, context], out)
            .expect("at most 64 bytes are asked for");
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_and_contexts_are_apart() {
        let seed = Seed([1; 32]);
        assert_ne!(seed.scalar(b"t", b"1").0, seed.scalar(b"t", b"2").0);
        assert_ne!(seed.scalar(b"t", b"s1").0, seed.scalar(b"ts", b"1").0);
        assert_ne!(seed.child(b"t", b"1").0, seed.child(b"s", b"1").0);
        assert_eq!(seed.scalar(b"t", b"1").0, seed.scalar(b"t", b"1").0);
    }
}
