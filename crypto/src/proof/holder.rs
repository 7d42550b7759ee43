//! `[HLD]` Notes belong to an account: `O_i = A + t_i*G + s_i*B~`, which only who made the notes' slots can open.
//!
//! `O_i - A` are known combinations of `G` and `B~`, all merged into one row: instances of one relation, summed by powers of
//! a challenge drawn after all of them, as in `[LNK]` (specs/statements.md).

use borsh::BorshSerialize;
use rand_core::CryptoRngCore;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::encoding::{self, Malformed};
use crate::linear::row::{difference, equation, one};
use crate::linear::{self, LinearProof, Relation};
use crate::point::{B_BLINDING_ENCODED, G_ENCODED};
use crate::{Claims, Encoded, LedgerTranscript, Rejected, Scalar};

/// The relation's name.
pub const NAME: &str = "sudare/proof/holder/v1";

/// The public inputs.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Statement {
    /// `A`.
    pub account: Encoded,
    /// `O` of each note, at least one.
    pub owners: Vec<Encoded>,
}

/// `t` and `s` of one note.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[allow(missing_debug_implementations, reason = "secret")]
pub struct Witness {
    /// `t`.
    pub tag: Scalar,
    /// `s`.
    pub blinding: Scalar,
}

/// Proves the statement with one witness a note, in order.
///
/// # Errors
///
/// [`Malformed`] if there is no note or a point does not decode.
pub fn prove(
    statement: &Statement,
    witnesses: &[Witness],
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    let (relation, rho) = relation(statement, transcript).ok_or(Malformed::Encoding("no notes"))?;
    let mut sum = Witness { tag: Scalar::ZERO, blinding: Scalar::ZERO };
    let mut power = Scalar::ONE;
    for witness in witnesses {
        sum.tag += power * witness.tag;
        sum.blinding += power * witness.blinding;
        power *= rho;
    }
    linear::prove(&relation, &[sum.tag, sum.blinding], transcript, rng)
}

/// Adds the proof's equation to `claims`.
///
/// Enforces [HLD-1].
///
/// # Errors
///
/// [`Rejected::Shape`] if there is no note or the proof has the wrong number of parts.
pub fn verify(
    statement: &Statement,
    proof: &LinearProof,
    transcript: &mut LedgerTranscript,
    claims: &mut Claims,
) -> Result<(), Rejected> {
    let (relation, _) = relation(statement, transcript).ok_or(Rejected::Shape(NAME))?;
    linear::verify(&relation, proof, transcript, claims)
}

/// The relation with its differences summed by powers of a challenge drawn after all of them; none without notes.
pub(super) fn relation(
    statement: &Statement,
    transcript: &mut LedgerTranscript,
) -> Option<(Relation, Scalar)> {
    let bytes = encoding::encode(statement);
    transcript.absorb(b"owners", &bytes);
    let rho = transcript.challenge(b"rho-owners");
    let (mut target, mut power) = (Vec::new(), Scalar::ONE);
    for owner in &statement.owners {
        let pair = difference(*owner, statement.account);
        target.extend(pair.into_iter().map(|(coefficient, point)| (coefficient * power, point)));
        power *= rho;
    }
    if target.is_empty() {
        return None;
    }
    let row = equation(target, vec![(0, one(*G_ENCODED)), (1, one(*B_BLINDING_ENCODED))]);
    let relation =
        Relation { name: NAME, statement: bytes, variables: 2, rows: vec![row], merged: vec![] };
    Some((relation, rho))
}
