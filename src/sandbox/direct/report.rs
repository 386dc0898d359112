//! The `UsageReport` port: the model's report on sign-ins, with its lag, if it is available.

use async_trait::async_trait;

use super::DirectPorts;
use crate::domain::{ClientId, KeyId};
use crate::ports::{Clock, PortError, Usage, UsageReport};
use crate::sandbox::model::{GraphRefusal, ReportedSignIn};
use crate::sandbox::service::graph::rights::READ_REPORTS;

#[async_trait]
impl UsageReport for DirectPorts {
    async fn last_sign_ins(&self, client_id: ClientId) -> Result<Usage, PortError> {
        Ok(self.report().map_or_else(
            |refusal| unavailable(&refusal),
            |rows| {
                let own = rows.into_iter().filter(|row| row.client_id == client_id.0);
                Usage::Known(own.map(|row| (KeyId(row.key_id), row.at)).collect())
            },
        ))
    }
}

impl DirectPorts {
    fn report(&self) -> Result<Vec<ReportedSignIn>, GraphRefusal> {
        self.has_one_of(&READ_REPORTS)?;
        self.model.sign_in_report(self.clock.now()).ok_or(GraphRefusal::NoPremiumLicence)
    }
}

/// Converts a refusal. Both kinds need a person to change something.
fn unavailable(refusal: &GraphRefusal) -> Usage {
    Usage::Unavailable(format!("status {} ({})", refusal.status(), refusal.code()))
}
