//! The endpoint at which a Functions host takes events from Event Grid for its functions.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::host::Host;
use crate::support::Azure;

/// Listens until it is dropped.
pub(super) struct Endpoint {
    url: String,
    _server: JoinSet<()>,
}

impl Endpoint {
    /// Opens an endpoint for the functions of this host.
    pub(super) async fn open(host: Host) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}{PATH}", listener.local_addr().unwrap());
        let routes = Router::new().route(PATH, post(take)).with_state(host);
        let mut server = JoinSet::new();
        server.spawn(async { axum::serve(listener, routes).await.unwrap() });
        Self { url, _server: server }
    }

    /// Subscribes a function to the events of the sandbox's vaults.
    pub(super) async fn subscribe(&self, azure: &Azure, function: &str, code: &str) -> Value {
        let url = format!("{}?functionName={function}&code={code}", self.url);
        let wanted = json!({"destination": {"webhook": {"url": url}}});
        azure.call(Method::PUT, &azure.control("subscriptions/functions"), None, wanted).await
    }
}

/// Takes a delivery. The host answers the handshake itself. Each
/// event is an invocation; one that fails fails the delivery.
async fn take(
    State(host): State<Host>,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    Json(events): Json<Vec<Value>>,
) -> Response {
    if query.get("code").map(String::as_str) != Some(CODE) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let kind = headers.get("aeg-event-type").and_then(|kind| kind.to_str().ok());
    if kind == Some("SubscriptionValidation") {
        let code = events.first().and_then(|event| event.pointer("/data/validationCode"));
        return Json(json!({"validationResponse": code})).into_response();
    }
    let function = query.get("functionName").map(String::as_str).unwrap_or_default();
    for event in events {
        if !host.invoke(function, json!({"event": event})).await.status.is_success() {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    }
    StatusCode::ACCEPTED.into_response()
}

const PATH: &str = "/runtime/webhooks/eventgrid";

/// The host's key for extensions.
pub(super) const CODE: &str = "the-system-key-of-this-host";
