//! A challenge depends on every message before it; each message left out is a forgery, carried out here.

use std::collections::{BTreeMap, BTreeSet};

use super::relations::{Case, all, one_each};
use super::{assemble, decide, parse, parts, provable, prove, rng, transcript};
use crate::claims::Residue;
use crate::field::{field, scalar};
use crate::linear::{Combination, LinearProof, Relation, Row};
use crate::point::{B, B_ENCODED};
use crate::proof::{balance, holder, links, range};
use crate::{
    Claims, Encoded, Hash, LedgerTranscript, Rejected, RistrettoPoint, Scalar, encoding, pairs,
};

#[test]
fn the_challenge_of_every_relation_depends_on_every_message_before_it() {
    for case in all().iter().filter(|case| case.relation != range::NAME) {
        let honest = Challenges::of(case, None, &case.proof, transcript());
        let (mut drawn, mut next) = (BTreeSet::new(), BTreeSet::new());
        let mut rho = BTreeSet::from([honest.rho]);
        let mut after = |what: &str, challenges: Challenges, is_statement: bool| {
            assert!(drawn.insert(challenges.c), "{}: c despite {what}", case.name);
            let is_new = challenges.next.is_none_or(|challenge| next.insert(challenge));
            assert!(is_new, "{}: next challenge despite {what}", case.name);
            if is_statement && challenges.rho.is_some() {
                assert!(rho.insert(challenges.rho), "{}: rho despite {what}", case.name);
            }
        };
        after("nothing", Challenges { rho: None, ..honest }, false);
        for (edit, what) in case.edits.iter().enumerate() {
            if case.rows(Some(edit)).is_some_and(|rows| has_shape(case, &rows)) {
                after(what, Challenges::of(case, Some(edit), &case.proof, transcript()), true);
            }
        }
        if case.on_transcript {
            let other = LedgerTranscript::new(b"sudare/test/v1", b"another leg");
            after("another context", Challenges::of(case, None, &case.proof, other), true);
        }
        let (commitments, responses) = parts(&parse(&case.proof).unwrap());
        for k in 0..commitments.len() {
            let mut changed = commitments.clone();
            changed[k] = *B_ENCODED;
            let proof = encoding::encode(&assemble(&changed, &responses));
            after(&format!("Y {k}"), Challenges::of(case, None, &proof, transcript()), false);
        }
        for k in 0..responses.len() {
            let mut changed = responses.clone();
            changed[k] += Scalar::ONE;
            let proof = encoding::encode(&assemble(&commitments, &changed));
            let challenges = Challenges::of(case, None, &proof, transcript());
            assert_eq!(challenges.c, honest.c, "c comes before the responses");
            let is_new = challenges.next.is_none_or(|challenge| next.insert(challenge));
            assert!(is_new, "{}: next challenge despite z {k}", case.name);
        }
    }
}

/// Whoever knows the generator's answers would otherwise compute the nonces, and from them and the responses the witness.
#[test]
fn nonces_depend_on_the_witness_and_not_on_the_generator_alone() {
    for case in with_rows() {
        let relation = case.rows(None).unwrap();
        let (commitments, _) = parts(&prove(&relation, &case.witness));
        for v in 0..case.witness.len() {
            let mut other = case.witness.clone();
            other[v] += Scalar::ONE;
            for commitment in parts(&prove(&relation, &other)).0 {
                assert!(!commitments.contains(&commitment), "{}: variable {v}", case.name);
            }
        }
    }
}

/// Proofs of fixed inputs and what a verifier draws after them: a changed label, order or encoding breaks proofs already made.
#[test]
fn proofs_and_transcripts_are_frozen() {
    let frozen = one_each().into_iter().map(|case| {
        let mut transcript = transcript();
        case.verify(None, &case.proof, &mut transcript, &mut Claims::new()).unwrap();
        let next = transcript.challenge(b"next").to_bytes();
        (case.name, Hash::of(b"frozen", &[&case.proof, &next]).to_string())
    });
    let frozen: Vec<_> = frozen.collect();
    let expected = [
        ("possession", "4bd8e4e51fc7b58023bdf236b7d8c1fc7cf296dfef51aef2a9e0ed2b13c69a31"),
        ("tag", "f7ca752f9eef25e32a50616a7a4bce6d468eec0674f8ad9be7c159b69d07619a"),
        ("owner, 3 keys", "ba5706a09b729101c72e9f3bf232d44deef99015ee3c40386d0a5b5ac4936ba4"),
        (
            "amount, 2 outputs, 2 keys",
            "c16b48877095743dbe3366f1286a33f818c1593790c0fec9c7caffd053c9107a",
        ),
        (
            "spend, 2 inputs, 3 keys",
            "b6eef3e8205799225f653aa9f3213f83d9ae89bbc2ce3414b472f06a044c2824",
        ),
        (
            "wrap, 2 sections, 3 readers",
            "87ba432483cc3f931cdaaa84d9cf4e2c021c3d315846d3b23930ff802926fa7b",
        ),
        ("links, 2 inputs", "7b1aad329e724d9993e67e176078bcd47af19f204423efd70854c55877b126ea"),
        (
            "balance, 2 inputs, 2 outputs",
            "f0ae922fec39af4c87501364513d8dda6c8916faad184cae422b3a6970922f50",
        ),
        (
            "totals [2, 0], Between { low: 5, high: 40 }",
            "a53aabfe65766b8ffd12b905378b8132944182c1d1e1e2975e90972ce849e360",
        ),
        ("holder, 2 notes", "0ba162e27c0171ad7f1e935d37491e58d00331aa04fe721263dfddc6810d6597"),
        ("locator", "5cb35edd627a15c90ed56fba6046f0f9f8b1c626ae3a026c8b06a400cac02503"),
        ("equality", "2771d0d8598c10f8f949123f7e6ac58d7eeb9820cbf0bc2fd6817435e72de4b7"),
        ("range, 1 outputs", "b03bdd404026e74bcd23ccee16749b168fb921f4b046a929f081d12883247d14"),
    ];
    let expected = expected.map(|(name, hash)| (name.to_owned(), hash.to_owned()));
    assert_eq!(frozen, expected);
}

#[test]
fn what_follows_a_range_proof_depends_on_it() {
    let case = one_each().pop().unwrap();
    let next = |proof: &[u8]| {
        let mut transcript = transcript();
        case.verify(None, proof, &mut transcript, &mut Claims::new()).unwrap();
        transcript.challenge(b"next").to_bytes()
    };
    let mut seen = BTreeSet::from([next(&case.proof)]);
    for byte in 0..case.proof.len() {
        let mut proof = case.proof.clone();
        proof[byte] ^= 1;
        assert!(seen.insert(next(&proof)), "byte {byte}");
    }
}

#[test]
fn the_copy_that_omits_nothing_is_the_verifier() {
    for case in with_rows() {
        let (relation, proof) = honest(&case);
        let (mut copied, mut real) = (Claims::new(), Claims::new());
        weak_verify(&relation, &proof, &mut transcript(), &mut copied, Omitted::Nothing);
        crate::linear::verify(&relation, &proof, &mut transcript(), &mut real).unwrap();
        let (copied, real) = (equations(&copied), equations(&real));
        assert_eq!(copied, real, "{}", case.name);
    }
}

#[test]
fn without_the_commitments_anything_is_proved_without_a_witness() {
    for case in with_rows() {
        let mut relation = case.rows(None).unwrap();
        relation.statement.push(0);
        relation.rows.iter_mut().for_each(|row| row.target.push((Scalar::ONE, stranger())));
        // c is known before anything is committed to: choose z, then Y to fit.
        let (rows, c) = weak_challenge(&relation, &[], &mut transcript(), Omitted::Commitments);
        let responses: Vec<_> = (0..relation.variables).map(|_| random()).collect();
        let commitments: Vec<_> = rows.iter().map(|row| fitting(row, &responses, c)).collect();
        assert_forged(&case, &relation, &assemble(&commitments, &responses), Omitted::Commitments);
    }
}

#[test]
fn without_one_commitment_its_equation_proves_nothing() {
    for case in with_rows() {
        let rows = case.rows(None).unwrap().rows.len();
        for k in 0..rows {
            let mut relation = case.rows(None).unwrap();
            relation.statement.push(0);
            relation.rows[k].target.push((Scalar::ONE, stranger()));
            let omitted = Omitted::Commitment(k);
            // Honest nonces for the true equations; the false one's Y is chosen when c is known.
            let nonces: Vec<_> = (0..relation.variables).map(|_| random()).collect();
            let (all_rows, _) = weak_challenge(&relation, &[], &mut transcript(), omitted);
            let mut commitments: Vec<_> =
                all_rows.iter().map(|row| fitting(row, &nonces, Scalar::ZERO)).collect();
            let (_, c) = weak_challenge(&relation, &commitments, &mut transcript(), omitted);
            let responses = respond(&nonces, c, &case.witness);
            commitments[k] = fitting(&all_rows[k], &responses, c);
            assert_forged(&case, &relation, &assemble(&commitments, &responses), omitted);
        }
    }
}

#[test]
fn without_the_statement_it_is_chosen_after_its_proof() {
    for case in with_rows() {
        let mut relation = case.rows(None).unwrap();
        let nonces: Vec<_> = (0..relation.variables).map(|_| random()).collect();
        let (rows, _) = weak_challenge(&relation, &[], &mut transcript(), Omitted::Statement);
        let mut commitments: Vec<_> =
            rows.iter().map(|row| fitting(row, &nonces, Scalar::ZERO)).collect();
        let off = stranger().decompress().unwrap();
        commitments[0] = Encoded::of(&(commitments[0].decompress().unwrap() - off));
        let (_, c) = weak_challenge(&relation, &commitments, &mut transcript(), Omitted::Statement);
        let responses = respond(&nonces, c, &case.witness);
        // The first target moves by what no prover knows anything about.
        relation.statement.push(0);
        relation.rows[0].target.push((c.invert(), stranger()));
        assert_forged(&case, &relation, &assemble(&commitments, &responses), Omitted::Statement);
    }
}

/// A leg that makes 1000 units out of nothing: its false balance is off by a multiple of `B`, and so is, on purpose, its
/// wrap proof, whose response was chosen when the weights were known.
#[test]
fn without_the_responses_weights_drawn_from_the_transcript_cancel_a_false_balance() {
    type Weights = fn(&mut LedgerTranscript) -> [Scalar; 2];
    let drawn: Weights = |t| [t.challenge(b"weight"), t.challenge(b"weight")];
    let ones: Weights = |_| [Scalar::ONE; 2];
    for weights in [drawn, ones] {
        let (claims, weighted) = mint_from_nothing(weights);
        assert!(vanishes(&weighted), "the weakened batch accepts it");
        assert_eq!(claims.accept(&mut rng(30)), Err(Rejected::False("wrap")));
        // Nor does either pass alone.
        for residue in &claims.residues {
            let alone = Claims { residues: vec![residue.clone()], ..Claims::new() };
            assert_eq!(alone.accept(&mut rng(31)), Err(Rejected::False(residue.relation)));
        }
    }
}

#[test]
fn two_false_equations_that_cancel_are_refused_whatever_the_order() {
    let residue = |sign: Scalar| residue("a half", &[(sign * Scalar::from(1000u64), *B_ENCODED)]);
    for signs in [[Scalar::ONE, -Scalar::ONE], [-Scalar::ONE, Scalar::ONE]] {
        let claims = Claims { residues: signs.map(residue).to_vec(), ..Claims::new() };
        let sum: Combination = claims.residues.iter().flat_map(terms_of).collect();
        assert!(vanishes(&sum));
        for seed in 0..100 {
            assert_eq!(claims.accept(&mut rng(seed)), Err(Rejected::False("a half")));
        }
    }
}

/// What a verifier drew.
struct Challenges {
    c: [u8; 32],
    rho: Option<[u8; 32]>,
    /// None if the relation has a transcript of its own, so that nothing follows.
    next: Option<[u8; 32]>,
}

impl Challenges {
    fn of(
        case: &Case,
        edit: Option<usize>,
        proof: &[u8],
        mut transcript: LedgerTranscript,
    ) -> Self {
        let (mut claims, on_transcript) = (Claims::new(), case.on_transcript);
        case.verify(edit, proof, &mut transcript, &mut claims).unwrap();
        let relation = case.rows(edit).unwrap();
        let first = terms_of(&claims.residues[0]);
        // A residue begins with Y; then comes c times the target.
        let c = first[1].0 * relation.rows[0].target[0].0.invert();
        let last = terms_of(claims.residues.last().unwrap());
        let powers = last.iter().skip(1).map(|(coefficient, _)| coefficient * c.invert());
        let merges =
            relation.merged.len() > 1 || matches!(case.relation, links::NAME | holder::NAME);
        let is_power = |x: &Scalar| *x != Scalar::ONE && *x != -Scalar::ONE;
        let rho = merges.then(|| powers.into_iter().find(is_power).unwrap().to_bytes());
        let next = on_transcript.then(|| transcript.challenge(b"next").to_bytes());
        Self { c: c.to_bytes(), rho, next }
    }
}

/// Whether the case's proof has the right number of parts for these rows, and the challenge stands in the first.
fn has_shape(case: &Case, relation: &Relation) -> bool {
    let honest = case.rows(None).unwrap();
    let equations = |r: &Relation| r.rows.len() + usize::from(!r.merged.is_empty());
    relation.variables == honest.variables
        && equations(relation) == equations(&honest)
        && !relation.rows[0].target.is_empty()
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Omitted {
    Nothing,
    Statement,
    Commitment(usize),
    Commitments,
    Responses,
}

/// The rows and the challenge of a verifier that forgets to absorb something.
fn weak_challenge(
    relation: &Relation,
    commitments: &[Encoded],
    transcript: &mut LedgerTranscript,
    omitted: Omitted,
) -> (Vec<Row>, Scalar) {
    transcript.absorb(b"relation", relation.name.as_bytes());
    if omitted != Omitted::Statement {
        transcript.absorb(b"statement", &relation.statement);
    }
    let mut rows = relation.rows.clone();
    if !relation.merged.is_empty() {
        rows.push(merge(&relation.merged, transcript.challenge(b"rho")));
    }
    for (k, commitment) in commitments.iter().enumerate() {
        if omitted != Omitted::Commitments && omitted != Omitted::Commitment(k) {
            transcript.absorb_point(b"Y", commitment);
        }
    }
    let c = transcript.challenge(b"c");
    (rows, c)
}

/// A copy of the linear verifier that forgets to absorb something.
fn weak_verify(
    relation: &Relation,
    proof: &LinearProof,
    transcript: &mut LedgerTranscript,
    claims: &mut Claims,
    omitted: Omitted,
) {
    let (commitments, responses) = parts(proof);
    let (rows, c) = weak_challenge(relation, &commitments, transcript, omitted);
    if omitted != Omitted::Responses {
        responses.iter().for_each(|z| transcript.absorb_scalar(b"z", z));
    }
    for (row, commitment) in pairs(&rows, &commitments).unwrap() {
        let mut terms = vec![(Scalar::ONE, *commitment)];
        terms.extend(scaled(&row.target, c));
        for (variable, base) in &row.terms {
            terms.extend(scaled(base, -responses[*variable]));
        }
        claims.residues.push(residue(relation.name, &terms));
    }
}

/// Asserts that `proof` passes the weakened verifier and not ours, which knows the relation by its name.
fn assert_forged(case: &Case, relation: &Relation, proof: &LinearProof, omitted: Omitted) {
    let forged = decide::<Rejected>(|transcript, claims| {
        weak_verify(relation, proof, transcript, claims, omitted);
        Ok(())
    });
    assert_eq!(forged, Ok(()), "{}: the attack works without {omitted:?}", case.name);
    let refused = decide(|t, claims| crate::linear::verify(relation, proof, t, claims));
    assert_eq!(refused, Err(Rejected::False(case.relation)), "{}: {omitted:?}", case.name);
    assert!(!provable(relation, &case.witness), "{}: what was forged is false", case.name);
}

/// The claims of a wrap proof and a false balance on one transcript, and their sum under the weakened verifier's weights.
fn mint_from_nothing(weights: fn(&mut LedgerTranscript) -> [Scalar; 2]) -> (Claims, Combination) {
    let made = Scalar::from(1000u64);
    let (w, excess) = (random(), random());
    let target = vec![(Scalar::ONE, Encoded::of(&(B * w)))];
    let base = |point: RistrettoPoint| vec![(0, vec![(Scalar::ONE, Encoded::of(&point))])];
    let relation = |name, target, terms| Relation {
        name,
        statement: Vec::new(),
        variables: 1,
        rows: vec![Row { target, terms }],
        merged: Vec::new(),
    };
    let wrap = relation("wrap", target, base(B));
    let blinding = *crate::point::B_BLINDING;
    let unbalanced = vec![(Scalar::ONE, Encoded::of(&(blinding * excess - B * made)))];
    let balance = relation(balance::NAME, unbalanced, base(blinding));

    let omitted = Omitted::Responses;
    let verify = |proofs: [&LinearProof; 2]| {
        let (mut transcript, mut claims) = (transcript(), Claims::new());
        weak_verify(&wrap, proofs[0], &mut transcript, &mut claims, omitted);
        weak_verify(&balance, proofs[1], &mut transcript, &mut claims, omitted);
        (claims, weights(&mut transcript))
    };
    // Both proofs as an honest prover would make them, but that the balance is false.
    let mut transcript = transcript();
    let mut weak_prove = |relation: &Relation, x: Scalar| {
        let k = random();
        let commitments = [fitting(&relation.rows[0], &[k], Scalar::ZERO)];
        let (_, c) = weak_challenge(relation, &commitments, &mut transcript, omitted);
        (commitments, k + c * x, c)
    };
    let (y_wrap, z_wrap, _) = weak_prove(&wrap, w);
    let (y_balance, z_balance, c) = weak_prove(&balance, excess);
    let balance_proof = assemble(&y_balance, &[z_balance]);
    let (_, [first, second]) = verify([&assemble(&y_wrap, &[z_wrap]), &balance_proof]);
    // The balance's equation is off by c*made*B: take as much from the wrap proof's.
    let z_wrap = z_wrap - second * c * made * first.invert();
    let (claims, weights) = verify([&assemble(&y_wrap, &[z_wrap]), &balance_proof]);
    assert_eq!(weights, [first, second], "the weights do not depend on the responses");
    let sum = pairs(&claims.residues, &weights).unwrap();
    let sum = sum.flat_map(|(residue, weight)| scaled(&terms_of(residue), *weight)).collect();
    (claims, sum)
}

/// Each equation, its points in order.
fn equations(claims: &Claims) -> Vec<BTreeMap<Encoded, Scalar>> {
    let equation = |residue: &Residue| {
        terms_of(residue).into_iter().fold(BTreeMap::new(), |mut sum, (coefficient, point)| {
            *sum.entry(point).or_default() += coefficient;
            sum
        })
    };
    claims.residues.iter().map(equation).collect()
}

fn with_rows() -> Vec<Case> {
    one_each().into_iter().filter(|case| case.relation != range::NAME).collect()
}

fn honest(case: &Case) -> (Relation, LinearProof) {
    let relation = case.rows(None).unwrap();
    let proof = prove(&relation, &case.witness);
    (relation, proof)
}

fn merge(rows: &[Row], rho: Scalar) -> Row {
    let (mut sum, mut power) = (Row { target: Vec::new(), terms: Vec::new() }, Scalar::ONE);
    for row in rows {
        sum.target.extend(scaled(&row.target, power));
        sum.terms.extend(row.terms.iter().map(|(v, base)| (*v, scaled(base, power))));
        power *= rho;
    }
    sum
}

/// The `Y` that makes a row's equation hold for these responses: `sum z * base - c * target`.
fn fitting(row: &Row, responses: &[Scalar], c: Scalar) -> Encoded {
    let mut sum = scaled(&row.target, -c);
    for (variable, base) in &row.terms {
        sum.extend(scaled(base, responses[*variable]));
    }
    Encoded::of(&evaluate(&sum))
}

fn respond(nonces: &[Scalar], c: Scalar, witness: &[Scalar]) -> Vec<Scalar> {
    pairs(nonces, witness).unwrap().map(|(k, x)| k + c * x).collect()
}

fn scaled(combination: &Combination, by: Scalar) -> Combination {
    combination.iter().map(|(coefficient, point)| (coefficient * by, *point)).collect()
}

/// A residue with these terms.
fn residue(relation: &'static str, terms: &[(Scalar, Encoded)]) -> Residue {
    let terms = terms.iter().map(|(coefficient, point)| (field(coefficient), *point));
    Residue { relation, terms: terms.collect() }
}

fn terms_of(residue: &Residue) -> Combination {
    residue.terms.iter().map(|(coefficient, point)| (scalar(coefficient), *point)).collect()
}

fn evaluate(combination: &Combination) -> RistrettoPoint {
    combination.iter().map(|(coefficient, point)| point.decompress().unwrap() * coefficient).sum()
}

fn vanishes(combination: &Combination) -> bool {
    evaluate(combination) == RistrettoPoint::default()
}

/// A point of which nobody knows anything.
fn stranger() -> Encoded {
    Encoded::of(&RistrettoPoint::hash_from_bytes::<sha2::Sha512>(b"a stranger"))
}

fn random() -> Scalar {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
    static SEED: AtomicU64 = AtomicU64::new(1 << 32);
    Scalar::random(&mut rng(SEED.fetch_add(1, Relaxed)))
}
