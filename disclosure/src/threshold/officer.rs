//! Officers: who they are, the key that makes them so, and files that only they can open.

use borsh::{BorshDeserialize, BorshSerialize};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use rand_core::CryptoRngCore;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::{Bounded, Malformed, NodeId, NodeKey, NodeSignature, Text};
use zeroize::Zeroizing;

/// The longest content of a sealed file, in bytes.
const FILE_BYTES_MAX: usize = 16 * 1024;

/// A person who holds shares. The others compare `id` with its owner before they plan a ceremony.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Officer {
    /// The officer's name.
    pub name: Text<32>,
    /// The public key that signs the officer's messages.
    pub id: NodeId,
}

/// An officer's secret: signs its messages and seals its files. Wiped on drop, never printed.
#[derive(Clone, Debug)]
pub struct OfficerKey {
    seed: Seed,
    signing: NodeKey,
}

impl OfficerKey {
    /// The officer with this seed.
    #[must_use]
    pub fn new(seed: Seed) -> Self {
        let signing = NodeKey::from_seed(&seed.child(b"officer signature", &[]).0);
        Self { seed, signing }
    }

    /// The officer's public key.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.signing.id()
    }

    /// Signs something else than a ceremony's message, which has domains of its own.
    #[must_use]
    pub fn sign(&self, domain: &'static [u8], message: &[u8]) -> NodeSignature {
        self.signing.sign(domain, message)
    }

    /// The key that signs.
    pub(super) const fn signing(&self) -> &NodeKey {
        &self.signing
    }

    /// Seals `content`, which only this officer can open again.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if it is longer than a file may be.
    pub fn seal<T: BorshSerialize>(
        &self,
        content: &T,
        rng: &mut impl CryptoRngCore,
    ) -> Result<SealedFile, Malformed> {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let content = Zeroizing::new(encode(content));
        let body = self
            .cipher(&nonce)
            .encrypt(&Nonce::default(), Payload { msg: &content, aad: &nonce })
            .map_err(|_| Malformed::Encoding("a sealed file: too long"))?;
        Ok(SealedFile { version: Version, nonce, body: body.try_into()? })
    }

    /// Opens what this officer sealed.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if another sealed it, it was changed, or it holds something else than `what`.
    pub fn open<T: BorshDeserialize>(
        &self,
        file: &SealedFile,
        what: &'static str,
    ) -> Result<T, Malformed> {
        let content = self
            .cipher(&file.nonce)
            .decrypt(&Nonce::default(), Payload { msg: &file.body, aad: &file.nonce })
            .map_err(|_| Malformed::Encoding("a file sealed with this officer's key"))?;
        decode(&Zeroizing::new(content), what)
    }

    /// A key for each file, so the AEAD's nonce may be constant.
    fn cipher(&self, nonce: &[u8; 32]) -> ChaCha20Poly1305 {
        let key = self.seed.child(b"officer file", nonce);
        ChaCha20Poly1305::new(Key::from_slice(&key.0))
    }
}

/// A file that only one officer can open: its shares, or its state in a ceremony.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SealedFile {
    version: Version<1>,
    nonce: [u8; 32],
    body: Bounded<u8, FILE_BYTES_MAX>,
}
