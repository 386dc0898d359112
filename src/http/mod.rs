//! The HTTP servers: routes, access, the API of secrets, events, Functions invocations, health and metrics.
//!
//! Handlers call the queue or the board; they decide nothing and, except for invocations, never wait for a rotation.

pub mod access;
mod api;
mod commands;
mod events;
mod extract;
mod functions;
mod health;
mod openapi;
mod operations;
mod problem;
mod problem_type;
mod responses;
mod router;
mod schema;
mod server;
mod view;

use std::sync::Arc;

pub use functions::{FunctionsParts, functions_router};
pub use health::Readiness;
pub use operations::EventStreams;
pub use problem_type::ProblemType;
pub use router::{ROUTES, describe, health_router, router};
pub use server::{Server, ServerError, Tls};

use crate::commands::Commands;
use crate::config::ScheduleConfig;
use crate::metrics::Metrics;
use crate::ports::Clock;
use crate::triggers::ingest::EventSink;
use access::{ApiAuth, WebhookAuth};

/// The state that handlers share.
#[derive(Debug, Clone)]
pub struct HttpState {
    /// The sink for events.
    pub event_sink: Arc<EventSink>,
    /// The layer that accepts a person's commands and returns statuses.
    pub commands: Arc<Commands>,
    /// The limit of concurrent event streams.
    pub event_streams: EventStreams,
    /// The metrics that `/metrics` returns.
    pub metrics: Arc<Metrics>,
    /// The readiness that `/readyz` returns.
    pub readiness: Arc<Readiness>,
    /// The daemon's clock.
    pub clock: Arc<dyn Clock>,
    /// The authentication of the API's callers.
    pub api: Arc<ApiAuth>,
    /// The authentication of webhook deliveries.
    pub webhook: Arc<WebhookAuth>,
    /// The schedule of sweeps over all secrets.
    pub schedule: Arc<ScheduleConfig>,
    /// The description of the API.
    pub description: Arc<str>,
    /// Maximum number of concurrent API requests.
    pub max_concurrent: usize,
}
