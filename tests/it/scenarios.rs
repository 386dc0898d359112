//! Situations that people and services cause, run in the in-memory world.

use std::sync::Arc;

use rekeyd::domain::tags::{self, PendingRotation, Tags};
use rekeyd::domain::{AppObjectId, ApplicationRef};
use rekeyd::ports::{CredentialIssuer, NewVersion, SecretStore};
use secrecy::{ExposeSecret, SecretString};
use time::Duration;

use super::world::World;

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) fn object_id(world: &Arc<World>) -> AppObjectId {
    block_on(world.application()).object_id
}

/// Changes the current version's tags, as a person with permission to write them.
pub(crate) fn retag(world: &Arc<World>, change: impl FnOnce(&mut Tags)) {
    block_on(async {
        let current = world.current().await.properties;
        let mut after = current.tags;
        change(&mut after);
        world.direct.replace_tags(&world.secret, &current.version, &after).await.unwrap();
    });
}

/// A credential that works only intermittently while it propagates is published only once it works everywhere.
#[test]
fn flickering_credential_is_published_once_propagated() {
    for seed in 0..10 {
        let world = World::with_propagation(Duration::seconds(18), seed);
        world.command_to_rotate();
        world.live(Duration::days(1));
        assert_eq!(world.issued(), 1);
        let published = block_on(world.versions()).into_iter().map(|version| version.created).max().unwrap();
        let credentials = block_on(world.application()).credentials;
        let made = credentials.iter().map(|credential| credential.start).max().unwrap();
        assert!(published - made >= Duration::seconds(36), "seed {seed}: after {}", published - made);
    }
}

/// A credential that never signs in is revoked, and another is tried less and less often.
#[test]
fn unusable_credential_is_revoked_with_backoff() {
    let world = World::with_propagation(Duration::hours(3), 1);
    world.live(Duration::hours(12));
    let attempts = world.issued();
    assert!((2..=4).contains(&attempts), "{attempts} attempts in 12 hours");
    assert_eq!(block_on(world.versions()).len(), 1, "nothing unproven is published");
    let ours = block_on(world.application()).credentials;
    assert!(ours.len() <= 3, "{} credentials", ours.len());
    let pending = block_on(world.current()).properties.tags.pending_rotation().unwrap().unwrap();
    assert_eq!(u64::from(pending.attempt), attempts, "the attempts are counted in the tag");
    assert!(pending.failed, "the last one is known to have ended");
    assert_eq!(world.last_state(), ("blocked", "never_verified"));
}

#[test]
fn a_foreign_credential_is_never_touched() {
    let world = World::new(None);
    let end = world.now() + Duration::days(30);
    let colleague = block_on(world.direct.issue(object_id(&world), "made by a colleague", end)).unwrap();
    // Named like ours, but for another secret.
    let other = block_on(world.direct.issue(object_id(&world), "rekeyd vault-1/other 0123456789abcdef", end))
        .unwrap();
    world.live(Duration::days(100));
    let left = block_on(world.application()).credentials;
    for foreign in [colleague.key_id, other.key_id] {
        assert!(left.iter().any(|credential| credential.key_id == foreign), "{foreign} is gone");
    }
}

/// A tag that names a colleague's credential does not get that credential revoked.
#[test]
fn tag_naming_foreign_credential_revokes_nothing() {
    let world = World::new(None);
    let end = world.now() + Duration::days(300);
    let colleague = block_on(world.direct.issue(object_id(&world), "made by a colleague", end)).unwrap();
    retag(&world, |tags| {
        tags.set(tags::SUPERSEDED_CREDENTIAL_ID, colleague.key_id);
    });
    world.live(Duration::days(10));
    // Now the tag of the version that was superseded, whose text begins otherwise.
    let older = block_on(world.versions()).into_iter().min_by_key(|version| version.created).unwrap();
    let mut after = older.tags.clone();
    after.set(tags::CREDENTIAL_ID, colleague.key_id);
    block_on(world.direct.replace_tags(&world.secret, &older.version, &after)).unwrap();
    world.live(Duration::days(100));
    let left = block_on(world.application()).credentials;
    assert!(left.iter().any(|credential| credential.key_id == colleague.key_id));
}

/// A current credential that was removed by hand is replaced by an older one that still signs in.
#[test]
fn working_older_credential_replaces_removed_one() {
    let world = World::new(None);
    world.live(Duration::days(2));
    let current = block_on(world.current()).properties;
    let lost = current.tags.credential_id().unwrap().unwrap();
    world.lock_consumers_out();
    block_on(world.direct.revoke(object_id(&world), lost)).unwrap();
    let since = world.now();
    world.live(Duration::hours(1));
    let republished = block_on(world.current()).properties;
    assert_ne!(republished.tags.credential_id().unwrap(), Some(lost));
    let confirmed = republished.created - since;
    assert!(confirmed >= Duration::minutes(10), "displaced after {confirmed}");
    // The older one is due, so that a new one follows at once.
    assert_eq!(world.issued(), 2);
    let answer = block_on(async {
        let read = world.current().await;
        let client_id = world.application().await.client_id;
        rekeyd::ports::SignInVerifier::sign_in(&world.direct, client_id, &read.value).await
    });
    assert_eq!(answer, rekeyd::ports::SignIn::Accepted);
}

/// A lost credential is not replaced by a text whose tags only claim that it belongs to this secret.
#[test]
fn lost_credential_ignores_falsely_tagged_text() {
    let world = World::new(None);
    world.live(Duration::days(2));
    world.lock_consumers_out();
    let ours = block_on(world.current());
    let colleague = block_on(world.direct.issue(
        object_id(&world),
        "made by a colleague",
        world.now() + Duration::days(9),
    ));
    let put = |text: SecretString, names: String| {
        let tags = [(tags::CREDENTIAL_ID, names)].into_iter().collect();
        let new = NewVersion { value: text, enabled: true, expires: None, content_type: None, tags };
        block_on(world.direct.put(&world.secret, new)).unwrap();
        block_on(world.clock().run_until(world.now() + Duration::MINUTE));
    };
    let named = ours.properties.tags.value(tags::CREDENTIAL_ID).unwrap();
    put(colleague.unwrap().secret_text, named.to_owned());
    put("foreign".into(), uuid::Uuid::nil().to_string());
    world.live(Duration::hours(1));
    let texts =
        [ours.value.expose_secret(), block_on(world.current()).value.expose_secret()].map(str::to_owned);
    assert_eq!(texts[0], texts[1]);
}

/// An expired current credential is replaced within minutes.
#[test]
fn expired_credential_is_replaced_at_once() {
    let world = World::new(None);
    world.lock_consumers_out();
    // No pass runs for half a year.
    block_on(world.clock().run_until(world.now() + Duration::days(200)));
    let since = world.now();
    world.live(Duration::hours(1));
    assert_eq!(world.issued(), 1);
    assert!(block_on(world.current()).properties.created - since < Duration::minutes(5));
}

/// A current version that was disabled by hand is not displaced, and nothing is minted.
#[test]
fn disabled_version_is_not_displaced() {
    let world = World::new(None);
    world.lock_consumers_out();
    let current = block_on(world.current()).properties.version;
    block_on(world.direct.disable(&world.secret, &current)).unwrap();
    world.live(Duration::days(3));
    assert_eq!(world.last_state(), ("blocked", "current_disabled"));
    assert_eq!((world.issued(), block_on(world.versions()).len()), (0, 1));
}

/// A disabled application blocks rotation without minting, and rotation resumes once it is enabled.
#[test]
fn disabled_application_blocks_without_minting() {
    let world = World::new(None);
    world.lock_consumers_out();
    let application = object_id(&world);
    assert!(world.direct.model.set_application_enabled(application.0, false));
    world.live(Duration::days(2));
    assert_eq!(world.last_state(), ("blocked", "application_disabled"));
    assert_eq!(world.issued(), 0);
    assert!(world.direct.model.set_application_enabled(application.0, true));
    world.live(Duration::hours(2));
    assert_eq!(world.issued(), 1);
}

/// A text that matches no known credential is reported and stays in place until a person asks for a rotation.
#[test]
fn unknown_text_is_reported_not_displaced() {
    let world = World::new(None);
    world.lock_consumers_out();
    let text = "typed by a person in a hurry".into();
    let new =
        NewVersion { value: text, enabled: true, expires: None, content_type: None, tags: Tags::default() };
    block_on(world.direct.put(&world.secret, new)).unwrap();
    world.live(Duration::days(20));
    assert_eq!(world.last_state(), ("blocked", "unknown_credential"));
    assert_eq!((world.issued(), block_on(world.application()).credentials.len()), (0, 1));
    world.command_to_rotate();
    world.live(Duration::hours(1));
    assert_eq!(world.issued(), 1);
}

/// Two requests within minutes rotate once, and a request an hour later rotates again.
#[test]
fn repeated_request_rotates_once_per_hour() {
    let world = World::new(None);
    world.command_to_rotate();
    world.live(Duration::minutes(5));
    world.command_to_rotate();
    world.live(Duration::minutes(30));
    assert_eq!(world.issued(), 1);
    world.live(Duration::minutes(30));
    world.command_to_rotate();
    world.live(Duration::minutes(30));
    assert_eq!(world.issued(), 2);
}

/// A rotate command is kept while another instance may be rotating, and is carried out afterwards.
#[test]
fn command_survives_another_instance_rotating() {
    let world = World::new(None);
    world.live(Duration::days(1));
    let began = world.now();
    let rotation = "0123456789abcdef".parse().unwrap();
    retag(&world, |tags| {
        tags.set(tags::PENDING_ROTATION, PendingRotation { rotation, began, attempt: 1, failed: false });
    });
    world.command_to_rotate();
    world.live(Duration::hours(2));
    assert_eq!(world.issued(), 2);
}

/// A secret without any version gets its first credential.
#[test]
fn secret_without_versions_gets_first_credential() {
    let world = World::without_secret();
    world.lock_consumers_out();
    world.live(Duration::hours(1));
    assert_eq!(world.issued(), 1);
    let versions = block_on(world.versions());
    assert_eq!(versions.iter().map(|version| version.enabled).collect::<Vec<_>>(), [false, true]);
    assert!(block_on(world.current()).properties.tags.credential_id().unwrap().is_some());
}

/// Two secrets of one application are never rotated at the same time.
#[test]
fn sibling_secrets_never_rotate_at_once() {
    let world = World::with_sibling();
    world.live(Duration::hours(1));
    assert_eq!(world.issued(), 2, "one for each");
}

/// A secret with no room for more tags blocks with `tag_limit` before anything is minted.
#[test]
fn full_tags_block_before_minting() {
    let world = World::new(None);
    retag(&world, |tags| (0..11).for_each(|n| tags.set(&format!("Theirs{n}"), "x")));
    world.live(Duration::days(1));
    assert_eq!(world.last_state(), ("blocked", "tag_limit"));
    assert_eq!(world.issued(), 0);
    assert_eq!(block_on(world.current()).properties.tags.pending_rotation(), Ok(None));
}

#[test]
fn a_wrong_clock_changes_nothing() {
    let world = World::new(None);
    world.skew_clock(Duration::minutes(6));
    world.live(Duration::days(5));
    assert_eq!(world.last_state(), ("blocked", "clock_skew"));
    assert_eq!(world.issued(), 0);
    world.skew_clock(Duration::minutes(4));
    world.live(Duration::days(1));
    assert_eq!(world.issued(), 1);
}

/// An application that does not exist blocks rotation with the reason `application_missing`.
#[test]
fn missing_application_is_reported_by_reason() {
    let world = World::for_application(ApplicationRef::ObjectId(AppObjectId(uuid::Uuid::nil())));
    world.live(Duration::days(1));
    assert_eq!(world.last_state(), ("blocked", "application_missing"));
}
