//! Event Grid's deliveries. They are collected by a webhook that answers as the daemon does, and not judged.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::Answers;
use super::client::Bench;

const CREATED: &str = "Microsoft.KeyVault.SecretNewVersionCreated";

/// Everything that was received.
#[derive(Clone, Default)]
pub(super) struct Webhook(Arc<Mutex<Vec<Value>>>);

impl Webhook {
    /// Serves on loopback for as long as the test lasts.
    pub(super) async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router =
            Router::new().route("/events/key-vault", post(take).options(consent)).with_state(self.clone());
        #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }

    /// Returns the first event that fits, whatever list it came in.
    fn find(&self, fits: impl Fn(&Value) -> bool) -> Option<Value> {
        let received = self.0.lock().unwrap();
        let events = received.iter().flat_map(|body| body.as_array().cloned().unwrap_or(vec![body.clone()]));
        events.into_iter().find(|event| fits(event))
    }
}

async fn consent(headers: HeaderMap) -> impl IntoResponse {
    let origin = headers["webhook-request-origin"].to_str().unwrap().to_owned();
    [
        ("webhook-allowed-origin", origin),
        ("webhook-allowed-rate", "*".to_owned()),
        ("allow", "POST".to_owned()),
    ]
}

async fn take(State(webhook): State<Webhook>, body: String) -> (StatusCode, Json<Value>) {
    let body: Value = serde_json::from_str(&body).unwrap();
    let code = body.pointer("/0/data/validationCode").cloned();
    webhook.0.lock().unwrap().push(body);
    (StatusCode::OK, Json(json!({"validationResponse": code})))
}

pub(super) async fn collect(bench: &Bench, webhook: &Webhook, answers: &mut Answers) {
    let url = format!("http://{}/events/key-vault", bench.webhook);
    let subscription = json!({
        "eventDeliverySchema": "CloudEventSchemaV1_0", "destination": {"webhook": {"url": url}},
    });
    let made = bench.control(Method::PUT, "subscriptions/cloud-events", subscription).await;
    assert_eq!(made["provisioningState"], "Succeeded", "{made}");
    let body = json!({"value": "text", "attributes": {"nbf": 1_559_081_980, "exp": 1_959_082_102}});
    bench.vault(Method::PUT, "secrets/newsecret", Some(body)).await;
    bench.control(Method::POST, "clock", json!({"advance": "10m"})).await;
    let handshake =
        webhook.find(|event| event["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent");
    let created = webhook.find(|event| event["eventType"] == CREATED);
    let cloud_event = webhook.find(|event| event["type"] == CREATED);
    let found = [
        ("eventgrid/keyvault_secret_new_version_created.eventgrid.json", created),
        ("eventgrid/keyvault_secret_new_version_created.cloudevents.json", cloud_event),
        ("eventgrid/subscription_validation_request.json", handshake.map(|event| json!([event]))),
    ];
    answers.extend(found.into_iter().filter_map(|(sample, answer)| Some((sample, answer?))));
}
