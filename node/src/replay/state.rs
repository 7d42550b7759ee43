//! Where a replay is kept: in memory or in a folder.

use std::path::Path;

use sudare_ledger::audit::ReplayState;
use sudare_ledger::kv::{Kv, MemoryKv, Pair, StorageError, Writes};

use crate::cli::Failure;
use crate::store::Tables;

/// The tables of `sudare_ledger::audit`, version 2.
const SCHEMA: u32 = 0x5250_0002;

pub(super) enum State {
    Memory(MemoryKv),
    Folder(Box<Tables>),
}

impl State {
    pub(super) fn open(folder: Option<&Path>) -> Result<Self, Failure> {
        let Some(folder) = folder else { return Ok(Self::Memory(MemoryKv::default())) };
        let tables = Tables::open(folder, SCHEMA);
        Ok(Self::Folder(Box::new(tables.map_err(|error| Failure::CheckFailed(error.to_string()))?)))
    }

    fn kv(&self) -> &dyn Kv {
        match self {
            Self::Memory(kv) => kv,
            Self::Folder(tables) => tables.as_ref(),
        }
    }
}

impl Kv for State {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.kv().get(key)
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, StorageError> {
        self.kv().scan(prefix, after, limit)
    }
}

impl ReplayState for State {
    fn apply(&mut self, writes: Writes) -> Result<(), StorageError> {
        match self {
            Self::Memory(kv) => ReplayState::apply(kv, writes),
            Self::Folder(tables) => tables.apply(writes),
        }
    }
}
