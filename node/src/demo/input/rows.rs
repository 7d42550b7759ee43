//! The rows of a CSV file, each with its line.

use super::errors::{Findings, Reason};
use super::{FILE_BYTES_MAX, ROWS_MAX, Source};

/// A row with as many fields as the header.
pub(super) struct Row {
    pub(super) file: String,
    pub(super) line: u64,
    pub(super) columns: &'static [&'static str],
    pub(super) values: csv::StringRecord,
}

impl Row {
    pub(super) fn value(&self, column: &str) -> &str {
        let index = self.columns.iter().position(|name| *name == column);
        index.and_then(|index| self.values.get(index)).unwrap_or_default()
    }
}

/// The rows of a file whose header is right; rows with too few or too many fields are findings.
pub(super) fn rows(
    source: Source<'_>,
    columns: &'static [&'static str],
    findings: &mut Findings,
) -> Vec<Row> {
    const FILE: &str =
        "a UTF-8 file of at most 100000 rows and 16 MiB, with its header and at least one row";
    let mut whole = |line, reason| findings.add(source.name, line, None, "the file", reason, FILE);
    if source.bytes.len() > FILE_BYTES_MAX {
        whole(1, Reason::Bytes);
        return Vec::new();
    }
    let bytes = source.bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(source.bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
            whole(Lines::default().advance(before, before.len()), Reason::Encoding);
            return Vec::new();
        }
    };
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let (mut rows, mut lines, mut headed) = (Vec::new(), Lines::default(), false);
    for record in reader.records() {
        // Only I/O and UTF-8 could fail, and the text is in memory and UTF-8.
        let Ok(values) = record else { break };
        let start = values.position().map_or(0, csv::Position::byte);
        let line = lines.of_record(text.as_bytes(), start);
        if !headed {
            if !is_header(source.name, line, &values, columns, findings) {
                return Vec::new();
            }
            headed = true;
        } else if rows.len() == ROWS_MAX {
            findings.add(source.name, line, None, "the file", Reason::Rows, FILE);
            return rows;
        } else if values.len() == columns.len() {
            rows.push(Row { file: source.name.to_owned(), line, columns, values });
        } else {
            let reason = Reason::Fields(values.len());
            let shown: Vec<&str> = values.iter().collect();
            let expected = "as many fields as the header has";
            findings.add(source.name, line, None, &shown.join(","), reason, expected);
        }
    }
    if rows.is_empty() && findings.list.iter().all(|error| error.file != source.name) {
        findings.add(source.name, 1, None, "the file", Reason::NoRows, FILE);
    }
    rows
}

fn is_header(
    file: &str,
    line: u64,
    found: &csv::StringRecord,
    columns: &'static [&'static str],
    findings: &mut Findings,
) -> bool {
    if found.iter().eq(columns.iter().copied()) {
        return true;
    }
    const EXPECTED: &str = "the header as in the example files, names and order alike";
    for (index, column) in columns.iter().enumerate() {
        let value = found.get(index).unwrap_or_default();
        if value != *column {
            findings.add(file, line, Some(column), value, Reason::Header, EXPECTED);
        }
    }
    if found.len() > columns.len() {
        let shown: Vec<&str> = found.iter().collect();
        findings.add(file, line, None, &shown.join(","), Reason::Fields(found.len()), EXPECTED);
    }
    false
}

/// Counts lines up to a byte; the CSV reader's own count is one behind after CRLF and blank lines.
struct Lines {
    offset: usize,
    line: u64,
}

impl Default for Lines {
    fn default() -> Self {
        Self { offset: 0, line: 1 }
    }
}

impl Lines {
    /// The line of a record that starts at a byte, or after the line ends that follow it.
    fn of_record(&mut self, text: &[u8], start: u64) -> u64 {
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let ends = text.get(start..).unwrap_or_default();
        let ends = ends.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        self.advance(text, start.saturating_add(ends))
    }

    fn advance(&mut self, text: &[u8], end: usize) -> u64 {
        let passed = text.get(self.offset..end).unwrap_or_default();
        for byte in passed {
            self.line = self.line.saturating_add(u64::from(*byte == b'\n'));
        }
        self.offset = self.offset.max(end);
        self.line
    }
}
