//! The `DirectoryAccess` on Graph: the daemon's permissions, determined by requests that change nothing.

use async_trait::async_trait;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::super::permission::permission_of;
use super::wire::RemovePassword;
use super::{Graph, NO_SUCH_CREDENTIAL};
use crate::domain::AppObjectId;
use crate::ports::{DirectoryAccess, Permission, PortError};

#[async_trait]
impl DirectoryAccess for Graph {
    async fn probe(&self) -> Result<(), PortError> {
        let url = self.url("list applications", "applications?$select=id&$top=1")?;
        self.get::<IgnoredAny>("list applications", url).await.map(drop)
    }

    /// Tries to remove a password that does not exist: Graph checks the permission before it searches for the password.
    async fn try_write_permission(&self, application: AppObjectId) -> Result<Permission, PortError> {
        let path = format!("applications/{application}/removePassword");
        let unknown = RemovePassword { key_id: Uuid::new_v4() };
        let answer = self.post("removePassword", &path, &unknown).await;
        permission_of(answer, |error| error.code() == Some(NO_SUCH_CREDENTIAL), &[403])
    }
}
