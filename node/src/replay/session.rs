//! A replay that fetches while it verifies, up to one checkpoint of the registrar after the other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rand_core::OsRng;
use sudare_crypto::Encoded;
use sudare_disclosure::DisclosureSecret;
use sudare_disclosure::dlog::{Outcome, Search};
use sudare_ledger::audit::{AssetLog, AuditError, Holding, Replay, Report};
use sudare_ledger::tree::SignedCheckpoint;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::export::{self, AUDIT_FILE};
use super::keys::NodeKeys;
use super::state::State;
use super::{HOLDINGS_SHOWN, Out, Reading, ReplayReport, Task, record};
use crate::cli::Failure;
use crate::cli::connect::Connection;
use crate::clock::now_ms;
use crate::operator::{PeerAnswer, PeerQuery};

/// The largest bound of a discrete logarithm that a replay searches by itself: about a minute.
const SEARCH_BOUND_MAX: u64 = 1 << 48;
/// Pages that wait to be verified: the registrar is asked no faster than that.
const PAGES_AHEAD: usize = 1;
/// How many rows are read at once.
const ROWS: usize = 1024;

pub(super) type Run = Replay<OsRng, State>;

/// A replay of one asset's log by one node.
pub struct Session<'a> {
    connection: &'a Connection,
    log: AssetLog,
    code: String,
    reading: Reading,
    solved: Arc<BTreeMap<Encoded, u64>>,
    folder: Option<PathBuf>,
    out: Option<Out>,
    /// Ctrl-C, if it goes on from a folder; one that comes while nobody waits for it is not lost.
    interrupts: Option<Signal>,
    /// None only while it works, or after it failed.
    run: Option<Box<Run>>,
    fetched: u64,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({:?})", self.log)
    }
}

/// Where catching up ended.
#[derive(Debug)]
pub enum Reached {
    /// At this checkpoint, below which nothing is left.
    Checkpoint(SignedCheckpoint),
    /// Before this entry, because the user wants it to stop.
    Stopped(u64),
}

/// How far a replay is, and how fast it goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    /// Entries verified and kept.
    pub done: u64,
    /// Entries under the checkpoint.
    pub of: u64,
    /// Entries verified since it was started or went on.
    pub now: u64,
    /// How long that took, ms.
    pub took_ms: u64,
}

impl Pace {
    /// Seconds that are left at this pace; none before anything can be said.
    #[must_use]
    pub fn seconds_left(&self) -> Option<u64> {
        let left = u128::from(self.of.saturating_sub(self.done));
        let ms = u128::from(self.took_ms).checked_mul(left)?.checked_div(self.now.into())?;
        u64::try_from(ms.div_ceil(1000)).ok()
    }
}

impl std::fmt::Display for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {} entries verified", self.done, self.of)?;
        match self.seconds_left() {
            Some(left) if self.took_ms > 2_000 => write!(f, ", about {left} s left"),
            _ => Ok(()),
        }
    }
}

impl<'a> Session<'a> {
    /// Begins a replay, or goes on with the one in the task's folder.
    ///
    /// # Errors
    ///
    /// [`Failure::CheckFailed`] if the folder can't be used or holds another replay.
    pub fn open(connection: &'a Connection, task: Task<'_>) -> Result<Self, Failure> {
        let Task { terms, reading, known, folder, at_once, out } = task;
        let core = &terms.terms.core;
        let (asset, registrar) = (terms.terms.asset(), core.registrar);
        let log = AssetLog { network: connection.node.network, asset, registrar };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let replay = match &reading {
            Reading::Nothing => Replay::new(log, Vec::<DisclosureSecret>::new(), OsRng),
            Reading::Keys => Replay::new(log, NodeKeys::of(connection), OsRng),
            Reading::Under(permit) => {
                Replay::new(log, NodeKeys::of(connection), OsRng).under(permit)?
            }
        };
        let replay = replay.knowing(known.seeds).on(cores);
        let replay = match at_once {
            Some(legs) => replay.at_once(legs),
            None => replay,
        };
        let run = replay.kept_in(State::open(folder)?).map_err(failed)?;
        let interrupts = folder.and_then(|_| signal(SignalKind::interrupt()).ok());
        Ok(Self {
            connection,
            log,
            code: core.code.as_str().to_owned(),
            reading,
            solved: Arc::new(known.solved),
            folder: folder.map(ToOwned::to_owned),
            out,
            interrupts,
            run: Some(Box::new(run)),
            fetched: 0,
        })
    }

    /// Verifies and reads all entries under the registrar's newest checkpoint, fetching the next page meanwhile. If it is kept in a
    /// folder, Ctrl-C stops it.
    ///
    /// # Errors
    ///
    /// [`Failure::CheckFailed`] with the culprit; [`Failure::Net`]: what was decided before is kept in either case.
    pub async fn catch_up(&mut self, mut progress: impl FnMut(&Pace)) -> Result<Reached, Failure> {
        let run = self.run.take().ok_or_else(gone)?;
        let (began, first) = (now_ms(), run.kept());
        let mut next = run.next();
        let done = Arc::new(AtomicU64::new(first));
        let (pages, arrived) = mpsc::channel(PAGES_AHEAD);
        let told = Arc::clone(&done);
        let verifying = tokio::task::spawn_blocking(move || verify(run, arrived, &told));
        let mut last: Option<SignedCheckpoint> = None;
        let fetching = async {
            // Entries beyond the first checkpoint belong to a later one.
            loop {
                let (entries, checkpoint) =
                    page(self.connection, &self.log, next, last.as_ref()).await?;
                let size = last.get_or_insert(checkpoint).unverified().size;
                let more = u64::try_from(entries.len()).unwrap_or(u64::MAX);
                let bytes: usize = entries.iter().map(Vec::len).sum();
                self.fetched = self.fetched.saturating_add(u64::try_from(bytes).unwrap_or(0));
                // Who verifies has found a culprit.
                if more > 0 && pages.send((next, entries)).await.is_err() {
                    break;
                }
                next = next.saturating_add(more);
                let kept = done.load(Ordering::Relaxed);
                let (now, took_ms) = (kept.saturating_sub(first), now_ms().saturating_sub(began));
                progress(&Pace { done: kept, of: size, now, took_ms });
                if next >= size {
                    break;
                }
            }
            Ok::<(), Failure>(())
        };
        let fetched = tokio::select! {
            fetched = fetching => Some(fetched),
            () = interrupted(self.interrupts.as_mut()) => None,
        };
        drop(pages);
        let run = verifying.await.map_err(|error| Failure::CheckFailed(error.to_string()))??;
        let kept = run.kept();
        self.run = Some(run);
        match fetched {
            None => Ok(Reached::Stopped(kept)),
            Some(fetched) => fetched.and_then(|()| last.map(Reached::Checkpoint).ok_or_else(gone)),
        }
    }

    /// What is shown at this checkpoint, which the node keeps; with files, if they are wanted.
    ///
    /// # Errors
    ///
    /// [`Failure::CheckFailed`] with the culprit; [`Failure::File`].
    pub async fn report(&mut self, checkpoint: SignedCheckpoint) -> Result<ReplayReport, Failure> {
        let mut run = self.run.take().ok_or_else(gone)?;
        let (solved, signed) = (Arc::clone(&self.solved), checkpoint.clone());
        let finishing = tokio::task::spawn_blocking(move || {
            let report = finish(&mut run, &signed, &solved)?;
            Ok::<_, Failure>((run, report))
        });
        let (run, report) =
            finishing.await.map_err(|error| Failure::CheckFailed(error.to_string()))??;
        record(self.connection, &self.log, checkpoint.clone(), &report).await?;
        let mut shown = ReplayReport::of(&self.code, &report, self.fetched, &self.reading);
        if let Some(Out { folder, from }) = &self.out {
            let key = self.connection.node.identity.key();
            let said = (&report, shown.statement.as_str());
            tokio::task::block_in_place(|| {
                export::write(&run, said, (folder, *from), &checkpoint, key)
            })?;
            shown.audit = Some(folder.join(AUDIT_FILE).display().to_string());
        }
        if report.holders.is_some_and(|holders| holders <= HOLDINGS_SHOWN) {
            let all = all_holdings(&run)?;
            let line = |one: Holding| (format!("{:?}", one.account), one.quantity.to_string());
            shown.holdings = Some(all.into_iter().map(line).collect());
        }
        self.run = Some(run);
        Ok(shown)
    }

    /// Waits so long; whether Ctrl-C came before.
    pub async fn pause(&mut self, pause: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(pause) => false,
            () = interrupted(self.interrupts.as_mut()) => true,
        }
    }

    /// How many entries are decided and kept.
    #[must_use]
    pub fn kept(&self) -> u64 {
        self.run.as_ref().map_or(0, |run| run.kept())
    }

    /// What to say when it was stopped before entry `next`.
    #[must_use]
    pub fn stopped(&self, next: u64) -> Failure {
        let folder = self.folder.as_deref().unwrap_or_else(|| std::path::Path::new("-"));
        Failure::CheckFailed(format!(
            "stopped before entry {next}; the same command goes on from {}",
            folder.display()
        ))
    }
}

/// One page of the log, of no more than the checkpoint has, with the newest checkpoint.
async fn page(
    connection: &Connection,
    log: &AssetLog,
    next: u64,
    last: Option<&SignedCheckpoint>,
) -> Result<(Vec<Vec<u8>>, SignedCheckpoint), Failure> {
    let query = PeerQuery::Log { asset: log.asset, from: next };
    let answer = connection.peer_query(&log.registrar, &query).await?;
    let PeerAnswer::Log { mut entries, checkpoint } = answer else {
        return Err(Failure::Node("the registrar answered something else".into()));
    };
    let size = last.unwrap_or(&checkpoint).unverified().size;
    if next < size && entries.is_empty() {
        return Err(Failure::CheckFailed(format!("entry {next} of {size} is missing")));
    }
    if next > size {
        return Err(Failure::CheckFailed(format!(
            "the registrar's checkpoint is of {size} entries, the folder has {next}: [LOG-1] a log only grows; keep the folder and ask the registrar"
        )));
    }
    let room = usize::try_from(size.saturating_sub(next)).unwrap_or(usize::MAX);
    entries.truncate(room);
    Ok((entries, checkpoint))
}

/// Takes pages until no more come; then decides what waits.
fn verify(
    mut run: Box<Run>,
    mut pages: mpsc::Receiver<(u64, Vec<Vec<u8>>)>,
    done: &AtomicU64,
) -> Result<Box<Run>, Failure> {
    while let Some((mut index, entries)) = pages.blocking_recv() {
        for bytes in entries {
            run.push(index, &bytes).map_err(failed)?;
            index = index.saturating_add(1);
        }
        done.store(run.kept(), Ordering::Relaxed);
    }
    run.pause().map_err(failed)?;
    Ok(run)
}

fn finish(
    run: &mut Run,
    checkpoint: &SignedCheckpoint,
    solved: &BTreeMap<Encoded, u64>,
) -> Result<Report, Failure> {
    let mut open = None;
    let report = run.finish(checkpoint, &mut |point, bound| {
        let value = solved.get(point).copied().or_else(|| solve(point, bound));
        if value.is_none() {
            open = Some((*point, bound));
        }
        value
    });
    report.map_err(|error| {
        let next = open.map(|(point, bound)| {
            format!(
                "; find it with `sudare audit solve --point {point:?} --bound {bound} --file FILE`, then replay with --solved {point:?}=VALUE"
            )
        });
        Failure::CheckFailed(format!("{error}{}", next.unwrap_or_default()))
    })
}

fn all_holdings(run: &Run) -> Result<Vec<Holding>, Failure> {
    let mut all: Vec<Holding> = Vec::new();
    loop {
        let page = run.holdings(all.last().map(|last| &last.account), ROWS).map_err(failed)?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// Searches an amount whose memo is false, if that is a matter of a minute; `sudare audit solve` takes what is longer.
fn solve(point: &Encoded, bound: u64) -> Option<u64> {
    if bound > SEARCH_BOUND_MAX {
        return None;
    }
    let target = point.decompress().ok()?.compress();
    let mut search = Search::new(&target, bound, *point.as_bytes()).ok()?;
    loop {
        match search.step(1 << 20) {
            Outcome::Found(value) => return Some(value),
            Outcome::Absent | Outcome::Exhausted => return None,
            Outcome::Open => (),
        }
    }
}

async fn interrupted(interrupts: Option<&mut Signal>) {
    let come = match interrupts {
        Some(interrupts) => interrupts.recv().await,
        None => None,
    };
    if come.is_none() {
        std::future::pending::<()>().await;
    }
}

fn failed(error: AuditError) -> Failure {
    Failure::CheckFailed(error.to_string())
}

fn gone() -> Failure {
    Failure::CheckFailed("the replay has ended".into())
}
