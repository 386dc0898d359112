//! Entra: discovery, signing keys, both token endpoints, and the endpoints of managed identities.

mod assertion;
mod discovery;
mod form;
mod identity;
mod managed_identity;
mod refusal;
mod token;

use axum::http::{Method, StatusCode};
use uuid::Uuid;

use crate::sandbox::https::{Request, Response};
use crate::sandbox::service::azure::Azure;

pub(crate) use managed_identity::handle_request as handle_managed_identity;
pub(crate) use refusal::unavailable;

use refusal::Refusal;

/// The generation of an endpoint, which is not that of the tokens it issues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Generation {
    V1,
    V2,
}

/// The directory named by the first segment of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directory {
    /// Our tenant, by its id or a domain.
    Home,
    /// `common` or `organizations`: any tenant.
    Any(&'static str),
}

type Endpoint = fn(&Azure, &Request, Directory, Generation) -> Response;

/// A domain of the tenant, which may replace its id.
const DOMAIN: &str = "sandbox.onmicrosoft.com";

pub(crate) fn handle_request(azure: &Azure, request: &Request) -> Response {
    match (&request.method, request.path().as_slice()) {
        (&Method::GET, ["msi", "token"]) => managed_identity::app_service(azure, request),
        (&Method::GET, [_, "discovery", "instance"]) => discovery::instance(azure, request),
        (method, [tenant, path @ ..]) => in_tenant(azure, request, method, tenant, path),
        (_, []) => Response::not_modelled(request),
    }
}

fn in_tenant(azure: &Azure, request: &Request, method: &Method, tenant: &str, path: &[&str]) -> Response {
    let (handle, generation): (Endpoint, _) = match (method, path) {
        (&Method::GET, [".well-known", "openid-configuration"]) => (discovery::configuration, Generation::V1),
        (&Method::GET, ["v2.0", ".well-known", "openid-configuration"]) => {
            (discovery::configuration, Generation::V2)
        }
        (&Method::GET, ["discovery", "keys"]) => (discovery::keys, Generation::V1),
        (&Method::GET, ["discovery", "v2.0", "keys"]) => (discovery::keys, Generation::V2),
        (_, ["oauth2", "token"]) => (token::handle_request, Generation::V1),
        (_, ["oauth2", "v2.0", "token"]) => (token::handle_request, Generation::V2),
        _ => return Response::not_modelled(request),
    };
    match directory(azure, tenant) {
        Ok(directory) => handle(azure, request, directory, generation),
        Err(refusal) => refusal.into_response(azure, request),
    }
}

fn directory(azure: &Azure, tenant: &str) -> Result<Directory, Refusal> {
    let id = Uuid::try_parse(tenant).ok();
    if id == Some(azure.model.tenant().id) || tenant.eq_ignore_ascii_case(DOMAIN) {
        return Ok(Directory::Home);
    }
    if let Some(any) = ["common", "organizations"].into_iter().find(|any| tenant.eq_ignore_ascii_case(any)) {
        return Ok(Directory::Any(any));
    }
    let is_label = |label: &str| {
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '-';
        !label.is_empty() && label.chars().all(is_part)
    };
    let is_domain = tenant.contains('.') && tenant.split('.').all(is_label);
    let refused = |code, message| Refusal::new(StatusCode::BAD_REQUEST, "invalid_request", code, message);
    if id.is_none() && !is_domain {
        let message = format!(
            "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain."
        );
        return Err(refused(900_023, message));
    }
    let message = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant."
    );
    Err(refused(90_002, message))
}
