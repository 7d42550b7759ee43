//! Random trades among custodians on a bad network with nodes that crash: every trade ends the same way on both sides, value
//! is conserved, nothing is spent twice, and crashes change no outcome (protocol guarantees 1 and 7).
//!
//! `SUDARE_SEEDS` sets how many seeds are run, 6 by default; `SUDARE_SEED` where they begin.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test: a panic is its report"
)]

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore;
use sudare_crypto::Hash;
use sudare_ledger::custodian::{
    Instruction, Movement, Side, TradeInstruction, TradeState, TradeView,
};
use sudare_ledger::messages::Reason;
use sudare_ledger::registrar::Instruction as RegistrarInstruction;
use sudare_ledger::role::Answer;
use sudare_ledger::testing::rng;
use sudare_tests::sim::{Counts, Deal, Faults, Party, World};

/// What one run does.
struct Plan {
    /// Deals in the order in which they are instructed, each with the pause before it, ms; redemptions have no buyer.
    steps: Vec<(u64, Deal, bool)>,
}

/// How a run ended.
#[derive(Debug, Eq, PartialEq)]
struct End {
    /// For each deal: how it ended, and why not otherwise.
    deals: Vec<(TradeState, Option<Reason>)>,
    /// For each account: what it has in bonds and in money.
    accounts: Vec<(u64, u64)>,
    /// Bonds in circulation.
    supply: u128,
}

#[test]
fn every_trade_ends_alike_on_both_sides_whatever_the_network_and_the_nodes_do() {
    let bad =
        Faults { loss: 800, twice: 1_000, crash: 100, cut: 100, delay: 1..=250, down: 50..=6_000 };
    let (mut settled, mut refused, mut sum) = (0, 0, Counts::default());
    for seed in seeds() {
        let (world, end) = run(seed, 14, 20, &bad);
        for (state, _) in &end.deals {
            match state {
                TradeState::Settled => settled += 1,
                _ => refused += 1,
            }
        }
        let counts = world.sim.counts;
        sum.crashes += counts.crashes;
        sum.lost += counts.lost;
        sum.twice += counts.twice;
        sum.cuts += counts.cuts;
    }
    // The faults were there, and most trades settled all the same.
    assert!(sum.crashes > 20 && sum.lost > 50 && sum.twice > 50 && sum.cuts > 5, "{sum:?}");
    assert!(settled > refused, "{settled} settled, {refused} refused");
}

#[test]
fn accounts_that_run_out_refuse_what_they_can_not_pay_and_pay_the_rest() {
    let slow = Faults { loss: 300, crash: 30, delay: 1..=100, ..Faults::none() };
    let mut ends = Vec::new();
    for seed in seeds().into_iter().take(3) {
        let (_, end) = run(seed, 14, 600, &slow);
        ends.extend(end.deals);
    }
    let settled = ends.iter().filter(|(state, _)| *state == TradeState::Settled).count();
    let overspent = ends.iter().filter(|(_, reason)| *reason == Some(Reason::Overspend)).count();
    assert!(settled > 0 && overspent > 0, "{settled} settled, {overspent} overspent");
}

#[test]
fn crashes_alone_change_no_outcome() {
    for seed in seeds().into_iter().take(3) {
        let calm = Faults { delay: 1..=20, ..Faults::none() };
        let (_, without) = run(seed, 10, 20, &calm);
        let crashes = Faults { crash: 500, down: 10..=400, ..calm };
        let (world, with) = run(seed, 10, 20, &crashes);
        assert!(world.sim.counts.crashes > 10, "{:?}", world.sim.counts);
        assert_eq!(with, without, "seed {seed}");
        assert!(with.deals.iter().all(|(state, _)| *state == TradeState::Settled));
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let bad =
        Faults { loss: 500, twice: 500, crash: 200, cut: 100, delay: 1..=300, down: 50..=3_000 };
    let once = |seed| -> (Hash, Counts, End) {
        let (world, end) = run(seed, 6, 20, &bad);
        (world.sim.state_hash(), world.sim.counts, end)
    };
    let first = once(7);
    assert_eq!(first, once(7));
    assert_ne!(first.0, once(8).0);
}

fn seeds() -> Vec<u64> {
    let number = |name, default| {
        std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
    };
    let first = number("SUDARE_SEED", 1);
    (first..first + number("SUDARE_SEEDS", 6)).collect()
}

/// Runs the plan of a seed, with deals of up to `bonds`, under these faults, then lets everything come to rest without any.
fn run(seed: u64, deals: usize, bonds: u32, faults: &Faults) -> (World, End) {
    let mut world = World::new(seed);
    let plan = plan(&world, seed, deals, bonds);
    world.sim.faults = faults.clone();
    for (pause, deal, redeems) in &plan.steps {
        world.sim.run_for(*pause);
        instruct(&mut world, deal, *redeems);
        world.check_registers();
    }
    world.sim.run_for(120_000);
    world.sim.faults = Faults::none();
    world.sim.rest();
    world.check();
    world.assert_free();
    let end = end(&world, &plan);
    (world, end)
}

/// Deals of up to `most` bonds. Of a seller's 1,000 never more than 20 in a deal are always there, whatever the order.
fn plan(world: &World, seed: u64, deals: usize, most: u32) -> Plan {
    let random = &mut rng(seed);
    let parties: Vec<Party> = (0..3)
        .flat_map(|custodian| [0, 1].map(|investor| world.party(custodian, investor)))
        .collect();
    let rich: Vec<Party> = (0..3).map(|custodian| world.party(custodian, 0)).collect();
    let mut steps = Vec::new();
    for number in 0..deals {
        let seller = rich[below(random, 3)].clone();
        let redeems = number % 7 == 6;
        let id = format!("deal-{number}");
        let bonds = 1 + u64::from(random.next_u32() % most);
        let deal = match random.next_u32() % 2 {
            _ if redeems => {
                let registrar = world.registrar(world.bond);
                let buyer = Party { custodian: registrar, ..seller.clone() };
                world.transfer(&id, &seller, &buyer, bonds)
            }
            0 => world.transfer(&id, &seller, &other(random, &parties, &seller), bonds),
            _ => {
                let money = 1 + u64::from(random.next_u32() % 1_000);
                world.dvp(&id, &seller, &other(random, &rich, &seller), bonds, money)
            }
        };
        steps.push((u64::from(random.next_u32() % 400), deal, redeems));
    }
    Plan { steps }
}

fn other(random: &mut ChaCha20Rng, parties: &[Party], seller: &Party) -> Party {
    loop {
        let party = &parties[below(random, parties.len())];
        if party != seller {
            return party.clone();
        }
    }
}

fn below(random: &mut ChaCha20Rng, count: usize) -> usize {
    usize::try_from(random.next_u32()).unwrap() % count
}

/// Both operators instruct, each as soon as its node is up. One whose account has too little is told so at once.
fn instruct(world: &mut World, deal: &Deal, redeems: bool) {
    await_up(world, deal.buyer.custodian);
    if redeems {
        let (asset, quantity) = deal.delivers;
        let (trade_id, custodian) = (deal.id.clone(), deal.seller.custodian);
        let allow = RegistrarInstruction::AllowRedemption { trade_id, asset, custodian, quantity };
        world.sim.instruct(deal.buyer.custodian, &allow).unwrap();
        await_up(world, deal.seller.custodian);
        let investor = deal.seller.investor.clone();
        let instruction = TradeInstruction {
            side: Side::Redeemer,
            deliver: Some(Movement { asset, investor, quantity }),
            ..deal.sell(world.sim.now)
        };
        let instruction = Instruction::Trade(Box::new(instruction));
        taken(world.sim.instruct(deal.seller.custodian, &instruction));
    } else {
        taken(world.buy(deal));
        await_up(world, deal.seller.custodian);
        taken(world.sell(deal));
    }
}

fn taken(answer: Answer) {
    assert!(matches!(answer, Ok(_) | Err(Reason::Overspend)), "{answer:?}");
}

fn await_up(world: &mut World, node: sudare_crypto::NodeId) {
    world.sim.run_until("the node is up", |sim| sim.is_up(node));
}

fn end(world: &World, plan: &Plan) -> End {
    let deals = plan.steps.iter().map(|(_, deal, redeems)| {
        let mut sides: Vec<TradeView> = world.trades(deal.seller.custodian, &deal.id);
        if !redeems && deal.buyer.custodian != deal.seller.custodian {
            sides.extend(world.trades(deal.buyer.custodian, &deal.id));
        }
        for side in &sides {
            assert!(side.state.is_ended(), "{side:?}");
            assert_eq!(side.state == TradeState::Settled, side.reason.is_none(), "{side:?}");
            assert_eq!(side.state, sides[0].state, "{sides:?}");
        }
        let whole = sides.len() == if *redeems { 1 } else { 2 };
        let first = sides.iter().find(|side| side.side != Side::Counterparty);
        match first {
            Some(first) if whole => (first.state, first.reason),
            // One side was not taken: the other must have ended without it.
            _ => {
                assert!(sides.iter().all(|side| side.state == TradeState::Refused), "{sides:?}");
                (TradeState::Refused, Some(Reason::Overspend))
            }
        }
    });
    let deals = deals.collect();
    let mut accounts = Vec::new();
    for custodian in 0..3 {
        for investor in [0, 1] {
            let party = world.party(custodian, investor);
            let live = |asset| world.balance(&party, asset).live;
            accounts.push((live(world.bond), live(world.cash)));
        }
    }
    let asset = world.asset(world.bond).asset;
    End { deals, accounts, supply: asset.minted - asset.burned }
}
