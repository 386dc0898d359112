//! A subscription's JSON definition in the controls; anything that Azure would refuse is refused with the reason.

use std::collections::BTreeMap;

use axum::http::{HeaderName, HeaderValue, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use time::Duration;

use super::event::Schema;
use super::subscription::{Address, Batching, Destination, Filter, RetryPolicy, Subscription};

/// A definition with the names of Azure's resource, but flat. Only `destination` is required:
///
/// ```json
/// {"eventDeliverySchema": "CloudEventSchemaV1_0", "deadLetter": true, "caPem": "…",
///  "destination": {"webhook": {"url": "https://…", "headers": {"x-key": "…"}, "entra": {"audience": "api://…"},
///                              "maxEventsPerBatch": 10, "preferredBatchSizeInKilobytes": 64}},
///  "filter": {"includedEventTypes": ["SecretExpired"], "subjectBeginsWith": "app-", "subjectEndsWith": ""},
///  "retryPolicy": {"maxDeliveryAttempts": 30, "eventTimeToLiveInMinutes": 1440}}
/// ```
///
/// or with the destination `{"storageQueue": {"queueUrl": "https://…", "queueMessageTimeToLiveInSeconds": 600}}`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Definition {
    #[serde(default)]
    event_delivery_schema: Schema,
    destination: DestinationEntry,
    #[serde(default)]
    filter: FilterEntry,
    #[serde(default)]
    retry_policy: RetryEntry,
    #[serde(default)]
    dead_letter: bool,
    #[serde(alias = "ca_pem")]
    ca_pem: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum DestinationEntry {
    Webhook(WebhookEntry),
    #[serde(alias = "storage_queue")]
    StorageQueue(QueueEntry),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WebhookEntry {
    url: SecretString,
    #[serde(default)]
    headers: BTreeMap<String, SecretString>,
    entra: Option<EntraEntry>,
    max_events_per_batch: Option<usize>,
    preferred_batch_size_in_kilobytes: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntraEntry {
    audience: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct QueueEntry {
    #[serde(alias = "queue_url")]
    queue_url: SecretString,
    #[serde(rename = "queueMessageTimeToLiveInSeconds", alias = "ttl")]
    time_to_live: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct FilterEntry {
    included_event_types: Vec<String>,
    subject_begins_with: String,
    subject_ends_with: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct RetryEntry {
    max_delivery_attempts: Option<u32>,
    event_time_to_live_in_minutes: Option<u32>,
}

impl Subscription {
    /// Reads the body of `PUT /_sandbox/subscriptions/{name}`. `Err` is the reason, and repeats no value.
    pub(crate) fn parse(name: &str, body: &[u8]) -> Result<Self, String> {
        check_name(name)?;
        let definition: Definition = serde_json::from_slice(body).map_err(|error| reason(&error))?;
        Ok(Self {
            name: name.to_owned(),
            schema: definition.event_delivery_schema,
            destination: definition.destination.check()?,
            filter: definition.filter.check()?,
            retry: definition.retry_policy.check()?,
            dead_letter: definition.dead_letter,
            ca_pem: definition.ca_pem,
        })
    }
}

impl DestinationEntry {
    fn check(self) -> Result<Destination, String> {
        match self {
            Self::Webhook(webhook) => webhook.check(),
            Self::StorageQueue(queue) => queue.check(),
        }
    }
}

impl QueueEntry {
    fn check(self) -> Result<Destination, String> {
        let seconds = self.time_to_live.unwrap_or(WEEK);
        within("queueMessageTimeToLiveInSeconds", seconds, 1, u32::MAX)?;
        let time_to_live = Duration::seconds(seconds.into());
        Ok(Destination::StorageQueue { url: Address::parse(&self.queue_url)?, time_to_live })
    }
}

impl WebhookEntry {
    fn check(self) -> Result<Destination, String> {
        let single = Batching::single();
        let max_events = self.max_events_per_batch.unwrap_or(single.max_events);
        let kilobytes = self.preferred_batch_size_in_kilobytes.unwrap_or(single.preferred_bytes / 1024);
        within("maxEventsPerBatch", max_events, 1, 5_000)?;
        within("preferredBatchSizeInKilobytes", kilobytes, 1, 1_024)?;
        let wait = if max_events > 1 { BATCH_WAIT } else { single.wait };
        Ok(Destination::Webhook {
            url: Address::parse(&self.url)?,
            headers: check_headers(self.headers)?,
            audience: self.entra.map(|entra| entra.audience),
            batching: Batching { max_events, preferred_bytes: kilobytes * 1024, wait },
        })
    }
}

impl FilterEntry {
    fn check(self) -> Result<Filter, String> {
        Ok(Filter {
            types: self.included_event_types.iter().map(|kind| check_type(kind)).collect::<Result<_, _>>()?,
            begins_with: self.subject_begins_with,
            ends_with: self.subject_ends_with,
        })
    }
}

impl RetryEntry {
    fn check(self) -> Result<RetryPolicy, String> {
        let max_attempts = self.max_delivery_attempts.unwrap_or(30);
        let minutes = self.event_time_to_live_in_minutes.unwrap_or(1_440);
        within("maxDeliveryAttempts", max_attempts, 1, 30)?;
        within("eventTimeToLiveInMinutes", minutes, 1, 1_440)?;
        Ok(RetryPolicy { max_attempts, time_to_live: Duration::minutes(minutes.into()) })
    }
}

/// Names the unknown or missing member; for other errors only the position, since the text would repeat a value.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let names_a_member = ["unknown field", "missing field"].iter().any(|start| text.starts_with(start));
    let place = || format!("not a valid subscription, at line {} column {}", error.line(), error.column());
    if names_a_member { text } else { place() }
}

fn check_name(name: &str) -> Result<(), String> {
    let is_fit = |letter: u8| letter.is_ascii_alphanumeric() || letter == b'-';
    if (3..=64).contains(&name.len()) && name.bytes().all(is_fit) {
        return Ok(());
    }
    Err("a subscription's name must have 3 to 64 letters, digits and hyphens".to_owned())
}

/// Returns the type without its prefix.
fn check_type(kind: &str) -> Result<String, String> {
    let short = kind.strip_prefix("Microsoft.KeyVault.").unwrap_or(kind);
    if EVENT_TYPES.contains(&short) {
        return Ok(short.to_owned());
    }
    Err("includedEventTypes contains a type that is not an event type of Key Vault".to_owned())
}

fn check_headers(headers: BTreeMap<String, SecretString>) -> Result<Vec<(HeaderName, SecretString)>, String> {
    if headers.len() > MAX_HEADERS {
        return Err(format!("at most {MAX_HEADERS} headers can be added to deliveries"));
    }
    let check = |(name, value): (String, SecretString)| {
        let parsed =
            HeaderName::try_from(&name).map_err(|_| format!("{name:?} is not a valid header name"))?;
        if parsed.as_str().starts_with("aeg-") || parsed == header::CONTENT_TYPE {
            return Err(format!(
                "{name}: content-type and names that begin with aeg- are reserved for Event Grid"
            ));
        }
        let text = value.expose_secret();
        if text.len() > MAX_HEADER_BYTES || HeaderValue::try_from(text).is_err() {
            return Err(format!(
                "{name}: the value must be a valid header value of at most {MAX_HEADER_BYTES} bytes"
            ));
        }
        Ok((parsed, value))
    };
    headers.into_iter().map(check).collect()
}

fn within<N: Copy + PartialOrd + std::fmt::Display>(
    name: &str,
    value: N,
    least: N,
    most: N,
) -> Result<(), String> {
    if (&least..=&most).contains(&&value) {
        return Ok(());
    }
    Err(format!("{name} must be from {least} to {most}"))
}

/// Key Vault's event types; in the sandbox only secrets have events, but all types are accepted.
const EVENT_TYPES: [&str; 10] = [
    "SecretNewVersionCreated",
    "SecretNearExpiry",
    "SecretExpired",
    "KeyNewVersionCreated",
    "KeyNearExpiry",
    "KeyExpired",
    "CertificateNewVersionCreated",
    "CertificateNearExpiry",
    "CertificateExpired",
    "VaultAccessPolicyChanged",
];

/// A week in seconds.
const WEEK: u32 = 7 * 24 * 60 * 60;

const MAX_HEADERS: usize = 10;

/// The longest header, in bytes.
const MAX_HEADER_BYTES: usize = 4_096;

/// The time that events have to join a batch; Event Grid doesn't wait for a batch to fill.
const BATCH_WAIT: Duration = Duration::SECOND;

#[cfg(test)]
mod tests;
