//! Honest range proofs, damaged: the verifier alone and in one batch refuses those that the `bulletproofs` crate refuses.
//!
//! Each question is five bytes: which proof it begins with, whether statement or proof is damaged, where (two bytes), and by what.
#![no_main]

use std::sync::LazyLock;

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use curve25519_dalek::ristretto::CompressedRistretto;
use libfuzzer_sys::fuzz_target;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::range;
use sudare_crypto::{Batch, Claims, Encoded, LedgerTranscript, Refused, Scalar, point};

/// More would only make one run slower.
const QUESTIONS_MAX: usize = 16;
const PROTOCOL: &[u8] = b"sudare/fuzz/v1";

#[derive(Clone)]
struct Question {
    commitments: Vec<[u8; 32]>,
    proof: Vec<u8>,
}

static HONEST: LazyLock<Vec<Question>> = LazyLock::new(|| (1..=4).map(Question::honest).collect());
static GENERATORS: LazyLock<BulletproofGens> =
    LazyLock::new(|| BulletproofGens::new(range::BITS, 4));

fuzz_target!(|data: &[u8]| {
    let (questions, _) = data.as_chunks::<5>();
    let (mut batch, mut expected, mut index) = (Batch::new(), Vec::new(), 0);
    for question in questions.iter().take(QUESTIONS_MAX).map(Question::damaged) {
        let accepted = question.by_the_crate();
        let Some(claims) = question.read() else {
            assert!(!accepted, "refused unread what the crate accepts");
            continue;
        };
        assert_eq!(claims.accept(&mut rng(1)).is_ok(), accepted);
        assert_eq!(batch.add(claims), index);
        if !accepted {
            expected.push(index);
        }
        index += 1;
    }
    let named = match batch.decide(&mut rng(2)) {
        Ok(()) | Err(Refused::Empty) => Vec::new(),
        Err(Refused::Culprits(culprits)) => culprits.iter().map(|one| one.index).collect(),
    };
    assert_eq!(named, expected);
});

impl Question {
    fn honest(outputs: u64) -> Self {
        let rng = &mut rng(outputs);
        let opening = |value| Opening { value, blinding: Scalar::from(value + 1000) };
        let openings: Vec<Opening> = (0..outputs).map(opening).collect();
        let commitment =
            |one: &Opening| point::commit(one.value, &one.blinding).compress().to_bytes();
        Self {
            commitments: openings.iter().map(commitment).collect(),
            proof: range::prove(&openings, &mut LedgerTranscript::new(PROTOCOL, b""), rng).unwrap(),
        }
    }

    fn damaged([which, part, high, low, by]: &[u8; 5]) -> Self {
        let mut question = HONEST[usize::from(*which) % HONEST.len()].clone();
        let place = usize::from(u16::from_be_bytes([*high, *low]));
        if part % 4 == 0 {
            let count = question.commitments.len();
            question.commitments[place / 32 % count][place % 32] ^= by;
        } else {
            let place = place % question.proof.len();
            question.proof[place] ^= by;
        }
        question
    }

    fn read(&self) -> Option<Claims> {
        let points = self.commitments.iter().map(|bytes| Encoded::from_bytes(*bytes));
        let points: Vec<Encoded> = points.collect::<Result<_, _>>().ok()?;
        let mut claims = Claims::new();
        let transcript = &mut LedgerTranscript::new(PROTOCOL, b"");
        range::verify(&points, &self.proof, transcript, &mut claims).ok()?;
        Some(claims)
    }

    fn by_the_crate(&self) -> bool {
        let Ok(proof) = RangeProof::from_bytes(&self.proof) else { return false };
        let mut transcript = Transcript::new(PROTOCOL);
        transcript.append_message(b"context", b"");
        transcript.append_message(b"relation", range::NAME.as_bytes());
        let mut points: Vec<_> =
            self.commitments.iter().map(|bytes| CompressedRistretto(*bytes)).collect();
        points.resize(points.len().next_power_of_two(), CompressedRistretto([0; 32]));
        let pedersen = PedersenGens::default();
        proof
            .verify_multiple_with_rng(
                &GENERATORS,
                &pedersen,
                &mut transcript,
                &points,
                range::BITS,
                &mut rng(3),
            )
            .is_ok()
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}
