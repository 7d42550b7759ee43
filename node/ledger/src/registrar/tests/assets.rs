//! What do terms, accounts and the operator's decisions do?

use sudare_crypto::Hash;
use sudare_disclosure::{Field, Fields};

use super::{World, list};
use crate::messages::{Message, Reason};
use crate::registrar::{Instruction, Registrar};
use crate::testing::{NOW, rng, text};

fn update(world: &mut World, terms: &sudare_disclosure::AssetTerms) -> crate::role::Answer {
    let signed = world.net.signed(terms.clone());
    world.registrar.instruct(Instruction::UpdateTerms(Box::new(signed)))
}

#[test]
fn an_asset_is_opened_once_and_its_terms_are_entry_0_of_its_log() {
    let mut world = World::empty();
    let signed = world.net.signed(world.terms.clone());
    world.registrar.instruct(Instruction::OpenAsset(Box::new(signed.clone()))).unwrap();
    let view = Registrar::asset(&world.registrar.kv, world.asset()).unwrap().unwrap();
    assert_eq!((view.entries, view.terms == signed, view.asset.accounts), (1, true, 3));
    let mut other = world.terms.clone();
    other.policy.grace_ms += 1;
    let other = world.net.signed(other);
    let answer = world.registrar.instruct(Instruction::OpenAsset(Box::new(other)));
    assert_eq!(answer, Err(Reason::DuplicateTrade));
    assert_eq!(Registrar::assets(&world.registrar.kv).unwrap(), [view]);
}

#[test]
fn terms_must_be_signed_by_this_registrar_and_readable_with_its_keys() {
    let mut world = World::empty();
    let terms = world.net.terms("JP3000000002", &[NOW], &mut rng(2));
    let mut refused = |signed, reason| {
        let answer = world.registrar.instruct(Instruction::OpenAsset(Box::new(signed)));
        assert_eq!(answer, Err(reason));
    };
    let world = World::empty();
    let mut signed = world.net.signed(terms.clone());
    signed.signature.0[0] ^= 1;
    refused(signed, Reason::Proof);
    refused(terms.clone().sign(&world.a.key), Reason::Proof);
    let mut other = terms.clone();
    other.core.registrar = world.a.id();
    refused(other.sign(&world.a.key), Reason::WrongRole);
    let mut other = terms.clone();
    other.number = 1;
    refused(world.net.signed(other), Reason::StaleTerms);
    let mut stranger = world.net.clone();
    stranger.master = stranger.regulator.clone();
    let foreign = stranger.terms("JP3000000003", &[NOW], &mut rng(3));
    refused(world.net.signed(foreign), Reason::Proof);
    let mut elsewhere = world.net.clone();
    elsewhere.id = Hash::of(b"another", &[]);
    let foreign = elsewhere.terms("JP3000000004", &[NOW], &mut rng(4));
    refused(world.net.signed(foreign), Reason::Proof);
    let mut short = terms;
    short.core.window_max_ms = 2_000;
    refused(world.net.signed(short), Reason::Window);
}

#[test]
fn new_terms_only_add_and_go_to_every_custodian() {
    let mut world = World::empty();
    let (asset, terms) = (world.asset(), world.terms.clone());
    let mut next = terms.clone();
    next.number = 1;
    let mut epochs = next.policy.epochs.to_vec();
    let later = world.net.epoch(asset, 2, NOW + 9_000_000, &mut world.rng);
    epochs.push(later);
    next.policy.epochs = list(epochs.clone());

    let mut skipped = next.clone();
    skipped.number = 2;
    assert_eq!(update(&mut world, &skipped), Err(Reason::StaleTerms));
    let mut removed = next.clone();
    let mut without = epochs.clone();
    without[1].keys = list(vec![without[1].keys[0].clone()]);
    removed.policy.epochs = list(without);
    assert_eq!(update(&mut world, &removed), Err(Reason::StaleTerms), "an authority's key");
    let mut shifted = next.clone();
    let mut moved = epochs.clone();
    moved[1].opens_at += 1;
    shifted.policy.epochs = list(moved);
    assert_eq!(update(&mut world, &shifted), Err(Reason::StaleTerms), "an epoch's opening");
    let mut dropped = next.clone();
    dropped.policy.epochs = list(vec![epochs[0].clone()]);
    assert_eq!(update(&mut world, &dropped), Err(Reason::StaleTerms), "an epoch");
    let mut renamed = next.clone();
    renamed.core.name = text("another");
    assert_eq!(update(&mut world, &renamed), Err(Reason::UnknownAsset));

    let fields = Fields::of(&[Field::Trade]).unwrap();
    let seed = sudare_crypto::derive::Seed([77; 32]);
    let added = world.net.key(&seed, asset, 2, fields, "tax office", &mut world.rng);
    let mut keys = epochs[2].keys.to_vec();
    keys.push(added);
    epochs[2].keys = list(keys);
    next.policy.epochs = list(epochs);
    update(&mut world, &next).unwrap();
    let signed = world.net.signed(next.clone());
    let mut to: Vec<_> = world.registrar.sent();
    to.sort_by_key(|(to, _)| *to);
    let mut expected = [world.a.id(), world.b.id()].map(|to| (to, Message::Terms(signed.clone())));
    expected.sort_by_key(|(to, _)| *to);
    assert_eq!(to, expected);
    update(&mut world, &next).unwrap();
    assert_eq!(world.registrar.sent(), [], "the same again changes nothing");
    let view = Registrar::asset(&world.registrar.kv, asset).unwrap().unwrap();
    assert_eq!((view.entries, view.asset.number), (2, 1));
    assert_eq!(Registrar::terms(&world.registrar.kv, asset, 0).unwrap().unwrap().terms, terms);
    world.registrar.assert_deterministic();
}

#[test]
fn terms_are_sent_to_who_asks() {
    let mut world = World::empty();
    let (a, asset) = (world.a.id(), world.asset());
    world.registrar.message(a, Message::AskTerms(asset)).unwrap();
    let signed = world.net.signed(world.terms.clone());
    assert_eq!(world.registrar.sent(), [(a, Message::Terms(signed))]);
    let unknown = world.registrar.message(a, Message::AskTerms(Default::default()));
    assert_eq!(unknown, Err(Reason::UnknownAsset));
}

#[test]
fn an_account_is_registered_once_by_the_custodian_that_proves_its_key() {
    let mut world = World::empty();
    let (asset, network) = (world.asset(), world.net.id);
    let answer = |world: &mut World, from, request| {
        world.registrar.message(from, Message::RegisterAccount(request)).unwrap();
        match world.registrar.sent().remove(0) {
            (to, Message::AccountRegistered { refused, .. }) => {
                assert_eq!(to, from);
                refused
            }
            other => panic!("{other:?}"),
        }
    };
    let (a, b) = (world.a.id(), world.b.id());
    let carol = world.a.registration(network, asset, "carol", &mut world.rng);
    // Whoever sees a registration can't make it its own, nor change what it is for.
    assert_eq!(answer(&mut world, b, carol.clone()), Some(Reason::Proof));
    let mut other = carol.clone();
    other.investor = text("mallory");
    assert_eq!(answer(&mut world, a, other), Some(Reason::Proof));
    let mut other = carol.clone();
    other.asset = Default::default();
    assert_eq!(answer(&mut world, a, other), Some(Reason::UnknownAsset));
    let elsewhere = world.a.registration(Hash::default(), asset, "carol", &mut world.rng);
    assert_eq!(answer(&mut world, a, elsewhere), Some(Reason::Proof));
    assert_eq!(answer(&mut world, a, carol.clone()), None);
    assert_eq!(answer(&mut world, a, carol), None, "the same again");
    // Another custodian that holds the same seed.
    world.b.master = world.a.master.clone();
    let stolen = world.b.registration(network, asset, "carol", &mut world.rng);
    assert_eq!(answer(&mut world, b, stolen), Some(Reason::WrongCustodian));
    let view = Registrar::accounts(&world.registrar.kv, asset, None, 100).unwrap();
    assert_eq!(view.len(), 4);
    assert!(view.iter().filter(|row| row.investor.as_str() == "carol").count() == 1);
}

#[test]
fn only_a_registered_account_of_a_known_asset_is_frozen() {
    let mut world = World::empty();
    let asset = world.asset();
    let (alice, nobody) = (world.a.account(asset, "alice"), world.a.account(asset, "nobody"));
    let freeze = |account| Instruction::Freeze { asset, account, frozen: true };
    assert_eq!(world.registrar.instruct(freeze(nobody)), Err(Reason::UnknownAccount));
    world.registrar.instruct(freeze(alice)).unwrap();
    let view = Registrar::holding(&world.registrar.kv, asset, alice).unwrap().unwrap();
    assert_eq!(view.account.frozen, Some(NOW));
    let unknown = Instruction::SetOpen { asset: Default::default(), open: true };
    assert_eq!(world.registrar.instruct(unknown), Err(Reason::UnknownAsset));
}

#[test]
fn messages_of_other_roles_are_refused() {
    let mut world = World::empty();
    let signed = world.net.signed(world.terms.clone());
    let answer = world.registrar.message(world.a.id(), Message::Terms(signed));
    assert_eq!(answer, Err(Reason::WrongRole));
}
