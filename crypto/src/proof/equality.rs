//! `[EQL]` A random multiple of the difference of two hidden totals, from which one party tells whether they are equal and nothing
//! else: `Z = z*B~`, `M = z*R = m*B + n*B~`, `W = z*L - m*B`.
//!
//! `(z, m, n)`: one row each equation, none merged. `M` is committed to in two ways, so `m` is `z` times the amount that `R` hides
//! ([EQL-1]); `W` is then `z` times the difference of the amounts and `r*Z`, with the blinding `r` of `L`, which the other party
//! knows (specs/statements/joint.md).

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;

use crate::encoding::{self, Malformed};
use crate::linear::row::{equation, one};
use crate::linear::{self, LinearProof, Relation};
use crate::point::{B_BLINDING_ENCODED, B_ENCODED, commit, times_b, times_b_blinding};
use crate::{Claims, Encoded, LedgerTranscript, Rejected, Scalar, Secret};

/// The relation's name.
pub const NAME: &str = "sudare/proof/equality/v1";

/// The public inputs.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Statement {
    /// `L`, which commits to the amount of who is answered.
    pub left: Encoded,
    /// `R`, which commits to the amount of who answers.
    pub right: Encoded,
    /// What is answered.
    pub masked: Masked,
}

/// The difference, masked.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Masked {
    /// `Z`.
    pub mask: Encoded,
    /// `M`.
    pub product: Encoded,
    /// `W`.
    pub difference: Encoded,
}

/// `z`, `m`, `n`.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "secret")]
pub struct Witness {
    /// `z`.
    pub mask: Secret,
    /// `m`, the amount times `z`.
    pub value: Secret,
    /// `n`, the blinding times `z`.
    pub blinding: Secret,
}

/// Masks the difference between what `left` hides and the amount `value` that `right` hides under `blinding`.
///
/// # Errors
///
/// [`Malformed`] if a point does not decode, or `right` does not commit to that.
pub fn mask(
    left: &Encoded,
    right: &Encoded,
    (value, blinding): (u128, &Secret),
    rng: &mut impl CryptoRngCore,
) -> Result<(Statement, Witness), Malformed> {
    let (l, r) = (left.decompress()?, right.decompress()?);
    let value = Scalar::from(value);
    if times_b(&value) + times_b_blinding(&blinding.0) != r {
        return Err(Malformed::Encoding("an opening: of another commitment"));
    }
    let mask = Secret::random(rng);
    let (m, n) = (Secret(mask.0 * value), Secret(mask.0 * blinding.0));
    let masked = Masked {
        mask: Encoded::of(&times_b_blinding(&mask.0)),
        product: Encoded::of(&(r * mask.0)),
        difference: Encoded::of(&(l * mask.0 - times_b(&m.0))),
    };
    let statement = Statement { left: *left, right: *right, masked };
    Ok((statement, Witness { mask, value: m, blinding: n }))
}

/// Proves the statement.
///
/// # Errors
///
/// [`Malformed`] if a point does not decode.
pub fn prove(
    statement: &Statement,
    witness: &Witness,
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    let Witness { mask, value, blinding } = witness;
    linear::prove(&relation(statement), &[mask.0, value.0, blinding.0], transcript, rng)
}

/// Adds the proof's equations to `claims`.
///
/// Enforces [EQL-1]: no point of the answer is the identity, as no claim takes one, so `z` is not zero.
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

impl Masked {
    /// Whether the two amounts are equal, to who knows the blinding of `left`.
    ///
    /// (!) Only of an answer whose proof is verified; of any other the answer is the answerer's choice.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a point does not decode.
    pub fn is_equal(&self, blinding: &Secret) -> Result<bool, Malformed> {
        Ok(self.mask.decompress()? * blinding.0 == self.difference.decompress()?)
    }
}

pub(super) fn relation(statement: &Statement) -> Relation {
    let Statement { left, right, masked: Masked { mask, product, difference } } = statement;
    let (z, m, n) = (0, 1, 2);
    let minus_b = vec![(-Scalar::ONE, *B_ENCODED)];
    let rows = vec![
        equation(one(*mask), vec![(z, one(*B_BLINDING_ENCODED))]),
        equation(one(*product), vec![(z, one(*right))]),
        equation(one(*product), vec![(m, one(*B_ENCODED)), (n, one(*B_BLINDING_ENCODED))]),
        equation(one(*difference), vec![(z, one(*left)), (m, minus_b)]),
    ];
    let statement = encoding::encode(statement);
    Relation { name: NAME, statement, variables: 3, rows, merged: Vec::new() }
}

/// The commitment to a total of these commitments and a number in clear.
///
/// # Errors
///
/// [`Malformed`] if a point does not decode.
pub fn total(commitments: &[Encoded], clear: u64) -> Result<Encoded, Malformed> {
    let mut sum = commit(clear, &Scalar::ZERO);
    for commitment in commitments {
        sum += commitment.decompress()?;
    }
    Ok(Encoded::of(&sum))
}
