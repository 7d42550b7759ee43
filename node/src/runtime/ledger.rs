//! A machine on its store: every change of state goes through here, on one thread.

use std::path::Path;
use std::sync::Arc;

use rand_core::{OsRng, RngCore};
use sudare_crypto::encoding::{self, Version, encode};
use sudare_ledger::kv::{StorageError, Table, Tx, Writes};
use sudare_ledger::role::{Answer, Event, Machine, Moment};

use super::RuntimeError;
use crate::store::{IndexReader, Options, Position, Record, Report, Store};

/// How many records are handled again at a time.
const REPLAY_RECORDS: usize = 256;
/// A batch with more bytes than this is synced in several goes.
const SYNC_BYTES: usize = 16 << 20;
/// Rows of the roles' tables come before these, which concern the runtime.
const EFFECTS: u8 = 0xf0;
/// The moment of the last event.
const LAST: Table<(), u64> = Table::new(0xfe, "time of the last event");

/// What stands in the log for an event: format version, when it was handled, and what happened.
type Recorded<M> =
    (Version<1>, Moment, Event<<M as Machine>::Instruction, <M as Machine>::Outcome>);

pub(super) struct Ledger<M> {
    machine: Arc<M>,
    store: Store,
    last: u64,
    #[cfg(test)]
    pub(super) crash: Option<super::tests::Crash>,
}

/// Events handled together, whose writes are not stored yet.
pub(super) struct Batch<'a> {
    tx: Tx<'a>,
    /// Bytes appended to the log since the last sync.
    bytes: usize,
    /// The moment of the last event that is in the log.
    moment: Option<u64>,
    /// How many events are in the log.
    pub(super) logged: u64,
}

impl<'a> Batch<'a> {
    pub(super) fn on(base: &'a IndexReader) -> Self {
        Self { tx: Tx::new(base), bytes: 0, moment: None, logged: 0 }
    }
}

impl<M: Machine> Ledger<M> {
    /// Opens the store and brings its index up to date.
    pub(super) fn open(
        machine: Arc<M>,
        folder: &Path,
        options: &Options,
    ) -> Result<(Self, Report), RuntimeError> {
        let (store, report) = Store::open(folder, options)?;
        let mut ledger = Self {
            machine,
            store,
            last: 0,
            #[cfg(test)]
            crash: None,
        };
        ledger.replay()?;
        ledger.last = LAST.get(ledger.store.kv(), &())?.unwrap_or(0);
        Ok((ledger, report))
    }

    pub(super) fn reader(&self) -> IndexReader {
        self.store.reader()
    }

    /// The last record of the log.
    pub(super) fn head(&self) -> Position {
        self.store.head()
    }

    /// Handles an event at the time of the node's clock, which never goes back.
    ///
    /// An event that writes nothing (a refusal, a repetition, a tick for nothing) is not logged: handling is a pure function
    /// of state, moment and event, so the state after it is the same whether it is handled again or not, and its answer
    /// promises nothing that is not in the state already.
    pub(super) fn handle(
        &mut self,
        batch: &mut Batch<'_>,
        clock: u64,
        event: Event<M::Instruction, M::Outcome>,
    ) -> Result<Answer, RuntimeError> {
        self.last = self.last.max(clock);
        let mut moment = Moment { now: self.last, entropy: [0; 32] };
        OsRng.fill_bytes(&mut moment.entropy);
        let record = encode(&(Version::<1>, &moment, &event));
        let (answer, wrote) = handle(&*self.machine, &batch.tx, &moment, event)?;
        if wrote {
            if batch.bytes.saturating_add(record.len()) > SYNC_BYTES {
                self.store.sync()?;
                batch.bytes = 0;
            }
            self.store.append(&record)?;
            batch.bytes = batch.bytes.saturating_add(record.len());
            batch.moment = Some(moment.now);
            batch.logged = batch.logged.saturating_add(1);
        }
        Ok(answer)
    }

    /// Makes a batch durable and visible; gives its writes that concern the runtime. Nothing may leave the node before.
    pub(super) fn commit(&mut self, batch: Batch<'_>) -> Result<Writes, RuntimeError> {
        let Some(moment) = batch.moment else { return Ok(Writes::new()) };
        LAST.put(&batch.tx, &(), &moment);
        let writes = batch.tx.into_writes();
        #[cfg(test)]
        self.crash_if(super::tests::Point::BeforeSync)?;
        let at = self.store.sync()?;
        #[cfg(test)]
        self.crash_if(super::tests::Point::AfterSync)?;
        self.store.apply(&writes, at)?;
        #[cfg(test)]
        self.crash_if(super::tests::Point::AfterApply)?;
        let effects = writes.range(vec![EFFECTS]..);
        Ok(effects.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// Handles the events that the index lacks again. What they set off is in the tables and follows from there.
    fn replay(&mut self) -> Result<(), RuntimeError> {
        let mut records = self.store.pending();
        let base = self.store.reader();
        loop {
            let tx = Tx::new(&base);
            let mut at = None;
            for record in records.by_ref().take(REPLAY_RECORDS) {
                let record = record?;
                let (_, moment, event) = decode::<M>(&record)?;
                let (_, wrote) = handle(&*self.machine, &tx, &moment, event)?;
                if !wrote {
                    let record = record.position.seq;
                    tracing::warn!(%record, "handled again, it changed nothing: have the rules changed?");
                }
                LAST.put(&tx, &(), &moment.now);
                at = Some(record.position);
            }
            match at {
                Some(at) => self.store.apply(&tx.into_writes(), at)?,
                None => return Ok(()),
            }
        }
    }

    #[cfg(test)]
    fn crash_if(&self, point: super::tests::Point) -> Result<(), RuntimeError> {
        match self.crash {
            Some(crash) if crash.is_due(point, self.store.head().seq) => Err(RuntimeError::Slow),
            _ => Ok(()),
        }
    }
}

/// Handles an event on top of `tx`; whether it wrote anything.
fn handle<M: Machine>(
    machine: &M,
    tx: &Tx<'_>,
    moment: &Moment,
    event: Event<M::Instruction, M::Outcome>,
) -> Result<(Answer, bool), StorageError> {
    let own = Tx::new(tx);
    let answer = machine.handle(&own, moment, event)?;
    let writes = own.into_writes();
    let wrote = !writes.is_empty();
    for (key, value) in writes {
        match value {
            Some(value) => tx.put(key, value),
            None => tx.delete(key),
        }
    }
    Ok((answer, wrote))
}

fn decode<M: Machine>(record: &Record) -> Result<Recorded<M>, RuntimeError> {
    encoding::decode(&record.payload, "event")
        .map_err(|_| RuntimeError::Record(record.position.seq))
}
