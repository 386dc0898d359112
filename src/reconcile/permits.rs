//! The pass limiter: bounds the passes that run at the same time.
//!
//! A permit is handed on together with a hold on the clock: otherwise a sandbox's time would run on between the pass
//! that releases it and the pass that acquires it. Decides nothing about which secret comes next.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use time::Duration;
use tokio::sync::oneshot;

use crate::ports::{Clock, Hold, sleep, while_released};

/// The source of permits, one for each pass that may run.
#[derive(Debug)]
pub(super) struct PassLimiter {
    clock: Arc<dyn Clock>,
    state: Mutex<LimiterState>,
}

#[derive(Debug)]
struct LimiterState {
    free: usize,
    /// Passes that wait, in the order in which they asked.
    waiting: VecDeque<oneshot::Sender<(Permit, Hold)>>,
}

/// The permit of one pass, released when it is dropped.
#[derive(Debug)]
pub(super) struct Permit {
    limiter: Arc<PassLimiter>,
    /// False while its pass sleeps.
    is_held: AtomicBool,
}

impl PassLimiter {
    /// Returns a limiter with this many permits, at least one.
    pub(super) fn new(clock: Arc<dyn Clock>, permits: usize) -> Arc<Self> {
        let state = LimiterState { free: permits.max(1), waiting: VecDeque::new() };
        Arc::new(Self { clock, state: Mutex::new(state) })
    }

    /// Waits for a permit, first come, first served. The caller's hold on the clock is released while it waits.
    pub(super) async fn acquire(self: &Arc<Self>) -> Permit {
        let Some(handed_on) = self.queue_up() else { return Permit::of(self) };
        match while_released(&*self.clock, handed_on).await {
            // The caller has its own hold again; the one that came with the permit ends here.
            Ok((permit, _held)) => permit,
            // Not possible: the sender is dropped only by sending.
            Err(_) => Permit::of(self),
        }
    }

    /// Takes a free permit and returns `None`, or returns where the next permit will arrive.
    fn queue_up(&self) -> Option<oneshot::Receiver<(Permit, Hold)>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.free > 0 {
            state.free -= 1;
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        state.waiting.push_back(sender);
        Some(receiver)
    }

    /// Hands a permit to the next pass. If that pass no longer waits, the permit is dropped, and so handed on again.
    fn release(self: &Arc<Self>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(next) = state.waiting.pop_front() else {
            state.free += 1;
            return;
        };
        drop(state);
        drop(next.send((Permit::of(self), self.clock.hold())));
    }
}

impl Permit {
    fn of(limiter: &Arc<PassLimiter>) -> Self {
        Self { limiter: Arc::clone(limiter), is_held: AtomicBool::new(true) }
    }

    /// Sleeps with the permit released, so that many secrets can wait for Entra at the same time.
    pub(super) async fn sleep_released(&self, duration: Duration) {
        self.release();
        sleep(&*self.limiter.clock, duration).await;
        let other = self.limiter.acquire().await;
        other.is_held.store(false, Ordering::Relaxed);
        self.is_held.store(true, Ordering::Relaxed);
    }

    fn release(&self) {
        if self.is_held.swap(false, Ordering::Relaxed) {
            self.limiter.release();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use std::sync::atomic::AtomicIsize;

    use async_trait::async_trait;
    use futures::FutureExt as _;
    use time::OffsetDateTime;
    use time::macros::datetime;

    use super::*;

    /// A clock on which no sleeper wakes; it counts the holds on it.
    #[derive(Debug, Clone, Default)]
    struct Counting(Arc<AtomicIsize>);

    struct Asleep(Counting);

    impl Counting {
        fn add(&self, holds: isize) {
            self.0.fetch_add(holds, Ordering::Relaxed);
        }

        fn holds(&self) -> isize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Drop for Asleep {
        fn drop(&mut self) {
            self.0.add(1);
        }
    }

    #[async_trait]
    impl Clock for Counting {
        fn now(&self) -> OffsetDateTime {
            datetime!(2026-01-01 0:00 UTC)
        }

        async fn sleep_until(&self, _deadline: OffsetDateTime) {
            self.add(-1);
            let _asleep = Asleep(self.clone());
            std::future::pending::<()>().await;
        }

        fn hold(&self) -> Hold {
            self.add(1);
            let clock = self.clone();
            Hold::new(move || clock.add(-1))
        }
    }

    fn limiter(permits: usize) -> (Counting, Arc<PassLimiter>) {
        let clock = Counting::default();
        (clock.clone(), PassLimiter::new(Arc::new(clock), permits))
    }

    /// The simulated clock stands still from the release of a permit until the next waiter has run.
    #[test]
    fn clock_waits_between_permit_holders() {
        let (clock, limiter) = limiter(1);
        let (first_hold, first) = (clock.hold(), limiter.acquire().now_or_never().unwrap());
        let (_second_hold, mut second) = (clock.hold(), Box::pin(limiter.acquire()));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(clock.holds(), 1, "who waits holds nothing");
        drop(first);
        drop(first_hold);
        assert_eq!(clock.holds(), 1, "the second has not run yet, and the clock waits for it");
        let _second = second.now_or_never().unwrap();
        assert_eq!(clock.holds(), 1, "the second's own");
    }

    /// A waiter that gives up passes its permit on to the next one.
    #[test]
    fn cancelled_waiter_passes_permit_on() {
        let (clock, limiter) = limiter(1);
        let holds = [clock.hold(), clock.hold(), clock.hold()];
        let first = limiter.acquire().now_or_never().unwrap();
        let (mut second, mut third) = (Box::pin(limiter.acquire()), Box::pin(limiter.acquire()));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        drop(first);
        drop(second);
        assert!(third.now_or_never().is_some());
        drop(holds);
        assert_eq!(clock.holds(), 0);
    }

    /// A pass releases its permit when it sleeps and does not release it again afterwards.
    #[test]
    fn sleeping_pass_releases_permit_once() {
        let (clock, limiter) = limiter(1);
        let _holds = [clock.hold(), clock.hold()];
        let first = limiter.acquire().now_or_never().unwrap();
        let mut aside = Box::pin(first.sleep_released(Duration::MINUTE));
        assert!((&mut aside).now_or_never().is_none());
        let second = limiter.acquire().now_or_never().unwrap();
        drop(aside);
        drop(first);
        assert!(limiter.acquire().now_or_never().is_none(), "the second has the only permit");
        drop(second);
        assert!(limiter.acquire().now_or_never().is_some());
    }
}
