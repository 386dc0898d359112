//! The v2 token endpoint: client credentials, proved by a secret or by a federated assertion.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use jsonwebtoken::{Algorithm, DecodingKey, decode, decode_header};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::entra::{Refusal, internal_error};
use crate::ports::Clock;
use crate::sandbox::azure::Azure;
use crate::sandbox::https::{Answer, Request};
use crate::sandbox::model::{FederatedCredential, SignInRefusal};
use crate::sandbox::tokens::{Grant, LIFETIME, signature_only};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

const KNOWN_RESOURCES: [&str; 3] =
    ["https://vault.azure.net", "https://graph.microsoft.com", "https://storage.azure.com"];

pub(super) fn answer(azure: &Azure, request: &Request) -> Answer {
    let mut form = request.form();
    if let Some((client_id, secret)) = request.basic_credentials() {
        form.entry("client_id".to_owned()).or_insert(client_id);
        form.entry("client_secret".to_owned()).or_insert(secret);
    }
    match grant(azure, &form) {
        Ok(grant) => token(azure, &grant),
        Err(refusal) => refusal.into_answer(azure.clock.now()),
    }
}

fn token(azure: &Azure, grant: &Grant) -> Answer {
    let Ok(token) = azure.issue_token(grant) else { return internal_error() };
    let seconds = LIFETIME.whole_seconds() - 1;
    Answer::ok(json!({
        "token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token,
    }))
}

fn grant(azure: &Azure, form: &BTreeMap<String, String>) -> Result<Grant, Refusal> {
    let field = |name: &str| form.get(name).map(String::as_str);
    if field("grant_type") != Some("client_credentials") {
        let message = "The app requested an unsupported grant type.";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", 70_003, message));
    }
    let Some(client) = field("client_id") else {
        let message = "The request body must contain the following parameter: 'client_id'.";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", 900_144, message));
    };
    let client_id = Uuid::try_parse(client).map_err(|_| unknown_application(azure, client))?;
    let object_id = object_id(azure, client_id).ok_or_else(|| unknown_application(azure, client))?;
    let by_assertion = match (field("client_secret"), field("client_assertion")) {
        (Some(secret), None) => check_secret(azure, client_id, secret).map(|()| false)?,
        (None, Some(assertion)) if field("client_assertion_type") == Some(JWT_BEARER) => {
            check_assertion(azure, client_id, assertion).map(|()| true)?
        }
        _ => return Err(unproved()),
    };
    let audience = audience(field("scope").unwrap_or_default())?;
    let roles = azure.model.app_roles(object_id, &audience);
    Ok(Grant { client_id, object_id, audience, by_assertion, roles })
}

fn object_id(azure: &Azure, client_id: Uuid) -> Option<Uuid> {
    let service = azure.model.tenant().service_identity(client_id).map(|identity| identity.object_id);
    service.or_else(|| azure.model.service_principal(client_id))
}

fn check_secret(azure: &Azure, client_id: Uuid, secret: &str) -> Result<(), Refusal> {
    let outcome = match azure.model.tenant().service_identity(client_id) {
        Some(identity) if identity.secret.expose_secret() == secret => Ok(()),
        Some(_) => Err(SignInRefusal::Wrong),
        None => azure.model.sign_in(client_id, secret, azure.clock.now()),
    };
    outcome.map_err(|refusal| refused_sign_in(azure, refusal, client_id))
}

#[derive(Deserialize)]
struct Assertion {
    iss: String,
    sub: String,
    aud: String,
    exp: i64,
    #[serde(default)]
    nbf: i64,
}

fn check_assertion(azure: &Azure, client_id: Uuid, assertion: &str) -> Result<(), Refusal> {
    let trusted = azure.model.federated_credentials(client_id);
    let found = trusted.iter().find_map(|credential| verified(credential, assertion));
    let claims = found.ok_or_else(|| {
        let message =
            format!("No matching federated identity record found for an assertion for app '{client_id}'.");
        Refusal::new(StatusCode::UNAUTHORIZED, "invalid_client", 700_213, message)
    })?;
    if is_current(&claims, azure.token_time(client_id)) {
        return Ok(());
    }
    let message = "Client assertion is not within its valid time range.";
    Err(Refusal::new(StatusCode::UNAUTHORIZED, "invalid_client", 700_024, message))
}

/// The assertion's claims, if this issuer has made it for this purpose.
fn verified(credential: &FederatedCredential, assertion: &str) -> Option<Assertion> {
    let header = decode_header(assertion).ok()?;
    // A certificate's assertion names no key, only a thumbprint, and may be signed with PS256.
    let jwk = match &header.kid {
        Some(key_id) => credential.keys.find(key_id)?,
        None => credential.keys.keys.first()?,
    };
    let mut validation = signature_only();
    validation.algorithms = vec![Algorithm::RS256, Algorithm::PS256];
    let key = DecodingKey::from_jwk(jwk).ok()?;
    let claims = decode::<Assertion>(assertion, &key, &validation).ok()?.claims;
    let is_meant = claims.iss == credential.issuer
        && claims.sub == credential.subject
        && claims.aud == credential.audience;
    is_meant.then_some(claims)
}

fn is_current(claims: &Assertion, now: OffsetDateTime) -> bool {
    let now = now.unix_timestamp();
    now < claims.exp && claims.nbf <= now + 300
}

/// The resource before `/.default`: one that is known, or an application's own.
fn audience(scope: &str) -> Result<String, Refusal> {
    let Some(resource) = scope.strip_suffix("/.default").filter(|resource| !resource.contains(' ')) else {
        let message = format!(
            "The provided request must include a 'scope' input parameter. The provided value for the input parameter 'scope' is not valid: '{scope}'. A scope must be the resource followed by /.default."
        );
        return Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_scope", 70_011, message));
    };
    let is_application = Uuid::try_parse(resource.trim_start_matches("api://")).is_ok();
    if KNOWN_RESOURCES.contains(&resource.trim_end_matches('/')) || is_application {
        return Ok(resource.to_owned());
    }
    let message = format!("The resource principal named {resource} was not found in the tenant.");
    Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_resource", 500_011, message))
}

fn unproved() -> Refusal {
    let message =
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
    Refusal::new(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_218, message)
}

fn unknown_application(azure: &Azure, client: &str) -> Refusal {
    let message = format!(
        "Application with identifier '{client}' was not found in the directory '{}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
        azure.model.tenant().id
    );
    Refusal::new(StatusCode::BAD_REQUEST, "unauthorized_client", 700_016, message)
}

fn refused_sign_in(azure: &Azure, refusal: SignInRefusal, client_id: Uuid) -> Refusal {
    let (status, error, message) = match refusal {
        SignInRefusal::UnknownApplication => return unknown_application(azure, &client_id.to_string()),
        SignInRefusal::Wrong => (
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client_id}'."
            ),
        ),
        SignInRefusal::Expired => (
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            format!(
                "The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."
            ),
        ),
        SignInRefusal::Disabled => (
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            format!("Application '{client_id}' is disabled."),
        ),
    };
    Refusal::new(status, error, refusal.code(), message)
}
