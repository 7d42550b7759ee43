//! Laws that hold for all values: of commitments and ciphertexts, of encodings, of derivation and nonces.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed test panics")]

use std::collections::BTreeSet;
use std::fmt::Debug;

use borsh::{BorshDeserialize, BorshSerialize};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, RngCore, SeedableRng};
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::linear::LinearProof;
use sudare_crypto::point::{B, B_BLINDING, commit};
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::tag::SpendKey;
use sudare_crypto::proof::{balance, range, tag};
use sudare_crypto::{
    Bounded, Claims, Encoded, Hash, LedgerTranscript, NodeId, NodeSignature, Scalar, Secret, Text,
};

fn arb_scalar() -> impl Strategy<Value = Scalar> {
    any::<[u8; 32]>().prop_map(|seed| Scalar::random(&mut ChaCha20Rng::from_seed(seed)))
}

/// Bytes near the encodings of short lists and texts as often as bytes without form.
fn arb_bytes() -> impl Strategy<Value = Vec<u8>> {
    let list = (0..6u16, prop::collection::vec(any::<u8>(), 0..40))
        .prop_map(|(count, items)| [count.to_le_bytes().as_slice(), &items].concat());
    let text = ".{0,9}".prop_map(|text| {
        let length = u16::try_from(text.len()).unwrap();
        [length.to_le_bytes().as_slice(), text.as_bytes()].concat()
    });
    let element = arb_scalar().prop_map(|scalar| scalar.to_bytes().to_vec());
    prop_oneof![prop::collection::vec(any::<u8>(), 0..100), list, text, element]
}

/// The encoding of a proof with one byte changed, or not.
fn arb_proof() -> impl Strategy<Value = Vec<u8>> {
    (any::<u64>(), 0..200usize, any::<u8>()).prop_map(|(seed, at, with)| {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let mut bytes = encode(&tag::sign(&SpendKey::random(rng), Hash::default(), rng).unwrap());
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= with;
        }
        bytes
    })
}

fn assert_canonical<T: BorshDeserialize + BorshSerialize>(bytes: &[u8]) {
    if let Ok(value) = decode::<T>(bytes, "a value") {
        assert_eq!(encode(&value), bytes, "{}", std::any::type_name::<T>());
    }
}

fn assert_round_trips<T: BorshDeserialize + BorshSerialize + Debug + PartialEq>(value: &T) {
    assert_eq!(decode::<T>(&encode(value), "a value").as_ref(), Ok(value));
}

proptest! {
    #[test]
    fn commitments_add_up(v in 0..u64::MAX / 2, w in 0..u64::MAX / 2, r in arb_scalar(), s in arb_scalar()) {
        prop_assert_eq!(commit(v, &r) + commit(w, &s), commit(v + w, &(r + s)));
    }

    #[test]
    fn a_rerandomised_commitment_opens_to_the_same_value(v: u64, r in arb_scalar(), d in arb_scalar()) {
        prop_assert_eq!(commit(v, &r) + *B_BLINDING * d, commit(v, &(r + d)));
    }

    #[test]
    fn every_key_decrypts_an_amount_to_what_is_committed(
        value: u64, blinding in arb_scalar(), keys in prop::collection::vec(arb_scalar(), 1..4),
    ) {
        let keys: Vec<Secret> = keys.into_iter().map(Secret).collect();
        let points: Vec<Encoded> = keys.iter().map(Secret::public).collect();
        let ciphertext = Opening { value, blinding }.encrypt(&points).unwrap();
        let ephemeral = ciphertext.ephemeral.decompress().unwrap();
        prop_assert_eq!(ciphertext.commitment.decompress(), Ok(commit(value, &blinding)));
        for (j, key) in keys.iter().enumerate() {
            let read = ciphertext.amounts[j].decompress().unwrap() - ephemeral * key.0;
            prop_assert_eq!(read, B * Scalar::from(value));
        }
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(bytes in arb_bytes(), proof in arb_proof()) {
        for bytes in [bytes, proof] {
            assert_canonical::<Encoded>(&bytes);
            assert_canonical::<Secret>(&bytes);
            assert_canonical::<Hash>(&bytes);
            assert_canonical::<Seed>(&bytes);
            assert_canonical::<NodeId>(&bytes);
            assert_canonical::<NodeSignature>(&bytes);
            assert_canonical::<Version<1>>(&bytes);
            assert_canonical::<LinearProof>(&bytes);
            assert_canonical::<Bounded<u16, 5>>(&bytes);
            assert_canonical::<Bounded<Bounded<u8, 2>, 5>>(&bytes);
            assert_canonical::<Bounded<Encoded, 3>>(&bytes);
            assert_canonical::<Text<8>>(&bytes);
            assert_canonical::<(Text<8>, Option<Hash>, u64)>(&bytes);
        }
    }

    #[test]
    fn a_point_that_decompresses_compresses_to_the_same_bytes(bytes: [u8; 32], scalar in arb_scalar()) {
        for bytes in [bytes, *Encoded::of(&(B * scalar)).as_bytes()] {
            if let Ok(point) = Encoded::from_bytes(bytes).and_then(|encoded| encoded.decompress()) {
                prop_assert_eq!(*Encoded::of(&point).as_bytes(), bytes);
            }
        }
    }

    #[test]
    fn what_encodes_decodes_to_the_same_value(
        items in prop::collection::vec(any::<u64>(), 0..9), text in "[^\\pC]{0,20}", hash: [u8; 32],
        scalar in arb_scalar(),
    ) {
        assert_round_trips(&Bounded::<u64, 8>::new(items).unwrap());
        assert_round_trips(&Text::<80>::new(text).unwrap());
        assert_round_trips(&Hash(hash));
        assert_round_trips(&Encoded::of(&(B * scalar)));
        prop_assert_eq!(decode::<Secret>(&encode(&Secret(scalar)), "secret").unwrap().0, scalar);
    }

    #[test]
    fn the_parts_of_a_hash_are_apart(bytes in prop::collection::vec(any::<u8>(), 1..40), at: prop::sample::Index) {
        let (left, right) = bytes.split_at(at.index(bytes.len()));
        prop_assert_ne!(Hash::of(b"d", &[left, right]), Hash::of(b"d", &[&bytes]));
        prop_assert_ne!(Hash::of(b"d", &[left, right]), Hash::of(b"d", &[&bytes, &[]]));
    }

    #[test]
    fn a_hash_has_one_lower_case_name(hash: [u8; 32], at in 0..64usize, with in "[^0-9a-fA-F]") {
        let name = Hash(hash).to_string();
        prop_assert_eq!(Hash::from_hex(&name), Some(Hash(hash)));
        let mut other = name;
        other.replace_range(at..=at, &with);
        prop_assert_eq!(Hash::from_hex(&other), None);
    }

    #[test]
    fn no_two_contexts_derive_the_same_secret(seed: [u8; 32], one: Vec<u8>, other: Vec<u8>) {
        prop_assume!(one != other);
        let seed = Seed(seed);
        prop_assert_ne!(seed.scalar(b"slot", &one).0, seed.scalar(b"slot", &other).0);
        prop_assert_ne!(seed.scalar(b"slot", &one).0, seed.scalar(b"memo", &one).0);
        prop_assert_ne!(seed.child(b"slot", &one).0, seed.child(b"slot", &other).0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_values_that_add_up_make_a_leg_that_is_accepted(
        values in prop::collection::vec(prop_oneof![Just(0), Just(u64::MAX), any::<u64>()], 1..4), seed: u64,
    ) {
        let rng = &mut ChaCha20Rng::seed_from_u64(seed);
        let openings: Vec<Opening> = values
            .into_iter()
            .map(|value| Opening { value, blinding: Scalar::random(rng) })
            .collect();
        let commitments: Vec<Encoded> =
            openings.iter().map(|o| Encoded::of(&commit(o.value, &o.blinding))).collect();
        // The inputs are the outputs rerandomised, in another order.
        let shifts: Vec<Scalar> = openings.iter().map(|_| Scalar::random(rng)).collect();
        let rerandomised = |(i, o): (usize, &Opening)| Encoded::of(&commit(o.value, &(o.blinding + shifts[i])));
        let inputs = openings.iter().enumerate().rev().map(rerandomised).collect();
        let statement = balance::Statement { inputs, outputs: commitments.clone(), mint: 0, burn: 0 };
        let leg = || LedgerTranscript::new(b"sudare/test/v1", b"a leg");

        let mut transcript = leg();
        let excess = Secret(shifts.iter().sum());
        let balanced = balance::prove(&statement, &excess, &mut transcript, rng).unwrap();
        let ranged = range::prove(&openings, &mut transcript, rng).unwrap();
        prop_assert_eq!(ranged.len(), range::proof_bytes(openings.len()));

        let (mut transcript, mut claims) = (leg(), Claims::new());
        balance::verify(&statement, &balanced, &mut transcript, &mut claims).unwrap();
        range::verify(&commitments, &ranged, &mut transcript, &mut claims).unwrap();
        prop_assert_eq!(claims.accept(rng), Ok(()));
    }
}

/// A generator that always answers the same, as after the restore of a machine's snapshot.
struct Stuck;

impl RngCore for Stuck {
    fn next_u32(&mut self) -> u32 {
        7
    }

    fn next_u64(&mut self) -> u64 {
        7
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill(7);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), rand_core::Error> {
        bytes.fill(7);
        Ok(())
    }
}

impl CryptoRng for Stuck {}

#[test]
fn a_generator_that_repeats_itself_repeats_no_nonce() {
    let mut seen = BTreeSet::new();
    let mut assert_fresh = |proof: &[u8], what: &str| {
        for element in proof.chunks_exact(32) {
            assert!(seen.insert(element.to_vec()), "{what}");
        }
    };
    let opening = |value, r: u64| Opening { value, blinding: Scalar::from(r) };
    for (context, opening, what) in [
        (b"a leg", opening(5, 1), "the first"),
        (b"b leg", opening(5, 1), "the same in another leg"),
        (b"a leg", opening(6, 1), "another value in the same leg"),
        (b"a leg", opening(5, 2), "another blinding in the same leg"),
    ] {
        let transcript = || LedgerTranscript::new(b"sudare/test/v1", context);
        let proof = range::prove(&[opening], &mut transcript(), &mut Stuck).unwrap();
        assert_fresh(&proof, what);
    }
    let key = SpendKey { account: Scalar::ONE, tag: Scalar::from(2u64) };
    let other = SpendKey { account: Scalar::from(3u64), tag: Scalar::from(2u64) };
    for (key, commit) in [(&key, 1), (&key, 2), (&other, 1)] {
        let signature = tag::sign(key, Hash([commit; 32]), &mut Stuck).unwrap();
        let bytes = encode(&signature);
        // Count, commitment, count, responses.
        assert_fresh(&bytes[2..34], "a commitment");
        assert_fresh(&bytes[36..], "the responses");
    }
}

#[test]
fn an_opening_without_blinding_is_not_encrypted() {
    let opening = Opening { value: 5, blinding: Scalar::ZERO };
    assert!(opening.encrypt(&[Secret(Scalar::ONE).public()]).is_err());
}
