//! The life of an application: registered, given a service principal, changed, trusted, deleted.

use serde_json::json;
use time::Duration;

use super::*;
use crate::sandbox::model::FederatedCredential;
use crate::sandbox::signing_keys::TokenSigner;
use crate::sandbox::tokens::Grant;

/// For a while after its creation, an application is found by some reads and missing from others.
#[tokio::test]
async fn new_application_is_intermittently_missing() {
    let graph = Graph::start().await;
    let made = graph.post("/applications", &json!({"displayName": "new", "tags": ["a"]})).await;
    assert_eq!(made.status, StatusCode::CREATED);
    let path = format!("/applications/{}", made.body["id"].as_str().unwrap());
    assert!(made.header("location").ends_with(&format!("/v1.0{path}")));
    let mut missing = 0;
    for _ in 0..30 {
        missing += usize::from(graph.get(&path).await.refusal() == (404, "Request_ResourceNotFound"));
    }
    assert!((1..30).contains(&missing), "{missing} of 30");
    graph.pass(Duration::minutes(1)).await;
    for _ in 0..10 {
        assert_eq!(graph.get(&path).await.body["tags"], json!(["a"]));
    }
    graph.world.sandbox.shutdown().await;
}

/// An application can sign in only while it has an enabled service principal.
#[tokio::test]
async fn sign_in_requires_an_enabled_service_principal() {
    let graph = Graph::start().await;
    let made = graph.post("/applications", &json!({"displayName": "new"})).await;
    graph.pass(Duration::minutes(1)).await;
    let client_id: Uuid = made.body["appId"].as_str().unwrap().parse().unwrap();
    let add = format!("/applications(appId='{client_id}')/addPassword");
    let text = graph.post(&add, &json!({})).await.body["secretText"].as_str().unwrap().to_owned();
    graph.pass(Duration::minutes(1)).await;
    let sign_in = async || graph.world.sign_in(client_id, &text, &format!("{GRAPH}/.default")).await;
    let (status, body) = sign_in().await;
    assert_eq!((status, &body["error_codes"][0]), (StatusCode::UNAUTHORIZED, &json!(7_000_229)));
    assert_eq!(body["error"], "unauthorized_client");
    let principal = graph.post("/servicePrincipals", &json!({"appId": client_id})).await;
    assert_eq!(principal.status, StatusCode::CREATED);
    assert_eq!(sign_in().await.0, StatusCode::OK);
    let again = graph.post("/servicePrincipals", &json!({"appId": client_id})).await;
    assert_eq!(again.refusal(), (409, "Request_MultipleObjectsWithSameKeyValue"));
    let unknown = graph.post("/servicePrincipals", &json!({"appId": Uuid::from_u128(1)})).await;
    assert_eq!(unknown.refusal(), (400, "NoBackingApplicationObject"));
    let path = format!("/servicePrincipals/{}", principal.body["id"].as_str().unwrap());
    let disabled = graph.send(Method::PATCH, &path, &json!({"accountEnabled": false})).await;
    assert_eq!(disabled.status, StatusCode::NO_CONTENT);
    assert_eq!(sign_in().await.1["error_codes"][0], 7_000_112);
    assert_eq!(graph.send(Method::DELETE, &path, &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(sign_in().await.1["error_codes"][0], 7_000_229);
    graph.world.sandbox.shutdown().await;
}

/// An application accepts supported changes, refuses the others, and is unknown after its deletion.
#[tokio::test]
async fn application_changes_within_limits_and_deletes() {
    let graph = Graph::start().await;
    let path = graph.path(0);
    let change_to = async |body: Value| graph.send(Method::PATCH, &path, &body).await;
    let change = json!({"displayName": "changed", "signInAudience": "AzureADMultipleOrgs", "isFallbackPublicClient": true});
    assert_eq!(change_to(change.clone()).await.status, StatusCode::NO_CONTENT);
    let shown = graph.get(&path).await.body;
    assert!(change.as_object().unwrap().iter().all(|(name, value)| shown[name] == *value), "{shown}");
    let refused = change_to(json!({"passwordCredentials": [{"displayName": "x"}]})).await;
    assert_eq!(refused.refusal(), (400, "Request_BadRequest"));
    assert_eq!(
        change_to(json!({"signInAudience": "Everybody"})).await.refusal(),
        (400, "Request_BadRequest")
    );
    assert_eq!(change_to(json!({"requiredResourceAccess": []})).await.status, StatusCode::NOT_IMPLEMENTED);
    let nameless = graph.post("/applications", &json!({"tags": []})).await;
    assert_eq!(nameless.refusal(), (400, "Request_BadRequest"));
    assert_eq!(graph.send(Method::DELETE, &path, &Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(graph.get(&path).await.status, StatusCode::NOT_FOUND);
    let (_, body) = graph.world.sign_in(graph.managed(0).client_id, "x", &format!("{GRAPH}/.default")).await;
    assert_eq!(body["error_codes"][0], 700_016);
    graph.world.sandbox.shutdown().await;
}

/// An application's redirect URIs by client type and its app roles can be set and read back.
#[tokio::test]
async fn client_type_is_writable_and_readable() {
    let graph = Graph::start().await;
    let path = graph.path(0);
    let kinds = ["web", "spa", "publicClient", "appRoles"];
    let shown = graph.get(&format!("{path}?$select={}", kinds.join(","))).await.body;
    assert!(kinds[..3].iter().all(|kind| shown[*kind] == json!({"redirectUris": []})), "{shown}");
    assert_eq!(shown["appRoles"], json!([]));
    let role = json!({"id": Uuid::from_u128(7), "allowedMemberTypes": ["Application"], "displayName": "Read",
        "description": "Reads", "isEnabled": true, "value": "Read.All"});
    let change = json!({"appRoles": [role], "web": {"redirectUris": ["https://a.example/"]},
        "spa": {"redirectUris": ["https://b.example/"]}, "publicClient": {"redirectUris": ["http://localhost"]}});
    let changed = graph.send(Method::PATCH, &path, &change).await;
    assert_eq!(changed.status, StatusCode::NO_CONTENT);
    let shown = graph.get(&path).await.body;
    assert!(kinds.iter().all(|kind| shown[*kind] == change[*kind]), "{shown}");
    let more = graph.send(Method::PATCH, &path, &json!({"web": {"homePageUrl": "https://a.example/"}})).await;
    assert_eq!(more.status, StatusCode::NOT_IMPLEMENTED);
    graph.world.sandbox.shutdown().await;
}

/// A federated identity created through Graph signs in with the keys registered for its issuer until it is deleted.
#[tokio::test]
async fn federated_identity_uses_its_issuers_keys() {
    let graph = Graph::start().await;
    let (azure, one, other) = (&graph.world.sandbox.azure, graph.managed(0), graph.managed(1));
    let issuer = format!("https://sts.windows.net/{}/", graph.world.at.tenant_id);
    let audience = "api://AzureADTokenExchange";
    let registered = FederatedCredential {
        client_id: other.client_id,
        issuer: issuer.clone(),
        subject: "subject-1".to_owned(),
        audience: audience.to_owned(),
        keys: serde_json::from_value(json!({"keys": azure.tokens.signer.documents(None)})).unwrap(),
    };
    // Another credential of the same issuer, with other keys, comes first.
    let other_keys = TokenSigner::generate().unwrap().documents(None);
    azure.model.add_federated_credential(FederatedCredential {
        subject: "subject-2".to_owned(),
        keys: serde_json::from_value(json!({"keys": other_keys})).unwrap(),
        ..registered.clone()
    });
    azure.model.add_federated_credential(registered);
    let path = format!("{}/federatedIdentityCredentials", graph.path(0));
    let body = json!({"name": "mine", "issuer": issuer, "subject": one.object_id, "audiences": [audience]});
    let made = graph.post(&path, &body).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert_eq!(graph.post(&path, &body).await.refusal(), (400, "Request_BadRequest"));
    let listed = graph.get(&path).await;
    assert_eq!(
        (listed.body["value"].as_array().unwrap().len(), &listed.body["value"][0]["name"]),
        (1, &json!("mine"))
    );
    assert_eq!(graph.get(&format!("{path}/mine")).await.body["id"], made.body["id"]);
    let their_path = format!("{}/federatedIdentityCredentials", graph.path(1));
    let theirs = graph.get(&their_path).await.body["value"].as_array().unwrap().clone();
    let mut subjects: Vec<_> = theirs.iter().map(|one| one["subject"].as_str().unwrap()).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, ["subject-1", "subject-2"]);
    // Those that the controls have registered can be deleted, too; their issuer's keys are still known.
    for one in &theirs {
        let path = format!("{their_path}/{}", one["id"].as_str().unwrap());
        assert_eq!(graph.send(Method::DELETE, &path, &Value::Null).await.status, StatusCode::NO_CONTENT);
        assert_eq!(graph.send(Method::DELETE, &path, &Value::Null).await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(graph.get(&their_path).await.body["value"], json!([]));
    let assertion = azure.tokens.issue(&Grant {
        client_id: one.client_id,
        object_id: one.object_id,
        audience: audience.to_owned(),
        by_assertion: false,
        roles: Vec::new(),
    });
    let (client_id, assertion) = (one.client_id.to_string(), assertion.unwrap());
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id.as_str()),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
        ("scope", "https://graph.microsoft.com/.default"),
    ];
    let url = format!("{}/{}/oauth2/v2.0/token", graph.world.at.authority, graph.world.at.tenant_id);
    let sign_in = async || graph.world.http.post(&url).form(&form).send().await.unwrap().status();
    assert_eq!(sign_in().await, StatusCode::OK);
    let gone = graph.send(Method::DELETE, &format!("{path}/mine"), &Value::Null).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(sign_in().await, StatusCode::UNAUTHORIZED);
    graph.world.sandbox.shutdown().await;
}

/// An application created through the controls can be read immediately, with the given creation date and owners.
#[tokio::test]
async fn controls_create_an_application_known_at_once() {
    let graph = Graph::start().await;
    let url = format!("{}/_sandbox/applications", graph.world.at.authority);
    let body = json!({"displayName": "theirs", "owners": [], "createdDateTime": "2020-01-01T00:00:00Z"});
    let made: Value = graph.world.http.post(url).json(&body).send().await.unwrap().json().await.unwrap();
    let shown = graph.get(&format!("/applications(appId='{}')", made["client_id"].as_str().unwrap())).await;
    assert_eq!(shown.body["createdDateTime"], "2020-01-01T00:00:00.0000000Z");
    let token = graph.as_daemon_with(&["Application.ReadWrite.OwnedBy"]).await;
    let add = format!("/applications/{}/addPassword", made["object_id"].as_str().unwrap());
    assert_eq!(graph.send_as(&token, Method::POST, &add, &json!({})).await.status, StatusCode::FORBIDDEN);
    graph.world.sandbox.shutdown().await;
}
