//! A.7: permissions, by role or access policy, in each vault.

use super::*;

/// Tries each operation once and returns the names of those that are not refused.
async fn what_is_allowed(asker: &Asker<'_>) -> Vec<&'static str> {
    let body = || Some(json!({"value": "text"}));
    let requests = [
        ("get", Method::GET, "secrets/app-01", None),
        ("list", Method::GET, "secrets", None),
        ("list versions", Method::GET, "secrets/app-01/versions", None),
        ("list deleted", Method::GET, "deletedsecrets", None),
        ("get deleted", Method::GET, "deletedsecrets/gone", None),
        ("set", Method::PUT, "secrets/it", body()),
        ("update", Method::PATCH, "secrets/it", Some(json!({}))),
        ("backup", Method::POST, "secrets/app-01/backup", None),
        ("restore", Method::POST, "secrets/restore", body()),
        ("delete", Method::DELETE, "secrets/nothing", None),
        ("recover", Method::POST, "deletedsecrets/nothing/recover", None),
        ("purge", Method::DELETE, "deletedsecrets/nothing", None),
    ];
    let mut allowed = Vec::new();
    for (operation, method, path, body) in requests {
        let reply = asker.send(method, &asker.url(path), body).await;
        if reply.problem() != "403 Forbidden ForbiddenByRbac" {
            assert_ne!(reply.status, StatusCode::FORBIDDEN, "{operation}");
            allowed.push(operation);
        }
    }
    allowed
}

const METADATA: [&str; 4] = ["list", "list versions", "list deleted", "get deleted"];

async fn allowed_to(roles: &[Role]) -> Vec<&'static str> {
    let world = World::start().await;
    let (asker, _) = Asker::with_roles(&world, roles).await;
    let allowed = what_is_allowed(&asker).await;
    world.sandbox.shutdown().await;
    allowed
}

/// Each vault role permits its own operations on secrets and no others.
#[tokio::test]
async fn vault_role_grants_only_its_operations() {
    let get: &[&str] = &["get"];
    let writing: &[&str] = &["set", "update", "backup", "restore", "delete", "recover"];
    let none: [&str; 0] = [];
    assert_eq!(allowed_to(&[]).await, none);
    assert_eq!(allowed_to(&[Role::VaultReader]).await, METADATA);
    assert_eq!(allowed_to(&[Role::SecretsUser]).await, [get, &METADATA].concat());
    assert_eq!(allowed_to(&[Role::SecretsOfficer]).await, [get, &METADATA, writing].concat());
    let all = [get, &METADATA, writing, &["purge"]].concat();
    assert_eq!(allowed_to(&[Role::VaultAdministrator]).await, all);
    assert_eq!(allowed_to(&[Role::PurgeOperator]).await, ["purge"]);
    assert_eq!(allowed_to(&[Role::FhirDataReader, Role::DicomDataReader]).await, none);
}

/// A role assigned in one vault grants nothing in another vault and ends when it is removed.
#[tokio::test]
async fn role_is_limited_to_its_vault() {
    let world = World::start().await;
    let (asker, principal) = Asker::with_roles(&world, &[Role::SecretsUser]).await;
    assert_eq!(asker.get("secrets/app-01").await.status, StatusCode::OK);
    let elsewhere = format!("{}/secrets/app-02?api-version=7.6", world.at.vaults[1].url);
    let refused = asker.send(Method::GET, &elsewhere, None).await;
    assert_eq!(refused.problem(), "403 Forbidden ForbiddenByRbac");
    let scope = Scope::Vault("vault-1".to_owned());
    world.sandbox.model().remove_role(principal, &scope, Role::SecretsUser);
    assert_eq!(asker.get("secrets/app-01").await.problem(), "403 Forbidden ForbiddenByRbac");
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn the_daemon_may_do_everything_but_purge() {
    let world = World::start().await;
    let daemon = &world.sandbox.model().tenant().daemon;
    let scope = format!("{RESOURCE}/.default");
    let (_, body) = world.sign_in(daemon.client_id, daemon.secret.expose_secret(), &scope).await;
    let asker = Asker { world: &world, token: body["access_token"].as_str().unwrap().to_owned() };
    let allowed = what_is_allowed(&asker).await;
    assert_eq!((allowed.len(), allowed.contains(&"purge")), (11, false));
    world.sandbox.shutdown().await;
}

/// A refusal by role names the caller, the action and the resource.
#[tokio::test]
async fn rbac_refusal_names_caller_action_resource() {
    let world = World::start().await;
    let (asker, principal) = Asker::with_roles(&world, &[]).await;
    let vault = "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sandbox/providers/microsoft.keyvault/vaults/vault-1";
    for (reply, action, resource) in [
        (asker.get("secrets/app-01").await, "getSecret/action", format!("{vault}/secrets/app-01")),
        (asker.get("secrets").await, "readMetadata/action", vault.to_owned()),
        (asker.delete("secrets/app-01").await, "delete", format!("{vault}/secrets/app-01")),
        (asker.delete("deletedsecrets/x").await, "purge/action", format!("{vault}/secrets/x")),
        (asker.put("it", json!({"value": "text"})).await, "setSecret/action", format!("{vault}/secrets/it")),
    ] {
        let client_id = world.sandbox.model().managed()[0].client_id;
        let expected = format!(
            "Caller is not authorized to perform action on resource.\r\nIf role assignments, deny assignments or role definitions were changed recently, please observe propagation time.\r\nCaller: appid={client_id};oid={principal};iss=https://sts.windows.net/{}/\r\nAction: 'Microsoft.KeyVault/vaults/secrets/{action}'\r\nResource: '{resource}'\r\nAssignment: (not found)\r\nDenyAssignmentId: null\r\nDecisionReason: 'DeniedWithNoValidRBAC' \r\nVault: vault-1;location=sandbox\r\n",
            world.at.tenant_id,
        );
        assert_eq!(reply.message(), expected);
        assert_eq!(reply.problem(), "403 Forbidden ForbiddenByRbac");
    }
    world.sandbox.shutdown().await;
}

/// A caller without a role is refused before the request's name and API version are validated.
#[tokio::test]
async fn role_check_precedes_request_validation() {
    let world = World::start().await;
    let (asker, _) = Asker::with_roles(&world, &[]).await;
    let no_version = format!("{}/secrets/not_a_name", world.at.vaults[0].url);
    let refused = asker.send(Method::GET, &no_version, None).await;
    assert_eq!(refused.problem(), "403 Forbidden ForbiddenByRbac");
    world.sandbox.shutdown().await;
}

/// Under the access policy model, a caller without permission is refused with `AccessDenied`.
#[tokio::test]
async fn access_policy_refusals_are_access_denied() {
    let world = World::start().await;
    let (asker, principal) = Asker::with_roles(&world, &[]).await;
    let client_id = world.sandbox.model().managed()[0].client_id;
    let caller =
        format!("appid={client_id};oid={principal};iss=https://sts.windows.net/{}/", world.at.tenant_id);
    asker.control("vaults/vault-1", json!({"access_model": "access_policies"})).await;
    let unknown = asker.get("secrets/app-01").await;
    assert_eq!(unknown.problem(), "403 Forbidden AccessDenied");
    let message = format!(
        "Access denied. Caller was not found on any access policy.\r\nCaller: {caller}\r\nVault: vault-1;location=sandbox"
    );
    assert_eq!(unknown.message(), message);
    let (asker, _) = Asker::with_roles(&world, &[Role::VaultReader]).await;
    let reader = asker.get("secrets/app-01").await;
    assert_eq!(reader.problem(), "403 Forbidden AccessDenied");
    assert!(reader.message().contains("does not have secrets get permission on key vault 'vault-1"));
    assert_eq!(asker.get("secrets").await.status, StatusCode::OK);
    let gone = asker.get("deletedsecrets/gone").await;
    assert_eq!(gone.problem(), "403 Forbidden AccessDenied");
    assert!(gone.message().contains("does not have secrets get permission"), "{}", gone.message());
    let (asker, _) = Asker::with_roles(&world, &[Role::SecretsUser]).await;
    assert_eq!(asker.get("deletedsecrets/gone").await.status, StatusCode::NOT_FOUND);
    world.sandbox.shutdown().await;
}
