//! `solana-zk-sdk`: the proofs of a confidential transfer, verified one by one.

use solana_zk_sdk::encryption::elgamal::ElGamalKeypair;
use solana_zk_sdk::encryption::grouped_elgamal::GroupedElGamal;
use solana_zk_sdk::encryption::pedersen::{Pedersen, PedersenOpening};
use solana_zk_sdk::zk_elgamal_proof_program::{
    VerifyZkProof, build_batched_grouped_ciphertext_3_handles_validity_proof_data,
    build_batched_range_proof_u64_data, build_batched_range_proof_u128_data,
    build_ciphertext_commitment_equality_proof_data,
};

use crate::{Outcome, Peer};

/// Something that the crate proves and verifies, with its bytes.
type Proved = (Vec<Box<dyn VerifyZkProof>>, usize);

/// Aggregated proofs of 64 bits a value.
pub struct Ranges {
    values: u64,
    proved: Proved,
}

impl Ranges {
    /// One proof of so many values.
    pub fn new(values: u64) -> Outcome<Self> {
        Ok(Self { values, proved: ranges(values)? })
    }
}

fn ranges(values: u64) -> Outcome<Proved> {
    let amounts: Vec<u64> = (1..=values).collect();
    let committed: Vec<_> = amounts.iter().map(|amount| Pedersen::new(*amount)).collect();
    let (points, openings) = committed.iter().map(|(point, opening)| (point, opening)).unzip();
    let mut proved = (Vec::new(), 0);
    match values {
        1 => add(
            build_batched_range_proof_u64_data(points, amounts, vec![64], openings)?,
            &mut proved,
        ),
        2 => {
            let bits = vec![64, 64];
            add(build_batched_range_proof_u128_data(points, amounts, bits, openings)?, &mut proved);
        }
        _ => return Err("the crate aggregates one value or two of 64 bits".into()),
    }
    Ok(proved)
}

/// A transfer between two accounts that everybody knows: the balance left under a new commitment, and the amount in two parts of 16
/// and 32 bits under the keys of sender, receiver and auditor.
pub struct Transfers {
    source: ElGamalKeypair,
    others: [ElGamalKeypair; 2],
    proved: Proved,
}

impl Transfers {
    /// One transfer.
    pub fn new() -> Outcome<Self> {
        let source = ElGamalKeypair::new_rand();
        let others = [ElGamalKeypair::new_rand(), ElGamalKeypair::new_rand()];
        let proved = transfer(&source, &others)?;
        Ok(Self { source, others, proved })
    }
}

fn transfer(source: &ElGamalKeypair, [receiver, auditor]: &[ElGamalKeypair; 2]) -> Outcome<Proved> {
    let (left, low, high) = (400_000, 900_000 & 0xffff, 900_000 >> 16);
    let keys = [source.pubkey(), receiver.pubkey(), auditor.pubkey()];
    let [low_opening, high_opening] = [PedersenOpening::new_rand(), PedersenOpening::new_rand()];
    let low_sealed = GroupedElGamal::encrypt_with(keys, low, &low_opening);
    let high_sealed = GroupedElGamal::encrypt_with(keys, high, &high_opening);
    let (left_point, left_opening) = Pedersen::new(left);
    // The program subtracts the amount from the balance that it has, and gets such a ciphertext.
    let left_sealed = source.pubkey().encrypt(left);
    let (low_point, high_point) =
        (Pedersen::with(low, &low_opening), Pedersen::with(high, &high_opening));
    let (padding, padding_opening) = Pedersen::new(0u64);

    let mut proved = (Vec::new(), 0);
    add(
        build_ciphertext_commitment_equality_proof_data(
            source,
            &left_sealed,
            &left_point,
            &left_opening,
            left,
        )?,
        &mut proved,
    );
    let [first, second, third] = keys;
    add(
        build_batched_grouped_ciphertext_3_handles_validity_proof_data(
            first,
            second,
            third,
            &low_sealed,
            &high_sealed,
            low,
            high,
            &low_opening,
            &high_opening,
        )?,
        &mut proved,
    );
    let points = vec![&left_point, &low_point, &high_point, &padding];
    let openings = vec![&left_opening, &low_opening, &high_opening, &padding_opening];
    let (amounts, bits) = (vec![left, low, high, 0], vec![64, 16, 32, 16]);
    add(build_batched_range_proof_u128_data(points, amounts, bits, openings)?, &mut proved);
    Ok(proved)
}

fn add<T: VerifyZkProof + 'static>(proof: T, (proofs, bytes): &mut Proved) {
    // The types of the wire, without padding of their own.
    *bytes += size_of::<T>();
    proofs.push(Box::new(proof));
}

impl Peer for Ranges {
    fn prove(&mut self) -> Outcome<()> {
        ranges(self.values).map(drop)
    }

    fn verify(&self, count: usize) -> Outcome<()> {
        verify(&self.proved, count)
    }

    fn bytes(&self) -> usize {
        self.proved.1
    }

    fn batch(&self) -> usize {
        1
    }
}

impl Peer for Transfers {
    /// Encrypts besides proving.
    fn prove(&mut self) -> Outcome<()> {
        transfer(&self.source, &self.others).map(drop)
    }

    fn verify(&self, count: usize) -> Outcome<()> {
        verify(&self.proved, count)
    }

    fn bytes(&self) -> usize {
        self.proved.1
    }

    fn batch(&self) -> usize {
        1
    }
}

fn verify((proofs, _): &Proved, count: usize) -> Outcome<()> {
    for _ in 0..count {
        proofs.iter().try_for_each(|proof| proof.verify_proof())?;
    }
    Ok(())
}
