//! Event Grid's webhook: both handshakes, and deliveries. An event only puts a name into the queue.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tracing::info;

use super::HttpState;
use super::extract::Params;
use super::problem::Problem;
use crate::triggers::event_grid::{Delivery, Event, read_delivery};
use crate::triggers::ingest::{EventSource, Ingested};

/// A key in the endpoint's URL, where Event Grid keeps it.
#[derive(Deserialize)]
pub(super) struct WebhookKey {
    key: Option<String>,
}

/// Takes a delivery, or answers the handshake of the Event Grid schema.
///
/// Malformed events are answered with 200 as well: after a 400 Event Grid drops the event permanently.
pub(super) async fn deliver(
    State(state): State<HttpState>,
    Params(WebhookKey { key }): Params<WebhookKey>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if state.readiness.is_draining() {
        return Problem::Stopping.into_response();
    }
    if let Err(rejection) = state.webhook.admit(&headers, key.as_deref()).await {
        return Problem::Refused(rejection).into_response();
    }
    match read_delivery(&body) {
        Delivery::Validation { code, topic } => {
            accept_subscription(&state, &headers, &code, &topic).into_response()
        }
        Delivery::Events(events) => take(&state, &events),
    }
}

fn accept_subscription(
    state: &HttpState,
    headers: &HeaderMap,
    code: &str,
    topic: &str,
) -> Result<Response, Problem> {
    let name = headers.get("aeg-subscription-name").and_then(|name| name.to_str().ok()).unwrap_or_default();
    state.webhook.admit_subscription(name, topic).map_err(Problem::Refused)?;
    info!(subscription = name, topic, "accepted Event Grid subscription");
    Ok(Json(json!({"validationResponse": code})).into_response())
}

fn take(state: &HttpState, events: &[Event]) -> Response {
    let taken: Vec<_> =
        events.iter().map(|event| state.event_sink.ingest(event, EventSource::Webhook)).collect();
    let enqueued = taken.iter().filter(|taken| matches!(taken, Ingested::Enqueued(..))).count();
    let reasons: Vec<_> = taken
        .iter()
        .filter_map(|taken| match taken {
            Ingested::Malformed(reason) => Some(reason),
            Ingested::Enqueued(..) | Ingested::Nothing(_) => None,
        })
        .take(MAX_REASONS)
        .collect();
    Json(json!({"received": taken.len(), "enqueued": enqueued, "malformed": reasons})).into_response()
}

/// Answers the handshake of the CloudEvents schema.
pub(super) async fn consent(
    State(state): State<HttpState>,
    Params(WebhookKey { key }): Params<WebhookKey>,
    headers: HeaderMap,
) -> Response {
    let Some(origin) = headers.get("webhook-request-origin") else {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, "POST, OPTIONS")]).into_response();
    };
    let name = origin.to_str().unwrap_or_default().trim();
    if let Err(rejection) = state.webhook.admit_origin(&headers, key.as_deref(), name).await {
        return Problem::Refused(rejection).into_response();
    }
    info!(origin = name, "accepted CloudEvents subscription");
    let allowed = [
        (HeaderName::from_static("webhook-allowed-origin"), origin.clone()),
        (HeaderName::from_static("webhook-allowed-rate"), HeaderValue::from_static("*")),
        (header::ALLOW, HeaderValue::from_static("POST")),
    ];
    (StatusCode::OK, allowed).into_response()
}

/// Maximum number of reasons in a response: thousands of malformed events in a batch need not be listed one by one.
const MAX_REASONS: usize = 10;
