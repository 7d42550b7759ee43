//! From the values of an instruction to what the node is told.

use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{NodeId, Text};
use sudare_disclosure::{AssetId, SignedTerms};
use sudare_ledger::custodian::{
    Instruction, Investor, Movement, Side, TradeInstruction, TradeKey, TradeView,
};
use sudare_ledger::leg::TradeInfo;
use sudare_ledger::messages::Reason;
use sudare_ledger::registrar::{
    Allotment, Instruction as RegistrarInstruction, IssueOrder, RedemptionKey,
};
use sudare_ledger::role::Role;

use super::node::{Node, Unanswered};
use super::standing::{Standing, State};
use super::{Flow, Request};
use crate::calendar::BusinessDate;
use crate::hops::{Hop, hops};
use crate::masters::{FieldError, Values};

/// How long a trade is tried, ms: a day.
const TRIED_MS: u64 = 24 * 3_600_000;
/// The longest window of a transaction that is asked for, ms.
const WINDOW_MS: u64 = 30_000;
const CUSTODIAN: &str = "must be the name of a custodian";

/// What a node is told, in canonical bytes, and how to find it there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Order(Told);

/// What the role of the node takes.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Told {
    Custodian(Instruction),
    Registrar(RegistrarInstruction),
}

/// What an instruction refers to.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The node.
    pub node: &'a dyn Node,
    /// The assets that it knows.
    pub assets: &'a [SignedTerms],
    /// The investor's pseudonym on the ledger; none if it is for no investor.
    pub investor: Option<&'a Investor>,
    /// ms since the Unix epoch.
    pub now: u64,
}

impl Order {
    /// The order of an instruction with these values.
    ///
    /// # Errors
    ///
    /// The fields that are wrong.
    pub fn of(
        flow: Flow,
        request: &Request,
        context: Context<'_>,
    ) -> Result<Self, Vec<FieldError>> {
        let Request { values, items } = request;
        let mut form = Filled { values, items, context, errors: Vec::new() };
        let told = match flow {
            Flow::Issue => form.issue().map(Told::Registrar),
            Flow::RedemptionPermission => form.permission().map(Told::Registrar),
            _ => form.instruction(flow).map(Told::Custodian),
        };
        match told {
            Some(told) if form.errors.is_empty() => Ok(Self(told)),
            _ => Err(form.errors),
        }
    }

    /// What the node takes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match &self.0 {
            Told::Custodian(instruction) => encode(instruction),
            Told::Registrar(instruction) => encode(instruction),
        }
    }

    /// Reads what [`Order::bytes`] has written of a kind.
    #[must_use]
    pub fn parse(flow: Flow, bytes: &[u8]) -> Option<Self> {
        Some(Self(match flow.taken_by() {
            Role::Registrar => Told::Registrar(decode(bytes, "an instruction").ok()?),
            _ => Told::Custodian(decode(bytes, "an instruction").ok()?),
        }))
    }

    /// The day on which it is to settle, if it has one.
    #[must_use]
    pub fn date(&self) -> Option<BusinessDate> {
        let info = match &self.0 {
            Told::Custodian(Instruction::Trade(trade)) => &trade.trade,
            Told::Registrar(RegistrarInstruction::Issue(order)) => &order.trade,
            _ => return None,
        };
        info.delivery_date.as_str().parse().ok()
    }

    /// The same for another day, until an instant of it, in ms since the Unix epoch. An issue waits for custodians for some
    /// minutes alone, so it needs no such instant.
    #[must_use]
    pub fn on(&self, date: BusinessDate, until: u64) -> Option<Self> {
        let day = Text::new(date.to_string()).ok()?;
        Some(Self(match &self.0 {
            Told::Custodian(Instruction::Trade(trade)) => {
                let mut trade = trade.clone();
                (trade.trade.delivery_date, trade.expires_at) = (day, until);
                Told::Custodian(Instruction::Trade(trade))
            }
            Told::Registrar(RegistrarInstruction::Issue(order)) => {
                let mut order = order.clone();
                order.trade.delivery_date = day;
                Told::Registrar(RegistrarInstruction::Issue(order))
            }
            _ => return None,
        }))
    }

    /// Whether the node takes it anew after it was refused. An issue's reference is used up.
    #[must_use]
    pub const fn can_go_again(&self) -> bool {
        matches!(self.0, Told::Custodian(_))
    }

    /// What may be instructed once until it is refused: a side of a trade, an issue, a redemption's permission. None for accounts.
    #[must_use]
    pub fn identity(&self) -> Option<String> {
        match &self.0 {
            Told::Custodian(_) => self.trade().map(|key| {
                format!("{} {} {}", key.trade_id, key.counterparty, u8::from(key.initiates))
            }),
            Told::Registrar(RegistrarInstruction::Issue(order)) => {
                Some(format!("issue {}", order.reference))
            }
            Told::Registrar(RegistrarInstruction::AllowRedemption {
                trade_id,
                asset,
                custodian,
                ..
            }) => Some(format!("redemption {trade_id} {custodian} {asset}")),
            Told::Registrar(_) => None,
        }
    }

    /// The side of a trade that it is, if it is one.
    #[must_use]
    pub fn side(&self) -> Option<&TradeInstruction> {
        match &self.0 {
            Told::Custodian(Instruction::Trade(trade)) => Some(trade),
            _ => None,
        }
    }

    /// The trade that it is one side of.
    fn trade(&self) -> Option<TradeKey> {
        self.side().map(|trade| TradeKey {
            trade_id: trade.trade.trade_id.clone(),
            counterparty: trade.counterparty,
            initiates: trade.side != Side::Counterparty,
        })
    }

    /// The redemption that it permits.
    fn redemption(&self) -> Option<RedemptionKey> {
        let Told::Registrar(RegistrarInstruction::AllowRedemption {
            trade_id,
            asset,
            custodian,
            ..
        }) = &self.0
        else {
            return None;
        };
        let (trade_id, asset, custodian) = (trade_id.clone(), *asset, *custodian);
        Some(RedemptionKey { asset, custodian, trade_id })
    }

    /// The instruction that cancels it; none if it opens an account.
    #[must_use]
    pub fn cancellation(&self) -> Option<Vec<u8>> {
        match &self.0 {
            Told::Custodian(_) => self.trade().map(|key| encode(&Instruction::Cancel(key))),
            Told::Registrar(RegistrarInstruction::Issue(order)) => {
                Some(encode(&RegistrarInstruction::CancelIssue(order.reference.clone())))
            }
            Told::Registrar(_) => {
                self.redemption().map(|key| encode(&RegistrarInstruction::WithdrawRedemption(key)))
            }
        }
    }

    /// Where it stands at the node, which has taken it.
    ///
    /// # Errors
    ///
    /// [`Unanswered`].
    pub async fn standing(&self, node: &dyn Node) -> Result<Standing, Unanswered> {
        let of_order = |found: Option<_>| {
            found.map_or(Standing::at(State::Matching), |order| Standing::of_order(&order, node))
        };
        match &self.0 {
            Told::Custodian(Instruction::AddAccount { asset, investor }) => {
                let state = node.account(*asset, investor.clone()).await?;
                Ok(state.map_or(Standing::at(State::Registering), Standing::of_account))
            }
            Told::Registrar(RegistrarInstruction::Issue(order)) => {
                Ok(of_order(node.issue(order.reference.clone()).await?))
            }
            _ => {
                if let Some(key) = self.redemption() {
                    return Ok(of_order(node.redemption(key).await?));
                }
                let key = self.trade().ok_or(Unanswered::Refused(Reason::NoMatch))?;
                let of_trade = |own| Standing::of_trade(&own, |id| node.name_of(id));
                let found = own_trade(node, &key).await?;
                Ok(found.map_or(Standing::at(State::Matching), of_trade))
            }
        }
    }

    /// Whose delay it was by the node's record; nothing before the node has it, none if it is no trade.
    ///
    /// # Errors
    ///
    /// [`Unanswered`].
    pub async fn hops(&self, node: &dyn Node, own: NodeId) -> Result<Option<Vec<Hop>>, Unanswered> {
        let Some(key) = self.trade() else { return Ok(None) };
        let Some(trade) = own_trade(node, &key).await? else { return Ok(Some(Vec::new())) };
        let records = node.records(key).await?;
        Ok(Some(hops(own, trade.begun, &records, trade.state.is_ended())))
    }
}

/// The side of a trade as its node knows it.
async fn own_trade(node: &dyn Node, key: &TradeKey) -> Result<Option<TradeView>, Unanswered> {
    let trades = node.trade(key.trade_id.clone()).await?;
    let mut own = trades.into_iter().filter(|trade| {
        trade.counterparty == key.counterparty
            && (trade.side != Side::Counterparty) == key.initiates
    });
    Ok(own.next())
}

/// Values with what is found wrong in them.
struct Filled<'a> {
    values: &'a Values,
    items: &'a [Values],
    context: Context<'a>,
    errors: Vec<FieldError>,
}

impl Filled<'_> {
    fn instruction(&mut self, flow: Flow) -> Option<Instruction> {
        match flow {
            Flow::Account => {
                let asset = self.asset("asset")?.terms.asset();
                Some(Instruction::AddAccount { asset, investor: self.context.investor?.clone() })
            }
            Flow::Transfer => self.trade(true, false),
            Flow::Receipt => self.trade(false, false),
            Flow::DeliveryVersusPayment => self.trade(self.value("side") == "deliver", true),
            Flow::Execution => {
                let (paid, how_much) = (self.has("payment_asset"), self.has("payment_quantity"));
                if paid != how_much {
                    self.wrong(
                        "payment_quantity",
                        "must be there with `payment_asset`, and only then",
                    );
                }
                // Dates in this form are ordered as texts.
                if self.value("delivery_date") < self.value("trade_date") {
                    self.wrong("delivery_date", "must not be before `trade_date`");
                }
                self.trade(self.value("side") == "sell", paid)
            }
            Flow::Redemption => self.redemption(),
            Flow::Issue | Flow::RedemptionPermission => None,
        }
    }

    fn issue(&mut self) -> Option<RegistrarInstruction> {
        let asset = self.asset("asset").map(|signed| signed.terms.asset());
        let reference = self.value("reference");
        let info = TradeInfo {
            trade_id: Text::new(reference).ok()?,
            delivery_date: Text::new(self.value("delivery_date")).ok()?,
            kind: Text::new("issue").ok()?,
            ..TradeInfo::default()
        };
        let mut allotments = Vec::with_capacity(self.items.len());
        for (number, item) in self.items.iter().enumerate() {
            let value = |field: &str| item.get(field).map_or("", String::as_str);
            let custodian = self.context.node.member(value("counterparty"));
            let custodian = custodian.filter(|(_, role)| *role == Role::Custodian);
            let quantity = value("quantity").parse().unwrap_or(0);
            let mut wrong = |field: &str, must: &str| {
                let pointer = format!("/allotments/{number}/{field}");
                self.errors.push(FieldError { pointer, detail: must.to_owned() });
            };
            if custodian.is_none() {
                wrong("counterparty", CUSTODIAN);
            }
            if quantity == 0 {
                wrong("quantity", "must not be 0");
            }
            if let (Some((custodian, _)), Ok(trade_id)) = (custodian, Text::new(value("trade_id")))
            {
                allotments.push(Allotment { trade_id, custodian, quantity });
            }
        }
        Some(RegistrarInstruction::Issue(Box::new(IssueOrder {
            reference: info.trade_id.clone(),
            asset: asset?,
            allotments: allotments.try_into().ok()?,
            trade: info,
        })))
    }

    fn permission(&mut self) -> Option<RegistrarInstruction> {
        let asset = self.asset("asset").map(|signed| signed.terms.asset());
        let quantity = self.value("quantity").parse().unwrap_or(0);
        if quantity == 0 {
            self.wrong("quantity", "must not be 0");
        }
        let custodian = self.context.node.member(self.value("counterparty"));
        let custodian = custodian.filter(|(_, role)| *role == Role::Custodian);
        if custodian.is_none() {
            self.wrong("counterparty", CUSTODIAN);
        }
        let trade_id = Text::new(self.value("trade_id")).ok()?;
        let (asset, (custodian, _)) = (asset?, custodian?);
        Some(RegistrarInstruction::AllowRedemption { trade_id, asset, custodian, quantity })
    }

    /// A side that delivers initiates; the other waits for its proposal.
    fn trade(&mut self, delivers: bool, paid: bool) -> Option<Instruction> {
        let units = self.movement("asset", "quantity");
        let payment =
            if paid { Some(self.movement("payment_asset", "payment_quantity")) } else { None };
        let counterparty = self.counterparty();
        let info = self.info("transfer");
        let payment = match payment {
            Some(payment) => Some(payment?),
            None => None,
        };
        let (units, counterparty) = (Some(units?), counterparty?);
        if payment.as_ref().map(|one| one.asset) == units.as_ref().map(|one| one.asset) {
            self.wrong("payment_asset", "must be another asset than `asset`");
        }
        let (side, deliver, receive) = match delivers {
            true => (Side::Initiator, units, payment),
            false => (Side::Counterparty, payment, units),
        };
        self.instructed(counterparty, side, (deliver, receive), info?)
    }

    fn redemption(&mut self) -> Option<Instruction> {
        let units = self.movement("asset", "quantity");
        let info = self.info("redemption");
        let registrar = self.asset("asset")?.terms.core.registrar;
        self.instructed(registrar, Side::Redeemer, (Some(units?), None), info?)
    }

    fn instructed(
        &self,
        counterparty: NodeId,
        side: Side,
        (deliver, receive): (Option<Movement>, Option<Movement>),
        trade: TradeInfo,
    ) -> Option<Instruction> {
        let moved = [&deliver, &receive].into_iter().flatten().map(|movement| movement.asset);
        let windows = moved.filter_map(|asset| self.window(asset));
        let window_ms = windows.min().unwrap_or(WINDOW_MS).min(WINDOW_MS);
        Some(Instruction::Trade(Box::new(TradeInstruction {
            counterparty,
            side,
            deliver,
            receive,
            trade,
            reference: Text::default(),
            expires_at: self.context.now.saturating_add(TRIED_MS),
            slot_ms: TRIED_MS,
            window_ms,
        })))
    }

    fn info(&mut self, kind: &str) -> Option<TradeInfo> {
        let trade_id = Text::new(self.value("trade_id")).ok();
        if trade_id.is_none() {
            self.wrong("trade_id", "must be at most 35 characters");
        }
        Some(TradeInfo {
            trade_id: trade_id?,
            delivery_date: Text::new(self.value("delivery_date")).ok()?,
            kind: Text::new(kind).ok()?,
            cancels: None,
            note: Text::default(),
        })
    }

    fn movement(&mut self, asset: &'static str, quantity: &'static str) -> Option<Movement> {
        let found = self.asset(asset).map(|signed| signed.terms.asset());
        let units = self.value(quantity).parse().unwrap_or(0);
        if units == 0 {
            self.wrong(quantity, "must not be 0");
        }
        let investor = self.context.investor?.clone();
        Some(Movement { asset: found?, investor, quantity: units })
    }

    fn counterparty(&mut self) -> Option<NodeId> {
        let of_asset = self.asset("asset").map(|signed| signed.terms.core.registrar);
        let member = self.context.node.member(self.value("counterparty"));
        let member = member.filter(|(id, role)| *role == Role::Custodian || Some(*id) == of_asset);
        if member.is_none() {
            self.wrong(
                "counterparty",
                "must be the name of a custodian, or of the asset's registrar",
            );
        }
        member.map(|(id, _)| id)
    }

    fn asset(&mut self, field: &'static str) -> Option<&SignedTerms> {
        let code = self.value(field);
        let assets = self.context.assets;
        let found = assets.iter().find(|signed| signed.terms.core.code.as_str() == code);
        if found.is_none() {
            self.wrong(field, "must be the code of an asset that the node knows");
        }
        found
    }

    fn window(&self, asset: AssetId) -> Option<u64> {
        let found = self.context.assets.iter().find(|signed| signed.terms.asset() == asset);
        found.map(|signed| signed.terms.core.window_max_ms)
    }

    fn has(&self, field: &str) -> bool {
        self.values.contains_key(field)
    }

    fn value(&self, field: &str) -> &str {
        self.values.get(field).map_or("", String::as_str)
    }

    /// Each field once.
    fn wrong(&mut self, field: &'static str, must: &'static str) {
        let error = FieldError::new(field, must);
        if !self.errors.contains(&error) {
            self.errors.push(error);
        }
    }
}
