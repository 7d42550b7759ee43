//! `sudare cancel`.

use clap::Args;
use sudare_ledger::custodian::Instruction;

use super::account::Directory;
use super::connect::Connection;
use super::trade::{find, key_of, print};
use super::{Failure, NodeArgs, Output};

/// A trade to cancel.
#[derive(Debug, Args)]
pub(super) struct CancelArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// 取引ID.
    #[arg(long)]
    trade_id: String,
    /// The other custodian's name, if trades with several have this id.
    #[arg(long)]
    with: Option<String>,
}

/// Asks for a trade to be cancelled: done once the other side asks too, unless it is signed by then.
pub(super) async fn run(args: CancelArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let names = Directory::load(&connection).await?;
    let with = match &args.with {
        Some(name) => Some(connection.member(name)?.id),
        None => None,
    };
    let mut trades = find(&connection, &args.trade_id).await?;
    trades.retain(|trade| with.is_none_or(|with| trade.counterparty == with));
    let Some(first) = trades.first() else {
        return Err(Failure::Usage(format!(
            "no such trade {}: see `sudare tx list`",
            args.trade_id
        )));
    };
    if trades.iter().any(|trade| trade.counterparty != first.counterparty) {
        return Err(Failure::Usage(
            "trades with several custodians have this id: name one with --with".into(),
        ));
    }
    // Two if both sides are this custodian's.
    for trade in &trades {
        connection.instruct(&Instruction::Cancel(key_of(trade))).await?;
    }
    print(&find(&connection, &args.trade_id).await?, &names, output);
    Ok(())
}
