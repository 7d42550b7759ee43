//! Batches: the same answers as one by one, every culprit named, nothing hidden by what stands beside it.

use ark_ff::{AdditiveGroup, Field};

use super::relations::{Case, all, one_each};
use super::{by_every_kernel, rng, transcript};
use crate::claims::Residue;
use crate::field::{Fr, field};
use crate::point::{B, B_ENCODED};
use crate::{Batch, Claims, Culprit, Encoded, Refused, Rejected, Scalar, Stream};

/// The claims of a case, honest or with the lowest byte of its last scalar changed.
fn claims(case: &Case, bad: bool) -> Claims {
    let (mut claims, mut proof) = (Claims::new(), case.proof.clone());
    let last = proof.len() - 32;
    proof[last] ^= u8::from(bad);
    case.verify(None, &proof, &mut transcript(), &mut claims).unwrap();
    claims
}

/// Decides the cases in one batch, those at `bad` changed, with every kernel.
fn decide(cases: &[Case], bad: &[usize]) -> Result<(), Refused> {
    by_every_kernel(1, || {
        let mut batch = Batch::new();
        for (index, case) in cases.iter().enumerate() {
            assert_eq!(batch.add(claims(case, bad.contains(&index))), index);
        }
        batch
    })
}

fn culprits(cases: &[Case], bad: &[usize]) -> Result<(), Refused> {
    let culprit = |index: &usize| Culprit {
        index: *index,
        rejected: Rejected::False(cases[*index].relation),
    };
    Err(Refused::Culprits(bad.iter().map(culprit).collect()))
}

#[test]
fn all_relations_in_all_shapes_are_accepted_together() {
    assert_eq!(decide(&all(), &[]), Ok(()));
}

#[test]
fn a_bad_claim_is_named_wherever_it_hides() {
    let cases = all();
    for bad in 0..cases.len() {
        assert_eq!(decide(&cases, &[bad]), culprits(&cases, &[bad]));
    }
}

#[test]
fn every_set_of_culprits_is_named_whole() {
    let cases = one_each();
    for set in 1..1_usize << cases.len() {
        let bad: Vec<_> = (0..cases.len()).filter(|index| set >> index & 1 == 1).collect();
        assert_eq!(decide(&cases, &bad), culprits(&cases, &bad));
    }
}

#[test]
fn an_empty_batch_and_empty_claims_are_refused() {
    let nothing = Culprit { index: 1, rejected: Rejected::Nothing };
    assert_eq!(Batch::new().decide(&mut rng(1)), Err(Refused::Empty));
    assert_eq!(Claims::new().accept(&mut rng(1)), Err(Rejected::Nothing));
    let mut batch = Batch::new();
    let honest = claims(&one_each()[0], false);
    for one in [honest.clone(), Claims::new(), honest] {
        batch.add(one);
    }
    assert_eq!(batch.decide(&mut rng(1)), Err(Refused::Culprits(vec![nothing])));
}

#[test]
fn claims_given_twice_are_judged_twice() {
    for case in one_each() {
        let twice = |bad: [bool; 2]| {
            let mut batch = Batch::new();
            for bad in bad {
                batch.add(claims(&case, bad));
            }
            batch.decide(&mut rng(1))
        };
        let at = |index| Culprit { index, rejected: Rejected::False(case.relation) };
        assert_eq!(twice([false, false]), Ok(()));
        assert_eq!(twice([true, false]), Err(Refused::Culprits(vec![at(0)])));
        assert_eq!(twice([true, true]), Err(Refused::Culprits(vec![at(0), at(1)])));
    }
}

/// Claims off by this many `B`.
fn off_by(amount: Fr) -> Claims {
    let residue = Residue { relation: "off", terms: vec![(amount, *B_ENCODED)] };
    Claims { residues: vec![residue], ..Claims::new() }
}

#[test]
fn false_claims_that_cancel_are_refused_wherever_they_stand() {
    let amount = field(&Scalar::from(1000u64));
    for distance in 1..8 {
        let mut batch = Batch::new();
        for index in 0..=distance {
            batch.add(match index {
                0 => off_by(amount),
                _ if index == distance => off_by(-amount),
                _ => claims(&one_each()[0], false),
            });
        }
        let off = |index| Culprit { index, rejected: Rejected::False("off") };
        let refused = batch.decide(&mut rng(1));
        assert_eq!(refused, Err(Refused::Culprits(vec![off(0), off(distance)])));
    }
}

type Verdict = (usize, Result<(), Rejected>);

#[test]
fn a_batch_of_more_points_than_are_multiplied_at_once_is_judged_as_a_small_one() {
    let known = |k: u64, said: u64| {
        let terms = vec![
            (Fr::ONE, Encoded::of(&(B * Scalar::from(k)))),
            (-field(&Scalar::from(said)), *B_ENCODED),
        ];
        Claims { residues: vec![Residue { relation: "known", terms }], ..Claims::new() }
    };
    let decide = |bad: &[usize]| {
        by_every_kernel(1, || {
            let mut batch = Batch::new();
            for index in 0..10_000_usize {
                let k = u64::try_from(index).unwrap() + 2;
                batch.add(known(k, k + u64::from(bad.contains(&index))));
            }
            batch
        })
    };
    let at = |index| Culprit { index, rejected: Rejected::False("known") };
    assert_eq!(decide(&[]), Ok(()));
    assert_eq!(decide(&[0, 9_999]), Err(Refused::Culprits(vec![at(0), at(9_999)])));
}

/// What is put through a stream: claims of so many terms each.
const MANY_TERMS: usize = 700;

fn many_terms(false_by: Fr) -> Claims {
    let nothing = std::iter::repeat_n((Fr::ZERO, *B_ENCODED), MANY_TERMS - 1);
    let terms = [(false_by, *B_ENCODED)].into_iter().chain(nothing).collect();
    Claims { residues: vec![Residue { relation: "many", terms }], ..Claims::new() }
}

/// Puts so many claims through a stream, some of them false: the verdicts, and the most that ever waited.
fn through_a_stream(count: usize, bad: &[usize]) -> (Vec<Verdict>, usize) {
    let (mut stream, mut rng) = (Stream::new(), rng(1));
    let (mut verdicts, mut waiting, mut most) = (Vec::new(), 0, 0);
    for index in 0..count {
        stream.add(index, many_terms(field(&Scalar::from(u8::from(bad.contains(&index))))));
        waiting += 1;
        most = most.max(waiting);
        if stream.is_full() {
            verdicts.extend(stream.decide(&mut rng));
            waiting = 0;
        }
    }
    verdicts.extend(stream.decide(&mut rng));
    assert_eq!(stream.decide(&mut rng), []);
    (verdicts, most)
}

#[test]
fn a_stream_holds_a_full_batch_at_most_however_long_it_is() {
    let held: Vec<usize> =
        [500, 1000, 2000].into_iter().map(|count| through_a_stream(count, &[]).1).collect();
    assert_eq!(held, [held[0]; 3]);
    assert!(held[0] < 100, "{held:?}");
}

#[test]
fn a_stream_gives_back_everything_once_and_in_order_with_its_own_verdict() {
    let bad = [0, 57, 58, 120, 199];
    let (verdicts, most) = through_a_stream(200, &bad);
    assert!(most < 100, "a batch of {most} is all of the stream");
    for (expected, (index, verdict)) in verdicts.iter().enumerate() {
        assert_eq!(*index, expected);
        let refused = Err(Rejected::False("many"));
        assert_eq!(*verdict, if bad.contains(index) { refused } else { Ok(()) });
    }
    assert_eq!(verdicts.len(), 200);
}

#[test]
fn a_stream_refuses_what_comes_without_claims() {
    let mut stream = Stream::new();
    stream.add("nothing", Claims::new());
    stream.add("something", claims(&one_each()[0], false));
    let nothing = Err(Rejected::Nothing);
    assert_eq!(stream.decide(&mut rng(1)), [("nothing", nothing), ("something", Ok(()))]);
}
