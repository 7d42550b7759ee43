//! Grants: who gives them, what they allow, and that nothing is read under one but its scope, after the log says so.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod common;

use common::chain::*;
use common::grants::*;
use common::*;
use proptest::prelude::*;
use serde_json::Value;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Encoded, Hash, NodeId, NodeKey};
use sudare_disclosure::{Field, Fields};
use sudare_ledger::access::{
    AccessEntry, AccessError, AccessEvent, AccessLog, Desk, Grant, GrantId, Handled, Handling,
    LoggedEntry, ROWS_MAX, Revocation, Scope, Use, row_hash, sha256,
};
use sudare_ledger::audit::{Instruction, Replay};
use sudare_ledger::bundle::Bundle;
use sudare_ledger::custodian::{self, Custodian};
use sudare_ledger::kv::{MemoryKv, Tx};
use sudare_ledger::messages::Reason;
use sudare_ledger::registrar::{self, Registrar};
use sudare_ledger::role::{Event, Machine, Moment};
use sudare_ledger::tree::{MemoryTree, SignerName};

#[test]
fn a_grant_needs_as_many_officers_as_the_desk_says_each_once() {
    let mut world = World::new(Fields::ALL);
    let grant = world.grant(world.scope(Fields::ALL));
    let few = |given| Err(AccessError::TooFew { given, needed: 2 });
    let by = |who: &[u8]| signed(grant.clone(), who);
    assert_eq!(world.add(&by(&[])), few(0));
    assert_eq!(world.add(&by(&[1])), few(1));
    assert_eq!(world.add(&by(&[1, 1])), Err(AccessError::Signature(1)));
    assert_eq!(world.add(&by(&[1, 3])), Err(AccessError::Signature(1)));
    let mut other = by(&[1, 2]);
    other.grant.case = text("another case");
    assert_eq!(world.add(&other), Err(AccessError::Signature(0)));
    assert_eq!(world.log().len(), 1, "nothing but the desk");
    let honest = by(&[2, 1]);
    assert_eq!(world.add(&honest), Ok(grant.id()));
    // Given again it is the same grant, and no second entry.
    assert_eq!(world.add(&honest), Ok(grant.id()));
    assert_eq!(world.log()[1..], [AccessEvent::Granted(honest)]);
    let empty = MemoryKv::default();
    let nobody = Tx::new(&empty);
    assert_eq!(AccessLog::add(&nobody, NOW, &by(&[1, 2])).unwrap(), Err(AccessError::NoDesk));
}

#[test]
fn every_byte_of_an_entry_that_is_handed_on_counts() {
    let mut world = World::new(Fields::ALL);
    let id = world.give(world.grant(world.scope(Fields::ALL)));
    let scope = world.scope(fields(&[Field::Parties]));
    let index = world.record(NOW, id, Use::Read { scope }).unwrap();
    let known = desk(0, 2, &[1, 2]);
    for index in 0..=index {
        let mut shown = world.prove(index);
        let witness = NodeKey::from_seed(&[52; 32]);
        let name = SignerName::of_node(&network().to_string(), &witness.id()).unwrap();
        shown.checkpoint.cosign(name, &witness.id(), |text| witness.sign_raw(text)).unwrap();
        let file = Bundle::Access(Box::new(shown)).to_bytes();
        assert_every_byte_counts(&file, |file| {
            let Ok(Bundle::Access(shown)) = Bundle::parse(file) else { return false };
            shown.verify(&known).is_ok()
        });
    }
    // A grant beside an entry that is no use of one, a use without its grant, and the grant of another.
    let (first, used) = (world.prove(0), world.prove(index));
    let other = LoggedEntry { grant: used.grant.clone(), ..first };
    assert_eq!(other.verify(&known), Err(AccessError::OtherUse));
    let none = LoggedEntry { grant: None, ..used.clone() };
    assert_eq!(none.verify(&known), Err(AccessError::OtherUse));
    let mut grant = world.grant(world.scope(Fields::ALL));
    grant.case = text("another");
    let other = LoggedEntry { grant: Some(signed(grant, &[1, 2])), ..used.clone() };
    assert_eq!(other.verify(&known), Err(AccessError::OtherUse));
    assert_eq!(used.verify(&desk(0, 1, &[3])), Err(AccessError::Signature(0)));
}

#[test]
fn only_officers_of_the_desk_in_force_change_it() {
    let mut world = World::new(Fields::ALL);
    let set = |world: &mut World, desk: Desk, by: &[u8]| {
        world.instruct(NOW, Instruction::SetDesk(Box::new(signed_desk(desk, by))))
    };
    // What is in force stays, given again; what doesn't follow it, or isn't possible, is refused.
    assert_eq!(set(&mut world, desk(0, 2, &[1, 2]), &[]), Ok("0".into()));
    let wrong = [desk(0, 1, &[1]), desk(2, 2, &[1, 2]), desk(1, 3, &[1, 2]), desk(1, 0, &[1])];
    for wrong in wrong.into_iter().chain([desk(1, 1, &[1, 1])]) {
        assert_eq!(set(&mut world, wrong, &[1, 2]), Err(Reason::BadDesk));
    }
    let mut elsewhere = desk(1, 1, &[3]);
    elsewhere.reader = NodeKey::from_seed(&[51; 32]).id();
    assert_eq!(set(&mut world, elsewhere, &[1, 2]), Err(Reason::BadDesk));
    let next = desk(1, 1, &[3]);
    assert_eq!(set(&mut world, next.clone(), &[]), Err(Reason::TooFewOfficers));
    assert_eq!(set(&mut world, next.clone(), &[1]), Err(Reason::TooFewOfficers));
    assert_eq!(set(&mut world, next.clone(), &[1, 3]), Err(Reason::GrantSignature));
    assert_eq!(world.log().len(), 1);
    assert_eq!(set(&mut world, next.clone(), &[1, 2]), Ok("1".into()));
    assert_eq!(AccessLog::desk(&world.kv).unwrap(), Some(next));
    let grant = world.grant(world.scope(Fields::ALL));
    assert_eq!(world.add(&signed(grant.clone(), &[1, 2])), Err(AccessError::Signature(0)));
    assert_eq!(world.add(&signed(grant.clone(), &[3])), Ok(grant.id()));
}

#[test]
fn a_grant_for_another_node_network_or_for_nothing_is_refused() {
    let mut world = World::new(Fields::ALL);
    type Change = (fn(&mut Grant), AccessError);
    let changes: [Change; 6] = [
        (|grant| grant.reader = registrar().id(), AccessError::OtherReader),
        (|grant| grant.network = Hash::default(), AccessError::OtherReader),
        (|grant| grant.scope.last_epoch = 0, AccessError::Empty),
        (|grant| grant.scope.until = grant.scope.from, AccessError::Empty),
        (|grant| grant.expires_at = grant.issued_at, AccessError::Empty),
        (
            |grant| (grant.issued_at, grant.expires_at) = (NOW - 2, NOW - 1),
            AccessError::Expired(NOW - 1),
        ),
    ];
    for (change, expected) in changes {
        let mut scope = world.scope(Fields::ALL);
        scope.first_epoch = 1;
        let mut grant = world.grant(scope);
        change(&mut grant);
        assert_eq!(world.add(&signed(grant, &[1, 2])), Err(expected));
    }
}

#[test]
fn nothing_is_read_before_after_or_beyond_a_grant_and_each_refusal_says_why() {
    let mut world = World::new(fields(&[Field::Amounts, Field::Parties]));
    let mut scope = world.scope(fields(&[Field::Amounts, Field::Parties]));
    (scope.first_epoch, scope.last_epoch, scope.from, scope.until) = (0, 1, 5, 900);
    scope.accounts = vec![Holder::new(1).account(&world.asset)].try_into().unwrap();
    let mut grant = world.grant(scope.clone());
    grant.issued_at = NOW + 10;
    let id = world.give(grant);
    let now = NOW + 10;
    let unknown = GrantId(Hash::default());
    assert_eq!(world.read(now, unknown, scope.clone()).unwrap_err(), AccessError::Unknown);
    let early = world.read(now - 1, id, scope.clone()).unwrap_err();
    assert_eq!(early, AccessError::NotYet(now));
    let late = world.read(NOW + 1000, id, scope.clone()).unwrap_err();
    assert_eq!(late, AccessError::Expired(NOW + 1000));
    let other = Asset::new("JP0000000002", &[&[]], &mut rng(4)).terms.asset();
    let stranger = Holder::new(2).account(&world.asset);
    type Change<'a> = (&'static str, &'a dyn Fn(&mut Scope));
    let changes: [Change<'_>; 8] = [
        ("asset", &|scope| scope.asset = other),
        ("fields", &|scope| scope.fields = Fields::ALL),
        ("accounts", &|scope| scope.accounts = Vec::new().try_into().unwrap()),
        ("accounts", &|scope| scope.accounts = vec![stranger].try_into().unwrap()),
        ("epochs", &|scope| scope.last_epoch = 2),
        ("times", &|scope| scope.from = 4),
        ("times", &|scope| scope.until = 901),
        ("epochs", &|scope| (scope.first_epoch, scope.last_epoch) = (2, 2)),
    ];
    for (what, change) in changes {
        let mut wider = scope.clone();
        change(&mut wider);
        let refused = world.read(now, id, wider).unwrap_err();
        assert_eq!(refused, AccessError::WiderThanGrant(what));
    }
    assert_eq!(world.log().len(), 2, "what is refused leaves no entry of a read");
    let permit = world.read(now, id, scope.clone()).unwrap();
    assert_eq!((permit.index(), permit.scope()), (2, Some(&scope)));
    assert_eq!(world.log()[2], AccessEvent::Used(id, Use::Read { scope: scope.clone() }));
    let end = Revocation::sign(id, &officer(2));
    let forged = Revocation { officer: officer(1).id(), ..end.clone() };
    let stranger = Revocation::sign(id, &officer(3));
    for wrong in [forged, stranger] {
        let refused = world.instruct(now, Instruction::RevokeGrant(wrong));
        assert_eq!(refused, Err(Reason::GrantSignature));
    }
    world.instruct(now, Instruction::RevokeGrant(end.clone())).unwrap();
    assert_eq!(world.read(now, id, scope).unwrap_err(), AccessError::Revoked);
    let opening = Use::Opening { entry: 1, request: Hash::default() };
    assert_eq!(world.record(now, id, opening), Err(AccessError::Revoked));
    assert_eq!(world.log()[3..], [AccessEvent::Revoked(end)]);
}

#[test]
fn a_scope_wider_than_the_keys_is_refused_before_anything_is_read() {
    let world = World::new(fields(&[Field::Amounts]));
    let points: Vec<Encoded> = world.asset.secrets.iter().map(|keys| keys[1].point()).collect();
    let readable = |scope: &Scope| scope.readable(&world.asset.terms, &points);
    let refused = readable(&world.scope(fields(&[Field::Trade])));
    assert_eq!(refused, Err(AccessError::WiderThanKey { field: Field::Trade, epoch: 0 }));
    // To find an account's legs the parties are read.
    let mut named = world.scope(fields(&[Field::Amounts]));
    assert_eq!(readable(&named), Ok(()));
    named.accounts = vec![Holder::new(1).account(&world.asset)].try_into().unwrap();
    let refused = AccessError::WiderThanKey { field: Field::Parties, epoch: 0 };
    assert_eq!(readable(&named), Err(refused));
    let some = world.scope(fields(&[Field::Amounts])).readable(&world.asset.terms, &points[..2]);
    assert_eq!(some, Err(AccessError::WiderThanKey { field: Field::Amounts, epoch: 2 }));
}

#[test]
fn a_snapshot_is_opened_under_a_grant_only_if_the_scope_has_all_that_it_says() {
    let mut world = World::new(Fields::ALL);
    let _seed = world.add_snapshot();
    let checked = |report: Seen| report.snapshots[0].checked;
    assert!(checked(world.replay(None)));
    let all = world.scope(Fields::ALL);
    let account = Holder::new(1).account(&world.asset);
    let narrower = [
        Scope { fields: Fields::of(&[Field::Amounts, Field::Parties]).unwrap(), ..all.clone() },
        Scope { fields: Fields::of(&[Field::Amounts, Field::Links]).unwrap(), ..all.clone() },
        Scope { accounts: vec![account].try_into().unwrap(), ..all.clone() },
        Scope { first_epoch: 1, ..all.clone() },
        Scope { from: NOW + 1, ..all.clone() },
    ];
    let id = world.give(world.grant(all.clone()));
    let permit = world.read(NOW, id, all).unwrap();
    assert!(checked(world.replay(Some(&permit))));
    for scope in narrower {
        let permit = world.read(NOW, id, scope).unwrap();
        assert!(!checked(world.replay(Some(&permit))));
    }
}

#[test]
fn the_log_only_grows_and_its_entries_are_shown_under_its_checkpoint() {
    let mut world = World::new(Fields::ALL);
    let id = world.give(world.grant(world.scope(Fields::ALL)));
    let access = world.regulator.access();
    let before = access.checkpoint(&world.kv, &reader()).unwrap();
    for number in 0..5 {
        let opening = Use::Opening { entry: number, request: Hash([number as u8; 32]) };
        assert_eq!(world.record(NOW, id, opening), Ok(number + 2));
    }
    let after = access.checkpoint(&world.kv, &reader()).unwrap();
    let origin = sudare_ledger::access::origin(network(), reader().id()).unwrap();
    let open = |checkpoint: &sudare_ledger::tree::SignedCheckpoint| {
        checkpoint.open(&origin, &reader().id()).unwrap().clone()
    };
    let (old, new) = (open(&before), open(&after));
    assert_eq!((old.size, new.size), (2, 7));
    let joined = AccessLog::consistency(&world.kv, 2, 7).unwrap();
    joined.verify(old.size, &old.root, new.size, &new.root).unwrap();
    let entries = AccessLog::entries(&world.kv, 0, 100).unwrap();
    let leaves: Vec<Hash> = entries.iter().map(AccessEntry::hash).collect();
    assert_eq!(MemoryTree::from_leaves(&leaves).unwrap().root(7).unwrap(), new.root);
    for index in 0..7 {
        world.prove(index).check(network(), reader().id()).unwrap();
    }
    assert_eq!(AccessLog::entries(&world.kv, 4, 100).unwrap(), entries[4..]);
    assert!(access.prove(&world.kv, &reader(), 7).unwrap().is_none());
}

#[test]
fn a_permit_follows_from_nothing_but_an_entry_in_the_readers_log() {
    let mut world = World::new(Fields::ALL);
    let scope = world.scope(Fields::ALL);
    let id = world.give(world.grant(scope.clone()));
    let index = world.record(NOW, id, Use::Read { scope: scope.clone() }).unwrap();
    let (shown, desk_0) = (world.prove(index), desk(0, 2, &[1, 2]));
    let permit = |shown: &LoggedEntry| shown.permit(&desk_0, NOW).map(drop);
    assert_eq!(permit(&shown), Ok(()));
    assert_eq!(
        permit(&world.prove(1)),
        Err(AccessError::OtherUse),
        "the grant alone reads nothing"
    );
    assert_eq!(shown.permit(&desk_0, NOW + 1000).unwrap_err(), AccessError::Expired(NOW + 1000));
    let strangers = shown.permit(&desk(0, 1, &[3]), NOW).unwrap_err();
    assert_eq!(strangers, AccessError::Signature(0));
    let changes: [fn(&mut LoggedEntry); 6] = [
        |shown| shown.index -= 1,
        |shown| shown.entry.at += 1,
        |shown| shown.grant = None,
        |shown| shown.grant.as_mut().unwrap().grant.expires_at += 1,
        |shown| {
            shown.entry.event = AccessEvent::Used(
                GrantId(Hash::default()),
                Use::Read { scope: shown.grant.as_ref().unwrap().grant.scope.clone() },
            )
        },
        |shown| shown.path = other_path(),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut changed = shown.clone();
        change(&mut changed);
        assert!(permit(&changed).is_err(), "change {number}");
    }
    // A checkpoint that somebody else signed over a log of their own is not the reader's.
    let thief = AccessLog { network: network(), reader: registrar().id() };
    let forged = thief.prove(&world.kv, &registrar(), index).unwrap().unwrap();
    assert!(matches!(permit(&forged), Err(AccessError::Checkpoint(_))));
    let other = Use::Opening { entry: 1, request: Hash::default() };
    let index = world.record(NOW, id, other).unwrap();
    let opening = world.prove(index).permit(&desk_0, NOW).unwrap();
    let keys = || Replay::new(asset_log(&world.asset), Vec::new(), rng(7));
    assert_eq!(keys().under(&opening).err(), Some(AccessError::OtherUse));
}

fn other_path() -> sudare_ledger::tree::InclusionProof {
    let leaves: Vec<Hash> = (0..3).map(|number| Hash([number; 32])).collect();
    MemoryTree::from_leaves(&leaves).unwrap().inclusion(2, 3).unwrap()
}

/// A page of rows, read.
fn page() -> Handling {
    let rows: Vec<Hash> = (0..ROWS_MAX).map(|number| row_hash(&number.to_string())).collect();
    Handling {
        client: text("settlement desk"),
        institution: text("broker-x"),
        what: Handled::Listed,
        reason: text("KYC-1"),
        rows: rows.try_into().unwrap(),
    }
}

/// Has a node record that page twice; the second answer, and what the node has then.
fn recorded<M: Machine>(
    machine: &M,
    instruction: impl Fn() -> M::Instruction,
) -> (String, MemoryKv) {
    let (mut kv, mut answer) = (MemoryKv::default(), String::new());
    for _ in 0..2 {
        let tx = Tx::new(&kv);
        let moment = Moment { now: NOW, entropy: [1; 32] };
        let done = machine.handle(&tx, &moment, Event::Instruct(instruction())).unwrap();
        answer = done.unwrap().to_string();
        let writes = tx.into_writes();
        kv.apply(writes);
    }
    (answer, kv)
}

#[test]
fn who_handles_personal_data_stands_in_the_log_of_each_role_and_is_shown_to_who_knows_the_node() {
    let handled = || Box::new(page());
    let key = NodeKey::from_seed(&[5; 32]);
    let seed = || sudare_crypto::derive::Seed([7; 32]);
    let custodian = Custodian { network: network(), key: key.clone(), master: seed() };
    let registrar = Registrar::new(network(), key.clone(), seed());
    let logs = [custodian.access(), registrar.access()];
    let (one, custodian) = recorded(&custodian, || custodian::Instruction::Handle(handled()));
    let (other, registrar) = recorded(&registrar, || registrar::Instruction::Handle(handled()));
    assert_eq!((one.as_str(), other.as_str()), ("1", "1"), "the entry's index");
    let mut world = World::new(Fields::ALL);
    for (log, kv) in logs.iter().zip([&custodian, &registrar]) {
        let shown = log.prove(kv, &key, 1).unwrap().unwrap();
        assert_eq!(shown.handled(key.id()), Ok(&page()));
        assert!(shown.handled(reader().id()).is_err() && shown.disclosed(key.id()).is_err());
        let mut granted = shown.clone();
        let grant = world.grant(world.scope(Fields::ALL));
        granted.grant = Some(signed(grant, &[1, 2]));
        assert_eq!(granted.handled(key.id()), Err(AccessError::OtherUse));
        let changes: [fn(&mut Handling); 5] = [
            |handling| handling.client = text("another"),
            |handling| handling.institution = text("house"),
            |handling| handling.what = Handled::Read,
            |handling| handling.reason = text("KYC-2"),
            |handling| handling.rows = vec![row_hash("0")].try_into().unwrap(),
        ];
        for change in changes {
            let mut changed = shown.clone();
            let AccessEvent::Handled(handling) = &mut changed.entry.event else { unreachable!() };
            change(handling);
            assert!(changed.handled(key.id()).is_err());
        }
    }
    assert_eq!(world.instruct(NOW, Instruction::Handle(handled())).as_deref(), Ok("1"));
    assert_eq!(world.prove(1).verify(&desk(0, 2, &[1, 2])), Ok(()));
    assert!(world.log()[1].is_about(&row_hash("199")) && !world.log()[0].is_about(&row_hash("0")));
    assert!(!world.log()[1].is_about(&row_hash("200")));
}

#[test]
fn what_is_recorded_has_one_encoding() {
    let mut world = World::new(Fields::ALL);
    let id = world.give(world.grant(world.scope(Fields::ALL)));
    world.record(NOW, id, Use::Opening { entry: 1, request: Hash::default() }).unwrap();
    for event in world.log() {
        assert_eq!(decode::<AccessEvent>(&encode(&event), "an event").unwrap(), event);
    }
    let shown = world.prove(2);
    assert_eq!(decode::<LoggedEntry>(&encode(&shown), "a logged entry").unwrap(), shown);
    let mut long = encode(&shown);
    long.push(0);
    assert!(decode::<LoggedEntry>(&long, "a logged entry").is_err());
    for end in 0..long.len() - 1 {
        assert!(decode::<LoggedEntry>(&long[..end], "a logged entry").is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the scope: of a leg within it exactly its fields are read, of others nothing, and everything is verified.
    #[test]
    fn what_is_read_under_a_grant_is_its_scope(
        bits in 1..16u8,
        first in 0..3u32,
        length in 0..3u32,
        until in 0..4u64,
        named in prop::collection::vec(1..4u8, 0..3),
    ) {
        let mut world = World::new(Fields::ALL);
        let mut scope = world.scope(fields_of(bits));
        (scope.first_epoch, scope.last_epoch) = (first, first + length);
        scope.until = NOW + until * EPOCH_MS + 1;
        let accounts: Vec<_> =
            named.iter().map(|who| Holder::new(*who).account(&world.asset)).collect();
        scope.accounts = accounts.try_into().unwrap();
        let mut wide = world.scope(Fields::ALL);
        wide.last_epoch = 9;
        let id = world.give(world.grant(wide));
        let permit = world.read(NOW, id, scope.clone()).unwrap();
        let (all, seen) = (world.replay(None), world.replay(Some(&permit)));
        prop_assert_eq!((all.entries, all.root, all.supply), (seen.entries, seen.root, seen.supply));
        prop_assert_eq!(all.read.len(), seen.read.len());
        for (leg, read) in all.read.iter().zip(&seen.read) {
            let holders = [&[1u8][..], &[2], &[1, 2]][leg.epoch as usize];
            let concerned = named.is_empty() || holders.iter().any(|who| named.contains(who));
            let inside = concerned
                && (first..=first + length).contains(&leg.epoch)
                && u64::from(leg.epoch) <= until;
            let shown = |field| inside && fields_of(bits).has(field);
            let amounts = leg.amounts.clone().filter(|_| shown(Field::Amounts));
            prop_assert_eq!(&read.amounts, &amounts);
            let receivers = leg.receivers.clone().filter(|_| shown(Field::Parties));
            prop_assert_eq!(&read.receivers, &receivers);
            let trade = leg.trade.clone().filter(|_| shown(Field::Trade));
            prop_assert_eq!(&read.trade, &trade);
        }
    }
}

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../specs/vectors/access.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap();
    let pair = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(pair).collect()
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().unwrap().clone()
}

/// The entry in a file, if it is one.
fn shown(value: &Value) -> Option<LoggedEntry> {
    match Bundle::parse(&bytes(value)) {
        Ok(Bundle::Access(shown)) => Some(*shown),
        Ok(_) | Err(_) => None,
    }
}

#[test]
fn what_is_done_with_personal_data_is_as_the_specification_says_and_no_byte_of_it_can_be_changed() {
    let vectors = vectors();
    let known: Desk = decode(&bytes(&vectors["desk"]), "a desk").unwrap();
    let custodian = NodeId(bytes(&vectors["custodian"]).try_into().unwrap());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for case in list(&vectors["handled"]) {
        let shown = shown(&case["file"]).unwrap();
        let handling = shown.handled(custodian).unwrap();
        assert!(shown.handled(known.reader).is_err() && shown.disclosed(custodian).is_err());
        let said =
            [handling.client.as_str(), handling.institution.as_str(), handling.reason.as_str()];
        assert_eq!(
            said.map(str::to_owned),
            ["client", "institution", "reason"].map(|one| text(&case[one]))
        );
        assert_eq!(encode(&handling.what), [u8::try_from(case["what"].as_u64().unwrap()).unwrap()]);
        let ids = list(&case["ids"]).into_iter();
        let rows: Vec<Hash> = ids.map(|id| row_hash(id.as_str().unwrap())).collect();
        assert_eq!(handling.rows.to_vec(), rows);
        assert!(rows.iter().all(|row| shown.entry.event.is_about(row)));
        let again = Bundle::Access(Box::new(shown.clone())).to_bytes();
        assert_eq!(again, bytes(&case["file"]));
    }
    assert_eq!(list(&vectors["handled"]).len(), 8, "each kind");
    let whole = bytes(&vectors["handled"][0]["file"]);
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        let taken = match Bundle::parse(&flipped) {
            Ok(Bundle::Access(shown)) => shown.handled(custodian).is_ok(),
            Ok(_) | Err(_) => false,
        };
        assert!(!taken, "byte {at}");
    }
}

#[test]
fn accesses_are_those_of_the_specification() {
    let vectors = vectors();
    let known: Desk = decode(&bytes(&vectors["desk"]), "a desk").unwrap();
    let grant: Grant = decode(&bytes(&vectors["grant"]), "a grant").unwrap();
    assert_eq!(grant.id().to_string(), vectors["grant_id"].as_str().unwrap());
    // A node that is told the same keeps the same log.
    let log = AccessLog { network: known.network, reader: known.reader };
    let mut kv = MemoryKv::default();
    let now = vectors["now"].as_u64().unwrap();
    for (number, (entry, leaf)) in
        list(&vectors["entries"]).iter().zip(list(&vectors["leaves"])).enumerate()
    {
        let entry: AccessEntry = decode(&bytes(entry), "an entry").unwrap();
        assert_eq!(entry.hash().to_string(), leaf.as_str().unwrap());
        let (tx, at) = (Tx::new(&kv), now + number as u64);
        match entry.event.clone() {
            AccessEvent::Desk(signed) => log.set_desk(&tx, at, &signed).unwrap().unwrap(),
            AccessEvent::Granted(signed) => {
                assert_eq!(AccessLog::add(&tx, at, &signed).unwrap(), Ok(grant.id()));
            }
            AccessEvent::Revoked(end) => AccessLog::revoke(&tx, at, &end).unwrap().unwrap(),
            AccessEvent::Used(id, what) => {
                assert_eq!(AccessLog::record(&tx, at, id, what).unwrap(), Ok(number as u64));
            }
            AccessEvent::Disclosed(_) | AccessEvent::Handled(_) => {
                unreachable!("not in this log")
            }
        }
        let writes = tx.into_writes();
        kv.apply(writes);
        assert_eq!(AccessLog::entries(&kv, number as u64, 2).unwrap(), [entry]);
    }
    let root = log.checkpoint(&kv, &reader()).map(|signed| signed.unverified().root.to_string());
    assert_eq!(root.ok().as_deref(), vectors["root"].as_str(), "whoever signs it");
    for file in list(&vectors["shown"]) {
        assert_eq!(shown(&file).unwrap().verify(&known), Ok(()));
        let again = Bundle::Access(Box::new(shown(&file).unwrap())).to_bytes();
        assert_eq!(again, bytes(&file));
    }
    let custodian = NodeId(bytes(&vectors["custodian"]).try_into().unwrap());
    for (file, content) in list(&vectors["disclosed"]).iter().zip([b"a", b"b", b"c"]) {
        let shown = shown(file).unwrap();
        let disclosure = shown.disclosed(custodian).unwrap();
        assert_eq!(disclosure.file, sha256(content));
        assert!(shown.disclosed(known.reader).is_err());
    }
    for case in list(&vectors["refused"]) {
        let taken = shown(&case["file"]).is_some_and(|shown| shown.verify(&known).is_ok());
        assert!(!taken, "{}", case["why"]);
    }
}
