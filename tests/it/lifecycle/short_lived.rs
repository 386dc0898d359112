//! Credentials that live shorter than the near-expiry notice do not cause endless rotations.

use rekeyd::ports::Clock;
use rekeyd::sandbox::Options;
use rekeyd::sandbox::model::VersionChange;
use secrecy::ExposeSecret;
use time::Duration;

use crate::fleet::Fleet;
use crate::test_options::test_options;

/// Event Grid sends `SecretNearExpiry` 30 days before the end, which is at once for a secret of 20 days.
#[tokio::test]
async fn twenty_day_secret_rotates_once_per_period() {
    let options = Options { secrets: 1, vaults: 1, ..test_options("127.0.0.1:9".parse().unwrap()) };
    let fleet = Fleet::start(options, |text| {
        text.replace(
            "validity = \"120d\"\nrotate_before = \"60d\"",
            "validity = \"20d\"\nrotate_before = \"10d\"",
        )
        .replace("overlap = \"7d\"", "overlap = \"2d\"")
    })
    .await;
    let secret = fleet.secret(0);
    let managed = fleet.managed(&secret);
    // The tag that the world began with asks for 120 days.
    let now = fleet.sandbox.clock().now();
    let mut tags = fleet.model().get_secret(&managed.vault, &managed.name, None, now).unwrap().tags;
    tags.insert("ValidityPeriodDays".to_owned(), "20".to_owned());
    let change = VersionChange { tags: Some(tags), ..VersionChange::default() };
    fleet.model().patch(&managed.vault, &managed.name, "", change, now).unwrap();
    let mut texts = vec![fleet.text(&secret)];
    for _ in 0..400 {
        fleet.live(Duration::DAY).await;
        let text = fleet.text(&secret);
        if text.expose_secret() != texts.last().unwrap().expose_secret() {
            texts.push(text);
        }
    }
    // Due a third of its life before its end: after 13 days and 8 hours.
    let most = 1 + 400 * 24 / (13 * 24 + 8);
    let issued = fleet.summary().issued;
    assert!((25..=most).contains(&issued), "{issued} issued in 400 days");
    assert_eq!(u64::try_from(texts.len()).unwrap(), issued + 1, "each of them was published, once");
    let metrics = fleet.metrics_text();
    let events =
        metrics.lines().find_map(|line| line.strip_prefix("rekeyd_triggers_total{trigger=\"webhook\"} "));
    let events: u64 = events.unwrap().parse().unwrap();
    assert!(events >= issued, "only {events} events");
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}
