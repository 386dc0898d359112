//! The reports that were made once and are not repeated at every pass. A restart may repeat them.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::domain::SecretId;

/// The reports made so far, by secret.
#[derive(Debug, Default)]
pub(super) struct ReportedOnce(Mutex<BTreeSet<(SecretId, String)>>);

impl ReportedOnce {
    /// Notes a report about `secret` and returns true if it was not made before.
    pub(super) fn is_news(&self, secret: &SecretId, report: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((secret.clone(), report.to_owned()))
    }
}
