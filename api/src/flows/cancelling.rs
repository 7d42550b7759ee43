//! From a request to cancel as a message (sese.020) to the instruction that it is of: specs/iso20022.md.

use super::Outgoing;
use super::outgoing::{first_of, more_than_one};
use crate::iso20022::{
    CancellationRequest, Cancelled, CancelledDetails, DateChoice, Instructed, Message, Parsed,
    Settled, SettlementParties,
};
use crate::masters::FieldError;

const SAME: &str = "must be that of the instruction";

/// A request to cancel.
#[derive(Clone, Copy, Debug)]
pub struct Cancelling<'a>(&'a CancellationRequest);

impl<'a> Cancelling<'a> {
    /// The request that a message is, if it is one.
    #[must_use]
    pub fn of(parsed: &'a Parsed) -> Option<Self> {
        match &parsed.message {
            Message::CancellationRequest(message) => Some(Self(message)),
            _ => None,
        }
    }

    /// The instructing party's reference of what is to be cancelled.
    #[must_use]
    pub fn reference(&self) -> &'a str {
        self.instructed().id.as_str()
    }

    /// An error at the reference.
    #[must_use]
    pub fn not_so(must: &str) -> FieldError {
        error("AcctOwnrTxId/SctiesSttlmTxId/TxId", must)
    }

    /// What in the message isn't so of the trade, or would be passed over. `investor` is the id of its investor.
    #[must_use]
    pub fn differs(&self, unread: &[String], trade: &Outgoing, investor: &str) -> Vec<FieldError> {
        let mut errors: Vec<FieldError> = Vec::new();
        for path in unread {
            let pointer = format!("/Document{path}");
            errors.push(FieldError { pointer, detail: "isn't handled: ask without it".to_owned() });
        }
        let mut same = |is: bool, at: &str| {
            if !is {
                errors.push(error(at, SAME));
            }
        };
        let (message, instructed) = (self.0, self.instructed());
        let at = "AcctOwnrTxId/SctiesSttlmTxId";
        same(instructed.movement == trade.movement(), &format!("{at}/SctiesMvmntTp"));
        same(instructed.payment == trade.pays(), &format!("{at}/Pmt"));
        let own = message.servicer_id.as_ref().map(|id| id.as_str());
        same(own.is_none() || own == trade.servicer_id.as_deref(), "AcctSvcrTxId");
        let market = message.market_id.as_ref();
        let known = trade.market_id().ok().flatten();
        same(market.is_none() || market == known.as_ref(), "MktInfrstrctrTxId");
        let owner = message.owner.as_ref();
        let is_house = owner.is_none_or(|owner| owner.id.member() == Some(trade.house.as_str()));
        same(is_house, "AcctOwnr/Id");
        let account = message.account.as_ref().map(|account| account.id.as_str());
        let is_account = |account: &str| account == trade.account || account == investor;
        same(account.is_none_or(is_account), "SfkpgAcct/Id");
        if let Some(details) = &message.details {
            details_differ(details, trade, is_account, same);
        }
        errors
    }

    const fn instructed(&self) -> &'a Instructed {
        let Cancelled::Settlement(instructed) = &self.0.cancelled;
        instructed
    }
}

fn details_differ(
    details: &CancelledDetails,
    trade: &Outgoing,
    is_account: impl Fn(&str) -> bool,
    mut same: impl FnMut(bool, &str),
) {
    same(details.security.code() == Some(&trade.units.code), "TxDtls/FinInstrmId");
    let DateChoice::Date(settlement) = &details.settlement;
    let day = settlement.date();
    let now = trade.standing.delivery_date.as_deref().and_then(|date| date.parse().ok());
    same(day == trade.settlement || Some(day) == now, "TxDtls/SttlmDt");
    let traded = details.traded.as_ref().map(|DateChoice::Date(when)| when.date());
    same(traded.is_none() || traded == trade.traded, "TxDtls/TradDt");
    let atoms = match &details.quantity {
        Settled::Quantity(quantity) => quantity.decimal().to_atoms(trade.units.decimals),
        Settled::Values(_) => None,
    };
    same(atoms == Some(trade.units.atoms), "TxDtls/SttlmQty");
    let amount = trade.amount().ok().flatten();
    same(details.amount.is_none() || details.amount == amount, "TxDtls/SttlmAmt");
    let sides = [
        (details.delivering.as_ref(), !trade.receives, "TxDtls/DlvrgSttlmPties"),
        (details.receiving.as_ref(), trade.receives, "TxDtls/RcvgSttlmPties"),
    ];
    for (parties, own, at) in sides {
        let name = if own { &trade.house } else { &trade.counterparty };
        let is_side = |parties: &SettlementParties| {
            let account = parties.first.as_ref().and_then(|party| party.account.as_ref());
            let account = account.map(|account| account.id.as_str());
            let named = first_of(parties);
            !more_than_one(parties)
                && named.is_none_or(|id| id.member() == Some(name.as_str()))
                && (!own || account.is_none_or(&is_account))
        };
        same(parties.is_none_or(is_side), at);
    }
}

fn error(at: &str, must: &str) -> FieldError {
    FieldError { pointer: format!("/Document/SctiesTxCxlReq/{at}"), detail: must.to_owned() }
}
