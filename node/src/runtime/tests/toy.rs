//! A role that counts: it sends numbers, counts each number once, and answers each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::{Hash, NodeId, Text};
use sudare_ledger::kv::{Be, Kv, StorageError, Table, Tx};
use sudare_ledger::messages::{Message, Reason};
use sudare_ledger::role::{self, Answer, Event, JOBS, Machine, Moment, OUTBOX};

use crate::membership::Member;
use crate::net::Origin;
use crate::runtime::{Queries, QueryError, Question};

/// Kinds of queries; the first is for peers, too.
pub(super) const NUMBERS: u8 = 64;
pub(super) const ANSWERS: u8 = 130;
pub(super) const DELIVERED: u8 = 131;
pub(super) const REFUSED: u8 = 132;
pub(super) const LAPSED: u8 = 133;
pub(super) const RESULTS: u8 = 134;
pub(super) const RANG: u8 = 135;
/// A number that nobody takes.
pub(super) const BAD: u64 = u64::MAX;

const SEEN: Table<(u8, Be), ()> = Table::new(b's', "seen");
const COUNT: Table<u8, u64> = Table::new(b'c', "count");
const TIMES: Table<Be, [u8; 32]> = Table::new(b't', "time");

/// An instruction.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(super) enum Order {
    Send { to: NodeId, first: u64, count: u64, until: Option<u64> },
    Work(u64),
    Ring(u64),
    Refuse,
    Panic,
    Note,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Toy {
    /// How many jobs were begun.
    pub(super) begun: Arc<AtomicU64>,
    /// Jobs wait while this is set.
    pub(super) stuck: Arc<AtomicBool>,
    /// Jobs end without having done anything.
    pub(super) broken: Arc<AtomicBool>,
}

impl Machine for Toy {
    type Instruction = Order;
    type Job = u64;
    type Outcome = u64;

    fn handle(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        event: Event<Order, u64>,
    ) -> Result<Answer, StorageError> {
        match event {
            Event::Message { from, message } => return message_(tx, moment, from, &message),
            Event::Instruct(order) => return instruct(tx, moment, order),
            Event::Done { job, outcome } => {
                JOBS.delete(tx, &Be(job));
                once(tx, RESULTS, outcome)?;
            }
            Event::Delivered { number, refused } => {
                OUTBOX.delete(tx, &Be(number));
                let kind = match refused {
                    None => DELIVERED,
                    Some(Reason::Lapsed) => LAPSED,
                    Some(_) => REFUSED,
                };
                once(tx, kind, number)?;
            }
            Event::Tick => {
                for hash in role::due(tx, moment.now)? {
                    once(tx, RANG, number(&hash))?;
                }
            }
        }
        Ok(Ok(Text::default()))
    }

    fn perform(&self, _: &dyn Kv, job: &u64, _: [u8; 32]) -> Result<u64, StorageError> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        while self.stuck.load(Ordering::Relaxed) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        assert!(!self.broken.load(Ordering::Relaxed), "the job was told to fail");
        Ok(job * 2)
    }
}

fn message_(
    tx: &Tx<'_>,
    moment: &Moment,
    from: NodeId,
    message: &Message,
) -> Result<Answer, StorageError> {
    let Message::Abandon { proposal, reason } = message else { return Ok(Err(Reason::WrongRole)) };
    let number = number(proposal);
    match reason {
        _ if number == BAD => return Ok(Err(Reason::NoMatch)),
        Reason::Abandoned => {
            once(tx, ANSWERS, number)?;
        }
        _ => {
            if once(tx, NUMBERS, number)? {
                role::send(tx, moment.now, from, None, said(number, Reason::Abandoned))?;
            }
        }
    }
    Ok(Ok(Text::default()))
}

fn instruct(tx: &Tx<'_>, moment: &Moment, order: Order) -> Result<Answer, StorageError> {
    match order {
        Order::Send { to, first, count, until } => {
            for number in (first..=BAD).take(usize::try_from(count).unwrap()) {
                role::send(tx, moment.now, to, until, said(number, Reason::NoMatch))?;
            }
        }
        Order::Work(number) => {
            role::start(tx, &number)?;
        }
        Order::Ring(at) => role::wake(tx, at, hash(at))?,
        Order::Refuse => return Ok(Err(Reason::Closed)),
        Order::Panic => panic!("told to"),
        Order::Note => TIMES.put(tx, &Be(moment.now), &moment.entropy),
    }
    Ok(Ok(Text::new("as you say").unwrap()))
}

/// Counts a number the first time it is seen.
fn once(tx: &Tx<'_>, kind: u8, number: u64) -> Result<bool, StorageError> {
    if SEEN.contains(tx, &(kind, Be(number)))? {
        return Ok(false);
    }
    SEEN.put(tx, &(kind, Be(number)), &());
    COUNT.put(tx, &kind, &(COUNT.get(tx, &kind)?.unwrap_or(0) + 1));
    Ok(true)
}

fn said(number: u64, reason: Reason) -> Message {
    Message::Abandon { proposal: hash(number), reason }
}

fn hash(number: u64) -> Hash {
    let mut hash = Hash::default();
    hash.0[..8].copy_from_slice(&number.to_le_bytes());
    hash
}

fn number(hash: &Hash) -> u64 {
    u64::from_le_bytes(hash.0[..8].try_into().unwrap())
}

/// The times at which notes were taken.
pub(super) fn times(kv: &impl Kv) -> Vec<u64> {
    TIMES.rows(kv, None, usize::MAX).unwrap().into_iter().map(|(at, _)| at.0).collect()
}

/// Tells the counts.
pub(super) struct Counts;

impl Queries for Counts {
    fn admits(&self, _: &Member, _: Origin, _: u8) -> Option<usize> {
        Some(0)
    }

    fn answer(&self, kv: &dyn Kv, question: &Question<'_>) -> Result<Vec<u8>, QueryError> {
        let count = COUNT.get(kv, &question.kind)?.unwrap_or(0);
        Ok(count.to_le_bytes().to_vec())
    }
}
