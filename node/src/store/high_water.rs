//! The high-water mark: the last acknowledged record, kept apart from the log.
//!
//! A hash chain finds a changed record, but not a missing end. The mark does: at or before it, nothing may be missing or
//! changed; what is unreadable after it is taken for a write that a crash cut off.
//!
//! `Log::sync` writes the mark before it returns, so it is exact however the process ends. Its own sync runs beside the next
//! batch's, off the critical path (a second sync in sequence would double the time of a small batch), and is waited for
//! before the mark moves again. So after a power cut the mark on disk may miss one batch, the last. The chain still finds
//! damage in that batch, but it would be cut off like a torn write: it takes a power cut and rot in the very last batch at
//! once to lose what was acknowledged.
//!
//! Two slots a page apart are written in turn, so that a torn write leaves the other one.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use super::{FILE_MODE, Position, Seq, StoreError, sync_folder_of};

const MAGIC: &[u8; 8] = b"SUDAREHW";
const SLOT_BYTES: usize = 52;
const SLOT_OFFSETS: [u64; 2] = [0, 4096];

/// The open mark.
#[derive(Debug)]
pub(super) struct HighWater {
    file: Arc<File>,
    syncer: Option<Syncer>,
    path: PathBuf,
    current: Position,
    next_offset: u64,
    slot_lost: bool,
}

impl HighWater {
    /// Opens the mark; `None` if there is none.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, StoreError> {
        let file = match OpenOptions::new().read(true).write(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("opening", path)(error)),
        };
        // After a failed write-back the page cache may show what the disk doesn't have.
        file.sync_data().map_err(StoreError::io("syncing", path))?;
        forget_cached(&file);
        let [first, second] = SLOT_OFFSETS;
        let slots = (read_slot(&file, path, first)?, read_slot(&file, path, second)?);
        let (current, next_offset) = match slots {
            (None, None) => {
                return Err(StoreError::HighWater { path: path.to_path_buf(), what: "is damaged" });
            }
            (Some(mark), None) => (mark, second),
            (None, Some(mark)) => (mark, first),
            (Some(one), Some(other)) if one.seq >= other.seq => (one, second),
            (Some(_), Some(other)) => (other, first),
        };
        let slot_lost = slots.0.is_none() || slots.1.is_none();
        Ok(Some(Self::new(file, path, current, next_offset, slot_lost)))
    }

    /// Makes a mark at the start of an empty log. A half-made one is never seen under its name.
    pub(super) fn create(path: &Path) -> Result<Self, StoreError> {
        let unfinished = path.with_extension("new");
        let write = || {
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(true)
                .read(true)
                .write(true)
                .mode(FILE_MODE)
                .open(&unfinished)?;
            let [first, second] = SLOT_OFFSETS;
            file.write_all_at(&encode(Position::START), first)?;
            file.write_all_at(&encode(Position::START), second)?;
            file.flush()?;
            file.sync_all()?;
            std::fs::rename(&unfinished, path)?;
            Ok(file)
        };
        let file = write().map_err(StoreError::io("creating", path))?;
        sync_folder_of(path)?;
        let [next_offset, _] = SLOT_OFFSETS;
        Ok(Self::new(file, path, Position::START, next_offset, false))
    }

    pub(super) fn current(&self) -> Position {
        self.current
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether one of the slots was unreadable, so that the mark may be one batch old.
    pub(super) fn slot_lost(&self) -> bool {
        self.slot_lost
    }

    /// Moves the mark: when this returns, the mark before is durable, and this one outlives the process.
    pub(super) fn raise(&mut self, to: Position) -> io::Result<()> {
        self.settle()?;
        self.file.write_all_at(&encode(to), self.next_offset)?;
        let [first, second] = SLOT_OFFSETS;
        self.next_offset = if self.next_offset == first { second } else { first };
        self.current = to;
        let syncer = match self.syncer.take() {
            Some(syncer) => syncer,
            None => Syncer::start(Arc::clone(&self.file))?,
        };
        self.syncer.insert(syncer).ask()
    }

    /// Waits until the mark is durable.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        self.syncer.as_mut().map_or(Ok(()), Syncer::wait)
    }

    fn new(file: File, path: &Path, current: Position, next_offset: u64, slot_lost: bool) -> Self {
        let (file, path) = (Arc::new(file), path.to_path_buf());
        Self { file, syncer: None, path, current, next_offset, slot_lost }
    }

    #[cfg(test)]
    pub(super) fn break_for_test(&mut self, device: &str) {
        self.syncer = None;
        self.file = Arc::new(OpenOptions::new().write(true).open(device).unwrap());
    }
}

/// A thread that syncs a file when asked.
#[derive(Debug)]
struct Syncer {
    /// Gone while dropping, which ends the thread.
    asks: Option<SyncSender<()>>,
    answers: Receiver<io::Result<()>>,
    thread: Option<JoinHandle<()>>,
    busy: bool,
}

impl Syncer {
    fn start(file: Arc<File>) -> io::Result<Self> {
        let (asks, asked) = sync_channel::<()>(1);
        let (answer, answers) = sync_channel(1);
        let sync = move || {
            while asked.recv().is_ok() && answer.send(file.sync_data()).is_ok() {}
        };
        let thread = std::thread::Builder::new().name("high-water".to_owned()).spawn(sync)?;
        Ok(Self { asks: Some(asks), answers, thread: Some(thread), busy: false })
    }

    fn ask(&mut self) -> io::Result<()> {
        let asked = self.asks.as_ref().is_some_and(|asks| asks.send(()).is_ok());
        self.busy = asked;
        if asked { Ok(()) } else { Err(Self::died()) }
    }

    fn wait(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.busy) {
            return self.answers.recv().unwrap_or_else(|_| Err(Self::died()));
        }
        Ok(())
    }

    fn died() -> io::Error {
        io::Error::other("the thread that syncs it has died")
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        // Nobody is left to tell of a failure; the log itself is synced.
        let _ = self.wait();
        self.asks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Drops a file's clean pages from the page cache, so that the next read shows what the disk has. Best effort: not every
/// file system listens.
pub(super) fn forget_cached(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

fn encode(mark: Position) -> Vec<u8> {
    let mut slot = Vec::with_capacity(SLOT_BYTES);
    slot.extend_from_slice(MAGIC);
    slot.extend_from_slice(&mark.seq.0.to_le_bytes());
    slot.extend_from_slice(&mark.hash);
    slot.extend_from_slice(&crc32fast::hash(&slot).to_le_bytes());
    slot
}

fn read_slot(file: &File, path: &Path, offset: u64) -> Result<Option<Position>, StoreError> {
    let mut slot = [0; SLOT_BYTES];
    match file.read_exact_at(&mut slot, offset) {
        Ok(()) => Ok(decode(&slot)),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
        Err(error) => Err(StoreError::io("reading", path)(error)),
    }
}

fn decode(slot: &[u8]) -> Option<Position> {
    let (seq, rest) = slot.get(MAGIC.len()..)?.split_first_chunk::<8>()?;
    let mark = Position { seq: Seq(u64::from_le_bytes(*seq)), hash: *rest.first_chunk::<32>()? };
    (encode(mark) == slot).then_some(mark)
}
