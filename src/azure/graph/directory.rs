//! The `Directory` on Graph: what a person would look up. It changes nothing.

use std::collections::BTreeSet;

use async_trait::async_trait;

use super::Graph;
use crate::domain::AppObjectId;
use crate::ports::{Application, Directory, PortError};

#[async_trait]
impl Directory for Graph {
    async fn list_applications(&self) -> Result<Vec<Application>, PortError> {
        Err(PortError::NotSent { operation: "list applications", source: "not built yet".into() })
    }

    async fn list_owners(&self, _: AppObjectId) -> Result<BTreeSet<String>, PortError> {
        Err(PortError::NotSent { operation: "list owners", source: "not built yet".into() })
    }

    async fn has_federated_credentials(&self, _: AppObjectId) -> Result<bool, PortError> {
        Err(PortError::NotSent { operation: "list federated credentials", source: "not built yet".into() })
    }
}
