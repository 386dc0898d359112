//! Sending: requests are spawned beside the loop, and their outcomes are handled when they complete.

use std::future::Future;
use std::sync::Arc;

use futures::future::{FutureExt, join_all};
use secrecy::SecretString;
use time::OffsetDateTime;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::EventGrid;
use super::batch::{Batch, Next, Reason};
use super::dead_letter::End;
use super::endpoint::DeliveryRequest;
use super::event::Event;
use super::handshake::Consent;
use super::outcome::Outcome;
use super::subscriber::{Standing, Subscriber};
use super::subscription::{BUILT_IN, Destination, Subscription};
use crate::ports::Clock;
use crate::sandbox::model::{EVENT_GRID, TimelineEvent, TimelineEventKind};
use crate::sandbox::tokens::Grant;

/// The outcome of a spawned request.
pub(super) enum Completion {
    Handshake {
        key: String,
        token: String,
        consent: Consent,
    },
    Delivery {
        key: String,
        incarnation: Uuid,
        batch: Batch,
        outcome: Outcome,
    },
    /// An event sent immediately on request, with its result at each subscription.
    Wanted {
        event: Event,
        seen: Vec<Seen>,
        reply: oneshot::Sender<bool>,
    },
    Unsubscribed(oneshot::Sender<bool>),
}

/// The result of a requested event at one subscription.
pub(super) struct Seen {
    key: String,
    token: String,
    incarnation: Uuid,
    /// The result of the handshake, if one was needed first.
    consent: Option<Consent>,
    outcome: Outcome,
}

impl EventGrid {
    pub(super) fn spawn_delivery(&self, delivery: impl Future<Output = Completion> + Send + 'static) {
        let hold = self.deps.clock.hold();
        self.in_flight.push(delivery.map(|completion| (completion, hold)).boxed());
    }

    pub(super) fn complete(&mut self, completion: Completion) {
        match completion {
            Completion::Handshake { key, token, consent } => self.handle_consent(&key, &token, consent),
            Completion::Delivery { key, incarnation, batch, outcome } => {
                self.delivery_completed(&key, incarnation, batch, outcome);
            }
            Completion::Wanted { event, seen, reply } => self.wanted_completed(&event, seen, reply),
            Completion::Unsubscribed(reply) => {
                // The caller may no longer be waiting.
                let _ = reply.send(true);
            }
        }
    }

    pub(super) fn send_due(&mut self, now: OffsetDateTime) {
        let (mut due, mut outlived) = (Vec::new(), Vec::new());
        for (key, subscriber) in &mut self.subscribers {
            if subscriber.is_gathered(now) {
                subscriber.close_batch(now, &mut self.rng);
            }
            let given_up = subscriber.take_outlived(now);
            outlived.extend(given_up.into_iter().map(|batch| (subscriber.subscription.clone(), batch)));
            due.extend(subscriber.take_due(now).map(|batch| (key.clone(), batch)));
        }
        for (subscription, batch) in outlived {
            self.give_up(&subscription, &batch, Reason::TimeToLiveExceeded, now);
        }
        for (key, batch) in due {
            self.send(key, batch);
        }
    }

    fn send(&self, key: String, batch: Batch) {
        let Some(subscriber) = self.subscribers.get(&key) else { return };
        let request = self.delivery_request(subscriber, &batch.events, batch.output_id, batch.attempts);
        let (endpoint, incarnation) = (Arc::clone(&subscriber.endpoint), subscriber.incarnation);
        self.spawn_delivery(async move {
            let outcome = endpoint.deliver(request).await;
            Completion::Delivery { key, incarnation, batch, outcome }
        });
    }

    fn delivery_request(
        &self,
        to: &Subscriber,
        events: &[Event],
        output_id: Uuid,
        attempts: u32,
    ) -> DeliveryRequest {
        let written = |event: &Event| event.to_json(to.subscription.schema, &self.deps.addresses);
        DeliveryRequest {
            events: events.iter().map(written).collect(),
            output_id,
            attempts,
            token: self.token_for(&to.subscription),
        }
    }

    fn delivery_completed(&mut self, key: &str, incarnation: Uuid, batch: Batch, outcome: Outcome) {
        let now = self.now();
        // Deleted in the meantime: the events have no receiver any more, not even a new subscription of the same name.
        let Some(subscriber) = self.the_same(key, incarnation) else { return };
        subscriber.sent(outcome, now);
        let batch = batch.tried(outcome, now);
        match batch.next(outcome, subscriber.subscription.retry, now) {
            Next::Done => {
                let name = subscriber.subscription.name.clone();
                batch.events.iter().for_each(|event| self.report_delivered(event, &name));
            }
            Next::Retry(due) => subscriber.queue(due, batch),
            Next::GiveUp(reason, at) => {
                let subscription = subscriber.subscription.clone();
                self.give_up(&subscription, &batch, reason, at);
            }
        }
    }

    /// Returns the subscription of this name, if it is still the one that the request was sent to.
    fn the_same(&mut self, key: &str, incarnation: Uuid) -> Option<&mut Subscriber> {
        self.subscribers.get_mut(key).filter(|subscriber| subscriber.incarnation == incarnation)
    }

    fn give_up(&mut self, subscription: &Subscription, batch: &Batch, reason: Reason, at: OffsetDateTime) {
        let end = End { batch, reason };
        for event in &batch.events {
            let kind = if subscription.dead_letter {
                let written = event.to_json(subscription.schema, &self.deps.addresses);
                self.dead_letters.add(at, end.write_on(written, subscription.schema));
                TimelineEventKind::EventDeadLettered
            } else {
                self.deps.model.count_dropped_event();
                TimelineEventKind::EventDropped
            };
            let detail = format!("{} to {}: {}", event.kind.name(), subscription.name, end.reason());
            self.report(kind, event, detail);
        }
    }

    /// Sends an event outside the queue for a caller that waits for it; only once, whatever the outcome.
    pub(super) fn send_wanted(&self, event: Event, reply: oneshot::Sender<bool>) {
        let deliveries: Vec<_> =
            self.subscribers.iter().filter_map(|(key, to)| self.show(&event, key, to)).collect();
        self.spawn_delivery(
            async move { Completion::Wanted { event, seen: join_all(deliveries).await, reply } },
        );
    }

    fn show(
        &self,
        event: &Event,
        key: &str,
        to: &Subscriber,
    ) -> Option<impl Future<Output = Seen> + Send + use<>> {
        let invitation = match to.standing {
            Standing::Succeeded => None,
            Standing::Patient(..) => Some(self.invitation(key)?),
            Standing::Asked(_) | Standing::AwaitingManualAction(..) | Standing::Failed(_) => return None,
        };
        if !to.subscription.filter.accepts(event) {
            return None;
        }
        let request = self.delivery_request(to, std::slice::from_ref(event), Uuid::new_v4(), 0);
        let (endpoint, incarnation) = (Arc::clone(&to.endpoint), to.incarnation);
        let (key, token) = (key.to_owned(), to.token.clone());
        Some(async move {
            let consent = match &invitation {
                Some(invitation) => Some(endpoint.handshake(invitation).await),
                None => None,
            };
            let is_refused = consent.as_ref().is_some_and(|consent| *consent != Consent::Given);
            let outcome = if is_refused { Outcome::Unreachable } else { endpoint.deliver(request).await };
            Seen { key, token, incarnation, consent, outcome }
        })
    }

    fn wanted_completed(&mut self, event: &Event, seen: Vec<Seen>, reply: oneshot::Sender<bool>) {
        let now = self.now();
        let is_delivered = seen.iter().any(|seen| seen.outcome == Outcome::Delivered);
        for Seen { key, token, incarnation, consent, outcome } in seen {
            if let Some(consent) = consent {
                self.handle_consent(&key, &token, consent);
            }
            let Some(subscriber) = self.the_same(&key, incarnation) else { continue };
            if outcome == Outcome::Delivered {
                subscriber.recovered(now);
                let name = subscriber.subscription.name.clone();
                self.report_delivered(event, &name);
            }
        }
        // The caller may no longer be waiting.
        let _ = reply.send(is_delivered);
    }

    fn report_delivered(&self, event: &Event, subscription: &str) {
        let kind = event.kind.name();
        let detail =
            if subscription == BUILT_IN { kind.to_owned() } else { format!("{kind} to {subscription}") };
        self.report(TimelineEventKind::EventDelivered, event, detail);
    }

    fn report(&self, kind: TimelineEventKind, event: &Event, detail: String) {
        let (at, secret) = (self.now(), event.secret_name());
        self.deps.model.report(&TimelineEvent { at, kind, secret, detail });
    }

    /// Returns Entra's token for one request, if the subscription needs one.
    pub(super) fn token_for(&self, subscription: &Subscription) -> Option<SecretString> {
        let grant = match &subscription.destination {
            Destination::Webhook { audience, .. } => self.webhook_grant(audience.as_ref()?),
            Destination::StorageQueue { .. } => return self.deps.tokens.storage_token(),
        };
        self.deps.tokens.issue(&grant).ok().map(SecretString::from)
    }

    fn webhook_grant(&self, audience: &str) -> Grant {
        Grant {
            client_id: EVENT_GRID,
            object_id: self.principal,
            audience: audience.to_owned(),
            by_assertion: true,
            roles: vec![WEBHOOK_ROLE.to_owned()],
        }
    }
}

/// The app role that the receiving application must assign to Event Grid.
const WEBHOOK_ROLE: &str = "AzureEventGridSecureWebhookSubscriber";
