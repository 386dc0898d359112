//! Graph's JSON: applications, credentials, errors, and its dates with seven digits after the second.

use axum::http::StatusCode;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

use crate::ports::Clock;
use crate::sandbox::azure::Azure;
use crate::sandbox::https::{Answer, Request};
use crate::sandbox::model::{Application, Credential, GraphRefusal};

pub(super) fn application(application: &Application) -> Value {
    json!({
        "id": application.object_id,
        "appId": application.client_id,
        "displayName": application.display_name,
        "signInAudience": "AzureADMyOrg",
        "tags": application.tags,
        "keyCredentials": [],
        "passwordCredentials": application.credentials.iter().map(credential).collect::<Vec<_>>(),
    })
}

/// As a read shows it: without the text.
pub(super) fn credential(credential: &Credential) -> Value {
    json!({
        "customKeyIdentifier": null,
        "displayName": credential.display_name,
        "endDateTime": date_time(credential.end),
        "hint": credential.hint(),
        "keyId": credential.key_id,
        "secretText": null,
        "startDateTime": date_time(credential.start),
    })
}

/// As `addPassword` shows it, this once.
pub(super) fn new_credential(new: &Credential) -> Value {
    let mut value = credential(new);
    if let Value::Object(members) = &mut value {
        members.insert("secretText".to_owned(), json!(new.text.expose_secret()));
    }
    value
}

pub(super) fn refusal(azure: &Azure, request: &Request, refusal: &GraphRefusal) -> Answer {
    let (status, code) = match refusal {
        GraphRefusal::NotFound(_) => (StatusCode::NOT_FOUND, "Request_ResourceNotFound"),
        GraphRefusal::UnknownCredential(_) | GraphRefusal::BadRequest(_) => {
            (StatusCode::BAD_REQUEST, "Request_BadRequest")
        }
    };
    error(azure, request, status, code, &refusal.to_string())
}

pub(super) fn error(
    azure: &Azure,
    request: &Request,
    status: StatusCode,
    code: &str,
    message: &str,
) -> Answer {
    let id = Uuid::new_v4().to_string();
    let client_id = request.header("client-request-id").unwrap_or(&id);
    let date = azure.clock.now().format(ERROR_DATE).unwrap_or_default();
    let inner = json!({"date": date, "request-id": id, "client-request-id": client_id});
    Answer::json(status, json!({"error": {"code": code, "message": message, "innerError": inner}}))
}

fn date_time(moment: OffsetDateTime) -> String {
    moment.to_offset(UtcOffset::UTC).format(DATE_TIME).unwrap_or_default()
}

const DATE_TIME: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z");

const ERROR_DATE: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
