//! The work queue: one place a secret, however often and from wherever it is asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;

use crate::domain::{Command, SecretId};
use crate::metrics::Metrics;
use crate::ports::{Clock, FAR_FUTURE, Hold, while_released};

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
    /// The secrets that a pass works on, with the command that each pass has taken.
    in_work: BTreeMap<SecretId, Option<Command>>,
    /// When the last pass over each secret ended.
    finished: BTreeMap<SecretId, OffsetDateTime>,
    /// The number of requests so far; a pass serves those that were made before it began.
    asked: u64,
    /// The number of requests when the pass in work, and the last one that ended, began.
    begun_at: BTreeMap<SecretId, u64>,
    met: BTreeMap<SecretId, u64>,
    /// Keeps a simulated clock still from a change until the task that waits for work has seen it.
    unseen: Option<Hold>,
}

#[derive(Debug)]
struct Waiting {
    at: OffsetDateTime,
    command: Option<Command>,
    /// True if the command comes from a pass that could not complete it yet.
    tried: bool,
}

/// A command that is not completed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuedCommand {
    /// The command, with the time at which it was requested.
    pub command: Command,
    /// True if a pass has ended without completing it. It is tried again.
    pub tried: bool,
}

/// The receipt for a request: shows when a pass over the secret that began after the request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// One secret to pass over. [`WorkQueue::finish`] must be called for it.
#[derive(Debug)]
pub struct WorkItem {
    /// The secret.
    pub secret: SecretId,
    /// The command of a person, if one is pending.
    pub command: Option<Command>,
    /// Held to the end of the pass.
    pub hold: Hold,
}

impl WorkQueue {
    /// Returns an empty queue.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { clock, metrics, inner: Mutex::default(), changed: Notify::new() }
    }

    /// Asks for a pass over `secret`, not sooner than a moment after the last one.
    pub fn enqueue(&self, secret: &SecretId) -> Ticket {
        let now = self.clock.now();
        let last = self.lock().finished.get(secret).copied();
        self.add(secret, last.map_or(now, |last| now.max(last + MIN_GAP)))
    }

    /// Asks for a pass over `secret` now that executes `command`.
    ///
    /// Only one command is kept: `on_replaced` is called with the command that gives way and the one that is kept,
    /// before anyone can see that the first is gone. It must not use the queue.
    pub fn enqueue_command(
        &self,
        secret: &SecretId,
        command: Command,
        on_replaced: impl FnOnce(Command, Command),
    ) {
        let now = self.clock.now();
        self.change(|inner| {
            inner.asked += 1;
            inner.add(secret, now, Some(command), on_replaced);
        });
    }

    /// Returns true if a pass over `secret` that began after the ticket was given has ended. A pass that a shutdown cut
    /// short counts too: a caller that relies on the result checks afterwards whether the shutdown has begun.
    #[must_use]
    pub fn is_met(&self, secret: &SecretId, ticket: Ticket) -> bool {
        self.lock().met.get(secret).is_some_and(|met| *met >= ticket.0)
    }

    /// Returns once [`Self::is_met`] is true. The caller's hold, if it has one, is given up meanwhile.
    pub async fn until_met(&self, secret: &SecretId, ticket: Ticket) {
        loop {
            let changed = self.changed.notified();
            if self.is_met(secret, ticket) {
                return;
            }
            changed.await;
        }
    }

    /// Returns when anything changes after this call.
    pub async fn until_changed(&self) {
        self.changed.notified().await;
    }

    /// Asks for a pass over `secret` at `moment`; an earlier one that is already asked for stands.
    pub fn enqueue_at(&self, secret: &SecretId, moment: OffsetDateTime) {
        self.add(secret, moment);
    }

    /// Returns the next secret that is due, once there is one. The caller's hold is given up meanwhile.
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

    /// Ends the pass over `secret`, and asks for the next one, with the command that is still to be done. `on_replaced`
    /// is as in [`Self::enqueue_command`].
    pub fn finish(
        &self,
        secret: &SecretId,
        next: Option<OffsetDateTime>,
        command: Option<Command>,
        on_replaced: impl FnOnce(Command, Command),
    ) {
        self.change(|inner| {
            inner.in_work.remove(secret);
            if let Some(begun_at) = inner.begun_at.remove(secret) {
                inner.met.insert(secret.clone(), begun_at);
            }
            inner.finished.insert(secret.clone(), self.clock.now());
            if let Some(at) = next {
                inner.add(secret, at, command, on_replaced);
                inner.note_try(secret, command);
            }
        });
    }

    /// Returns once no pass is in work and none is asked for within `horizon`. The caller's hold is given up meanwhile.
    pub async fn settled(&self, horizon: Duration) {
        loop {
            let changed = self.changed.notified();
            if self.is_settled(horizon) {
                return;
            }
            while_released(&*self.clock, changed).await;
        }
    }

    /// Returns the command for `secret` that no pass has completed yet.
    #[must_use]
    pub fn pending_command(&self, secret: &SecretId) -> Option<QueuedCommand> {
        self.lock().queued(secret).next()
    }

    /// Returns the pending command that stands for `command`: the same, or a later one of its kind.
    #[must_use]
    pub fn pending(&self, secret: &SecretId, command: Command) -> Option<QueuedCommand> {
        self.lock().queued(secret).find(|queued| command.is_merged_into(queued.command))
    }

    fn is_settled(&self, horizon: Duration) -> bool {
        let (inner, until) = (self.lock(), self.clock.now().saturating_add(horizon));
        inner.in_work.is_empty() && inner.waiting.values().all(|waiting| waiting.at > until)
    }

    fn add(&self, secret: &SecretId, at: OffsetDateTime) -> Ticket {
        self.change(|inner| {
            inner.add(secret, at, None, |_, _| ());
            inner.asked += 1;
            Ticket(inner.asked)
        })
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let result = change(&mut inner);
        inner.unseen.get_or_insert_with(|| self.clock.hold());
        self.metrics.workqueue_depth.set(inner.depth(self.clock.now()));
        drop(inner);
        self.changed.notify_waiters();
        result
    }

    /// Takes the earliest secret that is due; otherwise returns the time at which one will be.
    fn pop(&self) -> Result<WorkItem, OffsetDateTime> {
        let mut inner = self.lock();
        inner.unseen = None;
        let now = self.clock.now();
        let Some((secret, at)) = inner.earliest() else { return Err(FAR_FUTURE) };
        if at > now {
            return Err(at);
        }
        let command = inner.waiting.remove(&secret).and_then(|waiting| waiting.command);
        inner.in_work.insert(secret.clone(), command);
        let asked = inner.asked;
        inner.begun_at.insert(secret.clone(), asked);
        self.metrics.workqueue_depth.set(inner.depth(now));
        Ok(WorkItem { secret, command, hold: self.clock.hold() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn queued(&self) -> Option<QueuedCommand> {
        Some(QueuedCommand { command: self.command?, tried: self.tried })
    }
}

impl Inner {
    fn add(
        &mut self,
        secret: &SecretId,
        at: OffsetDateTime,
        command: Option<Command>,
        on_replaced: impl FnOnce(Command, Command),
    ) {
        let none = Waiting { at, command: None, tried: false };
        let waiting = self.waiting.entry(secret.clone()).or_insert(none);
        waiting.at = waiting.at.min(at);
        waiting.tried &= command.is_none();
        let wanted = waiting.command.into_iter().chain(command);
        waiting.command = wanted.clone().reduce(Command::combined_with);
        let Some(kept) = waiting.command else { return };
        if let Some(replaced) = wanted.into_iter().find(|command| command.kind.label() != kept.kind.label()) {
            on_replaced(replaced, kept);
        }
    }

    /// Returns the pending commands of `secret`: the waiting one, then the one that a pass works on.
    fn queued(&self, secret: &SecretId) -> impl Iterator<Item = QueuedCommand> {
        let waiting = self.waiting.get(secret).and_then(Waiting::queued);
        let in_work = self.in_work.get(secret).copied().flatten();
        waiting.into_iter().chain(in_work.map(|command| QueuedCommand { command, tried: false }))
    }

    /// Notes that a pass has given `command` back; another one that was asked for meanwhile has not been tried.
    fn note_try(&mut self, secret: &SecretId, command: Option<Command>) {
        if let Some(waiting) = self.waiting.get_mut(secret) {
            waiting.tried = command.is_some() && waiting.command == command;
        }
    }

    /// Returns the secret that is due first, and its time, among those that no pass works on.
    fn earliest(&self) -> Option<(SecretId, OffsetDateTime)> {
        let earliest = self.free().min_by_key(|(_, waiting)| waiting.at);
        earliest.map(|(secret, waiting)| (secret.clone(), waiting.at))
    }

    fn depth(&self, now: OffsetDateTime) -> i64 {
        let due = self.free().filter(|(_, waiting)| waiting.at <= now).count();
        i64::try_from(due).unwrap_or(i64::MAX)
    }

    fn free(&self) -> impl Iterator<Item = (&SecretId, &Waiting)> {
        self.waiting.iter().filter(|(secret, _)| !self.in_work.contains_key(*secret))
    }
}

/// The pause before another pass over a secret, unless a command asks for it: events may come in floods.
const MIN_GAP: Duration = Duration::seconds(20);
