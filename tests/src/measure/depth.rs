//! What a receiver gets and checks for a note, by how many transfers are behind it, at one size of the asset log.

use rand_chacha::ChaCha20Rng;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Hash, NodeKey};
use sudare_disclosure::AssetTerms;
use sudare_ledger::leg::{BuiltLeg, TearOff};
use sudare_ledger::log::{Entry, EntryLeaf, EntryProof, FinalLeg, Receipt};
use sudare_ledger::messages::Settlement;
use sudare_ledger::note::{Note, SlotSecrets};
use sudare_ledger::testing::{self, Assembled, Held, NOW, Network, TestCustodian};
use sudare_ledger::transaction::{Commit, Window};
use sudare_ledger::tree::{
    Checkpoint, LogKind, MemoryTree, SignedCheckpoint, SignerName, leaf_hash,
};

use super::clock::{float, medians_us};
use super::{Failed, Report, Topic, fixture};

/// What the first note of a chain is worth; every transfer leaves one unit behind as change.
const VALUE: u64 = 1_000_000;

/// Measures the topic.
pub(super) fn run(quick: bool) -> Result<Report, Failed> {
    let (depth, rounds) = if quick { (100, 101) } else { (1_000, 501) };
    let pair = Pair::build(depth)?;
    let (deep, shallow) = (&pair.deep, &pair.shallow);
    let check = |one: &Certificate| one.check(&pair.terms).map(drop);
    let [deep_us, shallow_us] = medians_us(rounds, [&mut || check(deep), &mut || check(shallow)])?;
    let bytes = |one: &Certificate| float(u64::try_from(one.bytes.len()).unwrap_or(u64::MAX));
    let title = format!(
        "what a receiver gets and checks for a note {depth} transfers deep, beside one transfer deep; log of {} entries; CPU time of one thread, median of {rounds}",
        pair.size
    );
    let mut report = Report::new(Topic::Depth, title);
    report.value("depth", float(depth), "", "transfers behind the deep note");
    report.value("bytes_deep", bytes(deep), "B", "the settlement that the receiver gets");
    report.value("bytes_shallow", bytes(shallow), "B", "the same, one transfer deep");
    report.value("bytes_ratio", bytes(deep) / bytes(shallow), "", "deep / shallow");
    report.value(
        "check_deep_us",
        deep_us,
        "us",
        "decode, approvals, receipt, components, log proof",
    );
    report.value("check_shallow_us", shallow_us, "us", "the same, one transfer deep");
    let ratio = deep_us / shallow_us.max(f64::MIN_POSITIVE);
    report.value("cpu_ratio", ratio, "", "deep / shallow");
    let history = float(pair.history);
    report.value(
        "history_bytes",
        history,
        "B",
        "the legs behind the deep note, which it does not get",
    );
    Ok(report)
}

/// Two notes settled one after the other in one log, one with a long past.
struct Pair {
    terms: AssetTerms,
    size: u64,
    deep: Certificate,
    shallow: Certificate,
    history: u64,
}

/// A settlement as it comes over the wire, and what its receiver knows.
struct Certificate {
    bytes: Vec<u8>,
    secrets: SlotSecrets,
    value: u64,
}

impl Pair {
    fn build(depth: u64) -> Result<Self, Failed> {
        let mut chain = Chain::new()?;
        let (mut held, other) = (chain.issue()?.held, chain.issue()?.held);
        let (mut history, mut last) = (0u64, None);
        for number in 0..depth {
            let settled = chain.transfer(&held, number)?;
            held = settled.held.clone();
            history = history.saturating_add(settled.entry_bytes);
            last = Some(settled);
        }
        let deep = last.ok_or_else(|| Failed::Wrong("a chain of no transfers".into()))?;
        let shallow = chain.transfer(&other, depth)?;
        chain.fill()?;
        let checkpoint = chain.checkpoint()?;
        Ok(Self {
            size: chain.log.size(),
            deep: chain.certificate(deep, &checkpoint)?,
            shallow: chain.certificate(shallow, &checkpoint)?,
            terms: chain.terms,
            history,
        })
    }
}

impl Certificate {
    /// What a custodian checks before it takes a note [FIN-3]; gives the note's value.
    fn check(&self, terms: &AssetTerms) -> Result<u64, Failed> {
        let wrong = |what: &str| Failed::Wrong(what.to_owned());
        let settlement: Settlement = decode(&self.bytes, "a settlement")?;
        settlement.commit.check()?;
        if !settlement.receipt.is_of(&settlement.commit) {
            return Err(wrong("the receipt is of another commit"));
        }
        let transaction = &settlement.commit.transaction;
        let leg = transaction.legs.get(usize::from(settlement.index));
        let leg = leg.ok_or_else(|| wrong("the transaction has no such leg"))?;
        let mut value = 0u64;
        for part in &settlement.components {
            part.check(settlement.index, leg.root)?;
            value = value.saturating_add(part.receive(terms, &self.secrets)?.opening.value);
        }
        let EntryProof { index, body, checkpoint, path } = &settlement.entry;
        let tx = transaction.id().ok_or_else(|| wrong("the transaction is not well formed"))?;
        let leaf = EntryLeaf::Leg { tx, index: settlement.index, root: leg.root, body: *body };
        let checkpoint = SignedCheckpoint::parse(checkpoint)?;
        let checkpoint = checkpoint.open(&origin(terms)?, &terms.core.registrar)?;
        path.verify(&leaf.hash(), *index, checkpoint.size, &checkpoint.root)?;
        if value != self.value {
            return Err(wrong("the note has another value"));
        }
        Ok(value)
    }
}

/// A final leg with what its receiver needs.
struct Settled {
    commit: Commit,
    receipt: Receipt,
    built: BuiltLeg,
    index: u64,
    body: Hash,
    entry_bytes: u64,
    held: Held,
}

/// An asset whose log grows by final legs. Every note goes to the same investor: whose it is plays no part in its size.
struct Chain {
    network: Network,
    terms: AssetTerms,
    payer: TestCustodian,
    payee: TestCustodian,
    log: MemoryTree,
    rng: ChaCha20Rng,
}

impl Chain {
    fn new() -> Result<Self, Failed> {
        let mut rng = testing::rng(3);
        let network = Network::new();
        let terms = fixture::terms(&network, 2, &mut rng);
        let (payer, payee) = (TestCustodian::new(1), TestCustodian::new(2));
        let mut chain = Self { network, terms, payer, payee, log: MemoryTree::default(), rng };
        let first = Entry::Terms(chain.network.signed(chain.terms.clone()));
        chain.append(&first)?;
        Ok(chain)
    }

    fn issue(&mut self) -> Result<Settled, Failed> {
        self.settle(None, [VALUE, VALUE], 0)
    }

    fn transfer(&mut self, held: &Held, number: u64) -> Result<Settled, Failed> {
        let paid = held.opening.value.saturating_sub(1);
        self.settle(Some(held), [paid, 1], number)
    }

    /// A leg with two outputs, a payment and change, through approval, notary and log.
    fn settle(
        &mut self,
        spends: Option<&Held>,
        values: [u64; 2],
        number: u64,
    ) -> Result<Settled, Failed> {
        let proposal = Hash::default();
        let paid = self.payee.slot(&self.terms, NOW, "investor", proposal, &mut self.rng);
        let change = self.payer.slot(&self.terms, NOW, "investor", proposal, &mut self.rng);
        let secrets = self.payee.slots.get(&paid.slot.owner).cloned();
        let secrets = secrets.ok_or_else(|| Failed::Wrong("a slot is not known".into()))?;
        let [quantity, rest] = values;
        let outputs = vec![(paid, quantity), (change, rest)];
        let inputs: Vec<Held> = spends.cloned().into_iter().collect();
        let trade = testing::trade(&format!("CHAIN-{number:06}"));
        let draft = testing::leg(&self.terms, NOW, &inputs, outputs, trade, &mut self.rng)?;
        let window = Window::around(NOW, 30_000);
        let assembled = testing::assemble(&self.network, window, vec![draft], &mut self.rng);
        self.finalise(assembled, secrets)
    }

    fn finalise(&mut self, mut tx: Assembled, secrets: SlotSecrets) -> Result<Settled, Failed> {
        let approval = tx.transaction.approve(0, &self.network.registrar);
        let approval = approval.ok_or_else(|| Failed::Wrong("no leg to approve".into()))?;
        let commit = tx.commit(&[approval]);
        let receipt = self.network.receipt(&commit, NOW);
        let (signatures, request) = (tx.signatures(0, &commit, &mut self.rng), tx.request(0));
        let built = tx.legs.pop().ok_or_else(|| Failed::Wrong("no leg".into()))?.built;
        let entry = Entry::Leg(Box::new(FinalLeg {
            leg: built.leg.clone(),
            salt: built.salt,
            index: 0,
            commit: commit.clone(),
            receipt,
            tag_salts: request.tag_salts,
            signatures,
        }));
        let index = self.append(&entry)?;
        let received = built.leg.tear_off(0, &built.salt, 0)?.receive(&self.terms, &secrets)?;
        let (asset, output) = (received.header.asset, &received.output);
        let note = Note { asset, owner: output.slot.slot.owner, commitment: output.commitment };
        Ok(Settled {
            body: entry.body_hash(),
            entry_bytes: u64::try_from(encode(&entry).len()).unwrap_or(u64::MAX),
            held: Held { note, opening: received.opening, secrets },
            commit,
            receipt,
            built,
            index,
        })
    }

    fn append(&mut self, entry: &Entry) -> Result<u64, Failed> {
        let leaf = entry.leaf().ok_or_else(|| Failed::Wrong("an entry has no leaf".into()))?;
        Ok(self.log.append(leaf.hash())?)
    }

    /// Other entries, up to a power of two: then every path has the same length.
    fn fill(&mut self) -> Result<(), Failed> {
        for number in self.log.size()..self.log.size().next_power_of_two() {
            self.log.append(leaf_hash(&number.to_be_bytes()))?;
        }
        Ok(())
    }

    fn checkpoint(&self) -> Result<SignedCheckpoint, Failed> {
        let (size, key) = (self.log.size(), &self.network.registrar);
        let checkpoint =
            Checkpoint { origin: origin(&self.terms)?, size, root: self.log.root(size)? };
        Ok(checkpoint.sign(&key.id(), |text| key.sign_raw(text))?)
    }

    fn certificate(
        &self,
        settled: Settled,
        checkpoint: &SignedCheckpoint,
    ) -> Result<Certificate, Failed> {
        let Settled { commit, receipt, built, index, body, held, .. } = settled;
        let path = self.log.inclusion(index, self.log.size())?;
        let checkpoint = checkpoint.to_text().into_bytes().try_into()?;
        let entry = EntryProof { index, body, checkpoint, path };
        let components = vec![built.leg.tear_off(0, &built.salt, 0)?].try_into()?;
        let settlement = Settlement { commit, index: 0, receipt, entry, components };
        let (secrets, value) = (held.secrets, held.opening.value);
        Ok(Certificate { bytes: encode(&settlement), secrets, value })
    }
}

/// A settled output as its receiver's custodian has it, to be disclosed.
pub(super) struct Disclosable {
    pub(super) terms: AssetTerms,
    pub(super) settlement: Settlement,
    pub(super) components: TearOff,
    pub(super) secrets: SlotSecrets,
    pub(super) checkpoint: SignedCheckpoint,
    pub(super) custodian: NodeKey,
}

impl Disclosable {
    /// One transfer, in a log of four entries.
    pub(super) fn new() -> Result<Self, Failed> {
        let mut chain = Chain::new()?;
        let issued = chain.issue()?.held;
        let settled = chain.transfer(&issued, 1)?;
        chain.fill()?;
        let checkpoint = chain.checkpoint()?;
        let Certificate { bytes, secrets, .. } = chain.certificate(settled, &checkpoint)?;
        let settlement: Settlement = decode(&bytes, "a settlement")?;
        let components = settlement.components.first().cloned();
        let components = components.ok_or_else(|| Failed::Wrong("nothing is settled".into()))?;
        let (terms, custodian) = (chain.terms, chain.payee.key);
        Ok(Self { terms, settlement, components, secrets, checkpoint, custodian })
    }
}

pub(super) fn origin(terms: &AssetTerms) -> Result<SignerName, Failed> {
    let network = terms.core.network.to_string();
    Ok(SignerName::of_log(&network, LogKind::Asset, terms.asset().0.as_bytes())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_four_transfers_deep_is_taken_with_as_many_bytes_as_one_transfer_deep() {
        let pair = Pair::build(4).unwrap();
        assert_eq!(pair.deep.check(&pair.terms).unwrap(), VALUE - 4);
        assert_eq!(pair.shallow.check(&pair.terms).unwrap(), VALUE - 1);
        assert_eq!(pair.deep.bytes.len(), pair.shallow.bytes.len());
    }

    #[test]
    fn a_certificate_with_a_changed_byte_is_refused() {
        let mut pair = Pair::build(1).unwrap();
        for place in (0..pair.deep.bytes.len()).step_by(97) {
            pair.deep.bytes[place] ^= 1;
            assert!(pair.deep.check(&pair.terms).is_err(), "byte {place}");
            pair.deep.bytes[place] ^= 1;
        }
    }
}
