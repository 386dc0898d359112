//! The last use of credentials: Entra's report on sign-ins, which lags and may not be available.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::PortError;
use crate::domain::{ClientId, KeyId};

/// Reads the last sign-ins of an application's credentials.
#[async_trait]
pub trait UsageReport: fmt::Debug + Send + Sync {
    /// Returns the report on one application. It lags by hours, so the absence of sign-ins proves little.
    ///
    /// A refusal that only a person can change (no licence, no permission, not in this cloud) is not an error but
    /// [`Usage::Unavailable`].
    async fn last_sign_ins(&self, client_id: ClientId) -> Result<Usage, PortError>;
}

/// The content of the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usage {
    /// There is no report, for this reason.
    Unavailable(String),
    /// The last sign-in of each credential that has signed in since the report exists.
    Known(BTreeMap<KeyId, OffsetDateTime>),
}
