//! The remedies of refusals: the command, where there is one. No command is ever run here.

use super::finding::{CheckName, Finding};
use crate::config::{AzureConfig, GRAPH_CLIENT_ID, GRAPH_ROLE_OWNED_BY};
use crate::domain::{AppObjectId, VaultName};
use crate::ports::{OwnIdentity, PortError, RefusalKind, chain};

/// Returns the object id of rekeyd's service principal for a command, or a placeholder where it is not known.
pub(super) fn object_id(identity: Option<&OwnIdentity>) -> &str {
    identity.and_then(|identity| identity.object_id.as_deref()).unwrap_or("OBJECT_ID_OF_REKEYD")
}

/// The remedy where there is no token.
pub(super) const IDENTITY: &str = "check [identity], and the identity itself: it must exist, and this machine may need \
    permission to use it (az identity show, az ad sp show --id CLIENT_ID)";

/// Returns the finding for a vault's error. `permission` is the check that ran into it.
pub(super) fn vault_trouble(
    permission: CheckName,
    subject: &str,
    vault: &VaultName,
    error: &PortError,
    identity: Option<&OwnIdentity>,
) -> Finding {
    if let PortError::Refused { kind, code, .. } = error
        && kind.is_access_denied()
    {
        return vault_refusal(permission, subject, vault, (*kind, code), identity);
    }
    let remedy = format!(
        "check the vault's name and url in [[vaults]], DNS and proxies: az keyvault show --name {vault} \
         --query properties.vaultUri"
    );
    Finding::error(CheckName::VaultReachable, subject, chain(error), remedy)
}

/// Returns the finding for a refusal of this kind and with this code: a closed network differs from a missing role.
pub(super) fn vault_refusal(
    permission: CheckName,
    subject: &str,
    vault: &VaultName,
    (kind, code): (RefusalKind, &str),
    identity: Option<&OwnIdentity>,
) -> Finding {
    let (check, detail, remedy) = match kind {
        RefusalKind::FirewallBlocked => (
            CheckName::VaultNetwork,
            "the vault's firewall blocks this machine's address",
            format!(
                "allow it (az keyvault network-rule add --name {vault} --ip-address ADDRESS), or run rekeyd in an \
                 allowed network"
            ),
        ),
        RefusalKind::PublicAccessDisabled => (
            CheckName::VaultNetwork,
            "the vault disables public network access, and this machine does not use one of its private endpoints",
            format!(
                "run rekeyd in a network with a private endpoint of the vault, or enable public access (az keyvault update \
                 --name {vault} --public-network-access Enabled)"
            ),
        ),
        RefusalKind::AccessPolicyMissing => (
            permission,
            "the vault's access policies don't allow this",
            format!(
                "az keyvault set-policy --name {vault} --object-id {} --secret-permissions get list set",
                object_id(identity)
            ),
        ),
        RefusalKind::Unauthenticated
        | RefusalKind::Forbidden
        | RefusalKind::ApplicationMissing
        | RefusalKind::SecretDeleted
        | RefusalKind::SecretInTransition
        | RefusalKind::LifetimePolicy
        | RefusalKind::PasswordsForbidden
        | RefusalKind::PasswordLimitReached
        | RefusalKind::MessageLost
        | RefusalKind::Throttled
        | RefusalKind::Other => (permission, "no Azure role allows this", role_assignment(vault, identity)),
    };
    Finding::error(check, subject, format!("{detail} ({code})"), remedy)
}

fn role_assignment(vault: &VaultName, identity: Option<&OwnIdentity>) -> String {
    format!(
        "az role assignment create --role \"Key Vault Secrets Officer\" --assignee-object-id {} \
         --assignee-principal-type ServicePrincipal --scope $(az keyvault show --name {vault} --query id --output tsv) \
         (it takes minutes to take effect)",
        object_id(identity)
    )
}

/// Returns the command that makes rekeyd an owner of an application.
pub(super) fn ownership(application: AppObjectId, identity: Option<&OwnIdentity>) -> String {
    format!("az ad app owner add --id {application} --owner-object-id {}", object_id(identity))
}

/// Returns the command that grants rekeyd's service principal its permission on Graph.
pub(super) fn graph_permission(azure: &AzureConfig, identity: Option<&OwnIdentity>) -> String {
    format!(
        "assign Application.ReadWrite.OwnedBy on Microsoft Graph to rekeyd's service principal: az rest --method POST \
         --url {graph}/servicePrincipals/{id}/appRoleAssignments --body \
         '{{\"principalId\": \"{id}\", \"resourceId\": \"OBJECT_ID_OF_MICROSOFT_GRAPH\", \"appRoleId\": \
         \"{GRAPH_ROLE_OWNED_BY}\"}}' (az ad sp show --id {GRAPH_CLIENT_ID} --query id shows that object id)",
        graph = graph(azure),
        id = object_id(identity)
    )
}

/// Returns the URL of the configured cloud's Graph, with the version.
pub(super) fn graph(azure: &AzureConfig) -> String {
    format!("{}/v1.0", azure.graph_url.as_str().trim_end_matches('/'))
}
