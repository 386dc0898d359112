//! The daemon's access to vaults and to the directory, determined by attempts that change nothing.

use std::fmt;

use async_trait::async_trait;

use super::{PortError, RefusalKind};
use crate::domain::{AppObjectId, SecretId, VaultName};

/// Tests the daemon's permissions in a vault.
#[async_trait]
pub trait VaultAccess: fmt::Debug + Send + Sync {
    /// Lists one page of a vault's secrets. Fails if the vault doesn't answer or doesn't permit it.
    async fn probe(&self, vault: &VaultName) -> Result<(), PortError>;

    /// Returns the permission to write a secret, without writing one. Fails if the answer neither grants nor refuses
    /// it.
    async fn try_set_permission(&self, secret: &SecretId) -> Result<Permission, PortError>;
}

/// Tests the daemon's permissions in the directory of applications.
#[async_trait]
pub trait DirectoryAccess: fmt::Debug + Send + Sync {
    /// Reads one application, the first that the directory returns. Fails if the directory doesn't answer or doesn't
    /// permit it.
    async fn probe(&self) -> Result<(), PortError>;

    /// Returns the permission to change an application's credentials, without changing any. Fails if the answer neither
    /// grants nor refuses it, and if there is no such application.
    async fn try_write_permission(&self, application: AppObjectId) -> Result<Permission, PortError>;
}

/// The answer of a service to a test of a permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// The daemon has the permission.
    Granted,
    /// The daemon lacks the permission, or the service refuses requests from its address.
    Refused {
        /// The cause: distinguishes a missing role from a closed network.
        kind: RefusalKind,
        /// The service's own code. For people only.
        code: String,
    },
}
