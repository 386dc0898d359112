//! Operators' commands: rollback, compromise, pause and retirement, and the side effects that they must not have.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::properties::any_observed;
use super::tests::{NOW, credential, decided, key, seen, version};
use super::*;
use crate::domain::command::{Command, CommandKind};
use crate::domain::decision::Action;
use crate::domain::observed::{CredentialFacts, Current, CurrentSignIn};
use crate::domain::reasons::{BlockReason, IssueReason, RepublishReason, RevokeReason, WaitReason};
use crate::domain::rollout::{ActiveLimit, Freeze, RolloutLimits};
use crate::domain::tags::{self, PendingRotation, Quarantine, QuarantineReason};
use crate::domain::{ReplicaFacts, ReplicaState};

const COMPROMISED: CommandKind = CommandKind::Compromised { all_credentials: false };

/// Returns a secret whose credential 2 was published a day ago in place of 1, which still signs in. No other secret
/// holds either.
fn rotated() -> Observed {
    let (old, new) = (Duration::days(60), Duration::DAY);
    let versions = vec![version(1, old), version(2, new)];
    let facts = seen(versions, vec![credential(1, old), credential(2, new)]);
    Observed { held_elsewhere: Some(BTreeSet::new()), ..facts }
}

fn commanded(kind: CommandKind, mut seen: Observed) -> Observed {
    seen.command = Some(Command { kind, at: NOW });
    seen
}

/// Marks the version of the credential `number` as bad since `ago`.
fn marked(number: u128, reason: QuarantineReason, ago: Duration, mut seen: Observed) -> Observed {
    let mark = Quarantine { reason, at: NOW - ago };
    let bad = |version: &&mut crate::domain::VersionFacts| version.named() == Some(key(number));
    for version in seen.versions.iter_mut().filter(bad) {
        version.tags.set(tags::QUARANTINED, mark);
    }
    if let Current::Readable(version) = &mut seen.current
        && version.named() == Some(key(number))
    {
        version.tags.set(tags::QUARANTINED, mark);
    }
    seen
}

fn with_fallback(mut seen: Observed) -> Observed {
    seen.fallback = seen.versions.first().map(|version| version.version.clone());
    seen
}

fn paused(mut seen: Observed) -> Observed {
    if let Current::Readable(version) = &mut seen.current {
        version.tags.set(tags::ROTATION_DISABLED, "true");
    }
    seen
}

fn everything_held_back() -> RolloutLimits {
    let limit = Some(ActiveLimit { until: None });
    let freeze = Some(Freeze { until: NOW + Duration::days(9), is_hard: true });
    RolloutLimits { freeze, closed: limit, canary: limit, hour: limit, sweep: limit }
}

fn act(action: Action) -> Decision {
    Decision::Act(action)
}

fn revoke(number: u128, reason: RevokeReason) -> Decision {
    act(Action::Revoke { key_id: key(number), reason })
}

#[test]
fn each_command_has_its_first_step() {
    let rollback = commanded(CommandKind::Rollback, with_fallback(rotated()));
    let quarantine = |reason| act(Action::Quarantine { reason });
    let issue = act(Action::Issue { reason: IssueReason::Command, attempt: 1 });
    for (seen, first) in [
        (
            commanded(CommandKind::Rotate, {
                let mut old = rotated();
                old.versions.clear();
                old.current = Current::Readable(Box::new(version(2, Duration::DAY)));
                old
            }),
            issue,
        ),
        (rollback, quarantine(QuarantineReason::Rollback)),
        (commanded(COMPROMISED, rotated()), quarantine(QuarantineReason::Compromised)),
        (commanded(COMPROMISED, paused(rotated())), quarantine(QuarantineReason::Compromised)),
        (commanded(CommandKind::Retire, rotated()), revoke(1, RevokeReason::Retired)),
        (commanded(CommandKind::Pause, rotated()), act(Action::Pause)),
        (commanded(CommandKind::Resume, paused(rotated())), act(Action::Resume)),
    ] {
        assert_eq!(decided(&seen), first, "{:?}", seen.command);
    }
}

/// A command that can't be done is rejected, and the secret's decision is as if it had not been given.
#[test]
fn impossible_command_decides_nothing() {
    let alone = Observed { held_elsewhere: None, ..rotated() };
    for (kind, seen, expected) in [
        (CommandKind::Rollback, rotated(), Some(CommandRejection::NothingToRollBackTo)),
        (CommandKind::Rollback, with_fallback(rotated()), None),
        (CommandKind::Rollback, with_fallback(paused(rotated())), Some(CommandRejection::Paused)),
        (CommandKind::Rotate, paused(rotated()), Some(CommandRejection::Paused)),
        (CommandKind::Retire, paused(rotated()), Some(CommandRejection::Paused)),
        (CommandKind::Retire, alone, Some(CommandRejection::SiblingUnknown)),
        (COMPROMISED, paused(rotated()), None),
        (CommandKind::Pause, paused(rotated()), None),
        (CommandKind::Resume, paused(rotated()), None),
    ] {
        let free = decided(&seen);
        let commanded = commanded(kind, seen);
        assert_eq!(command_rejection(&commanded), expected, "{kind:?}");
        assert!(expected.is_none() || decided(&commanded) == free, "{kind:?}: {free:?}");
    }
}

/// A rollback or compromise noted in the tags goes on, even after the command itself is gone.
#[test]
fn quarantine_mark_continues_without_the_command() {
    let bad = with_fallback(marked(2, QuarantineReason::Rollback, Duration::MINUTE, rotated()));
    let from = bad.fallback.clone().unwrap();
    assert_eq!(decided(&bad), act(Action::Republish { from, reason: RepublishReason::Rollback }));
    let leaked = marked(2, QuarantineReason::Compromised, Duration::MINUTE, rotated());
    assert_eq!(decided(&leaked), act(Action::Issue { reason: IssueReason::Compromised, attempt: 1 }));
    let followed = marked(1, QuarantineReason::Compromised, Duration::days(2), rotated());
    assert_eq!(decided(&followed), revoke(1, RevokeReason::Compromised));
}

/// A credential that is lost during a held-back rollback is replaced at once.
#[test]
fn loss_during_held_back_rollback_is_repaired() {
    let mut bad = marked(2, QuarantineReason::Rollback, Duration::HOUR, rotated());
    bad.rollout_limits = everything_held_back();
    assert!(matches!(decided(&bad), Decision::Wait { reason: WaitReason::Frozen, .. }));
    bad.credentials.pop();
    (bad.sign_in, bad.lost_since) = (CurrentSignIn::Refused, Some(NOW - Duration::HOUR));
    assert_eq!(decided(&bad), act(Action::Issue { reason: IssueReason::CurrentLost, attempt: 1 }));
}

/// A compromise revokes a credential left by an earlier rotation, but not one that a pending rotation is publishing.
#[test]
fn credential_being_published_survives_compromise() {
    let mut seen = marked(1, QuarantineReason::Compromised, Duration::DAY, rotated());
    seen.credentials.remove(0);
    let other = "00000000deadbeef".parse().unwrap();
    let age = Duration::DAY - Duration::minutes(3);
    seen.credentials.push(CredentialFacts { rotation: Some(other), ..credential(3, age) });
    assert_eq!(decided(&seen), revoke(3, RevokeReason::Compromised), "it was left behind by an earlier one");
    if let Current::Readable(version) = &mut seen.current {
        let began = NOW - Duration::MINUTE;
        let pending = PendingRotation {
            rotation: "00000000deadbeef".parse().unwrap(),
            began,
            attempt: 1,
            failed: false,
        };
        version.tags.set(tags::PENDING_ROTATION, pending);
    }
    assert!(!matches!(decided(&seen), Decision::Act(Action::Revoke { .. })), "{:?}", decided(&seen));
}

/// Marks the version of the credential `number` as published by a rollback, `ago`.
fn gone_back_to(number: u128, ago: Duration, mut seen: Observed) -> Observed {
    let at = (NOW - ago).format(&time::format_description::well_known::Rfc3339).unwrap();
    for version in seen.versions.iter_mut().filter(|version| version.named() == Some(key(number))) {
        version.tags.set(tags::ROLLED_BACK, &at);
    }
    seen
}

/// A rollback that was followed by a successor at once is complete and is not repeated.
#[test]
fn rollback_with_immediate_successor_is_complete() {
    let asked = commanded(CommandKind::Rollback, with_fallback(rotated()));
    assert!(!asked.is_command_completed());
    let followed = gone_back_to(1, Duration::minutes(3), asked);
    assert!(followed.is_command_completed());
    assert!(!matches!(decided(&followed), Decision::Act(Action::Quarantine { .. })));
}

/// A version that was rolled back does not complete a rotate command.
#[test]
fn rolled_back_version_completes_no_rotate_command() {
    let mut fresh = commanded(CommandKind::Rotate, rotated());
    fresh.versions.last_mut().unwrap().created = NOW - Duration::minutes(5);
    assert!(fresh.is_command_completed());
    fresh.current = Current::Readable(Box::new(fresh.versions.first().unwrap().clone()));
    let back = marked(2, QuarantineReason::Rollback, Duration::minutes(3), fresh);
    assert!(!back.is_command_completed());
}

/// A credential that was superseded after the retire command keeps its full overlap.
#[test]
fn credential_superseded_after_retire_keeps_overlap() {
    let mut asked = commanded(CommandKind::Retire, rotated());
    assert_eq!(decided(&asked), revoke(1, RevokeReason::Retired));
    asked.command = Some(Command { kind: CommandKind::Retire, at: NOW - Duration::days(2) });
    assert!(asked.is_command_completed());
    assert!(!matches!(decided(&asked), Decision::Act(_)), "{:?}", decided(&asked));
}

/// A compromise stays open while a credential that it names is listed but not provably managed.
#[test]
fn unproven_named_credential_keeps_compromise_open() {
    let mut leaked = marked(1, QuarantineReason::Compromised, Duration::days(2), rotated());
    leaked.credentials.first_mut().unwrap().rotation = None;
    leaked.command = Some(Command { kind: COMPROMISED, at: NOW - Duration::days(2) });
    let reason = BlockReason::CompromisedCredentialRemains;
    let blocked = decided(&leaked);
    assert!(matches!(blocked, Decision::Blocked { reason: told, .. } if told == reason), "{blocked:?}");
    assert!(!leaked.is_command_completed());
    leaked.versions.first_mut().unwrap().refused = true;
    assert!(
        !matches!(decided(&leaked), Decision::Blocked { .. }),
        "its own text is refused: the tag belies it"
    );
}

/// A credential without a hint can hide a loss only if it is older than the current version.
#[test]
fn only_older_hintless_credential_hides_loss() {
    let mut lost = seen(vec![version(1, Duration::days(2))], vec![]);
    lost.sign_in = CurrentSignIn::Refused;
    lost.lost_since = Some(NOW - Duration::HOUR);
    let hintless = |age| CredentialFacts { may_be_current_text: true, rotation: None, ..credential(7, age) };
    let with = |age| decided(&Observed { credentials: vec![hintless(age)], ..lost.clone() });
    let issue = act(Action::Issue { reason: IssueReason::CurrentLost, attempt: 1 });
    assert_eq!(with(Duration::DAY), issue);
    assert_ne!(with(Duration::days(3)), issue);
}

/// A quarantine mark dated in the future does not hide a later compromise command.
#[test]
fn future_mark_hides_no_later_compromise() {
    let forged = marked(1, QuarantineReason::Compromised, Duration::days(-9_000), rotated());
    let reason = QuarantineReason::Compromised;
    assert_eq!(decided(&commanded(COMPROMISED, forged)), act(Action::Quarantine { reason }));
}

/// An unmarked credential is retired only if it is known that no other secret holds it.
#[test]
fn retire_keeps_credentials_held_elsewhere() {
    let mut over = commanded(CommandKind::Retire, rotated());
    over.versions.first_mut().unwrap().proven = Some(key(1));
    over.credentials.first_mut().unwrap().rotation = None;
    assert_eq!(decided(&over), revoke(1, RevokeReason::Retired));
    for held in [Some(BTreeSet::from([key(1)])), None] {
        let kept = Observed { held_elsewhere: held, ..over.clone() };
        assert!(!matches!(decided(&kept), Decision::Act(_)), "{:?}", decided(&kept));
    }
    let leaked = marked(1, QuarantineReason::Compromised, Duration::days(2), over);
    let kept = Observed { held_elsewhere: Some(BTreeSet::from([key(1)])), ..leaked };
    let waits = decided(&kept);
    assert!(matches!(waits, Decision::Wait { reason: WaitReason::ProvingRevocation, .. }), "{waits:?}");
}

/// While a secret is paused, a replica is still copied to if its text no longer signs in, and otherwise left alone.
#[test]
fn paused_secret_still_repairs_locked_out_replica() {
    let to: crate::domain::SecretId = "kv-2/app-foo".parse().unwrap();
    let behind = |number| {
        let versions = vec![version(number, Duration::days(60))];
        let replica = ReplicaFacts { secret: to.clone(), state: ReplicaState::OutOfSync, versions };
        decided(&Observed { replicas: vec![replica], ..paused(rotated()) })
    };
    let left_alone = Decision::Wait { until: None, reason: WaitReason::RotationDisabled };
    assert_eq!(behind(1), left_alone, "what it holds still signs in");
    assert_eq!(behind(9), act(Action::Copy { to: to.clone() }));
}

fn any_kind() -> impl Strategy<Value = CommandKind> {
    prop_oneof![
        Just(CommandKind::Rotate),
        Just(CommandKind::Rollback),
        Just(CommandKind::Retire),
        Just(COMPROMISED),
        Just(CommandKind::Compromised { all_credentials: true }),
    ]
}

prop_compose! {
    /// Generates any observation, with a command, marks on versions, and credentials that other secrets hold.
    fn any_commanded()(
        seen in any_observed(), kind in any_kind(), ago in 0_i64..100 * 24,
        marks in proptest::collection::vec((0_u128..5, any::<bool>(), -100_i64..100 * 24), 0..4),
        held in proptest::option::of(proptest::collection::btree_set((0_u128..5).prop_map(key), 0..3)),
    ) -> Observed {
        let reason = |is_leak| if is_leak { QuarantineReason::Compromised } else { QuarantineReason::Rollback };
        let seen = marks.into_iter().fold(seen, |seen, (number, is_leak, hours)| {
            marked(number, reason(is_leak), Duration::hours(hours), seen)
        });
        let command = Some(Command { kind, at: NOW - Duration::hours(ago) });
        Observed { command, held_elsewhere: held, ..seen }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// No command revokes a credential that consumers read from this or another secret, unless it has expired.
    #[test]
    fn no_command_revokes_credentials_in_use(seen in any_commanded()) {
        if let Decision::Act(Action::Revoke { key_id, .. }) = decided(&seen) {
            prop_assert!(!seen.protected().contains(&key_id));
            let ended = seen.credential(key_id).unwrap().end <= NOW;
            let held = seen.held_elsewhere.as_ref().is_some_and(|held| held.contains(&key_id));
            prop_assert!(ended || !held);
        }
    }

    /// A credential that is not proven to be managed is revoked only by a command for all credentials.
    #[test]
    fn only_explicit_command_revokes_unproven_credential(seen in any_commanded()) {
        if let Decision::Act(Action::Revoke { key_id, .. }) = decided(&seen) {
            let marked = seen.credential(key_id).unwrap().rotation.is_some();
            let proven = seen.older_versions().any(|version| version.proven == Some(key_id));
            prop_assert!(marked || proven || seen.wants_all_credentials_gone());
        }
    }

    /// A pending command that is neither completed nor rejected never waits for what it does not depend on.
    #[test]
    fn pending_command_never_waits_idly(seen in any_commanded()) {
        let is_open = !seen.is_command_completed() && command_rejection(&seen).is_none();
        if let Decision::Wait { reason, .. } = decided(&seen) {
            let is_idle = matches!(reason, WaitReason::NotDue | WaitReason::Overlap | WaitReason::InUse
                | WaitReason::RolledBack | WaitReason::RotationDisabled);
            prop_assert!(!is_open || !is_idle, "{reason:?} {:?}", seen.command);
        }
    }

    #[test]
    fn brakes_hold_no_emergency(seen in any_commanded()) {
        let held = Observed { rollout_limits: everything_held_back(), ..seen.clone() };
        let emergency = [IssueReason::CurrentLost, IssueReason::CurrentExpired, IssueReason::Compromised];
        let (free, held) = (decided(&seen), decided(&held));
        match &free {
            Decision::Act(Action::Issue { reason, .. }) if !emergency.contains(reason) => {}
            Decision::Act(_) => prop_assert_eq!(held, free),
            Decision::Wait { .. } | Decision::Blocked { .. } => {}
        }
    }
}
