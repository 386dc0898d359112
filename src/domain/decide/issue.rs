//! The decision to make a successor now, or to find the current credential first.

use time::OffsetDateTime;

use super::cleanup::{abandoned_orphan, expired, revoke};
use super::{LOSS_CONFIRMED_AFTER, WORST_LAG};
use crate::domain::attempt::{Deferred, is_urgent, may_issue};
use crate::domain::command::CommandKind;
use crate::domain::decision::{Action, Decision};
use crate::domain::observed::{CredentialFacts, Current, CurrentSignIn, Observed, VersionFacts};
use crate::domain::policy::RotationPolicy;
use crate::domain::policy_values::Adopt;
use crate::domain::reasons::{BlockReason, IssueReason, RepublishReason, RevokeReason, WaitReason};

/// Decides to replace a credential that is lost: consumers are locked out, which is the most urgent state.
pub(super) fn current_lost(
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    let reason = match loss(seen, now)? {
        Loss::Since(since) if now < since.saturating_add(LOSS_CONFIRMED_AFTER) => {
            let until = Some(since.saturating_add(LOSS_CONFIRMED_AFTER));
            return Some(Decision::Wait { until, reason: WaitReason::ConfirmingLoss });
        }
        Loss::Since(_) => IssueReason::CurrentLost,
        Loss::Expired => IssueReason::CurrentExpired,
    };
    if let Some(from) = &seen.fallback {
        let reason = RepublishReason::CurrentLost;
        return Some(Decision::Act(Action::Republish { from: from.clone(), reason }));
    }
    // Orphans of earlier attempts may be what delays the next one. The current text is not of any of them.
    if may_issue(reason, seen, policy, now).is_err()
        && let Some(orphan) = abandoned_orphan(seen, policy, now)
    {
        return Some(revoke(orphan, RevokeReason::Orphaned));
    }
    Some(issue(reason, seen, policy, now))
}

enum Loss {
    /// Gone from Entra and refused, since then.
    Since(OffsetDateTime),
    /// Past its end by Entra's own date.
    Expired,
}

/// Returns the loss of the current credential, if it is lost. A version that names no credential is reported, not
/// replaced.
fn loss(seen: &Observed, now: OffsetDateTime) -> Option<Loss> {
    let version = seen.current_version()?;
    if seen.sign_in == CurrentSignIn::Accepted {
        return None;
    }
    let candidates: Vec<_> =
        seen.credentials.iter().filter(|credential| credential.may_be_text_of(version)).collect();
    // Without an answer from Entra, only the tag names the credential; the text may be of a good one.
    if seen.sign_in != CurrentSignIn::Refused
        && candidates.iter().any(|credential| !credential.is_expired(now))
    {
        return None;
    }
    match seen.current_credential() {
        Some(credential) if credential.is_expired(now) => Some(Loss::Expired),
        Some(_) => None,
        None => {
            version.named()?;
            let is_refused = seen.sign_in == CurrentSignIn::Refused;
            (is_refused && candidates.is_empty()).then(|| Loss::Since(seen.lost_since.unwrap_or(now)))
        }
    }
}

/// Decides to adopt the current credential if the version does not name it and its text proves it.
pub(super) fn current_unnamed(
    seen: &Observed,
    policy: &RotationPolicy,
    _: OffsetDateTime,
) -> Option<Decision> {
    let version = seen.current_version()?;
    if has_tag(version) {
        return None;
    }
    let key_id = version.proven?;
    match policy.adopt() {
        Adopt::Match | Adopt::Rotate => Some(Decision::Act(Action::Adopt { key_id })),
        // An operator's command takes precedence over the policy.
        Adopt::Report if seen.is_compromised() || is_commanded(seen) => None,
        Adopt::Report => Some(Decision::Blocked { until: None, reason: BlockReason::UnknownCredential }),
    }
}

/// Returns true if the tag is present. An unreadable tag was set by a person all the same: it is reported, not
/// overwritten.
fn has_tag(version: &VersionFacts) -> bool {
    !matches!(version.tags.credential_id(), Ok(None))
}

/// Decides if the current credential is not known: nothing is retired, and only a command or the policy makes a
/// successor.
pub(super) fn current_unlisted(
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    let version = seen.current_version()?;
    if seen.current_credential().is_some() {
        return None;
    }
    if seen.is_compromised() {
        return Some(issue(IssueReason::Compromised, seen, policy, now));
    }
    if is_commanded(seen) {
        return Some(issue(IssueReason::Command, seen, policy, now));
    }
    let listed_by = version.created.saturating_add(WORST_LAG);
    if has_tag(version) && now < listed_by {
        return Some(Decision::Wait { until: Some(listed_by), reason: WaitReason::Propagating });
    }
    if !has_tag(version) && policy.adopt() == Adopt::Rotate {
        return Some(issue(IssueReason::Unadopted, seen, policy, now));
    }
    Some(Decision::Blocked { until: None, reason: BlockReason::UnknownCredential })
}

/// Decides to make a successor that is due or commanded and may be made now. Otherwise the other checks go on.
pub(super) fn successor_wanted(
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    let reason = wanted(seen, policy, now)?;
    match issue(reason, seen, policy, now) {
        act @ Decision::Act(_) => Some(act),
        Decision::Wait { .. } | Decision::Blocked { .. } => None,
    }
}

/// Returns the reason why a successor is wanted, if one is.
pub(super) fn wanted(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Option<IssueReason> {
    if seen.current == Current::Missing || seen.is_placeholder() {
        return Some(IssueReason::FirstCredential);
    }
    if seen.is_compromised() {
        return Some(IssueReason::Compromised);
    }
    if is_commanded(seen) {
        return Some(IssueReason::Command);
    }
    let current = seen.current_credential()?;
    let kept = seen.current_version().is_some_and(|version| version.tags.is_rolled_back());
    let due = current.is_due(policy, now);
    (due && (!kept || is_urgent(Some(current), policy, now))).then_some(IssueReason::NearExpiry)
}

/// Returns true if an operator commanded a rotation that is not completed yet.
fn is_commanded(seen: &Observed) -> bool {
    seen.command.is_some_and(|command| command.kind == CommandKind::Rotate) && !seen.is_command_completed()
}

/// Makes a successor for this reason, or room for it, or returns what it waits for.
pub(super) fn issue(
    reason: IssueReason,
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Decision {
    match may_issue(reason, seen, policy, now) {
        Ok(attempt) if has_room(seen) => Decision::Act(Action::Issue { reason, attempt }),
        Ok(_) => match room(reason, seen, policy, now) {
            Some((credential, why)) => revoke(credential, why),
            None => Decision::Blocked { until: None, reason: BlockReason::PasswordLimitReached },
        },
        Err(Deferred::Waiting(reason, until)) => Decision::Wait { until, reason },
        Err(Deferred::Blocked(reason)) => Decision::Blocked { until: None, reason },
    }
}

fn has_room(seen: &Observed) -> bool {
    seen.max_credentials.is_none_or(|most| seen.credentials.len() < most)
}

/// Returns the credential to revoke to make room: an expired one, an abandoned orphan, or, for a compromise, a
/// superseded one.
fn room<'a>(
    reason: IssueReason,
    seen: &'a Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<(&'a CredentialFacts, RevokeReason)> {
    expired(seen, policy, now)
        .or_else(|| Some((abandoned_orphan(seen, policy, now)?, RevokeReason::Orphaned)))
        .or_else(|| {
            Some((oldest_superseded(seen)?, RevokeReason::Room))
                .filter(|_| reason == IssueReason::Compromised)
        })
}

/// Finds the credential that was superseded first and that no other managed secret may hold.
fn oldest_superseded(seen: &Observed) -> Option<&CredentialFacts> {
    seen.held_elsewhere.as_ref()?;
    let superseded = seen.superseded().into_iter();
    let free = superseded.filter(|(credential, _)| !seen.may_be_held_elsewhere(credential));
    free.min_by_key(|(_, at)| *at).map(|(credential, _)| credential)
}
