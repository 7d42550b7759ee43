//! An asset with disclosure keys that read everything, two if not said otherwise, and a transfer leg with two inputs and two outputs in it.

use rand_chacha::ChaCha20Rng;
use sudare_crypto::Claims;
use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::tag::{self, SpendKey};
use sudare_disclosure::{AssetTerms, DisclosureSecret, Epoch, Fields, KeyPurpose};
use sudare_ledger::leg::{
    BuiltLeg, Leg, LegRequest, Links, Opened, Purpose, SpendInput, TradeInfo,
};
use sudare_ledger::note::{Note, SlotSecrets};
use sudare_ledger::slot::SignedSlot;
use sudare_ledger::testing::{self, Held, NOW, Network, TestCustodian};

use super::Failed;

/// The label of the registrar's key.
const REGISTRAR: &str = "registrar";

/// A transfer leg to be built again and again: two notes of one investor pay another and give change.
#[allow(missing_debug_implementations, reason = "holds openings")]
pub struct Transfer {
    terms: AssetTerms,
    key: DisclosureSecret,
    inputs: Vec<Held>,
    outputs: Vec<(SignedSlot, u64)>,
    secrets: Vec<SlotSecrets>,
    rng: ChaCha20Rng,
}

impl Default for Transfer {
    fn default() -> Self {
        Self::new()
    }
}

impl Transfer {
    /// The transfer that all measurements use.
    #[must_use]
    pub fn new() -> Self {
        Self::with(2, 1)
    }

    /// A transfer under so many disclosure keys, the same for all seeds; slots, notes and openings are each seed's own.
    pub(super) fn with(keys: u8, seed: u64) -> Self {
        let network = Network::new();
        let terms = terms(&network, keys, &mut testing::rng(0));
        let mut rng = testing::rng(seed);
        let (mut sender, mut receiver) = (TestCustodian::new(1), TestCustodian::new(2));
        let seed = sender.investor("sender");
        let inputs = [700_000, 600_000]
            .map(|value| Held::forged(terms.asset(), &seed, value, &mut rng))
            .into();
        let proposal = sudare_crypto::Hash::default();
        let paid = receiver.slot(&terms, NOW, "receiver", proposal, &mut rng);
        let change = sender.slot(&terms, NOW, "sender", proposal, &mut rng);
        let known = receiver.slots.iter().chain(&sender.slots);
        let known: Vec<_> = known.map(|(owner, secrets)| (*owner, secrets.clone())).collect();
        let secrets = [&paid, &change].into_iter().filter_map(|slot| {
            known.iter().find(|(owner, _)| *owner == slot.slot.owner).map(|(_, one)| one.clone())
        });
        Self {
            key: DisclosureSecret::derive(&network.master, &purpose(&terms, &network, REGISTRAR)),
            secrets: secrets.collect(),
            inputs,
            outputs: vec![(paid, 900_000), (change, 400_000)],
            terms,
            rng,
        }
    }

    /// Builds the leg as a custodian does: encrypts, seals, proves, and checks what it made.
    ///
    /// # Errors
    ///
    /// [`Failed`].
    pub fn build(&mut self) -> Result<BuiltLeg, Failed> {
        let inputs = self.inputs.iter().cloned();
        let inputs = inputs.map(|held| SpendInput {
            note: held.note,
            opening: held.opening,
            secrets: held.secrets,
        });
        let request = LegRequest {
            terms: &self.terms,
            epoch: epoch(&self.terms)?,
            purpose: Purpose::Transfer,
            mint: 0,
            burn: 0,
            inputs: inputs.collect(),
            outputs: self.outputs.clone(),
            trade: trade(),
            sender: testing::text("a sender"),
        };
        Ok(BuiltLeg::build(&request, &mut self.rng)?)
    }

    /// Checks every proof of the leg as its registrar does; gives how many points a verifier decompresses.
    ///
    /// # Errors
    ///
    /// [`Failed`] if a proof does not verify.
    pub fn verify(&mut self, leg: &Leg, links: &Links) -> Result<usize, Failed> {
        let claims = self.claims(leg, links)?;
        claims.accept(&mut self.rng)?;
        Ok(claims.points())
    }

    /// What is left to decide of the leg when all of it is parsed, links included.
    pub(super) fn claims(&self, leg: &Leg, links: &Links) -> Result<Claims, Failed> {
        let mut claims = Claims::new();
        leg.check(&self.terms, &mut claims)?;
        let notes: Vec<Note> = self.inputs.iter().map(|held| held.note).collect();
        leg.check_links(&notes, &links.proof, &mut claims)?;
        Ok(claims)
    }

    /// Opens the leg as its registrar does.
    ///
    /// # Errors
    ///
    /// [`Failed`] if a section does not open.
    pub fn open(&self, leg: &Leg) -> Result<Opened, Failed> {
        Ok(leg.open(epoch(&self.terms)?, &self.key)?)
    }

    /// Makes a slot as a receiver does.
    pub(super) fn slot(&mut self) -> SignedSlot {
        let mut receiver = TestCustodian::new(2);
        receiver.slot(&self.terms, NOW, "receiver", sudare_crypto::Hash::default(), &mut self.rng)
    }

    /// Checks the receiver's slot as the sender does.
    pub(super) fn check_slot(&mut self) -> Result<(), Failed> {
        let Some((slot, _)) = self.outputs.first() else { return Ok(()) };
        let mut claims = Claims::new();
        slot.check(epoch(&self.terms)?, &mut claims)
            .map_err(|error| Failed::Wrong(error.to_string()))?;
        Ok(claims.accept(&mut self.rng)?)
    }

    /// Signs for the spend of the first input.
    pub(super) fn spend(&mut self) -> Result<LinearProof, Failed> {
        Ok(tag::sign(&self.spend_key()?, sudare_crypto::Hash::default(), &mut self.rng)?)
    }

    /// Checks that signature.
    pub(super) fn check_spend(&mut self, signature: &LinearProof) -> Result<(), Failed> {
        let commit = sudare_crypto::Hash::default();
        let statement = tag::Statement { tag: self.spend_key()?.tag(), commit };
        let mut claims = Claims::new();
        tag::verify(&statement, signature, &mut claims)?;
        Ok(claims.accept(&mut self.rng)?)
    }

    fn spend_key(&self) -> Result<SpendKey, Failed> {
        let first = self.inputs.first().map(|held| held.secrets.spend_key());
        first.ok_or_else(|| Failed::Wrong("the transfer has no inputs".into()))
    }

    /// The openings of the leg's outputs, as their receivers read them.
    pub(super) fn openings(&self, built: &BuiltLeg) -> Result<Vec<Opening>, Failed> {
        let opening = |(index, secrets)| -> Result<Opening, Failed> {
            let torn = built.leg.tear_off(0, &built.salt, index)?;
            Ok(torn.receive(&self.terms, secrets)?.opening)
        };
        sudare_crypto::numbered(self.secrets.iter()).map(opening).collect()
    }
}

/// An asset's terms with one epoch and so many keys that read all fields, the registrar's and regulators'.
pub(super) fn terms(network: &Network, keys: u8, rng: &mut ChaCha20Rng) -> AssetTerms {
    let mut terms = network.terms("MEASURED", &[NOW], rng);
    let (asset, all) = (terms.asset(), Fields::ALL);
    let mut list = vec![network.key(&network.master, asset, 0, all, REGISTRAR, rng)];
    for number in 1..keys {
        let label = format!("regulator {number}");
        list.push(network.key(&network.regulator, asset, 0, all, &label, rng));
    }
    let keys = list.try_into().unwrap_or_default();
    let epoch = Epoch { number: 0, opens_at: NOW, keys };
    terms.policy.epochs = vec![epoch].try_into().unwrap_or_default();
    terms
}

/// The epoch of [`terms`].
pub(super) fn epoch(terms: &AssetTerms) -> Result<&Epoch, Failed> {
    terms.policy.epoch(0).ok_or_else(|| Failed::Wrong("the terms have no epoch".into()))
}

fn purpose(terms: &AssetTerms, network: &Network, label: &str) -> KeyPurpose {
    let (asset, fields) = (terms.asset(), Fields::ALL);
    KeyPurpose { network: network.id, asset, epoch: 0, fields, label: testing::text(label) }
}

/// The data of every measured trade.
pub(super) fn trade() -> TradeInfo {
    testing::trade("20270115-000001")
}
