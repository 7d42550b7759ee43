//! Where what the operator ordered stands: issues, and redemptions that were allowed.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::{NodeId, Text, pairs};
use sudare_disclosure::AssetId;

use super::Registrar;
use super::asset_log::entry;
use super::issue::issue_id;
use super::state::{
    ISSUES, Issue, IssueState, REDEMPTIONS, RedemptionKey, RedemptionState, WISHES,
};
use crate::kv::{Kv, StorageError};
use crate::log::Entry;
use crate::messages::Reason;
use crate::transaction::TxId;

/// An order as its operator sees it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct OrderView {
    /// Where it stands.
    pub stage: OrderStage,
    /// Since when, ms.
    pub since: u64,
    /// Whom it waits for.
    pub waiting: Option<NodeId>,
    /// Its transaction, once there is one.
    pub tx: Option<TxId>,
    /// The notary's time, once it is final.
    pub notarised: Option<u64>,
    /// When the operator asked for it to be cancelled, ms.
    pub cancel_requested: Option<u64>,
    /// When a custodian did: it is, once the operator and all that have accepted ask.
    pub custodian_cancel_requested: Option<u64>,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum OrderStage {
    /// Waits for custodians: for slots, or for one to redeem.
    Waiting,
    /// The leg is being built.
    Building,
    /// The custodian's leg is approved, and waits for its receipt.
    Approved,
    /// Waits for the notary.
    Notarising,
    /// In the asset's log.
    Final,
    /// Ended without effect.
    Failed(Reason),
}

impl OrderView {
    const fn at(stage: OrderStage, since: u64) -> Self {
        Self {
            stage,
            since,
            waiting: None,
            tx: None,
            notarised: None,
            cancel_requested: None,
            custodian_cancel_requested: None,
        }
    }

    /// Final at an index of an asset's log.
    fn of_entry(
        kv: &(impl Kv + ?Sized),
        asset: AssetId,
        index: u64,
        since: u64,
    ) -> Result<Self, StorageError> {
        let Some(Entry::Leg(leg)) = entry(kv, asset, index)? else {
            return Err(StorageError::Damaged("log entry"));
        };
        let receipt = leg.receipt;
        Ok(Self {
            tx: Some(receipt.tx),
            notarised: Some(receipt.entry.time),
            ..Self::at(OrderStage::Final, since)
        })
    }
}

impl Registrar {
    /// The issue with this reference, if one was ordered.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn issue_order(
        kv: &(impl Kv + ?Sized),
        reference: &Text<35>,
    ) -> Result<Option<OrderView>, StorageError> {
        let id = issue_id(reference);
        let Some(Issue { order, state, since, .. }) = ISSUES.get(kv, &id)? else {
            return Ok(None);
        };
        let view = match state {
            IssueState::Collecting { slots, .. } => {
                let asked = pairs(&slots, &order.allotments);
                let mut asked = asked.ok_or(StorageError::Damaged("issue"))?;
                let waiting = asked.find(|(slot, _)| slot.is_none());
                let waiting = waiting.map(|(_, allotment)| allotment.custodian);
                OrderView { waiting, ..OrderView::at(OrderStage::Waiting, since) }
            }
            IssueState::Building(_) => OrderView::at(OrderStage::Building, since),
            IssueState::Notarising { commit, .. } => OrderView {
                waiting: Some(commit.transaction.notary),
                tx: commit.transaction.id(),
                ..OrderView::at(OrderStage::Notarising, since)
            },
            IssueState::Final { entry } => OrderView::of_entry(kv, order.asset, entry, since)?,
            IssueState::Failed { reason, commit } => OrderView {
                tx: commit.and_then(|commit| commit.transaction.id()),
                ..OrderView::at(OrderStage::Failed(reason), since)
            },
        };
        let wishes = WISHES.get(kv, &id)?.unwrap_or_default();
        Ok(Some(OrderView {
            cancel_requested: wishes.own,
            custodian_cancel_requested: wishes.first(),
            ..view
        }))
    }

    /// The redemption that was allowed, if it was.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn redemption_order(
        kv: &(impl Kv + ?Sized),
        key: &RedemptionKey,
    ) -> Result<Option<OrderView>, StorageError> {
        let Some(row) = REDEMPTIONS.get(kv, key)? else { return Ok(None) };
        Ok(Some(match row.state {
            RedemptionState::Allowed => OrderView {
                waiting: Some(key.custodian),
                ..OrderView::at(OrderStage::Waiting, row.since)
            },
            RedemptionState::Approved(leg) => OrderView {
                waiting: Some(key.custodian),
                tx: Some(leg.tx),
                ..OrderView::at(OrderStage::Approved, row.since)
            },
            RedemptionState::Final(entry) => OrderView::of_entry(kv, key.asset, entry, row.since)?,
            RedemptionState::Withdrawn => {
                OrderView::at(OrderStage::Failed(Reason::Cancelled), row.since)
            }
        }))
    }
}
