//! Time as measurements need it: CPU time of one thread, medians of runs in turn.

use rustix::time::{ClockId, clock_gettime};

use super::Failed;

/// One thing to be timed.
pub type Action<'a> = &'a mut dyn FnMut() -> Result<(), Failed>;

/// CPU time that this thread has used, ns.
pub(super) fn thread_ns() -> u64 {
    ns(ClockId::ThreadCPUTime)
}

/// Time since the machine started, ns.
pub(super) fn wall_ns() -> u64 {
    ns(ClockId::Monotonic)
}

fn ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// As [`medians_of`], for a number of actions that the compiler knows.
pub(super) fn medians_us<const N: usize>(
    rounds: usize,
    actions: [Action<'_>; N],
) -> Result<[f64; N], Failed> {
    let medians: Vec<f64> = medians_of(rounds, actions)?.collect();
    medians.try_into().map_err(|_| Failed::Wrong("one time an action".into()))
}

/// Runs each action in turn, all of them `rounds` times, and gives the median CPU time of each, in microseconds. In turn, so
/// that whatever else the machine does touches all of them alike.
///
/// # Errors
///
/// That of the action that fails.
pub fn medians_of<'a>(
    rounds: usize,
    actions: impl IntoIterator<Item = Action<'a>>,
) -> Result<impl Iterator<Item = f64>, Failed> {
    let lanes = actions.into_iter().map(|action| (action, Vec::with_capacity(rounds)));
    let mut lanes: Vec<(Action<'a>, Vec<f64>)> = lanes.collect();
    // The first round fills caches and tables, and is not counted.
    for round in 0..=rounds {
        for (action, times) in &mut lanes {
            let before = thread_ns();
            action()?;
            let took = thread_ns().saturating_sub(before);
            if round > 0 {
                times.push(float(took) / 1_000.0);
            }
        }
    }
    Ok(lanes.into_iter().map(|(_, times)| median(times)))
}

/// The median; the mean of the two in the middle of an even number; 0 of nothing.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    let lower = values.len().saturating_sub(1) / 2;
    let at = |place: usize| values.get(place).copied().unwrap_or(0.0);
    f64::midpoint(at(lower), at(upper))
}

/// A count as a number to calculate with. Exact up to 2^53, more than anything measured here.
#[expect(clippy::as_conversions, reason = "there is no other conversion from u64 to f64")]
pub(super) const fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_sorted_values() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![]), 0.0);
    }

    #[test]
    fn every_action_runs_once_a_round_in_turn_and_once_to_warm_up() {
        let order = std::cell::RefCell::new(String::new());
        let (mut one, mut two) = (
            || {
                order.borrow_mut().push('a');
                Ok(())
            },
            || {
                order.borrow_mut().push('b');
                Ok(())
            },
        );
        let times = medians_us(2, [&mut one, &mut two]).unwrap();
        assert_eq!(order.into_inner(), "ababab");
        assert!(times.iter().all(|time| *time >= 0.0));
    }
}
