//! What two officers sign: a report with its files, or that a difference stays.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use sudare_api::reconciliation::{Accepted, EarlierReport, ReportSummary};
use sudare_crypto::{Bounded, Text};
use sudare_disclosure::threshold::Officer;
use sudare_ledger::bundle::sign_off::{REPORT, REPORT_FILES_MAX, SignOff, Subject};
use sudare_ledger::bundle::{Bundle, FileHash};

use super::super::asset::write_new;
use super::super::ceremony::{officer_card, officer_key};
use super::super::trade::text;
use super::super::verify::{Beside, beside, hash};
use super::files::{bad, is_written, read};
use super::{Failure, Output, usage};
use crate::clock::now_ms;

/// A difference to accept.
#[derive(Debug, Args)]
pub(in crate::cli) struct AcceptArgs {
    /// The report.json that has it.
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
    /// The break's id.
    #[arg(long)]
    id: String,
    /// Why it is accepted.
    #[arg(long)]
    reason: String,
    /// The officer's key.
    #[arg(long)]
    key: PathBuf,
    /// The sign-off to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A report to sign.
#[derive(Debug, Args)]
pub(in crate::cli) struct SignArgs {
    /// The folder that `run` wrote.
    folder: PathBuf,
    /// The maker's key.
    #[arg(long)]
    key: PathBuf,
    /// The sign-off to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What to approve.
#[derive(Debug, Args)]
pub(in crate::cli) struct ApproveArgs {
    /// The sign-off that the first officer made.
    file: PathBuf,
    /// Of a report: the folder with all files that the first officer signed; the file's own if left out.
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// The second officer's key.
    #[arg(long)]
    key: PathBuf,
    /// The sign-off to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct SignOffView {
    subject: String,
    signatures: u8,
    next: Option<&'static str>,
}

pub(super) fn accept(args: &AcceptArgs, output: &Output) -> Result<(), Failure> {
    let json = read(&args.report)?;
    EarlierReport::parse(&json).map_err(|error| bad(&args.report, error))?;
    let difference = difference_of(&json, &args.id);
    let missing = || Failure::Usage(format!("the report has no break {}", args.id));
    let difference = difference.ok_or_else(missing)?;
    let subject = Subject::Accept {
        id: text(&args.id, "a break's id")?,
        difference: text(&difference, "a difference")?,
        reason: text(&args.reason, "a reason")?,
    };
    make(subject, &args.key, &args.out, output)
}

pub(super) fn sign(args: &SignArgs, output: &Output) -> Result<(), Failure> {
    let folder = &args.folder;
    let report = folder.join(REPORT);
    let summary = ReportSummary::parse(&read(&report)?).map_err(|error| bad(&report, error))?;
    let as_of = Text::new(&summary.as_of).map_err(|error| bad(&report, error))?;
    let subject = Subject::Report { as_of, files: all_files(folder)? };
    make(subject, &args.key, &args.out, output)
}

/// Every file of the folder. What isn't the report's is refused: whoever signs the folder believes that it was signed.
fn all_files(folder: &Path) -> Result<Bounded<FileHash, REPORT_FILES_MAX>, Failure> {
    let failed = |error| Failure::File(folder.to_owned(), error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let written = name.to_str().filter(|name| is_written(name));
        let name = written.ok_or_else(|| {
            let what = "`sudare reconcile run` did not write it, so it can't be signed with the report: take it out of the folder";
            usage(&entry.path().display().to_string(), what)
        })?;
        let path = entry.path();
        let (bytes, sha256) = hash(&path).map_err(|error| Failure::File(path, error))?;
        files.push(FileHash { name: Text::new(name)?, bytes, sha256 });
    }
    files.sort_by(|one, other| one.name.as_str().cmp(other.name.as_str()));
    Ok(files.try_into()?)
}

fn make(subject: Subject, key: &Path, out: &Path, output: &Output) -> Result<(), Failure> {
    let made = SignOff::make(subject, &officer_key(key)?, now_ms());
    write(made.map_err(|error| bad(out, error))?, out, output)
}

/// Enforces [REC-6]: the checker has every file that the maker signed.
pub(super) fn approve(args: &ApproveArgs, output: &Output) -> Result<(), Failure> {
    let half = parse(&args.file)?;
    if let Subject::Report { files, .. } = &half.subject {
        let own = args.file.parent().unwrap_or_else(|| Path::new(""));
        let folder = args.files.as_deref().unwrap_or(own);
        for file in files.iter() {
            let what = match beside(folder, file)? {
                Beside::Same => continue,
                Beside::Missing => {
                    "[REC-6] the maker signed it and it isn't there: a checker checks all files, name their folder with --files"
                }
                Beside::Changed => {
                    "[REC-6] it isn't the file that the maker signed: ask the maker for the folder"
                }
            };
            return Err(bad(&folder.join(file.name.as_str()), what));
        }
    }
    let both = half.check(&officer_key(&args.key)?, now_ms());
    write(both.map_err(|error| bad(&args.file, error))?, &args.out, output)
}

/// Differences that two of the officers accepted.
pub(super) fn accepted(files: &[PathBuf], officers: &[PathBuf]) -> Result<Vec<Accepted>, Failure> {
    let officers: Vec<Officer> =
        officers.iter().map(|file| officer_card(file)).collect::<Result<_, _>>()?;
    let mut all = Vec::new();
    for file in files {
        let sign_off = parse(file)?;
        let (maker, checker) = sign_off.verify(&officers).map_err(|error| bad(file, error))?;
        let (by, approved_by) = (maker.name.to_string(), checker.name.to_string());
        let Subject::Accept { id, difference, reason } = &sign_off.subject else {
            return Err(bad(file, "it signs a report, it doesn't accept a difference"));
        };
        let (id, difference, reason) = (id.to_string(), difference.to_string(), reason.to_string());
        all.push(Accepted { id, difference, reason, by, approved_by });
    }
    Ok(all)
}

fn parse(file: &Path) -> Result<SignOff, Failure> {
    let bundle = Bundle::parse(&read(file)?).map_err(|error| bad(file, error))?;
    match bundle {
        Bundle::SignOff(sign_off) => Ok(*sign_off),
        other => Err(bad(file, format!("a {}, where a sign-off is needed", other.name()))),
    }
}

/// The difference of a report's break.
fn difference_of(json: &[u8], id: &str) -> Option<String> {
    let report: serde_json::Value = serde_json::from_slice(json).ok()?;
    let breaks = report.get("breaks")?.as_array()?;
    let found = breaks.iter().find(|one| one.get("id").is_some_and(|found| found == id))?;
    Some(found.get("difference")?.as_str()?.to_owned())
}

fn write(sign_off: SignOff, file: &Path, output: &Output) -> Result<(), Failure> {
    let subject = match &sign_off.subject {
        Subject::Report { as_of, files } => {
            let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
            format!("the report of {as_of}: {}", names.join(", "))
        }
        Subject::Accept { id, difference, reason } => {
            format!("the break {id} with the difference {difference} is accepted: {reason}")
        }
    };
    let (signatures, next) = match sign_off.checked {
        None => (1, Some("another officer runs `sudare reconcile approve`")),
        Some(_) => (2, None),
    };
    write_new(file, &Bundle::SignOff(Box::new(sign_off)).to_bytes())?;
    let then = next.map(|next| format!("; {next}")).unwrap_or_default();
    let said =
        format!("{subject}\n{signatures} of 2 signatures, written to {}{then}", file.display());
    output.result(&SignOffView { subject, signatures, next }, &said);
    Ok(())
}
