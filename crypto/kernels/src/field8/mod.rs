//! Eight elements of GF(2^255 - 19), one in each lane of AVX-512 vectors, multiplied by the IFMA instructions.
//!
//! An element is five limbs of 51 bits, as in Bernstein, Duif, Lange, Schwabe, Yang 2011, section 3; eight are side by side as in
//! Gueron, Krasnov 2016, "Accelerating big integer arithmetic using Intel IFMA extensions". Between operations no limb is above
//! `2^51 + 2^16`, so that a sum of two, or a difference to which `2p` was added, needs one parallel carry and a product fits 64 bits.
//!
//! Constant time: no branch and no address depends on the values, neither here nor in what these operations compile to.
#![allow(unsafe_code, reason = "instructions that the processor was found to have")]

mod arithmetic;
#[cfg(test)]
mod tests;

use std::arch::x86_64::{__m512i, _mm512_set_epi64, _mm512_storeu_si512};
use std::fmt;
use std::ops::{Add, BitAnd, BitOr, Mul, Neg, Not, Sub};

use crate::element::{self, Element, LIMB_MAX, Limbs};
use crate::processor::Ifma;

/// One limb of eight elements.
type Vector = __m512i;
/// Five limbs of eight elements, none above `2^51 + 2^16`.
type Vectors = [Vector; 5];

/// Eight elements of GF(2^255 - 19). There is none where [`Ifma`] is not.
#[derive(Clone, Copy)]
pub struct Field8(Vectors);

/// One bit for each of eight elements: what was found about it, or whether it is meant.
#[derive(Clone, Copy, Debug)]
pub struct Mask8(u8);

impl Field8 {
    /// The same element, whose limbs are [`element::limbs`], eight times.
    #[inline(always)]
    #[must_use]
    pub fn splat(ifma: Ifma, limbs: Limbs) -> Self {
        Self::of_limbs(ifma, limbs.map(|limb| [limb; 8]))
    }

    /// Zero eight times.
    #[inline(always)]
    #[must_use]
    pub fn zero(ifma: Ifma) -> Self {
        Self::splat(ifma, [0; 5])
    }

    /// One eight times.
    #[inline(always)]
    #[must_use]
    pub fn one(ifma: Ifma) -> Self {
        Self::splat(ifma, [1, 0, 0, 0, 0])
    }

    /// Eight elements of 32 little-endian bytes each, whose top bit is left out; `p` and more count modulo `p`.
    #[must_use]
    pub fn of_bytes(ifma: Ifma, all: &[[u8; 32]; 8]) -> Self {
        Self::of_lanes(ifma, &all.each_ref().map(element::limbs))
    }

    /// The bytes of the eight elements, each below `p`.
    #[must_use]
    pub fn to_bytes(self) -> [[u8; 32]; 8] {
        self.canonical().to_lanes().map(element::bytes)
    }

    /// Eight elements of limbs as [`element::limbs`] gives them; of larger ones the low 51 bits count.
    #[inline(always)]
    #[must_use]
    pub fn of_lanes(ifma: Ifma, [a, b, c, d, e, f, g, h]: &[Limbs; 8]) -> Self {
        macro_rules! limb {
            ($number:literal) => {
                [a, b, c, d, e, f, g, h].map(|lane| lane[$number])
            };
        }
        Self::of_limbs(ifma, [limb!(0), limb!(1), limb!(2), limb!(3), limb!(4)])
    }

    /// The limbs of the eight elements, which may be a little above 51 bits.
    #[must_use]
    pub fn to_lanes(self) -> [Limbs; 8] {
        let [a, b, c, d, e] = self.0.map(|vector| {
            let mut lanes = [0u64; 8];
            // SAFETY: the memory is 64 bytes long, of which the instruction asks no alignment; `self` is a `Field8`, so the
            // processor has it.
            unsafe { _mm512_storeu_si512(lanes.as_mut_ptr().cast(), vector) };
            lanes
        });
        macro_rules! lanes {
            ($($number:literal)*) => { [$([a[$number], b[$number], c[$number], d[$number], e[$number]]),*] };
        }
        lanes!(0 1 2 3 4 5 6 7)
    }

    #[inline(always)]
    fn of_limbs(_: Ifma, limbs: [[u64; 8]; 5]) -> Self {
        Self(limbs.map(|lanes| {
            let [a, b, c, d, e, f, g, h] = lanes.map(|limb| (limb & LIMB_MAX).cast_signed());
            // SAFETY: the processor has the instruction, says `Ifma`.
            unsafe { _mm512_set_epi64(h, g, f, e, d, c, b, a) }
        }))
    }

    /// The same elements with the limbs of numbers below `p`.
    #[inline(always)]
    #[must_use]
    pub fn canonical(self) -> Self {
        // SAFETY: `self` is a `Field8`, so the processor has the instructions.
        Self(unsafe { arithmetic::canonical(self.0) })
    }

    /// Which are zero.
    #[inline(always)]
    #[must_use]
    pub fn is_zero(self) -> Mask8 {
        // SAFETY: `self` is a `Field8`, so the processor has the instructions.
        Mask8(unsafe { arithmetic::is_zero(self.0) })
    }

    /// Which are negative: odd as numbers below `p` (RFC 9496, section 3.1).
    #[inline(always)]
    #[must_use]
    pub fn is_negative(self) -> Mask8 {
        // SAFETY: `self` is a `Field8`, so the processor has the instructions.
        Mask8(unsafe { arithmetic::is_odd(self.0) })
    }

    /// Which are equal.
    #[inline(always)]
    #[must_use]
    pub fn equals(self, other: Self) -> Mask8 {
        (self - other).is_zero()
    }

    /// Those of `other` where the mask's bit is one, those of `self` elsewhere.
    #[inline(always)]
    #[must_use]
    pub fn or(self, other: Self, mask: Mask8) -> Self {
        // SAFETY: `self` is a `Field8`, so the processor has the instructions.
        Self(unsafe { arithmetic::select(self.0, other.0, mask.0) })
    }

    /// `-self` where the mask's bit is one, `self` elsewhere.
    #[inline(always)]
    #[must_use]
    pub fn negated_where(self, mask: Mask8) -> Self {
        // SAFETY: `self` is a `Field8`, so the processor has the instructions.
        Self(unsafe { arithmetic::negate_where(self.0, mask.0) })
    }
}

/// The limbs as they stand in registers, for what works on them lane by lane.
impl Field8 {
    /// Of five limbs, none above `2^51 + 2^16`. Who has vectors has the processor that makes them.
    #[inline(always)]
    pub(crate) const fn of_vectors(limbs: Vectors) -> Self {
        Self(limbs)
    }

    /// The five limbs.
    #[inline(always)]
    pub(crate) const fn vectors(self) -> Vectors {
        self.0
    }
}

macro_rules! operators {
    ($($operation:ident $name:ident($($argument:ident)?);)*) => {$(
        impl $operation for Field8 {
            type Output = Self;
            #[inline(always)]
            fn $name(self $(, $argument: Self)?) -> Self {
                // SAFETY: `self` is a `Field8`, so the processor has the instructions.
                Self(unsafe { arithmetic::$name(self.0 $(, $argument.0)?) })
            }
        }
    )*};
}
operators! { Add add(other); Sub sub(other); Mul mul(other); Neg neg(); }

impl Element for Field8 {
    #[inline(always)]
    fn square(self) -> Self {
        // SAFETY: `self` is a `Field8`, so the processor has the instructions.
        Self(unsafe { arithmetic::square(self.0) })
    }
}

/// Prints no element: it may be secret.
impl fmt::Debug for Field8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Field8(..)")
    }
}

impl Mask8 {
    /// The mask with these bits, the lowest for the first element.
    #[inline(always)]
    #[must_use]
    pub const fn of_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The bits, the lowest for the first element.
    #[inline(always)]
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }
}

impl BitAnd for Mask8 {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl BitOr for Mask8 {
    type Output = Self;
    #[inline(always)]
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl Not for Mask8 {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        Self(!self.0)
    }
}
