//! A search with a table: walks from the target until one of them comes to a mark that the table knows.

use core::fmt;

use curve25519_dalek::ristretto::CompressedRistretto;

use super::curve::{self, AtMark, Edwards, Lane, Lanes, times};
use super::goal::Goal;
use super::table::{LANES, Table};
use super::{Outcome, Progress, SearchError, check_workers};

/// A search for one value with a table; see the [module's text](super).
///
/// It has no checkpoints, as it would gain nothing from them: each walk begins anew after its mark, so a search that has
/// not found has learned nothing.
pub struct TableSearch {
    goal: Goal,
    table: Table,
    workers: Vec<TableSearchWorker>,
    outcome: Outcome,
}

impl TableSearch {
    /// Looks for `v` from 0 to `bound`, both included, in `target = v*B`; for `seed` see [`super::Search::new`].
    ///
    /// # Errors
    /// [`SearchError`]: not a point, not 1 to [`super::WORKERS_MAX`] workers, or a bound beyond the table.
    pub fn new(
        target: &CompressedRistretto,
        bound: u64,
        table: &Table,
        workers: u16,
        seed: [u8; 32],
    ) -> Result<Self, SearchError> {
        check_workers(workers)?;
        table.covers(bound)?;
        let goal = Goal::new(target, bound)?;
        let worker = |index| TableSearchWorker::new(table, &goal, seed, index, workers);
        let workers = (0..workers).map(worker).collect::<Option<_>>().ok_or(SearchError::Target)?;
        Ok(Self { goal, table: table.clone(), workers, outcome: Outcome::Open })
    }

    /// The workers, to be run by the caller on threads; [`TableSearch::collect`] afterwards.
    pub fn workers(&mut self) -> &mut [TableSearchWorker] {
        &mut self.workers
    }

    /// Takes in what the workers have found since the last call.
    pub fn collect(&mut self) -> Outcome {
        if self.outcome != Outcome::Open {
            return self.outcome;
        }
        let mut exceptional = false;
        for worker in &mut self.workers {
            if let Some(outcome) = worker.candidates.drain(..).find_map(|w| self.goal.judge(w)) {
                self.outcome = outcome;
                return outcome;
            }
            exceptional |= worker.exceptional;
        }
        let progress = self.progress();
        if exceptional {
            self.outcome = Outcome::Absent;
        } else if progress.steps_done >= progress.steps_max {
            self.outcome = Outcome::Exhausted;
        }
        self.outcome
    }

    /// Runs to the end, one worker after the other.
    pub fn run(&mut self) -> Outcome {
        while self.collect() == Outcome::Open {
            for worker in &mut self.workers {
                worker.run(super::TURN_STEPS);
            }
        }
        self.outcome
    }

    /// How far the search has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let done = self.workers.iter().map(|worker| worker.steps_done);
        let size = self.table.size();
        Progress {
            steps_done: done.fold(0, u64::saturating_add),
            steps_expected: size.steps_expected(),
            steps_max: size.steps_max(),
        }
    }
}

impl fmt::Debug for TableSearch {
    /// Without the target and the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableSearch").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

/// A part of a search that can run on a thread of its own.
pub struct TableSearchWorker {
    table: Table,
    target: Edwards,
    seed: [u8; 32],
    lanes: Lanes,
    /// The walk to begin next, and from one to the next of this worker's.
    next: u64,
    stride: u64,
    candidates: Vec<i128>,
    exceptional: bool,
    steps_done: u64,
}

impl TableSearchWorker {
    fn new(table: &Table, goal: &Goal, seed: [u8; 32], index: u16, workers: u16) -> Option<Self> {
        let stride = u64::from(workers);
        let steps = table.size().steps()?;
        let mut worker = Self {
            table: table.clone(),
            target: goal.shifted,
            seed,
            lanes: Lanes::new(&steps, Vec::new()),
            next: u64::from(index),
            stride,
            candidates: Vec::new(),
            exceptional: false,
            steps_done: 0,
        };
        let lanes = (LANES / stride).max(1);
        let first = (0..lanes).filter_map(|_| worker.begin()).collect();
        worker.lanes = Lanes::new(&steps, first);
        Some(worker)
    }

    /// A new walk; none at the identity, where no value up to the bound is.
    fn begin(&mut self) -> Option<Lane> {
        let log = self.table.size().offset(&self.seed, self.next);
        self.next = self.next.saturating_add(self.stride);
        let lane = Lane::new(&(self.target + times(&curve::base(), log)), log);
        self.exceptional |= lane.is_none();
        lane
    }

    /// Runs about `steps` group operations. Stops early when there is something to [collect](TableSearch::collect).
    pub fn run(&mut self, steps: u64) {
        let lanes = u64::try_from(self.lanes.len()).unwrap_or(1).max(1);
        for _ in 0..steps.div_ceil(lanes).max(1) {
            if self.exceptional || !self.candidates.is_empty() {
                return;
            }
            // With `v` in the range no addition is exceptional (see `giant`).
            self.exceptional = self.lanes.advance().is_err();
            self.steps_done = self.steps_done.saturating_add(lanes);
            for ended in self.lanes.at_marks(self.table.size().mark_bits()) {
                self.end(&ended);
            }
        }
    }

    /// A walk has come to a mark: looks it up and begins another.
    fn end(&mut self, ended: &AtMark) {
        if let Some(known) = self.table.find(ended.name) {
            let logs = (i128::try_from(known), i128::try_from(ended.log));
            if let (Ok(known), Ok(log)) = logs {
                self.candidates.push(known - log);
            }
        }
        if let Some(new) = self.begin() {
            self.lanes.put(ended.index, &new);
        }
    }
}

impl fmt::Debug for TableSearchWorker {
    /// Without its places.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableSearchWorker")
            .field("steps_done", &self.steps_done)
            .finish_non_exhaustive()
    }
}
