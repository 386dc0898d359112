//! Managed secrets: secrets that their tags bind to an application, and the settings that tags may change.

use std::collections::BTreeMap;

use rekeyd::domain::SecretId;
use rekeyd::domain::tags::{
    CREDENTIAL_ID, OVERLAP_DAYS, OWNER, PROVIDER_ADDRESS, ROTATE_BEFORE_DAYS, ROTATION_DISABLED,
    VALIDITY_PERIOD_DAYS, VERIFY_SCOPE,
};
use rekeyd::ports::Clock;
use rekeyd::sandbox::Options;
use rekeyd::sandbox::model::{ApplicationChange, Network, VaultOptions, Version, VersionChange};
use reqwest::StatusCode;
use serde_json::Value;
use time::Duration;

use crate::fleet::Fleet;
use crate::test_options::test_options;

/// The last of three secrets, which is not in the configuration: its tags bind it.
pub(super) const FOUND: usize = 2;

/// A time longer than from one sweep to the next.
pub(super) const SWEEP: Duration = Duration::hours(25);

pub(super) fn options() -> Options {
    Options { secrets: 3, ..test_options("127.0.0.1:9".parse().unwrap()) }
}

/// Starts a fleet that has reconciled everything once.
pub(super) async fn fleet(configure: impl FnOnce(String) -> String) -> Fleet {
    let fleet = Fleet::start(options(), configure).await;
    fleet.live(Duration::hours(2)).await;
    fleet
}

/// Changes the tags of the current version, as a person with permission to write them.
pub(super) fn retag(fleet: &Fleet, secret: &SecretId, change: impl FnOnce(&mut BTreeMap<String, String>)) {
    let (vault, name, now) = (secret.vault.as_str(), secret.name.as_str(), fleet.sandbox.clock().now());
    let mut tags = current(fleet, secret).tags;
    change(&mut tags);
    let change = VersionChange { tags: Some(tags), ..VersionChange::default() };
    fleet.model().patch(vault, name, "", change, now).unwrap();
}

#[expect(clippy::needless_pass_by_value, reason = "numbers, ids and texts are handed in as they are")]
pub(super) fn set(fleet: &Fleet, secret: &SecretId, tag: &str, value: impl ToString) {
    retag(fleet, secret, |tags| {
        tags.insert(tag.to_owned(), value.to_string());
    });
}

pub(super) fn unset(fleet: &Fleet, secret: &SecretId, tag: &str) {
    retag(fleet, secret, |tags| {
        tags.remove(tag).expect("a tag to remove");
    });
}

pub(super) fn versions(fleet: &Fleet, secret: &SecretId) -> Vec<Version> {
    let now = fleet.sandbox.clock().now();
    fleet.model().list_versions(secret.vault.as_str(), secret.name.as_str(), now).unwrap()
}

pub(super) fn current(fleet: &Fleet, secret: &SecretId) -> Version {
    versions(fleet, secret).pop().expect("a version")
}

pub(super) async fn ask(fleet: &Fleet, secret: &SecretId, command: &str) -> StatusCode {
    fleet.post(&format!("/api/v1/secrets/{secret}/{command}"), &Value::Null).await.0
}

/// Replaces all tags of the secret's application.
pub(super) fn set_application_tags(fleet: &Fleet, secret: &SecretId, tags: &[&str]) {
    let tags = Some(tags.iter().map(|tag| (*tag).to_owned()).collect());
    let change = ApplicationChange { tags, ..ApplicationChange::default() };
    let object_id = fleet.managed(secret).object_id;
    fleet.model().change_application(object_id, change, fleet.sandbox.clock().now()).unwrap();
}

/// Returns the lifetime of the current version in days; some minutes went by before it was published.
fn lifetime(fleet: &Fleet, secret: &SecretId) -> i64 {
    let made = current(fleet, secret);
    (made.expires.unwrap() - made.created + Duration::HOUR).whole_days()
}

fn state(fleet: &Fleet, secret: &SecretId) -> (&'static str, &'static str) {
    let status = fleet.status(secret);
    (status.state.label(), status.reason.label())
}

/// A secret that its tags bind to a consenting application is managed: it rotates and its old credential retires.
#[tokio::test]
async fn tagged_secret_of_consenting_application_is_managed() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    set(&fleet, &secret, OWNER, "integration team");
    let first = fleet.text(&secret);
    assert_eq!(ask(&fleet, &secret, "rotate").await, StatusCode::ACCEPTED);
    fleet.until(Duration::hours(1), |fleet| versions(fleet, &secret).len() == 2).await;
    assert_eq!((fleet.sign_in(&secret), fleet.sign_in_with(&secret, &first)), (Ok(()), Ok(())));
    let status = fleet.status(&secret);
    assert_eq!((status.origin.label(), status.owner.as_deref()), ("discovered", Some("integration team")));
    assert_eq!(current(&fleet, &secret).tags["Team"], "payments", "a tag that is not ours is kept");
    fleet.live(Duration::days(8)).await;
    assert!(fleet.sign_in_with(&secret, &first).is_err(), "the taken-over credential is retired");
    assert_eq!((fleet.sign_in(&secret), fleet.consumers_failed()), (Ok(()), 0));
    fleet.end().await;
}

/// A secret of Microsoft's template is taken over without a rotation or a write, and rotates when it is due.
#[tokio::test]
async fn template_secret_is_adopted_without_a_write() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    let status = fleet.status(&secret);
    assert!(status.due > status.last_reconciled, "not due yet: {status:?}");
    assert_eq!(state(&fleet, &secret), ("waiting", "not_due"));
    let [version] = versions(&fleet, &secret).try_into().expect("one version");
    assert_eq!(version.updated, version.created, "it was not written to");
    assert_eq!(status.credential_id.unwrap().to_string(), version.tags[CREDENTIAL_ID]);
    fleet.until(Duration::days(60), |fleet| versions(fleet, &secret).len() == 2).await;
    assert!(fleet.sandbox.clock().now() >= status.due.unwrap(), "rotated before it was due");
    assert_eq!(lifetime(&fleet, &secret), 120, "the template's ValidityPeriodDays");
    fleet.end().await;
}

/// A secret tagged by one of Microsoft's templates for another service is left alone.
#[tokio::test]
async fn templates_for_other_services_are_ignored() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    let storage = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/rg\
        /providers/Microsoft.Storage/storageAccounts/applications";
    set(&fleet, &secret, PROVIDER_ADDRESS, storage);
    fleet.live(SWEEP).await;
    assert_eq!(ask(&fleet, &secret, "rotate").await, StatusCode::NOT_FOUND);
    assert_eq!(versions(&fleet, &secret).len(), 1);
    fleet.end().await;
}

/// A secret that loses its tag is released, and is managed again once the tag is back.
#[tokio::test]
async fn untagged_secret_is_released_until_retagged() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    let address = current(&fleet, &secret).tags[PROVIDER_ADDRESS].clone();
    unset(&fleet, &secret, PROVIDER_ADDRESS);
    fleet.live(SWEEP).await;
    assert_eq!(ask(&fleet, &secret, "rotate").await, StatusCode::NOT_FOUND);
    assert!(!fleet.metrics_text().contains(&secret.to_string()), "{}", fleet.metrics_text());
    // Long after it would have been due, and not yet expired.
    fleet.live(Duration::days(40)).await;
    assert_eq!(versions(&fleet, &secret).len(), 1);
    set(&fleet, &secret, PROVIDER_ADDRESS, address);
    fleet.until(SWEEP * 2, |fleet| versions(fleet, &secret).len() == 2).await;
    assert_eq!((fleet.sign_in(&secret), fleet.consumers_failed()), (Ok(()), 0));
    fleet.end().await;
}

/// Removing the tag releases the secret; no rotation before the next sweep writes the tag again.
#[tokio::test]
async fn removed_tag_is_not_written_again() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    unset(&fleet, &secret, PROVIDER_ADDRESS);
    for command in ["rotate", "compromised"] {
        assert_eq!(ask(&fleet, &secret, command).await, StatusCode::ACCEPTED);
        fleet.live(Duration::minutes(20)).await;
        assert_eq!(state(&fleet, &secret), ("blocked", "no_provider"), "{command}");
    }
    let [version] = versions(&fleet, &secret).try_into().expect("one version");
    assert_eq!(version.tags.get(PROVIDER_ADDRESS), None);
    assert_eq!(version.tags.len(), 3, "{:?}", version.tags);
    fleet.end().await;
}

/// The secrets found in a vault stay managed while the vault cannot be searched.
#[tokio::test]
async fn unsearchable_vault_keeps_found_secrets() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    let vault = secret.vault.as_str();
    let options = fleet.model().vault_options(vault).unwrap();
    fleet.model().set_vault_options(vault, VaultOptions { network: Network::Firewall, ..options });
    fleet.live(SWEEP).await;
    assert_eq!(state(&fleet, &secret), ("blocked", "forbidden"));
    fleet.model().set_vault_options(vault, options);
    fleet.live(SWEEP).await;
    assert_eq!(state(&fleet, &secret), ("waiting", "not_due"));
    fleet.end().await;
}

/// A configured secret stays with its configured application even if its tags name another.
#[tokio::test]
async fn configured_secret_ignores_provider_tags() {
    let fleet = fleet(|text| text).await;
    assert_eq!(fleet.secret(0).vault, fleet.secret(FOUND).vault, "in a vault that is searched");
    let (configured, other) = (fleet.secret(0), fleet.secret(1));
    set(&fleet, &configured, PROVIDER_ADDRESS, fleet.managed(&other).object_id);
    fleet.live(SWEEP).await;
    ask(&fleet, &configured, "rotate").await;
    fleet.until(Duration::hours(1), |fleet| fleet.status(&configured).is_rotated).await;
    assert_eq!(fleet.status(&configured).origin.label(), "configured");
    assert_eq!((fleet.sign_in(&configured), fleet.sign_in(&other)), (Ok(()), Ok(())));
    let address = &current(&fleet, &configured).tags[PROVIDER_ADDRESS];
    assert_eq!(*address, fleet.managed(&configured).object_id.to_string());
    fleet.end().await;
}

/// A secret with rotation disabled is left alone until the tag is removed.
#[tokio::test]
async fn disabled_rotation_lasts_until_untagged() {
    let fleet =
        Fleet::start(options(), |text| text.replace("[schedule]", "[schedule]\nat_start = false")).await;
    let due = (0..3).map(|index| fleet.secret(index)).min_by_key(|secret| current(&fleet, secret).expires);
    let secret = due.unwrap();
    set(&fleet, &secret, ROTATION_DISABLED, "true");
    fleet.live(SWEEP).await;
    ask(&fleet, &secret, "rotate").await;
    fleet.live(Duration::days(20)).await;
    assert_eq!(state(&fleet, &secret), ("waiting", "rotation_disabled"));
    assert_eq!(versions(&fleet, &secret).len(), 1);
    unset(&fleet, &secret, ROTATION_DISABLED);
    fleet.until(SWEEP * 2, |fleet| versions(fleet, &secret).len() == 2).await;
    fleet.end().await;
}

/// Tags are followed within the configured bounds, and a tag beyond them is ignored with a warning.
#[tokio::test]
async fn tags_are_followed_within_bounds() {
    let bounds = "[bounds]\nmax_validity = \"150d\"\nmin_overlap = \"3d\"\n\n[policy]";
    let fleet = fleet(|text| text.replace("[policy]", bounds)).await;
    let secret = fleet.secret(FOUND);
    set(&fleet, &secret, VALIDITY_PERIOD_DAYS, 30);
    set(&fleet, &secret, ROTATE_BEFORE_DAYS, 10);
    set(&fleet, &secret, OVERLAP_DAYS, 2);
    let first = fleet.text(&secret);
    ask(&fleet, &secret, "rotate").await;
    fleet.until(Duration::hours(1), |fleet| versions(fleet, &secret).len() == 2).await;
    assert_eq!(lifetime(&fleet, &secret), 30);
    let [warning] = <[String; 1]>::try_from(fleet.status(&secret).warnings).expect("one warning");
    assert!(
        warning.contains("OverlapDays asks for 2d, but the configuration allows 3d to 365d"),
        "{warning}"
    );
    fleet.live(Duration::days(6)).await;
    assert_eq!(fleet.sign_in_with(&secret, &first), Ok(()), "the configured week of overlap stands");
    set(&fleet, &secret, VALIDITY_PERIOD_DAYS, 700);
    ask(&fleet, &secret, "rotate").await;
    fleet.until(Duration::hours(1), |fleet| versions(fleet, &secret).len() == 3).await;
    assert_eq!(lifetime(&fleet, &secret), 120, "as configured");
    fleet.end().await;
}

/// A new credential is published only once it is proven for the scope that the secret's tag names.
#[tokio::test]
async fn new_credential_is_proven_for_tagged_scope() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    set(&fleet, &secret, VERIFY_SCOPE, "https://unknown.example/.default");
    ask(&fleet, &secret, "rotate").await;
    // Two attempts, and no third one yet.
    fleet.live(Duration::minutes(95)).await;
    assert_eq!(versions(&fleet, &secret).len(), 1, "nothing is published without the proof");
    assert_eq!(fleet.status(&secret).state.label(), "blocked", "{:?}", fleet.status(&secret));
    assert_eq!(fleet.status(&secret).orphans, 0, "issued credentials are revoked");
    set(&fleet, &secret, VERIFY_SCOPE, "https://graph.microsoft.com/.default");
    fleet.until(Duration::days(2), |fleet| versions(fleet, &secret).len() == 2).await;
    set(&fleet, &secret, VERIFY_SCOPE, "anything");
    fleet.live(SWEEP).await;
    assert!(fleet.status(&secret).warnings[0].contains("VerifyScope"), "{:?}", fleet.status(&secret));
    assert_eq!((fleet.sign_in(&secret), fleet.consumers_failed()), (Ok(()), 0));
    fleet.end().await;
}

/// A tag may name an application by its object ID, by its client ID or by its address on Graph.
#[tokio::test]
async fn application_is_named_by_guid_or_address() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    let ids = fleet.managed(&secret);
    for address in [
        ids.client_id.to_string(),
        format!("https://graph.microsoft.com/v1.0/applications/{}", ids.object_id),
        format!("https://graph.microsoft.com/v1.0/applications(appId='{}')", ids.client_id),
    ] {
        set(&fleet, &secret, PROVIDER_ADDRESS, &address);
        fleet.live(SWEEP).await;
        assert_eq!(state(&fleet, &secret).0, "waiting", "{address}");
        assert_eq!(fleet.status(&secret).origin.label(), "discovered");
    }
    assert_eq!(versions(&fleet, &secret).len(), 1);
    fleet.end().await;
}

/// A tag that names a credential whose text begins differently raises a warning, and the due date follows the text.
#[tokio::test]
async fn tag_naming_another_credential_is_warned_about() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    assert_eq!(fleet.status(&secret).warnings, [""; 0]);
    let (now, object_id) = (fleet.sandbox.clock().now(), fleet.managed(&secret).object_id);
    let theirs = fleet.model().add_password(object_id, Some("by hand"), None, None, now).unwrap();
    set(&fleet, &secret, CREDENTIAL_ID, theirs.key_id);
    fleet.live(SWEEP).await;
    let warnings = fleet.status(&secret).warnings;
    assert!(warnings.iter().any(|warning| warning.contains("does not match its hint")), "{warnings:?}");
    let due = fleet.status(&secret).due.unwrap();
    assert!(due < now + Duration::days(120), "the text, not the tag, decides when it is due: {due}");
    fleet.end().await;
}
