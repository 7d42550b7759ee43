//! Generators in groups of eight, with tables: [`sudare_kernels::secret`], whose sums take constant time.
//!
//! Generator `8k + i` of a side stands in lane `i` of group `k`. A round takes every generator once, half of them for `L` and half for
//! `R`: whole groups as long as the vectors have 16 elements or more, lanes of the last groups then.

use std::borrow::Cow;
use std::sync::OnceLock;

use ark_ff::Field;
use curve25519_dalek::ristretto::RistrettoPoint;
use sudare_kernels::processor::Ifma;
use sudare_kernels::secret::{Digits, Group, Sums, Term, encode};
use zeroize::Zeroizing;

use super::OUTPUTS_MAX;
use super::bases::together;
use super::generators::of_value;
use crate::field::{Fr, scalar};
use crate::point::{B_BLINDING_ENCODED, B_ENCODED};
use crate::{Encoded, Scalar, pairs};

/// Points of a group.
const LANES: usize = 8;
/// How many times vectors are halved before generators are folded.
const UNFOLDED: usize = 4;
/// Groups of a sum that stay in a core's cache together, at 7,680 bytes each.
const TOGETHER: usize = 64;

/// The tables of one value's generators, 123 KB.
struct Tables {
    g: Vec<Group>,
    h: Vec<Group>,
}

/// The tables of a value, counted from 0. They are made when first asked for, in about a millisecond.
fn tables(ifma: Ifma, value: u8) -> Option<&'static Tables> {
    static TABLES: [OnceLock<Option<Tables>>; OUTPUTS_MAX] =
        [const { OnceLock::new() }; OUTPUTS_MAX];
    let made = TABLES.get(usize::from(value))?.get_or_init(|| {
        let chain = of_value(value)?;
        Some(Tables { g: groups(ifma, &chain.g)?, h: groups(ifma, &chain.h)? })
    });
    made.as_ref()
}

fn groups(ifma: Ifma, points: &[RistrettoPoint]) -> Option<Vec<Group>> {
    let (eights, []) = points.as_chunks::<LANES>() else { return None };
    let encoded =
        |points: &[RistrettoPoint; LANES]| points.map(|point| point.compress().to_bytes());
    eights.iter().map(|points| Group::decode(ifma, &encoded(points))).collect()
}

/// One generator in each lane of a group: first `B`, then `B~`.
fn single_bases(ifma: Ifma) -> Option<&'static (Group, Group)> {
    static GROUPS: OnceLock<Option<(Group, Group)>> = OnceLock::new();
    let group = |point: &Encoded| Group::decode(ifma, &[*point.as_bytes(); LANES]);
    GROUPS.get_or_init(|| Some((group(&B_ENCODED)?, group(&B_BLINDING_ENCODED)?))).as_ref()
}

/// The generators of a round.
pub(super) struct Bases {
    ifma: Ifma,
    threads: usize,
    single: &'static (Group, Group),
    g: Side,
    h: Side,
}

/// One side's generators of a round, `n` points: point `i` is the sum over `j` of `by[j] * factors[j*n + i] * points[j*n + i]`.
struct Side {
    groups: Vec<Cow<'static, Group>>,
    factors: Vec<Fr>,
    by: Vec<Fr>,
}

impl Bases {
    /// The generators of so many values.
    pub(super) fn of(values: usize, (ifma, threads): (Ifma, usize)) -> Option<Self> {
        let (mut g, mut h) = (Vec::new(), Vec::new());
        for value in 0..u8::try_from(values).ok()? {
            let tables = tables(ifma, value)?;
            g.extend(tables.g.iter().map(Cow::Borrowed));
            h.extend(tables.h.iter().map(Cow::Borrowed));
        }
        let (g, h) = (Side::of(g), Side::of(h));
        Some(Self { ifma, threads, single: single_bases(ifma)?, g, h })
    }

    /// See [`super::bases::Bases::masks`].
    pub(super) fn masks(
        &self,
        blinding: &Scalar,
        left: &[Scalar],
        right: &[Scalar],
    ) -> Option<[u8; 32]> {
        // As many as there will be: what grows leaves copies behind that nobody wipes.
        let mut digits = Vec::with_capacity((left.len() + right.len()) / LANES);
        for scalars in [left, right] {
            let (eights, []) = scalars.as_chunks::<LANES>() else { return None };
            digits.extend(eights.iter().map(|scalars| {
                Digits::of(&Zeroizing::new(scalars.map(|scalar| scalar.to_bytes())))
            }));
        }
        let blinding = in_lanes(&[(0, *blinding)]);
        let groups: Vec<&Group> = self.groups().collect();
        let mut terms: Vec<Term<'_>> = pairs(&groups, &digits)?
            .map(|(group, digits)| Term { group, digits, second: false })
            .collect();
        terms.push(Term { group: &self.single.1, digits: &blinding, second: false });
        let [sum, none] = self.sums(&terms);
        let [encoding, _] = encode(self.ifma, &[sum, none]);
        Some(encoding)
    }

    /// See [`super::bases::Bases::divide_h`].
    pub(super) fn divide_h(&mut self, inverse: Fr) {
        let mut power = Fr::ONE;
        for factor in &mut self.h.factors {
            *factor *= power;
            power *= inverse;
        }
    }

    /// See [`super::bases::Bases::round`].
    pub(super) fn round(&self, a: &[Fr], b: &[Fr], w: Fr) -> Option<([u8; 32], [u8; 32])> {
        let half = a.len() / 2;
        let (a_l, a_r) = a.split_at(half);
        let (b_l, b_r) = b.split_at(half);
        let product = |a: &[Fr], b: &[Fr]| -> Option<Scalar> {
            Some(scalar(&(pairs(a, b)?.map(|(a, b)| *a * b).sum::<Fr>() * w)))
        };
        let (for_left, for_right) = (product(a_l, b_r)?, product(a_r, b_l)?);
        let digits =
            [self.g.times(&[a_r, a_l].concat())?, self.h.times(&[b_r, b_l].concat())?].concat();
        let groups: Vec<&Group> = self.groups().collect();
        // Of each group: whether all its lanes are of the left half of the vectors.
        let left_half = |group: usize| (group * LANES) % a.len() < half;
        let sides = self.g.groups.len();
        let whole = half >= LANES;
        let second = |number: usize| match (number < sides, whole) {
            (true, true) => left_half(number),
            (false, true) => !left_half(number - sides),
            (in_g, false) => !in_g,
        };
        let mut terms: Vec<Term<'_>> = pairs(&groups, &digits)?
            .enumerate()
            .map(|(number, (group, digits))| Term { group, digits, second: second(number) })
            .collect();
        let base = &self.single.0;
        if whole {
            let products = [for_left, for_right].map(|product| in_lanes(&[(0, product)]));
            let [left, right] = &products;
            terms.push(Term { group: base, digits: left, second: false });
            terms.push(Term { group: base, digits: right, second: true });
            let [left, right] = encode(self.ifma, &self.sums(&terms));
            return Some((left, right));
        }
        // `L` has the right half of the lanes of `G`, such as the last, and the left half of those of `H`.
        let products = in_lanes(&[(LANES - 1, for_left), (0, for_right)]);
        terms.push(Term { group: base, digits: &products, second: false });
        let right_half = (0..LANES).filter(|lane| lane % a.len() >= half);
        let right_half = right_half.fold(0u8, |lanes, lane| lanes | 1 << lane);
        let [g, h] = self.sums(&terms);
        let left = g.only(right_half).plus(&h.only(!right_half));
        let right = g.only(!right_half).plus(&h.only(right_half));
        let [left, right] = encode(self.ifma, &[left, right]);
        Some((left, right))
    }

    /// See [`super::bases::Bases::next_round`].
    pub(super) fn next_round(&mut self, u: Fr, inverse: Fr) -> Option<()> {
        for (side, left, right) in [(&mut self.g, inverse, u), (&mut self.h, u, inverse)] {
            side.by = side.by.iter().flat_map(|by| [*by * left, *by * right]).collect();
        }
        let (blocks, length) = (self.g.by.len(), self.g.length());
        if length == LANES || length > LANES && blocks >= UNFOLDED {
            self.fold()?;
        }
        Some(())
    }

    /// The generators of the round as points of their own.
    fn fold(&mut self) -> Option<()> {
        let ones = vec![Fr::ONE; self.g.length()];
        let digits = [self.g.times(&ones)?, self.h.times(&ones)?];
        let [of_g, of_h] = &digits;
        let step = self.g.length() / LANES;
        let of = |first: &usize| {
            let mut terms = Vec::new();
            for (side, digits, second) in [(&self.g, of_g, false), (&self.h, of_h, true)] {
                let all = pairs(&side.groups, digits)?.skip(*first).step_by(step);
                terms.extend(all.map(|(group, digits)| Term { group, digits, second }));
            }
            Some(Sums::of(self.ifma, &terms).each_ref().map(|sums| Cow::Owned(Group::of(sums))))
        };
        let folded = together(self.threads, &(0..step).collect::<Vec<_>>(), of);
        let (mut g, mut h) = (Vec::new(), Vec::new());
        for groups in folded {
            let [of_g, of_h] = groups?;
            g.push(of_g);
            h.push(of_h);
        }
        (self.g, self.h) = (Side::of(g), Side::of(h));
        Some(())
    }

    /// All groups, those of `G` first.
    fn groups(&self) -> impl Iterator<Item = &Group> {
        self.g.groups.iter().chain(&self.h.groups).map(Cow::as_ref)
    }

    /// The two sums of all terms, in blocks whose tables stay in the cache.
    fn sums(&self, terms: &[Term<'_>]) -> [Sums; 2] {
        let blocks: Vec<&[Term<'_>]> = terms.chunks(TOGETHER).collect();
        let mut blocks =
            together(self.threads, &blocks, |block| Sums::of(self.ifma, block)).into_iter();
        let first = blocks.next().unwrap_or([Sums::zero(self.ifma); 2]);
        blocks.fold(first, |[first, second], [one, other]| [first.plus(&one), second.plus(&other)])
    }
}

impl Side {
    fn of(groups: Vec<Cow<'static, Group>>) -> Self {
        let factors = vec![Fr::ONE; groups.len().saturating_mul(LANES)];
        Self { groups, factors, by: vec![Fr::ONE] }
    }

    /// How many points the round has.
    fn length(&self) -> usize {
        self.factors.len() / self.by.len().max(1)
    }

    /// What each group's points are multiplied with, so that each point of the round is with its element of the vector.
    fn times(&self, vector: &[Fr]) -> Option<Vec<Digits>> {
        let mut scalars = Vec::with_capacity(self.factors.len());
        let mut by = self.by.iter();
        for factors in self.factors.chunks_exact(vector.len()) {
            let by = by.next()?;
            let products = pairs(vector, factors)?.map(|(x, factor)| *x * factor * by);
            scalars.extend(products.map(|product| scalar(&product).to_bytes()));
        }
        let (eights, []) = scalars.as_chunks::<LANES>() else { return None };
        Some(eights.iter().map(Digits::of).collect())
    }
}

/// Scalars in these lanes, zeros in the others.
fn in_lanes(scalars: &[(usize, Scalar)]) -> Digits {
    let mut all = Zeroizing::new([[0; 32]; LANES]);
    for (lane, scalar) in scalars {
        if let Some(place) = all.get_mut(*lane) {
            *place = scalar.to_bytes();
        }
    }
    Digits::of(&all)
}
