//! The observer of every request to Azure: records the answer's status, its duration, and the service's clock.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use azure_core::http::headers::HeaderName;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};
use azure_core::time::parse_rfc7231;
use reqwest::{RequestBuilder, Response};
use time::OffsetDateTime;

use crate::clock::ClockSkew;
use crate::metrics::Metrics;
use crate::ports::Clock;

/// The observer of the requests to one service. Clones share their sinks.
#[derive(Clone)]
pub(super) struct RequestObserver {
    service: &'static str,
    sinks: Arc<ObserverSinks>,
}

/// The receivers of all services' observations.
#[derive(Debug)]
pub(super) struct ObserverSinks {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) skew: Arc<ClockSkew>,
    pub(super) metrics: Arc<Metrics>,
}

/// A request in progress.
#[derive(Debug)]
struct StartedRequest {
    sent: OffsetDateTime,
    at: Instant,
}

impl RequestObserver {
    pub(super) const fn new(service: &'static str, sinks: Arc<ObserverSinks>) -> Self {
        Self { service, sinks }
    }

    /// Sends a request of our own clients, once, and records its answer.
    pub(super) async fn send_once(&self, request: RequestBuilder) -> reqwest::Result<Response> {
        let started = self.start();
        let result = request.send().await;
        let response = result.as_ref().ok();
        let date = response.and_then(|response| response.headers().get("date")?.to_str().ok());
        self.finish(&started, response.map(|response| response.status().as_u16()), date).await;
        result
    }

    fn start(&self) -> StartedRequest {
        StartedRequest { sent: self.sinks.clock.now(), at: Instant::now() }
    }

    /// Records the status and the `Date` of an answer, or that none came.
    async fn finish(&self, started: &StartedRequest, status: Option<u16>, date: Option<&str>) {
        self.sinks.metrics.azure_request(self.service, status, started.took());
        // Tokens are requested too rarely for their answers to show the present error of our clock.
        if !matches!(self.service, "key_vault" | "graph") {
            return;
        }
        if let Some(date) = date.and_then(|date| parse_rfc7231(date).ok()) {
            // `Date` is truncated to whole seconds.
            let sent = started.sent - time::Duration::SECOND;
            self.sinks.skew.note(self.service, sent, self.received(date).await, date);
        }
    }

    /// Returns the present time. A clock that is behind `date` may follow one that has jumped: it is read again.
    async fn received(&self, date: OffsetDateTime) -> OffsetDateTime {
        if self.sinks.clock.now() < date {
            self.sinks.clock.refresh().await;
        }
        self.sinks.clock.now()
    }
}

impl StartedRequest {
    fn took(&self) -> Duration {
        self.at.elapsed()
    }
}

impl fmt::Debug for RequestObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestObserver").field(&self.service).finish()
    }
}

#[async_trait]
impl Policy for RequestObserver {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let Some((first, rest)) = next.split_first() else {
            return Err(azure_core::Error::with_message(azure_core::error::ErrorKind::Other, "no transport"));
        };
        let started = self.start();
        let result = first.send(context, request, rest).await;
        let response = result.as_ref().ok();
        let date = response
            .and_then(|response| response.headers().get_optional_str(&HeaderName::from_static("date")));
        self.finish(&started, response.map(|response| u16::from(response.status())), date).await;
        result
    }
}
