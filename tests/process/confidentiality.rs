//! No text of a secret leaves the daemon, except to Azure.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::{Azure, Daemon, PATIENCE, eventually, pause, rekeyd};

/// Nothing that can be read reveals a secret, even if everything is logged: no answer, state, command line or log.
#[tokio::test]
async fn no_output_reveals_secrets_even_at_trace() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--secrets", "3", "--log", "trace"]).await;
    let mut texts: BTreeSet<String> = azure.texts().await.into_iter().collect();
    let daemon = azure.daemon(&[("REKEYD_LOG__FILTER", "trace"), ("REKEYD_LOG__FORMAT", "json")]).await;
    azure.settle(&daemon).await;
    // Failures are logged with the request and the answer, as far as that is allowed.
    azure
        .fail(json!([
            {"service": "key_vault", "method": "PUT", "kind": "lost_reply", "count": 2},
            {"service": "key_vault", "method": "GET", "kind": "throttled", "count": 2},
            {"service": "graph", "method": "GET", "kind": "timeout", "count": 2},
            {"service": "entra", "method": "POST", "kind": "unavailable", "count": 3},
            {"service": "entra", "method": "POST", "kind": "lost_reply", "count": 3},
        ]))
        .await;
    for secret in daemon.secrets().await {
        daemon.rotate(&secret.name).await;
    }
    eventually("every secret is rotated", PATIENCE, async || {
        let state = azure.state().await;
        state.secrets().values().all(|versions| versions.len() > 1).then_some(())
    })
    .await;
    texts.extend(azure.texts().await);
    assert!(texts.len() >= 6, "every version has a text of its own");
    azure.advance("8d").await;
    azure.settle(&daemon).await;
    texts.extend(azure.texts().await);

    let mut outputs = answers(&daemon).await;
    outputs.push(("the state of the sandbox".to_owned(), azure.state_text().await));
    let id = daemon.process.id();
    outputs.push((
        "the command line".to_owned(),
        String::from_utf8(std::fs::read(format!("/proc/{id}/cmdline")).unwrap()).unwrap(),
    ));
    outputs.push(("the log".to_owned(), daemon.printed()));
    let log_of_azure = ("the sandbox's log".to_owned(), azure.printed());
    assert!(daemon.printed().contains("\"level\":\"TRACE\""), "everything is logged");

    for text in [daemon.token.as_str(), daemon.webhook_key.as_str(), azure.endpoint("/daemon/client_secret")]
    {
        texts.insert(text.to_owned());
    }
    outputs.push(log_of_azure);
    assert_tight(&outputs, &texts);
}

/// Probes, commands, the audit file and the read-only commands `doctor`, `plan` and `inventory` reveal no secret.
#[tokio::test]
async fn probes_commands_and_audit_reveal_no_secrets() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--secrets", "2", "--log", "trace"]).await;
    let (config, audit) = probing(&azure);
    let mut texts: BTreeSet<String> = azure.texts().await.into_iter().collect();
    let log = [("REKEYD_LOG__FILTER", "trace"), ("REKEYD_LOG__FORMAT", "json")];
    let daemon = Daemon::start(&config, &log).await;
    azure.settle(&daemon).await;
    texts.extend(azure.texts().await);
    let secret = "/api/v1/secrets/vault-1/app-01";
    for command in ["rotate", "rollback", "compromised"] {
        let answer = daemon.send(Method::POST, &format!("{secret}/{command}"), Some(&daemon.token)).await;
        assert_eq!(answer.status(), StatusCode::ACCEPTED, "{command}");
        eventually("the command is completed", PATIENCE, async || {
            azure.advance("10s").await;
            pause(Duration::from_millis(150)).await;
            texts.extend(azure.texts().await);
            let seen: Value = serde_json::from_str(&daemon.get(secret).await.1).unwrap();
            let last = |key| seen.pointer(&format!("/last_command/{key}")).and_then(Value::as_str);
            (last("kind") == Some(command) && last("outcome") == Some("completed")).then_some(())
        })
        .await;
    }
    texts.extend([
        daemon.token.clone(),
        daemon.webhook_key.clone(),
        azure.endpoint("/daemon/client_secret").to_owned(),
    ]);

    let mut outputs = answers(&daemon).await;
    outputs.push(("the log".to_owned(), daemon.printed()));
    outputs.push(("the sandbox's log".to_owned(), azure.printed()));
    outputs.push(("the audit file".to_owned(), std::fs::read_to_string(audit).unwrap()));
    for command in [["doctor", "--all"].as_slice(), &["plan"], &["inventory"]] {
        for output in ["table", "json"] {
            let mut process = rekeyd();
            process.args(command).args(["--output", output, "--config"]).arg(&config).envs(log);
            let ended = tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap();
            let printed = [ended.stdout, ended.stderr].concat();
            outputs.push((command.join(" "), String::from_utf8(printed).unwrap()));
        }
    }
    let of =
        |place: &str| outputs.iter().find(|(name, _)| name == place).map(|(_, content)| content).unwrap();
    assert!(of("/metrics").contains("service=\"resource\""), "the probe was asked");
    assert!(of("the audit file").contains("compromised"), "commands are audited");
    for command in ["doctor --all", "plan", "inventory"] {
        assert!(of(command).contains("vault-1/app-01"), "{command} shows something");
    }
    assert_tight(&outputs, &texts);
}

/// Writes the configuration of the sandbox with a probe and an audit file.
fn probing(azure: &Azure) -> (PathBuf, PathBuf) {
    let (config, audit) = (azure.file("probing.toml"), azure.file("audit.jsonl"));
    let text = std::fs::read_to_string(azure.file("rekeyd.toml")).unwrap();
    let mut table: toml::Table = toml::from_str(&text).unwrap();
    let mut set = |table_name: &str, key: &str, value: toml::Value| {
        let entry = table.entry(table_name).or_insert_with(|| toml::Table::new().into());
        entry.as_table_mut().unwrap().insert(key.to_owned(), value);
    };
    set("log", "audit_file", audit.to_str().unwrap().into());
    set("verify", "probe", "https".into());
    set("verify", "probe_url", format!("{}/v1.0/applications?$top=1", azure.endpoint("/graph")).into());
    // A rotated application has no permission there: its token is accepted, but the answer is 403.
    set("verify", "probe_status", vec![200, 403].into());
    std::fs::write(&config, table.to_string()).unwrap();
    (config, audit)
}

/// Asserts that no output shows any of the texts, or a token.
fn assert_tight(outputs: &[(String, String)], texts: &BTreeSet<String>) {
    let mut leaks = Vec::new();
    for (place, content) in outputs {
        let forms = texts.iter().flat_map(|text| forms(text));
        leaks.extend(forms.filter(|form| content.contains(form)).map(|form| excerpt(place, content, &form)));
        // Every access token is a JWT, and its header begins with `{"`; the second is the same as bytes.
        let tokens = ["eyJ", "101, 121, 74, "].into_iter().filter(|token| content.contains(token));
        leaks.extend(tokens.map(|token| excerpt(place, content, token)));
    }
    assert!(leaks.is_empty(), "{} leaks, the first of them:\n{}", leaks.len(), leaks.first().unwrap());
}

/// Returns the forms in which a text may be found: as it is, in
/// a form, in JSON, as the bytes of a debug print, or cut off.
fn forms(text: &str) -> BTreeSet<String> {
    let in_form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let bytes = format!("{:?}", text.as_bytes()).trim_matches(['[', ']']).to_owned();
    let in_json = json!(text).to_string().trim_matches('"').to_owned();
    let beginning = text.chars().take(16).collect();
    [text.to_owned(), in_form, bytes, in_json, beginning].into()
}

/// Returns everything that the daemon answers.
async fn answers(daemon: &Daemon) -> Vec<(String, String)> {
    let mut outputs = Vec::new();
    let first = daemon.secrets().await.swap_remove(0).name;
    let one = format!("/api/v1/secrets/{first}");
    for path in [
        "/livez",
        "/readyz",
        "/metrics",
        "/api/v1/secrets",
        &one,
        "/api/v1/operations",
        "/api/v1/schedule",
        "/api/v1/openapi.json",
        "/nothing",
    ] {
        outputs.push((path.to_owned(), daemon.get(path).await.1));
    }
    for token in [None, Some(daemon.token.as_str())] {
        let response = daemon.send(Method::POST, &format!("{one}/rotate"), token).await;
        outputs.push((
            format!("{one}/rotate"),
            format!("{:?} {}", response.headers().clone(), response.text().await.unwrap()),
        ));
    }
    let event = json!([{"eventType": "Microsoft.KeyVault.SecretNearExpiry", "data": {"VaultName": "vault-1", "ObjectName": "app-01"}}]);
    let (status, answer) = daemon.deliver(&event).await;
    assert_eq!(status, StatusCode::OK);
    outputs.push(("/events/key-vault".to_owned(), answer));
    outputs
}

fn excerpt(place: &str, content: &str, found: &str) -> String {
    let line = content.lines().find(|line| line.contains(found)).unwrap();
    format!("{place} shows {found}: {}", line.chars().take(600).collect::<String>())
}
