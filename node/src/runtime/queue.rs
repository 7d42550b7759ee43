//! Which jobs wait, and which of them a free thread does next.
//!
//! There are no timers: a free thread takes what waits at that moment. With little to do a job is done at once and alone, under
//! load batches grow by themselves, and since they are bounded, what comes meanwhile waits for one batch at most.

use std::collections::VecDeque;

use sudare_ledger::role::Lane;

/// The most jobs of a batch: more gain little, and a batch of so many takes some tens of milliseconds.
const TOGETHER_MAX: usize = 32;

/// Jobs by number.
#[derive(Debug)]
pub(super) struct Queue {
    gathered: VecDeque<u64>,
    prompt: VecDeque<u64>,
    background: VecDeque<u64>,
    threads: usize,
    /// Threads that do background work.
    in_background: usize,
    /// Jobs below this were started in the life of this process, and aren't again.
    next: u64,
}

/// What a thread does next.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Work {
    /// Jobs by number; several only of [`Lane::Gathered`].
    pub(super) jobs: Vec<u64>,
    /// How they were scheduled.
    pub(super) lane: Lane,
}

impl Queue {
    /// Nothing to do, for so many threads.
    pub(super) fn new(threads: usize) -> Self {
        Self {
            gathered: VecDeque::new(),
            prompt: VecDeque::new(),
            background: VecDeque::new(),
            threads: threads.max(1),
            in_background: 0,
            next: 0,
        }
    }

    /// Adds a job, unless it is known already. Numbers come in order.
    pub(super) fn add(&mut self, number: u64, lane: Lane) {
        if number < self.next {
            return;
        }
        self.next = number.saturating_add(1);
        match lane {
            Lane::Gathered => self.gathered.push_back(number),
            Lane::Prompt => self.prompt.push_back(number),
            Lane::Background => self.background.push_back(number),
        }
    }

    /// How many jobs wait.
    pub(super) fn len(&self) -> usize {
        self.gathered.len().saturating_add(self.prompt.len()).saturating_add(self.background.len())
    }

    /// The next work for a free thread, if there is some for it.
    pub(super) fn take(&mut self) -> Option<Work> {
        if !self.gathered.is_empty() {
            // Each thread gets its share, so that a burst is done on all cores.
            let share = self.gathered.len().div_ceil(self.threads).min(TOGETHER_MAX);
            let jobs = self.gathered.drain(..share).collect();
            return Some(Work { jobs, lane: Lane::Gathered });
        }
        if let Some(job) = self.prompt.pop_front() {
            return Some(Work { jobs: vec![job], lane: Lane::Prompt });
        }
        let most = self.threads.saturating_sub(1).max(1);
        if self.in_background >= most {
            return None;
        }
        let job = self.background.pop_front()?;
        self.in_background = self.in_background.saturating_add(1);
        Some(Work { jobs: vec![job], lane: Lane::Background })
    }

    /// A thread has done its work.
    pub(super) fn done(&mut self, lane: Lane) {
        if lane == Lane::Background {
            self.in_background = self.in_background.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(threads: usize, lanes: &[(Lane, u64)]) -> Queue {
        let mut queue = Queue::new(threads);
        let mut number = 0;
        for (lane, count) in lanes {
            for _ in 0..*count {
                queue.add(number, *lane);
                number += 1;
            }
        }
        queue
    }

    fn took(queue: &mut Queue) -> Option<Vec<u64>> {
        queue.take().map(|work| work.jobs)
    }

    #[test]
    fn what_peers_wait_for_comes_first_then_trades_then_the_rest() {
        let jobs = [(Lane::Background, 1), (Lane::Prompt, 2), (Lane::Gathered, 1)];
        let mut queue = queue(2, &jobs);
        assert_eq!(queue.len(), 4);
        let order: Vec<_> = std::iter::from_fn(|| took(&mut queue)).collect();
        assert_eq!(order, [[3], [1], [2], [0]]);
    }

    #[test]
    fn a_burst_is_shared_among_the_threads_in_batches_that_are_bounded() {
        let mut small = queue(4, &[(Lane::Gathered, 10)]);
        let shares: Vec<usize> =
            std::iter::from_fn(|| took(&mut small)).map(|jobs| jobs.len()).collect();
        assert_eq!(shares, [3, 2, 2, 1, 1, 1]);
        let mut large = queue(2, &[(Lane::Gathered, 1_000)]);
        assert_eq!(took(&mut large), Some((0..32).collect()));
        let mut one = queue(8, &[(Lane::Gathered, 1)]);
        assert_eq!(took(&mut one), Some(vec![0]));
    }

    #[test]
    fn each_free_thread_takes_a_leg_of_its_own_while_there_are_some() {
        for threads in 1..=16 {
            let mut queue = queue(threads, &[(Lane::Prompt, 16)]);
            let at_once: Vec<_> = (0..threads).map(|_| took(&mut queue).unwrap()).collect();
            let expected: Vec<_> = (0..16).take(threads).map(|job| vec![job]).collect();
            assert_eq!(at_once, expected);
            assert_eq!(queue.len(), 16 - threads);
        }
    }

    #[test]
    fn background_work_leaves_a_thread_free_and_goes_on_when_one_is_done() {
        let mut queue = queue(3, &[(Lane::Background, 4)]);
        assert_eq!((took(&mut queue), took(&mut queue)), (Some(vec![0]), Some(vec![1])));
        assert_eq!(took(&mut queue), None);
        queue.add(9, Lane::Prompt);
        assert_eq!(took(&mut queue), Some(vec![9]));
        queue.done(Lane::Prompt);
        assert_eq!(took(&mut queue), None);
        queue.done(Lane::Background);
        assert_eq!(took(&mut queue), Some(vec![2]));
        let mut alone = self::queue(1, &[(Lane::Background, 1)]);
        assert_eq!(took(&mut alone), Some(vec![0]), "one thread does everything");
    }

    #[test]
    fn a_job_is_added_once() {
        let mut queue = queue(1, &[(Lane::Prompt, 2)]);
        queue.add(1, Lane::Prompt);
        queue.add(2, Lane::Gathered);
        assert_eq!(queue.len(), 3);
    }
}
