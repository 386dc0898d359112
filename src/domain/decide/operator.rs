//! Operators' commands and settings: they are never overridden, and commands come first.

use time::OffsetDateTime;

use super::{cleanup, issue};
use crate::domain::command::CommandKind;
use crate::domain::decision::{Action, Decision};
use crate::domain::observed::{Current, Observed};
use crate::domain::policy::RotationPolicy;
use crate::domain::reasons::{BlockReason, IssueReason, RepublishReason, WaitReason};
use crate::domain::tags::QuarantineReason;

/// Blocks if this application's credentials may not be put into this secret.
pub(super) fn binding_denied(seen: &Observed, _: &RotationPolicy, _: OffsetDateTime) -> Option<Decision> {
    seen.denied_reason.map(|reason| Decision::Blocked { until: None, reason })
}

/// Decides to pause or resume on an operator's command.
pub(super) fn pause_asked_for(seen: &Observed, _: &RotationPolicy, _: OffsetDateTime) -> Option<Decision> {
    let is_disabled = seen.current_version()?.tags.is_rotation_disabled();
    match seen.command?.kind {
        CommandKind::Pause if !is_disabled => Some(Decision::Act(Action::Pause)),
        CommandKind::Resume if is_disabled => Some(Decision::Act(Action::Resume)),
        CommandKind::Pause
        | CommandKind::Resume
        | CommandKind::Rotate
        | CommandKind::Rollback
        | CommandKind::Compromised { .. }
        | CommandKind::Retire => None,
    }
}

/// Waits if `RotationDisabled` is set. A compromise outranks that.
pub(super) fn rotation_disabled(
    seen: &Observed,
    _: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    let left_alone = Decision::Wait { until: None, reason: WaitReason::RotationDisabled };
    is_held_by_pause(seen).then(|| cleanup::replica_locked_out(seen, now).unwrap_or(left_alone))
}

/// Returns true if `RotationDisabled` is set and no compromise outranks it.
pub(super) fn is_held_by_pause(seen: &Observed) -> bool {
    let is_disabled = seen.current_version().is_some_and(|version| version.tags.is_rotation_disabled());
    is_disabled && !seen.is_compromise_news() && !seen.is_compromised() && !seen.is_compromise_unfinished()
}

/// Blocks if a person disabled the version that consumers read.
pub(super) fn current_disabled(seen: &Observed, _: &RotationPolicy, _: OffsetDateTime) -> Option<Decision> {
    let by_a_person = seen.current == Current::Disabled && !seen.is_placeholder();
    by_a_person.then_some(Decision::Blocked { until: None, reason: BlockReason::CurrentDisabled })
}

/// Decides to record that an operator reported the credential as compromised, before any other effect.
pub(super) fn compromise_reported(
    seen: &Observed,
    _: &RotationPolicy,
    _: OffsetDateTime,
) -> Option<Decision> {
    seen.current_version()?;
    let reason = QuarantineReason::Compromised;
    seen.is_compromise_news().then_some(Decision::Act(Action::Quarantine { reason }))
}

/// Decides to roll back: the bad version is marked first, so that it is never published again. Without a version to roll
/// back to the command is rejected (see [`super::command_rejection`]), and nothing is decided here.
pub(super) fn rollback_asked_for(seen: &Observed, _: &RotationPolicy, _: OffsetDateTime) -> Option<Decision> {
    let current = seen.current_version()?;
    seen.command.filter(|command| command.kind == CommandKind::Rollback)?;
    if seen.is_command_completed() || current.tags.is_quarantined() {
        return None;
    }
    let reason = QuarantineReason::Rollback;
    seen.fallback.as_ref().map(|_| Decision::Act(Action::Quarantine { reason }))
}

/// Decides on the replacement of a current version that is marked as bad: the previous text, otherwise a new one.
pub(super) fn rollback_under_way(
    seen: &Observed,
    policy: &RotationPolicy,
    now: OffsetDateTime,
) -> Option<Decision> {
    let quarantine = seen.current_quarantine()?;
    if quarantine.reason != QuarantineReason::Rollback {
        return None;
    }
    let reason = RepublishReason::Rollback;
    Some(match &seen.fallback {
        Some(from) => Decision::Act(Action::Republish { from: from.clone(), reason }),
        None => match issue::issue(IssueReason::Command, seen, policy, now) {
            act @ Decision::Act(_) => act,
            // A limit that delays an operator's command does not delay the repair of a loss.
            held @ (Decision::Wait { .. } | Decision::Blocked { .. }) => {
                issue::current_lost(seen, policy, now).unwrap_or(held)
            }
        },
    })
}
