//! `sudare tx hops`: whose delay it was.

use clap::Args;
use serde::Serialize;
use sudare_api::hops::{Hop, hops, table};
use sudare_api::view::Names;
use sudare_ledger::custodian::TradeView;

use super::account::Directory;
use super::connect::Connection;
use super::trade::{find, key_of};
use super::{Failure, NodeArgs, Output};
use crate::clock::now_ms;
use crate::operator::{OperatorAnswer, OperatorQuery};

/// What the times are, said wherever they are shown.
const MEASURED: &str = "all times by this node's clock: of others from when a message to them was ready until their answer was handled, \
                        with the way there and back; signed answers can be shown to anybody";

/// Which trades.
#[derive(Debug, Args)]
pub(super) struct HopsArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// 取引ID; all trades of the node, as a table by party alone, if left out.
    trade_id: Option<String>,
}

/// A hop for programs and people.
#[derive(Debug, Serialize)]
struct HopView {
    trade_id: String,
    party: String,
    step: &'static str,
    from_ms: u64,
    until_ms: Option<u64>,
    took_ms: u64,
    signed: bool,
}

pub(super) async fn run(args: HopsArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let names = Directory::load(&connection).await?;
    let trades = match &args.trade_id {
        Some(id) => find(&connection, id).await?,
        None => connection.trades().await?,
    };
    let (mut all, mut views) = (Vec::new(), Vec::new());
    for trade in &trades {
        let found = hops_of(&connection, trade).await?;
        if args.trade_id.is_some() {
            views.extend(found.iter().map(|hop| view(hop, trade, &names)));
        }
        all.extend(found);
    }
    let parties = table(&all, |party| names.node(party));
    if output.is_json() {
        let value = serde_json::json!({ "hops": views, "parties": parties, "measured": MEASURED });
        output.result(&value, "");
        return Ok(());
    }
    if args.trade_id.is_some() {
        output.rows(&views, &["party", "step", "at", "took", "signed"], |row| {
            let took = match row.until_ms {
                Some(_) => format!("{} ms", row.took_ms),
                None => format!("{} ms so far", row.took_ms),
            };
            let signed = if row.signed { "yes" } else { "" };
            vec![
                row.party.clone(),
                row.step.to_owned(),
                row.from_ms.to_string(),
                took,
                signed.to_owned(),
            ]
        });
    }
    output.rows(&parties, &["party", "step", "hops", "open", "p50", "p99", "longest"], |row| {
        vec![
            row.party.clone(),
            row.step.to_owned(),
            row.count.to_string(),
            row.open.to_string(),
            format!("{} ms", row.p50_ms),
            format!("{} ms", row.p99_ms),
            format!("{} ms", row.max_ms),
        ]
    });
    output.result(&serde_json::Value::Null, MEASURED);
    Ok(())
}

async fn hops_of(connection: &Connection, trade: &TradeView) -> Result<Vec<Hop>, Failure> {
    let query = OperatorQuery::Records(key_of(trade));
    let OperatorAnswer::Records(records) = connection.query(&query).await? else {
        return Err(Failure::Node("the node is not a custodian".into()));
    };
    Ok(hops(connection.own(), trade.begun, &records, trade.state.is_ended()))
}

fn view(hop: &Hop, trade: &TradeView, names: &Directory<'_>) -> HopView {
    HopView {
        trade_id: trade.trade_id.to_string(),
        party: names.node(&hop.party),
        step: hop.step,
        from_ms: hop.from,
        until_ms: hop.until,
        took_ms: hop.until.unwrap_or_else(now_ms).saturating_sub(hop.from),
        signed: hop.signed,
    }
}
