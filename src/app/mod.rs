//! The composition root: makes all parts of a daemon, starts them, and stops them.

pub mod doctor;
mod fleet;
pub mod inventory;
pub mod plan;
mod works;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use works::Works;

use crate::azure::{Azure, AzureError};
use crate::config::Config;
use crate::domain::VaultName;
use crate::http::{ApiToken, HttpState, Readiness, router};
use crate::metrics::Metrics;
use crate::ports::{Clock, PortError, chain, sleep};
use crate::reconcile::StatusBoard;
use crate::shutdown::Shutdown;

/// A daemon that is running.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    works: Works,
    readiness: Arc<Readiness>,
    server: Server,
}

/// Answers until the last moment, so that `/readyz` can say that the daemon is being stopped.
#[derive(Debug)]
struct Server {
    stop: CancellationToken,
    task: JoinHandle<()>,
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
        let listen = |source| AppError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        Self::start_on(listener, config, clock, seed)
    }

    /// Starts a daemon on a port that is already open. `seed` is for jitter and rotation ids.
    ///
    /// # Errors
    /// Why it can't.
    pub fn start_on(
        listener: TcpListener,
        config: &Config,
        clock: &Arc<dyn Clock>,
        seed: u64,
    ) -> Result<Self, AppError> {
        let address =
            listener.local_addr().map_err(|source| AppError::Listen { address: config.listen, source })?;
        let works = Works::start(config, clock, seed)?;
        let readiness = Arc::new(Readiness::new(awaited(config)));
        let state = HttpState {
            queue: Arc::clone(&works.queue),
            catalogue: Arc::clone(&works.catalogue),
            wishes: Arc::clone(&works.wishes),
            keys: Arc::default(),
            metrics: Arc::clone(&works.metrics),
            readiness: Arc::clone(&readiness),
            clock: Arc::clone(clock),
            token: config.api.token.as_ref().map(ApiToken::new),
        };
        works.shutdown.spawn(works.schedule(config).run(works.shutdown.stop()));
        spawn_probes(Arc::clone(&works.azure), config, clock, &readiness, &works.shutdown);
        let server = Server::start(listener, state);
        info!(%address, version = env!("CARGO_PKG_VERSION"), secrets = config.secrets.len(), "listening");
        Ok(Self { address, works, readiness, server })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it knows of its secrets.
    #[must_use]
    pub fn board(&self) -> Arc<StatusBoard> {
        Arc::clone(&self.works.board)
    }

    /// What it counts.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.works.metrics)
    }

    /// Takes no more work, waits for what is in hand (at most the grace period), leaves. Whether all ended.
    pub async fn drain(self) -> bool {
        self.readiness.drain();
        let drained = self.works.drain().await;
        self.server.stop().await;
        drained
    }
}

impl Server {
    fn start(listener: TcpListener, state: HttpState) -> Self {
        let stop = CancellationToken::new();
        let asked = stop.clone();
        let serving = axum::serve(listener, router(state))
            .with_graceful_shutdown(async move { asked.cancelled().await });
        #[expect(clippy::disallowed_methods, reason = "it outlives the tasks that shutdown waits for")]
        let task = tokio::spawn(async move {
            if let Err(error) = serving.await {
                warn!(%error, "the HTTP server ended");
            }
        });
        Self { stop, task }
    }

    async fn stop(self) {
        self.stop.cancel();
        // A client that keeps its connection open must not keep the process.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.task).await;
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
