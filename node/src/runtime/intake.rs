//! What the desk handles next: events that come one by one under load, and notes that nobody waits for, are gathered.
//!
//! A batch costs a sync, however small, and wakes whoever is told of it. So an acknowledgement of a message waits for the next
//! event, and while jobs wait for a core, everything does for a moment: then nothing is done sooner by handling it at once.

use std::sync::Arc;
use std::time::Duration;

use sudare_ledger::role::Event;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::time::{Instant, timeout_at};

use super::status::Gauges;
use super::{Input, RuntimeError};

/// How long the note that a peer has taken a message may wait for another event. A crash meanwhile sends the message again.
const NOTE: Duration = Duration::from_millis(100);
/// How long an event may wait for others while jobs wait for a core. A job takes some tens of ms.
const BUSY: Duration = Duration::from_millis(20);
/// The most events gathered before they are handled.
const GATHERED_MAX: usize = 256;

pub(super) struct Intake<I, O> {
    events: mpsc::Receiver<Input<I, O>>,
    gauges: Arc<Gauges>,
    timer: Runtime,
}

impl<I, O> Intake<I, O> {
    pub(super) fn new(
        events: mpsc::Receiver<Input<I, O>>,
        gauges: Arc<Gauges>,
    ) -> Result<Self, RuntimeError> {
        let timer = Builder::new_current_thread().enable_time().build();
        Ok(Self { events, gauges, timer: timer.map_err(RuntimeError::Thread)? })
    }

    /// What is to be handled next, waiting for `at_most`; none if nothing can come any more.
    pub(super) fn next(&mut self, at_most: Duration) -> Option<Vec<Input<I, O>>> {
        let mut gathered = Vec::new();
        let mut by = Instant::now() + at_most;
        while gathered.len() < GATHERED_MAX {
            let input = match self.events.try_recv() {
                Ok(input) => input,
                Err(TryRecvError::Disconnected) if gathered.is_empty() => return None,
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    let events = &mut self.events;
                    let next = self.timer.block_on(async { timeout_at(by, events.recv()).await });
                    let Ok(Some(input)) = next else { break };
                    input
                }
            };
            let patience = self.patience(&input);
            gathered.push(input);
            if patience.is_zero() {
                break;
            }
            by = by.min(Instant::now() + patience);
        }
        Some(gathered)
    }

    /// What has come besides.
    pub(super) fn more(&mut self) -> Option<Input<I, O>> {
        self.events.try_recv().ok()
    }

    /// How many events wait.
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    fn patience(&self, input: &Input<I, O>) -> Duration {
        match input {
            Input::Failed(_) | Input::Wake => Duration::ZERO,
            Input::Event(event, None) if is_note(event) => NOTE,
            Input::Event(..) if self.gauges.jobs_wait() => BUSY,
            Input::Event(..) => Duration::ZERO,
        }
    }
}

/// A peer has taken a message: the row is done with.
const fn is_note<I, O>(event: &Event<I, O>) -> bool {
    matches!(event, Event::Delivered { refused: None, .. })
}
