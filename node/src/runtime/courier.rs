//! Brings one peer its messages: several at a time while it answers, one at a time with growing pauses while it doesn't.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use rand_core::{OsRng, RngCore};
use sudare_crypto::NodeId;
use sudare_crypto::encoding::encode;
use sudare_ledger::kv::{Be, StorageError};
use sudare_ledger::messages::{Message, Reason};
use sudare_ledger::role::{Event, OUTBOX, Outgoing};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::Input;
use super::outbox::{Outbox, Post};
use super::refusal::{Verdict, verdict};
use crate::net::{Fault, Response};

/// The most messages on their way to one peer.
const IN_FLIGHT_MAX: usize = 32;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// The first pause after a failure; each further failure doubles it.
const PAUSE_MIN: Duration = Duration::from_millis(20);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(2);

pub(super) struct Courier<I, O> {
    outbox: Arc<Outbox<I, O>>,
    to: NodeId,
    /// What is to be sent, in order, with the time from which it is of no use.
    waiting: BTreeMap<u64, Option<u64>>,
    lapses: BTreeSet<(u64, u64)>,
    in_flight: JoinSet<(u64, Option<u64>, Fate)>,
    pause: Option<(Duration, Instant)>,
}

/// What became of an attempt.
enum Fate {
    /// The peer has taken the message, or refused it.
    Delivered(Option<Reason>),
    /// The role has taken the row back.
    Withdrawn,
    /// Nobody knows; to be tried again.
    Failed(String),
    /// The node stops.
    Stopping,
}

impl<I: Send + 'static, O: Send + 'static> Courier<I, O> {
    pub(super) fn new(outbox: Arc<Outbox<I, O>>, to: NodeId) -> Self {
        Self {
            outbox,
            to,
            waiting: BTreeMap::new(),
            lapses: BTreeSet::new(),
            in_flight: JoinSet::new(),
            pause: None,
        }
    }

    pub(super) async fn run(mut self, mut posts: mpsc::UnboundedReceiver<Post>) {
        loop {
            self.drop_lapsed().await;
            self.send();
            let backlog = self.waiting.len().saturating_add(self.in_flight.len());
            self.outbox.gauges.backlog(self.to, backlog);
            let next_look = self.next_look();
            tokio::select! {
                post = posts.recv() => match post {
                    Some(post) => self.take(post),
                    None => return,
                },
                Some(done) = self.in_flight.join_next() => {
                    // A failed join is a panic or the end of the node: either way the row is sent after its next start.
                    let Ok((number, until, fate)) = done else { continue };
                    if !self.conclude(number, until, fate).await {
                        return;
                    }
                }
                () = sleep_until(next_look) => {}
            }
        }
    }

    fn take(&mut self, post: Post) {
        self.waiting.insert(post.number, post.until);
        if let Some(until) = post.until {
            self.lapses.insert((until, post.number));
        }
    }

    /// Starts as many attempts as there is room for.
    fn send(&mut self) {
        let width = match self.pause {
            Some((_, until)) if Instant::now() < until => 0,
            Some(_) => 1,
            None => IN_FLIGHT_MAX,
        };
        while self.in_flight.len() < width
            && let Some((number, until)) = self.waiting.pop_first()
        {
            if let Some(until) = until {
                self.lapses.remove(&(until, number));
            }
            let (outbox, to) = (Arc::clone(&self.outbox), self.to);
            self.in_flight.spawn(async move {
                let patience = patience(&outbox, until);
                (number, until, attempt(&outbox, to, number, patience).await)
            });
        }
    }

    /// Acts on the outcome of an attempt; false if the node stops.
    async fn conclude(&mut self, number: u64, until: Option<u64>, fate: Fate) -> bool {
        match fate {
            Fate::Delivered(refused) => {
                self.pause = None;
                self.outbox.gauges.reached(self.to);
                self.delivered(number, refused).await
            }
            Fate::Withdrawn => true,
            Fate::Failed(why) => {
                self.take(Post { number, to: self.to, until });
                self.back_off();
                self.outbox.gauges.unreachable(self.to, &why);
                true
            }
            Fate::Stopping => false,
        }
    }

    /// Waits twice as long as after the failure before, with up to half of that left out so that nodes spread.
    fn back_off(&mut self) {
        let now = Instant::now();
        let length = match self.pause {
            // Others that were on their way failed with the first.
            Some((_, until)) if now < until => return,
            Some((length, _)) => length.saturating_mul(2).min(PAUSE_MAX),
            None => PAUSE_MIN,
        };
        let part = OsRng.next_u32() % 512;
        let jitter = length.saturating_mul(part) / 1_024;
        self.pause = Some((length, now + length.saturating_sub(jitter)));
    }

    /// Gives up what is of no use any more.
    async fn drop_lapsed(&mut self) {
        let now = (self.outbox.clock)();
        while let Some((until, number)) = self.lapses.first().copied()
            && until <= now
        {
            self.lapses.remove(&(until, number));
            if self.waiting.remove(&number).is_some() {
                self.delivered(number, Some(Reason::Lapsed)).await;
            }
        }
    }

    async fn delivered(&self, number: u64, refused: Option<Reason>) -> bool {
        let event = Event::Delivered { number, refused };
        self.outbox.inbox.send(Input::Event(Box::new(event), None)).await.is_ok()
    }

    /// When a pause ends or a row lapses.
    fn next_look(&self) -> Instant {
        let now = Instant::now();
        let clock = (self.outbox.clock)();
        // The clock may be set meanwhile, so look now and then.
        let idle = Duration::from_secs(60);
        let lapse = self.lapses.first().map_or(idle, |(until, _)| {
            Duration::from_millis(until.saturating_sub(clock)).min(Duration::from_secs(1))
        });
        // An attempt under way ends the pause by its outcome.
        let pause = self.pause.filter(|_| self.in_flight.is_empty() && !self.waiting.is_empty());
        pause.map_or(now + idle, |(_, until)| until).min(now + lapse)
    }
}

/// How long an attempt may take for a row that lapses at `until`.
fn patience<I, O>(outbox: &Outbox<I, O>, until: Option<u64>) -> Duration {
    let left = until.map(|until| until.saturating_sub((outbox.clock)()));
    left.map_or(ATTEMPT, |left| Duration::from_millis(left).min(ATTEMPT))
}

/// Tries once to bring the message of a row to its addressee.
async fn attempt<I, O>(outbox: &Outbox<I, O>, to: NodeId, number: u64, patience: Duration) -> Fate {
    let row = match read(outbox, number) {
        Ok(Some(Some(row))) => row,
        Ok(Some(None)) => return Fate::Withdrawn,
        Ok(None) => return Fate::Stopping,
        Err(error) => {
            // Nobody hears it only if the node stops already.
            let _ = outbox.inbox.send(Input::Failed(error)).await;
            return Fate::Stopping;
        }
    };
    if to == outbox.own {
        return to_self(outbox, row.message).await;
    }
    let payload = encode(&row.message);
    match outbox.peers.request(&to, row.message.kind(), &payload, patience).await {
        Ok(Response::Accepted) => Fate::Delivered(None),
        Ok(Response::Refused(refusal)) => match verdict(&refusal) {
            Verdict::Final(reason) => Fate::Delivered(Some(reason)),
            Verdict::Later => Fate::Failed(refusal.text.to_string()),
        },
        Ok(Response::Answer(_)) => {
            Fate::Failed("it answers a message as if it were a query".into())
        }
        Err(error) if matches!(error.fault, Fault::TooLong(_)) => {
            Fate::Delivered(Some(Reason::TooLarge))
        }
        Err(error) => Fate::Failed(error.fault.to_string()),
    }
}

/// The row, none if it is gone; none at all if the node stops.
fn read<I, O>(
    outbox: &Outbox<I, O>,
    number: u64,
) -> Result<Option<Option<Outgoing>>, StorageError> {
    let Some(view) = outbox.views.snapshot() else { return Ok(None) };
    OUTBOX.get(&view, &Be(number)).map(Some)
}

/// A message from the node to itself needs no network.
async fn to_self<I, O>(outbox: &Outbox<I, O>, message: Message) -> Fate {
    let role = outbox.gauges.role();
    if Message::admitted(message.kind(), role, role).is_none() {
        return Fate::Delivered(Some(Reason::WrongRole));
    }
    let (reply, answer) = oneshot::channel();
    let event = Event::Message { from: outbox.own, message };
    if outbox.inbox.send(Input::Event(Box::new(event), Some(reply))).await.is_err() {
        return Fate::Stopping;
    }
    match answer.await {
        Ok(answer) => Fate::Delivered(answer.err()),
        Err(_) => Fate::Stopping,
    }
}
