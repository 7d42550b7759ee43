//! `sudare verify`: checks a file on any machine, without network, node, data folder or configuration (specs/disclosure.md).
//!
//! What kind of file it is, is read from its first bytes; each kind has a module here that says what its reader must know, checks
//! it, and reports what it shows and what it doesn't.

mod access;
mod audit;
mod checkpoint;
mod erasure;
mod files;
mod fork;
mod holdings;
mod joint;
mod packet;
mod receipt;
mod register;
mod sign_off;
mod statement;

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use sudare_crypto::encoding::decode;
use sudare_crypto::{Hash, NodeId};
use sudare_disclosure::{AssetCore, AssetId};
use sudare_ledger::bundle::{BUNDLE_BYTES_MAX, Bundle};

use super::asset::read;
use super::{Failure, Output};

pub(super) use checkpoint::{open_checkpoint, read_checkpoint};
pub(super) use files::{Beside, beside, hash};
pub(super) use statement::StatementView;

/// What to verify, and what its reader knows.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// A packet, a statement, a receipt, a checkpoint, an entry of an access log, evidence of a fork, an audit, the certificate of an
    /// erasure, or the sign-off of a reconciliation.
    file: PathBuf,
    /// Of a packet or statement: what you call yourself.
    #[arg(long)]
    recipient: Option<String>,
    /// Of a packet or statement: the nonce that you gave its custodian.
    #[arg(long)]
    nonce: Option<String>,
    /// The asset's identity, 64 hexadecimal digits; a checkpoint says more.
    #[arg(long, value_name = "ID")]
    asset: Option<String>,
    /// Of a packet or statement: the checkpoint that you trust, from the registrar, a witness or a replay.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Of a statement: the registrar's proof that the later of the two checkpoints extends the earlier, if they differ in size.
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    consistency: Option<PathBuf>,
    /// Of a statement: take one of an earlier state than your checkpoint's.
    #[arg(long, requires = "checkpoint")]
    earlier: bool,
    /// Of an account's packet: the snapshot that its period begins with at the latest.
    #[arg(long, value_name = "NUMBER")]
    from: Option<u32>,
    /// Of an account's packet: the snapshot that its period ends with at the earliest.
    #[arg(long, value_name = "NUMBER")]
    until: Option<u32>,
    /// Of an asset's checkpoint: a node, as 64 hexadecimal digits, that must have co-signed it; may be given several times.
    #[arg(long, value_name = "ID")]
    witness: Vec<String>,
    /// Of an asset's checkpoint, a receipt or an audit: the asset's definition, as `asset define` or `checkpoint fetch` writes it.
    #[arg(long, value_name = "FILE")]
    core: Option<PathBuf>,
    /// Of a receipt, of an access log's entry of what was disclosed or done with personal data, of a checkpoint of a notary's or
    /// access log or evidence against it, of an audit or the certificate of an erasure: the node whose word it must be, as 64
    /// hexadecimal digits.
    #[arg(long, value_name = "ID")]
    node: Option<String>,
    /// Of an entry of a regulator's access log: its desk, as `sudare grant desk` wrote it.
    #[arg(long, value_name = "FILE")]
    desk: Option<PathBuf>,
    /// Of an audit, or of a report's sign-off: the folder with the files that were signed; the file's own if left out.
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// Of a sign-off: cards of the officers that may sign; repeat for more.
    #[arg(long, value_name = "CARD")]
    officer: Vec<PathBuf>,
}

pub(super) fn run(args: &VerifyArgs, output: &Output) -> Result<(), Failure> {
    let bytes = read_file(&args.file)?;
    // A checkpoint is a text that begins with its log's name.
    if bytes.starts_with(b"sudare/") {
        return checkpoint::verify(args, &bytes, output);
    }
    let bundle = Bundle::parse(&bytes).map_err(|error| failed(&args.file, error))?;
    match &bundle {
        Bundle::Packet(packet) => packet::verify(args, packet, output),
        Bundle::Fork(fork) => fork::verify(args, fork, output),
        Bundle::Statement(statement) => statement::verify(args, statement, output),
        Bundle::Receipt(file) => receipt::verify(args, file, output),
        Bundle::Access(entry) => access::verify(args, entry, output),
        Bundle::NodeFork(fork) => fork::verify_node(args, fork, output),
        Bundle::Audit(signed) => audit::verify(args, signed, output),
        Bundle::Erasure(signed) => erasure::verify(args, signed, output),
        Bundle::SignOff(sign_off) => sign_off::verify(args, sign_off, output),
    }
}

impl VerifyArgs {
    /// Refuses what says nothing about this kind of file: whoever gives it believes that it was checked.
    fn only(&self, kind: &str, used: &[&str]) -> Result<(), Failure> {
        let given = [
            ("--recipient", self.recipient.is_some()),
            ("--nonce", self.nonce.is_some()),
            ("--asset", self.asset.is_some()),
            ("--checkpoint", self.checkpoint.is_some()),
            ("--consistency", self.consistency.is_some()),
            ("--earlier", self.earlier),
            ("--from", self.from.is_some()),
            ("--until", self.until.is_some()),
            ("--witness", !self.witness.is_empty()),
            ("--core", self.core.is_some()),
            ("--node", self.node.is_some()),
            ("--desk", self.desk.is_some()),
            ("--files", self.files.is_some()),
            ("--officer", !self.officer.is_empty()),
        ];
        let useless = given.iter().find(|(name, given)| *given && !used.contains(name));
        useless.map_or(Ok(()), |(name, _)| {
            Err(Failure::Usage(format!(
                "{name} says nothing about this file, {kind}: leave it out"
            )))
        })
    }

    fn asset(&self) -> Result<Option<AssetId>, Failure> {
        self.asset.as_deref().map(|id| digits(id, "an asset's identity").map(AssetId)).transpose()
    }

    fn node(&self) -> Result<Option<NodeId>, Failure> {
        let node = self.node.as_deref().map(|id| digits(id, "a node"));
        Ok(node.transpose()?.map(|hash| NodeId(hash.0)))
    }

    /// The folder with the files that a bundle names.
    fn folder(&self) -> &Path {
        let beside = self.file.parent().unwrap_or_else(|| Path::new(""));
        self.files.as_deref().unwrap_or(beside)
    }

    fn core(&self) -> Result<Option<AssetCore>, Failure> {
        let Some(core) = &self.core else { return Ok(None) };
        Ok(Some(decode(&read(core)?, "an asset's definition")?))
    }
}

/// What was verified, in the same form for every kind of file.
#[derive(Debug, Serialize)]
struct Report<V> {
    /// What kind of file it is.
    kind: &'static str,
    /// What it says.
    #[serde(flatten)]
    view: V,
    /// The same for people.
    #[serde(skip)]
    text: String,
    /// What was checked.
    verified: String,
    /// What nobody should read into it.
    not_shown: &'static str,
}

impl<V: Serialize> Report<V> {
    fn print(&self, output: &Output) -> Result<(), Failure> {
        let Self { kind, text, verified, not_shown, .. } = self;
        let text = format!("{kind}: holds\n{text}\nverified: {verified}\nnot shown: {not_shown}");
        output.result(self, &text);
        Ok(())
    }
}

fn failed(file: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::CheckFailed(format!("{}: {error}", file.display()))
}

fn digits(text: &str, what: &str) -> Result<Hash, Failure> {
    let usage = || Failure::Usage(format!("{text} is not {what}: 64 hexadecimal digits"));
    Hash::from_hex(text).ok_or_else(usage)
}

fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::File(path.to_owned(), error);
    let limit = u64::try_from(BUNDLE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
