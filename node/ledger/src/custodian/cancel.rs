//! Cancelling a trade by consent of both sides. What an issue brings is given up by its registrar, with the consent of all that have
//! accepted.
//!
//! Each side's operator asks for it; who has both requests, has not signed, and whose signature the transaction needs gives
//! the trade up. So a commit that is out always wins, and a trade is never cancelled by one side alone.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::NodeId;

use super::trade::{Side, Trade, TradeKey, TradeState};
use super::{ALLEGED, Custodian, Step, TRADES, done};
use crate::kv::StorageError;
use crate::messages::{Message, Reason, TradeId};
use crate::role::{Answer, send};

/// How long the consent of a side without instruction is sent if nobody knows when the proposal expires, ms: a day.
const CONSENT_MS: u64 = 24 * 3_600_000;

/// Who has asked for a trade to be cancelled, and when, ms since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Cancellation {
    /// This side's operator.
    pub own: Option<u64>,
    /// The other side.
    pub theirs: Option<u64>,
}

impl Cancellation {
    const fn is_agreed(self) -> bool {
        self.own.is_some() && self.theirs.is_some()
    }
}

impl Custodian {
    /// The operator wants a trade cancelled.
    ///
    /// Enforces [FLOW-6]: with the other side's consent, unless no other side has a word in it yet.
    pub(super) fn cancel(
        &self,
        step: &mut Step<'_, '_>,
        key: &TradeKey,
    ) -> Result<Answer, StorageError> {
        let Some(mut trade) = TRADES.get(step.tx, key)? else { return Ok(Err(Reason::NoMatch)) };
        if is_given_up(&trade) {
            return done();
        }
        if is_too_late(&trade) {
            return Ok(Err(Reason::TooLate));
        }
        let alone = match trade.instruction.side {
            Side::Redeemer | Side::Consolidator => true,
            Side::Counterparty => trade.proposal.is_none(),
            Side::Initiator => false,
        };
        let known = trade.cancellation.own.is_some();
        trade.cancellation.own.get_or_insert(step.now);
        TRADES.put(step.tx, key, &trade);
        if alone {
            self.fail(step, key, Reason::Cancelled)?;
            self.left_queue(step, &trade)?;
        } else if !self.cancel_if_agreed(step, &trade)? && !known {
            let until =
                trade.transaction.as_ref().map_or(0, |transaction| transaction.window.until);
            let until = trade.instruction.expires_at.max(until);
            let message =
                Message::Cancel { trade_id: key.trade_id.clone(), initiates: key.initiates };
            self.tell(step, key, key.counterparty, Some(until), message)?;
        }
        done()
    }

    /// The other side wants a trade cancelled; `initiates` if it is the initiator.
    pub(super) fn cancel_asked(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        trade_id: TradeId,
        initiates: bool,
    ) -> Result<(), StorageError> {
        let key = TradeKey { trade_id, counterparty: from, initiates: !initiates };
        let Some(mut trade) = TRADES.get(step.tx, &key)? else {
            return if initiates { self.consent(step, key) } else { Ok(()) };
        };
        if !matches!(trade.instruction.side, Side::Initiator | Side::Counterparty) {
            return Ok(());
        }
        if is_given_up(&trade) {
            // Who gave it up without this proposal has nothing against the other's doing so.
            let unheard = trade.proposal.is_none() || ALLEGED.contains(step.tx, &key)?;
            if initiates && unheard {
                return self.consent(step, key);
            }
            return self.abandon_again(step, &trade);
        }
        trade.cancellation.theirs.get_or_insert(step.now);
        TRADES.put(step.tx, &key, &trade);
        self.cancel_if_agreed(step, &trade).map(|_| ())
    }

    /// Tells a side that does not seem to know it that this one has given the trade up.
    pub(super) fn abandon_again(
        &self,
        step: &Step<'_, '_>,
        trade: &Trade,
    ) -> Result<(), StorageError> {
        let (true, Some(proposal)) = (is_given_up(trade), &trade.proposal) else { return Ok(()) };
        let reason = reason_for_other(trade.reason);
        let abandon = Message::Abandon { proposal: proposal.hash(), reason };
        let key = trade.key();
        self.tell(step, &key, key.counterparty, Some(proposal.expires_at), abandon)
    }

    /// A side without an instruction that stands has nothing against it.
    fn consent(&self, step: &Step<'_, '_>, key: TradeKey) -> Result<(), StorageError> {
        let alleged = self.take_alleged(step, &key)?;
        let day = step.now.saturating_add(CONSENT_MS);
        let until = alleged.map_or(day, |(proposal, _)| proposal.expires_at);
        let (to, message) =
            (key.counterparty, Message::Cancel { trade_id: key.trade_id, initiates: false });
        send(step.tx, step.now, to, Some(until), message)
    }

    /// Gives a trade up if both sides want that and it is this side's to do; whether it did.
    fn cancel_if_agreed(
        &self,
        step: &mut Step<'_, '_>,
        trade: &Trade,
    ) -> Result<bool, StorageError> {
        // A transaction needs the signature of each side that delivers; who only receives hears from the other.
        let decides = trade.instruction.deliver.is_some() && !is_signed(trade);
        if !decides || !trade.cancellation.is_agreed() {
            return Ok(false);
        }
        self.fail(step, &trade.key(), Reason::Cancelled)?;
        self.left_queue(step, trade)?;
        Ok(true)
    }
}

/// What the other side is told about why a trade is given up.
pub(super) const fn reason_for_other(reason: Option<Reason>) -> Reason {
    match reason {
        Some(Reason::Cancelled) => Reason::Cancelled,
        _ => Reason::Abandoned,
    }
}

const fn is_given_up(trade: &Trade) -> bool {
    matches!(trade.state, TradeState::Releasing | TradeState::Refused)
}

/// Whether this side has signed the commit.
const fn is_signed(trade: &Trade) -> bool {
    matches!(trade.state, TradeState::Notarising | TradeState::Finalising | TradeState::Settled)
}

/// Whether no other signature is missing, so that nobody can keep the transaction from becoming final.
fn is_too_late(trade: &Trade) -> bool {
    let last = trade.legs() == 1 || trade.instruction.side == Side::Counterparty;
    trade.receipt.is_some() || trade.state == TradeState::Settled || (last && is_signed(trade))
}
