//! Messages of what a node keeps.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use sudare_api::calendar::BusinessDate;
use sudare_api::flows::{Outgoing, Saying};
use sudare_api::iso20022::ledger::{self, Moved, RecordDate, Statement, WriteError};
use sudare_api::iso20022::{BYTES_MAX, EventCode, FaultKind, Message, When};
use sudare_api::reconciliation::Holding;
use sudare_api::reconciliation::statement::{self, Heading, Held};
use sudare_api::view::Names;
use sudare_disclosure::AssetCore;
use sudare_ledger::custodian::TradeView;
use sudare_ledger::registrar::SnapshotView;
use sudare_ledger::role::Role;

use super::super::NodeArgs;
use super::super::account::Directory;
use super::super::asset::write_new;
use super::super::connect::Connection;
use super::super::trade::find;
use super::{Failure, Output};
use crate::clock::now_ms;
use crate::operator::{OperatorAnswer, OperatorQuery};

/// `sudare message write`.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum WriteCommand {
    /// What accounts hold (semt.002): at a custodian its accounts, at a registrar its register.
    Holdings(HoldingsArgs),
    /// At a custodian, what was booked from one day to another (semt.017).
    Transactions(TransactionsArgs),
    /// At a custodian, what is under way (semt.018).
    Pending(PendingArgs),
    /// At a custodian, how far a trade is (sese.024).
    Status(TradeArgs),
    /// At a custodian, that a trade settled (sese.025).
    Confirmation(TradeArgs),
    /// At a custodian, what became of its request to cancel a trade (sese.027).
    Cancellation(TradeArgs),
    /// At a registrar, a record date that a register snapshot has fixed (seev.031).
    RecordDate(RecordDateArgs),
}

/// From which node, and where to.
#[derive(Debug, Args)]
struct To {
    #[command(flatten)]
    node: NodeArgs,
    /// The message's id, at most 35 characters; made of what and when if left out.
    #[arg(long)]
    id: Option<String>,
    /// The file to write, which must not exist yet; of several pages FILE-0001, FILE-0002 and so on. Standard output if left out.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Whose, and of what.
#[derive(Debug, Args)]
struct Of {
    /// An asset's code; repeat for more. All that the node has without.
    #[arg(long, value_name = "CODE")]
    asset: Vec<String>,
    /// An investor's pseudonym; repeat for more. All without.
    #[arg(long, value_name = "PSEUDONYM")]
    investor: Vec<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HoldingsArgs {
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    of: Of,
    /// At a registrar: of this custodian's customers alone.
    #[arg(long, value_name = "NAME")]
    custodian: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TransactionsArgs {
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    of: Of,
    /// The first day in Japan, YYYY-MM-DD.
    #[arg(long, value_name = "DATE")]
    from: String,
    /// The last day in Japan, with it.
    #[arg(long, value_name = "DATE")]
    until: String,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PendingArgs {
    #[command(flatten)]
    to: To,
    #[command(flatten)]
    of: Of,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TradeArgs {
    #[command(flatten)]
    to: To,
    /// 取引ID.
    trade_id: String,
    /// If two trades have this id: the one with this counterparty.
    #[arg(long, value_name = "NAME")]
    counterparty: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RecordDateArgs {
    #[command(flatten)]
    to: To,
    /// The asset's code.
    #[arg(long)]
    asset: String,
    /// The register snapshot's number, as `sudare register snapshot` shows it.
    #[arg(long, value_name = "NUMBER")]
    snapshot: u32,
    /// The record date, YYYY-MM-DD; the snapshot's day in Japan if left out.
    #[arg(long, value_name = "DATE")]
    day: Option<String>,
    /// When it is paid, YYYY-MM-DD, if that is known.
    #[arg(long, value_name = "DATE")]
    payment: Option<String>,
    /// What happens.
    #[arg(long, value_enum, default_value = "other")]
    event: Event,
}

/// What a record date is for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Event {
    /// Interest (INTR).
    Interest,
    /// Dividend in cash (DVCA).
    Dividend,
    /// Distribution of capital (CAPD).
    Capital,
    /// Distribution of capital gains (CAPG).
    Gains,
    /// Redemption at maturity (REDM).
    Redemption,
    /// Something else, such as a meeting (OTHR).
    Other,
}

/// What is printed if it is written to files.
#[derive(Debug, Serialize)]
struct WrittenView {
    message: &'static str,
    files: Vec<String>,
}

pub(super) async fn run(command: WriteCommand, output: &Output) -> Result<(), Failure> {
    match command {
        WriteCommand::Holdings(args) => holdings(&args, output).await,
        WriteCommand::Transactions(args) => transactions(&args, output).await,
        WriteCommand::Pending(args) => pending(&args, output).await,
        WriteCommand::Status(args) => of_trade(&args, Saying::Status, output).await,
        WriteCommand::Confirmation(args) => of_trade(&args, Saying::Confirmation, output).await,
        WriteCommand::Cancellation(args) => of_trade(&args, Saying::Cancellation, output).await,
        WriteCommand::RecordDate(args) => record_date(&args, output).await,
    }
}

impl To {
    /// Opens the node, which must have one of the roles.
    fn open(&self, roles: &[Role], keeps: &str) -> Result<Connection, Failure> {
        let connection = Connection::open(&self.node.config)?;
        let member = &connection.node.member;
        if roles.contains(&member.role) {
            return Ok(connection);
        }
        let why = format!("{} is a {}: {keeps}", member.name, member.role);
        Err(Failure::Usage(why))
    }

    /// The id that was given, or what and when.
    fn id(&self, what: &str, day: BusinessDate) -> String {
        self.id.clone().unwrap_or_else(|| format!("{what}-{day}"))
    }

    fn write(&self, messages: &[Message], output: &Output) -> Result<(), Failure> {
        let texts: Vec<String> = messages.iter().map(Message::to_xml).collect();
        if texts.iter().any(|text| text.len() > BYTES_MAX) {
            return Err(Failure::Usage(format!(
                "a page has more than {BYTES_MAX} bytes, so nobody would read it: choose fewer accounts or days"
            )));
        }
        let Some(out) = &self.out else {
            let [text] = &*texts else {
                let pages = texts.len();
                return Err(Failure::Usage(format!(
                    "the statement has {pages} pages, each a file: name them with --out FILE"
                )));
            };
            output.file(text);
            return Ok(());
        };
        let mut files = Vec::new();
        for (place, text) in texts.iter().enumerate() {
            let file = if texts.len() == 1 { out.clone() } else { numbered(out, place) };
            write_new(&file, text.as_bytes())?;
            files.push(file.display().to_string());
        }
        let message = messages.first().map(Message::id).unwrap_or_default();
        let text = format!("{message} written to {}", files.join(", "));
        output.result(&WrittenView { message, files }, &text);
        Ok(())
    }
}

/// `a.xml` as `a-0001.xml`.
fn numbered(out: &Path, place: usize) -> PathBuf {
    let number = place.saturating_add(1);
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let end = out.extension().map(|end| format!(".{}", end.to_string_lossy())).unwrap_or_default();
    out.with_file_name(format!("{stem}-{number:04}{end}"))
}

impl Of {
    /// The assets that were chosen, each of which the node must know.
    fn assets<'a>(&self, names: &'a Directory<'_>) -> Result<Vec<&'a AssetCore>, Failure> {
        if self.asset.is_empty() {
            return Ok(names.assets().map(|terms| &terms.core).collect());
        }
        self.asset.iter().map(|code| Ok(&names.terms(code)?.terms.core)).collect()
    }

    /// Whether an investor was chosen.
    fn takes(&self, investor: &str) -> bool {
        self.investor.is_empty() || self.investor.iter().any(|chosen| chosen == investor)
    }

    /// What the chosen accounts hold or moved must be there: whoever misspells a pseudonym isn't told that it holds nothing.
    fn all_known<'b>(&self, known: impl Iterator<Item = &'b str> + Clone) -> Result<(), Failure> {
        for investor in &self.investor {
            if !known.clone().any(|one| one == investor) {
                return Err(Failure::Usage(format!(
                    "{investor} has no account of these assets here: see `sudare account list`"
                )));
            }
        }
        Ok(())
    }
}

async fn holdings(args: &HoldingsArgs, output: &Output) -> Result<(), Failure> {
    let roles = [Role::Custodian, Role::Registrar];
    let connection = args.to.open(&roles, "name a custodian's or registrar's node")?;
    let names = Directory::load(&connection).await?;
    let assets = args.of.assets(&names)?;
    let own = connection.node.member.name.to_string();
    let (rows, owner) = match (connection.node.member.role, &args.custodian) {
        (Role::Registrar, custodian) => {
            let rows = registered(&connection, &assets, custodian.as_deref()).await?;
            (rows, custodian.clone().unwrap_or_else(|| own.clone()))
        }
        (_, Some(_)) => {
            return Err(Failure::Usage(
                "--custodian is for a registrar's register: a custodian has its own customers alone".into(),
            ));
        }
        (_, None) => (in_custody(&connection, &assets).await?, own.clone()),
    };
    args.of.all_known(rows.iter().map(|row| row.holding.account.as_str()))?;
    let rows: Vec<Held> =
        rows.into_iter().filter(|row| args.of.takes(&row.holding.account)).collect();
    let now = now_ms();
    let heading = Heading {
        id: args
            .to
            .id("HOLD", ledger::day_in_japan(now).map_err(refused)?)
            .parse()
            .map_err(form)?,
        at: When::Time(ledger::instant(now).map_err(refused)?),
        owner: owner.parse().map_err(form)?,
        servicer: own.parse().map_err(form)?,
        decimals: assets.iter().map(|core| (core.code.to_string(), core.decimals)).collect(),
    };
    let pages = statement::write(&heading, &rows).map_err(form)?;
    let pages: Vec<_> = pages.into_iter().map(|page| Message::Custody(Box::new(page))).collect();
    args.to.write(&pages, output)
}

/// Lines of the registers, of one custodian's customers or of all.
async fn registered(
    connection: &Connection,
    assets: &[&AssetCore],
    custodian: Option<&str>,
) -> Result<Vec<Held>, Failure> {
    let custodian =
        custodian.map(|name| Ok::<_, Failure>(connection.member(name)?.id)).transpose()?;
    let mut rows = Vec::new();
    for core in assets {
        // A custodian's register has others' lines of an account that moved to it, so its name stands in each.
        for line in connection.register(core.id()).await? {
            if custodian.is_some_and(|id| id != line.custodian) {
                continue;
            }
            let quantity = u64::try_from(line.quantity).map_err(|_| too_much(core))?;
            let account = line.investor.to_string();
            let holding = Holding { asset: core.code.to_string(), account, quantity };
            rows.push(Held { holding, locked: 0, frozen: line.frozen });
        }
    }
    Ok(rows)
}

async fn in_custody(connection: &Connection, assets: &[&AssetCore]) -> Result<Vec<Held>, Failure> {
    let mut rows = Vec::new();
    for account in connection.accounts().await? {
        let Some(core) = assets.iter().find(|core| core.id() == account.asset) else { continue };
        let balance = &account.balance;
        let quantity = balance.live.checked_add(balance.locked).ok_or_else(|| too_much(core))?;
        let holding = Holding {
            asset: core.code.to_string(),
            account: account.investor.to_string(),
            quantity,
        };
        // Which accounts are frozen is the registrar's to say.
        rows.push(Held { holding, locked: balance.locked, frozen: false });
    }
    Ok(rows)
}

async fn transactions(args: &TransactionsArgs, output: &Output) -> Result<(), Failure> {
    let (from, until) = (date("--from", &args.from)?, date("--until", &args.until)?);
    if until < from {
        return Err(Failure::Usage("--until is before --from: name the last day, with it".into()));
    }
    let id = args.to.id("POST", until);
    moved(&args.to, &args.of, output, |house, moved| {
        let statement = Statement { id: &id, house };
        let pages = statement.postings((from, until), moved)?;
        Ok(pages.into_iter().map(|page| Message::Postings(Box::new(page))).collect())
    })
    .await
}

async fn pending(args: &PendingArgs, output: &Output) -> Result<(), Failure> {
    let now = now_ms();
    let id = args.to.id("PEND", ledger::day_in_japan(now).map_err(refused)?);
    moved(&args.to, &args.of, output, |house, moved| {
        let statement = Statement { id: &id, house };
        let pages = statement.pending(now, moved)?;
        Ok(pages.into_iter().map(|page| Message::Pending(Box::new(page))).collect())
    })
    .await
}

/// A statement of what trades move.
async fn moved(
    to: &To,
    of: &Of,
    output: &Output,
    make: impl Fn(&str, &[Moved<'_>]) -> Result<Vec<Message>, WriteError>,
) -> Result<(), Failure> {
    let connection = to.open(&[Role::Custodian], "name a custodian's node, which has trades")?;
    let names = Directory::load(&connection).await?;
    let chosen = of.assets(&names)?;
    let accounts = connection.accounts().await?;
    of.all_known(accounts.iter().map(|account| account.investor.as_str()))?;
    let trades = connection.trades().await?;
    let house = connection.node.member.name.as_str();
    let mut all = Vec::new();
    for trade in &trades {
        let of_trade = Moved::of(trade, house, &names, &cores(&names)).map_err(refused)?;
        let takes = |one: &Moved<'_>| {
            of.takes(one.account()) && chosen.iter().any(|core| core.code.as_str() == one.code())
        };
        all.extend(of_trade.into_iter().filter(takes));
    }
    to.write(&make(house, &all).map_err(refused)?, output)
}

fn cores<'a>(names: &'a Directory<'_>) -> Vec<&'a AssetCore> {
    names.assets().map(|terms| &terms.core).collect()
}

async fn of_trade(args: &TradeArgs, saying: Saying, output: &Output) -> Result<(), Failure> {
    let keeps = "name a custodian's node, which has trades";
    let connection = args.to.open(&[Role::Custodian], keeps)?;
    let names = Directory::load(&connection).await?;
    let mut trades = find(&connection, &args.trade_id).await?;
    if let Some(name) = &args.counterparty {
        let id = connection.member(name)?.id;
        trades.retain(|trade| trade.counterparty == id);
    }
    let trade: &TradeView = match &*trades {
        [trade] => trade,
        [] => {
            return Err(Failure::Usage(format!(
                "this node has no trade {}, or none with that counterparty: see `sudare tx list`",
                args.trade_id
            )));
        }
        _ => {
            return Err(Failure::Usage(format!(
                "several trades are called {}: name one with --counterparty",
                args.trade_id
            )));
        }
    };
    let house = connection.node.member.name.as_str();
    let id = &args.trade_id;
    let outgoing = Outgoing::of_trade(trade, house, names.signed(), |id| names.node(id));
    let outgoing = outgoing.ok_or_else(|| match trade.delivery_date.as_str() {
        "" => Failure::CheckFailed(WriteError::Undated(id.clone()).to_string()),
        _ => Failure::CheckFailed(format!("trade {id} moves nothing: there is no message of it")),
    })?;
    let message = outgoing.message(saying).map_err(form)?;
    let message =
        message.ok_or_else(|| Failure::CheckFailed(format!("trade {id}: {}", saying.absent())))?;
    args.to.write(&[message], output)
}

async fn record_date(args: &RecordDateArgs, output: &Output) -> Result<(), Failure> {
    let keeps = "name the registrar's node, which fixes registers";
    let connection = args.to.open(&[Role::Registrar], keeps)?;
    let names = Directory::load(&connection).await?;
    let core = &names.terms(&args.asset)?.terms.core;
    let query = OperatorQuery::Snapshots(core.id());
    let OperatorAnswer::Snapshots(snapshots) = connection.query(&query).await? else {
        return Err(Failure::Node("the node is not a registrar".into()));
    };
    let found = snapshots.iter().find(|one| one.number == args.snapshot);
    let snapshot: &SnapshotView = found.ok_or_else(|| {
        let (number, all) = (args.snapshot, snapshots.len());
        Failure::Usage(format!(
            "{} has no register snapshot {number}, it has {all}: `sudare register snapshot` takes one",
            args.asset
        ))
    })?;
    let fixed = ledger::day_in_japan(snapshot.at).map_err(refused)?;
    let day = args.day.as_deref().map(|text| date("--day", text)).transpose()?.unwrap_or(fixed);
    let payment = args.payment.as_deref().map(|text| date("--payment", text)).transpose()?;
    if payment.is_some_and(|payment| payment < day) {
        return Err(Failure::Usage("--payment is before the record date".into()));
    }
    let made = format!("{}-{}", core.code, args.snapshot);
    let id = args.to.id(&made, day);
    let record = RecordDate {
        id: &id,
        asset: core.code.as_str(),
        event: args.event.code(),
        day,
        payment,
        proof: vec![
            ("snapshot", snapshot.number.to_string()),
            ("entry", snapshot.entry.to_string()),
            ("root", snapshot.root.to_string()),
        ],
    };
    let notification = record.notification().map_err(refused)?;
    args.to.write(&[Message::EventNotification(Box::new(notification))], output)
}

impl Event {
    const fn code(self) -> EventCode {
        match self {
            Self::Interest => EventCode::Interest,
            Self::Dividend => EventCode::CashDividend,
            Self::Capital => EventCode::CapitalDistribution,
            Self::Gains => EventCode::CapitalGains,
            Self::Redemption => EventCode::Redemption,
            Self::Other => EventCode::Other,
        }
    }
}

fn date(option: &str, text: &str) -> Result<BusinessDate, Failure> {
    text.parse().map_err(|error| Failure::Usage(format!("{option}: {error}")))
}

fn refused(error: WriteError) -> Failure {
    Failure::CheckFailed(error.to_string())
}

fn form(kind: FaultKind) -> Failure {
    refused(WriteError::Form { what: "a name or number", kind })
}

fn too_much(core: &AssetCore) -> Failure {
    Failure::CheckFailed(format!(
        "{}: an account holds more than 2^64 - 1 units, which no leg can have moved: stop, and rebuild the node's index from its log",
        core.code
    ))
}
