//! The prover of range proofs: Bünz et al. 2018, sections 4.2 and 3, to the byte what the `bulletproofs` crate makes of the same
//! randomness, in three quarters of its time.
//!
//! The crate folds the generators in every round of the inner product argument, two multiplications for each. Here they stay
//! for [`UNFOLDED`] rounds, whose points are sums over the generators at hand; then they are folded eight to one.
//!
//! Everything up to `l(x)` and `r(x)` takes constant time. These two vectors are what the protocol without the inner product
//! argument sends to the verifier (section 4.1), so they may be seen, and what follows takes variable time, as in the crate.

use ark_ff::Field;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::{MultiscalarMul, VartimeMultiscalarMul};
use merlin::Transcript;
use rand_core::CryptoRngCore;
use subtle::{Choice, ConditionallySelectable};
use zeroize::{Zeroize, Zeroizing};

use super::BITS;
use super::generators::of_value;
use crate::field::{Fr, field, scalar};
use crate::point::{B_BLINDING, commit, times_b, times_b_blinding};
use crate::proof::amount::Opening;
use crate::{Scalar, numbered, pairs};

/// How many rounds pass before generators are folded.
const UNFOLDED: u32 = 3;
/// So few generators are never folded.
const FEW: usize = 16;

/// Proves the ranges of the openings, and of zeroes without a blinding that make their number a power of two. None for more values
/// than there are generators.
pub(super) fn prove(
    openings: &[Opening],
    transcript: Transcript,
    rng: &mut impl CryptoRngCore,
) -> Option<Vec<u8>> {
    let mut values = openings.to_vec();
    values.resize(openings.len().next_power_of_two(), Opening { value: 0, blinding: Scalar::ZERO });
    let mut bases = Bases::of(values.len())?;
    let mut proof = Proof { transcript, bytes: Vec::new() };
    proof.begin(&values)?;

    let secrets = Secrets::draw(values.len(), rng);
    proof.point(b"A", &secrets.bits(&values)?);
    proof.point(b"S", &secrets.masks(&bases));
    let (y, z) = (proof.challenge(b"y"), proof.challenge(b"z"));

    let polynomials = Polynomials::of(&values, &secrets, y, z);
    let t_1 = inner(&polynomials.l_0, &polynomials.r_1) + inner(&secrets.s_l, &polynomials.r_0);
    let t_2 = inner(&secrets.s_l, &polynomials.r_1);
    let blindings = Secrets::draw_t(values.len(), rng);
    proof.point(b"T_1", &(times_b(&t_1) + times_b_blinding(&blindings.0)));
    proof.point(b"T_2", &(times_b(&t_2) + times_b_blinding(&blindings.1)));
    let x = proof.challenge(b"x");

    let l = at(&polynomials.l_0, &secrets.s_l, &x);
    let r = at(&polynomials.r_0, &polynomials.r_1, &x);
    let mut t_x_blinding = x * (blindings.0 + x * blindings.1);
    let mut power = z * z;
    for opening in &values {
        t_x_blinding += power * opening.blinding;
        power *= z;
    }
    proof.scalar(b"t_x", &inner(&l, &r));
    proof.scalar(b"t_x_blinding", &t_x_blinding);
    proof.scalar(b"e_blinding", &(secrets.a_blinding + x * secrets.s_blinding));
    let q = times_b(&proof.challenge(b"w"));
    bases.divide_h(&y)?;
    proof.inner_product(bases, public(&l), public(&r), &q)?;
    Some(proof.bytes)
}

/// `<left, right>`, in constant time.
fn inner(left: &[Scalar], right: &[Scalar]) -> Scalar {
    pairs(left, right).into_iter().flatten().map(|(left, right)| left * right).sum()
}

/// `constant + x * linear`.
fn at(constant: &[Scalar], linear: &[Scalar], x: &Scalar) -> Vec<Scalar> {
    let both = pairs(constant, linear).into_iter().flatten();
    both.map(|(constant, linear)| constant + x * linear).collect()
}

/// What may be seen, for arithmetic in variable time.
fn public(vector: &[Scalar]) -> Vec<Fr> {
    vector.iter().map(field).collect()
}

/// The proof so far, which the transcript has heard.
struct Proof {
    transcript: Transcript,
    bytes: Vec<u8>,
}

impl Proof {
    /// Absorbs what is to be proved.
    fn begin(&mut self, values: &[Opening]) -> Option<()> {
        self.transcript.append_message(b"dom-sep", b"rangeproof v1");
        self.transcript.append_u64(b"n", u64::try_from(BITS).ok()?);
        self.transcript.append_u64(b"m", u64::try_from(values.len()).ok()?);
        for opening in values {
            let commitment = commit(opening.value, &opening.blinding).compress();
            self.transcript.append_message(b"V", commitment.as_bytes());
        }
        Some(())
    }

    fn point(&mut self, label: &'static [u8], point: &RistrettoPoint) {
        self.append(label, point.compress().as_bytes());
    }

    fn scalar(&mut self, label: &'static [u8], scalar: &Scalar) {
        self.append(label, scalar.as_bytes());
    }

    fn append(&mut self, label: &'static [u8], bytes: &[u8; 32]) {
        self.transcript.append_message(label, bytes);
        self.bytes.extend(bytes);
    }

    fn challenge(&mut self, label: &'static [u8]) -> Scalar {
        let mut wide = [0; 64];
        self.transcript.challenge_bytes(label, &mut wide);
        Scalar::from_bytes_mod_order_wide(&wide)
    }

    /// The inner product argument for `<a, b>` under `q`.
    fn inner_product(
        &mut self,
        mut bases: Bases,
        mut a: Vec<Fr>,
        mut b: Vec<Fr>,
        q: &RistrettoPoint,
    ) -> Option<()> {
        self.transcript.append_message(b"dom-sep", b"ipp v1");
        self.transcript.append_u64(b"n", u64::try_from(a.len()).ok()?);
        while a.len() > 1 {
            let (a_left, a_right) = a.split_at(a.len() / 2);
            let (b_left, b_right) = b.split_at(b.len() / 2);
            self.point(b"L", &bases.left(a_left, b_right, q)?);
            self.point(b"R", &bases.right(a_right, b_left, q)?);
            let u = field(&self.challenge(b"u"));
            let inverse = u.inverse()?;
            a = folded(a_left, a_right, u, inverse)?;
            b = folded(b_left, b_right, inverse, u)?;
            bases.next_round(u, inverse);
        }
        self.bytes.extend(scalar(a.first()?).as_bytes());
        self.bytes.extend(scalar(b.first()?).as_bytes());
        Some(())
    }
}

/// `by_left * left + by_right * right`.
fn folded(left: &[Fr], right: &[Fr], by_left: Fr, by_right: Fr) -> Option<Vec<Fr>> {
    Some(pairs(left, right)?.map(|(left, right)| by_left * left + by_right * right).collect())
}

/// What blinds the proof.
struct Secrets {
    a_blinding: Scalar,
    s_blinding: Scalar,
    s_l: Zeroizing<Vec<Scalar>>,
    s_r: Zeroizing<Vec<Scalar>>,
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.a_blinding.zeroize();
        self.s_blinding.zeroize();
    }
}

impl Secrets {
    /// Draws in the order of the crate, value by value.
    fn draw(values: usize, rng: &mut impl CryptoRngCore) -> Self {
        let empty = || Zeroizing::new(Vec::with_capacity(values.saturating_mul(BITS)));
        let mut drawn =
            Self { a_blinding: Scalar::ZERO, s_blinding: Scalar::ZERO, s_l: empty(), s_r: empty() };
        for _ in 0..values {
            drawn.a_blinding += Scalar::random(rng);
            drawn.s_blinding += Scalar::random(rng);
            drawn.s_l.extend((0..BITS).map(|_| Scalar::random(rng)));
            drawn.s_r.extend((0..BITS).map(|_| Scalar::random(rng)));
        }
        drawn
    }

    /// The blindings of `T_1` and `T_2`, drawn likewise.
    fn draw_t(values: usize, rng: &mut impl CryptoRngCore) -> Zeroizing<(Scalar, Scalar)> {
        let mut sums = Zeroizing::new((Scalar::ZERO, Scalar::ZERO));
        for _ in 0..values {
            sums.0 += Scalar::random(rng);
            sums.1 += Scalar::random(rng);
        }
        sums
    }

    /// `A`: the `G` of each bit that is set, the `-H` of each that is not.
    fn bits(&self, values: &[Opening]) -> Option<RistrettoPoint> {
        let mut sum = times_b_blinding(&self.a_blinding);
        for (number, opening) in numbered(values) {
            let chain = of_value(number)?;
            for (bit, (g, h)) in numbered(pairs(&chain.g, &chain.h)?) {
                sum += RistrettoPoint::conditional_select(&-h, g, choice(opening.value, bit));
            }
        }
        Some(sum)
    }

    /// `S`, which commits to what hides the bits.
    fn masks(&self, bases: &Bases) -> RistrettoPoint {
        let scalars = [&self.s_blinding].into_iter().chain(&*self.s_l).chain(&*self.s_r);
        let points = [&*B_BLINDING].into_iter().chain(&bases.g.points).chain(&bases.h.points);
        RistrettoPoint::multiscalar_mul(scalars, points)
    }
}

/// The bit of a secret value.
fn choice(value: u64, bit: u8) -> Choice {
    let [lowest, ..] = (value >> (u32::from(bit) % u64::BITS)).to_le_bytes();
    Choice::from(lowest & 1)
}

/// `l(X) = l_0 + s_L*X` and `r(X) = r_0 + r_1*X`.
struct Polynomials {
    l_0: Zeroizing<Vec<Scalar>>,
    r_0: Zeroizing<Vec<Scalar>>,
    r_1: Zeroizing<Vec<Scalar>>,
}

impl Polynomials {
    /// `l_0 = a_L - z`, `r_0 = y^k * (a_R + z) + z^(j+2) * 2^i`, `r_1 = y^k * s_R`, where `k = 64*j + i` is bit `i` of value `j`
    /// and `a_R = a_L - 1`.
    fn of(values: &[Opening], secrets: &Secrets, y: Scalar, z: Scalar) -> Self {
        let length = values.len().saturating_mul(BITS);
        let empty = || Zeroizing::new(Vec::with_capacity(length));
        let (mut l_0, mut r_0, mut r_1) = (empty(), empty(), empty());
        let (mut power_y, mut power_z) = (Scalar::ONE, z * z);
        let mut s_r = secrets.s_r.iter();
        for opening in values {
            let mut power_2 = power_z;
            for (bit, s_r) in numbered(s_r.by_ref().take(BITS)) {
                let set = Scalar::from(choice(opening.value, bit).unwrap_u8());
                l_0.push(set - z);
                r_0.push(power_y * (set - Scalar::ONE + z) + power_2);
                r_1.push(power_y * s_r);
                power_y *= y;
                power_2 += power_2;
            }
            power_z *= z;
        }
        Self { l_0, r_0, r_1 }
    }
}

/// The generators of a round.
struct Bases {
    g: Side,
    h: Side,
}

/// One side's generators of a round, `n` points: point `i` is the sum over `j` of `by[j] * factors[j*n + i] * points[j*n + i]`.
struct Side {
    points: Vec<RistrettoPoint>,
    factors: Vec<Fr>,
    by: Vec<Fr>,
}

impl Bases {
    /// The generators of so many values.
    fn of(values: usize) -> Option<Self> {
        let (mut g, mut h) = (Vec::new(), Vec::new());
        for value in 0..u8::try_from(values).ok()? {
            let chain = of_value(value)?;
            g.extend(&chain.g);
            h.extend(&chain.h);
        }
        Some(Self { g: Side::of(g), h: Side::of(h) })
    }

    /// Makes `y^-k * H_k` of each `H_k`.
    fn divide_h(&mut self, y: &Scalar) -> Option<()> {
        let inverse = field(y).inverse()?;
        let mut power = Fr::ONE;
        for factor in &mut self.h.factors {
            *factor *= power;
            power *= inverse;
        }
        Some(())
    }

    /// `L` of a round: `<a_l, G_r> + <b_r, H_l> + <a_l, b_r>*q`.
    fn left(&self, a_l: &[Fr], b_r: &[Fr], q: &RistrettoPoint) -> Option<RistrettoPoint> {
        self.sum((a_l, a_l.len()), (b_r, 0), q)
    }

    /// `R` of a round: `<a_r, G_l> + <b_l, H_r> + <a_r, b_l>*q`.
    fn right(&self, a_r: &[Fr], b_l: &[Fr], q: &RistrettoPoint) -> Option<RistrettoPoint> {
        self.sum((a_r, 0), (b_l, b_l.len()), q)
    }

    /// The sum of half-vectors, each with the number of the generator at which its half begins.
    fn sum(
        &self,
        (a, at_g): (&[Fr], usize),
        (b, at_h): (&[Fr], usize),
        q: &RistrettoPoint,
    ) -> Option<RistrettoPoint> {
        let product: Fr = pairs(a, b)?.map(|(a, b)| *a * b).sum();
        let (mut scalars, mut points) = (vec![scalar(&product)], vec![*q]);
        self.g.add(a, at_g, &mut scalars, &mut points)?;
        self.h.add(b, at_h, &mut scalars, &mut points)?;
        Some(RistrettoPoint::vartime_multiscalar_mul(scalars, points))
    }

    /// Goes on with half as many generators: `G' = u^-1*G_l + u*G_r`, `H' = u*H_l + u^-1*H_r`.
    fn next_round(&mut self, u: Fr, inverse: Fr) {
        self.g.next_round(inverse, u);
        self.h.next_round(u, inverse);
    }
}

impl Side {
    fn of(points: Vec<RistrettoPoint>) -> Self {
        let factors = vec![Fr::ONE; points.len()];
        Self { points, factors, by: vec![Fr::ONE] }
    }

    /// Adds the terms of half a vector, with the generators from number `begin` on.
    fn add(
        &self,
        vector: &[Fr],
        begin: usize,
        scalars: &mut Vec<Scalar>,
        points: &mut Vec<RistrettoPoint>,
    ) -> Option<()> {
        let n = vector.len().checked_mul(2)?;
        let end = begin.checked_add(vector.len())?;
        let (mut by, mut factors) = (self.by.iter(), self.factors.chunks_exact(n));
        for block in self.points.chunks_exact(n) {
            let by = by.next()?;
            let factors = pairs(vector, factors.next()?.get(begin..end)?)?;
            scalars.extend(factors.map(|(x, factor)| scalar(&(*x * factor * by))));
            points.extend(block.get(begin..end)?);
        }
        Some(())
    }

    fn next_round(&mut self, left: Fr, right: Fr) {
        self.by = self.by.iter().flat_map(|by| [*by * left, *by * right]).collect();
        if self.points.len() > FEW && self.by.len() >= 1 << UNFOLDED {
            *self = Self::of(self.folded());
        }
    }

    /// The generators as single points.
    fn folded(&self) -> Vec<RistrettoPoint> {
        let n = self.points.len() / self.by.len().max(1);
        let generator = |begin: usize| {
            let points = self.points.iter().skip(begin).step_by(n);
            let mut by = self.by.iter();
            let factors = self.factors.iter().skip(begin).step_by(n);
            // Collected, as their number must be known beforehand.
            let scalars: Vec<Scalar> =
                factors.filter_map(|factor| Some(scalar(&(*factor * by.next()?)))).collect();
            RistrettoPoint::vartime_multiscalar_mul(scalars, points)
        };
        (0..n).map(generator).collect()
    }
}

#[cfg(test)]
mod tests {
    use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::super::OUTPUTS_MAX;
    use super::*;

    /// The crate is the oracle: the same randomness gives the same bytes, so its verifier accepts what this prover makes.
    #[test]
    fn proofs_are_the_crates_to_the_byte() {
        let generators = BulletproofGens::new(BITS, OUTPUTS_MAX);
        let edges = [0, u64::MAX, 1, 1 << 63, 0x5555_5555_5555_5555, 7, u64::MAX - 1];
        for count in [1, 2, 3, 4, 7, 8, 16, 64] {
            let rng = &mut ChaCha20Rng::seed_from_u64(count);
            let values = edges.iter().cycle().take(usize::try_from(count).unwrap());
            let openings: Vec<Opening> = values
                .map(|value| Opening { value: *value, blinding: Scalar::random(rng) })
                .collect();
            let padded = openings.len().next_power_of_two();
            let mut values: Vec<u64> = openings.iter().map(|one| one.value).collect();
            let mut blindings: Vec<Scalar> = openings.iter().map(|one| one.blinding).collect();
            values.resize(padded, 0);
            blindings.resize(padded, Scalar::ZERO);
            let transcript = Transcript::new(b"a leg");
            let (crates, _) = RangeProof::prove_multiple_with_rng(
                &generators,
                &PedersenGens::default(),
                &mut transcript.clone(),
                &values,
                &blindings,
                BITS,
                &mut rng.clone(),
            )
            .unwrap();
            assert_eq!(prove(&openings, transcript, rng).unwrap(), crates.to_bytes(), "{count}");
        }
    }
}
