//! Injected faults get the service's own responses, and a client that goes silent blocks nothing.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{START, World};
use crate::sandbox::{FaultKind, ScriptedFault, Service};

/// The limit in real time; the awaited events take milliseconds, or never happen.
const PATIENCE: Duration = Duration::from_secs(20);

/// A request that is never completed blocks neither the sandbox clock nor the shutdown.
#[tokio::test]
async fn stalled_request_blocks_neither_clock_nor_shutdown() {
    let world = World::start().await;
    let address = world.at.imds_endpoint.strip_prefix("http://").unwrap().to_owned();
    let mut silent = Vec::new();
    for half in ["POST /msi/token HTTP/1.1\r\nContent-Length: 10\r\n\r\nx", "GET /msi/to"] {
        let mut stalled = TcpStream::connect(&address).await.unwrap();
        stalled.write_all(half.as_bytes()).await.unwrap();
        stalled.flush().await.unwrap();
        silent.push(stalled);
    }
    // Its response comes after the earlier data has arrived.
    world.http.get(format!("{}/nothing", world.at.imds_endpoint)).send().await.unwrap();
    let tomorrow = START + time::Duration::days(1);
    timeout(PATIENCE, world.sandbox.clock().run_until(tomorrow)).await.unwrap();
    timeout(PATIENCE, world.sandbox.shutdown()).await.unwrap();
    drop(silent);
}

impl World {
    async fn in_trouble(&self, service: Service, kind: FaultKind, url: &str) -> Response {
        let fault =
            ScriptedFault { service: Some(service), method: None, path_contains: None, kind, count: 1 };
        self.sandbox.script_faults(vec![fault]);
        self.http.get(url).send().await.unwrap()
    }
}

/// An injected Graph fault is answered with Graph's own error code, members and headers.
#[tokio::test]
async fn graph_faults_have_graph_members_and_headers() {
    let world = World::start().await;
    let url = format!("{}/v1.0/applications", world.at.graph);
    for (kind, code) in
        [(FaultKind::Throttled, "TooManyRequests"), (FaultKind::Unavailable, "ServiceNotAvailable")]
    {
        let response = world.in_trouble(Service::Graph, kind, &url).await;
        let headers = response.headers().clone();
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["code"], code);
        assert_eq!(body["error"]["innerError"]["request-id"].as_str(), headers["request-id"].to_str().ok());
        assert!(headers.contains_key("x-ms-ags-diagnostic"));
        assert_eq!(headers.contains_key("x-ms-throttle-scope"), kind == FaultKind::Throttled);
    }
    world.sandbox.shutdown().await;
}

/// An injected Key Vault fault is answered with Key Vault's own error code and headers.
#[tokio::test]
async fn vault_faults_have_vault_headers() {
    let world = World::start().await;
    let url = world.secret_url("app-01");
    for (kind, code) in [(FaultKind::Throttled, "Throttled"), (FaultKind::Unavailable, "ServiceUnavailable")]
    {
        let response = world.in_trouble(Service::KeyVault, kind, &url).await;
        assert_eq!(response.headers()["cache-control"], "no-cache");
        assert!(response.headers().contains_key("x-ms-keyvault-service-version"));
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["error"]["code"], code);
    }
    world.sandbox.shutdown().await;
}

/// An injected FHIR fault is answered with an `OperationOutcome`.
#[tokio::test]
async fn fhir_fault_is_an_operation_outcome() {
    let world = World::start().await;
    let url = format!("{}/metadata", world.at.fhir.url);
    let response = world.in_trouble(Service::Fhir, FaultKind::Unavailable, &url).await;
    assert_eq!(response.status(), 503);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("application/fhir+json"));
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["resourceType"], "OperationOutcome");
    assert!(body["id"].is_string());
    world.sandbox.shutdown().await;
}
