//! What the standard calls the states of a trade, and why it was refused.

use super::{Outgoing, State};
use crate::iso20022::{
    CancellationStatus, FaultKind, MatchingStatus, OwnCode, OwnReason, OwnStatus, PartyId,
    ProcessingStatus, Reason, ReasonCode, Reasons, SettlementStatus, Text, TransactionKind,
};

/// The longest explanation of a reason, in characters.
const WORDS_MAX: usize = 210;

/// The three statuses of a settlement instruction.
pub(super) struct Statuses {
    pub(super) processing: ProcessingStatus,
    pub(super) matching: Option<MatchingStatus>,
    pub(super) settlement: Option<SettlementStatus>,
}

impl Statuses {
    pub(super) fn of(trade: &Outgoing) -> Result<Self, FaultKind> {
        Ok(Self {
            processing: processing(trade)?,
            matching: matching(trade)?,
            settlement: settlement(trade)?,
        })
    }

    /// What became of this side's request to cancel it; none if it has made none.
    pub(super) fn of_cancellation(
        trade: &Outgoing,
    ) -> Result<Option<CancellationStatus>, FaultKind> {
        if !trade.cancel_wanted && !is_cancelled(trade) {
            return Ok(None);
        }
        Ok(Some(match trade.standing.state {
            State::Refused if is_cancelled(trade) => CancellationStatus::Cancelled(code("CANI")?),
            State::Refused => CancellationStatus::Denied(Reasons::Said(vec![Reason {
                code: ReasonCode::Code("DCAN".parse()?),
                text: why(trade)?,
            }])),
            State::Settled => CancellationStatus::Denied(code("DSET")?),
            State::Finalising => CancellationStatus::Denied(code("DPRG")?),
            State::Releasing => CancellationStatus::Accepted(Reasons::NotSaid),
            _ => CancellationStatus::Pending(code("CONF")?),
        }))
    }
}

fn processing(trade: &Outgoing) -> Result<ProcessingStatus, FaultKind> {
    let standing = &trade.standing;
    Ok(match standing.state {
        State::Refused if is_cancelled(trade) => ProcessingStatus::Cancelled(code("CANI")?),
        State::Refused => ProcessingStatus::Rejected(refusal(trade)?),
        State::Releasing if is_cancelled(trade) => {
            ProcessingStatus::CancellationPending(Reasons::NotSaid)
        }
        State::Settled | State::Finalising | State::Releasing => {
            ProcessingStatus::Accepted(Reasons::NotSaid)
        }
        _ if trade.cancel_wanted => ProcessingStatus::CancellationPending(code("CONF")?),
        _ if standing.counterparty_cancel_requested_ms.is_some() => {
            let text = "the other side wants it cancelled: it is, once this side asks too";
            ProcessingStatus::CancellationRequested(OwnReason {
                code: None,
                text: Some(text.parse()?),
            })
        }
        State::Received => ProcessingStatus::Pending(Reasons::NotSaid),
        _ => ProcessingStatus::Accepted(Reasons::NotSaid),
    })
}

/// A redemption has no other side to match with.
fn matching(trade: &Outgoing) -> Result<Option<MatchingStatus>, FaultKind> {
    if trade.kind == TransactionKind::Redemption {
        return Ok(None);
    }
    Ok(match trade.standing.state {
        State::Matching => Some(MatchingStatus::Unmatched(code("CMIS")?)),
        State::Refused if trade.standing.reason.as_deref() == Some("no-match") => {
            Some(MatchingStatus::Unmatched(refusal(trade)?))
        }
        State::Refused
        | State::Received
        | State::Scheduled
        | State::CarriedOver
        | State::Registering
        | State::Registered => None,
        State::Queued
        | State::Building
        | State::Accepted
        | State::Approving
        | State::Committing
        | State::Notarising
        | State::Finalising
        | State::Releasing
        | State::Settled => Some(MatchingStatus::Matched(OwnReason { code: None, text: None })),
    })
}

fn settlement(trade: &Outgoing) -> Result<Option<SettlementStatus>, FaultKind> {
    let state = trade.standing.state;
    Ok(match state {
        State::Scheduled => Some(SettlementStatus::Pending(code("FUTU")?)),
        State::CarriedOver => Some(SettlementStatus::Failing(code("LATE")?)),
        State::Queued => Some(SettlementStatus::Pending(code("LACK")?)),
        State::Releasing => Some(SettlementStatus::Failing(refusal(trade)?)),
        State::Settled => {
            let status = own_code(state.name())?;
            Some(SettlementStatus::Own(OwnStatus { status, reasons: Vec::new() }))
        }
        State::Building
        | State::Accepted
        | State::Approving
        | State::Committing
        | State::Notarising
        | State::Finalising => {
            let reason = Reason { code: ReasonCode::Own(own_code(state.name())?), text: None };
            Some(SettlementStatus::Pending(Reasons::Said(vec![reason])))
        }
        State::Received
        | State::Matching
        | State::Refused
        | State::Registering
        | State::Registered => None,
    })
}

fn is_cancelled(trade: &Outgoing) -> bool {
    trade.standing.reason.as_deref() == Some("cancelled")
}

/// Why it was refused or is given up: the ledger's reason.
fn refusal(trade: &Outgoing) -> Result<Reasons, FaultKind> {
    let Some(reason) = &trade.standing.reason else { return Ok(Reasons::NotSaid) };
    let code = ReasonCode::Own(own_code(reason)?);
    Ok(Reasons::Said(vec![Reason { code, text: why(trade)? }]))
}

fn why(trade: &Outgoing) -> Result<Option<Text<WORDS_MAX>>, FaultKind> {
    let words = trade.standing.explanation.as_ref();
    let words = words.map(|words| words.chars().take(WORDS_MAX).collect::<String>());
    words.map(|words| words.parse()).transpose()
}

/// A code of the standard.
fn code(code: &str) -> Result<Reasons, FaultKind> {
    Ok(Reasons::Said(vec![Reason { code: ReasonCode::Code(code.parse()?), text: None }]))
}

/// A state or reason of the ledger's, which has more than four characters: it is the scheme's name.
fn own_code(name: &str) -> Result<OwnCode, FaultKind> {
    Ok(OwnCode {
        id: "LDGR".parse()?,
        issuer: PartyId::ISSUER.parse()?,
        scheme: Some(name.parse()?),
    })
}
