//! What partners instruct: the kinds of instructions, who may give which, what becomes of them on the ledger (specs/api.md).

mod cancelling;
mod carry;
mod market;
mod message;
mod node;
mod order;
mod outgoing;
mod record_dates;
mod request;
mod standing;
mod statuses;
mod webhooks;

use std::fmt;

use sudare_ledger::registrar::ALLOTMENTS_MAX;
use sudare_ledger::role::Role as NodeRole;

pub use self::cancelling::Cancelling;
pub(crate) use self::carry::ms;
pub(crate) use self::market::end_of;
pub use self::market::{CutOffError, Market, MarketConfig, today};
pub use self::message::Incoming;
pub use self::node::{Asking, Erasing, Holding, Node, Unanswered};
pub use self::order::{Context, Order};
pub use self::outgoing::{Outgoing, Saying, Units};
pub(crate) use self::record_dates::adjusted;
pub use self::request::{List, Request};
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
    /// Registrar: makes units and issues them to custodians.
    Issue,
    /// Registrar: lets a custodian give units back, once.
    RedemptionPermission,
}

impl Flow {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Account,
        Self::Transfer,
        Self::Receipt,
        Self::DeliveryVersusPayment,
        Self::Execution,
        Self::Redemption,
        Self::Issue,
        Self::RedemptionPermission,
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
            Self::Issue => "issues",
            Self::RedemptionPermission => "redemption-permissions",
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
            Self::Issue => "IssueInstruction",
            Self::RedemptionPermission => "RedemptionPermission",
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
            Self::Issue => "Make units and issue them, all in one transaction or none.",
            Self::RedemptionPermission => "Let a custodian give units back, once.",
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
            Self::Transfer | Self::Receipt => &[TRADE, INVESTOR, UNITS, COUNTERPARTY, REFERENCE],
            Self::DeliveryVersusPayment => {
                &[TRADE, DELIVERS, INVESTOR, UNITS, PAYMENT, COUNTERPARTY, REFERENCE]
            }
            Self::Execution => {
                &[TRADE, SELLS, EXECUTED, INVESTOR, UNITS, MAYBE_PAYMENT, COUNTERPARTY, REFERENCE]
            }
            Self::Redemption => &[TRADE, INVESTOR, UNITS, REFERENCE],
            Self::Issue => &[ISSUE, ASSET],
            Self::RedemptionPermission => &[PERMITTED, ASSET, UNITS, REDEEMER],
        };
        groups.iter().copied().flatten()
    }

    /// The list that it has besides its fields, if it has one.
    #[must_use]
    pub const fn list(self) -> Option<List> {
        match self {
            Self::Issue => Some(List {
                name: "allotments",
                fields: ALLOTMENT,
                max: ALLOTMENTS_MAX,
                about: "who gets how much",
            }),
            _ => None,
        }
    }

    /// Whether it is for an investor.
    #[must_use]
    pub fn has_investor(self) -> bool {
        self.fields().any(|field| field.name == "investor_id")
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
            Self::Issue | Self::RedemptionPermission => NodeRole::Registrar,
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

const REFERENCE: &[Field] = &[Field::may(
    "own_reference",
    Form::Code(35),
    "the institution's own reference; it stays in this database",
)];

const INVESTOR: &[Field] =
    &[Field::needs("investor_id", Form::Reference(Kind::Investor), "the investor"), OF_ASSET];

const ASSET: &[Field] = &[OF_ASSET];

const OF_ASSET: Field =
    Field::needs("asset", Form::Code(12), "the asset's code: an ISIN, or a ticker of cash");

const ISSUE: &[Field] = &[
    Field::needs("reference", Form::Code(35), "the issue's id: another one for each issue"),
    Field::needs("delivery_date", Form::Date, "when it is to settle, as the receivers have it"),
];

const ALLOTMENT: &[Field] = &[
    Field::needs("trade_id", Form::Code(35), "the trade's id, as the custodian was instructed"),
    Field::needs(
        "counterparty",
        Form::Code(64),
        "the custodian's node by its name in the membership list",
    ),
    Field::needs("quantity", Form::Quantity, "atomic units, not 0"),
];

const PERMITTED: &[Field] = &[Field::needs(
    "trade_id",
    Form::Code(35),
    "the redemption's id, as the custodian was instructed",
)];

const REDEEMER: &[Field] = &[Field::needs(
    "counterparty",
    Form::Code(64),
    "the custodian's node by its name in the membership list",
)];

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
        (Role::Registrar, NodeRole::Registrar) => Scope::House,
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
        Scope::House | Scope::Own if flow.has_investor() => {
            Reach::Owner(client.institution.clone())
        }
        // What is for no investor is the house's alone.
        _ => Reach::Nothing,
    }
}

/// Whose instructions of any kind that a node of a role takes. All kinds that it takes have one scope for a role of a client.
#[must_use]
pub fn widest(client: &Client, house: &str, node: Option<NodeRole>) -> Reach {
    let taken =
        Flow::ALL.into_iter().filter(|flow| node.is_none_or(|role| flow.taken_by() == role));
    let mut reaches = taken.map(|flow| reach(client, flow, house));
    reaches.find(|reach| *reach != Reach::Nothing).unwrap_or(Reach::Nothing)
}
