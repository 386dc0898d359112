#![expect(clippy::unwrap_used, reason = "a test may fail")]

use time::macros::datetime;
use uuid::Uuid;

use super::*;
use crate::domain::command::{Command, CommandKind};
use crate::domain::decision::Action;
use crate::domain::observed::{CredentialFacts, Current, CurrentSignIn};
use crate::domain::observed::{SignInProblem, VersionFacts};
use crate::domain::policy_values::PolicyValues;
use crate::domain::reasons::{BlockReason, IssueReason, RepublishReason, RevokeReason, WaitReason};
use crate::domain::tags::{self, PendingRotation, Tags};
use crate::domain::{KeyId, RotationId};

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-22 12:00 UTC);

pub(super) fn policy() -> RotationPolicy {
    RotationPolicy::try_new(PolicyValues::default()).unwrap()
}

pub(super) fn key(number: u128) -> KeyId {
    KeyId(Uuid::from_u128(number))
}

pub(super) fn rotation() -> RotationId {
    "0123456789abcdef".parse().unwrap()
}

/// Returns a credential with a lifetime of 90 days that is `age` old and bears our marker.
pub(super) fn credential(number: u128, age: Duration) -> CredentialFacts {
    let start = NOW - age;
    let rotation = Some(rotation());
    CredentialFacts {
        key_id: key(number),
        rotation,
        is_of_other_secret: false,
        start,
        end: start + Duration::days(90),
        may_be_current_text: false,
    }
}

/// Returns a version of the credential `number` that is `age` old and was made by a rotation.
pub(super) fn version(number: u128, age: Duration) -> VersionFacts {
    let mut tags = Tags::default();
    tags.set(tags::CREDENTIAL_ID, key(number));
    tags.set(tags::ROTATION_ID, rotation());
    let version = format!("{number:032x}").parse().unwrap();
    VersionFacts { version, enabled: true, created: NOW - age, tags, proven: None, refused: false }
}

/// Returns a secret with these versions (the last one current) and credentials, which signs in.
pub(super) fn seen(versions: Vec<VersionFacts>, credentials: Vec<CredentialFacts>) -> Observed {
    let current =
        versions.last().map_or(Current::Missing, |current| Current::Readable(Box::new(current.clone())));
    let sign_in = if versions.is_empty() { CurrentSignIn::NoText } else { CurrentSignIn::Accepted };
    Observed::new("kv-1/app-foo".parse().unwrap(), current, versions, credentials, sign_in)
}

/// Returns a secret with one published credential of this age.
fn aged(days: i64) -> Observed {
    let age = Duration::days(days);
    seen(vec![version(1, age)], vec![credential(1, age)])
}

/// Returns a secret whose credential 2 was published `days` ago in place of 1.
fn rotated(days: i64) -> Observed {
    let (old, new) = (Duration::days(days + 60), Duration::days(days));
    seen(vec![version(1, old), version(2, new)], vec![credential(1, old), credential(2, new)])
}

fn with_pending(mut seen: Observed, began: Duration, attempt: u32, failed: bool) -> Observed {
    let pending = PendingRotation { rotation: rotation(), began: NOW - began, attempt, failed };
    if let Current::Readable(version) = &mut seen.current {
        version.tags.set(tags::PENDING_ROTATION, pending);
    }
    seen
}

pub(super) fn decided(seen: &Observed) -> Decision {
    decide(seen, &policy(), NOW)
}

fn issue(reason: IssueReason, attempt: u32) -> Decision {
    Decision::Act(Action::Issue { reason, attempt })
}

fn waits(seen: &Observed) -> WaitReason {
    match decided(seen) {
        Decision::Wait { reason, .. } => reason,
        other @ (Decision::Act(_) | Decision::Blocked { .. }) => unreachable!("{other:?}"),
    }
}

fn blocked(seen: &Observed) -> BlockReason {
    match decided(seen) {
        Decision::Blocked { reason, .. } => reason,
        other @ (Decision::Act(_) | Decision::Wait { .. }) => unreachable!("{other:?}"),
    }
}

/// A successor is issued when the credential is due and not before.
#[test]
fn successor_is_issued_exactly_when_due() {
    assert_eq!(
        decided(&aged(59)),
        Decision::Wait { until: Some(NOW + Duration::DAY), reason: WaitReason::NotDue }
    );
    assert_eq!(decided(&aged(60)), issue(IssueReason::NearExpiry, 1));
}

#[test]
fn the_crash_table_is_followed() {
    // Intent written, no credential: waits for the deadline, then issues.
    let intent = |minutes| with_pending(aged(60), Duration::minutes(minutes), 1, false);
    assert_eq!(waits(&intent(59)), WaitReason::InFlight);
    assert_eq!(decided(&intent(60)), issue(IssueReason::NearExpiry, 2));
    // Issued, not published: the orphan raises the pause to an hour, and is revoked after a day.
    let mut orphaned = with_pending(aged(60), Duration::minutes(59), 1, true);
    orphaned.credentials.push(credential(2, Duration::minutes(59)));
    assert_eq!(waits(&orphaned), WaitReason::BackOff);
    let mut abandoned = with_pending(aged(60), Duration::hours(24), 1, false);
    abandoned.credentials.push(credential(2, Duration::hours(24)));
    let revoke = |number, reason| Decision::Act(Action::Revoke { key_id: key(number), reason });
    assert_eq!(decided(&abandoned), issue(IssueReason::NearExpiry, 2));
    let mut left_behind = aged(10);
    left_behind.credentials.push(credential(2, Duration::hours(24)));
    assert_eq!(decided(&left_behind), revoke(2, RevokeReason::Orphaned));
    // Published: the old one lives through its overlap, then is revoked; its version is disabled, the index cleared.
    assert_eq!(waits(&rotated(6)), WaitReason::Overlap);
    assert_eq!(decided(&rotated(7)), revoke(1, RevokeReason::Superseded));
    let mut revoked = rotated(7);
    revoked.credentials.remove(0);
    assert_eq!(waits(&revoked), WaitReason::NotDue, "one list without a credential disables nothing");
    revoked.versions.first_mut().unwrap().refused = true;
    let version = revoked.versions.first().unwrap().version.clone();
    assert_eq!(decided(&revoked), Decision::Act(Action::Disable { version, replica: None }));
    revoked.versions.first_mut().unwrap().enabled = false;
    if let Current::Readable(current) = &mut revoked.current {
        current.tags.set(tags::SUPERSEDED_CREDENTIAL_ID, key(1));
    }
    assert_eq!(decided(&revoked), Decision::Act(Action::ClearIndex));
    if let Current::Readable(current) = &mut revoked.current {
        current.tags.remove(tags::SUPERSEDED_CREDENTIAL_ID);
    }
    assert_eq!(waits(&revoked), WaitReason::NotDue);
}

#[test]
fn attempts_come_ever_more_rarely() {
    for (attempt, minutes) in [(1, 15), (2, 60), (3, 240), (4, 960), (5, 1_440), (50, 1_440)] {
        let at = |minutes| with_pending(aged(60), Duration::minutes(minutes), attempt, true);
        assert_eq!(waits(&at(minutes - 1)), WaitReason::BackOff, "attempt {attempt}");
        assert_eq!(decided(&at(minutes)), issue(IssueReason::NearExpiry, attempt + 1));
    }
}

/// Two orphans stop the issue of a successor; when it is urgent, only four do.
#[test]
fn orphan_limit_is_higher_when_urgent() {
    let with_orphans = |age, count| {
        let mut seen = aged(age);
        seen.credentials.extend((0..count).map(|n| credential(10 + n, Duration::hours(23))));
        seen
    };
    assert_eq!(decided(&with_orphans(60, 1)), issue(IssueReason::NearExpiry, 1));
    assert_eq!(waits(&with_orphans(60, 2)), WaitReason::TooManyOrphans);
    assert_eq!(decided(&with_orphans(84, 3)), issue(IssueReason::NearExpiry, 1));
    assert_eq!(waits(&with_orphans(84, 4)), WaitReason::TooManyOrphans);
}

/// A due successor is issued after a refused sign-in, but an unclear answer blocks it.
#[test]
fn unclear_sign_in_blocks_a_successor() {
    let answered = |sign_in| Observed { sign_in, ..aged(60) };
    assert_eq!(decided(&answered(CurrentSignIn::Refused)), issue(IssueReason::NearExpiry, 1));
    for (trouble, reason) in [
        (SignInProblem::ApplicationDisabled, BlockReason::ApplicationDisabled),
        (SignInProblem::ApplicationUnknown, BlockReason::ApplicationMissing),
        (SignInProblem::Other("busy".into()), BlockReason::SignInUnclear),
    ] {
        assert_eq!(blocked(&answered(CurrentSignIn::Unclear(trouble))), reason);
    }
}

#[test]
fn a_credential_in_doubt_is_never_retired() {
    for sign_in in [CurrentSignIn::Refused, CurrentSignIn::Unclear(SignInProblem::Other(String::new()))] {
        let doubtful = Observed { sign_in, ..rotated(20) };
        assert!(!matches!(decided(&doubtful), Decision::Act(_)), "{doubtful:?}");
    }
    let mut unlisted = rotated(30);
    unlisted.credentials.remove(1);
    assert_eq!(blocked(&unlisted), BlockReason::UnknownCredential);
}

/// A lost credential is replaced, by a republish or a new one, only after ten minutes of refusals.
#[test]
fn lost_credential_is_replaced_after_ten_minutes() {
    let lost = |minutes| {
        let mut seen = rotated(1);
        seen.credentials.remove(1);
        seen.sign_in = CurrentSignIn::Refused;
        seen.lost_since = Some(NOW - Duration::minutes(minutes));
        seen
    };
    assert_eq!(waits(&lost(9)), WaitReason::ConfirmingLoss);
    assert_eq!(decided(&lost(10)), issue(IssueReason::CurrentLost, 1));
    let from = lost(10).versions.first().unwrap().version.clone();
    let republishable = Observed { fallback: Some(from.clone()), ..lost(10) };
    assert_eq!(
        decided(&republishable),
        Decision::Act(Action::Republish { from, reason: RepublishReason::CurrentLost })
    );
}

/// A refused text whose credential is still listed blocks the secret and replaces nothing.
#[test]
fn refused_text_with_listed_credential_blocks() {
    let refused =
        Observed { sign_in: CurrentSignIn::Refused, lost_since: Some(NOW - Duration::DAY), ..aged(10) };
    assert_eq!(blocked(&refused), BlockReason::CurrentRefused);
}

/// A version that is newer than the current one that was read is not treated as an old version.
#[test]
fn version_newer_than_current_is_not_old() {
    let mut stale = rotated(30);
    stale.versions.push(version(3, Duration::seconds(1)));
    stale.credentials.push(credential(3, Duration::minutes(2)));
    stale.credentials.remove(0);
    stale.versions.remove(0);
    assert!(!matches!(decided(&stale), Decision::Act(_)), "{:?}", decided(&stale));
}

/// A credential whose text may be the current one is never revoked.
#[test]
fn possibly_current_credential_is_never_revoked() {
    let mut seen = rotated(30);
    seen.credentials.first_mut().unwrap().may_be_current_text = true;
    assert!(!matches!(decided(&seen), Decision::Act(Action::Revoke { .. })));
}

/// A foreign credential is left alone regardless of tags, until its own text proves it and no other secret holds it.
#[test]
fn foreign_credential_is_kept_despite_tags() {
    let mut seen = rotated(30);
    seen.credentials.first_mut().unwrap().rotation = None;
    assert!(!matches!(decided(&seen), Decision::Act(Action::Revoke { .. })));
    // Its own text proves it, and no other secret holds it.
    seen.held_elsewhere = Some(std::collections::BTreeSet::new());
    seen.versions.first_mut().unwrap().proven = Some(key(1));
    assert!(matches!(decided(&seen), Decision::Act(Action::Revoke { .. })));
}

/// The credentials of a deleted secret are not taken for orphans.
#[test]
fn deleted_secret_leaves_no_orphans() {
    let deleted = seen(Vec::new(), vec![credential(1, Duration::days(50)), credential(2, Duration::days(3))]);
    assert_eq!(decided(&deleted), issue(IssueReason::FirstCredential, 1));
    let mut held = deleted;
    held.credentials.clear();
    assert_eq!(held.orphans().count(), 0);
}

/// A credential whose version lost its tags is revoked only after its full overlap.
#[test]
fn credential_with_wiped_tags_keeps_overlap() {
    let wiped = |days| {
        let mut seen = rotated(days);
        seen.versions.first_mut().unwrap().tags = Tags::default();
        if let Current::Readable(version) = &mut seen.current {
            version.tags.set(tags::SUPERSEDED_CREDENTIAL_ID, key(1));
        }
        seen
    };
    assert_eq!(waits(&wiped(6)), WaitReason::Overlap);
    assert!(matches!(
        decided(&wiped(7)),
        Decision::Act(Action::Revoke { reason: RevokeReason::Superseded, .. })
    ));
}

/// A superseded index of `many` does not cover a credential that was created after the current version.
#[test]
fn index_many_excludes_later_credentials() {
    let mut seen = rotated(30);
    seen.credentials.remove(0);
    seen.credentials.push(credential(3, Duration::minutes(2)));
    if let Current::Readable(version) = &mut seen.current {
        version.tags.set(tags::SUPERSEDED_CREDENTIAL_ID, "many");
    }
    assert!(!matches!(decided(&seen), Decision::Act(Action::Revoke { .. })));
    assert_eq!(seen.orphans().count(), 1);
}

/// A proof by the text outweighs the credential that a tag names.
#[test]
fn proven_text_outweighs_tag() {
    // The tag names a credential that is long past its end; the text is of another one, and signs in.
    let mut mistagged = aged(10);
    mistagged.credentials.push(credential(9, Duration::days(120)));
    if let Current::Readable(version) = &mut mistagged.current {
        version.tags.set(tags::CREDENTIAL_ID, key(9));
        version.proven = Some(key(1));
    }
    mistagged.fallback = Some(version(5, Duration::DAY).version);
    assert_eq!(waits(&mistagged), WaitReason::NotDue);
}

/// Orphans of failed attempts are revoked so that a lost credential can be replaced.
#[test]
fn failed_attempt_orphans_do_not_block_recovery() {
    let mut stuck = rotated(2);
    stuck.credentials.remove(1);
    (stuck.sign_in, stuck.lost_since) = (CurrentSignIn::Refused, Some(NOW - Duration::DAY));
    stuck.credentials.extend((10..14).map(|number| credential(number, Duration::hours(30))));
    assert!(matches!(decided(&stuck), Decision::Act(Action::Revoke { reason: RevokeReason::Orphaned, .. })));
}

/// A pending-rotation tag dated in the far future does not delay a due rotation.
#[test]
fn far_future_pending_note_blocks_nothing() {
    let mut noted = aged(60);
    if let Current::Readable(version) = &mut noted.current {
        version.tags.set(tags::PENDING_ROTATION, "0123456789abcdef 9999-12-31T23:59:59Z attempt=1");
    }
    assert_eq!(decided(&noted), issue(IssueReason::NearExpiry, 1));
}

#[test]
fn people_are_not_fought() {
    let disabled = Observed { current: Current::Disabled, sign_in: CurrentSignIn::NoText, ..aged(80) };
    assert_eq!(blocked(&disabled), BlockReason::CurrentDisabled);
    let mut left_alone = aged(80);
    let mut rolled_back = aged(80);
    for (seen, tag) in [(&mut left_alone, tags::ROTATION_DISABLED), (&mut rolled_back, tags::ROLLED_BACK)] {
        if let Current::Readable(version) = &mut seen.current {
            version.tags.set(tag, "true");
        }
    }
    assert_eq!(waits(&left_alone), WaitReason::RotationDisabled);
    assert_eq!(waits(&rolled_back), WaitReason::RolledBack);
}

/// A rotation that began shortly before a rotate command already completes it.
#[test]
fn recent_rotation_completes_rotate_command() {
    let commanded = |days, minutes_ago| {
        let at = NOW - Duration::minutes(minutes_ago);
        Observed { command: Some(Command { kind: CommandKind::Rotate, at }), ..aged(days) }
    };
    assert_eq!(decided(&commanded(1, 0)), issue(IssueReason::Command, 1));
    let mut met = commanded(0, 0);
    met.versions = vec![version(1, Duration::minutes(10))];
    met.current = Current::Readable(Box::new(version(1, Duration::minutes(10))));
    assert_eq!(waits(&met), WaitReason::NotDue);
}

/// A secret without a version gets its first credential, and a person is not assumed to have disabled its own
/// placeholder.
#[test]
fn secret_without_versions_gets_first_credential() {
    assert_eq!(decided(&seen(Vec::new(), Vec::new())), issue(IssueReason::FirstCredential, 1));
    let pending =
        PendingRotation { rotation: rotation(), began: NOW - Duration::hours(2), attempt: 1, failed: false };
    let mut placeholder = version(1, Duration::hours(2));
    placeholder.enabled = false;
    placeholder.tags = Tags::default();
    placeholder.tags.set(tags::PENDING_ROTATION, pending);
    let mut seen = seen(vec![placeholder], Vec::new());
    (seen.current, seen.sign_in) = (Current::Disabled, CurrentSignIn::NoText);
    assert_eq!(decided(&seen), issue(IssueReason::FirstCredential, 2));
}
