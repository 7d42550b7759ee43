//! `[SPD]` Whoever spends a tag owns the account that the identity ciphertext names.
//!
//! `(a, t, u)` of each input: `T = a*B + t*G`; `U' = u*B`; `F'_0 = a*B + u*K_0`; merged over inputs and keys
//! `F'_j - F'_0 = u*(K_j - K_0)`. The tag's opening in `(B, G)` is unique: with `t*B` in its place a custodian could book
//! the spend on any other account it holds (protocol section 5, specs/proofs.md).

use borsh::BorshSerialize;
use rand_core::CryptoRngCore;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::encoding::{self, Malformed};
use crate::linear::row::{difference, equation, one};
use crate::linear::{self, LinearProof, Relation};
use crate::point::{B_ENCODED, G_ENCODED};
use crate::{Claims, Encoded, LedgerTranscript, Rejected, Scalar, pairs};

/// The relation's name.
pub const NAME: &str = "sudare/proof/spend/v1";

/// The public inputs.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Statement {
    /// The inputs of the leg, in order.
    pub inputs: Vec<Spender>,
    /// `K_j`, the keys with `parties`; the first is the registrar's.
    pub keys: Vec<Encoded>,
}

/// The tag of an input and the encrypted identity of who spends it.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Spender {
    /// `T`.
    pub tag: Encoded,
    /// `U'`.
    pub ephemeral: Encoded,
    /// `F'_j`, one a key.
    pub identities: Vec<Encoded>,
}

/// `a`, `t` and `u'` of one input.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[allow(missing_debug_implementations, reason = "secret")]
pub struct Witness {
    /// `a`, the account key.
    pub account: Scalar,
    /// `t`, the tag's one-time part.
    pub tag: Scalar,
    /// `u'`, the ciphertext's randomness.
    pub ephemeral: Scalar,
}

/// Proves the statement with one witness an input, in order.
///
/// # Errors
///
/// [`Malformed`] if the statement has the wrong shape or a point that does not decode.
pub fn prove(
    statement: &Statement,
    witnesses: &[Witness],
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    let relation = relation(statement).ok_or(Malformed::Encoding("a spend statement"))?;
    let witness: Vec<Scalar> =
        witnesses.iter().flat_map(|input| [input.account, input.tag, input.ephemeral]).collect();
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
    let k_0 = *statement.keys.first()?;
    for (i, input) in statement.inputs.iter().enumerate() {
        let a = i.checked_mul(3)?;
        let (t, u) = (a.checked_add(1)?, a.checked_add(2)?);
        let f_0 = *input.identities.first()?;
        rows.push(equation(one(input.tag), vec![(a, one(*B_ENCODED)), (t, one(*G_ENCODED))]));
        rows.push(equation(one(input.ephemeral), vec![(u, one(*B_ENCODED))]));
        rows.push(equation(one(f_0), vec![(a, one(*B_ENCODED)), (u, one(k_0))]));
        for (f, k) in pairs(&input.identities, &statement.keys)?.skip(1) {
            merged.push(equation(difference(*f, f_0), vec![(u, difference(*k, k_0))]));
        }
    }
    Some(Relation {
        name: NAME,
        statement: encoding::encode(statement),
        variables: statement.inputs.len().checked_mul(3)?,
        rows,
        merged,
    })
}
