//! The decision: facts, rules and the time in, one answer out.
//!
//! Each check is one rule with its reason; the first that applies decides. A new rule is a new
//! function and one word in [`CHECKS`].

use time::{Duration, OffsetDateTime};

use super::attempt::{Held, block_reason, is_critical, next_attempt};
use super::decision::{Action, BlockReason, Decision, IssueReason, RescueReason, RevokeReason, WaitReason};
use super::observed::{CredentialFacts, Current, CurrentSignIn, Observed};
use super::policy::RotationPolicy;

/// A credential that was lost has to be refused for this long, at every look, before it counts as lost.
pub const LOSS_CONFIRMED_AFTER: Duration = Duration::minutes(10);

/// Entra's lists may lag this far behind a write; only what is absent for longer counts as gone.
pub const WORST_LAG: Duration = Duration::hours(1);

/// A wish is met by a rotation that began this long before it: asking twice rotates once.
const WISH_TOLERANCE: Duration = Duration::minutes(10);

/// The first check that applies, else a wait until one can.
#[must_use]
pub fn decide(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Decision {
    let check = |check: &Check| check(seen, policy, now);
    CHECKS.iter().find_map(check).unwrap_or_else(|| rest(seen, policy, now))
}

type Check = fn(&Observed, &RotationPolicy, OffsetDateTime) -> Option<Decision>;

/// In order of precedence: people first, then rescue, issue, clear up, retire.
///
/// Issuing comes before clearing up: a credential that can't be revoked must not keep a successor from being made.
const CHECKS: [Check; 11] = [
    rotation_disabled,
    current_disabled,
    current_lost,
    current_unlisted,
    successor_wanted,
    orphan_abandoned,
    expired_left_behind,
    overlap_over,
    revoked_version_enabled,
    index_left_behind,
    current_in_doubt,
];

/// Somebody asked for this secret to be left alone.
fn rotation_disabled(seen: &Observed, _: &RotationPolicy, _: OffsetDateTime) -> Option<Decision> {
    let disabled = seen.current_version()?.tags.is_rotation_disabled();
    disabled.then_some(Decision::Wait { until: None, reason: WaitReason::RotationDisabled })
}

/// Somebody disabled the version that consumers read: people are not fought.
fn current_disabled(seen: &Observed, _: &RotationPolicy, _: OffsetDateTime) -> Option<Decision> {
    let by_a_person = seen.current == Current::Disabled && !seen.is_placeholder();
    by_a_person.then_some(Decision::Blocked { until: None, reason: BlockReason::CurrentDisabled })
}

/// Consumers are locked out: the most urgent state there is.
fn current_lost(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Option<Decision> {
    let reason = match loss(seen, now)? {
        Loss::Since(since) if now < since.saturating_add(LOSS_CONFIRMED_AFTER) => {
            let until = Some(since.saturating_add(LOSS_CONFIRMED_AFTER));
            return Some(Decision::Wait { until, reason: WaitReason::ConfirmingLoss });
        }
        Loss::Since(_) => IssueReason::CurrentLost,
        Loss::Expired => IssueReason::CurrentExpired,
    };
    if let Some(from) = &seen.fallback {
        return Some(Decision::Act(Action::Rescue { from: from.clone(), reason: RescueReason::CurrentLost }));
    }
    // Orphans of earlier attempts may be what holds the next one up. The current text is none of theirs.
    if next_attempt(seen, policy, now).is_err()
        && let Some(revoke) = orphan_abandoned(seen, policy, now)
    {
        return Some(revoke);
    }
    Some(issue(reason, seen, policy, now))
}

enum Loss {
    /// Gone from Entra and refused, since then.
    Since(OffsetDateTime),
    /// Past its end by Entra's own date.
    Expired,
}

/// Whether the current credential is lost. A version that names none is reported, not displaced.
fn loss(seen: &Observed, now: OffsetDateTime) -> Option<Loss> {
    let version = seen.current_version()?;
    if seen.sign_in == CurrentSignIn::Accepted {
        return None;
    }
    // Without an answer of Entra the tag alone says which credential this is; the text may be of a good one.
    let may_be_good = |credential: &CredentialFacts| credential.may_be_current_text && credential.end > now;
    if seen.sign_in != CurrentSignIn::Refused && seen.credentials.iter().any(may_be_good) {
        return None;
    }
    match seen.current_credential() {
        Some(credential) if credential.end <= now => Some(Loss::Expired),
        Some(_) => None,
        None => {
            version.named()?;
            let refused = seen.sign_in == CurrentSignIn::Refused;
            let text_listed = seen.credentials.iter().any(|credential| credential.may_be_current_text);
            (refused && !text_listed).then(|| Loss::Since(seen.lost_since.unwrap_or(now)))
        }
    }
}

/// The current credential is not known: nothing is retired, and only a person's wish makes a successor.
fn current_unlisted(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Option<Decision> {
    let version = seen.current_version()?;
    if seen.current_credential().is_some() {
        return None;
    }
    if is_wished(seen) {
        return Some(issue(IssueReason::Wish, seen, policy, now));
    }
    let listed_by = version.created.saturating_add(WORST_LAG);
    if version.named().is_some() && now < listed_by {
        return Some(Decision::Wait { until: Some(listed_by), reason: WaitReason::Propagating });
    }
    Some(Decision::Blocked { until: None, reason: BlockReason::UnknownCredential })
}

/// Made, never published, and old enough that no rotation can still have it in hand.
fn orphan_abandoned(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Option<Decision> {
    let abandoned = |orphan: &&CredentialFacts| orphan.start.saturating_add(policy.orphan_grace()) <= now;
    let orphan = seen.orphans().find(abandoned)?;
    Some(revoke(orphan, RevokeReason::Orphaned))
}

/// Ours, and past its end: of no use to anybody.
fn expired_left_behind(seen: &Observed, _: &RotationPolicy, now: OffsetDateTime) -> Option<Decision> {
    let protected = seen.protected();
    let left = |credential: &&CredentialFacts| {
        credential.rotation.is_some() && credential.end <= now && !protected.contains(&credential.key_id)
    };
    let expired = seen.credentials.iter().find(left)?;
    Some(revoke(expired, RevokeReason::Expired))
}

/// A successor is due or asked for, and may be made now. If it may not, the other checks go on.
fn successor_wanted(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Option<Decision> {
    let reason = wanted(seen, policy, now)?;
    let attempt = next_attempt(seen, policy, now).ok()?;
    Some(Decision::Act(Action::Issue { reason, attempt }))
}

fn wanted(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Option<IssueReason> {
    if seen.current == Current::Missing || seen.is_placeholder() {
        return Some(IssueReason::FirstCredential);
    }
    if is_wished(seen) {
        return Some(IssueReason::Wish);
    }
    let current = seen.current_credential()?;
    let kept = seen.current_version().is_some_and(|version| version.tags.is_rolled_back());
    let due = policy.due(current.start, current.end) <= now;
    (due && (!kept || is_critical(Some(current), policy, now))).then_some(IssueReason::NearExpiry)
}

/// A wish is met by any version that a rotation made since shortly before it.
fn is_wished(seen: &Observed) -> bool {
    let Some(wish) = seen.wish else { return false };
    let meets = |created: OffsetDateTime| created >= wish.at.saturating_sub(WISH_TOLERANCE);
    let rotated = seen.versions.iter().chain(seen.current_version());
    !rotated
        .filter(|version| version.tags.rotation_id().is_ok_and(|id| id.is_some()))
        .filter(|version| version.named().is_some())
        .any(|version| meets(version.created))
}

/// Its successor is published, signs in, and consumers had their time.
fn overlap_over(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Option<Decision> {
    is_proven_good(seen, now)?;
    let superseded = seen.superseded();
    let (credential, _) = superseded.iter().find(|(_, at)| at.saturating_add(policy.overlap()) <= now)?;
    Some(revoke(credential, RevokeReason::Superseded))
}

/// An older version whose credential is gone, and whose text is refused, can only mislead.
fn revoked_version_enabled(
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    is_proven_good(seen, now)?;
    let dead = seen.older_versions().find(|version| {
        let gone = version.named().is_some_and(|key_id| seen.credential(key_id).is_none());
        let followed =
            seen.followed_at(version.created).is_some_and(|at| at.saturating_add(policy.overlap()) <= now);
        version.enabled && version.refused && gone && followed
    })?;
    Some(Decision::Act(Action::Disable { version: dead.version.clone(), replica: None }))
}

/// The index of superseded credentials says that there are some, and there are none.
fn index_left_behind(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Option<Decision> {
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

/// Entra lists the current credential and yet does not accept its text, or can't be asked.
fn current_in_doubt(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Option<Decision> {
    let until = next_change(seen, policy, now);
    match &seen.sign_in {
        CurrentSignIn::Refused => Some(Decision::Blocked { until, reason: BlockReason::CurrentRefused }),
        CurrentSignIn::Unclear(trouble) => Some(Decision::Blocked { until, reason: block_reason(trouble) }),
        CurrentSignIn::Accepted | CurrentSignIn::NoText => None,
    }
}

/// A credential in doubt is never retired: the current one is listed, unexpired, and just signed in.
fn is_proven_good(seen: &Observed, now: OffsetDateTime) -> Option<()> {
    let current = seen.current_credential()?;
    (current.end > now && seen.sign_in == CurrentSignIn::Accepted).then_some(())
}

fn revoke(credential: &CredentialFacts, reason: RevokeReason) -> Decision {
    Decision::Act(Action::Revoke { key_id: credential.key_id, reason })
}

fn issue(reason: IssueReason, seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Decision {
    match next_attempt(seen, policy, now) {
        Ok(attempt) => Decision::Act(Action::Issue { reason, attempt }),
        Err(Held::Waiting(reason, until)) => Decision::Wait { until: Some(until), reason },
        Err(Held::Blocked(reason)) => Decision::Blocked { until: None, reason },
    }
}

/// Nothing to do now.
fn rest(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Decision {
    let until = next_change(seen, policy, now);
    if wanted(seen, policy, now).is_some() {
        return match next_attempt(seen, policy, now) {
            Err(Held::Blocked(reason)) => Decision::Blocked { until, reason },
            Err(Held::Waiting(reason, _)) => Decision::Wait { until, reason },
            Ok(_) => Decision::Wait { until, reason: WaitReason::NotDue },
        };
    }
    Decision::Wait { until, reason: rest_reason(seen, policy, now) }
}

fn rest_reason(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> WaitReason {
    let due = |credential: &CredentialFacts| policy.due(credential.start, credential.end) <= now;
    if seen.current_credential().is_some_and(due) {
        WaitReason::RolledBack
    } else if seen.superseded().is_empty() {
        WaitReason::NotDue
    } else {
        WaitReason::Overlap
    }
}

/// The first moment after `now` at which one of the checks can answer otherwise.
fn next_change(seen: &Observed, policy: &RotationPolicy, now: OffsetDateTime) -> Option<OffsetDateTime> {
    let ends = seen.credentials.iter().map(|credential| credential.end);
    let current = seen.current_credential().into_iter();
    let due = current.flat_map(|c| [policy.due(c.start, c.end), c.end.saturating_sub(policy.critical())]);
    let orphans = seen.orphans().map(|orphan| orphan.start.saturating_add(policy.orphan_grace()));
    let overlaps = seen.superseded().into_iter().map(|(_, at)| at.saturating_add(policy.overlap()));
    let older = seen.older_versions().filter(|version| version.enabled);
    let followed = older
        .filter_map(|version| seen.followed_at(version.created))
        .map(|at| at.saturating_add(policy.overlap()));
    let published = seen.current_version().map(|version| version.created.saturating_add(policy.overlap()));
    let held = next_attempt(seen, policy, now).err().and_then(|held| match held {
        Held::Waiting(_, until) => Some(until),
        Held::Blocked(_) => None,
    });
    let moments = ends.chain(due).chain(orphans).chain(overlaps).chain(followed).chain(published).chain(held);
    moments.filter(|moment| *moment > now).min()
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
