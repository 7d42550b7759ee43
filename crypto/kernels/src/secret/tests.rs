use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;

/// Tests have nothing to do where the processor lacks the instructions.
macro_rules! ifma {
    () => {
        match Ifma::detect() {
            Some(ifma) => ifma,
            None => return,
        }
    };
}

fn group(ifma: Ifma, points: &[RistrettoPoint; 8]) -> Group {
    Group::decode(ifma, &points.map(|point| point.compress().to_bytes())).unwrap()
}

fn digits(scalars: &[Scalar; 8]) -> Digits {
    Digits::of(&scalars.map(|scalar| scalar.to_bytes()))
}

fn points(rng: &mut ChaCha20Rng) -> [RistrettoPoint; 8] {
    core::array::from_fn(|_| RistrettoPoint::random(rng))
}

/// Scalars whose digits are all of one kind, and of all kinds.
fn scalars(rng: &mut ChaCha20Rng, round: u64) -> [Scalar; 8] {
    let nibbles = |byte| Scalar::from_bytes_mod_order([byte; 32]);
    let edges = [
        Scalar::ZERO,
        Scalar::ONE,
        -Scalar::ONE,
        Scalar::from(8u64),
        nibbles(0x88),
        nibbles(0x77),
        nibbles(0x80),
        Scalar::from(u64::MAX),
    ];
    if round == 0 { edges } else { core::array::from_fn(|_| Scalar::random(rng)) }
}

fn sum<'a>(points: impl Iterator<Item = (&'a Scalar, &'a RistrettoPoint)>) -> RistrettoPoint {
    points.map(|(scalar, point)| scalar * point).sum()
}

fn pairs<'a>(
    scalars: &'a [Scalar; 8],
    points: &'a [RistrettoPoint; 8],
) -> impl Iterator<Item = (&'a Scalar, &'a RistrettoPoint)> {
    (0..8).map(|lane| (&scalars[lane], &points[lane]))
}

#[test]
fn both_sums_are_those_of_dalek_for_every_kind_of_digit() {
    let ifma = ifma!();
    let rng = &mut ChaCha20Rng::seed_from_u64(1);
    for round in 0..12 {
        let these: [[RistrettoPoint; 8]; 3] = core::array::from_fn(|_| points(rng));
        let by: [[Scalar; 8]; 3] = core::array::from_fn(|_| scalars(rng, round));
        let groups = these.each_ref().map(|points| group(ifma, points));
        let by_digits = by.each_ref().map(digits);
        let term = |i: usize, second| Term { group: &groups[i], digits: &by_digits[i], second };
        let sums = Sums::of(ifma, &[term(0, false), term(1, true), term(2, false)]);
        let first = sum(pairs(&by[0], &these[0]).chain(pairs(&by[2], &these[2])));
        let second = sum(pairs(&by[1], &these[1]));
        let expected = [first, second].map(|point| point.compress().to_bytes());
        assert_eq!(encode(ifma, &sums), expected, "{round}");
        // The sums of single lanes, as points to go on with.
        let lanes = core::array::from_fn(|lane| {
            by[0][lane] * these[0][lane] + by[2][lane] * these[2][lane]
        });
        let folded = Group::of(&sums[0]);
        let again = scalars(rng, round + 1);
        let terms = [Term { group: &folded, digits: &digits(&again), second: false }];
        let [total, nothing] = Sums::of(ifma, &terms);
        let expected = [sum(pairs(&again, &lanes)), RistrettoPoint::identity()];
        assert_eq!(
            encode(ifma, &[total, nothing]),
            expected.map(|point| point.compress().to_bytes())
        );
        let only = |lanes: u8| [total.only(lanes), total.only(!lanes)];
        let mask = 0b0101_0011;
        let of = |bit: u8| {
            sum(pairs(&again, &lanes)
                .enumerate()
                .filter(|(lane, _)| mask >> lane & 1 == bit)
                .map(|(_, pair)| pair))
        };
        let expected = [of(1), of(0)].map(|point| point.compress().to_bytes());
        assert_eq!(encode(ifma, &only(mask)), expected);
        let both = [total.plus(&sums[1]), sums[1].plus(&nothing)];
        let expected = [sum(pairs(&again, &lanes)) + second, second];
        assert_eq!(encode(ifma, &both), expected.map(|point| point.compress().to_bytes()));
    }
}

#[test]
fn equal_and_opposite_points_and_the_identity_add_up_as_others_do() {
    let ifma = ifma!();
    let rng = &mut ChaCha20Rng::seed_from_u64(2);
    let point = RistrettoPoint::random(rng);
    let identity = RistrettoPoint::identity();
    let these = [point, -point, point, identity, point + point, identity, -point, point];
    let group = group(ifma, &these);
    for by in [[Scalar::ONE; 8], [Scalar::from(7u64); 8], scalars(rng, 0), scalars(rng, 1)] {
        let digits = digits(&by);
        let terms = [false, true].map(|second| Term { group: &group, digits: &digits, second });
        let expected = sum(pairs(&by, &these)).compress().to_bytes();
        assert_eq!(encode(ifma, &Sums::of(ifma, &terms)), [expected; 2]);
    }
    assert_eq!(encode(ifma, &[Sums::zero(ifma); 2]), [[0; 32]; 2]);
}

#[test]
fn a_group_decodes_just_if_each_of_its_points_does() {
    let ifma = ifma!();
    let rng = &mut ChaCha20Rng::seed_from_u64(3);
    let good = points(rng).map(|point| point.compress().to_bytes());
    assert!(Group::decode(ifma, &good).is_some());
    let mut bad = vec![[0xff; 32]];
    let mut p_plus_2 = [0xff; 32];
    (p_plus_2[0], p_plus_2[31]) = (0xef, 0x7f);
    bad.push(p_plus_2);
    for _ in 0..64 {
        let mut bytes = [0; 32];
        rng.fill_bytes(&mut bytes);
        bytes[31] &= 0x7f;
        bytes[0] &= 0xfe;
        bad.push(bytes);
        bytes[0] |= 1;
        bad.push(bytes);
    }
    for (number, bytes) in bad.into_iter().enumerate() {
        let mut encodings = good;
        encodings[number % 8] = bytes;
        let decodes = CompressedRistretto(bytes).decompress().is_some();
        assert_eq!(Group::decode(ifma, &encodings).is_some(), decodes, "{bytes:?}");
    }
}

#[test]
fn secrets_do_not_print() {
    let digits = digits(&[Scalar::from(0x1234_5678u64); 8]);
    assert_eq!(format!("{digits:?}"), "Digits(***)");
}
