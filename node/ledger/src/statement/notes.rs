//! Statements about outputs of final legs: what a custodian shows of notes at any checkpoint, without the register.

use std::collections::BTreeSet;

use borsh::{BorshDeserialize, BorshSerialize};
use rand_core::CryptoRngCore;
use sudare_crypto::encoding::encode;
use sudare_crypto::linear::LinearProof;
use sudare_crypto::proof::amount::Opening;
use sudare_crypto::proof::holder;
use sudare_crypto::proof::statement::{self as totals, COMMITMENTS_MAX, Kind, Proof, Total};
use sudare_crypto::{Bounded, Claims, Encoded, Hash, LedgerTranscript, Malformed};

use super::{Content, Statement, StatementError, Subject};
use crate::leg::{ComponentKind, TearOff};
use crate::log::EntryLeaf;
use crate::messages::Settlement;
use crate::note::SlotSecrets;
use crate::transaction::TxId;
use crate::tree::{Checkpoint, InclusionProof, SignedCheckpoint};

const TRANSCRIPT: &[u8] = b"sudare/statement/v1";

/// A statement about notes.
#[derive(Clone, Debug, Eq, PartialEq, BorshSerialize, BorshDeserialize)]
pub struct Notes {
    /// The account that the left notes belong to, if that is shown.
    pub account: Option<Encoded>,
    /// What it says.
    pub kind: Kind,
    /// The left total.
    pub left: Side,
    /// The right total.
    pub right: Side,
    /// That it is true.
    pub proof: Proof,
    /// That the left notes are the account's; there if one is named.
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

impl Notes {
    /// Makes a statement about outputs that are all shown under the subject's checkpoint.
    ///
    /// # Errors
    ///
    /// [`StatementError::Unproved`], in particular if it is not true; [`StatementError::Holder`] if an account is named and the
    /// secrets of a slot are missing.
    pub fn make(
        subject: Subject,
        account: Option<Encoded>,
        kind: Kind,
        left: (&[Owned], u64),
        right: (&[Owned], u64),
        rng: &mut impl CryptoRngCore,
    ) -> Result<Statement, StatementError> {
        let (left_side, left_total, left_openings) = side(left)?;
        let (right_side, right_total, right_openings) = side(right)?;
        let mut transcript = transcript(&subject, account, &left_side, &right_side);
        let proof = totals::make(
            kind,
            (&left_total, &left_openings),
            (&right_total, &right_openings),
            &mut transcript,
            rng,
        )?;
        let holder = match account {
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
        let notes = Self { account, kind, left: left_side, right: right_side, proof, holder };
        Ok(Statement { subject, content: Content::Notes(Box::new(notes)) })
    }

    /// Adds to `claims` all that holds if the statement does.
    ///
    /// Enforces [STM-4].
    pub(super) fn check(
        &self,
        subject: &Subject,
        checkpoint: &Checkpoint,
        claims: &mut Claims,
    ) -> Result<(), StatementError> {
        let (left, right) = (self.left.check(checkpoint)?, self.right.check(checkpoint)?);
        let mut transcript = transcript(subject, self.account, &self.left, &self.right);
        totals::check(self.kind, &left, &right, &self.proof, &mut transcript, claims)?;
        match (self.account, &self.holder) {
            (Some(account), Some(proof)) => {
                let statement = holder::Statement { account, owners: self.left.owners()? };
                holder::verify(&statement, proof, &mut transcript, claims)?;
                Ok(())
            }
            (None, None) => Ok(()),
            _ => Err(StatementError::Holder),
        }
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
fn transcript(
    subject: &Subject,
    account: Option<Encoded>,
    left: &Side,
    right: &Side,
) -> LedgerTranscript {
    LedgerTranscript::new(TRANSCRIPT, &encode(&(subject, account, left, right)))
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
