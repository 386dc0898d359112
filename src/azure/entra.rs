//! The `SignInVerifier` on Entra's v2 token endpoint: the client-credentials flow, as consumers use it.

use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::claims::claims;
use super::observer::RequestObserver;
use crate::domain::ClientId;
use crate::ports::{Clock, SignIn, SignInVerifier, Token, chain, sleep};

/// A client of one tenant's token endpoint.
#[derive(Debug)]
pub struct Entra {
    http: reqwest::Client,
    endpoint: Url,
    scope: String,
    observer: RequestObserver,
    clock: Arc<dyn Clock>,
}

/// An error of the token endpoint. Only the numbers are used; the text may change at any time.
#[derive(Debug, Default, Deserialize)]
struct TokenError {
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_codes: Vec<u64>,
}

impl TokenError {
    fn has(&self, code: u64) -> bool {
        self.error_codes.contains(&code)
    }
}

/// An answer that contains a token.
#[derive(Deserialize)]
struct TokenResponse {
    access_token: SecretString,
}

impl Entra {
    pub(super) fn new(
        http: reqwest::Client,
        authority: &Url,
        tenant: &str,
        scope: String,
        observer: RequestObserver,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, url::ParseError> {
        let endpoint = authority.join(&format!("/{tenant}/oauth2/v2.0/token"))?;
        Ok(Self { http, endpoint, scope, observer, clock })
    }

    /// Requests a token of `scope`. Retried while the answer is unclear.
    async fn granted(
        &self,
        client_id: ClientId,
        text: &SecretString,
        scope: &str,
    ) -> Result<SecretString, SignIn> {
        let mut result = self.try_once(client_id, text, scope).await;
        for pause in PAUSES {
            if !matches!(result, Err(SignIn::Unclear(_))) {
                break;
            }
            sleep(&*self.clock, pause).await;
            result = self.try_once(client_id, text, scope).await;
        }
        result
    }

    async fn try_once(
        &self,
        client_id: ClientId,
        text: &SecretString,
        scope: &str,
    ) -> Result<SecretString, SignIn> {
        let request = self
            .http
            .post(self.endpoint.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form(client_id, text, scope));
        let sent = self.observer.send_once(request).await;
        let response = sent.map_err(|error| SignIn::Unclear(chain(&error.without_url())))?;
        if response.status().is_success() {
            // The error of a body without a token would show none of the body, but is of no use either.
            return match response.json::<TokenResponse>().await {
                Ok(granted) => Ok(granted.access_token),
                Err(_) => Err(SignIn::Unclear("the response does not contain a token".to_owned())),
            };
        }
        let status = response.status().as_u16();
        Err(interpret(status, &response.bytes().await.unwrap_or_default()))
    }
}

#[async_trait]
impl SignInVerifier for Entra {
    async fn sign_in(&self, client_id: ClientId, text: &SecretString) -> SignIn {
        self.granted(client_id, text, &self.scope).await.map_or_else(|refusal| refusal, |_| SignIn::Accepted)
    }

    async fn token(&self, client_id: ClientId, text: &SecretString, scope: &str) -> Result<Token, SignIn> {
        let text = self.granted(client_id, text, scope).await?;
        Ok(Token { claims: claims(&text), text })
    }
}

fn form(client_id: ClientId, text: &SecretString, scope: &str) -> String {
    // Secrets contain characters that a form has to escape.
    let secret = Zeroizing::new(encoded(text.expose_secret()));
    let scope = encoded(scope);
    format!("grant_type=client_credentials&client_id={client_id}&scope={scope}&client_secret={}", *secret)
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Interprets an answer that is not a token.
fn interpret(status: u16, body: &[u8]) -> SignIn {
    let error: TokenError = serde_json::from_slice(body).unwrap_or_default();
    if status == 429 || status >= 500 {
        SignIn::Unclear(format!("status {status}"))
    } else if error.has(7_000_222) {
        SignIn::Expired
    } else if error.has(7_000_215) {
        SignIn::Wrong
    } else if error.has(7_000_112) {
        SignIn::ApplicationDisabled
    } else if error.has(700_016) {
        SignIn::ApplicationUnknown
    } else if error.has(7_000_229) {
        SignIn::NoServicePrincipal
    } else {
        let name: String = error.error.chars().take(64).collect();
        SignIn::Unclear(format!("status {status}, error {name:?}, codes {:?}", error.error_codes))
    }
}

const PAUSES: [time::Duration; 2] = [time::Duration::SECOND, time::Duration::seconds(3)];

#[cfg(test)]
mod tests {
    use super::*;

    /// Only Entra's codes for a wrong or an expired secret count against the secret; unknown codes and other failures
    /// are unclear.
    #[test]
    fn only_wrong_and_expired_condemn_a_secret() {
        let body =
            |code: u64| format!(r#"{{"error":"invalid_client","error_codes":[{code}],"trace_id":"\r\n"}}"#);
        for (status, code, expected) in [
            (401, 7_000_215, SignIn::Wrong),
            (401, 7_000_222, SignIn::Expired),
            (400, 7_000_112, SignIn::ApplicationDisabled),
            (401, 700_016, SignIn::ApplicationUnknown),
            (401, 7_000_229, SignIn::NoServicePrincipal),
        ] {
            assert_eq!(interpret(status, body(code).as_bytes()), expected);
        }
        for (status, text) in
            [(503, body(7_000_215)), (400, body(90_002)), (401, "<html>".into()), (429, String::new())]
        {
            assert!(matches!(interpret(status, text.as_bytes()), SignIn::Unclear(_)), "{status} {text}");
        }
    }
}
