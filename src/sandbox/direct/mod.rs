//! The direct ports: the daemon's ports on the model itself, without HTTPS, for simulations in virtual time.
//!
//! The caller is the daemon's identity, with the roles that the model gives it; what HTTPS refuses is refused here.

mod directory;
mod issuer;
mod report;
mod resources;
mod rights;
mod sign_in;
mod store;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use super::clock::SandboxClock;
use super::model::{GraphRefusal, Model, VaultRefusal};
use crate::ports::PortError;

/// Every port on one model. Each call has its effect at once and takes no time.
#[derive(Clone)]
pub struct DirectPorts {
    /// What the calls read and change.
    pub model: Arc<Model>,
    /// When they do.
    pub clock: SandboxClock,
}

impl std::fmt::Debug for DirectPorts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DirectPorts")
    }
}

/// As the adapter on HTTPS reads it: the innermost code says most.
fn vault_refused(operation: &'static str, refusal: &VaultRefusal) -> PortError {
    let codes = refusal.codes();
    refused(operation, codes.status, &codes.inner.unwrap_or(codes.code))
}

fn graph_refused(operation: &'static str, refusal: &GraphRefusal) -> PortError {
    refused(operation, refusal.status(), &refusal.code())
}

fn refused(operation: &'static str, status: u16, why: &dyn std::fmt::Display) -> PortError {
    crate::azure::refused(operation, status, why.to_string())
}
