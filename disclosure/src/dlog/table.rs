//! A table of the base's marks, made once, that shortens every search after it (Bernstein and Lange 2012).
//!
//! Walks from many known places end at marks; where many of them end, many a walk from an unknown place will end as well. The
//! table keeps these marks with their logarithms. A search then walks from the target until it comes to one of them.
//!
//! The paper walks once at a time and marks one place in `W`, with `W` about `(l/T)^(1/2)` for `T` entries and `l` values: with
//! `T = l^(1/3)` it takes `1.21*l^(2/3)` steps to make and `1.93*l^(1/3)` to search. Here [`LANES`] walks run beside each
//! other, as they share an inversion. All but one of them are in vain, so walks are shorter by `2 / LANES^(1/2)`: then a search takes
//! about `12*(l/T)^(1/2)` steps (measured: up to 16), each of a fraction of the time, and the table `0.4*(l*T)^(1/2)` steps (simulated with `l = 2^32`; the sizes of
//! steps and the spread of starts, which hardly matter, as well).

use std::sync::Arc;

use borsh::{BorshDeserialize, BorshSerialize};
use thiserror::Error;

use super::curve::{self, Lane, Steps, times};
use super::frame::{Frame, FrameError};
use super::herd::{Use, draw};

/// Longer input is refused unread: the most entries, and some room.
pub const TABLE_BYTES_MAX: usize = (16 << TABLE_ENTRIES_LOG_MAX) + 200;

/// A table's values have 24 to 62 bits: below, a search needs none; above, logarithms would not fit into its entries.
pub const TABLE_BITS: core::ops::RangeInclusive<u8> = 24..=62;

/// At most `2^20` entries, 16 MiB.
pub const TABLE_ENTRIES_LOG_MAX: u8 = 20;

/// Walks of one search that go beside each other, over all workers.
pub(super) const LANES: u64 = 64;

/// Of so many walks for each entry of the table, the marks are kept that most of them came to. Half as many again, as more gain little.
const WALKS_PER_ENTRY_HALVES: u64 = 3;

/// A search gives up after this many times the expected steps. In thousands of simulated searches the longest took 10 times.
const PATIENCE: u64 = 40;

/// Entries that are computed again when a table is read.
const SAMPLE: usize = 64;

/// Expands into steps and starts, the same for everybody.
const SEED: [u8; 32] = *b"sudare dlog table, for everybody";

const FRAME: Frame =
    Frame { domain: b"sudare dlog table\n", version: 1, bytes_max: TABLE_BYTES_MAX };

/// Why a table can't be made or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TableError {
    /// Of a size that is not built.
    #[error(
        "a table is for {} to {} bits, with 2^4 to 2^{TABLE_ENTRIES_LOG_MAX} entries, and 2^14 values for each",
        TABLE_BITS.start(), TABLE_BITS.end()
    )]
    Size,
    /// More than [`TABLE_BYTES_MAX`].
    #[error("{0} bytes are longer than any table: not a table; make one with `sudare audit table`")]
    TooLong(usize),
    /// Cut off, changed since it was written, or something else.
    #[error(
        "no table, or damaged: its hash does not match; use another copy or make it again with `sudare audit table`"
    )]
    Damaged,
    /// Written by another version of this program.
    #[error("the table has version {found}, this program reads version {}; make it again with `sudare audit table`", FRAME.version)]
    Version {
        /// The version that the bytes name.
        found: u8,
    },
    /// The hash matches but the content is not a table's.
    #[error("the table is malformed at its {0}: make it again with `sudare audit table`")]
    Malformed(&'static str),
    /// The bound is beyond the table.
    #[error(
        "the table is for values below 2^{bits}, the bound is {bound}: search without it, or make a larger one with `sudare audit table`"
    )]
    Narrow {
        /// The table's.
        bits: u8,
        /// The search's.
        bound: u64,
    },
}

impl From<FrameError> for TableError {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::TooLong(length) => Self::TooLong(length),
            FrameError::Damaged => Self::Damaged,
            FrameError::Version(found) => Self::Version { found },
            FrameError::Structure => Self::Malformed("structure"),
        }
    }
}

/// Sizes of a table: the values it is for have so many bits, it has `2^entries_log` entries at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct TableSize {
    bits: u8,
    entries_log: u8,
}

impl TableSize {
    /// For values below `2^bits`; `2^(bits/3)` entries if nothing else is said.
    ///
    /// # Errors
    /// [`TableError::Size`].
    pub fn new(bits: u8, entries_log: Option<u8>) -> Result<Self, TableError> {
        let entries_log =
            entries_log.unwrap_or_else(|| bits.div_ceil(3).min(TABLE_ENTRIES_LOG_MAX));
        let fits = (4..=TABLE_ENTRIES_LOG_MAX).contains(&entries_log);
        let room = bits.checked_sub(entries_log).is_some_and(|room| room >= 14);
        if TABLE_BITS.contains(&bits) && fits && room {
            Ok(Self { bits, entries_log })
        } else {
            Err(TableError::Size)
        }
    }

    /// Of sizes that were read.
    pub(super) fn check(self) -> Result<(), TableError> {
        let known = Self::new(self.bits, Some(self.entries_log));
        known.map(drop).map_err(|_| TableError::Malformed("sizes"))
    }

    /// Bits of the values.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }

    /// The most entries.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        1 << self.entries_log
    }

    /// Steps to make the table, on average.
    #[must_use]
    pub fn steps_to_build(&self) -> u64 {
        self.walks().saturating_mul(self.walk())
    }

    /// Steps of a search with the table, on average.
    #[must_use]
    pub fn steps_expected(&self) -> u64 {
        (1_u64 << (self.bits - self.entries_log)).isqrt().saturating_mul(12)
    }

    pub(super) fn steps_max(&self) -> u64 {
        self.steps_expected().saturating_mul(PATIENCE)
    }

    /// Walks to make the table.
    pub(super) fn walks(&self) -> u64 {
        self.entries().saturating_mul(WALKS_PER_ENTRY_HALVES).div_ceil(2)
    }

    /// Steps of a walk, on average.
    fn walk(&self) -> u64 {
        1 << self.mark_bits()
    }

    /// Zero bits of a mark: `W = 2 * (l / (T * LANES))^(1/2)`, rounded to a power of two.
    pub(super) fn mark_bits(&self) -> u32 {
        let room = u32::from(self.bits - self.entries_log);
        (room + 2 - LANES.ilog2()).div_ceil(2)
    }

    /// Whether a place is marked.
    pub(super) fn is_mark(&self, mark: u64) -> bool {
        mark & (self.walk() - 1) == 0
    }

    /// Steps of `l / (8 W)` on average, in units of `v`, so a walk crosses an eighth of the values.
    pub(super) fn steps(&self) -> Option<Steps> {
        let range = (1_u64 << self.bits) / self.walk() / 4;
        let sizes = core::array::from_fn(|i| {
            let index = u64::try_from(i).unwrap_or_default();
            2 * (1 + draw(&self.seed(), Use::Step, index, range))
        });
        Steps::new(&curve::base(), &sizes)
    }

    /// Where walk number `index` of the table starts: any `w = 2v + 1`.
    pub(super) fn start(&self, index: u64) -> u128 {
        2 * u128::from(draw(&self.seed(), Use::Start, index, 1 << self.bits)) + 1
    }

    /// How far from the target walk number `index` of a search starts, in `w`.
    pub(super) fn offset(&self, seed: &[u8; 32], index: u64) -> u128 {
        2 * u128::from(draw(seed, Use::Hop, index, (1 << self.bits) / 16))
    }

    fn seed(&self) -> [u8; 32] {
        let mut seed = SEED;
        let [bits, entries_log, ..] = &mut seed;
        (*bits, *entries_log) = (self.bits, self.entries_log);
        seed
    }
}

/// A table; cheap to clone.
#[derive(Clone)]
pub struct Table {
    size: TableSize,
    /// A mark's name and `v` of its `w = 2v + 1`, by name.
    entries: Arc<[(u64, u64)]>,
}

#[derive(BorshSerialize, BorshDeserialize)]
struct Content {
    size: TableSize,
    entries: Vec<(u64, u64)>,
}

impl Table {
    /// Of marks by name.
    pub(super) fn of(size: TableSize, entries: Vec<(u64, u64)>) -> Self {
        Self { size, entries: entries.into() }
    }

    /// Its sizes.
    #[must_use]
    pub const fn size(&self) -> TableSize {
        self.size
    }

    /// How many marks it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it is of no use.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The logarithm of a mark.
    pub(super) fn find(&self, name: u64) -> Option<u128> {
        let index = self.entries.binary_search_by_key(&name, |(name, _)| *name).ok()?;
        self.entries.get(index).map(|(_, v)| 2 * u128::from(*v) + 1)
    }

    /// Whether values up to the bound are found.
    ///
    /// # Errors
    /// [`TableError::Narrow`].
    pub fn covers(&self, bound: u64) -> Result<(), TableError> {
        let bits = self.size.bits;
        if bound >> bits == 0 { Ok(()) } else { Err(TableError::Narrow { bits, bound }) }
    }

    /// The table as a file: what it is, version, sizes, entries, SHA-256.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        FRAME.seal(&Content { size: self.size, entries: self.entries.to_vec() })
    }

    /// Reads [`Table::to_bytes`].
    ///
    /// The hash finds damage; a sample of entries is computed again, which finds tables of other walks. Bytes made in malice can
    /// make searches end without a result, never with a wrong one, as each is checked against the target.
    ///
    /// # Errors
    /// [`TableError`]: too long, damaged, of another version, or not a table.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TableError> {
        let Content { size, entries } = FRAME.open(bytes)?;
        let malformed = TableError::Malformed;
        size.check()?;
        let number = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        if number == 0 || number > size.entries() {
            return Err(malformed("number of entries"));
        }
        if !entries.is_sorted_by(|(one, _), (next, _)| one < next) {
            return Err(malformed("order"));
        }
        let sample = entries.iter().step_by(entries.len().div_ceil(SAMPLE));
        for (name, v) in sample {
            let log = 2 * u128::from(*v) + 1;
            let place = Lane::new(&times(&curve::base(), log), log).map(|lane| lane.digest());
            if !place.is_some_and(|place| place.name == *name && size.is_mark(place.mark)) {
                return Err(malformed("marks"));
            }
        }
        Ok(Self::of(size, entries))
    }
}

impl core::fmt::Debug for Table {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Table").field("size", &self.size).finish_non_exhaustive()
    }
}
