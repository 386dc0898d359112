//! What a pass tells: the status board, metrics, the log and the audit trail.

use time::OffsetDateTime;
use tracing::{error, info, warn};

use super::{Next, Reconciler, Trouble};
use crate::config::ManagedSecret;
use crate::domain::{Action, BlockReason, Decision, SecretId, WaitReason, Wish, WishKind};
use crate::reconcile::failure::Failure;
use crate::reconcile::observe::Look;
use crate::reconcile::presentation::{is_well, message, shown};
use crate::reconcile::status::{LastOutcome, ReplicaStatus};
use crate::telemetry::audit;

impl Reconciler {
    pub(super) fn record(&self, secret: &SecretId, look: &Look, action: &Action, failure: Option<&Failure>) {
        let outcome = failure.map_or("success", Failure::outcome);
        let at = self.ports.clock.now();
        self.remember(secret, look, action, failure);
        self.metrics.actions.with_label_values(&[action.label(), outcome]).inc();
        let error = failure.map(ToString::to_string);
        let detail = message(&Decision::Act(action.clone()));
        audit::action(secret, action.label(), outcome, error.as_ref().unwrap_or(&detail));
        self.board.update(secret, |status| {
            status.last_outcome = Some(LastOutcome { action: action.label(), outcome, error, at });
        });
    }

    fn remember(&self, secret: &SecretId, look: &Look, action: &Action, failure: Option<&Failure>) {
        let mut memory = self.lock();
        if let Action::Issue { .. } = action {
            memory.note_rotation(secret, failure);
            if failure.is_some_and(|failure| failure.block_reason() == BlockReason::NoRoom) {
                memory.note_full(look.application.object_id, look.application.credentials.len());
            }
        }
        if let Action::Revoke { .. } = action {
            memory.note_revocation(secret, self.ports.clock.now());
        }
        if let Action::Copy { to } = action {
            memory.note_copy(to, failure, self.ports.clock.now());
        }
    }

    /// Something is in the way: say so, and look again with growing pauses.
    pub(super) fn blocked(&self, secret: &SecretId, trouble: &Trouble, wish: Option<Wish>) -> Next {
        let (reason, message) = (trouble.reason, trouble.text());
        self.metrics.blocked.with_label_values(&[reason.label()]).inc();
        if reason.is_of_guard() && self.said.is_news(secret, reason.label()) {
            audit::blocked(secret, reason.label(), &message);
        }
        if reason.needs_person() {
            error!(%secret, reason = reason.label(), "{secret} is blocked: {message}");
        } else {
            warn!(%secret, reason = reason.label(), "{secret} has to wait: {message}");
        }
        self.board.update(secret, |status| {
            status.state = "blocked";
            status.reason = reason.label();
            status.message = message;
            status.needs_person = reason.needs_person();
        });
        let pause = self.lock().trouble_pause(secret, reason.needs_person());
        Next { at: Some(self.ports.clock.now() + pause), wish }
    }

    pub(super) fn show(
        &self,
        managed: &ManagedSecret,
        look: &Look,
        decision: &Decision,
        now: OffsetDateTime,
    ) {
        let (secret, seen) = (&managed.id, &look.seen);
        let current = seen.current_credential();
        let well = is_well(decision);
        let failure = self.lock().failure(secret, well);
        self.board.update(secret, |status| {
            shown(status, decision, failure);
            status.credential_id = current.map(|credential| credential.key_id);
            status.expires = current.map(|credential| credential.end);
            status.due = current.map(|credential| look.policy.due(credential.start, credential.end));
            status.last_look = Some(now);
            if well {
                status.last_success = Some(now);
            }
            status.origin = managed.origin.label();
            status.owner.clone_from(&look.owner);
            let version = seen.current_version();
            status.published = version.map(|version| version.created);
            status.is_rotated =
                version.is_some_and(|version| version.tags.rotation_id().is_ok_and(|id| id.is_some()));
            status.superseded = seen.superseded().len();
            status.foreign_expired = seen.foreign_expired(now).count();
            status.replicas = seen.replicas.iter().map(ReplicaStatus::from).collect();
            status.orphans = seen.orphans().count();
            status.warnings.clone_from(&look.warnings);
        });
    }
}

/// A compromise is over once every old text was tried and refused.
pub(super) fn tell_proven(look: &Look, reason: WaitReason) {
    let seen = &look.seen;
    let wished = seen.wish.is_some_and(|wish| matches!(wish.kind, WishKind::Compromised { .. }));
    if !wished || reason.keeps_wish() {
        return;
    }
    let refused = seen.older_versions().filter(|version| !version.enabled).count();
    info!(secret = %seen.secret, refused, "every older credential of {} is revoked and refused", seen.secret);
    audit::proven(&seen.secret, refused);
}
