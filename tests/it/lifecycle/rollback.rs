//! Rollback, pause, resume, rotate and retire: a person's command
//! is carried out once, and no consumer is locked out by it.

use rekeyd::domain::tags::{self, QuarantineReason};
use rekeyd::domain::{CommandKind, PolicyValues};
use time::Duration;

use super::seen::{
    ask, block_on, current, enabled, is_listed, is_same, issue, publish_again, quarantined, remove, signs_in,
    tags_now,
};
use crate::world::{World, policy_values};

/// A rollback makes the previous text current and quarantines the bad one, which is retired after its overlap.
#[test]
fn rollback_restores_previous_and_quarantines_bad() {
    let world = World::new(None);
    let previous = current(&world);
    world.live(Duration::days(1));
    let bad = current(&world);
    ask(&world, CommandKind::Rollback, Duration::hours(1));
    assert!(is_same(&current(&world), &previous));
    assert!(tags_now(&world).is_rolled_back());
    let versions = block_on(world.versions());
    let of_bad =
        versions.iter().find(|version| version.tags.credential_id() == Ok(Some(bad.key_id))).unwrap();
    let quarantine = of_bad.tags.quarantine().unwrap().unwrap();
    assert_eq!(quarantine.reason, QuarantineReason::Rollback);
    assert!(signs_in(&world, &bad.text), "its consumers still have the overlap");
    world.live(Duration::days(9));
    assert!(!is_listed(&world, bad.key_id), "the bad one is retired after its overlap");
    assert_eq!((world.issued(), enabled(&world)), (1, 2), "both versions of the previous text");
}

/// A rollback holds back scheduled rotation until the current credential is urgently due.
#[test]
fn rollback_holds_schedule_until_urgent() {
    let world = World::new(None);
    let end = block_on(world.application()).credentials[0].end;
    world.live(Duration::days(1));
    ask(&world, CommandKind::Rollback, Duration::hours(1));
    world.live_until(end - Duration::days(8));
    assert_eq!(world.issued(), 1, "it is due, and a person went back to it");
    world.live_until(end - Duration::days(1));
    assert_eq!(world.issued(), 2, "consumers would be locked out soon");
    assert!(!tags_now(&world).is_rolled_back());
}

/// A rollback to a text that expires soon is followed by exactly one successor.
#[test]
fn rollback_near_expiry_mints_one_successor() {
    let values = PolicyValues { urgent_before: Duration::days(59), ..policy_values() };
    let world = World::with_policy(values);
    world.live(Duration::days(2));
    assert_eq!(world.issued(), 1);
    ask(&world, CommandKind::Rollback, Duration::hours(12));
    assert_eq!(world.issued(), 2, "nothing mints in a loop");
    assert_eq!(block_on(world.versions()).len(), 4, "the first, the bad one, the first again, its successor");
}

/// A rotate command ends a rollback, and the quarantined version stays quarantined.
#[test]
fn rotate_command_ends_a_rollback() {
    let world = World::new(None);
    world.live(Duration::days(1));
    ask(&world, CommandKind::Rollback, Duration::hours(1));
    ask(&world, CommandKind::Rotate, Duration::hours(1));
    assert_eq!(world.issued(), 2);
    assert!(!tags_now(&world).is_rolled_back());
    assert_eq!(quarantined(&world), 1, "a quarantined version stays quarantined");
}

/// A rollback with no earlier credential to return to is rejected, blocks nothing and changes nothing.
#[test]
fn rollback_without_previous_changes_nothing() {
    let world = World::new(None);
    world.live(Duration::days(20));
    let before = (current(&world), block_on(world.versions()));
    ask(&world, CommandKind::Rollback, Duration::seconds(2));
    assert_eq!(world.last_command(), ("rollback", "rejected"));
    assert_eq!(world.last_state(), ("waiting", "not_due"), "nothing is wrong with the secret");
    world.live(Duration::days(1));
    assert!(is_same(&current(&world), &before.0));
    assert_eq!(block_on(world.versions()), before.1);
}

/// A second rollback an hour later goes one version further back, while one within minutes of the first does nothing.
#[test]
fn second_rollback_goes_one_further_back() {
    let world = World::new(None);
    let first = current(&world);
    world.live(Duration::days(1));
    let second = current(&world);
    ask(&world, CommandKind::Rotate, Duration::days(1));
    ask(&world, CommandKind::Rollback, Duration::minutes(5));
    ask(&world, CommandKind::Rollback, Duration::hours(1));
    assert!(is_same(&current(&world), &second), "two commands roll back once");
    ask(&world, CommandKind::Rollback, Duration::hours(1));
    assert!(is_same(&current(&world), &first));
    ask(&world, CommandKind::Rollback, Duration::seconds(2));
    assert_eq!(world.last_command(), ("rollback", "rejected"));
    assert_eq!(world.last_state(), ("waiting", "rolled_back"));
    assert!(is_same(&current(&world), &first));
    assert_eq!(quarantined(&world), 2);
}

/// A quarantined text is never published again, even if a second
/// version without a mark holds it: a person wrote it there.
#[test]
fn quarantined_text_is_never_republished() {
    let world = World::new(None);
    let good = current(&world);
    world.live(Duration::days(1));
    publish_again(&world);
    let bad = current(&world);
    ask(&world, CommandKind::Rollback, Duration::hours(1));
    assert!(is_same(&current(&world), &good));
    world.lock_consumers_out();
    remove(&world, good.key_id);
    world.live(Duration::hours(1));
    let now = current(&world);
    assert!(!is_same(&now, &bad), "the bad text is back");
    assert!(signs_in(&world, &now.text));
    assert_eq!(world.issued(), 2);
}

#[test]
fn a_rollback_reaches_the_replica() {
    let world = World::with_replica();
    let previous = current(&world);
    world.live(Duration::days(1));
    ask(&world, CommandKind::Rollback, Duration::hours(1));
    assert!(is_same(&super::seen::current_of(&world, world.replica()), &previous));
}

/// A paused secret is not rotated, even when it is due, until it is resumed.
#[test]
fn paused_secret_rotates_only_once_resumed() {
    let world = World::new(None);
    let end = block_on(world.application()).credentials[0].end;
    ask(&world, CommandKind::Pause, Duration::hours(1));
    assert!(tags_now(&world).is_rotation_disabled());
    world.live_until(end - Duration::days(3));
    assert_eq!((world.issued(), world.last_state()), (0, ("waiting", "rotation_disabled")));
    ask(&world, CommandKind::Resume, Duration::hours(2));
    assert!(!tags_now(&world).is_rotation_disabled());
    assert_eq!(world.issued(), 1);
}

/// A retire command revokes the superseded credential and disables its version without waiting for the overlap.
#[test]
fn retire_command_does_not_await_overlap() {
    let world = World::new(None);
    // Made by hand: nothing but its own text proves that it belongs to this secret.
    let first = current(&world);
    let colleague = issue(&world, "made by a colleague");
    world.live(Duration::days(1));
    let second = current(&world);
    ask(&world, CommandKind::Retire, Duration::hours(1));
    assert!(!signs_in(&world, &first.text), "the overlap was not waited for");
    assert_eq!((enabled(&world), signs_in(&world, &second.text)), (1, true));
    assert!(is_listed(&world, colleague.key_id));
    ask(&world, CommandKind::Rotate, Duration::hours(1));
    ask(&world, CommandKind::Retire, Duration::hours(1));
    assert!(!signs_in(&world, &second.text), "a credential with our marker is retired, too");
    assert_eq!(enabled(&world), 1);
    world.live(Duration::days(8));
    assert!(tags_now(&world).value(tags::SUPERSEDED_CREDENTIAL_ID).is_none());
    assert!(is_listed(&world, colleague.key_id));
}

/// A retire command never revokes the credential that consumers currently read.
#[test]
fn retire_command_spares_the_current_credential() {
    let world = World::new(None);
    ask(&world, CommandKind::Pause, Duration::hours(1));
    ask(&world, CommandKind::Resume, Duration::ZERO);
    let before = current(&world);
    ask(&world, CommandKind::Retire, Duration::minutes(1));
    assert!(signs_in(&world, &before.text));
    world.live(Duration::days(2));
    assert_eq!(world.issued(), 1);
}
