//! What every relation refuses.

use super::relations::{Case, all, one_each};
use super::{Refused, decide, rng};
use crate::linear::LinearProof;
use crate::point::commit;
use crate::proof::{amount, range};
use crate::{Claims, Encoded, LedgerTranscript, Malformed, Rejected, Scalar, encoding};

/// Asserts that each of `proofs` is refused for the case's own statement.
fn refuses(case: &Case, proofs: impl IntoIterator<Item = (String, Vec<u8>)>) {
    for (what, proof) in proofs {
        assert_ne!(proof, case.proof, "{}: {what} changes nothing", case.name);
        assert!(case.decide(None, &proof).is_err(), "{}: {what}", case.name);
    }
}

fn flips(case: &Case, bits: impl Iterator<Item = usize>) -> Vec<(String, Vec<u8>)> {
    bits.map(|bit| {
        let mut proof = case.proof.clone();
        proof[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {bit}"), proof)
    })
    .collect()
}

#[test]
fn an_honest_proof_of_every_shape_is_accepted() {
    for case in all() {
        assert_eq!(case.decide(None, &case.proof), Ok(()), "{}", case.name);
    }
}

#[test]
fn every_flipped_bit_of_a_linear_proof_is_refused() {
    for case in one_each().iter().filter(|case| case.relation != range::NAME) {
        refuses(case, flips(case, 0..case.proof.len() * 8));
    }
}

#[test]
fn every_flipped_bit_of_a_range_proof_is_refused() {
    for case in one_each().iter().filter(|case| case.relation == range::NAME) {
        refuses(case, flips(case, 0..case.proof.len() * 8));
    }
}

#[test]
fn a_flipped_bit_in_every_element_of_every_shape_is_refused() {
    for case in all() {
        refuses(&case, flips(&case, (0..case.proof.len() * 8).step_by(101)));
    }
}

#[test]
fn every_truncation_and_every_extension_is_refused() {
    for case in all() {
        let whole = &case.proof;
        let shorter = (0..whole.len()).map(|n| (format!("{n} bytes"), whole[..n].to_vec()));
        refuses(&case, shorter);
        let longer = [1, 2, 31, 32, 33, 64, 128]
            .map(|n| (format!("{n} bytes more"), [whole.as_slice(), &vec![0; n], &[]].concat()));
        refuses(&case, longer);
        let again = [whole.as_slice(), whole].concat();
        refuses(&case, [("the proof twice".to_owned(), again)]);
    }
}

#[test]
fn a_range_proof_of_another_length_is_refused_before_any_arithmetic() {
    for case in all().iter().filter(|case| case.relation == range::NAME) {
        let whole = case.proof.len();
        for length in (0..whole).chain(whole + 1..2 * whole) {
            let mut claims = Claims::new();
            let proof = vec![0; length];
            let refusal = case.verify(None, &proof, &mut super::transcript(), &mut claims);
            assert_eq!(refusal, Err(Refused::Rejected(Rejected::Shape(range::NAME))), "{length}");
        }
    }
}

#[test]
fn a_range_proof_covers_one_to_64_values_and_tells_its_limit() {
    let rng = &mut rng(15);
    let openings: Vec<_> = (0..65_u64)
        .map(|i| amount::Opening { value: u64::MAX - i, blinding: Scalar::random(rng) })
        .collect();
    let points: Vec<_> =
        openings.iter().map(|one| Encoded::of(&commit(one.value, &one.blinding))).collect();
    let mut longest = Vec::new();
    // On both sides of a power of two, to the limit: up to it values cost a proof only two points a doubling.
    for (outputs, bytes) in [(1, 672), (33, 1056), (64, 1056)] {
        let proof = range::prove(&openings[..outputs], &mut super::transcript(), rng).unwrap();
        assert_eq!((proof.len(), range::proof_bytes(outputs)), (bytes, bytes));
        let verify = |of: &[Encoded]| decide(|on, claims| range::verify(of, &proof, on, claims));
        assert_eq!(verify(&points[..outputs]), Ok(()), "{outputs}");
        assert!(verify(&points[1..=outputs]).is_err(), "others, {outputs}");
        longest = proof;
    }
    let limit = Malformed::Encoding("a range statement: 1 to 64 outputs");
    for outputs in [0, 65] {
        let refused = range::prove(&openings[..outputs], &mut super::transcript(), rng);
        assert_eq!(refused, Err(limit), "{outputs}");
        let refused = decide(|on, claims| range::verify(&points[..outputs], &longest, on, claims));
        assert_eq!(refused, Err(Rejected::Shape(range::NAME)), "{outputs}");
    }
}

#[test]
fn a_proof_with_an_element_more_or_less_is_refused() {
    for case in all().iter().filter(|case| case.relation != range::NAME) {
        let (commitments, responses) = super::parts(&super::parse(&case.proof).unwrap());
        let (fewer, less) = (&commitments[1..], &responses[1..]);
        let more = [commitments.as_slice(), &commitments[..1]].concat();
        let longer = [responses.as_slice(), &[Scalar::ONE]].concat();
        for proof in [
            super::assemble(fewer, &responses),
            super::assemble(&more, &responses),
            super::assemble(&commitments, less),
            super::assemble(&commitments, &longer),
            super::assemble(&[], &[]),
        ] {
            let refusal = case.decide(None, &encoding::encode(&proof));
            let expected = Refused::Rejected(Rejected::Shape(case.relation));
            assert_eq!(refusal, Err(expected), "{}", case.name);
        }
    }
}

#[test]
fn every_public_input_changed_alone_is_refused_and_the_relation_named() {
    for case in all() {
        for (edit, what) in case.edits.iter().enumerate() {
            let refusal = case.decide(Some(edit), &case.proof);
            let named = match refusal {
                Err(Refused::Rejected(
                    Rejected::Shape(name) | Rejected::Point(name) | Rejected::False(name),
                )) => name,
                other => panic!("{}{what}: {other:?}", case.name),
            };
            assert_eq!(named, case.relation, "{}{what}", case.name);
        }
    }
}

#[test]
fn a_proof_in_another_context_is_refused() {
    let mut absorbed = super::transcript();
    absorbed.absorb(b"more", b"");
    let mut drawn = super::transcript();
    drawn.challenge(b"c");
    let others = [
        ("context", LedgerTranscript::new(b"sudare/test/v1", b"b leg")),
        ("longer context", LedgerTranscript::new(b"sudare/test/v1", b"a leg ")),
        ("protocol", LedgerTranscript::new(b"sudare/test/v2", b"a leg")),
        ("a message before it", absorbed),
        ("a challenge before it", drawn),
    ];
    for case in all().iter().filter(|case| case.on_transcript) {
        for (what, transcript) in &others {
            let mut claims = Claims::new();
            case.verify(None, &case.proof, &mut transcript.clone(), &mut claims).unwrap();
            let refusal = claims.accept(&mut rng(20));
            assert_eq!(refusal, Err(Rejected::False(case.relation)), "{}: {what}", case.name);
        }
    }
}

#[test]
fn a_proof_of_another_statement_or_relation_is_refused() {
    let cases = all();
    for one in &cases {
        for other in cases.iter().filter(|other| other.name != one.name) {
            let refusal = one.decide(None, &other.proof);
            assert!(refusal.is_err(), "{} given for {}", other.name, one.name);
        }
    }
}

#[test]
fn an_element_that_is_the_identity_or_not_canonical_is_refused_in_every_place() {
    for case in all() {
        for at in elements(&case) {
            let element: [u8; 32] = case.proof[at..at + 32].try_into().unwrap();
            let mut high_bit = element;
            high_bit[31] |= 0x80;
            let substitutes = [
                ("zero", [0; 32]),
                ("all ones", [0xff; 32]),
                ("p", P),
                ("l", L),
                ("itself + p", sum(element, P)),
                ("itself + l", sum(element, L)),
                ("itself with the high bit", high_bit),
            ];
            refuses(
                &case,
                substitutes.map(|(what, substitute)| {
                    let mut proof = case.proof.clone();
                    proof[at..at + 32].copy_from_slice(&substitute);
                    (format!("{what} at {at}"), proof)
                }),
            );
        }
    }
}

#[test]
fn a_point_that_is_not_canonical_is_refused_as_such() {
    // In relations of one equation; of several, another may be found false before it.
    let of_one =
        |case: &&Case| case.rows(None).is_some_and(|r| r.rows.len() == 1 && r.merged.is_empty());
    for case in all().iter().filter(of_one) {
        for (edit, what) in case.edits.iter().enumerate() {
            if what.ends_with("the identity") || what.ends_with("not canonical") {
                let expected = Err(Refused::Rejected(Rejected::Point(case.relation)));
                assert_eq!(case.decide(Some(edit), &case.proof), expected, "{}{what}", case.name);
            }
        }
    }
}

#[test]
fn one_bad_proof_among_many_is_named_wherever_it_stands() {
    let cases = one_each();
    for bad in 0..=cases.len() {
        let mut claims = Claims::new();
        for (i, case) in cases.iter().enumerate() {
            let mut transcript = super::transcript();
            let mut proof = case.proof.clone();
            if i == bad {
                // The lowest byte of the last scalar: still a proof in form.
                let at = proof.len() - 32;
                proof[at] ^= 1;
            }
            case.verify(None, &proof, &mut transcript, &mut claims).unwrap();
        }
        let expected = match cases.get(bad) {
            Some(case) => Err(Rejected::False(case.relation)),
            None => Ok(()),
        };
        assert_eq!(claims.accept(&mut rng(21)), expected);
    }
}

#[test]
fn statements_without_keys_or_of_unequal_lists_have_no_proof() {
    use crate::proof::{owner, spend, wrap};
    let rng = &mut rng(22);
    let key = crate::Secret::random(rng).public();
    let opening = amount::Opening { value: 1, blinding: Scalar::ONE };
    let ciphertext = opening.encrypt(&[]).unwrap();
    let amount = amount::Statement { outputs: vec![ciphertext], keys: vec![] };
    assert!(amount::prove(&amount, &[opening], &mut super::transcript(), rng).is_err());
    let owner = owner::Statement { owner: key, ephemeral: key, identities: vec![], keys: vec![] };
    let spender = spend::Spender { tag: key, ephemeral: key, identities: vec![key, key] };
    let spend = spend::Statement { inputs: vec![spender], keys: vec![key] };
    let wrapped = wrap::Wrapped { ephemeral: key, wraps: vec![], keys: vec![] };
    let wrap = wrap::Statement { sections: vec![wrapped] };
    let empty: LinearProof = super::assemble(&[], &[]);
    let shape = |name| Err(Rejected::Shape(name));
    assert_eq!(decide(|t, c| amount::verify(&amount, &empty, t, c)), shape(amount::NAME));
    assert_eq!(decide(|t, c| owner::verify(&owner, &empty, t, c)), shape(owner::NAME));
    assert_eq!(decide(|t, c| spend::verify(&spend, &empty, t, c)), shape(spend::NAME));
    assert_eq!(decide(|t, c| wrap::verify(&wrap, &empty, t, c)), shape(wrap::NAME));
}

#[test]
fn a_prover_refuses_what_no_verifier_would_take() {
    use crate::point::{B, G};
    use crate::proof::owner;
    let rng = &mut rng(23);
    let witness =
        owner::Witness { tag: Scalar::ONE, blinding: Scalar::ONE, ephemeral: Scalar::ONE };
    let [one, same] = [Encoded::of(&B), Encoded::of(&B)];
    let mut high_bit = *Encoded::of(&G).as_bytes();
    high_bit[31] |= 0x80;
    let not_canonical = Encoded::from_bytes(high_bit).unwrap();
    for keys in [vec![one, same], vec![one, not_canonical]] {
        let statement =
            owner::Statement { owner: one, ephemeral: one, identities: keys.clone(), keys };
        let proof = owner::prove(&statement, &witness, &mut super::transcript(), rng);
        assert_eq!(proof, Err(Malformed::Point));
    }
    let relation = one_each().swap_remove(2).rows(None).unwrap();
    for variables in [0, 2, 4] {
        let witness = vec![Scalar::ONE; variables];
        let proof = crate::linear::prove(&relation, &witness, &mut super::transcript(), rng);
        assert!(matches!(proof, Err(Malformed::Encoding(_))));
    }
}

/// Where the 32-byte elements of the case's proof begin.
fn elements(case: &Case) -> Vec<usize> {
    if case.relation == range::NAME {
        return (0..case.proof.len()).step_by(32).collect();
    }
    let count = usize::from(u16::from_le_bytes([case.proof[0], case.proof[1]]));
    let responses = 2 + count * 32 + 2;
    (2..2 + count * 32).step_by(32).chain((responses..case.proof.len()).step_by(32)).collect()
}

/// `2^255 - 19`, little endian.
const P: [u8; 32] = {
    let mut p = [0xff; 32];
    p[0] = 0xed;
    p[31] = 0x7f;
    p
};

/// The group order, little endian.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The sum of two 256-bit numbers modulo 2^256.
fn sum(left: [u8; 32], right: [u8; 32]) -> [u8; 32] {
    let mut carry = 0;
    std::array::from_fn(|i| {
        let digit = u16::from(left[i]) + u16::from(right[i]) + carry;
        carry = digit >> 8;
        digit.to_le_bytes()[0]
    })
}
