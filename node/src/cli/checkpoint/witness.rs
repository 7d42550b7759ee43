//! `sudare checkpoint witness`: a member co-signs a checkpoint that extends the last one it co-signed (specs/logs.md).

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use sudare_api::packet::CheckpointView;
use sudare_disclosure::AssetCore;
use sudare_ledger::bundle::Bundle;
use sudare_ledger::packet::Fork;
use sudare_ledger::tree::{ConsistencyProof, SignedCheckpoint, SignerName};

use super::{fetch_newest, open_checkpoint};
use crate::cli::account::find_at;
use crate::cli::asset::write_new;
use crate::cli::connect::Connection;
use crate::cli::verify::read_checkpoint;
use crate::cli::{Failure, NodeArgs, Output};
use crate::operator::{PeerAnswer, PeerQuery};

/// Which checkpoint to co-sign.
#[derive(Debug, Args)]
pub(in crate::cli) struct WitnessArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The registrar's name.
    #[arg(long)]
    registrar: String,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// A checkpoint that somebody else got or co-signed; the registrar's newest without.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
}

/// Enforces [WIT-1] (!): what is co-signed extends what this node co-signed before, and is on disk before anybody gets it.
pub(super) async fn run(args: &WitnessArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let registrar = connection.member(&args.registrar)?.id;
    let core = find_at(&connection, &registrar, &args.asset).await?.terms.core;
    let mut checkpoint = match &args.checkpoint {
        Some(file) => read_checkpoint(file)?,
        None => fetch_newest(&connection, &core).await?,
    };
    let opened = open_checkpoint(&checkpoint, &core)?;
    let folder = connection.node.config_file.parent().unwrap_or(Path::new(".")).join("witness");
    let kept = folder.join(format!("{}.txt", core.id()));
    let last = if kept.exists() { Some(read_checkpoint(&kept)?) } else { None };
    if let Some(last) = &last {
        extends(&connection, &core, last, &checkpoint, &args.out).await?;
    }
    let key = connection.node.identity.key();
    let name = SignerName::of_node(&core.network.to_string(), &key.id());
    let name = name.map_err(|error| Failure::CheckFailed(error.to_string()))?;
    let signed = checkpoint.verify(&name, &key.id()).is_ok();
    if !signed {
        let cosigned = checkpoint.cosign(name, &key.id(), |text| key.sign_raw(text));
        cosigned.map_err(|error| Failure::CheckFailed(error.to_string()))?;
    }
    if last.is_none_or(|last| last.unverified().size <= opened.size) {
        keep(&folder, &kept, &checkpoint)?;
    }
    write_new(&args.out, checkpoint.to_text().as_bytes())?;
    let text = format!(
        "checkpoint of {} entries, root {}, co-signed and written to {}",
        opened.size,
        opened.root,
        args.out.display()
    );
    output.result(&CheckpointView::of(&opened), &text);
    Ok(())
}

/// Refuses a checkpoint that is not of one log with the last one, and keeps what convicts the registrar.
async fn extends(
    connection: &Connection,
    core: &AssetCore,
    last: &SignedCheckpoint,
    new: &SignedCheckpoint,
    out: &Path,
) -> Result<(), Failure> {
    let (one, other) = (open_checkpoint(last, core)?, open_checkpoint(new, core)?);
    let fork = Fork { core: core.clone(), one: last.clone(), other: new.clone() };
    if fork.verify().is_ok() {
        let mut evidence = out.as_os_str().to_owned();
        evidence.push(".fork");
        write_new(Path::new(&evidence), &Bundle::Fork(Box::new(fork)).to_bytes())?;
        return Err(Failure::CheckFailed(format!(
            "[LOG-5] the registrar signed two histories of {} entries, this one and the one co-signed before: nothing is co-signed, the evidence is in {}",
            one.size,
            Path::new(&evidence).display()
        )));
    }
    let (old, new) = if one.size <= other.size { (one, other) } else { (other, one) };
    let mut proof = ConsistencyProof::default();
    if old.size < new.size {
        let query = PeerQuery::Consistency { asset: core.id(), old: old.size, new: new.size };
        match connection.peer_query(&core.registrar, &query).await? {
            PeerAnswer::Consistency(joined) => proof = joined,
            _ => return Err(Failure::Node("the registrar answered something else".into())),
        }
    }
    let joined = proof.verify(old.size, &old.root, new.size, &new.root);
    joined.map_err(|_| {
        Failure::CheckFailed(format!(
            "[WIT-1] nothing shows that the checkpoint of {} entries extends the one of {}: nothing is co-signed; if the registrar can't join them it forked its log, keep both",
            new.size, old.size
        ))
    })
}

/// Replaces the checkpoint that was kept last; it is on disk when this returns.
pub(in crate::cli) fn keep(
    folder: &Path,
    kept: &Path,
    checkpoint: &SignedCheckpoint,
) -> Result<(), Failure> {
    let failed = |error| Failure::File(kept.to_owned(), error);
    match fs::create_dir(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => (),
    }
    // Whoever co-signs at the same time fails here.
    let new = kept.with_extension("new");
    let mut file = File::create_new(&new).map_err(|error| Failure::File(new.clone(), error))?;
    file.write_all(checkpoint.to_text().as_bytes()).map_err(failed)?;
    file.sync_all().map_err(failed)?;
    fs::rename(&new, kept).map_err(failed)?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}
