//! The part of a search that a thread can run.

use core::fmt;

use super::{giant::GiantSteps, herd::Herd};

/// A part of a search that can run on a thread of its own.
pub struct Worker(pub(super) Walk);

pub(super) enum Walk {
    Giant(Box<GiantSteps>),
    Kangaroo(Box<Herd>),
}

impl Worker {
    /// Runs about `steps` group operations. Stops early when there is something to [collect](super::Search::collect).
    pub fn run(&mut self, steps: u64) {
        match &mut self.0 {
            Walk::Giant(giant) => giant.run(steps),
            Walk::Kangaroo(herd) => herd.run(steps),
        }
    }

    pub(super) fn kangaroo(herd: Herd) -> Self {
        Self(Walk::Kangaroo(Box::new(herd)))
    }

    pub(super) fn steps_done(&self) -> u64 {
        match &self.0 {
            Walk::Giant(giant) => giant.steps_done(),
            Walk::Kangaroo(herd) => herd.steps_done(),
        }
    }
}

impl fmt::Debug for Worker {
    /// Without the places of its kangaroos.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("steps_done", &self.steps_done()).finish_non_exhaustive()
    }
}
