//! The ports on Microsoft Graph: a thin typed client. Only this module uses Graph's names and codes.
//!
//! Reads are retried a few times; `addPassword` is sent once, because only its answer shows the secret's text.

mod access;
mod applications;
mod directory;
mod report;
mod rules;
mod wire;

use std::sync::Arc;

use reqwest::{Method, RequestBuilder, Response, Url};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::errors::{NO_CODE, from_http, refusal, refused, retry_after};
use super::observer::RequestObserver;
use super::retry::retry_read;
use super::token::TokenSource;
use crate::ports::{Clock, PortError};
use wire::Page;

/// A client for the applications of one tenant.
#[derive(Debug)]
pub struct Graph {
    http: reqwest::Client,
    /// The base URL, with `/v1.0/`.
    base: Url,
    token: TokenSource,
    observer: RequestObserver,
    clock: Arc<dyn Clock>,
}

impl Graph {
    pub(super) fn new(
        http: reqwest::Client,
        base: &Url,
        token: TokenSource,
        observer: RequestObserver,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, url::ParseError> {
        let base = base.join("/v1.0/")?;
        Ok(Self { http, base, token, observer, clock })
    }

    /// Reads all pages of a list. Each page is retried a few times.
    async fn list<T: DeserializeOwned + Send>(
        &self,
        operation: &'static str,
        first: Url,
    ) -> Result<Vec<T>, PortError> {
        let (mut url, mut found) = (first, Vec::new());
        for _ in 0..MAX_PAGES {
            let page: Page<T> = self.read(operation, &url).await?;
            found.extend(page.value);
            let Some(next) = page.next_link else { return Ok(found) };
            // A link to another host would receive our token.
            if next.origin() != self.base.origin() {
                let source = "the link to the next page names another host";
                return Err(PortError::outcome_unknown(operation, source));
            }
            url = next;
        }
        Err(PortError::outcome_unknown(operation, "the list has too many pages"))
    }

    /// Reads one resource, with a few retries.
    async fn read<T: DeserializeOwned + Send>(
        &self,
        operation: &'static str,
        url: &Url,
    ) -> Result<T, PortError> {
        retry_read(&self.clock, || Box::pin(self.get(operation, url.clone()))).await
    }

    async fn get<T: DeserializeOwned>(&self, operation: &'static str, url: Url) -> Result<T, PortError> {
        let response = self.send(operation, self.http.request(Method::GET, url)).await?;
        response.json().await.map_err(|error| from_http(operation, error))
    }

    async fn post(
        &self,
        operation: &'static str,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Response, PortError> {
        let url = self.url(operation, path)?;
        self.send(operation, self.http.request(Method::POST, url).json(body)).await
    }

    /// Sends a request once. Any answer but a success is an error that states the known effect.
    async fn send(&self, operation: &'static str, request: RequestBuilder) -> Result<Response, PortError> {
        let token = self.token.token(operation).await?;
        let request = request
            .bearer_auth(token.expose_secret())
            .header("client-request-id", Uuid::new_v4().to_string());
        let sent = self.observer.send_once(request).await;
        let response = sent.map_err(|error| from_http(operation, error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let wait = response.headers().get("retry-after").and_then(|value| retry_after(value.to_str().ok()?));
        // A refusal is still a refusal if its body is lost.
        let body = response.bytes().await.unwrap_or_default();
        if status == 400 && is_no_such_credential(&body) {
            return Err(refused(operation, status, NO_SUCH_CREDENTIAL));
        }
        Err(refusal(operation, status, &body, wait))
    }

    fn url(&self, operation: &'static str, path: &str) -> Result<Url, PortError> {
        self.base.join(path).map_err(|error| PortError::not_sent(operation, error))
    }
}

/// Returns the resource; `None` only if Graph itself reports it missing, not for any 404 of a proxy or a wrong address.
fn found<T>(result: Result<T, PortError>) -> Result<Option<T>, PortError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.status() == Some(404) && error.code() != Some(NO_CODE) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns true if the answer means that the credential is gone already. Graph's code for this is not documented; the
/// message is known.
fn is_no_such_credential(body: &[u8]) -> bool {
    String::from_utf8_lossy(body).contains("No password credential found")
}

/// Our code for a credential that is gone already.
const NO_SUCH_CREDENTIAL: &str = "NoPasswordCredential";

/// The limit on pages of a list, of up to 999 objects each.
const MAX_PAGES: usize = 10_000;
