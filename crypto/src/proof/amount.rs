//! `[AMT]` Every amount ciphertext of a leg opens, for every key with `amounts`, to the value in its commitment.
//!
//! `(v_i, r_i)`: `C_i = v_i*B + r_i*B~`; `R_i = r_i*B`; merged over outputs and keys `E_ij - C_i = r_i*(K_j - B~)`.
//! The row for `C_i` is needed: without it the `r_i` in `R_i` could differ and the ciphertext would decrypt to rubbish
//! (protocol section 4, specs/proofs.md).

use borsh::BorshSerialize;
use rand_core::CryptoRngCore;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::encoding::{self, Malformed};
use crate::linear::row::{difference, equation, one};
use crate::linear::{self, LinearProof, Relation};
use crate::point::{B_BLINDING_ENCODED, B_ENCODED, commit, times_b};
use crate::{Claims, Encoded, LedgerTranscript, Rejected, Scalar, pairs};

/// The relation's name.
pub const NAME: &str = "sudare/proof/amount/v1";

/// The public inputs.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Statement {
    /// `C_i`, `R_i` and `E_ij` of each output.
    pub outputs: Vec<Ciphertext>,
    /// `K_j`, the keys with `amounts`.
    pub keys: Vec<Encoded>,
}

/// An amount, committed and encrypted.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Ciphertext {
    /// `C = v*B + r*B~`.
    pub commitment: Encoded,
    /// `R = r*B`.
    pub ephemeral: Encoded,
    /// `E_j = v*B + r*K_j`, one a key.
    pub amounts: Vec<Encoded>,
}

/// The opening of one output.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[allow(missing_debug_implementations, reason = "secret")]
pub struct Opening {
    /// `v`, atomic units.
    pub value: u64,
    /// `r`.
    pub blinding: Scalar,
}

impl Opening {
    /// The commitment and ciphertexts of this opening for `keys`.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a key does not decode, or if there is no blinding: the ciphertext would be `v*B`, which anyone reads.
    pub fn encrypt(&self, keys: &[Encoded]) -> Result<Ciphertext, Malformed> {
        if self.blinding == Scalar::ZERO {
            return Err(Malformed::Encoding("an opening: it has no blinding"));
        }
        let value = times_b(&Scalar::from(self.value));
        let mut amounts = Vec::with_capacity(keys.len());
        for key in keys {
            amounts.push(Encoded::of(&(value + key.decompress()? * self.blinding)));
        }
        Ok(Ciphertext {
            commitment: Encoded::of(&commit(self.value, &self.blinding)),
            ephemeral: Encoded::of(&times_b(&self.blinding)),
            amounts,
        })
    }
}

/// Proves the statement with the openings of all outputs, in order.
///
/// # Errors
///
/// [`Malformed`] if the statement has the wrong shape or a point that does not decode.
pub fn prove(
    statement: &Statement,
    openings: &[Opening],
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    let relation = relation(statement).ok_or(Malformed::Encoding("an amount statement"))?;
    let witness: Vec<Scalar> = openings
        .iter()
        .flat_map(|opening| [Scalar::from(opening.value), opening.blinding])
        .collect();
    linear::prove(&relation, &Zeroizing::new(witness), transcript, rng)
}

/// Adds the proof's equations to `claims`.
///
/// # Errors
///
/// [`Rejected::Shape`] if statement or proof have the wrong number of parts.
pub fn verify(
    statement: &Statement,
    proof: &LinearProof,
    transcript: &mut LedgerTranscript,
    claims: &mut Claims,
) -> Result<(), Rejected> {
    let relation = relation(statement).ok_or(Rejected::Shape(NAME))?;
    linear::verify(&relation, proof, transcript, claims)
}

pub(super) fn relation(statement: &Statement) -> Option<Relation> {
    let (mut rows, mut merged) = (Vec::new(), Vec::new());
    for (i, output) in statement.outputs.iter().enumerate() {
        let (v, r) = (i.checked_mul(2)?, i.checked_mul(2)?.checked_add(1)?);
        if statement.keys.is_empty() {
            return None;
        }
        rows.push(equation(
            one(output.commitment),
            vec![(v, one(*B_ENCODED)), (r, one(*B_BLINDING_ENCODED))],
        ));
        rows.push(equation(one(output.ephemeral), vec![(r, one(*B_ENCODED))]));
        for (amount, key) in pairs(&output.amounts, &statement.keys)? {
            merged.push(equation(
                difference(*amount, output.commitment),
                vec![(r, difference(*key, *B_BLINDING_ENCODED))],
            ));
        }
    }
    Some(Relation {
        name: NAME,
        statement: encoding::encode(statement),
        variables: statement.outputs.len().checked_mul(2)?,
        rows,
        merged,
    })
}
