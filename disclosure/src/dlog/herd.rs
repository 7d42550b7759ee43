//! The kangaroos of one worker, and the sizes that all workers of a search share.
//!
//! A tame kangaroo starts at a known multiple of the base, a wild one at the target plus a known multiple; both jump by
//! steps that the place alone decides, so once two meet they stay together. A place whose digest ends in enough zero
//! bits is a mark; only marks are remembered, and a tame and a wild kangaroo at one mark give the logarithm.
//!
//! As in [`giant`](super::giant), `w = 2v + 1` is looked for: tame places are odd multiples, what a wild one has added is
//! even and so are the steps. So no kangaroo meets an exception of the affine formula if `v` is within the bound, and the
//! parity of `log` tells tame from wild.

use sha2::{Digest as _, Sha256};

use super::curve::{AtMark, Edwards, Lane, Lanes, Steps, times};

/// Ranges narrower than this are searched as if they were this wide.
const WIDTH_MIN: u128 = 1 << 20;

/// Marks that a search of the expected length leaves, for wide ranges.
const MARKS_EXPECTED_LOG: u32 = 17;

/// A search gives up after this many times the expected length.
///
/// The chance of that for a value in the range falls a little slower than `exp(-2x)` in the multiple `x`, and is a few in
/// a million at 8 (extrapolated from thousands of searches at 32 and 36 bits, values at the ends of the range included).
const PATIENCE: u64 = 8;

/// Marks kept until they are collected.
const PENDING_MAX: usize = 4096;

/// Domain separation of the seed's expansion.
const DOMAIN: &[u8] = b"sudare dlog kangaroo v1";

/// Sizes of a search, a function of the bound and the number of workers.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    width: u128,
    /// Kangaroos of one worker, even.
    herd: u64,
    /// Mean step, in units of `v`.
    mean_step: u64,
    /// Zero bits of a mark.
    mark_bits: u32,
    expected: u64,
}

impl Plan {
    /// For values from 0 to `bound`, both included, by at least one worker.
    ///
    /// Mean step `m * sqrt(width) / 4` for `m` kangaroos (van Oorschot and Wiener 1999) makes the herds meet
    /// after about `2 * sqrt(width)` steps in all.
    pub(super) fn new(bound: u64, workers: u16) -> Self {
        let width = (u128::from(bound) + 1).max(WIDTH_MIN);
        let root = u64::try_from(width.isqrt()).unwrap_or(u64::MAX);
        let steps = root * 2;
        // Every kangaroo makes some thousands of steps, and no more than 2^14 of them run, so that
        // what is lost on the way to the first mark and after the meeting stays small.
        let workers = u64::from(workers.max(1));
        let share = (steps / 4096 / workers).clamp(8, (16_384 / workers).clamp(8, 1024));
        let herd = 1 << share.ilog2();
        let all = herd * workers;
        let lost_bits = (steps / 32 / all).max(1).ilog2();
        let enough = steps.next_power_of_two().ilog2().saturating_sub(MARKS_EXPECTED_LOG);
        let mark_bits = enough.max(lost_bits.min(5));
        let mean_step = all * root / 4;
        let expected = steps + (all << mark_bits);
        Self { width, herd, mean_step, mark_bits, expected }
    }

    /// Group operations on average, over all workers.
    pub(super) fn steps_expected(&self) -> u64 {
        self.expected
    }

    /// Group operations after which the search gives up.
    pub(super) fn steps_max(&self) -> u64 {
        self.expected.saturating_mul(PATIENCE)
    }

    /// Kangaroos of one worker.
    pub(super) fn herd(&self) -> u64 {
        self.herd
    }
}

/// What all kangaroos of a search have in common.
#[derive(Clone)]
pub(super) struct Field {
    plan: Plan,
    seed: [u8; 32],
    base: Edwards,
    target: Edwards,
    steps: Steps,
}

impl Field {
    /// Looks for `w` in `target = w*base`.
    pub(super) fn new(plan: Plan, seed: [u8; 32], base: Edwards, target: Edwards) -> Option<Self> {
        let range = plan.mean_step.saturating_mul(2);
        let sizes = core::array::from_fn(|i| {
            let index = u64::try_from(i).unwrap_or_default();
            2 * (1 + draw(&seed, Use::Step, index, range))
        });
        let steps = Steps::new(&base, &sizes)?;
        Some(Self { plan, seed, base, target, steps })
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Where kangaroo number `index` of all starts. Even ones are tame and start at the middle of the range.
    fn start(&self, index: u64) -> u128 {
        let spread = self.plan.mean_step.saturating_mul(2);
        let offset = 2 * u128::from(draw(&self.seed, Use::Start, index, spread));
        if index.is_multiple_of(2) { self.plan.width / 2 * 2 + 1 + offset } else { offset }
    }

    fn lane(&self, log: u128) -> Option<Lane> {
        let added = times(&self.base, log);
        let point = if is_tame(log) { added } else { self.target + added };
        Lane::new(&point, log)
    }
}

/// Whether a kangaroo that has come so far started at a known place.
pub(super) fn is_tame(log: u128) -> bool {
    !log.is_multiple_of(2)
}

/// The kangaroos of one worker.
pub(super) struct Herd {
    field: Field,
    lanes: Lanes,
    pending: Vec<AtMark>,
    steps_done: u64,
    exceptional: bool,
}

impl Herd {
    /// Herd number `number` of a new search.
    pub(super) fn new(field: Field, number: u16) -> Self {
        let herd = field.plan.herd;
        let first = u64::from(number) * herd;
        let logs: Vec<_> = (first..first + herd).map(|index| field.start(index)).collect();
        Self::resume(field, &logs, 0)
    }

    /// A herd whose kangaroos have come so far; an exceptional one if there are none.
    pub(super) fn resume(field: Field, logs: &[u128], steps_done: u64) -> Self {
        let lanes = logs.iter().map(|log| field.lane(*log)).collect::<Option<Vec<_>>>();
        // A wild kangaroo at the identity: v is not in the range.
        let lanes = lanes.unwrap_or_default();
        let exceptional = lanes.is_empty();
        let lanes = Lanes::new(&field.steps, lanes);
        Self { field, lanes, pending: Vec::new(), steps_done, exceptional }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.field.plan
    }

    /// How far the kangaroos have come.
    pub(super) fn logs(&self) -> Vec<u128> {
        (0..self.lanes.len()).filter_map(|index| self.lanes.log(index)).collect()
    }

    pub(super) fn steps_done(&self) -> u64 {
        self.steps_done
    }

    /// Whether something has happened that cannot happen with a value in the range.
    pub(super) fn is_exceptional(&self) -> bool {
        self.exceptional
    }

    /// Moves every kangaroo at least once; stops early when many marks wait to be collected.
    pub(super) fn run(&mut self, steps: u64) {
        let rounds = steps.div_ceil(self.field.plan.herd).max(1);
        for _ in 0..rounds {
            if self.exceptional || self.pending.len() >= PENDING_MAX {
                return;
            }
            if self.lanes.advance().is_err() {
                self.exceptional = true;
                return;
            }
            self.steps_done = self.steps_done.saturating_add(self.field.plan.herd);
            self.pending.extend(self.lanes.at_marks(self.field.plan.mark_bits));
        }
    }

    /// The marks that were reached since the last call.
    pub(super) fn take_marks(&mut self) -> Vec<AtMark> {
        core::mem::take(&mut self.pending)
    }

    /// Moves a kangaroo that follows another a little forward, to a trail of its own; `hop` counts the search's hops.
    pub(super) fn hop(&mut self, mark: &AtMark, hop: u64) {
        let range = self.field.plan.mean_step.saturating_mul(2);
        let offset = 2 * (1 + draw(&self.field.seed, Use::Hop, hop, range));
        let Some(log) = self.lanes.log(mark.index) else { return };
        match self.field.lane(log + u128::from(offset)) {
            Some(moved) => self.lanes.put(mark.index, &moved),
            None => self.exceptional = true,
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Use {
    Step,
    Start,
    Hop,
}

/// A number below `range`, the same for the same arguments.
pub(super) fn draw(seed: &[u8; 32], what: Use, index: u64, range: u64) -> u64 {
    let what = match what {
        Use::Step => [1_u8],
        Use::Start => [2],
        Use::Hop => [3],
    };
    let hash = Sha256::new().chain_update(DOMAIN).chain_update(seed).chain_update(what);
    let hash = hash.chain_update(index.to_le_bytes()).finalize();
    let number = hash.iter().take(8).fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
    u64::try_from((number * u128::from(range)) >> 64).unwrap_or_default()
}
