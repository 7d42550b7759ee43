//! Files that a reconciliation reads and writes.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use sudare_api::iso20022::{Custody, FaultKind, Message, When};
use sudare_api::reconciliation::statement::Held;
use sudare_api::reconciliation::{
    EarlierReport, Holding, Pending, Registered, Report, input, page, pdf, statement, to_csv, xlsx,
};
use sudare_ledger::access::sha256;
use sudare_ledger::bundle::sign_off::REPORT;

use super::super::asset::write_new;
use super::Failure;

const PAGE: &str = "report.html";
const DOCUMENT: &str = "report.pdf";
const WORKBOOK: &str = "report.xlsx";
const BREAKS: &str = "breaks.csv";
/// Of a custodian's part of the register, how its pages' names begin and end.
const PART: &str = "register-";
const PART_END: &str = ".xml";

/// SHA-256 of what was read, by what it was read as.
#[derive(Debug, Default)]
pub(super) struct Sources(BTreeMap<String, String>);

/// What was written.
#[derive(Debug)]
pub(super) struct Written {
    /// SHA-256 of report.json.
    pub hash: String,
    /// Names in the folder.
    pub files: Vec<String>,
}

impl Sources {
    pub(super) fn register(&mut self, file: &Path) -> Result<Vec<Registered>, Failure> {
        let bytes = self.read("register", file)?;
        input::register(&bytes).map_err(|error| bad(file, error))
    }

    pub(super) fn pending(&mut self, file: &Path) -> Result<Vec<Pending>, Failure> {
        let bytes = self.read("pending", file)?;
        input::pending(&bytes).map_err(|error| bad(file, error))
    }

    pub(super) fn earlier(&mut self, file: &Path) -> Result<EarlierReport, Failure> {
        let bytes = self.read("earlier", file)?;
        EarlierReport::parse(&bytes).map_err(|error| bad(file, error))
    }

    /// A view of one CSV, or of all pages of a semt.002.
    pub(super) fn view(
        &mut self,
        name: &str,
        files: &str,
        decimals: &BTreeMap<String, u8>,
    ) -> Result<(Vec<Holding>, input::Declared), Failure> {
        let files: Vec<PathBuf> = files.split(',').map(PathBuf::from).collect();
        let mut pages: Vec<Custody> = Vec::new();
        for (place, file) in files.iter().enumerate() {
            let source = if place == 0 {
                name.to_owned()
            } else {
                format!("{name}/{}", place.saturating_add(1))
            };
            let bytes = self.read(&source, file)?;
            let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
            if !text.trim_ascii_start().starts_with(b"<") {
                if files.len() > 1 {
                    return Err(bad(file, "of several files each must be a page of a semt.002"));
                }
                let rows = input::view(&bytes).map_err(|error| bad(file, error))?;
                return Ok((rows, input::Declared::new()));
            }
            let parsed = Message::parse(&bytes).map_err(|error| bad(file, error))?;
            match parsed.message {
                Message::Custody(page) => pages.push(*page),
                other => {
                    let what = format!("a {}, where a semt.002 is needed", other.id());
                    return Err(bad(file, what));
                }
            }
        }
        statement::read(&pages, decimals).map_err(|error| bad(Path::new(name), error))
    }

    pub(super) fn into_hashes(self) -> BTreeMap<String, String> {
        self.0
    }

    pub(super) fn read(&mut self, source: &str, file: &Path) -> Result<Vec<u8>, Failure> {
        let bytes = read(file)?;
        self.0.insert(source.to_owned(), sha256(&bytes).to_string());
        Ok(bytes)
    }
}

/// Reads a file of at most [`input::TABLE_BYTES_MAX`].
pub(in crate::cli) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error| Failure::File(file.to_owned(), error);
    let limit = u64::try_from(input::TABLE_BYTES_MAX).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(failed)?;
    opened.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > input::TABLE_BYTES_MAX {
        return Err(bad(file, input::InputError::TooLong));
    }
    Ok(bytes)
}

/// The report in all its forms, and each custodian's part of the register as semt.002.
pub(super) fn write(
    folder: &Path,
    report: &Report,
    register: &[Registered],
    decimals: &BTreeMap<String, u8>,
) -> Result<Written, Failure> {
    std::fs::create_dir(folder).map_err(|error| Failure::File(folder.to_owned(), error))?;
    let json = report.to_json().map_err(|error| bad(folder, error))?;
    let hash = sha256(json.as_bytes()).to_string();
    let workbook = xlsx::workbook(report, &hash).map_err(|error| bad(folder, error))?;
    let mut contents = vec![
        (REPORT.to_owned(), json.into_bytes()),
        (PAGE.to_owned(), page(report, &hash).into_bytes()),
        (DOCUMENT.to_owned(), pdf::document(report, &hash)),
        (WORKBOOK.to_owned(), workbook),
        (BREAKS.to_owned(), to_csv(report).into_bytes()),
    ];
    for (place, view) in report.views.iter().enumerate() {
        let rows = statement::of_custodian(register, &view.name);
        if rows.is_empty() {
            continue;
        }
        let pages = statements(report, &view.name, &rows, decimals);
        let own = file_name(&view.name, place.saturating_add(1));
        for (place, page) in pages.map_err(|error| bad(folder, error))?.into_iter().enumerate() {
            let name = format!("{PART}{own}-{:04}{PART_END}", place.saturating_add(1));
            contents.push((name, Message::Custody(Box::new(page)).to_xml().into_bytes()));
        }
    }
    for (name, bytes) in &contents {
        write_new(&folder.join(name), bytes)?;
    }
    Ok(Written { hash, files: contents.into_iter().map(|(name, _)| name).collect() })
}

fn statements(
    report: &Report,
    custodian: &str,
    rows: &[Held],
    decimals: &BTreeMap<String, u8>,
) -> Result<Vec<Custody>, FaultKind> {
    let heading = statement::Heading {
        id: format!("REG-{}", report.as_of).parse()?,
        at: When::Day(report.as_of),
        owner: custodian.parse()?,
        servicer: "registrar".parse()?,
        decimals: decimals.clone(),
    };
    statement::write(&heading, rows)
}

/// Whether [`write()`] writes files of this name.
pub(super) fn is_written(name: &str) -> bool {
    [REPORT, PAGE, DOCUMENT, WORKBOOK, BREAKS].contains(&name)
        || (name.starts_with(PART) && name.ends_with(PART_END))
}

/// A member's name as part of a file's. What isn't a letter, digit or hyphen becomes an underscore; then the view's number tells
/// it from another name of the same length.
fn file_name(name: &str, number: usize) -> String {
    let safe = |char: char| char.is_ascii_alphanumeric() || char == '-';
    if name.chars().all(safe) {
        return name.to_owned();
    }
    let name: String = name.chars().map(|char| if safe(char) { char } else { '_' }).collect();
    format!("{name}{number}")
}

pub(super) fn bad(file: &Path, error: impl std::fmt::Display) -> Failure {
    Failure::CheckFailed(format!("{}: {error}", file.display()))
}
