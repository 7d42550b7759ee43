//! Where an instruction stands.

use serde::{Deserialize, Serialize};
use sudare_crypto::NodeId;
use sudare_ledger::custodian::{AccountState, TradeState, TradeView};
use sudare_ledger::messages::Reason;
use sudare_ledger::registrar::{OrderStage, OrderView};

use super::node::Node;

/// The states of instructions: those of trades on the ledger, and what comes before.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Kept here, not yet given to the node.
    Received,
    /// Waits for its delivery date, or for the market to open.
    Scheduled,
    /// Came after its day's cut-off, or was not settled by it: waits for the next business day.
    CarriedOver,
    /// An account waits for its registrar.
    Registering,
    /// Waits for the counterparty's matching instruction; a registrar's order for the custodians that it names.
    Matching,
    /// Waits for units that other trades will give back.
    Queued,
    /// Its leg is being built and proved.
    Building,
    /// Waits for the other side to assemble or finish the transaction.
    Accepted,
    /// Waits for its registrar's approval.
    Approving,
    /// Waits for the other side's approval, output or commit.
    Committing,
    /// Waits for the notary.
    Notarising,
    /// Waits for the registrar to append it to the register's log.
    Finalising,
    /// Given up; locks end once the notary says that the transaction is absent.
    Releasing,
    /// Final.
    Settled,
    /// The account is in the register.
    Registered,
    /// Refused; nothing was moved.
    Refused,
}

impl State {
    /// All states.
    pub const ALL: [Self; 16] = [
        Self::Received,
        Self::Scheduled,
        Self::CarriedOver,
        Self::Registering,
        Self::Matching,
        Self::Queued,
        Self::Building,
        Self::Accepted,
        Self::Approving,
        Self::Committing,
        Self::Notarising,
        Self::Finalising,
        Self::Releasing,
        Self::Settled,
        Self::Registered,
        Self::Refused,
    ];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Scheduled => "scheduled",
            Self::CarriedOver => "carried-over",
            Self::Registering => "registering",
            Self::Matching => "matching",
            Self::Queued => "queued",
            Self::Building => "building",
            Self::Accepted => "accepted",
            Self::Approving => "approving",
            Self::Committing => "committing",
            Self::Notarising => "notarising",
            Self::Finalising => "finalising",
            Self::Releasing => "releasing",
            Self::Settled => "settled",
            Self::Registered => "registered",
            Self::Refused => "refused",
        }
    }

    /// The state of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more is going to happen.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        matches!(self, Self::Settled | Self::Registered | Self::Refused)
    }

    /// Whether the node has the instruction.
    #[must_use]
    pub const fn is_at_node(self) -> bool {
        !matches!(self, Self::Received | Self::Scheduled | Self::CarriedOver)
    }

    /// How many steps are done, and of how many; none where the way leads back.
    #[must_use]
    pub const fn progress(self) -> Option<(u8, u8)> {
        match self {
            Self::Received | Self::Scheduled | Self::CarriedOver => Some((0, 7)),
            Self::Registering => Some((1, 2)),
            Self::Registered => Some((2, 2)),
            Self::Matching => Some((1, 7)),
            Self::Queued | Self::Building | Self::Accepted => Some((2, 7)),
            Self::Approving => Some((3, 7)),
            Self::Committing => Some((4, 7)),
            Self::Notarising => Some((5, 7)),
            Self::Finalising => Some((6, 7)),
            Self::Settled => Some((7, 7)),
            Self::Releasing | Self::Refused => None,
        }
    }
}

impl From<TradeState> for State {
    fn from(state: TradeState) -> Self {
        match state {
            TradeState::Matching => Self::Matching,
            TradeState::Queued => Self::Queued,
            TradeState::Building => Self::Building,
            TradeState::Accepted => Self::Accepted,
            TradeState::Approving => Self::Approving,
            TradeState::Committing => Self::Committing,
            TradeState::Notarising => Self::Notarising,
            TradeState::Finalising => Self::Finalising,
            TradeState::Settled => Self::Settled,
            TradeState::Releasing => Self::Releasing,
            TradeState::Refused => Self::Refused,
        }
    }
}

/// Where an instruction stands, and what is known of it there. Times are ms since the Unix epoch.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Standing {
    /// The state.
    pub state: State,
    /// Since when by the node's clock; else by when it was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// When it is to settle, if there is a market: that asked for, or a later one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery_date: Option<String>,
    /// How often it was carried over to a later day.
    #[serde(default)]
    pub carried_over: u32,
    /// Whom it waits for, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<String>,
    /// The stable code of why it was refused or is being given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// That reason in words, with the next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// The transaction on the ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// When the notary recorded it: from then on it is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notarised_ms: Option<u64>,
    /// When this side asked for it to be cancelled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_requested_ms: Option<u64>,
    /// When the other side asked for it to be cancelled: it is, once this side asks too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterparty_cancel_requested_ms: Option<u64>,
}

impl Standing {
    /// In a state of which no more is known.
    #[must_use]
    pub const fn at(state: State) -> Self {
        Self {
            state,
            since_ms: None,
            delivery_date: None,
            carried_over: 0,
            waiting_for: None,
            reason: None,
            explanation: None,
            transaction: None,
            notarised_ms: None,
            cancel_requested_ms: None,
            counterparty_cancel_requested_ms: None,
        }
    }

    /// Refused for a reason of the ledger's.
    #[must_use]
    pub fn refused(reason: Reason) -> Self {
        Self::at(State::Refused).because(Some(reason))
    }

    /// Of an account.
    #[must_use]
    pub fn of_account(state: AccountState) -> Self {
        match state {
            AccountState::Pending => Self::at(State::Registering),
            AccountState::Registered => Self::at(State::Registered),
            AccountState::Refused(reason) => Self::refused(reason),
        }
    }

    /// Of a trade.
    #[must_use]
    pub fn of_trade(trade: &TradeView, name_of: impl Fn(&NodeId) -> String) -> Self {
        let standing = Self {
            since_ms: Some(trade.since),
            waiting_for: trade.waiting.as_ref().map(name_of),
            transaction: trade.tx.map(|tx| tx.to_string()),
            notarised_ms: trade.notarised,
            cancel_requested_ms: trade.cancellation.own,
            counterparty_cancel_requested_ms: trade.cancellation.theirs,
            ..Self::at(trade.state.into())
        };
        standing.because(trade.reason)
    }

    /// Of an order of a registrar.
    #[must_use]
    pub fn of_order(order: &OrderView, node: &dyn Node) -> Self {
        let (state, reason) = match order.stage {
            OrderStage::Waiting => (State::Matching, None),
            OrderStage::Building => (State::Building, None),
            OrderStage::Approved => (State::Committing, None),
            OrderStage::Notarising => (State::Notarising, None),
            OrderStage::Final => (State::Settled, None),
            OrderStage::Failed(reason) => (State::Refused, Some(reason)),
        };
        let standing = Self {
            since_ms: Some(order.since),
            waiting_for: order.waiting.as_ref().map(|id| node.name_of(id)),
            transaction: order.tx.map(|tx| tx.to_string()),
            notarised_ms: order.notarised,
            cancel_requested_ms: order.cancel_requested,
            counterparty_cancel_requested_ms: order.custodian_cancel_requested,
            ..Self::at(state)
        };
        standing.because(reason)
    }

    fn because(self, reason: Option<Reason>) -> Self {
        Self {
            reason: reason.map(Reason::code),
            explanation: reason.map(|reason| reason.to_string()),
            ..self
        }
    }
}
