//! Events in both schemas: Key Vault's own, and Event Grid's events about a subscription.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

use crate::sandbox::addresses::{Addresses, RESOURCE_GROUP};
use crate::sandbox::model::VersionCreated;

/// The schema of a subscription's events.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Schema {
    /// Event Grid's own schema; always sent in an array.
    #[default]
    #[serde(rename = "EventGridSchema")]
    EventGrid,
    /// CloudEvents 1.0; one object, or an array if the subscription takes batches.
    #[serde(rename = "CloudEventSchemaV1_0")]
    CloudEvents,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventKind {
    NewVersionCreated,
    NearExpiry,
    Expired,
}

/// An event about a version.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    pub(super) vault: String,
    pub(super) secret: String,
    pub(super) version: String,
    pub(super) expires: Option<OffsetDateTime>,
    /// The time the version was put: subscriptions created later don't get its events.
    pub(super) version_created: OffsetDateTime,
    not_before: Option<OffsetDateTime>,
    id: Uuid,
    at: OffsetDateTime,
}

impl EventKind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NewVersionCreated => "SecretNewVersionCreated",
            Self::NearExpiry => "SecretNearExpiry",
            Self::Expired => "SecretExpired",
        }
    }
}

impl Event {
    pub(super) fn of(kind: EventKind, created: &VersionCreated) -> Self {
        Self {
            kind,
            vault: created.vault.clone(),
            secret: created.secret.clone(),
            version: created.version.clone(),
            expires: created.expires,
            version_created: created.at,
            not_before: created.not_before,
            id: Uuid::new_v4(),
            at: created.at,
        }
    }

    pub(super) fn is_about(&self, version: &VersionCreated) -> bool {
        self.version == version.version && self.secret == version.secret && self.vault == version.vault
    }

    pub(super) fn dated(self, at: OffsetDateTime) -> Self {
        Self { at, ..self }
    }

    /// Returns `vault/name`, as in the timeline.
    pub(super) fn secret_name(&self) -> String {
        format!("{}/{}", self.vault, self.secret)
    }

    /// Returns the event as JSON. The dates in `data` are strings or null, as in real events. Nothing shows if the
    /// version is enabled.
    pub(super) fn to_json(&self, schema: Schema, addresses: &Addresses) -> Value {
        let Self { vault, secret, version, .. } = self;
        let seconds =
            |moment: Option<OffsetDateTime>| moment.map(|moment| moment.unix_timestamp().to_string());
        let envelope = Envelope {
            id: self.id,
            topic: &topic(vault),
            subject: secret,
            kind: &format!("Microsoft.KeyVault.{}", self.kind.name()),
            at: self.at,
        };
        envelope.around(
            schema,
            &json!({
                "Id": format!("{}/secrets/{secret}/{version}", addresses.vault(vault)),
                "VaultName": vault, "ObjectType": "Secret", "ObjectName": secret, "Version": version,
                "NBF": seconds(self.not_before), "EXP": seconds(self.expires),
            }),
        )
    }
}

/// The members around an event's data.
struct Envelope<'a> {
    id: Uuid,
    topic: &'a str,
    subject: &'a str,
    kind: &'a str,
    at: OffsetDateTime,
}

impl Envelope<'_> {
    fn around(&self, schema: Schema, data: &Value) -> Value {
        let Self { id, topic, subject, kind, at } = *self;
        match schema {
            Schema::EventGrid => json!({
                "id": id, "topic": topic, "subject": subject, "eventType": kind, "eventTime": event_time(at),
                "data": data, "dataVersion": "1", "metadataVersion": "1",
            }),
            // CloudEvents allows no empty subject.
            Schema::CloudEvents if subject.is_empty() => json!({
                "specversion": "1.0", "id": id, "source": topic, "type": kind, "time": event_time(at),
                "data": data,
            }),
            Schema::CloudEvents => json!({
                "specversion": "1.0", "id": id, "source": topic, "subject": subject, "type": kind,
                "time": event_time(at), "data": data,
            }),
        }
    }
}

/// Returns an event of Event Grid itself: `kind` is the part after `Microsoft.EventGrid.`.
pub(super) fn own_event(kind: &str, schema: Schema, data: &Value, at: OffsetDateTime) -> Value {
    let kind = format!("Microsoft.EventGrid.{kind}");
    let envelope = Envelope { id: Uuid::new_v4(), topic: &topic("*"), subject: "", kind: &kind, at };
    envelope.around(schema, data)
}

/// Returns the ARM id of an event subscription.
pub(super) fn subscription_id(name: &str) -> String {
    format!("{RESOURCE_GROUP}/providers/Microsoft.EventGrid/eventSubscriptions/{name}")
}

fn topic(vault: &str) -> String {
    format!("{RESOURCE_GROUP}/providers/Microsoft.KeyVault/vaults/{vault}")
}

/// Formats a time with seven digits after the second, as Azure does.
pub(super) fn event_time(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(EVENT_TIME).unwrap_or_default()
}

const EVENT_TIME: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z");
