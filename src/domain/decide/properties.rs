#![expect(clippy::unwrap_used, reason = "a test may fail")]

use proptest::prelude::*;

use super::tests::{NOW, decided, key, policy, rotation, seen, version};
use super::*;
use crate::domain::command::{Command, CommandKind};
use crate::domain::decision::Action;
use crate::domain::observed::{CredentialFacts, CurrentSignIn};
use crate::domain::observed::{SignInProblem, VersionFacts};
use crate::domain::reasons::RevokeReason;
use crate::domain::tags::{self, PendingRotation};

prop_compose! {
    fn any_credential(number: u128)(
        age in 0_i64..200 * 24, days in 1_i64..200, marked in any::<bool>(), text in proptest::bool::weighted(0.2),
    ) -> CredentialFacts {
        let start = NOW - Duration::hours(age);
        CredentialFacts {
            key_id: key(number),
            rotation: marked.then(rotation),
            is_of_other_secret: false,
            start,
            end: start + Duration::days(days),
            may_be_current_text: text,
        }
    }
}

prop_compose! {
    fn any_version(number: u128)(
        age in 0_i64..200 * 24, names in 0_u128..5, enabled in any::<bool>(), refused in any::<bool>(), proven in proptest::option::weighted(0.2, 0_u128..5),
        pending in proptest::option::weighted(0.2, (0_i64..3_000, 1_u32..6, any::<bool>())),
    ) -> VersionFacts {
        let mut facts = version(number, Duration::hours(age));
        facts.tags.set(tags::CREDENTIAL_ID, key(names));
        (facts.enabled, facts.proven, facts.refused) = (enabled, proven.map(key), refused);
        if let Some((began, attempt, failed)) = pending {
            let began = NOW - Duration::minutes(began);
            facts.tags.set(tags::PENDING_ROTATION, PendingRotation { rotation: rotation(), began, attempt, failed });
        }
        facts
    }
}

fn any_sign_in() -> impl Strategy<Value = CurrentSignIn> {
    prop_oneof![
        3 => Just(CurrentSignIn::Accepted),
        1 => Just(CurrentSignIn::Refused),
        1 => Just(CurrentSignIn::Unclear(SignInProblem::Other("busy".into()))),
    ]
}

prop_compose! {
    pub(super) fn any_observed()(
        versions in (any_version(1), any_version(2), any_version(3)),
        credentials in (any_credential(0), any_credential(1), any_credential(2), any_credential(3)),
        listed in 0_usize..=4,
        sign_in in any_sign_in(),
        commanded in proptest::option::weighted(0.2, 0_i64..100),
    ) -> Observed {
        let mut versions = vec![versions.0, versions.1, versions.2];
        versions.sort_by_key(|version| version.created);
        let credentials = vec![credentials.0, credentials.1, credentials.2, credentials.3];
        let credentials = credentials.into_iter().take(listed).collect();
        let command = commanded.map(|hours| Command { kind: CommandKind::Rotate, at: NOW - Duration::hours(hours) });
        Observed { sign_in, command, lost_since: Some(NOW - Duration::minutes(3)), ..seen(versions, credentials) }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_may_be_published_is_never_revoked(seen in any_observed()) {
        if let Decision::Act(Action::Revoke { key_id, .. }) = decided(&seen) {
            prop_assert!(!seen.protected().contains(&key_id));
        }
    }

    /// Without a command, a credential that is not proven to be managed is never revoked.
    #[test]
    fn unproven_credential_is_never_revoked(seen in any_observed()) {
        if let Decision::Act(Action::Revoke { key_id, .. }) = decided(&seen) {
            let marked = seen.credential(key_id).unwrap().rotation.is_some();
            let proven = seen.older_versions().any(|version| version.proven == Some(key_id));
            prop_assert!(marked || proven);
        }
    }

    #[test]
    fn the_current_version_is_never_disabled(seen in any_observed()) {
        if let Decision::Act(Action::Disable { version, replica: None }) = decided(&seen) {
            prop_assert_ne!(Some(&version), seen.current_version().map(|current| &current.version));
        }
    }

    /// No credential is revoked as superseded unless the current text signs in and its credential has not ended.
    #[test]
    fn nothing_is_superseded_while_current_is_doubtful(seen in any_observed()) {
        if let Decision::Act(Action::Revoke { reason: RevokeReason::Superseded, .. }) = decided(&seen) {
            prop_assert_eq!(&seen.sign_in, &CurrentSignIn::Accepted);
            prop_assert!(seen.current_credential().unwrap().end > NOW);
        }
    }

    #[test]
    fn nothing_changes_before_the_moment_waited_for(seen in any_observed(), minutes in 1_i64..200_000) {
        let first = decided(&seen);
        let later = NOW + Duration::minutes(minutes);
        if let Decision::Wait { until, .. } = &first && until.is_none_or(|until| later < until) {
            prop_assert_eq!(decide(&seen, &policy(), later), first);
        }
    }
}
