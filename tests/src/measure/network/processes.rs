//! Runs the network's processes and takes their measure.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sudare::cli::Failure;
use sudare::clock::now_ms;
use sudare::demo::input::{AssetKind, AssetSpec};
use sudare::demo::processes::{self, Processes};
use sudare::demo::report::Latency;
use sudare::demo::setup::Desk;
use sudare::membership::MemberName;
use sudare::network::{self, Made, Planned};
use sudare_ledger::role::Role;

use super::drive::{Drive, ended};
use super::moves::{Move, custodian, holders};
use super::{ASSET, CUSTODIANS, Failed, REGISTRAR, REGULATOR, cpu};
use crate::measure::clock::float;
use crate::measure::cpu::Usage;

/// Transfers before the measured ones.
const WARM_UP: u64 = 12;

/// What the network is to do.
pub(super) struct Wanted {
    /// Transfers at full load.
    pub(super) transfers: u64,
    /// Transfers at half load.
    pub(super) paced: u64,
    /// Then full load for so long.
    pub(super) minutes: Option<u64>,
}

/// Processes by role.
pub(super) type ByRole = BTreeMap<Role, cpu::Processes>;

/// One minute of the long run.
pub(super) struct Minute {
    /// Transfers settled in it.
    pub(super) settled: u64,
    /// How long it was.
    pub(super) seconds: f64,
    /// CPU time and memory at its end.
    pub(super) usage: ByRole,
}

impl Minute {
    /// Memory of all nodes at its end, MiB.
    pub(super) fn memory_mb(&self) -> u64 {
        let bytes: u64 = self.usage.values().map(|one| one.memory).sum();
        bytes >> 20
    }
}

/// What the network did.
pub(super) struct Load {
    pub(super) took_ms: u64,
    pub(super) latency: Latency,
    /// At half load.
    pub(super) half: Latency,
    pub(super) bytes: u64,
    pub(super) before: ByRole,
    pub(super) after: ByRole,
    /// The part of all cores that other programs took.
    pub(super) elsewhere: f64,
    pub(super) processes: usize,
    /// The long run, minute by minute; empty if none was wanted.
    pub(super) minutes: Vec<Minute>,
}

/// The release program beside this one.
pub(in super::super) fn program() -> Result<PathBuf, Failed> {
    let own = std::env::current_exe().map_err(|error| Failed::Wrong(error.to_string()))?;
    let program = own.with_file_name("sudare");
    let release = "cargo build --release -p sudare";
    let command = if cfg!(debug_assertions) { "cargo build -p sudare" } else { release };
    if program.is_file() { Ok(program) } else { Err(Failed::NotBuilt { program, command }) }
}

/// Makes a network, runs it, and stops it whatever happens.
pub(super) fn on_a_network(wanted: &Wanted) -> Result<Load, Failed> {
    let program = program()?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build();
    let runtime = runtime.map_err(|error| Failed::Wrong(error.to_string()))?;
    runtime.block_on(async {
        let folder = tempfile::tempdir().map_err(|error| Failed::Wrong(error.to_string()))?;
        let made = made(&folder.path().join("network"))?;
        let mut processes = Processes::of(&made).with_program(&program);
        let result = tokio::select! {
            result = measured(&made, &mut processes, wanted) => result,
            _ = tokio::signal::ctrl_c() => Err(Failed::Wrong("stopped; nothing is left running".into())),
        };
        processes.stop().await;
        result
    })
}

fn made(folder: &Path) -> Result<Made, Failed> {
    let mut plan = Vec::new();
    let custodians = (0..CUSTODIANS).map(|number| (custodian(number), Role::Custodian));
    let others =
        [("notary", Role::Notary), (REGISTRAR, Role::Registrar), (REGULATOR, Role::Regulator)];
    let others = others.into_iter().map(|(name, role)| (name.to_owned(), role));
    for (name, role) in others.chain(custodians) {
        let name = MemberName::new(&name).map_err(|error| Failed::Wrong(error.to_string()))?;
        plan.push(Planned { name, role, address: None });
    }
    Ok(network::init(folder, &plan, now_ms()).map_err(Failure::from)?)
}

async fn measured(made: &Made, processes: &mut Processes, wanted: &Wanted) -> Result<Load, Failed> {
    let desk = opened(made, processes, wanted).await?;
    let drive = |numbers: Range<u64>, pace| {
        let at_most = Duration::MAX;
        Drive { desk: &desk, moves: Move::once, numbers, pace, at_most }.run(|_, _| Ok(()))
    };
    let transfers = wanted.transfers;
    drive(0..WARM_UP, Duration::ZERO).await?;
    ended(&desk, (0..WARM_UP).map(Move::once)).await?;
    let bytes_before = traffic(processes).await?;
    let (cpu_before, before) = (usage(made)?, by_role(made)?);
    let numbers = WARM_UP..WARM_UP.saturating_add(transfers);
    drive(numbers.clone(), Duration::ZERO).await?;
    let (cpu, after) = (usage(made)?, by_role(made)?);
    let (took_ms, latency) = ended(&desk, numbers.clone().map(Move::once)).await?;
    let bytes = traffic(processes).await?.saturating_sub(bytes_before);
    let pace = Duration::from_millis(took_ms.saturating_mul(2) / transfers.max(1));
    let numbers = numbers.end..numbers.end.saturating_add(wanted.paced);
    drive(numbers.clone(), pace).await?;
    let (_, half) = ended(&desk, numbers.map(Move::once)).await?;
    let minutes = match wanted.minutes {
        Some(minutes) => sustained(made, &desk, minutes).await?,
        None => Vec::new(),
    };
    processes.watch()?;
    let elsewhere = cpu.elsewhere(&cpu_before);
    let processes = processes.nodes().len();
    Ok(Load { took_ms, latency, half, bytes, before, after, elsewhere, processes, minutes })
}

/// Starts the nodes, opens the asset and the accounts, and issues what they begin with.
async fn opened(
    made: &Made,
    processes: &mut Processes,
    wanted: &Wanted,
) -> Result<Arc<Desk>, Failed> {
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
    desk.open_asset(&spec, REGISTRAR, REGULATOR).await?;
    let transfers = wanted.transfers.saturating_add(wanted.paced).saturating_add(WARM_UP);
    let (accounts, openings) = holders(transfers, wanted.minutes.is_some());
    desk.add_accounts(&accounts).await?;
    desk.issue(&openings, |_| ()).await?;
    Ok(Arc::new(desk))
}

/// Full load for so many minutes; says each on standard error.
async fn sustained(made: &Made, desk: &Arc<Desk>, minutes: u64) -> Result<Vec<Minute>, Failed> {
    let mut done: Vec<Minute> = Vec::new();
    let (mut settled_before, mut at) = (0u64, Duration::ZERO);
    let mut minute = |settled: u64, elapsed: Duration, done: &mut Vec<Minute>| {
        let seconds = elapsed.saturating_sub(at).as_secs_f64();
        let settled_now = settled.saturating_sub(settled_before);
        (settled_before, at) = (settled, elapsed);
        let rate = float(settled_now) / seconds;
        let minute = Minute { settled: settled_now, seconds, usage: by_role(made)? };
        // Whoever has closed standard error doesn't want to know.
        let _ = writeln!(
            std::io::stderr(),
            "minute {} of {minutes}: {rate:.1} transfers settled a second, {} MiB",
            done.len().saturating_add(1),
            minute.memory_mb()
        );
        done.push(minute);
        Ok(())
    };
    let at_most = Duration::from_secs(minutes.saturating_mul(60));
    let drive =
        Drive { desk, moves: Move::in_turn, numbers: 0..u64::MAX, pace: Duration::ZERO, at_most };
    let look = |settled, elapsed| {
        let next = u32::try_from(done.len().saturating_add(1)).unwrap_or(u32::MAX);
        // What is under way at the end settles in no minute.
        if u64::from(next) > minutes || elapsed < Duration::from_secs(60).saturating_mul(next) {
            return Ok(());
        }
        minute(settled, elapsed, &mut done)
    };
    drive.run(look).await?;
    Ok(done)
}

/// Bytes that all nodes have sent to each other, frames of operators left out.
async fn traffic(processes: &Processes) -> Result<u64, Failed> {
    let mut bytes = 0u64;
    for node in processes.nodes() {
        let status = node.status().await?;
        let peers = status.traffic.iter().filter(|line| line.peer.as_str() != node.name);
        bytes = peers.fold(bytes, |sum, line| sum.saturating_add(line.bytes_out));
    }
    Ok(bytes)
}

/// CPU time and memory of the nodes of each role.
fn by_role(made: &Made) -> Result<ByRole, Failed> {
    let mut roles = ByRole::new();
    for (name, pid) in running(made) {
        let role = match name.as_str() {
            "notary" => Role::Notary,
            REGISTRAR => Role::Registrar,
            REGULATOR => Role::Regulator,
            _ => Role::Custodian,
        };
        roles.entry(role).or_default().add(pid)?;
    }
    Ok(roles)
}

/// CPU time of all nodes so far.
fn usage(made: &Made) -> Result<Usage, Failed> {
    Usage::now(running(made).into_values())
}

/// The nodes' processes, by name.
fn running(made: &Made) -> BTreeMap<String, u32> {
    let mut folders = made.members.iter().filter_map(|(_, config)| config.parent()?.parent());
    let folder = folders.next().unwrap_or(Path::new("."));
    processes::running(folder)
}
