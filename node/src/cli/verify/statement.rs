//! Statements about hidden amounts.

use rand_core::OsRng;
use serde::Serialize;
use sudare_crypto::Hash;
use sudare_crypto::encoding::decode;
use sudare_crypto::proof::statement::Kind;
use sudare_ledger::statement::{Known, Statement, Subject};
use sudare_ledger::tree::ConsistencyProof;

use super::super::asset::read;
use super::{Failure, Output, Report, VerifyArgs, digits, failed, read_checkpoint};

const KIND: &str = "statement";
pub(in crate::cli) const NOT_SHOWN: &str = "that the notes are still unspent, that they are all the account has, and any number given in clear; the register decides that";

/// A statement in words.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct StatementView {
    pub asset: String,
    pub code: String,
    pub entries: u64,
    pub root: String,
    pub account: Option<String>,
    pub recipient: String,
    pub nonce: String,
    pub statement: String,
    pub notes: usize,
}

pub(super) fn verify(
    args: &VerifyArgs,
    statement: &Statement,
    output: &Output,
) -> Result<(), Failure> {
    args.only(
        KIND,
        &["--recipient", "--nonce", "--asset", "--checkpoint", "--consistency", "--earlier"],
    )?;
    let Some(recipient) = &args.recipient else {
        return Err(Failure::Usage(
            "a statement is verified with --recipient: who you are, as you told whoever made it"
                .into(),
        ));
    };
    addressed(args, &statement.subject, recipient)?;
    let known = known(args)?;
    // A checkpoint that the verifier trusts names the asset.
    let asset = match (args.asset()?, &known) {
        (Some(asset), _) => asset,
        (None, Some(_)) => statement.subject.core.id(),
        (None, None) => {
            return Err(Failure::Usage(
                "a statement is verified with --checkpoint FILE, a checkpoint that you trust, or at least --asset ID".into(),
            ));
        }
    };
    let verified = statement.verify(asset, known.as_ref(), &mut OsRng);
    verified.map_err(|error| failed(&args.file, error))?;
    let log = match known {
        Some(_) => "the checkpoint as of one log with yours",
        None => "the registrar's signature under the checkpoint, which others may not have seen",
    };
    let verified = format!(
        "{log}; each note in its leg and that leg in the log; the proofs, made for this recipient"
    );
    let view = StatementView::of(statement);
    let text = view.text();
    Report { kind: KIND, view, text, verified, not_shown: NOT_SHOWN }.print(output)
}

/// Whether it was made for this reader, and for the question that was asked.
fn addressed(args: &VerifyArgs, subject: &Subject, recipient: &str) -> Result<(), Failure> {
    let made_for = subject.recipient.as_str();
    if made_for != recipient {
        let other =
            format!("the statement was made for {made_for:?}, not {recipient:?}: refuse it");
        return Err(failed(&args.file, other));
    }
    let nonce = args.nonce.as_deref().map(|nonce| digits(nonce, "a statement's nonce"));
    if nonce.transpose()?.is_some_and(|nonce| nonce.0 != subject.nonce) {
        let other =
            "the statement carries another nonce than yours: refuse it, ask for one with yours";
        return Err(failed(&args.file, other));
    }
    Ok(())
}

fn known(args: &VerifyArgs) -> Result<Option<Known>, Failure> {
    let Some(path) = &args.checkpoint else { return Ok(None) };
    let consistency = match &args.consistency {
        Some(path) => decode(&read(path)?, "a consistency proof")?,
        None => ConsistencyProof::default(),
    };
    Ok(Some(Known { checkpoint: read_checkpoint(path)?, consistency, earlier: args.earlier }))
}

impl StatementView {
    pub(in crate::cli) fn of(statement: &Statement) -> Self {
        let Subject { core, checkpoint, account, recipient, nonce, .. } = &statement.subject;
        let checkpoint = checkpoint.unverified();
        Self {
            asset: core.id().to_string(),
            code: core.code.to_string(),
            entries: checkpoint.size,
            root: checkpoint.root.to_string(),
            account: account.map(|account| format!("{account:?}")),
            recipient: recipient.to_string(),
            nonce: Hash(*nonce).to_string(),
            statement: said(statement),
            notes: statement.left.outputs.len(),
        }
    }

    pub(in crate::cli) fn text(&self) -> String {
        let holder = self.account.as_deref().unwrap_or("nobody named");
        format!(
            "of {} ({}), under {} entries with root {}\nnotes of account {holder} are {}; {} note(s)\nmade for {:?}, nonce {}",
            self.code,
            self.asset,
            self.entries,
            self.root,
            self.statement,
            self.notes,
            self.recipient,
            self.nonce,
        )
    }
}

fn said(statement: &Statement) -> String {
    let right = statement.right.clear;
    let others = statement.right.outputs.len();
    match statement.kind {
        Kind::AtLeast { bound } => format!("worth at least {bound}"),
        Kind::AtMost { bound } => format!("worth at most {bound}"),
        Kind::Between { low, high } => format!("worth from {low} to {high}"),
        Kind::Share { numerator, denominator } => {
            format!(
                "at least {numerator}/{denominator} of {right} in clear and {others} other note(s)"
            )
        }
        Kind::Differ { by } => {
            format!("worth {by} more than {right} in clear and {others} other note(s)")
        }
    }
}
