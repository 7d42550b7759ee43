//! `sudare access`: a node's log of what was read, disclosed and done with personal data, and how others watch it (specs/access.md).

mod watch;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use sudare_api::packet::CheckpointView;
use sudare_crypto::NodeId;
use sudare_ledger::access::{
    AccessEntry, AccessEvent, Disclosure, Handling, LoggedEntry, Use, origin, row_hash, sha256,
};
use sudare_ledger::bundle::Bundle;
use sudare_ledger::tree::{Checkpoint, SignedCheckpoint};

use super::asset::{read, write_new};
use super::ceremony::LegArgs;
use super::connect::Connection;
use super::grant::ScopeView;
use super::verify::{VerifyArgs, read_checkpoint};
use super::{Failure, NodeArgs, Output};
use crate::access::{self, NOT_LOGGED};
use crate::operator::{OperatorAnswer, OperatorQuery, PeerAnswer, PeerQuery};

/// `sudare access`.
#[derive(Debug, Subcommand)]
pub(super) enum AccessCommand {
    /// Show a node's own access log: desks, grants and what was read under them, what was disclosed, who handled personal data.
    Log(LogArgs),
    /// Fetch the checkpoint of a regulator's access log, and check that the log still has all that it had. A custodian may.
    Checkpoint(CheckpointArgs),
    /// Watch another node's access log: keep its checkpoint, and refuse one that doesn't have all that was there before.
    Watch(watch::WatchArgs),
    /// Have it recorded that something that was read under a grant is handed out.
    HandOut(HandOutArgs),
    /// Write one entry with what shows that it is in the log.
    Prove(ProveArgs),
    /// The same as `sudare verify`.
    Verify(VerifyArgs),
    /// Have it recorded that officers are about to open a leg or a register snapshot together: the permit without which an honest officer answers nothing.
    Opening(OpeningArgs),
}

/// How many rows of an entry people are shown; programs get all.
const ROWS_SHOWN: usize = 3;

/// Which entries.
#[derive(Debug, Args)]
pub(super) struct LogArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The first entry.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Only who handled the personal data of one row: its id in the API.
    #[arg(long, value_name = "ID")]
    row: Option<String>,
}

/// Whose checkpoint.
#[derive(Debug, Args)]
pub(super) struct CheckpointArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The name of the regulator.
    #[arg(long)]
    of: String,
    /// An earlier checkpoint: the new one must extend it.
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Which entry.
#[derive(Debug, Args)]
pub(super) struct ProveArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The entry's index, from 0.
    #[arg(long)]
    entry: u64,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// An opening.
#[derive(Debug, Args)]
pub(super) struct OpeningArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The grant's identity, or how it begins.
    #[arg(long)]
    grant: String,
    #[command(flatten)]
    leg: LegArgs,
    /// The permit to write, for the officers.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What is handed out.
#[derive(Debug, Args)]
pub(super) struct HandOutArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The grant that it was read under: its identity, or how it begins.
    #[arg(long)]
    grant: String,
    /// To whom.
    #[arg(long)]
    recipient: String,
    /// The file.
    file: PathBuf,
}

pub(super) async fn run(command: AccessCommand, output: &Output) -> Result<(), Failure> {
    match command {
        AccessCommand::Log(args) => log(&args, output).await,
        AccessCommand::Checkpoint(args) => checkpoint(&args, output).await,
        AccessCommand::Watch(args) => watch::run(&args, output).await,
        AccessCommand::HandOut(args) => hand_out(&args, output).await,
        AccessCommand::Prove(args) => {
            let connection = Connection::open(&args.node.config)?;
            let shown = access::prove(&connection, args.entry).await?;
            shown.check(connection.node.network, connection.own())?;
            let line = EntryLine::of(shown.index, &shown.entry);
            write_new(&args.out, &Bundle::Access(Box::new(shown)).to_bytes())?;
            output.result(&line, &format!("{}\nwritten to {}", line.text(), args.out.display()));
            Ok(())
        }
        AccessCommand::Verify(args) => super::verify::run(&args, output),
        AccessCommand::Opening(args) => opening(&args, output).await,
    }
}

async fn log(args: &LogArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let (mut lines, mut next) = (Vec::new(), args.from);
    let row = args.row.as_deref().map(row_hash);
    loop {
        let OperatorAnswer::Access(page) = connection.query(&OperatorQuery::Access(next)).await?
        else {
            return Err(Failure::Node("the node keeps no access log".into()));
        };
        if page.is_empty() {
            break;
        }
        for entry in page {
            if row.is_none_or(|row| entry.event.is_about(&row)) {
                lines.push(EntryLine::of(next, &entry));
            }
            next = next.saturating_add(1);
        }
    }
    output.rows(&lines, &["entry", "at (ms)", "event", "grant", "what"], EntryLine::cells);
    output.note(NOT_LOGGED);
    Ok(())
}

async fn checkpoint(args: &CheckpointArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let reader = connection.member(&args.of)?.id;
    let signed = newest(&connection, reader).await?;
    let new = open(&connection, reader, &signed)?;
    if let Some(file) = &args.known {
        let old = open(&connection, reader, &read_checkpoint(file)?)?;
        if !extends(&connection, reader, &old, &new).await? {
            return Err(Failure::CheckFailed(format!(
                "the access log of {} had {} entries and does not begin with them any more: keep {} and ask the regulator",
                args.of,
                old.size,
                file.display()
            )));
        }
    }
    write_new(&args.out, signed.to_text().as_bytes())?;
    let joined = if args.known.is_some() { ", which begin with those known before" } else { "" };
    let text = format!("{} entries{joined}; root {}", new.size, new.root);
    output.result(&CheckpointView::of(&new), &text);
    Ok(())
}

/// The checkpoint of a node's access log, as it is now.
async fn newest(connection: &Connection, reader: NodeId) -> Result<SignedCheckpoint, Failure> {
    match connection.peer_query(&reader, &PeerQuery::AccessCheckpoint).await? {
        PeerAnswer::Checkpoint(signed) => Ok(signed),
        _ => Err(Failure::Node("the node answered something else".into())),
    }
}

fn open(
    connection: &Connection,
    reader: NodeId,
    signed: &SignedCheckpoint,
) -> Result<Checkpoint, Failure> {
    let name = origin(connection.node.network, reader);
    let opened = name.and_then(|name| signed.open(&name, &reader).cloned());
    opened.map_err(|error| Failure::CheckFailed(error.to_string()))
}

/// Whether the node's access log still begins with all that it had.
async fn extends(
    connection: &Connection,
    reader: NodeId,
    old: &Checkpoint,
    new: &Checkpoint,
) -> Result<bool, Failure> {
    if new.size <= old.size {
        return Ok(new.size == old.size && new.root == old.root);
    }
    let query = PeerQuery::AccessConsistency { old: old.size, new: new.size };
    match connection.peer_query(&reader, &query).await? {
        PeerAnswer::Consistency(proof) => {
            Ok(proof.verify(old.size, &old.root, new.size, &new.root).is_ok())
        }
        _ => Err(Failure::Node("the node answered something else".into())),
    }
}

async fn opening(args: &OpeningArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let grant = access::grant(&connection, &args.grant).await?;
    let (group, opened) = args.leg.find()?;
    opened.within(&group, &grant.grant.scope)?;
    let (entry, request) = (args.leg.entry, opened.request(&group)?.hash());
    let what = Use::Opening { entry, request };
    let (shown, permit) = access::permit(&connection, grant.grant.id(), what).await?;
    let line = EntryLine::of(permit.index(), &shown.entry);
    write_new(&args.out, &Bundle::Access(Box::new(shown)).to_bytes())?;
    output.note(NOT_LOGGED);
    output.result(&line, &format!("{}\npermit written to {}", line.text(), args.out.display()));
    Ok(())
}

async fn hand_out(args: &HandOutArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let grant = access::grant(&connection, &args.grant).await?;
    let file =
        std::fs::read(&args.file).map_err(|error| Failure::File(args.file.clone(), error))?;
    let recipient = super::trade::text(&args.recipient, "a recipient")?;
    let what = Use::HandedOut { file: sha256(&file), recipient };
    let (shown, permit) = access::permit(&connection, grant.grant.id(), what).await?;
    let line = EntryLine::of(permit.index(), &shown.entry);
    output.note(NOT_LOGGED);
    output.result(&line, &line.text());
    Ok(())
}

/// Reads a file of one entry; nothing of it is checked yet.
pub(super) fn read_entry(path: &std::path::Path) -> Result<LoggedEntry, Failure> {
    match Bundle::parse(&read(path)?) {
        Ok(Bundle::Access(shown)) => Ok(*shown),
        Ok(_) | Err(_) => Err(Failure::Usage(format!(
            "{} is not an entry of an access log, or it was cut short: have it made again",
            path.display()
        ))),
    }
}

/// An entry for people and programs.
#[derive(Debug, Serialize)]
pub(super) struct EntryLine {
    entry: u64,
    at_ms: u64,
    event: &'static str,
    grant: Option<String>,
    what: String,
    scope: Option<ScopeView>,
    handling: Option<HandlingView>,
}

/// Who handles personal data, for people and programs.
#[derive(Debug, Serialize)]
struct HandlingView {
    client: String,
    institution: String,
    what: String,
    reason: Option<String>,
    rows: Vec<String>,
}

impl HandlingView {
    fn of(handling: &Handling) -> Self {
        let Handling { client, institution, what, reason, rows } = handling;
        Self {
            client: client.to_string(),
            institution: institution.to_string(),
            what: what.to_string(),
            reason: Some(reason.to_string()).filter(|reason| !reason.is_empty()),
            rows: rows.iter().map(ToString::to_string).collect(),
        }
    }

    fn text(&self) -> String {
        let Self { client, institution, what, reason, rows } = self;
        let why = reason.as_deref().unwrap_or("no reason said");
        let mut text = format!("{what} by {client} of {institution}: {why}; ");
        let shown: Vec<&str> = rows.iter().take(ROWS_SHOWN).map(String::as_str).collect();
        text.push_str(&shown.join(", "));
        let more = rows.len().saturating_sub(ROWS_SHOWN);
        if more > 0 {
            text.push_str(&format!(" and {more} more rows"));
        }
        text
    }
}

impl EntryLine {
    pub(super) fn of(index: u64, entry: &AccessEntry) -> Self {
        let (mut scope, mut handling) = (None, None);
        let (event, grant, what) = match &entry.event {
            AccessEvent::Desk(signed) => {
                let desk = &signed.desk;
                let what = format!("{} of {} must sign", desk.needed, desk.officers.len());
                ("desk", None, what)
            }
            AccessEvent::Granted(signed) => {
                let grant = &signed.grant;
                scope = Some(ScopeView::of(&grant.scope));
                ("granted", Some(grant.id()), format!("case {}: {}", grant.case, grant.purpose))
            }
            AccessEvent::Revoked(revocation) => {
                ("revoked", Some(revocation.grant), format!("by {}", revocation.officer))
            }
            AccessEvent::Used(grant, Use::Read { scope: read }) => {
                scope = Some(ScopeView::of(read));
                ("read", Some(*grant), scope.as_ref().map(ScopeView::text).unwrap_or_default())
            }
            AccessEvent::Used(grant, Use::Opening { entry, request }) => {
                ("opening", Some(*grant), format!("of entry {entry}, request {request}"))
            }
            AccessEvent::Used(grant, Use::HandedOut { file, recipient }) => {
                ("handed out", Some(*grant), format!("{file} to {recipient}"))
            }
            AccessEvent::Disclosed(disclosure) => {
                let Disclosure { account, what, recipient, purpose, file, .. } = disclosure;
                let why =
                    if purpose.as_str().is_empty() { "no purpose said" } else { purpose.as_str() };
                let what = format!("{what} of {account:?} to {recipient}: {why}; SHA-256 {file}");
                ("disclosed", None, what)
            }
            AccessEvent::Handled(what) => {
                let view = HandlingView::of(what);
                let text = view.text();
                handling = Some(view);
                ("personal data", None, text)
            }
        };
        let grant = grant.map(|id| id.to_string());
        Self { entry: index, at_ms: entry.at, event, grant, what, scope, handling }
    }

    fn cells(&self) -> Vec<String> {
        let grant = self.grant.as_deref().unwrap_or_default();
        vec![
            self.entry.to_string(),
            self.at_ms.to_string(),
            self.event.to_owned(),
            grant.chars().take(16).collect(),
            self.what.clone(),
        ]
    }

    pub(super) fn text(&self) -> String {
        format!("entry {} at {} ms: {}, {}", self.entry, self.at_ms, self.event, self.what)
    }
}
