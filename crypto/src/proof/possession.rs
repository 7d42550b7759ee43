//! `[POP]` Whoever names a key holds it: a Schnorr signature of possession, base `B`, over a message that says what the key is for.
//!
//! `(k)`: `K = k*B` (protocol sections 2 and 3, specs/proofs.md). Base `B` alone: without it `K = -B~` opens every amount.

use borsh::BorshSerialize;
use rand_core::CryptoRngCore;

use crate::encoding::{self, Malformed};
use crate::linear::row::{equation, one};
use crate::linear::{self, LinearProof, Relation};
use crate::point::B_ENCODED;
use crate::{Claims, Encoded, LedgerTranscript, Rejected, Secret};

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
