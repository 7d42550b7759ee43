//! The custodian: acts for investors, holds their keys and notes, and carries trades from instruction to settlement
//! (specs/flows.md).

mod account;
mod build;
mod cancel;
mod commit;
mod notes;
mod propose;
mod record;
mod recover;
mod settle;
mod trade;
mod view;

#[cfg(test)]
mod tests;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sudare_crypto::derive::Seed;
use sudare_crypto::{Encoded, Hash, NodeId, NodeKey, Text};
use sudare_disclosure::{AssetId, SignedTerms};

use crate::access::{AccessLog, Disclosure, Handling};
use crate::kv::{Be, Kv, StorageError, Table, Tx};
use crate::leg::{Leg, LegSalt};
use crate::messages::{Message, Proposal, Reason, Settlement};
use crate::note::{InvestorSeed, NoteId};
use crate::role::{Answer, Event, JOBS, Machine, Moment, OUTBOX, due};
use crate::slot::SignedSlot;
use crate::transaction::TxId;

pub use account::{Account, AccountState};
pub use cancel::Cancellation;
pub use notes::{Balance, NoteRow, NoteState};
pub use record::Record;
pub use trade::{Movement, Plan, Side, Trade, TradeInstruction, TradeKey, TradeState};
pub use view::{AccountView, HoldingView, TradeView};

/// An investor as ledger parties know it: a random pseudonym.
pub type Investor = Text<35>;

/// The state machine of a custodian.
#[derive(Clone, Debug)]
pub struct Custodian {
    /// The network.
    pub network: Hash,
    /// The node key.
    pub key: NodeKey,
    /// From which every investor's seed is derived.
    pub master: Seed,
}

/// What a custodian's operator can ask for.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Instruction {
    /// Asks the registrar for an asset's terms, before anything can be held in it.
    AddAsset {
        /// The asset.
        asset: AssetId,
        /// Its registrar.
        registrar: NodeId,
    },
    /// Registers an investor's account for an asset with its registrar.
    AddAccount {
        /// The asset.
        asset: AssetId,
        /// The investor.
        investor: Investor,
    },
    /// One side's instruction of a transfer, delivery versus payment, receipt of an issue, or redemption.
    Trade(Box<TradeInstruction>),
    /// Takes notes of final outputs whose slots only the seeds remember: a registrar's copy of a settlement, tried with the
    /// seeds of these investors.
    Recover {
        /// Who sent it.
        registrar: NodeId,
        /// Whose seeds to try.
        investors: Vec<Investor>,
        /// The settlement, with the components of unspent outputs only.
        settlement: Box<Settlement>,
    },
    /// Merges an account's smallest notes into one.
    Consolidate {
        /// The asset.
        asset: AssetId,
        /// The investor.
        investor: Investor,
    },
    /// Wants a trade cancelled: done if the other side wants it too before the transaction is signed.
    Cancel(TradeKey),
    /// Records that something of a customer's is about to be handed out; the answer is the entry's index in the access log.
    Disclose(Box<Disclosure>),
    /// Records that personal data is about to be handled; the answer is the entry's index in the access log.
    Handle(Box<Handling>),
}

/// Work for the CPU pool.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Job {
    /// Build and prove the trade's own leg as planned.
    Build(TradeKey),
}

/// What a job gives.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Outcome {
    /// The leg, or why it can't be built.
    Built(TradeKey, Result<Box<Draft>, Reason>),
}

/// A leg that this custodian built.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Draft {
    /// The leg.
    pub leg: Leg,
    /// From which the salts of its components are derived.
    pub salt: LegSalt,
}

pub(crate) const ASSETS: Table<AssetId, SignedTerms> = Table::new(b'a', "asset");
pub(crate) const ACCOUNTS: Table<(AssetId, Investor), Account> = Table::new(b'b', "account");
pub(crate) const ACCOUNT_KEYS: Table<(AssetId, Encoded), Investor> =
    Table::new(b'c', "account key");
pub(crate) const NOTES: Table<NoteId, NoteRow> = Table::new(b'd', "note");
/// Live notes by account, the most valuable first: the value is stored as `u64::MAX - value`.
pub(crate) const LIVE: Table<(AssetId, Investor, Be, NoteId), ()> = Table::new(b'e', "live note");
pub(crate) const BALANCES: Table<(AssetId, Investor), Balance> = Table::new(b'f', "balance");
pub(crate) const TRADES: Table<TradeKey, Trade> = Table::new(b'g', "trade");
pub(crate) const PLANS: Table<TradeKey, Plan> = Table::new(b'h', "plan");
pub(crate) const DRAFTS: Table<TradeKey, Draft> = Table::new(b'i', "draft");
/// Trades that wait for an account's notes, in the order they came.
pub(crate) const QUEUE: Table<(AssetId, Investor, Be), TradeKey> = Table::new(b'j', "queued trade");
/// A proposal's sides here: with `true` the one that initiates.
pub(crate) const BY_PROPOSAL: Table<(Hash, bool), TradeKey> = Table::new(b'k', "proposal");
/// A transaction's sides here: with `true` the one that initiates.
pub(crate) const BY_TX: Table<(TxId, bool), TradeKey> = Table::new(b'l', "transaction");
/// Slots given out, by owner commitment.
pub(crate) const SLOTS: Table<Encoded, SlotRow> = Table::new(b'm', "slot");
/// Proposals for which no instruction has come yet.
pub(crate) const ALLEGED: Table<TradeKey, (Proposal, Option<SignedSlot>)> =
    Table::new(b'n', "alleged proposal");
/// How many proposals wait for an instruction: of each party, and in all.
pub(crate) const ALLEGED_COUNT: Table<Option<NodeId>, u64> = Table::new(b'r', "proposal count");
/// What an alarm is for.
pub(crate) const WAKE: Table<Hash, TradeKey> = Table::new(b'o', "alarm");

/// A slot that this custodian gave out.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SlotRow {
    /// The asset.
    pub asset: AssetId,
    /// Whose it is.
    pub investor: Investor,
    /// From which its secrets are derived.
    pub nonce: [u8; 32],
    /// For which trade.
    pub trade: TradeKey,
    /// Whether a final output has used it.
    pub used: bool,
}

/// One event being handled: the state, the moment and a generator of the moment's entropy.
pub(crate) struct Step<'a, 'b> {
    pub(crate) tx: &'a Tx<'b>,
    pub(crate) now: u64,
    pub(crate) rng: ChaCha20Rng,
}

impl Custodian {
    /// The log of what it disclosed.
    #[must_use]
    pub fn access(&self) -> AccessLog {
        AccessLog { network: self.network, reader: self.key.id() }
    }

    /// The seed of an investor.
    #[must_use]
    pub fn investor_seed(&self, investor: &Investor) -> InvestorSeed {
        InvestorSeed::of(&self.master, investor)
    }
}

impl Machine for Custodian {
    type Instruction = Instruction;
    type Job = Job;
    type Outcome = Outcome;

    fn handle(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        event: Event<Instruction, Outcome>,
    ) -> Result<Answer, StorageError> {
        let step = &mut Step { tx, now: moment.now, rng: moment.rng() };
        match event {
            Event::Message { from, message } => self.message(step, from, message),
            Event::Instruct(instruction) => self.instruct(step, instruction),
            Event::Done { job, outcome: Outcome::Built(key, result) } => {
                JOBS.delete(tx, &Be(job));
                self.built(step, &key, result)?;
                done()
            }
            Event::Delivered { number, refused } => {
                self.delivered(step, number, refused)?;
                done()
            }
            Event::Tick => {
                for what in due(tx, moment.now)? {
                    if let Some(key) = WAKE.get(tx, &what)? {
                        WAKE.delete(tx, &what);
                        self.deadline(step, &key)?;
                    }
                }
                done()
            }
        }
    }

    fn perform(&self, kv: &dyn Kv, job: &Job, entropy: [u8; 32]) -> Result<Outcome, StorageError> {
        match job {
            Job::Build(key) => {
                let result = self.build_leg(kv, key, &mut ChaCha20Rng::from_seed(entropy))?;
                Ok(Outcome::Built(key.clone(), result.map(Box::new)))
            }
        }
    }
}

impl Custodian {
    fn instruct(
        &self,
        step: &mut Step<'_, '_>,
        instruction: Instruction,
    ) -> Result<Answer, StorageError> {
        match instruction {
            Instruction::AddAsset { asset, registrar } => self.add_asset(step, asset, registrar),
            Instruction::AddAccount { asset, investor } => self.add_account(step, asset, investor),
            Instruction::Trade(instruction) => self.begin(step, *instruction),
            Instruction::Recover { registrar, investors, settlement } => {
                self.recover(step, registrar, &investors, *settlement)
            }
            Instruction::Consolidate { asset, investor } => {
                let begun = self.consolidate(step, asset, &investor)?;
                Ok(begun.map_or(Err(Reason::NoMatch), |key| text(key.trade_id.as_str())))
            }
            Instruction::Cancel(key) => self.cancel(step, &key),
            Instruction::Disclose(disclosure) => {
                let index = AccessLog::disclose(step.tx, step.now, *disclosure)?;
                Ok(text(&index.to_string()))
            }
            Instruction::Handle(handling) => {
                let index = AccessLog::handle(step.tx, step.now, *handling)?;
                Ok(text(&index.to_string()))
            }
        }
    }

    fn message(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        message: Message,
    ) -> Result<Answer, StorageError> {
        self.record_received(step, from, &message)?;
        match message {
            Message::Terms(terms) => return self.terms(step, from, terms),
            Message::AccountRegistered { asset, account, refused } => {
                self.account_registered(step, from, asset, account, refused)?;
            }
            Message::Propose(proposal, slot) => return self.proposed(step, from, proposal, slot),
            Message::Accept(acceptance) => self.accepted(step, from, acceptance)?,
            Message::Abandon { proposal, reason } => {
                self.abandoned(step, from, proposal, reason)?
            }
            Message::Cancel { trade_id, initiates } => {
                self.cancel_asked(step, from, trade_id, initiates)?;
            }
            Message::Assemble(proposal, transaction) => {
                self.assembled(step, from, proposal, transaction)?;
            }
            Message::Approved { tx, index, outcome } => {
                self.approved(step, from, tx, index, outcome)?
            }
            Message::Share(share) => self.shared(step, from, share)?,
            Message::Commit(commit) => self.commit_received(step, from, commit)?,
            Message::Notarised(receipt) => self.notarised(step, receipt)?,
            Message::NotRecorded { tx, reason } => self.not_recorded(step, from, tx, reason)?,
            Message::Absent(absence) => self.absent(step, from, absence)?,
            Message::Settled(settlement) => return self.settled(step, from, settlement),
            Message::NotFinal { tx, index, reason } => {
                self.not_final(step, from, tx, index, reason)?
            }
            Message::RegisterAccount(_)
            | Message::Approve(_)
            | Message::Notarise(_)
            | Message::AskAbsence { .. }
            | Message::Finalise(_)
            | Message::AskTerms(_)
            | Message::AskSignatures { .. }
            | Message::Signatures { .. } => return Ok(Err(Reason::WrongRole)),
        }
        done()
    }

    /// A message was taken or refused by its addressee.
    fn delivered(
        &self,
        step: &mut Step<'_, '_>,
        number: u64,
        refused: Option<Reason>,
    ) -> Result<(), StorageError> {
        let Some(sent) = OUTBOX.get(step.tx, &Be(number))? else { return Ok(()) };
        OUTBOX.delete(step.tx, &Be(number));
        let Some(reason) = refused else { return Ok(()) };
        // Each for the state that waits for an answer: the answer may have come although the acknowledgement did not.
        let (trade, waits) = match sent.message {
            Message::Propose(proposal, _) => {
                (self.by_proposal(step, sent.to, proposal.hash(), true)?, TradeState::Matching)
            }
            Message::Accept(acceptance) => {
                (self.by_proposal(step, sent.to, acceptance.proposal, false)?, TradeState::Accepted)
            }
            Message::Approve(request) => {
                let Some(tx) = request.transaction.id() else { return Ok(()) };
                (self.by_tx(step, tx, request.index == 0)?, TradeState::Approving)
            }
            // What else is refused ends with the window, or is asked again by whoever misses it.
            _ => return Ok(()),
        };
        match trade {
            Some(trade) if trade.state == waits => self.fail(step, &trade.key(), reason),
            _ => Ok(()),
        }
    }
}

/// Taken.
pub(crate) fn done() -> Result<Answer, StorageError> {
    Ok(text(""))
}

/// An answer with a short text.
pub(crate) fn text(text: &str) -> Answer {
    Text::new(text).map_err(|_| Reason::Internal)
}
