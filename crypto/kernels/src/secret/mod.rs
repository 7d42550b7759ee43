//! Sums of multiples of known points, the multiples being secret: constant time. What has a public counterpart is apart.
//!
//! Eight points are a [`Group`], with a table of their multiples from 1 to 8. A scalar is 64 digits from -8 to 8, and a sum is made as
//! in Straus 1964: from the highest digit on, each time 16 times what there is, and one addition for each group. Tables are read
//! whole, and what is wanted is selected by masks, so neither a branch nor an address depends on a digit: not on what is public either.
#![allow(unsafe_code, reason = "instructions that the processor was found to have")]

#[cfg(test)]
mod tests;

use std::arch::x86_64::{
    _mm_cvtsi64_si128, _mm512_abs_epi64, _mm512_add_epi64, _mm512_cmpeq_epi64_mask,
    _mm512_cmplt_epi64_mask, _mm512_cvtepi8_epi64, _mm512_set1_epi64, _mm512_setzero_si512,
};
use std::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::field8::Mask8;
use crate::point8::{Addend8, Point8};
use crate::processor::Ifma;

/// Digits of a scalar.
const DIGITS: usize = 64;

/// Eight points with their multiples from 1 to 8: 7,680 bytes.
#[derive(Clone, Debug)]
pub struct Group {
    multiples: [Addend8; 8],
}

/// The digits of eight scalars.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Digits([u64; DIGITS]);

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digits(***)")
    }
}

/// Eight points, sums so far.
#[derive(Clone, Copy, Debug)]
pub struct Sums {
    ifma: Ifma,
    points: Point8,
}

/// One group in a sum.
#[derive(Clone, Copy, Debug)]
pub struct Term<'a> {
    /// The points.
    pub group: &'a Group,
    /// What they are multiplied with.
    pub digits: &'a Digits,
    /// Which of two sums they count to: the second if true.
    pub second: bool,
}

impl Digits {
    /// Of scalars below `2^255 - 2^251`, little-endian.
    #[must_use]
    pub fn of(scalars: &[[u8; 32]; 8]) -> Self {
        let mut digits = Self([0; DIGITS]);
        let mut lane = 0u32;
        for scalar in scalars {
            let mut carry = 0;
            let mut places = digits.0.as_chunks_mut().0.iter_mut();
            for byte in scalar {
                let Some([low, high]) = places.next() else { break };
                for (half, digit) in [(byte & 15, low), (byte >> 4, high)] {
                    let sum = half + carry;
                    carry = (sum + 8) >> 4;
                    // From -8 to 7, in two's complement.
                    *digit |= u64::from(sum.wrapping_sub(carry << 4)) << lane;
                }
            }
            lane = lane.wrapping_add(8);
        }
        digits
    }
}

impl Group {
    /// Of the points with these encodings; zeros are the identity's. None if one does not decode.
    #[must_use]
    pub fn decode(ifma: Ifma, encodings: &[[u8; 32]; 8]) -> Option<Self> {
        // SAFETY: the processor has the instructions, says `ifma`.
        unsafe { decode(ifma, encodings) }
    }

    /// Of eight sums.
    #[must_use]
    pub fn of(sums: &Sums) -> Self {
        // SAFETY: `sums` holds the proof that the processor has the instructions.
        unsafe { group(sums.ifma, sums.points) }
    }
}

impl Sums {
    /// Nothing yet.
    #[must_use]
    pub fn zero(ifma: Ifma) -> Self {
        Self { ifma, points: Point8::identity(ifma) }
    }

    /// Of points.
    pub(crate) const fn of_points(ifma: Ifma, points: Point8) -> Self {
        Self { ifma, points }
    }

    /// The points.
    pub(crate) const fn points(&self) -> Point8 {
        self.points
    }

    /// Two sums in each lane, of that lane's points.
    #[must_use]
    pub fn of(ifma: Ifma, terms: &[Term<'_>]) -> [Self; 2] {
        // SAFETY: the processor has the instructions, says `ifma`.
        unsafe { straus(ifma, terms) }.map(|points| Self { ifma, points })
    }

    /// Lane by lane.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        // SAFETY: `self` holds the proof that the processor has the instructions.
        Self { ifma: self.ifma, points: unsafe { add(self.ifma, self.points, other.points) } }
    }

    /// The same where the bit of a lane is one, the identity elsewhere.
    #[must_use]
    pub fn only(&self, lanes: u8) -> Self {
        let none = Point8::identity(self.ifma);
        Self { ifma: self.ifma, points: none.or(self.points, Mask8::of_bits(lanes)) }
    }
}

/// The encodings of the sums of all lanes of each.
#[must_use]
pub fn encode(ifma: Ifma, sums: &[Sums; 2]) -> [[u8; 32]; 2] {
    // SAFETY: the processor has the instructions, says `ifma`.
    unsafe { encode_totals(ifma, sums) }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn decode(ifma: Ifma, encodings: &[[u8; 32]; 8]) -> Option<Group> {
    let (points, good) = Point8::decode(ifma, encodings);
    (good.bits() == u8::MAX).then(|| group(ifma, points))
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn group(ifma: Ifma, points: Point8) -> Group {
    Group { multiples: Addend8::multiples(ifma, points) }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn add(ifma: Ifma, one: Point8, other: Point8) -> Point8 {
    one.add(other, ifma)
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn straus(ifma: Ifma, terms: &[Term<'_>]) -> [Point8; 2] {
    let mut first = Point8::identity(ifma);
    let mut second = first;
    let none = Addend8::identity(ifma);
    // Public.
    let two = terms.iter().any(|term| term.second);
    for place in (0..DIGITS).rev() {
        first = first.times_16();
        if two {
            second = second.times_16();
        }
        for term in terms {
            let Some(digits) = term.digits.0.get(place) else { continue };
            let addend = selected(&none, &term.group.multiples, *digits);
            // Public.
            if term.second {
                second = second.plus(&addend);
            } else {
                first = first.plus(&addend);
            }
        }
    }
    [first, second]
}

/// Of each lane, the multiple that its digit says.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn selected(none: &Addend8, multiples: &[Addend8; 8], digits: u64) -> Addend8 {
    let digits = _mm512_cvtepi8_epi64(_mm_cvtsi64_si128(digits.cast_signed()));
    let negative = _mm512_cmplt_epi64_mask(digits, _mm512_setzero_si512());
    let size = _mm512_abs_epi64(digits);
    let mut found = *none;
    let one = _mm512_set1_epi64(1);
    let mut number = one;
    for multiple in multiples {
        let wanted = _mm512_cmpeq_epi64_mask(size, number);
        found = found.or(multiple, Mask8::of_bits(wanted));
        number = _mm512_add_epi64(number, one);
    }
    found.negated_where(Mask8::of_bits(negative))
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn encode_totals(ifma: Ifma, sums: &[Sums; 2]) -> [[u8; 32]; 2] {
    let [first, second] = sums;
    // Four of each, then two, then one.
    let fours = first.points.halves_added(
        second.points,
        [[0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]],
        ifma,
    );
    let twos =
        fours.halves_added(fours, [[0, 1, 4, 5, 0, 0, 0, 0], [2, 3, 6, 7, 0, 0, 0, 0]], ifma);
    let totals =
        twos.halves_added(twos, [[0, 2, 0, 0, 0, 0, 0, 0], [1, 3, 0, 0, 0, 0, 0, 0]], ifma);
    let [first, second, ..] = totals.encode(ifma);
    [first, second]
}
