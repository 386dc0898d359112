//! The token endpoints: client credentials for a scope (v2) or a resource (v1).

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use time::Duration;

use super::form::Form;
use super::refusal::Refusal;
use super::{Directory, Generation, identity};
use crate::sandbox::https::{Request, Response};
use crate::sandbox::resources::Resource;
use crate::sandbox::service::azure::Azure;
use crate::sandbox::tokens::{Grant, LIFETIME};

pub(super) fn handle_request(
    azure: &Azure,
    request: &Request,
    directory: Directory,
    generation: Generation,
) -> Response {
    let form = Form::of(request);
    let granted = posted(request).and_then(|()| grant(azure, &form, directory, generation));
    match granted {
        Ok(grant) => token(azure, &grant, &capabilities(&form), generation),
        Err(refusal) => refusal.into_response(azure, request),
    }
}

fn posted(request: &Request) -> Result<(), Refusal> {
    if request.method == Method::POST {
        return Ok(());
    }
    let message = format!("The endpoint only accepts POST requests. Received a {} request.", request.method);
    Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", 900_561, message))
}

fn grant(azure: &Azure, form: &Form, directory: Directory, generation: Generation) -> Result<Grant, Refusal> {
    let bad_request =
        |error, code, message: &str| Err(Refusal::new(StatusCode::BAD_REQUEST, error, code, message));
    if form.required("grant_type")? != "client_credentials" {
        let message = "The app requested an unsupported grant type.";
        return bad_request("unsupported_grant_type", 70_003, message);
    }
    let client = form.required("client_id")?;
    if generation == Generation::V2 && form.get("resource").is_some() {
        return bad_request("invalid_request", 901_002, "The 'resource' request parameter is not supported.");
    }
    let wanted = form.required(match generation {
        Generation::V1 => "resource",
        Generation::V2 => "scope",
    })?;
    let (client_id, object_id) = identity::known(azure, client)?;
    if let Directory::Any(name) = directory {
        let message = format!(
            "Application '{client}' is not configured as a multi-tenant application. Usage of the /{name} endpoint is not supported for such apps created after '10/15/2018'. Use a tenant-specific endpoint or configure the application to be multi-tenant."
        );
        return bad_request("invalid_request", 50_194, &message);
    }
    let resource = match generation {
        Generation::V1 => resource(azure, wanted)?,
        Generation::V2 => resource(azure, resource_of_scope(wanted)?)?,
    };
    let by_assertion = identity::proved(azure, client_id, form, &resource)?;
    let roles = azure.model.app_roles(object_id, &resource.identifier);
    Ok(Grant { client_id, object_id, audience: resource.audience, by_assertion, roles })
}

/// Returns the one resource, which `/.default` must follow; a slash before it belongs to the resource.
fn resource_of_scope(scope: &str) -> Result<&str, Refusal> {
    let resource = scope.strip_suffix("/.default").filter(|resource| !resource.contains(' '));
    resource.ok_or_else(|| {
        let message = format!(
            "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid. The scope {scope} is not valid."
        );
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_scope", 70_011, message)
    })
}

pub(super) fn resource(azure: &Azure, name: &str) -> Result<Resource, Refusal> {
    azure.resource(name).ok_or_else(|| {
        let message = format!(
            "The resource principal named {name} was not found in the tenant named {}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.",
            azure.model.tenant().id
        );
        Refusal::new(StatusCode::BAD_REQUEST, "invalid_resource", 500_011, message)
    })
}

/// Returns the client's declared capabilities, for its token to repeat. Malformed ones are ignored.
fn capabilities(form: &Form) -> Vec<String> {
    let claims = form.get("claims").and_then(|claims| serde_json::from_str::<Value>(claims).ok());
    let values = claims.as_ref().and_then(|claims| claims.pointer("/access_token/xms_cc/values")?.as_array());
    values.into_iter().flatten().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}

fn token(azure: &Azure, grant: &Grant, capabilities: &[String], generation: Generation) -> Response {
    let Ok(token) = azure.tokens.issue_capable(grant, capabilities) else { return unsigned() };
    let lifetime = LIFETIME - Duration::seconds(1);
    let seconds = lifetime.whole_seconds();
    if generation == Generation::V2 {
        return Response::ok(json!({
            "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token,
        }));
    }
    // The first generation writes its numbers as strings.
    let now = azure.tokens.now_for(grant.client_id);
    Response::ok(json!({
        "token_type": "Bearer", "expires_in": seconds.to_string(), "ext_expires_in": seconds.to_string(),
        "expires_on": (now + lifetime).unix_timestamp().to_string(),
        "not_before": now.unix_timestamp().to_string(),
        "resource": grant.audience, "access_token": token,
    }))
}

pub(super) fn unsigned() -> Response {
    let body = json!({"error": "server_error", "error_description": "The sandbox could not sign a token."});
    Response::json(StatusCode::INTERNAL_SERVER_ERROR, body)
}
