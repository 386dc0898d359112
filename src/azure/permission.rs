//! The permission that the answer to a harmless attempt shows.

use crate::ports::{Permission, PortError};

/// Returns the permission that `answer` shows. `granted` returns true for the errors that occur only after permission
/// was given, and `refused` lists the statuses of a refusal.
///
/// # Errors
/// The answer neither grants nor refuses the permission.
pub(super) fn permission_of<T>(
    answer: Result<T, PortError>,
    granted: impl FnOnce(&PortError) -> bool,
    refused: &[u16],
) -> Result<Permission, PortError> {
    match answer {
        Ok(_) => Ok(Permission::Granted),
        Err(error) if granted(&error) => Ok(Permission::Granted),
        Err(PortError::Refused { kind, status, code, .. }) if refused.contains(&status) => {
            Ok(Permission::Refused { kind, code })
        }
        Err(error) => Err(error),
    }
}
