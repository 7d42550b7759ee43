//! What a sealed section withstands, and would not if a content key sealed twice.
#![allow(clippy::unwrap_used, reason = "a test: a panic is its report")]

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sudare_crypto::{Secret, pairs};
use sudare_disclosure::{Section, SectionKind};

const TRADE: &[u8] = b"T-1: buys for the fund, quietly";
const KNOWN: &[u8] = b"T-2: a trade that everybody has";

/// The contents of two sections, one over the other.
fn difference(one: &[u8], other: &[u8]) -> Vec<u8> {
    pairs(one, other).unwrap().map(|(one, other)| one ^ other).collect()
}

fn seal(content: &[u8], kind: SectionKind, context: &[u8], rng: &mut ChaCha20Rng) -> Section {
    let reader = Secret::random(&mut ChaCha20Rng::seed_from_u64(9)).public();
    Section::seal(kind, content, &[reader], context, rng).unwrap().0
}

/// What stands before the authenticator.
fn sealed(section: &Section) -> &[u8] {
    section.body.get(..TRADE.len()).unwrap()
}

#[test]
fn a_content_key_that_seals_twice_shows_what_it_sealed_and_none_does() {
    // (!) Enforces [SEC-2]. A sealer that draws the same point again, for the same header: who knows one content reads the
    // other.
    let rng = || ChaCha20Rng::seed_from_u64(1);
    let first = seal(TRADE, SectionKind::Trade, b"header", &mut rng());
    let again = seal(KNOWN, SectionKind::Trade, b"header", &mut rng());
    assert_eq!(first.key_hash, again.key_hash);
    let read = difference(&difference(sealed(&first), sealed(&again)), KNOWN);
    assert_eq!(read, TRADE, "the attack works on such a sealer");
    // The sealer draws a fresh one for every section.
    let rng_once = &mut rng();
    let first = seal(TRADE, SectionKind::Trade, b"header", rng_once);
    let next = seal(KNOWN, SectionKind::Trade, b"header", rng_once);
    // And should a generator repeat itself, header and kind are part of the key.
    let other_header = seal(KNOWN, SectionKind::Trade, b"header of another leg", &mut rng());
    let other_kind = seal(KNOWN, SectionKind::Parties, b"header", &mut rng());
    for other in [next, other_header, other_kind] {
        assert_ne!(first.key_hash, other.key_hash);
        assert_ne!(difference(&difference(sealed(&first), sealed(&other)), KNOWN), TRADE);
    }
}
