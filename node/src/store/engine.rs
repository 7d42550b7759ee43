//! fjall as this store sets it up, and what its errors mean.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
    time::Duration,
};

use fjall::{
    AbstractTree, Database, DatabaseBuilder, Keyspace, KeyspaceCreateOptions, LsmError,
    PersistMode,
    compaction::Leveled,
    config::{
        BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry,
        PartitioningPolicy, PinningPolicy,
    },
};

const KEYSPACE: &str = "tables";

/// How much memory a database may take, besides 1.5 bytes a key for the filters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// At most four memtables are in memory.
    memtable_bytes: u64,
    /// A compaction has the file it writes in memory: the index of a file is written last, and its keys are slices of blocks.
    file_bytes: u64,
    cache_bytes: u64,
}

impl Room {
    /// A node has to fit into 100 MB.
    pub(super) const NODE: Self =
        Self { memtable_bytes: 4 << 20, file_bytes: 8 << 20, cache_bytes: 8 << 20 };
    /// A long computation reads little of what it wrote, and is to take as much after a million steps as after a few.
    pub(super) const COMPUTATION: Self =
        Self { memtable_bytes: 512 << 10, file_bytes: 1 << 20, cache_bytes: 1 << 20 };
}

const JOURNALS_BYTES: u64 = 128 << 20;
const BLOOM_BITS_PER_KEY: f32 = 12.0;
const OPEN_FILES_MAX: usize = 256;
pub(super) const WORKER_THREADS: usize = 2;

/// fjall makes a commit wait at 4 sealed memtables and at 30 unsorted runs.
const SEALED_MEMTABLES_MAX: usize = 3;
const UNSORTED_RUNS_MAX: usize = 28;

/// How long to wait for whoever still holds the index open: other nodes are kept out by the store's own lock, so it is a reader of
/// this process, or a thread of fjall's that outlives its database for a moment.
const CLOSED_WITHIN: Duration = Duration::from_secs(2);
const ASK_AGAIN: Duration = Duration::from_millis(5);

/// An index failure, by what to do about it.
pub(super) enum Failure {
    /// Memory, space, rights or another user of the files: nothing is wrong with the index.
    Surroundings(String),
    /// The index is not what was written.
    Broken(String),
}

/// Opens the database with `workers` background threads; without any, nothing is flushed or compacted.
pub(super) fn open(
    folder: &Path,
    workers: usize,
    room: Room,
) -> Result<(Database, Keyspace), Failure> {
    let open = || {
        let builder: DatabaseBuilder<Database> = Database::builder(folder);
        let database = builder
            .cache_size(room.cache_bytes)
            .max_cached_files(Some(OPEN_FILES_MAX))
            .max_journaling_size(JOURNALS_BYTES)
            .journal_compression(fjall::CompressionType::None)
            .worker_threads_unchecked(workers)
            .open()?;
        let tables = database.keyspace(KEYSPACE, || keyspace_options(room))?;
        Ok((database, tables))
    };
    let mut waited = Duration::ZERO;
    let open = || loop {
        match open() {
            Err(fjall::Error::Locked) if waited < CLOSED_WITHIN => {
                std::thread::sleep(ASK_AGAIN);
                waited = waited.saturating_add(ASK_AGAIN);
            }
            opened => return opened,
        }
    };
    // Some damage makes fjall panic instead of returning an error.
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(error)) => Err(sort_failure(&error)),
        Err(_) => Err(Failure::Broken("opening it panicked".to_owned())),
    }
}

/// Waits until fjall's background threads have caught up, or fails if they have died.
///
/// A commit would wait too, but it would not notice that nobody is left to wait for.
pub(super) fn wait_for_room(database: &Database, tables: &Keyspace) -> fjall::Result<()> {
    while tables.tree.sealed_memtable_count() >= SEALED_MEMTABLES_MAX
        || tables.tree.l0_run_count() >= UNSORTED_RUNS_MAX
    {
        database.persist(PersistMode::Buffer)?;
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

/// Keys and values are hashes, commitments and signatures: compression would cost time and save nothing. The filters are
/// what makes a look-up of an absent tag cheap, at any size.
fn keyspace_options(room: Room) -> KeyspaceCreateOptions {
    let bloom = BloomConstructionPolicy::BitsPerKey(BLOOM_BITS_PER_KEY);
    KeyspaceCreateOptions::default()
        .max_memtable_size(room.memtable_bytes)
        .compaction_strategy(Arc::new(Leveled::default().with_table_target_size(room.file_bytes)))
        .data_block_compression_policy(CompressionPolicy::disabled())
        .index_block_compression_policy(CompressionPolicy::disabled())
        .filter_policy(FilterPolicy::all(FilterPolicyEntry::Bloom(bloom)))
        .filter_block_pinning_policy(PinningPolicy::all(true))
        .filter_block_partitioning_policy(PartitioningPolicy::all(false))
        .expect_point_read_hits(false)
}

/// Whether an error says something about the index or about what is around it.
pub(super) fn sort_failure(error: &fjall::Error) -> Failure {
    let what = describe(error);
    let io = match error {
        fjall::Error::Io(io) | fjall::Error::Storage(LsmError::Io(io)) => io.kind(),
        fjall::Error::Locked => {
            return Failure::Surroundings("a reader from before still has it open".to_owned());
        }
        _ => return Failure::Broken(what),
    };
    match io {
        io::ErrorKind::NotFound
        | io::ErrorKind::AlreadyExists
        | io::ErrorKind::UnexpectedEof
        | io::ErrorKind::InvalidData
        | io::ErrorKind::InvalidInput
        | io::ErrorKind::Other => Failure::Broken(what),
        _ => Failure::Surroundings(what),
    }
}

/// An error in words, where fjall has only a dump of its fields.
pub(super) fn describe(error: &fjall::Error) -> String {
    match error {
        fjall::Error::Io(io) | fjall::Error::Storage(LsmError::Io(io)) => io.to_string(),
        fjall::Error::Poisoned => "an earlier background write failed".to_owned(),
        error => format!("{error:?}"),
    }
}
