//! `sudare audit`: making disclosure keys, replaying an asset's log.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use clap::{Args, Subcommand};
use rand_core::OsRng;
use sudare_crypto::encoding::{decode, encode};
use sudare_crypto::{Bounded, Encoded, Hash, Text};
use sudare_disclosure::{
    AssetCore, AssetId, DisclosureKey, DisclosureSecret, Field, Fields, KeyPurpose, SignedTerms,
};
use sudare_ledger::access::{Scope, Use};
use sudare_ledger::snapshot::SnapshotSeed;

use super::asset::{read, write_new};
use super::connect::Connection;
use super::grant::ScopeArgs;
use super::trade::text;
use super::{Failure, NodeArgs, Output};
use crate::access;
use crate::opening::OpenedSeed;
use crate::replay::{self, Known, Out, Pace, Reached, Reading, Session, Task};

/// `sudare audit`.
#[derive(Debug, Subcommand)]
pub(super) enum AuditCommand {
    /// Make an authority's public disclosure keys for an asset, one an epoch; the secrets follow from the node's seed.
    Keys(KeysArgs),
    /// Fetch an asset's whole log, verify every proof, and read what the node's keys allow.
    Replay(ReplayArgs),
    /// Replay as above and go on with new entries as they come, until Ctrl-C; the folder is whole at any moment.
    Follow(FollowArgs),
    /// Sign with one's own keys that nothing is to be encrypted to them any more, for the registrar to amend the terms.
    Retire(super::retire::RetireArgs),
    /// Make a fresh seed, for when the node's is lost or somebody else may have it.
    Seed(super::retire::SeedArgs),
    /// Find the amount behind a point whose memo lies: a discrete logarithm, resumable, on all cores.
    Solve(super::solve::SolveArgs),
    /// Make a table that shortens every `audit solve` after it, once: resumable, on all cores.
    Table(super::dlog_table::TableArgs),
}

/// Keys to make.
#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The file that `sudare asset define` wrote.
    #[arg(long)]
    core: PathBuf,
    /// Whose keys they are.
    #[arg(long, default_value = "regulator")]
    label: String,
    /// What they read: amounts, parties, trade, links.
    #[arg(long, value_delimiter = ',', default_values = ["amounts", "parties", "trade", "links"])]
    fields: Vec<String>,
    /// How many epochs.
    #[arg(long, default_value_t = 12)]
    epochs: u32,
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
}

/// A replay.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The registrar's name.
    #[arg(long)]
    registrar: String,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// The grant to read under: its identity, or how it begins. A node with officers reads under a grant or not at all.
    #[arg(long, value_name = "ID")]
    grant: Option<String>,
    #[command(flatten)]
    scope: ScopeArgs,
    /// The folder to keep the replay in: it goes on from there when it was stopped, and when the log has grown. What it holds is as
    /// confidential as what the keys read. In memory if left out.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The folder to write register, movements and exceptions to, as CSV, JSON and Parquet, with the statement and an audit over
    /// all of them that the node signs, for `sudare verify`. Files of an earlier replay there are replaced.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The first entry whose movements and exceptions are written; the replay is of the whole log all the same.
    #[arg(long, value_name = "ENTRY", default_value_t = 0, requires = "out")]
    out_from: u64,
    /// Say how far it is also where standard error is no terminal.
    #[arg(long)]
    progress: bool,
    /// How many legs a core are decided at once, at most: fewer than a batch takes by itself need less memory and more time.
    #[arg(long, value_name = "LEGS")]
    at_once: Option<usize>,
    /// An amount that `audit solve` found, as POINT=VALUE; repeat for more.
    #[arg(long)]
    solved: Vec<String>,
    /// The seed of a register snapshot that officers opened with `sudare ceremony open --seed`; repeat for more.
    #[arg(long, value_name = "FILE")]
    snapshot_seed: Vec<PathBuf>,
}

impl ReplayArgs {
    fn tell(&self, pace: &Pace, output: &Output) {
        if self.progress {
            output.note(&pace.to_string())
        } else {
            output.progress(&pace.to_string())
        }
    }
}

/// A replay that goes on.
#[derive(Debug, Args)]
pub(super) struct FollowArgs {
    #[command(flatten)]
    replay: ReplayArgs,
    /// How often the registrar is asked for more, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
    /// End after so many checkpoints with something new.
    #[arg(long, value_name = "COUNT")]
    reports: Option<u64>,
}

/// A label has room for the mark of a retired key.
const LABEL_BYTES_MAX: usize = 31;

/// An authority's public keys for an asset.
#[derive(Clone, Debug, BorshSerialize, BorshDeserialize)]
pub(super) struct AuthorityKeys {
    /// The asset.
    pub asset: AssetId,
    /// Whose they are.
    pub label: Text<32>,
    /// One an epoch, from 0.
    pub keys: Bounded<DisclosureKey, { sudare_disclosure::policy::EPOCHS_MAX }>,
}

impl AuthorityKeys {
    /// The key of an epoch.
    #[must_use]
    pub(super) fn key(&self, epoch: u32) -> Option<&DisclosureKey> {
        self.keys.get(usize::try_from(epoch).ok()?)
    }
}

pub(super) async fn run(command: AuditCommand, output: &Output) -> Result<(), Failure> {
    match command {
        AuditCommand::Keys(args) => keys(&args, output),
        AuditCommand::Retire(args) => super::retire::run(&args, output).await,
        AuditCommand::Seed(args) => super::retire::seed(&args, output),
        AuditCommand::Solve(args) => super::solve::run(args, output).await,
        AuditCommand::Table(args) => super::dlog_table::run(args, output).await,
        AuditCommand::Replay(args) => {
            let connection = Connection::open(&args.node.config)?;
            let mut session = session(&connection, &args).await?;
            match session.catch_up(|pace| args.tell(pace, output)).await? {
                Reached::Checkpoint(checkpoint) => {
                    let report = session.report(checkpoint).await?;
                    output.result(&report, &report.text());
                    Ok(())
                }
                Reached::Stopped(next) => Err(session.stopped(next)),
            }
        }
        AuditCommand::Follow(args) => follow(&args, output).await,
    }
}

async fn session<'a>(
    connection: &'a Connection,
    args: &ReplayArgs,
) -> Result<Session<'a>, Failure> {
    let registrar = connection.member(&args.registrar)?.id;
    let terms = super::account::find_at(connection, &registrar, &args.asset).await?;
    let known = Known {
        solved: solved(&args.solved)?,
        seeds: seeds(&args.snapshot_seed, terms.terms.asset())?,
    };
    let reading = reading(connection, args, &terms).await?;
    let out = args.out.clone().map(|folder| Out { folder, from: args.out_from });
    let (folder, at_once) = (args.folder.as_deref(), args.at_once);
    Session::open(connection, Task { terms: &terms, reading, known, folder, at_once, out })
}

/// Reports at every checkpoint with something new, until it is told to stop.
async fn follow(args: &FollowArgs, output: &Output) -> Result<(), Failure> {
    if args.replay.folder.is_none() {
        return Err(Failure::Usage("to follow a log give --folder DIR, to go on from".into()));
    }
    let connection = Connection::open(&args.replay.node.config)?;
    let mut session = session(&connection, &args.replay).await?;
    let (mut known, mut reports) = (0, 0);
    while args.reports.is_none_or(|wanted| reports < wanted) {
        match session.catch_up(|pace| args.replay.tell(pace, output)).await {
            Ok(Reached::Stopped(next)) => return stopped(next, output),
            Ok(Reached::Checkpoint(checkpoint)) => {
                let size = checkpoint.unverified().size;
                if size > known {
                    let report = session.report(checkpoint).await?;
                    output.result(&report, &report.text());
                    (known, reports) = (size, reports.saturating_add(1));
                    continue;
                }
            }
            // The registrar may be away for a while.
            Err(Failure::Net(error)) => output.note(&format!("{error}; asking again")),
            Err(other) => return Err(other),
        }
        if session.pause(Duration::from_secs(args.every)).await {
            return stopped(session.kept(), output);
        }
    }
    Ok(())
}

fn stopped(next: u64, output: &Output) -> Result<(), Failure> {
    output.note(&format!("stopped before entry {next}; the same command goes on from there"));
    Ok(())
}

/// What the replay may read; under a grant that is recorded here, before anything is fetched.
async fn reading(
    connection: &Connection,
    args: &ReplayArgs,
    terms: &SignedTerms,
) -> Result<Reading, Failure> {
    let Some(id) = &args.grant else {
        if !args.scope.is_empty() {
            return Err(Failure::Usage("a scope is part of a grant: give --grant ID".into()));
        }
        let desk = access::desk(connection).await?;
        return Ok(if desk.is_some() { Reading::Nothing } else { Reading::Keys });
    };
    let grant = access::grant(connection, id).await?.grant;
    let scope = args.scope.within(&grant.scope)?;
    let asked = Scope { asset: terms.terms.asset(), ..scope };
    grant.scope.covers(&asked)?;
    let keys = replay::keys(connection, terms);
    let points: Vec<Encoded> = keys.iter().map(DisclosureSecret::point).collect();
    asked.readable(&terms.terms, &points)?;
    let (_, permit) = access::permit(connection, grant.id(), Use::Read { scope: asked }).await?;
    Ok(Reading::Under(Box::new(permit)))
}

fn keys(args: &KeysArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let core: AssetCore = decode(&read(&args.core)?, "an asset's definition")?;
    let fields = fields(&args.fields)?;
    let label: Text<32> = text(&args.label, "a label")?;
    if args.label.len() > LABEL_BYTES_MAX || args.label.starts_with(['-', '!']) {
        return Err(Failure::Usage(format!(
            "a label has at most {LABEL_BYTES_MAX} bytes and begins with neither - nor !, which mark retired keys"
        )));
    }
    let mut keys = Vec::new();
    for epoch in 0..args.epochs.max(1) {
        let network = connection.node.network;
        let purpose = KeyPurpose { network, asset: core.id(), epoch, fields, label: label.clone() };
        let secret = DisclosureSecret::derive(&connection.node.seed, &purpose);
        keys.push(secret.publish(&purpose, &mut OsRng)?);
    }
    let keys = AuthorityKeys { asset: core.id(), label, keys: keys.try_into()? };
    write_new(&args.out, &encode(&keys))?;
    let text = format!("{} key(s) for {fields} written to {}", keys.keys.len(), args.out.display());
    output.result(&text, &text);
    Ok(())
}

fn solved(pairs: &[String]) -> Result<BTreeMap<Encoded, u64>, Failure> {
    let mut solved = BTreeMap::new();
    for pair in pairs {
        let usage = || Failure::Usage(format!("{pair} is not POINT=VALUE"));
        let (point, value) = pair.split_once('=').ok_or_else(usage)?;
        let point = Hash::from_hex(point).and_then(|hash| Encoded::from_bytes(hash.0).ok());
        solved.insert(point.ok_or_else(usage)?, value.parse().map_err(|_| usage())?);
    }
    Ok(solved)
}

/// The seeds that officers opened of this asset's snapshots, by entry.
fn seeds(files: &[PathBuf], asset: AssetId) -> Result<BTreeMap<u64, SnapshotSeed>, Failure> {
    let mut seeds = BTreeMap::new();
    for path in files {
        let opened: OpenedSeed = decode(&read(path)?, "a snapshot's seed")?;
        if opened.asset != asset {
            return Err(Failure::Usage(format!("{} is of another asset", path.display())));
        }
        seeds.insert(opened.entry, opened.seed);
    }
    Ok(seeds)
}

/// The fields with these names.
pub(super) fn fields(names: &[String]) -> Result<Fields, Failure> {
    let mut fields = Vec::new();
    for name in names {
        let field = Field::ALL.into_iter().find(|field| field.to_string() == *name);
        fields.push(field.ok_or_else(|| {
            Failure::Usage(format!("{name} is not a field: amounts, parties, trade, links"))
        })?);
    }
    Fields::of(&fields).ok_or_else(|| Failure::Usage("at least one field".into()))
}
