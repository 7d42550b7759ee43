//! Every kind of trade, and everything that honest parties and a bad network can do to it (specs/flows.md), in the simulator.
//!
//! Each case ends in a named state with a named reason; afterwards the books are in order and a new trade settles.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test: a panic is its report"
)]

use sudare_ledger::custodian::{
    Balance, Instruction, Movement, Side, TradeInstruction, TradeState, TradeView,
};
use sudare_ledger::leg::INPUTS_MAX;
use sudare_ledger::messages::{Message, Reason};
use sudare_ledger::registrar::{
    ALLOTMENTS_MAX, Instruction as RegistrarInstruction, LegState, Redemption, RedemptionState,
    Registrar,
};
use sudare_ledger::testing::text;
use sudare_tests::sim::{Deal, Faults, Party, Tapped, World};

#[test]
fn a_transfer_settles_with_change_and_without() {
    let mut world = World::new(1);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    world.settle(&world.transfer("with-change", &seller, &buyer, 300));
    assert_eq!(world.balance(&seller, world.bond), live(700, 1));
    world.settle(&world.transfer("exact", &seller, &buyer, 700));
    assert_eq!(world.balance(&seller, world.bond), live(0, 0));
    assert_eq!(world.balance(&buyer, world.bond), live(2_000, 3));
    world.settle(&world.transfer("back", &buyer, &seller, 1_000));
    world.still_works();
}

#[test]
fn a_delivery_versus_payment_settles_both_legs() {
    let mut world = World::new(2);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    let deal = world.dvp("dvp", &seller, &buyer, 400, 250_000);
    world.settle(&deal);
    assert_eq!(world.balance(&seller, world.cash), live(1_250_000, 2));
    assert_eq!(world.balance(&buyer, world.bond), live(1_400, 2));
    assert_eq!(world.seller(&deal).tx, world.buyer(&deal).tx);
    world.still_works();
}

#[test]
fn one_issue_pays_every_investor_in_one_leg() {
    let mut world = World::empty(3, 3);
    let parties = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)];
    let parties = parties.map(|(custodian, investor)| world.party(custodian, investor));
    let bond = world.bond;
    world.issue(bond, &parties.clone().map(|party| (party, 7)));
    assert_eq!(world.asset(bond).entries, 2, "the terms and one leg");
    assert_eq!(world.asset(bond).asset.minted, 42);
    for party in &parties {
        assert_eq!(world.balance(party, bond), live(7, 1));
    }
}

#[test]
fn an_issue_to_64_accounts_is_one_leg_whoever_their_custodians_are() {
    let mut world = World::empty(3, 3);
    let bond = world.bond;
    let one = [world.party(0, 0), world.party(0, 1)];
    let all = [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)];
    let all = all.map(|(custodian, investor)| world.party(custodian, investor));
    let to = |parties: &[Party]| -> Vec<_> {
        parties.iter().cycle().take(ALLOTMENTS_MAX).cloned().map(|party| (party, 7)).collect()
    };
    // All of it comes to one custodian in one message, or each gets its own part.
    world.issue(bond, &to(&one));
    world.issue(bond, &to(&all));
    let asset = world.asset(bond);
    assert_eq!((asset.entries, asset.asset.minted), (3, 2 * 64 * 7), "the terms and two legs");
    let deal = world.transfer("onwards", &all[2], &one[0], 7);
    world.settle(&deal);
}

#[test]
fn an_issue_whose_custodian_was_not_told_ends_and_the_next_one_is_made() {
    let mut world = World::empty(4, 2);
    let (one, other) = (world.party(0, 0), world.party(1, 0));
    let (bond, silent) = (world.bond, other.custodian);
    world.sim.crash(silent);
    world.sim.tap(move |_, to, _| if to == silent { Tapped::Drop } else { Tapped::Pass });
    let told = Deal {
        id: text("half-0"),
        ..world.transfer("", &Party { custodian: world.registrar(bond), ..one.clone() }, &one, 5)
    };
    world.buy(&told).unwrap();
    let order = |trade: &str, custodian| sudare_ledger::registrar::Allotment {
        trade_id: text(trade),
        custodian,
        quantity: 5,
    };
    let order = sudare_ledger::registrar::IssueOrder {
        reference: text("half-known"),
        asset: bond,
        allotments: vec![order("half-0", one.custodian), order("half-1", silent)]
            .try_into()
            .unwrap(),
        trade: sudare_ledger::leg::TradeInfo {
            delivery_date: text("2027-01-15"),
            ..sudare_ledger::leg::TradeInfo::default()
        },
    };
    let registrar = world.registrar(bond);
    world.sim.instruct(registrar, &RegistrarInstruction::Issue(Box::new(order))).unwrap();
    world.sim.rest();
    let view = &world.trades(one.custodian, &text("half-0"))[0];
    assert_eq!((view.state, view.reason), (TradeState::Refused, Some(Reason::Lapsed)));
    assert_eq!(world.asset(bond).asset.minted, 0);
    world.sim.untap();
    world.sim.restart(silent);
    world.sim.rest();
    world.issue(bond, &[(one, 5), (other, 5)]);
}

#[test]
fn a_redemption_settles_with_change_and_without() {
    let mut world = World::new(5);
    let holder = world.party(0, 0);
    for (id, quantity, left) in [("part", 400, 600), ("rest", 600, 0)] {
        allow(&mut world, &holder, id, quantity);
        redeem(&mut world, &holder, id, quantity).unwrap();
        world.sim.rest();
        assert_eq!(redemption(&world, &holder, id).state, TradeState::Settled);
        assert_eq!(world.balance(&holder, world.bond).live, left);
        world.check();
    }
    assert_eq!(world.asset(world.bond).asset.burned, 1_000);
    let bond = world.bond;
    world.issue(bond, &[(holder, 10)]);
    world.still_works();
}

#[test]
fn a_redemption_that_the_registrar_did_not_allow_is_refused() {
    let mut world = World::new(6);
    let holder = world.party(0, 0);
    allow(&mut world, &holder, "other", 400);
    for (id, quantity) in [("unknown", 400), ("other", 401)] {
        redeem(&mut world, &holder, id, quantity).unwrap();
        world.sim.rest();
        let view = redemption(&world, &holder, id);
        assert_eq!(
            (view.state, view.reason),
            (TradeState::Refused, Some(Reason::NotInstructed)),
            "{id}"
        );
        world.assert_free();
        // Once it is allowed, the same trade is instructed again.
        if id == "unknown" {
            allow(&mut world, &holder, id, quantity);
            world.sim.run_for(1_000);
            redeem(&mut world, &holder, id, quantity).unwrap();
            world.sim.rest();
            assert_eq!(redemption(&world, &holder, id).state, TradeState::Settled);
        }
    }
    world.still_works();
    let holder = world.party(1, 0);
    allow(&mut world, &holder, "good", 400);
    redeem(&mut world, &holder, "good", 400).unwrap();
    world.sim.rest();
    assert_eq!(redemption(&world, &holder, "good").state, TradeState::Settled);
    let kv = world.sim.kv(world.registrar(world.bond));
    let rows = Registrar::redemptions(kv, world.bond).unwrap();
    let taken = |row: &&Redemption| matches!(row.state, RedemptionState::Final(_));
    assert_eq!(rows.iter().map(|(_, row)| row).filter(taken).count(), 2);
    world.check();
}

#[test]
fn both_sides_may_be_at_one_custodian() {
    let mut world = World::new(7);
    let (one, other) = (world.party(0, 0), world.party(0, 1));
    world.settle(&world.transfer("inside", &one, &other, 300));
    assert_eq!(world.balance(&other, world.bond), live(300, 1));
    let cash = world.cash;
    world.issue(cash, &[(other.clone(), 50)]);
    world.settle(&world.dvp("inside-dvp", &one, &other, 100, 50));
    assert_eq!(world.balance(&other, world.bond), live(400, 2));
    assert_eq!(world.balance(&one, cash).live, 1_000_050);
    world.settle(&world.transfer("to-itself", &other, &other, 10));
    assert_eq!(world.balance(&other, world.bond).live, 400);
    world.still_works();
}

#[test]
fn a_receiver_offline_before_its_slot_delays_the_trade() {
    for dvp in [false, true] {
        let mut world = World::new(8);
        let deal = deal(&world, dvp, "late");
        world.buy(&deal).unwrap();
        world.sim.crash(deal.buyer.custodian);
        world.sell(&deal).unwrap();
        world.sim.run_for(60_000);
        assert_eq!(world.seller(&deal).state, TradeState::Matching);
        assert_eq!(world.seller(&deal).waiting, Some(deal.buyer.custodian));
        world.sim.restart(deal.buyer.custodian);
        world.sim.rest();
        world.assert_settled(&deal);
        world.check();
        world.still_works();
    }
}

#[test]
fn a_receiver_that_stays_offline_lets_the_instruction_lapse() {
    for dvp in [false, true] {
        let mut world = World::new(9);
        let deal = deal(&world, dvp, "never");
        world.buy(&deal).unwrap();
        world.sim.crash(deal.buyer.custodian);
        world.sell(&deal).unwrap();
        world.sim.run_for(deal.valid_ms + 60_000);
        assert_eq!(world.seller(&deal).state, TradeState::Refused);
        world.sim.restart(deal.buyer.custodian);
        world.sim.rest();
        world.assert_refused(&deal, Reason::Lapsed, Reason::Lapsed);
        world.assert_free();
        world.still_works();
    }
}

#[test]
fn a_receiver_offline_after_the_commit_is_settled_when_it_returns() {
    for dvp in [false, true] {
        let mut world = World::new(10);
        let deal = deal(&world, dvp, "away");
        world.begin(&deal);
        world.until_seller(&deal, TradeState::Notarising);
        if dvp {
            world.until_buyer(&deal, TradeState::Finalising);
        }
        world.sim.crash(deal.buyer.custodian);
        world.sim.run_for(24 * 3_600_000);
        assert_eq!(world.legs(&deal)[0].standing.state, LegState::Final { entry: 2 });
        world.sim.restart(deal.buyer.custodian);
        world.sim.rest();
        world.assert_settled(&deal);
        world.check();
        world.still_works();
    }
}

#[test]
fn every_node_may_be_away_in_every_state() {
    let states = [
        TradeState::Building,
        TradeState::Approving,
        TradeState::Committing,
        TradeState::Notarising,
        TradeState::Finalising,
    ];
    for dvp in [false, true] {
        for state in states {
            let mut world = World::new(11);
            let deal = deal(&world, dvp, "away");
            world.begin(&deal);
            if state == TradeState::Committing && !dvp {
                continue;
            }
            world.until_seller(&deal, state);
            let (bond, cash) = (world.registrar(world.bond), world.registrar(world.cash));
            for node in [deal.seller.custodian, deal.buyer.custodian, bond, cash, world.notary] {
                world.sim.crash(node);
                world.sim.run_for(2_000);
                world.sim.restart(node);
            }
            world.sim.rest();
            world.assert_settled(&deal);
            world.check();
        }
    }
}

#[test]
fn a_slot_that_has_expired_is_refused_by_the_sender() {
    for dvp in [false, true] {
        let mut world = World::new(12);
        let deal = Deal { slot_ms: 1_000, ..deal(&world, dvp, "slow") };
        world.begin(&deal);
        world.until_buyer(&deal, TradeState::Accepted);
        world.sim.crash(deal.seller.custodian);
        world.sim.run_for(2_000);
        world.sim.restart(deal.seller.custodian);
        world.sim.rest();
        world.assert_refused(&deal, Reason::SlotExpired, Reason::Abandoned);
        world.assert_free();
        world.still_works();
    }
}

#[test]
fn a_slot_that_has_expired_is_refused_by_the_registrar() {
    for dvp in [false, true] {
        let mut world = World::new(13);
        let deal = Deal { slot_ms: 2_000, ..deal(&world, dvp, "slow") };
        let registrar = world.registrar(world.bond);
        world.begin(&deal);
        world.until_seller(&deal, TradeState::Approving);
        world.sim.crash(registrar);
        world.sim.run_for(3_000);
        world.sim.restart(registrar);
        world.sim.rest();
        world.assert_refused(&deal, Reason::SlotExpired, Reason::Abandoned);
        world.assert_free();
        world.still_works();
    }
}

#[test]
fn lost_repeated_and_reordered_messages_change_nothing() {
    let faults = [(3_000, 0, 1..=5), (0, 10_000, 1..=5), (0, 0, 1..=900), (2_000, 5_000, 1..=700)];
    for (number, (loss, twice, delay)) in faults.into_iter().enumerate() {
        let mut world = World::new(14 + u64::try_from(number).unwrap());
        world.sim.faults = Faults { loss, twice, delay, ..Faults::none() };
        for dvp in [false, true] {
            let deal = deal(&world, dvp, if dvp { "dvp" } else { "transfer" });
            world.settle(&deal);
        }
        world.sim.faults = Faults::none();
        world.still_works();
    }
}

#[test]
fn a_notary_that_comes_back_within_the_window_settles_the_trade() {
    for dvp in [false, true] {
        let mut world = World::new(20);
        let deal = deal(&world, dvp, "notary-away");
        let notary = world.notary;
        world.begin(&deal);
        world.until_seller(&deal, TradeState::Notarising);
        world.sim.crash(notary);
        world.sim.run_for(20_000);
        assert_eq!(world.seller(&deal).waiting, Some(notary));
        world.sim.restart(notary);
        world.sim.rest();
        world.assert_settled(&deal);
        world.still_works();
    }
}

#[test]
fn a_window_that_lapses_frees_every_lock_on_the_notary_s_word() {
    for dvp in [false, true] {
        let mut world = World::new(21);
        let deal = deal(&world, dvp, "lapses");
        let notary = world.notary;
        world.begin(&deal);
        world.until_seller(&deal, TradeState::Approving);
        world.sim.crash(notary);
        world.sim.run_for(120_000);
        // Only the notary can say that nothing was spent: until then everything stays locked.
        assert_eq!(world.seller(&deal).state, TradeState::Releasing);
        assert_eq!(world.seller(&deal).waiting, Some(notary));
        let bond = world.bond;
        assert_eq!(world.balance(&deal.seller, bond).locked, 1_000);
        assert!(matches!(world.legs(&deal)[0].standing.state, LegState::Approved { .. }));
        world.sim.restart(notary);
        world.sim.rest();
        world.assert_refused(&deal, Reason::Lapsed, Reason::Lapsed);
        assert!(
            world.legs(&deal).iter().all(|leg| matches!(leg.standing.state, LegState::Lapsed(_)))
        );
        world.assert_free();
        world.check();
        world.still_works();
    }
}

#[test]
fn a_notary_that_is_away_for_long_is_not_buried_in_questions() {
    let mut world = World::new(22);
    let deal = deal(&world, true, "buried");
    let notary = world.notary;
    world.begin(&deal);
    world.until_seller(&deal, TradeState::Approving);
    world.sim.crash(notary);
    world.sim.run_for(6 * 3_600_000);
    let kv = world.sim.kv(deal.seller.custodian);
    let waiting = sudare_ledger::role::OUTBOX.rows(kv, None, usize::MAX).unwrap();
    assert!(waiting.len() <= 2, "{} messages wait for one trade", waiting.len());
    world.sim.restart(notary);
    world.sim.rest();
    world.assert_refused(&deal, Reason::Lapsed, Reason::Lapsed);
    world.still_works();
}

#[test]
fn a_side_that_never_hears_from_the_notary_learns_of_the_receipt_from_the_settlement() {
    for seller in [true, false] {
        let mut world = World::new(37);
        let deal = deal(&world, true, "unheard");
        let deaf = if seller { &deal.seller } else { &deal.buyer }.custodian;
        world.sim.tap(move |_, to, message| match message {
            Message::Notarised(_) if to == deaf => Tapped::Drop,
            _ => Tapped::Pass,
        });
        let begun = world.sim.now;
        world.begin(&deal);
        world.until_seller(&deal, TradeState::Settled);
        world.until_buyer(&deal, TradeState::Settled);
        assert!(world.sim.now < begun + deal.window_ms, "nobody waited for the window's end");
        world.sim.rest();
        world.still_works();
    }
}

#[test]
fn an_acknowledgement_that_never_comes_does_not_end_a_trade_under_way() {
    for (kind, dvp) in [(2, false), (2, true), (3, false), (3, true), (6, true)] {
        let mut world = World::new(38);
        let deal = Deal { valid_ms: 5_000, ..deal(&world, dvp, "unheard") };
        let notary = world.notary;
        world.sim.tap(move |_, _, message| match message.kind() == kind {
            true => Tapped::Unheard,
            false => Tapped::Pass,
        });
        world.begin(&deal);
        world.until_seller(&deal, TradeState::Notarising);
        world.sim.crash(notary);
        world.sim.run_for(10_000);
        assert_eq!(world.seller(&deal).state, TradeState::Notarising);
        if dvp {
            assert_eq!(world.buyer(&deal).state, TradeState::Notarising);
        }
        world.sim.restart(notary);
        world.sim.rest();
        world.assert_settled(&deal);
        world.still_works();
    }
}

#[test]
fn a_registrar_offline_at_the_end_appends_when_it_returns() {
    for dvp in [false, true] {
        let mut world = World::new(23);
        let deal = deal(&world, dvp, "registrar-away");
        let registrar = world.registrar(world.bond);
        world.begin(&deal);
        world.until_seller(&deal, TradeState::Finalising);
        world.sim.crash(registrar);
        world.sim.run_for(3_600_000);
        let view = world.seller(&deal);
        assert_eq!((view.state, view.waiting), (TradeState::Finalising, Some(registrar)));
        world.sim.restart(registrar);
        world.sim.rest();
        world.assert_settled(&deal);
        world.still_works();
    }
}

#[test]
fn a_registrar_that_stays_away_before_it_approves_costs_nothing() {
    for dvp in [false, true] {
        let mut world = World::new(24);
        let deal = deal(&world, dvp, "unapproved");
        let registrar = world.registrar(world.bond);
        world.begin(&deal);
        world.until_seller(&deal, TradeState::Building);
        world.sim.crash(registrar);
        world.sim.run_for(120_000);
        assert_eq!(world.seller(&deal).state, TradeState::Refused);
        world.sim.restart(registrar);
        world.sim.rest();
        let buyer = world.buyer(&deal).reason.unwrap();
        world.assert_refused(&deal, Reason::Lapsed, buyer);
        assert!(matches!(buyer, Reason::Lapsed | Reason::Abandoned));
        world.assert_free();
        world.still_works();
    }
}

#[test]
fn an_overspend_is_refused_at_once_and_leaves_no_trade() {
    let mut world = World::new(25);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    let deal = world.transfer("too-much", &seller, &buyer, 1_001);
    assert_eq!(world.sell(&deal), Err(Reason::Overspend));
    let paid = world.dvp("too-dear", &seller, &buyer, 1, 1_000_001);
    assert_eq!(world.buy(&paid), Err(Reason::Overspend));
    assert!(world.trades(seller.custodian, &deal.id).is_empty());
    // Two that fit alone but not together: the second is refused when its turn comes.
    let (first, second) = (
        world.transfer("first", &seller, &buyer, 600),
        world.transfer("second", &seller, &buyer, 600),
    );
    world.begin(&first);
    world.begin(&second);
    world.sim.rest();
    let mut states: Vec<_> = [&first, &second]
        .map(|deal| (world.seller(deal).state, world.seller(deal).reason, world.buyer(deal).state))
        .to_vec();
    states.sort();
    let settled = (TradeState::Settled, None, TradeState::Settled);
    let refused = (TradeState::Refused, Some(Reason::Overspend), TradeState::Refused);
    assert_eq!(states, [settled, refused]);
    world.check();
    world.still_works();
}

#[test]
fn many_trades_from_one_note_queue_and_all_settle() {
    let mut world = World::new(26);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    let deals: Vec<Deal> = (0..12)
        .map(|number| match number % 3 {
            0 => world.dvp(&format!("many-{number}"), &seller, &buyer, 30, 1_000),
            _ => world.transfer(&format!("many-{number}"), &seller, &buyer, 30),
        })
        .collect();
    for deal in &deals {
        world.begin(deal);
    }
    world.sim.run_until("most are queued", |sim| {
        let rows =
            sudare_ledger::custodian::Custodian::trades(sim.kv(seller.custodian), None, usize::MAX);
        rows.unwrap().iter().filter(|view| view.state == TradeState::Queued).count() >= 8
    });
    world.sim.rest();
    for deal in &deals {
        world.assert_settled(deal);
    }
    assert_eq!(world.balance(&seller, world.bond).live, 1_000 - 12 * 30);
    world.check();
    world.still_works();
}

#[test]
fn queued_trades_are_served_in_the_order_they_came() {
    let mut world = World::new(27);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    let deals: Vec<Deal> = (0..6)
        .map(|number| world.transfer(&format!("turn-{number}"), &seller, &buyer, 100))
        .collect();
    for deal in &deals {
        world.begin(deal);
        world.sim.run_for(10);
    }
    world.sim.rest();
    let times: Vec<_> = deals.iter().map(|deal| world.seller(deal).notarised.unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    world.still_works();
}

#[test]
fn a_fragmented_account_is_merged_before_it_pays() {
    let mut world = World::empty(28, 2);
    let (holder, buyer) = (world.party(0, 0), world.party(1, 0));
    let (bond, cash) = (world.bond, world.cash);
    let many = INPUTS_MAX + 8;
    for round in 0..many.div_ceil(10) {
        let ones = vec![(holder.clone(), 1); 10.min(many - round * 10)];
        world.issue(bond, &ones);
    }
    world.issue(cash, &[(buyer.clone(), 100)]);
    assert_eq!(world.balance(&holder, bond), live(u64::try_from(many).unwrap(), many));
    let all = u64::try_from(many).unwrap();
    world.settle(&world.dvp("all", &holder, &buyer, all, 90));
    assert_eq!(world.balance(&buyer, bond), live(all, 1));
    world.still_works();
}

#[test]
fn a_trade_id_names_one_trade_with_one_counterparty() {
    let mut world = World::new(29);
    let (seller, buyer, third) = (world.party(0, 0), world.party(1, 0), world.party(2, 0));
    let deal = world.transfer("T-1", &seller, &buyer, 1_000);
    let now = world.sim.now;
    let instruct = |world: &mut World, deal: &Deal| {
        let instruction = Instruction::Trade(Box::new(deal.sell(now)));
        world.sim.instruct(deal.seller.custodian, &instruction)
    };
    let first = instruct(&mut world, &deal);
    assert_eq!(first.as_ref().unwrap().as_str(), "T-1");
    world.buy(&deal).unwrap();
    // The same instruction again is the same trade, whatever the account has meanwhile.
    world.until_seller(&deal, TradeState::Building);
    assert_eq!(instruct(&mut world, &deal), first);
    // A repeated command has a later expiry.
    let later = Instruction::Trade(Box::new(deal.sell(now + 60_000)));
    assert_eq!(world.sim.instruct(deal.seller.custodian, &later), first);
    let other = Deal { delivers: (world.bond, 1), ..deal.clone() };
    assert_eq!(instruct(&mut world, &other), Err(Reason::DuplicateTrade));
    world.sim.rest();
    world.assert_settled(&deal);
    assert_eq!(instruct(&mut world, &deal), first);
    assert_eq!(instruct(&mut world, &other), Err(Reason::DuplicateTrade));
    // With another counterparty it is another trade.
    let back = world.transfer("T-1", &buyer, &third, 5);
    world.settle(&back);
    world.settle(&world.transfer("T-2", &buyer, &seller, 500));
    world.still_works();
}

#[test]
fn instructions_that_differ_do_not_match() {
    let mut world = World::new(30);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    let deal = world.dvp("differs", &seller, &buyer, 10, 1_000);
    let (bond, cash) = (world.bond, world.cash);
    let wrong = [
        Deal { delivers: (bond, 11), ..deal.clone() },
        Deal { pays: Some((cash, 999)), ..deal.clone() },
        Deal { pays: None, ..deal.clone() },
        Deal { delivers: (cash, 10), pays: Some((bond, 1_000)), ..deal.clone() },
    ];
    for (number, wrong) in wrong.into_iter().enumerate() {
        let id = text(&format!("differs-{number}"));
        let (deal, wrong) = (Deal { id, ..deal.clone() }, wrong);
        let wrong = Deal { id: deal.id.clone(), ..wrong };
        world.buy(&wrong).unwrap();
        world.sell(&deal).unwrap();
        world.sim.rest();
        world.assert_refused(&deal, Reason::NoMatch, Reason::NoMatch);
        world.assert_free();
    }
    world.still_works();
}

#[test]
fn a_proposal_that_nobody_was_instructed_of_lapses() {
    let mut world = World::new(31);
    let deal = deal(&world, true, "unknown");
    world.sell(&deal).unwrap();
    world.sim.rest();
    let view = world.seller(&deal);
    assert_eq!((view.state, view.reason), (TradeState::Refused, Some(Reason::Lapsed)));
    assert!(world.trades(deal.buyer.custodian, &deal.id).is_empty());
    world.assert_free();
    world.still_works();
}

#[test]
fn a_frozen_account_neither_pays_nor_receives() {
    for frozen_seller in [true, false] {
        for dvp in [false, true] {
            let mut world = World::new(32);
            let deal = deal(&world, dvp, "frozen");
            let party = if frozen_seller { &deal.seller } else { &deal.buyer };
            let (bond, account) = (world.bond, world.account(party, world.bond));
            let registrar = world.registrar(bond);
            let freeze = |world: &mut World, frozen| {
                let freeze = RegistrarInstruction::Freeze { asset: bond, account, frozen };
                world.sim.instruct(registrar, &freeze).unwrap();
            };
            freeze(&mut world, true);
            world.begin(&deal);
            world.sim.rest();
            world.assert_refused(&deal, Reason::Frozen, Reason::Abandoned);
            world.assert_free();
            freeze(&mut world, false);
            world.settle(&Deal { id: text("thawed"), ..deal });
            world.still_works();
        }
    }
}

#[test]
fn a_leg_approved_before_its_account_was_frozen_settles() {
    let mut world = World::new(33);
    let deal = deal(&world, true, "approved");
    world.begin(&deal);
    world.until_seller(&deal, TradeState::Committing);
    let (asset, account) = (world.bond, world.account(&deal.seller, world.bond));
    let registrar = world.registrar(asset);
    let freeze = RegistrarInstruction::Freeze { asset, account, frozen: true };
    world.sim.instruct(registrar, &freeze).unwrap();
    world.sim.rest();
    world.assert_settled(&deal);
    let freeze = RegistrarInstruction::Freeze { asset, account, frozen: false };
    world.sim.instruct(registrar, &freeze).unwrap();
    world.still_works();
}

#[test]
fn a_closed_asset_moves_only_when_it_is_open_again() {
    for dvp in [false, true] {
        let mut world = World::new(34);
        let deal = deal(&world, dvp, "closed");
        let (asset, registrar) = (world.bond, world.registrar(world.bond));
        let open = |open| RegistrarInstruction::SetOpen { asset, open };
        world.sim.instruct(registrar, &open(false)).unwrap();
        world.begin(&deal);
        world.sim.rest();
        world.assert_refused(&deal, Reason::Closed, Reason::Abandoned);
        world.assert_free();
        world.sim.instruct(registrar, &open(true)).unwrap();
        world.settle(&Deal { id: text("open"), ..deal });
        world.still_works();
    }
}

#[test]
fn accounts_and_assets_must_be_known_before_a_trade() {
    let mut world = World::new(35);
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    let nobody = Party { investor: text("nobody"), ..buyer.clone() };
    let deal = world.transfer("unknown", &seller, &nobody, 1);
    assert_eq!(world.buy(&deal), Err(Reason::UnknownAccount));
    let unknown = sudare_disclosure_asset();
    let deal = Deal { delivers: (unknown, 1), ..world.transfer("asset", &seller, &buyer, 1) };
    assert_eq!(world.sell(&deal), Err(Reason::UnknownAsset));
    let deal = world.transfer("nothing", &seller, &buyer, 0);
    assert_eq!(world.sell(&deal), Err(Reason::Malformed));
    let deal = Deal { window_ms: 61_000, ..world.transfer("long", &seller, &buyer, 1) };
    assert_eq!(world.sell(&deal), Err(Reason::Window));
    // A receiver that the registrar does not know: the custodian is told so, and takes no trade for it.
    let asset = world.bond;
    let registrar = world.registrar(asset);
    world.sim.tap(move |_, to, message| match message {
        Message::RegisterAccount(_) if to == registrar => Tapped::Drop,
        _ => Tapped::Pass,
    });
    let add = Instruction::AddAccount { asset, investor: nobody.investor.clone() };
    world.sim.instruct(nobody.custodian, &add).unwrap();
    world.sim.rest();
    let deal = world.transfer("pending", &seller, &nobody, 1);
    assert_eq!(world.buy(&deal), Err(Reason::UnknownAccount));
    world.sim.untap();
    world.sim.instruct(nobody.custodian, &add).unwrap();
    world.sim.rest();
    world.settle(&Deal { id: text("known"), ..deal });
    world.still_works();
}

#[test]
fn clocks_a_little_apart_settle_all_the_same() {
    let mut world = World::new(36);
    let (bond, notary) = (world.registrar(world.bond), world.notary);
    for (node, ahead) in [(bond, 400), (notary, 900), (world.party(0, 0).custodian, 0)].into_iter()
    {
        world.sim.set_ahead(node, ahead);
    }
    for dvp in [false, true] {
        let deal = deal(&world, dvp, if dvp { "dvp" } else { "transfer" });
        world.settle(&deal);
    }
    world.still_works();
}

fn deal(world: &World, dvp: bool, id: &str) -> Deal {
    let (seller, buyer) = (world.party(0, 0), world.party(1, 0));
    match dvp {
        true => world.dvp(id, &seller, &buyer, 100, 5_000),
        false => world.transfer(id, &seller, &buyer, 100),
    }
}

fn live(live: u64, notes: impl TryInto<u64>) -> Balance {
    let Ok(notes) = notes.try_into() else { panic!("too many notes") };
    Balance { live, notes, ..Balance::default() }
}

fn sudare_disclosure_asset() -> sudare_disclosure::AssetId {
    sudare_disclosure::AssetId(sudare_crypto::Hash([7; 32]))
}

fn allow(world: &mut World, holder: &Party, id: &str, quantity: u64) {
    let (asset, custodian) = (world.bond, holder.custodian);
    let registrar = world.registrar(asset);
    let allow =
        RegistrarInstruction::AllowRedemption { trade_id: text(id), asset, custodian, quantity };
    world.sim.instruct(registrar, &allow).unwrap();
}

fn redeem(
    world: &mut World,
    holder: &Party,
    id: &str,
    quantity: u64,
) -> sudare_ledger::role::Answer {
    let (asset, investor) = (world.bond, holder.investor.clone());
    let registrar = Party { custodian: world.registrar(asset), ..holder.clone() };
    let deal = world.transfer(id, holder, &registrar, quantity);
    let instruction = TradeInstruction {
        side: Side::Redeemer,
        deliver: Some(Movement { asset, investor, quantity }),
        ..deal.sell(world.sim.now)
    };
    world.sim.instruct(holder.custodian, &Instruction::Trade(Box::new(instruction)))
}

fn redemption(world: &World, holder: &Party, id: &str) -> TradeView {
    world.trades(holder.custodian, &text(id)).remove(0)
}
