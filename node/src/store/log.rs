//! The log: every event this node has handled, in order, in segment files.
//!
//! It is the truth of a node. Whatever the node promises (receipts, approvals, slots) follows from events that are in
//! here and synced. Each record's hash covers the one before it, so a changed, missing, added or moved record is found at
//! start, and the high-water mark finds a missing end.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{
    FILE_MODE, Position, Seq, StoreError, create_folder,
    high_water::{HighWater, forget_cached},
    records::{Records, damaged},
    segment::{HEADER_BYTES, ReadError, SegmentReader, bytes, encode_header, encode_record},
    sync_folder_of,
};

/// The most bytes that may wait for one `sync`.
pub const BATCH_BYTES_MAX: usize = 64 << 20;

const SEGMENT_EXTENSION: &str = "log";

/// An unfinished end of the log that was cut off at start: written, but never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment file.
    pub segment: PathBuf,
    /// Where it was cut, in bytes.
    pub offset: u64,
    /// How many bytes went.
    pub bytes: u64,
    /// What was wrong with them.
    pub what: &'static str,
}

/// The open log. It belongs to one thread.
pub(super) struct Log {
    folder: PathBuf,
    segment_bytes: u64,
    /// First record to file of every segment.
    segments: BTreeMap<Seq, PathBuf>,
    /// The last segment, if it takes more records.
    active: Option<Active>,
    high_water: HighWater,
    appended: Position,
    synced: Position,
    buffer: Vec<u8>,
    failed: Option<String>,
}

#[derive(Debug)]
struct Active {
    file: File,
    path: PathBuf,
    bytes: u64,
}

impl Log {
    /// Opens the log in `folder`, or starts one, and checks every record of it.
    ///
    /// Returns also what was cut off at the end, if anything.
    pub(super) fn open(
        folder: &Path,
        high_water: &Path,
        segment_bytes: u64,
    ) -> Result<(Self, Option<Cut>), StoreError> {
        create_folder(folder)?;
        let segments = list_segments(folder)?;
        let mut high_water = match HighWater::open(high_water)? {
            Some(mark) => mark,
            None if segments.is_empty() => HighWater::create(high_water)?,
            None => {
                return Err(StoreError::HighWater { path: high_water.into(), what: "is missing" });
            }
        };
        if let Some(last) = segments.values().next_back() {
            reread_from_disk(last)?;
        }
        let Verified { end, cut } = verify(&segments, &high_water)?;
        let mut segments = segments;
        let active = open_last(&mut segments, cut.as_ref())?;
        if end.seq > high_water.current().seq || high_water.slot_lost() {
            // Whoever opens the store may act on these records, so from now on they count as acknowledged.
            let path = high_water.path().to_path_buf();
            let raised = high_water.raise(end).and_then(|()| high_water.settle());
            raised.map_err(StoreError::io("writing", path))?;
        }
        let log = Self {
            folder: folder.to_path_buf(),
            segment_bytes,
            segments,
            active,
            high_water,
            appended: end,
            synced: end,
            buffer: Vec::new(),
            failed: None,
        };
        Ok((log, cut))
    }

    /// Takes a record into the batch that the next `sync` writes.
    pub(super) fn append(&mut self, payload: &[u8]) -> Result<Position, StoreError> {
        self.check_sound()?;
        let waiting = self.buffer.len().saturating_add(payload.len());
        if waiting > BATCH_BYTES_MAX {
            return Err(StoreError::TooLong {
                what: "batch",
                bytes: waiting,
                max: BATCH_BYTES_MAX,
            });
        }
        self.appended = encode_record(self.appended, payload, &mut self.buffer)?;
        Ok(self.appended)
    }

    /// Makes every appended record durable and moves the mark. Only after this may anybody be told.
    pub(super) fn sync(&mut self) -> Result<Position, StoreError> {
        self.check_sound()?;
        if self.buffer.is_empty() {
            return Ok(self.synced);
        }
        self.write_batch().inspect_err(|error| self.failed = Some(error.to_string()))?;
        self.synced = self.appended;
        self.buffer.clear();
        Ok(self.synced)
    }

    /// Makes every later call fail: another part of the store couldn't write.
    pub(super) fn poison(&mut self, first: &str) {
        self.failed.get_or_insert_with(|| first.to_owned());
    }

    /// Fails if an earlier write failed.
    pub(super) fn check_sound(&self) -> Result<(), StoreError> {
        match &self.failed {
            Some(first) => Err(StoreError::Poisoned { first: first.clone() }),
            None => Ok(()),
        }
    }

    /// The last synced record.
    pub(super) fn head(&self) -> Position {
        self.synced
    }

    /// The last appended record, synced or not.
    #[cfg(test)]
    pub(super) fn end(&self) -> Position {
        self.appended
    }

    /// Whether the high-water mark's file had lost a slot at start.
    pub(super) fn high_water_slot_lost(&self) -> bool {
        self.high_water.slot_lost()
    }

    /// The synced records from `first` on, read from disk and checked again.
    pub(super) fn read_from(&self, first: Seq) -> Records {
        let first = first.max(Seq(1));
        let start = self.segments.range(..=first).next_back().map_or(first, |(seq, _)| *seq);
        let segments = self.segments.range(start..).map(|(_, path)| path.clone()).collect();
        Records::new(segments, first, self.synced.seq)
    }

    /// The position of record `seq`; `None` if the log has no such record.
    pub(super) fn position(&self, seq: Seq) -> Result<Option<Position>, StoreError> {
        if seq == Seq(0) {
            return Ok(Some(Position::START));
        }
        if seq == self.synced.seq {
            return Ok(Some(self.synced));
        }
        Ok(self.read_from(seq).next().transpose()?.map(|record| record.position))
    }

    fn write_batch(&mut self) -> Result<(), StoreError> {
        let acknowledged = self.synced.seq;
        let failed = |doing, path: &Path| {
            let path = path.to_path_buf();
            move |source| StoreError::WriteFailed { doing, path, source, acknowledged }
        };
        // A segment without records keeps its name, so it takes the next ones whatever its size.
        let room = self.segment_bytes.max(HEADER_BYTES.saturating_add(1));
        let mut active = match self.active.take() {
            Some(active) if active.bytes < room => active,
            _ => {
                let path = self.folder.join(segment_name(self.synced.seq.next()));
                let active =
                    begin_segment(&path, self.synced).map_err(failed("creating", &path))?;
                self.segments.insert(self.synced.seq.next(), path);
                active
            }
        };
        active.file.write_all(&self.buffer).map_err(failed("writing", &active.path))?;
        active.file.sync_data().map_err(failed("syncing", &active.path))?;
        active.bytes = active.bytes.saturating_add(bytes(self.buffer.len()));
        self.active = Some(active);
        let mark = self.high_water.path().to_path_buf();
        self.high_water.raise(self.appended).map_err(failed("writing", &mark))
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the buffer: events may hold secrets.
        write!(f, "Log({}, synced up to {})", self.folder.display(), self.synced.seq)
    }
}

struct Verified {
    end: Position,
    cut: Option<Cut>,
}

/// Reads the whole log. Damage after the high-water mark, at the end of the last segment, is what a crash leaves.
fn verify(
    segments: &BTreeMap<Seq, PathBuf>,
    high_water: &HighWater,
) -> Result<Verified, StoreError> {
    let mark = high_water.current();
    let mut end = Position::START;
    let mut cut = None;
    for (first, path) in segments {
        if *first != end.seq.next() {
            return Err(StoreError::SegmentMissing {
                expected: end.seq.next(),
                found: path.clone(),
            });
        }
        let is_last = segments.last_key_value().is_some_and(|(last, _)| last == first);
        let mut check = SegmentCheck { path, end, offset: 0, mark, mark_path: high_water.path() };
        if let Err(error) = check.run() {
            let place = (check.offset, check.end.seq.next());
            match error {
                ReadError::Damage(what) if is_last && check.end.seq >= mark.seq => {
                    let length = path.metadata().map_err(StoreError::io("looking at", path))?.len();
                    let bytes = length.saturating_sub(check.offset);
                    cut = Some(Cut { segment: path.clone(), offset: check.offset, bytes, what });
                }
                error => return Err(damaged(error, path, place, mark.seq)),
            }
        }
        end = check.end;
    }
    if end.seq < mark.seq {
        return Err(StoreError::Gone { acknowledged: mark.seq, found: end.seq });
    }
    Ok(Verified { end, cut })
}

/// Reads one segment and remembers how far it is sound.
struct SegmentCheck<'a> {
    path: &'a Path,
    end: Position,
    offset: u64,
    mark: Position,
    mark_path: &'a Path,
}

impl SegmentCheck<'_> {
    fn run(&mut self) -> Result<(), ReadError> {
        let mut reader = SegmentReader::open(self.path, self.end)?;
        self.offset = reader.offset();
        while let Some(record) = reader.next_record()? {
            if record.position.seq == self.mark.seq && record.position.hash != self.mark.hash {
                let mark = self.mark_path.to_path_buf();
                return Err(ReadError::Store(StoreError::Diverged { seq: self.mark.seq, mark }));
            }
            self.end = record.position;
            self.offset = reader.offset();
        }
        Ok(())
    }
}

/// Cuts the last segment if need be, and opens it for more records.
fn open_last(
    segments: &mut BTreeMap<Seq, PathBuf>,
    cut: Option<&Cut>,
) -> Result<Option<Active>, StoreError> {
    if let Some(cut) = cut.filter(|cut| cut.offset < HEADER_BYTES) {
        // Not even the header was finished: the segment before takes the records.
        std::fs::remove_file(&cut.segment).map_err(StoreError::io("removing", &cut.segment))?;
        sync_folder_of(&cut.segment)?;
        segments.pop_last();
    }
    let Some(path) = segments.values().next_back() else { return Ok(None) };
    // Its name may be younger than the last crash.
    sync_folder_of(path)?;
    let open = || {
        let mut file = OpenOptions::new().write(true).open(path)?;
        if let Some(cut) = cut.filter(|cut| cut.offset >= HEADER_BYTES) {
            file.set_len(cut.offset)?;
            file.sync_all()?;
        }
        let bytes = file.seek(SeekFrom::End(0))?;
        Ok(Active { file, path: path.clone(), bytes })
    };
    open().map(Some).map_err(StoreError::io("opening", path))
}

fn begin_segment(path: &Path, before: Position) -> io::Result<Active> {
    let mut file = OpenOptions::new().create_new(true).write(true).mode(FILE_MODE).open(path)?;
    let header = encode_header(before);
    file.write_all(&header)?;
    if let Some(folder) = path.parent() {
        // The name has to be durable before anything in the file counts.
        File::open(folder)?.sync_all()?;
    }
    Ok(Active { file, path: path.to_path_buf(), bytes: bytes(header.len()) })
}

/// After a failed write-back, the page cache may show records that the disk doesn't have: read what the disk has.
fn reread_from_disk(path: &Path) -> Result<(), StoreError> {
    let reread = || {
        let file = OpenOptions::new().write(true).open(path)?;
        file.sync_all()?;
        forget_cached(&file);
        Ok(())
    };
    reread().map_err(StoreError::io("syncing", path))
}

fn list_segments(folder: &Path) -> Result<BTreeMap<Seq, PathBuf>, StoreError> {
    let mut segments = BTreeMap::new();
    let list = || std::fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>();
    for entry in list().map_err(StoreError::io("listing", folder))? {
        let name = PathBuf::from(entry.file_name());
        let first = name.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        match first.map(Seq) {
            Some(first) if name.to_str() == Some(&segment_name(first)) => {
                segments.insert(first, entry.path());
            }
            _ => tracing::warn!(file = %entry.path().display(), "not a segment, left alone"),
        }
    }
    Ok(segments)
}

fn segment_name(first: Seq) -> String {
    format!("{:020}.{SEGMENT_EXTENSION}", first.0)
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
