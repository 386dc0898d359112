//! How many passes work at a time. Whoever leaves hands its place on together with a hold on the clock: otherwise a
//! sandbox's time would run on between the two, to whatever comes next.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use time::Duration;
use tokio::sync::oneshot;

use crate::ports::{Clock, Hold, sleep, unheld};

/// Places for so many passes.
#[derive(Debug)]
pub(super) struct Places {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// In the order in which they came.
    waiting: VecDeque<oneshot::Sender<(Place, Hold)>>,
}

/// The place of one pass, given up when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    /// Not while its pass sleeps.
    is_taken: AtomicBool,
}

impl Places {
    /// At least one.
    pub(super) fn new(clock: Arc<dyn Clock>, places: usize) -> Arc<Self> {
        let state = State { free: places.max(1), waiting: VecDeque::new() };
        Arc::new(Self { clock, state: Mutex::new(state) })
    }

    /// Waits for a place, with the caller's hold given up. Whoever comes first has the first one.
    pub(super) async fn take(self: &Arc<Self>) -> Place {
        let Some(handed_on) = self.queue_up() else { return Place::of(self) };
        match unheld(&*self.clock, handed_on).await {
            // The caller has its own hold again; that of whoever left ends here.
            Ok((place, _held)) => place,
            // Not possible: the sender is dropped only by sending.
            Err(_) => Place::of(self),
        }
    }

    /// `None`: there is a place, and it is taken.
    fn queue_up(&self) -> Option<oneshot::Receiver<(Place, Hold)>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.free > 0 {
            state.free -= 1;
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        state.waiting.push_back(sender);
        Some(receiver)
    }

    /// Whoever is not waiting any more drops what it was sent, and that gives the place to the next one.
    fn give(self: &Arc<Self>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(next) = state.waiting.pop_front() else {
            state.free += 1;
            return;
        };
        drop(state);
        drop(next.send((Place::of(self), self.clock.hold())));
    }
}

impl Place {
    fn of(places: &Arc<Places>) -> Self {
        Self { places: Arc::clone(places), is_taken: AtomicBool::new(true) }
    }

    /// Sleeps with the place given to another: many secrets may wait for Entra at a time.
    pub(super) async fn step_aside(&self, duration: Duration) {
        if self.is_taken.swap(false, Ordering::Relaxed) {
            self.places.give();
        }
        sleep(&*self.places.clock, duration).await;
        let other = self.places.take().await;
        other.is_taken.store(false, Ordering::Relaxed);
        self.is_taken.store(true, Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.is_taken.swap(false, Ordering::Relaxed) {
            self.places.give();
        }
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

    /// A clock at which nobody wakes; it counts the holds on it.
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

    fn places(places: usize) -> (Counting, Arc<Places>) {
        let clock = Counting::default();
        (clock.clone(), Places::new(Arc::new(clock), places))
    }

    #[test]
    fn time_stands_still_between_one_that_leaves_and_the_next_one() {
        let (clock, places) = places(1);
        let (first_hold, first) = (clock.hold(), places.take().now_or_never().unwrap());
        let (_second_hold, mut second) = (clock.hold(), Box::pin(places.take()));
        assert!((&mut second).now_or_never().is_none());
        assert_eq!(clock.holds(), 1, "who waits holds nothing");
        drop(first);
        drop(first_hold);
        assert_eq!(clock.holds(), 1, "the second has not run yet, and the clock waits for it");
        let _second = second.now_or_never().unwrap();
        assert_eq!(clock.holds(), 1, "the second's own");
    }

    #[test]
    fn who_waits_no_more_gives_its_place_to_the_next_one() {
        let (clock, places) = places(1);
        let holds = [clock.hold(), clock.hold(), clock.hold()];
        let first = places.take().now_or_never().unwrap();
        let (mut second, mut third) = (Box::pin(places.take()), Box::pin(places.take()));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        drop(first);
        drop(second);
        assert!(third.now_or_never().is_some());
        drop(holds);
        assert_eq!(clock.holds(), 0);
    }

    #[test]
    fn a_pass_that_sleeps_has_given_its_place_and_one_that_is_dropped_meanwhile_gives_no_second_one() {
        let (clock, places) = places(1);
        let _holds = [clock.hold(), clock.hold()];
        let first = places.take().now_or_never().unwrap();
        let mut aside = Box::pin(first.step_aside(Duration::MINUTE));
        assert!((&mut aside).now_or_never().is_none());
        let second = places.take().now_or_never().unwrap();
        drop(aside);
        drop(first);
        assert!(places.take().now_or_never().is_none(), "the second has the only place");
        drop(second);
        assert!(places.take().now_or_never().is_some());
    }
}
