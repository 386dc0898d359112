//! A.5, A.6: the checks before every operation, and the headers of every response.

use super::*;

async fn without_token(world: &World, body: &'static str) -> Reply {
    Reply::of(world.http.put(world.secret_url("it")).body(body)).await
}

/// A request without a token gets the challenge before its body is parsed.
#[tokio::test]
async fn challenge_precedes_reading_the_body() {
    let world = World::start().await;
    for body in ["", "{", r#"{"value": "text"}"#] {
        let reply = without_token(&world, body).await;
        assert_eq!(reply.problem(), "401 Unauthorized -");
        assert_eq!(reply.message(), "AKV10000: Request is missing a Bearer or PoP token.");
        let (authority, tenant) = (&world.at.authority, world.at.tenant_id);
        let challenge = format!("Bearer authorization=\"{authority}/{tenant}\", resource=\"{RESOURCE}\"");
        assert_eq!(reply.header("www-authenticate"), Some(challenge.as_str()));
    }
    world.sandbox.shutdown().await;
}

/// A token for another audience and a malformed token are both answered with 401 and a reason.
#[tokio::test]
async fn wrong_or_malformed_token_is_challenged() {
    let world = World::start().await;
    let asker = Asker { world: &world, token: world.graph().await };
    let wrong = asker.get("secrets/app-01").await;
    assert_eq!(wrong.problem(), "401 Unauthorized -");
    let message = "AKV10022: Invalid audience. Expected https://vault.azure.net or cfa8b339-82a2-471a-a3c9-0fc0be7a4093, found: https://graph.microsoft.com.";
    assert_eq!(wrong.message(), message);
    assert!(wrong.header("www-authenticate").is_some());
    let asker = Asker { token: "no.token.atall".to_owned(), ..asker };
    let nonsense = asker.get("secrets/app-01").await;
    assert_eq!(nonsense.problem(), "401 Unauthorized -");
    assert!(nonsense.message().starts_with("AKV10046"), "{}", nonsense.message());
    world.sandbox.shutdown().await;
}

/// Key Vault refuses a token with a trailing slash in its audience.
#[tokio::test]
async fn audience_with_trailing_slash_is_refused() {
    let world = World::start().await;
    let grant = crate::sandbox::tokens::Grant {
        client_id: world.at.client.client_id,
        object_id: world.sandbox.model().tenant().client.object_id,
        audience: "https://vault.azure.net/".to_owned(),
        by_assertion: false,
        roles: Vec::new(),
    };
    let asker = Asker { world: &world, token: world.sandbox.azure.tokens.issue(&grant).unwrap() };
    let refused = asker.get("secrets/app-01").await;
    assert_eq!(refused.problem(), "401 Unauthorized -");
    assert!(refused.message().ends_with("found: https://vault.azure.net/."), "{}", refused.message());
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    let world = World::start().await;
    let (asker, _) = Asker::with_roles(&world, &[Role::SecretsUser]).await;
    assert_eq!(asker.get("secrets/app-01").await.status, StatusCode::OK);
    asker.wait(Duration::hours(2)).await;
    let refused = asker.get("secrets/app-01").await;
    assert_eq!(refused.problem(), "401 Unauthorized -");
    assert!(refused.message().starts_with("AKV10018"), "{}", refused.message());
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn every_answer_bears_the_services_headers() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    let replies = [
        without_token(&world, "").await,
        asker.get("secrets/app-01").await,
        asker.get("secrets/nothing").await,
        asker.get("keys/nothing").await,
    ];
    let statuses = replies.each_ref().map(|reply| reply.status.as_u16());
    assert_eq!(statuses, [401, 200, 404, 501]);
    for reply in replies {
        assert_eq!(reply.header("cache-control"), Some("no-cache"));
        assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
        assert!(reply.header("x-ms-keyvault-region").is_some());
        assert!(reply.header("x-ms-keyvault-service-version").is_some());
        let network = "conn_type=Ipv4;addr=127.0.0.1;act_addr_fam=InterNetwork;";
        assert_eq!(reply.header("x-ms-keyvault-network-info"), Some(network));
        assert!(Uuid::try_parse(reply.header("x-ms-request-id").unwrap()).is_ok());
    }
    world.sandbox.shutdown().await;
}

#[tokio::test]
async fn the_clients_request_id_is_echoed() {
    let world = World::start().await;
    let request = world.http.get(world.secret_url("app-01")).header("x-ms-client-request-id", "mine");
    assert_eq!(Reply::of(request).await.header("x-ms-client-request-id"), Some("mine"));
    world.sandbox.shutdown().await;
}

/// A closed network refuses a request after its token is checked and before its roles are checked.
#[tokio::test]
async fn network_check_follows_token_precedes_roles() {
    let world = World::start().await;
    let (asker, principal) = Asker::with_roles(&world, &[]).await;
    let caller = format!("oid={principal};iss=https://sts.windows.net/{}/\r\n", world.at.tenant_id);
    for (network, code, start) in [
        (
            "firewall",
            "ForbiddenByFirewall",
            "Client address is not authorized and caller is not a trusted service.\r\nClient address: 127.0.0.1\r\nCaller: appid=",
        ),
        (
            "private",
            "ForbiddenByConnection",
            "Public network access is disabled and request is not from a trusted service nor via an approved private link.\r\nCaller: appid=",
        ),
    ] {
        assert_eq!(
            asker.control("vaults/vault-1", json!({"network": network})).await,
            StatusCode::NO_CONTENT
        );
        let refused = asker.get("secrets/app-01").await;
        assert_eq!(refused.problem(), format!("403 Forbidden {code}"));
        assert!(refused.message().starts_with(start), "{}", refused.message());
        assert!(refused.message().contains(&caller), "{}", refused.message());
        assert!(refused.message().ends_with("\r\nVault: vault-1;location=sandbox"), "{}", refused.message());
        assert_eq!(without_token(&world, "").await.status, StatusCode::UNAUTHORIZED);
    }
    asker.control("vaults/vault-1", json!({"network": "open"})).await;
    assert_eq!(asker.get("secrets/app-01").await.problem(), "403 Forbidden ForbiddenByRbac");
    world.sandbox.shutdown().await;
}

/// The vault control refuses retention periods and network settings that Azure does not have, and unknown vaults.
#[tokio::test]
async fn vault_control_refuses_invalid_settings() {
    let world = World::start().await;
    let asker = Asker::administrator(&world).await;
    for wrong in [json!({"retention_days": 6}), json!({"retention_days": 91}), json!({"network": "ajar"})] {
        assert_eq!(asker.control("vaults/vault-1", wrong).await, StatusCode::BAD_REQUEST);
    }
    assert_eq!(asker.control("vaults/none", json!({})).await, StatusCode::NOT_FOUND);
    world.sandbox.shutdown().await;
}
