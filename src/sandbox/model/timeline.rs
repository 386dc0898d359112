//! The timeline: everything that happens, sent to all listeners.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

/// One event of the timeline. Never contains a secret's text.
#[derive(Debug, Clone, Serialize)]
pub struct TimelineEvent {
    /// The time of the event, in sandbox time.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// The kind of event.
    pub kind: TimelineEventKind,
    /// `vault/name` of the secret concerned, otherwise the name of the object concerned; empty if there is none.
    pub secret: String,
    /// Further details.
    pub detail: String,
}

/// The kinds of events in the sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TimelineEventKind {
    /// A credential was issued.
    Issued,
    /// A new credential that is in no version yet has signed in.
    SignedIn,
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
    /// A request got an injected fault.
    FaultInjected,
    /// A consumer could not sign in.
    ConsumerFailed,
    /// The clock is about to jump because a client asked for it.
    ClockMoving,
    /// That jump has ended: consumers have lived through it.
    ClockMoved,
}

#[derive(Default)]
pub(super) struct Timeline(Mutex<Vec<UnboundedSender<TimelineEvent>>>);

impl Timeline {
    pub(super) fn subscribe(&self) -> UnboundedReceiver<TimelineEvent> {
        let (sender, receiver) = mpsc::unbounded_channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }

    /// Sends an event to all listeners and removes those that are gone.
    pub(super) fn report(&self, event: &TimelineEvent) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.send(event.clone()).is_ok());
    }
}
