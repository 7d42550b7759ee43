//! What the provers and the verifier make of unusual shapes, and what is counted and printed.

use super::{prove, rng, transcript};
use crate::derive::Seed;
use crate::linear::row::{equation, one};
use crate::linear::{self, LinearProof, Relation};
use crate::point::{B, B_ENCODED, G, G_ENCODED, commit};
use crate::proof::amount::Opening;
use crate::proof::statement::{self, COMMITMENTS_MAX, Kind, Statement, Total};
use crate::proof::{possession, range};
use crate::{
    Batch, Claims, Encoded, Hash, Malformed, NodeKey, Rejected, Scalar, Secret, Stream, Text,
};

#[test]
fn a_multiple_of_a_generator_is_proved_as_what_it_is() {
    let (x, two) = (Scalar::from(77u64), Scalar::from(2u64));
    let target = Encoded::of(&(B * (two * x) + *G * x));
    let base = vec![(0, vec![(two, *B_ENCODED)]), (0, one(*G_ENCODED))];
    let relation = Relation {
        name: "twice",
        statement: Vec::new(),
        variables: 1,
        rows: vec![equation(one(target), base)],
        merged: Vec::new(),
    };
    let proof = prove(&relation, &[x]);
    let mut claims = Claims::new();
    linear::verify(&relation, &proof, &mut transcript(), &mut claims).unwrap();
    claims.accept(&mut rng(1)).unwrap();
}

#[test]
fn a_possession_proved_in_shares_is_a_possession() {
    let (secret, nonce) = (Secret::random(&mut rng(2)), Secret::random(&mut rng(3)));
    let key = secret.public();
    let statement = possession::Statement { key, purpose: b"a key in shares".to_vec() };
    let commitment = nonce.public();
    let challenge = possession::challenge(&statement, &commitment);
    let proof = possession::assemble(commitment, nonce.0 + challenge * secret.0).unwrap();
    let mut claims = Claims::new();
    possession::verify(&statement, &proof, &mut claims).unwrap();
    claims.accept(&mut rng(4)).unwrap();
}

#[test]
fn a_range_proof_has_from_1_to_64_outputs_whoever_makes_or_reads_it() {
    let openings = vec![Opening { value: 1, blinding: Scalar::ONE }; range::OUTPUTS_MAX + 1];
    for count in [0, range::OUTPUTS_MAX + 1] {
        let made = range::prove(&openings[..count], &mut transcript(), &mut rng(5));
        let words = "a range statement: 1 to 64 outputs";
        assert_eq!(made, Err(Malformed::Encoding(words)));
        // Bytes that are a proof by their shape: points that aren't the identity, scalars that are reduced.
        let mut element = [0; 32];
        element[0] = 1;
        let proof = element.repeat(range::proof_bytes(count) / 32);
        let commitments = vec![*B_ENCODED; count];
        let mut claims = Claims::new();
        let read = range::verify(&commitments, &proof, &mut transcript(), &mut claims);
        assert_eq!(read, Err(Rejected::Shape(range::NAME)));
    }
}

#[test]
fn nothing_is_full_before_much_was_added() {
    assert!(!Batch::new().is_full());
    let mut stream = Stream::new();
    stream.add((), Claims::new());
    assert!(!stream.is_full());
}

#[test]
fn a_statement_sums_from_1_to_as_many_commitments_as_it_may() {
    let stated = |left: usize, right: usize| {
        let total = |count| Total { commitments: vec![*G_ENCODED; count], clear: 0 };
        let (left, right) = (total(left), total(right));
        let kind = Kind::Differ { by: 0 };
        statement::relation(&Statement { kind, left, right, limbs: Vec::new() }).is_some()
    };
    assert!(stated(1, 0) && stated(COMMITMENTS_MAX, COMMITMENTS_MAX));
    assert!(!stated(0, 1) && !stated(COMMITMENTS_MAX + 1, 1) && !stated(1, COMMITMENTS_MAX + 1));
}

#[test]
fn counts_are_of_what_was_added() {
    let statement = possession::Statement {
        key: Secret::random(&mut rng(2)).public(),
        purpose: b"a key".to_vec(),
    };
    let commitment = Secret::random(&mut rng(3)).public();
    let two = LinearProof::of(vec![commitment; 2], Vec::new()).unwrap();
    assert_eq!(two.points(), 2);
    let proof = possession::assemble(commitment, Scalar::ONE).unwrap();
    let mut claims = Claims::new();
    assert!(claims.is_empty());
    possession::verify(&statement, &proof, &mut claims).unwrap();
    assert!(!claims.is_empty());
    possession::verify(&statement, &proof, &mut claims).unwrap();
    // The key and the commitment stand in both equations, and `B`, which no verifier decompresses.
    assert_eq!((claims.points(), claims.equations()), (2, 2));
    let mut batch = Batch::new();
    batch.add(claims);
    batch.add(Claims::new());
    assert_eq!(batch.len(), 2);
    let mut ranges = Claims::new();
    let opening = Opening { value: 1, blinding: Scalar::ONE };
    let proof = range::prove(std::slice::from_ref(&opening), &mut transcript(), &mut rng(5));
    let commitment = Encoded::of(&commit(1, &opening.blinding));
    range::verify(&[commitment], &proof.unwrap(), &mut transcript(), &mut ranges).unwrap();
    assert!(!ranges.is_empty());
}

#[test]
fn names_are_printed_and_secrets_are_not() {
    let key = NodeKey::from_seed(&[7; 32]);
    let (id, shown) = (key.id().to_string(), format!("{key:?}"));
    assert_eq!(id.len(), 64);
    let short = format!("{}..", &id[..8]);
    assert_eq!(format!("{:?}", key.id()), short);
    assert_eq!(shown, format!("NodeKey(of {short})"));
    assert_eq!(key.seed(), [7; 32]);
    assert!(key.pkcs8_der().windows(32).any(|bytes| bytes == [7; 32]));
    assert_eq!(Text::<8>::new("a text").unwrap().to_string(), "a text");
    assert_eq!(format!("{:?}", Hash([0xab; 32])), "ab".repeat(32));
    assert_eq!(format!("{:?}", Seed([7; 32])), "Seed(***)");
}
