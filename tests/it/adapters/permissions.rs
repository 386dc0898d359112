//! The daemon's own permissions, found out by attempts that change nothing.

use rekeyd::domain::{AppObjectId, SecretId};
use rekeyd::ports::{DirectoryAccess as _, Permission, VaultAccess as _};
use rekeyd::sandbox::model::{ApplicationChange, Network, Role, Scope, VaultOptions};
use rekeyd::sandbox::{FaultKind, Service};
use uuid::Uuid;

use super::Bench;

fn refused(code: &str) -> Permission {
    let kind = rekeyd::azure::refused("test", 403, code).refusal().unwrap();
    Permission::Refused { kind, code: code.to_owned() }
}

/// The permission to write a secret, existing or not, is checked without writing a version.
#[tokio::test]
async fn write_permission_is_checked_without_writing() {
    let bench = Bench::new().await;
    let (secret, vault) = (bench.secret(), &bench.azure.key_vault);
    let nothing: SecretId = format!("{}/nothing", secret.vault).parse().unwrap();
    for secret in [&secret, &nothing] {
        assert_eq!(vault.try_set_permission(secret).await.unwrap(), Permission::Granted);
    }
    let scope = Scope::Vault(secret.vault.to_string());
    assert!(bench.sandbox.model().remove_role(bench.daemon(), &scope, Role::SecretsOfficer));
    bench.sandbox.model().assign_role(bench.daemon(), &scope, Role::SecretsUser);
    for secret in [&secret, &nothing] {
        assert_eq!(vault.try_set_permission(secret).await.unwrap(), refused("ForbiddenByRbac"));
    }
    assert_eq!(bench.versions().await, 1);
}

/// A permission check against a closed network is refused as such and not as a missing role.
#[tokio::test]
async fn closed_network_differs_from_missing_role() {
    let bench = Bench::new().await;
    let secret = bench.secret();
    let closed = VaultOptions { network: Network::Firewall, ..VaultOptions::default() };
    assert!(bench.sandbox.model().set_vault_options(secret.vault.as_str(), closed));
    let right = bench.azure.key_vault.try_set_permission(&secret).await.unwrap();
    assert_eq!(right, refused("ForbiddenByFirewall"));
}

/// The permission to manage an application's passwords is checked without removing one.
#[tokio::test]
async fn password_permission_check_removes_nothing() {
    let bench = Bench::new().await;
    let graph = &bench.azure.graph;
    assert_eq!(graph.try_write_permission(bench.application()).await.unwrap(), Permission::Granted);
    assert_eq!(bench.credentials().await, 1);
    bench.change_application(ApplicationChange { owners: Some([].into()), ..Default::default() });
    let right = graph.try_write_permission(bench.application()).await.unwrap();
    assert_eq!(right, refused("Authorization_RequestDenied"));
    assert!(
        graph.try_write_permission(AppObjectId(Uuid::nil())).await.is_err(),
        "there is no such application"
    );
}

/// A permission check against an unavailable service is an error, neither granted nor refused.
#[tokio::test]
async fn unavailable_service_leaves_permission_open() {
    let bench = Bench::new().await;
    bench.fail(Service::KeyVault, "PATCH", "/secrets/", FaultKind::Unavailable, 1);
    assert!(bench.azure.key_vault.try_set_permission(&bench.secret()).await.is_err());
    bench.fail(Service::Graph, "POST", "/removePassword", FaultKind::Throttled, 1);
    assert!(bench.azure.graph.try_write_permission(bench.application()).await.is_err());
}
