//! The sandbox's clock: stands still while any hold is busy, then jumps to the next moment that a sleeper waits for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};
use tokio::sync::{Notify, oneshot};

use crate::ports::{Clock, Hold};

/// A clock that is moved, not one that runs. Clones share it.
#[derive(Debug, Clone)]
pub struct SandboxClock(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Notified when the mode, the sleepers or the holds change.
    changed: Notify,
}

#[derive(Debug)]
struct State {
    now: OffsetDateTime,
    mode: Mode,
    holds: usize,
    sleepers: BTreeMap<(OffsetDateTime, u64), oneshot::Sender<()>>,
    next_sleeper: u64,
}

#[derive(Debug, Clone, Copy)]
enum Mode {
    /// Time stands still.
    Frozen,
    /// Time jumps from sleeper to sleeper, as far as `limit`, whenever nothing is held.
    Jumping { limit: OffsetDateTime },
    /// Time runs at the real rate, starting at `at`.
    RealTime { since: Instant, at: OffsetDateTime },
}

impl SandboxClock {
    /// Creates a clock that shows `start` and stands still until it is started.
    #[must_use]
    pub fn new(start: OffsetDateTime) -> Self {
        let state =
            State { now: start, mode: Mode::Frozen, holds: 0, sleepers: BTreeMap::new(), next_sleeper: 0 };
        Self(Arc::new(Shared { state: Mutex::new(state), changed: Notify::new() }))
    }

    /// Jumps from sleeper to sleeper until `limit` is reached and no hold is busy.
    ///
    /// The caller must not own a hold: it would wait for itself. Afterwards the clock stands still.
    pub async fn run_until(&self, limit: OffsetDateTime) {
        self.0.set_mode(|_| Mode::Jumping { limit });
        loop {
            let changed = self.0.changed.notified();
            if matches!(self.0.lock().mode, Mode::Frozen) {
                return;
            }
            changed.await;
        }
    }

    /// Stops the clock; a run in progress ends at its current time.
    pub fn freeze(&self) {
        self.0.set_mode(|_| Mode::Frozen);
    }

    /// Lets time run at the real rate from now on; [`Self::tick`] must be running.
    pub fn go_real_time(&self) {
        self.0.set_mode(|state| Mode::RealTime { since: Instant::now(), at: state.now() });
    }

    /// Jumps ahead by `by`, waking each sleeper on time, then runs on at the real rate.
    pub async fn advance(&self, by: Duration) {
        let limit = self.now().saturating_add(by);
        self.run_until(limit).await;
        self.go_real_time();
    }

    /// Wakes sleepers while time runs at the real rate. Never returns; spawn it once.
    pub async fn tick(&self) {
        loop {
            let changed = self.0.changed.notified();
            let next = self.0.wake_in_real_time();
            tokio::select! {
                () = changed => {}
                () = real_sleep(next) => {}
            }
        }
    }
}

/// Waits in real time, which drives the sandbox's time in this mode.
async fn real_sleep(duration: std::time::Duration) {
    let deadline = tokio::time::Instant::now() + duration;
    tokio::time::sleep_until(deadline).await;
}

#[async_trait]
impl Clock for SandboxClock {
    fn now(&self) -> OffsetDateTime {
        self.0.lock().now()
    }

    async fn sleep_until(&self, deadline: OffsetDateTime) {
        let Some((mut asleep, woken)) = self.0.fall_asleep(deadline) else {
            return tokio::task::yield_now().await;
        };
        // An error is not possible: the sender is dropped only by sending, or with `asleep` below.
        let _ = woken.await;
        asleep.woken = true;
    }

    fn hold(&self) -> Hold {
        self.0.lock().holds += 1;
        let shared = Arc::clone(&self.0);
        Hold::new(move || shared.release())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_mode(&self, mode: impl FnOnce(&State) -> Mode) {
        let mut state = self.lock();
        state.now = state.now();
        state.mode = mode(&state);
        state.settle();
        drop(state);
        self.changed.notify_waiters();
    }

    fn release(&self) {
        let mut state = self.lock();
        state.holds = state.holds.saturating_sub(1);
        state.settle();
        drop(state);
        self.changed.notify_waiters();
    }

    fn fall_asleep(self: &Arc<Self>, deadline: OffsetDateTime) -> Option<(Asleep, oneshot::Receiver<()>)> {
        let mut state = self.lock();
        if deadline <= state.now() {
            return None;
        }
        let (wake, woken) = oneshot::channel();
        let key = (deadline, state.next_sleeper);
        state.next_sleeper += 1;
        state.sleepers.insert(key, wake);
        state.holds = state.holds.saturating_sub(1);
        state.settle();
        drop(state);
        self.changed.notify_waiters();
        Some((Asleep { shared: Arc::clone(self), key, woken: false }, woken))
    }

    /// Wakes the sleepers that are due, and returns the time until the next one is due (at most a minute).
    fn wake_in_real_time(&self) -> std::time::Duration {
        let mut state = self.lock();
        let Mode::RealTime { .. } = state.mode else { return MAX_TICK };
        state.wake_due();
        let now = state.now();
        let next = state.sleepers.first_key_value().map(|((deadline, _), _)| *deadline - now);
        next.and_then(|wait| wait.try_into().ok()).unwrap_or(MAX_TICK).min(MAX_TICK)
    }
}

impl State {
    fn now(&self) -> OffsetDateTime {
        match self.mode {
            Mode::Frozen | Mode::Jumping { .. } => self.now,
            Mode::RealTime { since, at } => {
                at.saturating_add(since.elapsed().try_into().unwrap_or(Duration::MAX))
            }
        }
    }

    /// Moves the clock if no hold is left. Called by each hold that is released.
    fn settle(&mut self) {
        let Mode::Jumping { limit } = self.mode else { return };
        if self.holds > 0 {
            return;
        }
        match self.sleepers.first_key_value() {
            Some((&(deadline, _), _)) if deadline <= limit => {
                self.now = self.now.max(deadline);
                self.wake_due();
            }
            Some(_) | None => {
                self.now = self.now.max(limit);
                self.mode = Mode::Frozen;
            }
        }
    }

    /// Gives a hold to each sleeper that is due, and wakes it.
    fn wake_due(&mut self) {
        let now = self.now();
        while let Some(entry) = self.sleepers.first_entry() {
            if entry.key().0 > now {
                break;
            }
            self.holds += 1;
            // The receiver is gone only while an `Asleep` is being dropped, which then keeps the hold.
            let _ = entry.remove().send(());
        }
    }
}

/// A sleeper. If dropped before it is due, it gets its hold back.
struct Asleep {
    shared: Arc<Shared>,
    key: (OffsetDateTime, u64),
    woken: bool,
}

impl Drop for Asleep {
    fn drop(&mut self) {
        if self.woken {
            return;
        }
        let mut state = self.shared.lock();
        if state.sleepers.remove(&self.key).is_some() {
            state.holds += 1;
        }
    }
}

const MAX_TICK: std::time::Duration = std::time::Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const START: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    /// The clock stands still while a hold is busy and jumps to the next wake-up once every hold sleeps.
    #[tokio::test]
    async fn clock_jumps_only_when_all_holds_sleep() {
        let clock = SandboxClock::new(START);
        let hold = clock.hold();
        let (sleeper, days) = (clock.clone(), Duration::days(3));
        let task = async move {
            sleeper.sleep_until(START + days).await;
            let seen = sleeper.now();
            drop(hold);
            seen
        };
        let (seen, ()) = tokio::join!(task, clock.run_until(START + Duration::days(5)));
        assert_eq!(seen, START + days);
        assert_eq!(clock.now(), START + Duration::days(5));
    }

    /// A sleep that is cancelled keeps its hold on the clock until the hold is dropped.
    #[tokio::test]
    async fn cancelled_sleep_keeps_its_hold() {
        let clock = SandboxClock::new(START);
        let hold = clock.hold();
        tokio::select! {
            biased;
            () = clock.sleep_until(START + Duration::days(1)) => {}
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(clock.0.lock().holds, 1);
        drop(hold);
        assert_eq!(clock.0.lock().holds, 0);
    }

    /// In real time, `advance` jumps over a sleeper's wake-up time and wakes it.
    #[tokio::test]
    async fn advance_wakes_a_real_time_sleeper() {
        let clock = SandboxClock::new(START);
        clock.go_real_time();
        let hold = clock.hold();
        let task = async {
            clock.sleep_until(START + Duration::hours(1)).await;
            drop(hold);
        };
        tokio::join!(task, clock.advance(Duration::hours(2)));
        assert!(clock.now() >= START + Duration::hours(2));
    }
}
