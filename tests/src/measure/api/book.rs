//! A register of many holders and the rows of persons behind it: what an inquiry with its proof takes, and a day's reconciliation.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use sudare::config::Loaded;
use sudare::demo::processes::{Processes, running};
use sudare::demo::setup::Desk;
use sudare::network::Made;
use sudare::store::{Options as StoreOptions, Store};
use sudare_ledger::kv::{Tx, Writes};
use sudare_ledger::registrar::{Instruction, Registrar};
use sudare_ledger::role::Role;
use tokio::time::Instant;

use super::load::Client;
use super::served::{ASSET, Engine, Stage, opened, wrong};
use crate::measure::Failed;
use crate::measure::cpu::peak_kib;
use crate::system::web::{Kept, sha256};

/// The institution whose register it is.
const REGISTRAR: &str = "registrar";
/// The custodian of all holders.
const CUSTODIAN: &str = "custodian-a";
/// Rows that the store is given at once.
const AT_ONCE: usize = 50_000;
/// Rows of one file that is imported.
const FILE_ROWS: usize = 20_000;
/// Bytes of one part of a file.
const PART: usize = 1 << 20;
/// Lines of the page of an inquiry.
const LINES: usize = 100;
/// Lines of a page when the whole register is read.
const LINES_MAX: usize = 200;
/// Inquiries.
const INQUIRIES: usize = 21;
/// One row of so many is a partner's.
const PARTNER: usize = 5;
/// One row of so many differs in the custodian's view.
const BREAK: usize = 5_000;
const DAY: &str = "2026-11-27";
const RECIPIENT: &str = "Operations";
const POLL: Duration = Duration::from_millis(50);

/// What was done.
pub(super) struct Booked {
    /// Rows of persons imported, from the first file's announcement until the last one is made.
    pub(super) imported: Duration,
    /// The register snapshot.
    pub(super) snapshot: Duration,
    /// Pages with their proofs, each from the page's request to the last byte of its file.
    pub(super) inquiries: Vec<Duration>,
    /// The page alone.
    pub(super) pages: Vec<Duration>,
    /// The file of a page, and of all.
    pub(super) bytes: (usize, usize),
    /// Until `sudare verify` has checked the file of a page, and of all.
    pub(super) verified: (Duration, Duration),
    /// All pages read, names and addresses with them.
    pub(super) read: Duration,
    /// The file of all holders, from request to last byte.
    pub(super) whole: Duration,
    /// `sudare reconcile run`.
    pub(super) compared: Duration,
    /// The most memory that it had, KiB.
    pub(super) compared_kib: u64,
    /// The most memory that the registrar's node had, KiB.
    pub(super) node_kib: u64,
}

/// A line of the register as a registrar's clerk reads it.
struct Line {
    account: String,
    investor: String,
    quantity: String,
}

/// Makes a network whose register has so many holders, asks it, and stops it whatever happens.
pub(super) fn measured_with(engine: Engine, holders: usize) -> Result<Booked, Failed> {
    let members = [
        ("notary", Role::Notary),
        (REGISTRAR, Role::Registrar),
        ("regulator", Role::Regulator),
        (CUSTODIAN, Role::Custodian),
    ];
    let stage = Stage::set(engine, &members, (REGISTRAR, "registrar"))?;
    let book = Book {
        made: &stage.made,
        client: &stage.client,
        folder: stage.folder(),
        program: &stage.program,
    };
    stage.run(async |processes| book.measured(processes, holders).await)
}

/// The register that is asked.
struct Book<'a> {
    made: &'a Made,
    client: &'a Client,
    folder: &'a Path,
    program: &'a Path,
}

impl Book<'_> {
    async fn measured(&self, processes: &mut Processes, holders: usize) -> Result<Booked, Failed> {
        let desk = opened(self.made, processes, &[]).await?;
        let asset = desk.terms(ASSET)?.terms.asset();
        processes.stop().await;
        self.populate(&desk, holders)?;
        processes.start()?;
        processes.ready().await?;
        let mut kept = self.client.connection()?;
        let imported = self.import(&mut kept, holders)?;
        let began = Instant::now();
        let _ = desk.node(REGISTRAR)?.instruct(&Instruction::Snapshot(asset)).await?;
        let snapshot = began.elapsed();
        let began = Instant::now();
        let lines = all_lines(&mut kept)?;
        let read = began.elapsed();
        if lines.len() != holders {
            return Err(wrong(&format!("{} lines, and {holders} holders", lines.len())));
        }
        let (mut inquiries, mut pages, mut file) = (Vec::new(), Vec::new(), Vec::new());
        for place in 0..INQUIRIES {
            let before = lines.get(place.saturating_mul(holders) / INQUIRIES);
            let before = before.ok_or_else(|| wrong(&"no such line"))?;
            let (page, all, bytes) = inquiry(&mut kept, &before.account)?;
            pages.push(page);
            inquiries.push(all);
            file = bytes;
        }
        let began = Instant::now();
        let whole_file = fetch(&mut kept, &format!("/v1/registers/{ASSET}/proof"))?;
        let whole = began.elapsed();
        let bytes = (file.len(), whole_file.len());
        let id = asset.to_string();
        let verified = (self.verified(&file, &id)?, self.verified(&whole_file, &id)?);
        let (compared, compared_kib) = self.reconciled(&lines)?;
        let _ = processes.watch()?;
        let node = running(&self.folder.join("network")).get(REGISTRAR).copied();
        let node_kib = node.and_then(peak_kib).unwrap_or(0);
        Ok(Booked {
            imported,
            snapshot,
            inquiries,
            pages,
            bytes,
            verified,
            read,
            whole,
            compared,
            compared_kib,
            node_kib,
        })
    }

    fn config(&self, name: &str) -> Result<&Path, Failed> {
        let found = self.made.members.iter().find(|(member, _)| member.name.as_str() == name);
        found.map(|(_, config)| config.as_path()).ok_or_else(|| wrong(&"no such member"))
    }

    /// Writes the holders into the stopped node's store: issuing to each would take hours, and leave the same rows.
    fn populate(&self, desk: &Desk, holders: usize) -> Result<(), Failed> {
        let node = Loaded::open(self.config(REGISTRAR)?).map_err(|error| wrong(&error))?;
        let opened = Store::open(&node.config.data, &StoreOptions::default());
        let (mut store, _) = opened.map_err(|error| wrong(&error))?;
        let reader = store.reader();
        let tx = Tx::new(&reader);
        let count = u32::try_from(holders).unwrap_or(u32::MAX);
        let asset = desk.terms(ASSET)?.terms.asset();
        Registrar::populate(&tx, asset, desk.id(CUSTODIAN)?, count)
            .map_err(|error| wrong(&error))?;
        let mut rest = tx.into_writes().into_iter().peekable();
        while rest.peek().is_some() {
            let some: Writes = rest.by_ref().take(AT_ONCE).collect();
            // What stands in the log for it is never looked at, as its writes are in the index.
            let at = store.append(b"holders").and_then(|_| store.sync());
            at.and_then(|at| store.apply(&some, at)).map_err(|error| wrong(&error))?;
        }
        Ok(())
    }

    /// Rows of persons, one behind each line, in files of [`FILE_ROWS`].
    fn import(&self, kept: &mut Kept, holders: usize) -> Result<Duration, Failed> {
        let began = Instant::now();
        for (number, first) in (1..=holders).step_by(FILE_ROWS).enumerate() {
            let last = holders.min(first.saturating_add(FILE_ROWS.saturating_sub(1)));
            let text = rows(first..=last);
            let announced = json!({
                "target": "investors", "class": "rows", "size": text.len().to_string(),
                "sha256": sha256(text.as_bytes()), "file_at": "2026-01-05T00:00:00Z",
            });
            let (_, import) = kept
                .ask("POST", "/v1/imports", &format!("file-{number}"), Some(&announced))
                .map_err(|error| wrong(&format!("an import: {error}")))?;
            let id = import["id"].as_str().ok_or_else(|| wrong(&import))?;
            let path = format!("/v1/imports/{id}");
            for (number, part) in text.as_bytes().chunks(PART).enumerate() {
                let to = format!("{path}/content?offset={}", number.saturating_mul(PART));
                let (status, said) = kept
                    .send("PUT", &to, "text/csv", part)
                    .map_err(|error| wrong(&format!("{to}: {error}")))?;
                if status != 200 {
                    return Err(wrong(&String::from_utf8_lossy(&said)));
                }
            }
            loop {
                let stands = page(kept, &path)?;
                match (stands["status"].as_str(), stands["result"].as_str()) {
                    (Some("receiving" | "working"), _) => std::thread::sleep(POLL),
                    (_, Some("complete")) => break,
                    _ => return Err(wrong(&stands)),
                }
            }
        }
        Ok(began.elapsed())
    }

    /// How long `sudare verify` takes for a file.
    fn verified(&self, file: &[u8], asset: &str) -> Result<Duration, Failed> {
        let path = self.folder.join("proof");
        fs::write(&path, file).map_err(|error| wrong(&error))?;
        let began = Instant::now();
        let _ = self.run(&["verify", "proof", "--recipient", REGISTRAR, "--asset", asset])?;
        Ok(began.elapsed())
    }

    /// The register as it was read, the custodian's view and a partner's book with planted breaks, and a total that a statement proves,
    /// compared: how long that took, and the most memory, KiB.
    fn reconciled(&self, lines: &[Line]) -> Result<(Duration, u64), Failed> {
        let path = |name: &str| -> String { self.folder.join(name).display().to_string() };
        let config = self.config(REGISTRAR)?.display().to_string();
        let whose = ["-c", &config, "--registrar", REGISTRAR, "--asset", ASSET];
        let state = ["--snapshot", "0", "--supply", "--recipient", RECIPIENT, "--out", "total"];
        let _ = self.run(&[&["statement", "make"], whose.as_slice(), &state].concat())?;
        let _ =
            self.run(&[&["checkpoint", "fetch"], whose.as_slice(), &["--out", "seen"]].concat())?;
        let planted = write_book(self.folder, lines)?;
        let view = format!("{CUSTODIAN}={}", path("view.csv"));
        let partner = format!("broker-x={}", path("partner.csv"));
        let began = Instant::now();
        let mut child = Command::new(self.program)
            .current_dir(self.folder)
            .args(["reconcile", "run", "--as-of", DAY, "--register", &path("register.csv")])
            .args(["--view", &view, "--partner", &partner, "--proven-by", "total=seen"])
            .args(["--recipient", RECIPIENT, "--out", "report"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| wrong(&error))?;
        let mut peak = 0;
        while child.try_wait().map_err(|error| wrong(&error))?.is_none() {
            peak = peak_kib(child.id()).unwrap_or(0).max(peak);
            std::thread::sleep(Duration::from_millis(5));
        }
        let took = began.elapsed();
        let report =
            fs::read(self.folder.join("report/report.json")).map_err(|error| wrong(&error))?;
        let report: Value = serde_json::from_slice(&report).map_err(|error| wrong(&error))?;
        let breaks = report["breaks"].as_array().ok_or_else(|| wrong(&"no breaks"))?;
        let found: BTreeSet<&str> =
            breaks.iter().filter_map(|one| one["account"].as_str()).collect();
        if found != planted.iter().map(String::as_str).collect() || found.len() != breaks.len() {
            return Err(wrong(&format!("{} breaks, {} planted", breaks.len(), planted.len())));
        }
        Ok((took, peak))
    }

    /// What the program says; it must say that all is well.
    fn run(&self, args: &[&str]) -> Result<String, Failed> {
        let done = Command::new(self.program).current_dir(self.folder).args(args).output();
        let done = done.map_err(|error| wrong(&error))?;
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        if done.status.success() {
            return Ok(said);
        }
        Err(wrong(&format!("{args:?}: {said}{}", String::from_utf8_lossy(&done.stderr))))
    }
}

/// A file of investors as a registrar keeps them, whose lines they are told by their custodian.
fn rows(numbers: std::ops::RangeInclusive<usize>) -> String {
    let mut text = "name,address,corporate_number,safekeeping_class,status,aml_class,custodian_node,pseudonym,\
                    contact_addressee,contact_postal_code,contact_address,phone,email\n"
        .to_owned();
    for number in numbers {
        let _ = writeln!(
            text,
            "Measured Investor {number},{number} Demo Street,7123456789012,safekeeping,active,low,{CUSTODIAN},INV-{number},\
             Measured Investor,100-0001,1 Demo Street,+81-3-0000-0000,investor@example.com"
        );
    }
    text
}

/// Register, view and partner's book; the accounts whose rows differ.
fn write_book(folder: &Path, lines: &[Line]) -> Result<Vec<String>, Failed> {
    let mut register = "asset,account,custodian,partner,quantity\n".to_owned();
    let mut view = "asset,account,quantity\n".to_owned();
    let mut partner = view.clone();
    let mut planted = Vec::new();
    for (number, Line { investor, quantity, .. }) in lines.iter().enumerate() {
        let is_partner = number.is_multiple_of(PARTNER);
        let of = if is_partner { "broker-x" } else { "" };
        let _ = writeln!(register, "{ASSET},{investor},{CUSTODIAN},{of},{quantity}");
        if is_partner {
            let _ = writeln!(partner, "{ASSET},{investor},{quantity}");
        }
        let mut seen = quantity.clone();
        if number % BREAK == BREAK / 2 {
            seen.push('0');
            planted.push(investor.clone());
        }
        let _ = writeln!(view, "{ASSET},{investor},{seen}");
    }
    for (name, text) in [("register.csv", register), ("view.csv", view), ("partner.csv", partner)] {
        let path: PathBuf = folder.join(name);
        fs::write(path, text).map_err(|error| wrong(&error))?;
    }
    Ok(planted)
}

/// All lines of the register, with the names behind them.
fn all_lines(kept: &mut Kept) -> Result<Vec<Line>, Failed> {
    let mut lines = Vec::new();
    let mut next = Some(format!("/v1/registers/{ASSET}?limit={LINES_MAX}"));
    while let Some(path) = next {
        let page = page(kept, &path)?;
        for item in page["items"].as_array().ok_or_else(|| wrong(&page))? {
            let text = |name: &str| item[name].as_str().map(str::to_owned);
            let line = || {
                let _ = text("name")?;
                let [account, investor, quantity] =
                    [text("account")?, text("investor")?, text("quantity")?];
                Some(Line { account, investor, quantity })
            };
            lines.push(line().ok_or_else(|| wrong(item))?);
        }
        next = page["next"].as_str().map(str::to_owned);
    }
    Ok(lines)
}

/// A page after an account as the snapshot has fixed it, and the file that proves it: how long the page took, both, and the file.
fn inquiry(kept: &mut Kept, after: &str) -> Result<(Duration, Duration, Vec<u8>), Failed> {
    let head = page(kept, &format!("/v1/registers/{ASSET}?limit=1"))?;
    let height = &head["as_of"]["height"];
    let began = Instant::now();
    let page = page(kept, &format!("/v1/registers/{ASSET}?limit={LINES}&cursor={height}-{after}"))?;
    let read = began.elapsed();
    let proof = page["page_proof"].as_str().ok_or_else(|| wrong(&page))?;
    let file = fetch(kept, proof)?;
    Ok((read, began.elapsed(), file))
}

fn page(kept: &mut Kept, path: &str) -> Result<Value, Failed> {
    match kept.ask("GET", path, "", None).map_err(|error| wrong(&format!("{path}: {error}")))? {
        (200, page) => Ok(page),
        (status, said) => Err(wrong(&format!("{path}: {status}: {said}"))),
    }
}

fn fetch(kept: &mut Kept, path: &str) -> Result<Vec<u8>, Failed> {
    let answer = kept.send("GET", path, "application/json", b"");
    match answer.map_err(|error| wrong(&format!("{path}: {error}")))? {
        (200, file) => Ok(file),
        (status, said) => {
            Err(wrong(&format!("{path}: {status}: {}", String::from_utf8_lossy(&said))))
        }
    }
}
