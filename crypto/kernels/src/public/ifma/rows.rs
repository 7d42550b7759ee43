//! Points as they lie in memory, one after the other, and their way to the lanes of vectors and back.

use std::arch::x86_64::{
    __m512i, _mm512_load_si512, _mm512_shuffle_i64x2, _mm512_store_si512, _mm512_unpackhi_epi64,
    _mm512_unpacklo_epi64,
};

use super::super::order::{LANES, index};
use crate::field8::{Field8, Mask8};
use crate::point8::{Addend8, Point8};
use crate::processor::Ifma;

/// A line of the cache.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([u64; LANES]);

/// An affine point, ready to be added: the limbs of `y + x`, `y - x` and `2*d*x*y`, five each, and a word that isn't used.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Row([Line; 2]);

/// A sum: the limbs of X, Y, Z and T, five each, and four words that aren't used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket([Line; 3]);

impl Row {
    /// What adds nothing.
    const IDENTITY: Self = Self([Line([1, 0, 0, 0, 0, 1, 0, 0]), Line([0; LANES])]);

    /// Of affine points, those that the mask says.
    #[target_feature(enable = "avx512f,avx512ifma")]
    pub(super) fn of_each(ifma: Ifma, points: Point8, good: Mask8) -> [Option<Self>; LANES] {
        let [plus, minus, product] = Addend8::of_affine(ifma, points).parts();
        let [a, b, c, d, e] = plus.vectors();
        let [f, g, h, i, j] = minus.vectors();
        let [k, l, m, n, o] = product.vectors();
        let lines = lines_of([[a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, o]]);
        let mut good = good.bits();
        lines.map(|lines| {
            let this = good & 1 == 1;
            good >>= 1;
            this.then_some(Self(lines))
        })
    }

    /// The points with these numbers, doubled, and one more for the opposite of a point; the identity for what isn't there.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn gathered(rows: &[Self], numbers: &[u32; LANES]) -> Addend8 {
        let rows = numbers.map(|number| rows.get(index(number >> 1)).unwrap_or(&Self::IDENTITY));
        let [a, b, c, d, e, f, g, h] = turned(rows.map(|Self([left, _])| left));
        let [i, j, k, l, m, n, o, _] = turned(rows.map(|Self([_, right])| right));
        let parts = [[a, b, c, d, e], [f, g, h, i, j], [k, l, m, n, o]];
        let negative = numbers.iter().rev().fold(0, |mask, number| mask << 1 | (number & 1));
        let negative = Mask8::of_bits(u8::try_from(negative).unwrap_or(0));
        Addend8::of_parts(parts.map(Field8::of_vectors)).negated_where(negative)
    }
}

impl Bucket {
    /// A sum of nothing.
    pub(super) const IDENTITY: Self =
        Self([Line([0, 0, 0, 0, 0, 1, 0, 0]), Line([0, 0, 1, 0, 0, 0, 0, 0]), Line([0; LANES])]);

    /// Of each lane.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn of_each(points: Point8) -> [Self; LANES] {
        let [x, y, z, t] = points.coordinates().map(Field8::vectors);
        let ([a, b, c, d, e], [f, g, h, i, j]) = (x, y);
        let ([k, l, m, n, o], [p, q, r, s, u]) = (z, t);
        lines_of([[a, b, c, d, e, f, g, h], [i, j, k, l, m, n, o, p], [q, r, s, u, u, u, u, u]])
            .map(Self)
    }

    /// One in each lane.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    pub(super) fn gathered(eight: &[Self; LANES]) -> Point8 {
        let eight = eight.each_ref();
        let [a, b, c, d, e, f, g, h] = turned(eight.map(|Self([line, ..])| line));
        let [i, j, k, l, m, n, o, p] = turned(eight.map(|Self([_, line, _])| line));
        let [q, r, s, u, ..] = turned(eight.map(|Self([.., line])| line));
        let coordinates = [[a, b, c, d, e], [f, g, h, i, j], [k, l, m, n, o], [p, q, r, s, u]];
        Point8::of_coordinates(coordinates.map(Field8::of_vectors))
    }
}

/// Of eight lines, a vector of the first words of each, one of the second words, and so on.
#[target_feature(enable = "avx512f")]
#[inline]
fn turned(lines: [&Line; LANES]) -> [__m512i; LANES] {
    transposed(lines.map(|line| {
        // SAFETY: a line has the 64 bytes and the alignment that the instruction wants.
        unsafe { _mm512_load_si512(line.0.as_ptr().cast()) }
    }))
}

/// Of blocks of eight vectors, the words of each lane in lines.
#[target_feature(enable = "avx512f")]
#[inline]
fn lines_of<const BLOCKS: usize>(blocks: [[__m512i; LANES]; BLOCKS]) -> [[Line; BLOCKS]; LANES] {
    let mut lanes = [[Line([0; LANES]); BLOCKS]; LANES];
    for (number, block) in blocks.into_iter().enumerate() {
        let mut vectors = transposed(block).into_iter();
        for lane in &mut lanes {
            if let (Some(line), Some(vector)) = (lane.get_mut(number), vectors.next()) {
                // SAFETY: a line has the 64 bytes and the alignment that the instruction wants.
                unsafe { _mm512_store_si512(line.0.as_mut_ptr().cast(), vector) };
            }
        }
    }
    lanes
}

/// Rows to columns, of eight by eight words.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed([a, b, c, d, e, f, g, h]: [__m512i; LANES]) -> [__m512i; LANES] {
    // Pairs of words from two rows: of even columns, of odd columns.
    let even = (
        _mm512_unpacklo_epi64(a, b),
        _mm512_unpacklo_epi64(c, d),
        _mm512_unpacklo_epi64(e, f),
        _mm512_unpacklo_epi64(g, h),
    );
    let odd = (
        _mm512_unpackhi_epi64(a, b),
        _mm512_unpackhi_epi64(c, d),
        _mm512_unpackhi_epi64(e, f),
        _mm512_unpackhi_epi64(g, h),
    );
    let [c0, c2, c4, c6] = transposed_pairs(even);
    let [c1, c3, c5, c7] = transposed_pairs(odd);
    [c0, c1, c2, c3, c4, c5, c6, c7]
}

/// Rows to columns, of four by four pairs of words.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed_pairs((a, b, c, d): (__m512i, __m512i, __m512i, __m512i)) -> [__m512i; 4] {
    let (low_ab, high_ab) =
        (_mm512_shuffle_i64x2::<0x44>(a, b), _mm512_shuffle_i64x2::<0xEE>(a, b));
    let (low_cd, high_cd) =
        (_mm512_shuffle_i64x2::<0x44>(c, d), _mm512_shuffle_i64x2::<0xEE>(c, d));
    [
        _mm512_shuffle_i64x2::<0x88>(low_ab, low_cd),
        _mm512_shuffle_i64x2::<0xDD>(low_ab, low_cd),
        _mm512_shuffle_i64x2::<0x88>(high_ab, high_cd),
        _mm512_shuffle_i64x2::<0xDD>(high_ab, high_cd),
    ]
}
