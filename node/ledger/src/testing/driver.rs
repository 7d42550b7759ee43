//! Runs a role's machine over a store in memory.

use borsh::BorshDeserialize;
use sudare_crypto::encoding::encode;
use sudare_crypto::{Hash, NodeId};

use crate::kv::{MemoryKv, Tx};
use crate::messages::Message;
use crate::role::{Answer, Event, JOBS, Machine, Moment, OUTBOX};

/// A machine over a store in memory, which remembers what happened to it.
#[allow(missing_debug_implementations, reason = "machines hold keys")]
pub struct Driver<M: Machine> {
    /// The machine.
    pub machine: M,
    /// Its state.
    pub kv: MemoryKv,
    /// Its clock, ms.
    pub now: u64,
    history: Vec<(Moment, Vec<u8>)>,
}

impl<M: Machine> Driver<M> {
    /// The machine with an empty state.
    #[must_use]
    pub fn new(machine: M, now: u64) -> Self {
        Self { machine, kv: MemoryKv::default(), now, history: Vec::new() }
    }

    /// Handles one event and applies what it writes.
    pub fn handle(&mut self, event: Event<M::Instruction, M::Outcome>) -> Answer {
        let moment = Moment { now: self.now, entropy: self.entropy() };
        self.history.push((moment.clone(), encode(&event)));
        let tx = Tx::new(&self.kv);
        let answer = self.machine.handle(&tx, &moment, event).unwrap();
        let writes = tx.into_writes();
        self.kv.apply(writes);
        answer
    }

    /// A message comes.
    pub fn message(&mut self, from: NodeId, message: Message) -> Answer {
        self.handle(Event::Message { from, message })
    }

    /// The operator instructs.
    pub fn instruct(&mut self, instruction: M::Instruction) -> Answer {
        self.handle(Event::Instruct(instruction))
    }

    /// Does all jobs, and those that follow from them.
    pub fn work(&mut self) {
        while let Some((number, bytes)) = JOBS.rows(&self.kv, None, 1).unwrap().pop() {
            let job = M::Job::try_from_slice(&bytes).unwrap();
            let outcome = self.machine.perform(&self.kv, &job, self.entropy()).unwrap();
            self.handle(Event::Done { job: number.0, outcome }).unwrap();
        }
    }

    /// Takes everything out of the outbox, as if it were delivered.
    pub fn sent(&mut self) -> Vec<(NodeId, Message)> {
        let rows = OUTBOX.rows(&self.kv, None, usize::MAX).unwrap();
        let sent = rows.into_iter().map(|(number, sent)| {
            self.handle(Event::Delivered { number: number.0, refused: None }).unwrap();
            (sent.to, sent.message)
        });
        sent.collect()
    }

    /// Lets time pass, and ticks.
    pub fn advance(&mut self, ms: u64) {
        self.now = self.now.saturating_add(ms);
        self.handle(Event::Tick).unwrap();
    }

    /// The state that the same events give on an empty store: what a node has after it lost its index.
    #[must_use]
    pub fn replayed(&self) -> MemoryKv {
        let mut kv = MemoryKv::default();
        for (moment, event) in &self.history {
            let tx = Tx::new(&kv);
            let event = Event::try_from_slice(event).unwrap();
            let _ = self.machine.handle(&tx, moment, event).unwrap();
            let writes = tx.into_writes();
            kv.apply(writes);
        }
        kv
    }

    /// Asserts that the same events give the same state.
    pub fn assert_deterministic(&self) {
        let replayed = self.replayed();
        assert!(self.kv.pairs().eq(replayed.pairs()), "a replay gives another state");
    }

    fn entropy(&self) -> [u8; 32] {
        let number = u64::try_from(self.history.len()).unwrap();
        Hash::of(b"sudare/test/entropy", &[&number.to_le_bytes()]).0
    }
}

/// Sets a pair of the store behind a machine's back.
pub fn tamper(kv: &mut MemoryKv, change: impl FnOnce(&Tx<'_>)) {
    let copy = kv.clone();
    let tx = Tx::new(&copy);
    change(&tx);
    kv.apply(tx.into_writes());
}
