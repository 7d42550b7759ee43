//! `sudare tx receipt`: that a trade is final, as a file.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sudare_crypto::encoding::{Version, decode};
use sudare_ledger::bundle::{Bundle, ReceiptFile};
use sudare_ledger::messages::Settlement;

use super::account::Directory;
use super::asset::write_new;
use super::connect::Connection;
use super::trade::find;
use super::{Failure, NodeArgs, Output};
use crate::operator::{PeerAnswer, PeerQuery};

/// Which trade.
#[derive(Debug, Args)]
pub(super) struct ReceiptArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// 取引ID.
    trade_id: String,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, Serialize)]
struct Exported {
    transaction: String,
    notary: String,
    written: String,
}

pub(super) async fn run(args: &ReceiptArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let file = fetch(&connection, &args.trade_id).await?;
    let notary = file.commit.transaction.notary;
    file.verify(notary).map_err(|error| Failure::CheckFailed(error.to_string()))?;
    let exported = Exported {
        transaction: file.receipt.tx.to_string(),
        notary: notary.to_string(),
        written: args.out.display().to_string(),
    };
    write_new(&args.out, &Bundle::Receipt(Box::new(file)).to_bytes())?;
    let Exported { transaction, notary, written } = &exported;
    let text = format!(
        "receipt of transaction {transaction} written to {written}; whoever verifies it knows its notary: `sudare verify {written} --node {notary}`"
    );
    output.result(&exported, &text);
    Ok(())
}

/// The commit with the receipt, from a registrar of the trade: it shows them to every custodian that has an output in it.
async fn fetch(connection: &Connection, id: &str) -> Result<ReceiptFile, Failure> {
    let nothing = || {
        Failure::CheckFailed(format!(
            "no registrar here has a final transaction of a trade {id} of yours: has it settled? See `sudare tx list`"
        ))
    };
    let names = Directory::load(connection).await?;
    for trade in find(connection, id).await? {
        let Some(tx) = trade.tx else { continue };
        for (asset, _) in trade.receive.iter().chain(&trade.deliver) {
            let registrar = names.terms(&asset.to_string())?.terms.core.registrar;
            let answer = connection.peer_query(&registrar, &PeerQuery::Outputs(tx)).await?;
            let PeerAnswer::Outputs(settlements) = answer else {
                return Err(Failure::Node("the registrar answered something else".into()));
            };
            if let Some(bytes) = settlements.first() {
                let Settlement { commit, receipt, .. } = decode(bytes, "a settlement")?;
                return Ok(ReceiptFile { version: Version, commit, receipt });
            }
        }
    }
    Err(nothing())
}
