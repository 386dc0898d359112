#![expect(clippy::unwrap_used, reason = "a test may stop here")]

use secrecy::{ExposeSecret, SecretString};
use time::Duration;

use super::*;
use crate::sandbox::model::seed::tests::{START, small_world};
use crate::sandbox::model::{NewVersion, VersionChange};

const LATER: OffsetDateTime = START.saturating_add(Duration::hours(1));

fn put(model: &Model, text: &str) -> Version {
    model.put_secret("vault-1", "it", NewVersion::of(SecretString::from(text)), START).unwrap()
}

/// A restored secret has every version with its original id, value, creation date and state.
#[test]
fn restored_secret_keeps_every_version() {
    let model = small_world();
    let (first, second) = (put(&model, "the first text"), put(&model, "the second text"));
    let disabled = VersionChange { enabled: Some(false), ..VersionChange::default() };
    model.patch("vault-1", "it", &second.version, disabled, START).unwrap();
    let backup = model.back_up("vault-1", "it", START).unwrap();
    let (name, current) = model.restore("vault-2", &backup, LATER).unwrap();
    assert_eq!((name.as_str(), &current.version), ("it", &second.version));
    assert_eq!(model.get_secret("vault-2", "it", None, LATER).unwrap_err(), VaultRefusal::Disabled);
    let older = model.get_secret("vault-2", "it", Some(&first.version), LATER).unwrap();
    assert_eq!((older.value.expose_secret(), older.created), ("the first text", START));
}

#[test]
fn a_backup_is_opaque_and_url_safe() {
    let model = small_world();
    put(&model, "the only text");
    let backup = model.back_up("vault-1", "it", START).unwrap();
    assert!(backup.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    let content = BASE64_URL_SAFE_NO_PAD.decode(&backup).unwrap();
    assert!(!content.windows(13).any(|window| window == b"the only text"));
    assert_ne!(backup, model.back_up("vault-1", "it", START).unwrap());
}

/// Restoring is refused if the secret's name is in use or deleted but recoverable, or if the backup is corrupt.
#[test]
fn taken_name_or_broken_backup_is_refused() {
    let model = small_world();
    put(&model, "text");
    let backup = model.back_up("vault-1", "it", START).unwrap();
    let restore = |backup: &str, now| model.restore("vault-1", backup, now).map(drop).unwrap_err();
    assert_eq!(restore(&backup, START), VaultRefusal::AlreadyExists("it".to_owned()));
    assert!(matches!(restore(&backup[1..], START), VaultRefusal::BadParameter(_)));
    model.delete_secret("vault-1", "it", START).unwrap();
    assert_eq!(restore(&backup, START), VaultRefusal::BeingDeleted("it".to_owned()));
    assert_eq!(restore(&backup, LATER), VaultRefusal::DeletedButRecoverable("it".to_owned()));
    model.purge_secret("vault-1", "it", LATER).unwrap();
    assert!(model.restore("vault-1", &backup, LATER).is_ok());
}

/// A secret with 500 versions can be backed up, and one with 501 cannot.
#[test]
fn backup_holds_at_most_500_versions() {
    let model = small_world();
    for _ in 0..500 {
        put(&model, "text");
    }
    assert!(model.back_up("vault-1", "it", START).is_ok());
    put(&model, "text");
    let refused = model.back_up("vault-1", "it", START).unwrap_err();
    assert!(matches!(refused, VaultRefusal::BadParameter(_)), "{refused:?}");
}
