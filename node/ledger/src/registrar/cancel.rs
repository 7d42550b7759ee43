//! What the operator ordered is given up: an issue with the consent of the custodians that have accepted, a redemption's permission
//! while nobody has taken it.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::{Bounded, Hash, NodeId, Text};

use super::issue::issue_id;
use super::state::{
    ALLOTMENTS_MAX, ISSUE_OF_TRADE, ISSUES, Issue, IssueState, REDEMPTIONS, Redemption,
    RedemptionKey, RedemptionState, WISHES,
};
use super::{ANSWER_MS, Registrar, Stop};
use crate::kv::{StorageError, Tx};
use crate::messages::{Message, Reason, TradeId};
use crate::role::send;

/// Who has asked for an issue to be cancelled, and when, ms since the Unix epoch.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Wishes {
    /// The registrar's operator.
    pub own: Option<u64>,
    /// The custodians, in the order of the allotments; empty if none has.
    pub theirs: Bounded<Option<u64>, ALLOTMENTS_MAX>,
}

impl Wishes {
    /// When a custodian asked first.
    pub(super) fn first(&self) -> Option<u64> {
        self.theirs.iter().flatten().min().copied()
    }

    fn of(&self, place: usize) -> Option<u64> {
        self.theirs.get(place).copied().flatten()
    }

    /// Whether the operator wants it, and each custodian that has accepted; none has anything against it before.
    fn is_agreed(&self, issue: &Issue) -> bool {
        let places = 0..issue.order.allotments.len();
        let has_accepted = |place: &usize| match &issue.state {
            IssueState::Collecting { slots, .. } => slots.get(*place).is_some_and(Option::is_some),
            _ => true,
        };
        self.own.is_some() && places.filter(has_accepted).all(|place| self.of(place).is_some())
    }
}

impl Registrar {
    /// The operator wants an issue cancelled.
    ///
    /// Enforces [FLOW-8].
    pub(super) fn cancel_issue(
        &self,
        tx: &Tx<'_>,
        now: u64,
        reference: &Text<35>,
    ) -> Result<(), Stop> {
        let id = issue_id(reference);
        let issue = ISSUES.get(tx, &id)?.ok_or(Reason::NoMatch)?;
        if !is_open(&issue) {
            return match issue.state {
                IssueState::Failed { .. } => Ok(()),
                _ => Err(Reason::TooLate.into()),
            };
        }
        let mut wishes = WISHES.get(tx, &id)?.unwrap_or_default();
        let known = wishes.own.is_some();
        wishes.own.get_or_insert(now);
        WISHES.put(tx, &id, &wishes);
        if wishes.is_agreed(&issue) {
            return Ok(self.fail_issue(tx, now, id, issue, Reason::Cancelled)?);
        }
        if !known {
            for place in 0..issue.order.allotments.len() {
                self.ask_consent(tx, now, &issue, place)?;
            }
        }
        Ok(())
    }

    /// A custodian wants what an issue brings it cancelled.
    pub(super) fn cancel_asked(
        &self,
        tx: &Tx<'_>,
        now: u64,
        from: NodeId,
        trade_id: TradeId,
    ) -> Result<(), Stop> {
        let found = ISSUE_OF_TRADE.get(tx, &(from, trade_id))?;
        let Some((id, place)) = found else { return Ok(()) };
        let issue = ISSUES.get(tx, &id)?.ok_or(StorageError::Damaged("issue"))?;
        let place = usize::from(place);
        if let IssueState::Failed { reason, commit: None } = issue.state {
            let proposal = issue.proposals.get(place).ok_or(StorageError::Damaged("issue"))?;
            let message = Message::Abandon { proposal: *proposal, reason };
            return Ok(send(tx, now, from, Some(now.saturating_add(ANSWER_MS)), message)?);
        }
        if !is_open(&issue) {
            return Ok(());
        }
        let mut wishes = WISHES.get(tx, &id)?.unwrap_or_default();
        let mut theirs = wishes.theirs.to_vec();
        theirs.resize(issue.order.allotments.len(), None);
        if let Some(wish) = theirs.get_mut(place) {
            wish.get_or_insert(now);
        }
        wishes.theirs = Bounded::new(theirs).map_err(|_| Reason::TooLarge)?;
        WISHES.put(tx, &id, &wishes);
        if wishes.is_agreed(&issue) {
            self.fail_issue(tx, now, id, issue, Reason::Cancelled)?;
        }
        Ok(())
    }

    /// A custodian has accepted: if the issue is to be cancelled, it is asked too.
    pub(super) fn has_accepted(
        &self,
        tx: &Tx<'_>,
        now: u64,
        id: Hash,
        place: usize,
    ) -> Result<(), Stop> {
        let wanted = WISHES.get(tx, &id)?.is_some_and(|wishes| wishes.own.is_some());
        match ISSUES.get(tx, &id)? {
            Some(issue) if wanted => self.ask_consent(tx, now, &issue, place),
            _ => Ok(()),
        }
    }

    /// Asks a custodian that has accepted for its consent.
    fn ask_consent(&self, tx: &Tx<'_>, now: u64, issue: &Issue, place: usize) -> Result<(), Stop> {
        let accepted = match &issue.state {
            IssueState::Collecting { slots, .. } => slots.get(place).is_some_and(Option::is_some),
            IssueState::Building(_) => true,
            _ => false,
        };
        let Some(allotment) = issue.order.allotments.get(place).filter(|_| accepted) else {
            return Ok(());
        };
        let message = Message::Cancel { trade_id: allotment.trade_id.clone(), initiates: true };
        let until = Some(now.saturating_add(ANSWER_MS));
        Ok(send(tx, now, allotment.custodian, until, message)?)
    }

    /// Takes a redemption's permission back, if no leg has taken it.
    ///
    /// Enforces [FLOW-8].
    pub(super) fn withdraw_redemption(
        &self,
        tx: &Tx<'_>,
        now: u64,
        key: &RedemptionKey,
    ) -> Result<(), Stop> {
        let Redemption { quantity, state, .. } =
            REDEMPTIONS.get(tx, key)?.ok_or(Reason::NoMatch)?;
        match state {
            RedemptionState::Withdrawn => Ok(()),
            RedemptionState::Approved(_) | RedemptionState::Final(_) => Err(Reason::TooLate.into()),
            RedemptionState::Allowed => {
                let state = RedemptionState::Withdrawn;
                REDEMPTIONS.put(tx, key, &Redemption { quantity, state, since: now });
                Ok(())
            }
        }
    }
}

/// Whether the node has not committed it.
const fn is_open(issue: &Issue) -> bool {
    matches!(issue.state, IssueState::Collecting { .. } | IssueState::Building(_))
}
