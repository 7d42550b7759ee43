//! From the notary's answer to settled notes; and what happens when it does not come.

use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::tag;
use sudare_crypto::{Bounded, Encoded, Hash, NodeId};
use sudare_disclosure::AssetTerms;

use super::notes::{NoteRow, NoteState};
use super::trade::{Plan, Side, Trade, TradeKey, TradeState};
use super::{ALLEGED, Custodian, DRAFTS, NOTES, PLANS, SLOTS, SlotRow, Step, TRADES, done};
use crate::kv::StorageError;
use crate::leg::TearOff;
use crate::log::{Absence, EntryLeaf, Receipt};
use crate::messages::{Finalisation, Message, Reason, Settlement};
use crate::note::Note;
use crate::role::Answer;
use crate::transaction::TxId;
use crate::tree::{LogKind, SignedCheckpoint, SignerName};

/// An account with more live notes than this has some merged.
const NOTES_MANY: u64 = 48;
/// How long until the notary is asked again, ms.
const RELEASE_RETRY_MS: u64 = 30_000;
/// How long after a window's end the notary is asked, ms.
const GRACE_MS: u64 = 500;
/// How long the sender of a final leg has to have it appended before its receiver does, ms.
const SILENT_MS: u64 = 10_000;

impl Custodian {
    /// The notary recorded the commit: ask the registrar to append this side's leg.
    pub(super) fn notarised(
        &self,
        step: &mut Step<'_, '_>,
        receipt: Receipt,
    ) -> Result<(), StorageError> {
        for initiates in [true, false] {
            if let Some(trade) = self.by_tx(step, receipt.tx, initiates)? {
                self.receipt_came(step, trade, receipt)?;
            }
        }
        Ok(())
    }

    fn receipt_came(
        &self,
        step: &mut Step<'_, '_>,
        mut trade: Trade,
        receipt: Receipt,
    ) -> Result<(), StorageError> {
        let key = trade.key();
        let (Some(commit), Some(plan)) = (trade.commit.clone(), PLANS.get(step.tx, &key)?) else {
            return Ok(());
        };
        if trade.receipt.is_some() || trade.state == TradeState::Settled || !receipt.is_of(&commit)
        {
            return Ok(());
        }
        if trade.state == TradeState::Refused {
            self.lock_again(step, &plan, &key)?;
        }
        let Some(id) = commit.id() else { return Ok(()) };
        let mut signatures: Vec<LinearProof> = Vec::with_capacity(plan.inputs.len());
        for (spend_key, _) in self.spend_keys(step.tx, &plan)?.iter().take(plan.inputs.len()) {
            if let Ok(signature) = tag::sign(spend_key, id.0, &mut step.rng) {
                signatures.push(signature);
            }
        }
        let registrar =
            commit.transaction.legs.get(usize::from(plan.index)).map(|leg| leg.registrar);
        let (Some(registrar), Ok(signatures)) = (registrar, signatures.try_into()) else {
            return Ok(());
        };
        trade.receipt = Some(receipt);
        trade.reason = None;
        self.move_to(step, &mut trade, TradeState::Finalising, Some(registrar));
        TRADES.put(step.tx, &key, &trade);
        let finalisation = Finalisation { commit, index: plan.index, receipt, signatures };
        self.alarm(step, &key, step.now.saturating_add(SILENT_MS))?;
        self.tell(step, &key, registrar, None, Message::Finalise(finalisation))
    }

    /// The notary recorded what it had signed to be absent: the notes are spent for it, so no other trade may have them.
    fn lock_again(
        &self,
        step: &Step<'_, '_>,
        plan: &Plan,
        key: &TradeKey,
    ) -> Result<(), StorageError> {
        let mut live = Vec::with_capacity(plan.inputs.len());
        for id in &plan.inputs {
            live.extend(NOTES.get(step.tx, id)?.filter(|row| row.state == NoteState::Live));
        }
        self.lock(step, &live, plan.outgoing, key)
    }

    /// The leg that pays this side is final and not appended: its sender may be silent, so this side has it appended.
    fn finalise_other(&self, step: &mut Step<'_, '_>, trade: &Trade) -> Result<(), StorageError> {
        let (Some(commit), Some(receipt)) = (&trade.commit, trade.receipt) else { return Ok(()) };
        let other = 1u8.saturating_sub(trade.own_index());
        let bit = 1u8.checked_shl(u32::from(other)).unwrap_or(0);
        let leg = commit.transaction.legs.get(usize::from(other));
        let Some(leg) = leg.filter(|_| trade.settled_legs & bit == 0) else { return Ok(()) };
        let (commit, signatures) = (commit.clone(), Bounded::default());
        let finalisation = Finalisation { commit, index: other, receipt, signatures };
        let again = step.now.saturating_add(RELEASE_RETRY_MS);
        self.alarm(step, &trade.key(), again)?;
        let message = Message::Finalise(finalisation);
        self.tell(step, &trade.key(), leg.registrar, Some(again), message)
    }

    /// The notary can't record the part.
    pub(super) fn not_recorded(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        tx: TxId,
        reason: Reason,
    ) -> Result<(), StorageError> {
        for initiates in [true, false] {
            let Some(mut trade) = self.by_tx(step, tx, initiates)? else { continue };
            let notary = trade.transaction.as_ref().map(|transaction| transaction.notary);
            if notary != Some(from) || trade.state != TradeState::Notarising {
                continue;
            }
            trade.reason = trade.reason.or(Some(reason));
            self.move_to(step, &mut trade, TradeState::Releasing, notary);
            TRADES.put(step.tx, &trade.key(), &trade);
        }
        Ok(())
    }

    /// The registrar could not append the leg. The trade stays, with the reason, for the operator: the spend is recorded.
    pub(super) fn not_final(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        tx: TxId,
        index: u8,
        reason: Reason,
    ) -> Result<(), StorageError> {
        let Some(mut trade) = self.by_tx(step, tx, index == 0)? else { return Ok(()) };
        if trade.state == TradeState::Finalising && trade.waiting == Some(from) {
            trade.reason = Some(reason);
            TRADES.put(step.tx, &trade.key(), &trade);
        }
        Ok(())
    }

    /// A deadline of a trade has come.
    pub(super) fn deadline(
        &self,
        step: &mut Step<'_, '_>,
        key: &TradeKey,
    ) -> Result<(), StorageError> {
        if let Some((proposal, _)) = ALLEGED.get(step.tx, key)?
            && proposal.expires_at <= step.now
        {
            self.take_alleged(step, key)?;
        }
        let Some(mut trade) = TRADES.get(step.tx, key)? else { return Ok(()) };
        if trade.state.is_ended() {
            return Ok(());
        }
        if trade.receipt.is_some() {
            return self.finalise_other(step, &trade);
        }
        let Some(transaction) = trade.transaction.clone() else {
            if trade.instruction.expires_at > step.now {
                return Ok(());
            }
            self.fail(step, key, Reason::Lapsed)?;
            return self.left_queue(step, &trade);
        };
        let until = transaction.window.until;
        if step.now < until.saturating_add(GRACE_MS) {
            self.alarm(step, key, until.saturating_add(GRACE_MS))?;
            return Ok(());
        }
        // Nobody but the notary can say that nothing was spent.
        let Some(tx) = transaction.id() else { return Ok(()) };
        trade.reason = trade.reason.or(Some(Reason::Lapsed));
        self.move_to(step, &mut trade, TradeState::Releasing, Some(transaction.notary));
        TRADES.put(step.tx, key, &trade);
        let ask = Message::AskAbsence { tx, window: transaction.window };
        // Asked again until it answers: nothing else ends the lock. The question before is dropped.
        let again = step.now.saturating_add(RELEASE_RETRY_MS);
        self.alarm(step, key, again)?;
        self.tell(step, key, transaction.notary, Some(again), ask)
    }

    /// The notary's word that a transaction is not in its log: locks end, here and at the registrar.
    pub(super) fn absent(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        absence: Absence,
    ) -> Result<(), StorageError> {
        for initiates in [true, false] {
            if let Some(trade) = self.by_tx(step, absence.tx, initiates)? {
                self.absence_came(step, from, trade, absence)?;
            }
        }
        Ok(())
    }

    fn absence_came(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        trade: Trade,
        absence: Absence,
    ) -> Result<(), StorageError> {
        let Some(transaction) = &trade.transaction else { return Ok(()) };
        let until = transaction.window.until;
        if transaction.notary != from
            || trade.receipt.is_some()
            || trade.state.is_ended()
            || !absence.is_valid(self.network, from, until)
        {
            return Ok(());
        }
        let registrar =
            transaction.legs.get(usize::from(trade.own_index())).map(|leg| leg.registrar);
        if let Some(registrar) = registrar {
            self.tell(step, &trade.key(), registrar, None, Message::Absent(absence))?;
        }
        self.end_refused(step, trade)
    }

    /// A leg is final: take the notes it made for this custodian's investors, and end those it spent.
    ///
    /// Enforces [FIN-3]: a receiver takes a note only with every approval under `m`, the notary's receipt, its components
    /// under the leg's root, and its inclusion in the asset log; it needs nothing else, whatever the note's past.
    pub(super) fn settled(
        &self,
        step: &mut Step<'_, '_>,
        from: NodeId,
        settlement: Settlement,
    ) -> Result<Answer, StorageError> {
        let Some(tx) = settlement.commit.transaction.id() else {
            return Ok(Err(Reason::Malformed));
        };
        let transaction = &settlement.commit.transaction;
        let Some(leg) = transaction.legs.get(usize::from(settlement.index)).copied() else {
            return Ok(Err(Reason::Malformed));
        };
        if leg.registrar != from {
            return Ok(Err(Reason::WrongRole));
        }
        if settlement.commit.check().is_err() {
            return Ok(Err(Reason::Approval));
        }
        if !settlement.receipt.is_of(&settlement.commit) {
            return Ok(Err(Reason::Receipt));
        }
        let mut received = Vec::new();
        for components in &settlement.components {
            match self.check_components(step, tx, leg.root, &settlement, components)? {
                Ok(row) => received.push(row),
                Err(reason) => return Ok(Err(reason)),
            }
        }
        // Whatever a trade of this side takes as settled must be in the log, with the output that it is owed.
        for initiates in [true, false] {
            let Some(trade) = self.by_tx(step, tx, initiates)? else { continue };
            let own = settlement.index == trade.own_index();
            let (deliver, receive) = (&trade.instruction.deliver, &trade.instruction.receive);
            let movement = if own && deliver.is_some() { deliver } else { receive };
            let Some(movement) = movement else { continue };
            let Some(terms) = self.terms_of(step.tx, movement.asset)? else { continue };
            if !is_in_log(&settlement, tx, leg.root, &terms) {
                return Ok(Err(Reason::Receipt));
            }
        }
        // The other leg may be in its log before this side has the notary's own word.
        self.notarised(step, settlement.receipt)?;
        for (owner, mut slot, row) in received {
            slot.used = true;
            SLOTS.put(step.tx, &owner, &slot);
            self.receive_note(step, &row)?;
            self.leg_settled(step, &slot.trade, &settlement, Some(row.value))?;
            self.after_receipt(step, &row)?;
        }
        for initiates in [true, false] {
            if let Some(trade) = self.by_tx(step, tx, initiates)? {
                self.leg_settled(step, &trade.key(), &settlement, None)?;
            }
        }
        done()
    }

    /// Checks one output of a settled leg, and gives the slot it pays into and the note it makes.
    fn check_components(
        &self,
        step: &Step<'_, '_>,
        tx: TxId,
        root: Hash,
        settlement: &Settlement,
        components: &TearOff,
    ) -> Result<Result<(Encoded, SlotRow, NoteRow), Reason>, StorageError> {
        if components.check(settlement.index, root).is_err() {
            return Ok(Err(Reason::LegMismatch));
        }
        let Ok((_, output)) = components.output() else { return Ok(Err(Reason::Malformed)) };
        let owner = output.slot.slot.owner;
        let Some(slot) = SLOTS.get(step.tx, &owner)? else { return Ok(Err(Reason::SlotUsed)) };
        let Some(terms) = self.terms_of(step.tx, slot.asset)? else {
            return Ok(Err(Reason::UnknownAsset));
        };
        let leg = settlement.commit.transaction.legs.get(usize::from(settlement.index));
        if leg.is_none_or(|leg| leg.registrar != terms.core.registrar)
            || settlement.receipt.tx != tx
            || settlement.commit.transaction.notary != terms.core.notary
            || settlement.commit.transaction.network != self.network
        {
            return Ok(Err(Reason::LegMismatch));
        }
        if !is_in_log(settlement, tx, root, &terms) {
            return Ok(Err(Reason::Receipt));
        }
        let secrets = self.investor_seed(&slot.investor).slot(slot.asset, &slot.nonce);
        let Ok(received) = components.receive(&terms, &secrets) else {
            return Ok(Err(Reason::Memo));
        };
        let note = Note { asset: slot.asset, owner, commitment: output.commitment };
        // A second note in one slot would have the same tag: only the first counts.
        if slot.used && !NOTES.contains(step.tx, &note.id())? {
            return Ok(Err(Reason::SlotUsed));
        }
        let row = NoteRow {
            note,
            investor: slot.investor.clone(),
            value: received.opening.value,
            blinding: sudare_crypto::Secret(received.opening.blinding),
            nonce: slot.nonce,
            made_by: tx,
            state: NoteState::Live,
        };
        Ok(Ok((owner, slot, row)))
    }

    /// Marks one leg of a trade as appended; the trade is settled when all are.
    fn leg_settled(
        &self,
        step: &mut Step<'_, '_>,
        key: &TradeKey,
        settlement: &Settlement,
        paid: Option<u64>,
    ) -> Result<(), StorageError> {
        let Some(mut trade) = TRADES.get(step.tx, key)? else { return Ok(()) };
        // A counterparty may pay into a slot in another transaction than the one agreed on: the note is taken, the trade goes on.
        let agreed = match trade.tx() {
            Some(tx) => settlement.commit.transaction.id() == Some(tx),
            None => {
                let wanted = trade.instruction.receive.as_ref().map(|movement| movement.quantity);
                trade.legs() == 1 && settlement.index == 0 && paid.is_some() && paid == wanted
            }
        };
        if !agreed {
            return Ok(());
        }
        // The leg that owes this side something settles it only with the output itself.
        let pays = trade.instruction.deliver.is_some();
        let owed = trade.instruction.receive.as_ref().map(|movement| movement.quantity);
        let owing = settlement.index != trade.own_index() || !pays;
        if owing && (owed.is_none() || paid != owed) {
            return Ok(());
        }
        let bit = 1u8.checked_shl(u32::from(settlement.index)).unwrap_or(0);
        if trade.state == TradeState::Settled || trade.settled_legs & bit != 0 {
            return Ok(());
        }
        trade.settled_legs |= bit;
        if trade.transaction.is_none() {
            trade.transaction = Some(settlement.commit.transaction.clone());
        }
        trade.receipt = trade.receipt.or(Some(settlement.receipt));
        let mut freed = None;
        if pays
            && settlement.index == trade.own_index()
            && let (Some(plan), Some(tx)) = (PLANS.get(step.tx, key)?, trade.tx())
        {
            self.release(step, &plan.inputs, plan.outgoing, key, Some(tx))?;
            DRAFTS.delete(step.tx, key);
            freed = Some((plan.asset, plan.investor));
        }
        let wanted = wanted_legs(&trade);
        if trade.settled_legs & wanted == wanted {
            trade.reason = None;
            self.move_to(step, &mut trade, TradeState::Settled, None);
        } else {
            let missing = usize::from(settlement.index == 0);
            let leg = settlement.commit.transaction.legs.get(missing);
            trade.waiting = leg.map(|leg| leg.registrar);
        }
        TRADES.put(step.tx, key, &trade);
        if let Some((asset, investor)) = freed {
            self.serve_queue(step, asset, &investor)?;
        }
        Ok(())
    }

    /// New notes let queued trades go on; too many of them are merged.
    fn after_receipt(&self, step: &mut Step<'_, '_>, row: &NoteRow) -> Result<(), StorageError> {
        self.serve_queue(step, row.note.asset, &row.investor)?;
        if self.balance(step, row.note.asset, &row.investor)?.notes > NOTES_MANY {
            self.consolidate(step, row.note.asset, &row.investor)?;
        }
        Ok(())
    }
}

/// The legs that must be appended before a trade is settled for this side.
fn wanted_legs(trade: &Trade) -> u8 {
    match (trade.instruction.side, trade.legs()) {
        (Side::Counterparty, 1) | (Side::Initiator | Side::Redeemer | Side::Consolidator, 1) => 1,
        _ => 3,
    }
}

/// Whether the entry is in the log that the registrar's checkpoint is of.
fn is_in_log(settlement: &Settlement, tx: TxId, root: Hash, terms: &AssetTerms) -> bool {
    let entry = &settlement.entry;
    let leaf = EntryLeaf::Leg { tx, index: settlement.index, root, body: entry.body };
    let network = terms.core.network.to_string();
    let Ok(origin) = SignerName::of_log(&network, LogKind::Asset, terms.asset().0.as_bytes())
    else {
        return false;
    };
    let Ok(checkpoint) = SignedCheckpoint::parse(&entry.checkpoint) else { return false };
    let Ok(checkpoint) = checkpoint.open(&origin, &terms.core.registrar) else { return false };
    entry.path.verify(&leaf.hash(), entry.index, checkpoint.size, &checkpoint.root).is_ok()
}
