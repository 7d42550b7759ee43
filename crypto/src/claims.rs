//! What a verifier has still to decide once proofs are parsed: equations in the group and range statements.
//!
//! Relations only collect ([`crate::linear::verify`]); acceptance is the caller's, so that the equations of one leg, or of
//! many, are weighted and decided together (protocol section 7, specs/transcript.md).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use rand_core::CryptoRngCore;

use crate::proof::range::{self, BITS, OUTPUTS_MAX};
use crate::{Encoded, LedgerTranscript};

/// Why proofs were refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Rejected {
    /// The proof does not have the number of parts that its statement asks for.
    #[error("the {0} proof has the wrong shape: rebuild it for this statement and policy")]
    Shape(&'static str),
    /// A point in the relation is not a canonical Ristretto encoding.
    #[error("a point of the {0} relation is not a canonical encoding")]
    Point(&'static str),
    /// The proof is well formed but proves something else.
    #[error("the {0} proof does not verify")]
    False(&'static str),
}

/// A sum of points that must be the identity.
#[derive(Clone, Debug)]
pub struct Residue {
    /// The relation it came from.
    pub relation: &'static str,
    /// Coefficients and points.
    pub terms: Vec<(Scalar, Encoded)>,
}

/// A range statement not yet decided: every commitment opens to a value below 2^64.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "holds a transcript state")]
pub struct RangeClaim {
    pub(crate) transcript: LedgerTranscript,
    pub(crate) commitments: Vec<Encoded>,
    pub(crate) proof: Vec<u8>,
}

/// Equations and range statements gathered from proofs.
#[derive(Clone, Default)]
#[allow(missing_debug_implementations, reason = "holds transcript states")]
pub struct Claims {
    pub(crate) residues: Vec<Residue>,
    pub(crate) ranges: Vec<RangeClaim>,
}

impl Claims {
    /// No claims.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds all of `other`, to be decided together.
    pub fn append(&mut self, mut other: Self) {
        self.residues.append(&mut other.residues);
        self.ranges.append(&mut other.ranges);
    }

    /// The points the verifier must decompress, without the generators and range commitments counted twice.
    #[must_use]
    pub fn points(&self) -> usize {
        let mut points = self.merged(|| Scalar::ONE).len();
        for range in &self.ranges {
            // Of the proof's 32-byte elements five are scalars; the commitments are counted above.
            points = points.saturating_add((range.proof.len() / 32).saturating_sub(5));
        }
        points
    }

    /// Decides all claims: every residue weighted by 128 random bits and summed in one multiscalar multiplication, every
    /// range statement by the `bulletproofs` crate. Draw `rng` from entropy that no prover knew.
    ///
    /// # Errors
    ///
    /// [`Rejected`], naming the relation that fails.
    pub fn accept(&self, rng: &mut impl CryptoRngCore) -> Result<(), Rejected> {
        let mut weight = || {
            let mut weight = [0; 16];
            rng.fill_bytes(&mut weight);
            Scalar::from(u128::from_le_bytes(weight))
        };
        if !vanishes(&self.merged(&mut weight)).unwrap_or(false) {
            return Err(self.culprit());
        }
        self.ranges.iter().try_for_each(|range| range.accept(rng))
    }

    /// All residues as one sum, each scaled by a weight of its own.
    fn merged(&self, mut weight: impl FnMut() -> Scalar) -> BTreeMap<Encoded, Scalar> {
        let mut sum: BTreeMap<Encoded, Scalar> = BTreeMap::new();
        for residue in &self.residues {
            let weight = weight();
            for (coefficient, point) in &residue.terms {
                *sum.entry(*point).or_default() += coefficient * weight;
            }
        }
        sum
    }

    fn culprit(&self) -> Rejected {
        for residue in &self.residues {
            let mut sum: BTreeMap<Encoded, Scalar> = BTreeMap::new();
            for (coefficient, point) in &residue.terms {
                *sum.entry(*point).or_default() += coefficient;
            }
            match vanishes(&sum) {
                Some(true) => (),
                Some(false) => return Rejected::False(residue.relation),
                None => return Rejected::Point(residue.relation),
            }
        }
        Rejected::False("batch")
    }
}

impl RangeClaim {
    fn accept(&self, rng: &mut impl CryptoRngCore) -> Result<(), Rejected> {
        let proof =
            RangeProof::from_bytes(&self.proof).map_err(|_| Rejected::Shape(range::NAME))?;
        let mut commitments: Vec<CompressedRistretto> =
            self.commitments.iter().map(|point| CompressedRistretto(*point.as_bytes())).collect();
        // The statement is padded by the verifier to a power of two with commitments to zero under zero.
        commitments.resize(commitments.len().next_power_of_two(), CompressedRistretto([0; 32]));
        let mut transcript = self.transcript.0.clone();
        proof
            .verify_multiple_with_rng(
                &GENERATORS,
                &PEDERSEN,
                &mut transcript,
                &commitments,
                BITS,
                rng,
            )
            .map_err(|_| Rejected::False(range::NAME))
    }
}

/// The Bulletproofs generators for [`OUTPUTS_MAX`] values of 64 bits.
pub(crate) static GENERATORS: LazyLock<BulletproofGens> =
    LazyLock::new(|| BulletproofGens::new(BITS, OUTPUTS_MAX));
/// `B` and `B~`.
pub(crate) static PEDERSEN: LazyLock<PedersenGens> = LazyLock::new(PedersenGens::default);

/// Whether the sum is the identity; none if a point does not decode. Variable time: public data only.
fn vanishes(sum: &BTreeMap<Encoded, Scalar>) -> Option<bool> {
    let mut points = Vec::with_capacity(sum.len());
    for point in sum.keys() {
        points.push(point.decompress().ok()?);
    }
    Some(RistrettoPoint::vartime_multiscalar_mul(sum.values(), points).is_identity())
}
