//! `measure TOPIC [--quick] [--minutes N] [--legs FOLDER] [--json] [--plot FILE]`: all side-by-side measurements (specs/measurements.md).

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use sudare_tests::measure::{self, Options, Topic};

/// Measures what Sudare costs, beside the limit or the alternative in the same run.
///
/// Use a release build: `cargo run --release -p sudare-tests --bin measure -- TOPIC`. `network` and `audit` run the release `sudare`
/// beside this program: build it first with `cargo build --release -p sudare`.
#[derive(Debug, Parser)]
#[command(name = "measure", max_term_width = 110)]
struct Arguments {
    /// What to measure
    #[arg(value_enum)]
    topic: Topic,
    /// Fewer or shorter runs, for a first look.
    #[arg(long)]
    quick: bool,
    /// `network`: let it go on at full load for so many minutes besides.
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u64).range(1..=1440))]
    minutes: Option<u64>,
    /// `audit`: keep the legs in this folder, some 900 MB, so that they are made once; it makes those that are missing.
    #[arg(long, value_name = "FOLDER")]
    legs: Option<PathBuf>,
    /// End with one JSON object on a line of its own.
    #[arg(long)]
    json: bool,
    /// Draw the result as SVG into this file; `verification` can be drawn.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if cfg!(debug_assertions) {
        let _ =
            writeln!(std::io::stderr(), "a debug build: these numbers say nothing; use --release");
    }
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "error: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    if arguments.plot.is_some() && arguments.topic != Topic::Verification {
        return Err("this topic has no drawing: only `verification` takes --plot".into());
    }
    if arguments.minutes.is_some() && arguments.topic != Topic::Network {
        return Err("this topic has no long run: only `network` takes --minutes".into());
    }
    if arguments.legs.is_some() && arguments.topic != Topic::Audit {
        return Err("this topic makes no legs to be kept: only `audit` takes --legs".into());
    }
    let legs = arguments.legs.clone();
    let options = Options { quick: arguments.quick, minutes: arguments.minutes, legs };
    let report = measure::run(arguments.topic, &options).map_err(|failed| failed.to_string())?;
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{}", report.table());
    if let (Some(file), Some(plot)) = (&arguments.plot, report.plot()) {
        fs::write(file, plot.svg()).map_err(|error| {
            format!("{}: {error}: name a file in a directory of yours", file.display())
        })?;
    }
    if arguments.json {
        let _ = writeln!(out, "{}", report.json());
    }
    Ok(())
}
