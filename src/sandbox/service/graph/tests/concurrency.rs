//! Writes to one application that overlap.

use serde_json::json;

use super::*;

/// Parallel writes to one application partly fail with 409, and each one that succeeds is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_writes_to_one_application_conflict() {
    let graph = Graph::start().await;
    let (mut made, mut conflicts) = (Vec::new(), 0);
    // Usually the first round is enough; connections have to be opened first.
    for _ in 0..20 {
        let add = format!("{}/addPassword", graph.path(0));
        let body = json!({});
        let replies = futures::future::join_all((0..10).map(|_| graph.post(&add, &body))).await;
        for reply in replies {
            if reply.status == StatusCode::OK {
                made.push(reply.body["keyId"].clone());
            } else {
                assert_eq!(reply.refusal(), (409, "Directory_ConcurrencyViolation"));
                conflicts += 1;
            }
        }
        if conflicts > 0 {
            break;
        }
    }
    assert!(conflicts > 0 && !made.is_empty(), "{conflicts} conflicts, {} made", made.len());
    graph.pass(time::Duration::minutes(1)).await;
    let shown = graph.get(&graph.path(0)).await;
    let shown = shown.body["passwordCredentials"].as_array().unwrap();
    assert_eq!(shown.len(), made.len() + 1);
    assert!(made.iter().all(|key_id| shown.iter().any(|one| one["keyId"] == *key_id)));
    graph.world.sandbox.shutdown().await;
}

/// A client that waits for each reply before its next write never gets a conflict.
#[tokio::test]
async fn sequential_writes_never_conflict() {
    let graph = Graph::start().await;
    for _ in 0..30 {
        let made = graph.post(&format!("{}/addPassword", graph.path(0)), &json!({})).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    }
    graph.world.sandbox.shutdown().await;
}

/// A write without permission gets 403 and a write to an unknown application gets 404, even during another write.
#[tokio::test]
async fn invalid_write_gets_no_conflict() {
    let graph = Graph::start().await;
    let reader = graph.as_daemon_with(&["Application.Read.All"]).await;
    let (azure, change) = (&graph.world.sandbox.azure, json!({"tags": []}));
    let ids = [graph.managed(0).object_id, Uuid::nil(), Uuid::from_u128(1)];
    let writing = ids.map(|id| azure.model.begin_write(id).unwrap());
    let paths = ids.map(|id| format!("/applications/{id}"));
    assert_eq!(graph.send(Method::PATCH, &paths[0], &change).await.refusal().0, 409);
    assert_eq!(graph.send_as(&reader, Method::PATCH, &paths[0], &change).await.refusal().0, 403);
    let by_client_id = format!("/applications(appId='{}')", Uuid::from_u128(1));
    for path in [&paths[1], &paths[2], &by_client_id] {
        assert_eq!(graph.send(Method::PATCH, path, &change).await.refusal().0, 404, "{path}");
    }
    drop(writing);
    graph.world.sandbox.shutdown().await;
}
