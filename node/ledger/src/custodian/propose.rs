//! Matching: proposals, slots and acceptances.

use rand_core::RngCore;
use sudare_crypto::encoding::Version;
use sudare_crypto::{Claims, Hash, NodeId, pairs};
use sudare_disclosure::{AssetId, AssetTerms, Epoch};

use super::trade::{Side, Trade, TradeKey, TradeState};
use super::{
    ALLEGED, ALLEGED_COUNT, BY_PROPOSAL, Custodian, Investor, SLOTS, SlotRow, Step, TRADES, done,
};
use crate::kv::StorageError;
use crate::messages::{Acceptance, CounterPart, Message, Proposal, ProposedLeg, Reason};
use crate::role::Answer;
use crate::slot::{SignedSlot, Slot, SlotContext};

/// The longest life of a proposal, ms: a week.
const PROPOSAL_MS_MAX: u64 = 7 * 24 * 3_600_000;
/// The most proposals of one party that are kept without an instruction.
const ALLEGED_PER_PARTY_MAX: u64 = 512;
/// The most proposals that are kept without an instruction. Far more than any one party may have.
const ALLEGED_MAX: u64 = 16_384;

impl Custodian {
    /// Sends the proposal of an initiator's instruction, with the slot for what comes back.
    pub(super) fn propose(
        &self,
        step: &mut Step<'_, '_>,
        mut trade: Trade,
    ) -> Result<(), StorageError> {
        let key = trade.key();
        let mut legs = Vec::new();
        for movement in
            [&trade.instruction.deliver, &trade.instruction.receive].into_iter().flatten()
        {
            let Some((terms, epoch)) = self.in_force(step, movement.asset)? else {
                return self.fail(step, &key, Reason::StaleTerms);
            };
            legs.push(ProposedLeg {
                asset: movement.asset,
                terms: terms.hash(),
                epoch: epoch.number,
                quantity: movement.quantity,
            });
        }
        let Ok(legs) = legs.try_into() else { return self.fail(step, &key, Reason::Malformed) };
        let mut salt = [0; 32];
        step.rng.fill_bytes(&mut salt);
        let proposal = Proposal {
            version: Version,
            network: self.network,
            salt,
            trade_id: key.trade_id.clone(),
            delivery_date: trade.instruction.trade.delivery_date.clone(),
            initiator: self.key.id(),
            counterparty: key.counterparty,
            expires_at: trade.instruction.expires_at,
            legs,
        };
        if let Some(receive) = trade.instruction.receive.clone() {
            let slot = self.make_slot(
                step,
                &key,
                receive.asset,
                &receive.investor,
                proposal.hash(),
                trade.instruction.slot_ms,
            )?;
            let Some(slot) = slot else { return self.fail(step, &key, Reason::StaleTerms) };
            trade.own_slot = Some(slot);
        }
        BY_PROPOSAL.put(step.tx, &(proposal.hash(), true), &key);
        let message = Message::Propose(proposal.clone(), trade.own_slot.clone());
        trade.proposal = Some(proposal);
        self.move_to(step, &mut trade, TradeState::Matching, Some(key.counterparty));
        TRADES.put(step.tx, &key, &trade);
        self.tell(step, &key, key.counterparty, Some(trade.instruction.expires_at), message)
    }

    /// A proposal came: match it with this side's instruction, or keep it until one comes.
    pub(super) fn proposed(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        proposal: Proposal,
        slot: Option<SignedSlot>,
    ) -> Result<Answer, StorageError> {
        if proposal.initiator != from
            || proposal.counterparty != self.key.id()
            || proposal.network != self.network
            || (proposal.legs.len() == 2) != slot.is_some()
        {
            return Ok(Err(Reason::Malformed));
        }
        if proposal.expires_at <= step.now {
            return Ok(Err(Reason::Lapsed));
        }
        if proposal.expires_at > step.now.saturating_add(PROPOSAL_MS_MAX) {
            return Ok(Err(Reason::TooLarge));
        }
        let trade_id = proposal.trade_id.clone();
        let key = TradeKey { trade_id, counterparty: from, initiates: false };
        match TRADES.get(step.tx, &key)? {
            Some(trade) if trade.proposal.is_none() && trade.state == TradeState::Matching => {
                self.matched(step, trade, proposal, slot)?;
                done()
            }
            Some(trade) if trade.state == TradeState::Settled => done(),
            // Repeated. Another one is for when the trade is refused and instructed again.
            _ if BY_PROPOSAL.contains(step.tx, &(proposal.hash(), false))? => done(),
            _ => self.allege(step, &key, proposal, slot),
        }
    }

    /// Keeps a proposal until this side is instructed, or it lapses. Of several for one trade, that which lapses last.
    fn allege(
        &self,
        step: &Step<'_, '_>,
        key: &TradeKey,
        proposal: Proposal,
        slot: Option<SignedSlot>,
    ) -> Result<Answer, StorageError> {
        let kept = match self.take_alleged(step, key)? {
            Some(before) if before.0.expires_at > proposal.expires_at => before,
            _ => (proposal, slot),
        };
        let count = |of| Ok::<u64, StorageError>(ALLEGED_COUNT.get(step.tx, &of)?.unwrap_or(0));
        let (own, all) = (count(Some(key.counterparty))?, count(None)?);
        if own >= ALLEGED_PER_PARTY_MAX || all >= ALLEGED_MAX {
            return Ok(Err(Reason::TooLarge));
        }
        ALLEGED_COUNT.put(step.tx, &Some(key.counterparty), &own.saturating_add(1));
        ALLEGED_COUNT.put(step.tx, &None, &all.saturating_add(1));
        self.alarm(step, key, kept.0.expires_at)?;
        ALLEGED.put(step.tx, key, &kept);
        done()
    }

    /// Takes a proposal out of those that wait for an instruction.
    pub(super) fn take_alleged(
        &self,
        step: &Step<'_, '_>,
        key: &TradeKey,
    ) -> Result<Option<(Proposal, Option<SignedSlot>)>, StorageError> {
        let Some(alleged) = ALLEGED.get(step.tx, key)? else { return Ok(None) };
        ALLEGED.delete(step.tx, key);
        for of in [Some(key.counterparty), None] {
            match ALLEGED_COUNT.get(step.tx, &of)?.unwrap_or(0).saturating_sub(1) {
                0 => ALLEGED_COUNT.delete(step.tx, &of),
                count => ALLEGED_COUNT.put(step.tx, &of, &count),
            }
        }
        Ok(Some(alleged))
    }

    /// Proposal and instruction of this side are both there.
    pub(super) fn matched(
        &self,
        step: &mut Step<'_, '_>,
        mut trade: Trade,
        proposal: Proposal,
        slot: Option<SignedSlot>,
    ) -> Result<(), StorageError> {
        let key = trade.key();
        let hash = proposal.hash();
        BY_PROPOSAL.put(step.tx, &(hash, false), &key);
        trade.proposal = Some(proposal.clone());
        TRADES.put(step.tx, &key, &trade);
        // From this side, leg 0 is what comes and leg 1 what leaves.
        let wanted = [trade.instruction.receive.clone(), trade.instruction.deliver.clone()];
        let wanted: Vec<_> = wanted.into_iter().flatten().collect();
        let same = pairs(&wanted, &proposal.legs).is_some_and(|mut pairs| {
            pairs.all(|(movement, leg)| {
                movement.asset == leg.asset && movement.quantity == leg.quantity
            })
        });
        if !same || trade.instruction.trade.delivery_date != proposal.delivery_date {
            return self.decline(step, &key, hash, Reason::NoMatch);
        }
        for leg in &proposal.legs {
            let fits = self.in_force(step, leg.asset)?.is_some_and(|(terms, epoch)| {
                terms.hash() == leg.terms && epoch.number == leg.epoch
            });
            if !fits {
                return self.decline(step, &key, hash, Reason::StaleTerms);
            }
        }
        let Some(receive) = trade.instruction.receive.clone() else {
            return self.decline(step, &key, hash, Reason::NoMatch);
        };
        let own = self.make_slot(
            step,
            &key,
            receive.asset,
            &receive.investor,
            hash,
            trade.instruction.slot_ms,
        )?;
        let Some(own) = own else { return self.decline(step, &key, hash, Reason::StaleTerms) };
        trade.own_slot = Some(own.clone());
        let Some(slot) = slot else {
            self.move_to(step, &mut trade, TradeState::Accepted, Some(key.counterparty));
            TRADES.put(step.tx, &key, &trade);
            return self.accept(step, &trade, hash, own, None);
        };
        let leg = proposal.legs.get(1).copied();
        if let Err(reason) = self.check_slot(step, &slot, hash, key.counterparty, leg)? {
            return self.decline(step, &key, hash, reason);
        }
        trade.their_slot = Some(slot);
        TRADES.put(step.tx, &key, &trade);
        self.plan(step, trade)
    }

    /// Tells the initiator that the trade does not take place.
    fn decline(
        &self,
        step: &mut Step<'_, '_>,
        key: &TradeKey,
        proposal: Hash,
        reason: Reason,
    ) -> Result<(), StorageError> {
        let abandon = Message::Abandon { proposal, reason };
        self.tell(step, key, key.counterparty, None, abandon)?;
        let Some(mut trade) = TRADES.get(step.tx, key)? else { return Ok(()) };
        trade.reason = Some(reason);
        self.end_refused(step, trade)
    }

    /// Answers a proposal.
    pub(super) fn accept(
        &self,
        step: &Step<'_, '_>,
        trade: &Trade,
        proposal: Hash,
        slot: SignedSlot,
        payment: Option<CounterPart>,
    ) -> Result<(), StorageError> {
        let until = trade.instruction.expires_at;
        let message = Message::Accept(Acceptance { proposal, slot, payment });
        self.tell(step, &trade.key(), trade.instruction.counterparty, Some(until), message)
    }

    /// The counterparty accepted: check its slot and build this side's leg.
    pub(super) fn accepted(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        acceptance: Acceptance,
    ) -> Result<(), StorageError> {
        let Some(mut trade) = self.by_proposal(step, from, acceptance.proposal, true)? else {
            return Ok(());
        };
        if trade.state != TradeState::Matching || trade.instruction.side != Side::Initiator {
            // Word of a trade given up may have come before the proposal, when nobody knew what it was about.
            return self.abandon_again(step, &trade);
        }
        let key = trade.key();
        let Some(proposal) = &trade.proposal else { return Ok(()) };
        if (proposal.legs.len() == 2) != acceptance.payment.is_some() {
            return self.fail(step, &key, Reason::Malformed);
        }
        let leg = proposal.legs.first().copied();
        if let Err(reason) =
            self.check_slot(step, &acceptance.slot, acceptance.proposal, from, leg)?
        {
            return self.fail(step, &key, reason);
        }
        trade.their_slot = Some(acceptance.slot);
        trade.their_part = acceptance.payment;
        TRADES.put(step.tx, &key, &trade);
        self.plan(step, trade)
    }

    /// The other side gave the trade up.
    pub(super) fn abandoned(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        proposal: Hash,
        reason: Reason,
    ) -> Result<(), StorageError> {
        for initiates in [true, false] {
            let trade = self.by_proposal(step, from, proposal, initiates)?;
            let Some(mut trade) = trade.filter(|trade| !trade.state.is_ended()) else { continue };
            let asked = trade.cancellation.own.is_some();
            let reason =
                if reason == Reason::Cancelled && !asked { Reason::Abandoned } else { reason };
            // A commit that this side has signed may still become final: the notary decides.
            if trade.commit.is_none() {
                self.fail(step, &trade.key(), reason)?;
                self.left_queue(step, &trade)?;
            } else if reason == Reason::Cancelled && trade.receipt.is_none() {
                trade.reason = Some(reason);
                TRADES.put(step.tx, &trade.key(), &trade);
            }
        }
        Ok(())
    }

    /// Makes and records a slot; none if the asset's terms are not in force.
    pub(super) fn make_slot(
        &self,
        step: &mut Step<'_, '_>,
        trade: &TradeKey,
        asset: AssetId,
        investor: &Investor,
        proposal: Hash,
        valid_ms: u64,
    ) -> Result<Option<SignedSlot>, StorageError> {
        let Some((terms, epoch)) = self.in_force(step, asset)? else { return Ok(None) };
        let nonce = self.unused_nonce(step, asset, investor)?;
        let context = SlotContext {
            version: Version,
            network: self.network,
            asset,
            terms: terms.hash(),
            epoch: epoch.number,
            receiver: self.key.id(),
            nonce,
            expires_at: step.now.saturating_add(valid_ms),
            proposal,
        };
        let secrets = self.investor_seed(investor).slot(asset, &nonce);
        let Ok(slot) = Slot::make(context, &secrets, &epoch, &mut step.rng) else {
            return Ok(None);
        };
        let row =
            SlotRow { asset, investor: investor.clone(), nonce, trade: trade.clone(), used: false };
        SLOTS.put(step.tx, &slot.owner, &row);
        Ok(Some(slot.sign(&self.key)))
    }

    /// A random nonce of which no slot was ever made.
    ///
    /// Enforces [NOTE-3] even if the generator repeats itself.
    fn unused_nonce(
        &self,
        step: &mut Step<'_, '_>,
        asset: AssetId,
        investor: &Investor,
    ) -> Result<[u8; 32], StorageError> {
        let seed = self.investor_seed(investor);
        let mut nonce = [0; 32];
        loop {
            step.rng.fill_bytes(&mut nonce);
            if !SLOTS.contains(step.tx, &seed.slot(asset, &nonce).owner())? {
                return Ok(nonce);
            }
        }
    }

    /// Checks a slot that this side is to pay into.
    fn check_slot(
        &self,
        step: &mut Step<'_, '_>,
        slot: &SignedSlot,
        proposal: Hash,
        receiver: NodeId,
        leg: Option<ProposedLeg>,
    ) -> Result<Result<(), Reason>, StorageError> {
        let context = &slot.slot.context;
        let Some(leg) = leg else { return Ok(Err(Reason::Malformed)) };
        let Some((terms, epoch)) = self.in_force(step, leg.asset)? else {
            return Ok(Err(Reason::UnknownAsset));
        };
        if context.network != self.network
            || context.proposal != proposal
            || context.receiver != receiver
            || context.asset != leg.asset
        {
            return Ok(Err(Reason::Malformed));
        }
        if context.terms != terms.hash() || context.epoch != epoch.number {
            return Ok(Err(Reason::StaleTerms));
        }
        if context.expires_at <= step.now {
            return Ok(Err(Reason::SlotExpired));
        }
        let mut claims = Claims::new();
        let proved =
            slot.check(&epoch, &mut claims).is_ok() && claims.accept(&mut step.rng).is_ok();
        Ok(if proved { Ok(()) } else { Err(Reason::Proof) })
    }

    /// The terms and the epoch in force of an asset.
    pub(super) fn in_force(
        &self,
        step: &Step<'_, '_>,
        asset: AssetId,
    ) -> Result<Option<(AssetTerms, Epoch)>, StorageError> {
        let terms = self.terms_of(step.tx, asset)?;
        Ok(terms.and_then(|terms| {
            let epoch = terms.policy.epoch_at(step.now).cloned()?;
            Some((terms, epoch))
        }))
    }
}
