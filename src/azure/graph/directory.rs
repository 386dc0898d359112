//! The `Directory` on Graph: the data that a person would read. Changes nothing.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::Graph;
use super::wire::{ApplicationJson, FIELDS, ObjectJson};
use crate::domain::AppObjectId;
use crate::ports::{Application, Directory, PortError};

#[async_trait]
impl Directory for Graph {
    async fn list_applications(&self) -> Result<Vec<Application>, PortError> {
        const OPERATION: &str = "list applications";
        let url = self.url(OPERATION, &format!("applications?$top=999&$select={FIELDS}"))?;
        let found: Vec<ApplicationJson> = self.list(OPERATION, url).await?;
        Ok(found.into_iter().map(Application::from).collect())
    }

    async fn list_owners(&self, application: AppObjectId) -> Result<BTreeSet<String>, PortError> {
        const OPERATION: &str = "list owners";
        let url = self.url(OPERATION, &format!("applications/{application}/owners?$select=id"))?;
        let found: Vec<ObjectJson> = self.list(OPERATION, url).await?;
        Ok(found.into_iter().map(|owner| owner.id).collect())
    }

    async fn has_federated_credentials(&self, application: AppObjectId) -> Result<bool, PortError> {
        const OPERATION: &str = "list federated credentials";
        let path = format!("applications/{application}/federatedIdentityCredentials?$select=id");
        let found: Vec<ObjectJson> = self.list(OPERATION, self.url(OPERATION, &path)?).await?;
        Ok(!found.is_empty())
    }
}
