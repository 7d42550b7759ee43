//! The marks that kangaroos have left, and what it means when two meet at one.

use std::collections::BTreeMap;

use super::herd::{Herd, is_tame};

/// Marks that are kept: with about 36 bytes each in the map, some 40 MiB.
pub(super) const MARKS_MAX: usize = 1 << 20;

/// Collects the marks of all herds.
#[derive(Default)]
pub(super) struct Trap {
    /// From a mark's name to the `log` of who came first.
    marks: BTreeMap<u64, u128>,
    hops: u64,
}

impl Trap {
    /// What an earlier run had collected.
    pub(super) fn resume(marks: BTreeMap<u64, u128>, hops: u64) -> Self {
        Self { marks, hops }
    }

    pub(super) fn marks(&self) -> &BTreeMap<u64, u128> {
        &self.marks
    }

    pub(super) fn hops(&self) -> u64 {
        self.hops
    }

    /// Takes in the marks of a herd and returns what `w` may be: nearly always right, most often nothing.
    ///
    /// A kangaroo that came to a mark of its own kind follows the same trail as the other and is moved to a new one.
    pub(super) fn collect(&mut self, herd: &mut Herd) -> Vec<i128> {
        let mut candidates = Vec::new();
        for mark in herd.take_marks() {
            match self.marks.get(&mark.name) {
                Some(first) if is_tame(*first) != is_tame(mark.log) => {
                    candidates.extend(difference(*first, mark.log));
                }
                Some(_) => {
                    self.hops = self.hops.saturating_add(1);
                    herd.hop(&mark, self.hops);
                }
                None if self.marks.len() < MARKS_MAX => {
                    self.marks.insert(mark.name, mark.log);
                }
                None => {}
            }
        }
        candidates
    }
}

/// Tame minus wild: both stand at `w + wild = tame`.
fn difference(one: u128, other: u128) -> Option<i128> {
    let (tame, wild) = if is_tame(one) { (one, other) } else { (other, one) };
    i128::try_from(tame).ok()?.checked_sub(i128::try_from(wild).ok()?)
}
