//! One transfer leg, beside the bulletproofs crate proving and verifying the same range statement alone.

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use curve25519_dalek::ristretto::CompressedRistretto;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use sudare_crypto::Scalar;
use sudare_crypto::encoding::encode;
use sudare_crypto::proof::range::BITS;
use sudare_ledger::leg::{Leg, Links};
use sudare_ledger::testing;

use super::clock::{float, medians_us};
use super::{Failed, Report, Topic, Transfer, issue};

/// What a leg costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) points: u64,
    pub(super) bytes: u64,
    pub(super) prove_us: f64,
    pub(super) prove_crate_us: f64,
    pub(super) verify_us: f64,
    pub(super) verify_crate_us: f64,
    pub(super) open_us: f64,
    /// The receiver makes a slot, or the sender one for the change.
    pub(super) slot_us: f64,
    /// The sender checks the receiver's slot; the registrar's check of the leg has both.
    pub(super) check_slot_us: f64,
    /// One input is signed for by who can open its tag...
    pub(super) spend_us: f64,
    /// ...and the notary or the registrar checks it.
    pub(super) check_spend_us: f64,
}

/// Measures the topic.
pub(super) fn run(quick: bool) -> Result<Report, Failed> {
    let rounds = if quick { 7 } else { 41 };
    let cost = Cost::measure(rounds)?;
    let title = format!(
        "a transfer leg, two inputs, two outputs, two keys with all fields; CPU time of one thread, median of {rounds}"
    );
    let mut report = Report::new(Topic::Leg, title);
    report.value("points", float(cost.points), "", "fresh points that a verifier decompresses");
    report.value("bytes", float(cost.bytes), "B", "the encoded leg");
    let us = [
        ("prove_us", cost.prove_us, "encrypt, seal, prove, and check what was made"),
        ("prove_crate_us", cost.prove_crate_us, "the bulletproofs crate proving the ranges alone"),
        ("verify_us", cost.verify_us, "a registrar checks every proof, links included"),
        ("verify_crate_us", cost.verify_crate_us, "the crate verifying the ranges alone"),
        ("open_us", cost.open_us, "a registrar opens everything and compares with the commitments"),
        ("slot_us", cost.slot_us, "a receiver makes and signs a slot"),
        ("check_slot_us", cost.check_slot_us, "a sender checks it"),
        ("spend_us", cost.spend_us, "a spend is signed for, one input"),
        ("check_spend_us", cost.check_spend_us, "that signature is checked"),
    ];
    for (key, number, what) in us {
        report.value(key, number, "us", what);
    }
    let ratio = |whole: f64, alone: f64| whole / alone.max(f64::MIN_POSITIVE);
    let prove = ratio(cost.prove_us, cost.prove_crate_us);
    let verify = ratio(cost.verify_us, cost.verify_crate_us);
    report.value("prove_ratio", prove, "", "prove_us / prove_crate_us");
    report.value("verify_ratio", verify, "", "verify_us / verify_crate_us");
    issue::add(&mut report, quick)?;
    Ok(report)
}

impl Cost {
    /// Measures a leg `rounds` times.
    pub(super) fn measure(rounds: usize) -> Result<Self, Failed> {
        let mut transfer = Transfer::new();
        let built = transfer.build()?;
        let links = transfer.open(&built.leg)?.links;
        let links = links.ok_or_else(|| Failed::Wrong("the leg has no links".into()))?;
        let points = transfer.verify(&built.leg, &links)?;
        let peer = Crate::of(&transfer, &built)?;
        let (proof, commitments) = peer.prove(&mut testing::rng(2))?;
        let mut other = Transfer::new();
        let reader = Transfer::new();
        let (mut maker, mut signer) = (Transfer::new(), Transfer::new());
        let (mut sender, mut notary) = (Transfer::new(), Transfer::new());
        let signature = notary.spend()?;
        let [
            prove_us,
            prove_crate_us,
            verify_us,
            verify_crate_us,
            open_us,
            slot_us,
            check_slot_us,
            spend_us,
            check_spend_us,
        ] = medians_us(
            rounds,
            [
                &mut || transfer.build().map(drop),
                &mut || peer.prove(&mut testing::rng(2)).map(drop),
                &mut || check(&mut other, &built.leg, &links),
                &mut || peer.verify(&proof, &commitments, &mut testing::rng(3)),
                &mut || reader.open(&built.leg).map(drop),
                &mut || {
                    maker.slot();
                    Ok(())
                },
                &mut || sender.check_slot(),
                &mut || signer.spend().map(drop),
                &mut || notary.check_spend(&signature),
            ],
        )?;
        Ok(Self {
            points: u64::try_from(points).unwrap_or(u64::MAX),
            bytes: u64::try_from(encode(&built.leg).len()).unwrap_or(u64::MAX),
            prove_us,
            prove_crate_us,
            verify_us,
            verify_crate_us,
            open_us,
            slot_us,
            check_slot_us,
            spend_us,
            check_spend_us,
        })
    }

    /// A leg built, and checked once more.
    pub(super) fn leg_us(&self) -> f64 {
        self.prove_us + self.verify_us
    }

    /// All proofs of a transfer of two inputs, each made once and checked by everybody who has to: the leg built, checked and
    /// opened by its registrar; a slot made by the receiver and checked by the sender, and one made for the change; each input
    /// signed for and checked twice, at the notary and at the registrar.
    pub(super) fn proofs_us(&self) -> f64 {
        let slots = 2.0 * self.slot_us + self.check_slot_us;
        let spends = 4.0 * (self.spend_us + self.check_spend_us);
        self.leg_us() + self.open_us + slots + spends
    }
}

fn check(transfer: &mut Transfer, leg: &Leg, links: &Links) -> Result<(), Failed> {
    transfer.verify(leg, links).map(drop)
}

/// The crate with nothing around it, for the values and blindings of a leg's outputs.
pub(super) struct Crate {
    generators: BulletproofGens,
    pedersen: PedersenGens,
    values: Vec<u64>,
    blindings: Vec<Scalar>,
}

impl Crate {
    pub(super) fn of(
        transfer: &Transfer,
        built: &sudare_ledger::leg::BuiltLeg,
    ) -> Result<Self, Failed> {
        let openings = transfer.openings(built)?;
        Ok(Self {
            generators: BulletproofGens::new(BITS, openings.len()),
            pedersen: PedersenGens::default(),
            values: openings.iter().map(|opening| opening.value).collect(),
            blindings: openings.iter().map(|opening| opening.blinding).collect(),
        })
    }

    pub(super) fn prove(
        &self,
        rng: &mut ChaCha20Rng,
    ) -> Result<(Vec<u8>, Vec<CompressedRistretto>), Failed> {
        let (proof, commitments) = RangeProof::prove_multiple_with_rng(
            &self.generators,
            &self.pedersen,
            &mut Transcript::new(b"measure"),
            &self.values,
            &self.blindings,
            BITS,
            rng,
        )
        .map_err(Failed::Crate)?;
        Ok((proof.to_bytes(), commitments))
    }

    pub(super) fn verify(
        &self,
        proof: &[u8],
        commitments: &[CompressedRistretto],
        rng: &mut ChaCha20Rng,
    ) -> Result<(), Failed> {
        RangeProof::from_bytes(proof)
            .and_then(|proof| {
                proof.verify_multiple_with_rng(
                    &self.generators,
                    &self.pedersen,
                    &mut Transcript::new(b"measure"),
                    commitments,
                    BITS,
                    rng,
                )
            })
            .map_err(Failed::Crate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leg_that_is_measured_verifies_opens_and_has_the_crates_range_statement() {
        let mut transfer = Transfer::new();
        let built = transfer.build().unwrap();
        let opened = transfer.open(&built.leg).unwrap();
        assert_eq!(opened.amounts, [900_000, 400_000]);
        assert_eq!((built.leg.inputs.len(), built.leg.outputs.len()), (2, 2));
        let points = transfer.verify(&built.leg, &opened.links.unwrap()).unwrap();
        assert!((40..200).contains(&points), "{points}");
        let peer = Crate::of(&transfer, &built).unwrap();
        let (_, commitments) = peer.prove(&mut testing::rng(2)).unwrap();
        let own: Vec<_> = built.leg.outputs.iter().map(|one| *one.commitment.as_bytes()).collect();
        let its: Vec<_> = commitments.iter().map(|one| *one.as_bytes()).collect();
        assert_eq!(own, its);
    }
}
