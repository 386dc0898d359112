//! Key Vault's answers. They are collected, not judged.

use reqwest::Method;
use serde_json::{Value, json};

use super::Answers;
use super::client::{Bench, VAULT, sent};

pub(super) async fn collect(bench: &Bench, answers: &mut Answers) {
    bundles(bench, answers).await;
    lists(bench, answers).await;
    refusals(bench, answers).await;
    deleted(bench, answers).await;
}

async fn bundles(bench: &Bench, answers: &mut Answers) {
    let set = bench.vault(Method::PUT, "secrets/crpsecret", Some(json!({"value": "text"}))).await;
    let path = path_of(&set);
    let get = bench.vault(Method::GET, &path, None).await;
    let change =
        json!({"tags": {"mytag": "myvalue"}, "contentType": "mine", "attributes": {"enabled": true}});
    answers.insert("keyvault/SetSecret-example.2025-07-01.json", set);
    answers.insert("keyvault/GetSecret-example.2025-07-01.json", get);
    let updated = bench.vault(Method::PATCH, &path, Some(change)).await;
    answers.insert("keyvault/UpdateSecret-example.json", updated);
}

async fn lists(bench: &Bench, answers: &mut Answers) {
    for (name, body) in
        [("a-list", json!({"value": "x", "contentType": "plainText"})), ("b", json!({"value": "x"}))]
    {
        bench.vault(Method::PUT, &format!("secrets/{name}"), Some(body.clone())).await;
        bench.vault(Method::PUT, &format!("secrets/{name}"), Some(body)).await;
    }
    for (path, sample) in [
        ("secrets?maxresults=1", "keyvault/GetSecrets-example.2025-07-01.json"),
        ("secrets/b/versions?maxresults=1", "keyvault/GetSecretVersions-example.2025-07-01.json"),
    ] {
        answers.insert(sample, bench.vault(Method::GET, path, None).await);
    }
}

async fn refusals(bench: &Bench, answers: &mut Answers) {
    let url = format!("{}/secrets/crpsecret?api-version=2025-07-01", bench.at.vaults[0].url);
    let challenge = sent(bench.http.get(&url), None).await;
    answers.insert("keyvault/error_401_no_token.http", challenge);
    let managed = bench.managed();
    let secret = bench.first_text();
    let token = bench.sign_in(&managed.client_id.to_string(), &secret, VAULT).await;
    let request = bench.http.get(&url).bearer_auth(token["access_token"].as_str().unwrap());
    answers.insert("keyvault/error_403_rbac.json", sent(request, None).await);
    let body = json!({"value": "text", "attributes": {"enabled": false}});
    bench.vault(Method::PUT, "secrets/off", Some(body)).await;
    let disabled = bench.vault(Method::GET, "secrets/off", None).await;
    answers.insert("keyvault/error_403_secret_disabled.json", disabled);
    let missing = bench.vault(Method::GET, "secrets/nowhere", None).await;
    answers.insert("keyvault/error_404_secret_not_found.json", missing);
}

/// Collects the answers about a secret that was deleted and
/// recovered, and one that was purged and restored from its backup.
async fn deleted(bench: &Bench, answers: &mut Answers) {
    let plain = json!({"value": "text"});
    bench.vault(Method::PUT, "secrets/back", Some(plain.clone())).await;
    settled(bench, Method::DELETE, "secrets/back").await;
    let refused = bench.vault(Method::PUT, "secrets/back", Some(plain)).await;
    answers.insert("keyvault/error_409_deleted_but_recoverable.json", refused);
    let recovered = settled(bench, Method::POST, "deletedsecrets/back/recover").await;
    answers.insert("keyvault/RecoverDeletedSecret-example.json", recovered);
    let attributes = json!({"nbf": 1_262_332_800, "exp": 1_893_484_800});
    let body = json!({"value": "text", "contentType": "text", "attributes": attributes});
    bench.vault(Method::PUT, "secrets/gone", Some(body)).await;
    let backup = bench.vault(Method::POST, "secrets/gone/backup", None).await;
    settled(bench, Method::DELETE, "secrets/gone").await;
    settled(bench, Method::DELETE, "deletedsecrets/gone").await;
    let restored = bench.vault(Method::POST, "secrets/restore", Some(backup)).await;
    answers.insert("keyvault/RestoreSecret-response.2026-04-01.json", restored);
}

/// Returns the answer once the requested change has come about everywhere.
async fn settled(bench: &Bench, method: Method, path: &str) -> Value {
    let answer = bench.vault(method, path, None).await;
    bench.control(Method::POST, "clock", json!({"advance": "1m"})).await;
    answer
}

/// Returns `secrets/{name}/{version}`, from an id.
fn path_of(bundle: &Value) -> String {
    let id = bundle["id"].as_str().unwrap();
    id[id.find("secrets/").unwrap()..].to_owned()
}
