//! Connections: how many, how slow, and how they end.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::events::Stopping;
use super::{Api, Peer};

/// How many connections are served at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 512;
/// How long a peer may take to send the head of a request, and to be idle between requests.
const HEAD_WITHIN: Duration = Duration::from_secs(15);
/// The longest head, in bytes.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// The most headers of a request.
const HEADERS_MAX: usize = 64;

/// The connections of one listener.
#[derive(Clone, Debug)]
pub struct Connections {
    api: Api,
    places: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Connections {
    /// None yet. All end after the request at hand once `stop` holds true.
    #[must_use]
    pub fn new(api: Api, stop: watch::Receiver<bool>) -> Self {
        Self { api, places: Arc::new(Semaphore::new(CONNECTIONS_MAX)), stop }
    }

    /// Waits for a place for one more connection.
    pub async fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Waits until connections are to end.
    pub async fn stopping(&self) {
        // A sender that is gone stops them too.
        let _ = self.stop.clone().wait_for(|stop| *stop).await;
    }

    /// Serves the connection of a peer.
    pub async fn serve<S>(&self, stream: S, peer: Peer, place: OwnedSemaphorePermit)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let stop = Extension(Stopping(self.stop.clone()));
        let service = TowerToHyperService::new(self.api.router(peer).layer(stop));
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_WITHIN)
            .max_buf_size(HEAD_BYTES_MAX)
            .max_headers(HEADERS_MAX);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.stopping() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection of the API ended early");
        }
        drop(place);
    }
}
