//! `inventory`: the classes of each credential.

use reqwest::Method;
use serde_json::{Value, json};

use super::{finish_with_config, in_days, look, text};
use crate::support::Azure;

/// `inventory` shows every credential with its owner and classes: managed, foreign, orphaned, expired and so on.
#[tokio::test]
async fn inventory_classifies_every_credential() {
    let azure = Azure::start(&["--secrets", "3"]).await;
    let graph = azure.token("https://graph.microsoft.com/.default").await;
    let base = format!("{}/v1.0/applications", azure.endpoint("/graph"));
    let on_graph = async |path: &str, body| {
        azure.call(Method::POST, &format!("{base}/{path}"), Some(&graph), body).await
    };
    let add = async |application: &str, name: &str, days| {
        let password = json!({"displayName": name, "endDateTime": in_days(&azure, days).await});
        let body = json!({"passwordCredential": password});
        let made = on_graph(&format!("{application}/addPassword"), body).await;
        text(&made, "keyId").to_owned()
    };
    let ours = azure.endpoint("/secrets/0/object_id");
    let theirs = azure.control("applications");
    let theirs = azure.call(Method::POST, &theirs, None, json!({"displayName": "Theirs"})).await;
    let theirs = text(&theirs, "object_id");
    let [foreign, orphan] = [add(ours, "by hand", 200).await, add(ours, ORPHAN, 200).await];
    let [near, expired] = [add(theirs, "=1+1", 20).await, add(theirs, "short", 2).await];
    let federated = json!({"name": "cluster", "issuer": "https://cluster.example", "subject": "system:a",
        "audiences": ["api://AzureADTokenExchange"]});
    on_graph(&format!("{theirs}/federatedIdentityCredentials"), federated).await;
    let vault = azure.vault_token().await;
    let put = async |name: &str, body| {
        let url = format!("{}/secrets/{name}?api-version=2025-07-01", azure.vault_url("vault-1"));
        azure.call(Method::PUT, &url, Some(&vault), body).await
    };
    let lost = json!({"CredentialId": "00000000-0000-4000-8000-000000000001", "Owner": "a team"});
    put("by-hand", json!({"value": "x", "tags": lost})).await;
    azure.advance("4d").await;

    let file = azure.file("rekeyd.toml");
    let (code, taken) = look("inventory", &file, &[]).await;
    assert_eq!((code, &taken["gaps"], &taken["notes"]), (0, &json!([]), &json!([])), "{taken:#}");
    let items = taken["items"].as_array().unwrap();
    for (name, classes) in [
        ("vault-1/app-01", json!(["managed"])),
        ("vault-1/by-hand", json!(["orphaned", "unmanaged"])),
        (foreign.as_str(), json!(["foreign", "never_used"])),
        (orphan.as_str(), json!(["orphaned", "never_used"])),
        (near.as_str(), json!(["unmanaged", "near_expiry", "never_used", "could_be_secretless"])),
        (expired.as_str(), json!(["unmanaged", "expired", "never_used"])),
    ] {
        let item = items.iter().find(|item| text(item, "name") == name).unwrap();
        assert_eq!(item["classes"], classes, "{item:#}");
    }
    let managed = |item: &&Value| item["kind"] == "credential" && item["classes"] == json!(["managed"]);
    assert_eq!(items.iter().filter(managed).count(), 3, "{taken:#}");
    let owner = items.iter().find(|item| text(item, "name") == "vault-1/by-hand").unwrap();
    assert_eq!(text(owner, "owner"), "a team");

    let table = finish_with_config("inventory", &file, &["--output", "csv", "--class", "expired"]).await;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    assert!(lines[1].contains(&expired) && lines[1].contains("Theirs"), "{table}");
    let table = finish_with_config("inventory", &file, &["--no-usage"]).await;
    assert!(table.contains("never_used: 0") && table.contains("=1+1"), "{table}");
}

const ORPHAN: &str = "rekeyd vault-1/app-01 0123456789ab";
