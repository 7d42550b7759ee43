//! What the operator reads of a custodian's state.

use sudare_crypto::{Encoded, NodeId, Text};
use sudare_disclosure::{AssetId, SignedTerms};

use borsh::{BorshDeserialize, BorshSerialize};

use super::cancel::Cancellation;
use super::trade::{Side, Trade, TradeKey, TradeState};
use super::{
    ACCOUNTS, ASSETS, AccountState, BALANCES, Balance, Custodian, Investor, SLOTS, TRADES,
};
use crate::kv::{Kv, StorageError};
use crate::messages::{Reason, TradeId};
use crate::transaction::TxId;

/// An account.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct AccountView {
    /// The asset.
    pub asset: AssetId,
    /// The investor.
    pub investor: Investor,
    /// Where it stands.
    pub state: AccountState,
    /// What it has.
    pub balance: Balance,
}

/// An account's quantity of an asset.
pub type HoldingView = AccountView;

/// A trade as its operator asks about it: state, whom it waits for and since when.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct TradeView {
    /// 取引ID.
    pub trade_id: TradeId,
    /// The other side.
    pub counterparty: NodeId,
    /// Which side this is.
    pub side: Side,
    /// What leaves: asset and atomic units.
    pub deliver: Option<(AssetId, u64)>,
    /// From whose account.
    pub deliver_from: Option<Investor>,
    /// What comes: asset and atomic units.
    pub receive: Option<(AssetId, u64)>,
    /// To whose account.
    pub receive_to: Option<Investor>,
    /// Where it stands.
    pub state: TradeState,
    /// Since when, ms.
    pub since: u64,
    /// When it was instructed, ms.
    pub begun: u64,
    /// Whom it waits for.
    pub waiting: Option<NodeId>,
    /// Why it was refused.
    pub reason: Option<Reason>,
    /// The transaction.
    pub tx: Option<TxId>,
    /// When its window ends, ms.
    pub until: Option<u64>,
    /// When the notary recorded it, ms.
    pub notarised: Option<u64>,
    /// 受渡日.
    pub delivery_date: Text<10>,
    /// Who wants it cancelled.
    pub cancellation: Cancellation,
}

impl TradeView {
    fn of(trade: &Trade) -> Self {
        let instruction = &trade.instruction;
        Self {
            trade_id: instruction.trade.trade_id.clone(),
            counterparty: instruction.counterparty,
            side: instruction.side,
            deliver: instruction
                .deliver
                .as_ref()
                .map(|movement| (movement.asset, movement.quantity)),
            deliver_from: instruction.deliver.as_ref().map(|movement| movement.investor.clone()),
            receive: instruction
                .receive
                .as_ref()
                .map(|movement| (movement.asset, movement.quantity)),
            receive_to: instruction.receive.as_ref().map(|movement| movement.investor.clone()),
            state: trade.state,
            since: trade.since,
            begun: trade.begun,
            waiting: trade.waiting,
            reason: trade.reason,
            tx: trade.tx(),
            until: trade.transaction.as_ref().map(|transaction| transaction.window.until),
            notarised: trade.receipt.map(|receipt| receipt.entry.time),
            delivery_date: instruction.trade.delivery_date.clone(),
            cancellation: trade.cancellation,
        }
    }
}

impl Custodian {
    /// The terms of all assets this custodian knows, at most `limit` after `after`.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn assets(
        kv: &dyn Kv,
        after: Option<&AssetId>,
        limit: usize,
    ) -> Result<Vec<(AssetId, SignedTerms)>, StorageError> {
        ASSETS.rows(kv, after, limit)
    }

    /// Accounts with their balances, at most `limit` after `after`.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn accounts(
        kv: &dyn Kv,
        after: Option<&(AssetId, Investor)>,
        limit: usize,
    ) -> Result<Vec<AccountView>, StorageError> {
        let mut views = Vec::new();
        for ((asset, investor), account) in ACCOUNTS.rows(kv, after, limit)? {
            let balance = BALANCES.get(kv, &(asset, investor.clone()))?.unwrap_or_default();
            views.push(AccountView { asset, investor, state: account.state, balance });
        }
        Ok(views)
    }

    /// An account with its balance.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn account(
        kv: &dyn Kv,
        asset: AssetId,
        investor: Investor,
    ) -> Result<Option<AccountView>, StorageError> {
        let key = (asset, investor);
        let Some(account) = ACCOUNTS.get(kv, &key)? else { return Ok(None) };
        let balance = BALANCES.get(kv, &key)?.unwrap_or_default();
        let (asset, investor) = key;
        Ok(Some(AccountView { asset, investor, state: account.state, balance }))
    }

    /// Trades, at most `limit` after `after`.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn trades(
        kv: &dyn Kv,
        after: Option<&TradeKey>,
        limit: usize,
    ) -> Result<Vec<TradeView>, StorageError> {
        let rows = TRADES.rows(kv, after, limit)?;
        Ok(rows.iter().map(|(_, trade)| TradeView::of(trade)).collect())
    }

    /// Whose slot this owner commitment is, and for which trade; none if it is not this custodian's.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn slot(
        kv: &dyn Kv,
        owner: &Encoded,
    ) -> Result<Option<(Investor, TradeKey)>, StorageError> {
        Ok(SLOTS.get(kv, owner)?.map(|row| (row.investor, row.trade)))
    }

    /// The trades with this id, one a counterparty.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn trade(kv: &dyn Kv, trade_id: &TradeId) -> Result<Vec<TradeView>, StorageError> {
        let under = sudare_crypto::encoding::encode(trade_id);
        let rows = TRADES.rows_under(kv, &under, None, 64)?;
        Ok(rows.iter().map(|(_, trade)| TradeView::of(trade)).collect())
    }
}
