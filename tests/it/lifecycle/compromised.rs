//! Compromised: every older text is refused in the end, in any
//! situation, and every consumer that reads the current one signs in.

use rekeyd::domain::tags::{self, Quarantine, QuarantineReason};
use rekeyd::domain::{CommandKind, Marker, PolicyValues, UsageGate};
use rekeyd::ports::SecretStore;
use secrecy::ExposeSecret;
use time::Duration;

use super::seen::{
    ALL_COMPROMISED, COMPROMISED, Held, ask, block_on, current, current_of, enabled, is_listed, is_same,
    issue, put_like, quarantined, remove, retag, signs_in, tags_now,
};
use crate::world::{Interference, START, World, policy_values};

/// A compromise revokes every older text at once and keeps the credentials that others made.
#[test]
fn every_older_text_is_refused_at_once() {
    let world = World::new(None);
    let first = current(&world);
    world.live(Duration::days(1));
    let second = current(&world);
    let rotation = "00000000deadbeef".parse().unwrap();
    let orphan = issue(&world, &Marker::of(&world.secret).display_name(&rotation));
    let colleague = issue(&world, "made by a colleague");
    // The remains of earlier attempts hold the next one up for an hour.
    ask(&world, COMPROMISED, Duration::hours(2));
    for old in [&first.text, &second.text, &orphan.secret_text] {
        assert!(!signs_in(&world, old));
    }
    let now = current(&world);
    assert!(signs_in(&world, &now.text) && signs_in(&world, &colleague.secret_text));
    assert_eq!((world.issued(), enabled(&world), quarantined(&world)), (2 + 2, 1, 1));
    assert!(tags_now(&world).quarantine().unwrap().is_none());
}

/// A second compromise is completed only by another credential than the one that completed the first.
#[test]
fn second_compromise_needs_another_credential() {
    let world = World::new(None);
    ask(&world, COMPROMISED, Duration::minutes(1));
    world.command(COMPROMISED);
    world.live(Duration::hours(1));
    let between = current(&world);
    ask(&world, COMPROMISED, Duration::hours(1));
    let last = current(&world);
    assert!(!is_same(&between, &last) && !signs_in(&world, &between.text));
    assert_eq!(block_on(world.application()).credentials.len(), 1);
}

/// A paused secret that is compromised is rotated once and stays paused.
#[test]
fn compromised_paused_secret_stays_paused() {
    let world = World::new(None);
    let old = current(&world);
    ask(&world, CommandKind::Pause, Duration::hours(1));
    ask(&world, COMPROMISED, Duration::hours(1));
    assert!(!signs_in(&world, &old.text));
    assert!(tags_now(&world).is_rotation_disabled());
    assert_eq!((world.issued(), enabled(&world)), (1, 1));
    world.live(Duration::days(30));
    assert_eq!(world.issued(), 1);
}

/// A text older than the compromise is revoked. The person who
/// found the leak removed the credential first, as people do.
#[test]
fn text_older_than_compromise_is_revoked() {
    let world = World::new(None);
    let first = current(&world);
    world.live(Duration::days(1));
    world.lock_consumers_out();
    remove(&world, current(&world).key_id);
    ask(&world, COMPROMISED, Duration::hours(3));
    assert!(!is_same(&current(&world), &first), "a version published in between does not count");
    assert!(!signs_in(&world, &first.text), "the compromised text gets no overlap");
    assert!(signs_in(&world, &current(&world).text));
}

/// A compromised credential is revoked even if the usage gate kept it because it is still in use.
#[test]
fn credential_in_use_is_not_spared() {
    let world = World::with_policy(PolicyValues { usage_gate: UsageGate::Report, ..policy_values() });
    // Its name belongs to no secret: its own text has to prove the owner.
    let first = current(&world);
    world.live(Duration::days(1));
    // A consumer never moves over, so that the gate keeps the old one.
    for _ in 0..12 {
        world.live(Duration::DAY);
        assert!(signs_in(&world, &first.text));
    }
    ask(&world, COMPROMISED, Duration::hours(1));
    assert!(!signs_in(&world, &first.text));
    assert_eq!(enabled(&world), 1);
}

/// With `all_credentials`, others' credentials are revoked too, but never the one that a sibling's consumers read.
#[test]
fn all_credentials_spares_sibling_consumers() {
    let world = World::with_sibling();
    world.live(Duration::hours(2));
    let siblings = current_of(&world, world.sibling());
    let colleague = issue(&world, "made by a colleague");
    ask(&world, COMPROMISED, Duration::hours(1));
    assert!(
        signs_in(&world, &colleague.secret_text),
        "the colleague's credential was not part of the command"
    );
    assert!(is_same(&current_of(&world, world.sibling()), &siblings));
    ask(&world, ALL_COMPROMISED, Duration::hours(2));
    assert!(!signs_in(&world, &colleague.secret_text));
    assert!(!signs_in(&world, &siblings.text), "the command is passed on to the sibling");
    for secret in [&world.secret, world.sibling()] {
        assert!(signs_in(&world, &current_of(&world, secret).text), "{secret}");
    }
}

/// A tag alone, without a command, gets no credential that others made revoked.
#[test]
fn tag_alone_revokes_no_foreign_credential() {
    let world = World::new(None);
    world.live(Duration::days(1));
    let colleague = issue(&world, "made by a colleague");
    let at = world.now();
    retag(&world, |tags| {
        let quarantine = Quarantine { reason: QuarantineReason::Compromised, at };
        tags.set(tags::QUARANTINED, format!("{quarantine} all"));
    });
    world.live(Duration::days(1));
    retag(&world, |tags| {
        tags.set(tags::QUARANTINED, Quarantine { reason: QuarantineReason::Compromised, at });
        tags.set(tags::SUPERSEDED_CREDENTIAL_ID, colleague.key_id);
    });
    world.live(Duration::days(20));
    assert!(is_listed(&world, colleague.key_id));
    assert!(signs_in(&world, &current(&world).text));
}

/// A quarantine mark from the far future revokes no credential that consumers read and mints only one.
#[test]
fn future_mark_mints_only_once() {
    let world = World::new(None);
    world.live(Duration::days(1));
    let at = world.now() + Duration::days(30_000);
    retag(&world, |tags| {
        tags.set(tags::QUARANTINED, Quarantine { reason: QuarantineReason::Compromised, at });
    });
    world.live(Duration::days(30));
    assert_eq!(world.issued(), 2, "one that was due, one for the mark");
}

/// On a compromise, the replica's consumers get the new text before the old one is revoked.
#[test]
fn replica_consumers_move_before_revocation() {
    let world = World::with_replica();
    world.live(Duration::days(1));
    let old = current(&world);
    ask(&world, COMPROMISED, Duration::hours(1));
    assert!(!signs_in(&world, &old.text));
    assert!(is_same(&current_of(&world, world.replica()), &current(&world)));
}

/// The old text of a replica that can't be written in time is revoked all the same, and the replica is repaired
/// although nothing else is done.
#[test]
fn locked_out_paused_replica_is_repaired() {
    for point in 0.. {
        let world = World::with_replica();
        world.live(Duration::days(1));
        ask(&world, CommandKind::Pause, Duration::hours(1));
        world.lock_consumers_out();
        world.interfere_at(point, Interference::NotSent);
        ask(&world, COMPROMISED, Duration::days(6));
        assert!(is_same(&current_of(&world, world.replica()), &current(&world)), "point {point}");
        assert!(tags_now(&world).is_rotation_disabled());
        if !world.has_interfered() && point.is_multiple_of(2) {
            assert!(point > 50, "only {point} points");
            return;
        }
    }
}

/// Key Vault has no conditional writes, so two gaps stay: between the read and the note that follows it, in which the
/// mark is lost, and between the last read and the `PUT` that follows it.
#[test]
fn credential_older_than_mark_is_insufficient() {
    let mut met = Vec::new();
    for point in 0.. {
        let world = World::new(None);
        world.interfere_at(point, Interference::PersonMarks);
        world.live_until(START + Duration::hours(4));
        if !world.has_interfered() {
            assert!(point > 30, "only {point} points");
            break;
        }
        // The next pass finds the mark.
        world.live(Duration::hours(1));
        let versions = block_on(world.versions());
        let marks = versions.iter().filter_map(|version| version.tags.quarantine().unwrap());
        let marked = marks.map(|mark| mark.at).max().unwrap_or(world.now());
        let key_id = current(&world).key_id;
        let credentials = block_on(world.application()).credentials;
        let made = credentials.iter().find(|listed| listed.key_id == key_id).unwrap().start;
        if made < marked {
            met.push(point);
        }
    }
    let gap = |read: usize, write: usize| read % 2 == 1 && write == read + 1;
    assert!(
        matches!(met.as_slice(), [read, note, again, put] if gap(*read, *note) && gap(*again, *put)),
        "{met:?}"
    );
}

/// Writes the text of the secret into its sibling too: two secrets may have been given the same text by hand.
fn shared_by_hand(world: &World) -> Held {
    let mut like = block_on(world.current());
    // The sibling's passes find out by themselves which credential it is.
    like.properties.tags.remove(tags::CREDENTIAL_ID);
    let text = like.value.clone();
    put_like(world, world.sibling(), &like, &text);
    let key_id = current(world).key_id;
    Held { key_id, text }
}

/// A compromised credential is replaced in every secret that holds it.
#[test]
fn shared_credential_is_compromised_for_all() {
    let world = World::with_sibling();
    let shared = shared_by_hand(&world);
    pause_sibling(&world);
    world.live(Duration::days(1));
    assert!(current_of_sibling(&world).expose_secret() == shared.text.expose_secret());
    ask(&world, COMPROMISED, Duration::hours(3));
    assert!(!signs_in(&world, &shared.text));
    for text in [current(&world).text, current_of_sibling(&world)] {
        assert!(signs_in(&world, &text));
    }
}

/// A credential that a paused sibling still reads is not retired.
#[test]
fn credential_read_by_sibling_is_not_retired() {
    let world = World::with_sibling();
    let shared = shared_by_hand(&world);
    pause_sibling(&world);
    world.live(Duration::days(20));
    assert!(!is_same(&current(&world), &shared), "ours was due");
    assert!(signs_in(&world, &current_of_sibling(&world)), "the sibling's consumers are locked out");
}

fn pause_sibling(world: &World) {
    block_on(async {
        let rekeyd::ports::CurrentVersion::Readable(read) =
            world.direct.read_current(world.sibling()).await.unwrap()
        else {
            panic!("the sibling can't be read")
        };
        let mut after = read.properties.tags;
        after.set(tags::ROTATION_DISABLED, "true");
        world.direct.replace_tags(world.sibling(), &read.properties.version, &after).await.unwrap();
    });
}

fn current_of_sibling(world: &World) -> secrecy::SecretString {
    let rekeyd::ports::CurrentVersion::Readable(read) =
        block_on(world.direct.read_current(world.sibling())).unwrap()
    else {
        panic!("the sibling can't be read")
    };
    read.value
}
