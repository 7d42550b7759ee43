//! `sudare audit solve`: the amount behind a ciphertext whose memo lies, by discrete logarithm.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use sudare_crypto::encoding::encode;
use sudare_crypto::{Encoded, Hash};
use sudare_disclosure::dlog::{Outcome, Search};

use super::{Failure, Output};
use crate::clock::now_ms;

/// Steps of one worker between looks at the clock.
const TURN: u64 = 1 << 18;
/// How often the file is written.
const SAVE_EVERY: Duration = Duration::from_secs(10);

/// A search.
#[derive(Debug, Args)]
pub(super) struct SolveArgs {
    /// The point, as `audit replay` names it: 64 hexadecimal digits.
    #[arg(long)]
    point: String,
    /// What the amount can't exceed: the supply.
    #[arg(long)]
    bound: u64,
    /// The file that keeps the search; the same command goes on from it. As secret as the amount.
    #[arg(long, value_name = "FILE")]
    file: PathBuf,
    /// Threads; all cores if left out. Fixed when a search begins.
    #[arg(long)]
    workers: Option<u16>,
}

/// Searches until the value is found, saving as it goes; Ctrl-C saves and stops.
pub(super) async fn run(args: SolveArgs, output: &Output) -> Result<(), Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let (flag, printed) = (Arc::clone(&stop), *output);
    let search = tokio::task::spawn_blocking(move || search(&args, &flag, &printed));
    tokio::pin!(search);
    loop {
        tokio::select! {
            done = &mut search => {
                let value = done.map_err(|error| Failure::CheckFailed(error.to_string()))??;
                output.result(&value.to_string(), &format!("the amount is {value} atomic units"));
                return Ok(());
            }
            _ = tokio::signal::ctrl_c() => stop.store(true, Ordering::Relaxed),
        }
    }
}

fn search(args: &SolveArgs, stop: &AtomicBool, output: &Output) -> Result<u64, Failure> {
    let mut search = open(args)?;
    let (began, first) = (now_ms(), search.progress().steps_done);
    let mut saved = began;
    while search.collect() == Outcome::Open {
        std::thread::scope(|scope| {
            for worker in search.workers() {
                scope.spawn(|| worker.run(TURN));
            }
        });
        let (now, progress) = (now_ms(), search.progress());
        let done = progress.steps_done.saturating_sub(first).max(1);
        let left = progress.steps_expected.saturating_sub(progress.steps_done);
        let eta = now.saturating_sub(began).saturating_mul(left) / done / 1000;
        let expected = progress.steps_expected.max(1);
        let percent = progress.steps_done.saturating_mul(100) / expected;
        output.progress(&format!("{percent} % of the expected steps, about {eta} s left"));
        if stop.load(Ordering::Relaxed) {
            save(&mut search, &args.file)?;
            let text = format!("stopped; the same command goes on from {}", args.file.display());
            return Err(Failure::CheckFailed(text));
        }
        if u128::from(now.saturating_sub(saved)) >= SAVE_EVERY.as_millis() {
            save(&mut search, &args.file)?;
            saved = now;
        }
    }
    save(&mut search, &args.file)?;
    match search.outcome() {
        Outcome::Found(value) => Ok(value),
        Outcome::Absent => Err(Failure::CheckFailed("no value up to the bound fits the point".into())),
        Outcome::Open | Outcome::Exhausted => Err(Failure::CheckFailed(
            "not found after eight times the expected steps: most likely the value is above the bound".into(),
        )),
    }
}

fn open(args: &SolveArgs) -> Result<Search, Failure> {
    let usage = |what: &str| Failure::Usage(format!("{}: {what}", args.point));
    let bytes = Hash::from_hex(&args.point).ok_or_else(|| usage("not 64 hexadecimal digits"))?.0;
    let point = Encoded::from_bytes(bytes).and_then(|point| point.decompress());
    let target = point.map_err(|_| usage("not a point of ristretto255"))?.compress();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = args.workers.unwrap_or_else(|| u16::try_from(cores).unwrap_or(1));
    let seed = Hash::of(b"sudare/solve/v1", &[&bytes, &encode(&args.bound)]).0;
    let fresh = Search::with_workers(&target, args.bound, workers, seed)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    if !args.file.exists() {
        return Ok(fresh);
    }
    let kept = Search::from_bytes(&read_large(&args.file)?)
        .map_err(|error| Failure::CheckFailed(format!("{}: {error}", args.file.display())))?;
    if kept.target() != target || kept.bound() != args.bound {
        return Err(Failure::Usage(format!("{} is of another search", args.file.display())));
    }
    Ok(kept)
}

fn read_large(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::File(path.to_owned(), error))
}

/// Replaces the file in one step.
fn save(search: &mut Search, path: &Path) -> Result<(), Failure> {
    let new = path.with_extension("new");
    let mut write = || {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(&search.to_bytes())?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    write().map_err(|error| Failure::File(path.to_owned(), error))
}
