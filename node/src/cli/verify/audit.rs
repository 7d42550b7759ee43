//! Audits: what a regulator's replay showed, with the files that it wrote.

use std::path::Path;

use serde::Serialize;
use sudare_ledger::bundle::{AuditFileError, FileHash, KeyRead, ReadUnder, SignedAudit};

use super::files::FileView;
use super::{Beside, Failure, Output, Report, VerifyArgs, beside, failed};

const KIND: &str = "audit";
const NOT_SHOWN: &str = "anything that the reader's keys don't read, and that the reader copied the rows rightly: who doubts it replays the log below the same checkpoint";

/// What a replay showed.
#[derive(Debug, Serialize)]
struct AuditView {
    statement: String,
    asset: String,
    registrar: String,
    entries: u64,
    legs: u64,
    minted: String,
    burned: String,
    supply: String,
    holders: Option<u64>,
    false_memos: u64,
    exceptions: u64,
    reader: String,
    signed_ms: u64,
    program: String,
    keys: Vec<KeyView>,
    scope: Option<String>,
    reads: Vec<ReadView>,
    files: Vec<FileView>,
}

#[derive(Debug, Serialize)]
struct KeyView {
    key: String,
    epoch: u32,
    fields: String,
}

#[derive(Debug, Serialize)]
struct ReadView {
    grant: String,
    entry: u64,
}

pub(super) fn verify(
    args: &VerifyArgs,
    signed: &SignedAudit,
    output: &Output,
) -> Result<(), Failure> {
    args.only(KIND, &["--node", "--core", "--files"])?;
    let reader = args.node()?.ok_or_else(|| {
        Failure::Usage(
            "an audit is verified with --node ID, the regulator's node that signed it".into(),
        )
    })?;
    signed.verify(reader).map_err(|error| failed(&args.file, error))?;
    if let Some(core) = args.core()? {
        signed.is_of(&core).map_err(|error| failed(&args.file, error))?;
    }
    for file in signed.audit.files.iter() {
        compare(args.folder(), file, args)?;
    }
    let view = AuditView::of(signed);
    let text = view.text();
    let verified = format!(
        "signed by node {reader}; on the registrar's checkpoint over {} entries; {} files beside it are those that were signed",
        view.entries,
        view.files.len()
    );
    Report { kind: KIND, view, text, verified, not_shown: NOT_SHOWN }.print(output)
}

/// Enforces [AUD-3]: every file of the list is there, and is the one that was signed.
fn compare(folder: &Path, file: &FileHash, args: &VerifyArgs) -> Result<(), Failure> {
    let name = file.name.as_str();
    match beside(folder, file)? {
        Beside::Same => Ok(()),
        Beside::Missing => Err(failed(&args.file, AuditFileError::FileMissing(name.to_owned()))),
        Beside::Changed => Err(failed(&args.file, AuditFileError::FileChanged(name.to_owned()))),
    }
}

impl AuditView {
    fn of(signed: &SignedAudit) -> Self {
        let (audit, figures) = (&signed.audit, &signed.audit.figures);
        let scope = audit.scope.as_ref().map(|scope| {
            let accounts = match scope.accounts.len() {
                0 => "all accounts".to_owned(),
                some => format!("{some} accounts"),
            };
            format!(
                "{} of {accounts} in epochs {} to {}, notarised from {} until {} ms",
                scope.fields, scope.first_epoch, scope.last_epoch, scope.from, scope.until
            )
        });
        let key = |key: &KeyRead| KeyView {
            key: format!("{:?}", key.point),
            epoch: key.epoch,
            fields: key.fields.to_string(),
        };
        let read = |read: &ReadUnder| ReadView { grant: read.grant.to_string(), entry: read.entry };
        Self {
            statement: figures.to_string(),
            asset: audit.log.asset.to_string(),
            registrar: audit.log.registrar.to_string(),
            entries: figures.entries,
            legs: figures.legs,
            minted: figures.minted.to_string(),
            burned: figures.burned.to_string(),
            supply: figures.supply.to_string(),
            holders: figures.holders,
            false_memos: figures.false_memos,
            exceptions: figures.exceptions,
            reader: audit.reader.to_string(),
            signed_ms: audit.at,
            program: audit.program.to_string(),
            keys: audit.keys.iter().map(key).collect(),
            scope,
            reads: audit.reads.iter().map(read).collect(),
            files: audit.files.iter().map(FileView::of).collect(),
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![
            self.statement.clone(),
            format!("asset {}, registrar {}", self.asset, self.registrar),
        ];
        lines.push(match self.holders {
            Some(holders) => format!("{holders} accounts hold the supply"),
            None => "holdings are not known to the keys in scope".to_owned(),
        });
        lines.push(format!("{} exceptions, {} false memos", self.exceptions, self.false_memos));
        for key in &self.keys {
            lines.push(format!("read with key {} (epoch {}: {})", key.key, key.epoch, key.fields));
        }
        if let Some(scope) = &self.scope {
            lines.push(format!("nothing read but {scope}"));
        }
        for read in &self.reads {
            lines.push(format!(
                "under grant {}, entry {} of the reader's access log",
                read.grant, read.entry
            ));
        }
        for file in &self.files {
            lines.push(file.text());
        }
        lines.join("\n")
    }
}
