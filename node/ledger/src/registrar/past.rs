//! The register as it was when the asset's log had some size: what was minted, and what each account held. Rows that were true once
//! never change, so that all pages of a register are of one state while the log grows.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::encode;
use sudare_crypto::{Encoded, NodeId, Text};
use sudare_disclosure::AssetId;

use super::snapshot::{CHAINS, EVENTS, LEAVES};
use super::state::{ACCOUNTS, ASSETS, LEGS, LIVE, NOTES, STATES, TERMS, for_each};
use super::{Registrar, SnapshotView, asset_log};
use crate::kv::{Be, Kv, StorageError, Table, Tx};
use crate::log::Entry;
use crate::snapshot::AccountEvent;

/// What an asset's legs came to that mint or burn, numbered in their order. Rows are never changed nor deleted.
const TOTALS: Table<(AssetId, Be), Totals> = Table::new(b'F', "total");
/// The most lines of one page.
pub const LINES_MAX: usize = 512;
/// How many accounts are looked at for one page, whether they hold something or not.
const LOOKED_AT_MAX: usize = 8192;
/// How many accounts or events are read at once.
const AT_ONCE: usize = 512;

/// What an asset came to after a leg.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
struct Totals {
    entry: u64,
    minted: u128,
    burned: u128,
}

/// When a register is looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum When {
    /// As it is now.
    Now,
    /// When the asset's log had so many entries.
    Size(u64),
    /// At a time by the registrar's clock, ms since the Unix epoch.
    Time(u64),
    /// As a register snapshot has fixed it.
    Snapshot(u32),
}

/// A register at one size of its log, without its lines.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct RegisterHead {
    /// How many entries the log had.
    pub size: u64,
    /// When the last of them was appended, ms since the Unix epoch; none of an empty log.
    pub at: Option<u64>,
    /// Atomic units ever made.
    pub minted: u128,
    /// Of these what had not ended.
    pub supply: u64,
    /// A snapshot that has fixed the register as it was then.
    pub snapshot: Option<SnapshotView>,
    /// The custodians that are party to the asset now.
    pub custodians: Vec<NodeId>,
}

/// Which lines of a register.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct LinesOf {
    /// The size of the log.
    pub size: u64,
    /// Of this custodian's customers alone.
    pub custodian: Option<NodeId>,
    /// Of accounts after this one.
    pub after: Option<Encoded>,
    /// At most so many.
    pub limit: u32,
}

/// A line of a register: an account that held something.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Line {
    /// The account.
    pub account: Encoded,
    /// The investor's pseudonym.
    pub investor: Text<35>,
    /// The custodian that acts for it.
    pub custodian: NodeId,
    /// Atomic units, not 0.
    pub quantity: u64,
}

/// A page of a register, in order of accounts.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Lines {
    /// The lines; there may be none, and still more after them.
    pub lines: Vec<Line>,
    /// Where to go on, if there may be more.
    pub next: Option<Encoded>,
}

impl Registrar {
    /// A register at a moment, without its lines; none if there is no such asset, or its log never had that size, or no such snapshot.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn register_head(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        when: When,
    ) -> Result<Option<RegisterHead>, StorageError> {
        if !ASSETS.contains(kv, &id)? {
            return Ok(None);
        }
        let now = asset_log::tree(id).size(kv)?;
        let snapshots = Self::snapshots(kv, id)?;
        let size = match when {
            When::Now => Some(now),
            When::Size(size) => Some(size),
            When::Time(at) => Some(size_at(kv, id, at)?),
            When::Snapshot(number) => {
                let taken = snapshots.iter().find(|taken| taken.number == number);
                taken.map(|taken| taken.entry.saturating_add(1))
            }
        };
        let Some(size) = size.filter(|size| *size <= now) else { return Ok(None) };
        let at = size.checked_sub(1).map(|last| appended_at(kv, id, last)).transpose()?.flatten();
        let Totals { minted, burned, .. } = totals_at(kv, id, size)?;
        let supply = u64::try_from(minted.saturating_sub(burned));
        Ok(Some(RegisterHead {
            size,
            at,
            minted,
            supply: supply.map_err(|_| StorageError::Damaged("total"))?,
            snapshot: same_state(kv, id, size, snapshots)?,
            custodians: Self::custodians(kv, id)?,
        }))
    }

    /// A page of a register as it was when the log had some size.
    ///
    /// Enforces [REG-6]: what an account held follows from the events before that size alone, whatever has happened since.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn register_at(
        kv: &(impl Kv + ?Sized),
        id: AssetId,
        of: &LinesOf,
    ) -> Result<Lines, StorageError> {
        let limit = usize::try_from(of.limit).unwrap_or(usize::MAX).clamp(1, LINES_MAX);
        let past = Past::new(kv, id, of.size)?;
        let (mut lines, mut after, mut seen) = (Vec::new(), of.after, 0usize);
        loop {
            let from = after.map(|account| (id, account));
            let page = ACCOUNTS.rows_under(kv, id.0.as_bytes(), from.as_ref(), AT_ONCE)?;
            let whole = page.len() == AT_ONCE;
            seen = seen.saturating_add(page.len());
            for ((_, account), row) in page {
                after = Some(account);
                if of.custodian.is_some_and(|custodian| custodian != row.custodian) {
                    continue;
                }
                let quantity = past.held(account)?;
                if quantity > 0 {
                    let (investor, custodian) = (row.investor, row.custodian);
                    lines.push(Line { account, investor, custodian, quantity });
                }
                if lines.len() == limit {
                    return Ok(Lines { lines, next: after });
                }
            }
            if !whole || seen >= LOOKED_AT_MAX {
                return Ok(Lines { lines, next: after.filter(|_| whole) });
            }
        }
    }
}

/// Adds what a leg mints and burns.
pub(super) fn count_totals(
    tx: &Tx<'_>,
    id: AssetId,
    entry: u64,
    (minted, burned): (u128, u128),
) -> Result<(), StorageError> {
    let number = leading(|number| TOTALS.contains(tx, &(id, Be(number))))?;
    TOTALS.put(tx, &(id, Be(number)), &Totals { entry, minted, burned });
    Ok(())
}

/// What was minted and burned in the entries before a size.
fn totals_at(kv: &(impl Kv + ?Sized), id: AssetId, size: u64) -> Result<Totals, StorageError> {
    let row = |number| TOTALS.get(kv, &(id, Be(number)));
    let before = leading(|number| Ok(row(number)?.is_some_and(|totals| totals.entry < size)))?;
    let last = before.checked_sub(1).map(row).transpose()?.flatten();
    Ok(last.unwrap_or_default())
}

/// How many entries the log had at a time.
fn size_at(kv: &(impl Kv + ?Sized), id: AssetId, at: u64) -> Result<u64, StorageError> {
    leading(|index| Ok(appended_at(kv, id, index)?.is_some_and(|time| time <= at)))
}

/// When an entry was appended, ms; none if there is no such entry.
fn appended_at(
    kv: &(impl Kv + ?Sized),
    id: AssetId,
    index: u64,
) -> Result<Option<u64>, StorageError> {
    if let Some(key) = LEGS.get(kv, &(id, Be(index)))? {
        let standing = STATES.get(kv, &key)?.ok_or(StorageError::Damaged("leg state"))?;
        return Ok(Some(standing.since));
    }
    match asset_log::entry(kv, id, index)? {
        None => Ok(None),
        Some(Entry::Terms(signed)) => {
            let version = TERMS.get(kv, &(id, Be(signed.terms.number.into())))?;
            Ok(Some(version.ok_or(StorageError::Damaged("terms"))?.since))
        }
        Some(Entry::Snapshot(snapshot)) => Ok(Some(snapshot.heading.at)),
        Some(Entry::Leg(_)) => Err(StorageError::Damaged("final leg")),
    }
}

/// The newest snapshot between which and a size of the log no leg stands.
fn same_state(
    kv: &(impl Kv + ?Sized),
    id: AssetId,
    size: u64,
    snapshots: Vec<SnapshotView>,
) -> Result<Option<SnapshotView>, StorageError> {
    let Some(last) = snapshots.into_iter().rfind(|taken| taken.entry <= size) else {
        return Ok(None);
    };
    let from = (id, Be(last.entry));
    let next = LEGS.rows_under(kv, id.0.as_bytes(), Some(&from), 1)?.pop();
    let moved = next.is_some_and(|((_, index), _)| index.0 < size);
    Ok(Some(last).filter(|_| !moved))
}

/// A register at a size of its log.
struct Past<'a, K: Kv + ?Sized> {
    kv: &'a K,
    id: AssetId,
    size: u64,
    /// The numbers of the snapshots before and after.
    beside: Vec<u32>,
}

impl<'a, K: Kv + ?Sized> Past<'a, K> {
    fn new(kv: &'a K, id: AssetId, size: u64) -> Result<Self, StorageError> {
        let snapshots = Registrar::snapshots(kv, id)?;
        let before = snapshots.iter().rfind(|taken| taken.entry <= size);
        let after = snapshots.iter().find(|taken| taken.entry > size);
        let beside = before.into_iter().chain(after).map(|taken| taken.number).collect();
        Ok(Self { kv, id, size, beside })
    }

    /// What an account held, counted from the nearest known point of its chain: the start, a snapshot, or now.
    fn held(&self, account: Encoded) -> Result<u64, StorageError> {
        let (kv, id) = (self.kv, self.id);
        let Some(chain) = CHAINS.get(kv, &(id, account))? else { return Ok(0) };
        let event = |number| EVENTS.get(kv, &(id, account, Be(number)));
        let before = |number| Ok(event(number)?.is_some_and(|event| event.entry() < self.size));
        // Most accounts have had no event since.
        let last = chain.count.checked_sub(1);
        let count = match last.map(before).transpose()? {
            Some(true) => chain.count,
            _ => leading(before)?,
        };
        let mut known = vec![(0, 0)];
        for number in &self.beside {
            if let Some(row) = LEAVES.get(kv, &(id, Be(u64::from(*number)), account))? {
                known.push((row.leaf.chain.count, row.held));
            }
        }
        let nearest = known.into_iter().min_by_key(|(at, _)| at.abs_diff(count));
        let (at, held) = nearest.unwrap_or_default();
        if chain.count.abs_diff(count) <= at.abs_diff(count) {
            return self.counted(account, (chain.count, self.now(account)?), count);
        }
        self.counted(account, (at, held), count)
    }

    /// What an account holds now.
    fn now(&self, account: Encoded) -> Result<u64, StorageError> {
        let mut held = 0u64;
        for_each(self.kv, &LIVE, &encode(&(self.id, account)), |_, quantity| {
            held = held.saturating_add(*quantity);
            Ok(())
        })?;
        Ok(held)
    }

    /// What it held after `count` events, from what it held after `at`.
    fn counted(
        &self,
        account: Encoded,
        (at, held): (u64, u64),
        count: u64,
    ) -> Result<u64, StorageError> {
        let (mut from, until, forth) = (at.min(count), at.max(count), at < count);
        let (mut more, mut less) = (u128::from(held), 0u128);
        while from < until {
            let page = Registrar::account_events(self.kv, self.id, account, from, AT_ONCE)?;
            if page.is_empty() {
                return Err(StorageError::Damaged("account event"));
            }
            for event in page {
                if from == until {
                    break;
                }
                from = from.saturating_add(1);
                let (note, received) = match event {
                    AccountEvent::Received { note, .. } => (note, true),
                    AccountEvent::Spent { note, .. } => (note, false),
                };
                let row = NOTES.get(self.kv, &(self.id, note))?;
                let units = u128::from(row.ok_or(StorageError::Damaged("note"))?.quantity);
                let side = if received == forth { &mut more } else { &mut less };
                *side = side.saturating_add(units);
            }
        }
        let held = more.checked_sub(less).and_then(|held| u64::try_from(held).ok());
        held.ok_or(StorageError::Damaged("account event"))
    }
}

/// How many numbers from 0 on something holds for, if it holds for no number after one for which it doesn't.
fn leading(holds: impl Fn(u64) -> Result<bool, StorageError>) -> Result<u64, StorageError> {
    let (mut holding, mut beyond) = (0u64, 1u64);
    while holds(beyond.saturating_sub(1))? {
        holding = beyond;
        beyond = beyond.saturating_mul(2);
    }
    while holding < beyond.saturating_sub(1) {
        let middle = holding.midpoint(beyond);
        if holds(middle.saturating_sub(1))? {
            holding = middle;
        } else {
            beyond = middle;
        }
    }
    Ok(holding)
}
