//! CPU time of processes and of the machine, as the system counts it, in ticks.

use std::fs;

use super::Failed;
use super::clock::float;

/// CPU time used so far.
#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    /// By the processes asked about.
    processes: u64,
    /// By this process.
    own: u64,
    /// By whatever runs on the machine, and by its host while this machine would have run.
    busy: u64,
    /// All that the machine's cores could have given.
    all: u64,
}

impl Usage {
    /// CPU time used so far by these processes, and beside them.
    pub(super) fn now(processes: impl IntoIterator<Item = u32>) -> Result<Self, Failed> {
        let mut sum = 0u64;
        for pid in processes {
            sum = sum.saturating_add(of_process(&pid.to_string())?);
        }
        let text = read("/proc/stat")?;
        let line = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> =
            line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        // user, nice, system, idle, iowait, irq, softirq, steal; the guests' time after these is in user already.
        let [user, nice, system, idle, wait, irq, softirq, steal, ..] = ticks.as_slice() else {
            return Err(Failed::Wrong("/proc/stat reads differently on this system".into()));
        };
        let busy = [user, nice, system, irq, softirq, steal].into_iter().sum();
        let own = of_process("self")?;
        Ok(Self {
            processes: sum,
            own,
            busy,
            all: busy.saturating_add(*idle).saturating_add(*wait),
        })
    }

    /// The part of all cores, 0 to 1, that neither the processes nor this one used since `before`, but somebody else did.
    pub(super) fn elsewhere(&self, before: &Self) -> f64 {
        let ours = |one: &Self| one.processes.saturating_add(one.own);
        let busy = self.busy.saturating_sub(before.busy);
        let others = busy.saturating_sub(ours(self).saturating_sub(ours(before)));
        float(others) / float(self.all.saturating_sub(before.all).max(1))
    }
}

/// What a node's threads are for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Threads {
    /// Proofs are made, checked and opened.
    Jobs,
    /// Events are handled, logged and applied.
    Events,
    /// Everything else: the network, queries, upkeep of files.
    Others,
}

impl Threads {
    /// Of a thread with this name.
    fn named(name: &str) -> Self {
        if name.starts_with("sudare-job") {
            Self::Jobs
        } else if name.starts_with("sudare-events") {
            Self::Events
        } else {
            Self::Others
        }
    }
}

/// CPU time and memory of some processes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Processes {
    /// CPU time used so far, in ticks.
    ticks: u64,
    /// Of it the threads for jobs, and the threads for events.
    jobs: u64,
    events: u64,
    /// Memory that they have now, in bytes, pages that they share counted for each.
    pub(super) memory: u64,
}

impl Processes {
    /// Adds a process.
    pub(super) fn add(&mut self, pid: u32) -> Result<(), Failed> {
        self.ticks = self.ticks.saturating_add(of_process(&pid.to_string())?);
        self.add_threads(pid)?;
        let path = format!("/proc/{pid}/status");
        let text = read(&path)?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        let kib = kib.ok_or_else(|| Failed::Wrong(format!("{path} reads differently here")))?;
        self.memory = self.memory.saturating_add(kib.saturating_mul(1024));
        Ok(())
    }

    fn add_threads(&mut self, pid: u32) -> Result<(), Failed> {
        let folder = format!("/proc/{pid}/task");
        let entries = fs::read_dir(&folder);
        for entry in entries.map_err(|error| Failed::Wrong(format!("{folder}: {error}")))? {
            let Ok(entry) = entry else { continue };
            let thread = format!("{pid}/task/{}", entry.file_name().to_string_lossy());
            // A thread may have ended meanwhile; its time is lost.
            let Ok(name) = read(&format!("/proc/{thread}/comm")) else { continue };
            let Ok(ticks) = of_process(&thread) else { continue };
            match Threads::named(&name) {
                Threads::Jobs => self.jobs = self.jobs.saturating_add(ticks),
                Threads::Events => self.events = self.events.saturating_add(ticks),
                Threads::Others => {}
            }
        }
        Ok(())
    }

    /// CPU time used since `before`, in milliseconds.
    pub(super) fn cpu_ms(&self, before: &Self) -> f64 {
        milliseconds(self.ticks.saturating_sub(before.ticks))
    }

    /// The same of the threads that are for this.
    pub(super) fn cpu_ms_of(&self, before: &Self, threads: Threads) -> f64 {
        let of = |one: &Self| match threads {
            Threads::Jobs => one.jobs,
            Threads::Events => one.events,
            Threads::Others => one.ticks.saturating_sub(one.jobs).saturating_sub(one.events),
        };
        milliseconds(of(self).saturating_sub(of(before)))
    }
}

fn milliseconds(ticks: u64) -> f64 {
    float(ticks) * 1e3 / float(rustix::param::clock_ticks_per_second())
}

/// User and system time of a process, or of a thread as `pid/task/tid`, in ticks.
fn of_process(pid: &str) -> Result<u64, Failed> {
    let text = read(&format!("/proc/{pid}/stat"))?;
    // The name before the last bracket may hold anything.
    let fields = text.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let field = |number| fields.split_whitespace().nth(number)?.parse::<u64>().ok();
    let time = field(11).zip(field(12)).map(|(user, system)| user.saturating_add(system));
    time.ok_or_else(|| Failed::Wrong(format!("/proc/{pid}/stat reads differently on this system")))
}

fn read(path: &str) -> Result<String, Failed> {
    fs::read_to_string(path).map_err(|error| Failed::Wrong(format!("{path}: {error}")))
}

/// The most memory that a process had so far, KiB.
pub(super) fn peak_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_of_a_process_counts_as_its_own_and_not_as_elsewhere() {
        let before = Usage::now([]).unwrap();
        let began = super::super::clock::thread_ns();
        while super::super::clock::thread_ns() < began + 60_000_000 {}
        let after = Usage::now([]).unwrap();
        assert!(after.own > before.own);
        assert!((0.0..=1.0).contains(&after.elsewhere(&before)));
        let this = Usage::now([std::process::id()]).unwrap();
        assert!(this.processes >= after.own);
        let mut own = Processes::default();
        own.add(std::process::id()).unwrap();
        let none = Processes::default();
        assert!(own.cpu_ms(&none) >= 60.0 && own.memory > 1 << 20);
        assert!(own.cpu_ms_of(&none, Threads::Others) >= 60.0, "no thread here is a node's");
        assert_eq!(Threads::named("sudare-job-1\n"), Threads::Jobs);
        assert_eq!(Threads::named("sudare-events\n"), Threads::Events);
    }
}
