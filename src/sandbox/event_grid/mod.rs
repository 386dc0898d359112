//! Event Grid: notifies its subscribers of new, nearly expired and expired versions, in sandbox time.
//!
//! Each subscription begins with a handshake. Batches follow, retried as Event Grid documents it, and an event that is
//! given up becomes a dead letter. Deliveries are at least once and in no particular order. The loop itself never waits
//! for the network: requests are spawned beside it, and each holds the clock until its outcome is handled.

mod batch;
mod changes;
mod dead_letter;
mod definition;
mod endpoint;
mod event;
mod expiry;
mod handshake;
mod notice;
mod outcome;
mod queue;
mod sending;
mod subscriber;
mod subscription;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration as RealDuration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use secrecy::SecretString;
use time::OffsetDateTime;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::dead_letter::DeadLetters;
use self::endpoint::Endpoint;
use self::event::{Event, EventKind};
use self::expiry::Calendar;
use self::handshake::RESPONSE_TIMEOUT;
pub(crate) use self::notice::Notice;
pub(crate) use self::queue::create as create_queue;
use self::sending::Completion;
use self::subscriber::{Standing, Subscriber};
pub(crate) use self::subscription::Subscription;
use super::addresses::Addresses;
use super::clock::SandboxClock;
use super::model::{EVENT_GRID, Model, VersionCreated};
use super::tokens::TokenIssuer;
use crate::ports::{Clock, FAR_FUTURE, Hold};

/// The parts of the simulated Azure that Event Grid uses.
pub(crate) struct EventGridDeps {
    pub(crate) clock: SandboxClock,
    pub(crate) model: Arc<Model>,
    pub(crate) tokens: Arc<TokenIssuer>,
    pub(crate) addresses: Addresses,
}

/// Every subscription, and everything still to be sent.
pub(crate) struct EventGrid {
    deps: EventGridDeps,
    notices: UnboundedReceiver<Notice>,
    rng: fastrand::Rng,
    /// The time limit for a response, in real time.
    response_timeout: RealDuration,
    /// The object id of Event Grid's own service principal.
    principal: Uuid,
    calendar: Calendar,
    /// Subscribers by lower-case name.
    subscribers: BTreeMap<String, Subscriber>,
    dead_letters: DeadLetters,
    in_flight: FuturesUnordered<BoxFuture<'static, (Completion, Hold)>>,
}

impl EventGrid {
    /// Creates an Event Grid with one subscription: that of the daemon, which is, or will be, at this address.
    pub(crate) fn new(
        deps: EventGridDeps,
        daemon: SocketAddr,
        key: &SecretString,
        notices: UnboundedReceiver<Notice>,
        seed: u64,
    ) -> Result<Self, reqwest::Error> {
        let (now, built_in) = (deps.clock.now(), Subscription::built_in(daemon, key));
        let principal = deps.model.principal_by_client_id(EVENT_GRID).unwrap_or_default();
        let endpoint = Endpoint::new(&built_in, RESPONSE_TIMEOUT)?;
        let name = built_in.name.clone();
        let subscriber = Subscriber::new(built_in, endpoint, Standing::Patient(0, now), now);
        Ok(Self {
            deps,
            notices,
            rng: fastrand::Rng::with_seed(seed),
            response_timeout: RESPONSE_TIMEOUT,
            principal,
            calendar: Calendar::default(),
            subscribers: BTreeMap::from([(name, subscriber)]),
            dead_letters: DeadLetters::default(),
            in_flight: FuturesUnordered::new(),
        })
    }

    /// Runs until `stop` is cancelled. `hold` is the loop's only hold on the clock, except for those of requests in
    /// flight.
    pub(crate) async fn run(mut self, hold: Hold, stop: CancellationToken) {
        let _hold = hold;
        self.plan_first_versions();
        loop {
            let wake = self.next_moment();
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                // The request's hold ends with this arm, when its outcome has been handled.
                Some((completion, _held)) = self.in_flight.next() => self.complete(completion),
                Some(notice) = self.notices.recv() => self.handle_notice(notice),
                () = self.deps.clock.sleep_until(wake) => self.handle_due(self.now()),
            }
        }
    }

    fn now(&self) -> OffsetDateTime {
        self.deps.clock.now()
    }

    fn plan_first_versions(&mut self) {
        let (model, now) = (Arc::clone(&self.deps.model), self.now());
        for secret in model.managed() {
            if let Some(version) = model.current_version(&secret.vault, &secret.name) {
                self.calendar.created(&VersionCreated::of(&secret.vault, &secret.name, &version), now);
            }
        }
    }

    fn next_moment(&self) -> OffsetDateTime {
        let subscribers = self.subscribers.values().filter_map(Subscriber::next_moment);
        let others = [self.calendar.next_moment(), self.dead_letters.next_moment()];
        subscribers.chain(others.into_iter().flatten()).min().unwrap_or(FAR_FUTURE)
    }

    fn handle_notice(&mut self, notice: Notice) {
        let now = self.now();
        match notice {
            Notice::Created(created, _held) => {
                self.publish(&Event::of(EventKind::NewVersionCreated, &created), now);
                self.calendar.created(&created, now);
            }
            Notice::Patched(patched, _held) => {
                // Only the current version has events, and only the model knows for certain which version is current.
                if self.deps.model.is_current(&patched) {
                    self.calendar.patched(&patched, now);
                }
            }
            Notice::Wanted { vault, secret, version, reply } => {
                let wanted = VersionCreated::of(&vault, &secret, &version);
                self.send_wanted(Event::of(EventKind::NearExpiry, &wanted).dated(now), reply);
            }
            Notice::Subscribe { subscription, reply } => self.subscribe(*subscription, reply),
            Notice::Unsubscribe { name, reply } => self.unsubscribe(&name, reply),
            // The caller may no longer be waiting, here and below.
            Notice::Validate { name, token, reply } => {
                let _ = reply.send(self.validate_by_hand(&name, &token));
            }
            Notice::List { reply } => {
                let _ = reply.send(self.list());
            }
        }
    }

    fn handle_due(&mut self, now: OffsetDateTime) {
        for event in self.calendar.take_due(now) {
            if self.is_still_so(&event) {
                self.publish(&event, now);
            }
        }
        for letter in self.dead_letters.take_due(now) {
            self.deps.model.keep_dead_letter(letter);
        }
        self.give_up_validations(now);
        self.repeat_handshakes(now);
        self.send_due(now);
    }

    fn is_still_so(&self, event: &Event) -> bool {
        let current = self.deps.model.current_version(&event.vault, &event.secret);
        current.is_some_and(|current| current.version == event.version && current.expires == event.expires)
    }

    /// Passes an event, with the same id for all, to every subscription that wants it.
    fn publish(&mut self, event: &Event, now: OffsetDateTime) {
        let event = event.clone().dated(now);
        for subscriber in self.subscribers.values_mut().filter(|subscriber| subscriber.wants(&event)) {
            let schema = subscriber.subscription.schema;
            let bytes = event.to_json(schema, &self.deps.addresses).to_string().len();
            subscriber.gather(event.clone(), bytes, now, &mut self.rng);
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_delivery;
#[cfg(test)]
mod tests_handshake;
#[cfg(test)]
mod tests_lifetime;
#[cfg(test)]
mod tests_world;
