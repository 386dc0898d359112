//! The event sink, which handles events from all sources. At most, a name is put into the queue.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use tracing::{debug, warn};

use super::event_grid::Event;
use crate::domain::{SecretId, VaultName};
use crate::metrics::Metrics;
use crate::reconcile::{Catalogue, Ticket, WorkQueue};

/// The sink for events from all sources.
#[derive(Debug)]
pub struct EventSink {
    /// The work queue that names are put into.
    pub queue: Arc<WorkQueue>,
    /// The managed secrets, which events may be about.
    pub catalogue: Arc<Catalogue>,
    /// The vaults that are ours; events about others are ignored.
    pub vaults: BTreeSet<VaultName>,
    /// The metrics that count events.
    pub metrics: Arc<Metrics>,
}

/// The path that an event took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventSource {
    /// Event Grid's webhook.
    Webhook,
    /// A Storage Queue.
    Queue,
    /// A Functions host.
    Functions,
}

/// The outcome of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ingested {
    /// A pass over this secret was requested.
    Enqueued(SecretId, Ticket),
    /// No effect; the label of its metric.
    Nothing(&'static str),
    /// A malformed event, with the reason.
    Malformed(String),
}

impl EventSource {
    const fn label(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Queue => "queue",
            Self::Functions => "functions",
        }
    }
}

impl Ingested {
    /// Returns the secret of the requested pass, and the ticket to wait for its end.
    #[must_use]
    pub fn waits_for(&self) -> Option<(SecretId, Ticket)> {
        match self {
            Self::Enqueued(secret, ticket) => Some((secret.clone(), *ticket)),
            Self::Nothing(_) | Self::Malformed(_) => None,
        }
    }

    fn label(&self) -> &'static str {
        match self {
            Self::Enqueued(..) => "enqueued",
            Self::Nothing(label) => label,
            Self::Malformed(_) => "malformed",
        }
    }
}

impl fmt::Display for Ingested {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enqueued(secret, _) => write!(f, "enqueued {secret}"),
            Self::Nothing(label) => f.write_str(label),
            Self::Malformed(reason) => write!(f, "malformed: {reason}"),
        }
    }
}

impl EventSink {
    /// Handles an event, counts it, and returns its outcome.
    pub fn ingest(&self, event: &Event, source: EventSource) -> Ingested {
        let ingested = match event {
            Event::Secret(secret) => self.wake(secret, source),
            Event::SubscriptionDeleted(subscription) => {
                warn!(subscription, "event subscription deleted: its events no longer trigger passes");
                Ingested::Nothing("subscription_deleted")
            }
            Event::Ignored => Ingested::Nothing("ignored"),
            Event::Malformed(reason) => {
                warn!(reason, path = source.label(), "received malformed event");
                Ingested::Malformed(reason.clone())
            }
        };
        self.metrics.events_total.with_label_values(&[source.label(), ingested.label()]).inc();
        ingested
    }

    /// Requests a pass over the secret; for a replica, over its primary.
    fn wake(&self, secret: &SecretId, source: EventSource) -> Ingested {
        if !self.vaults.contains(&secret.vault) {
            debug!(%secret, "ignored event: its vault is not configured");
            return Ingested::Nothing("foreign_vault");
        }
        let Some(managed) = self.catalogue.managing(secret) else {
            debug!(%secret, "ignored event: its secret is not managed");
            return Ingested::Nothing("not_managed");
        };
        debug!(%secret, managed = %managed.id, "received event");
        self.metrics.triggers_total.with_label_values(&[source.label()]).inc();
        Ingested::Enqueued(managed.id.clone(), self.queue.enqueue(&managed.id))
    }
}
