//! SHA-256 with a domain and length-prefixed parts, so that no two different inputs give the hash the same bytes.

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};

/// A SHA-256 value, 32 bytes.
#[derive(
    Clone, Copy, Default, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize,
)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    /// `SHA-256(len(domain) u8 | domain | for each part: len u64 LE | part)` (specs/encoding.md).
    #[must_use]
    pub fn of(domain: &'static [u8], parts: &[&[u8]]) -> Self {
        let mut state = Sha256::new();
        // Domains are constants of this project, all shorter than 256 bytes.
        state.update([u8::try_from(domain.len()).unwrap_or(u8::MAX)]);
        state.update(domain);
        for part in parts {
            state.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
            state.update(part);
        }
        Self(state.finalize().into())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Parses 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        // `from_str_radix` alone would take a sign for a digit.
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moving_a_byte_between_parts_changes_the_hash() {
        assert_ne!(Hash::of(b"d", &[b"ab", b"c"]), Hash::of(b"d", &[b"a", b"bc"]));
        assert_ne!(Hash::of(b"da", &[b"b"]), Hash::of(b"d", &[b"ab"]));
    }

    #[test]
    fn hex_round_trips() {
        let hash = Hash::of(b"d", &[]);
        assert_eq!(Hash::from_hex(&hash.to_string()), Some(hash));
        assert_eq!(Hash::from_hex("zz"), None);
        assert_eq!(Hash::from_hex(&"+0".repeat(32)), None);
    }
}
