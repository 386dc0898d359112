//! `$batch`: many requests in one, each with its own outcome.

use serde_json::json;

use super::*;
use crate::sandbox::model::TimelineEventKind;
use crate::sandbox::{FaultKind, ScriptedFault, Service};

async fn responses(graph: &Graph, steps: &Value) -> Vec<Value> {
    let reply = graph.post("/$batch", &json!({"requests": steps})).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    let mut responses = reply.body["responses"].as_array().unwrap().clone();
    responses.sort_by_key(|response| response["id"].as_str().unwrap().to_owned());
    responses
}

fn get(id: usize, url: &str) -> Value {
    json!({"id": id.to_string(), "method": "GET", "url": url})
}

/// Every step of a batch gets a response, and a step that depends on a failed one gets 424.
#[tokio::test]
async fn failed_step_fails_its_dependants() {
    let graph = Graph::start().await;
    let add = json!({"id": "2", "method": "POST", "url": format!("{}/addPassword", graph.path(0)),
        "headers": {"Content-Type": "application/json"}, "body": {"passwordCredential": {"displayName": "b"}},
        "dependsOn": ["1"]});
    let missing = json!({"id": "3", "method": "GET", "url": format!("/applications/{}", Uuid::from_u128(1)), "dependsOn": ["2"]});
    let depends = json!({"id": "4", "method": "GET", "url": graph.path(0), "dependsOn": ["3"]});
    let unknown = get(5, "/users");
    let filter = format!("applications?$filter=appId eq '{}'", graph.managed(0).client_id);
    let responses = responses(&graph, &json!([get(1, &filter), add, missing, depends, unknown])).await;
    let statuses: Vec<_> = responses.iter().map(|response| response["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 404, 424, 501]);
    assert_eq!(responses[0]["body"]["value"].as_array().unwrap().len(), 1);
    assert_eq!(responses[1]["body"]["displayName"], "b");
    assert!(responses[1]["headers"]["Content-Type"].as_str().unwrap().starts_with("application/json"));
    assert_eq!(responses[2]["body"]["error"]["code"], "Request_ResourceNotFound");
    graph.world.sandbox.shutdown().await;
}

#[tokio::test]
async fn a_429_hides_inside_a_200() {
    let graph = Graph::start().await;
    graph.world.sandbox.script_faults(vec![ScriptedFault {
        service: Some(Service::Graph),
        method: None,
        path_contains: Some(graph.managed(1).object_id.to_string()),
        kind: FaultKind::Throttled,
        count: 1,
    }]);
    let steps = json!([get(1, &graph.path(0)), get(2, &graph.path(1)), get(3, &graph.path(2))]);
    let answered = responses(&graph, &steps).await;
    let statuses: Vec<_> = answered.iter().map(|response| response["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 429, 200]);
    assert_eq!(answered[1]["body"]["error"]["code"], "TooManyRequests");
    // The quota counts them, too: five reports in ten seconds.
    let steps: Vec<_> = (1..=8).map(|id| get(id, "/reports/appCredentialSignInActivities")).collect();
    let reply = graph.post("/beta/$batch", &json!({"requests": steps})).await;
    let throttled = reply.body["responses"].as_array().unwrap().iter().filter(|one| one["status"] == 429);
    let waits: Vec<_> =
        throttled.map(|one| one["headers"]["Retry-After"].as_str().unwrap().to_owned()).collect();
    assert_eq!((reply.status, waits), (StatusCode::OK, vec!["10".to_owned(); 3]));
    graph.world.sandbox.shutdown().await;
}

/// A step whose reply is lost takes effect and gets 504, and the responses of a batch come in any order.
#[tokio::test]
async fn lost_step_takes_effect() {
    let graph = Graph::start().await;
    graph.world.sandbox.script_faults(vec![ScriptedFault {
        service: Some(Service::Graph),
        method: None,
        path_contains: Some("addPassword".to_owned()),
        kind: FaultKind::LostReply,
        count: 1,
    }]);
    let add =
        json!({"id": "1", "method": "POST", "url": format!("{}/addPassword", graph.path(0)), "body": {}});
    assert_eq!(responses(&graph, &json!([add])).await[0]["status"], 504);
    assert_eq!(graph.world.sandbox.summary().issued, 1);
    let steps: Vec<_> = (1..=20).map(|id| get(id, &graph.path(0))).collect();
    let reply = graph.post("/$batch", &json!({"requests": steps})).await;
    let ids: Vec<_> =
        reply.body["responses"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    let asked: Vec<_> = (1..=20).map(|id: usize| json!(id.to_string())).collect();
    assert!(ids != asked && asked.iter().all(|id| ids.contains(id)), "{ids:?}");
    graph.world.sandbox.shutdown().await;
}

/// A batch with too many steps, a repeated id, a dependency cycle or a bad token is refused as a whole.
#[tokio::test]
async fn invalid_batch_is_refused_whole() {
    let graph = Graph::start().await;
    let many: Vec<_> = (1..=21).map(|id| get(id, "/applications")).collect();
    let twice = json!([get(1, "/applications"), get(1, "/applications")]);
    let circle = json!([{"id": "1", "method": "GET", "url": "/applications", "dependsOn": ["1"]}]);
    for steps in [json!(many), twice, circle, json!("x")] {
        let refused = graph.post("/$batch", &json!({"requests": steps})).await;
        assert_eq!(refused.refusal(), (400, "BadRequest"));
    }
    let refused = graph.send_as("nonsense", Method::POST, "/$batch", &json!({"requests": []})).await;
    assert_eq!(refused.refusal(), (401, "InvalidAuthenticationToken"));
    graph.world.sandbox.shutdown().await;
}

/// Each step of a batch counts as a request, and a fault injected into one is recorded on the timeline.
#[tokio::test]
async fn each_step_counts_as_a_request() {
    let graph = Graph::start().await;
    let model = graph.world.sandbox.model();
    graph.world.sandbox.script_faults(vec![ScriptedFault {
        service: Some(Service::Graph),
        method: None,
        path_contains: Some(graph.managed(1).object_id.to_string()),
        kind: FaultKind::Unavailable,
        count: 1,
    }]);
    let (mut timeline, before) = (model.timeline(), graph.world.sandbox.summary().requests.graph);
    let steps: Vec<_> = (0..3).map(|index| get(index, &graph.path(index))).collect();
    assert_eq!(responses(&graph, &json!(steps)).await[1]["status"], 503);
    assert_eq!(graph.world.sandbox.summary().requests.graph - before, 4, "the batch and its three steps");
    let event = timeline.try_recv().unwrap();
    assert_eq!(event.kind, TimelineEventKind::FaultInjected);
    assert!(event.detail.starts_with("Unavailable for GET /v1.0/applications/"), "{}", event.detail);
    assert!(timeline.try_recv().is_err());
    graph.world.sandbox.shutdown().await;
}
