//! What is false hides in no batch: behind nothing that stands beside it, and not behind weights that its prover can't know.

use ark_ff::{AdditiveGroup, Field};
use rand_core::RngCore;

use super::relations::{Case, all, one_each};
use super::{assemble, by_every_kernel, parts, prove, rng, transcript};
use crate::claims::Residue;
use crate::field::{Fr, field, scalar};
use crate::linear::{LinearProof, Relation, Row};
use crate::point::{B, B_BLINDING, B_ENCODED};
use crate::{Batch, Claims, Culprit, Encoded, Refused, Rejected, RistrettoPoint, Scalar};

/// The claims of a case for its statement or a change of it; none if they are refused before the batch.
fn claims(case: &Case, edit: Option<usize>, proof: &[u8]) -> Option<Claims> {
    let mut claims = Claims::new();
    case.verify(edit, proof, &mut transcript(), &mut claims).ok()?;
    Some(claims)
}

fn honest(case: &Case) -> Claims {
    claims(case, None, &case.proof).unwrap()
}

/// With one bit of its last scalar changed.
fn broken(case: &Case) -> Claims {
    let mut proof = case.proof.clone();
    let last = proof.len() - 32;
    proof[last] ^= 1;
    claims(case, None, &proof).unwrap()
}

fn decide(all: &[Claims], seed: u64) -> Result<(), Refused> {
    by_every_kernel(seed, || {
        let mut batch = Batch::new();
        for one in all {
            batch.add(one.clone());
        }
        batch
    })
}

fn refused(culprits: &[(usize, Rejected)]) -> Result<(), Refused> {
    let culprit =
        |(index, rejected): &(usize, Rejected)| Culprit { index: *index, rejected: *rejected };
    Err(Refused::Culprits(culprits.iter().map(culprit).collect()))
}

#[test]
fn one_false_claim_among_255_true_ones_is_named_wherever_it_stands() {
    let cases = all();
    let honest: Vec<Claims> = cases.iter().map(honest).collect();
    let full: Vec<Claims> = honest.iter().cycle().take(256).cloned().collect();
    assert_eq!(decide(&full, 1), Ok(()));
    for index in [0, 1, 127, 128, 254, 255] {
        let case = &cases[index % cases.len()];
        let mut full = full.clone();
        full[index] = broken(case);
        assert_eq!(decide(&full, 2), refused(&[(index, Rejected::False(case.relation))]));
    }
}

/// The proof of one statement beside the proof of each other: none vouches for what it wasn't made for.
#[test]
fn every_change_of_a_statement_is_refused_between_true_claims() {
    for case in all() {
        let edits = (0..case.edits.len()).filter_map(|edit| claims(&case, Some(edit), &case.proof));
        let edited: Vec<Claims> = edits.collect();
        let mut batch = Batch::new();
        for one in &edited {
            batch.add(honest(&case));
            batch.add(one.clone());
        }
        if edited.is_empty() {
            continue;
        }
        let Err(Refused::Culprits(culprits)) = batch.decide(&mut rng(3)) else {
            panic!("{}: a changed statement is accepted", case.name);
        };
        let named: Vec<usize> = culprits.iter().map(|one| one.index).collect();
        let expected: Vec<usize> = (0..edited.len()).map(|index| 2 * index + 1).collect();
        assert_eq!(named, expected, "{}", case.name);
        let mut alone = culprits.iter().map(|one| edited[one.index / 2].accept(&mut rng(4)));
        assert!(alone.all(|verdict| culprits.iter().any(|one| Err(one.rejected) == verdict)));
    }
}

#[test]
fn each_relation_of_a_leg_broken_alone_is_named_and_only_in_its_leg() {
    let cases = one_each();
    let leg = |bad: Option<usize>| {
        let mut leg = Claims::new();
        for (index, case) in cases.iter().enumerate() {
            leg.append(if bad == Some(index) { broken(case) } else { honest(case) });
        }
        leg
    };
    let mut batch = vec![leg(None)];
    batch.extend((0..cases.len()).map(|bad| leg(Some(bad))));
    batch.push(leg(None));
    let culprit = |(index, case): (usize, &Case)| (index + 1, Rejected::False(case.relation));
    let culprits: Vec<_> = cases.iter().enumerate().map(culprit).collect();
    assert_eq!(decide(&batch, 5), refused(&culprits));
}

#[test]
fn the_answer_does_not_depend_on_the_order() {
    let (cases, rng) = (one_each(), &mut rng(6));
    for seed in 0..40 {
        let mut batch: Vec<(Claims, Option<Rejected>)> = cases
            .iter()
            .map(|case| match rng.next_u32() % 3 {
                0 => (broken(case), Some(Rejected::False(case.relation))),
                _ => (honest(case), None),
            })
            .collect();
        for last in (1..batch.len()).rev() {
            batch.swap(last, usize::try_from(rng.next_u32()).unwrap() % (last + 1));
        }
        let claims: Vec<Claims> = batch.iter().map(|(claims, _)| claims.clone()).collect();
        let culprits: Vec<_> = batch
            .iter()
            .enumerate()
            .filter_map(|(index, (_, rejected))| Some((index, (*rejected)?)))
            .collect();
        let expected = if culprits.is_empty() { Ok(()) } else { refused(&culprits) };
        assert_eq!(decide(&claims, seed), expected);
    }
}

/// [VER-2]. 1000 units out of nothing: the false balance is off by a multiple of `B`, and another proof of the same prover, whose
/// response he chose when he knew the weights, takes it back.
#[test]
fn weights_known_beforehand_let_two_false_proofs_cancel() {
    const KNOWN: u64 = 7;
    let [mut first, mut second] = [weight_of(0, KNOWN), weight_of(1, KNOWN)];
    for swapped in [false, true] {
        let pair = minted_from_nothing([first, second]);
        let (pair, names) = if swapped {
            (vec![pair[1].clone(), pair[0].clone()], ["cover", "balance"])
        } else {
            (pair.to_vec(), ["balance", "cover"])
        };
        assert_eq!(decide(&pair, KNOWN), Ok(()), "the attack works where weights are known");
        let named = [(0, Rejected::False(names[0])), (1, Rejected::False(names[1]))];
        for seed in KNOWN + 1..KNOWN + 50 {
            assert_eq!(decide(&pair, seed), refused(&named));
        }
        for index in 0..2 {
            assert_eq!(decide(&pair[index..=index], KNOWN), refused(&[(0, named[index].1)]));
        }
        std::mem::swap(&mut first, &mut second);
    }
}

/// [VER-2]. The same inside one leg, where both proofs are judged together.
#[test]
fn weights_known_beforehand_let_a_leg_mint_from_nothing() {
    const KNOWN: u64 = 8;
    let [mut leg, cover] = minted_from_nothing([weight_of(0, KNOWN), weight_of(1, KNOWN)]);
    leg.append(cover);
    assert_eq!(leg.accept(&mut rng(KNOWN)), Ok(()), "the attack works where weights are known");
    for seed in KNOWN + 1..KNOWN + 50 {
        assert_eq!(leg.accept(&mut rng(seed)), Err(Rejected::False("balance")));
    }
}

/// [VER-2]. Weights of one proof seen in one batch are no use in the next, even of the same claims.
#[test]
fn every_batch_draws_its_own_weights() {
    let (mut rng, mut again) = (rng(9), rng(9));
    let pair = minted_from_nothing([weight(&mut again), weight(&mut again)]);
    let mut decide = || {
        let mut batch = Batch::new();
        pair.iter().for_each(|one| {
            batch.add(one.clone());
        });
        batch.decide(&mut rng)
    };
    assert_eq!(decide(), Ok(()), "the weights of the first batch were known");
    assert!(decide().is_err());
}

/// A batch counts a point once, wherever it stands. A merger that took points for equal whose first bytes are would cancel these.
#[test]
fn points_that_begin_alike_are_not_merged() {
    let alike = |from: u8| {
        let candidates = (from..=u8::MAX).map(|last| {
            let mut bytes = [0; 32];
            (bytes[0], bytes[20], bytes[30]) = (2, last, 1);
            Encoded::from_bytes(bytes).unwrap()
        });
        candidates.into_iter().find(|point| point.decompress().is_ok()).unwrap()
    };
    let one = alike(0);
    let other = alike(one.as_bytes()[20] + 1);
    assert_eq!(one.as_bytes()[..20], other.as_bytes()[..20]);
    let residue = |points: [Encoded; 2]| Claims {
        residues: vec![Residue {
            relation: "alike",
            terms: vec![(Fr::ONE, points[0]), (-Fr::ONE, points[1])],
        }],
        ..Claims::new()
    };
    let batch = [residue([one, one]), residue([one, other]), residue([other, other])];
    assert_eq!(decide(&batch, 10), refused(&[(1, Rejected::False("alike"))]));
}

/// A merger that gave a coefficient to the place of its neighbour, or forgot what stood there, would accept one of these.
#[test]
fn a_point_that_stands_in_many_claims_counts_in_each_as_often_as_it_stands_there() {
    let shared = RistrettoPoint::random(&mut rng(11));
    let terms = |times: u64, claimed: u64| {
        let mut terms = vec![(Fr::ONE, Encoded::of(&shared)); usize::try_from(times).unwrap()];
        terms.push((-Fr::ONE, Encoded::of(&(shared * Scalar::from(claimed)))));
        Claims { residues: vec![Residue { relation: "many", terms }], ..Claims::new() }
    };
    let batch: Vec<Claims> =
        (1..=4).flat_map(|times| (1..=4).map(move |claimed| terms(times, claimed))).collect();
    let wrong = (0..16).filter(|index| index / 4 != index % 4);
    let culprits: Vec<_> = wrong.map(|index| (index, Rejected::False("many"))).collect();
    assert_eq!(decide(&batch, 12), refused(&culprits));
}

/// One claim with a point that no encoding has does not take its neighbours with it, even under the coefficient zero.
#[test]
fn a_point_that_does_not_decode_is_refused_among_true_claims_whatever_its_coefficient() {
    let mut high_bit = *B_ENCODED.as_bytes();
    high_bit[31] |= 0x80;
    let bad = Encoded::from_bytes(high_bit).unwrap();
    let cases = one_each();
    for coefficient in [Fr::ZERO, Fr::ONE] {
        let mut batch: Vec<Claims> = cases.iter().map(honest).collect();
        batch[3]
            .residues
            .push(Residue { relation: "undecodable", terms: vec![(coefficient, bad)] });
        assert_eq!(decide(&batch, 13), refused(&[(3, Rejected::Point("undecodable"))]));
    }
}

/// The first weight of the equation at this place, of a verifier whose generator has this seed. An equation draws two.
fn weight_of(place: usize, seed: u64) -> Fr {
    let rng = &mut rng(seed);
    (0..=place).map(|_| weight(rng)).last().unwrap()
}

/// The first weight of the next equation.
fn weight(rng: &mut impl RngCore) -> Fr {
    let mut draw = || {
        let mut bytes = [0; 16];
        rng.fill_bytes(&mut bytes);
        Fr::from(u128::from_le_bytes(bytes)) + Fr::ONE
    };
    let first = draw();
    let _of_the_second_equation_of_a_range_statement = draw();
    first
}

/// A balance that makes 1000 units of nothing, and a proof whose error is the opposite under these weights. Both are read by the
/// real verifier of linear relations.
fn minted_from_nothing(weights: [Fr; 2]) -> [Claims; 2] {
    let made = Scalar::from(1000u64);
    let [excess, secret] = [Scalar::from(11u64), Scalar::from(13u64)];
    let relation = |name, target: RistrettoPoint, base: RistrettoPoint| Relation {
        name,
        statement: target.compress().to_bytes().to_vec(),
        variables: 1,
        rows: vec![Row {
            target: vec![(Scalar::ONE, Encoded::of(&target))],
            terms: vec![(0, vec![(Scalar::ONE, Encoded::of(&base))])],
        }],
        merged: Vec::new(),
    };
    let balance = relation("balance", *B_BLINDING * excess - B * made, *B_BLINDING);
    let cover = relation("cover", B * secret, B);
    let read = |relation: &Relation, proof: &LinearProof| {
        let mut claims = Claims::new();
        crate::linear::verify(relation, proof, &mut transcript(), &mut claims).unwrap();
        claims
    };
    let minted = read(&balance, &prove(&balance, &[excess]));
    // The balance's equation is off by c times what was made; its second term is the target under c.
    let (c, _) = minted.residues[0].terms[1];
    let (commitments, responses) = parts(&prove(&cover, &[secret]));
    let off = c * field(&made) * weights[0] * weights[1].inverse().unwrap();
    let response = responses[0] - scalar(&off);
    [minted, read(&cover, &assemble(&commitments, &[response]))]
}
