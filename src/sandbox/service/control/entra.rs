//! Controls of Entra: its signing keys, the issuers it trusts, and the failures of the metadata service.

use axum::http::StatusCode;
use jsonwebtoken::jwk::JwkSet;
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::bad_request;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::FederatedCredential;
use crate::sandbox::service::azure::Azure;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollover {
    #[serde(default)]
    retire: bool,
}

/// Adds a new signing key or, with `{"retire": true}`, removes the old ones.
pub(super) fn roll_over(azure: &Azure, request: &Request) -> Response {
    let Some(wanted) = request.json::<Rollover>() else { return bad_request("expected {\"retire\": ...}") };
    if wanted.retire {
        azure.tokens.signer.retire_old();
    } else if azure.tokens.signer.roll_over().is_err() {
        let error = json!({"error": "the signing key can't be generated"});
        return Response::json(StatusCode::INTERNAL_SERVER_ERROR, error);
    }
    Response::no_content()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trust {
    client_id: Uuid,
    issuer: String,
    subject: String,
    #[serde(default = "token_exchange")]
    audience: String,
    keys: JwkSet,
}

fn token_exchange() -> String {
    "api://AzureADTokenExchange".to_owned()
}

/// Trusts an issuer's assertions about a subject for an application. An application's certificate is trusted in the
/// same way: issuer and subject are then the client id, and the audience is the token endpoint.
pub(super) fn trust(azure: &Azure, request: &Request) -> Response {
    let Some(wanted) = request.json::<Trust>() else {
        return bad_request(
            "expected {\"client_id\": ..., \"issuer\": ..., \"subject\": ..., \"audience\": ..., \"keys\": {\"keys\": [...]}}",
        );
    };
    let Trust { client_id, issuer, subject, audience, keys } = wanted;
    azure.model.add_federated_credential(FederatedCredential { client_id, issuer, subject, audience, keys });
    Response::no_content()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WantedFailures {
    statuses: Vec<u16>,
}

/// Makes the next requests to the metadata service fail with these statuses, one after the other.
pub(super) fn fail_metadata_service(azure: &Azure, request: &Request) -> Response {
    let wanted = request.json::<WantedFailures>().filter(|wanted| {
        let is_error = |status: &u16| (400..600).contains(status);
        wanted.statuses.iter().all(is_error)
    });
    let Some(wanted) = wanted else { return bad_request("expected {\"statuses\": [410, 500, ...]}") };
    azure.metadata_failures.add(wanted.statuses);
    Response::no_content()
}
