//! Requests that are answered before their body was read: their connection can't carry another one, and the answer says so. Else it
//! ends without a word, and a client that sends its next request on it meets that end.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use hyper::body::{Frame, SizeHint};

/// Whether a body was read to its end.
#[derive(Debug, Default)]
pub(super) struct Read(Arc<AtomicBool>);

/// A body that says when it was.
struct Watched {
    body: Body,
    read: Arc<AtomicBool>,
}

impl Read {
    /// The same request, whose body is watched.
    pub(super) fn watch(request: Request) -> (Request, Self) {
        let read = Self::default();
        let watched = request.map(|body| {
            let read = Arc::clone(&read.0);
            read.store(body.is_end_stream(), Ordering::Relaxed);
            Body::new(Watched { body, read })
        });
        (watched, read)
    }

    pub(super) fn to_the_end(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.read.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
