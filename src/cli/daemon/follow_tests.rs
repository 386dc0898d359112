//! The following of a command at a daemon that streams its events, does not, or is cut off.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use reqwest::StatusCode;
use serde_json::{Value, json};

use super::follow::follow;
use super::remote::RemoteDaemon;
use super::{Backend, ConnectArgs, submit_each};
use crate::cli::Output;
use crate::domain::CommandKind;

const OPERATION: &str = "/api/v1/operations/00000000-0000-0000-0000-00000000000a";

fn operation(state: &str) -> Value {
    json!({
        "id": "00000000-0000-0000-0000-00000000000a", "secret": "kv-1/app", "at": "2026-01-01T12:00:00Z", "state": state,
        "message": format!("it is {state}"), "secret_state": "rotating", "reason": "issue",
    })
}

fn events(states: &[&str]) -> Response {
    let event = |state: &&str| {
        Ok::<_, Infallible>(Event::default().event("operation").data(operation(state).to_string()))
    };
    let events: Vec<_> = states.iter().map(event).collect();
    Sse::new(futures::stream::iter(events)).into_response()
}

/// Rotates `kv-1/app` at a daemon that answers so to a request for events. Returns the result, and how often the
/// operation was read.
async fn rotated(events: fn() -> Response) -> (Value, usize) {
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&reads);
    let read = async move || {
        counted.fetch_add(1, Ordering::SeqCst);
        Json(operation("completed"))
    };
    let accepted = (StatusCode::ACCEPTED, [("location", OPERATION)], Json(operation("accepted")));
    let routes = Router::new()
        .route("/prefix/api/v1/secrets/kv-1/app/rotate", post(async move || accepted))
        .route(&format!("/prefix{OPERATION}"), get(read))
        .route(&format!("/prefix{OPERATION}/events"), get(async move || events()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = format!("http://{}/prefix/", listener.local_addr().unwrap()).parse().unwrap();
    #[expect(clippy::disallowed_methods, reason = "it ends with the test's runtime")]
    tokio::spawn(async move { axum::serve(listener, routes).await });
    let connect = ConnectArgs {
        server: None,
        token_file: None,
        audience: None,
        ca_file: None,
        config: None,
        wait: true,
        limit: Duration::from_secs(60),
        idempotency_key: None,
        output: Output::Json,
    };
    let backend = Backend::Remote(RemoteDaemon::new(&server, &connect).unwrap());
    let mut results = submit_each(&backend, CommandKind::Rotate, vec!["kv-1/app".parse().unwrap()]).await;
    follow(&backend, CommandKind::Rotate, &mut results).await;
    let result = results.first().unwrap().to_json();
    let of = |key: &str| result.get(key).cloned().unwrap();
    assert_eq!(of("operation_url"), format!("{server}{}", OPERATION.trim_start_matches('/')));
    assert_eq!(of("operation_id"), "00000000-0000-0000-0000-00000000000a");
    (of("outcome"), reads.load(Ordering::SeqCst))
}

/// A command is followed by its operation's events, to its end, without reading the operation.
#[tokio::test]
async fn operation_is_followed_by_events() {
    let (outcome, reads) = rotated(|| events(&["accepted", "running", "rejected"])).await;
    assert_eq!((outcome, reads), (json!("rejected"), 0));
}

/// If the daemon offers no events, or they are cut off, the operation is read until it is over.
#[tokio::test]
async fn operation_is_read_without_events() {
    for answer in [
        (|| StatusCode::SERVICE_UNAVAILABLE.into_response()) as fn() -> Response,
        || StatusCode::NOT_FOUND.into_response(),
        || events(&["accepted", "running"]),
    ] {
        assert_eq!(rotated(answer).await, (json!("completed"), 1));
    }
}
