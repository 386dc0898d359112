//! A.3, A.5: refused requests, and the operations that a disabled version still permits.

use super::*;

#[tokio::test]
async fn an_api_version_is_required_and_known() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let read = |query: &str| format!("{}/secrets/app-01{query}", world.at.vaults[0].url);
    let known = "2015-06-01 2016-10-01 7.0 7.1 7.2 7.3 7.4 7.5 7.6 2025-07-01 2026-04-01";
    for version in known.split(' ') {
        let reply = asker.send(Method::GET, &read(&format!("?api-version={version}")), None).await;
        assert_eq!(reply.status, StatusCode::OK, "{version}");
    }
    for query in ["", "?api-version=", "?api-version=7.7", "?api-version=2026-05-01-preview"] {
        let refused = asker.send(Method::GET, &read(query), None).await;
        assert_eq!(refused.problem(), "400 BadParameter -", "{query}");
    }
    world.sandbox.shutdown().await;
}

/// A request for a missing secret or version gets `SecretNotFound` with its name in the message.
#[tokio::test]
async fn missing_secret_is_named_in_error() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let version = "0".repeat(32);
    for (path, name) in [
        ("secrets/nothing".to_owned(), "nothing".to_owned()),
        ("secrets/nothing/versions".to_owned(), "nothing".to_owned()),
        (format!("secrets/app-01/{version}"), format!("app-01/{version}")),
    ] {
        let reply = asker.get(&path).await;
        assert_eq!(reply.problem(), "404 SecretNotFound -");
        let message = format!(
            "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret you may be able to recover it using the correct recovery command. For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182"
        );
        assert_eq!(reply.message(), message);
    }
    for reply in [
        asker.delete("secrets/nothing").await,
        asker.post("secrets/nothing/backup", None).await,
        asker.patch("nothing", json!({})).await,
        asker.post("deletedsecrets/nothing/recover", None).await,
        asker.delete("deletedsecrets/nothing").await,
    ] {
        assert_eq!(reply.problem(), "404 SecretNotFound -");
    }
    world.sandbox.shutdown().await;
}

/// Every operation answers an invalid secret name with `BadParameter` and includes the name in the message.
#[tokio::test]
async fn invalid_secret_name_is_bad_parameter() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    for (method, path, body) in [
        (Method::GET, "secrets/not_it", None),
        (Method::GET, "secrets/not_it/0", None),
        (Method::GET, "secrets/not_it/versions", None),
        (Method::PUT, "secrets/not_it", Some(json!({"value": "text"}))),
        (Method::PATCH, "secrets/not_it", Some(json!({}))),
        (Method::DELETE, "secrets/not_it", None),
        (Method::POST, "secrets/not_it/backup", None),
        (Method::GET, "deletedsecrets/not_it", None),
        (Method::POST, "deletedsecrets/not_it/recover", None),
        (Method::DELETE, "deletedsecrets/not_it", None),
    ] {
        let refused = asker.send(method.clone(), &asker.url(path), body).await;
        assert_eq!(refused.problem(), "400 BadParameter -", "{method} {path}");
        assert_eq!(refused.message(), "The request URI contains an invalid name: not_it");
    }
    world.sandbox.shutdown().await;
}

/// A put with a missing value or a member of the wrong type is refused with `BadParameter`.
#[tokio::test]
async fn unreadable_body_is_bad_parameter() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    for body in [json!({}), json!({"value": 1}), json!({"value": "a", "attributes": {"exp": "soon"}})] {
        assert_eq!(asker.put("it", body).await.problem(), "400 BadParameter -");
    }
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn unmodelled_request_gets_501() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    for path in ["keys", "certificates/x", "secrets/app-01/pending/more", "storage"] {
        assert_eq!(asker.get(path).await.problem(), "501 NotModelledBySandbox -", "{path}");
    }
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn a_disabled_version_is_only_not_read() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let version = asker.put_text("it", "text").await;
    let switch = |enabled: bool| json!({"attributes": {"enabled": enabled}});
    let patched = asker.patch(&format!("it/{version}"), switch(false)).await;
    assert_eq!((patched.status, &patched.body["attributes"]["enabled"]), (StatusCode::OK, &json!(false)));
    for path in ["secrets/it".to_owned(), format!("secrets/it/{version}")] {
        let refused = asker.get(&path).await;
        assert_eq!(refused.problem(), "403 Forbidden SecretDisabled");
        assert_eq!(refused.message(), "Operation get is not allowed on a disabled secret.");
    }
    let tagged = asker.patch(&format!("it/{version}"), json!({"tags": {"a": "b"}})).await;
    assert_eq!((tagged.status, &tagged.body["tags"]["a"]), (StatusCode::OK, &json!("b")));
    let listed = asker.get("secrets/it/versions").await.body;
    assert_eq!(listed["value"][0]["attributes"]["enabled"], false);
    let all = asker.get("secrets").await.body;
    assert_eq!(all["value"].as_array().unwrap().len(), 3);
    assert_eq!(asker.post("secrets/it/backup", None).await.status, StatusCode::OK);
    asker.patch(&format!("it/{version}"), switch(true)).await;
    assert_eq!(asker.get("secrets/it").await.body["value"], "text");
    asker.patch(&format!("it/{version}"), switch(false)).await;
    assert_eq!(asker.delete("secrets/it").await.status, StatusCode::OK);
    world.sandbox.shutdown().await;
}

/// Disabling an older version makes only that version unreadable; the newest one can still be read.
#[tokio::test]
async fn disabled_older_version_hides_no_newer() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let older = asker.put_text("it", "one").await;
    asker.put_text("it", "two").await;
    asker.patch(&format!("it/{older}"), json!({"attributes": {"enabled": false}})).await;
    assert_eq!(asker.get("secrets/it").await.body["value"], "two");
    assert_eq!(asker.get(&format!("secrets/it/{older}")).await.status, StatusCode::FORBIDDEN);
    world.sandbox.shutdown().await;
}
