//! Sub-shares on their way to one officer: sealed to a key that this officer made for this ceremony alone, so that messages
//! kept by a thief open nothing once the ceremony's state is deleted.

use borsh::{BorshDeserialize, BorshSerialize};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Bounded, Encoded, Malformed, RistrettoPoint, Secret};
use zeroize::Zeroizing;

use crate::policy::EPOCHS_MAX;

/// The longest sealed list of sub-shares: the list and the AEAD's tag.
const BYTES_MAX: usize = 2 + 32 * EPOCHS_MAX + 16;

/// Sub-shares of one dealer for one receiver, one a key.
pub(super) type SubShares = Bounded<Secret, EPOCHS_MAX>;

/// Sealed sub-shares.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub(super) struct Sealed {
    /// `R = r*B`.
    ephemeral: Encoded,
    /// ChaCha20-Poly1305 of the list.
    body: Bounded<u8, BYTES_MAX>,
}

/// Seals `shares` to `receiver = s*B` with the secret `r`, which must be used for these shares and this `context` only.
pub(super) fn seal(
    shares: &SubShares,
    receiver: &Encoded,
    r: &Secret,
    context: &[u8],
) -> Result<Sealed, Malformed> {
    let ephemeral = r.public();
    let cipher = cipher(&(receiver.decompress()? * r.0), &ephemeral, receiver, context);
    let content = Zeroizing::new(encode(shares));
    let body = cipher
        .encrypt(&Nonce::default(), Payload { msg: &content, aad: context })
        .map_err(|_| Malformed::Encoding("sub-shares: too long"))?;
    Ok(Sealed { ephemeral, body: body.try_into()? })
}

/// Opens what was sealed to `secret*B`.
pub(super) fn open(
    sealed: &Sealed,
    secret: &Secret,
    context: &[u8],
) -> Result<SubShares, Malformed> {
    let shared = sealed.ephemeral.decompress()? * secret.0;
    let content = cipher(&shared, &sealed.ephemeral, &secret.public(), context)
        .decrypt(&Nonce::default(), Payload { msg: &sealed.body, aad: context })
        .map_err(|_| Malformed::Encoding("sub-shares sealed to this officer"))?;
    decode(&Zeroizing::new(content), "sub-shares")
}

/// A key for each pair of ephemeral and receiver, so the AEAD's nonce may be constant.
fn cipher(
    shared: &RistrettoPoint,
    ephemeral: &Encoded,
    receiver: &Encoded,
    context: &[u8],
) -> ChaCha20Poly1305 {
    let shared = Seed(shared.compress().to_bytes());
    let info = [ephemeral.as_bytes().as_slice(), receiver.as_bytes(), context].concat();
    let key = shared.child(b"ceremony sub-shares", &info);
    ChaCha20Poly1305::new(Key::from_slice(&key.0))
}
