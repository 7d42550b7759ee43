//! The applied mark, and how it shows that fjall's journal lost nothing.

use fjall::{AbstractTree, Keyspace};

use super::{
    Position, Seq,
    engine::{Failure, sort_failure},
};

/// The mark's key; no table's key starts with this byte.
pub(super) const MARK_KEY: &[u8] = &[0];
const MARK_VERSION: u32 = 1;
const MARK_BYTES: usize = 56;
/// No index lives to see as many batches; a number beyond comes from a flipped bit, and would end in a panic of fjall.
const BATCH_NUMBER_MAX: u64 = 1 << 60;

/// The applied mark: where the tables stand, and where the batch before this one left them.
pub(super) struct Mark {
    pub(super) schema: u32,
    pub(super) position: Position,
    pub(super) before: Seq,
}

impl Mark {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut mark = Vec::with_capacity(MARK_BYTES);
        mark.extend_from_slice(&MARK_VERSION.to_le_bytes());
        mark.extend_from_slice(&self.schema.to_le_bytes());
        mark.extend_from_slice(&self.position.seq.0.to_le_bytes());
        mark.extend_from_slice(&self.position.hash);
        mark.extend_from_slice(&self.before.0.to_le_bytes());
        mark
    }

    fn decode(mark: &[u8]) -> Option<Self> {
        let (version, rest) = mark.split_first_chunk::<4>()?;
        let (schema, rest) = rest.split_first_chunk::<4>()?;
        let (seq, rest) = rest.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let before = Seq(u64::from_le_bytes(rest.try_into().ok()?));
        let position = Position { seq: Seq(u64::from_le_bytes(*seq)), hash: *hash };
        let mark = Self { schema: u32::from_le_bytes(*schema), position, before };
        (u32::from_le_bytes(*version) == MARK_VERSION).then_some(mark)
    }
}

/// Follows the marks from the newest to the first that lies in a table file, and returns the newest.
pub(super) fn check_marks(tables: &Keyspace, schema: u32) -> Result<Position, Failure> {
    let broken = |what: &str| Failure::Broken(what.to_owned());
    // What is in table files has checksums, and was whole when it was written there.
    let in_files = tables.tree.get_highest_persisted_seqno();
    let mut newest = None;
    let mut expected = None;
    let mut below = fjall::SeqNo::MAX;
    loop {
        let entry = tables.tree.get_internal_entry(MARK_KEY, below);
        let Some(entry) = entry.map_err(|error| sort_failure(&error.into()))? else {
            // The first batch ever follows position 0; an index with entries but no mark is none of ours.
            let complete = expected.unwrap_or(Seq(0)) == Seq(0) && in_files.is_none();
            let complete = complete
                && (newest.is_some() || tables.tree.is_empty(below, None).unwrap_or(false));
            return if complete {
                Ok(newest.unwrap_or(Position::START))
            } else {
                Err(broken("batches are missing"))
            };
        };
        let mark =
            Mark::decode(&entry.value).ok_or_else(|| broken("the applied mark is unreadable"))?;
        if mark.schema != schema {
            return Err(broken("it was written for other tables"));
        }
        if expected.is_some_and(|expected| expected != mark.position.seq) {
            return Err(broken("batches are missing or out of order"));
        }
        if entry.key.seqno > BATCH_NUMBER_MAX {
            return Err(broken("a batch has an impossible number"));
        }
        let newest = *newest.get_or_insert(mark.position);
        if in_files.is_some_and(|in_files| entry.key.seqno <= in_files) {
            return Ok(newest);
        }
        expected = Some(mark.before);
        below = entry.key.seqno;
    }
}
