//! Graph's answers. They are collected, not judged.

use reqwest::Method;
use serde_json::{Value, json};

use super::Answers;
use super::client::{Bench, GRAPH, sent};

pub(super) async fn collect(bench: &Bench, answers: &mut Answers) {
    passwords(bench, answers).await;
    application(bench, answers).await;
    report(bench, answers).await;
    forbidden(bench, answers).await;
    policy(bench, answers).await;
    throttled(bench, answers).await;
}

/// Collects the answers about passwords. The samples of requests
/// are sent as they are: the answer shows that they were accepted.
async fn passwords(bench: &Bench, answers: &mut Answers) {
    let application = format!("v1.0/applications/{}", bench.managed().object_id);
    let body = json!({"passwordCredential": {"displayName": "Password friendly name"}});
    let made = bench.graph(Method::POST, &format!("{application}/addPassword"), Some(body.clone())).await;
    assert_eq!(made["displayName"], body["passwordCredential"]["displayName"]);
    let key = json!({"keyId": made["keyId"]});
    let removed =
        bench.graph(Method::POST, &format!("{application}/removePassword"), Some(key.clone())).await;
    assert_eq!(removed, Value::Null, "204 has no body");
    answers.insert("graph/addPassword_request.json", body);
    answers.insert("graph/addPassword_response_200.json", made);
    answers.insert("graph/removePassword_request.json", key);
}

async fn application(bench: &Bench, answers: &mut Answers) {
    let path = format!(
        "v1.0/applications/{}?$select=id,appId,displayName,signInAudience,keyCredentials,passwordCredentials",
        bench.managed().object_id
    );
    answers.insert("graph/application_get_200.json", bench.graph(Method::GET, &path, None).await);
}

async fn report(bench: &Bench, answers: &mut Answers) {
    let managed = bench.managed();
    let secret = bench.first_text();
    bench.sign_in(&managed.client_id.to_string(), &secret, GRAPH).await;
    bench.control(Method::POST, "clock", json!({"advance": "3d"})).await;
    let path = format!("beta/reports/appCredentialSignInActivities?$filter=appId eq '{}'", managed.client_id);
    let report = bench.graph(Method::GET, &path, None).await;
    answers.insert("graph/appCredentialSignInActivity_beta_docs_example.json", report);
}

/// Collects the refusals: the daemon may write to the applications that it owns, and to nothing else.
async fn forbidden(bench: &Bench, answers: &mut Answers) {
    let body = json!({"displayName": "foreign"});
    let other = bench.graph(Method::POST, "v1.0/applications", Some(body)).await;
    bench.control(Method::POST, "clock", json!({"advance": "5m"})).await;
    let id = other["id"].as_str().unwrap();
    let request = bench.http.post(format!("{}/v1.0/applications/{id}/addPassword", bench.at.graph));
    let request = request.bearer_auth(bench.token(&bench.at.daemon, GRAPH).await);
    let refused = sent(request, Some(json!({}))).await;
    answers.insert("graph/error_403_authorization_request_denied.json", refused);
}

async fn policy(bench: &Bench, answers: &mut Answers) {
    let roles =
        ["Application.ReadWrite.All", "AuditLog.Read.All", "Policy.ReadWrite.ApplicationConfiguration"];
    let client = bench.sandbox.model().tenant().client.object_id;
    bench
        .control(Method::PUT, "app-roles", json!({"principal": client, "resource": GRAPH, "roles": roles}))
        .await;
    let restriction =
        json!({"restrictionType": "passwordLifetime", "state": "enabled", "maxLifetime": "P90D"});
    let policy =
        json!({"isEnabled": true, "applicationRestrictions": {"passwordCredentials": [restriction]}});
    bench.graph(Method::PATCH, "v1.0/policies/defaultAppManagementPolicy", Some(policy)).await;
    let path = format!("v1.0/applications/{}/addPassword", bench.managed().object_id);
    let refused = bench.graph(Method::POST, &path, Some(json!({}))).await;
    answers.insert("graph/error_400_app_policy_lifetime.json", refused);
}

/// Collects the answer to too many requests: the report allows five in ten seconds.
async fn throttled(bench: &Bench, answers: &mut Answers) {
    let path = "beta/reports/appCredentialSignInActivities";
    for _ in 0..10 {
        let answer = bench.graph(Method::GET, path, None).await;
        if answer["error"]["code"] == "TooManyRequests" {
            answers.insert("graph/error_429.json", answer);
            return;
        }
    }
}
