//! What the operator asks from within the node's own process, answered as what comes over the network with the node's own key.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;

use crate::membership::Member;
use crate::net::{Handler, Origin, Peer, Refusal, Response};

/// The node's operator inside the node. Clones are the same.
#[derive(Clone)]
pub struct Operator {
    front: Arc<dyn Asks>,
    own: Member,
    heights: watch::Receiver<u64>,
}

impl Operator {
    pub(super) fn new<H: Handler>(
        front: Arc<H>,
        own: Member,
        heights: watch::Receiver<u64>,
    ) -> Self {
        Self { front, own, heights }
    }

    /// Makes a request of a kind.
    ///
    /// # Errors
    ///
    /// The node's refusal.
    pub async fn ask(&self, kind: u8, payload: Vec<u8>) -> Result<Vec<u8>, Refusal> {
        let peer = Peer { member: self.own.clone(), origin: Origin::Operator };
        match self.front.ask(peer, kind, payload).await {
            Response::Answer(bytes) => Ok(bytes),
            Response::Accepted => Ok(Vec::new()),
            Response::Refused(refusal) => Err(refusal),
        }
    }

    /// The node itself.
    #[must_use]
    pub const fn own(&self) -> &Member {
        &self.own
    }

    /// How many records the node's log has; whatever they say can be read.
    #[must_use]
    pub fn heights(&self) -> watch::Receiver<u64> {
        self.heights.clone()
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator").field("own", &self.own).finish_non_exhaustive()
    }
}

/// A [`Handler`] whose type is forgotten.
trait Asks: Send + Sync {
    fn ask<'a>(
        &'a self,
        peer: Peer,
        kind: u8,
        payload: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>>;
}

impl<H: Handler> Asks for H {
    fn ask<'a>(
        &'a self,
        peer: Peer,
        kind: u8,
        payload: Vec<u8>,
    ) -> Pin<Box<dyn Future<Output = Response> + Send + 'a>> {
        Box::pin(async move {
            match self.admits(&peer, kind) {
                Ok(limit) if payload.len() <= limit => self.handle(peer, kind, payload).await,
                Ok(limit) => Response::Refused(Refusal::new(
                    crate::net::refusal_code::TOO_LONG,
                    &format!("the request has more than {limit} bytes"),
                )),
                Err(refusal) => Response::Refused(refusal),
            }
        })
    }
}
