//! `sudare asset` and `sudare register`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use rand_core::{OsRng, RngCore};
use sudare_api::view;
use sudare_crypto::Bounded;
use sudare_crypto::encoding::{Version, decode, encode};
use sudare_disclosure::{
    AssetCore, AssetId, AssetTerms, DisclosureKey, DisclosureSecret, Epoch, Fields, KeyPurpose,
    Policy,
};
use sudare_ledger::leg::TradeInfo;
use sudare_ledger::registrar::{ALLOTMENTS_MAX, Allotment, Instruction, IssueOrder, SnapshotView};

use super::account::Directory;
use super::audit::AuthorityKeys;
use super::connect::Connection;
use super::trade::text;
use super::{Failure, NodeArgs, Output};
use crate::clock::now_ms;
use crate::operator::{OperatorAnswer, OperatorQuery};

/// `sudare asset`.
#[derive(Debug, Subcommand)]
pub(super) enum AssetCommand {
    /// Write down what never changes of a new asset, for authorities to make their disclosure keys for.
    Define(DefineArgs),
    /// Open the asset's register under a disclosure policy.
    Open(OpenArgs),
    /// Put the next version of an asset's terms in force: more epochs, more keys, or without keys that their holders retired.
    Amend(super::amend::AmendArgs),
    /// Issue units to custodians; each has run `sudare receive --from-node REGISTRAR`.
    Issue(IssueArgs),
    /// Cancel an issue that isn't signed yet; custodians that have accepted run `sudare cancel` too.
    CancelIssue(CancelIssueArgs),
    /// Allow a custodian to redeem, once.
    AllowRedemption(AllowArgs),
    /// Take instructions for the asset, or stop taking them.
    SetOpen(SetOpenArgs),
    /// Show the assets that the node knows.
    List(NodeArgs),
}

/// What never changes of an asset.
#[derive(Debug, Args)]
pub(super) struct DefineArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// ISIN, or a ticker for cash.
    #[arg(long)]
    code: String,
    /// Name for people.
    #[arg(long)]
    name: String,
    /// The unit's name.
    #[arg(long, default_value = "unit")]
    unit: String,
    /// Decimals of an atomic unit.
    #[arg(long, default_value_t = 0)]
    decimals: u8,
    /// The notary's name.
    #[arg(long, default_value = "notary")]
    notary: String,
    /// The longest window of a transaction, in seconds.
    #[arg(long, default_value_t = 120)]
    window_max: u64,
    /// The file to write.
    #[arg(long)]
    out: PathBuf,
}

/// A policy.
#[derive(Debug, Args)]
pub(super) struct OpenArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The file that `sudare asset define` wrote.
    #[arg(long)]
    core: PathBuf,
    /// A file of an authority's keys, from `sudare audit keys`; repeat for more.
    #[arg(long)]
    keys: Vec<PathBuf>,
    /// How many epochs; every authority must have a key for each.
    #[arg(long, default_value_t = 12)]
    epochs: u32,
    /// Days of an epoch.
    #[arg(long, default_value_t = 30)]
    epoch_days: u64,
}

/// An issue.
#[derive(Debug, Args)]
pub(super) struct IssueArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// A reference of the registrar's own; the same again is the same issue. Allotments beyond 64 are issues of their own,
    /// REFERENCE/2 and so on.
    #[arg(long)]
    reference: String,
    /// Who gets how much, as CUSTODIAN:QUANTITY:TRADE_ID; 64 to a leg.
    #[arg(long, required = true)]
    allot: Vec<String>,
}

/// An issue to cancel.
#[derive(Debug, Args)]
pub(super) struct CancelIssueArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Its reference.
    #[arg(long)]
    reference: String,
}

/// A redemption to allow.
#[derive(Debug, Args)]
pub(super) struct AllowArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// The custodian.
    #[arg(long)]
    custodian: String,
    /// Atomic units.
    #[arg(long)]
    quantity: u64,
    /// 取引ID of the redemption.
    #[arg(long)]
    trade_id: String,
}

/// 開局, 閉局.
#[derive(Debug, Args)]
pub(super) struct SetOpenArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// Whether it takes instructions.
    #[arg(long, action = clap::ArgAction::Set)]
    open: bool,
}

/// `sudare register`.
#[derive(Debug, Subcommand)]
pub(super) enum RegisterCommand {
    /// Show who holds how much now, at the registrar.
    Show {
        #[command(flatten)]
        node: NodeArgs,
        /// The asset's code.
        #[arg(long)]
        asset: String,
    },
    /// Fix the register as it is now in an entry of the asset's log, as at a record date, and show all such snapshots.
    Snapshot {
        #[command(flatten)]
        node: NodeArgs,
        /// The asset's code.
        #[arg(long)]
        asset: String,
    },
}

pub(super) async fn run(command: AssetCommand, output: &Output) -> Result<(), Failure> {
    match command {
        AssetCommand::Define(args) => define(&args, output),
        AssetCommand::Open(args) => open(&args, output).await,
        AssetCommand::Amend(args) => super::amend::run(&args, output).await,
        AssetCommand::Issue(args) => issue(&args, output).await,
        AssetCommand::CancelIssue(args) => {
            let connection = Connection::open(&args.node.config)?;
            let reference = text(&args.reference, "a reference")?;
            connection.instruct(&Instruction::CancelIssue(reference)).await?;
            let asked = "asked for; custodians that have accepted must ask too";
            output.result(&args.reference, asked);
            Ok(())
        }
        AssetCommand::AllowRedemption(args) => {
            let connection = Connection::open(&args.node.config)?;
            let asset = asset_of(&connection, &args.asset).await?;
            let custodian = connection.member(&args.custodian)?.id;
            let trade_id = text(&args.trade_id, "a trade id")?;
            let quantity = args.quantity;
            let allow = Instruction::AllowRedemption { trade_id, asset, custodian, quantity };
            connection.instruct(&allow).await?;
            output.result(&args.trade_id, "allowed");
            Ok(())
        }
        AssetCommand::SetOpen(args) => {
            let connection = Connection::open(&args.node.config)?;
            let asset = asset_of(&connection, &args.asset).await?;
            connection.instruct(&Instruction::SetOpen { asset, open: args.open }).await?;
            output.result(&args.open, if args.open { "open" } else { "closed" });
            Ok(())
        }
        AssetCommand::List(args) => list(&args, output).await,
    }
}

pub(super) async fn run_register(command: RegisterCommand, output: &Output) -> Result<(), Failure> {
    match command {
        RegisterCommand::Show { node, asset } => show(&node, &asset, output).await,
        RegisterCommand::Snapshot { node, asset } => snapshot(&node, &asset, output).await,
    }
}

/// Takes a snapshot, and shows all that there are.
async fn snapshot(node: &NodeArgs, code: &str, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&node.config)?;
    let asset = asset_of(&connection, code).await?;
    connection.instruct(&Instruction::Snapshot(asset)).await?;
    let answer = connection.query(&OperatorQuery::Snapshots(asset)).await?;
    let OperatorAnswer::Snapshots(snapshots) = answer else {
        return Err(Failure::Node("the node is not a registrar".into()));
    };
    let row = |one: &SnapshotView| view::SnapshotRow {
        number: one.number,
        entry: one.entry,
        at_ms: one.at,
        leaves: one.leaves,
        supply: one.supply.to_string(),
        root: one.root.to_string(),
    };
    let rows: Vec<_> = snapshots.iter().map(row).collect();
    output.rows(&rows, &["number", "entry", "at", "leaves", "supply", "root"], |row| {
        let at = format!("{} ms", row.at_ms);
        let (number, entry) = (row.number.to_string(), row.entry.to_string());
        vec![number, entry, at, row.leaves.to_string(), row.supply.clone(), row.root.clone()]
    });
    Ok(())
}

async fn show(node: &NodeArgs, code: &str, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&node.config)?;
    let asset = asset_of(&connection, code).await?;
    let lines = connection.register(asset).await?;
    let rows: Vec<view::RegisterRow> = lines
        .iter()
        .map(|line| view::RegisterRow {
            account: format!("{:?}", line.account),
            investor: line.investor.to_string(),
            custodian: connection.name_of(&line.custodian),
            quantity: line.quantity.to_string(),
            notes: line.notes,
            frozen: line.frozen,
        })
        .collect();
    let header = ["investor", "custodian", "quantity", "notes", "frozen", "account"];
    output.rows(&rows, &header, |row| {
        vec![
            row.investor.clone(),
            row.custodian.clone(),
            row.quantity.clone(),
            row.notes.to_string(),
            if row.frozen { "frozen".into() } else { String::new() },
            row.account.chars().take(16).collect(),
        ]
    });
    Ok(())
}

fn define(args: &DefineArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let mut nonce = [0; 32];
    OsRng.fill_bytes(&mut nonce);
    let core = AssetCore {
        version: Version,
        network: connection.node.network,
        code: text(&args.code, "a code")?,
        name: text(&args.name, "a name")?,
        unit: text(&args.unit, "a unit")?,
        decimals: args.decimals,
        registrar: connection.own(),
        notary: connection.member(&args.notary)?.id,
        window_max_ms: args.window_max.saturating_mul(1000),
        nonce,
    };
    write_new(&args.out, &encode(&core))?;
    let id = core.id().to_string();
    output.result(&id, &format!("{id}\nwritten to {}", args.out.display()));
    Ok(())
}

async fn open(args: &OpenArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let core: AssetCore = decode(&read(&args.core)?, "an asset's definition")?;
    let mut authorities = Vec::new();
    for path in &args.keys {
        let keys: AuthorityKeys = decode(&read(path)?, "an authority's keys")?;
        if keys.asset != core.id() {
            return Err(Failure::Usage(format!("{} is for another asset", path.display())));
        }
        authorities.push(keys);
    }
    let terms = terms(&connection, core, args, &authorities)?;
    let signed = terms.sign(connection.node.identity.key());
    let id = signed.terms.asset().to_string();
    connection.instruct(&Instruction::OpenAsset(Box::new(signed))).await?;
    output.result(&id, &format!("{id} is open"));
    Ok(())
}

fn terms(
    connection: &Connection,
    core: AssetCore,
    args: &OpenArgs,
    authorities: &[AuthorityKeys],
) -> Result<AssetTerms, Failure> {
    // The first epoch opens in the past, so that clocks may differ.
    const SKEW_MS: u64 = 3_600_000;
    let asset = core.id();
    let start = now_ms().saturating_sub(SKEW_MS);
    let length = args.epoch_days.max(1).saturating_mul(24 * 3_600_000);
    let mut epochs = Vec::new();
    for number in 0..args.epochs.max(1) {
        let purpose = registrar_purpose(connection, asset, number)?;
        let secret = DisclosureSecret::derive(&connection.node.seed, &purpose);
        let mut keys = vec![secret.publish(&purpose, &mut OsRng)?];
        for authority in authorities {
            keys.push(authority.key(number).cloned().ok_or_else(|| {
                Failure::Usage(format!("{} has no key for epoch {number}", authority.label))
            })?);
        }
        epochs.push(Epoch {
            number,
            opens_at: start.saturating_add(length.saturating_mul(u64::from(number))),
            keys: Bounded::<DisclosureKey, { sudare_disclosure::policy::KEYS_MAX }>::new(keys)?,
        });
    }
    let policy = Policy { grace_ms: core.window_max_ms, epochs: epochs.try_into()? };
    Ok(AssetTerms { core, number: 0, policy })
}

/// What the registrar's own key is for, as its node derives it.
pub(super) fn registrar_purpose(
    connection: &Connection,
    asset: AssetId,
    epoch: u32,
) -> Result<KeyPurpose, Failure> {
    let label = text("registrar", "a label")?;
    Ok(KeyPurpose { network: connection.node.network, asset, epoch, fields: Fields::ALL, label })
}

async fn issue(args: &IssueArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.node.config)?;
    let asset = asset_of(&connection, &args.asset).await?;
    let mut allotments = Vec::new();
    for allotment in &args.allot {
        let usage = || Failure::Usage(format!("{allotment} is not CUSTODIAN:QUANTITY:TRADE_ID"));
        let mut parts = allotment.splitn(3, ':');
        let custodian = connection.member(parts.next().ok_or_else(usage)?)?.id;
        let quantity = parts.next().and_then(|digits| digits.parse().ok()).ok_or_else(usage)?;
        let trade_id = text(parts.next().ok_or_else(usage)?, "a trade id")?;
        allotments.push(Allotment { trade_id, custodian, quantity });
    }
    for order in orders(&args.reference, asset, &allotments)? {
        connection.instruct(&Instruction::Issue(Box::new(order))).await?;
    }
    output.result(&args.reference, "issue begun; see `sudare register show`");
    Ok(())
}

/// As few issues as these allotments can be in, each one leg.
fn orders(
    reference: &str,
    asset: AssetId,
    allotments: &[Allotment],
) -> Result<Vec<IssueOrder>, Failure> {
    let mut orders = Vec::new();
    for (index, of_leg) in allotments.chunks(ALLOTMENTS_MAX).enumerate() {
        let number = index.saturating_add(1);
        let own = if index == 0 { reference.to_owned() } else { format!("{reference}/{number}") };
        let reference = text(&own, "a reference")?;
        orders.push(IssueOrder {
            reference: reference.clone(),
            asset,
            allotments: of_leg.to_vec().try_into()?,
            trade: TradeInfo {
                trade_id: reference,
                kind: text("issue", "a type")?,
                ..TradeInfo::default()
            },
        });
    }
    Ok(orders)
}

async fn list(args: &NodeArgs, output: &Output) -> Result<(), Failure> {
    let connection = Connection::open(&args.config)?;
    let names = Directory::load(&connection).await?;
    let OperatorAnswer::Assets(lines) = connection.query(&OperatorQuery::Assets).await? else {
        return Err(Failure::Node("the node answered something else".into()));
    };
    let rows: Vec<_> = lines
        .iter()
        .map(|line| (view::Asset::of(&line.terms, &names), line.register))
        .map(|(asset, totals)| AssetRow { asset, totals: totals.map(Totals::of) })
        .collect();
    let header = ["asset", "name", "registrar", "supply", "log entries", "who reads what"];
    output.rows(&rows, &header, |row| {
        let totals = row.totals.as_ref();
        vec![
            row.asset.code.clone(),
            row.asset.name.clone(),
            row.asset.registrar.clone(),
            totals.map(|totals| totals.supply.clone()).unwrap_or_default(),
            totals.map(|totals| totals.entries.to_string()).unwrap_or_default(),
            row.asset.disclosure.join("\n"),
        ]
    });
    Ok(())
}

#[derive(serde::Serialize)]
struct AssetRow {
    #[serde(flatten)]
    asset: view::Asset,
    #[serde(flatten)]
    totals: Option<Totals>,
}

#[derive(serde::Serialize)]
struct Totals {
    minted: String,
    burned: String,
    supply: String,
    entries: u64,
    open: bool,
}

impl Totals {
    fn of(totals: crate::operator::AssetTotals) -> Self {
        Self {
            minted: totals.minted.to_string(),
            burned: totals.burned.to_string(),
            supply: totals.minted.saturating_sub(totals.burned).to_string(),
            entries: totals.entries,
            open: totals.open,
        }
    }
}

async fn asset_of(connection: &Connection, code: &str) -> Result<AssetId, Failure> {
    Ok(Directory::load(connection).await?.terms(code)?.terms.asset())
}

/// Reads a file of at most 1 MiB.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    use std::io::Read;
    let failed = |error| Failure::File(path.to_owned(), error);
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(1024 * 1024).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

/// Writes a file that must not exist yet.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    use std::io::Write;
    let failed = |error| Failure::File(path.to_owned(), error);
    let mut file = std::fs::File::create_new(path).map_err(failed)?;
    file.write_all(bytes).map_err(failed)
}

#[cfg(test)]
mod tests {
    use sudare_crypto::NodeId;

    use super::*;

    #[test]
    fn an_issue_is_in_as_few_legs_as_can_be_under_references_of_their_own() {
        let allotment = |number: usize| Allotment {
            trade_id: text(&format!("T-{number}"), "a trade id").unwrap(),
            custodian: NodeId([1; 32]),
            quantity: 1,
        };
        let all: Vec<_> = (0..130).map(allotment).collect();
        let of = |count: usize| -> Vec<(String, usize)> {
            let orders = orders("R", AssetId::default(), &all[..count]).unwrap();
            let line = |one: &IssueOrder| (one.reference.to_string(), one.allotments.len());
            orders.iter().map(line).collect()
        };
        let named = |name: &str, count: usize| (name.to_owned(), count);
        assert_eq!(of(64), [named("R", 64)]);
        assert_eq!(of(65), [named("R", 64), named("R/2", 1)]);
        assert_eq!(of(130), [named("R", 64), named("R/2", 64), named("R/3", 2)]);
        let again = orders("R", AssetId::default(), &all).unwrap();
        let ids = again.iter().flat_map(|one| one.allotments.iter()).map(|one| &one.trade_id);
        assert!(ids.eq(all.iter().map(|one| &one.trade_id)), "each once, in order");
        let long = "R".repeat(35);
        assert!(orders(&long, AssetId::default(), &all[..64]).is_ok());
        assert!(orders(&long, AssetId::default(), &all).is_err(), "no room for a number");
    }
}
