//! A client that ignores throttling: the number of its requests that pass, counted in virtual time.

use axum::body::Body;
use axum::http;
use serde_json::json;
use time::Duration;

use super::*;
use crate::sandbox::https::{Request, Response};
use crate::sandbox::model::{ApplicationChange, Audience, Cost};
use crate::sandbox::service::graph::handle_request;
use crate::sandbox::tests::START;

const EXEMPT: &str = "sandbox-consumer/1";

/// Sends a request straight to the service: HTTPS would take longer than the counting.
async fn straight(graph: &Graph, method: &str, path: &str, body: &Value) -> Response {
    let request = http::Request::builder().method(method).uri(format!("/v1.0{path}"));
    let request = request.header("authorization", format!("Bearer {}", graph.token));
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let request = Request::read(request.body(body).unwrap()).await;
    handle_request(&graph.world.sandbox.azure, &request.ok().unwrap()).await
}

async fn passed(graph: &Graph, times: usize, path: &str) -> usize {
    let mut passed = 0;
    for _ in 0..times {
        passed += usize::from(straight(graph, "GET", path, &Value::Null).await.status == StatusCode::OK);
    }
    passed
}

/// Adds and removes passwords of each application in turn; returns the number of requests that were not throttled.
async fn writes(graph: &Graph, applications: &[Uuid], rounds: usize) -> usize {
    let one = async |id: &Uuid| {
        let mut taken = 0;
        for _ in 0..rounds {
            let added = straight(graph, "POST", &format!("/applications/{id}/addPassword"), &json!({})).await;
            taken += usize::from(added.status != StatusCode::TOO_MANY_REQUESTS);
            let remove = format!("/applications/{id}/removePassword");
            let removed = straight(graph, "POST", &remove, &json!({"keyId": Uuid::nil()})).await;
            taken += usize::from(removed.status != StatusCode::TOO_MANY_REQUESTS);
        }
        taken
    };
    futures::future::join_all(applications.iter().map(one)).await.into_iter().sum()
}

fn applications(graph: &Graph, count: usize, audience: Audience) -> Vec<Uuid> {
    let model = graph.world.sandbox.model();
    let change = ApplicationChange { audience: Some(audience), ..ApplicationChange::default() };
    (0..count).map(|_| model.add_settled_application(change.clone(), START).object_id).collect()
}

#[tokio::test]
async fn three_thousand_writes_pass_in_150_seconds() {
    let graph = Graph::start().await;
    let applications = applications(&graph, 64, Audience::MyOrganisation);
    assert_eq!(writes(&graph, &applications, 25).await, 3_000);
    let refused = straight(&graph, "DELETE", &graph.path(0), &Value::Null).await.into_response();
    assert_eq!(refused.headers()["retry-after"], "150");
    assert_eq!(refused.headers()["x-ms-throttle-information"], "WriteLimitExceeded");
    graph.pass(Duration::seconds(149)).await;
    assert_eq!(writes(&graph, &applications, 1).await, 0);
    graph.pass(Duration::SECOND).await;
    assert_eq!(writes(&graph, &applications, 25).await, 3_000);
    graph.world.sandbox.shutdown().await;
}

/// Applications that admit personal accounts accept 60 writes a minute each.
#[tokio::test]
async fn personal_account_applications_accept_sixty_writes() {
    let graph = Graph::start().await;
    let personal = applications(&graph, 2, Audience::AnyOrganisationAndPersonal);
    for _ in 0..2 {
        assert_eq!(writes(&graph, &personal, 50).await, 120);
        graph.pass(Duration::seconds(59)).await;
        assert_eq!(writes(&graph, &personal, 5).await, 0);
        let usual = applications(&graph, 1, Audience::AnyOrganisation);
        assert_eq!(writes(&graph, &usual, 5).await, 10);
        graph.pass(Duration::SECOND).await;
    }
    graph.world.sandbox.shutdown().await;
}

/// Reads within ten seconds pass up to 3500 resource units: 1750 lists or 3500 single applications.
#[tokio::test]
async fn ten_seconds_allow_3500_read_units() {
    let graph = Graph::start().await;
    // Listing costs two units, reading one application costs one.
    for (path, count) in [("/applications", 1_750), (graph.path(0).as_str(), 3_500)] {
        assert_eq!(passed(&graph, count + 20, path).await, count, "{path}");
        graph.pass(Duration::seconds(9)).await;
        assert_eq!(passed(&graph, 3, path).await, 0);
        graph.pass(Duration::SECOND).await;
    }
    graph.world.sandbox.shutdown().await;
}

#[tokio::test]
async fn a_request_costs_what_is_documented() {
    let graph = Graph::start().await;
    for (path, units) in [
        ("/applications", "2"),
        ("/applications?$select=id", "1"),
        ("/applications?$top=19", "1"),
        ("/applications?$top=20", "2"),
        ("/applications?$top=19&$select=id", "1"),
        ("/servicePrincipals", "1"),
        (graph.path(0).as_str(), "1"),
    ] {
        assert_eq!(graph.get(path).await.header("x-ms-resource-unit"), units, "{path}");
    }
    let added = graph.post(&format!("{}/addPassword", graph.path(0)), &json!({})).await;
    assert_eq!(added.header("x-ms-resource-unit"), "1");
    graph.world.sandbox.shutdown().await;
}

/// Five reports pass in ten seconds, and 150 reads of `keyCredentials` pass in a minute.
#[tokio::test]
async fn reports_and_key_reads_have_quotas() {
    let graph = Graph::start().await;
    let report = async || graph.get("/beta/reports/appCredentialSignInActivities").await.status;
    let mut passed_reports = 0;
    for _ in 0..8 {
        passed_reports += usize::from(report().await == StatusCode::OK);
    }
    assert_eq!(passed_reports, 5);
    graph.pass(Duration::seconds(10)).await;
    assert_eq!(report().await, StatusCode::OK);
    let keys = format!("{}?$select=id,keyCredentials", graph.path(0));
    assert_eq!(passed(&graph, 170, &keys).await, 150);
    graph.pass(Duration::minutes(1)).await;
    assert_eq!(passed(&graph, 170, &keys).await, 150);
    graph.world.sandbox.shutdown().await;
}

/// Replies show the throttle percentage from 80 percent on, and a throttled reply states its scope, cause and delay.
#[tokio::test]
async fn replies_show_throttle_usage_and_cause() {
    let graph = Graph::start().await;
    let spend = |units| {
        let (model, cost) = (graph.world.sandbox.model(), Cost::Read { units, selects_keys: false });
        model.spend_graph_quota(graph.world.at.client.client_id, cost, START).unwrap();
    };
    assert_eq!(graph.get("/applications").await.header("x-ms-throttle-limit-percentage"), "");
    spend(2_796);
    assert_eq!(graph.get("/applications").await.header("x-ms-throttle-limit-percentage"), "0.80");
    spend(700);
    let refused = graph.get("/applications").await;
    assert_eq!(refused.refusal(), (429, "TooManyRequests"));
    let (client, tenant) = (graph.world.at.client.client_id, graph.world.at.tenant_id);
    let message = format!(
        "Too many requests from Identifier:{client} under category:aadgraph.app.tenant_small. Please try again later."
    );
    assert_eq!(refused.message(), message);
    assert_eq!(refused.header("retry-after"), "10");
    assert_eq!(
        refused.header("x-ms-throttle-scope"),
        format!("Tenant_Application/ReadWrite/{client}/{tenant}")
    );
    assert_eq!(refused.header("x-ms-throttle-information"), "ResourceUnitLimitExceeded");
    let url = format!("{}/v1.0/applications", graph.world.at.graph);
    let exempt = graph.world.http.get(url).bearer_auth(&graph.token).header("user-agent", EXEMPT);
    assert_eq!(exempt.send().await.unwrap().status(), StatusCode::OK);
    graph.world.sandbox.shutdown().await;
}
