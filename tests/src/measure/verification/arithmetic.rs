//! What no way of writing a verifier of these equations avoids: decoding points and multiplying them, by a kernel.

use std::hint::black_box;

use curve25519_dalek::ristretto::RistrettoPoint;
use sudare_crypto::{Kernel, Scalar};
use sudare_kernels::{PublicPoint, PublicScalar, multiply};
use sudare_ledger::testing;

use super::super::Failed;

/// As many points as a batch has, at random, in the form of a kernel.
pub(super) struct Arithmetic {
    kernel: Kernel,
    encoded: Vec<[u8; 32]>,
    points: Vec<PublicPoint>,
    scalars: Vec<PublicScalar>,
    short: Vec<PublicScalar>,
}

impl Arithmetic {
    pub(super) fn with(kernel: Kernel, points: usize) -> Self {
        let rng = &mut testing::rng(5);
        let (step, mut point) = (RistrettoPoint::random(rng), RistrettoPoint::random(rng));
        let mut next = || {
            point += step;
            point
        };
        let points: Vec<RistrettoPoint> = (0..points).map(|_| next()).collect();
        let scalars: Vec<Scalar> = points.iter().map(|_| Scalar::random(rng)).collect();
        let low_half = |scalar: &Scalar| {
            let half = scalar.as_bytes().first_chunk().copied().unwrap_or_default();
            PublicScalar::of(&Scalar::from(u128::from_le_bytes(half)))
        };
        Self {
            kernel,
            encoded: points.iter().map(|point| point.compress().to_bytes()).collect(),
            points: kernel.points(&points),
            scalars: scalars.iter().map(PublicScalar::of).collect(),
            short: scalars.iter().map(low_half).collect(),
        }
    }

    pub(super) fn decompress(&self) -> Result<(), Failed> {
        let all = self.kernel.decode(&self.encoded).iter().all(Option::is_some);
        all.then_some(()).ok_or_else(|| Failed::Wrong("a point does not decode".into()))
    }

    pub(super) fn multiply(&self) -> Result<(), Failed> {
        self.by(&self.scalars)
    }

    /// By numbers of 128 bits, as the weights are.
    pub(super) fn multiply_short(&self) -> Result<(), Failed> {
        self.by(&self.short)
    }

    fn by(&self, scalars: &[PublicScalar]) -> Result<(), Failed> {
        let pairs = sudare_crypto::pairs(scalars, &self.points);
        let pairs = pairs.ok_or_else(|| Failed::Wrong("a scalar for each point".into()))?;
        let terms: Vec<(PublicScalar, &PublicPoint)> =
            pairs.map(|(scalar, point)| (*scalar, point)).collect();
        black_box(multiply(&terms));
        Ok(())
    }
}
