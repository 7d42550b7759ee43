//! `sudare transfer`, `receive`, `dvp`, `redeem` and `tx`.

use std::time::Duration;

use clap::{Args, Subcommand};
use sudare_api::view::{self, Names};
use sudare_crypto::Text;
use sudare_ledger::custodian::{
    Instruction, Movement, Side, TradeInstruction, TradeKey, TradeView,
};
use sudare_ledger::leg::TradeInfo;

use super::account::Directory;
use super::connect::Connection;
use super::{Failure, NodeArgs, Output};
use crate::clock::now_ms;
use crate::operator::{OperatorAnswer, OperatorQuery};

/// What all trades have.
#[derive(Clone, Debug, Args)]
pub(super) struct TradeArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// 取引ID, the same on both sides, at most 35 bytes.
    #[arg(long)]
    trade_id: String,
    /// 受渡日, YYYY-MM-DD; the same on both sides.
    #[arg(long, default_value = "")]
    delivery_date: String,
    /// Free text for readers with `trade` and the receivers.
    #[arg(long, default_value = "")]
    note: String,
    /// Seconds until the trade lapses unless its transaction is under way.
    #[arg(long, default_value_t = 3600)]
    expires: u64,
    /// Seconds for which a receive slot given out is valid.
    #[arg(long, default_value_t = 3600)]
    slot_valid: u64,
    /// Seconds of the transaction's window.
    #[arg(long, default_value_t = 30)]
    window: u64,
    /// Wait until the trade is settled or refused.
    #[arg(long)]
    wait: bool,
}

/// A delivery.
#[derive(Debug, Args)]
pub(super) struct TransferArgs {
    #[command(flatten)]
    trade: TradeArgs,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// Atomic units.
    #[arg(long)]
    quantity: u64,
    /// The investor whose units leave.
    #[arg(long)]
    from: String,
    /// The receiving custodian's name. Which investor stands behind it stays with that custodian.
    #[arg(long)]
    to_custodian: String,
}

/// A receipt.
#[derive(Debug, Args)]
pub(super) struct ReceiveArgs {
    #[command(flatten)]
    trade: TradeArgs,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// Atomic units.
    #[arg(long)]
    quantity: u64,
    /// The investor to whom the units come.
    #[arg(long)]
    to: String,
    /// The delivering custodian's name, or the registrar's for an issue.
    #[arg(long)]
    from_node: String,
}

/// One side of a delivery versus payment.
#[derive(Debug, Args)]
pub(super) struct DvpArgs {
    #[command(flatten)]
    trade: TradeArgs,
    /// What leaves, as CODE:QUANTITY:INVESTOR.
    #[arg(long)]
    deliver: String,
    /// What comes, as CODE:QUANTITY:INVESTOR.
    #[arg(long)]
    receive: String,
    /// The other custodian's name.
    #[arg(long)]
    with: String,
    /// Propose the trade (one side does; the other waits for the proposal).
    #[arg(long)]
    propose: bool,
}

/// A redemption.
#[derive(Debug, Args)]
pub(super) struct RedeemArgs {
    #[command(flatten)]
    trade: TradeArgs,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// Atomic units.
    #[arg(long)]
    quantity: u64,
    /// The investor whose units are given back.
    #[arg(long)]
    from: String,
}

/// `sudare tx`.
#[derive(Debug, Subcommand)]
pub(super) enum TxCommand {
    /// Show one trade: state, waiting for whom since when, transaction.
    Show {
        #[command(flatten)]
        node: NodeArgs,
        /// 取引ID.
        trade_id: String,
    },
    /// Show all trades.
    List(NodeArgs),
    /// Show whose turn it was when and how long each took, and a table of all parties: whose delay it was.
    Hops(super::hops::HopsArgs),
    /// Write that a trade is final, for somebody who knows its notary: `sudare verify` checks the file anywhere.
    Receipt(super::receipt::ReceiptArgs),
}

pub(super) async fn transfer(args: TransferArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.trade.node.config)?;
    let names = Directory::load(&connection).await?;
    let counterparty = connection.member(&args.to_custodian)?.id;
    let deliver = Some(movement(&names, &args.asset, args.quantity, &args.from)?);
    let trade = instruction(&args.trade, counterparty, Side::Initiator, deliver, None)?;
    submit(&connection, &names, &args.trade, trade, output).await
}

pub(super) async fn receive(args: ReceiveArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.trade.node.config)?;
    let names = Directory::load(&connection).await?;
    let counterparty = connection.member(&args.from_node)?.id;
    let receive = Some(movement(&names, &args.asset, args.quantity, &args.to)?);
    let trade = instruction(&args.trade, counterparty, Side::Counterparty, None, receive)?;
    submit(&connection, &names, &args.trade, trade, output).await
}

pub(super) async fn dvp(args: DvpArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.trade.node.config)?;
    let names = Directory::load(&connection).await?;
    let counterparty = connection.member(&args.with)?.id;
    let parse = |text: &str| -> Result<Option<Movement>, Failure> {
        let usage = || Failure::Usage(format!("{text} is not CODE:QUANTITY:INVESTOR"));
        let mut parts = text.splitn(3, ':');
        let (code, quantity) = (parts.next(), parts.next().and_then(|digits| digits.parse().ok()));
        let (Some(code), Some(quantity), Some(investor)) = (code, quantity, parts.next()) else {
            return Err(usage());
        };
        Ok(Some(movement(&names, code, quantity, investor)?))
    };
    let side = if args.propose { Side::Initiator } else { Side::Counterparty };
    let (deliver, receive) = (parse(&args.deliver)?, parse(&args.receive)?);
    let trade = instruction(&args.trade, counterparty, side, deliver, receive)?;
    submit(&connection, &names, &args.trade, trade, output).await
}

pub(super) async fn redeem(args: RedeemArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.trade.node.config)?;
    let names = Directory::load(&connection).await?;
    let registrar = names.terms(&args.asset)?.terms.core.registrar;
    let deliver = Some(movement(&names, &args.asset, args.quantity, &args.from)?);
    let trade = instruction(&args.trade, registrar, Side::Redeemer, deliver, None)?;
    submit(&connection, &names, &args.trade, trade, output).await
}

pub(super) async fn run_tx(command: TxCommand, output: &Output) -> Result<(), Failure> {
    let (config, trade_id) = match command {
        TxCommand::Receipt(args) => return super::receipt::run(&args, output).await,
        TxCommand::Hops(args) => return super::hops::run(args, output).await,
        TxCommand::Show { node, trade_id } => (node.config, Some(trade_id)),
        TxCommand::List(node) => (node.config, None),
    };
    let connection = Connection::open(&config)?;
    let names = Directory::load(&connection).await?;
    let Some(id) = trade_id else {
        print(&connection.trades().await?, &names, output);
        return Ok(());
    };
    show(&connection, &names, &find(&connection, &id).await?, output).await
}

/// A trade with its record: which node got which messages, how many bytes, and what it could read in them.
async fn show(
    connection: &Connection,
    names: &Directory<'_>,
    trades: &[TradeView],
    output: &Output,
) -> Result<(), Failure> {
    let mut seen = Vec::new();
    for trade in trades {
        let key = key_of(trade);
        let OperatorAnswer::Records(records) =
            connection.query(&OperatorQuery::Records(key)).await?
        else {
            return Err(Failure::Node("the node is not a custodian".into()));
        };
        let own = connection.own();
        for record in records {
            let reader = if record.sent { record.peer } else { own };
            let other = if record.sent { own } else { record.peer };
            seen.push(view::Seen {
                at_ms: record.at,
                reader: names.node(&reader),
                from: names.node(&other),
                bytes: record.bytes,
                could_read: record.reveals().to_owned(),
            });
        }
    }
    if output.is_json() {
        let trades: Vec<_> = trades.iter().map(|trade| view::Trade::of(trade, names)).collect();
        output.result(&serde_json::json!({ "trades": trades, "who_saw": seen }), "");
        return Ok(());
    }
    print(trades, names, output);
    output.rows(&seen, &["reader", "got from", "bytes", "could read"], |row| {
        vec![row.reader.clone(), row.from.clone(), row.bytes.to_string(), row.could_read.clone()]
    });
    Ok(())
}

/// The key of a trade at this custodian.
pub(super) fn key_of(trade: &TradeView) -> TradeKey {
    TradeKey {
        trade_id: trade.trade_id.clone(),
        counterparty: trade.counterparty,
        initiates: trade.side != Side::Counterparty,
    }
}

/// Text of at most `MAX` bytes from the command line.
pub(super) fn text<const MAX: usize>(value: &str, what: &str) -> Result<Text<MAX>, Failure> {
    Text::new(value).map_err(|_| {
        Failure::Usage(format!(
            "{value:?} is not {what}: at most {MAX} bytes, no control characters"
        ))
    })
}

fn movement(
    names: &Directory<'_>,
    code: &str,
    quantity: u64,
    investor: &str,
) -> Result<Movement, Failure> {
    let asset = names.terms(code)?.terms.asset();
    Ok(Movement { asset, investor: text(investor, "an investor's pseudonym")?, quantity })
}

fn instruction(
    args: &TradeArgs,
    counterparty: sudare_crypto::NodeId,
    side: Side,
    deliver: Option<Movement>,
    receive: Option<Movement>,
) -> Result<Instruction, Failure> {
    let trade = TradeInfo {
        trade_id: text(&args.trade_id, "a trade id")?,
        delivery_date: text(&args.delivery_date, "a date")?,
        kind: text("transfer", "a type")?,
        cancels: None,
        note: text(&args.note, "a note")?,
    };
    let expires_at = now_ms().saturating_add(args.expires.saturating_mul(1000));
    Ok(Instruction::Trade(Box::new(TradeInstruction {
        counterparty,
        side,
        deliver,
        receive,
        trade,
        reference: Text::default(),
        expires_at,
        slot_ms: args.slot_valid.saturating_mul(1000),
        window_ms: args.window.saturating_mul(1000),
    })))
}

async fn submit(
    connection: &Connection,
    names: &Directory<'_>,
    args: &TradeArgs,
    trade: Instruction,
    output: &Output,
) -> Result<(), Failure> {
    connection.instruct(&trade).await?;
    loop {
        let trades = find(connection, &args.trade_id).await?;
        let ended = trades.iter().all(|trade| trade.state.is_ended());
        if !args.wait || ended {
            print(&trades, names, output);
            let refused = trades
                .iter()
                .find_map(|trade| trade.reason.filter(|_| args.wait && trade.state.is_ended()));
            return refused.map_or(Ok(()), |reason| Err(Failure::Refused(reason)));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The trades with an id at the connection's custodian.
pub(in crate::cli) async fn find(
    connection: &Connection,
    id: &str,
) -> Result<Vec<TradeView>, Failure> {
    trades(connection, &OperatorQuery::Trade(text(id, "a trade id")?)).await
}

async fn trades(connection: &Connection, query: &OperatorQuery) -> Result<Vec<TradeView>, Failure> {
    match connection.query(query).await? {
        OperatorAnswer::Trades(trades) => Ok(trades),
        _ => Err(Failure::Node("the node is not a custodian".into())),
    }
}

pub(super) fn print(trades: &[TradeView], names: &Directory<'_>, output: &Output) {
    let rows: Vec<_> = trades.iter().map(|trade| view::Trade::of(trade, names)).collect();
    let header = ["trade", "counterparty", "delivers", "receives", "state", "waiting for", "since"];
    let now = now_ms();
    output.rows(&rows, &header, |row| {
        let quantity = |side: &Option<view::Quantity>| {
            side.as_ref().map(|one| format!("{} {}", one.quantity, one.asset)).unwrap_or_default()
        };
        let state = match &row.reason {
            Some(reason) => format!("{} ({reason})", row.state),
            None => row.state.clone(),
        };
        let asked = match (row.cancel_requested_ms, row.counterparty_cancel_requested_ms) {
            _ if row.reason.is_some() || row.notarised_ms.is_some() => String::new(),
            (None, None) => String::new(),
            (Some(_), None) => "; cancellation requested".into(),
            (None, Some(_)) => format!("; cancellation requested by {}", row.counterparty),
            (Some(_), Some(_)) => "; cancellation requested by both".into(),
        };
        vec![
            row.trade_id.clone(),
            row.counterparty.clone(),
            quantity(&row.deliver),
            quantity(&row.receive),
            state + &asked,
            row.waiting_for.clone().unwrap_or_default(),
            format!("{} s ago", now.saturating_sub(row.since_ms) / 1000),
        ]
    });
}
