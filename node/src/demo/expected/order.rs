//! Which trades must have ended before another may begin, so that all else can run at once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::input::{Account, AssetCode, Scenario};
use super::{Expected, Outcome, movements};

/// For each trade the earlier trades, by index, that must have ended on both sides before it may begin, so that
/// running everything else at once ends as the order of the file does.
///
/// - A trade that settles waits for just as many earlier credits of its account as it and the account's earlier
///   debits need beyond the opening position. Debits that the account can pay at once don't wait for each other.
/// - A trade that is refused for its balance or its fault stands alone on the accounts that it delivers from: it waits for
///   all earlier trades that touch them, and all later ones wait for it.
/// - A trade that finds its asset closed stands alone in the whole asset.
/// - Other refused trades touch nothing and wait for nothing.
///
/// The lists are not closed under transitivity; together they are no longer than a few entries for each trade.
#[must_use]
pub fn dependencies(scenario: &Scenario, expected: &Expected) -> Vec<BTreeSet<usize>> {
    let opening =
        |account: &Account| scenario.positions.get(account).map_or(0, |a| a.atomic_units());
    let mut flows: BTreeMap<Account, Flow> = BTreeMap::new();
    let mut gates: BTreeMap<AssetCode, Gate> = BTreeMap::new();
    let mut all = Vec::new();
    for (index, trade) in scenario.trades.iter().enumerate() {
        let mut waits = BTreeSet::new();
        let outcome = expected.outcomes.get(index).copied().unwrap_or(Outcome::Spent);
        for movement in movements(trade) {
            let payer = movement.payer();
            let flow = flows.entry(payer.clone()).or_insert_with(|| Flow::new(opening(&payer)));
            match outcome {
                Outcome::Settled => flow.debit(index, movement.units, &mut waits),
                Outcome::UnknownAccount | Outcome::Spent => continue,
                _ => flow.stand_alone(index, &mut waits),
            }
            let gate = gates.entry(movement.asset.clone()).or_default();
            gate.pass(index, outcome == Outcome::Closed, &mut waits);
            if let (Outcome::Settled, Some(payee)) = (outcome, movement.payee()) {
                let flow = flows.entry(payee.clone()).or_insert_with(|| Flow::new(opening(&payee)));
                flow.credit(index, movement.units, &mut waits);
            }
        }
        waits.remove(&index);
        all.push(waits);
    }
    all
}

/// What goes through one asset, as far as trades must wait while it is closed.
#[derive(Default)]
struct Gate {
    /// The last trade that found it closed.
    closed: Option<usize>,
    /// The trades since.
    since: Vec<usize>,
}

impl Gate {
    fn pass(&mut self, index: usize, closes: bool, waits: &mut BTreeSet<usize>) {
        waits.extend(self.closed);
        if closes {
            waits.extend(self.since.drain(..));
            self.closed = Some(index);
        } else {
            self.since.push(index);
        }
    }
}

/// What goes through one account, as far as trades must wait for each other because of it.
struct Flow {
    /// What the account holds at this point of the file.
    held: u128,
    /// What debits since the last lone trade come to.
    debits: u128,
    /// What pays for them: the holding after the last lone trade, and the credits that debits have waited for.
    covered: u128,
    /// Credits since the last lone trade that no debit has waited for yet.
    credits: VecDeque<(usize, u64)>,
    /// The last debit that waited for credits; who waits for it has waited for them.
    anchor: Option<usize>,
    /// The last lone trade.
    lone: Option<usize>,
    /// The trades since.
    since: Vec<usize>,
}

impl Flow {
    fn new(opening: u64) -> Self {
        let (held, covered) = (opening.into(), opening.into());
        let (credits, since) = (VecDeque::new(), Vec::new());
        Self { held, debits: 0, covered, credits, anchor: None, lone: None, since }
    }

    fn credit(&mut self, index: usize, units: u64, waits: &mut BTreeSet<usize>) {
        waits.extend(self.lone);
        self.since.push(index);
        self.credits.push_back((index, units));
        self.held = self.held.saturating_add(units.into());
    }

    fn debit(&mut self, index: usize, units: u64, waits: &mut BTreeSet<usize>) {
        waits.extend(self.lone.into_iter().chain(self.anchor));
        self.since.push(index);
        self.held = self.held.saturating_sub(units.into());
        self.debits = self.debits.saturating_add(units.into());
        while self.covered < self.debits {
            let Some((credit, units)) = self.credits.pop_front() else { break };
            waits.insert(credit);
            self.covered = self.covered.saturating_add(units.into());
            self.anchor = Some(index);
        }
    }

    fn stand_alone(&mut self, index: usize, waits: &mut BTreeSet<usize>) {
        waits.extend(self.lone.into_iter().chain(self.since.drain(..)));
        self.lone = Some(index);
        self.anchor = None;
        self.credits.clear();
        self.debits = 0;
        self.covered = self.held;
    }
}
