//! The report on credentials' sign-ins.

use base64::Engine;
use secrecy::ExposeSecret;
use serde_json::json;
use time::Duration;

use super::*;
use crate::sandbox::model::ApplicationChange;
use crate::sandbox::tests::START;

const REPORT: &str = "/beta/reports/appCredentialSignInActivities";

async fn control(graph: &Graph, body: Value) {
    let url = format!("{}/_sandbox/reports", graph.world.at.authority);
    let set = graph.world.http.put(url).json(&body).send().await.unwrap();
    assert_eq!(set.status(), StatusCode::NO_CONTENT);
}

/// A sign-in appears in the report only after the configured lag has passed.
#[tokio::test]
async fn sign_in_is_reported_after_the_lag() {
    let graph = Graph::start().await;
    control(&graph, json!({"lag": "20m"})).await;
    assert_eq!(graph.get(REPORT).await.body["value"], json!([]));
    let secret = graph.managed(0);
    let model = graph.world.sandbox.model();
    let text = model.get_secret(&secret.vault, &secret.name, None, START).unwrap().value;
    let scope = "https://vault.azure.net/.default";
    let (status, _) = graph.world.sign_in(secret.client_id, text.expose_secret(), scope).await;
    assert_eq!(status, StatusCode::OK);
    let of_it = format!("{REPORT}?$filter=appId eq '{}'", secret.client_id);
    graph.pass(Duration::minutes(19)).await;
    assert_eq!(graph.get(&of_it).await.body["value"], json!([]));
    graph.pass(Duration::minutes(1)).await;
    let shown = graph.get(&of_it).await.body["value"][0].clone();
    let application = graph.get(&graph.path(0)).await.body;
    let key_id = application["passwordCredentials"][0]["keyId"].clone();
    let vault = graph.get("/servicePrincipals(appId='cfa8b339-82a2-471a-a3c9-0fc0be7a4093')").await;
    for (member, expected) in [
        ("keyId", &key_id),
        ("keyType", &json!("clientSecret")),
        ("keyUsage", &json!("sign")),
        ("credentialOrigin", &json!("application")),
        ("appId", &json!(secret.client_id)),
        ("appObjectId", &json!(secret.object_id)),
        ("resourceId", &vault.body["id"]),
        ("expirationDateTime", &application["passwordCredentials"][0]["endDateTime"]),
    ] {
        assert_eq!(shown[member], *expected, "{member}");
    }
    assert_eq!(shown["signInActivity"]["lastSignInDateTime"], "2026-01-01T00:00:00.0000000Z");
    let id = base64::prelude::BASE64_STANDARD.decode(shown["id"].as_str().unwrap()).unwrap();
    assert_eq!(String::from_utf8(id).unwrap(), format!("{}|application", key_id.as_str().unwrap()));
    graph.world.sandbox.shutdown().await;
}

/// The report lists the consumers' sign-ins in pages and is refused without a premium licence.
#[tokio::test]
async fn report_is_paged_and_needs_a_licence() {
    let graph = Graph::start().await;
    graph.pass(Duration::days(1)).await;
    let first = graph.get(&format!("{REPORT}?$top=2")).await.body;
    let next = first["@odata.nextLink"].as_str().unwrap();
    assert!(next.contains("/beta/reports/appCredentialSignInActivities?"), "{next}");
    let second = graph.world.get(next, &graph.token).await;
    let count = |page: &Value| page["value"].as_array().unwrap().len();
    assert_eq!((count(&first), count(&second)), (2, 1));
    let last = first["value"][0]["signInActivity"]["lastSignInDateTime"].as_str().unwrap();
    assert!(("2026-01-01T21".."2026-01-01T23").contains(&last), "two hours late by default: {last}");
    graph.pass(Duration::minutes(1)).await;
    let refused = graph.get(&format!("{REPORT}?$filter=keyUsage eq 'sign'")).await;
    assert_eq!(refused.refusal(), (400, "Request_UnsupportedQuery"));
    control(&graph, json!({"available": false})).await;
    let refused = graph.get(REPORT).await;
    assert_eq!(refused.refusal(), (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant"));
    assert_eq!(graph.get("/reports/appCredentialSignInActivities").await.status, StatusCode::NOT_IMPLEMENTED);
    graph.world.sandbox.shutdown().await;
}

/// Creates an application of its own for a test, with a password that is known everywhere.
async fn application(graph: &Graph) -> (Uuid, String) {
    let model = graph.world.sandbox.model();
    let made = model.add_settled_application(ApplicationChange::default(), START);
    let credential = model.add_password(made.object_id, None, None, None, START).unwrap();
    graph.pass(Duration::minutes(1)).await;
    (made.client_id, credential.text.expose_secret().to_owned())
}

/// A refused token request does not count as a sign-in in the report.
#[tokio::test]
async fn refused_token_request_is_not_reported() {
    let graph = Graph::start().await;
    let (client_id, text) = application(&graph).await;
    control(&graph, json!({"lag": "1m"})).await;
    for (scope, code) in
        [("https://vault.azure.net", 70_011), ("https://unknown.example/.default", 500_011), (GRAPH, 70_011)]
    {
        let (_, body) = graph.world.sign_in(client_id, &text, scope).await;
        assert_eq!(body["error_codes"], json!([code]), "{scope}");
    }
    graph.pass(Duration::minutes(2)).await;
    let of_it = format!("{REPORT}?$filter=appId eq '{client_id}'");
    assert_eq!(graph.get(&of_it).await.body["value"], json!([]));
    graph.sign_in(client_id, &text).await;
    graph.pass(Duration::minutes(2)).await;
    assert_eq!(graph.get(&of_it).await.body["value"].as_array().unwrap().len(), 1);
    graph.world.sandbox.shutdown().await;
}

/// The report identifies each of Microsoft's services by the id of its service principal.
#[tokio::test]
async fn report_uses_each_services_principal_id() {
    let graph = Graph::start().await;
    let (client_id, text) = application(&graph).await;
    control(&graph, json!({"lag": "1m"})).await;
    let of_it = format!("{REPORT}?$filter=appId eq '{client_id}'");
    for (resource, name) in [
        (graph.world.at.fhir.audience.as_str(), "Azure Healthcare APIs"),
        (graph.world.at.dicom.audience.as_str(), "Azure API for DICOM"),
        ("https://storage.azure.com", "Azure Storage"),
        ("https://management.azure.com/", "Windows Azure Service Management API"),
        ("https://eventgrid.azure.net", "Microsoft.EventGrid"),
        ("https://vault.azure.net", "Azure Key Vault"),
        ("00000003-0000-0000-c000-000000000000", "Microsoft Graph"),
    ] {
        let (status, body) = graph.world.sign_in(client_id, &text, &format!("{resource}/.default")).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        graph.pass(Duration::minutes(2)).await;
        let reported = graph.get(&of_it).await.body["value"][0]["resourceId"].clone();
        let principal = graph.get(&format!("/servicePrincipals?$filter=displayName eq '{name}'")).await;
        assert!(
            reported.is_string() && reported == principal.body["value"][0]["id"],
            "{resource}: {reported}"
        );
    }
    graph.world.sandbox.shutdown().await;
}
