//! The thread that handles events, batch by batch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sudare_ledger::kv::{MemoryKv, Writes};
use sudare_ledger::role::{ALARMS, Answer, Event, JOBS, Machine, OUTBOX, first_alarm};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::intake::Intake;
use super::jobs::Pool;
use super::ledger::{Batch, Ledger};
use super::outbox::Post;
use super::status::Gauges;
use super::{Clock, Input, InputOf, RuntimeError};
use crate::store::IndexReader;

/// The most events that are synced together.
const BATCH_EVENTS_MAX: u64 = 256;
/// No event joins a batch that has been handled for as long as the last sync took, within these bounds: the disk and the
/// rules then share the time, and a batch takes at most twice what it must.
const BATCH_TIME: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(50));
/// The longest sleep: the clock may be set.
const SLEEP_MAX_MS: u64 = 1_000;
/// How many outbox rows are read at a time at start.
const PAGE: usize = 16;

pub(super) struct Desk<M: Machine> {
    ledger: Ledger<M>,
    base: IndexReader,
    clock: Clock,
    intake: Intake<M::Instruction, M::Outcome>,
    posts: mpsc::UnboundedSender<Post>,
    pool: Pool,
    gauges: Arc<Gauges>,
    /// When to look at the role's alarms: no later than the first is due. It may have been deleted since.
    alarm: Option<u64>,
    /// How long a batch is added to.
    batch_time: Duration,
}

impl<M> Desk<M>
where
    M: Machine + Send + Sync + 'static,
{
    pub(super) fn new(
        ledger: Ledger<M>,
        clock: Clock,
        intake: Intake<M::Instruction, M::Outcome>,
        posts: mpsc::UnboundedSender<Post>,
        pool: Pool,
        gauges: Arc<Gauges>,
    ) -> Self {
        let base = ledger.reader();
        Self {
            ledger,
            base,
            clock,
            intake,
            posts,
            pool,
            gauges,
            alarm: None,
            batch_time: BATCH_TIME.0,
        }
    }

    /// Resumes outbox, jobs and alarms, then handles events on a thread of its own until `halted` or a failure.
    pub(super) fn start(
        mut self,
        halted: Arc<AtomicBool>,
    ) -> Result<oneshot::Receiver<Result<(), RuntimeError>>, RuntimeError> {
        self.resume()?;
        let (finished, result) = oneshot::channel();
        let run = move || {
            let stopped = self.run(&halted);
            // Nothing more is taken, and the store is closed before anybody hears of it.
            halted.store(true, Ordering::Release);
            drop(self);
            if let Err(error) = &stopped {
                tracing::error!(%error, "the node stops");
            }
            let _ = finished.send(stopped);
        };
        let thread = std::thread::Builder::new().name("sudare-events".into());
        thread.spawn(run).map_err(RuntimeError::Thread)?;
        Ok(result)
    }

    fn run(&mut self, halted: &AtomicBool) -> Result<(), RuntimeError> {
        while !halted.load(Ordering::Acquire) {
            let sleep = Duration::from_millis(self.sleep());
            let Some(inputs) = self.intake.next(sleep) else { return Ok(()) };
            self.turn(inputs)?;
        }
        Ok(())
    }

    /// Handles what has arrived as one batch.
    fn turn(&mut self, gathered: Vec<InputOf<M>>) -> Result<(), RuntimeError> {
        let base = self.base.clone();
        let mut batch = Batch::on(&base);
        let mut answers: Vec<(oneshot::Sender<Answer>, Answer)> = Vec::new();
        let mut handled = 0;
        let start = Instant::now();
        let now = (self.clock)();
        let ticks = self.alarm.is_some_and(|at| at <= now);
        if ticks {
            // A tick is nobody's request.
            let _ = self.ledger.handle(&mut batch, now, Event::Tick)?;
            handled = 1;
        }
        let mut gathered = gathered.into_iter();
        loop {
            let full = || handled >= BATCH_EVENTS_MAX || start.elapsed() >= self.batch_time;
            let next = match gathered.next() {
                None if full() => break,
                None => self.intake.more(),
                input => input,
            };
            match next {
                Some(Input::Event(event, waiting)) => {
                    let answer = self.ledger.handle(&mut batch, (self.clock)(), *event)?;
                    handled += 1;
                    answers.extend(waiting.map(|waiting| (waiting, answer)));
                }
                Some(Input::Failed(error)) => return Err(error.into()),
                Some(Input::Wake) => {}
                None => break,
            }
        }
        self.gauges.handled(handled, batch.logged);
        let sync = Instant::now();
        let effects = self.ledger.commit(batch)?;
        self.batch_time = sync.elapsed().clamp(BATCH_TIME.0, BATCH_TIME.1);
        for (waiting, answer) in answers {
            // Whoever has gone away asks again.
            let _ = waiting.send(answer);
        }
        self.gauges.height(self.ledger.head().seq, self.intake.len());
        self.release(&effects)?;
        if ticks {
            let first = first_alarm(&self.base)?;
            // If the role leaves a due alarm standing: look again, but not at once.
            let again = now.saturating_add(if effects.is_empty() { SLEEP_MAX_MS } else { 0 });
            self.alarm = first.map(|at| if at <= now { again } else { at });
        }
        Ok(())
    }

    /// Sends what the batch put into the outbox, starts its jobs, and notes when its first alarm is due.
    fn release(&mut self, effects: &Writes) -> Result<(), RuntimeError> {
        if effects.is_empty() {
            return Ok(());
        }
        let mut rows = MemoryKv::default();
        let written = effects.iter().filter(|(_, value)| value.is_some());
        rows.apply(written.map(|(key, value)| (key.clone(), value.clone())).collect());
        for (number, row) in OUTBOX.rows(&rows, None, usize::MAX)? {
            self.post(Post { number: number.0, to: row.to, until: row.until });
        }
        let jobs = JOBS.rows(&rows, None, usize::MAX)?;
        self.pool.add(&jobs);
        let set = ALARMS.rows(&rows, None, 1)?.first().map(|((at, _), ())| at.0);
        self.alarm = self.alarm.into_iter().chain(set).min();
        Ok(())
    }

    fn resume(&mut self) -> Result<(), RuntimeError> {
        let mut after = None;
        loop {
            let rows = OUTBOX.rows(&self.base, after.as_ref(), PAGE)?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(*last);
            for (number, row) in rows {
                self.post(Post { number: number.0, to: row.to, until: row.until });
            }
        }
        let jobs = JOBS.rows(&self.base, None, usize::MAX)?;
        self.pool.add(&jobs);
        self.alarm = first_alarm(&self.base)?;
        self.gauges.height(self.ledger.head().seq, 0);
        Ok(())
    }

    fn post(&self, post: Post) {
        // The outbox is gone only when the node stops; the row is sent after its next start.
        let _ = self.posts.send(post);
    }

    /// How long nothing is due, in ms.
    fn sleep(&self) -> u64 {
        let due = self.alarm.unwrap_or(u64::MAX);
        due.saturating_sub((self.clock)()).min(SLEEP_MAX_MS)
    }
}
