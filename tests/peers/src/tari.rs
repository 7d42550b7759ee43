//! `tari_bulletproofs_plus`: Bulletproofs+, verified in batches.

use tari_bulletproofs_plus::Transcript;
use tari_bulletproofs_plus::commitment_opening::CommitmentOpening;
use tari_bulletproofs_plus::generators::pedersen_gens::ExtensionDegree;
use tari_bulletproofs_plus::range_parameters::RangeParameters;
use tari_bulletproofs_plus::range_proof::VerifyAction;
use tari_bulletproofs_plus::range_statement::RangeStatement;
use tari_bulletproofs_plus::range_witness::RangeWitness;
use tari_bulletproofs_plus::ristretto::{
    RistrettoRangeProof, create_pedersen_gens_with_extension_degree,
};
use tari_dalek::{RistrettoPoint, Scalar};

use crate::{Outcome, Peer};

const BITS: usize = 64;
/// The crate splits what is more.
const BATCH_MAX: usize = 256;

type Statement = RangeStatement<RistrettoPoint>;

/// Aggregated proofs of 64 bits a value. The verifier gets its statements as points, ready made: decompressing the commitments
/// isn't counted.
pub struct Ranges {
    statements: Vec<Statement>,
    witness: RangeWitness,
    proofs: Vec<Vec<u8>>,
}

impl Ranges {
    /// So many proofs, each of so many values.
    pub fn new(values: u64, count: usize) -> Outcome<Self> {
        let pedersen = create_pedersen_gens_with_extension_degree(ExtensionDegree::DefaultPedersen);
        let parameters = RangeParameters::init(BITS, usize::try_from(values)?, pedersen)
            .map_err(|error| format!("{error:?}"))?;
        let (mut statements, mut proofs, mut last) = (Vec::new(), Vec::new(), None);
        for seed in (0..).take(count) {
            let (mut openings, mut commitments) = (Vec::new(), Vec::new());
            for value in seed..seed + values {
                let blinding = vec![Scalar::from(value + 1_000_003) * Scalar::from(u64::MAX)];
                let commitment = parameters.pc_gens().commit(&Scalar::from(value), &blinding);
                commitments.push(commitment.map_err(|error| format!("{error:?}"))?);
                openings.push(CommitmentOpening::new(value, blinding));
            }
            let promises = vec![None; openings.len()];
            let statement = RangeStatement::init(parameters.clone(), commitments, promises, None)
                .map_err(|error| format!("{error:?}"))?;
            let witness = RangeWitness::init(openings).map_err(|error| format!("{error:?}"))?;
            proofs.push(prove(&statement, &witness)?.to_bytes());
            statements.push(statement);
            last = Some(witness);
        }
        Ok(Self { statements, witness: last.ok_or("no proofs")?, proofs })
    }
}

fn prove(statement: &Statement, witness: &RangeWitness) -> Outcome<RistrettoRangeProof> {
    let proof = RistrettoRangeProof::prove(&mut Transcript::new(b"peers"), statement, witness);
    Ok(proof.map_err(|error| format!("{error:?}"))?)
}

impl Peer for Ranges {
    fn prove(&mut self) -> Outcome<()> {
        let last = self.statements.last().ok_or("no statements")?;
        prove(last, &self.witness).map(drop)
    }

    fn verify(&self, count: usize) -> Outcome<()> {
        let proofs =
            self.proofs.iter().take(count).map(|bytes| RistrettoRangeProof::from_bytes(bytes));
        let proofs: Vec<_> =
            proofs.collect::<Result<_, _>>().map_err(|error| format!("{error:?}"))?;
        let mut transcripts = vec![Transcript::new(b"peers"); proofs.len()];
        let statements = self.statements.get(..proofs.len()).ok_or("too few statements")?;
        let action = VerifyAction::VerifyOnly;
        RistrettoRangeProof::verify_batch(&mut transcripts, statements, &proofs, action)
            .map_err(|error| format!("{error:?}"))?;
        Ok(())
    }

    fn bytes(&self) -> usize {
        32 * self.statements[0].commitments.len() + self.proofs[0].len()
    }

    fn batch(&self) -> usize {
        self.proofs.len().min(BATCH_MAX)
    }
}
