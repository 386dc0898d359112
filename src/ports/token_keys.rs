//! The keys that somebody's tokens are signed with.

use async_trait::async_trait;
use jsonwebtoken::jwk::JwkSet;

use super::PortError;

/// Where an issuer of tokens says which keys it signs with.
#[async_trait]
pub trait TokenKeys: std::fmt::Debug + Send + Sync {
    /// The issuer's name and its present keys. A read: safe to repeat.
    ///
    /// # Errors
    /// They can't be read now; that says nothing of any token.
    async fn fetch(&self) -> Result<IssuerKeys, PortError>;
}

/// An issuer and its keys.
#[derive(Debug, Clone)]
pub struct IssuerKeys {
    /// What its tokens say in `iss`.
    pub issuer: String,
    /// Public keys, by `kid`.
    pub keys: JwkSet,
}
