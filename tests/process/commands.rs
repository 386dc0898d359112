//! Commands by the command line, through a daemon and directly, and the sweep of a scheduled job.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::support::{Azure, Daemon, PATIENCE, Process, eventually, pause, rekeyd};

/// `sweep` rotates every secret that is due, prints a summary and exits with 0.
#[tokio::test]
async fn sweep_rotates_due_secrets_and_ends() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--seed", "3"]).await;
    let due = azure.state().await.due_at_first();
    assert!(!due.is_empty());
    let config = azure.file("rekeyd.toml");
    let sweep = ["sweep", "--output", "json", "--config", config.to_str().unwrap()];
    let (code, summary) = live_through(&azure, "sweep", &sweep).await;
    assert_eq!(code, Some(0), "{summary}");
    assert_eq!(summary.pointer("/finished"), Some(&true.into()), "{summary}");
    assert_eq!(summary.pointer("/actions/issue"), Some(&due.len().into()), "{summary}");
    let state = azure.state().await;
    assert!(due.iter().all(|secret| state.versions_of(secret) == 2));
    assert_eq!((state.consumers.failures, state.unpublished().count()), (0, 0), "{}", azure.printed());
}

/// `sweep` lists secrets that are due but deferred by a freeze, and vaults that it could not search.
#[tokio::test]
async fn sweep_lists_deferred_and_unsearched() {
    let azure = Azure::start(&["--propagation", "0s..1s", "--seed", "3"]).await;
    let due = azure.state().await.due_at_first();
    let config = azure.file("frozen.toml");
    let text = std::fs::read_to_string(azure.file("rekeyd.toml")).unwrap();
    let mut table: toml::Table = toml::from_str(&text).unwrap();
    let rollout = table.entry("rollout").or_insert_with(|| toml::Table::new().into());
    let freeze = toml::toml! { from = "2020-01-01T00:00"
    until = "2100-01-01T00:00"
    hard = true };
    rollout.as_table_mut().unwrap().insert("freezes".to_owned(), vec![toml::Value::from(freeze)].into());
    std::fs::write(&config, table.to_string()).unwrap();
    let sweep = ["sweep", "--output", "json", "--config", config.to_str().unwrap()];
    let (code, summary) = live_through(&azure, "frozen", &sweep).await;
    assert_eq!(code, Some(2), "{summary}");
    let held = summary.pointer("/deferred").and_then(Value::as_array).unwrap();
    let names: Vec<_> = held.iter().filter_map(|one| one.pointer("/secret")?.as_str()).collect();
    assert!(!due.is_empty() && due.iter().all(|due| names.contains(&due.as_str())), "{summary}");

    let closed = azure.control("vaults/vault-1");
    azure.call(reqwest::Method::PUT, &closed, None, serde_json::json!({"network": "private"})).await;
    let (code, summary) = live_through(&azure, "closed", &sweep).await;
    assert_eq!(code, Some(1), "{summary}");
    assert_eq!(summary.pointer("/vault_discovery_failed/0"), Some(&"vault-1".into()), "{summary}");
}

/// A command without a daemon that can't be done exits with 1
/// and the reason at once: here, a rollback to no older version.
#[tokio::test]
async fn impossible_direct_command_fails_with_reason() {
    let azure = Azure::start(&["--propagation", "0s..1s"]).await;
    let secret = not_due(&azure).await;
    let config = azure.file("rekeyd.toml");
    let rollback = ["rollback", &secret, "--output", "json", "--config", config.to_str().unwrap()];
    let (code, answer) = live_through(&azure, "rollback", &rollback).await;
    assert_eq!(code, Some(1), "{answer}");
    assert_eq!(
        answer.pointer("/secrets/0/outcome"),
        Some(&"rejected".into()),
        "there is no older one: {answer}"
    );
    let message = answer.pointer("/secrets/0/message").and_then(Value::as_str).unwrap();
    assert!(message.contains("no older version"), "{answer}");
    assert_eq!(azure.state().await.versions_of(&secret), 1);
}

/// `sweep` exits with 1 and lists the secret with the reason if a secret is blocked.
#[tokio::test]
async fn sweep_fails_for_a_blocked_secret() {
    let azure = Azure::start(&["--secrets", "1"]).await;
    let config = azure.file("rekeyd.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let broken = azure.file("broken.toml");
    let mut table: toml::Table = toml::from_str(&text).unwrap();
    let secrets = table.get_mut("secrets").and_then(toml::Value::as_array_mut).unwrap();
    let application = secrets.first_mut().and_then(toml::Value::as_table_mut).unwrap();
    application.remove("client_id");
    let unknown = "11111111-2222-3333-4444-555555555555";
    application.insert("application_object_id".to_owned(), unknown.into());
    std::fs::write(&broken, table.to_string()).unwrap();
    let sweep = ["sweep", "--output", "json", "--config", broken.to_str().unwrap()];
    let (code, summary) = live_through(&azure, "sweep", &sweep).await;
    assert_eq!(code, Some(1), "{summary}");
    assert_eq!(summary.pointer("/failed/0/reason"), Some(&"application_missing".into()), "{summary}");
}

/// `rotate` without a daemon rotates the secret and prints the outcome; an unknown secret is rejected.
#[tokio::test]
async fn direct_rotation_shows_its_outcome() {
    let azure = Azure::start(&["--propagation", "0s..1s"]).await;
    let secret = not_due(&azure).await;
    let config = azure.file("rekeyd.toml");
    let config = config.to_str().unwrap();
    let rotate = ["rotate", &secret, "--output", "json", "--config", config];
    let (code, answer) = live_through(&azure, "rotate", &rotate).await;
    assert_eq!(code, Some(0), "{answer}");
    assert_eq!(answer.pointer("/secrets/0/outcome"), Some(&"completed".into()), "{answer}");
    assert!(answer.pointer("/secrets/0/operation_id").is_some_and(Value::is_string), "{answer}");
    assert_eq!(answer.pointer("/secrets/0/operation_url"), Some(&Value::Null), "{answer}");
    assert_eq!(azure.state().await.versions_of(&secret), 2);

    let unknown = ["rotate", "vault-1/unknown", "--output", "json", "--config", config];
    let (code, answer) = live_through(&azure, "unknown", &unknown).await;
    assert_eq!(code, Some(1), "{answer}");
    assert_eq!(answer.pointer("/secrets/0/outcome"), Some(&"rejected".into()), "{answer}");
    assert_eq!(answer.pointer("/secrets/0/operation_id"), Some(&Value::Null), "{answer}");
}

/// Every command completes without a daemon, and no consumer is locked out unless a credential is compromised.
#[tokio::test]
async fn every_command_works_without_a_daemon() {
    let azure = Azure::start(&["--propagation", "0s..1s"]).await;
    let secret = not_due(&azure).await;
    let config = azure.file("rekeyd.toml");
    for (command, versions) in [
        ("pause", 1),
        ("resume", 1),
        ("rotate", 2),
        ("rollback", 3),
        ("rotate", 4),
        ("retire", 4),
        ("compromised", 5),
    ] {
        if command == "compromised" {
            assert_eq!(azure.state().await.consumers.failures, 0, "{}", azure.printed());
        }
        let direct = [command, &secret, "--output", "json", "--config", config.to_str().unwrap()];
        let (code, answer) = live_through(&azure, command, &direct).await;
        assert_eq!(code, Some(0), "{answer}");
        assert_eq!(answer.pointer("/secrets/0/outcome"), Some(&"completed".into()), "{command}: {answer}");
        let state = azure.state().await;
        let seen = state.secrets().get(&secret).copied().unwrap();
        assert_eq!(seen.len(), versions, "{command}: {answer}");
        let is_paused = seen.last().unwrap().tags.contains_key("RotationDisabled");
        assert_eq!(is_paused, command == "pause", "{command}");
        azure.advance("1h").await;
    }
}

#[tokio::test]
async fn a_daemon_rotates_while_the_command_waits() {
    let azure = Azure::start(&["--propagation", "0s..1s"]).await;
    let daemon = azure.daemon(&[]).await;
    azure.settle(&daemon).await;
    let secret = not_due(&azure).await;
    let (code, answer) = live_through(&azure, "rotate", &asked(&azure, &["rotate", &secret, "--wait"])).await;
    assert_eq!(code, Some(0), "{answer}\n{}", daemon.printed());
    assert_eq!(answer.pointer("/secrets/0/outcome"), Some(&"completed".into()), "{answer}");
    assert_eq!(azure.state().await.versions_of(&secret), 2);
    let url = answer.pointer("/secrets/0/operation_url").and_then(Value::as_str).unwrap();
    let path = url.strip_prefix(daemon.base()).unwrap();
    let shown: Value = serde_json::from_str(&daemon.get(path).await.1).unwrap();
    assert_eq!(shown.pointer("/state"), Some(&"completed".into()), "{shown}");
    assert_eq!(shown.pointer("/id"), answer.pointer("/secrets/0/operation_id"), "{shown}");
}

/// A rotate and a resume that are run at once, as two processes, both take effect on a paused secret: through a daemon,
/// and each in its own process.
#[tokio::test]
async fn rotate_and_resume_work_at_once() {
    let azure = Azure::start(&["--propagation", "0s..1s"]).await;
    let daemon = azure.daemon(&[]).await;
    azure.settle(&daemon).await;
    let secret = not_due(&azure).await;
    let config = azure.file("rekeyd.toml").to_str().unwrap().to_owned();
    let direct = |command: &str| {
        [command, &secret, "--wait", "--output", "json", "--config", &config].map(str::to_owned).to_vec()
    };
    for (round, is_direct) in [false, true].into_iter().enumerate() {
        let arguments = |command: &str| {
            if is_direct { direct(command) } else { asked(&azure, &[command, &secret, "--wait"]) }
        };
        let (code, answer) = live_through(&azure, "pause", &arguments("pause")).await;
        assert_eq!((code, is_paused(&azure, &secret).await), (Some(0), true), "{answer}");
        let rotate = Running::start(&azure, &format!("rotate-{round}"), &arguments("rotate"));
        let resume = Running::start(&azure, &format!("resume-{round}"), &arguments("resume"));
        // Both are at work before any simulated time passes.
        eventually("the secret is resumed", PATIENCE, async || {
            (!is_paused(&azure, &secret).await).then_some(())
        })
        .await;
        for command in [resume, rotate] {
            let (code, answer) = command.live_through(&azure).await;
            assert_eq!(code, Some(0), "{answer}\n{}", daemon.printed());
            assert_eq!(answer.pointer("/secrets/0/outcome"), Some(&"completed".into()), "{answer}");
        }
        assert_eq!(azure.state().await.versions_of(&secret), round + 2);
        azure.advance("1h").await;
    }
}

async fn is_paused(azure: &Azure, secret: &str) -> bool {
    let state = azure.state().await;
    state.secrets().get(secret).unwrap().last().unwrap().tags.contains_key("RotationDisabled")
}

/// A command repeated with its idempotency key reaches the
/// daemon once and leaves one audit line, even with logging off.
#[tokio::test]
async fn repeated_command_is_accepted_and_audited_once() {
    let azure = Azure::start(&["--secrets", "2"]).await;
    let daemon = azure.daemon(&[("REKEYD_LOG__FILTER", "off")]).await;
    for command in ["retire", "pause", "resume", "rotate", "rollback", "compromised"] {
        for _ in 0..2 {
            let one = asked(&azure, &[command, "vault-1/app-01", "--idempotency-key", command]);
            let (code, answer) = live_through(&azure, command, &one).await;
            assert_eq!(code, Some(0), "{answer}");
            assert_eq!(answer.pointer("/secrets/0/outcome"), Some(&"accepted".into()), "{answer}");
        }
        assert_eq!(commands(&daemon, command).await, "1", "{command}");
        let printed = daemon.printed();
        let field = format!("\"command\":\"{command}\"");
        let accepted =
            printed.lines().filter(|line| line.contains("accepted command") && line.contains(&field));
        assert_eq!(accepted.count(), 1, "{printed}");
    }
    assert!(!daemon.printed().contains("started sweep"), "nothing else is logged");

    let (code, answer) = live_through(&azure, "all", &asked(&azure, &["pause", "--all", "--yes"])).await;
    assert_eq!((code, commands(&daemon, "pause").await.as_str()), (Some(0), "3"), "{answer}");
    let unknown = asked(&azure, &["rotate", "vault-1/unknown"]);
    let (code, answer) = live_through(&azure, "unknown", &unknown).await;
    assert_eq!(code, Some(1), "{answer}");
    let message = answer.pointer("/secrets/0/message").and_then(Value::as_str).unwrap();
    assert!(message.contains("404") && message.contains("not managed"), "{answer}");
}

/// Returns `arguments` with the address and token of this sandbox's daemon, and JSON as output.
fn asked(azure: &Azure, arguments: &[&str]) -> Vec<String> {
    let text = std::fs::read_to_string(azure.file("rekeyd.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let listen = table.get("listen").and_then(toml::Value::as_str).unwrap();
    let token = table.get("api").and_then(|api| api.get("token_file")).and_then(toml::Value::as_str).unwrap();
    let server = format!("http://{listen}");
    let way = ["--server", &server, "--token-file", token, "--output", "json"];
    arguments.iter().chain(&way).map(|argument| (*argument).to_owned()).collect()
}

/// Returns a secret that is not due, so that only a command rotates it.
async fn not_due(azure: &Azure) -> String {
    let state = azure.state().await;
    let due = state.due_at_first();
    let single = |(secret, versions): &(String, &[_])| versions.len() == 1 && !due.contains(secret);
    state.secrets().into_iter().find(single).unwrap().0
}

async fn commands(daemon: &Daemon, command: &str) -> String {
    daemon
        .metric(&format!("rekeyd_commands_total{{command=\"{command}\",outcome=\"accepted\"}}"))
        .await
        .to_string()
}

/// Runs `rekeyd` while time passes. Returns its exit code, and the object on the last line of its output.
async fn live_through(azure: &Azure, name: &str, arguments: &[impl AsRef<str>]) -> (Option<i32>, Value) {
    Running::start(azure, name, arguments).live_through(azure).await
}

/// A `rekeyd` that runs a command.
struct Running {
    process: Process,
    output: PathBuf,
}

impl Running {
    fn start(azure: &Azure, name: &str, arguments: &[impl AsRef<str>]) -> Self {
        let mut command = rekeyd();
        command.args(arguments.iter().map(AsRef::as_ref));
        let output = azure.file(&format!("{name}.out"));
        let process = Process::start(command, output.parent().unwrap(), name);
        Self { process, output }
    }

    async fn live_through(mut self, azure: &Azure) -> (Option<i32>, Value) {
        let ended = eventually("the command ends", PATIENCE, async || {
            azure.advance("10s").await;
            pause(Duration::from_millis(100)).await;
            self.process.ended()
        });
        let code = ended.await.code();
        let last = last_line(&self.output);
        (code, serde_json::from_str(&last).unwrap_or_else(|_| panic!("{last}\n{}", self.process.printed())))
    }
}

fn last_line(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap().lines().last().unwrap_or_default().to_owned()
}

/// A script stands in for `az`, which is too large to install for this; it knows the token for one audience only.
#[tokio::test]
async fn az_login_authorizes_daemon_commands() {
    let azure = Azure::start(&["--propagation", "0s..1s"]).await;
    let daemon = azure.daemon(&[]).await;
    let secret = not_due(&azure).await;
    let az = azure.file("az");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *api://rekeyd/.default*) ;; *) exit 1 ;; esac\n\
         echo '{{\"accessToken\":\"{}\",\"expires_on\":4102444800,\"expiresOn\":\"2100-01-01 00:00:00.000000\",\"tokenType\":\"Bearer\"}}'\n",
        daemon.token
    );
    std::fs::write(&az, script).unwrap();
    std::fs::set_permissions(&az, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/local/bin:/usr/bin:/bin", az.parent().unwrap().display());
    let ask = async |audience: &'static str| {
        let mut command = rekeyd();
        command
            .args(["pause", &secret, "--server", daemon.base(), "--audience", audience])
            .env("PATH", &path);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let taken = ask("api://rekeyd").await;
    assert!(taken.status.success(), "{taken:?}");
    let refused = ask("api://other").await;
    let printed = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{printed}");
    assert!(printed.contains("az login"), "{printed}");
}
