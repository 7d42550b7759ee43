//! `sudare audit solve`: the amount behind a ciphertext whose memo lies, by discrete logarithm.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use sudare_crypto::encoding::encode;
use sudare_crypto::{Encoded, Hash, RistrettoPoint};
use sudare_disclosure::dlog::{Outcome, Progress, Search, Table, TableSearch};

use super::{Failure, Output};
use crate::clock::now_ms;

/// Steps of one worker between looks at the clock.
pub(super) const TURN: u64 = 1 << 18;
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
    /// The file that keeps the search; the same command goes on from it. As secret as the amount. With a table there is nothing
    /// to keep.
    #[arg(long, value_name = "FILE", required_unless_present = "table", conflicts_with = "table")]
    file: Option<PathBuf>,
    /// A table that `sudare audit table` made, of as many bits as the bound or more: far fewer steps.
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// Threads; all cores if left out. Fixed when a search begins.
    #[arg(long)]
    workers: Option<u16>,
}

/// Searches until the value is found, saving as it goes; Ctrl-C saves and stops.
pub(super) async fn run(args: SolveArgs, output: &Output) -> Result<(), Failure> {
    let printed = *output;
    let value = until_interrupted(move |stop| match (&args.table, &args.file) {
        (Some(table), _) => with_table(&args, table, stop, &printed),
        (None, Some(file)) => search(&args, file, stop, &printed),
        (None, None) => Err(Failure::Usage("give --file or --table".into())),
    })
    .await?;
    output.result(&value.to_string(), &format!("the amount is {value} atomic units"));
    Ok(())
}

/// Runs something long on a thread that may block; Ctrl-C raises the flag.
pub(super) async fn until_interrupted<T: Send + 'static>(
    work: impl FnOnce(&AtomicBool) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let work = tokio::task::spawn_blocking(move || work(&flag));
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done.map_err(|error| Failure::CheckFailed(error.to_string()))?,
            _ = tokio::signal::ctrl_c() => stop.store(true, Ordering::Relaxed),
        }
    }
}

/// How fast something long goes, and when to save it.
pub(super) struct Pace {
    began: u64,
    saved: u64,
    first: u64,
}

impl Pace {
    pub(super) fn new(progress: Progress) -> Self {
        let now = now_ms();
        Self { began: now, saved: now, first: progress.steps_done }
    }

    /// Says how far it is, and whether it is time to save.
    pub(super) fn tell(&mut self, progress: Progress, output: &Output) -> bool {
        let now = now_ms();
        let done = progress.steps_done.saturating_sub(self.first).max(1);
        let left = progress.steps_expected.saturating_sub(progress.steps_done);
        let took = u128::from(now.saturating_sub(self.began));
        let eta = took * u128::from(left) / u128::from(done) / 1000;
        let expected = u128::from(progress.steps_expected.max(1));
        let percent = u128::from(progress.steps_done) * 100 / expected;
        if took > 2_000 {
            output.progress(&format!("{percent} % of the expected steps, about {eta} s left"));
        }
        let due = u128::from(now.saturating_sub(self.saved)) >= SAVE_EVERY.as_millis();
        if due {
            self.saved = now;
        }
        due
    }
}

fn search(
    args: &SolveArgs,
    file: &Path,
    stop: &AtomicBool,
    output: &Output,
) -> Result<u64, Failure> {
    let mut search = open(args, file)?;
    let mut pace = Pace::new(search.progress());
    while search.collect() == Outcome::Open {
        std::thread::scope(|scope| {
            for worker in search.workers() {
                scope.spawn(|| worker.run(TURN));
            }
        });
        let due = pace.tell(search.progress(), output);
        if stop.load(Ordering::Relaxed) {
            save(&search.to_bytes(), file)?;
            let text = format!("stopped; the same command goes on from {}", file.display());
            return Err(Failure::CheckFailed(text));
        }
        if due {
            save(&search.to_bytes(), file)?;
        }
    }
    save(&search.to_bytes(), file)?;
    let often =
        "not found after eight times the expected steps: most likely the value is above the bound";
    value(search.outcome(), often)
}

fn with_table(
    args: &SolveArgs,
    path: &Path,
    stop: &AtomicBool,
    output: &Output,
) -> Result<u64, Failure> {
    let bytes = std::fs::read(path).map_err(|error| Failure::File(path.to_owned(), error))?;
    let failed = |error| Failure::CheckFailed(format!("{}: {error}", path.display()));
    let table = Table::from_bytes(&bytes).map_err(failed)?;
    let Wanted { target, workers, seed } = Wanted::of(args)?;
    let mut search = TableSearch::new(&target.compress(), args.bound, &table, workers, seed)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    let mut pace = Pace::new(search.progress());
    while search.collect() == Outcome::Open {
        std::thread::scope(|scope| {
            for worker in search.workers() {
                scope.spawn(|| worker.run(TURN));
            }
        });
        pace.tell(search.progress(), output);
        if stop.load(Ordering::Relaxed) {
            return Err(Failure::CheckFailed("stopped; nothing is lost, run it again".into()));
        }
    }
    let often = "not found in forty times the expected steps: most likely the value is above the bound; --file FILE instead of --table searches without it";
    value(search.collect(), often)
}

fn value(outcome: Outcome, exhausted: &str) -> Result<u64, Failure> {
    match outcome {
        Outcome::Found(value) => Ok(value),
        Outcome::Absent => {
            Err(Failure::CheckFailed("no value up to the bound fits the point".into()))
        }
        Outcome::Open | Outcome::Exhausted => Err(Failure::CheckFailed(exhausted.into())),
    }
}

/// What is searched, by whom.
struct Wanted {
    target: RistrettoPoint,
    workers: u16,
    seed: [u8; 32],
}

impl Wanted {
    fn of(args: &SolveArgs) -> Result<Self, Failure> {
        let usage = |what: &str| Failure::Usage(format!("{}: {what}", args.point));
        let bytes =
            Hash::from_hex(&args.point).ok_or_else(|| usage("not 64 hexadecimal digits"))?.0;
        let point = Encoded::from_bytes(bytes).and_then(|point| point.decompress());
        let target = point.map_err(|_| usage("not a point of ristretto255"))?;
        let seed = Hash::of(b"sudare/solve/v1", &[&bytes, &encode(&args.bound)]).0;
        Ok(Self { target, workers: threads(args.workers), seed })
    }
}

/// So many threads, or all cores.
pub(super) fn threads(asked: Option<u16>) -> u16 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    asked.unwrap_or_else(|| u16::try_from(cores).unwrap_or(1))
}

fn open(args: &SolveArgs, file: &Path) -> Result<Search, Failure> {
    let Wanted { target, workers, seed } = Wanted::of(args)?;
    let fresh = Search::with_workers(&target.compress(), args.bound, workers, seed)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    if !file.exists() {
        return Ok(fresh);
    }
    let bytes = std::fs::read(file).map_err(|error| Failure::File(file.to_owned(), error))?;
    let kept = Search::from_bytes(&bytes)
        .map_err(|error| Failure::CheckFailed(format!("{}: {error}", file.display())))?;
    if kept.target() != target.compress() || kept.bound() != args.bound {
        return Err(Failure::Usage(format!("{} is of another search", file.display())));
    }
    Ok(kept)
}

/// Replaces the file in one step.
pub(super) fn save(bytes: &[u8], path: &Path) -> Result<(), Failure> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    let write = || {
        let mut options = std::fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&new, path)
    };
    write().map_err(|error| Failure::File(path.to_owned(), error))
}
