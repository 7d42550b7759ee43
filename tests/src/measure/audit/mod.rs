//! A regulator's replay of a whole log: how fast, how much memory, how soon, beside verifying and reading leg by leg.

mod made;
mod served;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sudare_crypto::Claims;
use sudare_crypto::encoding::decode;
use sudare_crypto::proof::tag;
use sudare_disclosure::{DisclosureSecret, KeyPurpose};
use sudare_ledger::log::{Entry, FinalLeg};
use sudare_ledger::note::Note;
use sudare_ledger::role::Role;
use sudare_ledger::testing;

use self::made::{BLOCK, Made, wrong};
use self::served::Served;
use super::clock::{float, thread_ns, wall_ns};
use super::cpu::{Processes, peak_kib as peak_of};
use super::network::program;
use super::verification::Legs;
use super::{Failed, Options, Report, Topic, fixture};

/// How often a running replay is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Legs that are verified and read one by one.
const NAIVE_BLOCKS: u64 = 1;

/// Measures the topic. The legs are kept in [`Options::legs`], if it is given, and made only once.
pub(super) fn run(options: &Options) -> Result<Report, Failed> {
    let (few, many) = if options.quick { (BLOCK, 2 * BLOCK) } else { (10_000, 100_000) };
    let temporary = tempfile::tempdir().map_err(|error| wrong(&error))?;
    let folder = options.legs.as_deref().unwrap_or_else(|| temporary.path());
    fs::create_dir_all(folder).map_err(|error| wrong(&error))?;
    let small = replay(folder, few)?;
    let large = replay(folder, many)?;
    let made = Made::open(folder, BLOCK)?;
    let naive_us = naive(&made)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let title = format!(
        "`sudare audit replay` of logs of {few} and {many} distinct legs of two inputs and two outputs, two keys that read everything, from a registrar over QUIC, kept in a folder; {cores} cores"
    );
    let mut report = Report::new(Topic::Audit, title);
    let rate = |run: &Run| float(run.legs) * 1_000.0 / run.cpu_ms.max(f64::MIN_POSITIVE);
    let what = "verified, read and booked, by CPU time of the whole program, the larger log";
    report.value("legs_per_s_per_core", rate(&large), "1/s", what);
    let what = "the same legs verified equation by equation with curve25519-dalek, ranges with the bulletproofs crate, and read; nothing booked, nothing stored; CPU time of one thread";
    report.value("naive_legs_per_s_per_core", 1e6 / naive_us, "1/s", what);
    let ratio = rate(&large) * naive_us / 1e6;
    report.value("ratio", ratio, "", "legs_per_s_per_core / naive_legs_per_s_per_core");
    let wall = float(large.legs) * 1_000.0 / large.wall_ms.max(f64::MIN_POSITIVE);
    report.value(
        "legs_per_s_wall",
        wall,
        "1/s",
        "the larger log by the clock, all cores, with whatever else runs",
    );
    let peak = |run: &Run| float(run.peak_kib) / 1024.0;
    report.value(
        "rss_mb_10k",
        peak(&small),
        "MiB",
        format!("peak memory of the program, {few} legs"),
    );
    report.value("rss_mb_100k", peak(&large), "MiB", format!("the same, {many} legs"));
    if !options.quick {
        let grown = (peak(&large) - peak(&small)) / float(many.saturating_sub(few)) * 1e6;
        let million = peak(&small) + grown.max(0.0);
        let note = "EXTRAPOLATED from the two: no log of a million legs was replayed";
        report.value("rss_mb_million", million, "MiB", note);
    }
    report.value("rss_ratio", peak(&large) / peak(&small), "", "rss_mb_100k / rss_mb_10k");
    let what = "from its start until the first legs of the larger log are verified and read";
    report.value("first_answer_ms", large.first_ms, "ms", what);
    report.value(
        "folder_mb_100k",
        float(large.folder_bytes) / 1e6,
        "MB",
        "on disk at the end, the larger log",
    );
    Ok(report)
}

/// What a replay took.
struct Run {
    legs: u64,
    cpu_ms: f64,
    wall_ms: f64,
    first_ms: f64,
    peak_kib: u64,
    folder_bytes: u64,
}

/// Replays a log of so many legs with the real program, from a registrar of this process and with a regulator's node.
fn replay(folder: &Path, legs: u64) -> Result<Run, Failed> {
    let program = program()?;
    let made = Made::open(folder, legs)?;
    let (config, blocks) = (made.config(Role::Regulator), legs.div_ceil(BLOCK));
    // A node that saw another log before would keep the two as evidence.
    let _ = fs::remove_dir_all(config.with_file_name("data"));
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(1).build();
    let runtime = runtime.map_err(|error| wrong(&error))?;
    let _inside = runtime.enter();
    let terms = made.signed();
    let endpoint = Served::start(made, terms, blocks)?;
    let node =
        spawn(Command::new(&program).args(["node", "run", "--log", "error", "-c"]).arg(&config))?;
    let kept = tempfile::tempdir().map_err(|error| wrong(&error))?;
    let run = watch(&program, &config, kept.path(), blocks.saturating_mul(BLOCK));
    stop(node);
    runtime.block_on(endpoint.close());
    run
}

fn watch(program: &Path, config: &Path, kept: &Path, legs: u64) -> Result<Run, Failed> {
    wait_for_node(program, config)?;
    let began = wall_ns();
    let mut command = Command::new(program);
    command.args([
        "audit",
        "replay",
        "--progress",
        "--registrar",
        "registrar",
        "--asset",
        "MEASURED",
        "-c",
    ]);
    let mut child = spawn(command.arg(config).arg("--folder").arg(kept.join("kept")))?;
    let pid = child.id();
    let told = child.stderr.take().ok_or_else(|| wrong("no output"))?;
    let telling = std::thread::spawn(move || first_answer(BufReader::new(told), began));
    let (mut used, mut peak_kib) = (Processes::default(), 0);
    let status = loop {
        let mut now = Processes::default();
        // Between its end and this look there is nothing more to see.
        if now.add(pid).is_ok() {
            used = now;
        }
        peak_kib = peak_of(pid).unwrap_or(0).max(peak_kib);
        if let Some(status) = child.try_wait().map_err(|error| wrong(&error))? {
            break status;
        }
        std::thread::sleep(LOOK);
    };
    let wall_ms = float(wall_ns().saturating_sub(began)) / 1e6;
    let (first_ms, said) = telling.join().map_err(|_| wrong("the reader of its output failed"))?;
    let mut out = String::new();
    let stdout = child.stdout.as_mut().ok_or_else(|| wrong("no output"))?;
    stdout.read_to_string(&mut out).map_err(|error| wrong(&error))?;
    let stated = format!("legs 0..{legs} of {legs}, none missing, none unreadable");
    if !status.success() || !out.contains(&stated) {
        return Err(wrong(&format!("the replay did not state {stated}: {said}{out}")));
    }
    let cpu_ms = used.cpu_ms(&Processes::default());
    Ok(Run { legs, cpu_ms, wall_ms, first_ms, peak_kib, folder_bytes: size(kept)? })
}

/// When the program first said that entries are verified, in ms after `began`, and all that it said.
fn first_answer(told: impl BufRead, began: u64) -> (f64, String) {
    let (mut first, mut said) = (f64::NAN, String::new());
    for part in told.split(b'\n').map_while(Result::ok) {
        let part = String::from_utf8_lossy(&part).into_owned();
        let some = part.contains("entries verified") && !part.trim_start().starts_with("0 of");
        if first.is_nan() && some {
            first = float(wall_ns().saturating_sub(began)) / 1e6;
        }
        said = part;
    }
    (first, said)
}

fn spawn(command: &mut Command) -> Result<Child, Failed> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|error| wrong(&error))
}

fn wait_for_node(program: &Path, config: &Path) -> Result<(), Failed> {
    for _ in 0..600 {
        let mut status = Command::new(program);
        status
            .args(["node", "status", "-c"])
            .arg(config)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if status.status().is_ok_and(|status| status.success()) {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    Err(wrong("the regulator's node does not answer"))
}

fn stop(mut node: Child) {
    let _ = node.kill();
    let _ = node.wait();
}

fn size(folder: &Path) -> Result<u64, Failed> {
    let mut bytes = 0_u64;
    for entry in fs::read_dir(folder).map_err(|error| wrong(&error))? {
        let entry = entry.map_err(|error| wrong(&error))?;
        let kind = entry.metadata().map_err(|error| wrong(&error))?;
        let own = if kind.is_dir() { size(&entry.path())? } else { kind.len() };
        bytes = bytes.saturating_add(own);
    }
    Ok(bytes)
}

/// CPU time of one thread for a leg that is decoded, checked, verified equation by equation and read, in microseconds.
fn naive(made: &Made) -> Result<f64, Failed> {
    // The crate proves and verifies the same statement for itself: its transcript is not the ledger's.
    let sample = Legs::new(2, 1)?.peer()?;
    let rng = &mut testing::rng(8);
    let (proof, commitments) = sample.prove(rng)?;
    let keys = made.keys();
    let mut notes: Vec<Note> = Vec::new();
    let (mut spent, mut legs) = (0_u64, 0_u64);
    for number in 0..NAIVE_BLOCKS {
        for line in made.block(number)? {
            let began = thread_ns();
            let entry: Entry = decode(&line.bytes, "an entry")?;
            let Entry::Leg(leg) = entry else { return Err(wrong("not a leg")) };
            let links = verify_alone(made, &leg, &notes, &keys, rng)?;
            if !leg.leg.outputs.is_empty() {
                sample.verify(&proof, &commitments, rng)?;
            }
            spent = spent.saturating_add(thread_ns().saturating_sub(began));
            legs = legs.saturating_add(1);
            notes = leg.leg.notes().collect();
            if links != leg.leg.inputs.len() {
                return Err(wrong("the links of a leg were not read"));
            }
        }
    }
    Ok(float(spent) / 1e3 / float(legs.max(1)))
}

/// Everything that a replay decides of a leg but its ranges and its place among others; how many links it read.
fn verify_alone(
    made: &Made,
    leg: &FinalLeg,
    before: &[Note],
    keys: &[DisclosureSecret],
    rng: &mut rand_chacha::ChaCha20Rng,
) -> Result<usize, Failed> {
    let commit = leg.commit.check()?;
    if !leg.receipt.is_of(&leg.commit) {
        return Err(wrong("the receipt is of another commit"));
    }
    let root = leg.leg.root(leg.index, &leg.salt);
    if leg.commit.transaction.legs.first().map(|named| named.root) != Some(root) {
        return Err(wrong("the leg is not the one that its transaction names"));
    }
    let mut claims = Claims::new();
    leg.leg.check(&made.terms, &mut claims)?;
    let signed = sudare_crypto::pairs(&leg.signatures, &leg.leg.inputs);
    for (signature, input) in signed.ok_or_else(|| wrong("not one signature an input"))? {
        let statement = tag::Statement { tag: input.tag, commit: commit.0 };
        tag::verify(&statement, signature, &mut claims)?;
    }
    let mut all_links = 0;
    for key in keys {
        let seen = leg.leg.disclose(fixture::epoch(&made.terms)?, key)?;
        if let Some(Some(links)) = seen.links
            && all_links == 0
        {
            leg.leg.check_links(before, &links.proof, &mut claims)?;
            all_links = links.notes.len();
        }
    }
    claims.one_by_one().try_for_each(|one| one.accept(rng))?;
    Ok(all_links)
}

impl Made {
    /// The regulator's key.
    fn keys(&self) -> Vec<DisclosureSecret> {
        let (asset, network) = (self.terms.asset(), self.terms.core.network);
        let one = |epoch: &sudare_disclosure::Epoch| {
            let key = epoch.keys.get(1)?;
            let label = testing::text(key.made_for());
            let purpose =
                KeyPurpose { network, asset, epoch: epoch.number, fields: key.fields, label };
            Some(DisclosureSecret::derive(self.regulator(), &purpose))
        };
        self.terms.policy.epochs.iter().filter_map(one).collect()
    }
}
