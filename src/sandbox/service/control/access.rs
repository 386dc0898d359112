//! Controls of permissions: Azure roles and app roles are assigned and removed at once.

use axum::http::Method;
use serde::Deserialize;
use uuid::Uuid;

use super::bad_request;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::{Role, Scope};
use crate::sandbox::service::azure::Azure;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Assignment {
    principal: Uuid,
    scope: Scope,
    role: Role,
}

/// Assigns or removes a role: `{"principal", "scope": {"vault": "vault-1"} | "fhir" | "dicom", "role"}`.
pub(super) fn role(azure: &Azure, request: &Request) -> Response {
    let Some(wanted) = request.json::<Assignment>() else {
        return bad_request("expected {\"principal\": ..., \"scope\": {\"vault\": ...}, \"role\": ...}");
    };
    if request.method == Method::DELETE {
        azure.model.remove_role(wanted.principal, &wanted.scope, wanted.role);
    } else {
        azure.model.assign_role(wanted.principal, &wanted.scope, wanted.role);
    }
    Response::no_content()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppRoles {
    principal: Uuid,
    resource: String,
    roles: Vec<String>,
}

/// Sets all app roles that a principal has on a resource from now on.
pub(super) fn app_roles(azure: &Azure, request: &Request) -> Response {
    let Some(wanted) = request.json::<AppRoles>() else {
        return bad_request("expected {\"principal\": ..., \"resource\": ..., \"roles\": [...]}");
    };
    let roles: Vec<_> = wanted.roles.iter().map(String::as_str).collect();
    azure.model.set_app_roles(wanted.principal, &wanted.resource, &roles);
    Response::no_content()
}
