//! The answer if nothing is to be done: the reason, and the first moment at which it can change.

use time::OffsetDateTime;

use super::cleanup::quiet_from;
use super::issue::{issue, wanted};
use crate::domain::attempt::{Deferred, block_reason, may_issue};
use crate::domain::decision::Decision;
use crate::domain::observed::{CurrentSignIn, Observed};
use crate::domain::policy::RotationPolicy;
use crate::domain::reasons::{BlockReason, WaitReason};

/// Returns a block if Entra lists the current credential but does not accept its text, or can't be asked.
pub(super) fn current_in_doubt(
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    let until = next_change(seen, policy, now);
    match &seen.sign_in {
        CurrentSignIn::Refused => Some(Decision::Blocked { until, reason: BlockReason::CurrentRefused }),
        CurrentSignIn::Unclear(problem) => Some(Decision::Blocked { until, reason: block_reason(problem) }),
        CurrentSignIn::Accepted | CurrentSignIn::NoText => None,
    }
}

/// Returns the answer if nothing is to be done now.
pub(super) fn idle(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Decision {
    let until = next_change(seen, policy, now);
    if seen.remaining_compromised().is_some() {
        return Decision::Blocked { until, reason: BlockReason::CompromisedCredentialRemains };
    }
    if let Some(reason) = wanted(seen, policy, now) {
        return match issue(reason, seen, policy, now) {
            Decision::Blocked { reason, .. } => Decision::Blocked { until, reason },
            Decision::Wait { reason, .. } => Decision::Wait { until, reason },
            act @ Decision::Act(_) => act,
        };
    }
    Decision::Wait { until, reason: idle_reason(seen, policy, now) }
}

fn idle_reason(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> WaitReason {
    let superseded = seen.superseded();
    if seen.is_compromise_unfinished() || seen.is_compromise_scope_unknown() {
        WaitReason::ProvingRevocation
    } else if seen.current_credential().is_some_and(|credential| credential.is_due(policy, now)) {
        WaitReason::RolledBack
    } else if seen.in_sync_since().is_none() {
        WaitReason::ReplicaBehind
    } else if superseded.is_empty() {
        WaitReason::NotDue
    } else if superseded.iter().any(|(_, at)| at.saturating_add(policy.overlap()) <= now) {
        WaitReason::InUse
    } else {
        WaitReason::Overlap
    }
}

/// Returns the first moment after `now` at which one of the checks can return another answer.
fn next_change(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let ends = seen.credentials.iter().map(|credential| credential.end);
    let current = seen.current_credential().into_iter();
    let due = current.flat_map(|c| [policy.due(c.start, c.end), policy.urgent_from(c.start, c.end)]);
    let orphans = seen.orphans().map(|orphan| orphan.start.saturating_add(policy.orphan_grace()));
    let superseded = seen.superseded();
    let overlaps = superseded.iter().flat_map(|(credential, at)| {
        let spans = [policy.overlap(), policy.max_overlap()];
        let quiet = quiet_from(credential, *at, seen, policy);
        spans.map(|span| at.saturating_add(span)).into_iter().chain(quiet)
    });
    let older = seen.older_versions().filter(|version| version.enabled);
    let followed = older
        .filter_map(|version| seen.followed_at(version.created))
        .map(|at| at.saturating_add(policy.overlap()));
    let published = seen.current_version().map(|version| version.created.saturating_add(policy.overlap()));
    let held = wanted(seen, policy, now).and_then(|reason| match may_issue(reason, seen, policy, now) {
        Err(Deferred::Waiting(_, until)) => until,
        Ok(_) | Err(Deferred::Blocked(_)) => None,
    });
    let moments = ends.chain(due).chain(orphans).chain(overlaps).chain(followed).chain(published).chain(held);
    moments.filter(|moment| *moment > now).min()
}
