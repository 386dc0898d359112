//! `doctor`, `inventory` and `plan` against a simulated Azure in another process, healthy and with planted faults.

#![expect(clippy::indexing_slicing, reason = "a test may stop here")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Azure, finish, rekeyd};

/// What a command that looks came to: its exit code and the JSON that it printed.
async fn look(command: &'static str, config: &Path, more: &[&str]) -> (i32, Value) {
    look_with(command, config, more, &[]).await
}

async fn look_with(
    command: &'static str,
    config: &Path,
    more: &[&str],
    environment: &[(&str, &str)],
) -> (i32, Value) {
    let mut process = rekeyd();
    process.args([command, "--output", "json", "--config"]).arg(config).args(more);
    process.envs(environment.iter().copied());
    let output = tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap();
    let (said, told) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let json = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}:\n{said}\n{told}"));
    (output.status.code().unwrap(), json)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn findings(report: &Value) -> &[Value] {
    report.pointer("/findings").and_then(Value::as_array).unwrap()
}

#[test]
fn the_help_of_each_command_that_looks_has_examples_and_exit_codes() {
    for command in LOOKING {
        let output = finish(&[command, "--help"]);
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && help.contains(&format!("  rekeyd {command} --config")), "{help}");
        assert!(help.contains("Exit codes: 0 "), "{help}");
        for wrong in [&[command][..], &[command, "--config", "x", "--output", "xml"]] {
            assert_eq!(finish(wrong).status.code(), Some(64), "{wrong:?}");
        }
        assert_eq!(finish(&[command, "--config", "/nowhere/rekeyd.toml"]).status.code(), Some(64));
    }
}

const LOOKING: [&str; 3] = ["doctor", "inventory", "plan"];

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
        ("list_right", 2),
        ("get_right", 3),
        ("set_right", 3),
        ("tags", 3),
        ("ownership", 3),
        ("application_write_right", 3),
        ("service_principal", 3),
        ("password_room", 3),
        ("event_grid", 1),
        ("clock", 1),
    ] {
        assert_eq!(fine(check), count, "{check}: {report:#}");
    }
    // It may not read the tenant's policies, and has to say how that is changed.
    let unknown = findings(&report).iter().find(|finding| text(finding, "check") == "tenant_policy");
    assert!(unknown.is_some_and(|finding| text(finding, "remedy").contains("Policy.Read.All")), "{report:#}");
}

#[tokio::test]
async fn eight_planted_faults_and_more_are_all_named_each_with_a_remedy() {
    let azure = Azure::start(&["--secrets", "7", "--vaults", "3", "--no-clock-url"]).await;
    let stranger = Stranger::answering_404();
    plant(&azure).await;
    let before = azure.state_text().await;
    let (code, report) = look("doctor", &azure.file("rekeyd.toml"), &["--server", &stranger.url]).await;
    assert_eq!(code, 1, "{report:#}");
    for (check, subject, verdict, remedy) in [
        ("vault_network", "vault vault-3", "error", "az keyvault network-rule add --name vault-3"),
        ("set_right", "vault-2/app-02", "error", "--role \"Key Vault Secrets Officer\""),
        (
            "secret_state",
            "vault-1/app-04",
            "error",
            "set-attributes --vault-name vault-1 --name app-04 --enabled true",
        ),
        ("service_principal", "Application of app-01", "error", "--set accountEnabled=true"),
        ("ownership", "Application of app-02", "error", "az ad app owner add --id"),
        ("tenant_policy", "Application of app-05", "error", "exception"),
        ("event_grid", &stranger.url, "error", "no rekeyd"),
        ("clock", "rekeyd", "error", "set this machine's clock"),
        ("consent", "vault-1/app-07", "error", "rekeyd:secret=vault-1/app-07"),
        // And what is only odd.
        ("tenant_policy", "Application of app-01", "warning", "set validity to at most 30d"),
        ("tags", "vault-1/app-01", "warning", "correct or remove these tags"),
        ("password_room", "Application of app-06", "warning", "az ad app credential delete"),
    ] {
        let found = told(&report, check, subject, verdict);
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
    assert_eq!(changed(&before), changed(&azure.state_text().await), "a check-up changes nothing");
}

#[tokio::test]
async fn what_the_configuration_and_the_tenant_rule_out_is_named_with_its_own_remedy() {
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
    // Entra counts it after its end, too.
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
        let found = told(&report, check, subject, verdict);
        assert!(text(found, "remedy").contains(remedy), "{found:#}");
    }
}

#[tokio::test]
async fn a_missing_token_is_told_once_a_service_and_blames_nothing_else() {
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

/// The configuration of the sandbox, changed.
fn edited(azure: &Azure, edit: impl FnOnce(&mut toml::Table)) -> std::path::PathBuf {
    let mut table = toml::from_str(&std::fs::read_to_string(azure.file("rekeyd.toml")).unwrap()).unwrap();
    edit(&mut table);
    let file = azure.file("edited.toml");
    std::fs::write(&file, table.to_string()).unwrap();
    file
}

#[tokio::test]
async fn an_inventory_shows_whose_each_credential_is_and_what_is_odd_about_it() {
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
    assert_eq!((code, &taken["gaps"], &taken["remarks"]), (0, &json!([]), &json!([])), "{taken:#}");
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

#[tokio::test]
async fn a_plan_says_what_is_due_and_why_and_changes_nothing() {
    let azure = Azure::start(&["--secrets", "3"]).await;
    let (file, before) = (azure.file("rekeyd.toml"), azure.state().await);
    let (code, plan) = look("plan", &file, &[]).await;
    assert_eq!(code, 2, "{plan:#}");
    let lines = plan["secrets"].as_array().unwrap();
    assert_eq!(lines.len(), 3, "the one that its tags name is among them: {plan:#}");
    for due in before.due_at_first() {
        let line = lines.iter().find(|line| text(line, "secret") == due).unwrap();
        let (outlook, action) = (text(line, "outlook"), text(line, "action"));
        let is_held = (outlook, text(line, "reason")) == ("held", "canary");
        assert!((outlook, action) == ("due", "issue") || is_held, "{line:#}");
        assert!(line["due"].is_string() && line["expires"].is_string() && !text(line, "message").is_empty());
    }
    assert!(!before.due_at_first().is_empty(), "the sandbox begins with something due");

    let calm = [("REKEYD_POLICY__ROTATE_BEFORE", "1d"), ("REKEYD_POLICY__JITTER", "0s")];
    let (code, plan) = look_with("plan", &file, &[], &calm).await;
    assert_eq!(code, 0, "{plan:#}");
    let is_calm = |line: &Value| (text(line, "outlook"), text(line, "reason")) == ("nothing", "not_due");
    assert!(plan["secrets"].as_array().unwrap().iter().all(is_calm), "{plan:#}");

    let vault = azure.vault_token().await;
    let version = &before.secrets()["vault-2/app-02"][0].id;
    let url = format!("{}/secrets/app-02/{version}?api-version=2025-07-01", azure.vault_url("vault-2"));
    azure.call(Method::PATCH, &url, Some(&vault), json!({"attributes": {"enabled": false}})).await;
    let (code, plan) = look("plan", &file, &[]).await;
    assert_eq!(code, 1, "{plan:#}");
    let line = plan["secrets"].as_array().unwrap().iter().find(|l| text(l, "secret") == "vault-2/app-02");
    let line = line.unwrap();
    assert_eq!((text(line, "outlook"), text(line, "reason")), ("blocked", "current_disabled"), "{line:#}");

    let after = azure.state().await;
    assert_eq!(after.ours().count(), 0, "nothing was issued");
    assert!(
        after
            .secrets()
            .values()
            .all(|versions| versions.len() == 1 && !versions[0].tags.contains_key("PendingRotation"))
    );
}

const ORPHAN: &str = "rekeyd vault-1/app-01 0123456789ab";

/// What a command that looks printed for people or spreadsheets.
async fn finish_with_config(command: &'static str, config: &Path, more: &[&str]) -> String {
    let mut process = rekeyd();
    process.args([command, "--config"]).arg(config).args(more);
    let output = tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    String::from_utf8(output.stdout).unwrap()
}

/// Everything that the check-up has to find, but what answers in the daemon's place.
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

    // A check-up that may read policies can tell of them.
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
    // This one is found by its tags, and not wanted by its application.
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
    retouch("vault-1/app-01", json!({"tags": {"CredentialId": "nobody's", "ValidityPeriodDays": "soon"}}))
        .await;
    // The daemon lives in real time: its file has no clock.
    azure.advance("1h").await;
}

async fn in_days(azure: &Azure, days: i64) -> String {
    let end = azure.state().await.now + time::Duration::days(days);
    end.format(&time::format_description::well_known::Rfc3339).unwrap()
}

/// Something that listens where a daemon should.
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

/// What a check-up found of this, and how bad it is.
fn told<'a>(report: &'a Value, check: &str, subject: &str, verdict: &str) -> &'a Value {
    let is_it = |finding: &&Value| {
        text(finding, "check") == check
            && text(finding, "subject").contains(subject)
            && text(finding, "verdict") == verdict
    };
    let found = findings(report).iter().find(is_it);
    found.unwrap_or_else(|| panic!("{check} of {subject} is not told: {report:#}"))
}
