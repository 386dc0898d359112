//! Everything the daemon runs except its listeners: ports, work queue, status board, catalogue and the reconcile loop.
//!
//! The daemon and the commands that act without a daemon run the same engine.

use std::sync::Arc;
use std::time::Duration;

use super::AppError;
use super::adapters::reconcile_ports;
use crate::azure::{self, Azure};
use crate::clock::ClockSkew;
use crate::commands::Commands;
use crate::config::Config;
use crate::domain::SecretId;
use crate::metrics::Metrics;
use crate::ports::Clock;
use crate::reconcile::{Catalogue, Deps, Reconciler, Rollout, StatusBoard, Sweeper, WorkQueue};
use crate::shutdown::Shutdown;
use crate::triggers::ingest::EventSink;
use crate::triggers::schedule::Schedule;
use crate::triggers::storage_queue::QueueTrigger;

/// The running parts of a daemon that don't listen.
#[derive(Debug)]
pub struct Engine {
    /// The adapters.
    pub azure: Arc<Azure>,
    /// The managed secrets.
    pub catalogue: Arc<Catalogue>,
    /// The work queue.
    pub queue: Arc<WorkQueue>,
    /// The entrance for events.
    pub event_sink: Arc<EventSink>,
    /// The entrance for commands.
    pub commands: Arc<Commands>,
    /// The status of every secret.
    pub board: Arc<StatusBoard>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// The clock of every task.
    pub clock: Arc<dyn Clock>,
    /// The difference between that clock and Azure's.
    pub skew: Arc<ClockSkew>,
    /// The running tasks, and their stop signal.
    pub shutdown: Shutdown,
    /// The limits on the rollout over all secrets.
    pub rollout: Arc<Rollout>,
    grace: Duration,
}

impl Engine {
    /// Starts the loop, with nothing to do yet. `seed` is for jitter and rotation ids.
    ///
    /// # Errors
    /// Fails if Azure or the metrics can't be set up.
    pub fn start(config: &Config, clock: &Arc<dyn Clock>, seed: u64) -> Result<Self, AppError> {
        let engine = Self::build(config, clock)?;
        let reconciler = Arc::new(Reconciler::new(engine.deps(config, seed)));
        engine.shutdown.spawn(reconciler.run(engine.shutdown.clone()));
        Ok(engine)
    }

    /// Makes the parts. Nothing runs yet.
    fn build(config: &Config, clock: &Arc<dyn Clock>) -> Result<Self, AppError> {
        let (metrics, skew) = (Arc::new(Metrics::new()?), Arc::new(ClockSkew::default()));
        let azure = Arc::new(azure::connect(config, clock, &skew, &metrics)?);
        let catalogue = Arc::new(Catalogue::new(config.secrets.iter().cloned()));
        let ids = config.secrets.iter().map(|managed| &managed.id);
        let board = Arc::new(StatusBoard::new(Arc::clone(&metrics), ids));
        let queue = Arc::new(WorkQueue::new(Arc::clone(clock), Arc::clone(&metrics)));
        let event_sink = Arc::new(EventSink {
            queue: Arc::clone(&queue),
            catalogue: Arc::clone(&catalogue),
            vaults: config.vaults.iter().map(|vault| vault.name.clone()).collect(),
            metrics: Arc::clone(&metrics),
        });
        let commands = Arc::new(Commands::new(
            Arc::clone(&queue),
            Arc::clone(&catalogue),
            Arc::clone(&board),
            Arc::clone(&metrics),
            Arc::clone(clock),
        ));
        Ok(Self {
            azure,
            catalogue,
            queue,
            event_sink,
            commands,
            board,
            metrics,
            clock: Arc::clone(clock),
            skew,
            shutdown: Shutdown::default(),
            rollout: Arc::new(Rollout::new(config.rollout.clone())),
            grace: config.reconcile.shutdown_grace,
        })
    }

    /// Returns what the reconcile loop is made of.
    fn deps(&self, config: &Config, seed: u64) -> Deps {
        Deps {
            ports: reconcile_ports(&self.azure, &self.clock),
            skew: Arc::clone(&self.skew),
            catalogue: Arc::clone(&self.catalogue),
            rules: config.applications.clone(),
            rollout: Arc::clone(&self.rollout),
            tenant: config.azure.tenant_id.clone(),
            own: config.identity.client_id(),
            concurrency: config.reconcile.concurrency,
            queue: Arc::clone(&self.queue),
            board: Arc::clone(&self.board),
            metrics: Arc::clone(&self.metrics),
            seed,
            stop: self.shutdown.stop(),
        }
    }

    /// Returns the schedule of sweeps over all managed secrets.
    #[must_use]
    pub fn schedule(&self, config: &Config) -> Schedule {
        Schedule {
            config: config.schedule.clone(),
            sweeper: self.sweeper(config),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
        }
    }

    /// Returns the trigger that empties the queue of events, if one is configured.
    #[must_use]
    pub fn queue_trigger(&self, config: &Config) -> Option<QueueTrigger> {
        let (messages, config) = (self.azure.storage_queue.clone()?, config.queue.clone()?);
        Some(QueueTrigger { messages, event_sink: Arc::clone(&self.event_sink), config })
    }

    /// Returns the sweeper, which finds tagged secrets and asks for a pass over each.
    #[must_use]
    pub fn sweeper(&self, config: &Config) -> Sweeper {
        self.metrics.declare_vaults(&config.discovery.vaults);
        Sweeper {
            store: self.azure.key_vault.clone(),
            discovery: config.discovery.clone(),
            catalogue: Arc::clone(&self.catalogue),
            queue: Arc::clone(&self.queue),
            board: Arc::clone(&self.board),
            rollout: Arc::clone(&self.rollout),
            metrics: Arc::clone(&self.metrics),
            clock: Arc::clone(&self.clock),
        }
    }

    /// Returns true if this secret goes ahead of the others.
    #[must_use]
    pub fn is_canary(&self, secret: &SecretId) -> bool {
        self.rollout.is_canary(secret)
    }

    /// Takes no more work and waits for the passes in progress, at most the grace period; then rejects the commands that
    /// are not done. Returns true if all passes ended.
    pub async fn drain(&self) -> bool {
        let drained = self.shutdown.drain(self.grace).await;
        self.commands.reject_pending();
        drained
    }
}
