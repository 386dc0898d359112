//! `doctor`: each planted fault is reported with a remedy.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use reqwest::Method;
use serde_json::{Value, json};

use super::{in_days, look, text};
use crate::support::Azure;

fn findings(report: &Value) -> &[Value] {
    report.pointer("/findings").and_then(Value::as_array).unwrap()
}

#[tokio::test]
async fn a_healthy_sandbox_has_no_error() {
    let azure = Azure::start(&["--secrets", "3"]).await;
    let daemon = azure.daemon(&[]).await;
    daemon.is_ready().await;
    let (code, report) = look("doctor", &azure.file("rekeyd.toml"), &[]).await;
    assert_eq!((code, &report["errors"]), (0, &json!(0)), "{report:#}");
    let fine = |check: &str| {
        let of = |finding: &&Value| text(finding, "check") == check && text(finding, "verdict") == "ok";
        findings(&report).iter().filter(of).count()
    };
    for (check, count) in [
        ("graph_token", 1),
        ("graph_permission", 1),
        ("list_permission", 2),
        ("get_permission", 3),
        ("set_permission", 3),
        ("tags", 3),
        ("ownership", 3),
        ("application_write_permission", 3),
        ("service_principal", 3),
        ("password_room", 3),
        ("event_grid", 1),
        ("clock", 1),
    ] {
        assert_eq!(fine(check), count, "{check}: {report:#}");
    }
    // It may not read the tenant's policies, and has to show the remedy.
    let unknown = findings(&report).iter().find(|finding| text(finding, "check") == "tenant_policy");
    assert!(unknown.is_some_and(|finding| text(finding, "remedy").contains("Policy.Read.All")), "{report:#}");
}

/// `doctor` names each of the planted faults and oddities with a remedy, and changes nothing.
#[tokio::test]
async fn planted_faults_are_named_with_remedies() {
    let azure = Azure::start(&["--secrets", "7", "--vaults", "3", "--no-clock-url"]).await;
    let stranger = Stranger::answering_404();
    plant(&azure).await;
    let before = azure.state_text().await;
    let (code, report) = look("doctor", &azure.file("rekeyd.toml"), &["--server", &stranger.url]).await;
    assert_eq!(code, 1, "{report:#}");
    for (check, subject, verdict, remedy) in [
        ("vault_network", "vault vault-3", "error", "az keyvault network-rule add --name vault-3"),
        ("set_permission", "vault-2/app-02", "error", "--role \"Key Vault Secrets Officer\""),
        (
            "secret_state",
            "vault-1/app-04",
            "error",
            "set-attributes --vault-name vault-1 --name app-04 --enabled true",
        ),
        ("service_principal", "Application of app-01", "error", "--set accountEnabled=true"),
        ("ownership", "Application of app-02", "error", "az ad app owner add --id"),
        ("tenant_policy", "Application of app-05", "error", "exception"),
        ("event_grid", &stranger.url, "error", "not rekeyd"),
        ("clock", "rekeyd", "error", "set this machine's clock"),
        ("consent", "vault-1/app-07", "error", "rekeyd:secret=vault-1/app-07"),
        // Oddities that are only warnings.
        ("tenant_policy", "Application of app-01", "warning", "to at most 30d"),
        ("tags", "vault-1/app-01", "warning", "correct or remove these tags"),
        ("password_room", "Application of app-06", "warning", "az ad app credential delete"),
    ] {
        let found = reported(&report, check, subject, verdict);
        assert!(text(found, "remedy").contains(remedy), "{found:#}");
        assert!(!text(found, "detail").is_empty());
    }
    let has_remedy = |finding: &Value| (text(finding, "verdict") == "ok") == finding["remedy"].is_null();
    assert!(findings(&report).iter().all(has_remedy), "{report:#}");
    let (_, taken) = look("inventory", &azure.file("rekeyd.toml"), &["--no-usage"]).await;
    let item = |name: &str| {
        let items = taken["items"].as_array().unwrap();
        items.iter().find(|item| text(item, "name") == name).unwrap()["classes"].to_string()
    };
    assert!(item("vault-1/app-01").contains("\"managed\""), "{taken:#}");
    assert!(!item("vault-1/app-07").contains("\"managed\""), "its application does not consent: {taken:#}");
    let changed = |state: &str| {
        let mut state: Value = serde_json::from_str(state).unwrap();
        (state["applications"].take(), state["vaults"].take())
    };
    assert_eq!(changed(&before), changed(&azure.state_text().await), "doctor must change nothing");
}

/// `doctor` names each fault that the configuration or the tenant causes, each with its own remedy.
#[tokio::test]
async fn rule_violations_are_named_with_remedies() {
    let azure = Azure::start(&["--secrets", "3"]).await;
    let id = |pointer: &str| azure.endpoint(pointer).to_owned();
    let denied = id("/secrets/1/object_id");
    let file = edited(&azure, |table| {
        table.insert("applications".to_owned(), toml::toml! { deny = [] }.into());
        table["applications"]["deny"] = vec![denied.clone()].into();
        table.insert("policy".to_owned(), toml::toml! { usage_gate = "report" }.into());
        let own = table["secrets"][0].as_table_mut().unwrap();
        own.remove("application_object_id");
        own.insert("client_id".to_owned(), id("/daemon/client_id").into());
    });
    let control = async |method, what: &str, body| azure.call(method, &azure.control(what), None, body).await;
    control(Method::PUT, "vaults/vault-2", json!({"network": "private"})).await;
    control(Method::PUT, "reports", json!({"available": false})).await;
    let personal = json!({"signInAudience": "AzureADandPersonalMicrosoftAccount"});
    control(Method::PATCH, &format!("applications/{denied}"), personal).await;
    let graph = azure.token("https://graph.microsoft.com/.default").await;
    let url = format!("{}/v1.0/applications/{denied}/addPassword", azure.endpoint("/graph"));
    let short =
        json!({"passwordCredential": {"displayName": "by hand", "endDateTime": in_days(&azure, 1).await}});
    azure.call(Method::POST, &url, Some(&graph), short).await;
    // Entra counts it after its expiry, too.
    azure.advance("2d").await;

    let (code, report) = look("doctor", &file, &[]).await;
    assert_eq!(code, 1, "{report:#}");
    for (check, subject, verdict, remedy) in [
        ("own_application", "", "error", "managed identity"),
        ("application_rules", "Application of app-02", "error", "applications.deny"),
        ("password_room", "Application of app-02", "error", "az ad app credential delete"),
        ("vault_network", "vault vault-2", "error", "--public-network-access Enabled"),
        ("sign_in_report", "tenant", "warning", "AuditLog.Read.All"),
    ] {
        let found = reported(&report, check, subject, verdict);
        assert!(text(found, "remedy").contains(remedy), "{found:#}");
    }
}

/// If no token can be had, `doctor` reports one error for each service and no other error.
#[tokio::test]
async fn missing_tokens_are_the_only_errors() {
    let azure = Azure::start(&["--secrets", "3", "--no-clock-url"]).await;
    let file = edited(&azure, |table| {
        table["identity"]["client_id"] = "11111111-2222-3333-4444-555555555555".into();
    });
    let (code, report) = look("doctor", &file, &[]).await;
    assert_eq!(code, 1, "{report:#}");
    let is_error = |finding: &&Value| text(finding, "verdict") == "error";
    let errors = findings(&report).iter().filter(is_error).map(|finding| text(finding, "check"));
    assert_eq!(errors.collect::<Vec<_>>(), ["graph_token", "key_vault_token"], "{report:#}");
}

/// Writes a changed copy of the sandbox's configuration.
fn edited(azure: &Azure, edit: impl FnOnce(&mut toml::Table)) -> std::path::PathBuf {
    let mut table = toml::from_str(&std::fs::read_to_string(azure.file("rekeyd.toml")).unwrap()).unwrap();
    edit(&mut table);
    let file = azure.file("edited.toml");
    std::fs::write(&file, table.to_string()).unwrap();
    file
}

/// Plants every fault that the check-up has to find, except the one that answers in the daemon's place.
async fn plant(azure: &Azure) {
    let graph = azure.token("https://graph.microsoft.com/.default").await;
    let vault = azure.vault_token().await;
    let base = format!("{}/v1.0", azure.endpoint("/graph"));
    let control = async |method, what: &str, body| azure.call(method, &azure.control(what), None, body).await;
    let on_graph = async |method, what: &str, body| {
        azure.call(method, &format!("{base}/{what}"), Some(&graph), body).await
    };
    let object_id = |index: usize| azure.endpoint(&format!("/secrets/{index}/object_id")).to_owned();
    let daemon = azure.endpoint("/daemon/client_id");
    let found = on_graph(Method::GET, &format!("servicePrincipals(appId='{daemon}')"), Value::Null).await;
    let principal = text(&found, "id");

    // A check-up with permission to read policies can report them.
    let roles = ["Application.ReadWrite.OwnedBy", "AuditLog.Read.All", "Policy.Read.All"];
    let app_roles =
        json!({"principal": principal, "resource": "https://graph.microsoft.com", "roles": roles});
    control(Method::PUT, "app-roles", app_roles).await;

    control(Method::PUT, "vaults/vault-3", json!({"network": "firewall"})).await;
    let role = |role| json!({"principal": principal, "scope": {"vault": "vault-2"}, "role": role});
    control(Method::PUT, "roles", role("Key Vault Secrets User")).await;
    control(Method::DELETE, "roles", role("Key Vault Secrets Officer")).await;
    control(Method::PATCH, &format!("applications/{}", object_id(0)), json!({"enabled": false})).await;
    control(Method::PATCH, &format!("applications/{}", object_id(1)), json!({"owners": []})).await;
    // This one is found by its tags, but its application does not consent.
    control(Method::PATCH, &format!("applications/{}", object_id(6)), json!({"tags": ["x"]})).await;

    let restriction =
        |kind: &str| json!({"restrictionType": kind, "state": "enabled", "maxLifetime": "P30D"});
    let lifetime = json!({"passwordCredentials": [restriction("passwordLifetime")]});
    let default = json!({"isEnabled": true, "applicationRestrictions": lifetime});
    on_graph(Method::PATCH, "policies/defaultAppManagementPolicy", default).await;
    let addition = json!({"restrictionType": "passwordAddition", "state": "enabled"});
    let stricter = json!({
        "displayName": "None here", "isEnabled": true,
        "restrictions": {"passwordCredentials": [addition]},
    });
    let made = on_graph(Method::POST, "policies/appManagementPolicies", stricter).await;
    let reference =
        json!({"@odata.id": format!("{base}/policies/appManagementPolicies/{}", text(&made, "id"))});
    let path = format!("applications/{}/appManagementPolicies/$ref", object_id(4));
    on_graph(Method::POST, &path, reference).await;
    for _ in 0..5 {
        let body = json!({"passwordCredential": {"displayName": "by hand", "endDateTime": in_days(azure, 20).await}});
        on_graph(Method::POST, &format!("applications/{}/addPassword", object_id(5)), body).await;
    }

    let version = |secret: &str| {
        let (vault, name) = secret.split_once('/').unwrap();
        format!("{}/secrets/{name}", azure.vault_url(vault))
    };
    let state = azure.state().await;
    let retouch = async |secret: &str, body| {
        let url = format!("{}/{}?api-version=2025-07-01", version(secret), state.secrets()[secret][0].id);
        azure.call(Method::PATCH, &url, Some(&vault), body).await
    };
    retouch("vault-1/app-04", json!({"attributes": {"enabled": false}})).await;
    retouch("vault-1/app-01", json!({"tags": {"CredentialId": "unknown", "ValidityPeriodDays": "soon"}}))
        .await;
    // The daemon lives in real time: its file has no clock.
    azure.advance("1h").await;
}

/// A server that listens in the daemon's place.
struct Stranger {
    url: String,
}

impl Stranger {
    fn answering_404() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // One answer; the thread ends with it, or with the test's process.
        std::thread::spawn(move || {
            let (mut connection, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let _ = connection.read(&mut request).unwrap();
            connection
                .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .unwrap();
        });
        Self { url }
    }
}

/// Returns the finding with this check, subject and verdict.
fn reported<'a>(report: &'a Value, check: &str, subject: &str, verdict: &str) -> &'a Value {
    let is_it = |finding: &&Value| {
        text(finding, "check") == check
            && text(finding, "subject").contains(subject)
            && text(finding, "verdict") == verdict
    };
    let found = findings(report).iter().find(is_it);
    found.unwrap_or_else(|| panic!("{check} of {subject} is not reported: {report:#}"))
}
