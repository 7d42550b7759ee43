//! What two officers sign: a report, or that a difference stays.

use std::path::{Path, PathBuf};

use borsh::{BorshDeserialize, BorshSerialize};
use clap::Args;
use serde::Serialize;
use sudare_api::reconciliation::{Accepted, EarlierReport};
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::{Bounded, Hash, NodeId, NodeSignature};
use sudare_disclosure::threshold::{Officer, OfficerKey};
use sudare_ledger::access::sha256;

use super::super::asset::write_new;
use super::super::ceremony::{officer_card, officer_key};
use super::super::trade::text;
use super::files::{bad, read};
use super::{Failure, Output};

const DOMAIN: &[u8] = b"sudare/reconciliation/v1";

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
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A report to sign.
#[derive(Debug, Args)]
pub(in crate::cli) struct SignArgs {
    /// The report.json.
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
    /// The maker's key.
    #[arg(long)]
    key: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What to approve.
#[derive(Debug, Args)]
pub(in crate::cli) struct ApproveArgs {
    /// What the first officer signed.
    file: PathBuf,
    /// The second officer's key.
    #[arg(long)]
    key: PathBuf,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A report and its signatures.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArgs {
    /// The report.json.
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
    /// What maker and checker signed.
    #[arg(long, value_name = "FILE")]
    sign_off: PathBuf,
    /// Cards of the officers that may sign; repeat for more.
    #[arg(long, value_name = "CARD", required = true)]
    officer: Vec<PathBuf>,
}

/// What is signed.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
enum Subject {
    /// A report, by the SHA-256 of its JSON.
    Report(Hash),
    /// That a difference stays.
    Accept { id: Text32, difference: Text41, reason: Text200 },
}

type Text32 = sudare_crypto::encoding::Text<32>;
type Text41 = sudare_crypto::encoding::Text<41>;
type Text200 = sudare_crypto::encoding::Text<200>;

/// A subject with the officers' signatures, the first one's first.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
struct Word {
    version: Version<1>,
    subject: Subject,
    signatures: Bounded<(NodeId, NodeSignature), 2>,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct WordView {
    subject: String,
    signatures: usize,
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
    Word::begin(subject, &officer_key(&args.key)?)?.write(&args.out, output)
}

pub(super) fn sign(args: &SignArgs, output: &Output) -> Result<(), Failure> {
    let json = read(&args.report)?;
    EarlierReport::parse(&json).map_err(|error| bad(&args.report, error))?;
    let subject = Subject::Report(sha256(&json));
    Word::begin(subject, &officer_key(&args.key)?)?.write(&args.out, output)
}

pub(super) fn approve(args: &ApproveArgs, output: &Output) -> Result<(), Failure> {
    let mut word = Word::read(&args.file)?;
    let key = officer_key(&args.key)?;
    let [(first, signature)] = &*word.signatures else {
        return Err(bad(&args.file, "it must have one signature before a second one"));
    };
    // Enforces [REC-4]: one officer is not two.
    if *first == key.id() {
        return Err(bad(
            &args.file,
            "[REC-4] the same officer signed it first: another one must approve it",
        ));
    }
    word.check(*first, signature)
        .map_err(|()| bad(&args.file, "the first signature doesn't hold"))?;
    let both = vec![(*first, *signature), (key.id(), key.sign(DOMAIN, &word.message()))];
    word.signatures = both.try_into()?;
    word.write(&args.out, output)
}

pub(super) fn verify(args: &VerifyArgs, output: &Output) -> Result<(), Failure> {
    let json = read(&args.report)?;
    let word = Word::read(&args.sign_off)?;
    let officers = cards(&args.officer)?;
    let (maker, checker) = word.two_of(&officers).map_err(|error| bad(&args.sign_off, error))?;
    match word.subject {
        Subject::Report(hash) if hash == sha256(&json) => (),
        Subject::Report(_) => return Err(bad(&args.report, "[REC-4] another report was signed")),
        Subject::Accept { .. } => {
            return Err(bad(&args.sign_off, "it accepts a difference, it doesn't sign a report"));
        }
    }
    EarlierReport::parse(&json).map_err(|error| bad(&args.report, error))?;
    let people = [maker, checker];
    output.result(&people, &format!("holds: made by {}, checked by {}", people[0], people[1]));
    Ok(())
}

/// Differences that two of the officers accepted.
pub(super) fn accepted(files: &[PathBuf], officers: &[PathBuf]) -> Result<Vec<Accepted>, Failure> {
    let officers = cards(officers)?;
    let mut all = Vec::new();
    for file in files {
        let word = Word::read(file)?;
        let (by, approved_by) = word.two_of(&officers).map_err(|error| bad(file, error))?;
        let Subject::Accept { id, difference, reason } = word.subject else {
            return Err(bad(file, "it signs a report, it doesn't accept a difference"));
        };
        let (id, difference, reason) = (id.to_string(), difference.to_string(), reason.to_string());
        all.push(Accepted { id, difference, reason, by, approved_by });
    }
    Ok(all)
}

fn cards(files: &[PathBuf]) -> Result<Vec<Officer>, Failure> {
    files.iter().map(|file| officer_card(file)).collect()
}

/// The difference of a report's break.
fn difference_of(json: &[u8], id: &str) -> Option<String> {
    let report: serde_json::Value = serde_json::from_slice(json).ok()?;
    let breaks = report.get("breaks")?.as_array()?;
    let found = breaks.iter().find(|one| one.get("id").is_some_and(|found| found == id))?;
    Some(found.get("difference")?.as_str()?.to_owned())
}

impl Word {
    fn begin(subject: Subject, key: &OfficerKey) -> Result<Self, Failure> {
        let mut word = Self { version: Version, subject, signatures: Bounded::default() };
        word.signatures = vec![(key.id(), key.sign(DOMAIN, &word.message()))].try_into()?;
        Ok(word)
    }

    fn read(file: &Path) -> Result<Self, Failure> {
        Ok(decode(&read(file)?, "what officers sign of a reconciliation")?)
    }

    fn message(&self) -> Vec<u8> {
        encode(&(self.version, self.subject.clone()))
    }

    fn check(&self, officer: NodeId, signature: &NodeSignature) -> Result<(), ()> {
        officer.verify(DOMAIN, &self.message(), signature).map_err(|_| ())
    }

    /// Enforces [REC-4]: names of the two officers, who are different ones of the list, by key and by name.
    fn two_of(&self, officers: &[Officer]) -> Result<(String, String), &'static str> {
        let [(one, first), (other, second)] = &*self.signatures else {
            return Err("[REC-4] one officer signed it: a second one must approve it");
        };
        let known = |id: &NodeId| officers.iter().find(|officer| officer.id == *id);
        let (Some(maker), Some(checker)) = (known(one), known(other)) else {
            return Err("[REC-4] somebody signed it whose card wasn't given");
        };
        if one == other || maker.name == checker.name {
            return Err("[REC-4] one officer signed it twice");
        }
        self.check(*one, first)
            .and_then(|()| self.check(*other, second))
            .map_err(|()| "[REC-4] a signature doesn't hold")?;
        Ok((maker.name.to_string(), checker.name.to_string()))
    }

    fn write(&self, file: &Path, output: &Output) -> Result<(), Failure> {
        write_new(file, &encode(self))?;
        let subject = match &self.subject {
            Subject::Report(hash) => format!("the report with SHA-256 {hash}"),
            Subject::Accept { id, difference, reason } => {
                format!("the break {id} with the difference {difference} is accepted: {reason}")
            }
        };
        let signatures = self.signatures.len();
        let next =
            if signatures < 2 { "; another officer runs `sudare reconcile approve`" } else { "" };
        let said =
            format!("{subject}\n{signatures} of 2 signatures, written to {}{next}", file.display());
        output.result(&WordView { subject, signatures }, &said);
        Ok(())
    }
}
