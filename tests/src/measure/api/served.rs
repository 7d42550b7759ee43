//! A network one of whose custodians serves the API, and what is asked of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sudare::cli::Failure;
use sudare::clock::now_ms;
use sudare::demo::input::{AssetKind, AssetSpec};
use sudare::demo::processes::Processes;
use sudare::demo::setup::{Desk, text, trade};
use sudare::membership::MemberName;
use sudare::network::{self, Made, Planned};
use sudare_ledger::custodian::{Instruction, Movement, Side};
use sudare_ledger::leg::TradeInfo;
use sudare_ledger::registrar::{
    ALLOTMENTS_MAX, Allotment, Instruction as RegistrarInstruction, IssueOrder,
};
use sudare_ledger::role::Role;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::Size;
use super::load::{Ask, Client, Done};
use crate::measure::Failed;
use crate::measure::network::program;
use crate::system::postgres::Server;
use crate::system::web::{Root, free_address, serve_api};

pub(super) const ASSET: &str = "MEASURED";
/// The custodian that serves the API.
const HOME: &str = "custodian-a";
/// The custodian to which transfers go.
const OTHER: &str = "custodian-b";
const RECEIVER: &str = "receiver";
const DATE: &str = "2031-07-18";
const VALID_MS: u64 = 3_600_000;
/// Every sender has two notes of this value...
const POSITION: u64 = 1_000_000;
/// ...and pays this: both notes go in, payment and change come out, as in the topic `network`.
const QUANTITY: u64 = 1_500_000;
/// No limit of requests bounds what is measured.
const UNLIMITED: &str = "[api.limits]\nburst = 1000000000\nper_second = 1000000000\n";

/// A database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

/// What was done.
pub(super) struct Did {
    pub(super) registered: Done,
    pub(super) read: Done,
    pub(super) accepted: Done,
    /// From the first transfer's request to the last one's settlement.
    pub(super) settled: Duration,
}

/// A network one of whose members serves the API, not running yet, with what it needs.
pub(super) struct Stage {
    pub(super) made: Made,
    pub(super) client: Arc<Client>,
    pub(super) program: PathBuf,
    runtime: Runtime,
    folder: TempDir,
    /// Ends before its folder goes.
    _server: Option<Server>,
    /// A folder of its own: it becomes that of the server's user.
    _database: TempDir,
}

impl Stage {
    /// Makes the network, and a client of the member that serves, of its own institution and with this role.
    pub(super) fn set(
        engine: Engine,
        members: &[(&str, Role)],
        serves: (&str, &str),
    ) -> Result<Self, Failed> {
        let runtime = Builder::new_multi_thread().enable_all().worker_threads(1).build();
        let folder = tempfile::tempdir().map_err(|error| wrong(&error))?;
        let database = tempfile::tempdir().map_err(|error| wrong(&error))?;
        let server = (engine == Engine::Postgres).then(|| Server::start(database.path()));
        let made = made(&folder.path().join("network"), members)?;
        let client = Arc::new(client(&made, server.as_ref(), serves)?);
        let runtime = runtime.map_err(|error| wrong(&error))?;
        let program = program()?;
        Ok(Self { made, client, program, runtime, folder, _server: server, _database: database })
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Measures, and stops what runs by then, whatever happens.
    pub(super) fn run<T>(
        &self,
        measured: impl AsyncFnOnce(&mut Processes) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        self.runtime.block_on(async {
            let mut processes = Processes::of(&self.made).with_program(&self.program);
            let result = tokio::select! {
                result = measured(&mut processes) => result,
                _ = tokio::signal::ctrl_c() => Err(Failed::Wrong("stopped; nothing is left running".into())),
            };
            processes.stop().await;
            result
        })
    }
}

/// Makes a network, runs it, and stops it whatever happens.
pub(super) fn measured_with(engine: Engine, size: &Size) -> Result<Did, Failed> {
    let members = [
        ("notary", Role::Notary),
        ("registrar", Role::Registrar),
        ("regulator", Role::Regulator),
        (HOME, Role::Custodian),
        (OTHER, Role::Custodian),
    ];
    let stage = Stage::set(engine, &members, (HOME, "custodian"))?;
    stage.run(async |processes| measured(&stage.made, processes, &stage.client, size).await)
}

fn made(folder: &Path, members: &[(&str, Role)]) -> Result<Made, Failed> {
    let plan: Result<Vec<Planned>, Failed> = members
        .iter()
        .map(|(name, role)| {
            let name = MemberName::new(name).map_err(|error| wrong(&error))?;
            Ok(Planned { name, role: *role, address: None })
        })
        .collect();
    Ok(network::init(folder, &plan?, now_ms()).map_err(Failure::from)?)
}

/// Has a member serve the API to one client, of its own institution and with this role.
fn client(
    made: &Made,
    server: Option<&Server>,
    (home, role): (&str, &str),
) -> Result<Client, Failed> {
    let config = made.members.iter().find(|(member, _)| member.name.as_str() == home);
    let config = config.map(|(_, config)| config).ok_or_else(|| wrong(&"no such member"))?;
    let (root, address) = (Root::default(), free_address());
    let card = root.card("clerk");
    let database = match server {
        None => String::new(),
        Some(server) => {
            let file = config.with_file_name("database.url");
            fs::write(&file, server.url()).map_err(|error| wrong(&error))?;
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600))
                .map_err(|error| wrong(&error))?;
            "database_url = \"database.url\"\n".to_owned()
        }
    };
    let more = |_: &Path, _: &Root| database + UNLIMITED;
    serve_api(config, address, &root, more, &card, (home, role));
    Ok(Client { root, card, address })
}

async fn measured(
    made: &Made,
    processes: &mut Processes,
    client: &Arc<Client>,
    size: &Size,
) -> Result<Did, Failed> {
    let desk = opened(made, processes, &[(HOME, "own"), (OTHER, RECEIVER)]).await?;
    let (registered, read) = registered(client, size.investors).await?;
    let investors: Vec<String> = registered.ids()?.into_iter().take(size.transfers).collect();
    funded(client, &desk, &investors).await?;
    expected(&desk, investors.len()).await?;
    let transfers: Vec<Ask> = investors
        .iter()
        .enumerate()
        .map(|(number, investor)| {
            let body = instruction(investor, &format!("T-{number}"), QUANTITY, OTHER);
            Ask::post("/v1/instructions/transfers", format!("transfer-{number}"), body)
        })
        .collect();
    let began = Instant::now();
    let accepted = ask_all(client, transfers, 202).await?;
    // Connections are made before the first request, and that isn't counted.
    let connecting = began.elapsed().saturating_sub(accepted.took);
    until(client, accepted.ids()?, "settled").await?;
    let settled = began.elapsed().saturating_sub(connecting);
    let _ = processes.watch()?;
    Ok(Did { registered, read, accepted, settled })
}

/// Starts the nodes, and opens the asset with accounts of these custodians' investors.
pub(super) async fn opened(
    made: &Made,
    processes: &mut Processes,
    accounts: &[(&str, &str)],
) -> Result<Desk, Failed> {
    processes.start()?;
    processes.ready().await?;
    let mut desk = Desk::open(made)?;
    let spec = AssetSpec {
        code: ASSET.into(),
        name: "a security that is measured".into(),
        unit: "unit".into(),
        decimals: 0,
        kind: AssetKind::Security,
    };
    desk.open_asset(&spec, "registrar", "regulator").await?;
    let account = |(custodian, investor): &(&str, &str)| {
        (custodian.to_string(), ASSET.to_owned(), investor.to_string())
    };
    desk.add_accounts(&accounts.iter().map(account).collect::<Vec<_>>()).await?;
    Ok(desk)
}

/// Investors registered, after a few to warm up, and the same ones read.
async fn registered(client: &Arc<Client>, count: usize) -> Result<(Done, Done), Failed> {
    let party = json!({ "name": "Measured Institution", "address": "1 Demo Street" });
    let custodian = Ask::post("/v1/custodians", "custodian".into(), party.clone());
    let place = Ask::post("/v1/safekeeping-places", "place".into(), party);
    let ids = ask_all(client, vec![custodian, place], 201).await?.ids()?;
    let [custodian, place] = ids.as_slice() else { return Err(wrong(&"two rows have two ids")) };
    let post = |number: usize, key: &str| {
        let body = investor(number, custodian, place);
        Ask::post("/v1/investors", format!("{key}-{number}"), body)
    };
    let warm = (0..count / 10).map(|number| post(number, "warm")).collect();
    let _ = ask_all(client, warm, 201).await?;
    let asks = (0..count).map(|number| post(number, "investor")).collect();
    let registered = ask_all(client, asks, 201).await?;
    let gets = registered.ids()?.iter().map(|id| Ask::get(format!("/v1/investors/{id}"))).collect();
    let read = ask_all(client, gets, 200).await?;
    Ok((registered, read))
}

/// An investor with every field.
fn investor(number: usize, custodian: &str, place: &str) -> Value {
    json!({
        "corporate_number": "7123456789012", "name": format!("Measured Investor {number}"),
        "address": format!("{number} Demo Street"), "safekeeping_class": "safekeeping",
        "safekeeping_place_id": place, "safekeeping_account": format!("A-{number}"), "custodian_id": custodian,
        "contact_addressee": "Measured Investor", "contact_postal_code": "100-0001",
        "contact_address": "1 Demo Street", "phone": "+81-3-0000-0000", "email": "investor@example.com",
        "bank_code": "0000", "bank_name_kana": "ﾃﾞﾓ", "branch_code": "000", "branch_name_kana": "ﾃﾞﾓ",
        "deposit_kind": "ordinary", "account_number": "0000000", "account_holder_kana": "ﾃﾞﾓ",
        "status": "active", "aml_class": "low",
    })
}

/// Gives each investor an account and two notes.
async fn funded(client: &Arc<Client>, desk: &Desk, investors: &[String]) -> Result<(), Failed> {
    let accounts = investors
        .iter()
        .map(|id| {
            let body = json!({ "investor_id": id, "asset": ASSET });
            Ask::post("/v1/instructions/accounts", format!("account-{id}"), body)
        })
        .collect();
    let accounts = ask_all(client, accounts, 202).await?;
    until(client, accounts.ids()?, "registered").await?;
    let mut asks = Vec::new();
    let mut allotments = Vec::new();
    for (number, id) in investors.iter().enumerate() {
        for note in ["one", "two"] {
            let trade_id = format!("OPEN-{number}-{note}");
            let body = instruction(id, &trade_id, POSITION, "registrar");
            asks.push(Ask::post("/v1/instructions/receipts", trade_id.clone(), body));
            let (trade_id, custodian) = (text(&trade_id)?, desk.id(HOME)?);
            allotments.push(Allotment { trade_id, custodian, quantity: POSITION });
        }
    }
    let receipts = ask_all(client, asks, 202).await?.ids()?;
    for (number, allotments) in allotments.chunks(ALLOTMENTS_MAX).enumerate() {
        let order = IssueOrder {
            reference: text(&format!("ISSUE-{number}"))?,
            asset: desk.terms(ASSET)?.terms.asset(),
            allotments: allotments.to_vec().try_into()?,
            trade: TradeInfo { delivery_date: text(DATE)?, ..TradeInfo::default() },
        };
        let issue = RegistrarInstruction::Issue(Box::new(order));
        let _ = desk.node("registrar")?.instruct(&issue).await?;
    }
    until(client, receipts, "settled").await
}

/// The other custodian waits for every transfer, so that none waits for its instruction.
async fn expected(desk: &Desk, count: usize) -> Result<(), Failed> {
    let asset = desk.terms(ASSET)?.terms.asset();
    for number in 0..count {
        let id = text(&format!("T-{number}"))?;
        let mut side = trade(desk.id(HOME)?, Side::Counterparty, &id, VALID_MS)?;
        side.trade.delivery_date = text(DATE)?;
        side.receive = Some(Movement { asset, investor: text(RECEIVER)?, quantity: QUANTITY });
        let _ = desk.node(OTHER)?.instruct(&Instruction::Trade(Box::new(side))).await?;
    }
    Ok(())
}

fn instruction(investor: &str, trade_id: &str, quantity: u64, counterparty: &str) -> Value {
    json!({
        "investor_id": investor, "asset": ASSET, "trade_id": trade_id, "delivery_date": DATE,
        "quantity": quantity.to_string(), "counterparty": counterparty,
    })
}

/// Requests on threads of their own, while the runtime goes on.
async fn ask_all(client: &Arc<Client>, asks: Vec<Ask>, status: u16) -> Result<Done, Failed> {
    let client = Arc::clone(client);
    let asked = tokio::task::spawn_blocking(move || client.ask_all(&asks, status)).await;
    asked.map_err(|error| wrong(&error))?
}

async fn until(client: &Arc<Client>, ids: Vec<String>, state: &'static str) -> Result<(), Failed> {
    let client = Arc::clone(client);
    let waited = tokio::task::spawn_blocking(move || client.until(&ids, state)).await;
    waited.map_err(|error| wrong(&error))?
}

pub(super) fn wrong(error: &dyn std::fmt::Display) -> Failed {
    Failed::Wrong(error.to_string())
}
