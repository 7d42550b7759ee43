//! `[STM]` A statement about hidden totals: at least, at most, between, a share of another total, or a difference in clear.
//!
//! Each difference that must not be negative is `limb_0 + 2^64*limb_1` with both limbs below 2^64 (`[RNG]` on the same
//! transcript), so it lies in `[0, 2^128)`; one that must be zero is a known multiple of `B~` (specs/statements.md). The
//! bounds of [`COMMITMENTS_MAX`] and of the coefficients keep every sum below 2^110, so that nothing wraps the group order.

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use super::amount::Opening;
use super::range;
use crate::encoding::{self, Malformed};
use crate::linear::row::{equation, one};
use crate::linear::{self, Combination, LinearProof, Relation};
use crate::point::{B_BLINDING_ENCODED, B_ENCODED, commit};
use crate::{Bounded, Claims, Encoded, LedgerTranscript, Rejected, Scalar, pairs};

/// The relation's name.
pub const NAME: &str = "sudare/proof/statement/v1";
/// The most commitments of one total.
pub const COMMITMENTS_MAX: usize = 4096;
/// The most limbs: two for each of two differences.
pub const LIMBS_MAX: usize = 4;
/// The longest range proof of a statement in bytes.
pub const RANGE_BYTES_MAX: usize = 1024;

/// `2^64`, the weight of a difference's second limb.
const LIMB: u128 = 1 << 64;

/// What is stated of the left total `L` and the right total `R`; atomic units.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Kind {
    /// `L - R >= bound`.
    AtLeast {
        /// The bound.
        bound: u64,
    },
    /// `L - R <= bound`.
    AtMost {
        /// The bound.
        bound: u64,
    },
    /// `low <= L - R <= high`.
    Between {
        /// The lower bound.
        low: u64,
        /// The upper bound, not below the lower.
        high: u64,
    },
    /// `denominator*L >= numerator*R`: `L` is at least that share of `R`.
    Share {
        /// `p`, from 1 to the denominator.
        numerator: u32,
        /// `q`.
        denominator: u32,
    },
    /// `L = R + by`.
    Differ {
        /// The difference; 0 if the totals are equal.
        by: u64,
    },
}

/// A total: the sum of what the commitments hide and a number in clear.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshSerialize)]
pub struct Total {
    /// Commitments to amounts that are known to be below 2^64: outputs of final legs, holdings of a sound snapshot.
    pub commitments: Vec<Encoded>,
    /// Atomic units in clear.
    pub clear: u64,
}

/// The public inputs.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Statement {
    /// What is stated.
    pub kind: Kind,
    /// `L`.
    pub left: Total,
    /// `R`.
    pub right: Total,
    /// Two commitments for each difference that must not be negative, in the order of the differences.
    pub limbs: Vec<Encoded>,
}

/// A statement's proof, without its public inputs.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Proof {
    /// The limbs.
    pub limbs: Bounded<Encoded, LIMBS_MAX>,
    /// That the limbs make up the differences.
    pub sums: LinearProof,
    /// That each limb is below 2^64; empty without limbs.
    pub range: Bounded<u8, RANGE_BYTES_MAX>,
}

/// Why a statement could not be proved.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unproved {
    /// It is false.
    #[error("the statement is not true of these amounts: choose another bound")]
    Untrue,
    /// No statement of this kind is made of these totals and numbers.
    #[error("no such statement: 1 to 4096 commitments a total, low <= high, 0 < p <= q")]
    Shape,
    /// An opening is not that of its commitment.
    #[error("an opening is not that of its commitment: open the notes again")]
    Opening,
    /// A point does not decode.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Proves that `kind` holds of the totals, whose commitments have these openings, on the statement's own transcript.
///
/// # Errors
///
/// [`Unproved`], in particular if it does not hold.
pub fn make(
    kind: Kind,
    left: (&Total, &[Opening]),
    right: (&Total, &[Opening]),
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<Proof, Unproved> {
    let (left_value, left_blinding) = opened(left.0, left.1)?;
    let (right_value, right_blinding) = opened(right.0, right.1)?;
    let mut statement =
        Statement { kind, left: left.0.clone(), right: right.0.clone(), limbs: Vec::new() };
    let (mut limbs, mut witness) = (Vec::new(), Zeroizing::new(Vec::new()));
    for weights in kind.differences().ok_or(Unproved::Shape)? {
        let mut excess = Zeroizing::new(
            signed(weights.left.into()) * *left_blinding
                + signed(weights.right.into()) * *right_blinding,
        );
        let value = weights.of(left_value, right_value).ok_or(Unproved::Untrue)?;
        if kind.is_equality() {
            if value != 0 {
                return Err(Unproved::Untrue);
            }
        } else {
            let value = u128::try_from(value).map_err(|_| Unproved::Untrue)?;
            let mut weight = Scalar::ONE;
            for part in [value % LIMB, value / LIMB] {
                let value = u64::try_from(part).map_err(|_| Unproved::Untrue)?;
                let limb = Opening { value, blinding: Scalar::random(rng) };
                statement.limbs.push(Encoded::of(&commit(limb.value, &limb.blinding)));
                *excess -= weight * limb.blinding;
                weight *= Scalar::from(LIMB);
                limbs.push(limb);
            }
        }
        witness.push(*excess);
    }
    let sums = prove(&statement, &witness, transcript, rng)?;
    let range = if limbs.is_empty() { Vec::new() } else { range::prove(&limbs, transcript, rng)? };
    Ok(Proof { limbs: statement.limbs.try_into()?, sums, range: range.try_into()? })
}

/// Adds to `claims` all that holds if `proof` proves that `kind` holds of the totals.
///
/// Enforces [STM-1], [STM-2] and [STM-3].
///
/// # Errors
///
/// [`Rejected::Shape`] if statement or proof have the wrong number of parts.
pub fn check(
    kind: Kind,
    left: &Total,
    right: &Total,
    proof: &Proof,
    transcript: &mut LedgerTranscript,
    claims: &mut Claims,
) -> Result<(), Rejected> {
    let (left, right, limbs) = (left.clone(), right.clone(), proof.limbs.to_vec());
    let statement = Statement { kind, left, right, limbs };
    verify(&statement, &proof.sums, transcript, claims)?;
    if !statement.limbs.is_empty() {
        return range::verify(&statement.limbs, &proof.range, transcript, claims);
    }
    if proof.range.is_empty() { Ok(()) } else { Err(Rejected::Shape(range::NAME)) }
}

/// Proves the linear part; `excesses` are the blindings of the differences less those of their limbs.
///
/// # Errors
///
/// [`Malformed`] if the statement has the wrong shape or a point that does not decode.
pub fn prove(
    statement: &Statement,
    excesses: &[Scalar],
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    let relation = relation(statement).ok_or(Malformed::Encoding("a statement about totals"))?;
    linear::prove(&relation, excesses, transcript, rng)
}

/// Adds the equations of the linear part to `claims`; the range of the limbs is proved apart.
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
    let Statement { kind, left, right, limbs } = statement;
    let many = left.commitments.len().max(right.commitments.len()) > COMMITMENTS_MAX;
    if left.commitments.is_empty() || many {
        return None;
    }
    let differences = kind.differences()?;
    let needed = if kind.is_equality() { 0 } else { differences.len().checked_mul(2)? };
    if limbs.len() != needed {
        return None;
    }
    let mut limbs = limbs.chunks_exact(2);
    let mut rows = Vec::new();
    for (variable, weights) in differences.iter().enumerate() {
        let mut target = weights.target(left, right);
        if let Some([low, high]) = limbs.next() {
            target.extend([(-Scalar::ONE, *low), (-Scalar::from(LIMB), *high)]);
        }
        rows.push(equation(target, vec![(variable, one(*B_BLINDING_ENCODED))]));
    }
    let (name, variables) = (NAME, rows.len());
    let statement = encoding::encode(statement);
    Some(Relation { name, statement, variables, rows, merged: Vec::new() })
}

impl Kind {
    /// Whether the difference must be zero; otherwise none may be negative.
    const fn is_equality(self) -> bool {
        matches!(self, Self::Differ { .. })
    }

    /// The differences; none if the numbers make no statement.
    fn differences(self) -> Option<Vec<Weights>> {
        let from = |bound: u64| Weights { left: 1, right: -1, constant: -i128::from(bound) };
        let up_to = |bound: u64| Weights { left: -1, right: 1, constant: i128::from(bound) };
        Some(match self {
            Self::AtLeast { bound } => vec![from(bound)],
            Self::AtMost { bound } => vec![up_to(bound)],
            Self::Between { low, high } if low <= high => vec![from(low), up_to(high)],
            Self::Share { numerator, denominator } if 0 < numerator && numerator <= denominator => {
                let (left, right) = (i64::from(denominator), i64::from(numerator).checked_neg()?);
                vec![Weights { left, right, constant: 0 }]
            }
            Self::Differ { by } => vec![from(by)],
            Self::Between { .. } | Self::Share { .. } => return None,
        })
    }
}

/// The difference `left*L + right*R + constant`; the weights of the totals are within 32 bits, the constant within 64.
struct Weights {
    left: i64,
    right: i64,
    constant: i128,
}

impl Weights {
    /// The difference of two totals; none if it is beyond 127 bits.
    fn of(&self, left: u128, right: u128) -> Option<i128> {
        let left = i128::try_from(left).ok()?.checked_mul(self.left.into())?;
        let right = i128::try_from(right).ok()?.checked_mul(self.right.into())?;
        left.checked_add(right)?.checked_add(self.constant)
    }

    /// The point that commits to the difference.
    fn target(&self, left: &Total, right: &Total) -> Combination {
        let (l, r) = (signed(self.left.into()), signed(self.right.into()));
        let mut target = Vec::new();
        target.extend(left.commitments.iter().map(|point| (l, *point)));
        target.extend(right.commitments.iter().map(|point| (r, *point)));
        let constant =
            signed(self.constant) + l * Scalar::from(left.clear) + r * Scalar::from(right.clear);
        target.push((constant, *B_ENCODED));
        target
    }
}

fn signed(number: i128) -> Scalar {
    let magnitude = Scalar::from(number.unsigned_abs());
    if number < 0 { -magnitude } else { magnitude }
}

/// The value and the blinding of a total.
fn opened(total: &Total, openings: &[Opening]) -> Result<(u128, Zeroizing<Scalar>), Unproved> {
    let (mut value, mut blinding) = (u128::from(total.clear), Zeroizing::new(Scalar::ZERO));
    for (commitment, opening) in pairs(&total.commitments, openings).ok_or(Unproved::Opening)? {
        if Encoded::of(&commit(opening.value, &opening.blinding)) != *commitment {
            return Err(Unproved::Opening);
        }
        value = value.checked_add(opening.value.into()).ok_or(Unproved::Shape)?;
        *blinding += opening.blinding;
    }
    Ok((value, blinding))
}
