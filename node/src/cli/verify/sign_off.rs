//! Sign-offs of reconciliations: a report by two officers, with the files beside it, or a difference that they accept.

use std::path::Path;

use serde::Serialize;
use sudare_api::reconciliation::ReportSummary;
use sudare_disclosure::threshold::Officer;
use sudare_ledger::access::sha256;
use sudare_ledger::bundle::FileHash;
use sudare_ledger::bundle::sign_off::{REPORT, SignOff, Subject};

use super::super::ceremony::officer_card;
use super::super::reconcile;
use super::files::FileView;
use super::{Beside, Failure, Output, Report, VerifyArgs, beside, failed};

const KIND: &str = "sign-off";
const REPORT_NOT_SHOWN: &str = "that register, views and books were true when they were read: the report has their SHA-256; who doubts a proven total asks for the statement and verifies it";
const ACCEPT_NOT_SHOWN: &str =
    "the report with that break: a difference is accepted in every report that has it";

/// What two officers signed.
#[derive(Debug, Serialize)]
struct SignOffView {
    maker: String,
    made_ms: u64,
    checker: String,
    checked_ms: u64,
    #[serde(flatten)]
    subject: SubjectView,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum SubjectView {
    Report(ReportView),
    Accepted { id: String, difference: String, reason: String },
}

#[derive(Debug, Serialize)]
struct ReportView {
    as_of: String,
    /// What report.json says, if it is there.
    summary: Option<ReportSummary>,
    /// Files that are there, each the one that was signed.
    files: Vec<FileView>,
    /// Files that were signed and aren't there.
    absent: Vec<String>,
}

pub(super) fn verify(
    args: &VerifyArgs,
    sign_off: &SignOff,
    output: &Output,
) -> Result<(), Failure> {
    let used: &[&str] = match sign_off.subject {
        Subject::Report { .. } => &["--officer", "--files"],
        Subject::Accept { .. } => &["--officer"],
    };
    args.only(KIND, used)?;
    if args.officer.is_empty() {
        return Err(Failure::Usage(
            "a sign-off is verified with --officer CARD for each officer who may sign, two at least".into(),
        ));
    }
    let officers: Vec<Officer> =
        args.officer.iter().map(|card| officer_card(card)).collect::<Result<_, _>>()?;
    let (maker, checker) = sign_off.verify(&officers).map_err(|error| failed(&args.file, error))?;
    let (subject, not_shown) = match &sign_off.subject {
        Subject::Report { as_of, files } => {
            (SubjectView::Report(report(args, as_of.as_str(), files)?), REPORT_NOT_SHOWN)
        }
        Subject::Accept { id, difference, reason } => {
            let (id, difference) = (id.to_string(), difference.to_string());
            (SubjectView::Accepted { id, difference, reason: reason.to_string() }, ACCEPT_NOT_SHOWN)
        }
    };
    let view = SignOffView {
        maker: maker.name.to_string(),
        made_ms: sign_off.made.at,
        checker: checker.name.to_string(),
        checked_ms: sign_off.checked.as_ref().map_or(0, |signed| signed.at),
        subject,
    };
    let (text, verified) = (view.text(), view.verified());
    Report { kind: KIND, view, text, verified, not_shown }.print(output)
}

/// Enforces [REC-6]: each file that is there is the one that was signed, and there is one.
fn report(args: &VerifyArgs, as_of: &str, files: &[FileHash]) -> Result<ReportView, Failure> {
    let folder = args.folder();
    let (mut found, mut absent) = (Vec::new(), Vec::new());
    let mut summary = None;
    for file in files {
        let name = file.name.as_str();
        match beside(folder, file)? {
            Beside::Missing => absent.push(name.to_owned()),
            Beside::Changed => return Err(changed(folder, name)),
            Beside::Same => {
                found.push(FileView::of(file));
                if name == REPORT {
                    summary = Some(summary_of(folder, file, as_of)?);
                }
            }
        }
    }
    if found.is_empty() {
        let what = "[REC-6] none of the files that were signed is beside it: name their folder with --files";
        return Err(failed(&args.file, what));
    }
    Ok(ReportView { as_of: as_of.to_owned(), summary, files: found, absent })
}

fn summary_of(folder: &Path, file: &FileHash, as_of: &str) -> Result<ReportSummary, Failure> {
    let path = folder.join(REPORT);
    let json = reconcile::read(&path)?;
    if sha256(&json) != file.sha256 {
        return Err(changed(folder, REPORT));
    }
    let summary = ReportSummary::parse(&json).map_err(|error| failed(&path, error))?;
    if summary.as_of == as_of {
        Ok(summary)
    } else {
        let what =
            format!("[REC-6] it is of {}, the sign-off of {as_of}: refuse both", summary.as_of);
        Err(failed(&path, what))
    }
}

fn changed(folder: &Path, name: &str) -> Failure {
    let what = "[REC-6] it isn't the file that maker and checker signed: ask for it again";
    failed(&folder.join(name), what)
}

impl SignOffView {
    fn text(&self) -> String {
        let Self { maker, made_ms, checker, checked_ms, subject } = self;
        let by =
            format!("made by {maker} at {made_ms} ms, checked by {checker} at {checked_ms} ms");
        let report = match subject {
            SubjectView::Accepted { id, difference, reason } => {
                return format!(
                    "the break {id} with the difference {difference} is accepted: {reason}\n{by}"
                );
            }
            SubjectView::Report(report) => report,
        };
        let mut lines = vec![format!("reconciliation as of {}", report.as_of), by];
        match &report.summary {
            Some(summary) => lines.extend(said(summary)),
            None => lines.push(
                "report.json isn't there, so nothing is said of breaks and totals".to_owned(),
            ),
        }
        lines.extend(report.files.iter().map(FileView::text));
        if !report.absent.is_empty() {
            lines.push(format!("signed too, and not there: {}", report.absent.join(", ")));
        }
        lines.join("\n")
    }

    fn verified(&self) -> String {
        let by = "two different officers whose cards were given signed it, the checker what the maker signed";
        match &self.subject {
            SubjectView::Report(ReportView { files, absent, .. }) => {
                let all = files.len().saturating_add(absent.len());
                format!("{by}; {} of {all} files are those that were signed", files.len())
            }
            SubjectView::Accepted { .. } => by.to_owned(),
        }
    }
}

/// What a report says of breaks and totals.
fn said(summary: &ReportSummary) -> Vec<String> {
    let counts = &summary.counts;
    let mut lines = vec![format!(
        "{} rows compared, {} the same, {} within the tolerance; breaks: {} open, {} explained, {} accepted",
        counts.compared,
        counts.matched,
        counts.within_tolerance,
        counts.open,
        counts.explained,
        counts.accepted
    )];
    for total in &summary.totals {
        let proven = match (&total.proven, &total.proven_by) {
            (Some(proven), Some(by)) => format!("{proven} proven by {by}"),
            _ => "nothing proven".to_owned(),
        };
        lines.push(format!("{}: the register has {}, {proven}", total.asset, total.register));
    }
    lines
}
