//! `sudare reconcile`: the register against what custodians and partners say and what the ledger proves (specs/reconciliation.md).

mod fetch;
mod files;
mod proven;
mod sign_off;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use sudare_api::calendar::{BusinessDate, Calendar};
use sudare_api::reconciliation::{
    Counts, Covers, Pending, Proven, Question, Report, Rules, View, reconcile,
};

use super::{Failure, Output};

pub(super) use files::read;

/// `sudare reconcile`.
#[derive(Debug, Subcommand)]
#[command(after_long_help = "\
A day, step by step:
  fetch     write what a node keeps as files: at the registrar its register, at each custodian its view and the trades under way
  run       compare, and write the report in all its forms
  accept    of a difference that stays: one officer says why, a second one approves it; `run --accepted` then counts it as settled
  sign      the maker signs the report with all its files
  approve   the checker, another officer, signs what the first one signed

The sign-off is a file for `sudare verify`: put it beside the report's files, or those of them that its reader gets.")]
pub(super) enum ReconcileCommand {
    /// Write what a registrar's or custodian's node keeps as the files that `run` reads.
    Fetch(fetch::FetchArgs),
    /// Compare the register with custodians' views, partners' books and the ledger's proven totals.
    Run(Box<RunArgs>),
    /// As one officer, propose to accept a difference as it is.
    Accept(sign_off::AcceptArgs),
    /// As the maker, sign a report with all its files.
    Sign(sign_off::SignArgs),
    /// As a second officer, sign what the first one signed.
    Approve(sign_off::ApproveArgs),
}

/// What to compare.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// As of which business date, YYYY-MM-DD.
    #[arg(long, value_name = "DATE")]
    as_of: String,
    /// The register as CSV: asset,account,custodian,partner,quantity.
    #[arg(long, value_name = "FILE")]
    register: PathBuf,
    /// A custodian's view as NAME=FILE: CSV (asset,account,quantity), or semt.002 with its pages as FILE,FILE; repeat for more.
    #[arg(long, value_name = "NAME=FILES")]
    view: Vec<String>,
    /// A partner's own book, compared with the register's rows of that partner; as --view.
    #[arg(long, value_name = "NAME=FILES")]
    partner: Vec<String>,
    /// What the ledger proves: a statement of the registrar that all holdings are the supply, and the checkpoint that you trust.
    #[arg(long, value_name = "STATEMENT=CHECKPOINT", requires = "recipient")]
    proven_by: Vec<String>,
    /// For whom these statements were made.
    #[arg(long, value_name = "NAME")]
    recipient: Option<String>,
    /// The same as a number that nothing checks, as CODE=UNITS or CODE=UNITS:BY, such as an entry and root; repeat for more. The report
    /// says that nothing checked it.
    #[arg(long, value_name = "CODE=UNITS")]
    proven: Vec<String>,
    /// Trades under way as CSV: trade_id,asset,account,direction,quantity,delivery_date.
    #[arg(long, value_name = "FILE")]
    pending: Option<PathBuf>,
    /// For how many business days after its delivery date a trade explains a difference.
    #[arg(long, default_value_t = 1, value_name = "DAYS")]
    timing_days: u32,
    /// By how many atomic units rows of an asset may differ, as CODE=UNITS; none without.
    #[arg(long, value_name = "CODE=UNITS")]
    tolerance: Vec<String>,
    /// Decimals of an asset in semt.002, as CODE=PLACES; none without.
    #[arg(long, value_name = "CODE=PLACES")]
    decimals: Vec<String>,
    /// The report.json before, by which breaks have an age.
    #[arg(long, value_name = "FILE")]
    earlier: Option<PathBuf>,
    /// A difference that two officers accepted; repeat for more.
    #[arg(long, value_name = "FILE", requires = "officer")]
    accepted: Vec<PathBuf>,
    /// Cards of the officers that may accept; repeat for more.
    #[arg(long, value_name = "CARD")]
    officer: Vec<PathBuf>,
    /// The folder to write, which must not exist yet.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Summary<'a> {
    as_of: String,
    hash: String,
    #[serde(flatten)]
    counts: &'a Counts,
    oldest_open: u32,
    folder: String,
    files: Vec<String>,
}

pub(super) async fn run(command: ReconcileCommand, output: &Output) -> Result<(), Failure> {
    match command {
        ReconcileCommand::Fetch(args) => fetch::fetch(&args, output).await,
        ReconcileCommand::Run(args) => run_one(&args, output),
        ReconcileCommand::Accept(args) => sign_off::accept(&args, output),
        ReconcileCommand::Sign(args) => sign_off::sign(&args, output),
        ReconcileCommand::Approve(args) => sign_off::approve(&args, output),
    }
}

fn run_one(args: &RunArgs, output: &Output) -> Result<(), Failure> {
    let as_of: BusinessDate = args.as_of.parse().map_err(|error| usage("--as-of", error))?;
    let mut sources = files::Sources::default();
    let register = sources.register(&args.register)?;
    let mut proven = Vec::new();
    for text in &args.proven {
        proven.push(said(text)?);
    }
    for text in &args.proven_by {
        let recipient = args.recipient.as_deref().unwrap_or_default();
        proven.push(proven::by_statement(text, recipient, &mut sources)?);
    }
    let decimals = numbers(&args.decimals)?;
    let mut views = Vec::new();
    let custodians = args.view.iter().map(|text| (text, false));
    for (text, partner) in custodians.chain(args.partner.iter().map(|text| (text, true))) {
        let (name, files) = pair(text)?;
        output.progress(&format!("reading {name}"));
        let (rows, declared) = sources.view(name, files, &decimals)?;
        let name = name.to_owned();
        let covers = if partner { Covers::Partner } else { Covers::Custodian };
        views.push(View { covers: covers(name.clone()), name, rows, declared });
    }
    let pending: Vec<Pending> =
        args.pending.as_ref().map(|file| sources.pending(file)).transpose()?.unwrap_or_default();
    let earlier =
        args.earlier.as_ref().map(|file| sources.earlier(file)).transpose()?.unwrap_or_default();
    let accepted = sign_off::accepted(&args.accepted, &args.officer)?;
    let rules = Rules { tolerance: numbers(&args.tolerance)?, timing_days: args.timing_days };
    let question = Question {
        as_of,
        calendar: &Calendar::newest(),
        register: &register,
        views: &views,
        proven: &proven,
        pending: &pending,
        rules: &rules,
        earlier: &earlier,
        accepted: &accepted,
    };
    let bar = output.bar(0);
    let mut report = reconcile(&question, |done, all| {
        bar.set_length(u64::try_from(all).unwrap_or(u64::MAX));
        bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    })
    .map_err(|error| usage("a date", error))?;
    bar.finish_and_clear();
    report.sources = sources.into_hashes();
    let written = files::write(&args.out, &report, &register, &decimals)?;
    print(args, &report, written, output);
    match report.counts.open {
        0 => Ok(()),
        open => Err(Failure::CheckFailed(format!(
            "{open} open breaks: see {}",
            args.out.join("report.html").display()
        ))),
    }
}

fn print(args: &RunArgs, report: &Report, written: files::Written, output: &Output) {
    let counts = &report.counts;
    let summary = Summary {
        as_of: report.as_of.to_string(),
        hash: written.hash,
        counts,
        oldest_open: report.oldest(),
        folder: args.out.display().to_string(),
        files: written.files,
    };
    let text = format!(
        "as of {}: {} rows compared, {} the same, {} within the tolerance; breaks: {} open (oldest {} business days), {} explained, {} accepted\n\
         report.json has the hash {}\nwritten to {}: {}",
        summary.as_of,
        counts.compared,
        counts.matched,
        counts.within_tolerance,
        counts.open,
        summary.oldest_open,
        counts.explained,
        counts.accepted,
        summary.hash,
        summary.folder,
        summary.files.join(", ")
    );
    output.result(&summary, &text);
}

fn said(text: &str) -> Result<Proven, Failure> {
    let (asset, rest) = pair(text)?;
    let (units, by) = rest.split_once(':').unwrap_or((rest, "no source given"));
    let units = units.parse().map_err(|_| usage(text, "the units must be a number"))?;
    Ok(Proven {
        asset: asset.to_owned(),
        units,
        by: format!("a number that nothing checked: {by}"),
    })
}

fn numbers<T: std::str::FromStr>(texts: &[String]) -> Result<BTreeMap<String, T>, Failure> {
    let mut numbers = BTreeMap::new();
    for text in texts {
        let (asset, number) = pair(text)?;
        let number = number.parse().map_err(|_| usage(text, "must end with a number"))?;
        numbers.insert(asset.to_owned(), number);
    }
    Ok(numbers)
}

fn pair(text: &str) -> Result<(&str, &str), Failure> {
    text.split_once('=').ok_or_else(|| usage(text, "must be NAME=VALUE"))
}

fn usage(what: &str, error: impl std::fmt::Display) -> Failure {
    Failure::Usage(format!("{what}: {error}"))
}
