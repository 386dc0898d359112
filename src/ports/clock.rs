//! The clock port: reads the time, waits for a moment, and holds a simulated clock still.

use std::fmt;
use std::future::Future;
use std::pin::pin;

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};

/// A moment that no run reaches: sleeping until then means "until something else happens".
pub const FAR_FUTURE: OffsetDateTime = time::macros::datetime!(9999-12-31 0:00 UTC);

/// Time as the daemon sees it: the system's or the sandbox's.
///
/// Code that works under a clock owns one [`Hold`] for each of its tasks. A simulated clock stands still while any hold
/// exists, so that no time-out fires early and no work falls behind.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns the present moment, in UTC.
    fn now(&self) -> OffsetDateTime;

    /// Waits until `now()` has reached `deadline`; returns at once if it already has.
    ///
    /// The caller's hold is released while it sleeps and taken back afterwards, also if the future is dropped half-way.
    /// So a task that sleeps must own exactly one hold.
    async fn sleep_until(&self, deadline: OffsetDateTime);

    /// Keeps a simulated clock still until the hold is dropped. Costs nothing on a real one.
    fn hold(&self) -> Hold;

    /// Reads the time again from where it comes from. Only a clock that follows another process has anything to do.
    async fn refresh(&self) {}
}

/// A hold that keeps a simulated clock from moving; released when dropped.
#[must_use = "a hold that is dropped at once holds nothing"]
pub struct Hold(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Hold {
    /// Returns the hold on a clock that can't be held.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Returns a hold that calls `release` once, when it ends.
    pub fn new(release: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(release)))
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(release) = self.0.take() {
            release();
        }
    }
}

impl fmt::Debug for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hold")
    }
}

/// Sleeps for `duration` of the clock's time.
pub async fn sleep(clock: &dyn Clock, duration: Duration) {
    clock.sleep_until(clock.now().saturating_add(duration)).await;
}

/// Waits for `work` with the caller's hold released: for results that another task has to produce.
pub async fn while_released<F: Future>(clock: &dyn Clock, work: F) -> F::Output {
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            output = &mut work => return output,
            () = clock.sleep_until(FAR_FUTURE) => {}
        }
    }
}
