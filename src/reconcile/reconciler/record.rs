//! The records of a pass: status board, metrics, log and audit trail. Decides nothing.

use time::OffsetDateTime;
use tracing::{error, info, warn};

use super::{NextPass, Reconciler};
use crate::domain::{
    Action, ActionOutcome, BlockReason, CommandKind, CommandProgress, Decision, KeyId, ManagedSecret,
    Observed, RevokeReason, SecretId, SecretState, StatusReason, UsageFacts, VersionFacts, command_rejection,
};
use crate::reconcile::blocked::Blocked;
use crate::reconcile::observe::Observation;
use crate::reconcile::status::{LastOutcome, ReplicaStatus};
use crate::reconcile::status_text::{is_well, message, shown};
use crate::telemetry::audit;

impl Reconciler {
    /// Clears and ends a command that the observation shows to be completed.
    pub(super) fn complete_command(&self, observation: &mut Observation) {
        let Some(command) = observation.seen.command.take() else { return };
        let secret = &observation.seen.secret;
        if let CommandKind::Compromised { .. } = command.kind {
            let refused = observation.seen.older_versions().filter(|version| !version.enabled).count();
            info!(%secret, refused, "verified revocation of compromised credentials");
            audit::proven(secret, refused);
        }
        self.board.complete_command(secret, command);
    }

    /// Clears and ends a command that can't be done, so that it surprises no one later, unless its grace lasts: then
    /// the moment is returned when that is over. Nothing is wrong with the secret itself.
    pub(super) fn reject_command(
        &self,
        observation: &mut Observation,
        now: OffsetDateTime,
    ) -> Option<OffsetDateTime> {
        let command = observation.seen.command?;
        let rejection = command_rejection(&observation.seen)?;
        let over = command.at.saturating_add(rejection.grace());
        if now < over {
            return Some(over);
        }
        let secret = &observation.seen.secret;
        self.board.reject_command(secret, command, &rejection.text(secret));
        observation.seen.command = None;
        None
    }

    pub(super) fn record(
        &self,
        secret: &SecretId,
        observation: &Observation,
        action: &Action,
        failure: Option<&Blocked>,
    ) {
        let outcome = failure.map_or(ActionOutcome::Success, Blocked::outcome);
        let at = self.ports.clock.now();
        self.remember(secret, observation, action, failure);
        self.metrics.actions_total.with_label_values(&[action.label(), outcome.label()]).inc();
        let error = failure.map(ToString::to_string);
        let detail = message(&Decision::Act(action.clone()));
        audit::action(secret, action.label(), outcome.label(), error.as_ref().unwrap_or(&detail));
        if failure.is_none() && matches!(action, Action::Revoke { reason: RevokeReason::MaxOverlap, .. }) {
            warn!(%secret, outcome = outcome.label(), detail, "revoked credential in use");
        }
        self.board.update(secret, |status| {
            status.last_outcome = Some(LastOutcome { action: action.kind(), outcome, error, at });
        });
    }

    fn remember(
        &self,
        secret: &SecretId,
        observation: &Observation,
        action: &Action,
        failure: Option<&Blocked>,
    ) {
        let mut volatile = self.lock();
        if let Action::Issue { .. } = action {
            volatile.note_rotation(secret, failure);
            if failure.is_some_and(|failure| failure.reason == BlockReason::PasswordLimitReached) {
                volatile
                    .note_full(observation.application.object_id, observation.application.credentials.len());
            }
        }
        if let Action::Revoke { .. } = action {
            volatile.note_revocation(secret, self.ports.clock.now());
        }
        if let Action::Copy { to } = action {
            volatile.note_copy(to, failure, self.ports.clock.now());
        }
    }

    /// Records that a pass was blocked, by a failure of `action` if it began one. Returns the next pass, after a pause
    /// that grows.
    pub(super) fn blocked(&self, secret: &SecretId, blocked: &Blocked, action: Option<&Action>) -> NextPass {
        let action = action.map(Action::label);
        let (reason, message) = (blocked.reason, blocked.message());
        self.metrics.blocked_total.with_label_values(&[reason.label()]).inc();
        // Another application that is pointed at is news as well.
        if reason.is_of_guard() && self.reported_once.is_news(secret, &message) {
            audit::blocked(secret, reason.label(), &message);
        }
        if reason.needs_person() {
            error!(%secret, reason = reason.label(), action, detail = message, "secret blocked");
        } else {
            warn!(%secret, reason = reason.label(), action, detail = message, "secret blocked");
        }
        let origin = self.catalogue.find(secret).map(|managed| managed.origin);
        self.board.update(secret, |status| {
            status.origin = origin.unwrap_or(status.origin);
            status.state = SecretState::Blocked;
            status.reason = StatusReason::Blocked(reason);
            status.message = message;
            status.needs_person = reason.needs_person();
        });
        let pause = self.lock().blocked_pause(secret, reason.needs_person());
        let progress = if reason.is_short() { CommandProgress::Waiting } else { CommandProgress::HeldUp };
        NextPass { at: Some(self.ports.clock.now() + pause), left: Some(progress) }
    }

    pub(super) fn show(
        &self,
        managed: &ManagedSecret,
        observation: &Observation,
        decision: &Decision,
        now: OffsetDateTime,
    ) {
        let (secret, seen) = (&managed.id, &observation.seen);
        if let UsageFacts::Unavailable(why) = &seen.usage
            && self.reported_once.is_news(secret, "sign-in report unavailable")
        {
            warn!(%secret, detail = why, "sign-in report unavailable: superseded credentials are retired by time alone");
        }
        let current = seen.current_credential();
        let well = is_well(decision);
        let failure = self.lock().rotation_failure(secret, well);
        self.board.update(secret, |status| {
            shown(status, decision, failure);
            status.credential_id = current.map(|credential| credential.key_id);
            status.expires = current.map(|credential| credential.end);
            status.due = current.map(|credential| observation.policy.due(credential.start, credential.end));
            status.last_reconciled = Some(now);
            if well {
                status.last_success = Some(now);
            }
            status.origin = managed.origin;
            status.owner.clone_from(&observation.owner);
            let version = seen.current_version();
            status.published = version.map(|version| version.created);
            status.is_rotated = version.is_some_and(VersionFacts::is_of_rotation);
            status.held = held(seen);
            status.is_denied = seen.denied_reason.is_some();
            status.superseded = seen.superseded().len();
            status.foreign_expired = seen.foreign_expired(now).count();
            status.replicas = seen.replicas.iter().map(ReplicaStatus::from).collect();
            status.orphans = seen.orphans().count();
            status.warnings.clone_from(&observation.warnings);
        });
    }
}

/// Returns the credential that a secret is known to hold: a tag alone would let its writer protect any.
fn held(seen: &Observed) -> Option<KeyId> {
    let current = seen.current_credential()?;
    let proven = seen.current_version().and_then(|version| version.proven);
    (proven == Some(current.key_id) || current.rotation.is_some()).then_some(current.key_id)
}
