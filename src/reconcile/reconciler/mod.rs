//! The loop: takes a secret from the queue, looks, decides, executes one action, and says when to look again.

mod observation;
mod record;

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt;
use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

pub use observation::Preview;

use super::Ports;
use super::catalogue::Catalogue;
use super::execute::Execution;
use super::failure::{Failure, reason_of};
use super::observe::Observation;
use super::permits::{PassLimiter, Permit};
use super::queue::{WorkItem, WorkQueue};
use super::reported_once::ReportedOnce;
use super::rollout::Rollout;
use super::status_board::StatusBoard;
use super::volatile::Volatile;
use crate::clock::ClockSkew;
use crate::domain::{
    Action, AppObjectId, ApplicationRules, BlockReason, ClientId, Command, CurrentSignIn, Decision,
    ManagedSecret, SecretId, SignInProblem, WaitReason, decide,
};
use crate::metrics::Metrics;
use crate::ports::chain;
use crate::shutdown::Shutdown;

/// Everything that a pass over any secret needs.
#[derive(Debug)]
pub struct Reconciler {
    ports: Ports,
    skew: Arc<ClockSkew>,
    catalogue: Arc<Catalogue>,
    rules: ApplicationRules,
    rollout: Arc<Rollout>,
    tenant: String,
    own: Option<ClientId>,
    reported_once: ReportedOnce,
    queue: Arc<WorkQueue>,
    board: Arc<StatusBoard>,
    metrics: Arc<Metrics>,
    /// Bounds the passes that run at the same time.
    limiter: Arc<PassLimiter>,
    volatile: Mutex<Volatile>,
    stop: CancellationToken,
}

/// The dependencies of a [`Reconciler`].
#[derive(Debug)]
pub struct Deps {
    /// The outside world.
    pub ports: Ports,
    /// How far our clock is off.
    pub skew: Arc<ClockSkew>,
    /// What is managed.
    pub catalogue: Arc<Catalogue>,
    /// Which applications may be rotated.
    pub rules: ApplicationRules,
    /// How far the fleet may move at a time.
    pub rollout: Arc<Rollout>,
    /// The tenant, as configured.
    pub tenant: String,
    /// The client id that the daemon is configured to sign in with; its token may tell another one.
    pub own: Option<ClientId>,
    /// How many passes run at a time.
    pub concurrency: usize,
    /// Where work comes from.
    pub queue: Arc<WorkQueue>,
    /// Where statuses go.
    pub board: Arc<StatusBoard>,
    /// Where counts go.
    pub metrics: Arc<Metrics>,
    /// Seeds jitter and rotation ids.
    pub seed: u64,
    /// Told when no new work is to be begun.
    pub stop: CancellationToken,
}

/// When to look again, and with which command.
#[derive(Debug, Default)]
struct Next {
    at: Option<OffsetDateTime>,
    command: Option<Command>,
}

impl Reconciler {
    /// A loop that has not begun yet.
    #[must_use]
    pub fn new(deps: Deps) -> Self {
        let limiter = PassLimiter::new(Arc::clone(&deps.ports.clock), deps.concurrency);
        Self {
            ports: deps.ports,
            skew: deps.skew,
            catalogue: deps.catalogue,
            rules: deps.rules,
            rollout: deps.rollout,
            tenant: deps.tenant,
            own: deps.own,
            reported_once: ReportedOnce::default(),
            queue: deps.queue,
            board: deps.board,
            metrics: deps.metrics,
            limiter,
            volatile: Mutex::new(Volatile::new(deps.seed)),
            stop: deps.stop,
        }
    }

    /// Works until it is told to stop; passes in hand go on after that, and `shutdown` waits for them.
    pub async fn run(self: Arc<Self>, shutdown: Shutdown) {
        // The task that waits for work owns one hold, which it gives up while it waits.
        let _hold = self.ports.clock.hold();
        loop {
            let item = tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                item = self.queue.next() => item,
            };
            shutdown.spawn(Arc::clone(&self).work(item));
        }
    }

    /// One pass over one secret, whatever becomes of it.
    async fn work(self: Arc<Self>, item: WorkItem) {
        let WorkItem { secret, command, hold } = item;
        let permit = self.limiter.acquire().await;
        let next = if self.stop.is_cancelled() {
            Next::default()
        } else {
            let pass = AssertUnwindSafe(self.pass(&secret, command, &permit)).catch_unwind().await;
            // A panic is a mistake of ours: it must not keep this secret, or its application, for ever.
            pass.unwrap_or_else(|_| self.blocked(&secret, &Trouble::of(BlockReason::InternalError), command))
        };
        drop(permit);
        self.queue.finish(&secret, next.at, next.command);
        drop(hold);
    }

    /// Looks, decides, executes one action. Says when to look again.
    async fn pass(&self, secret: &SecretId, command: Option<Command>, permit: &Permit) -> Next {
        let Some(managed) = self.catalogue.find(secret) else { return Next::default() };
        let started = self.ports.clock.now();
        // Nothing has an effect before a decision is executed, so that a stop need not wait for slow reads.
        let reserved = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Next::default(),
            reserved = self.reserve(&managed) => reserved,
        };
        let next = match reserved {
            Ok(Some(_application)) => self.observe_and_act(&managed, command, permit).await,
            Ok(None) => Next { at: Some(started + APPLICATION_BUSY_PAUSE), command },
            Err(trouble) => self.blocked(secret, &trouble, command),
        };
        let took = (self.ports.clock.now() - started).as_seconds_f64();
        self.metrics.reconcile_duration.observe(took);
        let skew = self.skew.largest().as_seconds_f64();
        self.metrics.clock_skew.set(skew);
        self.board.update(secret, |status| status.next_reconcile = next.at);
        next
    }

    /// Takes the application for this pass: two writes to one application conflict, whichever secrets they are for.
    async fn reserve(&self, managed: &ManagedSecret) -> Result<Option<Reserved<'_>>, Trouble> {
        let known = self.lock().resolved(managed.application);
        let object_id = if let Some(object_id) = known {
            object_id
        } else {
            let application = self.ports.issuer.read_application(managed.application).await?;
            application.ok_or_else(|| Trouble::of(BlockReason::ApplicationMissing))?.object_id
        };
        let free = self.lock().reserve(managed.application, object_id);
        // Lazily: a reservation that is made and dropped would free what another pass holds.
        Ok(free.then(|| Reserved { reconciler: self, application: object_id }))
    }

    async fn observe_and_act(
        &self,
        managed: &ManagedSecret,
        command: Option<Command>,
        permit: &Permit,
    ) -> Next {
        let secret = &managed.id;
        let now = self.ports.clock.now();
        let observed = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Next::default(),
            observed = self.observe(managed, command, true, now) => observed,
        };
        let mut observation = match observed {
            Ok(observation) => observation,
            Err(trouble) => return self.blocked(secret, &trouble, command),
        };
        if observation.seen.is_command_completed() {
            self.complete_command(&mut observation);
        }
        let command = observation.seen.command;
        let decision = decide(&observation.seen, &observation.policy, now);
        debug!(%secret, ?decision, "decided");
        self.show(managed, &observation, &decision, now);
        let next = match decision {
            Decision::Act(action) => self.act(secret, &observation, &action, now, permit).await,
            Decision::Wait { until, reason } => {
                self.lock().clear_preflight_failure(secret);
                self.wait(secret, until, reason, command, now)
            }
            Decision::Blocked { until, reason } => {
                let error = self.error_behind(&observation, reason);
                self.lock().clear_preflight_failure(secret);
                let command = match command {
                    Some(command) if reason == BlockReason::NothingToRollBackTo => {
                        self.reject_command(secret, command, reason.text())
                    }
                    kept => kept,
                };
                let next = self.blocked(secret, &Trouble { reason, error }, command);
                Next { at: until.into_iter().chain(next.at).min(), ..next }
            }
        };
        let published = observation.seen.current_version().map(|version| version.created);
        let canary = self.rollout.canary_check(secret, published).filter(|at| *at > now);
        Next { at: next.at.into_iter().chain(canary).min(), ..next }
    }

    /// What is known of a reason, besides what it is.
    fn error_behind(&self, observation: &Observation, reason: BlockReason) -> Option<String> {
        match &observation.seen.sign_in {
            _ if reason.is_of_guard() => Some(format!(
                "application {}, client id {}",
                observation.application.object_id, observation.application.client_id
            )),
            CurrentSignIn::Unclear(SignInProblem::Other(why)) => Some(why.clone()),
            CurrentSignIn::Unclear(_)
            | CurrentSignIn::Accepted
            | CurrentSignIn::Refused
            | CurrentSignIn::NoText => {
                let failure = self.lock().failure(&observation.seen.secret, false);
                failure.filter(|(known, _)| *known == reason).map(|(_, error)| error)
            }
        }
    }

    async fn act(
        &self,
        secret: &SecretId,
        observation: &Observation,
        action: &Action,
        now: OffsetDateTime,
        permit: &Permit,
    ) -> Next {
        if self.stop.is_cancelled() {
            return Next::default();
        }
        info!(%secret, action = action.label(), detail = ?action, "executing {} for {secret}", action.label());
        let reason = action.issue_reason();
        let emergency =
            reason.is_some_and(|reason| observation.seen.is_emergency(reason, &observation.policy, now));
        let begun = AtomicBool::new(false);
        let may_begin = || {
            let may = reason.is_none_or(|reason| {
                self.rollout.begins(
                    reason,
                    &observation.seen.rollout_limits,
                    &self.board,
                    self.ports.clock.now(),
                )
            });
            begun.store(may, Ordering::Relaxed);
            may
        };
        let execution = Execution {
            ports: &self.ports,
            skew: &self.skew,
            tenant: &self.tenant,
            may_begin: &may_begin,
            emergency,
            reported_once: &self.reported_once,
            permit,
            secret,
            observation,
            stop: self.stop.clone(),
        };
        let rotation = self.lock().rotation_id();
        let result = match rotation {
            Some(rotation) => execution.run(action, rotation, now).await,
            None => Err(Failure::blocked(BlockReason::ServiceUnavailable)),
        };
        if result.as_ref().is_err_and(Failure::is_held) {
            return Next { at: Some(now + RECHECK), command: observation.seen.command };
        }
        self.record(secret, observation, action, result.as_ref().err());
        if begun.into_inner() && result.as_ref().is_err_and(Failure::had_no_effect) {
            self.rollout.came_to_nothing(now);
        }
        match result {
            Ok(()) => {
                Next { at: Some(self.ports.clock.now() + CATCH_UP_PAUSE), command: observation.seen.command }
            }
            Err(failure) => self.failed(secret, action, &failure, observation.seen.command),
        }
    }

    fn failed(
        &self,
        secret: &SecretId,
        action: &Action,
        failure: &Failure,
        command: Option<Command>,
    ) -> Next {
        warn!(%secret, action = action.label(), error = %failure, "{} failed for {secret}", action.label());
        if failure.is_stop() {
            return Next::default();
        }
        let trouble = Trouble { reason: failure.block_reason(), error: Some(failure.to_string()) };
        let next = self.blocked(secret, &trouble, command);
        if matches!(action, Action::Issue { .. }) {
            // What else there is to do need not wait for the next try.
            let soon = self.ports.clock.now() + CATCH_UP_PAUSE;
            return Next { at: next.at.map(|at| at.min(soon)), ..next };
        }
        self.lock().clear_preflight_failure(secret);
        next
    }

    fn wait(
        &self,
        secret: &SecretId,
        until: Option<OffsetDateTime>,
        reason: WaitReason,
        command: Option<Command>,
        now: OffsetDateTime,
    ) -> Next {
        let mut volatile = self.lock();
        volatile.no_trouble(secret);
        // What is revoked is refused everywhere only after a while, and then its version can be disabled.
        let fresh = volatile.is_revocation_fresh(secret, now).then_some(now + RECHECK);
        drop(volatile);
        let patience = match reason {
            WaitReason::ConfirmingLoss | WaitReason::Propagating | WaitReason::ProvingRevocation => {
                Some(now + RECHECK)
            }
            WaitReason::ReplicaBehind | WaitReason::Canary | WaitReason::RolloutLimit => Some(now + PATIENCE),
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
        };
        let command = match command {
            Some(command) if !reason.keeps_command() => self.reject_command(secret, command, reason.text()),
            kept => kept,
        };
        // A moment that is past already must not make a loop without a pause.
        let at = until.into_iter().chain(patience).chain(fresh).min().map(|at| at.max(now + CATCH_UP_PAUSE));
        Next { at, command }
    }

    fn lock(&self) -> MutexGuard<'_, Volatile> {
        self.volatile.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

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

/// What is in the way of a pass.
#[derive(Debug)]
struct Trouble {
    reason: BlockReason,
    error: Option<String>,
}

impl Trouble {
    /// What it means and, where somebody has to act, what to do.
    fn text(&self) -> String {
        match &self.error {
            Some(error) => format!("{} ({error})", self.reason.text()),
            None => self.reason.text().to_owned(),
        }
    }

    const fn of(reason: BlockReason) -> Self {
        Self { reason, error: None }
    }
}

impl From<crate::ports::PortError> for Trouble {
    fn from(error: crate::ports::PortError) -> Self {
        Self { reason: reason_of(&error), error: Some(chain(&error)) }
    }
}

/// Before the next try for an application that another secret's pass works on.
const APPLICATION_BUSY_PAUSE: Duration = Duration::seconds(5);

/// After an action, so that Entra's lists may catch up with it.
const CATCH_UP_PAUSE: Duration = Duration::seconds(20);

/// Between two looks at something that others bring about.
const PATIENCE: Duration = Duration::minutes(30);

/// Between two looks at something that may change at any moment.
const RECHECK: Duration = Duration::minutes(1);
