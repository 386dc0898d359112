//! Key Vault over HTTPS, contract by contract: a vault and its caller.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::ports::Clock;
use crate::sandbox::model::{Role, Scope};
use crate::sandbox::tests::World;

mod doors;
mod errors;
mod life;
mod limits;
mod lists;
mod rights;
mod shapes;
mod throttling;

const RESOURCE: &str = "https://vault.azure.net";

/// A caller of the first vault, with its token.
struct Asker<'a> {
    world: &'a World,
    token: String,
}

#[derive(Debug)]
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl<'a> Asker<'a> {
    /// Returns the caller with all permissions.
    async fn administrator(world: &'a World) -> Self {
        Self { world, token: world.token(RESOURCE).await }
    }

    /// Returns a rotated application with these roles on the first vault, and the principal's object id.
    async fn with_roles(world: &'a World, roles: &[Role]) -> (Self, Uuid) {
        let secret = world.sandbox.model().managed()[0].clone();
        let now = world.sandbox.clock().now();
        let application = world.sandbox.model().application(secret.object_id, now).unwrap();
        let principal = application.service_principal;
        for role in roles {
            world.sandbox.model().assign_role(principal, &Scope::Vault("vault-1".to_owned()), *role);
        }
        let text = world.sandbox.model().current_version(&secret.vault, &secret.name).unwrap().value;
        let scope = format!("{RESOURCE}/.default");
        let (status, body) = world.sign_in(secret.client_id, text.expose_secret(), &scope).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        (Self { world, token: body["access_token"].as_str().unwrap().to_owned() }, principal)
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}?api-version=2025-07-01", self.world.at.vaults[0].url)
    }

    async fn send(&self, method: Method, url: &str, body: Option<Value>) -> Reply {
        let request = self.world.http.request(method, url).bearer_auth(&self.token);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        Reply::of(request).await
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, &self.url(path), None).await
    }

    async fn put(&self, name: &str, body: Value) -> Reply {
        self.send(Method::PUT, &self.url(&format!("secrets/{name}")), Some(body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(Method::PATCH, &self.url(&format!("secrets/{path}")), Some(body)).await
    }

    async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, &self.url(path), None).await
    }

    async fn post(&self, path: &str, body: Option<Value>) -> Reply {
        self.send(Method::POST, &self.url(path), body).await
    }

    /// Puts a secret with this text and returns the version's id.
    async fn put_text(&self, name: &str, text: &str) -> String {
        let put = self.put(name, json!({"value": text})).await;
        assert_eq!(put.status, StatusCode::OK, "{}", put.body);
        last_segment(&put.body["id"])
    }

    async fn control(&self, path: &str, body: Value) -> StatusCode {
        let url = format!("{}/_sandbox/{path}", self.world.at.authority);
        self.world.http.put(url).json(&body).send().await.unwrap().status()
    }

    async fn wait(&self, duration: Duration) {
        self.world.sandbox.clock().run_until(self.now() + duration).await;
    }

    fn now(&self) -> OffsetDateTime {
        self.world.sandbox.clock().now()
    }
}

impl Reply {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.unwrap();
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or_default() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap()
    }

    /// Returns status, `error.code` and `innererror.code`, in one line to compare.
    fn problem(&self) -> String {
        let text = |pointer| self.body.pointer(pointer).and_then(Value::as_str).unwrap_or("-");
        format!("{} {} {}", self.status.as_u16(), text("/error/code"), text("/error/innererror/code"))
    }
}

fn last_segment(id: &Value) -> String {
    id.as_str().unwrap().rsplit('/').next().unwrap().to_owned()
}
