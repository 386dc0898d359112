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

/// A credential of 90 days that is `age` old, ours by its marker.
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

/// A version of the credential `number` that is `age` old, made by a rotation.
pub(super) fn version(number: u128, age: Duration) -> VersionFacts {
    let mut tags = Tags::default();
    tags.set(tags::CREDENTIAL_ID, key(number));
    tags.set(tags::ROTATION_ID, rotation());
    let version = format!("{number:032x}").parse().unwrap();
    VersionFacts { version, enabled: true, created: NOW - age, tags, proven: None, refused: false }
}

/// A secret with these versions (the last one current) and credentials, which signs in.
pub(super) fn seen(versions: Vec<VersionFacts>, credentials: Vec<CredentialFacts>) -> Observed {
    let current =
        versions.last().map_or(Current::Missing, |current| Current::Readable(Box::new(current.clone())));
    let sign_in = if versions.is_empty() { CurrentSignIn::NoText } else { CurrentSignIn::Accepted };
    Observed::new("kv-1/app-foo".parse().unwrap(), current, versions, credentials, sign_in)
}

/// One credential of this age, published.
fn aged(days: i64) -> Observed {
    let age = Duration::days(days);
    seen(vec![version(1, age)], vec![credential(1, age)])
}

/// The credential 2 was published `days` ago in the place of 1.
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

#[test]
fn a_successor_is_made_when_it_is_due_and_not_before() {
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

#[test]
fn two_orphans_stop_minting_and_four_do_when_it_is_urgent() {
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

#[test]
fn only_an_answer_about_the_secret_lets_a_successor_be_made() {
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

#[test]
fn a_lost_credential_is_displaced_only_after_ten_minutes_of_refusals() {
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

#[test]
fn a_refused_text_whose_credential_is_listed_displaces_nothing() {
    let refused =
        Observed { sign_in: CurrentSignIn::Refused, lost_since: Some(NOW - Duration::DAY), ..aged(10) };
    assert_eq!(blocked(&refused), BlockReason::CurrentRefused);
}

#[test]
fn a_version_newer_than_the_current_one_that_was_read_is_not_taken_for_an_old_one() {
    let mut stale = rotated(30);
    stale.versions.push(version(3, Duration::seconds(1)));
    stale.credentials.push(credential(3, Duration::minutes(2)));
    stale.credentials.remove(0);
    stale.versions.remove(0);
    assert!(!matches!(decided(&stale), Decision::Act(_)), "{:?}", decided(&stale));
}

#[test]
fn a_credential_whose_text_may_be_the_current_one_is_never_revoked() {
    let mut seen = rotated(30);
    seen.credentials.first_mut().unwrap().may_be_current_text = true;
    assert!(!matches!(decided(&seen), Decision::Act(Action::Revoke { .. })));
}

#[test]
fn a_foreign_credential_is_left_alone_whatever_tags_say() {
    let mut seen = rotated(30);
    seen.credentials.first_mut().unwrap().rotation = None;
    assert!(!matches!(decided(&seen), Decision::Act(Action::Revoke { .. })));
    // Its own text proves it, and no other secret holds it.
    seen.held_elsewhere = Some(std::collections::BTreeSet::new());
    seen.versions.first_mut().unwrap().proven = Some(key(1));
    assert!(matches!(decided(&seen), Decision::Act(Action::Revoke { .. })));
}

#[test]
fn a_deleted_secret_s_credentials_are_not_taken_for_orphans() {
    let deleted = seen(Vec::new(), vec![credential(1, Duration::days(50)), credential(2, Duration::days(3))]);
    assert_eq!(decided(&deleted), issue(IssueReason::FirstCredential, 1));
    let mut held = deleted;
    held.credentials.clear();
    assert_eq!(held.orphans().count(), 0);
}

#[test]
fn a_credential_whose_version_lost_its_tags_lives_through_its_overlap() {
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

#[test]
fn an_index_that_may_name_any_names_none_that_was_made_later() {
    let mut seen = rotated(30);
    seen.credentials.remove(0);
    seen.credentials.push(credential(3, Duration::minutes(2)));
    if let Current::Readable(version) = &mut seen.current {
        version.tags.set(tags::SUPERSEDED_CREDENTIAL_ID, "many");
    }
    assert!(!matches!(decided(&seen), Decision::Act(Action::Revoke { .. })));
    assert_eq!(seen.orphans().count(), 1);
}

#[test]
fn what_the_text_proves_stands_above_what_a_tag_says() {
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

#[test]
fn orphans_of_failed_attempts_do_not_keep_a_lost_credential_lost() {
    let mut stuck = rotated(2);
    stuck.credentials.remove(1);
    (stuck.sign_in, stuck.lost_since) = (CurrentSignIn::Refused, Some(NOW - Duration::DAY));
    stuck.credentials.extend((10..14).map(|number| credential(number, Duration::hours(30))));
    assert!(matches!(decided(&stuck), Decision::Act(Action::Revoke { reason: RevokeReason::Orphaned, .. })));
}

#[test]
fn a_note_from_the_far_future_holds_nothing_up() {
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

#[test]
fn a_command_is_met_by_a_rotation_since_shortly_before_it() {
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

#[test]
fn a_secret_without_a_version_gets_one_and_its_placeholder_is_no_person_s() {
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
