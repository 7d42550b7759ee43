//! The verifier of range proofs: the equation of Bünz et al. 2018, section 4.2, from the bytes of the `bulletproofs` crate.
//!
//! Written for batches, which the crate does not have: the challenges are drawn when a proof is read, and the equation is added
//! to a sum of many under weights drawn later (specs/verification.md).

use ark_ff::{AdditiveGroup, Field};
use merlin::Transcript;
use sudare_kernels::{Kernel, PublicPoint};

use super::generators::public_of_value;
use super::{BITS, NAME, proof_bytes};
use crate::field::{Fr, field};
use crate::point::public_generators;
use crate::{Encoded, LedgerTranscript, Rejected, Scalar, numbered, pairs};

/// A range statement not yet decided: every commitment opens to a value below 2^64.
#[derive(Clone, Debug)]
pub(crate) struct RangeClaim {
    /// `A, S, T_1, T_2`, then `L` and `R` of each round, then the commitments `V` without the padding.
    points: Vec<Encoded>,
    /// `y`, then `u` of each round: what is to be inverted.
    inverted: Vec<Fr>,
    z: Fr,
    x: Fr,
    w: Fr,
    t_x: Fr,
    t_x_blinding: Fr,
    e_blinding: Fr,
    a: Fr,
    b: Fr,
    /// Values with the padding, a power of two.
    padded: usize,
}

impl RangeClaim {
    /// Reads a proof and draws its challenges as the crate does. Whatever needs no curve arithmetic is refused here.
    pub(super) fn read(
        commitments: &[Encoded],
        proof: &[u8],
        transcript: &LedgerTranscript,
    ) -> Result<Self, Rejected> {
        if proof.len() != proof_bytes(commitments.len()) {
            return Err(Rejected::Shape(NAME));
        }
        let (elements, _) = proof.as_chunks::<32>();
        Self::parse(commitments, elements, transcript.0.clone()).ok_or(Rejected::Shape(NAME))
    }

    /// None if a point is the identity, a scalar not reduced, or an element missing, which the length excludes.
    fn parse(
        commitments: &[Encoded],
        elements: &[[u8; 32]],
        mut transcript: Transcript,
    ) -> Option<Self> {
        let [a, s, t_1, t_2, t_x, t_x_blinding, e_blinding, rounds @ .., ipp_a, ipp_b] = elements
        else {
            return None;
        };
        let (rounds, []) = rounds.as_chunks::<2>() else { return None };
        let padded = commitments.len().next_power_of_two();
        let mut points = Vec::with_capacity(elements.len().saturating_add(commitments.len()));

        let transcript = &mut transcript;
        transcript.append_message(b"dom-sep", b"rangeproof v1");
        append_number(transcript, b"n", BITS)?;
        append_number(transcript, b"m", padded)?;
        for commitment in commitments {
            transcript.append_message(b"V", commitment.as_bytes());
        }
        for _ in commitments.len()..padded {
            transcript.append_message(b"V", &[0; 32]);
        }
        points.push(append_point(transcript, b"A", a)?);
        points.push(append_point(transcript, b"S", s)?);
        let y = challenge(transcript, b"y");
        let z = challenge(transcript, b"z");
        points.push(append_point(transcript, b"T_1", t_1)?);
        points.push(append_point(transcript, b"T_2", t_2)?);
        let x = challenge(transcript, b"x");
        let t_x = append_scalar(transcript, b"t_x", t_x)?;
        let t_x_blinding = append_scalar(transcript, b"t_x_blinding", t_x_blinding)?;
        let e_blinding = append_scalar(transcript, b"e_blinding", e_blinding)?;
        let w = challenge(transcript, b"w");
        transcript.append_message(b"dom-sep", b"ipp v1");
        append_number(transcript, b"n", padded.checked_mul(BITS)?)?;
        let mut inverted = vec![y];
        for [left, right] in rounds {
            points.push(append_point(transcript, b"L", left)?);
            points.push(append_point(transcript, b"R", right)?);
            inverted.push(challenge(transcript, b"u"));
        }
        points.extend(commitments);
        let (a, b) = (reduced(ipp_a)?, reduced(ipp_b)?);
        Some(Self { points, inverted, z, x, w, t_x, t_x_blinding, e_blinding, a, b, padded })
    }

    /// The points of the equation, in the order in which [`Self::weigh`] gives their coefficients.
    pub(crate) fn points(&self) -> &[Encoded] {
        &self.points
    }

    /// What [`Self::weigh`] wants the inverses of.
    pub(crate) fn inverted(&self) -> &[Fr] {
        &self.inverted
    }

    /// Adds the equation to a sum: the inner product's under the first weight, that of `t(x)` under the product of both. Gives the
    /// coefficients of [`Self::points`]; those of the generators go to `generators`.
    ///
    /// With `s_k` the product of all `u_i` or `1/u_i` by the bits of `k`, `d = (z - z^2) sum y^k - (2^64 - 1) sum z^(j+3)`, and
    /// `p` the weights' product, the sum grows by
    ///
    /// `w*[A + x*S + sum u_i^2*L_i + sum u_i^-2*R_i + sum (-z - a*s_k)*G_k + sum (z + y^-k*(z^(j+2)*2^i - b/s_k))*H_k`
    /// `  + w'*(t_x - a*b)*B - e*B~] + p*[x*T_1 + x^2*T_2 + sum z^(j+2)*V_j + (d - t_x)*B - t~*B~]`
    ///
    /// where `k = 64*j + i` is bit `i` of value `j`, `w` the first weight and `w'` the proof's challenge of that name.
    pub(crate) fn weigh(
        &self,
        weights: [Fr; 2],
        inverses: &[Fr],
        generators: &mut Generators,
    ) -> Vec<Fr> {
        let [weight, second] = weights;
        let product = weight * second;
        let (Some((y, u)), Some((y_inverse, u_inverses))) =
            (self.inverted.split_first(), inverses.split_first())
        else {
            return Vec::new();
        };
        let squares: Vec<Fr> = u.iter().map(Field::square).collect();
        let inverse_squares: Vec<Fr> = u_inverses.iter().map(Field::square).collect();

        let mut coefficients = Vec::with_capacity(self.points.len());
        let x = product * self.x;
        coefficients.extend([weight, weight * self.x, x, x * self.x]);
        for (square, inverse) in pairs(&squares, &inverse_squares).into_iter().flatten() {
            coefficients.extend([weight * square, weight * inverse]);
        }
        let mut power = product * self.z.square();
        for _ in coefficients.len()..self.points.len() {
            coefficients.push(power);
            power *= self.z;
        }

        let delta = self.delta(*y);
        generators.value +=
            weight * self.w * (self.t_x - self.a * self.b) + product * (delta - self.t_x);
        generators.blinding -= weight * self.e_blinding + product * self.t_x_blinding;
        let s = weight * self.a * u_inverses.iter().product::<Fr>();
        let s_inverse = weight * self.b * u.iter().product::<Fr>();
        generators.fold(s, s_inverse, &squares, &inverse_squares, *y_inverse);
        generators.add_bits(weight, self.z, *y_inverse, self.padded);
        coefficients
    }

    /// `(z - z^2) * sum y^k - (2^64 - 1) * sum z^(j+3)`.
    fn delta(&self, y: Fr) -> Fr {
        let (mut sum_y, mut power) = (Fr::ONE, y);
        // The sum of 2^r powers is the product of 1 + y^(2^i).
        for _ in 0..self.padded.saturating_mul(BITS).trailing_zeros() {
            sum_y *= Fr::ONE + power;
            power.square_in_place();
        }
        let square = self.z.square();
        let (mut sum_z, mut power) = (Fr::ZERO, square * self.z);
        for _ in 0..self.padded {
            sum_z += power;
            power *= self.z;
        }
        (self.z - square) * sum_y - Fr::from(u64::MAX) * sum_z
    }
}

/// The coefficients of the generators in a sum of range equations.
#[derive(Clone, Debug, Default)]
pub(crate) struct Generators {
    /// Of `B`.
    value: Fr,
    /// Of `B~`.
    blinding: Fr,
    /// Of the bits of each value, as many as any proof has.
    bits: Vec<Bits>,
    /// Of the proof at hand `w*a*s_k`.
    s: Vec<Fr>,
    /// Of the proof at hand `w*b*y^-k/s_k`.
    t: Vec<Fr>,
}

#[derive(Clone, Debug)]
struct Bits {
    g: [Fr; BITS],
    h: [Fr; BITS],
}

impl Generators {
    /// Every coefficient with its generator.
    pub(crate) fn terms(&self, kernel: Kernel) -> impl Iterator<Item = (&Fr, &PublicPoint)> {
        let mut points = public_generators(kernel).iter();
        let pedersen = [&self.value, &self.blinding].into_iter();
        let pedersen = pedersen.filter_map(move |coefficient| Some((coefficient, points.next()?)));
        let bits = numbered(&self.bits).filter_map(move |(value, bits)| {
            let chain = public_of_value(kernel, value)?;
            Some(pairs(&bits.g, &chain.g)?.chain(pairs(&bits.h, &chain.h)?))
        });
        pedersen.chain(bits.flatten())
    }

    /// Fills `s` and `t` from their first elements, doubling them with each round.
    fn fold(
        &mut self,
        s: Fr,
        s_inverse: Fr,
        squares: &[Fr],
        inverse_squares: &[Fr],
        y_inverse: Fr,
    ) {
        self.s.clear();
        self.t.clear();
        self.s.push(s);
        self.t.push(s_inverse);
        let mut power = y_inverse;
        let rounds = pairs(squares, inverse_squares).into_iter().flatten();
        // The last round's challenge stands for the lowest bit.
        let rounds: Vec<(&Fr, &Fr)> = rounds.collect();
        for (square, inverse_square) in rounds.into_iter().rev() {
            let factor = power * inverse_square;
            power.square_in_place();
            for half in 0..self.s.len() {
                self.s.extend(self.s.get(half).map(|one| *one * square));
                self.t.extend(self.t.get(half).map(|one| *one * factor));
            }
        }
    }

    /// Adds the coefficients of the bits' generators, in which `s` and `t` are folded.
    fn add_bits(&mut self, weight: Fr, z: Fr, y_inverse: Fr, values: usize) {
        if self.bits.len() < values {
            self.bits.resize(values, Bits { g: [Fr::ZERO; BITS], h: [Fr::ZERO; BITS] });
        }
        let weighted_z = weight * z;
        let two_over_y = y_inverse.double();
        let y_inverse_bits = (0..BITS.trailing_zeros()).fold(y_inverse, |y, _| y.square());
        let mut first = weighted_z * z;
        let (mut s, mut t) = (self.s.iter(), self.t.iter());
        for bits in self.bits.iter_mut().take(values) {
            for g in &mut bits.g {
                *g -= weighted_z + s.next().unwrap_or(&Fr::ZERO);
            }
            let mut power = first;
            for h in &mut bits.h {
                *h += weighted_z + power - t.next().unwrap_or(&Fr::ZERO);
                power *= two_over_y;
            }
            first *= z * y_inverse_bits;
        }
    }
}

fn append_number(transcript: &mut Transcript, label: &'static [u8], number: usize) -> Option<()> {
    transcript.append_u64(label, u64::try_from(number).ok()?);
    Some(())
}

fn append_point(
    transcript: &mut Transcript,
    label: &'static [u8],
    bytes: &[u8; 32],
) -> Option<Encoded> {
    let point = Encoded::from_bytes(*bytes).ok()?;
    transcript.append_message(label, bytes);
    Some(point)
}

fn append_scalar(
    transcript: &mut Transcript,
    label: &'static [u8],
    bytes: &[u8; 32],
) -> Option<Fr> {
    let scalar = reduced(bytes)?;
    transcript.append_message(label, bytes);
    Some(scalar)
}

fn reduced(bytes: &[u8; 32]) -> Option<Fr> {
    Scalar::from_canonical_bytes(*bytes).into_option().as_ref().map(field)
}

fn challenge(transcript: &mut Transcript, label: &'static [u8]) -> Fr {
    let mut wide = [0; 64];
    transcript.challenge_bytes(label, &mut wide);
    field(&Scalar::from_bytes_mod_order_wide(&wide))
}
