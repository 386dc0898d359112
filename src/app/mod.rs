//! The composition root: makes all parts of a daemon, starts them, and stops them. Decides nothing else.

mod engine;
mod servers;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tracing::{info, warn};

pub use engine::{Engine, ports};
use servers::Servers;

use crate::azure::{Azure, AzureError};
use crate::config::Config;
use crate::domain::VaultName;
use crate::http::{Readiness, ServerError};
use crate::metrics::Metrics;
use crate::ports::{Clock, PortError, chain, sleep};
use crate::reconcile::StatusBoard;
use crate::shutdown::Shutdown;

/// A daemon that is running.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    engine: Engine,
    readiness: Arc<Readiness>,
    servers: Servers,
}

/// Why a daemon can't start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The port is taken, or may not be listened on.
    #[error("can't listen on {address}")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It can't be served.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The API can't be described.
    #[error("the description of the API can't be written")]
    Description(#[from] serde_json::Error),
    /// Azure can't be set up.
    #[error(transparent)]
    Azure(#[from] AzureError),
    /// A metric can't be registered.
    #[error("metrics can't be set up")]
    Metrics(#[from] prometheus::Error),
}

impl App {
    /// Starts a daemon that listens where the configuration says.
    ///
    /// # Errors
    /// Why it can't.
    pub async fn start(config: &Config, clock: &Arc<dyn Clock>, seed: u64) -> Result<Self, AppError> {
        Self::start_on(servers::bind(config.listen)?, config, clock, seed).await
    }

    /// Starts a daemon on a port that is already open. `seed` is for jitter and rotation ids.
    ///
    /// # Errors
    /// Why it can't.
    pub async fn start_on(
        listener: TcpListener,
        config: &Config,
        clock: &Arc<dyn Clock>,
        seed: u64,
    ) -> Result<Self, AppError> {
        let address =
            listener.local_addr().map_err(|source| AppError::Listen { address: config.listen, source })?;
        let engine = Engine::start(config, clock, seed)?;
        let readiness = Arc::new(Readiness::new(awaited(config)));
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
        spawn_probes(Arc::clone(&engine.azure), config, clock, &readiness, &engine.shutdown);
        let servers = Servers::open(listener, config, &engine, &readiness).await?;
        info!(%address, version = env!("CARGO_PKG_VERSION"), secrets = config.secrets.len(), "listening");
        Ok(Self { address, engine, readiness, servers })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it knows of its secrets.
    #[must_use]
    pub fn board(&self) -> Arc<StatusBoard> {
        Arc::clone(&self.engine.board)
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.engine.metrics)
    }

    /// Takes no more work, waits for what is in hand (at most the grace period), leaves. Whether all ended.
    pub async fn drain(self) -> bool {
        self.readiness.drain();
        let drained = self.engine.drain().await;
        self.servers.close().await;
        drained
    }
}

fn awaited(config: &Config) -> impl Iterator<Item = String> {
    let vaults = config.vaults.iter().map(|vault| format!("vault {}", vault.name));
    vaults.chain([GRAPH.to_owned()])
}

/// Asks each vault and Graph for something small until it answers.
fn spawn_probes(
    azure: Arc<Azure>,
    config: &Config,
    clock: &Arc<dyn Clock>,
    readiness: &Arc<Readiness>,
    shutdown: &Shutdown,
) {
    let vaults: Vec<_> = config.vaults.iter().map(|vault| vault.name.clone()).collect();
    let (clock, readiness, stop) = (Arc::clone(clock), Arc::clone(readiness), shutdown.stop());
    let hold = clock.hold();
    shutdown.spawn(async move {
        let _hold = hold;
        let mut open: Vec<_> = vaults.into_iter().map(Some).chain([None]).collect();
        while !open.is_empty() {
            let mut unanswered = Vec::new();
            for target in open {
                let name = target.as_ref().map_or_else(|| GRAPH.to_owned(), |vault| format!("vault {vault}"));
                let answer = tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    answer = probe(&azure, target.as_ref()) => answer,
                };
                match answer {
                    Ok(()) => readiness.answered(&name),
                    Err(error) => {
                        warn!(service = name, error = chain(&error), "{name} does not answer as it should");
                        unanswered.push(target);
                    }
                }
            }
            open = unanswered;
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = sleep(&*clock, PROBE_PAUSE) => {}
            }
        }
    });
}

async fn probe(azure: &Azure, vault: Option<&VaultName>) -> Result<(), PortError> {
    match vault {
        Some(vault) => azure.key_vault.probe(vault).await,
        None => azure.graph.probe().await,
    }
}

const GRAPH: &str = "graph";
const PROBE_PAUSE: time::Duration = time::Duration::seconds(10);
