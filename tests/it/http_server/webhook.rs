//! Deliveries of events: both handshakes, batches, and unusable bodies.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{KEY, TestServer};

#[tokio::test]
async fn both_handshakes_are_answered() {
    let server = TestServer::new().await;
    let code = "512d38b6-c7b8-40c8-89fe-f46f9e9622b6";
    let asked = json!([{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": code}}]);
    assert_eq!(
        server.deliver(asked.to_string()).await,
        (StatusCode::OK, json!({"validationResponse": code}))
    );

    let asked = server
        .request(Method::OPTIONS, "/events/key-vault")
        .header("WebHook-Request-Origin", "eventgrid.azure.net")
        .header("x-rekeyd-key", KEY);
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["webhook-allowed-origin"], "eventgrid.azure.net");
    assert_eq!(answer.headers()["webhook-allowed-rate"], "*");
}

/// An event about a managed secret puts its name into the queue, once for several events.
#[tokio::test]
async fn event_enqueues_its_managed_secret() {
    let server = TestServer::new().await;
    let many = json!([event("app-foo"), event("app-foo"), event("other")]);
    assert_eq!(
        server.deliver(many.to_string()).await,
        (StatusCode::OK, json!({"received": 3, "enqueued": 2, "malformed": []}))
    );
    assert_eq!((server.events("enqueued"), server.events("not_managed")), (2, 1));
    let item = server.queue.next().await;
    assert_eq!((item.secret.to_string().as_str(), item.command), ("kv-1/app-foo", None));
    assert_eq!(server.metrics.workqueue_depth.get(), 0, "two events are one pass");
}

/// A batch of 5000 events is accepted in one request and queues its secret once.
#[tokio::test]
async fn large_event_batch_is_accepted() {
    let server = TestServer::new().await;
    let events: Vec<_> = (0..5_000).map(|_| event("app-foo")).collect();
    let body = json!(events).to_string();
    assert!(body.len() > 1_000_000, "{}", body.len());
    let (status, answer) = server.deliver(body).await;
    assert_eq!((status, &answer["enqueued"]), (StatusCode::OK, &json!(5_000)));
    assert_eq!(server.queued().len(), 1);
}

/// A webhook body that cannot be understood is accepted with a 200 and counted as malformed.
#[tokio::test]
async fn malformed_events_are_counted() {
    let server = TestServer::new().await;
    for body in ["", "nonsense", "[{}]", "{\"eventType\": 3}"] {
        assert_eq!(server.deliver(body).await.0, StatusCode::OK, "{body}");
    }
    assert_eq!(server.events("malformed"), 4);
    let huge = vec![b' '; 3 * 1024 * 1024];
    let answer = server
        .request(Method::POST, "/events/key-vault")
        .header("x-rekeyd-key", KEY)
        .body(huge)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

pub(super) fn event(secret: &str) -> Value {
    let id = format!("https://kv-1.vault.azure.net/secrets/{secret}/03bcccc7c8cf4546a0e3e21e52560441");
    json!({"eventType": "Microsoft.KeyVault.SecretNearExpiry", "subject": secret,
           "data": {"Id": id, "VaultName": "kv-1", "ObjectName": secret, "NBF": null, "EXP": "1798000000"}})
}
