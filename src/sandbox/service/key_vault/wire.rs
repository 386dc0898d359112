//! Key Vault's JSON: bundles, items, pages and errors.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::sandbox::https::Answer;
use crate::sandbox::model::{NewVersion, VaultRefusal, Version, VersionChange};

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

/// A version with its value, as `GET` and `PUT` answer.
pub(super) fn bundle(id: &str, version: &Version) -> Value {
    let mut members = members(id, version);
    members.insert("value".to_owned(), json!(version.value.expose_secret()));
    Value::Object(members)
}

/// A version without its value, as lists and `PATCH` show it.
pub(super) fn item(id: &str, version: &Version) -> Value {
    Value::Object(members(id, version))
}

fn members(id: &str, version: &Version) -> Map<String, Value> {
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
    set("recoveryLevel", json!("Recoverable+Purgeable"));
    set("recoverableDays", json!(90));
    let mut members = Map::new();
    members.insert("id".to_owned(), json!(id));
    members.insert("attributes".to_owned(), Value::Object(attributes));
    if let Some(content_type) = &version.content_type {
        members.insert("contentType".to_owned(), json!(content_type));
    }
    if !version.tags.is_empty() {
        members.insert("tags".to_owned(), json!(version.tags));
    }
    members
}

pub(super) fn refusal(refusal: &VaultRefusal) -> Answer {
    let codes = refusal.codes();
    let status = StatusCode::from_u16(codes.status).unwrap_or(StatusCode::BAD_REQUEST);
    error(status, codes.code, &refusal.to_string(), codes.inner)
}

pub(super) fn bad_parameter(message: &str) -> Answer {
    error(StatusCode::BAD_REQUEST, "BadParameter", message, None)
}

pub(super) fn error(status: StatusCode, code: &str, message: &str, inner: Option<&str>) -> Answer {
    let mut error = json!({"code": code, "message": message});
    if let (Some(inner), Value::Object(members)) = (inner, &mut error) {
        members.insert("innererror".to_owned(), json!({"code": inner}));
    }
    Answer::json(status, json!({"error": error}))
}
