#![expect(clippy::unwrap_used, reason = "a test may stop here")]

use secrecy::SecretString;

use super::*;
use crate::sandbox::model::seed::tests::{START, small_world};
use time::Duration;

fn tags(name: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(name.to_owned(), "yes".to_owned())])
}

fn text(text: &str) -> NewVersion {
    NewVersion::of(SecretString::from(text))
}

#[test]
fn a_put_inherits_nothing_and_becomes_current() {
    let model = small_world();
    let first = NewVersion { tags: tags("Team"), ..text("one") };
    model.put_secret("vault-1", "it", first, START).unwrap();
    let second = model.put_secret("VAULT-1", "IT", text("two"), START + Duration::hours(1)).unwrap();
    let current = model.get_secret("vault-1", "it", None, START).unwrap();
    assert_eq!(current.version, second.version);
    assert!(current.tags.is_empty());
    assert_eq!(model.list_versions("vault-1", "it", START).unwrap().len(), 2);
}

/// A disabled version can be listed and patched, but not read until it is enabled again.
#[test]
fn disabled_version_is_listed_but_unreadable() {
    let model = small_world();
    let put = model.put_secret("vault-1", "it", text("one"), START).unwrap();
    let change = |enabled| VersionChange { enabled: Some(enabled), ..VersionChange::default() };
    model.patch("vault-1", "it", &put.version, change(false), START).unwrap();
    assert_eq!(model.get_secret("vault-1", "it", None, START).unwrap_err(), VaultRefusal::Disabled);
    assert_eq!(model.list_versions("vault-1", "it", START).unwrap().len(), 1);
    model.patch("vault-1", "it", &put.version, change(true), START).unwrap();
    assert!(model.get_secret("vault-1", "it", Some(&put.version), START).is_ok());
}

/// A patch with tags replaces all tags, and a patch without tags leaves them unchanged.
#[test]
fn patched_tags_replace_all_tags() {
    let model = small_world();
    let first = NewVersion { tags: tags("Team"), ..text("one") };
    let put = model.put_secret("vault-1", "it", first, START).unwrap();
    let patch = |tags| {
        let change = VersionChange { tags, ..VersionChange::default() };
        model.patch("vault-1", "it", &put.version, change, START).unwrap().tags
    };
    assert_eq!(patch(None), tags("Team"));
    assert_eq!(patch(Some(tags("Owner"))), tags("Owner"));
}

#[test]
fn too_much_is_refused() {
    let model = small_world();
    let many = (0..16).map(|n| (n.to_string(), String::new())).collect();
    let refused = |name, new| model.put_secret("vault-1", name, new, START).is_err();
    assert!(refused("it", NewVersion { tags: many, ..text("one") }));
    assert!(refused("not_a_name", text("one")));
    assert!(refused("it", text(&"x".repeat(26_000))));
}

/// Dates are truncated to seconds, so two versions created in the same second have equal dates.
#[test]
fn dates_have_only_whole_seconds() {
    let model = small_world();
    let put = |value, milliseconds| {
        let now = START + Duration::milliseconds(milliseconds);
        model.put_secret("vault-1", "it", text(value), now).unwrap()
    };
    let (first, second) = (put("one", 100), put("two", 900));
    assert_eq!((first.created, second.created, second.updated), (START, START, START));
    let current = model.get_secret("vault-1", "it", None, START).unwrap();
    assert_eq!(current.version, second.version);
}
