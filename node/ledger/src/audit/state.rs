//! What a replay keeps, so that it can be stopped at any point and go on: tables of a key-value store, in memory or on disk.

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::Version;
use sudare_crypto::{Encoded, numbered};
use sudare_disclosure::AssetTerms;

use super::{AssetLog, Coverage, Exception, ReadLeg, SnapshotSeen};
use crate::access::Scope;
use crate::bundle::ReadUnder;
use crate::kv::{Be, Kv, MemoryKv, StorageError, Table, Tx, Writes};
use crate::leg::Amount;
use crate::note::{Note, NoteId};
use crate::snapshot::Chain;
use crate::tree::LogTree;

/// Where a replay keeps its tables.
pub trait ReplayState: Kv {
    /// Applies writes, all of them or none, so that they outlast the process.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    fn apply(&mut self, writes: Writes) -> Result<(), StorageError>;
}

impl ReplayState for MemoryKv {
    fn apply(&mut self, writes: Writes) -> Result<(), StorageError> {
        Self::apply(self, writes);
        Ok(())
    }
}

/// What is replayed, with what.
pub(super) const HEADING: Table<(), Heading> = Table::new(0x01, "replay's heading");
/// How far it is.
pub(super) const PROGRESS: Table<(), Progress> = Table::new(0x02, "replay's progress");
/// Versions of the terms, by number.
pub(super) const VERSIONS: Table<Be, VersionRow> = Table::new(0x03, "version of the terms");
/// Every tag so far, with its entry.
pub(super) const TAGS: Table<Encoded, u64> = Table::new(0x04, "tag");
/// Every owner commitment so far, with its entry.
pub(super) const OWNERS: Table<Encoded, u64> = Table::new(0x05, "owner commitment");
/// Every note that the log made.
pub(super) const NOTES: Table<NoteId, NoteRow> = Table::new(0x06, "note");
/// What each account came to.
pub(super) const ACCOUNTS: Table<Encoded, AccountState> = Table::new(0x07, "account");
/// The legs as they were read, by entry.
pub(super) const LEGS: Table<Be, ReadLeg> = Table::new(0x08, "leg");
/// Legs with amounts that are still to be found, or that spend such notes, by entry.
pub(super) const WAITING: Table<Be, Waiting> = Table::new(0x09, "leg with hidden amounts");
/// Exceptions, by entry; the number tells those of one entry apart.
pub(super) const EXCEPTIONS: Table<(Be, u8), Exception> = Table::new(0x0a, "exception");
/// Register snapshots, by number.
pub(super) const SNAPSHOTS: Table<Be, SnapshotSeen> = Table::new(0x0b, "register snapshot");
/// The log's tree.
const TREE: u8 = 0x0c;

pub(super) fn tree() -> LogTree {
    LogTree::new([TREE])
}

/// What a replay is of. Another one does not go on in its place.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub(super) struct Heading {
    pub(super) version: Version<1>,
    pub(super) log: AssetLog,
    /// All that is read, if it is under a grant.
    pub(super) scope: Option<Scope>,
}

/// How far a replay is, and what it has counted.
#[derive(Clone, Debug, Default, BorshSerialize, BorshDeserialize)]
pub(super) struct Progress {
    pub(super) entries: u64,
    pub(super) legs: u64,
    pub(super) tags: u64,
    pub(super) notes: u64,
    pub(super) supply: Supply,
    pub(super) scope: Coverage,
    /// Notes of which links say that they were spent.
    pub(super) spent: u64,
    /// What the live notes sum to, as far as it is known.
    pub(super) held: u128,
    /// Accounts with live notes.
    pub(super) holders: u64,
    /// Whether the account or the spent notes of some leg are not known.
    pub(super) blind: bool,
    pub(super) false_memos: u64,
    pub(super) exceptions: u64,
    pub(super) snapshots: u32,
    pub(super) reads: Vec<ReadUnder>,
}

impl Progress {
    /// Notes exceptions of an entry, all of it at once.
    pub(super) fn except(&mut self, tx: &Tx<'_>, entry: u64, list: &[Exception]) {
        for (number, one) in numbered(list) {
            EXCEPTIONS.put(tx, &(Be(entry), number), one);
            self.exceptions = self.exceptions.saturating_add(1);
            let lies = matches!(one, Exception::FalseMemo { .. });
            self.false_memos = self.false_memos.saturating_add(u64::from(lies));
        }
    }
}

/// Atomic units made and ended so far.
#[derive(Clone, Copy, Debug, Default, BorshSerialize, BorshDeserialize)]
pub(super) struct Supply {
    pub(super) minted: u128,
    pub(super) burned: u128,
}

/// A version of the terms, and how it was used.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(super) struct VersionRow {
    pub(super) terms: AssetTerms,
    /// The entry that it stands in.
    pub(super) entry: u64,
    pub(super) legs: u64,
    /// The earliest end of a window of a leg under this version: it was in force before then.
    pub(super) in_force_before: Option<u64>,
    /// The keys of its policy that the replay has.
    pub(super) keys: Vec<Encoded>,
}

/// A note.
#[derive(Clone, Copy, Debug, BorshSerialize, BorshDeserialize)]
pub(super) struct NoteRow {
    pub(super) note: Note,
    /// The entry that spent it; none also if no key reads which.
    pub(super) spent: Option<u64>,
    pub(super) account: Option<Encoded>,
    pub(super) value: Value,
}

/// What is known of a note's amount.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub(super) enum Value {
    /// No key reads it.
    Unread,
    /// It is behind a false memo, and still to be found.
    Hidden,
    /// Atomic units.
    Known(u64),
}

/// An account.
#[derive(Clone, Copy, Debug, Default, BorshSerialize, BorshDeserialize)]
pub(super) struct AccountState {
    pub(super) chain: Chain,
    /// Live notes.
    pub(super) notes: u64,
    /// What those of them sum to whose amounts are known.
    pub(super) quantity: u64,
}

/// A leg that can't be added up yet.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(super) struct Waiting {
    /// The quantity of each output, with the note it makes.
    pub(super) amounts: Vec<(NoteId, Amount)>,
    /// What no amount of it exceeds: the supply before it, and what it mints.
    pub(super) bound: u64,
}

impl Supply {
    /// Counts a leg's mint and burn; gives what no amount of the leg exceeds, none if the sums are impossible.
    ///
    /// Enforces [LOG-4]: the supply is what was minted and not burned, never negative, and fits 64 bits.
    pub(super) fn apply(&mut self, mint: u64, burn: u64) -> Option<u64> {
        let minted = self.minted.checked_add(mint.into())?;
        let bound = Self { minted, ..*self }.outstanding()?;
        let burned = self.burned.checked_add(burn.into())?;
        *self = Self { minted, burned };
        self.outstanding()?;
        Some(bound)
    }

    pub(super) fn outstanding(&self) -> Option<u64> {
        u64::try_from(self.minted.checked_sub(self.burned)?).ok()
    }
}
