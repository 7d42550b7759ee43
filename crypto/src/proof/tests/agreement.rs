//! The range verifier gives the answer of the `bulletproofs` crate to whatever it is asked.
//!
//! `SUDARE_MUTATIONS=100000 cargo test --release -p sudare-crypto agree_on_random -- --nocapture` takes minutes; the tests ask less.

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use curve25519_dalek::ristretto::CompressedRistretto;
use rand_core::RngCore;

use super::{rng, transcript};
use crate::proof::amount::Opening;
use crate::proof::range;
use crate::{Claims, Encoded, LedgerTranscript, Scalar};

/// A range proof and what it is asked of.
#[derive(Clone)]
struct Question {
    commitments: Vec<[u8; 32]>,
    proof: Vec<u8>,
    context: Vec<u8>,
}

impl Question {
    fn honest(values: &[u64], seed: u64) -> Self {
        let rng = &mut rng(seed);
        let openings: Vec<_> = values
            .iter()
            .map(|value| Opening { value: *value, blinding: Scalar::random(rng) })
            .collect();
        let commitment =
            |one: &Opening| crate::point::commit(one.value, &one.blinding).compress().0;
        Self {
            commitments: openings.iter().map(commitment).collect(),
            proof: range::prove(&openings, &mut transcript(), rng).unwrap(),
            context: b"a leg".to_vec(),
        }
    }

    fn transcript(&self) -> LedgerTranscript {
        LedgerTranscript::new(b"sudare/test/v1", &self.context)
    }

    fn ours(&self) -> bool {
        let points: Result<Vec<_>, _> =
            self.commitments.iter().map(|bytes| Encoded::from_bytes(*bytes)).collect();
        let Ok(points) = points else { return false };
        let mut claims = Claims::new();
        range::verify(&points, &self.proof, &mut self.transcript(), &mut claims).is_ok()
            && claims.accept(&mut rng(1)).is_ok()
    }

    fn crates(&self, generators: &BulletproofGens) -> bool {
        let Ok(proof) = RangeProof::from_bytes(&self.proof) else { return false };
        let mut transcript = self.transcript();
        transcript.absorb(b"relation", range::NAME.as_bytes());
        let mut commitments: Vec<_> =
            self.commitments.iter().map(|bytes| CompressedRistretto(*bytes)).collect();
        commitments.resize(commitments.len().next_power_of_two(), CompressedRistretto([0; 32]));
        proof
            .verify_multiple_with_rng(
                generators,
                &PedersenGens::default(),
                &mut transcript.0,
                &commitments,
                range::BITS,
                &mut rng(2),
            )
            .is_ok()
    }

    fn assert_agreed(&self, generators: &BulletproofGens, what: &str) -> bool {
        let ours = self.ours();
        assert_eq!(ours, self.crates(generators), "{what}");
        ours
    }
}

fn shapes() -> Vec<Question> {
    let values = [0, u64::MAX, 1, 1 << 63, 7];
    (1..=values.len()).map(|count| Question::honest(&values[..count], 1)).collect()
}

#[test]
fn the_verifiers_agree_on_honest_proofs_of_every_number_of_outputs() {
    let generators = BulletproofGens::new(range::BITS, 8);
    for (index, honest) in shapes().iter().enumerate() {
        assert!(honest.assert_agreed(&generators, &format!("{index}")));
    }
}

#[test]
fn the_verifiers_agree_on_every_flipped_bit() {
    let generators = BulletproofGens::new(range::BITS, 8);
    for (honest, step) in [(Question::honest(&[9], 3), 1), (Question::honest(&[1, 2, 3], 4), 37)] {
        for bit in (0..honest.proof.len() * 8).step_by(step) {
            let mut flipped = honest.clone();
            flipped.proof[bit / 8] ^= 1 << (bit % 8);
            assert!(!flipped.assert_agreed(&generators, &format!("bit {bit}")), "bit {bit}");
        }
    }
}

#[test]
fn the_verifiers_agree_on_random_mutations() {
    let count = std::env::var("SUDARE_MUTATIONS").ok().and_then(|count| count.parse().ok());
    let (rng, generators) = (&mut rng(5), BulletproofGens::new(range::BITS, 8));
    let shapes = shapes();
    let (mut accepted, count) = (0, count.unwrap_or(600));
    for number in 0..count {
        let honest = &shapes[below(shapes.len(), rng)];
        let other = &shapes[below(shapes.len(), rng)];
        let mutated = mutate(honest, other, rng);
        accepted += u32::from(mutated.assert_agreed(&generators, &format!("mutation {number}")));
    }
    // Some change nothing, an element copied onto itself.
    assert!(accepted < count / 4, "{accepted} of {count} accepted");
}

/// Replaces, swaps, moves or negates an element, or changes statement or context.
fn mutate(honest: &Question, other: &Question, rng: &mut impl RngCore) -> Question {
    let mut mutated = honest.clone();
    let mut below = |n: usize| below(n, rng);
    let elements = mutated.proof.len() / 32;
    let (at, from) = (32 * below(elements), 32 * below(elements));
    let source = honest.proof[from..from + 32].to_vec();
    match below(8) {
        0 => mutated.proof[at + below(32)] = u8::try_from(below(256)).unwrap(),
        1 => mutated.proof[at..at + 32].copy_from_slice(&source),
        2 => {
            let target = honest.proof[at..at + 32].to_vec();
            mutated.proof[at..at + 32].copy_from_slice(&source);
            mutated.proof[from..from + 32].copy_from_slice(&target);
        }
        3 => {
            let place = 32 * below(other.proof.len() / 32);
            mutated.proof[at..at + 32].copy_from_slice(&other.proof[place..place + 32]);
        }
        4 => {
            let element: [u8; 32] = mutated.proof[at..at + 32].try_into().unwrap();
            let negated = match CompressedRistretto(element).decompress() {
                Some(point) => (-point).compress().0,
                None => (-Scalar::from_bytes_mod_order(element)).to_bytes(),
            };
            mutated.proof[at..at + 32].copy_from_slice(&negated);
        }
        5 => mutated
            .commitments
            .rotate_left(below(honest.commitments.len()).max(1) % honest.commitments.len()),
        6 => mutated.commitments = other.commitments.clone(),
        _ => mutated.context.push(0),
    }
    mutated
}

fn below(n: usize, rng: &mut impl RngCore) -> usize {
    usize::try_from(rng.next_u32()).unwrap() % n
}
