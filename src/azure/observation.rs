//! What every answer of Azure tells besides its content: its status, how long it took, and what time it is there.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use azure_core::http::headers::HeaderName;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};
use azure_core::time::parse_rfc7231;
use time::OffsetDateTime;

use crate::clock::ClockSkew;
use crate::metrics::Metrics;
use crate::ports::Clock;

/// Watches the requests to one service. Clones share what they note.
#[derive(Clone)]
pub(super) struct Observation {
    service: &'static str,
    watch: Arc<Watch>,
}

/// Where all services' observations go.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) skew: Arc<ClockSkew>,
    pub(super) metrics: Arc<Metrics>,
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Started {
    sent: OffsetDateTime,
    at: Instant,
}

impl Observation {
    pub(super) const fn new(service: &'static str, watch: Arc<Watch>) -> Self {
        Self { service, watch }
    }

    /// A request leaves.
    pub(super) fn start(&self) -> Started {
        Started { sent: self.watch.clock.now(), at: Instant::now() }
    }

    /// It came back: with a status and a `Date`, or without an answer.
    pub(super) fn finish(&self, started: &Started, status: Option<u16>, date: Option<&str>) {
        self.watch.metrics.azure_request(self.service, status, started.took());
        // Tokens are asked for too rarely for their answers to say what our clock shows now.
        if !matches!(self.service, "key_vault" | "graph") {
            return;
        }
        if let Some(date) = date.and_then(|date| parse_rfc7231(date).ok()) {
            // `Date` is cut to whole seconds.
            let sent = started.sent - time::Duration::SECOND;
            self.watch.skew.note(self.service, sent, self.watch.clock.now(), date);
        }
    }
}

impl Started {
    fn took(&self) -> Duration {
        self.at.elapsed()
    }
}

impl fmt::Debug for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observation").field(&self.service).finish()
    }
}

#[async_trait]
impl Policy for Observation {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let Some((first, rest)) = next.split_first() else {
            return Err(azure_core::Error::with_message(azure_core::error::ErrorKind::Other, "no transport"));
        };
        let started = self.start();
        let result = first.send(context, request, rest).await;
        let answer = result.as_ref().ok();
        let date =
            answer.and_then(|answer| answer.headers().get_optional_str(&HeaderName::from_static("date")));
        self.finish(&started, answer.map(|answer| u16::from(answer.status())), date);
        result
    }
}
