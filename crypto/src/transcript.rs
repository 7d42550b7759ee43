//! The Fiat-Shamir transcript that all proofs of one leg, slot or key share (specs/transcript.md).

use curve25519_dalek::scalar::Scalar;
use merlin::Transcript;

use crate::Encoded;

/// A `merlin` transcript into which everything a prover sends goes before a challenge is drawn.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "nonces are drawn from its state")]
pub struct LedgerTranscript(pub(crate) Transcript);

impl LedgerTranscript {
    /// A transcript for `protocol` (a constant with the protocol's version) in this `context` (canonical bytes of all
    /// that the proofs are about).
    #[must_use]
    pub fn new(protocol: &'static [u8], context: &[u8]) -> Self {
        let mut transcript = Transcript::new(protocol);
        transcript.append_message(b"context", context);
        Self(transcript)
    }

    /// Absorbs bytes under a label.
    pub fn absorb(&mut self, label: &'static [u8], bytes: &[u8]) {
        self.0.append_message(label, bytes);
    }

    /// Absorbs a point that a prover sends.
    pub(crate) fn absorb_point(&mut self, label: &'static [u8], point: &Encoded) {
        self.0.append_message(label, point.as_bytes());
    }

    /// Absorbs a scalar that a prover sends.
    pub(crate) fn absorb_scalar(&mut self, label: &'static [u8], scalar: &Scalar) {
        self.0.append_message(label, scalar.as_bytes());
    }

    /// Draws a challenge: 64 bytes, little endian, modulo the group order.
    pub(crate) fn challenge(&mut self, label: &'static [u8]) -> Scalar {
        let mut wide = [0; 64];
        self.0.challenge_bytes(label, &mut wide);
        Scalar::from_bytes_mod_order_wide(&wide)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::{B_BLINDING_ENCODED, B_ENCODED};

    fn challenge_after(change: impl Fn(&mut LedgerTranscript)) -> Scalar {
        let mut transcript = LedgerTranscript::new(b"test", b"");
        change(&mut transcript);
        transcript.challenge(b"c")
    }

    #[test]
    fn a_challenge_depends_on_every_message_before_it() {
        let all = [
            challenge_after(|_| ()),
            challenge_after(|t| t.absorb(b"m", b"1")),
            challenge_after(|t| t.absorb(b"m", b"2")),
            challenge_after(|t| t.absorb_point(b"m", &B_ENCODED)),
            challenge_after(|t| t.absorb_point(b"m", &B_BLINDING_ENCODED)),
            challenge_after(|t| t.absorb_scalar(b"m", &Scalar::ONE)),
            challenge_after(|t| t.absorb_scalar(b"m", &Scalar::ZERO)),
            LedgerTranscript::new(b"test", b"x").challenge(b"c"),
            LedgerTranscript::new(b"tess", b"").challenge(b"c"),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all.iter().skip(i + 1).all(|other| other != one), "{i}");
        }
    }
}
