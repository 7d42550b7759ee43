//! How a day went over time.

use std::collections::BTreeMap;

use crate::demo::input::{Account, Amount};
use crate::demo::processes::Sample;
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
    /// What the nodes used meanwhile, in order of time; ms since the first instruction.
    pub samples: Vec<Sample>,
}

/// What a role's nodes used in each stretch of a day; none where that is not known.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Load {
    /// Processor time, in hundredths of one processor.
    pub cpu_percent: Vec<Option<u64>>,
    /// Resident memory, in bytes.
    pub memory: Vec<Option<u64>>,
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
        Self { took_ms, settled, ..Self::default() }
    }

    /// Takes what was noted of the nodes' use from the first instruction on, whose time is given in ms since the Unix epoch.
    pub fn note_use(&mut self, began_ms: u64, samples: &[Sample]) {
        let since = |sample: &Sample| {
            let at_ms = sample.at_ms.checked_sub(began_ms)?;
            Some(Sample { at_ms, roles: sample.roles.clone() })
        };
        self.samples = samples.iter().filter_map(since).collect();
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
        let count = self.count(ms);
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

    /// What each role's nodes used in the stretches of [`stretches`](Self::stretches).
    #[must_use]
    pub fn loads(&self, ms: u64) -> BTreeMap<String, Load> {
        let roles = self.samples.iter().flat_map(|sample| sample.roles.keys());
        let mut loads: BTreeMap<String, Load> =
            roles.map(|role| (role.clone(), Load::default())).collect();
        let (mut before, mut rest) = (self.samples.first(), self.samples.as_slice());
        for number in 1..=self.count(ms) {
            let end = number.saturating_mul(ms);
            let until = rest.partition_point(|sample| sample.at_ms < end);
            let (now, later) = rest.split_at_checked(until).unwrap_or((rest, &[]));
            rest = later;
            for (role, load) in &mut loads {
                let (cpu, memory) = used(role, before, now.last());
                load.cpu_percent.push(cpu);
                load.memory.push(memory);
            }
            before = now.last().or(before);
        }
        loads
    }

    fn count(&self, ms: u64) -> u64 {
        let last = self.settled.last().map_or(0, |(at, _)| *at).max(self.took_ms);
        last.checked_div(ms).unwrap_or(0).saturating_add(1)
    }
}

/// What a role used between two moments, in hundredths of a processor, and its memory at the second.
fn used(role: &str, before: Option<&Sample>, now: Option<&Sample>) -> (Option<u64>, Option<u64>) {
    let Some((now, (cpu_ms, memory))) =
        now.and_then(|now| now.roles.get(role).map(|used| (now, *used)))
    else {
        return (None, None);
    };
    let cpu = before.and_then(|before| {
        let (earlier_ms, _) = before.roles.get(role)?;
        let passed_ms = now.at_ms.saturating_sub(before.at_ms);
        cpu_ms.saturating_sub(*earlier_ms).saturating_mul(100).checked_div(passed_ms)
    });
    (cpu, Some(memory))
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

    #[test]
    fn loads_are_what_was_used_since_the_last_look_and_gaps_stay_gaps() {
        let sample = |at_ms, cpu_ms, memory| Sample {
            at_ms,
            roles: BTreeMap::from([("notary".to_owned(), (cpu_ms, memory))]),
        };
        let mut timeline = Timeline { took_ms: 3_900, ..Timeline::default() };
        // The first one is from before the day.
        let samples = [
            (9_000, 1, 1),
            (10_000, 50, 7),
            (10_900, 500, 8),
            (11_900, 1_500, 9),
            (13_900, 1_600, 5),
        ];
        timeline.note_use(10_000, &samples.map(|(at, cpu, memory)| sample(at, cpu, memory)));
        let loads = timeline.loads(1_000);
        let load = &loads["notary"];
        assert_eq!(load.cpu_percent, [Some(50), Some(100), None, Some(5)]);
        assert_eq!(load.memory, [Some(8), Some(9), None, Some(5)]);
    }
}
