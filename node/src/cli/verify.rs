//! `sudare verify`: checks a file on any machine, without network, node or configuration.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use sudare_api::packet::{CheckpointView, OutputView, PacketView};
use sudare_crypto::Hash;
use sudare_crypto::encoding::decode;
use sudare_disclosure::{AssetCore, AssetId};
use sudare_ledger::packet::{Anchor, BUNDLE_BYTES_MAX, Bundle, Expected, Fork, Packet};
use sudare_ledger::tree::{Checkpoint, SignedCheckpoint};

use super::asset::read;
use super::{Failure, Output};

/// What to verify, and what its reader knows.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// A packet, a checkpoint, or evidence of a fork.
    file: PathBuf,
    /// Of a packet: what you call yourself.
    #[arg(long)]
    recipient: Option<String>,
    /// Of a packet: the nonce that you gave its custodian.
    #[arg(long)]
    nonce: Option<String>,
    /// The asset's identity, 64 hexadecimal digits; a checkpoint says more.
    #[arg(long)]
    asset: Option<String>,
    /// Of a packet: the checkpoint that you trust, from the registrar, a witness or a replay.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Of a checkpoint: the asset's definition, as `asset define` or `checkpoint fetch` writes it.
    #[arg(long, value_name = "FILE")]
    core: Option<PathBuf>,
}

pub(super) fn run(args: &VerifyArgs, output: &Output) -> Result<(), Failure> {
    let bytes = read_bundle(&args.file)?;
    // A checkpoint is a text that begins with its log's name.
    if bytes.starts_with(b"sudare/") {
        return checkpoint(args, &bytes, output);
    }
    let bundle = Bundle::parse(&bytes).map_err(|error| Failure::CheckFailed(error.to_string()))?;
    match bundle {
        Bundle::Packet(packet) => verify_packet(args, &packet, output),
        Bundle::Fork(fork) => verify_fork(args, &fork, output),
    }
}

/// Reads a checkpoint's text; nothing of it is verified yet.
pub(super) fn read_checkpoint(path: &Path) -> Result<SignedCheckpoint, Failure> {
    parse_checkpoint(path, &read(path)?)
}

/// The checkpoint, if it is the asset's registrar's.
pub(super) fn open_checkpoint(
    checkpoint: &SignedCheckpoint,
    core: &AssetCore,
) -> Result<Checkpoint, Failure> {
    let origin = sudare_ledger::registrar::origin(core.network, core.id());
    let opened = origin.and_then(|origin| checkpoint.open(&origin, &core.registrar).cloned());
    opened.map_err(|error| Failure::CheckFailed(error.to_string()))
}

fn checkpoint(args: &VerifyArgs, bytes: &[u8], output: &Output) -> Result<(), Failure> {
    let checkpoint = parse_checkpoint(&args.file, bytes)?;
    let Some(core) = &args.core else {
        return Err(Failure::Usage(
            "a checkpoint is verified with --core FILE, the asset's definition, which names the registrar's key".into(),
        ));
    };
    let core: AssetCore = decode(&read(core)?, "an asset's definition")?;
    let opened = open_checkpoint(&checkpoint, &core)?;
    let text = format!(
        "checkpoint of {} ({}), signed by registrar {}: {} entries, root {}",
        core.code,
        core.id(),
        core.registrar,
        opened.size,
        opened.root
    );
    output.result(&CheckpointView::of(&opened), &text);
    Ok(())
}

fn verify_packet(args: &VerifyArgs, packet: &Packet, output: &Output) -> Result<(), Failure> {
    let (Some(recipient), Some(nonce)) = (args.recipient.clone(), args.nonce.clone()) else {
        return Err(Failure::Usage(
            "a packet is verified with --recipient and --nonce: who you are, and the nonce that you gave its custodian".into(),
        ));
    };
    let verified = packet.verify(&Expected { recipient, nonce, anchor: anchor(args)? });
    let verified = verified.map_err(|error| Failure::CheckFailed(error.to_string()))?;
    let view = PacketView::of(packet, &verified);
    output.result(&view, &report(&view));
    Ok(())
}

fn anchor(args: &VerifyArgs) -> Result<Anchor, Failure> {
    if let Some(file) = &args.checkpoint {
        return Ok(Anchor::Checkpoint(Box::new(read_checkpoint(file)?)));
    }
    let asset = args.asset.as_ref().ok_or_else(|| {
        Failure::Usage(
            "a packet is verified with --checkpoint FILE, a checkpoint that you trust, or at least --asset ID".into(),
        )
    })?;
    let id = Hash::from_hex(asset).ok_or_else(|| {
        Failure::Usage(format!("{asset} is not an asset's identity: 64 hexadecimal digits"))
    })?;
    Ok(Anchor::Asset(AssetId(id)))
}

/// A registrar that is convicted.
#[derive(Debug, Serialize)]
struct ForkView {
    code: String,
    asset: String,
    registrar: String,
    entries: u64,
    roots: Vec<String>,
}

fn verify_fork(args: &VerifyArgs, fork: &Fork, output: &Output) -> Result<(), Failure> {
    let (entries, roots) =
        fork.verify().map_err(|error| Failure::CheckFailed(error.to_string()))?;
    let core = &fork.core;
    let (asset, registrar) = (core.id().to_string(), core.registrar.to_string());
    if args.asset.as_ref().is_some_and(|expected| *expected != asset) {
        return Err(Failure::CheckFailed(format!("the evidence is about another asset, {asset}")));
    }
    let roots: Vec<String> = roots.iter().map(ToString::to_string).collect();
    let text = format!(
        "registrar {registrar} forked the log of {} ({asset}): it signed two roots of {entries} entries,\n  {}",
        core.code,
        roots.join("\n  ")
    );
    let code = core.code.to_string();
    output.result(&ForkView { code, asset, registrar, entries, roots }, &text);
    Ok(())
}

fn report(view: &PacketView) -> String {
    let PacketView { code, asset, registrar, notary, custodian, .. } = view;
    let OutputView { entry, transaction, leg, output, time_ms, quantity, .. } = &view.output;
    let CheckpointView { entries, root, .. } = &view.checkpoint;
    let trade = match &view.output.trade {
        Some(trade) => format!(
            "trade {}, delivery date {}, {} {}",
            trade.trade_id, trade.delivery_date, trade.kind, trade.note
        ),
        None => "trade data: not disclosed".to_owned(),
    };
    format!(
        "packet by custodian {custodian}\n\
         for {:?}, nonce {:?}, purpose {:?}, made at {} ms\n\
         asset {code} ({asset}), registrar {registrar}, notary {notary}\n\
         received: {quantity} atomic units, recorded by the notary at {time_ms} ms\n\
         {trade}\n\
         transaction {transaction}, leg {leg}, output {output}\n\
         entry {entry} of the asset's log, under a checkpoint of {entries} entries, root {root}\n\
         verified: the custodian's signature for this recipient and nonce; every approval; the notary's receipt; the components under\n\
         the leg's root; the entry under the registrar's checkpoint; the amount against the ledger's commitment\n\
         not shown: anything about other transfers, earlier or later, or whether this note was spent since",
        view.recipient, view.nonce, view.purpose, view.made_at_ms
    )
}

fn parse_checkpoint(path: &Path, bytes: &[u8]) -> Result<SignedCheckpoint, Failure> {
    let failed = |error| Failure::CheckFailed(format!("{}: {error}", path.display()));
    SignedCheckpoint::parse(bytes).map_err(failed)
}

fn read_bundle(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::File(path.to_owned(), error);
    let limit = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
