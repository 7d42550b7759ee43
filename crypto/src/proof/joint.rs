//! A statement that two totals differ by a number, proved by two parties of which each knows the blinding of its own total alone: the
//! Schnorr proof of [`statement`] with the difference of both blindings for its secret, made of two shares.
//!
//! Both nonces are fixed before either is known to the other ([JNT-2]), and each answers one challenge ([JNT-3])
//! (specs/statements/joint.md).

use rand_core::CryptoRngCore;

use super::statement::{self, Kind, Statement};
use crate::encoding::Malformed;
use crate::linear::{self, LinearProof};
use crate::point::times_b_blinding;
use crate::{Encoded, Hash, LedgerTranscript, Scalar, Secret};

const WRONG: Malformed = Malformed::Encoding("a statement that two totals differ");

/// A party's nonce: its secret `k`, and `k*B~`.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "a nonce")]
pub struct Nonce {
    /// `k`.
    pub secret: Secret,
    /// `k*B~`.
    pub point: Encoded,
}

/// What both parties prove together.
#[derive(Clone, Debug)]
pub struct Joint {
    statement: Statement,
}

impl Nonce {
    /// A nonce for one use in `context`; it follows from the party's `blinding` and `rng` together.
    pub fn new(context: &[u8], blinding: &Secret, rng: &mut impl CryptoRngCore) -> Self {
        let transcript = LedgerTranscript::new(b"sudare/joint-nonce/v1", context);
        let builder =
            transcript.0.build_rng().rekey_with_witness_bytes(b"x", blinding.0.as_bytes());
        Self::of(Secret::random(&mut builder.finalize(rng)))
    }

    /// The nonce with this secret, which was kept.
    #[must_use]
    pub fn of(secret: Secret) -> Self {
        let point = Encoded::of(&times_b_blinding(&secret.0));
        Self { secret, point }
    }

    /// What binds its party to it before it is shown.
    #[must_use]
    pub fn commitment(&self) -> Hash {
        commitment(&self.point)
    }
}

/// What binds a party to a nonce before it is shown.
#[must_use]
pub fn commitment(nonce: &Encoded) -> Hash {
    Hash::of(b"sudare/joint-nonce/v1", &[nonce.as_bytes()])
}

impl Joint {
    /// That the left total is the right one and `by`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if there is nothing on the left, or too much on a side.
    pub fn new(
        left: statement::Total,
        right: statement::Total,
        by: u64,
    ) -> Result<Self, Malformed> {
        let statement = Statement { kind: Kind::Differ { by }, left, right, limbs: Vec::new() };
        statement::relation(&statement).ok_or(WRONG)?;
        Ok(Self { statement })
    }

    /// The left party's response to the challenge that follows from the transcript and both nonces, in order left, right.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a nonce does not decode, or the nonces cancel.
    pub fn left(
        &self,
        nonces: [&Encoded; 2],
        (nonce, blinding): (&Nonce, &Secret),
        transcript: &LedgerTranscript,
    ) -> Result<Secret, Malformed> {
        let (_, c) = self.challenge(nonces, &mut transcript.clone())?;
        Ok(Secret(nonce.secret.0 + c * blinding.0))
    }

    /// The proof, made by the right party of the left one's response and its own.
    ///
    /// (!) The proof is good only if it verifies: if not, the left party's response is wrong.
    ///
    /// # Errors
    ///
    /// As [`Joint::left`].
    pub fn finish(
        &self,
        nonces: [&Encoded; 2],
        response: &Secret,
        (nonce, blinding): (&Nonce, &Secret),
        transcript: &LedgerTranscript,
    ) -> Result<LinearProof, Malformed> {
        let (sum, c) = self.challenge(nonces, &mut transcript.clone())?;
        let own = nonce.secret.0 - c * blinding.0;
        LinearProof::of(vec![sum], vec![response.0 + own])
    }

    /// The statement that is proved.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The proof's commitment and its challenge.
    pub(super) fn challenge(
        &self,
        [left, right]: [&Encoded; 2],
        transcript: &mut LedgerTranscript,
    ) -> Result<(Encoded, Scalar), Malformed> {
        let relation = statement::relation(&self.statement).ok_or(WRONG)?;
        let sum = Encoded::of(&(left.decompress()? + right.decompress()?));
        sum.decompress()?;
        linear::open(&relation, transcript);
        transcript.absorb_point(b"Y", &sum);
        Ok((sum, transcript.challenge(b"c")))
    }
}
