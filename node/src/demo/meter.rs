//! What nodes have exchanged over all their lives: each starts counting anew when it is started again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::setup::Desk;
use super::trading::Floor;
use crate::cli::Failure;
use crate::node::StatusView;
use crate::runtime::Status;

/// How often nodes are asked. What one exchanged between the last answer and being killed is not counted.
const EVERY: Duration = Duration::from_secs(1);

/// Frames and bytes in and out.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Exchanged {
    /// Frames received.
    pub(super) messages_in: u64,
    /// Bytes received.
    pub(super) bytes_in: u64,
    /// Frames sent.
    pub(super) messages_out: u64,
    /// Bytes sent.
    pub(super) bytes_out: u64,
}

/// What each node had exchanged in each of its lives, when it was asked last; a life by when it began.
#[derive(Debug, Default)]
pub(super) struct Meter {
    lives: Mutex<BTreeMap<String, BTreeMap<u64, Exchanged>>>,
    /// What is not counted: what each node had exchanged before the first trade of a network with a past.
    before: BTreeMap<String, Exchanged>,
}

impl Meter {
    /// Counts from now on.
    pub(super) async fn begin(desk: &Desk) -> Result<Self, Failure> {
        let mut meter = Self::default();
        for name in desk.names() {
            meter.note(&desk.status(name).await?);
        }
        meter.before = desk.names().map(|name| (name.to_owned(), meter.of(name))).collect();
        Ok(meter)
    }

    /// Asks all nodes again and again until the task is ended.
    pub(super) async fn run(self: Arc<Self>, floor: Arc<Floor>) {
        loop {
            for name in floor.desk.names() {
                if let Ok(status) = floor.desk.status(name).await {
                    self.note(&status);
                }
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Takes what a node says of this life of its.
    pub(super) fn note(&self, status: &Status) {
        let mut now = Exchanged::default();
        let view = StatusView::of(status);
        for line in view.traffic.iter().filter(|line| line.peer != view.name) {
            now = now.and(&Exchanged {
                messages_in: line.messages_in,
                bytes_in: line.bytes_in,
                messages_out: line.messages_out,
                bytes_out: line.bytes_out,
            });
        }
        let mut all = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(view.name).or_default().insert(status.started_at, now);
    }

    /// What a node has exchanged in all its lives.
    pub(super) fn of(&self, name: &str) -> Exchanged {
        let all = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        let lives = all.get(name).into_iter().flat_map(BTreeMap::values);
        let sum = lives.fold(Exchanged::default(), |sum, one| sum.and(one));
        self.before.get(name).map_or(sum, |before| sum.less(before))
    }
}

impl Exchanged {
    const fn less(&self, other: &Self) -> Self {
        Self {
            messages_in: self.messages_in.saturating_sub(other.messages_in),
            bytes_in: self.bytes_in.saturating_sub(other.bytes_in),
            messages_out: self.messages_out.saturating_sub(other.messages_out),
            bytes_out: self.bytes_out.saturating_sub(other.bytes_out),
        }
    }

    const fn and(&self, other: &Self) -> Self {
        Self {
            messages_in: self.messages_in.saturating_add(other.messages_in),
            bytes_in: self.bytes_in.saturating_add(other.bytes_in),
            messages_out: self.messages_out.saturating_add(other.messages_out),
            bytes_out: self.bytes_out.saturating_add(other.bytes_out),
        }
    }
}
