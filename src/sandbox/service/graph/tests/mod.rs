//! Graph over HTTPS, as a client sees it.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]

mod batches;
mod concurrency;
mod lists;
mod passwords;
mod policies;
mod reading;
mod registering;
mod reports;
mod rights;
mod service_identities;
mod targets;
mod throttling;

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use secrecy::ExposeSecret;
use serde_json::Value;
use uuid::Uuid;

use crate::ports::Clock;
use crate::sandbox::model::ManagedSecret;
use crate::sandbox::tests::World;

const GRAPH: &str = "https://graph.microsoft.com";

/// A sandbox, and a client of its Graph with all permissions.
struct Graph {
    world: World,
    token: String,
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    /// The response's body; null if there is none.
    body: Value,
}

impl Graph {
    async fn start() -> Self {
        let world = World::start().await;
        let token = world.graph().await;
        Self { world, token }
    }

    async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &Value::Null).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(Method::POST, path, body).await
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> Reply {
        self.send_as(&self.token, method, path, body).await
    }

    async fn send_as(&self, token: &str, method: Method, path: &str, body: &Value) -> Reply {
        let version = if path.starts_with("/beta/") { "" } else { "/v1.0" };
        let url = format!("{}{version}{path}", self.world.at.graph);
        let request = self.world.http.request(method, url).bearer_auth(token);
        let request = if body.is_null() { request } else { request.json(body) };
        let response = request.header("client-request-id", "mine").send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let body = serde_json::from_slice(&response.bytes().await.unwrap()).unwrap_or_default();
        Reply { status, headers, body }
    }

    fn managed(&self, index: usize) -> ManagedSecret {
        self.world.sandbox.model().managed()[index].clone()
    }

    /// Returns the path of one of the rotated applications.
    fn path(&self, index: usize) -> String {
        format!("/applications/{}", self.managed(index).object_id)
    }

    /// Gives the daemon these app roles and returns a token of it.
    async fn as_daemon_with(&self, roles: &[&str]) -> String {
        let daemon = &self.world.sandbox.model().tenant().daemon;
        self.world.sandbox.model().set_app_roles(daemon.object_id, GRAPH, roles);
        self.sign_in(daemon.client_id, daemon.secret.expose_secret()).await
    }

    async fn sign_in(&self, client_id: Uuid, secret: &str) -> String {
        let (status, body) = self.world.sign_in(client_id, secret, &format!("{GRAPH}/.default")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// Lets this much time pass, waking all sleepers on time.
    async fn pass(&self, by: time::Duration) {
        let clock = self.world.sandbox.clock();
        clock.run_until(clock.now() + by).await;
    }
}

impl Reply {
    fn code(&self) -> &str {
        self.body["error"]["code"].as_str().unwrap_or_default()
    }

    fn message(&self) -> &str {
        self.body["error"]["message"].as_str().unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns the status and code, to compare both at once.
    fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.code())
    }

    fn names(&self) -> Vec<&str> {
        let values = self.body["value"].as_array().unwrap();
        values.iter().map(|value| value["displayName"].as_str().unwrap()).collect()
    }
}
