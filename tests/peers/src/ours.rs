//! Sudare: range proofs alone, and whole transfer legs with links, slots and sections.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use sudare_crypto::encoding::encode;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::range;
use sudare_crypto::{Batch, Claims, Encoded, LedgerTranscript, Scalar, point};
use sudare_tests::measure::{Legs, Transfer};

use crate::{Outcome, Peer};

const PROTOCOL: &[u8] = b"sudare/peers/v1";

/// Aggregated proofs of 64 bits a value.
pub struct Ranges {
    openings: Vec<Opening>,
    proved: Vec<(Vec<[u8; 32]>, Vec<u8>)>,
}

impl Ranges {
    /// So many proofs, each of so many values.
    pub fn new(values: u64, count: usize) -> Outcome<Self> {
        let mut ranges = Self { openings: Vec::new(), proved: Vec::new() };
        for seed in (0..).take(count) {
            let rng = &mut rng(seed);
            let opening = |value| Opening { value: seed + value, blinding: Scalar::random(rng) };
            ranges.openings = (0..values).map(opening).collect();
            let commit = |one: &Opening| point::commit(one.value, &one.blinding).compress().0;
            let commitments = ranges.openings.iter().map(commit).collect();
            ranges.proved.push((commitments, ranges.proof()?));
        }
        Ok(ranges)
    }

    fn proof(&self) -> Outcome<Vec<u8>> {
        let transcript = &mut LedgerTranscript::new(PROTOCOL, b"");
        Ok(range::prove(&self.openings, transcript, &mut rng(7))?)
    }
}

impl Peer for Ranges {
    fn prove(&mut self) -> Outcome<()> {
        self.proof().map(drop)
    }

    fn verify(&self, count: usize) -> Outcome<()> {
        let mut batch = Batch::new();
        for (commitments, proof) in self.proved.iter().take(count) {
            let points = commitments.iter().map(|bytes| Encoded::from_bytes(*bytes));
            let points: Vec<Encoded> = points.collect::<Result<_, _>>()?;
            let mut claims = Claims::new();
            range::verify(&points, proof, &mut LedgerTranscript::new(PROTOCOL, b""), &mut claims)?;
            batch.add(claims);
        }
        Ok(batch.decide(&mut rng(8))?)
    }

    fn bytes(&self) -> usize {
        let (commitments, proof) = &self.proved[0];
        32 * commitments.len() + proof.len()
    }

    fn batch(&self) -> usize {
        self.proved.len()
    }
}

/// Legs of two inputs and two outputs under two keys with all fields.
pub struct Transfers {
    building: Transfer,
    legs: Legs,
    count: usize,
    bytes: usize,
}

impl Transfers {
    /// So many legs.
    pub fn new(count: usize) -> Outcome<Self> {
        let mut building = Transfer::new();
        let bytes = encode(&building.build()?.leg).len();
        Ok(Self { building, legs: Legs::new(2, count)?, count, bytes })
    }
}

impl Peer for Transfers {
    /// Encrypts and seals, and checks what was made, besides proving.
    fn prove(&mut self) -> Outcome<()> {
        Ok(self.building.build().map(drop)?)
    }

    fn verify(&self, count: usize) -> Outcome<()> {
        Ok(self.legs.verify(count, &mut rng(9))?)
    }

    fn bytes(&self) -> usize {
        self.bytes
    }

    fn batch(&self) -> usize {
        self.count
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}
