//! `sudare checkpoint`: what anybody needs to hold a registrar to its log.

mod witness;

pub(super) use witness::keep;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use sudare_api::packet::CheckpointView;
use sudare_crypto::encoding::{decode, encode};
use sudare_disclosure::AssetCore;
use sudare_ledger::bundle::Bundle;
use sudare_ledger::packet::Fork;
use sudare_ledger::tree::SignedCheckpoint;

use super::account::find_at;
use super::asset::{read, write_new};
use super::connect::Connection;
use super::verify::{open_checkpoint, read_checkpoint};
use super::{Failure, NodeArgs, Output};
use crate::operator::{PeerAnswer, PeerQuery};

/// `sudare checkpoint`.
#[derive(Debug, Subcommand)]
pub(super) enum CheckpointCommand {
    /// Fetch the newest checkpoint of an asset's log from its registrar, to be kept or handed on.
    Fetch(FetchArgs),
    /// Make a file of two checkpoints of one size with two roots, which convicts the registrar to anybody.
    Evidence(EvidenceArgs),
    /// Co-sign the newest checkpoint of an asset's log, if it extends the last one that this node co-signed.
    Witness(witness::WitnessArgs),
}

/// Which checkpoint to fetch.
#[derive(Debug, Args)]
pub(super) struct FetchArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The registrar's name.
    #[arg(long)]
    registrar: String,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// Also write the asset's definition, whose hash is the asset's identity.
    #[arg(long, value_name = "FILE")]
    core: Option<PathBuf>,
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
}

/// Two checkpoints.
#[derive(Debug, Args)]
pub(super) struct EvidenceArgs {
    /// The asset's definition, as `asset define` or `checkpoint fetch` writes it.
    #[arg(long, value_name = "FILE")]
    core: PathBuf,
    /// One checkpoint.
    #[arg(long, value_name = "FILE")]
    one: PathBuf,
    /// The other.
    #[arg(long, value_name = "FILE")]
    other: PathBuf,
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
}

pub(super) async fn run(command: CheckpointCommand, output: &Output) -> Result<(), Failure> {
    match command {
        CheckpointCommand::Fetch(args) => fetch(&args, output).await,
        CheckpointCommand::Evidence(args) => evidence(&args, output),
        CheckpointCommand::Witness(args) => witness::run(&args, output).await,
    }
}

async fn fetch(args: &FetchArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let registrar = connection.member(&args.registrar)?.id;
    let core = find_at(&connection, &registrar, &args.asset).await?.terms.core;
    let checkpoint = fetch_newest(&connection, &core).await?;
    let opened = open_checkpoint(&checkpoint, &core)?;
    write_new(&args.out, checkpoint.to_text().as_bytes())?;
    if let Some(file) = &args.core {
        write_new(file, &encode(&core))?;
    }
    let text = format!(
        "checkpoint of {} entries, root {}, written to {}",
        opened.size,
        opened.root,
        args.out.display()
    );
    output.result(&CheckpointView::of(&opened), &text);
    Ok(())
}

async fn fetch_newest(
    connection: &Connection,
    core: &AssetCore,
) -> Result<SignedCheckpoint, Failure> {
    let query = PeerQuery::AssetCheckpoint(core.id());
    match connection.peer_query(&core.registrar, &query).await? {
        PeerAnswer::Checkpoint(checkpoint) => Ok(checkpoint),
        _ => Err(Failure::Node("the registrar answered something else".into())),
    }
}

fn evidence(args: &EvidenceArgs, output: &Output) -> Result<(), Failure> {
    let core: AssetCore = decode(&read(&args.core)?, "an asset's definition")?;
    let (one, other) = (read_checkpoint(&args.one)?, read_checkpoint(&args.other)?);
    let fork = Fork { core, one, other };
    let (size, _) = fork.verify().map_err(|error| Failure::CheckFailed(error.to_string()))?;
    let registrar = fork.core.registrar.to_string();
    write_new(&args.out, &Bundle::Fork(Box::new(fork)).to_bytes())?;
    let text = format!(
        "registrar {registrar} signed two histories of {size} entries; the evidence is in {}",
        args.out.display()
    );
    output.result(&text, &text);
    Ok(())
}
