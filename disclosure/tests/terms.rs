//! Terms in which one rule alone is broken: the registrar has signed them, and every key is proved.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a test: a panic is its report")]

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::Version;
use sudare_crypto::{Claims, Encoded, Hash, NodeKey, Text};
use sudare_disclosure::{
    AssetCore, AssetTerms, DisclosureKey, DisclosureSecret, Epoch, Field, Fields, KeyPurpose,
    Policy, PolicyError, Section, SectionKind, TermsError,
};

const NETWORK: Hash = Hash([1; 32]);

fn registrar() -> NodeKey {
    NodeKey::from_seed(&[2; 32])
}

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(3)
}

fn core() -> AssetCore {
    let registrar = registrar().id();
    AssetCore {
        version: Version,
        network: NETWORK,
        code: Text::new("BOND").unwrap(),
        name: Text::new("a security of a test").unwrap(),
        unit: Text::new("unit").unwrap(),
        decimals: 0,
        registrar,
        notary: registrar,
        window_max_ms: 60_000,
        nonce: [4; 32],
    }
}

/// The purpose of a key in its place.
fn purpose(epoch: u32, fields: Fields, label: &str) -> KeyPurpose {
    let (network, asset, label) = (NETWORK, core().id(), Text::new(label).unwrap());
    KeyPurpose { network, asset, epoch, fields, label }
}

/// The secret behind the key with this purpose.
fn secret(purpose: &KeyPurpose) -> DisclosureSecret {
    DisclosureSecret::derive(&Seed([5; 32]), purpose)
}

fn key(purpose: &KeyPurpose) -> DisclosureKey {
    secret(purpose).publish(purpose, &mut rng()).unwrap()
}

fn amounts() -> Fields {
    Fields::of(&[Field::Amounts]).unwrap()
}

/// Terms with these keys, a list an epoch.
fn terms(epochs: &[&[DisclosureKey]]) -> AssetTerms {
    let epoch = |(number, keys): (u32, &&[DisclosureKey])| Epoch {
        number,
        opens_at: u64::from(number),
        keys: keys.to_vec().try_into().unwrap(),
    };
    let epochs: Vec<Epoch> = (0..).zip(epochs).map(epoch).collect();
    let policy = Policy { grace_ms: 1, epochs: epochs.try_into().unwrap() };
    AssetTerms { core: core(), number: 0, policy }
}

/// Right terms: the registrar's key and an authority's.
fn right() -> AssetTerms {
    let authority = purpose(0, amounts(), "authority");
    terms(&[&[key(&purpose(0, Fields::ALL, "registrar")), key(&authority)]])
}

fn check(terms: AssetTerms) -> Result<(), TermsError> {
    terms.sign(&registrar()).check(NETWORK, &mut rng())
}

#[test]
fn terms_signed_by_another_or_of_another_network_are_refused() {
    // Enforces [POL-1].
    assert_eq!(check(right()), Ok(()));
    let foreign = right().sign(&NodeKey::from_seed(&[66; 32])).check(NETWORK, &mut rng());
    assert!(matches!(foreign, Err(TermsError::Signature(_))));
    let mut changed = right().sign(&registrar());
    changed.terms.policy.grace_ms += 1;
    assert!(matches!(changed.check(NETWORK, &mut rng()), Err(TermsError::Signature(_))));
    let elsewhere = right().sign(&registrar()).check(Hash([6; 32]), &mut rng());
    assert_eq!(elsewhere, Err(TermsError::Network));
}

#[test]
fn an_epoch_whose_first_key_does_not_read_everything_is_refused() {
    // Enforces [POL-2]: the registrar could not open what it approves.
    let registrar = key(&purpose(0, Fields::ALL, "registrar"));
    let authority = key(&purpose(0, amounts(), "authority"));
    let refused = |number| Err(TermsError::Policy(PolicyError::RegistrarKey(number)));
    assert_eq!(check(terms(&[&[authority.clone(), registrar.clone()]])), refused(0));
    assert_eq!(check(terms(&[std::slice::from_ref(&authority)])), refused(0));
    assert_eq!(check(terms(&[&[]])), refused(0));
    let later = key(&purpose(1, amounts(), "registrar"));
    assert_eq!(check(terms(&[&[registrar, authority], &[later]])), refused(1));
}

#[test]
fn a_key_of_two_epochs_or_two_places_would_read_beyond_its_own_and_is_refused() {
    // (!) Enforces [POL-3].
    let registrar = key(&purpose(0, Fields::ALL, "registrar"));
    let next = key(&purpose(1, Fields::ALL, "registrar"));
    let first = purpose(0, amounts(), "authority");
    let (again, beside) = (purpose(1, amounts(), "authority"), purpose(0, amounts(), "other"));
    let reused = |purpose: &KeyPurpose| secret(&first).publish(purpose, &mut rng()).unwrap();
    let own = key(&first);
    let refused = |epoch, key| Err(TermsError::Policy(PolicyError::Reused(epoch, key)));
    let in_two_places = terms(&[&[registrar.clone(), own.clone(), reused(&beside)]]);
    assert_eq!(check(in_two_places), refused(0, 2));
    let in_two_epochs = terms(&[&[registrar, own], &[next.clone(), reused(&again)]]);
    assert_eq!(check(in_two_epochs.clone()), refused(1, 1));
    // A check without that rule takes these terms: every key is proved for its purpose.
    let mut claims = Claims::new();
    for epoch in &in_two_epochs.policy.epochs {
        for key in &epoch.keys {
            key.claim(NETWORK, core().id(), epoch.number, &mut claims).unwrap();
        }
    }
    assert_eq!(claims.accept(&mut rng()), Ok(()));
    // And then who held the key of epoch 0 alone reads epoch 1.
    let readers = [next.point, reused(&again).point];
    let sealed = Section::seal(SectionKind::Opening(0), b"70", &readers, b"leg", &mut rng());
    let section = sealed.unwrap().0;
    let wrap: Encoded = *section.wraps.get(1).unwrap();
    let read = |key: &DisclosureSecret| {
        section.open(&key.decrypt(&section.ephemeral, &wrap).unwrap(), b"leg")
    };
    assert_eq!(read(&secret(&first)), Ok(b"70".to_vec()));
    assert!(read(&secret(&again)).is_err(), "the key that epoch 1 should have had");
}
