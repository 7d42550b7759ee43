//! From a side of a trade and where it stands to the messages that say so: specs/iso20022.md.

use sudare_crypto::NodeId;
use sudare_disclosure::{AssetId, SignedTerms};
use sudare_ledger::custodian::{Investor, Movement as Moves, Side, TradeInstruction, TradeView};

use super::Standing;
use super::statuses::Statuses;
use crate::calendar::BusinessDate;
use crate::iso20022::{
    Account, Amount, AnsweredDetails, CancellationAdvice, Cancelled, CancelledIds, DateChoice,
    DateTime, Decimal, DirectedAmount, Direction, Evidence, FaultKind, Instructed, Max35, Message,
    Movement, Number, Party, PartyId, Payment, Quantity, Security, Settled, SettlementConfirmation,
    SettlementParties, SettlementParty, StatusAdvice, StatusDetails, TransactionKind,
    TransactionType, When,
};
use crate::store::Operation;

/// How many digits of a transaction's id a reference holds, of 64.
const MARKET_ID: usize = 32;

/// An asset's code, and how much of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Units {
    /// ISIN or ticker.
    pub code: String,
    /// Atomic units.
    pub atoms: u64,
    /// How many decimal places of a unit they are.
    pub decimals: u8,
}

/// A message that says something of a trade.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Saying {
    /// How far it is: sese.024.
    Status,
    /// That it settled: sese.025.
    Confirmation,
    /// What became of a request to cancel it: sese.027.
    Cancellation,
}

impl Saying {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Status, Self::Confirmation, Self::Cancellation];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Confirmation => "confirmation",
            Self::Cancellation => "cancellation",
        }
    }

    /// That with a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|saying| saying.name() == name)
    }

    /// Why there is no such message, if there is none.
    #[must_use]
    pub const fn absent(self) -> &'static str {
        match self {
            Self::Status => "there is no status",
            Self::Confirmation => "the trade has not settled: read its status until it has",
            Self::Cancellation => "this side has not asked for the trade to be cancelled",
        }
    }
}

/// One side of a trade with where it stands, as messages say it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outgoing {
    /// The instructing party's reference: its own, or the trade's id if it gave none.
    pub reference: String,
    /// The reference of the institution whose node it is, if it has one.
    pub servicer_id: Option<String>,
    /// That institution, by its name on the ledger.
    pub house: String,
    /// The other side's name.
    pub counterparty: String,
    /// 取引ID.
    pub trade_id: String,
    /// What kind of transaction it is.
    pub kind: TransactionKind,
    /// When it was agreed.
    pub traded: Option<BusinessDate>,
    /// 受渡日 as it was instructed.
    pub settlement: BusinessDate,
    /// Whether this side receives the units.
    pub receives: bool,
    /// The investor's pseudonym.
    pub account: String,
    /// What is delivered.
    pub units: Units,
    /// What is paid, the other way.
    pub payment: Option<Units>,
    /// When the instruction was taken, ms since the Unix epoch.
    pub taken_ms: u64,
    /// Whether this side wants it cancelled.
    pub cancel_wanted: bool,
    /// Where it stands.
    pub standing: Standing,
}

impl Outgoing {
    /// A trade as the node of an institution knows it; none if it merges notes, or an asset is not among these.
    #[must_use]
    pub fn of_trade(
        trade: &TradeView,
        house: &str,
        assets: &[SignedTerms],
        name_of: impl Fn(&NodeId) -> String,
    ) -> Option<Self> {
        let moves = |moved: Option<(AssetId, u64)>, investor: &Option<Investor>| {
            let (asset, quantity) = moved?;
            Some(Moves { asset, investor: investor.clone()?, quantity })
        };
        let deliver = moves(trade.deliver, &trade.deliver_from);
        let receive = moves(trade.receive, &trade.receive_to);
        let seen = Seen { side: trade.side, counterparty: trade.counterparty, assets };
        let moved = seen.moved(deliver.as_ref(), receive.as_ref())?;
        let standing = Standing::of_trade(trade, &name_of);
        Some(Self {
            reference: trade.trade_id.to_string(),
            servicer_id: None,
            house: house.to_owned(),
            counterparty: name_of(&trade.counterparty),
            trade_id: trade.trade_id.to_string(),
            kind: moved.kind,
            traded: None,
            settlement: trade.delivery_date.as_str().parse().ok()?,
            receives: moved.receives,
            account: moved.account,
            units: moved.units,
            payment: moved.payment,
            taken_ms: trade.begun,
            cancel_wanted: standing.cancel_requested_ms.is_some(),
            standing,
        })
    }

    /// An operation; none if it is no trade, or an asset is not among these.
    #[must_use]
    pub fn of_operation(
        operation: &Operation,
        house: &str,
        assets: &[SignedTerms],
        name_of: impl Fn(&NodeId) -> String,
    ) -> Option<Self> {
        let TradeInstruction { counterparty, side, deliver, receive, trade, .. } =
            operation.order.side()?;
        let seen = Seen { side: *side, counterparty: *counterparty, assets };
        let moved = seen.moved(deliver.as_ref(), receive.as_ref())?;
        let asked = |field: &str| operation.request.get(field).and_then(|value| value.as_str());
        let trade_id = trade.trade_id.to_string();
        let standing = operation.newest.standing.clone();
        Some(Self {
            reference: asked("own_reference").map_or_else(|| trade_id.clone(), str::to_owned),
            servicer_id: Some(operation.id.clone()),
            house: house.to_owned(),
            counterparty: name_of(counterparty),
            trade_id,
            kind: moved.kind,
            traded: asked("trade_date").and_then(|date| date.parse().ok()),
            settlement: asked("delivery_date")?.parse().ok()?,
            receives: moved.receives,
            account: moved.account,
            units: moved.units,
            payment: moved.payment,
            taken_ms: super::ms(operation.instructed_at),
            cancel_wanted: operation.cancel_wanted || standing.cancel_requested_ms.is_some(),
            standing,
        })
    }

    /// A message of it as it stands; none if there is nothing to say.
    ///
    /// # Errors
    ///
    /// What doesn't fit a message.
    pub fn message(&self, saying: Saying) -> Result<Option<Message>, FaultKind> {
        match saying {
            Saying::Status => self.status().map(Some),
            Saying::Confirmation => self.confirmation(),
            Saying::Cancellation => self.cancellation(),
        }
    }

    fn status(&self) -> Result<Message, FaultKind> {
        let Statuses { processing, matching, settlement } = Statuses::of(self)?;
        let parties = self.parties()?;
        let standing = &self.standing;
        let date = standing.delivery_date.as_deref().and_then(|date| date.parse().ok());
        let expected = date.filter(|date| *date != self.settlement);
        let waits = standing.waiting_for.as_ref().map(|name| format!("waits for {name}").parse());
        let details = StatusDetails {
            trades: vec![self.trade_id.parse()?],
            owner: Some(self.owner()?),
            account: Some(self.account()?),
            security: Security::of_code(&self.units.code)?,
            quantity: self.quantity()?,
            amount: self.amount()?,
            expected: expected.map(When::Day),
            settlement: DateChoice::Date(When::Day(self.settlement)),
            traded: self.traded(),
            acknowledged: instant(self.taken_ms),
            matched: None,
            movement: self.movement(),
            payment: self.pays(),
            kind: TransactionType::Code(self.kind),
            receiving: Some(parties.receiving),
            delivering: Some(parties.delivering),
            text: waits.transpose()?,
        };
        Ok(Message::Status(Box::new(StatusAdvice {
            id: self.reference.parse()?,
            servicer_id: self.servicer_id()?,
            market_id: self.market_id()?,
            processor_id: None,
            common: None,
            processing: Some(processing),
            inferred: None,
            matching,
            settlement,
            details: Some(details),
            evidence: self.evidence()?,
        })))
    }

    /// That it settled: sese.025; none until it has.
    fn confirmation(&self) -> Result<Option<Message>, FaultKind> {
        let standing = &self.standing;
        let settled = standing.state == super::State::Settled;
        let Some(effective) = standing.notarised_ms.filter(|_| settled).and_then(instant) else {
            return Ok(None);
        };
        let parties = self.parties()?;
        Ok(Some(Message::Confirmation(Box::new(SettlementConfirmation {
            id: self.reference.parse()?,
            servicer_id: self.servicer_id()?,
            market_id: self.market_id()?,
            processor_id: None,
            movement: self.movement(),
            payment: self.pays(),
            common: None,
            trades: vec![self.trade_id.parse()?],
            traded: self.traded(),
            settlement: Some(DateChoice::Date(When::Day(self.settlement))),
            effective: DateChoice::Date(When::Time(effective)),
            security: Security::of_code(&self.units.code)?,
            quantity: self.quantity()?,
            owner: Some(self.owner()?),
            account: Some(self.account()?),
            kind: TransactionType::Code(self.kind),
            delivering: Some(parties.delivering),
            receiving: Some(parties.receiving),
            amount: self.amount()?,
            evidence: self.evidence()?,
        }))))
    }

    /// What became of a request to cancel it: sese.027; none if this side has made none.
    fn cancellation(&self) -> Result<Option<Message>, FaultKind> {
        let Some(status) = Statuses::of_cancellation(self)? else { return Ok(None) };
        let parties = self.parties()?;
        let instructed = Instructed {
            id: self.reference.parse()?,
            movement: self.movement(),
            payment: self.pays(),
        };
        let transaction = CancelledIds {
            servicer_id: self.servicer_id()?,
            market_id: self.market_id()?,
            processor_id: None,
            cancelled: Cancelled::Settlement(instructed),
        };
        let details = AnsweredDetails {
            owner: Some(self.owner()?),
            account: Some(self.account()?),
            security: Security::of_code(&self.units.code)?,
            quantity: self.quantity()?,
            amount: self.amount()?,
            traded: self.traded(),
            settlement: DateChoice::Date(When::Day(self.settlement)),
            delivering: Some(parties.delivering),
            receiving: Some(parties.receiving),
        };
        Ok(Some(Message::CancellationAdvice(Box::new(CancellationAdvice {
            // A request has no reference of its own, and a side of a trade is cancelled once.
            request: self.reference.parse()?,
            transaction: Some(transaction),
            status,
            details: Some(details),
            evidence: self.evidence()?,
        }))))
    }

    pub(super) const fn movement(&self) -> Movement {
        if self.receives { Movement::Receive } else { Movement::Deliver }
    }

    pub(super) const fn pays(&self) -> Payment {
        if self.payment.is_some() { Payment::Against } else { Payment::Free }
    }

    fn servicer_id(&self) -> Result<Option<Max35>, FaultKind> {
        self.servicer_id.as_deref().map(str::parse).transpose()
    }

    pub(super) fn market_id(&self) -> Result<Option<Max35>, FaultKind> {
        let head = self.standing.transaction.as_ref().and_then(|tx| tx.get(..MARKET_ID));
        head.map(str::parse).transpose()
    }

    fn traded(&self) -> Option<DateChoice> {
        self.traded.map(|date| DateChoice::Date(When::Day(date)))
    }

    fn owner(&self) -> Result<Party, FaultKind> {
        Ok(Party { id: PartyId::of_member(&self.house)?, lei: None })
    }

    fn account(&self) -> Result<Account, FaultKind> {
        Ok(Account { id: self.account.parse()?, name: None })
    }

    fn quantity(&self) -> Result<Settled, FaultKind> {
        let Units { atoms, decimals, .. } = self.units;
        Ok(Settled::Quantity(Quantity::of_atoms(atoms.into(), decimals)?))
    }

    /// What is paid, if a message has words for it: its code is a currency's.
    pub(super) fn amount(&self) -> Result<Option<DirectedAmount>, FaultKind> {
        let Some(Units { code, atoms, decimals }) = &self.payment else { return Ok(None) };
        let Ok(currency) = code.parse() else { return Ok(None) };
        let value = Decimal::of_atoms((*atoms).into(), *decimals).and_then(Number::new);
        let value = value.ok_or(FaultKind::Digits(18, 5))?;
        let direction = if self.receives { Direction::Debit } else { Direction::Credit };
        Ok(Some(DirectedAmount { amount: Amount { value, currency }, direction }))
    }

    /// The transaction; and what is paid, if it is in no currency.
    fn evidence(&self) -> Result<Evidence, FaultKind> {
        let mut values = Vec::new();
        let mut put = |of: &str, text: &str| -> Result<(), FaultKind> {
            values.push((of.parse()?, text.parse()?));
            Ok(())
        };
        if let Some(tx) = &self.standing.transaction {
            put("tx", tx)?;
        }
        if let (Some(payment), None) = (&self.payment, self.amount()?) {
            let quantity = Decimal::of_atoms(payment.atoms.into(), payment.decimals);
            let quantity = quantity.ok_or(FaultKind::Digits(Decimal::DIGITS_MAX, 29))?;
            put("payment-asset", &payment.code)?;
            put("payment-quantity", &quantity.to_string())?;
        }
        Ok(Evidence { values })
    }

    fn parties(&self) -> Result<Parties, FaultKind> {
        let party = |name: &str, account: Option<Account>| -> Result<_, FaultKind> {
            let id = PartyId::of_member(name)?;
            Ok(SettlementParties {
                depository: None,
                first: Some(SettlementParty { id, lei: None, account, reference: None }),
                second: None,
                third: None,
                fourth: None,
                fifth: None,
            })
        };
        let own = party(&self.house, Some(self.account()?))?;
        let other = party(&self.counterparty, None)?;
        Ok(match self.receives {
            true => Parties { delivering: other, receiving: own },
            false => Parties { delivering: own, receiving: other },
        })
    }
}

/// Both sides.
struct Parties {
    delivering: SettlementParties,
    receiving: SettlementParties,
}

/// A side of a trade, and the assets that are known.
struct Seen<'a> {
    side: Side,
    counterparty: NodeId,
    assets: &'a [SignedTerms],
}

/// What of a trade depends on its side.
struct Moved {
    receives: bool,
    kind: TransactionKind,
    account: String,
    units: Units,
    payment: Option<Units>,
}

impl Seen<'_> {
    /// The initiator delivers the units; what comes back is the payment.
    fn moved(&self, deliver: Option<&Moves>, receive: Option<&Moves>) -> Option<Moved> {
        let (receives, units, payment) = match self.side {
            Side::Initiator | Side::Redeemer => (false, deliver?, receive),
            Side::Counterparty => (true, receive?, deliver),
            Side::Consolidator => return None,
        };
        let terms = self.terms(units)?;
        let kind = match self.side {
            Side::Redeemer => TransactionKind::Redemption,
            _ if terms.terms.core.registrar == self.counterparty => TransactionKind::Issue,
            _ => TransactionKind::Trade,
        };
        let payment = match payment {
            Some(paid) => Some(self.units(paid)?),
            None => None,
        };
        let account = units.investor.to_string();
        Some(Moved { receives, kind, account, units: self.units(units)?, payment })
    }

    fn units(&self, moved: &Moves) -> Option<Units> {
        let core = &self.terms(moved)?.terms.core;
        Some(Units { code: core.code.to_string(), atoms: moved.quantity, decimals: core.decimals })
    }

    fn terms(&self, moved: &Moves) -> Option<&SignedTerms> {
        self.assets.iter().find(|signed| signed.terms.asset() == moved.asset)
    }
}

/// Whether parties are named beyond the first.
pub(super) const fn more_than_one(parties: &SettlementParties) -> bool {
    let SettlementParties { second, third, fourth, fifth, .. } = parties;
    second.is_some() || third.is_some() || fourth.is_some() || fifth.is_some()
}

/// The first party.
pub(super) fn first_of(parties: &SettlementParties) -> Option<&PartyId> {
    parties.first.as_ref().map(|party| &party.id)
}

fn instant(ms: u64) -> Option<DateTime> {
    DateTime::of_unix(ms.checked_mul(1000)?)
}
