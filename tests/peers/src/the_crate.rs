//! `bulletproofs`, which proves what Sudare's range proofs prove, to the byte, and verifies them one by one.

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use curve25519_dalek::{Scalar, ristretto::CompressedRistretto};
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::{Outcome, Peer};

const BITS: usize = 64;

/// Aggregated proofs of 64 bits a value.
pub struct Ranges {
    generators: BulletproofGens,
    values: Vec<u64>,
    blindings: Vec<Scalar>,
    proof: Vec<u8>,
    commitments: Vec<CompressedRistretto>,
}

impl Ranges {
    /// One proof of so many values.
    pub fn new(values: u64) -> Outcome<Self> {
        let rng = &mut ChaCha20Rng::seed_from_u64(1);
        let blindings: Vec<Scalar> = (0..values).map(|_| Scalar::random(rng)).collect();
        let values: Vec<u64> = (0..values).map(|value| value + 1).collect();
        let generators = BulletproofGens::new(BITS, values.len());
        let mut ranges =
            Self { generators, values, blindings, proof: Vec::new(), commitments: Vec::new() };
        let (proof, commitments) = ranges.proof()?;
        (ranges.proof, ranges.commitments) = (proof.to_bytes(), commitments);
        Ok(ranges)
    }

    fn proof(&self) -> Outcome<(RangeProof, Vec<CompressedRistretto>)> {
        let (pedersen, transcript) = (PedersenGens::default(), &mut Transcript::new(b"peers"));
        let rng = &mut ChaCha20Rng::seed_from_u64(2);
        let (values, blindings) = (&self.values, &self.blindings);
        let proved = RangeProof::prove_multiple_with_rng(
            &self.generators,
            &pedersen,
            transcript,
            values,
            blindings,
            BITS,
            rng,
        );
        Ok(proved.map_err(|error| error.to_string())?)
    }
}

impl Peer for Ranges {
    fn prove(&mut self) -> Outcome<()> {
        self.proof().map(drop)
    }

    fn verify(&self, count: usize) -> Outcome<()> {
        for _ in 0..count {
            let proof = RangeProof::from_bytes(&self.proof).map_err(|error| error.to_string())?;
            let (pedersen, transcript) = (PedersenGens::default(), &mut Transcript::new(b"peers"));
            let rng = &mut ChaCha20Rng::seed_from_u64(3);
            let (generators, commitments) = (&self.generators, &self.commitments);
            proof
                .verify_multiple_with_rng(generators, &pedersen, transcript, commitments, BITS, rng)
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    fn bytes(&self) -> usize {
        32 * self.commitments.len() + self.proof.len()
    }

    fn batch(&self) -> usize {
        1
    }
}
