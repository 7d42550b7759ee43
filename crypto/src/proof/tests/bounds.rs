//! What the provers and the verifier make of unusual shapes.

use super::{prove, rng, transcript};
use crate::linear::row::{equation, one};
use crate::linear::{self, Relation};
use crate::point::{B, B_ENCODED, G, G_ENCODED};
use crate::proof::amount::Opening;
use crate::proof::{possession, range};
use crate::{Batch, Claims, Encoded, Malformed, Rejected, Scalar, Secret, Stream};

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
