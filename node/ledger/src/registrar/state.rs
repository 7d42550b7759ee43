//! The registrar's tables and rows.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::encode;
use sudare_crypto::{Bounded, Encoded, Hash, NodeId, NodeSignature, Secret, Text};
use sudare_disclosure::{AssetId, SignedTerms};

use super::cancel::Wishes;
use crate::kv::{Be, Kv, StorageError, Table};
use crate::leg::TradeInfo;
use crate::log::{Absence, Receipt};
use crate::messages::{ApprovalRequest, Finalisation, Reason, TradeId};
use crate::note::{Note, NoteId};
use crate::slot::SignedSlot;
use crate::transaction::{Commit, TxId};
use crate::tree::CHECKPOINT_BYTES_MAX;

/// Every asset of this registrar.
pub(super) const ASSETS: Table<AssetId, Asset> = Table::new(b'a', "asset");
/// Every version of an asset's terms. Rows are never changed nor deleted.
pub(super) const TERMS: Table<(AssetId, Be), Version> = Table::new(b'b', "terms");
/// Registered accounts. Rows are never changed nor deleted.
pub(super) const ACCOUNTS: Table<(AssetId, Encoded), Account> = Table::new(b'c', "account");
/// Frozen accounts, with the time since when.
pub(super) const FROZEN: Table<(AssetId, Encoded), u64> = Table::new(b'd', "frozen account");
/// Custodians that have asked for an asset's terms or registered an account in it.
pub(super) const CUSTODIANS: Table<(AssetId, NodeId), ()> = Table::new(b'e', "custodian");
/// Every note ever made. Rows are never changed nor deleted.
pub(super) const NOTES: Table<(AssetId, NoteId), NoteRow> = Table::new(b'f', "note");
/// The quantities of live notes, by account.
pub(super) const LIVE: Table<(AssetId, Encoded, NoteId), u64> = Table::new(b'g', "live note");
/// The log index of the leg that spent a note. Rows are never changed nor deleted.
pub(super) const SPENT: Table<(AssetId, NoteId), u64> = Table::new(b'h', "spent note");
/// The log index of the leg that a tag stands in. Rows are never changed nor deleted.
pub(super) const TAGS: Table<(AssetId, Encoded), u64> = Table::new(b'i', "spent tag");
/// Soft-locks on notes.
pub(super) const LOCKS: Table<(AssetId, NoteId), LegKey> = Table::new(b'j', "lock");
/// Owner commitments used by final legs or reserved by approved ones.
pub(super) const OWNERS: Table<(AssetId, Encoded), Owner> = Table::new(b'k', "owner commitment");
/// Legs to be checked or approved; a leg's row ends with it.
pub(super) const REQUESTS: Table<RequestKey, ApprovalRequest> = Table::new(b'l', "request");
/// Where every leg stands that approval was asked for.
pub(super) const STATES: Table<RequestKey, Standing> = Table::new(b'm', "leg state");
/// How many rows of [`STATES`] each custodian has that are being checked or refused.
pub(super) const UNAPPROVED: Table<NodeId, u64> = Table::new(b'x', "count of requests");
/// What the registrar read of approved legs.
pub(super) const READINGS: Table<RequestKey, Reading> = Table::new(b'n', "opened leg");
/// The entries of asset logs, encoded. Rows are never changed nor deleted.
pub(super) const ENTRIES: Table<(AssetId, Be), Vec<u8>> = Table::new(b'o', "log entry");
/// The signed checkpoint at every size of an asset log. Rows are never changed nor deleted.
pub(super) const CHECKPOINTS: Table<(AssetId, Be), Bounded<u8, CHECKPOINT_BYTES_MAX>> =
    Table::new(b'p', "checkpoint");
/// Which leg stands at an index of an asset log. Rows are never changed nor deleted.
pub(super) const LEGS: Table<(AssetId, Be), RequestKey> = Table::new(b'q', "final leg");
/// Redemptions that the operator allows.
pub(super) const REDEMPTIONS: Table<RedemptionKey, Redemption> = Table::new(b'r', "redemption");
/// What a receiver brought to have a leg appended whose sender is silent, until the notary gives the signatures.
pub(super) const SILENT: Table<RequestKey, Finalisation> =
    Table::new(b'w', "receiver's finalisation");
/// Issues, by the hash of their reference.
pub(super) const ISSUES: Table<Hash, Issue> = Table::new(b's', "issue");
/// Which allotment of which issue a proposal is for.
pub(super) const PROPOSALS: Table<Hash, (Hash, u8)> = Table::new(b't', "proposal");
/// Which issue a transaction is of.
pub(super) const ISSUE_OF: Table<TxId, Hash> = Table::new(b'u', "issue of a transaction");
/// The newest issue that brings a custodian a trade, and which of its allotments that is.
pub(super) const ISSUE_OF_TRADE: Table<(NodeId, TradeId), (Hash, u8)> =
    Table::new(b'y', "issue of a trade");
/// Who wants an issue cancelled.
pub(super) const WISHES: Table<Hash, Wishes> = Table::new(b'z', "wish to cancel an issue");
/// Proofs of misconduct. Rows are never changed nor deleted.
pub(super) const EVIDENCE: Table<(TxId, Hash), Evidence> = Table::new(b'v', "evidence");
/// The first byte of the keys of asset logs' trees; the asset follows.
pub(super) const TREES: u8 = b'z';

/// An asset as its registrar keeps it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Asset {
    /// The number of the terms in force.
    pub number: u32,
    /// Whether legs are approved.
    pub open: bool,
    /// Atomic units ever made.
    pub minted: u128,
    /// Atomic units ever ended.
    pub burned: u128,
    /// Atomic units in approved issues that are not final.
    pub pending: u64,
    /// The sum of live notes, kept apart from `minted` and `burned`.
    pub live: u128,
    /// How many notes are live.
    pub notes: u64,
    /// How many accounts are registered.
    pub accounts: u64,
    /// Why no leg is approved any more, if the register did not add up.
    pub halted: Option<Halt>,
}

/// The register did not add up: nothing more is approved.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Halt {
    /// When it was found, ms.
    pub at: u64,
    /// What was found.
    pub why: Text<256>,
    /// The transaction at which it was found.
    pub tx: Option<TxId>,
}

/// One version of an asset's terms.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Version {
    /// The terms.
    pub signed: SignedTerms,
    /// When they came into force, ms.
    pub since: u64,
}

/// A registered account.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Account {
    /// The investor's pseudonym.
    pub investor: Text<35>,
    /// The custodian that acts for it.
    pub custodian: NodeId,
    /// When it was registered, ms.
    pub since: u64,
}

/// A note of the register.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct NoteRow {
    /// The note.
    pub note: Note,
    /// Whose it is.
    pub account: Encoded,
    /// Atomic units.
    pub quantity: u64,
    /// The blinding of its commitment.
    pub blinding: Secret,
    /// The log index of the leg that made it.
    pub entry: u64,
}

/// A leg of a transaction.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct LegKey {
    /// The transaction.
    pub tx: TxId,
    /// Which of its legs.
    pub index: u8,
}

/// A leg with the custodian that asks for its approval (this registrar itself for an issue).
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct RequestKey {
    /// The leg.
    pub leg: LegKey,
    /// Who asks.
    pub from: NodeId,
}

/// What an owner commitment is taken by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub(super) enum Owner {
    /// An approved leg that is not final.
    Reserved(LegKey),
    /// The final leg at this log index.
    Used(u64),
}

/// Where a leg stands.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Standing {
    /// The state.
    pub state: LegState,
    /// The asset.
    pub asset: AssetId,
    /// Since when, ms.
    pub since: u64,
    /// When the transaction's window ends, ms.
    pub until: u64,
}

/// The states of a leg.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum LegState {
    /// Its proofs are being checked.
    Checking,
    /// Refused, for good: the same request again gets the same answer.
    Refused(Reason),
    /// Approved: its inputs are locked, its owner commitments reserved.
    Approved {
        /// The approval.
        signature: NodeSignature,
        /// The hash of the finalisation that is being checked.
        checking: Option<Hash>,
    },
    /// In the asset log.
    Final {
        /// At this index.
        entry: u64,
    },
    /// Not recorded by the notary within its window; locks and reservations have ended.
    Lapsed(Absence),
}

/// A leg as key 0 reads it, every section checked against the commitments.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Reading {
    /// The account of each input.
    pub senders: Vec<Encoded>,
    /// The account of each output.
    pub receivers: Vec<Encoded>,
    /// The quantity of each output, atomic units.
    pub amounts: Vec<u64>,
    /// The blinding of each output's commitment.
    pub blindings: Vec<Secret>,
    /// The note that each input spends.
    pub links: Vec<NoteId>,
    /// The trade's data.
    pub trade: TradeInfo,
    /// The reference to the sending party.
    pub sender: Text<64>,
}

/// A redemption's key.
#[derive(Clone, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct RedemptionKey {
    /// The asset.
    pub asset: AssetId,
    /// The custodian that redeems.
    pub custodian: NodeId,
    /// 取引ID.
    pub trade_id: TradeId,
}

/// A redemption that the operator allows, once.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Redemption {
    /// Atomic units.
    pub quantity: u64,
    /// What takes it.
    pub state: RedemptionState,
    /// Since when, ms.
    pub since: u64,
}

/// Where a redemption stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum RedemptionState {
    /// Waits for the custodian.
    Allowed,
    /// Taken by an approved leg.
    Approved(LegKey),
    /// Final at this log index.
    Final(u64),
    /// Taken back by the operator before a leg took it.
    Withdrawn,
}

/// A part of an issue for one custodian.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Allotment {
    /// 取引ID, as the custodian was instructed.
    pub trade_id: TradeId,
    /// The custodian.
    pub custodian: NodeId,
    /// Atomic units.
    pub quantity: u64,
}

/// The most allotments of an issue.
pub const ALLOTMENTS_MAX: usize = sudare_crypto::proof::range::OUTPUTS_MAX;

/// An issue.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Issue {
    /// The instruction.
    pub order: super::IssueOrder,
    /// The hashes of the proposals, in the order of the allotments.
    pub proposals: Bounded<Hash, ALLOTMENTS_MAX>,
    /// Where it stands.
    pub state: IssueState,
    /// Since when, ms.
    pub since: u64,
}

/// The states of an issue.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum IssueState {
    /// Waits for the custodians' slots.
    Collecting {
        /// The slots that are there, in the order of the allotments.
        slots: Bounded<Option<SignedSlot>, ALLOTMENTS_MAX>,
        /// When it lapses, ms.
        until: u64,
    },
    /// Its leg is being built into these slots.
    Building(Bounded<SignedSlot, ALLOTMENTS_MAX>),
    /// Waits for the notary.
    Notarising {
        /// What the notary is to record.
        commit: Box<Commit>,
        /// Why the notary can't, if it said so.
        reason: Option<Reason>,
    },
    /// In the asset log.
    Final {
        /// At this index.
        entry: u64,
    },
    /// Ended without effect.
    Failed {
        /// Why.
        reason: Reason,
        /// What the notary did not record, if the issue came that far.
        commit: Option<Box<Commit>>,
    },
}

/// Signatures of the notary that contradict each other.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum Evidence {
    /// It signed that a transaction is absent, and a receipt for it.
    AbsentYetRecorded {
        /// The absence.
        absence: Absence,
        /// The receipt.
        receipt: Receipt,
    },
    /// It signed receipts for two commits of one transaction.
    RecordedTwice {
        /// The receipt of the leg that is in the asset log.
        first: Receipt,
        /// The other.
        second: Receipt,
    },
}

impl Asset {
    /// Atomic units made and not ended.
    #[must_use]
    pub const fn outstanding(&self) -> u128 {
        self.minted.saturating_sub(self.burned)
    }
}

/// A register does not add up.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("asset {asset}: {what}")]
pub struct Discrepancy {
    /// The asset.
    pub asset: AssetId,
    /// What does not add up.
    pub what: String,
}

/// Adds up every register from its rows and compares it with what was minted and burned: a check that trusts no proof.
///
/// Enforces [REG-1]: the live notes of an asset are worth what was minted less what was burned.
///
/// # Errors
///
/// [`StorageError`] if the store fails.
pub fn audit_state(kv: &(impl Kv + ?Sized)) -> Result<Vec<Discrepancy>, StorageError> {
    let (mut found, mut after) = (Vec::new(), None);
    while let Some((id, asset)) = ASSETS.rows(kv, after.as_ref(), 1)?.pop() {
        found.extend(audit_asset(kv, id, &asset)?);
        after = Some(id);
    }
    Ok(found)
}

/// Adds up one register; see [`audit_state`].
pub(super) fn audit_asset(
    kv: &(impl Kv + ?Sized),
    id: AssetId,
    asset: &Asset,
) -> Result<Option<Discrepancy>, StorageError> {
    let (mut sum, mut notes, mut unsound) = (0u128, 0u64, None);
    for_each(kv, &LIVE, &encode(&id), |(_, account, note), quantity| {
        let row = NOTES.get(kv, &(id, *note))?;
        let sound = row.is_some_and(|row| {
            row.note.id() == *note && row.account == *account && row.quantity == *quantity
        });
        if !sound || SPENT.contains(kv, &(id, *note))? {
            unsound = Some(*note);
        }
        sum = sum.saturating_add(u128::from(*quantity));
        notes = notes.saturating_add(1);
        Ok(())
    })?;
    let what = if let Some(NoteId(note)) = unsound {
        format!("the live note {note} is spent, or not as it was made")
    } else if asset.minted.checked_sub(asset.burned) != Some(sum) {
        format!("live notes are worth {sum}, minted {} less burned {}", asset.minted, asset.burned)
    } else if asset.live != sum || asset.notes != notes {
        format!("{notes} live notes worth {sum}, counted {} worth {}", asset.notes, asset.live)
    } else {
        return Ok(None);
    };
    Ok(Some(Discrepancy { asset: id, what }))
}

/// Calls `each` with every row under a key's beginning, in order, reading a page at a time.
pub(super) fn for_each<K, V>(
    kv: &(impl Kv + ?Sized),
    table: &Table<K, V>,
    under: &[u8],
    mut each: impl FnMut(&K, &V) -> Result<(), StorageError>,
) -> Result<(), StorageError>
where
    K: BorshSerialize + BorshDeserialize,
    V: BorshSerialize + BorshDeserialize,
{
    const PAGE: usize = 512;
    let mut after: Option<K> = None;
    loop {
        let page = table.rows_under(kv, under, after.as_ref(), PAGE)?;
        for (key, value) in &page {
            each(key, value)?;
        }
        let whole = page.len() == PAGE;
        after = page.into_iter().next_back().map(|(key, _)| key);
        if !whole {
            return Ok(());
        }
    }
}
