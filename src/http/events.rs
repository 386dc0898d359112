//! Event Grid's webhook: both handshakes, and deliveries. An event only puts a name into the queue.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tracing::{debug, info, warn};

use super::HttpState;
use super::problem::Problem;
use crate::domain::SecretId;
use crate::triggers::event_grid::{Delivery, Event, read_delivery};

/// Takes a delivery, or answers the handshake of the Event Grid schema.
///
/// What can't be understood is answered with 200 as well: after a 400 Event Grid drops the event for ever.
pub(super) async fn deliver(State(state): State<HttpState>, body: Bytes) -> Response {
    if state.readiness.is_draining() {
        return Problem::Stopping.into_response();
    }
    match read_delivery(&body) {
        Delivery::Validation(code) => {
            info!("answering the handshake of an Event Grid subscription");
            Json(json!({"validationResponse": code})).into_response()
        }
        Delivery::Events(events) => {
            let outcomes: Vec<_> = events.iter().map(|event| take(&state, event)).collect();
            let enqueued = outcomes.iter().filter(|outcome| **outcome == "enqueued").count();
            Json(json!({"received": outcomes.len(), "enqueued": enqueued})).into_response()
        }
    }
}

/// The handshake of the CloudEvents schema.
pub(super) async fn consent(headers: HeaderMap) -> Response {
    let Some(origin) = headers.get("webhook-request-origin") else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let allowed = [
        (HeaderName::from_static("webhook-allowed-origin"), origin.clone()),
        (HeaderName::from_static("webhook-allowed-rate"), HeaderValue::from_static("*")),
        (header::ALLOW, HeaderValue::from_static("POST")),
    ];
    (StatusCode::OK, allowed).into_response()
}

fn take(state: &HttpState, event: &Event) -> &'static str {
    let outcome = match event {
        Event::Secret(secret) => wake(state, secret),
        Event::Ignored => "ignored",
        Event::Malformed(reason) => {
            warn!(reason, "an event can't be understood");
            "malformed"
        }
    };
    state.metrics.events.with_label_values(&[outcome]).inc();
    outcome
}

/// An event about a replica is about its primary.
fn wake(state: &HttpState, secret: &SecretId) -> &'static str {
    let Some(managed) = state.catalogue.managing(secret) else {
        debug!(%secret, "an event about {secret}, which is not managed");
        return "not_managed";
    };
    debug!(%secret, "an event wakes {}", managed.id);
    state.metrics.triggers.with_label_values(&["event"]).inc();
    state.queue.enqueue(&managed.id, None);
    "enqueued"
}
