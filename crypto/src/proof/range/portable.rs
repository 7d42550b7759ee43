//! Generators as `curve25519-dalek` has them: on every processor.

use ark_ff::Field;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::{MultiscalarMul, VartimeMultiscalarMul};

use super::bases::together;
use super::generators::of_value;
use crate::field::{Fr, scalar};
use crate::point::{B, times_b_blinding};
use crate::{Scalar, pairs};

/// How many rounds pass before generators are folded.
const UNFOLDED: u32 = 3;
/// So few generators are never folded.
const FEW: usize = 16;
/// So few points are never split among threads.
const PART: usize = 256;

/// The sum of all products, calculated by `sum`, a part on each thread.
fn in_parts(
    threads: usize,
    scalars: &[Scalar],
    points: &[RistrettoPoint],
    sum: impl Fn(&[Scalar], &[RistrettoPoint]) -> RistrettoPoint + Sync,
) -> Option<RistrettoPoint> {
    let part = scalars.len().div_ceil(threads.max(1)).max(PART);
    let (scalars, points): (Vec<_>, Vec<_>) =
        (scalars.chunks(part).collect(), points.chunks(part).collect());
    let parts: Vec<_> = pairs(&scalars, &points)?.collect();
    Some(together(threads, &parts, |(scalars, points)| sum(scalars, points)).into_iter().sum())
}

/// The generators of a round.
pub(super) struct Bases {
    threads: usize,
    g: Side,
    h: Side,
}

/// One side's generators of a round, `n` points: point `i` is the sum over `j` of `by[j] * factors[j*n + i] * points[j*n + i]`.
struct Side {
    points: Vec<RistrettoPoint>,
    factors: Vec<Fr>,
    by: Vec<Fr>,
}

impl Bases {
    /// The generators of so many values.
    pub(super) fn of(values: usize, threads: usize) -> Option<Self> {
        let (mut g, mut h) = (Vec::new(), Vec::new());
        for value in 0..u8::try_from(values).ok()? {
            let chain = of_value(value)?;
            g.extend(&chain.g);
            h.extend(&chain.h);
        }
        Some(Self { threads, g: Side::of(g), h: Side::of(h) })
    }

    /// See [`super::bases::Bases::masks`].
    pub(super) fn masks(
        &self,
        blinding: &Scalar,
        left: &[Scalar],
        right: &[Scalar],
    ) -> Option<RistrettoPoint> {
        let sum = |scalars: &[Scalar], points: &[RistrettoPoint]| {
            RistrettoPoint::multiscalar_mul(scalars, points)
        };
        let left = in_parts(self.threads, left, &self.g.points, sum)?;
        Some(
            times_b_blinding(blinding) + left + in_parts(self.threads, right, &self.h.points, sum)?,
        )
    }

    /// See [`super::bases::Bases::divide_h`].
    pub(super) fn divide_h(&mut self, inverse: Fr) {
        let mut power = Fr::ONE;
        for factor in &mut self.h.factors {
            *factor *= power;
            power *= inverse;
        }
    }

    /// See [`super::bases::Bases::round`].
    pub(super) fn round(&self, a: &[Fr], b: &[Fr], w: Fr) -> Option<[RistrettoPoint; 2]> {
        let (a_l, a_r) = a.split_at(a.len() / 2);
        let (b_l, b_r) = b.split_at(b.len() / 2);
        let left = self.sum((a_l, a_l.len()), (b_r, 0), w)?;
        let right = self.sum((a_r, 0), (b_l, b_l.len()), w)?;
        Some([left, right])
    }

    /// The sum of half-vectors, each with the number of the generator at which its half begins.
    fn sum(
        &self,
        (a, at_g): (&[Fr], usize),
        (b, at_h): (&[Fr], usize),
        w: Fr,
    ) -> Option<RistrettoPoint> {
        let product: Fr = pairs(a, b)?.map(|(a, b)| *a * b).sum();
        let (mut scalars, mut points) = (vec![scalar(&(product * w))], vec![B]);
        self.g.add(a, at_g, &mut scalars, &mut points)?;
        self.h.add(b, at_h, &mut scalars, &mut points)?;
        in_parts(self.threads, &scalars, &points, |scalars, points| {
            RistrettoPoint::vartime_multiscalar_mul(scalars, points)
        })
    }

    /// See [`super::bases::Bases::next_round`].
    pub(super) fn next_round(&mut self, u: Fr, inverse: Fr) {
        self.g.next_round(inverse, u, self.threads);
        self.h.next_round(u, inverse, self.threads);
    }
}

impl Side {
    fn of(points: Vec<RistrettoPoint>) -> Self {
        let factors = vec![Fr::ONE; points.len()];
        Self { points, factors, by: vec![Fr::ONE] }
    }

    /// Adds the terms of half a vector, with the generators from number `begin` on.
    fn add(
        &self,
        vector: &[Fr],
        begin: usize,
        scalars: &mut Vec<Scalar>,
        points: &mut Vec<RistrettoPoint>,
    ) -> Option<()> {
        let n = vector.len().checked_mul(2)?;
        let end = begin.checked_add(vector.len())?;
        let (mut by, mut factors) = (self.by.iter(), self.factors.chunks_exact(n));
        for block in self.points.chunks_exact(n) {
            let by = by.next()?;
            let factors = pairs(vector, factors.next()?.get(begin..end)?)?;
            scalars.extend(factors.map(|(x, factor)| scalar(&(*x * factor * by))));
            points.extend(block.get(begin..end)?);
        }
        Some(())
    }

    fn next_round(&mut self, left: Fr, right: Fr, threads: usize) {
        self.by = self.by.iter().flat_map(|by| [*by * left, *by * right]).collect();
        if self.points.len() > FEW && self.by.len() >= 1 << UNFOLDED {
            *self = Self::of(self.folded(threads));
        }
    }

    /// The generators as single points.
    fn folded(&self, threads: usize) -> Vec<RistrettoPoint> {
        let n = self.points.len() / self.by.len().max(1);
        let generator = |begin: &usize| {
            let points = self.points.iter().skip(*begin).step_by(n);
            let mut by = self.by.iter();
            let factors = self.factors.iter().skip(*begin).step_by(n);
            // Collected, as their number must be known beforehand.
            let scalars: Vec<Scalar> =
                factors.filter_map(|factor| Some(scalar(&(*factor * by.next()?)))).collect();
            RistrettoPoint::vartime_multiscalar_mul(scalars, points)
        };
        together(threads, &(0..n).collect::<Vec<_>>(), generator)
    }
}
