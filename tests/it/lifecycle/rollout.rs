//! The pace of a rollout: limits, canaries, jitter. Over HTTPS, in virtual time.

use std::collections::BTreeMap;

use rekeyd::domain::SecretId;
use rekeyd::ports::Clock;
use rekeyd::sandbox::Options;
use rekeyd::sandbox::model::{Model, Role, Scope, Seed, VersionChange};
use reqwest::StatusCode;
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::fleet::Fleet;
use crate::test_options::test_options;
use crate::world::START;

/// The canary that the sandbox configures.
const CANARY: &str = "canaries = [\"vault-1/app-01\"]";

/// Returns options for this many secrets, every one of them due at the start.
pub(super) fn all_due(secrets: usize) -> Options {
    let options = Options { secrets, ..test_options("127.0.0.1:9".parse().unwrap()) };
    let is_fit = |seed: &u64| {
        let propagation = options.propagation.clone();
        let model =
            Model::new(&Seed { secrets, vaults: options.vaults, propagation, seed: *seed, start: START });
        model.managed().iter().all(|secret| {
            let credentials = model.application(secret.object_id, START).unwrap().credentials;
            credentials[0].end < START + Duration::days(60)
        })
    };
    let seed = (0..100_000).find(is_fit).expect("a seed with the wanted world");
    Options { seed, ..options }
}

/// Returns the configuration without a canary, and with these lines in `[rollout]`.
pub(super) fn without_canary(text: &str, lines: &str) -> String {
    assert!(text.contains(CANARY), "{text}");
    text.replace(CANARY, lines)
}

/// Returns the time at which each secret's successor was published, if it was.
pub(super) fn published(fleet: &Fleet) -> Vec<Option<OffsetDateTime>> {
    let now = fleet.sandbox.clock().now();
    let versions = |index: usize| {
        let secret = &fleet.model().managed()[index];
        fleet.model().list_versions(&secret.vault, &secret.name, now).unwrap()
    };
    (0..fleet.model().managed().len())
        .map(|index| versions(index).get(1).map(|version| version.created))
        .collect()
}

pub(super) fn count(fleet: &Fleet) -> usize {
    published(fleet).iter().flatten().count()
}

/// Removes the role that the proof of the first secret needs.
fn break_canary(fleet: &Fleet) {
    assert!(fleet.model().remove_role(canary_principal(fleet), &Scope::Fhir, Role::FhirDataReader));
}

fn canary_principal(fleet: &Fleet) -> uuid::Uuid {
    fleet.model().service_principal(fleet.managed(&fleet.secret(0)).client_id).unwrap()
}

/// A sweep begins no more rotations than `max_per_sweep` allows.
#[tokio::test]
async fn sweep_respects_max_per_sweep() {
    let fleet = Fleet::start(all_due(4), |text| without_canary(&text, "max_per_sweep = 1")).await;
    // One sweep at the start, then one a day at three o'clock.
    for (hours, most) in [(2, 1), (4, 2), (22, 2), (28, 3), (46, 3), (52, 4)] {
        let until = START + Duration::hours(hours);
        fleet.live(until - fleet.sandbox.clock().now()).await;
        assert_eq!(count(&fleet), most, "after {hours} hours");
    }
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

/// No more rotations begin in an hour than `max_per_hour` allows.
#[tokio::test]
async fn hour_respects_max_per_hour() {
    let fleet = Fleet::start(all_due(4), |text| without_canary(&text, "max_per_hour = 1")).await;
    fleet.until(Duration::hours(6), |fleet| count(fleet) == 4).await;
    let mut moments: Vec<_> = published(&fleet).into_iter().flatten().collect();
    moments.sort();
    let gaps: Vec<_> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= Duration::minutes(59)), "{gaps:?}");
    fleet.end().await;
}

/// A restart allows at most one more hour's worth of rotations within the same hour.
#[tokio::test]
async fn restart_allows_one_more_hourly_round() {
    let mut fleet = Fleet::start(all_due(5), |text| without_canary(&text, "max_per_hour = 1")).await;
    fleet.live(Duration::minutes(10)).await;
    assert_eq!(count(&fleet), 1);
    fleet.restart().await;
    fleet.live(Duration::minutes(40)).await;
    let rotated = count(&fleet);
    assert!(rotated <= 2, "{rotated} rotations within an hour in which one is allowed");
    fleet.end().await;
}

/// A secret held by the rollout limit reports `rollout_limit`,
/// and a rotation requested by a person does not wait for it.
#[tokio::test]
async fn requested_rotation_skips_the_rollout_limit() {
    let fleet = Fleet::start(all_due(3), |text| without_canary(&text, "max_per_sweep = 1")).await;
    fleet.live(Duration::hours(1)).await;
    let waiting = (0..3)
        .map(|index| fleet.secret(index))
        .find(|secret| fleet.status(secret).reason.label() == "rollout_limit");
    let waiting = waiting.expect("two of three wait for the limit");
    fleet.post(&format!("/api/v1/secrets/{waiting}/rotate"), &Value::Null).await;
    fleet.live(Duration::hours(1)).await;
    assert_eq!((fleet.status(&waiting).is_rotated, count(&fleet)), (true, 2));
    fleet.end().await;
}

/// No secret rotates before the canary, found by its tags or configured, with a probe or without.
#[tokio::test]
async fn canary_goes_an_hour_before_the_rest() {
    let fleet = Fleet::start(all_due(4), |text| text).await;
    fleet.live(Duration::minutes(50)).await;
    assert_eq!((count(&fleet), published(&fleet)[0].is_some()), (1, true));
    assert_eq!(fleet.status(&fleet.secret(1)).reason.label(), "canary");
    fleet.until(Duration::hours(3), |fleet| count(fleet) == 4).await;
    let moments: Vec<_> = published(&fleet).into_iter().flatten().collect();
    for other in &moments[1..] {
        assert!(*other - moments[0] >= Duration::HOUR, "{moments:?}");
    }
    fleet.end().await;
}

/// A canary that cannot be proven holds back all other secrets until it can be.
#[tokio::test]
async fn unproven_canary_holds_the_rest() {
    let fleet = Fleet::start(all_due(4), |text| text).await;
    break_canary(&fleet);
    fleet.live(Duration::days(3)).await;
    assert_eq!(count(&fleet), 0, "{:?}", published(&fleet));
    assert_eq!(fleet.status(&fleet.secret(3)).reason.label(), "canary");
    fleet.model().assign_role(canary_principal(&fleet), &Scope::Fhir, Role::FhirDataReader);
    fleet.until(Duration::days(2), |fleet| count(fleet) == 4).await;
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

/// A canary that a person rolls back holds back all other secrets.
#[tokio::test]
async fn rolled_back_canary_holds_the_rest() {
    let fleet = Fleet::start(all_due(3), |text| text).await;
    fleet.live(Duration::minutes(30)).await;
    assert_eq!(count(&fleet), 1);
    let canary = fleet.secret(0);
    let (status, _) = fleet.post(&format!("/api/v1/secrets/{canary}/rollback"), &Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    fleet.live(Duration::days(3)).await;
    assert_eq!(fleet.status(&canary).reason.label(), "rolled_back");
    assert_eq!(count(&fleet), 1, "{:?}", published(&fleet));
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

/// Secrets with less than `urgent_before` left do not wait for the canary.
#[tokio::test]
async fn urgent_secrets_do_not_wait_for_canary() {
    let urgent_before = |text: String| text.replace("[policy]", "[policy]\nurgent_before = \"59d\"");
    let fleet = Fleet::start(all_due(3), urgent_before).await;
    break_canary(&fleet);
    fleet.live(Duration::minutes(50)).await;
    // The canary too: below `urgent_before` signing in is proof enough, whatever the resource answers.
    assert_eq!(count(&fleet), 3, "{:?}", published(&fleet));
    fleet.end().await;
}

/// Blocked secrets do not use up a sweep's limit. Otherwise the first by name would occupy every sweep.
#[tokio::test]
async fn blocked_secret_does_not_occupy_every_sweep() {
    let one_by_one =
        |text: String| without_canary(&text, "max_per_sweep = 1") + "\n[reconcile]\nconcurrency = 1\n";
    let fleet = Fleet::start(all_due(4), one_by_one).await;
    break_canary(&fleet);
    fleet.live(Duration::days(12)).await;
    assert_eq!(published(&fleet).iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true, true]);
    fleet.end().await;
}

/// A limit for each sweep must not let a credential expire, because sweeps may be days apart.
#[tokio::test]
async fn urgency_lifts_sweep_limit_not_hourly() {
    let limits = |text: String| {
        let text = text.replace("cron = \"0 3 * * *\"", "cron = \"0 3 1 2 *\"");
        let text = text.replace("[policy]", "[policy]\nurgent_before = \"59d\"");
        without_canary(&text, "max_per_sweep = 1\nmax_per_hour = 2")
    };
    let fleet = Fleet::start(all_due(4), limits).await;
    fleet.live(Duration::minutes(50)).await;
    assert_eq!(count(&fleet), 2);
    fleet.live(Duration::hours(2)).await;
    assert_eq!(count(&fleet), 4);
    fleet.end().await;
}

/// A configured canary that has not been found yet holds back all other secrets.
#[tokio::test]
async fn undiscovered_canary_holds_the_rest() {
    let fleet = Fleet::start(all_due(3), |text| {
        text.replace(CANARY, "canaries = [\"vault-1/app-03\"]")
            .replace("[schedule]", "[schedule]\nat_start = false")
    })
    .await;
    // Only its tags bind it to its application, and they have been removed.
    let canary = fleet.secret(2);
    let tags = retag(&fleet, &canary, BTreeMap::new());
    fleet.live(Duration::hours(12)).await;
    assert_eq!((count(&fleet), fleet.status(&fleet.secret(0)).reason.label()), (0, "canary"));
    retag(&fleet, &canary, tags);
    fleet.live(Duration::days(1)).await;
    let moments: Vec<_> = published(&fleet).into_iter().flatten().collect();
    assert!(moments.len() == 3 && moments[..2].iter().all(|other| *other - moments[2] >= Duration::HOUR));
    fleet.end().await;
}

/// Replaces the current version's tags with `tags` and returns the old ones.
fn retag(fleet: &Fleet, secret: &SecretId, tags: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let (now, managed) = (fleet.sandbox.clock().now(), fleet.managed(secret));
    let before = fleet.model().get_secret(&managed.vault, &managed.name, None, now).unwrap();
    let change = VersionChange { tags: Some(tags), ..VersionChange::default() };
    fleet.model().patch(&managed.vault, &managed.name, "", change, now).unwrap();
    before.tags
}

/// Jitter spreads the expiry of credentials that are made on one day: without it they would all expire on one day.
#[tokio::test]
async fn jitter_spreads_fleet_and_keeps_canary_first() {
    // By its name alone this one would be the last.
    let canary = |text: String| text.replace(CANARY, "canaries = [\"vault-2/app-04\"]");
    let jitter = |text: String| text.replace("jitter = \"6h\"", "jitter = \"12d\"");
    let fleet = Fleet::start(all_due(4), |text| jitter(canary(text))).await;
    fleet.live(Duration::days(1)).await;
    assert_eq!(count(&fleet), 4, "all on one day");
    let due: Vec<_> = (0..4).map(|index| fleet.status(&fleet.secret(index)).due.unwrap()).collect();
    let (first, last) = (due.iter().min().unwrap(), due.iter().max().unwrap());
    assert!(*last - *first > Duration::days(3), "{due:?}");
    assert_eq!(*first, due[3], "{due:?}");
    let latest = START + Duration::days(81);
    assert!(due.iter().all(|due| *due > START + Duration::days(67) && *due < latest), "{due:?}");
    fleet.end().await;
}
