//! The sign-in of an application, as a test of its credential.

use std::fmt;

use async_trait::async_trait;
use secrecy::SecretString;

use crate::domain::{ClientId, TokenClaims};

/// Signs in as an application, with the client-credentials flow, as its consumers do.
#[async_trait]
pub trait SignInVerifier: fmt::Debug + Send + Sync {
    /// Signs in once. Never fails: any result that is not an answer about the secret is [`SignIn::Unclear`].
    async fn sign_in(&self, client_id: ClientId, text: &SecretString) -> SignIn;

    /// Requests a token of `scope`, once.
    ///
    /// # Errors
    /// Entra's answer, which is never [`SignIn::Accepted`].
    async fn token(&self, client_id: ClientId, text: &SecretString, scope: &str) -> Result<Token, SignIn>;
}

/// A token of an application, and its claims.
#[derive(Debug, Clone)]
pub struct Token {
    /// Its claims; `None` if they can't be read: tokens of some resources are opaque.
    pub claims: Option<TokenClaims>,
    /// The token itself.
    pub text: SecretString,
}

/// Entra's answer to one sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignIn {
    /// Entra issued a token.
    Accepted,
    /// The secret is wrong, or not known everywhere yet: Entra does not distinguish the two.
    Wrong,
    /// The secret is past its end.
    Expired,
    /// The application is disabled.
    ApplicationDisabled,
    /// The tenant does not know the application.
    ApplicationUnknown,
    /// The application has no service principal in the tenant.
    NoServicePrincipal,
    /// Another answer or failure, which proves nothing about the secret.
    Unclear(String),
}

impl fmt::Display for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "accepted",
            Self::Wrong => "invalid client secret",
            Self::Expired => "expired client secret",
            Self::ApplicationDisabled => "application disabled",
            Self::ApplicationUnknown => "application not found",
            Self::NoServicePrincipal => "no service principal",
            Self::Unclear(why) => why,
        })
    }
}
