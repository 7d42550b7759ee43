//! Statements about register snapshots: true ones are made and verified offline, by custodian and registrar; false ones never.

use sudare_crypto::encoding::Version;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::locator;
use sudare_crypto::proof::statement::{Kind, Unproved};
use sudare_crypto::{Rejected, Secret};

use super::super::{Instruction, Registrar};
use super::World;
use crate::bundle::Bundle;
use crate::statement::{
    Content, Located, Maker, Register, Says, ShownHeading, Statement, StatementError, Subject,
    Term, Wanted, Witnessed,
};
use crate::testing::{rng, text};
use crate::tree::SignedCheckpoint;

/// Alice has 150; snapshot 0; 60 of them go to bob and 20 to anna; snapshot 1: alice 70, anna 20, bob 60.
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
    let (kv, size) = (&world.registrar.kv, size(world));
    let checkpoint = Registrar::checkpoint_at(kv, world.asset(), size).unwrap().unwrap();
    Subject {
        version: Version,
        core: world.terms.core.clone(),
        checkpoint: SignedCheckpoint::parse(checkpoint.as_bytes()).unwrap(),
        recipient: text("Example Authority"),
        nonce: [7; 32],
    }
}

/// The snapshots with these numbers, and their `x`.
fn snapshots(world: &World, numbers: &[u32]) -> Vec<(ShownHeading, Secret, Secret)> {
    let shown = |number: &u32| {
        let (kv, size) = (&world.registrar.kv, size(world));
        let secrets = Registrar::snapshot_secrets(kv, world.asset(), *number, size);
        let secrets = secrets.unwrap().unwrap();
        (secrets.shown, secrets.locating, secrets.blinding)
    };
    numbers.iter().map(shown).collect()
}

/// An account in the snapshot that stands at `here` in `numbers`.
fn holder(world: &World, by: Maker, name: &str, numbers: &[u32], here: u8) -> Witnessed {
    let custodian = if name == "bob" { &world.b } else { &world.a };
    let (asset, number) = (world.asset(), numbers[usize::from(here)]);
    let account = custodian.account(asset, name);
    let shown = Registrar::shown_leaf(&world.registrar.kv, (asset, account), number, size(world));
    let shown = shown.unwrap().unwrap();
    let opening = shown.holding.map(|(value, blinding)| Opening { value, blinding: blinding.0 });
    let secret = match by {
        Maker::Custodian => custodian.investor(name).account(asset),
        Maker::Registrar => snapshots(world, &[number]).remove(0).1,
    };
    let located = Located { snapshot: here, ..shown.located };
    Witnessed { term: Term::Account(located), opening, secret: Some(secret) }
}

const fn supply(here: u8) -> Witnessed {
    Witnessed { term: Term::Supply(here), opening: None, secret: None }
}

fn make(
    world: &World,
    by: Maker,
    numbers: &[u32],
    wanted: Wanted,
) -> Result<Statement, StatementError> {
    let shown = snapshots(world, numbers).into_iter().map(|(shown, ..)| shown).collect();
    Register::make(subject(world), by, shown, wanted, &mut rng(5))
}

fn verify(world: &World, statement: &Statement) -> Result<(), StatementError> {
    statement.verify(world.asset(), None, &mut rng(6)).map(drop)
}

fn of(statement: &mut Statement) -> &mut Register {
    let Content::Register(register) = &mut statement.content else { panic!("of notes") };
    register
}

/// Terms of a side: accounts in the second snapshot, or in the first if they begin with "then".
fn side(world: &World, by: Maker, names: &[&str]) -> Vec<Witnessed> {
    let term = |name: &&str| match name.strip_prefix("then ") {
        Some(name) => holder(world, by, name, &[0, 1], 0),
        None if *name == "supply" => supply(1),
        None => holder(world, by, name, &[0, 1], 1),
    };
    names.iter().map(term).collect()
}

/// A kind, left and right terms, units in clear on the right, and whether it holds.
type Case = (Kind, &'static [&'static str], &'static [&'static str], u64, bool);

#[test]
fn holdings_shares_sums_and_changes_are_stated_to_the_last_unit() {
    let world = world();
    let at_least = |bound| Kind::AtLeast { bound };
    let at_most = |bound| Kind::AtMost { bound };
    let differ = |by| Kind::Differ { by };
    let between = |low, high| Kind::Between { low, high };
    let share = |numerator, denominator| Kind::Share { numerator, denominator };
    let cases: [Case; 20] = [
        (at_least(70), &["alice"], &[], 0, true),
        (at_least(71), &["alice"], &[], 0, false),
        (at_most(70), &["alice"], &[], 0, true),
        (at_most(69), &["alice"], &[], 0, false),
        (between(60, 80), &["alice"], &[], 0, true),
        (between(71, 80), &["alice"], &[], 0, false),
        (differ(70), &["alice"], &[], 0, true),
        // 70 of 150.
        (share(7, 15), &["alice"], &["supply"], 0, true),
        (share(8, 15), &["alice"], &["supply"], 0, false),
        // A set.
        (at_least(90), &["alice", "anna"], &[], 0, true),
        (at_least(91), &["alice", "anna"], &[], 0, false),
        (share(3, 5), &["alice", "anna"], &["supply"], 0, true),
        // Two parties, and what they hold is not shown.
        (differ(50), &["alice"], &["anna"], 0, true),
        (differ(0), &["alice"], &["anna"], 50, true),
        (differ(49), &["alice"], &["anna"], 0, false),
        // A period: alice gave away 80, anna came with 20.
        (at_most(0), &["alice"], &["then alice"], 0, true),
        (differ(0), &["then alice"], &["alice"], 80, true),
        (between(20, 20), &["anna"], &["then anna"], 0, true),
        (at_least(21), &["anna"], &["then anna"], 0, false),
        (differ(0), &["alice", "anna"], &["then alice", "then anna"], 0, false),
    ];
    for by in [Maker::Custodian, Maker::Registrar] {
        for (kind, left, right, clear, holds) in cases {
            let sides = ((side(&world, by, left), 0), (side(&world, by, right), clear));
            let made = make(&world, by, &[0, 1], Wanted::Totals(kind, sides.0, sides.1));
            assert_eq!(made.is_ok(), holds, "{kind:?} {left:?} {right:?}");
            match made {
                Ok(statement) => assert_eq!(verify(&world, &statement), Ok(()), "{kind:?}"),
                Err(error) => assert_eq!(error, StatementError::Unproved(Unproved::Untrue)),
            }
        }
    }
}

#[test]
fn who_is_not_among_the_holders_is_shown_to_be_absent_and_nobody_else() {
    let world = world();
    for by in [Maker::Custodian, Maker::Registrar] {
        let absent = |name: &str, number| {
            let account = holder(&world, by, name, &[number], 0);
            make(&world, by, &[number], Wanted::Absent(vec![account]))
        };
        for name in ["bob", "anna"] {
            assert_eq!(verify(&world, &absent(name, 0).unwrap()), Ok(()));
            assert!(matches!(absent(name, 1), Err(StatementError::Present(_))));
        }
        let both = ["bob", "anna"].map(|name| holder(&world, by, name, &[0], 0));
        let both = make(&world, by, &[0], Wanted::Absent(both.to_vec())).unwrap();
        assert_eq!(verify(&world, &both), Ok(()));
        assert_eq!(both.accounts().len(), 2);
        // Whoever is there is not shown to be elsewhere, nor at another's leaf.
        let mut lie = absent("bob", 0).unwrap();
        let Term::Account(alice) = holder(&world, by, "alice", &[0], 0).term else { panic!() };
        let of_bob = match &of(&mut lie).says {
            Says::Absent(accounts) => accounts[0].clone(),
            Says::Totals { .. } => panic!("totals"),
        };
        let swapped = Located { account: alice.account, shared: of_bob.shared, ..alice.clone() };
        for shown in [alice, swapped] {
            let account = shown.account;
            of(&mut lie).says = Says::Absent(vec![shown].try_into().unwrap());
            let refused = verify(&world, &lie).unwrap_err();
            let expected = [
                StatementError::Present(account),
                StatementError::NotThere(account),
                StatementError::Rejected(Rejected::False(locator::NAME)),
            ];
            assert!(expected.contains(&refused), "{refused}");
        }
    }
    // Nothing is not a statement.
    let nothing = make(&world, Maker::Registrar, &[0], Wanted::Absent(Vec::new()));
    assert_eq!(nothing, Err(StatementError::Rejected(Rejected::Nothing)));
}

#[test]
fn the_whole_register_is_what_was_minted_less_what_was_burned() {
    let world = world();
    let (_, _, blinding) = snapshots(&world, &[1]).remove(0);
    let register = |value| {
        let opening = Some(Opening { value, blinding: blinding.0 });
        let term = Witnessed { term: Term::Register(0), opening, secret: None };
        let sides = ((vec![term], 0), (vec![supply(0)], 0));
        let wanted = Wanted::Totals(Kind::Differ { by: 0 }, sides.0, sides.1);
        make(&world, Maker::Registrar, &[1], wanted)
    };
    let statement = register(150).unwrap();
    assert_eq!(verify(&world, &statement), Ok(()));
    assert!(statement.accounts().is_empty());
    assert_eq!(register(151), Err(StatementError::Unproved(Unproved::Opening)));
}

/// That alice held at least 60 in snapshot 1, 80 less than before at most.
fn usual(world: &World, by: Maker) -> Statement {
    let sides = ((side(world, by, &["then alice"]), 0), (side(world, by, &["alice"]), 3));
    let wanted = Wanted::Totals(Kind::AtMost { bound: 80 }, sides.0, sides.1);
    make(world, by, &[0, 1], wanted).unwrap()
}

#[test]
fn every_byte_of_a_statement_about_a_register_counts() {
    let world = world();
    let statement = usual(&world, Maker::Custodian);
    let file = Bundle::Statement(Box::new(statement)).to_bytes();
    let accepted = |file: &[u8]| match Bundle::parse(file) {
        Ok(Bundle::Statement(read)) => verify(&world, &read).is_ok(),
        _ => false,
    };
    assert!(accepted(&file));
    for at in 0..file.len() {
        let mut changed = file.clone();
        changed[at] ^= 1 << (at % 8);
        assert!(!accepted(&changed), "byte {at} of {}", file.len());
    }
    assert!(!accepted(&file[..file.len() - 1]));
}

#[test]
fn only_who_holds_the_keys_states_something_of_an_account() {
    let world = world();
    let kind = Kind::AtLeast { bound: 1 };
    let state = |by: Maker, change: fn(&mut Witnessed)| {
        let mut alice = holder(&world, by, "alice", &[1], 0);
        change(&mut alice);
        let wanted = Wanted::Totals(kind, (vec![alice], 0), (Vec::new(), 0));
        make(&world, by, &[1], wanted).and_then(|statement| verify(&world, &statement))
    };
    let false_locator = Err(StatementError::Rejected(Rejected::False(locator::NAME)));
    for by in [Maker::Custodian, Maker::Registrar] {
        assert_eq!(state(by, |_| ()), Ok(()));
        // Who knows the leaf and its opening but no key.
        assert_eq!(state(by, |one| one.secret = Some(Secret::random(&mut rng(8)))), false_locator);
        assert_eq!(state(by, |one| one.secret = None), Err(StatementError::Locators));
    }
    // The registrar's key is none of the account's.
    let mut turned = usual(&world, Maker::Registrar);
    of(&mut turned).maker = Maker::Custodian;
    assert_eq!(verify(&world, &turned), false_locator);
}

#[test]
fn what_is_out_of_place_is_refused() {
    let world = world();
    let refused = |change: fn(&mut Register)| {
        let mut statement = usual(&world, Maker::Custodian);
        change(of(&mut statement));
        verify(&world, &statement).unwrap_err()
    };
    let terms = |register: &mut Register, change: fn(&mut Located)| {
        let Says::Totals { left, .. } = &mut register.says else { panic!("absent") };
        let mut all = left.terms.to_vec();
        let Some(Term::Account(located)) = all.first_mut() else { panic!("no account") };
        change(located);
        left.terms = all.try_into().unwrap();
    };
    let mut moved = usual(&world, Maker::Custodian);
    terms(of(&mut moved), |located| located.snapshot = 1);
    assert!(matches!(verify(&world, &moved), Err(StatementError::NotThere(_))));
    let mut nowhere = usual(&world, Maker::Custodian);
    terms(of(&mut nowhere), |located| located.snapshot = 2);
    assert_eq!(verify(&world, &nowhere), Err(StatementError::Snapshots));
    let fewer = refused(|register| register.locators = Vec::new().try_into().unwrap());
    assert_eq!(fewer, StatementError::Locators);
    let none = refused(|register| register.snapshots = Vec::new().try_into().unwrap());
    assert_eq!(none, StatementError::Snapshots);
    let turned = refused(|register| {
        let snapshots: Vec<_> = register.snapshots.iter().rev().cloned().collect();
        register.snapshots = snapshots.try_into().unwrap();
    });
    assert_eq!(turned, StatementError::Snapshots);
    let first = |register: &mut Register, change: fn(&mut ShownHeading)| {
        let mut snapshots = register.snapshots.to_vec();
        change(&mut snapshots[0]);
        register.snapshots = snapshots.try_into().unwrap();
    };
    let mut other = usual(&world, Maker::Custodian);
    first(of(&mut other), |shown| shown.heading.network.0[0] ^= 1);
    assert_eq!(verify(&world, &other), Err(StatementError::OtherSnapshot(0)));
    let mut later = usual(&world, Maker::Custodian);
    first(of(&mut later), |shown| shown.heading.at += 1);
    let refused = verify(&world, &later);
    assert!(matches!(refused, Err(StatementError::SnapshotNotInLog(0, _))), "{refused:?}");
}

#[test]
fn each_account_counts_once_and_numbers_in_clear_do_not_wrap() {
    let world = world();
    let by = Maker::Custodian;
    let twice = side(&world, by, &["alice", "alice"]);
    let wanted = Wanted::Totals(Kind::AtLeast { bound: 140 }, (twice, 0), (Vec::new(), 0));
    assert_eq!(make(&world, by, &[0, 1], wanted), Err(StatementError::Twice(1)));
    let kind = Kind::AtLeast { bound: 1 };
    let sides = (side(&world, by, &["alice"]), side(&world, by, &["supply"]));
    let wanted = Wanted::Totals(kind, (sides.0, 0), (sides.1, u64::MAX));
    assert_eq!(make(&world, by, &[0, 1], wanted), Err(StatementError::Clear));
    // Of an account that nobody registered nothing is told.
    let stranger = world.a.account(world.asset(), "nobody");
    let of = (world.asset(), stranger);
    let shown = Registrar::shown_leaf(&world.registrar.kv, of, 0, size(&world)).unwrap();
    assert!(shown.is_none());
}
