//! The record of a trade: every message sent and received for it, from which its operator can tell who saw what.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::NodeId;
use sudare_crypto::encoding::encode;

use super::trade::{Trade, TradeKey};
use super::{BY_PROPOSAL, BY_TX, Custodian, SLOTS, Step, TRADES};
use crate::kv::{Be, Kv, StorageError, Table};
use crate::messages::Message;
use crate::role::{next_number, send};
use crate::transaction::TxId;

const RECORDS: Table<(TradeKey, Be), Record> = Table::new(b'q', "record");
/// The most lines that are kept of one trade.
const RECORDS_MAX: usize = 256;

/// One message of a trade.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Record {
    /// When, ms since the Unix epoch.
    pub at: u64,
    /// The other node.
    pub peer: NodeId,
    /// Whether this node sent it.
    pub sent: bool,
    /// [`Message::kind`].
    pub kind: u8,
    /// The length of the message in bytes.
    pub bytes: u64,
}

impl Record {
    /// What whoever got this message could read of the trade.
    #[must_use]
    pub const fn reveals(&self) -> &'static str {
        match self.kind {
            2 => "asset, quantity, trade id and date of the proposal; a receive slot",
            3 => "a receive slot; the root of the counter-leg and hashes of its tags",
            4 => "that the trade ends here, and why",
            5 => "roots of the legs, hashes of the tags, window",
            6 => "the whole leg of its asset: amounts, parties, trade, notes spent",
            7 => "the registrar's approval",
            8 => "the output that is its own, with the amount; the approval",
            9 => "the approvals of all legs",
            10 => "a commit hash, spent tags, window",
            11 => "the notary's receipt",
            12 => "that the commit is not recorded",
            13 => "a transaction hash, window",
            14 => "that a transaction hash is not in the notary's log",
            15 => "approvals, receipt, spend signatures of its own asset's leg",
            16 => "its own outputs with amounts, approvals, receipt, place in the log",
            17 => "that the leg is not final",
            22 => "that the sender wants the trade with this id cancelled",
            _ => "nothing of the trade",
        }
    }
}

impl Custodian {
    /// Sends a message of a trade and records it.
    pub(super) fn tell(
        &self,
        step: &Step<'_, '_>,
        key: &TradeKey,
        to: NodeId,
        until: Option<u64>,
        message: Message,
    ) -> Result<(), StorageError> {
        self.record(step, key, to, true, &message)?;
        send(step.tx, step.now, to, until, message)
    }

    /// Records a message that came, under every trade of this custodian that it is about.
    pub(super) fn record_received(
        &self,
        step: &Step<'_, '_>,
        from: NodeId,
        message: &Message,
    ) -> Result<(), StorageError> {
        let mut keys = Vec::new();
        let by_tx = |tx: TxId| -> Result<Vec<TradeKey>, StorageError> {
            let sides = [BY_TX.get(step.tx, &(tx, true))?, BY_TX.get(step.tx, &(tx, false))?];
            Ok(sides.into_iter().flatten().collect())
        };
        match message {
            Message::Propose(proposal, _) => keys.push(TradeKey {
                trade_id: proposal.trade_id.clone(),
                counterparty: from,
                initiates: false,
            }),
            Message::Accept(acceptance) => {
                keys.extend(BY_PROPOSAL.get(step.tx, &(acceptance.proposal, true))?);
            }
            Message::Cancel { trade_id, initiates } => keys.push(TradeKey {
                trade_id: trade_id.clone(),
                counterparty: from,
                initiates: !initiates,
            }),
            Message::Assemble(proposal, _) => {
                keys.extend(BY_PROPOSAL.get(step.tx, &(*proposal, false))?);
            }
            Message::Abandon { proposal, .. } => {
                keys.extend(BY_PROPOSAL.get(step.tx, &(*proposal, true))?);
                keys.extend(BY_PROPOSAL.get(step.tx, &(*proposal, false))?);
            }
            Message::Approved { tx, .. }
            | Message::NotRecorded { tx, .. }
            | Message::NotFinal { tx, .. } => keys = by_tx(*tx)?,
            Message::Share(share) => keys = by_tx(share.tx)?,
            Message::Notarised(receipt) => keys = by_tx(receipt.tx)?,
            Message::Absent(absence) => keys = by_tx(absence.tx)?,
            Message::Commit(commit) => {
                if let Some(tx) = commit.transaction.id() {
                    keys = by_tx(tx)?;
                }
            }
            Message::Settled(settlement) => {
                if let Some(tx) = settlement.commit.transaction.id() {
                    keys = by_tx(tx)?;
                }
                for components in &settlement.components {
                    let Ok((_, output)) = components.output() else { continue };
                    keys.extend(
                        SLOTS.get(step.tx, &output.slot.slot.owner)?.map(|slot| slot.trade),
                    );
                }
                keys.sort_unstable();
                keys.dedup();
            }
            _ => (),
        }
        // What a custodian says of a trade that it has no part in is not recorded, or strangers could fill its record.
        let of_parties = matches!(
            message,
            Message::Propose(..)
                | Message::Accept(_)
                | Message::Abandon { .. }
                | Message::Assemble(..)
                | Message::Share(_)
                | Message::Commit(_)
        );
        for key in keys {
            let concerns =
                key.counterparty == from || (!of_parties && self.is_authority(step, &key, from)?);
            if concerns {
                self.record(step, &key, from, false, message)?;
            }
        }
        Ok(())
    }

    /// Whether a node is registrar or notary of an asset of the trade.
    fn is_authority(
        &self,
        step: &Step<'_, '_>,
        key: &TradeKey,
        node: NodeId,
    ) -> Result<bool, StorageError> {
        let Some(Trade { instruction, .. }) = TRADES.get(step.tx, key)? else { return Ok(false) };
        for movement in [&instruction.deliver, &instruction.receive].into_iter().flatten() {
            let core = self.terms_of(step.tx, movement.asset)?.map(|terms| terms.core);
            if core.is_some_and(|core| core.registrar == node || core.notary == node) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The record of a trade, in order.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn records(kv: &dyn Kv, key: &TradeKey) -> Result<Vec<Record>, StorageError> {
        let rows = RECORDS.rows_under(kv, &encode(key), None, RECORDS_MAX)?;
        Ok(rows.into_iter().map(|(_, record)| record).collect())
    }

    pub(super) fn record(
        &self,
        step: &Step<'_, '_>,
        key: &TradeKey,
        peer: NodeId,
        sent: bool,
        message: &Message,
    ) -> Result<(), StorageError> {
        // What belongs to no instruction is not recorded: peers could fill the store with it.
        if !TRADES.contains(step.tx, key)? {
            return Ok(());
        }
        let (kind, bytes) =
            (message.kind(), u64::try_from(encode(message).len()).unwrap_or(u64::MAX));
        let record = Record { at: step.now, peer, sent, kind, bytes };
        let known = RECORDS.rows_under(step.tx, &encode(key), None, RECORDS_MAX)?;
        // A message that comes again changes nothing.
        let again = |(_, known): &(_, Record)| Record { at: known.at, ..record } == *known;
        if known.len() >= RECORDS_MAX || (!sent && known.iter().any(again)) {
            return Ok(());
        }
        let number = next_number(step.tx, 3)?;
        RECORDS.put(step.tx, &(key.clone(), Be(number)), &record);
        Ok(())
    }
}
