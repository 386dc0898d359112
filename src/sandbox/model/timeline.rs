//! The timeline: what happens, told to whoever wants to show it.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// One line of progress. Never holds a secret's text.
#[derive(Debug, Clone, Serialize)]
pub struct TimelineEvent {
    /// When, in sandbox time.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// What.
    pub kind: TimelineEventKind,
    /// `vault/name` of the secret concerned, else the name of what is; empty if nothing in particular.
    pub secret: String,
    /// What more there is to say.
    pub detail: String,
}

/// What may happen in the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineEventKind {
    /// A credential was made.
    Issued,
    /// A version that names a credential was put.
    Published,
    /// Any other version was put.
    VersionAdded,
    /// A credential was removed.
    Revoked,
    /// A version was disabled.
    VersionDisabled,
    /// Event Grid delivered an event.
    EventDelivered,
    /// Event Grid gave up an event and keeps it as a dead letter.
    EventDeadLettered,
    /// Event Grid gave up an event, and it is lost.
    EventDropped,
    /// A request met an injected fault.
    FaultInjected,
    /// A consumer could not sign in.
    ConsumerFailed,
}

#[derive(Default)]
pub(super) struct Timeline(Mutex<Vec<UnboundedSender<TimelineEvent>>>);

impl Timeline {
    pub(super) fn subscribe(&self) -> UnboundedReceiver<TimelineEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Whoever no longer listens is forgotten.
    pub(super) fn report(&self, event: &TimelineEvent) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.send(event.clone()).is_ok());
    }
}
