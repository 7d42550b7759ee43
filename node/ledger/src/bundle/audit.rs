//! What a regulator's replay showed, with the files that it wrote, signed by the regulator's node (specs/audit.md).

use std::fmt;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::{BadSignature, Bounded, Encoded, Hash, NodeId, NodeKey, NodeSignature, Text};
use sudare_disclosure::{AssetCore, Fields};

use crate::access::{GrantId, Scope};
use crate::audit::{AssetLog, Coverage, Report};
use crate::tree::{CheckpointError, SignedCheckpoint};

const AUDIT: &[u8] = b"sudare/audit/v1";

/// The most files of an audit.
pub const AUDIT_FILES_MAX: usize = 32;
/// The most keys that an audit can have read with.
pub const AUDIT_KEYS_MAX: usize = 4096;
/// The most reads under grants that an audit can consist of.
pub const AUDIT_READS_MAX: usize = 1024;

/// What a replay showed.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Audit {
    /// Format version.
    pub version: Version<1>,
    /// When it was signed, by the clock of the machine that replayed, ms since the Unix epoch.
    pub at: u64,
    /// The node that replayed and signs.
    pub reader: NodeId,
    /// The log.
    pub log: AssetLog,
    /// The registrar's checkpoint over all entries replayed.
    pub checkpoint: SignedCheckpoint,
    /// The keys that it read with, in order of their points.
    pub keys: Bounded<KeyRead, AUDIT_KEYS_MAX>,
    /// All that was read, if it was under a grant.
    pub scope: Option<Scope>,
    /// The entries of the reader's access log in which the reads stand, in order.
    pub reads: Bounded<ReadUnder, AUDIT_READS_MAX>,
    /// What was found.
    pub figures: Figures,
    /// The program and its version.
    pub program: Text<64>,
    /// The files that were written, in order of their names.
    pub files: Bounded<FileHash, AUDIT_FILES_MAX>,
}

/// A disclosure key that a replay had.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct KeyRead {
    /// Its point, by which terms name it.
    pub point: Encoded,
    /// Its epoch.
    pub epoch: u32,
    /// What it reads.
    pub fields: Fields,
}

/// A read as the access log has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct ReadUnder {
    /// The grant.
    pub grant: GrantId,
    /// The entry.
    pub entry: u64,
}

/// A file beside an audit or a sign-off.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct FileHash {
    /// Its name: letters, digits, dots, dashes and underscores, no dot first.
    pub name: Text<64>,
    /// Its length.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Hash,
}

/// The numbers of a [`Report`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Figures {
    /// Entries replayed.
    pub entries: u64,
    /// Of these, legs.
    pub legs: u64,
    /// Atomic units made.
    pub minted: u128,
    /// Atomic units ended.
    pub burned: u128,
    /// Atomic units outstanding.
    pub supply: u64,
    /// Tags spent.
    pub tags: u64,
    /// Notes made.
    pub notes: u64,
    /// Of how many legs which field was read.
    pub scope: Coverage,
    /// How many notes live; none unless all links were read.
    pub live: Option<u64>,
    /// Whether the live notes were summed to the supply.
    pub sums: bool,
    /// How many accounts hold something; none unless amounts, parties and links of all legs were read.
    pub holders: Option<u64>,
    /// How many amounts had a false memo.
    pub false_memos: u64,
    /// How many exceptions there are, false memos among them.
    pub exceptions: u64,
}

/// An audit with the signature of its reader.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct SignedAudit {
    /// What it says.
    pub audit: Audit,
    /// By the reader.
    pub signature: NodeSignature,
}

/// Why an audit was refused, each with the next step.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AuditFileError {
    /// By another node than expected.
    #[error(
        "[AUD-1] the audit is by node {0}, not by the one expected: ask its sender for the node's identity"
    )]
    OtherReader(NodeId),
    /// The reader did not sign this.
    #[error(
        "[AUD-1] the node did not sign this audit: refuse it, ask the node's operator for its own"
    )]
    Signature,
    /// The registrar did not sign the checkpoint, or it is of another log.
    #[error(
        "[AUD-2] the audit stands on no checkpoint of its log by its registrar: {0}; refuse it"
    )]
    Checkpoint(#[from] CheckpointError),
    /// Of another asset than expected.
    #[error("[AUD-2] the audit is of another asset, or another registrar's: ask for the right one")]
    OtherAsset,
    /// Figures that contradict each other.
    #[error("[AUD-2] the audit contradicts itself: {0}; refuse it")]
    Figures(&'static str),
    /// Lists out of order, or names that no file of an audit has.
    #[error("[AUD-3] the audit's {0} are not in order, each once and well named: refuse it")]
    Lists(&'static str),
    /// A file of the list is not there.
    #[error(
        "[AUD-3] the audit's file {0} is missing: ask for it, all files belong beside the audit"
    )]
    FileMissing(String),
    /// A file is not the one that was signed.
    #[error("[AUD-3] the file {0} is not the one that the audit was signed with: ask for it again")]
    FileChanged(String),
}

impl From<&Report> for Figures {
    fn from(report: &Report) -> Self {
        Self {
            entries: report.entries,
            legs: report.legs,
            minted: report.minted,
            burned: report.burned,
            supply: report.supply,
            tags: report.tags,
            notes: report.notes,
            scope: report.scope,
            live: report.live,
            sums: report.sums,
            holders: report.holders,
            false_memos: report.false_memos,
            exceptions: report.exceptions,
        }
    }
}

/// The statement that the figures are, in one line.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { legs, minted, burned, supply, .. } = self;
        write!(
            f,
            "legs 0..{legs} of {legs}, none missing, none unreadable, supply = minted - burned = {minted} - {burned} = {supply}"
        )
    }
}

impl Figures {
    fn check(&self) -> Result<(), AuditFileError> {
        let wrong = |what| Err(AuditFileError::Figures(what));
        let Self { legs, scope, .. } = self;
        if self.minted.checked_sub(self.burned) != Some(self.supply.into()) {
            return wrong("its supply is not what was minted less what was burned");
        }
        let read = [scope.amounts, scope.parties, scope.trade, scope.links, scope.spends];
        if self.legs >= self.entries || read.iter().any(|read| read > legs) {
            return wrong("it has more legs than entries, or read more than there are");
        }
        if self.live.is_some() != (scope.spends == *legs)
            || self.sums != (self.live.is_some() && scope.amounts == *legs)
            || self.holders.is_some() != (self.sums && scope.parties == *legs)
            || self.live.is_some_and(|live| live > self.notes)
        {
            return wrong("its register does not follow from what it read");
        }
        if self.false_memos > self.exceptions {
            return wrong("it has fewer exceptions than false memos");
        }
        Ok(())
    }
}

impl Audit {
    /// Signs it with the reader's key.
    #[must_use]
    pub fn sign(self, key: &NodeKey) -> SignedAudit {
        let signature = key.sign(AUDIT, &encode(&self));
        SignedAudit { audit: self, signature }
    }

    fn check_lists(&self) -> Result<(), AuditFileError> {
        let rising =
            |sorted: bool, what| if sorted { Ok(()) } else { Err(AuditFileError::Lists(what)) };
        rising(self.keys.is_sorted_by(|one, next| one.point < next.point), "keys")?;
        rising(self.reads.is_sorted_by(|one, next| one.entry < next.entry), "reads")?;
        rising(
            self.files.is_sorted_by(|one, next| one.name.as_str() < next.name.as_str()),
            "files",
        )?;
        rising(self.files.iter().all(|file| is_name(file.name.as_str())), "files")
    }
}

impl SignedAudit {
    /// Checks that `reader` signed it, that it stands on the registrar's checkpoint, and that it does not contradict itself. The
    /// files are the caller's to compare, with [`FileHash`].
    ///
    /// Enforces [AUD-1], [AUD-2] and, of the list, [AUD-3].
    ///
    /// # Errors
    ///
    /// [`AuditFileError`], the first that applies.
    pub fn verify(&self, reader: NodeId) -> Result<(), AuditFileError> {
        let audit = &self.audit;
        if audit.reader != reader {
            return Err(AuditFileError::OtherReader(audit.reader));
        }
        let signed = reader.verify(AUDIT, &encode(audit), &self.signature);
        signed.map_err(|BadSignature| AuditFileError::Signature)?;
        audit.check_lists()?;
        let log = &audit.log;
        let size = audit.checkpoint.open(&log.origin()?, &log.registrar)?.size;
        // No byte of the file goes unread.
        audit.checkpoint.witnesses()?;
        if size != audit.figures.entries {
            return Err(AuditFileError::Figures("its checkpoint is of another size"));
        }
        audit.figures.check()
    }

    /// Checks besides that it is of the asset with this core.
    ///
    /// # Errors
    ///
    /// [`AuditFileError::OtherAsset`].
    pub fn is_of(&self, core: &AssetCore) -> Result<(), AuditFileError> {
        let log = &self.audit.log;
        let own = (core.network, core.id(), core.registrar);
        let fits = (log.network, log.asset, log.registrar) == own;
        if fits { Ok(()) } else { Err(AuditFileError::OtherAsset) }
    }
}

/// Whether a file beside a bundle may be called so: nothing that leads out of its folder.
pub(super) fn is_name(name: &str) -> bool {
    let may = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !name.is_empty() && !name.starts_with('.') && name.bytes().all(may)
}
