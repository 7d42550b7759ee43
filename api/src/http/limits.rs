//! How often a client may ask.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Requests that a client may make at once.
pub(super) const BURST: i64 = 400;
/// Requests that it may make per second in the long run.
pub(super) const PER_SECOND: i64 = 200;
const SECOND_US: i64 = 1_000_000;

/// What each client has left, in requests times microseconds. Clients are those of the configuration and users, so this can't grow.
#[derive(Debug)]
pub(super) struct Limits {
    burst: i64,
    per_second: i64,
    buckets: Mutex<BTreeMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: i64,
    at: i64,
}

impl Limits {
    /// Lets each client ask so many times at once, and per second in the long run.
    pub(super) const fn new(burst: i64, per_second: i64) -> Self {
        Self { burst, per_second, buckets: Mutex::new(BTreeMap::new()) }
    }

    /// Counts a request.
    ///
    /// # Errors
    ///
    /// The seconds after which the next one is taken.
    pub(super) fn take(&self, client: &str, now: i64) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full = self.burst.saturating_mul(SECOND_US);
        let bucket = buckets.entry(client.to_owned()).or_insert(Bucket { left: full, at: now });
        let passed = now.saturating_sub(bucket.at).max(0);
        bucket.left = bucket.left.saturating_add(passed.saturating_mul(self.per_second)).min(full);
        bucket.at = now.max(bucket.at);
        if bucket.left < SECOND_US {
            return Err(1);
        }
        bucket.left = bucket.left.saturating_sub(SECOND_US);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_its_burst_then_its_rate_and_takes_nothing_from_others() {
        let limits = Limits::new(BURST, PER_SECOND);
        for _ in 0..BURST {
            limits.take("a", 0).unwrap();
        }
        assert_eq!(limits.take("a", 0), Err(1));
        limits.take("b", 0).unwrap();
        for _ in 0..PER_SECOND {
            limits.take("a", SECOND_US).unwrap();
        }
        assert_eq!(limits.take("a", SECOND_US), Err(1));
        // A clock that goes back gives nothing.
        assert_eq!(limits.take("a", 0), Err(1));
        assert_eq!(limits.take("a", SECOND_US), Err(1));
    }
}
