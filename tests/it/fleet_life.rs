//! The daemon's life over HTTPS, in virtual time: a rotation, a kill in the middle of one, a clean end.

use rekeyd::ports::Clock;
use rekeyd::sandbox::Options;
use reqwest::StatusCode;
use secrecy::ExposeSecret;
use serde_json::Value;
use time::Duration;

use crate::fleet::Fleet;
use crate::test_options::test_options;

/// Returns options for two secrets in two vaults. Changes take some seconds to propagate.
fn options() -> Options {
    let propagation = Duration::seconds(4)..=Duration::seconds(18);
    Options { propagation, ..test_options("127.0.0.1:9".parse().unwrap()) }
}

/// A secret rotates on command, and its consumers can sign in all the while.
#[tokio::test]
async fn rotation_keeps_consumers_signed_in() {
    let fleet = Fleet::start(options(), |text| text).await;
    let secret = fleet.secret(0);
    let first = fleet.text(&secret);
    let (status, answer) = fleet.post(&format!("/api/v1/secrets/{secret}/rotate"), &Value::Null).await;
    assert_eq!((status, &answer["state"]), (StatusCode::ACCEPTED, &"accepted".into()));
    let is_new = |fleet: &Fleet| fleet.text(&secret).expose_secret() != first.expose_secret();
    fleet.until(Duration::hours(1), is_new).await;
    assert_eq!(fleet.status(&secret).state.label(), "waiting");
    assert_eq!((fleet.sign_in(&secret), fleet.sign_in_with(&secret, &first)), (Ok(()), Ok(())));
    fleet.live(Duration::days(8)).await;
    assert!(fleet.sign_in_with(&secret, &first).is_err(), "the first credential is retired");
    assert_eq!((fleet.sign_in(&secret), fleet.consumers_failed()), (Ok(()), 0));
    let (status, shown) = fleet.get(&format!("/api/v1/secrets/{secret}")).await;
    assert_eq!((status, &shown["reason"]), (StatusCode::OK, &"not_due".into()));
    let state = format!("rekeyd_secret_state{{secret=\"{secret}\",state=\"waiting\"}} 1");
    assert!(fleet.metrics_text().contains(&state), "{}", fleet.metrics_text());
    fleet.end().await;
}

/// A daemon killed between issuing and publishing a credential is followed by one that completes the rotation.
#[tokio::test]
async fn killed_daemon_is_succeeded() {
    let mut fleet =
        Fleet::start(options(), |text| text.replace("[schedule]", "[schedule]\nat_start = false")).await;
    let secret = fleet.secret(0);
    fleet.post(&format!("/api/v1/secrets/{secret}/rotate"), &Value::Null).await;
    fleet.live(Duration::seconds(5)).await;
    let killed = fleet.summary();
    assert_eq!((killed.issued, killed.published), (1, 0), "it is still proving the new credential");
    fleet.restart().await;
    fleet.post(&format!("/api/v1/secrets/{secret}/rotate"), &Value::Null).await;
    fleet.until(Duration::hours(6), |fleet| fleet.summary().published == 1).await;
    assert_eq!(fleet.summary().issued, 2);
    assert_eq!((fleet.sign_in(&secret), fleet.consumers_failed()), (Ok(()), 0));
    fleet.end().await;
}

/// A fleet rotates every secret, retires every old credential, leaves no orphan and fails no consumer.
#[tokio::test]
async fn fleet_rotation_leaves_nothing_behind() {
    let options = Options { secrets: 4, ..options() };
    let fleet = Fleet::start(options, |text| text.replace("overlap = \"7d\"", "overlap = \"2d\"")).await;
    fleet.live(Duration::days(60)).await;
    let summary = fleet.summary();
    assert!(summary.min_rotations_per_secret >= 1, "{summary:?}");
    assert_eq!((summary.retired, summary.orphans_left), (summary.published, 0));
    let now = fleet.sandbox.clock().now();
    for secret in fleet.model().managed() {
        let application = fleet.model().application(secret.object_id, now).unwrap();
        assert_eq!(application.credentials.len(), 1, "{secret:?}");
    }
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

/// A fleet's audit trail holds only its own events and outlives a restart of its daemon.
#[tokio::test]
async fn audit_trail_outlives_its_daemon() {
    let mut fleet = Fleet::start(options(), |text| text).await;
    let other = Fleet::start(options(), |text| text).await;
    fleet.as_daemon(|| tracing::info!(target: "audit", event = "test", "line")).await;
    fleet.as_daemon(|| tracing::info!(target: "elsewhere", event = "test", "line")).await;
    other.as_daemon(|| tracing::info!(target: "audit", event = "other", "line")).await;
    fleet.restart().await;
    let count =
        |fleet: &Fleet, event: &str| fleet.audit_lines().iter().filter(|line| line["event"] == event).count();
    assert_eq!((count(&fleet, "test"), count(&fleet, "other"), count(&other, "other")), (1, 0, 1));
    fleet.end().await;
    other.end().await;
}
