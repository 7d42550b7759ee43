//! `sudare demo`: a whole network on this machine, as separate processes, from input files to checked end positions.

mod checks;
pub mod day;
pub mod expected;
mod faults;
pub mod input;
mod meter;
mod past;
pub mod processes;
pub mod report;
mod running;
pub mod setup;
pub mod trading;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use sudare_ledger::role::Role;
use tokio::signal::unix::{SignalKind, signal};

use self::day::Timeline;
use self::expected::Expected;
use self::input::{AssetKind, Files, Scenario, Source};
use self::meter::Meter;
use self::past::Past;
use self::processes::Processes;
use self::report::DemoReport;
use self::setup::{Desk, Opening};
use self::trading::{Floor, UnderWay};
use crate::cli::{Failure, Output};
use crate::clock::now_ms;
use crate::membership::MemberName;
use crate::network::{self, Made, Planned};

/// The longest input file, in bytes.
const INPUT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// How often a network is made anew because another program took one of its ports.
const PORT_TRIES: u32 = 3;
/// An account gets a further note of its opening position for so many deliveries.
const DEBITS_A_NOTE: u64 = 8;
/// The most notes of one opening position.
const NOTES_MAX: u64 = 16;

/// `sudare demo`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct DemoArgs {
    #[command(subcommand)]
    command: Option<DemoCommand>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum DemoCommand {
    /// Start the network, settle the trades, and leave it running to play with.
    Up(RunArgs),
    /// Settle a whole trading day at speed: one made up from a seed, or your own files.
    Day(day::DayArgs),
    /// Stop a network that `up` left running.
    Down(FolderArgs),
    /// Show which nodes of a network run.
    Status(FolderArgs),
}

/// What to trade, and where.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Investors with their custodians and accounts, as CSV (default: the small set that comes with the program).
    #[arg(long, value_name = "FILE", requires_all = ["positions", "trades"])]
    investors: Option<PathBuf>,
    /// Opening positions, as CSV.
    #[arg(long, value_name = "FILE", requires_all = ["investors", "trades"])]
    positions: Option<PathBuf>,
    /// Trades, as CSV.
    #[arg(long, value_name = "FILE", requires_all = ["investors", "positions"])]
    trades: Option<PathBuf>,
    /// Who the investors are, as CSV; only the reports show it, no node gets it.
    #[arg(long, value_name = "FILE", requires = "investors")]
    names: Option<PathBuf>,
    /// The network's folder; must not exist yet (default: a temporary one, removed at the end; for `up`: ./sudare-demo).
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Keep the folder.
    #[arg(long)]
    keep: bool,
}

/// Where a network is.
#[derive(Clone, Debug, Args)]
pub struct FolderArgs {
    /// The network's folder.
    #[arg(long, value_name = "FOLDER", default_value = "sudare-demo")]
    dir: PathBuf,
}

/// Does what the command line says.
///
/// # Errors
///
/// [`Failure`], also if a check of the demo does not hold.
pub async fn run(args: DemoArgs, output: &Output) -> Result<(), Failure> {
    match args.command {
        None => once(&args.run, output).await,
        Some(DemoCommand::Up(args)) => up(&args, output).await,
        Some(DemoCommand::Day(args)) => day::run(&args, output).await,
        Some(DemoCommand::Down(args)) => down(&args.dir, output).await,
        Some(DemoCommand::Status(args)) => status(&args.dir, output),
    }
}

/// How a scenario is carried out.
#[derive(Clone, Copy, Debug, Default)]
struct Manner {
    /// Kill nodes all the time, as this seed has it.
    chaos: Option<u64>,
}

/// What a scenario has come to.
struct Finished {
    report: DemoReport,
    timeline: Timeline,
}

/// Runs the demo and removes what it made.
async fn once(args: &RunArgs, output: &Output) -> Result<(), Failure> {
    let scenario = Arc::new(read(args)?);
    let finished = alone(args, &scenario, Manner::default(), output).await?;
    finish(&finished.report, output)
}

/// Carries out a scenario on a network of its own, and removes the network.
async fn alone(
    args: &RunArgs,
    scenario: &Arc<Scenario>,
    manner: Manner,
    output: &Output,
) -> Result<Finished, Failure> {
    let folder = match &args.dir {
        Some(folder) => folder.clone(),
        None => {
            std::env::temp_dir().join(format!("sudare-demo-{}-{}", std::process::id(), now_ms()))
        }
    };
    if folder.exists() {
        return Err(network::InitError::Exists(folder).into());
    }
    let result = match attempt(&folder, scenario, manner, output).await {
        Ok((finished, mut processes)) => {
            processes.stop().await;
            Ok(finished)
        }
        Err(failure) => Err(failure),
    };
    let keep = args.keep || (args.dir.is_some() && result.is_err());
    if keep && folder.exists() {
        output.note(&format!("the network's folder is kept: {}", folder.display()));
    } else if let Err(error) = std::fs::remove_dir_all(&folder)
        && folder.exists()
    {
        output.note(&format!("{} could not be removed: {error}", folder.display()));
    }
    result
}

/// Makes a network, carries out a scenario on it and leaves its processes to the caller; after a failure none runs.
///
/// If another program takes a port before its node has it, everything is made once more, with other ports.
async fn attempt(
    folder: &Path,
    scenario: &Arc<Scenario>,
    manner: Manner,
    output: &Output,
) -> Result<(Finished, Processes), Failure> {
    let mut tries = 0;
    loop {
        let made = make(folder, scenario)?;
        let mut processes = Processes::of(&made);
        let result = tokio::select! {
            result = whole(&made, &mut processes, scenario, manner, output) => result,
            name = interrupted() => Err(Failure::CheckFailed(format!("stopped by {name}; nothing is left running"))),
        };
        let failure = match result {
            Ok(finished) => return Ok((finished, processes)),
            Err(failure) => processes.cause(failure).await,
        };
        processes.stop().await;
        tries += 1;
        if !matches!(failure, Failure::PortTaken(_)) || tries >= PORT_TRIES {
            return Err(failure);
        }
        std::fs::remove_dir_all(folder).map_err(|error| Failure::File(folder.to_owned(), error))?;
    }
}

/// Runs the demo and leaves the network running.
async fn up(args: &RunArgs, output: &Output) -> Result<(), Failure> {
    let folder = args.dir.clone().unwrap_or_else(|| PathBuf::from("sudare-demo"));
    let alive = processes::running(&folder);
    if !alive.is_empty() {
        let first = alive.iter().next().map(|(name, pid)| format!("{name}, process {pid}"));
        return Err(Failure::Usage(format!(
            "a demo is running in {} ({}): use it, or stop it with `sudare demo down --dir {}`",
            folder.display(),
            first.unwrap_or_default(),
            folder.display()
        )));
    }
    if folder.exists() {
        return Err(Failure::Usage(format!(
            "{} is there from an earlier demo that no longer runs: remove it, or name another folder with --dir",
            folder.display()
        )));
    }
    let scenario = Arc::new(read(args)?);
    let (finished, processes) = attempt(&folder, &scenario, Manner::default(), output).await?;
    let example = folder.join("custodian-a/node.toml");
    processes.leave_running();
    finish(&finished.report, output)?;
    output.note(&format!(
        "the network runs on; try: sudare account list --config {}\nstop it with: sudare demo down --dir {}",
        example.display(),
        folder.display()
    ));
    Ok(())
}

async fn down(folder: &Path, output: &Output) -> Result<(), Failure> {
    if !folder.join("membership.bin").exists() {
        return Err(Failure::Usage(format!("{} is no demo's folder", folder.display())));
    }
    let left = processes::stop_running(folder).await;
    if !left.is_empty() {
        return Err(Failure::CheckFailed(format!("these processes do not stop: {left:?}")));
    }
    std::fs::remove_dir_all(folder).map_err(|error| Failure::File(folder.to_owned(), error))?;
    output.result(&"stopped", &format!("stopped; {} is removed", folder.display()));
    Ok(())
}

fn status(folder: &Path, output: &Output) -> Result<(), Failure> {
    let alive: Vec<(String, u32)> = processes::running(folder).into_iter().collect();
    output.rows(&alive, &["node", "process"], |(name, pid)| vec![name.clone(), pid.to_string()]);
    Ok(())
}

/// A network that is ready for a day.
struct Ground<'a> {
    made: &'a Made,
    desk: Desk,
    past: Past,
    /// How long it took until all nodes answered, ms.
    ready_ms: u64,
}

/// Everything from starting the nodes to the report.
async fn whole(
    made: &Made,
    processes: &mut Processes,
    scenario: &Arc<Scenario>,
    manner: Manner,
    output: &Output,
) -> Result<Finished, Failure> {
    let began = now_ms();
    processes.start()?;
    processes.ready().await?;
    let ready_ms = now_ms().saturating_sub(began);
    let ground = Ground { made, desk: Desk::open(made)?, past: Past::default(), ready_ms };
    settle(ground, processes, scenario, manner, output).await
}

/// Everything from opening assets on a network that runs to the report.
async fn settle(
    ground: Ground<'_>,
    processes: &mut Processes,
    scenario: &Arc<Scenario>,
    manner: Manner,
    output: &Output,
) -> Result<Finished, Failure> {
    let Ground { made, mut desk, past, ready_ms } = ground;
    if let Some(seed) = manner.chaos {
        processes.unleash(seed);
    }
    let openings = openings(scenario);
    let bar = output.bar(scenario.accounts.len() + openings.len() + scenario.trades.len() + 5);
    let meter = processes.during(Meter::begin(&desk)).await?;
    let set_up = async {
        bar.set_message("opening assets");
        open_assets(&mut desk, made, scenario).await?;
        bar.set_message("registering accounts");
        desk.add_accounts(&accounts(scenario, &past)).await?;
        bar.inc(u64::try_from(scenario.accounts.len()).unwrap_or(0));
        bar.set_message("issuing opening positions");
        desk.issue(&openings, |_| bar.inc(1)).await
    };
    processes.during(set_up).await?;

    let scenario = Arc::new(past.under(scenario)?);
    let expected = Expected::of(&scenario);
    let dependencies = expected::dependencies(&scenario, &expected);
    let floor = Arc::new(Floor { desk, scenario, under_way: UnderWay::default() });
    let meter = Arc::new(meter);
    let _metering = Ending(tokio::spawn(Arc::clone(&meter).run(Arc::clone(&floor))));
    let (began, before) = (now_ms(), bar.position());
    let progress = |ended: usize| {
        let ended = u64::try_from(ended).unwrap_or(0);
        bar.set_position(before.saturating_add(ended));
        bar.set_message(day::live(
            &floor.under_way.standing(),
            ended,
            now_ms().saturating_sub(began),
        ));
    };
    processes.sample();
    let ended = trading::carry_out(&floor, processes, &dependencies, progress).await?;
    let took_ms = now_ms().saturating_sub(began);
    processes.sample();
    let (scenario, desk) = (&floor.scenario, &floor.desk);
    let mut timeline = Timeline::of(began, took_ms, &ended);
    timeline.note_use(began, processes.samples());

    bar.set_message("checking");
    let run = checks::Run { made, desk, scenario, expected: &expected, meter: &meter };
    let mut report = processes.during(run.report(&ended)).await?;
    checks::resources(&mut report, processes.memory(), ready_ms);
    report.pace = timeline.pace(processes.cpu(), processes.calm());
    timeline.positions = expected.positions;
    bar.finish_and_clear();
    Ok(Finished { report, timeline })
}

/// A task that ends with the one that holds this.
struct Ending(tokio::task::JoinHandle<()>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn finish(report: &DemoReport, output: &Output) -> Result<(), Failure> {
    output.result(report, &report.table());
    if report.all_held() {
        Ok(())
    } else {
        Err(Failure::CheckFailed("a check does not hold: see the report".into()))
    }
}

async fn open_assets(desk: &mut Desk, made: &Made, scenario: &Scenario) -> Result<(), Failure> {
    let name = |role: Role, fallback: &str| {
        let member = made.members.iter().find(|(member, _)| member.role == role);
        member.map_or_else(|| fallback.to_owned(), |(member, _)| member.name.to_string())
    };
    let regulator = name(Role::Regulator, "regulator");
    let known: BTreeSet<String> = desk.assets().keys().cloned().collect();
    // A network with a past may have an asset already.
    for spec in scenario.assets.values().filter(|spec| !known.contains(&spec.code)) {
        let registrar = match spec.kind {
            AssetKind::Security => "registrar-securities",
            AssetKind::Cash => "registrar-cash",
        };
        let has = desk.names().any(|name| name == registrar);
        let registrar = if has { registrar.to_owned() } else { name(Role::Registrar, registrar) };
        desk.open_asset(spec, &registrar, &regulator).await?;
    }
    Ok(())
}

/// The accounts to register, as custodian, asset and investor.
fn accounts(scenario: &Scenario, past: &Past) -> Vec<(String, String, String)> {
    let account = |account: &input::Account| {
        let custodian = scenario.custodian_of(&account.investor)?;
        let (asset, investor) = (account.asset.as_str(), account.investor.as_str());
        Some((custodian.as_str().to_owned(), asset.to_owned(), investor.to_owned()))
    };
    scenario.accounts.iter().filter(|one| !past.has(one)).filter_map(account).collect()
}

/// The opening positions; that of an account which delivers often comes in several notes, so that its trades need not wait
/// for each other's change.
fn openings(scenario: &Scenario) -> Vec<Opening> {
    let mut debits: BTreeMap<&input::Account, u64> = BTreeMap::new();
    let payers = expected::payers(scenario);
    for payer in &payers {
        let count = debits.entry(payer).or_default();
        *count = count.saturating_add(1);
    }
    let mut openings = Vec::new();
    for (account, amount) in &scenario.positions {
        let Some(custodian) = scenario.custodian_of(&account.investor) else { continue };
        let units = amount.atomic_units();
        let debits = debits.get(account).copied().unwrap_or(0);
        let parts = (debits / DEBITS_A_NOTE).clamp(1, NOTES_MAX).min(units.max(1));
        for part in 0..parts {
            // The first parts take what can't be divided.
            let more = u64::from(part < units.checked_rem(parts).unwrap_or(0));
            openings.push(Opening {
                asset: account.asset.as_str().to_owned(),
                investor: account.investor.as_str().to_owned(),
                custodian: custodian.as_str().to_owned(),
                quantity: units.checked_div(parts).unwrap_or(units).saturating_add(more),
            });
        }
    }
    openings
}

/// The notary, a registrar for securities and one for cash, the scenario's custodians, a regulator.
fn make(folder: &Path, scenario: &Scenario) -> Result<Made, Failure> {
    let mut plan = Vec::new();
    let mut add = |name: &str, role: Role| -> Result<(), Failure> {
        let name = MemberName::new(name).map_err(|error| Failure::Usage(error.to_string()))?;
        plan.push(Planned { name, role, address: None });
        Ok(())
    };
    add("notary", Role::Notary)?;
    add("registrar-securities", Role::Registrar)?;
    add("registrar-cash", Role::Registrar)?;
    for custodian in scenario.custodians() {
        add(custodian.as_str(), Role::Custodian)?;
    }
    add("regulator", Role::Regulator)?;
    Ok(network::init(folder, &plan, now_ms())?)
}

/// The scenario of the files that the arguments name, or the one that comes with the program.
fn read(args: &RunArgs) -> Result<Scenario, Failure> {
    let scenario = match given(args) {
        Some(scenario) => scenario?,
        None => Scenario::embedded().map_err(|errors| Failure::Usage(errors.to_string()))?,
    };
    Ok(scenario)
}

/// The scenario of the files that the arguments name; none if they name none.
fn given(args: &RunArgs) -> Option<Result<Scenario, Failure>> {
    let (Some(investors), Some(positions), Some(trades)) =
        (&args.investors, &args.positions, &args.trades)
    else {
        return None;
    };
    Some(parse([investors, positions, trades], args.names.as_ref()))
}

fn parse(files: [&PathBuf; 3], names: Option<&PathBuf>) -> Result<Scenario, Failure> {
    let load = |path: &PathBuf| -> Result<(String, Vec<u8>), Failure> {
        let failed = |error| Failure::File(path.clone(), error);
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(failed)?;
        // One byte more than allowed, so that the parser can say that it is too long.
        file.take(INPUT_BYTES_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        Ok((path.display().to_string(), bytes))
    };
    let [investors, positions, trades] = files;
    let files = [load(investors)?, load(positions)?, load(trades)?];
    let [investors, positions, trades] =
        files.each_ref().map(|(name, bytes)| Source { name, bytes });
    let names = names.map(load).transpose()?;
    let names = names.as_ref().map(|(name, bytes)| Source { name, bytes });
    Scenario::of(Files { investors, positions, trades, names })
        .map_err(|errors| Failure::Usage(errors.to_string()))
}

/// Waits for Ctrl-C or SIGTERM, and says which it was.
pub(crate) async fn interrupted() -> &'static str {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "Ctrl-C",
    }
}
