//! `addPassword` and `removePassword`: all their responses.

use secrecy::ExposeSecret;
use serde_json::json;
use time::Duration;

use super::*;

/// `addPassword` returns 200 and exactly the documented members, with or without a request body.
#[tokio::test]
async fn new_password_has_documented_members() {
    let graph = Graph::start().await;
    let add = format!("{}/addPassword", graph.path(0));
    for body in
        [json!({}), json!({"passwordCredential": null}), json!({"passwordCredential": {}}), Value::Null]
    {
        let made = graph.post(&add, &body).await;
        assert_eq!(made.status, StatusCode::OK, "{body}: 200, not 201");
        let members: Vec<_> = made.body.as_object().unwrap().keys().map(String::as_str).collect();
        let expected =
            "@odata.context customKeyIdentifier displayName endDateTime hint keyId secretText startDateTime";
        assert_eq!(members, expected.split_whitespace().collect::<Vec<_>>());
        let context = made.body["@odata.context"].as_str().unwrap();
        assert!(context.ends_with("/v1.0/$metadata#microsoft.graph.passwordCredential"), "{context}");
        assert_eq!(made.body["startDateTime"], "2026-01-01T00:00:00.0000000Z");
        assert_eq!(made.body["endDateTime"], "2028-01-01T00:00:00.0000000Z");
        let (text, hint) = (made.body["secretText"].as_str().unwrap(), made.body["hint"].as_str().unwrap());
        assert!(text.starts_with(hint) && hint.len() == 3 && (16..=64).contains(&text.len()));
    }
    graph.world.sandbox.shutdown().await;
}

/// `addPassword` ignores a `secretText` in the request, and refuses an invalid request with 400.
#[tokio::test]
async fn given_text_is_ignored_nonsense_refused() {
    let graph = Graph::start().await;
    let add = format!("/applications(appId='{}')/addPassword", graph.managed(0).client_id);
    let own = json!({"passwordCredential": {"secretText": "0123456789abcdef", "displayName": "mine"}});
    let made = graph.post(&add, &own).await;
    assert_eq!(made.body["displayName"], "mine");
    assert_ne!(made.body["secretText"], "0123456789abcdef");
    for body in [
        json!({"passwordCredential": "x"}),
        json!([1]),
        json!({"passwordCredential": {"endDateTime": "soon"}}),
        json!({"passwordCredential": {"endDateTime": "2020-01-01T00:00:00Z"}}),
    ] {
        assert_eq!(graph.post(&add, &body).await.refusal(), (400, "Request_BadRequest"), "{body}");
    }
    graph.world.sandbox.shutdown().await;
}

/// `removePassword` returns 204, or 400 with the key id if there is no such password.
#[tokio::test]
async fn unknown_password_is_named_in_400() {
    let graph = Graph::start().await;
    let (add, remove) =
        (format!("{}/addPassword", graph.path(0)), format!("{}/removePassword", graph.path(0)));
    let made = graph.post(&add, &json!({})).await;
    graph.pass(Duration::minutes(1)).await;
    let key_id = json!({"keyId": made.body["keyId"]});
    let removed = graph.post(&remove, &key_id).await;
    assert_eq!((removed.status, removed.body), (StatusCode::NO_CONTENT, Value::Null));
    let again = graph.post(&remove, &key_id).await;
    assert_eq!(again.refusal(), (400, "Request_BadRequest"));
    let expected =
        format!("No password credential found with keyId {}", made.body["keyId"]).replace('"', "'");
    assert!(again.message().starts_with(&expected), "{}", again.message());
    assert_eq!(graph.post(&remove, &json!({"keyId": "x"})).await.refusal(), (400, "Request_BadRequest"));
    let unknown = format!("/applications/{}/addPassword", Uuid::from_u128(1));
    assert_eq!(graph.post(&unknown, &json!({})).await.refusal(), (404, "Request_ResourceNotFound"));
    graph.world.sandbox.shutdown().await;
}

/// A password that would exceed the application's object size is refused with `Directory_ResourceSizeExceeded`.
#[tokio::test]
async fn oversized_object_refuses_another_password() {
    let graph = Graph::start().await;
    let control = |path: String| format!("{}/_sandbox/applications/{path}", graph.world.at.authority);
    let id = graph.managed(0).object_id.to_string();
    let change =
        graph.world.http.patch(control(id)).json(&json!({"signInAudience": "PersonalMicrosoftAccount"}));
    assert_eq!(change.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let add = format!("{}/addPassword", graph.path(0));
    assert_eq!(graph.post(&add, &json!({})).await.status, StatusCode::OK);
    let refused = graph.post(&add, &json!({})).await;
    assert_eq!(refused.refusal(), (403, "Directory_ResourceSizeExceeded"));
    assert!(refused.message().starts_with("The size of the object has exceeded its limit."));
    let wrong = graph.world.http.patch(control("x".to_owned())).json(&json!({"password": 1}));
    assert_eq!(wrong.send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    graph.world.sandbox.shutdown().await;
}

/// Only the response to `addPassword` contains a password's text; later reads and debug output never do.
#[tokio::test]
async fn only_add_password_reveals_the_text() {
    let graph = Graph::start().await;
    let made = graph.post(&format!("{}/addPassword", graph.path(0)), &json!({})).await;
    let text = made.body["secretText"].as_str().unwrap();
    let model = graph.world.sandbox.model();
    let credentials =
        |index| model.application(graph.managed(index).object_id, graph.world.sandbox.clock().now());
    let key_id = made.body["keyId"].as_str().unwrap();
    graph.pass(Duration::minutes(1)).await;
    for (path, shows_passwords) in
        [(graph.path(0), true), ("/applications".to_owned(), true), ("/servicePrincipals".to_owned(), false)]
    {
        let searched = graph.get(&path).await.body.to_string();
        assert_eq!((searched.contains(key_id), searched.contains(text)), (shows_passwords, false), "{path}");
    }
    let shown = credentials(0).unwrap();
    assert!(shown.credentials.iter().any(|one| one.text.expose_secret() == text));
    assert!(shown.credentials.iter().all(|one| !format!("{shown:?}").contains(one.text.expose_secret())));
    graph.world.sandbox.shutdown().await;
}
