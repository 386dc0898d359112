//! Failures of the metadata service that a test has asked for, one status a request.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;

/// Statuses that the metadata service answers with before it works again.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct InjectedFailures(Mutex<VecDeque<u16>>);

impl InjectedFailures {
    pub(super) fn add(&self, statuses: impl IntoIterator<Item = u16>) {
        self.lock().extend(statuses);
    }

    /// Takes out the status that the next request gets.
    pub(super) fn next(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.lock().pop_front()?).ok()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<u16>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
