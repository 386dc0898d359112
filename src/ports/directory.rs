//! The tenant's directory as a person reads it: every application that the daemon may see, and who the daemon is.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;

use super::{Application, PortError};
use crate::domain::{AppObjectId, ClientId};

/// Lists what `inventory` and `doctor` show. Changes nothing.
#[async_trait]
pub trait Directory: fmt::Debug + Send + Sync {
    /// Every application that may be read, with its credentials.
    async fn list_applications(&self) -> Result<Vec<Application>, PortError>;

    /// The object ids of the application's owners.
    async fn list_owners(&self, application: AppObjectId) -> Result<BTreeSet<String>, PortError>;

    /// Whether the application trusts another identity provider already, so that it needs no secret there.
    async fn has_federated_credentials(&self, application: AppObjectId) -> Result<bool, PortError>;
}

/// Who the daemon is, by its own token. Empty where the token can't be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnIdentity {
    /// What it signs in as.
    pub client_id: Option<ClientId>,
    /// Its service principal: what owns applications.
    pub object_id: Option<String>,
    /// Its permissions on Graph (the token's app roles).
    pub roles: BTreeSet<String>,
}
