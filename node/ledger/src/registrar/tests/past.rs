//! The register as it was: the same, whatever has happened since.

use std::collections::BTreeMap;

use sudare_crypto::Encoded;

use super::super::{Instruction, Lines, LinesOf, Registrar, When};
use super::World;
use crate::testing::text;

/// What each account holds, with the supply.
type State = (BTreeMap<Encoded, u64>, u64);

fn now(world: &World) -> State {
    let holdings = Registrar::holdings(&world.registrar.kv, world.asset(), None, 100).unwrap();
    let held = holdings.iter().filter(|holding| holding.quantity > 0);
    let held: BTreeMap<_, _> = held
        .map(|holding| (holding.account.account, u64::try_from(holding.quantity).unwrap()))
        .collect();
    let supply = held.values().sum();
    (held, supply)
}

fn size(world: &World) -> u64 {
    Registrar::asset(&world.registrar.kv, world.asset()).unwrap().unwrap().entries
}

/// The register at a size, in pages of so many lines.
fn at(world: &World, size: u64, limit: u32) -> State {
    let (kv, id) = (&world.registrar.kv, world.asset());
    let head = Registrar::register_head(kv, id, When::Size(size)).unwrap().unwrap();
    let (mut held, mut after) = (BTreeMap::new(), None);
    loop {
        let of = LinesOf { size, custodian: None, after, limit };
        let Lines { lines, next } = Registrar::register_at(kv, id, &of).unwrap();
        assert!(lines.len() <= usize::try_from(limit).unwrap());
        held.extend(lines.into_iter().map(|line| (line.account, line.quantity)));
        after = next;
        if after.is_none() {
            return (held, head.supply);
        }
    }
}

/// Issues, snapshots, transfers and a redemption, with the state at every size of the log and when it had got it.
fn history() -> (World, BTreeMap<u64, (State, u64)>) {
    let mut world = World::empty();
    let mut seen = BTreeMap::new();
    let mut note = |world: &mut World| {
        let _ = seen.insert(size(world), (now(world), world.registrar.now));
        world.registrar.advance(1_000);
    };
    note(&mut world);
    world.issue("issue-1", &[("alice", 100), ("alice", 50)]);
    note(&mut world);
    let asset = world.asset();
    for _ in 0..2 {
        let notes = world.a.notes.clone();
        let quantity: u64 = 10;
        let input = notes.last().unwrap().clone();
        let change = input.opening.value - quantity;
        let moved = world.transfer(&[input], &[("bob", quantity), ("alice", change)]);
        world.settle(&moved);
        note(&mut world);
        world.registrar.instruct(Instruction::Snapshot(asset)).unwrap();
        note(&mut world);
    }
    world.issue("issue-2", &[("bob", 5), ("anna", 7)]);
    note(&mut world);
    let allow = Instruction::AllowRedemption {
        trade_id: text("trade-1"),
        asset,
        custodian: world.a.id(),
        quantity: 100,
    };
    world.registrar.instruct(allow).unwrap();
    let first = world.a.notes.iter().find(|note| note.opening.value == 100).unwrap().clone();
    let redemption = world.transfer(&[first], &[]);
    world.settle(&redemption);
    note(&mut world);
    (world, seen)
}

#[test]
fn a_register_at_a_size_is_what_it_was_then_whatever_has_happened_since() {
    let (world, seen) = history();
    assert_eq!(seen.len(), 8);
    let states: std::collections::BTreeSet<_> = seen.values().map(|(state, _)| state).collect();
    assert!(states.len() >= 6, "{seen:?}");
    let (kv, id) = (&world.registrar.kv, world.asset());
    for (size, ((held, supply), since)) in &seen {
        for limit in [1, 2, 100] {
            assert_eq!(&at(&world, *size, limit), &(held.clone(), *supply), "{size}");
        }
        assert_eq!(held.values().sum::<u64>(), *supply);
        // Until the next entry it was that.
        for later in [0, 999] {
            let when = When::Time(since + later);
            let head = Registrar::register_head(kv, id, when).unwrap().unwrap();
            assert_eq!((head.size, head.at), (*size, Some(*since)));
        }
    }
    let head = |when| Registrar::register_head(kv, id, when).unwrap();
    assert_eq!(head(When::Now).unwrap().size, size(&world));
    assert_eq!(head(When::Size(size(&world) + 1)), None);
    assert_eq!(head(When::Time(0)).unwrap().size, 0);
    // A snapshot is of the state before it, and until the next leg.
    for number in 0..2 {
        let taken = Registrar::snapshots(kv, id).unwrap()[usize::try_from(number).unwrap()].clone();
        let then = head(When::Snapshot(number)).unwrap();
        assert_eq!((then.size, then.supply), (taken.entry + 1, taken.supply));
        assert_eq!(then.snapshot.as_ref(), Some(&taken));
        assert_eq!(head(When::Size(taken.entry)).unwrap().snapshot, Some(taken));
    }
    assert_eq!(head(When::Snapshot(2)), None);
    assert_eq!(head(When::Now).unwrap().snapshot, None);
}

#[test]
fn a_custodian_s_lines_are_those_of_its_customers() {
    let (world, _) = history();
    let (kv, id, size) = (&world.registrar.kv, world.asset(), size(&world));
    for custodian in [&world.a, &world.b] {
        let of = LinesOf { size, custodian: Some(custodian.id()), after: None, limit: 100 };
        let lines = Registrar::register_at(kv, id, &of).unwrap().lines;
        assert!(!lines.is_empty() && lines.iter().all(|line| line.custodian == custodian.id()));
    }
}
