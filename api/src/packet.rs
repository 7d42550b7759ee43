//! JSON views of what `sudare verify` finds: a machine without a network knows no names, so nodes and assets are ids.

use serde::Serialize;
use sudare_ledger::leg::TradeInfo;
use sudare_ledger::packet::{Body, Packet, ReadAccount, ReadEvent, ReadOutput, Shown, Verified};
use sudare_ledger::tree::Checkpoint;

/// A packet that was verified.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct PacketView {
    /// ISIN or ticker.
    pub code: String,
    /// The asset's identity.
    pub asset: String,
    /// The registrar's id.
    pub registrar: String,
    /// The notary's id.
    pub notary: String,
    /// The id of the custodian that discloses.
    pub custodian: String,
    /// To whom.
    pub recipient: String,
    /// The recipient's nonce.
    pub nonce: String,
    /// What for.
    pub purpose: String,
    /// When it was made, by the custodian's clock.
    pub made_at_ms: u64,
    /// Under which checkpoint.
    pub checkpoint: CheckpointView,
    /// The output that it shows.
    pub output: Option<OutputView>,
    /// The account that it shows.
    pub account: Option<AccountPacketView>,
}

/// One account between two register snapshots.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct AccountPacketView {
    /// The account.
    pub account: String,
    /// The snapshot at the beginning; none if the period begins with the asset.
    pub from: Option<SnapshotView>,
    /// The snapshot at the end.
    pub until: SnapshotView,
    /// Atomic units at the beginning.
    pub opening: String,
    /// Every event between, in order.
    pub events: Vec<EventView>,
    /// Atomic units at the end.
    pub closing: String,
}

/// A register snapshot.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct SnapshotView {
    /// Which of the asset, from 0.
    pub number: u32,
    /// When it was taken, by the registrar's clock.
    pub at_ms: u64,
}

/// An event of an account.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventView {
    /// It got an output.
    Received(OutputView),
    /// A note of its was spent.
    Spent {
        /// The entry in the asset log.
        entry: u64,
        /// The note.
        note: String,
        /// Atomic units.
        quantity: String,
    },
}

/// A checkpoint.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CheckpointView {
    /// The log's name.
    pub log: String,
    /// Its entries.
    pub entries: u64,
    /// Its root.
    pub root: String,
}

/// An output of a final leg.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct OutputView {
    /// Its entry in the asset log.
    pub entry: u64,
    /// Its transaction.
    pub transaction: String,
    /// Which leg of it.
    pub leg: u8,
    /// Which output of the leg.
    pub output: u8,
    /// When the notary recorded it.
    pub time_ms: u64,
    /// What the leg does.
    pub purpose: String,
    /// The note.
    pub note: String,
    /// Atomic units.
    pub quantity: String,
    /// The trade's data, if disclosed.
    pub trade: Option<TradeDataView>,
}

/// A trade's data.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct TradeDataView {
    /// 取引ID.
    pub trade_id: String,
    /// 受渡日.
    pub delivery_date: String,
    /// 移転区分.
    pub kind: String,
    /// 取消対象取引ID.
    pub cancels: Option<String>,
    /// Free text.
    pub note: String,
}

impl PacketView {
    /// The view of a packet and of what verifying it gave.
    #[must_use]
    pub fn of(packet: &Packet, verified: &Verified) -> Self {
        let Body { core, .. } = &packet.body;
        let (output, account) = match &verified.shown {
            Shown::Output(output) => (Some(OutputView::of(output)), None),
            Shown::Account(account) => (None, Some(AccountPacketView::of(account))),
        };
        Self {
            code: core.code.to_string(),
            asset: verified.asset.to_string(),
            registrar: core.registrar.to_string(),
            notary: core.notary.to_string(),
            custodian: packet.body.custodian.to_string(),
            recipient: packet.body.recipient.to_string(),
            nonce: packet.body.nonce.to_string(),
            purpose: packet.body.purpose.to_string(),
            made_at_ms: packet.body.made_at,
            checkpoint: CheckpointView::of(&verified.checkpoint),
            output,
            account,
        }
    }
}

impl AccountPacketView {
    fn of(read: &ReadAccount) -> Self {
        let snapshot = |(number, at_ms): (u32, u64)| SnapshotView { number, at_ms };
        let event = |event: &ReadEvent| match event {
            ReadEvent::Received(output) => EventView::Received(OutputView::of(output)),
            ReadEvent::Spent { entry, note, quantity, .. } => EventView::Spent {
                entry: *entry,
                note: note.0.to_string(),
                quantity: quantity.to_string(),
            },
        };
        Self {
            account: format!("{:?}", read.account),
            from: read.from.map(snapshot),
            until: snapshot(read.until),
            opening: read.opening.to_string(),
            events: read.events.iter().map(event).collect(),
            closing: read.closing.to_string(),
        }
    }
}

impl CheckpointView {
    /// The view of a checkpoint.
    #[must_use]
    pub fn of(checkpoint: &Checkpoint) -> Self {
        let log = checkpoint.origin.as_str().to_owned();
        Self { log, entries: checkpoint.size, root: checkpoint.root.to_string() }
    }
}

impl OutputView {
    /// The view of an output.
    #[must_use]
    pub fn of(output: &ReadOutput) -> Self {
        Self {
            entry: output.entry,
            transaction: output.tx.to_string(),
            leg: output.leg,
            output: output.output,
            time_ms: output.time,
            purpose: output.purpose.to_string(),
            note: output.note.0.to_string(),
            quantity: output.quantity.to_string(),
            trade: output.trade.as_ref().map(TradeDataView::of),
        }
    }
}

impl TradeDataView {
    fn of(trade: &TradeInfo) -> Self {
        Self {
            trade_id: trade.trade_id.to_string(),
            delivery_date: trade.delivery_date.to_string(),
            kind: trade.kind.to_string(),
            cancels: trade.cancels.as_ref().map(ToString::to_string),
            note: trade.note.to_string(),
        }
    }
}
