//! `[LNK]` Each input spends the note it says: tag and amount are those of the note, rerandomised.
//!
//! `O_i - T_i` and `C'_i - C_i` are known multiples of `B~`, all merged into one row: the statements are instances of one
//! relation, so merging by powers of a later challenge is sound (protocol sections 2 and 5, specs/proofs.md). Whoever lacks
//! the `links` field does not know `O_i` and `C_i`, and checks `[BAL]` alone.

use borsh::BorshSerialize;
use rand_core::CryptoRngCore;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::encoding::{self, Malformed};
use crate::linear::row::{difference, equation, one};
use crate::linear::{self, LinearProof, Relation, Row};
use crate::point::B_BLINDING_ENCODED;
use crate::{Claims, Encoded, LedgerTranscript, Rejected, Scalar};

/// The relation's name.
pub const NAME: &str = "sudare/proof/links/v1";

/// The public inputs, one link an input.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Statement {
    /// The links, in the order of the inputs.
    pub links: Vec<Link>,
}

/// An input and the note it spends.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Link {
    /// `O` of the note.
    pub owner: Encoded,
    /// `C` of the note.
    pub commitment: Encoded,
    /// `T` of the input.
    pub tag: Encoded,
    /// `C'` of the input.
    pub rerandomised: Encoded,
}

/// `s` and `d` of one link: `O - T = s*B~`, `C' - C = d*B~`.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
#[allow(missing_debug_implementations, reason = "secret")]
pub struct Witness {
    /// `s`.
    pub owner_blinding: Scalar,
    /// `d`.
    pub rerandomisation: Scalar,
}

/// Proves the statement with one witness a link, in order.
///
/// # Errors
///
/// [`Malformed`] if a point does not decode.
pub fn prove(
    statement: &Statement,
    witnesses: &[Witness],
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    let relation = relation(statement, transcript);
    // The one variable of the merged row: the same powers of the same challenge, over the witness.
    let (rho, mut power, mut sum) = (relation.1, Scalar::ONE, Zeroizing::new(Scalar::ZERO));
    for witness in witnesses {
        *sum += power * witness.owner_blinding;
        power *= rho;
        *sum += power * witness.rerandomisation;
        power *= rho;
    }
    linear::prove(&relation.0, &[*sum], transcript, rng)
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
    let (relation, _) = relation(statement, transcript);
    linear::verify(&relation, proof, transcript, claims)
}

/// The relation with its differences summed by powers of a challenge drawn after all of them.
pub(super) fn relation(
    statement: &Statement,
    transcript: &mut LedgerTranscript,
) -> (Relation, Scalar) {
    let bytes = encoding::encode(statement);
    transcript.absorb(b"links", &bytes);
    let rho = transcript.challenge(b"rho-links");
    let (mut target, mut power) = (Vec::new(), Scalar::ONE);
    for link in &statement.links {
        for pair in
            [difference(link.owner, link.tag), difference(link.rerandomised, link.commitment)]
        {
            target
                .extend(pair.into_iter().map(|(coefficient, point)| (coefficient * power, point)));
            power *= rho;
        }
    }
    let row: Row = equation(target, vec![(0, one(*B_BLINDING_ENCODED))]);
    (
        Relation {
            name: NAME,
            statement: bytes,
            variables: 1,
            rows: vec![row],
            merged: Vec::new(),
        },
        rho,
    )
}
