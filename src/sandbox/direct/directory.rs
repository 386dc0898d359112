//! The `Directory` port: the part of the model's tenant that the daemon's identity can see.

use std::collections::BTreeSet;

use async_trait::async_trait;
use uuid::Uuid;

use super::{DirectPorts, graph_refused};
use crate::domain::AppObjectId;
use crate::ports::{Application, Clock, Directory, PortError};
use crate::sandbox::model::GraphRefusal;

#[async_trait]
impl Directory for DirectPorts {
    async fn list_applications(&self) -> Result<Vec<Application>, PortError> {
        self.may_read_applications("list applications")?;
        let found = self.model.applications(self.clock.now());
        Ok(found.into_iter().map(Application::from).collect())
    }

    async fn list_owners(&self, application: AppObjectId) -> Result<BTreeSet<String>, PortError> {
        const OPERATION: &str = "list owners";
        self.may_read_applications(OPERATION)?;
        let found = self.model.application(application.0, self.clock.now());
        let found = found.ok_or_else(|| graph_refused(OPERATION, &GraphRefusal::NotFound(application.0)))?;
        Ok(found.owners.iter().map(Uuid::to_string).collect())
    }

    async fn has_federated_credentials(&self, application: AppObjectId) -> Result<bool, PortError> {
        const OPERATION: &str = "list federated credentials";
        self.may_read_applications(OPERATION)?;
        let found = self.model.federated_identities(application.0, self.clock.now());
        found.map(|found| !found.is_empty()).map_err(|refusal| graph_refused(OPERATION, &refusal))
    }
}
