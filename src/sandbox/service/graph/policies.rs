//! App management policies: the default one, the others, and the one assigned to an application.

use std::borrow::Cow;

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::owners::referenced;
use super::read::Collection;
use super::target;
use super::wire::{in_context, unreadable};
use super::{Call, Outcome};
use crate::sandbox::https::Response;
use crate::sandbox::model::{AppPolicy, GraphRefusal, Restrictions};

const COLLECTION: Collection = Collection {
    name: Cow::Borrowed("policies/appManagementPolicies"),
    resource: "AppManagementPolicy",
    filterable: &["id", "displayName"],
    version: "v1.0",
};

const DEFAULT: &str = "policies/defaultAppManagementPolicy/$entity";

pub(super) fn handle(call: &Call<'_>, more: &[&str]) -> Outcome {
    let model = &call.azure.model;
    call.may_use_policies()?;
    match (&call.request.method, more) {
        (&Method::GET, ["defaultAppManagementPolicy"]) => {
            Ok(Response::ok(in_context(default_policy(&model.default_policy()), call.azure, "v1.0", DEFAULT)))
        }
        (&Method::PATCH, ["defaultAppManagementPolicy"]) => change(call, Uuid::nil()),
        (&Method::GET, ["appManagementPolicies"]) => {
            COLLECTION.filtered_page(call, model.policies().iter().map(policy).collect())
        }
        (&Method::POST, ["appManagementPolicies"]) => create(call),
        (&Method::GET, ["appManagementPolicies", id]) => show(call, key(id)?),
        (&Method::PATCH, ["appManagementPolicies", id]) => change(call, key(id)?),
        (&Method::DELETE, ["appManagementPolicies", id]) => {
            model.delete_policy(key(id)?)?;
            Ok(Response::no_content())
        }
        _ => Ok(Response::not_modelled(call.request)),
    }
}

/// Handles `/applications/{id}/appManagementPolicies`: at most one is assigned.
pub(super) fn assigned(call: &Call<'_>, object_id: Uuid, more: &[&str]) -> Outcome {
    let model = &call.azure.model;
    call.may_use_policies()?;
    match (&call.request.method, more) {
        (&Method::GET, []) => {
            let found = model.application(object_id, call.now);
            let policy_id = found.ok_or(GraphRefusal::NotFound(object_id))?.policy;
            let assigned = model.policies().into_iter().filter(|policy| Some(policy.id) == policy_id);
            COLLECTION.filtered_page(call, assigned.map(|assigned| policy(&assigned)).collect())
        }
        (&Method::POST, ["$ref"]) => {
            let id = referenced(call).ok_or_else(unreadable)?;
            model.assign_policy(object_id, id, call.now)?;
            Ok(Response::no_content())
        }
        (&Method::DELETE, [id, "$ref"]) => {
            model.unassign_policy(object_id, key(id)?, call.now)?;
            Ok(Response::no_content())
        }
        _ => Ok(Response::not_modelled(call.request)),
    }
}

/// Parses a policy's id. The nil id belongs to the default policy, which has a path of its own.
fn key(id: &str) -> Result<Uuid, GraphRefusal> {
    let id = target::object_id(id)?;
    if id.is_nil() { Err(GraphRefusal::NotFound(id)) } else { Ok(id) }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct PolicyChange {
    display_name: Option<String>,
    description: Option<String>,
    is_enabled: Option<bool>,
    /// Only of the default policy.
    application_restrictions: Option<Restrictions>,
    /// Only of the default policy.
    service_principal_restrictions: Option<Restrictions>,
    /// Only of the other policies.
    restrictions: Option<Restrictions>,
}

impl PolicyChange {
    fn apply(self, policy: &mut AppPolicy) {
        policy.display_name = self.display_name.unwrap_or_else(|| policy.display_name.clone());
        policy.description = self.description.unwrap_or_else(|| policy.description.clone());
        policy.is_enabled = self.is_enabled.unwrap_or(policy.is_enabled);
        if let Some(restrictions) = self.application_restrictions.or(self.restrictions) {
            policy.restrictions = restrictions;
        }
        if let Some(restrictions) = self.service_principal_restrictions {
            policy.principal_restrictions = restrictions;
        }
    }
}

/// Parses the change in a body. An error names the part that isn't known.
fn wanted(call: &Call<'_>) -> Result<PolicyChange, GraphRefusal> {
    let body: Value = call.request.json().ok_or_else(unreadable)?;
    serde_json::from_value(body)
        .map_err(|reason| GraphRefusal::bad_request(format!("The policy can't be read: {reason}.")))
}

fn create(call: &Call<'_>) -> Outcome {
    let wanted = wanted(call)?;
    let made = call.azure.model.create_policy(|policy| wanted.apply(policy));
    Ok(COLLECTION.created(call, policy(&made)))
}

fn show(call: &Call<'_>, id: Uuid) -> Outcome {
    let found = call.azure.model.policies().into_iter().find(|policy| policy.id == id);
    Ok(COLLECTION.entity(call, policy(&found.ok_or(GraphRefusal::NotFound(id))?)))
}

fn change(call: &Call<'_>, id: Uuid) -> Outcome {
    let wanted = wanted(call)?;
    let changed = call.azure.model.change_policy(id, |policy| wanted.apply(policy));
    changed.map(|_| Response::no_content()).ok_or(GraphRefusal::NotFound(id))
}

fn policy(policy: &AppPolicy) -> Value {
    json!({
        "id": policy.id,
        "displayName": policy.display_name,
        "description": policy.description,
        "isEnabled": policy.is_enabled,
        "restrictions": policy.restrictions,
    })
}

fn default_policy(policy: &AppPolicy) -> Value {
    json!({
        "id": policy.id,
        "displayName": policy.display_name,
        "description": policy.description,
        "isEnabled": policy.is_enabled,
        "applicationRestrictions": policy.restrictions,
        "servicePrincipalRestrictions": policy.principal_restrictions,
    })
}
