//! Runs one role's [`Machine`] on a [`Store`](crate::store) and the [network](crate::net).
//!
//! ```text
//! messages, instructions ─┐                                        ┌─> answers to the senders
//! deliveries, outcomes ───┼─> one thread: handle, log, sync, apply ─┼─> outbox: sends until acknowledged
//! alarms ─────────────────┘                                        └─> jobs: work on all cores
//! queries ──────────────────> a snapshot, off that thread
//! ```
//! Everything that changes state is an event, handled one after another on one thread. What has arrived is handled as one
//! batch: its events go into the log with one sync, its writes into the index, and only then do answers and effects leave.
//! After a crash the events that the index lacks are handled again; the outbox and the jobs are rows, so they go on.
//!
//! Kinds of frames: 0..=63 messages between nodes ([`Message::admitted`](sudare_ledger::messages::Message::admitted)), 64..=127
//! queries of peers, 128 an instruction and 129..=255 queries of the operator, who alone holds the node's own key.

mod courier;
mod desk;
mod front;
mod intake;
mod jobs;
mod ledger;
mod operator;
mod outbox;
mod query;
mod queue;
mod refusal;
mod status;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sudare_crypto::NodeId;
use sudare_ledger::kv::StorageError;
use sudare_ledger::role::{Answer, Event, Machine};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use self::desk::Desk;
use self::front::Front;
use self::intake::Intake;
use self::jobs::Pool;
use self::ledger::Ledger;
pub use self::operator::Operator;
use self::outbox::Outbox;
use self::query::Views;
pub use self::query::{NoQueries, Queries, QueryError, Question};
pub use self::refusal::{MALFORMED, NOT_ADMITTED, STOPPING, reason_of};
use self::status::Gauges;
pub use self::status::{Backlog, Counters, PeerTraffic, Status, TRAFFIC_MAX};
use crate::membership::Membership;
use crate::net::Endpoint;
use crate::store::{Options as StoreOptions, Report, Seq, StoreError};

/// The kind of a frame with an instruction of the operator.
pub const INSTRUCTION: u8 = 128;
/// The kind of the operator's query for the node's [`Status`].
pub const STATUS: u8 = 129;
/// The longest instruction, in bytes.
pub const INSTRUCTION_BYTES_MAX: usize = 1024 * 1024;

/// How many events may wait to be handled; who brings more waits.
const INBOX_MAX: usize = 1_024;
/// How many queries are answered at a time.
const READERS_MAX: usize = 8;
/// How long a node takes to stop, at most.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Gives the time, in ms since the Unix epoch.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Where and as whom a role runs.
pub struct Setup<'a> {
    /// The folder of its store.
    pub folder: &'a Path,
    /// How to open the store.
    pub store: StoreOptions,
    /// The node.
    pub own: NodeId,
    /// The members.
    pub membership: Membership,
    /// The network.
    pub endpoint: Endpoint,
    /// Threads for jobs; one a core if `None`.
    pub workers: Option<usize>,
    /// The clock; [`crate::clock::now_ms`] but in simulations.
    pub clock: Clock,
}

impl fmt::Debug for Setup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// A role at work. Dropping it stops it without waiting.
pub struct Running {
    report: Report,
    endpoint: Endpoint,
    server: JoinHandle<()>,
    outbox: JoinHandle<()>,
    operator: Operator,
    stop_jobs: Box<dyn Fn() + Send + Sync>,
    wake_desk: Box<dyn Fn() + Send + Sync>,
    views: Views,
    gauges: Arc<Gauges>,
    halted: Arc<AtomicBool>,
    finished: Option<oneshot::Receiver<Result<(), RuntimeError>>>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("report", &self.report).finish_non_exhaustive()
    }
}

/// What comes to the thread that handles events.
enum Input<I, O> {
    /// An event, and who waits for its answer.
    Event(Box<Event<I, O>>, Option<oneshot::Sender<Answer>>),
    /// Another part of the node can't read the store.
    Failed(StorageError),
    /// Look whether to stop.
    Wake,
}

type InputOf<M> = Input<<M as Machine>::Instruction, <M as Machine>::Outcome>;

impl Running {
    /// Opens the store, handles again what its index lacks, and starts to serve. Needs a tokio runtime; blocks until the log
    /// is checked.
    ///
    /// # Errors
    ///
    /// [`RuntimeError`].
    pub fn start<M, Q>(machine: M, queries: Q, setup: Setup<'_>) -> Result<Self, RuntimeError>
    where
        M: Machine + Send + Sync + 'static,
        Q: Queries,
    {
        Self::start_on(machine, queries, setup, |_| {})
    }

    fn start_on<M, Q>(
        machine: M,
        queries: Q,
        setup: Setup<'_>,
        adjust: impl FnOnce(&mut Ledger<M>),
    ) -> Result<Self, RuntimeError>
    where
        M: Machine + Send + Sync + 'static,
        Q: Queries,
    {
        let Setup { folder, store, own, membership, endpoint, workers, clock } = setup;
        let member = membership.find(&own).ok_or(RuntimeError::NotAMember(own))?;
        let machine = Arc::new(machine);
        let (mut ledger, report) = Ledger::open(Arc::clone(&machine), folder, &store)?;
        adjust(&mut ledger);
        tracing::info!(node = %member.name, role = %member.role, "{report}");
        let (inbox, events) = mpsc::channel(INBOX_MAX);
        let views = Views::new(ledger.reader());
        let gauges = Arc::new(Gauges::new(member.clone(), &membership, Arc::clone(&clock)));
        let halted = Arc::new(AtomicBool::new(false));
        let pool = Pool::start(machine, workers, views.clone(), inbox.clone(), Arc::clone(&gauges))
            .map_err(RuntimeError::Thread)?;
        let outbox = Outbox {
            own,
            peers: endpoint.peers().clone(),
            views: views.clone(),
            inbox: inbox.clone(),
            clock: Arc::clone(&clock),
            gauges: Arc::clone(&gauges),
        };
        let (posts, outbox) = outbox.start();
        let front = Front {
            queries: Arc::new(queries),
            inbox: inbox.clone(),
            views: views.clone(),
            traffic: endpoint.traffic().clone(),
            gauges: Arc::clone(&gauges),
            halted: Arc::clone(&halted),
            readers: Arc::new(Semaphore::new(READERS_MAX)),
        };
        let intake = Intake::new(events, Arc::clone(&gauges))?;
        let desk = Desk::new(ledger, clock, intake, posts, pool.clone(), Arc::clone(&gauges));
        let finished = desk.start(Arc::clone(&halted))?;
        let front = Arc::new(front);
        let operator = Operator::new(Arc::clone(&front), member, gauges.heights());
        let server = endpoint.serve(front);
        Ok(Self {
            report,
            endpoint,
            server,
            outbox,
            operator,
            stop_jobs: Box::new(move || pool.stop()),
            // A full inbox wakes the desk just as well.
            wake_desk: Box::new(move || drop(inbox.try_send(Input::Wake))),
            views,
            gauges,
            halted,
            finished: Some(finished),
        })
    }

    /// What opening the store found and did.
    #[must_use]
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// The node's status, as its operator's query gives it.
    #[must_use]
    pub fn status(&self) -> Status {
        self.gauges.status(self.endpoint.traffic())
    }

    /// The node's operator, for what is part of this process.
    #[must_use]
    pub fn operator(&self) -> Operator {
        self.operator.clone()
    }

    /// Waits until the node fails: it never stops by itself otherwise.
    ///
    /// # Errors
    ///
    /// Why it stopped.
    pub async fn failed(&mut self) -> Result<(), RuntimeError> {
        let Some(finished) = &mut self.finished else { return Ok(()) };
        let result = finished.await.unwrap_or(Err(RuntimeError::Panicked));
        self.finished = None;
        result
    }

    /// Stops: takes nothing more, finishes the batch at hand and closes the store. Takes 5 s at most, unless a job is longer
    /// (which is done again after the next start).
    ///
    /// # Errors
    ///
    /// [`RuntimeError::Slow`] if something goes on all the same, or why it had stopped before.
    pub async fn stop(mut self) -> Result<(), RuntimeError> {
        self.halt();
        let finished = timeout(STOP_WITHIN, self.failed()).await;
        // Those who talk to this node learn that it goes before their requests lapse.
        let _ = timeout(STOP_WITHIN / 2, self.endpoint.close()).await;
        let closed = timeout(STOP_WITHIN, self.views.closed()).await;
        match (finished, closed) {
            (Ok(finished), Ok(())) => finished,
            _ => Err(RuntimeError::Slow),
        }
    }

    /// Runs until SIGTERM or Ctrl-C, then stops.
    ///
    /// # Errors
    ///
    /// Why it failed, if it did before.
    pub async fn until_signal(mut self) -> Result<(), RuntimeError> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).map_err(RuntimeError::Thread)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(RuntimeError::Thread)?;
        tokio::select! {
            failed = self.failed() => return failed,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        self.stop().await
    }

    fn halt(&self) {
        self.halted.store(true, Ordering::Release);
        (self.wake_desk)();
        (self.stop_jobs)();
        self.outbox.abort();
        self.server.abort();
        self.views.close();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.halt();
    }
}

/// Why a node can't start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The log or index can't be opened or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The index can't be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A record of the log is no event of this program's.
    #[error("record {0} of the log is of another version or role: use the program that wrote it")]
    Record(Seq),
    /// The node is not in the membership list.
    #[error("node {0} is not in the membership list: ask the network root to add it")]
    NotAMember(NodeId),
    /// The operating system gives no thread or signal handler.
    #[error("the operating system refuses a thread or signal handler: {0}")]
    Thread(std::io::Error),
    /// A rule of the role ran into a fault of this program. Nothing of the event was kept.
    #[error("the node met a fault of its own and stopped; report it with the message above")]
    Panicked,
    /// Something goes on although the node should have stopped.
    #[error("the node did not stop in time; what it was doing is done again after its next start")]
    Slow,
}

impl RuntimeError {
    /// The exit code of a process that ends with this error (sysexits.h).
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Record(_) => 65,
            Self::Panicked | Self::Slow => 70,
            Self::Thread(_) => 71,
            Self::Store(_) | Self::Storage(_) => 74,
            Self::NotAMember(_) => 78,
        }
    }
}
