//! What partners instruct: the kinds of instructions, who may give which, what becomes of them on the ledger (specs/api.md).

mod carry;
mod market;
mod node;
mod order;
mod standing;
mod webhooks;

use std::fmt;

use sudare_ledger::role::Role as NodeRole;

pub(crate) use self::carry::ms;
pub use self::market::{CutOffError, Market, MarketConfig, today};
pub use self::node::{Asking, Node, Unanswered};
pub use self::order::{Context, Order};
pub use self::standing::{Standing, State};
pub use self::webhooks::{Dial, Dialling, Range, SECRET, Stream, may_reach, signature};
use crate::access::{Client, Reach, Role, Scope};
use crate::masters::{Field, Form, Kind};

/// A kind of instruction.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Flow {
    /// Opens an investor's account in an asset's register.
    Account,
    /// Delivers units free of payment.
    Transfer,
    /// Receives units free of payment, or of an issue.
    Receipt,
    /// One side of a delivery versus payment.
    DeliveryVersusPayment,
    /// A trade that was executed elsewhere, as one side of it reports it: it delivers or receives what was traded.
    Execution,
    /// Gives units back to the issuer.
    Redemption,
}

impl Flow {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Account,
        Self::Transfer,
        Self::Receipt,
        Self::DeliveryVersusPayment,
        Self::Execution,
        Self::Redemption,
    ];

    /// Its segment of a path, by which it is also known in the database.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Account => "accounts",
            Self::Transfer => "transfers",
            Self::Receipt => "receipts",
            Self::DeliveryVersusPayment => "deliveries-versus-payment",
            Self::Execution => "executions",
            Self::Redemption => "redemptions",
        }
    }

    /// Its name in the documentation, and of its schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Account => "AccountInstruction",
            Self::Transfer => "TransferInstruction",
            Self::Receipt => "ReceiptInstruction",
            Self::DeliveryVersusPayment => "DeliveryVersusPaymentInstruction",
            Self::Execution => "ExecutionNotice",
            Self::Redemption => "RedemptionInstruction",
        }
    }

    /// What it does, for the documentation.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Account => "Open an investor's account in an asset's register.",
            Self::Transfer => "Deliver units free of payment.",
            Self::Receipt => "Receive units free of payment, or of an issue.",
            Self::DeliveryVersusPayment => "Deliver against payment, or pay against delivery.",
            Self::Execution => "Report a trade that was executed, and settle it.",
            Self::Redemption => "Give units back to the issuer.",
        }
    }

    /// The kind with this segment of a path.
    #[must_use]
    pub fn named(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|flow| flow.path() == path)
    }

    /// Its fields, in order.
    pub fn fields(self) -> impl Iterator<Item = &'static Field> {
        let groups: &[&'static [Field]] = match self {
            Self::Account => &[INVESTOR],
            Self::Transfer | Self::Receipt => &[TRADE, INVESTOR, UNITS, COUNTERPARTY],
            Self::DeliveryVersusPayment => {
                &[TRADE, DELIVERS, INVESTOR, UNITS, PAYMENT, COUNTERPARTY]
            }
            Self::Execution => {
                &[TRADE, SELLS, EXECUTED, INVESTOR, UNITS, MAYBE_PAYMENT, COUNTERPARTY]
            }
            Self::Redemption => &[TRADE, INVESTOR, UNITS],
        };
        groups.iter().copied().flatten()
    }

    /// Whether it settles on a day.
    #[must_use]
    pub fn is_dated(self) -> bool {
        self.fields().any(|field| field.name == "delivery_date")
    }

    /// The role of the nodes that take it.
    #[must_use]
    pub const fn taken_by(self) -> NodeRole {
        match self {
            Self::Account
            | Self::Transfer
            | Self::Receipt
            | Self::DeliveryVersusPayment
            | Self::Execution
            | Self::Redemption => NodeRole::Custodian,
        }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path())
    }
}

const TRADE: &[Field] = &[
    Field::needs("trade_id", Form::Code(35), "the trade's id, the same on both sides"),
    Field::needs("delivery_date", Form::Date, "when it is to settle, the same on both sides"),
];

const DELIVERS: &[Field] = &[Field::needs(
    "side",
    Form::Choice(&["deliver", "receive"]),
    "whether the investor delivers the units or receives them",
)];

const SELLS: &[Field] = &[Field::needs(
    "side",
    Form::Choice(&["sell", "buy"]),
    "whether the investor sells the units or buys them",
)];

const EXECUTED: &[Field] = &[Field::needs("trade_date", Form::Date, "when it was executed")];

const INVESTOR: &[Field] = &[
    Field::needs("investor_id", Form::Reference(Kind::Investor), "the investor"),
    Field::needs("asset", Form::Code(12), "the asset's code: an ISIN, or a ticker of cash"),
];

const UNITS: &[Field] = &[Field::needs("quantity", Form::Quantity, "atomic units, not 0")];

const PAYMENT: &[Field] = &[
    Field::needs("payment_asset", Form::Code(12), "the code of what is paid with"),
    Field::needs("payment_quantity", Form::Quantity, "how much is paid, in atomic units, not 0"),
];

const MAYBE_PAYMENT: &[Field] = &[
    Field::may("payment_asset", Form::Code(12), "the code of what is paid with; free if absent"),
    Field::may("payment_quantity", Form::Quantity, "how much is paid, in atomic units, not 0"),
];

const COUNTERPARTY: &[Field] = &[Field::needs(
    "counterparty",
    Form::Code(64),
    "the other side's node by its name in the membership list; the registrar for what an issue brings",
)];

/// [AUT-2]: for whose investors a role may give a kind of instruction, and what became of them read or cancelled.
#[must_use]
pub const fn scope(role: Role, flow: Flow) -> Scope {
    match (role, flow.taken_by()) {
        (Role::Custodian | Role::DirectBroker, NodeRole::Custodian) => Scope::House,
        (Role::EntrustingBroker | Role::Intermediary, NodeRole::Custodian) => Scope::Own,
        _ => Scope::Nothing,
    }
}

/// The matrix as a table in Markdown: a row a kind, a column a role.
#[must_use]
pub fn matrix() -> String {
    let header: Vec<String> = Role::ALL.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "| instructions | {} |\n|---|{}\n",
        header.join(" | "),
        "---|".repeat(header.len())
    );
    for flow in Flow::ALL {
        let cells = Role::ALL.map(|role| scope(role, flow).to_string());
        text.push_str(&format!("| {flow} | {} |\n", cells.join(" | ")));
    }
    text
}

/// Whose instructions of a kind a client may give, read and cancel at the node of the institution `house`.
#[must_use]
pub fn reach(client: &Client, flow: Flow, house: &str) -> Reach {
    match scope(client.role, flow) {
        Scope::House if client.institution == house => Reach::All,
        Scope::House | Scope::Own => Reach::Owner(client.institution.clone()),
        Scope::Assets | Scope::Nothing => Reach::Nothing,
    }
}

/// Whose instructions of any kind: the widest of [`reach`]. All kinds of a role have one scope.
#[must_use]
pub fn widest(client: &Client, house: &str) -> Reach {
    let all = Flow::ALL.into_iter().map(|flow| reach(client, flow, house));
    all.into_iter().find(|reach| *reach != Reach::Nothing).unwrap_or(Reach::Nothing)
}
