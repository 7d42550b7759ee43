//! What a receiving custodian gets and checks does not depend on how often a note's value has changed hands before, and says
//! nothing of where it was (protocol guarantee 3).
//!
//! `SUDARE_DEPTH` sets how often the note is passed on, 300 times by default.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test: a panic is its report"
)]

use std::collections::BTreeSet;

use sudare_crypto::Claims;
use sudare_crypto::encoding::encode;
use sudare_ledger::custodian::TradeState;
use sudare_ledger::log::FinalLeg;
use sudare_ledger::messages::{Message, Settlement};
use sudare_tests::sim::{Deal, Party, World};

#[test]
fn a_note_passed_on_many_times_costs_its_receiver_what_a_new_one_does() {
    let depth: usize = std::env::var("SUDARE_DEPTH").map_or(300, |depth| depth.parse().unwrap());
    let mut world = World::empty(1, 3);
    let (one, other, last) = (world.party(0, 0), world.party(1, 0), world.party(2, 0));
    let bond = world.bond;
    world.issue(bond, &[(one.clone(), 1_000)]);
    for hop in 0..depth {
        let (from, to) = if hop % 2 == 0 { (&one, &other) } else { (&other, &one) };
        pass(&mut world, &format!("hop-{hop}"), from, to);
    }
    world.sim.rest();
    let holder = if depth.is_multiple_of(2) { &one } else { &other };
    let before = world.final_legs(bond);
    assert_eq!(before.len(), depth + 1);

    world.sim.watch(last.custodian);
    pass(&mut world, "deep", holder, &last);
    world.sim.rest();
    let deep = settlement(&world, &last);
    let seen = said(&world, &last);
    let deep_leg = world.final_legs(bond).pop().unwrap();

    world.issue(bond, &[(one.clone(), 1_000)]);
    world.sim.watch(last.custodian);
    pass(&mut world, "new!", &one, &last);
    world.sim.rest();
    let new = settlement(&world, &last);
    let new_leg = world.final_legs(bond).pop().unwrap();
    world.check();
    assert_eq!(world.balance(&last, bond).live, 2_000);

    // Only the place in the log takes more room in a longer log: one hash for each doubling.
    assert_eq!(shape(&deep), shape(&new));
    let size = u32::try_from(depth).unwrap() + 5;
    for settlement in [&deep, &new] {
        let doublings = usize::try_from(size.next_power_of_two().ilog2()).unwrap();
        assert!(encode(&settlement.entry.path).len() <= 4 + 32 * doublings);
    }
    assert_eq!(points(&world, &deep_leg), points(&world, &new_leg));
    assert_unlinked(&before, &deep_leg, &seen);
}

/// The lengths of all parts of a settlement, but for its place in the log: what there is to check, each once.
fn shape(settlement: &Settlement) -> Vec<usize> {
    let entry = encode(&settlement.entry).len();
    let mut lengths = vec![
        encode(settlement).len() - entry,
        settlement.commit.approvals.len(),
        settlement.commit.transaction.legs.len(),
        settlement.commit.transaction.tags.len(),
        settlement.components.len(),
    ];
    for part in &settlement.components {
        lengths.push(part.components.len());
        for component in &part.components {
            lengths.extend([component.body.len(), encode(&component.path).len()]);
        }
    }
    lengths
}

/// How many group elements go into the check of a leg.
fn points(world: &World, leg: &FinalLeg) -> usize {
    let mut claims = Claims::new();
    leg.leg.check(&world.terms[&world.bond], &mut claims).unwrap();
    claims.points()
}

/// Nothing that stands for an earlier note, or for the one that was spent, is in what the receiver was told.
fn assert_unlinked(before: &[FinalLeg], last: &FinalLeg, seen: &[Vec<u8>]) {
    let told: BTreeSet<&[u8]> = seen.iter().flat_map(|message| message.windows(32)).collect();
    assert!(told.contains(last.leg.outputs[0].commitment.as_bytes().as_slice()));
    for leg in before {
        for note in leg.leg.notes() {
            let names =
                [*note.owner.as_bytes(), *note.commitment.as_bytes(), *note.id().0.as_bytes()];
            assert!(names.iter().all(|name| !told.contains(name.as_slice())));
        }
        let tx = leg.commit.transaction.id().unwrap();
        assert!(!told.contains(tx.0.as_bytes().as_slice()));
    }
    for leg in before.iter().chain([last]) {
        for input in &leg.leg.inputs {
            let names = [input.tag, input.commitment, input.ephemeral];
            assert!(names.iter().all(|name| !told.contains(name.as_bytes().as_slice())));
        }
    }
}

fn pass(world: &mut World, id: &str, from: &Party, to: &Party) {
    let deal: Deal = world.transfer(id, from, to, 1_000);
    world.begin(&deal);
    world.until_seller(&deal, TradeState::Settled);
    world.until_buyer(&deal, TradeState::Settled);
}

fn settlement(world: &World, party: &Party) -> Settlement {
    let seen = world.sim.seen(party.custodian).iter().rev();
    let mut found = seen.filter_map(|(_, message)| match message {
        Message::Settled(settlement) => Some(settlement.clone()),
        _ => None,
    });
    found.next().unwrap()
}

fn said(world: &World, party: &Party) -> Vec<Vec<u8>> {
    world.sim.seen(party.custodian).iter().map(|(_, message)| encode(message)).collect()
}
