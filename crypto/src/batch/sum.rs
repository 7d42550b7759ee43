//! The weighted sum of the equations of many claims, or of some of them.

use ark_ff::{AdditiveGroup, Field, batch_inversion};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::traits::IsIdentity;
use rand_core::CryptoRngCore;
use sudare_kernels::{Kernel, PublicPoint, PublicScalar, multiply};

use crate::claims::{Claims, Rejected, Residue};
use crate::field::{Fr, public};
use crate::point::{B_BLINDING_ENCODED, B_ENCODED, G_ENCODED, public_generators};
use crate::proof::range;
use crate::proof::range::claim::{Generators, RangeClaim};
use crate::{Encoded, pairs};

/// Claims with weights for their equations, and their points, decompressed once.
pub(super) struct Weighted<'a> {
    kernel: Kernel,
    /// The equations of each of the claims.
    claims: Vec<Vec<Equation<'a>>>,
    /// Every point once; none where it does not decode.
    points: Vec<Option<PublicPoint>>,
}

/// An equation and what belongs to it alone.
struct Equation<'a> {
    of: Kind<'a>,
    /// Fresh and random. A residue has one weight, a range claim two equations.
    weights: [Fr; 2],
    /// Where each term's point is.
    places: Vec<usize>,
    /// What a range claim needs inverted.
    inverses: Vec<Fr>,
}

#[derive(Clone, Copy)]
enum Kind<'a> {
    Residue(&'a Residue),
    Range(&'a RangeClaim),
}

/// A sum under way: the coefficients of the points, and of the generators of range proofs.
struct Sum {
    coefficients: Vec<Fr>,
    generators: Generators,
}

impl<'a> Weighted<'a> {
    /// Draws the weights, which no prover can have known: his claims are made.
    ///
    /// Enforces [VER-2].
    pub(super) fn new(claims: &'a [Claims], kernel: Kernel, rng: &mut impl CryptoRngCore) -> Self {
        let terms: Vec<&Encoded> = claims.iter().flat_map(Claims::terms).collect();
        let (points, places) = decompress(kernel, &terms);
        let ranges = claims.iter().flat_map(|one| &one.ranges);
        let mut inverses: Vec<Fr> = ranges.flat_map(RangeClaim::inverted).copied().collect();
        batch_inversion(&mut inverses);

        let (mut places, mut inverses) = (places.into_iter(), inverses.into_iter());
        let mut equation = |of: Kind<'a>| Equation {
            of,
            weights: [weight(rng), weight(rng)],
            places: places.by_ref().take(of.terms()).collect(),
            inverses: inverses.by_ref().take(of.inverses()).collect(),
        };
        let claims = claims.iter().map(|one| {
            let residues = one.residues.iter().map(Kind::Residue);
            residues.chain(one.ranges.iter().map(Kind::Range)).map(&mut equation).collect()
        });
        Self { kernel, claims: claims.collect(), points }
    }

    /// Whether there is an equation, and all points are canonical encodings: whether there is anything to add up.
    ///
    /// Enforces [TRN-5].
    pub(super) fn adds_up(&self, index: usize) -> bool {
        let equations = self.of(index);
        !equations.is_empty() && equations.iter().all(|equation| self.decodes(equation))
    }

    /// The weighted sum of all equations of these claims.
    pub(super) fn sum(&self, among: &[usize]) -> RistrettoPoint {
        self.evaluate(among.iter().flat_map(|index| self.of(*index)))
    }

    /// The first equation of these claims that fails, under the same weights.
    pub(super) fn why(&self, index: usize) -> Rejected {
        for equation in self.of(index) {
            if !self.decodes(equation) {
                return Rejected::Point(equation.of.relation());
            }
            if !self.evaluate([equation]).is_identity() {
                return Rejected::False(equation.of.relation());
            }
        }
        Rejected::Nothing
    }

    fn of(&self, index: usize) -> &[Equation<'a>] {
        self.claims.get(index).map_or(&[], Vec::as_slice)
    }

    fn decodes(&self, equation: &Equation<'_>) -> bool {
        equation.places.iter().all(|place| self.points.get(*place).is_some_and(Option::is_some))
    }

    fn evaluate<'b>(&self, equations: impl IntoIterator<Item = &'b Equation<'a>>) -> RistrettoPoint
    where
        'a: 'b,
    {
        let mut sum = Sum {
            coefficients: vec![Fr::ZERO; self.points.len()],
            generators: Generators::default(),
        };
        for equation in equations {
            sum.add(equation);
        }
        let (own, generators) = (pairs(&sum.coefficients, &self.points), &sum.generators);
        let own = own.into_iter().flatten();
        let own = own.filter_map(|(coefficient, point)| Some((coefficient, point.as_ref()?)));
        let terms = own.chain(generators.terms(self.kernel));
        let terms = terms.filter(|(coefficient, _)| **coefficient != Fr::ZERO);
        let terms: Vec<(PublicScalar, &PublicPoint)> =
            terms.map(|(coefficient, point)| (public(coefficient), point)).collect();
        multiply(&terms)
    }
}

impl Kind<'_> {
    fn relation(self) -> &'static str {
        match self {
            Self::Residue(residue) => residue.relation,
            Self::Range(_) => range::NAME,
        }
    }

    fn terms(self) -> usize {
        match self {
            Self::Residue(residue) => residue.terms.len(),
            Self::Range(range) => range.points().len(),
        }
    }

    fn inverses(self) -> usize {
        match self {
            Self::Residue(_) => 0,
            Self::Range(range) => range.inverted().len(),
        }
    }
}

impl Sum {
    fn add(&mut self, equation: &Equation<'_>) {
        let [weight, _] = equation.weights;
        let mut places = equation.places.iter();
        let mut add = |coefficient: Fr| {
            let place = places.next().and_then(|place| self.coefficients.get_mut(*place));
            if let Some(sum) = place {
                *sum += coefficient;
            }
        };
        match equation.of {
            Kind::Residue(residue) => {
                residue.terms.iter().for_each(|(coefficient, _)| add(weight * coefficient));
            }
            Kind::Range(range) => range
                .weigh(equation.weights, &equation.inverses, &mut self.generators)
                .into_iter()
                .for_each(add),
        }
    }
}

/// The different points, decompressed, and for each term the place of its point among them.
fn decompress(kernel: Kernel, terms: &[&Encoded]) -> (Vec<Option<PublicPoint>>, Vec<usize>) {
    let fixed = [*B_ENCODED, *B_BLINDING_ENCODED, *G_ENCODED];
    let mut points: Vec<Option<PublicPoint>> =
        public_generators(kernel).iter().cloned().map(Some).collect();
    let mut encodings = Vec::with_capacity(terms.len());
    let mut places = Vec::with_capacity(terms.len());
    let mut order = Vec::with_capacity(terms.len());
    for (term, encoded) in terms.iter().enumerate() {
        let place = fixed.iter().position(|known| known == *encoded);
        if place.is_none() {
            order.push((beginning(encoded), term));
        }
        // What is given no place below does not decode.
        places.push(place.unwrap_or(usize::MAX));
    }
    // So equal points stand together. Different ones that begin alike may mix: then one is decompressed again, which does no harm.
    order.sort_unstable();
    let mut last = None;
    for (_, term) in order {
        let (Some(encoded), Some(place)) = (terms.get(term), places.get_mut(term)) else {
            continue;
        };
        if last != Some(encoded) {
            encodings.push(*encoded.as_bytes());
            last = Some(encoded);
        }
        *place = fixed.len().saturating_add(encodings.len()).saturating_sub(1);
    }
    // The identity decodes, but is no point of the protocol; zeros alone encode it.
    let mut encodings = encodings.iter();
    let decoded = kernel.decode(encodings.as_slice()).into_iter();
    points.extend(decoded.map(|point| {
        let identity = encodings.next() == Some(&[0; 32]);
        point.filter(|_| !identity)
    }));
    (points, places)
}

fn beginning(encoded: &Encoded) -> u64 {
    encoded.as_bytes().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// One of `2^128` numbers, zero not among them: under zero anything holds.
fn weight(rng: &mut impl CryptoRngCore) -> Fr {
    let mut bytes = [0; 16];
    rng.fill_bytes(&mut bytes);
    Fr::from(u128::from_le_bytes(bytes)) + Fr::ONE
}
