//! Entra: discovery, signing keys, the v2 token endpoint and an App-Service-style managed identity.

use axum::http::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::StaticFormatDescription;
use time::macros::format_description;
use uuid::Uuid;

use super::entra_token;
use crate::ports::Clock;
use crate::sandbox::azure::Azure;
use crate::sandbox::https::{Answer, ENTRA, Request};
use crate::sandbox::real_time;
use crate::sandbox::tokens::{Grant, LIFETIME};

pub(crate) fn answer(azure: &Azure, request: &Request) -> Answer {
    match (&request.method, request.path().as_slice()) {
        (&Method::GET, ["msi", "token"]) => managed_identity(azure, request),
        (&Method::GET, ["common", "discovery", "instance"]) => instance_discovery(azure),
        (&Method::GET, [tenant, "v2.0", ".well-known", "openid-configuration"]) => {
            in_tenant(azure, tenant, |azure| Answer::ok(openid_configuration(azure)))
        }
        (&Method::GET, [tenant, "discovery", "v2.0", "keys"]) => {
            in_tenant(azure, tenant, |azure| Answer::ok(json!(azure.signer.key_set())))
        }
        (&Method::POST, [tenant, "oauth2", "v2.0", "token"]) => {
            in_tenant(azure, tenant, |azure| entra_token::answer(azure, request))
        }
        _ => Answer::not_modelled(request),
    }
}

/// An error of Entra's.
pub(super) struct Refusal {
    pub(super) status: StatusCode,
    pub(super) error: &'static str,
    pub(super) code: u32,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(
        status: StatusCode,
        error: &'static str,
        code: u32,
        message: impl Into<String>,
    ) -> Self {
        Self { status, error, code, message: message.into() }
    }

    /// In Entra's words, with the trace ids in the text as it has them.
    pub(super) fn into_answer(self, now: OffsetDateTime) -> Answer {
        let Self { status, error, code, message } = self;
        let (trace, correlation) = (Uuid::new_v4(), Uuid::new_v4());
        let timestamp = now.format(TIMESTAMP).unwrap_or_default();
        let description = format!(
            "AADSTS{code}: {message}\r\nTrace ID: {trace}\r\nCorrelation ID: {correlation}\r\nTimestamp: {timestamp}"
        );
        let body = json!({
            "error": error, "error_description": description, "error_codes": [code], "timestamp": timestamp,
            "trace_id": trace, "correlation_id": correlation,
            "error_uri": format!("https://login.microsoftonline.com/error?code={code}"),
        });
        Answer::json(status, body)
    }
}

fn in_tenant(azure: &Azure, tenant: &str, answer: impl FnOnce(&Azure) -> Answer) -> Answer {
    if Uuid::try_parse(tenant) == Ok(azure.model.tenant().id) {
        return answer(azure);
    }
    let message = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
    );
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", 90_002, message).into_answer(azure.clock.now())
}

fn openid_configuration(azure: &Azure) -> Value {
    let base = format!("{}/{}", azure.addresses.authority, azure.model.tenant().id);
    json!({
        "issuer": format!("{base}/v2.0"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "tenant_region_scope": null,
        "cloud_instance_name": azure.addresses.authority_host(),
    })
}

fn instance_discovery(azure: &Azure) -> Answer {
    let host = azure.addresses.authority_host();
    let tenant = azure.model.tenant().id;
    let endpoint = format!("{}/{tenant}/v2.0/.well-known/openid-configuration", azure.addresses.authority);
    let (preferred_cache, aliases) = match azure.addresses.production {
        Some(_) => (ENTRA[1], ENTRA.to_vec()),
        None => (host, vec![host]),
    };
    Answer::ok(json!({
        "tenant_discovery_endpoint": endpoint, "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": preferred_cache, "aliases": aliases}],
    }))
}

/// A token for the daemon, in an answer whose members are all strings.
fn managed_identity(azure: &Azure, request: &Request) -> Answer {
    let tenant = azure.model.tenant();
    if request.header("x-identity-header") != Some(tenant.identity_header.expose_secret()) {
        let body = json!({"statusCode": 401, "message": "The X-IDENTITY-HEADER is missing or wrong."});
        return Answer::json(StatusCode::UNAUTHORIZED, body);
    }
    let is_daemon = |id: &str| Uuid::try_parse(id) == Ok(tenant.daemon.client_id);
    let resource = request.query("resource").filter(|_| request.query("api-version") == Some("2019-08-01"));
    let Some(resource) = resource.filter(|_| request.query("client_id").is_none_or(is_daemon)) else {
        let message = "A resource, api-version 2019-08-01 and no client_id but the daemon's are needed.";
        return Answer::json(StatusCode::BAD_REQUEST, json!({"statusCode": 400, "message": message}));
    };
    let grant = Grant {
        client_id: tenant.daemon.client_id,
        object_id: tenant.daemon.object_id,
        audience: resource.to_owned(),
        by_assertion: false,
        roles: azure.model.app_roles(tenant.daemon.object_id, resource),
    };
    let Ok(token) = azure.issue_token(&grant) else { return internal_error() };
    let expires = (real_time::now() + LIFETIME).unix_timestamp();
    Answer::ok(json!({
        "access_token": token, "expires_on": expires.to_string(), "resource": resource,
        "token_type": "Bearer", "client_id": grant.client_id,
    }))
}

pub(super) fn internal_error() -> Answer {
    let body = json!({"error": "server_error", "error_description": "The sandbox could not sign a token."});
    Answer::json(StatusCode::INTERNAL_SERVER_ERROR, body)
}

const TIMESTAMP: StaticFormatDescription =
    format_description!("[year]-[month]-[day] [hour]:[minute]:[second]Z");
