//! Arguments and configurations in, exit codes out.

use std::net::TcpListener;

use tempfile::TempDir;

use crate::support::finish;

#[test]
fn help_is_there_for_every_command_with_examples() {
    for command in [&[][..], &["run"], &["check-config"], &["sandbox"], &["completions"]] {
        let output = finish(&[command, &["--help"]].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        assert!(text.contains("Example") && text.contains("  rekeyd "), "{command:?}: {text}");
    }
}

#[test]
fn wrong_arguments_exit_with_64() {
    let wrong: [&[&str]; 9] = [
        &[],
        &["nonsense"],
        &["run"],
        &["run", "--config"],
        &["check-config", "--output", "xml"],
        &["sandbox", "--days", "0"],
        &["sandbox", "--days", "3", "--until-rotated"],
        &["sandbox", "--azure-only"],
        &["completions", "abacus"],
    ];
    for arguments in wrong {
        let output = finish(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_completion_script_is_printed() {
    let output = finish(&["completions", "bash"]);
    let script = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(script.contains("complete -F _rekeyd") && script.contains("check-config"), "{script}");
}

#[test]
fn all_five_mistakes_of_a_configuration_are_named_before_any_port_is_opened() {
    let directory = TempDir::new().unwrap();
    // Whoever tried to open this port would fail with another exit code.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = directory.path().join("rekeyd.toml");
    let text = MISTAKEN.replace("LISTEN", &taken.local_addr().unwrap().to_string());
    std::fs::write(&file, text).unwrap();
    for command in ["check-config", "run"] {
        let output = finish(&[command, "--config", file.to_str().unwrap()]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{command}: {told}");
        for (key, value) in MISTAKES {
            let told_of = told.lines().any(|line| line.contains(key) && line.contains(value));
            assert!(told_of, "{command} doesn't tell of {key} = {value}:\n{told}");
        }
        assert_eq!(told.matches("rekeyd.toml:").count(), MISTAKES.len(), "{told}");
        assert!(output.stdout.is_empty());
    }
}

const MISTAKES: [(&str, &str); 5] = [
    ("policy.validity", "1000d"),
    ("verify.sign_ins", "0"),
    ("schedule.cron", "every day"),
    ("vault", "vault-9"),
    ("reconcile.concurency", "concurrency"),
];

const MISTAKEN: &str = r#"listen = "LISTEN"

[azure]
tenant_id = "11111111-2222-3333-4444-555555555555"

[policy]
validity = "1000d"

[verify]
sign_ins = 0

[schedule]
cron = "every day"

[reconcile]
concurency = 4

[[vaults]]
name = "vault-1"

[[secrets]]
vault = "vault-9"
name = "app-01"
application_object_id = "11111111-2222-3333-4444-555555555555"
"#;
