//! `measure TOPIC [--quick] [--json]`: all side-by-side measurements (specs/measurements.md).

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use sudare_tests::measure::{self, Topic};

/// Measures what Sudare costs, beside the limit or the alternative in the same run.
///
/// Use a release build: `cargo run --release -p sudare-tests --bin measure -- TOPIC`. `network` runs the release `sudare` beside
/// this program: build it first with `cargo build --release -p sudare`.
#[derive(Debug, Parser)]
#[command(name = "measure", max_term_width = 110)]
struct Arguments {
    /// What to measure
    #[arg(value_enum)]
    topic: Topic,
    /// Fewer or shorter runs, for a first look.
    #[arg(long)]
    quick: bool,
    /// End with one JSON object on a line of its own.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if cfg!(debug_assertions) {
        let _ =
            writeln!(std::io::stderr(), "a debug build: these numbers say nothing; use --release");
    }
    match measure::run(arguments.topic, arguments.quick) {
        Ok(report) => {
            let mut out = std::io::stdout();
            let _ = writeln!(out, "{}", report.table());
            if arguments.json {
                let _ = writeln!(out, "{}", report.json());
            }
            ExitCode::SUCCESS
        }
        Err(failed) => {
            let _ = writeln!(std::io::stderr(), "error: {failed}");
            ExitCode::FAILURE
        }
    }
}
