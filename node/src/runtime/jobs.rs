//! The CPU pool: performs jobs on threads of their own and brings their outcomes back as events.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use borsh::BorshDeserialize;
use rand_core::{OsRng, RngCore};
use sudare_ledger::kv::{Be, StorageError};
use sudare_ledger::role::{Event, JOBS, Lane, Machine};
use tokio::sync::mpsc;

use super::query::Views;
use super::queue::{Queue, Work};
use super::status::Gauges;
use super::{Input, InputOf};

/// The jobs to be done; clones share them.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

/// How the role wants an encoded job to be scheduled.
type LaneOf = Box<dyn Fn(&[u8]) -> Lane + Send + Sync>;

struct Shared {
    state: Mutex<State>,
    ready: Condvar,
    gauges: Arc<Gauges>,
    lane: LaneOf,
}

struct State {
    queue: Queue,
    stopped: bool,
}

struct Worker<M: Machine> {
    machine: Arc<M>,
    pool: Pool,
    views: Views,
    inbox: mpsc::Sender<InputOf<M>>,
}

impl Pool {
    /// Starts `workers` threads, one a core if `None`.
    pub(super) fn start<M>(
        machine: Arc<M>,
        workers: Option<usize>,
        views: Views,
        inbox: mpsc::Sender<InputOf<M>>,
        gauges: Arc<Gauges>,
    ) -> std::io::Result<Self>
    where
        M: Machine + Send + Sync + 'static,
    {
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        let workers = workers.unwrap_or_else(cores).max(1);
        let state = Mutex::new(State { queue: Queue::new(workers), stopped: false });
        let role = Arc::clone(&machine);
        // Whoever does a job that does not decode says so.
        let lane = Box::new(move |row: &[u8]| {
            M::Job::try_from_slice(row).map_or(Lane::Prompt, |job| role.lane(&job))
        });
        let pool = Self(Arc::new(Shared { state, ready: Condvar::new(), gauges, lane }));
        for number in 0..workers {
            let worker = Worker {
                machine: Arc::clone(&machine),
                pool: pool.clone(),
                views: views.clone(),
                inbox: inbox.clone(),
            };
            let name = format!("sudare-job-{number}");
            thread::Builder::new().name(name).spawn(move || worker.run())?;
        }
        Ok(pool)
    }

    /// Adds jobs by their numbers and rows, in order, but for those known already.
    pub(super) fn add(&self, jobs: &[(Be, Vec<u8>)]) {
        let mut state = self.lock();
        for (number, row) in jobs {
            state.queue.add(number.0, (self.0.lane)(row));
        }
        self.0.gauges.jobs_waiting(state.queue.len());
        drop(state);
        self.0.ready.notify_all();
    }

    /// Ends the threads, each after the work at hand.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.0.ready.notify_all();
    }

    /// The next work, waiting for some; none if the pool is stopped.
    fn take(&self) -> Option<Work> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(work) = state.queue.take() {
                self.0.gauges.jobs_started(work.jobs.len(), state.queue.len());
                return Some(work);
            }
            state = self.0.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn done(&self, lane: Lane) {
        self.lock().queue.done(lane);
        if lane == Lane::Background {
            self.0.ready.notify_all();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Machine> Worker<M> {
    fn run(self) {
        while let Some(Work { jobs, lane }) = self.pool.take() {
            let done = self.perform(&jobs);
            self.pool.done(lane);
            let inputs = match done {
                Ok(outcomes) => outcomes.into_iter().map(|(job, outcome)| {
                    self.pool.0.gauges.job_done();
                    Input::Event(Box::new(Event::Done { job, outcome }), None)
                }),
                Err(error) => {
                    // Nobody hears it only if the node stops already.
                    let _ = self.inbox.blocking_send(Input::Failed(error));
                    continue;
                }
            };
            for input in inputs {
                if self.inbox.blocking_send(input).is_err() {
                    return;
                }
            }
        }
    }

    /// Does jobs; without an outcome for one if the role has taken it back, the node stops, or the job met a fault of this
    /// program: then its row stays, and the next start tries again.
    fn perform(&self, numbers: &[u64]) -> Result<Vec<(u64, M::Outcome)>, StorageError> {
        let Some(view) = self.views.snapshot() else { return Ok(Vec::new()) };
        let (mut found, mut jobs) = (Vec::new(), Vec::new());
        for number in numbers {
            let Some(row) = JOBS.get(&view, &Be(*number))? else { continue };
            jobs.push(M::Job::try_from_slice(&row).map_err(|_| StorageError::Damaged("job"))?);
            found.push(*number);
        }
        let mut entropy = [0; 32];
        OsRng.fill_bytes(&mut entropy);
        let perform = || match jobs.as_slice() {
            [] => Ok(Vec::new()),
            [job] => self.machine.perform(&view, job, entropy).map(|outcome| vec![outcome]),
            jobs => self.machine.perform_all(&view, jobs, entropy),
        };
        match catch_unwind(AssertUnwindSafe(perform)) {
            Ok(outcomes) => {
                let outcomes = outcomes?;
                if outcomes.len() != found.len() {
                    return Err(StorageError::Damaged("outcomes of jobs"));
                }
                let mut numbers = found.into_iter();
                let numbered = |outcome| Some((numbers.next()?, outcome));
                Ok(outcomes.into_iter().filter_map(numbered).collect())
            }
            Err(_) if found.len() > 1 => {
                // One of them has the fault: the others are done without it.
                let alone = found.iter().map(|number| self.perform(&[*number]));
                Ok(alone.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
            }
            Err(_) => {
                tracing::error!(jobs = ?found, "a job met a fault of this program: report it");
                Ok(Vec::new())
            }
        }
    }
}
