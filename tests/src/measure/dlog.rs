//! The search for an amount whose memo is missing or lies: cost of a step, a search of 40 bits, and what 64 bits take.

use curve25519_dalek::{RistrettoPoint, Scalar};
use sudare_crypto::Hash;
use sudare_disclosure::dlog::{Outcome, Search};

use super::clock::{float, median, thread_ns};
use super::{Failed, Report, Topic};

const BOUND_40: u64 = (1 << 40) - 1;
/// Steps of one run that times a step.
const STEPS: u64 = 1 << 20;

/// Measures the topic.
pub(super) fn run(quick: bool) -> Result<Report, Failed> {
    let (rounds, searches) = if quick { (3, 5) } else { (9, 41) };
    let (mut steps, mut forty, mut giant) = (Vec::new(), Vec::new(), Vec::new());
    let mut wide = Search::kangaroo(&target(u64::MAX / 3), u64::MAX, 1, [7; 32])?;
    for number in 0u64..searches {
        if number < rounds {
            steps.push(step_ns(&mut wide));
        }
        let (value, seed) = (value(number), Hash::of(b"measure/seed", &[&number.to_le_bytes()]));
        let mut kangaroo = Search::kangaroo(&target(value), BOUND_40, 1, seed.0)?;
        forty.push(seconds(&mut kangaroo, value)?);
        giant.push(seconds(&mut Search::new(&target(value), BOUND_40, seed.0)?, value)?);
    }
    let ns = median(steps);
    let expected = float(Search::steps_expected(u64::MAX));
    let mean = forty.iter().sum::<f64>() / float(searches);
    let title = format!(
        "an amount from its point, one thread; medians of {rounds} and {searches} searches"
    );
    let mut report = Report::new(Topic::Dlog, title);
    report.value("ns_per_step", ns, "ns", "one step of a kangaroo, 64-bit range");
    report.value("seconds_40", median(forty), "s", "kangaroos find a 40-bit amount, median");
    report.value("seconds_40_mean", mean, "s", "the same, mean: times spread widely");
    report.value("seconds_40_giant", median(giant), "s", "baby steps and giant steps find it");
    let hours = expected * ns / 3.6e12;
    report.value(
        "hours_64_per_core",
        hours,
        "h",
        "computed: expected steps at 64 bits x ns_per_step",
    );
    Ok(report)
}

fn step_ns(search: &mut Search) -> f64 {
    let (done, began) = (search.progress().steps_done, thread_ns());
    search.step(STEPS);
    let took = thread_ns().saturating_sub(began);
    let steps = search.progress().steps_done.saturating_sub(done).max(1);
    float(took) / float(steps)
}

fn seconds(search: &mut Search, value: u64) -> Result<f64, Failed> {
    let began = thread_ns();
    loop {
        match search.step(STEPS) {
            Outcome::Open => (),
            Outcome::Found(found) if found == value => break,
            ended => return Err(Failed::Wrong(format!("the search for {value} ended {ended:?}"))),
        }
    }
    Ok(float(thread_ns().saturating_sub(began)) / 1e9)
}

fn target(value: u64) -> curve25519_dalek::ristretto::CompressedRistretto {
    RistrettoPoint::mul_base(&Scalar::from(value)).compress()
}

/// Amounts spread over the range, the same in every run.
fn value(number: u64) -> u64 {
    let Hash(bytes) = Hash::of(b"measure/value", &[&number.to_le_bytes()]);
    let number = bytes.iter().take(8).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    number & BOUND_40
}
