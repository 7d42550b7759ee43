//! The range prover on every path of this processor beside that of the `bulletproofs` crate, on the same randomness.

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use merlin::Transcript;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::range::{self, BITS};
use sudare_crypto::{Kernel, LedgerTranscript, Scalar};
use sudare_ledger::testing;

use super::clock::{float, median, medians_us, wall_ns};
use super::{Failed, Report, Topic};

/// Values of a proof, and the keys of what it costs. The first is a transfer's, the last the largest leg's.
const SIZES: [(u8, [&str; 5]); 5] = [
    (2, ["prove_us", "prove_portable_us", "prove_crate_us", "ratio", "ratio_portable"]),
    (1, ["prove_1_us", "prove_portable_1_us", "prove_crate_1_us", "ratio_1", "ratio_portable_1"]),
    (4, ["prove_4_us", "prove_portable_4_us", "prove_crate_4_us", "ratio_4", "ratio_portable_4"]),
    (
        16,
        [
            "prove_16_us",
            "prove_portable_16_us",
            "prove_crate_16_us",
            "ratio_16",
            "ratio_portable_16",
        ],
    ),
    (
        64,
        [
            "prove_64_us",
            "prove_portable_64_us",
            "prove_crate_64_us",
            "ratio_64",
            "ratio_portable_64",
        ],
    ),
];

/// Measures the topic.
pub(super) fn run(quick: bool) -> Result<Report, Failed> {
    let title = "range proofs, and the bulletproofs crate proving the same; CPU time of one thread";
    let mut report = Report::new(Topic::Proving, title);
    let fastest = Kernel::all().last().unwrap_or(Kernel::PORTABLE);
    for (values, [ours, portable, peers, ratio, ratio_portable]) in SIZES {
        let rounds = if quick {
            3
        } else if values > 16 {
            9
        } else {
            31
        };
        let prover = Prover::new(values);
        let [us, portable_us, crate_us] = medians_us(
            rounds,
            [&mut || prover.by(fastest), &mut || prover.by(Kernel::PORTABLE), &mut || {
                prover.by_the_crate()
            }],
        )?;
        let limit = crate_us.max(f64::MIN_POSITIVE);
        report.value(
            ours,
            us,
            "us",
            format!("proving {values} values of 64 bits, {}", fastest.name()),
        );
        report.value(portable, portable_us, "us", "the same, portable");
        report.value(peers, crate_us, "us", "the crate proving the same");
        report.value(ratio, us / limit, "", "ours / the crate's");
        report.value(ratio_portable, portable_us / limit, "", "the same, portable");
    }
    let largest = Prover::new(64);
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for _ in 0..if quick { 1 } else { 9 } {
        one.push(on_the_clock_us(|| largest.by(fastest))?);
        all.push(on_the_clock_us(|| largest.on_all_cores())?);
    }
    report.value("wall_64_us", median(one), "us", "64 values on the clock, one thread");
    report.value("wall_64_all_us", median(all), "us", "the same on all cores");
    Ok(report)
}

fn on_the_clock_us(action: impl FnOnce() -> Result<(), Failed>) -> Result<f64, Failed> {
    let before = wall_ns();
    action()?;
    Ok(float(wall_ns().saturating_sub(before)) / 1_000.0)
}

/// What is proved again and again.
struct Prover {
    openings: Vec<Opening>,
    values: Vec<u64>,
    blindings: Vec<Scalar>,
    generators: BulletproofGens,
}

impl Prover {
    fn new(values: u8) -> Self {
        let rng = &mut testing::rng(1);
        let blindings: Vec<Scalar> = (0..values).map(|_| Scalar::random(rng)).collect();
        let opening = |blinding: &Scalar| Opening { value: 900_000, blinding: *blinding };
        Self {
            openings: blindings.iter().map(opening).collect(),
            values: vec![900_000; blindings.len()],
            generators: BulletproofGens::new(BITS, blindings.len()),
            blindings,
        }
    }

    fn by(&self, kernel: Kernel) -> Result<(), Failed> {
        let transcript = &mut LedgerTranscript::new(b"sudare/measure/v1", b"");
        Ok(range::prove_by(kernel, &self.openings, transcript, &mut testing::rng(2)).map(drop)?)
    }

    fn on_all_cores(&self) -> Result<(), Failed> {
        let transcript = &mut LedgerTranscript::new(b"sudare/measure/v1", b"");
        Ok(range::prove(&self.openings, transcript, &mut testing::rng(2)).map(drop)?)
    }

    fn by_the_crate(&self) -> Result<(), Failed> {
        RangeProof::prove_multiple_with_rng(
            &self.generators,
            &PedersenGens::default(),
            &mut Transcript::new(b"sudare/measure/v1"),
            &self.values,
            &self.blindings,
            BITS,
            &mut testing::rng(2),
        )
        .map(drop)
        .map_err(Failed::Crate)
    }
}
