//! Reading a role's state: queries of peers and of the operator, answered on a snapshot beside the handling thread.

use std::sync::{Arc, Mutex, PoisonError};

use sudare_ledger::kv::{Kv, Pair, StorageError};
use sudare_ledger::messages::Reason;
use tokio::sync::watch;

use crate::membership::Member;
use crate::net::Origin;
use crate::store::{IndexReader, Snapshot};

/// What can be read of a role.
pub trait Queries: Send + Sync + 'static {
    /// How many bytes a request of this kind may have; none if this asker may not make it. Asked before the request is
    /// read. Kinds 64..=127 come from peers, 130..=255 from the operator only.
    fn admits(&self, from: &Member, origin: Origin, kind: u8) -> Option<usize>;

    /// Answers a request.
    ///
    /// # Errors
    ///
    /// [`QueryError`].
    fn answer(&self, kv: &dyn Kv, question: &Question<'_>) -> Result<Vec<u8>, QueryError>;
}

/// A request for reading.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who asks.
    pub from: &'a Member,
    /// Another node, or this node's operator.
    pub origin: Origin,
    /// The kind of request.
    pub kind: u8,
    /// The node's clock, ms.
    pub now: u64,
    /// The request, not yet parsed.
    pub request: &'a [u8],
}

/// Why a question is not answered.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum QueryError {
    /// The role refuses.
    #[error("{0}")]
    Refused(#[from] Reason),
    /// The store fails: the node stops.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Nothing can be asked.
#[derive(Clone, Copy, Debug)]
pub struct NoQueries;

impl Queries for NoQueries {
    fn admits(&self, _: &Member, _: Origin, _: u8) -> Option<usize> {
        None
    }

    fn answer(&self, _: &dyn Kv, _: &Question<'_>) -> Result<Vec<u8>, QueryError> {
        Err(Reason::WrongRole.into())
    }
}

/// Gives snapshots until it is closed, and knows when the last is gone: then the store's folder can be opened again.
#[derive(Clone)]
pub(super) struct Views(Arc<Shared>);

struct Shared {
    reader: Mutex<Option<IndexReader>>,
    open: watch::Sender<usize>,
}

/// A snapshot that is counted.
pub(super) struct View {
    snapshot: Option<Snapshot>,
    shared: Arc<Shared>,
}

impl Views {
    pub(super) fn new(reader: IndexReader) -> Self {
        Self(Arc::new(Shared { reader: Mutex::new(Some(reader)), open: watch::Sender::new(0) }))
    }

    /// The index as it is now; none if the node stops.
    pub(super) fn snapshot(&self) -> Option<View> {
        let reader = self.0.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = Some(reader.as_ref()?.snapshot());
        self.0.open.send_modify(|open| *open = open.saturating_add(1));
        Some(View { snapshot, shared: Arc::clone(&self.0) })
    }

    /// Gives no more snapshots.
    pub(super) fn close(&self) {
        self.0.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Waits until no snapshot is left.
    pub(super) async fn closed(&self) {
        // An error would mean that the sender is gone, but `self` holds it.
        let _ = self.0.open.subscribe().wait_for(|open| *open == 0).await;
    }
}

impl Kv for View {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.snapshot.as_ref().map_or(Ok(None), |snapshot| snapshot.get(key))
    }

    fn scan(
        &self,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<Pair>, StorageError> {
        self.snapshot
            .as_ref()
            .map_or(Ok(Vec::new()), |snapshot| snapshot.scan(prefix, after, limit))
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.snapshot = None;
        self.shared.open.send_modify(|open| *open = open.saturating_sub(1));
    }
}
