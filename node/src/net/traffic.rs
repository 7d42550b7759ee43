//! What crosses the network, in the clear: counts for each peer and kind, and a hook that sees every frame.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::membership::{Member, MemberName};

/// Which way a frame went.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub enum Direction {
    /// From the peer to this node.
    In,
    /// From this node to the peer.
    Out,
}

/// Which part of an exchange a frame is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, PartialOrd, Ord)]
pub enum Part {
    /// The request.
    Request,
    /// The response to it.
    Response,
}

/// A frame that was read whole, or is about to be written.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Which way it went.
    pub direction: Direction,
    /// Request or response.
    pub part: Part,
    /// The other end.
    pub peer: &'a Member,
    /// The kind of the request.
    pub kind: u8,
    /// The frame's payload (of a refusal, its code and text).
    pub payload: &'a [u8],
    /// Bytes of the frame, header included, without what QUIC adds.
    pub wire: usize,
}

/// Sees every frame that was decrypted or is to be encrypted. It runs on the node's network tasks: it must not block.
pub type Observer = Arc<dyn Fn(&Seen<'_>) + Send + Sync>;

/// Frames and bytes exchanged with one peer under one kind of request, responses included.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Frames received.
    pub frames_in: u64,
    /// Frames sent.
    pub frames_out: u64,
    /// Bytes received, headers included.
    pub bytes_in: u64,
    /// Bytes sent, headers included.
    pub bytes_out: u64,
}

/// The counters of one endpoint, shared by its clones.
#[derive(Clone)]
pub struct Traffic(Arc<Inner>);

struct Inner {
    counts: Mutex<BTreeMap<(MemberName, u8), Counts>>,
    observer: Option<Observer>,
}

impl Traffic {
    pub(super) fn new(observer: Option<Observer>) -> Self {
        Self(Arc::new(Inner { counts: Mutex::default(), observer }))
    }

    /// The counters by peer and kind, as they are now.
    #[must_use]
    pub fn snapshot(&self) -> BTreeMap<(MemberName, u8), Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn record(&self, seen: &Seen<'_>) {
        let wire = u64::try_from(seen.wire).unwrap_or(u64::MAX);
        {
            let mut all = self.0.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let counts = all.entry((seen.peer.name.clone(), seen.kind)).or_default();
            let (frames, bytes) = match seen.direction {
                Direction::In => (&mut counts.frames_in, &mut counts.bytes_in),
                Direction::Out => (&mut counts.frames_out, &mut counts.bytes_out),
            };
            *frames = frames.saturating_add(1);
            *bytes = bytes.saturating_add(wire);
        }
        if let Some(observer) = &self.0.observer {
            observer(seen);
        }
    }
}

impl std::fmt::Debug for Traffic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Traffic").field(&self.snapshot()).finish()
    }
}
