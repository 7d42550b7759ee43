//! Transfer legs verified in batches, beside the crates one by one and what the arithmetic alone would take.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::traits::VartimeMultiscalarMul;
use sudare_crypto::encoding::encode;
use sudare_crypto::{Batch, Claims, Scalar};
use sudare_ledger::leg::{BuiltLeg, Links};
use sudare_ledger::testing;

use super::clock::{float, median, medians_us, thread_ns};
use super::leg::Crate;
use super::{Failed, Report, Topic, Transfer};

/// Legs in a batch.
const SIZES: [(&str, usize); 5] = [
    ("batch_1_us", 1),
    ("batch_16_us", 16),
    ("batch_64_us", 64),
    ("batch_256_us", 256),
    ("batch_1024_us", 1024),
];
/// With this many disclosure keys: the time in a batch of 256, and the bytes.
const KEYS: [(&str, &str, u8); 4] = [
    ("keys_1_us", "keys_1_bytes", 1),
    ("keys_2_us", "keys_2_bytes", 2),
    ("keys_3_us", "keys_3_bytes", 3),
    ("keys_4_us", "keys_4_bytes", 4),
];

/// A leg with what its verifier needs.
struct Sample {
    transfer: Transfer,
    built: BuiltLeg,
    links: Links,
}

impl Sample {
    fn new(keys: u8, seed: u64) -> Result<Self, Failed> {
        let mut transfer = Transfer::with(keys, seed);
        let built = transfer.build()?;
        let links = transfer.open(&built.leg)?.links;
        let links = links.ok_or_else(|| Failed::Wrong("the leg has no links".into()))?;
        Ok(Self { transfer, built, links })
    }

    fn claims(&self) -> Result<Claims, Failed> {
        self.transfer.claims(&self.built.leg, &self.links)
    }
}

/// Measures the topic.
pub(super) fn run(quick: bool) -> Result<Report, Failed> {
    let (largest, rounds) = if quick { (16, 3) } else { (1024, 9) };
    let samples = legs(2, largest)?;
    let one = samples.first().ok_or_else(|| Failed::Wrong("no leg".into()))?;
    let points = float(u64::try_from(one.claims()?.points()).unwrap_or(u64::MAX));
    let naive = naive(one, rounds)?;
    let mut report = Report::new(
        Topic::Verification,
        "a transfer's proofs, two inputs, two outputs, two keys, links included; CPU time of one thread for each leg",
    );
    report.value(
        "naive_us",
        naive,
        "us",
        "the crate's range verifier, and each equation by itself",
    );
    let mut best = f64::INFINITY;
    let mut portable = f64::INFINITY;
    for (key, size) in SIZES.into_iter().filter(|(_, size)| *size <= largest) {
        let us = batch(&samples, size, rounds)?;
        report.value(key, us, "us", format!("ours, {size} legs in a batch, parsing included"));
        best = best.min(us);
        if size <= 256 {
            portable = us;
        }
    }
    report.value("portable_us", portable, "us", "ours in batches of 256, the size of a full one");
    report.value("best_us", best, "us", "ours in the fastest batch");
    report.value("ratio", naive / best, "", "naive_us / best_us");
    report.value("points", points, "", "points to decompress, of each leg");
    let split = Split::measure(&samples, largest.min(256), rounds)?;
    split.report(&mut report, points, best);
    for (time, bytes, keys) in KEYS {
        let of_keys = legs(keys, largest.min(256))?;
        let us = batch(&of_keys, of_keys.len(), rounds.min(3))?;
        let size = of_keys.first().map_or(0, |sample| encode(&sample.built.leg).len());
        let what = format!("a leg under {keys} keys, {} in a batch", of_keys.len());
        report.value(time, us, "us", what);
        let size = float(u64::try_from(size).unwrap_or(u64::MAX));
        report.value(bytes, size, "B", format!("the encoded leg under {keys} keys"));
    }
    Ok(report)
}

/// What a leg costs that no way of writing the verifier avoids.
struct Split {
    parse_us: f64,
    decompress_us: f64,
    multiply_us: f64,
}

impl Split {
    fn measure(samples: &[Sample], size: usize, rounds: usize) -> Result<Self, Failed> {
        let rng = &mut testing::rng(5);
        let count = size.saturating_mul(60);
        let points: Vec<RistrettoPoint> = (0..count).map(|_| RistrettoPoint::random(rng)).collect();
        let scalars: Vec<Scalar> = (0..count).map(|_| Scalar::random(rng)).collect();
        let encoded: Vec<CompressedRistretto> =
            points.iter().map(RistrettoPoint::compress).collect();
        let [parse, decompress, multiply] = medians_us(
            rounds,
            [
                &mut || samples.iter().take(size).try_for_each(|one| one.claims().map(drop)),
                &mut || {
                    let all = encoded.iter().all(|point| point.decompress().is_some());
                    all.then_some(()).ok_or_else(|| Failed::Wrong("a point".into()))
                },
                &mut || {
                    std::hint::black_box(RistrettoPoint::vartime_multiscalar_mul(
                        &scalars, &points,
                    ));
                    Ok(())
                },
            ],
        )?;
        let each = |us: f64, of: usize| us / float(u64::try_from(of).unwrap_or(1).max(1));
        Ok(Self {
            parse_us: each(parse, size),
            decompress_us: each(decompress, count),
            multiply_us: each(multiply, count),
        })
    }

    fn report(&self, report: &mut Report, points: f64, best: f64) {
        let Self { parse_us, decompress_us, multiply_us } = *self;
        let limit = points * (decompress_us + multiply_us) + parse_us;
        report.value(
            "parse_us",
            parse_us,
            "us",
            "transcripts, scalars and slot signatures of a leg",
        );
        report.value("decompress_us", decompress_us, "us", "decompressing a point");
        report.value(
            "multiply_us",
            multiply_us,
            "us",
            "a point in a multiplication of as many as the batch has",
        );
        let what = "points x (decompress_us + multiply_us) + parse_us";
        report.value("limit_us", limit, "us", what);
        report.value("over_limit", best / limit, "", "best_us / limit_us");
    }
}

fn legs(keys: u8, count: usize) -> Result<Vec<Sample>, Failed> {
    (1..).take(count).map(|seed| Sample::new(keys, seed)).collect()
}

/// The time of a leg in batches of this size, from its bytes to the decision.
fn batch(samples: &[Sample], size: usize, rounds: usize) -> Result<f64, Failed> {
    let mut times = Vec::with_capacity(rounds);
    let rng = &mut testing::rng(6);
    // Small batches are over soon: take more of them.
    for round in 0..=rounds.saturating_mul(64_usize.div_ceil(size)) {
        let first = round.saturating_mul(size) % samples.len().saturating_sub(size).max(1);
        let before = thread_ns();
        let mut batch = Batch::new();
        for sample in samples.iter().skip(first).take(size) {
            batch.add(sample.claims()?);
        }
        batch.decide(rng)?;
        let took = float(thread_ns().saturating_sub(before)) / 1_000.0;
        if round > 0 {
            times.push(took / float(u64::try_from(size).unwrap_or(1)));
        }
    }
    Ok(median(times))
}

/// The time of a leg with the crate's verifier, each equation decided by itself.
fn naive(sample: &Sample, rounds: usize) -> Result<f64, Failed> {
    let peer = Crate::of(&sample.transfer, &sample.built)?;
    let (proof, commitments) = peer.prove(&mut testing::rng(2))?;
    let rng = &mut testing::rng(7);
    let [us] = medians_us(
        rounds.saturating_mul(5),
        [&mut || {
            let claims = sample.claims()?;
            claims.one_by_one().try_for_each(|one| one.accept(rng))?;
            peer.verify(&proof, &commitments, rng)
        }],
    )?;
    Ok(us)
}
