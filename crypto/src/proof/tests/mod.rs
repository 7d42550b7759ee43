//! Every relation under attack: the tables are in `relations`, the questions asked of each row in `refusals` and `challenge`,
//! the protocol's own attacks in `attacks`, those on a batch in `batch` and `hidden`.

mod agreement;
mod attacks;
mod batch;
mod bounds;
mod challenge;
mod edits;
mod equality;
mod hidden;
mod refusals;
mod relations;
mod statements;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::linear::{LinearProof, Relation};
use crate::{
    Batch, Claims, Encoded, Kernel, LedgerTranscript, Malformed, Rejected, Scalar, encoding,
};

/// Why proof bytes were refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Refused {
    Malformed(Malformed),
    Rejected(Rejected),
}

impl From<Malformed> for Refused {
    fn from(error: Malformed) -> Self {
        Self::Malformed(error)
    }
}

impl From<Rejected> for Refused {
    fn from(error: Rejected) -> Self {
        Self::Rejected(error)
    }
}

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// The transcript that all honest proofs of these tests are made on.
fn transcript() -> LedgerTranscript {
    LedgerTranscript::new(b"sudare/test/v1", b"a leg")
}

/// Verifies on the honest transcript and decides.
fn decide<E: From<Rejected>>(
    verify: impl FnOnce(&mut LedgerTranscript, &mut Claims) -> Result<(), E>,
) -> Result<(), E> {
    let mut claims = Claims::new();
    verify(&mut transcript(), &mut claims)?;
    Ok(claims.accept(&mut rng(99))?)
}

/// What every kernel of this processor decides of this batch, which is the same.
fn by_every_kernel(seed: u64, batch: impl Fn() -> Batch) -> Result<(), crate::Refused> {
    let verdict = batch().decide(&mut rng(seed));
    for kernel in Kernel::all() {
        assert_eq!(batch().decide_by(kernel, &mut rng(seed)), verdict, "{}", kernel.name());
    }
    verdict
}

/// Proves a relation with a witness, true or not, as the real prover does.
fn prove(relation: &Relation, witness: &[Scalar]) -> LinearProof {
    crate::linear::prove(relation, witness, &mut transcript(), &mut rng(98)).unwrap()
}

/// Whether a proof of `relation` made with `witness` is accepted.
fn provable(relation: &Relation, witness: &[Scalar]) -> bool {
    let proof = prove(relation, witness);
    decide(|transcript, claims| crate::linear::verify(relation, &proof, transcript, claims)).is_ok()
}

fn parse(proof: &[u8]) -> Result<LinearProof, Malformed> {
    encoding::decode(proof, "a proof")
}

/// A proof with these parts, which its prover would not let us make.
fn assemble(commitments: &[Encoded], responses: &[Scalar]) -> LinearProof {
    let responses: Vec<[u8; 32]> = responses.iter().map(Scalar::to_bytes).collect();
    let list = |count: usize| u16::try_from(count).unwrap().to_le_bytes().to_vec();
    let mut bytes = list(commitments.len());
    bytes.extend(commitments.iter().flat_map(|point| *point.as_bytes()));
    bytes.extend(list(responses.len()));
    bytes.extend(responses.iter().flatten());
    parse(&bytes).unwrap()
}

/// The commitments and responses of a proof.
fn parts(proof: &LinearProof) -> (Vec<Encoded>, Vec<Scalar>) {
    type Parts = (crate::Bounded<Encoded, 512>, crate::Bounded<crate::Secret, 512>);
    let (commitments, responses): Parts =
        encoding::decode(&encoding::encode(proof), "parts").unwrap();
    (commitments.into_vec(), responses.iter().map(|secret| secret.0).collect())
}
