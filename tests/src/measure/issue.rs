//! Issuing in one large leg with one aggregated proof, beside the same outputs in smaller legs.

use rand_chacha::ChaCha20Rng;
use sudare_crypto::encoding::encode;
use sudare_crypto::{Claims, Hash};
use sudare_disclosure::AssetTerms;
use sudare_ledger::leg::{BuiltLeg, LegRequest, Purpose};
use sudare_ledger::slot::SignedSlot;
use sudare_ledger::testing::{self, NOW, Network, TestCustodian};

use super::clock::{float, medians_us};
use super::fixture::{epoch, terms, trade};
use super::{Failed, Report};

/// Outputs of a large leg and of a small one.
const OUTPUTS: [u8; 2] = [64, 16];

/// An issue to be built again and again.
struct Issue {
    terms: AssetTerms,
    outputs: Vec<(SignedSlot, u64)>,
    rng: ChaCha20Rng,
}

/// Adds what an output costs in each kind of leg.
pub(super) fn add(report: &mut Report, quick: bool) -> Result<(), Failed> {
    let rounds = if quick { 1 } else { 7 };
    let [mut large, mut small] = OUTPUTS.map(Issue::new);
    let [of_large, of_small] = [large.build()?, small.build()?];
    let bytes = [&of_large, &of_small].map(|built| encode(&built.leg).len());
    let (verifying_large, verifying_small) = (&large.terms.clone(), &small.terms.clone());
    let [prove_large, prove_small, verify_large, verify_small] = medians_us(
        rounds,
        [
            &mut || large.build().map(drop),
            &mut || small.build().map(drop),
            &mut || verify(&of_large, verifying_large),
            &mut || verify(&of_small, verifying_small),
        ],
    )?;
    let [outputs, fewer] = OUTPUTS.map(f64::from);
    let [large_bytes, small_bytes] =
        bytes.map(|length| float(u64::try_from(length).unwrap_or(u64::MAX)));
    for (key, number, unit, what) in [
        (
            "issue_64_prove_us",
            prove_large / outputs,
            "us",
            "each output of an issue of 64 in one leg",
        ),
        (
            "issue_16_prove_us",
            prove_small / fewer,
            "us",
            "each output of an issue of 16 in one leg",
        ),
        ("issue_64_verify_us", verify_large / outputs, "us", "checking it, each output of 64"),
        ("issue_16_verify_us", verify_small / fewer, "us", "checking it, each output of 16"),
        ("issue_64_bytes", large_bytes / outputs, "B", "the encoded leg, each output of 64"),
        ("issue_16_bytes", small_bytes / fewer, "B", "the encoded leg, each output of 16"),
    ] {
        report.value(key, number, unit, what);
    }
    Ok(())
}

impl Issue {
    fn new(outputs: u8) -> Self {
        let network = Network::new();
        let terms = terms(&network, 2, &mut testing::rng(0));
        let (mut rng, mut receiver) = (testing::rng(1), TestCustodian::new(1));
        let slot =
            |_| (receiver.slot(&terms, NOW, "receiver", Hash::default(), &mut rng), 1_000_000);
        let outputs = (0..outputs).map(slot).collect();
        Self { terms, outputs, rng }
    }

    fn build(&mut self) -> Result<BuiltLeg, Failed> {
        let request = LegRequest {
            terms: &self.terms,
            epoch: epoch(&self.terms)?,
            purpose: Purpose::Issue,
            mint: self.outputs.iter().map(|(_, quantity)| quantity).sum(),
            burn: 0,
            inputs: Vec::new(),
            outputs: self.outputs.clone(),
            trade: trade(),
            sender: testing::text("a registrar"),
        };
        Ok(BuiltLeg::build(&request, &mut self.rng)?)
    }
}

/// Checks every proof of the leg as a regulator does.
fn verify(built: &BuiltLeg, terms: &AssetTerms) -> Result<(), Failed> {
    let mut claims = Claims::new();
    built.leg.check(terms, &mut claims)?;
    Ok(claims.accept(&mut testing::rng(3))?)
}
