//! Health and metrics, open to anyone who can reach the port: they name secrets and never show their values.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tracing::error;

use super::HttpState;
use super::problem::Problem;

/// The daemon's readiness: each vault and Graph answered once, and the daemon is not being stopped.
#[derive(Debug)]
pub struct Readiness {
    awaited: Mutex<BTreeSet<String>>,
    draining: AtomicBool,
}

impl Readiness {
    /// Makes a state that is not ready before each of `awaited` has answered.
    pub fn new(awaited: impl IntoIterator<Item = String>) -> Self {
        Self { awaited: Mutex::new(awaited.into_iter().collect()), draining: AtomicBool::new(false) }
    }

    /// Records that `name` answered.
    pub fn answered(&self, name: &str) {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Records that the daemon is being stopped: from now on it is not ready.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Returns true if the daemon is being stopped.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    fn awaited(&self) -> Vec<String> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

/// Answers while the process is alive.
pub(super) async fn livez() -> &'static str {
    "alive\n"
}

pub(super) async fn readyz(State(state): State<HttpState>) -> (StatusCode, Json<Value>) {
    let (awaited, draining) = (state.readiness.awaited(), state.readiness.is_draining());
    let ready = awaited.is_empty() && !draining;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": ready, "draining": draining, "awaited": awaited})))
}

pub(super) async fn metrics(State(state): State<HttpState>) -> Response {
    match state.metrics.render() {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => {
            error!(%error, "metrics can't be written");
            Problem::Internal.into_response()
        }
    }
}
