//! A node without network and disk: a machine, its log, and an index that lags behind it.

use std::collections::VecDeque;

use borsh::BorshDeserialize;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Hash, NodeId, Text};
use sudare_ledger::kv::{Be, MemoryKv, Tx, Writes};
use sudare_ledger::messages::{Message, Reason};
use sudare_ledger::role::{Answer, Event, JOBS, Machine, Moment, Role};

/// How many events the index is behind the log.
const LAG: usize = 24;

/// A node as the simulator drives it, whatever its role.
pub trait Station {
    /// What the node does.
    fn role(&self) -> Role;
    /// Its state after all events in its log.
    fn kv(&self) -> &MemoryKv;
    /// A message comes.
    fn message(&mut self, now: u64, from: NodeId, message: Message) -> Answer;
    /// The operator instructs; `instruction` is encoded.
    fn instruct(&mut self, now: u64, instruction: &[u8]) -> Answer;
    /// A message was taken or refused.
    fn delivered(&mut self, now: u64, number: u64, refused: Option<Reason>);
    /// Time passed.
    fn tick(&mut self, now: u64);
    /// Does a job and gives its encoded outcome; none if its row is gone.
    fn perform(&mut self, job: u64) -> Option<Vec<u8>>;
    /// A job is done.
    fn done(&mut self, now: u64, job: u64, outcome: &[u8]);
    /// Starts again: the index handles the events that it lacks. Panics if that gives another state.
    fn restart(&mut self);
}

/// A machine with its log.
#[allow(missing_debug_implementations, reason = "machines hold keys")]
pub struct Host<M: Machine> {
    machine: M,
    role: Role,
    seed: Hash,
    drawn: u64,
    last: u64,
    kv: MemoryKv,
    /// The state before the events of `tail`.
    index: MemoryKv,
    tail: VecDeque<(Moment, Vec<u8>, Writes)>,
}

impl<M: Machine> Host<M> {
    /// The machine with an empty state; its entropy follows from `seed`.
    pub fn new(machine: M, role: Role, seed: Hash) -> Self {
        Self {
            machine,
            role,
            seed,
            drawn: 0,
            last: 0,
            kv: MemoryKv::default(),
            index: MemoryKv::default(),
            tail: VecDeque::new(),
        }
    }

    fn handle(&mut self, now: u64, event: Event<M::Instruction, M::Outcome>) -> Answer {
        self.last = self.last.max(now);
        let moment = Moment { now: self.last, entropy: self.entropy() };
        let bytes = encode(&event);
        let (answer, writes) = handle(&self.machine, &self.kv, &moment, event);
        self.kv.apply(writes.clone());
        self.tail.push_back((moment, bytes, writes));
        while self.tail.len() > LAG {
            if let Some((_, _, writes)) = self.tail.pop_front() {
                self.index.apply(writes);
            }
        }
        answer
    }

    fn entropy(&mut self) -> [u8; 32] {
        self.drawn += 1;
        Hash::of(b"sudare/sim/entropy", &[self.seed.as_bytes(), &self.drawn.to_le_bytes()]).0
    }
}

fn handle<M: Machine>(
    machine: &M,
    kv: &MemoryKv,
    moment: &Moment,
    event: Event<M::Instruction, M::Outcome>,
) -> (Answer, Writes) {
    let tx = Tx::new(kv);
    let answer = machine.handle(&tx, moment, event).expect("the store in memory never fails");
    (answer, tx.into_writes())
}

impl<M: Machine> Station for Host<M> {
    fn role(&self) -> Role {
        self.role
    }

    fn kv(&self) -> &MemoryKv {
        &self.kv
    }

    fn message(&mut self, now: u64, from: NodeId, message: Message) -> Answer {
        self.handle(now, Event::Message { from, message })
    }

    fn instruct(&mut self, now: u64, instruction: &[u8]) -> Answer {
        let instruction = decode(instruction, "an instruction").expect("of this role");
        self.handle(now, Event::Instruct(instruction))
    }

    fn delivered(&mut self, now: u64, number: u64, refused: Option<Reason>) {
        let _ = self.handle(now, Event::Delivered { number, refused });
    }

    fn tick(&mut self, now: u64) {
        let _ = self.handle(now, Event::Tick);
    }

    fn perform(&mut self, job: u64) -> Option<Vec<u8>> {
        let row = JOBS.get(&self.kv, &Be(job)).expect("a job")?;
        let row = M::Job::try_from_slice(&row).expect("a job of this role");
        let entropy = self.entropy();
        let outcome = self.machine.perform(&self.kv, &row, entropy);
        Some(encode(&outcome.expect("the store in memory never fails")))
    }

    fn done(&mut self, now: u64, job: u64, outcome: &[u8]) {
        let outcome = decode(outcome, "an outcome").expect("of this role");
        let _ = self.handle(now, Event::Done { job, outcome });
    }

    fn restart(&mut self) {
        let mut again = self.index.clone();
        for (moment, event, _) in &self.tail {
            let event = Event::try_from_slice(event).expect("an event of this role");
            let (_, writes) = handle(&self.machine, &again, moment, event);
            again.apply(writes);
        }
        assert!(again.pairs().eq(self.kv.pairs()), "a replay gives another state");
    }
}

/// A node that takes every message and does nothing by itself: a test acts for it.
#[derive(Debug)]
pub struct Puppet(pub Role, pub MemoryKv);

impl Station for Puppet {
    fn role(&self) -> Role {
        self.0
    }

    fn kv(&self) -> &MemoryKv {
        &self.1
    }

    fn message(&mut self, _: u64, _: NodeId, _: Message) -> Answer {
        Ok(Text::default())
    }

    fn instruct(&mut self, _: u64, _: &[u8]) -> Answer {
        Err(Reason::WrongRole)
    }

    fn delivered(&mut self, _: u64, _: u64, _: Option<Reason>) {}

    fn tick(&mut self, _: u64) {}

    fn perform(&mut self, _: u64) -> Option<Vec<u8>> {
        None
    }

    fn done(&mut self, _: u64, _: u64, _: &[u8]) {}

    fn restart(&mut self) {}
}
