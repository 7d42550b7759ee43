//! Fixtures: a network, terms with any keys, holders of notes, and a builder of legs that follows the specification on its own,
//! so that it can break each rule alone with every proof still true.
#![allow(
    dead_code,
    unreachable_pub,
    missing_debug_implementations,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "fixtures of tests; each test file uses some of them"
)]

pub mod chain;
pub mod grants;

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::linear::{self, Combination, LinearProof, Relation, Row};
use sudare_crypto::point::{B, B_BLINDING, B_BLINDING_ENCODED, B_ENCODED};
use sudare_crypto::proof::amount::{self, Opening};
use sudare_crypto::proof::{balance, links, range, spend, wrap};
use sudare_crypto::{Encoded, Hash, LedgerTranscript, NodeId, NodeKey, Scalar, Secret, Text};
use sudare_disclosure::{
    AssetCore, AssetTerms, DisclosureSecret, Epoch, Field, Fields, KeyPurpose, Policy, Section,
    SectionKind, SignedTerms,
};
use sudare_ledger::leg::{
    BuildError, BuiltLeg, Header, Input, Leg, LegRequest, Links, Output, Proofs, Purpose,
    SpendInput, TradeInfo,
};
use sudare_ledger::note::{InvestorSeed, Note, SlotSecrets};
use sudare_ledger::slot::{SignedSlot, Slot, SlotContext};

/// When the first epoch of every asset opens.
pub const NOW: u64 = 1_800_000_000_000;
/// How long an epoch is in force.
pub const EPOCH_MS: u64 = 10_000_000;
/// How long a leg's window may go on after its epoch.
pub const GRACE_MS: u64 = 60_000;
/// The longest window.
pub const WINDOW_MS: u64 = 60_000;

pub fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

pub fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).unwrap()
}

pub fn network() -> Hash {
    Hash::of(b"sudare/test/network", &[])
}

pub fn registrar() -> NodeKey {
    NodeKey::from_seed(&[101; 32])
}

pub fn notary() -> NodeKey {
    NodeKey::from_seed(&[103; 32])
}

pub fn fields(list: &[Field]) -> Fields {
    Fields::of(list).unwrap()
}

/// An asset's terms with the secrets of all their keys.
#[derive(Clone)]
pub struct Asset {
    pub terms: AssetTerms,
    /// By epoch, in the order of its keys.
    pub secrets: Vec<Vec<DisclosureSecret>>,
}

impl Asset {
    /// Terms with one epoch for each list of authorities' fields; the registrar's key stands before them.
    pub fn new(code: &str, epochs: &[&[Fields]], rng: &mut ChaCha20Rng) -> Self {
        let core = AssetCore {
            version: Version,
            network: network(),
            code: text(code),
            name: text("a security of a test"),
            unit: text("unit"),
            decimals: 0,
            registrar: registrar().id(),
            notary: notary().id(),
            window_max_ms: WINDOW_MS,
            nonce: Hash::of(b"sudare/test/asset", &[code.as_bytes()]).0,
        };
        let policy = Policy { grace_ms: GRACE_MS, epochs: Vec::new().try_into().unwrap() };
        let mut asset = Self { terms: AssetTerms { core, number: 0, policy }, secrets: Vec::new() };
        for authorities in epochs {
            asset.add_epoch(authorities, rng);
        }
        asset
    }

    /// Terms whose one authority in one epoch reads these fields.
    pub fn with(list: &[Field], rng: &mut ChaCha20Rng) -> Self {
        Self::new("JP0000000001", &[&[fields(list)]], rng)
    }

    pub fn add_epoch(&mut self, authorities: &[Fields], rng: &mut ChaCha20Rng) {
        let number = self.terms.policy.epochs.len() as u32;
        let opens_at = NOW + u64::from(number) * EPOCH_MS;
        let mut epoch = Epoch { number, opens_at, keys: Vec::new().try_into().unwrap() };
        self.secrets.push(Vec::new());
        self.add_key(&mut epoch, Fields::ALL, rng);
        for one in authorities {
            self.add_key(&mut epoch, *one, rng);
        }
        let mut epochs = self.terms.policy.epochs.to_vec();
        epochs.push(epoch);
        self.terms.policy.epochs = epochs.try_into().unwrap();
    }

    fn add_key(&mut self, epoch: &mut Epoch, fields: Fields, rng: &mut ChaCha20Rng) {
        let label = text(&format!("authority {}", epoch.keys.len()));
        let (network, asset) = (self.terms.core.network, self.terms.asset());
        let purpose = KeyPurpose { network, asset, epoch: epoch.number, fields, label };
        let secret = DisclosureSecret::derive(&Seed([epoch.keys.len() as u8; 32]), &purpose);
        let mut keys = epoch.keys.to_vec();
        keys.push(secret.publish(&purpose, rng).unwrap());
        epoch.keys = keys.try_into().unwrap();
        self.secrets[epoch.number as usize].push(secret);
    }

    /// The next version, in which an authority joins an epoch.
    pub fn join(&self, epoch: u32, fields: Fields, rng: &mut ChaCha20Rng) -> Self {
        let mut next = self.clone();
        next.terms.number += 1;
        let mut epochs = next.terms.policy.epochs.to_vec();
        next.add_key(&mut epochs[epoch as usize], fields, rng);
        next.terms.policy.epochs = epochs.try_into().unwrap();
        next
    }

    pub fn epoch(&self, number: u32) -> &Epoch {
        self.terms.policy.epoch(number).unwrap()
    }

    pub fn key(&self, epoch: u32, place: usize) -> &DisclosureSecret {
        &self.secrets[epoch as usize][place]
    }

    pub fn signed(&self) -> SignedTerms {
        self.terms.clone().sign(&registrar())
    }
}

/// An investor with its custodian.
#[derive(Clone)]
pub struct Holder {
    pub seed: InvestorSeed,
    pub node: NodeKey,
}

/// A note with all that spends it.
#[derive(Clone)]
pub struct Held {
    pub note: Note,
    pub opening: Opening,
    pub secrets: SlotSecrets,
}

impl Held {
    pub fn spend(&self) -> SpendInput {
        let (note, opening) = (self.note, self.opening.clone());
        SpendInput { note, opening, secrets: self.secrets.clone() }
    }
}

/// A slot with what stands behind it.
#[derive(Clone)]
pub struct Receiver {
    pub slot: SignedSlot,
    pub secrets: SlotSecrets,
}

impl Holder {
    pub fn new(number: u8) -> Self {
        let node = NodeKey::from_seed(&[number; 32]);
        Self { seed: InvestorSeed(Seed([number; 32])), node }
    }

    pub fn id(&self) -> NodeId {
        self.node.id()
    }

    pub fn account(&self, asset: &Asset) -> Encoded {
        self.seed.account(asset.terms.asset()).public()
    }

    pub fn context(&self, asset: &Asset, epoch: u32, rng: &mut ChaCha20Rng) -> SlotContext {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        SlotContext {
            version: Version,
            network: asset.terms.core.network,
            asset: asset.terms.asset(),
            terms: asset.terms.hash(),
            epoch,
            receiver: self.id(),
            nonce,
            expires_at: u64::MAX,
            proposal: Hash::default(),
        }
    }

    pub fn slot(&self, asset: &Asset, epoch: u32, rng: &mut ChaCha20Rng) -> Receiver {
        let context = self.context(asset, epoch, rng);
        self.slot_in(context, asset.epoch(epoch), rng)
    }

    pub fn slot_in(&self, context: SlotContext, epoch: &Epoch, rng: &mut ChaCha20Rng) -> Receiver {
        let secrets = self.seed.slot(context.asset, &context.nonce);
        let slot = Slot::make(context, &secrets, epoch, rng).unwrap().sign(&self.node);
        Receiver { slot, secrets }
    }

    /// A note of this value that no leg made.
    pub fn note(&self, asset: &Asset, value: u64, rng: &mut ChaCha20Rng) -> Held {
        let Receiver { slot, secrets } = self.slot(asset, 0, rng);
        let opening = Opening { value, blinding: Scalar::random(rng) };
        held(asset, &slot, opening, secrets)
    }
}

pub fn held(asset: &Asset, slot: &SignedSlot, opening: Opening, secrets: SlotSecrets) -> Held {
    let commitment = sudare_crypto::point::commit(opening.value, &opening.blinding);
    let commitment = Encoded::of(&commitment);
    let note = Note { asset: asset.terms.asset(), owner: slot.slot.owner, commitment };
    Held { note, opening, secrets }
}

/// What a leg is to do, for the project's builder or for [`Draft`].
#[derive(Clone)]
pub struct Plan {
    pub epoch: u32,
    pub purpose: Purpose,
    pub mint: u64,
    pub burn: u64,
    pub spends: Vec<Held>,
    pub pays: Vec<(Receiver, u64)>,
    pub trade: TradeInfo,
    pub sender: Text<64>,
}

impl Plan {
    pub fn issue(pays: Vec<(Receiver, u64)>) -> Self {
        let mint = pays.iter().map(|(_, value)| value).sum();
        Self { mint, ..Self::of(Purpose::Issue, Vec::new(), pays) }
    }

    pub fn transfer(spends: Vec<Held>, pays: Vec<(Receiver, u64)>) -> Self {
        Self::of(Purpose::Transfer, spends, pays)
    }

    pub fn redeem(burn: u64, spends: Vec<Held>, pays: Vec<(Receiver, u64)>) -> Self {
        Self { burn, ..Self::of(Purpose::Redeem, spends, pays) }
    }

    fn of(purpose: Purpose, spends: Vec<Held>, pays: Vec<(Receiver, u64)>) -> Self {
        let epoch = pays.first().map_or(0, |(to, _)| to.slot.slot.context.epoch);
        let trade = TradeInfo { trade_id: text("T-1"), ..TradeInfo::default() };
        Self { epoch, purpose, mint: 0, burn: 0, spends, pays, trade, sender: text("sender") }
    }

    /// The leg as the project builds it.
    pub fn build(&self, asset: &Asset, rng: &mut ChaCha20Rng) -> Result<BuiltLeg, BuildError> {
        let request = LegRequest {
            terms: &asset.terms,
            epoch: asset.epoch(self.epoch),
            purpose: self.purpose,
            mint: self.mint,
            burn: self.burn,
            inputs: self.spends.iter().map(Held::spend).collect(),
            outputs: self.pays.iter().map(|(to, value)| (to.slot.clone(), *value)).collect(),
            trade: self.trade.clone(),
            sender: self.sender.clone(),
        };
        BuiltLeg::build(&request, rng)
    }

    /// The leg as this builder makes it, before its proofs.
    pub fn draft(&self, asset: &Asset, rng: &mut ChaCha20Rng) -> Draft {
        self.draft_with(asset, &BTreeMap::new(), rng)
    }

    /// As [`Plan::draft`], with other contents of some sections.
    pub fn draft_with(
        &self,
        asset: &Asset,
        contents: &BTreeMap<SectionKind, Vec<u8>>,
        rng: &mut ChaCha20Rng,
    ) -> Draft {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let mut draft = Draft {
            header: Header {
                version: Version,
                network: asset.terms.core.network,
                asset: asset.terms.asset(),
                terms: asset.terms.hash(),
                epoch: self.epoch,
                purpose: self.purpose,
                mint: self.mint,
                burn: self.burn,
                nonce,
            },
            epoch: asset.epoch(self.epoch).clone(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            sections: Vec::new(),
            spenders: Vec::new(),
            openings: Vec::new(),
            ephemerals: Vec::new(),
            links: Vec::new(),
            notes: self.spends.iter().map(|held| held.note).collect(),
            excess: Scalar::ZERO,
            wide: BTreeMap::new(),
        };
        for held in &self.spends {
            draft.add_input(held, rng);
        }
        for (to, value) in &self.pays {
            let opening = Opening { value: *value, blinding: Scalar::random(rng) };
            draft.add_output(&to.slot, opening);
        }
        draft.seal(self, contents, rng);
        draft
    }
}

/// A leg without its proofs, and the witnesses for them.
#[derive(Clone)]
pub struct Draft {
    pub header: Header,
    pub epoch: Epoch,
    pub inputs: Vec<Input>,
    pub outputs: Vec<Output>,
    pub sections: Vec<Section>,
    pub spenders: Vec<spend::Witness>,
    pub openings: Vec<Opening>,
    pub ephemerals: Vec<Secret>,
    pub links: Vec<links::Witness>,
    pub notes: Vec<Note>,
    pub excess: Scalar,
    /// Values of outputs that are no u64, for the amount proof.
    pub wide: BTreeMap<usize, Scalar>,
}

impl Draft {
    fn add_input(&mut self, held: &Held, rng: &mut ChaCha20Rng) {
        let (d, u) = (Scalar::random(rng), Scalar::random(rng));
        let (account, tag) = (held.secrets.account.0, held.secrets.tag.0);
        let commitment = held.note.commitment.decompress().unwrap() + *B_BLINDING * d;
        let identities = self.epoch.keys_with(Field::Parties).into_iter();
        let identities = identities.map(|key| Encoded::of(&(B * account + point(&key) * u)));
        self.inputs.push(Input {
            tag: held.secrets.spend_key().tag(),
            commitment: Encoded::of(&commitment),
            ephemeral: Encoded::of(&(B * u)),
            identities: identities.collect::<Vec<_>>().try_into().unwrap(),
        });
        self.spenders.push(spend::Witness { account, tag, ephemeral: u });
        let owner_blinding = held.secrets.blinding.0;
        self.links.push(links::Witness { owner_blinding, rerandomisation: d });
        self.excess += held.opening.blinding + d;
    }

    fn add_output(&mut self, slot: &SignedSlot, opening: Opening) {
        let ciphertext = opening.encrypt(&self.epoch.keys_with(Field::Amounts)).unwrap();
        self.excess -= opening.blinding;
        self.outputs.push(Output {
            slot: slot.clone(),
            commitment: ciphertext.commitment,
            ephemeral: ciphertext.ephemeral,
            amounts: ciphertext.amounts.try_into().unwrap(),
        });
        self.openings.push(opening);
    }

    fn seal(
        &mut self,
        plan: &Plan,
        contents: &BTreeMap<SectionKind, Vec<u8>>,
        rng: &mut ChaCha20Rng,
    ) {
        let context = encode(&self.header);
        for (kind, readers) in self.readers() {
            let content = contents.get(&kind).cloned().unwrap_or_else(|| match kind {
                SectionKind::Opening(index) => {
                    let opening = &self.openings[usize::from(index)];
                    encode(&(opening.value, Secret(opening.blinding)))
                }
                SectionKind::Parties => encode(&plan.sender),
                SectionKind::Trade => encode(&plan.trade),
                SectionKind::Links => encode(&self.prove_links(&self.notes, rng)),
                SectionKind::Snapshot => unreachable!("no leg has one"),
            });
            let sealed = Section::seal(kind, &content, &readers, &context, rng).unwrap();
            self.sections.push(sealed.0);
            self.ephemerals.push(sealed.1);
        }
    }

    /// That the inputs spend these notes.
    pub fn prove_links(&self, notes: &[Note], rng: &mut ChaCha20Rng) -> Links {
        let links = self.inputs.iter().enumerate().map(|(i, input)| links::Link {
            owner: notes[i].owner,
            commitment: notes[i].commitment,
            tag: input.tag,
            rerandomised: input.commitment,
        });
        let statement = links::Statement { links: links.collect() };
        let mut transcript = LedgerTranscript::new(b"sudare/leg-links/v1", &encode(&self.header));
        transcript.absorb(b"inputs", &listed(&self.inputs));
        transcript.absorb(b"outputs", &listed(&self.outputs));
        let proof = links::prove(&statement, &self.links, &mut transcript, rng).unwrap();
        let notes: Vec<_> = notes.iter().map(Note::id).collect();
        Links { notes: notes.try_into().unwrap(), proof }
    }

    /// The sections that the policy asks for, with their readers.
    pub fn readers(&self) -> Vec<(SectionKind, Vec<Encoded>)> {
        let memo_keys = self.outputs.iter().map(|output| output.slot.slot.memo_key);
        let memo_keys: Vec<Encoded> = memo_keys.collect();
        let with = |field, more: &[Encoded]| [&self.epoch.keys_with(field), more].concat();
        let mut all = Vec::new();
        for (index, key) in memo_keys.iter().enumerate() {
            all.push((SectionKind::Opening(index as u8), with(Field::Amounts, &[*key])));
        }
        all.push((SectionKind::Parties, with(Field::Parties, &[])));
        all.push((SectionKind::Trade, with(Field::Trade, &memo_keys)));
        if !self.inputs.is_empty() {
            all.push((SectionKind::Links, with(Field::Links, &[])));
        }
        all
    }

    /// The leg with all its proofs, each of what the draft now says.
    pub fn prove(&self, rng: &mut ChaCha20Rng) -> Leg {
        let mut transcript = LedgerTranscript::new(b"sudare/leg/v1", &encode(&self.header));
        transcript.absorb(b"inputs", &listed(&self.inputs));
        transcript.absorb(b"outputs", &listed(&self.outputs));
        transcript.absorb(b"sections", &listed(&self.sections));
        let proofs = Proofs {
            spend: self.prove_spend(&mut transcript, rng),
            amount: self.prove_amount(&mut transcript, rng),
            wrap: self.prove_wrap(&mut transcript, rng),
            balance: self.prove_balance(&mut transcript, rng),
            range: match self.openings.as_slice() {
                [] => Vec::new(),
                openings => range::prove(openings, &mut transcript, rng).unwrap(),
            }
            .try_into()
            .unwrap(),
        };
        Leg {
            header: self.header.clone(),
            inputs: self.inputs.clone().try_into().unwrap(),
            outputs: self.outputs.clone().try_into().unwrap(),
            sections: self.sections.clone().try_into().unwrap(),
            proofs,
        }
    }

    fn prove_spend(
        &self,
        transcript: &mut LedgerTranscript,
        rng: &mut ChaCha20Rng,
    ) -> Option<LinearProof> {
        let inputs = self.inputs.iter().map(|input| spend::Spender {
            tag: input.tag,
            ephemeral: input.ephemeral,
            identities: input.identities.to_vec(),
        });
        let keys = self.epoch.keys_with(Field::Parties);
        let statement = spend::Statement { inputs: inputs.collect(), keys };
        let there = !self.inputs.is_empty();
        there.then(|| spend::prove(&statement, &self.spenders, transcript, rng).unwrap())
    }

    fn prove_amount(
        &self,
        transcript: &mut LedgerTranscript,
        rng: &mut ChaCha20Rng,
    ) -> Option<LinearProof> {
        let outputs = self.outputs.iter().map(|output| amount::Ciphertext {
            commitment: output.commitment,
            ephemeral: output.ephemeral,
            amounts: output.amounts.to_vec(),
        });
        let keys = self.epoch.keys_with(Field::Amounts);
        let statement = amount::Statement { outputs: outputs.collect(), keys };
        let (mut rows, mut merged, mut witness) = (Vec::new(), Vec::new(), Vec::new());
        for (i, output) in self.outputs.iter().enumerate() {
            let (v, r) = (2 * i, 2 * i + 1);
            let blinding = one(&B_BLINDING_ENCODED);
            rows.push(row(one(&output.commitment), vec![(v, one(&B_ENCODED)), (r, blinding)]));
            rows.push(row(one(&output.ephemeral), vec![(r, one(&B_ENCODED))]));
            for (j, key) in statement.keys.iter().enumerate() {
                let target = minus(&output.amounts[j], &output.commitment);
                merged.push(row(target, vec![(r, minus(key, &B_BLINDING_ENCODED))]));
            }
            let value = self.wide.get(&i).copied();
            witness.push(value.unwrap_or_else(|| Scalar::from(self.openings[i].value)));
            witness.push(self.openings[i].blinding);
        }
        let (name, variables) = (amount::NAME, witness.len());
        let relation = Relation { name, statement: encode(&statement), variables, rows, merged };
        let there = !self.outputs.is_empty();
        there.then(|| linear::prove(&relation, &witness, transcript, rng).unwrap())
    }

    fn prove_wrap(&self, transcript: &mut LedgerTranscript, rng: &mut ChaCha20Rng) -> LinearProof {
        let readers = self.readers();
        let sections = self.sections.iter().enumerate().map(|(i, section)| {
            let known = readers.iter().find(|(kind, _)| *kind == section.kind);
            section.wrapped(&known.unwrap_or(&readers[i % readers.len()]).1)
        });
        let statement = wrap::Statement { sections: sections.collect() };
        wrap::prove(&statement, &self.ephemerals, transcript, rng).unwrap()
    }

    fn prove_balance(
        &self,
        transcript: &mut LedgerTranscript,
        rng: &mut ChaCha20Rng,
    ) -> LinearProof {
        let statement = balance::Statement {
            inputs: self.inputs.iter().map(|input| input.commitment).collect(),
            outputs: self.outputs.iter().map(|output| output.commitment).collect(),
            mint: self.header.mint,
            burn: self.header.burn,
        };
        balance::prove(&statement, &Secret(self.excess), transcript, rng).unwrap()
    }
}

/// A bounded list's bytes: count as u16, then the items.
pub fn listed<T: borsh::BorshSerialize>(items: &[T]) -> Vec<u8> {
    let mut bytes = (items.len() as u16).to_le_bytes().to_vec();
    items.iter().for_each(|item| bytes.extend(encode(item)));
    bytes
}

pub fn point(encoded: &Encoded) -> sudare_crypto::RistrettoPoint {
    encoded.decompress().unwrap()
}

fn one(point: &Encoded) -> Combination {
    vec![(Scalar::ONE, *point)]
}

fn minus(left: &Encoded, right: &Encoded) -> Combination {
    vec![(Scalar::ONE, *left), (-Scalar::ONE, *right)]
}

fn row(target: Combination, terms: Vec<(usize, Combination)>) -> Row {
    Row { target, terms }
}

/// Asserts that a file holds as it is, and neither with a changed byte, nor cut short, nor with a byte more.
pub fn assert_every_byte_counts(file: &[u8], holds: impl Fn(&[u8]) -> bool) {
    assert!(holds(file), "the file itself");
    for at in 0..file.len() {
        for change in [1 << (at % 8), 0xff] {
            let mut changed = file.to_vec();
            changed[at] ^= change;
            assert!(!holds(&changed), "byte {at} changed by {change:#04x}");
        }
        assert!(!holds(&file[..at]), "cut at {at}");
    }
    for more in [0, 1, b'\n', 0xff] {
        assert!(!holds(&[file, &[more]].concat()), "with a byte {more:#04x} more");
    }
}
