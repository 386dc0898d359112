//! Event Grid: tells the daemon's webhook of new, nearly expired and expired versions, in sandbox time.
//!
//! First the validation handshake, until it is answered; then batches, tried again as Event Grid documents it.
//! Deliveries are at least once and in no certain order: now and then a batch is shuffled or sent twice.

mod batch;
mod event;
mod webhook;

use std::collections::BTreeMap;
use std::sync::Arc;

use time::{Duration, OffsetDateTime};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use self::batch::{Batch, HANDSHAKE_DELAYS, retry_delay};
use self::event::{Event, EventKind};
use self::webhook::Outcome;
pub(crate) use self::webhook::Webhook;
use super::azure::Addresses;
use super::clock::SandboxClock;
use super::model::{Happening, HappeningKind, Model, Version, VersionCreated};
use crate::ports::{Clock, Hold, NEVER};

/// How long before its end a version is "near expiry". Fixed, as in Key Vault.
const NEAR_EXPIRY: Duration = Duration::days(30);

/// A version that is born near its end is reported after this long.
const BORN_NEAR_EXPIRY: Duration = Duration::minutes(15);

const BATCH_TIME: Duration = Duration::minutes(1);

const BATCH_SIZE: usize = 50;

/// What Event Grid has to know. The hold keeps the clock still until it does.
pub(crate) enum Notice {
    /// A version was put.
    Created(VersionCreated, Hold),
    /// Somebody wants to see a `SecretNearExpiry` now; told whether it was delivered.
    Wanted { vault: String, secret: String, version: Box<Version>, reply: oneshot::Sender<bool> },
}

/// Everything that is still to be sent.
pub(crate) struct EventGrid {
    clock: SandboxClock,
    model: Arc<Model>,
    addresses: Addresses,
    webhook: Webhook,
    notices: UnboundedReceiver<Notice>,
    rng: fastrand::Rng,
    next_id: u64,
    /// Events whose moment is still to come.
    planned: BTreeMap<(OffsetDateTime, u64), Event>,
    /// Events that wait for others to share their batch, and when they stop waiting.
    gathering: Vec<Event>,
    gathered_at: OffsetDateTime,
    batches: BTreeMap<(OffsetDateTime, u64), Batch>,
    /// How often the handshake was tried and when it is due; `None` once it was answered.
    handshake: Option<(usize, OffsetDateTime)>,
}

impl EventGrid {
    pub(crate) fn new(
        clock: SandboxClock,
        model: Arc<Model>,
        addresses: Addresses,
        webhook: Webhook,
        notices: UnboundedReceiver<Notice>,
        seed: u64,
    ) -> Self {
        let now = clock.now();
        Self {
            clock,
            model,
            addresses,
            webhook,
            notices,
            rng: fastrand::Rng::with_seed(seed),
            next_id: 0,
            planned: BTreeMap::new(),
            gathering: Vec::new(),
            gathered_at: NEVER,
            batches: BTreeMap::new(),
            handshake: Some((0, now)),
        }
    }

    /// Lives until told to stop. `hold` is its own and only hold on the clock.
    pub(crate) async fn run(mut self, hold: Hold, stop: CancellationToken) {
        let _hold = hold;
        self.plan_first_versions();
        loop {
            let wake = self.next_moment();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(notice) = self.notices.recv() => self.take(notice).await,
                () = self.clock.sleep_until(wake) => self.work(self.clock.now()).await,
            }
        }
    }

    fn plan_first_versions(&mut self) {
        let model = Arc::clone(&self.model);
        for secret in model.managed() {
            if let Some(version) = model.current_version(&secret.vault, &secret.name) {
                let created = version_created(&secret.vault, &secret.name, &version);
                self.plan_expiry(&created);
            }
        }
    }

    fn next_moment(&self) -> OffsetDateTime {
        let planned = self.planned.first_key_value().map(|((at, _), _)| *at);
        let sending = match self.handshake {
            Some((_, due)) => Some(due),
            None => self.batches.first_key_value().map(|((at, _), _)| *at),
        };
        [planned, sending, Some(self.gathered_at)].into_iter().flatten().min().unwrap_or(NEVER)
    }

    async fn take(&mut self, notice: Notice) {
        match notice {
            Notice::Created(created, hold) => {
                self.gather(Event::of(EventKind::NewVersionCreated, &created), self.clock.now());
                self.plan_expiry(&created);
                drop(hold);
            }
            Notice::Wanted { vault, secret, version, reply } => {
                let created = version_created(&vault, &secret, &version);
                let events = vec![Event::of(EventKind::NearExpiry, &created)];
                let outcome = self.send_now(events, self.clock.now()).await;
                // Whoever asked may have gone away.
                let _ = reply.send(outcome == Outcome::Delivered);
            }
        }
    }

    /// Both moments count from the version's `exp`; whether it is still current is seen when they come.
    fn plan_expiry(&mut self, created: &VersionCreated) {
        let Some(expires) = created.expires else { return };
        let near = (expires - NEAR_EXPIRY).max(created.at + BORN_NEAR_EXPIRY).max(self.clock.now());
        self.plan(near, Event::of(EventKind::NearExpiry, created));
        self.plan(expires, Event::of(EventKind::Expired, created));
    }

    fn plan(&mut self, at: OffsetDateTime, event: Event) {
        let id = self.new_id();
        self.planned.insert((at, id), event);
    }

    async fn work(&mut self, now: OffsetDateTime) {
        while let Some(entry) = self.planned.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let event = entry.remove();
            if self.is_still_so(&event) {
                self.gather(event, now);
            }
        }
        if self.gathered_at <= now {
            self.close_batch(now);
        }
        if self.is_validated(now).await {
            self.send_due(now).await;
        }
    }

    fn is_still_so(&self, event: &Event) -> bool {
        let current = self.model.current_version(&event.vault, &event.secret);
        current.is_some_and(|current| current.version == event.version && current.expires == event.expires)
    }

    fn gather(&mut self, event: Event, now: OffsetDateTime) {
        let event = event.happening_at(now);
        self.gathering.push(event);
        self.gathered_at = self.gathered_at.min(now + BATCH_TIME);
        if self.gathering.len() >= BATCH_SIZE {
            self.close_batch(now);
        }
    }

    fn close_batch(&mut self, now: OffsetDateTime) {
        let mut events = std::mem::take(&mut self.gathering);
        self.gathered_at = NEVER;
        if events.is_empty() {
            return;
        }
        if self.rng.u8(0..5) == 0 {
            self.rng.shuffle(&mut events);
        }
        if self.rng.u8(0..20) == 0 {
            self.queue(now + Duration::seconds(30), Batch::new(events.clone(), now));
        }
        self.queue(now, Batch::new(events, now));
    }

    fn queue(&mut self, due: OffsetDateTime, batch: Batch) {
        let id = self.new_id();
        self.batches.insert((due, id), batch);
    }

    async fn send_due(&mut self, now: OffsetDateTime) {
        while let Some(entry) = self.batches.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let batch = entry.remove();
            let outcome = self.deliver(&batch.events, batch.attempt, now).await;
            if let Some(delay) = retry_delay(&batch, outcome, now) {
                self.queue(now + delay, batch.tried());
            }
        }
    }

    /// Past the queue, for whoever waits for it.
    async fn send_now(&mut self, events: Vec<Event>, now: OffsetDateTime) -> Outcome {
        if let Some((attempts, _)) = self.handshake {
            self.handshake = Some((attempts, now));
        }
        if !self.is_validated(now).await {
            return Outcome::Unreachable;
        }
        let events: Vec<_> = events.into_iter().map(|event| event.happening_at(now)).collect();
        self.deliver(&events, 0, now).await
    }

    async fn is_validated(&mut self, now: OffsetDateTime) -> bool {
        let Some((attempts, due)) = self.handshake else { return true };
        if due > now {
            return false;
        }
        if self.webhook.validate(now).await {
            self.handshake = None;
            return true;
        }
        let delay = HANDSHAKE_DELAYS.get(attempts).or(HANDSHAKE_DELAYS.last()).copied();
        self.handshake = Some((attempts + 1, now + delay.unwrap_or(BATCH_TIME)));
        false
    }

    async fn deliver(&self, events: &[Event], attempt: usize, now: OffsetDateTime) -> Outcome {
        let body = events.iter().map(|event| event.to_json(&self.addresses)).collect();
        let outcome = self.webhook.notify(&body, attempt).await;
        if outcome == Outcome::Delivered {
            for event in events {
                let secret = format!("{}/{}", event.vault, event.secret);
                let detail = event.kind.name().to_owned();
                self.model.report(&Happening {
                    at: now,
                    kind: HappeningKind::EventDelivered,
                    secret,
                    detail,
                });
            }
        }
        outcome
    }

    fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }
}

fn version_created(vault: &str, secret: &str, version: &Version) -> VersionCreated {
    VersionCreated {
        vault: vault.to_owned(),
        secret: secret.to_owned(),
        version: version.version.clone(),
        at: version.created,
        not_before: version.not_before,
        expires: version.expires,
    }
}

#[cfg(test)]
mod tests;
