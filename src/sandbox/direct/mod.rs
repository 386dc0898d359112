//! The direct ports: the daemon's ports on the model itself, without HTTPS, for simulations in virtual time.
//!
//! The caller is the daemon's identity, with its roles in the model; the same calls are refused as over HTTPS.

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

/// All ports on one model. Each call takes effect at once and takes no time.
#[derive(Clone)]
pub struct DirectPorts {
    /// The model that the calls read and change.
    pub model: Arc<Model>,
    /// The clock that dates the calls.
    pub clock: SandboxClock,
}

impl std::fmt::Debug for DirectPorts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DirectPorts")
    }
}

/// Converts a refusal as the adapter on HTTPS does: the innermost code is the most specific.
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
