//! Access to a vault: the challenge, the vault's network, then the roles or access policies, in this order.

use axum::http::{StatusCode, header};

use super::operation::{Operation, Right};
use super::wire::error;
use crate::sandbox::addresses::RESOURCE_GROUP;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::{AccessModel, Network, Role, Scope, VaultOptions};
use crate::sandbox::service::azure::Azure;
use crate::sandbox::tokens::{Caller, TokenProblem};

const AUDIENCES: [&str; 2] = ["https://vault.azure.net", "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"];

/// The location of all vaults.
pub(super) const LOCATION: &str = "sandbox";

/// Returns the sender of a request if its token is valid for vaults.
///
/// # Errors
/// The challenge, which names the authority that issues tokens.
pub(super) fn caller(azure: &Azure, request: &Request) -> Result<Caller, Response> {
    azure.tokens.caller(request.bearer_token(), &AUDIENCES).map_err(|problem| challenge(azure, &problem))
}

fn challenge(azure: &Azure, problem: &TokenProblem) -> Response {
    let message = match problem {
        TokenProblem::Missing => "AKV10000: Request is missing a Bearer or PoP token.".to_owned(),
        TokenProblem::Invalid => {
            "AKV10046: Unable to resolve the key used for signature validation.".to_owned()
        }
        TokenProblem::Expired => "AKV10018: The token is expired or not yet valid.".to_owned(),
        TokenProblem::WrongAudience(found) => format!(
            "AKV10022: Invalid audience. Expected https://vault.azure.net or cfa8b339-82a2-471a-a3c9-0fc0be7a4093, found: {found}."
        ),
    };
    let (authority, tenant) = (&azure.addresses.challenge_authority, azure.model.tenant().id);
    let challenge =
        format!("Bearer authorization=\"{authority}/{tenant}\", resource=\"https://vault.azure.net\"");
    error(StatusCode::UNAUTHORIZED, "Unauthorized", &message, None).with(header::WWW_AUTHENTICATE, challenge)
}

/// A request by a caller to a vault.
pub(super) struct Visit<'a> {
    pub(super) azure: &'a Azure,
    pub(super) vault: &'a str,
    pub(super) options: VaultOptions,
    pub(super) caller: &'a Caller,
}

impl Visit<'_> {
    /// Checks that the vault permits its caller this operation.
    ///
    /// # Errors
    /// The 403 with the reason.
    pub(super) fn check(&self, operation: Operation<'_>) -> Result<(), Response> {
        self.check_network()?;
        let right = operation.right();
        if self.has_any(right.roles(self.options.access_model)) {
            return Ok(());
        }
        Err(match self.options.access_model {
            AccessModel::Rbac => self.forbidden_by_rbac(operation),
            AccessModel::AccessPolicies => self.denied_by_policies(right),
        })
    }

    fn check_network(&self) -> Result<(), Response> {
        let (caller, place) = (self.caller_named(), self.place());
        match self.options.network {
            Network::Open => Ok(()),
            Network::Firewall => Err(forbidden(
                "ForbiddenByFirewall",
                &format!(
                    "Client address is not authorized and caller is not a trusted service.\r\nClient address: 127.0.0.1\r\nCaller: {caller}\r\nVault: {place}"
                ),
            )),
            Network::Private => Err(forbidden(
                "ForbiddenByConnection",
                &format!(
                    "Public network access is disabled and request is not from a trusted service nor via an approved private link.\r\nCaller: {caller}\r\nVault: {place}"
                ),
            )),
        }
    }

    fn forbidden_by_rbac(&self, operation: Operation<'_>) -> Response {
        let secret = operation.secret().map(|name| format!("/secrets/{name}")).unwrap_or_default();
        let message = format!(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: {}\r\nAction: '{}'\r\nResource: '{}/providers/microsoft.keyvault/vaults/{}{secret}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: {}\r\n",
            self.caller_named(),
            operation.right().action(),
            // The service writes it in lower case.
            RESOURCE_GROUP.to_ascii_lowercase(),
            self.vault,
            self.place(),
        );
        forbidden("ForbiddenByRbac", &message)
    }

    fn denied_by_policies(&self, right: Right) -> Response {
        let (caller, place) = (self.caller_named(), self.place());
        let message = if self.has_any(&VAULT_ROLES) {
            format!(
                "The user, group or application '{caller}' does not have secrets {} permission on key vault '{place}'. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
                right.permission(),
            )
        } else {
            format!(
                "Access denied. Caller was not found on any access policy.\r\nCaller: {caller}\r\nVault: {place}"
            )
        };
        forbidden("AccessDenied", &message)
    }

    fn has_any(&self, roles: &[Role]) -> bool {
        self.azure.model.has_role(self.caller.object_id, &Scope::Vault(self.vault.to_owned()), roles)
    }

    fn caller_named(&self) -> String {
        let Caller { client_id, object_id, .. } = self.caller;
        let tenant = self.azure.model.tenant().id;
        format!("appid={client_id};oid={object_id};iss=https://sts.windows.net/{tenant}/")
    }

    fn place(&self) -> String {
        format!("{};location={LOCATION}", self.vault)
    }
}

fn forbidden(inner: &str, message: &str) -> Response {
    error(StatusCode::FORBIDDEN, "Forbidden", message, Some(inner))
}

const VAULT_ROLES: [Role; 5] = [
    Role::SecretsOfficer,
    Role::SecretsUser,
    Role::VaultReader,
    Role::VaultAdministrator,
    Role::PurgeOperator,
];
