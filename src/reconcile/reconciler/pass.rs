//! One pass over one secret: reserves its application, observes, decides, and follows the decision.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use time::{Duration, OffsetDateTime};
use tracing::debug;

use super::{CATCH_UP_PAUSE, NextPass, RECHECK, Reconciler};
use crate::domain::{
    AppObjectId, BlockReason, Command, CommandProgress, CurrentSignIn, Decision, ManagedSecret,
    SignInProblem, WaitReason, decide,
};
use crate::reconcile::blocked::Blocked;
use crate::reconcile::observe::Observation;
use crate::reconcile::permits::Permit;
use crate::reconcile::queue::WorkItem;
use crate::reconcile::status_text::message;

/// An application that one pass works on, until it is dropped.
struct Reserved<'a> {
    reconciler: &'a Reconciler,
    application: AppObjectId,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.reconciler.lock().release(self.application);
    }
}

impl Reconciler {
    /// Observes, decides, executes one action. Returns when the next pass is due.
    pub(super) async fn pass(&self, item: &WorkItem, permit: &Permit) -> NextPass {
        let secret = &item.secret;
        let Some(managed) = self.catalogue.find(secret) else {
            if let Some(command) = item.command {
                self.board.reject_command(secret, command, NOT_MANAGED);
            }
            return NextPass { at: None, left: None };
        };
        let started = self.ports.clock.now();
        let passed = AssertUnwindSafe(self.try_pass(&managed, item.command, permit)).catch_unwind().await;
        // A panic is a mistake of ours: it must not keep this secret, or its application, forever.
        let passed = passed.unwrap_or_else(|_| Err(Blocked::because(BlockReason::InternalError)));
        let next = passed.unwrap_or_else(|blocked| self.unobserved(item, &blocked));
        let took = (self.ports.clock.now() - started).as_seconds_f64();
        self.metrics.reconcile_duration_seconds.observe(took);
        let skew = self.skew.largest().as_seconds_f64();
        self.metrics.clock_skew_seconds.set(skew);
        self.board.update(secret, |status| status.next_reconcile = next.at);
        next
    }

    /// Ends a pass that could not observe the secret: a command that was half done before still is.
    fn unobserved(&self, item: &WorkItem, blocked: &Blocked) -> NextPass {
        let next = self.blocked(&item.secret, blocked, None);
        if item.is_half_done { NextPass { left: Some(CommandProgress::HalfDone), ..next } } else { next }
    }

    async fn try_pass(
        &self,
        managed: &ManagedSecret,
        command: Option<Command>,
        permit: &Permit,
    ) -> Result<NextPass, Blocked> {
        let started = self.ports.clock.now();
        // Nothing has an effect before a decision is executed, so that a stop need not wait for slow reads.
        let reserved = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(NextPass::cut_short()),
            reserved = self.reserve(managed) => reserved?,
        };
        match reserved {
            Some(_application) => self.observe_and_act(managed, command, permit).await,
            None => Ok(NextPass {
                at: Some(started + APPLICATION_BUSY_PAUSE),
                left: Some(CommandProgress::Untried),
            }),
        }
    }

    /// Takes the application for this pass: two writes to one application conflict, whichever secrets they are for.
    async fn reserve(&self, managed: &ManagedSecret) -> Result<Option<Reserved<'_>>, Blocked> {
        let known = self.lock().resolved(managed.application);
        let object_id = if let Some(object_id) = known {
            object_id
        } else {
            let application = self.ports.issuer.read_application(managed.application).await?;
            application.ok_or_else(|| Blocked::because(BlockReason::ApplicationMissing))?.object_id
        };
        let is_free = self.lock().reserve(managed.application, object_id);
        // Lazily: a reservation that is made and dropped would free what another pass holds.
        Ok(is_free.then(|| Reserved { reconciler: self, application: object_id }))
    }

    async fn observe_and_act(
        &self,
        managed: &ManagedSecret,
        command: Option<Command>,
        permit: &Permit,
    ) -> Result<NextPass, Blocked> {
        let secret = &managed.id;
        let now = self.ports.clock.now();
        let mut observation = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(NextPass::cut_short()),
            observed = self.observe(managed, command, true, now) => observed?,
        };
        if observation.seen.is_command_completed() {
            self.complete_command(&mut observation);
        }
        let grace = self.reject_command(&mut observation, now);
        let decision = decide(&observation.seen, &observation.policy, now);
        debug!(%secret, decision = message(&decision), "made decision");
        self.show(managed, &observation, &decision, now);
        let next = self.follow(&observation, decision, now, permit).await;
        let next = next.with_command_of(&observation, grace, now);
        let published = observation.seen.current_version().map(|version| version.created);
        let canary = self.rollout.canary_check(secret, published).filter(|at| *at > now);
        Ok(NextPass { at: next.at.into_iter().chain(canary).min(), ..next })
    }

    async fn follow(
        &self,
        observation: &Observation,
        decision: Decision,
        now: OffsetDateTime,
        permit: &Permit,
    ) -> NextPass {
        match decision {
            Decision::Act(action) => self.act(observation, &action, now, permit).await,
            Decision::Wait { until, reason } => self.wait(observation, until, reason, now),
            Decision::Blocked { until, reason } => self.stay_blocked(observation, until, reason),
        }
    }

    fn stay_blocked(
        &self,
        observation: &Observation,
        until: Option<OffsetDateTime>,
        reason: BlockReason,
    ) -> NextPass {
        let secret = &observation.seen.secret;
        self.lock().clear_preflight_failure(secret);
        let next = self.blocked(secret, &self.explained(observation, reason), None);
        NextPass { at: until.into_iter().chain(next.at).min(), ..next }
    }

    /// Adds what is known of a decision's reason.
    fn explained(&self, observation: &Observation, reason: BlockReason) -> Blocked {
        let (seen, application) = (&observation.seen, &observation.application);
        match &seen.sign_in {
            _ if reason.is_of_guard() => Blocked::detailed(
                reason,
                format!("application {}, client id {}", application.object_id, application.client_id),
            ),
            CurrentSignIn::Unclear(SignInProblem::Other(why)) => Blocked::detailed(reason, why),
            CurrentSignIn::Unclear(_)
            | CurrentSignIn::Accepted
            | CurrentSignIn::Refused
            | CurrentSignIn::NoText => {
                let failure = self.lock().rotation_failure(&seen.secret, false);
                let same = failure.filter(|failure| failure.reason == reason);
                same.unwrap_or_else(|| Blocked::because(reason))
            }
        }
    }

    fn wait(
        &self,
        observation: &Observation,
        until: Option<OffsetDateTime>,
        reason: WaitReason,
        now: OffsetDateTime,
    ) -> NextPass {
        let secret = &observation.seen.secret;
        let mut volatile = self.lock();
        volatile.clear_preflight_failure(secret);
        volatile.clear_blocked_passes(secret);
        // A revoked credential is refused everywhere only after a while, and then its version can be disabled.
        let fresh = volatile.is_revocation_fresh(secret, now).then_some(now + RECHECK);
        drop(volatile);
        let is_awaited = observation.seen.command.is_some();
        let recheck = recheck_pause(reason).or(is_awaited.then_some(PATIENCE)).map(|pause| now + pause);
        // A moment that is past already must not make a loop without a pause.
        let at = until.into_iter().chain(recheck).chain(fresh).min().map(|at| at.max(now + CATCH_UP_PAUSE));
        let progress = if reason.is_short() { CommandProgress::Waiting } else { CommandProgress::HeldUp };
        NextPass { at, left: Some(progress) }
    }
}

impl NextPass {
    /// Returns the end of the pass as it is for the command of `observation`: without one left, nothing is left; one
    /// that is half done stays so; one that may be rejected is judged again when its `grace` is over.
    fn with_command_of(
        self,
        observation: &Observation,
        grace: Option<OffsetDateTime>,
        now: OffsetDateTime,
    ) -> Self {
        let Observation { seen, policy, .. } = observation;
        let left = self.left.filter(|_| seen.command.is_some());
        match (left, grace) {
            (None | Some(CommandProgress::Untried), _) => Self { left, ..self },
            (Some(_), Some(over)) => {
                Self { at: self.at.into_iter().chain([over]).min(), left: Some(CommandProgress::Yielding) }
            }
            (Some(_), None) if seen.is_command_half_done(policy.deadline(), now) => {
                Self { left: Some(CommandProgress::HalfDone), ..self }
            }
            (Some(_), None) => Self { left, ..self },
        }
    }
}

/// Returns the longest pause before the next pass while a secret waits for this reason; `None`: no event is missed.
const fn recheck_pause(reason: WaitReason) -> Option<Duration> {
    match reason {
        WaitReason::ConfirmingLoss | WaitReason::Propagating | WaitReason::ProvingRevocation => Some(RECHECK),
        WaitReason::ReplicaBehind | WaitReason::Canary | WaitReason::RolloutLimit => Some(PATIENCE),
        WaitReason::NotDue
        | WaitReason::Overlap
        | WaitReason::InFlight
        | WaitReason::BackOff
        | WaitReason::TooManyOrphans
        | WaitReason::InUse
        | WaitReason::Frozen
        | WaitReason::OutsideWindow
        | WaitReason::RotationDisabled
        | WaitReason::RolledBack => None,
    }
}

/// The pause before the next try for an application that another secret's pass works on.
const APPLICATION_BUSY_PAUSE: Duration = Duration::seconds(5);

/// The pause between two passes over something that others bring about.
const PATIENCE: Duration = Duration::minutes(30);

const NOT_MANAGED: &str = "the secret is no longer managed";
