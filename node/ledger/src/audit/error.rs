//! What a replay can find.

use sudare_crypto::{Malformed, Rejected};
use sudare_disclosure::{SectionKind, TermsError};

use crate::kv::StorageError;
use crate::leg::{LegError, OpenError};
use crate::note::NoteId;
use crate::snapshot::SnapshotError;
use crate::transaction::CommitError;
use crate::tree::{CheckpointError, LogError, TreeError};

/// Why a replay failed: which entry, what is wrong with it, what to do.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AuditError {
    /// The caller's fault: entries come one after the other.
    #[error(
        "entry {given} was given where entry {expected} is next: start again and give every entry once, in order"
    )]
    Order {
        /// The index that was given.
        given: u64,
        /// The next one.
        expected: u64,
    },
    /// An entry that no honest registrar appends.
    #[error("entry {entry} breaks {}: {fault}; keep the entry and the checkpoint over it as evidence, ask the registrar", .fault.rule())]
    Entry {
        /// Its index in the log.
        entry: u64,
        /// What is wrong.
        fault: Fault,
    },
    /// Not a checkpoint of this log by its registrar.
    #[error("the checkpoint is not one of this log: {0}; ask the registrar for the log's own")]
    Checkpoint(#[from] CheckpointError),
    /// Fewer or more entries than the checkpoint says.
    #[error(
        "{entries} entries were given, the checkpoint is over {size}: [LOG-4] fetch exactly those below the checkpoint"
    )]
    Size {
        /// Entries given.
        entries: u64,
        /// Entries under the checkpoint.
        size: u64,
    },
    /// Other entries than the checkpoint is over.
    #[error(
        "the {size} entries are not those that the checkpoint is over: [LOG-1] keep both; compare with a checkpoint that a witness has seen"
    )]
    Root {
        /// Entries under the checkpoint.
        size: u64,
    },
    /// The entries are too many for any log.
    #[error("the log can't be rebuilt: {0}")]
    Tree(#[from] TreeError),
    /// The value behind a hidden amount was not found.
    #[error(
        "entry {entry}: the amount of output {output} is hidden by a false memo and no value up to {bound} was found: [AMT-2] search longer, it exists"
    )]
    Unsolved {
        /// The leg's index in the log.
        entry: u64,
        /// The output.
        output: u8,
        /// The supply at that entry.
        bound: u64,
    },
    /// The holdings don't sum to the supply, though every leg adds up.
    #[error(
        "the live notes sum to {held}, the supply is {supply}: [LOG-4] this can't follow from entries that verify; report it"
    )]
    Register {
        /// What the live notes sum to, atomic units.
        held: u128,
        /// Minted less burned, atomic units.
        supply: u64,
    },
    /// The tables that the replay is kept in can't be used.
    #[error("the replay's folder can't be used: {0}")]
    State(String),
    /// The tables are of another replay.
    #[error(
        "the folder holds a replay {0}: give the same as before, or give this one a folder of its own"
    )]
    OtherReplay(&'static str),
    /// A snapshot was passed before its seed was given.
    #[error(
        "the snapshot in entry {entry} was passed without its seed: replay into a new folder to have it recomputed"
    )]
    SeedTooLate {
        /// The snapshot's index in the log.
        entry: u64,
    },
    /// A sum is above what can be counted.
    #[error("a sum of amounts overflows: this can't follow from entries that verify; report it")]
    Overflow,
}

impl AuditError {
    /// The tables hold a row that can't be.
    pub(super) fn damaged(what: &str) -> Self {
        Self::State(format!("it holds a damaged {what}; delete it and replay again"))
    }
}

impl From<StorageError> for AuditError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Engine(what) => Self::State(format!(
                "{what}; free space or repair the disk, then run the same command again"
            )),
            StorageError::Damaged(what) => Self::damaged(what),
        }
    }
}

impl From<LogError> for AuditError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Storage(error) => error.into(),
            LogError::Tree(error) => Self::Tree(error),
        }
    }
}

/// Why an entry stops a replay: by its own fault, or by something else.
pub(super) enum Stop {
    Fault(Fault),
    Error(AuditError),
}

impl Stop {
    pub(super) fn at(self, entry: u64) -> AuditError {
        match self {
            Self::Fault(fault) => AuditError::Entry { entry, fault },
            Self::Error(error) => error,
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<AuditError> for Stop {
    fn from(error: AuditError) -> Self {
        Self::Error(error)
    }
}

impl From<StorageError> for Stop {
    fn from(error: StorageError) -> Self {
        Self::Error(error.into())
    }
}

/// What is wrong with one entry. [`Fault::rule`] gives the rule of the specification that it breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Fault {
    /// More bytes than any entry has.
    #[error("it is longer than an entry can be")]
    TooLong,
    /// Not the encoding of an entry.
    #[error("it does not decode: {0}")]
    Malformed(#[from] Malformed),
    /// A leg, or nothing, where the log must begin with terms.
    #[error("the log does not begin with the asset's terms")]
    NotTerms,
    /// Terms of another asset or another registrar's.
    #[error("it holds the terms of another asset")]
    OtherAsset,
    /// Terms that are not valid.
    #[error("its terms are not valid: {0}")]
    Terms(#[from] TermsError),
    /// Not the version that comes next.
    #[error("it holds version {found} of the terms where {expected} is next")]
    TermsNumber {
        /// The number it has.
        found: u32,
        /// The next one.
        expected: u32,
    },
    /// An epoch or key of the version before is gone or changed.
    #[error("its terms change epoch {epoch} or one of its keys, which must stay as they were")]
    TermsChanged {
        /// The epoch's number.
        epoch: u32,
    },
    /// A leg under terms that the log does not hold before it.
    #[error("it cites terms that are not in the log before it")]
    UnknownTerms,
    /// A leg under terms that were replaced, after their grace.
    #[error(
        "it is under version {number} of the terms, whose grace was over: keys added since can't read it"
    )]
    StaleTerms {
        /// The version that it cites.
        number: u32,
    },
    /// A leg of an epoch that was not open, or whose grace was over.
    #[error("its window is not within its epoch and the grace after it")]
    Epoch,
    /// A window longer than the terms allow.
    #[error("its window is longer than the terms allow")]
    Window,
    /// A leg that breaks a rule of legs.
    #[error("{0}")]
    Leg(#[from] LegError),
    /// An equation does not hold.
    #[error("{0}")]
    Proof(#[from] Rejected),
    /// A transaction of another network or under another notary than the asset's.
    #[error("its transaction is of another network or notary")]
    OtherNotary,
    /// Not the leg that the transaction names at its index, or named under another registrar.
    #[error("it is not the leg that its transaction names for this registrar")]
    Misplaced,
    /// An approval is missing or not valid.
    #[error("{0}")]
    Commit(#[from] CommitError),
    /// Not the notary's receipt of this commit within its window.
    #[error("its receipt is not the notary's for this commit within its window")]
    Receipt,
    /// Other numbers of salts or signatures than inputs.
    #[error("it does not have one salt and one signature an input")]
    SpendCount,
    /// A tag that is not in the transaction's list.
    #[error(
        "the tag of input {input} is not in the transaction's list, so the notary did not record it"
    )]
    TagMissing {
        /// The input.
        input: u8,
    },
    /// A tag that an earlier leg spent.
    #[error("the tag of input {input} was spent by entry {before}")]
    TagSpent {
        /// The input.
        input: u8,
        /// The entry that spent it.
        before: u64,
    },
    /// An owner commitment that an earlier output has.
    #[error("the owner commitment of output {output} was used in entry {before}")]
    OwnerUsed {
        /// The output.
        output: u8,
        /// The entry that used it.
        before: u64,
    },
    /// More burned than minted, or more outstanding than fits 64 bits.
    #[error("minted less burned is below zero or above 64 bits")]
    Supply,
    /// A section that does not open for an entitled key, or holds something else.
    #[error(
        "its {0:?} section does not open to what it must hold: the registrar approved a leg that it could not read"
    )]
    Unreadable(SectionKind),
    /// A ciphertext that can't be read.
    #[error("it can't be read: {0}")]
    Open(#[from] OpenError),
    /// A link to a note that is not in the log before it.
    #[error("input {input} spends note {} which is not in the log before it", .note.0)]
    UnknownNote {
        /// The input.
        input: u8,
        /// The note named.
        note: NoteId,
    },
    /// A link to a note that was spent.
    #[error("input {input} spends a note that entry {before} spent")]
    NoteSpent {
        /// The input.
        input: u8,
        /// The entry that spent it.
        before: u64,
    },
    /// A spend booked on another account than the note's.
    #[error("input {input} is booked on another account than owned the note")]
    WrongOwner {
        /// The input.
        input: u8,
    },
    /// In plain numbers the leg does not add up, though its proofs verify.
    #[error("in plain numbers its inputs and mint are not its outputs and burn")]
    Unbalanced,
    /// A snapshot with another number than the next, or taken before the one before it.
    #[error("it holds snapshot {found} where {expected} is next, or goes back in time")]
    SnapshotOrder {
        /// The snapshot's number.
        found: u32,
        /// The next number.
        expected: u32,
    },
    /// A snapshot that is not sound.
    #[error("{0}")]
    Snapshot(#[from] SnapshotError),
    /// A snapshot that states another supply than the log's.
    #[error(
        "it states {} minted and a supply of {}, in the entries before are {} and {}", stated.0, stated.1, found.0, found.1
    )]
    SnapshotSupply {
        /// What it says was minted, and of it not burned.
        stated: (u128, u64),
        /// The same in the entries before.
        found: (u128, u64),
    },
    /// A snapshot that does not hold what the log does.
    #[error(
        "its root is not that of the accounts' events and holdings in the log: an account is missing, made up, or not as it was"
    )]
    SnapshotRoot,
}

impl Fault {
    /// The rules of the specification that such an entry breaks.
    #[must_use]
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::TooLong => "[ENC-2]",
            Self::Malformed(_) => "[ENC-1]",
            Self::NotTerms | Self::OtherAsset => "[LOG-3]",
            Self::Terms(_) => "[POL-1] to [POL-4]",
            Self::TermsNumber { .. } => "[LOG-1]",
            Self::TermsChanged { .. } => "[REG-3]",
            Self::UnknownTerms | Self::StaleTerms { .. } => "[POL-5]",
            Self::Epoch => "[POL-7]",
            Self::Window => "[APR-3]",
            Self::Leg(error) => leg_rule(error),
            Self::Proof(_) => "[TRN-2] to [TRN-5]",
            Self::OtherNotary => "[APR-2]",
            Self::Misplaced => "[LEG-5]",
            Self::Commit(_) => "[FIN-1]",
            Self::Receipt => "[FIN-2]",
            Self::SpendCount => "[FIN-4]",
            Self::TagMissing { .. } => "[APR-5]",
            Self::TagSpent { .. } => "[NOT-5]",
            Self::OwnerUsed { .. } => "[SLOT-3]",
            Self::Supply => "[LOG-4]",
            Self::Unreadable(_) | Self::Open(_) => "[SEC-4]",
            Self::UnknownNote { .. } | Self::NoteSpent { .. } => "[LNK-1]",
            Self::WrongOwner { .. } => "[APR-10]",
            Self::Unbalanced => "[BAL-1]",
            Self::SnapshotSupply { .. } | Self::Snapshot(SnapshotError::Sums(_)) => "[SNP-4]",
            Self::SnapshotOrder { .. } | Self::Snapshot(_) => "[SNP-1]",
            Self::SnapshotRoot => "[SNP-3]",
        }
    }
}

const fn leg_rule(error: &LegError) -> &'static str {
    match error {
        LegError::Terms | LegError::Epoch => "[LEG-1]",
        LegError::Purpose => "[LEG-2]",
        LegError::Repeated => "[LEG-3]",
        LegError::Sections => "[SEC-1]",
        LegError::Slot(..) | LegError::SlotContext(_) => "[SLOT-1]",
        LegError::Proof(_) => "[TRN-2]",
    }
}
