//! `[WRP]` Every reader entitled to a memo section unwraps the same content key.
//!
//! `(w_s)` of each section: `W_s = w_s*B`; merged over sections and keys `Z_sj - Z_s0 = w_s*(K_sj - K_s0)`. So what the
//! registrar (key 0) could open, everybody entitled can. Each `w_s` is fresh: under one `w` the difference of two sections'
//! wraps is that of their content keys, so that one section opens the other; a repeated `W` is refused (protocol section 4,
//! specs/proofs.md).

use std::collections::BTreeSet;

use borsh::BorshSerialize;
use rand_core::CryptoRngCore;

use crate::encoding::{self, Malformed};
use crate::linear::row::{difference, equation, one};
use crate::linear::{self, LinearProof, Relation};
use crate::point::B_ENCODED;
use crate::{Claims, Encoded, LedgerTranscript, Rejected, Scalar, Secret, pairs};

/// The relation's name.
pub const NAME: &str = "sudare/proof/wrap/v1";

/// The public inputs.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Statement {
    /// The sections of the leg, in order.
    pub sections: Vec<Wrapped>,
}

/// One section's wrapped key.
#[derive(Clone, Debug, BorshSerialize)]
pub struct Wrapped {
    /// `W`.
    pub ephemeral: Encoded,
    /// `Z_j = M + w*K_j`, one a reader.
    pub wraps: Vec<Encoded>,
    /// `K_j`: the entitled disclosure keys, the registrar's first, then the slots' memo keys.
    pub keys: Vec<Encoded>,
}

/// Proves the statement with `w` of each section, in order.
///
/// # Errors
///
/// [`Malformed`] if the statement has the wrong shape, two sections share a `W`, or a point does not decode.
pub fn prove(
    statement: &Statement,
    ephemerals: &[Secret],
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    let relation = relation(statement).ok_or(Malformed::Encoding("a wrap statement"))?;
    let witness: zeroize::Zeroizing<Vec<Scalar>> =
        zeroize::Zeroizing::new(ephemerals.iter().map(|secret| secret.0).collect());
    linear::prove(&relation, &witness, transcript, rng)
}

/// Adds the proof's equations to `claims`.
///
/// # Errors
///
/// [`Rejected::Shape`] if statement or proof have the wrong number of parts, or two sections share a `W`.
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
    let mut ephemerals = BTreeSet::new();
    for (w, section) in statement.sections.iter().enumerate() {
        let (k_0, z_0) = (*section.keys.first()?, *section.wraps.first()?);
        if !ephemerals.insert(section.ephemeral) {
            return None;
        }
        // A lone reader's points stand in no other equation: with nothing of them added here, they must decode all the same.
        let target =
            vec![(Scalar::ONE, section.ephemeral), (Scalar::ZERO, z_0), (Scalar::ZERO, k_0)];
        rows.push(equation(target, vec![(w, one(*B_ENCODED))]));
        for (z, k) in pairs(&section.wraps, &section.keys)?.skip(1) {
            merged.push(equation(difference(*z, z_0), vec![(w, difference(*k, k_0))]));
        }
    }
    Some(Relation {
        name: NAME,
        statement: encoding::encode(statement),
        variables: statement.sections.len(),
        rows,
        merged,
    })
}
