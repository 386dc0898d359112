//! Tokens of the user who is signed in with `az login`, for the API of a daemon.

use std::sync::Arc;

use azure_core::credentials::{AccessToken, TokenCredential as _};
use azure_identity::AzureCliCredential;
use secrecy::SecretString;
use time::Duration;
use tokio::sync::Mutex;

use crate::clock::SystemClock;
use crate::ports::{Clock as _, PortError};

/// A source of tokens that calls `az`, which takes a second each time, only when the last token is about to expire.
#[derive(Debug)]
pub struct AzLogin {
    credential: Arc<AzureCliCredential>,
    scope: String,
    last: Mutex<Option<AccessToken>>,
}

impl AzLogin {
    /// Creates a source of tokens whose audience is `audience`, an App ID URI or a client id. Requests nothing yet.
    ///
    /// # Errors
    /// The SDK refuses the audience.
    pub fn new(audience: &str) -> Result<Self, PortError> {
        let credential =
            AzureCliCredential::new(None).map_err(|error| PortError::not_sent(OPERATION, error))?;
        Ok(Self { credential, scope: format!("{audience}/.default"), last: Mutex::new(None) })
    }

    /// Returns a token that is valid for some minutes more.
    ///
    /// # Errors
    /// `az` is not installed, or no one is signed in: the error of `az` itself explains the fix.
    pub async fn token(&self) -> Result<SecretString, PortError> {
        let mut last = self.last.lock().await;
        if let Some(token) = last.as_ref()
            && token.expires_on > SystemClock.now() + SPARE
        {
            return Ok(token.token.secret().into());
        }
        let asked = self.credential.get_token(&[&self.scope], None).await;
        let token = asked.map_err(|error| PortError::not_sent(OPERATION, error))?;
        Ok(last.insert(token).token.secret().into())
    }
}

const OPERATION: &str = "get a token from the Azure CLI";

const SPARE: Duration = Duration::minutes(5);
