//! A stream of any length, decided in full batches.

use std::collections::BTreeMap;

use rand_core::CryptoRngCore;
use sudare_kernels::Kernel;

use super::{Batch, culprits};
use crate::{Claims, Rejected};

/// Things that wait for the decision on claims about them, which falls for all at once when they fill a batch. It holds no more
/// than that, however many go through it.
#[derive(Debug)]
pub struct Stream<T> {
    waiting: Vec<T>,
    batch: Batch,
}

impl<T> Default for Stream<T> {
    fn default() -> Self {
        Self { waiting: Vec::new(), batch: Batch::new() }
    }
}

impl<T> Stream<T> {
    /// Nothing waits.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `thing` wait for the decision on `claims`.
    pub fn add(&mut self, thing: T, claims: Claims) {
        self.waiting.push(thing);
        self.batch.add(claims);
    }

    /// Whether it is time to decide.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.batch.is_full()
    }

    /// Decides, and gives what waited, in order, each with the verdict on its own claims. Nothing waits any more. Draw `rng` as
    /// for [`Batch::decide`].
    ///
    /// Enforces [VER-4].
    pub fn decide(&mut self, rng: &mut impl CryptoRngCore) -> Vec<(T, Result<(), Rejected>)> {
        let Self { waiting, batch } = std::mem::take(self);
        let refused = culprits(&batch.claims, Kernel::chosen(), rng).into_iter();
        let mut refused: BTreeMap<usize, Rejected> =
            refused.map(|culprit| (culprit.index, culprit.rejected)).collect();
        let judge = |(index, thing)| (thing, refused.remove(&index).map_or(Ok(()), Err));
        waiting.into_iter().enumerate().map(judge).collect()
    }
}
