//! `sudare statement`: what a custodian's client holds, stated without showing it, and verified offline (specs/statements.md).

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use rand_core::{OsRng, RngCore};
use sudare_crypto::Hash;
use sudare_crypto::encoding::{Version, decode};
use sudare_crypto::proof::statement::Kind;
use sudare_disclosure::AssetTerms;
use sudare_ledger::access::{Disclosed, Disclosure, sha256};
use sudare_ledger::bundle::Bundle;
use sudare_ledger::messages::Settlement;
use sudare_ledger::note::InvestorSeed;
use sudare_ledger::statement::{Owned, Shown, Statement, StatementError, Subject};
use sudare_ledger::tree::SignedCheckpoint;

use super::asset::write_new;
use super::connect::Connection;
use super::trade::text;
use super::verify::{NOT_SHOWN, StatementView, VerifyArgs};
use super::{Failure, NodeArgs, Output};
use crate::access;
use crate::operator::{PeerAnswer, PeerQuery};

/// `sudare statement`.
#[derive(Debug, Subcommand)]
pub(super) enum StatementCommand {
    /// At a custodian: state something of what an investor holds, from the notes that the registrar counts as live now.
    Make(MakeArgs),
    /// The same as `sudare verify`.
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

pub(super) async fn run(command: StatementCommand, output: &Output) -> Result<(), Failure> {
    match command {
        StatementCommand::Make(args) => make(&args, output).await,
        StatementCommand::Verify(args) => super::verify::run(&args, output),
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
    let asset = terms.asset();
    let subject = Subject {
        version: Version,
        checkpoint,
        account: Some(seed.account(asset).public()),
        core: terms.core,
        recipient: text(&args.recipient, "a recipient")?,
        nonce,
    };
    let made = Statement::make(subject, kind, (&owned, 0), (&[], args.of.unwrap_or(0)), &mut OsRng);
    let statement = made.map_err(failed)?;
    let view = StatementView::of(&statement);
    let bytes = Bundle::Statement(Box::new(statement)).to_bytes();
    let disclosure = Disclosure {
        asset,
        account: seed.account(asset).public(),
        what: Disclosed::Statement,
        recipient: text(&args.recipient, "a recipient")?,
        purpose: text(&view.statement, "what is stated")?,
        file: sha256(&bytes),
    };
    let entry = access::disclose(&connection, disclosure).await?;
    write_new(&args.out, &bytes)?;
    let text = format!(
        "{}\nwritten to {}; entry {entry} of this node's access log says so\nnot shown: {NOT_SHOWN}",
        view.text(),
        args.out.display()
    );
    output.result(&view, &text);
    Ok(())
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
