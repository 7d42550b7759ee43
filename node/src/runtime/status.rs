//! What a node can say of itself: who it is, how far it is, how much it has done, and for whom it waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::Version;
use sudare_crypto::{Bounded, Hash, NodeId, Text};
use sudare_ledger::role::Role;
use tokio::sync::watch;

use super::Clock;
use crate::membership::{MEMBERS_MAX, Member, MemberName, Membership};
use crate::net::Traffic;
use crate::store::Seq;
use crate::usage::Usage;

/// The most lines of traffic in a status.
pub const TRAFFIC_MAX: usize = 16_384;
const WHY_BYTES_MAX: usize = 512;

/// A node's status.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Status {
    /// Format version.
    pub version: Version<1>,
    /// The node's name.
    pub name: MemberName,
    /// Its key.
    pub id: NodeId,
    /// What it does.
    pub role: Role,
    /// The network.
    pub network: Hash,
    /// The number of the membership list in force.
    pub membership: u64,
    /// When it started, ms since the Unix epoch.
    pub started_at: u64,
    /// Its clock, ms since the Unix epoch.
    pub now: u64,
    /// How many records its log has.
    pub height: u64,
    /// What it has done since it started, and what waits.
    pub counters: Counters,
    /// Peers for whom messages wait or who can't be reached.
    pub backlog: Bounded<Backlog, MEMBERS_MAX>,
    /// Frames exchanged since the start, by peer and kind.
    pub traffic: Bounded<PeerTraffic, TRAFFIC_MAX>,
}

/// What a node has done since it started, and what waits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Counters {
    /// Events handled.
    pub events: u64,
    /// Of these, events that changed something and so are in the log.
    pub logged: u64,
    /// Batches handled.
    pub batches: u64,
    /// Of these, batches with something to sync.
    pub syncs: u64,
    /// Jobs begun.
    pub jobs_started: u64,
    /// Jobs done.
    pub jobs_done: u64,
    /// Jobs waiting for a thread.
    pub jobs_waiting: u64,
    /// Events waiting to be handled.
    pub inbox_waiting: u64,
    /// Processor time, ms.
    pub cpu_ms: u64,
    /// Resident memory, bytes.
    pub memory: u64,
}

/// What waits for one peer.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Backlog {
    /// Its name, or its key if it is no member.
    pub peer: Text<64>,
    /// How many messages wait or are on their way.
    pub waiting: u64,
    /// Since when it can't be reached, ms since the Unix epoch.
    pub unreachable_since: Option<u64>,
    /// Why, by the last attempt.
    pub why: Text<WHY_BYTES_MAX>,
}

/// Frames and bytes exchanged with one peer under one kind, responses included.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct PeerTraffic {
    /// The peer.
    pub peer: MemberName,
    /// The kind of the requests.
    pub kind: u8,
    /// Frames received.
    pub frames_in: u64,
    /// Frames sent.
    pub frames_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
}

/// Where all parts of a running node note what they do.
pub(super) struct Gauges {
    own: Member,
    membership: Membership,
    clock: Clock,
    started_at: u64,
    events: AtomicU64,
    logged: AtomicU64,
    batches: AtomicU64,
    syncs: AtomicU64,
    jobs_started: AtomicU64,
    jobs_done: AtomicU64,
    jobs_waiting: AtomicU64,
    inbox_waiting: AtomicU64,
    height: watch::Sender<u64>,
    backlog: Mutex<BTreeMap<NodeId, Backlog>>,
}

impl Gauges {
    pub(super) fn new(own: Member, membership: &Membership, clock: Clock) -> Self {
        let zero = AtomicU64::default;
        Self {
            own,
            membership: membership.clone(),
            started_at: clock(),
            clock,
            events: zero(),
            logged: zero(),
            batches: zero(),
            syncs: zero(),
            jobs_started: zero(),
            jobs_done: zero(),
            jobs_waiting: zero(),
            inbox_waiting: zero(),
            height: watch::Sender::new(0),
            backlog: Mutex::default(),
        }
    }

    /// The node's own role. It has one for life.
    pub(super) const fn role(&self) -> Role {
        self.own.role
    }

    pub(super) fn now(&self) -> u64 {
        (self.clock)()
    }

    /// A batch of `events` is handled, of which `logged` go into the log.
    pub(super) fn handled(&self, events: u64, logged: u64) {
        self.events.fetch_add(events, Relaxed);
        self.logged.fetch_add(logged, Relaxed);
        self.batches.fetch_add(u64::from(events > 0), Relaxed);
        self.syncs.fetch_add(u64::from(logged > 0), Relaxed);
    }

    /// The log ends with `head`, and this many events wait.
    pub(super) fn height(&self, head: Seq, waiting: usize) {
        self.height.send_replace(head.0);
        self.inbox_waiting.store(count(waiting), Relaxed);
    }

    /// The log's height, whenever it changes.
    pub(super) fn heights(&self) -> watch::Receiver<u64> {
        self.height.subscribe()
    }

    pub(super) fn jobs_waiting(&self, waiting: usize) {
        self.jobs_waiting.store(count(waiting), Relaxed);
    }

    /// Whether jobs wait for a core.
    pub(super) fn jobs_wait(&self) -> bool {
        self.jobs_waiting.load(Relaxed) > 0
    }

    pub(super) fn jobs_started(&self, started: usize, waiting: usize) {
        self.jobs_waiting(waiting);
        self.jobs_started.fetch_add(count(started), Relaxed);
    }

    pub(super) fn job_done(&self) {
        self.jobs_done.fetch_add(1, Relaxed);
    }

    /// This many messages wait for a peer or are on their way.
    pub(super) fn backlog(&self, peer: NodeId, waiting: usize) {
        self.peers().entry(peer).or_default().waiting = count(waiting);
    }

    /// An attempt to reach a peer failed.
    pub(super) fn unreachable(&self, peer: NodeId, why: &str) {
        let now = self.now();
        let mut peers = self.peers();
        let backlog = peers.entry(peer).or_default();
        backlog.unreachable_since.get_or_insert(now);
        let text: String = why.chars().filter(|character| !character.is_control()).collect();
        let end = text.floor_char_boundary(WHY_BYTES_MAX);
        backlog.why = Text::new(text.get(..end).unwrap_or_default()).unwrap_or_default();
    }

    /// A peer has answered.
    pub(super) fn reached(&self, peer: NodeId) {
        let mut peers = self.peers();
        let backlog = peers.entry(peer).or_default();
        backlog.unreachable_since = None;
        backlog.why = Text::default();
    }

    /// The status as it is now.
    pub(super) fn status(&self, traffic: &Traffic) -> Status {
        let list = self.membership.current();
        let mut backlog = Vec::new();
        for (id, known) in self.peers().iter() {
            if known.waiting > 0 || known.unreachable_since.is_some() {
                let name = list.find(id).map_or_else(|| id.to_string(), |m| m.name.to_string());
                let peer = Text::new(name).unwrap_or_default();
                backlog.push(Backlog { peer, ..known.clone() });
            }
        }
        backlog.truncate(MEMBERS_MAX);
        let traffic = traffic.snapshot().into_iter().map(|((peer, kind), counts)| PeerTraffic {
            peer,
            kind,
            frames_in: counts.frames_in,
            frames_out: counts.frames_out,
            bytes_in: counts.bytes_in,
            bytes_out: counts.bytes_out,
        });
        Status {
            version: Version,
            name: self.own.name.clone(),
            id: self.own.id,
            role: self.role(),
            network: *list.network(),
            membership: list.number(),
            started_at: self.started_at,
            now: self.now(),
            height: *self.height.borrow(),
            counters: self.counters(),
            backlog: Bounded::new(backlog).unwrap_or_default(),
            traffic: Bounded::new(traffic.take(TRAFFIC_MAX).collect()).unwrap_or_default(),
        }
    }

    fn counters(&self) -> Counters {
        let used = Usage::own();
        Counters {
            events: self.events.load(Relaxed),
            logged: self.logged.load(Relaxed),
            batches: self.batches.load(Relaxed),
            syncs: self.syncs.load(Relaxed),
            jobs_started: self.jobs_started.load(Relaxed),
            jobs_done: self.jobs_done.load(Relaxed),
            jobs_waiting: self.jobs_waiting.load(Relaxed),
            inbox_waiting: self.inbox_waiting.load(Relaxed),
            cpu_ms: used.cpu_ms,
            memory: used.memory,
        }
    }

    fn peers(&self) -> MutexGuard<'_, BTreeMap<NodeId, Backlog>> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn count(items: usize) -> u64 {
    u64::try_from(items).unwrap_or(u64::MAX)
}
