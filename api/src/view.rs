//! JSON views. Quantities are strings of digits in atomic units; times are ms since the Unix epoch.

use serde::Serialize;
use sudare_crypto::NodeId;
use sudare_disclosure::{AssetId, SignedTerms};
use sudare_ledger::custodian::{self, AccountState};

/// Turns ids into the names that people know.
pub trait Names {
    /// The name of a node.
    fn node(&self, id: &NodeId) -> String;
    /// The code of an asset.
    fn asset(&self, id: &AssetId) -> String;
}

/// An asset.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Asset {
    /// ISIN or ticker.
    pub code: String,
    /// The asset's identity.
    pub id: String,
    /// Name.
    pub name: String,
    /// Unit.
    pub unit: String,
    /// Decimals of the unit.
    pub decimals: u8,
    /// The registrar's name.
    pub registrar: String,
    /// The notary's name.
    pub notary: String,
    /// The version of the terms.
    pub terms: u32,
    /// Who reads what in the newest epoch, as `label: fields`.
    pub disclosure: Vec<String>,
}

impl Asset {
    /// The view of an asset's terms.
    #[must_use]
    pub fn of(signed: &SignedTerms, names: &impl Names) -> Self {
        let (terms, core) = (&signed.terms, &signed.terms.core);
        let keys = terms.policy.epochs.last().map(|epoch| epoch.keys.iter());
        Self {
            code: core.code.to_string(),
            id: terms.asset().to_string(),
            name: core.name.to_string(),
            unit: core.unit.to_string(),
            decimals: core.decimals,
            registrar: names.node(&core.registrar),
            notary: names.node(&core.notary),
            terms: terms.number,
            disclosure: keys
                .into_iter()
                .flatten()
                .map(|key| match key.retirement() {
                    None => format!("{}: {}", key.label, key.fields),
                    Some(how) => format!("{}: nothing any more ({how})", key.made_for()),
                })
                .collect(),
        }
    }
}

/// An account with what it has.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Account {
    /// ISIN or ticker.
    pub asset: String,
    /// The investor's pseudonym.
    pub investor: String,
    /// `pending`, `registered`, or `refused: reason`.
    pub state: String,
    /// All units held.
    pub quantity: String,
    /// Units that no trade has locked.
    pub live: String,
    /// In how many live notes.
    pub notes: u64,
}

impl Account {
    /// The view of an account.
    #[must_use]
    pub fn of(account: &custodian::AccountView, names: &impl Names) -> Self {
        Self {
            asset: names.asset(&account.asset),
            investor: account.investor.to_string(),
            state: match account.state {
                AccountState::Pending => "pending".into(),
                AccountState::Registered => "registered".into(),
                AccountState::Refused(reason) => format!("refused: {}", reason.code()),
            },
            quantity: account.balance.live.saturating_add(account.balance.locked).to_string(),
            live: account.balance.live.to_string(),
            notes: account.balance.notes,
        }
    }
}

/// A quantity of an asset.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Quantity {
    /// ISIN or ticker.
    pub asset: String,
    /// Atomic units.
    pub quantity: String,
}

/// A trade: its state, whom it waits for and since when.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Trade {
    /// 取引ID.
    pub trade_id: String,
    /// The other side's name.
    pub counterparty: String,
    /// What leaves.
    pub deliver: Option<Quantity>,
    /// What comes.
    pub receive: Option<Quantity>,
    /// Where it stands.
    pub state: String,
    /// Since when.
    pub since_ms: u64,
    /// Whom it waits for.
    pub waiting_for: Option<String>,
    /// The stable code of why it was refused.
    pub reason: Option<String>,
    /// That reason in words, with the next step.
    pub explanation: Option<String>,
    /// The transaction.
    pub tx: Option<String>,
    /// When its window ends.
    pub window_until_ms: Option<u64>,
    /// When it was instructed.
    pub begun_ms: u64,
    /// When the notary recorded it: from then on it is final.
    pub notarised_ms: Option<u64>,
    /// 受渡日.
    pub delivery_date: String,
    /// When this side asked for it to be cancelled.
    pub cancel_requested_ms: Option<u64>,
    /// When the other side asked for it to be cancelled: it is, once this side asks too.
    pub counterparty_cancel_requested_ms: Option<u64>,
}

impl Trade {
    /// The view of a trade.
    #[must_use]
    pub fn of(trade: &custodian::TradeView, names: &impl Names) -> Self {
        let quantity = |(asset, quantity): (AssetId, u64)| Quantity {
            asset: names.asset(&asset),
            quantity: quantity.to_string(),
        };
        Self {
            trade_id: trade.trade_id.to_string(),
            counterparty: names.node(&trade.counterparty),
            deliver: trade.deliver.map(quantity),
            receive: trade.receive.map(quantity),
            state: trade.state.to_string(),
            since_ms: trade.since,
            waiting_for: trade.waiting.as_ref().map(|id| names.node(id)),
            reason: trade.reason.map(|reason| reason.code()),
            explanation: trade.reason.map(|reason| reason.to_string()),
            tx: trade.tx.map(|tx| tx.to_string()),
            window_until_ms: trade.until,
            begun_ms: trade.begun,
            notarised_ms: trade.notarised,
            delivery_date: trade.delivery_date.to_string(),
            cancel_requested_ms: trade.cancellation.own,
            counterparty_cancel_requested_ms: trade.cancellation.theirs,
        }
    }
}

/// A message of a trade: who got it, and what of the trade it could read there.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Seen {
    /// When, as this node's clock has it.
    pub at_ms: u64,
    /// The node that got it.
    pub reader: String,
    /// The node that sent it.
    pub from: String,
    /// Its length.
    pub bytes: u64,
    /// What of the trade stands in it for this reader.
    pub could_read: String,
}

/// A row of a register.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct RegisterRow {
    /// The account's public key.
    pub account: String,
    /// The investor's pseudonym.
    pub investor: String,
    /// The custodian's name.
    pub custodian: String,
    /// Atomic units.
    pub quantity: String,
    /// In how many notes.
    pub notes: u64,
    /// Whether it is frozen.
    pub frozen: bool,
}

/// A register snapshot.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SnapshotRow {
    /// Which of the asset, from 0.
    pub number: u32,
    /// Its index in the asset's log.
    pub entry: u64,
    /// When it was taken.
    pub at_ms: u64,
    /// How many leaves it has, padding included.
    pub leaves: u32,
    /// What all accounts hold together, atomic units.
    pub supply: String,
    /// The root over them.
    pub root: String,
}
