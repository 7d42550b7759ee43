//! The four roles of a node, what drives them, and what they ask their runtime to do (specs/flows.md).

use borsh::{BorshDeserialize, BorshSerialize};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sudare_crypto::{Hash, NodeId, Text};

use crate::kv::{Be, Kv, StorageError, Table, Tx};
use crate::messages::{Message, Reason};

/// What a node does on the network.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum Role {
    /// Records spent tags.
    Notary,
    /// Keeps the register of its assets.
    Registrar,
    /// Acts for investors.
    Custodian,
    /// Reads what its disclosure keys allow.
    Regulator,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Notary => "notary",
            Self::Registrar => "registrar",
            Self::Custodian => "custodian",
            Self::Regulator => "regulator",
        })
    }
}

/// What a role knows of the world when it handles an event: all of it is logged with the event.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Moment {
    /// The node's clock, ms since the Unix epoch; never earlier than at the event before.
    pub now: u64,
    /// Fresh random bytes.
    pub entropy: [u8; 32],
}

impl Moment {
    /// A generator from the moment's entropy. For nonces and salts; keys come from seeds.
    #[must_use]
    pub fn rng(&self) -> ChaCha20Rng {
        ChaCha20Rng::from_seed(self.entropy)
    }
}

/// Something that happened to a node.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
#[expect(clippy::large_enum_variant, reason = "events are handled one at a time")]
pub enum Event<I, O> {
    /// A message from a member whose role may send it. Refusing it drops it; accepting promises to act on it.
    Message {
        /// Who sent it.
        from: NodeId,
        /// The message.
        message: Message,
    },
    /// An instruction of the node's own operator.
    Instruct(I),
    /// A job is done.
    Done {
        /// The job's number.
        job: u64,
        /// What came out.
        outcome: O,
    },
    /// The peer has durably logged the message with this outbox number, or refused it.
    Delivered {
        /// The outbox number.
        number: u64,
        /// None if it was accepted.
        refused: Option<Reason>,
    },
    /// Time passed: the first deadline is due.
    Tick,
}

/// A role's answer to a message or an instruction.
pub type Answer = Result<Text<256>, Reason>;

/// How the CPU pool treats a job; what comes first here is done first.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub enum Lane {
    /// A peer waits for it, it is short, and many cost less together: those that wait are done as one batch.
    Gathered,
    /// A trade waits for it: done alone.
    Prompt,
    /// Nobody waits for it: it never has all threads, if there are several.
    Background,
}

/// A role: a pure function of its state, the moment and the event.
pub trait Machine {
    /// Instructions of the operator.
    type Instruction: BorshSerialize + BorshDeserialize + Send + 'static;
    /// Work for the CPU pool, repeated after a crash.
    type Job: BorshSerialize + BorshDeserialize + Clone + Send + 'static;
    /// What a job gives.
    type Outcome: BorshSerialize + BorshDeserialize + Send + 'static;

    /// Handles one event: reads and writes `tx`, sends with [`send`], starts work with [`start`], sets alarms with [`wake`].
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails: the node stops.
    fn handle(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        event: Event<Self::Instruction, Self::Outcome>,
    ) -> Result<Answer, StorageError>;

    /// Does a job. Reads the state as it is now; runs beside [`Machine::handle`] on any thread.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    fn perform(
        &self,
        kv: &dyn Kv,
        job: &Self::Job,
        entropy: [u8; 32],
    ) -> Result<Self::Outcome, StorageError>;

    /// How a job is to be scheduled.
    fn lane(&self, _job: &Self::Job) -> Lane {
        Lane::Prompt
    }

    /// Does jobs of [`Lane::Gathered`] together; gives an outcome for each, as [`Machine::perform`] would.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    fn perform_all(
        &self,
        kv: &dyn Kv,
        jobs: &[Self::Job],
        entropy: [u8; 32],
    ) -> Result<Vec<Self::Outcome>, StorageError> {
        let mut rng = ChaCha20Rng::from_seed(entropy);
        let mut own = || {
            let mut entropy = [0; 32];
            rng.fill_bytes(&mut entropy);
            entropy
        };
        jobs.iter().map(|job| self.perform(kv, job, own())).collect()
    }
}

/// A message waiting for its addressee to take it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Outgoing {
    /// To whom.
    pub to: NodeId,
    /// Since when, ms.
    pub since: u64,
    /// When it is no longer of use and is dropped, ms; never if it must arrive.
    pub until: Option<u64>,
    /// The message.
    pub message: Message,
}

/// Messages not yet delivered, by number.
pub const OUTBOX: Table<Be, Outgoing> = Table::new(0xf0, "outgoing message");
/// Encoded jobs not yet done, by number.
pub const JOBS: Table<Be, Vec<u8>> = Table::new(0xf1, "job");
/// Alarms, by time and what they are for.
pub const ALARMS: Table<(Be, Hash), ()> = Table::new(0xf2, "alarm");
/// The last alarm that was taken: none stands before it. A store finds what it deleted slowly, so nobody looks there again.
const TAKEN: Table<(), (Be, Hash)> = Table::new(0xf4, "last alarm taken");
const COUNTERS: Table<u8, u64> = Table::new(0xf3, "counter");

/// The next number of a counter; `counter` 0xf0 and above are this module's.
///
/// # Errors
///
/// [`StorageError`] if the store fails.
pub fn next_number(tx: &Tx<'_>, counter: u8) -> Result<u64, StorageError> {
    let number = COUNTERS.get(tx, &counter)?.unwrap_or(0);
    COUNTERS.put(tx, &counter, &number.saturating_add(1));
    Ok(number)
}

/// Puts a message into the outbox. The runtime repeats it until it is delivered or `until` has passed.
///
/// # Errors
///
/// [`StorageError`] if the store fails.
pub fn send(
    tx: &Tx<'_>,
    now: u64,
    to: NodeId,
    until: Option<u64>,
    message: Message,
) -> Result<(), StorageError> {
    let number = next_number(tx, 0xf0)?;
    OUTBOX.put(tx, &Be(number), &Outgoing { to, since: now, until, message });
    Ok(())
}

/// Starts a job and gives its number.
///
/// # Errors
///
/// [`StorageError`] if the store fails.
pub fn start<J: BorshSerialize>(tx: &Tx<'_>, job: &J) -> Result<u64, StorageError> {
    let number = next_number(tx, 0xf1)?;
    JOBS.put(tx, &Be(number), &sudare_crypto::encoding::encode(job));
    Ok(number)
}

/// Sets an alarm: a [`Event::Tick`] comes at `at` or soon after; [`due`] then gives `what`.
///
/// # Errors
///
/// [`StorageError`] if the store fails.
pub fn wake(tx: &Tx<'_>, at: u64, what: Hash) -> Result<(), StorageError> {
    let alarm = (Be(at), what);
    if TAKEN.get(tx, &())?.is_some_and(|taken| alarm <= taken) {
        TAKEN.delete(tx, &());
    }
    ALARMS.put(tx, &alarm, &());
    Ok(())
}

/// When the first alarm is due.
///
/// # Errors
///
/// [`StorageError`] if the store fails.
pub fn first_alarm(kv: &(impl Kv + ?Sized)) -> Result<Option<u64>, StorageError> {
    let taken = TAKEN.get(kv, &())?;
    Ok(ALARMS.rows(kv, taken.as_ref(), 1)?.first().map(|((at, _), ())| at.0))
}

/// Takes the alarms that are due, at most 256 of them; the runtime ticks again if there are more.
///
/// # Errors
///
/// [`StorageError`] if the store fails.
pub fn due(tx: &Tx<'_>, now: u64) -> Result<Vec<Hash>, StorageError> {
    let mut due = Vec::new();
    let mut taken = TAKEN.get(tx, &())?;
    for (alarm, ()) in ALARMS.rows(tx, taken.as_ref(), 256)? {
        if alarm.0.0 > now {
            break;
        }
        ALARMS.delete(tx, &alarm);
        due.push(alarm.1);
        taken = Some(alarm);
    }
    if let Some(taken) = taken.filter(|_| !due.is_empty()) {
        TAKEN.put(tx, &(), &taken);
    }
    Ok(due)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::kv::{MemoryKv, Pair};

    /// A store that notes after which key it was asked for rows.
    #[derive(Default)]
    struct Asked {
        rows: MemoryKv,
        after: RefCell<Vec<Option<Vec<u8>>>>,
    }

    impl Kv for Asked {
        fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
            self.rows.get(key)
        }

        fn scan(
            &self,
            prefix: &[u8],
            after: Option<&[u8]>,
            limit: usize,
        ) -> Result<Vec<Pair>, StorageError> {
            self.after.borrow_mut().push(after.map(<[u8]>::to_vec));
            self.rows.scan(prefix, after, limit)
        }
    }

    fn set(kv: &mut Asked, alarms: &[(u64, u8)]) {
        let writes = {
            let tx = Tx::new(&*kv);
            alarms.iter().for_each(|(at, what)| wake(&tx, *at, Hash([*what; 32])).unwrap());
            tx.into_writes()
        };
        kv.rows.apply(writes);
    }

    fn take(kv: &mut Asked, now: u64) -> Vec<u8> {
        let (taken, writes) = {
            let tx = Tx::new(&*kv);
            (due(&tx, now).unwrap(), tx.into_writes())
        };
        kv.rows.apply(writes);
        taken.into_iter().map(|what| what.0[0]).collect()
    }

    #[test]
    fn nobody_looks_for_an_alarm_where_others_were_taken() {
        let mut kv = Asked::default();
        set(&mut kv, &[(10, 1), (20, 2), (30, 3)]);
        assert_eq!(take(&mut kv, 20), [1, 2]);
        kv.after.borrow_mut().clear();
        assert_eq!(first_alarm(&kv).unwrap(), Some(30));
        assert_eq!(take(&mut kv, 29), []);
        assert!(kv.after.borrow().iter().all(Option::is_some));
    }

    #[test]
    fn an_alarm_that_is_set_for_before_the_last_one_taken_is_found() {
        let mut kv = Asked::default();
        set(&mut kv, &[(10, 1), (20, 2), (30, 3)]);
        assert_eq!(take(&mut kv, 20), [1, 2]);
        set(&mut kv, &[(20, 2), (15, 4), (25, 5)]);
        assert_eq!(first_alarm(&kv).unwrap(), Some(15));
        assert_eq!(take(&mut kv, 30), [4, 2, 5, 3]);
        assert_eq!(first_alarm(&kv).unwrap(), None);
    }
}
