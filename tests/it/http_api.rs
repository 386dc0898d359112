//! The API on a real port: roles, limits, lists, operations and their events, and what every answer has.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::http_server::TestServer;

async fn get(server: &TestServer, path: &str) -> (StatusCode, Value) {
    let answer = server.request(Method::GET, path).bearer_auth("a-reader-s-token").send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// A reader may list secrets, but a command from a reader is forbidden and queues nothing.
#[tokio::test]
async fn reader_may_read_but_not_command() {
    let server = TestServer::new().await;
    assert_eq!(get(&server, "/api/v1/secrets").await.0, StatusCode::OK);
    let rotate = server.request(Method::POST, "/api/v1/secrets/kv-1/app-foo/rotate");
    let answer = rotate.bearer_auth("a-reader-s-token").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(server.refusals("role_too_low"), 1);
    assert_eq!(server.queued(), []);
}

/// A caller over the rate limit gets a 429 with `Retry-After`, and other callers are not affected.
#[tokio::test]
async fn rate_limit_applies_per_caller() {
    let server = TestServer::new().await;
    let ask = |token: &'static str| server.request(Method::GET, "/api/v1/schedule").bearer_auth(token).send();
    let mut refused = ask("a-reader-s-token").await.unwrap();
    // 300 a minute, and a few more that come free meanwhile.
    for _ in 0..3_000 {
        if refused.status() == StatusCode::TOO_MANY_REQUESTS {
            break;
        }
        refused = ask("a-reader-s-token").await.unwrap();
    }
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let seconds: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert_eq!(ask("the-right-token").await.unwrap().status(), StatusCode::OK);
    assert!(server.refusals("rate_limited") >= 1);
}

/// The list of secrets can be filtered, sorted and paged, and an invalid parameter is a bad request.
#[tokio::test]
async fn list_is_filtered_sorted_and_paged() {
    let server = TestServer::new().await;
    let names = async |query: &str| {
        let (status, list) = get(&server, &format!("/api/v1/secrets{query}")).await;
        assert_eq!(status, StatusCode::OK, "{query} {list}");
        let names = list["secrets"].as_array().unwrap().iter().map(|secret| secret["secret"].clone());
        (names.collect::<Vec<_>>(), list["total"].clone(), list["next_offset"].clone())
    };
    let (foo, bar, other) = (json!("kv-1/app-foo"), json!("kv-1/app-bar"), json!("kv-2/app-foo"));
    let all = vec![bar.clone(), foo.clone(), other.clone()];
    assert_eq!(names("").await, (all.clone(), json!(3), Value::Null));
    assert_eq!(names("?sort=-name&limit=2").await, (vec![other.clone(), foo.clone()], json!(3), json!(2)));
    assert_eq!(names("?sort=-name&limit=2&offset=2").await, (vec![bar.clone()], json!(3), Value::Null));
    assert_eq!(names("?vault=KV-2").await.0, std::slice::from_ref(&other));
    assert_eq!(names("?search=FOO&sort=expires").await.0, [foo, other]);
    assert_eq!(names("?state=unknown").await.0, all);
    assert_eq!(names("?state=blocked").await, (vec![], json!(0), Value::Null));
    for wrong in [
        "?state=odd",
        "?sort=size",
        "?limit=0",
        "?limit=1001",
        "?offset=-1",
        "?offset=4294967296",
        "?limit=x",
    ] {
        let (status, problem) = get(&server, &format!("/api/v1/secrets{wrong}")).await;
        assert_eq!((status, &problem["status"]), (StatusCode::BAD_REQUEST, &json!(400)), "{wrong}");
    }
}

/// An operation is found at the answer's `Location`, and its event stream ends when the operation does.
#[tokio::test]
async fn operation_events_end_with_the_operation() {
    let server = TestServer::new().await;
    let taken = server.ask("rotate", None, "").await;
    let location = taken.headers()["location"].to_str().unwrap().to_owned();
    let operation: Value = taken.json().await.unwrap();
    assert_eq!(location, format!("/api/v1/operations/{}", operation["id"].as_str().unwrap()));
    assert_eq!((&operation["state"], &operation["by"]), (&json!("accepted"), &json!("the-right-holder")));
    assert_eq!(get(&server, &location).await, (StatusCode::OK, operation.clone()));
    assert_eq!(get(&server, "/api/v1/operations").await.1["operations"], json!([operation]));

    let events = server.request(Method::GET, &format!("{location}/events")).bearer_auth("a-reader-s-token");
    let mut events = events.send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let first = events.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("\"state\":\"accepted\""), "{first:?}");
    let secret = "kv-1/app-foo".parse().unwrap();
    let command = server.queue.next().await.command.unwrap();
    server.board.reject_command(&secret, command, "the reason");
    server.queue.finish(&secret, None, None, |_| ());
    let mut rest = String::new();
    let to_the_end = async {
        while let Some(chunk) = events.chunk().await.unwrap() {
            rest.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    tokio::time::timeout(Duration::from_secs(20), to_the_end).await.expect("the events end");
    assert!(rest.contains("event: operation") && rest.contains("\"message\":\"the reason\""), "{rest}");
}

/// Unknown operations are not found, oversized bodies are not read, and wrong methods are not allowed.
#[tokio::test]
async fn unknown_and_oversized_requests_are_refused() {
    let server = TestServer::new().await;
    for unknown in ["/api/v1/operations/x", "/api/v1/operations/00000000-0000-0000-0000-000000000000/events"]
    {
        assert_eq!(get(&server, unknown).await.0, StatusCode::NOT_FOUND, "{unknown}");
    }
    let huge = format!("{{\"x\": \"{}\"}}", "x".repeat(70_000));
    let answer = server.ask("rotate", None, &huge).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let wrong = server
        .request(Method::DELETE, "/api/v1/secrets")
        .bearer_auth("the-right-token")
        .send()
        .await
        .unwrap();
    assert_eq!(wrong.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(wrong.headers().contains_key("allow"), "{wrong:?}");
}

/// Every answer carries headers that keep browsers from sniffing content types, caching and framing.
#[tokio::test]
async fn every_answer_has_security_headers() {
    let server = TestServer::new().await;
    for path in ["/livez", "/metrics", "/api/v1/secrets", "/nothing", "/api/v1/openapi.json"] {
        let answer = server.request(Method::GET, path).send().await.unwrap();
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(answer.headers()[name], value, "{path}");
        }
        assert!(answer.headers().contains_key("content-security-policy"), "{path}");
    }
}

/// The OpenAPI description covers every route of the API and is open without a token.
#[tokio::test]
async fn openapi_describes_every_route() {
    let server = TestServer::new().await;
    let answer = server.request(Method::GET, "/api/v1/openapi.json").send().await.unwrap();
    let description: Value = answer.json().await.unwrap();
    assert!(description["openapi"].as_str().unwrap().starts_with("3.1"));
    let described =
        |method: &str, path: &str| description["paths"][path].get(method.to_lowercase()).is_some();
    let api = rekeyd::http::ROUTES.into_iter().filter(|(_, path)| path.starts_with("/api/v1/"));
    let missing: Vec<_> =
        api.filter(|(method, path)| !path.ends_with("openapi.json") && !described(method, path)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Either webhook key opens the webhook while one is being replaced, and no other key does.
#[tokio::test]
async fn both_webhook_keys_open_the_webhook() {
    let server = TestServer::new().await;
    let deliver = async |path: &str, key: Option<&str>| {
        let request = server.request(Method::POST, path).body("[]");
        let request = key.into_iter().fold(request, |request, key| request.header("x-rekeyd-key", key));
        request.send().await.unwrap().status()
    };
    for key in ["the-webhook-s-key", "the-webhook-s-other-key"] {
        assert_eq!(deliver("/events/key-vault", Some(key)).await, StatusCode::OK, "{key}");
        assert_eq!(deliver(&format!("/events/key-vault?key={key}"), None).await, StatusCode::OK, "{key}");
    }
    for key in [None, Some("another"), Some("")] {
        assert_eq!(deliver("/events/key-vault", key).await, StatusCode::UNAUTHORIZED, "{key:?}");
    }
    let handshake = json!([{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "1"}}]);
    let request = server.request(Method::POST, "/events/key-vault?key=the-webhook-s-key");
    let stranger = request.header("aeg-subscription-name", "stranger").json(&handshake).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::FORBIDDEN);
    let request = server.request(Method::OPTIONS, "/events/key-vault?key=the-webhook-s-key");
    let stranger = request.header("webhook-request-origin", "example.org").send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::FORBIDDEN);
}
