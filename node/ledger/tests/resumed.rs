//! A replay that goes on in its folder: under the grant that it was begun under or another for the same, and under nothing else.
#![allow(clippy::unwrap_used, clippy::as_conversions, clippy::disallowed_methods, reason = "tests")]

mod common;

use std::collections::BTreeMap;

use common::chain::*;
use common::grants::*;
use common::*;
use rand_chacha::ChaCha20Rng;
use sudare_disclosure::{DisclosureSecret, Field, Fields};
use sudare_ledger::access::{Permit, Scope};
use sudare_ledger::audit::{AuditError, Replay};
use sudare_ledger::kv::Kv;
use sudare_ledger::snapshot::SnapshotSeed;

type Kind = Result<Replay<ChaCha20Rng, Kept>, AuditError>;

/// A replay in `state` as it is begun or goes on.
fn open(
    world: &World,
    state: &Kept,
    keys: Vec<DisclosureSecret>,
    permit: Option<&Permit>,
    seeds: &[(u64, SnapshotSeed)],
) -> Kind {
    let mut replay = Replay::new(asset_log(&world.asset), keys, rng(7)).at_once(1);
    if let Some(permit) = permit {
        replay = replay.under(permit).unwrap();
    }
    let seeds: BTreeMap<u64, SnapshotSeed> = seeds.iter().cloned().collect();
    replay.knowing(seeds).kept_in(state.clone())
}

/// Takes entries from where it is up to `until`, and keeps them.
fn push(world: &World, mut replay: Replay<ChaCha20Rng, Kept>, until: usize) {
    let (bytes, _) = published(&world.asset, &world.entries);
    while let Some(entry) = bytes.get(usize::try_from(replay.next()).unwrap()) {
        if replay.next() == until as u64 {
            break;
        }
        replay.push(replay.next(), entry).unwrap();
    }
    replay.pause().unwrap();
    assert_eq!(replay.kept(), until as u64);
}

#[test]
fn what_was_begun_under_a_grant_goes_on_within_its_scope_and_keys_alone() {
    let mut world = World::new(Fields::ALL);
    let whole = world.scope(Fields::ALL);
    let scope = Scope { last_epoch: 1, ..world.scope(fields(&[Field::Amounts, Field::Parties])) };
    let id = world.give(world.grant(whole.clone()));
    let mut other = world.grant(whole.clone());
    other.case = text("2027-15");
    let other = world.give(other);
    let first = world.read(NOW, id, scope.clone()).unwrap();
    let state = Kept::default();
    push(&world, open(&world, &state, world.keys(), Some(&first), &[]).unwrap(), 2);
    let kept = state.copy();

    let scopes =
        |error: Kind| assert_eq!(error.err(), Some(AuditError::OtherReplay("under another scope")));
    // Whatever is another scope's: wider, narrower, or none at all; the other grant's too.
    let account = Holder::new(1).account(&world.asset);
    for asked in [
        whole,
        Scope { fields: fields(&[Field::Amounts]), ..scope.clone() },
        Scope { last_epoch: 0, ..scope.clone() },
        Scope { from: NOW, ..scope.clone() },
        Scope { accounts: vec![account].try_into().unwrap(), ..scope.clone() },
    ] {
        for grant in [id, other] {
            let permit = world.read(NOW, grant, asked.clone()).unwrap();
            scopes(open(&world, &state, world.keys(), Some(&permit), &[]));
        }
    }
    scopes(open(&world, &state, world.keys(), None, &[]));
    // Other keys read other things under the same scope.
    let registrar = world.asset.secrets.iter().map(|keys| keys.first().unwrap().clone());
    let registrar: Vec<_> = registrar.collect();
    for keys in [registrar, world.keys().split_off(1), Vec::new()] {
        let refused = open(&world, &state, keys, Some(&first), &[]).err();
        assert_eq!(refused, Some(AuditError::OtherReplay("with other keys")));
    }
    let rows = |state: &Kept| state.scan(b"", None, usize::MAX).unwrap();
    assert_eq!(rows(&state), rows(&kept), "who is refused leaves the folder as it was");

    // Another grant for the very same scope goes on, and both entries of the access log stand in what follows.
    let second = world.read(NOW, other, scope).unwrap();
    let replay = open(&world, &state, world.keys(), Some(&second), &[]).unwrap();
    assert_eq!(replay.next(), 2);
    let reads: Vec<_> = replay.reads().iter().map(|read| (read.grant, read.entry)).collect();
    assert_eq!(reads, [(id, first.index()), (other, second.index())]);
    push(&world, replay, 4);
    // And what was begun without a grant goes on under none.
    let free = Kept::default();
    push(&world, open(&world, &free, world.keys(), None, &[]).unwrap(), 2);
    scopes(open(&world, &free, world.keys(), Some(&first), &[]));
    push(&world, open(&world, &free, world.keys(), None, &[]).unwrap(), 4);
}

#[test]
fn a_seed_that_comes_after_its_snapshot_was_passed_is_refused_and_one_that_comes_before_is_not() {
    let mut world = World::new(fields(&[Field::Amounts]));
    let seed = world.add_snapshot();
    let given = [(1, seed)];
    let state = Kept::default();
    // Until it is passed the seed may come.
    push(&world, open(&world, &state, world.keys(), None, &[]).unwrap(), 1);
    let known = state.copy();
    push(&world, open(&world, &known, world.keys(), None, &given).unwrap(), 2);
    push(&world, open(&world, &state, world.keys(), None, &[]).unwrap(), 2);
    let late = open(&world, &state, world.keys(), None, &given).err().unwrap();
    assert_eq!(late, AuditError::SeedTooLate { entry: 1 });
    let said = late.to_string();
    assert!(said.contains("entry 1 was passed without its seed") && said.contains("a new folder"));
    // Without the seed it goes on, and says that the snapshot was not recomputed; the other says that it was.
    for (state, given, checked) in [(state, &[][..], false), (known, &given[..], true)] {
        let mut replay = open(&world, &state, world.keys(), None, given).unwrap();
        let (bytes, checkpoint) = published(&world.asset, &world.entries);
        for (index, entry) in bytes.iter().enumerate().skip(2) {
            replay.push(index as u64, entry).unwrap();
        }
        let report = replay.finish(&checkpoint, &mut |_, _| None).unwrap();
        assert_eq!(report.snapshots.iter().map(|one| one.checked).collect::<Vec<_>>(), [checked]);
    }
}
