//! The range prover beside that of the `bulletproofs` crate, on the same randomness.

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use merlin::Transcript;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::range::{self, BITS};
use sudare_crypto::{LedgerTranscript, Scalar};
use sudare_ledger::testing;

use super::clock::medians_us;
use super::{Failed, Report, Topic};

/// Values of a proof, and the keys of what it costs. The first is a transfer's, the last has no tables.
const SIZES: [(u8, [&str; 3]); 4] = [
    (2, ["prove_us", "prove_crate_us", "ratio"]),
    (1, ["prove_1_us", "prove_crate_1_us", "ratio_1"]),
    (4, ["prove_4_us", "prove_crate_4_us", "ratio_4"]),
    (16, ["prove_16_us", "prove_crate_16_us", "ratio_16"]),
];

/// Measures the topic.
pub(super) fn run(quick: bool) -> Result<Report, Failed> {
    let rounds = if quick { 3 } else { 31 };
    let title = "range proofs, and the bulletproofs crate proving the same; CPU time of one thread";
    let mut report = Report::new(Topic::Proving, title);
    for (values, [ours, peers, ratio]) in SIZES {
        let prover = Prover::new(values);
        let [us, crate_us] =
            medians_us(rounds, [&mut || prover.ours(), &mut || prover.by_the_crate()])?;
        report.value(ours, us, "us", format!("proving {values} values of 64 bits"));
        report.value(peers, crate_us, "us", "the crate proving the same");
        report.value(ratio, us / crate_us.max(f64::MIN_POSITIVE), "", "ours / the crate's");
    }
    Ok(report)
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

    fn ours(&self) -> Result<(), Failed> {
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
