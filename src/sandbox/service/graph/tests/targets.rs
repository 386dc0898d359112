//! The names of objects in paths, and invalid ones.

use serde_json::json;

use super::*;

/// A malformed object id or client id is refused with 400, and the message identifies the invalid value.
#[tokio::test]
async fn malformed_id_is_refused_by_value() {
    let graph = Graph::start().await;
    let owner = format!("{}/owners/x/$ref", graph.path(0));
    let assigned = format!("{}/appManagementPolicies/x/$ref", graph.path(0));
    for (method, path) in [
        (Method::GET, "/applications/x"),
        (Method::PATCH, "/applications/x"),
        (Method::POST, "/applications/x/addPassword"),
        (Method::GET, "/servicePrincipals/x"),
        (Method::GET, "/policies/appManagementPolicies/x"),
        (Method::DELETE, &owner),
        (Method::DELETE, &assigned),
    ] {
        let refused = graph.send(method.clone(), path, &json!({})).await;
        assert_eq!(refused.refusal(), (400, "Request_BadRequest"), "{method} {path}");
        assert_eq!(refused.message(), "Invalid object identifier 'x'.", "{method} {path}");
    }
    for (key, resource) in [("applications", "Application"), ("servicePrincipals", "ServicePrincipal")] {
        let refused = graph.get(&format!("/{key}(appId='x')")).await;
        assert_eq!(refused.refusal(), (400, "Request_BadRequest"));
        let message = format!("Invalid value specified for property 'appId' of resource '{resource}'.");
        assert_eq!(refused.message(), message);
    }
    graph.world.sandbox.shutdown().await;
}

/// An unknown client id is reported by value to callers with read access and gives 403 to callers without it.
#[tokio::test]
async fn authorized_caller_sees_unknown_client_id() {
    let graph = Graph::start().await;
    // An object id is not a client id, even if the object exists.
    for id in [Uuid::from_u128(1), graph.managed(0).object_id] {
        for path in ["applications", "servicePrincipals"] {
            let missing = graph.get(&format!("/{path}(appId='{id}')")).await;
            assert_eq!(missing.refusal(), (404, "Request_ResourceNotFound"));
            assert!(missing.message().contains(&id.to_string()), "{}", missing.message());
        }
    }
    let path = format!("/applications(appId='{}')", Uuid::from_u128(1));
    let without_roles = graph.as_daemon_with(&[]).await;
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::GET, format!("{path}/appManagementPolicies")),
    ] {
        let refused = graph.send_as(&without_roles, method, &path, &Value::Null).await;
        assert_eq!(refused.refusal(), (403, "Authorization_RequestDenied"));
    }
    graph.world.sandbox.shutdown().await;
}

/// A function in a path is answered as not modelled instead of being parsed as an object id.
#[tokio::test]
async fn function_name_is_not_an_id() {
    let graph = Graph::start().await;
    for (method, path) in [
        (Method::GET, "/applications/delta"),
        (Method::GET, "/servicePrincipals/delta()"),
        (Method::POST, "/applications/getByIds"),
    ] {
        let unknown = graph.send(method, path, &Value::Null).await;
        assert_eq!(unknown.refusal(), (501, "NotModelledBySandbox"), "{path}");
    }
    graph.world.sandbox.shutdown().await;
}
