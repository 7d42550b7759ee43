//! What a search looks for, and the check of what it finds.

use curve25519_dalek::{RistrettoPoint, Scalar, ristretto::CompressedRistretto};

use super::{
    Outcome, SearchError,
    curve::{self, Edwards},
    herd::{self, Field},
};

/// What is looked for.
pub(super) struct Goal {
    pub(super) target: CompressedRistretto,
    pub(super) bound: u64,
    /// `w*8B` for `w = 2v + 1`: see [`giant`](super::giant) for why.
    pub(super) shifted: Edwards,
}

impl Goal {
    pub(super) fn new(target: &CompressedRistretto, bound: u64) -> Result<Self, SearchError> {
        target.decompress().ok_or(SearchError::Target)?;
        let eightfold = curve::eightfold(target).ok_or(SearchError::Target)?;
        let shifted = eightfold + eightfold + curve::base();
        Ok(Self { target: *target, bound, shifted })
    }

    pub(super) fn field(&self, seed: [u8; 32], workers: u16) -> Result<Field, SearchError> {
        let plan = herd::Plan::new(self.bound, workers);
        Field::new(plan, seed, curve::base(), self.shifted).ok_or(SearchError::Target)
    }

    /// `None` if `w` is not the logarithm after all. A logarithm outside the bound proves that none is within.
    pub(super) fn judge(&self, w: i128) -> Option<Outcome> {
        let v = (w - 1).div_euclid(2);
        let magnitude = Scalar::from(v.unsigned_abs());
        let v_scalar = if v < 0 { -magnitude } else { magnitude };
        if RistrettoPoint::mul_base(&v_scalar).compress() != self.target {
            return None;
        }
        match u64::try_from(v) {
            Ok(value) if value <= self.bound => Some(Outcome::Found(value)),
            _ => Some(Outcome::Absent),
        }
    }

    pub(super) fn is_hit(&self, value: u64) -> bool {
        self.judge(2 * i128::from(value) + 1) == Some(Outcome::Found(value))
    }
}
