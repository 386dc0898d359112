//! Entra's answers, and those of managed identities. They are collected, not judged.

use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::json;
use uuid::Uuid;

use super::Answers;
use super::client::{Bench, GRAPH, VAULT, sent};

pub(super) async fn collect(bench: &Bench, answers: &mut Answers) {
    discovery(bench, answers).await;
    managed_identities(bench, answers).await;
    refusals(bench, answers).await;
}

async fn discovery(bench: &Bench, answers: &mut Answers) {
    let at = &bench.at;
    let url = format!("{}/{}/v2.0/.well-known/openid-configuration", at.authority, at.tenant_id);
    answers.insert("entra/openid_configuration_docs_excerpt.json", sent(bench.http.get(url), None).await);
}

/// Requests tokens of the same identity as on a virtual machine and as in App Service.
async fn managed_identities(bench: &Bench, answers: &mut Answers) {
    let at = &bench.at;
    let address = format!("{}/metadata/identity/oauth2/token", at.imds_endpoint);
    let request = bench.http.get(address).query(&[("api-version", "2018-02-01"), ("resource", VAULT)]);
    let answer = sent(request.header("Metadata", "true"), None).await;
    answers.insert("entra/imds_token_response.json", answer);
    let request = bench.http.get(&at.identity_endpoint);
    let request = request.query(&[("api-version", "2019-08-01"), ("resource", VAULT)]);
    let answer = sent(request.header("X-IDENTITY-HEADER", at.identity_header.expose_secret()), None).await;
    answers.insert("entra/appservice_managed_identity.http", answer);
}

async fn refusals(bench: &Bench, answers: &mut Answers) {
    let managed = bench.managed();
    let client = managed.client_id.to_string();
    let unknown = bench.sign_in(&Uuid::new_v4().to_string(), "text", GRAPH).await;
    answers.insert("entra/error_AADSTS700016.json", unknown);
    answers.insert("entra/error_AADSTS7000215.json", bench.sign_in(&client, "text", GRAPH).await);
    let secret = bench.first_text();
    bench.control(Method::POST, "clock", json!({"advance": "200d"})).await;
    let expired = bench.sign_in(&client, &secret, GRAPH).await;
    answers.insert("entra/error_AADSTS7000222.json", expired);
}
