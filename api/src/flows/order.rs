//! From the values of an instruction to what the node is told.

use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{NodeId, Text};
use sudare_disclosure::{AssetId, SignedTerms};
use sudare_ledger::custodian::{Instruction, Investor, Movement, Side, TradeInstruction, TradeKey};
use sudare_ledger::leg::TradeInfo;
use sudare_ledger::messages::Reason;
use sudare_ledger::role::Role;

use super::Flow;
use super::node::{Node, Unanswered};
use super::standing::{Standing, State};
use crate::calendar::BusinessDate;
use crate::masters::{FieldError, Values};

/// How long a trade is tried, ms: a day.
const TRIED_MS: u64 = 24 * 3_600_000;
/// The longest window of a transaction that is asked for, ms.
const WINDOW_MS: u64 = 30_000;

/// What a node is told, in canonical bytes, and how to find it there.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Order(Instruction);

/// What an instruction refers to.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The node.
    pub node: &'a dyn Node,
    /// The assets that it knows.
    pub assets: &'a [SignedTerms],
    /// The investor's pseudonym on the ledger.
    pub investor: &'a Investor,
    /// ms since the Unix epoch.
    pub now: u64,
}

impl Order {
    /// The order of an instruction with these values.
    ///
    /// # Errors
    ///
    /// The fields that are wrong.
    pub fn of(flow: Flow, values: &Values, context: Context<'_>) -> Result<Self, Vec<FieldError>> {
        let mut form = Filled { values, context, errors: Vec::new() };
        let instruction = form.instruction(flow);
        match instruction {
            Some(instruction) if form.errors.is_empty() => Ok(Self(instruction)),
            _ => Err(form.errors),
        }
    }

    /// What the node takes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        encode(&self.0)
    }

    /// Reads what [`Order::bytes`] has written.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        decode(bytes, "an instruction").ok().map(Self)
    }

    /// The day on which it is to settle, if it has one.
    #[must_use]
    pub fn date(&self) -> Option<BusinessDate> {
        let Instruction::Trade(trade) = &self.0 else { return None };
        trade.trade.delivery_date.as_str().parse().ok()
    }

    /// The same for another day, until an instant of it, in ms since the Unix epoch.
    #[must_use]
    pub fn on(&self, date: BusinessDate, until: u64) -> Option<Self> {
        let Instruction::Trade(trade) = &self.0 else { return None };
        let mut trade = trade.clone();
        trade.trade.delivery_date = Text::new(date.to_string()).ok()?;
        trade.expires_at = until;
        Some(Self(Instruction::Trade(trade)))
    }

    /// The trade that it is one side of.
    #[must_use]
    pub fn trade(&self) -> Option<TradeKey> {
        let Instruction::Trade(trade) = &self.0 else { return None };
        Some(TradeKey {
            trade_id: trade.trade.trade_id.clone(),
            counterparty: trade.counterparty,
            initiates: trade.side != Side::Counterparty,
        })
    }

    /// The instruction that cancels it; none if it is no trade.
    #[must_use]
    pub fn cancellation(&self) -> Option<Vec<u8>> {
        self.trade().map(|key| encode(&Instruction::Cancel(key)))
    }

    /// Where it stands at the node, which has taken it.
    ///
    /// # Errors
    ///
    /// [`Unanswered`].
    pub async fn standing(&self, node: &dyn Node) -> Result<Standing, Unanswered> {
        match &self.0 {
            Instruction::AddAccount { asset, investor } => {
                let state = node.account(*asset, investor.clone()).await?;
                Ok(state.map_or(Standing::at(State::Registering), Standing::of_account))
            }
            _ => {
                let key = self.trade().ok_or(Unanswered::Refused(Reason::NoMatch))?;
                let trades = node.trade(key.trade_id.clone()).await?;
                let own = trades.iter().find(|trade| {
                    trade.counterparty == key.counterparty
                        && (trade.side != Side::Counterparty) == key.initiates
                });
                Ok(own.map_or(Standing::at(State::Matching), |own| Standing::of_trade(own, node)))
            }
        }
    }
}

/// Values with what is found wrong in them.
struct Filled<'a> {
    values: &'a Values,
    context: Context<'a>,
    errors: Vec<FieldError>,
}

impl Filled<'_> {
    fn instruction(&mut self, flow: Flow) -> Option<Instruction> {
        match flow {
            Flow::Account => {
                let asset = self.asset("asset")?.terms.asset();
                Some(Instruction::AddAccount { asset, investor: self.context.investor.clone() })
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
        }
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
        let investor = self.context.investor.clone();
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
