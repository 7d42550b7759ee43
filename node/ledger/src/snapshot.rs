//! Register snapshots: an entry of the asset log that fixes, for every account, how many events it has had, a hash of them all, and
//! a commitment to what it holds; and shows that all holdings together are the supply (specs/snapshot.md).
//!
//! The log shows a root over salted leaves, padded to a power of two: who reads neither parties nor links learns that a snapshot was
//! taken, when, and about how many accounts there are. Leaves are in order of locators, which only the account's custodian and the
//! snapshot's readers can compute: so one path shows that an account has a leaf, or none, and names no other.

mod chain;
mod tree;

use std::thread::available_parallelism;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::derive::Seed;
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::linear::LinearProof;
use sudare_crypto::point::times_b_blinding;
use sudare_crypto::proof::statement::{self, Kind, Total};
use sudare_crypto::proof::wrap;
use sudare_crypto::{
    Claims, Encoded, Hash, LedgerTranscript, Malformed, Rejected, RistrettoPoint, Scalar, Secret,
    together,
};
use sudare_disclosure::{AssetId, AssetTerms, Epoch, Field, Opens, Section, SectionKind};

use crate::log::EntryLeaf;

use tree::SumTree;

pub use chain::{AccountEvent, Chain, events_of};
pub use tree::{SumNode, SumPath, root_over, search_ends_at};

/// The most leaves of a snapshot, padding included.
pub const SNAPSHOT_LEAVES_MAX: u32 = 1 << 24;

/// A snapshot as it stands in the log.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Snapshot {
    /// What it says.
    pub heading: Heading,
    /// The seed of salts and blindings, sealed for keys with both `parties` and `links`.
    pub sealed: Section,
    /// That all of them unwrap the same seed.
    pub proof: LinearProof,
    /// That the holdings of all leaves together are the supply.
    pub sums: LinearProof,
}

/// What a snapshot says.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Heading {
    /// Format version.
    pub version: Version<1>,
    /// The network.
    pub network: Hash,
    /// The asset.
    pub asset: AssetId,
    /// The hash of the terms in force.
    pub terms: Hash,
    /// The epoch in force, to whose keys the seed is sealed.
    pub epoch: u32,
    /// Which snapshot of the asset, from 0.
    pub number: u32,
    /// When it was taken, by the registrar's clock, ms since the Unix epoch.
    pub at: u64,
    /// How many leaves there are, padding included: a power of two.
    pub leaves: u32,
    /// Atomic units minted in the entries before.
    pub minted: u128,
    /// Of these what was not burned.
    pub supply: u64,
    /// `X = x*B`, under which accounts have their locators.
    pub locators: Encoded,
    /// The root over the leaves, in order of their locators, with the sum of all holdings.
    pub root: SumNode,
    /// Fresh random bytes.
    pub nonce: [u8; 32],
}

/// One account in a snapshot.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SnapshotLeaf {
    /// Format version.
    pub version: Version<1>,
    /// Without it nobody can guess what stands behind the leaf.
    pub salt: [u8; 32],
    /// `A`.
    pub account: Encoded,
    /// Everything that happened to it before the snapshot.
    pub chain: Chain,
    /// The sum of its live notes' commitments, blinded anew: `sum C + e*B~`.
    pub holding: Encoded,
    /// Where the account stands among all leaves.
    pub locator: Hash,
}

/// What an account comes to before a snapshot.
#[derive(Clone, Debug)]
pub struct AccountRow {
    /// `A`.
    pub account: Encoded,
    /// Its events.
    pub chain: Chain,
    /// The sum of its live notes' commitments.
    pub sum: RistrettoPoint,
}

/// From which a snapshot's salts and blindings are derived.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub struct SnapshotSeed(Seed);

/// The leaves of a snapshot, with their tree.
#[derive(Debug)]
pub struct Leaves {
    /// One an account, in the order the accounts were given.
    pub leaves: Vec<SnapshotLeaf>,
    /// `S` of each of them.
    pub shared: Vec<Encoded>,
    /// What the seed adds to the blindings of all live notes.
    pub blinding: Secret,
    /// `X`.
    pub locators: Encoded,
    tree: SumTree,
}

/// Why a snapshot is not sound.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SnapshotError {
    /// Of another asset, network, version of the terms, or epoch.
    #[error("the snapshot is of another asset, or not under the terms and epoch in force")]
    Heading,
    /// The number of leaves is not a power of two, or too large.
    #[error("the snapshot's number of leaves is not a power of two up to 2^24")]
    Leaves,
    /// The seed is not sealed to the keys that must open it.
    #[error("the snapshot's seed is not sealed to the keys of its epoch: {0}")]
    Sealed(#[from] Rejected),
    /// The holdings are not shown to be the supply.
    #[error("nothing shows that the snapshot's holdings are the supply that it states: {0}")]
    Sums(Rejected),
    /// A point does not decode.
    #[error("{0}")]
    Malformed(#[from] Malformed),
}

/// The locator of an account, from `x*A`, which is `a*X`.
#[must_use]
pub fn locator(account: &Encoded, shared: &Encoded) -> Hash {
    Hash::of(b"sudare/snapshot-locator/v1", &[account.as_bytes(), shared.as_bytes()])
}

impl Snapshot {
    /// Seals `seed` under `heading` for the readers of its epoch; `blinding` is that of the root's sum.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if a key of the epoch does not decode.
    pub fn seal(
        heading: Heading,
        seed: &SnapshotSeed,
        blinding: &Secret,
        epoch: &Epoch,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, Malformed> {
        let readers = readers(epoch);
        let context = encode(&heading);
        let (sealed, secret) =
            Section::seal(SectionKind::Snapshot, &encode(seed), &readers, &context, rng)?;
        let statement = wrap::Statement { sections: vec![sealed.wrapped(&readers)] };
        let transcript = &mut transcript(&heading, &sealed);
        let proof = wrap::prove(&statement, &[secret], transcript, rng)?;
        let sums = statement::prove(&heading.sums(), &[blinding.0], transcript, rng)?;
        Ok(Self { heading, sealed, proof, sums })
    }

    /// Checks the snapshot under these terms; its equations go to `claims`.
    ///
    /// Enforces [SNP-1] and [SNP-4]: it is under the terms and the epoch in force, its seed is sealed to every key that must open
    /// it, and its holdings sum to the supply that it states.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`].
    pub fn check(&self, terms: &AssetTerms, claims: &mut Claims) -> Result<(), SnapshotError> {
        let heading = &self.heading;
        let epoch = terms.policy.epoch_at(heading.at).ok_or(SnapshotError::Heading)?;
        if heading.network != terms.core.network
            || heading.asset != terms.asset()
            || heading.terms != terms.hash()
            || heading.epoch != epoch.number
        {
            return Err(SnapshotError::Heading);
        }
        if !heading.leaves.is_power_of_two() || heading.leaves > SNAPSHOT_LEAVES_MAX {
            return Err(SnapshotError::Leaves);
        }
        let readers = readers(epoch);
        if self.sealed.kind != SectionKind::Snapshot || self.sealed.wraps.len() != readers.len() {
            return Err(Rejected::Shape(wrap::NAME).into());
        }
        let statement = wrap::Statement { sections: vec![self.sealed.wrapped(&readers)] };
        let transcript = &mut transcript(heading, &self.sealed);
        wrap::verify(&statement, &self.proof, transcript, claims)?;
        statement::verify(&heading.sums(), &self.sums, transcript, claims)
            .map_err(SnapshotError::Sums)
    }

    /// The seed as this key reads it; none if the key is not entitled to it.
    ///
    /// (!) Only for snapshots whose proof is verified.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if the key is entitled and the section does not open.
    pub fn open(&self, epoch: &Epoch, key: &impl Opens) -> Result<Option<SnapshotSeed>, Malformed> {
        let own = key.point();
        let Some(place) = readers(epoch).iter().position(|reader| *reader == own) else {
            return Ok(None);
        };
        let unreadable = Malformed::Encoding("a snapshot's seed");
        let wrap = self.sealed.wraps.get(place).ok_or(unreadable)?;
        let message = key.decrypt(&self.sealed.ephemeral, wrap)?;
        let content = self.sealed.open(&message, &encode(&self.heading)).map_err(|_| unreadable)?;
        Ok(Some(decode(&content, "a snapshot's seed")?))
    }
}

impl Heading {
    /// The leaf of the entry with this hash.
    #[must_use]
    pub fn leaf(&self, body: Hash) -> EntryLeaf {
        let heading = Hash::of(b"sudare/snapshot/v1", &[&encode(self)]);
        EntryLeaf::Snapshot { heading, body }
    }

    /// That the root's sum commits to the supply.
    fn sums(&self) -> statement::Statement {
        let left = Total { commitments: vec![self.root.sum], clear: 0 };
        let kind = Kind::Differ { by: self.supply };
        statement::Statement { kind, left, right: Total::default(), limbs: Vec::new() }
    }
}

impl SnapshotSeed {
    /// A new seed.
    #[must_use]
    pub fn random(rng: &mut impl CryptoRngCore) -> Self {
        let mut seed = Seed([0; 32]);
        rng.fill_bytes(&mut seed.0);
        Self(seed)
    }

    /// `e`, with which an account's holding is blinded.
    #[must_use]
    pub fn blinding(&self, account: &Encoded) -> Secret {
        self.0.scalar(b"snapshot blinding", account.as_bytes())
    }

    /// `x`, under which accounts have their locators.
    #[must_use]
    pub fn locating(&self) -> Secret {
        self.0.scalar(b"snapshot locators", b"")
    }

    /// The leaves of these accounts, padded with others that look like them and hold nothing.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Leaves`] if there are too many accounts; [`SnapshotError::Malformed`] if one is no point.
    pub fn leaves(&self, accounts: &[AccountRow]) -> Result<Leaves, SnapshotError> {
        let used = u32::try_from(accounts.len()).unwrap_or(u32::MAX);
        let size = used.max(1).checked_next_power_of_two();
        let size = size.filter(|size| *size <= SNAPSHOT_LEAVES_MAX).ok_or(SnapshotError::Leaves)?;
        let (mut blinding, locating) = (Secret(Scalar::ZERO), self.locating());
        let threads = available_parallelism().map_or(1, usize::from);
        let row = |row: &AccountRow| {
            let own = self.blinding(&row.account);
            let holding = row.sum + times_b_blinding(&own.0);
            let shared = Encoded::of(&(row.account.decompress()? * locating.0));
            Ok((self.leaf(row, &holding, &shared), shared, holding, own))
        };
        let made: Result<Vec<_>, Malformed> =
            together(threads, accounts, row).into_iter().collect();
        let mut leaves = Vec::with_capacity(accounts.len());
        let mut points = Vec::with_capacity(accounts.len());
        let mut nodes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        for (leaf, shared, holding, own) in made? {
            nodes.push((leaf.node(), holding));
            leaves.push(leaf);
            points.push(shared);
            blinding.0 += own.0;
        }
        let padding = |number: &u32| {
            let number = number.to_le_bytes();
            let own = self.0.scalar(b"snapshot padding blinding", &number);
            let hash = Hash(self.0.child(b"snapshot padding", &number).0);
            let first = Hash(self.0.child(b"snapshot padding locator", &number).0);
            let sum = times_b_blinding(&own.0);
            ((SumNode { hash, sum: Encoded::of(&sum), first }, sum), own)
        };
        for (node, own) in together(threads, &(used..size).collect::<Vec<_>>(), padding) {
            nodes.push(node);
            blinding.0 += own.0;
        }
        nodes.sort_unstable_by_key(|(node, _)| node.first);
        let locators = locating.public();
        let (shared, tree) = (points, SumTree::new(&nodes));
        Ok(Leaves { leaves, shared, blinding, locators, tree })
    }

    fn leaf(&self, row: &AccountRow, holding: &RistrettoPoint, shared: &Encoded) -> SnapshotLeaf {
        let salt = self.0.child(b"snapshot salt", row.account.as_bytes()).0;
        let (account, chain, holding) = (row.account, row.chain, Encoded::of(holding));
        let locator = locator(&account, shared);
        SnapshotLeaf { version: Version, salt, account, chain, holding, locator }
    }
}

impl SnapshotLeaf {
    /// The leaf in the tree.
    #[must_use]
    pub fn node(&self) -> SumNode {
        let hash = Hash::of(b"sudare/snapshot-leaf/v1", &[&encode(self)]);
        SumNode { hash, sum: self.holding, first: self.locator }
    }
}

impl Leaves {
    /// How many there are, padding included.
    #[must_use]
    pub fn size(&self) -> u32 {
        u32::try_from(self.tree.leaves().len()).unwrap_or(u32::MAX)
    }

    /// The root; never none, as there is always a leaf.
    #[must_use]
    pub fn root(&self) -> Option<SumNode> {
        self.tree.root()
    }

    /// The nodes of every level, from the leaves up to the root.
    pub fn levels(&self) -> impl Iterator<Item = &[SumNode]> {
        self.tree.levels()
    }

    /// Where a leaf stands among all leaves; none if it is not one of these.
    #[must_use]
    pub fn place(&self, leaf: &SnapshotLeaf) -> Option<u32> {
        let place =
            self.tree.leaves().binary_search_by_key(&leaf.locator, |node| node.first).ok()?;
        u32::try_from(place).ok()
    }

    /// An account's leaf with its place and path; none if the account has none.
    #[must_use]
    pub fn prove(&self, account: &Encoded) -> Option<(SnapshotLeaf, u32, SumPath)> {
        let leaf = self.leaves.iter().find(|leaf| leaf.account == *account)?;
        let place = self.place(leaf)?;
        Some((leaf.clone(), place, self.tree.path(usize::try_from(place).ok()?)?))
    }
}

/// The keys that open a snapshot: those with both `parties` and `links`, the registrar's first.
fn readers(epoch: &Epoch) -> Vec<Encoded> {
    epoch.points(|fields| fields.has(Field::Parties) && fields.has(Field::Links))
}

fn transcript(heading: &Heading, sealed: &Section) -> LedgerTranscript {
    let mut transcript = LedgerTranscript::new(b"sudare/snapshot/v1", &encode(heading));
    transcript.absorb(b"sealed", &encode(sealed));
    transcript
}
