//! The daemon's and the client's own applications: in Graph they are applications like others.

use serde_json::json;
use time::Duration;

use super::*;

/// The daemon's identity signs in with added passwords and is refused like any application when disabled or deleted.
#[tokio::test]
async fn service_identity_signs_in_with_own_password() {
    let graph = Graph::start().await;
    let daemon = &graph.world.sandbox.model().tenant().daemon;
    let (client_id, first) = (daemon.client_id, daemon.secret.expose_secret().to_owned());
    let (application, principal) =
        (format!("/applications(appId='{client_id}')"), format!("/servicePrincipals(appId='{client_id}')"));
    let made = graph.post(&format!("{application}/addPassword"), &json!({})).await;
    let second = made.body["secretText"].as_str().unwrap().to_owned();
    graph.pass(Duration::minutes(1)).await;
    let outcome = async |text: &str| {
        let (_, body) = graph.world.sign_in(client_id, text, &format!("{GRAPH}/.default")).await;
        body["error_codes"][0].clone()
    };
    let outcomes = async || [outcome(&first).await, outcome(&second).await];
    assert_eq!(outcomes().await, [Value::Null, Value::Null], "both sign in");
    assert_eq!(outcome("wrong").await, 7_000_215);
    let enable = async |enabled| {
        let body = json!({"accountEnabled": enabled});
        assert_eq!(graph.send(Method::PATCH, &principal, &body).await.status, StatusCode::NO_CONTENT);
    };
    enable(false).await;
    assert_eq!(outcomes().await, [7_000_112, 7_000_112]);
    enable(true).await;
    assert_eq!(outcomes().await, [Value::Null, Value::Null]);
    for (path, code) in [(&principal, 7_000_229), (&application, 700_016)] {
        assert_eq!(graph.send(Method::DELETE, path, &Value::Null).await.status, StatusCode::NO_CONTENT);
        assert_eq!(outcomes().await, [code, code]);
    }
    graph.world.sandbox.shutdown().await;
}
