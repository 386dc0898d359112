//! Commands that can't be done: each ends as rejected with the way out, and nothing is wrong with the secret.

use std::sync::Arc;

use rekeyd::domain::CommandKind;
use time::Duration;

use super::seen::{COMPROMISED, ask, block_on, current, is_same, quarantined, tags_now};
use crate::world::World;

/// Checks that a rejection left the secret as it was: not blocked, no person asked for, nothing issued.
fn assert_untouched(world: &Arc<World>, state: (&'static str, &'static str), issued: u64) {
    assert_eq!((world.last_state(), world.needs_person()), (state, false));
    assert_eq!((world.blocked_passes(), world.issued(), quarantined(world)), (0, issued, 0));
}

/// A rollback without a version to roll back to is rejected; the secret keeps its state, and no one is paged.
#[test]
fn rollback_to_nothing_pages_no_one() {
    let world = World::new(None);
    world.live(Duration::days(20));
    let before = (current(&world), block_on(world.versions()));
    ask(&world, CommandKind::Rollback, Duration::hours(1));
    let reason = format!(
        "no older version holds a credential of rekeyd that still signs in: run `rekeyd rotate {}` instead",
        world.secret
    );
    assert_eq!(world.end_of(CommandKind::Rollback), ("rejected", reason));
    assert_untouched(&world, ("waiting", "not_due"), 1);
    assert!(is_same(&current(&world), &before.0));
    assert_eq!(block_on(world.versions()), before.1);
}

/// A rotate, a rollback and a retire on a paused secret are rejected, with the command that resumes it.
#[test]
fn paused_secret_takes_no_changes() {
    for kind in [CommandKind::Rotate, CommandKind::Rollback, CommandKind::Retire] {
        let world = World::new(None);
        world.live(Duration::days(1));
        ask(&world, CommandKind::Pause, Duration::hours(1));
        ask(&world, kind, Duration::hours(1));
        let reason = format!(
            "rotation is paused (tag RotationDisabled): resume first (`rekeyd resume {}`)",
            world.secret
        );
        assert_eq!(world.end_of(kind), ("rejected", reason), "{kind:?}");
        assert_untouched(&world, ("waiting", "rotation_disabled"), 1);
    }
}

/// A rotate that a recent rotation completes is completed, although the secret was paused since.
#[test]
fn completed_rotate_is_not_rejected() {
    let world = World::new(None);
    world.live(Duration::minutes(3));
    assert_eq!(world.issued(), 1);
    ask(&world, CommandKind::Pause, Duration::minutes(1));
    ask(&world, CommandKind::Rotate, Duration::minutes(1));
    assert_eq!((world.end_of(CommandKind::Rotate).0, world.issued()), ("completed", 1));
    assert!(tags_now(&world).is_rotation_disabled());
}

/// A compromise outranks a pause.
#[test]
fn compromise_outranks_pause() {
    let world = World::new(None);
    world.live(Duration::days(1));
    ask(&world, CommandKind::Pause, Duration::hours(1));
    world.lock_consumers_out();
    ask(&world, COMPROMISED, Duration::hours(2));
    assert_eq!((world.end_of(COMPROMISED).0, world.issued()), ("completed", 2));
}

/// A retire is rejected if another secret of the application is never read, because that one may hold the credential.
#[test]
fn retire_needs_known_siblings() {
    let world = World::with_unread_sibling();
    world.live(Duration::days(1));
    ask(&world, CommandKind::Retire, Duration::minutes(4));
    assert_eq!(world.pending(), [CommandKind::Retire], "the sibling may still be read");
    ask(&world, CommandKind::Retire, Duration::minutes(10));
    let (outcome, reason) = world.end_of(CommandKind::Retire);
    assert!(outcome == "rejected" && reason.contains("has not been read yet"), "{outcome}: {reason}");
    assert_eq!((world.blocked_passes(), world.needs_person()), (0, false));
}
