//! Transfer legs with all that their verifier needs.

use rand_core::CryptoRngCore;
use sudare_crypto::encoding::encode;
use sudare_crypto::{Batch, Claims, Kernel, Refused};
use sudare_ledger::leg::{BuiltLeg, Links};

use super::super::leg::Crate;
use super::super::{Failed, Transfer};

/// Transfer legs, two inputs and two outputs each, of one asset.
#[allow(missing_debug_implementations, reason = "holds openings")]
pub struct Legs(Vec<Sample>);

struct Sample {
    transfer: Transfer,
    built: BuiltLeg,
    links: Links,
}

impl Legs {
    /// So many legs under so many disclosure keys, each with slots, notes and amounts of its own. Costs some 40 ms a leg.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    pub fn new(keys: u8, count: usize) -> Result<Self, Failed> {
        (1..).take(count).map(|seed| Sample::new(keys, seed)).collect::<Result<_, _>>().map(Self)
    }

    /// Parses the first legs: everything that is decided without their equations, which it gives.
    ///
    /// # Errors
    ///
    /// [`Failed`] if a leg is refused.
    pub fn parse(&self, count: usize) -> Result<Vec<Claims>, Failed> {
        self.0.iter().take(count).map(Sample::claims).collect()
    }

    /// Verifies the first legs in one batch, from what a decoder gives to the decision.
    ///
    /// # Errors
    ///
    /// [`Failed`] if a leg is refused.
    pub fn verify(
        &self,
        kernel: Kernel,
        count: usize,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), Failed> {
        let mut batch = Batch::new();
        for sample in self.0.iter().take(count) {
            batch.add(sample.claims()?);
        }
        Ok(batch.decide_by(kernel, rng)?)
    }

    /// Verifies the slot signatures of the first legs, a part of parsing them.
    pub(super) fn slots(&self, count: usize) -> Result<(), Failed> {
        let mut outputs = self.0.iter().take(count).flat_map(|sample| &sample.built.leg.outputs);
        let signed = outputs.all(|output| output.slot.is_signed());
        if signed { Ok(()) } else { Err(wrong("a slot is not signed")) }
    }

    /// How many bytes a leg has.
    pub(super) fn bytes(&self) -> usize {
        self.0.first().map_or(0, |sample| encode(&sample.built.leg).len())
    }

    /// The crate's verifier for the first leg's ranges.
    pub(in super::super) fn peer(&self) -> Result<Crate, Failed> {
        let first = self.0.first().ok_or_else(|| wrong("no legs"))?;
        Crate::of(&first.transfer, &first.built)
    }

    /// As [`Self::verify`], with the links of the leg before for the last one, which alone must be named.
    pub(super) fn name_a_false_one(
        &self,
        kernel: Kernel,
        count: usize,
        rng: &mut impl CryptoRngCore,
    ) -> Result<(), Failed> {
        let legs = self.0.get(..count).unwrap_or_default();
        let [good @ .., last] = legs else { return Err(wrong("no legs")) };
        let before = good.last().ok_or_else(|| wrong("a leg alone"))?;
        let mut batch = Batch::new();
        for sample in good {
            batch.add(sample.claims()?);
        }
        let false_one = batch.add(last.transfer.claims(&last.built.leg, &before.links)?);
        match batch.decide_by(kernel, rng) {
            Err(Refused::Culprits(found)) if found.iter().map(|one| one.index).eq([false_one]) => {
                Ok(())
            }
            other => Err(wrong(&format!("a batch with one false leg: {other:?}"))),
        }
    }
}

impl Sample {
    fn new(keys: u8, seed: u64) -> Result<Self, Failed> {
        let mut transfer = Transfer::with(keys, seed);
        let built = transfer.build()?;
        let links = transfer.open(&built.leg)?.links;
        let links = links.ok_or_else(|| wrong("the leg has no links"))?;
        Ok(Self { transfer, built, links })
    }

    fn claims(&self) -> Result<Claims, Failed> {
        self.transfer.claims(&self.built.leg, &self.links)
    }
}

fn wrong(what: &str) -> Failed {
    Failed::Wrong(what.into())
}
