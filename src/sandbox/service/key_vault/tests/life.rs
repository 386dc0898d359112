//! A.1, A.4: a secret is deleted, recovered, purged, backed up and restored.

use super::*;

/// Longer than any transition takes.
const LONG: Duration = Duration::seconds(10);

/// A deleted secret is hidden at once and listed as deleted some seconds later, with its deletion and purge dates.
#[tokio::test]
async fn deleted_secret_appears_later_with_dates() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    asker.put("it", json!({"value": "text", "contentType": "a", "tags": {"b": "c"}})).await;
    let begun = asker.now().unix_timestamp();
    let deleted = asker.delete("secrets/it").await;
    assert_eq!(deleted.status, StatusCode::OK);
    let (vault, body) = (&world.at.vaults[0].url, &deleted.body);
    assert_eq!(body["recoveryId"], format!("{vault}/deletedsecrets/it"));
    assert_eq!(body["deletedDate"], begun);
    assert_eq!(body["scheduledPurgeDate"], begun + 90 * 86_400);
    assert_eq!(
        (&body["contentType"], &body["tags"]["b"], body.get("value")),
        (&json!("a"), &json!("c"), None)
    );
    for path in ["deletedsecrets/it", "secrets/it"] {
        assert_eq!(asker.get(path).await.problem(), "404 SecretNotFound -", "{path}");
    }
    asker.wait(LONG).await;
    let shown = asker.get("deletedsecrets/it").await;
    assert_eq!((shown.status, &shown.body), (StatusCode::OK, body));
    assert_eq!(asker.get("secrets/it").await.problem(), "404 SecretNotFound -");
    world.sandbox.shutdown().await;
}

/// A deletion becomes visible between 1.9 and 6 seconds after the request.
#[tokio::test]
async fn deletion_completes_between_two_poll_limits() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    for number in 0..5 {
        let name = format!("it-{number}");
        asker.put_text(&name, "text").await;
        asker.delete(&format!("secrets/{name}")).await;
        asker.wait(Duration::milliseconds(1900)).await;
        assert_eq!(asker.get(&format!("deletedsecrets/{name}")).await.status, StatusCode::NOT_FOUND);
        asker.wait(Duration::milliseconds(4100)).await;
        assert_eq!(asker.get(&format!("deletedsecrets/{name}")).await.status, StatusCode::OK);
    }
    world.sandbox.shutdown().await;
}

/// A put on a secret being deleted, already deleted or being recovered is a conflict with a code for that state.
#[tokio::test]
async fn put_conflicts_by_deletion_state() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    asker.put_text("it", "text").await;
    let body = || json!({"value": "another"});
    asker.delete("secrets/it").await;
    let being_deleted = asker.put("it", body()).await;
    assert_eq!(being_deleted.problem(), "409 Conflict ObjectIsBeingDeleted");
    asker.wait(LONG).await;
    let deleted = asker.put("it", body()).await;
    assert_eq!(deleted.problem(), "409 Conflict ObjectIsDeletedButRecoverable");
    let message = "Secret it is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the secret can only be recovered or purged.";
    assert_eq!(deleted.message(), message);
    asker.post("deletedsecrets/it/recover", None).await;
    let being_recovered = asker.put("it", body()).await;
    assert_eq!(being_recovered.problem(), "409 Conflict ObjectIsBeingRecovered");
    assert_eq!(being_recovered.message(), "Secret it is currently being recovered, retry later.");
    asker.wait(LONG).await;
    assert_eq!(asker.put("it", body()).await.status, StatusCode::OK);
    world.sandbox.shutdown().await;
}

/// Recovering a deleted secret restores every version with its value, tags and dates.
#[tokio::test]
async fn recovery_restores_every_version_unchanged() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let first = asker.put("it", json!({"value": "one", "tags": {"a": "b"}})).await.body;
    asker.wait(Duration::hours(1)).await;
    asker.put_text("it", "two").await;
    let versions = asker.get("secrets/it/versions").await.body;
    asker.delete("secrets/it").await;
    asker.wait(LONG).await;
    let recovered = asker.post("deletedsecrets/it/recover", None).await;
    assert_eq!((recovered.status, recovered.body.get("value")), (StatusCode::OK, None));
    assert_eq!(asker.get("secrets/it").await.problem(), "404 SecretNotFound -");
    asker.wait(LONG).await;
    assert_eq!(asker.get("secrets/it/versions").await.body, versions);
    let again = asker.get(&format!("secrets/it/{}", last_segment(&first["id"]))).await;
    assert_eq!(again.body, first);
    assert_eq!(asker.get("secrets/it").await.body["value"], "two");
    assert_eq!(asker.get("deletedsecrets/it").await.problem(), "404 SecretNotFound -");
    world.sandbox.shutdown().await;
}

/// A secret under recovery can be read while a put is still refused as a conflict.
#[tokio::test]
async fn recovered_secret_reads_before_it_writes() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    asker.put_text("it", "text").await;
    asker.delete("secrets/it").await;
    asker.wait(LONG).await;
    asker.post("deletedsecrets/it/recover", None).await;
    for _ in 0..100 {
        if asker.get("secrets/it").await.status == StatusCode::OK {
            break;
        }
        asker.wait(Duration::milliseconds(100)).await;
    }
    assert_eq!(asker.get("secrets/it").await.status, StatusCode::OK);
    let put = asker.put("it", json!({"value": "another"})).await;
    assert_eq!(put.problem(), "409 Conflict ObjectIsBeingRecovered");
    world.sandbox.shutdown().await;
}

/// A purge answers 204 without a body, and the name can then be used for a new secret.
#[tokio::test]
async fn purge_gives_204_and_frees_name() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    asker.put_text("it", "text").await;
    assert_eq!(asker.delete("deletedsecrets/it").await.problem(), "404 SecretNotFound -");
    asker.delete("secrets/it").await;
    assert_eq!(asker.delete("deletedsecrets/it").await.problem(), "409 Conflict ObjectIsBeingDeleted");
    asker.wait(LONG).await;
    let purged = asker.delete("deletedsecrets/it").await;
    assert_eq!((purged.status, &purged.body), (StatusCode::NO_CONTENT, &Value::Null));
    let gone = asker.get("deletedsecrets/it").await;
    assert_eq!(gone.problem(), "404 SecretNotFound -");
    assert_eq!(gone.message(), "Deleted Secret not found: it");
    assert_eq!(asker.put("it", json!({"value": "new"})).await.status, StatusCode::OK);
    assert_eq!(asker.get("secrets/it/versions").await.body["value"].as_array().unwrap().len(), 1);
    world.sandbox.shutdown().await;
}

/// A deleted secret is purged automatically when the vault's retention period ends.
#[tokio::test]
async fn deleted_secret_expires_after_vault_retention() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let status = asker.control("vaults/vault-1", json!({"retention_days": 7})).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    let put = asker.put("it", json!({"value": "text"})).await.body;
    assert_eq!(put["attributes"]["recoveryLevel"], "CustomizedRecoverable+Purgeable");
    assert_eq!(put["attributes"]["recoverableDays"], 7);
    let deleted = asker.delete("secrets/it").await.body;
    assert_eq!(deleted["scheduledPurgeDate"], asker.now().unix_timestamp() + 7 * 86_400);
    asker.wait(Duration::days(7) - Duration::seconds(1)).await;
    // The token is the client's, which uses real time.
    assert_eq!(asker.get("deletedsecrets/it").await.status, StatusCode::OK);
    asker.wait(Duration::seconds(1)).await;
    assert_eq!(asker.get("deletedsecrets/it").await.status, StatusCode::NOT_FOUND);
    assert_eq!(asker.put("it", json!({"value": "text"})).await.status, StatusCode::OK);
    world.sandbox.shutdown().await;
}

/// Restoring a backup brings back all versions with their state, and the response contains no value.
#[tokio::test]
async fn backup_restores_versions_without_showing_values() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let first = asker.put_text("it", "one").await;
    let second = asker.put_text("it", "two").await;
    asker.patch(&format!("it/{second}"), json!({"attributes": {"enabled": false}})).await;
    let backup = asker.post("secrets/it/backup", None).await.body;
    assert_eq!(backup.as_object().unwrap().len(), 1);
    let restore = || asker.post("secrets/restore", Some(backup.clone()));
    assert_eq!(restore().await.problem(), "409 Conflict -");
    asker.delete("secrets/it").await;
    asker.wait(LONG).await;
    assert_eq!(restore().await.problem(), "409 Conflict ObjectIsDeletedButRecoverable");
    asker.delete("deletedsecrets/it").await;
    let restored = restore().await;
    assert_eq!((restored.status, restored.body.get("value")), (StatusCode::OK, None));
    assert_eq!(last_segment(&restored.body["id"]), second);
    assert_eq!(asker.get("secrets/it").await.problem(), "403 Forbidden SecretDisabled");
    assert_eq!(asker.get(&format!("secrets/it/{first}")).await.body["value"], "one");
    for broken in [json!({"value": "bm9uc2Vuc2U"}), json!({})] {
        let refused = asker.post("secrets/restore", Some(broken)).await;
        assert_eq!(refused.problem(), "400 BadParameter -");
    }
    world.sandbox.shutdown().await;
}

/// The sandbox state lists a deleted secret until it is purged and never contains a secret's value.
#[tokio::test]
async fn state_shows_deleted_secrets_without_values() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    asker.control("vaults/vault-1", json!({"retention_days": 7})).await;
    asker.put_text("it", "a unique text").await;
    asker.post("secrets/it/backup", None).await;
    asker.delete("secrets/it").await;
    let url = format!("{}/_sandbox/state", world.at.authority);
    let state = || async { world.http.get(&url).send().await.unwrap().text().await.unwrap() };
    let text = state().await;
    let shown: Value = serde_json::from_str(&text).unwrap();
    let secrets = shown["vaults"][0]["secrets"].as_array().unwrap();
    let marks: Vec<_> = secrets.iter().map(|secret| (&secret["name"], secret.get("deleted"))).collect();
    assert!(marks.contains(&(&json!("it"), Some(&json!(true)))), "{marks:?}");
    assert!(marks.contains(&(&json!("app-01"), None)), "{marks:?}");
    assert!(!text.contains("a unique text"));
    asker.wait(Duration::days(7)).await;
    assert!(!state().await.contains("\"it\""));
    world.sandbox.shutdown().await;
}
