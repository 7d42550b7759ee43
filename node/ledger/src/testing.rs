//! Fixtures for tests: a network with keys and terms, small custodians that make slots and legs with real proofs, and a
//! driver that runs a role's machine over a store in memory.
#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "fixtures for tests"
)]

mod driver;

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::Version;
use sudare_crypto::linear::LinearProof;
use sudare_crypto::point::B;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::possession;
use sudare_crypto::proof::tag::{self, SpendKey};
use sudare_crypto::{Bounded, Encoded, Hash, NodeId, NodeKey, NodeSignature, Text};
use sudare_disclosure::{
    AssetCore, AssetId, AssetTerms, DisclosureKey, DisclosureSecret, Epoch, Field, Fields,
    KeyPurpose, Policy, SignedTerms,
};

use crate::leg::{BuildError, BuiltLeg, INPUTS_MAX, LegRequest, Purpose, SpendInput, TradeInfo};
use crate::log::{Absence, NotaryEntry, Receipt};
use crate::messages::{
    ApprovalRequest, Finalisation, NotaryPart, RegisterAccount, Settlement, TagOpening,
    account_purpose,
};
use crate::note::{InvestorSeed, Note, SlotSecrets};
use crate::slot::{SignedSlot, Slot, SlotContext};
use crate::transaction::{
    Commit, LegRef, Transaction, Window, join_tags, padded, tag_hash, tags_root,
};

pub use driver::{Driver, tamper};

/// The time at which tests begin, ms.
pub const NOW: u64 = 1_800_000_000_000;
/// How long slots of tests are valid, ms.
pub const SLOT_MS: u64 = 600_000;

/// A generator of a test's own.
#[must_use]
pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// A text that fits.
pub fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}

/// A network: its hash, its registrar, notary and regulator.
#[derive(Clone, Debug)]
pub struct Network {
    /// The network's hash.
    pub id: Hash,
    /// The registrar's node key.
    pub registrar: NodeKey,
    /// From which the registrar's disclosure keys are derived.
    pub master: Seed,
    /// The notary's node key.
    pub notary: NodeKey,
    /// From which the regulator's disclosure keys are derived.
    pub regulator: Seed,
}

impl Network {
    /// The network that tests use.
    #[must_use]
    pub fn new() -> Self {
        Self {
            id: Hash::of(b"sudare/test/network", &[]),
            registrar: NodeKey::from_seed(&[101; 32]),
            master: Seed([102; 32]),
            notary: NodeKey::from_seed(&[103; 32]),
            regulator: Seed([104; 32]),
        }
    }

    /// Terms, number 0, of the asset with this code: one epoch at each of these times, a minute of grace, windows up to a
    /// minute. The regulator reads amounts and parties.
    pub fn terms(&self, code: &str, epochs: &[u64], rng: &mut ChaCha20Rng) -> AssetTerms {
        let core = AssetCore {
            version: Version,
            network: self.id,
            code: text(code),
            name: text("a security of a test"),
            unit: text("unit"),
            decimals: 0,
            registrar: self.registrar.id(),
            notary: self.notary.id(),
            window_max_ms: 60_000,
            nonce: Hash::of(b"sudare/test/asset", &[code.as_bytes()]).0,
        };
        let numbered = (0u32..).zip(epochs.iter());
        let epochs: Vec<Epoch> =
            numbered.map(|(number, at)| self.epoch(core.id(), number, *at, rng)).collect();
        let policy = Policy { grace_ms: 60_000, epochs: epochs.try_into().unwrap() };
        AssetTerms { core, number: 0, policy }
    }

    /// One epoch of an asset.
    pub fn epoch(
        &self,
        asset: AssetId,
        number: u32,
        opens_at: u64,
        rng: &mut ChaCha20Rng,
    ) -> Epoch {
        let regulator = Fields::of(&[Field::Amounts, Field::Parties]).unwrap();
        let keys = vec![
            self.key(&self.master, asset, number, Fields::ALL, "registrar", rng),
            self.key(&self.regulator, asset, number, regulator, "regulator", rng),
        ];
        Epoch { number, opens_at, keys: keys.try_into().unwrap() }
    }

    /// One disclosure key.
    pub fn key(
        &self,
        master: &Seed,
        asset: AssetId,
        epoch: u32,
        fields: Fields,
        label: &str,
        rng: &mut ChaCha20Rng,
    ) -> DisclosureKey {
        let purpose = KeyPurpose { network: self.id, asset, epoch, fields, label: text(label) };
        DisclosureSecret::derive(master, &purpose).publish(&purpose, rng).unwrap()
    }

    /// Terms signed by the registrar.
    #[must_use]
    pub fn signed(&self, terms: AssetTerms) -> SignedTerms {
        terms.sign(&self.registrar)
    }

    /// The notary's receipt for a commit at this time.
    #[must_use]
    pub fn receipt(&self, commit: &Commit, time: u64) -> Receipt {
        let tags_root = tags_root(&commit.transaction.tags).unwrap();
        let entry = NotaryEntry { version: Version, commit: commit.id().unwrap(), tags_root, time };
        Receipt::sign(self.id, commit.transaction.id().unwrap(), entry, 0, &self.notary)
    }

    /// The notary's word that a transaction is absent at this time.
    #[must_use]
    pub fn absence(&self, transaction: &Transaction, time: u64) -> Absence {
        Absence::sign(self.id, transaction.id().unwrap(), 0, time, &self.notary)
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

/// A note with all that spends it.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "holds a note's opening")]
pub struct Held {
    /// The note.
    pub note: Note,
    /// Its opening.
    pub opening: Opening,
    /// What stands behind its owner part.
    pub secrets: SlotSecrets,
}

/// A custodian that only makes slots and legs and opens what it gets.
#[allow(missing_debug_implementations, reason = "holds openings")]
pub struct TestCustodian {
    /// Its node key.
    pub key: NodeKey,
    /// From which its investors' seeds are derived.
    pub master: Seed,
    /// What stands behind the slots it gave out, by owner commitment.
    pub slots: BTreeMap<Encoded, SlotSecrets>,
    /// The notes it got.
    pub notes: Vec<Held>,
}

impl TestCustodian {
    /// The custodian with this number.
    #[must_use]
    pub fn new(number: u8) -> Self {
        let (slots, notes) = (BTreeMap::new(), Vec::new());
        Self { key: NodeKey::from_seed(&[number; 32]), master: Seed([number; 32]), slots, notes }
    }

    /// Its node id.
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.key.id()
    }

    /// The seed of an investor.
    #[must_use]
    pub fn investor(&self, name: &str) -> InvestorSeed {
        InvestorSeed(self.master.child(b"investor", name.as_bytes()))
    }

    /// The account of an investor.
    #[must_use]
    pub fn account(&self, asset: AssetId, name: &str) -> Encoded {
        self.investor(name).account(asset).public()
    }

    /// Asks for an investor's account to be registered, with its name as pseudonym.
    pub fn registration(
        &self,
        network: Hash,
        asset: AssetId,
        name: &str,
        rng: &mut ChaCha20Rng,
    ) -> RegisterAccount {
        let (investor, secret) = (text(name), self.investor(name).account(asset));
        let purpose = account_purpose(network, asset, self.id(), &investor);
        let statement = possession::Statement { key: secret.public(), purpose };
        let possession = possession::prove(&statement, &secret, rng).unwrap();
        RegisterAccount { asset, account: statement.key, investor, possession }
    }

    /// A slot of an investor, for the epoch in force.
    pub fn slot(
        &mut self,
        terms: &AssetTerms,
        now: u64,
        name: &str,
        proposal: Hash,
        rng: &mut ChaCha20Rng,
    ) -> SignedSlot {
        self.slot_of(&self.investor(name), terms, now, proposal, rng)
    }

    /// A slot of whoever has this seed, signed by this custodian.
    pub fn slot_of(
        &mut self,
        seed: &InvestorSeed,
        terms: &AssetTerms,
        now: u64,
        proposal: Hash,
        rng: &mut ChaCha20Rng,
    ) -> SignedSlot {
        let (epoch, asset) = (terms.policy.epoch_at(now).unwrap(), terms.asset());
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let context = SlotContext {
            version: Version,
            network: terms.core.network,
            asset,
            terms: terms.hash(),
            epoch: epoch.number,
            receiver: self.id(),
            nonce,
            expires_at: now.saturating_add(SLOT_MS),
            proposal,
        };
        let secrets = seed.slot(asset, &nonce);
        self.slots.insert(secrets.owner(), secrets.clone());
        Slot::make(context, &secrets, epoch, rng).unwrap().sign(&self.key)
    }

    /// Opens every component of a settlement that is for one of its slots, keeps the notes, and says how many there were.
    pub fn receive(&mut self, terms: &AssetTerms, settlement: &Settlement) -> usize {
        let root = settlement.commit.transaction.legs.get(usize::from(settlement.index)).unwrap();
        for part in &settlement.components {
            part.check(settlement.index, root.root).unwrap();
            let (_, output) = part.output().unwrap();
            let secrets = self.slots.get(&output.slot.slot.owner).unwrap().clone();
            let received = part.receive(terms, &secrets).unwrap();
            let note = Note {
                asset: received.header.asset,
                owner: output.slot.slot.owner,
                commitment: output.commitment,
            };
            self.notes.push(Held { note, opening: received.opening.clone(), secrets });
        }
        settlement.components.len()
    }

    /// What it holds.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.notes.iter().map(|held| held.opening.value).sum()
    }
}

impl Held {
    /// A note of nobody's register: everything about it is right but that it was ever made.
    pub fn forged(asset: AssetId, seed: &InvestorSeed, value: u64, rng: &mut ChaCha20Rng) -> Self {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let secrets = seed.slot(asset, &nonce);
        let opening = Opening { value, blinding: sudare_crypto::Scalar::random(rng) };
        let commitment = sudare_crypto::point::commit(value, &opening.blinding);
        let note = Note { asset, owner: secrets.owner(), commitment: Encoded::of(&commitment) };
        Self { note, opening, secrets }
    }

    /// The account that owns it.
    #[must_use]
    pub fn account(&self) -> Encoded {
        Encoded::of(&(B * self.secrets.account.0))
    }
}

/// A leg with the keys that spend its inputs.
#[allow(missing_debug_implementations, reason = "holds spend keys")]
pub struct Draft {
    /// The leg.
    pub built: BuiltLeg,
    /// Its registrar.
    pub registrar: NodeId,
    /// The keys of its inputs, in order.
    pub keys: Vec<SpendKey>,
}

/// The trade data of tests.
#[must_use]
pub fn trade(id: &str) -> TradeInfo {
    let (trade_id, delivery_date) = (text(id), text("2027-01-15"));
    TradeInfo { trade_id, delivery_date, kind: text("transfer"), ..TradeInfo::default() }
}

/// Builds a leg in the epoch in force at `now`. Mint or burn make up the difference of inputs and outputs.
///
/// # Errors
///
/// [`BuildError`].
pub fn leg(
    terms: &AssetTerms,
    now: u64,
    inputs: &[Held],
    outputs: Vec<(SignedSlot, u64)>,
    trade: TradeInfo,
    rng: &mut ChaCha20Rng,
) -> Result<Draft, BuildError> {
    let before: u64 = inputs.iter().map(|held| held.opening.value).sum();
    let after = outputs.iter().fold(0u64, |sum, (_, value)| sum.saturating_add(*value));
    let (mint, burn) = match inputs.is_empty() {
        true => (after, 0),
        false => (0, before.saturating_sub(after)),
    };
    let purpose = match (mint, burn) {
        (0, 0) => Purpose::Transfer,
        (0, _) => Purpose::Redeem,
        _ => Purpose::Issue,
    };
    let spend = inputs.iter().cloned();
    let spend = spend.map(|Held { note, opening, secrets }| SpendInput { note, opening, secrets });
    let request = LegRequest {
        terms,
        epoch: terms.policy.epoch_at(now).unwrap(),
        purpose,
        mint,
        burn,
        inputs: spend.collect(),
        outputs,
        trade,
        sender: text("a sender"),
    };
    let built = BuiltLeg::build(&request, rng)?;
    let keys = inputs.iter().map(|held| held.secrets.spend_key()).collect();
    Ok(Draft { built, registrar: terms.core.registrar, keys })
}

/// A transaction with all that its parties know of it.
#[allow(missing_debug_implementations, reason = "holds spend keys")]
pub struct Assembled {
    /// The transaction.
    pub transaction: Transaction,
    /// Its legs.
    pub legs: Vec<Draft>,
    /// The tags of each leg's part with the salts of their hashes: its inputs', then padding.
    pub tags: Vec<Vec<([u8; 32], SpendKey)>>,
}

/// Joins legs into a transaction.
pub fn assemble(
    network: &Network,
    window: Window,
    legs: Vec<Draft>,
    rng: &mut ChaCha20Rng,
) -> Assembled {
    let mut tags = Vec::new();
    for leg in &legs {
        let mut part: Vec<SpendKey> = leg.keys.clone();
        part.resize_with(padded(leg.keys.len()).unwrap(), || SpendKey::random(rng));
        tags.push(part.into_iter().map(|key| (random(rng), key)).collect::<Vec<_>>());
    }
    let hash = |(salt, key): &([u8; 32], SpendKey)| tag_hash(salt, &key.tag());
    let parts: Vec<Vec<Hash>> = tags.iter().map(|part| part.iter().map(hash).collect()).collect();
    let numbered = sudare_crypto::numbered(legs.iter());
    let refs = numbered.map(|(index, leg)| LegRef {
        registrar: leg.registrar,
        root: leg.built.leg.root(index, &leg.built.salt),
    });
    let transaction = Transaction {
        version: Version,
        network: network.id,
        notary: network.notary.id(),
        window,
        salt: random(rng),
        legs: refs.collect::<Vec<_>>().try_into().unwrap(),
        tags: join_tags(&parts).unwrap().try_into().unwrap(),
    };
    Assembled { transaction, legs, tags }
}

impl Assembled {
    /// What the registrar of a leg is asked.
    #[must_use]
    pub fn request(&self, index: u8) -> ApprovalRequest {
        let (leg, tags) = (&self.legs[usize::from(index)], &self.tags[usize::from(index)]);
        let salts: Vec<_> = tags.iter().take(leg.keys.len()).map(|(salt, _)| *salt).collect();
        ApprovalRequest {
            transaction: self.transaction.clone(),
            index,
            leg: leg.built.leg.clone(),
            salt: leg.built.salt,
            tag_salts: salts.try_into().unwrap(),
        }
    }

    /// The commit with these approvals.
    #[must_use]
    pub fn commit(&self, approvals: &[NodeSignature]) -> Commit {
        let approvals = Bounded::new(approvals.to_vec()).unwrap();
        Commit { transaction: self.transaction.clone(), salt: [9; 32], approvals }
    }

    /// The spend signatures of a leg's inputs over a commit.
    pub fn signatures(
        &self,
        index: u8,
        commit: &Commit,
        rng: &mut ChaCha20Rng,
    ) -> Bounded<LinearProof, INPUTS_MAX> {
        let (keys, m) = (&self.legs[usize::from(index)].keys, commit.id().unwrap().0);
        let signatures: Vec<_> = keys.iter().map(|key| tag::sign(key, m, rng).unwrap()).collect();
        signatures.try_into().unwrap()
    }

    /// What a leg's registrar is asked once the notary has given this receipt.
    pub fn finalisation(
        &self,
        index: u8,
        commit: &Commit,
        receipt: Receipt,
        rng: &mut ChaCha20Rng,
    ) -> Finalisation {
        let signatures = self.signatures(index, commit, rng);
        Finalisation { commit: commit.clone(), index, receipt, signatures }
    }

    /// The part of a leg's sender, as it goes to the notary.
    pub fn part(&self, index: u8, commit: &Commit, rng: &mut ChaCha20Rng) -> NotaryPart {
        let m = commit.id().unwrap().0;
        let tags = self.tags[usize::from(index)].iter();
        let openings: Vec<_> = tags
            .map(|(salt, key)| TagOpening {
                salt: *salt,
                tag: key.tag(),
                signature: tag::sign(key, m, rng).unwrap(),
            })
            .collect();
        NotaryPart {
            window: self.transaction.window,
            legs_root: self.transaction.legs_root(),
            approvals_root: commit.approvals_root(),
            tags: self.transaction.tags.clone(),
            openings: openings.try_into().unwrap(),
        }
    }
}

fn random(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}
