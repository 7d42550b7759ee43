//! What no way of writing a verifier of these equations avoids: decompressing points and multiplying them.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::traits::VartimeMultiscalarMul;
use sudare_crypto::Scalar;
use sudare_ledger::testing;

use super::super::Failed;

/// As many points as a batch has, at random.
pub(super) struct Arithmetic {
    encoded: Vec<CompressedRistretto>,
    points: Vec<RistrettoPoint>,
    scalars: Vec<Scalar>,
    short: Vec<Scalar>,
}

impl Arithmetic {
    pub(super) fn with(points: usize) -> Self {
        let rng = &mut testing::rng(5);
        let points: Vec<RistrettoPoint> =
            (0..points).map(|_| RistrettoPoint::random(rng)).collect();
        let scalars: Vec<Scalar> = points.iter().map(|_| Scalar::random(rng)).collect();
        let low_half = |scalar: &Scalar| {
            let half = scalar.as_bytes().first_chunk().copied().unwrap_or_default();
            Scalar::from(u128::from_le_bytes(half))
        };
        Self {
            encoded: points.iter().map(RistrettoPoint::compress).collect(),
            short: scalars.iter().map(low_half).collect(),
            points,
            scalars,
        }
    }

    pub(super) fn decompress(&self) -> Result<(), Failed> {
        let all = self.encoded.iter().all(|point| point.decompress().is_some());
        all.then_some(()).ok_or_else(|| Failed::Wrong("a point does not decode".into()))
    }

    pub(super) fn multiply(&self) {
        self.by(&self.scalars);
    }

    /// By numbers of 128 bits, as the weights are.
    pub(super) fn multiply_short(&self) {
        self.by(&self.short);
    }

    fn by(&self, scalars: &[Scalar]) {
        std::hint::black_box(RistrettoPoint::vartime_multiscalar_mul(scalars, &self.points));
    }
}
