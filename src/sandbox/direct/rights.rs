//! The permissions of the daemon's identity, by the same roles that the services behind HTTPS require.

use uuid::Uuid;

use super::{DirectPorts, refused};
use crate::domain::VaultName;
use crate::ports::PortError;
use crate::sandbox::model::{AccessModel, GraphRefusal, Network, Scope};
use crate::sandbox::service::graph::rights::{OWNED_BY, WRITE_APPLICATIONS};
use crate::sandbox::service::key_vault::Right;

impl DirectPorts {
    /// Returns the identity's app roles on Graph.
    pub(super) fn graph_roles(&self) -> Vec<String> {
        self.model.app_roles(self.model.tenant().daemon.object_id, "https://graph.microsoft.com")
    }

    pub(super) fn has_one_of(&self, roles: &[&str]) -> Result<(), GraphRefusal> {
        let has = self.graph_roles().iter().any(|role| roles.contains(&role.as_str()));
        if has { Ok(()) } else { Err(GraphRefusal::Forbidden) }
    }

    /// Checks the right to write to an application. Owners need `OwnedBy`, too.
    pub(super) fn may_write(&self, application: Uuid) -> Result<(), GraphRefusal> {
        if self.has_one_of(&WRITE_APPLICATIONS).is_ok() {
            return Ok(());
        }
        self.has_one_of(&[OWNED_BY])?;
        self.model.check_owner(application, self.model.tenant().daemon.object_id)
    }

    /// Checks the vault's network first, then its roles. The model refuses calls to an unknown vault.
    pub(super) fn check_vault(
        &self,
        operation: &'static str,
        vault: &VaultName,
        right: Right,
    ) -> Result<(), PortError> {
        let Some(options) = self.model.vault_options(vault.as_str()) else { return Ok(()) };
        let (daemon, scope) = (self.model.tenant().daemon.object_id, Scope::Vault(vault.to_string()));
        let code = match (options.network, options.access_model) {
            (Network::Firewall, _) => "ForbiddenByFirewall",
            (Network::Private, _) => "ForbiddenByConnection",
            (Network::Open, model) if self.model.has_role(daemon, &scope, right.roles(model)) => {
                return Ok(());
            }
            (Network::Open, AccessModel::Rbac) => "ForbiddenByRbac",
            (Network::Open, AccessModel::AccessPolicies) => "AccessDenied",
        };
        Err(refused(operation, 403, &code))
    }
}
