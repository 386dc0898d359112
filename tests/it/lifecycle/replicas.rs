//! Several vaults: one credential in a primary and in replicas, any of which may fail, lag, or be changed by people.
//!
//! `vault-2/copy` is a replica of the first secret of the sandbox, which is in `vault-1`.

use rekeyd::domain::{Marker, SecretId};
use rekeyd::ports::Clock;
use rekeyd::sandbox::model::{NewVersion, Role, Scope, Version, VersionChange};
use rekeyd::sandbox::{FaultKind, Options, ScriptedFault, Service};
use secrecy::ExposeSecret;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::fleet::Fleet;
use crate::test_options::test_options;

const VAULT: &str = "vault-2";
const NAME: &str = "copy";

/// Starts a fleet that is reconciled every eight hours, and more
/// often after a failure. Time alone retires, and nothing is due.
async fn fleet() -> Fleet {
    let options = Options { secrets: 1, ..test_options("127.0.0.1:9".parse().unwrap()) };
    Fleet::start(options, |text| {
        text.replacen("[[secrets]]\n", &format!("[[secrets]]\nreplicas = [\"{VAULT}/{NAME}\"]\n"), 1)
            .replace("usage_gate = \"report\"", "usage_gate = \"off\"")
            .replace("overlap = \"7d\"", "overlap = \"1d\"")
            .replace("rotate_before = \"60d\"", "rotate_before = \"30d\"")
            .replace("0 3 * * *", "0 */8 * * *")
    })
    .await
}

/// Starts a fleet that has copied the first credential already.
async fn settled_fleet() -> Fleet {
    let fleet = fleet().await;
    let secret = fleet.secret(0);
    fleet.until(Duration::hours(2), |fleet| is_in_sync(fleet, &secret)).await;
    fleet
}

fn now(fleet: &Fleet) -> OffsetDateTime {
    fleet.sandbox.clock().now()
}

fn copy(fleet: &Fleet) -> Option<Version> {
    fleet.model().get_secret(VAULT, NAME, None, now(fleet)).ok()
}

fn copies(fleet: &Fleet) -> Vec<Version> {
    fleet.model().list_versions(VAULT, NAME, now(fleet)).unwrap_or_default()
}

fn is_in_sync(fleet: &Fleet, secret: &SecretId) -> bool {
    copy(fleet).is_some_and(|copy| copy.value.expose_secret() == fleet.text(secret).expose_secret())
}

/// Returns the replica's state as people see it, and the reason.
fn shown(fleet: &Fleet, secret: &SecretId) -> (&'static str, Option<String>) {
    let status = fleet.status(secret);
    let replica = &status.replicas[0];
    assert_eq!(replica.secret.to_string(), format!("{VAULT}/{NAME}"));
    (replica.state.label(), replica.state.error().map(str::to_owned))
}

async fn ask(fleet: &Fleet, secret: &SecretId, command: &str) {
    fleet.post(&format!("/api/v1/secrets/{secret}/{command}"), &Value::Null).await;
}

/// Requests a rotation, and runs the fleet until it is published in the primary.
async fn rotate(fleet: &Fleet, secret: &SecretId) {
    let before = fleet.text(secret);
    ask(fleet, secret, "rotate").await;
    let is_new = |fleet: &Fleet| fleet.text(secret).expose_secret() != before.expose_secret();
    fleet.until(Duration::hours(2), is_new).await;
}

fn daemon(fleet: &Fleet) -> uuid::Uuid {
    fleet.model().tenant().daemon.object_id
}

/// Removes the daemon's role on the replica's vault; `instead` it may have another one.
fn lock_vault(fleet: &Fleet, instead: Option<Role>) {
    let scope = Scope::Vault(VAULT.to_owned());
    assert!(fleet.model().remove_role(daemon(fleet), &scope, Role::SecretsOfficer));
    if let Some(role) = instead {
        fleet.model().assign_role(daemon(fleet), &scope, role);
    }
}

fn unlock_vault(fleet: &Fleet) {
    fleet.model().assign_role(daemon(fleet), &Scope::Vault(VAULT.to_owned()), Role::SecretsOfficer);
}

fn put_copy(fleet: &Fleet, new: NewVersion) {
    fleet.model().put_secret(VAULT, NAME, new, now(fleet)).unwrap();
}

fn live_credentials(fleet: &Fleet, secret: &SecretId) -> usize {
    let object_id = fleet.managed(secret).object_id;
    fleet.model().application(object_id, now(fleet)).unwrap().credentials.len()
}

fn assert_unharmed(fleet: &Fleet, secret: &SecretId) {
    assert_eq!((fleet.sign_in(secret), fleet.consumers_failed()), (Ok(()), 0));
}

/// A credential is published to every vault, and each replica shows its own state in the API and the metrics.
#[tokio::test]
async fn credential_is_published_to_every_vault() {
    let fleet = settled_fleet().await;
    let secret = fleet.secret(0);
    let first = fleet.text(&secret);
    rotate(&fleet, &secret).await;
    fleet.until(Duration::hours(1), |fleet| is_in_sync(fleet, &secret)).await;
    fleet.live(Duration::hours(1)).await;
    assert_eq!(shown(&fleet, &secret), ("in_sync", None));
    let primary = fleet.model().get_secret("vault-1", secret.name.as_str(), None, now(&fleet)).unwrap();
    let replica = copy(&fleet).unwrap();
    assert_eq!((replica.credential(), replica.expires), (primary.credential(), primary.expires));
    let (_, api) = fleet.get(&format!("/api/v1/secrets/{secret}")).await;
    assert_eq!(api["replicas"][0]["state"], "in_sync");
    let metric = format!("rekeyd_replica_state{{replica=\"{VAULT}/{NAME}\",state=\"in_sync\"}} 1");
    assert!(fleet.metrics_text().contains(&metric));
    fleet.live(Duration::days(2)).await;
    assert!(fleet.sign_in_with(&secret, &first).is_err(), "retired after the overlap");
    let enabled: Vec<_> = copies(&fleet).iter().map(|version| version.enabled).collect();
    assert_eq!(enabled, [false, true], "the replica's old version is disabled in the end");
    assert_unharmed(&fleet, &secret);
    fleet.end().await;
}

/// A replica that fails is repaired later, and the overlap counts from the last vault to receive the credential.
#[tokio::test]
async fn overlap_counts_from_last_repaired_vault() {
    // First the replica can't even be read, then it can be read but not written.
    for instead in [None, Some(Role::SecretsUser)] {
        let fleet = settled_fleet().await;
        let secret = fleet.secret(0);
        let first = fleet.text(&secret);
        lock_vault(&fleet, instead);
        rotate(&fleet, &secret).await;
        fleet.live(Duration::hours(30)).await;
        let (state, why) = shown(&fleet, &secret);
        assert_eq!((state, why.is_some()), ("unreadable", true), "{instead:?}");
        assert_eq!(fleet.status(&secret).reason.label(), "replica_behind", "{instead:?}");
        assert_eq!(fleet.sign_in_with(&secret, &first), Ok(()), "the replica's consumers still use it");
        unlock_vault(&fleet);
        fleet.until(Duration::hours(3), |fleet| is_in_sync(fleet, &secret)).await;
        fleet.live(Duration::days(1) - Duration::hours(1)).await;
        assert_eq!(fleet.sign_in_with(&secret, &first), Ok(()), "an overlap from the last vault on");
        fleet.live(Duration::hours(10)).await;
        assert!(fleet.sign_in_with(&secret, &first).is_err(), "retired after it");
        assert_eq!(fleet.summary().issued, 1);
        assert_unharmed(&fleet, &secret);
        fleet.end().await;
    }
}

/// A replica disabled by hand is not overwritten, and nothing is retired until it is enabled and in sync again.
#[tokio::test]
async fn disabled_replica_is_left_alone() {
    let fleet = settled_fleet().await;
    let secret = fleet.secret(0);
    let first = fleet.text(&secret);
    let enable = |enabled| VersionChange { enabled: Some(enabled), ..VersionChange::default() };
    fleet.model().patch(VAULT, NAME, "", enable(false), now(&fleet)).unwrap();
    rotate(&fleet, &secret).await;
    fleet.live(Duration::hours(30)).await;
    assert_eq!((shown(&fleet, &secret), copies(&fleet).len()), (("disabled", None), 1));
    assert_eq!(fleet.sign_in_with(&secret, &first), Ok(()), "nothing is retired meanwhile");
    fleet.model().patch(VAULT, NAME, "", enable(true), now(&fleet)).unwrap();
    fleet.until(Duration::hours(3), |fleet| is_in_sync(fleet, &secret)).await;
    assert_unharmed(&fleet, &secret);
    fleet.end().await;
}

/// A replica deleted by hand is not recreated, and nothing is retired until it is recovered and in sync again.
#[tokio::test]
async fn deleted_replica_is_left_alone() {
    let fleet = settled_fleet().await;
    let secret = fleet.secret(0);
    let first = fleet.text(&secret);
    fleet.model().delete_secret(VAULT, NAME, now(&fleet)).unwrap();
    rotate(&fleet, &secret).await;
    fleet.live(Duration::hours(30)).await;
    let (state, why) = shown(&fleet, &secret);
    assert_eq!(state, "unreadable");
    assert!(why.as_ref().is_some_and(|why| why.contains("ObjectIsDeletedButRecoverable")), "{why:?}");
    assert_eq!(fleet.sign_in_with(&secret, &first), Ok(()), "nothing is retired meanwhile");
    fleet.model().recover_secret(VAULT, NAME, now(&fleet)).unwrap();
    fleet.until(Duration::hours(3), |fleet| is_in_sync(fleet, &secret)).await;
    assert_unharmed(&fleet, &secret);
    fleet.end().await;
}

/// A replica whose tags claim the credential but whose text differs counts as out of sync and is repaired.
#[tokio::test]
async fn replica_with_wrong_text_is_repaired() {
    let fleet = settled_fleet().await;
    let secret = fleet.secret(0);
    let Version { tags, expires, .. } = copy(&fleet).unwrap();
    put_copy(&fleet, NewVersion { tags, expires, ..NewVersion::of("something else".into()) });
    fleet.until(Duration::hours(9), |fleet| is_in_sync(fleet, &secret)).await;
    assert_eq!(copies(&fleet).len(), 3);
    fleet.end().await;
}

/// A replica keeps its own tags and content type when a rotation copies a new credential to it.
#[tokio::test]
async fn replica_keeps_own_tags_and_content_type() {
    let fleet = settled_fleet().await;
    let secret = fleet.secret(0);
    let mut tags = copy(&fleet).unwrap().tags;
    tags.insert("Team".to_owned(), "theirs".to_owned());
    let content_type = Some("theirs".to_owned());
    let change = VersionChange { tags: Some(tags), content_type, ..VersionChange::default() };
    fleet.model().patch(VAULT, NAME, "", change, now(&fleet)).unwrap();
    rotate(&fleet, &secret).await;
    fleet.until(Duration::hours(2), |fleet| is_in_sync(fleet, &secret)).await;
    let copied = copy(&fleet).unwrap();
    assert_eq!(copied.tags.get("Team").map(String::as_str), Some("theirs"));
    assert_eq!(copied.content_type.as_deref(), Some("theirs"));
    fleet.end().await;
}

/// An orphaned credential that a replica holds is not revoked, while one that is held nowhere is.
#[tokio::test]
async fn only_orphans_held_nowhere_are_revoked() {
    let fleet = settled_fleet().await;
    let secret = fleet.secret(0);
    let object_id = fleet.managed(&secret).object_id;
    let name = Marker::of(&secret).display_name(&"0123456789abcdef".parse().unwrap());
    let end = Some(now(&fleet) + Duration::days(100));
    let orphan = || fleet.model().add_password(object_id, Some(&name), None, end, now(&fleet)).unwrap();
    let (held, lost) = (orphan(), orphan());
    let tags = [("CredentialId".to_owned(), held.key_id.to_string())].into();
    put_copy(&fleet, NewVersion { tags, expires: end, ..NewVersion::of(held.text.clone()) });
    fleet.live(Duration::days(2)).await;
    assert!(is_in_sync(&fleet, &secret), "the replica is repaired");
    let left = fleet.model().application(object_id, now(&fleet)).unwrap().credentials;
    let is_left = |key_id| left.iter().any(|credential| credential.key_id == key_id);
    assert_eq!((is_left(held.key_id), is_left(lost.key_id)), (true, false));
    fleet.end().await;
}

/// After a daemon is killed between two vaults, the next one
/// copies the credential to the replica without minting again.
#[tokio::test]
async fn restarted_daemon_finishes_copying_to_replica() {
    let mut fleet = settled_fleet().await;
    let secret = fleet.secret(0);
    let before = fleet.summary().published;
    ask(&fleet, &secret, "rotate").await;
    // The copy follows the publication by some seconds.
    for _ in 0..600 {
        fleet.live(Duration::SECOND).await;
        if !is_in_sync(&fleet, &secret) {
            break;
        }
    }
    assert!(!is_in_sync(&fleet, &secret), "published to the first vault only");
    fleet.restart().await;
    fleet.until(Duration::hours(1), |fleet| is_in_sync(fleet, &secret)).await;
    assert!(fleet.summary().published > before);
    assert_eq!((fleet.summary().issued, live_credentials(&fleet, &secret)), (1, 2));
    assert_unharmed(&fleet, &secret);
    fleet.end().await;
}

/// A replica with an unreadable old version does not hold up the primary secret; the version is disabled once readable.
#[tokio::test]
async fn unreadable_old_replica_version_delays_nothing() {
    let fleet = settled_fleet().await;
    let secret = fleet.secret(0);
    let old = copy(&fleet).unwrap().version;
    rotate(&fleet, &secret).await;
    fleet.until(Duration::hours(1), |fleet| is_in_sync(fleet, &secret)).await;
    let path_contains = Some(format!("/secrets/{NAME}/{old}"));
    let (service, method) = (Some(Service::KeyVault), Some("GET".to_owned()));
    let kind = FaultKind::Unavailable;
    fleet.sandbox.script_faults(vec![ScriptedFault { service, method, path_contains, kind, count: 100_000 }]);
    fleet.live(Duration::days(2)).await;
    assert_eq!(fleet.status(&secret).state.label(), "waiting", "{:#?}", fleet.status(&secret));
    rotate(&fleet, &secret).await;
    fleet.sandbox.stop_faults();
    fleet.live(Duration::days(2)).await;
    assert!(!copies(&fleet).iter().any(|version| version.version == old && version.enabled));
    assert_unharmed(&fleet, &secret);
    fleet.end().await;
}

/// A compromised credential is revoked, whatever a replica does; its consumers read the new one, or the replica's state
/// reports that they can't.
#[tokio::test]
async fn compromise_does_not_await_unwritable_replica() {
    let fleet = settled_fleet().await;
    let secret = fleet.secret(0);
    let first = fleet.text(&secret);
    lock_vault(&fleet, Some(Role::SecretsUser));
    fleet.post(&format!("/api/v1/secrets/{secret}/compromised"), &Value::Null).await;
    fleet.live(Duration::hours(2)).await;
    assert!(fleet.sign_in_with(&secret, &first).is_err(), "{:#?}", fleet.status(&secret));
    assert_eq!(fleet.sign_in(&secret), Ok(()));
    unlock_vault(&fleet);
    fleet.until(Duration::hours(3), |fleet| is_in_sync(fleet, &secret)).await;
    fleet.end().await;
}

/// A blocked rotation must not keep a replica from the text that consumers need.
#[tokio::test]
async fn replica_is_repaired_while_rotation_is_blocked() {
    let fleet = settled_fleet().await;
    let secret = fleet.secret(0);
    let principal = fleet.model().service_principal(fleet.managed(&secret).client_id).unwrap();
    assert!(fleet.model().remove_role(principal, &Scope::Fhir, Role::FhirDataReader));
    ask(&fleet, &secret, "rotate").await;
    fleet.live(Duration::hours(2)).await;
    assert_eq!(fleet.status(&secret).reason.label(), "role_missing");
    put_copy(&fleet, NewVersion::of("foreign".into()));
    fleet.until(Duration::hours(5), |fleet| is_in_sync(fleet, &secret)).await;
    let message = fleet.status(&secret).message;
    assert!(message.contains("FHIR Data Reader"), "the reason stays in the status: {message}");
    fleet.end().await;
}
