//! Reading verified legs with disclosure keys, and what follows from them: the register.

use std::collections::BTreeMap;

use sudare_crypto::point::times_b;
use sudare_crypto::{Claims, Encoded, RistrettoPoint, Scalar, pairs};
use sudare_disclosure::{AssetTerms, DisclosureSecret, Epoch, Field, Fields, SectionKind};

use super::{AuditError, Fault, Pending, ReadLeg, Report, Solve, count};
use crate::access::Scope;
use crate::leg::{Amount, Disclosed, Leg, Links};
use crate::note::{Note, NoteId};
use crate::snapshot::{AccountRow, Chain, Heading, Snapshot, SnapshotSeed, events_of};

const NOTHING: Disclosed =
    Disclosed { amounts: None, parties: None, sender: None, trade: None, links: None };

/// The keys to read with, and what may be read.
pub(super) struct Keys<'a> {
    /// Each with its point.
    pub(super) all: &'a [(Encoded, DisclosureSecret)],
    /// All that may be read; without a grant, what the keys can.
    pub(super) scope: Option<&'a Scope>,
}

/// All notes that the log made and all legs that were read.
#[derive(Default)]
pub(super) struct Register {
    notes: BTreeMap<NoteId, NoteRow>,
    rows: Vec<Row>,
    chains: BTreeMap<Encoded, Chain>,
    /// Whether the account or the spent notes of some leg are not known.
    blind: bool,
}

struct NoteRow {
    note: Note,
    /// The entry that spent it; none also if no key reads which.
    spent: Option<u64>,
    account: Option<Encoded>,
    value: Option<u64>,
}

struct Row {
    leg: ReadLeg,
    /// The quantities as read, some of them perhaps still points; none out of scope.
    amounts: Option<Vec<Amount>>,
    made: Vec<NoteId>,
    bound: u64,
    links: bool,
}

impl Register {
    /// How many legs were read.
    pub(super) fn legs(&self) -> u64 {
        count(self.rows.len())
    }

    /// Reads a leg whose equations hold with whichever of the keys are in force in its epoch, and moves the register. Gives
    /// the equation of its links, still to be decided.
    ///
    /// Enforces [SEC-4] after the fact, [LNK-1], and [APR-10]: what an entitled key should read it can, inputs are live notes,
    /// and a spend is booked on the note's account.
    pub(super) fn read(
        &mut self,
        pending: &Pending,
        terms: &AssetTerms,
        keys: &Keys<'_>,
    ) -> Result<Claims, Fault> {
        let leg = &pending.leg.leg;
        let epoch = terms.policy.epoch(leg.header.epoch).ok_or(Fault::Epoch)?;
        let seen = keys.disclose(leg, epoch, pending.leg.receipt.entry.time)?;
        let trade = match seen.trade {
            Some(None) => return Err(Fault::Unreadable(SectionKind::Trade)),
            Some(trade) => trade,
            None => None,
        };
        let sender = match seen.sender {
            Some(None) => return Err(Fault::Unreadable(SectionKind::Parties)),
            Some(sender) => sender,
            None => None,
        };
        let in_scope = seen.links.is_some();
        let links = match seen.links {
            Some(None) if !leg.inputs.is_empty() => {
                return Err(Fault::Unreadable(SectionKind::Links));
            }
            Some(links) => links,
            None => None,
        };
        let (senders, receivers) = seen.parties.map_or((None, None), |(s, r)| (Some(s), Some(r)));
        let mut claims = Claims::new();
        let spends = match &links {
            Some(links) => {
                Some(self.spend(pending.entry, leg, links, senders.as_deref(), &mut claims)?)
            }
            None => leg.inputs.is_empty().then(Vec::new),
        };
        let made = self.make(leg, receivers.as_deref());
        match (&senders, &receivers, &spends) {
            (Some(senders), Some(receivers), Some(spent)) => {
                let spends = (senders.as_slice(), spent.as_slice());
                for (account, event) in events_of(pending.entry, leg, spends, receivers) {
                    let chain = self.chains.entry(account).or_default();
                    *chain = chain.after(&event);
                }
            }
            _ => self.blind = true,
        }
        self.rows.push(Row {
            leg: ReadLeg {
                entry: pending.entry,
                tx: pending.tx,
                index: pending.leg.index,
                time: pending.leg.receipt.entry.time,
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
            },
            amounts: seen.amounts,
            made,
            bound: pending.bound,
            links: in_scope,
        });
        Ok(claims)
    }

    /// Finds hidden amounts, adds up every leg and the register in plain numbers, and completes the report.
    ///
    /// Enforces [LOG-4]: the live notes sum to the supply.
    pub(super) fn finish(self, report: &mut Report, solve: Solve<'_>) -> Result<(), AuditError> {
        let Self { mut notes, rows, .. } = self;
        for mut row in rows {
            let seen = &row.leg;
            report.scope.amounts += u64::from(row.amounts.is_some());
            report.scope.parties += u64::from(seen.receivers.is_some());
            report.scope.trade += u64::from(seen.trade.is_some());
            report.scope.links += u64::from(row.links);
            report.scope.spends += u64::from(seen.spends.is_some());
            if let Some(amounts) = row.amounts.take() {
                let values = values(&row, amounts, report, solve)?;
                for (id, value) in pairs(&row.made, &values).into_iter().flatten() {
                    if let Some(note) = notes.get_mut(id) {
                        note.value = Some(*value);
                    }
                }
                row.leg.amounts = Some(values);
            }
            if adds_up(&notes, &row.leg) == Some(false) {
                let entry = row.leg.entry;
                return Err(AuditError::Entry { entry, fault: Fault::Unbalanced });
            }
            report.read.push(row.leg);
        }
        // Without a key to all links nobody can tell which notes live.
        if report.scope.spends == report.legs {
            settle(&notes, report)?;
        }
        Ok(())
    }

    /// Recomputes a snapshot, if every leg before it was read and a key opens its seed; whether it did.
    ///
    /// Enforces [SNP-3]: the snapshot holds every account that had an event, with these events and this holding, and no other.
    pub(super) fn check_snapshot(
        &self,
        snapshot: &Snapshot,
        epoch: &Epoch,
        keys: &Keys<'_>,
        known: Option<SnapshotSeed>,
    ) -> Result<bool, Fault> {
        if !keys.may_recompute(&snapshot.heading) {
            return Ok(false);
        }
        let mut seed = known;
        for (_, key) in keys.all {
            let opened = snapshot.open(epoch, key);
            seed = seed.or(opened.map_err(|_| Fault::Unreadable(SectionKind::Snapshot))?);
        }
        let Some(seed) = seed.filter(|_| !self.blind) else { return Ok(false) };
        let mut sums: BTreeMap<Encoded, RistrettoPoint> = BTreeMap::new();
        for row in self.notes.values().filter(|row| row.spent.is_none()) {
            if let Some(account) = row.account {
                *sums.entry(account).or_default() += row.note.commitment.decompress()?;
            }
        }
        let row = |(account, chain): (&Encoded, &Chain)| AccountRow {
            account: *account,
            chain: *chain,
            sum: sums.get(account).copied().unwrap_or_default(),
        };
        let rows: Vec<AccountRow> = self.chains.iter().map(row).collect();
        let leaves = seed.leaves(&rows)?;
        let heading = &snapshot.heading;
        if leaves.size() != heading.leaves || leaves.root() != Some(heading.root) {
            return Err(Fault::SnapshotRoot);
        }
        Ok(true)
    }

    fn spend(
        &mut self,
        entry: u64,
        leg: &Leg,
        links: &Links,
        senders: Option<&[Encoded]>,
        claims: &mut Claims,
    ) -> Result<Vec<NoteId>, Fault> {
        let mut spent = Vec::with_capacity(links.notes.len());
        for (input, id) in sudare_crypto::numbered(links.notes.iter()) {
            let unknown = Fault::UnknownNote { input, note: *id };
            let row = self.notes.get_mut(id).ok_or(unknown)?;
            if let Some(before) = row.spent.replace(entry) {
                return Err(Fault::NoteSpent { input, before });
            }
            let sender = senders.and_then(|senders| senders.get(usize::from(input)));
            if row.account.is_some_and(|owner| sender.is_some_and(|sender| *sender != owner)) {
                return Err(Fault::WrongOwner { input });
            }
            spent.push(row.note);
        }
        leg.check_links(&spent, &links.proof, claims)?;
        Ok(links.notes.to_vec())
    }

    fn make(&mut self, leg: &Leg, receivers: Option<&[Encoded]>) -> Vec<NoteId> {
        let mut made = Vec::with_capacity(leg.outputs.len());
        for (index, note) in leg.notes().enumerate() {
            let account = receivers.and_then(|receivers| receivers.get(index)).copied();
            made.push(note.id());
            self.notes.insert(note.id(), NoteRow { note, spent: None, account, value: None });
        }
        made
    }
}

impl Keys<'_> {
    /// Whether a snapshot is within what may be read: it says something of all accounts, their events and links.
    fn may_recompute(&self, heading: &Heading) -> bool {
        self.scope.is_none_or(|scope| {
            scope.accounts.is_empty()
                && scope.has_leg(heading.epoch, heading.at)
                && scope.fields.has(Field::Parties)
                && scope.fields.has(Field::Links)
        })
    }

    /// What the keys read together of a leg that was notarised at `time`, ms since the Unix epoch.
    ///
    /// Enforces [ACC-3]: of a leg outside the scope nothing is read; to find the legs of the scope's accounts, the parties of
    /// those of its epochs and period.
    fn disclose(&self, leg: &Leg, epoch: &Epoch, time: u64) -> Result<Disclosed, Fault> {
        let Some(scope) = self.scope else { return self.read(leg, epoch, Fields::ALL) };
        if !scope.has_leg(epoch.number, time) {
            return Ok(NOTHING);
        }
        if let Some(parties) = Fields::of(&[Field::Parties])
            && !scope.accounts.is_empty()
        {
            let found = self.read(leg, epoch, parties)?.parties;
            if !found.is_some_and(|(senders, receivers)| scope.has_accounts(&senders, &receivers)) {
                return Ok(NOTHING);
            }
        }
        self.read(leg, epoch, scope.fields)
    }

    fn read(&self, leg: &Leg, epoch: &Epoch, fields: Fields) -> Result<Disclosed, Fault> {
        let mut all = NOTHING;
        for (point, key) in self.all {
            if epoch.keys.iter().any(|one| one.point == *point) {
                let one = leg.disclose_only(epoch, key, fields)?;
                all = Disclosed {
                    amounts: all.amounts.or(one.amounts),
                    parties: all.parties.or(one.parties),
                    sender: all.sender.or(one.sender),
                    trade: all.trade.or(one.trade),
                    links: all.links.or(one.links),
                };
            }
        }
        Ok(all)
    }
}

/// The leg's quantities; those that the memo hides are searched for and checked.
fn values(
    row: &Row,
    amounts: Vec<Amount>,
    report: &mut Report,
    solve: Solve<'_>,
) -> Result<Vec<u64>, AuditError> {
    let (entry, bound) = (row.leg.entry, row.bound);
    let mut values = Vec::with_capacity(amounts.len());
    for (output, amount) in sudare_crypto::numbered(amounts) {
        values.push(match amount {
            Amount::Known(value) => value,
            Amount::Unspendable(value) => {
                report.false_memos.push((entry, output));
                value
            }
            Amount::Hidden(point) => {
                report.false_memos.push((entry, output));
                solve(&point, bound)
                    .filter(|value| Encoded::of(&(times_b(&Scalar::from(*value)))) == point)
                    .ok_or(AuditError::Unsolved { entry, output, bound })?
            }
        });
    }
    Ok(values)
}

/// Whether inputs and mint are outputs and burn, in plain numbers; none if not all of them are known.
fn adds_up(notes: &BTreeMap<NoteId, NoteRow>, leg: &ReadLeg) -> Option<bool> {
    let (mut before, mut after) = (u128::from(leg.mint), u128::from(leg.burn));
    for id in leg.spends.as_ref()? {
        before = before.checked_add(notes.get(id)?.value?.into())?;
    }
    for value in leg.amounts.as_ref()? {
        after = after.checked_add(u128::from(*value))?;
    }
    Some(before == after)
}

/// The register, as far as amounts and parties of every leg are known.
fn settle(notes: &BTreeMap<NoteId, NoteRow>, report: &mut Report) -> Result<(), AuditError> {
    let live: Vec<&NoteRow> = notes.values().filter(|row| row.spent.is_none()).collect();
    report.live = Some(count(live.len()));
    if report.scope.amounts < report.legs {
        return Ok(());
    }
    let values = live.iter().map(|row| u128::from(row.value.unwrap_or(0)));
    let held = values.sum();
    if held != u128::from(report.supply) {
        return Err(AuditError::Register { held, supply: report.supply });
    }
    report.sums = true;
    if report.scope.parties < report.legs {
        return Ok(());
    }
    let mut holdings: BTreeMap<Encoded, u64> = BTreeMap::new();
    for row in live {
        if let (Some(account), Some(value)) = (row.account, row.value) {
            let holding = holdings.entry(account).or_default();
            *holding = holding.checked_add(value).ok_or(AuditError::Overflow)?;
        }
    }
    report.holdings = Some(holdings);
    Ok(())
}
