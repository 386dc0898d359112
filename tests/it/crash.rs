//! Crash-safety: whatever happens between any two effects, consumers sign in and nothing is left over.

use std::sync::Arc;

use time::Duration;

use super::world::{Interference, START, World};

/// The length of a life, long enough for two rotations and both retirements: the first credential is due at once, its
/// successor after 80 days; the last 13 days are for the second one's overlap, back-off and orphans.
const LIFE: Duration = Duration::days(100);

/// An undisturbed life of 100 days has two rotations and leaves no old credential, version or note behind.
#[test]
fn undisturbed_life_leaves_nothing_behind() {
    let world = World::new(None);
    world.live_until(START + LIFE);
    assert_eq!(world.issued(), 2);
    assert_clean(&world);
}

/// A process that stops at any point of a rotation locks no consumer out and leaves nothing behind.
#[test]
fn stopped_process_locks_no_consumer_out() {
    let points = interfere_at_every_point(Interference::Stop, 3);
    assert!(points > 100, "only {points} points");
}

/// A process that stalls for a day at any point publishes no dead credential and locks no consumer out.
#[test]
fn stalled_process_publishes_nothing_dead() {
    interfere_at_every_point(Interference::Stall, 4);
}

/// Another instance that interferes at any point of a rotation locks no consumer out.
#[test]
fn second_instance_locks_no_consumer_out() {
    interfere_at_every_point(Interference::OtherInstance, 4);
}

/// A call that is not sent, at any point of a rotation, locks no consumer out.
#[test]
fn unsent_call_locks_no_consumer_out() {
    interfere_at_every_point(Interference::NotSent, 3);
}

/// A call that is throttled, at any point of a rotation, locks no consumer out.
#[test]
fn throttled_call_locks_no_consumer_out() {
    interfere_at_every_point(Interference::Throttled, 3);
}

/// A reply that is lost, at any point of a rotation, locks no consumer out.
#[test]
fn lost_reply_locks_no_consumer_out() {
    interfere_at_every_point(Interference::LostReply, 3);
}

/// If two instances find the same secret due, the one that notes it first rotates. One gap stays: between the read and
/// the note that follows it.
#[test]
fn first_noted_rotation_wins() {
    let mut overruled = Vec::new();
    for point in 0.. {
        let world = World::new(Some((point, Interference::OtherNotes)));
        world.live_until(START + Duration::minutes(30));
        if !world.has_interfered() {
            break;
        }
        if world.issued() > 0 {
            overruled.push(point);
        }
    }
    // After the effect of the read, before the effect of the note.
    assert!(
        matches!(overruled.as_slice(), [read, note] if read % 2 == 1 && *note == read + 1),
        "{overruled:?}"
    );
}

/// Key Vault has no conditional writes, so one gap stays: between the last read and the `PUT` that follows it.
#[test]
fn manual_publication_survives_a_rotation() {
    let mut overruled = Vec::new();
    for point in 0.. {
        let world = World::new(Some((point, Interference::PersonPublishes)));
        world.live_until(START + Duration::hours(3));
        if !world.has_interfered() {
            assert!(point > 30, "only {point} points");
            break;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let current = runtime.block_on(world.current()).properties;
        if current.tags.rotation_id() != Ok(None) {
            overruled.push(point);
        }
    }
    // After the effect of the read, before the effect of the `PUT`.
    assert!(
        matches!(overruled.as_slice(), [read, put] if read % 2 == 1 && *put == read + 1),
        "{overruled:?}"
    );
}

/// One gap stays here too: between the last read and the revocation that follows it.
#[test]
fn manual_return_keeps_the_old_credential() {
    let mut locked_out = Vec::new();
    for point in 0.. {
        let world = World::new(Some((point, Interference::PersonGoesBack)));
        let life = || world.live_until(START + Duration::days(20));
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(life)).is_err() {
            locked_out.push(point);
        }
        if !world.has_interfered() {
            assert!(point > 50, "only {point} points");
            break;
        }
    }
    // After the effect of the read, before the effect of the revocation.
    assert!(
        matches!(locked_out.as_slice(), [read, revoke] if read % 2 == 1 && *revoke == read + 1),
        "{locked_out:?}"
    );
}

/// A publication with a lost reply is found to have succeeded and is not repeated.
#[test]
fn lost_publication_reply_is_resolved() {
    let world = World::new(None);
    world.lose_next_put(Duration::ZERO);
    world.live_until(START + Duration::hours(1));
    assert_eq!(world.last_outcome(), Some(("issue", "success")));
    assert_eq!(world.issued(), 1);
}

/// A credential that may have been published is not revoked while the vault cannot be read.
#[test]
fn possible_publication_is_not_revoked() {
    let world = World::new(None);
    world.lose_next_put(Duration::hours(2));
    world.live_until(START + Duration::hours(1));
    assert_eq!(world.last_outcome(), Some(("issue", "unknown")));
    world.live_until(START + LIFE);
    assert_eq!(world.issued(), 2);
    assert_clean(&world);
}

/// Runs one life for each point. The promise itself is checked by the world, after every call.
fn interfere_at_every_point(how: Interference, most_issued: u64) -> usize {
    for point in 0.. {
        let world = World::new(Some((point, how)));
        world.live_until(START + LIFE);
        let issued = world.issued();
        assert!((2..=most_issued).contains(&issued), "{how:?} at point {point}: {issued} issued");
        assert_clean(&world);
        if !world.has_interfered() && !may_be_skipped(point, how) {
            return point;
        }
    }
    unreachable!("a life has finitely many points")
}

/// Returns true if this interference can't happen at this point:
/// some happen only before a call's effect, others only after.
fn may_be_skipped(point: usize, how: Interference) -> bool {
    match how {
        Interference::Stop
        | Interference::OtherInstance
        | Interference::OtherNotes
        | Interference::PersonPublishes
        | Interference::PersonGoesBack
        | Interference::PersonMarks => false,
        Interference::Stall | Interference::LostReply => point.is_multiple_of(2),
        Interference::NotSent | Interference::Throttled => !point.is_multiple_of(2),
    }
}

/// Asserts that there is one credential, one readable version, and no note about a rotation in progress.
fn assert_clean(world: &Arc<World>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let application = world.application().await;
        assert_eq!(application.credentials.len(), 1, "{:?}", application.credentials);
        let current = world.current().await.properties;
        let named = current.tags.credential_id().unwrap();
        assert_eq!(named, Some(application.credentials[0].key_id));
        assert_eq!(current.tags.pending_rotation(), Ok(None));
        assert!(current.tags.superseded().unwrap().is_empty());
        assert!(current.tags.value("Team").is_some(), "a tag that is not ours is lost");
        assert_eq!(world.versions().await.iter().filter(|version| version.enabled).count(), 1);
    });
}
