//! How a day went over time.

use std::collections::BTreeMap;

use crate::demo::input::{Account, Amount};
use crate::demo::report::{Latency, Pace};
use crate::demo::trading::Ended;

/// When trades settled, and how long each took.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    /// From the first instruction to the last settlement or refusal, ms.
    pub took_ms: u64,
    /// For each settled trade, in order of time: ms since the first instruction, ms that it took.
    pub settled: Vec<(u64, u64)>,
    /// What every account holds in the end, recomputed.
    pub positions: BTreeMap<Account, Amount>,
}

/// One stretch of a day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Stretch {
    /// How many trades settled in it.
    pub settled: u64,
    /// How long they took; none if there are none.
    pub latency: Option<Latency>,
}

impl Timeline {
    /// What the trades' ends tell, with the first instruction's time in ms since the Unix epoch.
    #[must_use]
    pub fn of(began_ms: u64, took_ms: u64, ended: &[Ended]) -> Self {
        let settled = ended.iter().filter_map(|one| match one {
            Ended::Settled { latency_ms, at_ms } => {
                Some((at_ms.saturating_sub(began_ms), *latency_ms))
            }
            Ended::Refused(_) => None,
        });
        let mut settled: Vec<(u64, u64)> = settled.collect();
        settled.sort_unstable();
        Self { took_ms, settled, positions: BTreeMap::new() }
    }

    /// The pace of the whole day.
    #[must_use]
    pub fn pace(&self, cpu_ms: BTreeMap<String, u64>, kills: u64) -> Pace {
        let settled = u64::try_from(self.settled.len()).unwrap_or(u64::MAX);
        Pace { settled, took_ms: self.took_ms, cpu_ms, kills }
    }

    /// The day cut into stretches of `ms`, the last one not longer than the rest of the day.
    #[must_use]
    pub fn stretches(&self, ms: u64) -> Vec<Stretch> {
        let last = self.settled.last().map_or(0, |(at, _)| *at).max(self.took_ms);
        let count = last.checked_div(ms).unwrap_or(0).saturating_add(1);
        let mut stretches = Vec::new();
        let mut rest = self.settled.as_slice();
        for number in 1..=count {
            let end = number.saturating_mul(ms);
            let until = rest.partition_point(|(at, _)| *at < end);
            let (now, later) = rest.split_at_checked(until).unwrap_or((rest, &[]));
            rest = later;
            let latency = Latency::of(now.iter().map(|(_, took)| *took).collect());
            let settled = u64::try_from(now.len()).unwrap_or(u64::MAX);
            stretches.push(Stretch { settled, latency });
        }
        stretches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_hold_every_settled_trade_once() {
        let settled = |at_ms, latency_ms| Ended::Settled { latency_ms, at_ms };
        let ended = [
            settled(1_010, 5),
            Ended::Refused("overspend".into()),
            settled(1_990, 7),
            settled(1_100, 9),
            settled(3_000, 1),
        ];
        let timeline = Timeline::of(1_000, 2_500, &ended);
        let stretches = timeline.stretches(1_000);
        let counts: Vec<u64> = stretches.iter().map(|one| one.settled).collect();
        assert_eq!(counts, [3, 0, 1]);
        assert_eq!(stretches[0].latency, Latency::of(vec![5, 7, 9]));
        assert_eq!(stretches[1].latency, None);
        assert_eq!(timeline.pace(BTreeMap::new(), 0).rate(), "1.6");
    }
}
