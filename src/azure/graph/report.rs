//! The `UsageReport` on Graph's beta report of credentials' sign-ins.

use async_trait::async_trait;

use super::Graph;
use crate::domain::ClientId;
use crate::ports::{PortError, Usage, UsageReport};

#[async_trait]
impl UsageReport for Graph {
    async fn last_sign_ins(&self, _: ClientId) -> Result<Usage, PortError> {
        Ok(Usage::Unavailable("not built yet".to_owned()))
    }
}
