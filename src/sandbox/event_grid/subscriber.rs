//! The state of one subscription: its handshake, the events it gathers, and the batches that are due.

use std::collections::BTreeMap;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::batch::Batch;
use super::endpoint::Endpoint;
use super::event::Event;
use super::notice::Provisioned;
use super::outcome::Outcome;
use super::subscription::{Subscription, first_version_sent};
use crate::ports::FAR_FUTURE;

/// A subscription and everything still to be sent to it.
pub(super) struct Subscriber {
    pub(super) subscription: Subscription,
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) standing: Standing,
    /// The token that the validation URL must contain.
    pub(super) token: String,
    /// The id that distinguishes subscriptions of the same name; a change to a subscription keeps it.
    pub(super) incarnation: Uuid,
    /// True if it got events before it was last changed.
    was_live: bool,
    /// The time from which versions count; those put earlier are ignored.
    sends_since: OffsetDateTime,
    /// Events that wait for others to share their batch, with their total size and the time at which the wait ends.
    gathering: Vec<Event>,
    gathered_bytes: usize,
    gathered_at: OffsetDateTime,
    batches: BTreeMap<(OffsetDateTime, u64), Batch>,
    next_id: u64,
    /// True while a batch is in flight; only one is sent at a time.
    is_sending: bool,
    failures_in_a_row: u32,
    rests_until: OffsetDateTime,
}

/// The state of the handshake.
pub(super) enum Standing {
    /// The endpoint was asked; the caller that created the subscription waits.
    Asked(oneshot::Sender<Provisioned>),
    /// The validation URL has to be opened before this time.
    AwaitingManualAction(OffsetDateTime, oneshot::Sender<Provisioned>),
    /// Asked repeatedly: the attempts so far, and the time of the next (`FAR_FUTURE` while an answer is awaited).
    Patient(usize, OffsetDateTime),
    Succeeded,
    Failed(String),
}

impl Subscriber {
    pub(super) fn new(
        subscription: Subscription,
        endpoint: Endpoint,
        standing: Standing,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            was_live: false,
            sends_since: first_version_sent(now, subscription.is_patient()),
            subscription,
            endpoint: Arc::new(endpoint),
            standing,
            token: Uuid::new_v4().simple().to_string(),
            incarnation: Uuid::new_v4(),
            gathering: Vec::new(),
            gathered_bytes: 0,
            gathered_at: FAR_FUTURE,
            batches: BTreeMap::new(),
            next_id: 0,
            is_sending: false,
            failures_in_a_row: 0,
            rests_until: OffsetDateTime::UNIX_EPOCH,
        }
    }

    /// Continues the state of the subscription of the same name from before it was changed.
    pub(super) fn take_over(&mut self, old: Self) {
        self.was_live = old.is_live();
        if !self.was_live {
            return;
        }
        self.incarnation = old.incarnation;
        self.sends_since = old.sends_since;
        self.gathering = old.gathering;
        self.gathered_at = old.gathered_at;
        self.gathered_bytes = old.gathered_bytes;
        self.batches = old.batches;
        self.next_id = old.next_id;
        self.is_sending = old.is_sending;
    }

    pub(super) fn wants(&self, event: &Event) -> bool {
        let is_in_time = event.version_created >= self.sends_since;
        self.is_live() && is_in_time && self.subscription.filter.accepts(event)
    }

    /// Returns true if events are delivered or kept. While a change is being validated, they are kept for later.
    fn is_live(&self) -> bool {
        match self.standing {
            Standing::Patient(..) | Standing::Succeeded => true,
            Standing::Asked(_) | Standing::AwaitingManualAction(..) => self.was_live,
            Standing::Failed(_) => false,
        }
    }

    /// Adds an event to the open batch. `bytes` is its serialized length.
    pub(super) fn gather(
        &mut self,
        event: Event,
        bytes: usize,
        now: OffsetDateTime,
        rng: &mut fastrand::Rng,
    ) {
        let batching = self.subscription.batching();
        if self.gathered_bytes + bytes > batching.preferred_bytes {
            self.close_batch(now, rng);
        }
        self.gathering.push(event);
        self.gathered_bytes += bytes;
        self.gathered_at = self.gathered_at.min(now + batching.wait);
        if self.gathering.len() >= batching.max_events {
            self.close_batch(now, rng);
        }
    }

    /// Queues the open batch. Occasionally its events are in another order, are sent twice, or are late.
    pub(super) fn close_batch(&mut self, now: OffsetDateTime, rng: &mut fastrand::Rng) {
        let mut events = std::mem::take(&mut self.gathering);
        (self.gathered_at, self.gathered_bytes) = (FAR_FUTURE, 0);
        if events.is_empty() {
            return;
        }
        let is_disordered = rng.u8(0..5) == 0;
        if is_disordered {
            rng.shuffle(&mut events);
        }
        if rng.u8(0..20) == 0 {
            self.queue(now + Duration::seconds(30), Batch::new(events.clone(), now));
        }
        let is_alone = self.subscription.batching().max_events == 1;
        let late = Duration::seconds(if is_disordered && is_alone { rng.i64(1..=30) } else { 0 });
        self.queue(now + late, Batch::new(events, now));
    }

    pub(super) fn queue(&mut self, due: OffsetDateTime, batch: Batch) {
        self.batches.insert((due, self.next_id), batch);
        self.next_id += 1;
    }

    pub(super) fn is_gathered(&self, now: OffsetDateTime) -> bool {
        self.gathered_at <= now
    }

    /// Removes and returns the batches due now whose time to live ended while the endpoint was backed off or
    /// unreachable.
    pub(super) fn take_outlived(&mut self, now: OffsetDateTime) -> Vec<Batch> {
        if self.next_delivery().is_none_or(|due| due > now) {
            return Vec::new();
        }
        let retry = self.subscription.retry;
        let later = self.batches.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut self.batches, later).into_iter();
        let (outlived, young): (BTreeMap<_, _>, BTreeMap<_, _>) =
            due.partition(|(_, batch)| batch.has_outlived(retry, now));
        self.batches.extend(young);
        outlived.into_values().collect()
    }

    /// Removes and returns the next batch to send, which then counts as in flight until [`Self::sent`].
    pub(super) fn take_due(&mut self, now: OffsetDateTime) -> Option<Batch> {
        if self.next_delivery().is_none_or(|due| due > now) {
            return None;
        }
        self.is_sending = true;
        self.batches.pop_first().map(|(_, batch)| batch)
    }

    /// Records an outcome. After ten failures in a row the whole endpoint is backed off for a while, for new events
    /// too.
    pub(super) fn sent(&mut self, outcome: Outcome, now: OffsetDateTime) {
        self.is_sending = false;
        if outcome == Outcome::Delivered {
            return self.recovered(now);
        }
        self.failures_in_a_row += 1;
        if self.failures_in_a_row >= FAILURES_BEFORE_REST {
            self.rests_until = now + REST;
        }
    }

    pub(super) fn recovered(&mut self, now: OffsetDateTime) {
        (self.failures_in_a_row, self.rests_until) = (0, now);
    }

    /// Returns the next time at which there is work.
    pub(super) fn next_moment(&self) -> Option<OffsetDateTime> {
        let standing = match &self.standing {
            Standing::Patient(_, due) => Some(*due),
            Standing::AwaitingManualAction(until, _) => Some(*until),
            Standing::Asked(_) | Standing::Succeeded | Standing::Failed(_) => None,
        };
        [standing, Some(self.gathered_at), self.next_delivery()].into_iter().flatten().min()
    }

    fn next_delivery(&self) -> Option<OffsetDateTime> {
        let is_ready = matches!(self.standing, Standing::Succeeded) && !self.is_sending;
        let first = self.batches.first_key_value().filter(|_| is_ready);
        first.map(|((due, _), _)| (*due).max(self.rests_until))
    }
}

/// The failures before back-off, documented as "the first ten".
const FAILURES_BEFORE_REST: u32 = 10;

/// The back-off time, documented as up to several hours.
const REST: Duration = Duration::hours(1);
