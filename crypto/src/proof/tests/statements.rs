//! Statements as they are made and checked: bounds, wrap-around, and proofs used for something else.

use proptest::prelude::*;

use super::{decide, rng, transcript};
use crate::encoding::{decode, encode};
use crate::point::{B, G, commit};
use crate::proof::amount::Opening;
use crate::proof::range;
use crate::proof::statement::{
    COMMITMENTS_MAX, Kind, NAME, Proof, Statement, Total, Unproved, check, make, prove,
};
use crate::{Encoded, LedgerTranscript, Rejected, Scalar};

const MAX: u64 = u64::MAX;

/// A total of these amounts and a number in clear, with its openings.
fn total(values: &[u64], clear: u64, seed: u64) -> (Total, Vec<Opening>) {
    let rng = &mut rng(seed);
    let openings: Vec<_> = values
        .iter()
        .map(|value| Opening { value: *value, blinding: Scalar::random(rng) })
        .collect();
    let commitments = openings.iter().map(|o| Encoded::of(&commit(o.value, &o.blinding))).collect();
    (Total { commitments, clear }, openings)
}

fn made(kind: Kind, left: &[u64], right: &[u64], clear: u64) -> Result<Proof, Unproved> {
    let ((left, l), (right, r)) = (total(left, 0, 1), total(right, clear, 2));
    make(kind, (&left, &l), (&right, &r), &mut transcript(), &mut rng(3))
}

fn accepted(kind: Kind, left: &Total, right: &Total, proof: &Proof) -> Result<(), Rejected> {
    decide(|transcript, claims| check(kind, left, right, proof, transcript, claims))
}

/// Whether a statement is true, by plain arithmetic; none if it is no statement.
fn holds(kind: Kind, left: &[u64], right: &[u64], clear: u64) -> Option<bool> {
    let sum = |values: &[u64]| values.iter().map(|value| u128::from(*value)).sum::<u128>();
    let (l, r) = (sum(left), sum(right) + u128::from(clear));
    match kind {
        Kind::AtLeast { bound } => Some(l >= r + u128::from(bound)),
        Kind::AtMost { bound } => Some(l <= r + u128::from(bound)),
        Kind::Between { low, high } => {
            (low <= high).then_some(l >= r + u128::from(low) && l <= r + u128::from(high))
        }
        Kind::Share { numerator: p, denominator: q } => {
            (0 < p && p <= q).then_some(u128::from(q) * l >= u128::from(p) * r)
        }
        Kind::Differ { by } => Some(l == r + u128::from(by)),
    }
}

/// Asserts that the statement is proved and accepted just when it is true.
fn agrees(kind: Kind, left: &[u64], right: &[u64], clear: u64) {
    let proof = made(kind, left, right, clear);
    match holds(kind, left, right, clear) {
        Some(true) => {
            let (left, right) = (total(left, 0, 1).0, total(right, clear, 2).0);
            assert_eq!(accepted(kind, &left, &right, &proof.unwrap()), Ok(()), "{kind:?}");
        }
        Some(false) => assert_eq!(proof, Err(Unproved::Untrue), "{kind:?}"),
        None => assert!(proof.is_err(), "{kind:?}"),
    }
}

#[test]
fn a_statement_is_proved_up_to_its_bound_and_not_beyond() {
    for (left, bound) in [(vec![0], 0), (vec![3, 4], 7), (vec![MAX], MAX), (vec![MAX, 0], MAX)] {
        for bound in [bound.wrapping_sub(1), bound, bound.wrapping_add(1)] {
            agrees(Kind::AtLeast { bound }, &left, &[], 0);
            agrees(Kind::AtMost { bound }, &left, &[], 0);
            agrees(Kind::Between { low: bound, high: bound }, &left, &[], 0);
        }
    }
    // More than 64 bits: a turnover, a share of everything.
    agrees(Kind::AtLeast { bound: MAX }, &[MAX, MAX, MAX], &[], 0);
    agrees(Kind::AtMost { bound: MAX }, &[MAX, 1], &[], 0);
    let all = Kind::Share { numerator: u32::MAX, denominator: u32::MAX };
    agrees(all, &[MAX], &[MAX], 0);
    agrees(all, &[MAX], &[MAX], 1);
    agrees(Kind::Share { numerator: 1, denominator: u32::MAX }, &[MAX, MAX], &[1], 0);
    agrees(Kind::Share { numerator: 1, denominator: 20 }, &[5], &[], 100);
    agrees(Kind::Share { numerator: 1, denominator: 20 }, &[4], &[], 100);
    // Differences of two totals.
    for bound in [0, 1, 2, 3, MAX] {
        for right in [2, 3, 4, 5] {
            agrees(Kind::AtLeast { bound }, &[5], &[right], 1);
            agrees(Kind::AtMost { bound }, &[5], &[right], 1);
            agrees(Kind::Between { low: 1, high: bound }, &[5], &[right], 0);
        }
    }
    for by in [0, 1, 2, MAX] {
        agrees(Kind::Differ { by }, &[MAX, 1], &[MAX], 0);
        agrees(Kind::Differ { by }, &[MAX], &[], 0);
        agrees(Kind::Differ { by }, &[5], &[3], 2);
    }
}

#[test]
fn numbers_that_make_no_statement_are_refused_by_prover_and_verifier() {
    let (left, right) = (total(&[5], 0, 1).0, total(&[], 7, 2).0);
    let honest = made(Kind::Share { numerator: 1, denominator: 2 }, &[5], &[], 7).unwrap();
    for kind in [
        Kind::Share { numerator: 0, denominator: 2 },
        Kind::Share { numerator: 3, denominator: 2 },
        Kind::Share { numerator: 0, denominator: 0 },
        Kind::Between { low: 2, high: 1 },
    ] {
        assert!(made(kind, &[5], &[], 7).is_err(), "{kind:?}");
        assert_eq!(accepted(kind, &left, &right, &honest), Err(Rejected::Shape(NAME)), "{kind:?}");
    }
}

/// What the page says of the largest difference: the group order has 252 bits, two limbs have 128.
#[test]
fn no_sum_of_the_largest_statement_wraps_around() {
    let largest =
        u128::from(u32::MAX) * (u128::try_from(COMMITMENTS_MAX).unwrap() + 1) * u128::from(MAX);
    assert!(largest < 1 << 110);
    let commitments = vec![total(&[1], 0, 1).0.commitments[0]; COMMITMENTS_MAX + 1];
    let left = Total { commitments, clear: 0 };
    let proof = made(Kind::AtLeast { bound: 1 }, &[1], &[], 0).unwrap();
    let refusal = accepted(Kind::AtLeast { bound: 1 }, &left, &Total::default(), &proof);
    assert_eq!(refusal, Err(Rejected::Shape(NAME)));
}

/// 5 >= 6 "holds" modulo the group order, with a limb of -1; or with the other limb below zero.
#[test]
fn a_difference_below_zero_is_refused_whichever_limb_hides_it() {
    let (left, openings) = total(&[5], 0, 1);
    let kind = Kind::AtLeast { bound: 6 };
    let two_to_64 = Scalar::from(1u128 << 64);
    for (low, high) in [(-Scalar::ONE, Scalar::ZERO), (two_to_64 - Scalar::ONE, -Scalar::ONE)] {
        let blindings = [Scalar::from(7u64), Scalar::from(8u64)];
        let limb =
            |value: Scalar, r: Scalar| Encoded::of(&(B * value + *crate::point::B_BLINDING * r));
        let limbs = vec![limb(low, blindings[0]), limb(high, blindings[1])];
        let excess = openings[0].blinding - blindings[0] - two_to_64 * blindings[1];
        let statement = Statement { kind, left: left.clone(), right: Total::default(), limbs };
        let mut transcript = transcript();
        let sums = prove(&statement, &[excess], &mut transcript, &mut rng(4)).unwrap();
        let value = |scalar: Scalar| u64::from_le_bytes(scalar.to_bytes()[..8].try_into().unwrap());
        let closest = [
            Opening { value: value(low), blinding: blindings[0] },
            Opening { value: value(high), blinding: blindings[1] },
        ];
        let range = range::prove(&closest, &mut transcript, &mut rng(5)).unwrap();
        let limbs = statement.limbs.try_into().unwrap();
        let proof = Proof { limbs, sums, range: range.try_into().unwrap() };
        let refusal = accepted(kind, &left, &Total::default(), &proof);
        assert_eq!(refusal, Err(Rejected::False(range::NAME)));
    }
}

#[test]
fn a_proof_is_for_one_context_one_kind_and_one_list_of_commitments() {
    let kind = Kind::AtLeast { bound: 6 };
    let (left, _) = total(&[5, 4], 0, 1);
    let proof = made(kind, &[5, 4], &[], 0).unwrap();
    let none = Total::default();
    assert_eq!(accepted(kind, &left, &none, &proof), Ok(()));
    let other = decide(|_, claims| {
        let mut other = LedgerTranscript::new(b"sudare/test/v1", b"another checkpoint");
        check(kind, &left, &none, &proof, &mut other, claims)
    });
    assert_eq!(other, Err(Rejected::False(NAME)));
    for other in [Kind::AtLeast { bound: 5 }, Kind::AtMost { bound: 6 }, Kind::Differ { by: 6 }] {
        assert!(accepted(other, &left, &none, &proof).is_err(), "{other:?}");
    }
    let mut reordered = left.clone();
    reordered.commitments.reverse();
    assert_eq!(accepted(kind, &reordered, &none, &proof), Err(Rejected::False(NAME)));
    let mut strange = left;
    strange.commitments[0] = Encoded::of(&(B * Scalar::from(5u64) + *G * Scalar::from(7u64)));
    assert_eq!(accepted(kind, &strange, &none, &proof), Err(Rejected::False(NAME)));
}

#[test]
fn a_commitment_of_another_base_or_opening_is_not_proved_about() {
    let (mut left, openings) = total(&[5], 0, 1);
    left.commitments[0] = Encoded::of(&(B * Scalar::from(5u64) + *G * openings[0].blinding));
    let none = (&Total::default(), [].as_slice());
    let kind = Kind::AtLeast { bound: 5 };
    let made = make(kind, (&left, &openings), none, &mut transcript(), &mut rng(6));
    assert_eq!(made, Err(Unproved::Opening));
}

#[test]
fn every_changed_byte_of_a_statements_proof_is_refused() {
    let none = Total::default();
    for kind in [Kind::AtLeast { bound: 6 }, Kind::Differ { by: 9 }] {
        let (left, _) = total(&[5, 4], 0, 1);
        let bytes = encode(&made(kind, &[5, 4], &[], 0).unwrap());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            if let Ok(proof) = decode::<Proof>(&changed, "a proof") {
                assert!(accepted(kind, &left, &none, &proof).is_err(), "{kind:?}, byte {at}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_statement_is_proved_just_when_it_is_true(
        left in prop::collection::vec(any::<u64>(), 1..4),
        right in prop::collection::vec(0..1000u64, 0..3),
        clear in 0..1000u64,
        bound in any::<u64>(),
        (p, q) in (1..100u32, 1..100u32),
        which in 0..5u8,
    ) {
        match which {
            0 => agrees(Kind::AtLeast { bound }, &left, &[], 0),
            1 => agrees(Kind::AtMost { bound }, &left, &[], 0),
            2 => agrees(Kind::Between { low: bound / 2, high: bound }, &left, &[], 0),
            3 => agrees(Kind::Share { numerator: p, denominator: q }, &right.clone().into_iter().chain([1]).collect::<Vec<_>>(), &right, clear),
            _ => agrees(Kind::Differ { by: bound }, &left, &right, clear),
        }
    }
}
