//! Transfer legs verified in batches, beside the crates one by one and what the arithmetic alone would take.

mod arithmetic;
mod legs;

use std::collections::BTreeMap;

use sudare_crypto::Claims;
use sudare_ledger::testing;

pub use legs::Legs;

use super::clock::{Action, float, medians_of, medians_us};
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
const FULL: usize = 256;
/// With this many disclosure keys: the time in a batch of 256, and the bytes.
const KEYS: [(&str, &str, u8); 4] = [
    ("keys_1_us", "keys_1_bytes", 1),
    ("keys_2_us", "keys_2_bytes", 2),
    ("keys_3_us", "keys_3_bytes", 3),
    ("keys_4_us", "keys_4_bytes", 4),
];
/// Where the time goes.
const SPLIT: [(&str, &str); 5] = [
    ("parse_us", "what a leg takes before its points: transcripts, scalars, slot signatures"),
    ("slots_us", "the slot signatures of a leg, in parse_us"),
    ("decompress_us", "decompressing a point"),
    ("multiply_us", "a point in a multiplication of as many as the batch has"),
    ("multiply_short_us", "the same with coefficients of 128 bits"),
];
/// How often what is over soon is done in a row.
const OFTEN: usize = 8;

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
        let [us] = medians_us(rounds.min(3), [&mut || of_keys.verify(count, rng)])?;
        let what = format!("a leg under {keys} keys, {count} in a batch");
        report.value(time, us / number(count), "us", what);
        let what = format!("the encoded leg under {keys} keys");
        report.value(bytes, number(of_keys.bytes()), "B", what);
    }
    Ok(report)
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
        let count = points.saturating_mul(full);
        let random = Arithmetic::with(count);
        let crate_alone = legs.peer()?;
        let (proof, commitments) = crate_alone.prove(&mut testing::rng(2))?;
        let batch = |size: usize| {
            // Small batches are over soon.
            let times = OFTEN.div_ceil(size);
            move || (0..times).try_for_each(|_| legs.verify(size, &mut testing::rng(6)))
        };
        let mut batches = SIZES.map(|(_, size)| batch(size.min(largest)));
        let mut naive = || {
            let rng = &mut testing::rng(7);
            for _ in 0..OFTEN {
                let claims = legs.parse(1)?;
                let mut equations = claims.iter().flat_map(Claims::one_by_one);
                equations.try_for_each(|one| one.accept(rng))?;
                crate_alone.verify(&proof, &commitments, rng)?;
            }
            Ok(())
        };
        let (mut parse, mut slots) = (|| legs.parse(full).map(drop), || legs.slots(full));
        let mut false_leg = || legs.name_a_false_one(full, &mut testing::rng(6));
        let mut decompress = || random.decompress();
        let mut multiply = || {
            random.multiply();
            Ok(())
        };
        let mut short = || {
            random.multiply_short();
            Ok(())
        };

        let mut lanes: Vec<(&str, usize, Action<'_>)> = vec![
            ("naive_us", OFTEN, &mut naive),
            ("false_leg_us", full, &mut false_leg),
            ("parse_us", full, &mut parse),
            ("slots_us", full, &mut slots),
            ("decompress_us", count, &mut decompress),
            ("multiply_us", count, &mut multiply),
            ("multiply_short_us", count, &mut short),
        ];
        let mut sizes = SIZES.into_iter();
        for action in &mut batches {
            let (key, size) = sizes.next().unwrap_or_default();
            let size = size.min(largest);
            lanes.push((key, size.saturating_mul(OFTEN.div_ceil(size.max(1))), action));
        }
        let per: Vec<(&str, usize)> = lanes.iter().map(|(key, per, _)| (*key, *per)).collect();
        let mut medians = medians_of(rounds, lanes.into_iter().map(|(_, _, action)| action))?;
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

    /// What the arithmetic alone takes.
    fn limit(&self) -> f64 {
        let point = self.of("decompress_us") + self.of("multiply_us");
        self.points.mul_add(point, self.of("parse_us"))
    }

    fn report(&self, report: &mut Report) {
        let full = self.largest.min(FULL);
        let naive = "the crate's range verifier, and each equation by itself";
        report.value("naive_us", self.of("naive_us"), "us", naive);
        for (key, size) in self.batches() {
            let what = format!("ours, {size} legs in a batch, parsing included");
            report.value(key, self.of(key), "us", what);
        }
        let portable = self.batches().rfind(|(_, size)| *size <= FULL);
        let portable = portable.map_or(f64::NAN, |(key, _)| self.of(key));
        let best = self.batches().map(|(key, _)| self.of(key)).fold(f64::INFINITY, f64::min);
        let what = format!("ours in batches of {full}, where one is full");
        report.value("portable_us", portable, "us", what);
        report.value("best_us", best, "us", "ours in the fastest batch");
        report.value("ratio", self.of("naive_us") / best, "", "naive_us / best_us");
        report.value("points", self.points, "", "points of each leg to decompress");
        let what = "equations of each leg: of so many points the coefficient is short";
        report.value("equations", self.equations, "", what);
        for (key, what) in SPLIT {
            report.value(key, self.of(key), "us", what);
        }
        let limit = self.limit();
        let what = "points x (decompress_us + multiply_us) + parse_us";
        report.value("limit_us", limit, "us", what);
        report.value("over_limit", best / limit, "", "best_us / limit_us");
        let short = self.equations * (self.of("multiply_us") - self.of("multiply_short_us"));
        let what = "portable_us without parsing, decompressing and multiplying: the weighing";
        report.value("rest_us", portable - limit + short, "us", what);
        let what = format!("{full} legs with a false one, which is named / {full} good ones");
        report.value("false_leg_ratio", self.of("false_leg_us") / portable, "", what);
        report.draw(self.plot());
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
                line("what the arithmetic takes", &|_| self.limit()),
            ],
        }
    }
}

fn number(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}
