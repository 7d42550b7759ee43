//! From built legs to a commit at the notary: approvals, shares, spend signatures.

use rand_core::RngCore;
use sudare_crypto::encoding::Version;
use sudare_crypto::proof::tag;
use sudare_crypto::{Hash, NodeId, NodeSignature};

use super::build::output_of;
use super::trade::{Plan, Side, Trade, TradeState};
use super::{BY_TX, Custodian, DRAFTS, Draft, PLANS, Step, TRADES};
use crate::kv::StorageError;
use crate::leg::Purpose;
use crate::messages::{ApprovalRequest, Message, NotaryPart, Reason, Share, TagOpening};
use crate::transaction::{Commit, LegRef, Transaction, TxId, Window, join_tags};

impl Custodian {
    /// Initiator: puts the legs together, asks for approval, and shows the transaction to the counterparty.
    pub(super) fn assemble(
        &self,
        step: &mut Step<'_, '_>,
        mut trade: Trade,
        plan: &Plan,
        draft: &Draft,
        tags: Vec<Hash>,
    ) -> Result<(), StorageError> {
        let key = trade.key();
        let Some(terms) = self.terms_of(step.tx, plan.asset)? else {
            return self.fail(step, &key, Reason::UnknownAsset);
        };
        let own = LegRef {
            registrar: terms.core.registrar,
            root: draft.leg.root(plan.index, &draft.salt),
        };
        let (mut legs, mut parts) = (vec![own], vec![tags]);
        if let (Some(part), Some(receive)) = (&trade.their_part, &trade.instruction.receive) {
            let Some(other) = self.terms_of(step.tx, receive.asset)? else {
                return self.fail(step, &key, Reason::UnknownAsset);
            };
            if other.core.notary != terms.core.notary {
                return self.fail(step, &key, Reason::WrongNotary);
            }
            legs.push(LegRef { registrar: other.core.registrar, root: part.root });
            parts.push(part.tags.to_vec());
        }
        let mut salt = [0; 32];
        step.rng.fill_bytes(&mut salt);
        let Some(tags) = join_tags(&parts) else {
            return self.fail(step, &key, Reason::Malformed);
        };
        let (Ok(tags), Ok(legs)) = (tags.try_into(), legs.try_into()) else {
            return self.fail(step, &key, Reason::TooLarge);
        };
        let transaction = Transaction {
            version: Version,
            network: self.network,
            notary: terms.core.notary,
            window: window(step.now, trade.instruction.window_ms, terms.core.window_max_ms),
            salt,
            legs,
            tags,
        };
        if let Some(proposal) = &trade.proposal
            && trade.legs() == 2
        {
            let message = Message::Assemble(proposal.hash(), transaction.clone());
            let until = Some(transaction.window.until);
            self.tell(step, &key, key.counterparty, until, message)?;
        }
        trade.transaction = Some(transaction);
        self.ask_approval(step, trade, plan, draft)
    }

    /// Counterparty: the initiator assembled the transaction. Checks that it is what was agreed on.
    pub(super) fn assembled(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        proposal: Hash,
        transaction: Transaction,
    ) -> Result<(), StorageError> {
        let Some(mut trade) = self.by_proposal(step, from, proposal, false)? else { return Ok(()) };
        let key = trade.key();
        let (Some(plan), Some(draft)) = (PLANS.get(step.tx, &key)?, DRAFTS.get(step.tx, &key)?)
        else {
            return Ok(());
        };
        if trade.state != TradeState::Accepted || trade.instruction.side != Side::Counterparty {
            return Ok(());
        }
        let (Some(terms), Some(receive)) =
            (self.terms_of(step.tx, plan.asset)?, trade.instruction.receive.clone())
        else {
            return Ok(());
        };
        let Some(other) = self.terms_of(step.tx, receive.asset)? else { return Ok(()) };
        let own = LegRef {
            registrar: terms.core.registrar,
            root: draft.leg.root(plan.index, &draft.salt),
        };
        let tags = self.tag_hashes(step.tx, &plan)?;
        let fits = transaction.id().is_some()
            && transaction.network == self.network
            && transaction.notary == terms.core.notary
            && transaction.legs.len() == 2
            && transaction.legs.get(1) == Some(&own)
            && transaction.legs.first().is_some_and(|leg| leg.registrar == other.core.registrar)
            && tags.iter().all(|tag| transaction.tags.binary_search(tag).is_ok())
            && transaction.window.contains(step.now)
            && transaction.window.length() <= terms.core.window_max_ms;
        if !fits {
            return self.fail(step, &key, Reason::Malformed);
        }
        trade.transaction = Some(transaction);
        self.ask_approval(step, trade, &plan, &draft)
    }

    fn ask_approval(
        &self,
        step: &mut Step<'_, '_>,
        mut trade: Trade,
        plan: &Plan,
        draft: &Draft,
    ) -> Result<(), StorageError> {
        let key = trade.key();
        let (Some(transaction), Some(tx)) = (trade.transaction.clone(), trade.tx()) else {
            return self.fail(step, &key, Reason::Malformed);
        };
        let salts = plan.tag_salts.iter().take(plan.inputs.len()).copied().collect::<Vec<_>>();
        let Ok(tag_salts) = salts.try_into() else {
            return self.fail(step, &key, Reason::TooLarge);
        };
        let registrar = transaction.legs.get(usize::from(plan.index)).map(|leg| leg.registrar);
        let Some(registrar) = registrar else { return self.fail(step, &key, Reason::Malformed) };
        let until = transaction.window.until;
        BY_TX.put(step.tx, &(tx, key.initiates), &key);
        self.move_to(step, &mut trade, TradeState::Approving, Some(registrar));
        TRADES.put(step.tx, &key, &trade);
        self.alarm(step, &key, until)?;
        let request = ApprovalRequest {
            transaction,
            index: plan.index,
            leg: draft.leg.clone(),
            salt: draft.salt,
            tag_salts,
        };
        self.tell(step, &key, registrar, Some(until), Message::Approve(request))
    }

    /// The registrar's answer for this side's leg.
    pub(super) fn approved(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        tx: TxId,
        index: u8,
        outcome: Result<NodeSignature, Reason>,
    ) -> Result<(), StorageError> {
        let Some(mut trade) = self.by_tx(step, tx, index == 0)? else { return Ok(()) };
        let key = trade.key();
        let Some(transaction) = trade.transaction.clone() else { return Ok(()) };
        let registrar = transaction.legs.get(usize::from(index)).map(|leg| leg.registrar);
        if trade.state != TradeState::Approving
            || index != trade.own_index()
            || registrar != Some(from)
        {
            return Ok(());
        }
        let signature = match outcome {
            Ok(signature) => signature,
            Err(reason) => return self.give_up(step, &key, reason, true),
        };
        if !transaction.is_approved(index, &signature) {
            return self.fail(step, &key, Reason::Approval);
        }
        trade.own_approval = Some(signature);
        // The initiator shows its output with the commit: a share could overtake the transaction that it is about.
        if trade.legs() == 2 && trade.instruction.side == Side::Counterparty {
            self.share(step, &trade, &transaction, signature)?;
        }
        self.move_to(step, &mut trade, TradeState::Committing, Some(key.counterparty));
        TRADES.put(step.tx, &key, &trade);
        self.advance(step, trade)
    }

    /// Shows the other side the approval of this side's leg and the output that it is owed.
    fn share(
        &self,
        step: &Step<'_, '_>,
        trade: &Trade,
        transaction: &Transaction,
        approval: NodeSignature,
    ) -> Result<(), StorageError> {
        let (key, index) = (trade.key(), trade.own_index());
        let draft = DRAFTS.get(step.tx, &key)?.ok_or(StorageError::Damaged("draft"))?;
        let owner = trade.their_slot.as_ref().map(|slot| slot.slot.owner);
        let output = owner.and_then(|owner| output_of(&draft, owner));
        let components =
            output.and_then(|output| draft.leg.tear_off(index, &draft.salt, output).ok());
        let (Some(tx), Some(components)) = (transaction.id(), components) else {
            return Err(StorageError::Damaged("draft"));
        };
        let share = Share { tx, index, approval, components };
        let until = Some(transaction.window.until);
        self.tell(step, &key, key.counterparty, until, Message::Share(share))
    }

    /// The other side shows the approval of its leg and the output it owes.
    ///
    /// Enforces [COM-1] (!): a spender opens every output it is owed, and sees the approval of that asset's registrar, before
    /// it signs.
    pub(super) fn shared(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        share: Share,
    ) -> Result<(), StorageError> {
        let Some(mut trade) = self.by_tx(step, share.tx, share.index != 0)? else { return Ok(()) };
        let key = trade.key();
        if key.counterparty != from || trade.their_approval.is_some() || trade.state.is_ended() {
            return Ok(());
        }
        match self.check_share(step, &trade, &share)? {
            Ok(()) => {
                trade.their_approval = Some(share.approval);
                trade.their_components = Some(share.components);
                TRADES.put(step.tx, &key, &trade);
                self.advance(step, trade)
            }
            Err(reason) => self.fail(step, &key, reason),
        }
    }

    fn check_share(
        &self,
        step: &Step<'_, '_>,
        trade: &Trade,
        share: &Share,
    ) -> Result<Result<(), Reason>, StorageError> {
        let (Some(transaction), Some(receive)) = (&trade.transaction, &trade.instruction.receive)
        else {
            return Ok(Err(Reason::Malformed));
        };
        let (Some(slot), Some(terms)) = (&trade.own_slot, self.terms_of(step.tx, receive.asset)?)
        else {
            return Ok(Err(Reason::Malformed));
        };
        let Some(leg) = transaction.legs.get(usize::from(share.index)) else {
            return Ok(Err(Reason::Malformed));
        };
        if share.index == trade.own_index() || leg.registrar != terms.core.registrar {
            return Ok(Err(Reason::LegMismatch));
        }
        if !transaction.is_approved(share.index, &share.approval) {
            return Ok(Err(Reason::Approval));
        }
        if share.components.check(share.index, leg.root).is_err() {
            return Ok(Err(Reason::LegMismatch));
        }
        let seed = self.investor_seed(&receive.investor);
        let secrets = seed.slot(receive.asset, &slot.slot.context.nonce);
        let Ok(received) = share.components.receive(&terms, &secrets) else {
            return Ok(Err(Reason::Memo));
        };
        let header = &received.header;
        if header.network != self.network
            || header.purpose != Purpose::Transfer
            || received.output.slot != *slot
            || received.opening.value != receive.quantity
        {
            return Ok(Err(Reason::NoMatch));
        }
        Ok(Ok(()))
    }

    /// Goes on as soon as everything that must come before a signature is there.
    pub(super) fn advance(
        &self,
        step: &mut Step<'_, '_>,
        mut trade: Trade,
    ) -> Result<(), StorageError> {
        let key = trade.key();
        let (Some(transaction), Some(own)) = (trade.transaction.clone(), trade.own_approval) else {
            return Ok(());
        };
        if trade.state != TradeState::Committing
            || (trade.legs() == 2 && trade.their_approval.is_none())
        {
            return Ok(());
        }
        if trade.instruction.side != Side::Counterparty && trade.commit.is_none() {
            let mut approvals = vec![own];
            approvals.extend(trade.their_approval.filter(|_| trade.legs() == 2));
            let mut salt = [0; 32];
            step.rng.fill_bytes(&mut salt);
            let Ok(approvals) = approvals.try_into() else {
                return self.fail(step, &key, Reason::TooLarge);
            };
            let commit = Commit { transaction: transaction.clone(), salt, approvals };
            if trade.legs() == 2 {
                self.share(step, &trade, &transaction, own)?;
                let until = Some(transaction.window.until);
                let message = Message::Commit(commit.clone());
                self.tell(step, &key, key.counterparty, until, message)?;
            }
            trade.commit = Some(commit);
        }
        let Some(commit) = trade.commit.clone() else { return Ok(()) };
        self.sign(step, trade, &commit)
    }

    /// Counterparty: the commit that the initiator will sign.
    pub(super) fn commit_received(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        commit: Commit,
    ) -> Result<(), StorageError> {
        let Some(tx) = commit.transaction.id() else { return Ok(()) };
        let Some(mut trade) = self.by_tx(step, tx, false)? else { return Ok(()) };
        let key = trade.key();
        let fits = key.counterparty == from
            && trade.instruction.side == Side::Counterparty
            && trade.commit.is_none()
            && !trade.state.is_ended()
            && trade.state != TradeState::Releasing
            && trade.transaction.as_ref() == Some(&commit.transaction)
            && commit.check().is_ok();
        if !fits {
            return Ok(());
        }
        trade.commit = Some(commit);
        TRADES.put(step.tx, &key, &trade);
        self.advance(step, trade)
    }

    /// Signs the commit under every tag of this part and sends the part to the notary.
    fn sign(
        &self,
        step: &mut Step<'_, '_>,
        mut trade: Trade,
        commit: &Commit,
    ) -> Result<(), StorageError> {
        let key = trade.key();
        let (Some(plan), Ok(id)) = (PLANS.get(step.tx, &key)?, commit.check()) else {
            return self.fail(step, &key, Reason::Approval);
        };
        let mut openings = Vec::with_capacity(plan.tag_salts.len());
        for (spend_key, salt) in self.spend_keys(step.tx, &plan)? {
            let Ok(signature) = tag::sign(&spend_key, id.0, &mut step.rng) else {
                return self.fail(step, &key, Reason::Internal);
            };
            openings.push(TagOpening { salt, tag: spend_key.tag(), signature });
        }
        // In the order of their hashes: where the padding stands says nothing.
        openings.sort_by_key(|opening| crate::transaction::tag_hash(&opening.salt, &opening.tag));
        let transaction = &commit.transaction;
        let Ok(openings) = openings.try_into() else {
            return self.fail(step, &key, Reason::TooLarge);
        };
        let part = NotaryPart {
            window: transaction.window,
            legs_root: transaction.legs_root(),
            approvals_root: commit.approvals_root(),
            tags: transaction.tags.clone(),
            openings,
        };
        let (notary, until) = (transaction.notary, transaction.window.until);
        self.move_to(step, &mut trade, TradeState::Notarising, Some(notary));
        TRADES.put(step.tx, &key, &trade);
        self.tell(step, &key, notary, Some(until), Message::Notarise(part))
    }

    /// This custodian's side of a transaction.
    pub(super) fn by_tx(
        &self,
        step: &Step<'_, '_>,
        tx: TxId,
        initiates: bool,
    ) -> Result<Option<Trade>, StorageError> {
        let Some(key) = BY_TX.get(step.tx, &(tx, initiates))? else { return Ok(None) };
        // A trade that was instructed again has another transaction.
        Ok(TRADES.get(step.tx, &key)?.filter(|trade| trade.tx() == Some(tx)))
    }
}

/// A window of about `length_ms` that is no longer than `max_ms` after rounding.
fn window(now: u64, length_ms: u64, max_ms: u64) -> Window {
    let slack = crate::transaction::WINDOW_STEP_MS.saturating_mul(3);
    Window::around(now, length_ms.min(max_ms.saturating_sub(slack)))
}
