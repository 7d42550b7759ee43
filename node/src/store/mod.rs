//! What a node keeps on disk: the [log](Store::append) of every event it handled, which is the truth, and an
//! [index](Store::kv) of the tables that follow from it.
//!
//! ```text
//! folder/lock              held by the one process that works here
//! folder/log/….log         segments of records, hash-chained
//! folder/high-water        the last acknowledged record (may be put on another disk)
//! folder/index/            fjall; may be deleted at any time while the node is stopped
//! folder/index.suspect     there if the index gave an error: the next start checks all of it
//! ```
//! Order of work: `append` events, `sync` once for all of them, `apply` their writes, and only then let anything out that
//! depends on them. At start, handle [`Store::pending`] events again and `apply` their writes before anything else.
//!
//! A failed write, sync or apply poisons the store: every later call fails, and the process must restart. Reading goes on.

mod engine;
mod error;
mod high_water;
mod index;
mod lock;
mod log;
mod mark;
mod records;
mod segment;
mod tables;

use std::{
    fmt,
    fs::{DirBuilder, File},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use sudare_ledger::kv::Writes;

use self::{
    engine::Room,
    index::{Index, Opened},
    lock::FolderLock,
    log::Log,
};
pub use self::{
    error::StoreError,
    index::{IndexReader, KEY_BYTES_MAX, Snapshot, VALUE_BYTES_MAX},
    log::{BATCH_BYTES_MAX, Cut},
    records::Records,
    segment::{Position, RECORD_BYTES_MAX, Record},
    tables::Tables,
};

const FILE_MODE: u32 = 0o600;
const FOLDER_MODE: u32 = 0o700;
const SEGMENT_BYTES: u64 = 64 << 20;

/// The number of a record in the log. The first is 1; 0 means none yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seq(pub u64);

impl Seq {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How to open a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// A segment that has reached this many bytes is followed by a new one.
    pub segment_bytes: u64,
    /// Where to keep the high-water mark; `high-water` in the store's folder if `None`. On another disk it also finds that
    /// the whole folder was replaced by an older copy.
    pub high_water: Option<PathBuf>,
    /// The version of the tables. An index of another version is built again from the log.
    pub schema: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: SEGMENT_BYTES, high_water: None, schema: 2 }
    }
}

/// What opening found and did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The last record in the log. All of them were checked.
    pub head: Position,
    /// The last record whose writes are in the index; the ones after it are pending.
    pub applied: Position,
    /// An unacknowledged end that was cut off the log.
    pub cut: Option<Cut>,
    /// Why the index is built again from the start, if it is.
    pub rebuilt: Option<String>,
    /// One of the two slots of the high-water mark was unreadable and has been written again.
    pub high_water_repaired: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pending = self.head.seq.0.saturating_sub(self.applied.seq.0);
        write!(f, "log checked: {} records, {pending} to apply", self.head.seq)?;
        if let Some(Cut { segment, offset, bytes, what }) = &self.cut {
            let segment = segment.display();
            write!(f, "; cut {bytes} unacknowledged bytes off {segment} at byte {offset}: {what}")?;
        }
        if let Some(why) = &self.rebuilt {
            write!(f, "; the index is built again: {why}")?;
        }
        if self.high_water_repaired {
            write!(f, "; one slot of the high-water mark was damaged and is written again")?;
        }
        Ok(())
    }
}

/// A node's log and index. It belongs to one thread; [readers](Store::reader) work from any.
#[derive(Debug)]
pub struct Store {
    index: Index,
    log: Log,
    // Dropped last: nobody else may come in before the files are closed.
    _lock: FolderLock,
}

impl Store {
    /// Opens the store in `folder`, or makes one, and checks every record of the log.
    ///
    /// # Errors
    /// [`StoreError::Locked`] if another process works here; `Damaged`, `SegmentMissing`, `Gone`, `Diverged` or `HighWater`
    /// if the log is not whole, and then nothing was changed; `Io` or `Index` if the operating system refuses.
    pub fn open(folder: &Path, options: &Options) -> Result<(Self, Report), StoreError> {
        create_folder(folder)?;
        let lock = FolderLock::acquire(folder)?;
        let high_water = options.high_water.clone().unwrap_or_else(|| folder.join("high-water"));
        let (log, cut) = Log::open(&folder.join("log"), &high_water, options.segment_bytes)?;
        let (index, rebuilt) = open_index(&folder.join("index"), options.schema, &log)?;
        let report = Report {
            head: log.head(),
            applied: index.applied(),
            cut,
            rebuilt,
            high_water_repaired: log.high_water_slot_lost(),
        };
        Ok((Self { index, log, _lock: lock }, report))
    }

    /// The synced events whose writes are not in the index, oldest first. To be handled again at start.
    #[must_use]
    pub fn pending(&self) -> Records {
        self.log.read_from(self.index.applied().seq.next())
    }

    /// The synced records from `first` on, checked again while they are read.
    #[must_use]
    pub fn read_from(&self, first: Seq) -> Records {
        self.log.read_from(first)
    }

    /// Takes an event into the batch that the next [`sync`](Self::sync) writes, and gives it its place in the log.
    ///
    /// # Errors
    /// [`StoreError::TooLong`] if it is longer than [`RECORD_BYTES_MAX`] or the batch would exceed [`BATCH_BYTES_MAX`];
    /// [`StoreError::Poisoned`].
    pub fn append(&mut self, event: &[u8]) -> Result<Position, StoreError> {
        self.log.append(event)
    }

    /// Makes every appended event durable. Nothing that depends on an event may leave the node before.
    ///
    /// # Errors
    /// [`StoreError::WriteFailed`], after which the store is poisoned; [`StoreError::Poisoned`].
    pub fn sync(&mut self) -> Result<Position, StoreError> {
        self.log.sync()
    }

    /// Applies the writes of all events after the last applied one up to `at`, all or nothing. They are visible to readers
    /// when this returns; they need no sync, as the log can repeat them.
    ///
    /// # Errors
    /// [`StoreError::OutOfOrder`] if `at` is not synced yet or already applied, and [`StoreError::TooLong`] for a key or
    /// value, with nothing written; [`StoreError::Index`], after which the store is poisoned; [`StoreError::Poisoned`].
    pub fn apply(&mut self, writes: &Writes, at: Position) -> Result<(), StoreError> {
        self.log.check_sound()?;
        let (applied, synced) = (self.index.applied().seq, self.log.head().seq);
        if at.seq <= applied || at.seq > synced {
            return Err(StoreError::OutOfOrder { got: at.seq, applied, synced });
        }
        self.index.apply(writes, at).inspect_err(|error| {
            if !matches!(error, StoreError::TooLong { .. }) {
                self.log.poison(&error.to_string());
            }
        })
    }

    /// The index, for reading.
    #[must_use]
    pub fn kv(&self) -> &IndexReader {
        self.index.reader()
    }

    /// The index, for reading from other threads. All readers must be gone before the folder can be opened again.
    #[must_use]
    pub fn reader(&self) -> IndexReader {
        self.index.reader().clone()
    }

    /// The last synced event.
    #[must_use]
    pub fn head(&self) -> Position {
        self.log.head()
    }

    /// The last event whose writes are in the index.
    #[must_use]
    pub fn applied(&self) -> Position {
        self.index.applied()
    }
}

/// Opens the index if it is sound and the log has the record it stands at; otherwise starts an empty one.
fn open_index(
    folder: &Path,
    schema: u32,
    log: &Log,
) -> Result<(Index, Option<String>), StoreError> {
    let why = match Index::open(folder, schema, Room::NODE)? {
        Opened::Unusable(why) => why,
        Opened::Sound(index) => {
            let applied = index.applied();
            match log.position(applied.seq)? {
                Some(position) if position == applied => return Ok((index, None)),
                Some(_) => format!("the log has another record {}", applied.seq),
                None => format!("it is ahead of the log, at record {}", applied.seq),
            }
        }
    };
    tracing::warn!(index = %folder.display(), why, "building the index again from the log");
    Ok((Index::rebuild(folder, schema)?, Some(why)))
}

fn create_folder(path: &Path) -> Result<(), StoreError> {
    let create = || DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
    create().map_err(StoreError::io("creating", path))?;
    sync_folder_of(path)
}

fn sync_folder(path: &Path) -> Result<(), StoreError> {
    let sync = || File::open(path)?.sync_all();
    sync().map_err(StoreError::io("syncing", path))
}

/// Makes the name of a new, renamed or removed file durable.
fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    match path.parent() {
        Some(folder) if folder.as_os_str().is_empty() => sync_folder(Path::new(".")),
        Some(folder) => sync_folder(folder),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
