//! Tables of a long computation, in a folder of their own. There is no log to build them again from, so each batch of writes is on
//! disk before it counts.

use std::path::{Path, PathBuf};

use sudare_ledger::audit::ReplayState;
use sudare_ledger::kv::{Kv, Pair, StorageError, Writes};

use super::{
    Position, StoreError, create_folder,
    engine::Room,
    index::{Index, Opened},
    lock::FolderLock,
    sync_folder_of,
};

const TABLES: &str = "tables";
/// Tables that are being made: a process that ends meanwhile leaves files with which the engine can't go on.
const BEGUN: &str = "begun";

/// A folder with tables, held by one process.
#[derive(Debug)]
pub struct Tables {
    index: Index,
    folder: PathBuf,
    // Dropped last: nobody else may come in before the files are closed.
    _lock: FolderLock,
}

impl Tables {
    /// Opens the tables in `folder`, or makes empty ones; `schema` says of which computation and version they are.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`] if another process works here; [`StoreError::NotEmpty`] if the folder is something else's;
    /// [`StoreError::Tables`] if they are damaged or of another schema; `Io` if the operating system refuses.
    pub fn open(folder: &Path, schema: u32) -> Result<Self, StoreError> {
        let tables = folder.join(TABLES);
        create_folder(folder)?;
        if !tables.exists() && !is_free(folder)? {
            return Err(StoreError::NotEmpty { folder: folder.to_owned() });
        }
        let lock = FolderLock::acquire(folder)?;
        if !tables.exists() {
            make(&folder.join(BEGUN), &tables, schema)?;
        }
        match Index::open(&tables, schema, Room::COMPUTATION)? {
            Opened::Sound(index) => Ok(Self { index, folder: folder.to_owned(), _lock: lock }),
            Opened::Unusable(what) => Err(StoreError::Tables { folder: folder.to_owned(), what }),
        }
    }

    /// Where they are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn write(&mut self, writes: &Writes) -> Result<(), StoreError> {
        let seq = self.index.applied().seq.next();
        self.index.apply(writes, Position { seq, ..Position::START })?;
        self.index.sync()
    }
}

/// Makes empty tables, all or nothing.
fn make(begun: &Path, tables: &Path, schema: u32) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(begun) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(StoreError::io("removing", begun)(error));
        }
        Ok(()) | Err(_) => (),
    }
    drop(Index::open(begun, schema, Room::COMPUTATION)?);
    std::fs::rename(begun, tables).map_err(StoreError::io("renaming", begun))?;
    sync_folder_of(tables)
}

/// Whether nothing is in the folder but what a process left that came no further.
fn is_free(folder: &Path) -> Result<bool, StoreError> {
    let mut entries = std::fs::read_dir(folder).map_err(StoreError::io("reading", folder))?;
    Ok(entries.all(|entry| {
        entry.is_ok_and(|entry| entry.file_name() == "lock" || entry.file_name() == BEGUN)
    }))
}

impl Kv for Tables {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.index.reader().get(key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, StorageError> {
        self.index.reader().scan(prefix, after, limit)
    }
}

impl ReplayState for Tables {
    fn apply(&mut self, writes: Writes) -> Result<(), StorageError> {
        self.write(&writes).map_err(|error| StorageError::Engine(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: u32 = 7;

    fn writes(key: &[u8], value: &[u8]) -> Writes {
        Writes::from([(key.to_vec(), Some(value.to_vec()))])
    }

    #[test]
    fn what_was_applied_is_there_when_the_folder_is_opened_again() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a").join("b");
        for turn in 0..5_u8 {
            let mut tables = Tables::open(&folder, SCHEMA).unwrap();
            assert_eq!(tables.scan(b"k", None, 99).unwrap().len(), usize::from(turn));
            tables.apply(writes(&[b'k', turn], &[turn])).unwrap();
            assert_eq!(tables.get(&[b'k', turn]).unwrap(), Some(vec![turn]));
            let locked = Tables::open(&folder, SCHEMA).unwrap_err();
            assert!(matches!(locked, StoreError::Locked { .. }), "{locked}");
        }
    }

    #[test]
    fn a_process_that_ended_while_it_made_the_tables_is_in_nobodys_way() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("lock"), []).unwrap();
        let half_made = place.path().join(BEGUN).join("keyspaces");
        std::fs::create_dir_all(&half_made).unwrap();
        std::fs::write(half_made.join("0"), b"cut sho").unwrap();
        Tables::open(place.path(), SCHEMA).unwrap().apply(writes(b"k", b"v")).unwrap();
        assert!(!place.path().join(BEGUN).exists());
        let tables = Tables::open(place.path(), SCHEMA).unwrap();
        assert_eq!(tables.get(b"k").unwrap(), Some(b"v".to_vec()));
    }

    #[test]
    fn a_folder_of_something_else_is_left_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("letter"), b"dear").unwrap();
        let refused = Tables::open(place.path(), SCHEMA).unwrap_err();
        assert!(matches!(refused, StoreError::NotEmpty { .. }), "{refused}");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn tables_of_another_schema_or_damaged_ones_are_refused_and_kept() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("t");
        Tables::open(&folder, SCHEMA).unwrap().apply(writes(b"k", b"v")).unwrap();
        let other = Tables::open(&folder, SCHEMA + 1).unwrap_err();
        assert!(other.to_string().contains("other tables"), "{other}");
        let tables = Tables::open(&folder, SCHEMA).unwrap();
        assert_eq!(tables.get(b"k").unwrap(), Some(b"v".to_vec()));
    }
}
