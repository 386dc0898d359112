//! The list of all secrets of a vault.

use rekeyd::domain::{SecretId, VaultName};
use rekeyd::ports::{CurrentVersion, SecretStore};
use rekeyd::sandbox::{FaultKind, Service};
use time::Duration;

use super::{Bench, version};
use crate::world::START;

/// Every secret of a vault is listed once over all pages, with the properties of its newest version.
#[tokio::test]
async fn every_secret_is_listed_once() {
    let bench = Bench::new().await;
    let (store, vault) = (&bench.azure.key_vault, bench.secret().vault);
    for number in 0..60 {
        let secret: SecretId = format!("{vault}/extra-{number}").parse().unwrap();
        store.put(&secret, version("a text")).await.unwrap();
    }
    // Each page is retried by itself.
    bench.fail(Service::KeyVault, "GET", "/secrets", FaultKind::Throttled, 3);
    let mut listed = store.list_secrets(&vault).await.unwrap();
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    listed.dedup_by(|one, other| one.name == other.name);
    assert_eq!(listed.len(), 61);
    let extra = listed.iter().find(|listed| listed.name.as_str() == "extra-7").unwrap();
    assert_eq!(extra.tags, version("").tags);
    assert_eq!(extra.content_type.as_deref(), Some("text/plain"));
    assert_eq!(extra.expires, Some(START + Duration::days(90)));
    assert_eq!(extra.updated, Some(START));
    assert!(extra.enabled && !extra.is_managed_by_key_vault);
}

/// A disabled secret is listed as disabled, and listed names ignore letter case.
#[tokio::test]
async fn disabled_secrets_are_listed_as_disabled() {
    let bench = Bench::new().await;
    let (store, secret) = (&bench.azure.key_vault, bench.secret());
    let CurrentVersion::Readable(read) = store.read_current(&secret).await.unwrap() else {
        panic!("unreadable")
    };
    store.disable(&secret, &read.properties.version).await.unwrap();
    let name = "Mixed-Case".to_owned();
    let new = rekeyd::sandbox::model::NewVersion {
        value: "text".into(),
        enabled: true,
        not_before: None,
        expires: None,
        content_type: None,
        tags: std::collections::BTreeMap::new(),
    };
    bench.sandbox.model().put_secret(secret.vault.as_str(), &name, new, START).unwrap();
    let listed = store.list_secrets(&secret.vault).await.unwrap();
    let found = |name: &str| listed.iter().find(|listed| listed.name.as_str() == name).unwrap();
    assert!(!found(secret.name.as_str()).enabled);
    assert_eq!(found("mixed-case").expires, None);
}

/// Listing the secrets of a vault that is not configured sends no request.
#[tokio::test]
async fn unconfigured_vault_is_not_asked() {
    let bench = Bench::new().await;
    let elsewhere: VaultName = "elsewhere".parse().unwrap();
    let refused = bench.azure.key_vault.list_secrets(&elsewhere).await.unwrap_err();
    assert_eq!(refused.label(), "not_sent");
}
