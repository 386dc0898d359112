//! The end of each command: once, in the operation, the status and the audit trail, also without anyone who reads it.

use reqwest::StatusCode;
use serde_json::{Value, json};
use time::Duration;

use rekeyd::domain::SecretId;
use rekeyd::domain::tags::PROVIDER_ADDRESS;

use super::managed::{FOUND, SWEEP, fleet, unset};
use crate::fleet::Fleet;

/// Disables the secret's application, which holds every rotation up.
fn hold_up(fleet: &Fleet, secret: &SecretId) {
    assert!(fleet.model().set_application_enabled(fleet.managed(secret).object_id, false));
}

/// Gives a command, and returns the path of its operation.
async fn give(fleet: &Fleet, secret: &SecretId, command: &str) -> String {
    let (status, operation) = fleet.post(&format!("/api/v1/secrets/{secret}/{command}"), &Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    format!("/api/v1/operations/{}", operation["id"].as_str().unwrap())
}

/// Returns the ends of commands for a secret in the audit trail: event, command, reason.
fn ends(fleet: &Fleet, secret: &SecretId) -> Vec<[String; 3]> {
    let lines = fleet.audit_lines();
    let ends = lines.iter().filter(|line| {
        let event = line["event"].as_str().unwrap();
        event.starts_with("command_") && line["secret"] == secret.to_string()
    });
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    ends.map(|line| [text(&line["event"]), text(&line["command"]), text(&line["reason"])]).collect()
}

fn end(event: &str, command: &str, reason: &str) -> [String; 3] {
    [event, command, reason].map(str::to_owned)
}

/// A completed and a rejected command have one end each, and operation, status and audit trail show the same.
#[tokio::test]
async fn each_command_ends_once() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    let operations = [give(&fleet, &secret, "pause").await, give(&fleet, &secret, "rotate").await];
    fleet.live(Duration::hours(1)).await;
    let reason =
        format!("rotation is paused (tag RotationDisabled): resume first (`rekeyd resume {secret}`)");
    assert_eq!(
        ends(&fleet, &secret),
        [end("command_completed", "pause", ""), end("command_rejected", "rotate", &reason)]
    );
    let mut shown = Vec::new();
    for operation in operations {
        let (_, operation) = fleet.get(&operation).await;
        shown.push([operation["state"].clone(), operation["message"].clone()]);
    }
    assert_eq!(
        shown,
        [["completed", "rotation is paused"], ["rejected", &reason]].map(|end| end.map(|text| json!(text)))
    );
    let (_, status) = fleet.get(&format!("/api/v1/secrets/{secret}")).await;
    assert_eq!(
        (&status["last_command"]["outcome"], &status["last_command"]["reason"]),
        (&json!("rejected"), &json!(reason))
    );
    assert_eq!((&status["pending_commands"], &status["needs_person"]), (&json!([]), &json!(false)));
    fleet.end().await;
}

/// A stop of the daemon ends the commands that are not done, also for those who follow their events.
#[tokio::test]
async fn stop_rejects_pending_commands() {
    let mut fleet = fleet(|text| text).await;
    let secret = fleet.secret(0);
    hold_up(&fleet, &secret);
    let operation = give(&fleet, &secret, "rotate").await;
    fleet.live(Duration::minutes(5)).await;
    assert_eq!(fleet.get(&operation).await.1["state"], "blocked");
    let events = fleet.events(&operation).await;
    fleet.end_daemon().await;
    let reason = "the daemon stopped before it was done: run it again";
    assert_eq!(ends(&fleet, &secret), [end("command_rejected", "rotate", reason)]);
    let events = events.text().await.unwrap();
    let last: Value = serde_json::from_str(
        events.lines().rfind(|line| line.starts_with("data: ")).unwrap().trim_start_matches("data: "),
    )
    .unwrap();
    assert_eq!((&last["state"], &last["message"]), (&json!("rejected"), &json!(reason)));
}

/// A secret that is not managed any more has its pending commands rejected, and a sweep later they are forgotten.
#[tokio::test]
async fn released_secret_ends_its_commands() {
    let fleet = fleet(|text| text).await;
    let secret = fleet.secret(FOUND);
    hold_up(&fleet, &secret);
    let operation = give(&fleet, &secret, "rotate").await;
    fleet.live(Duration::minutes(5)).await;
    unset(&fleet, &secret, PROVIDER_ADDRESS);
    fleet.until(SWEEP, |fleet| !ends(fleet, &secret).is_empty()).await;
    let [[event, command, reason]] = ends(&fleet, &secret).try_into().unwrap();
    assert_eq!((event.as_str(), command.as_str()), ("command_rejected", "rotate"));
    assert!(reason.contains("not managed"), "{reason}");
    let (_, ended) = fleet.get(&operation).await;
    assert_eq!((&ended["state"], &ended["message"]), (&json!("rejected"), &json!(reason)));
    fleet.live(SWEEP).await;
    assert_eq!(fleet.get(&operation).await.0, StatusCode::NOT_FOUND);
    fleet.end().await;
}
