//! An account's notes: which are live, which a trade has locked, and which to spend next.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::Secret;
use sudare_crypto::encoding::encode;
use sudare_disclosure::AssetId;

use super::{BALANCES, Custodian, Investor, LIVE, NOTES, QUEUE, Step, TradeKey};
use crate::kv::{Be, StorageError};
use crate::leg::INPUTS_MAX;
use crate::note::{Note, NoteId};
use crate::role::next_number;
use crate::transaction::TxId;

/// A note of one of this custodian's investors.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct NoteRow {
    /// The note.
    pub note: Note,
    /// Whose it is.
    pub investor: Investor,
    /// Atomic units.
    pub value: u64,
    /// `r`.
    pub blinding: Secret,
    /// The nonce of its slot.
    pub nonce: [u8; 32],
    /// The transaction that made it.
    pub made_by: TxId,
    /// Where it stands.
    pub state: NoteState,
}

/// Where a note stands.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum NoteState {
    /// Can be spent.
    Live,
    /// A trade is about to spend it.
    Locked(TradeKey),
    /// Spent.
    Spent(TxId),
}

/// What an account has, in atomic units.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Balance {
    /// The value of live notes.
    pub live: u64,
    /// The value of notes that trades have locked.
    pub locked: u64,
    /// Of the locked, what leaves the account; the rest comes back as change.
    pub outgoing: u64,
    /// How many live notes there are.
    pub notes: u64,
}

impl Balance {
    /// What can be promised to new trades: live notes and the change to come.
    #[must_use]
    pub const fn available(&self) -> u64 {
        self.live.saturating_add(self.locked.saturating_sub(self.outgoing))
    }
}

/// How notes were chosen for a trade.
pub(super) enum Chosen {
    /// These notes, worth this much.
    Notes(Vec<NoteRow>, u64),
    /// Enough is to come back as change: wait.
    Wait,
    /// More notes than one leg can spend are needed: merge some first.
    Fragmented,
    /// The account has less.
    TooLittle,
}

impl Custodian {
    pub(super) fn balance(
        &self,
        step: &Step<'_, '_>,
        asset: AssetId,
        investor: &Investor,
    ) -> Result<Balance, StorageError> {
        Ok(BALANCES.get(step.tx, &(asset, investor.clone()))?.unwrap_or_default())
    }

    /// Chooses live notes worth at least `quantity`, the most valuable first, so that few are needed; the last is replaced by the
    /// least valuable that still suffices, so that large notes stay whole.
    pub(super) fn choose(
        &self,
        step: &Step<'_, '_>,
        asset: AssetId,
        investor: &Investor,
        quantity: u64,
    ) -> Result<Chosen, StorageError> {
        let balance = self.balance(step, asset, investor)?;
        if quantity > balance.available() {
            return Ok(Chosen::TooLittle);
        }
        if quantity > balance.live {
            return Ok(Chosen::Wait);
        }
        let under = encode(&(asset, investor.clone()));
        let rows = LIVE.rows_under(step.tx, &under, None, 256)?;
        let (mut chosen, mut sum) = (Vec::new(), 0u64);
        for (place, ((_, _, value, id), ())) in rows.iter().enumerate() {
            let missing = quantity.saturating_sub(sum);
            let value = u64::MAX.saturating_sub(value.0);
            if value >= missing {
                // The last note needed: take the least valuable one that still suffices.
                let last = rows.iter().skip(place).take_while(|((_, _, value, _), ())| {
                    u64::MAX.saturating_sub(value.0) >= missing
                });
                let last = last.last().map_or(*id, |((_, _, _, id), ())| *id);
                chosen.push(last);
                sum = quantity;
                break;
            }
            chosen.push(*id);
            sum = sum.saturating_add(value);
            if chosen.len() >= INPUTS_MAX {
                return Ok(Chosen::Fragmented);
            }
        }
        if sum < quantity {
            return Ok(Chosen::Fragmented);
        }
        let mut notes = Vec::with_capacity(chosen.len());
        let mut worth = 0u64;
        for id in chosen {
            let row = NOTES.get(step.tx, &id)?.ok_or(StorageError::Damaged("live note"))?;
            worth = worth.saturating_add(row.value);
            notes.push(row);
        }
        Ok(Chosen::Notes(notes, worth))
    }

    /// Locks notes for a trade that lets `outgoing` leave the account.
    pub(super) fn lock(
        &self,
        step: &Step<'_, '_>,
        notes: &[NoteRow],
        outgoing: u64,
        trade: &TradeKey,
    ) -> Result<(), StorageError> {
        let Some(first) = notes.first() else { return Ok(()) };
        let account = (first.note.asset, first.investor.clone());
        let mut balance = BALANCES.get(step.tx, &account)?.unwrap_or_default();
        for row in notes {
            LIVE.delete(step.tx, &live_key(row));
            let locked = NoteRow { state: NoteState::Locked(trade.clone()), ..row.clone() };
            NOTES.put(step.tx, &row.note.id(), &locked);
            balance.live = balance.live.saturating_sub(row.value);
            balance.locked = balance.locked.saturating_add(row.value);
            balance.notes = balance.notes.saturating_sub(1);
        }
        balance.outgoing = balance.outgoing.saturating_add(outgoing);
        BALANCES.put(step.tx, &account, &balance);
        Ok(())
    }

    /// Ends a trade's lock on its notes: spent in `by`, or live again.
    pub(super) fn release(
        &self,
        step: &Step<'_, '_>,
        notes: &[NoteId],
        outgoing: u64,
        trade: &TradeKey,
        by: Option<TxId>,
    ) -> Result<(), StorageError> {
        let mut account = None;
        for id in notes {
            let Some(mut row) = NOTES.get(step.tx, id)? else { continue };
            if row.state != NoteState::Locked(trade.clone()) {
                continue;
            }
            let key = (row.note.asset, row.investor.clone());
            let mut balance = BALANCES.get(step.tx, &key)?.unwrap_or_default();
            balance.locked = balance.locked.saturating_sub(row.value);
            if account.is_none() {
                balance.outgoing = balance.outgoing.saturating_sub(outgoing);
            }
            match by {
                Some(tx) => row.state = NoteState::Spent(tx),
                None => {
                    row.state = NoteState::Live;
                    LIVE.put(step.tx, &live_key(&row), &());
                    balance.live = balance.live.saturating_add(row.value);
                    balance.notes = balance.notes.saturating_add(1);
                }
            }
            NOTES.put(step.tx, id, &row);
            BALANCES.put(step.tx, &key, &balance);
            account = Some(key);
        }
        Ok(())
    }

    /// Adds a note that a final leg made. A note that is known already is left as it is.
    pub(super) fn receive_note(
        &self,
        step: &Step<'_, '_>,
        row: &NoteRow,
    ) -> Result<(), StorageError> {
        if NOTES.contains(step.tx, &row.note.id())? {
            return Ok(());
        }
        let key = (row.note.asset, row.investor.clone());
        let mut balance = BALANCES.get(step.tx, &key)?.unwrap_or_default();
        balance.live = balance.live.saturating_add(row.value);
        balance.notes = balance.notes.saturating_add(1);
        BALANCES.put(step.tx, &key, &balance);
        NOTES.put(step.tx, &row.note.id(), row);
        LIVE.put(step.tx, &live_key(row), &());
        Ok(())
    }

    /// Whether trades wait for the account's notes.
    pub(super) fn has_queue(
        &self,
        step: &Step<'_, '_>,
        asset: AssetId,
        investor: &Investor,
    ) -> Result<bool, StorageError> {
        let under = encode(&(asset, investor.clone()));
        Ok(!QUEUE.rows_under(step.tx, &under, None, 1)?.is_empty())
    }

    /// Puts a trade behind those that already wait for the account's notes.
    pub(super) fn enqueue(
        &self,
        step: &Step<'_, '_>,
        asset: AssetId,
        investor: &Investor,
        trade: &TradeKey,
    ) -> Result<(), StorageError> {
        let number = next_number(step.tx, 1)?;
        QUEUE.put(step.tx, &(asset, investor.clone(), Be(number)), trade);
        Ok(())
    }
}

fn live_key(row: &NoteRow) -> (AssetId, Investor, Be, NoteId) {
    let rank = Be(u64::MAX.saturating_sub(row.value));
    (row.note.asset, row.investor.clone(), rank, row.note.id())
}
