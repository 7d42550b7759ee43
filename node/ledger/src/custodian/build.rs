//! Planning and building this side's own leg.

use rand_core::{CryptoRngCore, RngCore};
use sudare_crypto::derive::Seed;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::range::OUTPUTS_MAX;
use sudare_crypto::proof::tag::SpendKey;
use sudare_crypto::{Encoded, Hash, pairs};
use sudare_disclosure::AssetId;

use super::notes::{Chosen, NoteRow};
use super::trade::{Movement, Plan, Side, Trade, TradeKey, TradeState};
use super::{Custodian, DRAFTS, Draft, Investor, Job, LIVE, NOTES, PLANS, Step, TRADES};
use crate::kv::{Kv, StorageError};
use crate::leg::{BuildError, BuiltLeg, INPUTS_MAX, LegRequest, Purpose, SpendInput};
use crate::messages::{CounterPart, Reason};
use crate::role::start;
use crate::transaction::{padded, tag_hash};

impl Custodian {
    /// Chooses notes, locks them and starts building; or queues the trade, or ends it.
    pub(super) fn plan(
        &self,
        step: &mut Step<'_, '_>,
        mut trade: Trade,
    ) -> Result<(), StorageError> {
        let key = trade.key();
        let Some(deliver) = trade.instruction.deliver.clone() else {
            return self.fail(step, &key, Reason::Malformed);
        };
        let queued = trade.state == TradeState::Queued;
        let chosen = if trade.instruction.side == Side::Consolidator {
            self.smallest(step, deliver.asset, &deliver.investor)?
        } else if !queued && self.has_queue(step, deliver.asset, &deliver.investor)? {
            // Those that came before have their turn first.
            Chosen::Wait
        } else {
            self.choose(step, deliver.asset, &deliver.investor, deliver.quantity)?
        };
        let (notes, worth) = match chosen {
            Chosen::Notes(notes, worth) => (notes, worth),
            Chosen::TooLittle => return self.fail(step, &key, Reason::Overspend),
            Chosen::Wait | Chosen::Fragmented => {
                let fragmented = matches!(chosen, Chosen::Fragmented);
                if !queued {
                    self.move_to(step, &mut trade, TradeState::Queued, Some(self.key.id()));
                    TRADES.put(step.tx, &key, &trade);
                    self.enqueue(step, deliver.asset, &deliver.investor, &key)?;
                }
                if fragmented {
                    self.consolidate(step, deliver.asset, &deliver.investor)?;
                }
                return Ok(());
            }
        };
        let change = worth.saturating_sub(deliver.quantity);
        let Some(plan) = self.make_plan(step, &trade, &deliver, &notes, change)? else {
            return self.fail(step, &key, Reason::StaleTerms);
        };
        self.lock(step, &notes, plan.outgoing, &key)?;
        PLANS.put(step.tx, &key, &plan);
        self.move_to(step, &mut trade, TradeState::Building, None);
        TRADES.put(step.tx, &key, &trade);
        start(step.tx, &Job::Build(key))?;
        Ok(())
    }

    fn make_plan(
        &self,
        step: &mut Step<'_, '_>,
        trade: &Trade,
        deliver: &Movement,
        notes: &[NoteRow],
        change: u64,
    ) -> Result<Option<Plan>, StorageError> {
        let key = trade.key();
        let mut outputs = Vec::new();
        if let Some(slot) = &trade.their_slot {
            outputs.push((slot.clone(), deliver.quantity));
        }
        if change > 0 {
            let slot_ms = trade.instruction.slot_ms.max(trade.instruction.window_ms);
            let (asset, investor) = (deliver.asset, &deliver.investor);
            // Random, so that change looks like any other output.
            let mut proposal = Hash::default();
            step.rng.fill_bytes(&mut proposal.0);
            let slot = self.make_slot(step, &key, asset, investor, proposal, slot_ms)?;
            let Some(slot) = slot else { return Ok(None) };
            outputs.push((slot, change));
        }
        debug_assert!(outputs.len() <= OUTPUTS_MAX);
        // Their order says nothing: owner commitments are random.
        outputs.sort_by_key(|(slot, _)| slot.slot.owner);
        let count = padded(notes.len()).unwrap_or(notes.len());
        let mut random = |count: usize| -> Vec<[u8; 32]> {
            let draw = |_| {
                let mut bytes = [0; 32];
                step.rng.fill_bytes(&mut bytes);
                bytes
            };
            (0..count).map(draw).collect()
        };
        Ok(Some(Plan {
            index: trade.own_index(),
            purpose: if trade.instruction.side == Side::Redeemer {
                Purpose::Redeem
            } else {
                Purpose::Transfer
            },
            asset: deliver.asset,
            investor: deliver.investor.clone(),
            inputs: notes.iter().map(|row| row.note.id()).collect(),
            outputs,
            outgoing: deliver.quantity,
            tag_salts: random(count),
            padding: random(count.saturating_sub(notes.len())),
        }))
    }

    /// The least valuable live notes of an account.
    fn smallest(
        &self,
        step: &Step<'_, '_>,
        asset: AssetId,
        investor: &Investor,
    ) -> Result<Chosen, StorageError> {
        let under = sudare_crypto::encoding::encode(&(asset, investor.clone()));
        let rows = LIVE.rows_under(step.tx, &under, None, 4096)?;
        let (mut notes, mut worth) = (Vec::new(), 0u64);
        for ((_, _, _, id), ()) in rows.iter().rev().take(INPUTS_MAX) {
            let row = NOTES.get(step.tx, id)?.ok_or(StorageError::Damaged("live note"))?;
            worth = worth.saturating_add(row.value);
            notes.push(row);
        }
        Ok(if notes.is_empty() { Chosen::TooLittle } else { Chosen::Notes(notes, worth) })
    }

    /// Builds the leg that a trade has planned. Runs on the CPU pool.
    pub(super) fn build_leg(
        &self,
        kv: &dyn Kv,
        key: &TradeKey,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Result<Draft, Reason>, StorageError> {
        let (Some(plan), Some(trade)) = (PLANS.get(kv, key)?, TRADES.get(kv, key)?) else {
            return Ok(Err(Reason::Internal));
        };
        let Some(terms) = self.terms_of(kv, plan.asset)? else {
            return Ok(Err(Reason::UnknownAsset));
        };
        // The leg is for the epoch of the slots it pays into; without any, for the newest one that is open.
        let epoch = plan.outputs.first().map(|(slot, _)| slot.slot.context.epoch);
        let epoch = match epoch {
            Some(number) => terms.policy.epoch(number),
            None => terms.policy.epoch_at(trade.since),
        };
        let Some(epoch) = epoch else { return Ok(Err(Reason::StaleTerms)) };
        let seed = self.investor_seed(&plan.investor);
        let mut inputs = Vec::with_capacity(plan.inputs.len());
        for id in &plan.inputs {
            let row = NOTES.get(kv, id)?.ok_or(StorageError::Damaged("planned note"))?;
            inputs.push(SpendInput {
                note: row.note,
                opening: Opening { value: row.value, blinding: row.blinding.0 },
                secrets: seed.slot(plan.asset, &row.nonce),
            });
        }
        let burn = if plan.purpose == Purpose::Redeem { plan.outgoing } else { 0 };
        let request = LegRequest {
            terms: &terms,
            epoch,
            purpose: plan.purpose,
            mint: 0,
            burn,
            inputs,
            outputs: plan.outputs.clone(),
            trade: trade.instruction.trade.clone(),
            sender: trade.instruction.reference.clone(),
        };
        Ok(match BuiltLeg::build(&request, rng) {
            Ok(BuiltLeg { leg, salt }) => Ok(Draft { leg, salt }),
            // Planned from rows of this node, so it is this node's fault.
            Err(BuildError::Unbalanced) => Err(Reason::Internal),
            Err(error) => Err(error.into()),
        })
    }

    /// The own leg is built: assemble the transaction, or hand its root to the initiator.
    pub(super) fn built(
        &self,
        step: &mut Step<'_, '_>,
        key: &TradeKey,
        result: Result<Box<Draft>, Reason>,
    ) -> Result<(), StorageError> {
        let Some(mut trade) = TRADES.get(step.tx, key)? else { return Ok(()) };
        let Some(plan) = PLANS.get(step.tx, key)? else { return Ok(()) };
        if trade.state != TradeState::Building {
            return Ok(());
        }
        let draft = match result {
            Ok(draft) => *draft,
            Err(reason) => return self.fail(step, key, reason),
        };
        if !self.is_of_plan(step.tx, &plan, &draft)? {
            // Of the plan before the trade was instructed again; the leg of this one is still being built.
            return Ok(());
        }
        DRAFTS.put(step.tx, key, &draft);
        let tags = self.tag_hashes(step.tx, &plan)?;
        if trade.instruction.side != Side::Counterparty {
            return self.assemble(step, trade, &plan, &draft, tags);
        }
        let (Some(slot), Some(proposal)) = (trade.own_slot.clone(), trade.proposal.clone()) else {
            return self.fail(step, key, Reason::Internal);
        };
        let mut tags = tags;
        tags.sort_unstable();
        let Ok(tags) = tags.try_into() else { return self.fail(step, key, Reason::TooLarge) };
        let part = CounterPart { root: draft.leg.root(plan.index, &draft.salt), tags };
        self.move_to(step, &mut trade, TradeState::Accepted, Some(key.counterparty));
        TRADES.put(step.tx, key, &trade);
        self.accept(step, &trade, proposal.hash(), slot, Some(part))
    }

    /// The keys behind a part's tags, inputs first, then padding, with the salt of each.
    pub(super) fn spend_keys(
        &self,
        kv: &(impl Kv + ?Sized),
        plan: &Plan,
    ) -> Result<Vec<(SpendKey, [u8; 32])>, StorageError> {
        let seed = self.investor_seed(&plan.investor);
        let mut keys = Vec::with_capacity(plan.tag_salts.len());
        for id in &plan.inputs {
            let row = NOTES.get(kv, id)?.ok_or(StorageError::Damaged("planned note"))?;
            keys.push(seed.slot(plan.asset, &row.nonce).spend_key());
        }
        for padding in &plan.padding {
            let seed = Seed(*padding);
            let (account, tag) =
                (seed.scalar(b"padding account", b""), seed.scalar(b"padding tag", b""));
            keys.push(SpendKey { account: account.0, tag: tag.0 });
        }
        let pairs = pairs(&keys, &plan.tag_salts).ok_or(StorageError::Damaged("plan"))?;
        Ok(pairs.map(|(key, salt)| (key.clone(), *salt)).collect())
    }

    fn is_of_plan(
        &self,
        kv: &(impl Kv + ?Sized),
        plan: &Plan,
        draft: &Draft,
    ) -> Result<bool, StorageError> {
        let keys = self.spend_keys(kv, plan)?;
        let tags = keys.iter().take(plan.inputs.len()).map(|(key, _)| key.tag());
        let slots = plan.outputs.iter().map(|(slot, _)| slot);
        Ok(tags.eq(draft.leg.inputs.iter().map(|input| input.tag))
            && slots.eq(draft.leg.outputs.iter().map(|output| &output.slot)))
    }

    /// The salted hashes of a part's tags.
    pub(super) fn tag_hashes(
        &self,
        kv: &(impl Kv + ?Sized),
        plan: &Plan,
    ) -> Result<Vec<Hash>, StorageError> {
        let keys = self.spend_keys(kv, plan)?;
        Ok(keys.iter().map(|(key, salt)| tag_hash(salt, &key.tag())).collect())
    }
}

/// The number of the output that pays into the slot of this owner.
pub(super) fn output_of(draft: &Draft, owner: Encoded) -> Option<u8> {
    let position = draft.leg.outputs.iter().position(|output| output.slot.slot.owner == owner)?;
    u8::try_from(position).ok()
}
