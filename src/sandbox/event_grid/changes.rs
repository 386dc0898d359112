//! Creating, changing, validating and deleting subscriptions.

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::sync::oneshot;

use super::EventGrid;
use super::endpoint::Endpoint;
use super::handshake::{Consent, Invitation, MANUAL_VALIDATION, patient_delay, validation_url};
use super::notice::Provisioned;
use super::sending::Completion;
use super::subscriber::{Standing, Subscriber};
use super::subscription::Subscription;
use crate::ports::FAR_FUTURE;

impl EventGrid {
    /// Creates a subscription or changes the one of this name; either begins with a handshake.
    pub(super) fn subscribe(&mut self, subscription: Subscription, reply: oneshot::Sender<Provisioned>) {
        let (key, now) = (subscription.name.to_ascii_lowercase(), self.now());
        let Ok(endpoint) = Endpoint::new(&subscription, self.response_timeout) else {
            // The caller may no longer be waiting.
            let _ = reply.send(Err("caPem is not a usable CA certificate".to_owned()));
            return;
        };
        let mut subscriber = Subscriber::new(subscription, endpoint, Standing::Asked(reply), now);
        if let Some(old) = self.subscribers.remove(&key) {
            subscriber.take_over(old);
        }
        self.subscribers.insert(key.clone(), subscriber);
        self.start_handshake(&key);
    }

    /// Removes a subscription and its unsent events; replies once the endpoint has been notified.
    pub(super) fn unsubscribe(&mut self, name: &str, reply: oneshot::Sender<bool>) {
        let Some(subscriber) = self.subscribers.remove(&name.to_ascii_lowercase()) else {
            // The caller may no longer be waiting.
            let _ = reply.send(false);
            return;
        };
        let (now, token) = (self.now(), self.token_for(&subscriber.subscription));
        self.spawn_delivery(async move {
            if matches!(subscriber.standing, Standing::Succeeded) {
                subscriber.endpoint.announce_deletion(now, token).await;
            }
            Completion::Unsubscribed(reply)
        });
    }

    pub(super) fn list(&self) -> Vec<Value> {
        self.subscribers.values().map(Subscriber::to_json).collect()
    }

    /// Validates a subscription that waits for this token. Returns true if there was one.
    pub(super) fn validate_by_hand(&mut self, name: &str, token: &str) -> bool {
        let found = self.subscribers.get_mut(&name.to_ascii_lowercase());
        let Some(subscriber) = found.filter(|subscriber| subscriber.token == token) else { return false };
        let is_open = match subscriber.standing {
            Standing::Asked(_) | Standing::AwaitingManualAction(..) | Standing::Patient(..) => true,
            Standing::Succeeded | Standing::Failed(_) => false,
        };
        if is_open {
            subscriber.conclude(Ok(()));
        }
        is_open
    }

    /// Ends the wait for validation URLs that were not opened in time.
    pub(super) fn give_up_validations(&mut self, now: OffsetDateTime) {
        for subscriber in self.subscribers.values_mut() {
            if matches!(subscriber.standing, Standing::AwaitingManualAction(until, _) if until <= now) {
                subscriber.conclude(Err("the validation URL was not opened within 10 minutes".to_owned()));
            }
        }
    }

    pub(super) fn repeat_handshakes(&mut self, now: OffsetDateTime) {
        let is_due =
            |subscriber: &Subscriber| matches!(subscriber.standing, Standing::Patient(_, due) if due <= now);
        let due = self.subscribers.iter().filter(|(_, subscriber)| is_due(subscriber));
        let due: Vec<_> = due.map(|(key, _)| key.clone()).collect();
        for key in due {
            self.start_handshake(&key);
        }
    }

    fn start_handshake(&mut self, key: &str) {
        let Some(invitation) = self.invitation(key) else { return };
        let Some(subscriber) = self.subscribers.get_mut(key) else { return };
        if let Standing::Patient(attempts, _) = subscriber.standing {
            subscriber.standing = Standing::Patient(attempts, FAR_FUTURE);
        }
        let (endpoint, token) = (Arc::clone(&subscriber.endpoint), subscriber.token.clone());
        let key = key.to_owned();
        self.spawn_delivery(async move {
            let consent = endpoint.handshake(&invitation).await;
            Completion::Handshake { key, token, consent }
        });
    }

    pub(super) fn invitation(&self, key: &str) -> Option<Invitation> {
        let subscriber = self.subscribers.get(key)?;
        let (now, controls) = (self.now(), &self.deps.addresses.controls);
        let validation_url = validation_url(controls, &subscriber.subscription.name, &subscriber.token, now);
        Some(Invitation { validation_url, now, token: self.token_for(&subscriber.subscription) })
    }

    /// Handles the result of a handshake. `token` shows if the subscription is still the one that was asked.
    pub(super) fn handle_consent(&mut self, key: &str, token: &str, consent: Consent) {
        let now = self.now();
        let found = self.subscribers.get_mut(key).filter(|subscriber| subscriber.token == token);
        if let Some(subscriber) = found {
            subscriber.handle_consent(consent, now);
        }
    }
}

impl Subscriber {
    fn handle_consent(&mut self, consent: Consent, now: OffsetDateTime) {
        let standing = std::mem::replace(&mut self.standing, Standing::Succeeded);
        self.standing = match (standing, consent) {
            (Standing::Patient(..), Consent::Given) => Standing::Succeeded,
            (Standing::Patient(attempts, _), Consent::Awaited | Consent::Refused(_)) => {
                Standing::Patient(attempts + 1, now + patient_delay(attempts))
            }
            (Standing::Asked(reply), Consent::Awaited) => {
                Standing::AwaitingManualAction(now + MANUAL_VALIDATION, reply)
            }
            (Standing::Asked(reply), Consent::Given) => {
                self.standing = Standing::Asked(reply);
                return self.conclude(Ok(()));
            }
            (Standing::Asked(reply), Consent::Refused(reason)) => {
                self.standing = Standing::Asked(reply);
                return self.conclude(Err(reason));
            }
            // The validation URL was opened first.
            (
                settled @ (Standing::AwaitingManualAction(..) | Standing::Succeeded | Standing::Failed(_)),
                Consent::Given | Consent::Awaited | Consent::Refused(_),
            ) => settled,
        };
    }

    /// Ends the handshake and replies to the caller that waits for it.
    fn conclude(&mut self, outcome: Provisioned) {
        let standing = match &outcome {
            Ok(()) => Standing::Succeeded,
            Err(reason) => Standing::Failed(reason.clone()),
        };
        match std::mem::replace(&mut self.standing, standing) {
            Standing::Asked(reply) | Standing::AwaitingManualAction(_, reply) => {
                // The caller may no longer be waiting.
                let _ = reply.send(outcome);
            }
            Standing::Patient(..) | Standing::Succeeded | Standing::Failed(_) => {}
        }
    }

    fn to_json(&self) -> Value {
        let mut shown = self.subscription.to_json();
        let (state, reason) = match &self.standing {
            Standing::Asked(_) | Standing::Patient(..) => ("Creating", None),
            Standing::AwaitingManualAction(..) => ("AwaitingManualAction", None),
            Standing::Succeeded => ("Succeeded", None),
            Standing::Failed(reason) => ("Failed", Some(reason)),
        };
        if let Some(shown) = shown.as_object_mut() {
            shown.insert("provisioningState".to_owned(), json!(state));
            shown.extend(reason.map(|reason| ("reason".to_owned(), json!(reason))));
        }
        shown
    }
}
