use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::input::Source;
use super::*;

const INVESTORS: &str = "investor,custodian,asset\nA,ca,ZZ0000DEMO11\nA,ca,DJPY\nB,ca,ZZ0000DEMO11\nB,ca,DJPY\n\
                         C,cb,ZZ0000DEMO11\nC,cb,DJPY\nD,cb,DJPY\n";
const HEADER: &str =
    "trade_id,kind,delivery_date,asset,quantity,from,to,cash_asset,cash_quantity,fault";

/// A scenario with positions of the security as given and 1000 of cash each; rows without id and date.
fn scenario(positions: [u64; 3], rows: &[String]) -> Scenario {
    let mut opening = "investor,asset,quantity\nA,DJPY,1000\nB,DJPY,1000\nC,DJPY,1000\n".to_owned();
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
    let account = Account { investor: investor.parse().unwrap(), asset: asset.parse().unwrap() };
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
    let trades =
        ["transfer,SEC,60,A,X,,,", "transfer,SEC,60,A,B,,,double-spend", "transfer,SEC,60,A,B,,,"];
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
fn run_at_once(scenario: &Scenario, choices: &[usize]) -> (Vec<Outcome>, BTreeMap<Account, u64>) {
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
