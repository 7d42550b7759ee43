//! Issuing in large legs, one aggregated proof each, beside a smaller leg.

use rand_chacha::ChaCha20Rng;
use sudare_crypto::encoding::encode;
use sudare_crypto::{Batch, Claims, Hash};
use sudare_disclosure::AssetTerms;
use sudare_ledger::leg::{BuiltLeg, LegRequest, Purpose};
use sudare_ledger::slot::SignedSlot;
use sudare_ledger::testing::{self, NOW, Network, TestCustodian};

use super::clock::{Action, float, medians_of};
use super::fixture::{epoch, terms, trade};
use super::{Failed, Report};

/// An issue of so many outputs: its legs, the outputs of each, and the keys of what it costs.
struct Size {
    legs: u8,
    outputs: u8,
    prove: &'static str,
    verify: &'static str,
    bytes: &'static str,
}

/// A small leg, the largest, and issues that take more than one.
const SIZES: [Size; 4] = [
    Size {
        legs: 1,
        outputs: 16,
        prove: "issue_16_prove_us",
        verify: "issue_16_verify_us",
        bytes: "issue_16_bytes",
    },
    Size {
        legs: 1,
        outputs: 64,
        prove: "issue_64_prove_us",
        verify: "issue_64_verify_us",
        bytes: "issue_64_bytes",
    },
    Size {
        legs: 2,
        outputs: 64,
        prove: "issue_128_prove_us",
        verify: "issue_128_verify_us",
        bytes: "issue_128_bytes",
    },
    Size {
        legs: 4,
        outputs: 64,
        prove: "issue_256_prove_us",
        verify: "issue_256_verify_us",
        bytes: "issue_256_bytes",
    },
];

/// Legs to be built again and again.
struct Issue {
    terms: AssetTerms,
    legs: Vec<Vec<(SignedSlot, u64)>>,
    rng: ChaCha20Rng,
}

/// Adds what an output costs in each issue.
pub(super) fn add(report: &mut Report, quick: bool) -> Result<(), Failed> {
    let (rounds, sizes) = if quick { (1, 2) } else { (7, SIZES.len()) };
    let sizes = || SIZES.iter().take(sizes);
    let mut built = Vec::new();
    let mut issues: Vec<Issue> = sizes().map(Issue::new).collect();
    for issue in &mut issues {
        built.push((issue.terms.clone(), issue.build()?));
    }
    let mut provers: Vec<_> =
        issues.iter_mut().map(|issue| move || issue.build().map(drop)).collect();
    let mut verifiers: Vec<_> =
        built.iter().map(|(terms, legs)| move || verify(legs, terms)).collect();
    let prove = provers.iter_mut().map(|action| action as Action<'_>);
    let verify = verifiers.iter_mut().map(|action| action as Action<'_>);
    let mut medians = medians_of(rounds, prove.chain(verify))?;
    let outputs = |size: &Size| f64::from(size.legs) * f64::from(size.outputs);
    for size in sizes() {
        let us = medians.next().unwrap_or(f64::NAN) / outputs(size);
        let what = format!("each output of an issue, {} in each leg", size.outputs);
        report.value(size.prove, us, "us", what);
    }
    for size in sizes() {
        let us = medians.next().unwrap_or(f64::NAN) / outputs(size);
        let what = format!("checking it, {} such legs in a batch", size.legs);
        report.value(size.verify, us, "us", what);
    }
    let mut built = built.iter();
    for size in sizes() {
        let legs = built.next().map(|(_, legs)| legs.iter());
        let bytes: usize = legs.into_iter().flatten().map(|one| encode(&one.leg).len()).sum();
        let bytes = float(u64::try_from(bytes).unwrap_or(u64::MAX)) / outputs(size);
        report.value(size.bytes, bytes, "B", "the encoded legs, each output");
    }
    Ok(())
}

impl Issue {
    fn new(size: &Size) -> Self {
        let network = Network::new();
        let terms = terms(&network, 2, &mut testing::rng(0));
        let (mut rng, mut receiver) = (testing::rng(1), TestCustodian::new(1));
        let mut slot =
            |_| (receiver.slot(&terms, NOW, "receiver", Hash::default(), &mut rng), 1_000_000);
        let legs = (0..size.legs).map(|_| (0..size.outputs).map(&mut slot).collect()).collect();
        Self { terms, legs, rng }
    }

    fn build(&mut self) -> Result<Vec<BuiltLeg>, Failed> {
        let (terms, rng) = (&self.terms, &mut self.rng);
        self.legs.iter().map(|outputs| Self::leg(terms, outputs, rng)).collect()
    }

    fn leg(
        terms: &AssetTerms,
        outputs: &[(SignedSlot, u64)],
        rng: &mut ChaCha20Rng,
    ) -> Result<BuiltLeg, Failed> {
        let request = LegRequest {
            terms,
            epoch: epoch(terms)?,
            purpose: Purpose::Issue,
            mint: outputs.iter().map(|(_, quantity)| quantity).sum(),
            burn: 0,
            inputs: Vec::new(),
            outputs: outputs.to_vec(),
            trade: trade(),
            sender: testing::text("a registrar"),
        };
        Ok(BuiltLeg::build(&request, rng)?)
    }
}

/// Checks every proof of the legs in one batch, as a regulator does.
fn verify(built: &[BuiltLeg], terms: &AssetTerms) -> Result<(), Failed> {
    let mut batch = Batch::new();
    for one in built {
        let mut claims = Claims::new();
        one.leg.check(terms, &mut claims)?;
        batch.add(claims);
    }
    Ok(batch.decide(&mut testing::rng(3))?)
}
