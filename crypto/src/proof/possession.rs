//! `[POP]` Whoever names a key holds it: a Schnorr signature of possession, base `B`, over a message that says what the key is for.
//!
//! `(k)`: `K = k*B` (protocol sections 2 and 3, specs/proofs.md). Base `B` alone: without it `K = -B~` opens every amount.

use borsh::BorshSerialize;
use rand_core::CryptoRngCore;

use crate::encoding::{self, Malformed};
use crate::linear::row::{equation, one};
use crate::linear::{self, LinearProof, Relation};
use crate::point::B_ENCODED;
use crate::{Claims, Encoded, LedgerTranscript, Rejected, Scalar, Secret};

/// The relation's name.
pub const NAME: &str = "sudare/proof/possession/v1";

/// The public inputs.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Statement {
    /// `K`.
    pub key: Encoded,
    /// Canonical bytes of what the key is for.
    pub purpose: Vec<u8>,
}

/// Proves possession of `secret`, whose public key the statement names.
///
/// # Errors
///
/// [`Malformed`] never in practice: the only point is a generator.
pub fn prove(
    statement: &Statement,
    secret: &Secret,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    linear::prove(&relation(statement), &[secret.0], &mut transcript(), rng)
}

/// Adds the proof's equation to `claims`.
///
/// # Errors
///
/// [`Rejected::Shape`] if the proof has the wrong number of parts.
pub fn verify(
    statement: &Statement,
    proof: &LinearProof,
    claims: &mut Claims,
) -> Result<(), Rejected> {
    linear::verify(&relation(statement), proof, &mut transcript(), claims)
}

/// The challenge to the nonce commitment `Y`, for provers who hold the key in shares and answer together.
#[must_use]
pub fn challenge(statement: &Statement, commitment: &Encoded) -> Scalar {
    let mut transcript = transcript();
    linear::open(&relation(statement), &mut transcript);
    transcript.absorb_point(b"Y", commitment);
    transcript.challenge(b"c")
}

/// The proof with nonce commitment `Y` and response `z`, made elsewhere to [`challenge`]'s challenge.
///
/// # Errors
///
/// [`Malformed`] never in practice: two items are within every limit.
pub fn assemble(commitment: Encoded, response: Scalar) -> Result<LinearProof, Malformed> {
    LinearProof::of(vec![commitment], vec![response])
}

fn transcript() -> LedgerTranscript {
    LedgerTranscript::new(b"sudare/possession/v1", b"")
}

pub(super) fn relation(statement: &Statement) -> Relation {
    Relation {
        name: NAME,
        statement: encoding::encode(statement),
        variables: 1,
        rows: vec![equation(one(statement.key), vec![(0, one(*B_ENCODED))])],
        merged: Vec::new(),
    }
}
