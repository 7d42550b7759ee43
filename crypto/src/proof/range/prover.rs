//! The prover of range proofs: Bünz et al. 2018, sections 4.2 and 3, to the byte what the `bulletproofs` crate makes of the same
//! randomness.
//!
//! The crate folds the generators in every round of the inner product argument, two multiplications for each. Here they stay
//! for some rounds, whose points are sums over the generators at hand; then many are folded to one ([`Bases`]).
//!
//! Everything up to `l(x)` and `r(x)` takes constant time. These two vectors are what the protocol without the inner product
//! argument sends to the verifier (section 4.1), so they may be seen, and what follows may take variable time, as in the crate.

use ark_ff::Field;
use curve25519_dalek::ristretto::RistrettoPoint;
use merlin::Transcript;
use rand_core::CryptoRngCore;
use subtle::{Choice, ConditionallySelectable};
use sudare_kernels::Kernel;
use zeroize::{Zeroize, Zeroizing};

use super::BITS;
use super::bases::Bases;
use super::generators::of_value;
use crate::field::{Fr, field, scalar};
use crate::point::{commit, times_b, times_b_blinding};
use crate::proof::amount::Opening;
use crate::{Scalar, numbered, pairs};

/// Proves the ranges of the openings, and of zeroes without a blinding that make their number a power of two, with a kernel and so many
/// threads. None for more values than there are generators.
pub(super) fn prove(
    by: (Kernel, usize),
    openings: &[Opening],
    transcript: Transcript,
    rng: &mut impl CryptoRngCore,
) -> Option<Vec<u8>> {
    let mut values = openings.to_vec();
    values.resize(openings.len().next_power_of_two(), Opening { value: 0, blinding: Scalar::ZERO });
    let mut bases = Bases::of(values.len(), by)?;
    let mut proof = Proof { transcript, bytes: Vec::new() };
    proof.begin(&values)?;

    let secrets = Secrets::draw(values.len(), rng);
    proof.point(b"A", &secrets.bits(&values)?);
    proof.append(b"S", &bases.masks(&secrets.s_blinding, &secrets.s_l, &secrets.s_r)?);
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
    let w = field(&proof.challenge(b"w"));
    bases.divide_h(field(&y).inverse()?);
    proof.inner_product(bases, public(&l), public(&r), w)?;
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

    /// The inner product argument for `<a, b>` under `w*B`.
    fn inner_product(
        &mut self,
        mut bases: Bases,
        mut a: Vec<Fr>,
        mut b: Vec<Fr>,
        w: Fr,
    ) -> Option<()> {
        self.transcript.append_message(b"dom-sep", b"ipp v1");
        self.transcript.append_u64(b"n", u64::try_from(a.len()).ok()?);
        while a.len() > 1 {
            let (left, right) = bases.round(&a, &b, w)?;
            self.append(b"L", &left);
            self.append(b"R", &right);
            let (a_left, a_right) = a.split_at(a.len() / 2);
            let (b_left, b_right) = b.split_at(b.len() / 2);
            let u = field(&self.challenge(b"u"));
            let inverse = u.inverse()?;
            a = folded(a_left, a_right, u, inverse)?;
            b = folded(b_left, b_right, inverse, u)?;
            bases.next_round(u, inverse)?;
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
            for kernel in Kernel::all() {
                for threads in [1, 3] {
                    let (by, rng) = ((kernel, threads), &mut rng.clone());
                    let ours = prove(by, &openings, transcript.clone(), rng).unwrap();
                    assert_eq!(ours, crates.to_bytes(), "{count} values, {kernel:?}, {threads}");
                }
            }
        }
    }
}
