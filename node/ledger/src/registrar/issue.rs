//! Issues: propose to the custodians, collect their slots, build one leg with all outputs, notarise it, append it.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::RngCore;
use sudare_crypto::encoding::Version;
use sudare_crypto::{Bounded, Claims, Hash, NodeId, Text, pairs};
use sudare_disclosure::{AssetId, AssetTerms, Epoch};

use super::assets::version;
use super::state::{
    ALLOTMENTS_MAX, ASSETS, Allotment, ISSUE_OF, ISSUE_OF_TRADE, ISSUES, Issue, IssueState, LegKey,
    PROPOSALS, RequestKey,
};
use super::{ANSWER_MS, Job, Registrar, Stop};
use crate::kv::{StorageError, Tx};
use crate::leg::TradeInfo;
use crate::log::Receipt;
use crate::messages::{Acceptance, Finalisation, Message, Proposal, ProposedLeg, Reason};
use crate::role::{Moment, send, start, wake};
use crate::slot::SignedSlot;
use crate::transaction::{Transaction, TxId};

/// How long the custodians of an issue have to answer, ms.
const PROPOSAL_MS: u64 = 10 * 60 * 1000;
/// How often the notary is asked about an issue whose window is over, ms.
const ASK_AGAIN_MS: u64 = 60 * 1000;

/// The operator's order to issue.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct IssueOrder {
    /// Unique for each issue of this registrar: the same order again is the same issue.
    pub reference: Text<35>,
    /// The asset.
    pub asset: AssetId,
    /// Who gets how much.
    pub allotments: Bounded<Allotment, ALLOTMENTS_MAX>,
    /// The trade's data, which every receiver can read.
    pub trade: TradeInfo,
}

impl IssueOrder {
    /// What the issue is stored under.
    #[must_use]
    pub fn id(&self) -> Hash {
        issue_id(&self.reference)
    }
}

/// What the issue with this reference is stored under.
pub(super) fn issue_id(reference: &Text<35>) -> Hash {
    Hash::of(b"sudare/issue/v1", &[reference.as_str().as_bytes()])
}

impl Registrar {
    /// Begins an issue.
    pub(super) fn issue(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        order: IssueOrder,
    ) -> Result<(), Stop> {
        let (id, now, mut rng) = (order.id(), moment.now, moment.rng());
        if let Some(known) = ISSUES.get(tx, &id)? {
            return if known.order == order { Ok(()) } else { Err(Reason::DuplicateTrade.into()) };
        }
        let asset = ASSETS.get(tx, &order.asset)?.ok_or(Reason::UnknownAsset)?;
        let trades: BTreeSet<_> =
            order.allotments.iter().map(|one| (one.custodian, &one.trade_id)).collect();
        let sound = |one: &Allotment| one.quantity > 0 && one.custodian != self.id();
        if order.allotments.is_empty() || !order.allotments.iter().all(sound) {
            return Err(Reason::Malformed.into());
        }
        if trades.len() != order.allotments.len() {
            return Err(Reason::DuplicateTrade.into());
        }
        let mint = order.allotments.iter().try_fold(0u64, |sum, one| sum.checked_add(one.quantity));
        let after = asset.outstanding().saturating_add(asset.pending.into());
        let after = mint.map(|mint| after.saturating_add(mint.into()));
        if after.is_none_or(|after| after > u64::MAX.into()) {
            return Err(Reason::SupplyLimit.into());
        }
        if !asset.open {
            return Err(Reason::Closed.into());
        }
        let terms = version(tx, order.asset, asset.number)?.signed.terms;
        let epoch = terms.policy.epoch_at(now).ok_or(Reason::StaleTerms)?;
        let until = now.saturating_add(PROPOSAL_MS);
        let mut proposals = Vec::with_capacity(order.allotments.len());
        for allotment in &order.allotments {
            let mut proposal = self.proposal(&order, allotment, &terms, epoch, until)?;
            rng.fill_bytes(&mut proposal.salt);
            proposals.push(proposal);
        }
        let slots = bounded(vec![None; order.allotments.len()])?;
        let state = IssueState::Collecting { slots, until };
        let hashes = bounded(proposals.iter().map(Proposal::hash).collect())?;
        ISSUES.put(tx, &id, &Issue { order, proposals: hashes, state, since: now });
        for (place, proposal) in proposals.into_iter().enumerate() {
            let place = u8::try_from(place).map_err(|_| Reason::TooLarge)?;
            PROPOSALS.put(tx, &proposal.hash(), &(id, place));
            let trade = (proposal.counterparty, proposal.trade_id.clone());
            ISSUE_OF_TRADE.put(tx, &trade, &(id, place));
            let custodian = proposal.counterparty;
            send(tx, now, custodian, Some(until), Message::Propose(proposal, None))?;
        }
        wake(tx, until, id)?;
        Ok(())
    }

    fn proposal(
        &self,
        order: &IssueOrder,
        allotment: &Allotment,
        terms: &AssetTerms,
        epoch: &Epoch,
        expires_at: u64,
    ) -> Result<Proposal, Reason> {
        let (terms, epoch) = (terms.hash(), epoch.number);
        let leg = ProposedLeg { asset: order.asset, terms, epoch, quantity: allotment.quantity };
        Ok(Proposal {
            version: Version,
            network: self.network,
            salt: [0; 32],
            trade_id: allotment.trade_id.clone(),
            delivery_date: order.trade.delivery_date.clone(),
            initiator: self.id(),
            counterparty: allotment.custodian,
            expires_at,
            legs: bounded(vec![leg])?,
        })
    }

    /// A custodian gives the slot for its allotment. The last one has the leg built.
    pub(super) fn accepted(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        from: NodeId,
        acceptance: Acceptance,
    ) -> Result<(), Stop> {
        let now = moment.now;
        let hash = acceptance.proposal;
        let (id, place) = PROPOSALS.get(tx, &hash)?.ok_or(Reason::NoMatch)?;
        let mut issue = ISSUES.get(tx, &id)?.ok_or(Reason::NoMatch)?;
        let place = usize::from(place);
        if issue.order.allotments.get(place).map(|one| one.custodian) != Some(from) {
            return Err(Reason::NoMatch.into());
        }
        let slots = match &issue.state {
            IssueState::Collecting { slots, .. } => slots,
            IssueState::Failed { reason, .. } => {
                let message = Message::Abandon { proposal: hash, reason: *reason };
                return Ok(send(tx, now, from, Some(now.saturating_add(ANSWER_MS)), message)?);
            }
            _ => return Ok(()),
        };
        if acceptance.payment.is_some() {
            return Err(Reason::Malformed.into());
        }
        let mut slots = slots.to_vec();
        // The first answer counts.
        if let Some(empty @ None) = slots.get_mut(place) {
            self.check_slot(tx, moment, from, &issue.order, hash, &acceptance.slot)?;
            *empty = Some(acceptance.slot);
        }
        let all: Vec<SignedSlot> = slots.iter().flatten().cloned().collect();
        if all.len() == slots.len() {
            (issue.state, issue.since) = (IssueState::Building(bounded(all)?), now);
            start(tx, &Job::Build(id))?;
        } else if let IssueState::Collecting { slots: before, .. } = &mut issue.state {
            *before = bounded(slots)?;
        }
        ISSUES.put(tx, &id, &issue);
        self.has_accepted(tx, now, id, place)
    }

    fn check_slot(
        &self,
        tx: &Tx<'_>,
        moment: &Moment,
        from: NodeId,
        order: &IssueOrder,
        proposal: Hash,
        slot: &SignedSlot,
    ) -> Result<(), Stop> {
        let now = moment.now;
        let asset = ASSETS.get(tx, &order.asset)?.ok_or(Reason::UnknownAsset)?;
        let terms = version(tx, order.asset, asset.number)?.signed.terms;
        let epoch = terms.policy.epoch_at(now).ok_or(Reason::StaleTerms)?;
        let context = &slot.slot.context;
        if context.network != self.network
            || context.asset != order.asset
            || context.receiver != from
            || context.proposal != proposal
        {
            return Err(Reason::Malformed.into());
        }
        if context.terms != terms.hash() || context.epoch != epoch.number {
            return Err(Reason::StaleTerms.into());
        }
        if context.expires_at <= now {
            return Err(Reason::SlotExpired.into());
        }
        // Checked now and not only with the leg, so that a bad slot is its sender's failure and not the whole issue's.
        let mut claims = Claims::new();
        slot.check(epoch, &mut claims).map_err(|_| Reason::Proof)?;
        Ok(claims.accept(&mut moment.rng()).map_err(|_| Reason::Proof)?)
    }

    /// The notary recorded something; only the receipts of own issues concern the registrar.
    pub(super) fn notarised(
        &self,
        tx: &Tx<'_>,
        now: u64,
        from: NodeId,
        receipt: Receipt,
    ) -> Result<(), Stop> {
        let Some((_, issue)) = issue_of(tx, receipt.tx)? else { return Ok(()) };
        let (IssueState::Notarising { commit, .. }
        | IssueState::Failed { commit: Some(commit), .. }) = issue.state
        else {
            return Ok(());
        };
        if from != commit.transaction.notary || !receipt.is_of(&commit) {
            return Err(Reason::Receipt.into());
        }
        let key = RequestKey { leg: LegKey { tx: receipt.tx, index: 0 }, from: self.id() };
        let signatures = Bounded::default();
        let finalisation = Finalisation { commit: *commit, index: 0, receipt, signatures };
        Ok(self.finalise_as(tx, now, key, finalisation)?)
    }

    /// The notary can't record an issue. It ends when the notary signs that it is absent.
    pub(super) fn not_recorded(
        &self,
        tx: &Tx<'_>,
        from: NodeId,
        about: TxId,
        why: Reason,
    ) -> Result<(), Stop> {
        let Some((id, mut issue)) = issue_of(tx, about)? else { return Ok(()) };
        if let IssueState::Notarising { commit, reason } = &mut issue.state
            && commit.transaction.notary == from
        {
            *reason = Some(why);
            ISSUES.put(tx, &id, &issue);
        }
        Ok(())
    }

    /// An alarm: the custodians' time is over, or the window is.
    pub(super) fn issue_due(&self, tx: &Tx<'_>, now: u64, id: Hash) -> Result<(), StorageError> {
        let Some(issue) = ISSUES.get(tx, &id)? else { return Ok(()) };
        match &issue.state {
            IssueState::Collecting { until, .. } if *until <= now => {
                self.fail_issue(tx, now, id, issue, Reason::Lapsed)
            }
            IssueState::Notarising { commit, .. } if commit.transaction.window.until <= now => {
                let Transaction { notary, window, .. } = commit.transaction;
                let again = now.saturating_add(ASK_AGAIN_MS);
                wake(tx, again, id)?;
                let Some(about) = commit.transaction.id() else { return Ok(()) };
                send(tx, now, notary, Some(again), Message::AskAbsence { tx: about, window })
            }
            _ => Ok(()),
        }
    }

    /// A custodian gave up.
    pub(super) fn abandoned(
        &self,
        tx: &Tx<'_>,
        now: u64,
        from: NodeId,
        proposal: Hash,
        reason: Reason,
    ) -> Result<(), Stop> {
        let (id, place) = PROPOSALS.get(tx, &proposal)?.ok_or(Reason::NoMatch)?;
        let issue = ISSUES.get(tx, &id)?.ok_or(Reason::NoMatch)?;
        let allotment = issue.order.allotments.get(usize::from(place));
        if allotment.map(|one| one.custodian) != Some(from) {
            return Err(Reason::NoMatch.into());
        }
        Ok(self.declined(tx, now, proposal, reason)?)
    }

    /// A proposal was refused: the issue it was for ends, unless it is with the notary.
    pub(super) fn declined(
        &self,
        tx: &Tx<'_>,
        now: u64,
        proposal: Hash,
        reason: Reason,
    ) -> Result<(), StorageError> {
        let Some((id, _)) = PROPOSALS.get(tx, &proposal)? else { return Ok(()) };
        let Some(issue) = ISSUES.get(tx, &id)? else { return Ok(()) };
        match issue.state {
            IssueState::Collecting { .. } | IssueState::Building(_) => {
                self.fail_issue(tx, now, id, issue, reason)
            }
            _ => Ok(()),
        }
    }

    /// The issue of this transaction is in the log.
    pub(super) fn issue_final(
        &self,
        tx: &Tx<'_>,
        now: u64,
        about: TxId,
        entry: u64,
    ) -> Result<(), StorageError> {
        if let Some((id, mut issue)) = issue_of(tx, about)? {
            (issue.state, issue.since) = (IssueState::Final { entry }, now);
            ISSUES.put(tx, &id, &issue);
        }
        Ok(())
    }

    /// The notary signed that the issue of this transaction is absent.
    pub(super) fn issue_absent(
        &self,
        tx: &Tx<'_>,
        now: u64,
        about: TxId,
    ) -> Result<(), StorageError> {
        let Some((id, issue)) = issue_of(tx, about)? else { return Ok(()) };
        let reason = match &issue.state {
            IssueState::Notarising { reason, .. } => reason.unwrap_or(Reason::Lapsed),
            _ => Reason::Lapsed,
        };
        self.fail_issue(tx, now, id, issue, reason)
    }

    /// Ends an issue without effect and tells its custodians.
    pub(super) fn fail_issue(
        &self,
        tx: &Tx<'_>,
        now: u64,
        id: Hash,
        mut issue: Issue,
        reason: Reason,
    ) -> Result<(), StorageError> {
        let offers = pairs(&issue.proposals, &issue.order.allotments);
        for (proposal, allotment) in offers.ok_or(StorageError::Damaged("issue"))? {
            let message = Message::Abandon { proposal: *proposal, reason };
            let until = Some(now.saturating_add(ANSWER_MS));
            send(tx, now, allotment.custodian, until, message)?;
        }
        let commit = match issue.state {
            IssueState::Notarising { commit, .. } => Some(commit),
            _ => None,
        };
        (issue.state, issue.since) = (IssueState::Failed { reason, commit }, now);
        ISSUES.put(tx, &id, &issue);
        Ok(())
    }
}

fn issue_of(tx: &Tx<'_>, about: TxId) -> Result<Option<(Hash, Issue)>, StorageError> {
    let Some(id) = ISSUE_OF.get(tx, &about)? else { return Ok(None) };
    Ok(ISSUES.get(tx, &id)?.map(|issue| (id, issue)))
}

pub(super) fn bounded<T, const MAX: usize>(items: Vec<T>) -> Result<Bounded<T, MAX>, Reason> {
    Bounded::new(items).map_err(|_| Reason::TooLarge)
}
