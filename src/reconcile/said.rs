//! What was said to people once and is not said again at every look. A restart may say it once more.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::domain::SecretId;

/// What was said of which secret.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<BTreeSet<(SecretId, String)>>);

impl Said {
    /// Whether `what` is said of `secret` for the first time.
    pub(super) fn is_news(&self, secret: &SecretId, what: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert((secret.clone(), what.to_owned()))
    }
}
