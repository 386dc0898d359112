//! The HTTP face: routes, authentication, the API of secrets, events, health and metrics.
//!
//! Handlers call the queue or the board; they decide nothing and never wait for a rotation.

mod api;
mod authentication;
mod events;
mod health;
mod problem;
mod router;

use std::sync::Arc;

pub use authentication::ApiToken;
pub use health::Readiness;
pub use router::{ROUTES, router};

use crate::metrics::Metrics;
use crate::ports::Clock;
use crate::reconcile::{StatusBoard, WorkQueue};

/// What handlers work with.
#[derive(Debug, Clone)]
pub struct HttpState {
    /// Where names go.
    pub queue: Arc<WorkQueue>,
    /// Where statuses come from.
    pub board: Arc<StatusBoard>,
    /// What is scraped.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` answers.
    pub readiness: Arc<Readiness>,
    /// When a wish was made.
    pub clock: Arc<dyn Clock>,
    /// Who may use the API; `None`: nobody.
    pub token: Option<ApiToken>,
}
