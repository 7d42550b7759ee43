//! The registrar: keeps the register and the log of its assets, approves legs and makes them final (specs/flows.md).
//!
//! A leg passes through three doors. At the first ([`approve`]) a request must be for a leg that the transaction names here,
//! and pass every check that needs no proof. Behind it a job verifies all proofs and opens the leg with key 0. At the second
//! the state is checked as it is *then*, inputs are locked, owner commitments reserved, and the approval signed. At the third
//! ([`finalise`]) the notary's receipt and the spend signatures are verified by a job, and the leg is appended to the log.

mod approve;
mod asset_log;
mod assets;
mod cancel;
mod check;
mod finalise;
mod gather;
mod issue;
mod issue_leg;
mod orders;
mod past;
#[cfg(any(test, feature = "testing"))]
mod populated;
mod silent;
mod snapshot;
mod state;
#[cfg(test)]
mod tests;
mod view;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::decode;
use sudare_crypto::{Encoded, Hash, NodeId, NodeKey, Text};
use sudare_disclosure::{AssetId, DisclosureSecret, Fields, KeyPurpose, SignedTerms};

use crate::access::{AccessLog, Disclosure, Handling};
use crate::kv::{Be, Kv, StorageError, Tx};
use crate::messages::{Finalisation, Message, Reason, TradeId};
use crate::role::{Answer, Event, JOBS, Lane, Machine, Moment, OUTBOX, due};
use crate::transaction::TxId;

pub use asset_log::{LogError, origin};
pub use cancel::Wishes;
pub use issue::IssueOrder;
pub use issue_leg::IssueDraft;
pub use orders::{OrderStage, OrderView};
pub use past::{LINES_MAX, Line, Lines, LinesOf, RegisterHead, When};
pub use snapshot::{HeldBy, SnapshotSecrets, SnapshotView};
pub use state::{
    ALLOTMENTS_MAX, Account, Allotment, Asset, Discrepancy, Evidence, Halt, Issue, IssueState,
    LegKey, LegState, NoteRow, Reading, Redemption, RedemptionKey, RedemptionState, RequestKey,
    Standing, Version, audit_state,
};
pub use view::{AccountView, AssetView, EntryView, HoldingView, LegView, Waiting};

/// How long an answer waits for a custodian that can't be reached, ms.
const ANSWER_MS: u64 = 24 * 60 * 60 * 1000;
/// How far the clocks of two nodes may be apart, ms.
const CLOCK_SKEW_MS: u64 = 5_000;

/// The registrar of some assets.
#[derive(Clone, Debug)]
pub struct Registrar {
    network: Hash,
    key: NodeKey,
    master: Seed,
}

/// What a registrar's operator can ask for.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Instruction {
    /// Opens the register of a new asset.
    OpenAsset(Box<SignedTerms>),
    /// Puts the next version of an asset's terms into force.
    UpdateTerms(Box<SignedTerms>),
    /// Issues an asset to accounts of custodians.
    Issue(Box<IssueOrder>),
    /// Allows a custodian to redeem, once.
    AllowRedemption {
        /// 取引ID, as the custodian was instructed.
        trade_id: TradeId,
        /// The asset.
        asset: AssetId,
        /// The custodian.
        custodian: NodeId,
        /// Atomic units.
        quantity: u64,
    },
    /// Freezes an account or ends that: no leg from or to a frozen account is approved.
    Freeze {
        /// The asset.
        asset: AssetId,
        /// `A`.
        account: Encoded,
        /// Whether it is to be frozen.
        frozen: bool,
    },
    /// Opens or closes an asset: no leg of a closed asset is approved.
    SetOpen {
        /// The asset.
        asset: AssetId,
        /// Whether it is to be open.
        open: bool,
    },
    /// Asks the notary whether the transaction of a leg whose custodian fell silent is absent, so that its locks can end.
    ///
    /// The notary learns from this that the transaction concerns this registrar.
    Chase(TxId),
    /// Adds up an asset's register from its rows, as happens from time to time anyway.
    Audit(AssetId),
    /// Fixes the register as it is now in an entry of the asset's log.
    Snapshot(AssetId),
    /// Records that something of an account's is about to be handed out; the answer is the entry's index in the access log.
    Disclose(Box<Disclosure>),
    /// Records that personal data is about to be handled; the answer is the entry's index in the access log.
    Handle(Box<Handling>),
    /// Wants the issue with this reference cancelled: it is once the custodians that have accepted want it too.
    CancelIssue(Text<35>),
    /// Takes a redemption's permission back, if no leg has taken it.
    WithdrawRedemption(RedemptionKey),
}

/// Work for the CPU pool.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Job {
    /// Verify and open the requested leg.
    Check(RequestKey),
    /// Build and prove the leg of the issue with this number.
    Build(Hash),
    /// Verify commit, receipt and spend signatures.
    Verify(RequestKey, Box<Finalisation>),
    /// As [`Job::Check`], of a leg that costs as much as many.
    CheckLarge(RequestKey),
}

/// What a job gives.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Outcome {
    /// The leg as read with key 0, or why not.
    Checked(Result<Box<Reading>, Reason>),
    /// The leg of an issue, or why not.
    Built(Result<Box<IssueDraft>, Reason>),
    /// Whether the leg is final.
    Verified(Result<(), Reason>),
}

/// Why a step goes no further.
enum Stop {
    /// It is refused.
    Refused(Reason),
    /// The store failed.
    Failed(StorageError),
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self::Refused(reason)
    }
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Failed(error)
    }
}

/// A refusal is an ordinary result, a failing store is not.
fn ordinary<T>(result: Result<T, Stop>) -> Result<Result<T, Reason>, StorageError> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Stop::Refused(reason)) => Ok(Err(reason)),
        Err(Stop::Failed(error)) => Err(error),
    }
}

fn answer(result: Result<(), Stop>) -> Result<Answer, StorageError> {
    Ok(ordinary(result)?.map(|()| Text::default()))
}

fn text(text: &str) -> Text<256> {
    Text::new(text).unwrap_or_default()
}

impl Registrar {
    /// The registrar with this node key; its disclosure keys are derived from `master`.
    #[must_use]
    pub const fn new(network: Hash, key: NodeKey, master: Seed) -> Self {
        Self { network, key, master }
    }

    /// The node's identity.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.key.id()
    }

    /// What key 0 of an epoch is for.
    #[must_use]
    pub fn key_purpose(&self, asset: AssetId, epoch: u32) -> KeyPurpose {
        let label = Text::new("registrar").unwrap_or_default();
        KeyPurpose { network: self.network, asset, epoch, fields: Fields::ALL, label }
    }

    /// The secret of key 0 of an epoch.
    #[must_use]
    pub fn disclosure(&self, asset: AssetId, epoch: u32) -> DisclosureSecret {
        DisclosureSecret::derive(&self.master, &self.key_purpose(asset, epoch))
    }

    /// The log of what it disclosed.
    #[must_use]
    pub fn access(&self) -> AccessLog {
        AccessLog { network: self.network, reader: self.key.id() }
    }

    fn instruct(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        instruction: Instruction,
    ) -> Result<Text<256>, Stop> {
        let done = match instruction {
            Instruction::OpenAsset(terms) => self.open_asset(tx, moment, *terms),
            Instruction::UpdateTerms(terms) => self.update_terms(tx, moment, *terms),
            Instruction::Issue(order) => self.issue(tx, moment, *order),
            Instruction::AllowRedemption { trade_id, asset, custodian, quantity } => {
                let key = RedemptionKey { asset, custodian, trade_id };
                self.allow_redemption(tx, moment.now, &key, quantity)
            }
            Instruction::Freeze { asset, account, frozen } => {
                self.freeze(tx, moment.now, asset, account, frozen)
            }
            Instruction::SetOpen { asset, open } => self.set_open(tx, asset, open),
            Instruction::Chase(about) => self.chase(tx, moment.now, about),
            Instruction::Audit(asset) => self.audit(tx, moment.now, asset),
            Instruction::Snapshot(asset) => self.snapshot(tx, moment, asset),
            Instruction::Disclose(disclosure) => {
                let index = AccessLog::disclose(tx, moment.now, *disclosure)?;
                return Ok(text(&index.to_string()));
            }
            Instruction::Handle(handling) => {
                let index = AccessLog::handle(tx, moment.now, *handling)?;
                return Ok(text(&index.to_string()));
            }
            Instruction::CancelIssue(reference) => self.cancel_issue(tx, moment.now, &reference),
            Instruction::WithdrawRedemption(key) => self.withdraw_redemption(tx, moment.now, &key),
        };
        done.map(|()| Text::default())
    }

    fn message(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        from: NodeId,
        message: Message,
    ) -> Result<(), Stop> {
        let now = moment.now;
        match message {
            Message::RegisterAccount(request) => self.register_account(tx, moment, from, &request),
            Message::AskTerms(asset) => self.send_terms(tx, now, from, asset),
            Message::Accept(acceptance) => self.accepted(tx, moment, from, acceptance),
            Message::Abandon { proposal, reason } => {
                self.abandoned(tx, now, from, proposal, reason)
            }
            Message::Approve(request) => self.asked(tx, now, from, request),
            Message::Finalise(finalisation) => self.finalise(tx, now, from, finalisation),
            Message::Notarised(receipt) => self.notarised(tx, now, from, receipt),
            Message::NotRecorded { tx: about, reason } => {
                self.not_recorded(tx, from, about, reason)
            }
            Message::Absent(absence) => self.absent(tx, now, &absence),
            Message::Signatures { tx: about, signatures } => {
                self.signatures(tx, now, from, about, &signatures)
            }
            Message::Cancel { trade_id, .. } => self.cancel_asked(tx, now, from, trade_id),
            Message::AccountRegistered { .. }
            | Message::Propose(..)
            | Message::Assemble(..)
            | Message::Approved { .. }
            | Message::Share(_)
            | Message::Commit(_)
            | Message::Notarise(_)
            | Message::AskAbsence { .. }
            | Message::AskSignatures { .. }
            | Message::Settled(_)
            | Message::NotFinal { .. }
            | Message::Terms(_) => Err(Reason::WrongRole.into()),
        }
    }

    fn done(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        number: u64,
        outcome: Outcome,
    ) -> Result<(), StorageError> {
        // The outcome of a job that was done before, of which nobody waits any more.
        let Some(bytes) = JOBS.get(tx, &Be(number))? else { return Ok(()) };
        JOBS.delete(tx, &Be(number));
        let job: Job = decode(&bytes, "a job").map_err(|_| StorageError::Damaged("job"))?;
        match (job, outcome) {
            (Job::Check(key) | Job::CheckLarge(key), Outcome::Checked(result)) => {
                self.checked(tx, moment.now, key, result.map(|reading| *reading))
            }
            (Job::Build(issue), Outcome::Built(result)) => self.built(tx, moment, issue, result),
            (Job::Verify(key, finalisation), Outcome::Verified(result)) => {
                self.verified(tx, moment.now, key, *finalisation, result)
            }
            _ => Err(StorageError::Damaged("job")),
        }
    }

    /// A message was taken or refused by its addressee.
    fn delivered(
        &self,
        tx: &Tx<'_>,
        now: u64,
        number: u64,
        refused: Option<Reason>,
    ) -> Result<(), StorageError> {
        let Some(sent) = OUTBOX.get(tx, &Be(number))? else { return Ok(()) };
        OUTBOX.delete(tx, &Be(number));
        match (sent.message, refused) {
            (Message::Propose(proposal, _), Some(reason)) => {
                self.declined(tx, now, proposal.hash(), reason)
            }
            // What else is refused is asked for again by whoever misses it, or ends with a window.
            _ => Ok(()),
        }
    }
}

impl Machine for Registrar {
    type Instruction = Instruction;
    type Job = Job;
    type Outcome = Outcome;

    fn handle(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        event: Event<Instruction, Outcome>,
    ) -> Result<Answer, StorageError> {
        match event {
            Event::Message { from, message } => answer(self.message(tx, moment, from, message)),
            Event::Instruct(instruction) => ordinary(self.instruct(tx, moment, instruction)),
            Event::Done { job, outcome } => {
                self.done(tx, moment, job, outcome)?;
                Ok(Ok(Text::default()))
            }
            Event::Delivered { number, refused } => {
                self.delivered(tx, moment.now, number, refused)?;
                Ok(Ok(Text::default()))
            }
            Event::Tick => {
                for what in due(tx, moment.now)? {
                    self.issue_due(tx, moment.now, what)?;
                    self.forget_refused(tx, moment.now, TxId(what))?;
                }
                Ok(Ok(Text::default()))
            }
        }
    }

    fn perform(&self, kv: &dyn Kv, job: &Job, entropy: [u8; 32]) -> Result<Outcome, StorageError> {
        let mut outcomes = self.perform_all(kv, std::slice::from_ref(job), entropy)?;
        outcomes.pop().ok_or(StorageError::Damaged("job"))
    }

    fn lane(&self, job: &Job) -> Lane {
        match job {
            Job::Check(_) | Job::Verify(..) => Lane::Gathered,
            // By itself, so that no ordinary leg is in a batch with many large ones.
            Job::CheckLarge(_) => Lane::Prompt,
            Job::Build(_) => Lane::Background,
        }
    }

    fn perform_all(
        &self,
        kv: &dyn Kv,
        jobs: &[Job],
        entropy: [u8; 32],
    ) -> Result<Vec<Outcome>, StorageError> {
        self.together(kv, jobs, &mut ChaCha20Rng::from_seed(entropy))
    }
}
