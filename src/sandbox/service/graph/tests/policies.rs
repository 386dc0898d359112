//! App management policies, and the additions that they prevent.

use serde_json::json;

use super::*;

fn lifetime(text: &str) -> Value {
    json!({"passwordCredentials": [{"restrictionType": "passwordLifetime", "maxLifetime": text,
        "restrictForAppsCreatedAfterDateTime": "2020-01-01T00:00:00Z"}]})
}

async fn change_default(graph: &Graph, is_enabled: bool, restrictions: Value) {
    let body = json!({"isEnabled": is_enabled, "applicationRestrictions": restrictions});
    let changed = graph.send(Method::PATCH, "/policies/defaultAppManagementPolicy", &body).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT);
}

async fn add(graph: &Graph, end: Option<&str>) -> Reply {
    let body = json!({"passwordCredential": {"endDateTime": end}});
    graph.post(&format!("{}/addPassword", graph.path(0)), &body).await
}

/// A password lifetime beyond the default policy's maximum is refused, even if it comes from the default end date.
#[tokio::test]
async fn default_policy_bounds_password_lifetime() {
    let graph = Graph::start().await;
    change_default(&graph, true, lifetime("P90D")).await;
    for end in [None, Some("2026-04-01T00:00:01Z")] {
        let refused = add(&graph, end).await;
        assert_eq!(refused.refusal(), (400, "CredentialInvalidLifetimeAsPerAppPolicy"));
        assert_eq!(
            refused.message(),
            "Credential lifetime exceeds the max value allowed as per assigned policy '00000000-0000-0000-0000-000000000000'."
        );
    }
    assert_eq!(add(&graph, Some("2026-04-01T00:00:00Z")).await.status, StatusCode::OK);
    change_default(&graph, false, lifetime("P90D")).await;
    assert_eq!(add(&graph, None).await.status, StatusCode::OK);
    graph.world.sandbox.shutdown().await;
}

/// An enabled policy can forbid adding passwords to applications created after a given moment.
#[tokio::test]
async fn policy_forbids_passwords_for_newer_applications() {
    let graph = Graph::start().await;
    for (moment, state, status) in [
        ("2020-01-01T00:00:00Z", "enabled", StatusCode::BAD_REQUEST),
        ("2020-01-01T00:00:00Z", "disabled", StatusCode::OK),
        ("2025-12-31T00:00:00Z", "enabled", StatusCode::OK),
    ] {
        let restriction = json!({"restrictionType": "passwordAddition", "state": state, "maxLifetime": null,
            "restrictForAppsCreatedAfterDateTime": moment});
        change_default(&graph, true, json!({"passwordCredentials": [restriction]})).await;
        let reply = add(&graph, None).await;
        assert_eq!(reply.status, status, "{moment} {state}");
        if status == StatusCode::BAD_REQUEST {
            assert_eq!(reply.code(), "CredentialTypeNotAllowedAsPerAppPolicy");
            assert!(reply.message().starts_with("Credential type not allowed as per assigned policy '0000"));
        }
    }
    graph.world.sandbox.shutdown().await;
}

/// A policy assigned to an application applies instead of the default policy.
#[tokio::test]
async fn assigned_policy_replaces_the_default() {
    let graph = Graph::start().await;
    change_default(&graph, true, lifetime("P90D")).await;
    let policy = json!({"displayName": "stricter", "restrictions": lifetime("P1M")});
    let made = graph.post("/policies/appManagementPolicies", &policy).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = made.body["id"].as_str().unwrap();
    let reference =
        json!({"@odata.id": format!("https://graph.microsoft.com/v1.0/policies/appManagementPolicies/{id}")});
    let assign = format!("{}/appManagementPolicies/$ref", graph.path(0));
    assert_eq!(graph.post(&assign, &reference).await.status, StatusCode::NO_CONTENT);
    let refused = add(&graph, Some("2026-03-01T00:00:00Z")).await;
    assert!(refused.message().ends_with(&format!("'{id}'.")), "{}", refused.message());
    let assigned = graph.get(&format!("{}/appManagementPolicies", graph.path(0))).await;
    assert_eq!(assigned.names(), ["stricter"]);
    let kept = &assigned.body["value"][0]["restrictions"]["passwordCredentials"][0];
    assert_eq!((&kept["maxLifetime"], &kept["state"]), (&json!("P1M"), &json!("enabled")));
    let path = format!("/policies/appManagementPolicies/{id}");
    let widened = graph.send(Method::PATCH, &path, &json!({"restrictions": lifetime("P3Y")})).await;
    assert_eq!(widened.status, StatusCode::NO_CONTENT);
    assert_eq!(add(&graph, None).await.status, StatusCode::OK, "the default policy would refuse this");
    let refused = graph.send(Method::DELETE, &path, &Value::Null).await;
    assert_eq!(refused.refusal(), (400, "Request_BadRequest"), "it is assigned");
    let other = format!("{}/appManagementPolicies/{}/$ref", graph.path(0), Uuid::from_u128(1));
    let refused = graph.send(Method::DELETE, &other, &Value::Null).await;
    assert_eq!(refused.refusal(), (404, "Request_ResourceNotFound"));
    assert_eq!(add(&graph, None).await.status, StatusCode::OK, "the assigned one holds still");
    let unassign = format!("{}/appManagementPolicies/{id}/$ref", graph.path(0));
    assert_eq!(graph.send(Method::DELETE, &unassign, &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(add(&graph, None).await.code(), "CredentialInvalidLifetimeAsPerAppPolicy");
    assert_eq!(graph.send(Method::DELETE, &path, &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(graph.get(&path).await.status, StatusCode::NOT_FOUND);
    graph.world.sandbox.shutdown().await;
}

/// A policy with an invalid lifetime, an unknown restriction type or an unknown member is refused and changes nothing.
#[tokio::test]
async fn malformed_policy_is_refused() {
    let graph = Graph::start().await;
    for restrictions in
        [lifetime("90 days, or so"), json!({"passwordCredentials": [{"restrictionType": "x"}]})]
    {
        let body = json!({"applicationRestrictions": restrictions});
        let refused = graph.send(Method::PATCH, "/policies/defaultAppManagementPolicy", &body).await;
        assert_eq!(refused.refusal(), (400, "Request_BadRequest"));
    }
    let unknown = json!({"applicationRestrictions": {"passwordCredentials": [{"restrictionType": "passwordAddition", "colour": 1}]}});
    let refused = graph.send(Method::PATCH, "/policies/defaultAppManagementPolicy", &unknown).await;
    assert_eq!(refused.refusal(), (400, "Request_BadRequest"));
    assert!(refused.message().contains("colour"), "{}", refused.message());
    let shown = graph.get("/policies/defaultAppManagementPolicy").await;
    assert_eq!(shown.body["isEnabled"], false);
    graph.world.sandbox.shutdown().await;
}

#[tokio::test]
async fn excluded_actors_are_kept_and_shown() {
    let graph = Graph::start().await;
    let actors = json!({"customSecurityAttributes": [
        {"@odata.type": "#microsoft.graph.customSecurityAttributeStringValueExemption", "id": "Exempt_Policy",
            "operator": "equals", "value": "yes"}]});
    let restriction = json!({"restrictionType": "passwordAddition", "excludeActors": actors});
    let plain = json!({"restrictionType": "customPasswordAddition"});
    change_default(&graph, true, json!({"passwordCredentials": [restriction, plain]})).await;
    let shown = graph.get("/policies/defaultAppManagementPolicy").await.body;
    let shown = &shown["applicationRestrictions"]["passwordCredentials"];
    assert_eq!((&shown[0]["excludeActors"], shown[1].get("excludeActors")), (&actors, None));
    graph.world.sandbox.shutdown().await;
}
