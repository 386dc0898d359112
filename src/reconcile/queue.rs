//! The work queue: one place a secret, however often and from wherever it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime};
use tokio::sync::Notify;

use crate::domain::{Command, CommandProgress, PendingCommand, PendingCommands, ReplacedCommand, SecretId};
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
    /// The secrets that a pass is asked for, and when each is due.
    waiting: BTreeMap<SecretId, OffsetDateTime>,
    /// The secrets that a pass works on.
    in_work: BTreeSet<SecretId>,
    /// The commands that are not completed yet, of the secrets that have any.
    commands: BTreeMap<SecretId, PendingCommands>,
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

/// The receipt for a request: shows when a pass over the secret that began after the request has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// One secret to pass over. [`WorkQueue::finish`] must be called for it.
#[derive(Debug)]
pub struct WorkItem {
    /// The secret.
    pub secret: SecretId,
    /// The person's command whose turn it is, if any is pending.
    pub command: Option<Command>,
    /// True if an earlier pass has left that command half done.
    pub is_half_done: bool,
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

    /// Asks for a pass over `secret` now, and adds `command` to those that its passes work on.
    ///
    /// If it replaces another command, `on_replaced` is called before anyone can see that the other one is gone. It must
    /// not use the queue.
    pub fn enqueue_command(
        &self,
        secret: &SecretId,
        command: Command,
        on_replaced: impl FnOnce(ReplacedCommand),
    ) {
        let now = self.clock.now();
        self.change(|inner| {
            inner.asked += 1;
            inner.add(secret, now);
            if let Some(replaced) = inner.commands.entry(secret.clone()).or_default().add(command) {
                on_replaced(replaced);
            }
        });
    }

    /// Returns true if a pass over `secret` that began after the ticket was given has ended. A pass that a shutdown cut
    /// short counts too: a caller that relies on the result checks afterwards whether the shutdown has begun.
    #[must_use]
    pub fn is_met(&self, secret: &SecretId, ticket: Ticket) -> bool {
        self.lock().met.get(secret).is_some_and(|met| *met >= ticket.0)
    }

    /// Returns once [`Self::is_met`] is true. A simulated clock runs meanwhile only if the caller holds it nowhere.
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

    /// Ends the pass over `secret`, and asks for the next one at `next`: now, if another command's turn has come. A
    /// command that the pass worked on and `left` undone stays pending. `on_replaced` is as in
    /// [`Self::enqueue_command`].
    pub fn finish(
        &self,
        secret: &SecretId,
        next: Option<OffsetDateTime>,
        left: Option<CommandProgress>,
        on_replaced: impl FnOnce(ReplacedCommand),
    ) {
        let now = self.clock.now();
        self.change(|inner| {
            inner.in_work.remove(secret);
            if let Some(begun_at) = inner.begun_at.remove(secret) {
                inner.met.insert(secret.clone(), begun_at);
            }
            inner.finished.insert(secret.clone(), now);
            let is_next_in_turn = inner.end_command(secret, left, on_replaced);
            if let Some(at) = if is_next_in_turn { Some(now) } else { next } {
                inner.add(secret, at);
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

    /// Returns the commands for `secret` that are not completed yet: the one in work first, then the next in turn.
    #[must_use]
    pub fn pending_commands(&self, secret: &SecretId) -> Vec<PendingCommand> {
        self.lock().commands.get(secret).map(PendingCommands::list).unwrap_or_default()
    }

    /// Removes and returns every command, when no pass follows any more.
    #[must_use]
    pub fn drain_all_commands(&self) -> Vec<(SecretId, Command)> {
        let drained = self.change(|inner| std::mem::take(&mut inner.commands));
        let listed = drained.into_iter().map(|(secret, commands)| (secret, commands.list()));
        listed
            .flat_map(|(secret, commands)| {
                commands.into_iter().map(move |pending| (secret.clone(), pending.command))
            })
            .collect()
    }

    /// Removes and returns the commands for a secret that is not managed any more, but for one that a pass works on.
    #[must_use]
    pub fn drain_commands(&self, secret: &SecretId) -> Vec<Command> {
        self.change(|inner| {
            let Some(mut commands) = inner.commands.remove(secret) else { return Vec::new() };
            let drained = commands.drain();
            if commands.in_work().is_some() {
                inner.commands.insert(secret.clone(), commands);
            }
            drained
        })
    }

    fn is_settled(&self, horizon: Duration) -> bool {
        let (inner, until) = (self.lock(), self.clock.now().saturating_add(horizon));
        inner.in_work.is_empty() && inner.waiting.values().all(|at| *at > until)
    }

    fn add(&self, secret: &SecretId, at: OffsetDateTime) -> Ticket {
        self.change(|inner| {
            inner.add(secret, at);
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
        inner.waiting.remove(&secret);
        inner.in_work.insert(secret.clone());
        let taken = inner.commands.get_mut(&secret).and_then(PendingCommands::begin);
        let asked = inner.asked;
        inner.begun_at.insert(secret.clone(), asked);
        self.metrics.workqueue_depth.set(inner.depth(now));
        let is_half_done = taken.is_some_and(|taken| taken.is_half_done());
        let command = taken.map(|taken| taken.command);
        Ok(WorkItem { secret, command, is_half_done, hold: self.clock.hold() })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Asks for a pass at `at`; an earlier one that is already asked for stands.
    fn add(&mut self, secret: &SecretId, at: OffsetDateTime) {
        let due = self.waiting.entry(secret.clone()).or_insert(at);
        *due = at.min(*due);
    }

    /// Ends the work of a pass on its command. Returns true if it is another command's turn now.
    fn end_command(
        &mut self,
        secret: &SecretId,
        left: Option<CommandProgress>,
        on_replaced: impl FnOnce(ReplacedCommand),
    ) -> bool {
        let Some(mut commands) = self.commands.remove(secret) else { return false };
        let worked_on = commands.in_work();
        if let Some(replaced) = commands.end(left) {
            on_replaced(replaced);
        }
        let next = commands.next();
        if next.is_some() {
            self.commands.insert(secret.clone(), commands);
        }
        next.is_some() && next != worked_on.filter(|_| left.is_some())
    }

    /// Returns the secret that is due first, and its time, among those that no pass works on.
    fn earliest(&self) -> Option<(SecretId, OffsetDateTime)> {
        let earliest = self.free().min_by_key(|(_, at)| **at);
        earliest.map(|(secret, at)| (secret.clone(), *at))
    }

    fn depth(&self, now: OffsetDateTime) -> i64 {
        let due = self.free().filter(|(_, at)| **at <= now).count();
        i64::try_from(due).unwrap_or(i64::MAX)
    }

    fn free(&self) -> impl Iterator<Item = (&SecretId, &OffsetDateTime)> {
        self.waiting.iter().filter(|(secret, _)| !self.in_work.contains(*secret))
    }
}

/// The pause before another pass over a secret, unless a command asks for it: events may come in floods.
const MIN_GAP: Duration = Duration::seconds(20);
