//! `[LOC]` Two accounts of one secret: `K = y*B` and `S = y*P`, so that `S` is the Diffie-Hellman value of `K` and `P`.
//!
//! `(y)`: one row each, not merged (Chaum and Pedersen 1992). Who holds an account's key proves it with `K = A`, `P = X`, a snapshot's
//! registrar with `K = X`, `P = A`: both of the same `S` (specs/statements.md).

use borsh::BorshSerialize;
use rand_core::CryptoRngCore;

use crate::encoding::{self, Malformed};
use crate::linear::row::{equation, one};
use crate::linear::{self, LinearProof, Relation};
use crate::point::B_ENCODED;
use crate::{Claims, Encoded, LedgerTranscript, Rejected, Secret};

/// The relation's name.
pub const NAME: &str = "sudare/proof/locator/v1";

/// The public inputs.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Statement {
    /// `K`, whose secret the prover holds.
    pub key: Encoded,
    /// `P`.
    pub base: Encoded,
    /// `S`.
    pub shared: Encoded,
}

/// Proves the statement with the secret of its key.
///
/// # Errors
///
/// [`Malformed`] if a point does not decode.
pub fn prove(
    statement: &Statement,
    secret: &Secret,
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    linear::prove(&relation(statement), &[secret.0], transcript, rng)
}

/// Adds the proof's equations to `claims`.
///
/// Enforces [LOC-1].
///
/// # Errors
///
/// [`Rejected::Shape`] if the proof has the wrong number of parts.
pub fn verify(
    statement: &Statement,
    proof: &LinearProof,
    transcript: &mut LedgerTranscript,
    claims: &mut Claims,
) -> Result<(), Rejected> {
    linear::verify(&relation(statement), proof, transcript, claims)
}

pub(super) fn relation(statement: &Statement) -> Relation {
    let Statement { key, base, shared } = statement;
    let rows = vec![
        equation(one(*key), vec![(0, one(*B_ENCODED))]),
        equation(one(*shared), vec![(0, one(*base))]),
    ];
    let statement = encoding::encode(statement);
    Relation { name: NAME, statement, variables: 1, rows, merged: Vec::new() }
}
