//! What a node keeps, as messages: trades as statements, a register snapshot as a notification.

use sudare_disclosure::{AssetCore, AssetId};
use sudare_ledger::custodian::{Investor, Side, TradeState, TradeView};
use thiserror::Error;

use super::*;
use crate::calendar::BusinessDate;
use crate::view::Names;

/// Transactions, or sub-accounts of them, on a page.
pub const PAGE_TRANSACTIONS: usize = 5_000;

/// What a trade moves of one asset at its custodian, in or out.
#[derive(Clone, Debug)]
pub struct Moved<'a> {
    trade: &'a TradeView,
    house: &'a str,
    counterparty: String,
    waiting: Option<String>,
    asset: &'a AssetCore,
    quantity: u64,
    account: &'a Investor,
    movement: Movement,
    against: Option<(&'a AssetCore, u64)>,
}

/// Why there is no message of something.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum WriteError {
    /// It doesn't fit the form of messages.
    #[error("{what} doesn't fit a message: {kind}")]
    Form {
        /// What.
        what: &'static str,
        /// Why.
        kind: FaultKind,
    },
    /// An asset that the node doesn't know any more.
    #[error(
        "trade {0} is of an asset that the node doesn't know: give the terms to the node first"
    )]
    Asset(String),
    /// It isn't settled.
    #[error("trade {id} is {state}, not settled: so nothing was booked")]
    NotSettled {
        /// The trade.
        id: String,
        /// Where it stands.
        state: TradeState,
    },
    /// The standard demands a date.
    #[error(
        "trade {0} has no delivery date, which this message must have: instruct with --delivery-date"
    )]
    Undated(String),
    /// Too many pages.
    #[error("more pages than a statement may have: choose less")]
    Pages,
}

type Written<T> = Result<T, WriteError>;

fn form(what: &'static str) -> impl Fn(FaultKind) -> WriteError {
    move |kind| WriteError::Form { what, kind }
}

/// A member of the network, by its name.
///
/// # Errors
///
/// If the name is too long for a message.
pub fn party(name: &str) -> Result<Party, FaultKind> {
    Ok(Party { id: PartyId::of_member(name)?, lei: None })
}

/// An instant of a clock, in ms since the Unix epoch.
///
/// # Errors
///
/// If it is beyond the calendar.
pub fn instant(ms: u64) -> Written<DateTime> {
    let micros = ms.checked_mul(1000).and_then(DateTime::of_unix);
    micros.ok_or(WriteError::Form { what: "a time", kind: FaultKind::Form("a time of this age") })
}

/// The day in Japan of an instant.
///
/// # Errors
///
/// If it is beyond the calendar.
pub fn day_in_japan(ms: u64) -> Written<BusinessDate> {
    Ok(instant(ms.saturating_add(9 * 3_600_000))?.date())
}

/// A statement's page, and whether it is the last.
fn page(number: usize, pages: usize) -> Written<Pagination> {
    let page = u32::try_from(number).ok().and_then(PageNumber::new).ok_or(WriteError::Pages)?;
    Ok(Pagination { page, last: number == pages })
}

fn evidence(values: &[(&str, String)]) -> Written<Evidence> {
    let mut parsed = Vec::new();
    for (of, value) in values {
        let fault = form("evidence");
        parsed.push((of.parse().map_err(&fault)?, value.parse().map_err(&fault)?));
    }
    Ok(Evidence { values: parsed })
}

impl<'a> Moved<'a> {
    /// What a trade moves: one asset or, against payment, two. `house` is the custodian's own name.
    ///
    /// # Errors
    ///
    /// [`WriteError::Asset`].
    pub fn of(
        trade: &'a TradeView,
        house: &'a str,
        names: &impl Names,
        assets: &[&'a AssetCore],
    ) -> Written<Vec<Self>> {
        // Notes of one account become fewer: nothing moves.
        if trade.side == Side::Consolidator {
            return Ok(Vec::new());
        }
        let known = |id: AssetId| {
            let found = assets.iter().find(|core| core.id() == id).copied();
            found.ok_or_else(|| WriteError::Asset(trade.trade_id.to_string()))
        };
        let legs = [
            (Movement::Deliver, trade.deliver, &trade.deliver_from, trade.receive),
            (Movement::Receive, trade.receive, &trade.receive_to, trade.deliver),
        ];
        let mut all = Vec::new();
        for (movement, moved, account, other) in legs {
            let (Some((asset, quantity)), Some(account)) = (moved, account) else { continue };
            let against = match other {
                Some((id, units)) => Some((known(id)?, units)),
                None => None,
            };
            all.push(Self {
                trade,
                house,
                counterparty: names.node(&trade.counterparty),
                waiting: trade.waiting.map(|id| names.node(&id)),
                asset: known(asset)?,
                quantity,
                account,
                movement,
                against,
            });
        }
        Ok(all)
    }

    /// The asset's code.
    #[must_use]
    pub fn code(&self) -> &str {
        self.asset.code.as_str()
    }

    /// The investor's pseudonym.
    #[must_use]
    pub fn account(&self) -> &str {
        self.account.as_str()
    }

    /// The trade's id.
    #[must_use]
    pub fn id(&self) -> &str {
        self.trade.trade_id.as_str()
    }

    fn reference(&self) -> Written<Max35> {
        self.id().parse().map_err(form("a trade's id"))
    }

    fn trades(&self) -> Written<Vec<Text<52>>> {
        Ok(vec![self.id().parse().map_err(form("a trade's id"))?])
    }

    fn security(&self) -> Written<Security> {
        Security::of_code(self.code()).map_err(form("an asset's code"))
    }

    fn quantity(&self) -> Written<Settled> {
        let quantity = Quantity::of_atoms(self.quantity.into(), self.asset.decimals);
        Ok(Settled::Quantity(quantity.map_err(form("a quantity"))?))
    }

    fn safekeeping(&self) -> Written<Account> {
        let id = self.account().parse().map_err(form("an account's number"))?;
        Ok(Account { id, name: None })
    }

    const fn payment(&self) -> Payment {
        if self.against.is_some() { Payment::Against } else { Payment::Free }
    }

    /// What is paid, if it is money that messages have a code for. Else [`Self::proof`] says it.
    fn amount(&self) -> Written<Option<(Amount<5>, Direction)>> {
        let Some((core, units)) = self.against else { return Ok(None) };
        let Ok(currency) = core.code.as_str().parse::<Currency>() else { return Ok(None) };
        let value = Decimal::of_atoms(units.into(), core.decimals).and_then(Number::new);
        let value = value.ok_or(FaultKind::Digits(18, 5)).map_err(form("an amount"))?;
        let direction = match self.movement {
            Movement::Deliver => Direction::Credit,
            Movement::Receive => Direction::Debit,
        };
        Ok(Some((Amount { value, currency }, direction)))
    }

    fn directed(&self) -> Written<Option<DirectedAmount>> {
        let amount = self.amount()?;
        Ok(amount.map(|(amount, direction)| DirectedAmount { amount, direction }))
    }

    fn kind(&self) -> TransactionType {
        let registrar = self.trade.counterparty == self.asset.registrar;
        TransactionType::Code(match (self.trade.side, self.movement) {
            (Side::Redeemer, _) => TransactionKind::Redemption,
            (_, Movement::Receive) if registrar => TransactionKind::Issue,
            _ => TransactionKind::Trade,
        })
    }

    fn delivery(&self) -> Written<Option<DateChoice>> {
        match self.trade.delivery_date.as_str() {
            "" => Ok(None),
            text => {
                let fault = |_| form("a delivery date")(FaultKind::Form("a date as YYYY-MM-DD"));
                let day = text.parse().map_err(fault)?;
                Ok(Some(DateChoice::Date(When::Day(day))))
            }
        }
    }

    fn dated(&self) -> Written<DateChoice> {
        self.delivery()?.ok_or_else(|| WriteError::Undated(self.id().to_owned()))
    }

    /// Who delivers and who receives. Of the other side the account stays with its custodian.
    fn sides(&self) -> Written<(Option<SettlementParties>, Option<SettlementParties>)> {
        let own = side(self.house, Some(self.safekeeping()?))?;
        let other = side(&self.counterparty, None)?;
        Ok(match self.movement {
            Movement::Deliver => (Some(own), Some(other)),
            Movement::Receive => (Some(other), Some(own)),
        })
    }

    /// The head of the transaction's id, as the infrastructure's reference.
    fn market_id(&self) -> Written<Option<Max35>> {
        let head = |tx: String| tx.chars().take(32).collect::<String>();
        let id = self.trade.tx.map(|tx| head(tx.to_string()).parse());
        id.transpose().map_err(form("a transaction's id"))
    }

    fn proof(&self) -> Written<Evidence> {
        let mut values = Vec::new();
        if let Some(tx) = self.trade.tx {
            values.push(("tx", tx.to_string()));
        }
        if let (Some((core, units)), None) = (self.against, self.amount()?) {
            let units = Decimal::of_atoms(units.into(), core.decimals);
            let units = units.map(|units| units.to_string()).unwrap_or_default();
            values.push(("payment-asset", core.code.to_string()));
            values.push(("payment-quantity", units));
        }
        evidence(&values)
    }

    /// Where it stands and whom it waits for, in words.
    fn words(&self) -> Written<Option<Text<350>>> {
        let waits = self.waiting.as_ref().map(|name| format!(", waits for {name}"));
        let text = format!("{}{}", self.trade.state, waits.unwrap_or_default());
        Ok(Some(text.parse().map_err(form("a state"))?))
    }

    /// The other side has said the same once this side builds on it.
    fn matching(&self) -> Option<MatchingStatus> {
        match self.trade.state {
            TradeState::Matching => Some(MatchingStatus::Unmatched(Reasons::NotSaid)),
            TradeState::Queued | TradeState::Releasing | TradeState::Refused => None,
            _ => Some(MatchingStatus::Matched(OwnReason { code: None, text: None })),
        }
    }

    fn settlement(&self, today: BusinessDate) -> Option<SettlementStatus> {
        if self.trade.state.is_ended() || self.trade.state == TradeState::Releasing {
            return None;
        }
        let late = self.trade.delivery_date.as_str().parse::<BusinessDate>();
        let late = late.is_ok_and(|date| date < today);
        Some(match late {
            true => SettlementStatus::Failing(Reasons::NotSaid),
            false => SettlementStatus::Pending(Reasons::NotSaid),
        })
    }

    /// When the notary recorded it.
    fn effective(&self) -> Written<DateTime> {
        match (self.trade.state, self.trade.notarised) {
            (TradeState::Settled, Some(at)) => instant(at),
            (state, _) => Err(WriteError::NotSettled { id: self.id().to_owned(), state }),
        }
    }

    fn posting(&self) -> Written<Posting> {
        let (delivering, receiving) = self.sides()?;
        let amount = self.amount()?;
        let details = PostingDetails {
            activity: ActivityType::Code(Activity::Settlement),
            kind: Some(EventKind::Transaction(self.kind())),
            movement: self.movement,
            payment: self.payment(),
            quantity: self.quantity()?,
            amount: amount.map(|(amount, direction)| PostedAmount { amount, direction }),
            traded: None,
            effective: When::Time(self.effective()?),
            settlement: self.delivery()?,
            delivering,
            receiving,
            reversal: None,
            text: None,
        };
        Ok(Posting {
            id: self.reference()?,
            servicer_id: None,
            market_id: self.market_id()?,
            processor_id: None,
            trades: self.trades()?,
            common: None,
            details: Some(details),
            evidence: self.proof()?,
        })
    }

    fn pending(&self, today: BusinessDate) -> Written<PendingTransaction> {
        let (delivering, receiving) = self.sides()?;
        let details = PendingDetails {
            activity: ActivityType::Code(Activity::Settlement),
            kind: Some(EventKind::Transaction(self.kind())),
            movement: self.movement,
            payment: self.payment(),
            security: self.security()?,
            quantity: self.quantity()?,
            amount: self.directed()?,
            traded: None,
            expected: None,
            settlement: self.dated()?,
            late: None,
            acknowledged: Some(instant(self.trade.begun)?),
            matched: None,
            delivering,
            receiving,
            text: self.words()?,
            evidence: self.proof()?,
        };
        let matching = self.matching().map(PendingState::Matching);
        let settlement = self.settlement(today).map(PendingState::Settlement);
        Ok(PendingTransaction {
            id: self.reference()?,
            servicer_id: None,
            market_id: self.market_id()?,
            trades: self.trades()?,
            details: Some(details),
            statuses: matching.into_iter().chain(settlement).collect(),
        })
    }

    /// Whether it is under way.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        !self.trade.state.is_ended()
    }

    /// Whether it settled in a period of days in Japan, both with it.
    #[must_use]
    pub fn settled_in(&self, from: BusinessDate, until: BusinessDate) -> bool {
        let day = self.trade.notarised.and_then(|at| day_in_japan(at).ok());
        let settled = self.trade.state == TradeState::Settled;
        settled && day.is_some_and(|day| from <= day && day <= until)
    }
}

fn side(name: &str, account: Option<Account>) -> Written<SettlementParties> {
    let id = PartyId::of_member(name).map_err(form("a member's name"))?;
    let first = SettlementParty { id, lei: None, account, reference: None };
    Ok(SettlementParties {
        depository: None,
        first: Some(first),
        second: None,
        third: None,
        fourth: None,
        fifth: None,
    })
}

/// What a statement of transactions is of.
#[derive(Clone, Debug)]
pub struct Statement<'a> {
    /// Its id, the same on all pages.
    pub id: &'a str,
    /// The custodian.
    pub house: &'a str,
}

impl Statement<'_> {
    fn id(&self) -> Written<Max35> {
        self.id.parse().map_err(form("a statement's id"))
    }

    fn account(&self) -> Written<Account> {
        let id = self.house.parse().map_err(form("a member's name"))?;
        Ok(Account { id, name: None })
    }

    fn owner(&self) -> Written<Party> {
        party(self.house).map_err(form("a member's name"))
    }

    /// What was booked from one day to another (semt.017), by account and security, in pages.
    ///
    /// # Errors
    ///
    /// [`WriteError`] if something doesn't fit.
    pub fn postings(
        &self,
        (from, until): (BusinessDate, BusinessDate),
        moved: &[Moved<'_>],
    ) -> Written<Vec<Postings>> {
        let mut settled: Vec<&Moved<'_>> =
            moved.iter().filter(|one| one.settled_in(from, until)).collect();
        let place = |one: &Moved<'_>| {
            (one.account().to_owned(), one.code().to_owned(), one.trade.notarised)
        };
        settled.sort_by_cached_key(|one| place(one));
        let mut sub_accounts = Vec::new();
        for account in settled.chunk_by(|one, next| one.account == next.account) {
            let mut securities = Vec::new();
            for same in account.chunk_by(|one, next| one.code() == next.code()) {
                let Some(first) = same.first() else { continue };
                let postings = same.iter().map(|one| one.posting()).collect::<Written<_>>()?;
                let security = first.security()?;
                securities.push(PostedSecurity {
                    security,
                    opening: None,
                    closing: None,
                    postings,
                });
            }
            let account = account.first().map(|first| first.safekeeping()).transpose()?;
            sub_accounts.push(PostedSubAccount {
                owner: None,
                account,
                activity: true,
                securities,
            });
        }
        let activity = !sub_accounts.is_empty();
        let pages = sub_accounts.len().div_ceil(PAGE_TRANSACTIONS).max(1);
        let mut rest = sub_accounts.into_iter();
        let statement = PostingStatement {
            report: None,
            query: None,
            id: Some(self.id()?),
            period: Period::Days(Days { from, until }),
            frequency: Some(FrequencyType::Code(Frequency::AdHoc)),
            update: Some(UpdateType::Code(Update::Complete)),
            basis: PostingBasisType::Code(PostingBasis::Settled),
            activity,
            has_sub_accounts: activity,
        };
        let page = |number| {
            Ok(Postings {
                pagination: page(number, pages)?,
                statement: statement.clone(),
                owner: Some(self.owner()?),
                account: Some(self.account()?),
                securities: Vec::new(),
                sub_accounts: rest.by_ref().take(PAGE_TRANSACTIONS).collect(),
            })
        };
        (1..=pages).map(page).collect()
    }

    /// What is under way (semt.018), in pages.
    ///
    /// # Errors
    ///
    /// [`WriteError`] if something doesn't fit, or has no delivery date.
    pub fn pending(&self, now: u64, moved: &[Moved<'_>]) -> Written<Vec<PendingReport>> {
        let today = day_in_japan(now)?;
        let under_way = moved.iter().filter(|one| one.is_pending());
        let transactions = under_way.map(|one| one.pending(today)).collect::<Written<Vec<_>>>()?;
        let pages = transactions.len().div_ceil(PAGE_TRANSACTIONS).max(1);
        let statement = PendingStatement {
            report: None,
            query: None,
            id: Some(self.id()?),
            at: When::Time(instant(now)?),
            frequency: Some(FrequencyType::Code(Frequency::AdHoc)),
            update: Some(UpdateType::Code(Update::Complete)),
            structure: Structure::Transaction,
            activity: !transactions.is_empty(),
        };
        let mut rest = transactions.into_iter();
        let page = |number| {
            Ok(PendingReport {
                pagination: page(number, pages)?,
                statement: statement.clone(),
                owner: Some(self.owner()?),
                account: Some(self.account()?),
                by_status: Vec::new(),
                transactions: rest.by_ref().take(PAGE_TRANSACTIONS).collect(),
            })
        };
        (1..=pages).map(page).collect()
    }
}

/// A record date that a register snapshot has fixed.
#[derive(Clone, Debug)]
pub struct RecordDate<'a> {
    /// The notification's id.
    pub id: &'a str,
    /// The asset's code.
    pub asset: &'a str,
    /// What happens.
    pub event: EventCode,
    /// 権利確定日.
    pub day: BusinessDate,
    /// When it is paid, if that is known.
    pub payment: Option<BusinessDate>,
    /// Where the ledger proves who held what: each value with what it is of.
    pub proof: Vec<(&'a str, String)>,
}

impl RecordDate<'_> {
    /// The notification (seev.031): to all holders, confirmed, nothing to choose; what is paid is not said.
    ///
    /// # Errors
    ///
    /// If something doesn't fit.
    pub fn notification(&self) -> Written<EventNotification> {
        let id: Max35 = self.id.parse().map_err(form("a notification's id"))?;
        let completeness = match self.payment {
            Some(_) => Completeness::Complete,
            None => Completeness::Incomplete,
        };
        let status = EventStatus { completeness, confirmation: Confirmation::Confirmed };
        let dates = EventDates {
            record: Some(EventDate::Day(self.day)),
            ex: None,
            payment: self.payment.map(EventDate::Day),
        };
        Ok(EventNotification {
            pagination: None,
            notification: NotificationHead {
                id: Some(id.clone()),
                kind: NotificationKind::New,
                status: EventStatusType::Codes(status),
            },
            previous: None,
            event: NotifiedEvent {
                id,
                official: None,
                kind: EventType::Code(self.event),
                mandatory: MandatoryType::Code(Mandatory::Mandatory),
                security: Security::of_code(self.asset).map_err(form("an asset's code"))?,
            },
            accounts: NotifiedAccounts::All,
            details: Some(EventDetails { dates: Some(dates) }),
            options: Vec::new(),
            evidence: evidence(&self.proof)?,
        })
    }
}
