//! What the demo's trades must come to, recomputed without the ledger: plain maps, one trade after another.
//!
//! Nothing here knows of notes, proofs or nodes, so that a fault of the ledger can't be repeated in what it is
//! compared with.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::input::Source;
    use super::*;

    const INVESTORS: &str = "investor,custodian,asset\nA,ca,ZZ0000DEMO11\nA,ca,DJPY\nB,ca,ZZ0000DEMO11\nB,ca,DJPY\n\
                             C,cb,ZZ0000DEMO11\nC,cb,DJPY\nD,cb,DJPY\n";
    const HEADER: &str =
        "trade_id,kind,delivery_date,asset,quantity,from,to,cash_asset,cash_quantity,fault";

    /// A scenario with positions of the security as given and 1000 of cash each; rows without id and date.
    fn scenario(positions: [u64; 3], rows: &[String]) -> Scenario {
        let mut opening =
            "investor,asset,quantity\nA,DJPY,1000\nB,DJPY,1000\nC,DJPY,1000\n".to_owned();
        let mut names = ["A", "B", "C"].iter();
        for units in positions {
            let name = names.next().unwrap();
            if units > 0 {
                opening.push_str(&format!("{name},ZZ0000DEMO11,{units}\n"));
            }
        }
        let mut trades = format!("{HEADER}\n");
        for (number, row) in rows.iter().enumerate() {
            let (kind, rest) = row.split_once(',').unwrap();
            trades.push_str(&format!("T-{number},{kind},2026-11-25,{rest}\n"));
        }
        let source = |name, text| Source { name, bytes: str::as_bytes(text) };
        Scenario::parse(
            source("investors", INVESTORS),
            source("positions", &opening),
            source("trades", &trades),
        )
        .unwrap()
    }

    fn rows(rows: &[&str]) -> Vec<String> {
        rows.iter().map(|row| row.replace("SEC", "ZZ0000DEMO11")).collect()
    }

    fn held(expected: &Expected, investor: &str, asset: &str) -> u64 {
        let account =
            Account { investor: investor.parse().unwrap(), asset: asset.parse().unwrap() };
        expected.positions[&account].atomic_units()
    }

    #[test]
    fn each_trade_gets_its_outcome() {
        let table = [
            ("transfer,SEC,10,A,B,,,", Outcome::Settled),
            ("transfer,SEC,100,A,B,,,", Outcome::Settled),
            ("transfer,SEC,101,A,B,,,", Outcome::Overspend),
            ("redeem,SEC,100,A,,,,", Outcome::Settled),
            ("redeem,SEC,101,A,,,,", Outcome::Overspend),
            ("redeem,SEC,1,D,,,,", Outcome::UnknownAccount),
            ("dvp,SEC,100,A,B,DJPY,1000,", Outcome::Settled),
            ("dvp,SEC,101,A,B,DJPY,1000,", Outcome::Overspend),
            ("dvp,SEC,100,A,B,DJPY,1001,", Outcome::Overspend),
            ("dvp,SEC,100,A,D,DJPY,1,", Outcome::UnknownAccount),
            ("transfer,SEC,10,X,B,,,", Outcome::UnknownAccount),
            ("transfer,SEC,10,A,X,,,", Outcome::UnknownAccount),
            ("transfer,SEC,101,A,D,,,", Outcome::UnknownAccount),
            ("transfer,SEC,10,A,B,,,expired-slot", Outcome::SlotExpired),
            ("transfer,SEC,101,A,B,,,expired-slot", Outcome::Overspend),
            ("transfer,SEC,10,A,X,,,expired-slot", Outcome::UnknownAccount),
            ("transfer,SEC,10,A,B,,,late", Outcome::Lapsed),
            ("transfer,SEC,10,A,X,,,late", Outcome::Lapsed),
            ("transfer,SEC,101,A,B,,,late", Outcome::Overspend),
            ("transfer,SEC,10,A,B,,,cancelled", Outcome::Cancelled),
            ("transfer,SEC,101,A,B,,,cancelled", Outcome::Overspend),
            ("transfer,SEC,10,A,X,,,cancelled", Outcome::UnknownAccount),
            ("transfer,SEC,10,A,B,,,frozen", Outcome::Frozen),
            ("transfer,SEC,10,X,B,,,frozen", Outcome::UnknownAccount),
            ("transfer,SEC,10,A,B,,,closed", Outcome::Closed),
            ("transfer,SEC,10,A,B,,,double-spend", Outcome::Spent),
            ("transfer,SEC,10,X,B,,,double-spend", Outcome::Spent),
        ];
        for (row, outcome) in table {
            let scenario = scenario([100, 0, 0], &rows(&[row]));
            let expected = Expected::of(&scenario);
            assert_eq!(expected.outcomes, [outcome], "{row}");
            let unmoved = held(&expected, "A", "ZZ0000DEMO11") == 100;
            assert_eq!(unmoved, outcome != Outcome::Settled, "{row}");
        }
    }

    #[test]
    fn cash_goes_against_the_security_and_redemptions_leave_the_supply() {
        let trades = rows(&["dvp,SEC,40,A,B,DJPY,300,", "redeem,SEC,15,B,,,,"]);
        let expected = Expected::of(&scenario([100, 0, 0], &trades));
        assert_eq!(held(&expected, "A", "ZZ0000DEMO11"), 60);
        assert_eq!(held(&expected, "B", "ZZ0000DEMO11"), 25);
        assert_eq!(held(&expected, "A", "DJPY"), 1300);
        assert_eq!(held(&expected, "B", "DJPY"), 700);
        let supply: Vec<u64> = expected.supply.values().map(|a| a.atomic_units()).collect();
        assert_eq!(supply, [3000, 85]);
    }

    #[test]
    fn a_closed_asset_stands_still_for_everybody_and_a_frozen_account_for_its_own_trades() {
        let trades = [
            "transfer,SEC,1,A,B,,,",
            "transfer,SEC,1,B,C,,,closed",
            "transfer,SEC,1,C,A,,,",
            "transfer,DJPY,1,A,B,,,",
        ];
        let expect: [&[usize]; 4] = [&[], &[0], &[1], &[]];
        assert_eq!(waits([50, 50, 50], &trades), expect);
        let trades = [
            "transfer,SEC,1,A,B,,,",
            "transfer,SEC,1,A,C,,,frozen",
            "transfer,SEC,1,B,A,,,",
            "transfer,SEC,1,B,C,,,",
        ];
        let expect: [&[usize]; 4] = [&[], &[0], &[1], &[]];
        assert_eq!(waits([50, 50, 50], &trades), expect);
    }

    fn waits(positions: [u64; 3], trades: &[&str]) -> Vec<Vec<usize>> {
        let scenario = scenario(positions, &rows(trades));
        let all = dependencies(&scenario, &Expected::of(&scenario));
        all.into_iter().map(|waits| waits.into_iter().collect()).collect()
    }

    #[test]
    fn debits_that_the_opening_position_pays_run_at_once() {
        let trades = ["transfer,SEC,40,A,B,,,", "transfer,SEC,40,A,C,,,", "transfer,SEC,20,A,B,,,"];
        assert!(waits([100, 0, 0], &trades).iter().all(Vec::is_empty));
    }

    #[test]
    fn a_debit_waits_for_the_credits_that_pay_it() {
        let trades = [
            "transfer,SEC,40,A,B,,,",
            "transfer,SEC,40,A,B,,,",
            "transfer,SEC,60,B,C,,,",
            "transfer,SEC,10,B,C,,,",
            "transfer,SEC,20,A,B,,,",
        ];
        assert_eq!(waits([100, 0, 0], &trades), [vec![], vec![], vec![0, 1], vec![2], vec![]]);
    }

    #[test]
    fn an_overspend_waits_for_what_is_before_it_and_holds_up_what_would_pay_it() {
        let trades = [
            "transfer,SEC,60,A,C,,,",
            "transfer,SEC,50,A,B,,,",
            "transfer,SEC,10,C,A,,,",
            "transfer,SEC,50,A,B,,,",
        ];
        assert_eq!(waits([100, 0, 0], &trades), [vec![], vec![0], vec![0, 1], vec![1, 2]]);
    }

    #[test]
    fn refused_trades_that_touch_nothing_hold_nobody_up() {
        let trades = [
            "transfer,SEC,60,A,X,,,",
            "transfer,SEC,60,A,B,,,double-spend",
            "transfer,SEC,60,A,B,,,",
        ];
        assert!(waits([100, 0, 0], &trades).iter().all(Vec::is_empty));
    }

    #[test]
    fn the_embedded_trades_contain_every_outcome_and_parallel_spends_of_one_account() {
        let scenario = Scenario::embedded().unwrap();
        let expected = Expected::of(&scenario);
        let counts: Vec<(&str, u64)> =
            expected.counts().into_iter().map(|(outcome, count)| (outcome.code(), count)).collect();
        assert_eq!(
            counts,
            [
                ("settled", 19),
                ("unknown-account", 2),
                ("overspend", 1),
                ("slot-expired", 1),
                ("spent", 1)
            ]
        );
        let free = dependencies(&scenario, &expected);
        let busy: Vec<&str> = scenario.trades.iter().map(|trade| trade.from.as_str()).collect();
        assert!((0..5).all(|index| busy[index] == "INV-01" && free[index].is_empty()));
        assert!(free.iter().any(|waits| !waits.is_empty()));
        let within = |trade: &&Trade| {
            let custodian = |investor| scenario.custodian_of(investor);
            trade.kind.to().is_some_and(|to| custodian(to) == custodian(&trade.from))
        };
        assert!(scenario.trades.iter().filter(within).count() >= 2);
    }

    prop_compose! {
        fn row()(
            kind in prop_oneof![4 => Just("transfer"), 2 => Just("dvp"), 1 => Just("redeem")],
            units in 1u64..60,
            cash in 1u64..900,
            from in 0usize..4,
            step in 1usize..4,
            fault in prop_oneof![8 => Just(""), 1 => Just("expired-slot"), 1 => Just("double-spend")],
            in_cash in prop::bool::weighted(0.2),
        ) -> String {
            let names = ["A", "B", "C", "D"];
            let (from, to) = (names[from], names[(from + step) % 4]);
            match kind {
                "dvp" => format!("dvp,ZZ0000DEMO11,{units},{from},{to},DJPY,{cash},"),
                "redeem" => format!("redeem,ZZ0000DEMO11,{units},{from},,,,"),
                _ if in_cash => format!("transfer,DJPY,{cash},{from},{to},,,{fault}"),
                _ => format!("transfer,ZZ0000DEMO11,{units},{from},{to},,,{fault}"),
            }
        }
    }

    /// Runs the trades as concurrently as the dependencies permit, in an order that `choices` picks: debits are locked
    /// when a trade begins, credits come and locks of refused trades go when it ends.
    fn run_at_once(
        scenario: &Scenario,
        choices: &[usize],
    ) -> (Vec<Outcome>, BTreeMap<Account, u64>) {
        let expected = Expected::of(scenario);
        let waits = dependencies(scenario, &expected);
        let mut holdings = Books::open(scenario).holdings;
        let mut outcomes = vec![None; waits.len()];
        let (mut begun, mut ended) = (BTreeSet::new(), BTreeSet::new());
        let mut choices = choices.iter().cycle();
        while ended.len() < waits.len() {
            let ready = (0..waits.len()).filter(|index| {
                !ended.contains(index) && (begun.contains(index) || waits[*index].is_subset(&ended))
            });
            let ready: Vec<usize> = ready.collect();
            let index = ready[choices.next().unwrap() % ready.len()];
            let trade = &scenario.trades[index];
            if begun.insert(index) {
                let known = movements(trade).iter().all(|m| {
                    holdings.contains_key(&m.payer())
                        && m.payee().is_none_or(|payee| holdings.contains_key(&payee))
                });
                let outcome = if trade.fault == Some(Fault::DoubleSpend) {
                    Outcome::Spent
                } else if !known {
                    Outcome::UnknownAccount
                } else if movements(trade).iter().any(|m| holdings[&m.payer()] < m.units) {
                    Outcome::Overspend
                } else if trade.fault == Some(Fault::ExpiredSlot) {
                    Outcome::SlotExpired
                } else {
                    Outcome::Settled
                };
                outcomes[index] = Some(outcome);
                if matches!(outcome, Outcome::Settled | Outcome::SlotExpired) {
                    for m in movements(trade) {
                        *holdings.get_mut(&m.payer()).unwrap() -= m.units;
                    }
                }
                continue;
            }
            ended.insert(index);
            for m in movements(trade) {
                match (outcomes[index], m.payee()) {
                    (Some(Outcome::Settled), Some(payee)) => {
                        *holdings.get_mut(&payee).unwrap() += m.units;
                    }
                    (Some(Outcome::SlotExpired), _) => {
                        *holdings.get_mut(&m.payer()).unwrap() += m.units;
                    }
                    _ => (),
                }
            }
        }
        (outcomes.into_iter().map(Option::unwrap).collect(), holdings)
    }

    proptest! {
        #[test]
        fn holdings_add_up_to_what_was_opened_less_what_was_redeemed(
            positions in [0u64..120, 0u64..120, 0u64..120],
            rows in prop::collection::vec(row(), 1..30),
        ) {
            let scenario = scenario(positions, &rows);
            let expected = Expected::of(&scenario);
            for (asset, supply) in &expected.supply {
                let of_asset = |accounts: &BTreeMap<Account, Amount>| -> u64 {
                    let own = accounts.iter().filter(|(account, _)| account.asset == *asset);
                    own.map(|(_, amount)| amount.atomic_units()).sum()
                };
                let mut redeemed = 0;
                for (index, trade) in scenario.trades.iter().enumerate() {
                    let gone = trade.kind == TradeKind::Redeem && trade.asset == *asset;
                    if gone && expected.outcomes[index] == Outcome::Settled {
                        redeemed += trade.quantity.atomic_units();
                    }
                }
                prop_assert_eq!(of_asset(&expected.positions), supply.atomic_units());
                prop_assert_eq!(of_asset(&scenario.positions) - redeemed, supply.atomic_units());
            }
        }

        #[test]
        fn whatever_the_dependencies_permit_ends_as_the_order_of_the_file_does(
            positions in [0u64..120, 0u64..120, 0u64..120],
            rows in prop::collection::vec(row(), 1..30),
            choices in prop::collection::vec(0usize..1000, 1..80),
        ) {
            let scenario = scenario(positions, &rows);
            let expected = Expected::of(&scenario);
            let (outcomes, holdings) = run_at_once(&scenario, &choices);
            prop_assert_eq!(&outcomes, &expected.outcomes);
            for (account, amount) in &expected.positions {
                prop_assert_eq!(holdings[account], amount.atomic_units());
            }
            let waits = dependencies(&scenario, &expected);
            let entries: usize = waits.iter().map(BTreeSet::len).sum();
            prop_assert!(entries <= 8 * rows.len(), "{} entries", entries);
        }
    }
}
