//! Controls of applications and of the report on their sign-ins: settings that Graph can't set, or not at once.

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{bad_request, duration};
use crate::ports::Clock;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::ApplicationChange;
use crate::sandbox::service::azure::Azure;

const EXPECTED: &str = "expected any of displayName, tags, signInAudience, isFallbackPublicClient, identifierUris, \
    web, spa, publicClient, appRoles, enabled, passwordLimit, owners, createdDateTime";

/// Creates an application with a service principal, owned by the daemon unless the body names owners.
pub(super) fn create(azure: &Azure, request: &Request) -> Response {
    let Some(mut wanted) = request.json::<ApplicationChange>() else { return bad_request(EXPECTED) };
    let daemon = azure.model.tenant().daemon.object_id;
    wanted.owners.get_or_insert_with(|| [daemon].into());
    let made = azure.model.add_settled_application(wanted, azure.clock.now());
    Response::json(
        StatusCode::CREATED,
        json!({"object_id": made.object_id, "client_id": made.client_id, "principal": made.service_principal}),
    )
}

pub(super) fn change(azure: &Azure, request: &Request, id: &str) -> Response {
    let Some(wanted) = request.json::<ApplicationChange>() else { return bad_request(EXPECTED) };
    let id = Uuid::try_parse(id).unwrap_or_default();
    match azure.model.change_application(id, wanted, azure.clock.now()) {
        Ok(()) => Response::no_content(),
        Err(problem) => Response::json(StatusCode::NOT_FOUND, json!({"error": problem.to_string()})),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    lag: Option<String>,
    available: Option<bool>,
}

/// Changes the report's settings and leaves missing ones as they are: `{"lag": "1h", "available": true}`.
pub(super) fn report(azure: &Azure, request: &Request) -> Response {
    const EXPECTED: &str = "expected {\"lag\": \"1h\", \"available\": true}";
    let Some(wanted) = request.json::<Report>() else { return bad_request(EXPECTED) };
    let lag = wanted.lag.as_deref().map(duration);
    if lag == Some(None) {
        return bad_request(EXPECTED);
    }
    azure.model.set_sign_in_report(lag.flatten(), wanted.available);
    Response::no_content()
}
