//! `sudare keys`.

use std::time::Duration;

use clap::{Args, Subcommand};
use sudare_crypto::encoding::decode;
use sudare_ledger::custodian::Instruction;
use sudare_ledger::messages::Settlement;

use super::account::Directory;
use super::connect::Connection;
use super::trade::text;
use super::{Failure, NodeArgs, Output};
use crate::operator::{PeerAnswer, PeerQuery};

/// How long the node may take to get an asset's terms from its registrar, which has just answered for them.
const TERMS_WITHIN: Duration = Duration::from_secs(60);

/// `sudare keys`.
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Find again the notes of investors whose slots only the seeds remember: the registrar sends its copy of every final output
    /// in this custodian's slots, the node tries its investors' seeds and takes what opens.
    Recover(RecoverArgs),
}

/// Whose notes to recover.
#[derive(Debug, Args)]
pub(super) struct RecoverArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The registrar's name.
    #[arg(long)]
    registrar: String,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// The investor's pseudonym; repeat for more.
    #[arg(long, required = true)]
    investor: Vec<String>,
}

pub(super) async fn run(command: KeysCommand, output: &Output) -> Result<(), Failure> {
    let KeysCommand::Recover(args) = command;
    let connection = Connection::open(&args.node.config)?;
    let registrar = connection.member(&args.registrar)?.id;
    let terms = super::account::find_at(&connection, &registrar, &args.asset).await?;
    let asset = terms.terms.asset();
    connection.instruct(&Instruction::AddAsset { asset, registrar }).await?;
    await_terms(&connection, &args.asset).await?;
    let mut investors = Vec::new();
    for investor in &args.investor {
        let investor = text(investor, "an investor's pseudonym")?;
        connection.instruct(&Instruction::AddAccount { asset, investor: investor.clone() }).await?;
        investors.push(investor);
    }
    let (mut from, mut looked_at) = (0, 0usize);
    loop {
        let query = PeerQuery::OwnOutputs { asset, from };
        let answer = connection.peer_query(&registrar, &query).await?;
        let PeerAnswer::OwnOutputs { settlements, next } = answer else {
            return Err(Failure::Node("the registrar answered something else".into()));
        };
        for bytes in &settlements {
            let settlement: Settlement = decode(bytes, "a settlement")?;
            let recover = Instruction::Recover {
                registrar,
                investors: investors.clone(),
                settlement: Box::new(settlement),
            };
            connection.instruct(&recover).await?;
            looked_at = looked_at.saturating_add(1);
        }
        if next == from {
            break;
        }
        from = next;
    }
    let text = format!("{looked_at} settlement(s) looked at; see `sudare account list`");
    output.result(&looked_at, &text);
    Ok(())
}

/// Waits until the node has the asset's terms, without which it can't check a settlement.
async fn await_terms(connection: &Connection, code: &str) -> Result<(), Failure> {
    let arrives = async {
        loop {
            match Directory::load(connection).await?.terms(code) {
                Ok(_) => return Ok(()),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let waited = tokio::time::timeout(TERMS_WITHIN, arrives).await;
    waited.unwrap_or_else(|_| Err(Failure::UnknownAsset(code.to_owned())))
}
