#![expect(clippy::unwrap_used, reason = "a test may stop here")]

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::sandbox::model::seed::tests::{START, small_world};
use crate::sandbox::model::{NewVersion, VaultOptions, VersionChange};

fn after(milliseconds: i64) -> OffsetDateTime {
    START + Duration::milliseconds(milliseconds)
}

/// A time, in milliseconds, long after every transition.
const DONE: i64 = 60_000;

fn put(model: &Model, text: &str, now: OffsetDateTime) -> Result<Version, VaultRefusal> {
    let tags = BTreeMap::from([("Team".to_owned(), text.to_owned())]);
    let new = NewVersion { tags, ..NewVersion::of(SecretString::from(text)) };
    model.put_secret("vault-1", "it", new, now)
}

/// Creates a world in which a secret has two versions.
fn world() -> Model {
    let model = small_world();
    put(&model, "one", START).unwrap();
    put(&model, "two", START).unwrap();
    model
}

fn name() -> String {
    "it".to_owned()
}

/// Returns the time from `from` until `holds` is true, in milliseconds and steps of 100.
fn first(from: i64, holds: impl Fn(OffsetDateTime) -> bool) -> i64 {
    (from..from + DONE).step_by(100).find(|moment| holds(after(*moment))).unwrap() - from
}

/// For the seconds a deletion takes, a secret is neither readable nor listed as deleted, and changes to it are refused.
#[test]
fn secret_is_unavailable_while_being_deleted() {
    let model = world();
    let deleted = model.delete_secret("VAULT-1", "IT", START).unwrap();
    assert_eq!((deleted.name.as_str(), deleted.deleted), ("it", START));
    let took = first(0, |now| model.deleted_secret("vault-1", "it", now).is_ok());
    assert!((2000..=6100).contains(&took), "{took}");
    let pending = after(took - 200);
    let gone = VaultRefusal::NotFound(name());
    assert_eq!(model.get_secret("vault-1", "it", None, pending).unwrap_err(), gone);
    assert_eq!(model.list_versions("vault-1", "it", pending).unwrap_err(), gone);
    assert!(model.list_deleted("vault-1", pending).unwrap().is_empty());
    let being_deleted = VaultRefusal::BeingDeleted(name());
    assert_eq!(put(&model, "three", pending).unwrap_err(), being_deleted);
    assert_eq!(model.delete_secret("vault-1", "it", pending).unwrap_err(), being_deleted);
    assert_eq!(model.purge_secret("vault-1", "it", pending).unwrap_err(), being_deleted);
    assert_eq!(model.recover_secret("vault-1", "it", pending).unwrap_err(), being_deleted);
    assert_eq!(model.back_up("vault-1", "it", pending).unwrap_err(), being_deleted);
}

/// A deleted secret still reserves its name, and is listed only among the deleted secrets.
#[test]
fn deleted_secret_keeps_its_name() {
    let model = world();
    model.delete_secret("vault-1", "it", START).unwrap();
    let now = after(DONE);
    assert_eq!(put(&model, "three", now).unwrap_err(), VaultRefusal::DeletedButRecoverable(name()));
    let gone = VaultRefusal::NotFound(name());
    let change = VersionChange::default();
    assert_eq!(model.patch("vault-1", "it", "", change, now).unwrap_err(), gone);
    assert_eq!(model.delete_secret("vault-1", "it", now).unwrap_err(), gone);
    assert_eq!(model.back_up("vault-1", "it", now).unwrap_err(), gone);
    assert!(model.current_version("vault-1", "it").is_none());
    assert!(model.list_secrets("vault-1", now).unwrap().iter().all(|(listed, _)| listed != "it"));
    let deleted: Vec<_> = model.list_deleted("vault-1", now).unwrap();
    assert_eq!(deleted.iter().map(|deleted| deleted.name.as_str()).collect::<Vec<_>>(), ["it"]);
}

/// A recovered secret has its old versions again, and becomes readable shortly before it becomes writable.
#[test]
fn recovered_secret_is_readable_before_writable() {
    let model = world();
    let before = model.list_versions("vault-1", "it", START).unwrap();
    model.delete_secret("vault-1", "it", START).unwrap();
    let current = model.recover_secret("vault-1", "it", after(DONE)).unwrap();
    let readable = first(DONE, |now| model.get_secret("vault-1", "it", None, now).is_ok());
    let change = || VersionChange::default();
    let writable = first(DONE, |now| model.patch("vault-1", "it", "", change(), now).is_ok());
    assert!((2000..=6100).contains(&readable), "{readable}");
    assert!((500..=1600).contains(&(writable - readable)), "{readable} {writable}");
    let being_recovered = VaultRefusal::BeingRecovered(name());
    let pending = after(DONE + readable);
    assert_eq!(put(&model, "three", pending).unwrap_err(), being_recovered);
    assert_eq!(model.delete_secret("vault-1", "it", pending).unwrap_err(), being_recovered);
    assert_eq!(model.purge_secret("vault-1", "it", pending).unwrap_err(), being_recovered);
    let now = after(DONE + writable);
    let after = model.list_versions("vault-1", "it", now).unwrap();
    let facts = |versions: &[Version]| -> Vec<_> {
        let fact = |found: &Version| {
            (found.version.clone(), found.created, found.tags.clone(), found.value.expose_secret().to_owned())
        };
        versions.iter().map(fact).collect()
    };
    assert_eq!(facts(&before), facts(&after));
    assert_eq!(current.version, before.last().unwrap().version);
    assert!(put(&model, "three", now).is_ok());
}

/// Recovering or purging a secret that is not deleted fails with `DeletedNotFound`.
#[test]
fn only_deleted_secrets_can_be_purged() {
    let model = world();
    let unknown = VaultRefusal::DeletedNotFound(name());
    assert_eq!(model.recover_secret("vault-1", "it", START).unwrap_err(), unknown);
    assert_eq!(model.purge_secret("vault-1", "it", START).unwrap_err(), unknown);
    assert_eq!(model.deleted_secret("vault-1", "it", START).unwrap_err(), unknown);
}

/// A purged secret cannot be read or recovered, and its name can be used again.
#[test]
fn purged_secret_frees_its_name() {
    let model = world();
    model.delete_secret("vault-1", "it", START).unwrap();
    model.purge_secret("vault-1", "it", after(DONE)).unwrap();
    let unknown = VaultRefusal::DeletedNotFound(name());
    assert_eq!(model.deleted_secret("vault-1", "it", after(DONE)).unwrap_err(), unknown);
    assert_eq!(model.recover_secret("vault-1", "it", after(DONE)).unwrap_err(), unknown);
    put(&model, "three", after(DONE)).unwrap();
    assert_eq!(model.list_versions("vault-1", "it", after(DONE)).unwrap().len(), 1);
}

/// A deleted secret is purged automatically when its retention period ends, and its name becomes free.
#[test]
fn deleted_secret_is_purged_after_retention() {
    for retention_days in [90, 7] {
        let model = world();
        model.set_vault_options("vault-1", VaultOptions { retention_days, ..VaultOptions::default() });
        let deleted = model.delete_secret("vault-1", "it", START).unwrap();
        let date = START + Duration::days(retention_days.into());
        assert_eq!(deleted.purge, date);
        let just_before = date - Duration::seconds(1);
        assert!(model.deleted_secret("vault-1", "it", just_before).is_ok());
        assert!(put(&model, "three", just_before).is_err());
        assert!(model.deleted_secret("vault-1", "it", date).is_err());
        assert!(model.list_deleted("vault-1", date).unwrap().is_empty());
        put(&model, "three", date).unwrap();
        assert_eq!(model.list_versions("vault-1", "it", date).unwrap().len(), 1);
    }
}
