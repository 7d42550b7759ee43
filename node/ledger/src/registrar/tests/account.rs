//! Account packets made of what a registrar gives: whole, for their recipient alone, and nothing left out passes.

use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::point::{B, B_BLINDING};
use sudare_crypto::{Bounded, Encoded, Hash, NodeKey, Scalar, Secret};

use super::super::{Instruction, Registrar};
use super::World;
use crate::log::Entry;
use crate::messages::Settlement;
use crate::packet::{
    Anchor, Body, Content, Expected, OwnLeaf, Packet, PacketError, Place, ReadAccount, ReadEvent,
    Shown, ShownAccount, ShownEvent, ShownOutput, ShownSnapshot, Verified, still_held,
};
use crate::snapshot::{AccountEvent, Chain, Heading, SnapshotLeaf, SnapshotSeed, SumPath, locator};
use crate::testing::{rng, text};
use crate::tree::{Checkpoint, ConsistencyProof, MemoryTree, SignedCheckpoint};

const RECIPIENT: &str = "Example Audit";
const NONCE: &str = "n-1";

/// Alice has 100 and 50; snapshot 0; 60 of the 100 go to bob; 20 of the 50 to anna; snapshot 1.
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

fn checkpoint(world: &World, size: u64) -> SignedCheckpoint {
    let text = Registrar::checkpoint_at(&world.registrar.kv, world.asset(), size).unwrap().unwrap();
    SignedCheckpoint::parse(text.as_bytes()).unwrap()
}

fn snapshot(world: &World, name: &str, number: Option<u32>) -> Option<ShownSnapshot> {
    let of = (world.asset(), world.a.account(world.asset(), name));
    Registrar::shown_snapshot(&world.registrar.kv, of, number, size(world)).unwrap()
}

fn events(world: &World, name: &str) -> Vec<AccountEvent> {
    let account = world.a.account(world.asset(), name);
    Registrar::account_events(&world.registrar.kv, world.asset(), account, 0, 100).unwrap()
}

/// The output that an event is about, as its custodian shows it.
fn output(world: &World, event: &AccountEvent) -> ShownOutput {
    let AccountEvent::Received { entry, output, .. } = *event else { panic!("not received") };
    let rows = Registrar::entries(&world.registrar.kv, world.asset(), entry, 1).unwrap();
    let Entry::Leg(leg) = decode(&rows[0].bytes, "an entry").unwrap() else { panic!("no leg") };
    let proof =
        Registrar::entry_proof(&world.registrar.kv, world.asset(), entry, size(world)).unwrap();
    let components = leg.leg.tear_off(leg.index, &leg.salt, output).unwrap();
    let settlement = Settlement {
        commit: leg.commit.clone(),
        index: leg.index,
        receipt: leg.receipt,
        entry: proof,
        components: vec![components.clone()].try_into().unwrap(),
    };
    let owner = components.output().unwrap().1.slot.slot.owner;
    let secrets = world.a.slots.get(&owner).unwrap();
    ShownOutput::of(&settlement, &components, secrets, true).unwrap()
}

fn shown_event(world: &World, event: &AccountEvent) -> ShownEvent {
    match *event {
        AccountEvent::Received { .. } => ShownEvent::Received(Box::new(output(world, event))),
        AccountEvent::Spent { entry, input, note } => ShownEvent::Spent { entry, input, note },
    }
}

fn shown(world: &World, name: &str, from: Option<u32>, until: Option<u32>) -> ShownAccount {
    let from = from.map(|number| snapshot(world, name, Some(number)).unwrap());
    let until = snapshot(world, name, until).unwrap();
    let begin = from.as_ref().map_or(0, |from| usize::try_from(from.leaf.chain.count).unwrap());
    let all = events(world, name);
    let held: Vec<_> = still_held(&all[..begin]).iter().map(|event| output(world, event)).collect();
    let events: Vec<_> = all[begin..].iter().map(|event| shown_event(world, event)).collect();
    let (held, events) = (held.try_into().unwrap(), events.try_into().unwrap());
    ShownAccount { from, until, held, events, own: Bounded::default() }
}

/// The key of the account that is shown, if it is alice's or anna's.
fn key(world: &World, shown: &ShownAccount) -> Secret {
    let of = |name: &&str| world.a.account(world.asset(), name) == shown.until.leaf.account;
    let name = ["alice", "anna"].into_iter().find(of).unwrap_or("alice");
    world.a.investor(name).account(world.asset())
}

fn packet(world: &World, by: &NodeKey, shown: ShownAccount) -> Packet {
    let key = key(world, &shown);
    let mut body = body(world, by, shown);
    // Where what was changed is no point, nothing is shown of the leaf.
    let _ = body.locate(&key, &mut rng(2));
    body.sign(by)
}

/// A packet to which nothing is added but its signature.
fn body(world: &World, by: &NodeKey, shown: ShownAccount) -> Body {
    Body {
        version: Version,
        custodian: by.id(),
        recipient: text(RECIPIENT),
        nonce: text(NONCE),
        purpose: text("yearly audit"),
        made_at: world.registrar.now,
        core: world.terms.core.clone(),
        checkpoint: checkpoint(world, size(world)),
        extends: ConsistencyProof::default(),
        content: Content::Account(Box::new(shown)),
    }
}

fn expected(world: &World) -> Expected {
    let anchor = Anchor::Asset(world.asset());
    Expected { recipient: RECIPIENT.into(), nonce: NONCE.into(), anchor }
}

fn verify(world: &World, shown: ShownAccount) -> Result<ReadAccount, PacketError> {
    let verified = packet(world, &world.a.key, shown).verify(&expected(world), &mut rng(1))?;
    let Verified { shown: Shown::Account(account), .. } = verified else { panic!("no account") };
    Ok(*account)
}

/// Alice's packet between the snapshots, changed by a custodian that signs the change.
fn refused(world: &World, change: impl FnOnce(&mut ShownAccount)) -> PacketError {
    let mut shown = shown(world, "alice", Some(0), None);
    change(&mut shown);
    verify(world, shown).unwrap_err()
}

fn change_events(shown: &mut ShownAccount, change: impl FnOnce(&mut Vec<ShownEvent>)) {
    let mut events = shown.events.to_vec();
    change(&mut events);
    shown.events = events.try_into().unwrap();
}

#[test]
fn an_account_packet_shows_the_whole_account_to_its_recipient_alone() {
    let world = world();
    let read = verify(&world, shown(&world, "alice", Some(0), None)).unwrap();
    assert_eq!(read.account, world.a.account(world.asset(), "alice"));
    assert_eq!((read.opening, read.closing), (150, 70));
    let moved = |event: &ReadEvent| match event {
        ReadEvent::Received(output) => (output.entry, i128::from(output.quantity)),
        ReadEvent::Spent { entry, quantity, .. } => (*entry, -i128::from(*quantity)),
    };
    let moves: Vec<_> = read.events.iter().map(moved).collect();
    assert_eq!(moves, [(3, -100), (3, 40), (4, -50), (4, 30)]);
    let whole = verify(&world, shown(&world, "alice", None, None)).unwrap();
    assert_eq!((whole.opening, whole.closing, whole.events.len()), (0, 70, 6));
    // Anna had nothing before, so her period begins with the asset.
    assert!(snapshot(&world, "anna", Some(0)).is_none());
    let anna = verify(&world, shown(&world, "anna", None, None)).unwrap();
    assert_eq!((anna.opening, anna.closing, anna.events.len()), (0, 20, 1));

    // Whoever asked for more than the period shown is not content with it.
    assert_eq!(read.covers(Some(0), Some(1)), Ok(()));
    assert_eq!(read.covers(Some(1), Some(1)), Ok(()));
    assert_eq!(read.covers(None, Some(2)), Err(PacketError::Shorter));
    assert_eq!(whole.covers(Some(0), None), Ok(()));
    let late = ReadAccount { from: Some((1, 0)), ..read };
    assert_eq!(late.covers(Some(0), None), Err(PacketError::Shorter));

    let sent = packet(&world, &world.a.key, shown(&world, "alice", Some(0), None));
    let other = Expected { recipient: "Another Audit".into(), ..expected(&world) };
    assert!(matches!(sent.verify(&other, &mut rng(1)), Err(PacketError::Recipient { .. })));
    let other = Expected { nonce: "n-2".into(), ..expected(&world) };
    assert_eq!(sent.verify(&other, &mut rng(1)), Err(PacketError::Nonce));
    let foreign = packet(&world, &world.b.key, shown(&world, "alice", Some(0), None));
    assert_eq!(foreign.verify(&expected(&world), &mut rng(1)), Err(PacketError::OtherCustodian));
}

#[test]
fn an_event_left_out_added_or_moved_is_found() {
    let world = world();
    let incomplete = |shown| PacketError::Incomplete { shown, there: 6 };
    let change = |what: fn(&mut Vec<ShownEvent>)| refused(&world, |it| change_events(it, what));
    assert_eq!(change(|events| drop(events.pop())), incomplete(5));
    assert_eq!(change(|events| drop(events.remove(1))), incomplete(5));
    assert_eq!(change(|events| drop(events.remove(0))), incomplete(5));
    assert_eq!(change(|events| events.swap(0, 1)), incomplete(6));
    assert_eq!(change(|events| events.swap(1, 3)), incomplete(6));
    // A note twice, or spent twice, is not held once more or less.
    assert_eq!(change(|events| events.push(events[1].clone())), PacketError::Holding);
    assert_eq!(change(|events| events.push(events[0].clone())), PacketError::Holding);
    // Another account's event, though final.
    let anna = shown_event(&world, &events(&world, "anna")[0]);
    let added = refused(&world, |shown| change_events(shown, |events| events.push(anna)));
    assert_eq!(added, incomplete(7));
    for (place, field) in [(0, 0), (0, 1), (2, 0)] {
        let moved = refused(&world, |shown| {
            change_events(shown, |events| match &mut events[place] {
                ShownEvent::Spent { entry, .. } if field == 0 => *entry += 1,
                ShownEvent::Spent { input, .. } => *input += 1,
                ShownEvent::Received(_) => panic!("received"),
            });
        });
        assert_eq!(moved, incomplete(6));
    }
}

#[test]
fn what_is_held_at_the_ends_is_what_the_snapshots_commit_to() {
    let world = world();
    let held = |change: fn(&mut Vec<ShownOutput>)| {
        refused(&world, |shown| {
            let mut held = shown.held.to_vec();
            change(&mut held);
            shown.held = held.try_into().unwrap();
        })
    };
    assert_eq!(held(|held| drop(held.pop())), PacketError::Holding);
    assert_eq!(held(|held| held.push(held[0].clone())), PacketError::Holding);
    // A final note of hers that she only got later.
    let later = output(&world, &events(&world, "alice")[3]);
    let swapped = refused(&world, |shown| {
        let first = shown.held[0].clone();
        shown.held = vec![first, later].try_into().unwrap();
    });
    assert_eq!(swapped, PacketError::Holding);
    let blinded = |shown: &mut ShownSnapshot| shown.blinding = Secret(Scalar::ONE);
    assert_eq!(refused(&world, |it| blinded(&mut it.until)), PacketError::Holding);
    assert_eq!(refused(&world, |it| blinded(it.from.as_mut().unwrap())), PacketError::Holding);
    // Without the first snapshot the period begins with the asset, where nobody holds anything.
    assert_eq!(refused(&world, |it| it.from = None), PacketError::Holding);
    let no_past = refused(&world, |it| {
        it.from = None;
        it.held = Vec::new().try_into().unwrap();
    });
    assert_eq!(no_past, PacketError::Holding);
}

#[test]
fn snapshots_of_another_account_log_or_order_are_refused() {
    let world = world();
    let other = snapshot(&world, "anna", None).unwrap();
    assert_eq!(refused(&world, |it| it.until = other.clone()), PacketError::OtherAccount);
    assert_eq!(refused(&world, |it| it.from = Some(other)), PacketError::OtherAccount);
    let first = |it: &ShownAccount| it.from.clone().unwrap();
    assert_eq!(refused(&world, |it| it.until = first(it)), PacketError::Period);
    let turned = refused(&world, |it| {
        let first = first(it);
        it.from = Some(std::mem::replace(&mut it.until, first));
    });
    assert_eq!(turned, PacketError::Period);
    // A leaf that the snapshot does not hold, and a snapshot that the log does not.
    let leaf = |change: fn(&mut ShownSnapshot)| refused(&world, |it| change(&mut it.until));
    assert_eq!(leaf(|it| it.leaf.chain = Chain::default()), PacketError::Leaf);
    assert_eq!(leaf(|it| it.leaf.holding = Encoded::of(&B)), PacketError::Leaf);
    assert_eq!(leaf(|it| it.leaf.salt[0] ^= 1), PacketError::Leaf);
    assert_eq!(leaf(|it| it.number ^= 1), PacketError::Leaf);
    let changes: [fn(&mut ShownSnapshot); 5] = [
        |it| it.heading.at += 1,
        |it| it.heading.number += 1,
        |it| it.heading.root.hash.0[0] ^= 1,
        |it| it.place.entry -= 1,
        |it| it.place.body.0[0] ^= 1,
    ];
    for change in changes {
        assert!(matches!(leaf(change), PacketError::NotInLog(_)));
    }
    assert_eq!(leaf(|it| it.heading.network.0[0] ^= 1), PacketError::OtherSnapshot);
    assert_eq!(leaf(|it| it.heading.asset.0.0[0] ^= 1), PacketError::OtherSnapshot);
}

/// What is found of a packet whose proofs of leaves were changed after they were made.
fn own(world: &World, change: impl FnOnce(&mut Vec<OwnLeaf>)) -> Result<(), PacketError> {
    let mut body = packet(world, &world.a.key, shown(world, "alice", Some(0), None)).body;
    let Content::Account(account) = &mut body.content else { panic!("no account") };
    let mut own = account.own.to_vec();
    change(&mut own);
    account.own = own.try_into().unwrap();
    body.sign(&world.a.key).verify(&expected(world), &mut rng(1)).map(drop)
}

#[test]
fn a_leaf_is_shown_to_be_the_accounts_own_with_its_key_for_one_packet() {
    let world = world();
    assert_eq!(own(&world, |_| ()), Ok(()));
    let refused = Err(PacketError::OtherLeaf);
    // None, too few, in another order, another point, another proof.
    let changes: [fn(&mut Vec<OwnLeaf>); 6] = [
        Vec::clear,
        |own| drop(own.pop()),
        |own| own.swap(0, 1),
        |own| own[1].shared = own[0].shared,
        |own| own[0].proof = own[1].proof.clone(),
        |own| own[1].proof = own[0].proof.clone(),
    ];
    for change in changes {
        assert_eq!(own(&world, change), refused);
    }
    // Made in another packet: for somebody else, another nonce, purpose or time, by another node, under another checkpoint, or for
    // another period.
    let changes: [&dyn Fn(&mut Body); 8] = [
        &|body| body.recipient = text("Another Audit"),
        &|body| body.nonce = text("n-2"),
        &|body| body.purpose = text("another purpose"),
        &|body| body.made_at += 1,
        &|body| body.custodian = world.b.key.id(),
        &|body| body.core.nonce[0] ^= 1,
        &|body| body.checkpoint = checkpoint(&world, size(&world) - 1),
        &|body| {
            let Content::Account(account) = &mut body.content else { panic!("no account") };
            account.from.as_mut().unwrap().number ^= 1;
        },
    ];
    let alice = world.a.investor("alice").account(world.asset());
    for (number, change) in changes.iter().enumerate() {
        let shown = shown(&world, "alice", Some(0), None);
        let mut other = body(&world, &world.a.key, shown.clone());
        change(&mut other);
        other.locate(&alice, &mut rng(3)).unwrap();
        let Content::Account(account) = other.content else { panic!("no account") };
        let moved = own(&world, |own| *own = account.own.to_vec());
        assert_eq!(moved, refused, "change {number}");
    }
    // Nobody without the account's key makes one.
    let mut body = body(&world, &world.a.key, shown(&world, "alice", Some(0), None));
    let anna = world.a.investor("anna").account(world.asset());
    body.locate(&anna, &mut rng(4)).unwrap();
    let by = body.sign(&world.a.key).verify(&expected(&world), &mut rng(1));
    assert_eq!(by, Err(PacketError::OtherLeaf));
}

/// A log of a registrar that lies, whose one snapshot has a leaf of alice's that says that nothing ever happened, with this locator.
fn lie(world: &World, locator: impl Fn(&SnapshotSeed, &Encoded) -> Hash) -> Body {
    let account = world.a.account(world.asset(), "alice");
    let seed = SnapshotSeed::random(&mut rng(5));
    let leaf = SnapshotLeaf {
        version: Version,
        salt: [5; 32],
        account,
        chain: Chain::default(),
        holding: Encoded::of(&(*B_BLINDING * seed.blinding(&account).0)),
        locator: locator(&seed, &account),
    };
    let honest = snapshot(world, "alice", None).unwrap();
    let heading = Heading {
        leaves: 1,
        locators: seed.locating().public(),
        root: leaf.node(),
        ..honest.heading
    };
    let entry = heading.leaf(Hash::default()).hash();
    let tree = MemoryTree::from_leaves(&[Hash::default(), entry]).unwrap();
    let place = Place { entry: 1, body: Hash::default(), path: tree.inclusion(1, 2).unwrap() };
    let (blinding, path) = (seed.blinding(&account), SumPath::default());
    let until = ShownSnapshot { heading, place, leaf, number: 0, path, blinding };
    let (held, events) = (Bounded::default(), Bounded::default());
    let shown = ShownAccount { from: None, until, held, events, own: Bounded::default() };
    let origin = crate::registrar::origin(world.net.id, world.asset()).unwrap();
    let forged = Checkpoint { origin, size: 2, root: tree.root(2).unwrap() };
    let registrar = &world.net.registrar;
    let checkpoint = forged.sign(&registrar.id(), |text| registrar.sign_raw(text)).unwrap();
    Body { checkpoint, ..body(world, &world.a.key, shown) }
}

#[test]
fn a_second_leaf_that_registrar_and_custodian_make_of_an_account_is_nowhere_accepted() {
    let world = world();
    let verify = |mut body: Body| {
        let key = world.a.investor("alice").account(world.asset());
        body.locate(&key, &mut rng(6)).unwrap();
        body.sign(&world.a.key).verify(&expected(&world), &mut rng(1)).map(drop)
    };
    // Wherever they put it but where the search for the account ends.
    let elsewhere = lie(&world, |_, _| Hash([7; 32]));
    assert_eq!(verify(elsewhere), Err(PacketError::OtherLeaf));
    let others = |seed: &SnapshotSeed, _: &Encoded| {
        let anna = world.a.account(world.asset(), "anna");
        locator(&anna, &Encoded::of(&(anna.decompress().unwrap() * seed.locating().0)))
    };
    assert_eq!(verify(lie(&world, others)), Err(PacketError::OtherLeaf));
    // There it is the only one, and as a lie it is for a replay to find ([SNP-3]).
    let there = |seed: &SnapshotSeed, account: &Encoded| {
        locator(account, &Encoded::of(&(account.decompress().unwrap() * seed.locating().0)))
    };
    assert_eq!(verify(lie(&world, there)), Ok(()));
}

#[test]
fn an_account_packet_of_a_forked_or_older_log_is_refused() {
    let world = world();
    let sent = packet(&world, &world.a.key, shown(&world, "alice", Some(0), None));
    let size = size(&world);
    let origin = crate::registrar::origin(world.net.id, world.asset()).unwrap();
    let registrar = &world.net.registrar;
    let other = |size, root| {
        let fork = Checkpoint { origin: origin.clone(), size, root };
        let fork = fork.sign(&registrar.id(), |text| registrar.sign_raw(text)).unwrap();
        Expected { anchor: Anchor::Checkpoint(Box::new(fork)), ..expected(&world) }
    };
    let root = Hash([9; 32]);
    assert_eq!(sent.verify(&other(size, root), &mut rng(1)), Err(PacketError::Forked { size }));
    let held = size + 1;
    assert_eq!(
        sent.verify(&other(held, root), &mut rng(1)),
        Err(PacketError::Stale { shown: size, held })
    );
    assert!(matches!(
        sent.verify(&other(size - 1, root), &mut rng(1)),
        Err(PacketError::NotJoined { .. })
    ));
}

#[test]
fn no_byte_that_the_custodian_itself_changes_makes_an_account_say_something_else() {
    let world = world();
    let honest = shown(&world, "anna", None, None);
    let said = verify(&world, honest.clone()).unwrap();
    let bytes = encode(&honest);
    let (mut refused, mut the_same) = (0, 0);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1 << (at % 8);
        let Ok(changed) = decode::<ShownAccount>(&changed, "a test's account") else { continue };
        match verify(&world, changed) {
            // A leg's size and a component's place bind nothing by themselves, as in a packet of one output.
            Ok(read) => {
                assert_eq!(read, said, "byte {at}");
                the_same += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 50 * the_same, "{refused} refused, {the_same} the same");
}
