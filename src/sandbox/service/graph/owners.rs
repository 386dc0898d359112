//! The owners of an application: every caller that may read the application reads them, but only those that may write
//! all applications change them.

use std::borrow::Cow;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::read::Collection;
use super::target::object_id;
use super::wire::{service_principal, unreadable};
use super::{Call, Outcome};
use crate::sandbox::https::Response;
use crate::sandbox::model::{GraphRefusal, ServicePrincipal};

const COLLECTION: Collection = Collection {
    name: Cow::Borrowed("directoryObjects"),
    resource: "DirectoryObject",
    filterable: &["id"],
    version: "v1.0",
};

pub(super) fn handle(call: &Call<'_>, id: Uuid, more: &[&str]) -> Outcome {
    match (&call.request.method, more) {
        (&Method::GET, []) => list(call, id),
        (&Method::POST, ["$ref"]) => add(call, id),
        (&Method::DELETE, [owner, "$ref"]) => {
            call.azure.model.remove_owner(id, object_id(owner)?, call.now)?;
            Ok(Response::no_content())
        }
        _ => Ok(Response::not_modelled(call.request)),
    }
}

fn list(call: &Call<'_>, id: Uuid) -> Outcome {
    call.may_read_applications()?;
    let application = call.azure.model.application(id, call.now).ok_or(GraphRefusal::NotFound(id))?;
    let mut principals = call.azure.model.service_principals(call.now);
    principals.retain(|principal| application.owners.contains(&principal.object_id));
    COLLECTION.filtered_page(call, principals.iter().map(owner).collect())
}

fn owner(principal: &ServicePrincipal) -> Value {
    let mut object = service_principal(principal);
    if let Value::Object(members) = &mut object {
        members.insert("@odata.type".to_owned(), json!("#microsoft.graph.servicePrincipal"));
    }
    object
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "@odata.id")]
    url: String,
}

fn add(call: &Call<'_>, id: Uuid) -> Outcome {
    let owner = referenced(call).ok_or_else(unreadable)?;
    call.azure.model.add_owner(id, owner, call.now)?;
    Ok(Response::no_content())
}

/// Returns the id at the end of the `@odata.id` in the body.
pub(super) fn referenced(call: &Call<'_>) -> Option<Uuid> {
    let reference: Reference = call.request.json()?;
    Uuid::try_parse(reference.url.trim_end_matches('/').rsplit('/').next()?).ok()
}
