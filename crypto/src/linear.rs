//! Proofs of linear relations: "I know x with `sum x_v * base = target`", for several rows at once.
//!
//! The generalised Schnorr proof (Maurer 2009, "Unifying zero-knowledge proofs of knowledge"), made non-interactive on
//! the shared transcript. Rows that only repeat variables pinned by other rows may be merged by powers of a challenge
//! `rho` drawn after all their points. Specified in `specs/transcript.md`.

use std::slice;
use std::sync::LazyLock;

use ark_ff::Field;
use borsh::{BorshDeserialize, BorshSerialize};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, MultiscalarMul, VartimeMultiscalarMul};
use rand_core::CryptoRngCore;
use zeroize::Zeroizing;

use crate::claims::Residue;
use crate::encoding::{Bounded, Malformed};
use crate::field::{Fr, field};
use crate::point::{scalar, times_generator};
use crate::{Claims, Encoded, LedgerTranscript, Rejected, pairs};

/// The most commitments or responses a proof has.
pub const TERMS_MAX: usize = 512;

static MINUS_ONE: LazyLock<Scalar> = LazyLock::new(|| -Scalar::ONE);

/// A public sum of points with public coefficients.
pub type Combination = Vec<(Scalar, Encoded)>;

/// One equation `sum over terms of x[variable] * base = target`.
#[derive(Clone, Debug)]
pub struct Row {
    /// The right-hand side.
    pub target: Combination,
    /// Each variable with its base.
    pub terms: Vec<(usize, Combination)>,
}

/// A relation: its statement and its rows.
#[derive(Clone, Debug)]
pub struct Relation {
    /// The relation's name, which is its domain in the transcript and what a refusal cites.
    pub name: &'static str,
    /// Canonical bytes of all its public inputs.
    pub statement: Vec<u8>,
    /// How many variables it has.
    pub variables: usize,
    /// Rows with a commitment of their own.
    pub rows: Vec<Row>,
    /// Rows merged into one by powers of `rho`; `rows` alone must pin every variable that stands in them.
    pub merged: Vec<Row>,
}

/// A proof: one commitment for each row (and one for the merged rows), one response for each variable.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct LinearProof {
    commitments: Bounded<Encoded, TERMS_MAX>,
    responses: Bounded<Response, TERMS_MAX>,
}

impl LinearProof {
    /// The proof of these parts.
    pub(crate) fn of(commitments: Vec<Encoded>, responses: Vec<Scalar>) -> Result<Self, Malformed> {
        let responses: Vec<Response> = responses.into_iter().map(Response).collect();
        Ok(Self { commitments: commitments.try_into()?, responses: responses.try_into()? })
    }

    /// How many points the proof brings to a verifier.
    #[must_use]
    pub fn points(&self) -> usize {
        self.commitments.len()
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Response(Scalar);

impl BorshSerialize for Response {
    fn serialize<W: std::io::Write>(&self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(self.0.as_bytes())
    }
}

impl BorshDeserialize for Response {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        scalar(<[u8; 32]>::deserialize_reader(reader)?).map(Self)
    }
}

/// Proves `relation` with the `witness`, one scalar a variable. Nonces come from transcript, witness and `rng` together.
///
/// # Errors
///
/// [`Malformed`] if the witness has the wrong number of variables, a point of the relation does not decode, or the bases of
/// a row cancel.
pub fn prove(
    relation: &Relation,
    witness: &[Scalar],
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<LinearProof, Malformed> {
    const WRONG_WITNESS: Malformed = Malformed::Encoding("a witness: wrong number of variables");
    if witness.len() != relation.variables {
        return Err(WRONG_WITNESS);
    }
    let rho = open(relation, transcript);
    let rows = rows(relation, rho);
    let mut builder = transcript.0.build_rng();
    for x in witness {
        builder = builder.rekey_with_witness_bytes(b"x", x.as_bytes());
    }
    let mut nonce_rng = builder.finalize(rng);
    let nonces: Zeroizing<Vec<Scalar>> =
        Zeroizing::new(witness.iter().map(|_| Scalar::random(&mut nonce_rng)).collect());

    let mut commitments = Vec::with_capacity(rows.len());
    for row in &rows {
        // The identity, which no verifier takes, comes of bases that cancel: two equal keys.
        let commitment = Encoded::from_bytes(evaluate(row, &nonces)?.compress().to_bytes())?;
        transcript.absorb_point(b"Y", &commitment);
        commitments.push(commitment);
    }
    let c = transcript.challenge(b"c");
    let mut responses = Vec::with_capacity(witness.len());
    for (x, k) in pairs(witness, &nonces).ok_or(WRONG_WITNESS)? {
        let z = k + c * x;
        transcript.absorb_scalar(b"z", &z);
        responses.push(z);
    }
    LinearProof::of(commitments, responses)
}

/// Adds to `claims` the equations `Y + c * target - sum z_v * base = 0` that hold if `proof` proves `relation`.
///
/// `Y` stands in them once, so that a batch multiplies it by the short weight alone.
///
/// # Errors
///
/// [`Rejected::Shape`] if the proof has the wrong number of commitments or responses.
pub fn verify(
    relation: &Relation,
    proof: &LinearProof,
    transcript: &mut LedgerTranscript,
    claims: &mut Claims,
) -> Result<(), Rejected> {
    let rho = open(relation, transcript);
    let shape = Rejected::Shape(relation.name);
    let merged = usize::from(rho.is_some());
    if proof.commitments.len().checked_sub(merged) != Some(relation.rows.len())
        || proof.responses.len() != relation.variables
    {
        return Err(shape);
    }
    for commitment in &proof.commitments {
        transcript.absorb_point(b"Y", commitment);
    }
    let c = field(&transcript.challenge(b"c"));
    for response in &proof.responses {
        transcript.absorb_scalar(b"z", &response.0);
    }
    let responses: Vec<Fr> = proof.responses.iter().map(|response| field(&response.0)).collect();
    let mut commitments = proof.commitments.iter();
    let own = relation.rows.iter().map(slice::from_ref);
    for rows in own.chain(rho.is_some().then_some(relation.merged.as_slice())) {
        let commitment = commitments.next().ok_or(shape)?;
        let mut terms = vec![(Fr::ONE, *commitment)];
        let (mut power, rho) = (Fr::ONE, rho.as_ref().map_or(Fr::ONE, field));
        for row in rows {
            extend(&mut terms, &row.target, c * power);
            for (variable, base) in &row.terms {
                let z = responses.get(*variable).ok_or(shape)?;
                extend(&mut terms, base, -(power * z));
            }
            power *= rho;
        }
        claims.residues.push(Residue { relation: relation.name, terms });
    }
    Ok(())
}

/// Absorbs the relation's name and statement, and draws `rho` if rows are to be merged.
pub(crate) fn open(relation: &Relation, transcript: &mut LedgerTranscript) -> Option<Scalar> {
    transcript.absorb(b"relation", relation.name.as_bytes());
    transcript.absorb(b"statement", &relation.statement);
    (!relation.merged.is_empty()).then(|| transcript.challenge(b"rho"))
}

/// The rows that are proved: those with a commitment of their own, and the merged ones as one.
fn rows(relation: &Relation, rho: Option<Scalar>) -> Vec<Row> {
    let mut rows = relation.rows.clone();
    if let Some(rho) = rho {
        let mut power = Scalar::ONE;
        let mut sum = Row { target: Vec::new(), terms: Vec::new() };
        for row in &relation.merged {
            let scale = |combination: &Combination| -> Combination {
                combination
                    .iter()
                    .map(|(coefficient, point)| (coefficient * power, *point))
                    .collect()
            };
            sum.target.extend(scale(&row.target));
            sum.terms.extend(row.terms.iter().map(|(variable, base)| (*variable, scale(base))));
            power *= rho;
        }
        rows.push(sum);
    }
    rows
}

/// Appends the combination times `by`.
fn extend(terms: &mut Vec<(Fr, Encoded)>, combination: &Combination, by: Fr) {
    terms.extend(combination.iter().map(|(coefficient, point)| {
        // Nearly all coefficients are one of these two.
        let scaled = match coefficient {
            one if *one == Scalar::ONE => by,
            minus if *minus == *MINUS_ONE => -by,
            other => field(other) * by,
        };
        (scaled, *point)
    }));
}

/// `sum nonce * base`, in constant time in the nonces.
fn evaluate(row: &Row, nonces: &[Scalar]) -> Result<RistrettoPoint, Malformed> {
    let mut scalars = Zeroizing::new(Vec::with_capacity(row.terms.len()));
    let mut bases = Vec::with_capacity(row.terms.len());
    let mut sum = RistrettoPoint::identity();
    for (variable, base) in &row.terms {
        let nonce =
            nonces.get(*variable).ok_or(Malformed::Encoding("a relation: unknown variable"))?;
        if let [(coefficient, point)] = base.as_slice()
            && *coefficient == Scalar::ONE
            && let Some(multiple) = times_generator(point, nonce)
        {
            sum += multiple;
            continue;
        }
        scalars.push(*nonce);
        bases.push(sum_of(base)?);
    }
    if bases.is_empty() {
        return Ok(sum);
    }
    Ok(sum + RistrettoPoint::multiscalar_mul(scalars.iter(), bases))
}

/// The point a public combination stands for.
fn sum_of(combination: &Combination) -> Result<RistrettoPoint, Malformed> {
    if let [(coefficient, point)] = combination.as_slice()
        && *coefficient == Scalar::ONE
    {
        return point.decompress();
    }
    let mut points = Vec::with_capacity(combination.len());
    for (_, point) in combination {
        points.push(point.decompress()?);
    }
    if points.is_empty() {
        return Ok(RistrettoPoint::identity());
    }
    Ok(RistrettoPoint::vartime_multiscalar_mul(
        combination.iter().map(|(coefficient, _)| coefficient),
        points,
    ))
}

/// Shorthand for building rows.
pub(crate) mod row {
    use super::{Combination, Row};
    use crate::Encoded;
    use curve25519_dalek::scalar::Scalar;

    /// `point`.
    pub(crate) fn one(point: Encoded) -> Combination {
        vec![(Scalar::ONE, point)]
    }

    /// `-point`.
    pub(crate) fn minus(point: Encoded) -> Combination {
        vec![(-Scalar::ONE, point)]
    }

    /// `left - right`.
    pub(crate) fn difference(left: Encoded, right: Encoded) -> Combination {
        vec![(Scalar::ONE, left), (-Scalar::ONE, right)]
    }

    /// `sum of terms = target`.
    pub(crate) fn equation(target: Combination, terms: Vec<(usize, Combination)>) -> Row {
        Row { target, terms }
    }
}
