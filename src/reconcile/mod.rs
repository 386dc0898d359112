//! The reconcile loop: observe, decide, execute one action, observe again.
//!
//! A pass takes no hint: triggers only enqueue a name, and the content of an event is never used as a fact. Everything
//! that the loop remembers (back-off, since when something looks lost) may be forgotten at any moment.

mod actions;
mod back_off;
mod blocked;
mod catalogue;
mod command_ends;
mod observe;
mod permits;
mod preflight;
mod queue;
#[cfg(test)]
mod queue_tests;
mod reconciler;
mod reported_once;
mod rollout;
mod status;
mod status_board;
mod status_text;
mod sweep;
mod verify;
mod volatile;

use std::sync::Arc;

pub use blocked::Blocked;
pub use catalogue::Catalogue;
pub use queue::{Ticket, WorkItem, WorkQueue};
pub use reconciler::{Deps, Inspected, Preview, Reconciler};
pub use rollout::{Rollout, WindowState};
pub use status::{EndedCommand, LastOutcome, ReplicaStatus, SecretStatus};
pub use status_board::StatusBoard;
pub use sweep::{Sweeper, discovered};

use crate::ports::{Clock, CredentialIssuer, ResourceProbe, SecretStore, SignInVerifier, UsageReport};

/// The outside world, as the loop sees it.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The store that consumers read from.
    pub store: Arc<dyn SecretStore>,
    /// The issuer of credentials.
    pub issuer: Arc<dyn CredentialIssuer>,
    /// The verifier of sign-ins with credentials.
    pub verifier: Arc<dyn SignInVerifier>,
    /// The report on when credentials were last used.
    pub usage: Arc<dyn UsageReport>,
    /// The probe of protected resources: do they let an application in?
    pub probe: Arc<dyn ResourceProbe>,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}
