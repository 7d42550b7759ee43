//! `[OWN]` The owner part of a note is well formed: one account stands behind the owner commitment and every identity ciphertext.
//!
//! `(t, s, u)`: `U = u*B`; `O - F_0 = t*G + s*B~ - u*K_0`; merged `F_j - F_0 = u*(K_j - K_0)` for j >= 1
//! (protocol section 4, specs/proofs.md).

use borsh::BorshSerialize;
use rand_core::CryptoRngCore;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::encoding::{self, Malformed};
use crate::linear::row::{difference, equation, minus, one};
use crate::linear::{self, LinearProof, Relation};
use crate::point::{B_BLINDING_ENCODED, B_ENCODED, G_ENCODED};
use crate::{Claims, Encoded, LedgerTranscript, Rejected, Scalar, pairs};

/// The relation's name.
pub const NAME: &str = "sudare/proof/owner/v1";

/// The public inputs.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Statement {
    /// `O`.
    pub owner: Encoded,
    /// `U`.
    pub ephemeral: Encoded,
    /// `F_j`, one a key.
    pub identities: Vec<Encoded>,
    /// `K_j`, the keys with `parties`; the first is the registrar's.
    pub keys: Vec<Encoded>,
}

/// `t`, `s` and `u`.
#[derive(Zeroize, ZeroizeOnDrop)]
#[allow(missing_debug_implementations, reason = "secret")]
pub struct Witness {
    /// `t`, with which the tag is `T = A + t*G`.
    pub tag: Scalar,
    /// `s`, which hides the tag in the owner commitment.
    pub blinding: Scalar,
    /// `u`, the ciphertext's randomness.
    pub ephemeral: Scalar,
}

/// Proves the statement.
///
/// # Errors
///
/// [`Malformed`] if the statement has no keys, the wrong number of ciphertexts, or a point that does not decode.
pub fn prove(
    statement: &Statement,
    witness: &Witness,
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    let relation = relation(statement).ok_or(Malformed::Encoding("an owner statement"))?;
    let witness = Zeroizing::new(vec![witness.tag, witness.blinding, witness.ephemeral]);
    linear::prove(&relation, &witness, transcript, rng)
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
    const T: usize = 0;
    const S: usize = 1;
    const U: usize = 2;
    let (k_0, f_0) = (*statement.keys.first()?, *statement.identities.first()?);
    let others = pairs(&statement.identities, &statement.keys)?.skip(1);
    Some(Relation {
        name: NAME,
        statement: encoding::encode(statement),
        variables: 3,
        rows: vec![
            equation(one(statement.ephemeral), vec![(U, one(*B_ENCODED))]),
            equation(
                difference(statement.owner, f_0),
                vec![(T, one(*G_ENCODED)), (S, one(*B_BLINDING_ENCODED)), (U, minus(k_0))],
            ),
        ],
        merged: others
            .map(|(f, k)| equation(difference(*f, f_0), vec![(U, difference(*k, k_0))]))
            .collect(),
    })
}
