//! The limits on making a credential now: retries are never a tight loop, and a restart resets nothing.

use time::{Duration, OffsetDateTime};

use super::observed::{CredentialFacts, CurrentSignIn, Observed, SignInProblem};
use super::policy::RotationPolicy;
use super::reasons::{BlockReason, IssueReason, WaitReason};

/// The reason why no credential is made although one is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deferred {
    /// It waits until this moment, if that is known.
    Waiting(WaitReason, Option<OffsetDateTime>),
    /// Something is in the way.
    Blocked(BlockReason),
}

/// Returns the number of the attempt that may be made now for this reason, or the reason to wait.
///
/// Does not check for room: making room is an action of its own.
pub(super) fn may_issue(
    reason: IssueReason,
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Result<u32, Deferred> {
    let most =
        if reason == IssueReason::Compromised { MAX_ORPHANS_AT_RISK } else { max_orphans(seen, policy, now) };
    let attempt = next_attempt(most, seen, policy, now)?;
    if let Some(reason) = seen.preflight_failure {
        return Err(Deferred::Blocked(reason));
    }
    let known = seen.current_credential();
    let is_urgent = known.is_some() && is_urgent(known, policy, now);
    match seen.rollout_limits.applying_to(reason, is_urgent) {
        Some((reason, until)) => Err(Deferred::Waiting(reason, until)),
        None => Ok(attempt),
    }
}

/// Returns the number of the attempt that may be made now.
///
/// Derives it from the observation alone: the tag of the last attempt, and the credentials that earlier attempts left
/// behind.
fn next_attempt(
    most: usize,
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Result<u32, Deferred> {
    if let CurrentSignIn::Unclear(problem) = &seen.sign_in {
        return Err(Deferred::Blocked(block_reason(problem)));
    }
    let pending = seen.pending().filter(|pending| pending.is_plausible(now));
    if let Some(end) = pending.as_ref().and_then(|pending| pending.under_way_until(policy.deadline(), now)) {
        return Err(Deferred::Waiting(WaitReason::InFlight, Some(end)));
    }
    let orphans: Vec<_> =
        seen.orphans().filter(|orphan| !orphan.is_expired(now)).map(|orphan| orphan.start).collect();
    let (attempt, began) = pending.map_or((0, None), |pending| (pending.attempt, Some(pending.began)));
    let latest = orphans.iter().copied().chain(began).max();
    if orphans.len() >= most
        && let Some(oldest) = orphans.iter().min()
    {
        let until = Some(oldest.saturating_add(policy.orphan_grace()));
        return Err(Deferred::Waiting(WaitReason::TooManyOrphans, until));
    }
    if let Some(latest) = latest {
        wait_until(latest.saturating_add(pause(attempt, orphans.len())), WaitReason::BackOff, now)?;
    }
    Ok(attempt.saturating_add(1))
}

pub(super) fn block_reason(problem: &SignInProblem) -> BlockReason {
    match problem {
        SignInProblem::ApplicationDisabled => BlockReason::ApplicationDisabled,
        SignInProblem::ApplicationUnknown => BlockReason::ApplicationMissing,
        SignInProblem::NoServicePrincipal => BlockReason::NoServicePrincipal,
        SignInProblem::Other(_) => BlockReason::SignInUnclear,
    }
}

fn wait_until(moment: OffsetDateTime, reason: WaitReason, now: OffsetDateTime) -> Result<(), Deferred> {
    if now < moment { Err(Deferred::Waiting(reason, Some(moment))) } else { Ok(()) }
}

/// Returns the pause after the latest attempt: 15 min · 4^max(attempt − 1, orphans), at most one day.
fn pause(attempt: u32, orphans: usize) -> Duration {
    let exponent = u32::try_from(orphans).unwrap_or(u32::MAX).max(attempt.saturating_sub(1)).min(8);
    (Duration::minutes(15) * 4_i32.pow(exponent)).min(Duration::days(1))
}

fn max_orphans(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> usize {
    if is_urgent(seen.current_credential(), policy, now) { MAX_ORPHANS_AT_RISK } else { 2 }
}

/// The limit if consumers would be locked out soon, or a credential is compromised.
const MAX_ORPHANS_AT_RISK: usize = 4;

impl Observed {
    /// Returns true if consumers are locked out, will be soon, or use a compromised credential.
    #[must_use]
    pub fn is_emergency(&self, reason: IssueReason, policy: &RotationPolicy, now: OffsetDateTime) -> bool {
        let current = self.current_credential();
        match reason {
            IssueReason::CurrentLost | IssueReason::CurrentExpired | IssueReason::Compromised => true,
            IssueReason::NearExpiry
            | IssueReason::Command
            | IssueReason::FirstCredential
            | IssueReason::Unadopted => current.is_some() && is_urgent(current, policy, now),
        }
    }
}

/// Returns true if consumers would be locked out soon. A secret without a known credential counts as urgent.
pub(super) fn is_urgent(
    current: Option<&CredentialFacts>,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> bool {
    current.is_none_or(|credential| credential.is_urgent(policy, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pause between attempts grows with the number of attempts and of orphans, up to one day.
    #[test]
    fn pause_grows_with_attempts_and_orphans() {
        let minutes = |attempt, orphans| pause(attempt, orphans).whole_minutes();
        assert_eq!((minutes(1, 0), minutes(2, 0), minutes(3, 1)), (15, 60, 240));
        assert_eq!((minutes(1, 2), minutes(9, 0), minutes(u32::MAX, usize::MAX)), (240, 1_440, 1_440));
    }
}
