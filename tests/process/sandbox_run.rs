//! `rekeyd sandbox`: the daemon and a simulated Azure in one process, faster than real time.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::support::{finish, variable};

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
    assert_nothing_went_wrong(&summary);
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

const DOCUMENTED: [&str; 13] = [
    "secrets",
    "vaults",
    "virtual_days",
    "wall_seconds",
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
