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
    /// With the command that each pass has taken.
    in_work: BTreeMap<SecretId, Option<Command>>,
    /// When the last pass over each secret ended.
    finished: BTreeMap<SecretId, OffsetDateTime>,
    /// Counts what is asked for; a pass meets what was asked for before it began.
    asked: u64,
    /// How much had been asked for when the pass in work, and the last one that ended, began.
    begun_at: BTreeMap<SecretId, u64>,
    met: BTreeMap<SecretId, u64>,
    /// Keeps a simulated clock still from a change until the one who waits for work has seen it.
    unseen: Option<Hold>,
}

#[derive(Debug)]
struct Waiting {
    at: OffsetDateTime,
    command: Option<Command>,
    /// Whether the command comes from a pass that could not meet it yet.
    tried: bool,
}

/// A command that is not completed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuedCommand {
    /// What was asked for, and when.
    pub command: Command,
    /// Whether a pass has ended without meeting it. It is tried again.
    pub tried: bool,
}

/// The right to be told when a pass over a secret has ended that began after it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// One secret to pass over. [`WorkQueue::finish`] must be called for it.
#[derive(Debug)]
pub struct WorkItem {
    /// Which.
    pub secret: SecretId,
    /// What a person asked for.
    pub command: Option<Command>,
    /// Held to the end of the pass.
    pub hold: Hold,
}

impl WorkQueue {
    /// An empty queue.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        Self { clock, metrics, inner: Mutex::default(), changed: Notify::new() }
    }

    /// Asks for a pass over `secret` now; without a command, not sooner than a moment after the last one.
    pub fn enqueue(&self, secret: &SecretId, command: Option<Command>) -> Ticket {
        let now = self.clock.now();
        let last = self.lock().finished.get(secret).copied().filter(|_| command.is_none());
        self.add(secret, last.map_or(now, |last| now.max(last + MIN_GAP)), command)
    }

    /// Whether a pass over `secret` that began after the ticket was given has ended. One that a shutdown cut short counts
    /// too: whoever relies on it asks whether that has begun, afterwards.
    #[must_use]
    pub fn is_met(&self, secret: &SecretId, ticket: Ticket) -> bool {
        self.lock().met.get(secret).is_some_and(|met| *met >= ticket.0)
    }

    /// Returns once [`Self::is_met`]. The caller's hold, if it has one, is given up meanwhile.
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
    pub fn finish(&self, secret: &SecretId, next: Option<OffsetDateTime>, command: Option<Command>) {
        self.change(|inner| {
            inner.in_work.remove(secret);
            if let Some(begun_at) = inner.begun_at.remove(secret) {
                inner.met.insert(secret.clone(), begun_at);
            }
            inner.finished.insert(secret.clone(), self.clock.now());
            if let Some(at) = next {
                inner.add(secret, at, command);
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

    /// What a person asked for `secret` and no pass has met yet.
    #[must_use]
    pub fn pending_command(&self, secret: &SecretId) -> Option<QueuedCommand> {
        let inner = self.lock();
        let in_work = inner
            .in_work
            .get(secret)
            .copied()
            .flatten()
            .map(|command| QueuedCommand { command, tried: false });
        let waiting = inner.waiting.get(secret);
        let waiting = waiting
            .and_then(|waiting| Some(QueuedCommand { command: waiting.command?, tried: waiting.tried }));
        waiting.or(in_work)
    }

    fn is_settled(&self, horizon: Duration) -> bool {
        let (inner, until) = (self.lock(), self.clock.now().saturating_add(horizon));
        inner.in_work.is_empty() && inner.waiting.values().all(|waiting| waiting.at > until)
    }

    fn add(&self, secret: &SecretId, at: OffsetDateTime, command: Option<Command>) -> Ticket {
        self.change(|inner| {
            inner.add(secret, at, command);
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

    /// The earliest secret that is due, or when that will be.
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

impl Inner {
    fn add(&mut self, secret: &SecretId, at: OffsetDateTime, command: Option<Command>) {
        let none = Waiting { at, command: None, tried: false };
        let waiting = self.waiting.entry(secret.clone()).or_insert(none);
        waiting.at = waiting.at.min(at);
        waiting.tried &= command.is_none();
        waiting.command = waiting.command.into_iter().chain(command).reduce(Command::combined_with);
    }

    /// A pass has given `command` back; another one that was asked for meanwhile has not been tried.
    fn note_try(&mut self, secret: &SecretId, command: Option<Command>) {
        if let Some(waiting) = self.waiting.get_mut(secret) {
            waiting.tried = command.is_some() && waiting.command == command;
        }
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
        self.waiting.iter().filter(|(secret, _)| !self.in_work.contains_key(*secret))
    }
}

/// Between two passes over a secret that nobody in particular asked for: events may come in floods.
const MIN_GAP: Duration = Duration::seconds(20);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use async_trait::async_trait;
    use futures::FutureExt as _;
    use time::macros::datetime;

    use super::*;
    use crate::domain::CommandKind;

    const NOW: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

    /// A clock that stands still.
    #[derive(Debug)]
    struct Still;

    #[async_trait]
    impl Clock for Still {
        fn now(&self) -> OffsetDateTime {
            NOW
        }

        async fn sleep_until(&self, deadline: OffsetDateTime) {
            if deadline > NOW {
                std::future::pending::<()>().await;
            }
        }

        fn hold(&self) -> Hold {
            Hold::none()
        }
    }

    fn queue() -> (WorkQueue, SecretId) {
        let queue = WorkQueue::new(Arc::new(Still), Arc::new(Metrics::new().unwrap()));
        (queue, "kv-1/app-foo".parse().unwrap())
    }

    fn command(kind: CommandKind, minute: i64) -> Command {
        Command { kind, at: NOW - Duration::HOUR + Duration::minutes(minute) }
    }

    #[test]
    fn of_two_commands_the_graver_one_stands_and_of_two_equal_ones_the_later() {
        let compromised = command(CommandKind::Compromised { all_credentials: false }, 0);
        let (earlier, later) = (command(CommandKind::Rotate, 1), command(CommandKind::Rotate, 2));
        for (given, stands) in [
            ([compromised, later], compromised),
            ([later, compromised], compromised),
            ([earlier, later], later),
            ([later, earlier], later),
            (
                [command(CommandKind::Pause, 1), command(CommandKind::Resume, 2)],
                command(CommandKind::Resume, 2),
            ),
            (
                [
                    command(CommandKind::Compromised { all_credentials: true }, 1),
                    command(compromised.kind, 2),
                ],
                command(CommandKind::Compromised { all_credentials: true }, 2),
            ),
        ] {
            let (queue, secret) = queue();
            for command in given {
                queue.enqueue(&secret, Some(command));
            }
            assert_eq!(queue.next().now_or_never().unwrap().command, Some(stands));
        }
    }

    #[test]
    fn it_is_settled_once_nothing_is_in_work_and_nothing_is_due_within_the_horizon() {
        let (queue, secret) = queue();
        let settled = || queue.settled(Duration::seconds(30)).now_or_never().is_some();
        assert!(settled(), "it is empty");
        queue.enqueue(&secret, None);
        assert!(!settled(), "a pass is due");
        let item = queue.next().now_or_never().unwrap();
        assert!(!settled(), "a pass is in work");
        queue.finish(&item.secret, Some(NOW + Duration::seconds(30)), None);
        assert!(!settled(), "the next one is due at the horizon");
    }

    #[test]
    fn whoever_waits_for_rest_is_told_when_the_last_pass_ends() {
        let (queue, secret) = queue();
        queue.enqueue(&secret, None);
        let mut waiting = std::pin::pin!(queue.settled(Duration::seconds(30)));
        assert!((&mut waiting).now_or_never().is_none());
        let item = queue.next().now_or_never().unwrap();
        queue.finish(&item.secret, Some(NOW + Duration::seconds(31)), None);
        assert!(waiting.now_or_never().is_some());
    }

    #[test]
    fn a_command_is_pending_until_a_pass_ends_without_giving_it_back() {
        let (queue, secret) = queue();
        let rotate = command(CommandKind::Rotate, 1);
        let pending = |tried| Some(QueuedCommand { command: rotate, tried });
        assert_eq!(queue.pending_command(&secret), None);
        queue.enqueue(&secret, Some(rotate));
        assert_eq!(queue.pending_command(&secret), pending(false));
        queue.next().now_or_never().unwrap();
        assert_eq!(queue.pending_command(&secret), pending(false));
        queue.finish(&secret, Some(NOW), Some(rotate));
        assert_eq!(queue.pending_command(&secret), pending(true));
        queue.enqueue(&secret, None);
        assert_eq!(queue.pending_command(&secret), pending(true), "an event asks for nothing else");
        queue.next().now_or_never().unwrap();
        queue.finish(&secret, Some(NOW), None);
        assert_eq!(queue.pending_command(&secret), None);
    }
}
