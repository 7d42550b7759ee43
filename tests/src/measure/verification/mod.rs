//! Transfer legs verified in batches, beside the crates one by one and what the arithmetic alone would take.

mod arithmetic;
mod legs;

use std::collections::BTreeMap;
use std::rc::Rc;

use curve25519_dalek::ristretto::CompressedRistretto;
use sudare_crypto::{Batch, Claims, Kernel};
use sudare_ledger::testing;

pub use legs::Legs;

use super::clock::{Action, float, medians_of, medians_us};
use super::leg::Crate;
use super::plot::{Line, Plot};
use super::{Failed, Report, Topic};
use arithmetic::Arithmetic;

/// Legs in a batch.
const SIZES: [(&str, usize); 5] = [
    ("batch_1_us", 1),
    ("batch_16_us", 16),
    ("batch_64_us", 64),
    ("batch_256_us", 256),
    ("batch_1024_us", 1024),
];
/// Legs of a batch that is full at once, by which costs are split.
const FULL: usize = 64;
/// With this many disclosure keys: the time in a full batch, and the bytes.
const KEYS: [(&str, &str, u8); 4] = [
    ("keys_1_us", "keys_1_bytes", 1),
    ("keys_2_us", "keys_2_bytes", 2),
    ("keys_3_us", "keys_3_bytes", 3),
    ("keys_4_us", "keys_4_bytes", 4),
];
/// Where the time goes that no kernel changes.
const SPLIT: [(&str, &str); 2] = [
    ("parse_us", "what a leg takes before its points: transcripts, scalars, slot signatures"),
    ("slots_us", "the slot signatures of a leg, in parse_us"),
];

/// What is measured of a kernel.
struct Keys {
    /// A leg in a batch that is full.
    batch: &'static str,
    decompress: &'static str,
    multiply: &'static str,
    short: &'static str,
    limit: &'static str,
    over: &'static str,
    rest: &'static str,
    gain: &'static str,
}

/// By the kernels' numbers.
const KERNELS: [Keys; Kernel::COUNT] = [
    Keys {
        batch: "portable_us",
        decompress: "portable_decompress_us",
        multiply: "portable_multiply_us",
        short: "portable_multiply_short_us",
        limit: "portable_limit_us",
        over: "portable_over_limit",
        rest: "portable_rest_us",
        gain: "portable_gain",
    },
    Keys {
        batch: "ifma_us",
        decompress: "ifma_decompress_us",
        multiply: "ifma_multiply_us",
        short: "ifma_multiply_short_us",
        limit: "ifma_limit_us",
        over: "ifma_over_limit",
        rest: "ifma_rest_us",
        gain: "ifma_gain",
    },
];

/// The kernels of this processor with their keys.
fn kernels() -> impl Iterator<Item = (Kernel, &'static Keys)> {
    Kernel::all().filter_map(|kernel| Some((kernel, KERNELS.get(kernel.number())?)))
}

/// The fastest kernel of this processor with its keys.
fn fastest() -> (Kernel, &'static Keys) {
    let [portable, ..] = &KERNELS;
    kernels().last().unwrap_or((Kernel::PORTABLE, portable))
}
/// How often what is over soon is done in a row.
const OFTEN: usize = 8;
/// Full batches of a kernel in a row, as a replay has them: the first finds the caches as what was measured before left them.
const IN_A_ROW: usize = 4;

/// Measures the topic.
pub(super) fn run(quick: bool) -> Result<Report, Failed> {
    let (largest, rounds) = if quick { (16, 3) } else { (1024, 9) };
    let legs = Legs::new(2, largest)?;
    let mut report = Report::new(
        Topic::Verification,
        "a transfer's proofs, two inputs, two outputs, two keys, links included; CPU time of one thread for each leg",
    );
    Times::measure(&legs, largest, rounds)?.report(&mut report);
    let count = largest.min(FULL);
    for (time, bytes, keys) in KEYS {
        let of_keys = Legs::new(keys, count)?;
        let rng = &mut testing::rng(6);
        let (kernel, _) = fastest();
        let [us] = medians_us(rounds.min(3), [&mut || of_keys.verify(kernel, count, rng)])?;
        let what = format!("a leg under {keys} keys, {count} in a batch");
        report.value(time, us / number(count), "us", what);
        let what = format!("the encoded leg under {keys} keys");
        report.value(bytes, number(of_keys.bytes()), "B", what);
    }
    Ok(report)
}

/// What is timed: its key, how many it does, and how.
type Lane<'a> = (&'static str, usize, Box<dyn FnMut() -> Result<(), Failed> + 'a>);

/// A leg verified without a batch: its ranges by the crate, and each equation by itself with `curve25519-dalek`.
struct Naive<'a> {
    legs: &'a Legs,
    ranges: Crate,
    proof: Vec<u8>,
    commitments: Vec<CompressedRistretto>,
}

impl<'a> Naive<'a> {
    fn new(legs: &'a Legs) -> Result<Self, Failed> {
        let ranges = legs.peer()?;
        let (proof, commitments) = ranges.prove(&mut testing::rng(2))?;
        Ok(Self { legs, ranges, proof, commitments })
    }

    fn verify(&self) -> Result<(), Failed> {
        let rng = &mut testing::rng(7);
        let claims = self.legs.parse(1)?;
        for equation in claims.iter().flat_map(Claims::one_by_one) {
            let mut batch = Batch::new();
            batch.add(equation);
            batch.decide_by(Kernel::PORTABLE, rng)?;
        }
        self.ranges.verify(&self.proof, &self.commitments, rng)
    }
}

/// What a leg takes, in microseconds, by what is timed.
struct Times {
    us: BTreeMap<&'static str, f64>,
    /// Legs in the largest batch.
    largest: usize,
    /// Of each leg.
    points: f64,
    /// Of each leg: as many points have a short coefficient.
    equations: f64,
}

impl Times {
    /// Everything in turn, so that other work on the machine touches all of it alike.
    fn measure(legs: &Legs, largest: usize, rounds: usize) -> Result<Self, Failed> {
        let full = largest.min(FULL);
        let claims = legs.parse(1)?;
        let points: usize = claims.iter().map(Claims::points).sum();
        let equations: usize = claims.iter().map(Claims::equations).sum();
        let naive = Naive::new(legs)?;
        let (kernel, _) = fastest();
        let mut lanes: Vec<Lane<'_>> = vec![
            ("naive_us", OFTEN, Box::new(|| (0..OFTEN).try_for_each(|_| naive.verify()))),
            (
                "false_leg_us",
                full,
                Box::new(|| legs.name_a_false_one(kernel, full, &mut testing::rng(6))),
            ),
            ("parse_us", full, Box::new(|| legs.parse(full).map(drop))),
            ("slots_us", full, Box::new(|| legs.slots(full))),
        ];
        for (key, size) in SIZES {
            let size = size.min(largest);
            // Small batches are over soon.
            let times = OFTEN.div_ceil(size);
            let verify = move || {
                (0..times).try_for_each(|_| legs.verify(kernel, size, &mut testing::rng(6)))
            };
            lanes.push((key, size.saturating_mul(times), Box::new(verify)));
        }
        let count = points.saturating_mul(full);
        for (kernel, keys) in kernels() {
            let random = Rc::new(Arithmetic::with(kernel, count));
            let verify = move || {
                (0..IN_A_ROW).try_for_each(|_| legs.verify(kernel, full, &mut testing::rng(6)))
            };
            lanes.push((keys.batch, full.saturating_mul(IN_A_ROW), Box::new(verify)));
            let of = Rc::clone(&random);
            lanes.push((keys.decompress, count, Box::new(move || of.decompress())));
            let of = Rc::clone(&random);
            lanes.push((keys.multiply, count, Box::new(move || of.multiply())));
            lanes.push((keys.short, count, Box::new(move || random.multiply_short())));
        }
        let per: Vec<(&str, usize)> = lanes.iter().map(|(key, per, _)| (*key, *per)).collect();
        let actions = lanes.iter_mut().map(|(_, _, action)| -> Action<'_> { action });
        let mut medians = medians_of(rounds, actions)?;
        let us = |(key, per)| (key, medians.next().unwrap_or(f64::NAN) / number(per));
        let us = per.into_iter().map(us).collect();
        Ok(Self { us, largest, points: number(points), equations: number(equations) })
    }

    fn of(&self, key: &'static str) -> f64 {
        self.us.get(key).copied().unwrap_or(f64::NAN)
    }

    /// The batches that were measured, not cut short by `quick`.
    fn batches(&self) -> impl DoubleEndedIterator<Item = (&'static str, usize)> {
        SIZES.into_iter().filter(|(_, size)| *size <= self.largest)
    }

    /// What the arithmetic of a kernel alone takes.
    fn limit(&self, keys: &Keys) -> f64 {
        let point = self.of(keys.decompress) + self.of(keys.multiply);
        self.points.mul_add(point, self.of("parse_us"))
    }

    fn report(&self, report: &mut Report) {
        let full = self.largest.min(FULL);
        let (kernel, keys) = fastest();
        let naive = "the crate's range verifier, and each equation by itself, portable";
        report.value("naive_us", self.of("naive_us"), "us", naive);
        for (key, size) in self.batches() {
            let what = format!("ours, {size} legs in a batch, {}", kernel.name());
            report.value(key, self.of(key), "us", what);
        }
        let best = self.batches().map(|(key, _)| self.of(key)).fold(f64::INFINITY, f64::min);
        report.value("best_us", best, "us", "ours in the fastest batch");
        report.value("ratio", self.of("naive_us") / best, "", "naive_us / best_us");
        report.value("points", self.points, "", "points of each leg to decompress");
        let what = "equations of each leg: of so many points the coefficient is short";
        report.value("equations", self.equations, "", what);
        for (key, what) in SPLIT {
            report.value(key, self.of(key), "us", what);
        }
        for (kernel, keys) in kernels() {
            self.report_kernel(kernel, keys, report);
        }
        let limit = self.limit(keys);
        let what = format!("what the arithmetic of {} alone takes", kernel.name());
        report.value("limit_us", limit, "us", what);
        report.value("over_limit", best / limit, "", "best_us / limit_us");
        let what = format!("{full} legs with a false one, which is named / {full} good ones");
        let ratio = self.of("false_leg_us") / self.of(keys.batch);
        report.value("false_leg_ratio", ratio, "", what);
        report.draw(self.plot());
    }

    fn report_kernel(&self, kernel: Kernel, keys: &Keys, report: &mut Report) {
        let (name, batch, full) = (kernel.name(), self.of(keys.batch), self.largest.min(FULL));
        let what = format!("a leg in a batch of {full}, parsing included, {name}");
        report.value(keys.batch, batch, "us", what);
        report.value(keys.decompress, self.of(keys.decompress), "us", "decompressing a point");
        let what = "a point in a multiplication of as many as the batch has";
        report.value(keys.multiply, self.of(keys.multiply), "us", what);
        let what = "the same with coefficients of 128 bits";
        report.value(keys.short, self.of(keys.short), "us", what);
        let limit = self.limit(keys);
        let what = "parse_us, and the points decompressed and multiplied";
        report.value(keys.limit, limit, "us", what);
        let what = "the leg in a batch / that limit";
        report.value(keys.over, batch / limit, "", what);
        let short = self.equations * (self.of(keys.multiply) - self.of(keys.short));
        let what = "what is left of the leg: weighing, and generators";
        report.value(keys.rest, batch - limit + short, "us", what);
        let what = format!("portable_us / {}", keys.batch);
        report.value(keys.gain, self.of("portable_us") / batch, "", what);
    }

    fn plot(&self) -> Plot {
        let line = |name, of: &dyn Fn(&'static str) -> f64| {
            let points = self.batches().map(|(key, size)| (number(size), of(key))).collect();
            Line { name, points }
        };
        Plot {
            title: "Verifying a transfer leg",
            across: "legs in a batch",
            upwards: "us a leg",
            lines: vec![
                line("ours", &|key| self.of(key)),
                line("the crates one by one", &|_| self.of("naive_us")),
                line("what the arithmetic takes", &|_| self.limit(fastest().1)),
            ],
        }
    }
}

fn number(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}
