//! `sudare audit table`: what `audit solve --table` searches with, made once.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use serde::Serialize;
use sudare_disclosure::dlog::{Table, TableBuilder, TableError, TableSize};

use super::solve::{Pace, TURN, save, threads, until_interrupted};
use super::{Failure, Output};

/// A table to make.
#[derive(Debug, Args)]
pub(super) struct TableArgs {
    /// Bits of the largest amount to search for: of the supply.
    #[arg(long, value_parser = clap::value_parser!(u8).range(24..=62))]
    bits: u8,
    /// The table has 2^N entries of 16 bytes; a third of the bits if left out. Four times as many double the time to make it and halve that of a search.
    #[arg(long, value_name = "N")]
    entries_log: Option<u8>,
    /// The file to write. Until it is whole, FILE.part beside it; the same command goes on from that.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Threads; all cores if left out.
    #[arg(long)]
    workers: Option<u16>,
}

/// What was made.
#[derive(Debug, Serialize)]
struct Made {
    bits: u8,
    entries: usize,
    bytes: usize,
    steps: u64,
    steps_of_a_search: u64,
}

/// Makes a table, saving as it goes; Ctrl-C saves and stops.
pub(super) async fn run(args: TableArgs, output: &Output) -> Result<(), Failure> {
    let printed = *output;
    let (out, workers) = (args.out.clone(), args.workers);
    let made = until_interrupted(move |stop| make(&args, threads(workers), stop, &printed)).await?;
    let text = format!(
        "{} entries, {} bytes, for values below 2^{}, written to {} in {} steps; a search with it takes about {}",
        made.entries,
        made.bytes,
        made.bits,
        out.display(),
        made.steps,
        made.steps_of_a_search,
    );
    output.result(&made, &text);
    Ok(())
}

fn make(
    args: &TableArgs,
    workers: u16,
    stop: &AtomicBool,
    output: &Output,
) -> Result<Made, Failure> {
    let size = TableSize::new(args.bits, args.entries_log).map_err(usage)?;
    if args.out.exists() {
        return Err(Failure::Usage(format!("{} exists: choose another name", args.out.display())));
    }
    let mut part = args.out.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let mut builder = open(size, workers, &part)?;
    let mut pace = Pace::new(builder.progress());
    let table: Table = loop {
        if let Some(table) = builder.collect() {
            break table;
        }
        std::thread::scope(|scope| {
            for worker in builder.workers() {
                scope.spawn(|| worker.run(TURN));
            }
        });
        let due = pace.tell(builder.progress(), output);
        let stopped = stop.load(Ordering::Relaxed);
        if due || stopped {
            save(&builder.to_bytes(), &part)?;
        }
        if stopped {
            let text = format!("stopped; the same command goes on from {}", part.display());
            return Err(Failure::CheckFailed(text));
        }
    };
    let bytes = table.to_bytes();
    save(&bytes, &args.out)?;
    if part.exists() {
        std::fs::remove_file(&part).map_err(|error| Failure::File(part, error))?;
    }
    Ok(Made {
        bits: size.bits(),
        entries: table.len(),
        bytes: bytes.len(),
        steps: builder.steps_done(),
        steps_of_a_search: size.steps_expected(),
    })
}

fn open(size: TableSize, workers: u16, part: &Path) -> Result<TableBuilder, Failure> {
    if !part.exists() {
        return Ok(TableBuilder::new(size, workers));
    }
    let bytes = std::fs::read(part).map_err(|error| Failure::File(part.to_owned(), error))?;
    let kept = TableBuilder::from_bytes(&bytes, workers).map_err(|error| {
        Failure::CheckFailed(format!("{}: {error}; delete it to begin anew", part.display()))
    })?;
    if kept.size() != size {
        let text = format!(
            "{} is of a table of other sizes: delete it, or choose another name",
            part.display()
        );
        return Err(Failure::Usage(text));
    }
    Ok(kept)
}

fn usage(error: TableError) -> Failure {
    Failure::Usage(error.to_string())
}
