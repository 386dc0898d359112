//! Rate limits: requests per minute for each caller, in real time.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// The requests of each caller in the last minute.
#[derive(Debug)]
pub struct RateLimits<K: Hash + Eq + Clone> {
    limiter: RateLimiter<K, HashMapStateStore<K>, DefaultClock>,
}

impl<K: Hash + Eq + Clone> RateLimits<K> {
    /// Makes limits without any request yet.
    #[must_use]
    pub fn new(requests_per_minute: NonZeroU32) -> Self {
        Self { limiter: RateLimiter::hashmap(Quota::per_minute(requests_per_minute)) }
    }

    /// Counts one more request of `caller`.
    ///
    /// # Errors
    /// There are too many requests; the time to wait.
    pub fn check(&self, caller: &K) -> Result<(), Duration> {
        if self.limiter.len() > MAX_CALLERS {
            self.limiter.retain_recent();
        }
        let now = DefaultClock::default().now();
        self.limiter.check_key(caller).map_err(|until| until.wait_time_from(now))
    }
}

/// Callers remembered at a time, before idle ones are forgotten.
const MAX_CALLERS: usize = 10_000;
