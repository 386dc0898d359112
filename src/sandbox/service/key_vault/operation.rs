//! The operation that a request asks for, by method and path, and the right that it needs.

use axum::http::Method;

use crate::sandbox::https::Request;
use crate::sandbox::model::{AccessModel, RequestType, Role};

/// An operation on secrets, with the names in its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation<'a> {
    ListSecrets,
    ListVersions {
        name: &'a str,
    },
    Get {
        name: &'a str,
        version: Option<&'a str>,
    },
    Set {
        name: &'a str,
    },
    /// Of the current version if none is named.
    Update {
        name: &'a str,
        version: Option<&'a str>,
    },
    Delete {
        name: &'a str,
    },
    Backup {
        name: &'a str,
    },
    Restore,
    ListDeleted,
    GetDeleted {
        name: &'a str,
    },
    Recover {
        name: &'a str,
    },
    Purge {
        name: &'a str,
    },
}

/// A right that a role grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sandbox) enum Right {
    Get,
    List,
    GetDeleted,
    Set,
    Delete,
    Purge,
    Recover,
    Backup,
    Restore,
}

impl<'a> Operation<'a> {
    /// Returns the operation of a request; `None` if it is not modelled.
    pub(super) fn of(request: &'a Request) -> Option<Self> {
        let path: Vec<&'a str> = request.segments.iter().map(String::as_str).collect();
        let operation = match (&request.method, path.as_slice()) {
            (&Method::GET, ["secrets"]) => Self::ListSecrets,
            (&Method::GET, ["secrets", name]) => Self::Get { name, version: None },
            (&Method::GET, ["secrets", name, "versions"]) => Self::ListVersions { name },
            (&Method::GET, ["secrets", name, version]) => Self::Get { name, version: Some(version) },
            (&Method::PUT, ["secrets", name]) => Self::Set { name },
            (&Method::PATCH, ["secrets", name]) => Self::Update { name, version: None },
            (&Method::PATCH, ["secrets", name, version]) => Self::Update { name, version: Some(version) },
            (&Method::DELETE, ["secrets", name]) => Self::Delete { name },
            (&Method::POST, ["secrets", name, "backup"]) => Self::Backup { name },
            (&Method::POST, ["secrets", "restore"]) => Self::Restore,
            (&Method::GET, ["deletedsecrets"]) => Self::ListDeleted,
            (&Method::GET, ["deletedsecrets", name]) => Self::GetDeleted { name },
            (&Method::POST, ["deletedsecrets", name, "recover"]) => Self::Recover { name },
            (&Method::DELETE, ["deletedsecrets", name]) => Self::Purge { name },
            _ => return None,
        };
        Some(operation)
    }

    /// Returns the name of its secret, if it has one.
    pub(super) fn secret(self) -> Option<&'a str> {
        match self {
            Self::ListSecrets | Self::ListDeleted | Self::Restore => None,
            Self::ListVersions { name }
            | Self::Get { name, .. }
            | Self::Set { name }
            | Self::Update { name, .. }
            | Self::Delete { name }
            | Self::Backup { name }
            | Self::GetDeleted { name }
            | Self::Recover { name }
            | Self::Purge { name } => Some(name),
        }
    }

    pub(super) fn right(self) -> Right {
        match self {
            Self::Get { .. } => Right::Get,
            Self::ListSecrets | Self::ListVersions { .. } | Self::ListDeleted => Right::List,
            Self::GetDeleted { .. } => Right::GetDeleted,
            Self::Set { .. } | Self::Update { .. } => Right::Set,
            Self::Delete { .. } => Right::Delete,
            Self::Backup { .. } => Right::Backup,
            Self::Restore => Right::Restore,
            Self::Recover { .. } => Right::Recover,
            Self::Purge { .. } => Right::Purge,
        }
    }

    /// Returns the request type that the quotas count it as.
    pub(super) fn request_type(self) -> RequestType {
        match self {
            Self::Set { .. } | Self::Restore => RequestType::Create,
            Self::ListSecrets
            | Self::ListVersions { .. }
            | Self::Get { .. }
            | Self::Update { .. }
            | Self::Delete { .. }
            | Self::Backup { .. }
            | Self::ListDeleted
            | Self::GetDeleted { .. }
            | Self::Recover { .. }
            | Self::Purge { .. } => RequestType::Other,
        }
    }
}

impl Right {
    /// Returns the data action that a role assignment must grant.
    pub(super) fn action(self) -> &'static str {
        match self {
            Self::Get => "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            // Not documented for a deleted secret, which is shown without its value: that is its metadata.
            Self::List | Self::GetDeleted => "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
            Self::Set => "Microsoft.KeyVault/vaults/secrets/setSecret/action",
            Self::Delete => "Microsoft.KeyVault/vaults/secrets/delete",
            Self::Purge => "Microsoft.KeyVault/vaults/secrets/purge/action",
            Self::Recover => "Microsoft.KeyVault/vaults/secrets/recover/action",
            Self::Backup => "Microsoft.KeyVault/vaults/secrets/backup/action",
            Self::Restore => "Microsoft.KeyVault/vaults/secrets/restore/action",
        }
    }

    /// Returns the permission that an access policy must name.
    pub(super) fn permission(self) -> &'static str {
        match self {
            Self::Get | Self::GetDeleted => "get",
            Self::List => "list",
            Self::Set => "set",
            Self::Delete => "delete",
            Self::Purge => "purge",
            Self::Recover => "recover",
            Self::Backup => "backup",
            Self::Restore => "restore",
        }
    }

    /// Returns the roles that grant it, or that stand for the access policies that do.
    pub(in crate::sandbox) fn roles(self, model: AccessModel) -> &'static [Role] {
        match self {
            Self::Get => &[Role::VaultAdministrator, Role::SecretsOfficer, Role::SecretsUser],
            Self::GetDeleted => match model {
                AccessModel::Rbac => Self::List.roles(model),
                AccessModel::AccessPolicies => Self::Get.roles(model),
            },
            Self::List => {
                &[Role::VaultAdministrator, Role::SecretsOfficer, Role::SecretsUser, Role::VaultReader]
            }
            Self::Set | Self::Delete | Self::Recover | Self::Backup | Self::Restore => {
                &[Role::VaultAdministrator, Role::SecretsOfficer]
            }
            Self::Purge => &[Role::VaultAdministrator, Role::PurgeOperator],
        }
    }
}
