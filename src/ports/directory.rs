//! The tenant's directory for reports to people: every application that the daemon may see, and the daemon's identity.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;

use super::{Application, PortError};
use crate::domain::{AppObjectId, ClientId};

/// Lists the data that `inventory` and `doctor` show. Changes nothing.
#[async_trait]
pub trait Directory: fmt::Debug + Send + Sync {
    /// Returns every application that may be read, with its credentials.
    async fn list_applications(&self) -> Result<Vec<Application>, PortError>;

    /// Returns the object ids of the application's owners.
    async fn list_owners(&self, application: AppObjectId) -> Result<BTreeSet<String>, PortError>;

    /// Returns true if the application already trusts another identity provider, so that it needs no secret there.
    async fn has_federated_credentials(&self, application: AppObjectId) -> Result<bool, PortError>;
}

/// The daemon's own identity, from its own token. Empty if the token can't be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnIdentity {
    /// The client id, with which it signs in.
    pub client_id: Option<ClientId>,
    /// The object id of its service principal, which owns applications.
    pub object_id: Option<String>,
    /// Its permissions on Graph (the token's app roles).
    pub roles: BTreeSet<String>,
}
