//! Health, metrics and the API of a running daemon.

use std::io::Write as _;
use std::process::{Command, Stdio};

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::support::{Azure, Daemon, PATIENCE, eventually};

/// The daemon becomes live and ready, and its metrics have the prefix of rekeyd or the names of a process.
#[tokio::test]
async fn daemon_becomes_ready_and_names_its_metrics() {
    let azure = Azure::start(&["--propagation", "0s..1s"]).await;
    let daemon = azure.daemon(&[]).await;
    assert_eq!(daemon.try_get("/livez").await, Some(StatusCode::OK));
    daemon.is_ready().await;
    for sample in metrics(&azure, &daemon).await.lines().filter(|line| !line.starts_with('#')) {
        assert!(sample.starts_with("rekeyd_") || sample.starts_with("process_"), "{sample}");
    }
}

/// `promtool` finds no fault in the daemon's metrics.
#[tokio::test]
#[ignore = "needs promtool"]
async fn promtool_accepts_the_metrics() {
    let azure = Azure::start(&["--propagation", "0s..1s"]).await;
    let daemon = azure.daemon(&[]).await;
    daemon.is_ready().await;
    let metrics = metrics(&azure, &daemon).await;
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of the Debian package prometheus, is there");
    promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    let printed = [checked.stdout, checked.stderr].concat();
    assert!(checked.status.success() && printed.is_empty(), "{}", String::from_utf8_lossy(&printed));
}

/// Returns the metrics of a daemon that has nothing left to do.
async fn metrics(azure: &Azure, daemon: &Daemon) -> String {
    azure.settle(daemon).await;
    let (status, metrics) = daemon.get("/metrics").await;
    assert_eq!(status, StatusCode::OK);
    metrics
}

/// The API answers 401 without the right token, and with it 404 for an unknown path or secret.
#[tokio::test]
async fn api_requires_the_token() {
    let azure = Azure::start(&["--secrets", "2"]).await;
    let daemon = azure.daemon(&[]).await;
    let (list, one) = ("/api/v1/secrets", "/api/v1/secrets/vault-1/app-01");
    let rotate = format!("{one}/rotate");
    for (method, path) in [(Method::GET, list), (Method::GET, one), (Method::POST, &rotate)] {
        for token in [None, Some("not-the-token-of-this-api"), Some("")] {
            problem(&daemon, method.clone(), path, token, StatusCode::UNAUTHORIZED).await;
        }
    }
    let token = Some(daemon.token.as_str());
    for path in ["/api/v1/secrets/vault-1/app-99", "/api/v1/secrets/vault-9/app-01", "/nothing", "/api/v2"] {
        problem(&daemon, Method::GET, path, token, StatusCode::NOT_FOUND).await;
    }
    problem(&daemon, Method::POST, "/api/v1/secrets/vault-1/app-99/rotate", token, StatusCode::NOT_FOUND)
        .await;

    assert_eq!(daemon.secrets().await.len(), 2);
    let (status, text) = daemon.get(one).await;
    let shown: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, shown.pointer("/secret")), (StatusCode::OK, Some(&"vault-1/app-01".into())));
}

#[tokio::test]
async fn asking_twice_for_a_rotation_rotates_once() {
    let azure = Azure::start(&["--propagation", "0s..1s"]).await;
    let daemon = azure.daemon(&[]).await;
    azure.settle(&daemon).await;
    let state = azure.state().await;
    let (secret, _) = state.secrets().into_iter().find(|(_, versions)| versions.len() == 1).unwrap();
    let credentials = state.ours().count();

    daemon.rotate(&secret).await;
    daemon.rotate(&secret).await;
    eventually("the secret is rotated", PATIENCE, async || {
        (azure.state().await.versions_of(&secret) > 1).then_some(())
    })
    .await;
    // All remaining work is done when the pauses after a rotation are over.
    for pause in ["1m", "30m", "2h"] {
        azure.advance(pause).await;
        azure.settle(&daemon).await;
    }
    let state = azure.state().await;
    assert_eq!((state.versions_of(&secret), state.ours().count()), (2, credentials + 1));
    assert_eq!(state.consumers.failures, 0, "{}", azure.printed());
}

async fn problem(daemon: &Daemon, method: Method, path: &str, token: Option<&str>, expected: StatusCode) {
    let response = daemon.send(method, path, token).await;
    assert_eq!(response.status(), expected, "{path} with {token:?}");
    let kind = response.headers().get("content-type").unwrap().to_str().unwrap().to_owned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(
        (kind.as_str(), body.pointer("/status")),
        ("application/problem+json", Some(&expected.as_u16().into()))
    );
}
