//! Parquet files of flat tables: optional columns of texts and numbers, plain, uncompressed, one page a column chunk (Apache
//! Parquet format 2.10, Thrift compact protocol). The `parquet` crate does as much and brings twenty crates with it.

use std::io::{self, Write};

use super::table::{Cell, Column, Kind};

const MAGIC: &[u8] = b"PAR1";
/// What files name as their maker: no version, so that the same rows are the same bytes.
const MAKER: &[u8] = b"sudare";

// Numbers of the format: physical types, repetition, converted types, encodings.
const INT64: i64 = 2;
const BYTE_ARRAY: i64 = 6;
const OPTIONAL: i64 = 1;
const UTF8: i64 = 0;
const UINT_64: i64 = 14;
const PLAIN: i64 = 0;
const RLE: i64 = 3;

/// Writes a table row group by row group.
pub(super) struct ParquetWriter<W> {
    out: W,
    columns: &'static [Column],
    /// Bytes written.
    at: u64,
    /// The description of each row group, encoded.
    groups: Vec<Vec<u8>>,
    rows: u64,
}

impl<W: Write> ParquetWriter<W> {
    pub(super) fn new(mut out: W, columns: &'static [Column]) -> io::Result<Self> {
        out.write_all(MAGIC)?;
        Ok(Self { out, columns, at: count(MAGIC.len()), groups: Vec::new(), rows: 0 })
    }

    /// Writes these rows, a cell a column, as one group.
    pub(super) fn group(&mut self, rows: &[Vec<Cell>]) -> io::Result<()> {
        let (mut chunks, mut bytes) = (Vec::new(), 0_u64);
        for (place, column) in self.columns.iter().enumerate() {
            let cells: Vec<&Cell> =
                rows.iter().map(|row| row.get(place).unwrap_or(&Cell::Empty)).collect();
            let page = page(&cells);
            self.out.write_all(&page)?;
            let length = count(page.len());
            chunks.push(chunk(column, rows.len(), self.at, length));
            self.at = self.at.saturating_add(length);
            bytes = bytes.saturating_add(length);
        }
        let mut group = Thrift::default();
        group.structs(1, &chunks);
        group.int(2, signed(bytes));
        group.int(3, signed(count(rows.len())));
        self.groups.push(group.end());
        self.rows = self.rows.saturating_add(count(rows.len()));
        Ok(())
    }

    /// Writes the footer; gives back what was written to.
    pub(super) fn finish(mut self, name: &str) -> io::Result<W> {
        let mut schema = vec![root(name, self.columns.len())];
        schema.extend(self.columns.iter().map(element));
        let mut footer = Thrift::default();
        footer.small(1, 1);
        footer.structs(2, &schema);
        footer.int(3, signed(self.rows));
        footer.structs(4, &self.groups);
        footer.bytes(6, MAKER);
        let footer = footer.end();
        self.out.write_all(&footer)?;
        let length = u32::try_from(footer.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(MAGIC)?;
        Ok(self.out)
    }
}

/// A page with its header: which cells are there, then their values.
fn page(cells: &[&Cell]) -> Vec<u8> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    for run in cells.chunk_by(|one, next| is_there(one) == is_there(next)) {
        varint(&mut levels, count(run.len()) << 1);
        levels.push(u8::from(run.first().is_some_and(|cell| is_there(cell))));
    }
    for cell in cells {
        match cell {
            Cell::Text(text) => {
                values.extend(length_of(text.as_bytes()));
                values.extend(text.as_bytes());
            }
            Cell::Number(number) => values.extend(number.to_le_bytes()),
            Cell::Empty => {}
        }
    }
    let body = [&length_of(&levels)[..], &levels, &values].concat();
    let mut data = Thrift::default();
    data.small(1, signed(count(cells.len())));
    data.small(2, PLAIN);
    data.small(3, RLE);
    data.small(4, RLE);
    let mut header = Thrift::default();
    header.small(1, 0);
    header.small(2, signed(count(body.len())));
    header.small(3, signed(count(body.len())));
    header.structure(5, &data.end());
    [header.end(), body].concat()
}

fn is_there(cell: &Cell) -> bool {
    *cell != Cell::Empty
}

/// The description of a column chunk of one page.
fn chunk((name, kind): &Column, rows: usize, at: u64, length: u64) -> Vec<u8> {
    let mut metadata = Thrift::default();
    metadata.small(1, physical(*kind));
    metadata.smalls(2, &[PLAIN, RLE]);
    metadata.texts(3, &[name.as_bytes()]);
    metadata.small(4, 0);
    metadata.int(5, signed(count(rows)));
    metadata.int(6, signed(length));
    metadata.int(7, signed(length));
    metadata.int(9, signed(at));
    let mut chunk = Thrift::default();
    chunk.int(2, signed(at));
    chunk.structure(3, &metadata.end());
    chunk.end()
}

fn root(name: &str, columns: usize) -> Vec<u8> {
    let mut element = Thrift::default();
    element.bytes(4, name.as_bytes());
    element.small(5, signed(count(columns)));
    element.end()
}

/// A column in the schema.
fn element((name, kind): &Column) -> Vec<u8> {
    let mut element = Thrift::default();
    element.small(1, physical(*kind));
    element.small(3, OPTIONAL);
    element.bytes(4, name.as_bytes());
    let mut logical = Thrift::default();
    match kind {
        Kind::Text => {
            element.small(6, UTF8);
            logical.structure(1, &Thrift::default().end());
        }
        Kind::Number => {
            element.small(6, UINT_64);
            let mut integer = Thrift::default();
            integer.byte(1, 64);
            integer.no(2);
            logical.structure(10, &integer.end());
        }
    }
    element.structure(10, &logical.end());
    element.end()
}

const fn physical(kind: Kind) -> i64 {
    match kind {
        Kind::Text => BYTE_ARRAY,
        Kind::Number => INT64,
    }
}

/// A structure in Thrift's compact protocol; fields are given in rising order of their numbers.
#[derive(Default)]
struct Thrift {
    bytes: Vec<u8>,
    last: u8,
}

impl Thrift {
    fn field(&mut self, number: u8, kind: u8) {
        // All fields here are less than 16 after the one before.
        self.bytes.push(number.saturating_sub(self.last) << 4 | kind);
        self.last = number;
    }

    /// An i32.
    fn small(&mut self, number: u8, value: i64) {
        self.field(number, 5);
        zigzag(&mut self.bytes, value);
    }

    /// An i64.
    fn int(&mut self, number: u8, value: i64) {
        self.field(number, 6);
        zigzag(&mut self.bytes, value);
    }

    fn byte(&mut self, number: u8, value: u8) {
        self.field(number, 3);
        self.bytes.push(value);
    }

    /// False.
    fn no(&mut self, number: u8) {
        self.field(number, 2);
    }

    fn bytes(&mut self, number: u8, value: &[u8]) {
        self.field(number, 8);
        self.binary(value);
    }

    fn structure(&mut self, number: u8, encoded: &[u8]) {
        self.field(number, 12);
        self.bytes.extend(encoded);
    }

    fn structs(&mut self, number: u8, encoded: &[Vec<u8>]) {
        self.list(number, encoded.len(), 12);
        encoded.iter().for_each(|one| self.bytes.extend(one));
    }

    fn smalls(&mut self, number: u8, values: &[i64]) {
        self.list(number, values.len(), 5);
        values.iter().for_each(|value| zigzag(&mut self.bytes, *value));
    }

    fn texts(&mut self, number: u8, values: &[&[u8]]) {
        self.list(number, values.len(), 8);
        values.iter().for_each(|value| self.binary(value));
    }

    fn list(&mut self, number: u8, length: usize, kind: u8) {
        self.field(number, 9);
        match u8::try_from(length) {
            Ok(short) if short < 15 => self.bytes.push(short << 4 | kind),
            _ => {
                self.bytes.push(0xf0 | kind);
                varint(&mut self.bytes, count(length));
            }
        }
    }

    fn binary(&mut self, value: &[u8]) {
        varint(&mut self.bytes, count(value.len()));
        self.bytes.extend(value);
    }

    /// The structure with its end.
    fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

fn zigzag(bytes: &mut Vec<u8>, value: i64) {
    varint(bytes, (value.cast_unsigned() << 1) ^ (value >> 63).cast_unsigned());
}

fn varint(bytes: &mut Vec<u8>, mut value: u64) {
    while let Some(low) = u8::try_from(value & 0x7f).ok().filter(|_| value > 0x7f) {
        bytes.push(low | 0x80);
        value >>= 7;
    }
    bytes.extend(u8::try_from(value));
}

/// The length of what stands in a page, which has far less than 4 GiB.
fn length_of(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
