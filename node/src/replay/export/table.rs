//! One table as three files: CSV, JSON and Parquet, written row by row in one go, each with its hash.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sudare_crypto::Hash;

use super::parquet::ParquetWriter;

/// Rows of a row group, which are in memory until it is written.
const GROUP_ROWS: usize = 4096;

/// What a column holds; any cell can be empty.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// UTF-8.
    Text,
    /// A `u64`: digits in CSV, a string of digits in JSON, UINT_64 in Parquet.
    Number,
}

/// A column.
pub(super) type Column = (&'static str, Kind);

/// A cell.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Cell {
    Text(String),
    Number(u64),
    Empty,
}

/// A file that was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Written {
    /// Its name in the folder.
    pub(super) name: String,
    /// Its length.
    pub(super) bytes: u64,
    /// Its SHA-256.
    pub(super) sha256: Hash,
}

/// Writes a table's three files beside their final names, which they get when all of them are whole.
pub(super) struct TableWriter {
    columns: &'static [Column],
    csv: csv::Writer<Hashing>,
    json: Hashing,
    parquet: ParquetWriter<Hashing>,
    /// Rows of the group that is being filled.
    group: Vec<Vec<Cell>>,
    rows: u64,
}

impl TableWriter {
    pub(super) fn create(
        folder: &Path,
        name: &str,
        columns: &'static [Column],
    ) -> io::Result<Self> {
        let file = |ending: &str| Hashing::create(folder, format!("{name}.{ending}"));
        let mut csv = csv::Writer::from_writer(file("csv")?);
        csv.write_record(columns.iter().map(|(name, _)| name))?;
        let mut json = file("json")?;
        json.write_all(b"[")?;
        let parquet = ParquetWriter::new(file("parquet")?, name, columns)?;
        Ok(Self { columns, csv, json, parquet, group: Vec::new(), rows: 0 })
    }

    /// Writes a row, a cell a column.
    pub(super) fn row(&mut self, cells: Vec<Cell>) -> io::Result<()> {
        self.csv.write_record(cells.iter().map(Cell::to_csv))?;
        let mut line = serde_json::Map::new();
        let mut given = cells.iter();
        for (name, _) in self.columns {
            let value = given.next().map_or(serde_json::Value::Null, Cell::to_json);
            line.insert((*name).to_owned(), value);
        }
        self.json.write_all(if self.rows == 0 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut self.json, &line)?;
        self.rows = self.rows.saturating_add(1);
        self.group.push(cells);
        if self.group.len() >= GROUP_ROWS { self.end_group() } else { Ok(()) }
    }

    /// Ends all three files and gives them their names.
    pub(super) fn finish(mut self) -> io::Result<Vec<Written>> {
        self.end_group()?;
        self.json.write_all(b"\n]\n")?;
        let csv = self.csv.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        let parquet = self.parquet.finish()?;
        [csv, self.json, parquet].into_iter().map(Hashing::finish).collect()
    }

    fn end_group(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.group);
        if rows.is_empty() { Ok(()) } else { self.parquet.group(&rows) }
    }
}

impl Cell {
    pub(super) fn text(text: impl ToString) -> Self {
        Self::Text(text.to_string())
    }

    /// Spreadsheets take what begins with such a sign for a formula, and the texts are others'.
    fn to_csv(&self) -> String {
        match self {
            Self::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => {
                format!("'{text}")
            }
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Empty => String::new(),
        }
    }

    fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => number.to_string().into(),
            Self::Empty => serde_json::Value::Null,
        }
    }
}

/// A file that is hashed while it is written, and gets its name at the end.
pub(super) struct Hashing {
    file: BufWriter<File>,
    /// Where it is written, and where it belongs.
    paths: (PathBuf, PathBuf),
    name: String,
    bytes: u64,
    hash: Sha256,
}

impl Hashing {
    pub(super) fn create(folder: &Path, name: String) -> io::Result<Self> {
        let (new, end) = (folder.join(format!("{name}.new")), folder.join(&name));
        let mut options = std::fs::OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let file = BufWriter::new(file);
        Ok(Self { file, paths: (new, end), name, bytes: 0, hash: Sha256::new() })
    }

    pub(super) fn finish(self) -> io::Result<Written> {
        let Self { file, paths: (new, end), name, bytes, hash } = self;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(new, end)?;
        Ok(Written { name, bytes, sha256: Hash(hash.finalize().into()) })
    }
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        let bytes = bytes.get(..written).unwrap_or(bytes);
        self.hash.update(bytes);
        self.bytes = self.bytes.saturating_add(u64::try_from(written).unwrap_or(0));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
