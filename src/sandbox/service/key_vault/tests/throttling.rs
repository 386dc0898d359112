//! Section 0 and A.5: a client that ignores throttling gets through at the documented rates, counted in virtual time.

use axum::body::Bytes;

use super::*;
use crate::sandbox::https::Request;
use crate::sandbox::service::key_vault;

/// Returns a request as the service sees it, past TLS: thousands of them must be fast.
fn request(method: Method, path: &str, token: &str, body: &str) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    Request {
        method,
        segments: path.split('/').map(str::to_owned).collect(),
        query: [("api-version".to_owned(), "2025-07-01".to_owned())].into(),
        headers,
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

/// Sends `a_second` requests each second, in tenths, for `seconds`, regardless of the responses. Returns the number
/// that got through in each ten seconds.
async fn let_through(world: &World, request: &Request, a_second: u32, seconds: u32) -> Vec<u32> {
    let (clock, mut passed) = (world.sandbox.clock(), Vec::new());
    let start = clock.now();
    for tenth in 0..seconds * 10 {
        clock.run_until(start + Duration::milliseconds(100) * tenth).await;
        if tenth % 100 == 0 {
            passed.push(0);
        }
        for _ in 0..a_second / 10 {
            let response = key_vault::handle_request(&world.sandbox.azure, "vault-1", request);
            match response.status {
                StatusCode::OK => *passed.last_mut().unwrap() += 1,
                status => assert_eq!(status, StatusCode::TOO_MANY_REQUESTS),
            }
        }
    }
    passed
}

/// Exactly 300 puts pass in each ten seconds.
#[tokio::test]
async fn ten_seconds_allow_300_puts() {
    let world = World::start().await;
    let put = request(Method::PUT, "secrets/it", &world.token(RESOURCE).await, r#"{"value": "text"}"#);
    assert_eq!(let_through(&world, &put, 100, 60).await, [300; 6]);
    world.sandbox.shutdown().await;
}

/// Exactly 4000 reads pass in each ten seconds.
#[tokio::test]
async fn ten_seconds_allow_4000_reads() {
    let world = World::start().await;
    let get = request(Method::GET, "secrets/app-01", &world.token(RESOURCE).await, "");
    assert_eq!(let_through(&world, &get, 500, 30).await, [4000; 3]);
    world.sandbox.shutdown().await;
}

/// A client that stays within the rate of 30 puts a second is never throttled.
#[tokio::test]
async fn client_at_the_rate_is_unthrottled() {
    let world = World::start().await;
    let put = request(Method::PUT, "secrets/it", &world.token(RESOURCE).await, r#"{"value": "text"}"#);
    assert_eq!(let_through(&world, &put, 30, 30).await, [300; 3]);
    world.sandbox.shutdown().await;
}

/// A throttled reply always states the reason and only sometimes has a `Retry-After` header.
#[tokio::test]
async fn throttled_reply_has_reason_sometimes_delay() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    for _ in 0..300 {
        asker.put_text("it", "text").await;
    }
    let mut delays = Vec::new();
    for _ in 0..30 {
        let reply = asker.put("it", json!({"value": "text"})).await;
        assert_eq!(reply.problem(), "429 Throttled -");
        let message = "Request was not processed because too many requests were received. Reason: VaultRequestTypeLimitReached";
        assert_eq!(reply.message(), message);
        delays.push(reply.header("retry-after").map(str::to_owned));
    }
    assert!(delays.contains(&None) && delays.contains(&Some("10".to_owned())), "{delays:?}");
    assert_eq!(asker.get("secrets/it").await.status, StatusCode::OK, "reads have a quota of their own");
    let elsewhere = format!("{}/secrets/it?api-version=7.6", world.at.vaults[1].url);
    let put = asker.send(Method::PUT, &elsewhere, Some(json!({"value": "text"}))).await;
    assert_eq!(put.status, StatusCode::OK, "another vault has a quota of its own");
    asker.wait(Duration::seconds(10)).await;
    assert_eq!(asker.put("it", json!({"value": "text"})).await.status, StatusCode::OK);
    world.sandbox.shutdown().await;
}

/// Challenges, refusals and requests of the simulated consumers do not use up the quota.
#[tokio::test]
async fn refusals_and_simulated_consumers_use_no_quota() {
    let world = World::start().await;
    let (stranger, _) = Asker::with_roles(&world, &[]).await;
    let token = world.token(RESOURCE).await;
    let mut consumer = request(Method::PUT, "secrets/it", &token, r#"{"value": "text"}"#);
    consumer.headers.insert("user-agent", "sandbox-consumer".parse().unwrap());
    let refused = request(Method::PUT, "secrets/it", &stranger.token, r#"{"value": "text"}"#);
    let challenged = request(Method::PUT, "secrets/it", "nonsense", r#"{"value": "text"}"#);
    for (request, status) in [(&consumer, 200), (&refused, 403), (&challenged, 401)] {
        for _ in 0..400 {
            let response = key_vault::handle_request(&world.sandbox.azure, "vault-1", request);
            assert_eq!(response.status.as_u16(), status);
        }
    }
    let put = request(Method::PUT, "secrets/it", &token, r#"{"value": "text"}"#);
    assert_eq!(let_through(&world, &put, 400, 1).await, [300]);
    world.sandbox.shutdown().await;
}
