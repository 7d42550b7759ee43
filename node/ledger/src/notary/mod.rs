//! The notary: records which commit spent which tag, once, and answers with receipts (specs/flows.md).
//!
//! It learns `m`, opaque tags, a window, and which nodes ask. Every spender of a commit sends its own part; when all tag
//! hashes of the transaction are opened, all tags are spent or none. An unfinished commit spends nothing, reserves nothing
//! and is forgotten when its window ends.
//!
//! A part passes through two doors. At the first everything about it is checked that needs no equation. Behind it a job decides the
//! signatures of its tags, in one batch with those of all parts that wait. At the second it is joined to the commit's other parts.
//! It is refused for the first of these reasons that holds: `malformed` (NOT-1), `window` (NOT-2), `too-large` (NOT-8), `signature`
//! (NOT-3), `spent` (NOT-5). What is malformed or too much at the first door is refused to the sender; all else is answered with
//! [`Message::NotRecorded`].

mod gather;
mod part;
mod state;
mod view;

#[cfg(test)]
mod tests;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::{Encoded, Hash, NodeId, NodeKey, Text};

pub use self::part::Part;
pub use self::state::{
    CHECKING_PER_NODE_MAX, PENDING_MAX, PENDING_PER_NODE_MAX, QUESTIONS_PER_NODE_MAX,
};
use self::state::{
    Count, ENTRIES, OpenTag, PENDING, Pending, QUESTIONS, RECEIPTS, RECORDED, SIGNATURES, SPENT,
    drop_pending, drop_question, named, put_pending, questions, tree,
};
pub use self::view::ViewError;
use crate::kv::{Be, Kv, StorageError, Tx};
use crate::log::{Absence, NotaryEntry, Receipt};
use crate::messages::{Message, NotaryPart, Reason};
use crate::role::{self, Answer, Event, JOBS, Lane, Machine, Moment, OUTBOX};
use crate::transaction::{TxId, Window};
use crate::tree::leaf_hash;

/// How long an answer that its asker can have again for the asking is kept for it, in ms.
const REPEATABLE_MS: u64 = 600_000;
/// A part with more tags than this is verified by itself, so that no small one is in a batch with many large ones.
const TOGETHER_TAGS_MAX: usize = 16;

/// Work for the CPU pool.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Job {
    /// Decide the signatures of a part's tags.
    Check(Box<Part>),
}

/// What a job gives: whether the tags of a part sign its commit.
pub type Outcome = Result<(), Reason>;

/// The notary of a network, or one of several.
#[derive(Debug)]
pub struct Notary {
    network: Hash,
    key: NodeKey,
}

impl Notary {
    /// The notary with this node key.
    #[must_use]
    pub const fn new(network: Hash, key: NodeKey) -> Self {
        Self { network, key }
    }
}

impl Machine for Notary {
    type Instruction = ();
    type Job = Job;
    type Outcome = Outcome;

    fn handle(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        event: Event<(), Outcome>,
    ) -> Result<Answer, StorageError> {
        let done = Ok(Text::default());
        match event {
            Event::Message { from, message: Message::Notarise(part) } => {
                self.notarise(tx, moment.now, from, part).map(taken)
            }
            Event::Message { from, message: Message::AskAbsence { tx: about, window } } => {
                self.ask(tx, moment.now, from, about, window).map(taken)
            }
            Event::Message { from, message: Message::AskSignatures { tx: about, tags } } => {
                self.signatures(tx, moment.now, from, about, &tags).map(taken)
            }
            Event::Message { .. } | Event::Instruct(()) => Ok(Err(Reason::WrongRole)),
            Event::Delivered { number, .. } => {
                // A refused answer is of no use to its asker any more.
                OUTBOX.delete(tx, &Be(number));
                Ok(done)
            }
            Event::Tick => {
                self.tick(tx, moment.now)?;
                Ok(done)
            }
            Event::Done { job, outcome } => {
                self.checked(tx, moment.now, job, outcome)?;
                Ok(done)
            }
        }
    }

    fn perform(&self, kv: &dyn Kv, job: &Job, entropy: [u8; 32]) -> Result<Outcome, StorageError> {
        let mut outcomes = self.perform_all(kv, std::slice::from_ref(job), entropy)?;
        outcomes.pop().ok_or(StorageError::Damaged("job"))
    }

    fn lane(&self, Job::Check(part): &Job) -> Lane {
        if part.tags.len() > TOGETHER_TAGS_MAX { Lane::Prompt } else { Lane::Gathered }
    }

    fn perform_all(
        &self,
        _: &dyn Kv,
        jobs: &[Job],
        entropy: [u8; 32],
    ) -> Result<Vec<Outcome>, StorageError> {
        Ok(gather::together(jobs, entropy))
    }
}

impl Notary {
    /// Takes one part of a commit, and has its signatures decided.
    fn notarise(
        &self,
        tx: &Tx<'_>,
        now: u64,
        from: NodeId,
        part: NotaryPart,
    ) -> Result<Result<(), Reason>, StorageError> {
        let part = match Part::of(part, from, self.network, self.key.id()) {
            Ok(part) => part,
            Err(reason) => return Ok(Err(reason)),
        };
        if self.answered(tx, now, &part)? {
            return Ok(Ok(()));
        }
        if !Count::Checking(from).has_room(tx)? {
            return Ok(Err(Reason::TooLarge));
        }
        Count::Checking(from).up(tx)?;
        role::start(tx, &Job::Check(Box::new(part)))?;
        Ok(Ok(()))
    }

    /// The signatures of a part are decided.
    fn checked(
        &self,
        tx: &Tx<'_>,
        now: u64,
        number: u64,
        outcome: Outcome,
    ) -> Result<(), StorageError> {
        // The outcome of a job that was done before, of which nobody waits any more.
        let Some(bytes) = JOBS.get(tx, &Be(number))? else { return Ok(()) };
        JOBS.delete(tx, &Be(number));
        let Job::Check(part) = decode(&bytes, "a job").map_err(|_| StorageError::Damaged("job"))?;
        Count::Checking(part.from).down(tx)?;
        // Time has passed since the first door, and the commit's other parts may have come.
        if self.answered(tx, now, &part)? {
            return Ok(());
        }
        let joined = match outcome {
            Ok(()) => self.collect(tx, now, &part)?,
            Err(reason) => Err(reason),
        };
        match joined {
            Ok(()) => Ok(()),
            Err(reason) => not_recorded(tx, now, part.from, part.tx, reason),
        }
    }

    /// Answers a part that no signature changes: its commit is recorded, or this is not its time.
    fn answered(&self, tx: &Tx<'_>, now: u64, part: &Part) -> Result<bool, StorageError> {
        // Enforces [NOT-6]: the same commit again gets the same receipt, whatever the time.
        if let Some(receipt) = RECEIPTS.get(tx, &part.commit)? {
            answer(tx, now, part.from, Message::Notarised(receipt))?;
            return Ok(true);
        }
        // Enforces [NOT-2]: a part counts within its window only, by the notary's clock.
        let counts = part.window.is_well_formed() && part.window.contains(now);
        if !counts {
            not_recorded(tx, now, part.from, part.tx, Reason::Window)?;
        }
        Ok(!counts)
    }

    /// Joins a good part to those that came before, and records the commit if it was the last.
    ///
    /// Enforces [NOT-4]: nothing is spent before every hash of the list is opened.
    fn collect(
        &self,
        tx: &Tx<'_>,
        now: u64,
        part: &Part,
    ) -> Result<Result<(), Reason>, StorageError> {
        let (from, window) = (part.from, part.window);
        let known = PENDING.get(tx, &part.commit)?;
        let (opened, askers) = match &known {
            Some(known) => (known.opened.to_vec(), known.askers.to_vec()),
            None => (Vec::new(), Vec::new()),
        };
        let Some(opened) = join(opened, &part.tags) else { return Ok(Err(Reason::Malformed)) };
        let askers = with(askers, from);
        // Enforces [NOT-5]: a tag is spent under one commit. The asker learns that and nothing about the other commit.
        if any_spent(tx, &opened)? {
            if let Some(known) = &known {
                drop_pending(tx, part.commit, known)?;
            }
            for asker in askers {
                not_recorded(tx, now, asker, part.tx, Reason::Spent)?;
            }
            return Ok(Ok(()));
        }
        if opened.len() == usize::from(part.total) {
            if let Some(known) = &known {
                drop_pending(tx, part.commit, known)?;
            }
            let receipt = self.record(tx, now, part, &opened)?;
            for asker in askers {
                role::send(tx, now, asker, None, Message::Notarised(receipt))?;
            }
            return Ok(Ok(()));
        }
        if known.is_none() && !Count::Pending(from).has_room(tx)? {
            return Ok(Err(Reason::TooLarge));
        }
        let (Ok(opened), Ok(askers)) = (opened.try_into(), askers.try_into()) else {
            return Ok(Err(Reason::Malformed));
        };
        put_pending(tx, part.commit, &Pending { tx: part.tx, window, opened, askers })?;
        Ok(Ok(()))
    }

    /// Spends all tags of a commit and appends its entry.
    fn record(
        &self,
        tx: &Tx<'_>,
        now: u64,
        part: &Part,
        opened: &[OpenTag],
    ) -> Result<Receipt, StorageError> {
        let (commit, tags_root) = (part.commit, part.tags_root);
        let entry = NotaryEntry { version: Version, commit, tags_root, time: now };
        let index = tree().append(tx, leaf_hash(&encode(&entry)))?;
        for open in opened {
            SPENT.put(tx, &open.tag, &index);
            SIGNATURES.put(tx, &open.tag, &open.signature);
        }
        let receipt = Receipt::sign(self.network, part.tx, entry, index, &self.key);
        RECEIPTS.put(tx, &commit, &receipt);
        RECORDED.put(tx, &part.tx, &commit);
        ENTRIES.put(tx, &Be(index), &commit);
        Ok(receipt)
    }

    /// Answers whether a transaction is recorded: at once if it is or its window is over, else when the window is over.
    ///
    /// Enforces [NOT-7]: absence is signed only after the window that the asker names, with the time: who relies on it
    /// compares that with the transaction's own window.
    fn ask(
        &self,
        tx: &Tx<'_>,
        now: u64,
        from: NodeId,
        about: TxId,
        window: Window,
    ) -> Result<Result<(), Reason>, StorageError> {
        if !window.is_well_formed() {
            return Ok(Err(Reason::Malformed));
        }
        if now >= window.until || RECORDED.contains(tx, &about)? {
            self.answer_question(tx, now, from, about)?;
            return Ok(Ok(()));
        }
        match QUESTIONS.get(tx, &(about, from))? {
            Some(until) if until == window.until => Ok(Ok(())),
            // A transaction has one window.
            Some(_) => Ok(Err(Reason::Window)),
            None if Count::Questions(from).has_room(tx)? => {
                QUESTIONS.put(tx, &(about, from), &window.until);
                Count::Questions(from).up(tx)?;
                role::wake(tx, window.until, about.0)?;
                Ok(Ok(()))
            }
            None => Ok(Err(Reason::TooLarge)),
        }
    }

    fn answer_question(
        &self,
        tx: &Tx<'_>,
        now: u64,
        from: NodeId,
        about: TxId,
    ) -> Result<(), StorageError> {
        let message = match Self::receipt(tx, about)? {
            Some(receipt) => Message::Notarised(receipt),
            None => {
                let size = Self::size(tx)?;
                Message::Absent(Absence::sign(self.network, about, size, now, &self.key))
            }
        };
        answer(tx, now, from, message)
    }

    /// Gives a registrar the signatures under which a recorded transaction spent the tags of a leg whose sender keeps them
    /// from it. They are in its asset's log as soon as it has appended the leg; it must know the tags already.
    ///
    /// Enforces [NOT-9]: nothing is given of tags that another commit has spent, or none.
    fn signatures(
        &self,
        tx: &Tx<'_>,
        now: u64,
        from: NodeId,
        about: TxId,
        tags: &[Encoded],
    ) -> Result<Result<(), Reason>, StorageError> {
        let Some(receipt) = Self::receipt(tx, about)? else { return Ok(Err(Reason::NoMatch)) };
        let mut signatures = Vec::with_capacity(tags.len());
        for tag in tags {
            let spent_here = SPENT.get(tx, tag)? == Some(receipt.index);
            match SIGNATURES.get(tx, tag)? {
                Some(signature) if spent_here => signatures.push((*tag, signature)),
                _ => return Ok(Err(Reason::NoMatch)),
            }
        }
        let Ok(signatures) = signatures.try_into() else { return Ok(Err(Reason::Malformed)) };
        answer(tx, now, from, Message::Signatures { tx: about, signatures })?;
        Ok(Ok(()))
    }

    /// Forgets commits whose windows have ended, and answers those who asked about a transaction of such a window.
    fn tick(&self, tx: &Tx<'_>, now: u64) -> Result<(), StorageError> {
        for alarm in role::due(tx, now)? {
            let (commit, about) = named(alarm);
            if let Some(pending) = PENDING.get(tx, &commit)? {
                drop_pending(tx, commit, &pending)?;
                for asker in &pending.askers {
                    not_recorded(tx, now, *asker, pending.tx, Reason::Lapsed)?;
                }
            }
            for (asker, until) in questions(tx, about)? {
                if until <= now {
                    drop_question(tx, about, asker)?;
                    self.answer_question(tx, now, asker, about)?;
                }
            }
        }
        Ok(())
    }
}

/// The tags opened so far with those of one more part; none if a tag would stand in the list twice.
fn join(mut opened: Vec<OpenTag>, part: &[OpenTag]) -> Option<Vec<OpenTag>> {
    for open in part {
        match opened.binary_search_by_key(&open.place, |known| known.place) {
            // The same hash opens to the same tag.
            Ok(_) => {}
            Err(_) if opened.iter().any(|known| known.tag == open.tag) => return None,
            Err(at) => opened.insert(at, open.clone()),
        }
    }
    Some(opened)
}

fn any_spent(tx: &Tx<'_>, tags: &[OpenTag]) -> Result<bool, StorageError> {
    for open in tags {
        if SPENT.contains(tx, &open.tag)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The nodes to answer, with one more if there is room; who is left out can ask.
fn with(mut askers: Vec<NodeId>, from: NodeId) -> Vec<NodeId> {
    if !askers.contains(&from) && askers.len() < state::ASKERS_MAX {
        askers.push(from);
    }
    askers
}

fn taken(result: Result<(), Reason>) -> Answer {
    result.map(|()| Text::default())
}

fn not_recorded(
    tx: &Tx<'_>,
    now: u64,
    to: NodeId,
    about: TxId,
    reason: Reason,
) -> Result<(), StorageError> {
    answer(tx, now, to, Message::NotRecorded { tx: about, reason })
}

/// Sends what can be asked for again, so that a node which asks and never listens fills nothing for long.
fn answer(tx: &Tx<'_>, now: u64, to: NodeId, message: Message) -> Result<(), StorageError> {
    role::send(tx, now, to, Some(now.saturating_add(REPEATABLE_MS)), message)
}
