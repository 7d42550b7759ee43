//! What a replay found, as files: register, movements and exceptions in three formats, the statement, and an audit over all of
//! them that the node signs (specs/audit.md).

mod parquet;
mod table;

use std::fs::DirBuilder;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use sudare_crypto::encoding::Version;
use sudare_crypto::{Encoded, NodeKey, Text};
use sudare_ledger::audit::{AuditError, Excepted, Holding, ReadLeg, Report};
use sudare_ledger::bundle::{Audit, Bundle, FileHash, KeyRead};
use sudare_ledger::tree::SignedCheckpoint;

use self::table::{Cell, Column, Hashing, Kind, TableWriter, Written};
use super::session::Run;
use crate::cli::Failure;
use crate::clock::now_ms;

/// The signed audit's name.
pub(crate) const AUDIT_FILE: &str = "audit.sudare";
const STATEMENT_FILE: &str = "statement.txt";
/// How many rows are read at once.
const ROWS: usize = 1024;

const REGISTER: &[Column] =
    &[("account", Kind::Text), ("quantity", Kind::Number), ("notes", Kind::Number)];
const MOVEMENTS: &[Column] = &[
    ("entry", Kind::Number),
    ("transaction", Kind::Text),
    ("leg", Kind::Number),
    ("time_ms", Kind::Number),
    ("epoch", Kind::Number),
    ("purpose", Kind::Text),
    ("movement", Kind::Text),
    ("number", Kind::Number),
    ("account", Kind::Text),
    ("quantity", Kind::Number),
    ("note", Kind::Text),
    ("trade_id", Kind::Text),
    ("delivery_date", Kind::Text),
    ("trade_kind", Kind::Text),
    ("cancels", Kind::Text),
    ("trade_note", Kind::Text),
    ("sender", Kind::Text),
];
const EXCEPTIONS: &[Column] =
    &[("entry", Kind::Number), ("exception", Kind::Text), ("what", Kind::Text)];

/// Writes all files, signed by `key` last, so that a folder with an audit is whole; movements and exceptions from entry `from` on.
pub(super) fn write(
    run: &Run,
    (report, statement): (&Report, &str),
    (folder, from): (&Path, u64),
    checkpoint: &SignedCheckpoint,
    key: &NodeKey,
) -> Result<(), Failure> {
    let failed = |error| Failure::File(folder.to_owned(), error);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    // The audit of before is not that of the files which come now.
    match std::fs::remove_file(folder.join(AUDIT_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let mut files = vec![file(folder, STATEMENT_FILE, statement.as_bytes()).map_err(failed)?];
    files.extend(register(run, folder)?);
    files.extend(movements(run, folder, from)?);
    files.extend(exceptions(run, folder, from)?);
    files.sort_by(|one, other| one.name.cmp(&other.name));
    let files = files.into_iter().map(|file| {
        let Written { name, bytes, sha256 } = file;
        Ok(FileHash { name: Text::new(name)?, bytes, sha256 })
    });
    let files = files.collect::<Result<Vec<_>, Failure>>()?;
    let key_read = |(point, epoch, fields)| KeyRead { point, epoch, fields };
    let audit = Audit {
        version: Version,
        at: now_ms(),
        reader: key.id(),
        log: report.log,
        checkpoint: checkpoint.clone(),
        keys: run.keys().map(key_read).collect::<Vec<_>>().try_into()?,
        scope: run.scope().cloned(),
        reads: run.reads().try_into()?,
        figures: report.into(),
        program: Text::new(concat!("sudare ", env!("CARGO_PKG_VERSION")).to_owned())?,
        files: files.try_into()?,
    };
    let bundle = Bundle::Audit(Box::new(audit.sign(key)));
    file(folder, AUDIT_FILE, &bundle.to_bytes()).map_err(failed)?;
    Ok(())
}

fn register(run: &Run, folder: &Path) -> Result<Vec<Written>, Failure> {
    let failed = |error| Failure::File(folder.to_owned(), error);
    let mut table = TableWriter::create(folder, "register", REGISTER).map_err(failed)?;
    let mut after = None;
    loop {
        let page = run.holdings(after.as_ref(), ROWS).map_err(of_replay)?;
        let Some(last) = page.last() else { break };
        after = Some(last.account);
        for Holding { account, quantity, notes } in page {
            let account = Cell::Text(format!("{account:?}"));
            table
                .row(vec![account, Cell::Number(quantity), Cell::Number(notes)])
                .map_err(failed)?;
        }
    }
    table.finish().map_err(failed)
}

fn movements(run: &Run, folder: &Path, from: u64) -> Result<Vec<Written>, Failure> {
    let failed = |error| Failure::File(folder.to_owned(), error);
    let mut table = TableWriter::create(folder, "movements", MOVEMENTS).map_err(failed)?;
    let mut after = from.checked_sub(1);
    loop {
        let page = run.legs(after, ROWS).map_err(of_replay)?;
        let Some(last) = page.last() else { break };
        after = Some(last.entry);
        for leg in &page {
            for moved in moved(run, leg)? {
                table.row(row(leg, moved)).map_err(failed)?;
            }
        }
    }
    table.finish().map_err(failed)
}

fn exceptions(run: &Run, folder: &Path, from: u64) -> Result<Vec<Written>, Failure> {
    let failed = |error| Failure::File(folder.to_owned(), error);
    let mut table = TableWriter::create(folder, "exceptions", EXCEPTIONS).map_err(failed)?;
    let mut after = from.checked_sub(1).map(|before| (before, u8::MAX));
    loop {
        let page = run.exceptions(after, ROWS).map_err(of_replay)?;
        let Some(last) = page.last() else { break };
        after = Some((last.entry, last.number));
        for Excepted { entry, what, .. } in page {
            let cells = vec![Cell::Number(entry), Cell::text(what.name()), Cell::text(&what)];
            table.row(cells).map_err(failed)?;
        }
    }
    table.finish().map_err(failed)
}

/// One row of a leg: what was minted, spent, received or burned; on each leg minted and spent are received and burned.
struct Moved {
    what: &'static str,
    number: Option<u64>,
    account: Option<String>,
    quantity: Option<u64>,
    note: Option<String>,
}

fn moved(run: &Run, leg: &ReadLeg) -> Result<Vec<Moved>, Failure> {
    let mut rows = Vec::new();
    let public = |what, quantity: u64| Moved {
        what,
        number: None,
        account: None,
        quantity: Some(quantity),
        note: None,
    };
    rows.extend((leg.mint > 0).then(|| public("minted", leg.mint)));
    let accounts = |list: &Option<Vec<_>>, at: usize| {
        let account: Option<&Encoded> = list.as_ref()?.get(at);
        account.map(|account| format!("{account:?}"))
    };
    for (at, note) in leg.spends.iter().flatten().enumerate() {
        let (quantity, _) = run.note(note).map_err(of_replay)?;
        rows.push(Moved {
            what: "spent",
            number: u64::try_from(at).ok(),
            account: accounts(&leg.senders, at),
            quantity: quantity.filter(|_| leg.amounts.is_some()),
            note: Some(note.0.to_string()),
        });
    }
    for (at, note) in leg.makes.iter().enumerate() {
        rows.push(Moved {
            what: "received",
            number: u64::try_from(at).ok(),
            account: accounts(&leg.receivers, at),
            quantity: leg.amounts.as_ref().and_then(|amounts| amounts.get(at)).copied(),
            note: Some(note.0.to_string()),
        });
    }
    rows.extend((leg.burn > 0).then(|| public("burned", leg.burn)));
    Ok(rows)
}

fn row(leg: &ReadLeg, moved: Moved) -> Vec<Cell> {
    let text = |text: Option<&str>| text.map_or(Cell::Empty, Cell::text);
    let number = |number: Option<u64>| number.map_or(Cell::Empty, Cell::Number);
    let trade = leg.trade.as_ref();
    vec![
        Cell::Number(leg.entry),
        Cell::text(leg.tx),
        Cell::Number(leg.index.into()),
        Cell::Number(leg.time),
        Cell::Number(leg.epoch.into()),
        Cell::text(leg.purpose),
        Cell::text(moved.what),
        number(moved.number),
        text(moved.account.as_deref()),
        number(moved.quantity),
        text(moved.note.as_deref()),
        text(trade.map(|trade| trade.trade_id.as_str())),
        text(trade.map(|trade| trade.delivery_date.as_str())),
        text(trade.map(|trade| trade.kind.as_str())),
        text(trade.and_then(|trade| trade.cancels.as_ref()).map(Text::as_str)),
        text(trade.map(|trade| trade.note.as_str())),
        text(leg.sender.as_ref().map(Text::as_str)),
    ]
}

/// Writes a small file in one step.
fn file(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<Written> {
    let mut file = Hashing::create(folder, name.to_owned())?;
    file.write_all(bytes)?;
    file.finish()
}

fn of_replay(error: AuditError) -> Failure {
    Failure::CheckFailed(error.to_string())
}
