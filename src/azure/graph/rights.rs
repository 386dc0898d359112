//! What Graph permits the daemon, found out by requests that change nothing.

use uuid::Uuid;

use super::super::rights::Right;
use super::wire::RemovePassword;
use super::{Graph, NO_SUCH_CREDENTIAL};
use crate::domain::AppObjectId;
use crate::ports::PortError;

impl Graph {
    /// Whether an application's passwords may be written, by taking away one that nobody has.
    ///
    /// Graph asks for the right before it looks for the password: its "no such password" means that the right is there.
    ///
    /// # Errors
    /// Neither yes nor no; also where there is no such application.
    pub async fn try_write_right(&self, application: AppObjectId) -> Result<Right, PortError> {
        let path = format!("applications/{application}/removePassword");
        let nobodys = RemovePassword { key_id: Uuid::new_v4() };
        let answer = self.post("removePassword", &path, &nobodys).await;
        Right::of(answer, |error| error.code() == Some(NO_SUCH_CREDENTIAL), &[403])
    }
}
