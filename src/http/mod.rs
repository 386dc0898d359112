//! The HTTP servers: routes, access, the API of secrets, events, Functions invocations, health and metrics.
//!
//! Handlers call the queue or the board; they decide nothing and, but for invocations, never wait for a rotation.

pub mod access;
mod api;
mod commands;
mod events;
mod functions;
mod health;
mod openapi;
mod operations;
mod problem;
mod router;
mod server;
mod view;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use functions::{FunctionsParts, functions_router};
pub use health::Readiness;
pub use operations::EventStreams;
pub use router::{ROUTES, describe, health_router, router};
pub use server::{Server, ServerError, Tls};

use crate::commands::Commands;
use crate::config::ScheduleConfig;
use crate::metrics::Metrics;
use crate::ports::Clock;
use crate::triggers::ingest::EventSink;
use access::{ApiAuth, WebhookAuth};

/// What handlers work with.
#[derive(Debug, Clone)]
pub struct HttpState {
    /// Where events go.
    pub event_sink: Arc<EventSink>,
    /// Where a person's commands go, and statuses come from.
    pub commands: Arc<Commands>,
    /// The readers of events.
    pub event_streams: EventStreams,
    /// What is scraped.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` answers.
    pub readiness: Arc<Readiness>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Who may use the API.
    pub api: Arc<ApiAuth>,
    /// Whom the webhook hears.
    pub webhook: Arc<WebhookAuth>,
    /// When all secrets are looked at.
    pub schedule: Arc<ScheduleConfig>,
    /// The description of the API.
    pub description: Arc<str>,
    /// Requests to the API at a time.
    pub max_concurrent: usize,
    /// Ends what goes on for longer than a request.
    pub stop: CancellationToken,
}
