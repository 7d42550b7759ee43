//! The operations on limbs. They are safe functions of processors that have the instructions, so only calling them is not.

use std::arch::x86_64::{
    _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64,
    _mm512_mask_blend_epi64, _mm512_or_si512, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_slli_epi64, _mm512_srli_epi64, _mm512_sub_epi64, _mm512_test_epi64_mask,
    _mm512_testn_epi64_mask,
};

use super::{Vector, Vectors};
use crate::element::LIMB_MAX;

/// The limbs of `2p`, larger than any that is subtracted from them: the lowest, and each of the others.
const TWICE_P: (u64, u64) = ((1 << 52) - 38, (1 << 52) - 2);

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn splat(number: u64) -> Vector {
    _mm512_set1_epi64(number.cast_signed())
}

/// `sum + low 52 bits of a*b`.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn low(sum: Vector, a: Vector, b: Vector) -> Vector {
    _mm512_madd52lo_epu64(sum, a, b)
}

/// `sum + the bits of a*b from 52 on`.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn high(sum: Vector, a: Vector, b: Vector) -> Vector {
    _mm512_madd52hi_epu64(sum, a, b)
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn twice(a: Vector) -> Vector {
    _mm512_add_epi64(a, a)
}

/// `a + 19*b`.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn plus_19(a: Vector, b: Vector) -> Vector {
    let times_3 = _mm512_add_epi64(b, twice(b));
    _mm512_add_epi64(_mm512_add_epi64(a, _mm512_slli_epi64::<4>(b)), times_3)
}

/// The bits of a limb above the 51st.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn excess(limb: Vector) -> Vector {
    _mm512_srli_epi64::<51>(limb)
}

/// The low 51 bits.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn rest(limb: Vector) -> Vector {
    _mm512_and_si512(limb, splat(LIMB_MAX))
}

/// Carries of all limbs at once. Of limbs below `2^63` it makes ones below `2^51 + 2^16`: the largest carry is `19 * 2^12`.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn carry([a, b, c, d, e]: Vectors) -> Vectors {
    [
        low(rest(a), excess(e), splat(19)),
        _mm512_add_epi64(rest(b), excess(a)),
        _mm512_add_epi64(rest(c), excess(b)),
        _mm512_add_epi64(rest(d), excess(c)),
        _mm512_add_epi64(rest(e), excess(d)),
    ]
}

/// Of ten limbs, each below `2^56`, the upper half counts 19 times: `2^255 = 19`.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn fold(a: Vectors, b: Vectors) -> Vectors {
    carry([
        plus_19(a[0], b[0]),
        plus_19(a[1], b[1]),
        plus_19(a[2], b[2]),
        plus_19(a[3], b[3]),
        plus_19(a[4], b[4]),
    ])
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn add(a: Vectors, b: Vectors) -> Vectors {
    carry([
        _mm512_add_epi64(a[0], b[0]),
        _mm512_add_epi64(a[1], b[1]),
        _mm512_add_epi64(a[2], b[2]),
        _mm512_add_epi64(a[3], b[3]),
        _mm512_add_epi64(a[4], b[4]),
    ])
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn sub(a: Vectors, b: Vectors) -> Vectors {
    let minus = from_twice_p(b);
    add(a, minus)
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn neg(a: Vectors) -> Vectors {
    carry(from_twice_p(a))
}

/// `2p - a`, limb by limb and without carries: no limb is below zero or above `2^52`.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
fn from_twice_p([a, b, c, d, e]: Vectors) -> Vectors {
    let (lowest, others) = (splat(TWICE_P.0), splat(TWICE_P.1));
    [
        _mm512_sub_epi64(lowest, a),
        _mm512_sub_epi64(others, b),
        _mm512_sub_epi64(others, c),
        _mm512_sub_epi64(others, d),
        _mm512_sub_epi64(others, e),
    ]
}

/// Schoolbook multiplication. The high half of a product of limbs stands at bit 52, one above the next limb, so it counts twice there.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
#[rustfmt::skip]
pub(super) fn mul([a0, a1, a2, a3, a4]: Vectors, [b0, b1, b2, b3, b4]: Vectors) -> Vectors {
    let zero = _mm512_setzero_si512();
    let h0 = high(zero, a0, b0);
    let h1 = high(high(zero, a0, b1), a1, b0);
    let h2 = high(high(high(zero, a0, b2), a1, b1), a2, b0);
    let h3 = high(high(high(high(zero, a0, b3), a1, b2), a2, b1), a3, b0);
    let h4 = high(high(high(high(high(zero, a0, b4), a1, b3), a2, b2), a3, b1), a4, b0);
    let h5 = high(high(high(high(zero, a1, b4), a2, b3), a3, b2), a4, b1);
    let h6 = high(high(high(zero, a2, b4), a3, b3), a4, b2);
    let h7 = high(high(zero, a3, b4), a4, b3);
    let h8 = high(zero, a4, b4);
    fold(
        [
            low(zero, a0, b0),
            low(low(twice(h0), a0, b1), a1, b0),
            low(low(low(twice(h1), a0, b2), a1, b1), a2, b0),
            low(low(low(low(twice(h2), a0, b3), a1, b2), a2, b1), a3, b0),
            low(low(low(low(low(twice(h3), a0, b4), a1, b3), a2, b2), a3, b1), a4, b0),
        ],
        [
            low(low(low(low(twice(h4), a1, b4), a2, b3), a3, b2), a4, b1),
            low(low(low(twice(h5), a2, b4), a3, b3), a4, b2),
            low(low(twice(h6), a3, b4), a4, b3),
            low(twice(h7), a4, b4),
            twice(h8),
        ],
    )
}

/// As [`mul`], with each product of different limbs calculated once and doubled.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
#[rustfmt::skip]
pub(super) fn square([a0, a1, a2, a3, a4]: Vectors) -> Vectors {
    let zero = _mm512_setzero_si512();
    let h1 = high(zero, a0, a1);
    let h2 = high(zero, a0, a2);
    let h3 = high(high(zero, a0, a3), a1, a2);
    let h4 = high(high(zero, a0, a4), a1, a3);
    let h5 = high(high(zero, a1, a4), a2, a3);
    let h6 = high(zero, a2, a4);
    let h7 = high(zero, a3, a4);
    // Half of each limb but for the low half of a square of one limb, which stands in every second.
    let t1 = high(low(zero, a0, a1), a0, a0);
    let t2 = low(twice(h1), a0, a2);
    let t3 = high(low(low(twice(h2), a0, a3), a1, a2), a1, a1);
    let t4 = low(low(twice(h3), a0, a4), a1, a3);
    let t5 = high(low(low(twice(h4), a1, a4), a2, a3), a2, a2);
    let t6 = low(twice(h5), a2, a4);
    let t7 = high(low(twice(h6), a3, a4), a3, a3);
    let t8 = twice(h7);
    let t9 = high(zero, a4, a4);
    fold(
        [low(zero, a0, a0), twice(t1), low(twice(t2), a1, a1), twice(t3), low(twice(t4), a2, a2)],
        [twice(t5), low(twice(t6), a3, a3), twice(t7), low(twice(t8), a4, a4), twice(t9)],
    )
}

/// The number below `p`. What is given is below `2p`, since its limbs are below `2^51 + 2^16`; it is not below `p` just if adding
/// 19 makes it overflow 255 bits.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn canonical([a, b, c, d, e]: Vectors) -> Vectors {
    let over = excess(_mm512_add_epi64(a, splat(19)));
    let over = excess(_mm512_add_epi64(b, over));
    let over = excess(_mm512_add_epi64(c, over));
    let over = excess(_mm512_add_epi64(d, over));
    let over = excess(_mm512_add_epi64(e, over));
    let a = low(a, over, splat(19));
    let b = _mm512_add_epi64(b, excess(a));
    let c = _mm512_add_epi64(c, excess(b));
    let d = _mm512_add_epi64(d, excess(c));
    let e = _mm512_add_epi64(e, excess(d));
    [rest(a), rest(b), rest(c), rest(d), rest(e)]
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn is_zero(a: Vectors) -> u8 {
    let [a, b, c, d, e] = canonical(a);
    let any = _mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(c, d));
    let any = _mm512_or_si512(any, e);
    _mm512_testn_epi64_mask(any, any)
}

#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn is_odd(a: Vectors) -> u8 {
    _mm512_test_epi64_mask(canonical(a)[0], splat(1))
}

/// `b` where the mask's bit is one, `a` elsewhere.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn select(a: Vectors, b: Vectors, mask: u8) -> Vectors {
    [
        _mm512_mask_blend_epi64(mask, a[0], b[0]),
        _mm512_mask_blend_epi64(mask, a[1], b[1]),
        _mm512_mask_blend_epi64(mask, a[2], b[2]),
        _mm512_mask_blend_epi64(mask, a[3], b[3]),
        _mm512_mask_blend_epi64(mask, a[4], b[4]),
    ]
}

/// `-a` where the mask's bit is one, `a` elsewhere.
#[target_feature(enable = "avx512f,avx512ifma")]
#[inline]
pub(super) fn negate_where(a: Vectors, mask: u8) -> Vectors {
    carry(select(a, from_twice_p(a), mask))
}
