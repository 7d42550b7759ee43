//! Statements about hidden amounts.

use rand_core::OsRng;
use serde::Serialize;
use sudare_crypto::Hash;
use sudare_crypto::encoding::decode;
use sudare_crypto::proof::statement::Kind;
use sudare_ledger::statement::{Content, Known, Notes, Statement, Subject};
use sudare_ledger::tree::ConsistencyProof;

use super::super::asset::read;
use super::holdings::HoldingsView;
use super::joint::JointView;
use super::register::RegisterView;
use super::{Failure, Output, Report, VerifyArgs, digits, failed, read_checkpoint};

const KIND: &str = "statement";

/// A statement in words.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct StatementView {
    pub asset: String,
    pub code: String,
    pub entries: u64,
    pub root: String,
    pub recipient: String,
    pub nonce: String,
    pub statement: String,
    #[serde(flatten)]
    pub of: Of,
}

/// What a statement is of.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::cli) enum Of {
    Notes { account: Option<String>, count: usize },
    Register(RegisterView),
    Joint(JointView),
    Holdings(HoldingsView),
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
    let view = StatementView::of(statement);
    let places = match view.of {
        Of::Notes { .. } => "each note in its leg and that leg in the log",
        Of::Holdings(_) => {
            "the snapshot in the log, each account where its search ends, each quantity in its commitment, the supply in the sum of all"
        }
        Of::Register(_) | Of::Joint(_) => {
            "each snapshot in the log and each account where its search ends"
        }
    };
    let verified = format!("{log}; {places}; the proofs, made for this recipient");
    let (text, not_shown) = (view.text(), view.not_shown());
    Report { kind: KIND, view, text, verified, not_shown }.print(output)
}

/// Enforces [STM-6]: it was made for this reader, and for the question that was asked.
fn addressed(args: &VerifyArgs, subject: &Subject, recipient: &str) -> Result<(), Failure> {
    let made_for = subject.recipient.as_str();
    if made_for != recipient {
        let other = format!(
            "[STM-6] the statement was made for {made_for:?}, not {recipient:?}: refuse it"
        );
        return Err(failed(&args.file, other));
    }
    let nonce = args.nonce.as_deref().map(|nonce| digits(nonce, "a statement's nonce"));
    if nonce.transpose()?.is_some_and(|nonce| nonce.0 != subject.nonce) {
        let other = "[STM-6] the statement carries another nonce than yours: refuse it, ask for one with yours";
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
        let Subject { core, checkpoint, recipient, nonce, .. } = &statement.subject;
        let checkpoint = checkpoint.unverified();
        let (said, of) = match &statement.content {
            Content::Notes(notes) => {
                let account = notes.account.map(|account| format!("{account:?}"));
                (said(notes), Of::Notes { account, count: notes.left.outputs.len() })
            }
            Content::Register(register) => {
                (super::register::said(register), Of::Register(RegisterView::of(register)))
            }
            Content::Joint(joint) => (super::joint::said(joint), Of::Joint(JointView::of(joint))),
            Content::Holdings(holdings) => {
                let view = HoldingsView::of(holdings);
                (view.said(), Of::Holdings(view))
            }
        };
        Self {
            asset: core.id().to_string(),
            code: core.code.to_string(),
            entries: checkpoint.size,
            root: checkpoint.root.to_string(),
            recipient: recipient.to_string(),
            nonce: Hash(*nonce).to_string(),
            statement: said,
            of,
        }
    }

    pub(in crate::cli) fn text(&self) -> String {
        let Self { asset, code, entries, root, recipient, nonce, statement, of } = self;
        let what = match of {
            Of::Notes { account, count } => {
                let holder = account.as_deref().unwrap_or("nobody named");
                format!("notes of account {holder} are {statement}; {count} note(s)")
            }
            Of::Register(view) => format!("{statement}\n{}", view.text()),
            Of::Joint(view) => format!("{statement}\n{}", view.text()),
            Of::Holdings(view) => format!("{statement}\n{}", view.text()),
        };
        format!(
            "of {code} ({asset}), under {entries} entries with root {root}\n{what}\nmade for {recipient:?}, nonce {nonce}"
        )
    }

    /// What nobody should read into it.
    pub(in crate::cli) const fn not_shown(&self) -> &'static str {
        match self.of {
            Of::Notes { .. } => {
                "that the notes are still unspent, that they are all the account has, and any number given in clear; a register snapshot decides that"
            }
            Of::Holdings(_) => {
                "that the registrar's snapshot is as its log, which a replay with parties and links computes; anything after it; who stands behind an account"
            }
            Of::Register(_) | Of::Joint(_) => {
                "that the registrar's snapshots are as its log, which a replay with parties and links computes; anything after them; who stands behind an account; any number given in clear but a supply"
            }
        }
    }
}

fn said(notes: &Notes) -> String {
    let others = notes.right.outputs.len();
    let right = format!("{} in clear and {others} other note(s)", notes.right.clear);
    let less = if notes.right.clear == 0 && others == 0 {
        String::new()
    } else {
        format!(", less {right},")
    };
    let clear = i128::from(notes.left.clear);
    let bound = |bound: u64| i128::from(bound).saturating_sub(clear);
    match notes.kind {
        Kind::AtLeast { bound: least } => format!("worth{less} at least {}", bound(least)),
        Kind::AtMost { bound: most } => format!("worth{less} at most {}", bound(most)),
        Kind::Between { low, high } => {
            format!("worth{less} from {} to {}", bound(low), bound(high))
        }
        Kind::Share { numerator, denominator } => {
            format!("at least {numerator}/{denominator} of {right}")
        }
        Kind::Differ { by } => format!("worth{less} exactly {}", bound(by)),
    }
}
