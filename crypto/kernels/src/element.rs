//! Elements of GF(p), `p = 2^255 - 19`, whatever holds them: limbs, bytes and powers.

use std::ops::{Add, Mul, Neg, Sub};

/// An element of GF(p), or one in each lane of a vector, under the ring operations.
pub trait Element:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Neg<Output = Self>
{
    /// The square.
    #[must_use]
    fn square(self) -> Self;
}

/// Two at once: the processor works on one while it waits for the other.
#[derive(Clone, Copy, Debug)]
pub struct Two<E>(pub E, pub E);

/// Five limbs of 51 bits, the lowest first.
pub type Limbs = [u64; 5];

/// The largest limb.
pub(crate) const LIMB_MAX: u64 = (1 << 51) - 1;

/// The limbs of 32 little-endian bytes, without the top bit.
#[must_use]
pub fn limbs(bytes: &[u8; 32]) -> Limbs {
    let (words, _) = bytes.as_chunks::<8>();
    let words: [[u8; 8]; 4] = words.try_into().unwrap_or_default();
    let [a, b, c, d] = words.map(u64::from_le_bytes);
    [
        a & LIMB_MAX,
        (a >> 51 | b << 13) & LIMB_MAX,
        (b >> 38 | c << 26) & LIMB_MAX,
        (c >> 25 | d << 39) & LIMB_MAX,
        d >> 12 & LIMB_MAX,
    ]
}

/// The 32 little-endian bytes of limbs that are none above [`LIMB_MAX`].
pub(crate) fn bytes([a, b, c, d, e]: Limbs) -> [u8; 32] {
    let words = [a | b << 51, b >> 13 | c << 38, c >> 26 | d << 25, d >> 39 | e << 12];
    let mut bytes = [0; 32];
    bytes.copy_from_slice(words.map(u64::to_le_bytes).as_flattened());
    bytes
}

/// `x^(2^252 - 3)`, which is `x^((p - 5) / 8)`: the one long power of square roots.
#[inline(always)]
pub fn power_p58<E: Element>(x: E) -> E {
    let x2 = x.square();
    let x9 = squared(x2, 2) * x;
    let x11 = x9 * x2;
    // From here on `onesN` is `x^(2^N - 1)`.
    let ones5 = x11.square() * x9;
    let ones10 = squared(ones5, 5) * ones5;
    let ones20 = squared(ones10, 10) * ones10;
    let ones40 = squared(ones20, 20) * ones20;
    let ones50 = squared(ones40, 10) * ones10;
    let ones100 = squared(ones50, 50) * ones50;
    let ones200 = squared(ones100, 100) * ones100;
    let ones250 = squared(ones200, 50) * ones50;
    squared(ones250, 2) * x
}

/// `x^(p - 2)`: the inverse, and zero of zero.
#[inline(always)]
pub fn invert<E: Element>(x: E) -> E {
    squared(power_p58(x), 3) * x.square() * x
}

/// `x^(2^times)`.
#[inline(always)]
fn squared<E: Element>(mut x: E, times: u32) -> E {
    for _ in 0..times {
        x = x.square();
    }
    x
}

macro_rules! both {
    ($($operation:ident $name:ident($($argument:ident)?);)*) => {$(
        impl<E: Element> $operation for Two<E> {
            type Output = Self;
            #[inline(always)]
            fn $name(self $(, $argument: Self)?) -> Self {
                Self(self.0.$name($($argument.0)?), self.1.$name($($argument.1)?))
            }
        }
    )*};
}
both! { Add add(other); Sub sub(other); Mul mul(other); Neg neg(); }

impl<E: Element> Element for Two<E> {
    #[inline(always)]
    fn square(self) -> Self {
        Self(self.0.square(), self.1.square())
    }
}

#[cfg(test)]
mod tests {
    use ark_ed25519::Fq;
    use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField, UniformRand};
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng};

    use super::*;

    impl Element for Fq {
        fn square(self) -> Self {
            Field::square(&self)
        }
    }

    #[test]
    fn bytes_go_there_and_back_but_for_the_top_bit() {
        let rng = &mut ChaCha20Rng::seed_from_u64(1);
        for _ in 0..200 {
            let mut one = [0; 32];
            rng.fill_bytes(&mut one);
            let mut expected = one;
            expected[31] &= 0x7f;
            assert_eq!(bytes(limbs(&one)), expected);
        }
        assert_eq!(limbs(&[0xff; 32]), [LIMB_MAX; 5]);
    }

    #[test]
    fn the_powers_are_those_of_the_exponents() {
        let mut exponent = Fq::MODULUS;
        exponent.sub_with_borrow(&ark_ff::BigInt::from(5u64));
        exponent >>= 3;
        let rng = &mut ChaCha20Rng::seed_from_u64(2);
        for x in [Fq::ZERO, Fq::ONE, -Fq::ONE, Fq::rand(rng), Fq::rand(rng)] {
            assert_eq!(power_p58(x), x.pow(exponent));
            assert_eq!(invert(x), x.inverse().unwrap_or(Fq::ZERO));
            let Two(one, other) = power_p58(Two(x, x + Fq::ONE));
            assert_eq!((one, other), (x.pow(exponent), (x + Fq::ONE).pow(exponent)));
        }
    }
}
