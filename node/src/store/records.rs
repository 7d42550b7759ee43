//! Reading the log back, checking every record again.

use std::path::{Path, PathBuf};

use super::{
    Record, Seq, StoreError,
    segment::{ReadError, SegmentReader},
};

/// Synced records in order. After an error there is nothing more.
#[derive(Debug)]
pub struct Records {
    /// Segments still to read, the next one last.
    segments: Vec<PathBuf>,
    reader: Option<(PathBuf, SegmentReader)>,
    first: Seq,
    last: Seq,
}

impl Records {
    /// The records from `first` to `last`; `segments` holds all of them, in order.
    pub(super) fn new(mut segments: Vec<PathBuf>, first: Seq, last: Seq) -> Self {
        segments.reverse();
        Self { segments, reader: None, first, last }
    }

    fn advance(&mut self) -> Result<Option<Record>, StoreError> {
        while self.first <= self.last {
            let Some((path, reader)) = &mut self.reader else {
                let Some(path) = self.segments.pop() else { return Ok(None) };
                let reader = SegmentReader::open_anywhere(&path)
                    .map_err(|error| damaged(error, &path, (0, self.first), self.last))?;
                self.reader = Some((path, reader));
                continue;
            };
            let place = (reader.offset(), reader.position().seq.next());
            match reader.next_record() {
                Ok(None) => self.reader = None,
                Ok(Some(record)) if record.position.seq < self.first => {}
                Ok(Some(record)) => {
                    self.first = record.position.seq.next();
                    return Ok(Some(record));
                }
                Err(error) => return Err(damaged(error, path, place, self.last)),
            }
        }
        Ok(None)
    }
}

impl Iterator for Records {
    type Item = Result<Record, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.advance().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.reader = None;
            self.segments.clear();
        }
        next
    }
}

/// The error for a record that can't be read at `place`, an offset and the record's number.
pub(super) fn damaged(
    error: ReadError,
    path: &Path,
    place: (u64, Seq),
    acknowledged: Seq,
) -> StoreError {
    let (offset, seq) = place;
    match error {
        ReadError::Damage(what) => {
            StoreError::Damaged { segment: path.to_path_buf(), offset, seq, what, acknowledged }
        }
        ReadError::Store(error) => error,
    }
}
