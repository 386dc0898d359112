//! A.2, A.3: the parts of a version, and the effects of a `PUT` and a `PATCH` on it.

use super::*;

/// A put inherits neither tags nor content type nor attributes from the previous version.
#[tokio::test]
async fn put_inherits_nothing_from_older_version() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let full = json!({"value": "one", "contentType": "text/plain", "tags": {"a": "b"},
        "attributes": {"enabled": false, "nbf": 1_795_305_600, "exp": 1_803_081_600}});
    let first = asker.put("it", full).await.body;
    let second = asker.put("it", json!({"value": "two"})).await.body;
    let members = |body: &Value| body.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(members(&first), "attributes contentType id tags value");
    assert_eq!(members(&second), "attributes id value");
    assert_eq!(
        members(&first["attributes"]),
        "created enabled exp nbf recoverableDays recoveryLevel updated"
    );
    assert_eq!(members(&second["attributes"]), "created enabled recoverableDays recoveryLevel updated");
    assert_eq!(second["attributes"]["enabled"], true);
    assert_eq!(second["attributes"]["recoveryLevel"], "Recoverable+Purgeable");
    assert_eq!(second["attributes"]["recoverableDays"], 90);
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn a_version_has_32_small_hexadecimal_digits() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let version = asker.put_text("it", "text").await;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    assert!(version.len() == 32 && version.bytes().all(is_digit), "{version}");
    world.sandbox.shutdown().await;
}

/// A patch replaces the tags as a whole and leaves every member it does not contain unchanged.
#[tokio::test]
async fn patch_replaces_tags_and_keeps_rest() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let full = json!({"value": "one", "contentType": "text/plain", "tags": {"a": "b"},
        "attributes": {"nbf": 1_795_305_600, "exp": 1_803_081_600}});
    let version = last_segment(&asker.put("it", full).await.body["id"]);
    asker.wait(Duration::seconds(5)).await;
    let quiet =
        asker.patch(&format!("it/{version}"), json!({"attributes": {"exp": 1_900_000_000}})).await.body;
    assert_eq!((&quiet["tags"], &quiet["contentType"]), (&json!({"a": "b"}), &json!("text/plain")));
    assert_eq!((&quiet["attributes"]["nbf"], quiet.get("value")), (&json!(1_795_305_600), None));
    let attributes = &quiet["attributes"];
    let updated = attributes["updated"].as_i64().unwrap();
    assert_eq!(
        (attributes["created"].as_i64().unwrap() + 5, &attributes["enabled"]),
        (updated, &json!(true))
    );
    let tagged = asker.patch(&format!("it/{version}"), json!({"tags": {"c": "d"}})).await.body;
    assert_eq!((&tagged["tags"], &tagged["attributes"]["exp"]), (&json!({"c": "d"}), &json!(1_900_000_000)));
    let emptied = asker.patch(&format!("it/{version}"), json!({"tags": {}})).await.body;
    assert_eq!(emptied.get("tags"), None);
    world.sandbox.shutdown().await;
}

/// A patch with a version id changes that version, and a patch without one changes the current version.
#[tokio::test]
async fn patch_without_version_changes_current() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let older = asker.put_text("it", "one").await;
    let current = asker.put_text("it", "two").await;
    let by_id = asker.patch(&format!("it/{older}"), json!({"tags": {"which": "older"}})).await.body;
    let without = asker.patch("it/", json!({"tags": {"which": "current"}})).await.body;
    assert_eq!((last_segment(&by_id["id"]), last_segment(&without["id"])), (older.clone(), current));
    let read = asker.get(&format!("secrets/it/{older}")).await.body;
    assert_eq!((&read["tags"]["which"], &read["value"]), (&json!("older"), &json!("one")));
    world.sandbox.shutdown().await;
}

/// A secret can be read before its `nbf` date and after its `exp` date.
#[tokio::test]
async fn secret_is_readable_outside_its_validity() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    for attributes in [json!({"exp": 1_000_000_000}), json!({"nbf": 4_000_000_000_u32})] {
        asker.put("it", json!({"value": "text", "attributes": attributes})).await;
        assert_eq!(asker.get("secrets/it").await.body["value"], "text");
    }
    world.sandbox.shutdown().await;
}

/// Two puts within one second have the same creation date, and the later one is the current version.
#[tokio::test]
async fn same_second_puts_share_a_date() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    asker.wait(Duration::milliseconds(100)).await;
    let first = asker.put("it", json!({"value": "first"})).await.body;
    asker.wait(Duration::milliseconds(800)).await;
    let second = asker.put("it", json!({"value": "second"})).await.body;
    assert_eq!(first["attributes"]["created"], second["attributes"]["created"]);
    assert_ne!(first["id"], second["id"]);
    assert_eq!(asker.get("secrets/it").await.body["value"], "second");
    asker.wait(Duration::milliseconds(200)).await;
    let third = asker.put("it", json!({"value": "third"})).await.body;
    assert_ne!(second["attributes"]["created"], third["attributes"]["created"]);
    world.sandbox.shutdown().await;
}

/// A secret's path may end in a slash, and `outContentType` has no effect on a secret that is not a certificate.
#[tokio::test]
async fn trailing_slash_and_content_type_are_ignored() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    asker.put_text("it", "text").await;
    assert_eq!(asker.get("secrets/it/").await.body["value"], "text");
    let pem = format!("{}&outContentType=application/x-pem-file", asker.url("secrets/it"));
    assert_eq!(asker.send(Method::GET, &pem, None).await.body["value"], "text");
    world.sandbox.shutdown().await;
}
