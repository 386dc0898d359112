//! Health and metrics, open to anyone who can reach the port: they name secrets and never show their values.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tracing::error;

use super::HttpState;
use super::problem::Problem;

/// The daemon's readiness: each vault and Graph answered once, and the daemon is not shutting down.
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

    /// Records that the daemon is shutting down: from now on it is not ready.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Returns true if the daemon is shutting down.
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

/// Answers with 200 if the daemon is ready; otherwise with problem details, which have the same members as well.
pub(super) async fn readyz(State(state): State<HttpState>) -> Response {
    let (awaited, draining) = (state.readiness.awaited(), state.readiness.is_draining());
    let problem = match (draining, awaited.as_slice()) {
        (true, _) => Problem::Stopping,
        (false, []) => return Json(readiness(true, false, &[])).into_response(),
        (false, awaited) => Problem::NotReady(format!("no answer yet from {}", awaited.join(", "))),
    };
    let mut details = problem.to_value();
    if let (Value::Object(details), Value::Object(members)) =
        (&mut details, readiness(false, draining, &awaited))
    {
        details.extend(members);
    }
    problem.respond_with(details)
}

fn readiness(ready: bool, draining: bool, awaited: &[String]) -> Value {
    json!({"ready": ready, "draining": draining, "awaited": awaited})
}

pub(super) async fn metrics(State(state): State<HttpState>) -> Response {
    match state.metrics.render() {
        Ok(text) => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
        }
        Err(error) => {
            error!(%error, "failed to render metrics");
            Problem::Internal.into_response()
        }
    }
}
