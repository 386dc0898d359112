//! Service principals: listed, read, created for an application, enabled or disabled, deleted.

use std::borrow::Cow;

use axum::http::{Method, header};
use serde::Deserialize;
use uuid::Uuid;

use super::read::Collection;
use super::wire::{service_principal, unreadable};
use super::{Call, Outcome};
use crate::sandbox::https::Response;
use crate::sandbox::model::GraphRefusal;

const COLLECTION: Collection = Collection {
    name: Cow::Borrowed("servicePrincipals"),
    resource: "ServicePrincipal",
    filterable: &["id", "appId", "displayName", "servicePrincipalType", "tags"],
    version: "v1.0",
};

pub(super) fn all(call: &Call<'_>, more: &[&str]) -> Outcome {
    match (&call.request.method, more) {
        (&Method::GET, [] | ["$count"]) => list(call, !more.is_empty()),
        (&Method::POST, []) => create(call),
        _ => Ok(Response::not_modelled(call.request)),
    }
}

/// Handles requests to one service principal. Its own passwords are not modelled: those of its application count.
pub(super) fn one(call: &Call<'_>, id: Uuid, more: &[&str]) -> Outcome {
    match (&call.request.method, more) {
        (&Method::GET, []) => show(call, id),
        (&Method::PATCH, []) => change(call, id),
        (&Method::DELETE, []) => delete(call, id),
        _ => Ok(Response::not_modelled(call.request)),
    }
}

fn list(call: &Call<'_>, is_count: bool) -> Outcome {
    call.may_read_applications()?;
    COLLECTION.list(call, is_count, |_| {
        call.azure.model.service_principals(call.now).iter().map(service_principal).collect()
    })
}

fn show(call: &Call<'_>, id: Uuid) -> Outcome {
    call.may_read_applications()?;
    let found = call.azure.model.service_principals(call.now);
    let found = found.iter().find(|principal| principal.object_id == id);
    let found = found.ok_or(GraphRefusal::NotFound(id))?;
    Ok(COLLECTION.entity(call, service_principal(found)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewPrincipal {
    app_id: Uuid,
}

fn create(call: &Call<'_>) -> Outcome {
    let wanted: NewPrincipal = call.request.json().ok_or_else(unreadable)?;
    match call.azure.model.object_id(wanted.app_id) {
        Some(application) => call.may_write(application)?,
        None => call.may_create_applications()?,
    }
    let made = call.azure.model.create_service_principal(wanted.app_id, call.now)?;
    let location = format!("{}/v1.0/servicePrincipals/{}", call.azure.addresses.graph, made.object_id);
    Ok(COLLECTION.created(call, service_principal(&made)).with(header::LOCATION, location))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PrincipalChange {
    account_enabled: bool,
}

fn change(call: &Call<'_>, id: Uuid) -> Outcome {
    may_write(call, id)?;
    let Some(wanted) = call.request.json::<PrincipalChange>() else {
        return Ok(Response::not_modelled(call.request));
    };
    call.azure.model.enable_service_principal(id, wanted.account_enabled)?;
    Ok(Response::no_content())
}

fn delete(call: &Call<'_>, id: Uuid) -> Outcome {
    may_write(call, id)?;
    call.azure.model.delete_service_principal(id)?;
    Ok(Response::no_content())
}

/// Checks the right to write: callers that may write the application may write its service principal. The model refuses
/// a missing one.
fn may_write(call: &Call<'_>, id: Uuid) -> Result<(), GraphRefusal> {
    match call.azure.model.application_of_principal(id) {
        Some(application) => call.may_write(application),
        None => call.may_create_applications(),
    }
}
