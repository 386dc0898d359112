//! A client that collects answers of the sandbox over HTTPS. It judges nothing.

use rekeyd::ports::Clock;
use rekeyd::sandbox::model::ManagedSecret;
use rekeyd::sandbox::{Endpoints, IdentityEndpoint, Sandbox};
use reqwest::{Certificate, Client, Method, RequestBuilder};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::net::SocketAddr;

use crate::test_options::test_options;

pub(super) const VAULT: &str = "https://vault.azure.net";
pub(super) const GRAPH: &str = "https://graph.microsoft.com";

/// A sandbox whose clock stands still unless it is moved, and a client for it.
pub(super) struct Bench {
    pub(super) sandbox: Sandbox,
    pub(super) at: Endpoints,
    pub(super) http: Client,
    /// The address that Event Grid delivers to.
    pub(super) webhook: SocketAddr,
}

impl Bench {
    /// Starts a sandbox whose Event Grid delivers to `webhook`.
    pub(super) async fn start(webhook: SocketAddr) -> Self {
        let sandbox = Sandbox::start(test_options(webhook));
        let sandbox = sandbox.await.unwrap();
        let ca = Certificate::from_pem(sandbox.ca_pem().as_bytes()).unwrap();
        let http = Client::builder().tls_certs_only([ca]).no_proxy().build().unwrap();
        Self { at: sandbox.endpoints(), sandbox, http, webhook }
    }

    pub(super) fn managed(&self) -> &ManagedSecret {
        &self.sandbox.model().managed()[0]
    }

    /// Returns the text that the first secret's application signs in with.
    pub(super) fn first_text(&self) -> String {
        let (managed, now) = (self.managed(), self.sandbox.clock().now());
        let current = self.sandbox.model().get_secret(&managed.vault, &managed.name, None, now);
        current.unwrap().value.expose_secret().to_owned()
    }

    /// Returns the answer of the token endpoint, good or bad.
    pub(super) async fn sign_in(&self, client_id: &str, secret: &str, resource: &str) -> Value {
        let url = format!("{}/{}/oauth2/v2.0/token", self.at.authority, self.at.tenant_id);
        let scope = format!("{resource}/.default");
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id),
            ("client_secret", secret),
            ("scope", &scope),
        ];
        self.http.post(url).form(&form).send().await.unwrap().json().await.unwrap()
    }

    pub(super) async fn token(&self, identity: &IdentityEndpoint, resource: &str) -> String {
        let secret = identity.client_secret.expose_secret();
        let answer = self.sign_in(&identity.client_id.to_string(), secret, resource).await;
        answer["access_token"].as_str().unwrap().to_owned()
    }

    /// Sends a request to the first vault, as the client that may do everything.
    pub(super) async fn vault(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let url = format!("{}/{path}", self.at.vaults[0].url);
        let request = self.http.request(method, url).query(&[("api-version", "2025-07-01")]);
        sent(request.bearer_auth(self.token(&self.at.client, VAULT).await), body).await
    }

    /// Sends a request to Graph, as the client that may do everything.
    pub(super) async fn graph(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let request = self.http.request(method, format!("{}/{path}", self.at.graph));
        sent(request.bearer_auth(self.token(&self.at.client, GRAPH).await), body).await
    }

    /// Sends a request to the sandbox's own controls.
    pub(super) async fn control(&self, method: Method, path: &str, body: Value) -> Value {
        let request = self.http.request(method, format!("{}/_sandbox/{path}", self.at.authority));
        sent(request, Some(body)).await
    }
}

/// Returns the answer's body; `null` if it has none.
pub(super) async fn sent(request: RequestBuilder, body: Option<Value>) -> Value {
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let text = request.send().await.unwrap().text().await.unwrap();
    if text.is_empty() { json!(null) } else { serde_json::from_str(&text).unwrap() }
}
