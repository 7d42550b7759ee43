//! Cancelling a trade (FLOW-6): both sides must want it, a commit that is out wins, and whatever is lost, both sides end alike.

#![allow(
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test: a panic is its report"
)]

use rand_core::RngCore;
use sudare_crypto::{NodeId, Text};
use sudare_ledger::custodian::{
    Instruction, Movement, Side, TradeInstruction, TradeKey, TradeState,
};
use sudare_ledger::messages::{Message, Reason};
use sudare_ledger::registrar::{
    Instruction as RegistrarInstruction, LegState, RedemptionState, Registrar,
};
use sudare_ledger::role::Answer;
use sudare_ledger::testing::{rng, text};
use sudare_tests::sim::{Deal, Faults, Party, Tapped, World};

#[test]
fn a_trade_that_one_side_alone_wants_cancelled_settles() {
    for dvp in [false, true] {
        for seller in [true, false] {
            let mut world = World::new(1);
            let deal = deal(&world, dvp, "wanted");
            let registrar = waiting_for_approval(&mut world, &deal);
            cancel(&mut world, &deal, seller).unwrap();
            cancel(&mut world, &deal, seller).unwrap();
            // Nobody else is heard.
            let (third, trade_id) = (world.party(2, 0).custodian, deal.id.clone());
            for initiates in [true, false] {
                let message = Message::Cancel { trade_id: trade_id.clone(), initiates };
                let to = if seller { &deal.buyer } else { &deal.seller };
                world.sim.say(third, to.custodian, message).unwrap();
            }
            world.sim.run_for(1_000);
            let asked = [world.seller(&deal).cancellation, world.buyer(&deal).cancellation];
            let [by, other] = if seller { asked } else { [asked[1], asked[0]] };
            assert!(by.own.is_some() && by.theirs.is_none(), "{by:?}");
            assert!(other.own.is_none() && other.theirs.is_some(), "{other:?}");
            world.sim.restart(registrar);
            world.sim.rest();
            world.assert_settled(&deal);
            world.still_works();
        }
    }
}

#[test]
fn a_trade_that_both_sides_want_cancelled_ends_and_frees_every_lock() {
    for dvp in [false, true] {
        for first in [true, false] {
            for pause in [0, 1_000] {
                let mut world = World::new(2);
                let deal = deal(&world, dvp, "unwanted");
                let registrar = waiting_for_approval(&mut world, &deal);
                cancel(&mut world, &deal, first).unwrap();
                world.sim.run_for(pause);
                cancel(&mut world, &deal, !first).unwrap();
                world.sim.restart(registrar);
                world.sim.rest();
                world.assert_refused(&deal, Reason::Cancelled, Reason::Cancelled);
                // It stays so, whoever asks again, and its id stays taken.
                cancel(&mut world, &deal, true).unwrap();
                world.sim.rest();
                world.assert_refused(&deal, Reason::Cancelled, Reason::Cancelled);
                let held = |state: &LegState| matches!(state, LegState::Approved { .. });
                assert!(world.legs(&deal).iter().all(|leg| !held(&leg.standing.state)));
                world.assert_free();
                world.check();
                world.settle(&Deal { id: text("again"), ..deal });
                world.still_works();
            }
        }
    }
}

#[test]
fn a_trade_that_is_queued_is_cancelled_and_the_next_one_has_its_turn() {
    let mut world = World::new(3);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    let ids = ["first", "second", "third"];
    let deals = ids.map(|id| world.transfer(id, &seller, &buyer, 300));
    let registrar = waiting_for_approval(&mut world, &deals[0]);
    for deal in &deals[1..] {
        world.begin(deal);
    }
    world.until_seller(&deals[2], TradeState::Queued);
    cancel(&mut world, &deals[1], true).unwrap();
    cancel(&mut world, &deals[1], false).unwrap();
    world.sim.restart(registrar);
    world.sim.rest();
    world.assert_settled(&deals[0]);
    world.assert_refused(&deals[1], Reason::Cancelled, Reason::Cancelled);
    world.assert_settled(&deals[2]);
    world.still_works();
}

#[test]
fn a_trade_that_is_signed_settles_although_both_sides_want_it_cancelled() {
    for dvp in [false, true] {
        let mut world = World::new(4);
        let (deal, notary) = (deal(&world, dvp, "signed"), world.notary);
        world.begin(&deal);
        world.until_seller(&deal, TradeState::Notarising);
        if dvp {
            world.until_buyer(&deal, TradeState::Notarising);
        }
        world.sim.crash(notary);
        let answers = (cancel(&mut world, &deal, true), cancel(&mut world, &deal, false));
        let late = Err(Reason::TooLate);
        match dvp {
            // Whose signature is not the last one may ask, and so may a side that signs nothing.
            true => assert!(answers.0.is_ok() && answers.1 == late, "{answers:?}"),
            false => assert!(answers.0 == late && answers.1.is_ok(), "{answers:?}"),
        }
        world.sim.run_for(2_000);
        world.sim.restart(notary);
        world.sim.rest();
        world.assert_settled(&deal);
        assert_eq!(cancel(&mut world, &deal, true), late);
        assert_eq!(cancel(&mut world, &deal, false), late);
        world.still_works();
    }
}

#[test]
fn a_counterparty_that_has_not_signed_can_still_agree_to_cancel() {
    let mut world = World::new(5);
    let deal = deal(&world, true, "half-signed");
    let buyer = deal.buyer.custodian;
    world.sim.tap(move |_, to, message| match message {
        Message::Commit(_) if to == buyer => Tapped::Drop,
        _ => Tapped::Pass,
    });
    world.begin(&deal);
    world.until_seller(&deal, TradeState::Notarising);
    world.until_buyer(&deal, TradeState::Committing);
    cancel(&mut world, &deal, true).unwrap();
    cancel(&mut world, &deal, false).unwrap();
    world.sim.rest();
    world.assert_refused(&deal, Reason::Cancelled, Reason::Cancelled);
    world.assert_free();
    world.still_works();
}

#[test]
fn a_side_whose_other_side_was_not_instructed_withdraws_alone() {
    for dvp in [false, true] {
        let mut world = World::new(6);
        let deal = deal(&world, dvp, "alone");
        world.sell(&deal).unwrap();
        world.sim.run_for(1_000);
        cancel(&mut world, &deal, true).unwrap();
        world.sim.run_for(1_000);
        let view = world.seller(&deal);
        assert_eq!((view.state, view.reason), (TradeState::Refused, Some(Reason::Cancelled)));
        // What the buyer is told afterwards meets no proposal.
        world.buy(&deal).unwrap();
        world.sim.run_for(1_000);
        assert_eq!(world.buyer(&deal).state, TradeState::Matching);
        cancel(&mut world, &deal, false).unwrap();
        assert_eq!(world.buyer(&deal).reason, Some(Reason::Cancelled));
        world.sim.rest();
        world.assert_free();
        world.still_works();
    }
}

#[test]
fn a_side_that_was_cancelled_before_the_proposal_came_consents() {
    for dvp in [false, true] {
        let mut world = World::new(9);
        let deal = deal(&world, dvp, "both");
        world.buy(&deal).unwrap();
        cancel(&mut world, &deal, false).unwrap();
        world.sell(&deal).unwrap();
        world.sim.run_for(1_000);
        cancel(&mut world, &deal, true).unwrap();
        world.sim.run_for(1_000);
        world.assert_refused(&deal, Reason::Cancelled, Reason::Cancelled);
        world.sim.rest();
        world.assert_free();
        world.still_works();
    }
}

#[test]
fn however_many_trades_were_cancelled_proposals_are_still_heard() {
    let mut world = World::new(10);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    // More than one party may have waiting for an instruction.
    for number in 0..520 {
        let deal = world.transfer(&format!("withdrawn-{number}"), &seller, &buyer, 100);
        world.sell(&deal).unwrap();
        world.sim.run_for(100);
        cancel(&mut world, &deal, true).unwrap();
        world.sim.run_for(100);
        assert_eq!(world.seller(&deal).reason, Some(Reason::Cancelled), "{number}");
    }
    // The other side is instructed after the proposal has come.
    let late = world.transfer("late", &seller, &buyer, 100);
    world.sell(&late).unwrap();
    world.sim.run_for(1_000);
    world.buy(&late).unwrap();
    world.sim.rest();
    world.assert_settled(&late);
}

#[test]
fn a_redemption_is_cancelled_by_its_redeemer_and_can_be_made_again() {
    let mut world = World::new(7);
    let holder = world.party(0, 0);
    let (asset, investor, quantity) = (world.bond, holder.investor.clone(), 400);
    let registrar = Party { custodian: world.registrar(asset), ..holder.clone() };
    let deal = world.transfer("back", &holder, &registrar, quantity);
    let allow = RegistrarInstruction::AllowRedemption {
        trade_id: deal.id.clone(),
        asset,
        custodian: holder.custodian,
        quantity,
    };
    world.sim.instruct(registrar.custodian, &allow).unwrap();
    let instruction = TradeInstruction {
        side: Side::Redeemer,
        deliver: Some(Movement { asset, investor, quantity }),
        ..deal.sell(world.sim.now)
    };
    world.sim.instruct(holder.custodian, &Instruction::Trade(Box::new(instruction))).unwrap();
    let state = |world: &World| world.trades(holder.custodian, &deal.id)[0].clone();
    world.sim.run_until("it waits for approval", |sim| {
        let views = sudare_ledger::custodian::Custodian::trade(sim.kv(holder.custodian), &deal.id);
        views.unwrap()[0].state == TradeState::Approving
    });
    cancel(&mut world, &deal, true).unwrap();
    assert_eq!(state(&world).state, TradeState::Releasing);
    world.sim.rest();
    assert_eq!(state(&world).reason, Some(Reason::Cancelled));
    let rows = Registrar::redemptions(world.sim.kv(registrar.custodian), asset).unwrap();
    assert!(rows.iter().all(|(_, row)| row.state == RedemptionState::Allowed), "{rows:?}");
    world.assert_free();
    world.still_works();
}

#[test]
fn an_issue_is_cancelled_by_its_registrar_with_the_consent_of_those_that_accepted() {
    let mut world = World::new(8);
    let (one, other, bond) = (world.party(0, 0), world.party(1, 0), world.bond);
    let (registrar, silent) = (world.registrar(bond), other.custodian);
    world.sim.tap(move |from, _, message| match message {
        Message::Accept(_) if from == silent => Tapped::Drop,
        _ => Tapped::Pass,
    });
    let ids = world.order_issue(bond, &[(one.clone(), 5), (other.clone(), 7)]);
    world.sim.run_for(1_000);
    let view = |world: &World, place: usize| {
        let custodian = [one.custodian, other.custodian][place];
        world.trades(custodian, &ids[place])[0].clone()
    };
    assert_eq!(view(&world, 0).state, TradeState::Accepted);
    // Its trades are named after it.
    let (reference, _) = ids[0].as_str().rsplit_once('-').unwrap();
    let reference: Text<35> = text(reference);
    let cancel = |world: &mut World| {
        let order = RegistrarInstruction::CancelIssue(reference.clone());
        world.sim.instruct(registrar, &order)
    };
    cancel(&mut world).unwrap();
    world.sim.run_for(1_000);
    // Who has accepted sees it and has a word in it.
    assert_eq!(view(&world, 0).state, TradeState::Accepted);
    assert!(view(&world, 0).cancellation.theirs.is_some());
    let trade_id = ids[0].clone();
    let key = TradeKey { trade_id, counterparty: registrar, initiates: false };
    world.sim.instruct(one.custodian, &Instruction::Cancel(key.clone())).unwrap();
    world.sim.rest();
    assert_eq!(view(&world, 0).reason, Some(Reason::Cancelled));
    // Who has not is told that it is given up.
    assert_eq!(view(&world, 1).reason, Some(Reason::Abandoned));
    cancel(&mut world).unwrap();
    let unknown = TradeKey { initiates: true, ..key };
    let answer = world.sim.instruct(one.custodian, &Instruction::Cancel(unknown));
    assert_eq!(answer, Err(Reason::NoMatch));
    world.assert_free();
    world.still_works();
}

#[test]
fn both_sides_end_alike_whenever_they_cancel_whatever_is_lost() {
    let bad = Faults {
        loss: 1_500,
        twice: 1_500,
        crash: 100,
        cut: 100,
        delay: 1..=250,
        down: 50..=3_000,
    };
    let (mut cancelled, mut settled) = (0, 0);
    for seed in 0..40 {
        let (mut world, random) = (World::new(seed), &mut rng(seed));
        let dvp = seed % 2 == 0;
        let mut pause = |most: u32| u64::from(random.next_u32() % most);
        let deal = deal(&world, dvp, "raced");
        world.sim.faults = bad.clone();
        world.buy(&deal).unwrap();
        await_up(&mut world, deal.seller.custodian);
        world.sell(&deal).unwrap();
        for seller in [seed % 4 < 2, seed % 4 >= 2] {
            world.sim.run_for(pause(2_000));
            let answer = cancel(&mut world, &deal, seller);
            assert!(matches!(answer, Ok(_) | Err(Reason::TooLate)), "{answer:?}");
        }
        world.sim.run_for(120_000);
        world.sim.faults = Faults::none();
        world.sim.rest();
        world.check();
        world.assert_free();
        let (one, other) = (world.seller(&deal), world.buyer(&deal));
        assert_eq!(one.state, other.state, "seed {seed}: {one:?} {other:?}");
        match (one.state, one.reason) {
            (TradeState::Settled, None) => settled += 1,
            (TradeState::Refused, Some(Reason::Cancelled)) => cancelled += 1,
            // The faults outlasted the window.
            (TradeState::Refused, Some(Reason::Lapsed | Reason::Abandoned)) => (),
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(settled > 5 && cancelled > 5, "{settled} settled, {cancelled} cancelled");
}

fn deal(world: &World, dvp: bool, id: &str) -> Deal {
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    match dvp {
        true => world.dvp(id, &seller, &buyer, 100, 5_000),
        false => world.transfer(id, &seller, &buyer, 100),
    }
}

/// Begins a deal and stops it where the seller's registrar, which is down, would approve.
fn waiting_for_approval(world: &mut World, deal: &Deal) -> NodeId {
    let registrar = world.registrar(world.bond);
    world.begin(deal);
    world.until_seller(deal, TradeState::Building);
    world.sim.crash(registrar);
    world.until_seller(deal, TradeState::Approving);
    registrar
}

/// One side's operator wants a deal cancelled.
fn cancel(world: &mut World, deal: &Deal, seller: bool) -> Answer {
    let (own, other) = match seller {
        true => (&deal.seller, &deal.buyer),
        false => (&deal.buyer, &deal.seller),
    };
    await_up(world, own.custodian);
    let trade_id = deal.id.clone();
    let key = TradeKey { trade_id, counterparty: other.custodian, initiates: seller };
    world.sim.instruct(own.custodian, &Instruction::Cancel(key))
}

fn await_up(world: &mut World, node: NodeId) {
    world.sim.run_until("the node is up", |sim| sim.is_up(node));
}
