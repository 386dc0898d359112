//! Arguments and configurations in, exit codes out.

use std::net::TcpListener;

use tempfile::TempDir;

use crate::support::finish;

/// `rekeyd --help` lists every command, and the help of each command has examples.
#[test]
fn every_command_has_help_with_examples() {
    let overview = String::from_utf8(finish(&["--help"]).stdout).unwrap();
    for command in COMMANDS {
        let output = finish(&[command, "--help"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(overview.contains(&format!("\n  {command} ")), "{command} in {overview}");
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        assert!(text.contains("Example") && text.contains("  rekeyd "), "{command:?}: {text}");
    }
}

#[test]
fn wrong_arguments_exit_with_64() {
    let wrong: [&[&str]; 18] = [
        &[],
        &["nonsense"],
        &["run"],
        &["run", "--config"],
        &["check-config", "--output", "xml"],
        &["sandbox", "--days", "0"],
        &["sandbox", "--days", "3", "--until-rotated"],
        &["sandbox", "--azure-only"],
        &["completions", "abacus"],
        &["man"],
        &["sweep"],
        &["rotate", "--config", "FILE"],
        &["rotate", "vault-1/app-01"],
        &["rotate", "vault-1", "--config", "FILE"],
        &["rotate", "vault-1/app-01", "--all", "--config", "FILE"],
        &["rollback", "--all", "--yes", "--config", "FILE"],
        &["pause", "vault-1/app-01", "--server", "http://127.0.0.1:1"],
        &[
            "retire",
            "vault-1/app-01",
            "--server",
            "http://127.0.0.1:1",
            "--token-file",
            "FILE",
            "--config",
            "FILE",
        ],
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
    assert!(script.contains("complete -F _rekeyd"), "{script}");
    for command in COMMANDS {
        assert!(script.contains(&format!("rekeyd,{command})")), "{command} in {script}");
    }
}

/// `man` writes a manual page for each command, or exits with 1 and the reason if it can't write them.
#[test]
fn man_writes_a_page_per_command() {
    let directory = TempDir::new().unwrap();
    let pages = directory.path().join("new");
    let output = finish(&["man", pages.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for command in COMMANDS {
        let page = std::fs::read_to_string(pages.join(format!("man1/rekeyd-{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH EXAMPLES"), "{command}: {page}");
    }
    std::fs::write(directory.path().join("file"), "").unwrap();
    let output = finish(&["man", directory.path().join("file/man1").to_str().unwrap()]);
    let printed = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(printed.contains("can't write man pages to"), "{printed}");
}

/// A command with `--all` exits with 64 and asks for `--yes` if there is no terminal.
#[test]
fn all_secrets_need_a_terminal_or_yes() {
    for command in ["rotate", "pause", "resume"] {
        for way in
            [["--config", "FILE"].as_slice(), &["--server", "http://127.0.0.1:1", "--token-file", "FILE"]]
        {
            let output = finish(&[&[command, "--all"], way].concat());
            let printed = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(64), "{command}: {printed}");
            assert!(printed.contains("--yes") && output.stdout.is_empty(), "{command}: {printed}");
        }
    }
}

/// All five mistakes in a configuration are reported at once, with exit code 64, before any port is opened.
#[test]
fn all_configuration_mistakes_are_named_at_once() {
    let directory = TempDir::new().unwrap();
    // A process that tried to open this port would fail with another exit code.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let file = directory.path().join("rekeyd.toml");
    let text = MISTAKEN.replace("LISTEN", &taken.local_addr().unwrap().to_string());
    std::fs::write(&file, text).unwrap();
    for command in ["check-config", "run", "sweep"] {
        let output = finish(&[command, "--config", file.to_str().unwrap()]);
        let printed = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{command}: {printed}");
        for (key, value) in MISTAKES {
            let is_reported = printed.lines().any(|line| line.contains(key) && line.contains(value));
            assert!(is_reported, "{command} does not report {key} = {value}:\n{printed}");
        }
        assert_eq!(printed.matches("rekeyd.toml:").count(), MISTAKES.len(), "{printed}");
        assert!(output.stdout.is_empty());
    }
}

const COMMANDS: [&str; 13] = [
    "run",
    "sweep",
    "rotate",
    "rollback",
    "compromised",
    "retire",
    "pause",
    "resume",
    "check-config",
    "sandbox",
    "completions",
    "man",
    "help",
];

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
