//! Common complaints about other rotators, each reproduced on the sandbox.
//!
//! | pain | test |
//! |---|---|
//! | 1 the old secret dies at rotation | [`pain_01_old_secret_survives_rotation`] |
//! | 2 consumers go on using the stale value | [`pain_02_stale_consumers_are_waited_for`] |
//! | 4 a new secret is not usable straight away | [`pain_04_secret_is_published_once_usable`] |
//! | 5 writes to one application conflict | [`pain_05_concurrent_writes_are_serialized`] |
//! | 6 half-failed and quick rotations leave orphans | [`pain_06_interrupted_rotations_leave_nothing`] |
//! | 7 near-expiry events are fixed at 30 days, or missing | [`pain_07_near_expiry_events_are_unnecessary`] |
//! | 8 rotation stops silently | [`pain_08_stalled_rotation_shows_everywhere`] |
//! | 10 tenant policies and the limit of two passwords | [`pain_10_tenant_limits_are_coped_with`] |
//! | 11 copies elsewhere have to follow | [`pain_11_copy_is_updated_and_awaited`] |
//! | 14 awkward characters in generated secrets | [`pain_14_awkward_texts_are_never_published`] |
//! | 15 stuck in progress, backing off for too long | [`pain_15_progress_note_never_blocks_long`] |

use std::sync::Arc;

use rekeyd::domain::SecretId;
use rekeyd::domain::tags::{PENDING_ROTATION, PendingRotation};
use rekeyd::ports::{Clock, SecretStore};
use rekeyd::sandbox::Options;
use rekeyd::sandbox::model::{ApplicationChange, Audience, Restrictions, Role, Scope};
use reqwest::StatusCode;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use time::Duration;
use uuid::Uuid;

use crate::fleet::Fleet;
use crate::test_options::test_options;
use crate::world::{START, World};

fn options(secrets: usize) -> Options {
    Options { secrets, ..test_options("127.0.0.1:9".parse().unwrap()) }
}

async fn ask_to_rotate(fleet: &Fleet, secret: &SecretId) {
    let (status, _) = fleet.post(&format!("/api/v1/secrets/{secret}/rotate"), &Value::Null).await;
    assert_eq!(status, StatusCode::ACCEPTED);
}

/// Requests a rotation and runs the fleet until its credential is published.
async fn rotate(fleet: &Fleet, secret: &SecretId) {
    let before = fleet.text(secret);
    ask_to_rotate(fleet, secret).await;
    let is_new = |fleet: &Fleet| !is_same(&fleet.text(secret), &before);
    fleet.until(Duration::hours(2), is_new).await;
}

fn is_same(one: &SecretString, other: &SecretString) -> bool {
    one.expose_secret() == other.expose_secret()
}

/// An old secret keeps working through its overlap after a rotation and is then retired.
#[tokio::test]
async fn pain_01_old_secret_survives_rotation() {
    let fleet = Fleet::start(options(2), |text| text).await;
    let secret = fleet.secret(0);
    let old = fleet.text(&secret);
    rotate(&fleet, &secret).await;
    // Some consumers read at their start only, and start once a week.
    for _ in 0..6 {
        fleet.live(Duration::DAY).await;
        assert_eq!((fleet.sign_in_with(&secret, &old), fleet.sign_in(&secret)), (Ok(()), Ok(())));
    }
    fleet.live(Duration::days(6)).await;
    assert!(fleet.sign_in_with(&secret, &old).is_err(), "it ends at some time");
    assert_eq!((fleet.sign_in(&secret), fleet.consumers_failed()), (Ok(()), 0));
    fleet.end().await;
}

/// A superseded credential that consumers still use is kept until they have moved to the new one.
#[tokio::test]
async fn pain_02_stale_consumers_are_waited_for() {
    let fleet = Fleet::start(options(2), |text| text).await;
    let secret = fleet.secret(0);
    rotate(&fleet, &secret).await;
    let stale = fleet.text(&secret);
    fleet.live(Duration::DAY).await;
    rotate(&fleet, &secret).await;
    // Three times the overlap, which is a week: Entra's report shows that the old credential is still used.
    for _ in 0..21 {
        assert_eq!(fleet.sign_in_with(&secret, &stale), Ok(()));
        fleet.live(Duration::DAY).await;
    }
    assert_eq!(fleet.status(&secret).reason.label(), "in_use");
    // It reads the new one at last.
    fleet.live(Duration::days(6)).await;
    assert!(fleet.sign_in_with(&secret, &stale).is_err(), "{:?}", fleet.status(&secret));
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

/// A new secret that is not usable at once is published only when it is, so consumers can always sign in.
#[tokio::test]
async fn pain_04_secret_is_published_once_usable() {
    for seed in 1..=3 {
        let propagation = Duration::seconds(40)..=Duration::minutes(3);
        let fleet = Fleet::start(Options { propagation, seed, ..options(1) }, |text| text).await;
        let secret = fleet.secret(0);
        let old = fleet.text(&secret);
        let mut moved_over = 0;
        // It is due at the start. A consumer reads and signs in every five seconds.
        for _ in 0..360 {
            fleet.live(Duration::seconds(5)).await;
            assert_eq!(fleet.sign_in(&secret), Ok(()), "seed {seed}");
            moved_over += u32::from(!is_same(&fleet.text(&secret), &old));
        }
        assert!(moved_over > 60, "seed {seed}: it was published, and used for minutes after that");
        fleet.end().await;
    }
}

/// The world records any rotation that issues a credential before another one has published.
#[test]
fn pain_05_concurrent_writes_are_serialized() {
    let world = World::with_sibling();
    world.command_to_rotate();
    world.live(Duration::hours(2));
    assert_eq!(world.issued(), 2, "one for each secret of the application");
    world.live(Duration::days(100));
    assert_eq!(world.issued(), 4, "and one for each when that was due");
}

/// Interrupted and quickly repeated rotations leave no orphaned credentials behind.
#[tokio::test]
async fn pain_06_interrupted_rotations_leave_nothing() {
    let mut fleet =
        Fleet::start(options(2), |text| text.replace("overlap = \"7d\"", "overlap = \"1d\"")).await;
    let secret = fleet.secret(0);
    // Killed in the middle of one rotation after another, asked for again and again.
    for _ in 0..3 {
        ask_to_rotate(&fleet, &secret).await;
        fleet.live(Duration::SECOND).await;
        fleet.restart().await;
        fleet.live(Duration::minutes(20)).await;
    }
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::days(9)).await;
    let summary = fleet.summary();
    assert!(summary.issued > summary.published, "at least one was issued and never published: {summary:?}");
    assert_eq!(summary.orphans_left, 0);
    let now = fleet.sandbox.clock().now();
    let application = fleet.model().application(fleet.managed(&secret).object_id, now).unwrap();
    assert_eq!(application.credentials.len(), 1, "{:?}", fleet.status(&secret));
    assert_eq!((fleet.sign_in(&secret), fleet.consumers_failed()), (Ok(()), 0));
    fleet.end().await;
}

/// A secret is rotated well before its first near-expiry event, so late or missing events do no harm.
#[tokio::test]
async fn pain_07_near_expiry_events_are_unnecessary() {
    let fleet = Fleet::start(options(1), |text| text).await;
    let secret = fleet.secret(0);
    let versions = |fleet: &Fleet| {
        let (managed, now) = (fleet.managed(&secret), fleet.sandbox.clock().now());
        fleet.model().list_versions(&managed.vault, &managed.name, now).unwrap()
    };
    let first_notice = versions(&fleet)[0].expires.unwrap() - Duration::days(30);
    fleet.until(Duration::days(10), |fleet| versions(fleet).len() == 2).await;
    let spare = first_notice - versions(&fleet)[1].created;
    assert!(spare > Duration::days(14), "rotated {spare} before the first notice of Event Grid");
    fleet.end().await;
}

/// A rotation that stalls shows in the API and in the metrics, with its reason.
#[tokio::test]
async fn pain_08_stalled_rotation_shows_everywhere() {
    let fleet = Fleet::start(options(2), |text| text).await;
    let secret = fleet.secret(0);
    let principal = fleet.model().service_principal(fleet.managed(&secret).client_id).unwrap();
    assert!(fleet.model().remove_role(principal, &Scope::Fhir, Role::FhirDataReader));
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::days(2)).await;
    let (_, shown) = fleet.get(&format!("/api/v1/secrets/{secret}")).await;
    assert_eq!((&shown["state"], &shown["reason"]), (&"blocked".into(), &"role_missing".into()));
    assert_eq!(shown["needs_person"], true);
    assert!(shown["message"].as_str().unwrap().contains("FHIR Data Reader"), "{shown}");
    let metrics = fleet.metrics_text();
    for line in [
        format!("rekeyd_secret_state{{secret=\"{secret}\",state=\"blocked\"}} 1"),
        format!("rekeyd_credential_expiry_timestamp_seconds{{secret=\"{secret}\"}} "),
    ] {
        assert!(metrics.contains(&line), "{line} is not in {metrics}");
    }
    assert!(!metrics.contains("rekeyd_blocked_total{reason=\"role_missing\"} 0"), "{metrics}");
    // An alert on that timestamp sees it stand still.
    let well = format!("rekeyd_last_success_timestamp_seconds{{secret=\"{secret}\"}}");
    let stands = |metrics: &str| metrics.lines().find(|line| line.starts_with(&well)).map(str::to_owned);
    fleet.live(Duration::days(2)).await;
    assert_eq!(stands(&fleet.metrics_text()), stands(&metrics));
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

/// A tenant's lifetime policy clamps new credentials, and a limit of two passwords only blocks until there is room.
#[tokio::test]
async fn pain_10_tenant_limits_are_coped_with() {
    let at_rest = |text: String| text.replace("[schedule]", "[schedule]\nat_start = false");
    let fleet = Fleet::start(options(2), at_rest).await;
    let (secret, model) = (fleet.secret(0), fleet.model());
    let (daemon, object_id) = (model.tenant().daemon.object_id, fleet.managed(&secret).object_id);
    let roles = ["Application.ReadWrite.OwnedBy", "AuditLog.Read.All", "Policy.Read.All"];
    model.set_app_roles(daemon, "https://graph.microsoft.com", &roles);
    let longest = json!({"passwordCredentials": [
        {"restrictionType": "passwordLifetime", "state": "enabled", "maxLifetime": "P60D"}]});
    model.change_policy(Uuid::nil(), |policy| {
        policy.is_enabled = true;
        policy.restrictions = serde_json::from_value::<Restrictions>(longest).unwrap();
    });
    let personal = ApplicationChange {
        audience: Some(Audience::AnyOrganisationAndPersonal),
        ..ApplicationChange::default()
    };
    model.change_application(object_id, personal, START).unwrap();
    let end = Some(START + Duration::days(50));
    let second = model.add_password(object_id, Some("a colleague's"), None, end, START).unwrap();
    ask_to_rotate(&fleet, &secret).await;
    fleet.live(Duration::hours(3)).await;
    assert_eq!(
        (fleet.status(&secret).state.label(), fleet.status(&secret).reason.label()),
        ("blocked", "password_limit_reached")
    );
    assert_eq!(fleet.summary().issued, 1, "only the colleague's credential was issued");
    model.remove_password(object_id, second.key_id, fleet.sandbox.clock().now()).unwrap();
    fleet.until(Duration::days(2), |fleet| fleet.summary().published == 1).await;
    let lives = fleet.status(&secret).expires.unwrap() - fleet.sandbox.clock().now();
    assert!(lives <= Duration::days(60) && lives > Duration::days(57), "{lives}");
    assert_eq!((fleet.sign_in(&secret), fleet.consumers_failed()), (Ok(()), 0));
    fleet.end().await;
}

/// A copy in another vault follows each rotation and any repair, and the overlap counts from the last copy.
#[tokio::test]
async fn pain_11_copy_is_updated_and_awaited() {
    let copied = |text: String| {
        text.replace("name = \"app-01\"\n", "name = \"app-01\"\nreplicas = [\"vault-2/copy\"]\n")
    };
    let fleet = Fleet::start(options(2), copied).await;
    let secret = fleet.secret(0);
    let copy = |fleet: &Fleet| {
        let now = fleet.sandbox.clock().now();
        fleet.model().get_secret("vault-2", "copy", None, now).map(|version| version.value)
    };
    let follows = |fleet: &Fleet| copy(fleet).is_ok_and(|copy| is_same(&copy, &fleet.text(&secret)));
    fleet.until(Duration::hours(1), follows).await;
    let old = fleet.text(&secret);
    rotate(&fleet, &secret).await;
    fleet.until(Duration::hours(1), follows).await;
    // A person breaks the copy: it is repaired, and no old credential is revoked before that.
    let broken = rekeyd::sandbox::model::NewVersion::of("broken".into());
    fleet.model().put_secret("vault-2", "copy", broken, fleet.sandbox.clock().now()).unwrap();
    fleet.until(Duration::days(2), follows).await;
    fleet.live(Duration::days(6)).await;
    assert_eq!(fleet.sign_in_with(&secret, &old), Ok(()), "the overlap counts from the last copy");
    fleet.live(Duration::days(7)).await;
    assert!(fleet.sign_in_with(&secret, &old).is_err(), "{:?}", fleet.status(&secret));
    assert_eq!((fleet.status(&secret).replicas[0].state.label(), fleet.consumers_failed()), ("in_sync", 0));
    fleet.end().await;
}

/// The sandbox never begins a text with a hyphen; nearly half of its texts begin with a small letter.
#[tokio::test]
async fn pain_14_awkward_texts_are_never_published() {
    let unwanted = |text: String| {
        text.replace("claims = \"required\"", "claims = \"required\"\nreject_secret_pattern = \"^[a-z]\"")
    };
    let fleet = Fleet::start(options(6), unwanted).await;
    fleet.live(Duration::hours(1)).await;
    for index in 0..6 {
        ask_to_rotate(&fleet, &fleet.secret(index)).await;
    }
    fleet.live(Duration::days(5)).await;
    let summary = fleet.summary();
    assert!(summary.issued > summary.published && summary.min_rotations_per_secret > 0, "{summary:?}");
    assert_eq!(summary.orphans_left, 0);
    for secret in (0..6).map(|index| fleet.secret(index)) {
        let text = fleet.text(&secret);
        assert!(!text.expose_secret().starts_with(|first: char| first.is_ascii_lowercase()), "{secret}");
        assert_eq!(fleet.status(&secret).orphans, 0, "{secret}: what was not wanted is revoked");
    }
    assert_eq!(fleet.consumers_failed(), 0);
    fleet.end().await;
}

/// A pending-rotation note never holds up rotation for long, even if it is stale or forged.
#[test]
fn pain_15_progress_note_never_blocks_long() {
    for (began, attempt, failed, most) in [
        // From an instance that died.
        (Duration::ZERO, 1, false, Duration::hours(2)),
        // From one that failed again and again.
        (Duration::ZERO, 9, true, Duration::hours(25)),
        // From an attacker.
        (Duration::days(3_000), 1, false, Duration::hours(1)),
        (Duration::ZERO, u32::MAX, false, Duration::hours(25)),
    ] {
        let world = World::new(None);
        let began = world.now() + began;
        let rotation = "0123456789abcdef".parse().unwrap();
        note(&world, &PendingRotation { rotation, began, attempt, failed });
        world.live(most);
        assert_eq!(world.issued(), 1, "attempt {attempt}: {:?}", world.last_state());
    }
}

/// Leaves this note on the current version.
fn note(world: &Arc<World>, pending: &PendingRotation) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let current = world.current().await.properties;
        let mut tags = current.tags;
        tags.set(PENDING_ROTATION, pending);
        world.direct.replace_tags(&world.secret, &current.version, &tags).await.unwrap();
    });
}
