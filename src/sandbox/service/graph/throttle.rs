//! The cost of a request, and Graph's response when that is too much.

use axum::http::{HeaderName, Method, StatusCode, header};
use uuid::Uuid;

use super::target::Target;
use super::wire::error;
use super::{AUDIENCES, Call};
use crate::sandbox::consumers::USER_AGENT as CONSUMER;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::{Cost, GraphThrottled, Quota, Spent};
use crate::sandbox::service::azure::Azure;

/// The share from which on responses show how full the quota is.
const NEARLY_FULL: f64 = 0.8;

/// Spends the cost of the request. `None`: the simulated consumers pay nothing.
///
/// # Errors
/// The response to one request too many.
pub(super) fn spend(call: &Call<'_>, target: &Target<'_>) -> Result<Option<Spent>, Response> {
    if call.request.user_agent().starts_with(CONSUMER) {
        return Ok(None);
    }
    let cost = cost(call, target);
    let spent = call.azure.model.spend_graph_quota(call.caller.client_id, cost, call.now);
    spent.map(Some).map_err(|throttled| too_many(call, throttled))
}

pub(super) fn with_spent(response: Response, spent: Option<Spent>) -> Response {
    let Some(Spent { units, share }) = spent.filter(|_| response.status.is_success()) else {
        return response;
    };
    let response = response.with(HeaderName::from_static("x-ms-resource-unit"), units.to_string());
    if share < NEARLY_FULL {
        return response;
    }
    response.with(HeaderName::from_static("x-ms-throttle-limit-percentage"), format!("{share:.2}"))
}

fn cost(call: &Call<'_>, target: &Target<'_>) -> Cost {
    if let Target::SignInReport = target {
        return Cost::Report;
    }
    if call.request.method != Method::GET {
        return Cost::Write { application: target.written(call.azure) };
    }
    let is_of_applications = matches!(target, Target::Applications(_) | Target::Application(..));
    let selects_keys = is_of_applications && selects_keys(call.request);
    Cost::Read { units: units(call.request, target), selects_keys }
}

/// Returns a read's units, as documented: listing applications costs more, requesting less costs less, none is free.
fn units(request: &Request, target: &Target<'_>) -> u32 {
    let base = if matches!(target, Target::Applications(_)) { 2 } else { 1 };
    let is_small = request.query("$top").and_then(|top| top.parse().ok()).is_some_and(|top: u32| top < 20);
    let saved = u32::from(request.query("$select").is_some()) + u32::from(is_small);
    (base + u32::from(request.query("$expand").is_some())).saturating_sub(saved).max(1)
}

fn selects_keys(request: &Request) -> bool {
    let names = request.query("$select").unwrap_or_default();
    names.split(',').any(|name| name.trim() == "keyCredentials")
}

fn too_many(call: &Call<'_>, GraphThrottled { quota, wait }: GraphThrottled) -> Response {
    let information = match quota {
        Quota::Units => "ResourceUnitLimitExceeded",
        Quota::Writes => "WriteLimitExceeded",
    };
    let seconds = wait.whole_seconds() + i64::from(wait.subsec_nanoseconds() > 0);
    throttled(call.azure, call.request, call.caller.client_id, information)
        .with(header::RETRY_AFTER, seconds.max(1).to_string())
}

/// Returns a failure that no quota caused: Graph's own servers are busy, or down.
pub(super) fn failure_response(azure: &Azure, request: &Request, status: StatusCode) -> Response {
    if status != StatusCode::TOO_MANY_REQUESTS {
        return error(azure, request, status, "ServiceNotAvailable", "The service is not available.");
    }
    let client_id = azure
        .tokens
        .caller(request.bearer_token(), &AUDIENCES)
        .map_or(Uuid::nil(), |caller| caller.client_id);
    throttled(azure, request, client_id, "CPULimitExceeded")
}

fn throttled(azure: &Azure, request: &Request, client_id: Uuid, information: &str) -> Response {
    let message = format!(
        "Too many requests from Identifier:{client_id} under category:aadgraph.app.tenant_small. Please try again later."
    );
    let scope = format!("Tenant_Application/ReadWrite/{client_id}/{}", azure.model.tenant().id);
    error(azure, request, StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", &message)
        .with(HeaderName::from_static("x-ms-throttle-scope"), scope)
        .with(HeaderName::from_static("x-ms-throttle-information"), information.to_owned())
}
