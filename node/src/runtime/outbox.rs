//! The outbox: each row is sent to its addressee until that has taken or refused it, or it is of no use any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use sudare_crypto::NodeId;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::courier::Courier;
use super::query::Views;
use super::status::Gauges;
use super::{Clock, Input};
use crate::net::Peers;

/// A row of the outbox, without its message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Post {
    pub(super) number: u64,
    pub(super) to: NodeId,
    pub(super) until: Option<u64>,
}

/// What all couriers use.
pub(super) struct Outbox<I, O> {
    pub(super) own: NodeId,
    pub(super) peers: Peers,
    pub(super) views: Views,
    pub(super) inbox: mpsc::Sender<Input<I, O>>,
    pub(super) clock: Clock,
    pub(super) gauges: Arc<Gauges>,
}

impl<I: Send + 'static, O: Send + 'static> Outbox<I, O> {
    /// Starts the task that hands rows to a courier for each peer. Aborting it stops all couriers.
    pub(super) fn start(self) -> (mpsc::UnboundedSender<Post>, JoinHandle<()>) {
        // Not bounded: a post is 56 bytes for a row that is on disk, and the desk must never wait for the network.
        let (posts, queue) = mpsc::unbounded_channel();
        (posts, tokio::spawn(Arc::new(self).run(queue)))
    }

    async fn run(self: Arc<Self>, mut queue: mpsc::UnboundedReceiver<Post>) {
        let mut routes: BTreeMap<NodeId, mpsc::UnboundedSender<Post>> = BTreeMap::new();
        let mut couriers = JoinSet::new();
        while let Some(post) = queue.recv().await {
            let route = routes.entry(post.to).or_insert_with(|| {
                let (route, posts) = mpsc::unbounded_channel();
                couriers.spawn(Courier::new(Arc::clone(&self), post.to).run(posts));
                route
            });
            // A courier ends only with this task.
            let _ = route.send(post);
        }
    }
}
