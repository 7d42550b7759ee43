//! A key and what is sealed under it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use sudare_crypto::Hash;
use zeroize::{ZeroizeOnDrop, Zeroizing};

const LABEL: &[u8] = b"sudare/personal/v1";
const MARK: &[u8] = b"sudare/erased-key/v1";
const NONCE_BYTES: usize = 24;
/// Texts are sealed with blanks up to a multiple of this, so that their length says little.
const BLOCK_BYTES: usize = 64;

/// 32 random bytes that something is sealed under: wiped when dropped, never printed.
#[derive(Clone, ZeroizeOnDrop)]
pub struct DataKey([u8; 32]);

/// The operating system gave no random bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

/// Something isn't sealed under this key for this place, or was changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("it is not sealed under this key for this place")]
pub struct Unsealed;

impl DataKey {
    /// A new one.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`].
    pub fn random() -> Result<Self, NoRandomness> {
        Ok(Self(random()?))
    }

    pub(super) const fn of(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) const fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Seals bytes for a place, such as a version of a row: they open there alone. Base64 of nonce and ciphertext.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`].
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<String, NoRandomness> {
        let nonce: [u8; NONCE_BYTES] = random()?;
        let aad = [LABEL, place.as_bytes()].concat();
        let payload = Payload { msg: plain, aad: &aad };
        let sealed = self.cipher().encrypt(XNonce::from_slice(&nonce), payload);
        // Only a message of 256 GiB could fail.
        let sealed = sealed.map_err(|_| NoRandomness)?;
        Ok(STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// The same for a text of JSON, whose length is hidden up to a block: blanks after it mean nothing.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`].
    pub fn seal_text(&self, place: &str, text: &str) -> Result<String, NoRandomness> {
        // Room first: what moves to grow stays where it was.
        let length = text.len().next_multiple_of(BLOCK_BYTES);
        let mut plain = Zeroizing::new(Vec::with_capacity(length));
        plain.extend_from_slice(text.as_bytes());
        plain.resize(length, b' ');
        self.seal(place, &plain)
    }

    /// Opens what was sealed for a place.
    ///
    /// # Errors
    ///
    /// [`Unsealed`].
    pub fn open(&self, place: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, Unsealed> {
        let bytes = STANDARD.decode(sealed).map_err(|_| Unsealed)?;
        let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES).ok_or(Unsealed)?;
        let aad = [LABEL, place.as_bytes()].concat();
        let payload = Payload { msg: sealed, aad: &aad };
        let plain = self.cipher().decrypt(XNonce::from_slice(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| Unsealed)
    }

    /// The same of a text.
    ///
    /// # Errors
    ///
    /// [`Unsealed`].
    pub fn open_text(&self, place: &str, sealed: &str) -> Result<String, Unsealed> {
        let plain = self.open(place, sealed)?;
        std::str::from_utf8(&plain).map(|text| text.trim_end().to_owned()).map_err(|_| Unsealed)
    }

    /// What tells one text from others to him who has the key, and nobody anything without it: 64 hexadecimal digits.
    #[must_use]
    pub fn tag(&self, text: &str) -> String {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), text.as_bytes());
        tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// A hash that names the key in a certificate that it is destroyed: whoever finds a key can tell whether it is that one.
    #[must_use]
    pub fn mark(&self) -> Hash {
        Hash::of(MARK, &[&self.0])
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(Key::from_slice(&self.0))
    }
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], NoRandomness> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_under_its_key_and_for_its_place_alone() {
        let (key, other) = (DataKey::random().unwrap(), DataKey::random().unwrap());
        for text in ["{}", "何か", &"x".repeat(200), &"x".repeat(1 << 20)] {
            let sealed = key.seal_text("row/1", text).unwrap();
            assert_eq!(key.open_text("row/1", &sealed).unwrap(), text);
            assert_eq!(key.open_text("row/2", &sealed), Err(Unsealed));
            assert_eq!(other.open_text("row/1", &sealed), Err(Unsealed));
            assert_ne!(key.seal_text("row/1", text).unwrap(), sealed, "one nonce twice");
            let mut changed = STANDARD.decode(&sealed).unwrap();
            *changed.last_mut().unwrap() ^= 1;
            assert_eq!(key.open_text("row/1", &STANDARD.encode(changed)), Err(Unsealed));
        }
        assert_eq!(key.open_text("row/1", "AAAA"), Err(Unsealed));
        assert_ne!(key.tag("a"), other.tag("a"));
        assert_eq!(format!("{key:?}"), "DataKey(***)");
    }

    #[test]
    fn a_sealed_text_shows_its_length_up_to_a_block_alone() {
        let key = DataKey::random().unwrap();
        let length = |text: &str| key.seal_text("row", text).unwrap().len();
        assert_eq!(length("a"), length(&"a".repeat(64)));
        assert_eq!(length("a"), length("何か"));
        assert_ne!(length("a"), length(&"a".repeat(65)));
    }
}
