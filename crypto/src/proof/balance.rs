//! `[BAL]` A leg makes no value and loses none: inputs and mint equal outputs and burn.
//!
//! `(e)`: `sum C' - sum C + (mint - burn)*B = e*B~` (protocol section 5, specs/proofs.md). With `[RNG]` on every output and
//! amounts below 2^64 no sum wraps around the group order.

use borsh::BorshSerialize;
use rand_core::CryptoRngCore;

use crate::encoding::{self, Malformed};
use crate::linear::row::{equation, one};
use crate::linear::{self, LinearProof, Relation};
use crate::point::{B_BLINDING_ENCODED, B_ENCODED};
use crate::{Claims, Encoded, LedgerTranscript, Rejected, Scalar, Secret};

/// The relation's name.
pub const NAME: &str = "sudare/proof/balance/v1";

/// The public inputs.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Statement {
    /// `C'` of each input.
    pub inputs: Vec<Encoded>,
    /// `C` of each output.
    pub outputs: Vec<Encoded>,
    /// Atomic units made by an issue.
    pub mint: u64,
    /// Atomic units ended by a redemption.
    pub burn: u64,
}

/// Proves the statement; `excess` is `e`, the sum of the inputs' blindings less that of the outputs'.
///
/// # Errors
///
/// [`Malformed`] if a point does not decode.
pub fn prove(
    statement: &Statement,
    excess: &Secret,
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    linear::prove(&relation(statement), &[excess.0], transcript, rng)
}

/// Adds the proof's equation to `claims`.
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
    let mut target = Vec::new();
    target.extend(statement.inputs.iter().map(|point| (Scalar::ONE, *point)));
    target.extend(statement.outputs.iter().map(|point| (-Scalar::ONE, *point)));
    target.push((Scalar::from(statement.mint) - Scalar::from(statement.burn), *B_ENCODED));
    Relation {
        name: NAME,
        statement: encoding::encode(statement),
        variables: 1,
        rows: vec![equation(target, vec![(0, one(*B_BLINDING_ENCODED))])],
        merged: Vec::new(),
    }
}
