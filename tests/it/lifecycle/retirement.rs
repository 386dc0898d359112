//! Retirement: after the overlap, once the report on sign-ins shows that an old credential is out of use, or at
//! `max_overlap`; and the removal of expired credentials, ours and others'.

use rekeyd::domain::SecretId;
use rekeyd::ports::Clock;
use rekeyd::sandbox::Options;
use rekeyd::sandbox::model::NewVersion;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::fleet::Fleet;
use crate::test_options::test_options;

fn options() -> Options {
    Options { secrets: 1, vaults: 1, ..test_options("127.0.0.1:9".parse().unwrap()) }
}

/// Starts a fleet that is reconciled every six hours: each pass is a chance for a mistake.
async fn fleet(policy: &str) -> Fleet {
    Fleet::start(options(), |text| {
        text.replace("[policy]", &format!("[policy]\n{policy}")).replace("0 3 * * *", "0 */6 * * *")
    })
    .await
}

/// Starts a fleet whose first secret was just rotated, and returns the text that the secret had before.
async fn rotated(policy: &str) -> (Fleet, SecretId, SecretString) {
    let fleet = fleet(policy).await;
    let secret = fleet.secret(0);
    let before = rotate(&fleet, &secret).await;
    (fleet, secret, before)
}

async fn rotate(fleet: &Fleet, secret: &SecretId) -> SecretString {
    let before = fleet.text(secret);
    fleet.post(&format!("/api/v1/secrets/{secret}/rotate"), &Value::Null).await;
    let is_new = |fleet: &Fleet| fleet.text(secret).expose_secret() != before.expose_secret();
    fleet.until(Duration::hours(2), is_new).await;
    before
}

fn now(fleet: &Fleet) -> OffsetDateTime {
    fleet.sandbox.clock().now()
}

/// Uses the old text every six hours for this many days, and asserts that it is not refused.
async fn straggle(fleet: &Fleet, secret: &SecretId, old: &SecretString, days: i64) {
    for quarter in 0..days * 4 {
        assert_eq!(fleet.sign_in_with(secret, old), Ok(()), "refused after {} days", quarter / 4);
        fleet.live(Duration::hours(6)).await;
    }
}

/// Returns the number of days until the old text is refused, with no use of it meanwhile.
async fn retired_after(fleet: &Fleet, secret: &SecretId, key_id: Uuid, limit: i64) -> i64 {
    for day in 0..limit {
        let object_id = fleet.managed(secret).object_id;
        let left = fleet.model().application(object_id, now(fleet)).unwrap().credentials;
        if left.iter().all(|credential| credential.key_id != key_id) {
            return day;
        }
        fleet.live(Duration::DAY).await;
    }
    panic!("{key_id} is not retired within {limit} days: {:#?}", fleet.status(secret));
}

/// Returns the credential that an older version of the secret names.
fn superseded(fleet: &Fleet, secret: &SecretId) -> Uuid {
    let (vault, name) = (secret.vault.as_str(), secret.name.as_str());
    let versions = fleet.model().list_versions(vault, name, now(fleet)).unwrap();
    let [.., before, _] = versions.as_slice() else { panic!("one version only") };
    before.credential().unwrap().parse().unwrap()
}

fn audit_has(fleet: &Fleet, secret: &SecretId, action: &str, detail: &str) -> bool {
    let is_it = |line: &Value| {
        line["secret"] == secret.to_string()
            && line["action"] == action
            && line["detail"].as_str().is_some_and(|text| text.contains(detail))
    };
    fleet.audit_lines().iter().any(is_it)
}

/// An old credential is retired after its overlap, and the sign-ins that proved it do not count as use.
#[tokio::test]
async fn idle_credential_is_retired_after_overlap() {
    // Made by hand, and adopted: its own text has to prove its owner.
    let (fleet, secret, _) = rotated("").await;
    let adopted = superseded(&fleet, &secret);
    fleet.live(Duration::days(6)).await;
    let days = retired_after(&fleet, &secret, adopted, 9).await;
    assert!((1..=2).contains(&days), "an adopted credential after {} days", 6 + days);
    rotate(&fleet, &secret).await;
    let ours = superseded(&fleet, &secret);
    fleet.live(Duration::days(6)).await;
    let days = retired_after(&fleet, &secret, ours, 9).await;
    assert!((1..=2).contains(&days), "a credential of ours after {} days", 6 + days);
    fleet.live(Duration::DAY).await;
    assert_eq!((fleet.status(&secret).reason.label(), fleet.consumers_failed()), ("not_due", 0));
    fleet.end().await;
}

/// An old credential still in use outlives its overlap and is retired once it has been idle for a few days.
#[tokio::test]
async fn credential_in_use_outlives_its_overlap() {
    let fleet = fleet("").await;
    let secret = fleet.secret(0);
    rotate(&fleet, &secret).await;
    fleet.live(Duration::days(12)).await;
    // This one is ours; the one before was made by hand.
    let old = rotate(&fleet, &secret).await;
    let key_id = superseded(&fleet, &secret);
    straggle(&fleet, &secret, &old, 12).await;
    assert_eq!(fleet.status(&secret).reason.label(), "in_use");
    let days = retired_after(&fleet, &secret, key_id, 9).await;
    assert!((3..=4).contains(&days), "after {days} quiet days");
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

/// An adopted credential still in use outlives its overlap and is retired once it has been idle for a few days.
#[tokio::test]
async fn adopted_credential_in_use_outlives_its_overlap() {
    let (fleet, secret, old) = rotated("").await;
    let key_id = superseded(&fleet, &secret);
    straggle(&fleet, &secret, &old, 12).await;
    let days = retired_after(&fleet, &secret, key_id, 9).await;
    assert!((3..=4).contains(&days), "after {days} quiet days");
    fleet.end().await;
}

/// A credential is kept while it is in use, even if the sign-in report lags days behind.
#[tokio::test]
async fn late_sign_in_report_keeps_credential() {
    let fleet = fleet("").await;
    let secret = fleet.secret(0);
    fleet.model().set_sign_in_report(Some(Duration::days(2)), None);
    let old = rotate(&fleet, &secret).await;
    straggle(&fleet, &secret, &old, 15).await;
    fleet.end().await;
}

/// An old credential still in use at `max_overlap` is retired, and the audit log notes that it was in use.
#[tokio::test]
async fn max_overlap_retires_credential_in_use() {
    let (fleet, secret, old) = rotated("max_overlap = \"20d\"").await;
    straggle(&fleet, &secret, &old, 19).await;
    fleet.live(Duration::days(2)).await;
    assert!(fleet.sign_in_with(&secret, &old).is_err(), "{:#?}", fleet.status(&secret));
    assert!(
        audit_has(&fleet, &secret, "revoke", "although it is still in use"),
        "{:#?}",
        fleet.audit_lines()
    );
    fleet.end().await;
}

/// The longest overlap of a credential counts from its own successor, whatever is published later.
#[tokio::test]
async fn later_rotations_do_not_extend_max_overlap() {
    let (fleet, secret, old) = rotated("max_overlap = \"20d\"").await;
    straggle(&fleet, &secret, &old, 15).await;
    rotate(&fleet, &secret).await;
    straggle(&fleet, &secret, &old, 4).await;
    fleet.live(Duration::days(2)).await;
    assert!(fleet.sign_in_with(&secret, &old).is_err(), "{:#?}", fleet.status(&secret));
    fleet.end().await;
}

/// Without a sign-in report an old credential is retired by its
/// overlap alone, and the audit log claims nothing about its use.
#[tokio::test]
async fn overlap_alone_retires_without_sign_in_report() {
    let fleet = fleet("").await;
    let secret = fleet.secret(0);
    fleet.model().set_sign_in_report(None, Some(false));
    let old = rotate(&fleet, &secret).await;
    straggle(&fleet, &secret, &old, 6).await;
    fleet.live(Duration::days(2)).await;
    assert!(fleet.sign_in_with(&secret, &old).is_err(), "retired by time, although in use");
    assert!(
        !audit_has(&fleet, &secret, "revoke", "although it is still in use"),
        "the report that shows this is missing"
    );
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

#[tokio::test]
async fn without_the_gate_time_alone_retires() {
    let fleet = Fleet::start(options(), |text| {
        text.replace("usage_gate = \"report\"", "usage_gate = \"off\"").replace("0 3 * * *", "0 */6 * * *")
    })
    .await;
    let secret = fleet.secret(0);
    let old = rotate(&fleet, &secret).await;
    straggle(&fleet, &secret, &old, 6).await;
    fleet.live(Duration::days(2)).await;
    assert!(fleet.sign_in_with(&secret, &old).is_err());
    fleet.end().await;
}

/// An expired credential of another owner is reported, and removed only if `foreign_expired` is `remove`.
#[tokio::test]
async fn policy_decides_removal_of_foreign_expired() {
    for (policy, left_then) in [("", true), ("foreign_expired = \"remove\"", false)] {
        let fleet = fleet(policy).await;
        let secret = fleet.secret(0);
        let object_id = fleet.managed(&secret).object_id;
        let add = |days| {
            let end = Some(now(&fleet) + Duration::days(days));
            fleet
                .model()
                .add_password(object_id, Some("a colleague's"), None, end, now(&fleet))
                .unwrap()
                .key_id
        };
        let (expiring, living) = (add(5), add(300));
        fleet.live(Duration::days(7)).await;
        let left = fleet.model().application(object_id, now(&fleet)).unwrap().credentials;
        let is_left = |key_id| left.iter().any(|credential| credential.key_id == key_id);
        assert_eq!((is_left(expiring), is_left(living)), (left_then, true), "{policy}");
        assert_eq!(fleet.status(&secret).foreign_expired, usize::from(left_then), "{policy}");
        fleet.end().await;
    }
}

/// An old text put back in the vault by hand is not retired.
#[tokio::test]
async fn old_text_restored_by_hand_stays_valid() {
    let (fleet, secret, old) = rotated("").await;
    fleet.live(Duration::days(3)).await;
    let (vault, name) = (secret.vault.as_str(), secret.name.as_str());
    let versions = fleet.model().list_versions(vault, name, now(&fleet)).unwrap();
    let first = versions[0].clone();
    let again = NewVersion { expires: first.expires, tags: first.tags, ..NewVersion::of(old.clone()) };
    fleet.model().put_secret(vault, name, again, now(&fleet)).unwrap();
    fleet.live(Duration::days(20)).await;
    assert_eq!((fleet.sign_in(&secret), fleet.consumers_failed()), (Ok(()), 0));
    fleet.end().await;
}
