//! Key Vault's JSON: bundles, items, pages and errors.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::sandbox::https::Response;
use crate::sandbox::model::{
    DeletedSecret, MAX_RETENTION_DAYS, NewVersion, VaultRefusal, Version, VersionChange,
};

/// The body of a `PUT`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SetSecret {
    value: SecretString,
    content_type: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    attributes: Option<Attributes>,
}

/// The body of a `PATCH`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateSecret {
    content_type: Option<String>,
    tags: Option<BTreeMap<String, String>>,
    attributes: Option<Attributes>,
}

#[derive(Default, Deserialize)]
struct Attributes {
    enabled: Option<bool>,
    #[serde(default, with = "time::serde::timestamp::option")]
    nbf: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::timestamp::option")]
    exp: Option<OffsetDateTime>,
}

impl From<SetSecret> for NewVersion {
    fn from(body: SetSecret) -> Self {
        let attributes = body.attributes.unwrap_or_default();
        Self {
            value: body.value,
            enabled: attributes.enabled.unwrap_or(true),
            not_before: attributes.nbf,
            expires: attributes.exp,
            content_type: body.content_type,
            tags: body.tags.unwrap_or_default(),
        }
    }
}

impl From<UpdateSecret> for VersionChange {
    fn from(body: UpdateSecret) -> Self {
        let attributes = body.attributes.unwrap_or_default();
        Self {
            enabled: attributes.enabled,
            not_before: attributes.nbf,
            expires: attributes.exp,
            content_type: body.content_type,
            tags: body.tags,
        }
    }
}

/// The body of a restore.
#[derive(Deserialize)]
pub(super) struct Restore {
    pub(super) value: String,
}

/// The vault's settings that its responses contain.
pub(super) struct Shape<'a> {
    /// The vault's address, without a trailing slash.
    pub(super) vault: &'a str,
    pub(super) retention_days: u8,
}

impl Shape<'_> {
    /// Returns a version under its own id.
    pub(super) fn version(&self, name: &str, version: &Version) -> Map<String, Value> {
        let id = format!("{}/secrets/{name}/{}", self.vault, version.version);
        self.members(&id, version)
    }

    /// Returns a secret under its id, with the members of its current version.
    pub(super) fn secret(&self, name: &str, version: &Version) -> Map<String, Value> {
        self.members(&format!("{}/secrets/{name}", self.vault), version)
    }

    fn members(&self, id: &str, version: &Version) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("id".to_owned(), json!(id));
        members.insert("attributes".to_owned(), Value::Object(self.attributes(version)));
        if let Some(content_type) = &version.content_type {
            members.insert("contentType".to_owned(), json!(content_type));
        }
        if !version.tags.is_empty() {
            members.insert("tags".to_owned(), json!(version.tags));
        }
        members
    }

    fn attributes(&self, version: &Version) -> Map<String, Value> {
        let mut attributes = Map::new();
        let mut set = |name: &str, value: Value| attributes.insert(name.to_owned(), value);
        set("enabled", json!(version.enabled));
        if let Some(not_before) = version.not_before {
            set("nbf", json!(not_before.unix_timestamp()));
        }
        if let Some(expires) = version.expires {
            set("exp", json!(expires.unix_timestamp()));
        }
        set("created", json!(version.created.unix_timestamp()));
        set("updated", json!(version.updated.unix_timestamp()));
        set("recoveryLevel", json!(self.recovery_level()));
        set("recoverableDays", json!(self.retention_days));
        attributes
    }

    fn recovery_level(&self) -> &'static str {
        if self.retention_days < MAX_RETENTION_DAYS {
            "CustomizedRecoverable+Purgeable"
        } else {
            "Recoverable+Purgeable"
        }
    }
}

/// Adds the value, as in the responses to `GET` and `PUT`.
pub(super) fn with_value(mut members: Map<String, Value>, version: &Version) -> Value {
    members.insert("value".to_owned(), json!(version.value.expose_secret()));
    Value::Object(members)
}

/// Returns the members without a value, as in all other responses.
pub(super) fn metadata(members: Map<String, Value>) -> Value {
    Value::Object(members)
}

/// Returns a deleted secret, also without a value.
pub(super) fn deleted(
    mut members: Map<String, Value>,
    shape: &Shape<'_>,
    name: &str,
    found: &DeletedSecret,
) -> Value {
    members.insert("recoveryId".to_owned(), json!(format!("{}/deletedsecrets/{name}", shape.vault)));
    members.insert("deletedDate".to_owned(), json!(found.deleted.unix_timestamp()));
    members.insert("scheduledPurgeDate".to_owned(), json!(found.purge.unix_timestamp()));
    Value::Object(members)
}

/// Returns a backup.
pub(super) fn backup(text: &str) -> Value {
    json!({"value": text})
}

pub(super) fn refusal(refusal: &VaultRefusal) -> Response {
    let codes = refusal.codes();
    let status = StatusCode::from_u16(codes.status).unwrap_or(StatusCode::BAD_REQUEST);
    error(status, codes.code, &refusal.to_string(), codes.inner)
}

pub(super) fn bad_parameter(message: &str) -> Response {
    error(StatusCode::BAD_REQUEST, "BadParameter", message, None)
}

pub(super) fn error(status: StatusCode, code: &str, message: &str, inner: Option<&str>) -> Response {
    let mut error = json!({"code": code, "message": message});
    if let (Some(inner), Value::Object(members)) = (inner, &mut error) {
        members.insert("innererror".to_owned(), json!({"code": inner}));
    }
    Response::json(status, json!({"error": error}))
}
