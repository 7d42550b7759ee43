use std::{io, path::PathBuf};

use super::Seq;

/// Why the store can't be opened, or can't go on.
///
/// After any error of a write the store is poisoned and the process has to restart: an operating system may report a
/// failed write once and forget it, so trying again could acknowledge what never reached the disk.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process holds the folder's lock.
    #[error(
        "another sudare process (pid {pid}) is running on {folder}: stop it first, or give this one a folder of its own"
    )]
    Locked {
        /// The store's folder.
        folder: PathBuf,
        /// The number that the other process wrote into the lock file, or `unknown`.
        pid: String,
    },

    /// The operating system refused something before anything was written.
    #[error("{doing} {path} failed: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },

    /// The log holds bytes that nobody wrote, at or before the last acknowledged record.
    #[error(
        "the log is damaged in {segment} at byte {offset}, record {seq}: {what}; records up to {acknowledged} were \
         acknowledged, so nothing was cut or changed: restore this node's folder from a backup and let its peers \
         send what came after, and keep the damaged folder until then"
    )]
    Damaged {
        /// The segment file.
        segment: PathBuf,
        /// Where in the file the record starts, in bytes.
        offset: u64,
        /// The sequence number that the record should have.
        seq: Seq,
        /// What is wrong with it.
        what: &'static str,
        /// The high-water mark.
        acknowledged: Seq,
    },

    /// A segment file is missing or has a wrong name.
    #[error(
        "the log has no segment that starts with record {expected} (the next one is {found}): a file was removed or \
         renamed; put it back, or restore this node's folder from a backup and let its peers send what came after"
    )]
    SegmentMissing {
        /// The first record of the missing segment.
        expected: Seq,
        /// The segment found in its place.
        found: PathBuf,
    },

    /// The log ends before the high-water mark.
    #[error(
        "records were acknowledged that are gone: the log ends with record {found}, but record {acknowledged} was \
         acknowledged; an older copy may have been restored. Restore the newest copy of this node's folder, or let \
         its peers send what is missing; a node that forgot what it promised must not serve"
    )]
    Gone {
        /// The high-water mark.
        acknowledged: Seq,
        /// The last record in the log.
        found: Seq,
    },

    /// The log has another record at the high-water mark than the one that was acknowledged.
    #[error(
        "the log is not the one that was acknowledged: record {seq} has another hash than the high-water mark in \
         {mark}. Log and mark come from different copies: restore both from the same one"
    )]
    Diverged {
        /// The high-water mark's record.
        seq: Seq,
        /// The high-water mark's file.
        mark: PathBuf,
    },

    /// There is a log, but no readable high-water mark.
    #[error(
        "the high-water mark {path} {what}, so nobody can tell whether the log is complete: restore it with the log \
         from the same copy, or compare the log's head with what peers hold"
    )]
    HighWater {
        /// The mark's file.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },

    /// A file has a version that this program doesn't know.
    #[error(
        "{path} has format version {found}; this program knows version {known}: use the program that wrote it"
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in its header.
        found: u32,
        /// The version this program writes.
        known: u32,
    },

    /// A record, batch, key or value is longer than the store takes. Nothing was written.
    #[error("a {what} of {bytes} bytes is too long: the store takes at most {max}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The longest allowed.
        max: usize,
    },

    /// The caller applied events out of order, or before they were synced. Nothing was written.
    #[error(
        "the index was given writes of record {got}, but it stands at {applied} and the log is synced up to {synced}"
    )]
    OutOfOrder {
        /// The record whose writes were given.
        got: Seq,
        /// The last applied record.
        applied: Seq,
        /// The last synced record.
        synced: Seq,
    },

    /// A write or a sync failed. The store is poisoned.
    #[error(
        "{doing} {path} failed: {source}; records up to {acknowledged} are safe, later ones were not acknowledged. \
         Free space or replace the disk, then restart this node"
    )]
    WriteFailed {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
        /// The last record that was acknowledged.
        acknowledged: Seq,
    },

    /// The index can't be written. The log has everything, but the store is poisoned.
    #[error(
        "the index {path} failed: {what}; the log has everything. Free space or replace the disk, then restart this \
         node: it brings its index up to date or builds it again"
    )]
    Index {
        /// The index folder.
        path: PathBuf,
        /// What the index said.
        what: String,
    },

    /// A folder for the tables of a computation has something else in it.
    #[error("{folder} has other files in it: give a folder that is empty, or a name that is free")]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
    },

    /// The tables of a computation can't be used.
    #[error("the tables in {folder} can't be used: {what}; delete the folder and begin again")]
    Tables {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with them.
        what: String,
    },

    /// An earlier write failed.
    #[error("the store stopped after an earlier failure: {first}")]
    Poisoned {
        /// The failure.
        first: String,
    },
}

impl StoreError {
    /// For `map_err`: names what was tried on which path.
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
