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

#[tokio::test]
async fn the_right_to_write_a_secret_is_found_out_without_writing() {
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

#[tokio::test]
async fn a_closed_network_is_told_apart_from_a_missing_role() {
    let bench = Bench::new().await;
    let secret = bench.secret();
    let closed = VaultOptions { network: Network::Firewall, ..VaultOptions::default() };
    assert!(bench.sandbox.model().set_vault_options(secret.vault.as_str(), closed));
    let right = bench.azure.key_vault.try_set_permission(&secret).await.unwrap();
    assert_eq!(right, refused("ForbiddenByFirewall"));
}

#[tokio::test]
async fn the_right_to_an_application_s_passwords_is_found_out_without_taking_one() {
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

#[tokio::test]
async fn a_service_that_is_down_says_neither_yes_nor_no() {
    let bench = Bench::new().await;
    bench.fail(Service::KeyVault, "PATCH", "/secrets/", FaultKind::Unavailable, 1);
    assert!(bench.azure.key_vault.try_set_permission(&bench.secret()).await.is_err());
    bench.fail(Service::Graph, "POST", "/removePassword", FaultKind::Throttled, 1);
    assert!(bench.azure.graph.try_write_permission(bench.application()).await.is_err());
}
