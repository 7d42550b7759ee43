//! Sums of many points by buckets (Pippenger 1976, as in Bernstein, Doumen, Lange, Oosterwijk 2012, section 4).
//!
//! For each digit of the scalars, points whose digits are equal are added up in a bucket, eight buckets side by side; then the sum of all
//! buckets, each times its digit, takes two additions a bucket.

use super::super::PublicScalar;
use super::super::order::{BITS_MAX, BITS_MIN, Cut, LANES, Order, Shifted};
use super::rows::{Bucket, Row};
use crate::field8::Mask8;
use crate::point8::Point8;
use crate::processor::Ifma;

/// How many points stand in one order: with more, they and their buckets leave the core's cache.
const TOGETHER: usize = 8_192;

/// In each lane a part of the sum.
#[target_feature(enable = "avx512f,avx512ifma")]
pub(super) fn sum(ifma: Ifma, scalars: &[PublicScalar], rows: &[Row]) -> Point8 {
    let parts = rows.len().div_ceil(TOGETHER).max(1);
    let share = rows.len().div_ceil(parts).max(1);
    let cut = best_cut(share);
    let mut order = Order::new(cut);
    let mut buckets = vec![Bucket::IDENTITY; cut.buckets()];
    let nothing = Sums { times_eight: Point8::identity(ifma), by_lane: Point8::identity(ifma) };
    let mut of_digits = vec![nothing; cut.digits];
    let mut rows = rows.chunks(share);
    for scalars in scalars.chunks(share) {
        let Some(rows) = rows.next() else { break };
        let shifted: Vec<Shifted> =
            scalars.iter().map(|scalar| Shifted::new(cut, scalar)).collect();
        for (number, sums) in of_digits.iter_mut().enumerate() {
            order.by_digit(&shifted, number);
            fill(ifma, rows, &order, &mut buckets);
            sums.add(ifma, &buckets);
        }
    }
    let mut sums = nothing;
    for of_digit in of_digits.iter().rev() {
        for _ in 0..cut.bits {
            sums.times_eight = sums.times_eight.doubled();
            sums.by_lane = sums.by_lane.doubled();
        }
        sums.times_eight = sums.times_eight.add(of_digit.times_eight, ifma);
        sums.by_lane = sums.by_lane.add(of_digit.by_lane, ifma);
    }
    sums.together(ifma)
}

/// The cut that takes the fewest multiplications of field elements for so many points.
fn best_cut(points: usize) -> Cut {
    let cost = |cut: &Cut| {
        let groups = cut.buckets() / LANES;
        // Seven an addition of a point, and about as much as one more to load it; half a step of each group is idle. 18 for two
        // additions of a bucket, and as much as two to store and load it. 16 for doublings of both sums, which are the same for all.
        let additions = 8 * (points.div_ceil(LANES) + groups / 2);
        cut.digits * (additions + 20 * groups)
    };
    let cuts = (BITS_MIN..=BITS_MAX).map(Cut::new);
    cuts.min_by_key(cost).unwrap_or(Cut::new(BITS_MIN))
}

/// Adds up the points of each bucket.
#[target_feature(enable = "avx512f,avx512ifma")]
fn fill(ifma: Ifma, rows: &[Row], order: &Order, buckets: &mut [Bucket]) {
    for bucket in order.empty() {
        if let Some(bucket) = buckets.get_mut(bucket) {
            *bucket = Bucket::IDENTITY;
        }
    }
    let mut steps = order.steps.as_slice();
    for group in &order.groups {
        let Some((own, rest)) = steps.split_at_checked(group.steps) else { break };
        steps = rest;
        let Some((first, others)) = own.split_first() else { continue };
        let mut sum = Row::gathered(rows, first).point(ifma);
        for step in others {
            sum = sum.plus(&Row::gathered(rows, step));
        }
        let mut sums = Bucket::of_each(sum).into_iter();
        for number in group.buckets {
            if let (Some(bucket), Some(sum)) = (buckets.get_mut(number), sums.next()) {
                *bucket = sum;
            }
        }
    }
}

/// Of one digit, the sum of all buckets, each times its digit. That of bucket `8j + lane` is `8j + lane + 1`.
#[derive(Clone, Copy)]
struct Sums {
    /// Bucket `8j + lane`, `j` times.
    times_eight: Point8,
    /// Each bucket of the lane.
    by_lane: Point8,
}

impl Sums {
    /// Adds these buckets.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn add(&mut self, ifma: Ifma, buckets: &[Bucket]) {
        let (eights, _) = buckets.as_chunks::<LANES>();
        let Some((lowest, others)) = eights.split_first() else { return };
        let mut running = Point8::identity(ifma);
        for eight in others.iter().rev() {
            running = running.add(Bucket::gathered(eight), ifma);
            self.times_eight = self.times_eight.add(running, ifma);
        }
        running = running.add(Bucket::gathered(lowest), ifma);
        self.by_lane = self.by_lane.add(running, ifma);
    }

    /// `8*times_eight + (lane + 1)*by_lane`.
    #[target_feature(enable = "avx512f,avx512ifma")]
    fn together(self, ifma: Ifma) -> Point8 {
        let none = Point8::identity(ifma);
        let mut sum = self.times_eight.doubled().doubled().doubled().add(self.by_lane, ifma);
        let mut multiple = self.by_lane;
        for lanes in [0b1010_1010, 0b1100_1100, 0b1111_0000] {
            sum = sum.add(none.or(multiple, Mask8::of_bits(lanes)), ifma);
            multiple = multiple.doubled();
        }
        sum
    }
}
