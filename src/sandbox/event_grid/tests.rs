//! Event Grid against a webhook that writes down what it gets.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test may stop here")]

use std::sync::Mutex;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use time::macros::datetime;
use tokio_util::task::TaskTracker;

use super::*;
use crate::sandbox::model::{NewVersion, Seed};

const START: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);

type Seen = Arc<Mutex<Vec<Value>>>;

/// Fails the first two requests, so that the handshake and retries are seen.
async fn webhook(
    State(seen): State<Seen>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let mut seen = seen.lock().unwrap();
    let kind = headers.get("aeg-event-type").unwrap().to_str().unwrap().to_owned();
    seen.push(json!({"kind": kind, "events": body}));
    if seen.len() <= 2 {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(Value::Null));
    }
    let code = body.pointer("/0/data/validationCode").cloned().unwrap_or_default();
    (StatusCode::OK, Json(json!({"validationResponse": code})))
}

fn types(seen: &Seen) -> Vec<(String, String)> {
    let seen = seen.lock().unwrap();
    let events = seen.iter().flat_map(|request| request.get("events").unwrap().as_array().unwrap().clone());
    let text = |event: &Value, name: &str| event.get(name).unwrap().as_str().unwrap().to_owned();
    events.map(|event| (text(&event, "eventType"), text(&event, "eventTime"))).collect()
}

#[tokio::test]
async fn events_come_in_sandbox_time_after_the_handshake() {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, seen) = (socket.local_addr().unwrap(), Seen::default());
    let router = Router::new().route("/events/key-vault", post(webhook)).with_state(Arc::clone(&seen));
    let tasks = TaskTracker::new();
    tasks.spawn(async move { axum::serve(socket, router).await });

    let clock = SandboxClock::new(START);
    let propagation = Duration::ZERO..=Duration::ZERO;
    let model = Model::new(&Seed { secrets: 0, vaults: 1, propagation, seed: 1, start: START });
    let model = Arc::new(model);
    let (sender, notices) = tokio::sync::mpsc::unbounded_channel();
    let told = clock.clone();
    model.on_new_version(move |created| {
        let _ = sender.send(Notice::Created(created, told.hold()));
    });
    let addresses = Addresses::default();
    let webhook = Webhook::new(address).unwrap();
    let grid = EventGrid::new(clock.clone(), Arc::clone(&model), addresses, webhook, notices, 1);
    let stop = CancellationToken::new();
    tasks.spawn(grid.run(clock.hold(), stop.clone()));

    let expires = Some(START + Duration::days(90));
    let new = NewVersion { expires, ..NewVersion::of("text".into()) };
    model.put_secret("vault-1", "it", new, START).expect("it is put");
    clock.run_until(START + Duration::days(100)).await;
    stop.cancel();

    let kinds: Vec<_> = types(&seen).into_iter().skip(2).collect();
    let of = |name: &str| kinds.iter().filter(|(kind, _)| kind.ends_with(name)).collect::<Vec<_>>();
    assert!(!of("SubscriptionValidationEvent").is_empty());
    assert!(!of("SecretNewVersionCreated").is_empty());
    let near = of("SecretNearExpiry");
    assert!(near.iter().all(|(_, at)| at.starts_with("2026-03-02T00:00:00")), "{near:?}");
    assert!(!near.is_empty() && !of("SecretExpired").is_empty(), "{kinds:?}");
}
