//! Running the `sudare` program as its users do, and looking at what it leaves behind.
#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests: a panic is their report"
)]

pub mod haystack;
pub mod network;
pub mod postgres;
pub mod raw;
pub mod web;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// How often something awaited is looked at.
const POLL: Duration = Duration::from_millis(10);
/// After so many looks nobody waits any longer: two minutes.
const POLLS_MAX: u32 = 12_000;

/// The program under test: beside the tests' own folder in cargo's target folder, or what `SUDARE_BIN` names.
pub fn program() -> PathBuf {
    if let Some(path) = std::env::var_os("SUDARE_BIN") {
        return path.into();
    }
    let own = std::env::current_exe().unwrap();
    let path = own.parent().and_then(Path::parent).unwrap().join("sudare");
    assert!(path.exists(), "{} is missing: run `cargo build -p sudare` first", path.display());
    path
}

/// Looks until `look` finds something, for two minutes at most.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..POLLS_MAX {
        if let Some(found) = look() {
            return found;
        }
        sleep(POLL);
    }
    panic!("in vain: {what}");
}

/// Looks like [`eventually`], without keeping the async runtime waiting.
pub async fn eventually_async<T, F>(what: &str, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    for _ in 0..POLLS_MAX {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(POLL).await;
    }
    panic!("in vain: {what}");
}

/// A folder in which a test runs the program; removed at the end, with every process that still works there.
#[derive(Debug)]
pub struct Place {
    folder: TempDir,
    runs: AtomicU32,
}

impl Default for Place {
    fn default() -> Self {
        let folder = tempfile::Builder::new().prefix("sudare-test-").tempdir().unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        Self { folder, runs: AtomicU32::new(0) }
    }
}

impl Place {
    /// The path of a name in the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What programs that were started here left in the folder for temporary files.
    pub fn temporary(&self) -> Vec<PathBuf> {
        fs::read_dir(self.join("tmp")).unwrap().map(|entry| entry.unwrap().path()).collect()
    }

    /// Runs the program to its end.
    pub fn sudare<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Ran {
        self.start(args).ended()
    }

    /// Runs the program to its end on words separated by spaces.
    pub fn says(&self, line: &str) -> Ran {
        self.sudare(line.split_whitespace())
    }

    /// Starts the program.
    pub fn start<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Started {
        let mut command = Command::new(program());
        command.args(args);
        self.spawn(command)
    }

    /// Starts any program, with its output caught.
    pub fn spawn(&self, mut command: Command) -> Started {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let (out, err) = (self.join(&format!("{run}.out")), self.join(&format!("{run}.err")));
        let said = format!("{command:?}");
        command
            .current_dir(self.folder.path())
            .env("TMPDIR", self.join("tmp"))
            .env_remove("SUDARE_CONFIG")
            .stdin(Stdio::null())
            .stdout(File::create(&out).unwrap())
            .stderr(File::create(&err).unwrap());
        let child = command.spawn().unwrap();
        Started { child, said, out, err }
    }

    /// The living processes that work in the folder, with their command lines.
    pub fn processes(&self) -> BTreeMap<u32, String> {
        let mut found = BTreeMap::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(pid) = entry.file_name().to_string_lossy().parse() else { continue };
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).replace('\0', " ");
            let works_here = fs::read_link(entry.path().join("cwd"))
                .is_ok_and(|folder| folder.starts_with(self.folder.path()));
            // A process that has ended and is not yet waited for has no command line.
            if works_here && !command.is_empty() {
                found.insert(pid, command);
            }
        }
        found
    }

    /// That no process works in the folder and nothing lies in the folder for temporary files. A process that was told to
    /// stop may take a moment.
    pub fn assert_nothing_left(&self) {
        eventually(&format!("processes end: {:?}", self.processes()), || {
            self.processes().is_empty().then_some(())
        });
        assert_eq!(self.temporary(), Vec::<PathBuf>::new());
    }

    /// Writes a scenario of many trades between nine investors of three custodians, and gives the demo's arguments for it.
    pub fn many_trades(&self, count: u32) -> Vec<String> {
        const INVESTORS: u32 = 9;
        let mut investors = String::from("investor,custodian,asset\n");
        let mut positions = String::from("investor,asset,quantity\n");
        for number in 0..INVESTORS {
            let custodian = ["custodian-a", "custodian-b", "custodian-c"][number as usize % 3];
            for asset in ["ZZ0000DEMO11", "DJPY"] {
                investors += &format!("INV-{number},{custodian},{asset}\n");
                positions += &format!("INV-{number},{asset},1000000\n");
            }
        }
        let mut trades = String::from(
            "trade_id,kind,delivery_date,asset,quantity,from,to,cash_asset,cash_quantity,fault\n",
        );
        for number in 0..count {
            let (from, to) = (number % INVESTORS, (number * 4 + 1) % INVESTORS);
            let to = if from == to { (to + 1) % INVESTORS } else { to };
            let (kind, cash) = match number % 5 {
                4 => ("dvp", format!("DJPY,{}", 10 * number + 3)),
                _ => ("transfer", ",".to_owned()),
            };
            let (day, quantity) = ("2026-11-25", number + 1);
            trades += &format!(
                "T-{number},{kind},{day},ZZ0000DEMO11,{quantity},INV-{from},INV-{to},{cash},\n"
            );
        }
        let mut args = Vec::new();
        for (name, text) in [("investors", investors), ("positions", positions), ("trades", trades)]
        {
            let path = self.join(&format!("{name}.csv"));
            fs::write(&path, text).unwrap();
            args.extend([format!("--{name}"), path.display().to_string()]);
        }
        args
    }

    /// How many trades are settled at a custodian of the network in `folder`; none while it can't be asked.
    pub fn settled(&self, folder: &Path, custodian: &str) -> Option<usize> {
        let config = folder.join(custodian).join("node.toml");
        let ran = self.sudare(["tx", "list", "-o", "json", "-c", config.to_str()?]);
        let trades: Value = serde_json::from_str(&ran.out).ok()?;
        let settled = |trade: &&Value| trade["state"] == "settled";
        Some(trades.as_array()?.iter().filter(settled).count())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for pid in self.processes().keys() {
            signal(*pid, Signal::KILL);
        }
    }
}

/// A program that was started.
#[derive(Debug)]
pub struct Started {
    child: Child,
    said: String,
    out: PathBuf,
    err: PathBuf,
}

impl Started {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it has written so far.
    pub fn said_so_far(&self) -> String {
        [&self.out, &self.err].map(|path| fs::read_to_string(path).unwrap_or_default()).concat()
    }

    /// Sends it a signal.
    pub fn signal(&self, what: Signal) {
        signal(self.pid(), what);
    }

    /// Waits for its end, for two minutes at most.
    pub fn ended(mut self) -> Ran {
        let status = eventually(&self.said.clone(), || self.child.try_wait().unwrap());
        let read = |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        Ran { out: read(&self.out), err: read(&self.err), code: status.code(), said: self.said }
    }
}

/// A program that has ended.
#[derive(Debug)]
pub struct Ran {
    /// The command line.
    pub said: String,
    /// The exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard output.
    pub out: String,
    /// What it wrote to standard error.
    pub err: String,
}

impl Ran {
    /// That it ended well.
    #[must_use]
    pub fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{self}");
        self
    }

    /// That it failed with an exit code and with these words on standard error, in whatever order.
    #[must_use]
    pub fn badly(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        for word in words {
            assert!(self.err.contains(word), "no {word:?} in: {self}");
        }
        self
    }

    /// Its output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} gave {:?}\n{}\n{}", self.said, self.code, self.out, self.err)
    }
}

/// Sends a signal to a process that the test started, by itself or through the program.
pub fn signal(pid: u32, what: Signal) {
    let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    // It may have ended meanwhile.
    let _ = kill_process(pid, what);
}

/// The process of a node, by the file that the demo writes.
pub fn pid_of(folder: &Path, node: &str) -> Option<u32> {
    fs::read_to_string(folder.join(node).join("node.pid")).ok()?.trim().parse().ok()
}
