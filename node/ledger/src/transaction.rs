//! Transactions: legs settled together, the hashes that name them, and the commit that makes them final (specs/transaction.md).

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use sha2::{Digest, Sha256};
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{Bounded, Encoded, Hash, NodeId, NodeKey, NodeSignature};

use crate::tree::list_root;

const APPROVAL: &[u8] = b"sudare/approval/v1";

/// The most legs of a transaction.
pub const LEGS_MAX: usize = 4;
/// The most tags of one part, padding included.
pub const PART_TAGS_MAX: usize = 64;
/// The most tags of a transaction.
pub const TAGS_MAX: usize = LEGS_MAX * PART_TAGS_MAX;
/// Windows end on a multiple of this, in ms.
pub const WINDOW_STEP_MS: u64 = 1_000;

/// The time in which a transaction can be notarised: `from <= now < until`, ms since the Unix epoch, in whole steps.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct Window {
    /// The first ms.
    pub from: u64,
    /// The first ms after.
    pub until: u64,
}

impl Window {
    /// The window of at least `length_ms` around `now`, in whole steps.
    #[must_use]
    pub fn around(now: u64, length_ms: u64) -> Self {
        let from = now.saturating_sub(now % WINDOW_STEP_MS).saturating_sub(WINDOW_STEP_MS);
        let until = now.saturating_add(length_ms);
        let until = until.checked_next_multiple_of(WINDOW_STEP_MS).unwrap_or(until);
        Self { from, until }
    }

    /// Whether `now` is in the window.
    #[must_use]
    pub const fn contains(&self, now: u64) -> bool {
        self.from <= now && now < self.until
    }

    /// Whether the bounds are in order and in whole steps.
    #[must_use]
    pub const fn is_well_formed(&self) -> bool {
        self.from < self.until
            && self.from.is_multiple_of(WINDOW_STEP_MS)
            && self.until.is_multiple_of(WINDOW_STEP_MS)
    }

    /// Its length in ms.
    #[must_use]
    pub const fn length(&self) -> u64 {
        self.until.saturating_sub(self.from)
    }
}

/// A leg as its transaction names it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct LegRef {
    /// The registrar who must approve it.
    pub registrar: NodeId,
    /// The root of its salted components.
    pub root: Hash,
}

/// What all parties of a transaction agree on before anybody approves.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Transaction {
    /// Format version.
    pub version: Version<1>,
    /// The network.
    pub network: Hash,
    /// The notary.
    pub notary: NodeId,
    /// When it can be notarised.
    pub window: Window,
    /// Fresh random bytes, so that the notary can't guess the legs.
    pub salt: [u8; 32],
    /// The legs.
    pub legs: Bounded<LegRef, LEGS_MAX>,
    /// The salted hashes of all parts' tags, sorted, each once.
    pub tags: Bounded<Hash, TAGS_MAX>,
}

/// A transaction's identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct TxId(pub Hash);

impl std::fmt::Display for TxId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The commit hash `m`: what the notary records and every spender signs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord, BorshSerialize, BorshDeserialize)]
pub struct CommitId(pub Hash);

impl std::fmt::Display for CommitId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// `SHA-256(0x00 | salt | T)`: what is shown of a tag before it is spent.
#[must_use]
pub fn tag_hash(salt: &[u8; 32], tag: &Encoded) -> Hash {
    let mut state = Sha256::new();
    state.update([0x00]);
    state.update(salt);
    state.update(tag.as_bytes());
    Hash(state.finalize().into())
}

/// The root over a list of tag hashes; none unless they are sorted, each once, and at least one.
#[must_use]
pub fn tags_root(tags: &[Hash]) -> Option<Hash> {
    let sorted = tags.windows(2).all(|pair| pair.first() < pair.last());
    // A root of RFC 6962 does not commit to the number of its leaves: it is hashed beside it.
    let count = u64::try_from(tags.len()).ok()?;
    let root = Hash::of(b"sudare/tags/v1", &[&count.to_le_bytes(), list_root(tags).as_bytes()]);
    (!tags.is_empty() && sorted).then_some(root)
}

/// `tx_id` from its parts, as the notary computes it.
#[must_use]
pub fn tx_id(
    legs_root: Hash,
    tags_root: Hash,
    network: Hash,
    notary: NodeId,
    window: Window,
) -> TxId {
    let (legs, tags) = (legs_root.as_bytes().as_slice(), tags_root.as_bytes().as_slice());
    let parts = [legs, tags, network.as_bytes(), &notary.0, &encode(&window)];
    TxId(Hash::of(b"sudare/tx/v1", &parts))
}

/// `m` from its parts, as the notary computes it.
#[must_use]
pub fn commit_id(tx: TxId, approvals_root: Hash) -> CommitId {
    CommitId(Hash::of(b"sudare/commit/v1", &[tx.0.as_bytes(), approvals_root.as_bytes()]))
}

impl Transaction {
    /// `H(salt | legs)`.
    #[must_use]
    pub fn legs_root(&self) -> Hash {
        Hash::of(b"sudare/legs/v1", &[&self.salt, &encode(&self.legs)])
    }

    /// The transaction's identity; none if it is not well formed: no legs, tags not sorted, a window out of step.
    #[must_use]
    pub fn id(&self) -> Option<TxId> {
        if self.legs.is_empty() || !self.window.is_well_formed() {
            return None;
        }
        let tags = tags_root(&self.tags)?;
        Some(tx_id(self.legs_root(), tags, self.network, self.notary, self.window))
    }

    /// What the registrar of the leg with number `index` signs; none if there is no such leg.
    #[must_use]
    pub fn approval_bytes(&self, index: u8) -> Option<Vec<u8>> {
        let leg = self.legs.get(usize::from(index))?;
        Some(encode(&(self.network, self.id()?, index, leg.root)))
    }

    /// Approves the leg with number `index`; none if there is no such leg.
    #[must_use]
    pub fn approve(&self, index: u8, key: &NodeKey) -> Option<NodeSignature> {
        Some(key.sign(APPROVAL, &self.approval_bytes(index)?))
    }

    /// Whether `signature` is the approval of the leg with number `index` by its registrar.
    #[must_use]
    pub fn is_approved(&self, index: u8, signature: &NodeSignature) -> bool {
        let leg = self.legs.get(usize::from(index));
        leg.zip(self.approval_bytes(index))
            .is_some_and(|(leg, bytes)| leg.registrar.verify(APPROVAL, &bytes, signature).is_ok())
    }
}

/// The preimage of `m`: a transaction with the approvals of all its legs.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Commit {
    /// The transaction.
    pub transaction: Transaction,
    /// Fresh random bytes.
    pub salt: [u8; 32],
    /// One approval a leg, in order.
    pub approvals: Bounded<NodeSignature, LEGS_MAX>,
}

/// Why a commit can't be final.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommitError {
    /// The transaction is not well formed.
    #[error("the transaction is not well formed")]
    Malformed,
    /// An approval is missing or not valid.
    #[error("the approval of leg {0} is missing or not valid")]
    Approval(u8),
}

impl Commit {
    /// The root over the approvals.
    #[must_use]
    pub fn approvals_root(&self) -> Hash {
        Hash::of(b"sudare/approvals/v1", &[&self.salt, &encode(&self.approvals)])
    }

    /// `m`; none if the transaction is not well formed.
    #[must_use]
    pub fn id(&self) -> Option<CommitId> {
        Some(commit_id(self.transaction.id()?, self.approvals_root()))
    }

    /// Checks that every leg has a valid approval, and gives `m`.
    ///
    /// Enforces [FIN-1]: final only if every approval under `m` is present and valid.
    ///
    /// # Errors
    ///
    /// [`CommitError`], naming the leg.
    pub fn check(&self) -> Result<CommitId, CommitError> {
        let id = self.id().ok_or(CommitError::Malformed)?;
        if self.approvals.len() != self.transaction.legs.len() {
            let missing = self.approvals.len().min(self.transaction.legs.len());
            return Err(CommitError::Approval(u8::try_from(missing).unwrap_or(u8::MAX)));
        }
        for (index, approval) in sudare_crypto::numbered(self.approvals.iter()) {
            if !self.transaction.is_approved(index, approval) {
                return Err(CommitError::Approval(index));
            }
        }
        Ok(id)
    }
}

/// Sorts and joins the tag hashes of all parts; none if one stands there twice.
#[must_use]
pub fn join_tags(parts: &[Vec<Hash>]) -> Option<Vec<Hash>> {
    let count = parts.iter().map(Vec::len).sum();
    let set: BTreeSet<Hash> = parts.iter().flatten().copied().collect();
    (set.len() == count).then(|| set.into_iter().collect())
}

/// How many tags a part with this many spends is padded to: the next power of two; none above the limit.
#[must_use]
pub fn padded(spends: usize) -> Option<usize> {
    let padded = spends.max(1).next_power_of_two();
    (padded <= PART_TAGS_MAX).then_some(padded)
}
