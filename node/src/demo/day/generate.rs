//! A trading day made up from a seed, as the files that a user would give.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::calendar::Day;
use super::words::person;
use crate::cli::Failure;
use crate::demo::input::{Files, InputErrors, Scenario, Source, isin_check_digit};

/// The cash token of every made-up day.
const CASH: &str = "DJPY";
/// How many securities there are; the last is closed now and then.
const SECURITIES: usize = 4;
/// The custodians of a fresh network.
pub(super) const CUSTODIANS: [&str; 3] = ["custodian-a", "custodian-b", "custodian-c"];
/// The most investors.
const INVESTORS_MAX: usize = 60;
/// What is refused on purpose, by turns.
const REFUSALS: [Refusal; 8] = [
    Refusal::Overspend,
    Refusal::Unknown,
    Refusal::Fault("expired-slot"),
    Refusal::Fault("double-spend"),
    Refusal::Fault("late"),
    Refusal::Fault("cancelled"),
    Refusal::Fault("frozen"),
    Refusal::Fault("closed"),
];

#[derive(Clone, Copy)]
enum Refusal {
    Overspend,
    Unknown,
    Fault(&'static str),
}

/// A day as CSV files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DayFiles {
    /// `investors.csv`.
    pub investors: String,
    /// `names.csv`.
    pub names: String,
    /// `positions.csv`.
    pub positions: String,
    /// `trades.csv`.
    pub trades: String,
}

impl DayFiles {
    /// Makes up a day of `count` trades that were dealt on a day. The same arguments give the same bytes.
    #[must_use]
    pub fn generate(seed: u64, count: u32, dealt: Day) -> Self {
        Self::at(&CUSTODIANS, seed, count, dealt)
    }

    /// The same for these custodians, of which there must be one.
    #[must_use]
    pub fn at<S: AsRef<str>>(custodians: &[S], seed: u64, count: u32, dealt: Day) -> Self {
        let mut market = Market::new(seed, count, dealt);
        let (investors, names) = market.list_investors(custodians);
        let positions = market.list_positions();
        Self { investors, names, positions, trades: market.list_trades() }
    }

    /// The day as the demo reads it.
    ///
    /// # Errors
    ///
    /// [`InputErrors`], never of files as they were generated.
    pub fn scenario(&self) -> Result<Scenario, InputErrors> {
        let source = |name, text| Source { name, bytes: str::as_bytes(text) };
        Scenario::of(Files {
            investors: source("investors.csv", &self.investors),
            positions: source("positions.csv", &self.positions),
            trades: source("trades.csv", &self.trades),
            names: Some(source("names.csv", &self.names)),
        })
    }

    /// Writes the files into a folder.
    ///
    /// # Errors
    ///
    /// [`Failure::File`].
    pub fn write(&self, folder: &Path) -> Result<(), Failure> {
        for (name, text) in [
            ("investors.csv", &self.investors),
            ("names.csv", &self.names),
            ("positions.csv", &self.positions),
            ("trades.csv", &self.trades),
        ] {
            let path = folder.join(name);
            std::fs::write(&path, text).map_err(|error| Failure::File(path, error))?;
        }
        Ok(())
    }
}

/// How the trade ids of a day begin.
pub(super) fn ids(seed: u64) -> String {
    format!("D{seed}-")
}

/// An investor's number and an asset's number.
type Account = (usize, usize);

struct Market {
    rng: ChaCha20Rng,
    seed: u64,
    count: u32,
    dealt: Day,
    /// Pseudonyms, the busiest investor first.
    investors: Vec<String>,
    /// Codes; the first is cash.
    assets: Vec<String>,
    /// What each account holds as the day goes on.
    held: BTreeMap<Account, u64>,
}

impl Market {
    fn new(seed: u64, count: u32, dealt: Day) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let mut assets = BTreeSet::new();
        while assets.len() < SECURITIES {
            let body = format!("ZZ{:09}", rng.next_u64() % 1_000_000_000);
            assets.insert(format!("{body}{}", isin_check_digit(&body)));
        }
        let number = (9 + usize::try_from(count).unwrap_or(0) / 50).min(INVESTORS_MAX);
        let mut investors = BTreeSet::new();
        while investors.len() < number {
            investors.insert(pseudonym(&mut rng));
        }
        // Sorted names tell who is busy no more than drawn ones.
        let investors = investors.into_iter().collect();
        let assets = std::iter::once(CASH.to_owned()).chain(assets).collect();
        let held = BTreeMap::new();
        let mut market = Self { rng, seed, count, dealt, investors, assets, held };
        market.open();
        market
    }

    /// Draws accounts and opening positions: the busier, the richer.
    fn open(&mut self) {
        for investor in 0..self.investors.len() {
            for asset in 0..self.assets.len() {
                if asset > 0 && investor > 5 && self.below(10) < 3 {
                    continue;
                }
                let units = match asset {
                    0 => 20_000_000 + self.below(100_000_000),
                    _ => 2_000 + self.below(20_000),
                };
                let wealth = 1 + 40 / (1 + u64::try_from(investor).unwrap_or(0));
                self.held.insert((investor, asset), units * wealth);
            }
        }
    }

    fn list_investors<S: AsRef<str>>(&self, custodians: &[S]) -> (String, String) {
        let mut investors = String::from("investor,custodian,asset\n");
        let mut names = String::from("investor,name_ja,name_en,corporate_number\n");
        for (number, id) in self.investors.iter().enumerate() {
            let (japanese, english, corporate) = person(number);
            let _ = writeln!(names, "{id},{japanese},{english},{corporate}");
        }
        for (investor, asset) in self.held.keys() {
            let turn = investor.checked_rem(custodians.len()).unwrap_or(0);
            let custodian = custodians.get(turn).map(AsRef::as_ref);
            let (id, code) = (self.investor(*investor), self.asset(*asset));
            let _ = writeln!(investors, "{id},{},{code}", custodian.unwrap_or_default());
        }
        (investors, names)
    }

    fn list_positions(&self) -> String {
        let mut positions = String::from("investor,asset,quantity\n");
        for ((investor, asset), units) in &self.held {
            let (id, code) = (self.investor(*investor), self.asset(*asset));
            let _ = writeln!(positions, "{id},{code},{units}");
        }
        positions
    }

    fn list_trades(&mut self) -> String {
        let mut trades = String::from(
            "trade_id,kind,delivery_date,asset,quantity,from,to,cash_asset,cash_quantity,fault\n",
        );
        // One in sixteen is refused on purpose; more of a short day, so that it has every refusal.
        let kinds = u32::try_from(REFUSALS.len()).unwrap_or(1);
        let every = (self.count / kinds).clamp(4, 16);
        for number in 0..self.count {
            let days = 1 + u32::from(self.below(4) == 0);
            let date = self.dealt.business_days_later(days);
            let turn = usize::try_from(number / every).unwrap_or(0) % REFUSALS.len();
            let planned = REFUSALS.get(turn).filter(|_| number % every == every / 2).copied();
            let row = match planned {
                Some(refusal) => self.refused(refusal),
                None => self.settled(),
            };
            let (kind, rest) = row.split_once(',').unwrap_or_default();
            let _ = writeln!(trades, "{}{:06},{kind},{date},{rest}", ids(self.seed), number + 1);
        }
        trades
    }

    /// A trade that settles: kind and all columns after the delivery date.
    fn settled(&mut self) -> String {
        loop {
            let asset = self.busy_asset();
            let (from, to) = (self.busy_investor(), self.busy_investor());
            let held = self.held.get(&(from, asset)).copied().unwrap_or(0);
            let units = self.share_of(held);
            let (id, code) = (self.investor(from), self.asset(asset));
            if units == 0 {
                continue;
            }
            if asset > 0 && self.below(33) == 0 {
                // Small, so that a long day does not run dry.
                let units = units.min(1 + held / 500);
                self.take((from, asset), units);
                return format!("redeem,{code},{units},{id},,,,");
            }
            if from == to || !self.held.contains_key(&(to, asset)) {
                continue;
            }
            let to_id = self.investor(to);
            let pays = self.held.get(&(to, 0)).copied().unwrap_or(0);
            let price = 300 + self.below(3_000);
            let cash = units.saturating_mul(price);
            self.take((from, asset), units);
            self.give((to, asset), units);
            if asset > 0 && cash <= pays && self.below(5) < 2 {
                self.take((to, 0), cash);
                self.give((from, 0), cash);
                return format!("dvp,{code},{units},{id},{to_id},{CASH},{cash},");
            }
            return format!("transfer,{code},{units},{id},{to_id},,,");
        }
    }

    /// A transfer that must be refused. Its accounts are not the busiest: they stand still meanwhile.
    fn refused(&mut self, refusal: Refusal) -> String {
        let halted = matches!(refusal, Refusal::Fault("closed"));
        loop {
            let asset = if halted { SECURITIES } else { self.busy_asset() };
            let (from, to) = (self.any_investor(), self.any_investor());
            let held = self.held.get(&(from, asset)).copied().unwrap_or(0);
            if from == to || held < 2 || !self.held.contains_key(&(to, asset)) {
                continue;
            }
            let (id, to_id) = (self.investor(from), self.investor(to));
            let code = self.asset(asset);
            let units = 1 + self.below(held / 2);
            return match refusal {
                Refusal::Overspend => {
                    let much = held.saturating_add(units);
                    format!("transfer,{code},{much},{id},{to_id},,,")
                }
                Refusal::Unknown => format!("transfer,{code},{units},{id},NOBODY-{units},,,"),
                Refusal::Fault(fault) => {
                    format!("transfer,{code},{units},{id},{to_id},,,{fault}")
                }
            };
        }
    }

    /// Most trades are small against the holding, some are not.
    fn share_of(&mut self, held: u64) -> u64 {
        let shift = 3 + self.below(8).min(self.below(8));
        let most = held.checked_shr(u32::try_from(shift).unwrap_or(8)).unwrap_or(0);
        if most == 0 { 0 } else { 1 + self.below(most) }
    }

    /// A few investors do most of the trading: the chance goes as one by the rank.
    fn busy_investor(&mut self) -> usize {
        let weight = |rank: usize| 1_000_000 / u64::try_from(rank + 1).unwrap_or(1);
        let total = (0..self.investors.len()).map(weight).sum::<u64>();
        let mut draw = self.below(total);
        for rank in 0..self.investors.len() {
            match draw.checked_sub(weight(rank)) {
                Some(rest) => draw = rest,
                None => return rank,
            }
        }
        0
    }

    fn any_investor(&mut self) -> usize {
        let count = u64::try_from(self.investors.len()).unwrap_or(1);
        usize::try_from(self.below(count)).unwrap_or(0)
    }

    /// Half of the trading is in one security; a tenth moves cash alone; the last security is hardly traded.
    fn busy_asset(&mut self) -> usize {
        match self.below(100) {
            0..10 => 0,
            10..60 => 1,
            60..85 => 2,
            85..98 => 3,
            _ => SECURITIES,
        }
    }

    fn take(&mut self, account: Account, units: u64) {
        let held = self.held.entry(account).or_default();
        *held = held.saturating_sub(units);
    }

    fn give(&mut self, account: Account, units: u64) {
        let held = self.held.entry(account).or_default();
        *held = held.saturating_add(units);
    }

    fn investor(&self, number: usize) -> String {
        self.investors.get(number).cloned().unwrap_or_default()
    }

    fn asset(&self, number: usize) -> String {
        self.assets.get(number).cloned().unwrap_or_default()
    }

    /// A number below another; 0 below 0. The bias of the remainder does not matter here.
    fn below(&mut self, end: u64) -> u64 {
        self.rng.next_u64().checked_rem(end).unwrap_or(0)
    }
}

fn pseudonym(rng: &mut ChaCha20Rng) -> String {
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let mut id = String::from("INV-");
    for _ in 0..8 {
        let place = usize::try_from(rng.next_u32() % 32).unwrap_or(0);
        id.push(char::from(LETTERS.get(place).copied().unwrap_or(b'0')));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::expected::{Expected, Outcome};
    use crate::demo::input::AssetKind;

    fn day(seed: u64, count: u32) -> DayFiles {
        DayFiles::generate(seed, count, Day::of(2026, 11, 20))
    }

    #[test]
    fn the_same_seed_gives_the_same_day_and_another_seed_another() {
        assert_eq!(day(7, 300), day(7, 300));
        assert_ne!(day(7, 300).trades, day(8, 300).trades);
    }

    #[test]
    fn every_day_is_sound_and_has_every_kind_and_every_refusal_that_it_means_to_have() {
        for (seed, count) in [(1, 40), (2, 100), (3, 1_000), (u64::MAX, 333)] {
            let scenario = day(seed, count).scenario().unwrap();
            assert_eq!(scenario.trades.len(), usize::try_from(count).unwrap());
            let counts = Expected::of(&scenario).counts();
            for outcome in [
                Outcome::UnknownAccount,
                Outcome::Overspend,
                Outcome::SlotExpired,
                Outcome::Spent,
                Outcome::Lapsed,
                Outcome::Cancelled,
                Outcome::Frozen,
                Outcome::Closed,
            ] {
                assert!(counts.get(&outcome) >= Some(&1), "{outcome} in {count} of {seed}");
            }
            assert!(counts[&Outcome::Settled] * 4 >= u64::from(count) * 3);
            for kind in ["transfer", "dvp", "redeem"] {
                let has = scenario.trades.iter().any(|trade| trade.kind.name() == kind);
                assert!(has || count < 100, "{kind} in {count} of {seed}");
            }
        }
    }

    #[test]
    fn volumes_are_skewed_and_dates_are_business_days() {
        let scenario = day(5, 2_000).scenario().unwrap();
        let mut by_investor: BTreeMap<&str, usize> = BTreeMap::new();
        for trade in &scenario.trades {
            *by_investor.entry(trade.from.as_str()).or_default() += 1;
            // 2026-11-21 to 23 are a weekend and a holiday.
            let date = trade.delivery_date.to_string();
            assert!(["2026-11-24", "2026-11-25", "2026-11-26"].contains(&date.as_str()), "{date}");
        }
        let mut counts: Vec<usize> = by_investor.values().copied().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        assert!(counts.iter().take(5).sum::<usize>() * 3 > 2_000, "{counts:?}");
        let mut units: Vec<u64> =
            scenario.trades.iter().map(|trade| trade.quantity.atomic_units()).collect();
        units.sort_unstable();
        assert!(units[1_980] > 20 * units[1_000], "{} {}", units[1_980], units[1_000]);
    }

    #[test]
    fn everything_is_plainly_synthetic() {
        let scenario = day(9, 500).scenario().unwrap();
        for spec in scenario.assets.values() {
            assert!(spec.kind == AssetKind::Cash || spec.code.starts_with("ZZ"), "{spec:?}");
        }
        assert_eq!(scenario.names.len(), scenario.investors.len());
        for names in scenario.names.values() {
            assert!(names.japanese.as_str().starts_with("架空"), "{names:?}");
            assert!(names.english.as_str().starts_with("Fictional "), "{names:?}");
            assert_eq!(&names.corporate_number.as_str()[1..6], "00000");
        }
    }
}
