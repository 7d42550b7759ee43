//! Events as they happen: a stream that is resumed by the number of the last event that was read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Shared};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use axum::routing::get;
use axum::{Extension, Router};
use hyper::body::{Bytes, Frame};
use serde::Deserialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::time::{Instant, timeout_at};

use super::Api;
use super::manners::Caller;
use super::operations::{admit, view};
use super::problem::Problem;
use crate::access::Reach;
use crate::store::StoreError;

const PATH: &str = "/v1/events";
/// How many events are read at once.
const PAGE: usize = 100;
/// How often something is sent, so that both ends notice when the other one is gone.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a stream lasts: whoever resumes it shows again that he may.
const LASTS: Duration = Duration::from_secs(600);
/// How many chunks wait for a slow reader.
const CHUNKS: usize = 4;

/// Says when streams are to end.
#[derive(Clone, Debug)]
pub(super) struct Stopping(pub(super) watch::Receiver<bool>);

/// After which event.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    after: Option<String>,
}

/// The path of events.
pub(super) fn routes() -> Router<Api> {
    Router::new().route(PATH, get(stream))
}

async fn stream(
    Shared(api): Shared<Api>,
    Extension(client): Caller,
    stopping: Option<Extension<Stopping>>,
    query: Result<Query<EventsQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, whose) = admit(&api, client)?;
    let Query(query) =
        query.map_err(|_| Problem::Malformed("the query takes `after` alone, once".into()))?;
    let resumed = headers.get("last-event-id").map(|id| id.to_str().unwrap_or("-").to_owned());
    let after = match resumed.or(query.after) {
        None => api.0.store.pin(None).await?.ok_or(Problem::Internal)?.event,
        Some(text) => number(&text)?,
    };
    let place = Arc::clone(&api.0.streams).try_acquire_owned();
    let place = place.map_err(|_| Problem::TooMany(HEARTBEAT.as_secs()))?;
    let (send, receive) = mpsc::channel(CHUNKS);
    let stopping = stopping.map(|Extension(stopping)| stopping.0);
    let feed = Feed { api, whose, after, send, stopping, _place: place };
    tokio::spawn(feed.run());
    let mut answer = Response::new(Body::new(Chunks(receive)));
    let kind = HeaderValue::from_static("text/event-stream");
    answer.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(answer)
}

/// The number of an event, or 0 for before the first.
pub(super) fn number(text: &str) -> Result<i64, Problem> {
    let plain = (1..=18).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let wrong = || Problem::Malformed("an event is named by its number".into());
    text.parse().ok().filter(|_| plain).ok_or_else(wrong)
}

/// What feeds one stream.
struct Feed {
    api: Api,
    whose: Reach,
    after: i64,
    send: mpsc::Sender<Bytes>,
    stopping: Option<watch::Receiver<bool>>,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    async fn run(mut self) {
        let (until, mut newest) = (Instant::now() + LASTS, self.api.0.newest.subscribe());
        let mut stopping = self.stopping.take();
        let stopped = async {
            match &mut stopping {
                Some(stopping) => drop(stopping.wait_for(|stop| *stop).await),
                None => std::future::pending().await,
            }
        };
        let fed = async {
            loop {
                newest.mark_unchanged();
                match self.feed().await {
                    Ok(true) => (),
                    Ok(false) => return,
                    Err(error) => {
                        tracing::error!(%error, "a stream of events ends");
                        return;
                    }
                }
                let beat = (Instant::now() + HEARTBEAT).min(until);
                let silent = timeout_at(beat, newest.changed()).await.is_err();
                if Instant::now() >= until || (silent && !self.say(": here\n\n".into()).await) {
                    return;
                }
            }
        };
        tokio::select! {
            () = fed => (),
            () = stopped => (),
        }
    }

    /// Sends all that has happened; whether somebody still reads.
    async fn feed(&mut self) -> Result<bool, StoreError> {
        loop {
            let page = self.api.0.store.events(&self.whose, self.after, PAGE).await?;
            let mut text = String::new();
            for operation in &page {
                self.after = operation.newest.number;
                let (number, data) = (self.after, view(operation));
                text.push_str(&format!("id: {number}\nevent: operation\ndata: {data}\n\n"));
            }
            if !text.is_empty() && !self.say(text).await {
                return Ok(false);
            }
            if page.len() < PAGE {
                return Ok(true);
            }
        }
    }

    async fn say(&self, text: String) -> bool {
        self.send.send(text.into()).await.is_ok()
    }
}

/// A body that comes in chunks from a channel.
struct Chunks(mpsc::Receiver<Bytes>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|chunk| chunk.map(|bytes| Ok(Frame::data(bytes))))
    }
}
