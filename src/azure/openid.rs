//! The `TokenKeys` of Entra: its OpenID metadata, and the keys that the metadata links to.

use async_trait::async_trait;
use jsonwebtoken::jwk::JwkSet;
use reqwest::Url;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::errors::{from_http, refusal};
use super::observer::RequestObserver;
use crate::ports::{IssuerKeys, PortError, TokenKeys};

/// A reader of one issuer's metadata.
#[derive(Debug)]
pub struct OpenId {
    http: reqwest::Client,
    url: Url,
    observer: RequestObserver,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: Url,
}

impl OpenId {
    pub(super) const fn new(http: reqwest::Client, url: Url, observer: RequestObserver) -> Self {
        Self { http, url, observer }
    }

    async fn read<T: DeserializeOwned>(&self, url: Url) -> Result<T, PortError> {
        let sent = self.observer.send_once(self.http.get(url)).await;
        let response = sent.map_err(|error| from_http(OPERATION, error))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| from_http(OPERATION, error))?;
        if !status.is_success() {
            return Err(refusal(OPERATION, status.as_u16(), &body, None));
        }
        serde_json::from_slice(&body).map_err(|error| PortError::outcome_unknown(OPERATION, error))
    }
}

#[async_trait]
impl TokenKeys for OpenId {
    async fn fetch(&self) -> Result<IssuerKeys, PortError> {
        let metadata: Metadata = self.read(self.url.clone()).await?;
        if metadata.jwks_uri.scheme() != "https" {
            let source = "jwks_uri in the metadata is not an HTTPS URL";
            return Err(PortError::outcome_unknown(OPERATION, source));
        }
        let keys: JwkSet = self.read(metadata.jwks_uri).await?;
        Ok(IssuerKeys { issuer: metadata.issuer, keys })
    }
}

const OPERATION: &str = "read token signing keys";
