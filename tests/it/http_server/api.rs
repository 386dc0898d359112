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
    server.readiness.answered("graph");
    assert_eq!(ready().await, StatusCode::OK);
    server.readiness.drain();
    assert_eq!(ready().await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(server.request(Method::GET, "/livez").send().await.unwrap().status(), StatusCode::OK);
}

/// An unknown route is answered with a 404 problem that names the cause.
#[tokio::test]
async fn unknown_route_is_a_problem() {
    let server = TestServer::new().await;
    let answer = server.request(Method::GET, "/nothing").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    assert_eq!(problem(answer).await["detail"], "there is no such route");
}
