//! Walks on the short Weierstrass form of the curve, eight in a vector: each adds to its point the step that the point says. For what may
//! be seen: branches and addresses depend on the points.
//!
//! All additions of a turn share one inversion a lane (Montgomery's trick), so an addition takes five multiplications and a square.
#![allow(unsafe_code, reason = "instructions that the processor was found to have")]

#[cfg(test)]
mod tests;

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_cmplt_epu64_mask, _mm512_loadu_si512,
    _mm512_mask_add_epi64, _mm512_mask_blend_epi64, _mm512_permutex2var_epi64, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_storeu_si512, _mm512_test_epi64_mask, _mm512_testn_epi64_mask,
};
use std::fmt;

use crate::element::{Element, Limbs, invert, limbs};
use crate::field8::Field8;
use crate::processor::Ifma;

/// How many different steps there are.
pub const STEPS: usize = 64;
/// The most bits that [`Walks::marked`] can ask for.
pub const MARK_BITS_MAX: u32 = 38;
/// Lanes of a vector.
const LANES: usize = 8;

/// A point and how far it is from where its walk began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The reduced x coordinate, little-endian.
    pub x: [u8; 32],
    /// The y coordinate likewise.
    pub y: [u8; 32],
    /// The sum of all steps, and what it began with.
    pub log: u128,
}

/// The numbers that a step has for each of the 64 choices: limbs of both coordinates, and its size.
#[derive(Clone)]
pub struct Steps {
    x: [[u64; STEPS]; 5],
    y: [[u64; STEPS]; 5],
    size: [u64; STEPS],
}

impl Steps {
    /// Steps of these coordinates and sizes; a size above 64 bits counts without what is above.
    #[must_use]
    pub fn new(steps: &[Place; STEPS]) -> Self {
        let (x, y) = (steps.map(|step| limbs(&step.x)), steps.map(|step| limbs(&step.y)));
        let size = steps.map(|step| u64::try_from(step.log & u128::from(u64::MAX)).unwrap_or(0));
        Self { x: turned(x), y: turned(y), size }
    }
}

/// The first limbs of all, then the second of all, and so on.
fn turned(all: [Limbs; STEPS]) -> [[u64; STEPS]; 5] {
    [
        all.map(|[a, ..]| a),
        all.map(|[_, b, ..]| b),
        all.map(|[_, _, c, ..]| c),
        all.map(|[_, _, _, d, _]| d),
        all.map(|[.., e]| e),
    ]
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Steps(..)")
    }
}

/// A walk met a point that its step can't be added to by the affine formula: the same, or its opposite.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Exceptional;

/// Many walks.
pub struct Walks {
    ifma: Ifma,
    steps: Steps,
    vectors: Vec<Eight>,
    count: usize,
}

/// Eight walks, with room for what a turn needs in between.
#[derive(Clone, Copy)]
struct Eight {
    /// Canonical.
    x: Field8,
    y: Field8,
    gap: Field8,
    before: Field8,
    log: [[u64; LANES]; 2],
}

impl Walks {
    /// Walks at these places. (Places that fill the last vector walk along unseen.)
    #[must_use]
    pub fn new(ifma: Ifma, steps: Steps, places: &[Place]) -> Self {
        let mut walks = Self { ifma, steps, vectors: Vec::new(), count: places.len() };
        let zero = Field8::zero(ifma);
        let Some(first) = places.first() else { return walks };
        let nowhere = Eight { x: zero, y: zero, gap: zero, before: zero, log: [[0; LANES]; 2] };
        walks.vectors = vec![nowhere; places.len().div_ceil(LANES)];
        for index in 0..walks.vectors.len() * LANES {
            walks.put(index, places.get(index).unwrap_or(first));
        }
        walks
    }

    /// How many walks there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Where a walk is.
    #[must_use]
    pub fn place(&self, index: usize) -> Option<Place> {
        let eight = self.vectors.get(index / LANES).filter(|_| index < self.count)?;
        let lane = index % LANES;
        let [low, high] = eight.log;
        let log = u128::from(*low.get(lane)?) | u128::from(*high.get(lane)?) << 64;
        Some(Place { x: *eight.x.to_bytes().get(lane)?, y: *eight.y.to_bytes().get(lane)?, log })
    }

    /// Moves a walk elsewhere.
    pub fn put(&mut self, index: usize, place: &Place) {
        let (vector, lane) = (index / LANES, index % LANES);
        let Some(eight) = self.vectors.get_mut(vector) else { return };
        for (field, bytes) in [(&mut eight.x, &place.x), (&mut eight.y, &place.y)] {
            let mut all = field.to_bytes();
            if let Some(one) = all.get_mut(lane) {
                *one = *bytes;
            }
            *field = Field8::of_bytes(self.ifma, &all).canonical();
        }
        let words = [place.log, place.log >> 64].map(|word| word & u128::from(u64::MAX));
        let [low, high] = words.map(|word| u64::try_from(word).unwrap_or(0));
        let [lows, highs] = &mut eight.log;
        for (words, word) in [(lows, low), (highs, high)] {
            if let Some(one) = words.get_mut(lane) {
                *one = word;
            }
        }
    }

    /// Moves every walk one step. On an exceptional addition none has moved.
    ///
    /// # Errors
    ///
    /// [`Exceptional`].
    pub fn advance(&mut self) -> Result<(), Exceptional> {
        // SAFETY: `ifma` says that the processor has the instructions.
        unsafe { advance(self.ifma, &self.steps, &mut self.vectors) }
    }

    /// The walks whose x coordinate has zeros in so many bits (at most [`MARK_BITS_MAX`]) from bit 64 on.
    pub fn marked(&self, bits: u32, mut found: impl FnMut(usize)) {
        for (number, eight) in self.vectors.iter().enumerate() {
            // SAFETY: `eight` holds elements of `Field8`, so the processor has the instructions.
            let mut lanes = unsafe { marked(eight, bits) };
            while lanes != 0 {
                let lane = usize::try_from(lanes.trailing_zeros()).unwrap_or(0);
                let index = number * LANES + lane;
                if index < self.count {
                    found(index);
                }
                lanes &= lanes - 1;
            }
        }
    }
}

impl fmt::Debug for Walks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walks").field("len", &self.count).finish_non_exhaustive()
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn marked(eight: &Eight, bits: u32) -> u8 {
    // Bit 64 is bit 13 of the second limb.
    let mask = ((1u64 << bits.min(MARK_BITS_MAX)) - 1) << 13;
    let [_, limb, ..] = eight.x.vectors();
    _mm512_testn_epi64_mask(limb, _mm512_set1_epi64(mask.cast_signed()))
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn advance(ifma: Ifma, steps: &Steps, vectors: &mut [Eight]) -> Result<(), Exceptional> {
    let mut product = Field8::one(ifma);
    for eight in vectors.iter_mut() {
        let choice = Choice::of(eight.x);
        eight.gap = choice.element(&steps.x) - eight.x;
        eight.before = product;
        product = product * eight.gap;
    }
    if product.is_zero().bits() != 0 {
        return Err(Exceptional);
    }
    let mut inverse = invert(product);
    for eight in vectors.iter_mut().rev() {
        let choice = Choice::of(eight.x);
        let slope = (choice.element(&steps.y) - eight.y) * (inverse * eight.before);
        inverse = inverse * eight.gap;
        // x of the step is `gap + x`.
        let x = slope.square() - eight.x - (eight.gap + eight.x);
        eight.y = slope * (eight.x - x) - eight.y;
        eight.x = x.canonical();
        let [low, high] = &mut eight.log;
        let size = choice.word(&steps.size);
        let sum = _mm512_add_epi64(load(low), size);
        let carry = _mm512_cmplt_epu64_mask(sum, size);
        store(low, sum);
        store(high, _mm512_mask_add_epi64(load(high), carry, load(high), _mm512_set1_epi64(1)));
    }
    Ok(())
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load(words: &[u64; LANES]) -> __m512i {
    // SAFETY: 64 bytes, of which the instruction asks no alignment.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store(words: &mut [u64; LANES], vector: __m512i) {
    // SAFETY: 64 bytes, of which the instruction asks no alignment.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), vector) };
}

/// Which step each lane takes: the lowest six bits of x.
#[derive(Clone, Copy)]
struct Choice {
    number: __m512i,
    upper_of_two: u8,
    upper_of_four: u8,
}

impl Choice {
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn of(x: Field8) -> Self {
        let [number, ..] = x.vectors();
        Self {
            number: _mm512_and_si512(number, _mm512_set1_epi64(63)),
            upper_of_two: _mm512_test_epi64_mask(number, _mm512_set1_epi64(16)),
            upper_of_four: _mm512_test_epi64_mask(number, _mm512_set1_epi64(32)),
        }
    }

    /// One of 64 numbers for each lane.
    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn word(self, all: &[u64; STEPS]) -> __m512i {
        let [a, b, c, d] = {
            let (sixteens, _) = all.as_chunks::<16>();
            let mut found = [_mm512_setzero_si512(); 4];
            let mut sixteens = sixteens.iter();
            for found in &mut found {
                let Some(sixteen) = sixteens.next() else { break };
                let (eights, _) = sixteen.as_chunks::<8>();
                let [low, high] = eights else { break };
                *found = _mm512_permutex2var_epi64(load(low), self.number, load(high));
            }
            found
        };
        let low = _mm512_mask_blend_epi64(self.upper_of_two, a, b);
        let high = _mm512_mask_blend_epi64(self.upper_of_two, c, d);
        _mm512_mask_blend_epi64(self.upper_of_four, low, high)
    }

    #[target_feature(enable = "avx512f,avx512ifma")]
    #[inline]
    fn element(self, [a, b, c, d, e]: &[[u64; STEPS]; 5]) -> Field8 {
        Field8::of_vectors([self.word(a), self.word(b), self.word(c), self.word(d), self.word(e)])
    }
}
