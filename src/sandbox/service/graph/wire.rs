//! Graph's JSON: objects, credentials, errors, and its dates with seven digits after the second.

use axum::http::{HeaderName, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};
use uuid::Uuid;

use super::Call;
use crate::ports::Clock;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::{Application, Credential, FederatedIdentity, GraphRefusal, ServicePrincipal};
use crate::sandbox::service::azure::Azure;

pub(super) fn application(application: &Application) -> Value {
    json!({
        "id": application.object_id,
        "appId": application.client_id,
        "displayName": application.display_name,
        "createdDateTime": date_time(application.created),
        "signInAudience": application.audience,
        "tags": application.tags,
        "identifierUris": application.identifier_uris,
        "isFallbackPublicClient": application.is_fallback_public_client,
        "web": application.web,
        "spa": application.spa,
        "publicClient": application.public_client,
        "appRoles": application.app_roles,
        "keyCredentials": [],
        "passwordCredentials": application.credentials.iter().map(credential).collect::<Vec<_>>(),
    })
}

pub(super) fn service_principal(principal: &ServicePrincipal) -> Value {
    json!({
        "id": principal.object_id,
        "appId": principal.client_id,
        "displayName": principal.display_name,
        "appDisplayName": principal.display_name,
        "appOwnerOrganizationId": principal.owner_tenant,
        "servicePrincipalType": "Application",
        "accountEnabled": principal.enabled,
        "tags": principal.tags,
        "appRoles": [],
        "keyCredentials": [],
        "passwordCredentials": [],
    })
}

pub(super) fn federated_identity(identity: &FederatedIdentity) -> Value {
    json!({
        "id": identity.id,
        "name": identity.name,
        "issuer": identity.issuer,
        "subject": identity.subject,
        "audiences": identity.audiences,
        "description": identity.description,
    })
}

/// Returns a credential as a read shows it: without the text.
fn credential(credential: &Credential) -> Value {
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

/// Returns a credential as `addPassword` shows it, only once.
pub(super) fn new_credential(new: &Credential) -> Value {
    let mut value = credential(new);
    if let Value::Object(members) = &mut value {
        members.insert("secretText".to_owned(), json!(new.text.expose_secret()));
    }
    value
}

pub(super) fn refusal(azure: &Azure, request: &Request, refusal: &GraphRefusal) -> Response {
    let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::BAD_REQUEST);
    error(azure, request, status, refusal.code(), &refusal.to_string())
}

/// Returns the error for a body that can't be parsed.
pub(super) fn unreadable() -> GraphRefusal {
    GraphRefusal::bad_request(
        "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.",
    )
}

pub(super) fn unsupported_filter(call: &Call<'_>, property: &str, resource: &str) -> Response {
    let message = format!(
        "Unsupported or invalid query filter clause specified for property '{property}' of resource '{resource}'."
    );
    error(call.azure, call.request, StatusCode::BAD_REQUEST, "Request_UnsupportedQuery", &message)
}

/// Adds the context, the URL of the value's description.
pub(super) fn in_context(mut value: Value, azure: &Azure, version: &str, what: &str) -> Value {
    if let Value::Object(members) = &mut value {
        let context = format!("{}/{version}/$metadata#{what}", azure.addresses.graph);
        members.insert("@odata.context".to_owned(), json!(context));
    }
    value
}

/// Returns an error response. The request's id is in the body and in the header, which clients compare.
pub(in crate::sandbox) fn error(
    azure: &Azure,
    request: &Request,
    status: StatusCode,
    code: &str,
    message: &str,
) -> Response {
    let id = Uuid::new_v4().to_string();
    let client_id = request.header("client-request-id").unwrap_or(&id);
    let date = azure.clock.now().format(ERROR_DATE).unwrap_or_default();
    let inner = json!({"date": date, "request-id": &id, "client-request-id": client_id});
    Response::json(status, json!({"error": {"code": code, "message": message, "innerError": inner}}))
        .with(HeaderName::from_static("request-id"), id)
}

pub(super) fn date_time(moment: OffsetDateTime) -> String {
    moment.to_offset(UtcOffset::UTC).format(DATE_TIME).unwrap_or_default()
}

const DATE_TIME: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:7]Z");

const ERROR_DATE: StaticFormatDescription =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
