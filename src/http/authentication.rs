//! Who may use the API: whoever has the bearer token. On loopback too, since every local user can reach that.

use std::fmt;

use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::HttpState;
use super::problem::Problem;

/// The hash of the API's token: the token itself is not kept.
#[derive(Clone)]
pub struct ApiToken([u8; 32]);

impl ApiToken {
    /// The token with this text.
    #[must_use]
    pub fn new(text: &SecretString) -> Self {
        Self(Sha256::digest(text.expose_secret().as_bytes()).into())
    }

    /// Whether `given` is the token, in a time that tells nothing about it.
    fn accepts(&self, given: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(given.as_bytes()).into();
        self.0.ct_eq(&given).into()
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiToken")
    }
}

pub(super) async fn require_token(
    State(state): State<HttpState>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let Some(token) = &state.token else {
        return Err(Problem::Unauthorized("the API is closed: set api.token_file in the configuration"));
    };
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let Some(given) = header.and_then(bearer) else {
        return Err(Problem::Unauthorized("send the API's token: Authorization: Bearer TOKEN"));
    };
    if token.accepts(given) {
        Ok(next.run(request).await)
    } else {
        Err(Problem::Unauthorized("this is not the API's token"))
    }
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
