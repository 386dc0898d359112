//! The handshake by which a webhook agrees to receive events.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;
use url::Url;

/// Starts the handshake of an event subscription in place of the service that sends events.
#[async_trait]
pub trait WebhookHandshake: fmt::Debug + Send + Sync {
    /// Sends one handshake. Nothing is subscribed, and no event is sent.
    async fn try_handshake(&self, webhook: &WebhookTarget) -> Result<(), HandshakeError>;
}

/// A webhook and the values that a handshake needs for it.
#[derive(Debug, Clone)]
pub struct WebhookTarget {
    /// Its address.
    pub url: Url,
    /// The key that authorizes the request.
    pub key: SecretString,
    /// The name of an event subscription that it agrees to.
    pub subscription: String,
    /// The topic of that subscription; empty if any topic will do.
    pub topic: String,
}

/// The failure of a handshake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// No answer came.
    #[error("can't be reached: {0}")]
    Unreachable(String),
    /// The answer is not the daemon's.
    #[error("{0}")]
    Unexpected(String),
}
