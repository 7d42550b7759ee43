//! The trail of personal data: nothing of it is shown, made, changed or erased before the node's access log says who does it, and
//! why (specs/access.md).

use std::fmt;
use std::sync::Arc;

use sudare_crypto::{Hash, Text};
use sudare_ledger::access::{Handled, Handling, ROWS_MAX, row_hash};
use tokio::task::JoinSet;

use crate::flows::{Asking, Unanswered};

/// An access log, where it stands who handles personal data.
pub trait AccessLog: fmt::Debug + Send + Sync {
    /// Records that somebody is about to. The entry is on disk before this answers.
    fn record(&self, handling: Handling) -> Asking<'_, ()>;
}

/// Where it is recorded who handles personal data; if nowhere, nobody does.
#[derive(Clone, Debug, Default)]
pub struct Trail(Option<Arc<dyn AccessLog>>);

/// Who handles personal data, and why.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    /// The client's name.
    pub client: &'a str,
    /// Its institution.
    pub institution: &'a str,
    /// A code that the client gave; empty if none.
    pub reason: &'a str,
}

/// Shows that an access is recorded: without it nothing sealed is opened.
#[derive(Debug)]
pub struct Recorded(());

/// Why an access isn't recorded. What it was for is not done.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unrecorded {
    /// There is no access log.
    #[error(
        "this node keeps no access log, so personal data is not handled here: serve the API at a custodian's, registrar's or regulator's node"
    )]
    NoLog,
    /// The client can't be named.
    #[error(
        "a client's name has more than 128 bytes or its institution's more than 64, or a control character: shorten it in the configuration"
    )]
    Name,
    /// The node.
    #[error(transparent)]
    Node(#[from] Unanswered),
    /// The program.
    #[error("recording an access was interrupted")]
    Interrupted,
}

impl By<'_> {
    /// Whether an entry can say who it is.
    #[must_use]
    pub fn can_be_named(&self) -> bool {
        Text::<128>::new(self.client).is_ok() && Text::<64>::new(self.institution).is_ok()
    }
}

impl Trail {
    /// A trail in an access log.
    #[must_use]
    pub fn of(log: Arc<dyn AccessLog>) -> Self {
        Self(Some(log))
    }

    /// [ACC-6]: has it recorded that somebody is about to handle rows; no entry without any. Many rows are several entries.
    pub(crate) async fn record(
        &self,
        by: By<'_>,
        what: Handled,
        rows: impl IntoIterator<Item = &str>,
    ) -> Result<Recorded, Unrecorded> {
        let rows: Vec<Hash> = rows.into_iter().map(row_hash).collect();
        let log = self.0.as_ref().ok_or(Unrecorded::NoLog)?;
        let mut handlings = Vec::new();
        for rows in rows.chunks(ROWS_MAX) {
            handlings.push(Handling {
                client: Text::new(by.client).map_err(|_| Unrecorded::Name)?,
                institution: Text::new(by.institution).map_err(|_| Unrecorded::Name)?,
                what,
                reason: Text::new(by.reason).map_err(|_| Unrecorded::Name)?,
                rows: rows.to_vec().try_into().map_err(|_| Unrecorded::Interrupted)?,
            });
        }
        if handlings.len() == 1 {
            for handling in handlings {
                log.record(handling).await?;
            }
            return Ok(Recorded(()));
        }
        // Side by side, so that they share syncs.
        let mut recording = JoinSet::new();
        for handling in handlings {
            let log = Arc::clone(log);
            recording.spawn(async move { log.record(handling).await });
        }
        while let Some(done) = recording.join_next().await {
            done.map_err(|_| Unrecorded::Interrupted)??;
        }
        Ok(Recorded(()))
    }
}

impl Recorded {
    /// For what is opened and shown to nobody: the program works with it itself.
    pub(crate) const fn shown_to_nobody() -> Self {
        Self(())
    }
}
