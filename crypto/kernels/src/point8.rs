//! Eight points of the curve, one in each lane: the formulas of Hisil, Wong, Carter, Dawson 2008 for `-x^2 + y^2 = 1 + d*x^2*y^2`, which
//! have no exceptions, and the encoding of RFC 9496.

use crate::element::{Element, Limbs, Two, invert, power_p58};
use crate::field8::{Field8, Mask8};
use crate::processor::Ifma;

/// `d = -121665/121666`.
const D: Limbs = [
    929_955_233_495_203,
    466_365_720_129_213,
    1_662_059_464_998_953,
    2_033_849_074_728_123,
    1_442_794_654_840_575,
];
/// `2*d`.
const TWICE_D: Limbs = [
    1_859_910_466_990_425,
    932_731_440_258_426,
    1_072_319_116_312_658,
    1_815_898_335_770_999,
    633_789_495_995_903,
];
/// The even square root of -1.
const ROOT_OF_MINUS_1: Limbs = [
    1_718_705_420_411_056,
    234_908_883_556_509,
    2_233_514_472_574_048,
    2_117_202_627_021_982,
    765_476_049_583_133,
];
/// `1/sqrt(-1 - d)`, the even one.
const INVERSE_ROOT: Limbs = [
    278_908_739_862_762,
    821_645_201_101_625,
    8_113_234_426_968,
    1_777_959_178_193_151,
    2_118_520_810_568_447,
];

/// Points in extended coordinates: `x = X/Z`, `y = Y/Z`, `T = X*Y/Z`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point8 {
    x: Field8,
    y: Field8,
    z: Field8,
    t: Field8,
}

/// Points in affine form, ready to be added: `y + x`, `y - x`, `2*d*x*y`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addend8 {
    plus: Field8,
    minus: Field8,
    product: Field8,
}

impl Point8 {
    #[inline(always)]
    pub(crate) fn identity(ifma: Ifma) -> Self {
        let (zero, one) = (Field8::zero(ifma), Field8::one(ifma));
        Self { x: zero, y: one, z: one, t: zero }
    }

    /// X, Y, Z and T.
    #[inline(always)]
    pub(crate) const fn coordinates(self) -> [Field8; 4] {
        [self.x, self.y, self.z, self.t]
    }

    /// The point with these coordinates X, Y, Z and T.
    #[inline(always)]
    pub(crate) const fn of_coordinates([x, y, z, t]: [Field8; 4]) -> Self {
        Self { x, y, z, t }
    }

    /// Those of `other` where the mask's bit is one, those of `self` elsewhere.
    #[inline(always)]
    pub(crate) fn or(self, other: Self, mask: Mask8) -> Self {
        Self {
            x: self.x.or(other.x, mask),
            y: self.y.or(other.y, mask),
            z: self.z.or(other.z, mask),
            t: self.t.or(other.t, mask),
        }
    }

    /// `self + other`: seven multiplications.
    #[inline(always)]
    pub(crate) fn plus(self, other: &Addend8) -> Self {
        let a = (self.y - self.x) * other.minus;
        let b = (self.y + self.x) * other.plus;
        let c = self.t * other.product;
        let d = self.z + self.z;
        let (e, f, g, h) = (b - a, d - c, d + c, b + a);
        Self { x: e * f, y: g * h, z: f * g, t: e * h }
    }

    /// `self + other`: nine multiplications.
    #[inline(always)]
    pub(crate) fn add(self, other: Self, ifma: Ifma) -> Self {
        let a = (self.y - self.x) * (other.y - other.x);
        let b = (self.y + self.x) * (other.y + other.x);
        let c = self.t * other.t * Field8::splat(ifma, TWICE_D);
        let z = self.z * other.z;
        let d = z + z;
        let (e, f, g, h) = (b - a, d - c, d + c, b + a);
        Self { x: e * f, y: g * h, z: f * g, t: e * h }
    }

    /// Adds lanes to others: of `self` and `other` together, those that the first list names to those that the second names.
    #[inline(always)]
    pub(crate) fn halves_added(self, other: Self, [one, two]: [[usize; 8]; 2], ifma: Ifma) -> Self {
        let of = |lanes: [usize; 8]| Self {
            x: picked(ifma, self.x, other.x, lanes),
            y: picked(ifma, self.y, other.y, lanes),
            z: picked(ifma, self.z, other.z, lanes),
            t: picked(ifma, self.t, other.t, lanes),
        };
        of(one).add(of(two), ifma)
    }

    /// The sum of all lanes, in the first.
    #[inline(always)]
    pub(crate) fn total(self, ifma: Ifma) -> Self {
        let fours =
            self.halves_added(self, [[0, 1, 2, 3, 0, 0, 0, 0], [4, 5, 6, 7, 0, 0, 0, 0]], ifma);
        let twos =
            fours.halves_added(fours, [[0, 1, 0, 0, 0, 0, 0, 0], [2, 3, 0, 0, 0, 0, 0, 0]], ifma);
        twos.halves_added(twos, [[0; 8], [1; 8]], ifma)
    }

    /// `16*self`.
    #[inline(always)]
    pub(crate) fn times_16(self) -> Self {
        let mut point = self;
        for _ in 0..3 {
            point = point.doubled();
        }
        point.doubled()
    }

    /// `2*self`: four squares and four multiplications.
    #[inline(always)]
    pub(crate) fn doubled(self) -> Self {
        let (a, b) = (self.x.square(), self.y.square());
        let zz = self.z.square();
        let c = zz + zz;
        let h = a + b;
        let e = h - (self.x + self.y).square();
        let g = a - b;
        let f = c + g;
        Self { x: e * f, y: g * h, z: f * g, t: e * h }
    }

    /// The points that these encodings decode to (RFC 9496, section 4.3.1), and which of them do. Public.
    #[inline(always)]
    pub(crate) fn decode(ifma: Ifma, encodings: &[[u8; 32]; 8]) -> (Self, Mask8) {
        let encoded = Encoded8::new(ifma, encodings);
        encoded.decoded(ifma, inverse_root(ifma, encoded.w))
    }

    /// As [`Self::decode`], of twice as many at once.
    #[inline(always)]
    pub(crate) fn decode_two(ifma: Ifma, encodings: &[[u8; 32]; 16]) -> [(Self, Mask8); 2] {
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = *encodings;
        let one = Encoded8::new(ifma, &[a, b, c, d, e, f, g, h]);
        let two = Encoded8::new(ifma, &[i, j, k, l, m, n, o, p]);
        let [root_one, root_two] = inverse_roots(ifma, [one.w, two.w]);
        [one.decoded(ifma, root_one), two.decoded(ifma, root_two)]
    }

    /// Which are the identity of the group: the four points with a zero coordinate.
    #[inline(always)]
    pub(crate) fn is_identity(self) -> Mask8 {
        self.x.is_zero() | self.y.is_zero()
    }

    /// The encodings (RFC 9496, section 4.3.2), whichever of a coset's points these are.
    #[inline(always)]
    pub(crate) fn encode(self, ifma: Ifma) -> [[u8; 32]; 8] {
        let i = Field8::splat(ifma, ROOT_OF_MINUS_1);
        let u1 = (self.z + self.y) * (self.z - self.y);
        let u2 = self.x * self.y;
        let (root, _) = inverse_root(ifma, u1 * u2.square());
        let (den_1, den_2) = (root * u1, root * u2);
        let z_inverse = den_1 * den_2 * self.t;
        let rotate = (self.t * z_inverse).is_negative();
        let x = self.x.or(self.y * i, rotate);
        let y = self.y.or(self.x * i, rotate);
        let den = den_2.or(den_1 * Field8::splat(ifma, INVERSE_ROOT), rotate);
        let y = y.negated_where((x * z_inverse).is_negative());
        absolute(den * (self.z - y)).to_bytes()
    }
}

/// The lanes with these numbers, of `one` up to 7, of `other` from 8 on.
#[inline(always)]
fn picked(ifma: Ifma, one: Field8, other: Field8, lanes: [usize; 8]) -> Field8 {
    let all = [one.canonical().to_lanes(), other.canonical().to_lanes()];
    let all = all.as_flattened();
    Field8::of_lanes(ifma, &lanes.map(|lane| all.get(lane).copied().unwrap_or_default()))
}

/// Of `x` and `-x` the even one.
#[inline(always)]
fn absolute(x: Field8) -> Field8 {
    x.negated_where(x.is_negative())
}

/// Encodings on the way to points: what is calculated before the root, under the names of RFC 9496, section 4.3.1.
struct Encoded8 {
    s: Field8,
    u1: Field8,
    u2: Field8,
    v: Field8,
    /// `v*u2^2`, of which the root is wanted.
    w: Field8,
    canonical: Mask8,
}

impl Encoded8 {
    #[inline(always)]
    fn new(ifma: Ifma, encodings: &[[u8; 32]; 8]) -> Self {
        let one = Field8::one(ifma);
        let s = Field8::of_bytes(ifma, encodings);
        let ss = s.square();
        let (u1, u2) = (one - ss, one + ss);
        let u2_squared = u2.square();
        let v = -(Field8::splat(ifma, D) * u1.square()) - u2_squared;
        let canonical = encodings
            .iter()
            .rev()
            .fold(0, |bits, encoding| bits << 1 | u8::from(is_canonical(encoding)));
        Self { s, u1, u2, v, w: v * u2_squared, canonical: Mask8::of_bits(canonical) }
    }

    #[inline(always)]
    fn decoded(&self, ifma: Ifma, (root, square): (Field8, Mask8)) -> (Point8, Mask8) {
        let den_x = root * self.u2;
        let den_y = root * den_x * self.v;
        let x = absolute((self.s + self.s) * den_x);
        let y = self.u1 * den_y;
        let t = x * y;
        let good = self.canonical & square & !t.is_negative() & !y.is_zero();
        (Point8 { x, y, z: Field8::one(ifma), t }, good)
    }
}

/// Whether these are the bytes of an even number below `p`.
#[inline(always)]
fn is_canonical(encoding: &[u8; 32]) -> bool {
    let [low, middle @ .., high] = encoding;
    let below = *high < 0x7f || *low < 0xed || middle.iter().any(|byte| *byte != 0xff);
    *high <= 0x7f && below && low & 1 == 0
}

/// `SQRT_RATIO_M1(1, v)` of RFC 9496, section 4.2: the even root of `1/v` or of `i/v`, and where it is the first.
#[inline(always)]
fn inverse_root(ifma: Ifma, v: Field8) -> (Field8, Mask8) {
    let v3 = v.square() * v;
    root_of_power(ifma, v, v3, power_p58(v3.square() * v))
}

/// As [`inverse_root`], of twice as many.
#[inline(always)]
fn inverse_roots(ifma: Ifma, [v, w]: [Field8; 2]) -> [(Field8, Mask8); 2] {
    let (v3, w3) = (v.square() * v, w.square() * w);
    let Two(power_v, power_w) = power_p58(Two(v3.square() * v, w3.square() * w));
    [root_of_power(ifma, v, v3, power_v), root_of_power(ifma, w, w3, power_w)]
}

/// The root, given `v^3` and `(v^7)^((p - 5)/8)`.
#[inline(always)]
fn root_of_power(ifma: Ifma, v: Field8, v3: Field8, power: Field8) -> (Field8, Mask8) {
    let (one, i) = (Field8::one(ifma), Field8::splat(ifma, ROOT_OF_MINUS_1));
    let root = v3 * power;
    let check = v * root.square();
    let minus_one = check.equals(-one);
    let square = check.equals(one) | minus_one;
    let flipped = minus_one | check.equals(-i);
    (absolute(root.or(root * i, flipped)), square)
}

impl Addend8 {
    #[inline(always)]
    pub(crate) fn identity(ifma: Ifma) -> Self {
        let (zero, one) = (Field8::zero(ifma), Field8::one(ifma));
        Self { plus: one, minus: one, product: zero }
    }

    /// Of points whose Z is one.
    #[inline(always)]
    pub(crate) fn of_affine(ifma: Ifma, point: Point8) -> Self {
        let Point8 { x, y, t, .. } = point;
        Self { plus: y + x, minus: y - x, product: t * Field8::splat(ifma, TWICE_D) }
    }

    /// `y + x`, `y - x` and `2*d*x*y`.
    #[inline(always)]
    pub(crate) const fn parts(self) -> [Field8; 3] {
        [self.plus, self.minus, self.product]
    }

    /// Of `y + x`, `y - x` and `2*d*x*y`.
    #[inline(always)]
    pub(crate) const fn of_parts([plus, minus, product]: [Field8; 3]) -> Self {
        Self { plus, minus, product }
    }

    /// The points themselves, with Z = 4: one multiplication.
    #[inline(always)]
    pub(crate) fn point(self, ifma: Ifma) -> Point8 {
        let (x, y) = (self.plus - self.minus, self.plus + self.minus);
        Point8 { x: x + x, y: y + y, z: Field8::splat(ifma, [4, 0, 0, 0, 0]), t: x * y }
    }

    /// That of `other` where the mask's bit is one, that of `self` elsewhere.
    #[inline(always)]
    pub(crate) fn or(self, other: &Self, mask: Mask8) -> Self {
        Self {
            plus: self.plus.or(other.plus, mask),
            minus: self.minus.or(other.minus, mask),
            product: self.product.or(other.product, mask),
        }
    }

    /// `-self` where the mask's bit is one, `self` elsewhere.
    #[inline(always)]
    pub(crate) fn negated_where(self, mask: Mask8) -> Self {
        Self {
            plus: self.plus.or(self.minus, mask),
            minus: self.minus.or(self.plus, mask),
            product: self.product.negated_where(mask),
        }
    }

    /// The points from 1 to 8 times `point`, with one inversion.
    #[inline(always)]
    pub(crate) fn multiples(ifma: Ifma, point: Point8) -> [Self; 8] {
        let two = point.doubled();
        let three = two.add(point, ifma);
        let four = two.doubled();
        let six = three.doubled();
        let five = four.add(point, ifma);
        let seven = six.add(point, ifma);
        let points = [point, two, three, four, five, six, seven, four.doubled()];
        let mut all = Field8::one(ifma);
        let with_products = points.map(|point| {
            let before = all;
            all = all * point.z;
            (point, before)
        });
        let mut inverse = invert(all);
        let mut multiples = [Self::identity(ifma); 8];
        let twice_d = Field8::splat(ifma, TWICE_D);
        let mut left = with_products.into_iter();
        for multiple in multiples.iter_mut().rev() {
            let Some((point, before)) = left.next_back() else { break };
            let z = inverse * before;
            inverse = inverse * point.z;
            let (x, y) = (point.x * z, point.y * z);
            *multiple = Self { plus: y + x, minus: y - x, product: x * y * twice_d };
        }
        multiples
    }
}
