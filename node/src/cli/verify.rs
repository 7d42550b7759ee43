//! `sudare verify`: checks a file on any machine, without network, node or configuration.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use sudare_api::packet::{
    AccountPacketView, CheckpointView, EventView, OutputView, PacketView, SnapshotView,
};
use sudare_crypto::encoding::decode;
use sudare_crypto::{Hash, NodeId};
use sudare_disclosure::{AssetCore, AssetId};
use sudare_ledger::packet::{Anchor, BUNDLE_BYTES_MAX, Bundle, Expected, Fork, Packet, Shown};
use sudare_ledger::tree::{Checkpoint, CheckpointError, SignedCheckpoint, SignerName};

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
    /// Of an account's packet: the snapshot that its period begins with at the latest.
    #[arg(long, value_name = "NUMBER")]
    from: Option<u32>,
    /// Of an account's packet: the snapshot that its period ends with at the earliest.
    #[arg(long, value_name = "NUMBER")]
    until: Option<u32>,
    /// Of a checkpoint: a node, as 64 hexadecimal digits, that must have co-signed it; may be given several times.
    #[arg(long, value_name = "NODE")]
    witness: Vec<String>,
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
    for node in &args.witness {
        witnessed(&checkpoint, &core, node)?;
    }
    let text = format!(
        "checkpoint of {} ({}), signed by registrar {}: {} entries, root {}; {} witness(es) asked for, all co-signed it",
        core.code,
        core.id(),
        core.registrar,
        opened.size,
        opened.root,
        args.witness.len()
    );
    output.result(&CheckpointView::of(&opened), &text);
    Ok(())
}

/// Checks that a node co-signed the checkpoint.
fn witnessed(checkpoint: &SignedCheckpoint, core: &AssetCore, node: &str) -> Result<(), Failure> {
    let id = Hash::from_hex(node).map(|hash| NodeId(hash.0));
    let id =
        id.ok_or_else(|| Failure::Usage(format!("{node} is not a node: 64 hexadecimal digits")))?;
    let name = SignerName::of_node(&core.network.to_string(), &id).map_err(CheckpointError::from);
    let verified = name.and_then(|name| checkpoint.verify(&name, &id));
    verified.map_err(|error| Failure::CheckFailed(format!("[WIT-1] witness {node}: {error}")))
}

fn verify_packet(args: &VerifyArgs, packet: &Packet, output: &Output) -> Result<(), Failure> {
    let (Some(recipient), Some(nonce)) = (args.recipient.clone(), args.nonce.clone()) else {
        return Err(Failure::Usage(
            "a packet is verified with --recipient and --nonce: who you are, and the nonce that you gave its custodian".into(),
        ));
    };
    let verified = packet.verify(&Expected { recipient, nonce, anchor: anchor(args)? });
    let verified = verified.map_err(|error| Failure::CheckFailed(error.to_string()))?;
    if let Shown::Account(account) = &verified.shown {
        let covers = account.covers(args.from, args.until);
        covers.map_err(|error| Failure::CheckFailed(error.to_string()))?;
    }
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
    let CheckpointView { entries, root, .. } = &view.checkpoint;
    let shown = match (&view.output, &view.account) {
        (Some(output), _) => output_report(output),
        (None, Some(account)) => account_report(account),
        (None, None) => String::new(),
    };
    format!(
        "packet by custodian {custodian}\n\
         for {:?}, nonce {:?}, purpose {:?}, made at {} ms\n\
         asset {code} ({asset}), registrar {registrar}, notary {notary}\n\
         under a checkpoint of {entries} entries of the asset's log, root {root}\n\
         {shown}",
        view.recipient, view.nonce, view.purpose, view.made_at_ms
    )
}

fn output_report(view: &OutputView) -> String {
    let OutputView { entry, transaction, leg, output, time_ms, quantity, .. } = view;
    let trade = match &view.trade {
        Some(trade) => format!(
            "trade {}, delivery date {}, {} {}",
            trade.trade_id, trade.delivery_date, trade.kind, trade.note
        ),
        None => "trade data: not disclosed".to_owned(),
    };
    format!(
        "received: {quantity} atomic units, recorded by the notary at {time_ms} ms\n\
         {trade}\n\
         transaction {transaction}, leg {leg}, output {output}, entry {entry}\n\
         verified: the custodian's signature for this recipient and nonce; every approval; the notary's receipt; the components under\n\
         the leg's root; the entry under the registrar's checkpoint; the amount against the ledger's commitment\n\
         not shown: anything about other transfers, earlier or later, or whether this note was spent since"
    )
}

fn account_report(view: &AccountPacketView) -> String {
    let name =
        |SnapshotView { number, at_ms }: &SnapshotView| format!("snapshot {number} ({at_ms} ms)");
    let from = view.from.as_ref().map_or_else(|| "the asset's first entry".to_owned(), name);
    let event = |event: &EventView| match event {
        EventView::Received(OutputView { entry, time_ms, quantity, trade, .. }) => {
            let trade = trade.as_ref().map(|trade| format!(", trade {}", trade.trade_id));
            let trade = trade.unwrap_or_default();
            format!("  entry {entry}: received {quantity}, recorded at {time_ms} ms{trade}\n")
        }
        EventView::Spent { entry, quantity, .. } => format!("  entry {entry}: spent {quantity}\n"),
    };
    let events: String = view.events.iter().map(event).collect();
    let AccountPacketView { account, opening, closing, .. } = view;
    format!(
        "account {account}, from {from} until {}\n\
         held at the beginning: {opening} atomic units\n\
         {events}held at the end: {closing} atomic units\n\
         verified: the custodian's signature for this recipient and nonce; both snapshots in the asset's log; {} events, none missing, by\n\
         the account's chain in the snapshots; what was received as final and in the log, each amount against the ledger's commitment; the\n\
         holdings at both ends against the snapshots' commitments\n\
         not shown: that the registrar's snapshots are true, which a replay with parties and links shows; other accounts of the customer",
        name(&view.until),
        view.events.len()
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
