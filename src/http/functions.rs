//! The routes for an Azure Functions host (contract F): its triggers in envelopes, and HTTP requests as they are.
//!
//! The host has authenticated the caller; only the host knows this port, on loopback. An invocation waits for its work
//! within its budget, because an instance may be taken away after its response; the next timer run finishes the rest,
//! from the observed state.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use futures::future::join_all;
use serde_json::json;

use super::HttpState;
use super::commands::submit;
use super::extract::{NamedSecret, Params, secret_id};
use super::problem::{self, Problem};
use super::router::with_common_layers;
use crate::domain::{CommandKind, SecretId};
use crate::reconcile::{Sweeper, Ticket};
use crate::telemetry::audit::Asker;
use crate::triggers::functions::{HttpRequest, Invocation, InvocationResponse, read_invocation};
use crate::triggers::ingest::{EventSource, Ingested};

/// Dependencies that only invocations need.
#[derive(Debug, Clone)]
pub struct FunctionsParts {
    /// The sweeper that the timer runs.
    pub sweeper: Arc<Sweeper>,
    /// Time for which an invocation waits for its work.
    pub budget: Duration,
}

/// Returns the routes that a Functions host knows.
pub fn functions_router(state: HttpState, parts: FunctionsParts) -> Router {
    let longest = parts.budget + MARGIN;
    let routes = Router::new()
        .route("/", get(async || "rekeyd\n"))
        .route("/KeyVaultEvents", post(events))
        .route("/KeyVaultQueue", post(queue))
        .route("/Sweep", post(sweep))
        .route("/Rotate", post(rotate))
        // Hosts match paths in any letter case, and pass them on as they came.
        .route("/api/Rotate", get(rotate_forwarded).post(rotate_forwarded))
        .route("/api/rotate", get(rotate_forwarded).post(rotate_forwarded))
        .route("/api/Rotate/{vault}/{name}", post(rotate_in_route))
        .route("/api/rotate/{vault}/{name}", post(rotate_in_route))
        .layer(Extension(parts));
    with_common_layers(routes, state, longest)
}

/// Handles the Event Grid trigger. A malformed event is reported and counts as handled: after a failure it would only
/// come again.
async fn events(
    State(state): State<HttpState>,
    Extension(parts): Extension<FunctionsParts>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<InvocationResponse>, FailedInvocation> {
    let taken = take_events(&state, &invocation(&state, body)?, "event");
    answered(&state, &parts, taken).await
}

/// Handles the queue trigger. A malformed message fails, so that the host moves it to the poison queue after some
/// tries.
async fn queue(
    State(state): State<HttpState>,
    Extension(parts): Extension<FunctionsParts>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<InvocationResponse>, FailedInvocation> {
    let taken = take_events(&state, &invocation(&state, body)?, "message");
    let broken = taken.iter().find_map(|taken| match taken {
        Ingested::Malformed(reason) => Some(reason.clone()),
        Ingested::Enqueued(..) | Ingested::Nothing(_) => None,
    });
    match broken {
        Some(reason) => {
            Err(FailedInvocation(StatusCode::UNPROCESSABLE_ENTITY, format!("malformed: {reason}")))
        }
        None => answered(&state, &parts, taken).await,
    }
}

/// Handles the timer: sweeps, and waits for the work within the budget.
async fn sweep(
    State(state): State<HttpState>,
    Extension(parts): Extension<FunctionsParts>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<InvocationResponse>, FailedInvocation> {
    let is_late = invocation(&state, body)?.is_past_due("timer");
    let _hold = state.clock.hold();
    let gaps = parts.sweeper.sweep().await;
    let settled = state.event_sink.queue.settled(HORIZON);
    let is_done = tokio::time::timeout(parts.budget, settled).await.is_ok();
    let (late, rest) = (if is_late { " (late)" } else { "" }, if is_done { "all done" } else { LEFT_OVER });
    let unread = if gaps.is_empty() {
        String::new()
    } else {
        format!("; {} vaults could not be searched", gaps.len())
    };
    Ok(Json(InvocationResponse::saying(format!("swept{late}: {rest}{unread}"))))
}

/// Handles the HTTP trigger in an envelope.
async fn rotate(
    State(state): State<HttpState>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<InvocationResponse>, FailedInvocation> {
    let request = invocation(&state, body)?.http_request();
    let answer = match asked(&state, &request) {
        Ok((id, location)) => {
            InvocationResponse::http(202, "application/json", &[("location", &location)], &json!({"id": id}))
        }
        Err(problem) => {
            InvocationResponse::http(problem.code(), problem::CONTENT_TYPE, &[], &problem.to_value())
        }
    };
    Ok(Json(answer))
}

/// Handles the HTTP trigger as the host forwards it, with the secret in the query or the body.
async fn rotate_forwarded(
    State(state): State<HttpState>,
    Params(query): Params<serde_json::Value>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let body = body.map_err(|_| Problem::TooLarge)?;
    let text = String::from_utf8_lossy(&body).into_owned();
    let request = serde_json::from_value(json!({"Query": query, "Body": text})).unwrap_or_default();
    Ok(accepted(asked(&state, &request)?))
}

/// Handles the forwarded HTTP trigger with the secret in the route.
async fn rotate_in_route(
    State(state): State<HttpState>,
    NamedSecret(secret): NamedSecret,
) -> Result<Response, Problem> {
    Ok(accepted(wanted(&state, &secret)?))
}

fn asked(state: &HttpState, request: &HttpRequest) -> Result<(uuid::Uuid, String), Problem> {
    let missing =
        || Problem::WrongQuery("vault and name (or KeyVaultName and SecretName) are required".to_owned());
    let (vault, name) = request.secret().ok_or_else(missing)?;
    wanted(state, &secret_id(&vault, &name)?)
}

fn wanted(state: &HttpState, secret: &SecretId) -> Result<(uuid::Uuid, String), Problem> {
    let asker = Asker { by: "functions", caller: Some("functions"), key: None };
    let id = submit(state, secret, CommandKind::Rotate, asker)?.id;
    Ok((id, format!("/api/v1/operations/{id}")))
}

fn accepted((id, location): (uuid::Uuid, String)) -> Response {
    (StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(json!({"id": id}))).into_response()
}

/// An invocation that the host has to count as failed.
struct FailedInvocation(StatusCode, String);

impl IntoResponse for FailedInvocation {
    fn into_response(self) -> Response {
        (self.0, Json(InvocationResponse::saying(self.1))).into_response()
    }
}

/// Returns the envelope, or the response that makes the host try again or move the message to the poison queue.
fn invocation(
    state: &HttpState,
    body: Result<Bytes, BytesRejection>,
) -> Result<Invocation, FailedInvocation> {
    if state.readiness.is_draining() {
        return Err(stopping());
    }
    let body = body.map_err(|error| FailedInvocation(StatusCode::BAD_REQUEST, error.body_text()))?;
    read_invocation(&body).map_err(|why| FailedInvocation(StatusCode::BAD_REQUEST, why))
}

fn stopping() -> FailedInvocation {
    FailedInvocation(StatusCode::SERVICE_UNAVAILABLE, "the daemon is shutting down: retry".to_owned())
}

fn take_events(state: &HttpState, invocation: &Invocation, binding: &str) -> Vec<Ingested> {
    invocation
        .events(binding)
        .iter()
        .map(|event| state.event_sink.ingest(event, EventSource::Functions))
        .collect()
}

/// Waits for the enqueued passes, within the budget, and returns the outcome.
async fn answered(
    state: &HttpState,
    parts: &FunctionsParts,
    taken: Vec<Ingested>,
) -> Result<Json<InvocationResponse>, FailedInvocation> {
    let waits: Vec<(SecretId, Ticket)> = taken.iter().filter_map(Ingested::waits_for).collect();
    let looked =
        join_all(waits.iter().map(|(secret, ticket)| state.event_sink.queue.until_met(secret, *ticket)));
    let is_done = tokio::time::timeout(parts.budget, looked).await.is_ok();
    // A stop cuts passes short: the host has to deliver the event again.
    if state.readiness.is_draining() {
        return Err(stopping());
    }
    let mut logs: Vec<_> = taken.iter().map(Ingested::to_string).collect();
    if !is_done {
        logs.push(LEFT_OVER.to_owned());
    }
    Ok(Json(InvocationResponse { logs, ..InvocationResponse::default() }))
}

/// Time in addition to the budget, to read the invocation and to search for tagged secrets.
const MARGIN: Duration = Duration::from_secs(60);

const LEFT_OVER: &str = "not finished yet: the work continues, and the next timer run completes it";

/// Passes that are due within this time are waited for: those that follow an action.
const HORIZON: time::Duration = time::Duration::minutes(2);
