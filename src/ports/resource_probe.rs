//! Whether a protected resource lets an application in.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::domain::{Probe, ProbeAnswer};

/// Asks a protected resource one harmless question with an application's token.
#[async_trait]
pub trait ResourceProbe: fmt::Debug + Send + Sync {
    /// Asks once. Redirects are not followed: they would hand the token to somebody else. Never fails: what is no
    /// answer is [`ProbeAnswer::Unclear`].
    async fn probe(&self, probe: &Probe, token: &SecretString) -> ProbeAnswer;
}
