//! The work queue: one place a secret, however often and from wherever it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;

use crate::domain::{SecretId, Wish};
use crate::metrics::Metrics;
use crate::ports::{Clock, Hold, NEVER};

/// Secrets that wait for a pass, now or later. A secret that is in work waits until that pass ends.
#[derive(Debug)]
pub struct WorkQueue {
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: BTreeMap<SecretId, Waiting>,
    in_work: BTreeSet<SecretId>,
    /// When the last pass over each secret ended.
    finished: BTreeMap<SecretId, OffsetDateTime>,
    /// Keeps a simulated clock still from a change until the one who waits for work has seen it.
    unseen: Option<Hold>,
}

#[derive(Debug)]
struct Waiting {
    at: OffsetDateTime,
    wish: Option<Wish>,
}

/// One secret to pass over. [`WorkQueue::finish`] must be called for it.
#[derive(Debug)]
pub struct WorkItem {
    /// Which.
    pub secret: SecretId,
    /// What a person asked for.
    pub wish: Option<Wish>,
    /// Held to the end of the pass.
    pub hold: Hold,
}

impl WorkQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { clock, metrics, inner: Mutex::default(), changed: Notify::new() }
    }

    /// Asks for a pass over `secret` now; without a wish, not sooner than a moment after the last one.
    pub fn enqueue(&self, secret: &SecretId, wish: Option<Wish>) {
        let now = self.clock.now();
        let last = self.lock().finished.get(secret).copied().filter(|_| wish.is_none());
        self.add(secret, last.map_or(now, |last| now.max(last + SHORTEST_GAP)), wish);
    }

    /// Asks for a pass over `secret` at `moment`; an earlier one that is already asked for stands.
    pub fn enqueue_at(&self, secret: &SecretId, moment: OffsetDateTime) {
        self.add(secret, moment, None);
    }

    /// The next secret that is due, when there is one. The caller's hold is given up meanwhile.
    pub async fn next(&self) -> WorkItem {
        loop {
            let changed = self.changed.notified();
            let next_due = match self.pop() {
                Ok(item) => return item,
                Err(next_due) => next_due,
            };
            tokio::select! {
                biased;
                () = changed => {}
                () = self.clock.sleep_until(next_due) => {}
            }
        }
    }

    /// Ends the pass over `secret`, and asks for the next one.
    pub fn finish(&self, secret: &SecretId, next: Option<OffsetDateTime>, wish: Option<Wish>) {
        self.change(|inner| {
            inner.in_work.remove(secret);
            inner.finished.insert(secret.clone(), self.clock.now());
            if let Some(at) = next {
                inner.add(secret, at, wish);
            }
        });
    }

    fn add(&self, secret: &SecretId, at: OffsetDateTime, wish: Option<Wish>) {
        self.change(|inner| inner.add(secret, at, wish));
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.lock();
        change(&mut inner);
        inner.unseen.get_or_insert_with(|| self.clock.hold());
        self.metrics.queue_depth.set(inner.depth(self.clock.now()));
        drop(inner);
        self.changed.notify_waiters();
    }

    /// The earliest secret that is due, or when that will be.
    fn pop(&self) -> Result<WorkItem, OffsetDateTime> {
        let mut inner = self.lock();
        inner.unseen = None;
        let now = self.clock.now();
        let Some((secret, at)) = inner.earliest() else { return Err(NEVER) };
        if at > now {
            return Err(at);
        }
        let wish = inner.waiting.remove(&secret).and_then(|waiting| waiting.wish);
        inner.in_work.insert(secret.clone());
        self.metrics.queue_depth.set(inner.depth(now));
        Ok(WorkItem { secret, wish, hold: self.clock.hold() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn add(&mut self, secret: &SecretId, at: OffsetDateTime, wish: Option<Wish>) {
        let waiting = self.waiting.entry(secret.clone()).or_insert(Waiting { at, wish: None });
        waiting.at = waiting.at.min(at);
        waiting.wish = later(waiting.wish, wish);
    }

    /// What can be worked on and is in no worker's hands: the one that is due first.
    fn earliest(&self) -> Option<(SecretId, OffsetDateTime)> {
        let earliest = self.free().min_by_key(|(_, waiting)| waiting.at);
        earliest.map(|(secret, waiting)| (secret.clone(), waiting.at))
    }

    fn depth(&self, now: OffsetDateTime) -> i64 {
        let due = self.free().filter(|(_, waiting)| waiting.at <= now).count();
        i64::try_from(due).unwrap_or(i64::MAX)
    }

    fn free(&self) -> impl Iterator<Item = (&SecretId, &Waiting)> {
        self.waiting.iter().filter(|(secret, _)| !self.in_work.contains(*secret))
    }
}

/// Between two passes over a secret that nobody in particular asked for: events may come in floods.
const SHORTEST_GAP: Duration = Duration::seconds(20);

/// Two wishes are one: what meets the later one meets the earlier one too.
fn later(one: Option<Wish>, other: Option<Wish>) -> Option<Wish> {
    one.into_iter().chain(other).max_by_key(|wish| wish.at)
}
