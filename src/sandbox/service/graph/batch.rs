//! `$batch`: up to twenty requests in one, each with its own quotas and faults, answered in any order.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::{Body, to_bytes};
use axum::http::{self, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::wire::error;
use super::{authenticated, failure_response, handle_one};
use crate::sandbox::faults::FaultKind;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::Service;
use crate::sandbox::service::azure::Azure;
use crate::sandbox::service::fault_injection;

const MAX_STEPS: usize = 20;

#[derive(Deserialize)]
struct Batch {
    requests: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    id: String,
    method: String,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<Value>,
    #[serde(default)]
    depends_on: Vec<String>,
}

pub(super) async fn handle_batch(azure: &Azure, request: &Request) -> Response {
    if let Err(response) = authenticated(azure, request) {
        return response;
    }
    let steps = match steps(request) {
        Ok(steps) => steps,
        Err(message) => return error(azure, request, StatusCode::BAD_REQUEST, "BadRequest", &message),
    };
    let mut statuses = BTreeMap::new();
    let mut responses = Vec::new();
    for step in &steps {
        let has_failed =
            |id: &String| statuses.get(id).is_none_or(|status: &StatusCode| !status.is_success());
        let response = if step.depends_on.iter().any(has_failed) {
            failed_dependency(azure, request)
        } else {
            take(azure, request, step).await
        };
        statuses.insert(step.id.clone(), response.status);
        responses.push(step_response(&step.id, response).await);
    }
    azure.model.shuffle(&mut responses);
    Response::ok(json!({"responses": responses}))
}

/// Returns the steps, each after those it depends on.
fn steps(request: &Request) -> Result<Vec<Step>, String> {
    let batch: Option<Batch> = request.json();
    let steps = batch.ok_or("Invalid batch payload format.")?.requests;
    if steps.len() > MAX_STEPS {
        return Err(format!("Number of batch request steps exceeds the maximum value of {MAX_STEPS}."));
    }
    let mut known = BTreeSet::new();
    for step in &steps {
        let is_unknown = |id: &&String| !known.contains(*id);
        if let Some(id) = step.depends_on.iter().find(is_unknown) {
            return Err(format!("Request '{}' depends on '{id}', which must come before it.", step.id));
        }
        if !known.insert(step.id.clone()) {
            return Err(format!("The request id '{}' is used twice.", step.id));
        }
    }
    Ok(steps)
}

/// Handles one step as a request of its own, with its own faults. For a lost one, the server in front responds.
async fn take(azure: &Azure, batch: &Request, step: &Step) -> Response {
    let Some(request) = inner(batch, step).await else {
        let message = format!("The request '{}' has an invalid method, URL or headers.", step.id);
        return error(azure, batch, StatusCode::BAD_REQUEST, "BadRequest", &message);
    };
    match fault_injection::draw(azure, Service::Graph, &request) {
        None => handle_one(azure, &request).await,
        Some(FaultKind::Throttled) => failed(azure, &request, StatusCode::TOO_MANY_REQUESTS),
        Some(FaultKind::Unavailable) => failed(azure, &request, StatusCode::SERVICE_UNAVAILABLE),
        Some(FaultKind::Timeout) => gateway_timeout(azure, &request),
        Some(FaultKind::LostReply) => {
            handle_one(azure, &request).await;
            gateway_timeout(azure, &request)
        }
    }
}

/// Returns an injected 429 or 503.
fn failed(azure: &Azure, request: &Request, status: StatusCode) -> Response {
    fault_injection::with_retry_after(azure, status, failure_response(azure, request, status))
}

fn gateway_timeout(azure: &Azure, request: &Request) -> Response {
    let message = "The server did not answer in time.";
    error(azure, request, StatusCode::GATEWAY_TIMEOUT, "UnknownError", message)
}

fn failed_dependency(azure: &Azure, request: &Request) -> Response {
    let message = "A request on which this one depends has failed.";
    error(azure, request, StatusCode::FAILED_DEPENDENCY, "FailedDependency", message)
}

/// Returns the step as a request of its own, with the identity of the batch's sender.
async fn inner(batch: &Request, step: &Step) -> Option<Request> {
    let version = batch.segments.first()?;
    let path = step.url.trim_start_matches('/').replace(' ', "%20");
    let mut request = http::Request::builder().method(step.method.as_str()).uri(format!("/{version}/{path}"));
    for name in ["authorization", "user-agent"] {
        request =
            batch.headers.get(name).into_iter().fold(request, |request, value| request.header(name, value));
    }
    for (name, value) in &step.headers {
        request = request.header(name, value);
    }
    let body = step.body.as_ref().map_or_else(Body::empty, |body| Body::from(body.to_string()));
    Request::read(request.body(body).ok()?).await.ok()
}

async fn step_response(id: &str, response: Response) -> Value {
    let (parts, body) = response.into_response().into_parts();
    let headers = parts
        .headers
        .iter()
        .filter_map(|(name, value)| Some((spelled(name.as_str()), Value::from(value.to_str().ok()?))));
    let headers: Map<_, _> = headers.collect();
    let mut shown = json!({"id": id, "status": parts.status.as_u16(), "headers": headers});
    // The body is in memory, whole.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    if let (Value::Object(members), Ok(body)) = (&mut shown, serde_json::from_slice::<Value>(&body)) {
        members.insert("body".to_owned(), body);
    }
    shown
}

/// Returns a header's name as clients expect it: here names are case-sensitive.
fn spelled(name: &str) -> String {
    match name {
        "retry-after" => "Retry-After".to_owned(),
        "content-type" => "Content-Type".to_owned(),
        "location" => "Location".to_owned(),
        other => other.to_owned(),
    }
}
