//! Statements about outputs of final legs, as files: who has the asset's checkpoint verifies them offline (specs/statements.md).

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::{Version, encode};
use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::holder;
use sudare_crypto::proof::statement::{
    self as totals, COMMITMENTS_MAX, Kind, Proof, Total, Unproved,
};
use sudare_crypto::{Bounded, Claims, Encoded, Hash, LedgerTranscript, Malformed, Rejected, Text};
use sudare_disclosure::{AssetCore, AssetId};

use crate::leg::{ComponentKind, TearOff, TearOffError};
use crate::log::EntryLeaf;
use crate::messages::Settlement;
use crate::note::SlotSecrets;
use crate::transaction::TxId;
use crate::tree::{
    Checkpoint, CheckpointError, ConsistencyProof, InclusionProof, LogKind, SignedCheckpoint,
    SignerName, TreeError,
};

const TRANSCRIPT: &[u8] = b"sudare/statement/v1";

/// What a statement is about and for whom it is made: the context of its proofs.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Subject {
    /// Format version.
    pub version: Version<1>,
    /// The asset, whose identity is the core's hash; it names network and registrar.
    pub core: AssetCore,
    /// The checkpoint of the asset's log, signed by the registrar.
    pub checkpoint: SignedCheckpoint,
    /// The account that the left notes belong to, if that is shown.
    pub account: Option<Encoded>,
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
    pub kind: Kind,
    /// The left total.
    pub left: Side,
    /// The right total.
    pub right: Side,
    /// That it is true.
    pub proof: Proof,
    /// That the left notes are the account's; there if the subject names one.
    pub holder: Option<LinearProof>,
}

/// A total: outputs of final legs and a number in clear.
#[derive(Clone, Debug, Default, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Side {
    /// The outputs, each once.
    pub outputs: Bounded<Shown, COMMITMENTS_MAX>,
    /// Atomic units in clear.
    pub clear: u64,
}

/// An output of a final leg with its place in the asset's log.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Shown {
    /// The entry's index in the log.
    pub entry: u64,
    /// The hash of the whole entry.
    pub body: Hash,
    /// Its path to the checkpoint's root.
    pub path: InclusionProof,
    /// The leg's transaction.
    pub tx: TxId,
    /// Which leg of it.
    pub leg: u8,
    /// The root of the leg's components.
    pub root: Hash,
    /// The output, alone, with its path to that root.
    pub output: TearOff,
}

/// An output with what its receiver, or the registrar, knows of it.
#[derive(Clone)]
#[allow(missing_debug_implementations, reason = "holds a note's opening")]
pub struct Owned {
    /// Where it stands.
    pub shown: Shown,
    /// Its amount.
    pub opening: Opening,
    /// What stands behind its slot; the receiver alone has it.
    pub secrets: Option<SlotSecrets>,
}

/// Why a statement was not made or not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StatementError {
    /// Of another asset or network than asked about.
    #[error("the statement is about asset {found}, not {expected}: ask for the right one")]
    OtherAsset {
        /// The asset asked about.
        expected: AssetId,
        /// The one it is about.
        found: AssetId,
    },
    /// The checkpoint is of another log or not the registrar's.
    #[error("the checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Made of an earlier state than the reader knows.
    #[error(
        "the statement is of {size} entries, the log has {known}: ask for one of now, or accept the earlier state"
    )]
    Stale {
        /// Entries at the statement's checkpoint.
        size: u64,
        /// Entries at the reader's checkpoint.
        known: u64,
    },
    /// Two checkpoints of one size with two roots.
    #[error(
        "two checkpoints of {0} entries with two roots: the registrar forked its log; keep both, they are evidence"
    )]
    Forked(u64),
    /// Nothing shows that one checkpoint extends the other.
    #[error(
        "the checkpoints of {0} and {1} entries are not shown to be of one log: ask the registrar for the consistency proof; if it has none, it forked its log"
    )]
    NotJoined(u64, u64),
    /// An output's place.
    #[error(
        "output {0} is not in the log at this checkpoint: {1}; take the output again from its settlement"
    )]
    NotInLog(usize, TreeError),
    /// An output that is not in its leg.
    #[error("output {0}: {1}; take the output again from its settlement")]
    NotInLeg(usize, TearOffError),
    /// One output counted twice.
    #[error("output {0} stands twice: count each once")]
    Twice(usize),
    /// An account without proof, or a proof without account.
    #[error("the proof of who holds the notes and the account it is of must come together")]
    Holder,
    /// Not provable.
    #[error(transparent)]
    Unproved(#[from] Unproved),
    /// The proofs do not verify.
    #[error("the statement is not proved: {0}; refuse it")]
    Rejected(#[from] Rejected),
    /// Bytes.
    #[error(transparent)]
    Malformed(#[from] Malformed),
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

/// What an accepted statement shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Accepted {
    /// The asset.
    pub asset: AssetId,
    /// Entries of the log at the statement's checkpoint.
    pub size: u64,
    /// The log's root there.
    pub root: Hash,
    /// How many outputs stand in the left total.
    pub left: usize,
    /// How many in the right.
    pub right: usize,
}

impl Statement {
    /// Makes a statement about outputs that are all shown under the subject's checkpoint.
    ///
    /// # Errors
    ///
    /// [`StatementError::Unproved`], in particular if it is not true; [`StatementError::Holder`] if an account is named and the
    /// secrets of a slot are missing.
    pub fn make(
        subject: Subject,
        kind: Kind,
        left: (&[Owned], u64),
        right: (&[Owned], u64),
        rng: &mut impl CryptoRngCore,
    ) -> Result<Self, StatementError> {
        let (left_side, left_total, left_openings) = side(left)?;
        let (right_side, right_total, right_openings) = side(right)?;
        let mut transcript = transcript(&subject, &left_side, &right_side);
        let proof = totals::make(
            kind,
            (&left_total, &left_openings),
            (&right_total, &right_openings),
            &mut transcript,
            rng,
        )?;
        let holder = match subject.account {
            None => None,
            Some(account) => {
                let mut witnesses = Vec::new();
                for owned in left.0 {
                    let secrets = owned.secrets.as_ref().ok_or(StatementError::Holder)?;
                    let (tag, blinding) = (secrets.tag.0, secrets.blinding.0);
                    witnesses.push(holder::Witness { tag, blinding });
                }
                let statement = holder::Statement { account, owners: left_side.owners()? };
                Some(holder::prove(&statement, &witnesses, &mut transcript, rng)?)
            }
        };
        Ok(Self { subject, kind, left: left_side, right: right_side, proof, holder })
    }

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
        let found = self.subject.core.id();
        if found != asset {
            return Err(StatementError::OtherAsset { expected: asset, found });
        }
        let checkpoint = self.checkpoint()?;
        if let Some(known) = known {
            self.join(checkpoint, known)?;
        }
        let (left, right) = (self.left.check(checkpoint)?, self.right.check(checkpoint)?);
        let mut transcript = transcript(&self.subject, &self.left, &self.right);
        let mut claims = Claims::new();
        totals::check(self.kind, &left, &right, &self.proof, &mut transcript, &mut claims)?;
        match (self.subject.account, &self.holder) {
            (Some(account), Some(proof)) => {
                let statement = holder::Statement { account, owners: self.left.owners()? };
                holder::verify(&statement, proof, &mut transcript, &mut claims)?;
            }
            (None, None) => (),
            _ => return Err(StatementError::Holder),
        }
        claims.accept(rng)?;
        let (left, right) = (self.left.outputs.len(), self.right.outputs.len());
        Ok(Accepted { asset, size: checkpoint.size, root: checkpoint.root, left, right })
    }

    /// The checkpoint, signed by the asset's registrar.
    fn checkpoint(&self) -> Result<&Checkpoint, StatementError> {
        self.opened(&self.subject.checkpoint)
    }

    fn opened<'a>(
        &self,
        checkpoint: &'a SignedCheckpoint,
    ) -> Result<&'a Checkpoint, StatementError> {
        let core = &self.subject.core;
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

impl Side {
    /// The total of outputs that are in their legs, which are in the log, each once.
    fn check(&self, checkpoint: &Checkpoint) -> Result<Total, StatementError> {
        let (mut commitments, mut seen) = (Vec::new(), BTreeSet::new());
        for (place, shown) in self.outputs.iter().enumerate() {
            let Shown { entry, body, path, tx, leg, root, output } = shown;
            let leaf = EntryLeaf::Leg { tx: *tx, index: *leg, root: *root, body: *body };
            path.verify(&leaf.hash(), *entry, checkpoint.size, &checkpoint.root)
                .map_err(|error| StatementError::NotInLog(place, error))?;
            let in_leg = |error| StatementError::NotInLeg(place, error);
            output.check(*leg, *root).map_err(in_leg)?;
            let (index, output) = output.output().map_err(in_leg)?;
            if !seen.insert((*entry, index)) {
                return Err(StatementError::Twice(place));
            }
            commitments.push(output.commitment);
        }
        Ok(Total { commitments, clear: self.clear })
    }

    fn owners(&self) -> Result<Vec<Encoded>, StatementError> {
        let mut owners = Vec::new();
        for (place, shown) in self.outputs.iter().enumerate() {
            let output = shown.output.output();
            let (_, output) = output.map_err(|error| StatementError::NotInLeg(place, error))?;
            owners.push(output.slot.slot.owner);
        }
        Ok(owners)
    }
}

impl Shown {
    /// The outputs of a settlement, each shown alone, with the checkpoint they are shown under.
    ///
    /// # Errors
    ///
    /// [`StatementError`] if it is not a settlement that a registrar sends.
    pub fn of(settlement: &Settlement) -> Result<(SignedCheckpoint, Vec<Self>), StatementError> {
        const BAD: StatementError = StatementError::Malformed(Malformed::Encoding("a settlement"));
        let Settlement { commit, index, entry, components, .. } = settlement;
        let tx = commit.transaction.id().ok_or(BAD)?;
        let leg = commit.transaction.legs.get(usize::from(*index)).ok_or(BAD)?;
        let checkpoint = SignedCheckpoint::parse(&entry.checkpoint)?;
        let mut all = Vec::new();
        for tear_off in components {
            all.push(Self {
                entry: entry.index,
                body: entry.body,
                path: entry.path.clone(),
                tx,
                leg: *index,
                root: leg.root,
                output: output_alone(tear_off)?,
            });
        }
        Ok((checkpoint, all))
    }
}

/// Everything of the file but kind and proofs, which the relations absorb: no byte of it can be changed.
fn transcript(subject: &Subject, left: &Side, right: &Side) -> LedgerTranscript {
    LedgerTranscript::new(TRANSCRIPT, &encode(&(subject, left, right)))
}

/// A tear-off without its header and sections.
fn output_alone(all: &TearOff) -> Result<TearOff, StatementError> {
    let outputs = all.components.iter().filter(|one| one.kind == ComponentKind::Output);
    let components = outputs.cloned().collect::<Vec<_>>().try_into()?;
    Ok(TearOff { size: all.size, components })
}

fn side((owned, clear): (&[Owned], u64)) -> Result<(Side, Total, Vec<Opening>), StatementError> {
    let outputs: Vec<Shown> = owned.iter().map(|one| one.shown.clone()).collect();
    let side = Side { outputs: outputs.try_into()?, clear };
    let mut commitments = Vec::new();
    for (place, shown) in side.outputs.iter().enumerate() {
        let output = shown.output.output();
        let (_, output) = output.map_err(|error| StatementError::NotInLeg(place, error))?;
        commitments.push(output.commitment);
    }
    let openings = owned.iter().map(|one| one.opening.clone()).collect();
    Ok((side, Total { commitments, clear }, openings))
}
