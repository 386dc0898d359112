//! Tokens for the requests that we send ourselves: the identity's, and the last valid one until it expires.

use std::fmt;
use std::sync::Arc;
use std::sync::Mutex;

use azure_core::credentials::{AccessToken, TokenCredential};
use secrecy::SecretString;

use crate::clock::SystemClock;
use crate::ports::{Clock, PortError};

/// A source of tokens for one resource.
pub(super) struct TokenSource {
    credential: Arc<dyn TokenCredential>,
    scope: String,
    /// The last token. In its last minutes a new one is requested; if that fails, this one is still valid.
    last: Mutex<Option<AccessToken>>,
}

impl TokenSource {
    pub(super) fn new(credential: Arc<dyn TokenCredential>, scope: String) -> Self {
        Self { credential, scope, last: Mutex::new(None) }
    }

    /// Returns a token that is valid now. Its lifetime is measured in the system's time, also in a sandbox.
    pub(super) async fn token(&self, operation: &'static str) -> Result<SecretString, PortError> {
        let asked = self.credential.get_token(&[self.scope.as_str()], None).await;
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let now = SystemClock.now();
        match (asked, last.as_ref().filter(|last| last.expires_on > now)) {
            (Ok(token), _) => {
                let text = token.token.secret().into();
                *last = Some(token);
                Ok(text)
            }
            (Err(_), Some(last)) => Ok(last.token.secret().into()),
            (Err(error), None) => Err(PortError::NoToken { operation, source: Box::new(error) }),
        }
    }
}

impl fmt::Debug for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokenSource").field(&self.scope).finish()
    }
}
