//! The controls of Event Grid: subscriptions created, listed and deleted, and validated by hand.

use axum::http::{Method, StatusCode};
use serde_json::json;
use tokio::sync::oneshot;

use crate::sandbox::event_grid::{Notice, Subscription};
use crate::sandbox::https::{Request, Response};
use crate::sandbox::service::azure::Azure;

pub(super) async fn handle_request(azure: &Azure, request: &Request) -> Response {
    match (&request.method, request.path().as_slice()) {
        (&Method::GET, [_, "subscriptions"]) => list(azure).await,
        (&Method::PUT, [_, "subscriptions", name]) => put(azure, name, request).await,
        (&Method::DELETE, [_, "subscriptions", name]) => delete(azure, name).await,
        (&Method::GET | &Method::POST, [_, "eventsubscriptions", name, "validate"]) => {
            validate(azure, name, request).await
        }
        _ => Response::not_modelled(request),
    }
}

async fn list(azure: &Azure) -> Response {
    let listed = ask(azure, |reply| Notice::List { reply }).await;
    listed.map_or_else(gone, |listed| Response::ok(json!(listed)))
}

/// Creates a subscription. Responds once the handshake has ended, successful or not.
async fn put(azure: &Azure, name: &str, request: &Request) -> Response {
    let subscription = match Subscription::parse(name, &request.body) {
        Ok(subscription) => Box::new(subscription),
        Err(reason) => return Response::json(StatusCode::BAD_REQUEST, json!({"error": reason})),
    };
    match ask(azure, |reply| Notice::Subscribe { subscription, reply }).await {
        Some(Ok(())) => Response::ok(json!({"provisioningState": "Succeeded"})),
        Some(Err(reason)) => Response::ok(json!({"provisioningState": "Failed", "reason": reason})),
        None => gone(),
    }
}

async fn delete(azure: &Azure, name: &str) -> Response {
    let named = name.to_owned();
    match ask(azure, |reply| Notice::Unsubscribe { name: named, reply }).await {
        Some(true) => Response::no_content(),
        Some(false) => {
            let error = format!("subscription {name} not found");
            Response::json(StatusCode::NOT_FOUND, json!({"error": error}))
        }
        None => gone(),
    }
}

/// Validates a subscription. Called for a validation URL.
async fn validate(azure: &Azure, name: &str, request: &Request) -> Response {
    let (name, token) = (name.to_owned(), request.query("token").unwrap_or_default().to_owned());
    match ask(azure, |reply| Notice::Validate { name, token, reply }).await {
        Some(true) => Response::ok(json!("Webhook successfully validated as a subscription endpoint.")),
        Some(false) => {
            let error = "the validation URL is invalid or has expired";
            Response::json(StatusCode::BAD_REQUEST, json!({"error": error}))
        }
        None => gone(),
    }
}

/// Sends a request to Event Grid and returns its reply; `None` if Event Grid has stopped or another change came first.
async fn ask<T>(azure: &Azure, notice: impl FnOnce(oneshot::Sender<T>) -> Notice) -> Option<T> {
    let (reply, answered) = oneshot::channel();
    // Without Event Grid there is no reply either.
    let _ = azure.notices.send(notice(reply));
    answered.await.ok()
}

fn gone() -> Response {
    let error = "Event Grid has stopped, or another change of the subscription replaced this one";
    Response::json(StatusCode::BAD_GATEWAY, json!({"error": error}))
}
