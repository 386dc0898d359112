//! The daemon as the custom handler of a Functions host (contract F): the data and the answer of each trigger.
//!
//! With `REKEYD_PACKAGE`, the folder of an unpacked package, the binary and files of that package are tested, except in
//! the tests of `life`, which live in the sandbox's time: `tests/deploy/packages/run`.

mod event_grid;
mod host;
mod lifecycle;
mod package;

use std::collections::BTreeSet;

use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Azure, PATIENCE, eventually, variable};
use event_grid::{CODE, Endpoint};
use host::{Handler, Host, free_port};

/// An event wakes its secret as an object and as text that is encoded once or twice.
#[tokio::test]
async fn event_wakes_its_secret_in_every_encoding() {
    let azure = sandbox(&["--propagation", "0s..1s"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    let written: [fn(&Value) -> Value; 3] = [Value::clone, as_text, |event| as_text(&as_text(event))];
    for (secret, written) in configured(&azure).iter().zip(written) {
        let data = json!({"event": written(&near_expiry(secret))});
        let answer = handler.host.invoke("KeyVaultEvents", data).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.log().contains(&format!("enqueued {secret}")), "{answer:?}");
    }
    assert_eq!(handler.host.events("enqueued").await, 3);
    let own_runs = handler.host.count("rekeyd_triggers_total{trigger=\"schedule\"}").await;
    assert_eq!(own_runs, 0, "the host's timer stands in the place of the schedule");
}

/// A queue message that is JSON encoded twice wakes its secret.
#[tokio::test]
async fn doubly_encoded_message_wakes_its_secret() {
    let azure = sandbox(&["--propagation", "0s..1s"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    let secret = configured(&azure).remove(0);
    let answer = handler.host.invoke("KeyVaultQueue", message(&secret)).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.log().contains(&format!("enqueued {secret}")), "{answer:?}");
    assert_eq!(handler.host.events("enqueued").await, 1);
}

/// A timer run reconciles every secret, with or without a schedule status, and its log shows if it is late.
#[tokio::test]
async fn timer_run_looks_at_every_secret() {
    let azure = sandbox(&["--propagation", "0s..1s"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    let status = json!({"Last": "2026-11-22T02:07:00+00:00", "Next": "2026-11-22T03:07:00+00:00",
        "LastUpdated": "not a date"});
    for (status, is_late) in [(Value::Null, false), (status.clone(), false), (status, true)] {
        let answer = handler.host.invoke("Sweep", timer(&status, is_late)).await;
        assert_eq!(answer.status, StatusCode::OK);
        let begins = if is_late { "swept (late): " } else { "swept: " };
        assert!(answer.log().starts_with(begins), "{answer:?}");
    }
    eventually("every secret is reconciled, also the one that only its tags name", PATIENCE, async || {
        let (status, text) = handler.host.read("/api/v1/secrets", Some(&api_token(&azure))).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        let secrets = answer.pointer("/secrets").and_then(Value::as_array).unwrap();
        let looked =
            secrets.iter().filter(|secret| secret.pointer("/last_reconciled").is_some_and(Value::is_string));
        (looked.count() == azure.state().await.secrets().len()).then_some(())
    })
    .await;
}

/// An invocation of `Rotate` may name its secret in the route, the query or the body, in either spelling.
#[tokio::test]
async fn invocation_names_secret_three_ways() {
    let azure = sandbox(&["--propagation", "0s..1s"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    let [vault, name] = parts(&configured(&azure).remove(0));
    let (ours, theirs) = both_spellings(&vault, &name);
    for request in [
        json!({"Params": ours, "Query": {}}),
        json!({"Params": {}, "Query": ours}),
        json!({"Params": {}, "Query": theirs}),
        json!({"Params": {}, "Query": {}, "Body": theirs.to_string()}),
        json!({"Params": {"vault": null, "name": null}, "Query": {}, "Body": ours.to_string()}),
    ] {
        asked(&handler.host, &azure, &request).await;
    }
}

/// An invocation of `Rotate` is accepted if the host encodes the query as text instead of an object.
#[tokio::test]
async fn invocation_accepts_a_query_as_text() {
    let azure = sandbox(&["--propagation", "0s..1s"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    let [vault, name] = parts(&configured(&azure).remove(0));
    let (ours, theirs) = both_spellings(&vault, &name);
    for request in [
        json!({"Params": ours, "Query": "{}"}),
        json!({"Params": {}, "Query": theirs.to_string()}),
        json!({"Params": {}, "Query": "{}", "Body": ours.to_string()}),
    ] {
        asked(&handler.host, &azure, &request).await;
    }
}

/// An invocation that can't be a rotation succeeds with a refusal inside: status 400 or 404, and the reason.
#[tokio::test]
async fn impossible_rotation_is_refused_with_detail() {
    let azure = sandbox(&["--propagation", "0s..1s"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    for (request, status) in [
        (json!({"Query": {"vault": "vault-1", "name": "unknown"}}), "404"),
        (json!({"Query": {"vault": "vault-1"}}), "400"),
        (json!("nonsense"), "400"),
        (Value::Null, "400"),
    ] {
        let answer = handler.host.invoke("Rotate", json!({"req": request})).await;
        assert_eq!((answer.status, answer.http_status()), (StatusCode::OK, status), "{request}");
        let body = answer.output("res").pointer("/body").and_then(Value::as_str).unwrap();
        assert!(body.contains("\"detail\""), "{answer:?}");
    }
}

/// A forwarded rotation request may name its secret in the query, the body or the path, and an unknown secret gets 404.
#[tokio::test]
async fn forwarded_request_names_secret_three_ways() {
    let azure = sandbox(&["--propagation", "0s..1s"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    let [vault, name] = parts(&configured(&azure).remove(0));
    let (_, theirs) = both_spellings(&vault, &name);
    for (path, body) in [
        (format!("/api/Rotate?vault={vault}&name={name}"), String::new()),
        (format!("/api/Rotate?KeyVaultName={vault}&SecretName={name}&code=key"), String::new()),
        ("/api/Rotate".to_owned(), theirs.to_string()),
        (format!("/api/rotate/{vault}/{name}"), String::new()),
    ] {
        let (status, answer) = handler.host.forward(&path, &body).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{path}: {answer}");
        is_an_operation(&handler.host, &azure, &answer).await;
    }
    for (path, expected) in [
        ("/api/Rotate", StatusCode::BAD_REQUEST),
        ("/api/Rotate?vault=vault-1&name=unknown", StatusCode::NOT_FOUND),
        ("/api/rotate/vault-1/unknown", StatusCode::NOT_FOUND),
    ] {
        let (status, answer) = handler.host.forward(path, "").await;
        assert_eq!(
            (status, answer.pointer("/status")),
            (expected, Some(&expected.as_u16().into())),
            "{path}"
        );
    }
}

/// A host finds the function in any letter case, and forwards the path as its caller wrote it.
#[tokio::test]
async fn forwarded_path_may_be_lower_case() {
    let azure = sandbox(&["--propagation", "0s..1s"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    let [vault, name] = parts(&configured(&azure).remove(0));
    let (status, answer) = handler.host.forward(&format!("/api/rotate?vault={vault}&name={name}"), "").await;
    assert_eq!(status, StatusCode::ACCEPTED, "{answer}");
}

/// A malformed event is answered with 200, so that it is not delivered again, logged and counted.
#[tokio::test]
async fn malformed_event_is_answered_and_counted() {
    let azure = sandbox(&["--secrets", "1"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    let no_secret = json!({"eventType": "Microsoft.KeyVault.SecretExpired", "data": {}});
    let broken = [json!("nonsense"), json!("\"twice\""), Value::Null, json!(3), json!({}), no_secret];
    let mut malformed = 0;
    for data in broken.map(|event| json!({"event": event})).into_iter().chain([json!({})]) {
        let answer = handler.host.invoke("KeyVaultEvents", data.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{data}");
        assert!(answer.log().starts_with("malformed: "), "{data}: {answer:?}");
        malformed += 1;
        assert_eq!(handler.host.events("malformed").await, malformed);
    }
}

/// An unreadable queue message fails with 422 and is counted, so that the host moves it to the poison queue.
#[tokio::test]
async fn unreadable_message_fails_to_become_poison() {
    let azure = sandbox(&["--secrets", "1"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    for text in ["{ message: 'Message sent' }", "", "{}", "[1]"] {
        let data = json!({"message": as_text(&text.into())});
        let answer = handler.host.invoke("KeyVaultQueue", data).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{text}");
        assert!(answer.log().starts_with("malformed: "), "{text}: {answer:?}");
    }
    assert_eq!(handler.host.events("malformed").await, 4);
}

/// A body that is not an invocation is answered with 400 and a log line, for every function.
#[tokio::test]
async fn malformed_invocation_gets_bad_request() {
    let azure = sandbox(&["--secrets", "1"]).await;
    let handler = Handler::start(&azure, &BRIEF).await;
    for function in ["KeyVaultEvents", "KeyVaultQueue", "Sweep", "Rotate"] {
        for body in ["", "null", "{", "nonsense", "{\"Data\": 3}"] {
            let answer = handler.host.post(function, body.to_owned()).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{function}: {body}");
            assert!(answer.log().starts_with("not an invocation"), "{function}: {answer:?}");
        }
    }
}

/// The handler listens on 127.0.0.1 only, whatever address the configuration has for `listen`.
#[tokio::test]
async fn handler_listens_on_loopback_only() {
    let azure = sandbox(&["--secrets", "1"]).await;
    let other = free_port();
    let listen = format!("0.0.0.0:{other}");
    let handler = Handler::start(&azure, &[("REKEYD_LISTEN", &listen)]).await;
    assert_eq!(listeners_on(handler.port), ["0100007F"], "127.0.0.1 as the kernel writes it");
    assert_eq!(listeners_on(other), [""; 0]);
}

/// An event that Event Grid delivers through the host rotates its secret once and no other secret.
#[tokio::test]
async fn event_grid_rotates_through_the_host() {
    let azure = sandbox(&["--propagation", "0s..1s", "--seed", "3"]).await;
    let handler = Handler::start(&azure, &ALONE).await;
    let endpoint = Endpoint::open(handler.host.clone()).await;
    let made = endpoint.subscribe(&azure, "KeyVaultEvents", "another-key").await;
    assert_eq!(made.pointer("/provisioningState"), Some(&"Failed".into()), "{made}");
    let made = endpoint.subscribe(&azure, "KeyVaultEvents", CODE).await;
    assert_eq!(made.pointer("/provisioningState"), Some(&"Succeeded".into()), "{made}");

    let due = due(&azure).await;
    let (first, others) = due.split_first().expect("something is due");
    let event = azure.control(&format!("events/{first}"));
    azure.call(reqwest::Method::POST, &event, None, Value::Null).await;
    eventually("the secret is rotated", PATIENCE, async || {
        (azure.state().await.versions_of(first) == 2).then_some(())
    })
    .await;
    // The new version causes an event as well, which wakes its secret again and changes nothing.
    eventually("both events came", PATIENCE, async || {
        (handler.host.events("enqueued").await >= 2).then_some(())
    })
    .await;
    let state = azure.state().await;
    assert!(!others.is_empty() && others.iter().all(|secret| state.versions_of(secret) == 1), "{due:?}");
    assert_eq!((state.versions_of(first), state.unpublished().count()), (2, 0));
    assert_eq!(state.consumers.failures, 0, "{}", azure.printed());
}

/// Starts a simulated Azure. The shipped binary has no sandbox, and can't live in the time of one.
async fn sandbox(arguments: &[&str]) -> Azure {
    let own_time: &[&str] = if variable("REKEYD_PACKAGE").is_some() { &["--no-clock-url"] } else { &[] };
    Azure::start(&[arguments, own_time].concat()).await
}

async fn is_under_way(azure: &Azure) {
    eventually("a rotation is under way", PATIENCE, async || {
        (azure.state().await.unpublished().count() == 1).then_some(())
    })
    .await;
}

/// Requests a rotation as an HTTP trigger that is not forwarded, and asserts that it was accepted.
async fn asked(host: &Host, azure: &Azure, request: &Value) {
    let mut all = json!({"Url": "https://example.azurewebsites.net/api/Rotate", "Method": "POST",
        "Headers": {"Content-Type": ["application/json"]}, "Identities": []});
    all.as_object_mut().unwrap().extend(request.as_object().unwrap().clone());
    let answer = host.invoke("Rotate", json!({"req": all})).await;
    assert_eq!((answer.status, answer.http_status()), (StatusCode::OK, "202"), "{request}: {answer:?}");
    let body = answer.output("res").pointer("/body").and_then(Value::as_str).unwrap();
    is_an_operation(host, azure, &serde_json::from_str(body).unwrap()).await;
}

async fn is_an_operation(host: &Host, azure: &Azure, answer: &Value) {
    let id = answer.pointer("/id").and_then(Value::as_str).unwrap();
    let (status, text) = host.read(&format!("/api/v1/operations/{id}"), Some(&api_token(azure))).await;
    assert_eq!(status, StatusCode::OK, "{text}");
}

/// Returns the names in our spelling and in that of Microsoft's rotation template.
fn both_spellings(vault: &str, name: &str) -> (Value, Value) {
    (json!({"vault": vault, "name": name}), json!({"KeyVaultName": vault, "SecretName": name}))
}

fn parts(secret: &str) -> [String; 2] {
    let (vault, name) = secret.split_once('/').unwrap();
    [vault, name].map(str::to_owned)
}

fn api_token(azure: &Azure) -> String {
    std::fs::read_to_string(azure.file("api-token")).unwrap()
}

/// Returns the secrets that the configuration names.
fn configured(azure: &Azure) -> Vec<String> {
    let text = std::fs::read_to_string(azure.file("rekeyd.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let secrets = table.get("secrets").and_then(toml::Value::as_array).unwrap();
    let part = |secret: &toml::Value, key| secret.get(key).and_then(toml::Value::as_str).unwrap().to_owned();
    secrets.iter().map(|secret| format!("{}/{}", part(secret, "vault"), part(secret, "name"))).collect()
}

/// Returns the configured secrets that are due.
async fn due(azure: &Azure) -> Vec<String> {
    let configured: BTreeSet<_> = configured(azure).into_iter().collect();
    azure.state().await.due_at_first().into_iter().filter(|secret| configured.contains(secret)).collect()
}

fn near_expiry(secret: &str) -> Value {
    let [vault, name] = parts(secret);
    let topic = format!("/subscriptions/S/resourceGroups/RG/providers/Microsoft.KeyVault/vaults/{vault}");
    let id = format!("https://{vault}.vault.azure.net/secrets/{name}/0123456789abcdef0123456789abcdef");
    json!({"id": Uuid::new_v4(), "topic": topic, "subject": name, "dataVersion": "1", "metadataVersion": "1",
        "eventType": "Microsoft.KeyVault.SecretNearExpiry", "eventTime": "2026-11-22T03:00:00.1234567Z",
        "data": {"Id": id, "VaultName": vault, "ObjectType": "Secret", "ObjectName": name,
            "Version": "0123456789abcdef0123456789abcdef", "NBF": null, "EXP": "1798000000"}})
}

/// Returns the data of a queue trigger: hosts write a text as JSON once more.
fn message(secret: &str) -> Value {
    json!({"message": as_text(&as_text(&near_expiry(secret)))})
}

fn timer(status: &Value, is_late: bool) -> Value {
    json!({"timer": {"Schedule": {"AdjustForDST": true}, "ScheduleStatus": status, "IsPastDue": is_late}})
}

fn as_text(value: &Value) -> Value {
    value.to_string().into()
}

/// Returns the local addresses at which any process listens on `port`, in hexadecimal digits.
fn listeners_on(port: u16) -> Vec<String> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
    let text: String = tables.into_iter().flatten().collect();
    let listener = |line: &str| {
        let mut columns = line.split_whitespace().skip(1);
        let (address, local_port) = columns.next()?.split_once(':')?;
        let is_listening = columns.nth(1) == Some("0A");
        (is_listening && local_port == format!("{port:04X}")).then(|| address.to_owned())
    };
    text.lines().filter_map(listener).collect()
}

/// A short budget, so that no invocation waits for long in tests of the answer alone.
const BRIEF: [(&str, &str); 1] = [("REKEYD_FUNCTIONS__BUDGET", "1s")];

/// Settings without canaries that the others wait for, and without a sweep of its own, whichever process runs it.
const ALONE: [(&str, &str); 2] = [("REKEYD_ROLLOUT__CANARIES", ""), ("REKEYD_SCHEDULE__AT_START", "false")];
