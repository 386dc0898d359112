//! Routes that change a secret: authentication, counting, idempotency keys, unusable bodies.

use rekeyd::commands::COMMANDS;
use rekeyd::domain::CommandKind;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::webhook::event;
use super::{TestServer, problem};

/// A command is accepted for a managed secret, not found for any other, and refused while the daemon stops.
#[tokio::test]
async fn command_needs_a_managed_secret() {
    let server = TestServer::new().await;
    let rotate =
        |path: &'static str| server.request(Method::POST, path).bearer_auth("the-right-token").send();
    // The letter case of a name does not matter.
    let answer = rotate("/api/v1/secrets/KV-1/App-Foo/rotate").await.unwrap();
    assert_eq!(answer.status(), StatusCode::ACCEPTED);
    assert!(server.queue.next().await.command.is_some());
    for unknown in ["/api/v1/secrets/kv-1/other/rotate", "/api/v1/secrets/kv-1/..%2Fapp-foo/rotate"] {
        let answer = rotate(unknown).await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{unknown}");
        problem(answer).await;
    }
    server.readiness.drain();
    assert_eq!(
        rotate("/api/v1/secrets/kv-1/app-foo/rotate").await.unwrap().status(),
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(server.deliver(event("app-foo").to_string()).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

/// Every command has a route, is counted when accepted, and stays pending on the secret until it is completed.
#[tokio::test]
async fn every_command_has_a_route() {
    let server = TestServer::new().await;
    for kind in COMMANDS {
        let answer = server.ask(kind.label(), None, "").await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED, "{kind:?}");
        let answer: Value = answer.json().await.unwrap();
        assert_eq!((&answer["secret"], &answer["command"]), (&json!("kv-1/app-foo"), &json!(kind.label())));
        let shown = server.request(Method::GET, answer["secret_url"].as_str().unwrap());
        let shown: Value = shown.bearer_auth("the-right-token").send().await.unwrap().json().await.unwrap();
        assert_eq!(
            (&shown["pending_commands"][0]["kind"], &shown["pending_commands"][0]["tried"]),
            (&json!(kind.label()), &json!(false))
        );
        assert_eq!((answer["at"].is_string(), &shown["pending_commands"][0]["at"]), (true, &answer["at"]));
        assert_eq!(server.queued(), [("kv-1/app-foo".to_owned(), Some(kind))]);
        server.queue.finish(&"kv-1/app-foo".parse().unwrap(), None, None, |_| ());
        assert_eq!(server.metrics.commands_total.with_label_values(&[kind.label(), "accepted"]).get(), 1);
    }
}

/// A request for a replica is not found, and the problem names the replica's primary.
#[tokio::test]
async fn replica_request_names_its_primary() {
    let server = TestServer::new().await;
    for (method, path) in [(Method::POST, "/rotate"), (Method::GET, "")] {
        let request = server.request(method, &format!("/api/v1/secrets/kv-2/app-bar{path}"));
        let answer = request.bearer_auth("the-right-token").send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        let detail = problem(answer).await["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("kv-2/app-bar is a replica of kv-1/app-bar"), "{detail}");
    }
    assert_eq!(server.queued(), []);
}

/// The `compromised` command covers its secret alone unless `all_credentials` is set.
#[tokio::test]
async fn compromised_covers_one_secret_by_default() {
    let server = TestServer::new().await;
    let (alone, all) = (
        CommandKind::Compromised { all_credentials: false },
        CommandKind::Compromised { all_credentials: true },
    );
    let answer: Value = server.ask("compromised", None, "{}").await.json().await.unwrap();
    assert_eq!(answer["also"], json!([]));
    assert_eq!(server.queued(), [("kv-1/app-foo".to_owned(), Some(alone))]);
    server.queue.finish(&"kv-1/app-foo".parse().unwrap(), None, None, |_| ());

    let answer: Value =
        server.ask("compromised", None, r#"{"all_credentials": true}"#).await.json().await.unwrap();
    assert_eq!(answer["also"], json!(["kv-2/app-foo"]));
    let mut queued = server.queued();
    queued.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(queued, [("kv-1/app-foo".to_owned(), Some(all)), ("kv-2/app-foo".to_owned(), Some(all))]);
}

/// A rollback replaces a rotation that was requested before it: the rotation ends as replaced, in its operation, on the
/// secret and in the metrics.
#[tokio::test]
async fn rotation_before_rollback_ends_as_replaced() {
    let server = TestServer::new().await;
    let rotate: Value = server.ask("rotate", None, "").await.json().await.unwrap();
    let rollback: Value = server.ask("rollback", None, "").await.json().await.unwrap();
    let rotate = server.read(&format!("/api/v1/operations/{}", rotate["id"].as_str().unwrap())).await;
    assert_eq!((&rotate["state"], &rotate["command"]), (&json!("replaced"), &json!("rotate")));
    assert_eq!(rotate["message"], "rollback was requested after it");
    let rollback = server.read(&format!("/api/v1/operations/{}", rollback["id"].as_str().unwrap())).await;
    assert_eq!(rollback["state"], "accepted");
    let secret = server.read("/api/v1/secrets/kv-1/app-foo").await;
    assert_eq!(
        (
            &secret["last_command"]["kind"],
            &secret["last_command"]["outcome"],
            &secret["pending_commands"][0]["kind"]
        ),
        (&json!("rotate"), &json!("replaced"), &json!("rollback"))
    );
    assert_eq!(server.metrics.commands_total.with_label_values(&["rotate", "replaced"]).get(), 1);
}

/// The end of a command counts for that command only, not for a later one of the same kind.
#[tokio::test]
async fn older_command_does_not_end_a_newer() {
    let server = TestServer::new().await;
    let secret = "kv-1/app-foo".parse().unwrap();
    let first: Value = server.ask("rotate", None, "").await.json().await.unwrap();
    let command = server.queue.next().await.command.unwrap();
    server.board.reject_command(&secret, command, "the reason");
    server.queue.finish(&secret, None, None, |_| ());
    let second: Value = server.ask("rotate", None, "").await.json().await.unwrap();
    for (operation, state) in [(first, "rejected"), (second, "accepted")] {
        let path = format!("/api/v1/operations/{}", operation["id"].as_str().unwrap());
        assert_eq!(server.read(&path).await["state"], state);
    }
}

/// A command with a body that is malformed or does not fit is refused and queues nothing.
#[tokio::test]
async fn unusable_body_queues_nothing() {
    let server = TestServer::new().await;
    let (bad, wrong) = (StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY);
    for (label, body, status) in [
        ("compromised", "{", bad),
        ("compromised", r#"{"all_credentials": 1}"#, wrong),
        ("compromised", r#"{"all": true}"#, wrong),
        ("compromised", "[true]", wrong),
        ("rotate", "[]", wrong),
        ("rotate", "\"x\"", wrong),
        ("rotate", "nonsense", bad),
        ("rotate", r#"{"all_credentials": true}"#, wrong),
    ] {
        let answer = server.ask(label, None, body).await;
        assert_eq!(answer.status(), status, "{label} {body}");
        problem(answer).await;
    }
    assert_eq!(server.queued(), []);
}

/// A repeated idempotency key gets the same answer and queues no new command.
#[tokio::test]
async fn repeated_key_queues_no_new_command() {
    let server = TestServer::new().await;
    let first: Value = server.ask("rotate", Some("key-1"), "").await.json().await.unwrap();
    assert_eq!(server.queued().len(), 1);
    server.queue.finish(&"kv-1/app-foo".parse().unwrap(), None, None, |_| ());
    let again = server.ask("rotate", Some("key-1"), "").await;
    assert_eq!(again.status(), StatusCode::ACCEPTED);
    assert_eq!(again.json::<Value>().await.unwrap()["id"], first["id"]);
    assert_eq!(server.queued(), []);

    let other = server.ask("rollback", Some("key-1"), "").await;
    assert_eq!(other.status(), StatusCode::UNPROCESSABLE_ENTITY);
    problem(other).await;
    for unusable in ["", "two words", &"x".repeat(129)] {
        let answer = server.ask("rotate", Some(unusable), "").await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{unusable}");
    }
    assert_eq!(server.queued(), []);
    assert_eq!(server.ask("rotate", Some("key-2"), "").await.status(), StatusCode::ACCEPTED);
    assert_eq!(server.queued().len(), 1);
}
