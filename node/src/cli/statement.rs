//! `sudare statement`: what a custodian's client holds, stated without showing it, and verified offline (specs/statements.md).

use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, Subcommand};
use rand_core::{OsRng, RngCore};
use serde::Serialize;
use sudare_crypto::Hash;
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_crypto::proof::statement::Kind;
use sudare_disclosure::{AssetId, AssetTerms};
use sudare_ledger::messages::Settlement;
use sudare_ledger::note::InvestorSeed;
use sudare_ledger::statement::{Known, Owned, Shown, Statement, StatementError, Subject};
use sudare_ledger::tree::{ConsistencyProof, SignedCheckpoint};

use super::asset::{read, write_new};
use super::connect::Connection;
use super::trade::text;
use super::{Failure, NodeArgs, Output};
use crate::operator::{PeerAnswer, PeerQuery};

/// `sudare statement`.
#[derive(Debug, Subcommand)]
pub(super) enum StatementCommand {
    /// At a custodian: state something of what an investor holds, from the notes that the registrar counts as live now.
    Make(MakeArgs),
    /// Verify a statement's file; needs no node, no key and no network.
    Verify(VerifyArgs),
}

/// What to state.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("kind").required(true).args(["at_least", "at_most", "between", "share"])))]
pub(super) struct MakeArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The registrar's name.
    #[arg(long)]
    registrar: String,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// The investor's pseudonym.
    #[arg(long)]
    investor: String,
    /// That these notes are worth at least this many atomic units.
    #[arg(long, value_name = "UNITS")]
    at_least: Option<u64>,
    /// That these notes are worth at most this many atomic units.
    #[arg(long, value_name = "UNITS")]
    at_most: Option<u64>,
    /// That these notes are worth from LOW to HIGH atomic units.
    #[arg(long, value_name = "LOW,HIGH")]
    between: Option<String>,
    /// That these notes are at least P/Q of the units given with --of.
    #[arg(long, value_name = "P/Q", requires = "of")]
    share: Option<String>,
    /// The atomic units that --share is of, such as the supply; in clear in the statement.
    #[arg(long, value_name = "UNITS", requires = "share")]
    of: Option<u64>,
    /// For whom, and to what question: part of what is proved.
    #[arg(long)]
    recipient: String,
    /// 64 hex digits from whoever asked, so that the statement can't have been made before; random without.
    #[arg(long, value_name = "HEX")]
    nonce: Option<String>,
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
}

/// What to verify.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The statement.
    file: PathBuf,
    /// The asset it must be about, as 64 hex digits.
    #[arg(long, value_name = "HEX")]
    asset: String,
    /// For whom it must be made: who you are, as you told whoever made it.
    #[arg(long)]
    recipient: String,
    /// The nonce that you gave whoever made it, as 64 hex digits; without, it may have been made for an earlier question.
    #[arg(long, value_name = "HEX")]
    nonce: Option<String>,
    /// A checkpoint of the asset's log that you trust, as text.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The registrar's proof that the later of the two checkpoints extends the earlier, if they are of different sizes.
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    consistency: Option<PathBuf>,
    /// Accept a statement of an earlier state than your checkpoint's.
    #[arg(long, requires = "checkpoint")]
    earlier: bool,
}

/// A statement in words, for programs.
#[derive(Debug, Serialize)]
struct Words {
    asset: String,
    entries: u64,
    root: String,
    account: Option<String>,
    recipient: String,
    nonce: String,
    statement: String,
    notes: usize,
    not_shown: &'static str,
}

const NOT_SHOWN: &str = "not shown: that the notes are still unspent, that they are all the account has, and any number given in clear; the register decides that";

pub(super) async fn run(command: StatementCommand, output: &Output) -> Result<(), Failure> {
    match command {
        StatementCommand::Make(args) => make(&args, output).await,
        StatementCommand::Verify(args) => verify(&args, output),
    }
}

async fn make(args: &MakeArgs, output: &Output) -> Result<(), Failure> {
    let kind = kind(args)?;
    let nonce = nonce(args.nonce.as_deref())?;
    let connection = Connection::open(&args.node.config)?;
    let registrar = connection.member(&args.registrar)?.id;
    let terms = super::account::find_at(&connection, &registrar, &args.asset).await?.terms;
    let investor = text(&args.investor, "an investor's pseudonym")?;
    let seed = InvestorSeed::of(&connection.node.seed, &investor);
    let Some((checkpoint, owned)) = live(&connection, &terms, &seed).await? else {
        return Err(Failure::Usage(format!("{investor} has no live notes of {}", args.asset)));
    };
    let subject = Subject {
        version: Version,
        checkpoint,
        account: Some(seed.account(terms.asset()).public()),
        core: terms.core,
        recipient: text(&args.recipient, "a recipient")?,
        nonce,
    };
    let made = Statement::make(subject, kind, (&owned, 0), (&[], args.of.unwrap_or(0)), &mut OsRng);
    let statement = made.map_err(failed)?;
    write_new(&args.out, &encode(&statement))?;
    report(&statement, &args.out, output)
}

/// The live notes of an investor as the registrar shows them, all under one checkpoint; none if there is none.
async fn live(
    connection: &Connection,
    terms: &AssetTerms,
    seed: &InvestorSeed,
) -> Result<Option<(SignedCheckpoint, Vec<Owned>)>, Failure> {
    let asset = terms.asset();
    let mut found: Option<(SignedCheckpoint, Vec<Owned>)> = None;
    let mut from = 0;
    loop {
        let query = PeerQuery::OwnOutputs { asset, from };
        let answer = connection.peer_query(&terms.core.registrar, &query).await?;
        let PeerAnswer::OwnOutputs { settlements, next } = answer else {
            return Err(Failure::Node("the registrar answered something else".into()));
        };
        for bytes in &settlements {
            let settlement: Settlement = decode(bytes, "a settlement")?;
            let (checkpoint, shown) = Shown::of(&settlement).map_err(failed)?;
            let mut parts = settlement.components.iter();
            for shown in shown {
                let Some(part) = parts.next() else { break };
                let (_, output) = part.output().map_err(|_| bad_settlement())?;
                let nonce = output.slot.slot.context.nonce;
                let secrets = seed.slot(asset, &nonce);
                if secrets.owner() != output.slot.slot.owner {
                    continue;
                }
                let received = part.receive(terms, &secrets).map_err(|_| bad_settlement())?;
                let (under, owned) = found.get_or_insert_with(|| (checkpoint.clone(), Vec::new()));
                if *under != checkpoint {
                    let grew = "the asset's log grew meanwhile: run the command again";
                    return Err(Failure::Node(grew.into()));
                }
                owned.push(Owned { shown, opening: received.opening, secrets: Some(secrets) });
            }
        }
        if next == from {
            return Ok(found);
        }
        from = next;
    }
}

fn verify(args: &VerifyArgs, output: &Output) -> Result<(), Failure> {
    let usage = || Failure::Usage(format!("{} is not an asset: 64 hex digits", args.asset));
    let asset = AssetId(Hash::from_hex(&args.asset).ok_or_else(usage)?);
    let statement: Statement = decode(&read_long(&args.file)?, "a statement")?;
    let made_for = statement.subject.recipient.as_str();
    if made_for != args.recipient {
        return Err(Failure::CheckFailed(format!(
            "the statement was made for {made_for:?}, not {:?}: refuse it",
            args.recipient
        )));
    }
    if args.nonce.is_some() && statement.subject.nonce != nonce(args.nonce.as_deref())? {
        let other =
            "the statement carries another nonce than yours: refuse it, ask for one with yours";
        return Err(Failure::CheckFailed(other.into()));
    }
    let known = match &args.checkpoint {
        None => None,
        Some(path) => {
            let checkpoint = SignedCheckpoint::parse(&read(path)?);
            let checkpoint = checkpoint.map_err(|error| failed(error.into()))?;
            let consistency = match &args.consistency {
                Some(path) => decode(&read(path)?, "a consistency proof")?,
                None => ConsistencyProof::default(),
            };
            Some(Known { checkpoint, consistency, earlier: args.earlier })
        }
    };
    statement.verify(asset, known.as_ref(), &mut OsRng).map_err(failed)?;
    if known.is_none() {
        output.note("without --checkpoint only the registrar's signature says which log this is of: compare the root below with that of another reader");
    }
    report(&statement, &args.file, output)
}

fn report(statement: &Statement, path: &Path, output: &Output) -> Result<(), Failure> {
    let Subject { core, checkpoint, account, recipient, nonce, .. } = &statement.subject;
    let checkpoint = checkpoint.unverified();
    let words = Words {
        asset: core.id().to_string(),
        entries: checkpoint.size,
        root: checkpoint.root.to_string(),
        account: account.map(|account| format!("{account:?}")),
        recipient: recipient.to_string(),
        nonce: Hash(*nonce).to_string(),
        statement: said(statement),
        notes: statement.left.outputs.len(),
        not_shown: NOT_SHOWN,
    };
    let holder = words.account.as_deref().unwrap_or("nobody named");
    let text = format!(
        "{}: of {} ({}), under {} entries with root {}, notes of account {holder} are {}; {} note(s); made for {:?}, nonce {}\n{NOT_SHOWN}",
        path.display(),
        core.code,
        words.asset,
        words.entries,
        words.root,
        words.statement,
        words.notes,
        words.recipient,
        words.nonce,
    );
    output.result(&words, &text);
    Ok(())
}

fn said(statement: &Statement) -> String {
    let right = statement.right.clear;
    let others = statement.right.outputs.len();
    match statement.kind {
        Kind::AtLeast { bound } => format!("worth at least {bound}"),
        Kind::AtMost { bound } => format!("worth at most {bound}"),
        Kind::Between { low, high } => format!("worth from {low} to {high}"),
        Kind::Share { numerator, denominator } => {
            format!(
                "at least {numerator}/{denominator} of {right} in clear and {others} other note(s)"
            )
        }
        Kind::Differ { by } => {
            format!("worth {by} more than {right} in clear and {others} other note(s)")
        }
    }
}

fn kind(args: &MakeArgs) -> Result<Kind, Failure> {
    let usage = |what: &str| Failure::Usage(format!("{what} is not two numbers"));
    if let Some(bound) = args.at_least {
        return Ok(Kind::AtLeast { bound });
    }
    if let Some(bound) = args.at_most {
        return Ok(Kind::AtMost { bound });
    }
    if let Some(pair) = &args.between {
        let (low, high) = pair.split_once(',').ok_or_else(|| usage(pair))?;
        let number = |text: &str| text.trim().parse().map_err(|_| usage(pair));
        return Ok(Kind::Between { low: number(low)?, high: number(high)? });
    }
    let pair = args.share.as_deref().unwrap_or_default();
    let (numerator, denominator) = pair.split_once('/').ok_or_else(|| usage(pair))?;
    let number = |text: &str| text.trim().parse().map_err(|_| usage(pair));
    Ok(Kind::Share { numerator: number(numerator)?, denominator: number(denominator)? })
}

fn nonce(given: Option<&str>) -> Result<[u8; 32], Failure> {
    let Some(hex) = given else {
        let mut fresh = [0; 32];
        OsRng.fill_bytes(&mut fresh);
        return Ok(fresh);
    };
    let nonce = Hash::from_hex(hex);
    Ok(nonce.ok_or_else(|| Failure::Usage(format!("{hex} is not 64 hex digits")))?.0)
}

fn failed(error: StatementError) -> Failure {
    Failure::CheckFailed(error.to_string())
}

fn bad_settlement() -> Failure {
    Failure::Node("the registrar's copy of an output does not open: replay the asset's log".into())
}

/// A statement of 4096 outputs has about 12 MiB.
fn read_long(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    const STATEMENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
    let failed = |error| Failure::File(path.to_owned(), error);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(STATEMENT_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}
