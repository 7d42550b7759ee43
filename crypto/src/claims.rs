//! What a verifier has still to decide once proofs are parsed: equations in the group and range statements.
//!
//! Relations only collect ([`crate::linear::verify`]); acceptance is the caller's, so that the equations of one leg, or of
//! many, are weighted and decided together ([`crate::Batch`], specs/verification.md).

use std::collections::BTreeSet;
use std::slice;

use rand_core::CryptoRngCore;
use sudare_kernels::Kernel;

use crate::Encoded;
use crate::batch::culprits;
use crate::field::Fr;
use crate::point::{B_BLINDING_ENCODED, B_ENCODED, G_ENCODED};
use crate::proof::range::claim::RangeClaim;

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
    /// No proof was given, so that there is nothing to accept.
    #[error("there is no proof to decide: ask for one, or say that none is needed")]
    Nothing,
}

/// A sum of points that must be the identity.
#[derive(Clone, Debug)]
pub(crate) struct Residue {
    /// The relation it came from.
    pub(crate) relation: &'static str,
    /// Coefficients and points.
    pub(crate) terms: Vec<(Fr, Encoded)>,
}

/// Equations and range statements gathered from proofs.
#[derive(Clone, Debug, Default)]
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

    /// Whether no proof has been added.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.residues.is_empty() && self.ranges.is_empty()
    }

    /// Adds all of `other`, to be decided together and under one name.
    pub fn append(&mut self, mut other: Self) {
        self.residues.append(&mut other.residues);
        self.ranges.append(&mut other.ranges);
    }

    /// The equations of relations each by itself, without the range statements: what a verifier without batches decides one by one.
    pub fn one_by_one(&self) -> impl Iterator<Item = Self> + '_ {
        let alone = |one: &Residue| Self { residues: vec![one.clone()], ranges: Vec::new() };
        self.residues.iter().map(alone)
    }

    /// Every point of every equation, in order: as often as it stands in one.
    pub(crate) fn terms(&self) -> impl Iterator<Item = &Encoded> {
        let residues =
            self.residues.iter().flat_map(|one| one.terms.iter().map(|(_, point)| point));
        residues.chain(self.ranges.iter().flat_map(|range| range.points()))
    }

    /// The points that a verifier decompresses: the different ones, without `B`, `B~` and `G`.
    #[must_use]
    pub fn points(&self) -> usize {
        let generators = [*B_ENCODED, *B_BLINDING_ENCODED, *G_ENCODED];
        let different: BTreeSet<&Encoded> = self.terms().collect();
        different.into_iter().filter(|point| !generators.contains(point)).count()
    }

    /// How many equations there are. In each one point has the short weight alone for its coefficient.
    #[must_use]
    pub fn equations(&self) -> usize {
        self.residues.len().saturating_add(self.ranges.len())
    }

    /// Decides all claims in one multiscalar multiplication, as a [`crate::Batch`] of them alone does. Draw `rng` from entropy that
    /// no prover knew.
    ///
    /// # Errors
    ///
    /// [`Rejected`], naming the first relation that fails; [`Rejected::Nothing`] if there are no claims.
    pub fn accept(&self, rng: &mut impl CryptoRngCore) -> Result<(), Rejected> {
        let refused = culprits(slice::from_ref(self), Kernel::chosen(), rng);
        refused.first().map_or(Ok(()), |culprit| Err(culprit.rejected))
    }
}
