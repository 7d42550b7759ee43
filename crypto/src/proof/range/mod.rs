//! `[RNG]` Every output commits to a value below 2^64: one aggregated Bulletproof a leg (Bünz et al. 2018), on the leg's transcript.
//!
//! Proofs are those of the `bulletproofs` crate to the byte, proved here in a fraction of its time ([`prover`]) and verified here, many at
//! once ([`claim`]). Both pad the commitments to a power of two with commitments to zero under zero blinding, and run on a fork of the
//! transcript; the transcript itself goes on with the proof's bytes.

mod bases;
pub(crate) mod claim;
pub(crate) mod generators;
mod portable;
mod prover;
#[cfg(target_arch = "x86_64")]
mod vector;

use std::sync::LazyLock;

use rand_core::CryptoRngCore;
use sudare_kernels::Kernel;

use self::claim::RangeClaim;
use super::amount::Opening;
use crate::encoding::Malformed;
use crate::{Claims, Encoded, LedgerTranscript, Rejected};

/// The relation's name.
pub const NAME: &str = "sudare/proof/range/v1";
/// Bits of a value.
pub const BITS: usize = 64;
/// The most outputs one proof covers.
pub const OUTPUTS_MAX: usize = 64;

/// The length in bytes of a proof for `outputs` values: `32 * (9 + 2 log2(64 m))`, `m` the next power of two.
#[must_use]
pub fn proof_bytes(outputs: usize) -> usize {
    let rounds = outputs.next_power_of_two().saturating_mul(BITS).trailing_zeros();
    usize::try_from(rounds).unwrap_or(0).saturating_mul(2).saturating_add(9).saturating_mul(32)
}

/// So many outputs and more are proved by all cores together.
const LARGE: usize = 16;

/// Proves the range of all openings of a leg, at least one and at most [`OUTPUTS_MAX`]. Costs about 7 ms an output, or 2 where the
/// processor has AVX-512 IFMA. Nonces come from transcript, witness and `rng` together.
///
/// # Errors
///
/// [`Malformed`] if there are none or too many openings.
pub fn prove(
    openings: &[Opening],
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<Vec<u8>, Malformed> {
    let threads = if openings.len() < LARGE { 1 } else { *CORES };
    prove_with((Kernel::chosen(), threads), openings, transcript, rng)
}

/// As [`prove`], with a kernel of the caller's choice and on one thread. The bytes of a proof are the same.
///
/// # Errors
///
/// As [`prove`].
pub fn prove_by(
    kernel: Kernel,
    openings: &[Opening],
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<Vec<u8>, Malformed> {
    prove_with((kernel, 1), openings, transcript, rng)
}

/// How many threads run at once.
static CORES: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));

fn prove_with(
    by: (Kernel, usize),
    openings: &[Opening],
    transcript: &mut LedgerTranscript,
    rng: &mut impl CryptoRngCore,
) -> Result<Vec<u8>, Malformed> {
    if openings.is_empty() || openings.len() > OUTPUTS_MAX {
        return Err(Malformed::Encoding("a range statement: 1 to 64 outputs"));
    }
    transcript.absorb(b"relation", NAME.as_bytes());
    // The prover takes its nonces from the generator alone: three proofs of one commitment under the same nonces give it away.
    let mut builder = transcript.0.build_rng();
    for opening in openings {
        builder = builder
            .rekey_with_witness_bytes(b"v", &opening.value.to_le_bytes())
            .rekey_with_witness_bytes(b"r", opening.blinding.as_bytes());
    }
    let proof = prover::prove(by, openings, transcript.0.clone(), &mut builder.finalize(rng))
        .ok_or(Malformed::Encoding("a range statement"))?;
    transcript.absorb(b"range", &proof);
    Ok(proof)
}

/// Adds the range statement to `claims`, to be decided by [`Claims::accept`] or in a [`crate::Batch`].
///
/// # Errors
///
/// [`Rejected::Shape`] if there are none or too many commitments, the proof has not the one length it can have, a point of it is
/// the identity or a scalar not reduced.
pub fn verify(
    commitments: &[Encoded],
    proof: &[u8],
    transcript: &mut LedgerTranscript,
    claims: &mut Claims,
) -> Result<(), Rejected> {
    if commitments.is_empty() || commitments.len() > OUTPUTS_MAX {
        return Err(Rejected::Shape(NAME));
    }
    transcript.absorb(b"relation", NAME.as_bytes());
    claims.ranges.push(RangeClaim::read(commitments, proof, transcript)?);
    transcript.absorb(b"range", proof);
    Ok(())
}
