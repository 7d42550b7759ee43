//! Making a table: walks from known places to their marks, on any number of threads, put aside and gone on with.

use core::fmt;
use std::collections::BTreeMap;

use borsh::{BorshDeserialize, BorshSerialize};

use super::curve::{self, Lane, Lanes, times};
use super::frame::Frame;
use super::table::{TABLE_ENTRIES_LOG_MAX, Table, TableError, TableSize};
use super::{Progress, WORKERS_MAX};

/// Longer input is refused unread: three marks for two entries of the largest table, and some room.
pub const BUILD_BYTES_MAX: usize = ((20 * 3 / 2) << TABLE_ENTRIES_LOG_MAX) + 200;

/// Walks of one worker that go beside each other; fewer if the table is small.
const LANES_MAX: u64 = 512;

const FRAME: Frame =
    Frame { domain: b"sudare dlog table under way\n", version: 1, bytes_max: BUILD_BYTES_MAX };

/// A table being made.
///
/// As with a [`Search`](super::Search), let each [`TableWorker`] run on a thread of its own and [collect](Self::collect) after each turn.
pub struct TableBuilder {
    size: TableSize,
    workers: Vec<TableWorker>,
    found: BTreeMap<u64, Found>,
    walks_done: u64,
    /// Steps of earlier runs.
    steps_before: u64,
}

/// A mark that walks came to.
#[derive(Clone, Copy, BorshSerialize, BorshDeserialize)]
struct Found {
    v: u64,
    walks: u32,
}

/// What is kept. Walks under way are not: they are far fewer than those of a table, and begin anew.
#[derive(BorshSerialize, BorshDeserialize)]
struct Content {
    size: TableSize,
    walks_done: u64,
    steps_done: u64,
    found: BTreeMap<u64, Found>,
}

impl TableBuilder {
    /// Begins a table, with 1 to [`WORKERS_MAX`] workers.
    #[must_use]
    pub fn new(size: TableSize, workers: u16) -> Self {
        Self::resume(
            Content { size, walks_done: 0, steps_done: 0, found: BTreeMap::new() },
            workers,
        )
    }

    fn resume(content: Content, workers: u16) -> Self {
        let Content { size, walks_done, steps_done, found } = content;
        let number = workers.clamp(1, WORKERS_MAX);
        // A walk that begins anew must not be one that was done, so each run has starts of its own.
        let first = walks_done.saturating_mul(4096);
        let lanes = (size.walks() / 8 / u64::from(number)).clamp(8, LANES_MAX);
        let worker = |index| TableWorker::new(size, lanes, first + u64::from(index), number.into());
        let workers = (0..number).filter_map(worker).collect();
        Self { size, workers, found, walks_done, steps_before: steps_done }
    }

    /// The sizes of what is made.
    #[must_use]
    pub const fn size(&self) -> TableSize {
        self.size
    }

    /// The workers, to be run by the caller on threads; [`TableBuilder::collect`] afterwards.
    pub fn workers(&mut self) -> &mut [TableWorker] {
        &mut self.workers
    }

    /// Takes in the marks that the workers have come to; the table, once there are enough.
    pub fn collect(&mut self) -> Option<Table> {
        for worker in &mut self.workers {
            for (name, log) in worker.ended.drain(..) {
                let Ok(v) = u64::try_from((log - 1) / 2) else { continue };
                if self.walks_done >= self.size.walks() {
                    break;
                }
                self.walks_done += 1;
                let found = self.found.entry(name).or_insert(Found { v, walks: 0 });
                found.walks = found.walks.saturating_add(1);
            }
        }
        if self.walks_done < self.size.walks() {
            return None;
        }
        let mut best: Vec<(u64, Found)> =
            self.found.iter().map(|(name, at)| (*name, *at)).collect();
        best.sort_by_key(|(_, found)| core::cmp::Reverse(found.walks));
        best.truncate(usize::try_from(self.size.entries()).unwrap_or(usize::MAX));
        best.sort_by_key(|(name, _)| *name);
        let entries = best.into_iter().map(|(name, found)| (name, found.v));
        Some(Table::of(self.size, entries.collect()))
    }

    /// How far the table has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let expected = self.size.steps_to_build();
        // By walks, as steps are only expected.
        let (done, all) = (u128::from(self.walks_done), u128::from(self.size.walks().max(1)));
        let steps_done = u64::try_from(u128::from(expected) * done / all).unwrap_or(u64::MAX);
        Progress { steps_done, steps_expected: expected, steps_max: expected }
    }

    /// Group operations done in all.
    #[must_use]
    pub fn steps_done(&self) -> u64 {
        let steps = self.workers.iter().map(|worker| worker.steps_done);
        steps.fold(self.steps_before, u64::saturating_add)
    }

    /// The marks so far as bytes, at most [`BUILD_BYTES_MAX`], to go on from later.
    pub fn to_bytes(&mut self) -> Vec<u8> {
        let _ = self.collect();
        let (size, walks_done, found) = (self.size, self.walks_done, self.found.clone());
        FRAME.seal(&Content { size, walks_done, steps_done: self.steps_done(), found })
    }

    /// Goes on from [`TableBuilder::to_bytes`], with any number of workers.
    ///
    /// # Errors
    /// [`TableError`]: too long, damaged, of another version, or not a table under way.
    pub fn from_bytes(bytes: &[u8], workers: u16) -> Result<Self, TableError> {
        let content: Content = FRAME.open(bytes)?;
        content.size.check()?;
        let walks: u64 = content.found.values().map(|found| u64::from(found.walks)).sum();
        if content.walks_done != walks || walks > content.size.walks() {
            return Err(TableError::Malformed("number of walks"));
        }
        Ok(Self::resume(content, workers))
    }
}

impl fmt::Debug for TableBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableBuilder").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

/// A part of making a table that can run on a thread of its own.
pub struct TableWorker {
    size: TableSize,
    lanes: Lanes,
    /// The walk to begin next, and from one to the next of this worker's.
    next: u64,
    stride: u64,
    ended: Vec<(u64, u128)>,
    steps_done: u64,
}

impl TableWorker {
    fn new(size: TableSize, lanes: u64, next: u64, stride: u64) -> Option<Self> {
        let steps = size.steps()?;
        let (none, ended) = (Lanes::new(&steps, Vec::new()), Vec::new());
        let mut worker = Self { size, lanes: none, next, stride, ended, steps_done: 0 };
        let first = (0..lanes).filter_map(|_| worker.begin()).collect();
        worker.lanes = Lanes::new(&steps, first);
        Some(worker)
    }

    /// A new walk.
    fn begin(&mut self) -> Option<Lane> {
        let log = self.size.start(self.next);
        self.next = self.next.saturating_add(self.stride);
        Lane::new(&times(&curve::base(), log), log)
    }

    /// Runs about `steps` group operations.
    pub fn run(&mut self, steps: u64) {
        let lanes = u64::try_from(self.lanes.len()).unwrap_or(1).max(1);
        for _ in 0..steps.div_ceil(lanes) {
            // All places are odd multiples and steps are even, so that nothing is exceptional.
            if self.lanes.advance().is_err() {
                return;
            }
            self.steps_done = self.steps_done.saturating_add(lanes);
            for ended in self.lanes.at_marks(self.size.mark_bits()) {
                self.ended.push((ended.name, ended.log));
                if let Some(new) = self.begin() {
                    self.lanes.put(ended.index, &new);
                }
            }
        }
    }
}

impl fmt::Debug for TableWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableWorker").field("steps_done", &self.steps_done).finish_non_exhaustive()
    }
}
