//! Polynomials over the scalars, their public commitments (Feldman 1987), and interpolation at zero (Shamir 1979).

use sudare_crypto::point::times_b;
use sudare_crypto::{Encoded, Malformed, RistrettoPoint, Scalar, Secret};

/// `f(index)` of the polynomial with these coefficients, lowest first.
pub(super) fn evaluate(coefficients: &[Secret], index: u8) -> Secret {
    let x = Scalar::from(index);
    let mut value = Secret(Scalar::ZERO);
    for coefficient in coefficients.iter().rev() {
        value.0 = value.0 * x + coefficient.0;
    }
    value
}

/// `a*B` of each coefficient.
pub(super) fn commit(coefficients: &[Secret]) -> Vec<Encoded> {
    coefficients.iter().map(Secret::public).collect()
}

/// `f(index)*B`, from the commitments to `f`.
pub(super) fn public_value(commitments: &[RistrettoPoint], index: u8) -> RistrettoPoint {
    let x = Scalar::from(index);
    commitments.iter().rev().fold(RistrettoPoint::default(), |value, point| value * x + point)
}

/// Whether `share` is the value at `index` of the polynomial behind `commitments`.
pub(super) fn holds(commitments: &[RistrettoPoint], index: u8, share: &Secret) -> bool {
    times_b(&share.0) == public_value(commitments, index)
}

/// The points of a list.
pub(super) fn points(encoded: &[Encoded]) -> Result<Vec<RistrettoPoint>, Malformed> {
    encoded.iter().map(Encoded::decompress).collect()
}

/// The weight of `index` in `f(0) = sum of weight * f(index)` over `indices`; none unless these are distinct, not zero, and
/// `index` is one of them.
pub(super) fn weight(indices: &[u8], index: u8) -> Option<Scalar> {
    if index == 0 || indices.iter().filter(|other| **other == index).count() != 1 {
        return None;
    }
    let x = Scalar::from(index);
    let (mut above, mut below) = (Scalar::ONE, Scalar::ONE);
    for other in indices.iter().filter(|other| **other != index) {
        let other = Scalar::from(*other);
        above *= other;
        below *= other - x;
    }
    (above != Scalar::ZERO).then(|| above * below.invert())
}
