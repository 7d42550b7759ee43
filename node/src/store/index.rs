//! The index: the roles' tables in fjall, derived from the log and replaceable by it.
//!
//! Nothing is synced: after a crash the index is behind, and the log brings it up to date. Every batch also stores the
//! *applied mark*: the log position that its tables belong to. All tables share one keyspace, because fjall keeps a journal
//! until every keyspace that wrote to it was flushed, and an idle one never is.
//!
//! fjall's journal may open with batches missing or out of order after a flipped bit, as a batch's number lies outside its
//! checksum. So each mark also names the mark before it, and opening follows them back through everything that came from a
//! journal. Table files carry checksums of their own, and an error while reading one leaves a note that makes the next
//! start check all of them. Whatever doesn't fit, the index is deleted and built again.

use std::{
    io,
    ops::Bound,
    path::{Path, PathBuf},
};

use fjall::{Database, Keyspace, PersistMode, Readable};
use sudare_ledger::kv::{Kv, Pair, StorageError, Writes};

use super::{
    Position, StoreError, create_folder,
    engine::{self, Failure, Room, describe},
    mark::{MARK_KEY, Mark, check_marks},
    sync_folder_of,
};

/// The longest key the index takes, in bytes.
pub const KEY_BYTES_MAX: usize = 65_534;
/// The longest value the index takes, in bytes.
pub const VALUE_BYTES_MAX: usize = 16 << 20;

/// Keys of the tables; the applied mark has a key that starts with another byte.
const TABLE_PREFIX: u8 = 1;

/// The index and its applied mark, owned by the one writer.
#[derive(Debug)]
pub(super) struct Index {
    reader: IndexReader,
    applied: Position,
    schema: u32,
}

/// Reads the index as it is now, from any thread; clones are cheap.
///
/// It sees writes as soon as they are applied, so two reads may see two states: take a [`Snapshot`] where that matters.
#[derive(Clone)]
pub struct IndexReader {
    database: Database,
    tables: Keyspace,
    suspect: PathBuf,
}

/// Reads the index as it was at one moment, from any thread.
///
/// Keep it for the length of a query, not longer: what it sees can't be cleaned up.
#[derive(Clone)]
pub struct Snapshot {
    view: fjall::Snapshot,
    reader: IndexReader,
}

/// What an existing index turned out to be.
pub(super) enum Opened {
    /// Sound in itself; whether it fits the log is for the caller to check.
    Sound(Index),
    /// To be deleted and built again, because of this.
    Unusable(String),
}

impl Index {
    /// Opens the index in `folder`, or makes an empty one, and checks that its journal lost nothing.
    pub(super) fn open(folder: &Path, schema: u32, room: Room) -> Result<Opened, StoreError> {
        create_folder(folder)?;
        let unusable = match Self::open_checked(folder, schema, room) {
            Ok(index) => return Ok(Opened::Sound(index)),
            Err(Failure::Broken(what)) => what,
            Err(Failure::Surroundings(what)) => {
                return Err(StoreError::Index { path: folder.to_path_buf(), what });
            }
        };
        Ok(Opened::Unusable(unusable))
    }

    /// Deletes the index in `folder` and makes an empty one.
    pub(super) fn rebuild(folder: &Path, schema: u32) -> Result<Self, StoreError> {
        let removed = std::fs::remove_dir_all(folder);
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("removing", folder)(error));
            }
            Ok(()) | Err(_) => sync_folder_of(folder)?,
        }
        remove_note(&suspect_path(folder))?;
        match Self::open(folder, schema, Room::NODE)? {
            Opened::Sound(index) => Ok(index),
            Opened::Unusable(what) => Err(StoreError::Index {
                path: folder.to_path_buf(),
                what: format!("new index: {what}"),
            }),
        }
    }

    /// Where the index stands in the log.
    pub(super) fn applied(&self) -> Position {
        self.applied
    }

    pub(super) fn reader(&self) -> &IndexReader {
        &self.reader
    }

    /// Applies `writes` and moves the mark to `at`, all or nothing.
    pub(super) fn apply(&mut self, writes: &Writes, at: Position) -> Result<(), StoreError> {
        check_lengths(writes)?;
        let IndexReader { database, tables, .. } = &self.reader;
        let mut batch = database.batch();
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(tables, table_key(key), value.as_slice()),
                None => batch.remove(tables, table_key(key)),
            }
        }
        let mark = Mark { schema: self.schema, position: at, before: self.applied.seq };
        batch.insert(tables, MARK_KEY, mark.encode());
        let written = engine::wait_for_room(database, tables).and_then(|()| batch.commit());
        written.map_err(|error| {
            self.reader.suspect();
            let path = self.reader.suspect.with_extension("");
            StoreError::Index { path, what: describe(&error) }
        })?;
        self.applied = at;
        Ok(())
    }

    /// Makes all that was applied durable.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        let synced = self.reader.database.persist(PersistMode::SyncAll);
        synced.map_err(|error| {
            let path = self.reader.suspect.with_extension("");
            StoreError::Index { path, what: describe(&error) }
        })
    }

    fn open_checked(folder: &Path, schema: u32, room: Room) -> Result<Self, Failure> {
        // Without workers nothing is flushed or compacted while the marks are followed.
        let applied = {
            let (_database, tables) = engine::open(folder, 0, room)?;
            check_marks(&tables, schema)?
        };
        let (database, tables) = engine::open(folder, engine::WORKER_THREADS, room)?;
        let suspect = suspect_path(folder);
        let reader = IndexReader { database, tables, suspect };
        if reader.suspect.exists() {
            reader.check_all().map_err(|error| Failure::Broken(error.to_string()))?;
            remove_note(&reader.suspect)
                .map_err(|error| Failure::Surroundings(error.to_string()))?;
        }
        Ok(Self { reader, applied, schema })
    }
}

impl IndexReader {
    /// A consistent view of the index as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { view: self.database.snapshot(), reader: self.clone() }
    }

    /// Reads every entry, and so checks the checksum of every block. Returns the number of entries.
    ///
    /// # Errors
    /// If any block can't be read. The next start then builds the index again.
    pub fn check_all(&self) -> Result<u64, StorageError> {
        let mut entries = 0_u64;
        for entry in self.tables.iter() {
            entry.into_inner().map_err(|error| self.failed(&error))?;
            entries = entries.saturating_add(1);
        }
        Ok(entries)
    }

    fn failed(&self, error: &fjall::Error) -> StorageError {
        self.suspect();
        StorageError::Engine(format!("the index can't be read: {}", describe(error)))
    }

    /// Leaves a note that makes the next start check the whole index.
    fn suspect(&self) {
        if let Err(error) = std::fs::write(&self.suspect, []) {
            tracing::warn!(%error, note = %self.suspect.display(), "can't note that the index is suspect");
        }
    }
}

impl Kv for IndexReader {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let value = self.tables.get(table_key(key)).map_err(|error| self.failed(&error))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, StorageError> {
        collect(self.tables.range(bounds(prefix, after)), limit)
            .map_err(|error| self.failed(&error))
    }
}

impl Kv for Snapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        let value = self.view.get(&self.reader.tables, table_key(key));
        let value = value.map_err(|error| self.reader.failed(&error))?;
        Ok(value.map(|value| value.to_vec()))
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, StorageError> {
        collect(self.view.range(&self.reader.tables, bounds(prefix, after)), limit)
            .map_err(|error| self.reader.failed(&error))
    }
}

impl std::fmt::Debug for IndexReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexReader").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

fn check_lengths(writes: &Writes) -> Result<(), StoreError> {
    for (key, value) in writes {
        if key.len() > KEY_BYTES_MAX {
            return Err(StoreError::TooLong { what: "key", bytes: key.len(), max: KEY_BYTES_MAX });
        }
        let bytes = value.as_ref().map_or(0, Vec::len);
        if bytes > VALUE_BYTES_MAX {
            return Err(StoreError::TooLong { what: "value", bytes, max: VALUE_BYTES_MAX });
        }
    }
    Ok(())
}

fn table_key(key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(key.len().saturating_add(1));
    full.push(TABLE_PREFIX);
    full.extend_from_slice(key);
    full
}

/// From after `after`, if it lies beyond the start of the prefix, to the end of the prefix.
fn bounds(prefix: &[u8], after: Option<&[u8]>) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    let start = match after {
        Some(after) if after >= prefix => Bound::Excluded(table_key(after)),
        _ => Bound::Included(table_key(prefix)),
    };
    let mut end = table_key(prefix);
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            break;
        }
    }
    if matches!(&start, Bound::Excluded(start) if *start >= end) {
        // Nothing is left; a range whose start lies beyond its end would be a mistake.
        return (Bound::Included(end.clone()), Bound::Excluded(end));
    }
    (start, Bound::Excluded(end))
}

fn collect(range: fjall::Iter, limit: usize) -> fjall::Result<Vec<Pair>> {
    let mut entries = Vec::new();
    for entry in range.take(limit) {
        let (key, value) = entry.into_inner()?;
        entries.push((key.get(1..).unwrap_or_default().to_vec(), value.to_vec()));
    }
    Ok(entries)
}

fn suspect_path(folder: &Path) -> PathBuf {
    folder.with_extension("suspect")
}

fn remove_note(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(StoreError::io("removing", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
