//! Recovers an amount from its group element: `v` from `V = v*B`, for `v` within a known bound.
//!
//! Decrypting an amount ends in `E_j - k*R = v*B`. The memo states `v`; this search is for the case that it is missing or
//! does not fit. Two methods, chosen by the bound:
//!
//! - **Baby-step giant-step** for bounds up to [`GIANT_BOUND_MAX`]: a second or two at most, up to 32 MiB, and it proves
//!   that a value outside the bound is outside.
//! - **Parallel kangaroos with distinguished points** above: about `2 * sqrt(bound)` steps on average whatever the value,
//!   2^33 at 64 bits, at most some 50 MiB (2^20 marks and 2^14 kangaroos; two or three times that for the moment in which a
//!   checkpoint is written or read). It cannot prove absence: after eight times the expected steps it gives up
//!   ([`Outcome::Exhausted`]), which befalls a value in range a few times in a million.
//! - **Walks to a [`Table`]** made beforehand, by whoever has many to solve ([`TableBuilder`], [`TableSearch`]): with `2^(bits/3)`
//!   entries, steps go down from `2 * 2^(bits/2)` to about `12 * 2^(bits/3)`. Nor do they prove absence.
//!
//! The search is a state object without clock, threads or entropy of its own. Its course is a function of its arguments
//! and of how it is driven; the answer is checked against `V` before it is returned. Running time and memory access depend
//! on the amount, so run it only where the amount may be known: `V` and a checkpoint are as secret as `v` itself.
//!
//! ```
//! use curve25519_dalek::{RistrettoPoint, Scalar};
//! use sudare_disclosure::dlog::{Outcome, Search};
//!
//! let target = RistrettoPoint::mul_base(&Scalar::from(1_234_567_u64)).compress();
//! let mut search = Search::new(&target, 10_000_000, [7; 32])?;
//! let outcome = loop {
//!     match search.step(100_000) {
//!         Outcome::Open => {} // a good moment to write `search.to_bytes()` to a file
//!         ended => break ended,
//!     }
//! };
//! assert_eq!(outcome, Outcome::Found(1_234_567));
//! # Ok::<(), sudare_disclosure::dlog::SearchError>(())
//! ```
//!
//! On several cores, let each [`Worker`] run on a thread of its own and [collect](Search::collect) after each turn:
//!
//! ```
//! # use curve25519_dalek::{RistrettoPoint, Scalar};
//! # use sudare_disclosure::dlog::{Outcome, Search};
//! # let target = RistrettoPoint::mul_base(&Scalar::from(123_456_u64)).compress();
//! let mut search = Search::kangaroo(&target, 1 << 20, 2, [7; 32])?;
//! while search.collect() == Outcome::Open {
//!     std::thread::scope(|scope| {
//!         for worker in search.workers() {
//!             scope.spawn(|| worker.run(1 << 12));
//!         }
//!     });
//! }
//! assert_eq!(search.outcome(), Outcome::Found(123_456));
//! # Ok::<(), sudare_disclosure::dlog::SearchError>(())
//! ```
//!
//! Sources: J. M. Pollard, *Monte Carlo methods for index computation (mod p)*, Math. Comp. 32 (1978), for the kangaroo
//! method; P. C. van Oorschot and M. J. Wiener, *Parallel collision search with cryptanalytic applications*, J. Cryptology
//! 12 (1999), for herds and distinguished points; D. J. Bernstein and T. Lange, *Computing small discrete logarithms
//! faster*, INDOCRYPT 2012, for tables.

mod build;
mod checkpoint;
mod curve;
mod frame;
mod giant;
mod goal;
mod herd;
mod table;
mod tabled;
mod trap;
mod worker;

#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod tests;

use core::fmt;

use curve25519_dalek::ristretto::CompressedRistretto;
use thiserror::Error;

pub use self::{
    build::{BUILD_BYTES_MAX, TableBuilder, TableWorker},
    checkpoint::{CHECKPOINT_BYTES_MAX, CheckpointError},
    table::{TABLE_BITS, TABLE_BYTES_MAX, TABLE_ENTRIES_LOG_MAX, Table, TableError, TableSize},
    tabled::{TableSearch, TableSearchWorker},
    worker::Worker,
};

use self::{
    checkpoint::{Ended, HerdSnapshot, Snapshot},
    giant::GiantSteps,
    goal::Goal,
    herd::Herd,
    trap::{MARKS_MAX, Trap},
    worker::Walk,
};

/// The largest bound that [`Search::new`] gives to baby-step giant-step.
pub const GIANT_BOUND_MAX: u64 = 1 << 44;

/// The most workers of one search.
pub const WORKERS_MAX: u16 = 64;

/// Steps of a worker between two collections in [`Search::step`].
const TURN_STEPS: u64 = 1 << 12;

/// How a search stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Neither found nor given up: go on.
    Open,
    /// The value; `v*B == V` has been checked.
    Found(u64),
    /// Proved: no value within the bound gives the target.
    Absent,
    /// The kangaroos have spent their steps. Very likely no value within the bound gives the target, but this is no proof;
    /// a search with another seed is independent of this one.
    Exhausted,
}

/// How far a search has come, in group operations over all workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Done so far.
    pub steps_done: u64,
    /// Needed on average; a search may well take twice as many.
    pub steps_expected: u64,
    /// After these the search ends, found or not.
    pub steps_max: u64,
}

/// Why a search cannot start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SearchError {
    /// The target does not decode.
    #[error("search target is not the canonical encoding of a ristretto255 point")]
    Target,
    /// No worker, or more than [`WORKERS_MAX`].
    #[error("a search has 1 to {WORKERS_MAX} workers, not {asked}")]
    Workers {
        /// How many were asked for.
        asked: u16,
    },
    /// A table that is not for the bound.
    #[error(transparent)]
    Table(#[from] TableError),
}

/// A search for one value; see the [module's text](self).
pub struct Search {
    goal: Goal,
    seed: [u8; 32],
    workers: Vec<Worker>,
    trap: Trap,
    outcome: Outcome,
}

impl Search {
    /// Looks for `v` from 0 to `bound`, both included, in `target = v*B`, with the method that suits the bound.
    ///
    /// `seed` should be random: someone who chose the target knowing it could make the search slow, though never wrong.
    ///
    /// # Errors
    /// [`SearchError::Target`] if `target` is not a point.
    pub fn new(
        target: &CompressedRistretto,
        bound: u64,
        seed: [u8; 32],
    ) -> Result<Self, SearchError> {
        Self::with_workers(target, bound, 1, seed)
    }

    /// As [`Search::new`], with so many workers if the bound asks for kangaroos (otherwise there is one).
    ///
    /// The number fixes the course of the search and stays with its checkpoints; it may differ from the number of threads.
    ///
    /// # Errors
    /// [`SearchError`]: not a point, or not 1 to [`WORKERS_MAX`] workers.
    pub fn with_workers(
        target: &CompressedRistretto,
        bound: u64,
        workers: u16,
        seed: [u8; 32],
    ) -> Result<Self, SearchError> {
        if bound > GIANT_BOUND_MAX {
            return Self::kangaroo(target, bound, workers, seed);
        }
        check_workers(workers)?;
        let goal = Goal::new(target, bound)?;
        Ok(Self::resume_giant(goal, seed, 0))
    }

    /// As [`Search::with_workers`], by kangaroos whatever the bound.
    ///
    /// # Errors
    /// [`SearchError`]: not a point, or not 1 to [`WORKERS_MAX`] workers.
    pub fn kangaroo(
        target: &CompressedRistretto,
        bound: u64,
        workers: u16,
        seed: [u8; 32],
    ) -> Result<Self, SearchError> {
        check_workers(workers)?;
        let goal = Goal::new(target, bound)?;
        let field = goal.field(seed, workers)?;
        let workers = (0..workers).map(|number| Worker::kangaroo(Herd::new(field.clone(), number)));
        let (workers, trap) = (workers.collect(), Trap::default());
        Ok(Self { goal, seed, workers, trap, outcome: Outcome::Open })
    }

    /// Group operations that [`Search::new`] with this bound takes on average.
    ///
    /// To say how long a search will take, time a [`Search::step`] of a million operations at this bound: from 40 bits on
    /// the duration of an operation hardly depends on the bound.
    #[must_use]
    pub fn steps_expected(bound: u64) -> u64 {
        if bound > GIANT_BOUND_MAX {
            herd::Plan::new(bound, 1).steps_expected()
        } else {
            giant::Plan::new(bound).steps_expected()
        }
    }

    /// Runs about `steps` group operations, one worker after the other. An ended search does nothing.
    ///
    /// Building the table of baby-step giant-step counts as one piece of up to 2^21 operations.
    pub fn step(&mut self, steps: u64) -> Outcome {
        let goal = self.progress().steps_done.saturating_add(steps.max(1));
        let workers = u64::try_from(self.workers.len()).unwrap_or(1).max(1);
        while self.collect() == Outcome::Open {
            let left = goal.saturating_sub(self.progress().steps_done);
            if left == 0 {
                break;
            }
            for worker in &mut self.workers {
                worker.run((left / workers).min(TURN_STEPS));
            }
        }
        self.outcome
    }

    /// The workers, to be run by the caller on threads; [`Search::collect`] afterwards.
    pub fn workers(&mut self) -> &mut [Worker] {
        &mut self.workers
    }

    /// The point whose logarithm is searched.
    #[must_use]
    pub const fn target(&self) -> CompressedRistretto {
        self.goal.target
    }

    /// The largest value that is searched for.
    #[must_use]
    pub const fn bound(&self) -> u64 {
        self.goal.bound
    }

    /// Takes in what the workers have found since the last call.
    pub fn collect(&mut self) -> Outcome {
        if self.outcome != Outcome::Open {
            return self.outcome;
        }
        let mut finished = false;
        for worker in &mut self.workers {
            let candidates = match &mut worker.0 {
                Walk::Giant(giant) => giant.take_candidates(),
                Walk::Kangaroo(herd) => self.trap.collect(herd),
            };
            if let Some(outcome) = candidates.into_iter().find_map(|w| self.goal.judge(w)) {
                self.outcome = outcome;
                return outcome;
            }
            finished |= match &worker.0 {
                Walk::Giant(giant) => giant.is_finished(),
                Walk::Kangaroo(herd) => herd.is_exceptional(),
            };
        }
        let progress = self.progress();
        if finished {
            self.outcome = Outcome::Absent;
        } else if progress.steps_done >= progress.steps_max {
            self.outcome = Outcome::Exhausted;
        }
        self.outcome
    }

    /// How the search stands as of the last [`Search::step`] or [`Search::collect`].
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// How far the search has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let done = self.workers.iter().map(Worker::steps_done);
        let steps_done = done.fold(0, u64::saturating_add);
        let (steps_expected, steps_max) = match self.workers.first().map(|worker| &worker.0) {
            Some(Walk::Giant(giant)) => (giant.plan().steps_expected(), giant.plan().steps_max()),
            Some(Walk::Kangaroo(herd)) => (herd.plan().steps_expected(), herd.plan().steps_max()),
            None => (0, 0),
        };
        Progress { steps_done, steps_expected, steps_max }
    }

    /// The search as bytes, at most [`CHECKPOINT_BYTES_MAX`], to go on from later. As secret as the value.
    pub fn to_bytes(&mut self) -> Vec<u8> {
        let ended = match self.collect() {
            Outcome::Open => Ended::Not,
            Outcome::Found(value) => Ended::Found(value),
            Outcome::Absent => Ended::Absent,
            Outcome::Exhausted => Ended::Exhausted,
        };
        let mut progress = checkpoint::Progress::Giant { rounds_done: 0 };
        let mut herds = Vec::new();
        for worker in &self.workers {
            match &worker.0 {
                Walk::Giant(giant) => {
                    progress = checkpoint::Progress::Giant { rounds_done: giant.rounds_done() };
                }
                Walk::Kangaroo(herd) => {
                    herds.push(HerdSnapshot { steps_done: herd.steps_done(), logs: herd.logs() });
                }
            }
        }
        if !herds.is_empty() {
            let (marks, hops) = (self.trap.marks().clone(), self.trap.hops());
            progress = checkpoint::Progress::Kangaroo { herds, marks, hops };
        }
        let (target, bound) = (self.goal.target.to_bytes(), self.goal.bound);
        Snapshot { target, bound, seed: self.seed, ended, progress }.to_bytes()
    }

    /// Goes on from [`Search::to_bytes`]. Takes a moment: the places of all kangaroos are computed anew.
    ///
    /// The hash in the bytes finds damage, not malice. Bytes that someone else made can at worst end the search without a
    /// result; they can't make it return a wrong value.
    ///
    /// # Errors
    /// [`CheckpointError`]: too long, damaged, of another version, or not the state of a search.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let Snapshot { target, bound, seed, ended, progress } = Snapshot::from_bytes(bytes)?;
        let malformed = CheckpointError::Malformed;
        let goal =
            Goal::new(&CompressedRistretto(target), bound).map_err(|_| malformed("target"))?;
        let mut search = match progress {
            checkpoint::Progress::Giant { rounds_done } => {
                if bound > GIANT_BOUND_MAX {
                    return Err(malformed("bound"));
                }
                Self::resume_giant(goal, seed, rounds_done)
            }
            checkpoint::Progress::Kangaroo { herds, marks, hops } => {
                if marks.len() > MARKS_MAX {
                    return Err(malformed("marks"));
                }
                let workers = resume_herds(&goal, seed, herds, matches!(ended, Ended::Absent))?;
                let trap = Trap::resume(marks, hops);
                Self { goal, seed, workers, trap, outcome: Outcome::Open }
            }
        };
        search.outcome = match ended {
            Ended::Not => Outcome::Open,
            Ended::Found(value) if search.goal.is_hit(value) => Outcome::Found(value),
            Ended::Found(_) => return Err(malformed("result")),
            Ended::Absent => Outcome::Absent,
            Ended::Exhausted => Outcome::Exhausted,
        };
        Ok(search)
    }

    fn resume_giant(goal: Goal, seed: [u8; 32], rounds_done: u64) -> Self {
        let plan = giant::Plan::new(goal.bound);
        let giant = GiantSteps::new(plan, curve::base(), goal.shifted, rounds_done);
        let workers = vec![Worker(Walk::Giant(Box::new(giant)))];
        Self { goal, seed, workers, trap: Trap::default(), outcome: Outcome::Open }
    }
}

impl fmt::Debug for Search {
    /// Without the target, the value and what leads to them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("progress", &self.progress()).finish_non_exhaustive()
    }
}

fn resume_herds(
    goal: &Goal,
    seed: [u8; 32],
    herds: Vec<HerdSnapshot>,
    absent: bool,
) -> Result<Vec<Worker>, CheckpointError> {
    let malformed = CheckpointError::Malformed;
    let workers = u16::try_from(herds.len()).map_err(|_| malformed("workers"))?;
    check_workers(workers).map_err(|_| malformed("workers"))?;
    let field = goal.field(seed, workers).map_err(|_| malformed("target"))?;
    let mut resumed = Vec::with_capacity(herds.len());
    for herd in herds {
        // Far beyond what a search reaches, and far below what could wrap around the group's order.
        let small = herd.logs.iter().all(|log| *log < 1 << 100);
        let full = u64::try_from(herd.logs.len()) == Ok(field.plan().herd());
        // A herd that has met an exception is written without its kangaroos.
        if !small || !(full || absent && herd.logs.is_empty()) {
            return Err(malformed("herds"));
        }
        resumed.push(Worker::kangaroo(Herd::resume(field.clone(), &herd.logs, herd.steps_done)));
    }
    Ok(resumed)
}

fn check_workers(workers: u16) -> Result<(), SearchError> {
    if (1..=WORKERS_MAX).contains(&workers) {
        Ok(())
    } else {
        Err(SearchError::Workers { asked: workers })
    }
}
