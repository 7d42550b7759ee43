//! Scalars for verifying: `ark_ed25519::Fr`, the integers modulo the group order, as `curve25519_dalek::Scalar` is.
//!
//! A verifier multiplies public scalars, more than a thousand a leg, and a multiplication takes a fifth of dalek's time here.
//! Secrets stay with dalek, whose arithmetic takes constant time.

pub(crate) use ark_ed25519::Fr;
use ark_ff::{BigInt, PrimeField};
use sudare_kernels::PublicScalar;

use crate::Scalar;

/// The scalar as a field element.
pub(crate) fn field(scalar: &Scalar) -> Fr {
    let (limbs, _) = scalar.as_bytes().as_chunks::<8>();
    let limbs: [[u8; 8]; 4] = limbs.try_into().unwrap_or_default();
    // A scalar is reduced unless it was made of raw bits, which none of ours is.
    Fr::from_bigint(BigInt(limbs.map(u64::from_le_bytes)))
        .unwrap_or_else(|| Fr::from_le_bytes_mod_order(scalar.as_bytes()))
}

/// The field element as a scalar.
pub(crate) fn scalar(element: &Fr) -> Scalar {
    Scalar::from_bytes_mod_order(bytes(element))
}

/// A field element that is no secret, to be multiplied in variable time.
pub(crate) fn public(element: &Fr) -> PublicScalar {
    PublicScalar::of_bytes(bytes(element))
}

fn bytes(element: &Fr) -> [u8; 32] {
    let limbs = element.into_bigint().0.map(u64::to_le_bytes);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(limbs.as_flattened());
    bytes
}

#[cfg(test)]
mod tests {
    use ark_ff::{AdditiveGroup, Field};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    /// 0, 1, l - 1 and the neighbours of every power of two, below it and above.
    fn edges() -> Vec<Scalar> {
        let two = Scalar::from(2u64);
        let mut edges = vec![Scalar::ZERO, Scalar::ONE, -Scalar::ONE];
        let mut power = Scalar::ONE;
        for _ in 0..256 {
            power *= two;
            edges.extend([power - Scalar::ONE, power, power + Scalar::ONE, -power]);
        }
        edges
    }

    #[test]
    fn every_scalar_goes_there_and_back() {
        let random = (0..2_000).map(|seed| Scalar::random(&mut ChaCha20Rng::seed_from_u64(seed)));
        for one in edges().into_iter().chain(random) {
            assert_eq!(scalar(&field(&one)), one);
            assert_eq!(public(&field(&one)), PublicScalar::of(&one));
            assert_eq!(scalar(&-field(&one)), -one);
        }
        assert_eq!(field(&Scalar::ZERO), Fr::ZERO);
        assert_eq!(field(&Scalar::ONE), Fr::ONE);
        assert_eq!(scalar(&-Fr::ONE), -Scalar::ONE);
    }

    #[test]
    fn both_kinds_calculate_alike() {
        let edges = edges();
        for (one, other) in crate::pairs(&edges[1..], &edges[..edges.len() - 1]).unwrap() {
            let (a, b) = (field(one), field(other));
            assert_eq!(scalar(&(a + b)), one + other);
            assert_eq!(scalar(&(a - b)), one - other);
            assert_eq!(scalar(&(a * b)), one * other);
            assert_eq!(scalar(&a.square()), one * one);
            if *one != Scalar::ZERO {
                assert_eq!(scalar(&a.inverse().unwrap()), one.invert());
            }
        }
    }

    #[test]
    fn a_scalar_that_is_not_reduced_is_taken_modulo_the_order() {
        let wide = Scalar::from_bytes_mod_order([0xff; 32]);
        assert_eq!(Fr::from_le_bytes_mod_order(&[0xff; 32]), field(&wide));
        let order = Fr::MODULUS.0.map(u64::to_le_bytes);
        let order: [u8; 32] = order.as_flattened().try_into().unwrap();
        assert_eq!(Scalar::from_bytes_mod_order(order), Scalar::ZERO);
        assert!(bool::from(Scalar::from_canonical_bytes(order).is_none()));
    }
}
