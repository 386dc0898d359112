#![expect(clippy::unwrap_used, reason = "a test may fail")]

use proptest::prelude::*;

use super::properties::any_observed;
use super::tests::{NOW, decided, key, policy, rotation, seen, version};
use super::*;
use crate::domain::decision::Action;
use crate::domain::observed::{CredentialFacts, Current, CurrentSignIn, UsageFacts, VersionFacts};
use crate::domain::reasons::{BlockReason, IssueReason, RevokeReason, WaitReason};
use crate::domain::replica::{ReplicaFacts, ReplicaState};
use crate::domain::tags::{self, Quarantine, QuarantineReason};
use crate::domain::{PolicyValues, UsageGate};

fn credential(number: u128, age: Duration) -> CredentialFacts {
    let (start, rotation) = (NOW - age, Some(rotation()));
    let (is_of_other_secret, may_be_current_text) = (false, false);
    let end = start + Duration::days(90);
    CredentialFacts { key_id: key(number), rotation, is_of_other_secret, start, end, may_be_current_text }
}

/// Returns a secret whose credential 2 was published `days` ago in place of 1, which was made 20 days earlier.
fn rotated(days: i64) -> Observed {
    let (old, new) = (Duration::days(days + 20), Duration::days(days));
    seen(vec![version(1, old), version(2, new)], vec![credential(1, old), credential(2, new)])
}

fn replica(state: ReplicaState, versions: Vec<VersionFacts>) -> ReplicaFacts {
    ReplicaFacts { secret: "kv-2/app-foo".parse().unwrap(), state, versions }
}

fn unreadable() -> ReplicaState {
    ReplicaState::Unreadable("no route".to_owned())
}

fn with_replica(state: ReplicaState, seen: Observed) -> Observed {
    Observed { replicas: vec![replica(state, Vec::new())], ..seen }
}

fn quarantined(seen: &mut Observed, reason: QuarantineReason) {
    let Current::Readable(current) = &mut seen.current else { unreachable!() };
    current.tags.set(tags::QUARANTINED, Quarantine { reason, at: NOW - Duration::HOUR });
}

fn copies(seen: &Observed) -> bool {
    matches!(decided(seen), Decision::Act(Action::Copy { .. }))
}

/// Returns in one word the action, or the reason to wait.
fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Act(Action::Revoke { reason, .. }) => reason.label(),
        Decision::Act(action) => action.label(),
        Decision::Wait { reason, .. } => reason.label(),
        Decision::Blocked { reason, .. } => reason.label(),
    }
}

/// A superseded credential is revoked after its overlap and once unused, at the latest after the maximum overlap.
#[test]
fn superseded_credential_ends_by_overlap_and_usage() {
    let used = |days| UsageFacts::Seen([(key(1), NOW - Duration::days(days))].into());
    let silent = || UsageFacts::Seen([].into());
    let none = || UsageFacts::Unavailable("no licence".to_owned());
    for (gate, usage, days, then) in [
        (UsageGate::Off, UsageFacts::NotAsked, 6, "overlap"),
        (UsageGate::Off, UsageFacts::NotAsked, 7, "superseded"),
        (UsageGate::Report, silent(), 6, "overlap"),
        (UsageGate::Report, silent(), 7, "superseded"),
        (UsageGate::Report, used(30), 7, "superseded"),
        (UsageGate::Report, used(1), 12, "in_use"),
        (UsageGate::Report, used(2), 29, "in_use"),
        (UsageGate::Report, used(3), 12, "superseded"),
        (UsageGate::Report, used(1), 30, "max_overlap"),
        (UsageGate::Report, UsageFacts::NotAsked, 29, "in_use"),
        (UsageGate::Report, UsageFacts::NotAsked, 30, "max_overlap"),
        (UsageGate::Report, none(), 6, "overlap"),
        (UsageGate::Report, none(), 7, "superseded"),
    ] {
        let policy =
            RotationPolicy::try_new(PolicyValues { usage_gate: gate, ..PolicyValues::default() }).unwrap();
        let case = format!("{gate:?}, {usage:?}, after {days} days");
        let seen = Observed { usage, ..rotated(days) };
        assert_eq!(word(decide(&seen, &policy, NOW)), then, "{case}");
    }
}

/// An overlap counts from the last replica that got the new version and does not end while a replica is behind.
#[test]
fn overlap_counts_from_last_synced_replica() {
    let in_sync = |days| ReplicaState::InSync(NOW - Duration::days(days));
    for (state, then) in [
        (in_sync(6), "overlap"),
        (in_sync(7), "superseded"),
        (ReplicaState::OutOfSync, "copy"),
        (ReplicaState::Disabled, "replica_behind"),
        (unreadable(), "replica_behind"),
    ] {
        let case = format!("{state:?}");
        assert_eq!(word(decided(&with_replica(state, rotated(40)))), then, "{case}");
    }
}

/// A text is copied to a replica only if it signs in.
#[test]
fn only_accepted_text_is_copied() {
    assert!(copies(&with_replica(ReplicaState::OutOfSync, rotated(1))));
    for sign_in in [CurrentSignIn::Refused, CurrentSignIn::NoText] {
        assert!(!copies(&Observed { sign_in, ..with_replica(ReplicaState::OutOfSync, rotated(1)) }));
    }
    for reason in [QuarantineReason::Rollback, QuarantineReason::Compromised] {
        let mut bad = with_replica(ReplicaState::OutOfSync, rotated(1));
        quarantined(&mut bad, reason);
        assert!(!copies(&bad), "{reason:?}");
    }
    let mut unlisted = with_replica(ReplicaState::OutOfSync, rotated(1));
    unlisted.credentials.remove(1);
    assert!(!copies(&unlisted));
}

/// A credential that any version of a replica names, or that an unreadable replica may hold, is not an orphan.
#[test]
fn orphan_is_in_no_replica_version() {
    let orphaned = |state, versions| {
        let mut seen = rotated(3);
        seen.credentials.push(credential(3, Duration::days(2)));
        Observed { replicas: vec![replica(state, versions)], ..seen }
    };
    let in_sync = || ReplicaState::InSync(NOW - Duration::days(3));
    let held = || vec![version(3, Duration::days(2)), version(2, Duration::DAY)];
    assert_eq!(word(decided(&orphaned(in_sync(), Vec::new()))), "orphaned");
    assert_eq!(word(decided(&orphaned(in_sync(), held()))), "overlap");
    assert_eq!(word(decided(&orphaned(unreadable(), Vec::new()))), "replica_behind");
}

/// A compromised credential is revoked even if a replica is disabled or unreadable.
#[test]
fn compromised_credential_ignores_replica_state() {
    for state in [ReplicaState::Disabled, unreadable()] {
        let mut seen = with_replica(state, rotated(0));
        let quarantine = Quarantine { reason: QuarantineReason::Compromised, at: NOW - Duration::HOUR };
        seen.versions.first_mut().unwrap().tags.set(tags::QUARANTINED, quarantine);
        assert_eq!(word(decided(&seen)), "compromised");
    }
}

/// An older version of a replica is disabled once its text is refused and its credential is gone.
#[test]
fn refused_older_replica_versions_are_disabled() {
    let with = |refused, named| {
        let mut old = version(named, Duration::days(50));
        old.refused = refused;
        let versions = vec![old, version(2, Duration::days(40))];
        let state = ReplicaState::InSync(NOW - Duration::days(40));
        let mut seen = Observed { replicas: vec![replica(state, versions)], ..rotated(40) };
        seen.credentials.remove(0);
        seen.versions.first_mut().unwrap().enabled = false;
        seen
    };
    let disables =
        |seen: &Observed| matches!(decided(seen), Decision::Act(Action::Disable { replica: Some(_), .. }));
    assert!(disables(&with(true, 1)));
    assert!(!disables(&with(false, 1)), "a text that may sign in");
    assert!(!disables(&with(true, 2)), "a credential that is listed");
}

/// A rotation that fails its preflight checks lets every other step go first and blocks only if none is left.
#[test]
fn hindered_rotation_yields_to_other_steps() {
    let behind = || with_replica(ReplicaState::OutOfSync, rotated(60));
    let hindered = |seen| Observed { preflight_failure: Some(BlockReason::RoleMissing), ..seen };
    let issue = Decision::Act(Action::Issue { reason: IssueReason::NearExpiry, attempt: 1 });
    assert_eq!(decided(&behind()), issue);
    assert_eq!(word(decided(&hindered(behind()))), "copy");
    assert_eq!(word(decided(&hindered(rotated(60)))), "superseded");
    let mut alone = rotated(60);
    alone.credentials.remove(0);
    alone.versions.remove(0);
    assert!(
        matches!(decided(&hindered(alone)), Decision::Blocked { reason: BlockReason::RoleMissing, .. }),
        "nothing else is left"
    );
    assert_eq!(word(decided(&hindered(rotated(1)))), WaitReason::Overlap.label(), "none is wanted");
}

fn any_state() -> impl Strategy<Value = ReplicaState> {
    prop_oneof![Just(ReplicaState::OutOfSync), Just(ReplicaState::Disabled), Just(unreadable())]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// While a replica is out of sync, only expired and compromised credentials are revoked.
    #[test]
    fn out_of_sync_replica_blocks_ordinary_revocation(
        seen in any_observed(), state in any_state(),
    ) {
        let seen = with_replica(state, seen);
        if let Decision::Act(Action::Revoke { reason, .. }) = decided(&seen) {
            prop_assert!(matches!(reason, RevokeReason::Expired | RevokeReason::Compromised), "{reason:?}");
        }
    }

    /// A text is copied to a replica only if it signs in and its credential is listed and has not ended.
    #[test]
    fn copied_text_signs_in_and_is_listed(seen in any_observed()) {
        let seen = with_replica(ReplicaState::OutOfSync, seen);
        if copies(&seen) {
            prop_assert_eq!(&seen.sign_in, &CurrentSignIn::Accepted);
            prop_assert!(seen.current_credential().unwrap().end > NOW);
        }
    }

    #[test]
    fn a_preflight_failure_never_makes_a_credential(seen in any_observed(), replicated in any::<bool>()) {
        let seen = if replicated { with_replica(ReplicaState::OutOfSync, seen) } else { seen };
        let seen = Observed { preflight_failure: Some(BlockReason::RoleMissing), ..seen };
        let decision = decide(&seen, &policy(), NOW);
        let issues = matches!(decision, Decision::Act(Action::Issue { .. }));
        prop_assert!(!issues);
    }
}
