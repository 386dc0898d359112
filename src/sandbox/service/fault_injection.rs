//! Injected faults: draws and reports the fault that a request gets. It knows no service's wording.

use axum::http::{StatusCode, header};

use super::azure::Azure;
use crate::ports::Clock;
use crate::sandbox::faults::FaultKind;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::{Service, TimelineEvent, TimelineEventKind};

/// Counts a request and returns the fault that it gets, which is then on the timeline.
pub(super) fn draw(azure: &Azure, service: Service, request: &Request) -> Option<FaultKind> {
    azure.model.count_request(service);
    let fault = azure.faults.draw(service, request);
    if let Some(kind) = fault {
        report(azure, kind, service, request);
    }
    fault
}

/// Adds `Retry-After` to about half of the injected 429s.
pub(super) fn with_retry_after(azure: &Azure, status: StatusCode, response: Response) -> Response {
    let retry_after = (status == StatusCode::TOO_MANY_REQUESTS).then(|| azure.faults.retry_after()).flatten();
    match retry_after {
        Some(seconds) => response.with(header::RETRY_AFTER, seconds.to_string()),
        None => response,
    }
}

fn report(azure: &Azure, kind: FaultKind, service: Service, request: &Request) {
    let detail = format!("{kind:?} for {} /{}", request.method, request.segments.join("/"));
    azure.model.report(&TimelineEvent {
        at: azure.clock.now(),
        kind: TimelineEventKind::FaultInjected,
        secret: format!("{service:?}"),
        detail,
    });
}
