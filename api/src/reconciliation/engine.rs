//! The comparison itself: no clock, no files.

use std::collections::{BTreeMap, BTreeSet};

use super::report::{Break, BreakKind, Bucket, Counts, Report, State, Totals, ViewSummary};
use super::{Covers, Pending, Question, Registered, View};
use crate::calendar::{BusinessDate, CalendarError};

/// After how many rows progress is told.
const STEP: usize = 4096;

/// Asset and account.
type Key<'a> = (&'a str, &'a str);
/// The register's first row for each key.
type Register<'a> = BTreeMap<Key<'a>, &'a Registered>;
/// Trades that may explain a difference.
type Explaining<'a> = BTreeMap<Key<'a>, Vec<&'a Pending>>;

/// Compares, and says now and then how many rows of how many are done.
///
/// # Errors
///
/// If the calendar doesn't reach the dates.
pub fn reconcile(
    question: &Question<'_>,
    progress: impl FnMut(usize, usize),
) -> Result<Report, CalendarError> {
    let rows = question.views.iter().map(|view| view.rows.len()).sum::<usize>();
    let all = rows.saturating_add(question.register.len());
    let mut run =
        Run { question, progress, breaks: Vec::new(), done: 0, all, ages: BTreeMap::new() };
    let register = run.register()?;
    let accounts: BTreeSet<&str> = register.keys().map(|(_, account)| *account).collect();
    let explaining = run.explaining()?;
    let mut views = Vec::new();
    for view in question.views {
        let before = run.breaks.len();
        let mut counts = run.view(view, &register, &accounts, &explaining)?;
        run.breaks.iter().skip(before).for_each(|one| count(&mut counts, one));
        views.push(ViewSummary { name: view.name.clone(), rows: view.rows.len(), counts });
    }
    let sums = sums(register.iter().map(|((asset, _), row)| (*asset, row.holding.quantity)));
    run.totals(&sums)?;
    (run.progress)(all, all);
    Ok(run.report(views, &sums))
}

struct Run<'q, P> {
    question: &'q Question<'q>,
    progress: P,
    breaks: Vec<Break>,
    done: usize,
    all: usize,
    /// Business days from a date until the day of the report.
    ages: BTreeMap<BusinessDate, u32>,
}

/// How two sides differ.
#[derive(Clone, Copy)]
struct Found<'a> {
    kind: BreakKind,
    view: &'a str,
    key: Key<'a>,
    register: Option<u128>,
    said: Option<u128>,
    row: Option<usize>,
}

impl Found<'_> {
    fn difference(&self) -> i128 {
        signed(self.said.unwrap_or(0)).saturating_sub(signed(self.register.unwrap_or(0)))
    }
}

impl<'q, P: FnMut(usize, usize)> Run<'q, P> {
    /// Rows of the register by key, and a break for each key that it has twice.
    fn register(&mut self) -> Result<Register<'q>, CalendarError> {
        let mut register = Register::new();
        let mut twice = BTreeSet::new();
        for (index, row) in self.question.register.iter().enumerate() {
            self.step();
            let key = (row.holding.asset.as_str(), row.holding.account.as_str());
            let Some(first) = register.get(&key) else {
                register.insert(key, row);
                continue;
            };
            if twice.insert(key) {
                let found = Found {
                    kind: BreakKind::DuplicateRow,
                    view: "register",
                    key,
                    register: Some(first.holding.quantity.into()),
                    said: Some(row.holding.quantity.into()),
                    row: Some(index.saturating_add(1)),
                };
                self.push(found, State::Open)?;
            }
        }
        Ok(register)
    }

    /// Trades that are due and not yet overdue.
    fn explaining(&mut self) -> Result<Explaining<'q>, CalendarError> {
        let mut found = Explaining::new();
        for trade in self.question.pending {
            let due = trade.delivery <= self.question.as_of;
            if due && self.age(trade.delivery)? <= self.question.rules.timing_days {
                found.entry((&trade.asset, &trade.account)).or_default().push(trade);
            }
        }
        Ok(found)
    }

    fn view(
        &mut self,
        view: &'q View,
        register: &Register<'q>,
        accounts: &BTreeSet<&str>,
        explaining: &Explaining<'q>,
    ) -> Result<Counts, CalendarError> {
        let mut rows: BTreeMap<Key<'q>, Vec<(usize, u64)>> = BTreeMap::new();
        for (index, row) in view.rows.iter().enumerate() {
            self.step();
            let key = (row.asset.as_str(), row.account.as_str());
            rows.entry(key).or_default().push((index.saturating_add(1), row.quantity));
        }
        let covered = register.iter().filter(|(_, row)| covers(&view.covers, row));
        let covered: BTreeMap<Key<'q>, u64> =
            covered.map(|(key, row)| (*key, row.holding.quantity)).collect();
        let keys: BTreeSet<Key<'q>> = covered.keys().chain(rows.keys()).copied().collect();
        let mut counts = Counts { compared: keys.len(), ..Counts::default() };
        for key in keys {
            let there = rows.get(&key).map_or(&[][..], Vec::as_slice);
            if let [(_, first), (row, _), ..] = there {
                let found = Found {
                    kind: BreakKind::DuplicateRow,
                    view: &view.name,
                    key,
                    register: Some((*first).into()),
                    said: Some(sum_of(there)),
                    row: Some(*row),
                };
                self.push(found, State::Open)?;
            }
            let known = accounts.contains(key.1);
            let Some(mut found) = compare(view, key, covered.get(&key).copied(), there, known)
            else {
                counts.matched = counts.matched.saturating_add(1);
                continue;
            };
            let allowed = self.question.rules.tolerance.get(key.0).copied().unwrap_or(0);
            let apart = found.difference().unsigned_abs();
            if found.kind == BreakKind::Quantity && apart <= allowed.into() {
                counts.within_tolerance = counts.within_tolerance.saturating_add(1);
                continue;
            }
            let trades = explaining.get(&key).map_or(&[][..], Vec::as_slice);
            let trades = match found.kind {
                BreakKind::UnknownAccount => None,
                _ => explain(found.difference(), trades),
            };
            let state = match trades {
                Some(trades) => {
                    found.kind = BreakKind::Timing;
                    State::Explained { trades }
                }
                None => State::Open,
            };
            self.push(found, state)?;
        }
        Ok(counts)
    }

    /// Sums against what the ledger proves, and what views declare against their own rows.
    fn totals(&mut self, register: &BTreeMap<&'q str, u128>) -> Result<(), CalendarError> {
        let question = self.question;
        for proven in question.proven {
            let here = register.get(proven.asset.as_str()).copied().unwrap_or(0);
            self.total("ledger", &proven.asset, here, proven.units.into())?;
        }
        for view in question.views.iter().filter(|view| !view.declared.is_empty()) {
            let rows = sums(view.rows.iter().map(|row| (row.asset.as_str(), row.quantity)));
            for (asset, declared) in &view.declared {
                let rows = rows.get(asset.as_str()).copied().unwrap_or(0);
                self.total(&view.name, asset, rows, *declared)?;
            }
        }
        Ok(())
    }

    fn total(
        &mut self,
        view: &str,
        asset: &str,
        here: u128,
        said: u128,
    ) -> Result<(), CalendarError> {
        if here == said {
            return Ok(());
        }
        let (register, said) = (Some(here), Some(said));
        let kind = BreakKind::Total;
        self.push(Found { kind, view, key: (asset, ""), register, said, row: None }, State::Open)
    }

    fn push(&mut self, found: Found<'_>, state: State) -> Result<(), CalendarError> {
        let (asset, account) = found.key;
        let id = Break::id_of(found.kind, found.view, asset, account);
        let difference = found.difference().to_string();
        let as_of = self.question.as_of;
        let first_seen = self.question.earlier.first_seen.get(&id).copied();
        let first_seen = first_seen.unwrap_or(as_of).min(as_of);
        let age = self.age(first_seen)?;
        let accepted = self.question.accepted.iter();
        let accepted = accepted.clone().find(|one| one.id == id && one.difference == difference);
        let state = match (state, accepted) {
            (State::Open, Some(accepted)) => State::Accepted(accepted.clone()),
            (state, _) => state,
        };
        self.breaks.push(Break {
            id,
            kind: found.kind,
            view: found.view.to_owned(),
            asset: asset.to_owned(),
            account: (!account.is_empty()).then(|| account.to_owned()),
            register: found.register.map(|units| units.to_string()),
            said: found.said.map(|units| units.to_string()),
            difference,
            row: found.row,
            first_seen,
            age,
            bucket: Bucket::of(age),
            state,
        });
        Ok(())
    }

    fn age(&mut self, since: BusinessDate) -> Result<u32, CalendarError> {
        if let Some(age) = self.ages.get(&since) {
            return Ok(*age);
        }
        let age = self.question.calendar.business_days_between(since, self.question.as_of)?;
        self.ages.insert(since, age);
        Ok(age)
    }

    fn step(&mut self) {
        self.done = self.done.saturating_add(1);
        if self.done.is_multiple_of(STEP) {
            (self.progress)(self.done, self.all);
        }
    }

    fn report(mut self, views: Vec<ViewSummary>, sums: &BTreeMap<&str, u128>) -> Report {
        self.breaks.sort_by(|one, other| {
            let key = |one: &Break| (one.asset.clone(), one.view.clone(), one.account.clone());
            key(one).cmp(&key(other)).then(one.kind.cmp(&other.kind))
        });
        let mut counts = Counts::default();
        for view in &views {
            counts.compared = counts.compared.saturating_add(view.counts.compared);
            counts.matched = counts.matched.saturating_add(view.counts.matched);
            let within = view.counts.within_tolerance;
            counts.within_tolerance = counts.within_tolerance.saturating_add(within);
        }
        self.breaks.iter().for_each(|one| count(&mut counts, one));
        let question = self.question;
        let mut assets: BTreeSet<&str> = sums.keys().copied().collect();
        assets.extend(question.proven.iter().map(|proven| proven.asset.as_str()));
        assets.extend(self.breaks.iter().map(|one| one.asset.as_str()));
        let totals = assets.iter().map(|asset| self.totals_of(asset, sums)).collect();
        Report {
            format: Report::FORMAT,
            as_of: question.as_of,
            calendar: question.calendar.id().to_string(),
            register_rows: question.register.len(),
            counts,
            views,
            totals,
            trend: question.earlier.with(question.as_of, counts),
            breaks: self.breaks,
            sources: BTreeMap::new(),
        }
    }

    fn totals_of(&self, asset: &str, sums: &BTreeMap<&str, u128>) -> Totals {
        let proven = self.question.proven.iter().find(|proven| proven.asset == asset);
        let rows = self.breaks.iter().filter(|one| one.asset == asset);
        let rows =
            rows.filter(|one| !matches!(one.kind, BreakKind::Total | BreakKind::DuplicateRow));
        let differences = rows.filter_map(|one| one.difference.parse::<i128>().ok());
        let gross = differences.clone().map(i128::unsigned_abs).sum::<u128>();
        Totals {
            asset: asset.to_owned(),
            register: sums.get(asset).copied().unwrap_or(0).to_string(),
            proven: proven.map(|proven| proven.units.to_string()),
            proven_by: proven.map(|proven| proven.by.clone()),
            gross_difference: gross.to_string(),
            net_difference: differences.sum::<i128>().to_string(),
        }
    }
}

/// What is wrong with one account and asset, if anything is. Of rows that a view has twice their sum is compared if the
/// register says so, or else the first.
fn compare<'a>(
    view: &'a View,
    key: Key<'a>,
    here: Option<u64>,
    there: &[(usize, u64)],
    known: bool,
) -> Option<Found<'a>> {
    let register = here.map(u128::from);
    let first = there.first();
    let said = first.map(|(_, first)| {
        let sum = sum_of(there);
        if register == Some(sum) { sum } else { (*first).into() }
    });
    let kind = match (register, said) {
        _ if register.unwrap_or(0) == said.unwrap_or(0) => return None,
        (Some(_), Some(_)) => BreakKind::Quantity,
        (_, None) => BreakKind::MissingInView,
        (None, Some(_)) if known => BreakKind::MissingInRegister,
        (None, Some(_)) => BreakKind::UnknownAccount,
    };
    Some(Found { kind, view: &view.name, key, register, said, row: first.map(|(row, _)| *row) })
}

/// The trades that explain a difference: all that are under way together, or else a single one. Either side may be ahead.
fn explain(difference: i128, trades: &[&Pending]) -> Option<Vec<String>> {
    let units = |trade: &&Pending| {
        let units = i128::from(trade.quantity);
        if trade.receives { units } else { units.saturating_neg() }
    };
    let explains = |sum: i128| sum != 0 && sum.unsigned_abs() == difference.unsigned_abs();
    if explains(trades.iter().map(units).sum()) {
        return Some(trades.iter().map(|trade| trade.trade.clone()).collect());
    }
    let one = trades.iter().find(|trade| explains(units(trade)))?;
    Some(vec![one.trade.clone()])
}

fn covers(covers: &Covers, row: &Registered) -> bool {
    match covers {
        Covers::Register => true,
        Covers::Custodian(name) => row.custodian == *name,
        Covers::Partner(name) => row.partner.as_deref() == Some(name),
    }
}

fn count(counts: &mut Counts, one: &Break) {
    let counter = match one.state {
        State::Open => &mut counts.open,
        State::Explained { .. } => &mut counts.explained,
        State::Accepted(_) => &mut counts.accepted,
    };
    *counter = counter.saturating_add(1);
}

fn sums<'a>(rows: impl Iterator<Item = (&'a str, u64)>) -> BTreeMap<&'a str, u128> {
    let mut sums = BTreeMap::new();
    for (asset, quantity) in rows {
        let sum: &mut u128 = sums.entry(asset).or_default();
        *sum = sum.saturating_add(quantity.into());
    }
    sums
}

fn sum_of(rows: &[(usize, u64)]) -> u128 {
    rows.iter().map(|(_, quantity)| u128::from(*quantity)).sum()
}

fn signed(units: u128) -> i128 {
    i128::try_from(units).unwrap_or(i128::MAX)
}
