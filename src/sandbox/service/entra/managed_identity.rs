//! Managed identities: the metadata service of a machine (IMDS), and App Service's endpoint. Both give the daemon's
//! token, or that of the client that may do everything, to any process on this machine.

use axum::http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use uuid::Uuid;

use super::token;
use crate::sandbox::addresses::RESOURCE_GROUP;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::ServiceIdentity;
use crate::sandbox::real_time;
use crate::sandbox::service::azure::Azure;
use crate::sandbox::tokens::{Grant, LIFETIME};

pub(crate) fn handle_request(azure: &Azure, request: &Request) -> Response {
    match (&request.method, request.path().as_slice()) {
        (&Method::GET, ["metadata", "identity", "oauth2", "token"]) => metadata_service(azure, request),
        (&Method::GET, ["msi", "token"]) => app_service(azure, request),
        _ => Response::not_modelled(request),
    }
}

fn metadata_service(azure: &Azure, request: &Request) -> Response {
    let refused = |error: &str, description: &str| {
        Response::json(StatusCode::BAD_REQUEST, json!({"error": error, "error_description": description}))
    };
    if let Some(status) = azure.metadata_failures.next() {
        return Response::json(status, json!({"error": "unavailable", "error_description": "Try again."}));
    }
    if !request.header("metadata").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return refused("bad_request_102", "Required metadata header not specified");
    }
    if !request.query("api-version").is_some_and(|version| METADATA_VERSIONS.contains(&version)) {
        return refused("invalid_request", "The api-version is invalid or was not specified in the request.");
    }
    let Some(resource) = request.query("resource") else {
        return refused("invalid_request", "Required query variable 'resource' is missing");
    };
    let Some(identity) = identity(azure, request, &["client_id", "object_id", "msi_res_id"]) else {
        return refused("invalid_request", "Identity not found");
    };
    match grant(azure, identity, resource) {
        Ok(grant) => token(azure, &grant, Kind::Metadata),
        Err(refusal) => refused(refusal.error(), &refusal.description()),
    }
}

/// Handles a token request as App Service, Functions and Container Apps do.
pub(super) fn app_service(azure: &Azure, request: &Request) -> Response {
    let refused = |status: StatusCode, message: &str| {
        Response::json(status, json!({"statusCode": status.as_u16(), "message": message}))
    };
    let header = azure.model.tenant().identity_header.expose_secret();
    if request.header("x-identity-header") != Some(header) {
        return refused(StatusCode::UNAUTHORIZED, "The X-IDENTITY-HEADER is missing or wrong.");
    }
    let resource = request.query("resource").filter(|_| request.query("api-version") == Some("2019-08-01"));
    let Some(resource) = resource else {
        return refused(StatusCode::BAD_REQUEST, "A resource and api-version 2019-08-01 are needed.");
    };
    let names = ["client_id", "principal_id", "object_id", "mi_res_id"];
    let Some(identity) = identity(azure, request, &names) else {
        return refused(StatusCode::BAD_REQUEST, "No User Assigned or Delegated Managed Identity found.");
    };
    match grant(azure, identity, resource) {
        Ok(grant) => token(azure, &grant, Kind::AppService),
        Err(refusal) => refused(StatusCode::BAD_REQUEST, &refusal.description()),
    }
}

/// Returns the identity that the query names in one of these ways; the daemon's if it names none.
fn identity<'a>(azure: &'a Azure, request: &Request, names: &[&str]) -> Option<&'a ServiceIdentity> {
    let tenant = azure.model.tenant();
    let asked = names.iter().find_map(|name| Some((*name, request.query(name)?)));
    let Some((name, asked)) = asked else { return Some(&tenant.daemon) };
    let id = Uuid::try_parse(asked).ok();
    let is_meant = |(label, identity): &(&str, &ServiceIdentity)| match name {
        "client_id" => id == Some(identity.client_id),
        "object_id" | "principal_id" => id == Some(identity.object_id),
        _ => asked.eq_ignore_ascii_case(&resource_id(label)),
    };
    let all = [("daemon", &tenant.daemon), ("client", &tenant.client)];
    all.into_iter().find(is_meant).map(|(_, identity)| identity)
}

fn resource_id(name: &str) -> String {
    format!("{RESOURCE_GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{name}")
}

fn grant(azure: &Azure, identity: &ServiceIdentity, resource: &str) -> Result<Grant, super::Refusal> {
    let resource = token::resource(azure, resource)?;
    Ok(Grant {
        client_id: identity.client_id,
        object_id: identity.object_id,
        roles: azure.model.app_roles(identity.object_id, &resource.identifier),
        audience: resource.audience,
        // Azure proves these identities to itself with a certificate.
        by_assertion: true,
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Metadata,
    AppService,
}

/// Returns the token's response. All members are strings.
fn token(azure: &Azure, grant: &Grant, kind: Kind) -> Response {
    let Ok(text) = azure.tokens.issue(grant) else { return token::unsigned() };
    let now = real_time::now();
    let expires_on = (now + LIFETIME).unix_timestamp().to_string();
    let special = match kind {
        Kind::AppService => json!({"client_id": grant.client_id}),
        Kind::Metadata => json!({
            "refresh_token": "", "expires_in": (LIFETIME.whole_seconds() - 1).to_string(),
            "not_before": now.unix_timestamp().to_string(),
        }),
    };
    let mut body = json!({
        "access_token": text, "expires_on": expires_on, "resource": grant.audience, "token_type": "Bearer",
    });
    if let (Value::Object(body), Value::Object(special)) = (&mut body, special) {
        body.extend(special);
    }
    Response::ok(body)
}

const METADATA_VERSIONS: [&str; 2] = ["2018-02-01", "2019-08-01"];
