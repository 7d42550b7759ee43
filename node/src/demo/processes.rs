//! The demo's nodes as separate processes: started, watched, restarted when killed, stopped.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sudare_ledger::role::Role;
use tokio::process::{Child, Command};

use crate::cli::Failure;
use crate::cli::connect::Connection;
use crate::clock::now_ms;
use crate::network::Made;
use crate::operator::kind;
use crate::runtime::Status;
use crate::usage::Usage;

/// How long a node may take until it answers.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long a node may take to stop before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(8);
/// How often a node that was killed by somebody else is started again.
const RESTARTS_MAX: u32 = 20;
/// The exit code of a node whose port is taken.
const NO_PORT: i32 = 3;
/// How often it is looked whether all nodes run.
const WATCH_EVERY: Duration = Duration::from_millis(100);
/// How often it is noted what the nodes use, ms.
const SAMPLE_EVERY_MS: u64 = 1_000;
/// How often, with 50 ms between, it is looked whether a node has given up after a request to it failed.
const STOPPING_LOOKS: u32 = 40;
/// The exit code of a node that can't read or write its files (sysexits.h).
const IO_ERROR: i32 = 74;

/// One node's process.
#[derive(Debug)]
pub struct NodeProcess {
    /// Its name.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// Its configuration file.
    pub config: PathBuf,
    /// The program to run; this one if not named.
    program: Option<PathBuf>,
    child: Option<Child>,
    /// The process, if another program has started it.
    adopted: Option<u32>,
    restarts: u32,
    own_kill: bool,
    answered: bool,
    used: Used,
}

/// All nodes of a demo.
#[derive(Debug)]
pub struct Processes {
    nodes: Vec<NodeProcess>,
    chaos: Option<Chaos>,
    samples: Vec<Sample>,
}

/// What the nodes used at one moment.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Sample {
    /// When, ms since the Unix epoch.
    pub at_ms: u64,
    /// By role: processor time so far, ms, and resident memory, bytes.
    pub roles: BTreeMap<String, (u64, u64)>,
}

impl Processes {
    /// The nodes of a network that was just made, not yet started.
    #[must_use]
    pub fn of(made: &Made) -> Self {
        let node = |(member, config): &(crate::membership::Member, PathBuf)| NodeProcess {
            name: member.name.to_string(),
            role: member.role,
            config: config.clone(),
            program: None,
            child: None,
            adopted: None,
            restarts: 0,
            own_kill: false,
            answered: false,
            used: Used::default(),
        };
        let nodes = made.members.iter().map(node).collect();
        Self { nodes, chaos: None, samples: Vec::new() }
    }

    /// The nodes of a network in a folder that another program has started.
    ///
    /// # Errors
    ///
    /// [`Failure::CheckFailed`] with a node that does not run.
    pub fn adopt(made: &Made, folder: &Path) -> Result<Self, Failure> {
        let mut processes = Self::of(made);
        let alive = running(folder);
        for node in &mut processes.nodes {
            let Some(pid) = alive.get(&node.name) else {
                return Err(Failure::CheckFailed(format!(
                    "{} does not run, or was not started by `sudare demo up`: nothing is traded. See `sudare demo status --dir {}`; \
                     without --on, a fresh network is made",
                    node.name,
                    folder.display()
                )));
            };
            node.adopted = Some(*pid);
            node.used.begin(*pid);
        }
        Ok(processes)
    }

    /// From now on [`watch`](Self::watch) also kills nodes, one every few seconds, as the seed has it.
    pub fn unleash(&mut self, seed: u64) {
        self.chaos = Some(Chaos::new(seed));
    }

    /// Ends what [`unleash`](Self::unleash) began, and says how many processes it has killed.
    pub fn calm(&mut self) -> u64 {
        self.chaos.take().map_or(0, |chaos| chaos.kills)
    }

    /// Runs the nodes with this `sudare` program: for callers that are another program themselves.
    #[must_use]
    pub fn with_program(mut self, program: &Path) -> Self {
        for node in &mut self.nodes {
            node.program = Some(program.to_owned());
        }
        self
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &[NodeProcess] {
        &self.nodes
    }

    /// Starts every node that does not run.
    ///
    /// # Errors
    ///
    /// [`Failure`] if a process can't be started.
    pub fn start(&mut self) -> Result<(), Failure> {
        self.nodes.iter_mut().filter(|node| node.pid().is_none()).try_for_each(NodeProcess::start)
    }

    /// Waits until every node answers its operator.
    ///
    /// # Errors
    ///
    /// [`Failure::CheckFailed`] with the end of the log of a node that stops or stays silent.
    pub async fn ready(&mut self) -> Result<(), Failure> {
        let deadline = tokio::time::Instant::now() + READY_WITHIN;
        let mut waiting: Vec<usize> = (0..self.nodes.len()).collect();
        while let Some(place) = waiting.pop() {
            self.watch()?;
            let Some(node) = self.nodes.get(place) else { continue };
            let answers = node.status().await.is_ok();
            if let Some(node) = self.nodes.get_mut(place).filter(|_| answers) {
                node.answered = true;
                continue;
            }
            if let Some(node) = self.nodes.get(place)
                && tokio::time::Instant::now() > deadline
            {
                return Err(node.silent());
            }
            waiting.insert(0, place);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Looks for nodes that stopped: one that was killed by a signal is started again on its data, one that gave up is an error.
    ///
    /// A node that ran before and now finds its port taken is started again too: whoever dials out may hold a port for a moment.
    ///
    /// # Errors
    ///
    /// [`Failure::PortTaken`] for a node that never had its port, else [`Failure::CheckFailed`] with the end of the node's log.
    pub fn watch(&mut self) -> Result<Vec<String>, Failure> {
        use std::os::unix::process::ExitStatusExt;
        let mut restarted = Vec::new();
        for node in &mut self.nodes {
            node.measure();
            if node.adopted.is_some_and(|pid| !runs(pid, &node.name)) {
                node.adopted = None;
                node.again()?;
                restarted.push(node.name.clone());
                continue;
            }
            let Some(child) = &mut node.child else { continue };
            let Ok(Some(status)) = child.try_wait() else { continue };
            node.child = None;
            let no_port = status.code() == Some(NO_PORT);
            if no_port && !node.answered {
                return Err(Failure::PortTaken(node.name.clone()));
            }
            if status.signal().is_none() && !no_port {
                return Err(node.stopped(status));
            }
            node.again()?;
            restarted.push(node.name.clone());
        }
        self.sample_each_second();
        if let Some(chaos) = &mut self.chaos {
            chaos.strike(&mut self.nodes);
        }
        Ok(restarted)
    }

    /// Does some work, and starts nodes again that are killed meanwhile.
    ///
    /// # Errors
    ///
    /// Those of the work and of [`watch`](Self::watch).
    pub async fn during<T>(
        &mut self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut work = std::pin::pin!(work);
        let mut watch = tokio::time::interval(WATCH_EVERY);
        loop {
            tokio::select! {
                result = &mut work => return result,
                _ = watch.tick() => { self.watch()?; }
            }
        }
    }

    /// Why the demo failed: if a node has given up, its own words, and not what others say of it.
    pub async fn cause(&mut self, failure: Failure) -> Failure {
        for _ in 0..STOPPING_LOOKS {
            if !matches!(failure, Failure::Node(_) | Failure::Net(_)) {
                break;
            }
            // A node that has said that it stops takes a moment.
            if let Err(cause) = self.watch() {
                return cause;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        failure
    }

    /// Notes what the nodes use now.
    pub fn sample(&mut self) {
        let mut sample = Sample { at_ms: now_ms(), roles: BTreeMap::new() };
        for node in &mut self.nodes {
            node.measure();
            let (cpu_ms, memory) = sample.roles.entry(node.role.to_string()).or_default();
            *cpu_ms = cpu_ms.saturating_add(node.used.cpu_ms());
            *memory = memory.saturating_add(node.used.memory);
        }
        self.samples.push(sample);
    }

    fn sample_each_second(&mut self) {
        let last = self.samples.last().map_or(0, |sample| sample.at_ms);
        if now_ms().saturating_sub(last) >= SAMPLE_EVERY_MS {
            self.sample();
        }
    }

    /// What the nodes used, second by second.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The most memory that the nodes' processes have used, added up, in bytes.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.nodes.iter().fold(0, |sum, node| sum.saturating_add(node.used.memory_max))
    }

    /// The processor time that each role's nodes have used, in ms.
    #[must_use]
    pub fn cpu(&self) -> BTreeMap<String, u64> {
        let mut cpu: BTreeMap<String, u64> = BTreeMap::new();
        for node in &self.nodes {
            let used = cpu.entry(node.role.to_string()).or_default();
            *used = used.saturating_add(node.used.cpu_ms());
        }
        cpu
    }

    /// Stops all nodes, politely first.
    pub async fn stop(&mut self) {
        for node in &self.nodes {
            if let Some(pid) = node.pid() {
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        for node in &mut self.nodes {
            if let Some(mut child) = node.child.take() {
                if tokio::time::timeout(STOP_WITHIN, child.wait()).await.is_err() {
                    let _ = child.kill().await;
                }
                let _ = fs::remove_file(node.pid_file());
            }
        }
    }

    /// Lets the processes go on without this one.
    pub fn leave_running(mut self) {
        for node in &mut self.nodes {
            if let Some(child) = node.child.take() {
                std::mem::forget(child);
            }
        }
    }
}

impl NodeProcess {
    /// Starts the node again after its process has ended.
    fn again(&mut self) -> Result<(), Failure> {
        if !std::mem::take(&mut self.own_kill) {
            self.restarts = self.restarts.saturating_add(1);
        }
        if self.restarts > RESTARTS_MAX {
            return Err(Failure::CheckFailed(format!(
                "{} ends again and again; the end of its log:\n{}",
                self.name,
                tail(&self.log_file())
            )));
        }
        self.start()
    }

    fn start(&mut self) -> Result<(), Failure> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => {
                std::env::current_exe().map_err(|error| Failure::File("sudare".into(), error))?
            }
        };
        let log = self.log_file();
        let failed = |error| Failure::File(log.clone(), error);
        let out = File::options().create(true).append(true).open(&log).map_err(failed)?;
        let err = out.try_clone().map_err(failed)?;
        let child = Command::new(program)
            .args(["node", "run", "--config"])
            .arg(&self.config)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        if let Some(pid) = child.id() {
            fs::write(self.pid_file(), pid.to_string()).map_err(failed)?;
        }
        self.used.next_life();
        self.child = Some(child);
        Ok(())
    }

    /// The node's status, asked as its operator.
    ///
    /// # Errors
    ///
    /// [`Failure`] if it does not answer.
    pub async fn status(&self) -> Result<Status, Failure> {
        let connection = Connection::open(&self.config)?;
        let own = connection.own();
        let ask = connection.ask(&own, kind::STATUS, &[]);
        match tokio::time::timeout(Duration::from_secs(2), ask).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Node(format!("{} does not answer", self.name))),
        }
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.process()?).ok()?)
    }

    /// Looks at what the process has used so far; what it uses after the last look is not counted.
    fn measure(&mut self) {
        self.used.memory = 0;
        if let Some(pid) = self.process() {
            self.used.look(pid);
        }
    }

    fn process(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id).or(self.adopted)
    }

    fn folder(&self) -> &Path {
        self.config.parent().unwrap_or(Path::new("."))
    }

    /// Where the node's output goes.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.folder().join("node.log")
    }

    fn pid_file(&self) -> PathBuf {
        self.folder().join("node.pid")
    }

    fn stopped(&self, status: ExitStatus) -> Failure {
        // On a full disk the log has no room for the reason either.
        let hint = match status.code() {
            Some(IO_ERROR) => {
                ": it could not write or read its files; free space on the disk or check it"
            }
            _ => "",
        };
        Failure::CheckFailed(format!(
            "{} stopped ({status}){hint}; the end of its log:\n{}",
            self.name,
            tail(&self.log_file())
        ))
    }

    fn silent(&self) -> Failure {
        Failure::CheckFailed(format!(
            "{} does not answer after {} s; the end of its log:\n{}",
            self.name,
            READY_WITHIN.as_secs(),
            tail(&self.log_file())
        ))
    }
}

/// What a node has used over all its lives.
#[derive(Debug, Default)]
struct Used {
    /// Resident memory now, in bytes.
    memory: u64,
    /// The most resident memory, in bytes.
    memory_max: u64,
    /// Processor time of the first life that is not counted, ms.
    uncounted_ms: u64,
    /// Processor time of lives that are over, ms.
    before_ms: u64,
    /// Processor time of this life, ms.
    this_ms: u64,
}

impl Used {
    const fn cpu_ms(&self) -> u64 {
        self.before_ms.saturating_add(self.this_ms).saturating_sub(self.uncounted_ms)
    }

    /// Counts from now on what a process uses that ran before.
    fn begin(&mut self, pid: u32) {
        self.look(pid);
        self.uncounted_ms = self.this_ms;
    }

    const fn next_life(&mut self) {
        self.before_ms = self.before_ms.saturating_add(self.this_ms);
        self.this_ms = 0;
    }

    fn look(&mut self, pid: u32) {
        let now = Usage::of(pid);
        self.memory = now.memory;
        self.memory_max = self.memory_max.max(now.memory_max);
        self.this_ms = self.this_ms.max(now.cpu_ms);
    }
}

/// Kills nodes, one every few seconds.
#[derive(Debug)]
struct Chaos {
    rng: ChaCha20Rng,
    next: tokio::time::Instant,
    kills: u64,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        let next = tokio::time::Instant::now() + pause(&mut rng);
        Self { rng, next, kills: 0 }
    }

    /// Kills a node that runs, if it is time.
    fn strike(&mut self, nodes: &mut [NodeProcess]) {
        if tokio::time::Instant::now() < self.next {
            return;
        }
        self.next = tokio::time::Instant::now() + pause(&mut self.rng);
        let choice = usize::try_from(self.rng.next_u32()).unwrap_or(0);
        let victim = choice.checked_rem(nodes.len()).and_then(|place| nodes.get_mut(place));
        let Some((victim, pid)) = victim.and_then(|node| node.pid().map(|pid| (node, pid))) else {
            return;
        };
        if kill_process(pid, Signal::KILL).is_ok() {
            self.kills = self.kills.saturating_add(1);
            victim.own_kill = true;
        }
    }
}

/// How long until the next kill: one to four seconds.
fn pause(rng: &mut ChaCha20Rng) -> Duration {
    Duration::from_millis(u64::from(rng.next_u32() % 3_000).saturating_add(1_000))
}

/// Processes of a demo that another program started, by node: those whose process is alive and runs that node's configuration.
#[must_use]
pub fn running(folder: &Path) -> BTreeMap<String, u32> {
    let mut alive = BTreeMap::new();
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries {
        let path = entry.path();
        let Ok(text) = fs::read_to_string(path.join("node.pid")) else { continue };
        let Ok(number) = text.trim().parse::<u32>() else { continue };
        let name = entry.file_name().to_string_lossy().into_owned();
        if runs(number, &name) {
            alive.insert(name, number);
        }
    }
    alive
}

/// Whether a process is alive and runs the node with this name: a number may have gone to another process since.
fn runs(number: u32, name: &str) -> bool {
    let command = fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
    let command = String::from_utf8_lossy(&command);
    let pid = i32::try_from(number).ok().and_then(Pid::from_raw);
    let ours = command.contains("node.toml") && command.contains(name);
    ours && pid.is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// Stops processes that [`running`] found, politely first. Gives those that are still there.
pub async fn stop_running(folder: &Path) -> BTreeMap<String, u32> {
    let signal = |signal| {
        for pid in running(folder).values() {
            if let Some(pid) = i32::try_from(*pid).ok().and_then(Pid::from_raw) {
                let _ = kill_process(pid, signal);
            }
        }
    };
    for (round, polite) in [(80, Signal::TERM), (20, Signal::KILL)] {
        signal(polite);
        for _ in 0..round {
            if running(folder).is_empty() {
                return BTreeMap::new();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    running(folder)
}

/// The last lines of a log.
fn tail(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(8);
    lines.get(from..).unwrap_or_default().join("\n")
}
