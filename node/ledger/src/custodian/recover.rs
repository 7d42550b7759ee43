//! Recovering notes from seeds and the registrar's copy.

use sudare_crypto::{NodeId, Text};

use super::trade::{RECOVERED, TradeKey};
use super::{Custodian, Investor, SLOTS, SlotRow, Step};
use crate::kv::StorageError;
use crate::messages::{Reason, Settlement};
use crate::role::Answer;

impl Custodian {
    /// Records the slots of a settlement's outputs that an investor's seed reproduces, then takes the settlement as if it had
    /// just come: every check is the same.
    pub(super) fn recover(
        &self,
        step: &mut Step<'_, '_>,
        registrar: NodeId,
        investors: &[Investor],
        settlement: Settlement,
    ) -> Result<Answer, StorageError> {
        for components in &settlement.components {
            let Ok((_, output)) = components.output() else { return Ok(Err(Reason::Malformed)) };
            let slot = &output.slot.slot;
            if SLOTS.contains(step.tx, &slot.owner)? {
                continue;
            }
            let (asset, nonce) = (slot.context.asset, slot.context.nonce);
            let owner = |investor: &&Investor| {
                self.investor_seed(investor).slot(asset, &nonce).owner() == slot.owner
            };
            let Some(investor) = investors.iter().find(owner).cloned() else {
                return Ok(Err(Reason::UnknownAccount));
            };
            let trade_id = Text::new(RECOVERED).unwrap_or_default();
            let trade = TradeKey { trade_id, counterparty: registrar, initiates: false };
            SLOTS.put(
                step.tx,
                &slot.owner,
                &SlotRow { asset, investor, nonce, trade, used: false },
            );
        }
        self.settled(step, registrar, settlement)
    }
}
