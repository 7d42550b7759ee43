//! Checkpoints of logs: an asset's, a notary's, or what a regulator read.

use std::path::Path;

use sudare_api::packet::CheckpointView;
use sudare_crypto::NodeId;
use sudare_disclosure::AssetCore;
use sudare_ledger::packet::node_log;
use sudare_ledger::tree::{Checkpoint, CheckpointError, SignedCheckpoint, SignerName};

use super::super::asset::read;
use super::{Failure, Output, Report, VerifyArgs, digits, failed};

const KIND: &str = "checkpoint";
const NOT_SHOWN: &str = "that it is the newest, and that nobody was shown another history: compare it with what others hold";

/// Reads a checkpoint's text; nothing of it is verified yet.
pub(in crate::cli) fn read_checkpoint(path: &Path) -> Result<SignedCheckpoint, Failure> {
    parse(path, &read(path)?)
}

/// The checkpoint, if it is the asset's registrar's.
pub(in crate::cli) fn open_checkpoint(
    checkpoint: &SignedCheckpoint,
    core: &AssetCore,
) -> Result<Checkpoint, Failure> {
    let origin = sudare_ledger::registrar::origin(core.network, core.id());
    let opened = origin.and_then(|origin| checkpoint.open(&origin, &core.registrar).cloned());
    opened.map_err(|error| Failure::CheckFailed(error.to_string()))
}

pub(super) fn verify(args: &VerifyArgs, bytes: &[u8], output: &Output) -> Result<(), Failure> {
    args.only(KIND, &["--core", "--witness", "--node"])?;
    let checkpoint = parse(&args.file, bytes)?;
    let (opened, whose, network) = match (args.core()?, args.node()?) {
        (Some(core), None) => {
            let whose =
                format!("{} ({}), signed by registrar {}", core.code, core.id(), core.registrar);
            (open_checkpoint(&checkpoint, &core)?, whose, Some(core.network.to_string()))
        }
        (None, Some(node)) => {
            let origin = node_log(&checkpoint, node);
            let opened = origin.and_then(|origin| checkpoint.open(&origin, &node).cloned());
            let opened = opened.map_err(|error| failed(&args.file, error))?;
            (opened, format!("what node {node} keeps, signed by it"), None)
        }
        _ => {
            return Err(Failure::Usage(
                "a checkpoint is verified with --core FILE, the asset's definition, which names the registrar's key; one of a notary's or access log with --node ID".into(),
            ));
        }
    };
    let co_signed = checkpoint.witnesses().map_err(|error| failed(&args.file, error))?;
    for wanted in &args.witness {
        let node = NodeId(digits(wanted, "a node")?.0);
        witnessed(&checkpoint, network.as_deref(), node)?;
    }
    let text = format!(
        "log of {whose}: {} entries, root {}\nco-signed by {}",
        opened.size,
        opened.root,
        if co_signed.is_empty() {
            "nobody else".to_owned()
        } else {
            co_signed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        },
    );
    let verified = format!(
        "the log's own signature and those of {} witness(es), {} of them asked for",
        co_signed.len(),
        args.witness.len()
    );
    let view = CheckpointView::of(&opened);
    Report { kind: KIND, view, text, verified, not_shown: NOT_SHOWN }.print(output)
}

/// Checks that a node co-signed the checkpoint.
fn witnessed(
    checkpoint: &SignedCheckpoint,
    network: Option<&str>,
    node: NodeId,
) -> Result<(), Failure> {
    let Some(network) = network else {
        return Err(Failure::Usage("--witness asks for members who co-sign assets' logs".into()));
    };
    let name = SignerName::of_node(network, &node).map_err(CheckpointError::from);
    let verified = name.and_then(|name| checkpoint.verify(&name, &node));
    verified.map_err(|error| Failure::CheckFailed(format!("[WIT-1] witness {node}: {error}")))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<SignedCheckpoint, Failure> {
    SignedCheckpoint::parse(bytes).map_err(|error| failed(path, error))
}
