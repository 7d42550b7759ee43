//! Baby-step giant-step: for bounds that a table can cover. It proves absence.
//!
//! Logarithms here are `w = 2v + 1`, always odd. The table holds the multiples 1, 3, 5, ... of the base by their x
//! coordinate, so that each entry stands for `+i` and `-i`; giant steps are even. An odd multiple is never the identity
//! and never equals an even one, so the affine formula has no exception as long as `v` is within the bound.

use super::curve::{Edwards, Lane, STEPS, Steps, advance, times};

/// The most entries of the table: with 8 bytes a slot and at most half of the slots used, 32 MiB.
const TABLE_MAX: u64 = 1 << 21;

/// The fewest, so that even the smallest search keeps a batch of lanes busy.
const TABLE_MIN: u64 = 1 << 9;

/// Lanes that share an inversion.
const LANES: u64 = 512;

/// Sizes of one search, a function of the bound alone.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    /// Entries of the table, a power of two.
    table: u64,
    /// Giant steps that cover every value up to the bound.
    giants: u64,
}

impl Plan {
    /// For values from 0 to `bound`, both included.
    pub(super) fn new(bound: u64) -> Self {
        // A table of t entries covers 2t values a giant step: the sum of both is least near t = sqrt(bound / 2).
        let table = (bound / 2).isqrt().next_power_of_two().clamp(TABLE_MIN, TABLE_MAX);
        Self { table, giants: bound / (2 * table) + 2 }
    }

    /// Group operations if the value is anywhere in the range with equal chance.
    pub(super) fn steps_expected(&self) -> u64 {
        self.table.saturating_add(self.giants / 2)
    }

    /// Group operations after which the whole range has been covered.
    pub(super) fn steps_max(&self) -> u64 {
        self.table.saturating_add(self.rounds().saturating_mul(LANES))
    }

    fn rounds(&self) -> u64 {
        self.giants.div_ceil(LANES)
    }

    /// From one giant step to the next, in `w`.
    fn stride(&self) -> u64 {
        4 * self.table
    }
}

/// The state of a search.
pub(super) struct GiantSteps {
    plan: Plan,
    base: Edwards,
    /// `-w*base`; lanes walk up from it, so that what they have added stays positive.
    origin: Edwards,
    rounds_done: u64,
    /// Built when it is first needed.
    walk: Option<Walk>,
    exceptional: bool,
    candidates: Vec<i128>,
}

struct Walk {
    table: Table,
    lanes: Vec<Lane>,
    steps: Steps,
}

impl GiantSteps {
    /// Looks for `w` in `target = w*base`; the first `rounds_done` rounds of an earlier run are left out.
    pub(super) fn new(plan: Plan, base: Edwards, target: Edwards, rounds_done: u64) -> Self {
        let rounds_done = rounds_done.min(plan.rounds());
        let candidates = Vec::new();
        Self {
            plan,
            base,
            origin: -target,
            rounds_done,
            walk: None,
            exceptional: false,
            candidates,
        }
    }

    pub(super) fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Rounds done, to go on from later.
    pub(super) fn rounds_done(&self) -> u64 {
        self.rounds_done
    }

    pub(super) fn steps_done(&self) -> u64 {
        let table = if self.walk.is_some() || self.rounds_done > 0 { self.plan.table } else { 0 };
        table.saturating_add(self.rounds_done.saturating_mul(LANES))
    }

    /// Whether the range is covered; with no candidate that verifies, the value is not in it.
    pub(super) fn is_finished(&self) -> bool {
        self.exceptional || self.rounds_done >= self.plan.rounds()
    }

    /// What `w` may be; most often empty, and nearly always right.
    pub(super) fn take_candidates(&mut self) -> Vec<i128> {
        core::mem::take(&mut self.candidates)
    }

    /// Does at least one round; the first call builds the table besides.
    pub(super) fn run(&mut self, steps: u64) {
        for _ in 0..steps.div_ceil(LANES).max(1) {
            if self.is_finished() || !self.candidates.is_empty() {
                return;
            }
            // With v in the range nothing is exceptional (see the module's text), so an exception proves absence.
            if self.round().is_none() {
                self.exceptional = true;
            }
        }
    }

    fn round(&mut self) -> Option<()> {
        let mut walk = match self.walk.take() {
            Some(walk) => walk,
            None => self.start()?,
        };
        for lane in &walk.lanes {
            let giant = i128::try_from(lane.log).ok()?;
            for baby in walk.table.find(lane) {
                self.candidates.extend([giant + i128::from(baby), giant - i128::from(baby)]);
            }
        }
        self.rounds_done += 1;
        let advanced = advance(&mut walk.lanes, &walk.steps);
        self.walk = Some(walk);
        advanced.ok()
    }

    fn start(&self) -> Option<Walk> {
        let first = self.rounds_done.saturating_mul(LANES);
        let lanes = (first..first.saturating_add(LANES)).map(|index| {
            let log = u128::from(index) * u128::from(self.plan.stride());
            Lane::new(&(self.origin + times(&self.base, log)), log)
        });
        let stride = self.plan.stride().checked_mul(LANES)?;
        Some(Walk {
            lanes: lanes.collect::<Option<_>>()?,
            steps: Steps::new(&self.base, &[stride; STEPS])?,
            table: Table::new(self.plan.table, &self.base)?,
        })
    }
}

/// Multiples 1, 3, 5, ... of the base, found by a 32-bit tag of their x coordinate (open addressing).
struct Table {
    slots: Vec<Slot>,
    mask: u64,
}

#[derive(Clone, Copy)]
struct Slot {
    tag: u32,
    /// The odd multiple, or 0 in a free slot.
    baby: u32,
}

impl Table {
    fn new(entries: u64, base: &Edwards) -> Option<Self> {
        let size = entries.checked_mul(2)?;
        let free = Slot { tag: 0, baby: 0 };
        let mut table = Self { slots: vec![free; usize::try_from(size).ok()?], mask: size - 1 };
        let odd = (0..entries.min(LANES)).map(|i| u128::from(2 * i + 1));
        let lanes = odd.map(|log| Lane::new(&times(base, log), log));
        let mut lanes = lanes.collect::<Option<Vec<_>>>()?;
        let steps = Steps::new(base, &[2 * LANES; STEPS])?;
        for _ in 0..entries.div_ceil(LANES) {
            for lane in &lanes {
                table.insert(lane)?;
            }
            advance(&mut lanes, &steps).ok()?;
        }
        Some(table)
    }

    fn insert(&mut self, lane: &Lane) -> Option<()> {
        let (mut place, tag) = self.place(lane);
        while self.slot(place)?.baby != 0 {
            place += 1;
        }
        let baby = u32::try_from(lane.log).ok()?;
        let index = usize::try_from(place & self.mask).ok()?;
        *self.slots.get_mut(index)? = Slot { tag, baby };
        Some(())
    }

    /// Every multiple with the tag of this place: a look-alike must not hide the right one.
    fn find(&self, lane: &Lane) -> impl Iterator<Item = u32> {
        let (place, tag) = self.place(lane);
        let used = (place..).map_while(|place| self.slot(place).filter(|slot| slot.baby != 0));
        used.filter(move |slot| slot.tag == tag).map(|slot| slot.baby)
    }

    fn slot(&self, place: u64) -> Option<Slot> {
        self.slots.get(usize::try_from(place & self.mask).ok()?).copied()
    }

    fn place(&self, lane: &Lane) -> (u64, u32) {
        let digest = lane.digest();
        let tag = u32::try_from(digest.mark >> 32).unwrap_or_default();
        (digest.name & self.mask, tag)
    }
}
