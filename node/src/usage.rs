//! What a process uses of the machine, as Linux tells it under `/proc`.

use std::fs;

/// What a process has used so far.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Processor time, user and system, in ms.
    pub cpu_ms: u64,
    /// Resident memory now, in bytes.
    pub memory: u64,
    /// The most resident memory so far, in bytes.
    pub memory_max: u64,
}

impl Usage {
    /// Of the process with this number; zeros where `/proc` does not tell.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        Self::under(&pid.to_string())
    }

    /// Of this process.
    #[must_use]
    pub fn own() -> Self {
        Self::under("self")
    }

    fn under(process: &str) -> Self {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        Self {
            cpu_ms: processor_ms(process).unwrap_or(0),
            memory: bytes(&status, "VmRSS:").unwrap_or(0),
            memory_max: bytes(&status, "VmHWM:").unwrap_or(0),
        }
    }
}

/// A line of a process's status that is given in KiB.
fn bytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    kib.checked_mul(1024)
}

fn processor_ms(process: &str) -> Option<u64> {
    /// The unit of /proc's times: Linux shows 100 a second to programs, whatever the kernel counts.
    const TICK_MS: u64 = 10;
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in brackets may hold spaces; utime and stime are the 12th and 13th field after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    user.checked_add(system)?.checked_mul(TICK_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_one_that_is_not_there_nothing() {
        let own = Usage::own();
        assert!(own.memory > 0 && own.memory <= own.memory_max, "{own:?}");
        assert_eq!(Usage::of(u32::MAX), Usage::default());
    }

    #[test]
    fn processor_time_grows_with_work() {
        let before = Usage::own().cpu_ms;
        let mut number = 1u64;
        while Usage::own().cpu_ms < before + 50 {
            number = number.wrapping_mul(3);
        }
        assert!(number % 2 == 1);
    }
}
