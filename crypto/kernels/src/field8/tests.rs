//! Against the field of `ark_ed25519`, in every lane.

use ark_ed25519::Fq;
use ark_ff::{AdditiveGroup, BigInteger, Field, PrimeField};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use super::{Field8, Mask8};
use crate::element::{Element, LIMB_MAX, Limbs, Two, invert, power_p58};
use crate::processor::Ifma;

/// Nothing to test on a processor without the instructions: then no `Field8` exists.
fn ifma() -> Option<Ifma> {
    Ifma::detect()
}

/// Eight elements, and the same of the other implementation.
#[derive(Clone, Copy, Debug)]
struct Both(Field8, [Fq; 8]);

impl Both {
    fn of(ifma: Ifma, bytes: &[[u8; 32]; 8]) -> Self {
        let one = |bytes: &[u8; 32]| {
            let mut bytes = *bytes;
            bytes[31] &= 0x7f;
            Fq::from_le_bytes_mod_order(&bytes)
        };
        Self(Field8::of_bytes(ifma, bytes), bytes.each_ref().map(one))
    }

    fn map(self, ours: impl Fn(Field8) -> Field8, theirs: impl Fn(Fq) -> Fq) -> Self {
        let both = Self(ours(self.0), self.1.map(theirs));
        both.check();
        both
    }

    fn with(
        self,
        other: Self,
        ours: impl Fn(Field8, Field8) -> Field8,
        theirs: impl Fn(Fq, Fq) -> Fq,
    ) -> Self {
        let lane = |lane: usize| theirs(self.1[lane], other.1[lane]);
        let both = Self(ours(self.0, other.0), std::array::from_fn(lane));
        both.check();
        both
    }

    /// The same numbers in every lane, and no limb above the bound.
    fn check(self) {
        let expected = self.1.map(encoded);
        assert_eq!(self.0.to_bytes(), expected);
        let limbs = self.0.to_lanes();
        assert!(limbs.as_flattened().iter().all(|limb| *limb <= LIMB_MAX + (1 << 16)), "{limbs:?}");
    }
}

fn encoded(element: Fq) -> [u8; 32] {
    element.into_bigint().to_bytes_le().try_into().unwrap()
}

fn bits(found: [bool; 8]) -> u8 {
    found.iter().rev().fold(0, |bits, one| bits << 1 | u8::from(*one))
}

/// 0, 1, 2, 19, p - 1, p, p + 1, 2^255 - 1, numbers with full or single limbs and with long runs of ones.
fn edges() -> Vec<[u8; 32]> {
    let small = |number: u8| {
        let mut bytes = [0; 32];
        bytes[0] = number;
        bytes
    };
    let near_p = |low: u8| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (low, 0x7f);
        bytes
    };
    let mut edges = vec![small(0), small(1), small(2), small(18), small(19), small(20), small(38)];
    edges.extend([0xec, 0xed, 0xee, 0xda, 0xff].map(near_p));
    for limb in 0..5 {
        let mut limbs: Limbs = [0; 5];
        limbs[limb] = LIMB_MAX;
        edges.push(crate::element::bytes(limbs));
        edges.push(crate::element::bytes(limbs.map(|limb| LIMB_MAX - limb)));
    }
    let root = Fq::from(-1).sqrt().unwrap();
    edges.extend([encoded(root), encoded(-root)]);
    edges
}

fn check_all(ifma: Ifma, a: &[[u8; 32]; 8], b: &[[u8; 32]; 8], mask: u8) {
    let (a, b) = (Both::of(ifma, a), Both::of(ifma, b));
    a.check();
    let product = a.with(b, |a, b| a * b, |a, b| a * b);
    let sum = a.with(b, |a, b| a + b, |a, b| a + b);
    let difference = a.with(b, |a, b| a - b, |a, b| a - b);
    // Results are operands too: their limbs go up to the bound.
    let both = sum.with(difference, |a, b| a * b, |a, b| a * b);
    both.with(product, |a, b| a - b, |a, b| a - b).with(sum, |a, b| a + b, |a, b| a + b);
    difference.map(Element::square, |a| Field::square(&a));
    a.map(Element::square, |a| Field::square(&a));
    a.map(|a| -a, |a| -a);
    a.map(Field8::canonical, |a| a);
    let zeros = |of: Both| bits(of.1.map(|one| one == Fq::ZERO));
    assert_eq!(a.0.is_zero().bits(), zeros(a));
    assert_eq!(difference.0.is_zero().bits(), zeros(difference));
    assert_eq!(a.0.equals(b.0).bits(), zeros(difference));
    assert_eq!(a.0.equals(a.0).bits(), 0xff);
    let odd = |of: Both| bits(of.1.map(|one| encoded(one)[0] & 1 == 1));
    assert_eq!(a.0.is_negative().bits(), odd(a));
    assert_eq!(product.0.is_negative().bits(), odd(product));
    let chosen = |lane: usize| if mask >> lane & 1 == 1 { b.1[lane] } else { a.1[lane] };
    let mask8 = Mask8::of_bits(mask);
    Both(a.0.or(b.0, mask8), std::array::from_fn(chosen)).check();
    let signed = |lane: usize| if mask >> lane & 1 == 1 { -a.1[lane] } else { a.1[lane] };
    Both(a.0.negated_where(mask8), std::array::from_fn(signed)).check();
}

#[test]
fn the_arithmetic_is_the_fields_on_every_pair_of_edges() {
    let Some(ifma) = ifma() else { return };
    let edges = edges();
    for (shift, a) in edges.iter().enumerate() {
        for b in edges.chunks(8) {
            let b: [_; 8] = std::array::from_fn(|lane| b[lane % b.len()]);
            let mut a = [*a; 8];
            a[shift % 8] = edges[shift / 2];
            check_all(ifma, &a, &b, u8::try_from(shift).unwrap());
        }
    }
}

#[test]
fn powers_and_inverses_are_the_fields() {
    let Some(ifma) = ifma() else { return };
    let rng = &mut ChaCha20Rng::seed_from_u64(3);
    let mut random = [[0; 32]; 8];
    random.iter_mut().for_each(|bytes| rng.fill_bytes(bytes));
    let edges: [_; 8] = std::array::from_fn(|lane| edges()[lane]);
    let (random, edges) = (Both::of(ifma, &random), Both::of(ifma, &edges));
    for both in [random, edges] {
        both.map(invert, |a| a.inverse().unwrap_or(Fq::ZERO));
        both.map(power_p58, power_p58);
    }
    let Two(one, other) = power_p58(Two(random.0, edges.0));
    Both(one, random.1.map(power_p58)).check();
    Both(other, edges.1.map(power_p58)).check();
}

#[test]
fn constants_and_limbs_are_in_every_lane() {
    let Some(ifma) = ifma() else { return };
    Both(Field8::zero(ifma), [Fq::ZERO; 8]).check();
    Both(Field8::one(ifma), [Fq::ONE; 8]).check();
    let lanes: [Limbs; 8] = std::array::from_fn(|lane| {
        std::array::from_fn(|limb| u64::try_from(lane * 5 + limb).unwrap())
    });
    assert_eq!(Field8::of_lanes(ifma, &lanes).to_lanes(), lanes);
    // More than 51 bits would break the bound, so they are cut.
    assert_eq!(Field8::splat(ifma, [u64::MAX; 5]).to_lanes(), [[LIMB_MAX; 5]; 8]);
}

#[test]
fn masks_are_bits() {
    let (a, b) = (Mask8::of_bits(0b1100), Mask8::of_bits(0b1010));
    assert_eq!(((a & b).bits(), (a | b).bits(), (!a).bits()), (0b1000, 0b1110, 0b1111_0011));
}

#[test]
fn an_element_does_not_print() {
    let Some(ifma) = ifma() else { return };
    assert_eq!(format!("{:?}", Field8::one(ifma)), "Field8(..)");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn the_arithmetic_is_the_fields(a: [[u8; 32]; 8], b: [[u8; 32]; 8], mask: u8) {
        if let Some(ifma) = ifma() {
            check_all(ifma, &a, &b, mask);
        }
    }
}
