//! The reconcile loop: takes a secret from the queue, observes, decides, executes one action, and schedules the next
//! pass over it. Decides nothing itself: that is `domain::decide`.

mod act;
mod observation;
mod pass;
mod preview;
mod record;
mod siblings;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use time::{Duration, OffsetDateTime};
use tokio_util::sync::CancellationToken;

pub use preview::{Inspected, Preview};

use super::Ports;
use super::catalogue::Catalogue;
use super::permits::PassLimiter;
use super::queue::{WorkItem, WorkQueue};
use super::reported_once::ReportedOnce;
use super::rollout::Rollout;
use super::status_board::StatusBoard;
use super::volatile::Volatile;
use crate::clock::ClockSkew;
use crate::domain::{ApplicationRules, ClientId, CommandProgress};
use crate::metrics::Metrics;
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
    /// The difference between our clock and the services'.
    pub skew: Arc<ClockSkew>,
    /// The managed secrets.
    pub catalogue: Arc<Catalogue>,
    /// The rules for which applications may be rotated.
    pub rules: ApplicationRules,
    /// The limits on how far the fleet may move at a time.
    pub rollout: Arc<Rollout>,
    /// The tenant, as configured.
    pub tenant: String,
    /// The client id that the daemon is configured to sign in with; its token may name another one.
    pub own: Option<ClientId>,
    /// The number of passes that run at a time.
    pub concurrency: usize,
    /// The source of work.
    pub queue: Arc<WorkQueue>,
    /// The board that statuses are written to.
    pub board: Arc<StatusBoard>,
    /// The metrics that passes are counted in.
    pub metrics: Arc<Metrics>,
    /// Seeds jitter and rotation ids.
    pub seed: u64,
    /// Cancelled when no new work may begin.
    pub stop: CancellationToken,
}

/// The end of a pass: when the next one is due, and the progress of the command that the pass worked on.
#[derive(Debug)]
struct NextPass {
    at: Option<OffsetDateTime>,
    /// `None` if the command has ended. Without a command it means nothing.
    left: Option<CommandProgress>,
}

impl NextPass {
    /// Ends a pass that the stop of the daemon cut short: its command stays as it was.
    const fn cut_short() -> Self {
        Self { at: None, left: Some(CommandProgress::Untried) }
    }
}

impl Reconciler {
    /// Returns a loop that has not begun yet.
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

    /// Works until it is asked to stop; passes in progress go on after that, and `shutdown` waits for them.
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

    /// Makes one pass over one secret and asks for the next, whatever becomes of it.
    async fn work(self: Arc<Self>, item: WorkItem) {
        let permit = self.limiter.acquire().await;
        let next =
            if self.stop.is_cancelled() { NextPass::cut_short() } else { self.pass(&item, &permit).await };
        drop(permit);
        let secret = &item.secret;
        self.queue
            .finish(secret, next.at, next.left, |replaced| self.board.replace_command(secret, replaced));
        drop(item);
    }

    fn lock(&self) -> MutexGuard<'_, Volatile> {
        self.volatile.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pause after an action, so that Entra's lists may catch up with it.
const CATCH_UP_PAUSE: Duration = Duration::seconds(20);

/// The pause between two passes over something that may change at any moment.
const RECHECK: Duration = Duration::minutes(1);
