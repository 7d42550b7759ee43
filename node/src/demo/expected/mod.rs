//! What the demo's trades must come to, recomputed without the ledger: plain maps, one trade after another.
//!
//! Nothing here knows of notes, proofs or nodes, so that a fault of the ledger can't be repeated in what it is
//! compared with.

mod order;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

pub use self::order::dependencies;
use super::input::{Account, Amount, AssetCode, Fault, InvestorId, Scenario, Trade, TradeKind};

/// What the trades must come to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Expected {
    /// One outcome for each trade, in the order of the file.
    pub outcomes: Vec<Outcome>,
    /// What every account holds in the end; zero is stated too.
    pub positions: BTreeMap<Account, Amount>,
    /// What is outstanding of every asset in the end: opening positions less redemptions.
    pub supply: BTreeMap<AssetCode, Amount>,
}

/// How a trade ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub enum Outcome {
    /// All of it moved.
    Settled,
    /// Nothing moved: a party has no account in what it would deliver or receive.
    UnknownAccount,
    /// Nothing moved: a party has less than it is to deliver.
    Overspend,
    /// Nothing moved: the receive slot had expired.
    SlotExpired,
    /// Nothing moved: the other side did not instruct in time.
    Lapsed,
    /// Nothing moved: both sides cancelled it.
    Cancelled,
    /// Nothing moved: the account that was to deliver was frozen.
    Frozen,
    /// Nothing moved: the asset was closed.
    Closed,
    /// Nothing moved in the books; of two commits that raced for one tag exactly one was refused.
    Spent,
}

impl Outcome {
    /// `settled`, or the code of the refusal as the ledger gives it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::UnknownAccount => "unknown-account",
            Self::Overspend => "overspend",
            Self::SlotExpired => "slot-expired",
            Self::Lapsed => "lapsed",
            Self::Cancelled => "cancelled",
            Self::Frozen => "frozen",
            Self::Closed => "closed",
            Self::Spent => "spent",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Expected {
    /// Settles or refuses the trades one by one in the order of the file.
    ///
    /// A trade that deserves several refusals gets the first of: `spent` (a planted double spend never touches the
    /// books), `unknown-account`, `overspend`, the refusal that its fault stands for.
    #[must_use]
    pub fn of(scenario: &Scenario) -> Self {
        let mut books = Books::open(scenario);
        let outcomes = scenario.trades.iter().map(|trade| books.settle(trade)).collect();
        let amounts = |(account, units)| (account, Amount::new(units));
        Self {
            outcomes,
            positions: books.holdings.into_iter().map(amounts).collect(),
            supply: books
                .supply
                .into_iter()
                .map(|(asset, units)| (asset, Amount::new(units)))
                .collect(),
        }
    }

    /// How many trades end in each way, ways that none ends in left out.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<Outcome, u64> {
        let mut counts = BTreeMap::new();
        for outcome in &self.outcomes {
            let count: &mut u64 = counts.entry(*outcome).or_default();
            *count = count.saturating_add(1);
        }
        counts
    }
}

/// The accounts that deliver, one for each movement of each trade.
#[must_use]
pub fn payers(scenario: &Scenario) -> Vec<Account> {
    let movements = scenario.trades.iter().flat_map(movements);
    movements.map(|movement| movement.payer()).collect()
}

/// One asset that a trade would move.
struct Movement<'a> {
    asset: &'a AssetCode,
    units: u64,
    from: &'a InvestorId,
    to: Option<&'a InvestorId>,
}

impl Movement<'_> {
    fn payer(&self) -> Account {
        Account { investor: self.from.clone(), asset: self.asset.clone() }
    }

    fn payee(&self) -> Option<Account> {
        self.to.map(|to| Account { investor: to.clone(), asset: self.asset.clone() })
    }
}

/// The asset, and the cash that is paid for it.
fn movements(trade: &Trade) -> Vec<Movement<'_>> {
    let (asset, units, from) = (&trade.asset, trade.quantity.atomic_units(), &trade.from);
    let mut movements = vec![Movement { asset, units, from, to: trade.kind.to() }];
    if let TradeKind::Dvp { to, cash_asset, cash_quantity } = &trade.kind {
        let units = cash_quantity.atomic_units();
        movements.push(Movement { asset: cash_asset, units, from: to, to: Some(from) });
    }
    movements
}

/// Who holds what.
struct Books {
    holdings: BTreeMap<Account, u64>,
    supply: BTreeMap<AssetCode, u64>,
}

impl Books {
    fn open(scenario: &Scenario) -> Self {
        let mut holdings = BTreeMap::new();
        let mut supply: BTreeMap<_, u64> =
            scenario.assets.keys().map(|asset| (asset.clone(), 0)).collect();
        for account in &scenario.accounts {
            let units = scenario.positions.get(account).map_or(0, |amount| amount.atomic_units());
            holdings.insert(account.clone(), units);
            // The input's parser has checked that the sum fits.
            let sum = supply.entry(account.asset.clone()).or_default();
            *sum = sum.saturating_add(units);
        }
        Self { holdings, supply }
    }

    fn settle(&mut self, trade: &Trade) -> Outcome {
        if trade.fault == Some(Fault::DoubleSpend) {
            return Outcome::Spent;
        }
        let movements = movements(trade);
        // Who never hears of a trade can't refuse it.
        let hears = trade.fault != Some(Fault::Late);
        let parties =
            movements.iter().flat_map(|m| [Some(m.payer()), m.payee().filter(|_| hears)]).flatten();
        if parties.into_iter().any(|account| !self.holdings.contains_key(&account)) {
            return Outcome::UnknownAccount;
        }
        let held = |account: &Account| self.holdings.get(account).copied().unwrap_or(0);
        if movements.iter().any(|movement| held(&movement.payer()) < movement.units) {
            return Outcome::Overspend;
        }
        match trade.fault {
            Some(Fault::ExpiredSlot) => return Outcome::SlotExpired,
            Some(Fault::Late) => return Outcome::Lapsed,
            Some(Fault::Cancelled) => return Outcome::Cancelled,
            Some(Fault::Frozen) => return Outcome::Frozen,
            Some(Fault::Closed) => return Outcome::Closed,
            Some(Fault::DoubleSpend) | None => (),
        }
        for movement in &movements {
            self.shift(movement);
        }
        Outcome::Settled
    }

    /// Moves units that the payer has. No holding can exceed its asset's supply, which fits.
    fn shift(&mut self, movement: &Movement<'_>) {
        let held = self.holdings.entry(movement.payer()).or_default();
        *held = held.saturating_sub(movement.units);
        match movement.payee() {
            Some(payee) => {
                let held = self.holdings.entry(payee).or_default();
                *held = held.saturating_add(movement.units);
            }
            None => {
                let outstanding = self.supply.entry(movement.asset.clone()).or_default();
                *outstanding = outstanding.saturating_sub(movement.units);
            }
        }
    }
}
