//! Permissions: by the roles in the token, and by owning.

use serde_json::json;

use super::*;

const OWNED_BY: &str = "Application.ReadWrite.OwnedBy";

/// `Application.ReadWrite.OwnedBy` permits reading every application but writing only those the caller owns.
#[tokio::test]
async fn owned_by_writes_only_owned_applications() {
    let graph = Graph::start().await;
    let token = graph.as_daemon_with(&[OWNED_BY]).await;
    let foreign = graph.post("/applications", &json!({"displayName": "foreign"})).await;
    graph.pass(time::Duration::minutes(1)).await;
    let foreign = format!("/applications/{}", foreign.body["id"].as_str().unwrap());
    let owned = graph.path(0);
    let send = async |method, path: String, body| graph.send_as(&token, method, &path, &body).await;
    assert_eq!(send(Method::GET, foreign.clone(), Value::Null).await.status, StatusCode::OK);
    assert_eq!(send(Method::POST, format!("{owned}/addPassword"), json!({})).await.status, StatusCode::OK);
    for (method, path, body) in [
        (Method::POST, format!("{foreign}/addPassword"), json!({})),
        (Method::POST, format!("{foreign}/removePassword"), json!({"keyId": Uuid::nil()})),
        (Method::PATCH, foreign.clone(), json!({"displayName": "x"})),
        (Method::DELETE, foreign.clone(), Value::Null),
    ] {
        let refused = send(method, path, body).await;
        assert_eq!(refused.refusal(), (403, "Authorization_RequestDenied"));
        assert_eq!(refused.message(), "Insufficient privileges to complete the operation.");
    }
    graph.world.sandbox.shutdown().await;
}

/// `Application.ReadWrite.OwnedBy` does not permit adding owners, and ownership without the role permits no change.
#[tokio::test]
async fn owned_by_cannot_add_owners() {
    let graph = Graph::start().await;
    let daemon = graph.world.sandbox.model().tenant().daemon.object_id;
    let made = graph.post("/applications", &json!({"displayName": "foreign"})).await;
    graph.pass(time::Duration::minutes(1)).await;
    let path = format!("/applications/{}", made.body["id"].as_str().unwrap());
    let client = graph.world.sandbox.model().tenant().client.object_id;
    let owners = graph.get(&format!("{path}/owners")).await;
    assert_eq!(owners.body["value"][0]["id"], client.to_string(), "its creator owns it");
    assert_eq!(owners.body["value"][0]["@odata.type"], "#microsoft.graph.servicePrincipal");
    let reference =
        json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{daemon}")});
    let (add, remove) = (format!("{path}/owners/$ref"), format!("{path}/owners/{daemon}/$ref"));
    let token = graph.as_daemon_with(&[OWNED_BY]).await;
    // Its id is reserved, but there is no such service principal.
    let none =
        graph.world.sandbox.model().service_principal(made.body["appId"].as_str().unwrap().parse().unwrap());
    let none =
        json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", none.unwrap())});
    assert_eq!(graph.post(&add, &none).await.refusal(), (404, "Request_ResourceNotFound"));
    let own = format!("{}/owners/$ref", graph.path(0));
    assert_eq!(graph.send_as(&token, Method::POST, &own, &reference).await.status, StatusCode::FORBIDDEN);
    assert_eq!(graph.post(&add, &reference).await.status, StatusCode::NO_CONTENT);
    assert_eq!(graph.post(&add, &reference).await.refusal(), (400, "Request_BadRequest"));
    let change = json!({"displayName": "changed"});
    assert_eq!(graph.send_as(&token, Method::PATCH, &path, &change).await.status, StatusCode::NO_CONTENT);
    let without = graph.as_daemon_with(&[]).await;
    assert_eq!(graph.send_as(&without, Method::PATCH, &path, &change).await.status, StatusCode::FORBIDDEN);
    assert_eq!(graph.send(Method::DELETE, &remove, &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(graph.send_as(&token, Method::PATCH, &path, &change).await.status, StatusCode::FORBIDDEN);
    assert_eq!(graph.send(Method::DELETE, &remove, &Value::Null).await.status, StatusCode::NOT_FOUND);
    graph.world.sandbox.shutdown().await;
}

/// Each Graph role permits its own operations and no others.
#[tokio::test]
async fn each_role_grants_only_its_operations() {
    let graph = Graph::start().await;
    let report = "/beta/reports/appCredentialSignInActivities".to_owned();
    let policies = "/policies/appManagementPolicies".to_owned();
    let (list, write) = ("/servicePrincipals".to_owned(), graph.path(0));
    for (roles, allowed) in [
        (&[][..], [false, false, false, false]),
        (&["Application.Read.All"], [true, false, false, false]),
        (&["Directory.Read.All"], [true, false, true, false]),
        (&["AuditLog.Read.All"], [false, false, true, false]),
        (&["Policy.Read.All"], [false, false, false, true]),
        (&["Application.ReadWrite.All"], [true, true, false, false]),
    ] {
        // Reports are few: five in ten seconds.
        graph.pass(time::Duration::seconds(10)).await;
        let token = graph.as_daemon_with(roles).await;
        let tries =
            [(Method::GET, &list), (Method::PATCH, &write), (Method::GET, &report), (Method::GET, &policies)];
        for ((method, path), allowed) in tries.into_iter().zip(allowed) {
            let body = if method == Method::GET { Value::Null } else { json!({"tags": []}) };
            let reply = graph.send_as(&token, method, path, &body).await;
            assert_eq!(reply.status.is_success(), allowed, "{roles:?} {path}");
            assert!(allowed || reply.refusal() == (403, "Authorization_RequestDenied"), "{roles:?} {path}");
        }
    }
    graph.world.sandbox.shutdown().await;
}

/// A caller with `OwnedBy` gets 404 for an object that does not exist, because existence is checked before ownership.
#[tokio::test]
async fn missing_object_precedes_the_ownership_check() {
    let graph = Graph::start().await;
    let token = graph.as_daemon_with(&[OWNED_BY]).await;
    let (missing, body) = (format!("/applications/{}", Uuid::from_u128(1)), json!({}));
    for (method, path) in [
        (Method::POST, format!("{missing}/addPassword")),
        (Method::POST, format!("{missing}/removePassword")),
        (Method::PATCH, missing.clone()),
        (Method::DELETE, missing.clone()),
        (Method::DELETE, format!("/servicePrincipals/{}", Uuid::from_u128(1))),
        (Method::POST, format!("/applications(appId='{}')/addPassword", Uuid::from_u128(1))),
    ] {
        let refused = graph.send_as(&token, method.clone(), &path, &body).await;
        assert_eq!(refused.refusal(), (404, "Request_ResourceNotFound"), "{method} {path}");
        assert!(refused.message().contains(&Uuid::from_u128(1).to_string()), "{}", refused.message());
    }
    let principal = json!({"appId": Uuid::from_u128(1)});
    let refused = graph.send_as(&token, Method::POST, "/servicePrincipals", &principal).await;
    assert_eq!(refused.refusal(), (400, "NoBackingApplicationObject"));
    let reader = graph.as_daemon_with(&["Application.Read.All"]).await;
    let refused = graph.send_as(&reader, Method::PATCH, &missing, &body).await;
    assert_eq!(refused.refusal(), (403, "Authorization_RequestDenied"));
    graph.world.sandbox.shutdown().await;
}
