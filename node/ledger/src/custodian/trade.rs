//! A trade as one side carries it: its instruction, its state, and the steps that all kinds share.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::encode;
use sudare_crypto::{Hash, NodeId, NodeSignature, Text};
use sudare_disclosure::AssetId;

use super::cancel::{Cancellation, reason_for_other};
use super::{BY_PROPOSAL, Custodian, DRAFTS, Investor, PLANS, QUEUE, Step, TRADES, WAKE, text};
use crate::kv::StorageError;
use crate::leg::{Purpose, TearOff, TradeInfo};
use crate::log::Receipt;
use crate::messages::{CounterPart, Message, Proposal, Reason, TradeId};
use crate::note::NoteId;
use crate::role::{Answer, next_number, wake};
use crate::slot::SignedSlot;
use crate::transaction::{Commit, Transaction, TxId};

/// How the ids of consolidations begin; no instruction may use such an id.
const CONSOLIDATION: &str = "consolidation-";
/// The id under which recovered slots are kept; no instruction may use it.
pub(super) const RECOVERED: &str = "recovered";

/// A trade's key: its id and the other side.
#[derive(Clone, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct TradeKey {
    /// 取引ID.
    pub trade_id: TradeId,
    /// The counterparty; the registrar for issues and redemptions, this custodian for consolidations.
    pub counterparty: NodeId,
    /// Whether this is the side that sends leg 0; a trade between two of this custodian's investors has both sides here.
    pub initiates: bool,
}

/// A quantity of an asset on an investor's account.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Movement {
    /// The asset.
    pub asset: AssetId,
    /// Whose account.
    pub investor: Investor,
    /// Atomic units.
    pub quantity: u64,
}

/// Which side of a trade this is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Side {
    /// Proposes to the other side and sends leg 0.
    Initiator,
    /// Waits for the other side's proposal.
    Counterparty,
    /// Redeems with the registrar: no proposal.
    Redeemer,
    /// Merges notes of one account: no counterparty.
    Consolidator,
}

/// One side's instruction.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct TradeInstruction {
    /// The other side's node; the registrar for issues and redemptions.
    pub counterparty: NodeId,
    /// Which side this is.
    pub side: Side,
    /// What leaves.
    pub deliver: Option<Movement>,
    /// What comes.
    pub receive: Option<Movement>,
    /// 取引ID, 受渡日, 移転区分, free text.
    pub trade: TradeInfo,
    /// A reference to the investor's side, for readers with `parties`.
    pub reference: Text<64>,
    /// When it lapses unless the transaction is under way, ms since the Unix epoch.
    pub expires_at: u64,
    /// How long a slot given out for it is valid, ms.
    pub slot_ms: u64,
    /// The length of the transaction's window, ms.
    pub window_ms: u64,
}

impl TradeInstruction {
    /// Whether this is the same trade as `other`, apart from how long anything may take.
    fn has_terms_of(&self, other: &Self) -> bool {
        let Self { expires_at, slot_ms, window_ms, .. } = *other;
        Self { expires_at, slot_ms, window_ms, ..self.clone() } == *other
    }
}

/// Where a trade stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub enum TradeState {
    /// Waits for the counterparty's matching instruction.
    Matching,
    /// Waits for notes that other trades will give back.
    Queued,
    /// Its own leg is being built and proved.
    Building,
    /// Accepted: waits for the other side to assemble or finish the transaction.
    Accepted,
    /// Waits for its registrar's approval.
    Approving,
    /// Waits for the other side's approval, output or commit.
    Committing,
    /// Waits for the notary.
    Notarising,
    /// Waits for the registrar to append the leg to its log.
    Finalising,
    /// Final and in the asset logs.
    Settled,
    /// Given up; locks end once the notary says that the transaction is absent.
    Releasing,
    /// Refused; nothing was spent.
    Refused,
}

impl TradeState {
    /// Whether nothing more is going to happen.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Settled | Self::Refused)
    }
}

impl std::fmt::Display for TradeState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Matching => "matching",
            Self::Queued => "queued",
            Self::Building => "building",
            Self::Accepted => "accepted",
            Self::Approving => "approving",
            Self::Committing => "committing",
            Self::Notarising => "notarising",
            Self::Finalising => "finalising",
            Self::Settled => "settled",
            Self::Releasing => "releasing",
            Self::Refused => "refused",
        })
    }
}

/// A trade.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Trade {
    /// This side's instruction.
    pub instruction: TradeInstruction,
    /// Where it stands.
    pub state: TradeState,
    /// Since when, ms.
    pub since: u64,
    /// When it was instructed, ms.
    pub begun: u64,
    /// Whom it waits for.
    pub waiting: Option<NodeId>,
    /// Why it was refused or is being given up.
    pub reason: Option<Reason>,
    /// The proposal.
    pub proposal: Option<Proposal>,
    /// The slot that this side gave out.
    pub own_slot: Option<SignedSlot>,
    /// The slot that this side pays into.
    pub their_slot: Option<SignedSlot>,
    /// The other side's leg, as the initiator must know it.
    pub their_part: Option<CounterPart>,
    /// The transaction.
    pub transaction: Option<Transaction>,
    /// The approval of this side's leg.
    pub own_approval: Option<NodeSignature>,
    /// The approval of the other side's leg, with the output it owes opened and checked.
    pub their_approval: Option<NodeSignature>,
    /// The components of that output.
    pub their_components: Option<TearOff>,
    /// The commit.
    pub commit: Option<Commit>,
    /// The notary's receipt.
    pub receipt: Option<Receipt>,
    /// Which legs the registrars have appended.
    pub settled_legs: u8,
    /// Who wants it cancelled.
    pub cancellation: Cancellation,
}

/// What a trade's own leg is made of.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Plan {
    /// Which leg of the transaction.
    pub index: u8,
    /// What it does.
    pub purpose: Purpose,
    /// The asset.
    pub asset: AssetId,
    /// Whose notes.
    pub investor: Investor,
    /// The notes to spend.
    pub inputs: Vec<NoteId>,
    /// Slots to pay into, with quantities, change included.
    pub outputs: Vec<(SignedSlot, u64)>,
    /// Atomic units that leave the account.
    pub outgoing: u64,
    /// Salts of the tag hashes, inputs first, then padding.
    pub tag_salts: Vec<[u8; 32]>,
    /// Seeds of the padding's one-time keys.
    pub padding: Vec<[u8; 32]>,
}

impl Trade {
    pub(super) fn key(&self) -> TradeKey {
        TradeKey {
            trade_id: self.instruction.trade.trade_id.clone(),
            counterparty: self.instruction.counterparty,
            initiates: self.instruction.side != Side::Counterparty,
        }
    }

    /// How many legs its transaction has.
    pub(super) fn legs(&self) -> u8 {
        u8::from(self.instruction.deliver.is_some()).saturating_add(u8::from(
            self.instruction.receive.is_some() && self.instruction.side != Side::Consolidator,
        ))
    }

    /// The number of this side's own leg.
    pub(super) const fn own_index(&self) -> u8 {
        match self.instruction.side {
            Side::Counterparty => 1,
            Side::Initiator | Side::Redeemer | Side::Consolidator => 0,
        }
    }

    pub(super) fn tx(&self) -> Option<TxId> {
        self.transaction.as_ref()?.id()
    }
}

impl Custodian {
    /// Takes one side's instruction.
    pub(super) fn begin(
        &self,
        step: &mut Step<'_, '_>,
        instruction: TradeInstruction,
    ) -> Result<Answer, StorageError> {
        let trade = new_trade(instruction, step.now);
        let key = trade.key();
        if let Some(before) = TRADES.get(step.tx, &key)? {
            // The same instruction again is the same trade, whatever has become of it and of the balance since.
            if before.instruction == trade.instruction {
                return Ok(text(key.trade_id.as_str()));
            }
            // One that was refused does not use up its id.
            if before.state != TradeState::Refused {
                let same = before.instruction.has_terms_of(&trade.instruction);
                return Ok(if same {
                    text(key.trade_id.as_str())
                } else {
                    Err(Reason::DuplicateTrade)
                });
            }
            PLANS.delete(step.tx, &key);
        }
        if let Err(reason) = self.check_instruction(step, &trade.instruction)? {
            return Ok(Err(reason));
        }
        let answer = text(key.trade_id.as_str());
        self.alarm(step, &key, trade.instruction.expires_at)?;
        TRADES.put(step.tx, &key, &trade);
        match trade.instruction.side {
            Side::Initiator => self.propose(step, trade)?,
            Side::Counterparty => {
                if let Some((proposal, slot)) = self.take_alleged(step, &key)? {
                    let message = Message::Propose(proposal.clone(), slot.clone());
                    self.record(step, &key, key.counterparty, false, &message)?;
                    self.matched(step, trade, proposal, slot)?;
                }
            }
            Side::Redeemer | Side::Consolidator => self.plan(step, trade)?,
        }
        Ok(answer)
    }

    fn check_instruction(
        &self,
        step: &Step<'_, '_>,
        instruction: &TradeInstruction,
    ) -> Result<Result<(), Reason>, StorageError> {
        let movements = [&instruction.deliver, &instruction.receive];
        if is_own(&instruction.trade.trade_id) {
            return Ok(Err(Reason::Malformed));
        }
        if movements.iter().all(|movement| movement.is_none())
            || (instruction.side != Side::Counterparty && instruction.deliver.is_none())
        {
            return Ok(Err(Reason::Malformed));
        }
        for movement in movements.into_iter().flatten() {
            if movement.quantity == 0 {
                return Ok(Err(Reason::Malformed));
            }
            let Some(terms) = self.terms_of(step.tx, movement.asset)? else {
                return Ok(Err(Reason::UnknownAsset));
            };
            if !self.is_registered(step.tx, movement.asset, &movement.investor)? {
                return Ok(Err(Reason::UnknownAccount));
            }
            if instruction.window_ms > terms.core.window_max_ms {
                return Ok(Err(Reason::Window));
            }
        }
        if let Some(deliver) = &instruction.deliver {
            let balance = self.balance(step, deliver.asset, &deliver.investor)?;
            if deliver.quantity > balance.available() {
                return Ok(Err(Reason::Overspend));
            }
        }
        if instruction.expires_at <= step.now {
            return Ok(Err(Reason::Lapsed));
        }
        Ok(Ok(()))
    }

    /// Merges an account's least valuable notes, at most [`crate::leg::INPUTS_MAX`]; none if there is nothing to merge.
    pub(super) fn consolidate(
        &self,
        step: &mut Step<'_, '_>,
        asset: AssetId,
        investor: &Investor,
    ) -> Result<Option<TradeKey>, StorageError> {
        if self.balance(step, asset, investor)?.notes < 2 {
            return Ok(None);
        }
        let number = next_number(step.tx, 2)?;
        let Ok(trade_id) = Text::new(format!("{CONSOLIDATION}{number}")) else { return Ok(None) };
        let Some(terms) = self.terms_of(step.tx, asset)? else { return Ok(None) };
        let trade = TradeInfo {
            trade_id,
            kind: Text::new("consolidation").unwrap_or_default(),
            ..TradeInfo::default()
        };
        let instruction = TradeInstruction {
            counterparty: self.key.id(),
            side: Side::Consolidator,
            deliver: Some(Movement { asset, investor: investor.clone(), quantity: 0 }),
            receive: None,
            trade,
            reference: Text::default(),
            expires_at: step.now.saturating_add(terms.core.window_max_ms),
            slot_ms: terms.core.window_max_ms,
            window_ms: terms.core.window_max_ms,
        };
        let trade = new_trade(instruction, step.now);
        let key = trade.key();
        TRADES.put(step.tx, &key, &trade);
        self.alarm(step, &key, trade.instruction.expires_at)?;
        self.plan(step, trade)?;
        Ok(Some(key))
    }

    /// Ends a trade that can't go on. Locks end at once if no registrar may have approved, else with the notary's word.
    pub(super) fn fail(
        &self,
        step: &mut Step<'_, '_>,
        key: &TradeKey,
        reason: Reason,
    ) -> Result<(), StorageError> {
        self.give_up(step, key, reason, false)
    }

    /// As [`Custodian::fail`]; `by_registrar` if this side's registrar itself refused, so that it holds no lock.
    pub(super) fn give_up(
        &self,
        step: &mut Step<'_, '_>,
        key: &TradeKey,
        reason: Reason,
        by_registrar: bool,
    ) -> Result<(), StorageError> {
        let Some(mut trade) = TRADES.get(step.tx, key)? else { return Ok(()) };
        if trade.state.is_ended() || trade.state == TradeState::Releasing || trade.receipt.is_some()
        {
            return Ok(());
        }
        if let Some(proposal) = &trade.proposal
            && matches!(trade.instruction.side, Side::Initiator | Side::Counterparty)
        {
            let other = key.counterparty;
            let told = reason_for_other(Some(reason));
            let abandon = Message::Abandon { proposal: proposal.hash(), reason: told };
            self.tell(step, key, other, Some(proposal.expires_at), abandon)?;
        }
        trade.reason = Some(reason);
        match trade.transaction.clone() {
            // The registrar may have locked the notes too: wait until the notary says that the transaction is absent.
            Some(transaction) if !by_registrar => {
                let until = transaction.window.until;
                self.move_to(step, &mut trade, TradeState::Releasing, Some(transaction.notary));
                self.alarm(step, key, until)?;
                TRADES.put(step.tx, key, &trade);
                Ok(())
            }
            _ => self.end_refused(step, trade),
        }
    }

    /// Frees what a trade held and ends it as refused.
    pub(super) fn end_refused(
        &self,
        step: &mut Step<'_, '_>,
        mut trade: Trade,
    ) -> Result<(), StorageError> {
        let key = trade.key();
        let plan = PLANS.get(step.tx, &key)?;
        if let Some(plan) = &plan {
            self.release(step, &plan.inputs, plan.outgoing, &key, None)?;
            DRAFTS.delete(step.tx, &key);
        }
        self.move_to(step, &mut trade, TradeState::Refused, None);
        TRADES.put(step.tx, &key, &trade);
        if let Some(plan) = plan {
            self.serve_queue(step, plan.asset, &plan.investor)?;
        }
        Ok(())
    }

    /// Lets the trades that wait for an account's notes try again, in order, as long as one can be planned.
    pub(super) fn serve_queue(
        &self,
        step: &mut Step<'_, '_>,
        asset: AssetId,
        investor: &Investor,
    ) -> Result<(), StorageError> {
        let under = encode(&(asset, investor.clone()));
        for (place, key) in QUEUE.rows_under(step.tx, &under, None, 64)? {
            if let Some(trade) = TRADES.get(step.tx, &key)?
                && trade.state == TradeState::Queued
            {
                self.plan(step, trade)?;
                let queued = TRADES.get(step.tx, &key)?;
                if queued.is_some_and(|trade| trade.state == TradeState::Queued) {
                    break;
                }
            }
            QUEUE.delete(step.tx, &place);
        }
        Ok(())
    }

    /// A trade that ended may have kept those behind it in the queue from being tried.
    pub(super) fn left_queue(
        &self,
        step: &mut Step<'_, '_>,
        trade: &Trade,
    ) -> Result<(), StorageError> {
        match &trade.instruction.deliver {
            Some(deliver) if trade.state == TradeState::Queued => {
                self.serve_queue(step, deliver.asset, &deliver.investor)
            }
            _ => Ok(()),
        }
    }

    /// Sets an alarm for a trade.
    pub(super) fn alarm(
        &self,
        step: &Step<'_, '_>,
        key: &TradeKey,
        at: u64,
    ) -> Result<(), StorageError> {
        let what = Hash::of(b"sudare/alarm/v1", &[&encode(key), &at.to_le_bytes()]);
        WAKE.put(step.tx, &what, key);
        wake(step.tx, at, what)
    }

    /// Sets a trade's state and whom it waits for.
    pub(super) fn move_to(
        &self,
        step: &Step<'_, '_>,
        trade: &mut Trade,
        state: TradeState,
        waiting: Option<NodeId>,
    ) {
        (trade.state, trade.since, trade.waiting) = (state, step.now, waiting);
    }

    /// This custodian's side of a proposal, if it is with this counterparty.
    pub(super) fn by_proposal(
        &self,
        step: &Step<'_, '_>,
        from: NodeId,
        proposal: Hash,
        initiates: bool,
    ) -> Result<Option<Trade>, StorageError> {
        let Some(key) = BY_PROPOSAL.get(step.tx, &(proposal, initiates))? else { return Ok(None) };
        // A trade that was instructed again has another proposal.
        let is_of = |trade: &Trade| trade.proposal.as_ref().map(Proposal::hash) == Some(proposal);
        Ok(TRADES.get(step.tx, &key)?.filter(|trade| key.counterparty == from && is_of(trade)))
    }
}

/// Whether a trade id is one that custodians give themselves: no instruction may use it.
fn is_own(trade_id: &TradeId) -> bool {
    trade_id.as_str().starts_with(CONSOLIDATION) || trade_id.as_str() == RECOVERED
}

fn new_trade(instruction: TradeInstruction, now: u64) -> Trade {
    let waiting = Some(instruction.counterparty);
    Trade {
        instruction,
        state: TradeState::Matching,
        since: now,
        begun: now,
        waiting,
        reason: None,
        proposal: None,
        own_slot: None,
        their_slot: None,
        their_part: None,
        transaction: None,
        own_approval: None,
        their_approval: None,
        their_components: None,
        commit: None,
        receipt: None,
        settled_legs: 0,
        cancellation: Cancellation::default(),
    }
}
