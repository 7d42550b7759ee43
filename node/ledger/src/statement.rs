//! Statements about hidden amounts, as files: who has the asset's checkpoint verifies them offline (specs/statements.md).
//!
//! They are about outputs of final legs, which a custodian shows at any checkpoint, or about leaves of register snapshots, which say
//! what accounts hold in all, or that they hold nothing.

mod error;
mod holdings;
mod joint;
mod notes;
mod register;

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::Version;
use sudare_crypto::{Claims, Encoded, Hash, Text};
use sudare_disclosure::{AssetCore, AssetId};

use crate::tree::{
    Checkpoint, CheckpointError, ConsistencyProof, LogKind, SignedCheckpoint, SignerName,
};

pub use error::StatementError;
pub use holdings::{HOLDINGS_MAX, HeldLine, HeldWitness, Holdings};
pub use joint::{Agreed, Answer, Answered, Closing, Joint, Offer, Offered, OwnAccount, Part};
pub use notes::{Notes, Owned, Shown, Side};
pub use register::{
    LOCATED_MAX, Located, Maker, Register, Says, ShownHeading, ShownLeaf, Sum, Term, Wanted,
    Witnessed,
};

/// What a statement is about and for whom it is made: the context of its proofs.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Subject {
    /// Format version.
    pub version: Version<1>,
    /// The asset, whose identity is the core's hash; it names network and registrar.
    pub core: AssetCore,
    /// The checkpoint of the asset's log, signed by the registrar.
    pub checkpoint: SignedCheckpoint,
    /// For whom, and to what question.
    pub recipient: Text<140>,
    /// Fresh random bytes, or those of whoever asked.
    pub nonce: [u8; 32],
}

/// A statement with its proofs.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Statement {
    /// What it is about.
    pub subject: Subject,
    /// What it says.
    pub content: Content,
}

/// What a statement says, of what, with its proofs.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Content {
    /// Of outputs of final legs.
    Notes(Box<Notes>) = 0,
    /// Of leaves of register snapshots.
    Register(Box<Register>) = 1,
    /// Of what accounts hold in a register snapshot, in clear.
    Holdings(Box<Holdings>) = 2,
    /// Of what accounts of two custodians hold in a register snapshot, by both.
    Joint(Box<Joint>) = 3,
}

/// What a verifier knows of the log by itself.
#[derive(Clone, Debug)]
pub struct Known {
    /// A checkpoint that it trusts.
    pub checkpoint: SignedCheckpoint,
    /// That the later of the two checkpoints extends the earlier; empty if they are of one size.
    pub consistency: ConsistencyProof,
    /// Whether a statement of an earlier state will do.
    pub earlier: bool,
}

/// What an accepted statement is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// The asset.
    pub asset: AssetId,
    /// Entries of the log at the statement's checkpoint.
    pub size: u64,
    /// The log's root there.
    pub root: Hash,
}

impl Statement {
    /// Verifies the statement from its bytes and what the verifier knows of the log; without that, the registrar's signature
    /// under the checkpoint is all that says which log it is of.
    ///
    /// Enforces [STM-4] and [STM-5].
    ///
    /// # Errors
    ///
    /// [`StatementError`], each with what to do next.
    pub fn verify(
        &self,
        asset: AssetId,
        known: Option<&Known>,
        rng: &mut impl CryptoRngCore,
    ) -> Result<Accepted, StatementError> {
        let subject = &self.subject;
        let found = subject.core.id();
        if found != asset {
            return Err(StatementError::OtherAsset { expected: asset, found });
        }
        let checkpoint = subject.checkpoint()?;
        if let Some(known) = known {
            subject.join(checkpoint, known)?;
        }
        let mut claims = Claims::new();
        match &self.content {
            Content::Notes(notes) => notes.check(subject, checkpoint, &mut claims)?,
            Content::Register(register) => register.check(subject, checkpoint, &mut claims)?,
            Content::Joint(joint) => joint.check(subject, checkpoint, &mut claims)?,
            Content::Holdings(holdings) => holdings.check(subject, checkpoint, &mut claims)?,
        }
        claims.accept(rng)?;
        Ok(Accepted { asset, size: checkpoint.size, root: checkpoint.root })
    }
}

impl Statement {
    /// The accounts that it names, each once.
    #[must_use]
    pub fn accounts(&self) -> BTreeSet<Encoded> {
        match &self.content {
            Content::Notes(notes) => notes.account.into_iter().collect(),
            Content::Register(register) => {
                register.says.located().into_iter().map(|located| located.account).collect()
            }
            Content::Joint(joint) => {
                let both = [&joint.left.accounts, &joint.right.accounts].into_iter();
                both.flat_map(|accounts| accounts.iter()).map(|one| one.account).collect()
            }
            Content::Holdings(holdings) => holdings.lines.iter().map(|line| line.account).collect(),
        }
    }
}

impl Subject {
    /// The checkpoint, signed by the asset's registrar.
    fn checkpoint(&self) -> Result<&Checkpoint, StatementError> {
        self.opened(&self.checkpoint)
    }

    fn opened<'a>(
        &self,
        checkpoint: &'a SignedCheckpoint,
    ) -> Result<&'a Checkpoint, StatementError> {
        let core = &self.core;
        let network = core.network.to_string();
        let origin = SignerName::of_log(&network, LogKind::Asset, core.id().0.as_bytes());
        let origin = origin.map_err(CheckpointError::SignedText)?;
        Ok(checkpoint.open(&origin, &core.registrar)?)
    }

    fn join(&self, own: &Checkpoint, known: &Known) -> Result<(), StatementError> {
        let other = self.opened(&known.checkpoint)?;
        if own.size == other.size {
            let same = own.root == other.root;
            return if same { Ok(()) } else { Err(StatementError::Forked(own.size)) };
        }
        let (old, new) = if own.size < other.size { (own, other) } else { (other, own) };
        let joined = known.consistency.verify(old.size, &old.root, new.size, &new.root);
        if joined.is_err() {
            return Err(StatementError::NotJoined(old.size, new.size));
        }
        if own.size < other.size && !known.earlier {
            return Err(StatementError::Stale { size: own.size, known: other.size });
        }
        Ok(())
    }
}
