//! What a node keeps, as the files that a reconciliation reads.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use sudare_api::reconciliation::{Holding, Pending, Registered, input};
use sudare_disclosure::AssetId;
use sudare_ledger::custodian::{AccountView, Investor, TradeView};
use sudare_ledger::role::Role;

use super::super::NodeArgs;
use super::super::account::Directory;
use super::super::asset::write_new;
use super::super::connect::Connection;
use super::{Failure, Output, usage};

/// From which node, and where to.
#[derive(Debug, Args)]
pub(in crate::cli) struct FetchArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// An asset's code; repeat for more. All that the node has without.
    #[arg(long, value_name = "CODE")]
    asset: Vec<String>,
    /// The folder to write, which must not exist yet.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Fetched {
    node: String,
    folder: String,
    files: Vec<FileView>,
    /// Trades under way that have no delivery date, and so explain nothing.
    undated: usize,
}

#[derive(Debug, Serialize)]
struct FileView {
    name: &'static str,
    rows: usize,
}

/// A file to write: its name, how many rows it has, and its text.
type Table = (&'static str, usize, String);

/// Of a registrar its register, of a custodian its accounts and the trades that it has under way.
pub(super) async fn fetch(args: &FetchArgs, output: &Output) -> Result<(), Failure> {
    if args.out.exists() {
        return Err(usage(
            &args.out.display().to_string(),
            "it is there already: name a new folder",
        ));
    }
    let connection = Connection::open(&args.node.config)?;
    let member = &connection.node.member;
    if !matches!(member.role, Role::Registrar | Role::Custodian) {
        let why =
            format!("a {} keeps no holdings: name a registrar's or custodian's node", member.role);
        return Err(usage(member.name.as_str(), why));
    }
    let names = Directory::load(&connection).await?;
    let mut assets = Vec::new();
    for code in &args.asset {
        let terms = &names.terms(code)?.terms;
        assets.push((terms.asset(), terms.core.code.to_string()));
    }
    if assets.is_empty() {
        assets = names.assets().map(|terms| (terms.asset(), terms.core.code.to_string())).collect();
    }
    let (tables, undated) = match member.role {
        Role::Registrar => (vec![register(&connection, &assets).await?], 0),
        _ => custody(&connection, &assets).await?,
    };
    fs::create_dir(&args.out).map_err(|error| Failure::File(args.out.clone(), error))?;
    for (name, _, text) in &tables {
        write_new(&args.out.join(name), text.as_bytes())?;
    }
    let files = tables.into_iter().map(|(name, rows, _)| FileView { name, rows }).collect();
    let folder = args.out.display().to_string();
    let fetched = Fetched { node: member.name.to_string(), folder, files, undated };
    let each = fetched.files.iter().map(|file| format!("{} ({} rows)", file.name, file.rows));
    let each = each.collect::<Vec<_>>().join(", ");
    let left = match undated {
        0 => String::new(),
        count => format!("; left out {count} trades without a delivery date"),
    };
    output.result(&fetched, &format!("of {}, into {}: {each}{left}", fetched.node, fetched.folder));
    Ok(())
}

async fn register(connection: &Connection, assets: &[(AssetId, String)]) -> Result<Table, Failure> {
    let mut rows = Vec::new();
    for (asset, code) in assets {
        for line in connection.register(*asset).await? {
            let custodian = connection.name_of(&line.custodian);
            let quantity = u64::try_from(line.quantity).map_err(|_| too_much(code))?;
            let account = line.investor.to_string();
            let holding = Holding { asset: code.clone(), account, quantity };
            rows.push(Registered { holding, custodian, partner: None });
        }
    }
    Ok(("register.csv", rows.len(), input::register_csv(&rows)))
}

async fn custody(
    connection: &Connection,
    assets: &[(AssetId, String)],
) -> Result<(Vec<Table>, usize), Failure> {
    let code = |asset: AssetId| {
        let known = assets.iter().find(|(id, _)| *id == asset);
        known.map(|(_, code)| code.clone())
    };
    let mut rows = Vec::new();
    for AccountView { asset, investor, balance, .. } in connection.accounts().await? {
        let Some(asset) = code(asset) else { continue };
        let quantity = balance.live.checked_add(balance.locked);
        let quantity = quantity.ok_or_else(|| too_much(&asset))?;
        rows.push(Holding { asset, account: investor.to_string(), quantity });
    }
    let (mut pending, mut undated) = (Vec::new(), 0_usize);
    for trade in connection.trades().await? {
        if trade.state.is_ended() {
            continue;
        }
        if trade.delivery_date.as_str().is_empty() {
            undated = undated.saturating_add(1);
            continue;
        }
        let sides =
            [(trade.deliver, &trade.deliver_from, false), (trade.receive, &trade.receive_to, true)];
        for (moved, account, receives) in sides {
            let (Some((asset, quantity)), Some(account)) = (moved, account) else { continue };
            let Some(asset) = code(asset) else { continue };
            pending.push(under_way(&trade, asset, account, receives, quantity)?);
        }
    }
    let tables = vec![
        ("view.csv", rows.len(), input::view_csv(&rows)),
        ("pending.csv", pending.len(), input::pending_csv(&pending)),
    ];
    Ok((tables, undated))
}

fn under_way(
    trade: &TradeView,
    asset: String,
    account: &Investor,
    receives: bool,
    quantity: u64,
) -> Result<Pending, Failure> {
    let delivery = trade.delivery_date.as_str().parse();
    let delivery = delivery.map_err(|error| usage(trade.trade_id.as_str(), error))?;
    let (trade, account) = (trade.trade_id.to_string(), account.to_string());
    Ok(Pending { trade, asset, account, receives, quantity, delivery })
}

fn too_much(asset: &str) -> Failure {
    Failure::CheckFailed(format!(
        "{asset}: an account holds more than 2^64 - 1 units, which no leg can have moved: stop, and rebuild the node's index from its log"
    ))
}
