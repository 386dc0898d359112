//! `doctor`, `inventory` and `plan` against a simulated Azure in another process, healthy and with planted faults.

#![expect(clippy::indexing_slicing, reason = "a test may stop here")]

mod doctor;
mod inventory;
mod plan;

use std::path::Path;

use serde_json::Value;

use crate::support::{Azure, finish, rekeyd};

/// Runs a read-only command; returns its exit code and the JSON that it printed.
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
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let json = serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}:\n{stdout}\n{stderr}"));
    (output.status.code().unwrap(), json)
}

/// Runs a read-only command; returns its output for people or spreadsheets.
async fn finish_with_config(command: &'static str, config: &Path, more: &[&str]) -> String {
    let mut process = rekeyd();
    process.args([command, "--config"]).arg(config).args(more);
    let output = tokio::task::spawn_blocking(move || process.output().unwrap()).await.unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

async fn in_days(azure: &Azure, days: i64) -> String {
    let end = azure.state().await.now + time::Duration::days(days);
    end.format(&time::format_description::well_known::Rfc3339).unwrap()
}

/// The help of each read-only command has examples and exit codes, and wrong use of the command exits with 64.
#[test]
fn read_only_help_has_examples_and_codes() {
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
