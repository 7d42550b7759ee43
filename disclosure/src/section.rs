//! Sealed memo sections: content under a fresh key that every entitled reader unwraps to the same bytes.
//!
//! `W = w*B`, `Z_j = M + w*K_j`; content key = HKDF of `M`; its hash is in the section, so a ciphertext opens under one key
//! only (protocol section 4, specs/sections.md).

use borsh::{BorshDeserialize, BorshSerialize};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use rand_core::CryptoRngCore;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::encode;
use sudare_crypto::point::times_b;
use sudare_crypto::proof::range::OUTPUTS_MAX;
use sudare_crypto::proof::wrap::Wrapped;
use sudare_crypto::{Bounded, Encoded, Hash, Malformed, RistrettoPoint, Scalar, Secret};

use crate::policy::KEYS_MAX;

/// The most readers of a section: every key of a policy, and the receiver of every output of a leg.
pub const READERS_MAX: usize = KEYS_MAX + OUTPUTS_MAX;
/// The longest sealed body in bytes.
pub const BODY_MAX: usize = 4096;

/// What a section holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum SectionKind {
    /// The opening of the output with this index: readers with `amounts` and the output's receiver.
    Opening(u8),
    /// References to the sending party: readers with `parties`.
    Parties,
    /// The trade's data: readers with `trade` and all receivers.
    Trade,
    /// The notes spent: readers with `links`.
    Links,
    /// A register snapshot's seed: readers with both `parties` and `links`. No leg has one.
    Snapshot,
}

/// A sealed section.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Section {
    /// What it holds.
    pub kind: SectionKind,
    /// `W`.
    pub ephemeral: Encoded,
    /// `Z_j`, one a reader: the policy's keys first, the registrar's at their head, then the slots'.
    pub wraps: Bounded<Encoded, READERS_MAX>,
    /// The hash of the content key.
    pub key_hash: Hash,
    /// ChaCha20-Poly1305 of the content.
    pub body: Bounded<u8, BODY_MAX>,
}

/// What opens one section and nothing else: a reader hands it on to show that section's content. Wiped on drop, never printed.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct ContentKey(Seed);

/// A section does not open for this reader. One answer whatever the cause, so that it is no oracle.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("this section does not open with this key")]
pub struct Unreadable;

impl Section {
    /// Seals `content` for `readers` in the `context` of a leg; also gives `w` for the wrap proof.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if there are too many readers, a key does not decode or the content is too long.
    pub fn seal(
        kind: SectionKind,
        content: &[u8],
        readers: &[Encoded],
        context: &[u8],
        rng: &mut impl CryptoRngCore,
    ) -> Result<(Self, Secret), Malformed> {
        let message = times_b(&Scalar::random(rng));
        let secret = Secret::random(rng);
        let mut wraps = Vec::with_capacity(readers.len());
        for reader in readers {
            wraps.push(Encoded::of(&(message + reader.decompress()? * secret.0)));
        }
        let ephemeral = secret.public();
        let key = content_key(&message, kind, context);
        let aad = aad(kind, &ephemeral, context);
        let body = ChaCha20Poly1305::new(Key::from_slice(&key.0))
            .encrypt(&Nonce::default(), Payload { msg: content, aad: &aad })
            .map_err(|_| Malformed::Encoding("a section: too long"))?;
        let section = Self {
            kind,
            ephemeral,
            wraps: wraps.try_into()?,
            key_hash: key_hash(&key),
            body: body.try_into()?,
        };
        Ok((section, secret))
    }

    /// Opens the section for the reader in place `index`, whose unwrapped point is `message = Z_index - k*W`.
    ///
    /// # Errors
    ///
    /// [`Unreadable`], whatever the cause.
    pub fn open(&self, message: &RistrettoPoint, context: &[u8]) -> Result<Vec<u8>, Unreadable> {
        self.open_by(&ContentKey(content_key(message, self.kind, context)), context)
    }

    /// Opens the section for the reader in place `index` with its secret.
    ///
    /// # Errors
    ///
    /// [`Unreadable`], whatever the cause.
    pub fn open_with(
        &self,
        index: usize,
        secret: &Secret,
        context: &[u8],
    ) -> Result<Vec<u8>, Unreadable> {
        self.open_by(&self.key_for(index, secret, context)?, context)
    }

    /// The content key that the reader in place `index` unwraps with its secret.
    ///
    /// # Errors
    ///
    /// [`Unreadable`], unless it is the section's.
    pub fn key_for(
        &self,
        index: usize,
        secret: &Secret,
        context: &[u8],
    ) -> Result<ContentKey, Unreadable> {
        let wrap = self.wraps.get(index).ok_or(Unreadable)?.decompress().map_err(|_| Unreadable)?;
        let ephemeral = self.ephemeral.decompress().map_err(|_| Unreadable)?;
        let key = content_key(&(wrap - ephemeral * secret.0), self.kind, context);
        if key_hash(&key) == self.key_hash { Ok(ContentKey(key)) } else { Err(Unreadable) }
    }

    /// Opens the section with its content key.
    ///
    /// # Errors
    ///
    /// [`Unreadable`], whatever the cause.
    pub fn open_by(&self, key: &ContentKey, context: &[u8]) -> Result<Vec<u8>, Unreadable> {
        if key_hash(&key.0) != self.key_hash {
            return Err(Unreadable);
        }
        ChaCha20Poly1305::new(Key::from_slice(&key.0.0))
            .decrypt(
                &Nonce::default(),
                Payload { msg: &self.body, aad: &aad(self.kind, &self.ephemeral, context) },
            )
            .map_err(|_| Unreadable)
    }

    /// The public inputs of the section in the wrap proof, for these readers.
    #[must_use]
    pub fn wrapped(&self, readers: &[Encoded]) -> Wrapped {
        Wrapped { ephemeral: self.ephemeral, wraps: self.wraps.to_vec(), keys: readers.to_vec() }
    }
}

fn content_key(message: &RistrettoPoint, kind: SectionKind, context: &[u8]) -> Seed {
    Seed(message.compress().to_bytes()).child(b"section key", &[&encode(&kind), context].concat())
}

/// Key-committing: two keys for one ciphertext would need a collision of SHA-256.
fn key_hash(key: &Seed) -> Hash {
    Hash::of(b"sudare/section-key/v1", &[&key.0])
}

fn aad(kind: SectionKind, ephemeral: &Encoded, context: &[u8]) -> Vec<u8> {
    [&encode(&kind), ephemeral.as_bytes().as_slice(), context].concat()
}
