//! The bytes of a segment file, and a reader that believes none of them.
//!
//! ```text
//! segment = header record*
//! header  = "SUDARELG" version:u32 first:u64 before:[u8; 32] crc32:u32
//! record  = length:u32 crc32:u32 seq:u64 payload:[u8; length] hash:[u8; 32]
//! ```
//! Numbers are little-endian. `before` is the chain hash of the record before the segment's first. A record's checksum
//! covers everything in it but itself.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{Seq, StoreError};

/// The longest payload of one record, in bytes.
pub const RECORD_BYTES_MAX: usize = 16 << 20;

pub(super) const HEADER_BYTES: u64 = 56;
const MAGIC: &[u8; 8] = b"SUDARELG";
const VERSION: u32 = 1;
const RECORD_HEADER_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
const CHAIN_DOMAIN: &[u8] = b"sudare log chain v1";
const READ_BUFFER_BYTES: usize = 128 << 10;

/// A record of the log and the hash of everything up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The record's sequence number; 0 is the start, before any record.
    pub seq: Seq,
    /// The chain hash after the record: it commits to every record up to this one.
    pub hash: [u8; 32],
}

impl Position {
    /// Before the first record.
    pub const START: Self = Self { seq: Seq(0), hash: [0; 32] };

    /// The position after `payload`.
    pub(super) fn after(self, payload: &[u8]) -> Self {
        let seq = self.seq.next();
        let mut hash = Sha256::new();
        hash.update(CHAIN_DOMAIN);
        hash.update(self.hash);
        hash.update(seq.0.to_le_bytes());
        hash.update(bytes(payload.len()).to_le_bytes());
        hash.update(payload);
        Self { seq, hash: hash.finalize().into() }
    }
}

/// A record as read back from the log. Its payload may hold secrets: `Debug` shows only the length.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// Its sequence number and chain hash.
    pub position: Position,
    /// The bytes given to `append`.
    pub payload: Vec<u8>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Record({}, {} bytes)", self.position.seq, self.payload.len())
    }
}

pub(super) fn encode_header(before: Position) -> Vec<u8> {
    let mut header = Vec::with_capacity(64);
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&VERSION.to_le_bytes());
    header.extend_from_slice(&before.seq.next().0.to_le_bytes());
    header.extend_from_slice(&before.hash);
    header.extend_from_slice(&crc32fast::hash(&header).to_le_bytes());
    header
}

/// Adds a record to `out` and returns its position.
pub(super) fn encode_record(
    before: Position,
    payload: &[u8],
    out: &mut Vec<u8>,
) -> Result<Position, StoreError> {
    let too_long =
        StoreError::TooLong { what: "record", bytes: payload.len(), max: RECORD_BYTES_MAX };
    let Ok(length) = u32::try_from(payload.len()) else { return Err(too_long) };
    if payload.len() > RECORD_BYTES_MAX {
        return Err(too_long);
    }
    let position = before.after(payload);
    let seq = position.seq.0.to_le_bytes();
    let crc = record_crc(length, seq, payload, &position.hash);
    out.reserve(RECORD_HEADER_BYTES + payload.len() + HASH_BYTES);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&seq);
    out.extend_from_slice(payload);
    out.extend_from_slice(&position.hash);
    Ok(position)
}

/// Why a record can't be read.
#[derive(Debug)]
pub(super) enum ReadError {
    /// The bytes at the reader's offset are not the next record.
    Damage(&'static str),
    /// The operating system refused, or the format is of another version.
    Store(StoreError),
}

/// Reads a segment record by record, checking checksum, number and chain hash of each.
#[derive(Debug)]
pub(super) struct SegmentReader {
    file: BufReader<File>,
    path: PathBuf,
    length: u64,
    offset: u64,
    position: Position,
}

impl SegmentReader {
    /// Opens `path`, whose first record must follow `before`.
    pub(super) fn open(path: &Path, before: Position) -> Result<Self, ReadError> {
        let mut reader = Self::open_file(path, before)?;
        let header = reader.header()?;
        if header != encode_header(before) {
            return Err(ReadError::Damage(
                "the segment's header doesn't follow the segment before it",
            ));
        }
        reader.offset = HEADER_BYTES;
        Ok(reader)
    }

    /// Opens `path` and takes the position before its first record from its header.
    pub(super) fn open_anywhere(path: &Path) -> Result<Self, ReadError> {
        let mut reader = Self::open_file(path, Position::START)?;
        let header = reader.header()?;
        let damage = ReadError::Damage("the segment's header is damaged");
        let Some((seq, hash)) = header.get(12..).and_then(|rest| {
            let (seq, rest) = rest.split_first_chunk::<8>()?;
            Some((u64::from_le_bytes(*seq), *rest.first_chunk::<32>()?))
        }) else {
            return Err(damage);
        };
        let Some(before) = seq.checked_sub(1) else { return Err(damage) };
        reader.position = Position { seq: Seq(before), hash };
        if header != encode_header(reader.position) {
            return Err(damage);
        }
        reader.offset = HEADER_BYTES;
        Ok(reader)
    }

    fn open_file(path: &Path, position: Position) -> Result<Self, ReadError> {
        let open = || {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, length) =
            open().map_err(StoreError::io("opening", path)).map_err(ReadError::Store)?;
        let file = BufReader::with_capacity(READ_BUFFER_BYTES, file);
        Ok(Self { file, path: path.to_path_buf(), length, offset: 0, position })
    }

    /// Where the next record starts, in bytes: so far everything is sound.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The position after the last record that was read.
    pub(super) fn position(&self) -> Position {
        self.position
    }

    /// The next record, or `None` at the end of the file.
    pub(super) fn next_record(&mut self) -> Result<Option<Record>, ReadError> {
        const CUT_SHORT: ReadError = ReadError::Damage("the record is cut short");
        let remaining = self.length.saturating_sub(self.offset);
        if remaining == 0 {
            return Ok(None);
        }
        if remaining < bytes(RECORD_HEADER_BYTES) {
            return Err(CUT_SHORT);
        }
        let length = u32::from_le_bytes(self.read_array()?);
        let crc = u32::from_le_bytes(self.read_array()?);
        let seq = self.read_array()?;
        let payload_bytes = usize::try_from(length).unwrap_or(usize::MAX);
        if payload_bytes > RECORD_BYTES_MAX {
            return Err(ReadError::Damage("the record's length is impossible"));
        }
        let record_bytes = bytes(RECORD_HEADER_BYTES + payload_bytes + HASH_BYTES);
        if remaining < record_bytes {
            return Err(CUT_SHORT);
        }
        let mut payload = vec![0; payload_bytes];
        self.read(&mut payload)?;
        let hash = self.read_array()?;
        if crc != record_crc(length, seq, &payload, &hash) {
            return Err(ReadError::Damage("the record's checksum is wrong"));
        }
        let position = self.position.after(&payload);
        if u64::from_le_bytes(seq) != position.seq.0 {
            return Err(ReadError::Damage("the record has another number"));
        }
        if hash != position.hash {
            return Err(ReadError::Damage("the record's hash doesn't follow the record before it"));
        }
        self.offset += record_bytes;
        self.position = position;
        Ok(Some(Record { position, payload }))
    }

    fn header(&mut self) -> Result<Vec<u8>, ReadError> {
        if self.length < HEADER_BYTES {
            return Err(ReadError::Damage("the segment's header is cut short"));
        }
        let mut header = vec![0; usize::try_from(HEADER_BYTES).unwrap_or_default()];
        self.read(&mut header)?;
        let (body, crc) = header.split_last_chunk::<4>().ok_or(ReadError::Damage("no header"))?;
        if !header.starts_with(MAGIC) || u32::from_le_bytes(*crc) != crc32fast::hash(body) {
            return Err(ReadError::Damage("the segment's header is damaged"));
        }
        let found = body.get(8..).and_then(|rest| rest.first_chunk::<4>());
        match found.map(|version| u32::from_le_bytes(*version)) {
            Some(VERSION) => Ok(header),
            found => Err(ReadError::Store(StoreError::Version {
                path: self.path.clone(),
                found: found.unwrap_or_default(),
                known: VERSION,
            })),
        }
    }

    fn read_array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let mut array = [0; N];
        self.read(&mut array)?;
        Ok(array)
    }

    fn read(&mut self, into: &mut [u8]) -> Result<(), ReadError> {
        self.file.read_exact(into).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => ReadError::Damage("the file got shorter"),
            _ => ReadError::Store(StoreError::io("reading", &self.path)(error)),
        })
    }
}

/// A length in bytes; no platform has a wider `usize` than 64 bits.
pub(super) fn bytes(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn record_crc(length: u32, seq: [u8; 8], payload: &[u8], hash: &[u8; 32]) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(&length.to_le_bytes());
    crc.update(&seq);
    crc.update(payload);
    crc.update(hash);
    crc.finalize()
}
