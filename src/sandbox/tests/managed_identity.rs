//! Managed identities as their clients see them, over plain HTTP.
#![expect(clippy::unwrap_used, reason = "a test may stop here")]

use reqwest::{RequestBuilder, StatusCode};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::World;

async fn answered(request: RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

impl World {
    fn metadata(&self, query: &str) -> RequestBuilder {
        let url = format!("{}/metadata/identity/oauth2/token?{query}", self.at.imds_endpoint);
        self.http.get(url).header("Metadata", "true")
    }
}

const QUERY: &str = "api-version=2018-02-01&resource=https://vault.azure.net";

/// The metadata service returns all members as strings, with a token that Key Vault accepts.
#[tokio::test]
async fn metadata_service_issues_a_usable_token() {
    let world = World::start().await;
    assert!(world.at.imds_endpoint.starts_with("http://127.0.0.1:"));
    let (status, body) = answered(world.metadata(QUERY)).await;
    assert_eq!(status, 200, "{body}");
    let members = body.as_object().unwrap();
    assert!(members.values().all(Value::is_string), "{body}");
    let mut names: Vec<_> = members.keys().map(String::as_str).collect();
    names.sort_unstable();
    let sample =
        ["access_token", "expires_in", "expires_on", "not_before", "refresh_token", "resource", "token_type"];
    assert_eq!(names, sample);
    assert_eq!((&members["expires_in"], &members["refresh_token"]), (&json!("3599"), &json!("")));
    world.get(&world.secret_url("app-01"), members["access_token"].as_str().unwrap()).await;
    world.sandbox.shutdown().await;
}

/// The metadata service refuses a request without its header, with an unknown identity or with invalid parameters.
#[tokio::test]
async fn metadata_service_requires_header_and_identity() {
    let world = World::start().await;
    let bare = world.http.get(format!("{}/metadata/identity/oauth2/token?{QUERY}", world.at.imds_endpoint));
    let expected =
        json!({"error": "bad_request_102", "error_description": "Required metadata header not specified"});
    assert_eq!(answered(bare).await, (400, expected));
    let tenant = world.sandbox.model().tenant();
    for identity in [&tenant.daemon, &tenant.client] {
        for asked in
            [format!("client_id={}", identity.client_id), format!("object_id={}", identity.object_id)]
        {
            let (status, body) = answered(world.metadata(&format!("{QUERY}&{asked}"))).await;
            assert_eq!(status, 200, "{asked}: {body}");
        }
    }
    let resource_id = "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/sandbox/providers/Microsoft.ManagedIdentity/userAssignedIdentities/client";
    assert_eq!(answered(world.metadata(&format!("{QUERY}&msi_res_id={resource_id}"))).await.0, 200);
    let unknown = format!("{QUERY}&client_id={}", world.at.tenant_id);
    let expected = json!({"error": "invalid_request", "error_description": "Identity not found"});
    assert_eq!(answered(world.metadata(&unknown)).await, (400, expected));
    let resource = "api-version=2019-08-01&resource=https://unknown.example";
    let (status, body) = answered(world.metadata(resource)).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_resource")));
    for lacking in ["api-version=2018-02-01", "api-version=1&resource=https://vault.azure.net"] {
        assert_eq!(answered(world.metadata(lacking)).await.0, 400, "{lacking}");
    }
    world.sandbox.shutdown().await;
}

/// The metadata service returns the scripted error statuses in order and then works again.
#[tokio::test]
async fn metadata_service_fails_on_demand_then_recovers() {
    let world = World::start().await;
    let url = format!("{}/_sandbox/managed-identity/troubles", world.at.controls);
    let accepted =
        world.http.post(&url).json(&json!({"statuses": [404, 410, 429, 500]})).send().await.unwrap();
    assert_eq!(accepted.status(), StatusCode::NO_CONTENT);
    for status in [404, 410, 429, 500, 200] {
        assert_eq!(answered(world.metadata(QUERY)).await.0, status);
    }
    let refused = world.http.post(&url).json(&json!({"statuses": [200]})).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    world.sandbox.shutdown().await;
}

/// The App Service identity endpoint issues tokens over plain HTTP to requests with the right header.
#[tokio::test]
async fn app_service_endpoint_works_over_http() {
    let world = World::start().await;
    let at = &world.at;
    let url = format!("{}?api-version=2019-08-01&resource=https://vault.azure.net", at.identity_endpoint);
    let ask = |url: String, header: &str| answered(world.http.get(url).header("X-IDENTITY-HEADER", header));
    let header = at.identity_header.expose_secret();
    assert_eq!(ask(url.clone(), "wrong").await.0, 401);
    let (status, body) = ask(url.clone(), header).await;
    assert_eq!(status, 200, "{body}");
    let mut names: Vec<_> = body.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["access_token", "client_id", "expires_on", "resource", "token_type"]);
    assert!(body.as_object().unwrap().values().all(Value::is_string), "{body}");
    let daemon = world.sandbox.model().tenant().daemon.object_id;
    assert_eq!(ask(format!("{url}&principal_id={daemon}"), header).await.0, 200);
    assert_eq!(ask(format!("{url}&client_id={daemon}"), header).await.0, 400);
    world.sandbox.shutdown().await;
}
