//! One event, in Event Grid's own schema.

use serde_json::{Value, json};
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

use crate::sandbox::azure::Addresses;
use crate::sandbox::model::VersionCreated;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventKind {
    NewVersionCreated,
    NearExpiry,
    Expired,
}

/// Something that happened to a version.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    pub(super) vault: String,
    pub(super) secret: String,
    pub(super) version: String,
    pub(super) expires: Option<OffsetDateTime>,
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
            not_before: created.not_before,
            id: Uuid::new_v4(),
            at: created.at,
        }
    }

    pub(super) fn happening_at(self, at: OffsetDateTime) -> Self {
        Self { at, ..self }
    }

    /// The dates in `data` are strings or null, as real events have them.
    pub(super) fn to_json(&self, addresses: &Addresses) -> Value {
        let Self { vault, secret, version, .. } = self;
        let seconds =
            |moment: Option<OffsetDateTime>| moment.map(|moment| moment.unix_timestamp().to_string());
        json!({
            "id": self.id,
            "topic": topic(vault),
            "subject": secret,
            "eventType": format!("Microsoft.KeyVault.{}", self.kind.name()),
            "eventTime": event_time(self.at),
            "data": {
                "Id": format!("{}/secrets/{secret}/{version}", addresses.vault(vault)),
                "VaultName": vault, "ObjectType": "Secret", "ObjectName": secret, "Version": version,
                "NBF": seconds(self.not_before), "EXP": seconds(self.expires),
            },
            "dataVersion": "1",
            "metadataVersion": "1",
        })
    }
}

pub(super) fn topic(vault: &str) -> String {
    let subscription = Uuid::nil();
    format!(
        "/subscriptions/{subscription}/resourceGroups/sandbox/providers/Microsoft.KeyVault/vaults/{vault}"
    )
}

/// With seven digits after the second, as Azure writes them.
pub(super) fn event_time(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(EVENT_TIME).unwrap_or_default()
}

const EVENT_TIME: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z");
