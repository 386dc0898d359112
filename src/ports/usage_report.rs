//! When credentials were last used: Entra's report on sign-ins, which lags and may not be there.

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use time::OffsetDateTime;

use super::PortError;
use crate::domain::{ClientId, KeyId};

/// Asks when the credentials of an application last signed in.
#[async_trait]
pub trait UsageReport: fmt::Debug + Send + Sync {
    /// The report on one application. It lags by hours, so that silence proves little.
    ///
    /// A refusal that only a person can change (no licence, no right, not in this cloud) is no error but
    /// [`Usage::Unavailable`].
    async fn last_sign_ins(&self, client_id: ClientId) -> Result<Usage, PortError>;
}

/// What the report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usage {
    /// There is none, for this reason.
    Unavailable(String),
    /// The last sign-in of each credential that has signed in since there is a report.
    Known(BTreeMap<KeyId, OffsetDateTime>),
}
