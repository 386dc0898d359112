//! The probe of a protected resource: tests if it lets an application in.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::domain::{Probe, ProbeAnswer};

/// Sends a harmless request to a protected resource with an application's token.
#[async_trait]
pub trait ResourceProbe: fmt::Debug + Send + Sync {
    /// Sends one request. Redirects are not followed: they would pass the token to another host. Never fails: anything
    /// that is not an answer is [`ProbeAnswer::Unclear`].
    async fn probe(&self, probe: &Probe, token: &SecretString) -> ProbeAnswer;
}
