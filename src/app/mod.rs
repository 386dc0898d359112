//! The composition root: makes all parts of a daemon, starts them, and stops them. Decides nothing else.

mod adapters;
mod engine;
mod probes;
mod servers;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tracing::info;

pub use adapters::{diagnostic_ports, reconcile_ports};
pub use engine::Engine;
use probes::Probes;
use servers::Servers;

use crate::azure::AzureError;
use crate::config::Config;
use crate::http::{Readiness, ServerError};
use crate::metrics::Metrics;
use crate::ports::Clock;
use crate::reconcile::StatusBoard;

/// A daemon that is running.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    engine: Engine,
    readiness: Arc<Readiness>,
    servers: Servers,
}

/// The reason why a daemon can't start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The port is taken, or may not be listened on.
    #[error("can't listen on {address}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It can't be served.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The API can't be described.
    #[error("can't write the OpenAPI document")]
    Description(#[from] serde_json::Error),
    /// Azure can't be set up.
    #[error(transparent)]
    Azure(#[from] AzureError),
    /// A metric can't be registered.
    #[error("can't register the metrics")]
    Metrics(#[from] prometheus::Error),
}

impl App {
    /// Starts a daemon that listens on the configured address.
    ///
    /// # Errors
    /// The reason why it can't start.
    pub async fn start(config: &Config, clock: &Arc<dyn Clock>, seed: u64) -> Result<Self, AppError> {
        Self::start_on(servers::bind(config.listen)?, config, clock, seed).await
    }

    /// Starts a daemon on a port that is already open. `seed` is for jitter and rotation ids.
    ///
    /// # Errors
    /// The reason why it can't start.
    pub async fn start_on(
        listener: TcpListener,
        config: &Config,
        clock: &Arc<dyn Clock>,
        seed: u64,
    ) -> Result<Self, AppError> {
        let address =
            listener.local_addr().map_err(|source| AppError::Listen { address: config.listen, source })?;
        let engine = Engine::start(config, clock, seed)?;
        let readiness = Arc::new(Readiness::new(probes::names(config)));
        // A Functions host has a timer of its own, and may stop the process between two invocations; but what tags bind
        // has to be known before the first of them.
        if config.functions.is_none() {
            engine.shutdown.spawn(engine.schedule(config).run(engine.shutdown.stop()));
        } else {
            let (sweeper, hold) = (engine.sweeper(config), engine.clock.hold());
            engine.shutdown.spawn(async move {
                let _hold = hold;
                sweeper.discover().await;
            });
        }
        if let Some(trigger) = engine.queue_trigger(config) {
            engine.shutdown.spawn(trigger.run(engine.shutdown.stop()));
        }
        engine.shutdown.spawn(Probes::new(config, &engine, &readiness).run(engine.shutdown.stop()));
        let servers = Servers::open(listener, config, &engine, &readiness).await?;
        info!(%address, version = env!("CARGO_PKG_VERSION"), secrets = config.secrets.len(), "listening");
        Ok(Self { address, engine, readiness, servers })
    }

    /// Returns the address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the status board.
    #[must_use]
    pub fn board(&self) -> Arc<StatusBoard> {
        Arc::clone(&self.engine.board)
    }

    /// Returns the metrics.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.engine.metrics)
    }

    /// Takes no more work and waits for the passes in progress, at most the grace period. Returns true if all ended.
    pub async fn drain(self) -> bool {
        self.readiness.drain();
        let drained = self.engine.drain().await;
        self.servers.close().await;
        // A request may have been under way when it began.
        self.engine.commands.reject_pending();
        drained
    }
}
