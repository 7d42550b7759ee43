//! What the logs hold and what proves that it is there: receipts of the notary, entries of asset logs (specs/logs.md).

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::linear::LinearProof;
use sudare_crypto::{Bounded, Hash, NodeId, NodeKey, NodeSignature};
use sudare_disclosure::SignedTerms;

use crate::leg::{INPUTS_MAX, Leg, LegSalt};
use crate::snapshot::Snapshot;
use crate::transaction::{Commit, CommitId, TxId};
use crate::tree::{CHECKPOINT_BYTES_MAX, InclusionProof, leaf_hash};

const RECEIPT: &[u8] = b"sudare/receipt/v1";
const ABSENCE: &[u8] = b"sudare/absence/v1";

/// One line of the notary's log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct NotaryEntry {
    /// Format version.
    pub version: Version<1>,
    /// `m`.
    pub commit: CommitId,
    /// The root over the transaction's tag hashes.
    pub tags_root: Hash,
    /// The notary's clock when the tags were inserted, ms.
    pub time: u64,
}

/// The notary's receipt: the entry, its place in the log, and the notary's signature over both.
///
/// Its size does not depend on the log: inclusion proofs and checkpoints are asked for apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Receipt {
    /// The transaction.
    pub tx: TxId,
    /// What was recorded.
    pub entry: NotaryEntry,
    /// Its index in the notary's log.
    pub index: u64,
    /// By the notary.
    pub signature: NodeSignature,
}

impl Receipt {
    /// Signs a receipt.
    #[must_use]
    pub fn sign(network: Hash, tx: TxId, entry: NotaryEntry, index: u64, key: &NodeKey) -> Self {
        let signature = key.sign(RECEIPT, &encode(&(network, tx, entry, index)));
        Self { tx, entry, index, signature }
    }

    /// Whether this is the receipt of `commit` by its notary, within its window.
    ///
    /// Enforces [FIN-2].
    #[must_use]
    pub fn is_of(&self, commit: &Commit) -> bool {
        let transaction = &commit.transaction;
        let signed = encode(&(transaction.network, self.tx, self.entry, self.index));
        commit.id() == Some(self.entry.commit)
            && transaction.id() == Some(self.tx)
            && crate::transaction::tags_root(&transaction.tags) == Some(self.entry.tags_root)
            && transaction.window.contains(self.entry.time)
            && transaction.notary.verify(RECEIPT, &signed, &self.signature).is_ok()
    }
}

/// The notary's signed word that a transaction was not in its log of `size` entries at `time`, which is after its window.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Absence {
    /// The transaction.
    pub tx: TxId,
    /// How many entries the log had.
    pub size: u64,
    /// The notary's clock, ms.
    pub time: u64,
    /// By the notary. A later entry of this transaction is evidence against it.
    pub signature: NodeSignature,
}

impl Absence {
    /// Signs an absence.
    #[must_use]
    pub fn sign(network: Hash, tx: TxId, size: u64, time: u64, key: &NodeKey) -> Self {
        let signature = key.sign(ABSENCE, &encode(&(network, tx, size, time)));
        Self { tx, size, time, signature }
    }

    /// Whether `notary` signed it at a time when the window that ends at `until` was over.
    #[must_use]
    pub fn is_valid(&self, network: Hash, notary: NodeId, until: u64) -> bool {
        let signed = encode(&(network, self.tx, self.size, self.time));
        self.time >= until && notary.verify(ABSENCE, &signed, &self.signature).is_ok()
    }
}

/// One entry of an asset log.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
#[expect(clippy::large_enum_variant, reason = "entries are handled one at a time")]
pub enum Entry {
    /// A version of the terms; entry 0 is the first.
    Terms(SignedTerms),
    /// A final leg.
    Leg(Box<FinalLeg>),
    /// A snapshot of the register.
    Snapshot(Box<Snapshot>),
}

/// A leg with all that shows it is final.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct FinalLeg {
    /// The leg.
    pub leg: Leg,
    /// From which the salts of its components are derived.
    pub salt: LegSalt,
    /// Which leg of its transaction.
    pub index: u8,
    /// The preimage of `m`.
    pub commit: Commit,
    /// The notary's receipt.
    pub receipt: Receipt,
    /// The salts of the inputs' tag hashes.
    pub tag_salts: Bounded<[u8; 32], INPUTS_MAX>,
    /// The spend signatures under the inputs' tags.
    pub signatures: Bounded<LinearProof, INPUTS_MAX>,
}

/// The longest encoding of an entry, in bytes.
pub const ENTRY_BYTES_MAX: usize = 512 * 1024;

/// What an entry's leaf in the log is made of, so that a receiver who lacks the entry can tell that it is its leg's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub enum EntryLeaf {
    /// Terms with this number.
    Terms {
        /// The version's number.
        number: u32,
        /// The hash of the whole entry.
        body: Hash,
    },
    /// A leg.
    Leg {
        /// Its transaction.
        tx: TxId,
        /// Which leg.
        index: u8,
        /// The root of its components.
        root: Hash,
        /// The hash of the whole entry.
        body: Hash,
    },
    /// A register snapshot.
    Snapshot {
        /// The hash of its heading.
        heading: Hash,
        /// The hash of the whole entry.
        body: Hash,
    },
}

impl EntryLeaf {
    /// The RFC 6962 leaf hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        leaf_hash(&encode(self))
    }
}

impl Entry {
    /// The hash of the entry's canonical bytes.
    #[must_use]
    pub fn body_hash(&self) -> Hash {
        Hash::of(b"sudare/entry/v1", &[&encode(self)])
    }

    /// The entry's leaf; none if its transaction is not well formed.
    #[must_use]
    pub fn leaf(&self) -> Option<EntryLeaf> {
        let body = self.body_hash();
        Some(match self {
            Self::Terms(signed) => EntryLeaf::Terms { number: signed.terms.number, body },
            Self::Leg(leg) => EntryLeaf::Leg {
                tx: leg.commit.transaction.id()?,
                index: leg.index,
                root: leg.leg.root(leg.index, &leg.salt),
                body,
            },
            Self::Snapshot(snapshot) => snapshot.heading.leaf(body),
        })
    }
}

/// That an entry stands in an asset log, under a checkpoint of it.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct EntryProof {
    /// The entry's index in the log.
    pub index: u64,
    /// [`Entry::body_hash`]; with transaction, leg number and leg root it makes the leaf.
    pub body: Hash,
    /// The signed checkpoint, as text (C2SP tlog-checkpoint).
    pub checkpoint: Bounded<u8, CHECKPOINT_BYTES_MAX>,
    /// The path to its root.
    pub path: InclusionProof,
}
