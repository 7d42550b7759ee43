//! A deterministic simulation of a network of nodes: machines over stores in memory, one virtual clock, one seed.
//!
//! A node is what the runtime makes of a machine (FLOW-1, FLOW-2): an event is handled whole or not at all, messages are sent
//! from the outbox until the addressee has taken or refused them, jobs are performed until they are done. The network delays,
//! reorders, repeats and loses messages and acknowledgements; nodes crash before or after an event is in their log, and what
//! was under way is lost; links are cut for a while. The same seed gives the same run.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a simulator for tests: a panic is its report"
)]

mod host;
mod rogue;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use borsh::BorshSerialize;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Hash, NodeId};
use sudare_ledger::kv::{Be, MemoryKv};
use sudare_ledger::messages::{Message, Reason};
use sudare_ledger::role::{Answer, JOBS, OUTBOX, first_alarm};

pub use host::{Host, Puppet, Station};
pub use rogue::{Rogue, RoguePart};
pub use world::{Deal, Party, World};

/// The first pause before a message is sent again, ms; each further one doubles it.
const RETRY_MS: u64 = 100;
/// The longest pause, ms.
const RETRY_MS_MAX: u64 = 2_000;
/// By when everything must have come to rest, ms of virtual time.
const REST_WITHIN_MS: u64 = 4 * 3_600_000;

/// What goes wrong, and how often: chances are in 10,000.
#[derive(Clone, Debug)]
pub struct Faults {
    /// A message or acknowledgement is lost.
    pub loss: u32,
    /// A message arrives twice.
    pub twice: u32,
    /// A node crashes at an event: half of the time before the event is logged, else right after.
    pub crash: u32,
    /// A link is cut when a message is to go over it.
    pub cut: u32,
    /// How long a message takes, ms; wider ranges reorder more.
    pub delay: RangeInclusive<u64>,
    /// How long a crashed node is down, or a link cut, ms.
    pub down: RangeInclusive<u64>,
}

impl Faults {
    /// Nothing goes wrong.
    pub const fn none() -> Self {
        Self { loss: 0, twice: 0, crash: 0, cut: 0, delay: 1..=4, down: 50..=3_000 }
    }
}

/// How often faults happened, and how many events were handled.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Events handled.
    pub events: u64,
    /// Messages and acknowledgements lost.
    pub lost: u64,
    /// Messages that arrived twice.
    pub twice: u64,
    /// Crashes.
    pub crashes: u64,
    /// Links cut.
    pub cuts: u64,
}

/// What becomes of a message that a node is about to send.
#[derive(Debug)]
pub enum Tapped {
    /// It goes its way.
    Pass,
    /// It is never sent, as if its sender had not wanted to.
    Drop,
    /// These are sent in its place.
    Replace(Vec<Message>),
    /// It goes its way, and its acknowledgement is lost.
    Unheard,
}

/// Sees every message before it leaves, with sender and addressee.
pub type Tap = Box<dyn FnMut(NodeId, NodeId, &Message) -> Tapped>;

enum Action {
    Attempt { node: NodeId, life: u32, number: u64, tries: u32 },
    Arrive { from: NodeId, life: u32, to: NodeId, number: u64, message: Vec<u8> },
    Ack { node: NodeId, life: u32, by: NodeId, number: u64, refused: Option<Reason> },
    Perform { node: NodeId, life: u32, job: u64 },
    Done { node: NodeId, life: u32, job: u64, outcome: Vec<u8> },
    Tick { node: NodeId, life: u32 },
    Restart { node: NodeId },
}

struct Member {
    station: Box<dyn Station>,
    /// How far its clock is ahead, ms.
    ahead: u64,
    up: bool,
    /// Grows with every crash: what was under way in an earlier life comes to nothing.
    life: u32,
    next_post: u64,
    next_job: u64,
    alarm: Option<u64>,
    seen: Option<Vec<(NodeId, Message)>>,
}

/// The network.
#[allow(missing_debug_implementations, reason = "machines hold keys")]
pub struct Sim {
    /// The time, ms since the Unix epoch.
    pub now: u64,
    /// What goes wrong from now on.
    pub faults: Faults,
    /// What happened so far.
    pub counts: Counts,
    /// Nodes that never crash by chance.
    pub steady: BTreeSet<NodeId>,
    members: BTreeMap<NodeId, Member>,
    queue: BTreeMap<(u64, u64), Action>,
    next: u64,
    rng: ChaCha20Rng,
    cuts: BTreeMap<(NodeId, NodeId), u64>,
    tap: Option<Tap>,
}

impl Sim {
    /// A network without nodes.
    pub fn new(seed: u64, now: u64) -> Self {
        Self {
            now,
            faults: Faults::none(),
            counts: Counts::default(),
            steady: BTreeSet::new(),
            members: BTreeMap::new(),
            queue: BTreeMap::new(),
            next: 0,
            rng: ChaCha20Rng::seed_from_u64(seed),
            cuts: BTreeMap::new(),
            tap: None,
        }
    }

    /// Adds a node.
    pub fn add(&mut self, id: NodeId, station: Box<dyn Station>) {
        let member = Member {
            station,
            ahead: 0,
            up: true,
            life: 0,
            next_post: 0,
            next_job: 0,
            alarm: None,
            seen: None,
        };
        assert!(self.members.insert(id, member).is_none(), "a node of this name is there");
    }

    /// Shows every message before it leaves to `tap`, instead of to the one before.
    pub fn tap(&mut self, tap: impl FnMut(NodeId, NodeId, &Message) -> Tapped + 'static) {
        self.tap = Some(Box::new(tap));
    }

    /// Lets every message leave again.
    pub fn untap(&mut self) {
        self.tap = None;
    }

    /// Keeps every message that arrives at a node from now on.
    pub fn watch(&mut self, node: NodeId) {
        self.members.get_mut(&node).unwrap().seen = Some(Vec::new());
    }

    /// What has arrived at a watched node, each with its sender.
    pub fn seen(&self, node: NodeId) -> &[(NodeId, Message)] {
        self.members[&node].seen.as_deref().expect("the node is watched")
    }

    /// The state of a node.
    pub fn kv(&self, node: NodeId) -> &MemoryKv {
        self.members[&node].station.kv()
    }

    /// Whether a node is up.
    pub fn is_up(&self, node: NodeId) -> bool {
        self.members[&node].up
    }

    /// Sets a node's clock this many ms ahead.
    pub fn set_ahead(&mut self, node: NodeId, ms: u64) {
        self.members.get_mut(&node).unwrap().ahead = ms;
    }

    /// The operator of a node instructs; its answer.
    pub fn instruct(&mut self, node: NodeId, instruction: &impl BorshSerialize) -> Answer {
        let bytes = encode(instruction);
        let member = self.members.get_mut(&node).unwrap();
        assert!(member.up, "the operator of a node that is down");
        let answer = member.station.instruct(self.now.saturating_add(member.ahead), &bytes);
        self.counts.events += 1;
        self.look(node);
        answer
    }

    /// A node that is up gets a message at once, past the network; what it answers.
    pub fn say(&mut self, from: NodeId, to: NodeId, message: Message) -> Answer {
        let from_role = self.members[&from].station.role();
        let member = self.members.get_mut(&to).unwrap();
        assert!(member.up, "a message to a node that is down");
        let limit = Message::admitted(message.kind(), from_role, member.station.role());
        match limit {
            None => return Err(Reason::WrongRole),
            Some(limit) if encode(&message).len() > limit => return Err(Reason::TooLarge),
            Some(_) => (),
        }
        let answer = member.station.message(self.now.saturating_add(member.ahead), from, message);
        self.counts.events += 1;
        self.look(to);
        answer
    }

    /// Crashes a node and leaves it down.
    pub fn crash(&mut self, node: NodeId) {
        let member = self.members.get_mut(&node).unwrap();
        member.up = false;
        member.life += 1;
        member.alarm = None;
    }

    /// Starts a node that is down.
    pub fn restart(&mut self, node: NodeId) {
        let member = self.members.get_mut(&node).unwrap();
        if member.up {
            return;
        }
        member.station.restart();
        (member.up, member.next_post, member.next_job) = (true, 0, 0);
        self.look(node);
    }

    /// Handles events until nothing is under way and no alarm is set.
    pub fn rest(&mut self) {
        let until = self.now.saturating_add(REST_WITHIN_MS);
        while let Some((at, _)) = self.queue.keys().next().copied() {
            assert!(at < until, "the network does not come to rest");
            self.step();
        }
    }

    /// Handles events for this long, ms.
    pub fn run_for(&mut self, ms: u64) {
        let until = self.now.saturating_add(ms);
        while self.queue.keys().next().is_some_and(|(at, _)| *at <= until) {
            self.step();
        }
        self.now = until;
    }

    /// Handles events until `is` holds; panics if it never does.
    pub fn run_until(&mut self, what: &str, mut is: impl FnMut(&Self) -> bool) {
        let until = self.now.saturating_add(REST_WITHIN_MS);
        while !is(self) {
            let next = self.queue.keys().next().map(|(at, _)| *at);
            assert!(next.is_some_and(|at| at < until), "it never comes to this: {what}");
            self.step();
        }
    }

    /// The hash of the states of all nodes.
    pub fn state_hash(&self) -> Hash {
        let mut state = Hash::default();
        for (id, member) in &self.members {
            for (key, value) in member.station.kv().pairs() {
                state = Hash::of(b"sudare/sim/state", &[state.as_bytes(), &id.0, key, value]);
            }
        }
        state
    }

    fn step(&mut self) {
        let Some(((at, _), action)) = self.queue.pop_first() else { return };
        self.now = self.now.max(at);
        match action {
            Action::Attempt { node, life, number, tries } => {
                self.attempt(node, life, number, tries)
            }
            Action::Arrive { from, life, to, number, message } => {
                self.arrive(from, life, to, number, &message);
            }
            Action::Ack { node, life, by, number, refused } => {
                if !self.is_cut(node, by) {
                    self.event(node, life, |station, now| {
                        if OUTBOX.contains(station.kv(), &Be(number)).unwrap() {
                            station.delivered(now, number, refused);
                        }
                    });
                }
            }
            Action::Perform { node, life, job } => {
                let delay = self.delay();
                let member = self.members.get_mut(&node).unwrap();
                if member.up
                    && member.life == life
                    && let Some(outcome) = member.station.perform(job)
                {
                    self.after(delay, Action::Done { node, life, job, outcome });
                }
            }
            Action::Done { node, life, job, outcome } => {
                self.event(node, life, |station, now| station.done(now, job, &outcome));
            }
            Action::Tick { node, life } => {
                if self.members[&node].life == life {
                    self.members.get_mut(&node).unwrap().alarm = None;
                }
                self.event(node, life, |station, now| station.tick(now));
            }
            Action::Restart { node } => self.restart(node),
        }
    }

    /// Sends the message of an outbox row, once.
    fn attempt(&mut self, node: NodeId, life: u32, number: u64, tries: u32) {
        let member = &self.members[&node];
        if !member.up || member.life != life {
            return;
        }
        let Some(row) = OUTBOX.get(member.station.kv(), &Be(number)).unwrap() else { return };
        if row.until.is_some_and(|until| until <= self.now.saturating_add(member.ahead)) {
            let refused = Some(Reason::Lapsed);
            self.event(node, life, |station, now| station.delivered(now, number, refused));
            return;
        }
        let pause = RETRY_MS.saturating_mul(1 << tries.min(8)).min(RETRY_MS_MAX);
        let left = row.until.map_or(pause, |until| until.saturating_sub(self.now).max(1));
        let again = Action::Attempt { node, life, number, tries: tries.saturating_add(1) };
        self.after(pause.min(left), again);
        let tapped = self.tap.as_mut().map_or(Tapped::Pass, |tap| tap(node, row.to, &row.message));
        // No row has this number: the acknowledgement is for nothing.
        let number = if matches!(tapped, Tapped::Unheard) { u64::MAX } else { number };
        let messages = match tapped {
            Tapped::Pass | Tapped::Unheard => vec![row.message],
            Tapped::Drop => Vec::new(),
            Tapped::Replace(messages) => messages,
        };
        if messages.is_empty() {
            self.event(node, life, |station, now| station.delivered(now, number, None));
            return;
        }
        if node != row.to && self.chance(self.faults.cut) {
            let until = self.now.saturating_add(self.downtime());
            self.cuts.insert(link(node, row.to), until);
            self.counts.cuts += 1;
        }
        let copies = if self.chance(self.faults.twice) { 2 } else { 1 };
        self.counts.twice += copies - 1;
        for message in messages {
            for _ in 0..copies {
                if self.is_cut(node, row.to) || self.chance(self.faults.loss) {
                    self.counts.lost += 1;
                    continue;
                }
                let (delay, message) = (self.delay(), encode(&message));
                let arrive = Action::Arrive { from: node, life, to: row.to, number, message };
                self.after(delay, arrive);
            }
        }
    }

    /// A message comes to its addressee, whose runtime asks first whether its role takes it.
    fn arrive(&mut self, from: NodeId, life: u32, to: NodeId, number: u64, bytes: &[u8]) {
        let Some(member) = self.members.get(&to) else { return };
        let (to_role, to_life) = (member.station.role(), member.life);
        if !member.up {
            return;
        }
        let from_role = self.members[&from].station.role();
        let message: Message = decode(bytes, "a message").expect("only whole messages are sent");
        let limit = Message::admitted(message.kind(), from_role, to_role);
        let mut refused = match limit {
            None => Some(Reason::WrongRole),
            Some(limit) if bytes.len() > limit => Some(Reason::TooLarge),
            Some(_) => None,
        };
        if refused.is_none() {
            let Some(seen) = self.event(to, to_life, |station, now| {
                let answer = station.message(now, from, message.clone());
                (answer.err(), message)
            }) else {
                return;
            };
            refused = seen.0;
            if let Some(kept) = &mut self.members.get_mut(&to).unwrap().seen {
                kept.push((from, seen.1));
            }
        }
        if self.members[&to].life != to_life {
            return;
        }
        if self.chance(self.faults.loss) {
            self.counts.lost += 1;
            return;
        }
        let delay = self.delay();
        self.after(delay, Action::Ack { node: from, life, by: to, number, refused });
    }

    /// An event of a node, unless the node is down, or crashes before the event is in its log.
    fn event<T>(
        &mut self,
        node: NodeId,
        life: u32,
        handle: impl FnOnce(&mut dyn Station, u64) -> T,
    ) -> Option<T> {
        let crashes =
            self.faults.crash > 0 && !self.steady.contains(&node) && self.chance(self.faults.crash);
        let before = crashes && self.chance(5_000);
        let member = self.members.get_mut(&node).unwrap();
        if !member.up || member.life != life {
            return None;
        }
        let now = self.now.saturating_add(member.ahead);
        let done = (!before).then(|| handle(&mut *member.station, now));
        self.counts.events += 1;
        if crashes {
            self.counts.crashes += 1;
            self.crash(node);
            let down = self.downtime();
            self.after(down, Action::Restart { node });
        } else {
            self.look(node);
        }
        done
    }

    /// Sets off what an event has written into outbox, jobs and alarms.
    fn look(&mut self, node: NodeId) {
        let member = self.members.get_mut(&node).unwrap();
        let (kv, life) = (member.station.kv(), member.life);
        let after = |next: u64| next.checked_sub(1).map(Be);
        let posts = OUTBOX.rows(kv, after(member.next_post).as_ref(), usize::MAX).unwrap();
        let jobs = JOBS.rows(kv, after(member.next_job).as_ref(), usize::MAX).unwrap();
        let alarm = first_alarm(kv).unwrap();
        if let Some((last, _)) = posts.last() {
            member.next_post = last.0 + 1;
        }
        if let Some((last, _)) = jobs.last() {
            member.next_job = last.0 + 1;
        }
        let now = self.now.saturating_add(member.ahead);
        let tick = alarm.filter(|at| member.alarm.is_none_or(|set| *at < set));
        if let Some(at) = tick {
            member.alarm = Some(at);
            self.after(at.saturating_sub(now), Action::Tick { node, life });
        }
        for (number, _) in posts {
            self.after(0, Action::Attempt { node, life, number: number.0, tries: 0 });
        }
        for (job, _) in jobs {
            let delay = self.delay();
            self.after(delay, Action::Perform { node, life, job: job.0 });
        }
    }

    fn after(&mut self, ms: u64, action: Action) {
        self.next += 1;
        self.queue.insert((self.now.saturating_add(ms), self.next), action);
    }

    fn is_cut(&self, one: NodeId, other: NodeId) -> bool {
        self.cuts.get(&link(one, other)).is_some_and(|until| self.now < *until)
    }

    fn chance(&mut self, in_ten_thousand: u32) -> bool {
        in_ten_thousand > 0 && self.rng.next_u32() % 10_000 < in_ten_thousand
    }

    fn delay(&mut self) -> u64 {
        let range = self.faults.delay.clone();
        self.draw(range)
    }

    fn downtime(&mut self) -> u64 {
        let range = self.faults.down.clone();
        self.draw(range)
    }

    fn draw(&mut self, range: RangeInclusive<u64>) -> u64 {
        let width = range.end().saturating_sub(*range.start()).saturating_add(1);
        range.start().saturating_add(self.rng.next_u64() % width)
    }
}

fn link(one: NodeId, other: NodeId) -> (NodeId, NodeId) {
    (one.min(other), one.max(other))
}
