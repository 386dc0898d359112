//! Several commands for one secret: each is executed in its turn, and each has one end.

use std::sync::Arc;

use rekeyd::domain::CommandKind;
use time::Duration;

use super::seen::{COMPROMISED, current, is_same, quarantined, signs_in, tags_now};
use crate::world::World;

const COMPLETED: &str = "completed";

/// Returns a world with one rotation behind it and its overlap over, so that nothing is due, and nothing is superseded.
fn at_rest() -> Arc<World> {
    let world = World::new(None);
    world.live(Duration::days(20));
    assert_eq!(world.issued(), 1);
    world
}

/// Gives commands at once, in this order, and lets an hour pass.
fn give(world: &Arc<World>, kinds: &[CommandKind]) {
    for kind in kinds {
        world.command(*kind);
    }
    world.live(Duration::hours(1));
}

fn pause(world: &Arc<World>) {
    give(world, &[CommandKind::Pause]);
    assert!(tags_now(world).is_rotation_disabled());
}

/// A resume and a rotate that are given at once to a paused secret both take effect, in either order.
#[test]
fn resume_and_rotate_both_take_effect() {
    for kinds in [[CommandKind::Resume, CommandKind::Rotate], [CommandKind::Rotate, CommandKind::Resume]] {
        let world = at_rest();
        pause(&world);
        give(&world, &kinds);
        assert_eq!((world.issued(), tags_now(&world).is_rotation_disabled()), (2, false), "{kinds:?}");
        assert_eq!(
            world.end_of(CommandKind::Rotate),
            (COMPLETED, "a new credential is published".to_owned())
        );
        assert_eq!(world.end_of(CommandKind::Resume), (COMPLETED, "rotation is not paused".to_owned()));
    }
}

/// A resume that comes a moment after the rotate, from another process, is in time for it.
#[test]
fn late_resume_is_in_time_for_rotate() {
    let world = at_rest();
    pause(&world);
    world.command(CommandKind::Rotate);
    world.command_after(CommandKind::Resume, Duration::seconds(4));
    world.live(Duration::hours(1));
    assert_eq!((world.issued(), world.end_of(CommandKind::Rotate).0), (2, COMPLETED));
}

/// A rotate and a pause given at once: the secret is rotated, and then paused.
#[test]
fn rotate_and_pause_run_in_turn() {
    let world = at_rest();
    give(&world, &[CommandKind::Rotate, CommandKind::Pause]);
    assert_eq!((world.issued(), tags_now(&world).is_rotation_disabled()), (2, true));
    assert_eq!(world.end_of(CommandKind::Rotate).0, COMPLETED);
    assert_eq!(world.end_of(CommandKind::Pause), (COMPLETED, "rotation is paused".to_owned()));
}

/// A rotate and a retire given at once: the secret is rotated, and the retire covers what was superseded before it.
#[test]
fn rotate_and_retire_run_in_turn() {
    let world = World::new(None);
    let first = current(&world);
    world.live(Duration::days(1));
    let second = current(&world);
    give(&world, &[CommandKind::Rotate, CommandKind::Retire]);
    assert_eq!((world.issued(), world.end_of(CommandKind::Rotate).0), (2, COMPLETED));
    let reason = "every credential that was superseded before the command is revoked".to_owned();
    assert_eq!(world.end_of(CommandKind::Retire), (COMPLETED, reason));
    assert!(!signs_in(&world, &first.text));
    assert!(signs_in(&world, &second.text), "it was superseded after the command, and has its overlap");
}

/// A rotate that a rollback follows before a pass began is replaced; a rollback to nothing is rejected.
#[test]
fn rotate_is_replaced_by_failing_rollback() {
    let world = at_rest();
    let before = current(&world);
    give(&world, &[CommandKind::Rotate, CommandKind::Rollback]);
    let replaced = ("replaced", "rollback was requested after it".to_owned());
    assert_eq!(world.end_of(CommandKind::Rotate), replaced);
    let (outcome, reason) = world.end_of(CommandKind::Rollback);
    assert_eq!(outcome, "rejected");
    assert!(reason.starts_with("no older version"), "{reason}");
    assert!(is_same(&current(&world), &before));
    assert_eq!((world.issued(), world.last_state()), (1, ("waiting", "not_due")));
}

/// A rotate that was published is completed, even if a rollback follows before the next pass looks at it.
#[test]
fn published_rotate_stays_completed() {
    let world = at_rest();
    let before = current(&world);
    world.command(CommandKind::Rotate);
    // It is published after three sign-ins, 20 s apart, and the next pass is 20 s later.
    world.command_after(CommandKind::Rollback, Duration::seconds(50));
    world.live(Duration::hours(1));
    assert_eq!(world.end_of(CommandKind::Rotate).0, COMPLETED);
    let reason = "the previous credential is published again".to_owned();
    assert_eq!(world.end_of(CommandKind::Rollback), (COMPLETED, reason));
    assert!(is_same(&current(&world), &before));
}

/// A rollback that is requested after a later rotation rolls that one back, however short ago the last rollback was.
#[test]
fn rollback_after_rotate_is_a_new_one() {
    let world = World::new(None);
    let first = current(&world);
    world.live(Duration::days(1));
    for kind in [CommandKind::Rollback, CommandKind::Rotate, CommandKind::Rollback] {
        world.command(kind);
        world.live(Duration::minutes(2));
        assert_eq!(world.end_of(kind).0, COMPLETED, "{kind:?}");
    }
    assert!(is_same(&current(&world), &first));
    assert_eq!(quarantined(&world), 2);
}

/// A pause takes its turn before a rotate that a missing permission holds up, which is then rejected.
#[test]
fn pause_overtakes_forbidden_rotate() {
    let world = at_rest();
    let daemon = world.direct.model.tenant().daemon.object_id;
    let graph = "https://graph.microsoft.com";
    world.direct.model.set_app_roles(daemon, graph, &["Application.Read.All"]);
    give(&world, &[CommandKind::Rotate]);
    assert_eq!((world.last_state(), world.pending()), (("blocked", "forbidden"), vec![CommandKind::Rotate]));
    world.command(CommandKind::Rotate);
    world.command_after(CommandKind::Retire, Duration::minutes(10));
    world.command_after(CommandKind::Pause, Duration::minutes(20));
    world.live(Duration::hours(1));
    assert!(tags_now(&world).is_rotation_disabled());
    assert_eq!(world.end_of(CommandKind::Pause).0, COMPLETED);
    let (outcome, reason) = world.end_of(CommandKind::Rotate);
    assert!(outcome == "rejected" && reason.contains("resume first"), "{outcome}: {reason}");
    assert_eq!(world.end_of(CommandKind::Retire).0, COMPLETED, "nothing was superseded");
    assert_eq!(
        (world.issued(), world.pending(), world.last_state()),
        (1, vec![], ("waiting", "rotation_disabled"))
    );
}

/// A compromise goes before what was given earlier, and the rest follows it.
#[test]
fn compromise_goes_first() {
    let world = at_rest();
    let leaked = current(&world);
    world.lock_consumers_out();
    world.command(CommandKind::Retire);
    world.command(COMPROMISED);
    world.command_after(CommandKind::Rotate, Duration::seconds(1));
    world.live(Duration::hours(3));
    assert!(!signs_in(&world, &leaked.text));
    for kind in [COMPROMISED, CommandKind::Retire, CommandKind::Rotate] {
        assert_eq!(world.end_of(kind).0, COMPLETED, "{kind:?}");
    }
    assert_eq!(
        world.issued(),
        2,
        "the successor of the leaked credential is the rotation that was asked for"
    );
}
