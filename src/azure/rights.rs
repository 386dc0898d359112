//! Whether the daemon may do something, found out by trying the harmless half of it.

use crate::ports::{PortError, RefusalKind};

/// Whether something is permitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Right {
    /// It is.
    Granted,
    /// It isn't.
    Refused {
        /// Tells a missing role from a closed network.
        kind: RefusalKind,
        /// The service's own code.
        code: String,
    },
}

impl Right {
    /// What the answer to an attempt says: `granted` knows the errors that only come after permission was given, and
    /// `refused` the statuses that say no.
    pub(super) fn of<T>(
        answer: Result<T, PortError>,
        granted: impl FnOnce(&PortError) -> bool,
        refused: &[u16],
    ) -> Result<Self, PortError> {
        match answer {
            Ok(_) => Ok(Self::Granted),
            Err(error) if granted(&error) => Ok(Self::Granted),
            Err(PortError::Refused { kind, status, code, .. }) if refused.contains(&status) => {
                Ok(Self::Refused { kind, code })
            }
            Err(error) => Err(error),
        }
    }
}
