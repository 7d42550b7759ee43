//! The curve arithmetic of the search: affine additions, many at a time with one inversion.
//!
//! A Ristretto point is a coset of the 4-torsion, so it has four Edwards representatives. Eight times any of them is the
//! same point of the prime-order subgroup; the search works there. Additions run on the short Weierstrass form of the
//! curve, where an affine addition costs 5 multiplications and a squaring instead of the 13 of the Edwards form.

use ark_ec::{AdditiveGroup, PrimeGroup};
use ark_ed25519::{EdwardsAffine, EdwardsProjective, Fq};
use ark_ff::{BigInt, BigInteger, Field, MontFp, PrimeField};
use curve25519_dalek::ristretto::CompressedRistretto;
#[cfg(target_arch = "x86_64")]
use sudare_kernels::{
    processor::Ifma,
    walk::{self, Place, Walks},
};

/// A point of the prime-order subgroup, in the form in which starting points are computed.
pub(super) type Edwards = EdwardsProjective;

/// `d` of `-x^2 + y^2 = 1 + d*x^2*y^2` (RFC 9496).
const EDWARDS_D: Fq =
    MontFp!("37095705934669439343138083508754565189542113879843219016388785533085940283555");

/// A square root of -486664 = -(A + 2), which takes the Edwards form to `v^2 = u^3 + A*u^2 + u` (RFC 7748).
const MONTGOMERY_SCALE: Fq =
    MontFp!("51042569399160536130206135233146329284152202253034631822681833788666877215207");

/// `A / 3` for A = 486662: `x = u + A/3` removes the square term and gives the short Weierstrass form.
const WEIERSTRASS_SHIFT: Fq =
    MontFp!("19298681539552699237261830834781317975544997444273427339909597334652188435537");

/// How many different steps a walk chooses from. With 32 or more, a walk behaves nearly like a random one.
pub(super) const STEPS: usize = 64;

const STEP_MASK: u64 = 63;
const _: () = assert!(STEPS == 64, "STEP_MASK selects one of STEPS");

/// Decodes a Ristretto point and multiplies a representative by 8. `None` if the bytes are not a point.
///
/// The caller has had the encoding checked for canonicity by `curve25519-dalek`; the formulas are those of RFC 9496.
pub(super) fn eightfold(point: &CompressedRistretto) -> Option<Edwards> {
    let s = Fq::from_le_bytes_mod_order(point.as_bytes());
    let ss = s.square();
    let u1 = Fq::ONE - ss;
    let u2 = Fq::ONE + ss;
    let v = -(EDWARDS_D * u1.square()) - u2.square();
    let inverse_square = (v * u2.square()).inverse()?;
    let root = inverse_square.sqrt()?;
    let x = non_negative(s.double() * root * u2);
    let y = u1 * u2 * v * inverse_square;
    Some(Edwards::from(EdwardsAffine::new_unchecked(x, y)).double().double().double())
}

/// `8*B`, the image of the Ristretto base point under [`eightfold`].
pub(super) fn base() -> Edwards {
    Edwards::generator().double().double().double()
}

/// `multiple * point`.
pub(super) fn times(point: &Edwards, multiple: u128) -> Edwards {
    let bytes = multiple.to_le_bytes();
    let (low, high) = bytes.split_at(8);
    let limb = |half: &[u8]| half.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    point.mul_bigint([limb(low), limb(high)])
}

/// One walker: its place, how far it has come, and scratch space for the common inversion.
#[derive(Clone)]
pub(super) struct Lane {
    x: Fq,
    y: Fq,
    gap: Fq,
    before: Fq,
    digest: Digest,
    /// What has been added since the origin, as a multiple of the base.
    pub(super) log: u128,
}

impl Lane {
    /// A walker at `point`; `None` at the identity, which has no affine form.
    pub(super) fn new(point: &Edwards, log: u128) -> Option<Self> {
        let (x, y) = affine(point)?;
        Some(Self { x, y, gap: Fq::ZERO, before: Fq::ZERO, digest: Digest::of(x), log })
    }

    pub(super) fn digest(&self) -> Digest {
        self.digest
    }

    #[cfg(target_arch = "x86_64")]
    fn place(&self) -> Place {
        Place { x: bytes(self.x), y: bytes(self.y), log: self.log }
    }
}

/// Bits of a place that choose the next step, that mark places, and that name a marked place: the lowest three of four words of the
/// reduced x coordinate, so files with marks are good on every machine. Both `P` and `-P` have the same.
#[derive(Clone, Copy)]
pub(super) struct Digest {
    choice: u64,
    pub(super) mark: u64,
    pub(super) name: u64,
}

impl Digest {
    fn of(x: Fq) -> Self {
        let BigInt([choice, mark, name, _]) = x.into_bigint();
        Self { choice, mark, name }
    }
}

#[derive(Clone)]
struct Step {
    x: Fq,
    y: Fq,
    log: u128,
}

/// The steps of a walk; which one is taken depends on the place alone.
#[derive(Clone)]
pub(super) struct Steps(Box<[Step; STEPS]>);

impl Steps {
    /// Steps of the given non-zero sizes, as multiples of `base`. `None` if one of them is the identity.
    pub(super) fn new(base: &Edwards, sizes: &[u64; STEPS]) -> Option<Self> {
        let mut steps = Vec::with_capacity(STEPS);
        for size in sizes {
            let log = u128::from(*size);
            let (x, y) = affine(&times(base, log))?;
            steps.push(Step { x, y, log });
        }
        Some(Self(Box::new(steps.try_into().ok()?)))
    }

    fn at(&self, digest: Digest) -> Option<&Step> {
        self.0.get(usize::try_from(digest.choice & STEP_MASK).ok()?)
    }
}

/// Walkers that go together: in vectors where the processor can, else one by one; the same walks.
pub(super) struct Lanes(Kind);

enum Kind {
    Portable {
        lanes: Vec<Lane>,
        steps: Steps,
    },
    #[cfg(target_arch = "x86_64")]
    Vector(Box<Walks>),
}

impl Lanes {
    /// By the fastest way of this processor.
    pub(super) fn new(steps: &Steps, lanes: Vec<Lane>) -> Self {
        #[cfg(target_arch = "x86_64")]
        if let Some(ifma) = Ifma::detect() {
            let places: Vec<Place> = lanes.iter().map(Lane::place).collect();
            let steps = steps.0.each_ref().map(|step| Place {
                x: bytes(step.x),
                y: bytes(step.y),
                log: step.log,
            });
            let walks = Walks::new(ifma, walk::Steps::new(&steps), &places);
            return Self(Kind::Vector(Box::new(walks)));
        }
        Self::portable(steps, lanes)
    }

    /// One by one.
    pub(super) fn portable(steps: &Steps, lanes: Vec<Lane>) -> Self {
        Self(Kind::Portable { lanes, steps: steps.clone() })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match &self.0 {
            Kind::Portable { lanes, .. } => lanes.len(),
            #[cfg(target_arch = "x86_64")]
            Kind::Vector(walks) => walks.len(),
        }
    }

    /// Moves every walker one step; on an exceptional addition none has moved.
    pub(super) fn advance(&mut self) -> Result<(), Exceptional> {
        match &mut self.0 {
            Kind::Portable { lanes, steps } => advance(lanes, steps),
            #[cfg(target_arch = "x86_64")]
            Kind::Vector(walks) => walks.advance().map_err(|_| Exceptional),
        }
    }

    /// The walkers at places whose mark ends in so many zero bits.
    pub(super) fn at_marks(&self, bits: u32) -> Vec<AtMark> {
        let mut found = Vec::new();
        match &self.0 {
            Kind::Portable { lanes, .. } => {
                let mask = (1 << bits) - 1;
                let marked =
                    lanes.iter().enumerate().filter(|(_, lane)| lane.digest.mark & mask == 0);
                found.extend(marked.map(|(index, lane)| AtMark {
                    index,
                    name: lane.digest.name,
                    log: lane.log,
                }));
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Vector(walks) => walks.marked(bits, |index| {
                let Some(place) = walks.place(index) else { return };
                let digest = Digest::of(Fq::from_le_bytes_mod_order(&place.x));
                found.push(AtMark { index, name: digest.name, log: place.log });
            }),
        }
        found
    }

    /// How far a walker has come.
    pub(super) fn log(&self, index: usize) -> Option<u128> {
        match &self.0 {
            Kind::Portable { lanes, .. } => lanes.get(index).map(|lane| lane.log),
            #[cfg(target_arch = "x86_64")]
            Kind::Vector(walks) => walks.place(index).map(|place| place.log),
        }
    }

    /// Sets another in a walker's place.
    pub(super) fn put(&mut self, index: usize, lane: &Lane) {
        match &mut self.0 {
            Kind::Portable { lanes, .. } => {
                if let Some(place) = lanes.get_mut(index) {
                    *place = lane.clone();
                }
            }
            #[cfg(target_arch = "x86_64")]
            Kind::Vector(walks) => walks.put(index, &lane.place()),
        }
    }
}

/// A walker at a mark.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AtMark {
    pub(super) index: usize,
    /// Names the place; two places have the same name with chance 2^-64.
    pub(super) name: u64,
    pub(super) log: u128,
}

#[cfg(target_arch = "x86_64")]
fn bytes(element: Fq) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(element.into_bigint().0.map(u64::to_le_bytes).as_flattened());
    bytes
}

/// A walker met a point that its step cannot be added to by the affine formula (`P = S` or `P = -S`).
pub(super) struct Exceptional;

/// Moves every lane one step: `x3 = m^2 - x1 - x2`, `y3 = m*(x1 - x3) - y1` with `m = (y2 - y1) / (x2 - x1)`.
///
/// The denominators share one inversion (Montgomery's trick). On an exceptional addition no lane has moved.
pub(super) fn advance(lanes: &mut [Lane], steps: &Steps) -> Result<(), Exceptional> {
    let mut product = Fq::ONE;
    for lane in lanes.iter_mut() {
        let Some(step) = steps.at(lane.digest()) else { continue };
        lane.gap = step.x - lane.x;
        lane.before = product;
        product *= lane.gap;
    }
    let mut inverse = product.inverse().ok_or(Exceptional)?;
    for lane in lanes.iter_mut().rev() {
        let Some(step) = steps.at(lane.digest()) else { continue };
        let slope = (step.y - lane.y) * inverse * lane.before;
        inverse *= lane.gap;
        let x = slope.square() - lane.x - step.x;
        lane.y = slope * (lane.x - x) - lane.y;
        lane.x = x;
        lane.digest = Digest::of(x);
        lane.log += step.log;
    }
    Ok(())
}

/// The point in short Weierstrass form. In the prime-order subgroup only the identity has none.
fn affine(point: &Edwards) -> Option<(Fq, Fq)> {
    // u = (1 + y)/(1 - y), v = MONTGOMERY_SCALE * u/x, with x = X/Z and y = Y/Z, over one common denominator.
    let sum = point.z + point.y;
    let inverse = ((point.z - point.y) * point.x).inverse()?;
    let u = sum * point.x * inverse;
    let v = MONTGOMERY_SCALE * sum * point.z * inverse;
    Some((u + WEIERSTRASS_SHIFT, v))
}

/// Of `value` and `-value`, the one whose canonical encoding is even (RFC 9496).
fn non_negative(value: Fq) -> Fq {
    if value.into_bigint().is_odd() { -value } else { value }
}

#[cfg(test)]
mod tests {
    use ark_ff::Zero;
    use curve25519_dalek::{
        RistrettoPoint, Scalar, constants::RISTRETTO_BASEPOINT_POINT, traits::Identity,
    };

    use super::*;

    #[test]
    fn constants_are_what_their_names_say() {
        assert_eq!(MONTGOMERY_SCALE.square(), -Fq::from(486_664_u64));
        assert_eq!(WEIERSTRASS_SHIFT * Fq::from(3_u64), Fq::from(486_662_u64));
        assert_eq!(EDWARDS_D * Fq::from(121_666_u64), -Fq::from(121_665_u64));
    }

    #[test]
    fn base_point_is_that_of_ristretto() {
        assert_eq!(eightfold(&RISTRETTO_BASEPOINT_POINT.compress()), Some(base()));
        assert_eq!(eightfold(&RistrettoPoint::identity().compress()), Some(Edwards::zero()));
    }

    #[test]
    fn eightfold_follows_ristretto_on_random_points() {
        // A representative with torsion, or with the wrong sign, would break one of these sums.
        for i in 0..100_u64 {
            let point = RistrettoPoint::hash_from_bytes::<sha2::Sha512>(&i.to_le_bytes());
            let other = RistrettoPoint::hash_from_bytes::<sha2::Sha512>(&(i + 1000).to_le_bytes());
            let decode = |p: RistrettoPoint| eightfold(&p.compress()).unwrap();
            assert_eq!(decode(point) + decode(other), decode(point + other));
            assert_eq!(decode(point).double(), decode(point + point));
            assert_eq!(decode(-point), -decode(point));
            assert_eq!(times(&decode(point), u128::from(i)), decode(Scalar::from(i) * point));
        }
    }

    #[test]
    fn every_representative_of_a_coset_gives_the_same_point() {
        // (0, -1) and (i, 0) generate the 4-torsion.
        let i = (-Fq::ONE).sqrt().unwrap();
        let point = Edwards::generator();
        let torsion = Edwards::from(EdwardsAffine::new_unchecked(i, Fq::ZERO));
        for k in 0..4_u64 {
            let shifted = point + torsion.mul_bigint([k]);
            assert_eq!(shifted.double().double().double(), base());
        }
    }

    #[test]
    fn advancing_many_lanes_adds_the_chosen_step_to_each() {
        let sizes = core::array::from_fn(|i| 1 << (i % 40));
        let steps = Steps::new(&base(), &sizes).unwrap();
        let start = |log: u128| Lane::new(&times(&base(), log), log).unwrap();
        let mut lanes: Vec<_> = (0..33_u128).map(|i| start((1 << 50) + i)).collect();
        for _ in 0..20 {
            assert!(advance(&mut lanes, &steps).is_ok());
        }
        for lane in &lanes {
            let expected = start(lane.log);
            assert!(lane.log > 1 << 50 && lane.x == expected.x && lane.y == expected.y);
        }
    }

    #[test]
    fn walkers_in_vectors_go_the_same_ways_as_one_by_one() {
        let sizes = core::array::from_fn(|i| 2 << (i % 40));
        let steps = Steps::new(&base(), &sizes).unwrap();
        let start = |log: u128| Lane::new(&times(&base(), log), log).unwrap();
        let lanes: Vec<Lane> = (0..45_u128).map(|i| start((1 << 50) + 2 * i + 1)).collect();
        let mut fastest = Lanes::new(&steps, lanes.clone());
        let mut portable = Lanes::portable(&steps, lanes);
        for round in 0..200 {
            assert!(fastest.advance().is_ok() && portable.advance().is_ok());
            assert_eq!(fastest.at_marks(4), portable.at_marks(4));
            let moved = start((1 << 60) + 2 * round + 1);
            fastest.put(7, &moved);
            portable.put(7, &moved);
        }
        assert_eq!((fastest.len(), portable.len()), (45, 45));
        for index in 0..46 {
            assert_eq!(fastest.log(index), portable.log(index));
        }
        let mut clash =
            Lanes::new(&Steps::new(&base(), &[5; STEPS]).unwrap(), vec![start(9), start(5)]);
        assert!(clash.advance().is_err());
        assert_eq!(clash.log(0), Some(9));
    }

    #[test]
    fn an_exceptional_addition_is_reported_and_moves_nobody() {
        let steps = Steps::new(&base(), &[5; STEPS]).unwrap();
        {
            let log = 5;
            let same = Lane::new(&times(&base(), log), log).unwrap();
            let opposite = Lane::new(&-times(&base(), log), 0).unwrap();
            for clash in [same, opposite] {
                let mut lanes = vec![Lane::new(&times(&base(), 9), 9).unwrap(), clash];
                assert!(advance(&mut lanes, &steps).is_err());
                assert_eq!(lanes[0].log, 9);
            }
        }
        assert!(Lane::new(&Edwards::zero(), 0).is_none());
    }
}
