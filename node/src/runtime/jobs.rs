//! The CPU pool: performs jobs on threads of their own and brings their outcomes back as events.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use borsh::BorshDeserialize;
use rand_core::{OsRng, RngCore};
use sudare_ledger::kv::{Be, StorageError};
use sudare_ledger::role::{Event, JOBS, Machine};
use tokio::sync::mpsc;

use super::query::Views;
use super::status::Gauges;
use super::{Input, InputOf};

/// The jobs to be done; clones share them.
#[derive(Clone)]
pub(super) struct Pool(Arc<Shared>);

struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
    gauges: Arc<Gauges>,
}

struct Queue {
    waiting: VecDeque<u64>,
    /// Jobs below this were started in the life of this process, and aren't again.
    next: u64,
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
        let queue = Queue { waiting: VecDeque::new(), next: 0, stopped: false };
        let (queue, ready) = (Mutex::new(queue), Condvar::new());
        let pool = Self(Arc::new(Shared { queue, ready, gauges }));
        let cores = || thread::available_parallelism().map_or(1, usize::from);
        for number in 0..workers.unwrap_or_else(cores).max(1) {
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

    /// Adds jobs by their numbers, in order, but for those known already.
    pub(super) fn add(&self, numbers: impl Iterator<Item = u64>) {
        let mut queue = self.lock();
        for number in numbers {
            if number >= queue.next {
                queue.next = number.saturating_add(1);
                queue.waiting.push_back(number);
            }
        }
        self.0.gauges.jobs_waiting(queue.waiting.len());
        drop(queue);
        self.0.ready.notify_all();
    }

    /// Ends the threads, each after the job at hand.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
        self.0.ready.notify_all();
    }

    /// The next job, waiting for one; none if the pool is stopped.
    fn take(&self) -> Option<u64> {
        let mut queue = self.lock();
        loop {
            if queue.stopped {
                return None;
            }
            if let Some(number) = queue.waiting.pop_front() {
                self.0.gauges.job_started(queue.waiting.len());
                return Some(number);
            }
            queue = self.0.ready.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M: Machine> Worker<M> {
    fn run(self) {
        while let Some(job) = self.pool.take() {
            let input = match self.perform(job) {
                Ok(Some(outcome)) => Input::Event(Box::new(Event::Done { job, outcome }), None),
                Ok(None) => continue,
                Err(error) => Input::Failed(error),
            };
            self.pool.0.gauges.job_done();
            if self.inbox.blocking_send(input).is_err() {
                return;
            }
        }
    }

    /// Does a job; none if the role has taken it back, the node stops, or the job met a fault of this program: then its row
    /// stays, and the next start tries again.
    fn perform(&self, number: u64) -> Result<Option<M::Outcome>, StorageError> {
        let Some(view) = self.views.snapshot() else { return Ok(None) };
        let Some(row) = JOBS.get(&view, &Be(number))? else { return Ok(None) };
        let job = M::Job::try_from_slice(&row).map_err(|_| StorageError::Damaged("job"))?;
        let mut entropy = [0; 32];
        OsRng.fill_bytes(&mut entropy);
        let perform = || self.machine.perform(&view, &job, entropy);
        match catch_unwind(AssertUnwindSafe(perform)) {
            Ok(outcome) => outcome.map(Some),
            Err(_) => {
                tracing::error!(job = number, "a job met a fault of this program: report it");
                Ok(None)
            }
        }
    }
}
