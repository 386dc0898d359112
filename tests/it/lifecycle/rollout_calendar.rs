//! The times at which a fleet may rotate: windows and freezes,
//! and the exceptions from them. Over HTTPS, in virtual time.

use rekeyd::ports::Clock;
use reqwest::StatusCode;
use serde_json::Value;
use time::Duration;
use time::macros::datetime;

use super::rollout::{all_due, count, published, without_canary};
use crate::fleet::Fleet;

/// A window from 22:00 in Tokyo, which is 13:00 UTC.
const WINDOW: &str = "\n[[rollout.windows]]\ncron = \"0 22 * * *\"\nduration = \"1h\"\n";

/// A freeze until January 3 begins in Tokyo, which is at 15:00 UTC on January 2.
const FREEZE: &str = "\n[[rollout.freezes]]\nfrom = \"2026-01-01T00:00\"\nuntil = \"2026-01-03T00:00\"\n";
const FREEZE_ENDS: time::OffsetDateTime = datetime!(2026-01-02 15:00 UTC);

fn in_tokyo(text: &str, calendar: &str) -> String {
    without_canary(text, "time_zone = \"Asia/Tokyo\"") + calendar
}

/// Returns the configuration with every secret below `urgent_before`.
fn urgent_before(text: &str) -> String {
    text.replace("[policy]", "[policy]\nurgent_before = \"59d\"")
}

/// Rotations begin only within a maintenance window, which is read in its configured time zone.
#[tokio::test]
async fn rotations_begin_only_in_their_window() {
    let fleet = Fleet::start(all_due(3), |text| in_tokyo(&text, WINDOW)).await;
    fleet.live(Duration::hours(12)).await;
    assert_eq!((count(&fleet), fleet.status(&fleet.secret(1)).reason.label()), (0, "outside_window"));
    fleet.live(Duration::hours(3)).await;
    let moments: Vec<_> = published(&fleet).into_iter().flatten().collect();
    assert_eq!(moments.len(), 3);
    let window = datetime!(2026-01-01 13:00 UTC)..datetime!(2026-01-01 14:05 UTC);
    assert!(moments.iter().all(|moment| window.contains(moment)), "{moments:?}");
    fleet.end().await;
}

/// Rotations still pending when a window closes wait for the next window.
#[tokio::test]
async fn closed_window_defers_rest_to_next() {
    let limited = |text: String| {
        in_tokyo(&text, WINDOW).replace("time_zone = \"Asia", "max_per_hour = 1\ntime_zone = \"Asia")
    };
    let fleet = Fleet::start(all_due(3), limited).await;
    for day in 1..=3 {
        fleet.live(Duration::days(1)).await;
        assert_eq!(count(&fleet), day, "{:?}", published(&fleet));
    }
    fleet.end().await;
}

/// Secrets with less than `urgent_before` left wait for neither a window nor the end of a soft freeze.
#[tokio::test]
async fn urgent_secrets_ignore_window_and_soft_freeze() {
    for calendar in [WINDOW, FREEZE] {
        let fleet = Fleet::start(all_due(3), |text| urgent_before(&in_tokyo(&text, calendar))).await;
        fleet.live(Duration::hours(1)).await;
        assert_eq!(count(&fleet), 3);
        fleet.end().await;
    }
}

/// A soft freeze holds due secrets until its last moment in the configured time zone.
#[tokio::test]
async fn soft_freeze_holds_due_secrets() {
    let fleet = Fleet::start(all_due(3), |text| in_tokyo(&text, FREEZE)).await;
    fleet.live(Duration::hours(38)).await;
    assert_eq!((count(&fleet), fleet.status(&fleet.secret(0)).reason.label()), (0, "frozen"));
    fleet.live(Duration::hours(2)).await;
    let moments: Vec<_> = published(&fleet).into_iter().flatten().collect();
    assert_eq!(moments.len(), 3);
    assert!(moments.iter().all(|moment| *moment >= FREEZE_ENDS), "{moments:?}");
    fleet.end().await;
}

/// A hard freeze holds even urgent secrets, and a rotation requested meanwhile runs when the freeze ends.
#[tokio::test]
async fn hard_freeze_holds_urgent_and_requested_rotations() {
    let hard = format!("{FREEZE}hard = true\n");
    // Only the first one is due by itself, and no sweep runs after the freeze.
    let fleet = Fleet::start(all_due(3), |text| {
        urgent_before(&in_tokyo(&text, &hard)).replace("cron = \"0 3 * * *\"", "cron = \"0 3 1 2 *\"")
    })
    .await;
    fleet.live(Duration::hours(1)).await;
    let secret = fleet.secret(1);
    fleet.post(&format!("/api/v1/secrets/{secret}/rotate"), &Value::Null).await;
    fleet.live(Duration::hours(37)).await;
    assert_eq!((count(&fleet), fleet.status(&secret).reason.label()), (0, "frozen"));
    fleet.live(Duration::hours(2)).await;
    assert_eq!(count(&fleet), 3, "{:?}", published(&fleet));
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

/// A soft freeze does not hold a rotation that a person requests.
#[tokio::test]
async fn soft_freeze_allows_requested_rotation() {
    let fleet = Fleet::start(all_due(2), |text| in_tokyo(&text, FREEZE)).await;
    let secret = fleet.secret(1);
    fleet.post(&format!("/api/v1/secrets/{secret}/rotate"), &Value::Null).await;
    fleet.live(Duration::hours(1)).await;
    assert_eq!(published(&fleet).iter().map(Option::is_some).collect::<Vec<_>>(), [false, true]);
    fleet.end().await;
}

/// A compromise waits for no freeze, no window, no canary and no rotation limit.
#[tokio::test]
async fn compromise_ignores_every_rollout_brake() {
    let limits = format!("{FREEZE}hard = true\n{WINDOW}");
    let all = |text: String| {
        let lines = "max_per_sweep = 1\nmax_per_hour = 1\ncanaries = [\"vault-1/app-01\"]\ntime_zone = \"Asia/Tokyo\"";
        without_canary(&text, lines) + &limits
    };
    let fleet = Fleet::start(all_due(3), all).await;
    // One of them has to be found by its tags first.
    fleet.live(Duration::minutes(1)).await;
    let stolen: Vec<_> =
        (1..3).map(|index| (fleet.secret(index), fleet.text(&fleet.secret(index)))).collect();
    for (secret, _) in &stolen {
        let (status, _) = fleet.post(&format!("/api/v1/secrets/{secret}/compromised"), &Value::Null).await;
        assert_eq!(status, StatusCode::ACCEPTED);
    }
    fleet.live(Duration::hours(2)).await;
    for (secret, text) in &stolen {
        assert!(fleet.sign_in_with(secret, text).is_err(), "{secret}: {:?}", fleet.status(secret));
        assert_eq!(fleet.sign_in(secret), Ok(()));
    }
    assert_eq!((count(&fleet), fleet.consumers_failed()), (2, 0));
    fleet.end().await;
}

/// A freeze does not hold up retirement: retiring does no more harm
/// in a freeze than waiting does, and less than an old credential.
#[tokio::test]
async fn freeze_does_not_hold_retirement() {
    let freeze = FREEZE.replace("01-01T00", "01-02T00").replace("2026-01-03", "2026-03-03") + "hard = true\n";
    let fleet = Fleet::start(all_due(2), |text| in_tokyo(&text, &freeze)).await;
    fleet.live(Duration::hours(3)).await;
    assert_eq!(count(&fleet), 2);
    fleet.live(Duration::days(12)).await;
    let summary = fleet.summary();
    assert_eq!((summary.published, summary.retired), (2, 2), "retired within the freeze");
    assert!(fleet.sandbox.clock().now() < datetime!(2026-03-01 0:00 UTC));
    fleet.end().await;
}
