#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail")]

use proptest::prelude::*;

use super::properties::any_observed;
use super::tests::{NOW, credential, decided, key, seen, version};
use super::*;
use crate::domain::command::{Command, CommandKind};
use crate::domain::decision::Action;
use crate::domain::observed::{Current, VersionFacts};
use crate::domain::reasons::{BlockReason, IssueReason, RevokeReason, WaitReason};
use crate::domain::tags::{self, Quarantine, QuarantineReason};
use crate::domain::{Adopt, ForeignExpired, PolicyValues};

const COMMANDS: [CommandKind; 7] = [
    CommandKind::Rotate,
    CommandKind::Rollback,
    CommandKind::Compromised { all_credentials: false },
    CommandKind::Compromised { all_credentials: true },
    CommandKind::Retire,
    CommandKind::Pause,
    CommandKind::Resume,
];

fn command(kind: CommandKind) -> Command {
    Command { kind, at: NOW }
}

fn blocked(reason: BlockReason) -> Decision {
    Decision::Blocked { until: None, reason }
}

fn issue(reason: IssueReason) -> Decision {
    Decision::Act(Action::Issue { reason, attempt: 1 })
}

fn revoke(number: u128, reason: RevokeReason) -> Decision {
    Decision::Act(Action::Revoke { key_id: key(number), reason })
}

/// Returns a young credential whose version does not name it.
fn unnamed(proven: bool, kind: Option<CommandKind>) -> Observed {
    let mut facts = version(1, Duration::days(2));
    facts.tags.remove(tags::CREDENTIAL_ID);
    facts.tags.remove(tags::ROTATION_ID);
    facts.proven = proven.then(|| key(1));
    let mut foreign = credential(1, Duration::days(2));
    (foreign.rotation, foreign.may_be_current_text) = (None, true);
    Observed { command: kind.map(command), ..seen(vec![facts], vec![foreign]) }
}

/// A version that names no credential is adopted, reported or replaced by the `adopt` rule, its proof and the command.
#[test]
fn version_without_credential_follows_adopt_rule() {
    let (adopt, reported) =
        (Decision::Act(Action::Adopt { key_id: key(1) }), blocked(BlockReason::UnknownCredential));
    let (commanded, unadopted) = (issue(IssueReason::Command), issue(IssueReason::Unadopted));
    let asked = Some(CommandKind::Rotate);
    for (rule, proven, command, expected) in [
        (Adopt::Match, true, None, &adopt),
        (Adopt::Rotate, true, None, &adopt),
        (Adopt::Report, true, None, &reported),
        (Adopt::Match, false, None, &reported),
        (Adopt::Rotate, false, None, &unadopted),
        (Adopt::Report, false, None, &reported),
        (Adopt::Match, true, asked, &adopt),
        (Adopt::Report, true, asked, &commanded),
        (Adopt::Match, false, asked, &commanded),
        (Adopt::Report, false, asked, &commanded),
    ] {
        let policy =
            RotationPolicy::try_new(PolicyValues { adopt: rule, ..PolicyValues::default() }).unwrap();
        assert_eq!(
            decide(&unnamed(proven, command), &policy, NOW),
            *expected,
            "{rule:?} {proven} {command:?}"
        );
    }
}

/// A `CredentialId` tag that cannot be read is taken as set by a person and is never overwritten.
#[test]
fn unreadable_credential_tag_is_kept() {
    for rule in [Adopt::Match, Adopt::Rotate, Adopt::Report] {
        let policy =
            RotationPolicy::try_new(PolicyValues { adopt: rule, ..PolicyValues::default() }).unwrap();
        let mut seen = unnamed(true, None);
        if let Current::Readable(version) = &mut seen.current {
            version.tags.set(tags::CREDENTIAL_ID, "the one of last spring");
        }
        let decision = decide(&seen, &policy, NOW);
        assert!(matches!(decision, Decision::Wait { reason: WaitReason::NotDue, .. }), "{decision:?}");
    }
}

/// Returns a due credential in an application with room for two: the second one is as `change` makes it.
fn crowded(kind: Option<CommandKind>, change: impl FnOnce(&mut Observed)) -> Observed {
    let age = Duration::days(70);
    let mut seen = seen(vec![version(2, age)], vec![credential(1, age), credential(2, age)]);
    seen.credentials[1].may_be_current_text = true;
    seen.max_credentials = Some(2);
    seen.command = kind.map(command);
    change(&mut seen);
    seen
}

fn foreign(seen: &mut Observed) {
    seen.credentials[0].rotation = None;
}

fn expired(seen: &mut Observed) {
    seen.credentials[0].end = NOW - Duration::HOUR;
}

fn orphaned(age: Duration) -> impl FnOnce(&mut Observed) {
    move |seen| seen.credentials[0].start = NOW - age
}

/// Makes the current credential one that was published an hour ago in place of the other one.
fn superseded(seen: &mut Observed) {
    seen.versions.insert(0, version(1, Duration::days(60)));
    let current = version(2, Duration::HOUR);
    seen.versions[1] = current.clone();
    seen.current = Current::Readable(Box::new(current));
}

fn compromised(seen: &mut Observed) {
    superseded(seen);
    if let Current::Readable(version) = &mut seen.current {
        let noted = Quarantine { reason: QuarantineReason::Compromised, at: NOW };
        version.tags.set(tags::QUARANTINED, noted);
    }
}

/// At the password limit only a credential that is no longer needed is revoked to make room.
#[test]
fn only_unneeded_credentials_make_room() {
    let is_full = |seen: &Observed| match decided(seen) {
        Decision::Blocked { reason, .. } => reason == BlockReason::PasswordLimitReached,
        Decision::Act(_) | Decision::Wait { .. } => false,
    };
    assert!(is_full(&crowded(None, foreign)), "another owner's");
    assert!(is_full(&crowded(None, |seen| {
        foreign(seen);
        expired(seen);
    })));
    assert!(is_full(&crowded(None, orphaned(Duration::hours(23)))), "it may still be in hand");
    assert!(is_full(&crowded(None, superseded)), "consumers are moving over");
    assert!(is_full(&crowded(Some(CommandKind::Rotate), |seen| {
        superseded(seen);
        seen.versions[1].tags.remove(tags::ROTATION_ID);
        seen.current = Current::Readable(Box::new(seen.versions[1].clone()));
    })));
    assert_eq!(decided(&crowded(None, expired)), revoke(1, RevokeReason::Expired));
    assert_eq!(decided(&crowded(None, orphaned(Duration::hours(25)))), revoke(1, RevokeReason::Orphaned));
    let bad = Some(CommandKind::Compromised { all_credentials: false });
    assert_eq!(decided(&crowded(bad, compromised)), revoke(1, RevokeReason::Room));
    assert!(is_full(&crowded(bad, |seen| {
        compromised(seen);
        foreign(seen);
    })));
}

/// An expired credential is revoked before an orphan; a foreign expired one only if the policy allows it.
#[test]
fn expired_credential_goes_before_an_orphan() {
    let mut seen = crowded(None, orphaned(Duration::hours(25)));
    let mut old = credential(3, Duration::days(100));
    old.end = NOW - Duration::DAY;
    seen.credentials.push(old);
    assert_eq!(decided(&seen), revoke(3, RevokeReason::Expired));
    seen.credentials[2].rotation = None;
    assert_eq!(decided(&seen), revoke(1, RevokeReason::Orphaned));
    let remove = PolicyValues { foreign_expired: ForeignExpired::Remove, ..PolicyValues::default() };
    let remove = RotationPolicy::try_new(remove).unwrap();
    assert_eq!(decide(&seen, &remove, NOW), revoke(3, RevokeReason::ForeignExpired));
    seen.credentials[2].is_of_other_secret = true;
    assert_eq!(decide(&seen, &remove, NOW), revoke(1, RevokeReason::Orphaned));
}

/// A secret without versions gets its first credential, under any command, if its application allows one.
#[test]
fn first_credential_needs_only_willing_application() {
    let missing = seen(Vec::new(), Vec::new());
    assert_eq!(decided(&missing), issue(IssueReason::FirstCredential));
    for kind in COMMANDS {
        let asked = Observed { command: Some(command(kind)), ..missing.clone() };
        assert_eq!(decided(&asked), issue(IssueReason::FirstCredential), "{kind:?}");
    }
    let refused = Observed { denied_reason: Some(BlockReason::PublicClient), ..missing };
    assert_eq!(decided(&refused), blocked(BlockReason::PublicClient));
}

/// A compromise is over if the text is refused and its tag names a foreign credential, which is never revoked.
#[test]
fn compromise_ends_despite_foreign_credential_tag() {
    let told = |minutes| {
        let at = NOW - Duration::minutes(minutes);
        let mut old = version(1, Duration::days(3));
        old.tags.set(tags::QUARANTINED, Quarantine { reason: QuarantineReason::Compromised, at });
        old.refused = true;
        let new = version(2, Duration::minutes(minutes - 5));
        let mut theirs = credential(1, Duration::days(3));
        theirs.rotation = None;
        let mut seen = seen(vec![old, new], vec![theirs, credential(2, Duration::minutes(minutes - 4))]);
        seen.credentials[1].may_be_current_text = true;
        decided(&seen)
    };
    assert!(
        matches!(told(30), Decision::Wait { reason: WaitReason::ProvingRevocation, .. }),
        "{:?}",
        told(30)
    );
    let version = version(1, Duration::ZERO).version;
    assert_eq!(told(61), Decision::Act(Action::Disable { version, replica: None }));
}

fn any_command() -> impl Strategy<Value = Option<Command>> {
    proptest::option::of((0..COMMANDS.len()).prop_map(|index| command(COMMANDS[index])))
}

fn any_denied_reason() -> impl Strategy<Value = BlockReason> {
    let guards = BlockReason::ALL.iter().copied().filter(|reason| reason.is_of_guard());
    proptest::sample::select(guards.chain([BlockReason::NoProvider]).collect::<Vec<_>>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn a_denied_binding_lets_nothing_happen(seen in any_observed(), command in any_command(), denied_reason in any_denied_reason()) {
        let seen = Observed { command, denied_reason: Some(denied_reason), ..seen };
        prop_assert_eq!(decided(&seen), blocked(denied_reason));
    }

    /// No command, even after a compromise, revokes the current credential or one that is not proven to be managed.
    #[test]
    fn current_or_foreign_credentials_survive_any_command(
        seen in any_observed(), command in any_command(), noted in any::<bool>(), most in proptest::option::of(0_usize..5),
    ) {
        let mut seen = Observed { command, max_credentials: most, ..seen };
        if let Current::Readable(version) = &mut seen.current && noted {
            version.tags.set(tags::QUARANTINED, Quarantine { reason: QuarantineReason::Compromised, at: NOW });
        }
        if let Decision::Act(Action::Revoke { key_id, .. }) = decided(&seen) {
            prop_assert!(!seen.protected().contains(&key_id));
            let marked = seen.credential(key_id).unwrap().rotation.is_some();
            let proves = |version: &VersionFacts| version.proven == Some(key_id);
            prop_assert!(marked || seen.older_versions().any(proves));
        }
    }

    #[test]
    fn a_full_application_gets_no_other_credential(seen in any_observed(), command in any_command(), most in 0_usize..5) {
        let seen = Observed { command, max_credentials: Some(most), ..seen };
        if let Decision::Act(Action::Issue { .. }) = decided(&seen) {
            prop_assert!(seen.credentials.len() < most);
        }
    }
}
