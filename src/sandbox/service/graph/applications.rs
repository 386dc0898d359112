//! Applications: listed, read, registered, changed and deleted.

use std::borrow::Cow;

use axum::http::{Method, header};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::filter::client_id;
use super::read::Collection;
use super::wire::{application, unreadable};
use super::{Call, Outcome, federated, owners, passwords, policies};
use crate::sandbox::https::Response;
use crate::sandbox::model::{ApplicationChange, GraphRefusal};

const COLLECTION: Collection = Collection {
    name: Cow::Borrowed("applications"),
    resource: "Application",
    filterable: &["id", "appId", "displayName", "signInAudience", "tags"],
    version: "v1.0",
};

/// The modelled properties that Graph lets a client set.
const SETTABLE: [&str; 9] = [
    "displayName",
    "tags",
    "signInAudience",
    "isFallbackPublicClient",
    "identifierUris",
    "appRoles",
    "web",
    "spa",
    "publicClient",
];

/// The platforms; only their redirect URIs are modelled.
const PLATFORMS: [&str; 3] = ["web", "spa", "publicClient"];

/// The properties that have their own calls.
const CREDENTIALS: [&str; 2] = ["passwordCredentials", "keyCredentials"];

pub(super) fn all(call: &Call<'_>, more: &[&str]) -> Outcome {
    match (&call.request.method, more) {
        (&Method::GET, [] | ["$count"]) => list(call, !more.is_empty()),
        (&Method::POST, []) => create(call),
        _ => Ok(Response::not_modelled(call.request)),
    }
}

pub(super) fn one(call: &Call<'_>, id: Uuid, more: &[&str]) -> Outcome {
    match (&call.request.method, more) {
        (&Method::GET, []) => show(call, id),
        (&Method::PATCH, []) => change(call, id),
        (&Method::DELETE, []) => delete(call, id),
        (&Method::POST, ["addPassword"]) => passwords::add(call, id),
        (&Method::POST, ["removePassword"]) => passwords::remove(call, id),
        (_, ["owners", more @ ..]) => owners::handle(call, id, more),
        (_, ["federatedIdentityCredentials", more @ ..]) => federated::handle(call, id, more),
        (_, ["appManagementPolicies", more @ ..]) => policies::assigned(call, id, more),
        _ => Ok(Response::not_modelled(call.request)),
    }
}

fn list(call: &Call<'_>, is_count: bool) -> Outcome {
    call.may_read_applications()?;
    let model = &call.azure.model;
    COLLECTION.list(call, is_count, |conditions| {
        let found = match client_id(conditions) {
            // Quick, since a client requests its own application like this repeatedly.
            Some(id) => model.application_by_client_id(id, call.now).into_iter().collect(),
            None => model.applications(call.now),
        };
        found.iter().map(application).collect()
    })
}

fn show(call: &Call<'_>, id: Uuid) -> Outcome {
    call.may_read_applications()?;
    let found = call.azure.model.application(id, call.now).ok_or(GraphRefusal::NotFound(id))?;
    Ok(COLLECTION.entity(call, application(&found)))
}

fn create(call: &Call<'_>) -> Outcome {
    call.may_create_applications()?;
    let Some(wanted) = wanted(call)? else { return Ok(Response::not_modelled(call.request)) };
    if wanted.display_name.as_ref().is_none_or(String::is_empty) {
        let message = "A value is required for property 'displayName' of resource 'Application'.";
        return Err(GraphRefusal::bad_request(message));
    }
    let made = call.azure.model.create_application(wanted, Some(call.caller.object_id), call.now);
    let location = format!("{}/v1.0/applications/{}", call.azure.addresses.graph, made.object_id);
    Ok(COLLECTION.created(call, application(&made)).with(header::LOCATION, location))
}

fn change(call: &Call<'_>, id: Uuid) -> Outcome {
    let Some(wanted) = wanted(call)? else { return Ok(Response::not_modelled(call.request)) };
    call.azure.model.change_application(id, wanted, call.now)?;
    Ok(Response::no_content())
}

fn delete(call: &Call<'_>, id: Uuid) -> Outcome {
    call.azure.model.delete_application(id, call.now)?;
    Ok(Response::no_content())
}

/// Returns the change in the body; `None` if it sets a property that is not modelled.
fn wanted(call: &Call<'_>) -> Result<Option<ApplicationChange>, GraphRefusal> {
    let body: Map<String, Value> = call.request.json().ok_or_else(unreadable)?;
    if let Some(name) = CREDENTIALS.iter().find(|name| body.get(**name).is_some_and(is_set)) {
        let message = format!("Property '{name}' can't be set here: use the actions for it.");
        return Err(GraphRefusal::bad_request(message));
    }
    let is_known = |name: &String| SETTABLE.contains(&name.as_str()) || CREDENTIALS.contains(&name.as_str());
    if !body.keys().all(is_known) || sets_more_than_redirects(&body) {
        return Ok(None);
    }
    let body: Map<_, _> = body.into_iter().filter(|(name, _)| SETTABLE.contains(&name.as_str())).collect();
    serde_json::from_value(Value::Object(body)).map(Some).map_err(|_| unreadable())
}

fn sets_more_than_redirects(body: &Map<String, Value>) -> bool {
    let mut platforms = PLATFORMS.iter().filter_map(|name| body.get(*name)?.as_object());
    platforms.any(|members| members.keys().any(|name| name != "redirectUris"))
}

fn is_set(value: &Value) -> bool {
    !value.is_null() && value.as_array().is_none_or(|elements| !elements.is_empty())
}
