//! Register snapshots: what they fix, who can check them, and that whoever can finds every lie.

use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::point::{B, B_BLINDING};
use sudare_crypto::{Encoded, Hash, RistrettoPoint, Scalar, Secret};
use sudare_disclosure::{DisclosureSecret, Field, Fields, KeyPurpose};

use super::super::{Instruction, Registrar};
use super::World;
use crate::audit::{AssetLog, AuditError, Fault, Replay, Report, SnapshotSeen};
use crate::log::{Entry, FinalLeg};
use crate::messages::Reason;
use crate::note::Note;
use crate::snapshot::{
    AccountRow, Chain, Heading, Snapshot, SnapshotError, SnapshotSeed, SumNode, events_of, locator,
    search_ends_at,
};
use crate::testing::{rng, text};
use crate::tree::{Checkpoint, MemoryTree};

/// Alice's 100 and 50; snapshot 0; 60 of them to bob; snapshot 1.
fn world() -> World {
    let mut world = World::new();
    let asset = world.asset();
    world.registrar.instruct(Instruction::Snapshot(asset)).unwrap();
    let usual = world.usual();
    world.settle(&usual);
    world.registrar.instruct(Instruction::Snapshot(asset)).unwrap();
    world
}

fn entries(world: &World) -> Vec<Entry> {
    let rows = Registrar::entries(&world.registrar.kv, world.asset(), 0, 100).unwrap();
    rows.iter().map(|row| decode(&row.bytes, "an entry").unwrap()).collect()
}

/// The registrar's keys, which read everything.
fn all_fields(world: &World) -> Vec<DisclosureSecret> {
    let registrar =
        Registrar::new(world.net.id, world.net.registrar.clone(), world.net.master.clone());
    let epochs = world.terms.policy.epochs.iter();
    epochs.map(|epoch| registrar.disclosure(world.asset(), epoch.number)).collect()
}

/// The regulator's keys, which read amounts and parties.
fn without_links(world: &World) -> Vec<DisclosureSecret> {
    let fields = Fields::of(&[Field::Amounts, Field::Parties]).unwrap();
    let (network, asset, label) = (world.net.id, world.asset(), text("regulator"));
    let key = |epoch| {
        let purpose = KeyPurpose { network, asset, epoch, fields, label: label.clone() };
        DisclosureSecret::derive(&world.net.regulator, &purpose)
    };
    world.terms.policy.epochs.iter().map(|epoch| key(epoch.number)).collect()
}

fn replay(
    world: &World,
    entries: &[Entry],
    keys: Vec<DisclosureSecret>,
) -> Result<Report, AuditError> {
    let registrar = &world.net.registrar;
    let log = AssetLog { network: world.net.id, asset: world.asset(), registrar: registrar.id() };
    let mut replay = Replay::new(log, keys, rng(9));
    let mut tree = MemoryTree::default();
    for (index, entry) in entries.iter().enumerate() {
        replay.push(u64::try_from(index).unwrap(), &encode(entry))?;
        tree.append(entry.leaf().unwrap().hash()).unwrap();
    }
    let (origin, size) = (log.origin().unwrap(), tree.size());
    let checkpoint = Checkpoint { origin, size, root: tree.root(size).unwrap() };
    let signed = checkpoint.sign(&registrar.id(), |text| registrar.sign_raw(text)).unwrap();
    replay.finish(&signed, &mut |_, _| None)
}

/// A note that lives, whose it is, and its blinding.
struct Live {
    note: Note,
    account: Encoded,
    blinding: Secret,
}

/// What every account comes to in a log, worked out without the register, with the sum of all live blindings.
fn rows(world: &World, entries: &[Entry]) -> (Vec<AccountRow>, Secret) {
    let keys = all_fields(world);
    let (mut rows, mut live): (Vec<AccountRow>, Vec<Live>) = (Vec::new(), Vec::new());
    for (index, entry) in entries.iter().enumerate() {
        let Entry::Leg(leg) = entry else { continue };
        let FinalLeg { leg, .. } = leg.as_ref();
        let epoch = world.terms.policy.epoch(leg.header.epoch).unwrap();
        let read = leg.open(epoch, &keys[usize::try_from(epoch.number).unwrap()]).unwrap();
        let spent = read.links.map(|links| links.notes.to_vec()).unwrap_or_default();
        let index = u64::try_from(index).unwrap();
        for (account, event) in events_of(index, leg, (&read.senders, &spent), &read.receivers) {
            let at = rows.iter().position(|row| row.account == account).unwrap_or_else(|| {
                let (chain, sum) = (Chain::default(), RistrettoPoint::default());
                rows.push(AccountRow { account, chain, sum });
                rows.len() - 1
            });
            rows[at].chain = rows[at].chain.after(&event);
        }
        live.retain(|live| !spent.contains(&live.note.id()));
        for (output, note) in leg.notes().enumerate() {
            let (account, blinding) = (read.receivers[output], read.blindings[output].clone());
            live.push(Live { note, account, blinding });
        }
    }
    let mut blinding = Secret(Scalar::ZERO);
    for one in &live {
        let row = rows.iter_mut().find(|row| row.account == one.account).unwrap();
        row.sum += one.note.commitment.decompress().unwrap();
        blinding.0 += one.blinding.0;
    }
    (rows, blinding)
}

/// The log with its last entry, a snapshot, made anew by a registrar that changes rows or heading.
fn forged(
    world: &World,
    change_rows: impl FnOnce(&mut Vec<AccountRow>),
    change: impl FnOnce(&mut Heading),
) -> Vec<Entry> {
    let mut entries = entries(world);
    let Some(Entry::Snapshot(last)) = entries.pop() else { panic!("no snapshot at the end") };
    let (mut rows, live) = rows(world, &entries);
    change_rows(&mut rows);
    let rng = &mut rng(5);
    let seed = SnapshotSeed::random(rng);
    let leaves = seed.leaves(&rows).unwrap();
    let (size, root) = (leaves.size(), leaves.root().unwrap());
    let mut heading = Heading { leaves: size, root, locators: leaves.locators, ..last.heading };
    change(&mut heading);
    let epoch = world.terms.policy.epoch_at(world.registrar.now).unwrap();
    let blinding = Secret(live.0 + leaves.blinding.0);
    let snapshot = Snapshot::seal(heading, &seed, &blinding, epoch, rng).unwrap();
    entries.push(Entry::Snapshot(Box::new(snapshot)));
    entries
}

fn seen(report: &Report) -> Vec<(u32, u64, bool)> {
    let one = |seen: &SnapshotSeen| (seen.number, seen.entry, seen.checked);
    report.snapshots.iter().map(one).collect()
}

#[test]
fn a_replay_with_all_parties_and_links_recomputes_every_snapshot() {
    let world = world();
    let report = replay(&world, &entries(&world), all_fields(&world)).unwrap();
    assert_eq!(seen(&report), [(0, 2, true), (1, 4, true)]);
    assert!(report.to_string().contains("register snapshot 1, entry 4: recomputed"));
    // The forger's own arithmetic is right where it changes nothing.
    let same = forged(&world, |_| (), |_| ());
    assert_eq!(seen(&replay(&world, &same, all_fields(&world)).unwrap()), seen(&report));
}

#[test]
fn whoever_lacks_links_replays_the_log_and_is_told_that_snapshots_stay_open() {
    let world = world();
    for keys in [Vec::new(), without_links(&world)] {
        let report = replay(&world, &entries(&world), keys).unwrap();
        assert_eq!(seen(&report), [(0, 2, false), (1, 4, false)]);
        assert!(report.to_string().contains("not recomputed"), "{report}");
    }
}

#[test]
fn an_account_left_out_made_up_or_altered_is_found() {
    let world = world();
    let lies: [fn(&mut Vec<AccountRow>); 5] = [
        |rows| {
            let hidden = rows.pop().unwrap();
            rows[0].sum += hidden.sum;
        },
        |rows| {
            let account = Encoded::of(&(B + B));
            let sum = RistrettoPoint::default();
            rows.push(AccountRow { account, chain: Chain::default(), sum });
        },
        |rows| rows[0].chain.count -= 1,
        |rows| rows[0].chain.head.0[0] ^= 1,
        |rows| {
            rows[0].sum -= B;
            rows[1].sum += B;
        },
    ];
    for (number, lie) in lies.into_iter().enumerate() {
        let entries = forged(&world, lie, |_| ());
        let fault = AuditError::Entry { entry: 4, fault: Fault::SnapshotRoot };
        assert_eq!(replay(&world, &entries, all_fields(&world)).unwrap_err(), fault, "{number}");
        assert!(fault.to_string().contains("[SNP-3]"));
    }
    let changes: [fn(&mut Heading); 2] =
        [|heading| heading.leaves *= 2, |heading| heading.locators = Encoded::of(&B)];
    for change in changes {
        let changed = forged(&world, |_| (), change);
        let fault = AuditError::Entry { entry: 4, fault: Fault::SnapshotRoot };
        assert_eq!(replay(&world, &changed, all_fields(&world)).unwrap_err(), fault);
    }
}

#[test]
fn holdings_that_are_not_the_supply_are_found_without_any_key() {
    let world = world();
    let refused = |rows: fn(&mut Vec<AccountRow>), heading: fn(&mut Heading)| {
        let entries = forged(&world, rows, heading);
        let AuditError::Entry { entry: 4, fault } =
            replay(&world, &entries, Vec::new()).unwrap_err()
        else {
            panic!("another entry")
        };
        fault
    };
    // The supply as in the log, but an account that holds more or less than it does.
    let changes: [fn(&mut Vec<AccountRow>); 2] = [|rows| rows[0].sum += B, |rows| rows[1].sum -= B];
    for change in changes {
        assert!(matches!(refused(change, |_| ()), Fault::Proof(_)));
    }
    // The holdings add up, but to another supply than the log's.
    let lie = refused(|rows| rows[0].sum += B, |heading| heading.supply += 1);
    assert_eq!(lie, Fault::SnapshotSupply { stated: (150, 151), found: (150, 150) });
    assert!(lie.rule().contains("[SNP-4]"));
    // As much burned as was minted too much.
    let lie = refused(|_| (), |heading| heading.minted += 1);
    assert_eq!(lie, Fault::SnapshotSupply { stated: (151, 150), found: (150, 150) });
}

#[test]
fn a_snapshot_that_is_not_sound_is_found_without_any_key() {
    let world = world();
    let refused = |change: fn(&mut Heading), fault: Fault| {
        let entries = forged(&world, |_| (), change);
        let expected = AuditError::Entry { entry: 4, fault };
        assert_eq!(replay(&world, &entries, Vec::new()).unwrap_err(), expected);
    };
    let order = |found| Fault::SnapshotOrder { found, expected: 1 };
    refused(|heading| heading.number = 0, order(0));
    refused(|heading| heading.number = 2, order(2));
    refused(|heading| heading.at = 0, order(1));
    refused(|heading| heading.terms.0[0] ^= 1, SnapshotError::Heading.into());
    refused(|heading| heading.network.0[0] ^= 1, SnapshotError::Heading.into());
    refused(|heading| heading.asset.0.0[0] ^= 1, SnapshotError::Heading.into());
    refused(|heading| heading.epoch += 1, SnapshotError::Heading.into());
    refused(|heading| heading.leaves = 3, SnapshotError::Leaves.into());
    // A reader kept out, and a seed sealed to somebody else.
    for change in [0, 1] {
        let mut entries = entries(&world);
        let Some(Entry::Snapshot(last)) = entries.last_mut() else { panic!("no snapshot") };
        match change {
            0 => last.sealed.wraps = Vec::new().try_into().unwrap(),
            _ => last.sealed.wraps = vec![Encoded::of(&B)].try_into().unwrap(),
        }
        let error = replay(&world, &entries, Vec::new()).unwrap_err();
        assert!(matches!(
            error,
            AuditError::Entry { entry: 4, fault: Fault::Snapshot(_) | Fault::Proof(_) }
        ));
    }
}

#[test]
fn leaves_tell_nothing_without_the_seed_and_prove_each_account_with_it() {
    let rng = &mut rng(6);
    let row = |number: u64| AccountRow {
        account: Encoded::of(&(B * Scalar::from(number + 1))),
        chain: Chain::default(),
        sum: B,
    };
    let rows: Vec<AccountRow> = (0..5).map(row).collect();
    let (one, other) = (SnapshotSeed::random(rng), SnapshotSeed::random(rng));
    let (first, second) = (one.leaves(&rows).unwrap(), other.leaves(&rows).unwrap());
    // Padded to a power of two; the same accounts give other leaves under another seed.
    assert_eq!((first.size(), second.size()), (8, 8));
    assert_ne!(first.root(), second.root());
    assert_eq!(one.leaves(&[]).unwrap().size(), 1);
    let (root, strange) = (first.root().unwrap(), second.root().unwrap());
    for row in &rows {
        let (leaf, place, path) = first.prove(&row.account).unwrap();
        let node = leaf.node();
        let ends = |node: &_, at: u32, leaves: u32, root: &_| {
            search_ends_at(node, &leaf.locator, (at, &path), (leaves, root)).unwrap()
        };
        assert!(ends(&node, place, 8, &root));
        assert!(!ends(&node, place ^ 1, 8, &root));
        assert!(!ends(&node, place, 16, &root));
        assert!(!ends(&node, place + 8, 8, &root));
        assert!(!ends(&node, place, 8, &strange));
        // What an account holds counts in the sum.
        let mut more = node;
        more.sum = Encoded::of(&(more.sum.decompress().unwrap() + B));
        assert!(!ends(&more, place, 8, &root));
        assert!(!second.leaves.iter().any(|other| other.holding == leaf.holding));
    }
    let sum = B * Scalar::from(5u64) + *B_BLINDING * first.blinding.0;
    assert_eq!(root.sum, Encoded::of(&sum));
    assert!(first.prove(&Encoded::of(&(B * Scalar::from(9u64)))).is_none());
}

/// Enforces [SNP-5]: every locator's search ends at one leaf and no other, whether it is there or not.
#[test]
fn every_search_ends_at_one_leaf_whoever_makes_it() {
    let seed = SnapshotSeed::random(&mut rng(6));
    let account = |number: u64| Encoded::of(&(B * Scalar::from(number + 1)));
    let row =
        |number: u64| AccountRow { account: account(number), chain: Chain::default(), sum: B };
    let rows: Vec<AccountRow> = (0..6).map(row).collect();
    let tree = seed.leaves(&rows).unwrap();
    let root = tree.root().unwrap();
    let ends = |locator: &Hash| -> Vec<SumNode> {
        let levels: Vec<&[SumNode]> = tree.levels().collect();
        let ends = |place: &usize| {
            let path: Vec<_> = (0..3).map(|level| levels[level][(place >> level) ^ 1]).collect();
            let at = (u32::try_from(*place).unwrap(), &path.try_into().unwrap());
            search_ends_at(&levels[0][*place], locator, at, (8, &root)).unwrap()
        };
        (0..8).filter(ends).map(|place| levels[0][place]).collect()
    };
    for number in 0..20 {
        let account = account(number);
        let known = tree.locators.decompress().unwrap() * Scalar::from(number + 1);
        let own = locator(&account, &Encoded::of(&known));
        let found = ends(&own);
        assert_eq!(found.len(), 1, "{number}");
        // An account's custodian and the seed's readers compute the same; only accounts of the register are there.
        assert_eq!(found[0].first == own, number < 6, "{number}");
        assert_eq!(tree.prove(&account).is_some(), number < 6);
    }
    for edge in [Hash([0; 32]), Hash([255; 32])] {
        assert_eq!(ends(&edge).len(), 1);
    }
}

#[test]
fn a_snapshot_of_what_does_not_add_up_or_is_not_there_is_refused() {
    let mut world = World::new();
    let unknown = sudare_disclosure::AssetId::default();
    let refused = world.registrar.instruct(Instruction::Snapshot(unknown));
    assert_eq!(refused.unwrap_err(), Reason::UnknownAsset);
    assert_eq!(Registrar::snapshots(&world.registrar.kv, world.asset()).unwrap(), Vec::new());
    let asset = world.asset();
    world.registrar.instruct(Instruction::Snapshot(asset)).unwrap();
    let taken = Registrar::snapshots(&world.registrar.kv, asset).unwrap();
    assert_eq!((taken.len(), taken[0].number, taken[0].entry, taken[0].leaves), (1, 0, 2, 1));
}
