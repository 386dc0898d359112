//! Commands that are interrupted at every call: consumers can always sign in, and a repeated command is completed.

use std::sync::Arc;

use rekeyd::domain::CommandKind;
use rekeyd::domain::tags;
use time::Duration;

use super::seen::{
    COMPROMISED, Held, ask, current, current_of, enabled, is_listed, is_same, issue, publish_again,
    quarantined, retag, signs_in, tags_now,
};
use crate::world::{Interference, World};

/// A command, the world it is given in, and the conditions that hold in the end.
struct Commanded {
    world: fn() -> Arc<World>,
    kind: CommandKind,
    /// The conditions that hold once the command is completed, whether it was given once or again.
    met: fn(&World, &Before),
    /// The largest number of credentials that may be issued, from the command on.
    most_issued: u64,
}

/// The state before the command.
struct Before {
    previous: Held,
    current: Held,
    colleague: rekeyd::ports::IssuedCredential,
}

/// Returns a world in which one rotation is over, and its overlap is not.
fn rotated(world: Arc<World>) -> (Arc<World>, Before) {
    let previous = current(&world);
    let colleague = issue(&world, "made by a colleague");
    world.live(Duration::hours(12));
    let current = current(&world);
    (world, Before { previous, current, colleague })
}

/// Runs one life for each point. The promise itself is checked by the world, after every call.
fn interrupted_at_every_point(commanded: &Commanded, how: Interference) {
    for point in 0.. {
        let (world, before) = rotated((commanded.world)());
        let issued = world.issued();
        world.interfere_at(point, how);
        ask(&world, commanded.kind, long_enough(how));
        let reached = world.has_interfered();
        // The person sees that the process is gone, and gives the command again.
        ask(&world, commanded.kind, Duration::hours(5));
        (commanded.met)(&world, &before);
        let more = world.issued() - issued;
        assert!(more <= commanded.most_issued, "{how:?} at point {point}: {more} issued");
        assert!(is_listed(&world, before.colleague.key_id), "{how:?} at point {point}");
        if !reached && (how != Interference::Stall || !point.is_multiple_of(2)) {
            assert!(point > 10, "only {point} points");
            return;
        }
    }
}

/// Returns the time needed for the interference, and to finish the work that was begun.
fn long_enough(how: Interference) -> Duration {
    if how == Interference::Stall { Duration::hours(30) } else { Duration::hours(3) }
}

const ROLLBACK: Commanded =
    Commanded { world: || World::new(None), kind: CommandKind::Rollback, met: rolled_back, most_issued: 0 };

fn rolled_back(world: &World, before: &Before) {
    assert!(is_same(&current(world), &before.previous));
    assert!(tags_now(world).is_rolled_back());
    assert_eq!(quarantined(world), 1);
}

/// A rollback during which the process stops at any point is finished and locks no consumer out.
#[test]
fn rollback_survives_a_stopped_process() {
    interrupted_at_every_point(&ROLLBACK, Interference::Stop);
}

/// A rollback during which the process stalls at any point is finished and locks no consumer out.
#[test]
fn rollback_survives_a_stalled_process() {
    interrupted_at_every_point(&ROLLBACK, Interference::Stall);
}

/// A rollback beside another instance is finished and locks no consumer out.
#[test]
fn rollback_survives_a_second_instance() {
    interrupted_at_every_point(&ROLLBACK, Interference::OtherInstance);
}

const COMPROMISE: Commanded =
    Commanded { world: World::with_replica, kind: COMPROMISED, met: all_refused, most_issued: 4 };

fn all_refused(world: &World, before: &Before) {
    for old in [&before.previous, &before.current] {
        assert!(!signs_in(world, &old.text));
    }
    assert_eq!(enabled(world), 1);
    assert!(is_same(&current(world), &current_of(world, world.replica())));
}

/// A compromise during which the process stops at any point is finished and locks no consumer out.
#[test]
fn compromise_survives_a_stopped_process() {
    interrupted_at_every_point(&COMPROMISE, Interference::Stop);
}

/// A compromise during which the process stalls at any point is finished and locks no consumer out.
#[test]
fn compromise_survives_a_stalled_process() {
    interrupted_at_every_point(&COMPROMISE, Interference::Stall);
}

/// A compromise beside another instance is finished and locks no consumer out.
#[test]
fn compromise_survives_a_second_instance() {
    interrupted_at_every_point(&COMPROMISE, Interference::OtherInstance);
}

const RETIREMENT: Commanded =
    Commanded { world: World::with_replica, kind: CommandKind::Retire, met: retired, most_issued: 0 };

fn retired(world: &World, before: &Before) {
    assert!(!signs_in(world, &before.previous.text));
    assert!(is_same(&current(world), &before.current));
    assert!(is_same(&current_of(world, world.replica()), &before.current));
}

/// A retirement during which the process stops at any point is finished and locks no consumer out.
#[test]
fn retirement_survives_a_stopped_process() {
    interrupted_at_every_point(&RETIREMENT, Interference::Stop);
}

/// A retirement during which the process stalls at any point is finished and locks no consumer out.
#[test]
fn retirement_survives_a_stalled_process() {
    interrupted_at_every_point(&RETIREMENT, Interference::Stall);
}

/// A retirement beside another instance is finished and locks no consumer out.
#[test]
fn retirement_survives_a_second_instance() {
    interrupted_at_every_point(&RETIREMENT, Interference::OtherInstance);
}

/// Creates a world whose current version was published by a person,
/// without the id of its credential, and whose replica lacks it.
fn unadopted() -> (Arc<World>, Before) {
    let (world, before) = rotated(World::with_replica());
    retag(&world, |tags| tags.remove(tags::CREDENTIAL_ID));
    publish_again(&world);
    (world, before)
}

fn adopted_and_copied_whatever(how: Interference) {
    for point in 0.. {
        let (world, before) = unadopted();
        let issued = world.issued();
        world.interfere_at(point, how);
        world.live(long_enough(how));
        world.live(Duration::hours(2));
        assert!(is_same(&current(&world), &before.current));
        assert!(is_same(&current_of(&world, world.replica()), &before.current));
        assert_eq!(world.issued(), issued);
        assert!(is_listed(&world, before.colleague.key_id));
        if !world.has_interfered() && (how != Interference::Stall || !point.is_multiple_of(2)) {
            assert!(point > 10, "only {point} points");
            return;
        }
    }
}

/// An adoption and a copy to the replica are completed even if the process stops at any point.
#[test]
fn adoption_survives_a_stopped_process() {
    adopted_and_copied_whatever(Interference::Stop);
}

/// An adoption and a copy to the replica are completed even if the process stalls at any point.
#[test]
fn adoption_survives_a_stalled_process() {
    adopted_and_copied_whatever(Interference::Stall);
}

/// An adoption and a copy to the replica beside another instance are completed without a new credential.
#[test]
fn adoption_survives_a_second_instance() {
    adopted_and_copied_whatever(Interference::OtherInstance);
}
