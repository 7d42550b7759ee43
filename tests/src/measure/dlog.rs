//! The search for an amount whose memo is missing or lies: cost of a step, searches of 40 and 48 bits with and without a table, what a
//! table costs, and what 64 bits take.

use curve25519_dalek::{RistrettoPoint, Scalar};
use sudare_crypto::Hash;
use sudare_disclosure::dlog::{Outcome, Search, Table, TableBuilder, TableSearch, TableSize};

use super::clock::{float, median, thread_ns};
use super::{Failed, Report, Topic};

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
        let (value, bound, seed) = (value(number, 40), bound(40), seed(number));
        forty.push(seconds(Search::kangaroo(&target(value), bound, 1, seed)?, value)?);
        giant.push(seconds(Search::new(&target(value), bound, seed)?, value)?);
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
    with_a_table(40, searches, FORTY, &mut report)?;
    if !quick {
        let without = (0..9u64).map(|number| {
            let (value, seed) = (value(number, 48), seed(number));
            seconds(Search::kangaroo(&target(value), bound(48), 1, seed)?, value)
        });
        let without = without.collect::<Result<Vec<_>, _>>()?;
        report.value("seconds_48", median(without), "s", "kangaroos find a 48-bit amount, median");
        with_a_table(48, searches, FORTY_EIGHT, &mut report)?;
    }
    Ok(report)
}

/// Keys of a table: to make it, its bytes, a search with it.
const FORTY: [&str; 3] = ["table_40_build_seconds", "table_40_bytes", "seconds_40_table"];
const FORTY_EIGHT: [&str; 3] = ["table_48_build_seconds", "table_48_bytes", "seconds_48_table"];

/// Makes the table that `sudare audit table` makes for so many bits, on one thread, and searches with it.
fn with_a_table(
    bits: u8,
    searches: u64,
    [build, bytes, search]: [&'static str; 3],
    report: &mut Report,
) -> Result<(), Failed> {
    let began = thread_ns();
    let table = table(bits)?;
    let took = float(thread_ns().saturating_sub(began)) / 1e9;
    report.value(build, took, "s", format!("making a table for {bits} bits, once"));
    let length = u64::try_from(table.to_bytes().len()).unwrap_or(u64::MAX);
    report.value(bytes, float(length), "bytes", "the table");
    let mut times = Vec::new();
    for number in 0..searches {
        let value = value(number, bits);
        let began = thread_ns();
        let target = target(value);
        let outcome = TableSearch::new(&target, bound(bits), &table, 1, seed(number))?.run();
        if outcome != Outcome::Found(value) {
            return Err(Failed::Wrong(format!("the search for {value} ended {outcome:?}")));
        }
        times.push(float(thread_ns().saturating_sub(began)) / 1e9);
    }
    report.value(search, median(times), "s", "a search with the table, median");
    Ok(())
}

fn table(bits: u8) -> Result<Table, Failed> {
    let size = TableSize::new(bits, None).map_err(|error| Failed::Wrong(error.to_string()))?;
    let mut builder = TableBuilder::new(size, 1);
    loop {
        for worker in builder.workers() {
            worker.run(STEPS);
        }
        if let Some(table) = builder.collect() {
            return Ok(table);
        }
    }
}

const fn bound(bits: u8) -> u64 {
    (1 << bits) - 1
}

fn seed(number: u64) -> [u8; 32] {
    Hash::of(b"measure/seed", &[&number.to_le_bytes()]).0
}

fn step_ns(search: &mut Search) -> f64 {
    let (done, began) = (search.progress().steps_done, thread_ns());
    search.step(STEPS);
    let took = thread_ns().saturating_sub(began);
    let steps = search.progress().steps_done.saturating_sub(done).max(1);
    float(took) / float(steps)
}

fn seconds(mut search: Search, value: u64) -> Result<f64, Failed> {
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
fn value(number: u64, bits: u8) -> u64 {
    let Hash(bytes) = Hash::of(b"measure/value", &[&number.to_le_bytes()]);
    let number = bytes.iter().take(8).fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    number & bound(bits)
}
