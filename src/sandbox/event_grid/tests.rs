//! Event Grid in a whole sandbox: the events, their times and their schemas.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may stop here")]

use serde_json::json;
use time::Duration;
use uuid::Uuid;

use super::tests_world::{START, World};
use crate::sandbox::model::NewVersion;

/// The daemon's own subscription keeps events until its endpoint answers, then delivers all of them in sandbox time.
#[tokio::test]
async fn daemon_subscription_waits_for_its_endpoint() {
    let world = World::with_daemon((503, "")).await;
    world.put("it", 90);
    world.until(Duration::minutes(20)).await;
    let asked = world.receiver.all();
    assert!(
        asked.len() > 3 && asked.iter().all(|seen| seen.header("aeg-subscription-name") == "rekeyd-sandbox")
    );
    *world.receiver.handshake.lock().unwrap() = None;
    world.until(Duration::days(100)).await;
    assert_eq!(world.receiver.days("SecretNewVersionCreated"), [0], "kept until a subscriber listened");
    assert_eq!(world.receiver.days("SecretNearExpiry"), [60]);
    assert_eq!(world.receiver.days("SecretExpired"), [90]);
    let uris: Vec<_> = world.receiver.deliveries().into_iter().map(|seen| seen.uri).collect();
    assert!(uris.iter().all(|uri| uri == "/events/key-vault"), "{uris:?}");
    world.sandbox.shutdown().await;
}

/// An event has exactly the documented members in both the Event Grid schema and the CloudEvents schema.
#[tokio::test]
async fn events_match_both_documented_schemas() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    let cloud = json!({"eventDeliverySchema": "CloudEventSchemaV1_0"});
    world.subscribe("cloudy", json!({"url": format!("http://{}/cloud", world.address)}), cloud).await;
    let version = world.put("it", 90);
    world.a_minute().await;
    let seen = world.receiver.deliveries();
    let to = |path: &str| seen.iter().find(|seen| seen.uri.starts_with(path)).unwrap().json();
    let (grid, cloud) = (to("/hook")[0].clone(), to("/cloud"));
    let topic = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/sandbox/providers/Microsoft.KeyVault/vaults/vault-1";
    let vault = &world.sandbox.endpoints().vaults[0].url;
    let data = json!({
        "Id": format!("{}/secrets/it/{version}", vault.trim_end_matches('/')), "VaultName": "vault-1",
        "ObjectType": "Secret", "ObjectName": "it", "Version": version, "NBF": null,
        "EXP": (START + Duration::days(90)).unix_timestamp().to_string(),
    });
    let expected = json!({
        "id": grid["id"], "topic": topic, "subject": "it", "eventType": "Microsoft.KeyVault.SecretNewVersionCreated",
        "eventTime": "2026-01-01T00:00:00.0000000Z", "data": data, "dataVersion": "1", "metadataVersion": "1",
    });
    assert_eq!(grid, expected);
    let expected = json!({
        "specversion": "1.0", "id": grid["id"], "source": topic, "subject": "it",
        "type": "Microsoft.KeyVault.SecretNewVersionCreated", "time": "2026-01-01T00:00:00.0000000Z", "data": data,
    });
    assert_eq!(cloud, expected);
    assert!(Uuid::parse_str(grid["id"].as_str().unwrap()).is_ok());
    world.sandbox.shutdown().await;
}

/// A disabled version has the same events as an enabled one, and they do not show that it is disabled.
#[tokio::test]
async fn disabled_version_has_ordinary_events() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    let new = NewVersion {
        enabled: false,
        expires: Some(START + Duration::days(40)),
        ..NewVersion::of("text".into())
    };
    world.sandbox.model().put_secret("vault-1", "it", new, START).unwrap();
    world.until(Duration::days(50)).await;
    for (kind, day) in [("SecretNewVersionCreated", 0), ("SecretNearExpiry", 10), ("SecretExpired", 40)] {
        assert_eq!(world.receiver.days(kind), [day], "{kind}");
    }
    let shows_state = world.receiver.deliveries().iter().any(|seen| seen.text.contains("nabled"));
    assert!(!shows_state, "an event shows that its version is disabled");
    world.sandbox.shutdown().await;
}

/// A version that lives for less than 30 days is near expiry 15 minutes after its creation.
#[tokio::test]
async fn short_lived_version_nears_expiry_soon() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    world.put("it", 7);
    world.until(Duration::minutes(14)).await;
    assert_eq!(world.receiver.days("SecretNearExpiry"), [0; 0]);
    world.until(Duration::minutes(16)).await;
    assert_eq!(world.receiver.days("SecretNearExpiry"), [0]);
    world.sandbox.shutdown().await;
}

/// A patched expiry date moves the events of the current version, and a newer version cancels those of the older one.
#[tokio::test]
async fn patched_expiry_moves_events() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    let (moved, replaced) = (world.put("moved", 90), world.put("replaced", 90));
    world.patch("MOVED", &moved, 200);
    world.put("replaced", None);
    world.patch("replaced", &replaced, 100);
    world.until(Duration::days(150)).await;
    assert_eq!(world.receiver.days("SecretNearExpiry"), [0; 0]);
    world.until(Duration::days(180)).await;
    assert_eq!(world.receiver.days("SecretNearExpiry"), [170]);
    world.patch("moved", &moved, 200);
    world.until(Duration::days(185)).await;
    assert_eq!(world.receiver.days("SecretNearExpiry"), [170], "nothing has changed");
    world.patch("moved", &moved, 220);
    world.until(Duration::days(230)).await;
    assert_eq!(world.receiver.days("SecretNearExpiry"), [170, 190]);
    assert_eq!(world.receiver.days("SecretExpired"), [220]);
    world.sandbox.shutdown().await;
}

/// Patching an older version does not make the current version repeat an event that was already sent.
#[tokio::test]
async fn patching_old_version_repeats_no_event() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    let (older, current) = (world.put("it", 90), world.put("it", 90));
    world.until(Duration::days(65)).await;
    world.patch("it", &older, 200);
    world.a_minute().await;
    world.patch("it", &current, 90);
    world.until(Duration::days(70)).await;
    assert_eq!(world.receiver.days("SecretNearExpiry"), [60]);
    world.sandbox.shutdown().await;
}

/// A restored secret expires on the date in its backup and causes no `SecretNewVersionCreated` event.
#[tokio::test]
async fn restored_secret_keeps_expiry_of_backup() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    let version = world.put("it", 90);
    let model = world.sandbox.model();
    let backup = model.back_up("vault-1", "it", world.now()).unwrap();
    world.patch("it", &version, 200);
    world.a_minute().await;
    model.delete_secret("vault-1", "it", world.now()).unwrap();
    world.a_minute().await;
    model.purge_secret("vault-1", "it", world.now()).unwrap();
    model.restore("VAULT-1", &backup, world.now()).unwrap();
    world.until(Duration::days(210)).await;
    for (kind, days) in [("NewVersionCreated", 0), ("SecretNearExpiry", 60), ("SecretExpired", 90)] {
        assert_eq!(world.receiver.days(kind), [days], "{kind}");
    }
    world.sandbox.shutdown().await;
}

/// A deleted secret has no expiry events unless it is recovered.
#[tokio::test]
async fn deleted_secret_has_no_events() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    for name in ["deleted", "recovered"] {
        world.put(name, 40);
    }
    let model = world.sandbox.model();
    for name in ["deleted", "recovered"] {
        model.delete_secret("vault-1", name, world.now()).unwrap();
    }
    world.until(Duration::days(20)).await;
    assert_eq!(world.receiver.days("SecretNearExpiry"), [0; 0]);
    model.recover_secret("vault-1", "recovered", world.now()).unwrap();
    world.until(Duration::days(50)).await;
    assert_eq!(world.receiver.days("SecretExpired"), [40]);
    let expired: Vec<_> = world.receiver.deliveries().iter().map(|seen| seen.json()[0].clone()).collect();
    let mut expired = expired.iter().filter(|event| event["eventType"] == "Microsoft.KeyVault.SecretExpired");
    assert!(expired.all(|event| event["subject"] == "recovered"));
    world.sandbox.shutdown().await;
}

/// A subscription gets events only for versions that were created after it.
#[tokio::test]
async fn subscription_gets_only_later_versions() {
    let world = World::start().await;
    world.put("old", 40);
    world.until(Duration::hours(1)).await;
    world.subscribed(json!({}), json!({})).await;
    world.put("new", 50);
    world.until(Duration::days(60)).await;
    let subjects: Vec<_> = world.receiver.deliveries().iter().map(|seen| seen.json()[0].clone()).collect();
    assert!(subjects.len() >= 3 && subjects.iter().all(|event| event["subject"] == "new"), "{subjects:?}");
    world.sandbox.shutdown().await;
}

/// A filter selects events by type and by the start and end of the secret's name, ignoring case.
#[tokio::test]
async fn filter_matches_type_and_subject() {
    let world = World::start().await;
    let filter = json!({
        "includedEventTypes": ["Microsoft.KeyVault.SecretNewVersionCreated", "SecretExpired"],
        "subjectBeginsWith": "APP-", "subjectEndsWith": "-key",
    });
    world.subscribed(json!({}), json!({"filter": filter})).await;
    for name in ["app-one-key", "app-two", "other-key"] {
        world.put(name, 40);
    }
    world.until(Duration::days(50)).await;
    assert_eq!(world.receiver.days("SecretNearExpiry"), [0; 0]);
    assert_eq!(world.receiver.days("SecretExpired"), [40]);
    let seen = world.receiver.deliveries();
    assert!(seen.iter().all(|seen| seen.json()[0]["subject"] == "app-one-key"), "{seen:?}");
    world.sandbox.shutdown().await;
}

/// Some events are delivered twice with the same id, and some arrive out of order.
#[tokio::test]
async fn events_may_come_twice_or_late() {
    let world = World::start().await;
    world.subscribed(json!({}), json!({})).await;
    for number in 0..60 {
        world.put(&format!("it-{number:02}"), None);
    }
    world.until(Duration::minutes(5)).await;
    let events: Vec<_> = world.receiver.deliveries().iter().map(|seen| seen.json()[0].clone()).collect();
    let subjects: Vec<_> = events.iter().map(|event| event["subject"].as_str().unwrap().to_owned()).collect();
    let is_first = |(at, subject): &(usize, &String)| !subjects[..*at].contains(subject);
    let first_seen: Vec<_> =
        subjects.iter().enumerate().filter(is_first).map(|(_, subject)| subject).collect();
    assert!(!first_seen.is_sorted(), "{first_seen:?}");
    let mut ids: Vec<_> = events.iter().map(|event| event["id"].to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 60);
    assert!(events.len() > 60, "nothing came twice");
    world.sandbox.shutdown().await;
}
