//! Failures of the metadata service that a test has requested, one status for each request.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;

/// The statuses that the metadata service responds with before it works again.
#[derive(Debug, Default)]
pub(in crate::sandbox) struct InjectedFailures(Mutex<VecDeque<u16>>);

impl InjectedFailures {
    pub(super) fn add(&self, statuses: impl IntoIterator<Item = u16>) {
        self.lock().extend(statuses);
    }

    /// Removes and returns the status for the next request.
    pub(super) fn next(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.lock().pop_front()?).ok()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<u16>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
