//! A log of distinct legs, made in bulk and kept in a folder, so that they are made once.

use std::fs;
use std::path::{Path, PathBuf};

use rand_chacha::ChaCha20Rng;
use sudare::clock::now_ms;
use sudare::config::Loaded;
use sudare::membership::MemberName;
use sudare::network::{Planned, init};
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::encode;
use sudare_crypto::{Hash, together};
use sudare_disclosure::{AssetTerms, SignedTerms};
use sudare_ledger::log::{Entry, FinalLeg};
use sudare_ledger::note::Note;
use sudare_ledger::role::Role;
use sudare_ledger::testing::{self, Held, NOW, Network, TestCustodian};
use sudare_ledger::transaction::Window;
use sudare_ledger::tree::{Checkpoint, MemoryTree, SignedCheckpoint};

use super::super::{Failed, fixture};

/// Legs of a block: an issue, then transfers of two inputs and two outputs, each spending what the one before made.
pub(super) const BLOCK: u64 = 250;
/// What each of the two notes of a block's issue is worth.
const VALUE: u64 = 1_000_000;
/// How many investors there are, whatever the number of legs.
const INVESTORS: u64 = 64;

/// An asset's log with the network whose registrar signed it.
pub(super) struct Made {
    folder: PathBuf,
    network: Network,
    pub(super) terms: AssetTerms,
}

/// One entry of the log.
pub(super) struct Line {
    pub(super) leaf: Hash,
    pub(super) bytes: Vec<u8>,
}

impl Made {
    /// The log in `folder`, or a new one, with so many legs at least; those that are missing are made on all cores.
    pub(super) fn open(folder: &Path, legs: u64) -> Result<Self, Failed> {
        let net = folder.join("net");
        if !net.exists() {
            let roles = [Role::Notary, Role::Registrar, Role::Regulator];
            let plan: Result<Vec<Planned>, Failed> = roles.map(planned).into_iter().collect();
            init(&net, &plan?, now_ms()).map_err(|error| wrong(&error))?;
        }
        let of = |role: Role| Loaded::open(&net.join(role.to_string()).join("node.toml"));
        let loaded = |role| of(role).map_err(|error| wrong(&error));
        let (registrar, notary) = (loaded(Role::Registrar)?, loaded(Role::Notary)?);
        let regulator = loaded(Role::Regulator)?;
        let network = Network {
            id: registrar.network,
            registrar: registrar.identity.key().clone(),
            master: registrar.seed.clone(),
            notary: notary.identity.key().clone(),
            regulator: regulator.seed.clone(),
        };
        let terms = fixture::terms(&network, 2, &mut testing::rng(0));
        let made = Self { folder: folder.to_owned(), network, terms };
        made.make(legs)?;
        Ok(made)
    }

    /// The configuration of a node of the network.
    pub(super) fn config(&self, role: Role) -> PathBuf {
        self.folder.join("net").join(role.to_string()).join("node.toml")
    }

    /// The terms as they stand in entry 0.
    pub(super) fn first(&self) -> Result<Line, Failed> {
        Line::of(&Entry::Terms(self.signed()))
    }

    /// The terms with their registrar's signature.
    pub(super) fn signed(&self) -> SignedTerms {
        self.network.signed(self.terms.clone())
    }

    /// From which the regulator's keys are derived.
    pub(super) const fn regulator(&self) -> &Seed {
        &self.network.regulator
    }

    /// The legs of a block, in order.
    pub(super) fn block(&self, number: u64) -> Result<Vec<Line>, Failed> {
        let path = self.path(number);
        let bytes =
            fs::read(&path).map_err(|error| wrong(&format!("{}: {error}", path.display())))?;
        let (mut rest, mut lines) = (bytes.as_slice(), Vec::new());
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let cut = after.split_first_chunk::<32>().and_then(|(leaf, after)| {
                after.split_at_checked(length).map(|(bytes, after)| (leaf, bytes, after))
            });
            let (leaf, bytes, after) = cut.ok_or_else(|| wrong(&"a block is cut short"))?;
            lines.push(Line { leaf: Hash(*leaf), bytes: bytes.to_vec() });
            rest = after;
        }
        Ok(lines)
    }

    /// The registrar's checkpoint over the terms and the legs of so many blocks.
    pub(super) fn checkpoint(&self, blocks: u64) -> Result<SignedCheckpoint, Failed> {
        let mut tree = MemoryTree::default();
        tree.append(self.first()?.leaf)?;
        for number in 0..blocks {
            for line in self.block(number)? {
                tree.append(line.leaf)?;
            }
        }
        let (key, size) = (&self.network.registrar, tree.size());
        let origin = sudare_ledger::audit::AssetLog {
            network: self.network.id,
            asset: self.terms.asset(),
            registrar: key.id(),
        }
        .origin()?;
        let checkpoint = Checkpoint { origin, size, root: tree.root(size)? };
        Ok(checkpoint.sign(&key.id(), |text| key.sign_raw(text))?)
    }

    fn make(&self, legs: u64) -> Result<(), Failed> {
        let missing = (0..legs.div_ceil(BLOCK)).filter(|number| !self.path(*number).exists());
        let missing: Vec<u64> = missing.collect();
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        together(cores, &missing, |number| self.make_block(*number)).into_iter().collect()
    }

    fn make_block(&self, number: u64) -> Result<(), Failed> {
        let mut chain = Chain {
            made: self,
            rng: testing::rng(number.wrapping_add(1_000)),
            custodian: TestCustodian::new(1),
            investor: format!("INV-{}", number % INVESTORS),
        };
        let (mut held, mut bytes) = (Vec::new(), Vec::new());
        for leg in 0..BLOCK {
            let (line, made) = chain.settle(&held, &format!("T-{number}-{leg}"))?;
            let length = u32::try_from(line.bytes.len()).unwrap_or(u32::MAX);
            bytes.extend(length.to_le_bytes());
            bytes.extend(line.leaf.as_bytes());
            bytes.extend(line.bytes);
            held = made;
        }
        let (path, failed) = (self.path(number), |error: std::io::Error| wrong(&error));
        let new = path.with_extension("new");
        fs::write(&new, bytes).map_err(failed)?;
        fs::rename(new, path).map_err(failed)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.folder.join(format!("legs-{number:06}"))
    }
}

impl Line {
    fn of(entry: &Entry) -> Result<Self, Failed> {
        let leaf = entry.leaf().ok_or_else(|| wrong(&"an entry has no leaf"))?.hash();
        Ok(Self { leaf, bytes: encode(entry) })
    }
}

/// Legs that spend each other's outputs.
struct Chain<'a> {
    made: &'a Made,
    rng: ChaCha20Rng,
    custodian: TestCustodian,
    investor: String,
}

impl Chain<'_> {
    /// A final leg that spends these notes, or issues, and makes two; the entry, and the notes.
    fn settle(&mut self, spends: &[Held], id: &str) -> Result<(Line, Vec<Held>), Failed> {
        let (terms, network) = (&self.made.terms, &self.made.network);
        let before: u64 = spends.iter().map(|held| held.opening.value).sum();
        // A unit moves from one note to the other, so that no two legs have the same amounts.
        let first = spends.first().map_or(VALUE, |held| held.opening.value.saturating_sub(1));
        let second = if spends.is_empty() { VALUE } else { before.saturating_sub(first) };
        let (mut outputs, mut secrets) = (Vec::new(), Vec::new());
        for value in [first, second] {
            let slot =
                self.custodian.slot(terms, NOW, &self.investor, Hash::default(), &mut self.rng);
            secrets.extend(self.custodian.slots.remove(&slot.slot.owner));
            outputs.push((slot, value));
        }
        let trade = testing::trade(id);
        let draft = testing::leg(terms, NOW, spends, outputs, trade, &mut self.rng)?;
        let window = Window::around(NOW, 30_000);
        let mut tx = testing::assemble(network, window, vec![draft], &mut self.rng);
        let approval = tx.transaction.approve(0, &network.registrar);
        let commit = tx.commit(&[approval.ok_or_else(|| wrong(&"no leg to approve"))?]);
        let receipt = network.receipt(&commit, NOW);
        let (signatures, request) = (tx.signatures(0, &commit, &mut self.rng), tx.request(0));
        let built = tx.legs.pop().ok_or_else(|| wrong(&"no leg"))?.built;
        let mut held = Vec::new();
        for (output, secrets) in sudare_crypto::numbered(secrets) {
            let torn = built.leg.tear_off(0, &built.salt, output)?.receive(terms, &secrets)?;
            let owner = torn.output.slot.slot.owner;
            let note = Note { asset: terms.asset(), owner, commitment: torn.output.commitment };
            held.push(Held { note, opening: torn.opening, secrets });
        }
        let (salt, tag_salts) = (built.salt, request.tag_salts);
        let leg =
            FinalLeg { leg: built.leg, salt, index: 0, commit, receipt, tag_salts, signatures };
        Ok((Line::of(&Entry::Leg(Box::new(leg)))?, held))
    }
}

fn planned(role: Role) -> Result<Planned, Failed> {
    let name = MemberName::new(&role.to_string()).map_err(|error| wrong(&error))?;
    Ok(Planned { name, role, address: None })
}

pub(super) fn wrong(what: &(impl std::fmt::Display + ?Sized)) -> Failed {
    Failed::Wrong(what.to_string())
}
