//! The steps after a publication: copying to the replicas, then removing credentials and versions that are no longer
//! needed.

use time::OffsetDateTime;

use super::WORST_LAG;
use crate::domain::decision::{Action, Decision};
use crate::domain::names::SecretId;
use crate::domain::observed::{CredentialFacts, CurrentSignIn, Observed, UsageFacts, VersionFacts};
use crate::domain::policy::RotationPolicy;
use crate::domain::policy_values::{ForeignExpired, UsageGate};
use crate::domain::reasons::RevokeReason;
use crate::domain::replica::{ReplicaFacts, ReplicaState};

/// Decides to copy the primary's text, if it is good, to a replica that holds another one.
pub(super) fn replica_behind(seen: &Observed, _: &RotationPolicy, now: OffsetDateTime) -> Option<Decision> {
    is_proven_good(seen, now)?;
    if seen.current_quarantine().is_some() {
        return None;
    }
    let behind = seen.replicas.iter().find(|replica| replica.state == ReplicaState::OutOfSync)?;
    Some(Decision::Act(Action::Copy { to: behind.secret.clone() }))
}

/// Decides on the same copy if the consumers of the replica can't sign in any more, even during a pause.
pub(super) fn replica_locked_out(seen: &Observed, now: OffsetDateTime) -> Option<Decision> {
    is_proven_good(seen, now)?;
    if seen.current_quarantine().is_some() {
        return None;
    }
    let locked_out = seen.replicas.iter().find(|replica| is_locked_out(seen, replica))?;
    Some(Decision::Act(Action::Copy { to: locked_out.secret.clone() }))
}

/// Returns true if the replica is out of sync and the credential that its newest version names is gone.
fn is_locked_out(seen: &Observed, replica: &ReplicaFacts) -> bool {
    let newest = replica.versions.last();
    replica.state == ReplicaState::OutOfSync
        && newest.is_some_and(|version| seen.names_gone_credential(version))
}

/// Decides to revoke a compromised credential once its successor is published, regardless of overlap, usage gate and
/// replicas.
pub(super) fn compromised_left(seen: &Observed, _: &RotationPolicy, now: OffsetDateTime) -> Option<Decision> {
    is_proven_good(seen, now)?;
    if seen.is_compromised() {
        return None;
    }
    seen.compromised().first().map(|credential| revoke(credential, RevokeReason::Compromised))
}

/// Decides to revoke a credential that was never published and is too old for any rotation to be still using it.
pub(super) fn orphan_abandoned(
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    let orphan = abandoned_orphan(seen, policy, now)?;
    Some(revoke(orphan, RevokeReason::Orphaned))
}

/// Returns the orphan that may be revoked. A replica that is not known to be in sync might hold any orphan, so then
/// there is none.
pub(super) fn abandoned_orphan<'a>(
    seen: &'a Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<&'a CredentialFacts> {
    seen.in_sync_since()?;
    seen.orphans().find(|orphan| orphan.start.saturating_add(policy.orphan_grace()) <= now)
}

/// Decides to revoke a credential of ours that is past its end: it is of no use to anyone.
pub(super) fn expired_left_behind(
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    let ours = expired(seen, policy, now).filter(|(_, reason)| *reason == RevokeReason::Expired)?;
    Some(revoke(ours.0, ours.1))
}

/// Decides to revoke a credential that is not ours and is past its end, if the policy asks to remove those.
pub(super) fn foreign_expired(
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    expired(seen, policy, now).map(|(credential, reason)| revoke(credential, reason))
}

/// Returns a credential past its end that may be revoked: ours first, then others' if the policy asks for that.
pub(super) fn expired<'a>(
    seen: &'a Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<(&'a CredentialFacts, RevokeReason)> {
    let protected = seen.protected();
    let ours = seen.credentials.iter().find(|credential| {
        credential.is_ours() && credential.is_expired(now) && !protected.contains(&credential.key_id)
    });
    ours.map(|credential| (credential, RevokeReason::Expired)).or_else(|| {
        let is_wanted = policy.foreign_expired() == ForeignExpired::Remove;
        let foreign = seen.foreign_expired(now).next().filter(|_| is_wanted)?;
        Some((foreign, RevokeReason::ForeignExpired))
    })
}

/// Decides to revoke a superseded credential: its successor is published and signs in, and consumers had their time or
/// an operator does not want to wait.
pub(super) fn superseded_over(
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    is_proven_good(seen, now)?;
    seen.in_sync_since()?;
    // Until every other secret of the application has been observed, any of them may use the credential.
    seen.held_elsewhere.as_ref()?;
    seen.superseded().into_iter().find_map(|(credential, at)| {
        let reason = end_of(credential, at, seen, policy, now)?;
        Some(revoke(credential, reason))
    })
}

/// Returns the reason to revoke a credential now that has been superseded since `at`, if there is one.
fn end_of(
    credential: &CredentialFacts,
    at: OffsetDateTime,
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<RevokeReason> {
    if seen.is_retire_commanded(at) {
        return Some(RevokeReason::Retired);
    }
    if now < at.saturating_add(policy.overlap()) {
        return None;
    }
    match quiet_from(credential, at, seen, policy) {
        Some(quiet) if quiet <= now => Some(RevokeReason::Superseded),
        Some(_) | None if at.saturating_add(policy.max_overlap()) <= now => Some(RevokeReason::MaxOverlap),
        Some(_) | None => None,
    }
}

/// Returns the time from which a superseded credential counts as out of use; `None` if it is not known now.
///
/// The report lags, so silence counts only after a while, and from the publication on at the earliest.
pub(super) fn quiet_from(
    credential: &CredentialFacts,
    at: OffsetDateTime,
    seen: &Observed,
    policy: &RotationPolicy,
) -> Option<OffsetDateTime> {
    match (policy.usage_gate(), &seen.usage) {
        (UsageGate::Off, _) | (UsageGate::Report, UsageFacts::Unavailable(_)) => Some(at),
        (UsageGate::Report, UsageFacts::NotAsked) => None,
        (UsageGate::Report, UsageFacts::Seen(last)) => {
            let last = last.get(&credential.key_id).copied().unwrap_or(at).max(at);
            Some(last.saturating_add(policy.usage_quiet()))
        }
    }
}

/// Decides to disable an older version whose credential is gone and whose text is refused: it can only mislead.
pub(super) fn revoked_version_enabled(
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    is_proven_good(seen, now)?;
    let version =
        compromised_version_over(seen, now).or_else(|| superseded_version_over(seen, policy, now))?;
    Some(disable(version, None))
}

/// Finds a version whose compromised credential is gone and refused.
fn compromised_version_over(seen: &Observed, now: OffsetDateTime) -> Option<&VersionFacts> {
    let reported = seen.compromised_versions().map(|(_, at)| at).max();
    let settled = reported.is_some_and(|at| at.saturating_add(WORST_LAG) <= now);
    seen.unproven_revocations().find(|version| {
        version.refused && (is_gone(seen, version) || (settled && names_foreign_credential(seen, version)))
    })
}

/// Finds a version whose credential is gone and refused, once the overlap is over or an operator asked to retire it.
fn superseded_version_over<'a>(
    seen: &'a Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<&'a VersionFacts> {
    seen.in_sync_since()?;
    let mut gone = seen
        .older_versions()
        .filter(|version| version.enabled && version.refused && seen.names_gone_credential(version));
    gone.find(|version| {
        seen.followed_at(version.created)
            .is_some_and(|at| at.saturating_add(policy.overlap()) <= now || seen.is_retire_commanded(at))
    })
}

/// Decides on the same for a version of a replica.
pub(super) fn revoked_replica_enabled(
    seen: &Observed,
    _: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    is_proven_good(seen, now)?;
    let in_sync = seen.replicas.iter().filter(|replica| matches!(replica.state, ReplicaState::InSync(_)));
    in_sync.flat_map(|replica| replica.older().map(move |version| (replica, version))).find_map(
        |(replica, version)| {
            let dead =
                version.enabled && version.refused && version.named().is_some() && is_gone(seen, version);
            dead.then(|| disable(version, Some(replica.secret.clone())))
        },
    )
}

/// Returns true if the version's tag, without any other proof, names a credential that is not ours and will thus never
/// be revoked.
fn names_foreign_credential(seen: &Observed, version: &VersionFacts) -> bool {
    let named = version.named().and_then(|key_id| seen.credential(key_id));
    named.is_some_and(|credential| !credential.is_ours())
}

/// Returns true if Entra does not list the credential that the version names.
fn is_gone(seen: &Observed, version: &VersionFacts) -> bool {
    version.named().is_none_or(|key_id| seen.credential(key_id).is_none())
}

/// Decides to clear the index of superseded credentials if it names some although none is left.
pub(super) fn index_left_behind(
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    is_proven_good(seen, now)?;
    let current = seen.current_version()?;
    let indexed = current.tags.superseded().map_or(true, |index| !index.is_empty());
    let older = seen
        .older_versions()
        .any(|version| version.enabled && version.named().is_some() && version.named() != current.named());
    let settled = current.created.saturating_add(policy.overlap()) <= now;
    (indexed && !older && settled && seen.superseded().is_empty())
        .then_some(Decision::Act(Action::ClearIndex))
}

/// Checks that the current credential is listed, unexpired, and just signed in: while it is in doubt, nothing is
/// retired.
pub(super) fn is_proven_good(seen: &Observed, now: OffsetDateTime) -> Option<()> {
    let current = seen.current_credential()?;
    (!current.is_expired(now) && seen.sign_in == CurrentSignIn::Accepted).then_some(())
}

pub(super) fn revoke(credential: &CredentialFacts, reason: RevokeReason) -> Decision {
    Decision::Act(Action::Revoke { key_id: credential.key_id, reason })
}

fn disable(version: &VersionFacts, replica: Option<SecretId>) -> Decision {
    Decision::Act(Action::Disable { version: version.version.clone(), replica })
}
