//! A subscription to events: its destination, filter, batching and retry policy. Settings only, no state that changes.

use std::fmt;
use std::net::SocketAddr;

use axum::http::HeaderName;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use url::Url;

use super::event::{Event, Schema};

/// The subscription to the daemon, which every sandbox begins with.
pub(super) const BUILT_IN: &str = "rekeyd-sandbox";

/// The settings of a subscription.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(super) name: String,
    pub(super) schema: Schema,
    pub(super) destination: Destination,
    pub(super) filter: Filter,
    pub(super) retry: RetryPolicy,
    /// True if events that are given up are kept.
    pub(super) dead_letter: bool,
    /// The only CA to trust; without one, the system's CAs.
    pub(super) ca_pem: Option<String>,
}

/// The destination of events.
#[derive(Debug, Clone)]
pub(super) enum Destination {
    Webhook {
        url: Address,
        headers: Vec<(HeaderName, SecretString)>,
        /// The audience of Entra's token, if deliveries carry one.
        audience: Option<String>,
        batching: Batching,
    },
    /// A Storage Queue; it takes one event at a time.
    StorageQueue { url: Address, time_to_live: Duration },
}

/// A URL whose query, user name and password may be secrets: sent, and never shown.
#[derive(Clone)]
pub(super) struct Address {
    full: SecretString,
    shown: String,
}

/// The number of events sent together, and the limits on them.
#[derive(Debug, Clone)]
pub(super) struct Batching {
    pub(super) max_events: usize,
    /// The preferred size of a batch; a single event may be larger.
    pub(super) preferred_bytes: usize,
    /// The time that the first event waits for others.
    pub(super) wait: Duration,
}

/// The events that a subscription wants.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    /// Event types without `Microsoft.KeyVault.`; empty for all.
    pub(super) types: Vec<String>,
    pub(super) begins_with: String,
    pub(super) ends_with: String,
}

/// The limits after which a subscription gives up an event.
#[derive(Debug, Clone, Copy)]
pub(super) struct RetryPolicy {
    pub(super) max_attempts: u32,
    pub(super) time_to_live: Duration,
}

impl Subscription {
    /// Creates the daemon's subscription: to its address, with `key`, over plain HTTP on loopback, in batches, without
    /// dead letters.
    pub(super) fn built_in(daemon: SocketAddr, key: &SecretString) -> Self {
        let url = format!("http://{daemon}/events/key-vault");
        let url = Address { shown: url.clone(), full: url.into() };
        let headers = vec![(HeaderName::from_static("x-rekeyd-key"), key.clone())];
        let batching = Batching { max_events: 50, preferred_bytes: 1024 * 1024, wait: Duration::MINUTE };
        Self {
            name: BUILT_IN.to_owned(),
            schema: Schema::EventGrid,
            destination: Destination::Webhook { url, headers, audience: None, batching },
            filter: Filter::default(),
            retry: RetryPolicy::default(),
            dead_letter: false,
            ca_pem: None,
        }
    }

    /// Returns true for the built-in one, whose daemon may start late; any other handshake is tried once.
    pub(super) fn is_patient(&self) -> bool {
        self.name == BUILT_IN
    }

    pub(super) fn batching(&self) -> Batching {
        match &self.destination {
            Destination::Webhook { batching, .. } => batching.clone(),
            Destination::StorageQueue { .. } => Batching::single(),
        }
    }

    /// Returns the settings as the controls show them: without header values and the URL's query.
    pub(super) fn to_json(&self) -> Value {
        let destination = match &self.destination {
            Destination::Webhook { url, headers, audience, batching } => json!({
                "endpointType": "WebHook", "endpointBaseUrl": url.shown,
                "headers": headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
                "audience": audience, "maxEventsPerBatch": batching.max_events,
                "preferredBatchSizeInKilobytes": batching.preferred_bytes / 1024,
            }),
            Destination::StorageQueue { url, time_to_live } => json!({
                "endpointType": "StorageQueue", "queueUrl": url.shown,
                "queueMessageTimeToLiveInSeconds": time_to_live.whole_seconds(),
            }),
        };
        json!({
            "name": self.name, "eventDeliverySchema": self.schema, "destination": destination,
            "filter": {
                "includedEventTypes": self.filter.types, "subjectBeginsWith": self.filter.begins_with,
                "subjectEndsWith": self.filter.ends_with,
            },
            "retryPolicy": {
                "maxDeliveryAttempts": self.retry.max_attempts,
                "eventTimeToLiveInMinutes": self.retry.time_to_live.whole_minutes(),
            },
            "deadLetter": self.dead_letter,
        })
    }
}

impl Address {
    /// Parses a URL: HTTPS, or plain HTTP only on loopback, where a daemon or an emulator listens without TLS.
    pub(super) fn parse(url: &SecretString) -> Result<Self, String> {
        let mut shown = Url::parse(url.expose_secret()).map_err(|error| format!("the URL: {error}"))?;
        let is_loopback = match shown.host() {
            Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if shown.scheme() != "https" && !(shown.scheme() == "http" && is_loopback) {
            return Err("the URL must begin with https (or http, on loopback)".to_owned());
        }
        shown.set_query(None);
        shown.set_fragment(None);
        // Only a URL that can't be a base refuses this, and such a URL has no host.
        let _ = shown.set_password(None);
        let _ = shown.set_username("");
        Ok(Self { full: url.clone(), shown: shown.into() })
    }

    pub(super) fn full(&self) -> &str {
        self.full.expose_secret()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Batching {
    /// Returns the default: each event alone and at once.
    pub(super) fn single() -> Self {
        Self { max_events: 1, preferred_bytes: 64 * 1024, wait: Duration::ZERO }
    }
}

impl Filter {
    pub(super) fn accepts(&self, event: &Event) -> bool {
        let (kind, subject) = (event.kind.name(), event.secret.to_ascii_lowercase());
        (self.types.is_empty() || self.types.iter().any(|wanted| wanted == kind))
            && subject.starts_with(&self.begins_with.to_ascii_lowercase())
            && subject.ends_with(&self.ends_with.to_ascii_lowercase())
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: 30, time_to_live: Duration::days(1) }
    }
}

/// Returns the time from which put versions count for a subscription.
pub(super) fn first_version_sent(made: OffsetDateTime, is_built_in: bool) -> OffsetDateTime {
    // The world's first versions are older than the built-in subscription, which gets their events all the same.
    if is_built_in { OffsetDateTime::UNIX_EPOCH } else { made.truncate_to_second() }
}
