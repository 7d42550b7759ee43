//! Opening legs and register snapshots: `sudare ceremony log`, `partial` and `open`.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use rand_core::OsRng;
use serde::Serialize;
use sudare_crypto::Encoded;
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_disclosure::threshold::{Partial, Shares, combine};
use sudare_ledger::leg::{Amount, Disclosed};
use sudare_ledger::tree::SignedCheckpoint;

use super::super::access::read_entry;
use super::super::asset::write_new;
use super::super::connect::Connection;
use super::super::grant::read_desk;
use super::super::{Failure, NodeArgs, Output};
use super::files;
use crate::clock::now_ms;
use crate::opening::{Content, LOG_BYTES_MAX, LogFile, OpenedSeed, VerifiedEntry};
use crate::operator::{PeerAnswer, PeerQuery};

/// A log to fetch.
#[derive(Debug, Args)]
pub(in super::super) struct LogArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The registrar's name.
    #[arg(long)]
    registrar: String,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Which leg or snapshot.
#[derive(Debug, Args)]
pub(in super::super) struct LegArgs {
    /// The group's file.
    #[arg(long)]
    group: PathBuf,
    /// The file that `log` wrote. All of it is verified again here.
    #[arg(long)]
    log: PathBuf,
    /// Its entry in the log, from 0.
    #[arg(long)]
    pub(in super::super) entry: u64,
}

/// A partial to make.
#[derive(Debug, Args)]
pub(in super::super) struct PartialArgs {
    #[command(flatten)]
    leg: LegArgs,
    /// This officer's key.
    #[arg(long)]
    key: PathBuf,
    /// This officer's shares.
    #[arg(long)]
    shares: PathBuf,
    /// The permit that `sudare access opening` wrote: the entry of the reader's access log for this opening.
    #[arg(long, value_name = "FILE", requires = "desk", required_unless_present = "without_grant")]
    permit: Option<PathBuf>,
    /// The reader's desk, as `sudare grant desk` wrote it and officers compared it.
    #[arg(long, value_name = "FILE")]
    desk: Option<PathBuf>,
    /// Answer without a grant. Nothing records it.
    #[arg(long, conflicts_with = "permit")]
    without_grant: bool,
    /// The file to write. With enough others it opens the leg: it is as confidential as that.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// A leg to read.
#[derive(Debug, Args)]
pub(in super::super) struct OpenArgs {
    #[command(flatten)]
    leg: LegArgs,
    /// The officers' partials.
    #[arg(long, num_args = 1.., required = true, value_name = "FILE")]
    partials: Vec<PathBuf>,
    /// Of a snapshot: the file to write its seed to, for `sudare audit replay --snapshot-seed`. As confidential as the parties and
    /// links of all accounts.
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
}

impl LegArgs {
    pub(in super::super) fn find(
        &self,
    ) -> Result<(sudare_disclosure::threshold::Group, VerifiedEntry), Failure> {
        let group = files::group(&self.group)?.check()?.clone();
        let log: LogFile = decode(&read_log(&self.log)?, "a log file")?;
        let found = VerifiedEntry::find(&log, &group, self.entry)?;
        Ok((group, found))
    }
}

pub(super) async fn log(args: &LogArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let registrar = connection.member(&args.registrar)?.id;
    let terms = super::super::account::find_at(&connection, &registrar, &args.asset).await?;
    let asset = terms.terms.asset();
    let mut entries: Vec<Vec<u8>> = Vec::new();
    let mut first: Option<SignedCheckpoint> = None;
    // Entries beyond the first checkpoint belong to a later file.
    let checkpoint = loop {
        let from = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let query = PeerQuery::Log { asset, from };
        let PeerAnswer::Log { entries: page, checkpoint } =
            connection.peer_query(&registrar, &query).await?
        else {
            return Err(Failure::Node("the registrar answered something else".into()));
        };
        let size = first.get_or_insert(checkpoint).unverified().size;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if page.is_empty() && entries.len() < size {
            return Err(Failure::CheckFailed(format!("entry {from} of {size} is missing")));
        }
        entries.extend(page);
        entries.truncate(size);
        if entries.len() >= size {
            break first;
        }
    };
    let checkpoint = checkpoint.ok_or_else(|| Failure::Node("the log has no checkpoint".into()))?;
    let count = entries.len();
    write_new(&args.out, &encode(&LogFile { version: Version, checkpoint, entries }))?;
    output.result(&count, &format!("{count} entries written to {}", args.out.display()));
    Ok(())
}

pub(super) fn partial(args: &PartialArgs, output: &Output) -> Result<(), Failure> {
    let key = files::officer_key(&args.key)?;
    let shares: Shares = files::open_sealed(&key, &args.shares, "an officer's shares")?;
    let (group, found) = args.leg.find()?;
    match (&args.permit, &args.desk) {
        (Some(permit), Some(desk)) => {
            let permit = read_entry(permit)?.permit(&read_desk(desk)?, now_ms())?;
            found.permitted(&group, args.leg.entry, &permit)?;
        }
        _ => output.note("(!) no grant: this opening is recorded nowhere"),
    }
    let partial = found.request(&group)?.answer(&group, &shares, &mut OsRng)?;
    write_new(&args.out, &encode(&partial))?;
    let text = format!("the log holds; written: {}", args.out.display());
    output.result(&super::Written { written: vec![args.out.display().to_string()] }, &text);
    Ok(())
}

pub(super) fn open(args: &OpenArgs, output: &Output) -> Result<(), Failure> {
    let (group, found) = args.leg.find()?;
    let mut partials: Vec<Partial> = Vec::new();
    for path in &args.partials {
        partials.push(files::decoded(path, "a partial")?);
    }
    let combined = combine(&group, &found.request(&group)?, &partials, &mut OsRng)
        .map_err(|few| Failure::CheckFailed(few.to_string()))?;
    for wrong in &combined.wrong {
        output.note(&format!("(!) {wrong}"));
    }
    let wrong = combined.wrong.iter().map(ToString::to_string).collect();
    match &found.content {
        Content::Leg(leg) => {
            let disclosed = leg
                .disclose(&found.epoch, &combined.opened)
                .map_err(|error| Failure::CheckFailed(error.to_string()))?;
            let read = ReadLeg::of(args.leg.entry, disclosed, wrong);
            output.result(&read, &read.text());
        }
        Content::Snapshot(snapshot, _) => {
            let Some(file) = &args.seed else {
                return Err(Failure::Usage("a snapshot's seed is written to --seed FILE".into()));
            };
            let unreadable = || {
                Failure::CheckFailed(
                    "[SEC-4] the snapshot's seed does not open: its registrar sealed something else".into(),
                )
            };
            let seed = snapshot.open(&found.epoch, &combined.opened).map_err(|_| unreadable())?;
            let (asset, entry) = (snapshot.heading.asset, args.leg.entry);
            let seed = seed.ok_or_else(unreadable)?;
            let opened = OpenedSeed { version: Version, asset, entry, seed };
            files::write_private(file, &encode(&opened))?;
            let read = ReadSnapshot {
                entry,
                snapshot: snapshot.heading.number,
                seed: file.display().to_string(),
                wrong_partials: wrong,
            };
            let text = format!(
                "seed of register snapshot {} written to {}: `sudare audit replay --snapshot-seed` recomputes it, if other keys read parties and links of every leg before it",
                read.snapshot, read.seed
            );
            output.result(&read, &text);
        }
    }
    Ok(())
}

/// A snapshot's seed that was opened.
#[derive(Serialize)]
struct ReadSnapshot {
    entry: u64,
    snapshot: u32,
    seed: String,
    wrong_partials: Vec<String>,
}

/// What was read of a leg; what is out of scope is none.
#[derive(Serialize)]
struct ReadLeg {
    entry: u64,
    amounts: Option<Vec<String>>,
    senders: Option<Vec<String>>,
    receivers: Option<Vec<String>>,
    reference: Option<String>,
    trade_id: Option<String>,
    notes_spent: Option<usize>,
    wrong_partials: Vec<String>,
}

impl ReadLeg {
    fn of(entry: u64, disclosed: Disclosed, wrong_partials: Vec<String>) -> Self {
        let accounts = |points: &[Encoded]| points.iter().map(|one| format!("{one:?}")).collect();
        let amounts = disclosed.amounts.map(|all| all.iter().map(amount).collect());
        Self {
            entry,
            amounts,
            senders: disclosed.parties.as_ref().map(|(senders, _)| accounts(senders)),
            receivers: disclosed.parties.as_ref().map(|(_, receivers)| accounts(receivers)),
            reference: disclosed.sender.flatten().map(|reference| reference.to_string()),
            trade_id: disclosed.trade.flatten().map(|trade| trade.trade_id.to_string()),
            notes_spent: disclosed.links.flatten().map(|links| links.notes.len()),
            wrong_partials,
        }
    }

    fn text(&self) -> String {
        let mut lines = vec![format!("entry {}", self.entry)];
        let mut list = |what: &str, all: &Option<Vec<String>>| {
            lines.extend(all.as_ref().map(|all| format!("{what}: {}", all.join(", "))));
        };
        list("amounts", &self.amounts);
        list("senders", &self.senders);
        list("receivers", &self.receivers);
        lines.extend(self.reference.as_ref().map(|text| format!("reference: {text}")));
        lines.extend(self.trade_id.as_ref().map(|id| format!("trade: {id}")));
        lines.extend(self.notes_spent.map(|count| format!("notes spent: {count}")));
        lines.join("\n")
    }
}

fn amount(amount: &Amount) -> String {
    match amount {
        Amount::Known(value) => value.to_string(),
        Amount::Unspendable(value) => format!("{value}, with a false memo: it can't be spent"),
        Amount::Hidden(point) => format!("hidden: see `sudare audit solve --point {point:?}`"),
    }
}

fn read_log(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::File(path.to_owned(), error);
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(failed)?;
    file.take(LOG_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
