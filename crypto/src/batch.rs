//! Many verifications decided at once.
//!
//! All equations are weighted with fresh random numbers and summed in one multiscalar multiplication, in which a point that stands
//! in many of them counts once (specs/verification.md).

mod stream;
mod sum;

use std::collections::BTreeSet;

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::IsIdentity;
use rand_core::CryptoRngCore;
use sudare_kernels::Kernel;

pub use self::stream::Stream;
use self::sum::Weighted;
use crate::{Claims, Rejected};

/// How many terms a batch holds when it is full: about as many as 64 transfers have, and some 3 MB while it is decided. More gain nothing,
/// and leave the core's cache.
const TERMS_MAX: usize = 10_000;

/// Claims of any number of proofs, each to be accepted or refused by itself, decided together.
///
/// Add what is to be decided, then [`Batch::decide`]. [`Stream`] is for more than fit in one.
#[derive(Debug, Default)]
pub struct Batch {
    claims: Vec<Claims>,
    terms: usize,
}

/// Claims of a batch that do not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Culprit {
    /// What [`Batch::add`] gave for them.
    pub index: usize,
    /// Why, naming the first of their relations that fails.
    pub rejected: Rejected,
}

/// Why a batch was not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refused {
    /// Nothing was added, so that nothing can have been shown.
    #[error("the batch is empty: nothing was verified")]
    Empty,
    /// These do not hold, in order; all others do.
    #[error("{} of the batch's claims do not hold", .0.len())]
    Culprits(Vec<Culprit>),
}

impl Batch {
    /// Nothing to decide yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds claims; gives their index, which counts from 0.
    pub fn add(&mut self, claims: Claims) -> usize {
        let index = self.claims.len();
        self.terms = self.terms.saturating_add(claims.terms().count());
        self.claims.push(claims);
        index
    }

    /// How many claims were added.
    #[must_use]
    pub fn len(&self) -> usize {
        self.claims.len()
    }

    /// Whether none were.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.claims.is_empty()
    }

    /// Whether more would cost memory and save no time: time to decide, and to begin a new batch.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.terms >= TERMS_MAX
    }

    /// Decides everything that was added. Draw `rng` from entropy that no prover knew when he made a proof of the batch.
    ///
    /// A false claim passes with probability `2^-127` at most. Others are found by halving the batch, so that one among 256
    /// costs about as much again as the batch, and each further one at most as much.
    ///
    /// Enforces [VER-1] and [VER-3].
    ///
    /// # Errors
    ///
    /// [`Refused`], naming every claim that does not hold.
    pub fn decide(self, rng: &mut impl CryptoRngCore) -> Result<(), Refused> {
        self.decide_by(Kernel::chosen(), rng)
    }

    /// As [`Batch::decide`], with a kernel of the caller's choice. All give the same verdict.
    ///
    /// # Errors
    ///
    /// As [`Batch::decide`].
    pub fn decide_by(self, kernel: Kernel, rng: &mut impl CryptoRngCore) -> Result<(), Refused> {
        if self.is_empty() {
            return Err(Refused::Empty);
        }
        let culprits = culprits(&self.claims, kernel, rng);
        if culprits.is_empty() { Ok(()) } else { Err(Refused::Culprits(culprits)) }
    }
}

/// The claims that do not hold, in order.
pub(crate) fn culprits(
    claims: &[Claims],
    kernel: Kernel,
    rng: &mut impl CryptoRngCore,
) -> Vec<Culprit> {
    let weighted = Weighted::new(claims, kernel, rng);
    let (sound, unsound): (Vec<usize>, Vec<usize>) =
        (0..claims.len()).partition(|index| weighted.adds_up(*index));
    let mut found: BTreeSet<usize> = unsound.into_iter().collect();
    halve(&weighted, &sound, weighted.sum(&sound), &mut found);
    let culprit = |index| Culprit { index, rejected: weighted.why(index) };
    found.into_iter().map(culprit).collect()
}

/// Finds the claims among these whose sum, which is given for all together, is not the identity. The right half's sum is the
/// whole's less the left half's, so a culprit costs no more than its batch did.
fn halve(
    weighted: &Weighted<'_>,
    among: &[usize],
    sum: RistrettoPoint,
    found: &mut BTreeSet<usize>,
) {
    if sum.is_identity() {
        return;
    }
    if let [one] = among {
        found.insert(*one);
        return;
    }
    let (left, right) = among.split_at(among.len() / 2);
    let left_sum = weighted.sum(left);
    halve(weighted, left, left_sum, found);
    halve(weighted, right, sum - left_sum, found);
}
