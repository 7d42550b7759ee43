//! `sudare access watch`: keeps the checkpoint of another node's access log, so that nothing is taken out of it unseen.

use std::path::Path;

use clap::Args;
use sudare_api::packet::CheckpointView;
use sudare_crypto::encoding::Version;
use sudare_ledger::bundle::Bundle;
use sudare_ledger::packet::NodeFork;

use super::{extends, newest, open};
use crate::cli::asset::write_new;
use crate::cli::checkpoint::keep;
use crate::cli::connect::Connection;
use crate::cli::verify::read_checkpoint;
use crate::cli::{Failure, NodeArgs, Output};

/// Whose log.
#[derive(Debug, Args)]
pub(in crate::cli) struct WatchArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The name of the regulator or custodian.
    #[arg(long)]
    of: String,
}

/// Enforces [ACC-5]: what is kept extends what was kept before; what does not is kept beside it, and refused.
pub(super) async fn run(args: &WatchArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let node = connection.member(&args.of)?.id;
    let folder = connection.node.config_file.parent().unwrap_or(Path::new(".")).join("watch");
    let kept = folder.join(format!("{node}.txt"));
    let signed = newest(&connection, node).await?;
    let new = open(&connection, node, &signed)?;
    let before = if kept.exists() { Some(read_checkpoint(&kept)?) } else { None };
    if let Some(one) = before.clone() {
        let old = open(&connection, node, &one)?;
        if !extends(&connection, node, &old, &new).await? {
            let refused = kept.with_extension(format!("refused-{}", new.root));
            let fork = NodeFork { version: Version, node, one, other: signed.clone() };
            let (bytes, what) = match fork.verify() {
                Ok(_) => (Bundle::NodeFork(Box::new(fork)).to_bytes(), "the evidence is in"),
                Err(_) => (signed.to_text().into_bytes(), "the checkpoint that does not fit is in"),
            };
            if !refused.exists() {
                write_new(&refused, &bytes)?;
            }
            return Err(Failure::CheckFailed(format!(
                "[ACC-5] the access log of {} had {} entries and does not begin with them any more: {what} {}, the one kept before in {}; ask its operator for the consistency proof",
                args.of,
                old.size,
                refused.display(),
                kept.display()
            )));
        }
    }
    keep(&folder, &kept, &signed)?;
    let more = new.size.saturating_sub(before.map_or(0, |old| old.unverified().size));
    let text = format!(
        "{} entries, {more} more than when it was looked at last; nothing was taken out; root {}; kept in {}",
        new.size,
        new.root,
        kept.display()
    );
    output.result(&CheckpointView::of(&new), &text);
    Ok(())
}
