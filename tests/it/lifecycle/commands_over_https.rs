//! Commands through the daemon's API, over the sandbox's HTTPS.

use rekeyd::sandbox::Options;
use reqwest::StatusCode;
use serde_json::{Value, json};
use time::Duration;

use crate::fleet::Fleet;
use crate::test_options::test_options;

fn options() -> Options {
    let propagation = Duration::seconds(4)..=Duration::seconds(18);
    Options { propagation, ..test_options("127.0.0.1:9".parse().unwrap()) }
}

/// Returns the lines of the audit trail about one secret, of one kind.
fn audit_lines_of(fleet: &Fleet, secret: &str, event: &str) -> Vec<Value> {
    let is_it = |line: &Value| line["event"] == event && line["secret"] == secret;
    fleet.audit_lines().into_iter().filter(is_it).collect()
}

/// A `compromised` command over the API ends every old text, and consumers keep signing in.
#[tokio::test]
async fn compromised_command_refuses_every_old_text() {
    let fleet = Fleet::start(options(), |text| text).await;
    let secret = fleet.secret(0);
    let first = fleet.text(&secret);
    fleet.post(&format!("/api/v1/secrets/{secret}/rotate"), &Value::Null).await;
    fleet.until(Duration::hours(1), |fleet| fleet.status(&secret).is_rotated).await;
    let second = fleet.text(&secret);
    let (status, _) = fleet.post(&format!("/api/v1/secrets/{secret}/compromised"), &json!({})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let name = secret.to_string();
    fleet
        .until(Duration::hours(2), |fleet| !audit_lines_of(fleet, &name, "compromised_proven").is_empty())
        .await;
    for old in [&first, &second] {
        assert!(fleet.sign_in_with(&secret, old).is_err());
    }
    assert_eq!(fleet.sign_in(&secret), Ok(()));
    fleet.live(Duration::days(3)).await;
    assert_eq!(fleet.consumers_failed(), 0);
    let done: Vec<_> = audit_lines_of(&fleet, &name, "action")
        .iter()
        .filter(|line| line["outcome"] == "success")
        .map(|line| line["action"].as_str().unwrap().to_owned())
        .collect();
    let wanted = ["issue", "quarantine", "issue", "revoke", "revoke", "disable", "disable"];
    assert_eq!(done, wanted, "in this order");
    assert_eq!(audit_lines_of(&fleet, &name, "command").len(), 2);
    assert_eq!(audit_lines_of(&fleet, &name, "compromised_proven")[0]["refused"], 2);
    fleet.end().await;
}
