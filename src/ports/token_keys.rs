//! The signing keys of an issuer of tokens.

use async_trait::async_trait;
use jsonwebtoken::jwk::JwkSet;

use super::PortError;

/// The published keys of an issuer of tokens.
#[async_trait]
pub trait TokenKeys: std::fmt::Debug + Send + Sync {
    /// Fetches the issuer's name and its present keys. A read: safe to repeat.
    ///
    /// # Errors
    /// The keys can't be read now; that proves nothing about any token.
    async fn fetch(&self) -> Result<IssuerKeys, PortError>;
}

/// An issuer and its keys.
#[derive(Debug, Clone)]
pub struct IssuerKeys {
    /// The value of `iss` in its tokens.
    pub issuer: String,
    /// Public keys, by `kid`.
    pub keys: JwkSet,
}
