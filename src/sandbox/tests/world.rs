//! A sandbox in virtual time, and a client with all permissions.
#![expect(clippy::unwrap_used, reason = "a test may stop here")]

use std::net::{Ipv4Addr, SocketAddr};

use reqwest::{Certificate, Client, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::sandbox::{Endpoints, FaultLevel, Options, Sandbox, SandboxError};

pub(in crate::sandbox) const START: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

pub(in crate::sandbox) struct World {
    pub(in crate::sandbox) sandbox: Sandbox,
    pub(in crate::sandbox) http: Client,
    pub(in crate::sandbox) at: Endpoints,
}

impl World {
    pub(in crate::sandbox) async fn start() -> Self {
        Self::with(options()).await.unwrap()
    }

    pub(in crate::sandbox) async fn delivering_to(daemon_address: SocketAddr) -> Self {
        Self::with(Options { daemon_address, ..options() }).await.unwrap()
    }

    pub(in crate::sandbox) async fn with_production_names() -> Self {
        Self::start_with_production_names(0).await.unwrap()
    }

    pub(in crate::sandbox) async fn start_with_production_names(port: u16) -> Result<Self, SandboxError> {
        Self::with(Options { production_names: Some(port), ..options() }).await
    }

    async fn with(options: Options) -> Result<Self, SandboxError> {
        let sandbox = Sandbox::start(options).await?;
        let ca = Certificate::from_pem(sandbox.ca_pem().as_bytes()).unwrap();
        let mut http = Client::builder().tls_certs_only([ca]).no_proxy();
        if let Some(production) = &sandbox.azure.addresses.production {
            let names = production.hosts.names();
            http = names.fold(http, |http, name| http.resolve(name, production.address));
        }
        let at = sandbox.endpoints();
        Ok(Self { sandbox, http: http.build().unwrap(), at })
    }

    pub(in crate::sandbox) async fn sign_in(
        &self,
        client_id: Uuid,
        secret: &str,
        scope: &str,
    ) -> (StatusCode, Value) {
        let url = format!("{}/{}/oauth2/v2.0/token", self.at.authority, self.at.tenant_id);
        let client_id = client_id.to_string();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", client_id.as_str()),
            ("client_secret", secret),
            ("scope", scope),
        ];
        let response = self.http.post(url).form(&form).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Returns a token of the client with all permissions.
    pub(in crate::sandbox) async fn token(&self, resource: &str) -> String {
        let scope = format!("{resource}/.default");
        let secret = self.at.client.client_secret.expose_secret();
        let (status, body) = self.sign_in(self.at.client.client_id, secret, &scope).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    pub(in crate::sandbox) async fn graph(&self) -> String {
        self.token("https://graph.microsoft.com").await
    }

    pub(in crate::sandbox) fn secret_url(&self, path: &str) -> String {
        format!("{}/secrets/{path}?api-version=2025-07-01", self.at.vaults[0].url)
    }

    pub(in crate::sandbox) fn application_url(&self, action: &str) -> String {
        let id = self.sandbox.model().managed()[0].object_id;
        format!("{}/v1.0/applications/{id}{action}", self.at.graph)
    }

    pub(in crate::sandbox) async fn get(&self, url: &str, token: &str) -> Value {
        let response = self.http.get(url).bearer_auth(token).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        response.json().await.unwrap()
    }
}

fn options() -> Options {
    Options {
        secrets: 3,
        vaults: 2,
        propagation: Duration::seconds(4)..=Duration::seconds(18),
        faults: FaultLevel::None,
        long_cache: None,
        seed: 7,
        start: START,
        // No server listens there.
        daemon_address: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
        production_names: None,
    }
}
