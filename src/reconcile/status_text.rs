//! The words of a status: state, reason and message that a decision gives. It decides nothing.

use super::blocked::Blocked;
use super::status::SecretStatus;
use crate::domain::{Action, Decision, SecretState, StatusReason, WaitReason};

/// Sets the state, reason and message of a secret. If it waits after a failed rotation, that failure is shown.
pub(super) fn shown(status: &mut SecretStatus, decision: &Decision, failure: Option<Blocked>) {
    status.message = message(decision);
    (status.state, status.reason, status.needs_person) = match decision {
        Decision::Act(action) => (SecretState::Rotating, StatusReason::Acting(action.kind()), false),
        Decision::Wait { reason, .. } => (SecretState::Waiting, StatusReason::Waiting(*reason), false),
        Decision::Blocked { reason, .. } => {
            (SecretState::Blocked, StatusReason::Blocked(*reason), reason.needs_person())
        }
    };
    let retrying = matches!(
        decision,
        Decision::Wait {
            reason: WaitReason::BackOff | WaitReason::TooManyOrphans | WaitReason::InFlight,
            ..
        }
    );
    if let Some(failure) = failure.filter(|_| retrying) {
        let reason = failure.reason;
        (status.state, status.reason, status.needs_person) =
            (SecretState::Blocked, StatusReason::Blocked(reason), reason.needs_person());
        status.message = format!("{}; {}", failure.message(), message(decision));
    }
}

/// Returns true if a pass found nothing wrong.
pub(super) fn is_well(decision: &Decision) -> bool {
    matches!(decision, Decision::Wait { reason: WaitReason::NotDue | WaitReason::Overlap, .. })
}

pub(super) fn message(decision: &Decision) -> String {
    match decision {
        Decision::Act(Action::Issue { reason, .. }) => format!("issuing a successor: {}", reason.text()),
        Decision::Act(Action::Revoke { key_id, reason }) => format!("revoking {key_id}: {}", reason.text()),
        Decision::Act(Action::Republish { from, reason }) => {
            format!("publishing version {from} again: {}", reason.text())
        }
        Decision::Act(Action::Disable { version, .. }) => {
            format!("disabling version {version}: its credential is gone")
        }
        Decision::Act(Action::ClearIndex) => {
            "clearing the list of superseded credentials: all are retired".to_owned()
        }
        Decision::Act(Action::Adopt { key_id }) => {
            format!("recording that the current version holds {key_id}")
        }
        Decision::Act(Action::Copy { to }) => format!("copying the current version to {to}"),
        Decision::Act(Action::Quarantine { .. }) => "quarantining the current version".to_owned(),
        Decision::Act(Action::Pause) => "pausing".to_owned(),
        Decision::Act(Action::Resume) => "resuming".to_owned(),
        Decision::Wait { reason, .. } => reason.text().to_owned(),
        Decision::Blocked { reason, .. } => reason.text().to_owned(),
    }
}
