//! `rekeyd sandbox`: the daemon and a simulated Azure in one process, faster than real time.

use std::collections::BTreeSet;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{PATIENCE, Process, eventually, finish, rekeyd, variable};

/// `sandbox run` rotates secrets near expiry and retires their old credentials; no consumer fails to sign in.
#[test]
fn near_expiry_secrets_rotate_in_the_sandbox() {
    let summary = run(&["--until-rotated"]);
    let keys: BTreeSet<_> = summary.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, BTreeSet::from(DOCUMENTED));
    let services: BTreeSet<_> =
        summary.pointer("/requests").and_then(Value::as_object).unwrap().keys().collect();
    assert!(services.iter().map(|key| key.as_str()).eq(["entra", "graph", "key_vault"]));
    assert!(number(&summary, "/issued") >= 1.0, "{summary}");
    assert!(number(&summary, "/retired") >= 1.0, "{summary}");
    assert!(number(&summary, "/cpu_seconds") > 0.0, "{summary}");
    assert_nothing_went_wrong(&summary);
}

/// The first screen shows a rotation as consumers live through it, in lines of 80 columns.
#[test]
fn first_screen_shows_rotation_and_consumers() {
    let output = finish(&["sandbox", "--until-rotated"]);
    let screen = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{screen}");
    assert_in_order(
        &screen,
        &[
            "Due for rotation",
            "  issued ",
            "  verified ",
            "  published ",
            "Moving the sandbox's clock forward by 7 days",
            "  consumers ",
            "  revoked ",
            "The old credentials are retired.",
            "  consumers ",
        ],
    );
    let consumers: Vec<_> = screen.lines().filter(|line| line.contains("  consumers  ")).collect();
    assert!(consumers.iter().all(|line| line.ends_with(", 0 failed")), "{screen}");
    assert!(consumers.iter().any(|line| !line.contains("(0 with the old text)")), "{screen}");
    assert!(consumers.last().unwrap().contains("(0 with the old text)"), "{screen}");
    assert!(screen.lines().all(|line| line.chars().count() <= 80), "{screen}");
}

/// Each command that the sandbox prints works as pasted into a shell, and its files stay with `--dir`.
#[tokio::test]
#[ignore = "needs curl"]
async fn printed_commands_work_as_pasted() {
    let directory = TempDir::new().unwrap();
    let mut command = rekeyd();
    command.args(["sandbox", "--dir"]).arg(directory.path().join("files"));
    let mut sandbox = Process::start(command, directory.path(), "sandbox");
    eventually("the sandbox prints commands", PATIENCE, async || {
        sandbox.printed().contains("/_sandbox/state\n").then_some(())
    })
    .await;
    let commands = commands(&sandbox.printed());
    assert_eq!(commands.len(), 5, "{commands:?}");
    for command in commands {
        let done = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
        let printed = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && !printed.is_empty(), "{command}: {done:?}");
        assert!(!printed.starts_with("{\"error"), "{command}: {printed}");
    }
    let jump = "clock      moving the sandbox's clock forward by 25d";
    assert!(sandbox.printed().contains(jump), "{}", sandbox.printed());
    sandbox.terminate();
    let ended = eventually("the sandbox ends", PATIENCE, async || sandbox.ended()).await;
    assert_eq!(ended.code(), Some(0), "{}", sandbox.printed());
    let config = directory.path().join("files/rekeyd.toml");
    let checked = finish(&["check-config", "--config", config.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
}

/// Returns the commands of the screen: four spaces deep, continued over line ends.
fn commands(screen: &str) -> Vec<String> {
    let joined = screen.replace("\\\n", "");
    joined.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
}

fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        let (_, after) = rest.split_once(part).unwrap_or_else(|| panic!("{part:?} is missing in\n{text}"));
        rest = after;
    }
}

/// With every twentieth call failing, no consumer is locked out and no credential is left behind.
#[test]
fn heavy_faults_lock_out_no_consumer() {
    let in_full = variable("REKEYD_BIN").is_some();
    let (days, secrets) = if in_full { ("400", "20") } else { ("60", "8") };
    for seed in ["7", "1", "13"] {
        let summary = run(&["--days", days, "--secrets", secrets, "--seed", seed, "--faults", "heavy"]);
        assert_nothing_went_wrong(&summary);
        assert!(number(&summary, "/issued") >= 1.0, "{summary}");
        if in_full {
            assert!(number(&summary, "/min_rotations_per_secret") >= 2.0, "{summary}");
        }
    }
}

/// Runs `rekeyd` and returns the object on the last line of its output.
fn run(arguments: &[&str]) -> Value {
    let output = finish(&[&["sandbox", "--output", "json"], arguments].concat());
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    let last = out.lines().last().unwrap_or_default();
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {last}\n{err}");
    println!("{arguments:?}: {last}");
    serde_json::from_str(last).unwrap()
}

fn assert_nothing_went_wrong(summary: &Value) {
    let wrong = ["/orphans_left", "/consumer_sign_in_failures"].map(|key| number(summary, key));
    assert!(wrong.iter().all(|count| *count == 0.0), "{summary}");
    assert!(number(summary, "/consumer_sign_ins") > 0.0, "{summary}");
}

fn number(summary: &Value, pointer: &str) -> f64 {
    summary.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer} in {summary}"))
}

const DOCUMENTED: [&str; 14] = [
    "secrets",
    "vaults",
    "virtual_days",
    "wall_seconds",
    "cpu_seconds",
    "issued",
    "published",
    "retired",
    "orphans_left",
    "consumer_sign_ins",
    "consumer_sign_in_failures",
    "min_rotations_per_secret",
    "max_live_credentials_per_app",
    "requests",
];
