//! Statements of holdings: the quantities of a snapshot, shown to one reader, whole or in part, and nothing that isn't so.

use sudare_crypto::encoding::Version;
use sudare_crypto::proof::holdings;
use sudare_crypto::{Bounded, Encoded, NodeId, Rejected};

use super::super::{HeldBy, Instruction, Registrar};
use super::{World, list};
use crate::bundle::Bundle;
use crate::statement::{Content, HeldWitness, Holdings, Statement, StatementError, Subject};
use crate::testing::{rng, text};
use crate::tree::SignedCheckpoint;

/// Snapshot 0: alice 150; snapshot 1: alice 70, anna 20, bob 60.
fn world() -> World {
    let mut world = World::new();
    let asset = world.asset();
    world.registrar.instruct(Instruction::Snapshot(asset)).unwrap();
    let usual = world.usual();
    world.settle(&usual);
    let note = world.a.notes[1].clone();
    let second = world.transfer(&[note], &[("anna", 20), ("alice", 30)]);
    world.settle(&second);
    world.registrar.instruct(Instruction::Snapshot(asset)).unwrap();
    world
}

fn size(world: &World) -> u64 {
    Registrar::asset(&world.registrar.kv, world.asset()).unwrap().unwrap().entries
}

fn subject(world: &World) -> Subject {
    let checkpoint =
        Registrar::checkpoint_at(&world.registrar.kv, world.asset(), size(world)).unwrap().unwrap();
    Subject {
        version: Version,
        core: world.terms.core.clone(),
        checkpoint: SignedCheckpoint::parse(checkpoint.as_bytes()).unwrap(),
        recipient: text("Example Issuer"),
        nonce: [7; 32],
    }
}

fn witness(world: &World, number: u32, custodian: Option<NodeId>) -> Option<HeldWitness> {
    let of = (number, HeldBy { custodian, ..HeldBy::default() });
    Registrar::held_in_snapshot(&world.registrar.kv, world.asset(), of, size(world)).unwrap()
}

fn made(world: &World, witness: HeldWitness) -> Statement {
    Holdings::make(subject(world), witness, &mut rng(4)).unwrap()
}

fn verify(world: &World, statement: &Statement) -> Result<(), StatementError> {
    statement.verify(world.asset(), None, &mut rng(5)).map(|_| ())
}

fn of(statement: &mut Statement) -> &mut Holdings {
    match &mut statement.content {
        Content::Holdings(holdings) => holdings,
        _ => panic!("no holdings"),
    }
}

/// Lines with something changed: no list that is changed in place can grow.
fn changed<T: Clone, const MAX: usize>(
    items: &Bounded<T, MAX>,
    change: impl FnOnce(&mut Vec<T>),
) -> Bounded<T, MAX> {
    let mut items: Vec<T> = items.iter().cloned().collect();
    change(&mut items);
    list(items)
}

/// What is changed, of which statement, and how.
type Edit<'a> = (&'a str, &'a Statement, &'a dyn Fn(&mut Holdings));

#[test]
fn pages_show_each_account_once_in_order_of_accounts() {
    let world = world();
    for (custodian, count) in [(None, 3), (Some(world.a.id()), 2)] {
        let (mut after, mut accounts) = (None, Vec::new());
        loop {
            let by = HeldBy { custodian, after, limit: Some(1) };
            let held = Registrar::held_in_snapshot(
                &world.registrar.kv,
                world.asset(),
                (1, by),
                size(&world),
            );
            let Some(witness) = held.unwrap() else { break };
            let statement = made(&world, witness);
            verify(&world, &statement).unwrap();
            let Content::Holdings(page) = statement.content else { panic!("no holdings") };
            assert_eq!((page.lines.len(), page.is_whole()), (1, false));
            after = page.lines.first().map(|line| line.account);
            accounts.extend(after);
        }
        assert_eq!(accounts.len(), count);
        assert!(accounts.is_sorted());
    }
}

#[test]
fn a_whole_register_or_one_custodian_s_part_is_shown() {
    let world = world();
    let (a, b) = (world.a.id(), world.b.id());
    for (number, custodian, quantities, whole) in [
        (0, None, vec![150], true),
        (1, None, vec![20, 60, 70], true),
        (1, Some(a), vec![20, 70], false),
        (1, Some(b), vec![60], false),
    ] {
        let mut statement = made(&world, witness(&world, number, custodian).unwrap());
        verify(&world, &statement).unwrap();
        let bytes = Bundle::Statement(Box::new(statement.clone())).to_bytes();
        let Ok(Bundle::Statement(read)) = Bundle::parse(&bytes) else { panic!("no statement") };
        assert_eq!(*read, statement);
        let holdings = of(&mut statement);
        let mut held: Vec<u64> = holdings.lines.iter().map(|line| line.quantity).collect();
        held.sort_unstable();
        assert_eq!((held, holdings.is_whole()), (quantities, whole));
        let accounts: Vec<Encoded> = holdings.lines.iter().map(|line| line.account).collect();
        assert_eq!(statement.accounts(), accounts.into_iter().collect());
    }
    // Bob has no leaf in the first, and there is no third.
    assert!(witness(&world, 0, Some(b)).is_none() && witness(&world, 2, None).is_none());
}

#[test]
fn every_byte_of_a_statement_of_holdings_counts() {
    let world = world();
    let statement = made(&world, witness(&world, 1, Some(world.a.id())).unwrap());
    let bytes = Bundle::Statement(Box::new(statement)).to_bytes();
    for at in (17..bytes.len()).step_by(7) {
        let mut other = bytes.clone();
        other[at] ^= 1 << (at % 8);
        let accepted = match Bundle::parse(&other) {
            Ok(Bundle::Statement(read)) => verify(&world, &read).is_ok(),
            _ => false,
        };
        assert!(!accepted, "byte {at} of {}", bytes.len());
    }
}

#[test]
fn an_account_elsewhere_or_a_node_changed_is_refused() {
    let world = world();
    let whole = made(&world, witness(&world, 1, None).unwrap());
    let part = made(&world, witness(&world, 1, Some(world.b.id())).unwrap());
    let other = world.a.account(world.asset(), "nobody");
    let edits: [Edit<'_>; 7] = [
        ("another account", &part, &|one| {
            one.lines = changed(&one.lines, |lines| lines[0].account = other);
        }),
        ("another place", &part, &|one| {
            one.lines = changed(&one.lines, |lines| lines[0].place ^= 1);
        }),
        ("out of order", &whole, &|one| one.lines = changed(&one.lines, |lines| lines.swap(0, 1))),
        ("twice", &whole, &|one| {
            one.lines = changed(&one.lines, |lines| lines.insert(0, lines[0]));
        }),
        ("left out", &whole, &|one| {
            one.lines = changed(&one.lines, |lines| lines.truncate(lines.len() - 1))
        }),
        ("a node too few", &part, &|one| {
            one.beside = changed(&one.beside, |nodes| nodes.truncate(nodes.len() - 1));
        }),
        ("a node too many", &part, &|one| {
            one.beside = changed(&one.beside, |nodes| nodes.push(nodes[0]));
        }),
    ];
    for (what, statement, edit) in edits {
        let mut other = statement.clone();
        edit(of(&mut other));
        assert_eq!(verify(&world, &other), Err(StatementError::OtherRoot(1)), "{what}");
    }
    let mut empty = part.clone();
    of(&mut empty).lines = list(Vec::new());
    of(&mut empty).beside = list(vec![of(&mut empty).shown.heading.root]);
    let shape = StatementError::Rejected(Rejected::Shape(holdings::NAME));
    assert_eq!(verify(&world, &empty), Err(shape));
}

#[test]
fn more_than_the_supply_is_refused() {
    let world = world();
    let mut statement = made(&world, witness(&world, 1, None).unwrap());
    let holdings = of(&mut statement);
    holdings.lines = changed(&holdings.lines, |lines| lines[0].quantity += 1);
    assert_eq!(verify(&world, &statement), Err(StatementError::MoreThanAll(1)));
    // Nor does a registrar prove another quantity than its commitment hides.
    for change in [-1i64, 1] {
        let mut other = witness(&world, 1, Some(world.b.id())).unwrap();
        let line = &mut other.lines[0].0;
        line.quantity = line.quantity.checked_add_signed(change).unwrap();
        let refused = StatementError::Rejected(Rejected::False(holdings::NAME));
        assert_eq!(verify(&world, &made(&world, other)), Err(refused));
    }
}
