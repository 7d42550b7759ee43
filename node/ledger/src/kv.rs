//! The state of a role: an ordered key-value view to read from and an overlay that collects what an event changes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::Bound;

use borsh::{BorshDeserialize, BorshSerialize};
use sudare_crypto::encoding;

/// What an event writes: the new value of each key, none to delete it.
pub type Writes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// A key with its value.
pub type Pair = (Vec<u8>, Vec<u8>);

/// The store failed or holds what cannot be: the node must stop, and be restarted on a store that is whole.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum StorageError {
    /// The engine below reports an error.
    #[error("the store failed: {0}; free space or repair the disk, then restart the node")]
    Engine(String),
    /// A stored value does not decode.
    #[error("the store holds a damaged {0}: stop the node and rebuild its index from the log")]
    Damaged(&'static str),
}

/// Reads of an ordered key-value store.
pub trait Kv {
    /// The value of a key.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// At most `limit` pairs whose keys start with `prefix` and are greater than `after`, in order.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, StorageError>;
}

/// A store in memory, for tests and simulation.
#[derive(Clone, Debug, Default)]
pub struct MemoryKv(BTreeMap<Vec<u8>, Vec<u8>>);

impl MemoryKv {
    /// Applies what an event wrote.
    pub fn apply(&mut self, writes: Writes) {
        for (key, value) in writes {
            match value {
                Some(value) => self.0.insert(key, value),
                None => self.0.remove(&key),
            };
        }
    }

    /// Everything in the store, in order of keys.
    pub fn pairs(&self) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
        self.0.iter()
    }
}

impl Kv for MemoryKv {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.0.get(key).cloned())
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, StorageError> {
        let from = start(prefix, after);
        let pairs = self.0.range::<[u8], _>((from, Bound::Unbounded));
        let pairs = pairs.take_while(|(key, _)| key.starts_with(prefix)).take(limit);
        Ok(pairs.map(|(key, value)| (key.clone(), value.clone())).collect())
    }
}

/// A view with the writes of the events handled so far on top.
pub struct Tx<'a> {
    base: &'a dyn Kv,
    writes: RefCell<Writes>,
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tx({} writes)", self.writes.borrow().len())
    }
}

impl<'a> Tx<'a> {
    /// A transaction over `base`.
    #[must_use]
    pub fn new(base: &'a dyn Kv) -> Self {
        Self { base, writes: RefCell::default() }
    }

    /// Sets a key.
    pub fn put(&self, key: Vec<u8>, value: Vec<u8>) {
        self.writes.borrow_mut().insert(key, Some(value));
    }

    /// Deletes a key.
    pub fn delete(&self, key: Vec<u8>) {
        self.writes.borrow_mut().insert(key, None);
    }

    /// What was written.
    #[must_use]
    pub fn into_writes(self) -> Writes {
        self.writes.into_inner()
    }
}

impl Kv for Tx<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        match self.writes.borrow().get(key) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(key),
        }
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, StorageError> {
        let writes = self.writes.borrow();
        let overlay = writes.range::<[u8], _>((start(prefix, after), Bound::Unbounded));
        let overlay: BTreeMap<_, _> =
            overlay.take_while(|(key, _)| key.starts_with(prefix)).collect();
        // Deleted keys may hide pairs of the base: read as many more.
        let base = self.base.scan(prefix, after, limit.saturating_add(overlay.len()))?;
        let mut merged: BTreeMap<Vec<u8>, Vec<u8>> = base.into_iter().collect();
        for (key, value) in overlay {
            match value {
                Some(value) => merged.insert(key.clone(), value.clone()),
                None => merged.remove(key),
            };
        }
        Ok(merged.into_iter().take(limit).collect())
    }
}

/// A typed table: one prefix byte, keys by their encoding (integers as [`Be`] so that order is numeric).
pub struct Table<K, V> {
    prefix: u8,
    name: &'static str,
    types: PhantomData<fn(K) -> V>,
}

impl<K, V> std::fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Table({})", self.name)
    }
}

impl<K: BorshSerialize + BorshDeserialize, V: BorshSerialize + BorshDeserialize> Table<K, V> {
    /// The table with this prefix, unique within a role; `name` is what an error cites.
    #[must_use]
    pub const fn new(prefix: u8, name: &'static str) -> Self {
        Self { prefix, name, types: PhantomData }
    }

    /// The row of `key`.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails or the row does not decode.
    pub fn get(&self, kv: &(impl Kv + ?Sized), key: &K) -> Result<Option<V>, StorageError> {
        kv.get(&self.key(key))?.map(|value| self.value(&value)).transpose()
    }

    /// Whether there is a row of `key`.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails.
    pub fn contains(&self, kv: &(impl Kv + ?Sized), key: &K) -> Result<bool, StorageError> {
        Ok(kv.get(&self.key(key))?.is_some())
    }

    /// Sets the row of `key`.
    pub fn put(&self, tx: &Tx<'_>, key: &K, value: &V) {
        tx.put(self.key(key), encoding::encode(value));
    }

    /// Deletes the row of `key`.
    pub fn delete(&self, tx: &Tx<'_>, key: &K) {
        tx.delete(self.key(key));
    }

    /// At most `limit` rows after `after`, in order.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails or a row does not decode.
    pub fn rows(
        &self,
        kv: &(impl Kv + ?Sized),
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, StorageError> {
        self.rows_under(kv, &[], after, limit)
    }

    /// At most `limit` rows after `after` whose encoded keys start with `under`, in order.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if the store fails or a row does not decode.
    pub fn rows_under(
        &self,
        kv: &(impl Kv + ?Sized),
        under: &[u8],
        after: Option<&K>,
        limit: usize,
    ) -> Result<Vec<(K, V)>, StorageError> {
        let prefix = [&[self.prefix], under].concat();
        let after = after.map(|key| self.key(key));
        let mut rows = Vec::new();
        for (key, value) in kv.scan(&prefix, after.as_deref(), limit)? {
            let key = key.get(1..).and_then(|key| K::try_from_slice(key).ok());
            rows.push((key.ok_or(StorageError::Damaged(self.name))?, self.value(&value)?));
        }
        Ok(rows)
    }

    fn key(&self, key: &K) -> Vec<u8> {
        let mut bytes = vec![self.prefix];
        bytes.extend(encoding::encode(key));
        bytes
    }

    fn value(&self, bytes: &[u8]) -> Result<V, StorageError> {
        V::try_from_slice(bytes).map_err(|_| StorageError::Damaged(self.name))
    }
}

/// A u64 whose encoding is big endian, so that keys sort by value.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, PartialOrd, Ord)]
pub struct Be(pub u64);

impl BorshSerialize for Be {
    fn serialize<W: std::io::Write>(&self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(&self.0.to_be_bytes())
    }
}

impl BorshDeserialize for Be {
    fn deserialize_reader<R: std::io::Read>(reader: &mut R) -> std::io::Result<Self> {
        Ok(Self(u64::from_be_bytes(<[u8; 8]>::deserialize_reader(reader)?)))
    }
}

fn start<'a>(prefix: &'a [u8], after: Option<&'a [u8]>) -> Bound<&'a [u8]> {
    match after {
        Some(after) if after >= prefix => Bound::Excluded(after),
        _ => Bound::Included(prefix),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROWS: Table<Be, u8> = Table::new(b'r', "row");

    #[test]
    fn an_overlay_reads_as_if_it_were_applied() {
        let mut base = MemoryKv::default();
        let tx = Tx::new(&base);
        for i in 0..10 {
            ROWS.put(&tx, &Be(i), &0);
        }
        base.apply(tx.into_writes());
        let tx = Tx::new(&base);
        ROWS.delete(&tx, &Be(3));
        ROWS.put(&tx, &Be(4), &1);
        ROWS.put(&tx, &Be(300), &1);
        let seen = ROWS.rows(&tx, Some(&Be(1)), 4).unwrap();
        assert_eq!(seen, [(Be(2), 0), (Be(4), 1), (Be(5), 0), (Be(6), 0)]);
        let all = ROWS.rows(&tx, None, 100).unwrap();
        let writes = tx.into_writes();
        base.apply(writes);
        assert_eq!(ROWS.rows(&base, None, 100).unwrap(), all);
        assert_eq!(all.len(), 10);
    }
}
