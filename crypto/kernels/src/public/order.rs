//! Which points go to which bucket (Pippenger 1976), and in what order lanes add them up.
//!
//! A scalar is digits of a fixed number of bits, signed, so that half as many buckets do. Buckets of nearly equal size stand side by side
//! in the lanes of a group: what the fullest of a group takes, all of it do.

use super::PublicScalar;

/// Lanes of a vector.
pub(super) const LANES: usize = 8;
/// The fewest bits of a digit: the buckets of one fill the lanes.
pub(super) const BITS_MIN: usize = 4;
/// The most: buckets of more leave every cache.
pub(super) const BITS_MAX: usize = 14;
/// Bits of half the order of the group, and one for the sign.
const SCALAR_BITS: usize = 253;
/// What a lane adds that has nothing to add: no point has the number.
pub(super) const IDLE: u32 = u32::MAX;

/// How scalars are cut into digits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Bits of a digit.
    pub(super) bits: usize,
    /// Digits of a scalar.
    pub(super) digits: usize,
}

/// A scalar to be cut: the smaller of it and its opposite, and half of the range of a digit added to each digit, so that none carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shifted {
    words: [u64; 5],
    negative: u32,
}

/// Buckets that are added up together, one in each lane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// Their numbers, from 0.
    pub(super) buckets: [usize; LANES],
    /// Additions.
    pub(super) steps: usize,
}

/// The order for one digit.
#[derive(Debug)]
pub(super) struct Order {
    cut: Cut,
    /// Of all groups one after the other: the number of the point that each lane adds, doubled, and one more if it is subtracted.
    pub(super) steps: Vec<[u32; LANES]>,
    /// The groups whose buckets have points.
    pub(super) groups: Vec<Group>,
    /// The bucket of each point, doubled, and one more if it is subtracted. Bucket 0 here is that of the digit 0, which counts for nothing.
    digits: Vec<u32>,
    counts: Vec<usize>,
    /// How many buckets have so many points, then where the next one of them stands.
    tally: Vec<usize>,
    /// Where the next point of a bucket stands.
    next: Vec<usize>,
    /// Buckets, the fullest first.
    ranked: Vec<usize>,
}

impl Cut {
    /// Into digits of so many bits.
    pub(super) const fn new(bits: usize) -> Self {
        Self { bits, digits: SCALAR_BITS.div_ceil(bits) }
    }

    /// Buckets of a digit.
    pub(super) const fn buckets(self) -> usize {
        1 << (self.bits - 1)
    }

    /// Adds half the range of a digit to each digit of a number.
    fn shift(self, words: &mut [u64; 5]) {
        for digit in 0..self.digits {
            let bit = digit * self.bits + self.bits - 1;
            add_bit(words, bit);
        }
    }
}

/// Adds a power of two.
fn add_bit(words: &mut [u64; 5], bit: usize) {
    let mut carry = 1u64 << (bit % 64);
    for word in words.iter_mut().skip(bit / 64) {
        let (sum, over) = word.overflowing_add(carry);
        *word = sum;
        carry = u64::from(over);
        if !over {
            return;
        }
    }
}

/// `one - other`, which is not negative.
fn difference(one: [u64; 4], other: [u64; 4]) -> [u64; 4] {
    let (mut one, mut other) = (one.into_iter(), other.into_iter());
    let mut borrow = false;
    [(); 4].map(|()| {
        let (a, b) = (one.next().unwrap_or(0), other.next().unwrap_or(0));
        let (less, under) = a.overflowing_sub(b);
        let (less, under_again) = less.overflowing_sub(u64::from(borrow));
        borrow = under | under_again;
        less
    })
}

impl Shifted {
    /// A scalar as this cut wants it.
    pub(super) fn new(cut: Cut, scalar: &PublicScalar) -> Self {
        let words = scalar.words();
        let opposite = difference(super::ORDER, words);
        let negative = opposite.iter().rev().lt(words.iter().rev());
        let [a, b, c, d] = if negative { opposite } else { words };
        let mut words = [a, b, c, d, 0];
        cut.shift(&mut words);
        Self { words, negative: u32::from(negative) }
    }

    /// A digit: its absolute value, doubled, and one more if it is negative.
    fn digit(&self, cut: Cut, number: usize) -> u32 {
        let bit = number * cut.bits;
        let word = bit / 64;
        let at = |word: usize| u128::from(self.words.get(word).copied().unwrap_or(0));
        let two = at(word) | at(word + 1) << 64;
        let raw = (two >> (bit % 64)) & ((1 << cut.bits) - 1);
        let raw = u32::try_from(raw).unwrap_or(0);
        let half = 1 << (cut.bits - 1);
        u32::abs_diff(raw, half) << 1 | (u32::from(raw < half) ^ self.negative)
    }
}

impl Order {
    /// Room for orders of digits of this cut.
    pub(super) fn new(cut: Cut) -> Self {
        let with_zero = cut.buckets() + 1;
        Self {
            cut,
            steps: Vec::new(),
            groups: Vec::new(),
            digits: Vec::new(),
            counts: vec![0; with_zero],
            tally: Vec::new(),
            next: vec![0; with_zero],
            ranked: vec![0; cut.buckets()],
        }
    }

    /// Orders points by one digit of their scalars, of which there are fewer than `2^31`: a number and a sign fill 32 bits.
    pub(super) fn by_digit(&mut self, scalars: &[Shifted], number: usize) {
        self.count(scalars, number);
        self.rank();
        self.group();
        self.place();
    }

    /// The buckets of no group: those without points.
    pub(super) fn empty(&self) -> impl Iterator<Item = usize> {
        let filled = self.groups.len() * LANES;
        self.ranked.iter().skip(filled).map(|bucket| bucket - 1)
    }

    fn count(&mut self, scalars: &[Shifted], number: usize) {
        self.counts.fill(0);
        self.digits.clear();
        for scalar in scalars {
            let digit = scalar.digit(self.cut, number);
            if let Some(count) = self.counts.get_mut(index(digit >> 1)) {
                *count += 1;
            }
            self.digits.push(digit);
        }
    }

    fn rank(&mut self) {
        let most = self.counts.iter().skip(1).max().copied().unwrap_or(0);
        self.tally.clear();
        self.tally.resize(most + 1, 0);
        for count in self.counts.iter().skip(1) {
            if let Some(tally) = self.tally.get_mut(*count) {
                *tally += 1;
            }
        }
        let mut start = 0;
        for tally in self.tally.iter_mut().rev() {
            (*tally, start) = (start, start + *tally);
        }
        for (bucket, count) in self.counts.iter().enumerate().skip(1) {
            let Some(rank) = self.tally.get_mut(*count) else { continue };
            if let Some(ranked) = self.ranked.get_mut(*rank) {
                *ranked = bucket;
            }
            *rank += 1;
        }
    }

    fn group(&mut self) {
        self.groups.clear();
        let mut first = 0;
        let (eights, _) = self.ranked.as_chunks::<LANES>();
        for buckets in eights {
            let counts = buckets.map(|bucket| self.counts.get(bucket).copied().unwrap_or(0));
            let [steps, ..] = counts;
            if steps == 0 {
                break;
            }
            for (lane, bucket) in buckets.iter().enumerate() {
                if let Some(next) = self.next.get_mut(*bucket) {
                    *next = first * LANES + lane;
                }
            }
            self.groups.push(Group { buckets: buckets.map(|bucket| bucket - 1), steps });
            first += steps;
        }
        self.steps.clear();
        self.steps.resize(first, [IDLE; LANES]);
    }

    fn place(&mut self) {
        let steps = self.steps.as_flattened_mut();
        let mut point = 0;
        for digit in &self.digits {
            let bucket = index(digit >> 1);
            if bucket != 0
                && let Some(next) = self.next.get_mut(bucket)
            {
                if let Some(step) = steps.get_mut(*next) {
                    *step = point | digit & 1;
                }
                *next += LANES;
            }
            point += 2;
        }
    }
}

/// A number of 32 bits as an index.
pub(super) fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
