//! The client that requests a token, and the proof of its identity: a secret or an assertion.

use axum::http::StatusCode;
use secrecy::ExposeSecret;
use uuid::Uuid;

use super::assertion;
use super::form::Form;
use super::refusal::Refusal;
use crate::ports::Clock;
use crate::sandbox::model::SignInRefusal;
use crate::sandbox::resources::Resource;
use crate::sandbox::service::azure::Azure;

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Returns the application's client id and its service principal's object id.
pub(super) fn known(azure: &Azure, client: &str) -> Result<(Uuid, Uuid), Refusal> {
    let found = Uuid::try_parse(client)
        .ok()
        .and_then(|client_id| Some((client_id, azure.model.service_principal(client_id)?)));
    found.ok_or_else(|| unknown_application(azure, client))
}

/// Checks the proof of identity. Returns true if it is an assertion, false if it is a secret. A sign-in with a secret
/// is recorded as one to this resource, so nothing may refuse it afterwards.
pub(super) fn proved(
    azure: &Azure,
    client_id: Uuid,
    form: &Form,
    resource: &Resource,
) -> Result<bool, Refusal> {
    match (form.get("client_secret"), form.get("client_assertion")) {
        (Some(secret), None) => check_secret(azure, client_id, secret, resource).map(|()| false),
        (None, Some(assertion)) if form.get("client_assertion_type") == Some(JWT_BEARER) => {
            check_enabled(azure, client_id).map_err(|refusal| refused(azure, refusal, client_id))?;
            assertion::check(azure, client_id, assertion).map(|()| true)
        }
        _ => {
            let message = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            Err(Refusal::invalid_client(7_000_218, message))
        }
    }
}

/// Checks a secret. A service identity has one that never changes, besides the passwords that any application may have.
fn check_secret(azure: &Azure, client_id: Uuid, secret: &str, resource: &Resource) -> Result<(), Refusal> {
    let service = azure.model.tenant().service_identity(client_id);
    let outcome = if service.is_some_and(|identity| identity.secret.expose_secret() == secret) {
        check_enabled(azure, client_id)
    } else {
        azure.model.sign_in_to(client_id, secret, resource.principal, azure.clock.now())
    };
    outcome.map_err(|refusal| refused(azure, refusal, client_id))
}

fn check_enabled(azure: &Azure, client_id: Uuid) -> Result<(), SignInRefusal> {
    let found = azure.model.application_by_client_id(client_id, azure.clock.now());
    found.ok_or(SignInRefusal::UnknownApplication)?.check_enabled()
}

fn unknown_application(azure: &Azure, client: &str) -> Refusal {
    let message = format!(
        "Application with identifier '{client}' was not found in the directory '{}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.",
        azure.model.tenant().id
    );
    Refusal::new(StatusCode::BAD_REQUEST, "unauthorized_client", 700_016, message)
}

fn refused(azure: &Azure, refusal: SignInRefusal, client_id: Uuid) -> Refusal {
    match refusal {
        SignInRefusal::UnknownApplication => unknown_application(azure, &client_id.to_string()),
        SignInRefusal::Wrong => Refusal::invalid_client(
            refusal.code(),
            format!(
                "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client_id}'."
            ),
        ),
        SignInRefusal::Expired => Refusal::invalid_client(
            refusal.code(),
            format!(
                "The provided client secret keys for app '{client_id}' are expired. Visit the Azure portal to create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials for added security: https://aka.ms/certCreds."
            ),
        ),
        SignInRefusal::Disabled => Refusal::new(
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            refusal.code(),
            format!("Application '{client_id}' is disabled."),
        ),
        SignInRefusal::NoServicePrincipal => Refusal::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized_client",
            refusal.code(),
            format!(
                "The client application {client_id} is missing service principal in the tenant {}.",
                azure.model.tenant().id
            ),
        ),
    }
}
