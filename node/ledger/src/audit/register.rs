//! The register, moved leg by leg by what the keys read.

use std::collections::BTreeMap;

use sudare_crypto::point::times_b;
use sudare_crypto::{Encoded, RistrettoPoint, Scalar, Text, numbered, pairs};
use sudare_disclosure::SectionKind;

use super::day::day_in_japan;
use super::legs::Verified;
use super::state::{
    ACCOUNTS, AccountState, LEGS, NOTES, NoteRow, Progress, Value, WAITING, Waiting,
};
use super::{AuditError, Exception, Fault, Holding, ReadLeg, Solve, Stop, at};
use crate::kv::{Be, Kv, Tx};
use crate::leg::{Amount, Disclosed, Leg, Links};
use crate::note::{Note, NoteId};
use crate::snapshot::{AccountRow, Heading, SnapshotSeed, events_of};

/// How many rows are read at once.
const ROWS: usize = 1024;

/// What is still to be decided of a leg that was booked.
#[derive(Default)]
pub(super) struct Booked {
    /// The links, with the notes that they name.
    pub(super) links: Option<(Links, Vec<Note>)>,
    /// Whether it adds up in plain numbers; none if not all of them are known.
    pub(super) adds_up: Option<bool>,
}

/// Moves the register by a verified leg as it was read.
///
/// Enforces [SEC-4] after the fact, [LNK-1], and [APR-10]: what an entitled key should read it can, inputs are live notes,
/// and a spend is booked on the note's account.
pub(super) fn book(
    tx: &Tx<'_>,
    progress: &mut Progress,
    verified: &Verified,
    seen: Disclosed,
) -> Result<Booked, Stop> {
    let (entry, leg) = (verified.entry, &verified.leg.leg);
    let trade = readable(seen.trade, SectionKind::Trade)?;
    let sender = readable(seen.sender, SectionKind::Parties)?;
    let links_in_scope = seen.links.is_some();
    let links = match seen.links {
        Some(None) if leg.inputs.is_empty() => None,
        links => readable(links, SectionKind::Links)?,
    };
    let (senders, receivers) = seen.parties.map_or((None, None), |(s, r)| (Some(s), Some(r)));
    let spent = match &links {
        Some(links) => Some(spend(tx, progress, entry, links, senders.as_deref())?),
        None => leg.inputs.is_empty().then(Vec::new),
    };
    let spends = match &links {
        Some(links) => Some(links.notes.to_vec()),
        None => leg.inputs.is_empty().then(Vec::new),
    };
    let made = make(tx, progress, leg, receivers.as_deref(), seen.amounts.as_deref())?;
    match (&senders, &receivers, &spends) {
        (Some(senders), Some(receivers), Some(spends)) => {
            for (account, event) in events_of(entry, leg, (senders, spends), receivers) {
                let mut state = ACCOUNTS.get(tx, &account)?.unwrap_or_default();
                state.chain = state.chain.after(&event);
                ACCOUNTS.put(tx, &account, &state);
            }
        }
        _ => progress.blind = true,
    }
    let mut read = ReadLeg {
        entry,
        tx: verified.tx,
        index: verified.leg.index,
        time: verified.leg.receipt.entry.time,
        epoch: leg.header.epoch,
        purpose: leg.header.purpose,
        mint: leg.header.mint,
        burn: leg.header.burn,
        amounts: None,
        senders,
        receivers,
        sender,
        trade,
        spends,
        makes: made.clone(),
    };
    progress.except(tx, entry, &exceptions(&read, seen.amounts.as_deref(), verified.grace));
    progress.legs = progress.legs.saturating_add(1);
    progress.scope.count(&read, seen.amounts.is_some(), links_in_scope);
    let inputs = spent.as_deref();
    let adds_up = settle(tx, &mut read, (inputs, &made), seen.amounts, verified.bound);
    LEGS.put(tx, &Be(entry), &read);
    let links = links
        .map(|links| (links, spent.unwrap_or_default().into_iter().map(|row| row.note).collect()));
    Ok(Booked { links, adds_up })
}

/// What is to be looked at of a leg, from what was read of it.
fn exceptions(read: &ReadLeg, amounts: Option<&[Amount]>, grace: bool) -> Vec<Exception> {
    let mut found = Vec::new();
    for (output, amount) in numbered(amounts.unwrap_or_default()) {
        if !matches!(amount, Amount::Known(_)) {
            found.push(Exception::FalseMemo { output });
        }
    }
    if grace {
        found.push(Exception::Grace { epoch: read.epoch });
    }
    if let Some(trade) = &read.trade {
        let due = &trade.delivery_date;
        // A date that is none says nothing about lateness.
        if let Ok(on) = Text::new(day_in_japan(read.time))
            && is_date(due.as_str())
            && due.as_str() < on.as_str()
        {
            found.push(Exception::Late { due: due.clone(), on });
        }
        if let Some(trade_id) = &trade.cancels {
            found.push(Exception::Cancels { trade_id: trade_id.clone() });
        }
    }
    found
}

/// Whether it is written `YYYY-MM-DD`, so that dates sort as their texts do.
fn is_date(text: &str) -> bool {
    let digit_or_dash = |(place, byte): (usize, u8)| match place {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    text.len() == 10 && text.bytes().enumerate().all(digit_or_dash)
}

/// What a section in scope must hold.
fn readable<T>(seen: Option<Option<T>>, kind: SectionKind) -> Result<Option<T>, Fault> {
    match seen {
        Some(None) => Err(Fault::Unreadable(kind)),
        Some(content) => Ok(content),
        None => Ok(None),
    }
}

/// Adds the leg up, or lets it wait if an amount of it is hidden.
fn settle(
    tx: &Tx<'_>,
    read: &mut ReadLeg,
    (inputs, made): (Option<&[NoteRow]>, &[NoteId]),
    amounts: Option<Vec<Amount>>,
    bound: u64,
) -> Option<bool> {
    let amounts = amounts?;
    let values: Option<Vec<u64>> = amounts.iter().map(known).collect();
    let hidden = |row: &NoteRow| row.value == Value::Hidden;
    if values.is_none() || inputs.is_some_and(|inputs| inputs.iter().any(hidden)) {
        let amounts = pairs(made, &amounts).into_iter().flatten();
        let amounts = amounts.map(|(id, amount)| (*id, amount.clone())).collect();
        WAITING.put(tx, &Be(read.entry), &Waiting { amounts, bound });
    }
    read.amounts = values;
    adds_up(inputs?.iter().map(|row| row.value), read)
}

const fn known(amount: &Amount) -> Option<u64> {
    match amount {
        Amount::Known(value) | Amount::Unspendable(value) => Some(*value),
        Amount::Hidden(_) => None,
    }
}

/// Whether inputs and mint are outputs and burn, in plain numbers; none if not all of them are known.
fn adds_up(inputs: impl Iterator<Item = Value>, leg: &ReadLeg) -> Option<bool> {
    let (mut before, mut after) = (u128::from(leg.mint), u128::from(leg.burn));
    for value in inputs {
        let Value::Known(value) = value else { return None };
        before = before.checked_add(value.into())?;
    }
    for value in leg.amounts.as_ref()? {
        after = after.checked_add(u128::from(*value))?;
    }
    Some(before == after)
}

fn spend(
    tx: &Tx<'_>,
    progress: &mut Progress,
    entry: u64,
    links: &Links,
    senders: Option<&[Encoded]>,
) -> Result<Vec<NoteRow>, Stop> {
    let mut spent = Vec::with_capacity(links.notes.len());
    for (input, id) in numbered(links.notes.iter()) {
        let mut row = NOTES.get(tx, id)?.ok_or(Fault::UnknownNote { input, note: *id })?;
        if let Some(before) = row.spent.replace(entry) {
            return Err(Fault::NoteSpent { input, before }.into());
        }
        let sender = senders.and_then(|senders| senders.get(usize::from(input)));
        if row.account.is_some_and(|owner| sender.is_some_and(|sender| *sender != owner)) {
            return Err(Fault::WrongOwner { input }.into());
        }
        NOTES.put(tx, id, &row);
        progress.spent = progress.spent.saturating_add(1);
        move_holding(tx, progress, &row, Moved::Out)?;
        spent.push(row);
    }
    Ok(spent)
}

fn make(
    tx: &Tx<'_>,
    progress: &mut Progress,
    leg: &Leg,
    receivers: Option<&[Encoded]>,
    amounts: Option<&[Amount]>,
) -> Result<Vec<NoteId>, Stop> {
    let mut made = Vec::with_capacity(leg.outputs.len());
    for (index, note) in leg.notes().enumerate() {
        let account = receivers.and_then(|receivers| receivers.get(index)).copied();
        let amount = amounts.and_then(|amounts| amounts.get(index));
        let value =
            amount.map_or(Value::Unread, |one| known(one).map_or(Value::Hidden, Value::Known));
        let row = NoteRow { note, spent: None, account, value };
        NOTES.put(tx, &note.id(), &row);
        move_holding(tx, progress, &row, Moved::In)?;
        made.push(note.id());
    }
    Ok(made)
}

/// Whether a note came to life, ended, or showed its amount while it lives.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Moved {
    In,
    Out,
    Found,
}

fn move_holding(
    tx: &Tx<'_>,
    progress: &mut Progress,
    row: &NoteRow,
    moved: Moved,
) -> Result<(), Stop> {
    let value = if let Value::Known(value) = row.value { value } else { 0 };
    let held = match moved {
        Moved::Out => progress.held.checked_sub(value.into()),
        Moved::In | Moved::Found => progress.held.checked_add(value.into()),
    };
    progress.held = held.ok_or(AuditError::Overflow)?;
    let Some(account) = row.account else { return Ok(()) };
    let mut state: AccountState = ACCOUNTS.get(tx, &account)?.unwrap_or_default();
    let before = state.notes;
    let (quantity, notes) = match moved {
        Moved::Out => (state.quantity.checked_sub(value), state.notes.checked_sub(1)),
        Moved::In => (state.quantity.checked_add(value), state.notes.checked_add(1)),
        Moved::Found => (state.quantity.checked_add(value), Some(state.notes)),
    };
    state.quantity = quantity.ok_or(AuditError::Overflow)?;
    state.notes = notes.ok_or(AuditError::Overflow)?;
    let holders = match (before, state.notes) {
        (0, 1..) => progress.holders.checked_add(1),
        (1.., 0) => progress.holders.checked_sub(1),
        _ => Some(progress.holders),
    };
    progress.holders = holders.ok_or(AuditError::Overflow)?;
    ACCOUNTS.put(tx, &account, &state);
    Ok(())
}

/// Finds the amounts of the first leg that waits, and adds it up; false if none waits.
///
/// Enforces [AMT-2] after the fact and [BAL-1] in plain numbers.
pub(super) fn find(
    tx: &Tx<'_>,
    progress: &mut Progress,
    solve: Solve<'_>,
) -> Result<bool, AuditError> {
    let first = WAITING.rows(tx, None, 1)?.pop();
    let Some((Be(entry), Waiting { amounts, bound })) = first else { return Ok(false) };
    let damaged = || AuditError::damaged("leg with hidden amounts");
    let mut read = LEGS.get(tx, &Be(entry))?.ok_or_else(damaged)?;
    let mut values = Vec::with_capacity(amounts.len());
    for (output, (id, amount)) in numbered(&amounts) {
        let Amount::Hidden(point) = amount else {
            values.extend(known(amount));
            continue;
        };
        let value = solve(point, bound)
            .filter(|value| Encoded::of(&(times_b(&Scalar::from(*value)))) == *point)
            .ok_or(AuditError::Unsolved { entry, output, bound })?;
        let mut row = NOTES.get(tx, id)?.ok_or_else(damaged)?;
        row.value = Value::Known(value);
        NOTES.put(tx, id, &row);
        if row.spent.is_none() {
            move_holding(tx, progress, &row, Moved::Found).map_err(|stop| stop.at(entry))?;
        }
        values.push(value);
    }
    read.amounts = Some(values);
    let mut inputs = Vec::new();
    for id in read.spends.iter().flatten() {
        inputs.push(NOTES.get(tx, id)?.map_or(Value::Unread, |row| row.value));
    }
    if read.spends.is_some() && adds_up(inputs.into_iter(), &read) == Some(false) {
        return Err(at(entry, Fault::Unbalanced));
    }
    LEGS.put(tx, &Be(entry), &read);
    WAITING.delete(tx, &Be(entry));
    Ok(true)
}

/// Recomputes a snapshot.
///
/// Enforces [SNP-3]: the snapshot holds every account that had an event, with these events and this holding, and no other.
pub(super) fn recompute(kv: &dyn Kv, heading: &Heading, seed: &SnapshotSeed) -> Result<(), Stop> {
    let mut sums: BTreeMap<Encoded, RistrettoPoint> = BTreeMap::new();
    let mut after: Option<NoteId> = None;
    loop {
        let notes = NOTES.rows(kv, after.as_ref(), ROWS)?;
        let Some((last, _)) = notes.last() else { break };
        after = Some(*last);
        for (_, row) in notes.iter().filter(|(_, row)| row.spent.is_none()) {
            if let Some(account) = row.account {
                let commitment = row.note.commitment.decompress().map_err(Fault::from)?;
                *sums.entry(account).or_default() += commitment;
            }
        }
    }
    let mut rows: Vec<AccountRow> = Vec::new();
    let mut after: Option<Encoded> = None;
    loop {
        let accounts = ACCOUNTS.rows(kv, after.as_ref(), ROWS)?;
        let Some((last, _)) = accounts.last() else { break };
        after = Some(*last);
        rows.extend(accounts.iter().map(|(account, state)| AccountRow {
            account: *account,
            chain: state.chain,
            sum: sums.get(account).copied().unwrap_or_default(),
        }));
    }
    let leaves = seed.leaves(&rows).map_err(Fault::from)?;
    let same = leaves.size() == heading.leaves && leaves.locators == heading.locators;
    if !same || leaves.root() != Some(heading.root) {
        return Err(Fault::SnapshotRoot.into());
    }
    Ok(())
}

/// At most `limit` accounts after `after` that hold something, in order.
pub(super) fn holdings(
    kv: &dyn Kv,
    after: Option<&Encoded>,
    limit: usize,
) -> Result<Vec<Holding>, AuditError> {
    let mut found = Vec::new();
    let mut after = after.copied();
    while found.len() < limit {
        let page = ACCOUNTS.rows(kv, after.as_ref(), limit)?;
        let Some((last, _)) = page.last() else { break };
        after = Some(*last);
        let room = limit.saturating_sub(found.len());
        let holding = |(account, state): (Encoded, AccountState)| {
            let AccountState { quantity, notes, .. } = state;
            (notes > 0).then_some(Holding { account, quantity, notes })
        };
        found.extend(page.into_iter().filter_map(holding).take(room));
    }
    Ok(found)
}

impl super::Coverage {
    fn count(&mut self, read: &ReadLeg, amounts: bool, links: bool) {
        self.amounts = self.amounts.saturating_add(u64::from(amounts));
        self.parties = self.parties.saturating_add(u64::from(read.receivers.is_some()));
        self.trade = self.trade.saturating_add(u64::from(read.trade.is_some()));
        self.links = self.links.saturating_add(u64::from(links));
        self.spends = self.spends.saturating_add(u64::from(read.spends.is_some()));
    }
}
