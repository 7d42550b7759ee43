//! Two parties who learn whether their totals are equal and nothing else ([EQL]), and who prove it together ([JNT]).

use super::{decide, provable, rng, transcript};
use crate::encoding::{decode, encode};
use crate::linear::{LinearProof, Relation};
use crate::point::{B, B_BLINDING, commit};
use crate::proof::equality::{self, Masked, Statement, total};
use crate::proof::joint::{self, Joint, Nonce};
use crate::proof::statement::{Kind, Proof, Total, check};
use crate::{Bounded, Encoded, LedgerTranscript, Rejected, Scalar, Secret};

const LEFT: u64 = 700;

/// What the left party has: an amount and its blinding.
fn left() -> (Encoded, Secret) {
    let blinding = Secret::random(&mut rng(60));
    (Encoded::of(&commit(LEFT, &blinding.0)), blinding)
}

/// The same of the right party, with this amount.
fn right(value: u64) -> (Encoded, Secret) {
    let blinding = Secret::random(&mut rng(61));
    (Encoded::of(&commit(value, &blinding.0)), blinding)
}

fn masked(value: u64, seed: u64) -> (Statement, LinearProof) {
    let ((l, _), (r, blinding)) = (left(), right(value));
    let (statement, witness) =
        equality::mask(&l, &r, (value.into(), &blinding), &mut rng(seed)).unwrap();
    let proof = equality::prove(&statement, &witness, &mut transcript(), &mut rng(63)).unwrap();
    (statement, proof)
}

#[test]
fn an_answer_says_that_amounts_are_equal_just_if_they_are() {
    for value in [0, 1, LEFT - 1, LEFT, LEFT + 1, u64::MAX] {
        let (statement, proof) = masked(value, 62);
        let holds = decide(|on, claims| equality::verify(&statement, &proof, on, claims));
        assert_eq!(holds, Ok(()), "{value}");
        assert_eq!(statement.masked.is_equal(&left().1), Ok(value == LEFT), "{value}");
        // To who has another total's blinding it says nothing.
        assert_eq!(statement.masked.is_equal(&right(value).1), Ok(false), "{value}");
    }
    let ((l, _), (r, blinding)) = (left(), right(5));
    assert!(equality::mask(&l, &r, (6, &blinding), &mut rng(1)).is_err(), "not its opening");
}

/// What is left of a difference is its product with a number that nobody else knows: no two answers to one question are alike, and
/// neither tells one difference from another.
#[test]
fn an_answer_to_unequal_amounts_is_another_point_each_time() {
    let blinding = left().1;
    let rest = |seed: u64| {
        let masked = masked(LEFT + 1, seed).0.masked;
        let own = masked.mask.decompress().unwrap() * blinding.0;
        Encoded::of(&(masked.difference.decompress().unwrap() - own))
    };
    let rests: Vec<_> = (70..74).map(rest).collect();
    for (place, one) in rests.iter().enumerate() {
        assert!(!rests[..place].contains(one));
        // The differences that one would try first.
        for guess in 1..100_u64 {
            let point = B * Scalar::from(guess);
            assert!(*one != Encoded::of(&point) && *one != Encoded::of(&-point), "{guess}");
        }
    }
}

/// The relation without the row of this place.
fn without(relation: &Relation, row: usize) -> Relation {
    let mut weak = Relation { name: "weak", ..relation.clone() };
    weak.rows.remove(row);
    weak
}

/// An answer of who holds another amount and says that it is equal to `LEFT`, a guess: with the rows that it breaks, and a witness
/// of the others.
fn lies() -> Vec<(usize, Statement, [Scalar; 3])> {
    let ((l, _), (r, blinding)) = (left(), right(LEFT + 5));
    let (z, guess) = (Scalar::random(&mut rng(64)), Scalar::from(LEFT));
    let n = z * blinding.0;
    let point = |encoded: &Encoded| encoded.decompress().unwrap();
    let mask = Encoded::of(&(*B_BLINDING * z));
    let product = Encoded::of(&(point(&r) * z));
    let difference = Encoded::of(&(point(&l) * z - B * (z * guess)));
    let says = |product: Encoded| Statement {
        left: l,
        right: r,
        masked: Masked { mask, product, difference },
    };
    // Of another point than its own total's, of another amount than the product's, and of a difference of its choice.
    let other = Encoded::of(&(B * (z * guess) + *B_BLINDING * n));
    let own = z * Scalar::from(LEFT + 5);
    vec![
        (1, says(other), [z, z * guess, n]),
        (2, says(product), [z, z * guess, n]),
        (3, says(product), [z, own, n]),
    ]
}

#[test]
fn without_any_of_its_rows_an_answer_says_equal_of_what_is_not() {
    for (row, statement, witness) in lies() {
        assert_eq!(statement.masked.is_equal(&left().1), Ok(true), "row {row}");
        let ours = equality::relation(&statement);
        assert!(provable(&without(&ours, row), &witness), "row {row}");
        assert!(!provable(&ours, &witness), "row {row}");
    }
    // With another mask in the row of `Z`, nobody is told anything.
    let (mut statement, _) = masked(LEFT, 62);
    statement.masked.mask = Encoded::of(&B);
    assert_eq!(statement.masked.is_equal(&left().1), Ok(false));
}

/// With zero for a mask everything would be equal to everything, and the other party would go on to show its total.
#[test]
fn an_answer_masked_with_zero_is_refused() {
    let zero = [0; 32];
    assert!(Encoded::from_bytes(zero).is_err());
    let bytes = encode(&masked(LEFT, 62).0.masked);
    for place in 0..3 {
        let mut changed = bytes.clone();
        changed[32 * place..32 * (place + 1)].fill(0);
        assert!(decode::<Masked>(&changed, "masked").is_err(), "point {place}");
    }
    // Where it did not come as bytes, no claim takes it.
    let identity = Encoded::of(&(B * Scalar::ZERO));
    let masked = Masked { mask: identity, product: identity, difference: identity };
    let statement = Statement { left: left().0, right: right(5).0, masked };
    let proof = super::prove(&equality::relation(&statement), &[Scalar::ZERO; 3]);
    let verdict = decide(|on, claims| equality::verify(&statement, &proof, on, claims));
    assert_eq!(verdict, Err(Rejected::Point(equality::NAME)));
}

fn totals(value: u64) -> (Total, Total) {
    let total = |point| Total { commitments: vec![point], clear: 0 };
    (total(left().0), total(right(value).0))
}

/// What both parties make together of these amounts, on transcripts of their own.
fn together(value: u64, by: u64, on: [LedgerTranscript; 2]) -> LinearProof {
    let (l, r) = totals(value);
    let joint = Joint::new(l, r, by).unwrap();
    let (own, other) = (left().1, right(value).1);
    let nonce = |blinding, seed| Nonce::new(b"a test", blinding, &mut rng(seed));
    let (first, second) = (nonce(&own, 65), nonce(&other, 66));
    let nonces = [&first.point, &second.point];
    let response = joint.left(nonces, (&first, &own), &on[0]).unwrap();
    joint.finish(nonces, &response, (&second, &other), &on[1]).unwrap()
}

fn verdict(value: u64, by: u64, sums: &LinearProof) -> Result<(), Rejected> {
    let (l, r) = totals(value);
    let (limbs, range) = (Bounded::default(), Bounded::default());
    let proof = Proof { limbs, sums: sums.clone(), range };
    decide(|on, claims| check(Kind::Differ { by }, &l, &r, &proof, on, claims))
}

#[test]
fn two_parties_prove_what_either_alone_could_not_and_only_what_is_true() {
    let proof = together(LEFT - 30, 30, [transcript(), transcript()]);
    assert_eq!(verdict(LEFT - 30, 30, &proof), Ok(()));
    assert_eq!(verdict(LEFT, 0, &together(LEFT, 0, [transcript(), transcript()])), Ok(()));
    // Of another number, of totals that do not differ by it, or on two transcripts.
    assert!(verdict(LEFT - 30, 29, &proof).is_err());
    let untrue = together(LEFT - 31, 30, [transcript(), transcript()]);
    assert!(verdict(LEFT - 31, 30, &untrue).is_err());
    let other = || LedgerTranscript::new(b"sudare/test/v1", b"another question");
    for on in [[transcript(), other()], [other(), transcript()], [other(), other()]] {
        assert!(verdict(LEFT, 0, &together(LEFT, 0, on)).is_err());
    }
}

/// A response depends on all that it is for: one that was given in another session is of no use.
#[test]
fn a_response_is_for_one_statement_transcript_and_pair_of_nonces() {
    let (own, other) = (left().1, right(LEFT).1);
    let nonce = Nonce::new(b"a test", &own, &mut rng(65));
    let theirs = |seed| Nonce::new(b"a test", &other, &mut rng(seed)).point;
    let (l, r) = totals(LEFT);
    let respond = |l: &Total, r: &Total, by, theirs: &Encoded, on: &LedgerTranscript| {
        let joint = Joint::new(l.clone(), r.clone(), by).unwrap();
        joint.left([&nonce.point, theirs], (&nonce, &own), on).unwrap()
    };
    let (on, second) = (transcript(), LedgerTranscript::new(b"sudare/test/v1", b"another"));
    let mut all = vec![
        respond(&l, &r, 0, &theirs(66), &on),
        respond(&l, &r, 1, &theirs(66), &on),
        respond(&r, &l, 0, &theirs(66), &on),
        respond(&l, &totals(5).1, 0, &theirs(66), &on),
        respond(&l, &r, 0, &theirs(67), &on),
        respond(&l, &r, 0, &theirs(66), &second),
    ];
    let count = all.len();
    all.sort_by_key(|one| one.0.to_bytes());
    all.dedup();
    assert_eq!(all.len(), count);
}

/// [JNT-3]: what one nonce answers twice, gives its party's total away.
#[test]
fn a_nonce_that_answers_twice_shows_the_blinding() {
    let own = left().1;
    let nonce = Nonce::new(b"a test", &own, &mut rng(65));
    let (l, r) = totals(LEFT);
    let joint = Joint::new(l, r, 0).unwrap();
    let answer = |on: &LedgerTranscript, seed: u64| {
        let theirs = Nonce::new(b"a test", &right(LEFT).1, &mut rng(seed)).point;
        let nonces = [&nonce.point, &theirs];
        let (_, c) = joint.challenge(nonces, &mut on.clone()).unwrap();
        (joint.left(nonces, (&nonce, &own), on).unwrap(), c)
    };
    let ((s_1, c_1), (s_2, c_2)) = (answer(&transcript(), 66), answer(&transcript(), 67));
    assert_eq!((s_1.0 - s_2.0) * (c_1 - c_2).invert(), own.0);
    // The party's nonces are fresh, also where the generator repeats itself.
    let again =
        |context: &[u8], blinding: &Secret| Nonce::new(context, blinding, &mut rng(65)).point;
    assert_eq!(again(b"a test", &own), nonce.point);
    assert_ne!(again(b"another", &own), nonce.point);
    assert_ne!(again(b"a test", &right(LEFT).1), nonce.point);
    assert_ne!(joint::commitment(&nonce.point), joint::commitment(&again(b"another", &own)));
}

#[test]
fn nonces_that_cancel_and_totals_of_nothing_are_refused() {
    let (l, r) = totals(LEFT);
    assert!(Joint::new(Total::default(), r.clone(), 0).is_err());
    let joint = Joint::new(l, r, 0).unwrap();
    let own = left().1;
    let nonce = Nonce::new(b"a test", &own, &mut rng(65));
    let minus = Encoded::of(&-nonce.point.decompress().unwrap());
    assert!(joint.left([&nonce.point, &minus], (&nonce, &own), &transcript()).is_err());
    let point = left().0;
    assert_eq!(total(&[point], 0), Ok(point));
    assert_eq!(total(&[], 5), Ok(Encoded::of(&(B * Scalar::from(5_u64)))));
}
