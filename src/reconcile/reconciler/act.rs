//! The execution of the one action of a pass, and what follows from its end.

use std::sync::atomic::AtomicBool;

use time::OffsetDateTime;
use tracing::info;

use super::{CATCH_UP_PAUSE, NextPass, RECHECK, Reconciler};
use crate::domain::{Action, BlockReason, Command, CommandKind, CommandProgress, Decision, SecretId};
use crate::reconcile::actions::{Context, execute};
use crate::reconcile::blocked::Blocked;
use crate::reconcile::observe::Observation;
use crate::reconcile::permits::Permit;
use crate::reconcile::rollout::Admission;
use crate::reconcile::status_text::message;

impl Reconciler {
    /// Executes `action` and records its end. Returns when the next pass is due. `now` is the time of the observation.
    pub(super) async fn act(
        &self,
        observation: &Observation,
        action: &Action,
        now: OffsetDateTime,
        permit: &Permit,
    ) -> NextPass {
        if self.stop.is_cancelled() {
            return NextPass::cut_short();
        }
        let secret = &observation.seen.secret;
        let detail = message(&Decision::Act(action.clone()));
        info!(%secret, action = action.label(), detail, "started action");
        let admission = self.admission(observation, action);
        let context = self.context(observation, &admission, permit, now);
        let result = self.execute(&context, action, now).await;
        if result.as_ref().is_err_and(Blocked::is_rollout_limit) {
            return NextPass { at: Some(now + RECHECK), left: Some(CommandProgress::HeldUp) };
        }
        self.record(secret, observation, action, result.as_ref().err());
        if admission.is_granted() && result.as_ref().is_err_and(Blocked::had_no_effect) {
            self.rollout.came_to_nothing(now);
        }
        match result {
            Ok(()) => {
                let left =
                    observation.seen.command.and_then(|command| self.acted(observation, action, command));
                NextPass { at: Some(self.ports.clock.now() + CATCH_UP_PAUSE), left }
            }
            Err(blocked) => self.failed(secret, action, &blocked),
        }
    }

    /// Ends the command at once if the action that was done completes it: no one may have to look for its end. Returns
    /// its progress if it goes on.
    fn acted(&self, observation: &Observation, action: &Action, command: Command) -> Option<CommandProgress> {
        let secret = &observation.seen.secret;
        if command.is_completed_by_action(action) {
            self.board.complete_command(secret, command);
            return None;
        }
        match action {
            Action::Issue { .. }
                if command.kind == CommandKind::Rollback && observation.seen.is_rollback_recorded() =>
            {
                self.board.reject_command(secret, command, NO_OLDER_VERSION);
                None
            }
            Action::Quarantine { .. } => Some(CommandProgress::HalfDone),
            Action::Issue { .. }
            | Action::Republish { .. }
            | Action::Revoke { .. }
            | Action::Disable { .. }
            | Action::ClearIndex
            | Action::Adopt { .. }
            | Action::Copy { .. }
            | Action::Pause
            | Action::Resume => Some(CommandProgress::Waiting),
        }
    }

    fn admission<'a>(&'a self, observation: &'a Observation, action: &Action) -> Admission<'a> {
        Admission {
            rollout: &self.rollout,
            board: &self.board,
            clock: &*self.ports.clock,
            reason: action.issue_reason(),
            known: &observation.seen.rollout_limits,
            is_granted: AtomicBool::new(false),
        }
    }

    fn context<'a>(
        &'a self,
        observation: &'a Observation,
        admission: &'a Admission<'a>,
        permit: &'a Permit,
        now: OffsetDateTime,
    ) -> Context<'a> {
        let Observation { seen, policy, .. } = observation;
        Context {
            ports: &self.ports,
            skew: &self.skew,
            tenant: &self.tenant,
            admission,
            emergency: admission.reason.is_some_and(|reason| seen.is_emergency(reason, policy, now)),
            reported_once: &self.reported_once,
            permit,
            secret: &seen.secret,
            observation,
            stop: self.stop.clone(),
        }
    }

    async fn execute(
        &self,
        context: &Context<'_>,
        action: &Action,
        now: OffsetDateTime,
    ) -> Result<(), Blocked> {
        let rotation = self.lock().rotation_id();
        match rotation {
            Some(rotation) => execute(context, action, rotation, now).await,
            None => Err(Blocked::because(BlockReason::ServiceUnavailable)),
        }
    }

    fn failed(&self, secret: &SecretId, action: &Action, blocked: &Blocked) -> NextPass {
        if blocked.is_stop() {
            info!(%secret, action = action.label(), "stopped action");
            return NextPass::cut_short();
        }
        let mut next = self.blocked(secret, blocked, Some(action));
        if !blocked.had_no_effect() {
            next.left = Some(CommandProgress::HalfDone);
        }
        if matches!(action, Action::Issue { .. }) {
            // Other work need not wait for the next try.
            let soon = self.ports.clock.now() + CATCH_UP_PAUSE;
            return NextPass { at: next.at.map(|at| at.min(soon)), ..next };
        }
        self.lock().clear_preflight_failure(secret);
        next
    }
}

const NO_OLDER_VERSION: &str =
    "no older version could be published again, so a new credential was published in its place";
