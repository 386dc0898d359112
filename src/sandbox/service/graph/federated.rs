//! Federated identity credentials of an application. Their issuers' keys come from the sandbox's controls.

use std::borrow::Cow;

use axum::http::{Method, header};
use serde::Deserialize;
use uuid::Uuid;

use super::read::Collection;
use super::wire::{federated_identity, unreadable};
use super::{Call, Outcome};
use crate::sandbox::https::Response;
use crate::sandbox::model::{FederatedIdentity, GraphRefusal};

/// Returns the collection of one application's federated credentials.
fn collection(id: Uuid) -> Collection {
    Collection {
        name: Cow::Owned(format!("applications('{id}')/federatedIdentityCredentials")),
        resource: "FederatedIdentityCredential",
        filterable: &["id", "name", "issuer", "subject"],
        version: "v1.0",
    }
}

pub(super) fn handle(call: &Call<'_>, id: Uuid, more: &[&str]) -> Outcome {
    match (&call.request.method, more) {
        (&Method::GET, []) => list(call, id),
        (&Method::POST, []) => create(call, id),
        (&Method::GET, [key]) => show(call, id, key),
        (&Method::DELETE, [key]) => {
            call.azure.model.remove_federated_identity(id, key, call.now)?;
            Ok(Response::no_content())
        }
        _ => Ok(Response::not_modelled(call.request)),
    }
}

fn list(call: &Call<'_>, id: Uuid) -> Outcome {
    call.may_read_applications()?;
    let mut found = call.azure.model.federated_identities(id, call.now)?;
    found.sort_by_key(|identity| identity.id);
    collection(id).filtered_page(call, found.iter().map(federated_identity).collect())
}

fn show(call: &Call<'_>, id: Uuid, key: &str) -> Outcome {
    call.may_read_applications()?;
    let found = call.azure.model.federated_identities(id, call.now)?;
    let missing = || GraphRefusal::NotFound(Uuid::try_parse(key).unwrap_or_default());
    let found = found.iter().find(|identity| identity.is_called(key)).ok_or_else(missing)?;
    Ok(collection(id).entity(call, federated_identity(found)))
}

#[derive(Deserialize)]
struct NewIdentity {
    name: String,
    issuer: String,
    subject: String,
    audiences: Vec<String>,
    #[serde(default)]
    description: Option<String>,
}

fn create(call: &Call<'_>, id: Uuid) -> Outcome {
    let wanted: NewIdentity = call.request.json().ok_or_else(unreadable)?;
    let NewIdentity { name, issuer, subject, audiences, description } = wanted;
    let wanted = FederatedIdentity { id: Uuid::nil(), name, issuer, subject, audiences, description };
    let made = call.azure.model.add_federated_identity(id, wanted, call.now)?;
    let location = format!(
        "{}/v1.0/applications/{id}/federatedIdentityCredentials/{}",
        call.azure.addresses.graph, made.id
    );
    Ok(collection(id).created(call, federated_identity(&made)).with(header::LOCATION, location))
}
