//! How often a client may ask.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

const SECOND_US: i64 = 1_000_000;

/// The `[api.limits]` table of a node's configuration: how often each client may ask.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsConfig {
    /// Requests that a client may make at once.
    #[serde(default = "burst")]
    pub burst: NonZeroU32,
    /// Requests that it may make per second in the long run.
    #[serde(default = "per_second")]
    pub per_second: NonZeroU32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { burst: burst(), per_second: per_second() }
    }
}

const fn burst() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(399)
}

const fn per_second() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(199)
}

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

impl From<LimitsConfig> for Limits {
    fn from(config: LimitsConfig) -> Self {
        Self::new(config.burst.get().into(), config.per_second.get().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_its_burst_then_its_rate_and_takes_nothing_from_others() {
        let config = LimitsConfig::default();
        let limits = Limits::from(config);
        for _ in 0..config.burst.get() {
            limits.take("a", 0).unwrap();
        }
        assert_eq!(limits.take("a", 0), Err(1));
        limits.take("b", 0).unwrap();
        for _ in 0..config.per_second.get() {
            limits.take("a", SECOND_US).unwrap();
        }
        assert_eq!(limits.take("a", SECOND_US), Err(1));
        // A clock that goes back gives nothing.
        assert_eq!(limits.take("a", 0), Err(1));
        assert_eq!(limits.take("a", SECOND_US), Err(1));
    }
}
