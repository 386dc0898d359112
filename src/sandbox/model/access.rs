//! Permissions: Azure roles on vaults and health services, and app roles on APIs. Knows nothing about requests.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Model, State};

/// An Azure role for the data plane, by the name that the portal shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// All operations on secrets except purging.
    #[serde(rename = "Key Vault Secrets Officer")]
    SecretsOfficer,
    /// Reads secrets with their values.
    #[serde(rename = "Key Vault Secrets User")]
    SecretsUser,
    /// Reads everything but values.
    #[serde(rename = "Key Vault Reader")]
    VaultReader,
    /// Everything in the vault.
    #[serde(rename = "Key Vault Administrator")]
    VaultAdministrator,
    /// Purges what is deleted.
    #[serde(rename = "Key Vault Purge Operator")]
    PurgeOperator,
    /// Reads the FHIR service's resources.
    #[serde(rename = "FHIR Data Reader")]
    FhirDataReader,
    /// Reads the DICOM service's instances.
    #[serde(rename = "DICOM Data Reader")]
    DicomDataReader,
}

/// The scope that an Azure role is assigned on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// A vault, by name; vault names are case-insensitive.
    Vault(String),
    /// The FHIR service.
    Fhir,
    /// The DICOM service.
    Dicom,
}

/// All role assignments, by the principal's object id.
#[derive(Debug, Default)]
pub(super) struct Access {
    assignments: BTreeSet<(Uuid, Scope, Role)>,
    /// App roles by principal and resource (its identifier without a slash at the end).
    app_roles: BTreeMap<(Uuid, String), BTreeSet<String>>,
}

impl Model {
    /// Returns true if this principal has one of these roles on the scope itself.
    pub fn has_role(&self, principal: Uuid, scope: &Scope, roles: &[Role]) -> bool {
        let state = self.lock();
        let scope = scope.normalised();
        roles.iter().any(|role| state.access.assignments.contains(&(principal, scope.clone(), *role)))
    }

    /// Assigns a role at once; the minutes that Azure needs are not modelled.
    pub fn assign_role(&self, principal: Uuid, scope: &Scope, role: Role) {
        self.lock().access.assign(principal, scope, role);
    }

    /// Removes a role at once. Returns `false` if it was not assigned.
    pub fn remove_role(&self, principal: Uuid, scope: &Scope, role: Role) -> bool {
        self.lock().access.assignments.remove(&(principal, scope.normalised(), role))
    }

    /// Returns the app roles that a new token of this principal for this resource contains; older tokens keep theirs.
    pub fn app_roles(&self, principal: Uuid, resource: &str) -> Vec<String> {
        let state = self.lock();
        let roles = state.access.app_roles.get(&(principal, resource_key(resource)));
        roles.into_iter().flatten().cloned().collect()
    }

    /// Sets all app roles of a principal on a resource.
    pub fn set_app_roles(&self, principal: Uuid, resource: &str, roles: &[&str]) {
        self.lock().access.set_app_roles(principal, resource, roles);
    }
}

impl Access {
    pub(super) fn assign(&mut self, principal: Uuid, scope: &Scope, role: Role) {
        self.assignments.insert((principal, scope.normalised(), role));
    }

    pub(super) fn set_app_roles(&mut self, principal: Uuid, resource: &str, roles: &[&str]) {
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        self.app_roles.insert((principal, resource_key(resource)), roles);
    }
}

impl State {
    /// Grants the first roles of the daemon and of the client that may do everything.
    pub(super) fn grant_first_roles(&mut self, daemon: Uuid, client: Uuid) {
        let vaults: Vec<_> = self.vaults.values().map(|vault| Scope::Vault(vault.name.clone())).collect();
        for vault in &vaults {
            self.access.assign(daemon, vault, Role::SecretsOfficer);
            self.access.assign(client, vault, Role::VaultAdministrator);
        }
        self.access.set_app_roles(daemon, GRAPH, &["Application.ReadWrite.OwnedBy", "AuditLog.Read.All"]);
        let all = [
            "Application.ReadWrite.All",
            "AuditLog.Read.All",
            "Directory.Read.All",
            "Policy.Read.All",
            "Policy.ReadWrite.ApplicationConfiguration",
        ];
        self.access.set_app_roles(client, GRAPH, &all);
    }

    /// Allows each rotated application to read the health services.
    pub(super) fn grant_health_roles(&mut self) {
        for application in self.applications.values() {
            let principal = application.service_principal;
            self.access.assign(principal, &Scope::Fhir, Role::FhirDataReader);
            self.access.assign(principal, &Scope::Dicom, Role::DicomDataReader);
        }
    }
}

impl Scope {
    fn normalised(&self) -> Self {
        match self {
            Self::Vault(name) => Self::Vault(name.to_ascii_lowercase()),
            Self::Fhir => Self::Fhir,
            Self::Dicom => Self::Dicom,
        }
    }
}

/// Microsoft Graph, as a resource.
const GRAPH: &str = "https://graph.microsoft.com";

fn resource_key(resource: &str) -> String {
    resource.trim_end_matches('/').to_ascii_lowercase()
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a test may stop here")]
mod tests {
    use super::*;
    use crate::sandbox::model::seed::tests::small_world;

    /// A role counts only in the scope it was assigned in, and only until it is removed.
    #[test]
    fn role_counts_only_in_its_scope() {
        let model = small_world();
        let daemon = model.tenant().daemon.object_id;
        let (vault, other) = (Scope::Vault("VAULT-1".to_owned()), Scope::Vault("elsewhere".to_owned()));
        assert!(model.has_role(daemon, &vault, &[Role::SecretsUser, Role::SecretsOfficer]));
        assert!(!model.has_role(daemon, &other, &[Role::SecretsOfficer]));
        assert!(!model.has_role(daemon, &vault, &[Role::PurgeOperator]));
        assert!(model.remove_role(daemon, &vault, Role::SecretsOfficer));
        assert!(!model.has_role(daemon, &vault, &[Role::SecretsOfficer]));
    }

    /// App roles are stored for each resource, and a trailing slash in the resource makes no difference.
    #[test]
    fn app_roles_ignore_trailing_slash() {
        let model = small_world();
        let daemon = model.tenant().daemon.object_id;
        assert!(
            model.app_roles(daemon, "https://graph.microsoft.com/").contains(&"AuditLog.Read.All".to_owned())
        );
        assert!(model.app_roles(daemon, "https://vault.azure.net").is_empty());
        let principal =
            model.application(model.managed()[0].object_id, crate::sandbox::model::seed::tests::START);
        let principal = principal.map(|found| found.service_principal).unwrap_or_default();
        assert!(model.has_role(principal, &Scope::Fhir, &[Role::FhirDataReader]));
    }
}
