//! Authentication of the API, readiness, and routes that do not exist.

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{TestServer, problem};

#[tokio::test]
async fn only_the_right_token_opens_the_api() {
    let server = TestServer::new().await;
    let ask = |header: Option<&'static str>| {
        let request = server.request(Method::GET, "/api/v1/secrets");
        header.map_or(request.try_clone().unwrap(), |header| request.header("authorization", header)).send()
    };
    for header in [None, Some("Bearer wrong"), Some("Basic dGhlLXJpZ2h0LXRva2Vu"), Some("the-right-token")] {
        let answer = ask(header).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{header:?}");
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        problem(answer).await;
    }
    let answer = ask(Some("bearer the-right-token")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let list: Value = answer.json().await.unwrap();
    assert_eq!(list["secrets"][1]["secret"], "kv-1/app-foo");
    assert_eq!(list["secrets"][1]["state"], "unknown");

    let closed = TestServer::with_tokens(Vec::new()).await;
    let answer = closed.request(Method::GET, "/api/v1/secrets").bearer_auth("").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
}

/// The daemon is ready once every service has answered and until it is being stopped.
#[tokio::test]
async fn readiness_needs_answers_and_no_shutdown() {
    let server = TestServer::new().await;
    let ready = async || server.request(Method::GET, "/readyz").send().await.unwrap().status();
    assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
    let details = problem(server.request(Method::GET, "/readyz").send().await.unwrap()).await;
    assert_eq!((&details["ready"], &details["awaited"]), (&false.into(), &vec!["graph"].into()));
    server.readiness.answered("graph");
    assert_eq!(ready().await, StatusCode::OK);
    server.readiness.drain();
    assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.request(Method::GET, "/livez").send().await.unwrap().status(), StatusCode::OK);
}

/// Every error is a problem of its own type, whichever layer finds it.
#[tokio::test]
async fn every_error_is_a_typed_problem() {
    let server = TestServer::new().await;
    let large = "x".repeat(3 * 1024 * 1024);
    let rotate = "/api/v1/secrets/kv-1/app-foo/rotate";
    for (method, path, body, expected) in [
        (Method::GET, "/nothing", "", "unknown-route"),
        (Method::GET, "/readyz", "", "not-ready"),
        (Method::POST, "/livez", "", "method-not-allowed"),
        (Method::PUT, "/api/v1/openapi.json", "", "method-not-allowed"),
        (Method::PATCH, "/events/key-vault", "", "method-not-allowed"),
        (Method::POST, "/events/key-vault?key=a&key=b", "[]", "invalid-query"),
        (Method::OPTIONS, "/events/key-vault?key=a&key=b", "", "invalid-query"),
        (Method::POST, "/events/key-vault?key=a", "[]", "unauthenticated"),
        (Method::POST, "/events/key-vault", &large, "body-too-large"),
        (Method::GET, "/api/v1/secrets?limit=x", "", "invalid-query"),
        (Method::GET, "/api/v1/secrets?state=odd", "", "invalid-query"),
        (Method::GET, "/api/v1/secrets/%FF/app-foo", "", "invalid-path"),
        (Method::GET, "/api/v1/secrets/kv-1/app-other", "", "not-managed"),
        (Method::GET, "/api/v1/secrets/kv-2/app-bar", "", "is-a-replica"),
        (Method::GET, "/api/v1/operations/%FF", "", "invalid-path"),
        (Method::GET, "/api/v1/operations/1/events", "", "unknown-operation"),
        (Method::POST, "/api/v1/secrets/kv-1/%FF/rotate", "", "invalid-path"),
        (Method::POST, rotate, &large, "body-too-large"),
        (Method::POST, rotate, "{", "invalid-json"),
        (Method::POST, rotate, "\n", "invalid-json"),
        (Method::POST, rotate, "null", "invalid-body"),
        (Method::POST, rotate, "[]", "invalid-body"),
        (Method::POST, rotate, "{\"x\": 1}", "invalid-body"),
    ] {
        let request = server.request(method, path).bearer_auth("the-right-token").body(body.to_owned());
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let problem = problem(answer).await;
        assert_eq!(problem["type"], format!("urn:rekeyd:problem:{expected}"), "{path}");
        assert_eq!(problem["status"], status, "{path}");
    }
    assert_eq!(server.queued(), []);
}

/// An unknown route is answered with a 404 problem that names the cause.
#[tokio::test]
async fn unknown_route_is_a_problem() {
    let server = TestServer::new().await;
    let answer = server.request(Method::GET, "/nothing").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(problem(answer).await["detail"], "no such route: GET /api/v1/openapi.json describes the API");
}
