//! The HTTP face: routes, authentication, the API of secrets, events, health and metrics.
//!
//! Handlers call the queue or the board; they decide nothing and never wait for a rotation.

mod api;
mod authentication;
mod events;
mod health;
mod idempotency;
mod problem;
mod router;
mod wishes;

use std::sync::Arc;

pub use authentication::ApiToken;
pub use health::Readiness;
pub use idempotency::IdempotencyKeys;
pub use router::{ROUTES, router};

use crate::metrics::Metrics;
use crate::ports::Clock;
use crate::reconcile::{Catalogue, WorkQueue};
use crate::triggers::wishes::Wishes;

/// What handlers work with.
#[derive(Debug, Clone)]
pub struct HttpState {
    /// Where names go.
    pub queue: Arc<WorkQueue>,
    /// What events may be about.
    pub catalogue: Arc<Catalogue>,
    /// Where a person's wishes go, and statuses come from.
    pub wishes: Arc<Wishes>,
    /// The keys of wishes that were granted.
    pub keys: Arc<IdempotencyKeys>,
    /// What is scraped.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` answers.
    pub readiness: Arc<Readiness>,
    /// How old a key is.
    pub clock: Arc<dyn Clock>,
    /// Who may use the API; `None`: nobody.
    pub token: Option<ApiToken>,
}
